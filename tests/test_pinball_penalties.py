"""Penalties of quantiles and epsilons in "auto": free columns that depend on others, strengths."""

import warnings

import numpy as np
import pytest

from gd_regressor import EpsilonInsensitive, GDLinearRegressor, Quantile, Status

LOSSES = [Quantile(0.5), Quantile(0.3), EpsilonInsensitive(0.3)]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
each_ratio = pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])


def table(n=200, d=3):
    random = np.random.default_rng(0)
    X = random.standard_normal((n, d)) + 1
    return X, X @ [1.0, -2, 0.5][:d] + random.standard_t(3, n)


def fitted(loss, X, y, penalty_weights=None, l1_ratio=0.0):
    """The fit, of which nothing is to be said."""
    model = GDLinearRegressor(
        loss=loss, alpha=0.1, l1_ratio=l1_ratio, penalty_weights=penalty_weights
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert 0 <= model.dual_gap_ < 1e-9
    return model


# --- Columns without a penalty that depend on others ---


@each_loss
@each_ratio
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 0, 2, 3], [2, 3, 1, 0]], ids=str)
def test_a_free_copy_spares_the_other_its_penalty(loss, l1_ratio, order):
    """The minimum leaves the copy with the penalty out, whichever of the two comes first."""
    X, y = table()
    alone = fitted(loss, X, y, [0, 1, 1], l1_ratio)
    copies, weights = np.column_stack([X[:, 0] / 4, X]), np.array([1, 0, 1, 1])
    both = fitted(loss, copies[:, order], y, weights[order], l1_ratio)
    assert both.loss_curve_[-1] == pytest.approx(alone.loss_curve_[-1], rel=1e-12)
    np.testing.assert_allclose(both.coef_[np.argsort(order)], [0, *alone.coef_], atol=1e-9)


@each_loss
@each_ratio
def test_free_columns_span_what_they_can(loss, l1_ratio):
    """Three of them lie in the plane of two columns with a penalty, and depend on each other."""
    X, y = table()
    a, b, c = X.T
    plane = fitted(loss, np.column_stack([a, b, c]), y, [0, 0, 1], l1_ratio)
    columns = np.column_stack([a, b, a + b, c, a - b, 2 * a])
    model = fitted(loss, columns, y, [1, 1, 0, 1, 0, 0], l1_ratio)
    assert model.loss_curve_[-1] == pytest.approx(plane.loss_curve_[-1], rel=1e-12)
    np.testing.assert_allclose(model.predict(columns), plane.predict(X), atol=1e-9)
    np.testing.assert_allclose(model.coef_[:2], 0, atol=1e-12)
    one = fitted(loss, columns[:, [0, 1, 2, 3]], y, [1, 1, 0, 1], l1_ratio)
    assert one.loss_curve_[-1] > plane.loss_curve_[-1]  # one column spans no plane


# --- Strengths ---


@each_loss
@pytest.mark.parametrize("exponent", [-20, -24, -32, -60, -160, -300])
def test_a_faint_ridge_is_nearly_none(loss, exponent):
    X, y = table()
    free, faint = (fitted(loss, X, y, [1, weight, 1]) for weight in (0, 10.0**exponent))
    np.testing.assert_allclose(faint.coef_, free.coef_, rtol=1e-9)


@each_loss
@pytest.mark.parametrize("exponent", [20, 40, 60, 100, 200, 300])
def test_a_stiff_ridge_holds_a_coefficient(loss, exponent):
    """Its slope is that of the rows without it, so the coefficient is known: no digit is lost."""
    X, y = table()
    model = fitted(loss, X, y, [1, 10.0**exponent, 1])
    near = fitted(loss, X, y, [1, 1e12, 1])
    np.testing.assert_allclose(model.coef_[[0, 2]], near.coef_[[0, 2]], rtol=1e-9)
    assert model.coef_[1] == pytest.approx(near.coef_[1] * 10.0 ** (12 - exponent), rel=1e-6)


@each_loss
@pytest.mark.parametrize("unit", [2.0**530, 2.0**664, 2.0**998])
def test_a_ridge_on_a_large_column_is_faint(loss, unit):
    X, y = table()
    free, far = fitted(loss, X, y, [1, 0, 1]), fitted(loss, X * [1, unit, 1], y)
    np.testing.assert_allclose(far.coef_ * [1, unit, 1], free.coef_, rtol=1e-9)


@each_loss
@pytest.mark.parametrize("unit", [2.0**-166, 2.0**-530, 2.0**-664, 2.0**-960])
def test_a_ridge_on_a_small_column_is_stiff(loss, unit):
    X, y = table()
    none = fitted(loss, X[:, [0, 2]], y)
    far = fitted(loss, X * [1, unit, 1], y)
    np.testing.assert_allclose(far.coef_[[0, 2]], none.coef_, rtol=1e-9)
    assert abs(far.coef_[1]) < 1e-20  # whose square, and product with the column, are rounding
