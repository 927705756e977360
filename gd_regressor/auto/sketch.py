"""A sketch of the rows: its moments are good enough for a metric, and cheap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csc_array

from gd_regressor.arithmetic.ranges import (
    LARGEST_SCATTER,
    LARGEST_SINGLE,
    SMALLEST_SCATTER,
    SMALLEST_SINGLE,
)
from gd_regressor.arithmetic.threads import product
from gd_regressor.arithmetic.units import power_of_two_above
from gd_regressor.data.moments import Moments
from gd_regressor.data.origins import SAMPLED, origin_of
from gd_regressor.data.table import Rows, add_each

# We sketch stretches of rows apart, and each sketch has LEAST_HEIGHT times as many rows as columns,
# or more. So if all information lies in one stretch, the sketch of it still spans the columns
MOST_STRETCHES, LEAST_HEIGHT = 8, 3
# We centre columns that are further from zero than CENTRED_FROM times their range. If the square
# of a mean turns out to be OFF variances or more, we leave the table to another rung
CENTRED_FROM, OFF = 1.0, 1e2
# A metric is as good with errors of this share of a column's range
UNSEEN = 2.0**-18


def sketched_moments(
    rows: Rows, height: int, products: type = np.float32
) -> tuple[Moments | None, list[float]]:
    """Moments whose products with columns come from a sketch S[1, X, y] of about `height` rows.

    S adds each row, with a random sign, to one random row of the sketch (a sparse sign embedding:
    Clarkson and Woodruff 2013). (SX)'(SX) has the expectation X'X. Its relative errors are about
    sqrt(d / height) in all directions at once. S leaves no row out, so a single row that matters
    counts, and rare categories do too. The weight and the moments of the targets alone are exact.

    A metric needs few digits, so we multiply X'X in single precision, in columns of range 1, unless
    `products` names another: then small pivots have digits, too. The
    result is None if this loses too many digits, or squares leave the range of floats.

    The sums beside the moments show a NaN or an infinity in X or y, because S leaves no row out.
    """
    stretches = min(max(height // (LEAST_HEIGHT * rows.n_columns), 2), MOST_STRETCHES)
    exact, (origin, unit, near) = Moments.of_rows(rows.targets_only), _origin_and_unit(rows)
    origins = origin.astype(rows.precision), exact.target_means

    def stretch(part):
        with np.errstate(over="ignore", invalid="ignore"):  # _in_range looks
            return _products(_embedded(part, origins, height // stretches, near), unit, products)

    with np.errstate(over="ignore", invalid="ignore"):
        ones, x1, y1, xx, xy = rows.total(stretch, add_each, stretches)
        usable = _in_range(xx.diagonal(), x1, SMALLEST_SINGLE, LARGEST_SINGLE)
        xx *= unit
        xx *= unit[:, None]
        mean = x1 / ones
        xx -= np.multiply.outer(x1, mean)
        xy = xy - np.multiply.outer(mean, y1)
        scatter = xx.diagonal()
        usable &= _in_range(scatter, x1, SMALLEST_SCATTER, LARGEST_SCATTER)
        usable &= bool((ones * mean**2 <= OFF * scatter).all())
    scale = np.ones_like(mean)
    moments = replace(exact, origin=origin, scale=scale, mean=mean, xx=xx, xy=xy)
    return moments if usable else None, [*scatter.tolist(), *exact.yy.tolist()]


@np.errstate(over="ignore", invalid="ignore")
def _origin_and_unit(rows: Rows) -> tuple[np.ndarray, np.ndarray, bool]:
    """Origins (d,), units (d,), and whether we can subtract the origins from the sketch.

    Origins are near the means. If few columns are far from zero, those of the others are zero.
    Units are powers of two near the ranges. If origins are near zero, to subtract them from SX
    costs no digit that matters.
    """
    some = slice(None, None, -(-rows.n_rows // SAMPLED))
    x, y = (np.asarray(a[some], dtype=np.float64) for a in (rows.X, rows.y))
    s = None if rows.weights is None else rows.weights[some]
    s = s if s is not None and s.any() else None
    spread = np.abs(x - x[0]).max(axis=0)
    origin = origin_of(x, y, s, CENTRED_FROM)[: x.shape[1]]
    # A constant column has spread 0 and is never near: subtracted from rows it is exactly zero
    near = bool((np.abs(origin) * np.finfo(rows.precision).eps <= UNSEEN * spread).all())
    spread = np.where((spread > 0) & np.isfinite(spread), spread, 1.0)
    return origin, power_of_two_above(spread), near


def _embedded(rows: Rows, origins, height: int, near: bool) -> list[np.ndarray]:
    """S1 (height,), SX (height, d) and Sy (height, t) for a random S, origins subtracted."""
    random = np.random.default_rng(rows.first)  # each stretch has the same S every time
    ready = rows.X.flags.c_contiguous and rows.X.dtype == rows.precision
    if ready and near:  # S(X - 1 origin') = SX - S1 origin' needs no copy of the rows
        everything, nothing = slice(0, rows.n_rows), np.zeros_like(origins[0])
        drawn = _drawn(rows.n_rows, height, random)
        ones, x, y = _added(rows, everything, (nothing, origins[1]), *drawn)
        if origins[0].any():
            for first in range(0, len(x), rows.block_rows):  # one block at a time takes less memory
                block = slice(first, first + rows.block_rows)
                x[block] -= np.multiply.outer(ones[block].astype(x.dtype), origins[0])
        return [ones, x, y]
    shapes = (height,), (height, rows.n_columns), (height, rows.n_targets)
    sketch = [np.zeros(shape, dtype=rows.precision) for shape in shapes]
    for span in rows.spans():
        buckets, signs = _drawn(span.stop - span.start, height, random)
        some, places = np.unique(buckets, return_inverse=True)
        for total, part in zip(sketch, _added(rows, span, origins, places, signs), strict=True):
            total[some] += part
    return sketch


def _drawn(n: int, height: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """For each of n rows the row of the sketch to add it to, and the sign."""
    return random.integers(0, height, n, dtype=np.int32), random.integers(0, 2, n) * 2.0 - 1


def _added(rows: Rows, span: slice, origins, places, signs) -> list[np.ndarray]:
    """Add ones, columns and targets of the rows in `span`, each row to its place."""
    x = np.ascontiguousarray(rows.X[span], dtype=rows.precision)
    x = x - origins[0] if origins[0].any() else x
    y = (rows.y[span] - origins[1]).astype(x.dtype)
    if rows.weights is not None:
        signs = signs * np.sqrt(rows.weights[span])
    matrix = signs.astype(x.dtype), places, np.arange(len(x) + 1, dtype=np.int32)
    embedding = csc_array(matrix, shape=(int(places.max()) + 1, len(x)))
    return [embedding.sum(axis=1), embedding @ x, embedding @ y]


def _products(sketch: list[np.ndarray], unit: np.ndarray, dtype: type) -> list[np.ndarray]:
    """The products that moments need, of columns in their units. This empties `sketch`."""
    ones, x, y = sketch
    sketch.clear()  # it holds the largest arrays of a fit, so we drop them early
    x1, xy = product(x.T, ones.astype(x.dtype)), product(x.T, y)
    x = np.divide(x, unit, out=np.empty(x.shape, dtype), casting="same_kind")
    parts = ones @ ones, x1, y.T @ ones, product(x.T, x), xy
    return [np.asarray(part, dtype=np.float64) for part in parts]


def _in_range(scatter: np.ndarray, x1: np.ndarray, tiny: float, huge: float) -> bool:
    """Whether no square overflowed or vanished. Squares of constant columns may vanish."""
    constant = (scatter == 0) & (x1 == 0)
    return bool((((scatter > tiny) & (scatter < huge)) | constant).all())
