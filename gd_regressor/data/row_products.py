"""Row products: those of rows with each other, over chosen columns, and fits of all columns.

With fewer rows than columns in use, these are fewer numbers than the products of the columns.
"""

from __future__ import annotations

import operator
from functools import partial

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product, summed
from gd_regressor.data.chosen import Reading
from gd_regressor.data.table import BLOCK_ENTRIES, Rows, add_each

# Columns of a block, at least: the sum of the products takes as long as so many columns
NARROWEST = 128
# Tasks that share the columns of one sum. Each has a sum of n x n numbers
SHARED_BY = 4


@frozen
class AllColumns:
    """The columns X of a table, weighted and centred, as a map between coefficients and rows."""

    reading: Reading
    means: np.ndarray  # (d,): of the raw columns; zeros if these are not centred
    squares: np.ndarray  # (d,): the mean squares of the centred columns

    @classmethod
    def of(cls, reading: Reading) -> AllColumns:
        """Read the table once."""
        rows = reading.rows.with_targets(lambda _: reading.root[:, None])
        means, squares = rows.total(partial(_sums, near=reading.near), add_each)
        if not reading.centred:
            return cls(reading, np.zeros(len(means)), squares)
        return cls(reading, reading.near + means, np.maximum(squares - means**2, 0.0))

    def slopes(self, residuals: np.ndarray) -> np.ndarray:
        """(d,): X'r of weighted residuals (n,). With an intercept these have the mean zero."""
        return self.reading.slopes(residuals[:, None])[:, 0]

    def fit(self, w: np.ndarray) -> np.ndarray:
        """(n,): X w."""
        rows, shift = self.reading.rows, self.reading.shift
        on = np.flatnonzero(w)
        if rows.is_sparse:
            x = rows.X if shift is None else rows.X.moved(shift)
            fit = (x @ w[:, None])[:, 0]
        else:
            some = np.zeros(1, dtype=int) if not on.size else on
            work = partial(self._fit_of, some, w)
            fit = summed(self._tasks(len(some)), work, operator.add)
        return self.centred(self.reading.root * fit)

    def _fit_of(self, on: np.ndarray, w: np.ndarray, spans: list[slice]) -> np.ndarray:
        """(n,): what some of the columns `on` add to the raw fit."""
        rows, shift = self.reading.rows, self.reading.shift
        fit = np.zeros(len(self.reading.root))
        for span in spans:
            x = np.asarray(rows.X[:, on[span]], dtype=np.float64)
            x = x if shift is None else x - shift[on[span]]
            fit += product(x, w[on[span]])
        return fit

    def centred(self, residuals: np.ndarray) -> np.ndarray:
        """(n,): weighted residuals less their mean, if there is an intercept."""
        root = self.reading.root
        return residuals - root * (root @ residuals) if self.reading.centred else residuals

    def products(self, where: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """(n, n): the sum of f x x' over the columns x at `where` (k,), with `factors` f (k,)."""
        rows, n = self.reading.rows, len(self.reading.root)
        total = np.zeros((n, n))
        X, at = rows.X, where
        if rows.is_sparse:
            total += self._sparse(where, factors)
            full = np.isin(where, X.where)
            X, at, factors = X.dense, np.searchsorted(X.where, where[full]), factors[full]
            where = where[full]
        if where.size:
            work = partial(self._dense, X, at, where, factors)
            total += summed(self._tasks(len(where)), work, operator.add)
        return total

    def _tasks(self, length: int) -> list[list[slice]]:
        """Cut a number of columns into blocks that stay in a core's cache, some for each task."""
        step = max(BLOCK_ENTRIES // len(self.reading.root), NARROWEST)
        spans = [slice(first, min(first + step, length)) for first in range(0, length, step)]
        each = -(-len(spans) // SHARED_BY)
        return [spans[first : first + each] for first in range(0, len(spans), each)]

    def _dense(self, X, at, where, factors, spans: list[slice]) -> np.ndarray:
        root = self.reading.root
        total = np.zeros((len(root), len(root)))
        for span in spans:
            x = (X[:, at[span]] - self.reading.near[where[span]]) * root[:, None]
            if self.reading.centred:
                x -= np.multiply.outer(root, root @ x)
            total += product(x * factors[span], x.T)
        return total

    def _sparse(self, where: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """The same for the sparse columns. Their means are small, so the sum is centred."""
        root = self.reading.root
        x = self.reading.rows.X.sparse[:, where].astype(np.float64)
        x.data *= np.repeat(root, np.diff(x.indptr))
        scaled = x.copy()
        scaled.data *= factors[x.indices]
        total = (scaled @ x.T).toarray()
        if self.reading.centred:
            across = total @ root
            total -= np.multiply.outer(root, across)
            total -= np.multiply.outer(total @ root, root)
        return total


def _sums(part: Rows, near: np.ndarray) -> list[np.ndarray]:
    """The means of the columns about `near`, and their mean squares. The targets are the roots."""
    share = part.y[:, 0] ** 2
    if part.is_sparse:
        x = part.X.moved(near)
        return [(x.T @ share[:, None])[:, 0], x.column_sums(share)]
    means, squares = np.zeros(len(near)), np.zeros(len(near))
    for span in part.spans(part.vector_rows):
        x = part.columns(span) - near
        means += product(share[span], x)
        np.square(x, out=x)
        squares += product(share[span], x)
    return [means, squares]
