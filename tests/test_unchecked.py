"""A value that is not finite is refused on every route, wherever it stands."""

import re

import numpy as np
import pytest
from scipy import sparse

from gd_regressor import GDLinearRegressor, gd_path
from gd_regressor.auto import by_sketch, ladder
from gd_regressor.data import table as data_table
from gd_regressor.data import unchecked
from gd_regressor.data.unchecked import Unchecked

N, D = 300, 5
random = np.random.default_rng(12)
PLAIN = random.standard_normal((N, D))
PLAIN[random.uniform(size=PLAIN.shape) < 0.2] = 0.0  # of sparse columns, none is full
TIED = PLAIN.copy()
TIED[:, -1] = TIED[:, 0] + 1e-8 * TIED[:, -1]
WIDE = PLAIN[:4]
NOISE = random.standard_normal((N, 2))
VALUES = (np.nan, np.inf, -np.inf)
RATE = {"learning_rate": 0.1, "tol": None}
# Columns, options, what is patched, and the metric that shows which engine ran
ROUTES = {
    "moments": (PLAIN, {}, {}, "moments"),
    "moments of a large table": (PLAIN, {}, {"SMALL": 100}, "moments"),
    "to the floor": (PLAIN, {"tol": 0}, {"SMALL": 100}, "moments"),
    "qr": (TIED, {}, {}, "qr"),
    "qr of a large table": (TIED, {}, {"SMALL": 100}, "qr"),
    "dual": (WIDE, {}, {}, "dual"),
    "sketch": (PLAIN, {}, {"SMALL": 100, "best_sketch": (24, 0.0)}, "sketch"),
    "scaled": (PLAIN, {}, {"SMALL": 100, "FEW_SPARSE": 2}, "scaled"),
    "closed form": (PLAIN, RATE, {"closed": True}, None),
    "closed form, wide": (WIDE, RATE, {"closed": True}, None),
    "closed form, large": (PLAIN, RATE, {"closed": True, "SMALL": 100}, None),
    "loop": (PLAIN, RATE, {"closed": False}, None),
    "loop, large": (PLAIN, RATE, {"closed": False, "SMALL": 100}, None),
}
ONLY = {"sketch": ("dense", "float32"), "scaled": ("sparse",)}


def as_memmap(X, folder):
    file = np.memmap(folder / "X", dtype=X.dtype, mode="w+", shape=X.shape)
    file[:] = X
    return file


KINDS = {
    "dense": lambda X, folder: X,
    "float32": lambda X, folder: X.astype(np.float32),
    "sparse": lambda X, folder: sparse.csr_array(X),
    "memmap": as_memmap,
}
each_route = pytest.mark.parametrize("route", ROUTES)
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def case(route, monkeypatch):
    """Columns, targets, an estimator that takes this route, and its metric."""
    X, options, patches, metric = ROUTES[route]
    if "SMALL" in patches:
        monkeypatch.setattr(data_table, "SMALL", patches["SMALL"])
    if "best_sketch" in patches:
        for room in (ladder, by_sketch):
            monkeypatch.setattr(room, "best_sketch", lambda *sizes: patches["best_sketch"])
    if "FEW_SPARSE" in patches:
        monkeypatch.setattr(ladder, "FEW_SPARSE", patches["FEW_SPARSE"])
    if "closed" in patches:
        # Where the route is chosen, and only there
        monkeypatch.setattr(
            "gd_regressor.textbook.follow.closed_form_pays", lambda *sizes: patches["closed"]
        )
    return X, NOISE[: len(X)], GDLinearRegressor(max_iter=50, **options), metric


def places(n, width):
    """First, middle and last row, each with the first, middle and last column."""
    return [(i, j) for i in (0, n // 2, n - 1) for j in sorted({0, width // 2, width - 1})]


def with_value(table, place, value):
    table = table.copy()
    table[place] = value
    return table


def refused(model, words, *data, learn="fit", **options):
    """That the data are refused in these words, and the estimator is what it was."""
    before = dict(vars(model))
    with pytest.raises(ValueError, match=words):
        getattr(model, learn)(*data, **options)
    after = vars(model)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)


def words_of(name, value, row, column=None, *, shape=2):
    what = "NaN" if np.isnan(value) else "infinity (inf)"
    kind = "column" if name == "X" else "target"
    where = f"row {row}" + (f", {kind} {column}" if shape == 2 else "")
    return re.escape(f"Input {name} contains {what} in {where} (counting from 0);")


@each_route
@each_kind
def test_what_is_not_finite_is_refused_in_every_place(case, route, kind, tmp_path):
    X, Y, model, metric = case
    y, starts = Y[:, 0], {"coef_init": np.ones(D)}
    model.fit(KINDS[kind](X, tmp_path), y)
    if kind in ONLY.get(route, KINDS):
        assert getattr(model, "metric_", None) == metric
    fitted, new = model, GDLinearRegressor(**model.get_params())
    warm = GDLinearRegressor(**model.get_params()).set_params(warm_start=True)
    warm.fit(KINDS[kind](X, tmp_path), y)
    for value in VALUES:
        for i, j in places(*X.shape):
            data, words = with_value(X, (i, j), value), words_of("X", value, i, j)
            data = KINDS[kind](data, tmp_path)
            refused(fitted, words, data, y)
            refused(new, words, data, Y)
            refused(new, words, data, y, **starts)
            refused(warm, words, data, y)
            weights = np.ones(len(X))
            refused(new, words, data, y, sample_weight=weights)
            weights[i] = 0.0  # such a row is in no sum
            refused(new, words, data, y, sample_weight=weights)
        good = KINDS[kind](X, tmp_path)
        for i, j in places(*Y.shape):
            data, words = with_value(Y, (i, j), value), words_of("y", value, i, j)
            refused(new, words, good, data)
            refused(new, words, good, data, sample_weight=np.arange(len(Y)) != i)
        for i, _ in places(len(y), 1):
            data, words = with_value(y, i, value), words_of("y", value, i, shape=1)
            refused(fitted, words, good, data)
            refused(new, words, good, data, **starts)
            refused(warm, words, good, data)
            data = with_value(np.ones(len(y)), i, value)
            words = rf"sample_weight must be finite, got {value} at {i} \(NaN or infinity\)"
            refused(fitted, words, good, y, sample_weight=data)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("rung", ["dual", "sketch", "moments", "qr"])
@pytest.mark.parametrize("small", [True, False])
def test_no_rung_relies_on_the_ladder_for_the_check(rung, value, small, monkeypatch):
    """Whichever of them reads the rows first, it does not let a NaN in."""
    monkeypatch.setattr(data_table, "SMALL", 1 << 20 if small else 100)
    monkeypatch.setattr(ladder, "cheap_rungs", lambda *sizes: (rung,))
    assert GDLinearRegressor(tol=1e-9).fit(PLAIN, NOISE).metric_ == rung
    for i, j in places(N, D):
        X, Y = with_value(PLAIN, (i, j), value), with_value(NOISE, (i, j // 4), value)
        refused(GDLinearRegressor(tol=1e-9), words_of("X", value, i, j), X, NOISE)
        refused(GDLinearRegressor(tol=1e-9), words_of("y", value, i, j // 4), PLAIN, Y)


@pytest.mark.parametrize("value", VALUES)
def test_what_is_not_finite_is_refused_in_paths(route, value):
    for i, j in places(N, D):
        for weights in (None, np.arange(N) != i):
            options = {"learning_rate": 0.1, "n_iter": 5, "sample_weight": weights}
            with pytest.raises(ValueError, match=words_of("X", value, i, j)):
                gd_path(with_value(PLAIN, (i, j), value), NOISE, **options)
            with pytest.raises(ValueError, match=words_of("y", value, i, j // 4)):
                gd_path(PLAIN, with_value(NOISE, (i, j // 4), value), **options)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("keep", ["moments", "qr"])
@pytest.mark.parametrize("rate", ["auto", 0.1])
def test_what_is_not_finite_is_refused_in_chunks(keep, value, rate):
    options = {"stream": keep, "learning_rate": rate, "max_iter": 50, "tol": None}
    begun, new = (GDLinearRegressor(**options) for _ in range(2))
    begun.partial_fit(PLAIN[:40], NOISE[:40])
    X, Y = PLAIN[40:80], NOISE[40:80]
    for model in (begun, new):
        for i, j in places(*X.shape):
            chunk = with_value(X, (i, j), value)
            refused(model, words_of("X", value, i, j), chunk, Y, learn="partial_fit")
            sparse_chunk = sparse.csr_array(chunk)
            refused(model, words_of("X", value, i, j), sparse_chunk, Y, learn="partial_fit")
            batch = rf"batch 1: {words_of('X', value, i, j)}"
            refused(model, batch, [(chunk, Y)], learn="fit_batches")
        for i, j in places(*Y.shape):
            chunk = with_value(Y, (i, j), value)
            refused(model, words_of("y", value, i, j), X, chunk, learn="partial_fit")
            weights = with_value(np.ones(len(Y)), i, value)
            refused(model, "sample_weight must be finite", X, Y, weights, learn="partial_fit")


@pytest.mark.parametrize("rate", ["auto", 0.1])
def test_what_is_not_finite_is_refused_on_a_cluster(rate):
    dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
    X, Y, model = PLAIN[:60], NOISE[:60], GDLinearRegressor(learning_rate=rate, max_iter=50)

    def distributed(*arrays):
        return [da.from_array(a, chunks=(25, -1)[: a.ndim]) for a in arrays]

    with dask.config.set(scheduler="synchronous"):
        for value in VALUES:
            for i, j in places(*X.shape):
                block = rf"block {i // 25} \(counting from 0\): "
                words = block + words_of("X", value, i % 25, j)
                refused(model, words, *distributed(with_value(X, (i, j), value), Y))
                hidden = (np.arange(60) != i).astype(float)
                data = distributed(with_value(X, (i, j), value), Y, hidden)
                refused(model, words, *data)
            for i, j in places(*Y.shape):
                block = rf"block {i // 25} \(counting from 0\): "
                words = block + words_of("y", value, i % 25, j)
                refused(model, words, *distributed(X, with_value(Y, (i, j), value)))
                data = distributed(X, Y, with_value(np.ones(60), i, value))
                refused(model, block + "sample_weight must be finite", *data)


@pytest.mark.parametrize("route", [r for r in ROUTES if ROUTES[r][3] not in (None, "scaled")])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"float32"}))
def test_finite_values_whose_squares_overflow_are_no_infinity(case, route, kind, tmp_path):
    X, Y, model, metric = case
    unit = np.full(D, 2.0**664)  # 8e199
    if metric != "dual":  # the space of the rows depends on the units
        unit[[0, 2]] = 1.0
    expected = model.fit(KINDS[kind](X, tmp_path), Y).coef_
    model.fit(KINDS[kind](X * unit, tmp_path), Y)
    np.testing.assert_allclose(model.coef_ * unit, expected, rtol=1e-5, atol=1e-7)


@each_kind
def test_values_whose_sum_overflows_are_no_infinity(kind, tmp_path):
    """A look at each value begins with their sum, which shows most arrays to be good."""
    dtype = np.float32 if kind == "float32" else np.float64
    X = np.array([[1.0, 2.0, 5.0], [3.0, 4.0, 1.0]]) / 8 * np.finfo(dtype).max
    with np.errstate(over="ignore"):
        assert np.isinf(X.astype(dtype).sum())
    model = GDLinearRegressor().fit(KINDS[kind](X, tmp_path), np.array([1e3, 2e3]))
    assert np.isfinite(model.coef_).all()


def test_sums_that_are_not_finite_lead_to_a_look_at_each_value():
    good = Unchecked.of(PLAIN, NOISE)
    for sums in ([1.0], [1.0, np.inf], [np.nan, 1.0]):  # of good values, squares may overflow
        found, rows = good.seen_by(lambda rows, sums=sums: (rows.n_rows, sums))
        assert found == N
        assert rows.X is PLAIN
    for value in VALUES:
        for i, j in places(N, D):
            bad = Unchecked.of(with_value(PLAIN, (i, j), value), NOISE)
            with pytest.raises(ValueError, match=words_of("X", value, i, j)):
                bad.seen_by(lambda rows: (None, [*rows.X.sum(axis=0), 1.0]))


@pytest.mark.parametrize("route", [route for route in ROUTES if route != "scaled"])
def test_each_value_is_looked_at_where_no_first_pass_does_so(case, route, monkeypatch):
    """A look takes a pass over X: large tables are not to pay for it."""
    X, Y, model, _ = case
    looks = []
    monkeypatch.setattr(unchecked, "check_finite", lambda X, name: looks.append(name))
    model.fit(X, Y)
    assert len(looks) == (route in ("dual", "loop", "loop, large"))
