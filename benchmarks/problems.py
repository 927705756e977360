"""Problems on which solvers lose digits."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

# Rows that make three columns a large table, of more than 2^20 entries; in exact arithmetic it
# takes a quarter of a minute
LARGE = 350_000
LONGLEY = Path(__file__).parents[1] / "tests" / "longley.csv"


class Problem(NamedTuple):
    """A name and a data set."""

    name: str
    X: np.ndarray
    y: np.ndarray


def hard_problems() -> list[Problem]:
    """Collect problems with columns that nearly depend on each other, or residuals that dominate.

    Two of them are easy, to show what is lost even there: the shapes of Pontius' and Norris' data.

    Returns
    -------
    list of Problem
        No exact coefficient is zero.
    """
    return [
        *_wampler(),
        _longley(),
        _pontius(),
        _norris(),
        _hilbert(),
        _polynomial(8, 2),
        _polynomial(9, 3),
        _twins(2e-10),
        _twins(6e-13),
        *(_twins(distance, rows=LARGE) for distance in (1e-3, 1e-7, 1e-11)),
    ]


def unix_seconds() -> Problem:
    """Draw a table of everyday columns, one of which is the time as a computer counts it.

    Returns
    -------
    Problem
        Unix seconds over the year 2025, uniform numbers and Poisson counts; y is linear in them.
    """
    rng = np.random.default_rng(2025)
    rows = 2_000
    seconds = 1_735_689_600 + rng.integers(0, 365 * 86_400, rows)
    X = np.column_stack([seconds, rng.random(rows), rng.poisson(3.0, rows)])
    return Problem("Unix seconds", X, 5.0 + X @ [3e-7, 2.0, -0.7])


def _wampler() -> list[Problem]:
    """Make the five problems of Wampler (1970): degree 5 on 0, 1, ..., 20."""
    x = np.arange(21.0)
    X = _powers(x, 5)
    delta = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048]
    delta = np.array(delta + delta[-2::-1])
    exact = 1 + X.sum(axis=1)
    targets = [exact, 1 + X @ 0.1 ** np.arange(1, 6)]
    targets += [exact + factor * delta for factor in (1, 100, 10_000)]
    return [Problem(f"Wampler {i}", X, y) for i, y in enumerate(targets, start=1)]


def _longley() -> Problem:
    """Read Longley's (1967) employment table, as the NIST reference data sets have it."""
    table = np.loadtxt(LONGLEY, delimiter=",", skiprows=1)
    return Problem("Longley", table[:, 1:], table[:, 0])


def _pontius() -> Problem:
    """Draw load cells after Pontius: a quadratic in loads of up to 3e6."""
    load = np.repeat(np.arange(1, 21) * 150_000.0, 2)
    noise = 2e-4 * np.random.default_rng(11).standard_normal(len(load))
    y = np.round(7e-4 + 7.3e-7 * load - 3.2e-15 * load**2 + noise, 5)
    return Problem("the shape of Pontius' data", _powers(load, 2), y)


def _norris() -> Problem:
    """Draw ozone monitors after Norris: a line through readings of up to 1,000."""
    rng = np.random.default_rng(12)
    reading = np.round(np.tile(np.linspace(0.2, 999, 12), 3) + rng.uniform(0, 1, 36), 1)
    y = np.round(1.002 * reading - 0.26 + rng.standard_normal(36), 1)
    return Problem("the shape of Norris' data", reading[:, None], y)


def _hilbert() -> Problem:
    i, j = np.ogrid[:12, :6]
    return _with_residual("Hilbert's 1/(i + j + 1)", 1 / (i + j + 1))


def _polynomial(degree: int, start: int) -> Problem:
    X = _powers(np.linspace(start, start + 1, 30), degree)
    return _with_residual(f"degree {degree} on [{start}, {start + 1}]", X)


def _twins(distance: float, rows: int = 60) -> Problem:
    """Draw three normal columns, two of which differ by so little."""
    rng = np.random.default_rng(10)
    X = rng.standard_normal((rows, 3))
    X[:, 2] = X[:, 1] + distance * X[:, 2]
    return _with_residual(f"two columns {distance:.0e} apart", X)


def _with_residual(name: str, X: np.ndarray) -> Problem:
    """Add a target near the sum of the columns."""
    return Problem(name, X, 1 + X.sum(axis=1) + 0.01 * (-1.0) ** np.arange(len(X)))


def _powers(x: np.ndarray, degree: int) -> np.ndarray:
    return x[:, None] ** np.arange(1, degree + 1)
