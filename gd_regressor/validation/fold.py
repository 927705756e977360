"""One fold: the scores of all candidates whose models have a closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np

from gd_regressor.data.heldout import HeldOut
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.validation.descents import Descents
from gd_regressor.validation.grid import Grid
from gd_regressor.validation.lasso import lasso_points, lasso_view
from gd_regressor.validation.proximal import proximal_fan, proximal_points
from gd_regressor.validation.ridge import ridge_fan, ridge_points
from gd_regressor.validation.scores import Scoring, Tested, mean_square
from gd_regressor.validation.training import ROOTS_SCORE, Columns, Fan, Training


class Judge(NamedTuple):
    """The rows that test a fold, and how they judge."""

    held: HeldOut
    scoring: Scoring
    tested: Tested | None  # where the scoring needs them

    def judged(
        self, fan: Fan | Columns, seen: HeldOut, u: Sequence[np.ndarray] | np.ndarray
    ) -> np.ndarray:
        """(2, k): score and mean squared error of models along a fan, `u` (m, k) for each target.

        `seen` are the held-out rows in the directions of the fan.
        """
        errors = [seen.errors(target, w, fan.c[target]) for target, w in enumerate(u)]
        models = (fan.raw(np.stack([w[:, i] for w in u], axis=1)) for i in range(u[0].shape[1]))
        variances = self.held.target_variance
        scores = self.scoring.scores(errors, variances, models, self.tested)
        return np.stack([scores, mean_square(errors)])


def scores_of_fold(training: Training, test: Judge, grid: Grid, *, rough: bool) -> np.ndarray:
    """(2, rates, counts, l1_ratios, alphas): scores and mean squared errors; NaN where not known.

    Where columns depend on each other too much for the digits of some models, these stay NaN,
    unless `rough`.
    """
    found = np.full((2, *grid.shape), np.nan)
    if grid.automatic.size:
        certain = grid.smooth
        if training.condition_number > ROOTS_SCORE and not rough:
            certain = certain & (grid.l2 > 0) & (not grid.leaves_free)
        for fan, points, same in _ridges(training, grid, certain):
            _arrived(found, fan, points, test, grid, same)
        view, ratios = lasso_view(training), np.arange(len(grid.smooth))[:, None]
        for ratio in np.flatnonzero(~grid.smooth.all(axis=1)):
            kinked = ~grid.smooth & (ratios == ratio)
            penalties = grid.l1[kinked], grid.l2[kinked]
            points, known = lasso_points(training, *penalties, grid.weights, grid.positive)
            points = np.where(known | rough, points, np.nan)
            _arrived(found, view, points, test, grid, kinked)
    if grid.numbers.size:
        _descended(found, training, test, grid)
        _descended_with_kinks(found, training, test, grid)
    return found


def _ridges(
    training: Training, grid: Grid, which: np.ndarray
) -> Iterator[tuple[Fan, np.ndarray, np.ndarray]]:
    """The minimisers of the smooth penalties `which` (l, a), along a fan, and which they are.

    Penalties that are equal for all columns share a fan.
    """
    if grid.is_even and which.any():
        modes = training.centred
        yield ridge_fan(training, modes), ridge_points(modes, grid.l2[which]), which
    elif which.any():
        for l2 in np.unique(grid.l2[which]):
            modes = training.centred_with(l2 * grid.weights)
            points = ridge_points(modes, np.zeros(1))
            yield ridge_fan(training, modes), points, which & (grid.l2 == l2)


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
        descents = Descents.of(training, l2 * grid.weights)
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


def _descended_with_kinks(found: np.ndarray, training: Training, test: Judge, grid: Grid) -> None:
    """Write the scores of numbers as learning rates with penalties that have kinks."""
    fan = proximal_fan(training)
    seen, (counts, place) = fan.seen(test.held), np.unique(grid.counts, return_inverse=True)
    for ratio, alpha in np.argwhere(~grid.smooth).tolist():
        terms = grid.terms((ratio, alpha), len(training.target_means))
        for i in grid.numbers:
            step = ConstantStep(float(cast(float, grid.rates[i])), grid.momentum)
            points = proximal_points(training, step, terms, counts, grid.tol)
            found[:, i, :, ratio, alpha] = test.judged(fan, seen, points)[:, place]
