"""The chosen descent on all rows, in closed form."""

from __future__ import annotations

import numpy as np

from gd_regressor.data.table import Table
from gd_regressor.validation.alone import Candidate
from gd_regressor.validation.descents import Descents
from gd_regressor.validation.grid import Grid
from gd_regressor.validation.scores import Model
from gd_regressor.validation.training import Training


def refitted(table: Table, candidate: Candidate, grid: Grid) -> tuple[Model, int]:
    """The model of a descent with a penalty of squares, and the updates that were made."""
    training = Training.of_table(table, grid.fit_intercept)
    descents = Descents.of(training, candidate.alpha * (1 - candidate.l1_ratio))
    rates = np.array([candidate.rate])
    end = descents.ends(rates, grid.momentum, candidate.most, grid.tol)
    made = np.minimum(end, candidate.most)
    points = descents.last_points(rates, grid.momentum, made)
    return descents.fan.raw(points[:, :, 0].T), int(made[0])
