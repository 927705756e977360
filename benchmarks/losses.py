"""The command ``python -m benchmarks.losses``: robust losses beside those who are known for them.

Each peer runs with BLAS's threads as they are and at one thread, and the faster counts. A peer with
a tolerance runs twice: as it comes, and with the loosest power of ten that reaches the minimum
within ENOUGH of the loss, chosen on other data than those reported.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import HuberRegressor, LinearRegression, QuantileRegressor, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.beside import both_ways, faster, measured
from benchmarks.data import Size
from benchmarks.markdown import duration, excess, verdict
from benchmarks.measure import interleave
from gd_regressor import GDLinearRegressor, Huber, Quantile

try:
    import statsmodels.api as sm
except ImportError:
    sm = None

# The data on which tolerances are chosen, and tolerances to choose from
OTHER_SEED, TOLERANCES = 100, tuple(10.0**-k for k in range(-3, 13))
# The distance from the least loss, as a share of it, that counts as there; a tenth of it on the
# other data, so that it does for those reported
ENOUGH, MARGIN = 1e-8, 10
# A peer that takes longer than this many seconds is measured once
LONGEST = 20.0
# Updates that a peer may make before it gives up
UPDATES = 10_000
# Outliers: their share of the rows, and their deviation beside that of the noise
SHARE, GROSS = 0.05, 50.0
# HuberRegressor's default, and its formula's: residuals beyond so many scales are outliers
EPSILON = 1.35
# Milliseconds since 1970, in the years 2023 and 2024
STAMPS = (1.67e12, 6e10)


class Found(NamedTuple):
    """A model: coefficients, intercept, and a scale where the peer finds one."""

    coef: np.ndarray
    intercept: float
    scale: float | None = None


Fit = Callable[[np.ndarray, np.ndarray], Found]


@dataclass(frozen=True)
class Case:
    """One row of data: a size, a kind of columns, a loss, and what is asked beside each peer."""

    size: Size
    loss: str  # "huber", "huber, fixed delta" or "median"
    asked: dict[str, float | None]  # peer -> how many times faster we are to be; None: only told
    columns: str = "standard normal"  # or "own means and units", or "and milliseconds"


HUBER, OWN = "HuberRegressor", "HuberRegressor, default tol"
SGD, SCALED = "scaler + SGDRegressor", "scaler + HuberRegressor"
LEAST_SQUARES = "LinearRegression"
CASES = (
    Case(Size(100_000, 50), "huber", {HUBER: 10, OWN: None, SGD: 2}),
    Case(Size(1_000_000, 10), "huber", {HUBER: 8, OWN: None, SGD: 4}),
    Case(Size(5_000, 500), "huber", {HUBER: 1.5, OWN: None}),
    Case(Size(5_000, 500), "huber, fixed delta", {HUBER: 1.5, OWN: None}),
    Case(Size(100_000, 20), "huber", {SCALED: 10, OWN: None}, "and milliseconds"),
    Case(Size(100_000, 50), "huber", {SCALED: None, OWN: None}, "own means and units"),
    Case(Size(10_000, 20), "median", {"QuantileRegressor": 50, "QuantReg": 50}),
    # The exact vertex, as a multiple of one fit of least squares: at most so many
    Case(Size(100_000, 50), "median", {LEAST_SQUARES: 6}),
    Case(Size(1_000_000, 10), "median", {LEAST_SQUARES: 6}),
    Case(Size(5_000, 500), "median", {LEAST_SQUARES: 10}),
)


def make_data(case: Case, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw columns, and a noisy line with gross outliers; without them for a median."""
    n, d = case.size
    rng = np.random.default_rng([n, d, seed])
    X = rng.standard_normal((n, d))
    y = X @ rng.standard_normal(d) + rng.standard_normal(n) + 3.0
    if case.loss != "median":
        wild = rng.choice(n, int(SHARE * n), replace=False)
        y[wild] += GROSS * rng.standard_normal(len(wild))
    if case.columns == "own means and units":
        X += rng.uniform(-10, 10, d)
        X *= 10 ** rng.uniform(-1, 1, d)
    elif case.columns == "and milliseconds":
        X[:, 0] = np.round(STAMPS[0] + STAMPS[1] * rng.random(n))
    return X, y


def loss_of(case: Case, X: np.ndarray, y: np.ndarray, found: Found, scale: float) -> float:
    """The mean loss at a model; its own scale counts, and `scale` where it has none."""
    r = y - X @ found.coef - found.intercept
    if case.loss == "median":
        return float(np.abs(r).mean() / 2)
    sigma = found.scale or scale
    size = np.abs(r) / sigma
    near = np.minimum(size, EPSILON)
    return float(sigma * (1 + (near * (2 * size - near)).mean()))


def ours(case: Case, scale: float) -> Fit:
    """GDLinearRegressor, as a user calls it."""
    loss = {"huber": "huber", "median": Quantile(0.5)}.get(case.loss, Huber(EPSILON * scale))

    def fit(X: np.ndarray, y: np.ndarray) -> Found:
        model = GDLinearRegressor(loss=loss).fit(X, y)
        return Found(model.coef_, model.intercept_, getattr(model, "scale_", None))

    return fit


def peer(name: str, tol: float, scale: float) -> Fit | None:
    """A peer, as a user calls it; None is not installed. SGDRegressor is told the scale."""
    made: dict[str, Callable[[], Any]] = {
        HUBER: lambda: HuberRegressor(alpha=0, tol=tol, max_iter=UPDATES),
        OWN: lambda: HuberRegressor(alpha=0),
        SCALED: lambda: make_pipeline(
            StandardScaler(), HuberRegressor(alpha=0, tol=tol, max_iter=UPDATES)
        ),
        SGD: lambda: make_pipeline(
            StandardScaler(), SGDRegressor("huber", penalty=None, epsilon=EPSILON * scale)
        ),
        "QuantileRegressor": lambda: QuantileRegressor(alpha=0),
        LEAST_SQUARES: LinearRegression,
    }
    if name == "QuantReg":
        return None if sm is None else partial(_quant_reg, tol)

    def fit(X: np.ndarray, y: np.ndarray) -> Found:
        model = made[name]().fit(X, y)
        last, shift, unit = model, np.zeros(X.shape[1]), np.ones(X.shape[1])
        if name in (SCALED, SGD):
            scaler, last = (step for _, step in model.steps)
            shift, unit = scaler.mean_, scaler.scale_
        coef, intercept = last.coef_ / unit, float(np.ravel(last.intercept_)[0])
        return Found(coef, intercept - shift @ coef, getattr(last, "scale_", None))

    return fit


def _quant_reg(tol: float, X: np.ndarray, y: np.ndarray) -> Found:
    theta = np.asarray(sm.QuantReg(y, sm.add_constant(X)).fit(q=0.5, p_tol=tol).params)
    return Found(theta[1:], float(theta[0]))


def chosen_tol(case: Case, name: str) -> float:
    """The loosest tolerance with which a peer is near enough to the minimum of the other data."""
    tol = TOLERANCES[-1]
    if name not in (HUBER, SCALED, "QuantReg"):
        return tol
    X, y = make_data(case, OTHER_SEED)
    best = ours(Case(case.size, case.loss.split(",")[0], {}), 1.0)(X, y)
    scale = best.scale or 1.0
    least = loss_of(case, X, y, best, scale)
    for tol in TOLERANCES:
        seconds, models = interleave({name: partial(peer(name, tol, scale), X, y)}, 1)
        near = loss_of(case, X, y, models[name], scale) - least <= ENOUGH / MARGIN * least
        if near or seconds[name][0] > LONGEST:
            break
    return tol


def measure(case: Case, seeds: tuple[int, ...], rounds: int) -> list[list[str]]:
    """The lines of one case, one for each peer. The least of the rounds counts for each seed."""
    names = [name for name in case.asked if peer(name, 1.0, 1.0) is not None]
    tols = {name: chosen_tol(case, name) for name in names}
    seconds: dict[str, list[float]] = {}
    above: dict[str, list[float]] = {}
    for seed in seeds:
        X, y = make_data(case, seed)
        joint = Case(case.size, case.loss.split(",")[0], {})
        scale = ours(joint, 1.0)(X, y).scale or 1.0
        fits = {"ours": partial(ours(case, scale), X, y)}
        for name, tol in tols.items():
            fits |= both_ways(name, partial(peer(name, tol, scale), X, y))
        taken, models = interleave(fits, rounds, LONGEST)
        losses = {key: loss_of(case, X, y, model, scale) for key, model in models.items()}
        least = min(losses.values())
        for key, values in taken.items():
            seconds.setdefault(key, []).append(min(values))
            above.setdefault(key, []).append((losses[key] - least) / least)
    return [_line(case, name, seconds, above) for name in case.asked]


def _line(
    case: Case, name: str, seconds: dict[str, list[float]], above: dict[str, list[float]]
) -> list[str]:
    mine, asked = statistics.median(seconds["ours"]), case.asked[name]
    start = [_words(case), f"{duration(mine)} ({excess(max(above['ours']))})", name]
    best = faster(name, seconds)
    if best is None:
        return [*start, "not installed", "-", f"{asked:g}", "-"]
    key, theirs, way = best
    off = "" if name == LEAST_SQUARES else f"{excess(max(above[key]))}, "
    start.append(f"{duration(theirs)} ({off}{way})")
    if name == LEAST_SQUARES:
        ratio, limit, met = mine / theirs, f"at most {asked:g}", verdict(mine <= asked * theirs)
        return [*start, f"{ratio:.2f}", limit, met]
    met = "-" if asked is None else verdict(theirs >= asked * mine)
    return [*start, f"{theirs / mine:.2f}", "-" if asked is None else f"{asked:g}", met]


def _words(case: Case) -> str:
    return f"{case.size}, {case.columns}: {case.loss}"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print or write the table."""
    jobs = {_words(case): partial(measure, case) for case in CASES}
    header = ["data", "ours (off)", "peer", "its time (off)", "ratio", "asked", "met"]
    note = "off: how far the loss is above the least one seen, as a share of it.\n"
    note += "ratio: its time in ours; where at most so much is asked, ours in its.\n"
    measured("losses", __doc__, jobs, header, rounds=5, note=note, arguments=arguments)


if __name__ == "__main__":
    main()
