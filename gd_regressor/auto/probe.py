"""Probe: a random combination of columns shows dependences without any product of columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, column_products
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import DESCENDED, of_combination
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.descent.records import Iterate
from gd_regressor.descent.steps import ConjugateStep, quotient
from gd_regressor.descent.walk import Smooth, iterates
from gd_regressor.metric.diagonal import Diagonal
from gd_regressor.objective.on_rows import DataLoss

# The square of a random vector along a given direction is chi-squared. It is below this in one case
# of a hundred thousand
FAINT = 1e-10
# A combination vanishes if it varies by at most this, relative to its columns
VANISHED = 4e-13
# Below this slope rounding makes false eigenvalues, in the wake of eigenvalues that are zero
WAKE = 1e-14
# |w|^2 may exceed its minimum by this many times the tolerance of the loss, and by LEAST_EXCESS in
# any case
NORM_EXCESS, LEAST_EXCESS = 100.0, 1e-14
# Steps in the null space that we try before the way in raw coordinates, and after it
FIRST_PROJECTIONS, MOST_PROJECTIONS = 4, 40
# All projections together may take this many times max_iter steps
LENGTH = 4
# The length of a step may have this relative error, which the next step mends
ROUGHLY = 1e-3
# A random combination does not involve a column if its share in it is at most this
ABSENT = 1e-9


@frozen
class Variation(Quadratic):
    """v'Hv / 2 as a loss: how much combinations v (p, m) of columns vary on the rows."""

    loss: DataLoss

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss v'Hv / 2 (m,) and its gradient (p, m)."""
        if not theta.any():
            return np.zeros(theta.shape[1]), np.zeros_like(theta)
        product = self.hessian_product(theta)
        return column_products(theta, product) / 2, product

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """H times each column of `direction` (p, m)."""
        return self.loss.hessian_product(direction)

    def lowered(self, vectors: np.ndarray, metric: Diagonal) -> Iterator[Iterate]:
        """Conjugate steps from `vectors` down to their part that does not vary."""
        problem, step = Smooth(self, metric), ConjugateStep(first=vectors)
        steps = iterates(problem, np.zeros_like(vectors), step)
        next(steps)  # skip zero, from which ConjugateStep leaps to `first`
        return steps


@frozen
class Vanishing:
    """The combinations of columns that vanish on the rows, and the eigenvalues of P H elsewhere.

    Conjugate steps lower v'Hv. In the end they leave the part of v that vanishes, which is the
    projection of v on the null space, orthogonal in the metric. On the way they leave the part of v
    along eigenvectors whose eigenvalues are below a falling bound. A random v has variance 1 along
    each eigenvector, so the square of this part counts them. When it is FAINT, none is left.
    """

    variation: Variation
    metric: Diagonal
    smallest: float  # estimate of the smallest eigenvalue that is not zero
    largest: float  # estimate of the largest eigenvalue
    known: bool  # whether the steps were enough to tell
    any: bool  # whether any combination vanishes
    involved: np.ndarray  # (d,): whether a column takes part in one
    max_iter: int  # the largest number of steps

    @classmethod
    def of(cls, loss: DataLoss, metric: Diagonal, max_iter: int) -> Vanishing:
        """Send a random vector down, for up to `max_iter` steps."""
        variation, start = Variation(loss), metric.random(loss.frame.n_parameters)
        noise = max(of_combination(len(start)), VANISHED) ** 2
        least, ritz, before, level = 1.0, Ritz(), None, noise
        steps = variation.lowered(start, metric)
        while True:
            here = next(steps)
            size, slope, left = metric.square(here.theta)[0], here.slope[0], np.inf
            ended = before is not None and here.gradient is before.gradient
            if before is not None and here.theta is not before.theta:
                least = min(least, _steepness(before, here, metric))
            if slope > WAKE * size:
                ritz.see(here)
            faint = size <= FAINT
            if not faint and (slope <= level * size or ended):
                left, level = variation.value_and_gradient(here.theta)[0][0] / size, level / 1e4
            if faint or ended or left <= noise or here.k > max_iter:
                break
            before = here
        values, any_ = ritz.values, bool(left <= noise)
        if ended and not any_:  # the steps ended at rounding, but the rest still varies
            least = 0.0
        smallest = max(min(least, values[values > 100 * WAKE].min(initial=1.0)), EPS**2)
        known = faint or ended or any_
        size = np.abs(here.theta[: len(metric.scale), 0]) * np.sqrt(metric.curvature)
        largest, involved = values.max(initial=1.0), any_ & (size > ABSENT)
        return cls(variation, metric, smallest, largest, known, any_, involved, max_iter)

    @property
    def lost(self) -> bool:
        """Whether columns depend on each other so nearly that rounding hides how."""
        return self.smallest <= EPS**2

    @property
    def condition_number(self) -> float:
        """Estimate for the independent columns, each scaled to deviation 1."""
        return float(np.sqrt(self.largest / self.smallest))

    def part_of(
        self,
        vectors: np.ndarray,
        error,
        budget: Iterator,
        worth: float | np.ndarray = 0.0,
        metric: Diagonal | None = None,
    ) -> np.ndarray | None:
        """Project each of the `vectors` (p, m) on the null space, orthogonally in `metric`.

        The relative error is at most `error`; a projection may be zero if its square is below
        `worth`. None if this takes more than `max_iter` steps or the `budget`, or if rounding leads
        astray.
        """
        metric, before = metric or self.metric, None
        worth = np.maximum(worth, EPS**2 * self.metric.square(vectors))
        bound = metric.square(vectors) * (1 + 1e-9)
        for here, _ in zip(self.variation.lowered(vectors, metric), budget, strict=False):
            size = self.metric.square(here.theta)
            direction = self.metric.apply(here.gradient)
            slope = column_products(here.gradient, direction)
            there = slope <= (error * self.smallest) ** 2 * size
            if here.k > self.max_iter or (metric.square(here.theta) > bound).any():
                return None
            if (there | (size <= worth)).all():
                return here.theta
            if here.gradient is before:  # the steps ended at rounding
                return here.theta if metric is self.metric else None
            before = here.gradient
        return None


@frozen
class LeastNorm:
    """Find the point of least raw |w| among those that differ by vanishing combinations.

    With the diagonal A = `ratio`, |w|^2 is theta'A theta in the product of the metric. It is least
    where the projection of A theta on the null space is zero. A projection r shows an excess of at
    most r^2 / min A.
    """

    vanishing: Vanishing
    raw: Diagonal  # the metric of raw coordinates, for involved columns
    ratio: np.ndarray  # (p, 1)
    excess: float  # a smaller relative excess of |w|^2 is not worth a step
    worth: float  # a smaller excess of the loss is not worth a step
    budget: Iterator  # one item for each step that we may make

    @classmethod
    def of(cls, vanishing: Vanishing, tol: float, worth: float) -> LeastNorm:
        """Allow |w|^2 an excess of NORM_EXCESS times `tol`."""
        metric, part = vanishing.metric, vanishing.involved
        # In units of the smallest scale, so that no square overflows
        weight = np.where(part, (metric.scale[part].min() / metric.scale) ** 2, 0.0)
        ratio = np.zeros((vanishing.variation.loss.frame.n_parameters, 1))
        ratio[: len(part), 0] = weight / np.where(part, metric.curvature, 1.0)
        raw = replace(metric, curvature=weight)
        excess, budget = (
            max(NORM_EXCESS * tol, LEAST_EXCESS),
            iter(range(LENGTH * vanishing.max_iter)),
        )
        return cls(vanishing, raw, ratio, excess, worth, budget)

    def __call__(self, theta: np.ndarray) -> np.ndarray | None:
        """The point beside `theta` (p, t); None if LENGTH * `max_iter` steps do not find it."""
        ways = (
            lambda theta: self._by_steps(theta, FIRST_PROJECTIONS),
            self._in_raw_coordinates,
            lambda theta: self._by_steps(theta, MOST_PROJECTIONS),
        )
        found = (way(theta) for way in ways)
        return next((least for least in found if least is not None), None)

    @property
    def _bounds(self) -> tuple[float, float]:
        """The smallest and the largest ratio."""
        ratios = self.ratio[self.ratio > 0]
        return float(ratios.min()), float(ratios.max())

    def _by_steps(self, theta: np.ndarray, projections: int) -> np.ndarray | None:
        """Find it by conjugate steps along vanishing combinations."""
        metric, (low, high) = self.vanishing.metric, self._bounds
        error = max(np.sqrt(self.excess) * low / high, DESCENDED)
        last, last_square, start = np.zeros_like(theta), np.full(theta.shape[1], np.inf), theta
        for _ in range(projections):
            enough = self._enough(theta)
            rest = self.vanishing.part_of(self.ratio * theta, error, self.budget, enough)
            if rest is None:
                return None
            square = metric.square(rest)
            if (square <= enough).all():
                return theta if self._vanishes(start - theta) else None
            last, last_square = rest + quotient(square, last_square) * last, square
            image = self.vanishing.part_of(self.ratio * last, ROUGHLY, self.budget)
            if image is None:
                return None
            rate = quotient(*(metric.product(last, vectors) for vectors in (rest, image)))
            theta = theta - rate * last
        return None

    def _in_raw_coordinates(self, theta: np.ndarray) -> np.ndarray | None:
        """Find it by one projection in raw coordinates: as slow as a descent without a metric."""
        metric, coefficients = self.vanishing.metric, theta * (self.ratio > 0)
        square = self.vanishing.largest * metric.square(coefficients)
        error = np.sqrt(self.worth / np.where(square > 0, square, 1.0))
        error = np.maximum(error, DESCENDED)
        moved = self.vanishing.part_of(coefficients, error, self.budget, metric=self.raw)
        if moved is None or not self._vanishes(moved):
            return None
        return self._by_steps(theta - moved, 1)

    def _enough(self, theta: np.ndarray) -> np.ndarray:
        """(t,): if the square of a projection is at most this, the norm is least."""
        return self.excess * self._bounds[0] * self.raw.square(theta)

    def _vanishes(self, vectors: np.ndarray) -> bool:
        value, _ = self.vanishing.variation.value_and_gradient(vectors)
        rounding = DESCENDED**2 * self.vanishing.metric.square(vectors)
        return bool((value <= self.worth + rounding).all())


class Ritz:
    """Estimates of the eigenvalues of P H from conjugate steps (Lanczos)."""

    def __init__(self) -> None:
        self._before, self._rates, self._slopes = None, [], []

    def see(self, here: Iterate) -> None:
        slope = here.slope[0]
        if self._before is not None and self._before.theta is not here.theta:
            step = self._before.theta - here.theta
            rate = np.sum(step * self._before.gradient) / self._slopes[-1]
            if not rate > 0:  # rounding
                return
            self._rates.append(rate)
        self._slopes.append(slope)
        self._before = here

    @property
    def values(self) -> np.ndarray:
        """The eigenvalues: half the squared singular values of a bidiagonal matrix."""
        rates, slopes = np.array(self._rates), np.array(self._slopes)
        if not rates.size:
            return np.ones(1)
        root = np.diag(1 / np.sqrt(rates))
        root += np.diag(np.sqrt(slopes[1:-1] / slopes[:-2] / rates[:-1]), 1)
        return np.linalg.svd(root, compute_uv=False) ** 2 / 2


def _steepness(before: Iterate, here: Iterate, metric: Diagonal) -> float:
    """The fall of v'Hv / 2 per fall of the square of v in one step; infinite if v hardly fell."""
    step = before.theta - here.theta
    weight = metric.product(step, before.theta + here.theta)[0]
    if weight <= FAINT:
        return np.inf
    return max(float(np.sum(step * (before.gradient + here.gradient)) / 2 / weight), 0.0)
