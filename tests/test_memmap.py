"""Files larger than memory: a fit reads them in blocks, and once if moments serve."""

import subprocess
import sys

import numpy as np
import pytest

from gd_regressor import GDLinearRegressor
from gd_regressor.auto import ladder
from gd_regressor.data.table import Rows

random = np.random.default_rng(5)
N, D = 60_000, 30


@pytest.fixture
def files(tmp_path):
    X = np.memmap(tmp_path / "X", dtype=float, mode="w+", shape=(N, D))
    X[:] = random.standard_normal((N, D)) + 5
    y = np.memmap(tmp_path / "y", dtype=float, mode="w+", shape=N)
    y[:] = X @ random.standard_normal(D) + random.standard_normal(N)
    for array in (X, y):
        array.flush()
    return np.memmap(tmp_path / "X", mode="r", dtype=float, shape=(N, D)), np.memmap(
        tmp_path / "y", mode="r", dtype=float, shape=N
    )


def test_a_file_makes_the_model_of_the_array(files):
    X, y = files
    for options in ({}, {"learning_rate": 0.001, "max_iter": 100, "tol": None}):
        model = GDLinearRegressor(**options).fit(X, y)
        expected = GDLinearRegressor(**options).fit(np.array(X), np.array(y))
        np.testing.assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize("dtype", [">f8", "f4", "i4", "i2"])
def test_numbers_of_any_kind_are_converted_by_the_block(dtype, tmp_path):
    X = np.memmap(tmp_path / "X", dtype=dtype, mode="w+", shape=(N, D))
    X[:] = np.round(100 * random.standard_normal((N, D)))
    y = np.array(X, dtype=float) @ np.ones(D) + random.standard_normal(N)
    model = GDLinearRegressor().fit(X, y)
    expected = GDLinearRegressor().fit(np.array(X, dtype=float), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    target = np.memmap(tmp_path / "y", dtype=dtype, mode="w+", shape=N)
    target[:] = np.round(y)
    assert GDLinearRegressor().fit(X, target).score(np.array(X, dtype=float), y) > 0.99


@pytest.mark.parametrize("options", [{}, {"learning_rate": 0.001, "max_iter": 10}])
def test_one_pass_where_moments_serve(files, options, monkeypatch):
    read = []
    whole = Rows.columns
    monkeypatch.setattr(Rows, "columns", lambda self, rows: read.append(rows) or whole(self, rows))
    GDLinearRegressor(**options).fit(*files)
    assert sum(rows.stop - rows.start for rows in read) <= N + 2 * max(
        rows.stop - rows.start for rows in read
    )


def test_what_is_not_finite_is_seen_in_the_pass(files, tmp_path):
    X, y = (np.array(a) for a in files)
    X[N - 3, 7] = np.nan
    bad = np.memmap(tmp_path / "bad", dtype=float, mode="w+", shape=X.shape)
    bad[:] = X
    with pytest.raises(ValueError, match=rf"X contains NaN in row {N - 3}, column 7"):
        GDLinearRegressor().fit(bad, files[1])
    y[5] = np.inf
    with pytest.raises(ValueError, match=r"y contains infinity .* row 5"):
        GDLinearRegressor().fit(files[0], y)


def test_a_file_is_not_sketched(files, monkeypatch):
    """A sketch takes many passes, which are cheap only in memory."""
    X, y = files
    monkeypatch.setattr(ladder, "best_sketch", lambda *sizes: (12 * D, 0.0))
    assert GDLinearRegressor().fit(np.array(X), np.array(y)).metric_ == "sketch"
    assert GDLinearRegressor().fit(X, y).metric_ == "moments"


LIMITED = """
import resource, sys
import numpy as np
import joblib, sklearn.linear_model
from gd_regressor import GDLinearRegressor
from gd_regressor.auto import ladder
GDLinearRegressor().fit(np.random.default_rng(0).standard_normal((70_000, 20)), np.ones(70_000))
path, n, d = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
limit = used * 1024 + (64 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
table = np.memmap(path, mode="r", dtype=float, shape=(n, d + 1))
model = GDLinearRegressor(**eval(sys.argv[4])).fit(table[:, :d], table[:, d])
print(model.score(table[:1000, :d], table[:1000, d]))
try:
    copy = np.ones(n * d)
except MemoryError:
    print("limited")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what it should on Linux")
@pytest.mark.parametrize("options", ["{}", '{"learning_rate": 0.1, "max_iter": 50, "tol": None}'])
def test_memory_does_not_grow_with_the_file(options, tmp_path):
    n, d = 4_000_000, 19  # 640 MB with the target
    path = tmp_path / "table"
    table = np.memmap(path, mode="w+", dtype=float, shape=(n, d + 1))
    for first in range(0, n, 250_000):
        part = table[first : first + 250_000]
        part[:, :d] = random.standard_normal((len(part), d))
        part[:, d] = part[:, :d].sum(axis=1) + 0.1 * random.standard_normal(len(part))
    table.flush()
    del table, part
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path, str(n), str(d), options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    score, limited = done.stdout.split()
    assert float(score) > 0.99
    assert limited == "limited"
