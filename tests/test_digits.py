"""Every coefficient is right to the last bits, or at least as right as with pivoted QR.

The truth is exact rational arithmetic, at condition numbers from 1 to 1e14.
"""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from reference import (
    exact_coefficients,
    exact_least_norm,
    exact_least_squares,
    integers,
    ulps,
)
from scipy import sparse
from scipy.linalg import lstsq

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.auto import by_moments
from gd_regressor.data import table as data_table
from gd_regressor.data.products import products_of
from gd_regressor.data.table import Rows
from gd_regressor.objective import on_rows_sliced
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows_sliced import SlicedLoss

CONDITIONS = [1, 8, 30, 49, 51, 1e2, 3e2, 1e3, 1e5, 1e7, 1e9, 1e11, 1e13, 1e14]
SIZES = [(4, 1), (9, 3), (60, 4), (159, 5), (30, 8)]
LEAST = 2.0  # ulps


def columns_of(random, n, d, condition):
    """Columns of length sqrt(n) with about this condition number."""
    left, _ = np.linalg.qr(random.standard_normal((n, d)))
    right, _ = np.linalg.qr(random.standard_normal((d, d)))
    columns = (left * np.geomspace(1, 1 / condition, d)) @ right
    return columns / np.linalg.norm(columns, axis=0) * np.sqrt(n)


def plain(Z, w, e, random):
    return Z + random.uniform(-2, 2, len(w)), Z @ w + e, {}


def far_from_zero(Z, w, e, random):
    return Z + 1e6 * random.uniform(-1, 1, len(w)), Z @ w + e, {}


def in_other_units(Z, w, e, random):
    return Z * 10.0 ** random.uniform(-8, 8, len(w)), Z @ w + e, {}


def nearly_constant_target(Z, w, e, random):
    return Z + 1, 1e8 + Z @ w + e, {}


def hardly_any_signal(Z, w, e, random):
    return Z, e + 1e-3 * (Z @ w), {}


def exact_fit(Z, w, e, random):
    return Z + 1, Z @ w, {}


def weighted(Z, w, e, random):
    return Z + 1, Z @ w + e, {"weights": 10.0 ** random.uniform(-3, 3, len(e))}


def whole_numbers(Z, w, e, random):
    return np.round(1000 * Z), np.round(100 * (Z @ w + e)), {}


def heavy_tails(Z, w, e, random):
    return Z * np.exp(2 * random.standard_normal((len(e), 1))), Z @ w + e, {}


def without_intercept(Z, w, e, random):
    return Z + random.uniform(-2, 2, len(w)), Z @ w + e, {"intercept": False}


def nearly_in_the_columns_without_intercept(Z, w, e, random):
    X = Z + random.uniform(-2, 2, len(w))
    return X, X @ w + 1e-9 * e, {"intercept": False}


def nearly_constant_target_without_intercept(Z, w, e, random):
    return Z + random.uniform(-2, 2, len(w)), 1e8 + e, {"intercept": False}


def weighted_without_intercept(Z, w, e, random):
    weights = random.integers(0, 4, len(e)) + 0.25 * (np.arange(len(e)) < 9)
    return Z + 1, Z @ w + e, {"intercept": False, "weights": weights}


KINDS = [
    plain,
    far_from_zero,
    in_other_units,
    nearly_constant_target,
    hardly_any_signal,
    exact_fit,
    weighted,
    whole_numbers,
    heavy_tails,
    without_intercept,
    nearly_in_the_columns_without_intercept,
    nearly_constant_target_without_intercept,
    weighted_without_intercept,
]


def fitted(X, y, intercept=True, weights=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GDLinearRegressor(fit_intercept=intercept, **options)
        model.fit(X, y, sample_weight=weights)
    return model, np.append(model.coef_, [model.intercept_] * intercept)


def pivoted_qr(X, y, intercept=True, weights=None):
    A = np.column_stack([X, np.ones(len(X))]) if intercept else X
    root = np.ones(len(X)) if weights is None else np.sqrt(weights)
    # Beside columns that depend, LAPACK's own bound takes rounding for a direction
    return lstsq(root[:, None] * A, root * y, cond=1e-14, lapack_driver="gelsy")[0]


def true_condition(X, intercept=True, weights=None):
    root = np.ones(len(X)) if weights is None else np.sqrt(weights)
    A = X - np.average(X, axis=0, weights=root**2) if intercept else X
    A = root[:, None] * A
    return np.linalg.cond(A / np.linalg.norm(A, axis=0))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_coefficient_of_a_small_table_is_as_right_as_pivoted_qr(kind):
    seen = 0
    for i, condition in enumerate(CONDITIONS):
        n, d = SIZES[(i + len(kind.__name__)) % len(SIZES)]
        random = np.random.default_rng([2025, i, n])
        Z, w, e = columns_of(random, n, d, condition), *map(random.standard_normal, (d, n))
        X, y, options = kind(Z, w, e, random)
        if true_condition(X, **options) > 1e14:
            continue
        exact = exact_coefficients(X, y, **options)
        ours, peers = fitted(X, y, **options)[1], pivoted_qr(X, y, **options)
        assert (ulps(ours, exact) <= np.maximum(LEAST, ulps(peers, exact))).all(), condition
        seen += 1
    assert seen >= len(CONDITIONS) / 2


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("offset", [0, 3, 100])
@pytest.mark.parametrize("n, d", [(5000, 2), (900, 12), (2500, 4)])
def test_larger_small_tables(n, d, offset, order):
    """We do not centre columns that lie near zero."""
    random = np.random.default_rng([7, n, offset])
    Z = columns_of(random, n, d, 20)
    X = np.asarray(Z + offset * random.uniform(0.5, 1, d), order=order)
    y = Z @ random.standard_normal(d) + random.standard_normal(n)
    exact, (model, ours) = exact_coefficients(X, y), fitted(X, y)
    assert model.metric_ == "moments" and model.n_iter_ == 1
    assert ulps(ours, exact).max() <= 0.51


def test_several_targets_each_have_their_digits():
    random = np.random.default_rng(17)
    X = columns_of(random, 80, 4, 40) + 1
    noise = random.standard_normal(80)
    targets = np.column_stack([X @ np.ones(4) + noise, 1e6 * noise + 1, 1e-9 * X[:, 0] + 1e9])
    model = GDLinearRegressor().fit(X, targets)
    for coef, intercept, y in zip(model.coef_, model.intercept_, targets.T, strict=True):
        assert ulps([*coef, intercept], exact_coefficients(X, y)).max() <= 0.51


def pontius():
    """The shape of Pontius' load cells: a quadratic in loads of up to 3e6."""
    load = np.repeat(np.arange(1, 21) * 150_000.0, 2)
    noise = 2e-4 * np.random.default_rng(1).standard_normal(40)
    return np.column_stack([load, load**2]), np.round(
        7e-4 + 7.3e-7 * load - 3.2e-15 * load**2 + noise, 5
    )


def norris():
    """The shape of Norris' ozone monitors: a line through readings of up to 1,000."""
    random = np.random.default_rng(2)
    reading = np.round(np.tile(np.linspace(0.2, 999, 12), 3) + random.uniform(0, 1, 36), 1)
    return reading[:, None], np.round(1.002 * reading - 0.26 + random.standard_normal(36), 1)


@pytest.mark.parametrize("shape", [pontius, norris])
def test_shapes_of_low_condition_number_have_all_digits(shape):
    X, y = shape()
    model, ours = fitted(X, y)
    assert model.condition_number_ < 20
    assert ulps(ours, exact_coefficients(X, y)).max() <= 0.51


@pytest.mark.parametrize("intercept", [True, False])
def test_columns_that_depend_have_the_digits_of_their_null_space(intercept):
    """The minimiser of least norm, against exact arithmetic. A null vector is known to some eps."""
    for seed in range(6):
        random = np.random.default_rng([5, seed])
        Z = random.integers(-9, 10, (25, 3)).astype(float)
        X = np.column_stack([Z, Z[:, 0], Z @ [1.0, -2.0, 1.0]])
        y = random.standard_normal(25)
        w, _ = exact_least_squares(X, y, intercept)
        size = max(map(abs, w))
        model, _ = fitted(X, y, intercept)
        assert model.rank_ == 3
        errors = [abs(Fraction(float(a)) - b) / size for a, b in zip(model.coef_, w, strict=True)]
        assert max(errors) <= 2 * np.finfo(float).eps


def test_starts_and_all_updates_lead_to_the_same_digits():
    random = np.random.default_rng(4)
    X = columns_of(random, 50, 3, 30) + 2
    y = X @ np.ones(3) + random.standard_normal(50)
    exact = exact_coefficients(X, y)
    for options in ({"tol": None, "max_iter": 20}, {"tol": 0}, {"tol": 1e-3}):
        assert ulps(fitted(X, y, **options)[1], exact).max() <= 0.51
    for start in (1.0, 1e8):
        model = GDLinearRegressor().fit(X, y, coef_init=np.full(3, start))
        assert ulps([*model.coef_, model.intercept_], exact).max() <= 0.51


def test_an_update_that_max_iter_forbids_is_not_made():
    """The last step in twice the working precision takes only rounding away."""
    random = np.random.default_rng(6)
    X = columns_of(random, 50, 3, 30)
    y = X @ np.ones(3) + random.standard_normal(50)
    far = GDLinearRegressor(max_iter=1, tol=0)
    with pytest.warns(match="max_iter=1"):
        far.fit(X, y, coef_init=np.full(3, 1e13))
    assert far.status_ is Status.MAX_ITER
    assert ulps(far.coef_, exact_coefficients(X, y)[:3]).max() > 100


# --- More columns than rows ---


def pivoted_qr_of_least_norm(X, y, intercept):
    """In centred columns, without the direction that centring takes away."""
    centre, target = (X.mean(axis=0), y.mean()) if intercept else (np.zeros(X.shape[1]), 0.0)
    w = lstsq(X - centre, y - target, cond=1e-13, lapack_driver="gelsy")[0]
    return np.append(w, [target - centre @ w] * intercept)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("offset", ["none", "near", "far"])
def test_each_coefficient_of_least_norm_is_as_right_as_pivoted_qr(offset, intercept):
    seen = 0
    for seed in range(15):
        random = np.random.default_rng([8, seed])
        n = random.integers(2, 12)
        d = n + random.integers(0, 20)
        left, _, right = np.linalg.svd(random.standard_normal((n, d)), full_matrices=False)
        X = (left * np.geomspace(1, 10.0 ** -random.uniform(0, 5), n)) @ right * np.sqrt(d)
        X += {"none": 0, "near": 3 * random.standard_normal(d), "far": 1000.0}[offset]
        y = random.standard_normal(n) if seed % 2 else X @ random.standard_normal(d)
        model, ours = fitted(X, y, intercept)
        if model.metric_ != "dual":
            continue
        exact = exact_least_norm(X, y, intercept)
        peers = pivoted_qr_of_least_norm(X, y, intercept)
        assert (ulps(ours, exact) <= np.maximum(LEAST, ulps(peers, exact))).all(), seed
        seen += 1
    assert seen >= 10


def test_several_targets_of_least_norm_each_have_their_digits():
    random = np.random.default_rng(18)
    X = random.standard_normal((6, 15)) + 2
    targets = random.standard_normal((6, 3)) * [1, 1e6, 1e-6] + [0, 1, 1]
    model = GDLinearRegressor().fit(X, targets)
    assert model.metric_ == "dual"
    for coef, intercept, y in zip(model.coef_, model.intercept_, targets.T, strict=True):
        assert ulps([*coef, intercept], exact_least_norm(X, y)).max() <= LEAST


def test_least_norm_of_weighted_rows_that_repeat():
    """Beside others, a row that comes twice with two targets: no fit goes through both."""
    for seed in range(4):
        random = np.random.default_rng([19, seed])
        X = random.integers(-9, 10, (5, 8)).astype(float)
        X = np.vstack([X, X[0]])
        y, weights = random.standard_normal(6), random.integers(1, 5, 6).astype(float)
        w, b = exact_least_squares(X, y, True, weights)
        model, ours = fitted(X, y, weights=weights)
        assert model.metric_ == "dual"
        assert ulps(ours, [*w, b]).max() <= LEAST


def test_all_updates_and_starts_lead_to_the_digits_of_least_norm():
    random = np.random.default_rng(20)
    X, y = random.standard_normal((6, 15)) + 2, random.standard_normal(6)
    exact = exact_least_norm(X, y)
    for options in ({"tol": None, "max_iter": 20}, {"tol": 0}, {"tol": 1e-3}):
        assert ulps(fitted(X, y, **options)[1], exact).max() <= LEAST
    model = GDLinearRegressor().fit(X, y, coef_init=np.full(15, 1e6))
    assert ulps([*model.coef_, model.intercept_], exact).max() <= LEAST


# --- The loss itself ---


def exact_gradient(rows, frame, theta):
    """-2 mean(x r) of the centred, scaled columns and the ones, as Fractions, and its unit."""
    fractions = np.vectorize(Fraction, otypes=[object])
    s = fractions(np.ones(rows.n_rows) if rows.weights is None else rows.weights)
    x = (fractions(rows.X) - fractions(frame.centre)) / fractions(frame.scale)
    if frame.fit_intercept:
        x = np.column_stack([x, fractions(np.ones(rows.n_rows))])
    r = fractions(rows.y[:, 0]) - fractions(frame.target_centre)[0] - x @ fractions(theta[:, 0])
    unit = np.sqrt(float((s * r * r).sum() / s.sum()))
    return -2 * (s * r) @ x / s.sum(), unit


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("offset", [1, 1000])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("few", [True, False])
def test_the_gradient_is_right_to_66_bits(few, order, offset, fit_intercept, weights, monkeypatch):
    """At a minimum, where the gradient nearly vanishes, in one block and in many."""
    if not few:
        monkeypatch.setattr(on_rows_sliced, "FEW", 0)
        monkeypatch.setattr(on_rows_sliced, "ENTRIES", 200)
    random = np.random.default_rng(9)
    X = np.asarray(random.standard_normal((150, 3)) + offset * random.uniform(0, 1, 3), order=order)
    y = X @ np.ones((3, 1)) + random.standard_normal((150, 1))
    s = 10.0 ** random.uniform(-3, 3, 150) if weights else None
    rows = Rows(X, y, s)
    centre, target_centre = np.average(X, axis=0, weights=s), np.average(y, axis=0, weights=s)
    size = np.average(X**2, axis=0, weights=s) - (centre**2 if fit_intercept else 0)
    if not fit_intercept:
        centre, target_centre = 0 * centre, 0 * target_centre
    scale = np.ldexp(1.0, np.frexp(np.sqrt(size))[1])
    frame = Frame(centre, scale, target_centre, fit_intercept)
    w = exact_coefficients(X, y[:, 0], fit_intercept, s)[:3]
    theta = np.array([float(v) for v in w])[:, None] * scale[:, None]
    theta = np.vstack([theta, [[0.0]]]) if fit_intercept else theta
    _, gradient = SlicedLoss(rows, frame).value_and_gradient(theta)
    exact, unit = exact_gradient(rows, frame, theta)
    errors = [abs(float(Fraction(a) - b)) for a, b in zip(gradient[:, 0], exact, strict=True)]
    # Of terms as large as an offset of the columns makes them
    size = max(unit, np.abs(X @ (theta[:3] / scale[:, None])).max() if not fit_intercept else 0)
    relative = np.finfo(float).eps * np.abs([float(b) for b in exact])
    assert (np.array(errors) <= relative + 2.0**-66 * size).all()


# --- Large tables ---


@pytest.mark.parametrize("condition", [20, 60, 90, 1e3, 1e6, 1e9, 1e12])
def test_large_tables_have_the_digits_of_pivoted_qr(condition, monkeypatch):
    """The worst coefficient counts: its median over seeds; the worst seed may lack 0.3 digits."""
    monkeypatch.setattr(data_table, "SMALL", 0)
    digits = []
    for seed in range(20):
        random = np.random.default_rng([31, seed])
        Z = columns_of(random, 300, 3, condition)
        X, y = Z + 1, Z @ random.standard_normal(3) + random.standard_normal(300)
        exact = exact_coefficients(X, y)
        both = fitted(X, y)[1], pivoted_qr(X, y)
        digits.append([-np.log10(max(ulps(found, exact).max(), 0.5)) for found in both])
    (median, peers), (worst, peers_worst) = np.median(digits, axis=0), np.min(digits, axis=0)
    assert median >= peers
    assert worst >= peers_worst - 0.3


def as_it_is(X, random, folder):
    return X, {}


def with_weights(X, random, folder):
    return X, {"sample_weight": random.integers(1, 9, len(X)).astype(float)}


def mapped(X, random, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r"), {}


def with_a_column_twice(X, random, folder):
    return np.column_stack([X, X[:, 0]]), {}


def sparse_and_near_zero(X, random, folder):
    return sparse.csr_array(X), {}


@pytest.mark.parametrize("condition", [20, 90])
@pytest.mark.parametrize("tol", [1e-12, 0])
@pytest.mark.parametrize(
    "kind", [as_it_is, with_weights, mapped, with_a_column_twice, sparse_and_near_zero]
)
def test_any_large_table_has_the_digits_of_pivoted_qr(kind, tol, condition, monkeypatch, tmp_path):
    monkeypatch.setattr(data_table, "SMALL", 0)
    digits = []
    for seed in range(20):
        random = np.random.default_rng([32, seed])
        Z = columns_of(random, 300, 3, condition)
        if kind is sparse_and_near_zero:
            Z *= random.random((300, 1)) < 0.5
        X, y = Z + (kind is not sparse_and_near_zero), Z @ np.ones(3) + random.standard_normal(300)
        given, options = kind(X, random, tmp_path)
        weights = options.get("sample_weight")
        model = GDLinearRegressor(tol=tol).fit(given, y, **options)
        exact = exact_coefficients(X, y, weights=weights)
        peers = pivoted_qr(X if sparse.issparse(given) else np.asarray(given), y, weights=weights)
        if kind is with_a_column_twice:  # of least norm, each has half of the coefficient
            exact = [exact[0] / 2, *exact[1:3], exact[0] / 2, exact[3]]
        both = np.append(model.coef_, model.intercept_), peers
        digits.append([-np.log10(max(ulps(found, exact).max(), 0.5)) for found in both])
    (median, peers), (worst, peers_worst) = np.median(digits, axis=0), np.min(digits, axis=0)
    assert median >= peers
    assert worst >= peers_worst - 0.3


def exact_gram(A):
    """A'A of whole numbers below 2^44, as Python's: from parts whose sums fit 64 bits."""
    high = np.round(A / 2.0**20)
    low, high = (A - high * 2.0**20).astype(np.int64), high.astype(np.int64)
    across = (high.T @ low).astype(object)
    ends = (high.T @ high).astype(object), (low.T @ low).astype(object)
    return ends[0] * 2**40 + (across + across.T) * 2**20 + ends[1]


@pytest.mark.parametrize("t", [1, 17])
@pytest.mark.parametrize("far", [[], [0], [2, 15]])
def test_products_of_columns_as_they_are_have_the_origin_taken_off(far, t):
    """In whole numbers, which nothing rounds; two blocks, one of them weighted."""
    random = np.random.default_rng(21)
    x, y = (random.integers(-9, 10, (40, k)).astype(float) for k in (16, t))
    origin, target_origin = np.zeros(16), np.arange(1.0, t + 1)
    origin[far] = 1000.0
    x += origin
    s = np.where(np.arange(20) % 2, 4.0, 1.0)
    blocks = [(x[:20], y[:20], None), (x[20:], y[20:], s)]
    whole = np.column_stack([np.ones(40), x - origin, y - target_origin])
    expected = whole.T @ (whole * np.concatenate([np.ones(20), s])[:, None])
    found = products_of(blocks, origin, target_origin, None)
    np.testing.assert_array_equal(found.sums, expected[: len(found.sums)])
    np.testing.assert_array_equal(found.yy, expected.diagonal()[17:])


@pytest.mark.parametrize(
    "means",
    [10 * [0], 5 * [100, 2], [1e4] + 9 * [0]],
    ids=["about zero", "some far from zero", "one far from zero"],
)
def test_large_well_conditioned_tables_have_the_digits_of_pivoted_qr(means, monkeypatch):
    """From moments alone. Of a long sum of products few steps are rounded by the whole of it."""
    monkeypatch.setattr(data_table, "SMALL", 0)
    digits = []
    for seed in range(20):
        random = np.random.default_rng([33, seed])
        Z = random.standard_normal((20_000, 10))
        y = Z @ random.standard_normal(10) + random.standard_normal(20_000)
        whole = np.round(np.column_stack([Z + means, np.ones(len(Z)), y]) * 2.0**34)
        X, y = whole[:, :10] * 2.0**-34, whole[:, 11] * 2.0**-34
        gram = exact_gram(whole)
        exact = exactly_solved(gram[:11, :11], gram[:11, 11])
        both = fitted(X, y)[1], pivoted_qr(X, y)
        digits.append([-np.log10(max(ulps(found, exact).max(), 0.5)) for found in both])
    (median, peers), (worst, peers_worst) = np.median(digits, axis=0), np.min(digits, axis=0)
    assert median >= peers
    assert worst >= peers_worst - 0.3


def test_a_table_that_is_large():
    n, d = 350_000, 3
    random = np.random.default_rng(12)
    X = random.integers(-1000, 1001, (n, d)).astype(float)
    X[:, 1] += 20 * X[:, 0]
    y = np.round(5000 + X @ [1.0, -2.0, 0.5] + 1000 * random.standard_normal(n))
    assert X.size > data_table.SMALL
    model, ours = fitted(X, y)
    assert model.condition_number_ > by_moments.SLICED_FROM
    # Whole numbers whose sums fit 64 bits
    A = np.column_stack([X, np.ones(n)]).astype(np.int64)
    gram, right = (A.T @ A).astype(object), (A.T @ y.astype(np.int64)).astype(object)
    solution = [Fraction(v) for v in np.linalg.solve(gram.astype(float), right.astype(float))]
    assert ulps(ours, exactly_solved(gram, right)).max() <= 0.51
    assert max(abs(a - b) for a, b in zip(solution, map(Fraction, ours), strict=True)) < 1e-6


def exactly_solved(A, b):
    """The solution of a small system of whole numbers, as Fractions."""
    from reference import solved

    rows = [[Fraction(int(v)) for v in row] for row in A]
    return solved(rows, [Fraction(int(v)) for v in b])[0]


def test_the_fast_truth_is_the_slow_one():
    random = np.random.default_rng(0)
    X = random.standard_normal((12, 3)) * [1, 1e-5, 1e4]
    y, weights = random.standard_normal(12), random.uniform(0, 1, 12)
    for intercept in (True, False):
        w, b = exact_least_squares(X, y, intercept, weights)
        assert exact_coefficients(X, y, intercept, weights) == [*w, *[b] * intercept]
        w, b = exact_least_squares(X[:3].repeat(2, axis=1) + X[5:8].ravel()[:6], y[:3], intercept)
        wide = exact_least_norm(X[:3].repeat(2, axis=1) + X[5:8].ravel()[:6], y[:3], intercept)
        assert wide == [*w, *[b] * intercept]
    whole, places = integers(y)
    assert [Fraction(a, 2**places) for a in whole] == [Fraction(v) for v in y]


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_a_row_with_nearly_all_of_the_weight_hides_no_other(far):
    """With so much weight the model passes through it: least squares of the distances from it."""
    random = np.random.default_rng(34)
    X = random.standard_normal((4000, 10))
    y = X @ np.arange(10) + random.standard_normal(4000)
    X[:, 0] += far
    weights = np.where(np.arange(4000) == 0, 1e100, 1.0)
    model = GDLinearRegressor().fit(X, y, sample_weight=weights)
    through = GDLinearRegressor(fit_intercept=False).fit(X - X[0], y - y[0])
    assert model.rank_ == 10
    np.testing.assert_allclose(model.coef_, through.coef_, rtol=1e-9, atol=1e-9)
