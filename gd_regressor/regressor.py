"""GDLinearRegressor: its parameters, its docstring, its verbs; it writes the attributes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from gd_regressor.arithmetic.threads import limited
from gd_regressor.data.checks import MOST_WEIGHT, as_table, check_finite
from gd_regressor.data.distributed import is_dask, predicted
from gd_regressor.data.inputs import Batch, batches_of
from gd_regressor.data.kinds import Batches, DaskLike, Floats, MatrixLike
from gd_regressor.data.moments import Moments
from gd_regressor.descent.records import Result, Status
from gd_regressor.estimator.advice import warn_of
from gd_regressor.estimator.arrays import chunk_of, table_of
from gd_regressor.estimator.fitting import fit_stream, fit_table
from gd_regressor.estimator.parameters import Asked, asked_of
from gd_regressor.estimator.start import start_of
from gd_regressor.streams.stream import Stream

PREDICT_ROWS = 1 << 14


class GDLinearRegressor(RegressorMixin, BaseEstimator):
    """Linear regression by gradient descent.

    Minimises the mean squared error of ``y - X @ w - b`` (with weights, the weighted mean). Given
    a number as `learning_rate` it makes exactly the updates of the textbooks on the columns as
    they are; with ``"auto"`` it descends in a metric taken from the data and arrives at the
    least-squares solution whatever the units of the columns.

    Parameters
    ----------
    learning_rate : float or "auto", default="auto"
        A number eta makes the update ``w -= eta * g`` with ``g = -(2/n) X'(y - X w - b)``, and
        likewise for the intercept. It is stable below `max_learning_rate_`. (In a text whose loss
        is ``1/(2m) sum e^2``, the rate a is our ``a / 2`` and the loss half of ours.)
    max_iter : int, default=1000
        The most updates to make.
    tol : float or None, default=1e-12
        With a number as `learning_rate`: stop after the first update that lowers the loss by no
        more than `tol` times the variance of y (with momentum: when none of the last
        ``ceil(1 / (1 - momentum))`` updates changed it by more). With "auto": stop where the
        estimated distance from the minimum is at most `tol` times the variance of y; mostly it
        arrives at the rounding floor before. 0 descends to the floor; None makes `max_iter`
        updates exactly.
    fit_intercept : bool, default=True
        Whether to fit an intercept b. It is one more coordinate of the descent.
    momentum : float, default=0.0
        Polyak's momentum [1]_, in [0, 1): each update adds this much of the one before. Belongs
        to a number as `learning_rate`; "auto" has no use for it and refuses it.
    init : {"zeros", "random"}, default="zeros"
        Where to start. "random" draws the coefficients, then the intercept, from the standard
        normal distribution.
    warm_start : bool, default=False
        Start from the coefficients of the fit before (with momentum, from rest).
    random_state : int, RandomState instance or None, default=None
        Source of the random start.
    verbose : int, default=0
        Write every `verbose`-th loss to the standard output; 0 writes nothing.
    stream : {"moments", "qr"}, default="moments"
        What is kept of rows that come once. Their moments are cheap and can be taken away again
        (`forget`), but cannot tell columns that are within about 3e-7 of their deviations from
        dependent ones. A triangular factor, "qr", costs one to three times as much and keeps the
        digits of a QR factorisation: fewer than moments where the condition number is below some
        5e6, more beyond. For `fit`, which can read the rows again, it is without meaning.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients w, in target units per column unit.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept b; 0.0 with ``fit_intercept=False``.
    n_iter_ : int
        Updates made.
    loss_curve_ : ndarray of shape (``n_iter_`` + 1,)
        Mean squared error after 0, 1, ... updates; the mean over targets where there are several.
    status_ : Status
        How the fit ended, as a sentence of advice: `Status.CONVERGED`, `MAX_ITER`, `DIVERGED`,
        `ILL_CONDITIONED` or `INTERRUPTED`; ``status_.name`` is the word alone.
    max_learning_rate_ : float
        The stability limit ``2 (1 + momentum) / L``, L the largest eigenvalue of the Hessian
        ``(2/n) [X 1]'[X 1]``. Only when `learning_rate` is a number.
    condition_number_ : float
        Condition number of the centred columns, each scaled to about deviation 1 and without
        those that depend on others; above 128 columns estimated from below, mostly to a third,
        and that of the sketch where it is the metric; with ``metric_="dual"`` of all columns,
        zeros not counted. Infinite where it cannot be told whether columns depend on each other:
        rounding hides it, or a stream's moments do. Only with "auto", like the next two; absent for
        very many sparse columns where ``tol > 1e-10``.
    rank_ : int
        Number of centred columns that do not depend on others. A column depends on others when
        the root mean square, over the rows, of its difference from the nearest combination of
        them is at most ``6 eps sqrt(1 + n_features)`` (in tables of more than 2^20 entries with
        a condition number up to 100, if that is more, ``64 eps condition_number_``) times the
        norm of the combination's coefficients, in columns scaled to about deviation 1. With
        at least as many columns as rows: the singular values above ``eps n_features`` times the
        largest. Of very many sparse columns: only where none depends on others (else absent).
    metric_ : {"moments", "sketch", "qr", "dual", "scaled"}
        Where the metric came from: products of the columns, those of a sketch of them, the rows,
        the space that fewer rows than columns span, or the variances of very many (more than
        2,000) sparse columns. What is chosen when, and its cost, is tabulated in the documentation
        of the automatic mode.
    stream_ : Stream
        What is known of a stream's rows, a few arrays of shape (n_features, n_features); its
        ``statistic`` is the `Moments` of all rows so far, its ``n_batches`` their number of chunks,
        with those whose weights are all zero.
        Only after `partial_fit`, `fit_batches` and the like.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Their names, where all are strings.

    Warns
    -----
    DivergenceWarning
        The learning rate is at or above the stability limit.
    sklearn.exceptions.ConvergenceWarning
        `max_iter` was reached before the loss settled; or the loss settled far from its minimum,
        because some direction descends very slowly; or the columns are too nearly dependent.

    See Also
    --------
    gd_path : Any iterate of the textbooks' descent.
    sklearn.linear_model.LinearRegression : Least squares by a direct solver.
    sklearn.linear_model.SGDRegressor : Stochastic gradient descent, one row at a time.

    Notes
    -----
    With a constant step the iterates are a polynomial in the Hessian, so the coefficients after
    any number of updates come from one pass over the data and one singular value decomposition;
    the rows are walked over instead where that is cheaper. When the minimiser is not
    unique, "auto" returns the one of least norm and the textbook mode what descent from its start
    finds. float32 data are summed in float64. A fit takes at most 64 MiB, 12 matrices of shape
    (n_features, n_features) and two vectors of length n_samples beside X.

    References
    ----------
    .. [1] B. T. Polyak, "Some methods of speeding up the convergence of iteration methods",
       USSR Computational Mathematics and Mathematical Physics 4 (5), 1964.

    Examples
    --------
    The exact fit, from columns as they are:

    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressor
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> model = GDLinearRegressor().fit(X, y)
    >>> print(f"{model.coef_[0]:.5f} {model.intercept_:.5f}")
    0.60000 2.20000

    A thousand updates of the textbooks from zero are not there yet:

    >>> model = GDLinearRegressor(learning_rate=0.01, tol=None).fit(X, y)
    >>> print(f"{model.coef_[0]:.5f} {model.intercept_:.5f}")
    0.61769 2.13612
    >>> print(f"{model.loss_curve_[0]:.1f} {model.max_learning_rate_:.5f}")
    17.2 0.08452
    """

    # What a fit writes. Without values, so that an estimator that is not fitted has none of them.
    coef_: Floats
    intercept_: float | Floats
    n_iter_: int
    loss_curve_: NDArray[np.float64]
    status_: Status
    max_learning_rate_: float
    condition_number_: float
    rank_: int
    metric_: Literal["moments", "sketch", "qr", "dual", "scaled"]
    stream_: Stream
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    if TYPE_CHECKING:
        # Inherited from scikit-learn, which declares no types: these are for type checkers alone

        def score(
            self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
        ) -> float:
            """R² of the predictions."""
            ...

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Parameters by name."""
            ...

        def set_params(self, **params: Any) -> Self:
            """Change parameters."""
            ...

    def __init__(
        self,
        learning_rate: float | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-12,
        *,
        fit_intercept: bool = True,
        momentum: float = 0.0,
        init: Literal["zeros", "random"] = "zeros",
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        stream: Literal["moments", "qr"] = "moments",
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

    def fit(
        self,
        X: MatrixLike | DaskLike,
        y: ArrayLike | DaskLike,
        sample_weight: ArrayLike | DaskLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
    ) -> Self:
        """Fit to training data.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
            Columns, in any units. Not modified, and not copied; an `np.memmap` is read in blocks.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; several descend independently.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. A weight k equals k equal rows, a weight 0 the absence of the row. One
            weight at least is above zero.
        coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
            Coefficients to start from, instead of `init`.
        intercept_init : float or array-like of shape (n_targets,), default=None
            Intercept to start from, instead of `init`.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, a shape, a weight or a value of the data cannot be used; the message
            names it, what it got and what to write.
        """
        asked = asked_of(self)
        with _unchanged_on_error(self):
            self.__dict__.pop("stream_", None)
            table, y_ndim = table_of(self, X, y, sample_weight, asked)
            start = start_of(self, table, coef_init, intercept_init)
            result = fit_table(table, start, asked)
            self._write(result, table.precision, y_ndim)
        return self._end(result, asked)

    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn one more chunk of rows: the model is that of all chunks so far.

        The first call, and the first after `fit`, begins a stream; what it keeps (`stream_`) does
        not grow with the rows. With a number as `learning_rate` the iterates are those of all rows
        from the start. A saved estimator (``joblib.dump``) continues where it was.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The chunk's columns, the same in all chunks.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Its targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Its weights >= 0, 1 where none are given. A chunk whose weights are all zero adds
            nothing, and cannot be the first.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`, or if the columns or targets are not those of the chunks before. The model is
            what it was.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            As `fit`; with ``stream="moments"`` also when columns depend on each other so nearly
            that moments have lost half of the digits or more.
        """
        asked = asked_of(self)
        with _unchanged_on_error(self):
            result = self._learn(self._with_chunk(Batch(X, y, sample_weight)), asked)
        return self._end(result, asked)

    def fit_batches(
        self,
        batches: Batches,
        *,
        target: str | Sequence[str] | None = None,
        sample_weight: str | None = None,
    ) -> Self:
        """Fit to batches of rows, of which one at a time is held in memory.

        Begins a stream, which `partial_fit` may continue.

        Parameters
        ----------
        batches : iterable
            Of ``(X, y)`` or ``(X, y, sample_weight)``; weights as in `partial_fit`. With
            `target`: a table that offers an Arrow stream (``__arrow_c_stream__``: of pyarrow,
            polars, duckdb, pandas), a pyarrow dataset, or an iterable of such tables. Batches
            without rows are passed over there.
        target : str or list of str, default=None
            The name of the column to predict, or names of several. All others are features.
        sample_weight : str, default=None
            The name of the column of weights, if there is one; goes with `target`.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a batch cannot be used; the message begins with its number, counted from 1. The
            model is then that of the batches before it.
        RuntimeError
            If `batches` raises; likewise.

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
        asked = asked_of(self)
        failure, start = None, ("coef_", "intercept_") if self.warm_start else ()
        with _unchanged_on_error(self):
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
            result = self._learn(self.stream_, asked)
        self._end(result, asked)
        if failure is not None:
            raise failure
        return self

    def fit_moments(self, moments: Moments | Literal[0]) -> Self:  # sum() of none is 0: refused
        """Fit to the moments of rows, wherever they were made.

        Parameters
        ----------
        moments : Moments
            The sum of the moments of all chunks.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator; a stream, which `partial_fit` may continue.
        """
        asked = asked_of(self)
        if not isinstance(moments, Moments):
            raise ValueError(f"moments must be Moments, got {type(moments).__name__}.")
        if not 1 / MOST_WEIGHT**2 < moments.weight < MOST_WEIGHT**2:
            raise ValueError(
                f"moments must have a weight from {1 / MOST_WEIGHT**2:g} to {MOST_WEIGHT**2:g}, "
                f"got {moments.weight:g}; make them of rows with weights above zero and near 1."
            )
        with _unchanged_on_error(self):
            self.__dict__.pop("feature_names_in_", None)
            stream = Stream.of_moments(moments)
            self.n_features_in_ = stream.n_columns
            result = self._learn(stream, asked)
        return self._end(result, asked)

    def merge(self, other: GDLinearRegressor) -> Self:
        """Add the rows of another stream to this one.

        Parameters
        ----------
        other : GDLinearRegressor
            Fitted by `partial_fit` or the like on other rows with the same columns and targets,
            with the same `stream`. Not modified.

        Returns
        -------
        self : GDLinearRegressor
            Fitted to the rows of both.

        Raises
        ------
        ValueError
            If one of them is no stream, or they do not fit together. The model is what it was.
        """
        asked = asked_of(self)
        for who, model in (("this estimator", self), ("other", other)):
            if not hasattr(model, "stream_"):
                raise ValueError(f"{who} holds no stream; call partial_fit or fit_batches on it.")
        mine, theirs = (getattr(m, "feature_names_in_", None) for m in (self, other))
        if mine is not None and theirs is not None and list(mine) != list(theirs):
            raise ValueError(f"other has other columns: {list(theirs)}, not {list(mine)}.")
        self.stream_.check_like(other.stream_, "other")
        with _unchanged_on_error(self):
            result = self._learn(self.stream_ + other.stream_, asked)
        return self._end(result, asked)

    def forget(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Take rows out of the stream again, as if they had never been in it.

        What is left is known to the rounding of the largest sums that were ever held.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows that were learnt, in any chunks.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights. Rows without weight take nothing away.

        Returns
        -------
        self : GDLinearRegressor
            Fitted to the rows that are left.

        Raises
        ------
        ValueError
            If no row would be left, or the stream keeps a triangular factor, from which nothing
            can be taken away. The model is what it was.
        """
        asked = asked_of(self)
        if not hasattr(self, "stream_"):
            raise ValueError("There is no stream to forget from; call partial_fit first.")
        with _unchanged_on_error(self):
            rows, y_ndim = chunk_of(self, Batch(X, y, sample_weight))
            self.stream_.check_like(rows, "y", y_ndim)
            result = self._learn(self.stream_.without(rows), asked)
        return self._end(result, asked)

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
            If X cannot be used, or a prediction is beyond what its precision holds.
        """
        check_is_fitted(self)
        if is_dask(X):
            return predicted(X, self.predict, len(np.atleast_2d(self.coef_)), self.coef_.ndim)
        table = as_table(X, accept_sparse="csr", estimator=self)
        validate_data(self, X, reset=False, skip_check_array=True)
        check_finite(table, "X")
        with np.errstate(over="ignore", invalid="ignore"):  # seen at once
            values = self._values(table)
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise ValueError(
                f"X has rows whose predictions are beyond what {table.dtype} holds, the first in "
                f"row {row}; scale X, or pass it as float64 if it is not."
            )
        return values

    def _values(self, X: Any) -> Any:
        """The predictions for a checked table."""
        if X.dtype == np.float64:
            return X @ self.coef_.T + self.intercept_
        # Columns far from zero would cost float32 its digits in the sums; block by block
        coef, starts = self.coef_.T.astype(np.float64), range(0, X.shape[0], PREDICT_ROWS)
        parts = [X[i : i + PREDICT_ROWS].astype(np.float64) @ coef for i in starts]
        return (np.concatenate(parts) + self.intercept_).astype(X.dtype)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        return tags

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "status_" in state:  # skops keeps a string as text, without its type
            self.status_ = Status(state["status_"])

    def _with_chunk(self, batch: Batch) -> Stream:
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
        return limited(lambda _: before.followed_by(rows))  # once for all passes over the chunk

    def _learn(self, stream: Stream, asked: Asked) -> Result:
        """Descend on a stream, and write what was found."""
        self.stream_ = stream
        result = fit_stream(stream, start_of(self, stream), asked)
        self._write(result, stream.precision, stream.y_ndim)
        return result

    def _end(self, result: Result, asked: Asked) -> Self:
        """Say what there is to say; an interrupt goes on, with the last complete update kept."""
        if result.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        warn_of(result, asked, getattr(self, "feature_names_in_", range(self.n_features_in_)))
        return self

    def _write(self, result: Result, dtype, y_ndim):
        largest, limits = np.abs(result.coef).max(), np.finfo(dtype)
        held = largest <= limits.max and np.abs(result.intercept).max() <= limits.max
        if not held or 0 < largest < limits.tiny:
            cure = "scale X" if self.learning_rate == "auto" else "scale X, change learning_rate"
            cure += "" if dtype == np.float64 else ", or pass X as float64"
            size = f" (up to {largest:.3g})" if np.isfinite(largest) else ""
            raise ValueError(
                f"The coefficients of X{size} or the intercept are beyond what "
                f"{dtype} holds, {limits.tiny:.2g} to {limits.max:.2g}; {cure}."
            )
        coef, intercept = (a.astype(dtype, copy=False) for a in (result.coef, result.intercept))
        self.coef_ = np.ascontiguousarray(coef if y_ndim == 2 else coef[0])
        self.intercept_ = intercept if y_ndim == 2 else float(result.intercept[0])
        self.n_iter_ = result.n_iter
        self.loss_curve_ = result.loss_curve
        self.status_ = result.status
        for name in ("max_learning_rate", "condition_number", "rank", "metric"):
            self.__dict__.pop(f"{name}_", None)  # of a fit before, with another learning_rate
            value = getattr(result, name)
            if value is not None:
                setattr(self, f"{name}_", value)


@contextmanager
def _unchanged_on_error(estimator):
    """Validation writes what it sees of the columns first; a fit that fails must not lose any."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
