"""``python -m benchmarks.cross_validation``: many candidates on folds, beside one fit and peers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LassoCV, LinearRegression, RidgeCV, SGDRegressor
from sklearn.model_selection import GridSearchCV

from benchmarks.beside import SEEDS, both_ways, deliver, environment, faster
from benchmarks.markdown import duration, table, verdict
from benchmarks.measure import interleave
from gd_regressor import GDLinearRegressorCV

FOLDS = 5
RIDGE_ALPHAS = np.logspace(-6, 3, 10)
# From slow to a fifth of the largest stable rate of these columns
RATES = np.geomspace(1e-3, 0.2, 20)
COUNTS = range(1, 1001)


class Ask(NamedTuple):
    """How many times as fast as a peer ours is asked to be, under the names of the calls."""

    rows: int
    columns: int
    ours: str
    peers: dict[str, float]


ASKED = {
    "ridge": Ask(
        100_000,
        50,
        "10 ridge alphas",
        {"RidgeCV(cv=5)": 50, "RidgeCV (GCV)": 8, "LinearRegression.fit": 3},
    ),
    "descents": Ask(
        100_000,
        50,
        "20 rates x 1,000 counts x 10 alphas",
        {"LinearRegression.fit": 1 / 4},
    ),
    "lasso": Ask(100_000, 50, "100 lasso alphas", {"LassoCV(n_jobs=2)": 3}),
    "wide lasso": Ask(10_000, 500, "100 lasso alphas", {"LassoCV(n_jobs=2)": 1}),
}
PEERS: dict[str, Callable[[], Any]] = {
    "RidgeCV(cv=5)": lambda: RidgeCV(RIDGE_ALPHAS, cv=FOLDS),
    "RidgeCV (GCV)": lambda: RidgeCV(RIDGE_ALPHAS),
    "LinearRegression.fit": LinearRegression,
    "LassoCV(n_jobs=2)": lambda: LassoCV(alphas=100, cv=FOLDS, n_jobs=2),
}


def ours(name: str, rows: int) -> GDLinearRegressorCV:
    """The search of a line."""
    if name == "ridge":
        return GDLinearRegressorCV(alphas=RIDGE_ALPHAS / rows, l1_ratios=[0.0], cv=FOLDS)
    if name == "descents":
        alphas = RIDGE_ALPHAS / rows
        return GDLinearRegressorCV(RATES, COUNTS, alphas, l1_ratios=[0.0], cv=FOLDS)
    return GDLinearRegressorCV(alphas=100, l1_ratios=[1.0], cv=FOLDS)


def data(rows: int, columns: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal columns, of which a tenth matters."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, columns))
    w = random.standard_normal(columns) * (random.random(columns) < 0.1 + 1 / columns)
    return X, X @ w + random.standard_normal(rows)


def measure_line(name: str, rounds: int, seeds: tuple[int, ...]) -> list[list[str]]:
    """The lines of a table: ours beside each peer, whose faster kind of threads counts."""
    ask, seconds = ASKED[name], {}
    for seed in seeds:
        print(f"{name}: seed {seed}", file=sys.stderr, flush=True)
        X, y = data(ask.rows, ask.columns, seed)
        calls: dict[str, Callable[[], Any]] = {"ours": partial(ours(name, ask.rows).fit, X, y)}
        for peer in ask.peers:
            calls |= both_ways(peer, partial(PEERS[peer]().fit, X, y))
        for call, found in interleave(calls, rounds)[0].items():
            seconds.setdefault(call, []).extend(found)
    mine, lines = float(np.median(seconds["ours"])), []
    for peer, asked in ask.peers.items():
        best, theirs, _ = faster(peer, seconds)
        ratio = theirs / mine
        lines.append(
            [
                f"{ask.rows:,} x {ask.columns}",
                f"{ask.ours} x {FOLDS} folds",
                duration(mine),
                best,
                duration(theirs),
                f"{ratio:.2f}",
                f"{asked:.3g}",
                verdict(ratio >= asked),
            ]
        )
    return lines


def measure_candidates(seed: int = 0) -> str:
    """The price of a candidate, beside GridSearchCV over SGDRegressor."""
    ask = ASKED["descents"]
    X, y = data(ask.rows, ask.columns, seed)
    few = GridSearchCV(SGDRegressor(), {"eta0": RATES[:2]}, cv=FOLDS, refit=False)
    calls = {"ours": partial(ours("descents", ask.rows).fit, X, y), "grid": partial(few.fit, X, y)}
    seconds, _ = interleave(calls, 3)
    each = float(np.median(seconds["ours"])) / (len(RATES) * len(COUNTS) * len(RIDGE_ALPHAS))
    other = float(np.median(seconds["grid"])) / 2
    return (
        f"A candidate costs {duration(each)}, one of `GridSearchCV(SGDRegressor())` "
        f"{duration(other)}: {other / each:.2g} times as much."
    )


def main() -> None:
    """Measure what is asked for, and print or write the report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cross_validation", description=__doc__
    )
    parser.add_argument("--only", nargs="+", choices=[*ASKED, "candidates"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    chosen = options.only or [*ASKED, "candidates"]
    lines = []
    for name in [name for name in ASKED if name in chosen]:
        lines += measure_line(name, options.rounds, tuple(options.seeds))
    header = ["data", "candidates", "ours", "peer", "its time", "ratio", "asked", "met"]
    report = f"# Cross-validation\n\nMeasured with {environment()}.\n\n"
    report += table(header, lines, "lllllrrc") + "\n"
    if "candidates" in chosen:
        report += "\n" + measure_candidates() + "\n"
    deliver(report, options.output)


if __name__ == "__main__":
    main()
