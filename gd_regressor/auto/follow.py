"""learning_rate="auto": descent in a metric taken from the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gd_regressor.auto.ladder import Plan, plan_for
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import End, Result, Start, Status, Watch
from gd_regressor.descent.run import result_of
from gd_regressor.descent.stopping import Stop
from gd_regressor.descent.walk import Walk
from gd_regressor.objective.on_rows import KnownAtZero, MomentLoss, target_scales

# A relative error of the coefficients above this is said
WORTH_SAYING = 1e-6


def follow_auto(rows: Rows, start: Start, *, rung: str | None = None, **options) -> Result:
    """Descend in centred and scaled columns, with P = (2 R'R)^-1 for a factor R of the columns.

    With an exact R a step of 1 would arrive at once, and what R rounds away is put right by the
    gradients from the rows, down to the rounding floor. With R from a sketch it takes conjugate
    steps, as many as `tol` asks for. `rung` is the one of the ladder to try first; None chooses.
    The `options` are those of `follow_plan`.
    """
    sizes = {name: options[name] for name in ("fit_intercept", "tol", "max_iter")}
    plan = plan_for(rows, rung=rung, **sizes)
    return follow_plan(plan, start, rows.precision, **options)


def follow_plan(
    plan: Plan,
    start: Start,
    precision: np.dtype,
    *,
    fit_intercept: bool,
    max_iter: int,
    tol: float | None,
    watch: Watch | None = None,
) -> Result:
    """Descend as planned, for coefficients to be kept in this `precision`."""
    variance, square = target_scales(plan.moments, fit_intercept)
    loss = KnownAtZero(plan.loss, MomentLoss(plan.moments, plan.loss.frame))
    path = Walk(loss, plan.point(start), plan.factor, plan.step)
    rule = plan.rule(tol, variance, square)
    stop = Stop(rule, max_iter, variance, np.float64)
    end = path.first(stop, watch)
    theta = path.at(end.k)
    if end.status is not Status.INTERRUPTED:
        least = plan.least_norm(theta, end.losses[-1], variance, tol)
        if least is None:
            end, least = replace(end, status=Status.MAX_ITER), theta
        theta = least
    w, b = plan.loss.frame.to_raw(theta)
    if precision == np.float32:  # the intercept that suits the coefficients as they are kept
        with np.errstate(over="ignore", invalid="ignore"):
            b = b + plan.loss.frame.centre @ (w - w.astype(np.float32))
    error = plan.coefficient_error(path.here.direction, path.here.theta, end.losses[-1], variance)
    known = {
        "condition_number": plan.condition_number,
        "coef_error": error,
        "rank": plan.rank,
        "metric": plan.factor.source,
    }
    end = _judged(end, path, plan, tol, variance, error)
    return result_of(path, end, w, b, variance, **known)


def _judged(
    end: End, path: Walk, plan: Plan, tol: float | None, variance: np.ndarray, error: float
) -> End:
    """The end with the status that it deserves."""
    status, scaled = end.status, plan.factor.source == "scaled"
    if status is Status.CONVERGED and plan.vanishing and not plan.vanishing.known:
        status = Status.MAX_ITER  # too few to find out how the columns depend on each other
    if status is Status.MAX_ITER and tol is not None and not scaled:  # where gaps are no estimates
        gaps = path.records(end.k, end.k).gaps[0]
        near = (gaps <= tol * variance).all()
        status = Status.CONVERGED if near else status  # the floor was yet to come
    if status is Status.CONVERGED and error > WORTH_SAYING:
        status = Status.ILL_CONDITIONED
    return end if status is end.status else replace(end, status=status)
