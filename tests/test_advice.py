"""What a fit says of its end: `status_`, `message_` and the one warning, whichever way it went."""

import ast
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gd_regressor
from gd_regressor import (
    DivergenceWarning,
    GDLinearRegressor,
    GDLinearRegressorCV,
    Huber,
    InverseScaling,
    LearningRateReport,
    Moments,
    Status,
    gd_path,
    learning_rate_report,
    squared_loss,
    squared_loss_gradient,
)

PACKAGE = Path(gd_regressor.__file__).parent
CARS = pd.read_csv(PACKAGE.parent / "docs" / "data" / "cars.csv")
ENGINE, PRICE = CARS[["engine_size"]], CARS["price"]
RNG = np.random.default_rng(5)
N, D = 40, 3
X = RNG.standard_normal((N, D)) * [1.0, 2.0, 0.5] + [0.0, 1.0, -0.5]
Y = X @ [1.0, -2.0, 0.5] + 0.3 * RNG.standard_normal(N)
BOTH = np.column_stack([Y, RNG.standard_normal(N)])
LIMIT = learning_rate_report(X, Y).limit()


def fitted(model, *data, **options):
    """The model, fitted, and its warning or None."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data, **options)
    assert len(caught) <= 1
    return model, caught[0] if caught else None


# --- A loss that settles far from its minimum ---


def test_a_loss_that_settles_far_from_its_minimum_says_how_far():
    """Raw engine_size at a tenth of the limit, as the tutorials of the field would have it."""
    report = learning_rate_report(ENGINE, PRICE)
    rate, tol = 0.1 * report.limit(), 1e-6
    model, _ = fitted(GDLinearRegressor(rate, 10**6, tol), ENGINE, PRICE)
    assert model.status_ is Status.CONVERGED and model.n_iter_ == 34
    assert "11 % of the variance above the minimum; 7,219,100 updates would" in model.message_
    A = np.column_stack([ENGINE, np.ones(len(PRICE))])
    least = np.mean((PRICE - A @ np.linalg.lstsq(A, PRICE)[0]) ** 2)
    assert 0.105 <= (model.loss_curve_[-1] - least) / PRICE.var(ddof=0) < 0.115
    _, _, losses = gd_path(ENGINE, PRICE, learning_rate=rate, n_iter=[7_219_099, 7_219_100])
    before, after = (losses - least) / (tol * PRICE.var(ddof=0))
    assert after <= 1 + 1e-4 and before > 1 - 1e-4 and after < before


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("max_iter", [30, 10**6], ids=["max_iter", "settled"])
def test_the_updates_that_would_be_needed_are_those_of_the_path(max_iter, momentum):
    """Of the target that needs most of them."""
    table = X * [1.0, 30.0, 1.0]
    rate = 0.3 * learning_rate_report(table, BOTH).limit(momentum)
    model, _ = fitted(GDLinearRegressor(rate, max_iter, 1e-5, momentum=momentum), table, BOTH)
    assert model.status_ is (Status.MAX_ITER if max_iter == 30 else Status.CONVERGED)
    needed = int(
        re.search(r"([\d,]+) updates would be needed in all", model.message_)[1].replace(",", "")
    )
    coefs, intercepts, _ = gd_path(
        table, BOTH, learning_rate=rate, n_iter=[needed - 1, needed], momentum=momentum
    )
    A = np.column_stack([table, np.ones(N)])
    best = np.linalg.lstsq(A, BOTH)[0]
    least = np.mean((BOTH - A @ best) ** 2, axis=0)
    above = []
    for k in range(2):
        left = BOTH - table @ coefs[..., k].T - intercepts[:, k]
        above.append(((np.mean(left**2, axis=0) - least) / BOTH.var(axis=0)).max())
    assert above[0] > 1e-5 >= above[1]


def test_a_walk_says_what_it_knows(route):
    model, warning = fitted(GDLinearRegressor(0.01 * LIMIT, 20), X, Y)
    assert str(warning.message) == model.message_
    assert ("updates would be needed" in model.message_) == (route == "closed form")
    assert ("at least" in model.message_) == (route == "walk")


# --- One text ---


FAR = X * [1.0, 1e3, 1.0]
FITS = {
    "auto": (GDLinearRegressor(), X, "settled to within tol=1e-12."),
    "to the floor": (GDLinearRegressor(tol=0), X, "settled to within tol=0."),
    "as asked": (GDLinearRegressor(0.5 * LIMIT, 60, None), X, "All 60 updates were made, as"),
    "one": (GDLinearRegressor(0.1 * LIMIT, 1, None), X, "1 update was made"),
    "the start": (GDLinearRegressor(0.1, 0), X, "No update was made, as max_iter=0 asks"),
    "settled": (GDLinearRegressor(0.5 * LIMIT, 10**4, 1e-9), X, "has settled to within tol=1e-09."),
    "too early": (GDLinearRegressor(0.1 * LIMIT, 5), X, "After max_iter=5 updates the loss"),
    "too large": (GDLinearRegressor(2 * LIMIT, 5), X, "is not below the largest stable rate"),
    "far": (GDLinearRegressor(1e-7, 10**4, 1e-6), FAR, "Some direction descends very slowly"),
}
CALM = {"auto", "to the floor", "as asked", "one", "the start", "settled"}


@pytest.mark.parametrize("case", FITS)
def test_the_warning_is_the_message_and_nothing_else_warns(case):
    model, table, words = FITS[case]
    model, warning = fitted(model, table, Y)
    assert words in model.message_ and model.message_.endswith(".")
    assert (warning is None) == (case in CALM)
    if warning is not None:
        assert str(warning.message) == model.message_
        assert warning.filename == __file__
        assert (warning.category is DivergenceWarning) == (case == "too large")


@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize("tol, early", [(None, False), (0.0, False), (0.0, True)])
def test_one_update_is_not_several(size, tol, early):
    model = GDLinearRegressor(0.01 * LIMIT, 1, tol, batch_size=size, early_stopping=early)
    text = fitted(model, X, Y)[0].message_
    assert re.search(r"\b1 (update|epoch) (was made|the loss)", text)
    assert not re.search(r"\b1 (updates|epochs)|All|were", text)


def test_the_distance_after_all_updates_is_said_where_it_shows():
    near, _ = fitted(GDLinearRegressor(0.5 * LIMIT, 2000, None), X, Y)
    far, _ = fitted(GDLinearRegressor(0.01 * LIMIT, 20, None), X, Y)
    assert near.message_ == "All 2,000 updates were made, as tol=None asks."
    share = float(re.search(r"loss is (\S+) % of the variance above", far.message_)[1]) / 100
    least = squared_loss(X, Y, *(lambda m: (m.coef_, m.intercept_))(GDLinearRegressor().fit(X, Y)))
    assert share == pytest.approx((far.loss_curve_[-1] - least) / Y.var(), rel=0.06)


@pytest.mark.parametrize("status", list(Status))
def test_a_status_holds_no_alternatives(status):
    assert not re.search(r"\b(or|else|where|if)\b", str(status))


def test_an_interrupt_says_so(monkeypatch):
    def interrupted(self, k, records, point):
        if k > 2:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr("gd_regressor.estimator.verbose.Verbose.see", interrupted)
    model = GDLinearRegressor(0.1 * LIMIT, 50, None, verbose=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.status_ is Status.INTERRUPTED
    assert model.message_.startswith(f"After {model.n_iter_} update")
    assert "interrupt" in model.message_


def test_a_saved_model_of_another_version_has_a_message():
    model = GDLinearRegressor().fit(X, Y)
    old = {name: value for name, value in vars(model).items() if name != "message_"}
    again = GDLinearRegressor.__new__(GDLinearRegressor)
    again.__setstate__({**old, "_sklearn_version": "1.6.0"})
    assert again.message_ == str(Status.CONVERGED)
    assert not hasattr(GDLinearRegressor(), "message_")


# --- A rate at or beyond the limit ---


def climb(model, way):
    """Fitted to X and Y, by one of the ways that a textbook descent can go."""
    if way == "partial_fit":
        model.partial_fit(X[:15], Y[:15])
        return model.partial_fit(X[15:], Y[15:])
    if way == "moments":
        return model.fit_moments(Moments.of(X, Y))
    if way == "dask":
        arrays = pytest.importorskip("dask.array")
        return model.fit(arrays.from_array(X, (20, D)), arrays.from_array(Y, 20))
    return model.fit(X, Y)


@pytest.mark.parametrize("stop", [{"tol": None}, {}], ids=["all updates", "tol"])
@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("way", ["fit", "partial_fit", "qr", "moments", "dask"])
def test_a_loss_that_ends_above_its_start_has_diverged(way, momentum, stop, route):
    stream = "qr" if way == "qr" else "moments"
    limit = LIMIT * (1 + momentum)
    model = GDLinearRegressor(1.1 * limit, 30, momentum=momentum, stream=stream, **stop)
    with pytest.warns(DivergenceWarning, match="After 30 updates the loss is"):
        climb(model, "partial_fit" if way == "qr" else way)
    assert model.loss_curve_[-1] > model.loss_curve_[0]
    assert model.status_ is Status.DIVERGED
    assert model.n_iter_ == 30 and len(model.loss_curve_) == 31
    # The curve is whole, and the model is its last iterate
    assert squared_loss(X, Y, model.coef_, model.intercept_) == pytest.approx(model.loss_curve_[-1])


def along(flat, steep):
    """Coefficients and intercept that are off the minimum along two directions alone."""
    best, vectors = GDLinearRegressor().fit(X, Y), learning_rate_report(X, Y).vectors
    theta = np.append(best.coef_, best.intercept_) + flat * vectors[:, -1] + steep * vectors[:, 0]
    return theta[:D], theta[D]


def test_a_loss_that_is_still_below_its_start_has_not_diverged(route):
    """Above the limit the steepest direction grows, but what it adds is still little."""
    coef, intercept = along(flat=1.0, steep=1e-3)
    with pytest.warns(DivergenceWarning, match="After 3 updates"):
        model = GDLinearRegressor(1.01 * LIMIT, 3, None)
        model.fit(X, Y, coef_init=coef, intercept_init=intercept)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.status_ is Status.MAX_ITER


def test_any_target_can_diverge(route):
    """Of the second only the steepest direction is off; the mean over both falls."""
    targets = np.column_stack([Y, Y])
    coef, intercept = map(np.array, zip(along(1.0, 0.0), along(0.0, 1e-3), strict=True))
    with pytest.warns(DivergenceWarning):
        model = GDLinearRegressor(1.01 * LIMIT, 3, None)
        model.fit(X, targets, coef_init=coef, intercept_init=intercept)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    first, last = (
        squared_loss(X, targets[:, 1], w, b)
        for w, b in ((coef[1], intercept[1]), (model.coef_[1], model.intercept_[1]))
    )
    assert last > first
    assert model.status_ is Status.DIVERGED


def test_a_schedule_diverges_by_its_final_rate(route):
    with pytest.warns(DivergenceWarning):
        model = GDLinearRegressor(InverseScaling(1.1 * LIMIT, 0), 30, None).fit(X, Y)
    assert model.status_ is Status.DIVERGED
    falling, warning = fitted(GDLinearRegressor(InverseScaling(9 * LIMIT, 0.5), 5, None), X, Y)
    assert falling.loss_curve_[-1] > falling.loss_curve_[0]
    assert falling.status_ is Status.MAX_ITER and warning is None
    beyond, warning = fitted(GDLinearRegressor(InverseScaling(1e60 * LIMIT, 0.5), 50), X, Y)
    assert beyond.status_ is Status.DIVERGED and beyond.n_iter_ < 50
    assert warning.category is ConvergenceWarning
    assert beyond.message_.endswith("beyond any use. Begin with a smaller learning_rate.")


# --- Advice that suits the data ---


def standardised(table):
    return (table - table.mean(axis=0)) / table.std(axis=0)


ZERO = np.zeros((N, 1))
TABLES = {
    "standardised": (standardised(X), True),
    "by pandas": (standardised(X) * np.sqrt(1 - 1 / N), True),
    "a fold of them": (np.delete(standardised(np.tile(X, (5, 1))), slice(0, 40), axis=0), True),
    "with a constant that became zero": (np.hstack([standardised(X), ZERO]), True),
    "scaled, not centred": (X / X.std(axis=0), False),
    "centred, not scaled": (X - X.mean(axis=0), False),
    "another unit": (30 * standardised(X), False),
    "with a constant": (np.hstack([standardised(X), ZERO + 5]), False),
    "raw": (X, False),
}


@pytest.mark.parametrize("way", ["closed form", "walk", "stream", "gd_path"])
@pytest.mark.parametrize("share", [0.01, 3.0], ids=["slow", "too large"])
@pytest.mark.parametrize("case", TABLES)
def test_a_scaler_is_advised_where_it_would_help(case, share, way, monkeypatch):
    if way in ("closed form", "walk"):
        closed = way == "closed form"
        monkeypatch.setattr("gd_regressor.textbook.follow.closed_form_pays", lambda *_: closed)
    table, scaled = TABLES[case]
    y = np.resize(Y, len(table))
    rate = share * learning_rate_report(table, y).limit()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if way == "stream":
            GDLinearRegressor(rate, 10).partial_fit(table, y)
        elif way == "gd_path":
            gd_path(table, y, learning_rate=rate, n_iter=10)
        else:
            GDLinearRegressor(rate, 10).fit(table, y)
    assert len(caught) == (0 if way == "gd_path" and share < 1 else 1)
    for warning in caught:
        assert ("StandardScaler" in str(warning.message)) == (not scaled)
        assert 'or use learning_rate="auto".' in str(warning.message)


def test_sparse_columns_in_a_walk_are_looked_at_too(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    monkeypatch.setattr("gd_regressor.textbook.follow.closed_form_pays", lambda *_: False)
    weights = RNG.integers(1, 4, N).astype(float)
    centred = X - weights @ X / weights.sum()
    table = centred / np.sqrt(weights @ centred**2 / weights.sum())
    for factor, helps in ((1.0, False), (2.0, True)):
        model = GDLinearRegressor(1e-3, 5)
        _, warning = fitted(model, sparse.csr_array(factor * table), Y, weights)
        assert ("StandardScaler" in str(warning.message)) == helps


@pytest.mark.parametrize("data", [["gas", "diesel"], np.array(["gas", "1"]), ["1.5", "abc"]])
def test_text_in_y_gets_advice_for_targets(data):
    y = np.resize(np.array(data, dtype=object), N)
    for target in (y, y.tolist(), pd.Series(y)):
        with pytest.raises(ValueError, match=r"y has text.*a target must be numbers") as caught:
            GDLinearRegressor().fit(X, target)
        assert "OneHotEncoder" not in str(caught.value) and "column" not in str(caught.value)
    table = pd.DataFrame(X, columns=list("abc")).astype(object)
    table.iloc[3, 1] = "gas"
    words = r"X has text, 'gas' in row 3 \(counting from 0\), column 'b'; .*OneHotEncoder"
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor().fit(table, Y)


# --- Columns have one name ---


def with_nan(table):
    table = table.copy()
    table[4, 2] = np.nan
    return table


NAMES = ["s1", "s2", "s3"]
TOOL = {
    "fit": lambda table: GDLinearRegressor().fit(table, Y),
    "fit a number": lambda table: GDLinearRegressor(1e-3).fit(table, Y),
    "with weights": lambda table: GDLinearRegressor().fit(table, Y, np.ones(N)),
    "partial_fit": lambda table: GDLinearRegressor().partial_fit(table, Y),
    "fit_batches": lambda table: GDLinearRegressor().fit_batches([(table, Y)]),
    "gd_path": lambda table: gd_path(table, Y, learning_rate=0.1, n_iter=2),
    "learning_rate_report": lambda table: learning_rate_report(table, Y),
    "squared_loss": lambda table: squared_loss(table, Y, np.zeros(D)),
    "moments": lambda table: Moments.of(table, Y),
}


@pytest.mark.parametrize("tool", TOOL)
def test_what_is_wrong_with_a_column_names_it(tool):
    with pytest.raises(ValueError, match=r"NaN in row 4, column 2 \(counting from 0\)"):
        TOOL[tool](with_nan(X))
    frame = pd.DataFrame(with_nan(X), columns=NAMES)
    with pytest.raises(ValueError, match=r"NaN in row 4 \(counting from 0\), column 's3'"):
        TOOL[tool](frame)
    frame.columns = [0, 1, 2]
    with pytest.raises(ValueError, match=r"NaN in row 4, column 2 \(counting from 0\)"):
        TOOL[tool](frame)


def test_a_prediction_names_it_too():
    frame = pd.DataFrame(X, columns=NAMES)
    model = GDLinearRegressor().fit(frame, Y)
    with pytest.raises(ValueError, match=r"NaN in row 4 \(counting from 0\), column 's3'"):
        model.predict(pd.DataFrame(with_nan(X), columns=NAMES))


def test_divergence_names_the_column_in_the_same_way():
    steep = X * [1.0, 1.0, 1e3]
    frame = pd.DataFrame(steep, columns=NAMES)
    for data, name in ((frame, "column 's3'"), (steep, "column 2 (counting from 0)")):
        model, _ = fitted(GDLinearRegressor(0.1, 5), data, Y)
        assert f"which {name} sets" in model.message_
        with pytest.warns(DivergenceWarning, match=re.escape(f"which {name} sets")):
            gd_path(data, Y, learning_rate=0.1, n_iter=2)


@pytest.mark.parametrize("alpha", [30.0, 1e100, 1e300, [1e300, 1.0]])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("way", ["rows", "moments", "qr", "huber"])
def test_a_ridge_that_makes_a_rate_unstable_is_named(alpha, wide, way):
    """Its part of the largest eigenvalue is ``2 alpha``, whatever the units of the columns."""
    table, y = (X[:2], BOTH[:2]) if wide else (X, BOTH)
    model = GDLinearRegressor(0.1, 5, alpha=alpha, l1_ratio=0.0)
    if way == "huber":
        model.set_params(loss=Huber(1.0))
    elif way != "rows":
        model.set_params(stream=way)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (model.partial_fit if way in ("moments", "qr") else model.fit)(table, y)
    text = str(caught[0].message)
    assert "which alpha sets" in text and "a smaller alpha, or use" in text
    assert "column" not in text and "Scaler" not in text
    if np.max(alpha) < 1e299:  # beyond, all ridges are alike
        expected = 1 / np.max(alpha)
        assert model.max_learning_rate_ == pytest.approx(expected, rel=0.2, abs=0)


@pytest.mark.parametrize("weights", [None, [0.0, 1.0, 1e-300]])
def test_the_strongest_ridge_is_no_column_that_overflows(weights):
    params = {"alpha": 1.7e308, "penalty_weights": weights}
    curve = gd_path(X, Y, learning_rate=1e-302, n_iter=[5], **params)[2]
    assert np.isfinite(curve).all()
    assert learning_rate_report(X, Y, **params).limit() < 1e-299
    for rates in (["auto"], [1e-302], [0.1]):
        search = GDLinearRegressorCV(
            rates, alphas=[1e308, 1.0], l1_ratios=[0.0], max_iter=5, tol=None, cv=3
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)
            search.set_params(penalty_weights=weights).fit(X, Y)
        assert np.isfinite(search.coef_).all()


def test_ridges_too_far_apart_are_named():
    """More columns than rows have a free one or a faint ridge, whose slopes are all rounding."""
    random, weights = np.random.default_rng(0), np.repeat([1.0, 1e-300, 0.0], 5)
    table, y = random.standard_normal((4, 15)), random.standard_normal(4)
    model = GDLinearRegressor(alpha=1.0, l1_ratio=0.0, penalty_weights=weights)
    model, warning = fitted(model, table, y)
    converged = model.status_ is Status.CONVERGED
    assert converged or "penalty_weights nearer to each other" in str(warning.message)


def test_a_column_that_overflows_is_named():
    table = X * [1.0, 1e160, 1.0]
    for model in (GDLinearRegressor(0.1), GDLinearRegressor(0.1, stream="qr")):
        with pytest.raises(ValueError, match=r"squares of column 1 \(counting from 0\)"):
            model.fit(table, Y)
        with pytest.raises(ValueError, match="squares of column 's2'"):
            model.fit(pd.DataFrame(table, columns=NAMES), Y)


# --- Searches ---


DIABETES = load_diabetes(return_X_y=True)
UPDATES = {"gdlinearregressor__max_iter": [10, 20, 30]}
RATES = [1e-3, 3e-3, 1e-2, 3e-2]


def scaled_descent(max_iter=1000, tol=1e-12):
    return make_pipeline(StandardScaler(), GDLinearRegressor(0.1, max_iter, tol))


def search(cv=5, **grid):
    grid = {f"gdlinearregressor__{name}": values for name, values in grid.items()}
    return GridSearchCV(scaled_descent(), {**UPDATES, **grid}, cv=cv).fit(*DIABETES)


@contextmanager
def shown(action=None, *, new_cell=True):
    """The warnings that a script shows with Python's default filters, or with one of the user's."""
    if new_cell:
        globals().pop("__warningregistry__", None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        if action:
            warnings.simplefilter(action)
        yield caught
    caught[:] = [w for w in caught if issubclass(w.category, ConvergenceWarning)]


def test_a_script_prints_one_warning_for_a_search():
    """With Python's default filters, in a process of its own."""
    text = """
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from gd_regressor import GDLinearRegressor

pipeline = make_pipeline(StandardScaler(), GDLinearRegressor(0.1))
grid = {"learning_rate": [1e-3, 3e-3, 1e-2, 3e-2], "max_iter": [10, 20, 30]}
grid = {f"gdlinearregressor__{name}": values for name, values in grid.items()}
GridSearchCV(pipeline, grid, cv=5).fit(*load_diabetes(return_X_y=True))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stderr.splitlines() if "Warning" in line)
    assert line.startswith("<string>:11: ConvergenceWarning: After max_iter=10")
    assert line.endswith("(Shown once for all fits of this search that end so.)")


def test_a_search_says_once_of_each_rate_that_it_is_too_large():
    with shown() as caught:
        search(learning_rate=[1e-3, 1.0, 3.0])
    kinds = [warning.category for warning in caught]
    assert kinds == [ConvergenceWarning, DivergenceWarning, DivergenceWarning]
    rates = [re.search(r"learning_rate=(\S+) is", str(w.message))[1] for w in caught[1:]]
    assert rates == ["1", "3"]


def test_another_search_and_fits_of_ones_own_are_said_again():
    with shown() as caught:
        search()
        cross_val_score(scaled_descent(10), *DIABETES)
        cross_val_score(scaled_descent(10), *DIABETES)
        for max_iter in (7, 8):
            scaled_descent(max_iter).fit(*DIABETES)
    once = ["Shown once" in str(warning.message) for warning in caught]
    assert once == [True, True, True, False, False]
    assert {warning.filename for warning in caught} == {__file__}


def test_a_filter_of_the_users_counts():
    with shown("always") as caught:
        search()
    assert len(caught) == 3 * 5 + 1
    with shown("ignore") as caught:
        search()
    assert not caught
    with shown("error"), pytest.raises(ConvergenceWarning):
        cross_val_score(scaled_descent(10), *DIABETES, error_score="raise")


def test_the_memory_of_a_cell_is_its_own():
    """IPython takes the memory of warnings away before each cell: the next one is told again."""
    told = []
    for new_cell in (True, True, False):
        with shown(new_cell=new_cell) as caught:
            cross_val_score(scaled_descent(10), *DIABETES)
        told.append(len(caught))
    assert told == [1, 1, 0]


def test_a_search_without_tol_says_nothing():
    with shown() as caught:
        search(tol=[None])
    assert not caught


# --- No more rows than columns ---


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n, d", [(20, 19), (20, 20), (20, 50)])
def test_more_columns_than_rows_are_said_to_fit_the_training_rows_alone(n, d, fit_intercept):
    table, y = RNG.standard_normal((n, d)), RNG.standard_normal(n)
    model, warning = fitted(GDLinearRegressor(fit_intercept=fit_intercept), table, y)
    assert warning is None
    said = f"The table has {n} rows and {d} columns, so" in model.message_
    assert said == (n <= d)
    assert ("stopped early" in model.message_) == said
    textbook, _ = fitted(GDLinearRegressor(1e-3, 9, None), table, y)
    assert "columns" not in textbook.message_


# --- Words for those who install, and for those who look for an attribute ---


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_no_message_installs_a_package_that_is_not_published(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert "gd-regressor[" not in node.value


@pytest.mark.parametrize("name", ["max_learning_rate_", "condition_number_"])
def test_what_exists_in_one_mode_alone_leads_to_the_report(name):
    entry = GDLinearRegressor.__doc__.split(f"    {name} : float\n")[1]
    entry = re.split(r"\n    \w+ : ", entry)[0]
    assert "learning_rate_report" in entry


# --- A small gradient ---


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("y", [Y, BOTH], ids=["one target", "two"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradient_norms_are_those_of_the_gradient_at_the_iterates(y, momentum, fit_intercept):
    weights = RNG.random(N)
    report = learning_rate_report(X, y, sample_weight=weights, fit_intercept=fit_intercept)
    rate, points = 0.2 * report.limit(momentum), [0, 1, 2, 7, 30]
    coefs, intercepts = report.coefs(rate, momentum, points)
    expected = []
    for k in range(len(points)):
        dw, db = squared_loss_gradient(
            X, y, coefs[..., k], intercepts[..., k], sample_weight=weights
        )
        both = np.column_stack([np.atleast_2d(dw), np.atleast_1d(db)]) if fit_intercept else dw
        expected.append(np.linalg.norm(np.atleast_2d(both), axis=1).max())
    found = report.gradient_norms(rate, momentum, points)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


def test_a_small_gradient_is_found_in_one_line():
    report = LearningRateReport.from_moments(Moments.of(X, Y))
    rate = 0.3 * report.limit()
    k = int(np.argmax(report.gradient_norms(rate, n_iter=10_000) < 1e-3))
    w, b, updates = np.zeros(D), 0.0, 0
    while True:
        dw, db = squared_loss_gradient(X, Y, w, b)
        if np.hypot(np.linalg.norm(dw), db) < 1e-3:
            break
        w, b, updates = w - rate * dw, b - rate * db, updates + 1
    assert k == updates > 10
    with pytest.raises(ValueError, match="learning_rate"):
        report.gradient_norms(-1.0)
    with pytest.raises(ValueError, match="n_iter"):
        report.gradient_norms(0.1, n_iter=-1)
