"""The minimum of kinks and a ridge: it meets some rows, and all others keep their sides.

With a ridge the minimum is at no vertex. Were the rows that it meets and the sides of all others
known, the minimum and its dual point would be the solution of linear equations. So we guess, solve,
and correct the guess by what the solution shows (a primal-dual active set method: Hintermueller,
Ito and Kunisch 2002).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lstsq

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.robust.interior import Inside
from gd_regressor.robust.pinball import Pinball

# Guesses from one point inside, before we want a nearer one; and rows for each parameter in one
MOST_GUESSES, MOST_MET = 20, 4
# Residuals and dual points are zero, or at a bound, up to so many eps of their terms
FACE_ROUNDED_BY = 64


class Settled(NamedTuple):
    """A point, and what its dual point says of it."""

    theta: np.ndarray  # (p,)
    d: np.ndarray  # (n,)
    gap: float
    met: np.ndarray  # (n,): which rows it meets
    is_minimum: bool  # but for rounding


def from_inside(problem: Pinball, at: Inside) -> Settled:
    """The minimum, or the best point that we find from one near it."""
    low, high = problem.low, problem.high
    theta, above, met = at.theta, problem.residuals(at.theta) > 0, nearly_met(problem, at)
    d = np.where(met, at.d, np.where(above, high, low))
    gap, widest = _gap(problem, theta, at.d), problem.widest()
    best = Settled(theta, at.d, gap, np.zeros(len(d), dtype=bool), False)
    if meets_many(theta, met):
        # The minimum meets many rows, as many zeros in y, among which no few tell where it is. So
        # an interior point has to be as near as one rounding of each residual
        return best._replace(is_minimum=FACE_ROUNDED_BY * gap <= rounding(problem, theta))
    for _ in range(MOST_GUESSES):
        if meets_many(theta, met):
            break
        theta, d[met] = _solved(problem, met, theta, d)
        within = np.clip(d, low, high)
        over = met & (np.abs(d - within) > FACE_ROUNDED_BY * EPS * (high - low))
        r = problem.residuals(theta)
        noise = _noise(problem, theta, widest)
        crossed = ~met & (np.where(above, -r, r) > noise)
        gap, stays = _gap(problem, theta, within), not over.any() and not crossed.any()
        # Where the ridge is slight, rounding can hide an equation, and the guess is no minimum
        done = stays and gap <= float(noise @ (high - low))
        if gap < best.gap or done:
            best = Settled(theta, within, gap, met, done)
        if stays:
            break
        above = np.where(over, d > high, above)
        met = (met & ~over) | crossed
        d = np.where(met, within, np.where(above, high, low))
    return best


def rounding(problem: Pinball, theta: np.ndarray) -> float:
    """That of F, by which we cannot tell two points apart."""
    return float(_noise(problem, theta, problem.widest()) @ (problem.high - problem.low))


def meets_many(theta: np.ndarray, met: np.ndarray) -> bool:
    """Whether so many rows `met` (n,) leave no guess which of them the minimum needs."""
    return bool(met.sum() > MOST_MET * (len(theta) + 1))


def _noise(problem: Pinball, theta: np.ndarray, widest: np.ndarray) -> np.ndarray:
    """(n,): the rounding of residuals."""
    return FACE_ROUNDED_BY * EPS * (np.abs(problem.y) + widest * np.abs(theta).sum())


def nearly_met(problem: Pinball, at: Inside) -> np.ndarray:
    """(n,): the rows that the minimum seems to meet: far from their bounds, with small residuals.

    We measure both by their largest.
    """
    room = np.minimum(at.d - problem.low, problem.high - at.d) / (problem.high - problem.low)
    left = at.w + at.z
    return room * float(left.max(initial=0.0)) > left


def _solved(
    problem: Pinball, met: np.ndarray, theta: np.ndarray, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Theta (p,) and the dual point of the rows that it meets, by the equations of both.

    Of many solutions it is the one nearest to `theta` and `d`, because a guess may leave equations
    that say nothing.
    """
    A, k, p = problem.A[met], int(met.sum()), len(theta)
    matrix = np.zeros((p + k, p + k))
    matrix[:p, :p], matrix[:p, p:], matrix[p:, :p] = np.diag(2 * problem.ridge), -A.T, A
    # Units differ by orders of magnitude
    size = np.sqrt(np.maximum(np.abs(matrix).max(axis=0, initial=0.0), EPS))
    matrix /= size
    matrix /= size[:, None]
    d = np.array(d)
    for _ in range(2):  # the second time for what rounding has left
        rest = np.concatenate([-problem.lacks(theta, d), problem.y[met] - A @ theta]) / size
        found = lstsq(matrix, rest, lapack_driver="gelsy", check_finite=False)[0] / size
        theta, d[met] = theta + found[:p], d[met] + found[p:]
    return theta, d[met]


def _gap(problem: Pinball, theta: np.ndarray, d: np.ndarray) -> float:
    """How far F is above its minimum at most; infinite for a dual point that says nothing."""
    if (np.abs(problem.lacks(theta, d)) > problem.rounding(d))[problem.ridge == 0].any():
        return np.inf
    return problem.gap(theta, d)
