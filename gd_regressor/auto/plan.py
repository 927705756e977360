"""The noun of "auto": what to descend on, when to end, and what to make of the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Point, column_products, plain
from gd_regressor.descent.nouns import Rule, Step
from gd_regressor.descent.records import End, Reason, Request, Scales, Start, Status
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.objective.frame import AtZero, Frame
from gd_regressor.objective.on_moments import KnownAtZero

# A relative error of the coefficients above this is said
WORTH_SAYING = 1e-6


class Arrival(NamedTuple):
    """Where a descent has come to, judged."""

    theta: Point  # (p, t)
    status: Status
    coef_error: float  # estimated relative error of the coefficients
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """The problem to descend on and the step to descend by. Each kind judges its own end."""

    problem: Smooth
    frame: Frame
    at_zero: AtZero
    scales: Scales
    request: Request
    step: Step
    condition_number: float | None  # of the scaled columns; None where it is not known
    rank: int | None  # of the centred columns, likewise

    @abstractmethod
    def rules(self) -> tuple[Rule, ...]:
        """When to end, beside divergence; nothing where all updates are asked for."""

    @abstractmethod
    def settle(self, walk: Walk, end: End) -> Arrival:
        """The minimiser of least raw |w|, the status, and the error that is left."""

    def set_out(self, start: Start) -> Walk:
        """The descent from a start, which passes over no row where all coefficients are zero."""
        loss, metric = self.problem.loss, self.problem.metric
        theta = loss.lift(metric.admissible(self.frame.from_raw(*start)))
        known = KnownAtZero(loss, self.frame, self.at_zero, loss.doubled)
        return Walk(Smooth(known, metric), theta, self.step)


def judged(status: Status, error: float) -> Status:
    """The status of a descent that leaves this relative `error` in the coefficients."""
    lost = status is Status.CONVERGED and error > WORTH_SAYING
    return Status.ILL_CONDITIONED if lost else status


def brought_back(
    problem: Smooth, theta: Point, least: np.ndarray, *, to_the_bit: bool = False
) -> tuple[Point, np.ndarray]:
    """The minimiser beside a point that differs from one by rounding, and if it is one (t,).

    The way there can be so long that the rounding of a null vector shows in the loss, and in
    doubled precision it shows in any case. An update or two takes that back, unless the columns'
    units are too far apart; `least` (t,) is a distance from the minimum not worth one. With
    `to_the_bit` an update is made also where it changes a coefficient by a few eps. (The loss
    itself is a worse measure, on moments: its rounding is that of the coefficients' squares.)
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
