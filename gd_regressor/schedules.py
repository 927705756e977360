"""Learning rates that change on the way, and Nesterov's momentum: values of parameters."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

from sklearn.base import BaseEstimator

from gd_regressor.descent.momentum import Lookahead
from gd_regressor.descent.nouns import Limits, MomentumRecipe, ScheduleRecipe
from gd_regressor.descent.schedules import (
    AdaptiveRate,
    ConstantRate,
    CosineRate,
    InverseRate,
    SteppedRate,
    Timed,
    WarmedRate,
)
from gd_regressor.estimator.parameters import check_integer, check_recipe


class TimedRecipe(ScheduleRecipe):
    """A schedule whose rates are known before the descent."""

    @property
    @abstractmethod
    def made(self) -> Timed:
        """The schedule, of parameters that were checked."""

    def rate(self, t: int) -> float:
        """The rate of one update.

        Parameters
        ----------
        t : int
            Which update, counted from 1. With a `batch_size`, `Cosine` and `StepDecay` count
            epochs.

        Returns
        -------
        rate : float

        Raises
        ------
        ValueError
            If `t` or a parameter of the schedule cannot be used.

        Examples
        --------
        >>> from gd_regressor import Cosine
        >>> Cosine(eta0=0.1, n_epochs=10, eta_min=0.02).rate(11)
        0.02
        """
        check_recipe(type(self).__name__, "a schedule", self)
        check_integer("t", t, 1)
        return self.made.rate_at(t, t)


@final
class Constant(TimedRecipe, BaseEstimator):
    """The rate ``eta0`` for all updates: the same as the number ``eta0``, for `WarmUp`.

    Parameters
    ----------
    eta0 : float, default=0.1
        The rate.

    Examples
    --------
    >>> from gd_regressor import Constant
    >>> Constant(0.05).rate(7)
    0.05
    """

    def __init__(self, eta0: float = 0.1) -> None:
        self.eta0 = eta0

    @property
    def parts(self) -> dict[str, Limits]:
        return {"eta0": Limits(self.eta0)}

    @property
    def made(self) -> ConstantRate:
        return ConstantRate(float(self.eta0))


@final
class InverseScaling(TimedRecipe, BaseEstimator):
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
    With a `batch_size`, t counts the updates, one for each batch, as in `SGDRegressor`.

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

    def __init__(self, eta0: float = 0.1, power: float = 0.5) -> None:
        self.eta0 = eta0
        self.power = power

    @property
    def parts(self) -> dict[str, Limits]:
        return {"eta0": Limits(self.eta0), "power": Limits(self.power, is_open=False)}

    @property
    def made(self) -> InverseRate:
        return InverseRate(float(self.eta0), float(self.power))


@final
class Cosine(TimedRecipe, BaseEstimator):
    """Half a wave of the cosine, from ``eta0`` down to ``eta_min`` in `n_epochs` epochs.

    The rate of epoch e = 1, 2, ... is ``eta_min + (eta0 - eta_min) (1 + cos(pi (e - 1) /
    n_epochs)) / 2``, and `eta_min` after `n_epochs` epochs. Without a `batch_size` an epoch is one
    update.

    Parameters
    ----------
    eta0 : float, default=0.1
        The rate of the first epoch.
    n_epochs : int, default=100
        After how many epochs the rate is `eta_min`.
    eta_min : float, default=0.0
        The last rate, at most `eta0`.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
       ICLR 2017. This is one period of it.

    Examples
    --------
    >>> from gd_regressor import Cosine
    >>> schedule = Cosine(eta0=0.1, n_epochs=10)
    >>> print([round(schedule.rate(epoch), 4) for epoch in (1, 6, 11, 12)])
    [0.1, 0.05, 0.0, 0.0]
    """

    def __init__(self, eta0: float = 0.1, n_epochs: int = 100, eta_min: float = 0.0) -> None:
        self.eta0 = eta0
        self.n_epochs = n_epochs
        self.eta_min = eta_min

    @property
    def parts(self) -> dict[str, Limits]:
        return {
            "eta0": Limits(self.eta0),
            "n_epochs": Limits(self.n_epochs, 1, is_open=False, is_whole=True),
            "eta_min": Limits(self.eta_min, is_open=False, most=self.eta0, most_is="eta0 = "),
        }

    @property
    def made(self) -> CosineRate:
        return CosineRate(float(self.eta0), int(self.n_epochs), float(self.eta_min))


@final
class StepDecay(TimedRecipe, BaseEstimator):
    """The rate is multiplied by `factor` after each `every` epochs.

    The rate of epoch e = 1, 2, ... is ``eta0 * factor**((e - 1) // every)``. Without a `batch_size`
    an epoch is one update.

    Parameters
    ----------
    eta0 : float, default=0.1
        The rate of the first `every` epochs.
    factor : float, default=0.5
        What the rate is multiplied by, in (0, 1].
    every : int, default=10
        After how many epochs.

    Examples
    --------
    >>> from gd_regressor import StepDecay
    >>> schedule = StepDecay(eta0=0.1, factor=0.5, every=10)
    >>> [schedule.rate(epoch) for epoch in (1, 10, 11, 21)]
    [0.1, 0.1, 0.05, 0.025]
    """

    def __init__(self, eta0: float = 0.1, factor: float = 0.5, every: int = 10) -> None:
        self.eta0 = eta0
        self.factor = factor
        self.every = every

    @property
    def parts(self) -> dict[str, Limits]:
        return {
            "eta0": Limits(self.eta0),
            "factor": Limits(self.factor, most=1),
            "every": Limits(self.every, 1, is_open=False, is_whole=True),
        }

    @property
    def made(self) -> SteppedRate:
        return SteppedRate(float(self.eta0), float(self.factor), int(self.every))


@final
class Adaptive(ScheduleRecipe, BaseEstimator):
    """The rate ``eta0``, multiplied by `factor` whenever the loss has stalled.

    The loss has stalled if `patience` epochs in a row have not brought it below the best since the
    rate last changed. Each target has a rate of its own. Without a `batch_size` an epoch is one
    update, and the loss is F. With one, the loss is that on all rows at the end of an epoch.

    Parameters
    ----------
    eta0 : float, default=0.1
        The first rate. One that is too large is halved until the loss falls.
    factor : float, default=0.5
        What the rate is multiplied by, in (0, 1].
    patience : int, default=1
        How many epochs without a fall make a stall.

    Notes
    -----
    `SGDRegressor(learning_rate="adaptive")` divides by 5, with a patience of `n_iter_no_change`.
    With `average`, the loss is that of the average. The average goes on falling while the rate
    stays, so the rate stays longer.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import Adaptive, GDLinearRegressor
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> model = GDLinearRegressor(Adaptive(10.0), max_iter=1000, tol=None).fit(X, y)
    >>> print(f"{model.coef_[0]:.3f} {model.intercept_:.3f} {model.loss_curve_[-1]:.4f}")
    0.600 2.200 0.4800
    """

    def __init__(self, eta0: float = 0.1, factor: float = 0.5, patience: int = 1) -> None:
        self.eta0 = eta0
        self.factor = factor
        self.patience = patience

    @property
    def parts(self) -> dict[str, Limits]:
        return {
            "eta0": Limits(self.eta0),
            "factor": Limits(self.factor, most=1),
            "patience": Limits(self.patience, 1, is_open=False, is_whole=True),
        }

    @property
    def made(self) -> AdaptiveRate:
        return AdaptiveRate(float(self.eta0), float(self.factor), int(self.patience))


@final
class WarmUp(ScheduleRecipe, BaseEstimator):
    """The rates of another schedule, those of the first `n_updates` updates times t / n_updates.

    The other schedule counts its own time from the first update, too.

    Parameters
    ----------
    schedule : float or a schedule, default=0.1
        What is warmed up. A number is a constant rate.
    n_updates : int, default=100
        How many updates have smaller rates. With a `batch_size` each batch is an update.

    Examples
    --------
    >>> from gd_regressor import Cosine, WarmUp
    >>> schedule = WarmUp(Cosine(eta0=0.1, n_epochs=10), n_updates=4)
    >>> schedule.get_params()["schedule__eta0"]
    0.1
    """

    def __init__(self, schedule: float | ScheduleRecipe = 0.1, n_updates: int = 100) -> None:
        self.schedule = schedule
        self.n_updates = n_updates

    @property
    def parts(self) -> dict[str, Limits]:
        own = {"n_updates": Limits(self.n_updates, 1, is_open=False, is_whole=True)}
        if not isinstance(self.schedule, ScheduleRecipe):
            return own | {"schedule": Limits(self.schedule)}
        return own | {f"schedule__{name}": part for name, part in self.schedule.parts.items()}

    @property
    def made(self) -> WarmedRate:
        inner = self.schedule
        by = inner.made if isinstance(inner, ScheduleRecipe) else ConstantRate(float(inner))
        return WarmedRate(by, int(self.n_updates))


@final
class Nesterov(MomentumRecipe, BaseEstimator):
    """Nesterov's momentum: the gradient is taken at the point where momentum leads.

    It is a value of `momentum`. With v = 0 at first, an update is ``v = beta * v - rate * g``, then
    ``w += beta * v - rate * g``, g the gradient at w: ``torch.optim.SGD(nesterov=True)``.

    Parameters
    ----------
    beta : float, default=0.9
        What is kept of the update before, in [0, 1).

    Notes
    -----
    The points w are Nesterov's y, where the gradient is known. If the curvatures lie between mu and
    L, the rate is 1 / L and ``beta = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu))``, then after k
    updates the loss at ``w - rate * g`` is at most ``(1 - sqrt(mu / L))**k`` times ``F_0 - F_min +
    mu / 2 |w_0 - w_min|^2`` above its minimum [1]_. The stability limit ``max_learning_rate_`` is
    ``2 (1 + beta) / ((1 + 2 beta) L)``.

    With an L1 penalty or ``positive=True`` an update is ``v = w + beta (w - w_before)``, then ``w =
    prox(v - rate * g(v))``: FISTA [2]_ with a constant momentum. Below ``max_learning_rate_ = 1 /
    L`` it converges.

    References
    ----------
    .. [1] Y. Nesterov, "Lectures on Convex Optimization", 2nd edition, Springer 2018, section 2.2.
    .. [2] A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm", SIAM
       Journal on Imaging Sciences 2 (1), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor, Nesterov
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> model = GDLinearRegressor(0.04, 200, tol=None, momentum=Nesterov(0.8)).fit(X, y)
    >>> print(f"{model.coef_[0]:.5f} {model.intercept_:.5f} {model.max_learning_rate_:.5f}")
    0.60000 2.20000 0.05852
    """

    def __init__(self, beta: float = 0.9) -> None:
        self.beta = beta

    @property
    def parts(self) -> dict[str, Limits]:
        return {"beta": Limits(self.beta, is_open=False, most=1, ends_before=True)}

    @property
    def made(self) -> Lookahead:
        return Lookahead(float(self.beta))
