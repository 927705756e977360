"""Penalties: what they add to F, their prox, and how far a point is from the minimum."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.descent.nouns import Penalty
from gd_regressor.descent.records import Terms


def shrunk(v: np.ndarray, threshold: np.ndarray | float, positive: bool) -> np.ndarray:
    """The minimiser of (x - v)^2 / 2 + threshold |x|, over x >= 0 if `positive`."""
    if positive:
        return np.maximum(v - threshold, 0.0)
    return v - np.clip(v, -threshold, threshold)


@frozen
class ElasticNet(Penalty):
    """Per column, l1 |w| + l2 w^2 / 2 on the scale of scikit-learn's ElasticNet; F has twice that.

    With `positive` no coefficient may be below zero.
    """

    l1: np.ndarray  # (d, t), >= 0
    l2: np.ndarray  # (d, t), >= 0
    positive: bool = False

    @classmethod
    def of(cls, terms: Terms, scale: np.ndarray) -> ElasticNet:
        """That of coefficients of columns divided by `scale` (d,)."""
        return cls(*terms.in_units(scale))

    @property
    def n_columns(self) -> int:
        return len(self.l1)

    def value(self, w: np.ndarray) -> np.ndarray:
        added = 2 * self.l1 * np.abs(w) + self.l2 * w**2
        return np.add.reduce(added, axis=0)

    def decrease(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        # |w| at two ends of one sign differs by w itself, and a square by a product
        shorter = np.abs(before) - np.abs(after)
        fallen = 2 * self.l1 * shorter + self.l2 * (before - after) * (before + after)
        return np.add.reduce(fallen, axis=0)

    def prox(self, v: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        return shrunk(v, 2 * step * self.l1, self.positive) / (1 + 2 * step * self.l2)

    def subgradient(self, w: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """(d, t): of the subgradients of F the one of least norm. It is zero at a minimum alone.

        `slope` (d, t) is the gradient of the loss at coefficients `w` (d, t). Where w is zero, the
        penalty has all slopes from -2 l1 to 2 l1; held at zero, those below as well.
        """
        slope = slope + 2 * self.l2 * w
        if self.positive:
            at_zero = np.minimum(slope + 2 * self.l1, 0.0)
        else:
            at_zero = shrunk(slope, 2 * self.l1, positive=False)
        return np.where(w == 0, at_zero, slope + 2 * self.l1 * np.sign(w))

    def dual_gap(
        self, w: np.ndarray, v: np.ndarray, square: np.ndarray, gram: np.ndarray | None = None
    ) -> np.ndarray:
        # With l2 a point c r, r the residuals, belongs to two dual problems: that of F, where the
        # inequality of Fenchel and Young bounds each term, and that of a lasso with a row
        # sqrt(n l2) e_j more for each column. The smaller bound counts. No term is negative
        more = np.zeros_like(square)
        if gram is not None:
            v, square, more = self._without_loose(w, v, square, gram)
        return more + np.minimum(self._by_fenchel(w, v, square), self._by_rows(w, v, square))

    def _by_fenchel(self, w: np.ndarray, v: np.ndarray, square: np.ndarray) -> np.ndarray:
        smooth = self.l2 > 0
        share = self._share(np.where(smooth, 0.0, v))
        size = self._size(share * v)
        l2 = np.where(smooth, self.l2, np.inf)
        excess = np.maximum(size - self.l1, 0.0)
        # l1 |w| + l2 w^2 / 2 - c v w + excess^2 / (2 l2) is the sum of `kink` and `bend`
        held = share * v - np.sign(v) * excess
        kink = np.maximum(self.l1 * np.abs(w) - held * w, 0.0)
        bend = np.where(smooth, self.l2 * (w - np.sign(v) * excess / l2) ** 2 / 2, 0.0)
        return (1 - share) ** 2 / 2 * square + np.add.reduce(kink + bend, axis=0)

    def _by_rows(self, w: np.ndarray, v: np.ndarray, square: np.ndarray) -> np.ndarray:
        slope = v - self.l2 * w
        share = self._share(slope)
        square = square + np.add.reduce(self.l2 * w**2, axis=0)
        kink = np.maximum(self.l1 * np.abs(w) - share * w * slope, 0.0)
        return (1 - share) ** 2 / 2 * square + np.add.reduce(kink, axis=0)

    def _size(self, v: np.ndarray) -> np.ndarray:
        return np.maximum(v, 0.0) if self.positive else np.abs(v)

    def _share(self, v: np.ndarray) -> np.ndarray:
        """(t,): the largest c <= 1 for which c v is within l1."""
        size = self._size(v)
        shares = np.where(size > self.l1, self.l1 / np.maximum(size, SMALLEST_DIVISOR), 1.0)
        return np.minimum.reduce(shares, axis=0, initial=1.0)

    def _without_loose(self, w, v, square, gram) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """V and the square after the best move of columns without a penalty, and what it gains.

        For such columns no multiple of the residuals is a dual point unless v is zero there. We
        project the residuals on what is orthogonal to these columns, like on the intercept. Where
        `positive` holds their coefficients, v may be below zero. If it is above, the minimum is
        lower than F by at most v'w for its own coefficients w, whose fit is no longer than y:
        v'w <= root(v'Q^-1 v) root(V).
        """
        v, square, more = v.copy(), square.copy(), np.zeros_like(square)
        loose = (self.l1 == 0) & (self.l2 == 0)
        for j in np.flatnonzero(loose.any(axis=0)):
            on = np.flatnonzero(loose[:, j] & (v[:, j] > 0 if self.positive else True))
            if not on.size:
                continue
            move = _solved(gram[on[:, None], on], v[on, j])
            half = max(float(v[on, j] @ move), 0.0)
            if self.positive:
                whole = square[j] + w[:, j] @ (2 * v[:, j] + gram @ w[:, j])
                more[j] = np.sqrt(half) * np.sqrt(max(whole, 0.0))
            else:
                more[j], square[j] = half / 2, max(square[j] - half, 0.0)
                v[:, j] -= gram[:, on] @ move
            v[on, j] = 0.0
        return v, square, more


def _solved(gram: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution of a system of a Gram matrix. Null directions of the matrix count for nothing.

    We add what rounding may have taken from its eigenvalues, in units of the columns.
    """
    unit = np.sqrt(np.maximum(gram.diagonal(), SMALLEST_DIVISOR))
    lifted = gram / unit / unit[:, None]
    lifted.ravel()[:: len(unit) + 1] += 4 * EPS * len(unit)
    root, failed = lapack.dpotrf(lifted, lower=1)
    if failed:
        return np.linalg.pinv(gram, hermitian=True) @ right
    return lapack.dpotrs(root, right / unit, lower=1)[0] / unit
