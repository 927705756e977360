"""Held-out rows as a descent sees them: their losses at many points at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gd_regressor.data.table import Rows, Table
from gd_regressor.descent.rho import Rho
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.robust import ScaledHuber
from gd_regressor.textbook.follow import closed_form_pays
from gd_regressor.textbook.triangle import Triangle, triangle_of

# (m, p, t) raw points -> (m, t) losses
Losses = Callable[[np.ndarray], np.ndarray]


def losses_on(rows: Rows, fit_intercept: bool, n_updates: int) -> Losses:
    """The losses on held-out rows: from their triangle, or by a pass for each point.

    A triangle takes O(p^2) for a point, and as long as many passes to make. So few held-out rows of
    many columns are read again and again, by the same rule as the rows of a descent.
    """
    if closed_form_pays(rows.n_rows, rows.n_columns, n_updates):
        return losses_by(triangle_of(rows, fit_intercept))
    return _by_passes(rows, fit_intercept, np.square)


def losses_by_rho(rows: Table, fit_intercept: bool, rho: Rho) -> Losses:
    """The same of another loss than the square, which no triangle knows."""
    return _by_passes(rows, fit_intercept, rho.value)


def losses_at_best_scale(rows: Table, fit_intercept: bool, rho: ScaledHuber) -> Losses:
    """The same of Huber's loss with a scale, which is the best one for each point."""
    loss = DataLoss(rows, Frame.raw(rows, fit_intercept))
    return lambda points: np.array([rho.least(partial(loss.mean_over, theta)) for theta in points])


def _by_passes(rows: Table, fit_intercept: bool, of_residual: Callable) -> Losses:
    loss = DataLoss(rows, Frame.raw(rows, fit_intercept))
    return lambda points: np.array([loss.mean_over(theta, of_residual) for theta in points])


def losses_by(triangle: Triangle) -> Losses:
    """The losses on rows of which no more is known than their triangle."""
    matrix, responses, rest = triangle

    def losses(points: np.ndarray) -> np.ndarray:
        left = np.tensordot(matrix, points, axes=(1, 1))  # (k, m, t), in one product
        left -= responses[:, None]
        return rest + np.einsum("kmt,kmt->mt", left, left)

    return losses
