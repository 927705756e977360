"""Powers of two as units: to multiply and divide by them rounds nothing."""

from __future__ import annotations

import numpy as np


def power_of_two_above(size: np.ndarray | float) -> np.ndarray:
    """The least power of two above each size; 1 for zero."""
    return np.ldexp(1.0, np.frexp(size)[1])


def power_of_two_near_root(square: np.ndarray) -> np.ndarray:
    """The power of two nearest to the root of each square; 1 for what is not positive."""
    # Half the exponent of a square is that of its root, rounded to the nearest; of 0 it is 0
    return np.ldexp(1.0, np.frexp(np.maximum(square, 0.0))[1] >> 1)
