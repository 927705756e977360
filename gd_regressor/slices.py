"""Matrix products in nearly twice the working precision, made by BLAS.

Products of numbers that have few bits have no rounding, and neither has a sum of them, in whatever
order it is made. So a matrix is cut into slices of its leading bits and a rest (Rump, Ogita and
Oishi 2008; Ozaki, Ogita, Oishi and Rump 2012).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gd_regressor.doubled import Doubled
from gd_regressor.threads import product


def bits_of(terms: int) -> int:
    """As many as leave no rounding in a sum of so many products of two numbers that have them."""
    return (53 - math.ceil(math.log2(max(terms, 2)))) // 2


def leading_bits(values: np.ndarray, largest: np.ndarray, bits: int) -> np.ndarray:
    """Each entry rounded to `bits` bits below the power of two above `largest`."""
    shift = np.ldexp(0.75, np.frexp(largest)[1] + 53 - bits)
    rounded = values + shift
    rounded -= shift
    return rounded


def largest_of(table: np.ndarray) -> np.ndarray:
    """(d,): the size of the largest entry of each column."""
    return np.maximum(table.max(axis=0, initial=0.0), -table.min(axis=0, initial=0.0))


@dataclass(frozen=True)
class Slices:
    """A matrix as the sum of three: two of leading bits, and the rest.

    Of 22 bits each where a sum has up to 512 terms: the products are right to some 96 bits of the
    largest term.
    """

    first: np.ndarray
    second: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, matrix: Doubled, largest: np.ndarray, terms: int) -> Slices:
        """For sums of so many terms; `largest` bounds the entries.

        Times those of the other factor it must be the same, but for powers of two, for all terms
        of a sum: they have one last bit then.
        """
        bits = bits_of(terms)
        first = leading_bits(matrix.high, largest, bits)
        rest = matrix.high - first
        second = leading_bits(rest, np.ldexp(largest, -bits), bits)
        rest -= second
        rest += matrix.low
        return cls(first, second, rest)

    @property
    def T(self) -> Slices:
        return Slices(self.first.T, self.second.T, self.rest.T)

    def __matmul__(self, other: Slices) -> Doubled:
        below = other.second + other.rest
        whole = other.first + below
        small = product(self.first, other.rest)
        small += product(self.second, below)
        small += product(self.rest, whole)
        large = Doubled.of(product(self.first, other.first), product(self.first, other.second))
        return large + product(self.second, other.first) + small


def square(matrix: np.ndarray) -> Doubled:
    """A'A."""
    slices = Slices.of(Doubled.of(matrix), largest_of(matrix), len(matrix))
    return slices.T @ slices
