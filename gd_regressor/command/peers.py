"""Estimators of scikit-learn for the loss of a descent, and that loss of their residuals."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from gd_regressor.comparison import Objective, direct, mean_square, scaled
from gd_regressor.descent.rho import Rho
from gd_regressor.losses import rho_of
from gd_regressor.objective.robust import ScaledHuber

# A linear program of more rows takes QuantileRegressor seconds, and it is fitted to each fold
MOST_ROWS_OF_A_PROGRAM = 2000


class Judge:
    """The mean loss of residuals, in units of the table."""

    def __init__(self, loss: Any, unit: float = 1.0) -> None:
        self.rho, self.unit = rho_of(loss), unit  # of y, in which the descent saw its residuals

    @property
    def power(self) -> int:
        """The loss has the units of y to this power."""
        return 2 if self.rho is None else self.rho.power

    def __call__(self, residuals: np.ndarray) -> float:
        if self.rho is None:
            return mean_square(residuals)
        left, unit = residuals / self.unit, self.unit**self.power
        if self.rho.scaled:
            return unit * float(cast(ScaledHuber, self.rho).least(lambda of: of(left).mean()))
        return unit * float(self.rho.value(left).mean())


def peers(loss: Any, objective: Objective, n_rows: int, *, raw: bool) -> dict[str, Any]:
    """Unfitted estimators by name, the nearest first; least squares are the last of them.

    The columns are `raw` where no scaler of the model is in front of these estimators.
    """
    rho, found = rho_of(loss), {}
    if rho is not None and not objective.is_penalised:  # each counts a penalty in its own way
        found = _of_loss(rho, {"fit_intercept": objective.fit_intercept}, n_rows)
    return scaled(found, raw) | direct(objective)


def _of_loss(rho: Rho, options: dict[str, Any], n_rows: int) -> dict[str, Any]:
    from sklearn.linear_model import HuberRegressor, QuantileRegressor, SGDRegressor

    if rho.scaled:
        return {"HuberRegressor": HuberRegressor(alpha=0, **options)}
    if rho.name == "quantile":
        if n_rows > MOST_ROWS_OF_A_PROGRAM:
            return {}
        share = float(vars(rho)["q"])
        name = f"QuantileRegressor(quantile={share:g})"
        return {name: QuantileRegressor(quantile=share, alpha=0, solver="highs", **options)}
    if rho.name == "huber" or "epsilon" in rho.name:
        edge = vars(rho)["delta" if rho.name == "huber" else "epsilon"]
        kept = {"epsilon": edge, "random_state": 0, **options}
        return {f"SGDRegressor(loss={rho.name!r})": SGDRegressor(rho.name, **kept)}
    return {}
