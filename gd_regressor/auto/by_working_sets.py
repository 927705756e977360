"""by_working_sets, for L1 penalties and positivity on many columns, most of which go unused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.kernels import moments_cost
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Arrival, Plan, gap_arrival, gap_rules
from gd_regressor.data.chosen import Reading
from gd_regressor.data.table import Given, Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Next, Problem, Quadratic, Rule, Step
from gd_regressor.descent.records import End, Iterate, Request, Scales, Start, Terms
from gd_regressor.descent.walk import Composite, Walk
from gd_regressor.lasso.working_sets import Descent, OnMembers, There, WorkingSet
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.penalties import ElasticNet

# What working sets cost, in passes over the rows, where few columns are in use
PASSES = 20.0


@frozen
class FewInUse(Quadratic):
    """The loss at points with few coefficients in use: one product instead of two per pass."""

    members: WorkingSet
    targets: np.ndarray  # (n, t), weighted and centred
    slopes: np.ndarray  # (d, t): those of all columns at zero
    on_rows: DataLoss

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (d, t), rest = self.slopes.shape, theta[len(self.slopes) :]
        value, gradient = np.empty(t), np.zeros(theta.shape)
        for j in range(t):
            w, v = theta[:d, j], self.slopes[:, j]
            residuals = self.targets[:, j]
            if w.any():
                residuals = residuals - self.members.fitted_by(w)
                v = self.members.slopes(residuals[:, None])[:, 0]
            value[j], gradient[:d, j] = residuals @ residuals, -2 * v
        gradient[d:] = 2 * rest
        return value + (rest**2).sum(axis=0), gradient

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        return self.on_rows.hessian_product(direction)


@dataclass(frozen=True)
class Rounds(Step):
    """One round of each target that is not at rest. The state is where each target is."""

    loss: FewInUse
    descents: list[Descent]

    def start(self, theta: np.ndarray) -> list[There]:
        slopes = self.loss.slopes
        return [
            descent.start(theta[: len(slopes), j], slopes[:, j])
            for j, descent in enumerate(self.descents)
        ]

    def next(self, state: list[There], here: Iterate, problem: Problem) -> Next:
        d = len(self.loss.slopes)
        theta, gradient = np.zeros(here.theta.shape), np.zeros(here.theta.shape)
        there = [descent.round(at) for descent, at in zip(self.descents, state, strict=True)]
        value = np.array([at.residuals @ at.residuals for at in there])
        for j, at in enumerate(there):
            theta[:d, j], gradient[:d, j] = at.coef, -2 * at.v
        penalty = cast(Composite, problem).penalty
        return theta, value + penalty.value(theta[:d]), gradient, there


@frozen(kw_only=True)
class InUse(Plan):
    """A loss with a penalty, on working sets of columns."""

    loss: FewInUse
    net: ElasticNet

    @property
    def source(self) -> str:
        return "working sets"

    def set_out(self, start: Start) -> Walk:
        members, net = self.loss.members, self.net
        theta = self.frame.from_raw(*start)
        theta[net.n_columns :] = 0.0  # the best intercept for any coefficients
        descents = [
            Descent(members, ElasticNet(net.l1[:, [j]], net.l2[:, [j]], net.positive), y)
            for j, y in enumerate(self.loss.targets.T)
        ]
        problem = Composite(self.loss, OnMembers(net, members), np.zeros(net.n_columns))
        return Walk(problem, theta, Rounds(self.loss, descents))

    def rules(self) -> tuple[Rule, ...]:
        return gap_rules(self)

    def settle(self, walk: Walk, end: End) -> Arrival:
        return gap_arrival(self, walk, end)


def many_columns(rows: Given) -> bool:
    """Whether the products of all columns cost more than working sets would."""
    return moments_cost(rows.n_columns) > PASSES and not rows.is_elsewhere


def by_working_sets(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table in memory or on disk, if each target has a kink."""
    terms, d = cast(Terms, request.terms), given.n_columns
    if not (terms.positive or terms.l1.any(axis=0).all()):
        return None, found

    def first_pass(rows: Rows) -> tuple[tuple, Iterable[float]]:
        reading = Reading.of(rows, centred=request.fit_intercept)
        pairs = [reading.target(j) for j in range(rows.n_targets)]
        targets = np.stack([y for y, _ in pairs], axis=1)
        slopes = reading.slopes(targets)
        means = np.array([mean for _, mean in pairs])
        return (reading, targets, means, slopes), [*slopes.sum(axis=0), *means]

    (reading, targets, means, slopes), rows = given.seen_by(first_pass)
    members, square = WorkingSet(reading), (targets**2).sum(axis=0)
    # The means of columns become known as they join. The coefficients of all others are zero
    frame = Frame(members.means, np.ones(d), means, request.fit_intercept)
    plan = InUse(
        frame=frame,
        scales=Scales.of(square, square + means**2),
        request=request,
        condition_number=None,
        rank=None,
        loss=FewInUse(members, targets, slopes, DataLoss(rows, frame)),
        net=ElasticNet(terms.l1, terms.l2, terms.positive),
    )
    return plan, found
