"""One fold: the scores of all candidates whose models have a closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gd_regressor.data.heldout import HeldOut
from gd_regressor.data.table import Rows
from gd_regressor.validation.descents import Descents
from gd_regressor.validation.grid import Grid
from gd_regressor.validation.lasso import lasso_points, lasso_view
from gd_regressor.validation.ridge import ridge_fan, ridge_points
from gd_regressor.validation.scores import Scoring, mean_square
from gd_regressor.validation.training import ROOTS_SCORE, Columns, Fan, Training


class Judge(NamedTuple):
    """The rows that test a fold, and how they judge."""

    held: HeldOut
    scoring: Scoring
    rows: Rows | None  # where the scoring needs them

    def judged(
        self, fan: Fan | Columns, seen: HeldOut, u: Sequence[np.ndarray] | np.ndarray
    ) -> np.ndarray:
        """(2, k): score and mean squared error of models along a fan, `u` (m, k) for each target.

        `seen` are the held-out rows in the directions of the fan.
        """
        errors = [seen.errors(target, w, fan.c[target]) for target, w in enumerate(u)]
        models = (fan.raw(np.stack([w[:, i] for w in u], axis=1)) for i in range(u[0].shape[1]))
        variances = self.held.target_variance
        scores = self.scoring.scores(errors, variances, models, self.rows)
        return np.stack([scores, mean_square(errors)])


def scores_of_fold(training: Training, test: Judge, grid: Grid, *, rough: bool) -> np.ndarray:
    """(2, rates, counts, l1_ratios, alphas): scores and mean squared errors; NaN where not known.

    Descents by a number with a penalty that has kinks have no closed form, and stay NaN. So do
    models without a penalty where columns depend on each other too much for their digits, unless
    `rough`.
    """
    found = np.full((2, *grid.shape), np.nan)
    if grid.automatic.size:
        certain = grid.smooth
        if training.condition_number > ROOTS_SCORE and not rough:
            certain = certain & (grid.l2 > 0)
        if certain.any():
            points = ridge_points(training, grid.l2[certain])
            _arrived(found, ridge_fan(training), points, test, grid, certain)
        if not grid.smooth.all():
            kinked = ~grid.smooth
            view, penalties = lasso_view(training), (grid.l1[kinked], grid.l2[kinked])
            points, known = lasso_points(training, *penalties, grid.positive)
            _arrived(found, view, np.where(known, points, np.nan), test, grid, kinked)
    if grid.numbers.size:
        _descended(found, training, test, grid)
    return found


def _arrived(
    found: np.ndarray,
    fan: Fan | Columns,
    points: np.ndarray,
    test: Judge,
    grid: Grid,
    which: np.ndarray,
) -> None:
    """Write the scores of "auto" with the penalties `which` (l, a), whose minimisers are `points`.

    No update leaves the start; any other number arrives.
    """
    seen = fan.seen(test.held)
    arrived = test.judged(fan, seen, points)
    # The start has no intercept, either
    start = test.judged(fan._replace(c=0 * fan.c), seen, np.zeros_like(points))
    for k, count in enumerate(grid.counts):
        for rate in grid.automatic:
            found[:, rate, k, which] = arrived if count else start


def _descended(found: np.ndarray, training: Training, test: Judge, grid: Grid) -> None:
    """Write the scores of numbers as learning rates."""
    rates = np.array([grid.rates[i] for i in grid.numbers], dtype=np.float64)
    counts, place = np.unique(grid.counts, return_inverse=True)
    for l2 in np.unique(grid.l2[grid.smooth]):
        descents = Descents.of(training, float(l2))
        fan = descents.fan
        seen, same = fan.seen(test.held), grid.smooth & (grid.l2 == l2)
        ends = descents.ends(rates, grid.momentum, counts[-1], grid.tol)
        last = test.judged(fan, seen, descents.last_points(rates, grid.momentum, ends))
        points = descents.points(rates, grid.momentum, counts, ends)
        for i, u in enumerate(points):
            scores = np.empty((2, len(counts)))
            many = u[0].shape[1]
            scores[:, :many] = test.judged(fan, seen, u)
            scores[:, many:] = last[:, [i]]
            found[:, grid.numbers[i], :, same] = scores[:, place]
