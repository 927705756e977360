"""Streams: any chunks in any order give the model of all rows, or say what they cannot know."""

import copy
import itertools
import operator
import os
import pickle
import signal
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import exact_least_squares, sparse_normal
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from gd_regressor import GDLinearRegressor, Moments, Status
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Reason, Request
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.streams.stream import Stream

random = np.random.default_rng(4)
N, D = 600, 5
X = random.standard_normal((N, D)) * [1e-3, 1.0, 7.0, 1e4, 0.1] + [0.0, 50.0, -3.0, 1e5, 0.2]
Y = X @ random.standard_normal((D, 2)) + random.standard_normal((N, 2))
y = Y[:, 0]
WEIGHTS = random.integers(0, 4, N).astype(float)
WEIGHTS[:3] = 1.0
kept = pytest.mark.parametrize("keep", ["moments", "qr"])
RATE = {"learning_rate": 1e-12, "max_iter": 40, "tol": None}


def chunks(*cuts, n=N):
    return np.split(np.arange(n), cuts)


def streamed(parts, X=X, y=y, weights=None, **parameters):
    model = GDLinearRegressor(**parameters)
    for rows in parts:
        model.partial_fit(X[rows], y[rows], None if weights is None else weights[rows])
    return model


def distance(model, coef, intercept, X=X, y=y):
    """The largest error of a prediction, in deviations of y."""
    coef, intercept = np.asarray(coef, dtype=float), float(intercept)
    difference = (X - X.mean(axis=0)) @ (model.coef_ - coef)
    means = X.mean(axis=0) @ (model.coef_ - coef) + model.intercept_ - intercept
    return np.abs(difference + means).max() / y.std()


EXACT = GDLinearRegressor(tol=0).fit(X, y)


def test_the_reference_is_the_exact_solution():
    coef, intercept = exact_least_squares(X, y)
    assert distance(EXACT, np.ravel(coef), np.ravel(intercept)[0]) < 1e-13


# --- The same model by every way ---


@kept
@pytest.mark.parametrize("cuts", [(), (1, 2, 3, 4), (300,), (2, 599), tuple(range(50, N, 50))])
def test_any_chunks_in_any_order(keep, cuts):
    parts = chunks(*cuts)
    for order in (parts, parts[::-1]):
        model = streamed(order, stream=keep)
        assert distance(model, EXACT.coef_, EXACT.intercept_) < 1e-10
        assert model.status_ is Status.CONVERGED
        assert model.loss_curve_[0] == pytest.approx(EXACT.loss_curve_[0], rel=1e-12)
        rounding = 1e-14 * y.var()  # of moments, relative to what they are
        assert model.loss_curve_[-1] == pytest.approx(EXACT.loss_curve_[-1], abs=rounding)
        assert model.rank_ == D
        assert model.condition_number_ == pytest.approx(EXACT.condition_number_, rel=1e-9)
        assert model.stream_.n_batches == len(parts)


@kept
def test_weights_and_several_targets(keep):
    whole = GDLinearRegressor(tol=0).fit(X, Y, WEIGHTS)
    model = streamed(chunks(3, 100), y=Y, weights=8 * WEIGHTS, stream=keep)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-10)
    mixed = GDLinearRegressor(stream=keep).partial_fit(X[:300], Y[:300])
    mixed.partial_fit(X[300:], Y[300:], np.ones(300))  # the weight of a row without one is 1
    np.testing.assert_allclose(mixed.coef_[0], EXACT.coef_, rtol=1e-9)


@kept
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.5}, {"init": "random", "random_state": 1}])
def test_the_textbooks_iterates_are_those_of_all_rows(keep, fit_intercept, options):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    options = {**RATE, **options, "learning_rate": 0.1, "fit_intercept": fit_intercept}
    whole = GDLinearRegressor(**options).fit(Z, Y, WEIGHTS)
    model = streamed(chunks(1, 90, 500), Z, Y, WEIGHTS, stream=keep, **options)
    rounding = 1e-15 * Y.var()
    np.testing.assert_allclose(model.loss_curve_, whole.loss_curve_, rtol=1e-9, atol=rounding)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-9, atol=1e-14 * Y.std())
    np.testing.assert_allclose(model.intercept_, whole.intercept_, rtol=1e-9, atol=1e-9)
    assert model.n_iter_ == whole.n_iter_
    assert model.max_learning_rate_ == pytest.approx(whole.max_learning_rate_, rel=1e-9)


@kept
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, N - 1), max_size=6, unique=True), st.integers(0, 300), st.data())
def test_units_and_offsets_of_any_size(keep, cuts, seed, data):
    exponent = st.integers(-100, 100)
    scales = 10.0 ** np.array(data.draw(st.lists(exponent, min_size=D, max_size=D)))
    shifts = np.array(data.draw(st.lists(st.floats(-1e6, 1e6), min_size=D, max_size=D)))
    Z = (X - X.mean(axis=0)) / X.std(axis=0) + shifts
    rng = np.random.default_rng(seed)
    order = rng.permutation(N)
    target = Z @ np.ones(D) + rng.standard_normal(N)
    plain = GDLinearRegressor(tol=0).fit(Z, target)
    model = streamed(
        [order[part] for part in chunks(*sorted(cuts))], Z * scales, target, stream=keep
    )
    error = np.abs(model.predict(Z * scales) - plain.predict(Z)).max()
    room = 8 * np.finfo(float).eps * np.abs(Z * plain.coef_).sum(axis=1).max()
    assert error <= max(1e-10 * target.std(), room)


@pytest.mark.parametrize("condition", [1e2, 1e4])
def test_condition_numbers_up_to_10000_cost_a_stream_no_digits_that_count(condition):
    basis = np.linalg.qr(random.standard_normal((N, D)))[0]
    turn = np.linalg.qr(random.standard_normal((D, D)))[0]
    Z = basis * np.geomspace(1, 1 / condition, D) @ turn
    target = Z @ random.standard_normal(D) / np.sqrt(D) + random.standard_normal(N) / np.sqrt(N)
    coef, intercept = exact_least_squares(Z, target)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = streamed(chunks(7, 350), Z, target)
    assert distance(model, np.ravel(coef), np.ravel(intercept)[0], Z, target) < 1e-10


def test_more_columns_than_rows_so_far():
    model = streamed([np.arange(1), np.arange(1, 4)])
    whole = GDLinearRegressor(tol=0).fit(X[:4], y[:4])
    np.testing.assert_allclose(model.predict(X[:4]), whole.predict(X[:4]), rtol=1e-9)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-6)
    assert model.rank_ == 3


# --- Columns that depend on others ---


def dependent(n=N):
    return np.column_stack([X[:n], X[:n, 0] - 2 * X[:n, 2] + 3, np.full(n, 4.5), X[:n, 1]])


@kept
@pytest.mark.parametrize("cuts", [(), (1, 2, 3), (300,)])
def test_dependent_columns_need_no_warning(keep, cuts):
    Z = dependent()
    whole = GDLinearRegressor(tol=0).fit(Z, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = streamed(chunks(*cuts), Z, stream=keep)
    assert model.rank_ == whole.rank_ == D
    assert model.status_ is Status.CONVERGED
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-6, atol=1e-9)  # of least norm


@pytest.mark.parametrize("seed", range(30))
def test_the_least_norm_in_any_units(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((300, 3)) * 2.0 ** rng.uniform(-3, 3, 3) + rng.standard_normal(3)
    Z = np.c_[A, A[:, 0] - 2 * A[:, 1] + 1, A[:, 2]]
    target = A.sum(axis=1) + rng.standard_normal(300)
    model = streamed(chunks(rng.integers(1, 200), n=300), Z, target)
    whole = GDLinearRegressor(tol=0).fit(Z, target)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-6, atol=1e-9)


def test_null_spaces_survive_a_merge():
    Z = dependent()
    a, b = streamed([np.arange(250)], Z), streamed([np.arange(250, 252), np.arange(252, N)], Z)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a.merge(b)
    np.testing.assert_allclose(
        a.coef_, GDLinearRegressor(tol=0).fit(Z, y).coef_, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("apart", [1e-9, 1e-11])
def test_what_moments_cannot_resolve_is_said_and_a_factor_resolves_it(apart):
    Z = np.column_stack([X[:, 1], X[:, 1] + apart * random.standard_normal(N)])
    target = (Z[:, 1] - Z[:, 0]) / apart + 0.1 * random.standard_normal(N)
    coef, _ = exact_least_squares(Z, target)
    with pytest.warns(ConvergenceWarning, match=r'about 0 digits .*stream="qr"'):
        lost = streamed(chunks(200), Z, target)
    assert lost.status_ is Status.ILL_CONDITIONED
    exact = streamed(chunks(200), Z, target, stream="qr")
    assert exact.score(Z, target) > 0.98
    # What is left of sixteen digits after the condition number
    np.testing.assert_allclose(exact.coef_, np.ravel(np.asarray(coef, float)), rtol=1e-13 / apart)


ZEROS = np.zeros((2, 1)), np.zeros(1)
REQUEST = Request(fit_intercept=True, max_iter=100, tol=1e-12)
NEAR = np.column_stack([X[:, 1], X[:, 1] + 1e-11 * random.standard_normal(N)])


def stream_of(keep, Z=NEAR):
    return Stream.of(Rows(Z, y[:, None]), 1, keep=keep)


def test_the_reason_for_lost_digits_is_what_was_kept():
    near = stream_of("moments")
    walked = near.follow_textbook(ConstantStep(1e-4), ZEROS, REQUEST._replace(tol=0.1))
    for result in (near.follow_auto(ZEROS, REQUEST), walked):
        assert result.status is Status.ILL_CONDITIONED
        assert result.reason is Reason.KEPT_MOMENTS
        assert result.of_data.condition_number == np.inf
    root = stream_of("qr").follow_auto(ZEROS, REQUEST)
    assert root.status is Status.ILL_CONDITIONED
    assert root.reason is None
    for keep in ("moments", "qr"):
        apart = stream_of(keep, X[:, 1:3]).follow_auto(ZEROS, REQUEST)
        assert apart.status is Status.CONVERGED
        assert apart.reason is None


def test_the_reason_for_lost_digits_is_what_was_forgotten():
    Z, more = X[:, 1:3], Rows(1e8 * X[:300, 1:3], y[:300, None])
    rest = stream_of("moments", Z).followed_by(more).without(more)
    result = rest.follow_auto(ZEROS, REQUEST)
    assert result.status is Status.ILL_CONDITIONED
    assert result.reason is Reason.FORGOTTEN
    assert result.of_data.condition_number < np.inf
    # Where it cannot be told at all whether columns depend on each other, that comes first
    near = stream_of("moments").without(Rows(NEAR[:9], y[:9, None]))
    assert near.has_forgotten
    assert near.follow_auto(ZEROS, REQUEST).reason is Reason.KEPT_MOMENTS


def test_a_dependence_that_ends_is_seen():
    Z = np.column_stack([X[:, 2], X[:, 2]])
    Z[400:, 1] += 1e-9 * random.standard_normal(200)
    begun = streamed([np.arange(400)], Z)
    assert begun.status_ is Status.CONVERGED
    with pytest.warns(ConvergenceWarning, match="digits"):
        begun.partial_fit(Z[400:], y[400:])


# --- Merging and forgetting ---


@kept
def test_merged_streams_are_one(keep):
    a, b, c = (streamed([part], stream=keep) for part in chunks(100, 101))
    before = pickle.dumps(b)
    assert a.merge(b) is a
    assert pickle.dumps(b) == before
    a.merge(c)
    assert distance(a, EXACT.coef_, EXACT.intercept_) < 1e-12
    assert a.stream_.n_batches == 3


def test_sliding_windows():
    model = streamed([np.arange(100)])
    for first in range(0, N - 100, 50):
        model.partial_fit(X[first + 100 : first + 150], y[first + 100 : first + 150])
        model.forget(X[first : first + 50], y[first : first + 50])
    window = GDLinearRegressor(tol=0).fit(X[-100:], y[-100:])
    assert distance(model, window.coef_, window.intercept_, X[-100:], y[-100:]) < 1e-11
    assert model.status_ is Status.CONVERGED
    assert model.loss_curve_[-1] == pytest.approx(window.loss_curve_[-1], abs=1e-14 * y.var())


def test_weights_are_forgotten_as_they_were_learnt():
    model = streamed(chunks(50), weights=WEIGHTS).forget(X[:40], y[:40], WEIGHTS[:40])
    rest = GDLinearRegressor(tol=0).fit(X[40:], y[40:], WEIGHTS[40:])
    assert distance(model, rest.coef_, rest.intercept_) < 1e-11


@pytest.mark.parametrize("size", [1e3, 1e6, 1e14])
def test_forgetting_costs_what_the_largest_sum_held_rounds_away(size):
    model = streamed([np.arange(300)])
    model.partial_fit(size * X[300:], y[300:])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.forget(size * X[300:], y[300:])
    rest = GDLinearRegressor(tol=0).fit(X[:300], y[:300])
    square = X.var(axis=0) + X.mean(axis=0) ** 2
    lost = np.finfo(float).eps * size**2 * (square / X.var(axis=0)).max()
    error = distance(model, rest.coef_, rest.intercept_, X[:300], y[:300])
    assert error < max(1e-10, lost)
    assert bool(caught) == (model.status_ is Status.ILL_CONDITIONED) == (size > 1e3)


# --- What streams refuse ---


def test_what_cannot_be_forgotten_or_merged():
    model = streamed([np.arange(100)])
    with pytest.raises(ValueError, match="none would be left"):
        model.forget(X[:100], y[:100])
    with pytest.raises(ValueError, match=r"cannot forget rows; keep moments"):
        streamed([np.arange(100)], stream="qr").forget(X[:9], y[:9])
    with pytest.raises(ValueError, match="holds no stream"):
        model.merge(GDLinearRegressor().fit(X, y))
    with pytest.raises(ValueError, match="call partial_fit first"):
        GDLinearRegressor().fit(X, y).forget(X[:9], y[:9])
    with pytest.raises(ValueError, match="keeps 'qr'"):
        model.merge(streamed([np.arange(100)], stream="qr"))
    with pytest.raises(ValueError, match="4 columns"):
        model.merge(streamed([np.arange(100)], X[:, :4]))
    with pytest.raises(ValueError, match="2 targets"):
        model.merge(streamed([np.arange(100)], y=Y))
    with pytest.raises(ValueError, match=r'stream must be "moments" or "qr", got 3'):
        GDLinearRegressor(stream=3).fit(X, y)
    with pytest.raises(ValueError, match=r"begun with 'moments'"):
        model.set_params(stream="qr").partial_fit(X, y)


@pytest.mark.parametrize("keep, other", [("moments", "qr"), ("qr", "moments")])
def test_streams_of_two_kinds_refuse_each_other_and_name_both(keep, other):
    mine, theirs = (streamed([np.arange(100)], stream=kind) for kind in (keep, other))
    words = f"other keeps '{other}' and this stream '{keep}'.*begin both with the same `stream`"
    with pytest.raises(ValueError, match=words):
        mine.merge(theirs)
    with pytest.raises(ValueError, match=words):
        mine.stream_ + theirs.stream_
    with pytest.raises(ValueError, match=f"stream='{other}', but .* begun with '{keep}'"):
        mine.set_params(stream=other).partial_fit(X, y)
    assert mine.stream_.keeps == keep
    assert mine.stream_.n_batches == 1


BAD_CHUNKS = {
    "NaN": (np.full((3, D), np.nan), y[:3], None, "NaN"),
    "infinity": (np.full((3, D), np.inf), y[:3], None, "inf"),
    "a column less": (X[:3, :4], y[:3], None, "4 features"),
    "no rows": (X[:0], y[:0], None, "0 sample"),
    "two targets": (X[:3], Y[:3], None, "2 targets"),
    "lengths": (X[:3], y[:4], None, "inconsistent"),
    "weights": (X[:3], y[:3], [-1, 1, 1], "negative"),
    "weights beyond any sum": (X[:3], y[:3], [1e200, 1, 1], "too far from 1"),
}


@kept
@pytest.mark.parametrize("bad", BAD_CHUNKS)
def test_a_bad_chunk_loses_nothing(keep, bad):
    *chunk, words = BAD_CHUNKS[bad]
    good = streamed(chunks(77), stream=keep)
    model = copy.deepcopy(good)
    with pytest.raises(ValueError, match=words):
        model.partial_fit(*chunk)
    assert model.__dict__.keys() == good.__dict__.keys()
    np.testing.assert_array_equal(model.coef_, good.coef_)
    model.partial_fit(X, y)
    good.partial_fit(X, y)
    np.testing.assert_array_equal(model.coef_, good.coef_)


@pytest.mark.parametrize("bad", BAD_CHUNKS)
def test_an_error_names_the_batch_and_what_came_before_is_kept(bad):
    *chunk, words = BAD_CHUNKS[bad]
    batches = [(X[:200], y[:200]), (X[200:400], y[200:400]), chunk, (X[400:], y[400:])]
    model = GDLinearRegressor()
    with pytest.raises(ValueError, match=f"^batch 3: .*{words}"):
        model.fit_batches(batches)
    expected = GDLinearRegressor().fit_batches(batches[:2])
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.partial_fit(X[400:], y[400:]).stream_.n_batches == 3


def test_a_bad_first_batch_leaves_the_model_before():
    model = GDLinearRegressor().fit(X, y)
    for batches in ([], [BAD_CHUNKS["NaN"][:2]], ["text"]):
        with pytest.raises(ValueError, match="batch"):
            model.fit_batches(batches)
        np.testing.assert_array_equal(model.predict(X), GDLinearRegressor().fit(X, y).predict(X))


@pytest.mark.parametrize("source", [5, "folder/", np.ones((3, 2)), {"a": [1]}])
def test_what_is_no_table_is_refused_as_a_value(source):
    with pytest.raises(ValueError, match=r"^batches must be a table with named columns"):
        GDLinearRegressor().fit_batches(source, target="y")
    with pytest.raises(ValueError, match=r"^batch 1: must be a table with named columns"):
        GDLinearRegressor().fit_batches([source], target="y")


@pytest.mark.parametrize("error", [OSError("the disk is gone"), KeyboardInterrupt()])
def test_an_iterator_that_raises_loses_nothing(error):
    def batches():
        yield X[:300], y[:300]
        raise error

    model = GDLinearRegressor()
    if isinstance(error, OSError):
        with pytest.raises(RuntimeError, match="batch 2: reading it raised OSError: the disk"):
            model.fit_batches(batches())
    else:
        with pytest.raises(KeyboardInterrupt):
            model.fit_batches(batches())
    np.testing.assert_array_equal(model.coef_, streamed([np.arange(300)]).coef_)


def test_names_and_order_of_columns():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=list("abcde"))
    model = GDLinearRegressor().partial_fit(table[:300], y[:300])
    with pytest.raises(ValueError, match="same order"):
        model.partial_fit(table[list("bacde")][300:], y[300:])
    model.partial_fit(table[300:], y[300:])
    assert list(model.feature_names_in_) == list("abcde")
    np.testing.assert_allclose(model.coef_, EXACT.coef_, rtol=1e-9)
    other = GDLinearRegressor().partial_fit(table.rename(columns={"a": "z"}), y)
    with pytest.raises(ValueError, match="'z'"):
        model.merge(other)


def test_fit_ends_a_stream():
    model = streamed(chunks(300)).fit(X[:100], y[:100])
    assert not hasattr(model, "stream_")
    model.partial_fit(X[100:], y[100:])
    np.testing.assert_array_equal(model.coef_, streamed([np.arange(100, N)]).coef_)


# --- Chunks without weight ---


@kept
@pytest.mark.parametrize("rate", [{}, RATE], ids=["auto", "textbook"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("zero", [0.0, np.zeros(7), [0] * 7], ids=["number", "array", "list"])
def test_a_chunk_without_weight_adds_nothing_and_is_counted(keep, rate, sparse, zero):
    # Nor do its values count, nor the precision that they have
    table = csr_array(1e200 * X[:7]) if sparse else 1e200 * X[:7]
    plain = streamed(chunks(100), X.astype(np.float32), stream=keep, **rate)
    model = streamed(chunks(100)[:1], X.astype(np.float32), stream=keep, **rate)
    model.partial_fit(table, 1e200 * y[:7], zero)
    model.partial_fit(X[100:].astype(np.float32), y[100:])
    model.partial_fit(table, 1e200 * y[:7], zero)
    assert model.coef_.dtype == np.float32
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.intercept_, plain.intercept_)
    np.testing.assert_array_equal(model.loss_curve_, plain.loss_curve_)
    assert model.stream_.n_batches == plain.stream_.n_batches + 2


@kept
def test_a_chunk_without_weight_is_checked_like_any_other(keep):
    model = streamed(chunks(100), stream=keep)
    before = dict(vars(model))
    for table, target, weights, words in (
        (np.full((3, D), np.nan), y[:3], np.zeros(3), "X contains NaN"),
        (X[:3], np.full(3, np.nan), np.zeros(3), "y contains NaN"),
        (X[:3, :2], y[:3], np.zeros(3), "2 features"),
        (X[:3], Y[:3], np.zeros(3), "2 targets"),
        (X[:3], y[:3], np.zeros(2), "one weight per row"),
        (X[:3], y[:3], [-1e-300, 0, 0], "negative"),
        (X[:0], y[:0], np.zeros(0), "0 sample"),
    ):
        with pytest.raises(ValueError, match=words):
            model.partial_fit(table, target, weights)
        assert vars(model) == before


@kept
def test_the_first_chunk_needs_weight(keep):
    for model in (GDLinearRegressor(stream=keep), GDLinearRegressor(stream=keep).fit(X, y)):
        before = dict(vars(model))
        with pytest.raises(ValueError, match=r"at least one weight above zero, got zero in every"):
            model.partial_fit(X, y, np.zeros(N))
        assert vars(model) == before
        model.partial_fit(X, y).partial_fit(X, y, np.zeros(N))


@kept
def test_batches_without_weight(keep):
    zero = (X[:9], y[:9], np.zeros(9))
    some, more = (X[:200], y[:200]), (X[200:], y[200:], WEIGHTS[200:])
    plain = GDLinearRegressor(stream=keep).fit_batches([some, more])
    model = GDLinearRegressor(stream=keep).fit_batches([some, zero, zero, more, zero])
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert (model.stream_.n_batches, plain.stream_.n_batches) == (5, 2)
    for batches in ([zero, some], [zero], [zero, zero]):
        model = GDLinearRegressor(stream=keep)
        before = dict(vars(model))
        with pytest.raises(ValueError, match=r"^batch 1: sample_weight must contain at least one"):
            model.fit_batches(batches)
        assert vars(model) == before
    table = pa.table({"a": X[:, 1], "y": y, "w": np.where(np.arange(N) // 100 % 2, 0.0, 1.0)})
    parts = [table[i : i + 100] for i in range(0, N, 100)]
    model = GDLinearRegressor(stream=keep).fit_batches(parts, target="y", sample_weight="w")
    plain = GDLinearRegressor(stream=keep).fit_batches(parts[::2], target="y", sample_weight="w")
    np.testing.assert_array_equal(model.coef_, plain.coef_)


@kept
def test_merged_streams_count_chunks_without_weight(keep):
    a, b = (streamed([part], stream=keep) for part in chunks(100))
    plain = copy.deepcopy(a).merge(b)
    b.partial_fit(X[:5], y[:5], np.zeros(5))
    a.partial_fit(X[:5], y[:5], np.zeros(5)).merge(b)
    np.testing.assert_array_equal(a.coef_, plain.coef_)
    assert a.stream_.n_batches == 4


def test_to_forget_rows_without_weight_takes_nothing_away():
    model = streamed(chunks(100))
    before, stream = model.coef_.copy(), model.stream_
    model.forget(X[:50], y[:50], np.zeros(50))
    np.testing.assert_array_equal(model.coef_, before)
    assert model.stream_ is stream
    with pytest.raises(ValueError, match="cannot forget"):
        streamed(chunks(100), stream="qr").forget(X[:50], y[:50], np.zeros(50))


# --- Tables by name ---


@pytest.mark.parametrize("target", [5, ["y", 5], [], b"y", None], ids=repr)
def test_targets_are_named_by_words(target):
    frame = arrow_table()
    words = "target must be the name" if target is not None else "write target="
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor().fit_batches(frame, target=target)
    with pytest.raises(ValueError, match=r"sample_weight must be the name of a column .* ndarray"):
        GDLinearRegressor().fit_batches(frame, target="y", sample_weight=WEIGHTS)
    names = (name for name in ["y", "a"])
    assert GDLinearRegressor().fit_batches(frame, target=names).coef_.shape == (2, 6)


@pytest.mark.parametrize("batches", [None, 5, np.array(1.0), "table"])
def test_batches_must_be_some(batches):
    batches = arrow_table() if isinstance(batches, str) else batches
    with pytest.raises(ValueError, match="batches must be an iterable of"):
        GDLinearRegressor().fit_batches(batches)


def arrow_table():
    columns = {name: X[:, i] for i, name in enumerate("abcde")}
    return pa.table({"weight": WEIGHTS, **columns, "y": y, "count": np.arange(N)})


def arrow_sources(tmp_path):
    table = arrow_table()
    yield "table", table
    yield "reader", pa.RecordBatchReader.from_batches(table.schema, table.to_batches(100))
    for i in range(3):
        pa.parquet.write_table(table[200 * i : 200 * i + 200], tmp_path / f"{i}.parquet")
    yield "dataset", pa.dataset.dataset(tmp_path)
    yield "tables", (table[i : i + 120] for i in range(0, N, 120))
    for name in ("pandas", "polars", "duckdb"):
        try:
            library = __import__(name)
        except ImportError:
            continue
        if name == "pandas":
            yield name, table.to_pandas()
            yield "chunks", (table.to_pandas()[i : i + 200] for i in range(0, N, 200))
        elif name == "polars":
            yield name, library.from_arrow(table)
        else:
            yield name, library.from_arrow(table)


def test_anything_that_offers_an_arrow_stream(tmp_path):
    Z = np.column_stack([X, np.arange(N)])
    whole = GDLinearRegressor(tol=0).fit(Z, y, WEIGHTS)
    seen = []
    for name, source in arrow_sources(tmp_path):
        seen.append(name)
        model = GDLinearRegressor().fit_batches(source, target="y", sample_weight="weight")
        np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-8, err_msg=name)
        assert list(model.feature_names_in_) == [*"abcde", "count"]
    assert {"table", "reader", "dataset", "tables"} < set(seen)
    two = GDLinearRegressor().fit_batches(arrow_table(), target=["y", "a"])
    assert two.coef_.shape == (2, 6)


def test_errors_of_tables_name_the_batch_and_the_column():
    table = arrow_table()
    broken = table.set_column(3, "c", pa.array([None if i == 450 else float(i) for i in range(N)]))
    tables = [broken[:300], broken[300:]]
    model = GDLinearRegressor()
    with pytest.raises(ValueError, match=r"batch 2: column 'c' has .* row 150"):
        model.fit_batches(iter(tables), target="y")
    assert model.stream_.n_batches == 1
    text = table.append_column("t", pa.array(["x"] * N))
    for source, options, words in (
        (text, {"target": "y"}, "batch 1: column 't' holds string"),
        (table, {"target": "z"}, "batch 1: no column 'z'"),
        (table, {"target": "y", "sample_weight": "v"}, "batch 1: no column 'v'"),
        ([table[:9], table[9:].drop_columns(["b"])], {"target": "y"}, "batch 2: .* see 'b'"),
        (table, {"sample_weight": "weight"}, "write target"),
        ([(X, y), table], {}, "batch 2: must be"),
    ):
        with pytest.raises(ValueError, match=words):
            GDLinearRegressor().fit_batches(source, **options)


# --- Moments anywhere ---


def test_moments_made_elsewhere():
    parts = [Moments.of(X[i], y[i], WEIGHTS[i]) for i in chunks(3, 50, 400)]
    total = sum(parts[1:], parts[0])
    model = GDLinearRegressor().fit_moments(pickle.loads(pickle.dumps(total)))
    whole = GDLinearRegressor(tol=0).fit(X, y, WEIGHTS)
    assert distance(model, whole.coef_, whole.intercept_) < 1e-12
    less = GDLinearRegressor().fit_moments(total - parts[0])
    assert (
        distance(
            less,
            *(lambda m: (m.coef_, m.intercept_))(
                GDLinearRegressor(tol=0).fit(X[3:], y[3:], WEIGHTS[3:])
            ),
        )
        < 1e-11
    )
    with pytest.raises(ValueError, match="must be Moments, got list"):
        model.fit_moments(parts)
    for weights, words in (
        (-WEIGHTS, "sample_weight must not be negative, got -3"),
        (WEIGHTS[:4], r"sample_weight.shape == \(4,\), expected \(600,\)"),
        (0 * WEIGHTS, "sample_weight must contain at least one weight above zero"),
        (1e-300 * WEIGHTS, "sample_weight has weights up to .*, too far from 1"),
        (1e300 * WEIGHTS, "sample_weight has weights up to .*, too far from 1"),
        (WEIGHTS + 1j, "sample_weight must be real numbers"),
        (WEIGHTS.astype("M8[s]"), "sample_weight must be real numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            Moments.of(X, y, weights)


def test_moments_add_up_with_their_like_and_must_be_of_something():
    moments = Moments.of(X, y)
    for other in (Moments.of(X[:, :3], y), Moments.of(X, Y)):
        for add in (operator.add, operator.sub):
            with pytest.raises(ValueError, match=r"same columns and targets .*\(5, 1\) and "):
                add(moments, other)
    for other in (1, None, "x"):
        with pytest.raises(TypeError):
            moments + other
        with pytest.raises(TypeError):
            moments - other
    for other in (moments, Moments.of(2 * X, y)):
        with pytest.raises(ValueError, match="nothing is left"):
            moments - other
    for factor in (0.0, -1.0, 1e210, 1e-210, np.nan):
        with pytest.raises(ValueError, match=r"moments must have a weight from 1e-200 to 1e\+200"):
            GDLinearRegressor().fit_moments(moments.times(factor))


def test_dependent_columns_in_bare_moments_are_said():
    with pytest.warns(ConvergenceWarning, match="about 0 digits"):
        GDLinearRegressor().fit_moments(Moments.of(dependent(), y))


# --- Checkpoints ---


@kept
def test_a_saved_stream_goes_on_as_if_nothing_had_happened(keep, tmp_path):
    straight = streamed(chunks(100, 200, 300), stream=keep)
    model = streamed(chunks(100, 200, 300)[:2], stream=keep)
    joblib.dump(model, tmp_path / "model.joblib")
    resumed = joblib.load(tmp_path / "model.joblib")
    for rows in chunks(100, 200, 300)[2:]:
        resumed.partial_fit(X[rows], y[rows])
    np.testing.assert_array_equal(resumed.coef_, straight.coef_)
    assert resumed.intercept_ == straight.intercept_


KILLED = """
import itertools, os, signal, sys
import joblib, numpy as np
from gd_regressor import GDLinearRegressor
model = GDLinearRegressor()
for i in itertools.count():
    rng = np.random.default_rng(i)
    X = rng.standard_normal((50, 3))
    model.partial_fit(X, X @ [1.0, 2.0, 3.0] + rng.standard_normal(50))
    joblib.dump(model, sys.argv[1] + ".part")
    os.replace(sys.argv[1] + ".part", sys.argv[1])
    print(i, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_killed_process_loses_only_what_came_after_the_last_save(tmp_path):
    path = tmp_path / "model.joblib"
    process = subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE)
    for _ in range(4):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    model, straight = joblib.load(path), GDLinearRegressor()
    done = model.stream_.n_batches
    assert done >= 4
    for i, fitted in itertools.product(range(done + 3), (straight, model)):
        if fitted is model and i < done:
            continue
        rng = np.random.default_rng(i)
        Z = rng.standard_normal((50, 3))
        fitted.partial_fit(Z, Z @ [1.0, 2.0, 3.0] + rng.standard_normal(50))
    np.testing.assert_array_equal(model.coef_, straight.coef_)


# --- What a hostile reader found ---


def quiet(parts, Z, target, weights=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return streamed(parts, Z, target, weights, **parameters)


@pytest.mark.parametrize("n", [500, 20_000, 200_000])
@pytest.mark.parametrize("height", [1, 100, 10**6])
def test_a_factor_takes_no_rounding_for_a_direction(n, height):
    if n // height > 600:
        return
    Z = np.eye(4)[random.integers(0, 4, n)]
    target = Z[:, 0] + random.standard_normal(n)
    model = quiet(chunks(*range(height, n, height), n=n), Z, target, stream="qr")
    means = [target[Z[:, j] > 0].mean() for j in range(4)]
    np.testing.assert_allclose(model.predict(np.eye(4)), means, atol=1e-10)
    assert model.rank_ == 3


def test_rows_forgotten_in_other_chunks_leave_their_rounding_and_it_is_said():
    Z = random.standard_normal((80, 3))
    Z[:, 1] = Z[:, 0] + Z[:, 1] / 100
    Z[40:] = 1e5 * (random.standard_normal((40, 3)) + 5)
    target = (Z[:, 1] - Z[:, 0]) * 100 + random.standard_normal(80)
    target[40:] = random.standard_normal(40)
    model = streamed([np.arange(80)], Z, target)
    with pytest.warns(ConvergenceWarning, match="digits"):
        for first in range(40, 80, 10):
            model.forget(Z[first : first + 10], target[first : first + 10])
    model = streamed(
        [np.arange(80)], Z[:40].repeat(2, axis=0), np.r_[target[:40], 1e15 * target[:40]]
    )
    with pytest.warns(ConvergenceWarning, match="digits"):
        model.forget(Z[:40].repeat(2, axis=0)[40:], 1e15 * target[:40])


def test_the_textbooks_iterates_need_all_directions():
    z = np.random.default_rng(3).standard_normal((50, 2))
    Z, target = np.c_[z[:, 0], z[:, 0] + 1e-5 * z[:, 1]], z.sum(axis=1)
    options = {"learning_rate": 0.2, "max_iter": 10**6}
    with pytest.warns(ConvergenceWarning, match="updates"):
        whole = GDLinearRegressor(**options).fit(Z, target)
    with pytest.warns(ConvergenceWarning, match="updates"):
        model = streamed(chunks(20, n=50), Z, target, **options)
    assert model.n_iter_ == whole.n_iter_
    np.testing.assert_allclose(model.predict(Z), whole.predict(Z), atol=1e-9)


UNITS = {
    "a row first, in units far apart": (
        random.standard_normal((60, 2)) * [1e-9, 1e9],
        [1, *range(2, 60)],
    ),
    "a small column begins late": (
        np.where(np.arange(60)[:, None] < 20, 0, 1e-16 * random.standard_normal((60, 1))),
        [20],
    ),
    "a first chunk that conditions badly": (
        (lambda a, b: np.c_[a, b, a + b])(
            np.arange(60.0) ** 2, np.arange(60.0) ** 2 + np.arange(60) % 7
        ),
        [10],
    ),
}


@pytest.mark.parametrize("case", UNITS)
def test_null_spaces_know_units(case):
    Z, cuts = UNITS[case]
    target = Z @ (1 / Z.std(axis=0)) + random.standard_normal(60)
    model = quiet(chunks(*cuts, n=60), Z, target)
    whole = GDLinearRegressor(tol=0).fit(Z, target)
    np.testing.assert_allclose(model.predict(Z), whole.predict(Z), atol=1e-9)
    assert model.rank_ == whole.rank_


def test_a_category_that_slides_out_needs_no_warning():
    level = np.r_[np.zeros(20, int), random.integers(1, 3, 60)]
    Z = np.c_[np.eye(3)[level], random.standard_normal(80)]
    target = Z[:, 1] + random.standard_normal(80)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = streamed([np.arange(80)], Z, target).forget(Z[:20], target[:20])
        constant = np.c_[np.arange(9.0) % 4, np.full(9, 7.0)]
        GDLinearRegressor().fit_moments(Moments.of(constant, constant[:, 0]))
        GDLinearRegressor(fit_intercept=False).partial_fit(constant, constant[:, 0])
    whole = GDLinearRegressor(tol=0).fit(Z[20:], target[20:])
    assert model.rank_ == whole.rank_
    np.testing.assert_allclose(model.predict(Z[20:]), whole.predict(Z[20:]), atol=1e-12)


@kept
def test_single_precision_is_that_of_the_chunks(keep):
    Z = (random.standard_normal((60, 2)) + 1e6).astype(np.float32)
    target = Z.astype(float) @ [1, 2.0] + random.standard_normal(60)
    model = streamed([np.arange(60)], Z, target, stream=keep)
    assert model.coef_.dtype == np.float32
    whole = GDLinearRegressor().fit(Z, target)
    np.testing.assert_allclose(model.predict(Z), whole.predict(Z), rtol=1e-6)
    assert abs((model.predict(Z.astype(float)) - target).mean()) < 1


def test_the_index_of_a_frame_is_no_column():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4, 5, 6], "y": [1.0, 3, 2, 5, 4, 6]})
    model = GDLinearRegressor().fit_batches(frame[frame.a != 3], target="y")
    assert list(model.feature_names_in_) == ["a"]


def test_learning_that_fails_after_the_batches_leaves_the_model_before():
    single = X.astype(np.float32)
    model = GDLinearRegressor().fit(single, y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match="float32"):
        model.fit_batches([(single, 1e60 * y)])
    np.testing.assert_array_equal(model.coef_, before)
    with pytest.raises(ValueError, match="batch 2: must be"):
        model.fit_batches([(X, y), None, (X, y)])


def test_a_warm_start_of_batches():
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    model = GDLinearRegressor(0.01, 5, None, warm_start=True).fit(Z, y)
    again = copy.deepcopy(model).fit(Z, y)
    np.testing.assert_allclose(model.fit_batches([(Z, y)]).coef_, again.coef_, rtol=1e-9)


# --- What a stranger tripped over ---


def test_rows_that_were_not_learnt_cannot_be_forgotten():
    model = streamed([np.arange(100)])
    with pytest.raises(ValueError, match="were not learnt"):
        model.forget(100 * X[200:250], y[200:250])
    assert distance(model, *(lambda m: (m.coef_, m.intercept_))(streamed([np.arange(100)]))) == 0


def test_what_forgetting_costs_is_not_blamed_on_the_columns():
    model = streamed([np.arange(300)])
    model.partial_fit(1e8 * X[300:], y[300:])
    with pytest.warns(ConvergenceWarning, match="What was forgotten was so much larger"):
        model.forget(1e8 * X[300:], y[300:])


def test_bare_moments_of_dependent_columns_have_the_least_norm_and_the_rank():
    Z = dependent()
    with pytest.warns(ConvergenceWarning, match="digits"):
        model = GDLinearRegressor().fit_moments(Moments.of(Z, y))
    whole = GDLinearRegressor(tol=0).fit(Z, y)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-6, atol=1e-9)
    assert model.rank_ == whole.rank_


def test_chunks_of_a_file_and_inputs_that_are_none(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde")).assign(y=y)
    frame.to_csv(tmp_path / "table.csv", index=False)
    reader = pd.read_csv(tmp_path / "table.csv", chunksize=100)
    model = GDLinearRegressor().fit_batches(reader, target="y")
    assert model.stream_.n_batches == 6
    for batches, target, words in (
        ("folder/", "y", "table with named columns .* got str"),
        ({"y": y}, "y", "got dict"),
        ([X, X], "y", r"^batch 1: must be a table with named columns \(.*\), got ndarray; "),
        (frame, None, "DataFrame; for a table with named columns write target"),
        ((X, y), None, r"write \[\(X, y\)\] for a single batch"),
        ([(X, y, y, y)], None, "got tuple of length 4"),
    ):
        with pytest.raises(ValueError, match=words):
            GDLinearRegressor().fit_batches(batches, target=target)


def test_moments_add_up_by_sum_and_may_be_sparse():
    import scipy.sparse as sp

    S = sparse_normal(random, 200, 30, 0.05)
    parts = [Moments.of(S[i : i + 50], y[i : i + 50]) for i in range(0, 200, 50)]
    total, dense = sum(parts), Moments.of(S.toarray(), y[:200])
    np.testing.assert_allclose(total.xx, dense.xx, atol=1e-13)
    assert total.n_rows == 200
    with pytest.raises(ValueError, match="30000 columns"):
        GDLinearRegressor().partial_fit(sp.csr_array((9, 30_000)), np.ones(9))


def test_a_buffer_may_be_filled_again():
    """A stream keeps no reference to the arrays of a chunk."""
    Z = random.standard_normal((90, 3)) + 5
    target = Z @ [1.0, 2.0, 3.0] + 7
    buffer, target_buffer = np.empty((30, 3)), np.empty(30)

    def batches():
        for first in range(0, 90, 30):
            buffer[:], target_buffer[:] = Z[first : first + 30], target[first : first + 30]
            yield buffer, target_buffer

    model = GDLinearRegressor().fit_batches(batches())
    buffer[:], target_buffer[:] = Z[:30], target[:30]
    moments = Moments.of(buffer, target_buffer)
    buffer += 100
    target_buffer *= -50
    for fitted in (model, GDLinearRegressor().fit_moments(moments)):
        np.testing.assert_allclose(fitted.coef_, [1, 2, 3], rtol=1e-13)
        assert fitted.intercept_ == pytest.approx(7, rel=1e-13)
