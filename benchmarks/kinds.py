"""The default estimator on other kinds of data, beside itself on the usual ones."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.data import KINDS, USUAL, Size, make_data
from benchmarks.measure import PATIENCE, interleave
from benchmarks.reference import find_optimum
from gd_regressor import GDLinearRegressor

# The sizes whose kinds belong to the full run.
KIND_SIZES = (
    Size(1_000_000, 10),
    Size(200_000, 100),
    Size(100_000, 500),
    Size(50_000, 2_000),
)


@dataclass(frozen=True)
class KindMeasurement:
    """What was seen on one kind of data.

    Attributes
    ----------
    kind : str
    seconds : float
        Median of a fit.
    usual : float
        Median of a fit to the usual columns in the same rounds.
    excess : float
        (F - F*) / V on this kind.
    """

    kind: str
    seconds: float
    usual: float
    excess: float

    @property
    def ratio(self) -> float:
        """How many times longer than on the usual columns."""
        return self.seconds / self.usual


def measure_kinds(
    size: Size, rounds: int, progress: Callable[[str], None]
) -> list[KindMeasurement]:
    """Measure ``GDLinearRegressor()`` on every kind in turn.

    Parameters
    ----------
    size : Size
    rounds : int
    progress : callable
        Is told, in words, what happens now.

    Returns
    -------
    list of KindMeasurement
        In the order of `KINDS`.
    """
    usual = make_data(size)
    found = []
    for kind in KINDS:
        progress(f"{size}: {kind} data")
        found.append(_measure_kind(size, kind, usual, rounds))
    return found


def _measure_kind(
    size: Size, kind: str, usual: tuple[np.ndarray, np.ndarray], rounds: int
) -> KindMeasurement:
    # The data die with this call: the next kind's may need their memory.
    X, y = make_data(size, kind)
    calls = {
        kind: lambda: GDLinearRegressor().fit(X, y),
        USUAL: lambda: GDLinearRegressor().fit(*usual),
    }
    seconds, models = interleave(calls, rounds, PATIENCE)
    excess = find_optimum(X, y).excess(X, models[kind].coef_, models[kind].intercept_)
    medians = (statistics.median(seconds[name]) for name in calls)
    return KindMeasurement(kind, *medians, excess)
