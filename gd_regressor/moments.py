"""Moments: the sufficient statistics of least squares, mergeable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from sklearn.utils import assert_all_finite

from gd_regressor.blocks import Block, Rows, map_stretches

# Blocks that share one provisional centre. If all rows of the first lie at one point and the rest
# far from it, subtracting that centre's share afterwards costs a factor of GROUP in precision.
GROUP = 16
# Outside these bounds a column's scatter is computed again in other units: its products with
# other columns must neither overflow nor vanish
TINY, HUGE = 1e-120, 1e120
WIDEST = 8e307  # differences of columns from their origins
# An origin whose square is this many variances from the mean costs four digits
FAR = 1e4


@dataclass(frozen=True)
class Moments:
    """Total weight, means, and weighted sums of centred products of columns and targets.

    A mean is kept as `origin + mean`: an origin near the data, so that a column far from zero
    loses nothing, and exactly the value of a constant column, whose scatter is therefore exactly
    zero. `mean`, `xx` and `xy` are those of columns divided by `scale`, powers of two and nearly
    always 1. Moments of disjoint rows add up; t targets share one `xx`.

    They square the condition number: what is below 1e-16 of a column's scatter, 1e-8 of its
    deviation, is rounding.
    """

    weight: float
    origin: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)
    mean: np.ndarray  # (d,): of (X - origin) / scale
    target_origin: np.ndarray  # (t,)
    target_mean: np.ndarray  # (t,): of y - target_origin
    xx: np.ndarray  # (d, d): sum of s (x - mean)(x - mean)'
    xy: np.ndarray  # (d, t)
    yy: np.ndarray  # (t,)

    @classmethod
    def of(cls, rows: Rows) -> Moments:
        """The moments of `rows`, in one pass."""

        def stretch(first: int, last: int) -> Moments | None:
            step = GROUP * rows.block_rows
            if last - first <= step:
                return _of_group(rows, first, last)
            spans = ((a, min(a + step, last)) for a in range(first, last, step))
            return _total(_of_group(rows, *span) for span in spans)

        return _total(map_stretches(rows, stretch))

    def __add__(self, other: Moments) -> Moments:
        scale = np.maximum(self.scale, other.scale)
        a, b = self._in_units(scale), other._in_units(scale)
        weight = a.weight + b.weight
        share, both = b.weight / weight, a.weight * b.weight / weight
        step = (b.origin - a.origin) / scale + (b.mean - a.mean)
        target_step = (b.target_origin - a.target_origin) + (b.target_mean - a.target_mean)
        return Moments(
            weight,
            a.origin,
            scale,
            a.mean + share * step,
            a.target_origin,
            a.target_mean + share * target_step,
            a.xx + b.xx + np.multiply.outer(both * step, step),
            a.xy + b.xy + np.multiply.outer(both * step, target_step),
            a.yy + b.yy + both * target_step**2,
        )

    def _in_units(self, scale: np.ndarray) -> Moments:
        if np.array_equal(scale, self.scale):
            return self
        ratio = self.scale / scale  # a power of two: exact
        return Moments(
            self.weight,
            self.origin,
            scale,
            self.mean * ratio,
            self.target_origin,
            self.target_mean,
            self.xx * ratio * ratio[:, None],
            self.xy * ratio[:, None],
            self.yy,
        )

    @property
    def column_means(self) -> np.ndarray:
        """(d,): the means of the columns, in their own units."""
        return self.origin + self.scale * self.mean

    @property
    def target_means(self) -> np.ndarray:
        """(t,): the means of the targets."""
        return self.target_origin + self.target_mean


def _total(parts) -> Moments | None:
    present = (part for part in parts if part is not None)  # all weights of a part may be zero
    first = next(present, None)
    return None if first is None else reduce(add, present, first)


def _of_group(rows: Rows, first: int, last: int) -> Moments | None:
    start = next(rows.blocks(first, last), None)
    if start is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # seen below, where new units are chosen
        near, d = origin_of(*start, far=0.5), start[0].shape[1]
        origin, target_origin, scale = near[:d], near[d:], np.ones(d)
        moments = _centred(rows.blocks(first, last), origin, target_origin, scale)
        if (moments.weight * moments.mean**2 > FAR * moments.xx.diagonal()).any():
            # The first rows, or those of little weight, are far from the others
            origin = origin + moments.mean
            moments = _centred(rows.blocks(first, last), origin, target_origin, scale)
    scatter = moments.xx.diagonal()
    if scatter.min(initial=1.0) > TINY and scatter.max(initial=1.0) < HUGE:
        return moments
    odd = np.flatnonzero(~((scatter > TINY) & (scatter < HUGE)))
    spread = np.zeros(odd.size)
    for x, _, _ in rows.blocks(first, last):
        spread = np.maximum(spread, np.abs(x[:, odd] - origin[odd]).max(axis=0))
    if not (spread <= WIDEST).all():
        assert_all_finite(rows.X, estimator_name="GDLinearRegressor", input_name="X")
        raise ValueError(
            f"X: the values of column {odd[~(spread <= WIDEST)][0]} are further apart than "
            "floating-point numbers reach; divide the column."
        )
    if not spread.any():  # the odd columns are constant
        return moments
    scale[odd] = np.where(spread > 0, np.ldexp(1.0, np.frexp(spread)[1]), 1.0)
    return _centred(rows.blocks(first, last), origin, target_origin, scale)


def origin_of(x: np.ndarray, y: np.ndarray, s: np.ndarray | None, far: float) -> np.ndarray:
    """A value near the mean of each column and target, exactly that of one that is constant.

    Zero for those that have it within `far` times their range: there is little to gain, and where
    all columns do there is nothing to subtract.
    """
    some = slice(None, None, -(-len(x) // 256))
    rows = np.concatenate((x[some], y[some]), axis=1)
    apart = rows - rows[0]
    step = apart.sum(axis=0) / len(apart) if s is None else s[some] @ apart / s[some].sum()
    near, spread = rows[0] + step, np.abs(apart).max(axis=0)
    return np.where(np.abs(near) > far * spread, near, 0.0)


def side_by_side(out: np.ndarray, block: Block, centre, target_centre, scale) -> None:
    """Write [1, (x - centre) / scale, y - target_centre] to `out`, rows times the root of s."""
    x, y, s = block
    d = len(centre)
    out[:, 0] = 1
    if centre.any():
        np.subtract(x, centre, out=out[:, 1 : d + 1])
    else:
        out[:, 1 : d + 1] = x
    np.subtract(y, target_centre, out=out[:, d + 1 :])
    if (scale != 1).any():
        out[:, 1 : d + 1] /= scale
    if s is not None:
        out *= np.sqrt(s)[:, None]


def _centred(blocks, origin, target_origin, scale) -> Moments:
    d, t = len(origin), len(target_origin)
    # A symmetric product costs half, unless the targets with each other are most of it
    symmetric, yy = t <= d, np.zeros(t)
    products = np.zeros((1 + d + t if symmetric else 1 + d, 1 + d + t))
    table = np.empty((0, 1 + d + t))
    for x, y, s in blocks:
        if len(table) < len(x):
            table = np.empty((len(x), 1 + d + t))
        block = table[: len(x)]
        side_by_side(block, (x, y, s), origin, target_origin, scale)
        # One product holds the weight, the sums and the rest
        products += block[:, : len(products)].T @ block
        if not symmetric:
            yy += np.einsum("ij,ij->j", block[:, d + 1 :], block[:, d + 1 :])
    weight, sums = products[0, 0], products[0, 1:]
    means = sums / weight
    central = products[1:, 1:]
    central -= np.multiply.outer(products[1:, 0], means)
    yy = central.diagonal()[d:] if symmetric else yy - sums[d:] * means[d:]
    return Moments(
        float(weight),
        origin,
        scale,
        means[:d],
        target_origin,
        means[d:],
        central[:d, :d],
        central[:d, d:],
        np.maximum(yy, 0.0),
    )
