"""The estimator in scikit-learn, and each input and parameter that it must refuse."""

import os
import pickle
import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from reference import exact_least_squares
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

import gd_regressor
from gd_regressor import DivergenceWarning, GDLinearRegressor, Moments, Status, gd_path
from gd_regressor.auto.follow import follow_auto
from gd_regressor.data import moments
from gd_regressor.data.table import Rows
from gd_regressor.estimator.verbose import Verbose
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_sliced import SlicedLoss
from gd_regressor.textbook.spectrum import Spectrum

N, D = 40, 3
normal = np.random.default_rng(3).standard_normal((N, D + 2))
X = normal[:, :D] + [0.5, -0.3, 0.1]
y = X @ [1.0, -2.0, 3.0] + 4.0 + normal[:, D]
Y = np.column_stack([y, 10 * normal[:, D + 1] - 2.0])
NAMES = ["width", "height", "depth"]
# Read-only: a fit that wrote into its input would raise
for array in (X, y, Y):
    array.setflags(write=False)

ONES = np.ones(N)
RATE = 0.1  # below the stability limit of X, which is about 0.47
EXACT = LinearRegression().fit(X, y)
AUTO_AND_TEXTBOOK = [GDLinearRegressor(), GDLinearRegressor(RATE, 300, None, momentum=0.5)]

either = pytest.mark.parametrize("model", AUTO_AND_TEXTBOOK, ids=["auto", "textbook"])


@pytest.fixture
def random():
    return np.random.default_rng(11)


# Many sparse columns: "auto" walks in them
SPARSE = sparse.random_array((3000, 2500), density=0.003, rng=np.random.default_rng(2)).tocsr()


def short(value):
    return " ".join(repr(value).split())[:40]


def mean_squared_error(model, X=X, y=y):
    return np.mean((y - X @ model.coef_.T - model.intercept_) ** 2)


def parameters(model):
    """All coefficients and intercepts in one vector."""
    return np.hstack([np.ravel(model.coef_), model.intercept_])


def assert_same(model, other, **tolerance):
    np.testing.assert_allclose(
        parameters(model), parameters(other), **({"rtol": 1e-10} | tolerance)
    )


def assert_finite(model, X=X, y=y):
    for value in (parameters(model), model.loss_curve_, model.predict(X), model.score(X, y)):
        assert np.isfinite(value).all()


# --- scikit-learn's own checks ---


CHECKED = [
    GDLinearRegressor(),
    GDLinearRegressor(fit_intercept=False),
    GDLinearRegressor(max_iter=1),
    GDLinearRegressor(tol=None, max_iter=3),
    GDLinearRegressor(warm_start=True, init="random", random_state=0),
    GDLinearRegressor(0.01),
    GDLinearRegressor(0.1),
    GDLinearRegressor(0.1, fit_intercept=False),
    GDLinearRegressor(0.1, momentum=0.9),
    # To the floor, or the next fit would go on
    GDLinearRegressor(0.1, 100_000, 0, warm_start=True),
    GDLinearRegressor(0.1, init="random", random_state=0),
    GDLinearRegressor(0.1, 20, None),
    GDLinearRegressor(0.1, tol=0),
    GDLinearRegressor(alpha=0.1),
    GDLinearRegressor(alpha=0.1, l1_ratio=0),
    GDLinearRegressor(positive=True),
    GDLinearRegressor(0.1, alpha=0.1),
    GDLinearRegressor(0.1, alpha=0.1, l1_ratio=0),
    GDLinearRegressor(0.1, 5, verbose=2),
    # Stable on columns of unit variance, which the check that asks for a score has; on most of
    # the others it diverges, and has to be a good estimator all the same
    GDLinearRegressor(0.5),
    GDLinearRegressor(0.5, momentum=0.2, fit_intercept=False),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(CHECKED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# --- Inside scikit-learn's tools ---


def test_pipeline_and_cross_val_score():
    units = X * [1e-3, 1.0, 1e6]
    pipeline = make_pipeline(StandardScaler(), GDLinearRegressor(RATE))
    np.testing.assert_allclose(pipeline.fit(units, y).predict(units), EXACT.predict(X), atol=1e-4)
    ours = cross_val_score(GDLinearRegressor(), units, y, cv=4)
    np.testing.assert_allclose(ours, cross_val_score(LinearRegression(), X, y, cv=4))


def test_grid_search_survives_a_candidate_that_diverges():
    search = GridSearchCV(
        GDLinearRegressor(max_iter=3000),
        {"learning_rate": [0.01, 0.1, 10.0]},
        cv=4,
        error_score="raise",
    )
    with pytest.warns(DivergenceWarning, match="learning_rate=10 "):
        search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores[2] < -1e50 < 0.9 < scores[:2].min()
    assert search.best_params_["learning_rate"] != 10.0


def test_transformed_target():
    model = TransformedTargetRegressor(GDLinearRegressor(), transformer=StandardScaler())
    np.testing.assert_allclose(model.fit(X, 1e6 * y).predict(X), 1e6 * EXACT.predict(X))


def test_clone_has_the_parameters_and_nothing_learnt():
    parameters = {
        "learning_rate": 0.05,
        "max_iter": 7,
        "tol": None,
        "fit_intercept": False,
        "momentum": 0.3,
        "init": "random",
        "warm_start": True,
        "random_state": 1,
        "verbose": 0,
        "stream": "qr",
        "alpha": 0.2,
        "l1_ratio": 0.1,
        "positive": True,
        "penalty_weights": None,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 3,
        "batch_size": 4,
        "shuffle": False,
        "average": 2,
        "loss": "squared_error",  # of the others none knows early stopping
    }
    copy = clone(GDLinearRegressor(**parameters).fit(X, y))
    assert copy.get_params() == parameters
    with pytest.raises(NotFittedError):
        copy.predict(X)


@either
@pytest.mark.parametrize("through", ["pickle", "joblib"])
def test_a_stored_model_is_the_same_model(model, through, tmp_path):
    model = clone(model).fit(X, y)
    if through == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model")
        again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.loss_curve_, model.loss_curve_)
    assert again.status_ is model.status_


def test_weights_are_routed_to_fits_and_scores(random):
    weights = random.integers(0, 3, N)
    direct = GDLinearRegressor().fit(X, y, weights)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GDLinearRegressor().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), model)
        scorer = make_scorer(r2_score).set_score_request(sample_weight=True)
        grid = {"gdlinearregressor__max_iter": [10, 20]}
        search = GridSearchCV(pipeline, grid, scoring=scorer, cv=3)
        for routed in (pipeline, search):
            routed.fit(X, y, sample_weight=weights)
            np.testing.assert_allclose(routed.predict(X), direct.predict(X))
        expected = direct.score(X, y, weights)
        assert search.score(X, y, sample_weight=weights) == pytest.approx(expected)


# --- Kinds of input ---


@either
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_have_names(frame, model):
    table = frame(dict(zip(NAMES, X.T, strict=True)))
    target = (pd.Series if frame is pd.DataFrame else pl.Series)(y)
    if not hasattr(LinearRegression().fit(table, target), "feature_names_in_"):
        pytest.skip("this scikit-learn does not see the names of this frame")
    model = clone(model).fit(table, target)
    assert list(model.feature_names_in_) == NAMES
    assert model.n_features_in_ == D
    assert_same(model, clone(model).fit(X, y))
    np.testing.assert_allclose(model.predict(table), model.predict(table.to_numpy()))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame(dict(zip(NAMES[::-1], X.T, strict=True))))
    assert not hasattr(model.fit(X, y), "feature_names_in_")


def test_names_arrive_through_a_pipeline_that_puts_out_frames():
    pipeline = make_pipeline(StandardScaler(), GDLinearRegressor()).set_output(transform="pandas")
    pipeline.fit(pd.DataFrame(X, columns=NAMES), y)
    assert list(pipeline[-1].feature_names_in_) == NAMES


LAYOUTS = {
    "list": X.tolist(),
    "Fortran order": np.asfortranarray(X),
    "every second row": np.repeat(X, 2, axis=0)[::2],
    "every second column": np.repeat(X, 2, axis=1)[:, ::2],
    "negative strides": X[::-1][::-1],
    "objects": X.astype(object),
}


@either
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layout_of_the_input_does_not_matter(name, model):
    assert_same(clone(model).fit(LAYOUTS[name], y.tolist()), clone(model).fit(X, y))


@either
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16])
def test_other_numbers_are_read_as_float64(dtype, model):
    table, target = np.maximum(3 * X, 0).astype(dtype), y.astype(np.int64)
    model = clone(model).set_params(max_iter=5).fit(table, target)
    assert model.coef_.dtype == np.float64
    assert_same(model, clone(model).fit(table.astype(float), target.astype(float)), rtol=0)


@either
def test_float32_in_float32_out_with_the_sums_of_float64(model):
    single = [a.astype(np.float32) for a in (X, Y)]
    model = clone(model).fit(*single)
    double = clone(model).fit(*(a.astype(np.float64) for a in single))
    for value in (model.coef_, model.intercept_, model.predict(single[0])):
        assert value.dtype == np.float32
    assert double.coef_.dtype == double.predict(X).dtype == np.float64
    eps = np.finfo(np.float32).eps
    assert_same(model, double, rtol=eps)
    np.testing.assert_allclose(model.loss_curve_, double.loss_curve_, rtol=1e-12)


@either
def test_inputs_are_not_modified(model):
    arrays = [X.copy(), Y.copy(), np.arange(N) / N, np.ones((2, D)), np.ones(2)]
    before = [a.copy() for a in arrays]
    clone(model).fit(*arrays).predict(arrays[0])
    for now, then in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(now, then)


@either
def test_targets_are_fitted_as_if_alone(model, route):
    together = clone(model).fit(X, Y)
    assert (together.coef_.shape, together.intercept_.shape) == ((2, D), (2,))
    assert together.predict(X).shape == (N, 2)
    alone = [clone(model).fit(X, target) for target in Y.T]
    np.testing.assert_allclose(together.coef_, [m.coef_ for m in alone], rtol=1e-10)
    np.testing.assert_allclose(together.intercept_, [m.intercept_ for m in alone], rtol=1e-10)


@either
def test_a_target_with_one_column_keeps_its_shape(model):
    column, flat = clone(model).fit(X, y[:, None]), clone(model).fit(X, y)
    assert (column.coef_.shape, column.intercept_.shape) == ((1, D), (1,))
    assert column.predict(X).shape == (N, 1)
    assert (flat.coef_.shape, type(flat.intercept_)) == ((D,), float)
    assert_same(column, flat, rtol=0)


@either
def test_weights_are_repetitions(model, route, random):
    counts = random.integers(0, 4, N)
    repeated = np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0)
    expected = clone(model).fit(*repeated)
    for weights in (counts, 1e-300 * counts, 1e300 * counts, (counts / 8).tolist()):
        weighted = clone(model).fit(X, Y, weights)
        assert_same(weighted, expected)
        np.testing.assert_allclose(weighted.loss_curve_, expected.loss_curve_)


@either
@pytest.mark.parametrize("outlier", [3.0, 1e6, 1e200])
def test_a_row_without_weight_is_absent(model, outlier, route):
    # The last column varies among the rows without weight only, and so is constant
    table, target = np.column_stack([X, np.full(N, 0.25)]), y.copy()
    table[::5], target[::7] = outlier, outlier
    present = (np.arange(N) % 5 > 0) & (np.arange(N) % 7 > 0)
    weighted = clone(model).fit(table, target, present)
    expected = clone(model).fit(table[present], target[present])
    assert_same(weighted, expected, atol=1e-14)
    assert weighted.n_iter_ == expected.n_iter_
    assert weighted.status_ is expected.status_


@either
@pytest.mark.parametrize(
    "table, target",
    [
        (X[:1] / 3, y[:1]),
        (X[:2] / 3, y[:2]),
        (0 * X, y),
        (0 * X + 0.1, y),
        (X, 0 * y),
        (X, 0 * y + 0.1),
    ],
    ids=["one row", "two rows", "no column", "constant columns", "zero target", "constant target"],
)
def test_degenerate_data_have_a_fit(model, table, target):
    model = clone(model).set_params(max_iter=3000).fit(table, target)
    assert_finite(model, X, y)
    best = LinearRegression().fit(table, target).predict(table)
    np.testing.assert_allclose(model.predict(table), best, rtol=1e-12)


# --- Starts ---


def test_a_warm_start_continues(route):
    whole = GDLinearRegressor(RATE, 100, None).fit(X, Y)
    parts = GDLinearRegressor(RATE, 50, None, warm_start=True).fit(X, Y)
    curve = parts.loss_curve_
    assert_same(parts.fit(X, Y), whole)
    np.testing.assert_allclose([*curve, *parts.loss_curve_[1:]], whole.loss_curve_, rtol=1e-10)


def test_without_warm_start_a_fit_forgets():
    model = GDLinearRegressor(RATE, 50, None)
    assert_same(model.fit(X, y), clone(model).fit(X, -y).fit(X, y), rtol=0)


def test_a_warm_start_recovers_from_divergence(route):
    with pytest.warns(DivergenceWarning):
        model = GDLinearRegressor(10.0, warm_start=True).fit(X, y)
    model.set_params(learning_rate=RATE, max_iter=5000, tol=0).fit(X, y)
    assert model.status_ is Status.CONVERGED
    np.testing.assert_allclose(model.predict(X), EXACT.predict(X), rtol=1e-6)


@either
def test_a_start_can_be_anywhere(model, route, random):
    w, b = random.standard_normal((2, D)), random.standard_normal(2)
    model = clone(model).fit(X, Y, coef_init=w, intercept_init=b)
    assert model.loss_curve_[0] == pytest.approx(np.mean((Y - X @ w.T - b) ** 2))


@pytest.mark.parametrize("shape", [(D,), (1, D)])
def test_a_start_for_one_target_may_have_either_shape(shape):
    fits = [
        GDLinearRegressor(RATE, 1, None).fit(X, y, coef_init=w, intercept_init=b)
        for w, b in [(np.ones(shape), 2), ([1.0] * D, [2.0])]
    ]
    assert_same(*fits, rtol=0)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("target", [y, Y], ids=["one target", "two targets"])
def test_a_random_start_draws_coefficients_then_intercepts(target, fit_intercept):
    draws, t = np.random.RandomState(5), target.reshape(N, -1).shape[1]
    w = draws.standard_normal((t, D))
    b = draws.standard_normal(t) if fit_intercept else np.zeros(t)
    options = {"tol": None, "fit_intercept": fit_intercept}
    model = GDLinearRegressor(RATE, 20, init="random", random_state=5, **options).fit(X, target)
    residual = target.reshape(N, -1) - X @ w.T - b
    assert model.loss_curve_[0] == pytest.approx(np.mean(residual**2))
    given = {"coef_init": w, "intercept_init": b if fit_intercept else None}
    assert_same(model, GDLinearRegressor(RATE, 20, **options).fit(X, target, **given), rtol=0)


def test_random_state_decides_the_random_start():
    fits = [
        GDLinearRegressor(RATE, 3, None, init="random", random_state=seed).fit(X, y)
        for seed in (0, 0, 1, np.random.RandomState(0))
    ]
    assert_same(fits[0], fits[1], rtol=0)
    assert_same(fits[0], fits[3], rtol=0)
    assert not np.allclose(fits[0].coef_, fits[2].coef_)


# --- What is said ---


@pytest.mark.parametrize("rate", ["auto", RATE])
@pytest.mark.parametrize("verbose", [1, 3, 7, 1000])
def test_verbose_writes_every_kth_loss(rate, verbose, route, capsys):
    model = GDLinearRegressor(rate, 20, None, verbose=verbose).fit(X, Y)
    out, err = capsys.readouterr()
    *lines, _ = out.splitlines()  # the last one tells the cost
    written = [re.fullmatch(r"update +(\d+)  loss (\S+) +gradient \S+", line) for line in lines]
    ks = range(0, 21, verbose)
    assert [int(match[1]) for match in written] == list(ks)
    losses = [float(match[2]) for match in written]
    np.testing.assert_allclose(losses, model.loss_curve_[ks], rtol=1e-9)
    assert err == ""


@either
def test_nothing_is_written_or_said_without_need(model, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(model).fit(X, y).predict(X)
    assert capsys.readouterr() == ("", "")


def warnings_of(model, *data, **options):
    """Fit and return the warnings. Each warning must point at this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data, **options)
    assert {warning.filename for warning in caught} <= {__file__}
    return caught


@pytest.mark.parametrize("tol", [0, 1e-12])
def test_max_iter_first_gives_one_warning_with_the_distance_left(tol, route):
    model = GDLinearRegressor(0.01, 50, tol)
    (warning,) = warnings_of(model, X, y)
    assert warning.category is ConvergenceWarning
    found = re.search(
        r"max_iter=50 .* is (at least )?(\S+) % of the variance above the minimum",
        str(warning.message),
    )
    share = (mean_squared_error(model) - mean_squared_error(EXACT)) / np.var(y)
    # Rounded for the reader to two digits
    assert float(found[2]) / 100 <= 1.06 * share
    assert found[1] or float(found[2]) / 100 >= 0.94 * share
    assert bool(found[1]) == (route == "walk")
    for cure in ("Raise max_iter", "learning_rate", "StandardScaler", '"auto"'):
        assert cure in str(warning.message)
    assert model.status_ is Status.MAX_ITER


def test_tol_none_is_never_short_of_convergence(route):
    model = GDLinearRegressor(0.01, 50, None)
    assert warnings_of(model, X, y) == []
    assert (model.n_iter_, len(model.loss_curve_)) == (50, 51)
    assert model.status_ is Status.MAX_ITER


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_max_learning_rate_is_the_stability_limit(fit_intercept, momentum, route):
    model = GDLinearRegressor(1e-3, 1, None, fit_intercept=fit_intercept, momentum=momentum)
    weights = np.arange(N)
    A = np.column_stack([X, np.ones(N)]) if fit_intercept else X
    largest = np.linalg.eigvalsh(2 * A.T @ (weights[:, None] * A) / weights.sum())[-1]
    limit = model.fit(X, y, weights).max_learning_rate_
    assert limit == pytest.approx(2 * (1 + momentum) / largest)
    assert not hasattr(
        model.set_params(learning_rate="auto", momentum=0).fit(X, y), "max_learning_rate_"
    )


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("named", [True, False])
def test_divergence_is_explained(momentum, named, route):
    table = X * [1.0, 30.0, 1.0]
    model = GDLinearRegressor(0.5, momentum=momentum)
    data = pd.DataFrame(table, columns=NAMES) if named else table
    (warning,) = warnings_of(model, data, y)
    assert issubclass(warning.category, DivergenceWarning)
    text = str(warning.message)
    assert "learning_rate=0.5 " in text
    assert f"{model.max_learning_rate_:.6g}" in text
    assert ("column 'height'" if named else "column 1") in text
    for cure in ("smaller learning_rate", "StandardScaler", '"auto"'):
        assert cure in text
    assert model.status_ is Status.DIVERGED
    assert_finite(model, table)


def test_the_curve_of_a_divergent_run_climbs(route):
    # One standardised column: above the limit of 1, the loss rises from the first update
    x = ((X - X.mean(axis=0)) / X.std(axis=0))[:, :1]
    model = GDLinearRegressor(1.05, 100, fit_intercept=False)
    with pytest.warns(DivergenceWarning):
        model.fit(x, x[:, 0])
    assert model.status_ is Status.DIVERGED and model.n_iter_ == 100
    assert (np.diff(model.loss_curve_) > 0).all()
    assert_finite(model, x, x[:, 0])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("rate, unit", [(0.1, 1e3), (0.1, 1e5), (0.1, 1e9), (1e10, 1), (1e200, 1)])
def test_no_rate_is_so_large_that_anything_overflows(rate, unit, momentum, route):
    model = GDLinearRegressor(rate, momentum=momentum)
    (warning,) = warnings_of(model, unit * X, y)
    assert warning.category is DivergenceWarning
    assert model.status_ is Status.DIVERGED
    assert len(model.loss_curve_) == model.n_iter_ + 1
    assert_finite(model, unit * X)


ADVICE_OF_A_NUMBER = "where learning_rate is a number"


@pytest.mark.parametrize("status", list(Status))
def test_a_status_is_right_in_either_mode(status):
    """A member does not know the mode, so advice for one mode must name the mode."""
    words = str(status)
    assert words.startswith(status.name.lower())
    for_both, _, for_a_number = words.partition(ADVICE_OF_A_NUMBER)
    assert "learning_rate" not in for_both
    assert ("max_learning_rate_" in for_a_number) == (ADVICE_OF_A_NUMBER in words)


@pytest.mark.parametrize(
    "name, model, data",
    [
        ("MAX_ITER", GDLinearRegressor(max_iter=1, tol=None), (X, y)),
        ("MAX_ITER", GDLinearRegressor(max_iter=1), (SPARSE, SPARSE @ np.ones(2500))),
    ],
    ids=["as asked", "too early"],
)
def test_auto_is_never_told_to_lower_a_rate_that_was_not_given(name, model, data):
    caught = warnings_of(model, *data)
    assert model.status_ is Status[name]
    assert len(caught) == (model.tol is not None)
    for text in (*map(str, [w.message for w in caught]), *str(model.status_).split("; ")[:1]):
        assert "learning_rate" not in text
        assert "auto" not in text


@pytest.mark.parametrize("stream", [None, "moments", "qr"])
def test_coefficients_beyond_the_range_of_floats_are_an_error_that_names_x(stream):
    model = GDLinearRegressor(stream=stream or "moments")
    fit = model.partial_fit if stream else model.fit
    with pytest.raises(
        ValueError, match=r"coefficients of X or the .* float64 holds.*; scale X\.$"
    ):
        fit(1e-200 * X, 1e140 * y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("room", ["estimator.fitting", "streams.kept_root"])
def test_moments_are_not_blamed_where_none_are_kept(room, monkeypatch):
    """With rows, or a triangular factor, the warning blames rounding and not the moments."""

    def rounded(*args, **options):
        found = follow_auto(*args, **options)
        lost = found.of_data._replace(condition_number=np.inf, coef_error=np.inf)
        return found._replace(status=Status.ILL_CONDITIONED, of_data=lost)

    monkeypatch.setattr(f"gd_regressor.{room}.follow_auto", rounded)
    model = GDLinearRegressor(stream="qr")
    (warning,) = warnings_of(model, X, y) if room == "estimator.fitting" else chunk_warnings(model)
    assert "Whether columns depend on each other rounding hides: about 0" in str(warning.message)
    assert "moments" not in str(warning.message)


def chunk_warnings(model):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.partial_fit(X, y)
    return caught


@pytest.mark.parametrize("size", [5e145, 1e147, 9e149, 1e151, 1e200])
@pytest.mark.parametrize("rate", ["auto", RATE])
@pytest.mark.parametrize("stream", [None, "moments", "qr"])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_targets_that_are_too_large_are_told_the_bound(size, rate, stream, offset):
    # With the offset their variance is one that fits
    target = size * (offset + (1e-10 if offset else 1.0) * y / np.abs(y).max())
    model = GDLinearRegressor(rate, stream=stream or "moments")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"^y has values .*at most 1e\+145\.$") as refusal:
            (model.partial_fit if stream else model.fit)(X, target)
    assert "coef_init" not in str(refusal.value)
    largest = target / np.abs(target).max() * 1e145
    (model.partial_fit if stream else model.fit)(X, largest)  # the advice is worth taking


@pytest.mark.parametrize("size", [1e148, 1e155, 1e308])
def test_a_start_that_is_too_far_away_is_not_blamed_on_y(size, route):
    options = {"coef_init": [size, -size, size], "intercept_init": size}
    calls = [
        lambda: GDLinearRegressor().fit(X, y, **options),
        lambda: GDLinearRegressor(RATE).fit(X, y, **options),
        lambda: GDLinearRegressor(RATE).fit(X, y, ONES, **options),
        lambda: gd_path(X, y, learning_rate=RATE, n_iter=3, **options),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in calls:
            with pytest.raises(ValueError, match=r"^The loss overflows at the start.*coef_init"):
                call()


def test_a_row_without_weight_may_be_any_distance_from_the_start(route):
    table, target, weights = np.vstack([X, np.full(D, 1e200)]), np.r_[y, 0.0], np.r_[ONES, 0.0]
    options = {"coef_init": np.ones(D), "intercept_init": 1.0}
    model = GDLinearRegressor(RATE, 10, None).fit(table, target, weights, **options)
    assert_same(model, GDLinearRegressor(RATE, 10, None).fit(X, y, **options))


@pytest.mark.parametrize("n_iter", [10**8, 2**62, [[1], [1, 2]], [1.0], -1, "x"])
def test_numbers_of_iterates_that_there_is_no_room_for(n_iter):
    with pytest.raises(ValueError, match=r"^n_iter must be .*got ") as refusal:
        gd_path(X, y, learning_rate=RATE, n_iter=n_iter)
    if isinstance(n_iter, int) and n_iter > 0:
        assert f"write n_iter=[{n_iter}]" in str(refusal.value)
        assert gd_path(X, y, learning_rate=RATE, n_iter=[n_iter])[0].shape == (D, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_beyond_floats_are_refused(dtype):
    model = GDLinearRegressor().fit(X.astype(dtype), 1e3 * y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(model.predict(np.array([[1.0, 0.0, 0.0]], dtype=dtype))).all()
        with pytest.raises(ValueError, match=f"X has .* beyond what {dtype.__name__} holds.*row 1"):
            model.predict(np.array([[0, 0, 0], [np.finfo(dtype).max / 2] * 3], dtype=dtype))


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("rate", ["auto", RATE])
@pytest.mark.parametrize("zero", [np.zeros(N), [0] * N, 0.0, np.full(N, -0.0)], ids=short)
def test_without_any_weight_a_fit_is_refused_and_nothing_is_changed(rate, zero, fitted):
    model = GDLinearRegressor(rate)
    if fitted:
        model.fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="sample_weight must contain at least one weight above"):
        model.fit(X[:, :2], y, zero)
    assert vars(model).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(model).items())


EXTREMES = {
    "coefficients beyond float32": [(1e-38 * X).astype(np.float32), (1e10 * y).astype(np.float32)],
    "columns whose range overflows": [
        np.column_stack([X, np.resize([1.7e308, 0, -1.7e308], N)]),
        y,
    ],
    "squares of y that overflow": [X, 1e200 * y],
}


@either
@pytest.mark.parametrize("name", EXTREMES)
def test_what_floats_cannot_hold_is_refused_and_never_fitted_silently(name, model):
    model, data = clone(model), EXTREMES[name]
    try:
        model.fit(*data)
    except ValueError as refusal:
        assert re.search(r"\b[Xy]\b", str(refusal))  # it names what is too large or too small
    else:
        for value in (parameters(model), model.predict(data[0]), model.loss_curve_):
            assert np.isfinite(value).all()


# --- Interrupts ---


def interrupt_at(monkeypatch, owner, name, call):
    """Raise KeyboardInterrupt at the `call`-th call of a method."""
    method, calls = getattr(owner, name), []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == call:
            raise KeyboardInterrupt
        return method(*args)

    monkeypatch.setattr(owner, name, interrupted)


def assert_kept(model, n_iter):
    """The model has the coefficients of `n_iter` updates, and its status is INTERRUPTED."""
    assert model.status_ is Status.INTERRUPTED
    assert (model.n_iter_, len(model.loss_curve_)) == (n_iter, n_iter + 1)
    whole = clone(model).set_params(max_iter=n_iter, verbose=0).fit(X, y)
    assert_same(model, whole)
    np.testing.assert_allclose(model.loss_curve_, whole.loss_curve_)


# The loss at the start is the first call, but for "auto", which knows it from moments
@pytest.mark.parametrize("rate, loss, call", [("auto", SlicedLoss, 7), (RATE, DataLoss, 8)])
def test_an_interrupted_walk_keeps_its_last_complete_update(rate, loss, call, monkeypatch):
    monkeypatch.setattr(gd_regressor.textbook.follow, "closed_form_pays", lambda *sizes: False)
    model = GDLinearRegressor(rate, 50, None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(patch, loss, "value_and_gradient", call)
        model.fit(X, y)
    assert_kept(model, 6)


def test_an_interrupted_closed_form_keeps_what_it_has_looked_at(monkeypatch):
    model = GDLinearRegressor(RATE, 50, None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(patch, Spectrum, "records", 6)
        model.fit(X, y)
    assert 1 <= model.n_iter_ < 50
    assert_kept(model, model.n_iter_)


@pytest.mark.parametrize("rate", ["auto", RATE])
def test_an_interrupt_while_writing_loses_nothing(rate, route, monkeypatch):
    model = GDLinearRegressor(rate, 50, None, verbose=1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(patch, Verbose, "see", 5)
        model.fit(X, y)
    assert 1 <= model.n_iter_ < 50
    assert_kept(model, model.n_iter_)


# --- Threads and imports ---


@either
def test_fits_in_threads_agree_and_leave_blas_as_it_was(model, random):
    table = random.standard_normal((20_000, 20))  # several stretches of rows
    target = table.sum(axis=1) + random.standard_normal(len(table))
    before = [library["num_threads"] for library in threadpool_info()]
    for _ in range(5):  # whoever is last to leave
        with ThreadPoolExecutor(8) as pool:
            fits = list(pool.map(lambda _: clone(model).fit(table, target), range(8)))
        assert [library["num_threads"] for library in threadpool_info()] == before
    with threadpool_limits(1):  # and any thread can limit them after
        ours = [library for library in threadpool_info() if library["user_api"] == "blas"]
        assert {library["num_threads"] for library in ours} == {1}
    for fit in fits:
        assert_same(fit, clone(model).fit(table, target), rtol=0)


@pytest.mark.parametrize("columns", [20, 500])
def test_results_of_a_pass_are_no_larger_than_what_they_are_of(columns, random, monkeypatch):
    """Each part of a wide table has more rows than the square that it gives."""
    n = 1_500_000 // columns
    rows = Rows(random.standard_normal((n, columns)), np.zeros((n, 1)))
    heights = []
    whole = moments.moments_of_part

    def counted(part, precise=False):
        heights.append(part.n_rows)
        return whole(part, precise)

    monkeypatch.setattr(moments, "moments_of_part", counted)
    found = Moments.of_rows(rows)
    assert sum(heights) == rows.n_rows and len(heights) > 1
    assert min(heights) >= columns * (2 if columns > 400 else 1)
    np.testing.assert_allclose(found.xx, np.cov(rows.X.T, bias=True) * rows.n_rows, atol=1e-8)


def test_the_package_imports_no_extra():
    # scikit-learn imports pandas where it finds it, so none may be found; a None in sys.modules
    # is a module that is not installed
    extras = ["matplotlib", "pandas", "pyarrow", "polars", "dask"]
    code = f"import sys; sys.modules.update(dict.fromkeys({extras})); import gd_regressor"
    path = str(Path(gd_regressor.__file__).parent.parent)
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, check=True)


# --- Bad input ---


@pytest.fixture
def no_work(monkeypatch):
    """Fail the test if a fit reads the rows."""

    def work(*args):
        pytest.fail("the rows were read before the error came")

    monkeypatch.setattr(DataLoss, "value_and_gradient", work)
    monkeypatch.setattr(Moments, "of", work)


BAD_PARAMETERS = [
    *(("learning_rate", v) for v in (0, -0.1, np.nan, np.inf, "fast", "0.1", True, None, [0.1])),
    *(("max_iter", v) for v in (-1, 1.5, 10.0, True, "x", None)),
    *(("tol", v) for v in (-1e-3, np.nan, np.inf, "x", True, [0.1])),
    *(("momentum", v) for v in (-0.1, 1, 1.0, np.nan, "x", None, True)),
    *(("init", v) for v in ("ones", None, 0)),
    *(("learning_rate", v) for v in (1e308, np.float64(1.1e300), 10**400, Fraction(10**400))),
    *(("learning_rate", v) for v in (np.timedelta64(1, "D"), 1j, Fraction(1, 10**400))),
    *(("tol", v) for v in (1e308, 10**400, np.timedelta64(1, "D"))),
    *(("momentum", v) for v in (1 - Fraction(1, 10**30), 1 - np.longdouble(1e-19))),
    *(("verbose", v) for v in (-1, 0.5, "x", None, np.timedelta64(1, "D"))),
    ("max_iter", np.timedelta64(1, "D")),
    *(("random_state", v) for v in ("x", -1, 2.5, 2**32, [0.5], np.random.default_rng(0))),
    *(("fit_intercept", v) for v in (None, "yes")),
    *(("warm_start", v) for v in (None, "yes")),
]


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name, value", BAD_PARAMETERS)
def test_a_bad_parameter_is_named_with_its_value_and_the_cure(name, value):
    model = GDLinearRegressor(RATE).set_params(**{name: value})
    with pytest.raises(ValueError) as refusal:
        model.fit(X, y)
    assert re.match(rf"{name} must be .*, got {re.escape(repr(value))}\.", str(refusal.value))


@pytest.mark.parametrize("value", [0, np.int8(3), 2**32 - 1, np.random.RandomState(1), None])
def test_what_numpy_makes_a_generator_of_is_a_random_state(value):
    for init in ("zeros", "random"):
        GDLinearRegressor(init=init, random_state=value).fit(X, y)


def test_a_learning_rate_that_is_too_large_is_told_the_bound():
    with pytest.raises(ValueError, match=r'> 0 and at most 1e\+300, "auto" or .*, got 1e\+308'):
        GDLinearRegressor(1e308).fit(X, y)
    with pytest.raises(ValueError, match=r"> 0 and at most 1e\+300, got 1e\+308"):
        gd_path(X, y, learning_rate=1e308, n_iter=1)


REAL_NUMBERS = {
    "learning_rate": [np.float16(0.1), np.float32(0.1), np.longdouble("0.1"), Fraction(1, 10)],
    "momentum": [np.float16(0.1), np.float32(0.1), np.longdouble("0.1"), Fraction(1, 10)],
    "tol": [np.float16(0.1), np.float32(0.1), np.longdouble("0.1"), Fraction(1, 10), 1e15],
    "max_iter": [np.int8(30), np.uint64(30), 2**70],
    "verbose": [np.int8(30), np.uint64(30), 2**70, True],
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "name, value", [(name, value) for name, values in REAL_NUMBERS.items() for value in values]
)
def test_numbers_of_any_kind_are_parameters(name, value, route):
    plain = int(value) if name in ("max_iter", "verbose") else float(value)
    options = {"learning_rate": RATE, "max_iter": 50}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model = GDLinearRegressor(**{**options, name: value}).fit(X, y)
    assert_same(model, GDLinearRegressor(**{**options, name: plain}).fit(X, y), rtol=0)


def test_momentum_with_auto_names_both():
    with pytest.raises(ValueError, match=r'momentum=0.5 .* learning_rate="auto".*; write'):
        GDLinearRegressor(momentum=0.5).fit(X, y)


def changed(array, value, dtype=float):
    array = np.array(array, dtype=dtype)
    array[4] = value
    return array


BAD_DATA = {
    **{
        f"X: {type(value).__name__}": (value, y, rf"Expected 2D array.* X is of type {kind}")
        for value, kind in [
            ({"a": [1.0, 2.0]}, "dict"),
            ({"a": y, "b": y}, "dict"),
            ("table.csv", "str"),
            (b"table.csv", "bytes"),
            ({1.0, 2.0}, "set"),
            (iter([[1.0], [2.0]]), "list_iterator"),
            ((row for row in X), "generator"),
            (object(), "object"),
        ]
    },
    "X: None": (None, y, "Expected 2D array, got scalar array"),
    "X: a number": (3.0, y, "Expected 2D array, got scalar array"),
    "X: empty": ([], y, "Expected 2D array, got 1D array"),
    **{
        f"y: {type(value).__name__}": (X, value, rf"y must be an array of numbers.*got type {kind}")
        for value, kind in [({"y": y}, "dict"), ("cost", "str"), ({1.0}, "set"), (3.0, "float")]
    },
    "y: a generator": (X, (value for value in y), "y must be an array of numbers, one per row"),
    "rows of different lengths": ([[1.0, 2.0], [3.0]], y[:2], r"X has rows of different .* row 0"),
    "a dict among numbers": (changed(X, {"a": 1}, object), y, "X has {'a': 1} in row 4, column 0"),
    "a complex number in X": (changed(X, 1j, object), y, "X has 1j in row 4, column 0"),
    "a complex number in y": (X, changed(y, 1j, object), "y has 1j in row 4"),
    "an integer too large": ([[1], [10**400]], y[:2], "X has 1000.* in row 1, column 0"),
    "records": (np.zeros(N, [("a", float)]), y, "X has "),
    "masked X": (np.ma.masked_less(X, -0.5), y, "X has masked values, the first in row [0-9]"),
    "masked y": (X, np.ma.masked_less(y, 0.5), "y has masked values, the first in row [0-9]"),
    "dates in X": (X.astype("datetime64[s]"), y, r"X has dates or times \(datetime64"),
    "spans in X": (X.astype("timedelta64[s]"), y, r"X has dates or times \(timedelta64"),
    "a column of dates": (
        pd.DataFrame({"a": y, "day": pd.date_range("2020", periods=N)}),
        y,
        "X has dates or times in column 'day'",
    ),
    "dates of polars": (
        pl.DataFrame({"day": pl.Series(range(N)).cast(pl.Date)}),
        y,
        "X has dates or times in column 'day'",
    ),
    "dates with a zone in y": (X, pd.Series(pd.date_range("2020", periods=N, tz="UTC")), "y has "),
    "numbers beyond float64 in X": (X * np.longdouble("1e400"), y, "X contains infinity"),
    "numbers beyond float64 in y": (X, y * np.longdouble("1e400"), "y contains infinity"),
    "NaN in X": (changed(X, np.nan), y, "X contains NaN"),
    "inf in X": (changed(X, np.inf), y, "X contains infinity"),
    "NaN in y": (X, changed(y, np.nan), r"y contains NaN in row 4 \(counting from 0\)"),
    "inf in Y": (X, changed(Y, -np.inf), "y contains infinity"),
    "X of one dimension": (y, y, "Expected 2D array, got 1D array"),
    "X of three dimensions": (X[None], y, "dim 3"),
    "y of three dimensions": (X, Y[..., None], "dim 3"),
    "no rows": (X[:0], y[:0], r"0 sample\(s\)"),
    "no columns": (X[:, :0], y, r"0 feature\(s\)"),
    "no targets": (X, Y[:, :0], r"0 feature\(s\)"),
    "other numbers of rows": (X, y[:-1], "inconsistent numbers of samples"),
    "no y": (X, None, "y"),
    "text in X": (np.full((N, D), "tall"), y, "tall"),
    "text among objects": (changed(X, "tall", object), y, "X has text, 'tall' in row 4, column 0"),
    "text in y": (X, np.full(N, "cheap"), "y has text, .cheap. in row 0"),
    "text among numbers": (X, changed(y, "cheap", object), "y has text, 'cheap' in row"),
    "dates in y": (X, np.arange(N).astype("datetime64[D]"), "y must be numeric"),
    "complex X": (X + 1j, y, "Complex data not supported"),
    "complex y": (X, y + 1j, "Complex data not supported"),
    "sparse y": (X, sparse.csr_array(Y), "y.*dense|dense.*y"),
}
BAD_FIT_OPTIONS = [
    *(("sample_weight", v) for v in (-ONES, 0 * ONES, ONES[1:], np.ones((N, 2)), -1.0, 0.0)),
    *(("sample_weight", v) for v in (changed(ONES, np.nan), changed(ONES, np.inf), np.nan)),
    *(("sample_weight", v) for v in (["heavy"] * N, ONES + 1j, "w", {}, ONES.astype("M8[s]"))),
    *(("sample_weight", v) for v in ([[1.0, 2.0]] * (N - 1) + [[1.0]], [10**400] * N)),
    *(("sample_weight", v) for v in (np.ma.masked_equal(ONES, 1), ONES * np.longdouble("1e400"))),
    *(("coef_init", v) for v in ([1.0] * (D + 1), np.ones((D, 1)), np.ones((2, D)), 1.0, [])),
    *(("coef_init", v) for v in ([[1.0], [1.0, 2.0]], [10**400] * D, np.ma.masked_all(D))),
    *(("coef_init", v) for v in ([np.nan] * D, [np.inf] * D, "zeros", ["a"] * D, [1j] * D)),
    *(("intercept_init", v) for v in (np.nan, np.inf, [1.0, 2.0], [[1.0]], [], "zero", "3", 1j)),
]


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_refused(name):
    *data, words = BAD_DATA[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((TypeError, ValueError), match=f"(?s){words}"):
            GDLinearRegressor().fit(*data)


@pytest.mark.parametrize("name", [n for n in BAD_DATA if "spars" not in n and "no y" not in n])
def test_bad_data_are_refused_in_the_same_words_everywhere(name):
    """The words are the same in both modes, chunks, moments, paths and predictions."""
    table, target, words = BAD_DATA[name]
    calls = [
        lambda: GDLinearRegressor(RATE).fit(table, target),
        lambda: GDLinearRegressor().partial_fit(table, target),
        lambda: GDLinearRegressor().fit_batches([(table, target)]),
        lambda: Moments.of(table, target),
        lambda: gd_path(table, target, learning_rate=RATE, n_iter=1),
    ]
    if target is y and "numbers of rows" not in name:
        calls.append(lambda: GDLinearRegressor().fit(X, y).predict(table))
    for call in calls:
        with pytest.raises((TypeError, ValueError), match=f"(?s){words}"):
            call()


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name, value", BAD_FIT_OPTIONS, ids=short)
def test_a_bad_option_of_fit_is_named(name, value):
    with pytest.raises((TypeError, ValueError), match=f"(?i){name.replace('_', '.')}"):
        GDLinearRegressor().fit(X, y, **{name: value})


def test_an_intercept_to_start_from_needs_an_intercept():
    model = GDLinearRegressor(fit_intercept=False)
    with pytest.raises(ValueError, match=r"intercept_init must be 0 with fit_intercept=False"):
        model.fit(X, y, intercept_init=1.0)
    assert model.fit(X, y, intercept_init=0).intercept_ == 0


def test_starts_of_several_targets_are_checked_against_them():
    with pytest.raises(ValueError, match=r"coef_init must have shape \(2, 3\).*got \(3,\)"):
        GDLinearRegressor().fit(X, Y, coef_init=[1.0] * D)
    with pytest.raises(ValueError, match=r"intercept_init must be 2 .*numbers.*got 1\.0"):
        GDLinearRegressor().fit(X, Y, intercept_init=1.0)


def test_a_warm_start_on_other_columns_is_refused_by_its_name():
    model = GDLinearRegressor(warm_start=True).fit(X, y)
    for data in [(X[:, :2], y), (X, Y)]:
        with pytest.raises(ValueError, match="warm_start"):
            model.fit(*data)


def test_prediction_needs_a_fit_and_the_same_columns():
    with pytest.raises(NotFittedError):
        GDLinearRegressor().predict(X)
    model = GDLinearRegressor().fit(X, y)
    with pytest.raises(ValueError, match="2 features, but GDLinearRegressor is expecting 3"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match="X contains NaN in row 4, column 0"):
        model.predict(changed(X, np.nan))


@pytest.mark.parametrize("rate", [RATE, "auto"])
@pytest.mark.parametrize("kind", ["dense", "wide", "sparse", "stream", "qr"])
def test_no_updates_leave_the_start_and_its_loss(rate, kind, route):
    table = sparse.csr_array(X) if kind == "sparse" else X[:2] if kind == "wide" else X
    target, keep = y[: table.shape[0]], "qr" if kind == "qr" else "moments"
    w, b = np.array([2.0, -1 / 3, 1e-9])[: X.shape[1]], 0.1
    model = GDLinearRegressor(rate, 0, stream=keep)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if kind in ("stream", "qr"):
            model.set_params(warm_start=True).coef_, model.intercept_ = w, b
            model.partial_fit(table, target)
        else:
            model.fit(table, target, coef_init=w, intercept_init=b)
    assert model.status_ is Status.MAX_ITER and model.n_iter_ == 0
    assert (model.coef_ == w).all() and model.intercept_ == b
    expected = np.mean((target - table @ w - b) ** 2)
    np.testing.assert_allclose(model.loss_curve_, [expected], rtol=1e-12)
    assert hasattr(model, "max_learning_rate_") == (rate != "auto")


@pytest.mark.parametrize("targets", [1, 2])
def test_a_drawn_start_is_an_attribute_that_gd_path_takes(targets, route):
    target = y if targets == 1 else np.column_stack([y, y**2])
    model = GDLinearRegressor(RATE, 7, None, init="random", random_state=3).fit(X, target)
    start = {"coef_init": model.coef_init_, "intercept_init": model.intercept_init_}
    coefs, intercepts, losses = gd_path(X, target, learning_rate=RATE, n_iter=7, **start)
    np.testing.assert_allclose(coefs[..., -1], model.coef_, rtol=1e-12)
    assert (coefs[..., 0] == model.coef_init_).all()
    assert (intercepts[..., 0] == model.intercept_init_).all()
    np.testing.assert_allclose(losses, model.loss_curve_, rtol=1e-12)
    none = GDLinearRegressor().fit(X, target)
    assert not hasattr(none, "coef_init_") and not hasattr(none, "minimum_loss_")
    again = model.set_params(learning_rate="auto").fit(X, target)
    assert not hasattr(again, "coef_init_")


def test_the_minimum_loss_is_exact_where_it_is_known(route):
    model = GDLinearRegressor(RATE, 7, None).fit(X, y)
    if route == "walk":
        assert np.isnan(model.minimum_loss_)
    else:
        w, b = exact_least_squares(X, y)
        left = [
            Fraction(float(t))
            - b
            - sum(Fraction(float(v)) * c for v, c in zip(row, w, strict=True))
            for row, t in zip(X, y, strict=True)
        ]
        exact = float(sum(e * e for e in left) / len(y))
        assert model.minimum_loss_ == pytest.approx(exact, rel=1e-12, abs=1e-15)


FAILED_FITS = {
    "a parameter": lambda model, table: model.set_params(max_iter=-1).fit(table, y),
    "a value of X": lambda model, table: model.fit(changed(table, np.nan), y),
    "a value of y": lambda model, table: model.fit(table, changed(y, np.nan)),
    "the length of y": lambda model, table: model.fit(table, y[1:]),
    "the weights": lambda model, table: model.fit(table, y, -ONES),
    "the start": lambda model, table: model.fit(table, y, coef_init=[1.0]),
}


@pytest.mark.parametrize("reason", FAILED_FITS)
def test_a_fit_that_fails_loses_nothing_learnt(reason):
    frame = pd.DataFrame(X, columns=NAMES)
    model = GDLinearRegressor(RATE).fit(frame, y)
    learnt = {name: value for name, value in vars(model).items() if name.endswith("_")}
    with pytest.raises(ValueError):
        FAILED_FITS[reason](model, np.column_stack([X, X]))
    now = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert now.keys() == learnt.keys()
    assert all(now[name] is learnt[name] for name in learnt)
    model.predict(frame)
