"""Huber's loss over a table: the sums that Newton's steps and a dual bound need, in one pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product
from gd_regressor.data.table import Rows, add_each
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss

# BLAS multiplies a block of so many columns by FEW_VECTORS vectors in the time of one
NARROW_BLOCK, FEW_VECTORS = 100, 2
# Rows whose products we make at once
PRODUCTS_AT_ONCE = 2048


class Spot(NamedTuple):
    """A point, and the residuals from which rows count as outliers there."""

    theta: np.ndarray  # (p, t)
    delta: np.ndarray  # (t,); infinite if no row is an outlier


class Sums(NamedTuple):
    """Weighted means over the rows for one target: r residuals, x columns, h the dual point.

    Rows with |r| > delta are outside. The dual point has one h for each row: delta sign(r), of the
    r before, if the row was outside before; else r.
    """

    outside: float  # the share of rows outside
    square: float  # r^2 of the rows inside
    beyond: float  # |r| of the rows outside
    inner: np.ndarray  # (p,): x r of the rows inside
    outer: np.ndarray  # (p,): x sign(r) of the rows outside
    change: np.ndarray  # (p, p): x x' of rows that went outside, less those that came inside
    moved: float  # the share of these rows
    # (r - h)^2 - max(|r| - delta, 0)^2, which is zero for a row that stayed on its side
    young: float
    across: float  # r h
    dual: float  # h^2
    widest: float  # the largest |r| of rows that were inside before and no longer are

    def huber(self, delta: float) -> float:
        """The mean of Huber's loss."""
        return self.square + delta * (2 * self.beyond - delta * self.outside)


@frozen
class Clipped:
    """The rows of a table, whose residuals are clipped at some delta, in passes over them."""

    square: DataLoss  # the squared loss of the same rows, in the same coordinates

    def sums(self, here: Spot, before: Spot) -> list[Sums]:
        """What the rows say of each target, and which rows changed sides since `before`.

        Both points are in one product with the columns, so no side has to be kept for each row.
        """
        t, d = len(here.delta), len(self.square.frame.scale)
        reader, deltas = self._reader(here, before), (here.delta, before.delta)

        def of_part(part: Rows):
            totals = _Totals(d, *deltas, sparse=part.is_sparse)
            for block in reader(part):
                totals.add(*block)
            return totals.finish()

        means, slopes, widest, *changes = self.square.rows.total(of_part, add_each)
        weight = self.square.rows.total_weight
        slopes, means = self.square.in_frame(slopes) / weight, means / weight
        found = []
        for j in range(t):
            change = self._in_frame(changes[j].products(d + 1))
            outside, square, beyond, moved, young, across, dual = means[:, j].tolist()
            found.append(
                Sums(
                    outside=outside,
                    square=square,
                    beyond=beyond,
                    inner=slopes[:, j],
                    outer=slopes[:, t + j],
                    change=change,
                    moved=moved,
                    young=young,
                    across=across,
                    dual=dual,
                    widest=float(widest.values[j]),
                )
            )
        return found

    def of_targets(self) -> Clipped:
        """The same targets beside no columns, but with an intercept."""
        rows, targets = self.square.rows.targets_only, self.square.frame.target_centre
        return Clipped(DataLoss(rows, Frame(np.empty(0), np.empty(0), targets, True)))

    def _in_frame(self, products: np.ndarray) -> np.ndarray:
        products = self.square.in_frame(self.square.in_frame(products).T)
        products /= self.square.rows.total_weight
        return products

    def between(self, here: Spot, there: Spot, shares: np.ndarray) -> np.ndarray:
        """(m, 3, t): `outside`, `square` and `beyond` at so many shares (m,) of the way."""
        t, m = len(here.delta), len(shares)
        reader = self._reader(here, there)
        deltas = here.delta + shares[:, None] * (there.delta - here.delta)

        def of_part(part: Rows):
            means = np.zeros((m, 3, t))
            for _, s, r, end in reader(part):
                weights = np.ones(r.shape[1]) if s is None else s
                for i, share in enumerate(shares):
                    size = np.abs(r + share * (end - r))
                    out = size > deltas[i][:, None]
                    means[i, 0] += out @ weights
                    means[i, 1] += np.where(out, 0.0, size) ** 2 @ weights
                    means[i, 2] += np.where(out, size, 0.0) @ weights
            return [means]

        (means,) = self.square.rows.total(of_part, add_each)
        return means / self.square.rows.total_weight

    def _reader(self, one: Spot, other: Spot):
        """A function that yields columns, weights and the residuals (t, m) at two points."""
        pairs = [self.square.unscaled(spot.theta) for spot in (one, other)]
        w = np.hstack([pair[0] for pair in pairs])
        (_, b), (_, c) = pairs
        blocks, centre, t = self.square.reader(), self.square.frame.target_centre, len(b)

        def residuals(part: Rows):
            for x, y, s in blocks(part):
                fitted = _times(x, w)
                target = np.ascontiguousarray(y.T) - centre[:, None]
                old = target - fitted[t:]
                old -= c[:, None]
                target -= fitted[:t]
                target -= b[:, None]
                yield x, s, target, old

        return residuals


class _Largest(NamedTuple):
    """Numbers whose sum is the largest of them."""

    values: np.ndarray

    def __add__(self, other):  # that of tuples would join them
        return _Largest(np.maximum(self.values, other.values))


class _Moved:
    """Rows that changed sides: those that wait for their products, and the products of others.

    A product of few rows takes the time in which its result is written. So rows wait until they are
    many, or all.
    """

    def __init__(self) -> None:
        self.waiting: tuple[list[np.ndarray], ...] = ([], [])  # went outside, came inside
        self.made: np.ndarray | None = None

    def joined(self, which: int, few: np.ndarray) -> _Moved:
        """With rows (m, d + 1) that wait, times the roots of their weights."""
        self.waiting[which].append(few)
        return self

    def __add__(self, other: _Moved) -> _Moved:
        both = _Moved()
        both.waiting = tuple(a + b for a, b in zip(self.waiting, other.waiting, strict=True))
        made = [each for each in (self.made, other.made) if each is not None]
        both.made = sum(made[1:], start=made[0]) if made else None
        due = [few for each in both.waiting for few in each]
        if sum(map(len, due)) >= PRODUCTS_AT_ONCE:
            p = due[0].shape[1]
            both.made, both.waiting = both.products(p), ([], [])
        return both

    def products(self, p: int) -> np.ndarray:
        """(p, p): the sum of x x' of rows that went outside, less those that came inside."""
        total = np.zeros((p, p)) if self.made is None else self.made
        for due, sign in zip(self.waiting, (1.0, -1.0), strict=True):
            if due:
                few = np.concatenate(due) if len(due) > 1 else due[0]
                total = total + sign * product(few.T, few)
        return total


def _beside_ones(x: Any, s: np.ndarray | None, rows: np.ndarray, *, sparse: bool) -> np.ndarray:
    """(m, d + 1): some rows and a column of ones, times the roots of the weights."""
    few = np.ones((len(rows), x.shape[1] + 1))
    few[:, :-1] = x[rows].toarray() if sparse else x[rows]
    if s is not None:
        few *= np.sqrt(s[rows])[:, None]
    return few


def _times(x: Any, w: np.ndarray) -> np.ndarray:
    """(m, k): the transpose of x w for few w (d, k)."""
    if w.shape[0] <= NARROW_BLOCK or w.shape[1] > FEW_VECTORS:
        return product(x, w).T
    return np.stack([product(x, np.ascontiguousarray(column)) for column in w.T])


def _times_transposed(x: Any, rows: np.ndarray) -> np.ndarray:
    """(d, k): x' times few rows (k, m)."""
    if x.shape[1] <= NARROW_BLOCK or len(rows) > FEW_VECTORS:
        return product(x.T, rows.T)
    return np.stack([product(x.T, row) for row in rows], axis=1)


class _Totals:
    """The sums over a part of the rows, so far."""

    def __init__(self, d: int, here: np.ndarray, before: np.ndarray, *, sparse: bool) -> None:
        t = len(here)
        self.means, self.widest = np.zeros((7, t)), np.zeros(t)
        self.slopes, self.changes = np.zeros((d + 1, 2 * t)), [_Moved() for _ in range(t)]
        self._delta, self._before, self._sparse = here.tolist(), before.tolist(), sparse

    def add(self, x: Any, s: np.ndarray | None, r: np.ndarray, old: np.ndarray) -> None:
        """Add a block: columns, weights, and residuals (t, m) here and before.

        Most rows are inside and stay there, so we look at few of them more than once.
        """
        t, m = r.shape
        pulls = np.empty((2 * t, m))
        for j in range(t):
            out, was = np.abs(r[j]) > self._delta[j], np.abs(old[j]) > self._before[j]
            self._add_pulls(j, r[j], s, np.flatnonzero(out), pulls[j], pulls[t + j])
            other = np.flatnonzero(out != was)
            if was.any():
                self._add_dual(j, r[j], old[j], s, np.flatnonzero(was))
            if len(other):
                self._add_moved(j, r[j][other], old[j][other], _chosen(s, other), was[other])
                for rows, which in ((other[~was[other]], 0), (other[was[other]], 1)):
                    if len(rows):
                        few = _beside_ones(x, s, rows, sparse=self._sparse)
                        self.changes[j] += _Moved().joined(which, few)
        self.slopes[:-1] += _times_transposed(x, pulls.astype(x.dtype, copy=False))
        self.slopes[-1] += pulls.sum(axis=1)

    def finish(self) -> list[Any]:
        """The sums, as values that add up."""
        return [self.means, self.slopes, _Largest(self.widest), *self.changes]

    def _add_pulls(self, j, r, s, outside, inner, sign) -> None:
        """The sums that F and its gradient need. Writes x's factors to `inner` and `sign`."""
        far, weights = r[outside], _chosen(s, outside)
        inner[:] = r
        inner[outside] = 0.0
        sign[:] = 0.0
        sign[outside] = np.sign(far) * weights
        weighted = inner if s is None else inner * s
        square = float(inner @ weighted)
        self.means[:3, j] += weights.sum(), square, weights @ np.abs(far)
        self.means[5:, j] += square  # h is r for rows inside before; `_add_moved` mends the others
        inner[:] = weighted

    def _add_dual(self, j, r, old, s, before) -> None:
        """The sums that the dual point needs of rows that were outside before."""
        weights, delta = _chosen(s, before), self._delta[j]
        along = r[before] * np.sign(old[before])
        self.means[5:, j] += delta * (weights @ along), delta**2 * weights.sum()
        # A row that is outside on the other side
        self.means[4, j] -= 4 * delta * (weights @ np.where(along < -delta, along, 0.0))

    def _add_moved(self, j, r, old, weights, was) -> None:
        """The sums that the dual point needs of rows that changed sides."""
        delta = self._delta[j]
        gone = np.where(was, 0.0, r)
        self.means[3, j] += weights.sum()
        self.means[4, j] += weights @ np.where(was, r - delta * np.sign(old), 0.0) ** 2
        self.means[4, j] -= weights @ np.maximum(np.abs(gone) - delta, 0.0) ** 2
        self.means[5:, j] += weights @ np.where(was, -(r**2), r**2)
        self.widest[j] = max(self.widest[j], float(np.abs(gone).max()))


def _chosen(s: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """The weights of some rows."""
    return np.ones(len(rows)) if s is None else s[rows]
