"""Few columns of a tall table: their products, and products of all columns with the targets."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.threads import product
from gd_regressor.data.table import Rows

# A sample has one row of so many. They lie side by side in so many places, so that to read them
# takes as little time in the order of columns as in the order of rows
ONE_ROW_IN, SAMPLE_PLACES = 16, 64


def few_columns(
    part: Rows, where: np.ndarray, shift: np.ndarray, target_centre: np.ndarray
) -> list[np.ndarray]:
    """Sums over the rows, of columns minus `shift` (d,) and targets minus `target_centre` (t,).

    The products (1 + k, 1 + k) of ones and the columns `where` (k,) with each other, and those
    (d, t) of all columns with the targets.
    """
    height, moved = part.vector_rows, shift.any()
    across, products = np.zeros((part.n_columns, part.n_targets)), np.zeros((1 + len(where),) * 2)
    table = np.ones((min(height, part.n_rows), 1 + len(where)))
    for x, y, s in part.blocks(height):
        x, residuals = x - shift if moved else x, y - target_centre
        chosen = table[: len(x)]
        chosen[:, 1:] = x[:, where]
        if s is not None:
            residuals *= s[:, None]
            chosen[:, 0] = 1.0
            chosen *= np.sqrt(s)[:, None]
        across += product(x.T, residuals)
        products += product(chosen.T, chosen)
    return [products, across]


def sample_of(rows: Rows) -> Rows:
    """One row in ONE_ROW_IN, copied."""
    n = rows.n_rows
    height = n // (ONE_ROW_IN * SAMPLE_PLACES)
    firsts = [place * n // SAMPLE_PLACES for place in range(SAMPLE_PLACES)]
    X, y, weights = (
        None if a is None else np.concatenate([a[first : first + height] for first in firsts])
        for a in (rows.X, rows.y, rows.weights)
    )
    return Rows(np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64), weights)
