"""Certificate: how far a point is from the minimum, where the cheap bound drowns in rounding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.descent.nouns import Penalty
from gd_regressor.objective.penalties import ElasticNet

# Rounding of v = q - Q w, in eps of the sizes that were added
SLOPE_ROUNDED = 4 * EPS
# We add so many eps for each column to the diagonal of a correlation matrix: rounding may have
# taken them from its eigenvalues
RAISED = 4 * EPS
# Below so many times that, a pivot tells that columns may depend on each other
UNRESOLVED = 64.0
# Columns leave their conditions when others meet theirs: so often we let them join
JOINED = 3


class Certified(Penalty):
    """An elastic net that looks for a better dual point where the residuals give a poor one.

    The residuals times a factor are a dual point only if the factor brings all slopes within l1.
    If l1 is as small as the rounding of the slopes, the factor is far from 1, and so is the bound
    from the truth. We project the residuals so that the columns in use meet their conditions.
    """

    def __init__(self, net: ElasticNet) -> None:
        self._net = net

    @property
    def n_columns(self) -> int:
        return self._net.n_columns

    def value(self, w: np.ndarray) -> np.ndarray:
        return self._net.value(w)

    def decrease(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return self._net.decrease(before, after)

    def prox(self, v: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        return self._net.prox(v, step)

    def dual_gap(
        self, w: np.ndarray, v: np.ndarray, square: np.ndarray, gram: np.ndarray | None = None
    ) -> np.ndarray:
        net = self._net
        gaps = net.dual_gap(w, v, square, gram)
        if gram is None:
            return gaps
        for j in np.flatnonzero((gaps > EPS * square) & w.any(axis=0)):
            point = _Point.of(w[:, j], v[:, j], net.l1[:, j], net.l2[:, j], net.positive, gram)
            gaps[j] = min(gaps[j], point.gap(float(square[j])))
        return np.minimum(gaps, (square + self.value(w)) / 2)  # F is at least zero


class _Point(NamedTuple):
    """A point of one target, in units of the columns.

    With a row root(l2) e_j more for each column we have a lasso, with products Q + l2 and slopes
    s = v - l2 w.
    """

    w: np.ndarray  # (d,)
    slope: np.ndarray  # (d,): s
    l1: np.ndarray  # (d,)
    share: np.ndarray  # (d,): of l2 in the diagonal of Q + l2, which is 1
    gram: np.ndarray  # (d, d): Q
    unit: np.ndarray  # (d,)
    positive: bool

    @classmethod
    def of(cls, w, v, l1, l2, positive: bool, gram: np.ndarray) -> _Point:
        unit = np.sqrt(np.maximum(gram.diagonal() + l2, SMALLEST_DIVISOR))
        share = l2 / unit / unit
        return cls(w * unit, v / unit - share * (w * unit), l1 / unit, share, gram, unit, positive)

    def gap(self, square: float) -> float:
        """The bound from projected residuals, with what rounding of the slopes may hide from it.

        From residuals r to r - X m we take the slopes of the columns A in use to l1 sign(w):
        (Q + l2) m = s - l1 sign(w) on A. The gap of the point c (r - X m) is
        ((1 - c)^2 r'r + 2 c (1 - c) s'm + c^2 m'(Q + l2) m) / 2 + (1 - c) sum l1 |w|.
        """
        rounding = SLOPE_ROUNDED * (float(np.abs(self.slope).max()) + float(np.linalg.norm(self.w)))
        signs = np.sign(np.where(self.w != 0, self.w, 1.0 if self.positive else self.slope))
        use = (self.w != 0) | (self._size(self.slope) > self.l1 - rounding)
        found = self._projected(use, signs)
        for _ in range(JOINED):
            broken = found is not None and found.size > self.l1
            if not np.any(broken):
                break
            use = use | broken
            found = self._projected(use, signs)
        if found is None:
            return np.inf
        size = np.maximum(found.size, SMALLEST_DIVISOR)
        c = float(np.where(found.size > self.l1, self.l1 / size, 1.0).min(initial=1.0))
        on = found.on
        square += float(self.share @ self.w**2)
        far = (1 - c) ** 2 * square + 2 * c * (1 - c) * float(self.slope[on] @ found.move)
        near = c**2 * float(found.move @ found.left)
        rest = (1 - c) * float(self.l1 @ np.abs(self.w)) + self._hidden(found.root, rounding)
        return max(far + near, 0.0) / 2 + rest

    def _size(self, slope: np.ndarray) -> np.ndarray:
        return slope if self.positive else np.abs(slope)

    def _projected(self, use: np.ndarray, signs: np.ndarray) -> _Projected | None:
        on = np.flatnonzero(use)
        left = (self.slope - self.l1 * signs)[on]
        columns = self.gram[on[:, None], on] / self.unit[on] / self.unit[on, None]
        columns.ravel()[:: len(on) + 1] += self.share[on] + RAISED * len(on)
        root, failed = lapack.dpotrf(columns, lower=1)
        if failed:
            return None
        move = lapack.dpotrs(root, left, lower=1)[0]
        size = self._size(self.slope - self.gram[:, on] @ (move / self.unit[on]) / self.unit)
        size[on] = self.l1[on]
        return _Projected(on, left, move, size, root)

    def _hidden(self, root: np.ndarray, rounding: float) -> float:
        """Slopes that are wrong by e hide at most e |w| on the way to the minimum.

        Where the columns do not depend on each other this way is short: e'(Q + l2)^-1 e.
        """
        hidden = 4 * rounding * float(np.linalg.norm(self.w))
        if root.diagonal().min(initial=1.0) ** 2 > UNRESOLVED * RAISED * len(root):
            inverse, _ = lapack.dtrtri(root, lower=1)
            hidden = min(hidden, rounding**2 * float((np.tril(inverse) ** 2).sum()))
        return hidden / 2


class _Projected(NamedTuple):
    on: np.ndarray  # (k,): the columns in use
    left: np.ndarray  # (k,): how far their slopes are from their conditions
    move: np.ndarray  # (k,): the m that takes this away
    size: np.ndarray  # (d,): of all slopes after it, to be compared with l1
    root: np.ndarray  # (k, k): Cholesky's factor
