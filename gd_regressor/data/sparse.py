"""Sparse columns: products that touch only stored entries, and make no dense copy of the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.data.kinds import Columns

# We keep a column dense if it has stored entries in at least this share of the rows, because we can
# centre a dense column entry by entry. In any other column the square of the mean is at most 9
# variances. So we centre its products instead, which costs one digit
FULL = 0.9


@dataclass(frozen=True)
class SparseColumns:
    """A matrix (n, d) with some dense and some sparse columns.

    `sparse` is (n, d) and stores nothing in the columns `where`. `dense` (n, k) has these columns.
    """

    sparse: csr_array
    dense: np.ndarray
    where: np.ndarray  # (k,)

    @classmethod
    def of(cls, X, weights: np.ndarray | None = None) -> SparseColumns:
        """From any sparse matrix of scipy. We do not copy CSR without full columns."""
        X = csr_array(X)
        if not X.has_canonical_format:
            X = csr_array(X, copy=True)
            X.sum_duplicates()
        counts = np.bincount(X.indices, minlength=X.shape[1])
        full = counts >= FULL * X.shape[0]
        if weights is not None:
            share = np.repeat(weights, np.diff(X.indptr))
            full |= np.bincount(X.indices, share, X.shape[1]) >= FULL * weights.sum()
        where = np.flatnonzero(full)
        dense = np.zeros((X.shape[0], where.size), dtype=X.dtype)
        if where.size:
            place = np.full(X.shape[1], -1)
            place[where] = np.arange(where.size)
            to = place[X.indices]
            rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
            dense[rows[to >= 0], to[to >= 0]] = X.data[to >= 0]
            rest = to < 0
            indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[rest], minlength=X.shape[0]))])
            indptr = indptr.astype(X.indices.dtype)
            X = csr_array((X.data[rest], X.indices[rest], indptr), shape=X.shape)
        return cls(X, dense, where)

    @property
    def shape(self) -> tuple[int, int]:
        return self.sparse.shape

    @property
    def dtype(self) -> np.dtype:
        return self.sparse.dtype

    @property
    def stored(self) -> int:
        """The number of stored entries, sparse and dense."""
        return len(self.sparse.data) + self.dense.size

    def __len__(self) -> int:
        return self.sparse.shape[0]

    def __getitem__(self, rows) -> SparseColumns:
        if not isinstance(rows, slice):
            return SparseColumns(self.sparse[rows], self.dense[rows], self.where)
        # Consecutive rows need no copy
        first, last, _ = rows.indices(len(self))
        if last - first == len(self):
            return self
        sparse, indptr = self.sparse, self.sparse.indptr[first : last + 1]
        span = slice(indptr[0], indptr[-1])
        part = csr_array((last - first, sparse.shape[1]), dtype=sparse.dtype)
        # The constructor would copy an array that is part of a larger one, so we set its fields
        part.data, part.indices = sparse.data[span], sparse.indices[span]
        part.indptr = indptr - indptr[0]
        return SparseColumns(part, self.dense[rows], self.where)

    def astype(self, dtype) -> SparseColumns:
        if self.dtype == dtype:
            return self
        return SparseColumns(self.sparse.astype(dtype), self.dense.astype(dtype), self.where)

    def toarray(self) -> np.ndarray:
        """A dense copy, for small blocks."""
        array = self.sparse.toarray()
        array[:, self.where] = self.dense
        return array

    def tocsr(self) -> csr_array:
        """All columns as one sparse matrix."""
        k = len(self.where)
        to = csr_array((np.ones(k), (np.arange(k), self.where)), shape=(k, self.shape[1]))
        return csr_array(self.sparse + csr_array(self.dense) @ to.astype(self.dtype))

    def moved(self, shift: np.ndarray) -> Columns:
        """Subtract `shift` (d,). The result is dense if a sparse column has a shift."""
        if shift.any() and np.delete(shift, self.where).any():
            return self.toarray() - shift
        return SparseColumns(self.sparse, self.dense - shift[self.where], self.where)

    def __truediv__(self, unit: np.ndarray) -> SparseColumns:
        """Divide each column by its `unit` (d,)."""
        data = self.sparse.data / unit[self.sparse.indices]
        sparse = csr_array((data, self.sparse.indices, self.sparse.indptr), shape=self.shape)
        return SparseColumns(sparse, self.dense / unit[self.where], self.where)

    def __matmul__(self, w: np.ndarray) -> np.ndarray:
        product = _product(self.sparse, w)
        return product + self.dense @ w[self.where] if self.where.size else product

    @property
    def T(self) -> Transposed:
        return Transposed(self)

    @cached_property
    def turned(self):
        """The transpose of the sparse columns, as scipy makes it."""
        return self.sparse.T

    def column_sums(self, r: np.ndarray) -> np.ndarray:
        """(d,): sums of the squares of each column, with row i times `r[i]`."""
        weights = self.sparse.data**2
        if (r != 1).any():
            weights *= np.repeat(r, np.diff(self.sparse.indptr))
        sums = np.zeros(self.shape[1])  # bincount makes integers if nothing is stored
        sums += np.bincount(self.sparse.indices, weights, minlength=self.shape[1])
        sums[self.where] = r @ self.dense**2
        return sums

    def largest(self) -> np.ndarray:
        """(d,): the largest absolute value of each column."""
        largest = np.zeros(self.shape[1])
        np.maximum.at(largest, self.sparse.indices, np.abs(self.sparse.data))
        largest[self.where] = np.abs(self.dense).max(axis=0, initial=0.0)
        return largest


@dataclass(frozen=True)
class Transposed:
    """The transpose of sparse columns, for products."""

    columns: SparseColumns

    def __matmul__(self, r: np.ndarray) -> np.ndarray:
        product = _product(self.columns.turned, r)
        if self.columns.where.size:
            product[self.columns.where] += self.columns.dense.T @ r
        return product


def _product(matrix, right: np.ndarray) -> np.ndarray:
    # scipy multiplies by a vector twice as fast as by a matrix of one column
    one = right.ndim == 2 and right.shape[1] == 1
    return (matrix @ right[:, 0])[:, None] if one else matrix @ right
