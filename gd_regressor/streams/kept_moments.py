"""Streams that keep moments: cheap, able to forget, but short of digits for near columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, plain
from gd_regressor.arithmetic.ranges import LARGEST_FACTOR, SMALLEST_DIVISOR
from gd_regressor.arithmetic.slices import square
from gd_regressor.auto.by_active_set import on_moments
from gd_regressor.auto.by_ridge import ridge_on_moments
from gd_regressor.auto.follow import follow_plan
from gd_regressor.auto.newton import Newton, precision_for
from gd_regressor.auto.plan import judged
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Rows
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Conditioning, Reason, Request, Result, Start, Status
from gd_regressor.descent.steps import TextbookStep
from gd_regressor.descent.walk import Smooth
from gd_regressor.metric.dependence import Dependence, combinations
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import AtZero, Frame, scales_of
from gd_regressor.objective.on_moments import MomentLoss, PreciseMomentLoss
from gd_regressor.streams.kept import Kept
from gd_regressor.streams.null_space import NullSpace
from gd_regressor.textbook.follow import follow_path
from gd_regressor.textbook.landscape import Landscape
from gd_regressor.textbook.modal import path_along
from gd_regressor.textbook.penalised import on_triangle
from gd_regressor.textbook.triangle import Triangle, triangle_of_moments

# A scatter below zero by more than this share of the largest scatter ever held is no rounding error
NEGATIVE = 1e-9
# If we forget all weight but this share, nothing is left but rounding error
NOTHING = 1e3 * EPS
# A pivot of Cholesky's method below this share of a column's scatter has no digit left
NO_DIGIT = 1e-13


class Columns(NamedTuple):
    """The factor of the moments, and the combinations that vanished on the rows as they came."""

    factor: Factor
    frame: Frame
    vectors: np.ndarray  # (p, m): the combinations that vanished on all rows
    resolved: bool  # whether the moments show no other dependent columns than `vectors`


@dataclass(frozen=True)
class KeptMoments(Kept[Moments]):
    """The moments of all rows, and the combinations of columns that were constant in all rows.

    Moments alone cannot tell a constant combination from one that varies by 1e-8.
    """

    statistic: Moments
    null_space: NullSpace

    name = "moments"

    @classmethod
    def of(cls, rows: Rows) -> KeptMoments:
        moments = Moments.of_rows(rows, precise=True)
        return cls(moments.times(rows.unit), NullSpace.of(rows, moments))

    @classmethod
    def of_moments(cls, moments: Moments) -> KeptMoments:
        """Keep the moments of rows that we have not seen."""
        d = len(moments.scale)
        return cls(moments, NullSpace(moments.origin, np.zeros(d), np.zeros((d + 1, 0)), 1.0))

    @property
    def has_forgotten(self) -> bool:
        return self.statistic.held is not None

    @property
    def n_targets(self) -> int:
        return len(self.statistic.target_origin)

    def followed_by(self, rows: Rows) -> KeptMoments:
        more, null_space = Moments.of_rows(rows, precise=True), self.null_space.within(rows)
        return KeptMoments(self.statistic + more.times(rows.unit), null_space)

    def __add__(self, other: KeptMoments) -> KeptMoments:
        return KeptMoments(self.statistic + other.statistic, self.null_space & other.null_space)

    def without(self, rows: Rows) -> KeptMoments:
        """A combination that vanished on all rows vanishes on the remaining rows, so we keep it."""
        if not rows.total_weight:
            return self
        less = Moments.of_rows(rows, precise=True).times(rows.unit)
        weight = self.statistic.weight
        if less.weight >= weight * (1 - NOTHING):
            raise ValueError(
                f"X has rows of weight {less.weight:g} to forget, and the stream holds {weight:g}: "
                "none would be left. Forget fewer rows, or begin another stream (fit_batches)."
            )
        rest = self.statistic - less
        scatter = rest.xx.diagonal()
        if (scatter < -NEGATIVE * rest.largest_held[: len(scatter)]).any():
            raise ValueError(
                "X has rows to forget that were not learnt: without them a sum of squares would be "
                "below zero. Forget only rows that the stream has learnt."
            )
        return replace(self, statistic=rest)

    def auto(
        self,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        terms = request.terms
        if terms is not None:
            make = ridge_on_moments if terms.are_ridge else on_moments
            plan = make(self.statistic, request)
            return follow_plan(plan, start, precision, observers)
        return self._reasoned(follow_plan(self._plan(request), start, precision, observers))

    def textbook(
        self,
        step: TextbookStep,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        moments, columns = self.statistic, self._columns(about_mean=True)
        landscape = self._landscape(columns, start, request.fit_intercept, precision)
        if request.terms is not None:
            descent = on_triangle(
                landscape.triangle, landscape.start, step, request.terms, request.fit_intercept
            )
            return follow_path(*descent, moments, precision, request, observers)
        modes = landscape.modes
        path, curvature = path_along(modes, step), modes.curvature
        result = follow_path(path, curvature, step, moments, precision, request, observers)
        if columns.resolved:
            return result
        status = judged(result.status, np.inf)
        of_data = Conditioning(condition_number=np.inf, coef_error=np.inf)
        return self._reasoned(result._replace(status=status, of_data=of_data))

    def landscape(self, start: Start, fit_intercept: bool, precision: np.dtype) -> Landscape:
        return self._landscape(self._columns(about_mean=True), start, fit_intercept, precision)

    def _landscape(
        self, columns: Columns, start: Start, fit_intercept: bool, precision: np.dtype
    ) -> Landscape:
        moments, theta = self.statistic, (np.vstack(start) if fit_intercept else start[0])
        triangle = _triangle(moments, columns.factor, theta, fit_intercept)
        scales = scales_of(moments, fit_intercept)
        return Landscape(triangle, theta, fit_intercept, scales, precision)

    def _plan(self, request: Request) -> Newton:
        moments, fit_intercept = self.statistic, request.fit_intercept
        factor, frame, vectors, resolved = self._columns(about_mean=fit_intercept)
        condition = factor.condition_number if resolved else np.inf
        if not resolved:  # take the moments' word, and say so by an infinite condition number
            vectors = combinations(factor, frame.n_parameters)
        loss = MomentLoss(moments, frame)
        if moments.low is not None:
            loss = PreciseMomentLoss(loss)
        return Newton(
            problem=Smooth(loss, factor),
            frame=frame,
            at_zero=AtZero.of(moments, frame),
            scales=scales_of(moments, fit_intercept),
            request=request,
            condition_number=condition,
            rank=len(factor.pivots),
            dependence=Dependence(
                factor, vectors, condition, factor.rounding * factor.condition_number
            ),
            precision=precision_for(loss, factor.condition_number),
            unknown=self._unknown(factor),
        )

    def _columns(self, *, about_mean: bool) -> Columns:
        """The columns about their means, or about zero for a model without intercept."""
        factor = Factor.of(self.statistic, about_mean=about_mean, suspect=NO_DIGIT)
        frame = Frame.of(self.statistic, factor.scale, about_mean)
        vectors = self.null_space.in_frame(frame, factor.constant_columns)
        resolved = vectors.shape[1] == len(factor.scale) - len(factor.pivots)
        return Columns(factor, frame, vectors, resolved)

    def _unknown(self, factor: Factor) -> float:
        """The relative error of the coefficients that is in the moments themselves.

        Rounding in products of the columns counts times the squared condition number. Rounding in
        the columns counts times the condition number, as in a QR factorisation. Rows that we
        subtracted leave their rounding behind, so `lost` compares them with the rows that remain.
        """
        moments, condition = self.statistic, factor.condition_number
        if moments.held is None:
            rounding = EPS if moments.low is None else EPS**2
            return min(rounding * condition**2 + EPS * condition, 1.0)
        now = np.concatenate([moments.xx.diagonal(), moments.yy])
        held = np.where(moments.held > 0, moments.held, SMALLEST_DIVISOR)
        with np.errstate(over="ignore"):  # infinite: no digit remains
            lost = held / np.maximum(now, SMALLEST_DIVISOR)
        lost_x, lost_y = lost[factor.pivots].max(initial=1.0), lost[len(factor.scale) :].max()
        lost_both = np.sqrt(lost_x) * np.sqrt(lost_y)
        lost_most = max(min(condition * lost_x, LARGEST_FACTOR), lost_both)
        return float(min(EPS * condition * lost_most, 1.0))

    def _reasoned(self, result: Result) -> Result:
        """Add the reason for lost digits to the result of an ill-conditioned fit."""
        if result.status is not Status.ILL_CONDITIONED:
            return result
        forgotten = self.has_forgotten and result.of_data.condition_number != np.inf
        return result._replace(reason=Reason.FORGOTTEN if forgotten else Reason.KEPT_MOMENTS)


def _triangle(moments: Moments, factor: Factor, theta: np.ndarray, fit_intercept: bool) -> Triangle:
    """That of the textbooks' descent from `theta` (p, t)."""
    if moments.low is not None:
        factor = refined(factor, moments)
    matrix, responses, rest = triangle_of_moments(moments, factor, fit_intercept)
    if theta.any():
        responses = np.hstack([responses, responses - matrix @ theta])
        rest = np.concatenate([rest, rest])
    return matrix, responses, rest


def refined(factor: Factor, moments: Moments) -> Factor:
    """A factor R whose R'R has the digits of moments M in twice the working precision.

    Cholesky's method leaves an error of eps in R'R. One step of Newton's method for R'R = M takes
    it away: R + upper(R^-T (M - R'R) R^-1) R, where `upper` halves the diagonal.
    """
    if not factor.in_order:
        return factor
    share = moments.scale / factor.scale / np.sqrt(moments.weight)
    _, _, xx, _ = moments.doubled
    error = plain(xx * np.multiply.outer(share, share) - square(factor.root))
    turned = factor.solve(factor.solve(error, transposed=True).T, transposed=True)
    upper = np.triu(turned) - np.diag(turned.diagonal() / 2)
    return replace(factor, root=factor.root + upper @ factor.root)
