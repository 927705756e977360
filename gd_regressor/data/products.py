"""Products of [1, columns, targets] with each other, summed over blocks of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from gd_regressor.arithmetic.doubled import STRIP, Doubled
from gd_regressor.arithmetic.slices import bits_of, largest_of, leading_bits
from gd_regressor.arithmetic.threads import product
from gd_regressor.data.moved import few_enough
from gd_regressor.data.sparse import SparseColumns
from gd_regressor.data.table import Block

# We multiply a block by so few vectors one by one: BLAS is faster so than with all at once
ONE_BY_ONE = 2
# Such a product adds one row to the sum at a time, so its rounding grows with the root of the rows.
# We sum so many rows at once, and then these sums
SHORT = 512
# We sum so many neighbouring rows side by side, as if they were one. Processors add numbers that
# lie side by side at once, and few columns alone do not fill such an addition
SIDE_BY_SIDE = 16


class Products(NamedTuple):
    """Sums over rows. The first row and column belong to the ones."""

    # (1 + d + t, 1 + d + t), without the rows of the targets where these are more than the columns;
    # an array, or Doubled where asked
    sums: Any
    yy: np.ndarray  # (t,)
    n_rows: int


def side_by_side(out: np.ndarray, block: Block, centre, target_centre, scale) -> None:
    """Write [1, (x - centre) / scale, y - target_centre] to `out`, rows times the root of s.

    We subtract no `centre` and divide by no `scale` that is None.
    """
    x, y, s = block
    d = x.shape[1]
    out[:, 0] = 1
    if centre is not None:
        np.subtract(x, centre, out=out[:, 1 : d + 1])
    else:
        out[:, 1 : d + 1] = x
    np.subtract(y, target_centre, out=out[:, d + 1 :])
    if scale is not None:
        out[:, 1 : d + 1] /= scale
    if s is not None:
        out *= np.sqrt(s)[:, None]


def products_of(
    blocks: Iterable[Block], origin, target_origin, scale, *, precise: bool = False
) -> Products:
    """Products of columns (X - origin) / scale; `precise` ones in twice the working precision.

    We divide by no `scale` that is None.
    """
    d, t = len(origin), len(target_origin)
    far = np.flatnonzero(origin)
    centre = origin if len(far) else None
    ready = not precise and scale is None and few_enough(len(far), d)
    # A symmetric product costs half, unless the targets with each other are most of it
    height = 1 + d + t if t <= d or precise else 1 + d
    sums: Any
    whole: Any  # of sparse columns, or of dense ones
    sums, yy, n_rows, table = np.zeros((height, 1 + d + t)), np.zeros(t), 0, np.empty((0, 0))
    as_they_are = _AsTheyAre(origin, far, target_origin, sums) if ready else None
    sums = Doubled(sums, np.zeros_like(sums)) if precise else sums
    for x, y, s in blocks:
        n_rows += len(x)
        sparse = isinstance(x, SparseColumns)
        if as_they_are is not None and s is None and not sparse:
            as_they_are.add(x, y)
            continue
        dense, where = (x.dense, x.where) if sparse else (x, slice(None))
        if len(table) < len(x):
            table = np.empty((len(x), 1 + dense.shape[1] + t))
        block = table[: len(x)]
        moved, units = (a if a is None else a[where] for a in (centre, scale))
        side_by_side(block, (dense, y, s), moved, target_origin, units)
        whole = _Sparse.of(block, x, scale, s) if sparse else block
        if precise and sparse:
            sums = sums + _exact(whole, len(x))
        elif precise:
            _add_exact(sums, block)
        else:
            sums += product(whole.T, whole)[:height]
        if t > d:
            yy += np.einsum("ij,ij->j", block[:, -t:], block[:, -t:])
    if as_they_are is not None:
        as_they_are.finish(yy)
    yy = yy if t > d else (sums.high if precise else sums).diagonal()[1 + d :]
    return Products(sums, yy, n_rows)


class _AsTheyAre:
    """Adds blocks whose columns we do not copy, except the few that are far from zero.

    We move copies of these, beside the ones and the targets. Their products replace those of the
    unmoved columns.
    """

    def __init__(
        self, origin: np.ndarray, far: np.ndarray, target_origin: np.ndarray, sums: np.ndarray
    ) -> None:
        d, beside = len(origin), 1 + len(target_origin)
        self._far, self._origin = far, origin[far, None]
        self._target_origin = target_origin[:, None]
        self._sums, self._xx = sums, sums[1 : d + 1, 1 : d + 1]
        self._across = np.zeros((beside, d))
        self._rest, self._others = np.zeros((beside, beside)), np.ones((beside + len(far), 0))

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add the products of a block of columns (m, d) and targets (m, t)."""
        if self._others.shape[1] < len(x):
            self._others = np.ones((len(self._others), len(x)))
        others, beside, far = self._others[:, : len(x)], len(self._rest), self._far
        np.subtract(y.T, self._target_origin, out=others[1:beside])
        if len(far):
            np.subtract(x.T[far], self._origin, out=others[beside:])
        products, across = product(x.T, x), _across(others[:beside], x)
        rest = _products_of_vectors(others)
        if len(far):
            moved = product(x.T, others[beside:].T)
            moved[far] = rest[beside:, beside:]
            products[:, far], products[far] = moved, moved.T
            across[:, far] = rest[:beside, beside:]
        self._xx += products
        self._across += across
        self._rest += rest[:beside, :beside]

    def finish(self, yy: np.ndarray) -> None:
        """Add the rest to the sums, and the squares of the targets to `yy`."""
        d, t = self._across.shape[1], len(yy)
        sums, across, rest = self._sums, self._across, self._rest
        others = np.r_[0, d + 1 : d + 1 + t]
        kept = others < len(sums)
        sums[1 : d + 1, others] += across.T
        sums[others[kept], 1 : d + 1] += across[kept]
        sums[np.ix_(others[kept], others)] += rest[kept]
        if t > d:
            yy += rest.diagonal()[1:]


def _across(vectors: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(1 + t, d): products of the ones and t targets with the columns."""
    if len(vectors) > ONE_BY_ONE:
        return product(x.T, vectors.T).T
    return np.stack([_sum_of(x), *(_product_in_short(x, vector) for vector in vectors[1:])])


def _products_of_vectors(vectors: np.ndarray) -> np.ndarray:
    """Those of the ones and a target (2, m), or of more vectors, with each other.

    The copies that BLAS makes for a product of two matrices take longer than two vectors take.
    """
    if len(vectors) != 2:
        return product(vectors, vectors.T)
    total = vectors[1].sum()
    return np.array([[vectors.shape[1], total], [total, product(vectors[1], vectors[1])]])


def _sum_of(x: np.ndarray) -> np.ndarray:
    """(d,): the sum of the rows, in sums of SHORT additions."""
    m, d = x.shape
    whole = m // SIDE_BY_SIDE * SIDE_BY_SIDE
    ones = np.ones(SHORT)
    if not (whole and d and x.flags.c_contiguous):
        return _product_in_short(x, np.ones(m))
    total = product(ones[: m - whole], x[whole:])
    wide = x[:whole].reshape(-1, SIDE_BY_SIDE * d)
    for first in range(0, len(wide), SHORT):
        some = wide[first : first + SHORT]
        total += product(ones[: len(some)], some).reshape(SIDE_BY_SIDE, d).sum(axis=0)
    return total


def _product_in_short(x: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """x.T @ vector, in sums of SHORT rows."""
    count, d = len(x) // SHORT, x.shape[1]
    if not count or not x.flags.c_contiguous:  # along columns BLAS has many sums at once
        return product(x.T, vector)
    whole = count * SHORT
    parts = vector[:whole].reshape(count, 1, SHORT) @ x[:whole].reshape(count, SHORT, d)
    return parts.sum(axis=(0, 1)) + product(x[whole:].T, vector[whole:])


def _add_exact(sums: Doubled, table: np.ndarray) -> None:
    """Add the products of a dense table, right to some 70 bits, strip by strip.

    We multiply each pair of columns once, and write the result in both places.
    """
    leading, rest = _split(table, len(table))
    for first in range(0, table.shape[1], STRIP):
        i, j = slice(first, first + STRIP), slice(first, None)
        low = product(leading[:, i].T, rest[:, j]) + product(rest[:, i].T, table[:, j])
        more = Doubled.of(product(leading[:, i].T, leading[:, j]), low)
        more = sums[i, j] + more
        sums.high[i, j], sums.low[i, j] = more.high, more.low
        sums.high[j, i], sums.low[j, i] = more.high.T, more.low.T


def _exact(table: _Sparse, m: int) -> Doubled:
    """The products of m rows of sparse columns, as exact as those of `_add_exact`."""
    leading, rest = _split(table, m)
    across = leading.T @ rest
    return Doubled.of(leading.T @ leading, across + across.T + rest.T @ rest)


def _split(table: Any, m: int) -> tuple[Any, Any]:
    """The leading bits of each entry, whose products over m rows are exact, and the rest."""
    leading = _leading(table, bits_of(m))
    return leading, table - leading


def _leading(table: Any, bits: int) -> Any:
    """Each entry rounded to `bits` bits below the largest of its column."""
    if isinstance(table, _Sparse):
        return table.leading(bits)
    return leading_bits(table, largest_of(table), bits)


@dataclass(frozen=True)
class _Sparse:
    """A table like `side_by_side`'s for sparse columns: a dense part, and a sparse one (m, d)."""

    table: np.ndarray  # (m, 1 + k + t): ones, full columns, targets
    sparse: csr_array
    where: np.ndarray  # (k,): the full columns

    @classmethod
    def of(cls, table, x: SparseColumns, scale, s) -> _Sparse:
        sparse = x.sparse
        data = sparse.data if scale is None else sparse.data / scale[sparse.indices]
        if s is not None:
            data = data * np.repeat(np.sqrt(s), np.diff(sparse.indptr))
        return cls(table, _like(sparse, data), x.where)

    def leading(self, bits: int) -> _Sparse:
        largest = np.zeros(self.sparse.shape[1])
        np.maximum.at(largest, self.sparse.indices, np.abs(self.sparse.data))
        data = leading_bits(self.sparse.data, largest[self.sparse.indices], bits)
        return _Sparse(_leading(self.table, bits), _like(self.sparse, data), self.where)

    def __sub__(self, other: _Sparse) -> _Sparse:
        data = self.sparse.data - other.sparse.data
        return _Sparse(self.table - other.table, _like(self.sparse, data), self.where)

    @property
    def T(self) -> _Transposed:
        return _Transposed(self)


@dataclass(frozen=True)
class _Transposed:
    of: _Sparse

    def __matmul__(self, other: _Sparse) -> np.ndarray:
        mine, d, k = self.of, other.sparse.shape[1], len(other.where)
        width = other.table.shape[1] - k + d
        ready = np.concatenate([[0], 1 + other.where, np.arange(1 + d, width)])
        products = np.zeros((width, width))
        products[1 : d + 1, 1 : d + 1] = (mine.sparse.T @ other.sparse).toarray()
        products[1 : d + 1, ready] += mine.sparse.T @ other.table
        products[ready, 1 : d + 1] += (other.sparse.T @ mine.table).T
        products[np.ix_(ready, ready)] += mine.table.T @ other.table
        return products


def _like(sparse: csr_array, data: np.ndarray) -> csr_array:
    return csr_array((data, sparse.indices, sparse.indptr), shape=sparse.shape)
