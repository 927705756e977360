"""On a root: the minimum where products of columns have too few digits, by faces of R.

Products square the condition number. So we solve for known signs by QR of columns of R, and take
the slopes from residuals of twice the working precision. Signs change one at a time, since a step
ends at the first coefficient that becomes zero, so F falls from face to face and the search ends
(Osborne, Presnell and Turlach 2000b). It begins near the minimum and needs few of these changes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.doubled import EPS, Doubled, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.objective.penalties import ElasticNet

# Rounding of a slope that is known beyond its own digits, as a share of its parts
SURE = 16 * EPS
# A step on a face is worth another one if it leaves at most this share of what is left
GAINING = 0.5
# Steps on faces for each column, at most
FACES = 6

# Of a point (d,): q - Q w (d,)
Slopes = Callable[[Doubled], np.ndarray]


@frozen
class OnRoot:
    """|R w - c|^2 / 2 + sum l1 |w| + sum l2 w^2 / 2 for one target, where R has about unit columns.

    Its minimum is where v - l2 w = l1 sign(w) in the coordinates that are not zero, and |v| <= l1
    in the others, for v = R'(c - R w). (With `positive`, w >= 0 and v <= l1.)
    """

    root: np.ndarray  # (m, d): R
    right: np.ndarray  # (m,): c
    net: ElasticNet  # of one target
    noise: float  # the rounding of R, relative to its columns

    def slopes(self, w: Doubled) -> np.ndarray:
        """(d,): v at `w`, with the rounding of the residuals' size."""
        residuals = Doubled(self.right, np.zeros_like(self.right))
        for column, high, low in zip(self.root.T, w.high, w.low, strict=True):
            residuals = residuals - Doubled(column, np.zeros_like(column)) * Doubled(high, low)
        return self.root.T @ plain(residuals)

    def least(self, slopes: Slopes, start: Doubled, rounding: float) -> tuple[Doubled, bool]:
        """The minimiser (d,) for exact `slopes` up to `rounding`, and whether we found it.

        These are slopes of R or of the rows that R is of.
        """
        l1, l2, positive = self.net.l1[:, 0], self.net.l2[:, 0], self.net.positive
        free = (l1 == 0) & (not positive)
        w, left_before = start, np.inf
        signs = np.where(free, 1.0, np.sign(start.high))
        for _ in range(FACES * (len(l1) + 1)):
            v, bent = slopes(w), l2 * plain(w)
            sure = SURE * (l1 + np.abs(bent)) + rounding
            left = np.where(signs != 0, v - bent - signs * l1, 0.0)
            size = float((np.abs(left) / sure).max(initial=0.0))
            if size > 1 and size < GAINING * left_before:
                w, signs, kinked = self._step(w, left, signs, free)
                left_before = np.inf if kinked else size
                continue
            excess = np.where(signs == 0, (v if positive else np.abs(v)) - l1 - sure, 0.0)
            entering = int(np.argmax(excess))
            if excess[entering] <= 0:
                return w, True
            signs[entering] = np.sign(v[entering])
            left_before = np.inf
        return w, False

    def _step(self, w: Doubled, left, signs, free) -> tuple[Doubled, np.ndarray, bool]:
        """The step of a face, or to its edge: the point, its signs, and whether they changed."""
        on = np.flatnonzero(signs)
        move, here = np.zeros(len(signs)), plain(w)
        move[on] = self._solved(on, left[on])
        against = (signs != 0) & ~free & ((here + move) * signs <= 0)
        reach = np.where(against, np.abs(here) / np.maximum(np.abs(move), np.abs(here)), 1.0)
        reach[against & (here == 0)] = 0.0
        share = float(reach.min())
        ending = against & (reach == share)
        w = w + share * move
        kept = np.where(ending, 0.0, 1.0)
        return Doubled(w.high * kept, w.low * kept), signs * kept, bool(ending.any())

    def _solved(self, on: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(R_A'R_A + l2)^-1 `right`, by R of R_A above the roots of l2."""
        # A little more than l2, so that directions which are rounding of R have an end
        bend = np.sqrt(self.net.l2[on, 0] + self.noise**2)
        stack = np.vstack([self.root[:, on], np.diag(bend)])
        triangle = np.asfortranarray(np.linalg.qr(stack, mode="r"))
        half = lapack.dtrtrs(triangle, right, trans=1)[0]
        return lapack.dtrtrs(triangle, half)[0]
