"""by_ridge_scaling, for a ridge on very many sparse columns: conjugate steps, column by column."""

from __future__ import annotations

from typing import cast

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Arrival, Plan, SmoothPlan, gap_rules
from gd_regressor.data.column_moments import column_moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Rule
from gd_regressor.descent.records import End, Request, Terms
from gd_regressor.descent.steps import ConjugateStep
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.diagonal import Diagonal, RidgedDiagonal
from gd_regressor.objective.frame import AtZero, Frame, scales_of, shift_of_full
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.ridge import RidgeLoss


@frozen(kw_only=True)
class RidgeScaled(SmoothPlan):
    """The ridge bounds the distance of the loss from its minimum, so the run ends by this bound."""

    def rules(self) -> tuple[Rule, ...]:
        return gap_rules(self)

    def settle(self, walk: Walk, end: End) -> Arrival:
        return Arrival(walk.at(end.k), end.status, 0.0)


def by_ridge_scaling(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table of sparse columns."""
    rows, l2 = given.check(), cast(Terms, request.terms).l2[:, 0]
    moments = column_moments(rows)
    metric = Diagonal.of(moments, about_mean=request.fit_intercept)
    frame = Frame.of(moments, metric.scale, request.fit_intercept)
    ridge = l2 / metric.scale**2
    loss = DataLoss(rows, frame, shift_of_full(rows, frame))
    plan = RidgeScaled(
        problem=Smooth(RidgeLoss.of(loss, ridge[:, None]), RidgedDiagonal.of(metric, ridge)),
        frame=frame,
        at_zero=AtZero.of(moments, frame),
        scales=scales_of(moments, request.fit_intercept),
        request=request,
        step=ConjugateStep(),
        condition_number=None,
        rank=None,
    )
    return plan, found
