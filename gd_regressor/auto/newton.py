"""Newton's steps in the metric of an exact factor: the plan of three rungs, and of streams."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Doubled, Point, column_products, plain
from gd_regressor.auto.plan import Arrival, Plan, brought_back, judged
from gd_regressor.descent.nouns import Rule, Step
from gd_regressor.descent.records import End, Status
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.descent.stopping import AtFloor
from gd_regressor.descent.walk import Walk
from gd_regressor.metric.dependence import Dependence

# Above MILD the coefficients are worth more than the predictions they make
MILD = 10.0
# Of V: a distance from the minimum that rounding leaves
SLACK = 1e-15
STEP = ConstantStep(1.0)


def precision_in_doubles(condition_number: float) -> float:
    """The `precision` of a descent in working precision."""
    return 2 * EPS if condition_number > MILD else 8 * EPS


def doubled_precision(condition_number: float) -> float:
    """The `precision` of a descent in twice of it: a coefficient's share may be as small."""
    return EPS / (4 * condition_number**2)


def sharp_precision(condition_number: float) -> float:
    """The `precision` of a descent in working precision whose last step is in twice of it.

    That step takes away what is left but for some eps times the square of the condition number.
    """
    return 64 * EPS * condition_number


def floor_rules(plan: Plan, precision: float) -> tuple[Rule, ...]:
    """Down to the rounding floor, whatever `tol` asks; no rule where it asks for all updates.

    `precision` is a prediction error, in units of y, too small to justify an update. The error of
    the coefficients is up to condition_number times larger.
    """
    if plan.request.tol is None:
        return ()
    return (AtFloor(floor_of(plan, precision), plan.scales.variance),)


def floor_of(plan: Plan, precision: float) -> np.ndarray:
    """(t,): a distance of the loss from its minimum that is not worth an update."""
    loss, variance, square = plan.problem.loss, plan.scales.variance, plan.scales.square
    # With such gradients the rounding of y's mean does not show
    unit = np.minimum(variance, square) if loss.doubled or loss.sharp else square
    return precision**2 * unit


def last_point(plan: Plan, walk: Walk, end: End, precision: float) -> Point:
    """That of a run, at the floor without its own rounding where the gradient shows it."""
    theta = walk.at(end.k)
    if not plan.problem.loss.sharp:
        return theta
    below = walk.records(end.k, end.k).gaps[0] <= floor_of(plan, precision)
    return Doubled.of(theta, -walk.here.direction) if below.all() else theta


def floor_status(plan: Plan, walk: Walk, end: End) -> Status:
    """That of a run under `floor_rules`: at `max_iter` the floor may be yet to come."""
    tol = plan.request.tol
    if end.status is Status.MAX_ITER and tol is not None:
        near = walk.records(end.k, end.k).gaps[0] <= tol * plan.scales.variance
        return Status.CONVERGED if near.all() else end.status
    return end.status


def error_left(plan: Plan, walk: Walk) -> float:
    """Relative error of the coefficients: the next step, which rounding makes too.

    In units of the coefficients, or of y's deviation where they are smaller.
    """
    d = len(plan.frame.scale)
    step, w = walk.here.direction[:d], plain(walk.here.theta)[:d]
    size = np.maximum(column_products(w, w), plan.scales.variance)
    return math.sqrt((column_products(step, step) / size).max())


def settled(plan: Plan, theta: Point) -> tuple[Point, np.ndarray]:
    """The minimiser beside a point that differs from one by rounding, and if it is one (t,)."""
    least = SLACK * plan.scales.variance
    loss = plan.problem.loss
    return brought_back(plan.problem, theta, least, to_the_bit=loss.doubled or loss.sharp)


@dataclass(frozen=True, kw_only=True)
class Newton(Plan):
    """A step of 1 would arrive at once; the gradients put right what the factor rounds away."""

    dependence: Dependence
    precision: float  # see `floor_rules`
    unknown: float = 0.0  # relative error of the coefficients at the loss's own exact minimum
    step: Step = STEP

    def rules(self) -> tuple[Rule, ...]:
        return floor_rules(self, self.precision)

    def settle(self, walk: Walk, end: End) -> Arrival:
        theta = last_point(self, walk, end, self.precision)
        error = np.inf if self.condition_number == np.inf else error_left(self, walk)
        error = max(error, self.unknown)
        if end.status is not Status.INTERRUPTED and self.dependence.vectors.size:
            least, near = settled(self, self.dependence.least_norm(theta))
            theta = self.dependence.shorter(theta, least, near)
        return Arrival(theta, judged(floor_status(self, walk, end), error), error)
