"""Huber's loss over a table: the sums that Newton's steps and a dual bound need, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import blas

from gd_regressor.arithmetic.doubled import add_outer
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product, summed
from gd_regressor.data.moved import some_rows
from gd_regressor.data.table import Rows, add_each
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss

# BLAS multiplies a block of so many columns by FEW_VECTORS vectors in the time of one
NARROW_BLOCK, FEW_VECTORS = 100, 2
# We count the rows inside that are nearer to delta than this share of it. Fewer rows tell nothing
JUST_INSIDE, LEAST_INSIDE = 0.1, 64
# We make the products of so many rows for each column at once: that takes longer than to write them
ROWS_FOR_PRODUCTS = 4
# So many rows for each column take as long on the way to the frame as products of columns
FEW_TO_FRAME = 2
# So many multiplications take longer than to share them between two threads
FOR_ONE_THREAD = 1 << 25


class Spot(NamedTuple):
    """A point, and the residuals from which rows count as outliers there."""

    theta: np.ndarray  # (p, t)
    delta: np.ndarray  # (t,); infinite if no row is an outlier
    sides: np.ndarray | None = None  # (t, n), as in `Sums`; None: the residuals have to tell
    reach: np.ndarray | None = None  # (t,): rows so near to delta are to be named


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
    # (p, p): x x' of rows that went outside, less those that came inside; None: no row changed
    change: np.ndarray | None
    moved: float  # the share of these rows
    # (r - h)^2 - max(|r| - delta, 0)^2, which is zero for a row that stayed on its side
    young: float
    across: float  # r h
    dual: float  # h^2
    widest: float  # the largest |r| of rows that were inside before and no longer are
    density: float = 0.0  # the share of rows for each unit of |r| just below delta
    rows: int = 0
    # (2, m): the rows whose |r| is within `reach` of delta, their numbers and how near they are
    border: np.ndarray | None = None
    reach: float = 0.0
    sides: np.ndarray | None = None  # (n,): 1 above, -1 below, 0 inside; None: not kept

    def after(self, step: np.ndarray, product: np.ndarray, delta: float) -> Sums:
        """Those after a step s on which no row turns, and whose product with H is known."""
        square = self.square - 2 * float(self.inner @ step) + float(step @ product)
        square, beyond = max(square, 0.0), self.beyond - float(self.outer @ step)
        return self._replace(
            square=square,
            beyond=beyond,
            inner=self.inner - product,
            change=None,
            moved=0.0,
            young=0.0,
            across=square + delta * beyond,
            dual=square + delta**2 * self.outside,
            widest=0.0,
            border=None,
        )


@frozen
class Clipped:
    """The rows of a table, whose residuals are clipped at some delta, in passes over them."""

    square: DataLoss  # the squared loss of the same rows, in the same coordinates

    def sums(self, here: Spot, before: Spot, outer: np.ndarray | None = None) -> list[Sums]:
        """What the rows say of each target, and which rows changed sides since `before`.

        Where the sides of `before` are unknown, both points are in one product with the columns.
        `outer` (p, t) is that of `before`, to which the rows that changed add theirs. None asks for
        a product with all rows.
        """
        t, d, rows = len(here.delta), len(self.square.frame.scale), self.square.rows
        # A block leaves out rows without weight, and rows elsewhere stay there
        keeps = not (rows.weighted or rows.is_elsewhere)
        told = before.sides is not None or bool(np.isinf(before.delta).all())
        reader = self._reader([here] if told else [here, before])

        def of_part(part: Rows):
            totals = _Totals(d, here, before, part, keeps=keeps, with_signs=outer is None)
            for x, s, r, *old in reader(part):
                totals.add(x, s, r, *old)
            return totals.finish()

        means, slopes, widest, kept, *each = rows.total(of_part, add_each)
        weight = rows.total_weight
        slopes, means = self.square.in_frame(slopes) / weight, means / weight
        kept = np.concatenate(kept, axis=1) if keeps else [None] * t
        reach = np.zeros(t) if here.reach is None else here.reach
        found = []
        for j, delta in enumerate(here.delta.tolist()):
            change, turned = self._in_frame(each[j])
            beyond_it = slopes[:, t + j] if outer is None else outer[:, j] + turned
            outside, square, beyond, moved, young, across, dual, near = means[:, j].tolist()
            enough = near * rows.n_rows >= LEAST_INSIDE
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
                    density=near / (JUST_INSIDE * delta) if enough else 0.0,
                    rows=rows.n_rows,
                    sides=kept[j],
                    border=np.hstack(each[t + j]) if each[t + j] else None,
                    reach=float(reach[j]),
                )
            )
        return found

    def sides(self, where: np.ndarray, here: Spot) -> np.ndarray:
        """(t, m): those of some rows at a point."""
        few = self.square.rows.chosen(where)
        reader = Clipped(replace(self.square, rows=few))._reader([here])
        return np.hstack([_sides(r, here.delta[:, None]) for _, _, r in reader(few)])

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

    def _in_frame(self, moved: _Moved) -> tuple[np.ndarray | None, Any]:
        """(p, p) and (p,): the mean products with each other, and with the signs; None and 0."""
        if moved.are_few:
            found = moved.products(self._products_in_frame, shared=True)
            return (None, 0.0) if found is None else (found[0], found[1][:, 0])
        products = moved.products(_products, shared=True)
        if products is None:
            return None, 0.0
        square, frame, (total, across, corner) = self.square, self.square.frame, products
        d, unit, weight = len(total), 1 / square.scale, square.rows.total_weight
        # In place: with many columns each pass over their products counts
        if square.rest is not None:
            # (x - rest)(x - rest)'. BLAS changes the transpose of `total`, which is symmetric
            half = across[:, 0] - corner[0, 0] / 2 * square.rest
            for one, other in ((square.rest, half), (half, square.rest)):
                total = blas.dger(-1.0, one, other, a=total.T, overwrite_a=1).T
        found = np.empty((frame.n_parameters, frame.n_parameters))
        np.multiply(total, unit / weight, out=found[:d, :d])
        found[:d, :d] *= unit[:, None]
        along = square.in_frame(np.vstack([across, corner[:1]]) / weight)
        found[d:, :] = along[:, 0]
        found[:, d:] = along[:, :1]
        return found, along[:, 1]

    def _products_in_frame(self, due: list[_Few]) -> list[np.ndarray]:
        """(p, p) and (p, 1): what these rows add to the means, from their coordinates."""
        square, d = self.square, self.square.rows.n_columns
        root = np.sqrt(square.rows.total_weight)
        x, beside = _joined(due)
        beside = beside / root
        z = np.empty((len(x), square.frame.n_parameters))
        np.multiply(x, 1 / (square.scale * root), out=z[:, :d])
        if square.rest is not None:
            add_outer(z[:, :d], beside[:, 0], -square.rest / square.scale)
        z[:, d:] = beside[:, :1]
        return [product(z.T, z), product(z.T, beside[:, 1:])]

    def between(self, here: Spot, there: Spot, shares: np.ndarray) -> np.ndarray:
        """(m, 3, t): `outside`, `square` and `beyond` at so many shares (m,) of the way."""
        t, m = len(here.delta), len(shares)
        reader = self._reader([here, there])
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

    def _reader(self, spots: list[Spot]):
        """A function that yields columns, weights and residuals (t, m) at each of the points."""
        pairs = [self.square.unscaled(spot.theta) for spot in spots]
        w, b = (np.hstack(each) for each in zip(*pairs, strict=True))
        blocks, centre = self.square.reader(), self.square.frame.target_centre
        t = len(centre)
        spans = [slice(i, i + t) for i in range(0, len(b), t)]

        def residuals(part: Rows):
            for x, y, s in blocks(part):
                fitted, target = _times(x, w), y.T - centre[:, None]
                found = [target - fitted[spot] for spot in spans]
                for r, spot in zip(found, spans, strict=True):
                    r -= b[spot, None]
                yield x, s, *found

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
        self.waiting: tuple[list[_Few], ...] = ([], [])  # went outside, came inside
        self.made: list[np.ndarray] | None = None
        self._count = 0  # of rows that wait

    def join(self, which: int, few: _Few) -> None:
        """Rows wait, too."""
        self.waiting[which].append(few)
        self._wait(len(few.x))

    def __add__(self, other: _Moved) -> _Moved:
        both = _Moved(self._width)
        both.waiting = tuple(a + b for a, b in zip(self.waiting, other.waiting, strict=True))
        made = [each for each in (self.made, other.made) if each is not None]
        both.made = reduce(add_each, made) if made else None
        both._wait(self._count + other._count)
        return both

    def _wait(self, more: int) -> None:
        self._count += more
        if self._count >= ROWS_FOR_PRODUCTS * self._width:
            self.made, self.waiting, self._count = self.products(_products), ([], []), 0

    @property
    def are_few(self) -> bool:
        """Whether to take the rows to the frame costs less than to take their products there."""
        return self.made is None and self._count <= FEW_TO_FRAME * self._width

    def products(
        self, work: Callable[[list[_Few]], list[np.ndarray]], *, shared: bool = False
    ) -> list[np.ndarray] | None:
        """Sums of `work` over rows that went outside, less those over rows that came inside.

        None if no row changed. Two threads may share the work, but not if other threads wait for
        it. The caller may write over the sums, and then drops this object.
        """
        total, shared = self.made, shared and self._count * self._width**2 > FOR_ONE_THREAD
        for due, sign in zip(self.waiting, (1, -1), strict=True):
            if due:
                half = len(due) // 2 if shared else 0
                halves = [due[:half], due[half:]]
                made = summed(halves, work, _added) if half else work(due)
                if sign < 0:
                    made = [np.negative(each, out=each) for each in made]
                total = made if total is None else _added(made, total)
        return total


class _Few(NamedTuple):
    """Some rows, times the roots of their weights."""

    x: np.ndarray  # (m, d)
    beside: np.ndarray  # (m, 2): ones and signs

    @classmethod
    def of(cls, x: Any, s: np.ndarray | None, rows: np.ndarray, signs: np.ndarray, sparse: bool):
        few, beside = some_rows(x, rows), np.ones((len(rows), 2))
        few = (few.toarray() if sparse else few).astype(np.float64, copy=False)
        beside[:, 1] = signs
        if s is not None:
            root = np.sqrt(s[rows])[:, None]
            few, beside = few * root, beside * root
        return cls(few, beside)


def _joined(due: list[_Few]) -> _Few:
    """All rows."""
    return _Few(*(a[0] if len(a) == 1 else np.concatenate(a) for a in zip(*due, strict=True)))


def _products(due: list[_Few]) -> list[np.ndarray]:
    """The sums of x x' (d, d), x beside 1 and sign (d, 2), and these two with each other (2, 2)."""
    x, beside = _joined(due)
    return [product(x.T, x), product(x.T, beside), product(beside.T, beside)]


def _added(total: list[np.ndarray], more: list[np.ndarray]) -> list[np.ndarray]:
    """Their sums, in place of the first ones."""
    for one, other in zip(total, more, strict=True):
        one += other
    return total


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
        self, d: int, here: Spot, before: Spot, part: Rows, *, keeps: bool, with_signs: bool
    ) -> None:
        t = len(here.delta)
        self.means, self.widest = np.zeros((8, t)), np.zeros(t)
        self.sides: list[np.ndarray] = []  # (t, m) of each block
        self.borders: list[list[np.ndarray]] = [[] for _ in range(t)]
        self._pulls = 2 * t if with_signs else t
        self.slopes = np.zeros((d + 1, self._pulls))
        self.changes = [_Moved(d + 2) for _ in range(t)]
        self._delta, self._first = here.delta.tolist(), np.isinf(before.delta).tolist()
        self._reach = here.reach if keeps else None
        self._before, self._row = before, part.first
        self._sparse, self._keeps = part.is_sparse, keeps

    def add(
        self, x: Any, s: np.ndarray | None, r: np.ndarray, old: np.ndarray | None = None
    ) -> None:
        """Add a block: columns, weights, residuals (t, m), and those before, if they are needed.

        Few rows change their sides, so we look at few of them more than once. All others have the
        same sums for F and for the dual point: each call to numpy counts in a block.
        """
        t, m = r.shape
        pulls, sides = np.empty((self._pulls, m)), _sides(r, np.array(self._delta)[:, None])
        was = None if old is None else _sides(old, self._before.delta[:, None])
        if self._before.sides is not None:
            was = self._before.sides[:, self._row : self._row + m]
        if self._keeps:
            self.sides.append(sides)
        for j, (now, psi) in enumerate(zip(sides, pulls, strict=False)):
            np.clip(r[j], -self._delta[j], self._delta[j], out=psi)
            if self._pulls > t:
                pulls[t + j] = now if s is None else now * s
            changed = np.flatnonzero(now != (0 if was is None else was[j]))
            if len(changed):
                here = now.take(changed)
                before = np.zeros_like(here) if was is None else was[j].take(changed)
                weights = _chosen(s, changed)
                self._add_changed(j, r[j].take(changed), psi.take(changed), weights, here, before)
                for which, side in enumerate((here, before)):
                    on = np.flatnonzero(side)
                    if len(on):
                        few = _Few.of(x, s, changed.take(on), side.take(on), self._sparse)
                        self.changes[j].join(which, few)
            self._add_means(j, r[j], s, psi, now)
            if self._reach is not None and self._reach[j]:
                apart = np.abs(np.abs(r[j]) - self._delta[j])
                near = np.flatnonzero(apart <= self._reach[j])
                self.borders[j].append(np.stack([self._row + near, apart.take(near)]))
        self._row += m
        self.slopes[:-1] += _times_transposed(x, pulls.astype(x.dtype, copy=False))
        self.slopes[-1] += pulls.sum(axis=1)

    def finish(self) -> list[Any]:
        """The sums, as values that add up."""
        sums = [self.means, self.slopes, _Largest(self.widest), self.sides]
        return [*sums, *self.changes, *self.borders]

    def _add_means(self, j, r, s, psi, now) -> None:
        """The sums that F needs; also those of the dual point, if no row changed. Weights `psi`."""
        delta = self._delta[j]
        near = np.abs(psi) > (1 - JUST_INSIDE) * delta  # and the rows outside
        if s is None:
            outside, square = float(np.count_nonzero(now)), float(psi @ psi)
            near = np.count_nonzero(near)
        else:
            outside, plain = float(s @ np.abs(now)), psi.copy()
            psi *= s
            square, near = float(psi @ plain), s @ near
        self.means[7, j] += near - outside
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
        if self._first[j]:
            return
        h = np.where(was, self._delta[j] * was, r)
        apart = psi - h
        self.means[4, j] += weights @ (apart * (2 * r - h - psi))
        self.means[5, j] -= weights @ (apart * r)
        self.means[6, j] -= weights @ (apart * (psi + h))
        gone = np.abs(r[was == 0])
        self.widest[j] = max(self.widest[j], float(gone.max(initial=0.0)))


def _sides(r: np.ndarray, delta: Any) -> np.ndarray:
    """Of residuals: 1 above, -1 below, 0 inside."""
    return (r > delta).view(np.int8) - (r < -delta).view(np.int8)


def _chosen(s: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """The weights of some rows."""
    return np.ones(len(rows)) if s is None else s[rows]
