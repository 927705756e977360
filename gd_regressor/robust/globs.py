"""The least quantile loss of many rows: a sample, then a band of rows between two globs.

After Portnoy and Koenker (1997). Rows far from the fit of a sample keep their sides at the minimum,
so their sum is all that counts of them. Whether they kept their sides is checked on all rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gd_regressor.robust.interior import near_vertex
from gd_regressor.robust.pinball import Pinball
from gd_regressor.robust.vertex import NoMinimum, Vertex, some_basis

# A sample pays where it and a band are together fewer rows than all
ROWS_PER_SAMPLED = 3
# Bands, each twice as wide as the one before, until we take all rows
MOST_BANDS = 4
# A band that left out so few rows, as a share of its own, is mended by these rows
FEW_WRONG, MOST_MENDS = 0.1, 8


class Least(NamedTuple):
    """A minimum."""

    theta: np.ndarray  # (p,)
    d: np.ndarray | None  # (n,): the dual point; None if no vertex was found


def least(problem: Pinball) -> Least:
    """The minimum, at a vertex."""
    n, p = problem.A.shape
    if not p:
        return Least(np.zeros(0), np.where(problem.y > 0, problem.high, problem.low))
    m = int((n * p) ** (2 / 3))
    if n > ROWS_PER_SAMPLED * m:
        sample = np.sort(np.random.default_rng(0).choice(n, m, replace=False))
        theta, _ = near_vertex(problem.only(sample, problem.right))
        for _ in range(MOST_BANDS):
            found, theta = _between_globs(problem, theta, m)
            if found is not None:
                return found
            m *= 2
            if 2 * m > n:
                break
    theta, freedom = near_vertex(problem)
    try:
        vertex = Vertex(problem, some_basis(problem, freedom)).descend()
    except NoMinimum:
        return Least(theta, None)
    return Least(vertex.theta, vertex.d)


def _between_globs(problem: Pinball, theta: np.ndarray, m: int) -> tuple[Least | None, np.ndarray]:
    """The minimum if the rows beyond the nearest m keep their sides, and the best point found."""
    r = problem.residuals(theta)
    rows = np.sort(np.argpartition(np.abs(r), m)[:m])
    d = np.where(r > 0, problem.high, problem.low)
    d[rows] = 0.0
    right = problem.right - problem.A.T @ d
    band = problem.only(rows, right)
    basis = some_basis(band, near_vertex(band)[1])
    for _ in range(MOST_MENDS):
        try:
            vertex = Vertex(band, basis).descend()
        except NoMinimum:
            return None, theta
        theta, basis = vertex.theta, vertex.basis
        r = problem.residuals(theta)
        wrong = r * d < 0
        wrong[rows] = False
        moved = np.flatnonzero(wrong)
        if not len(moved):
            d[rows] = vertex.d
            return Least(theta, d), theta
        if len(moved) > FEW_WRONG * len(rows):
            return None, theta
        right = right + d[moved] @ problem.A[moved]
        d[moved] = 0.0
        rows = np.concatenate([rows, moved])
        band = problem.only(rows, right)
    return None, theta
