"""The least pinball loss of many rows: a sample, a step, then a band of rows between two globs.

Rows far from the fit of a sample keep their sides at the minimum, so their sum is all that counts
of them (Portnoy and Koenker 1997). Whether they kept their sides is checked on all rows. A smoothed
step after the sample leaves few rows for the band. In a wide band another step follows, and a
narrower band.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from gd_regressor.robust.cut import FAR_OUT, median, some_of
from gd_regressor.robust.faces import descend
from gd_regressor.robust.interior import NEAR_MINIMUM, freedom, near_minimum, nearer
from gd_regressor.robust.pinball import Pinball
from gd_regressor.robust.ridged import from_inside, meets_many, nearly_met, rounding
from gd_regressor.robust.smoothed import smoothed_step
from gd_regressor.robust.vertex import NoMinimum, Vertex, some_basis

# A sample of m rows leaves each residual off by about sqrt(p / m) of its size, so about
# n sqrt(p / m) rows lie within that of the minimum. These are BAND m rows, where
# m = SAMPLE_ROWS (n^2 p)^(1/3)
SAMPLE_ROWS, BAND = 1.2, 3
# A smoothed step over the nearest m rows leaves about sqrt(m p) of them nearer than it is off. A
# band has to be some times wider. It pays where it has not one in PAYS of the rows
WIDER, PAYS = 4, 4
# Of the rows within the error of a sample: so many hold its minimum as a rule
SAMPLE_HOLDS = 2 / 3
# Bands, each at least twice as wide as the one before, until we take all rows
MOST_BANDS = 4
# The gap, as a share of F at the start, to which we solve a sample: it is further off by itself
SAMPLE_GAP = 1e-3
# A band that left out so few rows, as a share of its own, is mended by these rows
FEW_WRONG, MOST_MENDS = 0.1, 8


class Least(NamedTuple):
    """A minimum."""

    theta: np.ndarray  # (p,)
    d: np.ndarray | None  # (n,): the dual point; None if none was found


class Found(NamedTuple):
    """A minimum of some rows, and the basis of its vertex; None if it is at none."""

    theta: np.ndarray  # (p,)
    d: np.ndarray  # (n,)
    basis: np.ndarray | None

    @classmethod
    def of(
        cls, problem: Pinball, theta: np.ndarray, d: np.ndarray, met: np.ndarray, at_vertex: bool
    ) -> Found:
        """From the numbers of the rows that it meets. A penalty among them makes a zero."""
        kinks = problem.A[met[met >= problem.n_rows]]
        return cls(np.where(kinks.any(axis=0), 0.0, theta), d, met if at_vertex else None)


def least(problem: Pinball) -> Least:
    """The minimum. Rows far out are brought nearer, which changes nothing where they keep sides.

    As they are, they would set the size of all residuals, of which the others are rounding.
    """
    y = problem.y
    size = np.abs(y[some_of(problem.n_rows)])
    end = FAR_OUT * median(size[size > 0])
    far = np.flatnonzero(np.abs(y) > end) if end else np.zeros(0, dtype=int)
    if len(far):
        found = _least(replace(problem, y=np.clip(y, -end, end)))
        keep_sides = (np.sign(y[far]) * (problem.A[far] @ found.theta) < end).all()
        if found.d is not None and keep_sides:
            if _gap(problem, found) <= NEAR_MINIMUM * problem.value(found.theta):
                return found
            # The search has ended before. Among rows as they are it may come nearer
            other = _least(problem)
            return min(found, other, key=lambda one: _gap(problem, one))
    return _least(problem)


def _gap(problem: Pinball, at: Least) -> float:
    return np.inf if at.d is None else problem.gap(at.theta, at.d)


def _least(problem: Pinball) -> Least:
    n, p = problem.n_rows, problem.A.shape[1]
    if not p:
        return Least(np.zeros(0), np.where(problem.y > 0, problem.high, problem.low))
    if not problem.y.any() and not problem.right.any():  # F is not below zero
        return Least(np.zeros(p), np.zeros(len(problem.y)))
    inside = _without_loss(problem)
    if inside is not None:
        return inside
    m = math.ceil(SAMPLE_ROWS * (n**2 * p) ** (1 / 3))
    if n > PAYS * m:
        sample = np.sort(np.random.default_rng(0).choice(n, m, replace=False))
        some = problem.only(sample, problem.right, n / m)
        found = _narrowed(problem, near_minimum(some, SAMPLE_GAP).theta, BAND * m, MOST_BANDS)
        if found is not None:
            return Least(found.theta, found.d)
    try:
        found = _minimum(problem)
    except NoMinimum:
        return Least(near_minimum(problem).theta, None)
    return Least(found.theta, found.d)


def _without_loss(problem: Pinball) -> Least | None:
    """Least squares, if every row is within its interval without loss there.

    Any model of such an interval is a minimum. The vertices are the worst of them: they lean on the
    ends of the intervals, however far out these are.
    """
    if (problem.low * problem.high).any():  # a row with loss on both sides
        return None
    A, y = problem.A, problem.y
    try:
        factor = cho_factor(problem.pulls(A), check_finite=False)
        theta = cho_solve(factor, problem.pulls(y), check_finite=False)
    except LinAlgError:
        return None
    return None if problem.value(theta) else Least(theta, np.zeros(len(y)))


def _narrowed(problem: Pinball, theta: np.ndarray, m: int, most: int = 1) -> Found | None:
    """The minimum, from a point that is off by about the residuals of the nearest m rows.

    We try so many bands at `most`. None if none of them was wide enough, or none pays. Where many
    rows meet in one point, the sides of those beyond the band are wrong, and it has no minimum. A
    smoothed step may have led away from that point. So we return, and take as many rows as we must.
    """
    start, band = theta, math.ceil(WIDER * math.sqrt(m * len(theta)))
    if PAYS * band > problem.n_rows:
        return None
    theta = smoothed_step(problem, theta, m)
    for _ in range(most):
        found, theta, wrong = _between_globs(problem, theta, band)
        if found is not None:
            return found
        if wrong:
            band = 2 * (band + wrong)
        else:
            theta, band = start, max(math.ceil(SAMPLE_HOLDS * m), 2 * band)
        if 2 * band > problem.n_rows:
            break
    return None


def _minimum(
    problem: Pinball, theta: np.ndarray | None = None, basis: np.ndarray | None = None
) -> Found:
    """The minimum, from a basis or from a point, if there is one. Raises NoMinimum without one."""
    if basis is not None:
        vertex = Vertex(problem, basis).descend()
        return Found.of(problem, vertex.theta, vertex.d, vertex.basis, True)
    found = None if theta is None else _narrowed(problem, theta, problem.n_rows // 2)
    if found is not None:
        return found
    at = near_minimum(problem)
    if not problem.has_ridge:
        return _minimum(problem, basis=some_basis(problem, freedom(problem, at)))
    best = from_inside(problem, at)
    while not best.is_minimum:
        after = nearer(problem, at)
        if after is None:
            break
        at = after
        other = from_inside(problem, at)
        best = other if other.is_minimum or other.gap < best.gap else best
    near = nearly_met(problem, at)
    # A walk through many rows would take long, and leave as much rounding
    as_near = meets_many(at.theta, near) and best.gap <= rounding(problem, best.theta)
    if best.is_minimum or as_near:
        return Found.of(problem, best.theta, best.d, np.flatnonzero(best.met), False)
    if best.gap == np.inf and theta is not None:  # most bands without a dual point hold no minimum
        raise NoMinimum
    last = descend(problem, at.theta, np.flatnonzero(near))
    if last is not None:
        return Found.of(problem, last.theta, last.d, last.met, False)
    if best.gap == np.inf:
        raise NoMinimum
    return Found.of(problem, best.theta, best.d, np.flatnonzero(best.met), False)


def _between_globs(
    problem: Pinball, theta: np.ndarray, m: int
) -> tuple[Found | None, np.ndarray, int]:
    """The minimum if the rows beyond the nearest m keep their sides; None if many do not.

    Also the best point found, and how many rows have changed their sides there.
    """
    n = problem.n_rows
    r = problem.residuals(theta)
    rows = np.sort(np.argpartition(np.abs(r[:n]), m)[:m])
    above = r > 0
    d = np.where(above, problem.high, problem.low)
    in_band = np.zeros(len(r), dtype=bool)
    in_band[rows], in_band[n:] = True, True
    d[in_band] = 0.0
    right = problem.right - problem.pulls(d)
    basis = None
    for _ in range(MOST_MENDS):
        band = problem.only(rows, right)
        try:
            found = _minimum(band, theta, basis)
        except NoMinimum:
            return None, theta, 0
        theta, basis = found.theta, found.basis
        r = problem.residuals(theta)
        wrong = ~in_band & np.where(above, r < 0, r > 0)
        moved = np.flatnonzero(wrong)
        if not len(moved):
            kept = np.concatenate([rows, np.arange(n, len(d))])
            d[kept] = found.d
            return Found(theta, d, None if basis is None else kept[basis]), theta, 0
        if len(moved) > FEW_WRONG * len(rows):
            return None, theta, len(moved)
        right = right + d[moved] @ problem.A[moved]
        d[moved], in_band[moved] = 0.0, True
        # The penalties stay behind the rows, so a basis moves with them
        if basis is not None:
            basis = np.where(basis < len(rows), basis, basis + len(moved))
        rows = np.concatenate([rows, moved])
    return None, theta, 0
