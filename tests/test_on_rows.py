"""Penalised fits with more columns in use than rows: optimality, on each kind of table, in memory
that the rows need."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array
from test_working_sets import broken, largest, net

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.data.chosen import Reading
from gd_regressor.data.row_products import AllColumns
from gd_regressor.data.sparse import SparseColumns
from gd_regressor.data.table import Rows
from gd_regressor.lasso.on_rows import Newton, OnRows

N, D = 60, 1500


def problem(seed=0, n=N, d=D):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * random.uniform(0.5, 2, d)
    X[random.random((n, d)) < 0.5] = 0.0
    X[:, 0] = random.standard_normal(n) + 3  # a full column
    return X, X[:, :12] @ random.standard_normal(12) + 0.5 * random.standard_normal(n) + 2


def sparse(X):
    return csr_array(X)


TABLES = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "sparse": sparse,
}


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("name", TABLES)
def test_products_and_fits_are_those_of_weighted_centred_columns(name, centred):
    X = problem()[0]
    X[:, 0] += 1000.0
    X = X.astype(np.float32).astype(float)
    s = np.random.default_rng(1).integers(1, 4, N).astype(float)
    table = TABLES[name](X)
    rows = Rows(SparseColumns.of(table, s) if name == "sparse" else table, np.zeros((N, 1)), s)
    columns = AllColumns.of(Reading.of(rows, centred=centred))
    share = s / s.sum()
    Z = np.sqrt(share)[:, None] * (X - share @ X if centred else X)
    where = np.flatnonzero(np.random.default_rng(2).random(D) < 0.4)
    f = np.random.default_rng(3).uniform(-1, 1, len(where))
    w = np.zeros(D)
    w[where] = f
    sizes = np.abs(Z).max()
    assert np.allclose(columns.products(where, f), (Z[:, where] * f) @ Z[:, where].T, atol=1e-10)
    assert np.allclose(columns.fit(w), Z @ w, atol=1e-10 * sizes)
    assert np.allclose(columns.fit(0 * w), 0.0)
    assert np.allclose(columns.squares, (Z**2).sum(axis=0), atol=1e-9)
    assert np.allclose(columns.means, share @ X if centred else 0.0)


@pytest.mark.parametrize(
    ("share", "ratio", "positive"),
    [(1.0, 0.0, True), (1e-6, 0.0, True), (1e-3, 1e-6, False), (1e-3, 1e-6, True)]
    + [(1e-4, 1.0, True), (1e-2, 0.01, False)],
)
@pytest.mark.parametrize("name", TABLES)
def test_the_optimality_conditions_hold(name, share, ratio, positive):
    X, y = problem(1)
    X = X.astype(np.float32).astype(float)
    alpha = share * largest(X, y)
    s = np.random.default_rng(1).integers(1, 4, N).astype(float)
    model = net(alpha, ratio, positive=positive).fit(TABLES[name](X), y, sample_weight=s)
    bound = 1e-6 if name == "float32" else 1e-10
    assert broken(X, y, model, alpha * ratio, alpha * (1 - ratio), s) < bound
    assert model.status_ is Status.CONVERGED and model.dual_gap_ <= 1e-12 * y.var()
    assert not positive or model.coef_.min() >= 0


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("start", [None, "ones"])
def test_positive_least_squares_with_several_minimisers_have_the_shortest(fit_intercept, start):
    """It is max(X'z, 0) for some z in the space of the rows, the projection of zero."""
    X, y = problem(2)
    model = net(0.0, positive=True, fit_intercept=fit_intercept)
    model.fit(X, y, coef_init=None if start is None else np.ones(D))
    Z = X - X.mean(axis=0) if fit_intercept else X
    on = model.coef_ > 0
    z = np.linalg.lstsq(Z[:, on].T, model.coef_[on])[0]
    assert np.abs(Z @ model.coef_ - (y - y.mean() if fit_intercept else y)).max() < 1e-10
    assert np.abs(Z[:, on].T @ z - model.coef_[on]).max() < 1e-12
    assert (Z[:, ~on].T @ z).max() <= 1e-12
    assert model.dual_gap_ <= 1e-20


def test_positive_least_squares_without_a_perfect_fit_end_at_their_conditions():
    random = np.random.default_rng(3)
    X = random.uniform(0, 1, (N, D))
    y = random.standard_normal(N)  # no positive sum of positive columns
    y += 2 * X[:, 0] - 0.2
    flat = random.standard_normal((N, 15)) @ random.standard_normal((15, D))
    for X_of in (X, np.hstack([X[:, :100]] * 15), flat):
        model = net(0.0, positive=True, fit_intercept=False).fit(X_of, y)
        v = X_of.T @ (y - X_of @ model.coef_) / N
        assert model.coef_.min() >= 0 and model.coef_.any() and model.status_ is Status.CONVERGED
        assert v.max() <= 1e-12 and np.abs(v[model.coef_ > 0]).max(initial=0) <= 1e-12


def test_several_targets_have_penalties_of_their_own():
    X, y = problem(4)
    Y = np.stack([y, X[:, 20] - y], axis=1)
    alphas = np.array([0.5, 0.01])
    model = net(alphas, 0.0, positive=True).fit(X, Y)
    for j, alpha in enumerate(alphas):
        alone = net(alpha, 0.0, positive=True).fit(X, Y[:, j])
        assert np.allclose(model.coef_[j], alone.coef_, atol=1e-13)
        assert np.isclose(model.intercept_[j], alone.intercept_)


def test_no_products_of_all_columns_in_use_are_made():
    """Half of 4000 columns are in use: their products have 32 MB."""
    X, y = problem(5, n=50, d=4000)
    tracemalloc.start()
    model = net(1e-3, 0.0, positive=True).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    again = net(1e-3, 0.0, positive=True).fit(X, y, coef_init=model.coef_)
    tracemalloc.stop()
    assert np.count_nonzero(model.coef_) > 1500 and peak < 6 * X.nbytes
    assert np.allclose(again.coef_, model.coef_, atol=1e-13)


@pytest.mark.parametrize("ridge", [1.0, 1e-6])
def test_few_newton_steps_find_a_positive_ridge(ridge, monkeypatch):
    count, step = [], Newton._step
    monkeypatch.setattr(Newton, "_step", lambda *given: count.append(1) or step(*given))
    X, y = problem(6)
    net(ridge, 0.0, positive=True).fit(X, y)
    assert 1 <= len(count) <= 8


@pytest.mark.parametrize("positive", [False, True])
def test_a_lasso_is_found_from_any_start(positive):
    X, y = problem(7)
    reading = Reading.of(Rows(X, y[:, None]), centred=True)
    alpha, zero = 1e-3 * largest(X, y), np.zeros(D)
    of = OnRows(AllColumns.of(reading), reading.target(0)[0], zero + alpha, zero, positive)
    found = [of.least(start) for start in (zero, np.random.default_rng(0).uniform(0, 1, D))]
    Z = X - X.mean(axis=0)
    for w in found:
        v = Z.T @ (y - y.mean() - Z @ w) / N
        size = v if positive else np.abs(v)
        assert np.abs(v - alpha * np.sign(w))[w != 0].max() <= 1e-6 * alpha
        assert size.max() <= alpha * (1 + 1e-6)
    assert np.array_equal(np.sign(found[0]), np.sign(found[1]))


def test_a_wide_positive_fit_of_some_hundred_columns_needs_no_products_of_them():
    X, y, *_ = problem(n=30, d=400)
    model = GDLinearRegressor(positive=True).fit(X, y)
    assert model.metric_ == "working sets" and model.status_ is Status.CONVERGED
