"""GDLinearRegressor: parameters, validation, fit and predict, warnings, verbose."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from gd_regressor.arithmetic.threads import limited
from gd_regressor.auto.follow import follow_auto
from gd_regressor.data.checks import (
    MOST_WEIGHT,
    as_table,
    as_targets,
    check_addable,
    check_finite,
)
from gd_regressor.data.distributed import DaskRows, dask_rows, is_dask, predicted
from gd_regressor.data.inputs import (
    Batch,
    batches_of,
    checked_start,
    rows_of,
    rows_of_block,
    zeros_for_missing,
)
from gd_regressor.data.kinds import Batches, DaskLike, Floats, MatrixLike
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import is_small
from gd_regressor.descent.records import Reason, Request, Result, Status
from gd_regressor.descent.steps import (
    ConstantStep,
    check_bool,
    check_integer,
    check_learning_rate,
    check_momentum,
    check_seed,
    check_tol,
)
from gd_regressor.estimator.advice import DivergenceWarning, divergence_advice
from gd_regressor.estimator.verbose import Verbose
from gd_regressor.streams.stream import Stream
from gd_regressor.textbook.follow import closed_form_pays, follow_textbook

PREDICT_ROWS = 1 << 14
# "auto" makes no product that BLAS shares among its threads of TINY entries, in more rows than
# columns or in up to FEW columns
TINY, FEW = 1 << 12, 25
CURE = 'scale the columns (StandardScaler) or use learning_rate="auto".'


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
        self._check_parameters()
        with _unchanged_on_error(self):
            vars(self).pop("stream_", None)
            rows, y_ndim = self._table(X, y, sample_weight)
            result = self._learn(rows, rows.precision, y_ndim, coef_init, intercept_init)
        self._warn(result)
        return self

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
        self._check_parameters()
        with _unchanged_on_error(self):
            result = self._learn_stream(self._with_chunk(Batch(X, y, sample_weight)))
        self._warn(result)
        return self

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
        self._check_parameters()
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
            result = self._learn_stream(self.stream_)
        self._warn(result)
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
        self._check_parameters()
        if not isinstance(moments, Moments):
            raise ValueError(f"moments must be Moments, got {type(moments).__name__}.")
        if not 1 / MOST_WEIGHT**2 < moments.weight < MOST_WEIGHT**2:
            raise ValueError(
                f"moments must have a weight from {1 / MOST_WEIGHT**2:g} to {MOST_WEIGHT**2:g}, "
                f"got {moments.weight:g}; make them of rows with weights above zero and near 1."
            )
        with _unchanged_on_error(self):
            vars(self).pop("feature_names_in_", None)
            stream = Stream.of_moments(moments)
            self.n_features_in_ = stream.n_columns
            result = self._learn_stream(stream)
        self._warn(result)
        return self

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
        self._check_parameters()
        for who, model in (("this estimator", self), ("other", other)):
            if not hasattr(model, "stream_"):
                raise ValueError(f"{who} holds no stream; call partial_fit or fit_batches on it.")
        mine, theirs = (getattr(m, "feature_names_in_", None) for m in (self, other))
        if mine is not None and theirs is not None and list(mine) != list(theirs):
            raise ValueError(f"other has other columns: {list(theirs)}, not {list(mine)}.")
        self.stream_.check_like(other.stream_, "other")
        with _unchanged_on_error(self):
            result = self._learn_stream(self.stream_ + other.stream_)
        self._warn(result)
        return self

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
        self._check_parameters()
        if not hasattr(self, "stream_"):
            raise ValueError("There is no stream to forget from; call partial_fit first.")
        with _unchanged_on_error(self):
            rows, y_ndim = self._chunk(Batch(X, y, sample_weight))
            self.stream_.check_like(rows, "y", y_ndim)
            result = self._learn_stream(self.stream_.without(rows))
        self._warn(result)
        return self

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
            return predicted(X, self.predict, *np.atleast_2d(self.coef_).shape[:1], self.coef_.ndim)
        table = as_table(X, accept_sparse="csr", estimator=self)
        validate_data(self, X, reset=False, skip_check_array=True)
        X = table
        check_finite(X, "X")
        with np.errstate(over="ignore", invalid="ignore"):  # seen at once
            values = self._values(X)
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise ValueError(
                f"X has rows whose predictions are beyond what {X.dtype} holds, the first in row "
                f"{row}; scale X, or pass it as float64 if it is not."
            )
        return values

    def _values(self, X):
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

    def _check_parameters(self):
        check_learning_rate(self.learning_rate, words=("auto",))
        check_momentum(self.momentum)
        if self.learning_rate == "auto" and self.momentum:
            raise ValueError(
                f'momentum={self.momentum!r} cannot be combined with learning_rate="auto", whose '
                "steps are exact; write momentum=0.0 or a number as learning_rate."
            )
        check_integer("max_iter", self.max_iter, 1)
        check_tol(self.tol)
        if not (isinstance(self.init, str) and self.init in ("zeros", "random")):
            raise ValueError(f'init must be "zeros" or "random", got {self.init!r}.')
        if not isinstance(self.verbose, bool):
            check_integer("verbose", self.verbose, 0)
        if not (isinstance(self.stream, str) and self.stream in ("moments", "qr")):
            raise ValueError(f'stream must be "moments" or "qr", got {self.stream!r}.')
        for name in ("fit_intercept", "warm_start"):
            check_bool(name, getattr(self, name))
        if self.random_state is not None:  # the default costs a small fit no look
            check_seed(self.random_state)

    def _table(self, X, y, sample_weight):
        """The rows to fit, and the dimensions of y."""
        if is_dask(X):
            rows = dask_rows(X, y, sample_weight, rows_of_block).after_first_pass()
            self.n_features_in_ = rows.n_columns
            vars(self).pop("feature_names_in_", None)
            if hasattr(X, "columns") and all(isinstance(name, str) for name in X.columns):
                self.feature_names_in_ = np.array(X.columns, dtype=object)
            return rows, y.ndim
        on_disk = isinstance(X, np.memmap)
        X, y = self._validated(X, y)
        seen = sample_weight is None and self._passes_over_all(*X.shape)
        if issparse(X) or not seen:
            check_finite(X, "X")
        # "auto" has moments of the targets in any case
        seen = seen or (sample_weight is None and self.learning_rate == "auto")
        return rows_of(X, y, sample_weight, seen=seen, on_disk=on_disk), y.ndim

    def _passes_over_all(self, n, d):
        """Whether a table is first passed over in full, by what looks at the values too."""
        if self.learning_rate == "auto":
            return n > d
        return n > d and not is_small(n * d) and closed_form_pays(n, d, int(self.max_iter))

    def _validated(self, X, y, reset=True):
        """X and y as arrays, not yet known to be finite."""
        if _is_ready(X, (2,)) and y is not None and reset:
            # What validate_data would do, which takes a tenth of a small fit to find it out
            self.n_features_in_ = X.shape[1]
            vars(self).pop("feature_names_in_", None)
        else:
            table = as_table(X, estimator=self)
            validate_data(self, X, y, reset=reset, skip_check_array=True)
            X = table
        X = X if issparse(X) else np.asarray(X)  # of a memory map, whose own slices are slow
        if not _is_ready(y, (1, 2)):
            y = as_targets(y, estimator=self)
        if X.shape[0] != len(y):
            check_consistent_length(X, y)
        return X, y

    def _chunk(self, batch):
        """The rows of a chunk, and the dimensions of its y."""
        begun = "stream_" in vars(self)
        if batch.names is not None and begun:
            self._check_names(batch.names)
        X, y = self._validated(batch.X, batch.y, reset=not begun or batch.names is not None)
        check_finite(X, "X")
        if batch.names is not None:
            self.feature_names_in_ = np.array(batch.names, dtype=object)
        rows = rows_of(X, y, batch.sample_weight, may_vanish=begun)
        check_addable(rows.unit)
        return rows, y.ndim

    def _with_chunk(self, batch) -> Stream:
        rows, y_ndim = self._chunk(batch)
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

    def _check_names(self, names):
        known = list(getattr(self, "feature_names_in_", names))
        if known != list(names):
            other = next((n for n in [*names, *known] if (n in names) != (n in known)), names[0])
            raise ValueError(
                f"the columns must be {known}, in this order, got {list(names)}: see {other!r}."
            )

    def _learn_stream(self, stream: Stream) -> Result:
        self.stream_ = stream
        return self._learn(stream, stream.precision, stream.y_ndim)

    def _learn(self, data, precision, y_ndim, coef_init=None, intercept_init=None) -> Result:
        """Descend on rows or a stream, and write what was found."""
        start = self._start(data, coef_init, intercept_init)
        follow = partial(self._follow, data, start)
        with np.errstate(under="ignore"):
            result = limited(lambda _: follow()) if self._needs_limit(data) else follow()
        self._write(result, precision, y_ndim)
        return result

    def _needs_limit(self, data) -> bool:
        """Whether a fit makes products that BLAS would share among its threads."""
        if self.learning_rate != "auto" or data.size > TINY:
            return True  # a number: the singular values, and thousands of updates at once
        return data.n_columns > FEW and data.size <= data.n_columns**2

    def _start(self, rows, coef_init, intercept_init):
        """Coefficients (d, t) and intercepts (t,) to start from."""
        if self.warm_start and hasattr(self, "coef_"):
            self._check_warm_start(rows)
            coef_init = self.coef_ if coef_init is None else coef_init
            if intercept_init is None and self.fit_intercept:
                intercept_init = self.intercept_
        w, b = checked_start(coef_init, intercept_init, rows, self.fit_intercept)
        if self.init == "random":
            random = check_random_state(self.random_state)
            drawn = random.standard_normal((rows.n_targets, rows.n_columns)).T
            w = drawn if w is None else w
            if self.fit_intercept and b is None:
                b = random.standard_normal(rows.n_targets)
        return zeros_for_missing((w, b), rows)

    def _check_warm_start(self, rows):
        d, t = rows.n_columns, rows.n_targets
        if np.size(self.coef_) != d * t or self.coef_.shape[-1] != d:
            raise ValueError(
                f"warm_start=True needs the columns and targets of the fit before, coefficients of "
                f"shape {self.coef_.shape}; got {d} columns and {t} targets. Write "
                "warm_start=False or pass coef_init."
            )

    def _follow(self, data, start) -> Result:
        tol = None if self.tol is None else float(self.tol)
        request = Request(bool(self.fit_intercept), int(self.max_iter), tol)
        observers = (Verbose(int(self.verbose)),) if self.verbose else ()
        if self.learning_rate == "auto":
            if isinstance(data, Stream):
                return data.follow_auto(start, request, observers)
            return follow_auto(data, start, request, observers)
        step = ConstantStep(float(self.learning_rate), float(self.momentum))
        if isinstance(data, DaskRows):
            data = Stream.of_table(data, 2)
        if isinstance(data, Stream):
            return data.follow_textbook(step, start, request, observers)
        return follow_textbook(data, step, start, request, observers)

    def __setstate__(self, state):
        super().__setstate__(state)
        if "status_" in state:  # skops keeps a string as text, without its type
            self.status_ = Status(state["status_"])

    def _write(self, result: Result, dtype, y_ndim):
        largest, limits = np.abs(result.coef).max(), np.finfo(dtype)
        held = largest <= limits.max and np.abs(result.intercept).max() <= limits.max
        if not held or 0 < largest < limits.tiny:
            cure = "scale X" if self.learning_rate == "auto" else "scale X, change learning_rate"
            cure += "" if dtype == np.float64 else ", or pass X as float64"
            raise ValueError(
                f"The coefficients of X (up to {largest:.3g}) or the intercept are beyond what "
                f"{dtype} holds, {limits.tiny:.2g} to {limits.max:.2g}; {cure}."
            )
        coef, intercept = (a.astype(dtype, copy=False) for a in (result.coef, result.intercept))
        self.coef_ = np.ascontiguousarray(coef if y_ndim == 2 else coef[0])
        self.intercept_ = intercept if y_ndim == 2 else float(result.intercept[0])
        self.n_iter_ = result.n_iter
        self.loss_curve_ = result.loss_curve
        self.status_ = result.status
        for name in ("max_learning_rate", "condition_number", "rank", "metric"):
            vars(self).pop(f"{name}_", None)  # of a fit before, with another learning_rate
            value = getattr(result, name)
            if value is not None:
                setattr(self, f"{name}_", value)

    def _warn(self, result: Result):
        """One warning at most, here and nowhere else; an interrupt goes on."""
        if result.status is Status.INTERRUPTED:
            raise KeyboardInterrupt  # the last complete update has been kept
        limit = result.max_learning_rate
        if limit is not None and self.learning_rate >= limit:
            columns = getattr(self, "feature_names_in_", range(self.n_features_in_))
            advice = divergence_advice(self.learning_rate, limit, result.curvature, columns)
            category = DivergenceWarning
            text = f"{advice} {result.n_iter} updates were made; status_: {result.status.name}."
        elif result.status is Status.ILL_CONDITIONED:
            category, text = ConvergenceWarning, self._lost_digits(result)
        elif result.status is Status.DIVERGED:
            category = ConvergenceWarning
            text = f"After {result.n_iter} updates the loss climbed beyond any use. Scale X and y."
        elif result.reason is Reason.DEPENDENCE_UNKNOWN:
            category = ConvergenceWarning
            text = (
                f"The loss has settled after {result.n_iter} updates, but the steps beside them "
                f"(max_iter={self.max_iter} limits them) did not find out how the columns depend "
                "on each other: the coefficients may not be those of least norm, and where columns "
                "nearly depend on each other the loss may be above its minimum. Raise max_iter, "
                "scale columns of very different units, use fewer columns, or write tol=1e-9 to do "
                "without."
            )
        elif result.status is Status.MAX_ITER and self.tol is not None:
            category = ConvergenceWarning
            left = self._distance_left(result)
            text = f"After max_iter={self.max_iter} updates {left} Raise max_iter"
            text += (
                "." if limit is None else f" or learning_rate (stable below {limit:.3g}), {CURE}"
            )
        elif limit is not None and self.tol and result.relative_gap > np.cbrt(float(self.tol)):
            category = ConvergenceWarning
            left = self._distance_left(result)
            text = (
                f"After {result.n_iter} updates an update lowers the loss by no more than "
                f"tol={float(self.tol):g} of the variance of y, but {left} Some direction descends "
                f"very slowly: {CURE}"
            )
        else:
            return
        warnings.warn(text, category, stacklevel=3)

    def _lost_digits(self, result: Result) -> str:
        digits = int(max(0.0, -np.log10(result.coef_error)))
        left = f"about {digits} digits of the coefficients are left"
        stream = vars(self).get("stream_")
        if stream is not None and stream.has_forgotten and result.condition_number < np.inf:
            return (
                f"What was forgotten was so much larger than what is left that {left}; begin "
                "another stream with the rows that are left."
            )
        once = stream is not None and stream.keeps == "moments"
        text = f"The condition number of the scaled columns is {result.condition_number:.1e}"
        if result.condition_number == np.inf:
            what = "the moments cannot tell" if once else "rounding hides"
            text = f"Whether columns depend on each other {what}"
        text = f"{text}: {left}. Drop or combine columns that nearly depend on each other"
        return text + (
            ', or keep a triangular factor of the stream (stream="qr").' if once else "."
        )

    def _distance_left(self, result: Result) -> str:
        least = "" if result.gap_is_exact else "at least "
        return (
            f"the loss {result.loss_curve[-1]:.6g} is {least}{result.gap:.2g} above its attainable "
            f"minimum ({result.relative_gap:.1g} of the variance of y)."
        )


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


def _is_ready(value, ndims):
    """Whether nothing needs conversion, which check_array takes as long as a small fit to find.

    Numbers of other kinds on disk are converted block by block, never all at once.
    """
    is_array = type(value) is np.ndarray and value.dtype in (np.float64, np.float32)
    on_disk = isinstance(value, np.memmap) and value.dtype.kind in "fiub"
    return (is_array or on_disk) and value.ndim in ndims and value.size > 0
