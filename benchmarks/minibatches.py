"""``python -m benchmarks.minibatches``: an epoch of mini-batches beside SGDRegressor's."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from sklearn.linear_model import SGDRegressor
from threadpoolctl import threadpool_limits

from benchmarks.markdown import duration, table, verdict
from benchmarks.measure import interleave
from gd_regressor import GDLinearRegressor

ROWS, COLUMNS = 100_000, 50
RATE = 1e-3
EPOCHS = 5  # of a fit; its time is divided by them. The loop makes one
# How many times as fast as each peer an epoch is asked to be. None: not asked, but told
ASKED: dict[int, dict[str, float | None]] = {
    32: {"loop of partial_fit": 15, "SGDRegressor.fit": None},
    256: {"loop of partial_fit": 8, "SGDRegressor.fit": 1.5},
    2048: {"loop of partial_fit": 2.5, "SGDRegressor.fit": 1.5},
}


def data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised columns and a noisy line."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((ROWS, COLUMNS))
    return X, X @ random.standard_normal(COLUMNS) + random.standard_normal(ROWS)


def ours(X: np.ndarray, y: np.ndarray, size: int) -> GDLinearRegressor:
    """Some epochs, with the loss on all rows before and after each."""
    return GDLinearRegressor(RATE, EPOCHS, None, batch_size=size, random_state=0).fit(X, y)


def loop(X: np.ndarray, y: np.ndarray, size: int) -> SGDRegressor:
    """SGDRegressor.partial_fit on the same batches: a permutation, a few rows at a time."""
    model, order = SGDRegressor(learning_rate="constant", eta0=RATE), np.random.default_rng(0)
    where = order.permutation(len(y))
    for k in range(0, len(y), size):
        rows = where[k : k + size]
        model.partial_fit(X[rows], y[rows])
    return model


def own(X: np.ndarray, y: np.ndarray) -> SGDRegressor:
    """SGDRegressor's own epochs, row by row in compiled code."""
    return SGDRegressor(max_iter=EPOCHS, tol=None, learning_rate="constant", eta0=RATE).fit(X, y)


def measure_line(size: int, rounds: int, seeds: tuple[int, ...]) -> list[list[str]]:
    """The lines of one size of batch: the least time of several rounds counts."""
    seconds: dict[str, list[float]] = {}
    for seed in seeds:
        print(f"batches of {size}: seed {seed}", file=sys.stderr, flush=True)
        X, y = data(seed)
        calls: dict[str, Callable[[], Any]] = {
            "ours": partial(ours, X, y, size),
            "loop of partial_fit": partial(loop, X, y, size),
            "SGDRegressor.fit": partial(own, X, y),
        }
        for peer in ASKED[size]:
            calls[f"{peer}, one thread"] = partial(_alone, calls[peer])
        for call, found in interleave(calls, rounds)[0].items():
            each = 1 if call.startswith("loop") else EPOCHS
            seconds.setdefault(call, []).extend(t / each for t in found)
    least = {call: min(found) for call, found in seconds.items()}
    lines = []
    for peer, asked in ASKED[size].items():
        best = min((peer, f"{peer}, one thread"), key=least.__getitem__)
        ratio = least[best] / least["ours"]
        wanted = "-" if asked is None else f"{asked:.3g}"
        met = "-" if asked is None else verdict(ratio >= asked)
        times = duration(least["ours"]), best, duration(least[best]), f"{ratio:.2f}"
        lines.append([f"{size:,}", *times, wanted, met])
    return lines


def _alone(call: Callable[[], Any]) -> Any:
    with threadpool_limits(1, user_api="blas"):
        return call()


def main() -> None:
    """Measure what is asked for, and print or write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.minibatches", description=__doc__)
    parser.add_argument("--only", nargs="+", type=int, choices=[*ASKED])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    lines = []
    for size in options.only or ASKED:
        lines += measure_line(size, options.rounds, tuple(options.seeds))
    header = ["batch", "an epoch of ours", "peer", "its time", "ratio", "asked", "met"]
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn "
    versions += f"{sklearn.__version__}, Python {platform.python_version()}, {os.cpu_count()} CPUs"
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    report = f"# Mini-batches\n\n{ROWS:,} x {COLUMNS}, shuffled. Measured with {versions}; load "
    report += f"{load}. An epoch of ours has the loss on all rows in it, and a share of the check "
    report += "of X.\n\n"
    report += table(header, lines, "rrlrrrc") + "\n"
    if options.output is None:
        print(report, end="")
    else:
        options.output.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
