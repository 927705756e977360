"""Twice the working precision, by error-free transformations.

Sums and products of doubles are returned with their rounding errors, which are doubles too (Knuth
1969; Dekker 1971; Ogita, Rump and Oishi 2005). `longdouble` would do where it is longer than a
double, which it is not on every platform.
"""

from __future__ import annotations

import numpy as np


def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded sum, and its error: together exactly a + b."""
    total = a + b
    share = total - a
    return total, (a - (total - share)) + (b - share)


def two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded product, and its error: together exactly a * b, away from the range's ends."""
    product = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return product, a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)


def _halves(a):
    scaled = 134217729.0 * a  # 2^27 + 1
    high = scaled - (scaled - a)
    return high, a - high


def residual(x: np.ndarray, y: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The residual y - x w - b (m, t), right to an eps of itself even where it nearly vanishes."""
    high, low = two_sum(y, -b)
    for column, weights in zip(np.ascontiguousarray(x.T), w, strict=True):
        product, error = two_product(column[:, None], -weights)
        high, more = two_sum(high, product)
        low = low + (error + more)
    return high + low
