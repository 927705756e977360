"""Where Newton's steps begin: near the minimum on a sample, for a small delta down from a scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gd_regressor.objective.on_rows_clipped import Spot
from gd_regressor.robust.newton import Newton, There, spot_of
from gd_regressor.robust.pieces import FixedDelta, Sizing

# A sample of 20 rows for each parameter is off by more than this share of F. After a step that
# lowers F by less, the minimum is much nearer still
SAMPLE_IS_OFF = 1e-2
# The most steps on a sample, and the factor by which delta falls from one descent to the next
MOST_STEPS, DELTA_FALLS = 50, 4.0

Make = Callable[[tuple[Sizing, ...]], Newton]  # the descent on a sample


def near_minimum(
    newton: Newton, there: list[There], enough: np.ndarray | float = 0.0
) -> list[There]:
    """Near the minimum, from a point; or where each delta is small `enough` (t,)."""
    for _ in range(MOST_STEPS):
        before, there = there, newton.step(there)
        if (spot_of(there).delta <= enough).all():
            break
        falls = (a.loss - b.loss for a, b in zip(before, there, strict=True))
        if all(
            at.at_rest or (at.term == 0 and fall <= SAMPLE_IS_OFF * at.loss)
            for at, fall in zip(there, falls, strict=True)
        ):
            break
    return there


def with_scale(
    make: Make, spot: Spot, *, joint: tuple[Sizing, ...], enough: np.ndarray | float = 0.0
) -> list[There]:
    """The start of a descent whose scale is found with the coefficients."""
    newton = make(joint)
    return near_minimum(newton, newton.begin(spot), enough)


def down_to(
    make: Make, spot: Spot, *, joint: tuple[Sizing, ...], size: Callable[[np.ndarray], list[float]]
) -> list[There]:
    """The start of a descent for the deltas of `spot`.

    With a delta far below the residuals few rows would be inside at first, and the piece would say
    little of F. So we begin with a scale, and let delta fall by and by. `size` gives the root mean
    squares (t,) of the residuals at a point.
    """
    theta, target, *_ = spot
    sizes = zip(joint, size(theta), strict=True)
    delta = np.array([sizing.first(value) for sizing, value in sizes])
    if (target >= delta).all():
        return make(_fixed(target)).begin(spot)
    there = with_scale(make, Spot(theta, delta), joint=joint, enough=DELTA_FALLS * target)
    delta = spot_of(there).delta
    while True:
        delta = np.maximum(target, delta / DELTA_FALLS)
        stage = make(_fixed(delta))
        there = near_minimum(stage, stage.resumed(there, delta))
        if (delta <= target).all():
            return there


def _fixed(delta: np.ndarray) -> tuple[Sizing, ...]:
    return tuple(FixedDelta(float(value)) for value in delta)
