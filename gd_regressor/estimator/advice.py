"""What is said about a fit, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from gd_regressor.descent.records import Curvature


class DivergenceWarning(ConvergenceWarning):
    """The learning rate is at or above the stability limit, where the loss need not fall.

    Examples
    --------
    >>> import warnings
    >>> from gd_regressor import DivergenceWarning, GDLinearRegressor
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", DivergenceWarning)  # the climb is what is wanted
    ...     model = GDLinearRegressor(learning_rate=3.0, max_iter=2).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> print(model.status_.name, model.loss_curve_)
    MAX_ITER [5.000e-01 1.700e+01 7.985e+02]
    """


def divergence_advice(
    learning_rate: float, limit: float, curvature: Curvature, columns: Sequence
) -> str:
    """What is wrong with a learning rate at or above `limit`, which column sets it, the cure."""
    share = np.abs(curvature.direction) ** 2
    column = int(np.argmax(share))
    who = "the intercept"
    if column < len(columns):
        who = f"column {columns[column]!r}"
        if isinstance(columns, range):
            who += " (counting from 0)"
    # On columns of like scale the steepest direction is their common one
    sets = "sets" if share[column] > 0.5 else "and those correlated with it set"
    return (
        f"learning_rate={float(learning_rate):g} is not below the largest stable rate, "
        f"{limit:.6g}, which {who} {sets}. Write a smaller learning_rate, put a StandardScaler in "
        'front, or use learning_rate="auto".'
    )
