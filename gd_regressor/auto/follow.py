"""learning_rate="auto": descent in a metric taken from the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gd_regressor.auto.ladder import plan_for
from gd_regressor.auto.plan import Plan
from gd_regressor.data.table import Table
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Request, Result, Start
from gd_regressor.descent.run import result_of, run
from gd_regressor.descent.stopping import Diverged


def follow_auto(
    rows: Table,
    start: Start,
    request: Request,
    observers: Sequence[Observer] = (),
    *,
    rung: str | None = None,
) -> Result:
    """Descend in centred and scaled columns, with P = (2 R'R)^-1 for a factor R of the columns.

    With an exact R a step of 1 would arrive at once, and what R rounds away is put right by the
    gradients from the rows, down to the rounding floor. With R from a sketch it takes conjugate
    steps, as many as `tol` asks for. `rung` is the one of the ladder to try first; None chooses.
    """
    plan = plan_for(rows, request, rung)
    return follow_plan(plan, start, rows.precision, observers)


def follow_plan(
    plan: Plan, start: Start, precision: np.dtype, observers: Sequence[Observer] = ()
) -> Result:
    """Descend as planned, for coefficients to be kept in this `precision`."""
    with np.errstate(over="ignore", invalid="ignore"):  # of a start, seen by what bounds divergence
        walk, variance = plan.set_out(start), plan.scales.variance
    rules = (Diverged(variance, np.dtype(np.float64)), *plan.rules())
    end = run(walk, rules, plan.request.max_iter, observers)
    there = plan.settle(walk, end)
    with np.errstate(over="ignore", invalid="ignore"):  # seen where coefficients are written
        w, b = plan.frame.to_raw(there.theta)
        if precision == np.float32:  # the intercept that suits the coefficients as they are kept
            b = b + plan.frame.centre @ (w - w.astype(np.float32))
    return result_of(
        walk,
        end,
        w,
        b,
        variance,
        status=there.status,
        reason=there.reason,
        condition_number=plan.condition_number,
        coef_error=there.coef_error,
        rank=plan.rank,
        metric=plan.problem.metric.source,
    )
