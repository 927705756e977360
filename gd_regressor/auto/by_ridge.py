"""by_ridge, for a penalty of squares alone: Newton's steps in a metric that knows the penalty."""

from __future__ import annotations

from typing import cast

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.auto import newton
from gd_regressor.auto.findings import NULL_NOISE, Findings, loss_for, shift_in
from gd_regressor.auto.newton import Newton
from gd_regressor.auto.plan import Plan
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.table import Given
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.descent.records import Request, Terms
from gd_regressor.descent.walk import Smooth
from gd_regressor.metric.dependence import Dependence, combinations, vanishing
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import AtZero, Frame, scales_of
from gd_regressor.objective.on_moments import MomentLoss, PreciseMomentLoss
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.ridge import RidgeLoss, with_ridge


def ridge_on_moments(moments: Moments, request: Request) -> Plan:
    """The plan for a loss on these moments alone."""
    moments = with_ridge(moments, cast(Terms, request.terms).ridge_of(moments.scale))
    factor = Factor.of(moments, about_mean=request.fit_intercept, suspect=0.0)
    frame = Frame.of(moments, factor.scale, request.fit_intercept)
    loss, condition = MomentLoss(moments, frame), factor.condition_number
    if moments.low is not None:
        loss = PreciseMomentLoss(loss)
    rounding = EPS if moments.low is None else EPS**2
    unknown = min(rounding * condition**2 + EPS * condition, 1.0)
    null = combinations(factor, frame.n_parameters)
    dependence = Dependence(factor, null, condition, factor.rounding)
    return _plan(loss, dependence, moments, frame, request, unknown)


def by_ridge(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table whose moments fit into memory."""
    moments, rows = given.seen_by(first_moments)
    terms, fit_intercept = cast(Terms, request.terms), request.fit_intercept
    ridge = terms.ridge_of(moments.scale)
    penalised = with_ridge(moments, ridge)
    factor = Factor.of(penalised, about_mean=fit_intercept)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    l2 = ridge / factor.scale**2
    if factor.dropped.size or factor.condition_number > newton.MOMENTS_SUFFICE:
        factor = Factor.of_rows(rows, frame, without=factor.dropped[:0], ridge=l2)
    on_rows = loss_for(rows, frame, factor.condition_number)
    judge = RidgeLoss.of(on_rows or DataLoss(rows, frame, shift_in(rows, frame)), l2[:, None])
    loss = judge if on_rows else MomentLoss(penalised, frame)
    noise = NULL_NOISE if judge.doubled else factor.rounding
    dependence = Dependence(factor, *vanishing(factor, judge, frame), noise)
    return _plan(loss, dependence, moments, frame, request), found


def _plan(
    loss: Quadratic,
    dependence: Dependence,
    moments: Moments,
    frame: Frame,
    request: Request,
    unknown: float = 0.0,
) -> Newton:
    return Newton(
        problem=Smooth(loss, dependence.factor),
        frame=frame,
        at_zero=AtZero.of(moments, frame),
        scales=scales_of(moments, request.fit_intercept),
        request=request,
        condition_number=dependence.condition_number,
        rank=dependence.rank,
        dependence=dependence,
        precision=newton.precision_for(loss, dependence.factor.condition_number),
        unknown=unknown,
    )
