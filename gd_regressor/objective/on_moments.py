"""The squared loss of a table from its moments, for no pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import (
    STRIP,
    Doubled,
    Point,
    column_products,
    plain,
)
from gd_regressor.data.moments import Moments
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.objective.frame import AtZero, Frame


@dataclass(frozen=True)
class MomentLoss(Quadratic):
    """The same loss from the moments of the rows, for no pass: right to a few eps of F at zero.

    In a frame centred at their means, where the intercept is apart from the coefficients.
    """

    moments: Moments
    frame: Frame

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As those of the rows."""
        w, b = self.frame.split(theta)
        gradient, zero = 2 * theta, self.at_zero
        if not w.any():
            return zero.value_and_gradient(b, gradient)
        change = zero.slope + self.hessian @ w
        gradient[: len(w)] = change
        value = zero.value + column_products(w, zero.slope + change) / 2 + b**2
        return np.maximum(value, 0.0), gradient

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """As that of the rows."""
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


@dataclass(frozen=True)
class PreciseMomentLoss(Quadratic):
    """From moments of twice the working precision, at points of it."""

    working: MomentLoss  # the same in working precision

    doubled = True

    def lift(self, theta: np.ndarray) -> Doubled:
        return Doubled.of(theta)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """As that of the rows."""
        return self.working.hessian_product(direction)

    def value_and_gradient(self, theta: Doubled) -> tuple[np.ndarray, np.ndarray]:
        """As those of the rows."""
        value, gradient = self.working.value_and_gradient(plain(theta))
        d = len(self.working.frame.scale)
        w = theta[:d]
        for first in range(0, d, STRIP):  # what doubled products need beside is several times them
            strip = slice(first, min(first + STRIP, d))
            hessian, slope = self._doubled(strip)
            for j in range(w.shape[1]):
                change = (hessian * w[:, j]).sum(axis=1) + slope[:, j]
                gradient[strip, j] = 2 * plain(change)
        return value, gradient

    def _doubled(self, rows: slice) -> tuple[Doubled, Doubled]:
        """These rows of half the Hessian of the coefficients, and of half the slope at zero."""
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


@dataclass(frozen=True)
class KnownAtZero(Quadratic):
    """A loss that is known at zero coefficients from moments: no pass over the rows there."""

    loss: Quadratic
    frame: Frame
    at_zero: AtZero
    doubled: bool  # as the loss

    def lift(self, theta: np.ndarray) -> Point:
        return self.loss.lift(theta)

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """As those of the loss."""
        point = plain(theta)
        w, b = self.frame.split(point)
        if w.any():
            return self.loss.value_and_gradient(theta)
        return self.at_zero.value_and_gradient(b, 2 * point)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """As that of the loss."""
        return self.loss.hessian_product(direction)
