"""Penalties of squares, or none, with "auto": all of them in one basis of a fold."""

from __future__ import annotations

import numpy as np

from gd_regressor.textbook.modes import Modes
from gd_regressor.validation.training import Fan, Training


def ridge_fan(training: Training, modes: Modes) -> Fan:
    """The directions of all minimisers: the coefficients are sums of them."""
    t = len(training.target_means)
    none = np.zeros(len(modes.singular))
    if training.fit_intercept:
        return Fan(modes.vectors, none, training.means, training.target_means)
    return Fan(modes.vectors, none, np.zeros(training.n_columns), np.zeros(t))


def ridge_points(modes: Modes, penalties: np.ndarray) -> np.ndarray:
    """(t, m, k): the minimiser of each penalty l2 |w|^2, along the directions of the fan.

    The columns are A = U S V', and z = U'y. The minimiser is w = V S z / (S^2 + l2). Without a
    penalty no direction that vanishes has a share, so the minimiser is that of least norm.
    """
    singular = modes.singular[:, None]
    divisor = singular**2 + penalties
    with np.errstate(over="ignore"):  # of directions that have no share
        shrunk = np.divide(singular, divisor, out=np.zeros_like(divisor), where=divisor > 0)
    return modes.response.T[:, :, None] * np.where(modes.flat[:, None], 0.0, shrunk)
