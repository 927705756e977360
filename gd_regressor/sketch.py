"""A sketch of the rows: moments good enough for a metric, at a fraction of their price."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
from scipy.sparse import csc_array

from gd_regressor.blocks import Rows, map_stretches
from gd_regressor.moments import HUGE, TINY, Moments, origin_of

# Stretches of rows are sketched apart, as many as leave each sketch this many times as high as the
# columns: should all that matters lie in one stretch, its own sketch still spans the columns
MOST_STRETCHES, LEAST_HEIGHT = 8, 3
# Columns further from zero than this many deviations are centred before they are sketched
FAR = 1e3


def sketched_moments(rows: Rows, height: int) -> Moments | None:
    """Moments whose products with columns come from a sketch S[1, X, y] of about `height` rows.

    Each row is added, with a random sign, to one row of the sketch drawn at random (a sparse sign
    embedding: Clarkson and Woodruff 2013). (SX)'(SX) has the expectation X'X, and its relative
    errors are about sqrt(d / height) in all directions at once. No row is left out: a single one
    that matters is there, and so are rare categories. The weight, and what concerns the targets
    alone, are exact. None where squares leave the range of floats.
    """
    stretches = min(max(height // (LEAST_HEIGHT * rows.X.shape[1]), 2), MOST_STRETCHES)
    exact = Moments.of(rows.targets_only)
    some = slice(None, None, -(-len(rows.X) // 256))
    x, y = (np.asarray(a[some], dtype=np.float64) for a in (rows.X, rows.y))
    origin = origin_of(x, y, None, FAR)[: x.shape[1]]

    @np.errstate(over="ignore", invalid="ignore")  # seen by _usable
    def stretch(first, last):
        random = np.random.default_rng(first)  # the same bits every time
        spans = [slice(first, last)] if _as_is(rows, origin) else rows.spans(first, last)
        blocks = (_block(rows, span, origin, exact.target_origin) for span in spans)
        parts = (_embedded(block, height // stretches, random) for block in blocks)
        return _products(*reduce(_add_each, parts))

    with np.errstate(over="ignore", invalid="ignore"):
        ones, x1, y1, xx, xy = reduce(_add_each, map_stretches(rows, stretch, stretches))
        mean = x1 / ones
        xx -= np.multiply.outer(x1, mean)
        xy = xy - np.multiply.outer(mean, y1)
    scale = np.ones_like(mean)
    moments = replace(exact, origin=origin, scale=scale, mean=mean, xx=xx, xy=xy)
    return moments if _usable(xx, rows.X.dtype) else None


def _as_is(rows: Rows, origin: np.ndarray) -> bool:
    """Whether rows can be embedded without a copy of them."""
    return rows.X.flags.c_contiguous and not origin.any()


def _block(rows: Rows, span: slice, origin: np.ndarray, target_origin: np.ndarray):
    """Columns, targets and weights of some rows, less the origins."""
    x = np.ascontiguousarray(rows.X[span])
    if origin.any():
        x = x - origin.astype(x.dtype)
    s = None if rows.weights is None else rows.weights[span]
    return x, rows.y[span] - target_origin, s


def _embedded(block, height: int, random: np.random.Generator) -> list[np.ndarray]:
    """S1 (height,), SX (height, d) and Sy (height, t) for a random S."""
    x, y, s = block
    buckets = random.integers(0, height, len(x), dtype=np.int32)
    signs = random.integers(0, 2, len(x)) * 2.0 - 1
    if s is not None:
        signs *= np.sqrt(s)
    pointers = np.arange(len(x) + 1, dtype=np.int32)
    embedding = csc_array((signs.astype(x.dtype), buckets, pointers), shape=(height, len(x)))
    ones = np.bincount(buckets, weights=signs, minlength=height)
    return [ones, embedding @ x, embedding @ y]


def _products(ones, x, y) -> list[np.ndarray]:
    """Those that moments are made of."""
    x1 = x.T @ ones.astype(x.dtype)
    parts = ones @ ones, x1, y.T @ ones, x.T @ x, x.T @ y.astype(x.dtype)
    return [np.asarray(part, dtype=np.float64) for part in parts]


def _add_each(a: list, b: list) -> list:
    return list(map(add, a, b))


def _usable(xx: np.ndarray, dtype: np.dtype) -> bool:
    """Whether products of `dtype` have neither overflown nor vanished."""
    tiny, huge = (1e-30, 1e35) if dtype == np.float32 else (TINY, HUGE)
    scatter = np.diag(xx)
    return bool((((scatter > tiny) & (scatter < huge)) | (scatter == 0)).all())
