"""The chosen candidate on all rows, where its model has a closed form."""

from __future__ import annotations

import numpy as np

from gd_regressor.data.table import Table
from gd_regressor.validation.alone import Candidate
from gd_regressor.validation.descents import Descents
from gd_regressor.validation.grid import Grid
from gd_regressor.validation.ridge import ridge_fan, ridge_points
from gd_regressor.validation.scores import Model
from gd_regressor.validation.training import Training


def refitted(table: Table, candidate: Candidate, grid: Grid) -> tuple[Model, int]:
    """The model of a candidate with a penalty of squares, and the updates that were made."""
    training = Training.of_table(table, grid.fit_intercept)
    l2 = candidate.alpha * (1 - candidate.l1_ratio)
    if candidate.rate is None:
        points = ridge_points(training, np.array([l2]))
        return ridge_fan(training).raw(points[:, :, 0].T), min(candidate.most, 1)
    descents, rates = Descents.of(training, l2), np.array([candidate.rate])
    last = descents.ends(rates, grid.momentum, candidate.most, grid.tol)[0]
    made = np.array([min(candidate.most, last)])
    points = next(descents.points(rates, grid.momentum, made, None))
    return descents.fan.raw(points[:, :, 0].T), int(made[0])
