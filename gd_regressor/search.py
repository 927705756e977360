"""GDLinearRegressorCV: parameters, docstring and verbs of cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from gd_regressor.arithmetic.threads import limited
from gd_regressor.data.checks import columns_named
from gd_regressor.data.kinds import DaskLike, Floats, MatrixLike
from gd_regressor.data.table import Given, Rows
from gd_regressor.descent.records import Result, Status
from gd_regressor.estimator.advice import Advice, advice_of
from gd_regressor.estimator.arrays import table_of
from gd_regressor.estimator.fitting import fit_table
from gd_regressor.estimator.parameters import Asked, asked_of
from gd_regressor.estimator.predicting import predictions
from gd_regressor.estimator.searching import (
    Routed,
    check_search,
    checked_score,
    grid_of,
    hat_serves,
    leaves_one_out,
    results_of,
    routed_of,
    routing_of,
    scoring_of,
    splits_of,
)
from gd_regressor.estimator.start import zeros_for_missing
from gd_regressor.estimator.unchanged import unchanged_on_error
from gd_regressor.estimator.warned import show
from gd_regressor.regressor import GDLinearRegressor
from gd_regressor.validation.alone import Candidate
from gd_regressor.validation.choice import best_of
from gd_regressor.validation.leave_one_out import surface_alone
from gd_regressor.validation.scores import Model
from gd_regressor.validation.surface import Search, Surface, surface_of


class GDLinearRegressorCV(RegressorMixin, BaseEstimator):
    """Linear regression by gradient descent, with parameters chosen by cross-validation.

    All combinations of learning rates, numbers of updates and penalties are scored on held-out
    rows, and the best is fitted to all rows. The scores are those of
    `sklearn.model_selection.GridSearchCV` over `GDLinearRegressor`. But they come from sums over
    the rows of each fold, so one pass over the data serves all candidates.

    The loss is the mean squared error plus
    ``2 * alpha * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|_2^2)``, twice the objective of
    `sklearn.linear_model.ElasticNet`. So an alpha is per row: ``Ridge(alpha=a)`` on n rows is
    ``alpha=a / n`` with ``l1_ratio=0``.

    Parameters
    ----------
    learning_rates : list of float or "auto", default=("auto",)
        Learning rates to compare. "auto" arrives at the minimum, whatever the number of updates.
    n_iters : list of int, default=None
        Numbers of updates to compare, which is early stopping. A descent that `tol` ends before
        makes no more updates. None is `max_iter` alone.
    alphas : list of float or int, default=(0.0,)
        Weights of the penalty to compare. An int asks for so many, from the least alpha that makes
        all coefficients zero down to `eps` times it; it needs ``l1_ratios`` above 0.
    l1_ratios : list of float, default=(0.5,)
        Shares of ``|w|_1`` in the penalty to compare, from 0 to 1; 0 is ridge regression.
    cv : int, splitter or iterable, default=None
        Folds, as in `sklearn.model_selection.check_cv`: None is 5 folds in the order of the rows.
    scoring : str or callable, default=None
        What to maximise. None is R² (with `LeaveOneOut`, the negative squared error). "r2",
        "neg_mean_squared_error", "neg_root_mean_squared_error" and "explained_variance" follow
        from sums over the rows. Any other scorer predicts the held-out rows once for each
        candidate, which takes that much longer.
    eps : float, default=1e-3
        The last alpha of an automatic grid, as a share of the first.
    one_standard_error : bool, default=False
        Whether to choose the simplest candidate whose mean score is within one standard error of
        the best [1]_: the largest alpha, then the fewest updates, then the smallest learning rate.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which no penalty shrinks.
    max_iter : int, default=1000
        The largest number of updates, where `n_iters` is None.
    momentum : float, default=0.0
        Polyak's momentum, in [0, 1); for numbers as learning rates.
    tol : float or None, default=1e-12
        Ends a descent as in `GDLinearRegressor`.
    positive : bool, default=False
        Whether to hold all coefficients at or above zero. The intercept is free.
    penalty_weights : array-like of shape (n_features,), default=None
        Factors >= 0 of alpha, one per column; None gives each column 1. With 0 the penalty leaves a
        column free.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the best candidate, fitted to all rows.
    intercept_ : float or ndarray of shape (n_targets,)
        Its intercept.
    n_iter_ : int
        Updates that this fit made.
    best_params_ : dict
        `learning_rate`, `max_iter`, `l1_ratio` and `alpha` of the best candidate.
    learning_rate_ : float or "auto"
        The best learning rate.
    max_iter_ : int
        The best number of updates.
    l1_ratio_ : float
        The best share of ``|w|_1``.
    alpha_ : float
        The best weight of the penalty.
    best_index_ : int
        The place of the best candidate in `cv_results_`.
    best_score_ : float
        Its mean score.
    refit_time_ : float
        Seconds of its fit to all rows.
    alphas_ : ndarray of shape (n_l1_ratios, n_alphas)
        The alphas that were compared, for each share of ``|w|_1``.
    scores_ : ndarray of shape (n_rates, n_counts, n_l1_ratios, n_alphas, n_folds)
        All scores.
    mse_path_ : ndarray of shape (n_rates, n_counts, n_l1_ratios, n_alphas, n_folds)
        Mean squared errors on the held-out rows; with several targets, the mean over targets.
    n_splits_ : int
        The number of folds.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the columns, where all names are strings.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        As `GDLinearRegressor`, for the fit to all rows. That the best of several `n_iters` ends
        early is no reason.

    See Also
    --------
    GDLinearRegressor : The estimator that is compared with itself.
    sklearn.linear_model.RidgeCV : Penalties of squares, by generalised cross-validation.
    sklearn.linear_model.ElasticNetCV : Penalties with ``|w|_1``, by coordinate descent.

    Notes
    -----
    Rows are grouped by the folds that they train and test. One pass makes the moments of each
    group, and a fold adds up those of its groups. One decomposition per fold gives all ridge
    penalties with "auto"; one per fold and alpha gives all iterates of all learning rates. With
    ``|w|_1`` or `positive` one descent per fold, alpha and learning rate gives its iterates.
    Splitters whose folds overlap at random make many groups, so they take one pass for each few
    folds.

    Where columns nearly depend on each other (a condition number above 2,000), the folds keep
    triangular factors of their rows, which takes a second pass. A model with ``|w|_1`` whose
    columns in use are such is fitted to each fold. Above a condition number of about 5e7, so is a
    model without a penalty. So is every candidate above 2,000 columns, with the rows of one fold
    in memory.

    With ``cv=LeaveOneOut()``, "auto" and ridge penalties, the hat matrix gives all scores in two
    passes, unless there are `penalty_weights`. Other candidates take a pass for each 63 rows.

    Beside X, `fit` holds the products of the columns for each group of rows (at most 256 MiB), some
    vectors of length n_samples, and `scores_` and `mse_path_`.

    Rows of weight k count as k equal rows, in fits and in scores. The mean over the folds has no
    weights.

    References
    ----------
    .. [1] L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees",
       Wadsworth, 1984, section 3.4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import GDLinearRegressorCV
    >>> random = np.random.default_rng(0)
    >>> X = random.standard_normal((100, 20))
    >>> y = X[:, 0] + random.standard_normal(100)
    >>> model = GDLinearRegressorCV(alphas=[0.01, 0.1, 1.0, 10.0], l1_ratios=[0.0]).fit(X, y)
    >>> model.alpha_
    1.0
    >>> model.mse_path_.shape
    (1, 1, 1, 4, 5)
    """

    # A fit writes these. They have no values here, so that hasattr tells whether a fit was made.
    coef_: Floats
    intercept_: float | Floats
    n_iter_: int
    best_params_: dict[str, Any]
    learning_rate_: float | Literal["auto"]
    max_iter_: int
    l1_ratio_: float
    alpha_: float
    best_index_: int
    best_score_: float
    refit_time_: float
    alphas_: NDArray[np.float64]
    scores_: NDArray[np.float64]
    mse_path_: NDArray[np.float64]
    n_splits_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    if TYPE_CHECKING:
        # scikit-learn, which implements these methods, declares no types

        def score(
            self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
        ) -> float:
            """Compute R² of the predictions."""
            ...

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Get the parameters by name."""
            ...

        def set_params(self, **params: Any) -> Self:
            """Set parameters by name."""
            ...

    def __init__(
        self,
        learning_rates: Sequence[float | Literal["auto"]] = ("auto",),
        n_iters: Sequence[int] | None = None,
        alphas: Sequence[float] | int = (0.0,),
        l1_ratios: Sequence[float] = (0.5,),
        cv: Any = None,
        scoring: Any = None,
        *,
        eps: float = 1e-3,
        one_standard_error: bool = False,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        momentum: float = 0.0,
        tol: float | None = 1e-12,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
    ) -> None:
        self.learning_rates = learning_rates
        self.n_iters = n_iters
        self.alphas = alphas
        self.l1_ratios = l1_ratios
        self.cv = cv
        self.scoring = scoring
        self.eps = eps
        self.one_standard_error = one_standard_error
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.momentum = momentum
        self.tol = tol
        self.positive = positive
        self.penalty_weights = penalty_weights

    def fit(
        self,
        X: MatrixLike | DaskLike,
        y: ArrayLike | DaskLike,
        sample_weight: ArrayLike | DaskLike | None = None,
        **params: Any,
    ) -> Self:
        """Score all candidates, and fit the best to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. All targets share the best candidate.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. A row of weight k counts as k equal rows.
        **params : dict
            `groups` (n_samples,) for the splitter. With scikit-learn's metadata routing enabled,
            whatever the splitter and the scorer ask for; of lists of n_samples entries a scorer
            gets those of the held-out rows.

        Returns
        -------
        self : GDLinearRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If `fit` cannot use a parameter, a shape, a weight or a value of the data.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.model_selection import GroupKFold
        >>> from gd_regressor import GDLinearRegressorCV
        >>> X, y = load_diabetes(return_X_y=True)
        >>> groups = [row // 10 for row in range(len(y))]
        >>> model = GDLinearRegressorCV(alphas=[1e-5, 1e-3], l1_ratios=[0.0], cv=GroupKFold(4))
        >>> model.fit(X, y, groups=groups).n_splits_
        4
        """
        check_search(self)
        routed = routed_of(self, sample_weight, params)
        with columns_named(X), unchanged_on_error(self):
            result, advice = self._fit(X, y, sample_weight, routed)
        # Few updates were the choice of the folds, where these could choose
        if self.n_iters is None or result.status is not Status.MAX_ITER:
            show(advice)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, routed: Routed) -> tuple[Result, Advice]:
        """Write the attributes of a fit. Returns how its descent on all rows ended."""
        table, y_ndim = table_of(self, X, y, sample_weight)
        splits, n_rows = splits_of(self, X, y, table, routed.split)

        def judge(scorer: Any, fitted: Model, rows: Rows, **more: Any) -> float:
            y = rows.y if y_ndim == 2 else rows.y[:, 0]
            X = rows.X.tocsr() if rows.is_sparse else np.asarray(rows.X)
            score = scorer(self._model(fitted, y_ndim, rows.precision), X, y, **more)
            return checked_score(score, self.scoring)

        scoring = scoring_of(self, routed.score, judge)
        search = Search(lambda table: grid_of(self, table), scoring, self._fit_alone)
        surface = self._surface(table, splits, n_rows, search)
        best, began = self._write(surface), perf_counter()
        result, asked = self._fit_one(surface.table, best)
        self.refit_time_ = perf_counter() - began
        model = self._model((result.coef.T, result.intercept), y_ndim, surface.table.precision)
        self.coef_, self.intercept_, self.n_iter_ = model.coef_, model.intercept_, result.n_iter
        columns = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return result, advice_of(result, asked, columns, surface.table.n_rows)

    def _surface(self, table: Given, splits: Any, n_rows: int, search: Search) -> Surface:
        """The scores of all candidates."""
        surface = None
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # of what diverges
            if leaves_one_out(self) and hat_serves(self, search.scoring):
                surface = limited(lambda _: surface_alone(table, search))
            if surface is None:
                surface = limited(lambda _: surface_of(table, splits, n_rows, search))
        return surface

    def _fit_alone(self, rows: Given, candidate: Candidate) -> Model:
        """One candidate on the rows that train a fold."""
        result, _ = self._fit_one(rows, candidate)
        return result.coef.T, result.intercept

    def _fit_one(self, rows: Given, candidate: Candidate) -> tuple[Result, Asked]:
        """One candidate on these rows, to its end: half of a search has no best candidate."""
        asked = asked_of(self._one(candidate))
        result = fit_table(rows, zeros_for_missing((None, None), rows), asked)
        if result.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        return result, asked

    def _one(self, candidate: Candidate) -> GDLinearRegressor:
        """The estimator of one candidate."""
        return GDLinearRegressor(
            "auto" if candidate.rate is None else candidate.rate,
            candidate.most,
            self.tol,
            fit_intercept=self.fit_intercept,
            momentum=self.momentum,
            alpha=candidate.alpha,
            l1_ratio=candidate.l1_ratio,
            positive=self.positive,
            penalty_weights=self.penalty_weights,
        )

    def _model(self, fitted: Model, y_ndim: int, precision: np.dtype) -> GDLinearRegressor:
        """A fitted estimator that predicts, for a scorer."""
        w, b = fitted
        model = GDLinearRegressor()
        model.coef_ = np.ascontiguousarray((w.T if y_ndim == 2 else w[:, 0]).astype(precision))
        model.intercept_ = b.astype(precision) if y_ndim == 2 else float(b[0])
        model.n_features_in_ = len(w)
        return model

    def _write(self, surface: Surface) -> Candidate:
        """Write what the folds have shown. Returns the best candidate."""
        grid = surface.grid
        self.alphas_, self.scores_, self.mse_path_ = grid.alphas, surface.scores, surface.errors
        self.n_splits_ = surface.scores.shape[-1]
        self.best_index_ = best_of(surface.scores, grid, self.one_standard_error)
        place = np.unravel_index(self.best_index_, grid.shape)
        best = Candidate.of(grid, tuple(map(int, place)))
        self.best_score_ = float(surface.scores[place].mean())
        self.learning_rate_ = "auto" if best.rate is None else best.rate
        self.max_iter_, self.l1_ratio_, self.alpha_ = best.most, best.l1_ratio, best.alpha
        self.best_params_ = {
            "learning_rate": self.learning_rate_,
            "max_iter": best.most,
            "l1_ratio": best.l1_ratio,
            "alpha": best.alpha,
        }
        return best

    @property
    def cv_results_(self) -> dict[str, Any]:
        """Parameters and scores of all candidates, as `GridSearchCV` has them.

        The candidates are those of `scores_`, the last parameter varying fastest. The table is made
        when it is asked for. It has no times of fits and scores: one pass over the data serves all
        candidates, so no candidate has a time of its own.
        """
        check_is_fitted(self, "scores_")
        return results_of(self)

    @overload
    def predict(self, X: DaskLike) -> Any: ...
    @overload
    def predict(self, X: MatrixLike) -> Floats: ...
    def predict(self, X: MatrixLike | DaskLike) -> Any:
        """Predict with the best candidate.

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
        >>> from gd_regressor import GDLinearRegressorCV
        >>> X, y = [[1.0], [2.0], [3.0], [4.0], [5.0]], [2.0, 4.0, 5.0, 4.0, 5.0]
        >>> model = GDLinearRegressorCV(cv=2).fit(X, y)
        >>> model.predict([[6.0]]).round(5)
        array([5.8])
        """
        return predictions(self, X)

    # scikit-learn asks where metadata go: weights to `fit`, groups to the splitter
    get_metadata_routing = routing_of

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        return tags
