"""Penalties: what they add to F, their prox, and how far a point is from the minimum."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.descent.nouns import Penalty


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

    l1: np.ndarray  # (d, t) or (d, 1), >= 0
    l2: np.ndarray  # (d, t) or (d, 1), >= 0
    positive: bool = False

    def value(self, w: np.ndarray) -> np.ndarray:
        added = 2 * self.l1 * np.abs(w) + self.l2 * w**2
        return np.add.reduce(added, axis=0)

    def prox(self, v: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        return shrunk(v, 2 * step * self.l1, self.positive) / (1 + 2 * step * self.l2)

    def dual_gap(self, w: np.ndarray, v: np.ndarray, square: np.ndarray) -> np.ndarray:
        # The dual point is c r for the residuals r. With l2 it is a point of two dual problems: of
        # this one, by the inequality of Fenchel and Young, and of a lasso with a row
        # sqrt(n l2) e_j more for each column. Both give a bound. Neither has a negative term
        smooth = self.l2 > 0
        shares = self._share(np.where(smooth, 0.0, v))
        excess = np.maximum(self._size(shares * v) - self.l1, 0.0)
        conjugate = excess**2 / np.where(smooth, 2 * self.l2, np.inf)
        young = (
            np.maximum(self.l1 * np.abs(w) + self.l2 * w**2 / 2 - shares * w * v, -conjugate)
            + conjugate
        )
        gap = (1 - shares) ** 2 / 2 * square + np.add.reduce(young, axis=0)
        slope = v - self.l2 * w
        shares = self._share(slope)
        rows = square + np.add.reduce(self.l2 * w**2, axis=0)
        terms = np.maximum(self.l1 * np.abs(w) - shares * w * slope, 0.0)
        return np.minimum(gap, (1 - shares) ** 2 / 2 * rows + np.add.reduce(terms, axis=0))

    def _size(self, v: np.ndarray) -> np.ndarray:
        return np.maximum(v, 0.0) if self.positive else np.abs(v)

    def _share(self, v: np.ndarray) -> np.ndarray:
        """(t,): the largest c <= 1 for which c v is within l1."""
        size = self._size(v)
        shares = np.where(size > self.l1, self.l1 / np.maximum(size, SMALLEST_DIVISOR), 1.0)
        return np.minimum.reduce(shares, axis=0, initial=1.0)
