"""The rungs of "auto": each reaches the minimum on every table, within memory, bit for bit."""

import gc
import math
import tracemalloc
import warnings

import numpy as np
import pytest
from reference import exact_least_squares
from scipy.linalg import lstsq
from scipy.sparse import csr_array

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.arithmetic import kernels
from gd_regressor.auto import ladder
from gd_regressor.auto.by_sketch import SKETCH_SAFETY, by_sketch
from gd_regressor.auto.follow import follow_auto
from gd_regressor.auto.ladder import cheap_rungs
from gd_regressor.data import products
from gd_regressor.data import table as data_table
from gd_regressor.data.inputs import rows_of
from gd_regressor.data.moved import MovedColumns
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Bound, Request
from gd_regressor.descent.steps import ConjugateStep, ConstantStep
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.diagonal import Identity
from gd_regressor.objective.frame import Frame, shift_of
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_sliced import SlicedLoss
from gd_regressor.textbook import follow as textbook

random = np.random.default_rng(8)
N, D = 2400, 30
TALL = ("sketch", "single", "moments", "qr")
PLAIN = random.standard_normal((N, D))
NOISE = random.standard_normal(N)


def correlated(rho):
    columns = PLAIN.copy()
    for j in range(1, D):
        columns[:, j] = rho * columns[:, j - 1] + np.sqrt(1 - rho**2) * PLAIN[:, j]
    return columns


def changed(rows, columns, value):
    table = PLAIN.copy()
    table[rows, columns] = value
    return table


def one_hot(kinds):
    frequencies = 1 / np.arange(1.0, kinds + 1)
    frequencies /= frequencies.sum()
    blocks = [np.eye(kinds)[random.choice(kinds, N, p=frequencies)] for _ in range(D // kinds)]
    return np.hstack(blocks)


HEAVY = random.standard_t(1.5, (N, D))
RARE = PLAIN.copy()
RARE[:, 0] = 0.0
RARE[N // 3, 0] = 1.0
TABLES = {
    "plain": PLAIN,
    "correlated": correlated(0.95),
    "one-hot": one_hot(10),
    "heavy tails": HEAVY,
    "heavy tails, sorted": HEAVY[np.argsort(np.abs(HEAVY).max(axis=1))],
    "a row of extreme leverage": changed(N // 2, slice(None), 1e6 * PLAIN[N // 2]),
    "an entry of extreme leverage": changed(N // 2, 3, 1e9),
    "a category in one row": RARE,
    "as many rare rows as columns": np.vstack([1e-6 * PLAIN[: N - D], np.eye(D)]),
    "zero but for a stretch": PLAIN * (np.arange(N) > N - 100)[:, None],
    "periodic": np.tile(PLAIN[: N // 16], (16, 1)),
    "units and offsets": PLAIN * 10.0 ** np.linspace(-6, 6, D) + 10.0 ** np.linspace(0, 12, D),
    "smooth": np.cumsum(PLAIN, axis=0),
    "a constant and a duplicate": np.column_stack([PLAIN, PLAIN[:, 4], np.full(N, 7.0)]),
    "nearly dependent": np.column_stack([PLAIN, PLAIN @ np.ones(D) + 1e-4 * NOISE]),
}


@pytest.fixture(autouse=True)
def as_in_large_tables(request, monkeypatch):
    """Treat small tables as large ones: small tables end with more digits than they need."""
    monkeypatch.setattr(data_table, "SMALL", 0)


def follow(rung, X, y, weights=None, *, start=0.0, fit_intercept=True, tol=1e-12, max_iter=1000):
    """The result of "auto" from one rung on. It must not warn."""
    rows = Rows(X, np.reshape(y, (len(X), -1)), weights)
    start = np.full((X.shape[1], rows.y.shape[1]), start), np.zeros(rows.y.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return follow_auto(rows, start, Request(fit_intercept, max_iter, tol), rung=rung)


def excess(result, X, y, weights=None, fit_intercept=True):
    """(F - F*) / V by Pythagoras: the mean square of the residual's projection on the columns."""
    s = np.ones(len(X)) if weights is None else weights
    root, share = np.sqrt(s)[:, None], s / s.sum()
    y = np.reshape(y, (len(X), -1))
    columns = X - share @ X if fit_intercept else X
    columns = columns - share @ columns if fit_intercept else columns
    columns = columns / np.maximum(np.abs(columns).max(axis=0), 1e-300)
    design = np.column_stack([columns, np.ones(len(X))]) if fit_intercept else columns
    # The dimensions that count, found apart from the code under test
    left, values, _ = np.linalg.svd(root * design, full_matrices=False)
    left = left[:, values > 1e-10 * values[0]]
    residual = y - X.astype(float) @ result.coef.T - result.intercept
    variance = share @ (y - (share @ y if fit_intercept else 0)) ** 2
    return ((left.T @ (root * residual)) ** 2).sum(axis=0) / s.sum() / variance


@pytest.mark.parametrize("rung", TALL)
@pytest.mark.parametrize("name", TABLES)
def test_every_rung_reaches_the_minimum(name, rung):
    X = TABLES[name]
    y = X @ (1 / (1 + np.abs(X).max(axis=0))) + NOISE
    result = follow(rung, X, y)
    # Where evaluating X w costs more than the tolerance, that is what is asked
    rounding = 8 * np.finfo(float).eps * (np.abs(X) @ np.abs(result.coef[0])).max() / y.std()
    assert excess(result, X, y).max() <= max(1e-12, rounding**2)
    assert result.status is Status.CONVERGED
    assert result.of_data.rank == D + {"one-hot": -3, "nearly dependent": 1}.get(name, 0)


# Multiples of 2^-20, which no offset up to 2^32 rounds
EXACT = {name: np.round(TABLES[name] * 2**20) / 2**20 for name in ("plain", "correlated")}
OFFSETS = [0.0, 6.0, 100.0, 900.0, 1e4, 1e6, 1e8]


def followed(rung, name, offset, tol=1e-12):
    """Fit a table moved by an offset; return the result in terms of the unmoved columns."""
    X, offsets = EXACT[name], offset * (-1.0) ** np.arange(D)
    y = X @ np.ones(D) + NOISE
    result = follow(rung, X + offsets, y, tol=tol)
    terms = [*(result.coef[0] * offsets), result.intercept[0]]
    return result._replace(intercept=np.array([math.fsum(terms)])), X, y


@pytest.mark.parametrize("rung", TALL)
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("tol", [1e-9, 1e-12, 1e-15])
@pytest.mark.parametrize("name", EXACT)
def test_offsets_leave_the_loss_within_tol_of_its_minimum(name, tol, offset, rung):
    result, X, y = followed(rung, name, offset, tol)
    # The intercept itself is rounded, and so are the predictions
    rounding = np.finfo(float).eps * offset * np.abs(result.coef).sum()
    assert excess(result, X, y).max() <= tol + (rounding / y.std()) ** 2


@pytest.mark.parametrize("name", EXACT)
def test_offsets_of_ten_deviations_cost_the_moments_no_digits(name):
    near, far = (followed("moments", name, offset, tol=1e-12)[0] for offset in (0.0, 10.0))
    assert near.of_data.metric == far.of_data.metric == "moments"
    np.testing.assert_allclose(far.coef, near.coef, rtol=1e-12)


@pytest.mark.parametrize("tol, offset, centred", [(1e-12, 900, False), (1e-16, 1e8, True)])
def test_a_sketched_descent_centres_blocks_only_where_tol_asks(tol, offset, centred):
    rows = Rows(EXACT["plain"] + offset, NOISE[:, None])
    plan, _ = by_sketch(rows, Request(fit_intercept=True, max_iter=100, tol=tol), None)
    assert (plan.problem.loss.shift is None) is centred


@pytest.mark.parametrize(("far", "needed"), [(0, False), (D // 8, False), (D // 8 + 1, True)])
def test_blocks_are_copied_only_where_more_than_a_few_means_cost_digits(far, needed, monkeypatch):
    copied = []
    moved = products.side_by_side
    monkeypatch.setattr(products, "side_by_side", lambda *a: copied.append(a) or moved(*a))
    X = PLAIN + np.where(np.arange(D) < far, 6.0, 1.0)
    assert follow("moments", X, NOISE).of_data.rank == D
    assert bool(copied) is needed


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [np.ascontiguousarray, np.asfortranarray, np.float32])
def test_few_columns_far_from_zero_move_alone_and_cost_no_digit(kind, weighted):
    """A pass is that over the centred columns, though the others stay as they are."""
    far = np.isin(np.arange(D), [2, 17])
    X = np.round(PLAIN * 2.0**8) + np.where(far, 2.0**14, 0.0)
    weights = random.uniform(0, 2, N) if weighted else None
    rows = Rows(kind(X), NOISE[:, None], weights).in_precision(kind(X).dtype)
    centre = np.round(np.average(X, axis=0, weights=weights))
    frame = Frame(centre, np.full(D, 2.0**8), NOISE[:1], True)
    theta = random.standard_normal((D + 1, 1))
    whole, alone = (DataLoss(rows, frame, shift) for shift in (None, shift_of(frame)))
    np.testing.assert_array_equal(alone.shift, np.where(far, centre, 0.0))
    rtol = 1e-5 if kind is np.float32 else 1e-13
    for name in ("value_and_gradient", "hessian_product"):
        a, b = (np.vstack(getattr(loss, name)(theta)) for loss in (whole, alone))
        np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol * np.abs(a).max())
    assert alone.units().smallest == pytest.approx(whole.units().smallest, rel=10 * rtol)


def test_a_column_that_would_overflow_unmoved_warns_of_nothing():
    """A helper thread has no `np.errstate` of the fit around it."""
    x, r = np.full((4, 2), 1e307), np.array([100.0, -50.0, 20.0, 1.0])
    x[:, 1] = 1.0, 2.0, 3.0, 4.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = MovedColumns.of(x, np.array([0]), np.array([1e307, 0.0])).T @ r
    np.testing.assert_array_equal(found, [0.0, 64.0])


OPTIONS = {
    "weights": {"weights": random.integers(0, 4, N).astype(float)},
    "uneven weights": {"weights": 10.0 ** random.uniform(-6, 6, N)},
    "no intercept": {"fit_intercept": False},
    "no intercept, weights": {"fit_intercept": False, "weights": random.uniform(0, 1, N)},
    "targets": {"y": np.column_stack([NOISE, 1e3 * PLAIN[:, 0] + NOISE, np.arange(N)])},
    "constant target": {"y": np.full(N, 3.0)},
    "almost no noise": {"y": PLAIN @ np.ones(D) + 1e-7 * NOISE},
    "hardly any signal": {"y": NOISE + 1e-7 * PLAIN[:, 0]},
}


@pytest.mark.parametrize("rung", TALL)
@pytest.mark.parametrize("name", OPTIONS)
def test_weights_targets_and_intercepts_on_every_rung(name, rung):
    options = OPTIONS[name].copy()
    X, y = PLAIN + 2.0, options.pop("y", NOISE)
    result = follow(rung, X, y, **options)
    if name == "constant target":
        assert np.abs(result.coef).max() <= 1e-15
        assert abs(result.intercept[0] - 3) <= 1e-14
    else:
        assert excess(result, X, y, **options).max() <= 1e-12


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shift", [0.0, 3.0, 1e4])
def test_single_precision_is_as_good_as_its_data(shift, order):
    X = np.asarray(PLAIN + shift, dtype=np.float32, order=order)
    y = X.astype(float) @ np.ones(D) + NOISE
    for rung in TALL:
        result = follow(rung, X, y)
        kept = result._replace(coef=result.coef.astype(np.float32))  # as an estimator's are
        assert excess(kept, X.astype(float), y).max() <= 1e-12, rung


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
@pytest.mark.parametrize("name", TABLES)
def test_the_sketch_stops_where_it_says(name, tol):
    X = TABLES[name]
    y = X @ (1 / (1 + np.abs(X).max(axis=0))) + NOISE
    result = follow("sketch", X, y, tol=tol)
    rounding = 8 * np.finfo(float).eps * (np.abs(X) @ np.abs(result.coef[0])).max() / y.std()
    assert excess(result, X, y).max() <= max(tol, rounding**2)
    assert result.n_iter <= 60


def test_a_sketch_has_converged_exactly_if_its_own_rule_is_met():
    """The rule asks for more than tol, because a sketch misjudges the distance from the minimum."""
    X, between = TABLES["correlated"], 0
    y = X @ np.ones(D) + NOISE
    for tol in (1e-6, 3e-8, 4e-10, 1e-12, 2e-12):
        enough = follow("sketch", X, y, tol=tol).n_iter
        for max_iter in range(1, enough + 2):
            result = follow("sketch", X, y, tol=tol, max_iter=max_iter)
            met = result.gaps[0] <= tol / SKETCH_SAFETY * result.variance[0]
            assert result.status is (Status.CONVERGED if met else Status.MAX_ITER)
            assert result.n_iter == min(max_iter, enough)
            between += not met and result.gaps[0] <= tol * result.variance[0]
    assert between  # where one rule would go on and another would not


def test_an_exact_factor_has_converged_where_tol_is_met_before_the_floor():
    X, y, far = TABLES["correlated"], NOISE, {"start": 1e4}
    floor = follow("moments", X, y, tol=0, **far).n_iter
    assert floor > 1
    once = follow("moments", X, y, tol=1e-12, max_iter=1, **far)
    assert once.status is Status.CONVERGED and once.n_iter == 1
    below = once.gaps[0] / once.variance[0] / 2
    for tol in (0, below):
        assert follow("moments", X, y, tol=tol, max_iter=1, **far).status is Status.MAX_ITER


@pytest.mark.parametrize("start", [1.0, 1e6, 1e15])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_start_far_away_costs_the_sketch_no_digits(dtype, start):
    X = PLAIN.astype(dtype)
    result = follow("sketch", X, NOISE, start=start)
    kept = result._replace(coef=result.coef.astype(dtype))
    assert result.of_data.metric == "sketch"
    assert excess(kept, X.astype(float), NOISE).max() <= 1e-12


@pytest.mark.parametrize("unit", [1e-30, 1e-15, 1e-11, 1e11, 1e15])
@pytest.mark.parametrize("target_unit", [1e-22, 1e-11, 1.0, 1e8])
def test_single_precision_neither_overflows_nor_vanishes(unit, target_unit):
    X = PLAIN.astype(np.float32) * np.float32(unit)
    y = (PLAIN[:, 0] + NOISE) * target_unit
    assert excess(follow("sketch", X, y), X.astype(float), y).max() <= 1e-12


def test_light_rows_do_not_say_where_the_heavy_ones_are():
    light = np.arange(N) % 600 < 500
    X = PLAIN + 1e8 * ~light[:, None]
    weights = np.where(light, 1e-30, 1.0)
    for rung in TALL:
        result = follow(rung, X, NOISE, weights)
        heavy = result._replace(intercept=result.intercept + 1e8 * result.coef.sum())
        assert excess(heavy, PLAIN[~light], NOISE[~light]).max() <= 1e-12, rung


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dependent_columns_get_the_least_coefficients_on_every_rung(dtype):
    X = TABLES["one-hot"].astype(dtype)
    y = X @ random.standard_normal(D) + NOISE
    exact = X.astype(float)
    w = np.linalg.pinv(exact - exact.mean(axis=0)) @ (y - y.mean())
    for rung in TALL:
        result = follow(rung, X, y)
        assert result.of_data.rank == D - 3
        np.testing.assert_allclose(result.coef[0], w, atol=1e-5 * np.abs(w).max())


WIDE = {
    "plain": random.integers(-8, 9, (5, 8)),
    "far from zero": 10**8 + random.integers(-8, 9, (5, 8)),
    "square": random.integers(-8, 9, (6, 6)),
    "equal rows": np.repeat(random.integers(-8, 9, (3, 8)), 2, axis=0),
    "equal columns": np.repeat(random.integers(-8, 9, (5, 4)), 2, axis=1),
    "a constant": np.column_stack([random.integers(-8, 9, (5, 7)), np.full(5, 3)]),
    "units": random.integers(-8, 9, (5, 8)) * 2.0 ** np.arange(-8, 8, 2),
}


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", WIDE)
def test_more_columns_than_rows_have_the_exact_least_coefficients(name, fit_intercept):
    X = WIDE[name].astype(float)
    y = random.integers(-20, 21, len(X)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDLinearRegressor(fit_intercept=fit_intercept).fit(X, y)
    w, _ = exact_least_squares(X, y, fit_intercept)
    # Without an intercept the offset makes the raw columns ill-conditioned: another rung's
    assert model.metric_ == ("qr" if name == "far from zero" and not fit_intercept else "dual")
    exact = np.array([float(v) for v in w])
    np.testing.assert_allclose(model.coef_, exact, atol=1e-12 * np.abs(exact).max())


def test_the_dual_is_the_same_from_any_start():
    X, y = random.standard_normal((20, 50)), random.standard_normal(20)
    for start in (1.0, 1e8, 1e16):
        model = GDLinearRegressor().fit(X, y, coef_init=np.full(50, start))
        np.testing.assert_allclose(model.coef_, GDLinearRegressor().fit(X, y).coef_, atol=1e-14)


@pytest.mark.parametrize("closeness", [1e-6, 1e-8, 1e-10, 1e-12])
def test_large_tables_keep_the_digits_of_pivoted_qr(closeness):
    ratios = []
    for seed in range(7):  # which of two good solvers is closer on one table is luck
        columns = np.random.default_rng(seed).standard_normal((N, D + 1))
        columns[:, -1] = columns[:, 0] + closeness * columns[:, -1]
        y = columns.sum(axis=1)  # without noise: all coefficients are 1, to the rounding of y
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = GDLinearRegressor().fit(columns, y)
        centred = columns - columns.mean(axis=0)
        peer = lstsq(centred, y - y.mean(), lapack_driver="gelsy")[0]
        assert model.metric_ == "qr"
        ratios.append(np.abs(model.coef_ - 1).max() / np.abs(peer - 1).max())
    assert np.median(ratios) <= 1


@pytest.mark.parametrize("wide", [True, False])
def test_the_sizes_choose_the_rung(wide, monkeypatch):
    monkeypatch.setattr(kernels, "has_wide_kernels", lambda: wide)
    chosen = {
        (159, 5): "moments",
        (1_000_000, 10): "moments",
        (400_000, 40): "moments",
        (200_000, 100): "moments",
        (200_000, 250): "single",
        (100_000, 250): "single",
        (100_000, 500): "single" if wide else "sketch",
        (400_000, 500): "sketch",
        (50_000, 2000): "sketch",
        (3000, 2000): "moments",
        (100, 100): "dual",
        (100, 5000): "dual",
    }
    found = {size: [*cheap_rungs(*size, 1, 1e-12), "moments"][0] for size in chosen}
    assert found == chosen
    order = ("single", "sketch") if wide else ("sketch", "single")
    assert cheap_rungs(100_000, 500, 1, 1e-12) == order
    assert cheap_rungs(100_000, 500, 1, 1e-12, np.float32) == ("sketch",)
    assert not cheap_rungs(100_000, 500, 1, 0.0)  # to the floor
    assert not cheap_rungs(100_000, 500, 1, None)
    assert not cheap_rungs(100_000, 500, 500, 1e-12)  # a pass over many targets is long


def test_conjugate_steps_are_as_fast_as_the_theorem_says():
    rows, frame = Rows(PLAIN, NOISE[:, None]), Frame.raw(Rows(PLAIN, NOISE[:, None]), False)
    values = np.linalg.eigvalsh(2 * PLAIN.T @ PLAIN / N)
    ratio = np.sqrt(values[-1] / values[0])
    zero = np.zeros((D, 1))
    problem = Smooth(DataLoss(rows, frame), Identity(1.0))
    path = Walk(problem, zero, ConjugateStep(first=zero + 1))
    exact = np.linalg.lstsq(PLAIN, NOISE)[0]
    least = np.mean((NOISE - PLAIN @ exact) ** 2)
    gaps = path.records(0, 9).losses[:, 0] - least
    for k in range(1, 10):  # from the first point on, where the steps become conjugate
        bound = 4 * ((ratio - 1) / (ratio + 1)) ** (2 * (k - 1))
        assert gaps[k] <= bound * gaps[1] + 1e-14


@pytest.mark.parametrize("rung", [*TALL, "dual"])
def test_the_same_bits_every_time(rung):
    X, y = (PLAIN[:20].copy(), NOISE[:20]) if rung == "dual" else (PLAIN, NOISE)
    first, second = (follow(rung, X, y) for _ in range(2))
    assert np.array_equal(first.coef, second.coef)
    assert np.array_equal(first.intercept, second.intercept)
    assert np.array_equal(first.loss_curve, second.loss_curve)


# --- Tables of the sizes that the rungs are for ---

LARGE = {
    "moments": (150_000, 80),
    "single": (80_000, 150),
    "sketch": (40_000, 800),
    "qr": (60_000, 150),
}


@pytest.fixture(scope="module")
def large():
    """Tables larger than the memory that a fit may use. One has two nearly equal columns."""
    tables = {}
    for rung, size in LARGE.items():
        X = np.random.default_rng(1).standard_normal(size)
        if rung == "qr":
            X[:, -1] = X[:, -2] + 1e-7 * X[:, -1]
        tables[rung] = X, X[:, 0] + np.random.default_rng(2).standard_normal(size[0])
    return tables


@pytest.fixture
def first(rung, monkeypatch):
    """Whatever this machine's kernels are, single precision is tried where it is meant."""
    cost = 0.0 if rung == "single" else math.inf
    monkeypatch.setattr(ladder, "single_cost", lambda *sizes: cost)


def peak_of(fit):
    gc.collect()
    tracemalloc.start()
    try:
        model = fit()
        return model, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rung", LARGE)
def test_a_fit_makes_no_copy_of_the_table_and_does_not_write_to_it(
    rung, dtype, order, large, first
):
    X, y = large[rung]
    if rung == "qr" and dtype == np.float32:
        pytest.skip("single precision has no room for such a condition number")
    X = np.asarray(X, dtype=dtype, order=order)
    X.flags.writeable = False
    n, d = X.shape
    GDLinearRegressor().fit(PLAIN, NOISE)  # imports on first use are not of a fit
    model, peak = peak_of(lambda: GDLinearRegressor().fit(X, y))
    assert model.metric_ == ("moments" if rung == "single" else rung)
    promised = 64 * 2**20 + 8 * (12 * d**2 + 2 * n)
    assert peak <= promised


@pytest.mark.parametrize("closeness, metric", [(1e-3, "moments"), (1e-7, "qr")])
def test_doubled_precision_of_many_columns_stays_within_the_promise(closeness, metric):
    n, d = 4000, 1000
    X = np.random.default_rng(1).standard_normal((n, d))
    X[:, -1] = X[:, -2] + closeness * X[:, -1]
    y = X[:, 0] + np.random.default_rng(2).standard_normal(n)
    GDLinearRegressor().fit(PLAIN, NOISE)
    model, peak = peak_of(lambda: GDLinearRegressor().fit(X, y))
    assert model.metric_ == metric
    assert peak <= 64 * 2**20 + 8 * (12 * d**2 + 2 * n)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rung", LARGE)
def test_what_is_not_finite_is_seen_in_large_tables(rung, value, weighted, large, first):
    X, y = large[rung]
    X = X.copy()
    X[-7, 3] = value
    weights = (np.arange(len(X)) < len(X) // 2).astype(float) if weighted else None
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        GDLinearRegressor().fit(X, y, sample_weight=weights)


def test_large_tables_of_few_columns_are_read_once(monkeypatch):
    """If moments can resolve the condition number, no gradient from the rows is needed."""
    passes = []
    for loss in (DataLoss, SlicedLoss):
        whole = loss.value_and_gradient
        seen = lambda *a, whole=whole: passes.append(a) or whole(*a)  # noqa: E731
        monkeypatch.setattr(loss, "value_and_gradient", seen)
    model = GDLinearRegressor().fit(PLAIN, NOISE)
    assert model.metric_ == "moments"
    assert not passes
    assert GDLinearRegressor(tol=0).fit(PLAIN, NOISE).metric_ == "moments"
    assert passes  # to the floor they are read


# --- What a distance from the minimum is said to be ---


COMMON = PLAIN + 2 * NOISE[:, None]  # columns with a large part in common: P is no inverse of H
COMMON_Y = COMMON.sum(axis=1) + np.roll(NOISE, 1)


def left_of(result):
    """The distance from the minimum by the theorem of Pythagoras."""
    return float(excess(result, COMMON, COMMON_Y).max() * result.variance.max())


@pytest.mark.parametrize("max_iter", [1, 2])
@pytest.mark.parametrize("rung", ["scaled", "sketch"])
def test_what_is_not_sure_is_not_said_to_be_at_least(rung, max_iter):
    """P H may have eigenvalues above 1 there; those of correlations are at most d."""
    X = csr_array(COMMON) if rung == "scaled" else COMMON
    rows = rows_of(X, COMMON_Y, None)
    start, asked = (np.ones((D, 1)), np.zeros(1)), Request(True, max_iter, 1e-15)
    result = follow_auto(rows, start, asked, rung=rung)
    assert result.status is Status.MAX_ITER
    assert result.gap_is is Bound.ABOUT
    assert left_of(result) / 100 < result.gap < left_of(result) * (D if rung == "scaled" else 4)


@pytest.mark.parametrize("closed", [True, False])
def test_textbook_distances_are_exact_in_closed_form_and_else_at_least(closed, monkeypatch):
    monkeypatch.setattr(textbook, "closed_form_pays", lambda *_: closed)
    rows, step = rows_of(COMMON, COMMON_Y, None), ConstantStep(1e-3)
    start = np.zeros((D, 1)), np.zeros(1)
    result = textbook.follow_textbook(rows, step, start, Request(True, 30, None))
    if closed:
        assert result.gap_is is Bound.EXACT
        assert result.gap == pytest.approx(left_of(result), rel=1e-9)
    else:
        assert result.gap_is is Bound.AT_LEAST
        assert 0 < result.gap <= left_of(result)
