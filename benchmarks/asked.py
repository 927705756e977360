"""What is asked of the default estimator, and whether a measurement shows it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.data import Size
from benchmarks.measure import Measurement

# How many times longer than `GDLinearRegressor()` each competitor, by key, is to take.
RATIOS = {
    Size(159, 5): {"linear": 1.0},
    Size(1_000_000, 10): {"linear": 6.0, "ridge": 2.0, "intel": 1.0, "sgd": 10.0},
    Size(200_000, 100): {"linear": 10.0, "ridge": 2.0, "product": 1.1, "intel": 1.0, "sgd": 10.0},
    Size(100_000, 500): {"linear": 8.0, "ridge": 1.5, "product": 1.3, "intel": 1.0, "sgd": 10.0},
    Size(400_000, 500): {"product": 1.3, "intel": 1.0, "sgd": 10.0},
    Size(50_000, 2_000): {"linear": 8.0, "ridge": 1.5, "product": 1.3, "intel": 1.0, "sgd": 10.0},
}

# On all data: the excess of the loss over its minimum, in units of the variance of y.
EXCESS = 2e-12
# How many times larger SGD's excess is to be, where anything is asked of it.
SGD_EXCESS = 1e6
# How many times longer than on the usual columns a fit may take on columns of another kind.
KIND_RATIO = 1.5
# Single precision is to be this many times faster than double
SINGLE_SPEED = {Size(100_000, 500): 1.6}

# Two models whose predictions differ by less than 1e-12 of y's standard deviation are equally
# good: which of them is closer is the luck of rounding.
EQUALLY_EXACT = 1e-24


@dataclass(frozen=True)
class Request:
    """One thing asked.

    Attributes
    ----------
    text : str
    met : bool
    """

    text: str
    met: bool


def requests(size: Size, ours: Measurement, row: Measurement) -> list[Request]:
    """List what is asked of `ours` in comparison with one row of its table.

    Parameters
    ----------
    size : Size
    ours : Measurement
        Of ``GDLinearRegressor()``.
    row : Measurement
        Of any competitor; `ours` itself stands for what is asked without comparison.

    Returns
    -------
    list of Request
    """
    if row is ours:
        return [Request(f"excess at most {EXCESS:.0e}", ours.excess <= EXCESS)]
    key = row.competitor.key
    asked = RATIOS.get(size, {})
    found = []
    if key in asked:
        found.append(Request(f"{asked[key]:.1f}", row.median >= asked[key] * ours.median))
    if key == "sgd" and key in asked:
        least = SGD_EXCESS * max(ours.excess, EQUALLY_EXACT)
        # Written with `not`, so that a NaN of a descent that diverged counts as larger.
        met = ours.excess <= EXCESS and not row.excess < least
        found.append(Request(f"{SGD_EXCESS:,.0f} times our excess", met))
    return found


def kind_ratio(size: Size, kind: str) -> float:
    """Say how many times longer than on the usual columns a fit to this kind may take.

    Parameters
    ----------
    size : Size
    kind : str

    Returns
    -------
    float
    """
    if kind == "float32" and size in SINGLE_SPEED:
        return 1 / SINGLE_SPEED[size]
    return KIND_RATIO
