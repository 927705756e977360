"""Face: a penalised quadratic in the units of its columns, and its minimum for known signs."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.objective.penalties import shrunk

# Rounding of v = q - Q w, in eps of the sizes that were added
ROUNDED = 8 * EPS
# What we add to the diagonal for Cholesky's method, in eps times the root of the columns' number.
# It makes a singular face solvable. Steps of refinement take its effect away
LIFTED = 128 * EPS
REFINED = 8  # steps of refinement at most
REPAIRED = 100.0  # times that, where rounding of Q is larger still


@frozen
class Penalised:
    """w'Qw/2 - q'w + sum l1 |w| + sum l2 w^2 / 2, where Q has about ones on its diagonal.

    `v` stands for q - Q w. A point is the minimum where v - l2 w = l1 sign(w) in the coordinates
    that are not zero, and |v| <= l1 in the others. (With `positive`, w >= 0 and v <= l1.)
    """

    gram: np.ndarray  # (d, d): Q
    slope: np.ndarray  # (d,): q
    l1: np.ndarray  # (d,)
    l2: np.ndarray  # (d,)
    positive: bool

    @cached_property
    def free(self) -> np.ndarray:
        """(d,): the coordinates that have no kink."""
        return np.zeros(len(self.l1), dtype=bool) if self.positive else self.l1 == 0

    @cached_property
    def largest(self) -> float:
        """The size of the largest entry of q."""
        return float(np.abs(self.slope).max(initial=0.0))

    @cached_property
    def lift(self) -> float:
        """What we add to the diagonal of a face."""
        return LIFTED * math.sqrt(len(self.slope))

    def signs_of(self, w: np.ndarray) -> np.ndarray:
        """(d,): the signs of the coefficients; 1 for those that have no kink."""
        return np.where(self.free, 1.0, np.sign(w))

    def signs(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(d,): the signs at `w`, where zeros leave that break the condition on `v`."""
        signs = self.signs_of(w)
        leaving = self.breaks(w, v) & (signs == 0)
        return np.where(leaving, np.sign(v), signs)

    def breaks(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(d,): where a coefficient of zero would break the condition, by more than rounding."""
        size = v if self.positive else np.abs(v)
        return size > self.l1 + self._rounding(w)

    def _rounding(self, w: np.ndarray) -> float:
        """The rounding of v at `w`."""
        return ROUNDED * (self.largest + float(np.abs(w).sum()))

    def on_face(self, signs: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The minimiser w (d,) among points with these signs, if no sign held it; and its v (d,).

        If there are several, we take one near to `near`.
        """
        w, on = np.zeros(len(signs)), np.flatnonzero(signs)
        if not on.size:
            return w, self.slope.copy()
        rows = self.gram[on]
        columns = rows[:, on]
        # Free columns that depend on each other need no sign, and would keep rounding of long moves
        l2, near = self.l2[on], np.where(self.free, 0.0, near)[on]
        right = self.slope[on] - signs[on] * self.l1[on]
        root, lift = self._root(columns, l2)
        point = lapack.dpotrs(root, right + lift * near, lower=1)[0]
        for _ in range(REFINED):
            left = right - columns @ point - l2 * point
            if np.abs(left).max() <= self._rounding(point) / 4:
                break
            point += lapack.dpotrs(root, left, lower=1)[0]
        w[on] = point
        return w, self.slope - point @ rows

    def _root(self, columns: np.ndarray, l2: np.ndarray) -> tuple[np.ndarray, float]:
        """Cholesky's factor of the columns with l2 and the lift on the diagonal, and the lift."""
        lift, k = self.lift, len(l2)
        while True:
            lifted = columns.T.copy(order="F")
            lifted.ravel(order="K")[:: k + 1] += l2 + lift
            root, failed = lapack.dpotrf(lifted, lower=1, clean=0, overwrite_a=1)
            if not failed:
                return root, lift
            lift *= REPAIRED

    def agrees(self, w: np.ndarray, v: np.ndarray, signs: np.ndarray) -> bool:
        """Whether the minimiser on a face is the minimiser of all."""
        on = signs != 0
        left = np.abs(v - self.l2 * w - self.l1 * signs) <= self._rounding(w)
        held = ((w * signs > 0) | self.free) & left
        return bool(np.where(on, held, ~self.breaks(w, v)).all())

    def change(self, w: np.ndarray, v: np.ndarray, to: np.ndarray, v_to: np.ndarray) -> float:
        """What a move from `w` to `to` adds to the objective, free of the rounding of this."""
        move = to - w
        smooth = move @ (self.l2 * (w + to) - v - v_to) / 2
        return float(smooth + self.l1 @ (np.abs(to) - np.abs(w)))

    def prox(self, u: np.ndarray, weight: float) -> np.ndarray:
        """The minimiser x of weight |x - u|^2 / 2 + sum l1 |x| + sum l2 x^2 / 2."""
        return shrunk(u, self.l1 / weight, self.positive) / (1 + self.l2 / weight)
