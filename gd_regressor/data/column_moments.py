"""Moments of sparse columns one by one, for tables with too many columns for their products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.data.checks import numbered
from gd_regressor.data.origins import origins_of
from gd_regressor.data.table import Rows, add_each

SMALLEST = float(np.finfo(np.float64).tiny)  # below it, squares lose digits


@dataclass(frozen=True, eq=False)
class ColumnMoments:
    """Moments without products of columns: no array has size (d, d)."""

    weight: float
    column_means: np.ndarray  # (d,)
    target_means: np.ndarray  # (t,)
    scatter: np.ndarray  # (d,): sum of s (x - mean)^2
    xy: np.ndarray  # (d, t)
    yy: np.ndarray  # (t,)

    @property
    def scale(self) -> np.ndarray:
        """(d,): ones, because the columns are not divided."""
        return np.ones(len(self.scatter))


def column_moments(rows: Rows) -> ColumnMoments:
    """The moments of sparse columns, in one pass."""
    first = next(rows.blocks(rows.vector_rows, as_stored=True))
    (origin, target_origin), (d, t) = origins_of(*first), (rows.n_columns, rows.n_targets)

    def of_part(part):
        sums, squares, ys = np.zeros((d, 1 + t)), np.zeros(d), np.zeros((1 + t, 1 + t))
        for x, y, s in part.blocks(part.vector_rows, as_stored=True):
            x, table = x.moved(origin), np.column_stack([np.ones(len(y)), y - target_origin])
            weighted = table if s is None else s[:, None] * table
            sums += x.T @ weighted
            squares += x.column_sums(weighted[:, 0])
            ys += weighted.T @ table
        return sums, squares, ys

    with np.errstate(over="ignore", invalid="ignore"):
        sums, squares, ys = rows.total(of_part, add_each)
        weight, y_sums = float(ys[0, 0]), ys[0, 1:]
        mean, target_mean = sums[:, 0] / weight, y_sums / weight
        scatter = squares - weight * mean**2
        # A column stored in one row of each hundred millions differs from its mean; rounding does
        scatter = np.where(scatter > 4 * EPS * squares, scatter, 0.0)
        finite = np.isfinite(squares) & np.isfinite(scatter) & np.isfinite(sums).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"X: the squares of {numbered(np.argmin(finite))} overflow; divide the column."
        )
    if (squares < SMALLEST).any():
        _check_no_squares_vanish(rows, origin)
    yy = np.maximum(np.diag(ys)[1:] - y_sums * target_mean, 0.0)
    xy = sums[:, 1:] - np.multiply.outer(mean, y_sums)
    return ColumnMoments(weight, origin + mean, target_origin + target_mean, scatter, xy, yy)


def _check_no_squares_vanish(rows: Rows, origin: np.ndarray) -> None:
    """Refuse a column whose squares about `origin` vanish: it would pass for a constant one."""

    def largest_of(part):
        blocks = part.blocks(part.vector_rows, as_stored=True)
        return np.max([x.moved(origin).largest() for x, _, _ in blocks], axis=0, initial=0.0)

    largest = rows.total(largest_of, np.maximum)
    vanish = (largest > 0) & (largest**2 < SMALLEST)
    if vanish.any():
        raise ValueError(
            f"X: the squares of {numbered(np.argmax(vanish))} vanish; multiply the column."
        )
