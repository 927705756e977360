"""The vertex of a quantile regression: from one to the next along edges, until none leads down.

A vertex interpolates p rows, its basis. The dual point d of all other rows is at a bound, by the
side of the row. That of the basis follows, and where it keeps its bounds the vertex is a minimum
(Koenker and Bassett 1978; the long steps along an edge are those of Barrodale and Roberts 1973).

Ties would let the walk turn in circles. So y has a symbolic perturbation, smaller than any number:
a second residual decides where the first is zero. Likewise a symbolic linear cost decides between
several minima. So the choice does not depend on the start.
"""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError, inv
from scipy.linalg import qr

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.robust.pinball import Pinball

# Residuals and dual points are zero, or at a bound, up to so many eps of their terms
VERTEX_ROUNDED_BY = 64
# Of a direction's largest product with a row: smaller ones would make a basis near singular
LEAST_PIVOT = 1e-10
# Pivots between two inversions
FRESH_AFTER = 64
# Rows for each parameter, among which we seek a basis
BASIS_CANDIDATES = 4
# Pivots for each parameter, before we give up
MOST_PIVOTS = 200


class NoMinimum(Exception):
    """The linear term pulls further than the rows hold: the globs were wrong."""


def some_basis(problem: Pinball, freedom: np.ndarray) -> np.ndarray:
    """Independent rows (p,), the freest first."""
    A, p = problem.A, problem.A.shape[1]
    size = np.sqrt(np.einsum("ij,ij->i", A, A))
    free = np.sqrt(np.maximum(np.nan_to_num(freedom), 0.0)) * size
    few = np.argsort(-free, kind="stable")[: BASIS_CANDIDATES * p]
    # Wide ratios would hide that rows depend on each other
    floor = LEAST_PIVOT * float(free.max())
    for rows, weights in ((few, free[few] + floor), (np.arange(len(A)), free * 0 + 1)):
        unit = A[rows] / np.where(size[rows] > 0, size[rows], 1.0)[:, None]
        order = qr((unit * weights[:, None]).T, mode="r", pivoting=True, check_finite=False)[1]
        basis = rows[order[:p]]
        with np.errstate(all="ignore"):
            sound = len(basis) == p and np.linalg.cond(A[basis]) < LEAST_PIVOT / EPS**1.5
        if sound:
            break
    return basis


class Vertex:
    """Where the walk is: a basis, the sides of all other rows, and what follows from them."""

    def __init__(self, problem: Pinball, basis: np.ndarray) -> None:
        n, p = problem.A.shape
        random = np.random.default_rng(0)
        self._problem, self.basis = problem, np.array(basis)
        self._y = np.column_stack([problem.y, random.uniform(1, 2, n)])
        self._cost = np.random.default_rng(0).uniform(1, 2, p)
        self._widest = problem.widest()
        self._low, self._high = problem.low, problem.high
        self._width = problem.high - problem.low
        self._refresh()

    def descend(self) -> Vertex:
        """Go to the minimum. Raises NoMinimum if there is none, or if we cannot find it."""
        fresh, pivots = 0, 0
        while True:
            leaving = self._leaving()
            if leaving is None and fresh == 0:
                return self
            if leaving is None or fresh >= FRESH_AFTER:
                self._refresh()
                fresh = 0
                continue
            try:
                self._pivot(*leaving)
            except NoMinimum:
                if fresh == 0:
                    raise
                fresh = FRESH_AFTER  # rounding of the pivots before may have hidden a row
                continue
            fresh, pivots = fresh + 1, pivots + 1
            if pivots > MOST_PIVOTS * (len(self.basis) + 1):
                raise NoMinimum

    @property
    def theta(self) -> np.ndarray:
        """(p,)."""
        return self._theta[:, 0]

    @property
    def d(self) -> np.ndarray:
        """(n,): the dual point, within its bounds."""
        return np.clip(self._d, self._low, self._high)

    def _refresh(self) -> None:
        """All that follows from the basis, without the rounding of the pivots before."""
        problem, basis = self._problem, self.basis
        try:
            self._inverse = inv(problem.A[basis])
        except LinAlgError:
            raise NoMinimum from None
        # Beyond this the inverse is noise. Neither the size of a row nor the units of y count
        if not (np.abs(self._inverse) @ np.abs(problem.A[basis])).max() < 1 / EPS:
            raise NoMinimum
        theta = self._inverse @ self._y[basis]
        rest = self._y[basis] - problem.A[basis] @ theta
        self._theta = theta + self._inverse @ rest
        self._r = self._y - problem.fitted(self._theta)
        size = np.abs(self._y[:, 0]) + self._widest * np.abs(self._theta[:, 0]).sum()
        self._noise = VERTEX_ROUNDED_BY * EPS * size
        self._r[basis] = 0.0
        self._zero_small()
        above = np.where(self._r[:, 0] != 0, self._r[:, 0] > 0, self._r[:, 1] > 0)
        self._d = np.where(above, self._high, self._low)
        self._d[basis] = 0.0
        self._pull = problem.right - problem.pulls(self._d)
        self._terms = problem.terms(self._d)

    def _zero_small(self) -> None:
        self._r[np.abs(self._r[:, 0]) <= self._noise, 0] = 0.0

    def _leaving(self) -> tuple[int, float, float, float, float] | None:
        """Which row leaves the basis: its place, side, the slopes along its edge, and their noise.

        It is the row whose dual point is furthest beyond its bound.
        """
        basis, inverse = self.basis, self._inverse
        d, e = self._pull @ inverse, self._cost @ inverse
        self._d[basis] = d
        low, high = self._low[basis], self._high[basis]
        noise = VERTEX_ROUNDED_BY * EPS * (self._terms @ np.abs(inverse) + high - low)
        over = np.maximum(d - high, low - d)
        side = np.where(d - high > low - d, -1.0, 1.0)
        worst = over > noise
        if not worst.any():
            worst = (over >= -noise) & (side * e < -EPS * (self._cost @ np.abs(inverse)))
            if not worst.any():
                return None
        length = np.sqrt(np.einsum("ij,ij->j", inverse, inverse))
        gain = np.where(worst, np.maximum(over, noise) / length, -1.0)
        j = int(gain.argmax())
        return j, float(side[j]), max(float(over[j]), 0.0), float(side[j] * e[j]), float(noise[j])

    def _pivot(self, j: int, side: float, over: float, cost: float, noise: float) -> None:
        """Along the edge on which row j of the basis leaves, to where F rises again."""
        A, basis = self._problem.A, self.basis
        v = self._problem.fitted(side * self._inverse[:, j])
        v[basis] = 0.0
        r, s = self._r[:, 0], self._r[:, 1]
        toward = np.where(r != 0, r, s) * v > 0
        rows = np.flatnonzero(toward & (np.abs(v) > LEAST_PIVOT * np.abs(v).max(initial=0.0)))
        if over <= noise and cost < 0:
            over = 0.0
        rows, entering = self._first_rise(rows, v, (over, cost, noise))
        t = r[entering] / v[entering], s[entering] / v[entering]
        self._r -= np.multiply.outer(v, t)
        self._zero_small()
        before = self._d[rows]
        after = np.where(before == self._high[rows], self._low[rows], self._high[rows])
        self._pull = self._pull - (after - before) @ A[rows]
        self._d[rows] = after
        gone = basis[j]
        self._d[gone] = self._high[gone] if side < 0 else self._low[gone]
        self._pull = self._pull + self._d[entering] * A[entering] - self._d[gone] * A[gone]
        self._r[gone] = -side * t[0], -side * t[1]
        self._r[entering] = 0.0
        row = A[entering] @ self._inverse
        pivot = row[j]
        row[j] -= 1.0
        self._inverse -= np.multiply.outer(self._inverse[:, j] / pivot, row)
        basis[j] = entering

    def _first_rise(
        self, rows: np.ndarray, v: np.ndarray, slope: tuple[float, float, float]
    ) -> tuple[np.ndarray, int]:
        """Rows that change their sides on the way, and the row at which F rises again."""
        over, cost, noise = slope
        t, tie = self._r[rows, 0] / v[rows], self._r[rows, 1] / v[rows]
        rises = self._width[rows] * np.abs(v[rows])
        few = len(rows)
        if few > FRESH_AFTER:  # most rows are too far away: sort near ones only
            order = np.argsort(t)
            enough = int(np.searchsorted(np.cumsum(rises[order]), over + 2 * noise)) + 1
            last = t[order[min(enough, few - 1)]]
            near = np.flatnonzero(t <= last)
            rows, t, tie, rises = rows[near], t[near], tie[near], rises[near]
        order = np.argsort(t)
        k = self._rise(rises[order], slope)
        at = t[order[k]]
        # Rows that cross here but for rounding: the second residuals say which is first
        tied = np.abs(self._r[rows, 0] - at * v[rows]) <= self._noise[rows]
        first = ~tied & (t < at)
        tied = np.flatnonzero(tied)
        tied = tied[np.argsort(tie[tied])]
        if len(tied) > 1:
            k = self._rise(rises[tied], (over - rises[first].sum(), cost, noise))
        else:
            k = 0
        return np.concatenate([rows[first], rows[tied[:k]]]), int(rows[tied[k]])

    @staticmethod
    def _rise(rises: np.ndarray, slope: tuple[float, float, float]) -> int:
        """After which of these rows F rises."""
        over, cost, noise = slope
        rest = np.cumsum(rises) - over
        rising = (rest > noise) | ((np.abs(rest) <= noise) & (cost >= 0))
        if not rising.any():
            raise NoMinimum
        return int(rising.argmax())
