"""Sparse tables of many columns: how they depend on each other, of which no product is made."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from reference import exact_least_squares, sparse_normal
from sklearn.exceptions import ConvergenceWarning

from gd_regressor import GDLinearRegressor, Status, ladder

random = np.random.default_rng(8)
N, D = 240, 20
BASE = sparse_normal(random, N, D, 0.12)
OTHER = sparse_normal(random, N, 1, 0.12)


@pytest.fixture(autouse=True)
def as_of_many_columns(monkeypatch):
    monkeypatch.setattr(ladder, "FEW_SPARSE", 2)
    monkeypatch.setattr(ladder, "SMALL", 100)


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
    for seed in range(6):
        draw = np.random.default_rng(seed)
        X = TABLES["wide"] * 10.0 ** draw.integers(-4, 5, D)
        y = X @ draw.standard_normal(D)
        model = fitted(sp.csr_array(X), y, quiet=False, max_iter=30)
        assert np.abs(model.predict(sp.csr_array(X)) - y).max() < 1e-5 * y.std()
        exact = np.array(exact_least_squares(X, y)[0], dtype=float)
        ended.append(model.status_)
        if model.status_ is Status.CONVERGED:
            assert np.linalg.norm(model.coef_) < 1.001 * np.linalg.norm(exact)
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
