"""by_active_set, for L1 penalties and positivity: the minimum on the moments, in few solves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Arrival, Plan, gap_arrival, gap_rules
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.table import Given
from gd_regressor.descent.nouns import Next, Problem, Rule, Step
from gd_regressor.descent.records import End, Iterate, Request, Start, Terms
from gd_regressor.descent.walk import Composite, Walk
from gd_regressor.lasso.active_set import least
from gd_regressor.lasso.shortest import shortest
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.objective.on_moments import MomentLoss
from gd_regressor.objective.penalties import ElasticNet


@dataclass(frozen=True)
class ToMinimum(Step):
    """One update goes to the minimum, as the moments know it. The next one stays there."""

    gram: np.ndarray  # (d, d): mean products of the columns
    slope: np.ndarray  # (d, t): mean products of columns and targets
    penalty: ElasticNet
    scale: np.ndarray  # (d,): of the columns

    def start(self, theta: np.ndarray) -> bool:
        return False

    def next(self, state: bool, here: Iterate, problem: Problem) -> Next:
        if state:
            return here.theta, here.loss, here.gradient, state
        theta, net, d = here.theta.copy(), self.penalty, self.penalty.n_columns
        theta[d:] = 0.0  # the intercept of the centred columns
        theta[:d], found = minimum_of(self.gram, self.slope, net, self.scale, theta[:d])
        return theta, *problem.value_and_gradient(theta), found


def minimum_of(
    gram: np.ndarray, slope: np.ndarray, net: ElasticNet, scale: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, bool]:
    """The minimum (d, t) for each target, and whether all of them were found.

    Of several minima it is the one of least |w / scale|.
    """
    w, found = start.copy(), True
    for j in range(w.shape[1]):
        problem = gram, slope[:, j], net.l1[:, j], net.l2[:, j], net.positive
        minimum = least(*problem, w[:, j])
        w[:, j] = shortest(*problem, minimum, scale).w
        found &= minimum.converged
    return w, found


@frozen(kw_only=True)
class OnMoments(Plan):
    """A loss with a penalty, on the moments of the rows."""

    loss: MomentLoss
    penalty: ElasticNet

    @property
    def source(self) -> str:
        return "moments"

    def set_out(self, start: Start) -> Walk:
        gram, zero = self.loss.hessian / 2, np.zeros(self.penalty.n_columns)
        step = ToMinimum(gram, self.loss.at_zero.slope / -2, self.penalty, self.frame.scale)
        problem = Composite(self.loss, self.penalty, zero, gram)
        theta = self.frame.from_raw(*start)
        return Walk(problem, theta, step)

    def rules(self) -> tuple[Rule, ...]:
        return gap_rules(self)

    def settle(self, walk: Walk, end: End) -> Arrival:
        return gap_arrival(self, walk, end)


def on_moments(moments: Moments, request: Request) -> OnMoments:
    """The plan for a loss on these moments, with the penalties that are asked for."""
    terms = cast(Terms, request.terms)
    frame = Frame.of(moments, moments.scale, request.fit_intercept)
    return OnMoments(
        frame=frame,
        scales=scales_of(moments, request.fit_intercept),
        request=request,
        condition_number=None,
        rank=None,
        loss=MomentLoss(moments, frame),
        penalty=ElasticNet.of(terms, frame.scale),
    )


def by_active_set(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table whose moments fit into memory."""
    moments, _ = given.seen_by(first_moments)
    return on_moments(moments, request), found
