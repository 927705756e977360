"""Callbacks of scikit-learn: what they are told, when, and that others pay nothing for them."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import warnings

import joblib
import numpy as np
import pytest
import sklearn
from scipy.optimize import brentq
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import (
    EpsilonInsensitive,
    GDLinearRegressor,
    Huber,
    PseudoHuber,
    Quantile,
    SquaredEpsilonInsensitive,
    Status,
)
from gd_regressor.callbacks import Checkpoint, EarlyStopping, History
from gd_regressor.estimator import callbacks as room
from gd_regressor.textbook.spectrum import Spectrum

sklearn_callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")

rng = np.random.default_rng(8)
X = rng.standard_normal((60, 4)) + 0.2
Y = np.column_stack([X @ [1.0, -2.0, 0.5, 0.0] + 3.0, 5 * rng.standard_normal(60)])
Y[:, 0] += rng.standard_normal(60)
S = rng.integers(1, 4, 60).astype(float)
RATE = 0.1
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:.*joblib:UserWarning"
)


class Recorder:
    """Writes down all hooks; `until` ends the descent after so many updates."""

    def __init__(self, until=None):
        self.until, self.seen, self.models = until, [], []

    def setup(self, estimator, context):
        self.seen.append(("setup", context.task_name, context.task_id))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.seen.append(("begin", context.task_name, context.task_id))
        self.models.append(fitted_estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.seen.append(("end", context.task_name, context.task_id))
        self.models.append(fitted_estimator)
        self.given, self.context, self.estimator = (X, y, metadata), context, estimator
        return context.task_name == "update" and context.task_id + 1 == self.until

    def teardown(self, estimator, context):
        self.seen.append(("teardown", context.task_name, context.task_id))


class Bystander:
    """Asks for no argument."""

    def __init__(self):
        self.count = 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.count += 1

    def teardown(self, estimator, context):
        pass


def told(n):
    """What a fit of n updates tells, in order."""
    updates = [(what, "update", k) for k in range(n) for what in ("begin", "end")]
    fit = [("setup", "fit", 0), ("begin", "fit", 0), *updates, ("end", "fit", 0)]
    return [*fit, ("teardown", "fit", 0)]


MODELS = {
    "number": GDLinearRegressor(RATE, max_iter=12, tol=None),
    "momentum": GDLinearRegressor(RATE, 12, None, momentum=0.7, fit_intercept=False),
    "lasso": GDLinearRegressor(RATE, 12, None, alpha=0.1, l1_ratio=0.9),
    "auto": GDLinearRegressor(tol=None, max_iter=3),
    "lasso auto": GDLinearRegressor(max_iter=3, tol=None, alpha=0.1),
}


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("case", MODELS)
def test_hooks_tell_each_update_and_its_model(case, targets, route):
    y = Y if targets == 2 else Y[:, 0]
    recorder = Recorder()
    model = clone(MODELS[case]).set_callbacks(recorder).fit(X, y, S)
    assert recorder.seen == told(model.n_iter_)
    fits = [m for m in recorder.models if m is not None]
    assert len(fits) == 2 * model.n_iter_ + 1  # a fit begins with no model
    before, after = fits[0:-1:2], fits[1:-1:2]
    assert [m.n_iter_ for m in before] == list(range(model.n_iter_))
    assert [m.n_iter_ for m in after] == list(range(1, model.n_iter_ + 1))
    for m in after:
        plain = clone(MODELS[case]).set_params(max_iter=m.n_iter_).fit(X, y, S)
        scale = np.abs(plain.coef_).max()
        np.testing.assert_allclose(m.coef_, plain.coef_, rtol=0, atol=1e-12 * scale)
        np.testing.assert_allclose(m.intercept_, plain.intercept_, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(m.loss_curve_, plain.loss_curve_, rtol=1e-9, atol=1e-13)
        assert type(m.intercept_) is type(plain.intercept_)
    for m, earlier in zip(before[1:], after, strict=False):
        np.testing.assert_array_equal(m.coef_, earlier.coef_)
    np.testing.assert_array_equal(fits[-1].coef_, model.coef_)
    assert recorder.estimator is model
    assert recorder.given[0] is X and recorder.given[1] is y
    assert recorder.given[2]["sample_weight"] is S
    assert recorder.context.max_subtasks == model.max_iter


def test_callbacks_change_no_bit():
    for case, model in MODELS.items():
        watched = clone(model).set_callbacks(Recorder()).fit(X, Y[:, 0])
        plain = clone(model).fit(X, Y[:, 0])
        assert not hasattr(plain, "_is_watched")
        np.testing.assert_array_equal(watched.coef_, plain.coef_, err_msg=case)
        assert (watched.n_iter_, watched.status_) == (plain.n_iter_, plain.status_)


def test_arguments_are_built_for_those_that_ask(monkeypatch):
    built, whole = [], room.Watch._model
    monkeypatch.setattr(room.Watch, "_model", lambda *a: built.append(a[1]) or whole(*a))
    bystander, model = Bystander(), clone(MODELS["number"])
    model.set_callbacks(bystander).fit(X, Y[:, 0])
    assert (bystander.count, built) == (13, [])
    model.set_callbacks(bystander, Recorder()).fit(X, Y[:, 0])
    assert built == [k for update in range(1, 13) for k in (update - 1, update)]


def test_without_callbacks_the_loop_pays_nothing(monkeypatch):
    """A closed form looks at many updates in one go, and nothing of the room is called."""
    looks, whole = [], Spectrum.records
    monkeypatch.setattr(
        Spectrum, "records", lambda path, a, b: looks.append(b - a + 1) or whole(path, a, b)
    )
    for name in ("Watch", "managed"):
        monkeypatch.setattr(f"gd_regressor.regressor.{name}", None)
    GDLinearRegressor(RATE, max_iter=1000, tol=None).fit(X, Y[:, 0])
    assert len(looks) < 15 and sum(looks) > 1000
    monkeypatch.undo()
    monkeypatch.setattr(
        Spectrum, "records", lambda path, a, b: looks.append(b - a + 1) or whole(path, a, b)
    )
    looks.clear()
    model = GDLinearRegressor(RATE, max_iter=1000, tol=None).set_callbacks(Bystander())
    model.fit(X, Y[:, 0])
    assert looks.count(1) >= 1000  # so the count above can tell


def test_a_fit_without_callbacks_does_not_import_them():
    code = (
        "import sys; from gd_regressor import GDLinearRegressor; from sklearn.base import clone;"
        "clone(GDLinearRegressor().set_callbacks()).fit([[0.], [1.]], [0., 1.]);"
        "print('sklearn.callback' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("case", ["number", "momentum", "lasso", "auto"])
def test_a_hook_that_returns_true_stops_the_descent(case, route):
    until = 1 if case == "auto" else 4
    model = clone(MODELS[case]).set_callbacks(Recorder(until))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y[:, 0])
    assert model.status_ is Status.STOPPED
    assert model.n_iter_ == until == len(model.loss_curve_) - 1
    assert "a callback ended the fit" in model.message_
    plain = clone(MODELS[case]).set_params(max_iter=until).fit(X, Y[:, 0])
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-12)


def test_a_stopped_fit_with_early_stopping_returns_its_best_update():
    model = GDLinearRegressor(RATE, early_stopping=True, n_iter_no_change=100, tol=0)
    held = {"X_val": X[:20], "y_val": Y[:20, 0] / 2}
    whole = clone(model).fit(X[20:], Y[20:, 0], **held)
    model.set_callbacks(Recorder(whole.n_iter_ + 3)).fit(X[20:], Y[20:, 0], **held)
    assert model.status_ is Status.STOPPED
    assert model.n_iter_ == whole.n_iter_ > 0
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-12)
    assert len(model.validation_curve_) == whole.n_iter_ + 4


def test_an_error_leaves_the_model_and_takes_leave_of_the_callbacks():
    class Failing(Recorder):
        def on_fit_task_begin(self, estimator, context):
            if context.task_id == 2:
                raise RuntimeError("no more")

    recorder, failing = Recorder(), Failing()
    model = GDLinearRegressor(RATE, 5, None).fit(X, Y[:, 0])
    before = model.coef_
    with pytest.raises(RuntimeError, match="no more"):
        model.set_callbacks(recorder, failing).fit(X, Y[:, 1])
    assert model.coef_ is before
    assert recorder.seen[-1] == failing.seen[-1] == ("teardown", "fit", 0)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, Y[:, 0])
    assert recorder.seen[-1] == ("teardown", "fit", 0)
    model.set_callbacks().fit(X, Y[:, 1])
    assert model.coef_ is not before


def test_an_interrupt_in_a_callback_keeps_the_last_complete_update():
    class Interrupting(Recorder):
        def on_fit_task_end(self, estimator, context):
            if context.task_id == 3 and context.task_name == "update":
                signal.raise_signal(signal.SIGINT)

    callback = Interrupting()
    model = GDLinearRegressor(RATE, 12, None).set_callbacks(callback)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y[:, 0])
    assert (model.status_, model.n_iter_) == (Status.INTERRUPTED, 4)
    assert callback.seen[-1] == ("teardown", "fit", 0)


# --- Those of scikit-learn ---


def test_scoring_monitor_and_progress_bar_watch_pipelines_and_searches(capsys):
    pytest.importorskip("rich")
    monitor = sklearn_callback.ScoringMonitor(scoring="r2")
    model = GDLinearRegressor(RATE, 4, None).set_callbacks(monitor)
    line = make_pipeline(StandardScaler(), model)
    line.set_callbacks(sklearn_callback.ProgressBar()).fit(X, Y[:, 0])
    scaled = StandardScaler().fit_transform(X)
    expected = [
        r2_score(Y[:, 0], GDLinearRegressor(RATE, k, None).fit(scaled, Y[:, 0]).predict(scaled))
        for k in range(1, 5)
    ]
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "update"]
    np.testing.assert_allclose([row["r2"] for row in rows], expected, rtol=1e-10)
    assert "GDLinearRegressor" in capsys.readouterr().out

    search = GridSearchCV(model, {"max_iter": [2, 3]}, cv=3)
    search.set_callbacks(sklearn_callback.ProgressBar(max_propagation_depth=None))
    search.fit(X, Y[:, 0])
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "update"]
    assert len(rows) == 3 * (2 + 3) + search.best_params_["max_iter"]
    assert "GDLinearRegressor" in capsys.readouterr().out
    search = GridSearchCV(GDLinearRegressor(RATE, tol=None), {"max_iter": [2, 3]}, cv=3)
    search.set_callbacks(sklearn_callback.ProgressBar()).fit(X, Y[:, 0])
    assert not hasattr(search.best_estimator_, "_is_watched")  # the bar was lent to it


def test_own_callbacks_of_a_step_watch_each_fit_of_a_search():
    history = History()
    model = GDLinearRegressor(RATE, tol=None).set_callbacks(history)
    line = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(line, {"gdlinearregressor__max_iter": [2, 3]}, cv=3).fit(X, Y[:, 0])
    best = search.best_params_["gdlinearregressor__max_iter"]
    assert [len(run["loss"]) for run in history.runs_] == [2, 2, 2, 3, 3, 3, best]


def test_clones_keep_callbacks_and_saved_models_work():
    bystander = Bystander()
    model = GDLinearRegressor(RATE, 3, None).set_callbacks(bystander).fit(X, Y[:, 0])
    clone(clone(model)).fit(X, Y[:, 0])
    assert bystander.count == 8
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    again = joblib.load(file)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    again.fit(X, Y[:, 0])
    assert bystander.count == 8  # it has a copy of its own
    model.set_callbacks().fit(X, Y[:, 0])
    assert bystander.count == 8


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="FitCallback"):
        GDLinearRegressor().set_callbacks(print)


def test_an_older_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    monkeypatch.setattr(sklearn, "__version__", "1.6.1")
    with pytest.raises(ImportError, match=r"scikit-learn 1\.9 or later, and 1\.6\.1 is installed"):
        GDLinearRegressor().set_callbacks(Bystander())
    GDLinearRegressor().set_callbacks().fit(X, Y[:, 0])


# --- Ours ---


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_finds_the_update_that_the_parameter_finds(patience):
    some, others, y, y_val = X[20:], X[:20], Y[20:], Y[:20] / 2
    model = GDLinearRegressor(RATE, tol=0)
    callback = EarlyStopping(others, y_val[:, 0], patience)
    watched = clone(model).set_callbacks(callback).fit(some, y[:, 0])
    other = clone(model).set_params(early_stopping=True, n_iter_no_change=patience)
    other.fit(some, y[:, 0], X_val=others, y_val=y_val[:, 0])
    assert watched.status_ is Status.STOPPED
    assert callback.best_n_iter_ == other.n_iter_ > 0
    assert watched.n_iter_ == len(other.validation_curve_) - 1
    np.testing.assert_allclose(callback.best_estimator_.coef_, other.coef_, rtol=1e-12)
    np.testing.assert_allclose(callback.curve_, other.validation_curve_[1:], rtol=1e-12)
    assert not hasattr(callback.best_estimator_, "_is_watched")


LOSSES = {
    "huber": Huber(0.5),
    "pseudo_huber": PseudoHuber(0.5),
    "median": Quantile(0.5),
    "quantiles": Quantile([0.9, 0.1], non_crossing=True),
    "epsilon": EpsilonInsensitive(0.3),
    "squared epsilon": SquaredEpsilonInsensitive(0.3),
}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("case", LOSSES)
def test_early_stopping_judges_by_the_loss_of_the_model(case, intercept):
    """As the parameter does, which has another way to the losses and to their units."""
    y = Y[:, 0] if case == "quantiles" else np.column_stack([Y[:, 0], 100 * Y[:, 0] + 50 * X[:, 3]])
    some, others = {"sample_weight": S[20:]}, {"sample_weight_val": S[:20]}
    model = GDLinearRegressor(
        0.05, 400, tol=1e-4, loss=LOSSES[case], fit_intercept=intercept, momentum=0.5
    )
    callback = EarlyStopping(X[:20], y[:20] / 2, 3, tol=1e-4, **others)
    watched = clone(model).set_callbacks(callback).fit(X[20:], y[20:], **some)
    other = clone(model).set_params(early_stopping=True, n_iter_no_change=3)
    other.fit(X[20:], y[20:], X_val=X[:20], y_val=y[:20] / 2, **some, **others)
    assert other.n_iter_ > 0
    assert callback.best_n_iter_ == other.n_iter_
    assert watched.n_iter_ == len(other.validation_curve_) - 1
    np.testing.assert_allclose(callback.curve_, other.validation_curve_[1:], rtol=1e-12)


def test_the_held_out_huber_loss_has_the_best_scale():
    """As F has it: sigma + sigma H(r / sigma) at the minimum, found here from its equation."""
    callback = EarlyStopping(X[:20], Y[:20, 0], sample_weight_val=S[:20])
    model = GDLinearRegressor(loss=Huber()).set_callbacks(callback).fit(X[20:], Y[20:, 0])
    assert model.n_iter_ > 1
    r, s = Y[:20, 0] - callback.best_estimator_.predict(X[:20]), S[:20] / S[:20].sum()
    equation = lambda sigma: s @ np.minimum(np.abs(r) / sigma, 1.35) ** 2 - 1  # noqa: E731
    sigma = brentq(equation, 1e-3, 1e3, xtol=1e-14)
    inside, size = np.abs(r) <= 1.35 * sigma, np.abs(r) / sigma
    expected = sigma + sigma * (s @ np.where(inside, size**2, 2 * 1.35 * size - 1.35**2))
    assert callback.curve_[callback.best_n_iter_ - 1] == pytest.approx(expected, rel=1e-12)
    exact = EarlyStopping(X[:20], np.zeros(20))
    GDLinearRegressor(loss=Huber()).set_callbacks(exact).fit(X[20:], np.zeros(40))
    assert not exact.curve_.any()


def test_held_rows_of_a_cluster_and_sparse_ones_judge_alike():
    array = pytest.importorskip("dask.array")
    held = [X[:20], csr_array(X[:20]), array.from_array(X[:20], chunks=(7, 4))]
    curves = []
    for rows in held:
        targets = array.from_array(Y[:20, 0], chunks=7) if rows is held[-1] else Y[:20, 0]
        callback = EarlyStopping(rows, targets)
        GDLinearRegressor(RATE, 9).set_callbacks(callback).fit(X[20:], Y[20:, 0])
        curves.append(callback.curve_)
    np.testing.assert_allclose(curves[1:], [curves[0]] * 2, rtol=1e-12)


def test_early_stopping_weighs_rows_and_means_targets():
    s = np.arange(20.0)
    callback = EarlyStopping(X[:20], Y[:20], tol=1e9, patience=2, sample_weight_val=s)
    model = GDLinearRegressor(RATE, tol=0).set_callbacks(callback).fit(X, Y)
    assert model.n_iter_ == 3  # the first is better than none; two more are not by 1e9
    errors = (Y[:20] - model.predict(X[:20])) ** 2
    expected = (s[:, None] * errors).sum() / s.sum() / 2
    assert callback.curve_[-1] == pytest.approx(expected, rel=1e-13)


def test_a_descent_goes_on_from_a_checkpoint(tmp_path):
    path = tmp_path / "model.joblib"
    model = GDLinearRegressor(RATE, 50, None)
    recorder = Recorder(until=25)
    clone(model).set_callbacks(Checkpoint(path, every=10), recorder).fit(X, Y[:, 0])
    half = joblib.load(path)
    assert half.n_iter_ == 25 and half.status_ is Status.STOPPED  # the end of the fit
    assert not hasattr(half, "_is_watched")
    rest = half.set_params(max_iter=25).fit(
        X, Y[:, 0], coef_init=half.coef_, intercept_init=half.intercept_
    )
    np.testing.assert_allclose(rest.coef_, clone(model).fit(X, Y[:, 0]).coef_, rtol=1e-12)
    assert os.listdir(tmp_path) == ["model.joblib"]


def test_a_checkpoint_is_whole_whenever_the_process_dies(tmp_path, monkeypatch):
    """If writing fails, the last complete model is there, and no part of another."""
    path, dump, written = tmp_path / "model.joblib", joblib.dump, []

    def failing(model, file):
        if model.n_iter_ == 30:
            file.write(b"half a mo")
            raise OSError("the disk is full")
        written.append(model.n_iter_)
        return dump(model, file)

    monkeypatch.setattr(joblib, "dump", failing)
    model = GDLinearRegressor(RATE, 50, None).set_callbacks(Checkpoint(path, every=10))
    with pytest.raises(OSError, match="the disk is full"):
        model.fit(X, Y[:, 0])
    assert written == [10, 20]
    kept = joblib.load(path)
    plain = GDLinearRegressor(RATE, 20, None).fit(X, Y[:, 0])
    np.testing.assert_allclose(kept.coef_, plain.coef_, rtol=1e-12)
    np.testing.assert_allclose(kept.predict(X), plain.predict(X), rtol=1e-12)
    assert os.listdir(tmp_path) == ["model.joblib"]


def test_a_checkpoint_refuses_a_folder_that_is_not_there(tmp_path):
    callback = Checkpoint(tmp_path / "no" / "model.joblib")
    with pytest.raises(ValueError, match="folder that exists"):
        GDLinearRegressor(RATE).set_callbacks(callback).fit(X, Y[:, 0])


@pytest.mark.parametrize("path", ["", ".", "/dev/null/model"])
def test_a_checkpoint_refuses_a_folder_as_a_file(path):
    with pytest.raises(ValueError, match="path must be "):
        GDLinearRegressor(RATE).set_callbacks(Checkpoint(path)).fit(X, Y[:, 0])


def test_a_checkpoint_refuses_a_folder_without_a_right_to_write(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    callback = Checkpoint(tmp_path / "model.joblib")
    monkeypatch.setattr(tempfile, "mkstemp", refused)
    words = r"a folder that can be written, got .*model\.joblib' \(Permission denied\); choose"
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor(RATE).set_callbacks(callback).fit(X, Y[:, 0])


def test_one_callback_twice_is_refused():
    history = History()
    with pytest.raises(
        ValueError, match=r"different objects, got .*History.* twice; write it once"
    ):
        GDLinearRegressor().set_callbacks(history, Bystander(), history)


def test_history_has_the_losses_and_coefficients_of_each_update():
    history = History(every=3, coef=True)
    model = GDLinearRegressor(RATE, 10, None).set_callbacks(history).fit(X, Y)
    (run,) = history.runs_
    assert run["n_iter"].tolist() == [3, 6, 9]
    np.testing.assert_array_equal(run["loss"], model.loss_curve_[[3, 6, 9]])
    assert (np.diff([0.0, *run["seconds"]]) >= 0).all()
    for k, coef, intercept in zip(run["n_iter"], run["coef"], run["intercept"], strict=True):
        plain = GDLinearRegressor(RATE, int(k), None).fit(X, Y)
        np.testing.assert_allclose(coef, plain.coef_, rtol=1e-11)
        np.testing.assert_allclose(intercept, plain.intercept_, rtol=1e-11)


def test_no_update_is_no_task():
    recorder, history = Recorder(), History()
    GDLinearRegressor(RATE, 0).set_callbacks(recorder, history).fit(X, Y[:, 0])
    assert recorder.seen == told(0)
    assert len(history.runs_[0]["loss"]) == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EarlyStopping(X, Y, patience=0), "patience must be an integer >= 1, got 0"),
        (lambda: History(every=0), "every must be an integer >= 1, got 0"),
        (lambda: Checkpoint("x", every=1.5), r"every must be an integer >= 1, got 1\.5"),
    ],
)
def test_parameters_of_callbacks_are_checked(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_rate_too_large_overflows_and_no_update_is_told_twice(route):
    recorder = Recorder()
    model = GDLinearRegressor(1e80, max_iter=50).set_callbacks(recorder)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y[:, 0])
    assert model.status_ is Status.DIVERGED
    assert recorder.seen == told(model.n_iter_)


@pytest.mark.parametrize(
    ("rows", "targets", "words"),
    [
        ([[1.0], [2.0]], [1.0], "X_val and y_val: .*inconsistent numbers of samples"),
        ([[1.0, 2.0]], [1.0], "X_val and y_val: X has 2 features, but"),
        ([[1.0]], [[1.0, 2.0]], "X_val and y_val: they must have the columns and targets of X"),
    ],
)
def test_held_rows_of_another_shape_are_named(rows, targets, words):
    stopping = EarlyStopping(rows, targets)
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor(0.1).set_callbacks(stopping).fit([[0.0], [1.0]], [0.0, 1.0])


def test_what_callbacks_cannot_use_is_named():
    with pytest.raises(ValueError, match="coef must be"):
        History(coef="yes")
    with pytest.raises(ValueError, match="path must be the name of a file, got 5"):
        Checkpoint(5)
