"""Linear models side by side on the same rows.

Other estimators are imported where they are compared: a fit needs none of them.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning

from gd_regressor.data.kinds import MatrixLike
from gd_regressor.estimator.parameters import check_bool, check_integer, check_ratio, checked_alpha
from gd_regressor.estimator.tables import Row, html_table, number, text_table
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.paths import learning_rate_report
from gd_regressor.regressor import GDLinearRegressor

# They take no time in closed form, and show what units do to a descent
TEXTBOOK_UPDATES = 10_000
ROWS_PER_FOLD = 2  # at least: R² of one row is undefined


class Objective(NamedTuple):
    """What estimators side by side minimise: parameters of `GDLinearRegressor`."""

    fit_intercept: bool = True
    alpha: float = 0.0
    l1_ratio: float = 0.5
    positive: bool = False

    @property
    def is_penalised(self) -> bool:
        """Whether the units of the columns change the minimum."""
        return self.positive or self.alpha > 0

    @property
    def ridge(self) -> float:
        """The alpha of a loss that stays quadratic, else 0."""
        return 0.0 if self.positive or self.l1_ratio else self.alpha


class PerRow(RegressorMixin, BaseEstimator):
    """scikit-learn's Ridge with a strength per row, so that a fold of the rows has the same one."""

    def __init__(self, alpha: float, fit_intercept: bool, positive: bool) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive

    def fit(self, X: Any, y: Any) -> PerRow:
        """Fit Ridge to rows, of which each adds `alpha` to its own."""
        from sklearn.linear_model import Ridge

        options = {"fit_intercept": self.fit_intercept, "positive": self.positive}
        self.ridge_ = Ridge(self.alpha * len(y), **options).fit(X, y)
        return self

    def predict(self, X: Any) -> Any:
        """Predict as Ridge does."""
        return self.ridge_.predict(X)


class ComparedEstimator(NamedTuple):
    """What was measured of one estimator; nan where it was not, or could not be."""

    name: str
    r2: float  # the mean over the folds
    r2_deviation: float
    loss: float  # mean squared error on the training rows
    n_iter: int | None
    converged: bool
    fit_seconds: float  # the median of all fits
    test_r2: float = math.nan
    test_loss: float = math.nan


class EstimatorComparison(tuple[ComparedEstimator, ...]):
    """One `ComparedEstimator` for each estimator, in their order; prints as a table."""

    def __str__(self) -> str:
        return text_table(self._cells())

    def _repr_html_(self) -> str:
        return html_table(self._cells())

    def _cells(self) -> list[Row]:
        tested = any(not math.isnan(one.test_loss) for one in self)
        head = ["", "R² (sd)", "training loss", "iterations", "fit time"]
        return [
            [*head, *(["test R²", "test loss"] if tested else [])],
            *([*cells(one), *(_test_cells(one) if tested else [])] for one in self),
        ]


def compare_estimators(
    X: MatrixLike,
    y: ArrayLike,
    *,
    estimators: Mapping[str, Any] | None = None,
    cv: int = 5,
    fit_intercept: bool = True,
    X_test: MatrixLike | None = None,
    y_test: ArrayLike | None = None,
    alpha: float = 0.0,
    l1_ratio: float = 0.5,
    positive: bool = False,
) -> EstimatorComparison:
    """Fit several linear models to the same rows and measure each.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Columns.
    y : array-like of shape (n_samples,)
        Target.
    estimators : mapping of str to estimator, default=None
        What to compare, not fitted, by name. None compares this package's automatic mode, textbook
        gradient descent on standardised columns, `LinearRegression`, and `SGDRegressor` on
        standardised columns. The rate of the textbook's descent is the largest power of ten at
        most half its stability limit. With a penalty all of them have it, on standardised columns:
        `Ridge`, `Lasso`, `ElasticNet` or non-negative least squares stands for `LinearRegression`.
    cv : int, default=5
        Shuffled folds for R², the same ones for each estimator; 0 for none. With fewer than two
        rows in each fold, there are none.
    fit_intercept : bool, default=True
        Whether the estimators of ``estimators=None`` have an intercept.
    X_test : {array-like, sparse matrix} of shape (n_test, n_features), default=None
        Columns of rows that are held out.
    y_test : array-like of shape (n_test,), default=None
        Their targets.
    alpha : float, default=0.0
        Strength of the penalty of the estimators of ``estimators=None``, per row.
    l1_ratio : float, default=0.5
        Its share of L1.
    positive : bool, default=False
        Whether they hold coefficients at or above zero. `SGDRegressor` cannot, and is left out.

    Returns
    -------
    comparison : tuple of ComparedEstimator
        For each estimator the fields `name`, `r2` and `r2_deviation` (over the folds), `loss` (mean
        squared error on X, without a penalty), `n_iter`, `converged`, `fit_seconds`, `test_r2` and
        `test_loss`; nan where there is no number. ``print(comparison)`` shows it as a table: (!)
        marks what stopped before it converged.

    Raises
    ------
    ValueError
        If a parameter cannot be used, or all estimators refuse the data.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import compare_estimators
    >>> X, y = load_diabetes(return_X_y=True)
    >>> comparison = compare_estimators(X, y)
    >>> [(one.name, round(one.loss), one.converged) for one in comparison][:2]
    [('GDLinearRegressor auto', 2860, True), ('StandardScaler + GDLinearRegressor 0.1', 2860, True)]
    >>> print(comparison)  # doctest: +ELLIPSIS
                                            R² (sd)         training loss  iterations  fit time
    GDLinearRegressor auto                  0... (0...)     2860           ...
    """
    check_integer("cv", cv, 0)
    if cv == 1:
        raise ValueError("cv must be 0 or an integer >= 2, got 1: one fold leaves no rows to fit.")
    check_bool("fit_intercept", fit_intercept)
    check_bool("positive", positive)
    check_ratio(l1_ratio)
    if len(checked_alpha(alpha)) != 1:
        raise ValueError(f"alpha must be one number, got {alpha!r}.")
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test go together: pass both or none.")
    if estimators is None:
        objective = Objective(fit_intercept, float(alpha), float(l1_ratio), positive)
        estimators = _usual(X, y, objective)
    test = None if X_test is None else (X_test, y_test)
    return EstimatorComparison(
        measured(name, clone(estimator), X, y, cv, test) for name, estimator in estimators.items()
    )


def _usual(X: Any, y: Any, objective: Objective) -> dict[str, Any]:
    # Without a penalty the units of the columns change no minimum of a direct solver
    return {
        **scaled(automatic(objective), objective.is_penalised),
        **scaled(textbook(X, y, objective)),
        **scaled(direct(objective), objective.is_penalised),
        **scaled(stochastic(objective)),
    }


def scaled(estimators: dict[str, Any], wanted: bool = True) -> dict[str, Any]:
    """Estimators behind a scaler of the columns, if `wanted`."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if not wanted:
        return estimators
    return {
        f"StandardScaler + {name}": make_pipeline(StandardScaler(), estimator)
        for name, estimator in estimators.items()
    }


def automatic(objective: Objective) -> dict[str, Any]:
    """Descent without a learning rate, by name."""
    return {"GDLinearRegressor auto": GDLinearRegressor(**objective._asdict())}


def textbook(X: Any, y: Any, objective: Objective) -> dict[str, Any]:
    """Descent for standardised columns at a textbook's learning rate, by name.

    The rate is the largest power of ten at most half the stability limit: up to there textbooks
    prove descent.
    """
    options: dict[str, Any] = {"fit_intercept": objective.fit_intercept, "alpha": objective.ridge}
    limit = learning_rate_report(X, y, **options).standardised.limit()
    rate = 10.0 ** math.floor(math.log10(limit / 2)) if limit < math.inf else 1.0
    descent = GDLinearRegressor(rate, TEXTBOOK_UPDATES, **objective._asdict())
    return {f"GDLinearRegressor {rate:g}": descent}


def direct(objective: Objective) -> dict[str, Any]:
    """The solver of scikit-learn for the same loss, by name."""
    from sklearn.linear_model import ElasticNet, Lasso, LinearRegression

    fit_intercept, alpha, ratio, positive = objective
    options: dict[str, Any] = {"fit_intercept": fit_intercept, "positive": positive}
    held = ", positive=True" if positive else ""
    if not alpha:
        return {f"LinearRegression{held and '(positive=True)'}": LinearRegression(**options)}
    if not ratio:
        return {f"Ridge(alpha={alpha:g} * n_samples{held})": PerRow(alpha, **options)}
    if ratio == 1:
        return {f"Lasso(alpha={alpha:g}{held})": Lasso(alpha, **options)}
    name = f"ElasticNet(alpha={alpha:g}, l1_ratio={ratio:g}{held})"
    return {name: ElasticNet(alpha, l1_ratio=ratio, **options)}


def stochastic(objective: Objective) -> dict[str, Any]:
    """Stochastic descent on the same loss, by name; none that holds coefficients above zero."""
    from sklearn.linear_model import SGDRegressor

    if objective.positive:
        return {}
    options: dict[str, Any] = {"fit_intercept": objective.fit_intercept, "random_state": 0}
    if objective.alpha:
        options |= {"penalty": "elasticnet", "alpha": objective.alpha}
        options["l1_ratio"] = objective.l1_ratio
    return {"SGDRegressor": SGDRegressor(**options)}


def mean_square(residuals: np.ndarray) -> float:
    """The mean squared error."""
    return float(np.mean(residuals**2))


def measured(
    name: str,
    estimator: Any,
    X: Any,
    y: Any,
    cv: int,
    test: tuple[Any, Any] | None = None,
    judge: Callable[[np.ndarray], float] = mean_square,
) -> ComparedEstimator:
    """One estimator's line; `estimator` is fitted to X and y. `judge` makes a loss of residuals."""
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold, cross_validate

    scores = seconds = np.empty(0)
    try:
        # A mark in the table stands for what each fit would say
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            began = time.perf_counter()
            estimator.fit(X, y)
            seconds = np.array([time.perf_counter() - began])
            converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
            if cv and len(y) >= ROWS_PER_FOLD * cv:
                folds = KFold(cv, shuffle=True, random_state=0)
                found = cross_validate(estimator, X, y, cv=folds, error_score="raise")
                scores, seconds = found["test_score"], np.append(seconds, found["fit_time"])
    except ValueError:  # SGDRegressor's, when it overflows
        return ComparedEstimator(name, math.nan, math.nan, math.nan, None, False, math.nan)
    mean, deviation = (scores.mean(), scores.std()) if scores.size else (math.nan, math.nan)
    after: dict[str, float] = {}
    if test is not None:
        X_test, y_test = test
        predicted = estimator.predict(X_test)
        after["test_r2"] = float(r2_score(y_test, predicted))
        after["test_loss"] = judge(np.asarray(y_test) - predicted)
    return ComparedEstimator(
        name,
        float(mean),
        float(deviation),
        judge(np.asarray(y) - estimator.predict(X)),
        getattr(unwrapped(estimator).model, "n_iter_", None),
        converged,
        float(np.median(seconds)),
        **after,
    )


def _r2_cell(one: ComparedEstimator) -> str:
    """R² and its deviation; a model that has diverged has a score of any size."""
    if math.isnan(one.r2):
        return "-"
    return f"{one.r2:.4f} ({one.r2_deviation:.3f})" if abs(one.r2) < 100 else f"{one.r2:.3g}"


def _count_cell(one: ComparedEstimator) -> str:
    """Iterations, with a mark where they did not converge."""
    return "-" if one.n_iter is None else f"{one.n_iter:,}{'' if one.converged else '!'}"


def cells(one: ComparedEstimator, write: Callable[[float], str] = number) -> list[str]:
    """One estimator's row of the table, with its loss as `write` has it."""
    if math.isnan(one.loss):
        return [one.name, "failed", "", "", ""]
    seconds = f"{one.fit_seconds * 1e3:,.2f} ms"
    return [one.name, _r2_cell(one), write(one.loss), _count_cell(one), seconds]


def _test_cells(one: ComparedEstimator) -> list[str]:
    return ["", ""] if math.isnan(one.loss) else [f"{one.test_r2:.4f}", number(one.test_loss)]
