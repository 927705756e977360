"""Every kind of table on every rung: the same model, and work that may travel."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from reference import dot, exact_least_squares
from scipy import sparse

from gd_regressor import GDLinearRegressor, Moments, Status
from gd_regressor.arithmetic.doubled import Doubled
from gd_regressor.auto import by_sketch, ladder
from gd_regressor.data import table as data_table
from gd_regressor.data.distributed import DaskRows, dask_rows
from gd_regressor.data.inputs import rows_of, rows_of_block
from gd_regressor.data.table import Rows, Table
from gd_regressor.descent.records import Request
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss, residual_rows
from gd_regressor.objective.on_rows_doubled import DoubledLoss

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")
cloudpickle = pytest.importorskip("cloudpickle")

N, D = 60, 4
HEIGHT = 17  # rows of a block: the last one is shorter
MOST_BYTES = 20_000


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


# --- Kinds of tables, each of X (n, d), y and weights or None ---


def as_memmap(folder, X):
    file = np.memmap(folder / "X", dtype=X.dtype, mode="w+", shape=X.shape)
    file[:] = X
    file.flush()
    return np.memmap(folder / "X", dtype=X.dtype, mode="r", shape=X.shape)


def as_dask(*arrays):
    return [a if a is None else da.from_array(a, chunks=(HEIGHT, -1)[: a.ndim]) for a in arrays]


def as_frames(X, *columns):
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
    data = [frame, *(a if a is None else pd.Series(a) for a in columns)]
    return [a if a is None else dd.from_pandas(a, npartitions=4) for a in data]


def as_sparse_blocks(X, *columns):
    spans = [slice(i, i + HEIGHT) for i in range(0, len(X), HEIGHT)]
    parts = [da.from_array(sparse.csr_array(X[s]), asarray=False, chunks=X[s].shape) for s in spans]
    return [da.concatenate(parts), *as_dask(*columns)]


KINDS = {
    "dense": lambda X, *rest, folder: (X, *rest),
    "Fortran's order": lambda X, *rest, folder: (np.asfortranarray(X), *rest),
    "float32": lambda X, *rest, folder: (X.astype(np.float32), *rest),
    "sparse": lambda X, *rest, folder: (sparse.csr_array(X), *rest),
    "memmap": lambda X, *rest, folder: (as_memmap(folder, X), *rest),
    "Dask array": lambda *data, folder: as_dask(*data),
    "Dask array of float32": lambda X, *rest, folder: as_dask(X.astype(np.float32), *rest),
    "Dask frame": lambda *data, folder: as_frames(*data),
    "Dask array of sparse blocks": lambda *data, folder: as_sparse_blocks(*data),
}
SINGLE = {"float32", "Dask array of float32"}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_tol = pytest.mark.parametrize("tol", [None, 0, 1e-12])
each_weighting = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


# --- Rungs, and what leads there ---


def columns_of(condition, n=N, d=D):
    """Columns with this condition number, each of deviation about 1; a quarter of entries is 0."""
    random = np.random.default_rng(d)
    X = random.standard_normal((n, d))
    X[random.uniform(size=X.shape) < 0.25] = 0.0
    X[:, -1] = X[:, 0] + X[:, -1] / condition if condition > 1 else X[:, -1]
    return X


def with_copy(X):
    return np.column_stack([X, X[:, 1]])


LARGE = {"SMALL": 100}  # entries that a small table has
# Columns, how many digits the largest coefficient's scale leaves to others, what is patched, metric
RUNGS = {
    "moments": (columns_of(1), 1e-15, {}, "moments"),
    "doubled": (columns_of(1e3), 1e-15, {}, "moments"),
    "doubled, with a copy": (with_copy(columns_of(1e3)), 1e-15, {}, "moments"),
    "qr": (columns_of(1e8), 1e-15, {}, "qr"),
    "dual": (columns_of(1, n=7, d=11), 1e-14, {}, "dual"),
    "moments of a large table": (columns_of(1), 1e-14, LARGE, "moments"),
    "doubled, of a large table": (columns_of(1e3), 1e-12, LARGE, "moments"),
    "with a copy, of a large table": (with_copy(columns_of(1e3)), 1e-12, LARGE, "moments"),
    "qr of a large table": (columns_of(1e8), 1e-12, LARGE, "qr"),
    "sketch": (columns_of(1, n=300), 1e-6, LARGE | {"best_sketch": (24, 0.0)}, "sketch"),
    "scaled": (columns_of(1, n=300), 1e-6, LARGE | {"FEW_SPARSE": 2}, "scaled"),
}
ONLY = {"sketch": {"dense", "Fortran's order", "float32"}, "scaled": {"sparse"}}
each_rung = pytest.mark.parametrize("rung", RUNGS)


@pytest.fixture
def case(rung, weighted, monkeypatch):
    """Columns, targets, weights; the metric and the accuracy to expect."""
    X, accuracy, patches, metric = RUNGS[rung]
    random = np.random.default_rng(1)
    y = X @ np.arange(1.0, X.shape[1] + 1) + random.standard_normal(len(X)) + 3
    weights = random.integers(0, 4, len(X)) / 2 if weighted else None
    patches = dict(patches)
    if "best_sketch" in patches:
        height = patches.pop("best_sketch")
        for room in (ladder, by_sketch):
            monkeypatch.setattr(room, "best_sketch", lambda *sizes: height)
    if "SMALL" in patches:
        monkeypatch.setattr(data_table, "SMALL", patches.pop("SMALL"))
    for name, value in patches.items():
        monkeypatch.setattr(ladder, name, value)
    return X, y, weights, metric, accuracy


SOLUTIONS = {}


def solution(name, X, y, weights):
    """Exact coefficients and intercept, rounded."""
    if name not in SOLUTIONS:
        w, b = exact_least_squares(X, y, weights=weights)
        SOLUTIONS[name] = np.array(w, dtype=float), float(b)
    return SOLUTIONS[name]


@each_rung
@each_kind
@each_weighting
@each_tol
def test_each_kind_on_each_rung_has_the_exact_solution(case, rung, kind, weighted, tol, tmp_path):
    X, y, weights, metric, accuracy = case
    X = X.astype(np.float32).astype(float) if kind in SINGLE else X
    w, b = solution((rung, weighted, kind in SINGLE), X, y, weights)
    data = KINDS[kind](X, y, weights, folder=tmp_path)
    model = GDLinearRegressor(tol=tol, max_iter=12 if tol is None else 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*data)
    accuracy = max(accuracy, 1e-6) if kind in SINGLE else accuracy
    assert np.abs(model.coef_ - w).max() <= accuracy * np.abs(w).max()
    assert abs(model.intercept_ - b) <= accuracy * max(abs(b), np.abs(w).max())
    reachable = rung not in ONLY or kind in ONLY[rung]
    reachable &= rung != "sketch" or bool(tol)  # which does not lead to the floor
    assert model.metric_ == (metric if reachable else "moments")
    if tol is None:
        assert (model.n_iter_, model.status_) == (12, Status.MAX_ITER)
    else:
        assert model.status_ is Status.CONVERGED


@each_kind
@each_weighting
def test_each_kind_has_the_textbooks_iterates(kind, weighted, tmp_path):
    X, random = columns_of(1).astype(np.float32).astype(float), np.random.default_rng(2)
    Y = X @ random.standard_normal((D, 2)) + random.standard_normal((N, 2))
    weights = random.integers(0, 4, N) / 2 if weighted else None
    start = {"coef_init": np.ones((2, D)), "intercept_init": [1.0, -1.0]}
    model = GDLinearRegressor(learning_rate=0.1, momentum=0.3, max_iter=30, tol=None)
    expected = model.fit(X, Y, weights, **start)
    coef, curve, limit = expected.coef_, expected.loss_curve_, expected.max_learning_rate_
    y = Y
    if "frame" in kind:
        y = dd.from_pandas(pd.DataFrame(Y), npartitions=4)
        X, _, weights = as_frames(X, None, weights)
    else:
        X, y, weights = KINDS[kind](X, Y, weights, folder=tmp_path)
    model.fit(X, y, weights, **start)
    accuracy = 1e-6 if kind in SINGLE else 1e-12
    np.testing.assert_allclose(model.coef_, coef, rtol=accuracy, atol=accuracy)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=accuracy)
    assert model.max_learning_rate_ == pytest.approx(limit)


# --- The contract ---


def table_of(kind, X, y, weights, folder):
    X, y, weights = KINDS[kind](X, y, weights, folder=folder)
    if kind.startswith("Dask"):
        return dask_rows(X, y, weights, rows_of_block)
    return rows_of(X, y, weights)


def targets_of(rows):
    return rows.total(lambda part: [part.y], lambda a, b: a + b)


@pytest.fixture
def table(kind, weighted, tmp_path):
    """A table of this kind, and its content without rows of weight zero."""
    X, y = columns_of(1).astype(np.float32).astype(float), np.arange(float(N))
    weights = np.linspace(1, 2, N) if weighted else None
    return table_of(kind, X, y, weights, tmp_path), X, y, np.ones(N) if weights is None else weights


@each_kind
@each_weighting
def test_the_facts_of_a_table(table, kind, weighted):
    rows, _, _, weights = table
    assert isinstance(rows, Table)
    assert (rows.n_rows, rows.n_columns, rows.n_targets, rows.size) == (N, D, 1, N * D)
    assert rows.weighted is weighted
    unit = getattr(rows, "unit", 1.0)
    assert rows.total_weight * unit == pytest.approx(weights.sum())
    assert rows.precision == (np.float32 if kind in SINGLE else np.float64)
    assert rows.is_small
    assert rows.is_sparse is (kind == "sparse")
    assert rows.costly_to_read is kind.startswith("Dask")
    assert rows.full_columns.tolist() == ([] if kind == "sparse" else list(range(D)))
    assert rows.block_rows > 0
    assert rows.total(lambda part: part.n_rows) == N


def test_a_table_of_a_file_is_costly_to_read(monkeypatch, tmp_path):
    """So no fit of it takes the many passes of a sketch."""
    seen = []
    plan_for = ladder.plan_for
    monkeypatch.setattr(
        "gd_regressor.auto.follow.plan_for",
        lambda rows, *options: seen.append(rows.costly_to_read) or plan_for(rows, *options),
    )
    X, y = columns_of(1), np.arange(float(N))
    GDLinearRegressor().fit(as_memmap(tmp_path, X), y)
    GDLinearRegressor().fit(X, y)
    assert seen == [True, False]


def test_what_is_small_is_said_in_one_place(monkeypatch):
    X, y = columns_of(1e3), np.arange(float(N))
    rows = rows_of(X, y, None)
    distributed = dask_rows(*as_dask(X, y), None, rows_of_block)
    for entries, small in ((N * D, True), (N * D - 1, False)):
        monkeypatch.setattr(data_table, "SMALL", entries)
        assert rows.is_small is distributed.is_small is small
        # Whatever asks on the ladder asks there
        plan = ladder.plan_for(rows, Request(True, 100, 1e-12))
        assert isinstance(plan.problem.loss, DoubledLoss) is small


@each_kind
@each_weighting
def test_tables_made_of_a_table_forget_what_was_known(table, kind, weighted):
    rows, _, y, _ = table
    moments = Moments.of_rows(rows)
    knowing = rows if kind.startswith("Dask") else rows.knowing(moments)
    assert Moments.of_rows(knowing) is knowing.known
    precise = Moments.of_rows(knowing, precise=True)
    assert precise.low is not None
    doubled = knowing.with_targets(_twice)
    others = [doubled, knowing.targets_only, knowing.in_precision(np.float64)]
    if not kind.startswith("Dask"):
        others += [knowing.part(0, 5), *knowing.parts(20)]
    assert all(other.known is None for other in others)
    shapes = [(N, other.n_columns, other.n_targets) for other in others[:3]]
    assert shapes == [(N, D, 2), (N, 0, 1), (N, D, 1)]
    # They are tables of the same rows, in the same order
    np.testing.assert_array_equal(
        np.concatenate(targets_of(doubled)), np.column_stack([2 * y, 2 * y])
    )
    np.testing.assert_array_equal(np.concatenate(targets_of(doubled.targets_only))[:, 0], 2 * y)
    assert Moments.of_rows(doubled).target_means == pytest.approx(2 * moments.target_means[[0, 0]])
    assert Moments.of_rows(knowing.targets_only).xx.shape == (0, 0)
    again = doubled.with_targets(_twice)
    assert again.n_targets == 4
    np.testing.assert_array_equal(np.concatenate(targets_of(again))[:, 0], 4 * y)


def _twice(rows):
    return np.column_stack([2 * rows.y, 2 * rows.y])


def exactly(a):
    return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(a)


@each_kind
@each_weighting
def test_losses_of_each_kind(table, kind, weighted):
    rows, X, y, weights = table
    random = np.random.default_rng(3)
    frame = Frame(X.mean(axis=0), 2.0 ** np.arange(D), np.array([7.0]), True)
    theta, directions = random.standard_normal((D + 1, 1)), random.standard_normal((D + 1, 3))
    design = np.hstack(
        [(exactly(X) - exactly(frame.centre)) / exactly(frame.scale), exactly(np.ones((N, 1)))]
    )
    s = exactly(weights) / sum(exactly(weights))
    residual = exactly(y)[:, None] - 7 - design @ exactly(theta)
    value = float(dot(s, residual[:, 0] ** 2))
    slope = (-2 * design.T @ (s[:, None] * residual)).astype(float)
    product = (2 * design.T @ (s[:, None] * (design @ exactly(directions)))).astype(float)
    losses = (DataLoss(rows, frame), theta, 1e-13), (DoubledLoss(rows, frame), theta, 1e-15)
    for loss, point, accuracy in losses:
        point = Doubled.of(point) if accuracy == 1e-15 else point
        found, gradient = loss.value_and_gradient(point)
        np.testing.assert_allclose(found, [value], rtol=accuracy)
        np.testing.assert_allclose(gradient, slope, rtol=accuracy, atol=accuracy)
        found = loss.hessian_product(directions)
        np.testing.assert_allclose(found, product, rtol=accuracy, atol=accuracy)
    w, b = frame.to_raw(theta)
    near = residual_rows(rows, w, b)
    expected = y - X @ w[:, 0] - b
    np.testing.assert_allclose(np.concatenate(targets_of(near))[:, 0], expected, atol=1e-12)


# --- Work that may travel ---


@pytest.fixture
def sent(monkeypatch):
    """The pickled size of each work function that a fit sends to the parts of a table, by name."""
    sizes = {}

    def recorded(total, of_table):
        def spy(self, work, *args, **options):
            name = getattr(work, "func", work).__qualname__
            payload = cloudpickle.dumps((work, *of_table(self), *args, options))
            sizes[name] = max(sizes.get(name, 0), len(payload))
            return total(self, work, *args, **options)

        return spy

    monkeypatch.setattr(Rows, "total", recorded(Rows.total, lambda rows: ()))
    in_a_task = recorded(DaskRows.total, lambda rows: (rows.changes, rows.rows_of_block))
    monkeypatch.setattr(DaskRows, "total", in_a_task)
    return sizes


@each_rung
@each_weighting
@pytest.mark.parametrize("kind", ["dense", "sparse", "Dask array"])
def test_work_that_is_sent_holds_no_table(rung, kind, weighted, monkeypatch, tmp_path, sent):
    X, _, patches, _ = RUNGS[rung]
    n = 7 if rung == "dual" else 40 * MOST_BYTES // (8 * D)
    X = np.tile(X, (-(-n // len(X)), 1))[:n]
    X = X + 1e-3 * np.random.default_rng(4).standard_normal(X.shape) if rung == "sketch" else X
    monkeypatch.setattr(data_table, "SMALL", 100 if patches else X.size)
    if "best_sketch" in patches:
        for room in (ladder, by_sketch):
            monkeypatch.setattr(room, "best_sketch", lambda *sizes: (40 * D, 0.0))
    monkeypatch.setattr(ladder, "FEW_SPARSE", patches.get("FEW_SPARSE", 2000))
    y = X @ np.ones(X.shape[1]) + np.random.default_rng(5).standard_normal(n)
    weights = np.linspace(1, 2, n) if weighted else None
    monkeypatch.setattr("test_tables.HEIGHT", -(-n // 3))
    data = KINDS[kind](X, y, weights, folder=tmp_path)
    GDLinearRegressor(tol=1e-12).fit(*data)
    GDLinearRegressor(tol=None, max_iter=2).fit(*data)
    GDLinearRegressor(learning_rate=1e-9, tol=None, max_iter=2).fit(*data, coef_init=X[0])
    assert sent
    assert max(sent.values()) < MOST_BYTES, sent


def test_work_of_each_loss_holds_no_table(sent):
    n = 40 * MOST_BYTES // (8 * D)
    X = np.random.default_rng(6).standard_normal((n, D))
    y, theta = X @ np.ones(D), np.ones((D + 1, 1))
    frame = Frame(np.ones(D), np.ones(D), np.zeros(1), True)
    distributed = dask_rows(da.from_array(X), da.from_array(y), None, rows_of_block)
    tables = Rows(X, y[:, None]), distributed, Rows(X.astype("f4"), y[:, None])
    for rows in tables:
        for loss in (DataLoss(rows, frame), DoubledLoss(rows, frame, slices=3)):
            points = {DataLoss: theta, DoubledLoss: Doubled.of(theta)}
            loss.value_and_gradient(points[type(loss)])
            loss.hessian_product(theta)
        DataLoss(rows, frame).lipschitz()
        residual_rows(rows, theta[:-1], theta[-1]).total(_nothing)
        Moments.of_rows(rows, precise=True)
    passes = ["DataLoss.value_and_gradient.of_part", "DataLoss.hessian_product.of_part"]
    passes += ["DoubledLoss.value_and_gradient.of_part", "_residuals_in_order", "moments_of_part"]
    assert {name.replace(".<locals>", "") for name in sent} >= set(passes)
    assert max(sent.values()) < MOST_BYTES < X.astype("f4").nbytes, sent


def _nothing(rows):
    return None


@pytest.mark.parametrize("keep", ["moments", "qr"])
def test_work_of_streams_holds_no_table(keep, sent):
    X = with_copy(np.random.default_rng(7).standard_normal((40 * MOST_BYTES // (8 * D), D)))
    y = X @ np.ones(D + 1)
    GDLinearRegressor(stream=keep).fit_batches([(X, y), (X + 1, y)])
    assert any("NullSpace" in name for name in sent) is (keep == "moments")
    assert max(sent.values()) < MOST_BYTES, sent


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n", [257, 272, 519, 8_193, 16_384, 20_011])
def test_sums_of_whole_numbers_are_exact(n, order):
    random = np.random.default_rng(n)
    X = random.integers(-8, 9, (n, 3)).astype(float, order=order)
    y = random.integers(-8, 9, (n, 1)).astype(float)
    moments = Moments.of_rows(Rows(X, y))
    assert not moments.origin.any()
    assert (moments.mean == X.sum(axis=0) / n).all()
    apart = y[:, 0] - moments.target_origin
    assert moments.target_mean == apart.sum() / n
    total = [Fraction(int(a)) for a in (X[:, 0].sum(), y.sum(), X[:, 0] @ y[:, 0])]
    assert moments.xy[0, 0] == pytest.approx(float(total[2] - total[0] * total[1] / n), rel=1e-14)
    squares = Fraction(int(y[:, 0] @ y[:, 0])) - total[1] ** 2 / n
    assert moments.yy[0] == pytest.approx(float(squares), rel=1e-14)
