"""The squared loss of a table from its moments, without a pass over the rows."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import (
    STRIP,
    Doubled,
    Point,
    column_products,
    plain,
)
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.data.moments import Moments
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.objective.frame import AtZero, Frame


@frozen
class MomentLoss(Quadratic):
    """F from the moments of the rows. The error is a few eps of F at zero coefficients.

    The frame is centred at the means, so the intercept does not depend on the coefficients.
    """

    moments: Moments
    frame: Frame

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""
        w, b = self.frame.split(theta)
        gradient, zero = 2 * theta, self.at_zero
        if not w.any():
            return zero.value_and_gradient(b, gradient)
        change = zero.slope + self.hessian @ w
        gradient[: len(w)] = change
        value = zero.value + column_products(w, zero.slope + change) / 2 + b**2
        return np.maximum(value, 0.0), gradient

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""
        product = 2 * direction
        w, _ = self.frame.split(direction)
        product[: len(w)] = self.hessian @ w
        return product

    @cached_property
    def at_zero(self) -> AtZero:
        return AtZero.of(self.moments, self.frame)

    @cached_property
    def hessian(self) -> np.ndarray:
        """(d, d), of the coefficients."""
        hessian = self.moments.xx * (self.units / self.moments.weight)[:, None]
        hessian *= self.units
        if not self.frame.fit_intercept:
            hessian += np.multiply.outer(self._means, self._means)
        hessian *= 2
        return hessian

    @property
    def units(self) -> np.ndarray:
        """(d,): the units of the moments' columns, in those of the frame."""
        return self.moments.scale / self.frame.scale

    @property
    def _means(self) -> np.ndarray:
        return self.moments.column_means / self.frame.scale


@frozen
class PreciseMomentLoss(Quadratic):
    """F at points of twice the working precision, from moments in this precision."""

    working: MomentLoss  # the same loss in working precision

    doubled = True

    def lift(self, theta: np.ndarray) -> Doubled:
        return Doubled.of(theta)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""
        return self.working.hessian_product(direction)

    def value_and_gradient(self, theta: Doubled) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""
        value, gradient = self.working.value_and_gradient(plain(theta))
        d = len(self.working.frame.scale)
        w = theta[:d]
        for first in range(0, d, STRIP):  # doubled products need several times their own memory
            strip = slice(first, min(first + STRIP, d))
            hessian, slope = self._doubled(strip)
            for j in range(w.shape[1]):
                change = (hessian * w[:, j]).sum(axis=1) + slope[:, j]
                gradient[strip, j] = 2 * plain(change)
        return value, gradient

    def _doubled(self, rows: slice) -> tuple[Doubled, Doubled]:
        """`rows` of half the Hessian of the coefficients, and of half the slope at zero."""
        moments, units = self.working.moments, self.working.units
        mean, target_mean, xx, xy = moments.doubled
        share = units / moments.weight
        hessian = xx[rows] * (units[rows, None] * share)
        slope = -(xy[rows] * share[rows, None])
        if not self.working.frame.fit_intercept:
            means = (Doubled.of(moments.origin / moments.scale) + mean) * units
            targets = Doubled.of(moments.target_origin) + target_mean
            hessian = hessian + means[rows, None] * means[None]
            slope = slope - means[rows, None] * targets[None]
        return hessian, slope


@frozen
class KnownAtZero(Quadratic):
    """A loss whose value at zero coefficients comes from moments, without a pass over the rows."""

    loss: Quadratic
    frame: Frame
    at_zero: AtZero
    doubled: bool  # the same as of `loss`

    def lift(self, theta: np.ndarray) -> Point:
        return self.loss.lift(theta)

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""
        point = plain(theta)
        w, b = self.frame.split(point)
        if np.count_nonzero(w):
            return self.loss.value_and_gradient(theta)
        return self.at_zero.value_and_gradient(b, 2 * point)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""
        return self.loss.hessian_product(direction)


def gram_of(moments: Moments, frame: Frame) -> np.ndarray:
    """(p, p): mean products of columns and ones, in the frame."""
    unit, d = moments.scale / frame.scale, len(frame.scale)
    means = (moments.column_means - frame.centre) / frame.scale
    found = np.ones((frame.n_parameters, frame.n_parameters))
    gram = found[:d, :d]  # in place: with many columns each pass over it counts
    np.divide(moments.xx, moments.weight, out=gram)
    gram *= unit
    gram *= unit[:, None]
    if means.any():
        gram += np.multiply.outer(means, means)
    found[d:, :d] = means
    found[:d, d:] = means[:, None]
    return found
