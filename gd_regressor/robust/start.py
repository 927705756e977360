"""Where Newton's steps begin: near the minimum on a sample, for a small delta down from a scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gd_regressor.objective.on_rows_clipped import Spot
from gd_regressor.robust.newton import Newton, There, spot_of
from gd_regressor.robust.pieces import FixedDelta, Sizing

# A sample is off by more than this share of F, so its minimum need be no nearer
SAMPLE_IS_OFF = 1e-3
# The most steps on a sample, and the factor by which delta falls from one descent to the next
MOST_STEPS, DELTA_FALLS = 50, 4.0

Make = Callable[[tuple[Sizing, ...]], Newton]  # the descent on a sample


def near_minimum(newton: Newton, spot: Spot) -> list[There]:
    """Near the minimum, from a point with its deltas."""
    there = newton.begin(spot)
    for _ in range(MOST_STEPS):
        if all(at.at_rest or at.gap <= SAMPLE_IS_OFF * at.loss for at in there):
            break
        there = newton.step(there)
    return there


def with_scale(make: Make, spot: Spot, *, joint: tuple[Sizing, ...]) -> Spot:
    """The start of a descent whose scale is found with the coefficients."""
    return spot_of(near_minimum(make(joint), spot))


def down_to(make: Make, spot: Spot, *, joint: tuple[Sizing, ...], target: np.ndarray) -> Spot:
    """The start of a descent for deltas `target` (t,).

    With a delta far below the residuals few rows would be inside at first, and the piece would say
    little of F. So we begin with a scale, and let delta fall by and by.
    """
    sizes = zip(joint, spot.delta.tolist(), strict=True)
    wide = Spot(spot.theta, np.array([size.first(delta) for size, delta in sizes]))
    theta, delta = spot_of(near_minimum(make(joint), wide))
    while True:
        delta = np.maximum(target, delta / DELTA_FALLS)
        stage = make(tuple(FixedDelta(float(value)) for value in delta))
        theta, _ = spot_of(near_minimum(stage, Spot(theta, delta)))
        if (delta <= target).all():
            return Spot(theta, target)
