"""Dask: the same bits from any number of workers. A worker that dies costs only time."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from reference import sparse_normal

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.arithmetic.doubled import Doubled
from gd_regressor.data.inputs import rows_of_block
from gd_regressor.data.moments import Moments
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows_sliced import SlicedLoss

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

random = np.random.default_rng(3)
N, D = 4000, 6
X = random.standard_normal((N, D)) * [1e-3, 1, 7, 1e4, 0.1, 2] + [0, 50, -3, 1e5, 0.2, 0]
Y = X @ random.standard_normal((D, 2)) + random.standard_normal((N, 2))
y = Y[:, 0]
WEIGHTS = random.integers(0, 3, N).astype(float)
EXACT = GDLinearRegressor(tol=0).fit(X, y)


def arrays(*data, rows=450, columns=4):
    """Dask arrays whose chunks divide the columns too."""
    return [da.from_array(a, chunks=(rows, columns)[: a.ndim]) for a in data]


def test_the_model_is_that_of_the_rows_in_memory():
    model = GDLinearRegressor().fit(*arrays(X, y))
    np.testing.assert_allclose(model.coef_, EXACT.coef_, rtol=1e-9)
    assert model.n_features_in_ == D
    assert model.rank_ == D
    assert model.status_ is Status.CONVERGED
    several = GDLinearRegressor().fit(*arrays(X, Y, WEIGHTS))
    expected = GDLinearRegressor(tol=0).fit(X, Y, WEIGHTS)
    np.testing.assert_allclose(several.coef_, expected.coef_, rtol=1e-9)
    # Chunks of other heights are made the same
    other = GDLinearRegressor().fit(arrays(X)[0], da.from_array(y, chunks=999))
    np.testing.assert_array_equal(other.coef_, model.coef_)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_textbooks_iterates(fit_intercept):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    options = {"learning_rate": 0.1, "momentum": 0.3, "max_iter": 30, "tol": None}
    model = GDLinearRegressor(**options, fit_intercept=fit_intercept)
    expected = model.fit(Z, Y, coef_init=np.ones((2, D)))
    curve, coef = expected.loss_curve_, expected.coef_
    model.fit(*arrays(Z, Y), coef_init=np.ones((2, D)))
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-9, atol=1e-15 * Y.var())
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-9, atol=1e-14 * Y.std())


def test_ill_conditioned_columns_are_refined_on_the_blocks():
    Z = X.copy()
    Z[:, 1] = Z[:, 2] + 1e-7 * random.standard_normal(N)
    whole = GDLinearRegressor(tol=0).fit(Z, y)
    model = GDLinearRegressor().fit(*arrays(Z, y))
    assert model.metric_ == whole.metric_ == "qr"
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-9)


def test_sparse_blocks():
    S = sparse_normal(random, N, 40, 0.03)
    blocks = [
        da.from_array(S[i : i + 1000], asarray=False, chunks=(1000, 40)) for i in range(0, N, 1000)
    ]
    model = GDLinearRegressor().fit(da.concatenate(blocks), da.from_array(y, chunks=1000))
    expected = GDLinearRegressor(tol=0).fit(S.toarray(), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8)


def test_data_frames_and_unknown_chunks():
    names = list("abcdef")
    frame = dd.from_pandas(pd.DataFrame(X, columns=names).assign(y=y), npartitions=7)
    model = GDLinearRegressor().fit(frame[names], frame["y"])
    np.testing.assert_allclose(model.coef_, EXACT.coef_, rtol=1e-9)
    assert list(model.feature_names_in_) == names
    unknown = frame[names].to_dask_array()
    assert np.isnan(unknown.chunks[0]).all()
    again = GDLinearRegressor().fit(unknown, frame["y"].to_dask_array())
    np.testing.assert_array_equal(again.coef_, model.coef_)
    lazy = model.predict(frame[names])
    assert isinstance(lazy, dd.Series)
    np.testing.assert_allclose(lazy.compute(), EXACT.predict(X), rtol=1e-9)


def test_predictions_are_made_when_they_are_asked_for():
    calls = []
    blocks = arrays(X)[0].map_blocks(lambda b: calls.append(1) or b, meta=np.empty((0, 0)))
    calls.clear()
    lazy = EXACT.predict(blocks)
    assert isinstance(lazy, da.Array)
    assert lazy.shape == (N,)
    assert not calls
    np.testing.assert_allclose(lazy.compute(), EXACT.predict(X))
    several = GDLinearRegressor().fit(X, Y)
    assert several.predict(arrays(X)[0]).shape == (N, 2)
    np.testing.assert_allclose(several.predict(arrays(X)[0]).compute(), several.predict(X))


def test_the_graph_is_a_task_per_block_and_the_tree(monkeypatch):
    graphs = []
    compute = dask.compute
    monkeypatch.setattr(dask, "compute", lambda *a, **k: graphs.append(a[0]) or compute(*a, **k))
    blocks = arrays(X, y, rows=250, columns=D)
    GDLinearRegressor().fit(*blocks)
    graph = graphs[0]  # of the first pass
    names = [str(key) for key in graph.__dask_graph__()]
    ours = [name for name in names if "_worked" in name or "_added" in name]
    assert len(ours) == 16 + 15
    source = sum(len(set(block.__dask_graph__())) for block in blocks)
    assert len(names) <= len(ours) + source


def test_errors_name_the_block():
    bad = X.copy()
    bad[1000, 2] = np.nan
    with pytest.raises(ValueError, match=r"block 2 .*NaN in row 100, column 2"):
        GDLinearRegressor().fit(*arrays(bad, y))
    with pytest.raises(ValueError, match="y must be a Dask collection"):
        GDLinearRegressor().fit(arrays(X)[0], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        GDLinearRegressor().fit(*arrays(X, y[:-1]))
    with pytest.raises(ValueError, match=r"block \d .*sample_weight must not be negative"):
        GDLinearRegressor().fit(*arrays(X, y, -WEIGHTS))


@pytest.mark.parametrize("rate", ["auto", 1e-11])
def test_without_any_weight_nothing_is_changed(rate):
    data = arrays(X, y, 0 * WEIGHTS)
    for model in (GDLinearRegressor(rate), GDLinearRegressor(rate).fit(X, y)):
        before = dict(vars(model))
        with pytest.raises(ValueError) as found:
            model.fit(*data)
        with pytest.raises(ValueError, match="one weight above zero") as expected:
            GDLinearRegressor(rate).fit(X, y, 0 * WEIGHTS)
        assert str(found.value) == str(expected.value)
        assert vars(model).keys() == before.keys()
        assert all(value is before[name] for name, value in vars(model).items())


COLUMN = pd.Series([1.0, 2, 3, 5, 6, 9])
FRAME = pd.DataFrame({"a": COLUMN, "b": [2.0, 1, 4, 3, 5, 7]})
HOLE = FRAME.assign(b=[2.0, 1, 4, 3, np.nan, 7])
TEXT = FRAME.assign(b=list("214x57"))
MISSING = FRAME.astype("Int64").assign(b=pd.array([2, 1, 4, 3, None, 7], dtype="Int64"))
LAST_ZERO, LAST_ZEROS = pd.Series([1.0, 1, 1, 1, 0, 1]), pd.Series([1.0, 1, 1, 0, 0, 0])
WRONG = {
    "a hole in X": ((HOLE, COLUMN), "NaN in row 1 (counting from 0), column 'b';"),
    "an infinity": ((HOLE.fillna(np.inf), COLUMN), "Input X contains infinity"),
    "a hole without weight": (
        (HOLE, COLUMN, LAST_ZERO),
        "NaN in row 1 (counting from 0), column 'b';",
    ),
    "a hole in a block without weight": ((HOLE, COLUMN, LAST_ZEROS), "Input X contains NaN"),
    "a missing integer": ((MISSING, COLUMN), "NaN in row 1 (counting from 0), column 'b';"),
    "text in X": ((TEXT, COLUMN), "X has text, 'x' in row 0 (counting from 0), column 'b';"),
    "a hole in y": ((FRAME, HOLE["b"]), "Input y contains NaN in row 1 (counting from 0);"),
    "a hole in y without weight": (
        (FRAME, HOLE["b"], LAST_ZEROS),
        "Input y contains NaN in row 1 (counting from 0);",
    ),
    "text in y": ((FRAME, TEXT["b"]), "y has text, 'x' in row 0 "),
    "a hole in one of several targets": (
        (FRAME, HOLE),
        "y contains NaN in row 1, target 1 (counting from 0);",
    ),
    "text in one of several targets": ((FRAME, TEXT), "y has text, 'x' in row 0"),
    "a hole in weights": (
        (FRAME, COLUMN, HOLE["b"]),
        "sample_weight must be finite, got nan at 1 ",
    ),
    "text in weights": ((FRAME, COLUMN, TEXT["b"]), "sample_weight must be real numbers, got "),
    "a negative weight": (
        (FRAME, COLUMN, 2 * LAST_ZERO - 1),
        "must not be negative, got -1 in row 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_frame_gets_the_errors_of_pandas(name):
    """The error names the wrong block, here the second of two."""
    whole, words = WRONG[name]
    block = [data.iloc[3:] for data in whole]
    if not name.endswith("weights") and not name.startswith("a negative"):
        block = block[:2]  # weights hide nothing
    with pytest.raises(ValueError) as expected:
        GDLinearRegressor().fit(*block)
    with dask.config.set(scheduler="synchronous"), pytest.raises(ValueError) as found:
        GDLinearRegressor().fit(*(dd.from_pandas(data, 2) for data in whole))
    found, expected = (str(error.value).splitlines()[0] for error in (found, expected))
    assert words in found
    if name != "text in one of several targets":  # whose name pandas does not tell
        assert found == f"block 1 (counting from 0): {expected}"


@pytest.mark.parametrize("verb", ["fit", "predict"])
def test_what_is_no_table_gets_the_error_of_data_in_memory(verb):
    model, vector = GDLinearRegressor().fit(FRAME.to_numpy(), COLUMN), X[:6, 0]

    def use(columns, y):
        return model.fit(columns, y) if verb == "fit" else model.predict(columns)

    for data, lazy in (
        (COLUMN, dd.from_pandas(COLUMN, 2)),
        (vector, da.from_array(vector)),
        (vector.reshape(6, 1, 1), da.from_array(vector.reshape(6, 1, 1))),
    ):
        with pytest.raises(ValueError, match=r"^(Expected|Found)") as expected:
            use(data, COLUMN)
        with pytest.raises(ValueError, match=r"^(Expected|Found)") as found:
            use(lazy, dd.from_pandas(COLUMN, 2))
        expected, found = (str(error.value).splitlines() for error in (expected, found))
        assert (found[0], found[-1]) == (expected[0], expected[-1])  # between them is the array
    with pytest.raises(ValueError, match="X must be a Dask array or data frame, got Delayed"):
        use(dask.delayed(FRAME), dd.from_pandas(COLUMN, 2))


def test_holes_in_sparse_blocks_are_named():
    S = sparse_normal(random, 300, 40, 0.05)
    S.data[700 % S.nnz] = np.nan
    row = int(np.searchsorted(S.indptr, 700 % S.nnz, side="right")) - 1
    column = S.indices[700 % S.nnz]
    lazy = da.from_array(S, asarray=False, chunks=S.shape)
    with pytest.raises(ValueError, match=rf"block 0 .*NaN in row {row}, column {column} "):
        GDLinearRegressor().fit(lazy, da.from_array(np.ones(300), chunks=300))


def test_targets_of_a_block_may_be_of_any_size():
    """The largest target of all rows decides, not the largest of one block."""
    tiny = np.where(np.arange(N) < 450, 1e-150, 1.0) * y
    model = GDLinearRegressor().fit(*arrays(X, tiny))
    expected = GDLinearRegressor(tol=0).fit(X, tiny)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    for factor, words in ((1e-150, "whose squares vanish"), (1e160, "whose squares overflow")):
        with pytest.raises(ValueError, match=words):
            GDLinearRegressor().fit(*arrays(X, factor * y))
    zeros = GDLinearRegressor().fit(*arrays(X, 0 * y))
    np.testing.assert_array_equal(zeros.coef_, 0)


def test_a_task_holds_no_other_block(monkeypatch):
    """The work sent to a worker is as large as the parameters, whatever the size of the data."""
    import cloudpickle

    largest = []
    compute = dask.compute

    def spy(root):
        layers = dict(root.__dask_graph__())
        ours = [task for key, task in layers.items() if "_worked" in str(key)]
        largest.append(max(len(cloudpickle.dumps(task)) for task in ours))
        assert len(ours) == 9
        return compute(root)

    monkeypatch.setattr(dask, "compute", spy)
    Z = np.column_stack([X, X[:, 1]])  # with a copy, in doubled precision
    Z[:, 2] = Z[:, 3] + 10 * X[:, 2]
    for columns, options in ((X, {}), (Z, {}), (X, {"tol": None, "max_iter": 2})):
        GDLinearRegressor(**options).fit(*arrays(columns, y))
    assert len(largest) > 6
    assert max(largest) < 20_000 < X.nbytes


# --- Clusters of two processes ---


def slow_block(seed):
    time.sleep(0.1)
    return np.random.default_rng(seed).standard_normal((500, 4))


def recomputable(n_blocks=16):
    blocks = [dask.delayed(slow_block)(i) for i in range(n_blocks)]
    columns = da.concatenate([da.from_delayed(b, (500, 4), float) for b in blocks])
    return columns, columns @ np.arange(4.0) + 1


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as local, distributed.Client(local) as client:
        yield client


def test_a_cluster_makes_the_same_bits(cluster):
    near = np.column_stack([X, X[:, 1], X[:, 2] + 1e-3 * X[:, 4]])  # in doubled precision
    for columns, weights in ((X, WEIGHTS), (near, WEIGHTS), (X[:5], None)):
        data = [a for a in (columns, y[: len(columns)], weights) if a is not None]
        data = arrays(*data, rows=min(450, len(columns) // 2))
        model = GDLinearRegressor().fit(*data)
        for scheduler in ("synchronous", "threads"):
            with dask.config.set(scheduler=scheduler):
                other = GDLinearRegressor().fit(*data)
            np.testing.assert_array_equal(model.coef_, other.coef_)
            assert model.intercept_ == other.intercept_


def test_a_block_at_an_odd_address_gives_the_same_bits():
    """A block that came from another worker may lie at an odd address."""
    few = random.standard_normal((500, D))  # columns near zero, of which no copy is made
    odd = np.frombuffer(b"-" + few.tobytes(), offset=1).reshape(few.shape)
    assert not odd.flags.aligned
    theta = Doubled.of(np.ones((D + 1, 1)) / 3)
    found = []
    for columns in (few, odd):
        rows = rows_of_block(columns, y[:500], None)
        moments = Moments.of_rows(rows)
        loss = SlicedLoss(rows, Frame.of(moments, np.ones(D), True))
        found.append([moments.xx, moments.xy, *loss.value_and_gradient(theta)])
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_killed_worker_changes_nothing_where_blocks_can_be_made_again(cluster):
    with dask.config.set(scheduler="threads"):
        expected = GDLinearRegressor().fit(*recomputable())
    victim = next(iter(cluster.run(os.getpid).values()))
    killer = threading.Timer(0.5, os.kill, (victim, signal.SIGKILL))
    killer.start()
    model = GDLinearRegressor().fit(*recomputable())
    killer.join()
    np.testing.assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_blocks_that_are_gone_end_in_an_error(cluster):
    address, victim = next(iter(cluster.run(os.getpid).items()))
    futures = [cluster.scatter(slow_block(i), workers=[address]) for i in range(4)]
    blocks = [da.from_delayed(dask.delayed(f), (500, 4), float) for f in futures]
    columns = da.concatenate(blocks)
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="Blocks that lived only on a worker"):
        GDLinearRegressor().fit(columns, columns @ np.arange(4.0))
    assert time.monotonic() - began < 60


def test_blocks_without_rows_and_frames_of_several_kinds():
    columns = arrays(X, columns=D)[0]
    some = columns[columns[:, 0] > columns[:450, 0].max()]  # nothing of the first block
    np.testing.assert_allclose(EXACT.predict(some).compute(), EXACT.predict(some.compute()))
    frame = pd.DataFrame({"a": X[:, 1], "b": X[:, 2] > -3, "c": np.arange(N)})
    lazy = dd.from_pandas(frame, npartitions=3)
    model = GDLinearRegressor().fit(lazy, dd.from_pandas(pd.Series(y), npartitions=3))
    expected = GDLinearRegressor(tol=0).fit(frame, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7)
    few = lazy[lazy["c"] > 3 * N // 4]
    np.testing.assert_allclose(
        model.predict(few).compute(), expected.predict(few.compute()), rtol=1e-7
    )
    numbers = dd.from_pandas(pd.DataFrame(X), npartitions=3)
    plain = GDLinearRegressor().fit(numbers, dd.from_pandas(pd.Series(y), npartitions=3))
    assert not hasattr(plain, "feature_names_in_")
    nothing = columns[columns[:, 0] > 1e9]
    with pytest.raises(ValueError, match="no row in any of its blocks"):
        GDLinearRegressor().fit(nothing, nothing[:, 0])
    with pytest.raises(ValueError, match="too far from 1"):
        GDLinearRegressor().fit(*arrays(X, y, 1e200 * WEIGHTS))
