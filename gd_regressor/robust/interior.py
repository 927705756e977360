"""The interior point of a quantile regression, on the way to its minimum (Frisch and Newton).

The letters: d is the dual point, one number for each row between its bounds; s and x are its
distances from them, and w and z their multipliers, so that the residuals are w - z.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack, lstsq

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.robust.pinball import Pinball

# The gap, as a share of F at the start, at which the rows that the model meets stand out
NEAR_MINIMUM = 1e-8
# By how much a step further inside should lower the gap, and the most steps for that
NEARER, MOST_NEARER = 1e-2, 10
# Steps take some fifteen to thirty; a problem without a minimum takes all of them
MOST_INSIDE = 60
# A step keeps this share of the way to the nearest bound (Lustig, Marsten and Shanno 1992)
SHARE_OF_WAY = 0.9995
# The least multiplier at the start, as a share of the mean residual
FIRST_MULTIPLIER = 0.1
# The share of a column's square that other columns must leave of it, for a start by products
LEFT_OF_COLUMN = 1e-8


class Inside(NamedTuple):
    """A point inside all bounds."""

    theta: np.ndarray  # (p,)
    d: np.ndarray  # (n,)
    w: np.ndarray  # (n,)
    z: np.ndarray  # (n,)


def near_minimum(problem: Pinball, share: float = NEAR_MINIMUM) -> Inside:
    """A point near the minimum, whose gap is this share of F at the start."""
    at = _start(problem)
    end = share * _gap(problem, at)
    for _ in range(MOST_INSIDE):
        if _gap(problem, at) <= end:
            break
        after = _after(problem, at)
        if after is None:
            break
        at = after
    return at


def nearer(problem: Pinball, at: Inside) -> Inside | None:
    """A point whose gap is smaller by NEARER; None where rounding leaves none."""
    end = NEARER * _gap(problem, at)
    for _ in range(MOST_NEARER):
        after = _after(problem, at)
        if after is None or _gap(problem, after) >= _gap(problem, at):
            return None
        at = after
        if _gap(problem, at) <= end:
            return at
    return None


def _start(problem: Pinball) -> Inside:
    """Least squares. d is zero where it may be, which suits a problem without globs.

    The sum of (high - low) r^2 / (2 m) is about as large as F where m is the size of the residuals.
    """
    low, high = problem.low, problem.high
    root = np.sqrt(high - low)
    ridge = 2 * float(np.abs(problem.y).mean()) * problem.ridge
    theta = _least_squares(problem.scaled(high - low), root * problem.y, ridge)
    r = problem.residuals(theta)
    least = FIRST_MULTIPLIER * float(np.abs(r).mean()) + SMALLEST_DIVISOR
    # Equal additions keep w - z = r
    d = np.where((low < 0) & (high > 0), 0.0, (low + high) / 2)
    return Inside(theta, d, np.maximum(r, 0) + least, np.maximum(-r, 0) + least)


def _least_squares(A: np.ndarray, y: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """(p,): near the solution. Products are enough, unless columns nearly depend on each other."""
    products = A.T @ A
    products[np.diag_indices_from(products)] += ridge
    root, failed = lapack.dpotrf(products, lower=1)
    if not failed and (root.diagonal() ** 2 > LEFT_OF_COLUMN * products.diagonal()).all():
        return lapack.dpotrs(root, A.T @ y, lower=1)[0]
    A, y = np.vstack([A, np.diag(np.sqrt(ridge))]), np.concatenate([y, np.zeros(len(ridge))])
    return lstsq(A, y, EPS * max(A.shape), lapack_driver="gelsy")[0]


def _gap(problem: Pinball, at: Inside) -> float:
    return float((at.d - problem.low) @ at.z + (problem.high - at.d) @ at.w)


@np.errstate(divide="ignore", invalid="ignore")
def freedom(problem: Pinball, at: Inside) -> np.ndarray:
    """(n,): how free each row is. The rows through which the minimum goes are the freest.

    It is infinite, or no number, where weights are so small that products of them vanish.
    """
    x, s = at.d - problem.low, problem.high - at.d
    return x * s / (at.w * x + at.z * s)


def _after(problem: Pinball, at: Inside) -> Inside | None:
    """The next point inside; None where rounding leaves none."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _corrected(problem, at)


def _corrected(problem: Pinball, at: Inside) -> Inside | None:
    """A step of Mehrotra's: where it leads without a barrier says how much barrier it needs."""
    gap = _gap(problem, at)
    if not gap > 0:  # at the minimum, or beyond what floats hold
        return None
    x, s, D = at.d - problem.low, problem.high - at.d, freedom(problem, at)
    # LAPACK itself, because the checks of scipy's functions take as long as few rows take
    root, failed = lapack.dpotrf(problem.curved(D), overwrite_a=1)
    if failed:
        return None
    lacks = problem.lacks(at.theta, at.d)

    def step(of_x: np.ndarray, of_s: np.ndarray) -> Inside:
        h = of_x / x - of_s / s
        theta = lapack.dpotrs(root, problem.pulls(D * h) - lacks)[0]
        d = D * (h - problem.fitted(theta))
        return Inside(theta, d, (of_s + at.w * d) / s, (of_x - at.z * d) / x)

    far = step(-x * at.z, -s * at.w)
    dual, primal = _lengths(problem, at, far)
    there = _gap(problem, _moved(at, far, dual, primal))
    barrier = (there / gap) ** 3 * gap / (2 * len(x))
    move = step(barrier - x * at.z - far.d * far.z, barrier - s * at.w + far.d * far.w)
    dual, primal = (min(1.0, SHARE_OF_WAY * length) for length in _lengths(problem, at, move))
    after = _moved(at, move, dual, primal)
    return after if np.isfinite(after.theta).all() and np.isfinite(after.d).all() else None


def _moved(at: Inside, move: Inside, dual: float, primal: float) -> Inside:
    shares = primal, dual, primal, primal
    return Inside(*(here + c * by for here, c, by in zip(at, shares, move, strict=True)))


def _lengths(problem: Pinball, at: Inside, move: Inside) -> tuple[float, float]:
    """How far d, and how far the multipliers, can move before one of them is at its bound.

    A ridge ties the equations of both, so they go equally far.
    """

    def length(here: np.ndarray, by: np.ndarray) -> float:
        worst = float((by / here).min())
        return min(1.0, -1 / worst) if worst < 0 else 1.0

    x, s = at.d - problem.low, problem.high - at.d
    dual = min(length(x, move.d), length(s, -move.d))
    primal = min(length(at.w, move.w), length(at.z, move.z))
    shorter = min(dual, primal)
    return (shorter, shorter) if problem.has_ridge else (dual, primal)
