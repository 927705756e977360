"""Cut: rows far out, with targets brought nearer. That changes no minimum if they keep their sides.

Beyond some residual a robust loss is a line. A row there pulls by its sign, however far it is. Its
target, as it is, would set the size of all sums, and the other rows would be rounding beside it.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product
from gd_regressor.data.passes import count_rows
from gd_regressor.data.table import Rows, Table
from gd_regressor.descent.records import Scales

# A row is far out beyond so many times the median size of the targets. Up to there sums, and an
# interior point, keep eight digits of the other rows
FAR_OUT = 1e4
# The median of so many rows is near that of all rows
FOR_MEDIAN = 1 << 10
# On normal targets so many medians are two deviations, and V is smaller. If outliers make V larger,
# as many medians take its place
MEDIANS = 3.0


class Spread(NamedTuple):
    """Where most targets are: outliers move neither number."""

    centre: np.ndarray  # (t,): their median; zero without an intercept
    size: np.ndarray  # (t,): the median distance of the others from it; zero if there are none

    @classmethod
    def of(cls, rows: Table, fit_intercept: bool) -> Spread:
        """From some of the rows, of each part of the table."""
        some = rows.targets_only.total(_some_targets)
        y, weights = (np.concatenate(each) for each in zip(*some, strict=True))
        centre = np.zeros(y.shape[1])
        if fit_intercept:
            centre = np.array([median(column, weights) for column in y.T])
        size = [median(a[a > 0], weights[a > 0]) for a in np.abs(y - centre).T]
        return cls(centre, np.array(size))

    def farthest(self, rows: Table) -> np.ndarray:
        """(t,): the largest distance of a target from the centre."""
        return rows.targets_only.total(partial(_farthest, centre=self.centre), np.maximum)

    def bound(self, scales: Scales) -> Scales:
        """The units of a loss that outliers hardly move, so that they do not loosen `tol`."""
        most = (MEDIANS * self.size) ** 2
        less = (most > 0) & (most < scales.variance)
        if not less.any():
            return scales
        return Scales(np.where(less, most, scales.variance), scales.square, "robust variance")


@frozen
class Cut:
    """Targets further than `reach` from the centre are moved to there. It may travel."""

    centre: np.ndarray  # (t,)
    reach: np.ndarray  # (t,)

    @classmethod
    def nowhere(cls, centre: np.ndarray) -> Cut:
        """No target is moved."""
        return cls(centre, np.full_like(centre, np.inf))

    def __call__(self, part: Rows) -> np.ndarray:
        """(n, t): the targets of a part."""
        return np.clip(part.y, self.centre - self.reach, self.centre + self.reach)

    def excess(self, rows: Table) -> np.ndarray:
        """(t,): the weighted mean distance by which targets are moved."""
        if np.isinf(self.reach).all():
            return np.zeros_like(self.centre)
        return rows.targets_only.total(partial(_moved_by, self)) / rows.total_weight

    def holds(
        self, rows: Table, w: np.ndarray, b: np.ndarray, flat_from: np.ndarray | float
    ) -> np.ndarray:
        """(t,): whether the loss is a line from each row that is moved to where it was.

        The loss is a line beyond residuals of `flat_from`. We ask for half of the reach more than
        that, because the model (d, t) and (t,) may still move.
        """
        if np.isinf(self.reach).all():
            return np.ones(len(self.reach), dtype=bool)
        clear = partial(_clear, self, w=w, b=b, flat_from=flat_from)
        kept, n_read = rows.total(clear, _both, reads_all=False)
        count_rows(n_read)
        return kept


def median(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The median of values (m,), zero if there are none. A weight (m,) counts as repetition."""
    if not len(values):
        return 0.0
    weights = np.ones(len(values)) if weights is None else weights
    order = np.argsort(values)
    upto = np.cumsum(weights[order])
    # The two in the middle are one, unless a half ends at a value
    middle = [np.searchsorted(upto, upto[-1] / 2, side) for side in ("left", "right")]
    return float(values[order][middle].mean())


def one_of_each_stretch(n: int, m: int) -> np.ndarray:
    """(m,): as good as any m of n rows, in their order, and no sorting finds them."""
    where = (np.arange(m) + np.random.default_rng(0).random(m)) * (n / m)
    return np.minimum(where.astype(np.intp), n - 1)


def some_of(n: int) -> np.ndarray:
    """(m,): some of n rows, whose median is near that of all; all where they are few."""
    return one_of_each_stretch(n, FOR_MEDIAN) if n > FOR_MEDIAN else np.arange(n)


def _some_targets(part: Rows) -> list[tuple[np.ndarray, np.ndarray]]:
    where = np.flatnonzero(part.have_weight)
    where = where[some_of(len(where))]
    weights = np.ones(len(where)) if part.weights is None else part.weights[where]
    return [(np.asarray(part.y[where], dtype=np.float64), weights)]


def _farthest(part: Rows, *, centre: np.ndarray) -> np.ndarray:
    farthest = np.zeros(len(centre))
    for _, y, _ in part.blocks():
        np.maximum(farthest, np.abs(y - centre).max(axis=0), out=farthest)
    return farthest


def _moved_by(cut: Cut, part: Rows) -> np.ndarray:
    total = np.zeros(len(cut.centre))
    for _, y, s in part.blocks():
        far = np.maximum(np.abs(y - cut.centre) - cut.reach, 0.0)
        total += far.sum(axis=0) if s is None else s @ far
    return total


def _clear(
    cut: Cut, part: Rows, *, w: np.ndarray, b: np.ndarray, flat_from: np.ndarray | float
) -> tuple[np.ndarray, int]:
    far = (np.abs(part.y - cut.centre) > cut.reach).any(axis=1) & part.have_weight
    kept = np.ones(len(cut.centre), dtype=bool)
    if far.any():
        for x, y, _ in part.chosen(np.flatnonzero(far)).blocks():
            away = y - cut.centre
            towards = np.sign(away) * (product(x, w) + b - cut.centre)
            left = cut.reach / 2 - towards - flat_from
            kept &= ((left > 0) | (np.abs(away) <= cut.reach)).all(axis=0)
    return kept, int(np.count_nonzero(far))


def _both(one: tuple[np.ndarray, int], other: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
    return one[0] & other[0], one[1] + other[1]
