"""A sketch of the rows: moments good enough for a metric, at a fraction of their price."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csc_array

from gd_regressor.arithmetic.threads import product
from gd_regressor.data.moments import HUGE, TINY, Moments, origin_of
from gd_regressor.data.table import Rows, add_each

# Stretches of rows are sketched apart, as many as leave each sketch this many times as high as the
# columns: should all that matters lie in one stretch, its own sketch still spans the columns
MOST_STRETCHES, LEAST_HEIGHT = 8, 3
# Columns further from zero than their range are centred. Where it turns out that the square of a
# mean is OFF variances or more, another rung is for the table.
FAR, OFF = 1.0, 1e2
# Errors of this share of a column's range do not change what a metric is good for
UNSEEN = 2.0**-18
# Sums of squares in single precision between these have neither overflown nor vanished
SINGLE = 1e-30, 1e35


def sketched_moments(rows: Rows, height: int) -> Moments | None:
    """Moments whose products with columns come from a sketch S[1, X, y] of about `height` rows.

    Each row is added, with a random sign, to one row of the sketch drawn at random (a sparse sign
    embedding: Clarkson and Woodruff 2013). (SX)'(SX) has the expectation X'X, and its relative
    errors are about sqrt(d / height) in all directions at once. No row is left out: a single one
    that matters is there, and so are rare categories. The weight, and what concerns the targets
    alone, are exact. A metric needs few digits: X'X is multiplied in single precision, in columns
    of range 1. None where these have lost too many, or squares leave the range of floats.
    """
    stretches = min(max(height // (LEAST_HEIGHT * rows.n_columns), 2), MOST_STRETCHES)
    exact, (origin, unit, near) = Moments.of_rows(rows.targets_only), _origin_and_unit(rows)
    origins = origin.astype(rows.precision), exact.target_means

    def stretch(part):
        with np.errstate(over="ignore", invalid="ignore"):  # seen by _in_range
            return _products(_embedded(part, origins, height // stretches, near), unit)

    with np.errstate(over="ignore", invalid="ignore"):
        ones, x1, y1, xx, xy = rows.total(stretch, add_each, stretches)
        usable = _in_range(xx.diagonal(), x1, *SINGLE)
        xx *= unit
        xx *= unit[:, None]
        mean = x1 / ones
        xx -= np.multiply.outer(x1, mean)
        xy = xy - np.multiply.outer(mean, y1)
        scatter = xx.diagonal()
        usable &= _in_range(scatter, x1, TINY, HUGE) and (ones * mean**2 <= OFF * scatter).all()
    scale = np.ones_like(mean)
    moments = replace(exact, origin=origin, scale=scale, mean=mean, xx=xx, xy=xy)
    return moments if usable else None


@np.errstate(over="ignore", invalid="ignore")
def _origin_and_unit(rows: Rows) -> tuple[np.ndarray, np.ndarray, bool]:
    """(d,) near the means, if that is far from zero in some column; (d,) powers of two: ranges.

    And whether these origins are so near to zero that they can be taken out of the sketch.
    """
    some = slice(None, None, -(-rows.n_rows // 256))
    x, y = (np.asarray(a[some], dtype=np.float64) for a in (rows.X, rows.y))
    s = None if rows.weights is None else rows.weights[some]
    s = s if s is not None and s.any() else None
    spread = np.abs(x - x[0]).max(axis=0)
    origin = origin_of(x, y, s, FAR)[: x.shape[1]]
    # Of a constant column only the difference from its origin is exactly zero
    near = bool((np.abs(origin) * np.finfo(rows.precision).eps <= UNSEEN * spread).all())
    spread = np.where((spread > 0) & np.isfinite(spread), spread, 1.0)
    return origin, np.ldexp(1.0, np.minimum(np.frexp(spread)[1], 1023)), near


def _embedded(rows: Rows, origins, height: int, near: bool) -> list[np.ndarray]:
    """S1 (height,), SX (height, d) and Sy (height, t) for a random S, without the origins."""
    random = np.random.default_rng(rows.first)  # the same bits every time
    ready = rows.X.flags.c_contiguous and rows.X.dtype == rows.precision
    if ready and near:  # at once, without a copy of the rows: S(X - 1 origin') = SX - S1 origin'
        everything, nothing = slice(0, rows.n_rows), np.zeros_like(origins[0])
        drawn = _drawn(rows.n_rows, height, random)
        ones, x, y = _added(rows, everything, (nothing, origins[1]), *drawn)
        if origins[0].any():
            for first in range(0, len(x), rows.block_rows):  # less memory than all at once
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
    """For n rows, the row of the sketch that each is added to, and the sign."""
    return random.integers(0, height, n, dtype=np.int32), random.integers(0, 2, n) * 2.0 - 1


def _added(rows: Rows, span: slice, origins, places, signs) -> list[np.ndarray]:
    """The sums of ones, columns and targets of some rows by the place that each is added to."""
    x = np.ascontiguousarray(rows.X[span], dtype=rows.precision)
    x = x - origins[0] if origins[0].any() else x
    y = (rows.y[span] - origins[1]).astype(x.dtype)
    if rows.weights is not None:
        signs = signs * np.sqrt(rows.weights[span])
    matrix = signs.astype(x.dtype), places, np.arange(len(x) + 1, dtype=np.int32)
    embedding = csc_array(matrix, shape=(int(places.max()) + 1, len(x)))
    return [embedding.sum(axis=1), embedding @ x, embedding @ y]


def _products(sketch: list[np.ndarray], unit: np.ndarray) -> list[np.ndarray]:
    """Those that moments are made of, of columns with columns in their units. Empties `sketch`."""
    ones, x, y = sketch
    sketch.clear()  # the largest arrays of a fit: no copy is kept longer than it is needed
    x1, xy = product(x.T, ones.astype(x.dtype)), product(x.T, y)
    x = np.divide(x, unit, out=np.empty(x.shape, np.float32), casting="same_kind")
    parts = ones @ ones, x1, y.T @ ones, product(x.T, x), xy
    return [np.asarray(part, dtype=np.float64) for part in parts]


def _in_range(scatter: np.ndarray, x1: np.ndarray, tiny: float, huge: float) -> bool:
    """Whether squares have neither overflown nor vanished, but those of constant columns."""
    constant = (scatter == 0) & (x1 == 0)
    return bool((((scatter > tiny) & (scatter < huge)) | constant).all())
