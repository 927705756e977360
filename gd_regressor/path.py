"""The textbooks' descent as a function: any iterate of it, or its end."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_X_y

from gd_regressor.blocks import Rows
from gd_regressor.descent import Moved, Walk
from gd_regressor.inputs import checked_start, rows_of, zeros_for_missing
from gd_regressor.losses import DataLoss, Frame, residual_rows
from gd_regressor.metric import Factor, Identity
from gd_regressor.moments import Moments
from gd_regressor.records import Curvature, End, Path, Result
from gd_regressor.root import Root
from gd_regressor.spectrum import Spectrum, Triangle, triangle_of_moments, triangle_of_root
from gd_regressor.steps import ConstantStep, check_bool, check_learning_rate, check_momentum
from gd_regressor.stopping import Settled, Stop, divergence_bound
from gd_regressor.threads import one_blas_thread

Watch = Callable[[int, np.ndarray], None]
Start = tuple[np.ndarray, np.ndarray]  # coefficients (d, t), intercepts (t,)

# Tables of up to SMALL entries are worth more than moments, which square the condition number
SMALL = 1 << 20
# The textbooks' iterates from moments have ten digits up to here
MOMENTS_ARE_EXACT = 300.0


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


def gd_path(
    X,
    y,
    *,
    learning_rate,
    n_iter,
    fit_intercept=True,
    momentum=0.0,
    sample_weight=None,
    coef_init=None,
    intercept_init=None,
):
    """Compute iterates of gradient descent with a constant step.

    The updates are those of `GDLinearRegressor` with a number as `learning_rate`. Where the
    closed form serves, any iterate costs the same, however many updates it is away.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Columns, in any units.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    learning_rate : float
        The rate eta of ``w -= eta * g``, ``g = -(2/n) X'(y - X w - b)``.
    n_iter : int or array-like of int of shape (n_points,)
        Numbers of updates, >= 0, in any order. An int k stands for 0, 1, ..., k.
    fit_intercept : bool, default=True
        Whether there is an intercept.
    momentum : float, default=0.0
        Polyak's momentum, in [0, 1).
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0.
    coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
        Coefficients to start from; None is zeros.
    intercept_init : float or array-like of shape (n_targets,), default=None
        Intercept to start from; None is 0.

    Returns
    -------
    coefs : ndarray of shape (n_features, n_points) or (n_targets, n_features, n_points)
        Coefficients along the path, points last as in `sklearn.linear_model.enet_path`.
    intercepts : ndarray of shape (n_points,) or (n_targets, n_points)
        Intercepts along the path.
    losses : ndarray of shape (n_points,)
        Mean squared error, the mean over targets where there are several.

    Raises
    ------
    ValueError
        If a parameter cannot be used, or an iterate asked for lies beyond the point where a
        diverging descent is stopped: a loss above 1e100 (float32: 1e20) times the larger of the
        first loss and the variance of y.

    Warns
    -----
    DivergenceWarning
        The learning rate is at or above the stability limit.

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
    X, y = check_X_y(
        X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True, estimator="gd_path"
    )
    rows = rows_of(X, y, sample_weight)
    step = ConstantStep(float(learning_rate), float(momentum))
    given = checked_start(coef_init, intercept_init, rows, fit_intercept)
    start = zeros_for_missing(given, rows)
    with one_blas_thread(), np.errstate(under="ignore"):
        rows, targets = _with_moments(rows, int(points.max()))
        path, curvature = textbook_path(rows, step, start, fit_intercept, int(points.max()))
        with np.errstate(over="ignore", invalid="ignore"):
            thetas, losses = path.points(points)
        variance, _ = target_scales(targets, fit_intercept)
        bound = divergence_bound(path.losses(0, 0)[0], variance, X.dtype)
    limit, beyond = step.stability_limit(curvature.largest), ~(losses <= bound).all(axis=1)
    if beyond.any():
        raise ValueError(
            f"n_iter={points[beyond].min()} lies where the descent has diverged; ask for fewer "
            f"updates or write a smaller learning_rate than {limit:.6g}, where stability ends."
        )
    if learning_rate >= limit:
        advice = divergence_advice(learning_rate, limit, curvature, range(X.shape[1]))
        warnings.warn(advice, DivergenceWarning, stacklevel=2)
    w, b = Frame.raw(rows, fit_intercept).split(thetas)
    coefs, intercepts = (
        np.moveaxis(a, (0, -1), (-1, 0)).astype(X.dtype, copy=False) for a in (w, b)
    )
    if y.ndim == 1:
        coefs, intercepts = coefs[0], intercepts[0]
    return coefs, intercepts, losses.mean(axis=1)


def textbook_path(
    rows: Rows, step: ConstantStep, start: Start, fit_intercept: bool, n_updates: int
) -> tuple[Path, Curvature]:
    """The path of `step` on the raw columns, and its steepest direction.

    In closed form where that is the cheaper way to `n_updates` updates, else by walking.
    """
    frame = Frame.raw(rows, fit_intercept)
    theta = frame.from_raw(*start)
    residuals = residual_rows(rows, *start) if theta.any() else rows
    if closed_form_pays(rows.n_rows, rows.n_columns, n_updates):
        both = rows
        if theta.any():
            both = replace(rows, y=np.hstack([rows.y, residuals.y]), known=None)
        spectrum = Spectrum.of(_triangle(both, fit_intercept), step, theta)
        return spectrum, spectrum.curvature
    curvature = DataLoss(rows, frame).lipschitz()
    metric = Identity(curvature.largest)
    if theta.any() and np.abs(residuals.y).max() < np.abs(rows.y).max():  # a good start
        walk = Walk(DataLoss(residuals, frame), np.zeros_like(theta), metric, step)
        return Moved(walk, theta), curvature
    return Walk(DataLoss(rows, frame), theta, metric, step), curvature


def _with_moments(rows: Rows, n_updates: int) -> tuple[Rows, Moments]:
    """The rows, knowing their moments where these serve, and the moments of the targets."""
    if not closed_form_pays(rows.n_rows, rows.n_columns, n_updates):
        return rows, Moments.of_rows(rows.targets_only)
    moments = Moments.of_rows(rows)
    return replace(rows, known=moments), moments


def _triangle(rows: Rows, fit_intercept: bool) -> Triangle:
    """That of the moments; of the rows where it costs little, or where the moments lose digits."""
    moments = Moments.of_rows(rows)
    factor = Factor.of(moments)
    small, dependent = rows.size <= SMALL, factor.dropped.size > 0
    if small or dependent or factor.condition_number > MOMENTS_ARE_EXACT:
        root = Root.of(rows, moments.column_means, factor.scale, moments.target_means)
        return triangle_of_root(root, fit_intercept)
    return triangle_of_moments(moments, factor, fit_intercept)


def closed_form_pays(n: int, d: int, n_updates: int) -> bool:
    """Whether moments and an eigenbasis cost less than walking over the rows.

    In passes over X, as measured: a pass makes 4 n d operations at the speed of memory, moments
    2 n d^2 seventeen times faster and one pass more, the Jacobi SVD 26 d^3 at the speed of the
    pass. Walking has to find the stability limit too, some thirty passes.
    """
    return 2 + d / 34 + 6.5 * d * d / n < n_updates + 30


def follow_textbook(
    rows: Rows, step: ConstantStep, start: Start, *, fit_intercept: bool, max_iter: int, **options
) -> Result:
    """Descend with a constant step on the raw columns; the `options` are those of `follow_path`."""
    rows, targets = _with_moments(rows, max_iter)
    path, curvature = textbook_path(rows, step, start, fit_intercept, max_iter)
    options |= {"fit_intercept": fit_intercept, "max_iter": max_iter}
    return follow_path(path, curvature, step, targets, rows.precision, **options)


def follow_path(
    path: Path,
    curvature: Curvature,
    step: ConstantStep,
    targets: Moments,
    precision: np.dtype,
    *,
    fit_intercept: bool,
    max_iter: int,
    tol: float | None,
    watch: Watch | None = None,
) -> Result:
    """Follow the path of `step` on the raw columns until `tol`, `max_iter` or divergence."""
    variance, square = target_scales(targets, fit_intercept)
    rule = None if tol is None else Settled(tol * variance, square, step.momentum)
    stop = Stop(rule, max_iter, variance, precision)
    end = path.first(stop, watch)
    theta = path.at(end.k)
    w, b = (theta[:-1], theta[-1]) if fit_intercept else (theta, np.zeros(theta.shape[1]))
    limit = step.stability_limit(curvature.largest)
    return result_of(path, end, w, b, variance, curvature=curvature, max_learning_rate=limit)


def target_scales(moments: Moments, fit_intercept: bool) -> tuple[np.ndarray, np.ndarray]:
    """(t,) V, the unit of losses, and (t,) the mean square of y, the unit of their rounding.

    V is the weighted variance of y, its mean square without an intercept, and 1 where that is 0.
    """
    variance = moments.yy / moments.weight
    square = variance + moments.target_means**2
    variance = variance if fit_intercept else square
    return np.where(variance == 0, 1.0, variance), square


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


def _checked_points(n_iter) -> np.ndarray:
    points = np.asarray(n_iter)
    bad = points.dtype.kind not in "iu" or points.ndim > 1 or not points.size
    if bad or points.min() < 0 or points.max() > 2**62:
        raise ValueError(
            f"n_iter must be an integer >= 0 or a list of such integers, got {n_iter!r}."
        )
    return np.arange(points + 1) if points.ndim == 0 else points.astype(np.int64)


def result_of(
    path: Path, end: End, w: np.ndarray, b: np.ndarray, variance: np.ndarray, **known
) -> Result:
    """The record of a descent that ended with coefficients `w` (d, t) and intercepts `b` (t,)."""
    return Result(
        coef=w.T,
        intercept=b,
        n_iter=end.k,
        loss_curve=end.losses.sum(axis=1) / len(variance),
        gaps=path.records(end.k, end.k).gaps[0],
        variance=variance,
        status=end.status,
        gap_is_exact=path.gap_is_exact,
        **known,
    )
