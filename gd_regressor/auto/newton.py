"""Newton: steps of 1 in the metric of an exact factor. Three rungs and the streams plan so."""

from __future__ import annotations

import math

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import EPS, Doubled, Point, column_products, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import DESCENDED, condition_for
from gd_regressor.auto.plan import Arrival, SmoothPlan, brought_back, judged
from gd_regressor.descent.nouns import Quadratic, Rule, Step
from gd_regressor.descent.records import End, Status
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.descent.stopping import AtFloor
from gd_regressor.descent.walk import Walk
from gd_regressor.metric.dependence import Dependence

# Above this condition number the coefficients need more digits than the predictions
MILD = 10.0
# Sharp and doubled gradients leave a loss this far from its minimum, as a share of V
FLOOR = 1e-15
# Each of Newton's steps on the rows gains so many digits up to this condition number. Above it they
# take more than three updates.
MOMENTS_SUFFICE = condition_for(3.6, power=2)
# A norm that falls below this share of what it was falls by more than rounding
SHORTER = 1 - 1e-9
# In the metric of an exact factor a step of 1 would arrive at once
STEP = ConstantStep(1.0)


def precision_in_doubles(condition_number: float) -> float:
    """The `precision` of a descent in working precision."""
    return 2 * EPS if condition_number > MILD else 8 * EPS


def doubled_precision(condition_number: float) -> float:
    """The `precision` of a descent in twice the working precision."""
    return EPS / (4 * condition_number**2)


def sharp_precision(condition_number: float) -> float:
    """The `precision` of a descent in working precision, with a last step in twice of that.

    The last step leaves an error of some eps times the square of the condition number.
    """
    return DESCENDED * condition_number


def precision_for(loss: Quadratic, condition_number: float) -> float:
    """The `precision` of a descent on this loss."""
    precise = doubled_precision if loss.doubled else precision_in_doubles
    return (sharp_precision if loss.sharp else precise)(condition_number)


def floor_rules(plan: SmoothPlan, floor: np.ndarray) -> tuple[Rule, ...]:
    """Rules that descend to the rounding floor, whatever `tol` is. tol=None has no rules."""
    return () if plan.request.tol is None else (AtFloor(floor, plan.scales.variance),)


def floor_of(plan: SmoothPlan, precision: float) -> np.ndarray:
    """(t,): the distance of the loss from its minimum below which an update is not worth making.

    A prediction error of `precision`, in units of y, is too small to justify an update. The error
    of the coefficients is up to condition_number times larger.
    """
    loss, variance, square = plan.problem.loss, plan.scales.variance, plan.scales.square
    # The rounding of y's mean does not show in such gradients, so V is the unit
    unit = np.minimum(variance, square) if loss.doubled or loss.sharp else square
    return precision**2 * unit


def last_point(plan: SmoothPlan, walk: Walk, end: End, floor: np.ndarray) -> Point:
    """The last point of a run. At the floor a sharp gradient takes its rounding away."""
    theta = walk.at(end.k)
    if not plan.problem.loss.sharp:
        return theta
    below = walk.records(end.k, end.k).gaps[0] <= floor
    return Doubled.of(theta, -walk.here.direction) if all(below.tolist()) else theta


def floor_status(plan: SmoothPlan, walk: Walk, end: End) -> Status:
    """The status of a run under `floor_rules`. At `max_iter`, being within `tol` is enough."""
    tol = plan.request.tol
    if end.status is Status.MAX_ITER and tol is not None:
        near = walk.records(end.k, end.k).gaps[0] <= tol * plan.scales.variance
        return Status.CONVERGED if near.all() else end.status
    return end.status


def error_left(plan: SmoothPlan, walk: Walk) -> float:
    """Estimated relative error of the coefficients: the size of the next step, which is rounding.

    The unit is the norm of the coefficients, or y's deviation if the norm is smaller.
    """
    d = len(plan.frame.scale)
    step, w = walk.here.direction[:d], plain(walk.here.theta)[:d]
    size = np.maximum(column_products(w, w), plan.scales.variance)
    return math.sqrt(np.maximum.reduce(column_products(step, step) / size))


def settled(plan: SmoothPlan, theta: Point) -> tuple[Point, np.ndarray]:
    """The minimiser near a point that differs from it by rounding; (t,) whether we found it."""
    least = FLOOR * plan.scales.variance
    loss = plan.problem.loss
    return brought_back(plan.problem, theta, least, to_the_bit=loss.doubled or loss.sharp)


@frozen(kw_only=True)
class Newton(SmoothPlan):
    """One step of 1 would arrive, but for the rounding of the factor. More steps mend that."""

    precision: float  # see `floor_of`
    dependence: Dependence | None = None  # None where the metric finds the shortest coefficients
    unknown: float = 0.0  # relative error of the coefficients at the loss's own exact minimum
    step: Step = STEP

    @cached_property
    def floor(self) -> np.ndarray:
        """(t,): see `floor_of`."""
        return floor_of(self, self.precision)

    def rules(self) -> tuple[Rule, ...]:
        return floor_rules(self, self.floor)

    def settle(self, walk: Walk, end: End) -> Arrival:
        theta = last_point(self, walk, end, self.floor)
        error = np.inf if self.condition_number == np.inf else error_left(self, walk)
        error = max(error, self.unknown)
        known = self.dependence
        if known is not None and known.vectors.size and not end.status.from_outside:
            least, near = settled(self, known.least_norm(theta))
            theta = known.shorter(theta, _without_rounding(known, least), near)
        return Arrival(theta, judged(floor_status(self, walk, end), error), error)


def _without_rounding(known: Dependence, least: Point) -> Point:
    """An update leaves rounding in scaled coordinates, long where raw units are small."""
    again = known.least_norm(least)
    move, size = (column_products(plain(p), plain(p)) for p in (again - plain(least), least))
    shorter = known.raw_norm(again) < known.raw_norm(least) * SHORTER
    return again if (shorter & (move <= DESCENDED**2 * size)).all() else least
