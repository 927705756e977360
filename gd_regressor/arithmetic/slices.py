"""Matrix products in nearly twice the working precision, by BLAS.

Products of numbers with few bits are exact, and so is a sum of them, in any order. So we cut a
matrix into slices of its leading bits and a rest (Rump, Ogita and Oishi 2008; Ozaki, Ogita, Oishi
and Rump 2012).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from gd_regressor.arithmetic.doubled import Doubled
from gd_regressor.arithmetic.threads import product


def bits_of(terms: int) -> int:
    """The most bits of factors with which a sum of so many products is exact."""
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
    """A matrix as a sum: slices of leading bits, and the rest.

    For sums of up to 512 terms a slice has 22 bits. Then products from two slices are right to some
    96 bits below the largest term. From three slices they are right to 118 bits.
    """

    leading: tuple[np.ndarray, ...]
    rest: np.ndarray

    @classmethod
    def of(cls, matrix: Doubled, largest: np.ndarray, terms: int, count: int = 2) -> Slices:
        """`count` slices, for sums of so many terms; `largest` bounds the entries.

        For all terms of a sum, `largest` times the other factor's `largest` must be the same up to
        powers of two. Then the products of slices have one common last bit.
        """
        bits = bits_of(terms)
        leading = [leading_bits(matrix.high, largest, bits)]
        rest = matrix.high - leading[0]
        for number in range(1, count):
            leading.append(leading_bits(rest, np.ldexp(largest, -number * bits), bits))
            rest -= leading[-1]
        rest += matrix.low
        return cls(tuple(leading), rest)

    @property
    def T(self) -> Slices:
        return Slices(tuple(part.T for part in self.leading), self.rest.T)

    def __matmul__(self, other: Slices) -> Doubled:
        """The product of two matrices with the same number of slices."""
        count, tails = len(self.leading), [other.rest]  # the sums below each slice of `other`
        for part in reversed(other.leading):
            tails.append(tails[-1] + part)
        small = product(self.rest, tails[count])
        for i, part in enumerate(self.leading):
            small += product(part, tails[i])
        pairs = [(i, j) for i in range(count) for j in range(count - i)]
        exact = (product(self.leading[i], other.leading[j]) for i, j in reversed(pairs))
        return reduce(add, exact, Doubled.of(small, next(exact)))


def square(matrix: np.ndarray) -> Doubled:
    """A'A."""
    slices = Slices.of(Doubled.of(matrix), largest_of(matrix), len(matrix))
    return slices.T @ slices
