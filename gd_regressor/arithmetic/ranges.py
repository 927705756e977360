"""How far numbers keep from the ends of the range of floats.

Powers of them, and sums of these, must neither overflow nor vanish. So each bound is a power of ten
that leaves some decades to the largest float, or to the smallest one that has all its digits.
"""

from __future__ import annotations

import math

import numpy as np


def below_largest(decades: int, *, power: int = 1, dtype: type = np.float64) -> float:
    """The largest power of ten whose `power` is so many decades below the largest float."""
    highest = math.floor(math.log10(np.finfo(dtype).max))
    return float(f"1e{(highest - decades) // power}")


def above_smallest(decades: int, *, power: int = 1, dtype: type = np.float64) -> float:
    """The smallest power of ten whose `power` is so many decades above the smallest float."""
    lowest = math.ceil(math.log10(np.finfo(dtype).tiny))
    return float(f"1e{-((-lowest - decades) // power)}")


# A mean square of targets: the loss may grow beyond it, and sums over all rows are larger still
ABOVE_SQUARE = 18  # decades
SMALLEST_SQUARE, LARGEST_SQUARE = above_smallest(37), below_largest(ABOVE_SQUARE)
# A number whose square is made: sums of a hundred million such squares are finite
SMALLEST_ROOT, LARGEST_ROOT = above_smallest(27, power=2), below_largest(8, power=2)
# The scatter of a column: the product of two leaves room for weights
SMALLEST_SCATTER, LARGEST_SCATTER = above_smallest(67, power=2), below_largest(68, power=2)
# A weight: its product with two others is finite
MOST_WEIGHT = below_largest(8, power=3)
# What we divide by, and what we multiply by: with numbers up to a hundred million that is finite
SMALLEST_DIVISOR, LARGEST_FACTOR = above_smallest(7), below_largest(8)
# The distance of two values: below the largest power of two, 9e307
WIDEST = 8e307
# The unit of a column that is cut into slices: squares of it and of what it is cut with are finite
FINEST, COARSEST = 2.0**-400, 2.0**400
# In single precision a sum of squares: a thousand of them are finite
SMALLEST_SINGLE, LARGEST_SINGLE = (
    above_smallest(7, dtype=np.float32),
    below_largest(3, dtype=np.float32),
)
# In single precision a number: products of three of them are finite
LEAST_SINGLE_FACTOR, MOST_SINGLE_FACTOR = (
    above_smallest(1, power=3, dtype=np.float32),
    below_largest(2, power=3, dtype=np.float32),
)
