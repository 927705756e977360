"""Interrupts, forks and other limits around a fit. It runs in a process of its own, which may hang.

    python around.py everywhere|moments|forks|kmeans

At first each BLAS has two threads, however many processors there are. Whatever happens, each BLAS
must have two threads in the end, and later fits must end.
"""

import os
import signal
import sys
import threading
import time

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import OpenBLASController, ThreadpoolController

import gd_regressor.regressor
from gd_regressor import GDLinearRegressor
from gd_regressor.arithmetic import limits, threads

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120_000, 10))
Y = X @ np.arange(10.0) + RNG.standard_normal(len(X))
LIBRARIES = ThreadpoolController().select(user_api="blas").lib_controllers
# The rooms in which limits are held, and the doors to them
ROOMS = {threads.__file__, limits.__file__}
DOOR = gd_regressor.regressor.__file__


def numbers():
    return [library.num_threads for library in LIBRARIES]


limits.PROCESSORS = 2
for library in LIBRARIES:
    library.set_num_threads(2)
getattr(OpenBLASController, "clear_controlling_thread", lambda: None)()
BEFORE = numbers()


def fit(n=None):
    return GDLinearRegressor().fit(X[:n], Y[:n])


def check(when, patience=0.0):
    """Exit with an error unless limits are as before the fit, after `patience` seconds at most."""
    deadline = time.monotonic() + patience
    while numbers() != BEFORE and time.monotonic() < deadline:
        time.sleep(0.001)
    if numbers() != BEFORE:
        sys.exit(f"limits of {numbers()}, not {BEFORE}, {when}")


class Interrupt:
    """A KeyboardInterrupt before the n-th bytecode of the main thread in these rooms."""

    def __init__(self, n):
        self.left, self.where = n, None

    def __call__(self, frame, event, _):
        code = frame.f_code
        if code.co_filename not in ROOMS and (code.co_filename, code.co_name) != (DOOR, "_learn"):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                self.where = f"{code.co_name}, line {frame.f_lineno}, bytecode {frame.f_lasti}"
                raise KeyboardInterrupt
        return self


def interrupted(n, work):
    """Interrupt `work` before its n-th bytecode, and say where; None if it has fewer."""
    interrupt = Interrupt(n)
    try:
        sys.settrace(interrupt)
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return interrupt.where


def everywhere():
    """Interrupts at every bytecode of a sum and of a small fit, and along a large one."""

    def add():
        threads.summed(range(7), lambda part: np.full(3, part), np.add)

    seen = set()
    for work, step in ((add, 1), (lambda: fit(1000), 1), (fit, 31)):
        for n in range(1, 1_000_000, step):
            where = interrupted(n, work)
            if where is None:
                break
            seen.add(where)
            check(f"after an interrupt in {where}")
            add()
        fit()
    print(len(seen), "places")


def moments():
    """500 interrupts at random moments."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    fit()
    begin = time.perf_counter()
    for _ in range(5):
        fit()
    took, caught = (time.perf_counter() - begin) / 5, 0
    for n in range(500):
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, max(RNG.random() * 1.2 * took, 1e-5))
                fit()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            caught += 1
        check(f"after interrupt {n}")
    fit()
    print(caught, "interrupts")


def forks():
    """40 children of a process in which another thread fits; each of them fits."""
    stop = threading.Event()

    def fits():
        while not stop.is_set():
            fit()

    other = threading.Thread(target=fits)
    other.start()
    hung = 0
    for _ in range(40):
        time.sleep(RNG.random() * 0.02)
        child = os.fork()
        if not child:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            check("in a child, before its fit")
            fit()
            check("in a child, after its fit")
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        hung += os.WIFSIGNALED(status)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            stop.set()
            sys.exit("a child found limits")
    stop.set()
    other.join()
    check("after the forks")
    sys.exit(f"{hung} children hung" if hung else None)


def kmeans():
    """15 fits that overlap with KMeans, which limits BLAS to one thread."""
    Z = RNG.standard_normal((20_000, 10))
    for seed in range(15):
        model = KMeans(8, n_init=1, max_iter=10, random_state=seed)
        other = threading.Thread(target=model.fit, args=(Z,))
        other.start()
        time.sleep(RNG.random() * 0.02)
        fit()
        other.join()
        check(f"after overlap {seed}", patience=10)


if __name__ == "__main__":
    {"everywhere": everywhere, "moments": moments, "forks": forks, "kmeans": kmeans}[sys.argv[1]]()
