"""Sparse tables of many columns: dependences, found without any product of columns."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from reference import exact_least_squares, sparse_normal
from sklearn.exceptions import ConvergenceWarning

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.auto import ladder
from gd_regressor.data import table as data_table

random = np.random.default_rng(8)
N, D = 240, 20
BASE = sparse_normal(random, N, D, 0.12)
OTHER = sparse_normal(random, N, 1, 0.12)


@pytest.fixture(autouse=True)
def as_of_many_columns(monkeypatch):
    monkeypatch.setattr(ladder, "FEW_SPARSE", 2)
    monkeypatch.setattr(data_table, "SMALL", 100)


def fitted(S, y, *, quiet=True, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error" if quiet else "ignore")
        model = GDLinearRegressor(**options).fit(S, y)
    assert model.metric_ == "scaled"
    return model


def one_hot(n, *levels):
    blocks = []
    for k in levels:
        share = 1 / np.arange(1, k + 1)
        blocks.append(np.eye(k)[random.choice(k, n, p=share / share.sum())])
    return np.hstack(blocks)


def deviations(S):
    centred = S.toarray() - S.toarray().mean(axis=0)
    return centred / centred.std(axis=0)


@pytest.mark.parametrize("apart", [1e-2, 1e-4, 1e-6, 1e-8])
def test_what_only_the_difference_of_two_columns_explains(apart):
    S = sp.hstack([BASE, BASE[:, [0]] + apart * OTHER]).tocsr()
    y = OTHER.toarray()[:, 0] + 0.01 * random.standard_normal(N)
    model = fitted(S, y)
    exact, intercept = exact_least_squares(S.toarray(), y)
    exact = np.array(exact, dtype=float)
    size = np.abs(exact).max()
    # Of residuals of a hundredth in units of 1, eps times the square of the condition number
    assert np.abs(model.coef_ - exact).max() < (1e-9 + 1e-16 / apart) * size
    expected = S @ exact + float(intercept)
    slack = 8 * np.finfo(float).eps * np.abs(S * exact).sum(axis=1).max()
    assert np.abs(model.predict(S) - expected).max() < 1e-6 * y.std() + slack
    condition = np.linalg.cond(deviations(S))
    assert 1 / 3 < model.condition_number_ / condition < 3
    assert model.rank_ == D + 1


def test_digits_that_are_lost_are_said():
    S = sp.hstack([BASE, BASE[:, [0]] + 1e-9 * OTHER]).tocsr()
    y = BASE @ random.standard_normal(D) + random.standard_normal(N)
    with pytest.warns(ConvergenceWarning, match="digits of the coefficients are left"):
        model = GDLinearRegressor().fit(S, y)
    assert model.status_ is Status.ILL_CONDITIONED


TABLES = {
    "duplicates": np.column_stack([BASE.toarray(), BASE.toarray()[:, :7]]),
    "duplicates in other units": np.column_stack([BASE.toarray(), 1024 * BASE.toarray()[:, :7]]),
    "constant and empty": np.column_stack([BASE.toarray(), np.zeros(N), np.ones(N)]),
    "categories": one_hot(N, 8, 12, 5),
    "wide": BASE.toarray()[:15],
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_of_several_minimisers_the_one_of_least_norm(name, fit_intercept):
    X = TABLES[name]
    y = X @ random.standard_normal(X.shape[1]) + 0.1 * random.standard_normal(len(X))
    model = fitted(sp.csr_array(X), y, fit_intercept=fit_intercept, tol=1e-14)
    exact, intercept = exact_least_squares(X, y, intercept=fit_intercept)
    exact = np.array(exact, dtype=float)
    expected = X @ exact + float(intercept)
    assert np.abs(model.predict(sp.csr_array(X)) - expected).max() < 1e-6 * y.std()
    np.testing.assert_allclose(model.coef_, exact, atol=1e-5 * np.abs(exact).max())


def test_several_targets_have_their_own():
    S = sp.csr_array(TABLES["categories"])
    Y = S @ random.standard_normal((25, 2)) + random.standard_normal((N, 2))
    Y[:, 1] *= 1e6
    model = fitted(S, Y, tol=1e-14)
    for coefficients, y in zip(model.coef_, Y.T, strict=True):
        exact = np.array(exact_least_squares(S.toarray(), y)[0], dtype=float)
        np.testing.assert_allclose(coefficients, exact, atol=1e-5 * np.abs(exact).max())


def test_whoever_asks_for_a_rough_answer_gets_one_at_once():
    y = BASE @ random.standard_normal(D) + random.standard_normal(N)
    model = fitted(BASE, y, tol=1e-4)
    assert not hasattr(model, "condition_number_") and not hasattr(model, "rank_")
    best = fitted(BASE, y).loss_curve_[-1]
    assert model.loss_curve_[-1] - best <= 1e-4 * y.var()


def test_too_few_steps_are_said():
    S = sparse_normal(random, 60, 55, 0.3)
    y = random.standard_normal(60)
    with pytest.warns(ConvergenceWarning, match="max_iter=12"):
        model = GDLinearRegressor(max_iter=12).fit(S, y)
    assert model.status_ is Status.MAX_ITER
    assert not hasattr(model, "rank_")


def test_a_norm_is_least_or_said_not_to_be():
    ended = []
    for seed in range(8):
        draw = np.random.default_rng(seed)
        X = TABLES["wide"] * 10.0 ** draw.integers(-4, 5, D)
        y = X @ draw.standard_normal(D)
        model = fitted(sp.csr_array(X), y, quiet=False, max_iter=30 + 200 * (seed % 2))
        off = model.predict(sp.csr_array(X)) - y
        assert np.abs(off).max() < 1e-5 * y.std()
        exact = np.array(exact_least_squares(X, y)[0], dtype=float)
        ended.append(model.status_)
        if model.status_ is Status.CONVERGED:
            # The least |w| for predictions that are off by so much
            smallest = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)[len(X) - 2]
            most = np.linalg.norm(exact) + np.linalg.norm(off) / smallest
            assert np.linalg.norm(model.coef_) < (1 + 1e-5) * most
    assert Status.MAX_ITER in ended and Status.CONVERGED in ended
    with pytest.warns(ConvergenceWarning, match="least norm"):
        worst = TABLES["wide"] * 10.0 ** np.linspace(-6, 6, D)
        GDLinearRegressor(max_iter=30).fit(sp.csr_array(worst), worst @ np.ones(D))


def test_columns_that_depend_and_columns_that_nearly_do():
    S = sp.hstack([BASE, BASE[:, :5], BASE[:, [7]] + 1e-5 * OTHER]).tocsr()
    y = OTHER.toarray()[:, 0] + BASE @ np.ones(D) + 0.01 * random.standard_normal(N)
    model = fitted(S, y, tol=1e-14)
    exact, intercept = exact_least_squares(S.toarray(), y)
    exact = np.array(exact, dtype=float)
    assert np.abs(model.predict(S) - S @ exact - float(intercept)).max() < 1e-6 * y.std()
    np.testing.assert_allclose(model.coef_, exact, atol=1e-6 * np.abs(exact).max())
    assert not hasattr(model, "rank_")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("near", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("tol", [1e-12, 0.0])
def test_nothing_is_silently_wrong_where_columns_depend_and_nearly_do(seed, near, tol):
    draw = np.random.default_rng(seed)
    levels = np.hstack([np.eye(k)[draw.integers(0, k, 60)] for k in (4, 3)])
    few = (draw.random((60, 3)) < 0.3) * draw.standard_normal((60, 3))
    X = np.hstack([levels, few, few[:, [0]] + near * (draw.random((60, 1)) < 0.3)])
    y = levels[:, 0] + draw.standard_normal(60)
    model = fitted(sp.csr_array(X), y, quiet=False, tol=tol)
    exact, intercept = exact_least_squares(X, y)
    exact = np.array(exact, dtype=float)
    slack = 8 * np.finfo(float).eps * np.abs(X * exact).sum(axis=1).max()
    assert np.abs(model.predict(X) - X @ exact - float(intercept)).max() < 5e-6 * y.std() + slack
    loss = np.mean((y - model.predict(X)) ** 2)
    np.testing.assert_allclose(model.loss_curve_[-1], loss, rtol=1e-6)
    if model.status_ is Status.CONVERGED:
        np.testing.assert_allclose(model.coef_, exact, atol=1e-5 * np.abs(exact).max())


def test_updates_beyond_the_rounding_floor_change_nothing():
    X = TABLES["categories"]
    y = X[:, 0] + random.standard_normal(N)
    model = fitted(sp.csr_array(X), y, tol=None, max_iter=300)
    assert model.n_iter_ == 300
    exact, intercept = exact_least_squares(X, y)
    expected = X @ np.array(exact, dtype=float) + float(intercept)
    assert np.abs(model.predict(X) - expected).max() < 1e-12 * np.abs(y).max()
    np.testing.assert_allclose(model.loss_curve_[-1], np.mean((y - expected) ** 2), rtol=1e-12)


def test_a_target_that_is_fitted_exactly_is_no_cause_to_warn():
    S = sp.hstack([BASE, BASE[:, [0]] + 1e-6 * OTHER]).tocsr()
    for y in (2 * BASE[:, [1]].toarray()[:, 0], np.full(N, 3.0)):
        model = fitted(S, y)
        np.testing.assert_allclose(model.predict(S), y, atol=1e-9)


def test_columns_that_are_all_stored_in_full():
    X = random.random((200, 12)) * 0.1
    model = fitted(sp.csr_array(X), X[:, 0])
    assert model.rank_ == 12
    np.testing.assert_allclose(model.coef_, np.eye(12)[0], atol=1e-6)


def test_a_duplicate_that_the_random_vector_hardly_sees():
    # Of the normal numbers that are drawn, the two nearest each other
    drawn = np.random.default_rng(0).standard_normal(80)
    order = np.argsort(drawn)
    i, j = order[(nearest := np.argmin(np.diff(drawn[order])))], order[nearest + 1]
    X = sparse_normal(random, 500, 80, 0.1).toarray()
    X[:, j] = 4 * X[:, i]
    model = fitted(sp.csr_array(X), X @ random.standard_normal(80) + random.standard_normal(500))
    assert not hasattr(model, "rank_")
    np.testing.assert_allclose(model.coef_[j], 4 * model.coef_[i], rtol=1e-5)


def test_scaling_all_columns_scales_the_coefficients():
    X = np.column_stack([TABLES["categories"], np.zeros(N)])
    y = X[:, 0] + random.standard_normal(N)
    model = fitted(sp.csr_array(X), y)
    for unit in (1e-100, 1e60):
        other = fitted(sp.csr_array(X * unit), y)
        np.testing.assert_allclose(other.coef_ * unit, model.coef_, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("unit", "words"), [(1e200, "overflow; divide"), (1e-200, "vanish; multiply")]
)
def test_a_column_whose_squares_leave_the_range_of_floats_is_no_constant(unit, words, weighted):
    """Among empty and constant columns, which have none either."""
    X = np.column_stack([BASE.toarray(), np.zeros(N), np.full(N, 1e-200)])
    y = X[:, 3] + random.standard_normal(N)
    weights = None
    if weighted:  # a column may have its entries where weights are tiny: its squares are good
        weights, X[:, 5] = np.where(np.arange(N) < N // 4, 1e-320, 1.0), np.arange(N) == 0
    model = GDLinearRegressor().fit(sp.csr_array(X), y, sample_weight=weights)
    assert model.metric_ == "scaled"
    X[:, 3] *= unit
    named = rf"squares of column 3 \(counting from 0\) {words} the column"
    with pytest.raises(ValueError, match=named):
        model.fit(sp.csr_array(X), y, sample_weight=weights)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("tol", [1e-12, 1e-4])
def test_a_target_that_is_not_finite_is_named(value, tol):
    y = random.standard_normal((N, 2))
    y[5, 1] = value
    with pytest.raises(ValueError, match=r"y contains (NaN|infinity).* row 5, target 1"):
        GDLinearRegressor(tol=tol).fit(BASE, y)
    X = BASE.tolil()
    X[5] = 0.0  # products with such a row leave its target out
    with pytest.raises(ValueError, match=r"y contains (NaN|infinity).* row 5, target 1"):
        GDLinearRegressor(tol=tol).fit(X.tocsr(), y)
