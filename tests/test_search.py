"""GDLinearRegressorCV: its scores are those of one fit after the other, inside scikit-learn too."""

import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import product

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LassoCV, Ridge
from sklearn.metrics import get_scorer, make_scorer, mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import GDLinearRegressor, GDLinearRegressorCV
from gd_regressor.descent import run
from gd_regressor.descent.steps import ProximalStep
from gd_regressor.validation import surface
from tests.reference import naive_descent

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, D = 120, 4
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((N, D)) @ RANDOM.standard_normal((D, D)) + [1, 0, -2, 3]
y = X @ [1.0, -1.0, 0.5, 0.0] + RANDOM.standard_normal(N)
WEIGHTS = RANDOM.integers(1, 4, N).astype(float)
ALPHAS = [0.0, 0.01, 1.0]

SPLITTERS = {
    "in order": KFold(4),
    "shuffled": KFold(5, shuffle=True, random_state=0),
    "at random": ShuffleSplit(4, random_state=0),
    "in time": TimeSeriesSplit(4),
    "predefined": PredefinedSplit(np.arange(N) % 4 - 1),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=4, random_state=0),
    "grouped": list(GroupKFold(3).split(X, groups=np.arange(N) // 7)),
}
NAMES = ("r2", "neg_mean_squared_error", "neg_root_mean_squared_error", "explained_variance")


def scores_one_by_one(grid, X, y, cv, scoring, **fixed):
    """(candidates, folds): by GridSearchCV over GDLinearRegressor."""
    search = GridSearchCV(GDLinearRegressor(**fixed), grid, cv=cv, scoring=scoring, refit=False)
    found = search.fit(X, y).cv_results_
    folds = [found[f"split{f}_test_score"] for f in range(search.n_splits_)]
    params = list(product(*(grid[name] for name in ("learning_rate", "max_iter"))))
    order = [(p["learning_rate"], p["max_iter"]) for p in found["params"]]
    places = [order.index(p) for p in params]
    return np.stack(folds, axis=1)[places]


def ridge_errors(X, y, alphas, cv, weights=None, fit_intercept=True):
    """(alphas, folds): mean squared errors of Ridge, whose alpha is per table."""
    found = []
    for train, test in cv.split(X):
        s = np.ones(len(X)) if weights is None else weights
        for alpha in alphas:
            model = Ridge(alpha * s[train].sum(), fit_intercept=fit_intercept)
            predicted = model.fit(X[train], y[train], s[train]).predict(X[test])
            found.append(mean_squared_error(y[test], predicted, sample_weight=s[test]))
    return np.reshape(found, (-1, len(alphas))).T


# --- Scores are those of one fit after the other ---


@pytest.mark.parametrize("cv", SPLITTERS.values(), ids=SPLITTERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_scores_are_those_of_grid_search(cv, fit_intercept):
    """0.3 diverges and 0.02 settles, both before the last update."""
    rates, counts = ["auto", 0.3, 0.02, 0.001], [0, 1, 10, 100_000]
    model = GDLinearRegressorCV(rates, counts, cv=cv, fit_intercept=fit_intercept, tol=1e-8)
    model.fit(X, y)
    grid = {"learning_rate": rates, "max_iter": counts}
    expected = scores_one_by_one(grid, X, y, cv, "r2", fit_intercept=fit_intercept, tol=1e-8)
    found = model.scores_.reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    assert model.n_splits_ == expected.shape[1]
    assert model.best_index_ == expected.mean(axis=1).argmax()


@pytest.mark.parametrize("scoring", NAMES)
@pytest.mark.parametrize("targets", [1, 2])
def test_scores_in_closed_form_are_scikit_learns(scoring, targets):
    Y = y if targets == 1 else np.column_stack([y, 3 * X[:, 0] + y**2])
    rates, counts = ["auto", 0.01], [5, 500]
    model = GDLinearRegressorCV(rates, counts, cv=3, scoring=scoring).fit(X, Y)
    grid = {"learning_rate": rates, "max_iter": counts}
    expected = scores_one_by_one(grid, X, Y, 3, scoring)
    np.testing.assert_allclose(model.scores_.reshape(expected.shape), expected, rtol=1e-9)
    assert model.predict(X).shape == Y.shape


def test_momentum_is_that_of_the_estimator():
    rates, counts = [0.05, 0.01, 0.2], [3, 30, 3000]
    model = GDLinearRegressorCV(rates, counts, cv=3, momentum=0.8, tol=1e-9).fit(X, y)
    grid = {"learning_rate": rates, "max_iter": counts}
    expected = scores_one_by_one(grid, X, y, 3, "r2", momentum=0.8, tol=1e-9)
    np.testing.assert_allclose(model.scores_.reshape(expected.shape), expected, rtol=1e-8)


@pytest.mark.parametrize("cv", [KFold(4), TimeSeriesSplit(3)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_ridge_penalties_are_per_row(cv, fit_intercept, weights):
    model = GDLinearRegressorCV(alphas=ALPHAS, l1_ratios=[0.0], cv=cv, fit_intercept=fit_intercept)
    model.fit(X, y, weights)
    expected = ridge_errors(X, y, ALPHAS, cv, weights, fit_intercept)
    np.testing.assert_allclose(model.mse_path_[0, 0, 0], expected, rtol=1e-10)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_penalised_iterates_are_those_of_the_naive_loop(fit_intercept):
    """A penalty alpha |w|^2 is d more rows, root(n alpha) e_j without a share in the intercept."""
    rate, counts, alpha, cv = 0.02, [1, 7, 40], 0.3, KFold(3)
    model = GDLinearRegressorCV(
        [rate], counts, [alpha], [0.0], cv=cv, fit_intercept=fit_intercept, tol=None
    )
    model.fit(X, y)
    for fold, (train, test) in enumerate(cv.split(X)):
        n = len(train)
        A = np.column_stack([X, np.ones(N)]) if fit_intercept else X
        more = np.sqrt(n * alpha) * np.eye(D, A.shape[1])
        # Of n + d rows the loop takes the mean, so the rate is larger by their share
        thetas, _ = naive_descent(
            np.vstack([A[train], more]),
            np.concatenate([y[train], np.zeros(D)]),
            rate * (n + D) / n,
            max(counts),
            intercept=False,
        )
        for k, count in enumerate(counts):
            left = y[test] - (A[test] @ thetas[count].astype(float))[:, 0]
            assert model.mse_path_[0, k, 0, 0, fold] == pytest.approx((left**2).mean(), rel=1e-11)


def test_a_penalised_descent_settles_at_ridge():
    model = GDLinearRegressorCV([0.02], [10**7], ALPHAS, [0.0], cv=4, tol=1e-14).fit(X, y)
    expected = ridge_errors(X, y, ALPHAS, KFold(4))
    np.testing.assert_allclose(model.mse_path_[0, 0, 0], expected, rtol=1e-5)


def test_weights_are_repetitions():
    often = WEIGHTS.astype(int)
    group = np.arange(N) % 3
    weighted = GDLinearRegressorCV(["auto", 0.01], [4], ALPHAS, [0.0], PredefinedSplit(group))
    repeated = clone(weighted).set_params(cv=PredefinedSplit(group.repeat(often)))
    weighted.fit(X, y, WEIGHTS)
    repeated.fit(X.repeat(often, axis=0), y.repeat(often))
    np.testing.assert_allclose(weighted.scores_, repeated.scores_, rtol=1e-10)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-10)


def test_columns_far_from_zero_have_the_same_scores():
    model = GDLinearRegressorCV(alphas=ALPHAS, l1_ratios=[0.0], cv=4)
    near, far = model.fit(X, y).mse_path_, clone(model).fit(X + 1e6, y - 1e6).mse_path_
    np.testing.assert_allclose(far, near, rtol=1e-8)


def ill_conditioned(condition, n=300):
    """Columns, and a target with a share in each of their directions."""
    random = np.random.default_rng(1)
    U, W = (np.linalg.qr(random.standard_normal(shape))[0] for shape in ((n, 5), (5, 5)))
    columns = np.sqrt(n) * U * np.geomspace(1, 1 / condition, 5) @ W
    return columns, np.sqrt(n) * U.sum(axis=1) + 0.3 * random.standard_normal(n)


@pytest.mark.parametrize("condition", [1e3, 1e5, 1e7, 1e9])
def test_scores_of_ill_conditioned_columns_are_those_of_grid_search(condition):
    columns, target = ill_conditioned(condition)
    rates, counts, cv = ["auto", 0.4], [5, 1000], KFold(5, shuffle=True, random_state=0)
    model = GDLinearRegressorCV(rates, counts, cv=cv, scoring=NAMES[1]).fit(columns, target)
    grid = {"learning_rate": rates, "max_iter": counts}
    expected = scores_one_by_one(grid, columns, target, cv, NAMES[1])
    found = model.scores_.reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-8 * target.var(), rtol=0)


def test_duplicates_constants_and_absent_categories():
    """A category that no row of a training fold has gets the coefficient 0, as in the estimator."""
    twin = np.where(np.arange(N) < 30, X[:, 2], X[:, 1])
    mixed = X[:, 1] + X[:, 2]
    columns = np.column_stack([X, X[:, 0], mixed, np.ones(N), np.arange(N) < 30, twin])
    rates, counts = ["auto", 0.01], [1, 1000]
    model = GDLinearRegressorCV(rates, counts, cv=4).fit(columns, y)
    expected = scores_one_by_one({"learning_rate": rates, "max_iter": counts}, columns, y, 4, "r2")
    np.testing.assert_allclose(model.scores_.reshape(expected.shape), expected, atol=1e-8)


def test_more_columns_than_rows():
    wide = np.random.default_rng(2).standard_normal((30, 50))
    target = wide[:, 0] + np.random.default_rng(3).standard_normal(30)
    cv, alphas = KFold(3), [0.01, 1.0]
    model = GDLinearRegressorCV(alphas=alphas, l1_ratios=[0.0], cv=cv).fit(wide, target)
    expected = ridge_errors(wide, target, alphas, cv)
    np.testing.assert_allclose(model.mse_path_[0, 0, 0], expected, rtol=1e-9)
    unpenalised = GDLinearRegressorCV(cv=cv).fit(wide, target)
    grid = {"learning_rate": ["auto"], "max_iter": [1000]}
    expected = scores_one_by_one(grid, wide, target, cv, "r2")
    np.testing.assert_allclose(unpenalised.scores_.ravel(), expected.ravel(), atol=1e-8)


def test_very_many_columns_are_fitted_one_by_one(monkeypatch):
    expected = GDLinearRegressorCV(["auto", 0.01], [0, 3], cv=4).fit(X, y).scores_
    monkeypatch.setattr(surface, "FEW_COLUMNS", 3)
    found = GDLinearRegressorCV(["auto", 0.01], [0, 3], cv=4).fit(X, y).scores_
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_one_fit_serves_equal_candidates(monkeypatch):
    monkeypatch.setattr(surface, "FEW_COLUMNS", 3)
    fitted = []
    model = GDLinearRegressorCV(["auto"], [1, 10, 100], cv=4)
    fit = model._fit_alone
    monkeypatch.setattr(model, "_fit_alone", lambda *a: fitted.append(a) or fit(*a))
    model.fit(X, y)
    assert len(fitted) == 4


def test_kinds_of_data_agree(tmp_path):
    da = pytest.importorskip("dask.array")
    model = GDLinearRegressorCV(["auto", 0.01], [50], ALPHAS, [0.0], cv=4)
    expected = model.fit(X, y, WEIGHTS)
    stored = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
    stored[:] = X
    chunks = (37, D)
    cluster = da.from_array(X, chunks), da.from_array(y, 37), da.from_array(WEIGHTS, 37)
    for data in ((csr_array(X), y, WEIGHTS), (stored, y, WEIGHTS), cluster):
        other = clone(model).fit(*data)
        np.testing.assert_allclose(other.scores_, expected.scores_, rtol=1e-10)
        np.testing.assert_allclose(other.coef_, expected.coef_, rtol=1e-9)


def test_single_precision_scores_like_double():
    small = X.astype(np.float32)
    model = GDLinearRegressorCV(["auto", 0.01], [50], ALPHAS, [0.0], cv=4)
    wide = clone(model).fit(small.astype(float), y)
    narrow = model.fit(small, y)
    np.testing.assert_allclose(narrow.scores_, wide.scores_, rtol=1e-6)
    assert narrow.coef_.dtype == np.float32 == narrow.predict(small).dtype


# --- Other scores, and leaving out one row ---


def test_any_scorer_predicts():
    model = GDLinearRegressorCV(
        alphas=ALPHAS, l1_ratios=[0.0], cv=3, scoring="neg_median_absolute_error"
    ).fit(X, y)
    for j, alpha in enumerate(ALPHAS):
        expected = cross_val_score(Ridge(alpha * 80), X, y, cv=3, scoring=model.scoring)
        np.testing.assert_allclose(model.scores_[0, 0, 0, j], expected, rtol=1e-9)
    sparse = clone(model).fit(csr_array(X), y)
    np.testing.assert_allclose(sparse.scores_, model.scores_, rtol=1e-10)


def test_a_scorer_gets_the_weights_of_the_held_out_rows():
    closed = GDLinearRegressorCV(["auto", 0.01], [9], cv=3, scoring=NAMES[1])
    scorer = get_scorer(NAMES[1])
    predicted = clone(closed).set_params(scoring=lambda *a, **b: scorer(*a, **b))
    expected = closed.fit(X, y, WEIGHTS).scores_
    np.testing.assert_allclose(predicted.fit(X, y, WEIGHTS).scores_, expected, rtol=1e-10)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("targets", [1, 2])
def test_the_hat_matrix_leaves_out_each_row(weights, fit_intercept, targets):
    Y = y if targets == 1 else np.column_stack([y, y**2])
    model = GDLinearRegressorCV(
        alphas=ALPHAS, l1_ratios=[0.0], cv=LeaveOneOut(), fit_intercept=fit_intercept
    ).fit(X, Y, weights)
    folds = clone(model).set_params(cv=list(LeaveOneOut().split(X)), scoring=NAMES[1])
    folds.fit(X, Y, weights)
    assert model.mse_path_.shape == (1, 1, 1, 3, N)
    np.testing.assert_allclose(model.mse_path_, folds.mse_path_, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(model.scores_, -model.mse_path_)


def test_a_row_that_alone_decides_a_coefficient_has_a_fit():
    """Its leverage is 1: with the row its error is 0, and without it the column is constant."""
    columns = np.column_stack([X[:40], np.arange(40) == 7])
    model = GDLinearRegressorCV(cv=LeaveOneOut()).fit(columns, y[:40])
    expected = cross_val_score(
        GDLinearRegressor(), columns, y[:40], cv=LeaveOneOut(), scoring=NAMES[1]
    )
    np.testing.assert_allclose(model.scores_.ravel(), expected, rtol=1e-9)


def test_descents_leave_out_rows_by_folds():
    model = GDLinearRegressorCV([0.01], [20], cv=LeaveOneOut()).fit(X, y)
    expected = cross_val_score(
        GDLinearRegressor(0.01, 20), X, y, cv=LeaveOneOut(), scoring=NAMES[1]
    )
    np.testing.assert_allclose(model.scores_.ravel(), expected, rtol=1e-8)


# --- The choice, and what is written ---


def test_results_are_laid_out_as_those_of_grid_search():
    rates, counts, alphas, ratios = ["auto", 0.01], [1, 20, 300], [0.0, 0.1], [0.0]
    model = GDLinearRegressorCV(rates, counts, alphas, ratios, cv=3).fit(X, y)
    assert model.scores_.shape == model.mse_path_.shape == (2, 3, 1, 2, 3)
    found = model.cv_results_
    assert [tuple(p.values()) for p in found["params"]] == list(
        product(rates, counts, ratios, alphas)
    )
    assert found["params"][model.best_index_] == model.best_params_
    assert found["rank_test_score"][model.best_index_] == 1
    assert found["mean_test_score"][model.best_index_] == model.best_score_
    for place, params in enumerate(found["params"]):
        assert found["param_learning_rate"][place] == params["learning_rate"]
        assert found["param_alpha"][place] == params["alpha"]
        each = [found[f"split{f}_test_score"][place] for f in range(3)]
        assert found["mean_test_score"][place] == pytest.approx(np.mean(each))
        assert found["std_test_score"][place] == pytest.approx(np.std(each))


def test_times_are_those_that_can_be_told_apart(monkeypatch):
    """One pass scores all candidates: none has a time of its own, and the last fit has one."""
    fit, wait = GDLinearRegressorCV._fit_one, 0.05

    def slow(*args):
        time.sleep(wait)
        return fit(*args)

    monkeypatch.setattr(GDLinearRegressorCV, "_fit_one", slow)
    began = time.perf_counter()
    model = GDLinearRegressorCV(alphas=[0.0, 0.1], l1_ratios=[0.0]).fit(X, y)
    assert wait <= model.refit_time_ <= time.perf_counter() - began
    assert not [name for name in model.cv_results_ if name.endswith("_time")]


@pytest.mark.parametrize("rate", ["auto", 0.02])
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_best_candidate_is_fitted_to_all_rows(rate, alpha):
    model = GDLinearRegressorCV([rate], [60], [alpha], [0.0], tol=None, cv=3).fit(X, y)
    if rate == "auto":
        expected = Ridge(alpha * N).fit(X, y)
        w, b = expected.coef_, expected.intercept_
    else:
        A = np.vstack([np.column_stack([X, np.ones(N)]), np.sqrt(N * alpha) * np.eye(D, D + 1)])
        thetas, _ = naive_descent(
            A, np.concatenate([y, np.zeros(D)]), rate * (N + D) / N, 60, intercept=False
        )
        *w, b = thetas[-1][:, 0].astype(float)
        assert model.n_iter_ == 60
    np.testing.assert_allclose(model.coef_, w, rtol=1e-10)
    assert model.intercept_ == pytest.approx(b, rel=1e-10)
    np.testing.assert_allclose(model.predict(X), X @ w + b, rtol=1e-9)
    assert (model.alpha_, model.learning_rate_, model.max_iter_) == (alpha, rate, 60)


def test_a_number_of_updates_that_the_folds_chose_is_no_reason_to_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GDLinearRegressorCV([0.01], [1, 5]).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="max_iter=5") as caught:
        GDLinearRegressorCV([0.01], max_iter=5).fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]


def test_one_standard_error_chooses_the_simplest_of_those_near_the_best():
    alphas = np.geomspace(1e-4, 100, 25)
    best = GDLinearRegressorCV(alphas=alphas, l1_ratios=[0.0], cv=10).fit(X, y)
    simple = clone(best).set_params(one_standard_error=True).fit(X, y)
    scores = best.scores_[0, 0, 0]
    means = scores.mean(axis=1)
    least = means.max() - scores[means.argmax()].std(ddof=1) / np.sqrt(10)
    assert best.alpha_ == alphas[means.argmax()]
    assert simple.alpha_ == alphas[means >= least].max() > best.alpha_
    stopped = GDLinearRegressorCV([0.05, 0.01], range(1, 400), cv=10, one_standard_error=True)
    stopped.fit(X, y)
    means = stopped.scores_.mean(axis=-1)[:, :, 0, 0]
    rate, count = np.unravel_index(means.argmax(), means.shape)
    error = stopped.scores_[rate, count, 0, 0].std(ddof=1) / np.sqrt(10)
    assert stopped.max_iter_ == 1 + np.flatnonzero((means >= means.max() - error).any(axis=0))[0]


# --- Inside scikit-learn ---


CHECKED = [
    GDLinearRegressorCV(),
    GDLinearRegressorCV(["auto", 0.01], [5, 100], [0.0, 0.1], [0.0]),
    GDLinearRegressorCV(fit_intercept=False, one_standard_error=True),
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_pipeline_and_nested_cross_validation():
    search = GDLinearRegressorCV(alphas=ALPHAS, l1_ratios=[0.0], cv=3)
    pipeline = make_pipeline(StandardScaler(), search)
    outer = cross_val_score(pipeline, X, y, cv=3)
    for score, (train, test) in zip(outer, KFold(3).split(X), strict=True):
        assert score == pytest.approx(
            clone(pipeline).fit(X[train], y[train]).score(X[test], y[test])
        )
    over = GridSearchCV(search, {"fit_intercept": [True, False]}, cv=3).fit(X, y)
    assert over.best_params_ == {"fit_intercept": True}


def test_groups_reach_the_splitter():
    groups = np.arange(N) // 7
    cv = GroupKFold(3)
    model = GDLinearRegressorCV(cv=cv).fit(X, y, groups=groups)
    expected = GDLinearRegressorCV(cv=list(cv.split(X, groups=groups))).fit(X, y)
    np.testing.assert_array_equal(model.scores_, expected.scores_)
    with pytest.raises(TypeError, match="enable_metadata_routing"):
        model.fit(X, y, others=groups)


def test_metadata_are_routed():
    groups = np.arange(N) // 7
    with sklearn.config_context(enable_metadata_routing=True):
        model = GDLinearRegressorCV(cv=GroupKFold(3)).set_fit_request(sample_weight=True)
        single = clone(model).fit(X, y, sample_weight=WEIGHTS, groups=groups)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        pipeline.fit(X, y, sample_weight=WEIGHTS, groups=groups)
        plain = clone(model).fit(StandardScaler().fit_transform(X), y, WEIGHTS, groups=groups)
        scored = clone(model).set_params(scoring="neg_median_absolute_error")
        scored.fit(X, y, sample_weight=WEIGHTS, groups=groups)
    outside = GDLinearRegressorCV(cv=GroupKFold(3)).fit(X, y, WEIGHTS, groups=groups)
    np.testing.assert_array_equal(single.scores_, outside.scores_)
    np.testing.assert_allclose(pipeline[-1].scores_, plain.scores_)
    assert scored.scores_.shape == (1, 1, 1, 1, 3)


REFUSED = [
    ({"learning_rates": "auto"}, "learning_rates must be a list"),
    ({"learning_rates": [0.1, -1]}, "learning_rates must be a number > 0"),
    ({"learning_rates": ["auto", 0.1], "momentum": 0.5}, "momentum=0.5 cannot be combined"),
    ({"n_iters": [1, 2.5]}, "n_iters must be an integer"),
    ({"n_iters": []}, "n_iters must be a list of at least one"),
    ({"learning_rates": 0.1}, r"got 0.1; write \[0.1\]"),
    ({"l1_ratios": 1.0}, r"got 1.0; write \[1.0\]"),
    ({"alphas": 0.1}, r"how many of them .* got 0.1; write \[0.1\]"),
    ({"alphas": "auto"}, "alphas must be a list of numbers >= 0, or how many of them"),
    ({"alphas": None}, "alphas must be a list of numbers >= 0, or how many of them"),
    ({"alphas": {1.0}}, r"alphas must be a list of numbers >= 0, .*, got \{1.0\}"),
    ({"alphas": [[1.0, 2.0]]}, r"alphas must be a list of numbers >= 0, .*, got \[\[1.0, 2.0"),
    ({"alphas": [[1.0], [1.0, 2.0]]}, "alphas must be a list of numbers >= 0"),
    ({"alphas": [True]}, r"alphas must be numbers >= 0, .* got \[True\]"),
    ({"alphas": [None]}, r"alphas must be real numbers, got \[None\]"),
    ({"cv": [([], [0, 1])]}, "cv gives a fold without rows to train on"),
    ({"cv": [([0, 1], [])]}, "cv gives a fold without rows to test on"),
    ({"cv": [([0, 1], [N])]}, f"rows .* as numbers from 0 to {N - 1} or as masks"),
    ({"cv": [([0, 1.5], [2])]}, "must be two lists, of the rows"),
    ({"cv": [([[0, 1]], [2])]}, "not a list of rows"),
    ({"cv": [1, 2]}, "cv has 1 among its folds; each must be a pair of lists"),
    ({"scoring": lambda *given: "high"}, "returned 'high'; it must return one number"),
    ({"scoring": lambda *given: [1, 2]}, r"returned \[1, 2\]; it must return one number"),
    ({"scoring": lambda *given: np.nan}, "scoring gave NaN for each candidate"),
    ({"alphas": [-1.0]}, "Ridge.alpha=a. on n rows is alpha=a/n"),
    ({"alphas": 10, "l1_ratios": [0.0]}, "alphas=10 asks for an automatic grid"),
    ({"l1_ratios": [1.5]}, "l1_ratios must be numbers from 0 to 1"),
    ({"eps": 0.0}, "eps must be a number between 0 and 1"),
    ({"cv": LeaveOneOut(), "scoring": "r2"}, "compares with the variance"),
    ({"cv": KFold(N)}, "compares with the variance"),
]


@pytest.mark.parametrize(("params", "message"), REFUSED)
def test_errors_say_what_to_write(params, message):
    with pytest.raises(ValueError, match=message):
        GDLinearRegressorCV(**params).fit(X, y)


def test_a_cluster_does_not_send_the_rows_of_a_fold():
    da = pytest.importorskip("dask.array")
    model = GDLinearRegressorCV(scoring="neg_median_absolute_error")
    with pytest.raises(ValueError, match="The rows of a fold cannot be brought here"):
        model.fit(da.from_array(X, (37, D)), da.from_array(y, 37))


def test_a_fold_without_weight_is_refused():
    weights = np.where(np.arange(N) < N // 2, 0.0, 1.0)
    with pytest.raises(ValueError, match="tests on no row of weight above zero"):
        GDLinearRegressorCV(cv=2).fit(X, y, weights)


@pytest.mark.parametrize("rate", ["auto", 0.01])
def test_a_row_without_weight_is_not_held_out_alone(rate):
    """Rows of weight k are k rows: there is no row of weight zero to predict."""
    model = GDLinearRegressorCV([rate], [5], cv=LeaveOneOut())
    with pytest.raises(ValueError, match="tests on no row of weight above zero"):
        model.fit(X, y, np.where(np.arange(N) == 3, 0.0, 1.0))


# --- Penalties with kinks ---


def elastic_errors(X, y, ratio, alphas, cv, **params):
    """(alphas, folds): mean squared errors of ElasticNet, fitted to its rounding."""
    found = []
    for train, test in cv.split(X):
        for alpha in alphas:
            model = ElasticNet(alpha, l1_ratio=ratio, tol=1e-14, max_iter=10**6, **params)
            model.fit(X[train], y[train])
            found.append(mean_squared_error(y[test], model.predict(X[test])))
    return np.reshape(found, (-1, len(alphas))).T


@pytest.mark.parametrize("params", [{}, {"fit_intercept": False}, {"positive": True}])
def test_paths_of_elastic_nets_are_scikit_learns(params):
    ratios, alphas, cv = [0.1, 1.0], [2.0, 0.3, 0.01, 1e-4], KFold(4)
    model = GDLinearRegressorCV(alphas=alphas, l1_ratios=ratios, cv=cv, **params).fit(X, y)
    for ratio, found in zip(ratios, model.mse_path_[0, 0], strict=True):
        expected = elastic_errors(X, y, ratio, alphas, cv, **params)
        np.testing.assert_allclose(found, expected, atol=1e-8 * y.var())


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_descents_with_penalties_are_those_of_the_estimator(fit_intercept):
    """A ridge in closed form, and a lasso one fit after the other."""
    params = {"fit_intercept": fit_intercept, "tol": 1e-8}
    model = GDLinearRegressorCV(
        [0.3, 0.02], [0, 1, 30, 2000], [0.0, 0.1], [0.0, 0.5], cv=3, **params
    ).fit(X, y)
    for place, candidate in enumerate(model.cv_results_["params"]):
        expected = cross_val_score(GDLinearRegressor(**candidate, **params), X, y, cv=3)
        found = model.scores_.reshape(-1, 3)[place]
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("targets", [1, 2])
def test_scores_with_a_lasso_are_those_of_one_fit_after_the_other(targets):
    # The last column is a duplicate wherever the first fold trains
    twin = np.where(np.arange(N) < 30, X[:, 1] + X[:, 2], X[:, 1])
    columns = np.column_stack([X, X[:, 0], np.ones(N), np.arange(N) < 30, twin])
    Y = y if targets == 1 else np.column_stack([y, y**2])
    alphas, counts = [0.0, 0.01, 0.1], [0, 50]
    model = GDLinearRegressorCV(n_iters=counts, alphas=alphas, l1_ratios=[0.5, 1.0], cv=4)
    model.fit(columns, Y)
    for place, params in enumerate(model.cv_results_["params"]):
        expected = cross_val_score(GDLinearRegressor(**params), columns, Y, cv=4)
        found = model.scores_.reshape(-1, 4)[place]
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_an_automatic_grid_begins_where_all_coefficients_are_zero():
    model = GDLinearRegressorCV(alphas=5, l1_ratios=[0.5, 1.0], eps=0.01, cv=3).fit(X, y)
    assert model.alphas_.shape == (2, 5)
    for ratio, alphas in zip([0.5, 1.0], model.alphas_, strict=True):
        np.testing.assert_allclose(alphas[-1], 0.01 * alphas[0])
        for alpha, moving in ((alphas[0] * (1 + 1e-9), False), (alphas[0] * 0.999, True)):
            coef = ElasticNet(alpha, l1_ratio=ratio, tol=1e-14).fit(X, y).coef_
            assert coef.any() == moving


def test_the_best_lasso_is_fitted_to_all_rows():
    model = GDLinearRegressorCV(alphas=20, l1_ratios=[1.0], cv=5, scoring=NAMES[1]).fit(X, y)
    expected = ElasticNet(model.alpha_, l1_ratio=1.0, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-8)
    reference = LassoCV(alphas=model.alphas_[0], cv=5, tol=1e-12, max_iter=10**6).fit(X, y)
    assert model.alpha_ == pytest.approx(reference.alpha_)
    np.testing.assert_allclose(model.mse_path_[0, 0, 0], reference.mse_path_, rtol=1e-8)


# --- A fit that fails ---


def failing(monkeypatch, error, after):
    """Let the fits of single candidates raise after some of them."""
    fit, made = GDLinearRegressorCV._fit_alone, []

    def fit_or_fail(*args):
        made.append(args)
        if len(made) > after:
            raise error
        return fit(*args)

    monkeypatch.setattr(GDLinearRegressorCV, "_fit_alone", fit_or_fail)
    monkeypatch.setattr(surface, "FEW_COLUMNS", 2)


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()])
def test_a_fit_that_fails_leaves_the_one_before(monkeypatch, error):
    pd = pytest.importorskip("pandas")
    model = GDLinearRegressorCV(cv=3).fit(pd.DataFrame(X, columns=list("abcd")), y)
    before = dict(vars(model))
    failing(monkeypatch, error, after=2)
    with pytest.raises(type(error)):
        model.fit(X[:, :3], y)
    assert vars(model) == before


@pytest.mark.parametrize(
    "bad",
    [
        {"X": np.where(np.arange(N)[:, None] == 77, np.nan, X)},
        {"y": np.where(np.arange(N) == 3, np.inf, y)},
        {"y": y[:-1]},
        {"sample_weight": np.zeros(N)},
        {"X": X[:, :0]},
    ],
)
def test_data_that_cannot_be_used_leave_the_fit_before(bad):
    model = GDLinearRegressorCV(cv=3).fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError):
        model.fit(**{"X": X, "y": y} | bad)
    assert vars(model) == before


@pytest.mark.parametrize("cv", [KFold(5), KFold(5, shuffle=True, random_state=0), LeaveOneOut()])
def test_an_error_names_the_row_of_the_table_not_of_a_fold(cv):
    broken = X.copy()
    broken[77, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in row 77, column 1"):
        GDLinearRegressorCV(cv=cv).fit(broken, y)


def test_an_interrupt_of_a_descent_ends_the_search(monkeypatch):
    """A descent keeps its last update. But half of a search has no best candidate."""
    monkeypatch.setattr(surface, "FEW_COLUMNS", 3)
    update, made = ProximalStep.next, []

    def interrupted(*args):
        made.append(args)
        if len(made) == 30:
            raise KeyboardInterrupt
        return update(*args)

    monkeypatch.setattr(ProximalStep, "next", interrupted)
    with pytest.raises(KeyboardInterrupt):
        GDLinearRegressorCV([0.01], [20], [0.1], cv=3).fit(X, y)
    assert len(made) == 30


def test_an_interrupt_of_the_last_fit_leaves_the_search_before(monkeypatch):
    """The chosen candidate, fitted halfway to all rows, is no answer either."""
    model = GDLinearRegressorCV(cv=3).fit(X, y)
    before, made = dict(vars(model)), []

    def interrupted(*args):
        made.append(args)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_looked_at", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, 2 * y)
    assert len(made) == 1
    assert vars(model) == before


# --- What scorers get ---


def test_a_scorer_gets_its_own_entry_for_each_held_out_row():
    """As in GridSearchCV: here the error of each row counts by its price."""
    price = RANDOM.uniform(1, 5, N)
    scorer = make_scorer(priced, greater_is_better=False)
    candidates, cv = [0.01, 1.0], KFold(4, shuffle=True, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer.set_score_request(price=True)
        model = GDLinearRegressorCV(alphas=candidates, l1_ratios=[0.0], cv=cv, scoring=scorer)
        model.fit(X, y, price=price)
        one = GDLinearRegressor(l1_ratio=0.0)
        expected = GridSearchCV(one, {"alpha": candidates}, cv=cv, scoring=scorer)
        expected.fit(X, y, price=price)
    for fold in range(4):
        found = model.cv_results_[f"split{fold}_test_score"]
        np.testing.assert_allclose(found, expected.cv_results_[f"split{fold}_test_score"])


def test_a_scorer_runs_in_the_thread_that_fits(monkeypatch):
    """A thread has scikit-learn's settings to itself, and a scorer may bear one thread only."""
    threads = set()

    def noted(model, X, y):
        threads.add(threading.current_thread())
        return -np.mean((y - model.predict(X)) ** 2)

    def elsewhere(parts, work, add):
        with ThreadPoolExecutor(1) as pool:
            return reduce(add, pool.map(work, parts))

    monkeypatch.setattr(surface, "summed", elsewhere)
    GDLinearRegressorCV(alphas=[0.0, 0.1], l1_ratios=[0.0], cv=3, scoring=noted).fit(X, y)
    assert threads == {threading.current_thread()}


def priced(y, predicted, price):
    return np.average((y - predicted) ** 2, weights=price)


def test_a_score_without_weights_is_refused_where_rows_have_weights():
    model = GDLinearRegressorCV(scoring="neg_max_error", cv=3)
    with pytest.raises(ValueError, match=r"'neg_max_error' takes no sample_weight.*write"):
        model.fit(X, y, WEIGHTS)
    assert np.isfinite(model.fit(X, y).best_score_)
