"""Schedules: learning rates that change from update to update."""

from __future__ import annotations

from typing import Any, final

from sklearn.base import BaseEstimator

from gd_regressor.descent.nouns import Schedule


@final
class InverseScaling(Schedule, BaseEstimator):
    """The rate ``eta0 / t**power`` for the t-th update, t = 1, 2, ...

    A schedule holds parameters only. `fit` does not change it, so that one may serve several
    estimators.

    Parameters
    ----------
    eta0 : float, default=0.1
        The rate of the first update.
    power : float, default=0.5
        How fast it falls; 0 keeps it constant.

    Notes
    -----
    With a power above 1 the rates have a finite sum, and a descent from far away need not arrive.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor, InverseScaling
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> schedule = InverseScaling(eta0=0.08, power=0.5)
    >>> print([round(schedule.rate(t), 4) for t in (1, 2, 4)])
    [0.08, 0.0566, 0.04]
    >>> model = GDLinearRegressor(schedule, max_iter=1000, tol=None).fit(X, y)
    >>> print(f"{model.coef_[0]:.3f} {model.intercept_:.3f}")
    0.698 1.846
    """

    eta0: float
    power: float

    def __init__(self, eta0: float = 0.1, power: float = 0.5) -> None:
        self.eta0 = eta0
        self.power = power

    def rate(self, t: int) -> float:
        """The rate of one update.

        Parameters
        ----------
        t : int
            Which update, counted from 1.

        Returns
        -------
        rate : float

        Examples
        --------
        >>> from gd_regressor import InverseScaling
        >>> schedule = InverseScaling(eta0=0.1, power=0.5)
        >>> schedule.rate(1), schedule.rate(4)
        (0.1, 0.05)
        """
        # A negative power underflows where the positive one would overflow
        return float(self.eta0) * float(t) ** -float(self.power)

    @property
    def final_rate(self) -> float:
        """What the rates fall to."""
        return float(self.eta0) if self.power == 0 else 0.0

    @property
    def parts(self) -> dict[str, tuple[Any, bool]]:
        """Its parameters by name, and whether each must be above zero."""
        return {"eta0": (self.eta0, True), "power": (self.power, False)}
