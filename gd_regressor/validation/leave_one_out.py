"""Each row held out alone, by the hat matrix: one more pass over the rows, and no fit."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from gd_regressor.data.folds import Folds
from gd_regressor.data.heldout import Errors
from gd_regressor.data.moments import first_moments
from gd_regressor.data.table import Given, Rows, Table
from gd_regressor.validation.alone import fit_the_rest
from gd_regressor.validation.scores import mean_square
from gd_regressor.validation.surface import Search, Surface, no_weight_error
from gd_regressor.validation.training import ROOTS_SCORE, Training

# The error without a row is that with it, divided by 1 - leverage. Below this the quotient has
# fewer digits than a score needs, and we fit without the row
FREE = 1e-6


class Hat(NamedTuple):
    """What a pass over the rows needs to know of all of them.

    With columns A = U S V', both divided by the root of the weight W, and z = U'y, the penalty l2
    leaves the error e_i = y_i - sum_j c_ij S_j z_j / (S_j^2 + l2), where c_i = V'x_i. The leverage
    is h_i = s_i / W (1 + sum_j c_ij^2 / (S_j^2 + l2)). A fit without row i leaves there the error
    e_i / (1 - h_i) (Allen 1974). A penalty is per row: without row i it weighs (W - s_i) / W of it.
    """

    vectors: np.ndarray  # (d, m): V of the directions that do not vanish
    singular: np.ndarray  # (m,)
    response: np.ndarray  # (m, t)
    centre: np.ndarray  # (d,)
    target_centre: np.ndarray  # (t,)
    weight: float
    with_ones: bool  # whether there is an intercept
    penalties: np.ndarray  # (k,)

    @classmethod
    def of(cls, training: Training, weight: float, penalties: np.ndarray) -> Hat:
        modes, curved = training.centred, ~training.centred.flat
        with_ones = training.fit_intercept
        return cls(
            modes.vectors[:, curved],
            modes.singular[curved],
            modes.response[curved],
            training.means if with_ones else 0 * training.means,
            training.target_means if with_ones else 0 * training.target_means,
            weight,
            with_ones,
            penalties,
        )


def held_out_alone(
    table: Table, training: Training, penalties: np.ndarray
) -> tuple[list[Errors], np.ndarray]:
    """The errors (n, k) for each target, and (n, k) whether a fit must tell them."""
    hat = Hat.of(training, table.total_weight, penalties)
    parts = table.total(partial(_of_part, hat=hat))
    errors, free = (np.concatenate(blocks) for blocks in zip(*parts, strict=True))
    means = np.where(free[:, :, None] > FREE, errors, np.nan)
    return [Errors(mean, 0 * mean) for mean in np.moveaxis(means, 2, 0)], free <= FREE


def _of_part(rows: Rows, hat: Hat) -> list[tuple[np.ndarray, np.ndarray]]:
    """The errors (n, k, t) and 1 - leverage (n, k) of the blocks of a part, in order."""
    return [_of_block(rows, span, hat) for span in rows.spans()]


def _of_block(rows: Rows, span: slice, hat: Hat) -> tuple[np.ndarray, np.ndarray]:
    x = (rows.columns(span) - hat.centre) @ hat.vectors
    y = np.asarray(rows.y[span], dtype=np.float64) - hat.target_centre
    s = np.ones(len(x)) if rows.weights is None else rows.weights[span]
    if not s.all():
        raise no_weight_error("tests")
    left = (1 - s / hat.weight)[:, None]
    errors, free = np.empty((len(x), len(hat.penalties), y.shape[1])), []
    for k, penalty in enumerate(hat.penalties):
        shrunk = x / (hat.singular**2 + penalty * left)
        leverage = hat.with_ones + np.einsum("ij,ij->i", x, shrunk)
        free.append(1 - s / hat.weight * leverage)
        errors[:, k] = y - shrunk @ (hat.singular[:, None] * hat.response)
    free = np.stack(free, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # rows without freedom have a fit
        return errors / free[:, :, None], free


def surface_alone(given: Given, search: Search) -> Surface | None:
    """Score all candidates on each row alone; None where the hat matrix lacks the digits.

    The candidates are "auto" with penalties of squares, and updates.
    """
    moments, table = given.seen_by(first_moments)
    table = table.knowing(moments)
    grid, scoring = search.grid_of(table), search.scoring
    training = Training.of_table(table, grid.fit_intercept)
    if training.condition_number > ROOTS_SCORE and not grid.l2.all():
        return None
    penalties, place = np.unique(grid.l2, return_inverse=True)
    errors, unknown = held_out_alone(table, training, penalties)
    if unknown.any() and table.is_elsewhere:
        return None
    one_row = np.zeros(len(errors))
    found = np.stack([scoring.scores(errors, one_row, [], None), mean_square(errors)])  # (2, n, k)
    n = len(unknown)
    found = np.moveaxis(found[:, :, place.ravel()], 1, 2).reshape(2, 1, 1, *grid.alphas.shape, n)
    whole = found * np.ones((2, *grid.shape, 1))
    for row in np.flatnonzero(unknown.any(axis=1)):
        folds = Folds.of([(np.arange(n) != row, [row])], n)
        fit_the_rest(whole[..., row], table, folds, 0, grid, scoring, search.fit)
    return Surface(grid, whole[0], whole[1], table)
