"""Homotopy: minimisers on moments while the penalty falls, in batches of changes of sign.

While no sign changes, the minimiser is a line in the strength of the penalty (Osborne, Presnell and
Turlach 2000). One factor of the columns in use gives this line, and all strengths at which a sign
would change if no other did. The classical homotopy goes on to the first of them. We go on to the
K-th, where the signs are wrong in about K places, and correct them by an active set. It needs few
solves from so near, where it often cycles from further away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen

# Changes of sign in one batch, as a share of the coefficients in use, and at least. Twice as many
# need as many solves, because more of them are needed to correct one batch
BATCH, SMALLEST_BATCH = 0.15, 5
# Before the last batch, this share of the signs of a batch may stay wrong: the next one corrects
# them
LEFT_WRONG = 0.5
# A batch that so many solves do not correct is cut to a QUARTER. Those after it grow again
CORRECTIONS, QUARTER = 12, 4
# Coefficients that one solve may add, as a share of those in use: with more of them at once, their
# signs are often wrong
ADDED = 0.3
# A pivot below this share of its column's square tells that the columns in use depend on others
INDEPENDENT = 1e-10
# Rounding of v = q - Q w, in eps of the largest slope
UNSURE = 64 * EPS


@frozen
class Falling:
    """w'Qw/2 - q'w + c sum u |w| + sum l2 w^2 / 2 for all strengths c, over w >= 0 if `positive`.

    `v` stands for q - Q w - l2 w. A minimiser has v = c u sign(w) where w is not zero, and
    |v| <= c u elsewhere. (With `positive`, v <= c u.)
    """

    gram: np.ndarray  # (m, m): Q
    slope: np.ndarray  # (m,): q
    unit: np.ndarray  # (m,): u >= 0
    l2: np.ndarray  # (m,)
    positive: bool

    @cached_property
    def free(self) -> np.ndarray:
        """(m,): the coordinates without a kink. They are always in use."""
        return np.zeros(len(self.unit), dtype=bool) if self.positive else self.unit == 0

    @cached_property
    def rounding(self) -> float:
        return UNSURE * float(np.abs(self.slope).max(initial=0.0))

    def beyond(self, v: np.ndarray, c: float) -> np.ndarray:
        """(m,): where |v| is above c u by more than rounding."""
        return (v if self.positive else np.abs(v)) > c * self.unit + self.rounding

    def line(self, signs: np.ndarray) -> Line:
        """The minimisers while these signs hold. Columns that depend on others get the sign 0."""
        while True:
            on = np.flatnonzero(signs)
            rows = self.gram[on]
            columns = np.asfortranarray(rows[:, on])  # as LAPACK needs it
            columns.ravel(order="K")[:: on.size + 1] += self.l2[on]
            square = columns.diagonal().copy()
            root, failed = lapack.dpotrf(columns, lower=1, clean=0, overwrite_a=1)
            dependent = root.diagonal() ** 2 < INDEPENDENT * square
            if failed:  # behind this pivot there are none
                dependent[failed - 1 :] = np.arange(on.size - failed + 1) == 0
            if not dependent.any():
                break
            signs = signs.copy()
            signs[on[dependent]] = 0.0
        sides = np.zeros((2, len(signs)))
        right = np.stack([self.slope[on], signs[on] * self.unit[on]], axis=1)
        found = lapack.dpotrs(root, right, lower=1)[0].T if on.size else right.T
        sides[:, on] = found
        products = found @ rows + sides * self.l2
        return Line(signs, sides[0], sides[1], self.slope - products[0], products[1])


class Line(NamedTuple):
    """Points w - c `w_fall` with v + c `v_rise`: the minimisers while no sign changes."""

    signs: np.ndarray  # (m,): 0 for the coefficients that are not in use
    w: np.ndarray
    w_fall: np.ndarray
    v: np.ndarray
    v_rise: np.ndarray

    def at(self, c: float) -> np.ndarray:
        return self.w - c * self.w_fall

    def v_at(self, c: float) -> np.ndarray:
        return self.v + c * self.v_rise

    def signs_at(self, problem: Falling, c: float) -> np.ndarray:
        """(m,): the signs at `c`, where those leave zero that break the condition on v."""
        kept = (self.at(c) * self.signs > 0) | problem.free
        v, on = self.v_at(c), self.signs != 0
        new = np.flatnonzero(~on & problem.beyond(v, c))
        most = max(int(ADDED * np.count_nonzero(on)), SMALLEST_BATCH)
        if len(new) > most:
            size = np.abs(v[new]) / problem.unit[new]
            new = new[np.argpartition(-size, most - 1)[:most]]
        signs = np.where(kept, self.signs, 0.0)
        signs[new] = np.sign(v[new])
        return signs

    def kinks(self, problem: Falling, above: float, below: float) -> np.ndarray:
        """The strengths between two at which one coordinate would change its sign."""
        on = self.signs != 0
        with np.errstate(all="ignore"):
            leaving = (self.w / self.w_fall)[on & ~problem.free]
            up = (self.v / (problem.unit - self.v_rise))[~on]
            down = (-self.v / (problem.unit + self.v_rise))[~on]
        entering = up if problem.positive else np.concatenate([up, down])
        found = np.concatenate([leaving, entering])
        return found[(found > above) & (found < below)]


def followed(
    problem: Falling, start: np.ndarray, c: float, to: float
) -> tuple[np.ndarray, float, int]:
    """The minimiser at the strength `to`, from a point `start` (m,) near that at `c` > `to`.

    Returns the point w (m,), its strength, and the number of solves. The strength is above `to`
    where columns that depend on others end the way, and inf where it could not begin.
    """
    line, solves = _corrected(problem, np.where(problem.free, 1.0, np.sign(start)), c, 0)
    if line is None:
        return start, np.inf, solves
    batch = _batch(line)
    while c > to:
        kinks = line.kinks(problem, to, c)
        ahead = to if len(kinks) <= batch else float(np.partition(kinks, -batch - 1)[-batch - 1])
        slack = 0 if ahead == to else int(LEFT_WRONG * batch)
        following, more = _corrected(problem, line.signs_at(problem, ahead), ahead, slack)
        solves += more
        if following is not None:
            line, c = following, ahead
            batch = min(QUARTER * batch, _batch(line))
        elif batch > 1:
            batch = max(batch // QUARTER, 1)
        else:
            break
    return line.at(c), c, solves


def _batch(line: Line) -> int:
    return max(int(BATCH * np.count_nonzero(line.signs)), SMALLEST_BATCH)


def _corrected(
    problem: Falling, signs: np.ndarray, c: float, slack: int
) -> tuple[Line | None, int]:
    """The line that holds the minimiser at `c`, from signs that are nearly right; and the solves.

    At most `slack` signs may be wrong.

    None if the active set (Hintermueller, Ito and Kunisch 2002) does not settle.
    """
    for solves in range(1, CORRECTIONS + 1):
        line = problem.line(signs)
        right = line.signs_at(problem, c)
        if np.count_nonzero(right != line.signs) <= slack:
            return line, solves
        signs = right
    return None, CORRECTIONS
