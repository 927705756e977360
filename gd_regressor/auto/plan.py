"""Plan, the noun of "auto": what to descend on, when to end, and how to judge the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Point, column_products, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.descent.nouns import Rule, Step
from gd_regressor.descent.records import (
    End,
    Reason,
    Request,
    Residuals,
    Scales,
    Start,
    Status,
)
from gd_regressor.descent.stopping import NearMinimum
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.objective.frame import AtZero, Frame
from gd_regressor.objective.on_moments import KnownAtZero

# A fit with a larger relative error of the coefficients is ill-conditioned, and warns
WORTH_SAYING = 1e-6
# A tol above this asks for few digits
ROUGH = 1e-10
# Of V: a distance from the minimum that rounding leaves in passes in working precision
SLACK = 1e-14
# Of V: well-conditioned columns with a penalty have a smaller gap, but for rounding
CERTAIN_GAP = 1e-12


class Arrival(NamedTuple):
    """The end of a descent, judged."""

    theta: Point  # (p, t)
    status: Status
    coef_error: float  # estimated relative error of the coefficients
    reason: Reason | None = None
    residuals: Residuals | None = None


@frozen(kw_only=True)
class Plan(ABC):
    """What to descend on, when to end, and what the end is worth. Each plan judges its own end."""

    frame: Frame
    scales: Scales
    request: Request
    condition_number: float | None  # of the scaled columns; None if not known
    rank: int | None  # of the centred columns; None if not known
    lift: np.ndarray | float = 0.0  # (t,): by how much F is above the loss of the walk

    @property
    @abstractmethod
    def source(self) -> str:
        """Where the metric comes from: the value of the estimator's `metric_`."""

    @abstractmethod
    def set_out(self, start: Start) -> Walk:
        """The descent from a start."""

    @abstractmethod
    def rules(self) -> tuple[Rule, ...]:
        """The rules that end the run, beside divergence. tol=None has no rules."""

    @abstractmethod
    def settle(self, walk: Walk, end: End) -> Arrival:
        """The minimiser of least raw |w|, the status, and the estimated error."""


@frozen(kw_only=True)
class SmoothPlan(Plan):
    """A plan for a quadratic loss, with a problem to descend on and a step to descend by."""

    problem: Smooth
    at_zero: AtZero
    step: Step

    @property
    def source(self) -> str:
        return self.problem.metric.source

    def set_out(self, start: Start) -> Walk:
        """The descent from a start. At zero coefficients F is known, which spares a pass."""
        loss, metric = self.problem.loss, self.problem.metric
        theta = loss.lift(metric.admissible(self.frame.from_raw(*start)))
        known = KnownAtZero(loss, self.frame, self.at_zero, loss.doubled)
        return Walk(Smooth(known, metric), theta, self.step)


def gap_rules(plan: Plan) -> tuple[Rule, ...]:
    """The rules where the gaps bound the distance from the minimum."""
    tol = plan.request.tol
    return () if tol is None else (NearMinimum(tol * plan.scales.variance),)


def gap_arrival(plan: Plan, walk: Walk, end: End, *, beside_loss: bool = False) -> Arrival:
    """The end of a descent on a loss with a penalty, judged by its gaps.

    `beside_loss` also allows for what rounding leaves of a loss that is larger than V, as one with
    outliers is.
    """
    theta, tol = walk.at(end.k), plan.request.tol
    there = walk.records(end.k, end.k)
    allowed = max(tol or 0.0, CERTAIN_GAP) * plan.scales.variance
    if beside_loss:
        allowed = np.maximum(allowed, CERTAIN_GAP * there.losses[0])
    near = (there.gaps[0] <= allowed).all()
    if near or end.status is not Status.CONVERGED:
        return Arrival(theta, end.status, 0.0)
    # The run stayed where it was, because rounding is all that is left
    return Arrival(theta, judged(end.status, np.inf), np.inf, Reason.ROUNDED)


def judged(status: Status, error: float) -> Status:
    """The status of a descent that leaves a relative `error` in the coefficients."""
    lost = status is Status.CONVERGED and error > WORTH_SAYING
    return Status.ILL_CONDITIONED if lost else status


def brought_back(
    problem: Smooth, theta: Point, least: np.ndarray, *, to_the_bit: bool = False
) -> tuple[Point, np.ndarray]:
    """The minimiser near a point that differs from it by rounding; (t,) whether we found it.

    A move to the least norm can be so long that the rounding of a null vector shows in the loss. In
    doubled precision it always shows. An update or two mends this, unless the units of the columns
    are too far apart. A distance from the minimum below `least` (t,) is not worth an update. With
    `to_the_bit` we also make an update that changes a coefficient by a few eps. (On moments the
    loss is a worse measure than the gradient, because it has the rounding of squared coefficients.)
    """
    near = np.zeros(len(least), dtype=bool)
    for _ in range(3):
        _, gradient = problem.value_and_gradient(theta)
        step = -problem.direction(gradient)
        near = -column_products(gradient, step) / 2 <= least
        worth = to_the_bit and (np.abs(step) > EPS / 8 * np.abs(plain(theta))).any()
        if near.all() and not worth:
            break
        theta = theta + step
    return theta, near
