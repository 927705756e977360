"""After a fit BLAS has the limits that it would have without the fit, whatever happens."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from threadpoolctl import ThreadpoolController, threadpool_limits

from gd_regressor import GDLinearRegressor, gd_path
from gd_regressor.arithmetic import kernels, limits, threads
from gd_regressor.arithmetic.limits import Hold
from gd_regressor.arithmetic.threads import limited, one_blas_thread, summed

# Whether threadpoolctl keeps other threads from setting a limit that one of them holds
KEEPS_OTHERS_OFF = hasattr(threadpoolctl.OpenBLASController, "clear_controlling_thread")
HERE = Path(__file__).parent


class Library:
    """A BLAS with one number of threads for the process, or one for each thread."""

    user_api, internal_api, threading_layer = "blas", "openblas", "pthreads"

    def __init__(self, number, threading_layer="pthreads"):
        self.threading_layer = threading_layer
        self.default, self.own, self.calls = number, {}, 0

    @property
    def key(self):
        return threading.get_ident() if self.threading_layer == "openmp" else None

    @property
    def num_threads(self):
        return self.own.get(self.key, self.default)

    def set_num_threads(self, number):
        self.calls += 1
        self.own[self.key] = number


@pytest.fixture
def libraries(monkeypatch):
    """Two libraries with 8 and 4 threads, each for the whole process."""
    found = [Library(8), Library(4)]
    monkeypatch.setattr(kernels, "libraries", lambda: found)
    monkeypatch.setattr(limits, "PROCESSORS", 6)
    return found


@pytest.fixture
def blas():
    """The libraries of this process, with at least two threads; restored after the test."""
    found = [lib for lib in ThreadpoolController().select(user_api="blas").lib_controllers]
    if any(lib.internal_api != "openblas" or lib.threading_layer != "pthreads" for lib in found):
        pytest.skip("a BLAS whose threads have a limit each")
    before = [lib.num_threads for lib in found]
    set_all(found, [4] * len(found))
    yield found
    set_all(found, before)


def set_all(libraries, numbers):
    for library, number in zip(libraries, numbers, strict=True):
        library.set_num_threads(number)
    limits._let_go()


def numbers(libraries):
    return [library.num_threads for library in libraries]


def come_to_have(libraries, expected):
    """Whether libraries have these numbers, once no limit waits to be restored."""
    for _ in range(2000):
        if not limits._changes:
            return numbers(libraries) == expected
        time.sleep(0.005)
    return False


# --- One look for the libraries ---


@pytest.mark.parametrize(
    ("architectures", "wide"),
    [(["SkylakeX"], True), (["Haswell", "zen4"], True), (["Haswell"], False), ([None], False)],
)
def test_limits_and_costs_ask_the_same_libraries(libraries, architectures, wide):
    """What was found in one process, or in one test, is not remembered for another."""
    libraries[:] = [Library(4) for _ in architectures]
    for library, name in zip(libraries, architectures, strict=True):
        if name is not None:  # as in a BLAS that does not tell
            library.architecture = name
    assert kernels.has_wide_kernels() is wide
    with one_blas_thread():
        assert numbers(libraries) == [1] * len(libraries)


# --- One thread ---


def test_one_thread_while_held_and_what_it_was_afterwards(libraries):
    with one_blas_thread() as pool:
        assert numbers(libraries) == [1, 1]
        assert pool.size == 5  # as many as the processors, with the calling one
        with one_blas_thread() as inner:
            assert inner.size == 5
        assert numbers(libraries) == [1, 1]
    assert numbers(libraries) == [8, 4]


def test_nothing_is_set_where_there_is_one_thread_already(libraries):
    set_all(libraries, [1, 1])
    calls = [library.calls for library in libraries]
    with one_blas_thread() as pool:
        assert pool is None
    assert [library.calls for library in libraries] == calls


def test_a_limit_that_ends_during_the_fit_stays_ended(libraries):
    """We do not take another's limit of one for the number of the process."""
    set_all(libraries, [1, 1])

    def work(_):
        set_all(libraries, [8, 4])  # the other's limit ends
        assert summed(range(3), lambda part: [part], list.__add__) == [0, 1, 2]

    limited(work)
    assert numbers(libraries) == [8, 4]


def test_a_number_that_somebody_sets_during_the_fit_stays(libraries):
    limited(lambda _: libraries[0].set_num_threads(3))
    assert numbers(libraries) == [3, 4]


def test_end_may_be_called_at_any_time_and_any_number_of_times(libraries):
    hold, other = Hold(), Hold()
    hold.end()
    other.begin()
    hold.begin()
    hold.end()
    hold.end()
    assert numbers(libraries) == [1, 1]
    other.end()
    assert numbers(libraries) == [8, 4]
    hold.end()
    assert numbers(libraries) == [8, 4] and not limits._changes and not limits._holds


@pytest.mark.parametrize("at", range(1, 7))
def test_an_interrupt_at_any_call_of_a_library_is_mended(libraries, monkeypatch, at):
    """The interrupt comes before or after a library sets or restores a limit."""
    for late in (False, True):
        count, real = iter(range(1, 100)), Library.set_num_threads

        def cut(self, number, *, late=late, count=count, real=real):
            if next(count) == at:
                if late:
                    real(self, number)
                raise KeyboardInterrupt
            real(self, number)

        with monkeypatch.context() as patch:
            patch.setattr(Library, "set_num_threads", cut)
            try:
                limited(lambda _: None)
            except KeyboardInterrupt:
                assert at <= 4  # two limits set, two restored
        assert numbers(libraries) == [8, 4] and not limits._changes and not limits._holds


def test_threads_with_limits_of_their_own_leave_each_other_alone(monkeypatch):
    """OpenBLAS on OpenMP, MKL: a fit changes the number of its thread alone."""
    library = Library(4, "openmp")
    monkeypatch.setattr(kernels, "libraries", lambda: [library])
    monkeypatch.setattr(limits, "PROCESSORS", 4)
    held, done = threading.Event(), threading.Event()
    seen = {}

    def other():
        with one_blas_thread() as pool:
            seen["size"] = pool.size
            held.set()
            done.wait()
        seen["after"] = library.num_threads

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    assert library.num_threads == 4
    with one_blas_thread() as pool:
        assert library.num_threads == 1 and pool.size == 3
    assert library.num_threads == 4  # though the other thread still holds its own
    done.set()
    thread.join()
    assert seen == {"size": 3, "after": 4}


def test_helpers_have_one_thread_each_where_limits_are_threads_own(monkeypatch):
    library = Library(3, "openmp")
    monkeypatch.setattr(kernels, "libraries", lambda: [library])
    monkeypatch.setattr(limits, "PROCESSORS", 3)
    monkeypatch.setattr(threads, "_team", threads._Team())
    used = summed(range(60), lambda part: [library.num_threads], list.__add__)
    assert used == [1] * 60
    assert library.num_threads == 3


# --- Several ---


def test_any_order_of_overlapping_fits(libraries):
    """All 90 orders in which three fits begin and end, each on a thread of its own."""
    orders = {tuple(order) for order in permutations([0, 0, 1, 1, 2, 2])}
    with ThreadPoolExecutor(1) as a, ThreadPoolExecutor(1) as b, ThreadPoolExecutor(1) as c:
        for order in sorted(orders):
            holds, running = {}, set()
            for who in order:
                thread = (a, b, c)[who]
                if who not in holds:
                    holds[who] = thread.submit(Hold).result()
                    thread.submit(holds[who].begin).result()
                    running.add(who)
                else:
                    thread.submit(holds[who].end).result()
                    running.remove(who)
                assert numbers(libraries) == ([1, 1] if running else [8, 4])
    assert len(orders) == 90


def begin_limit(number):
    limiter = threadpool_limits(number, "blas")
    limiter.__enter__()
    return limiter


ORDERS = sorted({tuple(order) for order in permutations(["fit", "fit", "limit", "limit"])})


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_another_threads_limit_in_any_order(blas, order, number):
    """The fit leaves what `threadpool_limits` in another thread would leave without it."""
    if not KEEPS_OTHERS_OFF and order == ("fit", "limit", "fit", "limit"):
        pytest.skip("threadpoolctl before 3.8 does not say who holds a limit")
    hold, limiter = None, None
    with ThreadPoolExecutor(1) as other:
        for who in order:
            if who == "fit" and hold is None:
                hold = Hold()
                hold.begin()
            elif who == "fit":
                hold.end()
            elif limiter is None:
                limiter = other.submit(begin_limit, number).result()
            else:
                other.submit(limiter.__exit__, None, None, None).result()
        assert come_to_have(blas, [4] * len(blas))


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("inside", [True, False])
def test_a_limit_of_the_same_thread_around_the_fit_or_during_it(blas, number, inside):
    if inside:
        with threadpool_limits(number, "blas"):
            limited(lambda _: None)
            assert numbers(blas) == [number] * len(blas)
    else:

        def work(_):
            with threadpool_limits(number, "blas"):
                assert numbers(blas) == [number] * len(blas)

        limited(work)
    assert numbers(blas) == [4] * len(blas)


def test_other_threads_may_set_limits_after_a_fit(blas):
    """threadpoolctl ignores all threads but the last one to set a limit, so we let go of it."""
    limited(lambda _: None)
    with ThreadPoolExecutor(1) as other:
        limiter = other.submit(begin_limit, 2).result()
        assert numbers(blas) == [2] * len(blas)
        other.submit(limiter.__exit__, None, None, None).result()
    assert numbers(blas) == [4] * len(blas)


@pytest.mark.skipif(not KEEPS_OTHERS_OFF, reason="threadpoolctl before 3.8 refuses nobody")
def test_where_another_thread_refuses_the_limit_the_fit_goes_on_without_helpers(blas):
    with ThreadPoolExecutor(1) as other:
        limiter = other.submit(begin_limit, 3).result()
        with one_blas_thread() as pool:
            assert pool is None
            assert numbers(blas) == [3] * len(blas)
            assert summed(range(9), lambda part: [part], list.__add__) == list(range(9))
        other.submit(limiter.__exit__, None, None, None).result()
    assert numbers(blas) == [4] * len(blas) and not limits._changes


# --- What cannot be mended, as documented ---


def test_a_limit_of_one_set_to_stay_during_a_fit_is_lost(blas):
    """Nothing tells it from a limit that ends, so we restore what the fit found."""
    with one_blas_thread(), ThreadPoolExecutor(1) as other:
        other.submit(threadpool_limits, 1, "blas").result()
    assert come_to_have(blas, [4] * len(blas))


def test_a_limit_that_nobody_sees_outlives_the_fit_and_leaves_one_thread(libraries):
    """Before threadpoolctl 3.8 the other's limit restores the one thread that it found."""
    hold = Hold()
    hold.begin()
    found = numbers(libraries)  # another thread's limit begins
    hold.end()
    assert numbers(libraries) == [8, 4]
    set_all(libraries, found)  # and ends
    limited(lambda _: None)
    assert numbers(libraries) == [1, 1]


@pytest.mark.skipif(not KEEPS_OTHERS_OFF, reason="threadpoolctl before 3.8 refuses nobody")
def test_two_limits_that_cross_around_a_fit_leave_the_one_of_the_fit(blas):
    """Without a fit two such limits would leave the limit of the first."""
    left = {}
    for has_fit in (False, True):
        with ThreadPoolExecutor(1) as other:
            around = begin_limit(2)
            hold = Hold()
            if has_fit:
                hold.begin()
            limiter = other.submit(begin_limit, 1).result()
            hold.end()
            around.__exit__(None, None, None)
            other.submit(limiter.__exit__, None, None, None).result()
        left[has_fit] = numbers(blas)
        set_all(blas, [4] * len(blas))
    assert left == {False: [2] * len(blas), True: [1] * len(blas)}


# --- Fits ---


SLEEPING = """
import os, time
import numpy as np
from gd_regressor import GDLinearRegressor
from pathlib import Path

X = np.random.default_rng(0).standard_normal(({n}, {d}))
y = X @ np.arange({d}) + X[:, 0] ** 2
model = GDLinearRegressor({options})
model.fit(X, y)

def slices():  # how often each thread but this one has been given a processor
    rest = [t for t in Path("/proc/self/task").iterdir() if t.name != str(os.getpid())]
    return [(t / "schedstat").read_text().split()[2] for t in rest]

for _ in range(50):  # until those of OpenBLAS are asleep
    before = slices()
    time.sleep(0.2)
    if slices() == before:
        break
model.fit(X, y)
assert slices() == before, "they were woken"
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc to see threads in")
@pytest.mark.parametrize(
    "n, d, options",
    [
        (5, 1, "learning_rate=0.01, tol=None"),
        (400, 10, "learning_rate=0.01, tol=None"),
        (400, 10, ""),
        (60, 60, ""),
    ],
)
def test_no_product_of_a_small_table_wakes_the_threads_of_blas(n, d, options):
    """BLAS's threads would wait for each other if another process holds a core."""
    script = SLEEPING.format(n=n, d=d, options=options)
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=120)


def test_gd_path_and_streams_restore_limits(blas):
    X = np.random.default_rng(0).standard_normal((50, 3))
    y = X.sum(axis=1)
    gd_path(X, y, learning_rate=0.1, n_iter=5)
    model = GDLinearRegressor().partial_fit(X, y).partial_fit(X, y)
    GDLinearRegressor(learning_rate=0.1).fit(X, y)
    assert numbers(blas) == [4] * len(blas)
    np.testing.assert_allclose(model.coef_, 1)


FORKED = """
import os, signal, threading
from gd_regressor.arithmetic.cached import cached_property

begun, end = threading.Event(), threading.Event()

class Table:
    waits = False

    @cached_property
    def sums(self):
        if self.waits:
            begun.set()
            end.wait()
        return [1]

slow = Table()
slow.waits = True
other = threading.Thread(target=lambda: slow.sums)
other.start()
begun.wait()
child = os.fork()
if not child:
    signal.alarm(20)
    table = Table()
    os._exit(0 if table.sums == [1] and table.sums is table.sums else 1)
status = os.waitpid(child, 0)[1]
end.set()
other.join()
assert status == 0, f"the child ended with {status}"
assert Table.sums.__class__ is cached_property
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_need_not_wait_for_what_another_thread_was_working_out():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=True, timeout=120)


@pytest.mark.parametrize("what", ["everywhere", "moments", "forks", "kmeans"])
def test_around_a_fit(what):
    """A failure may hang, so it runs in a process of its own."""
    if what in ("moments", "forks") and not hasattr(os, "fork"):
        pytest.skip("no signals and forks of this kind")
    if what == "kmeans" and not KEEPS_OTHERS_OFF:
        pytest.skip("threadpoolctl before 3.8 does not say who holds a limit")
    command = [sys.executable, "-W", "ignore", str(HERE / "around.py"), what]
    ended = subprocess.run(command, timeout=300, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
