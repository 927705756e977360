"""Constants: those that follow from a precision are what they were, and each has one room."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import gd_regressor
from gd_regressor.arithmetic import ranges, rounding
from gd_regressor.arithmetic.ranges import above_smallest, below_largest
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.arithmetic.units import power_of_two_above, power_of_two_near_root
from gd_regressor.auto import by_moments, by_sketch, findings
from gd_regressor.data.checks import checked_weights
from gd_regressor.descent import stopping
from gd_regressor.estimator import parameters
from gd_regressor.metric import factor, row_space
from gd_regressor.textbook import triangle

PACKAGE = Path(gd_regressor.__file__).parent
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


# --- Ranges ---


@each_dtype
@pytest.mark.parametrize("power", [1, 2, 3])
@pytest.mark.parametrize("decades", [0, 1, 7, 8])
def test_a_power_keeps_its_distance_and_that_of_the_next_power_of_ten_does_not(
    decades, power, dtype
):
    limits = np.finfo(dtype)
    high, low = (
        Fraction(f"{bound(decades, power=power, dtype=dtype):.0e}")
        for bound in (below_largest, above_smallest)
    )
    # The ends of the range, in whole decades
    largest = Fraction(10) ** math.floor(math.log10(limits.max))
    smallest = Fraction(10) ** math.ceil(math.log10(limits.tiny))
    assert largest <= Fraction(float(limits.max)) < 10 * largest
    assert smallest / 10 < Fraction(float(limits.tiny)) <= smallest
    room = Fraction(10) ** decades
    assert high**power * room <= largest < (10 * high) ** power * room
    assert (low / 10) ** power / room < smallest <= low**power / room


FORMER = {
    "SMALLEST_SQUARE": 1e-270,
    "LARGEST_SQUARE": 1e290,
    "SMALLEST_ROOT": 1e-140,
    "LARGEST_ROOT": 1e150,
    "SMALLEST_SCATTER": 1e-120,
    "LARGEST_SCATTER": 1e120,
    "MOST_WEIGHT": 1e100,
    "SMALLEST_DIVISOR": 1e-300,
    "LARGEST_FACTOR": 1e300,
    "WIDEST": 8e307,
    "FINEST": 2.0**-400,
    "COARSEST": 2.0**400,
    "SMALLEST_SINGLE": 1e-30,
    "LARGEST_SINGLE": 1e35,
    "LEAST_SINGLE_FACTOR": 1e-12,
    "MOST_SINGLE_FACTOR": 1e12,
}


def test_derived_ranges_are_the_former_numbers():
    derived = {name: getattr(ranges, name) for name in FORMER}
    assert derived == FORMER
    assert parameters.LARGEST_TOL == 1e15
    assert stopping.LARGEST_LOSS == {DOUBLE: (1e100, 1e290), SINGLE: (1e20, 1e37)}


def test_bounds_leave_what_they_promise():
    """Exactly, by arithmetic of fractions."""
    largest, smallest = Fraction(np.finfo(DOUBLE).max), Fraction(np.finfo(DOUBLE).tiny)
    exact = {name: Fraction(f"{value:.0e}") for name, value in FORMER.items()}
    # Two units, and 2^53 of the larger one to cut at
    assert 2**53 * Fraction(ranges.COARSEST) ** 2 <= largest
    assert Fraction(ranges.FINEST) ** 2 >= smallest
    assert 10**8 * exact["LARGEST_ROOT"] ** 2 <= largest
    assert exact["SMALLEST_ROOT"] ** 2 >= smallest
    assert exact["LARGEST_SCATTER"] ** 2 <= largest and exact["SMALLEST_SCATTER"] ** 2 >= smallest
    assert exact["MOST_WEIGHT"] ** 3 <= largest and 1 / exact["MOST_WEIGHT"] ** 3 >= smallest
    assert 10**8 / exact["SMALLEST_DIVISOR"] <= largest
    assert 10**8 * exact["LARGEST_FACTOR"] <= largest
    assert 10**3 * exact["LARGEST_SQUARE"] * Fraction(parameters.LARGEST_TOL) <= largest
    single = Fraction(float(np.finfo(SINGLE).max)), Fraction(float(np.finfo(SINGLE).tiny))
    assert 10**3 * exact["LARGEST_SINGLE"] <= single[0] and exact["SMALLEST_SINGLE"] >= single[1]
    assert exact["MOST_SINGLE_FACTOR"] ** 3 <= single[0]
    assert exact["LEAST_SINGLE_FACTOR"] ** 3 >= single[1]


# --- Rounding ---


@each_dtype
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("digits", [1.0, 3.5])
def test_a_condition_number_leaves_the_digits_that_it_is_for(digits, power, dtype):
    """To one digit of the condition number, which is off by at most the root of two or so."""
    condition = condition_for(digits, power=power, dtype=dtype)
    left = -math.log10(np.finfo(dtype).eps * condition**power)
    assert left == pytest.approx(digits, abs=power * math.log10(1.5))


def test_derived_condition_numbers_are_the_former_numbers():
    assert by_moments.SLICED_FROM == 2.0
    assert findings.DOUBLED_FROM == 50.0
    assert findings.WELL_CONDITIONED == 100.0
    assert triangle.MOMENTS_ARE_EXACT == 300.0
    assert by_moments.MOMENTS_SUFFICE == 1e6
    assert row_space.SPACE_IS_KNOWN == 1e6
    assert by_sketch.SINGLE_SUFFICES == 50.0
    assert 1 / factor.CERTAIN == 1e-6
    assert 1 / row_space.SQUARES_SUFFICE == 1e-4


def test_derived_roundings_are_the_former_numbers():
    assert rounding.DESCENDED == 64 * 2.0**-52 == 2.0**-46
    derived = [rounding.of_combination(terms) for terms in (1, 4, 9)]
    assert derived == [6 * 2.0**-52, 12 * 2.0**-52, 18 * 2.0**-52]


# --- Powers of two ---


@pytest.mark.parametrize("size", [5e-324, 1e-310, 0.75, 1.0, 3.0, 8e307, 1.7e308])
def test_the_power_of_two_above_a_size_is_a_float(size):
    power = power_of_two_above(size)
    assert np.frexp(power)[0] == 0.5 and np.isfinite(power)
    # Above 2^1023 there is none
    assert Fraction(size) < Fraction(float(power)) * (2 if size > 8.99e307 else 1)
    assert Fraction(float(power)) <= 2 * Fraction(size)


def test_the_power_of_two_of_nothing_is_one():
    assert power_of_two_above(0.0) == power_of_two_near_root(np.zeros(1))[0] == 1.0


@pytest.mark.parametrize("largest", [5e-324, 1e-300, 0.5, 1.0, 3.0, 1e300])
def test_weights_and_their_unit_are_exactly_what_was_given(largest):
    given = largest * np.array([1.0, 0.5, 0.0]) if largest > 1e-308 else np.array([largest, 0, 0])
    weights, unit = checked_weights(given, 3)
    assert 0.5 <= weights.max() < 1
    for weight, value in zip(weights, given, strict=True):
        assert Fraction(float(weight)) * Fraction(unit) == Fraction(float(value))
