"""GDLinearRegressorCV with penalties: each score is that of one fit after the other."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import KFold, LeaveOneOut, cross_val_score

from gd_regressor import GDLinearRegressor, GDLinearRegressorCV, elastic_net_path
from gd_regressor.data.moments import Moments
from gd_regressor.data.passes import counted
from gd_regressor.validation import surface

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, D = 120, 4
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((N, D)) @ RANDOM.standard_normal((D, D)) + [1, 0, -2, 3]
y = X @ [1.0, -1.0, 0.5, 0.0] + RANDOM.standard_normal(N)
WEIGHTS = RANDOM.integers(1, 4, N).astype(float)
CV = KFold(4, shuffle=True, random_state=0)
ERROR = "neg_mean_squared_error"
UNEVEN, PARTLY_FREE = np.array([0.5, 3.0, 1.0, 2.0]), np.array([0.0, 3.0, 0.0, 2.0])


def directions(condition, n=300, d=5):
    """Columns, and a target with a share in each of their directions."""
    random = np.random.default_rng(1)
    U, W = (np.linalg.qr(random.standard_normal(shape))[0] for shape in ((n, d), (d, d)))
    columns = np.sqrt(n) * U * np.geomspace(1, 1 / condition, d) @ W
    return columns, np.sqrt(n) * U.sum(axis=1) + 0.3 * random.standard_normal(n)


def dependent():
    """A duplicate, a sum, a constant, a rare category, and a twin where the first fold trains."""
    first = np.arange(N) < 30
    twin = np.where(first, X[:, 1] + X[:, 2], X[:, 1])
    return np.column_stack([X, X[:, 0], X[:, 1] + X[:, 2], np.ones(N), first, twin]), y


def check_scores(model, X, y, **fixed):
    """Compare all scores of a fitted search with one fit after the other."""
    found = model.scores_.reshape(-1, model.n_splits_)
    unit = np.var(y, axis=0).mean() if model.scoring == ERROR else 1.0
    for params, scores in zip(model.cv_results_["params"], found, strict=True):
        one = GDLinearRegressor(**params, **fixed)
        expected = cross_val_score(one, X, y, cv=model.cv, scoring=model.scoring)
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-8 * unit, err_msg=str(params))


# --- Penalty weights ---


@pytest.mark.parametrize("weights", [UNEVEN, PARTLY_FREE, np.zeros(D)], ids=str)
@pytest.mark.parametrize(("positive", "targets"), [(False, 1), (True, 2)])
def test_weighted_penalties_are_those_of_the_estimator(weights, positive, targets):
    Y = y if targets == 1 else np.column_stack([y, y**2])
    fixed = {"penalty_weights": weights, "positive": positive}
    rates, alphas, ratios = ["auto", 0.02], [0.0, 0.05, 1.0], [0.0, 0.5, 1.0]
    model = GDLinearRegressorCV(rates, [20], alphas, ratios, cv=3, **fixed).fit(X, Y)
    check_scores(model, X, Y, **fixed)
    best = GDLinearRegressor(**model.best_params_, **fixed).fit(X, Y)
    np.testing.assert_allclose(model.coef_, best.coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_unit_of_a_column_and_its_weight_cancel(ratio):
    """With x / u the coefficient is u w: |w|_1 needs the weight 1 / u, and |w|_2^2 its square."""
    units = np.array([1e3, 1.0, 1e-4, 20.0])
    model = GDLinearRegressorCV(alphas=[0.01, 0.1], l1_ratios=[ratio], cv=CV)
    weighted = clone(model).set_params(penalty_weights=units ** (ratio - 2))
    np.testing.assert_allclose(
        weighted.fit(X / units, y).mse_path_, model.fit(X, y).mse_path_, rtol=1e-9
    )


def test_rows_left_out_alone_know_the_weights():
    params = {"alphas": [0.05, 1.0], "l1_ratios": [0.0], "penalty_weights": PARTLY_FREE}
    model = GDLinearRegressorCV(cv=LeaveOneOut(), scoring=ERROR, **params).fit(X[:40], y[:40])
    check_scores(model, X[:40], y[:40], penalty_weights=PARTLY_FREE)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], r"penalty_weights must have shape \(4,\)"),
        ([1.0, 1.0, -1.0, 1.0], "penalty_weights must be >= 0"),
        (["a"] * D, "penalty_weights"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        GDLinearRegressorCV(alphas=[0.1], penalty_weights=weights).fit(X, y)


# --- Columns that nearly depend on each other ---


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [None, "partly free"])
@pytest.mark.parametrize("table", [1e3, 1e5, 1e7, 1e9, "dependent"])
def test_slight_penalties_of_near_columns_are_those_of_the_estimator(table, weights, positive):
    """Moments alone left 3e-4 of the variance at the condition number 1e9."""
    columns, target = dependent() if table == "dependent" else directions(table)
    d = columns.shape[1]
    fixed = {"positive": positive, "penalty_weights": weights and [0.0, 0.0, *range(1, d - 1)]}
    alphas, ratios = [0.0, 1e-9, 1e-3], [0.0, 1.0]
    model = GDLinearRegressorCV(["auto"], None, alphas, ratios, CV, ERROR, **fixed)
    check_scores(model.fit(columns, target), columns, target, **fixed)


def test_columns_far_from_zero_without_an_intercept_are_those_of_the_estimator():
    """Their products about zero have a condition number as large as the square of the offset."""
    near, target = directions(3)
    columns = near + 1e5 * np.arange(1.0, 6.0)
    model = GDLinearRegressorCV(
        alphas=[1e-9, 1e-3], l1_ratios=[0.5, 1.0], cv=CV, scoring=ERROR, fit_intercept=False
    )
    check_scores(model.fit(columns, target), columns, target, fit_intercept=False)


def test_duplicates_need_no_fit_to_each_fold(monkeypatch):
    """Which of two equal columns has a coefficient makes no difference to a prediction."""
    monkeypatch.setattr(GDLinearRegressorCV, "_fit_alone", None)
    columns = np.column_stack([X, X[:, 0]])
    GDLinearRegressorCV(alphas=[0.01, 0.1], l1_ratios=[0.5, 1.0], cv=CV).fit(columns, y)


# --- Descents with kinks ---


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("tol", [None, 1e-4])
def test_one_descent_serves_all_numbers_of_updates(monkeypatch, momentum, tol):
    """0.5 diverges. The rows are not read again."""
    monkeypatch.setattr(GDLinearRegressorCV, "_fit_alone", None)
    fixed = {"momentum": momentum, "tol": tol}
    rates, counts = [0.5, 0.02], [80, 0, 7, 1]
    model = GDLinearRegressorCV(rates, counts, [0.01, 0.3], [1.0], CV, ERROR, **fixed)
    check_scores_where_finite(model.fit(X, y), fixed)


def check_scores_where_finite(model, fixed):
    """A diverged score has the relative digits of its iterates."""
    found = model.scores_.reshape(-1, model.n_splits_)
    for params, scores in zip(model.cv_results_["params"], found, strict=True):
        one = GDLinearRegressor(**params, **fixed)
        expected = cross_val_score(one, X, y, cv=model.cv, scoring=ERROR)
        np.testing.assert_allclose(scores, expected, rtol=1e-7, atol=1e-8 * y.var())


@pytest.mark.parametrize("rates", [["auto"], [0.02]])
@pytest.mark.parametrize("positive", [False, True])
def test_a_cluster_serves_penalties_with_kinks(rates, positive):
    da = pytest.importorskip("dask.array")
    model = GDLinearRegressorCV(
        rates, [5, 30], [0.01, 0.1], [0.5, 1.0], CV, positive=positive, penalty_weights=UNEVEN
    )
    here = clone(model).fit(X, y, WEIGHTS)
    there = model.fit(*(da.from_array(a, (37, D)[: a.ndim]) for a in (X, y, WEIGHTS)))
    np.testing.assert_allclose(there.scores_, here.scores_, rtol=1e-9)
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-8, atol=1e-12)


def test_a_cluster_of_near_columns_gives_the_digits_of_its_sums():
    """Rows cannot be brought here. A triangular factor serves ridges, and models without one."""
    da = pytest.importorskip("dask.array")
    columns, target = directions(1e9)
    model = GDLinearRegressorCV(alphas=[0.0, 1e-3], l1_ratios=[0.0], cv=CV, scoring=ERROR)
    here = clone(model).fit(columns, target).scores_[0, 0, 0]
    there = model.fit(da.from_array(columns, (100, 5)), da.from_array(target, 100)).scores_[0, 0, 0]
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-8 * target.var())


# --- Automatic alphas ---


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [None, UNEVEN, PARTLY_FREE], ids=str)
def test_an_automatic_grid_is_that_of_the_path(fit_intercept, positive, weights):
    fixed = {"fit_intercept": fit_intercept, "positive": positive, "penalty_weights": weights}
    model = GDLinearRegressorCV(alphas=7, l1_ratios=[0.2, 1.0], eps=0.01, cv=CV, **fixed)
    model.fit(X, y, WEIGHTS)
    for ratio, alphas in zip([0.2, 1.0], model.alphas_, strict=True):
        expected, coefs, *_ = elastic_net_path(
            X, y, l1_ratio=ratio, alphas=7, eps=0.01, sample_weight=WEIGHTS, **fixed
        )
        np.testing.assert_allclose(alphas, expected, rtol=1e-12)
        held = np.ones(D, dtype=bool) if weights is None else weights > 0
        assert not coefs[held, 0].any()


def test_a_positive_grid_begins_at_the_largest_slope_above_zero():
    """Here the steepest slope is below zero, and holds no coefficient."""
    target = -5 * X[:, 0] + y
    model = GDLinearRegressorCV(alphas=3, l1_ratios=[1.0], cv=CV, positive=True).fit(X, target)
    first = model.alphas_[0, 0]
    for alpha, moving in ((first * (1 + 1e-9), False), (first * 0.999, True)):
        one = ElasticNet(alpha, l1_ratio=1.0, positive=True, tol=1e-14).fit(X, target)
        assert one.coef_.any() == moving


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_automatic_alphas_take_no_pass_of_their_own(kind):
    """The sums over all rows are those of the folds."""

    def passes(alphas):
        model = GDLinearRegressorCV(alphas=alphas, l1_ratios=[0.5, 1.0], cv=CV)
        with counted() as made:
            model.fit(kind(X), y)
        return made.rows

    assert passes(5) == passes([0.1, 0.01])


def test_automatic_alphas_of_many_columns_need_no_products_of_all_of_them(monkeypatch):
    wide = np.random.default_rng(2).standard_normal((40, 600))
    target = wide[:, 0] + np.random.default_rng(3).standard_normal(40)
    monkeypatch.setattr(surface, "FEW_COLUMNS", 3)
    whole, formed = Moments.of_rows.__func__, []
    monkeypatch.setattr(
        Moments, "of_rows", classmethod(lambda *a, **b: formed.append(a[1]) or whole(*a, **b))
    )
    model = GDLinearRegressorCV(alphas=3, l1_ratios=[1.0], cv=3).fit(wide, target)
    assert not [rows for rows in formed if rows.n_columns == 600]
    expected = np.abs((wide - wide.mean(axis=0)).T @ target).max() / 40
    assert model.alphas_[0, 0] == pytest.approx(expected)
