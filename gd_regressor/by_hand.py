"""What textbooks do by hand: a loss and its gradient at any point, a check of it, units."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gd_regressor.arithmetic.threads import limited
from gd_regressor.data.checks import columns_named, finite_floats
from gd_regressor.data.kinds import DaskLike, MatrixLike
from gd_regressor.estimator.arrays import rows_for
from gd_regressor.estimator.start import checked_start, zeros_for_missing
from gd_regressor.estimator.wrapped import affine_map, unwrapped
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss

# Residuals below this share of y tell nothing about a gradient
LEAST = 1e-3
# Predictions in single precision are within this share of their terms
AGREEING = 1e-4
# A gradient of coefficients and of the intercept
Gradient = tuple[NDArray[np.float64], float | NDArray[np.float64]]


def squared_loss(
    X: MatrixLike | DaskLike,
    y: ArrayLike | DaskLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    sample_weight: ArrayLike | DaskLike | None = None,
) -> float:
    """Mean squared error of a linear model, at any coefficients.

    Parameters
    ----------
    X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
        Columns.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    coef : array-like of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    intercept : float or array-like of shape (n_targets,), default=0.0
        Intercept.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0, normalised by their sum.

    Returns
    -------
    loss : float
        The (weighted) mean of ``(y - X @ coef - intercept)**2``; the mean over targets where there
        are several. An entry of `loss_curve_` is this loss.

    See Also
    --------
    squared_loss_gradient : Its gradient.

    Notes
    -----
    Texts whose cost is ``1/(2m) sum e^2`` have half of this loss.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import squared_loss
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> squared_loss(X, y, [0.0]), squared_loss(X, y, [0.6], 2.2)
    (17.2, 0.48)
    """
    loss, theta, _ = _at(X, y, coef, intercept, sample_weight, "squared_loss")
    return float(_value_and_gradient(loss, theta)[0].mean())


def squared_loss_gradient(
    X: MatrixLike | DaskLike,
    y: ArrayLike | DaskLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    sample_weight: ArrayLike | DaskLike | None = None,
) -> Gradient:
    """Gradient of the mean squared error, at any coefficients.

    Parameters
    ----------
    X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
        Columns.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    coef : array-like of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    intercept : float or array-like of shape (n_targets,), default=0.0
        Intercept.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0, normalised by their sum.

    Returns
    -------
    coef_gradient : ndarray of shape (n_features,) or (n_targets, n_features)
        ``-(2/n) X'(y - X coef - intercept)``, for each target of its own loss.
    intercept_gradient : float or ndarray of shape (n_targets,)
        ``-(2/n) sum(y - X coef - intercept)``.

    See Also
    --------
    squared_loss : The loss.
    check_gradient : Compares a gradient with finite differences.

    Notes
    -----
    Texts whose cost is ``1/(2m) sum e^2`` have half of this gradient: their learning rate is twice
    ours.

    Examples
    --------
    One update by hand:

    >>> import numpy as np
    >>> from gd_regressor import squared_loss_gradient
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> w, b = np.zeros(1), 0.0
    >>> dw, db = squared_loss_gradient(X, y, w, b)
    >>> print(dw, db)
    [-26.4] -8.0
    >>> w, b = w - 0.01 * dw, b - 0.01 * db
    >>> print(w.round(3), round(b, 3))
    [0.264] 0.08
    """
    loss, theta, y_ndim = _at(X, y, coef, intercept, sample_weight, "squared_loss_gradient")
    gradient = _value_and_gradient(loss, theta)[1]
    if y_ndim == 1:
        return gradient[:-1, 0], float(gradient[-1, 0])
    return np.ascontiguousarray(gradient[:-1].T), gradient[-1]


def check_gradient(
    X: MatrixLike | DaskLike,
    y: ArrayLike | DaskLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    sample_weight: ArrayLike | DaskLike | None = None,
    gradient: tuple[ArrayLike, ArrayLike] | None = None,
) -> float:
    """Compare a gradient with central finite differences of the loss.

    A quadratic has no third derivative, so the differences are exact for any width: they are made
    as wide as the loss is high, where rounding is least.

    Parameters
    ----------
    X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
        Columns.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    coef : array-like of shape (n_features,) or (n_targets, n_features)
        Coefficients where to compare.
    intercept : float or array-like of shape (n_targets,), default=0.0
        Intercept where to compare.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0, normalised by their sum.
    gradient : tuple of (array-like, float or array-like), default=None
        A gradient of your own, in the shapes of `squared_loss_gradient`; None checks that one.

    Returns
    -------
    error : float
        The largest difference, as a share of the largest value that the derivative could have with
        this loss, ``2 rms(column) rms(residual)``. Below 1e-12 the gradient is right. A residual
        below a thousandth of the size of y counts as one of that size.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import check_gradient
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> check_gradient(X, y, [0.5], 1.0) < 1e-12
    True
    >>> error = y - X[:, 0] * 0.5 - 1.0
    >>> mine = [-(X[:, 0] * error).mean()], -error.mean()  # the factor 2 is missing
    >>> print(f"{check_gradient(X, y, [0.5], 1.0, gradient=mine):.2f}")
    0.45
    """
    loss, theta, _ = _at(X, y, coef, intercept, sample_weight, "check_gradient")
    value, told = _value_and_gradient(loss, theta)
    if gradient is not None:
        told = _told(gradient, theta.shape)
    # Half the Hessian's diagonal: the mean squares of the columns and the ones
    squares = loss.hessian_product(np.eye(len(theta))).diagonal() / 2
    sizes = np.sqrt(np.where(squares > 0, squares, 1.0))
    # What is left beside a nearly perfect fit is rounding
    least = LEAST**2 * _value_and_gradient(loss, np.zeros_like(theta))[0]
    value = np.maximum(value, least)
    heights = np.sqrt(np.where(value > 0, value, 1.0))
    largest = 0.0
    for j, size in enumerate(sizes):
        step = np.zeros_like(theta)
        step[j] = heights / size
        above, below = (_value_and_gradient(loss, theta + s)[0] for s in (step, -step))
        off = np.abs((above - below) / (2 * step[j]) - told[j]) / (2 * size * heights)
        largest = max(largest, float(off.max()))
    return largest


def original_units(
    fitted: Any, *, target_scaler: Any = None
) -> tuple[NDArray[np.float64], float | NDArray[np.float64]]:
    """Coefficients and intercept for the columns as they were before a pipeline scaled them.

    Parameters
    ----------
    fitted : Pipeline, TransformedTargetRegressor or linear model
        Fitted. Its steps before the linear model may be StandardScaler, MinMaxScaler, MaxAbsScaler
        and RobustScaler; the transformer of the target likewise.
    target_scaler : transformer, default=None
        A fitted scaler that y went through before `fit`, where that was done by hand.

    Returns
    -------
    coef : ndarray of shape (n_features,) or (n_targets, n_features)
        In target units per column unit.
    intercept : float or ndarray of shape (n_targets,)
        In target units: predictions are ``X @ coef.T + intercept``.

    Raises
    ------
    ValueError
        If a step is no scaler, the model predicts anything but ``X @ coef_.T + intercept_``, or
        nothing is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.compose import TransformedTargetRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from gd_regressor import GDLinearRegressor, original_units
    >>> X = np.array([[100.0], [200.0], [300.0], [400.0]])
    >>> y = 5.0 * X[:, 0] + 2000.0
    >>> descent = GDLinearRegressor(learning_rate=0.1, max_iter=200)
    >>> model = TransformedTargetRegressor(
    ...     make_pipeline(StandardScaler(), descent), transformer=StandardScaler()
    ... ).fit(X, y)
    >>> coef, intercept = original_units(model)
    >>> print(f"{coef[0]:.3f} {intercept:.2f}")
    5.000 2000.00
    """
    parts = unwrapped(fitted)
    if not hasattr(parts.model, "coef_"):
        raise ValueError(
            "fitted must be a fitted linear model, or a pipeline that ends in one, got "
            f"{type(parts.model).__name__} without coef_; call fit first."
        )
    coef = np.array(parts.model.coef_, dtype=np.float64)
    intercept = np.asarray(parts.model.intercept_, dtype=np.float64)
    if coef.ndim == 2 and intercept.ndim == 0:  # without an intercept it may be one zero for all
        intercept = np.full(len(coef), intercept)
    _check_linear(parts.model, coef, intercept)
    for name, step in reversed(parts.steps):
        factor, shift = affine_map(step, f"the step {name!r}")
        intercept = intercept + coef @ np.broadcast_to(shift, coef.shape[-1:])
        coef = coef * factor
    for scaler in (parts.target, target_scaler):
        if scaler is not None:
            factor, shift = affine_map(scaler, "the transformer of the target")
            _check_width(scaler, len(coef) if coef.ndim == 2 else 1)
            coef = coef / factor[..., None] if coef.ndim == 2 else coef / factor
            intercept = (intercept - shift) / factor
    return coef, intercept if coef.ndim == 2 else float(np.ravel(intercept)[0])


def _check_linear(model: Any, coef: np.ndarray, intercept: np.ndarray) -> None:
    """Refuses models with a `coef_` that predict something else, as classifiers do."""
    d = coef.shape[-1]
    points = np.vstack([np.zeros(d), np.linspace(1.0, 2.0, d)])
    ours = points @ coef.T + intercept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the points have no column names
        told = np.asarray(model.predict(points))
    near = AGREEING * (points @ np.abs(coef.T) + np.abs(intercept))
    if told.dtype.kind != "f" or not (np.abs(told.reshape(ours.shape) - ours) <= near).all():
        raise ValueError(
            f"fitted must end in a linear model that predicts X @ coef_.T + intercept_, got "
            f"{type(model).__name__}, which does not."
        )


def _check_width(scaler: Any, n_targets: int) -> None:
    if scaler.n_features_in_ != n_targets:
        raise ValueError(
            f"target_scaler must have been fitted to {n_targets} target"
            f"{'s' * (n_targets > 1)}, got one fitted to {scaler.n_features_in_} columns."
        )


def _at(X, y, coef, intercept, sample_weight, caller: str) -> tuple[DataLoss, np.ndarray, int]:
    """The loss, the point (p, t), and the dimensions of y."""
    with columns_named(X):
        given_rows, y_ndim = rows_for(X, y, sample_weight, caller)
        table = given_rows.check()
    given = checked_start(coef, intercept, table, True, names=("coef", "intercept"))
    frame = Frame.raw(table, True)
    return DataLoss(table, frame), frame.from_raw(*zeros_for_missing(given, table)), y_ndim


def _value_and_gradient(loss: DataLoss, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(over="ignore", under="ignore"):
        return limited(lambda _: loss.value_and_gradient(theta))


def _told(gradient, shape: tuple[int, int]) -> np.ndarray:
    """A gradient (p, t) as somebody else writes it."""
    try:
        coefs, intercepts = gradient
    except (TypeError, ValueError):
        raise ValueError(
            "gradient must be two: that of the coefficients and that of the intercept."
        ) from None
    w, b = finite_floats("gradient", coefs), finite_floats("gradient", intercepts)
    p, t = shape
    if w.size != (p - 1) * t or b.size != t:
        raise ValueError(
            f"gradient must have {(p - 1) * t} values for coefficients and {t} for intercepts, got "
            f"{w.size} and {b.size}."
        )
    return np.vstack([w.reshape(t, p - 1).T, b.reshape(1, t)])
