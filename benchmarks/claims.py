"""Three claims about the textbook mode, each measured in the same run as the tables."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.competitors import naive_descent
from benchmarks.data import TEXTBOOK_RATE, TEXTBOOK_UPDATES, Size, make_data
from benchmarks.markdown import duration
from benchmarks.measure import interleave
from gd_regressor import GDLinearRegressor, gd_path

# A million updates of 0.1 converge within the first hundred; at 1e-6 every one of them moves.
# Both are timed, so that neither an early end nor vanishing powers can flatter the result.
LONG_RUN_RATES = (TEXTBOOK_RATE, 1e-6)
PATH_POINTS = (10**3, 10**6, 10**9)
SPEED_TARGET = 200.0
LONG_RUN_TARGET = 0.3
GROWTH_TARGET = 1.5


@dataclass(frozen=True)
class Claim:
    """A statement with the number found for it.

    Attributes
    ----------
    statement : str
    found : str
    target : str
    met : bool or None
        None where the size measured is not the one that the target speaks of.
    """

    statement: str
    found: str
    target: str
    met: bool | None


def measure_claims(quick: bool, rounds: int) -> list[Claim]:
    """Measure all three.

    Parameters
    ----------
    quick : bool
        Measure the first on a smaller data set, where its target is not judged.
    rounds : int

    Returns
    -------
    list of Claim
    """
    size = Size(20_000, 10) if quick else Size(1_000_000, 10)
    return [
        _closed_form_beside_the_loop(size, rounds, judged=not quick),
        _a_million_updates(rounds),
        _cost_does_not_grow(rounds),
    ]


def _closed_form_beside_the_loop(size: Size, rounds: int, judged: bool) -> Claim:
    """Compare speed, and every iterate, of the textbook mode with the naive loop's."""
    X, y = make_data(size, "gaussian")
    trace = np.empty((size.columns + 1, TEXTBOOK_UPDATES))
    ours = GDLinearRegressor(TEXTBOOK_RATE, TEXTBOOK_UPDATES, None)
    seconds, _ = interleave(
        {
            "ours": lambda: ours.fit(X, y),
            "naive": lambda: naive_descent(X, y, trace=trace),
        },
        rounds,
    )
    coefs, intercepts, _ = gd_path(
        X, y, learning_rate=TEXTBOOK_RATE, n_iter=range(1, TEXTBOOK_UPDATES + 1)
    )
    path = np.vstack([coefs, intercepts])
    difference = np.max(np.linalg.norm(path - trace, axis=0) / np.linalg.norm(trace, axis=0))
    own, naive = (statistics.median(seconds[name]) for name in ("ours", "naive"))
    return Claim(
        f"{TEXTBOOK_UPDATES:,} updates on {size}: `fit` with its loss curve, beside the naive "
        f"NumPy loop without one",
        f"{duration(own)} beside {duration(naive)}: **{naive / own:,.0f} times faster**; "
        f"largest relative difference of an iterate, over all {TEXTBOOK_UPDATES:,}: "
        f"{difference:.1e}",
        f"at least {SPEED_TARGET:.0f} times faster",
        naive / own >= SPEED_TARGET if judged else None,
    )


def _a_million_updates(rounds: int) -> Claim:
    """Time a million updates with every loss of the curve."""
    updates = 10**6
    size = Size(159, 1)
    X, y = make_data(size, "gaussian")
    calls = {
        f"{rate:g}": partial(GDLinearRegressor(rate, updates, None).fit, X, y)
        for rate in LONG_RUN_RATES
    }
    seconds, models = interleave(calls, rounds)
    for model in models.values():
        if len(model.loss_curve_) != updates + 1 or model.n_iter_ != updates:
            raise RuntimeError(
                f"the run ended after {model.n_iter_} updates with {len(model.loss_curve_)} "
                f"losses instead of {updates} and {updates + 1}: nothing to time"
            )
    medians = {rate: statistics.median(times) for rate, times in seconds.items()}
    return Claim(
        f"{updates:,} updates on {size}, with the whole loss curve",
        "; ".join(f"{duration(median)} at a rate of {rate}" for rate, median in medians.items()),
        f"{LONG_RUN_TARGET} s",
        max(medians.values()) <= LONG_RUN_TARGET,
    )


def _cost_does_not_grow(rounds: int) -> Claim:
    """Time the coefficients after a thousand, a million and a billion updates."""
    size = Size(2_000, 20)
    X, y = make_data(size, "gaussian")
    # A rate so small that the billionth update still moves.
    calls = {f"{k:,}": partial(gd_path, X, y, learning_rate=1e-9, n_iter=[k]) for k in PATH_POINTS}
    # Milliseconds each: many rounds cost nothing, and one scheduler tick would decide a few.
    seconds, _ = interleave(calls, max(rounds, 31))
    medians = {k: statistics.median(times) for k, times in seconds.items()}
    growth = max(medians.values()) / min(medians.values())
    return Claim(
        f"coefficients after k updates on {size}: `gd_path(n_iter=[k])`",
        "; ".join(f"k = {k}: {duration(median)}" for k, median in medians.items())
        + f" (the slowest is {growth:.2f} times the fastest)",
        f"the same for every k (within {GROWTH_TARGET} times)",
        growth <= GROWTH_TARGET,
    )
