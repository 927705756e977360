"""Interleaved timing, and one data set's whole table of measurements."""

from __future__ import annotations

import gc
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.competitors import Competitor, competitors
from benchmarks.data import Size, make_data
from benchmarks.memory import peak_extra_memory
from benchmarks.reference import Optimum, find_optimum

# A competitor sits out the rounds left once its fits have taken this long together.
PATIENCE = 20.0

# After a call that may have used BLAS's threads, which wait at full speed for another product some
# 50 ms, all rest: else they take a core from whoever comes next.
THREADED, REST = 0.005, 0.2

# Burns one core, and stops by itself should the benchmark die without stopping it.
BUSY_PROGRAM = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""


@dataclass(frozen=True)
class Measurement:
    """What was seen of one competitor on one data set.

    Attributes
    ----------
    competitor : Competitor
    seconds : tuple of float
        One per round that it ran in.
    excess : float or None
        (F - F*) / V; None where the competitor has no coefficients.
    memory : int or None
        Peak bytes beyond the data; None where the platform does not tell.
    """

    competitor: Competitor
    seconds: tuple[float, ...]
    excess: float | None
    memory: int | None

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Lower and upper quartile of the seconds."""
        return tuple(float(q) for q in np.quantile(self.seconds, [0.25, 0.75]))


def interleave(
    calls: dict[str, Callable[[], Any]], rounds: int, patience: float = math.inf
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Time several calls round robin, so that a disturbance meets all of them alike.

    Every round calls each of them once, except those that have used up the patience, in an order
    of its own: rotating one order would leave everybody the caches, the clock frequency and the
    code in memory of the same neighbour.
    As in `timeit`, the garbage collector waits. After long calls there is a short rest.

    Parameters
    ----------
    calls : dict of str to callable
    rounds : int
    patience : float
        Seconds in all after which a call sits out the rounds left.

    Returns
    -------
    seconds : dict of str to list of float
        One entry per round taken part in, at least one.
    results : dict of str to object
        What each call returned last.
    """
    names = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    results: dict[str, Any] = {}
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings():
            # SGDRegressor may end unconverged; the table shows that as excess loss.
            warnings.simplefilter("ignore")
            orders = np.random.default_rng(0)
            for _ in range(rounds):
                for name in orders.permutation(names).tolist():
                    if sum(seconds[name]) >= patience:
                        continue
                    began = time.perf_counter()
                    results[name] = calls[name]()
                    seconds[name].append(time.perf_counter() - began)
                    if seconds[name][-1] > THREADED:
                        time.sleep(REST)
    finally:
        gc.enable()
    return seconds, results


def measure(
    size: Size,
    rounds: int,
    threads: int | None,
    progress: Callable[[str], None],
    keys: Container[str] | None = None,
) -> list[Measurement]:
    """Measure every competitor on one data set.

    Parameters
    ----------
    size : Size
    rounds : int
    threads : int or None
        The limit in force, for the memory measurement to repeat in its own processes.
    progress : callable
        Is told, in words, what happens now.
    keys : container of str, optional
        Only these competitors, and no memory; by default all, with their memory.

    Returns
    -------
    list of Measurement
        In the order of `competitors`.
    """
    progress(f"{size}: data and reference")
    X, y = make_data(size)
    optimum = find_optimum(X, y)
    everyone = [c for c in competitors(size) if keys is None or c.key in keys]
    progress(f"{size}: {rounds} rounds of {len(everyone)} fits")
    # Untimed, on a few rows: imports on first use and thread pools are nobody's fit.
    head = slice(4 * size.columns + 20)
    interleave({c.key: partial(c.fit, X[head], y[head]) for c in everyone}, 1)
    calls = {c.key: partial(c.fit, X, y) for c in everyone}
    seconds, models = interleave(calls, rounds, PATIENCE)
    excesses = {c.key: _excess(optimum, X, c, models[c.key]) for c in everyone}
    # The memory measurement makes its own data, in processes of their own.
    del X, y
    if keys is None:
        progress(f"{size}: memory")
    return [
        Measurement(
            c,
            tuple(seconds[c.key]),
            excesses[c.key],
            peak_extra_memory(size, c.key, threads) if keys is None else None,
        )
        for c in everyone
    ]


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy with another process as long as the context lasts."""
    process = subprocess.Popen([sys.executable, "-c", BUSY_PROGRAM, str(os.getpid())])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _excess(optimum: Optimum, X: np.ndarray, competitor: Competitor, model: Any) -> float | None:
    if competitor.coefficients is None:
        return None
    return optimum.excess(X, *competitor.coefficients(model))
