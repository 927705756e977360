"""Sparse X gives the model of the dense table, from stored entries alone."""

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import sparse_normal

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.auto import ladder
from gd_regressor.data import table as data_table
from gd_regressor.data.sparse import SparseColumns

random = np.random.default_rng(6)
FORMATS = ["csr", "csc", "coo"]


def table(n, d, density, *, full=True):
    """Sparse columns and, on request, full ones: far from zero, and constant."""
    S = sparse_normal(random, n, d, density)
    if full:
        far = 1e8 + random.standard_normal((n, 1))
        S = sp.hstack([S, sp.csr_array(far), sp.csr_array(np.full((n, 1), 3.0))]).tocsr()
    return S


SMALL = table(400, 12, 0.2)
FEW = table(30_000, 60, 0.03)
MANY = table(6000, 2500, 0.01)
TABLES = {"small": SMALL, "few columns": FEW, "many columns": MANY}
TARGETS = {
    name: S @ random.standard_normal((S.shape[1], 2)) + random.standard_normal((S.shape[0], 2))
    for name, S in TABLES.items()
}
each_table = pytest.mark.parametrize("name", TABLES)
# Of columns 1e8 deviations from zero, in the units of a prediction
OFFSET = 8 * np.finfo(float).eps * 1e8


def agree(model, expected, S, y, error):
    difference = np.abs(model.predict(S) - expected.predict(S.toarray())).max(axis=0)
    size = np.abs(np.atleast_2d(expected.coef_)).max() * OFFSET
    assert (difference <= error * y.std(axis=0) + size).all()


@each_table
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_format_makes_the_model_of_the_dense_table(name, form, kind):
    S, y = TABLES[name], TARGETS[name][:, 0]
    make = getattr(sp, f"{form}_{kind}")
    before = S.copy()
    model = GDLinearRegressor(tol=1e-16).fit(make(S), y)
    agree(model, GDLinearRegressor(tol=0).fit(S.toarray(), y), S, y, 2e-8)
    assert model.status_ is Status.CONVERGED
    assert model.metric_ == ("scaled" if name == "many columns" else "moments")
    assert (before != S).nnz == 0


@each_table
def test_weights_targets_and_indices_of_64_bits(name):
    S, Y = TABLES[name], TARGETS[name]
    weights = random.uniform(0.5, 2, S.shape[0]) * (np.arange(S.shape[0]) % 7 > 0)
    wide = sp.csr_array((S.data, S.indices.astype(np.int64), S.indptr.astype(np.int64)), S.shape)
    seen = weights > 0
    model = GDLinearRegressor(tol=1e-16).fit(wide, Y, weights)
    agree(model, GDLinearRegressor(tol=0).fit(S.toarray(), Y, weights), S[seen], Y[seen], 1e-7)
    # About zero, the columns far from it depend on each other as nearly as floats can tell
    near, options = wide[:, :-2], {"fit_intercept": False}
    model = GDLinearRegressor(tol=1e-16, **options).fit(near, Y, weights)
    expected = GDLinearRegressor(tol=0, **options).fit(near.toarray(), Y, weights)
    agree(model, expected, S[seen][:, :-2], Y[seen], 1e-7)


@each_table
def test_the_textbooks_iterates(name, route):
    S, Y = TABLES[name][:, :-2], TARGETS[name]
    options = {"learning_rate": 0.02, "momentum": 0.4, "max_iter": 25, "tol": None}
    if name == "many columns" and route == "closed form":
        return  # takes the singular values of 2,500 columns
    model = GDLinearRegressor(**options).fit(S, Y)
    dense = GDLinearRegressor(**options).fit(S.toarray(), Y)
    np.testing.assert_allclose(model.loss_curve_, dense.loss_curve_, rtol=1e-11)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-9, atol=1e-12)


def test_dependent_columns_of_a_table_with_few():
    blocks = [np.eye(8)[random.integers(0, 8, 20_000)] for _ in range(3)]
    S = sp.csr_array(np.hstack(blocks))
    y = S @ random.standard_normal(24) + random.standard_normal(20_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDLinearRegressor().fit(S, y)
    expected = GDLinearRegressor(tol=0).fit(S.toarray(), y)
    assert model.rank_ == expected.rank_ == 21
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-100, 100), min_size=12, max_size=12))
def test_units_of_columns(exponents):
    S, y = table(3000, 12, 0.05, full=False), random.standard_normal(3000)
    scaled = S @ sp.diags_array(10.0 ** np.array(exponents))
    expected = GDLinearRegressor(tol=0).fit(S, y)
    for rung in (2000, 2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ladder, "FEW_SPARSE", rung)
            patch.setattr(data_table, "SMALL", 100)
            model = GDLinearRegressor(tol=1e-18).fit(scaled, y)
        assert model.metric_ == ("moments" if rung == 2000 else "scaled")
        error = np.abs(model.predict(scaled) - expected.predict(S)).max()
        assert error < 1e-8 * y.std()


def test_the_stopping_estimate_is_near_the_truth():
    y = TARGETS["many columns"][:, 0]
    best = GDLinearRegressor(tol=1e-20).fit(MANY, y).loss_curve_[-1]
    for tol in (1e-6, 1e-9, 1e-12):
        model = GDLinearRegressor(tol=tol).fit(MANY, y)
        assert model.loss_curve_[-1] - best <= tol * y.var()


def test_a_start_changes_nothing():
    y = TARGETS["many columns"][:, 0]
    model = GDLinearRegressor().fit(MANY, y)
    far = GDLinearRegressor().fit(MANY, y, coef_init=np.full(MANY.shape[1], 1e3))
    np.testing.assert_allclose(far.predict(MANY), model.predict(MANY), atol=1e-8 * y.std())
    assert far.loss_curve_[0] > model.loss_curve_[0]


@pytest.mark.parametrize("columns", [200, 3000])
def test_nothing_is_dense(columns):
    n = 100_000
    S = table(n, columns, 2 / columns, full=False)
    y = random.standard_normal(n)
    GDLinearRegressor().fit(S[:5000], y[:5000])  # imports on first use
    tracemalloc.start()
    GDLinearRegressor().fit(S, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    stored = S.data.nbytes + S.indices.nbytes + S.indptr.nbytes
    assert peak < 64 * 2**20 + 12 * 8 * min(columns, 200) ** 2 + 4 * stored
    assert peak < n * columns  # a dense copy has eight times as many bytes


def test_predictions_and_chunks():
    S, y = FEW, TARGETS["few columns"][:, 0]
    model = GDLinearRegressor().fit(S, y)
    np.testing.assert_allclose(model.predict(S), model.predict(S.toarray()), rtol=1e-12)
    stream = GDLinearRegressor()
    for i in range(0, S.shape[0], 7000):
        stream.partial_fit(S[i : i + 7000], y[i : i + 7000])
    size = np.abs(model.coef_).max() * OFFSET
    np.testing.assert_allclose(stream.predict(S), model.predict(S), atol=1e-10 * y.std() + size)
    with pytest.raises(ValueError, match=r"NaN in row 3, column 5"):
        bad = S.tolil()
        bad[3, 5] = np.nan
        GDLinearRegressor().fit(bad.tocsr(), y)
    single = GDLinearRegressor().fit(S[:, :-2].astype(np.float32), y)
    assert single.predict(S[:, :-2].astype(np.float32)).dtype == np.float32


def test_products_with_full_columns():
    S = SMALL[:, :-2]
    mixed = SparseColumns.of(SMALL)
    assert list(mixed.where) == [12, 13]
    np.testing.assert_array_equal(mixed.toarray(), SMALL.toarray())
    right, left = random.standard_normal((14, 3)), random.standard_normal((400, 2))
    np.testing.assert_allclose(mixed @ right, SMALL @ right)
    np.testing.assert_allclose(mixed[50:90].T @ left[50:90], SMALL[50:90].T @ left[50:90])
    np.testing.assert_allclose(mixed.largest(), np.abs(SMALL.toarray()).max(axis=0))
    assert SparseColumns.of(S).sparse.data is S.data or np.shares_memory(
        SparseColumns.of(S).sparse.data, S.data
    )


@pytest.mark.parametrize("rung", ["moments", "scaled"])
@pytest.mark.parametrize("weight", [0.0, 1e-30])
def test_rows_that_do_not_count_do_not_make_a_column_sparse(rung, weight, monkeypatch):
    n = 8000
    S = table(n, 40, 0.03, full=False).toarray()
    S[:, 0] = 1e8 + random.standard_normal(n)
    S[:2000, 0] = 0
    y = S[:, 0] - 1e8 + random.standard_normal(n)
    weights = np.where(np.arange(n) < 2000, weight, 1.0)
    monkeypatch.setattr(ladder, "FEW_SPARSE", 2000 if rung == "moments" else 2)
    monkeypatch.setattr(data_table, "SMALL", 100)
    model = GDLinearRegressor(tol=1e-16).fit(sp.csr_array(S), y, weights)
    expected = GDLinearRegressor(tol=0).fit(S[2000:], y[2000:])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)


def test_duplicates_are_added_up_in_a_copy():
    X = sp.coo_array((np.ones(4), ([0, 0, 1, 2], [0, 0, 0, 0])), shape=(3, 1))
    GDLinearRegressor().fit(X, [1.0, 2, 3])
    assert X.nnz == 4
    frozen = SMALL.copy()
    for array in (frozen.data, frozen.indices, frozen.indptr):
        array.flags.writeable = False
    GDLinearRegressor().fit(frozen, TARGETS["small"])
