"""``python -m benchmarks.minibatches``: epochs of mini-batches, and a rate that picks itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.beside import both_ways, deliver, environment, faster
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


# "auto" in mini-batches: condition numbers, and how near to the minimum an epoch is asked to come
CONDITIONS, NEAR = (10, 1000), 1e-4
NOISE = 0.02  # of the variance of y
AUTO_BATCH = 256
AUTO_EPOCHS, PEER_EPOCHS = (1, 4, 16), (1, 2, 4, 8, 16, 32)


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
        calls: dict[str, Callable[[], Any]] = {"ours": partial(ours, X, y, size)}
        calls |= both_ways("loop of partial_fit", partial(loop, X, y, size))
        calls |= both_ways("SGDRegressor.fit", partial(own, X, y))
        for call, found in interleave(calls, rounds)[0].items():
            each = 1 if call.startswith("loop") else EPOCHS
            seconds.setdefault(call, []).extend(t / each for t in found)
    least = {call: [min(found)] for call, found in seconds.items()}
    mine, lines = least["ours"][0], []
    for peer, asked in ASKED[size].items():
        best, theirs, _ = faster(peer, least)
        ratio = theirs / mine
        wanted = "-" if asked is None else f"{asked:.3g}"
        met = "-" if asked is None else verdict(ratio >= asked)
        times = duration(mine), best, duration(theirs), f"{ratio:.2f}"
        lines.append([f"{size:,}", *times, wanted, met])
    return lines


def conditioned(condition: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotated columns of this condition number, and a noisy line."""
    random = np.random.default_rng(seed)
    q, _ = np.linalg.qr(random.standard_normal((COLUMNS, COLUMNS)))
    deviations = np.geomspace(1, 1 / condition, COLUMNS)
    X = random.standard_normal((ROWS, COLUMNS)) * deviations @ q
    y = X @ random.standard_normal(COLUMNS)
    return X, y + np.sqrt(NOISE) * y.std() * random.standard_normal(ROWS)


def automatic(X: np.ndarray, y: np.ndarray, epochs: int) -> GDLinearRegressor:
    """So many epochs, at a rate that picks itself."""
    return GDLinearRegressor("auto", epochs, None, batch_size=AUTO_BATCH, random_state=0).fit(X, y)


def scaled(X: np.ndarray, y: np.ndarray, **options: Any) -> Any:
    """SGDRegressor behind a scaler."""
    return make_pipeline(StandardScaler(), SGDRegressor(random_state=0, **options)).fit(X, y)


def auto_lines(condition: float, rounds: int, seed: int) -> list[list[str]]:
    """Whole fits: how near, how soon, and how near the peers are by then."""
    print(f"condition {condition:g}: seed {seed}", file=sys.stderr, flush=True)
    X, y = conditioned(condition, seed)
    calls: dict[str, Callable[[], Any]] = {"its own end": partial(scaled, X, y)}
    for k in AUTO_EPOCHS:
        calls[f"ours {k}"] = partial(automatic, X, y, k)
    for k in PEER_EPOCHS:
        calls[f"average {k}"] = partial(scaled, X, y, average=True, tol=None, max_iter=k)
    seconds, models = interleave(calls, rounds)
    least = {call: min(found) for call, found in seconds.items()}
    best = GDLinearRegressor().fit(X, y).loss_curve_[-1]

    def distance(call: str) -> float:
        return float((((y - models[call].predict(X)) ** 2).mean() - best) / y.var())

    lines = []
    for k in AUTO_EPOCHS:
        ours, name = distance(f"ours {k}"), f"ours {k}"
        # The most epochs that the peer makes in as long, and at least one
        within = [j for j in PEER_EPOCHS if least[f"average {j}"] <= least[name]] or [1]
        peer = f"average {within[-1]}"
        met = ours <= distance(peer) and (k > 1 or ours <= NEAR)
        lines.append(
            [
                *(f"{condition:g}", f"{k}", duration(least[name]), f"{ours:.0e}"),
                *(f"{within[-1]}", duration(least[peer]), f"{distance(peer):.0e}"),
                *(duration(least["its own end"]), f"{distance('its own end'):.0e}"),
                verdict(met),
            ]
        )
    return lines


def _auto_report(rounds: int, seed: int) -> str:
    lines = [line for c in CONDITIONS for line in auto_lines(c, rounds, seed)]
    header = ["condition", "epochs", "time", "above the minimum", "SGD average: epochs", "time"]
    header += ["above", "SGD to its own end", "above", "met"]
    text = f'\n`learning_rate="auto", batch_size={AUTO_BATCH}`, {ROWS:,} x {COLUMNS}, beside a '
    text += "StandardScaler with `SGDRegressor(average=True)` after as many seconds, and with "
    text += "`SGDRegressor()`. Above the minimum: in variances of y, of which "
    text += f"{NOISE:.0%} are noise. Asked: {NEAR:g} after an epoch, and no worse than the peer."
    text += "\n\n"
    return text + table(header, lines, "rrrrrrrrrc") + "\n"


def main() -> None:
    """Measure what is asked for, and print or write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.minibatches", description=__doc__)
    parser.add_argument("--only", nargs="+", type=int, choices=[*ASKED])
    parser.add_argument("--auto", action="store_true", help='only learning_rate="auto"')
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    lines = []
    for size in () if options.auto else options.only or ASKED:
        lines += measure_line(size, options.rounds, tuple(options.seeds))
    header = ["batch", "an epoch of ours", "peer", "its time", "ratio", "asked", "met"]
    report = f"# Mini-batches\n\n{ROWS:,} x {COLUMNS}, shuffled. Measured with {environment()}. "
    report += "An epoch of ours has the loss on all rows in it, and a share of the check of X.\n\n"
    if lines:
        report += table(header, lines, "rrlrrrc") + "\n"
    if not options.only:
        report += _auto_report(options.rounds, options.seeds[0])
    deliver(report, options.output)


if __name__ == "__main__":
    main()
