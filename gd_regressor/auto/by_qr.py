"""by_qr, if moments cannot tell columns apart: Newton's steps in the metric of a QR factor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.auto.findings import Findings, judge_of
from gd_regressor.auto.newton import Newton, doubled_precision
from gd_regressor.auto.plan import Plan
from gd_regressor.data.table import Given
from gd_regressor.descent.records import Request
from gd_regressor.descent.walk import Smooth
from gd_regressor.metric.dependence import Dependence, vanishing
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import AtZero, scales_of, shift_of_full
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_doubled import FINE_SLICES, DoubledLoss


def by_qr(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. We keep the null vectors of the moments, because R has fewer digits of them."""
    found = found or Findings.of(given, request.fit_intercept)
    rows, frame, before, known = found.rows, found.frame, found.factor, found.dependence
    dependent = before.dropped[known.vectors[before.dropped].any(axis=1)]
    factor = Factor.of_rows(rows, frame, without=dependent)
    rest = replace(factor, dropped=np.setdiff1d(factor.dropped, dependent))
    working = DataLoss(rows, frame, shift_of_full(rows, frame) if rows.is_sparse else None)
    doubled = rows.is_small or rows.precision == np.float64
    loss = DoubledLoss(rows, frame, FINE_SLICES) if doubled else working
    judge = judge_of(rows, rest, loss, working)
    more, condition = vanishing(rest, judge, frame)
    noise = known.noise if judge.doubled else max(known.noise, factor.rounding)
    vectors = np.hstack([known.vectors, more])
    dependence = Dependence(factor, vectors, condition, noise)
    plan = Newton(
        problem=Smooth(loss, factor),
        frame=frame,
        at_zero=AtZero.of(found.moments, frame),
        scales=scales_of(found.moments, request.fit_intercept),
        request=request,
        condition_number=condition,
        rank=dependence.rank,
        dependence=dependence,
        precision=precision(factor.condition_number, doubled),
    )
    return plan, found


def precision(condition_number: float, doubled: bool) -> float:
    """The prediction error, in units of y, too small to justify an update."""
    return doubled_precision(condition_number) if doubled else EPS / condition_number
