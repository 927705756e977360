"""Origins: values near the means of columns, about which their products keep all digits."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.slices import leading_bits
from gd_regressor.data.moved import few_enough
from gd_regressor.data.sparse import SparseColumns

# Rows to find an origin from, and the fewest of a table of many columns
SAMPLED, LEAST_SAMPLED = 256, 64
# The entries of rows of many columns, which take longer to look at
SAMPLED_ENTRIES = 1 << 15
# Columns whose means lie within so many ranges of zero need no origin: they lose few digits
NO_ORIGIN = 0.5
# Bits of an origin below the range of its column: it is as near to the mean as it has to be
NEAR_BITS = 6


def mean_of(rows: np.ndarray) -> np.ndarray:
    """The mean of few rows. For a constant column it is exact."""
    first = rows[0]
    return first + np.add.reduce(rows - first) / len(rows)


def origins_of(x, y, s) -> tuple[np.ndarray, np.ndarray]:
    """(d,) and (t,): values near the means, zero for sparse columns."""
    if not isinstance(x, SparseColumns):
        near, d = origin_of(x, y, s, NO_ORIGIN), x.shape[1]
        return near[:d], near[d:]
    near, origin = origin_of(x.dense, y, s, NO_ORIGIN), np.zeros(x.shape[1])
    origin[x.where] = near[: x.where.size]
    return origin, near[x.where.size :]


def origin_of(x: np.ndarray, y: np.ndarray, s: np.ndarray | None, far: float) -> np.ndarray:
    """A value near the mean of each column and target. For a constant one it is exact.

    If few columns have a mean further than `far` ranges from zero, the others keep the origin zero:
    there is little to gain, and they need no copy. If more are far, we move all columns, which
    takes no longer; likewise with weights, which need a copy anyway. Then a row with nearly all of
    the weight hides no other. An origin has few bits, so whole numbers still have exact products.
    """
    most = min(SAMPLED, max(SAMPLED_ENTRIES // (x.shape[1] + y.shape[1]), LEAST_SAMPLED))
    some = slice(None, None, -(-len(x) // most))
    rows = np.concatenate((x[some], y[some]), axis=1)
    apart = rows - rows[0]
    step = apart.sum(axis=0) / len(apart) if s is None else s[some] @ apart / s[some].sum()
    near, d = rows[0] + step, x.shape[1]
    spread = np.abs(apart).max(axis=0)
    away = np.abs(near[:d]) > far * spread[:d]
    if s is None and few_enough(int(away.sum()), d):
        near[:d][~away] = 0.0
    few = leading_bits(near, spread, NEAR_BITS)
    # Near the largest floats the cut overflows
    return np.where((spread > 0) & np.isfinite(few), few, near)
