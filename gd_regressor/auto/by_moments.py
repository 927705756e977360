"""by_moments: Newton's steps in the metric of the moments, on moments or on the rows."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.newton import MOMENTS_SUFFICE, Newton, precision_for
from gd_regressor.auto.plan import ROUGH, Plan
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Table
from gd_regressor.descent.records import Request
from gd_regressor.descent.walk import Smooth
from gd_regressor.objective.frame import AtZero, Frame, scales_of
from gd_regressor.objective.on_moments import MomentLoss, PreciseMomentLoss
from gd_regressor.objective.on_rows_doubled import DoubledLoss
from gd_regressor.objective.on_rows_sliced import SlicedLoss

# Of well-conditioned columns moments alone come as near to the minimum as this tolerance
MOMENTS_REACH = 1e-20
# In large tables above this condition number, a QR factorisation has more digits than moments. We
# add a pass over the rows there, unless fewer digits than ROUGH's are asked for. With tol=0 all
# digits are, at any condition number
SLICED_FROM = condition_for(15, power=2)
# Of more columns, products in twice the working precision take longer than passes in it; of sparse
# ones, more memory than a fit may
PRECISE, PRECISE_SPARSE = 100, 700


def by_moments(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan; None if moments cannot tell the columns apart. Findings in either case."""
    found, fit_intercept = Findings.of(given, request.fit_intercept), request.fit_intercept
    if found.dependence.condition_number > MOMENTS_SUFFICE:
        return None, found
    rows, moments, frame = found.rows, found.moments, found.frame
    loss, unknown = found.loss, 0.0
    if _slicing_pays(rows, request, found):
        loss = SlicedLoss(rows, frame) if SlicedLoss.suits(frame) else DoubledLoss(rows, frame)
    elif _moments_are_enough(rows, request, found):
        loss = MomentLoss(moments, frame)
    elif _precise_moments_pay(rows, request, found):
        moments = Moments.of_rows(rows, precise=True)
        frame = Frame.of(moments, found.factor.scale, fit_intercept)
        loss = PreciseMomentLoss(MomentLoss(moments, frame))
        unknown = EPS * found.factor.condition_number
    plan = Newton(
        problem=Smooth(loss, found.factor),
        frame=frame,
        at_zero=AtZero.of(moments, frame),
        scales=scales_of(moments, fit_intercept),
        request=request,
        condition_number=found.dependence.condition_number,
        rank=found.dependence.rank,
        dependence=found.dependence,
        precision=precision_for(loss, found.factor.condition_number),
        unknown=unknown,
    )
    return plan, found


def _slicing_pays(rows: Table, request: Request, found: Findings) -> bool:
    """Whether rounding of moments, or of gradients in working precision, would show."""
    if found.lossy or rows.precision != np.float64:
        return False
    # The cut of a sparse block has no zeros left, and takes as long as a dense one
    return rows.is_small or (not rows.is_sparse and _digits_are_lost(request, found))


def _digits_are_lost(request: Request, found: Findings) -> bool:
    """Whether the moments of a large table lose digits of the coefficients that are asked for."""
    tol = request.tol
    fine = tol is None or tol <= ROUGH
    return (fine and found.factor.condition_number > SLICED_FROM) or tol == 0


def _moments_are_enough(rows: Table, request: Request, found: Findings) -> bool:
    """Whether a large, well-conditioned table needs no gradient from its rows."""
    if rows.is_small or found.lossy or request.tol is None or request.tol < MOMENTS_REACH:
        return False
    return not _sparse_digits_are_lost(rows, request, found)


def _sparse_digits_are_lost(rows: Table, request: Request, found: Findings) -> bool:
    double = rows.precision == np.float64
    return rows.is_sparse and double and _digits_are_lost(request, found)


def _precise_moments_pay(rows: Table, request: Request, found: Findings) -> bool:
    """Whether doubled gradients are wanted, and cheaper from moments of twice the precision."""
    if not (found.loss.doubled or _sparse_digits_are_lost(rows, request, found)):
        return False
    if rows.n_columns > (PRECISE_SPARSE if rows.is_sparse else PRECISE):
        return False
    # Null vectors of the rows do not vanish on moments, and moments use rounded roots of weights
    return not (rows.is_small or found.dependence.vectors.size or rows.weighted)
