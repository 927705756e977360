"""Newton's descent on a loss with a second derivative, to the least F, with a bound for the gap.

A step goes to the minimum of a parabola, in which each row follows the tangent of its psi. There
the tangents are a dual point that balances the columns. So each whole step bounds the distance from
the minimum, by the terms of Fenchel and Young.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.objective.on_rows_curved import Bend, CurvedRows
from gd_regressor.robust.shortest import shortest

# A step is long enough if F falls by this share of what the parabola promised (Armijo 1966)
LONG_ENOUGH = 1e-4
# The proximal term, in the metric of all rows: where it begins, ends, and how it changes
TERM_BEGINS, TERM_ENDS, TERM_CHANGES_BY = 1e-2, 1e-6, 10.0
# Shares of a step that a line search tries, all in one pass
SHARES_TRIED = 3.0 ** -np.arange(1.0, 13.0)
# F is rounded to so many eps, and a gradient to so many eps of its terms
F_ROUNDED_BY = 16
# So many steps in a row that find no smaller F: with terms from TERM_BEGINS on they cover all sizes
MOST_FAILED = 12
# A stage need not come nearer than this share of F, and takes so many steps at most
STAGE_ENDS, MOST_STAGE_STEPS = 0.1, 20


@dataclass(frozen=True)
class At:
    """Where one target is."""

    theta: np.ndarray  # (p,)
    loss: float
    gradient: np.ndarray  # (p,): of F
    hessian: np.ndarray  # (p, p): of F
    gap: float  # F is at most so far above its minimum
    term: float = 0.0  # of the proximal term
    at_rest: bool = False  # whether rounding is all that is left
    failures: int = 0  # steps in a row that found no smaller F


@frozen
class Descent:
    """The descent of all targets on one table."""

    rows: CurvedRows
    gram: np.ndarray  # (p, p): mean x x' of all rows
    free: np.ndarray  # (q,): the coordinates that move
    ridge: np.ndarray  # (p, t): F has the sum of ridge theta^2

    def begin(self, theta: np.ndarray) -> list[At]:
        """At a point (p, t), from which steps can go on."""
        bends = self.rows.bends(theta, theta, np.arange(theta.shape[1]))
        return [self._at(j, theta[:, j], bend) for j, bend in enumerate(bends)]

    def through(self, stages: list[Descent], theta: np.ndarray) -> list[At]:
        """Near the minimum, from a point (p, t), by way of other losses to this one."""
        here = []
        for stage in (*stages, self):
            here = stage.begin(theta)
            for _ in range(MOST_STAGE_STEPS):
                before, here = here, stage.step(here)
                pairs = zip(before, here, strict=True)
                if all(b.at_rest or a.loss - b.loss <= STAGE_ENDS * b.loss for a, b in pairs):
                    break
            theta = theta_of(here)
        return here

    def step(self, here: list[At]) -> list[At]:
        """A step of each target that is not at rest. It moves, or it comes to rest."""
        after = here
        while True:
            pairs = enumerate(zip(here, after, strict=True))
            wait = [j for j, (was, at) in pairs if not at.at_rest and at.theta is was.theta]
            if not wait:
                return after
            after = self._tried(after, np.array(wait))  # with the terms of earlier failures

    def _tried(self, here: list[At], moving: np.ndarray) -> list[At]:
        """The targets after a step of some, or where they are, with another proximal term."""
        moves = {j: self.move(j, here[j]) for j in moving.tolist()}
        before = theta_of(here)[:, moving]
        theta = before + np.stack([step for step, _ in moves.values()], axis=1)
        bends, after = self.rows.bends(theta, before, moving), list(here)
        for j, point, bend in zip(moving.tolist(), theta.T, bends, strict=True):
            at, (step, term) = here[j], moves[j]
            new = self._at(j, point, bend, at, bound=term == 0)
            promised, falls = -float(at.gradient @ step) / 2, at.loss - new.loss
            rounding = F_ROUNDED_BY * EPS * at.loss
            # Where a step is too long, the bound that it gave is worth as much, but for rounding
            gap = max(new.gap + falls, 0.0) + F_ROUNDED_BY * EPS * max(at.loss, new.loss)
            stays = replace(at, gap=min(at.gap, gap))
            if promised <= rounding:
                # A proximal term makes a step short, and F may still fall without one
                rests = replace(new if falls >= -rounding else stays, at_rest=True)
                new = replace(stays, term=0.0) if at.term else rests
            elif not falls > LONG_ENOUGH * promised:
                new = self._shortened(j, stays, step, term)
            after[j] = new
        return after

    def _at(
        self, j: int, theta: np.ndarray, bend: Bend, before: At | None = None, *, bound=False
    ) -> At:
        ridge = self.ridge[:, j]
        loss = bend.value + float(ridge @ theta**2)
        gradient = 2 * ridge * theta - bend.slope
        hessian = bend.hessian + np.diag(2 * ridge)
        gap, term = loss, 0.0  # F is not below zero
        if before is not None:
            falls = before.loss - loss
            gap = min(gap, max(before.gap - falls, 0.0) + F_ROUNDED_BY * EPS * before.loss)
            term = before.term / TERM_CHANGES_BY if before.term > TERM_ENDS else 0.0
        if bound:
            gap = min(gap, bend.young)
        return At(theta, loss, gradient, hessian, gap, term)

    def move(self, j: int, at: At) -> tuple[np.ndarray, float]:
        """The step (p,), and the proximal term that it needed."""
        free = np.ix_(self.free, self.free)
        hessian, metric = at.hessian[free], 2 * self.gram[free]
        step, right, term = np.zeros(len(at.theta)), -at.gradient[self.free], at.term
        while True:
            matrix = hessian + term * metric if term else hessian
            # The mean of psi^2 is at most 4 F for each loss that bends
            found = _solution(matrix, right, metric, 2 * np.sqrt(at.loss))
            if found is not None or not len(right):
                break
            term = max(TERM_CHANGES_BY * term, TERM_ENDS)
            if term > 1:  # the metric itself is not definite
                found = np.zeros(len(right))
                break
        step[self.free] = right if found is None else found
        return step, term

    def _shortened(self, j: int, at: At, step: np.ndarray, term: float) -> At:
        """A part of a step that was too long, and a larger term for the next one."""
        term = max(TERM_CHANGES_BY * term, TERM_BEGINS)
        points = at.theta[:, None] + step[:, None] * SHARES_TRIED
        losses = self.rows.values(points, j) + self.ridge[:, j] @ points**2
        best = int(losses.argmin())
        if losses[best] < at.loss:
            point = points[:, [best]]
            (bend,) = self.rows.bends(point, point, np.array([j]))
            new = self._at(j, point[:, 0], bend, at)
            if new.loss < at.loss:
                return new
        failures = at.failures + 1
        return replace(at, term=term, failures=failures, at_rest=failures >= MOST_FAILED)


def _solution(
    matrix: np.ndarray, right: np.ndarray, metric: np.ndarray, spread: float
) -> np.ndarray | None:
    """The solution of definite equations; the shortest one of others; None where there is none."""
    if not len(right):
        return None
    size = np.sqrt(np.maximum(metric.diagonal() + matrix.diagonal(), SMALLEST_DIVISOR))
    unit, scaled = matrix / size / size[:, None], right / size
    root, failed = lapack.dpotrf(unit, lower=1, clean=0)
    least = len(right) * EPS
    if not failed and (root.diagonal() ** 2 > least).all():
        return lapack.dpotrs(root, scaled, lower=1)[0] / size
    found = shortest(unit, scaled[:, None], least * SMALLEST_DIVISOR, np.array([spread]))
    return None if found is None else found[:, 0] / size


def theta_of(here: list[At]) -> np.ndarray:
    """(p, t): the point of all targets."""
    return np.stack([at.theta for at in here], axis=1)
