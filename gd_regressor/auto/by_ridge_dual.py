"""by_ridge_dual, for a ridge on more columns than rows: Newton's steps in the space of the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from gd_regressor.auto import newton
from gd_regressor.auto.findings import DOUBLED_FROM, Findings
from gd_regressor.auto.gathered import Gathered
from gd_regressor.auto.plan import Plan
from gd_regressor.auto.ridge_plan import Ridge
from gd_regressor.data.table import Given
from gd_regressor.descent.records import Request, Terms
from gd_regressor.descent.walk import Smooth
from gd_regressor.objective.frame import scales_of
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_doubled import DoubledLoss
from gd_regressor.objective.ridge import RidgeLoss


def by_ridge_dual(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan; None where columns have ridges of their own.

    With one ridge for all columns the minimiser lies in the space of the rows, and a descent from
    there stays there.
    """
    l2 = cast(Terms, request.terms).l2[:, 0]
    if (l2 != l2[0]).any():
        return None, found
    rows = given.check()
    all_rows = Gathered.of(rows, request.fit_intercept)
    frame, targets = all_rows.frame, all_rows.targets
    ridge = l2 / frame.scale**2
    values = np.sqrt(all_rows.metric.values**2 + ridge[0])
    metric = replace(all_rows.metric, values=values)
    condition = metric.condition_number
    doubled = rows.is_small and condition > DOUBLED_FROM
    loss = DoubledLoss(rows, frame) if doubled else DataLoss(rows, frame)
    precise = newton.doubled_precision if doubled else newton.precision_in_doubles
    plan = Ridge(
        problem=Smooth(RidgeLoss.of(loss, ridge[:, None]), metric),
        frame=frame,
        at_zero=all_rows.at_zero,
        scales=scales_of(targets, request.fit_intercept),
        request=request,
        condition_number=condition,
        rank=len(values),
        precision=precise(condition),
    )
    return plan, found
