"""Few columns of a tall table: their products, and those of the targets, with all columns."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.threads import product
from gd_regressor.data.table import Rows

# A sample has ENOUGH rows for each column to tell which are in use, as long as these are no smaller
# and no larger a share of the rows than this
ENOUGH, SMALLEST_SAMPLE, LARGEST_SAMPLE = 32, 1 / 64, 1 / 16
# Its rows lie side by side in so many places, so that to read them takes as little time in the
# order of columns as in the order of rows
SAMPLE_PLACES = 64


def few_columns(
    part: Rows, where: np.ndarray, shift: np.ndarray, target_centre: np.ndarray
) -> np.ndarray:
    """Weighted sums (1 + t + k, d) over the rows, all with all columns minus `shift` (d,).

    The first are those of the columns themselves. Then come their products with the targets minus
    `target_centre` (t,), and with the columns `where` (k,).
    """
    t, height, moved = part.n_targets, part.block_rows, shift.any()
    sums = np.zeros((1 + t + len(where), part.n_columns))
    # Each of the others side by side, which makes a product with few of them a third faster
    table = np.empty((len(sums), min(height, part.n_rows)))
    for span in part.spans(height):
        x = np.asarray(part.X[span], dtype=np.float64)
        x = x - shift if moved else x
        others = table[:, : len(x)]
        others[0] = 1.0
        np.subtract(part.y[span].T, target_centre[:, None], out=others[1 : 1 + t])
        others[1 + t :] = x[:, where].T
        if part.weights is not None:
            others *= part.weights[span]
        # `np.dot` would copy rows of a table in the order of columns
        sums += np.matmul(others, x) if x.strides[0] == x.itemsize else product(others, x)
    return sums


def sample_of(rows: Rows) -> Rows:
    """Rows from everywhere, copied."""
    n = rows.n_rows
    share = min(max(ENOUGH * rows.n_columns / n, SMALLEST_SAMPLE), LARGEST_SAMPLE)
    height = int(share * n) // SAMPLE_PLACES
    firsts = [place * n // SAMPLE_PLACES for place in range(SAMPLE_PLACES)]
    X, y, weights = (
        None if a is None else np.concatenate([a[first : first + height] for first in firsts])
        for a in (rows.X, rows.y, rows.weights)
    )
    return Rows(np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64), weights)
