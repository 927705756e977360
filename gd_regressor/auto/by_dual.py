"""by_dual, for at least as many columns as rows: Newton's steps in the space of the rows."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.doubled import plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto import newton
from gd_regressor.auto.findings import DOUBLED_FROM, Findings
from gd_regressor.auto.gathered import Gathered
from gd_regressor.auto.plan import SLACK, Arrival, Plan, SmoothPlan, judged
from gd_regressor.data.table import Given
from gd_regressor.descent.nouns import Quadratic, Rule, Step
from gd_regressor.descent.records import End, Request
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.combinations import Combinations
from gd_regressor.metric.row_space import RowSpace, condition_of, is_known, singular_values
from gd_regressor.objective.frame import scales_of
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_doubled import DoubledLoss
from gd_regressor.objective.on_rows_sliced import SlicedLoss


@frozen(kw_only=True)
class InRowSpace(SmoothPlan):
    """Newton's steps in the space of the rows, where the minimiser of least |w| lies."""

    precision: float  # see `newton.floor_of`
    combinations: Combinations | None  # of the rows; None where fewer digits are wanted
    sharp: Quadratic  # the loss that shows what points in twice the working precision lack
    step: Step = newton.STEP

    def rules(self) -> tuple[Rule, ...]:
        return newton.floor_rules(self, newton.floor_of(self, self.precision))

    def settle(self, walk: Walk, end: End) -> Arrival:
        theta, error = walk.at(end.k), newton.error_left(self, walk)
        gaps = walk.records(end.k, end.k).gaps[0]
        if self.combinations is not None and (gaps <= SLACK * self.scales.variance).all():
            theta = self.combinations.sharpened(self.sharp, plain(theta))
        elif not end.status.from_outside:  # a start may leave rounding outside the space
            inside = self.problem.metric.admissible(plain(theta))
            theta, _ = newton.settled(self, theta + (inside - plain(theta)))
        return Arrival(theta, judged(newton.floor_status(self, walk, end), error), error)


def by_dual(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan; None if the raw columns are too ill-conditioned.

    Also None if units or dependent rows give the raw columns another rank than the scaled columns.
    """
    rows, fit_intercept = given.check(), request.fit_intercept
    all_rows = Gathered.of(rows, fit_intercept)
    deviation = np.linalg.norm(all_rows.x, axis=0)
    units = np.where(deviation > 0, deviation, 1.0)
    values = singular_values(all_rows.x / units, centred=fit_intercept)
    all_rows = all_rows.in_one_unit()
    frame, exact = all_rows.frame, all_rows.targets
    metric = RowSpace.of(all_rows.x, frame.scale, centred=fit_intercept)
    if not is_known(metric.values, values):
        return None, found
    doubled = rows.is_small and metric.condition_number > DOUBLED_FROM
    loss = DoubledLoss(rows, frame) if doubled else DataLoss(rows, frame)
    sharp = SlicedLoss if SlicedLoss.suits(frame) and not doubled else DoubledLoss
    fine = rows.is_small and rows.precision == np.float64
    combinations = fine and Combinations.of(all_rows.raw, all_rows.root, frame, metric)
    plan = InRowSpace(
        problem=Smooth(loss, metric),
        frame=frame,
        at_zero=all_rows.at_zero,
        scales=scales_of(exact, fit_intercept),
        request=request,
        condition_number=condition_of(values),
        rank=len(values),
        precision=newton.precision_for(loss, metric.condition_number),
        combinations=combinations or None,
        sharp=sharp(rows, frame),
    )
    return plan, found
