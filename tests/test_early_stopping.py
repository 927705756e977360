"""Early stopping: the update that predicts held-out rows best, as a plain loop would find it."""

import itertools
import signal
import threading
import warnings
from fractions import Fraction

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import (
    DivergenceWarning,
    GDLinearRegressor,
    InverseScaling,
    LearningRateReport,
    LossSurfaceDisplay,
    Status,
    gd_path,
)
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.textbook import follow, held_out
from gd_regressor.textbook.spectrum import Spectrum

rng = np.random.default_rng(3)
N, D = 40, 12
W = rng.standard_normal(D) / 3
X, Y = rng.standard_normal((N, D)) + 0.3, rng.standard_normal((N, 2)) * [1.0, 3.0]
Y += (X @ W)[:, None]
X_VAL = rng.standard_normal((25, D)) + 0.3
Y_VAL = (X_VAL @ W)[:, None] + rng.standard_normal((25, 2)) * [1.0, 3.0]
S, S_VAL = rng.integers(0, 4, N).astype(float), rng.integers(0, 3, 25).astype(float)
RATE = 0.02


def naive(
    X, y, X_val, y_val, rate=RATE, *, s=None, s_val=None, momentum=0.0, tol=0.0, patience=5,
    max_iter=300, l1=0.0, l2=0.0, intercept=True,
):  # fmt: skip
    """The textbooks' loop that scores held-out rows, of one target or several.

    It returns the best coefficients and intercepts, the best update, the last one, and the held-out
    losses after each.
    """
    y, y_val = y.reshape(len(y), -1), y_val.reshape(len(y_val), -1)
    s = np.ones(len(y)) if s is None else s
    s_val = np.ones(len(y_val)) if s_val is None else s_val
    s, s_val = s[:, None] / s.sum(), s_val[:, None] / s_val.sum()
    w, b = np.zeros((X.shape[1], y.shape[1])), np.zeros(y.shape[1])
    mean = (s * y).sum(axis=0) * intercept
    V = (s * (y - mean) ** 2).sum(axis=0)
    before, best, curve, streak = (w, b), None, [], 0
    lowest = np.inf
    for k in range(max_iter + 1):
        loss = (s_val * (y_val - X_val @ w - b) ** 2).sum(axis=0)
        score = (loss / V).mean()
        curve.append(loss.mean())
        streak = 0 if score < lowest - tol else streak + 1
        if score < lowest:
            lowest, best = score, (w, b, k)
        if streak == patience and k:
            break
        eta = rate(k + 1) if callable(rate) else rate
        r = s * (y - X @ w - b)
        w_new = w + 2 * eta * (X.T @ r - l2 * w) + momentum * (w - before[0])
        b_new = b + intercept * (2 * eta * r.sum(axis=0) + momentum * (b - before[1]))
        w_new = np.sign(w_new) * np.maximum(np.abs(w_new) - 2 * eta * l1, 0.0)
        before, w, b = (w, b), w_new, b_new
    return *best, k, np.array(curve)


def walks(monkeypatch, *, rows, held):
    """Let the descent walk over the rows, and the held-out rows be read for each update, or not."""
    monkeypatch.setattr(follow, "closed_form_pays", lambda *sizes: not rows)
    monkeypatch.setattr(held_out, "closed_form_pays", lambda *sizes: not held)


CASES = {
    "plain": ({}, {}),
    "no intercept": ({"fit_intercept": False}, {"intercept": False}),
    "momentum": ({"momentum": 0.8}, {"momentum": 0.8}),
    "schedule": (
        {"learning_rate": InverseScaling(0.08, 0.5)},
        {"rate": lambda t: 0.08 / t**0.5},
    ),
    "a wide tol": ({"tol": 1e-3}, {"tol": 1e-3}),
    "patience": ({"n_iter_no_change": 1}, {"patience": 1}),
    "ridge": ({"alpha": 0.05, "l1_ratio": 0.0}, {"l2": 0.05}),
    "lasso": ({"alpha": 0.02, "l1_ratio": 1.0}, {"l1": 0.02}),
    "most updates": ({"max_iter": 4}, {"max_iter": 4}),
}


@pytest.mark.parametrize(("rows", "held"), [(False, False), (True, True), (True, False)])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["dense", "sparse", "weights", "targets"])
def test_the_best_update_is_that_of_a_plain_loop(case, kind, rows, held, monkeypatch):
    """In closed form, in a walk, and with held-out rows as a triangle or as rows."""
    walks(monkeypatch, rows=rows, held=held)
    options, told = CASES[case]
    y, y_val = (Y, Y_VAL) if kind == "targets" else (Y[:, 0], Y_VAL[:, 0])
    s, s_val = (S, S_VAL) if kind == "weights" else (None, None)
    some, other = (sparse.csr_array(np.where(A > 0.5, A, 0)) for A in (X, X_VAL))
    some, other = (some, other) if kind == "sparse" else (X, X_VAL)
    options = {"learning_rate": RATE, "tol": 0, "max_iter": 300, "early_stopping": True, **options}
    model = GDLinearRegressor(**options)
    with warnings.catch_warnings():
        if case == "most updates":
            warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(some, y, s, X_val=other, y_val=y_val, sample_weight_val=s_val)
    A, B = (A.toarray() if kind == "sparse" else A for A in (some, other))
    w, b, best, last, curve = naive(A, y, B, y_val, s=s, s_val=s_val, **told)
    assert (model.n_iter_, len(model.validation_curve_) - 1) == (best, last)
    assert best < last or case in ("most updates", "a wide tol")
    np.testing.assert_allclose(model.coef_.reshape(-1, D), w.T, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(model.intercept_, b if len(b) > 1 else b[0], rtol=1e-11)
    np.testing.assert_allclose(model.validation_curve_, curve, rtol=1e-12)
    assert len(model.loss_curve_) == best + 1
    ended = Status.MAX_ITER if case == "most updates" else Status.STOPPED_EARLY
    assert model.status_ is ended


def test_the_best_update_of_exact_arithmetic():
    """Fractions: y = x on three rows, and y = x / 2 on one row that is held out.

    With rate 1/8 each update goes a quarter of the way from w to 1, so 1 - w is (3/4)^k. The
    held-out error (w - 1/2)^2 is least where (3/4)^k is nearest to 1/2, after 2 updates.
    """
    x = [Fraction(1), Fraction(-1), Fraction(1)]
    w, errors = Fraction(0), []
    for _ in range(8):
        errors.append((w - Fraction(1, 2)) ** 2)
        w += Fraction(1, 8) * 2 * sum(v * (v - w * v) for v in x) / 3
    best = errors.index(min(errors))
    assert best == 2
    column = np.array(x, dtype=float)[:, None]
    model = GDLinearRegressor(0.125, fit_intercept=False, early_stopping=True, n_iter_no_change=5)
    model.fit(column, column[:, 0], X_val=[[1.0]], y_val=[0.5])
    assert model.n_iter_ == best
    assert model.coef_[0] == pytest.approx(float(1 - Fraction(3, 4) ** 2), rel=4e-16)
    exact = [float(e) for e in errors[: best + 6]]
    np.testing.assert_allclose(model.validation_curve_, exact, rtol=1e-14)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("near", [0.1, 0.8])
def test_from_a_start_the_best_of_all_iterates_is_returned(near, rows, monkeypatch):
    """A walk from a good start descends on residuals, in coordinates of its own."""
    given = {"coef_init": near * W, "intercept_init": -near}
    coefs, intercepts, _ = gd_path(X, Y[:, 0], learning_rate=RATE, n_iter=np.arange(301), **given)
    errors = ((Y_VAL[:, [0]] - X_VAL @ coefs - intercepts) ** 2).mean(axis=0)
    walks(monkeypatch, rows=rows, held=rows)
    model = GDLinearRegressor(RATE, max_iter=300, tol=None, early_stopping=True)
    model.fit(X, Y[:, 0], **given, X_val=X_VAL, y_val=Y_VAL[:, 0])
    assert model.n_iter_ == errors.argmin() < 300
    np.testing.assert_allclose(model.validation_curve_, errors, rtol=1e-12)
    np.testing.assert_allclose(model.coef_, coefs[:, errors.argmin()], rtol=1e-11)


@pytest.mark.parametrize("rows", [False, True])
def test_single_precision_keeps_its_type_and_stops_like_double(rows, monkeypatch):
    walks(monkeypatch, rows=rows, held=rows)
    model = GDLinearRegressor(RATE, tol=1e-4, early_stopping=True)
    held = {"X_val": X_VAL.astype(np.float32), "y_val": Y_VAL[:, 0]}
    single = clone(model).fit(X.astype(np.float32), Y[:, 0], **held)
    double = clone(model).fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0])
    assert single.coef_.dtype == np.float32
    assert single.n_iter_ == double.n_iter_
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_units_of_a_target_choose_no_other_update(scale):
    """Each target counts in units of its variance."""
    model = GDLinearRegressor(RATE, early_stopping=True)
    units = np.array([1.0, scale])
    model.fit(X, Y * units, X_val=X_VAL, y_val=Y_VAL * units)
    plain = clone(model).fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert model.n_iter_ == plain.n_iter_
    np.testing.assert_allclose(model.coef_, plain.coef_ * units[:, None], rtol=1e-10)


def test_the_held_out_rows_are_those_of_train_test_split():
    model = GDLinearRegressor(RATE, early_stopping=True, validation_fraction=0.3, random_state=5)
    mine = clone(model).fit(X, Y[:, 0], S + 1)
    split = train_test_split(X, Y[:, 0], S + 1, test_size=0.3, random_state=5)
    some, others, y, y_val, s, s_val = split
    theirs = clone(model).fit(some, y, s, X_val=others, y_val=y_val, sample_weight_val=s_val)
    assert mine.n_iter_ == theirs.n_iter_ > 0
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=1e-12)
    np.testing.assert_allclose(mine.validation_curve_, theirs.validation_curve_, rtol=1e-12)


@pytest.mark.parametrize("rows", [False, True])
def test_rows_without_weight_are_as_if_they_were_not_there(rows, monkeypatch):
    """They are neither learnt nor held out, so the draw is the same without them."""
    walks(monkeypatch, rows=rows, held=rows)
    model = GDLinearRegressor(RATE, early_stopping=True, validation_fraction=0.3, random_state=5)
    mine = clone(model).fit(X, Y[:, 0], S)
    theirs = clone(model).fit(X[S > 0], Y[S > 0, 0], S[S > 0])
    assert mine.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=1e-12)


def test_a_memory_map_is_split_without_a_copy(tmp_path):
    disk = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
    disk[:] = X
    model = GDLinearRegressor(RATE, early_stopping=True, random_state=0)
    mapped, plain = (clone(model).fit(A, Y[:, 0]) for A in (disk, X))
    np.testing.assert_array_equal(mapped.coef_, plain.coef_)
    np.testing.assert_array_equal(np.asarray(disk), X)
    from gd_regressor.data.inputs import rows_of

    rows = rows_of(np.asarray(disk), Y, S, on_disk=True)
    assert np.shares_memory(rows.only(S > 1).X, disk)
    assert rows.only(S > 1).weights.tolist() == np.where(S > 1, rows.weights, 0).tolist()


@pytest.mark.parametrize("given", [False, True])
def test_a_cluster_stops_where_memory_stops(given):
    array = pytest.importorskip("dask.array")
    cut = (9, 20, 11)
    to_dask = array.from_array
    some = [to_dask(A, chunks=(cut, *A.shape[1:])) for A in (X, Y[:, 0], S)]
    others = {"X_val": X_VAL, "y_val": Y_VAL[:, 0]} if given else {}
    far = {name: to_dask(A, chunks=(13, *A.shape[1:])) for name, A in others.items()}
    model = GDLinearRegressor(RATE, early_stopping=True, validation_fraction=0.25, random_state=1)
    there, here = clone(model).fit(*some, **far), clone(model).fit(X, Y[:, 0], S, **others)
    assert there.n_iter_ == here.n_iter_ > 0
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-12)
    np.testing.assert_allclose(there.validation_curve_, here.validation_curve_, rtol=1e-12)


def test_nobody_walks_twice(monkeypatch):
    """As many evaluations of the loss as updates, and one of the start, on either kind of rows."""
    walks(monkeypatch, rows=True, held=True)
    asked, ways = [], {way: getattr(DataLoss, way) for way in ("value_and_gradient", "mean_over")}

    def counting(whole):
        def counted(loss, *told):
            asked.append(loss.rows.n_rows)
            return whole(loss, *told)

        return counted

    for way, whole in ways.items():
        monkeypatch.setattr(DataLoss, way, counting(whole))
    model = GDLinearRegressor(RATE, early_stopping=True).fit(
        X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0]
    )
    seen = len(model.validation_curve_)
    assert model.n_iter_ < seen - 1
    assert [asked.count(len(A)) for A in (X, X_VAL)] == [seen, seen]


def test_tol_none_makes_all_updates_and_returns_the_best():
    model = GDLinearRegressor(RATE, max_iter=120, tol=None, early_stopping=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0])
    w, _, best, _, curve = naive(X, Y[:, 0], X_VAL, Y_VAL[:, 0], patience=1000, max_iter=120)
    assert (model.n_iter_, len(model.validation_curve_)) == (best, 121)
    assert best == curve.argmin() < 120
    assert model.status_ is Status.MAX_ITER
    np.testing.assert_allclose(model.coef_, w[:, 0], rtol=1e-12)


def test_no_update_keeps_the_start():
    model = GDLinearRegressor(RATE, max_iter=0, early_stopping=True)
    model.fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0])
    assert model.n_iter_ == 0
    assert model.validation_curve_ == pytest.approx([(Y_VAL[:, 0] ** 2).mean()], rel=1e-14)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("patience", [5, 5000])
def test_a_rate_too_large_is_said_and_the_best_update_kept(rows, patience, monkeypatch):
    walks(monkeypatch, rows=rows, held=rows)
    model = GDLinearRegressor(
        5.0, max_iter=5000, tol=0, early_stopping=True, n_iter_no_change=patience
    )
    with pytest.warns(DivergenceWarning, match="not below the largest stable rate"):
        model.fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0])
    assert model.status_ is Status.DIVERGED
    assert model.n_iter_ == 0
    assert not model.coef_.any()


@pytest.mark.parametrize("named", ["X", "X_val"])
def test_names_of_columns_on_one_side_alone_are_told_of_the_held_out_rows(named):
    """scikit-learn words such a warning of X. The model is that of arrays on both sides."""
    pandas = pytest.importorskip("pandas")
    frames = {"X": X, "X_val": X_VAL}
    frames[named] = pandas.DataFrame(frames[named]).add_prefix("c")
    model = GDLinearRegressor(RATE, early_stopping=True)
    text = "^X_val (does not have valid|has) feature names, but GDLinearRegressor was fitted with"
    with pytest.warns(UserWarning, match=text) as told:
        model.fit(frames["X"], Y, X_val=frames["X_val"], y_val=Y_VAL)
    assert not [one for one in told if str(one.message).startswith("X ")]
    bare = GDLinearRegressor(RATE, early_stopping=True).fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    np.testing.assert_allclose(model.coef_, bare.coef_, rtol=1e-12)


@pytest.mark.parametrize("patience", [1, 5])
@pytest.mark.parametrize("tol", [0, 0.1])
def test_the_message_says_what_ended_the_descent(tol, patience):
    """With a coarse tol the best update may be among the last ones, which lowered it by less."""
    model = GDLinearRegressor(0.002, 2000, tol, early_stopping=True, n_iter_no_change=patience)
    model.fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0])
    later = len(model.validation_curve_) - 1 - model.n_iter_
    assert model.status_ is Status.STOPPED_EARLY and (later == patience) == (tol == 0)
    last = {1: "The last update did not lower", 5: "None of the last 5 updates lowered"}
    end = f" at first. {last[patience]} it by more than tol={tol} times the variance of y."
    assert model.message_.endswith(end)


def test_most_updates_without_an_end_warn():
    model = GDLinearRegressor(1e-4, max_iter=10, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=10 updates were made before the held"):
        model.fit(X, Y[:, 0])
    assert model.n_iter_ == 10


@pytest.mark.parametrize("rows", [False, True])
def test_an_interrupt_keeps_the_last_complete_update(rows, monkeypatch):
    walks(monkeypatch, rows=rows, held=True)
    monkeypatch.setattr(Spectrum, "stride", 1)  # so that an interrupt falls among the updates
    calls, whole = itertools.count(), DataLoss.mean_over

    def interrupting(loss, *told):
        if loss.rows.n_rows == len(X_VAL) and next(calls) == 30:
            signal.raise_signal(signal.SIGINT)
        return whole(loss, *told)

    monkeypatch.setattr(DataLoss, "mean_over", interrupting)
    model = GDLinearRegressor(0.1, tol=0, early_stopping=True, n_iter_no_change=100)
    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0])
    assert model.status_ is Status.INTERRUPTED
    plain = GDLinearRegressor(0.1, max_iter=model.n_iter_, tol=None).fit(X, Y[:, 0])
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-11)
    assert model.n_iter_ == 29 > model.validation_curve_.argmin()
    assert len(model.validation_curve_) == 30


def test_pipelines_and_searches_route_held_out_rows():
    model = GDLinearRegressor(0.1, early_stopping=True)
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
        line = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        line.fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0], sample_weight_val=S_VAL)
        search = GridSearchCV(line, {"gdlinearregressor__n_iter_no_change": [1, 5]}, cv=3)
        search.fit(X, Y[:, 0], X_val=X_VAL, y_val=Y_VAL[:, 0], sample_weight_val=S_VAL)
    scaler = StandardScaler().fit(X)
    scaled = {"X_val": scaler.transform(X_VAL), "y_val": Y_VAL[:, 0], "sample_weight_val": S_VAL}
    by_hand = GDLinearRegressor(0.1, early_stopping=True)
    by_hand.fit(scaler.transform(X), Y[:, 0], **scaled)
    np.testing.assert_array_equal(line[-1].coef_, by_hand.coef_)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


VALID = {"X_val": X_VAL, "y_val": Y_VAL[:, 0]}


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        ({"learning_rate": "auto"}, {}, r'early_stopping=True .*"auto".*write a number'),
        ({"early_stopping": False}, VALID, "early_stopping=False ignores.*early_stopping=True"),
        ({}, {"X_val": X_VAL}, "y_val is missing"),
        ({}, {"y_val": Y_VAL}, "X_val is missing"),
        ({}, {"sample_weight_val": S_VAL}, "X_val is missing"),
        ({}, VALID | {"X_val": X_VAL[:, 1:]}, "X_val and y_val: X has 11 features, but"),
        ({}, VALID | {"y_val": Y_VAL}, "columns and targets of X and y"),
        ({}, VALID | {"X_val": X_VAL * np.nan}, "X_val and y_val: Input X contains NaN"),
        ({}, VALID | {"sample_weight_val": -S_VAL}, "X_val and y_val: .*sample_weight"),
        ({"early_stopping": "yes"}, {}, "early_stopping must be True or False, got 'yes'"),
        ({"validation_fraction": 1}, {}, "validation_fraction must be a number between 0 and 1"),
        ({"n_iter_no_change": 0}, {}, "n_iter_no_change must be an integer >= 1, got 0"),
        ({"validation_fraction": 0.999}, {}, "validation_fraction=0.999 of 40 rows leaves none"),
    ],
)
def test_what_does_not_go_together_is_refused(options, given, words):
    model = GDLinearRegressor(**{"learning_rate": RATE, "early_stopping": True} | options)
    with pytest.raises(ValueError, match=words):
        model.fit(X, Y[:, 0], **given)


def test_one_row_of_weight_cannot_be_split():
    with pytest.raises(ValueError, match=r"two rows at least.*got 1 with n_samples=40"):
        GDLinearRegressor(RATE, early_stopping=True).fit(X, Y, np.eye(N)[0])


@pytest.mark.parametrize("verb", ["partial_fit", "fit_batches", "fit_moments", "merge", "forget"])
def test_streams_cannot_hold_rows_out(verb):
    model = GDLinearRegressor(RATE, early_stopping=True)
    with pytest.raises(ValueError, match=f"early_stopping=True cannot be combined with {verb}"):
        getattr(model, verb)(*([X, Y] if verb in ("partial_fit", "forget") else [None]))


def test_a_fit_without_early_stopping_forgets_the_curve():
    model = GDLinearRegressor(RATE, early_stopping=True, random_state=0).fit(X, Y[:, 0])
    assert hasattr(model, "validation_curve_")
    model.set_params(early_stopping=False, tol=None).fit(X, Y[:, 0])
    assert not hasattr(model, "validation_curve_")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("penalty", [{}, {"alpha": 0.02, "l1_ratio": 1.0}])
@pytest.mark.parametrize("start", [{}, {"coef_init": np.full(D, 0.2)}])
def test_a_surface_is_drawn_of_the_rows_that_the_descent_saw(penalty, start):
    """The rows held out bend another surface, along which no update went."""
    model = GDLinearRegressor(RATE, tol=1e-4, early_stopping=True, random_state=0, **penalty)
    y = Y[:, 0]
    with pytest.raises(ValueError, match="early_stopping=True held some of them out"):
        LossSurfaceDisplay.from_estimator(clone(model).fit(X, y, **start), X, y)
    model.fit(X, y, X_val=X_VAL, y_val=Y_VAL[:, 0], **start)
    display = LossSurfaceDisplay.from_estimator(model, X, y, ax=Figure().subplots())
    path = display.path_.get_xydata()
    np.testing.assert_allclose(path[-1], display_end(model, display), rtol=1e-10)


def display_end(model, display):
    """The coefficients that the two axes show, at the end of the fit."""
    names = [*(f"x{j}" for j in range(D)), "intercept"]
    return [[*model.coef_, model.intercept_][names.index(name)] for name in display.names]


def test_small_updates_are_drawn_on_no_surface_of_all_rows():
    """Updates of few rows each do not follow it, and no rate of all rows foretells them."""
    model = GDLinearRegressor(RATE, batch_size=8, random_state=0).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="must have batch_size=None, got 8"):
        LossSurfaceDisplay.from_estimator(model, X, Y[:, 0])
    assert LearningRateReport.from_estimator(model, X, Y[:, 0]).setting is None
