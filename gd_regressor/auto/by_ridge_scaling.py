"""by_ridge_scaling, for a ridge on very many sparse columns: conjugate steps, column by column."""

from __future__ import annotations

from typing import cast

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.by_scaling import SAFETY
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Arrival, Plan, SmoothPlan, gap_rules
from gd_regressor.data.column_moments import column_moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Rule
from gd_regressor.descent.records import Bound, End, Request, Terms
from gd_regressor.descent.steps import ConjugateStep
from gd_regressor.descent.stopping import Flattening
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.diagonal import Diagonal
from gd_regressor.metric.ridged_diagonal import RidgedDiagonal
from gd_regressor.objective.frame import AtZero, Frame, scales_of, shift_of_full
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.ridge import RidgeLoss


@frozen(kw_only=True)
class RidgeScaled(SmoothPlan):
    """The ridge bounds the distance of the loss from its minimum, so the run ends by this bound.

    Where very many columns are free, there is an estimate in its place. It may be too small while
    the loss still falls, so the run goes on until it no longer does.
    """

    def rules(self) -> tuple[Rule, ...]:
        tol, variance = self.request.tol, self.scales.variance
        if tol is None or self.problem.gap_is is Bound.AT_MOST:
            return gap_rules(self)
        return (Flattening(tol / SAFETY * variance),)

    def settle(self, walk: Walk, end: End) -> Arrival:
        return Arrival(walk.at(end.k), end.status, 0.0)


def by_ridge_scaling(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table of sparse columns."""
    rows, fit_intercept = given.check(), request.fit_intercept
    moments = column_moments(rows)
    diagonal = Diagonal.of(moments, about_mean=fit_intercept)
    frame = Frame.of(moments, diagonal.scale, fit_intercept)
    ridge = cast(Terms, request.terms).in_units(frame.scale).l2
    loss = DataLoss(rows, frame, shift_of_full(rows, frame))
    metric = RidgedDiagonal.of(diagonal, ridge, loss, frame.n_parameters)
    plan = RidgeScaled(
        problem=Smooth(RidgeLoss.of(loss, ridge), metric),
        frame=frame,
        at_zero=AtZero.of(moments, frame),
        scales=scales_of(moments, fit_intercept),
        request=request,
        step=ConjugateStep(),
        condition_number=None,
        rank=None,
    )
    return plan, found
