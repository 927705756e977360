"""Ridges with weights of their own, columns without one, and a strength for each target."""

import numpy as np
import pytest
from reference import exact_ridge, sparse_normal

from gd_regressor import GDLinearRegressor, Moments, Status, elastic_net_path


def weights_of(kind, d, random):
    """The penalty of each column over alpha."""
    each = {
        "unequal": random.uniform(0.5, 2, d),
        "far apart": 10.0 ** random.uniform(-6, 6, d),
        "one free": np.ones(d),
        "half free": np.where(np.arange(d) % 2, 1.0, 0.0),
        "more free than rows": np.where(np.arange(d) < 7, 0.0, 1.0),
        "nearly free": np.where(np.arange(d) < 2, 1e-24, 1.0),
        "beyond squares": np.where(np.arange(d) < 2, 1e-250, 1e250),
    }[kind]
    each[0] *= kind != "one free"
    return each


KINDS = ["unequal", "far apart", "one free", "half free", "more free than rows"]
KINDS += ["nearly free", "beyond squares"]
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("alpha", [1.0, 1e-6])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_ridge_of_its_own_for_each_of_many_columns_is_exact(kind, alpha, intercept):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((5, 11)) + 0.3, random.standard_normal(5)
    each = weights_of(kind, 11, random)
    exact = exact_ridge(X, y, alpha * each, intercept)
    model = GDLinearRegressor(
        alpha=alpha, l1_ratio=0, penalty_weights=each, fit_intercept=intercept
    )
    model.fit(X, y)
    assert model.metric_ == "dual" and model.status_ is Status.CONVERGED
    assert np.abs(model.coef_ - exact).max() <= 1e-12 * np.abs(exact).max()


@each_kind
def test_a_ridge_of_its_own_on_very_many_columns_needs_no_products(kind):
    """Products of 40,000 columns would take 12 GiB. The dual problem has one number for each row.

    At the minimum the residuals have no slope along free columns, and a penalised coefficient is
    its slope divided by its ridge.
    """
    random = np.random.default_rng(0)
    X = random.standard_normal((12, 40_000))
    y = X[:, 0] + random.standard_normal(12)
    each = weights_of(kind, 40_000, random)
    model = GDLinearRegressor(alpha=0.1, l1_ratio=0, penalty_weights=each).fit(X, y)
    assert model.status_ is Status.CONVERGED
    left = y - model.predict(X)
    slope, ridge = (X - X.mean(axis=0)).T @ left / 12, 0.1 * each
    excess, faint = slope - ridge * model.coef_, ridge < 1e-12  # rounding of a slope is no less
    np.testing.assert_allclose(excess[faint], 0, atol=1e-12 * np.sqrt(y.var()))
    assert (excess[~faint] ** 2 / ridge[~faint]).sum() <= 1e-12 * y.var()


@pytest.mark.parametrize("n, d", [(40, 6), (8, 20)])
def test_of_free_columns_that_agree_the_shortest_coefficients_are_returned(n, d):
    random = np.random.default_rng(0)
    X = random.integers(-4, 5, (n, d)).astype(float)
    X[:, 1], X[:, 2] = X[:, 0], 2 * X[:, 0]
    y = X @ random.standard_normal(d) + random.standard_normal(n)
    each = np.where(np.arange(d) < 4, 0.0, random.uniform(0.5, 2, d))
    exact = exact_ridge(X, y, 0.1 * each)
    model = GDLinearRegressor(alpha=0.1, l1_ratio=0, penalty_weights=each)
    for start in (np.zeros(d), random.standard_normal(d)):
        w = model.fit(X, y, coef_init=start).coef_
        assert model.status_ is Status.CONVERGED
        assert np.abs(w - exact).max() <= 1e-13 * np.abs(exact).max()


@pytest.mark.parametrize("n, d", [(60, 4), (8, 20), (300, 2500)])
@pytest.mark.parametrize("each", [None, "free"])
@pytest.mark.parametrize("intercept", [True, False])
def test_each_target_may_have_a_strength_of_its_own(n, d, each, intercept):
    """Also none at all: it has the coefficients that it would have alone."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + 1
    Y = X[:, :3] @ random.standard_normal((3, 4)) + random.standard_normal((n, 4))
    each = None if each is None else np.where(np.arange(d) < 2, 0.0, random.uniform(0.5, 2, d))
    alpha = np.array([0.01, 0.0, 1e-6, 0.01])
    options = {"l1_ratio": 0, "penalty_weights": each, "fit_intercept": intercept}
    model = GDLinearRegressor(alpha=alpha, **options).fit(X, Y)
    assert model.status_ is Status.CONVERGED
    for j in range(4):
        alone = GDLinearRegressor(alpha=alpha[j], **options).fit(X, Y[:, j])
        assert np.abs(model.coef_[j] - alone.coef_).max() <= 1e-11 * np.abs(alone.coef_).max()
    assert (2 * model.dual_gap_ <= 1e-12 * Y.var(axis=0)).all()


def test_each_target_of_moments_may_have_a_strength_of_its_own():
    random = np.random.default_rng(0)
    X, Y = random.standard_normal((400, 5)) + 3, random.standard_normal((400, 3))
    alpha = np.array([0.5, 0.0, 1e-3])
    kept = GDLinearRegressor(alpha=alpha, l1_ratio=0).fit_moments(Moments.of(X, Y))
    model = GDLinearRegressor(alpha=alpha, l1_ratio=0).fit(X, Y)
    np.testing.assert_allclose(kept.coef_, model.coef_, rtol=0, atol=1e-13)


@pytest.mark.parametrize("free", [1, 40, 2100])
def test_free_columns_among_very_many_sparse_ones(free):
    """The gap says what the distance is; of many free columns it is an estimate."""
    random = np.random.default_rng(0)
    n, d, alpha = 100, 2600, 1e-3
    X = sparse_normal(random, n, d, 5e-3)
    y = random.standard_normal(n)
    each = np.where(np.arange(d) < free, 0.0, random.uniform(0.5, 2, d))
    model = GDLinearRegressor(alpha=alpha, l1_ratio=0, penalty_weights=each).fit(X, y)
    assert model.status_ is Status.CONVERGED
    A = (X.toarray() - X.toarray().mean(axis=0)) / np.sqrt(n)
    loose, held = A[:, :free], A[:, free:] / np.sqrt(alpha * each[free:])
    basis, sizes, _ = np.linalg.svd(loose, full_matrices=False)
    basis = basis[:, sizes > 1e-12 * sizes[0]]
    left, held = (a - basis @ (basis.T @ a) for a in ((y - y.mean()) / np.sqrt(n), held))
    least = left @ np.linalg.solve(np.eye(n) + held @ held.T, left)
    excess = model.loss_curve_[-1] - least
    assert excess <= 1e-12 * y.var() and 2 * model.dual_gap_ <= 1e-12 * y.var()
    if free <= 40:
        assert excess <= 2 * model.dual_gap_ + 1e-15


def test_each_target_of_very_many_sparse_columns_may_have_a_strength_of_its_own():
    random = np.random.default_rng(0)
    X, Y = sparse_normal(random, 80, 3000, 5e-3), random.standard_normal((80, 3))
    alpha = np.array([1e-2, 1e-3, 1e-2])
    each = np.where(np.arange(3000) < 2, 0.0, 1.0)
    options = {"l1_ratio": 0, "penalty_weights": each}
    model = GDLinearRegressor(alpha=alpha, **options).fit(X, Y)
    assert (2 * model.dual_gap_ <= 1e-12 * Y.var(axis=0)).all()
    for j in range(3):
        alone = GDLinearRegressor(alpha=alpha[j], **options).fit(X, Y[:, j])
        assert np.abs(model.predict(X)[:, j] - alone.predict(X)).max() <= 1e-5


def test_a_path_of_ridges_on_very_many_columns_needs_no_products():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((8, 30_000)), random.standard_normal(8)
    each = weights_of("one free", 30_000, random)
    alphas, coefs, intercepts, gaps = elastic_net_path(
        X, y, l1_ratio=0, alphas=[1.0, 0.1, 0.0], penalty_weights=each
    )
    assert (2 * gaps <= 1e-12 * y.var()).all()
    for alpha, w, b in zip(alphas, coefs.T, intercepts, strict=True):
        model = GDLinearRegressor(alpha=alpha, l1_ratio=0, penalty_weights=each).fit(X, y)
        np.testing.assert_allclose(w, model.coef_, rtol=0, atol=1e-14)
        assert abs(b - model.intercept_) <= 1e-13


@pytest.mark.parametrize("n, d", [(6, 12), (12, 8)])
def test_free_columns_in_any_units_have_the_shortest_coefficients(n, d):
    """Units a million times apart, and columns that depend on each other."""
    random = np.random.default_rng(0)
    X = random.integers(-9, 10, (n, d)).astype(float)
    X[:, 1], X[:, 4] = X[:, 0], X[:, 2] - X[:, 3]
    X *= 2.0 ** random.integers(-10, 11, d)
    Y = random.standard_normal((n, 2))
    each = np.where(np.arange(d) < 8, 0.0, 1.0)
    alpha = np.array([0.1, 0.0])
    model = GDLinearRegressor(alpha=alpha, l1_ratio=0, penalty_weights=each).fit(X, Y)
    for j in range(2):
        exact = exact_ridge(X, Y[:, j], alpha[j] * each)
        assert np.abs(model.coef_[j] - exact).max() <= 1e-10 * np.abs(exact).max()
