"""What random combinations of columns tell about columns whose products are never made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.descent import iterates
from gd_regressor.doubled import EPS
from gd_regressor.losses import DataLoss
from gd_regressor.metric import Diagonal
from gd_regressor.records import Iterate
from gd_regressor.steps import ConjugateStep

# The square that a random vector has along a given direction is chi-squared: below this in one case
# of a thousand
FAINT = 1e-6
# From slopes below this on, rounding makes up eigenvalues in the wake of those that are zero
WAKE = 1e-14
# The square of a norm is right to this many times the tolerance of the loss, at best to
# LEAST_EXCESS
NORM_EXCESS, LEAST_EXCESS = 100.0, 1e-14
# Steps in that space that are tried before the way in raw coordinates, and after it
PROJECTIONS = 4, 40


@dataclass(frozen=True)
class Variation:
    """v'Hv / 2, what combinations v (p, m) of columns vary by on the rows, as a loss."""

    loss: DataLoss

    def value_and_gradient(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """It (m,) and its gradient (p, m)."""
        if not vectors.any():
            return np.zeros(vectors.shape[1]), np.zeros_like(vectors)
        product = self.hessian_product(vectors)
        return np.einsum("ij,ij->j", vectors, product) / 2, product

    def hessian_product(self, vectors: np.ndarray) -> np.ndarray:
        """As that of the loss."""
        return self.loss.hessian_product(vectors)

    def lowered(self, vectors: np.ndarray, metric: Diagonal) -> Iterator[Iterate]:
        """Conjugate steps from `vectors` down to the part of them that does not vary."""
        steps = iterates(self, np.zeros_like(vectors), metric, ConjugateStep(first=vectors))
        next(steps)  # zero, where all steps set out from
        return steps


@dataclass(frozen=True)
class Vanishing:
    """The combinations of columns that vanish on the rows, and the eigenvalues of P H elsewhere.

    What conjugate steps leave of a vector v while they lower v'Hv is, in the end, its part in that
    space, the orthogonal one in the metric; on the way it is its part along all eigenvectors with
    eigenvalues below a bound that falls. Of a random v with a variance of 1 along each of them the
    square counts them, and where it has become FAINT there are none left.
    """

    variation: Variation
    metric: Diagonal
    smallest: float  # of the eigenvalues that are not zero, about
    largest: float
    known: bool  # whether the steps were enough to tell
    any: bool  # whether there are such combinations
    max_iter: int  # steps down at most

    @classmethod
    def of(cls, loss: DataLoss, metric: Diagonal, max_iter: int) -> Vanishing:
        """Send a random vector down, for up to `max_iter` steps."""
        variation, start = Variation(loss), metric.random(loss.frame.n_parameters)
        noise = (6 * EPS) ** 2 * len(start)
        least, ritz, before, level, any_ = 1.0, Ritz(), None, noise, False
        for here in variation.lowered(start, metric):
            size, slope = metric.square(here.theta)[0], _slope(here)[0]
            if before is not None:
                step = before.theta - here.theta
                weight = metric.product(step, before.theta + here.theta)[0]
                if weight > FAINT:  # which this step took away, and from v'Hv / 2 along with it:
                    energy = np.sum(step * (before.gradient + here.gradient)) / 2
                    least = min(least, energy / weight)
            if slope > WAKE * size:
                ritz.see(here)
            faint = size <= FAINT
            if not faint and slope <= level * size:
                value, _ = variation.value_and_gradient(here.theta)
                any_, level = bool(value[0] <= noise * size), level / 1e4
            if faint or any_ or here.k > max_iter:
                break
            before = here
        values = ritz.values
        smallest = min(least, values[values > 100 * WAKE].min(initial=1.0))
        largest = values.max(initial=1.0)
        return cls(variation, metric, smallest, largest, faint or any_, any_, max_iter)

    @property
    def condition_number(self) -> float:
        """Of the columns scaled to deviation 1, without those that depend on others; estimated."""
        return float(np.sqrt(self.largest / self.smallest))

    def part_of(
        self, vectors: np.ndarray, error, worth=0.0, metric: Diagonal | None = None
    ) -> np.ndarray | None:
        """The part of each of the `vectors` (p, m) that vanishes, the orthogonal one in `metric`.

        With a relative `error`, or zero where its square is below what is `worth` anything. None
        where that takes too many steps.
        """
        worth = np.maximum(worth, EPS**2 * self.metric.square(vectors))
        for here in self.variation.lowered(vectors, metric or self.metric):
            size = self.metric.square(here.theta)
            direction = self.metric.apply(here.gradient)
            slope = np.einsum("ij,ij->j", here.gradient, direction)
            there = slope <= (error * self.smallest) ** 2 * size
            if (there | (size <= worth)).all():
                return here.theta
            if here.k > self.max_iter:
                return None

    def least_norm(self, theta: np.ndarray, tol: float, worth: np.ndarray) -> np.ndarray | None:
        """The point (p, t) of least raw |w| that differs from `theta` by what vanishes.

        |w|^2 is right to NORM_EXCESS times `tol`, and the loss higher by no more than is `worth`
        anything. None where that is not done after `max_iter` steps.
        """
        scale, constant = self.metric.scale, self.metric.constant
        # In units of the smallest scale: what underflows counts as nothing beside the largest
        weight = np.where(constant, 0.0, (scale.min() / scale) ** 2)
        raw, coefficients = replace(self.metric, curvature=weight), theta.copy()
        coefficients[len(scale) :] = 0.0
        moved, excess = None, max(NORM_EXCESS * tol, LEAST_EXCESS)
        for projections in PROJECTIONS:
            moved = self._towards_zero(coefficients, raw, excess, projections)
            if moved is not None:
                break
            error = self._error(coefficients, worth)
            moved = self.part_of(coefficients, error, metric=raw)
            if moved is not None:
                return theta - moved
        moved = None if moved is None else self.part_of(moved, self._error(moved, worth))
        return None if moved is None else theta - moved

    def _error(self, vectors: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """(t,): relative to `vectors`, of what raises the loss by what is `worth` anything."""
        square = self.largest * self.metric.square(vectors)
        return np.maximum(np.sqrt(worth / np.where(square > 0, square, 1.0)), 64 * EPS)

    def _towards_zero(
        self, theta: np.ndarray, raw: Diagonal, excess: float, projections: int
    ) -> np.ndarray | None:
        """The part of `theta` to take away, by conjugate steps along vectors that are projected.

        They end where |w|^2 is above its least value by no more than the share `excess`, of what
        is least visible too: where the ratio of the two metrics is smallest.
        """
        ratio, curvature = np.zeros((len(theta), 1)), self.metric.curvature
        ratio[: len(curvature), 0] = raw.curvature / np.where(raw.constant, 1, curvature)
        seen = ratio[ratio > 0]
        excess = excess * float(seen.min() / seen.max())
        norm, error = raw.square(theta), max(np.sqrt(excess), 64 * EPS)
        moved = last = np.zeros_like(theta)
        last_square, rate = np.full(len(norm), np.inf), np.full(len(norm), np.inf)
        for _ in range(projections):
            rest = self.part_of(ratio * (theta - moved), error, excess * norm / rate)
            if rest is None:
                return None
            square = self.metric.square(rest)
            if (rate * square <= 2 * excess * norm).all():
                return moved
            direction = rest + square / last_square * last
            image = self.part_of(ratio * direction, error)
            if image is None:
                return None
            rate = self.metric.product(direction, rest) / self.metric.product(direction, image)
            moved, last, last_square = moved + rate * direction, direction, square
        return None


class Ritz:
    """Eigenvalues of P H as conjugate steps show them (Lanczos)."""

    def __init__(self) -> None:
        self._before, self._rates, self._slopes = None, [], []

    def see(self, here: Iterate) -> None:
        slope = _slope(here)[0]
        if self._before is not None:
            step = self._before.theta - here.theta
            self._rates.append(np.sum(step * self._before.gradient) / self._slopes[-1])
        self._slopes.append(slope)
        self._before = here

    @property
    def values(self) -> np.ndarray:
        """They are the squares of the singular values of a matrix with two diagonals."""
        rates, slopes = np.array(self._rates), np.array(self._slopes)
        if not rates.size:
            return np.ones(1)
        root = np.diag(1 / np.sqrt(rates))
        root += np.diag(np.sqrt(slopes[1:-1] / slopes[:-2] / rates[:-1]), 1)
        return np.linalg.svd(root, compute_uv=False) ** 2 / 2


def _slope(here: Iterate) -> np.ndarray:
    """(m,): <g, Pg>."""
    return np.einsum("ij,ij->j", here.gradient, here.direction)
