"""Dense columns of which few are far from zero: only these are moved, in a copy of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.threads import product
from gd_regressor.data.kinds import Columns

# To move one in so many columns apart takes as long as to copy all of them
ONE_IN = 8


def few_enough(count: int, d: int) -> bool:
    """Whether `count` of d columns are worth a copy of their own, and the others none."""
    return ONE_IN * count <= d


def some_rows(x: Columns, rows: np.ndarray) -> Columns:
    """Copies of the rows (m,) of columns, by number.

    `take` is faster than an index, but copies all of an array in another order first.
    """
    plain = type(x) is np.ndarray and x.flags.c_contiguous
    return x.take(rows, axis=0) if plain else x[rows]


@dataclass(frozen=True)
class MovedColumns:
    """The columns of a block (m, d), less a shift of the columns `where` (k,).

    In products we replace what the columns `where` would add unmoved, so no digit is lost.
    """

    plain: np.ndarray  # (m, d): as they are
    where: np.ndarray  # (k,)
    moved: np.ndarray  # (m, k): the columns `where`, less their shift

    @classmethod
    def of(cls, x: np.ndarray, where: np.ndarray, shift: np.ndarray) -> MovedColumns:
        """Subtract `shift` (d,) of the columns `where` (k,)."""
        return cls(x, where, x[:, where] - shift[where])

    @property
    def shape(self) -> tuple[int, ...]:
        return self.plain.shape

    @property
    def dtype(self) -> np.dtype:
        return self.plain.dtype

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """All columns of some rows, by number: a slice would give a view."""
        few = some_rows(self.plain, rows)
        few[:, self.where] = some_rows(self.moved, rows)
        return few

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """All rows, in a copy."""
        return np.asarray(self[np.arange(len(self.plain))], dtype=dtype)

    def __matmul__(self, w: np.ndarray) -> np.ndarray:
        others = w.copy()
        others[self.where] = 0
        fit = product(self.plain, others)
        fit += product(self.moved, w[self.where])
        return fit

    @property
    def T(self) -> Transposed:
        return Transposed(self)


@dataclass(frozen=True)
class Transposed:
    """The transpose of moved columns, for products."""

    columns: MovedColumns

    def __matmul__(self, r: np.ndarray) -> np.ndarray:
        # What the far columns add unmoved may overflow
        with np.errstate(over="ignore", invalid="ignore"):
            slopes = product(self.columns.plain.T, r)
        slopes[self.columns.where] = product(self.columns.moved.T, r)
        return slopes
