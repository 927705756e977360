"""Doubled: twice the working precision, by error-free transformations.

The rounding error of a sum or a product of doubles is a double too, so we keep both (Knuth 1969;
Dekker 1971; Ogita, Rump and Oishi 2005). We do not use `longdouble`, because some platforms make it
no longer than a double.
"""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from gd_regressor.arithmetic.frozen import frozen


def two_sum(a: np.ndarray, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """The rounded sum and its error. Together they are exactly a + b."""
    total = a + b
    share = total - a
    return total, (a - (total - share)) + (b - share)


def two_product(a: np.ndarray, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """The rounded product and its error. Together they are exactly a * b, if neither overflows."""
    product = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return product, a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)


def exact_products(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """Four arrays that add up to exactly a * b: products of halves have no rounding."""
    b1, b2 = _halves(b)
    return [half * other for half in _halves(a) for other in (b1, b2)]


def _halves(a):
    scaled = 134217729.0 * a  # 2^27 + 1
    high = scaled - (scaled - a)
    return high, a - high


EPS = np.finfo(np.float64).eps  # the relative distance of two neighbouring doubles
STRIP = 128  # rows of a matrix in one step, because doubled arithmetic takes much memory


@frozen
class Doubled:
    """An array of numbers high + low, where low is below an ulp of high: about 32 digits."""

    high: np.ndarray
    low: np.ndarray

    __array_ufunc__ = None  # so an array minus one of these asks `__rsub__`

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray | float = 0.0) -> Doubled:
        """The exact sum of two arrays of doubles."""
        return cls(*two_sum(a, b))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.high.shape

    def __getitem__(self, index) -> Doubled:
        return Doubled(self.high[index], self.low[index])

    def __add__(self, other: Doubled | np.ndarray) -> Doubled:
        high, low = parts(other)
        total, error = two_sum(self.high, high)
        return Doubled(*_quick_two_sum(total, error + (self.low + low)))

    def __neg__(self) -> Doubled:
        return Doubled(-self.high, -self.low)

    def __sub__(self, other: Doubled | np.ndarray) -> Doubled:
        return self + -other

    def __rsub__(self, other: np.ndarray) -> Doubled:
        return -self + other

    def __mul__(self, other: Doubled | np.ndarray | float) -> Doubled:
        high, low = parts(other)
        product, error = two_product(self.high, high)
        return Doubled(*_quick_two_sum(product, error + (self.high * low + self.low * high)))

    def sum(self, axis: int) -> Doubled:
        """The sum along an axis: an exact sum of leading bits, and a sum of the rest."""
        return _sum(self.high, self.low, axis)

    def dot(self, vector: np.ndarray) -> Doubled:
        """(t,): the product of a vector (d,) with these numbers (d, t)."""
        column = vector[:, None]
        high, low = two_product(self.high, column)
        low += self.low * column
        return _sum(high, low, axis=0)


def _sum(high: np.ndarray, low: np.ndarray, axis: int) -> Doubled:
    largest = np.abs(high).max(axis=axis, keepdims=True, initial=0.0)
    # The sum may have so many bits above the largest term
    spare = high.shape[axis].bit_length() + 1
    shift = np.ldexp(0.75, np.frexp(largest)[1] + spare)
    leading = high + shift
    leading -= shift
    rest = high - leading
    rest += low
    return Doubled(leading.sum(axis=axis), rest.sum(axis=axis))


def parts(a: Doubled | np.ndarray | float) -> tuple[Any, Any]:
    """The high and the low half of an array of either kind; doubles have 0 as the low half."""
    return (a.high, a.low) if isinstance(a, Doubled) else (a, 0.0)


def exact_sums(terms: np.ndarray) -> np.ndarray:
    """(t,): the sums of the columns of `terms` (m, t), rounded once."""
    try:
        return np.array([math.fsum(column) for column in terms.T.tolist()])
    except (OverflowError, ValueError):  # infinite terms, or an infinite sum
        return terms.sum(axis=0)


def _quick_two_sum(a, b):
    total = a + b
    return total, b - (total - a)


def residual(x: np.ndarray, y: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The residual y - x w - b (m, t), right to an eps of its size even if it nearly vanishes."""
    high, low = two_sum(y, -b)
    for column, weights in zip(np.ascontiguousarray(x.T), w, strict=True):
        product, error = two_product(column[:, None], -weights)
        high, more = two_sum(high, product)
        low = low + (error + more)
    return high + low


# A point of a descent: an array, or Doubled if the loss is `doubled`. It is Any, because no checker
# can follow that
Point = Any


def column_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(t,): the product of each column of `a` (p, t) with the same column of `b`."""
    return np.vecdot(a, b, axis=0)  # pyright: ignore[reportCallIssue]  # numpy's stubs lack `axis`


def plain(a: Doubled | np.ndarray) -> np.ndarray:
    """An array of doubles from an array of either kind."""
    return a.high + a.low if isinstance(a, Doubled) else a


def add_outer(total: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Add a b' in place, strip by strip: a strip is still in the cache when it is added."""
    for first in range(0, len(total), STRIP):
        i = slice(first, first + STRIP)
        total[i] += np.multiply.outer(a[i], b)
    return total


def plus_outer(matrices: list[Doubled], a: Doubled, b: Doubled) -> Doubled:
    """The sum of `matrices` and a b'.

    We work strip by strip, because the arithmetic needs several times the memory of its result.
    """
    strips = []
    for first in range(0, len(matrices[0].high), STRIP):
        i = slice(first, first + STRIP)
        strips.append(reduce(add, [m[i] for m in matrices]) + a[i, None] * b[None])
    return Doubled(*(np.concatenate([getattr(s, k) for s in strips]) for k in ("high", "low")))
