"""gd_path: any iterates of the textbooks' descent, as a function."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gd_regressor.arithmetic.threads import limited
from gd_regressor.data.checks import columns_named, finite_floats, names_in
from gd_regressor.data.kinds import DaskLike, Floats, Integers, MatrixLike
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Request, Start, Terms
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.descent.stopping import divergence_bound
from gd_regressor.estimator.advice import DivergenceWarning, divergence_advice
from gd_regressor.estimator.arrays import names_of, rows_for, rows_in_memory, stream_of_moments
from gd_regressor.estimator.described import Setting, described, ridge_of, ridge_terms
from gd_regressor.estimator.directions import (
    INTERCEPT,
    columns_counted,
    direction_names,
    report_tables,
)
from gd_regressor.estimator.fitting import landscape_of, landscape_of_stream
from gd_regressor.estimator.parameters import (
    check_bool,
    check_learning_rate,
    check_momentum,
    check_tol,
    check_word,
)
from gd_regressor.estimator.start import checked_start, zeros_for_missing
from gd_regressor.estimator.tables import html_table, text_table
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.objective.frame import scales_of
from gd_regressor.textbook.follow import penalised_path, textbook_path, with_moments
from gd_regressor.textbook.landscape import Landscape

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
    on_divergence: Literal["raise", "truncate"] = "raise",
    alpha: float = 0.0,
    penalty_weights: ArrayLike | None = None,
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
    on_divergence : {"raise", "truncate"}, default="raise"
        What to do about iterates beyond the point where a diverging descent is stopped: refuse, or
        leave them out, so that the arrays have fewer points. (The estimator keeps one more: the
        iterate at which it stops.)
    alpha : float, default=0.0
        Strength of a ridge, per row: the `alpha` of `GDLinearRegressor` with ``l1_ratio=0``. It
        adds ``alpha * |w|_2^2`` to the loss.
    penalty_weights : array-like of shape (n_features,), default=None
        Factors >= 0 of `alpha`, one per column; None gives each column 1.

    Returns
    -------
    coefs : ndarray of shape (n_features, n_points) or (n_targets, n_features, n_points)
        Coefficients after each number of updates in `n_iter`. The points are the last axis, as
        in `sklearn.linear_model.enet_path`.
    intercepts : ndarray of shape (n_points,) or (n_targets, n_points)
        Intercepts at the same points.
    losses : ndarray of shape (n_points,)
        Mean squared error at the same points, with the ridge if there is one, in squared units of
        y. With several targets, the mean over targets.

    Raises
    ------
    ValueError
        If `gd_path` cannot use a parameter, or with ``on_divergence="raise"`` an iterate has
        diverged. A descent has diverged when its loss exceeds 1e100 times the larger of the first
        loss and the variance of y. For float32 the factor is 1e20.

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
    check_word("on_divergence", on_divergence, ("raise", "truncate"))
    points = checked_points(n_iter)
    with columns_named(X):
        rows, y_ndim = rows_in_memory(X, y, sample_weight, "gd_path", accept_sparse=False)
    step = ConstantStep(float(learning_rate), float(momentum))
    terms = ridge_terms(alpha, penalty_weights, rows.n_columns, rows.n_targets, "path")
    request = Request(
        bool(fit_intercept), int(points.max()), None, terms if terms.l2.any() else None
    )
    given = checked_start(coef_init, intercept_init, rows, fit_intercept)
    start = zeros_for_missing(given, rows)
    # The bound of divergence sees what overflows
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        thetas, losses, bound, curvature = limited(
            lambda _: _iterates(rows, step, start, request, points)
        )
    limit, beyond = step.stability_limit(curvature.largest), ~(losses <= bound).all(axis=1)
    if beyond.any() and on_divergence == "raise":
        raise ValueError(
            f"n_iter reaches {points[beyond].min()} updates, where the descent has diverged; ask "
            f"for fewer, write a smaller learning_rate than {limit:.6g}, where stability ends, or "
            'write on_divergence="truncate".'
        )
    thetas, losses = thetas[~beyond], losses[~beyond]
    if learning_rate >= limit:
        columns = names_in(X) or range(rows.n_columns)
        advice = divergence_advice(learning_rate, limit, curvature, columns)
        warnings.warn(advice, DivergenceWarning, stacklevel=2)
    coefs, intercepts = (
        a.astype(rows.precision, copy=False) for a in shaped(thetas, fit_intercept, y_ndim)
    )
    return coefs, intercepts, losses.mean(axis=1)


def shaped(thetas: np.ndarray, fit_intercept: bool, y_ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients ([t,] d, n) and intercepts ([t,] n) of points (n, p, t)."""
    w, b = thetas, np.zeros_like(thetas[:, 0])
    if fit_intercept:
        w, b = thetas[:, :-1], thetas[:, -1]
    coefs, intercepts = (np.moveaxis(a, (0, -1), (-1, 0)) for a in (w, b))
    return (coefs[0], intercepts[0]) if y_ndim == 1 else (coefs, intercepts)


def checked_points(n_iter) -> np.ndarray:
    """Numbers of updates (m,); refuses what is none."""
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


def _iterates(rows: Rows, step: ConstantStep, start: Start, request: Request, points):
    """Iterates and losses after `points` updates, the divergence bound, the steepest direction."""
    rows, targets = with_moments(rows, request.max_iter)
    if request.terms is None:
        path, curvature = textbook_path(rows, step, start, request.fit_intercept, request.max_iter)
    else:
        path, curvature, _ = penalised_path(rows, step, start, request, request.terms)
    thetas, losses = path.points(points)
    variance = scales_of(targets, request.fit_intercept).variance
    bound = divergence_bound(path.losses(0, 0)[0], variance, rows.X.dtype)
    return thetas, losses, bound, curvature


class LearningRateReport:
    """All that the eigenvalues of a squared loss tell about descents on it, before any is made.

    Made from the moments of the data by one decomposition. After it each question costs micro- to
    milliseconds, however many updates it is about. ``print(report)`` shows a table; a notebook
    shows the same as HTML. `standardised` is the same report for columns of mean 0 and deviation 1.

    A curvature is an eigenvalue of the Hessian ``(2/n) [X 1]'[X 1]``, and a direction its
    eigenvector. A ridge adds ``alpha * w**2`` of each coefficient to the loss, and so
    ``2 * alpha`` to its curvature. Without momentum an update multiplies what is left of a
    direction with curvature ``c`` by ``1 - learning_rate * c``.

    Parameters
    ----------
    landscape : object
        The loss and the start, of the package's own making: use one of the constructors.
    feature_names : list of str
        The names of the columns.
    y_ndim : int, default=1
        The dimensions of y.
    setting : tuple of (float, float, float or None), default=None
        Learning rate, momentum and `tol` of the estimator that the report is about.

    Attributes
    ----------
    landscape : object
        What it is made from. Its fields are the package's own and may change.
    feature_names : list of str
        The names of the columns.
    fit_intercept : bool
        Whether there is an intercept, the last coordinate of `vectors`.
    setting : tuple of (float, float, float or None) or None
        Learning rate, momentum and `tol` of the estimator, where there is one with a number as
        `learning_rate`.
    curvatures : ndarray of shape (n_directions,)
        The eigenvalues of the Hessian, the largest first. Zero along combinations of columns that
        vanish.
    vectors : ndarray of shape (n_features + fit_intercept, n_directions)
        The directions, of norm 1.
    directions : list of str
        Names for them: the one or two columns that each mostly is, such as ``"width - height"``.
    excess : ndarray of shape (n_directions,)
        What each direction adds to the first loss above the minimum, the mean over the targets.
    variance : ndarray of shape (n_targets,)
        The unit of `tol`: the variance of y (without an intercept its mean square); 1 where it
        is 0.
    first_loss : float
        The loss at the start.
    minimum_loss : float
        The smallest loss that there is.
    coef : ndarray of shape (n_features,) or (n_targets, n_features)
        The coefficients that a descent from the start comes to in the end.
    intercept : float or ndarray of shape (n_targets,)
        Its intercept.

    See Also
    --------
    learning_rate_report : The report of columns and targets.
    gd_path : The iterates of one descent.

    Notes
    -----
    Wherever an update is counted to be "needed", the loss is within `tol` times the variance of y
    of its minimum from that update on. An update that stops a descent (`stops_after`) is another
    thing: the stopping rule sees only how much one update changes the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import LearningRateReport, Moments
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> report = LearningRateReport.from_moments(Moments.of(X, y), feature_names=["hours"])
    >>> report.directions
    ['hours', 'intercept']
    >>> print(f"{report.limit():.5f} {report.condition_number:.1f}")
    0.08452 70.0
    >>> report.needs(0.01, 0.0, 1e-6), report.stops_after(0.01, 0.0, 1e-6)
    (1950, 1213)
    """

    # What the constructor writes
    landscape: Landscape
    feature_names: list[str]
    fit_intercept: bool
    setting: Setting | None
    curvatures: NDArray[np.float64]
    vectors: NDArray[np.float64]
    directions: list[str]
    excess: NDArray[np.float64]
    variance: NDArray[np.float64]
    first_loss: float
    minimum_loss: float
    coef: NDArray[np.float64]
    intercept: float | NDArray[np.float64]

    def __init__(
        self,
        landscape: Landscape,
        feature_names: Sequence[str],
        y_ndim: int = 1,
        setting: Setting | None = None,
    ) -> None:
        modes = landscape.modes
        self.landscape, self._y_ndim = landscape, y_ndim
        self.feature_names = list(feature_names)
        self.fit_intercept = landscape.fit_intercept
        self.setting = setting
        self.curvatures, self.vectors = modes.curvatures, modes.vectors
        self.directions = direction_names(modes.vectors, self.feature_names)
        self.excess = (modes.residual**2).mean(axis=1)
        self.variance = landscape.scales.variance
        self.minimum_loss = float(modes.minimum.mean())
        self.first_loss = self.minimum_loss + float(self.excess.sum())
        coef, intercept = self._shaped(modes.end[None])
        self.coef, self.intercept = coef[..., 0], intercept[..., 0]
        if y_ndim == 1:
            self.intercept = float(self.intercept)

    @classmethod
    def from_moments(
        cls,
        moments: Moments,
        *,
        fit_intercept: bool = True,
        feature_names: Sequence[str] | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        alpha: float = 0.0,
        penalty_weights: ArrayLike | None = None,
    ) -> Self:
        """Report on rows of which the moments are known.

        Parameters
        ----------
        moments : Moments
            Those of all rows.
        fit_intercept : bool, default=True
            Whether there is an intercept.
        feature_names : sequence of str, default=None
            The names of the columns; None is x0, x1, ...
        coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
            Coefficients to start from; None is zeros.
        intercept_init : float or array-like of shape (n_targets,), default=None
            Intercept to start from; None is 0.
        alpha : float, default=0.0
            Strength of a ridge, per row: the `alpha` of `GDLinearRegressor` with ``l1_ratio=0``.
        penalty_weights : array-like of shape (n_features,), default=None
            Factors >= 0 of `alpha`, one per column; None gives each column 1.

        Returns
        -------
        report : LearningRateReport

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import LearningRateReport, Moments
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> moments = Moments.of(X[:3], y[:3]) + Moments.of(X[3:], y[3:])
        >>> print(f"{LearningRateReport.from_moments(moments).limit():.5f}")
        0.08452
        """
        check_bool("fit_intercept", fit_intercept)
        stream = stream_of_moments(moments)
        names = names_of(None, feature_names, stream.n_columns)
        given = checked_start(coef_init, intercept_init, stream, fit_intercept)
        start = zeros_for_missing(given, stream)
        ridge = ridge_of(alpha, penalty_weights, stream.n_columns, stream.n_targets)
        landscape = landscape_of_stream(stream, start, bool(fit_intercept), ridge)
        return cls(landscape, names, stream.y_ndim)

    @classmethod
    def from_estimator(
        cls,
        fitted: Any,
        X: MatrixLike | DaskLike | None = None,
        y: ArrayLike | DaskLike | None = None,
        *,
        sample_weight: ArrayLike | DaskLike | None = None,
    ) -> Self:
        """Report on the descent of a fitted estimator, in the units that it descends in.

        Parameters
        ----------
        fitted : GDLinearRegressor, Pipeline or TransformedTargetRegressor
            Fitted. X passes the transformers before the descent, y that of the target.
        X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features), \
default=None
            What it was fitted to. May be left out for a stream, which keeps its moments.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Its targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Its weights.

        Returns
        -------
        report : LearningRateReport
            From the start of that fit, if its learning rate is a number, else from zero.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or not by gradient descent. Or its loss has kinks: with
            an L1 penalty or ``positive=True`` no eigenvalues foretell a descent.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor, LearningRateReport
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> model = GDLinearRegressor(learning_rate=0.01, max_iter=1000, tol=None).fit(X, y)
        >>> report = LearningRateReport.from_estimator(model, X, y)
        >>> report.setting, report.needs(0.01)
        ((0.01, 0.0, None), 1950)
        """
        found = described(fitted, X, y, sample_weight)
        if not found.is_quadratic:
            raise ValueError(_no_report(unwrapped(fitted).model, found.terms))
        return cls(found.landscape, found.names, found.y_ndim, found.setting)

    @property
    def standardised(self) -> LearningRateReport:
        """The same for columns of mean 0 and deviation 1 (ddof=0), as StandardScaler makes them.

        The target is as it is, and so is the model at the start. Constant columns stay constant. A
        ridge keeps its `alpha`, as behind a StandardScaler, so its minimum is another.
        """
        return LearningRateReport(self.landscape.standardised, self.feature_names, self._y_ndim)

    @property
    def largest_curvature(self) -> float:
        """L, the largest eigenvalue of the Hessian."""
        return float(self.curvatures.max(initial=0.0))

    @property
    def smallest_curvature(self) -> float:
        """The smallest eigenvalue that is not zero, mu."""
        return float(self.curvatures[self.curvatures > 0].min(initial=np.inf, where=True))

    @property
    def condition_number(self) -> float:
        """L / mu; the condition number of the columns is its root."""
        return self.largest_curvature / self.smallest_curvature if self._is_curved else 1.0

    @property
    def best_learning_rate(self) -> float:
        """2 / (L + mu), whose guarantee is the best one: for any start.

        Each update leaves at most ``(L - mu) / (L + mu)`` of the error. `fastest` is the best rate
        from this start.
        """
        if not self._is_curved:
            return np.inf
        return 2 / (self.largest_curvature + self.smallest_curvature)

    @property
    def best_momentum(self) -> tuple[float, float]:
        """The momentum with the best guarantee, and the learning rate that belongs to it.

        Polyak's (1964): with ``q = sqrt(mu / L)`` they are ``((1 - q) / (1 + q))**2`` and
        ``(2 / (sqrt(L) + sqrt(mu)))**2``.
        """
        if not self._is_curved:
            return 0.0, np.inf
        above, below = np.sqrt(self.largest_curvature), np.sqrt(self.smallest_curvature)
        return float(((above - below) / (above + below)) ** 2), float((2 / (above + below)) ** 2)

    @property
    def steepest_column(self) -> str:
        """The column with the largest share of the steepest direction: it sets the limit."""
        return [*self.feature_names, INTERCEPT][int(np.argmax(np.abs(self._steepest)))]

    @property
    def steepest_share(self) -> float:
        """The square of its share. Below one half, columns correlated with it set the limit too."""
        return float(np.max(self._steepest**2))

    def limit(self, momentum: float = 0.0) -> float:
        """The learning rate from which on a descent need not arrive, ``2 (1 + momentum) / L``.

        Parameters
        ----------
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).

        Returns
        -------
        limit : float

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> print(f"{report.limit():.5f} {report.limit(momentum=0.5):.5f}")
        0.08452 0.12679
        """
        check_momentum(momentum)
        return ConstantStep(1.0, float(momentum)).stability_limit(self.largest_curvature)

    def fastest(self, tol: float = 1e-6) -> tuple[float, float]:
        """The learning rate that needs the fewest updates from this start, without momentum.

        Parameters
        ----------
        tol : float, default=1e-6
            In units of the variance of y.

        Returns
        -------
        learning_rate : float
            Of the rates with the fewest updates, the one that comes nearest with them.
        n_updates : int or inf
            What it needs.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> rate, updates = report.fastest()
        >>> print(f"{rate:.4f} {updates} {report.needs(0.9 * rate)}")
        0.0827 234 260
        """
        _check_tol(tol)
        with _quiet():
            rate, count = self.landscape.forecast.fastest(float(tol))
        return rate, _counted(count)

    def losses(
        self,
        learning_rate: ArrayLike,
        momentum: ArrayLike = 0.0,
        n_iter: Integers = 1000,
    ) -> NDArray[np.float64]:
        """Losses after any number of updates, of one descent or of many.

        Parameters
        ----------
        learning_rate : float or array-like
            The rate, or several.
        momentum : float or array-like, default=0.0
            Polyak's momentum, in [0, 1); broadcast with `learning_rate`.
        n_iter : int or array-like of int of shape (n_points,), default=1000
            Numbers of updates, in any order. An int k stands for 0, 1, ..., k.

        Returns
        -------
        losses : ndarray of shape (n_points,), or (..., n_points) for several rates
            Mean squared error, with the ridge if there is one; the mean over targets where there
            are several. Infinite where it is beyond the range of floats.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> report.losses(0.01, n_iter=[0, 10, 1000]).round(5)
        array([17.2    ,  1.15948,  0.48074])
        >>> report.losses([0.01, 0.02], n_iter=[10, 1000]).shape  # a row for each rate
        (2, 2)
        """
        rates, momenta, shape = _checked_steps(learning_rate, momentum)
        points = checked_points(n_iter)
        with _quiet():
            losses = self.landscape.forecast.losses(rates, momenta, points)
        return losses.reshape(*shape, len(points))

    def coefs(
        self, learning_rate: float, momentum: float = 0.0, n_iter: Integers = 1000
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients and intercepts after any number of updates.

        Parameters
        ----------
        learning_rate : float
            The rate.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        n_iter : int or array-like of int of shape (n_points,), default=1000
            Numbers of updates, in any order. An int k stands for 0, 1, ..., k.

        Returns
        -------
        coefs : ndarray of shape (n_features, n_points) or (n_targets, n_features, n_points)
            Coefficients, as those of `gd_path`.
        intercepts : ndarray of shape (n_points,) or (n_targets, n_points)
            Intercepts.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> coefs, intercepts = report.coefs(0.01, n_iter=[10, 1000])
        >>> print(coefs.round(5), intercepts.round(5))
        [[1.03028 0.61769]] [0.3531  2.13612]
        """
        step, points = _checked_step(learning_rate, momentum), checked_points(n_iter)
        with _quiet():
            thetas, _ = self.landscape.forecast.path(step).points(points)
        return self._shaped(thetas)

    def gradient_norms(
        self, learning_rate: float, momentum: float = 0.0, n_iter: Integers = 1000
    ) -> NDArray[np.float64]:
        """Norms of the gradient after any number of updates, for texts that stop on a small one.

        Parameters
        ----------
        learning_rate : float
            The rate.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        n_iter : int or array-like of int of shape (n_points,), default=1000
            Numbers of updates, in any order. An int k stands for 0, 1, ..., k.

        Returns
        -------
        norms : ndarray of shape (n_points,)
            The Euclidean norm of the gradient by coefficients and intercept together, as
            `squared_loss_gradient` gives it; the largest over the targets where there are several.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> norms = learning_rate_report(X, y).gradient_norms(0.01, n_iter=10_000)
        >>> print(norms[0].round(3), np.argmax(norms < 1e-3))  # the first update with a small one
        27.586 1919
        """
        step, points = _checked_step(learning_rate, momentum), checked_points(n_iter)
        with _quiet():
            return self.landscape.forecast.gradient_norms(step, points)

    def stops_after(self, learning_rate: float, momentum: float = 0.0, tol: float = 1e-6) -> float:
        """The update after which the stopping rule of `GDLinearRegressor` ends a descent.

        Parameters
        ----------
        learning_rate : float
            The rate.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        tol : float, default=1e-6
            As the estimator's.

        Returns
        -------
        n_updates : int or inf
            The `n_iter_` of a fit whose `max_iter` is not below it. Infinite where no update
            satisfies the rule before the descent has diverged.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> report.stops_after(0.01, tol=1e-6), report.needs(0.01, tol=1e-6)
        (1213, 1950)
        """
        step = _checked_step(learning_rate, momentum)
        _check_tol(tol)
        with _quiet():
            return _counted(self.landscape.forecast.stops_after(step, float(tol)))

    def diverges_after(self, learning_rate: float, momentum: float = 0.0) -> float:
        """The update at which a fit is stopped because its loss is beyond any use.

        Parameters
        ----------
        learning_rate : float
            The rate.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).

        Returns
        -------
        n_updates : int or inf
            The `n_iter_` of a fit that nothing else ends before; infinite below the `limit`. A fit
            that ends earlier is `Status.DIVERGED`, too, where its loss has risen above the first.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> report.diverges_after(0.1), report.diverges_after(0.01)
        (370, inf)
        """
        step = _checked_step(learning_rate, momentum)
        with _quiet():
            return _counted(self.landscape.forecast.diverges_after(step))

    @overload
    def needs(self, learning_rate: float, momentum: float = 0.0, tol: float = 1e-6) -> float: ...
    @overload
    def needs(
        self, learning_rate: ArrayLike, momentum: ArrayLike = 0.0, tol: float = 1e-6
    ) -> float | NDArray[np.float64]: ...
    def needs(
        self, learning_rate: ArrayLike, momentum: ArrayLike = 0.0, tol: float = 1e-6
    ) -> float | NDArray[np.float64]:
        """How many updates bring the loss to its minimum, of one descent or of many.

        Parameters
        ----------
        learning_rate : float or array-like
            The rate, or several.
        momentum : float or array-like, default=0.0
            Polyak's momentum, in [0, 1); broadcast with `learning_rate`.
        tol : float, default=1e-6
            How near, in units of the variance of y.

        Returns
        -------
        n_updates : int or inf, or ndarray of float
            The first update from which on the loss of each target stays within `tol` times its
            variance of the minimum; infinite for never.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> report.needs(0.01), report.needs([0.01, 0.02, 0.1])
        (1950, array([1950.,  973.,   inf]))
        """
        rates, momenta, shape = _checked_steps(learning_rate, momentum)
        _check_tol(tol)
        with _quiet():
            needed = self.landscape.forecast.needs(rates, momenta, float(tol))
        return needed.reshape(shape) if shape else _counted(float(needed[0]))

    def __str__(self) -> str:
        return "\n\n".join(f"{title}\n{text_table(rows)}" for title, rows in report_tables(self))

    @property
    def has_ridge(self) -> bool:
        """Whether the loss has a ridge."""
        return self.landscape.ridge is not None

    def __repr__(self) -> str:
        ridge = ", with a ridge" if self.has_ridge else ""
        return (
            f"<LearningRateReport: {columns_counted(self.feature_names)}{ridge}, limit "
            f"{self.limit():.4g}, condition number {self.condition_number:.4g}>"
        )

    def _repr_html_(self) -> str:
        return "".join(html_table(rows, title) for title, rows in report_tables(self))

    @property
    def _is_curved(self) -> bool:
        return self.largest_curvature > 0

    @property
    def _steepest(self) -> NDArray[np.float64]:
        return self.landscape.modes.curvature.direction

    def _shaped(self, thetas: np.ndarray) -> tuple[Any, Any]:
        """Coefficients and intercepts of `thetas` (n, p, t), in the shapes of `gd_path`."""
        return shaped(thetas, self.fit_intercept, self._y_ndim)


def learning_rate_report(
    X: MatrixLike | DaskLike,
    y: ArrayLike | DaskLike,
    *,
    sample_weight: ArrayLike | DaskLike | None = None,
    fit_intercept: bool = True,
    feature_names: Sequence[str] | None = None,
    coef_init: ArrayLike | None = None,
    intercept_init: ArrayLike | None = None,
    alpha: float = 0.0,
    penalty_weights: ArrayLike | None = None,
) -> LearningRateReport:
    """Report what gradient descent will do on columns and targets, at any learning rate.

    Parameters
    ----------
    X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
        Columns, in any units.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0.
    fit_intercept : bool, default=True
        Whether there is an intercept.
    feature_names : sequence of str, default=None
        The names of the columns; None takes those of a data frame, else x0, x1, ...
    coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
        Coefficients to start from; None is zeros.
    intercept_init : float or array-like of shape (n_targets,), default=None
        Intercept to start from; None is 0.
    alpha : float, default=0.0
        Strength of a ridge, per row: the `alpha` of `GDLinearRegressor` with ``l1_ratio=0``.
    penalty_weights : array-like of shape (n_features,), default=None
        Factors >= 0 of `alpha`, one per column; None gives each column 1.

    Returns
    -------
    report : LearningRateReport
        What its attributes and methods tell; ``print(report)`` shows most of it.

    Raises
    ------
    ValueError
        If a parameter, a shape or a value of the data cannot be used.

    Examples
    --------
    Columns in different units: the wide one sets the limit, and standardising mends it.

    >>> import numpy as np
    >>> from gd_regressor import learning_rate_report
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 2)) * [1.0, 1000.0]
    >>> y = X @ [1.0, 0.001] + rng.standard_normal(100)
    >>> report = learning_rate_report(X, y, feature_names=["metres", "grams"])
    >>> report.steepest_column, report.condition_number > 1e5
    ('grams', True)
    >>> better = report.standardised
    >>> print(f"{report.limit():.2g} {better.limit():.2f}, condition {better.condition_number:.1f}")
    1.1e-06 0.88, condition 1.3
    """
    check_bool("fit_intercept", fit_intercept)
    with columns_named(X):
        table, y_ndim = rows_for(X, y, sample_weight, "learning_rate_report")
        names = names_of(X, feature_names, table.n_columns)
        given = checked_start(coef_init, intercept_init, table, fit_intercept)
        ridge = ridge_of(alpha, penalty_weights, table.n_columns, table.n_targets)
        start = zeros_for_missing(given, table)
        landscape = landscape_of(table, start, bool(fit_intercept), ridge)
    return LearningRateReport(landscape, names, y_ndim)


def _no_report(model: Any, terms: Terms | None) -> str:
    """Why a fitted estimator has no report."""
    asked = f"alpha={model.alpha!r}, l1_ratio={model.l1_ratio!r}, positive={model.positive!r}"
    if terms is not None and terms.are_smooth:
        return (
            f"fitted must have one alpha for all targets, got {asked}: each target has curvatures "
            "of its own. Fit each target alone."
        )
    return (
        f"fitted must have a loss without kinks, got {asked}: no eigenvalues foretell a descent "
        "with an L1 penalty or positive=True. Write l1_ratio=0 and positive=False, or draw this "
        "fit by LossCurveDisplay.from_estimator or LossSurfaceDisplay.from_estimator."
    )


def _check_tol(tol) -> None:
    if tol is None:
        raise ValueError("tol must be a number >= 0, got None; say how near.")
    check_tol(tol)


def _checked_step(learning_rate, momentum) -> ConstantStep:
    check_learning_rate(learning_rate)
    check_momentum(momentum)
    return ConstantStep(float(learning_rate), float(momentum))


def _checked_steps(learning_rate, momentum) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Rates and momenta (c,), and the shape that they were broadcast to."""
    values = [finite_floats("learning_rate", learning_rate), finite_floats("momentum", momentum)]
    for array, check in zip(values, (check_learning_rate, check_momentum), strict=True):
        for extreme in (array.min(), array.max()) if array.size else ():
            check(float(extreme))
    try:
        rates, momenta = np.broadcast_arrays(*values)
    except ValueError:
        raise ValueError(
            f"momentum must fit the learning_rate of shape {values[0].shape}, got shape "
            f"{values[1].shape}."
        ) from None
    return rates.ravel(), momenta.ravel(), rates.shape


def _counted(updates: float) -> float:
    """An int where there is one."""
    return int(updates) if updates < np.inf else np.inf


def _quiet() -> np.errstate:
    """Powers may vanish, and those of a diverging descent overflow: what asks sees it."""
    return np.errstate(over="ignore", invalid="ignore", under="ignore")
