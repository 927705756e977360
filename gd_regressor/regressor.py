"""GDLinearRegressor: parameters, docstring and verbs. Only this room writes its attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from gd_regressor.arithmetic.threads import limited
from gd_regressor.data.checks import check_held, columns_named
from gd_regressor.data.inputs import Batch, batches_of
from gd_regressor.data.kinds import Batches, DaskLike, Floats, MatrixLike
from gd_regressor.data.moments import Moments
from gd_regressor.descent.epochs import Underway
from gd_regressor.descent.nouns import ScheduleRecipe
from gd_regressor.descent.records import Result, Start, Status
from gd_regressor.descent.rho import LossChoice
from gd_regressor.estimator.advice import Advice, advice_of, chunk_advice
from gd_regressor.estimator.arrays import check_chunk, chunk_of, stream_of_moments, table_of
from gd_regressor.estimator.callbacks import Watch, cloned, has_callbacks, managed, set_callbacks
from gd_regressor.estimator.fitting import fit_chunk, fit_stream, fit_table
from gd_regressor.estimator.held_out import Validation, held_out_of
from gd_regressor.estimator.parameters import Asked, asked_of
from gd_regressor.estimator.predicting import predictions
from gd_regressor.estimator.shown import fit_as_html
from gd_regressor.estimator.start import start_of
from gd_regressor.estimator.unchanged import unchanged_on_error
from gd_regressor.estimator.warned import show
from gd_regressor.losses import SQUARED, arranged, check_outputs, quantile_score, quantiles_of
from gd_regressor.schedules import Nesterov
from gd_regressor.streams.stream import Stream

Method = TypeVar("Method", bound=Callable[..., Any])


def _learns_chunks(model: GDLinearRegressor) -> bool:
    """Whether a chunk is enough to learn from, or what a stream keeps of it."""
    if model.batch_size is not None:
        if not (isinstance(model.learning_rate, str) and model.learning_rate == "auto"):
            return True
        raise AttributeError(
            f'learning_rate="auto" with batch_size={model.batch_size!r} reads all rows before the '
            "first update, and partial_fit has a chunk of them; write a number or a schedule as "
            "learning_rate, or batch_size=None."
        )
    if isinstance(model.loss, str) and model.loss == SQUARED:
        return True
    raise AttributeError(
        f"partial_fit keeps sums for the squared loss alone, and loss={model.loss!r} needs all "
        'rows at once; call fit, or write loss="squared_error", or a batch_size and a number as '
        "learning_rate, for a pass of updates."
    )


def _if_learning_chunks(method: Method) -> Method:
    """Hide a method from models that cannot learn chunks, as scikit-learn's tools expect."""
    return cast(Method, available_if(_learns_chunks)(method))


class GDLinearRegressor(RegressorMixin, BaseEstimator):
    """Linear regression by gradient descent.

    The estimator minimises the mean squared error of ``y - X @ w - b``, or its weighted mean where
    rows have weights. With a number as `learning_rate` it makes exactly the updates of the
    textbooks, on the columns as they are. With ``"auto"`` it descends in a metric that it takes
    from the data, so it reaches the least-squares solution whatever the units of the columns.

    Parameters
    ----------
    learning_rate : float, a schedule or "auto", default="auto"
        A number eta makes the update ``w -= eta * g`` with ``g = -(2/n) X'(y - X w - b)``. The
        intercept moves by the same rule. The descent is stable below `max_learning_rate_`. (A text
        whose loss is ``1/(2m) sum e^2`` has half of our loss: for its rate a write ``a / 2``.) A
        schedule gives each update a rate of its own: `InverseScaling`, `Cosine`, `StepDecay`,
        `Adaptive`, `Constant` or `WarmUp`.
    max_iter : int, default=1000
        The largest number of updates. 0 makes none: the model is the start, `loss_curve_` its loss.
    tol : float, None or "auto", default="auto"
        "auto" is 1e-12, or 1e-3 with a `batch_size`.
        With a number as `learning_rate`: the descent stops after the first update that lowers the
        loss by at most `tol` times the variance of y. With momentum the loss need not fall
        steadily, so none of the last ``ceil(1 / (1 - momentum))`` updates may change it by more.
        With "auto": the descent stops where the estimated distance of the loss from its minimum is
        at most `tol` times the variance of y; with Huber's loss or the smooth one, times a variance
        that outliers hardly move. Most fits reach the rounding floor earlier. ``0``
        descends to that floor, and asks for all digits of the coefficients. ``None`` makes exactly
        `max_iter` updates.
    fit_intercept : bool, default=True
        Whether to fit an intercept b. The intercept is one more coordinate of the descent.
    momentum : float or Nesterov, default=0.0
        Polyak's momentum [1]_, in [0, 1): each update adds this multiple of the update before.
        ``Nesterov(0.9)`` takes the gradient where the momentum leads.
        Momentum needs a number as `learning_rate`: "auto" takes exact steps and refuses it.
    init : {"zeros", "random"}, default="zeros"
        Where to start. "random" draws the coefficients, then the intercept, from the standard
        normal distribution.
    warm_start : bool, default=False
        Whether to start from the coefficients of the fit before. Momentum starts from rest.
    random_state : int, RandomState instance or None, default=None
        Source of the random start, and of the order of rows with a `batch_size`.
    verbose : int, default=0
        Print the loss of every `verbose`-th update and the norm of its gradient, while the descent
        runs. With an L1 penalty or ``positive=True`` it is the norm of the smallest subgradient,
        which is zero at the minimum. At the end print the updates, the passes over the rows, the
        seconds, and how far the loss is above its minimum. Reading a tenth of the rows is a tenth
        of a pass. They go to the standard output; 0 prints nothing. If it is not 0, a descent of
        more than two seconds shows a progress bar, where the standard error is a terminal and rich
        is installed.
    stream : {"moments", "qr"}, default="moments"
        What the estimator keeps of rows that come once (`partial_fit` and the like). Moments are
        cheap, and `forget` can subtract rows from them. But moments square the condition number:
        they cannot tell a dependent column from one that is 3e-7 deviations away. "qr" keeps the
        triangular factor of a QR factorisation, at one to three times the cost. The factor has more
        digits than moments above a condition number of about 5e6, and fewer below. `fit` ignores
        `stream`, because it can read the rows again.
    alpha : float or array-like of shape (n_targets,), default=0.0
        Strength of the penalty, as in scikit-learn's `ElasticNet`: half of the loss here is its
        objective. `alpha` counts per row, so ``Ridge(alpha=a)`` on n rows is ``alpha=a / n,
        l1_ratio=0``. The intercept has no penalty. 0 is least squares.
    l1_ratio : float, default=0.5
        Share of the L1 penalty, from 0 (ridge) to 1 (lasso). The loss has the additional term
        ``2 * alpha * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|_2^2)``.
    positive : bool, default=False
        Whether to hold all coefficients at or above zero. The intercept is free.
    penalty_weights : array-like of shape (n_features,), default=None
        Factors >= 0 of `alpha`, one per column; None gives each column 1, and 0 leaves a column
        free. A penalty is stated in the units of the columns: to scale a column changes the answer,
        unless its weight is scaled too (``l1_ratio=1``).
    early_stopping : bool, default=False
        Whether to hold rows out, to end the descent when it predicts them no better, and to return
        the update that predicted them best. It needs a number or a schedule as `learning_rate`.
        Rows of weight zero are never held out.
    validation_fraction : float, default=0.1
        The share of the rows to hold out, drawn with `random_state` as `train_test_split` draws it.
        `fit` ignores it where it gets `X_val` and `y_val`.
    n_iter_no_change : int, default=5
        With ``early_stopping=True`` the descent ends after so many updates in a row of which none
        lowered the mean squared error of the held-out rows by more than `tol` times the variance of
        y below its least value before. Several targets count by the mean of their errors, each in
        units of its variance. ``tol=None`` makes all `max_iter` updates, and returns the best. With
        a `batch_size` and without early stopping it ends after so many epochs in a row that have
        not lowered the loss by more than that; not so with ``learning_rate="auto"``. With another
        `loss` than the square the held-out rows are judged by it.
    batch_size : int, float or None, default=None
        Mini-batches: rows of an update, or their share of all rows, in (0, 1]. None takes all rows.
        `max_iter`, ``n_iter_``, ``loss_curve_``, `verbose` and `n_iter_no_change` count epochs,
        each one pass of updates over the rows. With ``learning_rate="auto"`` the updates have a
        constant rate in the metric of a sketch of the rows, and the model is the mean over the
        tail of them. It comes near the minimum, to within `tol` times the variance of y.
    shuffle : bool, default=True
        Whether each epoch has the rows in a new order, which `random_state` makes. Only with a
        `batch_size`.
    average : bool or int, default=False
        Whether the model is the mean over the updates of all epochs (True), or from which epoch on,
        counted from 1. Only with a `batch_size`, and a number or a schedule as `learning_rate`.
    loss : str or loss object, default="squared_error"
        What a row with residual r adds to the loss: "squared_error" (r^2), "huber",
        "pseudo_huber", "quantile", "epsilon_insensitive", "squared_epsilon_insensitive", or an
        object with parameters: `Huber`, `PseudoHuber`, `Quantile`, `EpsilonInsensitive`,
        `SquaredEpsilonInsensitive`. Each tells its formula and its gradient. "auto" serves
        all of them. A stream keeps sums for the squared loss alone.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients w, in target units per column unit.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept b; 0.0 with ``fit_intercept=False``.
    n_iter_ : int
        Number of updates made; with a `batch_size`, of epochs. With ``early_stopping=True`` that of
        the best update, which is returned; later ones are in `validation_curve_`.
    loss_curve_ : ndarray of shape (``n_iter_`` + 1,)
        Mean squared error after 0, 1, ... updates, in squared units of y, or the mean of another
        `loss`; plus the penalty. With several targets, the mean over targets.
    status_ : Status
        How the fit ended: `Status.CONVERGED`, `MAX_ITER`, `STOPPED_EARLY`, `STOPPED`
        by a callback, `DIVERGED`, `ILL_CONDITIONED` or `INTERRUPTED`. ``status_.name`` is the word
        alone. `DIVERGED` also stands for a learning rate at or above `max_learning_rate_` with a
        loss that ended above its start, for any target, even if the fit made all `max_iter`
        updates. With a `batch_size` it stands for a loss that ended above its start, and above the
        variance of y, by more than this variance.
    message_ : str
        How this fit ended, in a sentence with its numbers: how far the loss is from its minimum,
        what would help. A warning, if the fit gave one, has the same text.
    validation_curve_ : ndarray of shape (n_seen + 1,)
        Mean squared error, or mean of another `loss`, of the held-out rows after 0, 1, ... updates,
        up to the last one that was looked at; with several targets, the mean over targets. It
        exists only with ``early_stopping=True``.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Bound for how far half of the loss is above its minimum, as `ElasticNet` states it. With
        "auto" and an L1 penalty the descent ends where twice this gap is at most `tol` times the
        variance of y. It exists only with a penalty or with ``positive=True``, and with "auto" and
        any other `loss`, which it bounds divided by 2 (`Huber`, `PseudoHuber`) or by 1. With "auto"
        and a `batch_size` there is only an estimate, in `message_`, and with a number as
        `learning_rate` it belongs to the squared loss alone.
    scale_ : float or ndarray of shape (n_targets,)
        Scale sigma of the residuals, in units of y. It exists only with "auto" and
        ``Huber(delta="auto")``.
    outliers_ : ndarray of bool of shape (n_samples,) or (n_samples, n_targets)
        Which rows have residuals beyond delta. It exists only with "auto" and `Huber`, for rows in
        memory or mapped into it.
    max_learning_rate_ : float
        The stability limit ``2 (1 + momentum) / L``, where L is the largest eigenvalue of the
        Hessian ``(2/n) [X 1]'[X 1]``; `Nesterov` states its own. It exists only when
        `learning_rate` is no "auto"; `learning_rate_report` tells limit and condition number in
        either mode. A ridge adds its curvature to the Hessian. With an L1 penalty or
        ``positive=True`` it is ``2 (1 - momentum) / L``, a bound below which the descent converges
        (Ochs et al. 2014).
    minimum_loss_ : float
        The smallest loss that there is, the mean over the targets. It is nan where the descent
        walked over the rows or made proximal steps, and exists only when `learning_rate` is no
        "auto".
    coef_init_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The coefficients that the descent started from, given, drawn or zero; `gd_path` takes them.
        They exist only when `learning_rate` is no "auto".
    intercept_init_ : float or ndarray of shape (n_targets,)
        The intercept that it started from, likewise.
    condition_number_ : float
        Condition number of the centred columns, each scaled to about deviation 1, without the
        columns that depend on others. Above 128 columns it is an estimate from below, mostly
        within a third. With ``metric_="sketch"`` it belongs to the sketch. With ``metric_="dual"``
        it belongs to all columns, without the singular values that are zero. It is infinite where
        rounding, or the moments of a stream, hide whether columns depend on each other. It exists
        only with "auto", and neither for more than 2,000 sparse columns with ``tol > 1e-10`` nor
        with an L1 penalty or ``positive=True``. `learning_rate_report` tells that of the columns as
        a descent has them, in either mode.
    rank_ : int
        Number of centred columns that do not depend on others; only with "auto". In columns scaled
        to about deviation 1, take the nearest combination of the other columns, and the root mean
        square over the rows of the difference. The column depends on the others when this
        difference is at most ``6 eps sqrt(1 + n_features)`` times the norm of the combination's
        coefficients. Tables of more than 2^20 entries with a condition number up to 100 use
        ``64 eps condition_number_`` where that is more. With at least as many columns as rows,
        `rank_` counts the singular values above ``eps n_features`` times the largest. For more
        than 2,000 sparse columns it exists only where no column depends on others.
    metric_ : {"moments", "sketch", "qr", "dual", "scaled", "working sets"}
        Where the metric came from; only with "auto". "moments" are products of the columns,
        "sketch" products of a sketch of the rows, and "qr" a QR factorisation of the rows. "dual"
        is the space that the rows span where columns are more. "scaled" are the variances of
        more than 2,000 sparse columns, and "working sets" products of those that an L1 penalty
        leaves in use. The documentation of the automatic mode tells when
        each is chosen, and what it costs.
    stream_ : Stream
        What the estimator keeps of a stream, a few arrays of shape (n_features, n_features).
        ``stream_.statistic`` is the `Moments` of all rows so far (with ``stream="qr"``, their
        triangular factor). ``stream_.n_batches`` counts all chunks, also those whose weights are
        all zero. It exists only after `partial_fit`, `fit_batches` and the like.
    epochs_ : object
        Where the updates of `partial_fit` with a `batch_size` are: point, velocity, counts of
        updates and chunks, average. It exists only after such a call.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the columns, where all names are strings.

    Warns
    -----
    DivergenceWarning
        The learning rate is at or above the stability limit.
    sklearn.exceptions.ConvergenceWarning
        The fit reached `max_iter` before the loss settled. Or the loss settled far from its
        minimum, because some direction descends very slowly. Or the columns are so nearly
        dependent that few digits of the coefficients are left.

    See Also
    --------
    gd_path : Any iterate of the textbooks' descent.
    sklearn.linear_model.LinearRegression : Least squares by a direct solver.
    sklearn.linear_model.SGDRegressor : Stochastic gradient descent, one row at a time.

    Notes
    -----
    With a constant step the iterates are a polynomial in the Hessian. So the coefficients after any
    number of updates follow from one pass over the data and one singular value decomposition. Where
    a walk over the rows is cheaper, the estimator walks.

    When the minimiser is not unique, "auto" returns the minimiser of least norm. The textbook mode
    returns what descent finds from its start.

    Sums over float32 data are made in float64. Beside X, a fit holds at most 64 MiB, 12 matrices
    of shape (n_features, n_features) and two vectors of length n_samples; to draw rows for early
    stopping takes six vectors more.

    References
    ----------
    .. [1] B. T. Polyak, "Some methods of speeding up the convergence of iteration methods",
       USSR Computational Mathematics and Mathematical Physics 4 (5), 1964.

    Examples
    --------
    The exact fit, whatever the units of the columns:

    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> model = GDLinearRegressor().fit(X, y)
    >>> print(f"{model.coef_[0]:.5f} {model.intercept_:.5f}")
    0.60000 2.20000

    A thousand updates of the textbooks, from zero, are still on the way:

    >>> model = GDLinearRegressor(learning_rate=0.01, tol=None).fit(X, y)
    >>> print(f"{model.coef_[0]:.5f} {model.intercept_:.5f}")
    0.61769 2.13612
    >>> print(f"{model.loss_curve_[0]:.1f} {model.max_learning_rate_:.5f}")
    17.2 0.08452
    """

    # A fit writes these. They have no values here, so that hasattr tells whether a fit was made.
    coef_: Floats
    intercept_: float | Floats
    n_iter_: int
    loss_curve_: NDArray[np.float64]
    status_: Status
    message_: str
    validation_curve_: NDArray[np.float64]
    dual_gap_: float | NDArray[np.float64]
    scale_: float | NDArray[np.float64]
    outliers_: NDArray[np.bool_]
    max_learning_rate_: float
    minimum_loss_: float
    coef_init_: NDArray[np.float64]
    intercept_init_: float | NDArray[np.float64]
    condition_number_: float
    rank_: int
    metric_: Literal["moments", "sketch", "qr", "dual", "scaled", "working sets"]
    stream_: Stream
    epochs_: Underway
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    if TYPE_CHECKING:
        # scikit-learn, which implements these methods, declares no types

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Get the parameters by name."""
            ...

        def set_params(self, **params: Any) -> Self:
            """Set parameters by name."""
            ...

    def __init__(
        self,
        learning_rate: float | ScheduleRecipe | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float | Literal["auto"] | None = "auto",
        *,
        fit_intercept: bool = True,
        momentum: float | Nesterov = 0.0,
        init: Literal["zeros", "random"] = "zeros",
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        stream: Literal["moments", "qr"] = "moments",
        alpha: float | ArrayLike = 0.0,
        l1_ratio: float = 0.5,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        batch_size: int | float | None = None,
        shuffle: bool = True,
        average: bool | int = False,
        loss: str | LossChoice = "squared_error",
    ) -> None:
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.momentum = momentum
        self.init = init
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.stream = stream
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.average = average
        self.loss = loss

    def fit(
        self,
        X: MatrixLike | DaskLike,
        y: ArrayLike | DaskLike,
        sample_weight: ArrayLike | DaskLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        *,
        X_val: MatrixLike | DaskLike | None = None,
        y_val: ArrayLike | DaskLike | None = None,
        sample_weight_val: ArrayLike | DaskLike | None = None,
    ) -> Self:
        """Fit to training data.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
            Columns, in any units. `fit` neither changes nor copies X, and reads an `np.memmap`
            in blocks.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. Several targets descend independently.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0, at least one of them above zero. A row of weight k counts as k equal
            rows, a row of weight 0 as none.
        coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
            Coefficients to start from, instead of `init`.
        intercept_init : float or array-like of shape (n_targets,), default=None
            Intercept to start from, instead of `init`.
        X_val : {array-like, sparse matrix, Dask collection} of shape (n_val, n_features), \
                default=None
            Rows that ``early_stopping=True`` judges the updates by, instead of a share of X. A
            `Pipeline` transforms them like X with ``transform_input=["X_val"]``.
        y_val : array-like of shape (n_val,) or (n_val, n_targets), default=None
            Targets of these rows.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of these rows.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If `fit` cannot use a parameter, a shape, a weight or a value of the data. The message
            names the parameter, what it got and what to write.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> model = GDLinearRegressor(learning_rate=0.01, max_iter=0)
        >>> model = model.fit(X, y, coef_init=[1.0], intercept_init=2.0)
        >>> model.loss_curve_  # of the start, as no update is made
        array([1.8])
        """
        given = Validation(X_val, y_val, sample_weight_val)
        told = (X, y, sample_weight, coef_init, intercept_init, given)
        if has_callbacks(self):
            return managed(GDLinearRegressor._fit, self, *told)
        return self._fit(*told)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        coef_init: Any,
        intercept_init: Any,
        given: Validation,
    ) -> Self:
        asked, held, watch = asked_of(self), None, None
        if has_callbacks(self):
            watch = Watch(self, X, y, sample_weight)
        with columns_named(X), unchanged_on_error(self):
            for name in ("stream_", "epochs_"):
                self.__dict__.pop(name, None)
            table, y_ndim = table_of(self, X, y, sample_weight, self.loss)
            given.check(asked.patience is not None)
            if asked.patience is not None:
                table, held = held_out_of(self, table, given, y_ndim)
            if watch is not None:
                asked = asked._replace(watch=watch.of(table.precision, y_ndim))
            start = start_of(self, table, coef_init, intercept_init)
            result = fit_table(table, start, asked, held)
            advice = self._advice(result, asked, table.n_rows)
            self._write(result, advice, table.precision, y_ndim, start)
        if watch is not None and result.status is not Status.INTERRUPTED:
            watch.fitted()
        return self._end(result, advice, asked)

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Let callbacks watch each update of `fit`.

        Parameters
        ----------
        *callbacks : callbacks
            What scikit-learn calls a `FitCallback`: its own `ProgressBar` and `ScoringMonitor`, or
            those of `gd_regressor.callbacks`, or yours. Below a ``fit`` task each update is an
            ``update`` task, or an ``epoch`` task with a `batch_size`. If a hook returns True after
            one, the descent ends there, and `status_` is ``Status.STOPPED``. None removes those
            that were set.

        Returns
        -------
        self : GDLinearRegressor
            The same estimator. Its clones have the same callbacks.

        Raises
        ------
        ImportError
            If scikit-learn is older than version 1.9.
        TypeError
            If one of them is no callback.
        ValueError
            If one of them is given twice.

        Examples
        --------
        >>> from gd_regressor import GDLinearRegressor
        >>> from gd_regressor.callbacks import History
        >>> history = History()
        >>> model = GDLinearRegressor(0.1, max_iter=3, tol=None).set_callbacks(history)
        >>> model = model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> history.runs_[-1]["n_iter"]
        array([1, 2, 3])
        """
        set_callbacks(self, callbacks)
        return self

    @_if_learning_chunks
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn one more chunk of rows, so that the model fits all chunks so far.

        The first call begins a stream, and so does the first call after `fit`. `stream_` does not
        grow with the rows. With a number as `learning_rate` each call repeats the descent from its
        start on all rows so far. A saved estimator (``joblib.dump``) continues where it was.

        With a `batch_size` a call makes one pass of updates over the chunk, as `SGDRegressor` does,
        and forgets its rows. The model then depends on the order of the chunks, and does not fit
        all of them. ``loss_curve_`` has the loss on this chunk before and after.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the chunk; all chunks have the same columns.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets of the chunk.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0 of the chunk; None gives each row weight 1. A chunk whose weights are all
            zero adds nothing, and cannot be the first.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`, or if the columns or targets differ from those of the chunks before. The
            model stays as it was.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            As `fit`. With ``stream="moments"`` also when columns depend on each other so nearly
            that moments have lost half of the digits or more.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> model = GDLinearRegressor().partial_fit(X[:3], y[:3]).partial_fit(X[3:], y[3:])
        >>> print(f"{model.coef_[0]:.4f} {model.intercept_:.4f} {model.stream_.n_batches}")
        0.6000 2.2000 2
        """
        asked = asked_of(self, "partial_fit")
        if asked.batching is not None:
            return self._pass_over(Batch(X, y, sample_weight), asked)
        self.__dict__.pop("epochs_", None)
        with columns_named(X), unchanged_on_error(self):
            ended = self._learn(self._with_chunk(Batch(X, y, sample_weight)), asked)
        return self._end(*ended, asked)

    def fit_batches(
        self,
        batches: Batches,
        *,
        target: str | Sequence[str] | None = None,
        sample_weight: str | None = None,
    ) -> Self:
        """Fit to batches of rows, with one batch at a time in memory.

        This begins a stream, which `partial_fit` can continue.

        Parameters
        ----------
        batches : iterable
            Tuples ``(X, y)`` or ``(X, y, sample_weight)``; weights as in `partial_fit`. With
            `target`: a table that offers an Arrow stream (``__arrow_c_stream__``: pyarrow, polars,
            duckdb, pandas), a pyarrow dataset, or an iterable of such tables. Tables may have
            batches without rows.
        target : str or list of str, default=None
            Name or names of the columns to predict. All other columns are features.
        sample_weight : str, default=None
            Name of the column of weights; needs `target`.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If `fit_batches` cannot use a batch. The message begins with the number of the batch,
            counted from 1. The model is then fitted to the batches before it.
        RuntimeError
            If `batches` itself raises. Message and model are as above.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor
        >>> X = np.arange(1000.0)[:, None]
        >>> batches = ((X[i : i + 100], 2 * X[i : i + 100, 0] + 1) for i in range(0, 1000, 100))
        >>> model = GDLinearRegressor().fit_batches(batches)
        >>> print(f"{model.coef_[0]:.6f} {model.intercept_:.6f} {model.stream_.n_batches}")
        2.000000 1.000000 10
        """
        asked = asked_of(self, "fit_batches")
        failure, start = None, ("coef_", "intercept_") if self.warm_start else ()
        with unchanged_on_error(self):
            for name in [n for n in vars(self) if n.endswith("_") and n not in start]:
                delattr(self, name)
            try:
                for batch in batches_of(batches, target, sample_weight):
                    with batch.named():
                        self.stream_ = self._with_chunk(batch)
            except BaseException as error:
                failure = error
            if "stream_" not in vars(self):
                raise failure or ValueError("batches is empty; give at least one batch of rows.")
            ended = self._learn(self.stream_, asked)
        self._end(*ended, asked)
        if failure is not None:
            raise failure
        return self

    # Literal[0] is in the type of sum(), which is 0 for no moments. We refuse it
    def fit_moments(self, moments: Moments | Literal[0]) -> Self:
        """Fit to the moments of rows that were read elsewhere.

        This begins a stream, which `partial_fit` can continue.

        Parameters
        ----------
        moments : Moments
            Sum of the moments of all chunks.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If `moments` is of another type, or its weight is zero or out of range.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor, Moments
        >>> X = np.arange(10.0)[:, None]
        >>> y = 2 * X[:, 0] + 1
        >>> moments = Moments.of(X[:5], y[:5]) + Moments.of(X[5:], y[5:])
        >>> model = GDLinearRegressor().fit_moments(moments)
        >>> print(f"{model.coef_[0]:.6f} {model.intercept_:.6f}")
        2.000000 1.000000
        """
        asked = asked_of(self, "fit_moments")
        stream = stream_of_moments(moments)
        with unchanged_on_error(self):
            self.__dict__.pop("feature_names_in_", None)
            self.n_features_in_ = stream.n_columns
            ended = self._learn(stream, asked)
        return self._end(*ended, asked)

    def merge(self, other: GDLinearRegressor) -> Self:
        """Add the rows of another stream to this one.

        Parameters
        ----------
        other : GDLinearRegressor
            Estimator with the same `stream`, fitted by `partial_fit` or the like to other rows of
            the same columns and targets. `merge` does not change `other`.

        Returns
        -------
        self : GDLinearRegressor
            Fitted to the rows of both.

        Raises
        ------
        ValueError
            If one of the two holds no stream, or their columns, targets or `stream` differ. The
            model stays as it was.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> some = GDLinearRegressor().partial_fit(X[:3], y[:3])
        >>> others = GDLinearRegressor().partial_fit(X[3:], y[3:])
        >>> model = some.merge(others)
        >>> print(f"{model.coef_[0]:.4f} {model.intercept_:.4f}")
        0.6000 2.2000
        """
        asked = asked_of(self, "merge")
        for who, model in (("this estimator", self), ("other", other)):
            if not hasattr(model, "stream_"):
                raise ValueError(f"{who} holds no stream; call partial_fit or fit_batches on it.")
        mine, theirs = (getattr(m, "feature_names_in_", None) for m in (self, other))
        if mine is not None and theirs is not None and list(mine) != list(theirs):
            raise ValueError(
                f"other must have the columns {list(mine)}, got {list(theirs)}; merge streams of "
                "the same columns."
            )
        self.stream_.check_like(other.stream_, "other")
        with unchanged_on_error(self):
            ended = self._learn(self.stream_ + other.stream_, asked)
        return self._end(*ended, asked)

    def forget(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Subtract rows from the stream, as if they had never been in it.

        The remaining sums keep the rounding error of the largest sums that the stream ever held.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows that the stream has learnt, in any chunks.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets of these rows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of these rows. Rows of weight 0 subtract nothing.

        Returns
        -------
        self : GDLinearRegressor
            Fitted to the remaining rows.

        Raises
        ------
        ValueError
            If no row would remain, or with ``stream="qr"``: a triangular factor cannot forget.
            The model stays as it was.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> model = GDLinearRegressor().partial_fit(X, y).forget(X[:2], y[:2])
        >>> fresh = GDLinearRegressor().fit(X[2:], y[2:])
        >>> np.allclose([model.coef_[0], model.intercept_], [fresh.coef_[0], fresh.intercept_])
        True
        """
        asked = asked_of(self, "forget")
        if not hasattr(self, "stream_"):
            raise ValueError(
                "This estimator holds no stream to forget from; call partial_fit first."
            )
        with unchanged_on_error(self):
            rows, y_ndim = chunk_of(self, Batch(X, y, sample_weight))
            self.stream_.check_like(rows, "y", y_ndim)
            ended = self._learn(self.stream_.without(rows), asked)
        return self._end(*ended, asked)

    @overload
    def predict(self, X: DaskLike) -> Any: ...
    @overload
    def predict(self, X: MatrixLike) -> Floats: ...
    def predict(self, X: MatrixLike | DaskLike) -> Any:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
            Columns in the units and order of `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.

        Raises
        ------
        ValueError
            If `predict` cannot use X, or a prediction overflows the dtype of X.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> GDLinearRegressor().fit(X, y).predict([[6.0]]).round(4)
        array([5.8])
        """
        return predictions(self, X, partial(arranged, self.loss))

    def score(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute R² of the predictions, or the mean D² of several quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns in the units and order of `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.

        Returns
        -------
        score : float
            `r2_score` of the predictions. With a loss of several quantiles, the mean of their
            `d2_pinball_score`: 1 is the best, and 0 that of the quantiles of y alone.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import GDLinearRegressor
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> print(f"{GDLinearRegressor().fit(X, y).score(X, y):.2f}")
        0.60
        """
        quantiles = quantiles_of(self.loss)
        if quantiles is not None:
            values = self.predict(X)
            check_outputs(self.loss, quantiles, values)
            return quantile_score(quantiles, y, values, sample_weight)
        return super().score(X, y, sample_weight)

    @property
    def _repr_html_(self) -> Callable[[], str]:
        diagram = super()._repr_html_  # an AttributeError, as it must be, with display="text"
        return lambda: diagram() + fit_as_html(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += fit_as_html(self)
        return bundle

    def __sklearn_clone__(self) -> Self:
        return cloned(self, super().__sklearn_clone__())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        return tags

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "status_" in state:  # skops stores a Status as a plain string
            self.status_ = Status(state["status_"])
            self.message_ = state.get("message_", str(self.status_))  # older versions have none

    def _with_chunk(self, batch: Batch) -> Stream:
        with columns_named(batch.X):
            rows, y_ndim = chunk_of(self, batch)
        before = vars(self).get("stream_")
        if before is None:
            return limited(lambda _: Stream.of(rows, y_ndim, keep=self.stream))
        before.check_like(rows, "y", y_ndim)
        if before.keeps != self.stream:
            raise ValueError(
                f"stream={self.stream!r}, but this stream was begun with {before.keeps!r}; call "
                "fit_batches to begin another."
            )
        # One limit for all passes over the chunk: each change of it takes time
        return limited(lambda _: before.followed_by(rows))

    def _pass_over(self, batch: Batch, asked: Asked) -> Self:
        """One pass of updates over a chunk, whose rows are then forgotten."""
        with columns_named(batch.X), unchanged_on_error(self):
            self.__dict__.pop("stream_", None)
            rows, y_ndim = chunk_of(self, batch)
            before = vars(self).get("epochs_")
            if before is not None:
                check_chunk(rows, y_ndim, self)
            if not rows.total_weight:  # only after other chunks
                return self
            start = start_of(self, rows)
            result, self.epochs_ = fit_chunk(rows, start, before, asked)
            advice = chunk_advice(result)
            self._write(result, advice, rows.precision, y_ndim, start)
        return self._end(result, advice, asked)

    def _learn(self, stream: Stream, asked: Asked) -> tuple[Result, Advice]:
        """Descend on a stream and write the attributes."""
        self.stream_ = stream
        start = start_of(self, stream)
        result = fit_stream(stream, start, asked)
        advice = self._advice(result, asked)
        self._write(result, advice, stream.precision, stream.y_ndim, start)
        return result, advice

    def _advice(self, result: Result, asked: Asked, n_rows: float = np.inf) -> Advice:
        columns = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return advice_of(result, asked, columns, n_rows)

    def _end(self, result: Result, advice: Advice, asked: Asked) -> Self:
        """Say what there is to say. Raise an interrupt again, now that the fit is written."""
        if asked.verbose is not None:
            asked.verbose.sum_up(result)
        if result.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        show(advice)
        return self

    def _write(self, result: Result, advice: Advice, dtype, y_ndim: int, start: Start):
        coef, intercept = result.coef, result.intercept
        check_held(coef, intercept, dtype, by_rate=self.learning_rate != "auto")
        coef, intercept = coef.astype(dtype, copy=False), intercept.astype(dtype, copy=False)
        self.coef_ = np.ascontiguousarray(coef if y_ndim == 2 else coef[0])
        self.intercept_ = intercept if y_ndim == 2 else float(result.intercept[0])
        self.n_iter_ = result.n_iter
        self.loss_curve_ = result.loss_curve
        self.status_ = result.status
        self.message_ = advice.message
        found, stable, gaps = result.of_data, result.of_step, result.dual_gaps
        scale, outliers = result.residuals or (None, None)
        w, b = start
        for name, value in (
            ("max_learning_rate_", stable and stable.max_learning_rate),
            ("minimum_loss_", stable and stable.minimum_loss),
            ("coef_init_", stable and np.ascontiguousarray(w.T if y_ndim == 2 else w[:, 0])),
            ("intercept_init_", stable and (b if y_ndim == 2 else float(b[0]))),
            ("condition_number_", found.condition_number),
            ("rank_", found.rank),
            ("metric_", found.metric),
            ("validation_curve_", result.validation_curve),
            ("dual_gap_", _of_targets(gaps, y_ndim)),
            ("scale_", _of_targets(scale, y_ndim)),
            ("outliers_", outliers if outliers is None or y_ndim == 2 else outliers[:, 0]),
        ):
            if value is not None:
                setattr(self, name, value)
            else:  # a fit before with another learning_rate may have left it
                self.__dict__.pop(name, None)


def _of_targets(values: np.ndarray | None, y_ndim: int) -> Any:
    """A value of each target; one float where y has one dimension."""
    return float(values[0]) if values is not None and y_ndim == 1 else values
