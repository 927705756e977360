"""gd_path: any iterates of the textbooks' descent, as a function."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length

from gd_regressor.arithmetic.threads import limited
from gd_regressor.data.checks import as_table, as_targets
from gd_regressor.data.inputs import rows_of
from gd_regressor.data.kinds import Floats, Integers
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Start
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.descent.stopping import divergence_bound
from gd_regressor.estimator.advice import DivergenceWarning, divergence_advice
from gd_regressor.estimator.parameters import check_bool, check_learning_rate, check_momentum
from gd_regressor.estimator.start import checked_start, zeros_for_missing
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.textbook.follow import textbook_path, with_moments

# Each point takes a vector of coefficients: more points would fill the memory
MOST_POINTS = 10**8


def gd_path(
    X: ArrayLike,
    y: ArrayLike,
    *,
    learning_rate: float,
    n_iter: Integers,
    fit_intercept: bool = True,
    momentum: float = 0.0,
    sample_weight: ArrayLike | None = None,
    coef_init: ArrayLike | None = None,
    intercept_init: ArrayLike | None = None,
) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Compute iterates of gradient descent with a constant step.

    The updates are those of `GDLinearRegressor` with a number as `learning_rate`. Far iterates
    come from a closed form, so an iterate after a billion updates costs no more than the first.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Columns, in any units.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets. Several targets descend independently.
    learning_rate : float
        The rate eta of ``w -= eta * g`` with ``g = -(2/n) X'(y - X w - b)``.
    n_iter : int or array-like of int of shape (n_points,)
        Numbers of updates >= 0, in any order. An int k means 0, 1, ..., k.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    momentum : float, default=0.0
        Polyak's momentum, in [0, 1).
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0; None gives each row weight 1.
    coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
        Coefficients to start from; None starts from zeros.
    intercept_init : float or array-like of shape (n_targets,), default=None
        Intercept to start from; None starts from 0.

    Returns
    -------
    coefs : ndarray of shape (n_features, n_points) or (n_targets, n_features, n_points)
        Coefficients after each number of updates in `n_iter`. The points are the last axis, as
        in `sklearn.linear_model.enet_path`.
    intercepts : ndarray of shape (n_points,) or (n_targets, n_points)
        Intercepts at the same points.
    losses : ndarray of shape (n_points,)
        Mean squared error at the same points, in squared units of y. With several targets, the
        mean over targets.

    Raises
    ------
    ValueError
        If `gd_path` cannot use a parameter, or an iterate has diverged. A descent has diverged when
        its loss exceeds 1e100 times the larger of the first loss and the variance of y. For
        float32 the factor is 1e20.

    Warns
    -----
    DivergenceWarning
        The learning rate is at or above the stability limit.

    See Also
    --------
    GDLinearRegressor : The estimator that makes the same updates.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import gd_path
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> coefs, intercepts, losses = gd_path(X, y, learning_rate=0.01, n_iter=[0, 1000, 10**9])
    >>> coefs.shape
    (1, 3)
    >>> print(np.round(coefs[0], 5), np.round(intercepts, 5), np.round(losses, 5))
    [0.      0.61769 0.6    ] [0.      2.13612 2.2    ] [17.2      0.48074  0.48   ]
    """
    check_learning_rate(learning_rate)
    check_momentum(momentum)
    check_bool("fit_intercept", fit_intercept)
    points = _checked_points(n_iter)
    table = as_table(X, accept_sparse=False, estimator="gd_path")
    targets = as_targets(y, estimator="gd_path")
    check_consistent_length(table, targets)
    rows = rows_of(table, targets, sample_weight)
    step = ConstantStep(float(learning_rate), float(momentum))
    given = checked_start(coef_init, intercept_init, rows, fit_intercept)
    start = zeros_for_missing(given, rows)
    # The bound of divergence sees what overflows
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        thetas, losses, bound, curvature = limited(
            lambda _: _iterates(rows, step, start, fit_intercept, points)
        )
    limit, beyond = step.stability_limit(curvature.largest), ~(losses <= bound).all(axis=1)
    if beyond.any():
        raise ValueError(
            f"n_iter={points[beyond].min()} lies where the descent has diverged; ask for fewer "
            f"updates or write a smaller learning_rate than {limit:.6g}, where stability ends."
        )
    if learning_rate >= limit:
        advice = divergence_advice(learning_rate, limit, curvature, range(table.shape[1]))
        warnings.warn(advice, DivergenceWarning, stacklevel=2)
    w, b = Frame.raw(rows, fit_intercept).split(thetas)
    coefs, intercepts = (
        np.moveaxis(a, (0, -1), (-1, 0)).astype(table.dtype, copy=False) for a in (w, b)
    )
    if targets.ndim == 1:
        coefs, intercepts = coefs[0], intercepts[0]
    return coefs, intercepts, losses.mean(axis=1)


def _checked_points(n_iter) -> np.ndarray:
    try:
        points = np.asarray(n_iter)
    except ValueError:  # lists of different lengths
        points = np.empty(0)
    bad = points.dtype.kind not in "iu" or points.ndim > 1 or not points.size
    if bad or points.min() < 0 or points.max() > 2**62:
        raise ValueError(
            f"n_iter must be an integer >= 0 or a list of such integers, got {n_iter!r}."
        )
    if points.ndim == 0 and points >= MOST_POINTS:
        raise ValueError(
            f"n_iter must be below {MOST_POINTS} for all iterates up to it, got {n_iter!r}; write "
            f"n_iter=[{n_iter!r}] for that one alone."
        )
    return np.arange(int(points) + 1) if points.ndim == 0 else points.astype(np.int64)


def _iterates(rows: Rows, step: ConstantStep, start: Start, fit_intercept: bool, points):
    """Iterates and losses after `points` updates, the divergence bound, the steepest direction."""
    rows, targets = with_moments(rows, int(points.max()))
    path, curvature = textbook_path(rows, step, start, fit_intercept, int(points.max()))
    thetas, losses = path.points(points)
    variance = scales_of(targets, fit_intercept).variance
    bound = divergence_bound(path.losses(0, 0)[0], variance, rows.X.dtype)
    return thetas, losses, bound, curvature
