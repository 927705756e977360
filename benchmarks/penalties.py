"""The command ``python -m benchmarks.penalties``: L1 penalties beside those who are known for them.

Each peer runs with BLAS's threads as they are and at one thread, and the faster counts: on some
tables BLAS's threads make a coordinate descent several times slower. Its tolerance is the loosest
power of ten that reaches the duality gap asked for, chosen on other data than those reported.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression

from benchmarks.beside import Job, both_ways, faster, measured, on_one_thread
from benchmarks.data import Size
from benchmarks.markdown import duration, excess, verdict
from benchmarks.measure import interleave
from gd_regressor import GDLinearRegressor, elastic_net_path

try:
    import celer
except ImportError:
    celer = None
try:
    import skglm
except ImportError:
    skglm = None
try:
    import adelie
except ImportError:
    adelie = None

# The data on which settings are chosen
OTHER_SEED = 100
# Tolerances to choose from
TOLERANCES = tuple(10.0**-k for k in range(4, 15))
# A fit that takes longer than this many seconds is not repeated for a better tolerance
LONGEST = 60.0
# Columns with true coefficients, and the deviation of the signal in units of the noise
TRUE, SIGNAL = 100, 3.0

# The path: its data, its strengths, and how many times faster we are to be
PATH_SIZE, PATH_LENGTH, PATH_END = Size(500, 20_000), 50, 1 / 20
PATH_WORDS = f"{PATH_SIZE}, a path of {PATH_LENGTH} alphas to {PATH_END:g}"
PATH_ASKED = {"celer": 1.0, "adelie": 0.6}

Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One row of the table: a size, a penalty, and how many times faster we are to be."""

    size: Size
    share: float  # of the least alpha that leaves no coefficient
    gap: float  # twice the duality gap, in units of y's variance
    asked: dict[str, float]  # peer -> ratio
    order: str = "C"
    positive: bool = False


def _cases() -> list[Case]:
    tall, long = Size(100_000, 100), Size(1_000_000, 10)
    many = (Size(500, 20_000), Size(2_000, 10_000))
    square = Size(10_000, 1_000)
    of_tall = {"ElasticNet": 1.3, "celer": 1.5, "skglm": 1.8}
    of_long = {"ElasticNet": 15, "ElasticNet, precompute": 3, "celer": 10, "adelie": 5}
    of_many = {"ElasticNet": 5, "celer": 2.5, "skglm": 2.5, "adelie": 2}
    return [
        *(Case(tall, share, 1e-8, of_tall) for share in (0.1, 0.01)),
        *(Case(long, share, 1e-8, of_long) for share in (0.1, 0.01)),
        Case(square, 0.1, 1e-8, {"ElasticNet": 3, "celer": 2.5}),
        Case(square, 0.01, 1e-4, {"ElasticNet": 1}),
        Case(square, 0.01, 1e-12, {"ElasticNet": 1.3}),
        Case(square, 0.01, 1e-8, {"celer": 1.3}),
        *(Case(size, 0.1, 1e-8, of_many) for size in many),
        Case(many[0], 0.01, 1e-4, {"celer": 1, "skglm": 1}),
        Case(many[0], 0.01, 1e-8, {"celer": 1.2, "skglm": 1.2}),
        Case(tall, 0.1, 1e-8, {"adelie": 0.7}, order="F"),
        Case(tall, 0.0, 1e-8, {"LinearRegression": 5}, positive=True),
        Case(tall, 0.1, 1e-8, {"Lasso": 5}, positive=True),
        Case(square, 0.0, 1e-8, {"LinearRegression": 3}, positive=True),
        Case(square, 0.1, 1e-8, {"Lasso": 1}, positive=True),
    ]


def make_data(size: Size, seed: int, order: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw normal columns, of which few matter, and a target with an intercept."""
    rng = np.random.default_rng([*size, seed])
    X = rng.standard_normal(size)
    true = np.zeros(size.columns)
    count = min(TRUE, size.columns // 10 + 1, size.rows // 10)
    true[rng.choice(size.columns, count, replace=False)] = rng.standard_normal(count)
    signal = X @ true
    y = signal + rng.standard_normal(size.rows) * signal.std() / SIGNAL + 3.0
    return np.asarray(X, order=order), y


def largest_alpha(X: np.ndarray, y: np.ndarray) -> float:
    """The least alpha of a lasso that leaves no coefficient."""
    return float(np.abs((y - y.mean()) @ X).max() / len(y))


def gap_of(X: np.ndarray, y: np.ndarray, w: np.ndarray, alpha: float, positive: bool) -> float:
    """Twice a lasso's duality gap at `w` and the best intercept, in units of y's variance."""
    r = y - X @ w
    r -= r.mean()
    v = r @ X / len(y)
    if positive and alpha == 0:  # the distance is what the coefficients with v > 0 would gain
        on = np.flatnonzero((v > 0) | (w > 0))
        x = X[:, on] - X[:, on].mean(axis=0)
        gain = np.linalg.lstsq(x.T @ x / len(y), v[on], rcond=None)[0]
        return float(max(v[on] @ gain, 0.0) / y.var())
    size = np.maximum(v, 0.0) if positive else np.abs(v)
    share = min(1.0, alpha / size.max())
    gap = (1 - share) ** 2 / 2 * (r @ r) / len(y) + np.sum(alpha * np.abs(w) - share * w * v)
    return float(2 * gap / y.var())


def ours(alpha: float, tol: float, positive: bool) -> Fit:
    """Fit GDLinearRegressor, as a user calls it."""
    model = GDLinearRegressor(
        learning_rate="auto", alpha=alpha, l1_ratio=1.0, tol=tol, positive=positive
    )
    return lambda X, y: model.fit(X, y).coef_


def peers(alpha: float, positive: bool) -> dict[str, Callable[[float], Fit] | None]:
    """The peers by name: tol -> fit, as a user calls them. None is not installed."""
    options: dict[str, Any] = {"max_iter": 100_000, "positive": positive}
    found: dict[str, Callable[[float], Any]] = {
        "ElasticNet": lambda tol: ElasticNet(alpha=alpha, l1_ratio=1.0, tol=tol, **options),
        "ElasticNet, precompute": lambda tol: ElasticNet(
            alpha=alpha, l1_ratio=1.0, tol=tol, precompute=True, **options
        ),
        "Lasso": lambda tol: Lasso(alpha=alpha, tol=tol, **options),
        "LinearRegression": lambda tol: LinearRegression(positive=True),
    }
    options = {"max_iter": 1000, "positive": positive}
    if celer is not None:
        found["celer"] = lambda tol: celer.Lasso(alpha=alpha, tol=tol, **options)
    if skglm is not None:
        found["skglm"] = lambda tol: skglm.Lasso(alpha=alpha, tol=tol, **options)
    all_of_them: dict[str, Callable[[float], Fit] | None] = dict.fromkeys(("celer", "skglm"))
    for name, make in found.items():
        all_of_them[name] = lambda tol, make=make: lambda X, y: make(tol).fit(X, y).coef_
    all_of_them["adelie"] = None if adelie is None else partial(_adelie, alpha)
    return all_of_them


def _adelie(alpha: float, tol: float) -> Fit:
    def fit(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        state = adelie.grpnet(
            X=np.asfortranarray(X),
            glm=adelie.glm.gaussian(y=y),
            groups=np.arange(X.shape[1]),
            lmda_path=[alpha],
            tol=tol,
            early_exit=False,
            progress_bar=False,
            n_threads=os.cpu_count() or 1,
        )
        return np.asarray(state.betas[-1].toarray()).ravel()

    return fit


def chosen_tol(case: Case, name: str) -> float:
    """The loosest tolerance with which a peer reaches the gap on the other data."""
    X, y = make_data(case.size, OTHER_SEED, case.order)
    alpha = case.share * largest_alpha(X, y)
    make, tol = peers(alpha, case.positive)[name], TOLERANCES[0]
    for tol in TOLERANCES:
        seconds, coefs = interleave({name: partial(on_one_thread, make(tol), X, y)}, 1)
        reached = gap_of(X, y, np.asarray(coefs[name]).ravel(), alpha, case.positive)
        if reached <= case.gap or seconds[name][0] > LONGEST or name == "LinearRegression":
            break
    return tol


def measure(case: Case, seeds: tuple[int, ...], rounds: int) -> list[list[str]]:
    """The lines of one case, one for each peer."""
    names = [name for name in case.asked if peers(1.0, case.positive)[name] is not None]
    tols = {name: chosen_tol(case, name) for name in names}
    seconds: dict[str, list[float]] = {}
    gaps: dict[str, list[float]] = {}
    for seed in seeds:
        X, y = make_data(case.size, seed, case.order)
        alpha = case.share * largest_alpha(X, y)
        fits = {"ours": partial(ours(alpha, case.gap, case.positive), X, y)}
        for name, tol in tols.items():
            fits |= both_ways(name, partial(peers(alpha, case.positive)[name](tol), X, y))
        interleave(fits, 1)  # untimed: imports and compilers
        taken, coefs = interleave(fits, rounds)
        for key, values in taken.items():
            seconds.setdefault(key, []).append(statistics.median(values))
            w = np.asarray(coefs[key]).ravel()
            gaps.setdefault(key, []).append(gap_of(X, y, w, alpha, case.positive))
    mine = statistics.median(seconds["ours"])
    lines = []
    for name, asked in case.asked.items():
        start = [_words(case), f"{duration(mine)} ({excess(max(gaps['ours']))})", name]
        best = faster(name, seconds)
        if best is None:
            lines.append([*start, "absent", "-", f"{asked:g}", "-"])
            continue
        key, theirs, way = best
        cell = f"{duration(theirs)} ({excess(max(gaps[key]))}, {way})"
        met = theirs >= asked * mine
        lines.append([*start, cell, f"{theirs / mine:.2f}", f"{asked:g}", verdict(met)])
    return lines


def measure_paths(seeds: tuple[int, ...], rounds: int) -> list[list[str]]:
    """A path of strengths on many columns, beside celer's and adelie's, with their own tol."""
    seconds: dict[str, list[float]] = {}
    for seed in seeds:
        X, y = make_data(PATH_SIZE, seed, "C")
        alphas = largest_alpha(X, y) * np.geomspace(1.0, PATH_END, PATH_LENGTH)
        calls = _path_calls(X, y, alphas)
        interleave(calls, 1)
        for key, values in interleave(calls, rounds)[0].items():
            seconds.setdefault(key, []).append(statistics.median(values))
    mine, lines = statistics.median(seconds["ours"]), []
    for name, asked in PATH_ASKED.items():
        start = [PATH_WORDS, duration(mine), name]
        best = faster(name, seconds)
        if best is None:
            lines.append([*start, "absent", "-", f"{asked:g}", "-"])
            continue
        met, theirs = verdict(best[1] >= asked * mine), best[1]
        lines.append([*start, duration(theirs), f"{theirs / mine:.2f}", f"{asked:g}", met])
    return lines


def _path_calls(X: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> dict[str, Callable[[], Any]]:
    calls: dict[str, Callable[[], Any]] = {
        "ours": lambda: elastic_net_path(X, y, l1_ratio=1.0, alphas=alphas)
    }

    def by_celer(X, y):
        X, y = np.asfortranarray(X - X.mean(axis=0)), y - y.mean()
        return celer.celer_path(X, y, "lasso", alphas=alphas)[1]

    def by_adelie(X, y):
        return adelie.grpnet(
            X=np.asfortranarray(X),
            glm=adelie.glm.gaussian(y=y),
            groups=np.arange(X.shape[1]),
            lmda_path=alphas,
            early_exit=False,
            progress_bar=False,
            n_threads=os.cpu_count() or 1,
        )

    for name, there, fit in (("celer", celer, by_celer), ("adelie", adelie, by_adelie)):
        if there is not None:
            calls |= both_ways(name, partial(fit, X, y))
    return calls


def _words(case: Case) -> str:
    penalty = f"alpha_max * {case.share:g}" if case.share else "no penalty"
    order = "" if case.order == "C" else ", F order"
    positive = ", positive" if case.positive else ""
    return f"{case.size}{order}, {penalty}{positive}, gap {case.gap:g}"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print or write the table."""
    jobs: dict[str, Job] = {_words(case): partial(measure, case) for case in _cases()}
    header = ["data", "GDLinearRegressor (gap)", "peer", "its time (gap)", "ratio", "asked", "met"]
    jobs[PATH_WORDS] = measure_paths
    measured("penalties", __doc__, jobs, header, rounds=3, arguments=arguments)


if __name__ == "__main__":
    main()
