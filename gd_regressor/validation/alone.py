"""Candidates that no closed form tells: each is fitted to the rows of a fold, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gd_regressor.data.folds import Folds
from gd_regressor.data.heldout import Errors
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Rows, Table
from gd_regressor.objective.on_rows import residual_rows
from gd_regressor.validation.grid import Grid
from gd_regressor.validation.scores import Model, Scoring, Tested, mean_square


class Candidate(NamedTuple):
    """One combination of a grid."""

    rate: float | None  # None is "auto"
    most: int  # the most updates
    l1_ratio: float
    alpha: float

    @classmethod
    def of(cls, grid: Grid, place: tuple[int, ...]) -> Candidate:
        """The one at a place of the grid: of rate, count, l1_ratio and alpha."""
        rate, count, ratio, alpha = place
        return cls(
            grid.rates[rate],
            int(grid.counts[count]),
            float(grid.l1_ratios[ratio]),
            float(grid.alphas[ratio, alpha]),
        )

    @property
    def same(self) -> tuple:
        """What equal models agree in: "auto" arrives whatever the most updates are."""
        made = min(self.most, 1) if self.rate is None else self.most
        return self.rate, made, self.alpha * self.l1_ratio, self.alpha * (1 - self.l1_ratio)


# Coefficients (d, t) and intercepts (t,) of a candidate on these rows
Fit = Callable[[Rows, Candidate], Model]


def fit_the_rest(
    found: np.ndarray, table: Table, folds: Folds, fold: int, grid: Grid, scoring: Scoring, fit: Fit
) -> None:
    """Write the scores (2, rates, counts, l1_ratios, alphas) that are NaN."""
    places = np.argwhere(np.isnan(found[1]))
    if not len(places):
        return
    train, test = (folds.rows(counts[fold]) for counts in (folds.train, folds.test))
    train, tested = table.chosen(train), Tested(table.chosen(test), test)
    if table.known is not None:  # all fits share those of the fold
        train = train.knowing(Moments.of_rows(train))
    known: dict[tuple, np.ndarray] = {}
    for place in map(tuple, places):
        candidate = Candidate.of(grid, place)
        if candidate.same not in known:
            model = fit(train, candidate)
            known[candidate.same] = _judged(model, tested, scoring)
        found[:, *place] = known[candidate.same]


def _judged(model: Model, tested: Tested, scoring: Scoring) -> np.ndarray:
    """(2,): score and mean squared error of a model on held-out rows."""
    errors = [
        Errors(mean[None], variance[None])
        for mean, variance in zip(*_spread(residual_rows(tested.rows, *model)), strict=True)
    ]
    _, variances = _spread(tested.rows)
    scores = scoring.scores(errors, variances, [model], tested)
    return np.array([scores[0], mean_square(errors)[0]])


def _spread(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """(t,) and (t,): the weighted means and variances of the targets."""
    y = np.asarray(rows.y, dtype=np.float64)
    s = np.ones(len(y)) if rows.weights is None else rows.weights
    mean = s @ y / s.sum()
    return mean, s @ (y - mean) ** 2 / s.sum()
