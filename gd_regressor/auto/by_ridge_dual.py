"""by_ridge_dual: Newton's steps in the space of few rows, for ridges that one factor cannot serve.

There are more columns than rows, or targets have ridges of different strengths.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np

from gd_regressor.auto.findings import DOUBLED_FROM, Findings, loss_for
from gd_regressor.auto.gathered import Gathered
from gd_regressor.auto.newton import Newton, precision_for
from gd_regressor.auto.plan import Plan
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Given, Table
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.descent.records import Request, Terms
from gd_regressor.descent.walk import Smooth
from gd_regressor.metric.factor import Factor
from gd_regressor.metric.ridged_rows import ridged_rows
from gd_regressor.objective.frame import AtZero, Frame, scales_of
from gd_regressor.objective.on_moments import MomentLoss
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_doubled import DoubledLoss
from gd_regressor.objective.ridge import RidgeLoss


class FewRows(NamedTuple):
    """A table, and few rows with the same products."""

    rows: Table
    x: np.ndarray  # (m, d): in the units of `frame`, times the roots of shares of the weight
    centred: bool  # whether these rows add up to zero, so that one of them tells nothing
    source: str  # what they are from: see `Metric`
    frame: Frame
    at_zero: AtZero
    moments: Moments  # of the targets at least

    @classmethod
    def of_wide(cls, rows: Table, fit_intercept: bool) -> FewRows:
        whole = Gathered.of(rows, fit_intercept)
        return cls(rows, whole.x, fit_intercept, "dual", whole.frame, whole.at_zero, whole.targets)

    @classmethod
    def of_tall(cls, given: Given, fit_intercept: bool) -> FewRows:
        """The rows of a triangular factor."""
        moments, rows = given.seen_by(first_moments)
        factor = Factor.of(moments, about_mean=fit_intercept)
        frame = Frame.of(moments, factor.scale, fit_intercept)
        x, source = factor.root, "moments"
        if not factor.in_order:  # the moments may not tell the columns apart
            root = Root.of(rows, frame.centre, frame.scale, frame.target_centre).mean_square
            source = "qr"
            x = root[int(fit_intercept) :, 1 : len(frame.scale) + 1].copy()
            x[:, factor.constant] = 0.0  # where there may be rounding of their means
        return cls(rows, x, False, source, frame, AtZero.of(moments, frame), moments)


def by_ridge_dual(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table whose moments, or whose few rows, fit into memory."""
    fit_intercept = request.fit_intercept
    if given.n_columns >= given.n_rows and not given.is_sparse:
        few, loss_of = FewRows.of_wide(given.check(), fit_intercept), _on_wide
    else:
        few, loss_of = FewRows.of_tall(given, fit_intercept), _on_tall
    l2 = cast(Terms, request.terms).in_units(few.frame.scale).l2
    scale, source = few.frame.scale, few.source
    metric = ridged_rows(few.x, l2, scale, centred=few.centred, source=source)
    condition = metric.condition_number
    loss = loss_of(few, condition)
    plan = Newton(
        problem=Smooth(RidgeLoss.of(loss, l2), metric),
        frame=few.frame,
        at_zero=few.at_zero,
        scales=scales_of(few.moments, fit_intercept),
        request=request,
        condition_number=condition,
        rank=metric.rank,
        precision=precision_for(loss, condition),
    )
    return plan, found


def _on_wide(few: FewRows, condition: float) -> Quadratic:
    doubled = few.rows.is_small and condition > DOUBLED_FROM
    return (DoubledLoss if doubled else DataLoss)(few.rows, few.frame)


def _on_tall(few: FewRows, condition: float) -> Quadratic:
    on_rows = loss_for(few.rows, few.frame, condition)
    return MomentLoss(few.moments, few.frame) if on_rows is None else on_rows
