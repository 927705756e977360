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
# We make the products of so many rows for each column at once: that takes longer than to write them
ROWS_FOR_PRODUCTS = 4


class Spot(NamedTuple):
    """A point, and the residuals from which rows count as outliers there."""

    theta: np.ndarray  # (p, t)
    delta: np.ndarray  # (t,); infinite if no row is an outlier


class Sums(NamedTuple):
    """Weighted means over the rows for one target: r residuals, x columns, h the dual point.

    Rows with |r| > delta are outside. The dual point has one h for each row: delta sign(r), of the
    r before, if the row was outside before; else r. From an infinite delta no step came, and the
    last four are left open.
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


@frozen
class Clipped:
    """The rows of a table, whose residuals are clipped at some delta, in passes over them."""

    square: DataLoss  # the squared loss of the same rows, in the same coordinates

    def sums(self, here: Spot, before: Spot, outer: np.ndarray | None = None) -> list[Sums]:
        """What the rows say of each target, and which rows changed sides since `before`.

        Both points are in one product with the columns, so no side has to be kept for each row.
        `outer` (p, t) is that of `before`, to which the rows that changed add theirs. None asks for
        a product with all rows.
        """
        t, d = len(here.delta), len(self.square.frame.scale)
        reader, deltas = self._reader(here, before), (here.delta, before.delta)

        def of_part(part: Rows):
            totals = _Totals(d, *deltas, sparse=part.is_sparse, with_signs=outer is None)
            for block in reader(part):
                totals.add(*block)
            return totals.finish()

        means, slopes, widest, *changes = self.square.rows.total(of_part, add_each)
        weight = self.square.rows.total_weight
        slopes, means = self.square.in_frame(slopes) / weight, means / weight
        found = []
        for j, delta in enumerate(here.delta.tolist()):
            change, turned = self._in_frame(changes[j].products)
            beyond_it = slopes[:, t + j] if outer is None else outer[:, j] + turned
            outside, square, beyond, moved, young, across, dual = means[:, j].tolist()
            found.append(
                Sums(
                    outside=outside,
                    square=max(square, 0.0),
                    beyond=beyond,
                    inner=slopes[:, j] - (delta * beyond_it if outside else 0.0),
                    outer=beyond_it,
                    change=change,
                    moved=moved,
                    young=young,
                    across=across,
                    dual=dual,
                    widest=float(widest.values[j]),
                )
            )
        return found

    def mean_huber(self, here: Spot) -> np.ndarray:
        """(t,): the mean of Huber's loss."""

        def of_residual(r: np.ndarray) -> np.ndarray:
            inside = np.clip(r, -here.delta, here.delta)
            r *= 2
            r -= inside
            r *= inside
            return r

        return self.square.mean_over(here.theta, of_residual)

    def of_targets(self) -> Clipped:
        """The same targets beside no columns, but with an intercept."""
        rows, targets = self.square.rows.targets_only, self.square.frame.target_centre
        return Clipped(DataLoss(rows, Frame(np.empty(0), np.empty(0), targets, True)))

    def _in_frame(self, products: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """(p, p) and (p,): the mean products with each other, and with the signs."""
        square, frame = self.square, self.square.frame
        p = frame.n_parameters
        if products is None:
            return np.zeros((p, p)), np.zeros(p)
        # In place, and a weight and units in one go: with many columns each pass over them counts
        weight = square.rows.total_weight
        signs = square.in_frame(products[:-1, -1:] / weight)[:, 0]
        total, unit = products[:-1, :-1], np.append(1 / frame.scale, 1.0)
        if square.shift is not None:
            # (x - rest)(x - rest)' in one product: two vectors on each side
            rest = np.append(frame.centre - square.shift, 0.0)
            half = total[:, -1] - total[-1, -1] / 2 * rest
            total -= np.stack([rest, half], axis=1) @ np.stack([half, rest])
        total *= unit
        total *= unit[:, None] / weight
        return total[:p, :p], signs

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
        """A function that yields columns, weights and the residuals (t, m) at two points.

        Those at a point whose delta is infinite are None: all rows are inside.
        """
        spots = [one] if np.isinf(other.delta).all() else [one, other]
        pairs = [self.square.unscaled(spot.theta) for spot in spots]
        w, b = (np.hstack(each) for each in zip(*pairs, strict=True))
        blocks, centre, t = self.square.reader(), self.square.frame.target_centre, len(one.delta)

        def residuals(part: Rows):
            for x, y, s in blocks(part):
                fitted = _times(x, w)
                target = y.T - centre[:, None]
                old = None
                if len(b) > t:
                    old = target - fitted[t:]
                    old -= b[t:, None]
                target -= fitted[:t]
                target -= b[:t, None]
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

    def __init__(self, width: int) -> None:
        self._width = width
        self.waiting: tuple[list[np.ndarray], ...] = ([], [])  # went outside, came inside
        self.made: np.ndarray | None = None
        self._count = 0  # of rows that wait

    def join(self, which: int, few: np.ndarray) -> None:
        """Rows (m, d + 2) of `_beside_signs` wait, too."""
        self.waiting[which].append(few)
        self._wait(len(few))

    def __add__(self, other: _Moved) -> _Moved:
        both = _Moved(self._width)
        both.waiting = tuple(a + b for a, b in zip(self.waiting, other.waiting, strict=True))
        made = [each for each in (self.made, other.made) if each is not None]
        both.made = sum(made[1:], start=made[0]) if made else None
        both._wait(self._count + other._count)
        return both

    def _wait(self, more: int) -> None:
        self._count += more
        if self._count >= ROWS_FOR_PRODUCTS * self._width:
            self.made, self.waiting, self._count = self.products, ([], []), 0

    @property
    def products(self) -> np.ndarray | None:
        """(d + 2, d + 2): the sum of x x' of rows that went outside, less those that came inside.

        The last column is a sum of x and signs, in the same way. None if no row changed.
        """
        total = self.made
        for due, came_inside in zip(self.waiting, (False, True), strict=True):
            if due:
                few = np.concatenate(due) if len(due) > 1 else due[0]
                made = product(few.T, few)
                if came_inside:
                    np.negative(made, out=made)
                total = made if total is None else total + made
        return total


def _beside_signs(
    x: Any, s: np.ndarray | None, rows: np.ndarray, signs: np.ndarray, *, sparse: bool
) -> np.ndarray:
    """(m, d + 2): some rows, a column of ones and the signs, times the roots of the weights."""
    few = np.empty((len(rows), x.shape[1] + 2))
    few[:, :-2] = x[rows].toarray() if sparse else x.take(rows, axis=0)
    few[:, -2], few[:, -1] = 1.0, signs
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

    def __init__(
        self, d: int, here: np.ndarray, before: np.ndarray, *, sparse: bool, with_signs: bool
    ) -> None:
        t = len(here)
        self.means, self.widest = np.zeros((7, t)), np.zeros(t)
        self._pulls = 2 * t if with_signs else t
        self.slopes = np.zeros((d + 1, self._pulls))
        self.changes = [_Moved(d + 2) for _ in range(t)]
        self._delta, self._before, self._sparse = here.tolist(), before.tolist(), sparse

    def add(self, x: Any, s: np.ndarray | None, r: np.ndarray, old: np.ndarray | None) -> None:
        """Add a block: columns, weights, and residuals (t, m) here and before.

        Few rows change their sides, so we look at few of them more than once. All others have the
        same sums for F and for the dual point: each call to numpy counts in a block.
        """
        t, m = r.shape
        pulls = np.empty((self._pulls, m))
        for j in range(t):
            delta, psi = self._delta[j], pulls[j]
            now = _sides(r[j], delta)
            was = np.zeros_like(now) if old is None else _sides(old[j], self._before[j])
            np.clip(r[j], -delta, delta, out=psi)
            if self._pulls > t:
                pulls[t + j] = now if s is None else now * s
            changed = np.flatnonzero(now != was)
            if len(changed):
                weights, sides = _chosen(s, changed), (now.take(changed), was.take(changed))
                self._add_changed(j, r[j].take(changed), psi.take(changed), weights, *sides)
                for which, side in enumerate(sides):
                    on = np.flatnonzero(side)
                    if len(on):
                        rows, signs = changed.take(on), side.take(on)
                        few = _beside_signs(x, s, rows, signs, sparse=self._sparse)
                        self.changes[j].join(which, few)
            self._add_means(j, r[j], s, psi, now)
        self.slopes[:-1] += _times_transposed(x, pulls.astype(x.dtype, copy=False))
        self.slopes[-1] += pulls.sum(axis=1)

    def finish(self) -> list[Any]:
        """The sums, as values that add up."""
        return [self.means, self.slopes, _Largest(self.widest), *self.changes]

    def _add_means(self, j, r, s, psi, now) -> None:
        """The sums that F needs; also those of the dual point, if no row changed. Weights `psi`."""
        delta = self._delta[j]
        if s is None:
            outside, square = float(np.count_nonzero(now)), float(psi @ psi)
        else:
            outside, plain = float(s @ np.abs(now)), psi.copy()
            psi *= s
            square = float(psi @ plain)
        along = float(psi @ r)
        self.means[5, j] += along
        self.means[6, j] += square
        if outside:
            square -= delta**2 * outside
            self.means[0, j] += outside
            self.means[2, j] += (along - square) / delta
        self.means[1, j] += square

    def _add_changed(self, j, r, psi, weights, now, was) -> None:
        """What rows that changed sides add: their h is not psi, which `_add_means` takes."""
        self.means[3, j] += weights @ ((now == 0) != (was == 0))
        if np.isinf(self._before[j]):
            return
        h = np.where(was, self._delta[j] * was, r)
        apart = psi - h
        self.means[4, j] += weights @ (apart * (2 * r - h - psi))
        self.means[5, j] -= weights @ (apart * r)
        self.means[6, j] -= weights @ (apart * (psi + h))
        gone = np.abs(r[was == 0])
        self.widest[j] = max(self.widest[j], float(gone.max(initial=0.0)))


def _sides(r: np.ndarray, delta: float) -> np.ndarray:
    """(m,): 1 above, -1 below, 0 inside."""
    return (r > delta).view(np.int8) - (r < -delta).view(np.int8)


def _chosen(s: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """The weights of some rows."""
    return np.ones(len(rows)) if s is None else s[rows]
