""" "auto" against exact rational least squares."""

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import exact_least_squares, exact_predictions
from scipy.linalg import lstsq
from sklearn.datasets import load_diabetes, load_linnerud

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.data import table as data_table

random = np.random.default_rng(3)
N = 40
X = random.standard_normal((N, 4))
Y = X @ [1.0, 2.0, 3.0, -1.0] + random.standard_normal(N)
SCALES = np.array([1e-6, 1.0, 1e3, 1e9])
WEIGHTS = random.integers(0, 5, N).astype(float)
ONE_HOT = np.eye(3)[random.integers(0, 3, N)]
DIABETES, PROGRESSION = load_diabetes(return_X_y=True, scaled=False)
LINNERUD = load_linnerud()


def misfit(model, X, y, weights=None):
    """The largest error of a prediction against the exact fit, in deviations of y."""
    w, b = exact_least_squares(X, y, model.fit_intercept, weights)
    exact = exact_predictions(X, w, b)
    scale = np.std(y) if model.fit_intercept else np.sqrt(np.mean(y**2))
    return np.abs(model.predict(X) - exact).max() / scale


def evaluation(X, w, y):
    """The rounding of X w + b itself in float64, in deviations of y: no fit can have less."""
    return 8 * np.finfo(float).eps * (np.abs(X) @ np.abs(w)).max() / np.std(y)


TABLES = {
    "diabetes": (DIABETES, PROGRESSION),
    "diabetes as shipped": (load_diabetes().data, PROGRESSION),
    **{f"linnerud {j}": (LINNERUD.data, LINNERUD.target[:, j]) for j in range(3)},
    "scales": (X * SCALES, Y),
    "scales and shifts": (X * SCALES + 1e6 * SCALES, Y),
    "shifted target": (X * SCALES + 1e6 * SCALES, Y - 1e6),
    "scales out of range for squares": (X * [1e-150, 1e-80, 1e80, 1e150], Y),
    "nearly collinear": (np.column_stack([X, X @ [1, 1, 1, 1] + 1e-5 * Y**2]), Y),
    "degree 7 at 0..20": (np.vander(np.arange(21.0), 8)[:, :-1], random.standard_normal(21)),
    "one column": (X[:, :1], Y),
    "as many columns as rows": (random.standard_normal((6, 5)), random.standard_normal(6)),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_predictions_are_those_of_exact_least_squares(name, fit_intercept):
    X, y = TABLES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDLinearRegressor(fit_intercept=fit_intercept).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert misfit(model, X, y) <= max(1e-6, evaluation(X, model.coef_, y))
    assert model.loss_curve_.shape == (model.n_iter_ + 1,)


@pytest.mark.parametrize("name", ["scales", "nearly collinear", "degree 7 at 0..20"])
def test_coefficients_are_exact_too(name):
    X, y = TABLES[name]
    model = GDLinearRegressor().fit(X, y)
    w, _ = exact_least_squares(X, y)
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=1e-6)


DEPENDENT = {
    "duplicate": np.column_stack([X, X[:, 1]]),
    "duplicate in other units": np.column_stack([X, 1024 * X[:, 1]]),
    "constant": np.column_stack([X, np.full(N, 0.1)]),
    "only constants": np.column_stack([np.full(N, 0.1), np.full(N, 1e9)]),
    "zero": np.column_stack([np.zeros(N), X]),
    "one-hot": np.column_stack([X, ONE_HOT]),
    "one-hot twice and a constant": np.column_stack([ONE_HOT, X, 3 * ONE_HOT, np.ones(N)]),
    "wide": random.integers(-9, 10, (6, 11)).astype(float),
    "one row": np.array([[1.0, 2.0, 3.0]]),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_a_minimiser_that_is_not_unique_is_the_one_of_least_norm(name):
    X = DEPENDENT[name]
    y = Y[: len(X)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing warns when the answer is right
        model = GDLinearRegressor().fit(X, y)
        elsewhere = GDLinearRegressor(init="random", random_state=0).fit(X, y)
    w, b = exact_least_squares(X, y)
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], atol=1e-11)
    assert model.intercept_ == pytest.approx(float(b), abs=1e-10)
    np.testing.assert_allclose(elsewhere.coef_, model.coef_, atol=1e-11)
    assert model.rank_ == np.linalg.matrix_rank(X - X.mean(axis=0), tol=1e-9)


def dependent_rows(name, n, random):
    """Tables from practice whose columns depend on each other exactly."""
    if name == "one-hot":
        return np.eye(30)[random.integers(0, 30, n)]
    if name == "shares of 100":
        parts = random.integers(0, 34, (n, 3))
        return np.column_stack([parts, 100 - parts.sum(axis=1)]).astype(float)
    if name == "birth, age, year":
        birth, age = random.integers(1930, 2000, n), random.integers(0, 80, n)
        return np.column_stack([birth, age, birth + age]).astype(float)
    if name == "start, end, duration":
        start, duration = 1_700_000_000 + random.integers(0, 10**7, n), random.integers(0, 10**4, n)
        return np.column_stack([start, start + duration, duration]).astype(float)
    return random.standard_normal((n, n + 10)) + 1e3  # wide


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "name, n",
    [
        ("one-hot", 2000),
        ("one-hot", 20_000),
        ("shares of 100", 20_000),
        ("birth, age, year", 2000),
        ("start, end, duration", 20_000),
        ("wide", 6),
        ("wide", 50),
    ],
)
def test_columns_that_depend_exactly_are_recognised_whatever_their_offset(name, n, seed):
    random = np.random.default_rng(seed)
    columns, y = dependent_rows(name, n, random), random.standard_normal(n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDLinearRegressor().fit(columns, y)
    assert model.status_ is Status.CONVERGED
    assert model.rank_ == min(columns.shape[1] - 1, n - 1)
    # Optimality: residuals are orthogonal to the columns; and no coefficient is a rounding's
    residual = y - model.predict(columns)
    centred = columns - columns.mean(axis=0)
    slopes = centred.T @ residual / np.linalg.norm(centred, axis=0) / np.linalg.norm(y)
    assert np.abs(slopes).max() < 1e-7
    assert np.abs(model.coef_ * columns.std(axis=0)).max() < 10


@pytest.mark.parametrize("closeness", [1e-9, 1e-14, 4e-15, 2e-15])
def test_a_duplicate_beside_a_near_duplicate(closeness):
    for seed in range(20):
        random = np.random.default_rng(seed)
        a, b = random.standard_normal((2, 30))
        columns = np.column_stack([a, a, a + closeness * b])
        model = GDLinearRegressor().fit(columns, b)
        w, _ = exact_least_squares(columns, b)
        if closeness > 3e-15:  # else the third is taken for one more duplicate
            assert model.coef_[2] == pytest.approx(float(w[2]), rel=1e-6)
        if closeness > 1e-10:  # else the way to the least norm is longer than rounding lets it be
            np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_dependence_far_from_zero_beside_small_units(dtype):
    for seed in range(60):
        random = np.random.default_rng(seed)
        a = random.integers(-9, 10, 40) + 1000.0
        z = (2e-8 * random.standard_normal(40)).astype(dtype)
        u = (z + 2e-13 * random.standard_normal(40)).astype(dtype)
        columns = np.column_stack([a, 3 * a, z, u]).astype(dtype)
        y = z / 2e-8 + a - 1000 + 0.1 * random.standard_normal(40)
        model = GDLinearRegressor().fit(columns, y)
        w, b = exact_least_squares(columns, y)
        off = np.abs(model.predict(columns) - exact_predictions(columns, w, b)).max() / y.std()
        assert off < (1e-9 if dtype is np.float64 else 1e-3)
        np.testing.assert_allclose(model.coef_[:2], [float(v) for v in w[:2]], rtol=1e-5)


def test_large_float32_targets_are_no_fault_of_the_start():
    y = (1e25 * Y).astype(np.float32)
    model = GDLinearRegressor().fit(X.astype(np.float32), y)
    np.testing.assert_allclose(model.predict(X.astype(np.float32)), y, atol=5 * y.std())


@pytest.mark.parametrize("ratio", [1e6, 1e13, 1e15, 1e18])
def test_least_norm_never_costs_the_fit(ratio):
    random = np.random.default_rng(0)
    u, k = random.standard_normal(60), random.integers(0, 3, 60)
    columns = np.column_stack([u / ratio**0.5, ratio**0.5 * np.eye(3)[k]])
    model = GDLinearRegressor().fit(columns, u + k)
    np.testing.assert_allclose(model.predict(columns), u + k, atol=1e-12)
    assert model.coef_[0] / ratio**0.5 == pytest.approx(1, abs=1e-9)


def test_weights_over_six_decades_on_a_wide_table():
    for seed in range(20):
        random = np.random.default_rng(seed)
        columns, y = random.standard_normal((4, 6)), random.standard_normal(4)
        weights = 10 ** random.uniform(-3, 3, 4)
        model = GDLinearRegressor().fit(columns, y, weights)
        w, _ = exact_least_squares(columns, y, weights=weights)
        np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=1e-8)


def test_weights(n_targets=2):
    targets = np.column_stack([Y, random.standard_normal(N)])
    model = GDLinearRegressor().fit(X, targets, sample_weight=WEIGHTS)
    for coef, intercept, y in zip(model.coef_, model.intercept_, targets.T, strict=True):
        w, b = exact_least_squares(X, y, weights=WEIGHTS)
        np.testing.assert_allclose(coef, [float(v) for v in w], rtol=1e-12)
        assert intercept == pytest.approx(float(b), rel=1e-12)


def nearly_dependent(closeness):
    """The whole target lies in a direction in which the columns hardly vary."""
    random = np.random.default_rng(5)
    columns = random.standard_normal((N, 4))
    columns[:, 3] = columns[:, 0] + columns[:, 1] + closeness * columns[:, 3]
    y = (columns[:, 3] - columns[:, 0] - columns[:, 1]) / closeness
    return columns, y + 0.1 * random.standard_normal(N)


@pytest.mark.parametrize("closeness", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14])
def test_columns_that_nearly_depend_are_told_apart(closeness):
    columns, y = nearly_dependent(closeness)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDLinearRegressor().fit(columns, y)
    assert model.status_ is Status.CONVERGED
    assert model.rank_ == 4
    assert model.metric_ == ("moments" if closeness > 1e-5 else "qr")
    scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    if closeness > 1e-8:
        assert 1 / 3 < model.condition_number_ / np.linalg.cond(scaled) < 3
    assert misfit(model, columns, y) <= max(1e-6, evaluation(columns, model.coef_, y))


LONGLEY = np.loadtxt(Path(__file__).parent / "longley.csv", delimiter=",", skiprows=1)
X21 = np.arange(21.0)
WAMPLER = np.vander(X21, 6, increasing=True)[:, 1:]
DELTA = np.array([759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048])
DELTA = np.concatenate([DELTA, DELTA[-2::-1]])
HARD = {
    **{
        f"Wampler {i + 1}": (WAMPLER, 1 + WAMPLER.sum(axis=1) + size * DELTA)
        for i, size in ((0, 0), (2, 1), (3, 100), (4, 10_000))
    },
    "Wampler 2": (WAMPLER, 1 + WAMPLER @ 0.1 ** np.arange(1, 6)),
    "Longley": (LONGLEY[:, 1:], LONGLEY[:, 0]),
    "Hilbert columns": (1 / (np.arange(30)[:, None] + np.arange(1, 9)), np.sin(np.arange(30))),
    "degree 10": (np.vander(X21 / 20, 11)[:, :-1], np.cos(X21)),
    **{f"condition {1 / c:.0e}": nearly_dependent(c) for c in (1e-2, 1e-4, 1e-10, 3e-13)},
    "far from zero": (nearly_dependent(1e-4)[0] + 1e4, nearly_dependent(1e-4)[1] + 1e8),
}


@pytest.mark.parametrize("name", HARD)
def test_coefficients_have_fifteen_digits(name):
    columns, y = HARD[name]
    model = GDLinearRegressor().fit(columns, y)
    w, _ = exact_least_squares(columns, y)
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=1e-15)
    assert model.status_ is Status.CONVERGED


@pytest.mark.parametrize("closeness", [1e-3, 1e-4, 1e-7, 1e-9, 1e-12])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_large_tables_have_as_many_digits(closeness, fit_intercept, monkeypatch):
    """Products in twice the working precision give them, or the rows where products do not."""
    monkeypatch.setattr(data_table, "SMALL", 0)
    columns, y = nearly_dependent(closeness)
    model = GDLinearRegressor(fit_intercept=fit_intercept).fit(columns, y)
    w, _ = exact_least_squares(columns, y, intercept=fit_intercept)
    rtol = 1e-15 if model.metric_ == "qr" else 4 * np.finfo(float).eps * model.condition_number_
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=rtol)
    assert model.status_ is Status.CONVERGED
    centred, target = columns, y
    if fit_intercept:
        centred, target = columns - columns.mean(axis=0), y - y.mean()
    peer = lstsq(centred, target, lapack_driver="gelsy")[0]
    error, peers = (np.linalg.norm(v - np.array(w, dtype=float)) for v in (model.coef_, peer))
    assert error <= peers


@pytest.mark.parametrize("closeness", [1e-2, 1e-4, 1e-7])
def test_weights_cost_large_tables_no_digits(closeness, monkeypatch):
    """Moments use the roots of weights, whose rounding would cost digits."""
    monkeypatch.setattr(data_table, "SMALL", 0)
    columns, y = nearly_dependent(closeness)
    model = GDLinearRegressor().fit(columns, y, sample_weight=WEIGHTS)
    w, _ = exact_least_squares(columns, y, weights=WEIGHTS)
    rtol = 1e-15 if model.condition_number_ > 100 else 1e-11
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=rtol)


@pytest.mark.parametrize("span", [0, 6, 12, 20])
@pytest.mark.parametrize("closeness", [1e-2, 1e-5, 1e-11])
def test_weights_against_the_sizes_of_rows(closeness, span):
    """Large rows have small weights, as in most uses of weighted least squares."""
    random = np.random.default_rng(span)
    weights = 10.0 ** random.uniform(-span, span, N)
    columns = random.standard_normal((N, 1)) + closeness * random.standard_normal((N, 3))
    y = columns.sum(axis=1) + 0.1 * random.standard_normal(N)
    size = 1 / np.sqrt(weights)
    columns, y = columns * size[:, None], y * size
    model = GDLinearRegressor(fit_intercept=False).fit(columns, y, sample_weight=weights)
    w, _ = exact_least_squares(columns, y, intercept=False, weights=weights)
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=1e-15)


@pytest.mark.parametrize("offset, closeness", [(1e5, 1e-11), (1e6, 1e-10), (1e8, 1e-9)])
def test_near_dependence_far_from_zero(offset, closeness):
    """The rounding of the means times the condition number is more than the deviations."""
    random = np.random.default_rng(3)
    columns = random.standard_normal((20, 1)) + closeness * random.standard_normal((20, 3))
    columns = columns + offset * np.array([1, 0, 1 / 3])
    y = columns @ np.ones(3)
    model = GDLinearRegressor().fit(columns, y)
    w, _ = exact_least_squares(columns, y)
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=1e-14)
    assert model.status_ is Status.CONVERGED


def test_a_small_share_of_the_prediction_has_all_digits():
    """Of two like coefficients, one has a column that is 20,000 times larger than the other's."""
    columns = np.random.default_rng(0).integers(-1024, 1024, (1000, 2)).astype(float)
    columns[:, 1] += 20_000 * columns[:, 0]
    model = GDLinearRegressor().fit(columns, columns @ [1.0, 2.0])
    assert model.metric_ == "moments"
    np.testing.assert_allclose(model.coef_, [1, 2], rtol=4e-16)


def test_many_copies_of_nearly_dependent_columns():
    random = np.random.default_rng(20)
    basis = random.standard_normal((30, 1)) + 1e-9 * random.standard_normal((30, 3))
    copies = [basis[:, [random.integers(3)]] * 2.0 ** random.integers(-20, 21) for _ in range(10)]
    columns = np.hstack([basis, *copies])
    y = basis @ random.standard_normal(3) + 0.1 * random.standard_normal(30)
    model = GDLinearRegressor().fit(columns, y)
    w = np.array(exact_least_squares(columns, y)[0], dtype=float)
    # Units are 2^40 apart: what the smallest is due hardly counts
    np.testing.assert_allclose(model.coef_, w, atol=1e-5 * np.abs(w).max())
    assert np.linalg.norm(model.coef_) <= (1 + 1e-10) * np.linalg.norm(w)
    assert model.rank_ == 3


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("closeness", [1.0, 1e-2, 1e-4, 1e-6])
def test_nearly_equal_rows_of_wide_tables_cost_no_more_than_the_pseudoinverse(
    closeness, fit_intercept
):
    random = np.random.default_rng(9)
    columns = random.standard_normal((12, 20))
    columns[1] = columns[0] + closeness * columns[1]
    y = random.standard_normal(12)
    model = GDLinearRegressor(fit_intercept=fit_intercept).fit(columns, y)
    w = np.array(exact_least_squares(columns, y, fit_intercept)[0], dtype=float)
    error = np.abs(model.coef_ - w).max() / np.abs(w).max()
    assert error <= 16 * np.finfo(float).eps * max(1, model.condition_number_)
    assert np.abs(y - model.predict(columns)).max() <= 1e-15 * np.abs(model.coef_).max() * 1e2


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("closeness", [1.0, 1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize("units", [0, 15])
def test_least_norm_beside_near_dependence(closeness, units, small, monkeypatch):
    """Copies of a column in several units share its coefficient by the squares of the units."""
    if not small:
        monkeypatch.setattr(data_table, "SMALL", 0)
    columns, y = nearly_dependent(closeness)
    columns = columns * 2.0 ** (units * np.array([3, -1, 2, -2]))
    columns = np.column_stack([columns, 2 * columns[:, 1], columns[:, 2]])
    model = GDLinearRegressor().fit(columns, y)
    w, _ = exact_least_squares(columns, y)
    w = np.array(w, dtype=float)
    deviations = columns.std(axis=0)
    error = np.abs(model.coef_ - w) * deviations / np.abs(w * deviations).max()
    # Projecting on what is no copy rounds by an eps of the largest coefficient
    assert error.max() <= (1e-9 if model.condition_number_ <= 100 and not small else 1e-14)
    assert model.rank_ == 4


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 1, 3]])
def test_copies_in_small_units_keep_what_is_due_to_them(order, small, monkeypatch):
    """One length in millimetres and kilometres: one coefficient is a millionth of the other."""
    if not small:
        monkeypatch.setattr(data_table, "SMALL", 0)
    unit = 2.0**20
    a, b = X[:, 0], X[:, 1]
    columns = np.column_stack([a, 2 * unit * a, 4 * unit * a, b, unit * b])[:, order]
    w, _ = exact_least_squares(columns, Y)
    model = GDLinearRegressor().fit(columns, Y)
    np.testing.assert_allclose(model.coef_, [float(v) for v in w], rtol=1e-8)


def test_starts_do_not_change_the_answer():
    start = {"coef_init": [1e3, -1e5, 7.0, 0.0], "intercept_init": 1e6}
    model = GDLinearRegressor().fit(X * SCALES, Y, **start)
    np.testing.assert_allclose(model.coef_, GDLinearRegressor().fit(X * SCALES, Y).coef_, rtol=1e-9)


def test_max_iter_is_obeyed_and_tol_none_makes_them_all():
    assert len(GDLinearRegressor(max_iter=7, tol=None).fit(X, Y).loss_curve_) == 8
    assert GDLinearRegressor(max_iter=1).fit(X, Y).n_iter_ == 1


def test_many_blocks_are_one_table():
    """The rows fill several blocks, stretches and threads; they are sorted, so no two are alike."""
    n = 300_000
    Z = np.sort(np.random.default_rng(0).standard_normal((n, 3)), axis=0) * [1, 10, 100] + 1e5
    y = Z @ [1.0, 0.5, -0.25] + np.sin(np.arange(n))
    model = GDLinearRegressor().fit(Z, y)
    centred = Z - Z.mean(axis=0)
    # Optimality, the condition that defines the answer: residuals orthogonal to the columns
    residual = y - model.predict(Z)
    slopes = centred.T @ residual / np.linalg.norm(centred, axis=0) / np.linalg.norm(residual)
    assert np.abs(slopes).max() < 1e-9
    assert abs(residual.mean()) < 1e-9


def fitted(X, y, **weights):
    model = GDLinearRegressor().fit(X, y, **weights)
    return model.coef_, model.intercept_, model.predict(X)


powers = st.integers(-50, 50)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), scale=powers, shift=st.floats(-1e6, 1e6), target=powers)
def test_units_change_nothing_but_rounding(seed, scale, shift, target):
    random = np.random.default_rng(seed)
    X, noise = random.standard_normal((25, 3)), random.standard_normal(25)
    y = X @ random.standard_normal(3) + noise
    scales = 10.0 ** (scale * random.uniform(-1, 1, 3))
    unit = 10.0 ** (target / 4)
    coef, _, predictions = fitted(X, y)
    moved_coef, _, moved = fitted((X + shift) * scales, (y + shift) * unit)
    accuracy = 1e-11 * (1 + abs(shift)) * (1 + np.abs(coef).max())
    np.testing.assert_allclose(moved_coef * scales / unit, coef, atol=accuracy)
    np.testing.assert_allclose(moved / unit - shift, predictions, atol=accuracy)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_rows_have_no_order_and_weights_are_repetitions(seed):
    random = np.random.default_rng(seed)
    X, y = random.standard_normal((30, 3)), random.standard_normal(30)
    counts = random.integers(0, 4, 30)
    order = random.permutation(30)
    base = fitted(X, y, sample_weight=counts)[0]
    np.testing.assert_allclose(
        fitted(X[order], y[order], sample_weight=counts[order])[0], base, rtol=1e-11, atol=1e-12
    )
    repeated = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    np.testing.assert_allclose(fitted(*repeated)[0], base, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1e4, 1e6])
def test_float32_columns_far_from_zero_keep_their_predictions(shift):
    random = np.random.default_rng(0)
    columns = (random.standard_normal((200, 3)) + shift).astype(np.float32)
    y = (columns - np.float32(shift)) @ [1.0, 2.0, 3.0] + random.standard_normal(200)
    model = GDLinearRegressor().fit(columns, y.astype(np.float32))
    exact = GDLinearRegressor().fit(columns.astype(np.float64), y.astype(np.float32))
    assert model.predict(columns).dtype == np.float32
    np.testing.assert_allclose(model.predict(columns), exact.predict(columns), atol=2e-6 * y.std())


@pytest.mark.parametrize("n", [20, 256, 300])
@pytest.mark.parametrize("row, shift", [((1e6, 0), 1e3), ((0, 1e6), 1e8), ((1e6, 1e6), 1e8)])
def test_an_outlier_in_the_first_row_costs_no_digits(n, row, shift):
    random = np.random.default_rng(n)
    X, y = random.standard_normal((n, 1)), random.standard_normal(n) + shift
    X[0] += row[0]
    y[0] += row[1]
    model = GDLinearRegressor().fit(X, y)
    w, b = exact_least_squares(X, y)
    assert model.coef_[0] == pytest.approx(float(w[0]), rel=1e-14)
    assert model.intercept_ == pytest.approx(float(b), rel=1e-15)
    square = sum(Fraction(v) ** 2 for v in y.tolist()) / n
    assert model.loss_curve_[0] == pytest.approx(float(square), rel=1e-14)


@pytest.mark.parametrize("size", [1e-300, 1e300])
@pytest.mark.parametrize(
    "value, words", [(np.inf, "y contains infinity"), (1e200, "y has .* overflow")]
)
@pytest.mark.parametrize("row", [0, 3])
def test_targets_beyond_floats_are_named_beside_columns_of_any_size(size, value, words, row):
    X, y = np.c_[np.arange(9.0), size * np.sin(np.arange(9.0))], np.arange(9.0)
    y[row] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=words):
            GDLinearRegressor().fit(X, y)


@pytest.mark.parametrize("mean", [0.0, 3.0])
@pytest.mark.parametrize("size", [2.0**-900, 2.0**976, 2.0**1000, 2.0**1015])
def test_the_fit_of_many_rows_is_the_same_in_units_near_the_ends_of_floats(size, mean):
    random = np.random.default_rng(0)
    X = random.standard_normal((400, 3)) + mean
    y = X @ [1.0, -2.0, 3.0] + random.standard_normal(400)
    w, b = exact_least_squares(X, y)  # a power of two as unit is exact
    model = GDLinearRegressor().fit(X * [size, 1.0, size], y)
    assert model.coef_ * [size, 1.0, size] == pytest.approx([float(v) for v in w], rel=1e-14)
    assert model.intercept_ == pytest.approx(float(b), rel=1e-14)


@pytest.mark.parametrize("value", [1e302, -1.7e308])
@pytest.mark.parametrize("shape", [(50, 3), (400, 3), (5, 9)])
def test_a_constant_column_of_any_size_changes_nothing(shape, value):
    random = np.random.default_rng(0)
    X, noise = random.standard_normal(shape), random.standard_normal(shape[0])
    y = 2 * X[:, 0] + 10 + noise
    without = GDLinearRegressor().fit(X, y)
    model = GDLinearRegressor().fit(np.insert(X, 1, value, axis=1), y)
    assert model.coef_[1] == 0
    assert np.delete(model.coef_, 1) == pytest.approx(without.coef_, rel=1e-14)
    assert model.intercept_ == pytest.approx(without.intercept_, rel=1e-14)


def test_a_start_from_which_the_loss_overflows_is_refused_and_nothing_else_is_said():
    X, y = np.arange(12.0).reshape(6, 2) ** 2, np.arange(6.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="loss overflows at the start"):
            GDLinearRegressor().fit(X, y, coef_init=[1e154, 1e154])


def test_rounding_of_an_update_is_not_long_in_a_column_of_small_unit():
    """A coefficient per 1e-25 has to be 0 for the norm to be least: the others suffice."""
    random = np.random.default_rng(1)
    X, y = random.standard_normal((5, 8)), random.standard_normal(5)
    X[4, 0] = X[1, 2] = 1e8
    enough = GDLinearRegressor().fit(X[:, :7], y)
    X[:, 7] *= 1e-25
    model = GDLinearRegressor().fit(X, y)
    assert model.rank_ == enough.rank_ == 4
    assert np.linalg.norm(model.coef_) <= 10 * np.linalg.norm(enough.coef_)
