"""verbose: what is printed while a descent runs, and what it cost in the end."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import gd_regressor
from gd_regressor import GDLinearRegressor, InverseScaling, Status, gd_path
from gd_regressor.auto.follow import follow_auto
from gd_regressor.data.passes import count_pass, counted
from gd_regressor.data.table import Rows
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Request
from gd_regressor.descent.steps import ConstantStep, ScheduledStep
from gd_regressor.textbook.follow import follow_textbook

HOUSE = Path(gd_regressor.__file__).parents[1]
rng = np.random.default_rng(5)
N, D = 60, 4
X = rng.standard_normal((N, D)) * [1.0, 2.0, 0.5, 1.0] + [0.5, -0.3, 2.0, 0.0]
y = X @ [1.0, -2.0, 3.0, 0.5] + 4.0 + rng.standard_normal(N)
Y = np.column_stack([y, 10 * rng.standard_normal(N) - 2.0])
LINE = re.compile(r"update +(\d+)  loss (\S+) +gradient (\S+)")
LAST = re.compile(r"([\d,]+) updates?, ([\d,]+) pass(?:es)? over the rows, \S+ s: the loss is (.+)")


class Spy(Observer):
    """Keeps what a path tells of each update."""

    stride = sys.maxsize

    def __init__(self):
        self.ended, self.points, self.gradients, self.last = 0, [], [], []

    def see(self, k, records, path):
        ks = np.arange(k, k + len(records.losses))
        self.gradients += list(path.gradients(ks))
        self.points += list(path.points(ks)[0])
        self.last.append((ks[-1], path.at(ks[-1])))
        return False

    def end(self):
        self.ended += 1


def gradient_at(theta, targets, fit_intercept, weights=None, columns=X):
    """By its definition, in twice the precision where numpy has it."""
    table = np.column_stack([columns, np.ones((len(columns), int(fit_intercept)))])
    table, s = table.astype(np.longdouble), np.ones(len(table)) if weights is None else weights
    left = s[:, None] * (table @ theta - targets)
    return 2 * table.T @ left / s.sum()


def assert_gradients_are_right(spy, targets, fit_intercept, weights=None, columns=X):
    assert spy.ended == 1
    exact = [gradient_at(point, targets, fit_intercept, weights, columns) for point in spy.points]
    first = np.abs(exact[0]).max()
    for gradient, truth in zip(spy.gradients, exact, strict=True):
        assert np.abs(gradient - truth).max() <= 1e-12 * first
    for k, point in spy.last:
        np.testing.assert_allclose(point, spy.points[k], rtol=1e-12)


STEPS = {
    "constant": ConstantStep(0.05),
    "momentum": ConstantStep(0.05, 0.7),
    "schedule": ScheduledStep(InverseScaling(0.05, 0.5)),
}
STARTS = {"zero": 0.0, "elsewhere": 1.0}


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("step", STEPS)
def test_a_path_tells_the_gradient_at_each_point(step, start, fit_intercept, route):
    w = STARTS[start] * np.arange(1.0, 2 * D + 1).reshape(D, 2)
    b = STARTS[start] * fit_intercept * np.array([3.0, -1.0])
    weights, spy = rng.integers(0, 3, N).astype(float), Spy()
    rows = Rows(X, Y, weights)
    follow_textbook(rows, STEPS[step], (w, b), Request(fit_intercept, 30, None), [spy])
    assert len(spy.points) == 31
    assert_gradients_are_right(spy, Y, fit_intercept, weights)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("rung", ["moments", "qr", "dual"])
def test_the_gradient_of_auto_is_that_in_raw_coordinates(rung, fit_intercept):
    many = D - 1 if rung == "dual" else N
    columns, targets, spy = X[:many], Y[:many], Spy()
    w, b = np.ones((D, 2)), fit_intercept * np.array([3.0, -1.0])
    request = Request(fit_intercept, 5, None)
    follow_auto(Rows(columns, targets), (w, b), request, [spy], rung=rung)
    assert_gradients_are_right(spy, targets, fit_intercept, columns=columns)


def printed(capsys):
    """The updates that were printed, and the line below them."""
    *lines, last = capsys.readouterr().out.splitlines()
    found = [LINE.fullmatch(line).groups() for line in lines]
    return [(int(k), float(loss), float(size)) for k, loss, size in found], LAST.fullmatch(last)


@pytest.mark.parametrize("targets", [y, Y], ids=["one target", "two targets"])
@pytest.mark.parametrize("verbose", [1, 7])
def test_beside_the_loss_stands_the_norm_of_its_gradient(verbose, targets, route, capsys):
    GDLinearRegressor(0.05, 30, None, verbose=verbose).fit(X, targets)
    updates, _ = printed(capsys)
    assert [k for k, _, _ in updates] == list(range(0, 31, verbose))
    coefs, intercepts, losses = gd_path(X, targets, learning_rate=0.05, n_iter=30)
    for k, loss, size in updates:
        theta = np.vstack([coefs[..., k].reshape(-1, D).T, np.atleast_1d(intercepts[..., k])])
        t = theta.shape[1]
        # The printed loss is the mean over the targets, so its gradient is 1/t of all of theirs
        gradient = gradient_at(theta, targets.reshape(N, -1), True) / t
        assert loss == pytest.approx(losses[k], rel=1e-9)
        assert size == pytest.approx(float(np.linalg.norm(gradient)), rel=1e-3)


# --- What it cost ---


def test_the_last_line_counts_the_passes_of_a_walk(capsys, monkeypatch):
    monkeypatch.setattr(gd_regressor.textbook.follow, "closed_form_pays", lambda *sizes: False)
    GDLinearRegressor(0.05, 30, None, verbose=100).fit(X, y)
    _, last = printed(capsys)
    # The Hessian, the start, and each update
    assert last.groups()[:2] == ("30", "32")
    assert last[3].startswith("at least ")


@pytest.mark.parametrize("n_iter", [1, 2000])
def test_the_closed_form_costs_the_same_few_passes_for_any_number(n_iter, capsys):
    model = GDLinearRegressor(0.05, n_iter, None, verbose=10_000).fit(X, y)
    _, last = printed(capsys)
    assert last[1] == f"{n_iter:,}" and 1 <= int(last[2]) <= 3
    table = np.column_stack([X, np.ones(N)])
    minimum = np.mean((y - table @ np.linalg.lstsq(table, y)[0]) ** 2)
    above = model.loss_curve_[-1] - minimum
    gap, share = re.fullmatch(r"(\S+) above its minimum \((\S+) % .+\)", last[3]).groups()
    assert float(gap) == pytest.approx(above, rel=1e-3)
    assert float(share) == pytest.approx(100 * above / y.var(), rel=1e-2)


def test_auto_ends_at_the_minimum_and_a_stream_reads_no_row_again(capsys):
    GDLinearRegressor(verbose=1).fit(X, y)
    assert printed(capsys)[1][3] == "at its minimum, to rounding"
    GDLinearRegressor(verbose=1).partial_fit(X, y)
    last = printed(capsys)[1]
    assert last[2] == "0" and last[3] == "at its minimum, to rounding"


@pytest.mark.filterwarnings("ignore::gd_regressor.DivergenceWarning")
def test_far_beyond_the_variance_the_distance_is_a_multiple(capsys):
    model = GDLinearRegressor(1e3, 3, None, verbose=1).fit(X, y)
    text = printed(capsys)[1][3]
    times = float(re.search(r"\((\S+) times the variance of y\)", text)[1])
    assert times == pytest.approx(model.loss_curve_[-1] / y.var(), rel=1e-2)


def test_passes_are_counted_where_somebody_asks_and_nowhere_else():
    with counted() as outer:
        count_pass()
        with pytest.raises(ValueError), counted() as inner:
            count_pass()
            raise ValueError
        count_pass()
        other = threading.Thread(target=count_pass)
        other.start()
        other.join()
    count_pass()
    assert (outer.count, inner.count) == (2, 1)


# --- While it runs ---

WAITING = """
import sys
import numpy as np
import gd_regressor
from gd_regressor import GDLinearRegressor
from gd_regressor.textbook import follow
from gd_regressor.textbook.spectrum import Spectrum
from gd_regressor.objective.on_rows import DataLoss

route, calls = sys.argv[1], []
follow.closed_form_pays = lambda *sizes: route == "closed form"
owner, name = (Spectrum, "records") if route == "closed form" else (DataLoss, "value_and_gradient")
method = getattr(owner, name)

def waiting(*args):
    calls.append(args)
    if len(calls) == 5:
        sys.stdin.readline()
    return method(*args)

setattr(owner, name, waiting)
X = np.arange(10.0)[:, None]
GDLinearRegressor(0.01, 40, None, verbose=1).fit(X, X[:, 0])
"""


@pytest.mark.parametrize("route", ["closed form", "walk"])
def test_a_pipe_gets_each_line_while_the_descent_runs(route):
    child = subprocess.Popen(
        [sys.executable, "-c", WAITING, route],
        cwd=HOUSE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    patience = threading.Timer(60, child.kill)
    patience.start()
    try:
        # The descent waits for our word now. Without a flush these lines would wait for its end
        lines = [child.stdout.readline() for _ in range(4)]
        assert [int(LINE.fullmatch(line.rstrip("\n"))[1]) for line in lines] == [0, 1, 2, 3]
        out, err = child.communicate("go on\n", timeout=60)
    finally:
        patience.cancel()
        child.kill()
    assert len(out.splitlines()) == 41 - 4 + 1 and err == ""


def test_an_interrupt_ends_with_the_cost_of_what_was_kept(capsys, route, monkeypatch):
    norms, calls = gd_regressor.estimator.verbose._norms, []

    def interrupted(gradients):
        calls.append(gradients)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return norms(gradients)

    monkeypatch.setattr(gd_regressor.estimator.verbose, "_norms", interrupted)
    model = GDLinearRegressor(0.05, 50, None, verbose=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.status_ is Status.INTERRUPTED and 3 <= model.n_iter_ < 50
    updates, last = printed(capsys)
    assert last[1] == str(model.n_iter_)
    assert [k for k, *_ in updates] == list(range(len(updates))) and len(updates) >= 3
