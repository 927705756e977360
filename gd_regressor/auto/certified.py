"""Descents whose steps know a bound of the distance from the minimum, and the plan of one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.plan import Arrival, Plan, gap_arrival, gap_rules, judged
from gd_regressor.descent.nouns import ByValues, Rule, Step
from gd_regressor.descent.records import Bound, End, Iterate, Start, Status
from gd_regressor.descent.walk import Walk
from gd_regressor.metric.dependence import Dependence


class Certified(ByValues):
    """F of a point, where the steps bound how far each target is above its minimum.

    The state of a step has an object with such a `gap` for each target.
    """

    @property
    def gap_is(self) -> Bound:
        return Bound.AT_MOST

    def gap(self, here: Iterate) -> np.ndarray:
        """(t,): that of the steps. F is not below zero, so a start is at most F above."""
        return here.loss if here.state is None else np.array([at.gap for at in here.state])


def anywhere(theta: np.ndarray) -> np.ndarray:
    """(t,): a descent on the rows as they are is near no other minimum."""
    return np.ones(theta.shape[1], dtype=bool)


@frozen(kw_only=True)
class CertifiedPlan(Plan):
    """A descent to coefficients that solve equations, and so have the rounding of these."""

    problem: Certified
    step: Step
    free: np.ndarray  # (q,): the coordinates that move; all others are zero
    dependence: Dependence
    # Whether a point (p, t) near the minimum is near that of the rows as they are, for each target
    holds: Callable[[np.ndarray], np.ndarray] = anywhere

    @property
    def source(self) -> str:
        return "moments"

    def set_out(self, start: Start) -> Walk:
        theta = np.zeros((self.frame.n_parameters, len(self.scales.square)))
        theta[self.free] = self.frame.from_raw(*start)[self.free]
        return Walk(self.problem, theta, self.step)

    def rules(self) -> tuple[Rule, ...]:
        return gap_rules(self)

    def settle(self, walk: Walk, end: End) -> Arrival:
        """Without a penalty, of columns that depend on each other we take the least norm."""
        arrival = gap_arrival(self, walk, end, beside_loss=True)
        if end.status is Status.INTERRUPTED:
            return arrival
        theta, error = plain(arrival.theta), arrival.coef_error
        if self.request.terms is None:
            error = max(error, EPS * self.dependence.condition_number)
            if self.dependence.vectors.size:
                theta = plain(self.dependence.least_norm(theta))
        error = error if self.holds(theta).all() else np.inf
        status = judged(arrival.status, error)
        return arrival._replace(theta=theta, status=status, coef_error=error)
