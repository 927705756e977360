"""verbose: what is printed while a descent runs, and what it cost in the end."""

import errno
import io
import multiprocessing
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import gd_regressor
from gd_regressor import GDLinearRegressor, Status, gd_path
from gd_regressor.auto.follow import follow_auto
from gd_regressor.data.passes import count_rows, counted
from gd_regressor.data.table import Rows
from gd_regressor.descent.momentum import HeavyBall
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Request
from gd_regressor.descent.schedules import InverseRate
from gd_regressor.descent.steps import ConstantStep, ScheduledStep
from gd_regressor.estimator import progress
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.robust.cut import Cut
from gd_regressor.robust.globs import least
from gd_regressor.robust.pinball import Pinball
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
    "schedule": ScheduledStep(InverseRate(0.05, 0.5), HeavyBall(0.0)),
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
@pytest.mark.parametrize("rung", ["moments", "sketch", "qr", "dual"])
def test_the_gradient_of_auto_is_that_in_raw_coordinates(rung, fit_intercept):
    many = D - 1 if rung == "dual" else N
    columns, targets, spy = X[:many], Y[:many], Spy()
    w, b = np.ones((D, 2)), fit_intercept * np.array([3.0, -1.0])
    request = Request(fit_intercept, 5, 1e-9 if rung == "sketch" else None)
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
    # The Hessian, means and deviations of the columns, the start, and each update
    assert last.groups()[:2] == ("30", "33")
    assert last[3].startswith("at least ")


@pytest.mark.parametrize("n_iter", [1, 2000])
def test_the_closed_form_costs_the_same_few_passes_for_any_number(n_iter, capsys):
    model = GDLinearRegressor(0.05, n_iter, None, verbose=10_000).fit(X, y)
    _, last = printed(capsys)
    assert last[1] == f"{n_iter:,}" and 1 <= int(last[2]) <= 3
    table = np.column_stack([X, np.ones(N)])
    minimum = np.mean((y - table @ np.linalg.lstsq(table, y)[0]) ** 2)
    above = model.loss_curve_[-1] - minimum
    told = re.fullmatch(r"(\S+) above its minimum \((\S+) (% of|times) .+\)", last[3])
    gap, share, unit = told.groups()
    assert float(gap) == pytest.approx(above, rel=1e-3)
    share = float(share) / 100 if unit == "% of" else float(share)
    assert share == pytest.approx(above / y.var(), rel=1e-2)


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
        count_rows(3)
        with pytest.raises(ValueError), counted() as inner:
            count_rows(4)
            raise ValueError
        count_rows(2)
        other = threading.Thread(target=count_rows, args=(8,))
        other.start()
        other.join()
    count_rows(9)
    assert (outer.over(10), inner.over(10)) == (0.5, 0.4)


def test_a_pass_over_a_sample_counts_by_its_share(monkeypatch, capsys):
    """Huber's steps begin on a sample. We note the tables that have columns, wherever it reads."""
    random, read, total = np.random.default_rng(0), [], Rows.total

    def noting(rows, *given, **how):
        read.append(rows.n_rows if rows.n_columns else 0)
        return total(rows, *given, **how)

    monkeypatch.setattr(Rows, "total", noting)
    X = random.standard_normal((20_000, 2))
    target = X[:, 0] + random.standard_t(2, 20_000)
    GDLinearRegressor(loss="huber", verbose=1).fit(X, target)
    told = re.search(r"([\d.]+) passes over the rows", capsys.readouterr().out)
    assert min(filter(None, read)) < 10_000  # there was a sample
    assert float(told[1]) == pytest.approx(sum(read) / 20_000, abs=0.05)
    assert sum(read) / 20_000 < len(list(filter(None, read))) - 2


def test_the_look_at_rows_far_out_counts_these_rows_alone():
    target = np.where(np.arange(N) < 4, 1e9, y)[:, None]
    cut = Cut(np.zeros(1), np.array([1e6]))
    with counted() as passes:
        assert cut.holds(Rows(X, target), np.ones((D, 1)), np.zeros(1), 1.0).all()
    assert passes.over(N) == 4 / N


class Watched(np.ndarray):
    """Columns that note each arithmetic with all of their rows."""

    n_read = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        Watched.n_read += sum(isinstance(one, Watched) and N in one.shape for one in inputs)
        plain = [one.view(np.ndarray) if isinstance(one, Watched) else one for one in inputs]
        return getattr(ufunc, method)(*plain, **options)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_each_product_with_the_rows_of_a_quantile_is_a_pass(ridge, monkeypatch):
    monkeypatch.setattr(Watched, "n_read", 0)
    ends = np.full(N, -0.3 / N), np.full(N, 0.7 / N)
    problem = Pinball(X.view(Watched), y, *ends, np.zeros(D), np.full(D, ridge))
    with counted() as passes:
        assert least(problem).d is not None
    assert passes.over(N) == Watched.n_read > 20


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
        child.stdin.write("go on\n")
        child.stdin.close()
        assert len(child.stdout.readlines()) == 41 - 4 + 1
        assert child.stderr.read() == ""
    finally:
        patience.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


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


# --- The bar ---

HIDDEN, SHOWN, WIPED = b"\x1b[?25l", b"\x1b[?25h", b"\x1b[2K"  # what a terminal is told
DRAWN = re.compile(rb"update ([\d,]+) of (?:at most )?30 ")


class Terminal:
    """A pseudo-terminal: `file` writes to it, and what it shows is read until it is closed."""

    def __init__(self):
        self._master, slave = os.openpty()
        self.file = os.fdopen(slave, "w", encoding="utf-8")
        self._read = []
        self._reader = threading.Thread(target=self._follow)
        self._reader.start()

    def as_stderr(self):
        """For a block of the test: pytest sets its own streams when the fixtures are made."""
        return redirect_stderr(self.file)

    def _follow(self):
        try:
            while data := os.read(self._master, 4096):
                self._read.append(data)
        except OSError:  # Linux says so where nobody holds the other end
            pass

    def close(self):
        self.file.close()
        self._reader.join()
        os.close(self._master)
        return b"".join(self._read)


@pytest.fixture
def terminal(monkeypatch):
    """A terminal to write to, and a bar that is drawn at once and at each update."""
    made = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "BETWEEN", 0.0)
    yield made
    if not made.file.closed:
        made.close()


def walked(verbose=10, tol=None):
    return GDLinearRegressor(0.05, 30, tol, verbose=verbose).fit(X, y)


def assert_restored(seen):
    """The cursor is there again, and the bar is not."""
    assert seen.count(SHOWN) >= seen.count(HIDDEN) > 0
    assert seen.rfind(SHOWN) > seen.rfind(HIDDEN)
    assert not DRAWN.search(seen[seen.rfind(WIPED) :])


def test_a_walk_draws_a_bar_on_a_terminal_and_wipes_it(terminal, route, capsys):
    with terminal.as_stderr():
        walked()
    seen = terminal.close()
    moved = [int(k) for k in DRAWN.findall(seen)]
    assert moved == sorted(moved) and moved[-1] == 30
    assert len(set(moved)) == 31 or route == "closed form"
    assert_restored(seen)
    updates, _ = printed(capsys)
    assert [k for k, *_ in updates] == [0, 10, 20, 30]


@pytest.mark.parametrize("tol, words", [(None, b" of 30 "), (1e-12, b" of at most 30 ")])
def test_only_a_descent_that_may_stop_before_has_at_most_so_many_updates(terminal, tol, words):
    with terminal.as_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 30 updates are too few for this tol
        walked(tol=tol)
    assert {match[0][match[0].index(b" of ") :] for match in DRAWN.finditer(terminal.close())} == {
        words
    }


def test_lines_and_bar_do_not_share_a_line(monkeypatch):
    """Where both streams are the terminal, a line begins where the bar was wiped."""
    both = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "BETWEEN", 0.0)
    monkeypatch.setattr(gd_regressor.textbook.follow, "closed_form_pays", lambda *sizes: False)
    with both.as_stderr(), redirect_stdout(both.file):
        walked()
    seen = both.close()
    before = [seen[: match.start()][-4:] for match in re.finditer(rb"update +\d+  loss", seen)]
    assert len(before) == 4
    assert all(text.endswith((WIPED, b"\r\n")) for text in before[1:])


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_the_cursor_comes_back_after_an_interrupt_or_an_error(terminal, stop, monkeypatch):
    monkeypatch.setattr(gd_regressor.textbook.follow, "closed_form_pays", lambda *sizes: False)
    method, calls = DataLoss.value_and_gradient, []

    def stopped(*args):
        calls.append(args)
        if len(calls) == 10:
            raise stop
        return method(*args)

    monkeypatch.setattr(DataLoss, "value_and_gradient", stopped)
    with pytest.raises(stop), terminal.as_stderr():
        walked()
    seen = terminal.close()
    assert DRAWN.search(seen)
    assert_restored(seen)


def nothing_is_drawn(terminal, fit=walked):
    with terminal.as_stderr():
        fit()
    return terminal.close() == b""


def test_without_verbose_there_is_no_bar(terminal, route):
    assert nothing_is_drawn(terminal, partial(walked, verbose=0))


def test_without_rich_there_is_no_bar_and_no_error(terminal, route, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert nothing_is_drawn(terminal)


def test_a_dumb_terminal_shows_no_bar(terminal, route, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert nothing_is_drawn(terminal)


def test_a_short_descent_shows_no_bar(terminal, route, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 60.0)
    assert nothing_is_drawn(terminal)


def test_a_thread_draws_no_bar(terminal, route):
    def in_thread():
        thread = threading.Thread(target=walked)
        thread.start()
        thread.join()

    assert nothing_is_drawn(terminal, in_thread)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_draws_no_bar(terminal):
    child = multiprocessing.get_context("fork").Process(target=walked)

    def in_child():
        child.start()
        child.join()

    assert nothing_is_drawn(terminal, in_child)
    assert child.exitcode == 0


def test_no_bar_is_drawn_in_a_pipe_or_where_there_is_no_stream(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    walked()
    assert capsys.readouterr().err == ""
    for stream in (None, object()):
        with redirect_stderr(stream):
            walked()


class Leaving(io.StringIO):
    """A terminal that takes a number of writes and is then hung up, as by a lost connection."""

    def __init__(self, writes):
        super().__init__()
        self.left = writes

    def isatty(self):
        return True

    def write(self, text):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(text)


@pytest.mark.parametrize("writes", range(0, 12, 3))
@pytest.mark.usefixtures("terminal")
def test_a_terminal_that_goes_away_does_not_stop_the_fit(writes, route):
    leaving = Leaving(writes)
    with redirect_stderr(leaving):
        assert walked().n_iter_ == 30
    assert leaving.left < 0


SLOW = """
import time
import numpy as np
from gd_regressor import GDLinearRegressor
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.textbook import follow

follow.closed_form_pays = lambda *sizes: False
method = DataLoss.value_and_gradient

def slow(*args):
    time.sleep(0.05)
    return method(*args)

DataLoss.value_and_gradient = slow
X = np.arange(10.0)[:, None]
model = GDLinearRegressor(0.01, 30_000, None, verbose=10_000)
try:
    model.fit(X, X[:, 0])
except KeyboardInterrupt:
    print("kept", model.n_iter_, model.status_.name)
"""


def test_a_key_stops_a_long_walk_two_seconds_after_which_its_bar_came():
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(HOUSE)
        os.execve(sys.executable, [sys.executable, "-c", SLOW], os.environ | {"TERM": "xterm"})
    seen, began, stopped = b"", None, False
    patience = threading.Timer(120, os.kill, (pid, signal.SIGKILL))
    patience.start()
    try:
        while data := os.read(master, 4096):
            seen += data
            if began is None and b"loss" in seen:
                began = time.monotonic()
            if not stopped and b"of 30,000" in seen:
                assert time.monotonic() - began > progress.PATIENCE - 0.5
                os.write(master, b"\x03")  # Ctrl-C
                stopped = True
    except OSError:
        pass
    finally:
        patience.cancel()
        os.waitpid(pid, 0)
        os.close(master)
    assert stopped and seen.rfind(SHOWN) > seen.rfind(HIDDEN) > 0
    n_iter = int(re.search(rb"kept (\d+) INTERRUPTED", seen)[1])
    assert f"{n_iter:,} updates, ".encode() in seen
