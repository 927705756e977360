"""Columns whose squares overflow or vanish: a unit changes coefficients by its power of two."""

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array, csr_array
from sklearn.base import clone

from gd_regressor import (
    EpsilonInsensitive,
    GDLinearRegressor,
    Huber,
    PseudoHuber,
    Quantile,
    SquaredEpsilonInsensitive,
    Status,
)
from gd_regressor.data import table as data_table

LOSSES = [
    Huber(),
    Huber(0.5),
    Huber(0.01),
    PseudoHuber(0.5),
    SquaredEpsilonInsensitive(0.3),
    Quantile(0.3),
    EpsilonInsensitive(0.3),
]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
UNITS = [2.0**998, 2.0**530, 2.0**-530, 2.0**-960]
N, D = 400, 3
SIZES = ["delta", "epsilon"]  # parameters of losses in units of y


def table(targets=1, n=N, d=D):
    random = np.random.default_rng(1)
    X = random.standard_normal((n, d)) + 1
    noise = random.standard_t(3, (n, targets)) / 2
    return X, np.squeeze(X @ random.standard_normal((d, targets)) + 2 + noise, axis=None)


def in_units(unit, d=D):
    """Units of the columns: that of the second is a unit far from 1."""
    units = np.ones(d)
    units[1] = unit
    return units


def fitted(model, X, y, weights=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y, weights)
    assert model.status_ is Status.CONVERGED
    return model


def assert_same(far, near, units):
    """The coefficients are the same in equal units."""
    np.testing.assert_allclose(far.coef_ * units, near.coef_, rtol=1e-9)
    np.testing.assert_allclose(far.intercept_, near.intercept_, rtol=1e-9)
    assert far.loss_curve_[-1] == pytest.approx(near.loss_curve_[-1], rel=1e-9)


# --- A power of two changes no digit ---


@each_loss
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}], ids=str)
def test_a_unit_is_a_power_of_two(loss, unit, options):
    (X, y), units = table(), in_units(unit)
    near, far = (
        fitted(GDLinearRegressor(loss=loss, **options), columns, y) for columns in (X, X * units)
    )
    assert_same(far, near, units)
    assert far.score(X * units, y) == pytest.approx(near.score(X, y), rel=1e-9)


@each_loss
@pytest.mark.parametrize("unit", [2.0**664, 2.0**-664])
@pytest.mark.parametrize("kind", ["weights", "targets", "sparse", "full", "rows far out"])
def test_whatever_the_table(loss, unit, kind):
    (X, y), units, weights = table(2 if kind == "targets" else 1), in_units(unit), None
    random, wrap = np.random.default_rng(2), np.asarray
    if kind == "weights":
        weights = np.where(random.random(N) < 0.1, 0, random.random(N))
    elif kind in ("sparse", "full"):  # a column with nearly no zeros is not stored as a sparse one
        X[:, 1 if kind == "sparse" else 0] *= random.random(N) < 0.3
        wrap = csc_array if kind == "sparse" else csr_array
    elif kind == "rows far out":
        y[:7] = 1e20
    near, far = (
        fitted(GDLinearRegressor(loss=loss), wrap(columns), y, weights)
        for columns in (X, X * units)
    )
    assert_same(far, near, units)


@each_loss
def test_units_at_both_ends_of_one_table(loss):
    """Products of two such columns neither overflow nor vanish, but those of one with itself do."""
    (X, y), units = table(), np.array([2.0**700, 1.0, 2.0**-700])
    near, far = (fitted(GDLinearRegressor(loss=loss), columns, y) for columns in (X, X * units))
    assert_same(far, near, units)


@pytest.mark.parametrize("loss", [Huber(), Huber(0.5), PseudoHuber(0.5)], ids=str)
def test_large_tables_and_memory_maps(loss, tmp_path, monkeypatch):
    """Parts of rows add up, and begin at samples of the rows."""
    monkeypatch.setattr(data_table, "STRETCH_ENTRIES", 1 << 14)
    (X, y), units = table(n=20_000, d=8), in_units(2.0**664, d=8)
    np.save(tmp_path / "X.npy", X * units)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    near, far, on_disk = (
        fitted(GDLinearRegressor(loss=loss), columns, y) for columns in (X, X * units, mapped)
    )
    assert_same(far, near, units)
    assert_same(on_disk, near, units)


@pytest.mark.parametrize("loss, n", [*product(LOSSES, [N]), *product(LOSSES[:5], [60_000])])
@pytest.mark.parametrize("unit", [2.0**120, 2.0**-110])
def test_single_precision(loss, unit, n):
    """Its range ends at 2^128, but sums are in double precision."""
    (X, y), units = table(n=n), in_units(unit).astype(np.float32)
    X = X.astype(np.float32)
    near, far = (fitted(GDLinearRegressor(loss=loss), columns, y) for columns in (X, X * units))
    assert far.coef_.dtype == np.float32
    np.testing.assert_array_equal(far.coef_ * units, near.coef_)


# --- Penalties ---


@pytest.mark.parametrize("loss", LOSSES[:5], ids=str)
@pytest.mark.parametrize("unit", [2.0**664, 2.0**-664])
def test_a_ridge_has_a_unit_too(loss, unit):
    """A coefficient u times as small has a ridge u^2 times as strong; here u is in both."""
    (X, y), units = table(), in_units(unit)
    near, far = (
        fitted(GDLinearRegressor(loss=loss, alpha=0.1, l1_ratio=0, penalty_weights=w), columns, y)
        for columns, w in ((X, in_units(1 / unit)), (X * units, in_units(unit)))
    )
    assert_same(far, near, units)


@pytest.mark.parametrize("loss", LOSSES[:5], ids=str)
def test_a_ridge_on_a_large_column_costs_nothing(loss):
    (X, y), units = table(), in_units(2.0**664)
    free = fitted(
        GDLinearRegressor(loss=loss, alpha=0.1, l1_ratio=0, penalty_weights=[1, 0, 1]), X, y
    )
    assert_same(
        fitted(GDLinearRegressor(loss=loss, alpha=0.1, l1_ratio=0), X * units, y), free, units
    )


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("alpha", [0.1, 1e20])
def test_a_ridge_on_a_small_column_holds_its_coefficient(loss, alpha):
    """Times the column, and squared in the penalty, it is rounding."""
    (X, y), units = table(), in_units(2.0**-960)
    model = fitted(GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=0), X * units, y)
    none = fitted(GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=0), X[:, [0, 2]], y)
    np.testing.assert_allclose(model.coef_[[0, 2]], none.coef_, rtol=1e-9)
    assert alpha * model.coef_[1] ** 2 < 1e-20 * none.loss_curve_[-1]


# --- What floats cannot hold ---


@pytest.mark.parametrize("loss", ["squared_error", *LOSSES], ids=str)
def test_digits_that_floats_cannot_hold_are_refused_by_name(loss):
    (X, y), units = table(), in_units(2.0**998)
    with pytest.raises(ValueError, match=r"^X: the coefficient of column 1 .*1e-3\d\d, .* divide"):
        GDLinearRegressor(loss=small(loss), tol=0).fit(X * units, 2.0**-80 * y)
    frame = pd.DataFrame(X * in_units(2.0**-960), columns=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"^The coefficients of X .* the first that of column 'b'"):
        GDLinearRegressor(loss=loss).fit(frame, 2.0**90 * y)


def small(loss):
    """The same loss in units of 2^-80."""
    given = {} if isinstance(loss, str) else loss.get_params()
    sizes = {name: given[name] * 2.0**-80 for name in SIZES if given.get(name, "auto") != "auto"}
    return clone(loss).set_params(**sizes) if sizes else loss


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize(
    "unit, words", [(2.0**-1000, "differ by .*multiply"), (2.0**1021, "further apart .*divide")]
)
def test_columns_beyond_floats_are_named(loss, unit, words):
    X, y = table()
    with pytest.raises(ValueError, match=f"^X: the values of column 1 .* {words}"):
        GDLinearRegressor(loss=loss).fit(X * in_units(unit), y)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_targets_whose_squares_overflow_are_refused(loss):
    X, y = table()
    with pytest.raises(ValueError, match=r"^y has values .*overflow"):
        GDLinearRegressor(loss=loss).fit(X, 1e200 * y)


# --- More columns than rows, with the squared loss ---


@pytest.mark.parametrize("unit", [2.0**530, 2.0**664, 2.0**998])
@pytest.mark.parametrize("intercept", [True, False])
def test_least_norm_beside_a_column_that_dwarfs_all_others(unit, intercept):
    """Its coefficient has no length, so the others are the shortest that fit what it leaves."""
    X, y = table(n=30, d=50)
    units = in_units(unit, d=X.shape[1])
    model = fitted(GDLinearRegressor(fit_intercept=intercept), X * units, y)
    A, target = (X - X.mean(axis=0), y - y.mean()) if intercept else (X, y)
    one = A[:, 1] / np.linalg.norm(A[:, 1])
    left = np.delete(A, 1, axis=1)
    shortest = np.linalg.lstsq(left - np.outer(one, one @ left), target - one * (one @ target))[0]
    coef = model.coef_ * units
    np.testing.assert_allclose(np.delete(coef, 1), shortest, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(A @ coef, target, atol=1e-11)


@pytest.mark.parametrize("unit", [2.0**530, 2.0**664, 2.0**998])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}], ids=str)
def test_a_ridge_beside_a_column_that_dwarfs_all_others(unit, options):
    """On it the ridge costs nothing: as without a penalty for this column."""
    X, y = table(n=30, d=50)
    units, free = in_units(unit, d=X.shape[1]), in_units(0.0, d=X.shape[1])
    near, far = (
        fitted(GDLinearRegressor(alpha=0.1, l1_ratio=0, penalty_weights=w, **options), columns, y)
        for columns, w in ((X, free), (X * units, None))
    )
    assert_same(far, near, units)
