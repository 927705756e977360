"""What rounding leaves: of sums, of descents, and of columns with a condition number."""

from __future__ import annotations

import math

import numpy as np

from gd_regressor.arithmetic.doubled import EPS

# What a descent on the rows leaves of well-conditioned coefficients, as a share of the largest
DESCENDED = 64 * EPS


def condition_for(digits: float, *, power: int, dtype: type = np.float64) -> float:
    """The condition number up to which an error leaves so many digits.

    The error is eps times this `power` of the condition number. Where to switch is measured, and
    known to one digit of the condition number at best: it is rounded to that.
    """
    lost = -math.log10(np.finfo(dtype).eps) - digits
    return float(f"{10 ** (lost / power):.0e}")


def of_combination(terms: int) -> float:
    """The rounding of a sum of so many columns of deviation 1, for coefficients of norm 1."""
    return 6 * EPS * math.sqrt(terms)
