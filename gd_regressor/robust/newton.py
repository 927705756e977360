"""Newton: from piece to piece of Huber's loss, to the least F, with a bound for the distance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.objective.on_rows_clipped import Clipped, Spot, Sums
from gd_regressor.robust.pieces import Move, Piece, Sizing
from gd_regressor.robust.shortest import shortest

# A step is long enough if F falls by this share of what the piece promised (Armijo 1966)
FAR_ENOUGH = 1e-4
# The proximal term, in the metric of all rows: where it begins, and how it changes
FIRST_TERM, SMALLEST_TERM, TERM_CHANGES = 1e-2, 1e-6, 10.0
# Shares of a step that a line search tries, all in one pass
STEP_SHARES = 3.0 ** -np.arange(1.0, 13.0)
# F is rounded to so many eps, and a difference of two means of products to so many of them
ROUNDED_BY = 16
# So many steps in a row that find no smaller F: with terms from FIRST_TERM on they cover all sizes
MOST_FAILURES = 12
# After a step that moves no row by more than so many delta, the next may turn no row. It is about
# so many times shorter
SHORT_STEP = 10


@frozen
class RowsInside:
    """The rows inside: H is their mean x x'. Steps on which no row turns share H and its root."""

    matrix: np.ndarray  # (p, p)
    gram: np.ndarray  # (p, p): the same of all rows
    free: np.ndarray  # (q,): the coordinates that move

    def without(self, gone: np.ndarray | None) -> RowsInside:
        """The same after rows with these products (p, p) went outside. We write over them."""
        return self if gone is None else replace(self, matrix=np.subtract(self.matrix, gone, gone))

    def of_free(self, matrix: np.ndarray) -> np.ndarray:
        """(q, q): the part of the free coordinates."""
        return matrix if len(self.free) == len(matrix) else matrix[np.ix_(self.free, self.free)]

    @cached_property
    def root(self) -> np.ndarray | None:
        """(q, q): the Cholesky factor of H in the free coordinates.

        None if H is singular up to rounding.
        """
        return self.root_of(self.of_free(self.matrix).copy())

    def root_of(self, matrix: np.ndarray) -> np.ndarray | None:
        """The same for H plus a ridge or a proximal term. We write over `matrix`."""
        # The transpose is the same matrix, in the order in which LAPACK needs no copy
        root, failed = lapack.dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
        # A pivot that is rounding of the difference of two sums is no pivot
        least = ROUNDED_BY * len(matrix) * EPS * self.sizes
        return None if failed or not (root.diagonal() ** 2 > least).all() else root

    @property
    def sizes(self) -> np.ndarray:
        """(q,): the mean squares of the free coordinates over all rows."""
        return np.maximum(self.gram.diagonal()[self.free], SMALLEST_DIVISOR)


@dataclass(frozen=True)
class There:
    """Where one target is."""

    theta: np.ndarray  # (p,)
    delta: float
    loss: float
    gradient: np.ndarray  # (p,): of F
    sums: Sums
    inside: RowsInside
    gap: float  # F is at most so far above its minimum
    term: float = 0.0  # of the proximal term
    at_rest: bool = False  # whether rounding is all that is left
    failures: int = 0  # steps in a row that found no smaller F


@frozen
class Newton:
    """The descent of all targets on one table."""

    rows: Clipped
    sizings: tuple[Sizing, ...]  # one for each target
    gram: np.ndarray  # (p, p): mean x x' of all rows
    free: np.ndarray  # (q,): the coordinates that move
    ridge: np.ndarray  # (p, t)

    @property
    def n_columns(self) -> int:
        """The number of coefficients. An intercept is behind them."""
        return len(self.rows.square.frame.scale)

    def begin(self, spot: Spot) -> list[There]:
        """At a point, from which steps can go on."""
        before = Spot(spot.theta, np.full_like(spot.delta, np.inf))
        return self._first(spot, before, np.zeros_like(spot.theta))

    def _first(self, spot: Spot, before: Spot, outer: np.ndarray | None = None) -> list[There]:
        everybody = RowsInside(self.gram, self.gram, self.free)
        return [
            self._there(j, spot.theta[:, j], float(spot.delta[j]), sums, everybody)
            for j, sums in enumerate(self.rows.sums(spot, before, outer))
        ]

    def resumed(self, there: list[There], delta: np.ndarray) -> list[There]:
        """At the same points with other deltas (t,), after the steps of another descent."""
        before = spot_of(there)
        found = self.rows.sums(Spot(before.theta, delta), before, _outer_of(there))
        return [
            self._there(j, at.theta, float(delta[j]), found[j], at.inside)
            for j, at in enumerate(there)
        ]

    def value_at_zero(self, delta: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """F (t,) at coefficients of zero, without a look at the columns."""
        means = self.rows.of_targets().mean_huber(Spot(intercept[None], delta))
        sizes = zip(self.sizings, means, delta, strict=True)
        return np.array([sizing.value(0.0, mean, 0.0, size) for sizing, mean, size in sizes])

    def value_and_gradient(self, spot: Spot) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t)."""
        there = self._first(spot, spot)  # no row changes its side, so no products are made
        gradients = [at.gradient for at in there]
        return np.array([at.loss for at in there]), np.stack(gradients, axis=1)

    def error_left(self, there: list[There]) -> float:
        """Relative error that rounding leaves in the coefficients, about: the next step.

        With tol the descent can end before that. Then F would still fall by more than rounding, so
        the next step tells nothing of the digits that rounding leaves.
        """
        errors = [0.0]
        for j, at in enumerate(there):
            move = self._move(j, at)
            if move.drop <= ROUNDED_BY * EPS * at.loss:
                size = float(np.linalg.norm(at.theta[self.free]))
                errors.append(float(np.linalg.norm(move.step)) / max(size, at.delta))
        return max(errors)

    def step(self, there: list[There]) -> list[There]:
        """A step of each target that is not at rest. It moves, or it comes to rest."""
        after = there
        while True:
            pairs = zip(there, after, strict=True)
            wait = [not now.at_rest and now.sums is was.sums for was, now in pairs]
            if not any(wait):
                return after
            # Others stay, while those that found no smaller F try with larger terms
            pairs = list(zip(wait, after, strict=True))
            tried = self._tried([at if due else replace(at, at_rest=True) for due, at in pairs])
            after = [new if due else at for new, (due, at) in zip(tried, pairs, strict=True)]

    def _tried(self, there: list[There]) -> list[There]:
        """The targets after a step, or where they are, with another proximal term."""
        moves = [self._move(j, at) for j, at in enumerate(there)]
        trial = self._moved(there, moves)
        known = self._known(there, moves, trial)
        if known is not None:
            return known
        found = self.rows.sums(trial, spot_of(there), _outer_of(there))
        after, long = [], []
        for j, (at, move, sums) in enumerate(zip(there, moves, found, strict=True)):
            new = self._there(j, trial.theta[:, j], float(trial.delta[j]), sums, at.inside, at)
            if move.term == 0:
                new = self._bounded(j, new, sums)
            falls, rounding = at.loss - new.loss, ROUNDED_BY * EPS * at.loss
            # Where a step is too long, the bound that it gave is worth as much, but for rounding
            gap = max(new.gap + falls, 0.0) + ROUNDED_BY * EPS * max(at.loss, new.loss)
            stays = replace(at, gap=min(at.gap, gap))
            if at.at_rest:
                new = at
            elif move.drop <= rounding:
                # A proximal term makes a step short, and F may still fall without one
                rests = replace(new if falls >= -rounding else stays, at_rest=True)
                new = replace(stays, term=0.0) if at.term else rests
            elif falls <= FAR_ENOUGH * move.drop:
                long.append(j)
                new = stays
            after.append(new)
        return self._shortened(there, after, moves, trial, long) if long else after

    def _known(self, there: list[There], moves: list[Move], trial: Spot) -> list[There] | None:
        """The targets after a whole step on which no row turns: their pieces tell. Else None.

        n times the mean of (x's)^2 is above the square of each x's. So far a step s can move a row,
        and only the rows at the border need a look.
        """
        after = []
        for j, (at, move) in enumerate(zip(there, moves, strict=True)):
            step, sums = trial.theta[:, j] - at.theta, at.sums
            if at.at_rest:
                after.append(at)
                continue
            far = math.sqrt(sums.rows * self._size(step)) + abs(move.delta - at.delta)
            if move.term or sums.border is None or sums.sides is None or not far <= sums.reach:
                return None
            numbers, apart = sums.border
            where = numbers[apart <= far].astype(np.intp)
            if len(where) and (self.rows.sides(where, trial)[j] != sums.sides[where]).any():
                return None
            sums = sums.after(step, at.inside.matrix @ step, move.delta)
            new = self._there(j, trial.theta[:, j], move.delta, sums, at.inside, at)
            rests = move.drop <= ROUNDED_BY * EPS * at.loss
            after.append(replace(self._bounded(j, new, sums), at_rest=rests))
        return after

    def _size(self, step: np.ndarray) -> float:
        """The mean of (x's)^2 over all rows, and its rounding."""
        rounding = (
            len(step)
            * np.finfo(self.rows.square.rows.dtype).eps
            * (np.abs(step) @ np.sqrt(self.gram.diagonal())) ** 2
        )
        return max(float(step @ self.gram @ step), 0.0) + float(rounding)

    def _shortened(
        self,
        there: list[There],
        after: list[There],
        moves: list[Move],
        trial: Spot,
        long: list[int],
    ) -> list[There]:
        """The same for targets whose step was too `long`: a part of it, and a larger term."""
        here = spot_of(there)
        means = self.rows.between(here, trial, STEP_SHARES)
        theta, delta, *_ = spot_of(after)
        for j in long:
            move = trial.theta[:, j] - here.theta[:, j]
            wide = here.delta[j] + STEP_SHARES * (trial.delta[j] - here.delta[j])
            points = here.theta[:, [j]] + STEP_SHARES * move[:, None]
            outside, square, beyond = means[:, :, j].T
            losses = self.sizings[j].value(outside, square, beyond, wide)
            losses = losses + self.ridge[:, j] @ points**2
            best = int(losses.argmin())
            if losses[best] < there[j].loss:
                theta[:, j], delta[j] = points[:, best], wide[best]
        found = self.rows.sums(Spot(theta, delta), spot_of(after), _outer_of(after))
        for j in long:
            at, term = after[j], max(TERM_CHANGES * moves[j].term, FIRST_TERM)
            new = self._there(j, theta[:, j], float(delta[j]), found[j], at.inside, at)
            failures = at.failures + 1
            stays = replace(at, failures=failures, at_rest=failures >= MOST_FAILURES)
            after[j] = replace(new if new.loss < at.loss else stays, term=term)
        return after

    def _there(
        self,
        j: int,
        theta: np.ndarray,
        delta: float,
        sums: Sums,
        inside: RowsInside,
        before: There | None = None,
    ) -> There:
        ridge, size = self.ridge[:, j], self.sizings[j]
        loss = size.value(sums.outside, sums.square, sums.beyond, delta) + ridge @ theta**2
        gradient = size.slope(sums, delta) + 2 * ridge * theta
        gap = loss  # F is not below zero
        term = 0.0
        if before is not None:
            falls = before.loss - loss
            gap = min(gap, max(before.gap - falls, 0.0) + ROUNDED_BY * EPS * before.loss)
            term = before.term / TERM_CHANGES if before.term > SMALLEST_TERM else 0.0
        return There(
            theta,
            delta,
            float(loss),
            gradient,
            sums._replace(change=None),  # `without` writes its result over the change
            inside.without(sums.change),
            gap,
            term,
        )

    def _bounded(self, j: int, at: There, sums: Sums) -> There:
        """The same after a whole step, which gives a dual point."""
        ridge = float(self.ridge[:, j] @ at.theta**2)
        gap = max(self.sizings[j].gap(sums, at.delta, ridge), 0.0)
        return replace(at, gap=min(at.gap, gap))

    def _move(self, j: int, at: There) -> Move:
        free, ridge = self.free, self.ridge[self.free, j]
        sums = at.sums._replace(inner=at.sums.inner[free], outer=at.sums.outer[free])
        factor = _Solver(at.inside, ridge, at.term)
        piece = Piece(at.theta[free], at.delta, sums, ridge, factor)
        move = self.sizings[j].move(piece)
        return move._replace(term=factor.term)

    def _moved(self, there: list[There], moves: list[Move]) -> Spot:
        theta, delta, *_ = spot_of(there)
        reach = np.zeros(len(delta))
        for j, (at, move) in enumerate(zip(there, moves, strict=True)):
            if not at.at_rest:
                theta[self.free, j] += move.step
                delta[j] = move.delta
                size = self._size(theta[:, j] - at.theta)
                far = math.sqrt(at.sums.rows * size)
                if far <= SHORT_STEP * delta[j]:
                    reach[j] = min(far, delta[j]) / SHORT_STEP
        return Spot(theta, delta, reach=reach)


class _Solver:
    """Solves (H + sigma Lambda + term M) s = right. The term grows until a solution exists."""

    def __init__(self, inside: RowsInside, ridge: np.ndarray, term: float) -> None:
        self._inside, self._ridge, self._has_ridge = inside, ridge, bool(ridge.any())
        self.term = term

    def __call__(self, sigma: float, right: np.ndarray, spread: np.ndarray) -> np.ndarray:
        if not len(right):
            return right
        while True:
            root = self._root(sigma)
            if root is not None:
                return lapack.dpotrs(root, right, lower=1)[0]
            if not self.term:
                found = self._shortest(sigma, right, spread)
                if found is not None:
                    return found
            self.term = max(TERM_CHANGES * self.term, SMALLEST_TERM)

    def _root(self, sigma: float) -> np.ndarray | None:
        inside, term = self._inside, self.term
        if not (term or self._has_ridge):
            return inside.root
        matrix = inside.of_free(inside.matrix)
        matrix = matrix + term * inside.of_free(inside.gram) if term else matrix.copy()
        diagonal = matrix.ravel()[:: len(matrix) + 1]
        diagonal += sigma * self._ridge
        if term > 1:  # the metric itself is not definite
            diagonal += term * EPS * len(matrix) * inside.sizes
        return inside.root_of(matrix)

    def _shortest(self, sigma: float, right: np.ndarray, spread: np.ndarray) -> np.ndarray | None:
        """The shortest solution in the units of the columns. None if there is none."""
        ridge, matrix = sigma * self._ridge, self._inside.of_free(self._inside.matrix)
        size = np.sqrt(self._inside.sizes + ridge)[:, None]
        unit = (matrix + np.diag(ridge)) / size / size.T
        found = shortest(unit, right / size, ROUNDED_BY * len(unit) * EPS, spread)
        return None if found is None else found / size


def spot_of(there: list[There]) -> Spot:
    """The point of all targets."""
    theta, delta = np.stack([at.theta for at in there], axis=1), [at.delta for at in there]
    sides = [at.sums.sides for at in there if at.sums.sides is not None]
    return Spot(theta, np.array(delta), np.stack(sides) if sides else None)


def _outer_of(there: list[There]) -> np.ndarray:
    """(p, t): the means x sign(r) of the rows outside."""
    return np.stack([at.sums.outer for at in there], axis=1)
