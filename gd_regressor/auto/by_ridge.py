"""by_ridge, for a penalty of squares alone: Newton's steps in a metric that knows the penalty."""

from __future__ import annotations

from typing import cast

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.auto import newton
from gd_regressor.auto.findings import DOUBLED_FROM, WELL_CONDITIONED, Findings
from gd_regressor.auto.plan import Plan
from gd_regressor.auto.ridge_plan import Ridge
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.table import Given, Table
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.descent.records import Request, Terms
from gd_regressor.descent.walk import Smooth
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import AtZero, Frame, scales_of
from gd_regressor.objective.on_moments import MomentLoss, PreciseMomentLoss
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_doubled import DoubledLoss
from gd_regressor.objective.on_rows_sliced import SlicedLoss
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
    return _plan(
        loss, factor, moments, frame, request, min(rounding * condition**2 + EPS * condition, 1.0)
    )


def by_ridge(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table whose moments fit into memory."""
    moments, rows = given.seen_by(first_moments)
    terms, fit_intercept = cast(Terms, request.terms), request.fit_intercept
    l2 = terms.ridge_of(moments.scale)
    penalised = with_ridge(moments, l2)
    factor = Factor.of(penalised, about_mean=fit_intercept)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    l2 = l2 / factor.scale**2
    if factor.dropped.size or factor.condition_number > newton.MOMENTS_SUFFICE:
        factor = Factor.of_rows(rows, frame, without=factor.dropped[:0], ridge=l2)
    loss = _loss_of(rows, frame, factor.condition_number)
    loss = MomentLoss(penalised, frame) if loss is None else RidgeLoss.of(loss, l2[:, None])
    return _plan(loss, factor, moments, frame, request), found


def _loss_of(rows: Table, frame: Frame, condition: float) -> Quadratic | None:
    """The loss on the rows with as many digits as the factor's condition number asks for.

    None for large tables of well-conditioned columns, whose moments have them all.
    """
    double = rows.precision == np.float64
    if condition > (DOUBLED_FROM if rows.is_small else WELL_CONDITIONED) and (
        double or rows.is_small
    ):
        return DoubledLoss(rows, frame)
    if rows.is_small and double:
        return SlicedLoss(rows, frame) if SlicedLoss.suits(frame) else DoubledLoss(rows, frame)
    return DataLoss(rows, frame) if rows.is_small else None


def _plan(
    loss: Quadratic,
    factor: Factor,
    moments: Moments,
    frame: Frame,
    request: Request,
    unknown: float = 0.0,
) -> Ridge:
    precise = newton.doubled_precision if loss.doubled else newton.precision_in_doubles
    precise = newton.sharp_precision if loss.sharp else precise
    return Ridge(
        problem=Smooth(loss, factor),
        frame=frame,
        at_zero=AtZero.of(moments, frame),
        scales=scales_of(moments, request.fit_intercept),
        request=request,
        condition_number=factor.condition_number,
        rank=len(factor.pivots),
        precision=precise(factor.condition_number),
        unknown=unknown,
    )
