"""Chosen columns of a table: copies of few columns, their products, and slopes of all columns."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product, summed
from gd_regressor.data.kinds import Columns
from gd_regressor.data.passes import count_rows
from gd_regressor.data.table import BLOCK_ENTRIES, STRETCH_ENTRIES, Rows, add_each

# Rows at either end that show whether columns are far from zero
LOOKED_AT = 8
# Up to so many spreads of a column from zero, slopes of uncentred columns lose two or three digits
OFF_CENTRE = 100.0
# Rows of a block of chosen columns, at least: products of less are slow
SHORTEST = 128
# A copied column whose mean is more deviations from zero than this loses digits of its products
MOST_OFF = 4.0
# Tasks that share the rows: each has a sum of its own to add, as long as the columns are many. Two
# threads need a few of them to end together
FEWEST, TASKS = 4, 8


@frozen
class Reading:
    """How the columns of a table are read: weighted, centred, and in the order of their memory."""

    rows: Rows
    root: np.ndarray  # (n,): the roots of the weights divided by their sum
    centred: bool
    near: np.ndarray  # (d,): values near the means; zeros for those that stay where they are
    is_far: bool  # whether a column is far from zero

    @classmethod
    def of(cls, rows: Rows, *, centred: bool) -> Reading:
        if rows.weights is None:
            root = np.full(rows.n_rows, 1 / np.sqrt(rows.n_rows))
        else:
            root = np.sqrt(rows.weights / rows.weights.sum())
        near, is_far = _near_means(rows) if centred else (np.zeros(rows.n_columns), False)
        return cls(rows, root, centred, near, is_far)

    @property
    def shift(self) -> np.ndarray | None:
        """(d,): what we subtract from columns that are far from zero."""
        return self.near if self.is_far else None

    def target(self, j: int) -> tuple[np.ndarray, float]:
        """Target j, weighted and centred (n,), and its mean."""
        y = np.asarray(self.rows.y[:, j], dtype=np.float64)
        if not self.centred:
            return self.root * y, 0.0
        share = self.root**2
        mean = y[0] + share @ (y - y[0])
        y = y - mean
        rest = share @ y  # the rounding of the mean
        return self.root * (y - rest), float(mean + rest)

    def slopes(self, residuals: np.ndarray) -> np.ndarray:
        """(d, k): products of the columns with weighted residuals (n, k), in one pass over X.

        With an intercept the residuals must have the mean zero, so that it does not matter what we
        subtract from a column.
        """
        weighted = self.root[:, None] * residuals
        X = self.rows.X
        if not self.rows.is_sparse and X.flags.f_contiguous and not X.flags.c_contiguous:
            count_rows(self.rows.n_rows)
            return _slopes_by_columns(X, weighted, self.shift)
        rows = self.rows.with_targets(lambda _: weighted)
        stretches = min(max(self.rows.n_rows // SHORTEST, FEWEST), TASKS, self.rows.n_rows)
        return rows.total(partial(_slopes_by_rows, shift=self.shift), stretches=stretches)


def _near_means(rows: Rows) -> tuple[np.ndarray, bool]:
    """Values near the means of all columns, and whether one of them is far from zero."""
    # Only full columns of sparse ones can be far from zero, and move
    X, where = (rows.X.dense, rows.X.where) if rows.is_sparse else (rows.X, slice(None))
    near, far = np.empty(X.shape[1]), False
    # Some columns at a time, so that the copies of them stay in a core's cache
    for span in _spans(X.shape[1], 8 * LOOKED_AT):
        # Neighbouring rows: others of an array in the order of columns take as long as all rows
        some = np.concatenate([X[:LOOKED_AT, span], X[-LOOKED_AT:, span]])
        near[span], is_far = _near(np.asarray(some, dtype=np.float64))
        far |= is_far
    everywhere = np.zeros(rows.n_columns)
    everywhere[where] = near
    return everywhere, far


def _near(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """Values near the means of few rows (m, k), and whether one of them is far from zero."""
    apart = x - x[0]
    near, spread = x[0] + apart.mean(axis=0), np.abs(apart).max(axis=0)
    return near, bool(((np.abs(near) > OFF_CENTRE * spread) & (spread > 0)).any())


def _slopes_by_rows(part: Rows, shift: np.ndarray | None) -> np.ndarray:
    products = []
    for span in part.spans(part.vector_rows):
        r = part.y[span]
        if part.is_sparse:
            x = part.X[span]
            products.append((x if shift is None else x.moved(shift)).T @ r)
        else:
            x = part.columns(span)
            products.append(_turned(x if shift is None else x - shift, r))
    return sum(products[1:], products[0])


def _slopes_by_columns(X: np.ndarray, r: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    def work(span: slice) -> list[np.ndarray]:
        x = np.asarray(X[:, span], dtype=np.float64)
        return [_turned(x if shift is None else x - shift[span], r)]

    return np.concatenate(summed(_spans(X.shape[1], len(X)), work, operator.add))


def _turned(x: np.ndarray, r: np.ndarray) -> np.ndarray:
    """x.T @ r, as a product with a vector where r is one: this is faster than with a matrix."""
    return np.dot(r[:, 0], x)[:, None] if r.shape[1] == 1 else np.dot(x.T, r)


def _spans(length: int, across: int, least: int = 1) -> list[slice]:
    """Cut `length` into spans of about BLOCK_ENTRIES entries."""
    step = max(BLOCK_ENTRIES // max(across, 1), least)
    return [slice(first, min(first + step, length)) for first in range(0, length, step)]


@frozen
class Chosen:
    """Copies of columns, weighted and, where they are dense, nearly centred.

    `columns` is an array (n, k) or a sparse one. `offset` (k,) is what is left of the means, and
    `means` (k,) are those of the raw columns.
    """

    reading: Reading
    columns: Columns
    offset: np.ndarray
    means: np.ndarray

    def fit(self, w: np.ndarray) -> np.ndarray:
        """(n,): the weighted prediction of the centred columns."""
        columns = self.columns
        if type(columns) is np.ndarray:
            fit = np.empty(len(columns))

            def work(span: slice) -> None:
                fit[span] = product(columns[span], w)

            _over_rows(columns, work)
        else:
            fit = columns @ w
        return fit - self.reading.root * (self.offset @ w) if self.offset.any() else fit

    def slopes(self, residuals: np.ndarray) -> np.ndarray:
        """(k, ...): products with weighted residuals of mean zero."""
        columns = self.columns
        if type(columns) is not np.ndarray:
            return columns.T @ residuals

        def work(span: slice) -> np.ndarray:
            return product(columns[span].T, residuals[span])

        return _over_rows(columns, work)


def _over_rows(x: np.ndarray, work: Callable[[slice], Any]) -> Any:
    """The sum of `work` over the rows of copies: in one task where these are few entries."""
    if x.size < STRETCH_ENTRIES:
        return work(slice(0, len(x)))
    return summed(_spans(len(x), x.shape[1], len(x) // TASKS), work, operator.add)


def chosen(
    reading: Reading, where: np.ndarray, before: list[Chosen]
) -> list[tuple[np.ndarray, Chosen, np.ndarray]]:
    """Copies of the columns `where` (k,), in one piece or two, with their products.

    Each piece comes with its part of `where` and its products (m, k) with all columns chosen
    before and with its own.
    """
    if not reading.rows.is_sparse:
        count_rows(reading.rows.n_rows * len(where) / reading.rows.n_columns)
        return [(where, *_dense(reading, reading.rows.X, where, where, before))]
    X, found = reading.rows.X, []
    full = np.isin(where, X.where)
    if (~full).any():
        found.append((where[~full], *_sparse(reading, X.sparse[:, where[~full]], before)))
        before = [*before, found[0][1]]
    if full.any():
        at = np.searchsorted(X.where, where[full])
        found.append((where[full], *_dense(reading, X.dense, at, where[full], before)))
    return found


def _dense(
    reading: Reading, X: np.ndarray, at: np.ndarray, where: np.ndarray, before: list[Chosen]
) -> tuple[Chosen, np.ndarray]:
    """The columns `at` of an array, which are `where` in the table."""
    shift = reading.near[where]
    piece, products = _about(shift, reading, X, at, before)
    if reading.centred and (piece.offset**2 > MOST_OFF**2 * products[-len(at) :].diagonal()).any():
        # The rows looked at are far from the others
        piece, products = _about(shift + piece.offset, reading, X, at, before)
    return piece, products


def _about(
    shift: np.ndarray, reading: Reading, X: np.ndarray, at: np.ndarray, before: list[Chosen]
) -> tuple[Chosen, np.ndarray]:
    """The columns minus `shift` (k,), and products of columns about their means."""
    # In the order of rows, in which products of blocks are twice as fast
    columns, root = np.empty((len(X), len(at))), reading.root
    height = max(BLOCK_ENTRIES // X.shape[1], SHORTEST)

    def work(span: slice) -> list[np.ndarray]:
        means = np.zeros(len(at))
        for first in range(span.start, span.stop, height):
            rows = slice(first, min(first + height, span.stop))
            block, share = columns[rows], root[rows]
            np.subtract(X[rows][:, at], shift, out=block)
            block *= share[:, None]
            means += np.dot(share, block)
        block = columns[span]
        across = [_array(product(piece.columns[span].T, block)) for piece in before]
        return [np.concatenate([*across, product(block.T, block)]), means]

    spans = _spans(len(X), len(at), max(SHORTEST, len(X) // TASKS))
    products, offset = summed(spans, work, add_each)
    if not reading.centred:
        return Chosen(reading, columns, np.zeros_like(offset), shift), products
    offsets = np.concatenate([*(piece.offset for piece in before), offset])
    products -= np.multiply.outer(offsets, offset)
    return Chosen(reading, columns, offset, shift + offset), products


def _sparse(reading: Reading, x, before) -> tuple[Chosen, np.ndarray]:
    x = csr_array(x, dtype=np.float64, copy=True)
    x.data *= np.repeat(reading.root, np.diff(x.indptr))
    means = x.T @ reading.root if reading.centred else np.zeros(x.shape[1])
    piece = Chosen(reading, x, means, means)
    products = [
        _array(other.columns.T @ x) - np.multiply.outer(other.offset, means)
        for other in (*before, piece)
    ]
    return piece, np.concatenate(products)


def _array(product) -> np.ndarray:
    return product if type(product) is np.ndarray else product.toarray()
