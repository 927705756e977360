"""Powers of two as units: to multiply or divide by them is exact."""

from __future__ import annotations

import numpy as np

# The exponent of the largest power of two that is a float
LAST_EXPONENT = np.finfo(np.float64).maxexp - 1


def power_of_two_above(size: np.ndarray | float) -> np.ndarray:
    """The least power of two above each size, or the largest there is; 1 for zero."""
    return np.ldexp(1.0, np.minimum(np.frexp(size)[1], LAST_EXPONENT))


def power_of_two_near_root(square: np.ndarray) -> np.ndarray:
    """The power of two nearest to the root of each square; 1 for squares that are not positive."""
    # The root has half the exponent of the square. frexp gives 0 the exponent 0
    return np.ldexp(1.0, np.frexp(np.maximum(square, 0.0))[1] >> 1)
