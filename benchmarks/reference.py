"""The exact minimum that every competitor is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack, solve_triangular

MAX_REFINEMENTS = 10
# Of a column's variance, what the columns before it must leave for it to count as independent of
# them. The data here are either well conditioned or dependent to rounding.
INDEPENDENT = 1e-8
# What rounding leaves of the last step is far below this, relative to the coefficients.
NEGLIGIBLE = 1e-12
# In entries: four megabytes.
BLOCK = 500_000


@dataclass(frozen=True)
class Optimum:
    """A least-squares solution in extended precision.

    Where columns depend on each other it is one of many, all with the same predictions.

    Attributes
    ----------
    coef : ndarray of shape (d,), longdouble
    intercept : longdouble
    variance : float
        V, the variance of y (ddof=0).
    """

    coef: np.ndarray
    intercept: np.longdouble
    variance: float

    def excess(self, X: np.ndarray, coef: np.ndarray, intercept: float) -> float:
        """Measure how far a model's loss lies above the minimum, relative to y's variance.

        F is quadratic and its gradient vanishes at the minimum, so F(w, b) - F* equals the mean
        square of the difference between the two models' predictions. Written so, nothing cancels:
        an excess of 1e-28 is seen as such, where F - F* computed from two losses ends at 1e-16.
        (Where the two solutions differ along dependent columns, their sum in float64 leaves
        about 1e-30.)

        Parameters
        ----------
        X : ndarray of shape (n, d)
        coef : ndarray of shape (d,)
        intercept : float

        Returns
        -------
        float
            (F - F*) / V.
        """
        coef_error = (coef - self.coef).astype(np.float64)
        intercept_error = float(intercept - self.intercept)
        difference = X @ coef_error + intercept_error
        return float(difference @ difference) / len(X) / self.variance


def find_optimum(X: np.ndarray, y: np.ndarray) -> Optimum:
    """Solve least squares once, more accurately than any competitor can.

    The columns' correlations are factored as R'R by Cholesky's method with pivoting in float64.
    Columns found to depend on others get the coefficient zero. The solution is then refined:
    residual, gradient and iterate are kept in `longdouble`, and each step R^-1 R^-T g takes away
    all of the error but the rounding of R, about eps times the squared condition number. Where a
    platform's `longdouble` is no wider than float64 the refinement stops at float64's own
    rounding; `reference_precision` tells which it is.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Its columns are well conditioned once scaled, or depend on each other to rounding.
    y : ndarray of shape (n,)

    Returns
    -------
    Optimum
    """
    mean = X.mean(axis=0, dtype=np.longdouble)
    target_mean = y.mean(dtype=np.longdouble)
    scale = _column_deviations(X, mean)
    R, kept = _triangular_factor(_correlations(X, mean, scale))
    coef = np.zeros(X.shape[1], dtype=np.longdouble)
    last = np.inf
    for _ in range(MAX_REFINEMENTS):
        gradient = _covariance_with_residual(X, y, mean, target_mean, coef)
        scaled = (gradient / scale)[kept].astype(np.float64)
        step = solve_triangular(R, solve_triangular(R, scaled, trans=1))
        size = float(np.linalg.norm(step))
        # Each step is far smaller than the last until rounding is all that is left of it.
        if size >= 0.5 * last:
            break
        coef[kept] += step / scale[kept]
        last = size
    if not size <= NEGLIGIBLE * np.linalg.norm(coef * scale):
        raise RuntimeError("the reference did not converge: columns nearly depend on each other")
    return Optimum(coef, target_mean - mean @ coef, float(y.var(dtype=np.longdouble)))


def reference_precision() -> str:
    """Name the arithmetic that the reference was refined in.

    Returns
    -------
    str
        Such as ``"longdouble, eps 1.1e-19"``.
    """
    return f"longdouble, eps {float(np.finfo(np.longdouble).eps):.1e}"


def _blocks(X: np.ndarray) -> Iterator[slice]:
    """Cut the rows into blocks of about four megabytes."""
    height = max(1, BLOCK // X.shape[1])
    for first in range(0, len(X), height):
        yield slice(first, first + height)


def _column_deviations(X: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Compute the columns' standard deviations, 1 for a constant, without a second copy of X."""
    squares = sum(((X[rows] - mean.astype(np.float64)) ** 2).sum(axis=0) for rows in _blocks(X))
    return np.where(squares > 0, np.sqrt(squares / len(X)), 1.0)


def _correlations(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    total = np.zeros((X.shape[1], X.shape[1]))
    for rows in _blocks(X):
        block = (X[rows] - mean.astype(np.float64)) / scale
        total += block.T @ block
    return total / len(X)


def _triangular_factor(correlations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factor the correlations of columns on which the others depend; tell which those are."""
    factor, order, rank, _ = lapack.dpstrf(correlations, tol=INDEPENDENT)
    return np.triu(factor[:rank, :rank]), order[:rank] - 1


def _covariance_with_residual(
    X: np.ndarray, y: np.ndarray, mean: np.ndarray, target_mean: np.longdouble, coef: np.ndarray
) -> np.ndarray:
    """Compute (X - mean)' (y - target_mean - (X - mean) coef) / n in extended precision."""
    total = np.zeros(X.shape[1], dtype=np.longdouble)
    for rows in _blocks(X):
        block = X[rows] - mean
        total += block.T @ (y[rows] - target_mean - block @ coef)
    return total / len(X)
