"""Numbers that textbooks print, on data with exactly the moments of their tables."""

import numpy as np
import pytest

from gd_regressor import DivergenceWarning, GDLinearRegressor, Status, gd_path

CORRELATION = 0.8415


@pytest.fixture
def standardised():
    """159 rows, x and y with mean 0, deviation 1 (ddof=0) and correlation 0.8415."""
    random = np.random.default_rng(159)
    basis = np.linalg.qr(np.column_stack([np.ones(159), random.standard_normal((159, 2))]))[0]
    x, other = basis[:, 1:].T * np.sqrt(159)
    return x[:, None], CORRELATION * x + np.sqrt(1 - CORRELATION**2) * other


def test_first_gradient_and_first_step(standardised, route):
    X, y = standardised
    assert -2 / 159 * X[:, 0] @ y == pytest.approx(-1.683, abs=1e-12)
    coefs, _, losses = gd_path(X, y, learning_rate=0.1, n_iter=[0, 1])
    assert coefs[0, 1] == pytest.approx(0.1683, abs=1e-12)
    assert losses == pytest.approx(
        [
            1.0,
            0.745,
        ],
        abs=5e-4,
    )


def test_sixty_steps(standardised, route):
    X, y = standardised
    model = GDLinearRegressor(learning_rate=0.1, max_iter=60, tol=None).fit(X, y)
    # (1 - 2 * 0.1)^60 of the way is still to go
    assert model.coef_[0] == pytest.approx(CORRELATION * (1 - 0.8**60), abs=1e-14)
    assert f"{model.coef_[0]:.3f} {model.loss_curve_[-1]:.4f}" == "0.841 0.2919"
    assert model.intercept_ == pytest.approx(0, abs=1e-15)
    assert model.max_learning_rate_ == pytest.approx(1, rel=1e-12)


def test_a_large_rate_arrives_and_one_above_the_limit_climbs(standardised, route):
    X, y = standardised
    fast = GDLinearRegressor(learning_rate=0.6).fit(X, y)
    assert fast.status_ is Status.CONVERGED
    assert fast.coef_[0] == pytest.approx(CORRELATION, abs=1e-6)
    with pytest.warns(DivergenceWarning, match=r"1\.05"):
        climbing = GDLinearRegressor(learning_rate=1.05, max_iter=60).fit(X, y)
    assert (np.diff(climbing.loss_curve_) > 0).all()
    assert climbing.status_ is Status.DIVERGED and climbing.n_iter_ == 60


def test_five_points(route):
    X, y = np.arange(1.0, 6.0)[:, None], np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    model = GDLinearRegressor(learning_rate=0.01, max_iter=1000, tol=None).fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(17.2, rel=1e-15)
    printed = f"{model.coef_[0]:.5f} {model.intercept_:.5f} {model.predict([[6.0]])[0]:.5f}"
    assert printed == "0.61769 2.13612 5.84228"
    exact = GDLinearRegressor().fit(X, y)
    assert [*exact.coef_, exact.intercept_] == pytest.approx([0.6, 2.2], abs=1e-14)


def test_half_loss_texts_have_half_our_loss_at_twice_our_rate(route):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((100, 5)), random.standard_normal(100)
    rate, w, b, halves = 0.2, np.zeros(5), 0.0, []
    for _ in range(51):
        residual = y - X @ w - b
        halves.append(residual @ residual / 200)
        w, b = w + rate / 100 * X.T @ residual, b + rate / 100 * residual.sum()
    model = GDLinearRegressor(learning_rate=rate / 2, max_iter=50, tol=None).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_, 2 * np.array(halves), rtol=1e-12)
