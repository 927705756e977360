"""The minimum of kinks and a ridge, from face to face: an active set method, which never climbs.

A face is where the model meets some independent rows, and F is a parabola on it. From a point we go
towards the minimum of its face. The row at which F rises again joins the face. At the minimum of a
face, the row whose dual point is furthest beyond its bound leaves it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import qr, solve_triangular, svd

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.robust.cut import median
from gd_regressor.robust.pinball import Pinball

# Residuals, slopes and dual points are zero, or at a bound, up to so many eps of their terms
EDGE_ROUNDED_BY = 64
# Of a direction's largest product with a row: smaller ones would make a face near singular
LEAST_PRODUCT = 1e-10
# Rows that meet in one point are moved apart by this share of the largest target
MOVED_APART = 1e-8
# Steps of no length in a row, for each parameter, before we think that we turn in a circle
MOST_STILL = 3
# Faces, before we give up. A good start needs some more than it has parameters
MOST_FACES = 1000


class OnFace(NamedTuple):
    """A point, its dual point within its bounds, and the rows that it meets."""

    theta: np.ndarray  # (p,)
    d: np.ndarray  # (n,)
    met: np.ndarray  # (k,): their numbers


class Along(NamedTuple):
    """A step from a face."""

    length: float  # infinite if F falls without end
    turned: np.ndarray  # rows that change their sides on the way
    joins: np.ndarray  # the row that it meets at its end, if any


def descend(problem: Pinball, theta: np.ndarray, near: np.ndarray) -> OnFace | None:
    """The minimum, from a point that meets some of the rows `near` (m,); None if we lose the way.

    Where many rows meet in one point, the walk may turn in a circle of their faces. Then we move
    the rows apart, and begin at the minimum of these.
    """
    walk = _Walk(problem, theta, near, problem.residuals(theta) > 0)
    found = walk.end()
    if found is not None:
        return found
    apart = MOVED_APART * _size(problem) * np.random.default_rng(0).uniform(-1, 1, len(problem.y))
    apart = replace(problem, y=problem.y + apart)
    walk = _Walk(apart, walk.theta, walk.met, walk.above)
    if walk.end() is None:
        return None
    return _Walk(problem, walk.theta, walk.met, walk.above).end()


class _Walk:
    """Where the walk is: a point, the rows that it meets, and the sides of all others."""

    def __init__(
        self, problem: Pinball, theta: np.ndarray, near: np.ndarray, above: np.ndarray
    ) -> None:
        self._problem, self.theta, self.above = problem, theta, above
        self._units, self._widest = _units(problem), problem.widest()
        self.met = _independent(problem.A[near] * self._units, near)

    def end(self) -> OnFace | None:
        """The minimum; None if we lose the way."""
        low, high, still = self._problem.low, self._problem.high, 0
        for _ in range(MOST_FACES):
            face, r, d = self._on_face()
            p, met = face.way(self.theta, d), self.met
            if p.any():
                step = self._along(p, r, d)
                still = 0 if step.length > 0 else still + 1
                if step.length == np.inf or still > MOST_STILL * (len(p) + 1):
                    return None
                self.theta = self.theta + step.length * p
                self.above[step.turned] = ~self.above[step.turned]
                self.met = np.append(met, step.joins)
                continue
            of_met, rounding = face.dual(self.theta, d)
            over = np.maximum(of_met - high[met], low[met] - of_met)
            beyond = over > rounding
            if not beyond.any():
                d[met] = np.clip(of_met, low[met], high[met])
                return OnFace(self.theta, d, met)
            leaves = int(np.where(beyond, over / (high - low)[met], -1.0).argmax())
            self.above[met[leaves]] = of_met[leaves] > high[met[leaves]]
            self.met = np.delete(met, leaves)
        return None

    def _on_face(self) -> tuple[_Face, np.ndarray, np.ndarray]:
        """The face, residuals and dual point of all rows, zero for those that we meet."""
        problem, met = self._problem, self.met
        face = _Face.of(problem, met, self._units)
        theta = self.theta if len(met) < len(self.theta) else np.zeros(len(self.theta))
        for _ in range(2):  # the second time for what rounding has left of a long way
            theta = theta + face.back_from(theta)
        self.theta, r = theta, problem.residuals(theta)
        terms = np.abs(problem.y) + self._widest * np.abs(theta).sum() + EPS * _size(problem)
        noise = EDGE_ROUNDED_BY * EPS * terms
        r = np.where(np.abs(r) > noise, r, 0.0)
        r[met] = 0.0
        self.above = np.where(r != 0, r > 0, self.above)
        d = np.where(self.above, problem.high, problem.low)
        d[met] = 0.0
        return face, r, d

    def _along(self, p: np.ndarray, r: np.ndarray, d: np.ndarray) -> Along:
        """As far as F falls: to a row, or to where the ridge has taken all of the slope."""
        problem = self._problem
        v = problem.fitted(p)
        v[self.met] = 0.0
        toward, apart = (np.where(self.above, a, -a) for a in (v, r))
        rows = np.flatnonzero(toward > LEAST_PRODUCT * np.abs(v).max(initial=0.0))
        t = apart[rows] / toward[rows]
        order = np.argsort(t, kind="stable")
        rows, t = rows[order], t[order]
        slope, bend = float(problem.lacks(self.theta, d) @ p), 2 * float(problem.ridge @ p**2)
        rises = np.cumsum((problem.high - problem.low)[rows] * toward[rows])
        slopes = np.concatenate([[slope], slope + rises])  # between the rows, without the ridge
        ends = np.flatnonzero(slopes[1:] + bend * t >= 0)
        k = int(ends[0]) if len(ends) else len(rows)
        if bend > 0 and (k == len(rows) or slopes[k] + bend * t[k] >= 0):
            return Along(-slopes[k] / bend, rows[:k], rows[:0])
        if k == len(rows):
            return Along(np.inf, rows[:0], rows[:0])
        return Along(float(t[k]), rows[:k], rows[k : k + 1])


@frozen
class _Face:
    """The points that meet some rows. In units z = theta / units columns and ridge are about 1."""

    problem: Pinball
    met: np.ndarray  # (k,)
    units: np.ndarray  # (p,)
    normal: np.ndarray  # (p, k): an orthonormal basis of the met rows
    along: np.ndarray  # (p, p - k): one of the directions in the face
    root: np.ndarray  # (k, k): the met rows, transposed, are normal times root

    @classmethod
    def of(cls, problem: Pinball, met: np.ndarray, units: np.ndarray) -> _Face:
        k, p = len(met), len(units)
        if not k:  # older releases of SciPy take no empty matrix
            return cls(problem, met, units, np.empty((p, 0)), np.eye(p), np.empty((0, 0)))
        Q, R = qr((problem.A[met] * units).T, check_finite=False)
        return cls(problem, met, units, Q[:, :k], Q[:, k:], R[:k])

    def back_from(self, theta: np.ndarray) -> np.ndarray:
        """(p,): the way to the face from a point near it."""
        if not len(self.met):
            return np.zeros(len(theta))
        rest = self.problem.y[self.met] - self.problem.A[self.met] @ theta
        return self.units * (self.normal @ solve_triangular(self.root, rest, trans=1))

    def way(self, theta: np.ndarray, d: np.ndarray) -> np.ndarray:
        """(p,): the way to the minimum of the face, or a direction in which F is a falling line.

        It is zero if rounding is all that is left of the slope.
        """
        if not self.along.size:
            return np.zeros(len(theta))
        slope, noise = self._slope(theta, d)
        bent = self.units[:, None] * np.sqrt(2 * self.problem.ridge)[:, None] * self.along
        _, bends, axes = svd(bent, full_matrices=False, check_finite=False)
        axes = axes @ self.along.T
        steep = axes @ slope
        steep[np.abs(steep) <= np.abs(axes) @ noise] = 0.0
        flat = bends <= len(theta) * EPS * bends.max(initial=0.0)
        lines = flat & (steep != 0)
        step = np.zeros(len(axes))
        if lines.any():
            step[lines] = -steep[lines]
        else:
            step[~flat] = -steep[~flat] / bends[~flat] ** 2
            if -float(step @ steep) <= EPS * self.problem.value(theta):
                step[:] = 0.0
        return self.units * (step @ axes)

    def dual(self, theta: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The dual point (k,) of the met rows at the minimum of the face, and its rounding (k,)."""
        if not len(self.met):
            return np.zeros(0), np.zeros(0)
        slope, noise = self._slope(theta, d)
        of_slope = solve_triangular(self.root, self.normal.T, check_finite=False)
        return of_slope @ slope, np.abs(of_slope) @ noise

    def _slope(self, theta: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(p,): of F, in our units, and its rounding."""
        problem, units = self.problem, self.units
        ridge = np.abs(2 * problem.ridge * theta)
        noise = EDGE_ROUNDED_BY * EPS * units * (problem.terms(d) + ridge)
        return units * problem.lacks(theta, d), noise


def _units(problem: Pinball) -> np.ndarray:
    """(p,): those in which columns and ridge are about 1."""
    size = np.sqrt((problem.A**2).mean(axis=0) + problem.ridge)
    return 1 / np.where(size > 0, size, 1.0)


def _size(problem: Pinball) -> float:
    """That of most targets, because some may be far out."""
    size = np.abs(problem.y)
    return median(size[size > 0]) or 1.0


def _independent(A: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Those of some rows (m,), with columns A (m, p), that do not depend on each other."""
    if not len(rows):
        return rows
    R, order = qr(A.T, mode="r", pivoting=True, check_finite=False)
    pivots = np.abs(R.diagonal())
    return rows[order[: len(pivots)][pivots > LEAST_PRODUCT * pivots[0]]]
