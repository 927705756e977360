"""What values must be: finite, and targets of a size whose squares are numbers."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import issparse

SMALLEST_TARGET, LARGEST_TARGET = 1e-140, 1e150
ROWS_AT_ONCE = 1 << 12  # when a value is looked for that is not finite


def check_finite(array: np.ndarray, name: str, first: int = 0) -> None:
    """Refuse NaN and infinity. A sum shows most arrays to be free of them in no time.

    `first` is the number of the first row, in the table that this is a part of.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # scipy's own sum of a sparse matrix would add its duplicates up, in place
        total = array.data.sum() if issparse(array) else array.sum()
    if math.isfinite(total):
        return
    if issparse(array):
        stored = array.tocoo()
        wrong = np.flatnonzero(~np.isfinite(stored.data))
        if wrong.size:
            _refuse(name, stored.data[wrong[0]], stored.row[wrong[0]], stored.col[wrong[0]])
        return
    for start in range(0, len(array), ROWS_AT_ONCE):
        rows = array[start : start + ROWS_AT_ONCE]
        finite = np.isfinite(rows)
        if not finite.all():
            row, *column = map(int, np.argwhere(~finite)[0])
            _refuse(name, rows[row, *column], first + start + row, *column)


def _refuse(name: str, value: float, row: int, column: int | None = None):
    what = "NaN" if np.isnan(value) else "infinity (inf)"
    where = f"row {row}" if column is None else f"row {row}, column {column}"
    raise ValueError(
        f"Input {name} contains {what} in {where}, counting from 0; fill it, or leave the row out."
    )


def check_targets(y: np.ndarray, weights: np.ndarray | None = None) -> None:
    """Refuse values that are not finite, or whose squares overflow or vanish."""
    check_squares(largest_target(y, weights))


def largest_target(y: np.ndarray, weights: np.ndarray | None = None, first: int = 0) -> float:
    """The largest size of a value with weight; refuses NaN and infinity in any."""
    check_finite(y[:, 0] if y.shape[1:] == (1,) else y, "y", first)
    counted = y if weights is None else y[weights > 0]
    return max(float(counted.max(initial=0)), -float(counted.min(initial=0)))


def check_squares(largest: float) -> None:
    """Refuse targets of up to this size, where their squares overflow or vanish."""
    if largest > LARGEST_TARGET:
        raise ValueError(
            f"y has values up to {largest:.3g}, whose squares overflow; divide y so that they are "
            f"at most {LARGEST_TARGET:g}."
        )
    if 0 < largest < SMALLEST_TARGET:
        raise ValueError(
            f"y has values of at most {largest:.3g}, whose squares vanish; multiply y so that they "
            f"are above {SMALLEST_TARGET:g}."
        )
