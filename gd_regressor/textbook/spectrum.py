"""The path of a constant step in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.descent.nouns import Path
from gd_regressor.descent.records import Bound, Records
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.needed import updates_needed
from gd_regressor.textbook.polynomials import Shrinking, shrinking

# Entries of the arrays over updates and eigenvectors: so many stay in the cache
ENTRIES_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Spectrum(Path):
    """Descent with a constant step, in the coordinates V'theta of the singular vectors.

    A = U S V' are the columns (and a column of ones) divided by the root of the weight. z = U'y is
    the response, and r = U'(y - A theta_0) the response of the residuals at the start. With
    h = 2 rate S^2 we have after k updates

        V'theta = p_k(h) V'theta_0 + 2 rate S q_k(h) z,   F = F_min + sum_i (r_i p_k(h_i))^2.

    F - F_min is a sum of squares, so it is never negative. A good start makes r small, and a far
    start fades with p_k: neither leaves its rounding in small numbers.
    """

    step: ConstantStep
    modes: Modes  # those that move

    gap_is = Bound.EXACT

    @property
    def minimum(self) -> np.ndarray:
        return self.modes.minimum

    @property
    def stride(self) -> int:
        return max(ENTRIES_AT_ONCE // max(len(self.modes.singular), 1), 1)

    def needed(self, distance: np.ndarray) -> float:
        rate, momentum = np.array([self.step.rate]), np.array([self.step.momentum])
        return float(updates_needed(self.modes, rate, momentum, distance)[0])

    def at(self, k: int) -> np.ndarray:
        return self.points(np.array([k]))[0][0]

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        modes, k = self.modes, _column(ks)
        p, _ = self._shrinking.left(k)
        q = 2 * self.step.rate * modes.singular * self._shrinking.total(k)
        moved = p[:, :, None] * modes.start + q[:, :, None] * modes.response
        thetas = modes.still + modes.vectors @ moved
        thetas[k[:, 0] == 0] = modes.origin  # without the rounding of V V'
        return thetas, modes.minimum + p**2 @ modes.residual**2

    def gradients(self, ks: np.ndarray) -> np.ndarray:
        modes = self.modes  # F = F_min + |r - S V'(theta - theta_0)|^2, and p_k r is left of r
        p, _ = self._shrinking.left(_column(ks))
        left = p[:, :, None] * modes.residual
        return modes.vectors @ (-2 * modes.singular[:, None] * left)

    def records(self, first: int, last: int) -> Records:
        return self.sampled(np.arange(first, last + 1))

    def sampled(self, ks: np.ndarray) -> Records:
        """What is known of the iterates `ks` (m,), wherever they are."""
        h, squares = self._h, self.modes.residual**2
        p, d = self._shrinking.left(_column(ks))
        gaps = p**2 @ squares
        # F_{k-1} - F_k, from p_{k-1}^2 - p_k^2 = h D_k (2 p_k + h D_k)
        fall = h * d
        return Records(self.modes.minimum + gaps, (fall * (2 * p + fall)) @ squares, lambda: gaps)

    @property
    def _h(self) -> np.ndarray:
        return 2 * self.step.rate * self.modes.singular**2

    @cached_property
    def _shrinking(self) -> Shrinking:
        return shrinking(self._h, self.step.momentum)


def _column(ks: np.ndarray) -> np.ndarray:
    return np.asarray(ks, dtype=np.float64)[:, None]
