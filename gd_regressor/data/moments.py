"""Moments: the sufficient statistics of least squares. Moments of disjoint rows add up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import check_consistent_length

from gd_regressor.arithmetic.doubled import Doubled, add_outer, plain, plus_outer
from gd_regressor.arithmetic.ranges import (
    LARGEST_SCATTER,
    LARGEST_SQUARE,
    SMALLEST_SCATTER,
    SMALLEST_SQUARE,
    WIDEST,
)
from gd_regressor.arithmetic.units import power_of_two_above
from gd_regressor.data.checks import (
    as_table,
    as_targets,
    check_addable,
    check_finite,
    check_squares,
    check_targets,
    checked_weights,
    columns_named,
    largest_target,
    numbered,
)
from gd_regressor.data.kinds import Columns, MatrixLike
from gd_regressor.data.origins import SAMPLED, mean_of, origins_of
from gd_regressor.data.products import Products, products_of
from gd_regressor.data.sparse import SparseColumns
from gd_regressor.data.table import STRETCHES, WIDE, Rows, Table, even

# Blocks that share one provisional centre. If all rows of the first lie at one point and the rest
# far from it, subtracting that centre's share afterwards costs a factor of GROUP in precision.
GROUP = 16
# To add up results of d x d numbers takes as long as to read d rows or so. So a stretch of a wide
# table has at least so many rows for each column, or half as many where it is one of two
ROWS_PER_COLUMN = 4
# With fewer than one entry in DENSER stored, products of sparse columns are cheaper
DENSER = 10
# An origin whose distance from the mean, squared, is so many variances costs four digits
ASTRAY = 1e4


class Low(NamedTuple):
    """The low halves of moments in twice the working precision."""

    mean: np.ndarray
    target_mean: np.ndarray
    xx: np.ndarray
    xy: np.ndarray


@dataclass(frozen=True, eq=False)
class Moments:
    """Total weight, means, and weighted sums of centred products of columns and targets.

    Make them with ``Moments.of(X, y)``, and give their sum to `GDLinearRegressor.fit_moments`.
    Moments of disjoint rows add up by ``+``, and ``-`` subtracts rows again. All targets share one
    `xx`.

    The mean of a column is ``origin + scale * mean``. The origin is near the data, so a column far
    from zero loses no digits. The origin of a constant column is exactly its value, so its scatter
    is exactly zero. `mean`, `xx` and `xy` belong to columns divided by `scale`. `scale` has powers
    of two, nearly always 1.

    Moments square the condition number. A variation below 1e-8 of a column's deviation is below
    1e-16 of its scatter, which is rounding. After a subtraction, rounding is 1e-16 of the largest
    scatter that was ever `held`.

    Parameters
    ----------
    weight : float
        Sum of the weights; without weights, the number of rows.
    origin : ndarray of shape (n_features,)
        A value near the mean of each column, in column units.
    scale : ndarray of shape (n_features,)
        Powers of two that divide the columns.
    mean : ndarray of shape (n_features,)
        Means of the columns ``x = (X - origin) / scale``.
    target_origin : ndarray of shape (n_targets,)
        A value near the mean of each target, in target units.
    target_mean : ndarray of shape (n_targets,)
        Means of the targets ``y - target_origin``.
    xx : ndarray of shape (n_features, n_features)
        Sum of ``s (x - mean)(x - mean)'`` over the rows, s the weight of a row. Not divided by
        `weight`.
    xy : ndarray of shape (n_features, n_targets)
        Sum of ``s (x - mean)(y - target_origin - target_mean)'`` over the rows.
    yy : ndarray of shape (n_targets,)
        Sum of ``s (y - target_origin - target_mean)^2`` over the rows.
    n_rows : int
        Number of rows whose weight is not zero.
    held : ndarray of shape (n_features + n_targets,) or None
        Largest diagonal of `xx`, and largest `yy`, before a subtraction; None without one.
    low : tuple of ndarray or None
        Low halves of `mean`, `target_mean`, `xx` and `xy`, if their sums are in twice the working
        precision.

    See Also
    --------
    GDLinearRegressor.fit_moments : Fit to moments.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor, Moments
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> moments = sum([Moments.of(X[:2], y[:2]), Moments.of(X[2:], y[2:])])
    >>> model = GDLinearRegressor().fit_moments(moments)
    >>> print(f"{model.coef_[0]:.5f} {model.intercept_:.5f}")
    0.60000 2.20000
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
    n_rows: int
    held: np.ndarray | None = None  # (d + t,)
    low: Low | None = None

    @classmethod
    def of(cls, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Moments:
        """Compute the moments of a chunk of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0, at least one of them above zero; None gives each row weight 1.

        Returns
        -------
        moments : Moments
            Moments of these rows. Add them to the moments of other rows.

        Raises
        ------
        ValueError
            If X, y or a weight is not finite, or the lengths differ.

        Examples
        --------
        >>> from gd_regressor import Moments
        >>> moments = Moments.of([[1.0], [3.0]], [2.0, 6.0])
        >>> print(moments.weight, moments.xx, moments.xy, moments.yy)
        2.0 [[2.]] [[4.]] [8.]
        """
        table, targets = as_table(X), as_targets(y)
        check_consistent_length(table, targets)
        with columns_named(X):
            check_finite(table, "X")
        weights, unit = checked_weights(sample_weight, len(targets))
        check_addable(unit)
        check_targets(targets, weights)
        table = SparseColumns.of(table, weights) if issparse(table) else table
        rows = Rows(table, targets.reshape(len(targets), -1), weights, unit=unit)
        return cls.of_rows(rows, precise=True).times(unit)

    @classmethod
    def of_rows(cls, rows: Table[Moments], *, precise: bool = False) -> Moments:
        """Compute the moments of a table, in one pass.

        Parameters
        ----------
        rows : Table
            The validated table.
        precise : bool, default=False
            Whether to sum in twice the working precision, which takes four times as long.

        Returns
        -------
        moments : Moments
            The moments of all rows.
        """
        if rows.known is not None and not precise:
            return rows.known
        # None only where no row has weight, which is refused where a table is made
        moments: Any = sums_of(rows, precise=precise)
        check_squares_in(moments, rows)
        return moments

    @np.errstate(over="ignore", invalid="ignore")  # _check_targets looks at the values later
    def __add__(self, other: Moments) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        if self.xy.shape != other.xy.shape:
            raise ValueError(
                "Moments of the same columns and targets add up, got (columns, targets) "
                f"{self.xy.shape} and {other.xy.shape}."
            )
        if self.weight + other.weight == 0:
            raise ValueError("Moments must have a weight: of what was subtracted nothing is left.")
        scale = np.maximum(self.scale, other.scale)
        a, b = self._in_units(scale), other._in_units(scale)
        weight = a.weight + b.weight
        share, both = b.weight / weight, a.weight * b.weight / weight
        # Doubled numbers if one of the two has them
        a_mean, a_target, a_xx, a_xy = a._parts(b.low is not None)
        b_mean, b_target, b_xx, b_xy = b._parts(a.low is not None)
        precise = a.low is not None or b.low is not None
        apart = Doubled.of if precise else np.add
        step = apart(b.origin, -a.origin) * (1 / scale) + (b_mean - a_mean)
        target_step = apart(b.target_origin, -a.target_origin) + (b_target - a_target)
        total = plus_outer if precise else _plus_outer
        xx = total([a_xx, b_xx], step * both, step)
        xy = total([a_xy, b_xy], step * both, target_step)
        means = a_mean + step * share, a_target + target_step * share
        yy = a.yy + b.yy + both * plain(target_step) ** 2
        parts = [*means, xx, xy]
        low = Low(*(part.low for part in parts)) if precise else None
        mean, target_mean, xx, xy = (part.high for part in parts) if precise else parts
        held = None
        if a.held is not None or b.held is not None:
            now = np.concatenate([xx.diagonal(), yy])
            held = np.maximum(np.maximum(a.largest_held, b.largest_held), now)
        return Moments(
            weight,
            a.origin,
            scale,
            mean,
            a.target_origin,
            target_mean,
            xx,
            xy,
            np.maximum(yy, 0.0),
            a.n_rows + b.n_rows,
            held,
            low,
        )

    @property
    def doubled(self) -> tuple[Doubled, ...]:
        """Means of columns and targets, `xx` and `xy`, in twice the working precision."""
        return self._parts(True)

    def _parts(self, precise: bool) -> tuple:
        """Means, xx and xy: Doubled numbers if they are `precise` or have low halves."""
        high = self.mean, self.target_mean, self.xx, self.xy
        if self.low is not None:
            return tuple(map(Doubled, high, self.low))
        return tuple(map(Doubled.of, high)) if precise else high

    def __radd__(self, other: int) -> Moments:
        first_of_a_sum = isinstance(other, int) and other == 0
        return self if first_of_a_sum else NotImplemented

    def __sub__(self, other: Moments) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        # To subtract rows is to add rows of negative weight
        rest = replace(self, held=self.largest_held) + replace(other.times(-1.0), held=None)
        return replace(rest, n_rows=self.n_rows - other.n_rows)

    def times(self, factor: float) -> Moments:
        """Multiply the weights of all rows by a factor.

        Parameters
        ----------
        factor : float
            The factor. Moments with a negative factor subtract rows from others.

        Returns
        -------
        moments : Moments
            The moments of the same rows with the new weights.
        """
        held = None if self.held is None else self.held * factor
        return replace(
            self,
            weight=self.weight * factor,
            xx=self.xx * factor,
            xy=self.xy * factor,
            yy=self.yy * factor,
            held=held,
            low=self.low and self.low._replace(xx=self.low.xx * factor, xy=self.low.xy * factor),
        )

    @property
    def largest_held(self) -> np.ndarray:
        """(d + t,): the largest scatter of each column and target that was ever held."""
        if self.held is not None:
            return self.held
        return np.concatenate([self.xx.diagonal(), self.yy])

    def _in_units(self, scale: np.ndarray) -> Moments:
        if np.array_equal(scale, self.scale):
            return self
        ratio = self.scale / scale  # a power of two: exact
        squares = np.concatenate([ratio**2, np.ones(len(self.yy))])
        changed = {
            "mean": self.mean * ratio,
            "xx": self.xx * ratio * ratio[:, None],
            "xy": self.xy * ratio[:, None],
        }
        held = None if self.held is None else self.held * squares
        low = self.low and self.low._replace(
            mean=self.low.mean * ratio,
            xx=self.low.xx * ratio * ratio[:, None],
            xy=self.low.xy * ratio[:, None],
        )
        return replace(self, scale=scale, held=held, low=low, **changed)

    @property
    def column_means(self) -> np.ndarray:
        """(d,): the means of the columns, in their own units."""
        return self.origin + self.scale * self.mean

    @property
    def target_means(self) -> np.ndarray:
        """(t,): the means of the targets."""
        return self.target_origin + self.target_mean


def first_moments(rows: Table) -> tuple[Moments, list[float]]:
    """The moments of a first pass, and sums among them that show a NaN or an infinity."""
    moments = Moments.of_rows(rows)
    return moments, [*moments.xx.diagonal().tolist(), *moments.yy.tolist()]


def sums_of(rows: Table, *, precise: bool = False) -> Moments | None:
    """Moments, without a check of the targets' size; None if no row has weight."""
    # Sums in twice the precision are large, so we hold few of them at once
    few, d = 0, rows.n_columns
    if d > WIDE and precise:
        few = 2
    elif d > WIDE and not rows.is_sparse:
        most = 2 * rows.n_rows // (ROWS_PER_COLUMN * d)
        few = even(min(max(most // 2, min(most, 2)), STRETCHES))
    return rows.total(partial(moments_of_part, precise=precise), stretches=few)


def check_squares_in(moments: Moments, rows: Table) -> None:
    """Check the targets if sums of their squares overflowed or vanished."""
    squares = (moments.yy / moments.weight).tolist()
    if not all(SMALLEST_SQUARE < square < LARGEST_SQUARE for square in squares):
        _check_targets(rows)


def _check_targets(rows: Table) -> None:
    check_squares(rows.total(_largest_target, max))


def _largest_target(rows: Rows) -> float:
    return largest_target(rows.y, rows.weights, rows.first)


def moments_of_part(rows: Rows, precise: bool = False) -> Moments | None:
    """The moments of rows in memory, on this thread; None if none of them has weight."""
    height = rows.n_rows if _sparse_pays(rows) else GROUP * rows.block_rows
    total = None
    for part in rows.parts(height):
        moments = _of_group(part, precise)
        if moments is not None:  # None if all weights of the part are zero
            total = moments if total is None else total + moments
    return total


def _plus_outer(matrices: list[np.ndarray], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    one, other = matrices
    return add_outer(one + other, a, b)


def _sparse_pays(rows: Rows) -> bool:
    """Whether products of stored entries cost less than products of dense blocks."""
    return rows.is_sparse and DENSER * rows.stored < rows.size


def _blocks(rows: Rows):
    if _sparse_pays(rows):
        return rows.blocks(rows.vector_rows, as_stored=True)
    return rows.blocks()


def _of_group(rows: Rows, precise: bool) -> Moments | None:
    blocks = _blocks(rows)
    start = next(blocks, None)
    if start is None:
        return None
    # Below we choose other units for columns whose squares overflow
    with np.errstate(over="ignore", invalid="ignore"):
        x, y, s = start
        # With few rows, to subtract the mean takes less time than to ask whether it is near zero
        few = s is None and rows.n_rows <= SAMPLED and not rows.is_sparse
        origin, target_origin = (mean_of(x), mean_of(y)) if few else origins_of(*start)
        moments = _centred(chain([start], blocks), origin, target_origin, None, precise)
        if not few and (away := _far(moments, x)).any():
            # The first rows, or those of little weight, are far from the others
            origin = np.where(away, origin + moments.mean, origin)
            moments = _centred(_blocks(rows), origin, target_origin, None, precise)
    scatter = moments.xx.diagonal().tolist()
    if all(SMALLEST_SCATTER < square < LARGEST_SCATTER for square in scatter):
        return moments
    return _in_other_units(rows, moments, precise)


def _far(moments: Moments, x: Columns) -> np.ndarray:
    """(d,): whether the mean of a column is far from its origin."""
    far = moments.weight * moments.mean**2 > ASTRAY * moments.xx.diagonal()
    if isinstance(x, SparseColumns):  # the others stay at zero
        far &= np.isin(np.arange(len(far)), x.where)
    return far


@np.errstate(over="ignore", invalid="ignore")  # _check_targets looks at the values later
def _in_other_units(rows: Rows, moments: Moments, precise: bool) -> Moments:
    """The moments in units of columns in which their squares neither overflow nor vanish."""
    origin, scale, scatter = moments.origin, moments.scale.copy(), moments.xx.diagonal()
    odd = np.flatnonzero(~((scatter > SMALLEST_SCATTER) & (scatter < LARGEST_SCATTER)))
    spread = np.zeros(odd.size)
    for x, _, _ in _blocks(rows):
        if isinstance(x, SparseColumns):
            distance = x.moved(np.where(np.isin(np.arange(len(origin)), x.where), origin, 0.0))
            spread = np.maximum(spread, distance.largest()[odd])
        else:
            spread = np.maximum(spread, np.abs(x[:, odd] - origin[odd]).max(axis=0))
    if not (spread <= WIDEST).all():
        check_finite(rows.X, "X", rows.first)
        raise ValueError(
            f"X: the values of {numbered(odd[~(spread <= WIDEST)][0])} are further apart than "
            "floating-point numbers reach; divide the column."
        )
    if not spread.any():  # the odd columns are constant
        return moments
    scale[odd] = power_of_two_above(spread)
    return _centred(_blocks(rows), origin, moments.target_origin, scale, precise)


def _centred(blocks, origin, target_origin, scale, precise) -> Moments:
    """The moments about these origins. We divide the columns by `scale`, unless it is None."""
    d = len(origin)
    products = products_of(blocks, origin, target_origin, scale, precise=precise)
    scale = np.ones(d) if scale is None else scale
    if precise:
        return _precisely_centred(products, origin, target_origin, scale)
    sums = products.sums
    weight, means = sums[0, 0], sums[0, 1:] / sums[0, 0]
    yy = np.maximum(products.yy - sums[0, 1 + d :] * means[d:], 0.0)
    central = sums[1:, 1:]
    add_outer(central, -sums[1:, 0], means)
    return Moments(
        float(weight),
        origin,
        scale,
        means[:d],
        target_origin,
        means[d:],
        central[:d, :d],
        central[:d, d:],
        yy,
        products.n_rows,
    )


def _precisely_centred(products: Products, origin, target_origin, scale) -> Moments:
    d, sums = len(origin), products.sums
    weight, row = float(plain(sums[0, 0])), sums[0, 1:]
    means = Doubled.of(plain(row) / weight)
    means = means + plain(row - means * weight) / weight
    central = plus_outer([sums[1:, 1:]], -row, means)
    low = central.low[:d]
    return Moments(
        weight,
        origin,
        scale,
        means.high[:d],
        target_origin,
        means.high[d:],
        central.high[:d, :d],
        central.high[:d, d:],
        np.maximum(central.high.diagonal()[d:], 0.0),
        products.n_rows,
        low=Low(means.low[:d], means.low[d:], low[:, :d], low[:, d:]),
    )
