"""The one loop: a generator of iterates, and the path that records them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter

import numpy as np

from gd_regressor.arithmetic.doubled import Point, column_products, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.descent.nouns import (
    ByValues,
    Loss,
    Metric,
    Path,
    Penalty,
    Problem,
    Quadratic,
    QuadraticProblem,
    Step,
)
from gd_regressor.descent.records import Bound, Iterate, Records


def trapezium(before: Iterate, here: Iterate) -> np.ndarray:
    """(t,): by how much a quadratic falls between two points, by the trapezium rule.

    It is exact on a quadratic. The difference of the losses would have their rounding.
    """
    slopes = before.gradient + here.gradient
    return column_products(slopes, plain(before.theta - here.theta)) / 2


@frozen
class Smooth(QuadraticProblem):
    """A quadratic loss in a metric: the direction is P times the gradient."""

    loss: Quadratic
    metric: Metric

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        return self.loss.value_and_gradient(theta)

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        return self.metric.apply(gradient)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        return self.loss.hessian_product(direction)

    def decrease(self, before: Iterate, here: Iterate) -> np.ndarray:
        return trapezium(before, here)

    @property
    def gap_is(self) -> Bound:
        return self.metric.gap_is

    def gap(self, here: Iterate) -> np.ndarray:
        """(t,): what one step of 1 / steepness lowers F by (the descent lemma)."""
        return np.maximum(here.slope, 0.0) / (2 * self.metric.steepness)


@frozen
class Composite(Problem):
    """A quadratic loss and a penalty: F is their sum, and the gradient that of the loss alone.

    The direction is the gradient, in coordinates in which a step of 1 / L suits all of them. Where
    the columns lie about their `means` and not about zero, the best intercept moves with w.
    """

    loss: Quadratic
    penalty: Penalty
    means: np.ndarray  # (d,): of the columns, in the coordinates of the loss
    gram: np.ndarray | None = None  # (d, d): mean products of centred columns, where known

    @property
    def gap_is(self) -> Bound:
        return Bound.AT_MOST

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = self.loss.value_and_gradient(theta)
        return value + self.penalty.value(self._coefficients(theta)), gradient

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        return gradient

    def decrease(self, before: Iterate, here: Iterate) -> np.ndarray:
        old, new = (self._coefficients(i.theta) for i in (before, here))
        return trapezium(before, here) + self.penalty.decrease(old, new)

    def gap(self, here: Iterate) -> np.ndarray:
        """(t,): twice the gap to the dual problem, and what the best intercept would take away."""
        w, d = self._coefficients(here.theta), self.penalty.n_columns
        square = here.loss - self.penalty.value(w)
        # The intercept is off by the mean residual. Without an intercept there is no such row
        off = here.gradient[d:].sum(axis=0) / -2
        v = here.gradient[:d] / -2 - np.multiply.outer(self.means, off)
        square = np.maximum(square - off**2, 0.0)
        return 2 * self.penalty.dual_gap(w, v, square, self.gram) + off**2

    def _coefficients(self, theta: Point) -> np.ndarray:
        return plain(theta)[: self.penalty.n_columns]


@frozen
class Convex(ByValues):
    """Any convex loss, and a penalty: F is their sum, and the gradient that of the loss alone."""

    loss: Loss
    penalty: Penalty  # of zero for none
    steepness: float  # the Lipschitz constant of F's gradient; infinite for none

    @property
    def gap_is(self) -> Bound:
        return Bound.AT_LEAST

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = self.loss.value_and_gradient(theta)
        return value + self.penalty.value(plain(theta)[: self.penalty.n_columns]), gradient

    def gap(self, here: Iterate) -> np.ndarray:
        """(t,): what one step of 1 / steepness lowers F by at least (the descent lemma)."""
        return here.slope / (2 * self.steepness)


def iterates(problem: Problem, start: Point, step: Step) -> Iterator[Iterate]:
    """Descend from `start` without end: w <- w - eta P grad F(w), with the momentum of `step`."""
    k, theta, state = 0, start, step.start(start)
    value, gradient = problem.value_and_gradient(theta)
    while True:
        here = Iterate(k, theta, value, gradient, problem.direction(gradient), state)
        yield here
        theta, value, gradient, state = step.next(state, here, problem)
        k += 1


class Walk(Path):
    """A path that we walk as far as asked. It keeps all losses, and the last iterate as `here`.

    Parameters of an earlier iterate cost a walk from the start, because all of them would fill the
    memory. `gradient` gives that of an iterate to a report, where iterates need not know their own.
    """

    def __init__(
        self,
        problem: Problem,
        start: Point,
        step: Step,
        gradient: Callable[[Iterate], np.ndarray] = attrgetter("gradient"),
    ) -> None:
        self._problem, self._start, self._step = problem, start, step
        self._gradient = gradient
        self.gap_is = problem.gap_is
        self._set_out()

    def _set_out(self) -> None:
        self._iterates = iterates(self._problem, self._start, self._step)
        self._losses: list[np.ndarray] = []
        self._decreases: list[np.ndarray] = []
        here = next(self._iterates)
        self._arrive(here, np.zeros(len(here.loss)))

    def _arrive(self, here: Iterate, decrease: np.ndarray) -> None:
        self.here = here
        self._losses.append(here.loss)
        self._decreases.append(decrease)
        self._newest = Records(
            here.loss[None], decrease[None], lambda: self._problem.gap(here)[None]
        )

    def _advance(self, k: int) -> None:
        while self.here.k < k:
            before, here = self.here, next(self._iterates)
            self._arrive(here, self._problem.decrease(before, here))

    def needed(self, distance: np.ndarray) -> float:
        return np.nan

    def at(self, k: int) -> Point:
        if k < self.here.k:
            self._set_out()
        self._advance(k)
        return self.here.theta

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        thetas: list = [None] * len(ks)
        for i in np.argsort(ks, kind="stable"):
            thetas[i] = plain(self.at(int(ks[i])))
        return np.array(thetas), np.array([self._losses[k] for k in ks])

    def gradients(self, ks: np.ndarray) -> np.ndarray:
        found: list = [None] * len(ks)
        for i in np.argsort(ks, kind="stable"):
            self.at(int(ks[i]))
            found[i] = self._gradient(self.here)
        return np.array(found)

    def records(self, first: int, last: int) -> Records:
        self._advance(last)
        if first == self.here.k:
            return self._newest
        kept = slice(first, last + 1)
        losses, decreases = np.array(self._losses[kept]), np.array(self._decreases[kept])
        return Records(losses, decreases, partial(self._gaps, first, last))

    def _gaps(self, first: int, last: int) -> np.ndarray:
        """(m, t): gaps of iterates that the walk may have left, so they may cost it once more."""
        found = []
        for k in range(first, last + 1):
            self.at(k)
            found.append(self._newest.gaps[0])
        return np.array(found)


class Moved(Path):
    """A path from `start`, made of a path from zero on the residuals at `start`.

    With a good start the residuals are small. A walk on y itself would round y - X w at each
    iterate, and this rounding would show beside them.
    """

    def __init__(self, path: Path, start: np.ndarray) -> None:
        self._path, self._start = path, start
        self.gap_is = path.gap_is

    @property
    def minimum(self) -> np.ndarray | None:
        return self._path.minimum

    @property
    def stride(self) -> int:
        return self._path.stride

    def needed(self, distance: np.ndarray) -> float:
        return self._path.needed(distance)

    def at(self, k: int) -> Point:
        return self._start + self._path.at(k)

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        thetas, losses = self._path.points(ks)
        return self._start + thetas, losses

    def gradients(self, ks: np.ndarray) -> np.ndarray:
        return self._path.gradients(ks)

    def records(self, first: int, last: int) -> Records:
        return self._path.records(first, last)
