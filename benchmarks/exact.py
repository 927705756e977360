"""Least squares in exact rational arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def exact_least_squares(X: np.ndarray, y: np.ndarray) -> list[Fraction]:
    """Solve the normal equations of the centred columns without any rounding.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Taken for exactly what its float64 values are; of full column rank after centring.
    y : ndarray of shape (n,)

    Returns
    -------
    list of Fraction
        The d coefficients, and the intercept last.
    """
    *columns, target = [[Fraction(v) for v in column] for column in (*X.T.tolist(), y.tolist())]
    means = [sum(column) / len(X) for column in columns]
    centred = [[v - mean for v in column] for column, mean in zip(columns, means, strict=True)]
    # With one factor of a product centred, the mean of the other makes no difference.
    gram = [[_dot(a, b) for b in columns] for a in centred]
    coef = _solve(gram, [_dot(a, target) for a in centred])
    return [*coef, sum(target) / len(y) - _dot(means, coef)]


def largest_relative_error(found: Sequence[float], exact: Sequence[Fraction]) -> float:
    """Compare floating-point numbers with what they should be.

    Parameters
    ----------
    found : sequence of float
    exact : sequence of Fraction
        None of them zero.

    Returns
    -------
    float
        The largest |found - exact| / |exact|; infinite where a number is not finite.
    """
    if not all(map(math.isfinite, found)):
        return math.inf
    return max(
        float(abs(Fraction(float(a)) - b) / abs(b)) for a, b in zip(found, exact, strict=True)
    )


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((u * v for u, v in zip(a, b, strict=True)), Fraction(0))


def _solve(A: list[list[Fraction]], b: list[Fraction]) -> list[Fraction]:
    """Eliminate without pivoting: A is positive definite, and nothing is rounded."""
    rows = [[*row, value] for row, value in zip(A, b, strict=True)]
    for j, row in enumerate(rows):
        row[:] = [v / row[j] for v in row]
        for other in rows:
            if other is not row:
                other[:] = [v - other[j] * u for v, u in zip(other, row, strict=True)]
    return [row[-1] for row in rows]
