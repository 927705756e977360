"""The losses that `GDLinearRegressor` takes as `loss`, with their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np
from sklearn.base import BaseEstimator

from gd_regressor.arithmetic.ranges import LARGEST_ROOT, SMALLEST_ROOT
from gd_regressor.data.checks import as_float, check_no_class, is_real
from gd_regressor.descent.rho import LossChoice, Rho
from gd_regressor.objective import robust


@final
class Huber(LossChoice, BaseEstimator):
    """Huber's loss: the square of small residuals, and linear in large ones.

    ``rho(r) = r^2`` for ``|r| <= delta``, else ``2 delta |r| - delta^2``. Its gradient by the
    coefficients is ``-mean(psi(r) x)`` with ``psi(r) = 2 clip(r, -delta, delta)``. So no row pulls
    harder than one whose residual is delta.

    Parameters
    ----------
    delta : float or "auto", default="auto"
        From which residual the loss is linear, in units of y. "auto" estimates a scale sigma
        together with the coefficients, as `HuberRegressor` does with ``epsilon=1.35``:
        ``rho(r) = sigma + sigma H(r / sigma)``, where H is the loss above for delta 1.35. Then
        delta is 1.35 sigma, and the estimator has `scale_`. It needs ``learning_rate="auto"``.

    See Also
    --------
    sklearn.linear_model.HuberRegressor : The same minimum with a scale, by L-BFGS.
    PseudoHuber : The same idea without an edge.

    Notes
    -----
    The loss is c = 2 times that of `SGDRegressor`, and `alpha` counts twice, too. So `alpha` means
    the same. With a scale, `alpha` is that of `HuberRegressor` divided by the number of rows
    (``l1_ratio=0``).

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical
       Statistics 35 (1), 1964.
    .. [2] A. B. Owen, "A robust hybrid of lasso and ridge regression", Contemporary Mathematics
       443, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor, Huber
    >>> X = np.arange(10.0)[:, None]
    >>> y = 2 * X[:, 0] + 1 + 0.1 * (-1.0) ** np.arange(10)
    >>> y[9] = 100.0  # a slip of the pen
    >>> model = GDLinearRegressor(loss=Huber()).fit(X, y)
    >>> print(f"{model.coef_[0]:.2f} {model.intercept_:.2f}")
    2.01 0.98
    >>> print(model.outliers_[9])
    True
    """

    delta: float | Literal["auto"]

    def __init__(self, delta: float | Literal["auto"] = "auto") -> None:
        self.delta = delta

    @property
    def rho(self) -> Rho:
        """The loss of a row. Raises if a parameter cannot be used."""
        if isinstance(self.delta, str) and self.delta == "auto":
            return robust.ScaledHuber(robust.EPSILON)
        return robust.Huber(_above_zero(self, "delta", self.delta, ' or "auto"'))


@final
class PseudoHuber(LossChoice, BaseEstimator):
    """A loss with Huber's two ends and no edge between them.

    ``rho(r) = 2 delta^2 (sqrt(1 + (r / delta)^2) - 1)``: about ``r^2`` for small residuals, about
    ``2 delta |r|`` for large ones. Its gradient by the coefficients is ``-mean(psi(r) x)`` with
    ``psi(r) = 2 r / sqrt(1 + (r / delta)^2)``.

    Parameters
    ----------
    delta : float, default=1.0
        Where the loss turns from a square into a line, in units of y.

    See Also
    --------
    Huber : The same idea with an edge.

    Notes
    -----
    The loss is c = 2 times the usual one, as Huber's, and `alpha` counts twice, too.

    References
    ----------
    .. [1] P. Charbonnier, L. Blanc-Feraud, G. Aubert and M. Barlaud, "Deterministic
       edge-preserving regularization in computed imaging", IEEE Transactions on Image Processing
       6 (2), 1997.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor, PseudoHuber
    >>> X = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    >>> y = np.array([-4.0, 100.0, 0.0, 2.0, 4.0])
    >>> loss = PseudoHuber(0.5)
    >>> model = GDLinearRegressor(0.2, 5000, loss=loss).fit(X, y)
    >>> print(f"{model.coef_[0]:.1f}")  # least squares has -8.4
    1.9
    """

    delta: float

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    @property
    def rho(self) -> Rho:
        """The loss of a row. Raises if a parameter cannot be used."""
        return robust.PseudoHuber(_above_zero(self, "delta", self.delta))


@final
class Quantile(LossChoice, BaseEstimator):
    """The pinball loss, whose minimum is a quantile of y given x.

    ``rho(r) = q r`` for r >= 0, else ``(q - 1) r``. A subgradient by the coefficients is
    ``-mean(psi(r) x)`` with ``psi(r) = q`` above zero, ``q - 1`` below, and 0 at zero.

    Parameters
    ----------
    quantile : float or list of float, default=0.5
        The share q of rows that shall lie below the model, in (0, 1). 0.5 is the median. A list
        makes one output for each of its quantiles: `coef_` has shape (n_quantiles, n_features),
        `predict` gives (n_samples, n_quantiles), and y must have one dimension. `score` is then
        the mean of `d2_pinball_score` over the quantiles.
    non_crossing : bool, default=False
        Whether `predict` sorts the quantiles of each row, so that none is above a higher one
        (rearrangement [2]_). This never moves them away from the true ones. `coef_` stays as it is.

    See Also
    --------
    sklearn.linear_model.QuantileRegressor : The same minimum as a linear program.

    Notes
    -----
    The loss is that of `QuantileRegressor`, and `alpha` means the same (``l1_ratio=1``): c = 1.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46 (1), 1978.
    .. [2] V. Chernozhukov, I. Fernandez-Val and A. Galichon, "Quantile and probability curves
       without crossing", Econometrica 78 (3), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor, Quantile
    >>> X, y = np.zeros((5, 1)), np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    >>> model = GDLinearRegressor(loss=Quantile(0.5)).fit(X, y)
    >>> print(f"{model.intercept_:.1f}")  # the median, not the mean of 22
    3.0
    >>> model = GDLinearRegressor(loss=Quantile([0.1, 0.5, 0.9])).fit(X, y)
    >>> print(model.predict([[0.0]]))
    [[  1.   3. 100.]]
    """

    quantile: float | Sequence[float]
    non_crossing: bool

    def __init__(self, quantile: float | Sequence[float] = 0.5, non_crossing: bool = False) -> None:
        self.quantile = quantile
        self.non_crossing = non_crossing

    @property
    def rho(self) -> Rho:
        """The loss of a row. Raises if a parameter cannot be used."""
        several = self.outputs
        if not isinstance(self.non_crossing, (bool, np.bool_)):
            raise ValueError(
                f"loss must be a Quantile whose non_crossing is True or False, got {self!r}."
            )
        each: list[Any] = [self.quantile] if several is None else list(several)
        if not each or not all(is_real(q) and 0 < q < 1 for q in each):
            raise ValueError(
                "loss must be a Quantile whose quantile is a number between 0 and 1, or a list of "
                f"such numbers, got {self!r}."
            )
        numbers = np.array(each, dtype=np.float64)
        return robust.Quantile(float(numbers[0]) if several is None else numbers)

    @property
    def outputs(self) -> Sequence[float] | None:
        """The quantiles of the outputs, if there are several."""
        value: Any = self.quantile
        is_list = isinstance(value, (list, tuple)) or np.ndim(value) == 1
        return value if is_list else None


@final
class EpsilonInsensitive(LossChoice, BaseEstimator):
    """The loss of support vector regression: residuals up to epsilon cost nothing.

    ``rho(r) = max(|r| - epsilon, 0)``. A subgradient by the coefficients is ``-mean(psi(r) x)``
    with ``psi(r) = sign(r)`` where ``|r| > epsilon``, else 0.

    Parameters
    ----------
    epsilon : float, default=0.1
        The residual up to which a row costs nothing, in units of y.

    See Also
    --------
    SquaredEpsilonInsensitive : The square of this loss, which is smooth.
    sklearn.linear_model.SGDRegressor : Stochastic descent, with this loss among others.

    Notes
    -----
    The loss is that of `SGDRegressor`, and `alpha` means the same: c = 1.

    References
    ----------
    .. [1] V. Vapnik, "The nature of statistical learning theory", Springer, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import EpsilonInsensitive, GDLinearRegressor, InverseScaling
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> y = np.array([0.1, 0.9, 2.1])
    >>> loss = EpsilonInsensitive(0.2)
    >>> model = GDLinearRegressor(InverseScaling(0.1), 500, None, loss=loss).fit(X, y)
    >>> print(np.abs(y - model.predict(X)).max() <= 0.21)
    True
    """

    epsilon: float

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = epsilon

    @property
    def rho(self) -> Rho:
        """The loss of a row. Raises if a parameter cannot be used."""
        return robust.EpsilonInsensitive(_at_least_zero(self, "epsilon", self.epsilon))


@final
class SquaredEpsilonInsensitive(LossChoice, BaseEstimator):
    """The square of the residual's part beyond epsilon.

    ``rho(r) = max(|r| - epsilon, 0)^2``. Its gradient by the coefficients is ``-mean(psi(r) x)``
    with ``psi(r) = 2 (r - clip(r, -epsilon, epsilon))``.

    Parameters
    ----------
    epsilon : float, default=0.1
        The residual up to which a row costs nothing, in units of y.

    See Also
    --------
    EpsilonInsensitive : The root of this loss, which outliers pull less.

    Notes
    -----
    The loss is that of `SGDRegressor`, and `alpha` means the same: c = 1. (The squared loss of
    `SGDRegressor` has a factor 1/2, and this one has none. So here the same `alpha` is half as much
    penalty as with the squared loss.)

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor, SquaredEpsilonInsensitive
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> y = np.array([0.1, 0.9, 2.1])
    >>> loss = SquaredEpsilonInsensitive(0.2)
    >>> model = GDLinearRegressor(0.2, 500, loss=loss).fit(X, y)
    >>> print(np.abs(y - model.predict(X)).max() <= 0.201)
    True
    """

    epsilon: float

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = epsilon

    @property
    def rho(self) -> Rho:
        """The loss of a row. Raises if a parameter cannot be used."""
        return robust.SquaredEpsilonInsensitive(_at_least_zero(self, "epsilon", self.epsilon))


# What a word stands for. The squared loss has closed forms of its own, and no rho
CHOICES: dict[str, type[LossChoice]] = {
    "huber": Huber,
    "pseudo_huber": PseudoHuber,
    "quantile": Quantile,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
}
SQUARED = "squared_error"  # scikit-learn's word for it
# What F is without a penalty, in words
MEANS = {
    SQUARED: "mean squared error",
    "huber": "mean Huber loss",
    "pseudo_huber": "mean pseudo-Huber loss",
    "quantile": "mean pinball loss",
    "epsilon_insensitive": "mean epsilon-insensitive loss",
    "squared_epsilon_insensitive": "mean squared epsilon-insensitive loss",
}


def mean_in_words(loss: object) -> str:
    """What the loss of an estimator is the mean of. Its parameter may be of any kind."""
    words: dict[object, str] = {kind: word for word, kind in CHOICES.items()}
    return MEANS.get(words.get(type(loss), str(loss)), "loss")


def rho_of(loss: object) -> Rho | None:
    """The loss of a row that a parameter asks for; None for the square."""
    if isinstance(loss, str):
        if loss == SQUARED:
            return None
        if loss in CHOICES:
            return CHOICES[loss]().rho
    if isinstance(loss, LossChoice):
        return loss.rho
    check_no_class("loss must be", loss, LossChoice)
    words = ", ".join(f'"{word}"' for word in (SQUARED, *CHOICES))
    raise ValueError(f"loss must be one of {words}, or an object such as Huber(), got {loss!r}.")


def quantiles_of(loss: object) -> np.ndarray | None:
    """The quantiles (k,) that a parameter makes outputs of; None if y has the outputs."""
    outputs = loss.outputs if isinstance(loss, Quantile) else None
    return None if outputs is None else np.asarray(outputs, dtype=np.float64)


def targets_for(loss: object, y: np.ndarray) -> np.ndarray:
    """The targets of a fit: y itself, or beside each other as many of it as there are quantiles."""
    quantiles = quantiles_of(loss)
    if quantiles is None:
        return y
    if y.ndim != 1:
        raise ValueError(
            f"y must have one dimension with {loss!r}, which makes an output of each quantile, got "
            f"{y.ndim} dimensions; fit a model for each column of y, or write one quantile."
        )
    return np.repeat(y[:, None], len(quantiles), axis=1)


def arranged(loss: object, values: np.ndarray) -> np.ndarray:
    """The predictions, none of a lower quantile above one of a higher where the loss says so."""
    quantiles = quantiles_of(loss)
    if quantiles is None or not getattr(loss, "non_crossing", False):
        return values
    check_outputs(loss, quantiles, values)
    rank = np.argsort(np.argsort(quantiles, kind="stable"), kind="stable")
    return np.sort(values, axis=1)[:, rank]


def check_outputs(loss: object, quantiles: np.ndarray, values: np.ndarray) -> None:
    """Refuse predictions of a model that was fitted to other quantiles."""
    fitted = np.shape(values)[1] if np.ndim(values) == 2 else "one output"
    if fitted != len(quantiles):
        raise ValueError(
            f"loss={loss!r} has {len(quantiles)} quantiles, but the model was fitted with another "
            f"loss, to {fitted}; call fit again, or write the loss of that fit."
        )


def quantile_score(quantiles: np.ndarray, y: Any, values: Any, sample_weight: Any) -> float:
    """The mean of D2 over several quantiles (k,), which are predicted as `values` (n, k)."""
    from sklearn.metrics import d2_pinball_score  # slow, and few ask for it

    scores = [
        d2_pinball_score(y, value, sample_weight=sample_weight, alpha=q)
        for value, q in zip(np.transpose(values), quantiles.tolist(), strict=True)
    ]
    return float(np.mean(scores))


def _above_zero(loss: LossChoice, name: str, value: Any, other: str = "") -> float:
    if is_real(value) and SMALLEST_ROOT <= as_float(value) <= LARGEST_ROOT:
        return float(value)
    raise ValueError(
        f"loss must be {_with_article(loss)} whose {name} is a number from {SMALLEST_ROOT:g} to "
        f"{LARGEST_ROOT:g}{other}, got {loss!r}."
    )


def _with_article(loss: LossChoice) -> str:
    name = type(loss).__name__
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def _at_least_zero(loss: LossChoice, name: str, value: Any) -> float:
    if is_real(value) and value == 0:
        return 0.0
    return _above_zero(loss, name, value, " or 0")
