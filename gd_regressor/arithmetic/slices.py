"""Matrix products in nearly twice the working precision, made by BLAS.

Products of numbers that have few bits have no rounding, and neither has a sum of them, in whatever
order it is made. So a matrix is cut into slices of its leading bits and a rest (Rump, Ogita and
Oishi 2008; Ozaki, Ogita, Oishi and Rump 2012).
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
    """A matrix as a sum: slices of leading bits, and the rest.

    Of 22 bits each where a sum has up to 512 terms: with two of them products are right to some 96
    bits of the largest term, with three to 118.
    """

    leading: tuple[np.ndarray, ...]
    rest: np.ndarray

    @classmethod
    def of(cls, matrix: Doubled, largest: np.ndarray, terms: int, count: int = 2) -> Slices:
        """`count` slices, for sums of so many terms; `largest` bounds the entries.

        Times those of the other factor it must be the same, but for powers of two, for all terms
        of a sum: they have one last bit then.
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
        """The product, of as many slices on either side."""
        count, tails = len(self.leading), [other.rest]  # what is below each slice of the other
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
