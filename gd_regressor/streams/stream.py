"""Streams: what is kept of rows that come once, and the descent on that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, plain
from gd_regressor.arithmetic.slices import square
from gd_regressor.auto.follow import follow_auto, follow_plan
from gd_regressor.auto.newton import Newton, doubled_precision, precision_in_doubles
from gd_regressor.auto.plan import judged
from gd_regressor.data.checks import check_mean_square
from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows, Table
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Reason, Request, Result, Start, Status
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.descent.walk import Smooth
from gd_regressor.metric.dependence import Dependence, combinations
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.on_rows import AtZero, Frame, MomentLoss, PreciseMomentLoss, scales_of
from gd_regressor.streams.null_space import NullSpace
from gd_regressor.textbook.follow import follow_path, follow_textbook
from gd_regressor.textbook.spectrum import Spectrum
from gd_regressor.textbook.triangle import MOMENTS_ARE_EXACT, triangle_of_moments

# Of the largest scatter that was ever held: below zero by more is no rounding
NEGATIVE = 1e-9
MOST_COLUMNS = 20_000  # 3 GB for one matrix
# Cholesky's method with pivots below this share of a column's scatter has no digit left
SUSPECT = 1e-13


@dataclass(frozen=True)
class Stream:
    """What is known of the rows of a stream: as much after a billion of them as after the first."""

    # Any, because no checker can follow what `keeps` tells
    statistic: Any  # Moments or a Root
    null_space: Any  # a NullSpace beside moments; None with a Root, which knows it
    precision: np.dtype  # of the columns
    y_ndim: int
    n_batches: int = 1

    @classmethod
    def of(cls, rows: Rows, y_ndim: int, *, keep: str) -> Stream:
        """That of a first chunk; `keep` is "moments" or "qr"."""
        if rows.n_columns > MOST_COLUMNS:
            raise ValueError(
                f"X has {rows.n_columns} columns: a stream keeps matrices with a row and a column "
                f"for each, of up to {MOST_COLUMNS}; call fit, or hash to fewer columns."
            )
        moments = Moments.of_rows(rows, precise=keep == "moments")
        if keep == "moments":
            null_space = NullSpace.of(rows, moments)
            return cls(moments.times(rows.unit), null_space, rows.precision, y_ndim)
        scale = Factor.of(moments).scale
        root = Root.of(rows, moments.column_means, scale, moments.target_means)
        return cls(root.times(rows.unit), None, rows.precision, y_ndim)

    @classmethod
    def of_moments(cls, moments: Moments) -> Stream:
        """That of rows of which no more is known than their moments."""
        d, t = moments.xy.shape
        unknown = NullSpace(moments.origin, np.zeros(d), np.zeros((d + 1, 0)), 1.0)
        return cls(moments, unknown, np.dtype(np.float64), 1 if t == 1 else 2)

    @classmethod
    def of_table(cls, rows: Table, y_ndim: int) -> Stream:
        """What the textbooks' iterates need of a table that is elsewhere."""
        moments = Moments.of_rows(rows)
        factor = Factor.of(moments)
        if factor.dropped.size == 0 and factor.condition_number <= MOMENTS_ARE_EXACT:
            return replace(cls.of_moments(moments), precision=rows.precision, y_ndim=y_ndim)
        root = Root.of(rows, moments.column_means, factor.scale, moments.target_means)
        return cls(root, None, rows.precision, y_ndim)

    @property
    def keeps(self) -> str:
        return "moments" if isinstance(self.statistic, Moments) else "qr"

    @property
    def has_forgotten(self) -> bool:
        return self.keeps == "moments" and self.statistic.held is not None

    @property
    def n_columns(self) -> int:
        return len(self.statistic.scale)

    @property
    def n_targets(self) -> int:
        targets = self.statistic
        return len(targets.target_origin if self.keeps == "moments" else targets.target_centre)

    @property
    def size(self) -> int:
        """Entries of what is kept."""
        return self.n_columns**2

    def check_like(self, more: Any, name: str, y_ndim: int | None = None) -> None:
        """Refuse rows, or another stream, that have not the same columns and targets."""
        y_ndim = more.y_ndim if y_ndim is None else y_ndim
        mine = self.n_columns, self.n_targets, self.y_ndim
        if (more.n_columns, more.n_targets, y_ndim) != mine:
            raise ValueError(
                f"{name} must have the columns and targets of the stream: {mine[0]} columns, "
                f"{mine[1]} targets (y of {mine[2]} dimensions), got {more.n_columns} columns, "
                f"{more.n_targets} targets (y of {y_ndim} dimensions)."
            )
        if isinstance(more, Stream) and more.keeps != self.keeps:
            raise ValueError(f"{name} keeps {more.keeps!r}, this stream {self.keeps!r}.")

    def followed_by(self, rows: Rows) -> Stream:
        """With one more chunk. One without weight adds nothing, but is counted: it has come."""
        if not rows.total_weight:
            return replace(self, n_batches=self.n_batches + 1)
        statistic, null_space = self.statistic, self.null_space
        if self.keeps == "qr":
            more = Root.of(rows, statistic.centre, statistic.scale, statistic.target_centre)
        else:
            more, null_space = Moments.of_rows(rows, precise=True), null_space.within(rows)
        return replace(
            self,
            statistic=statistic + more.times(rows.unit),
            null_space=null_space,
            precision=np.result_type(self.precision, rows.precision),
            n_batches=self.n_batches + 1,
        )

    def __add__(self, other: Stream) -> Stream:
        both = self.null_space and other.null_space
        return replace(
            self,
            statistic=self.statistic + other.statistic,
            null_space=self.null_space & other.null_space if both else None,
            precision=np.result_type(self.precision, other.precision),
            n_batches=self.n_batches + other.n_batches,
        )

    def without(self, rows: Rows) -> Stream:
        """With a chunk removed. What vanished on all rows vanishes on those that are left."""
        if self.keeps == "qr":
            raise ValueError(
                "A triangular factor cannot forget rows; keep moments instead (stream='moments')."
            )
        if not rows.total_weight:
            return self
        less = Moments.of_rows(rows, precise=True).times(rows.unit)
        weight = self.statistic.weight
        if less.weight >= weight * (1 - EPS * 1e3):
            raise ValueError(
                f"X has rows of weight {less.weight:g} to forget, and the stream holds {weight:g}: "
                "none would be left."
            )
        rest = self.statistic - less
        if (rest.xx.diagonal() < -NEGATIVE * rest.largest_held[: self.n_columns]).any():
            raise ValueError(
                "X has rows to forget that were not learnt: what would be left of the squares is "
                "below zero."
            )
        return replace(self, statistic=rest)

    def follow_auto(
        self, start: Start, request: Request, observers: Sequence[Observer] = ()
    ) -> Result:
        """Descend with "auto"."""
        if isinstance(self.statistic, Moments):
            result = follow_plan(self._plan(request), start, self.precision, observers)
            return replace(result, reason=self._reason(result))
        w, b = start
        rows, centre, target_centre = equivalent_rows(
            self.statistic, self.precision, raw=not request.fit_intercept
        )
        with np.errstate(over="ignore"):
            check_mean_square(((rows.y + target_centre) ** 2).mean(axis=0))
        start = w, b - target_centre + centre @ w
        result = follow_auto(rows, start, request, observers)
        with np.errstate(over="ignore", invalid="ignore"):  # coefficients as they will be kept
            kept = result.coef.astype(self.precision).astype(np.float64)
            intercept = result.intercept + target_centre - kept @ centre
        error = max(result.coef_error, self.statistic.noise * (result.condition_number or np.inf))
        result = replace(result, intercept=intercept, coef_error=error)
        return replace(result, status=judged(result.status, error))

    def follow_textbook(
        self,
        step: ConstantStep,
        start: Start,
        request: Request,
        observers: Sequence[Observer] = (),
    ) -> Result:
        """Descend with a constant step: the iterates of all rows."""
        moments, fit_intercept = self.statistic, request.fit_intercept
        if isinstance(moments, Root):
            rows, _, _ = equivalent_rows(moments, self.precision, raw=True)
            return follow_textbook(rows, step, start, request, observers)
        factor = Factor.of(moments, suspect=SUSPECT)
        if moments.low is not None:
            factor = refined(factor, moments)
        matrix, responses, rest = triangle_of_moments(moments, factor, fit_intercept)
        theta = np.vstack([start[0], start[1]]) if fit_intercept else start[0]
        if theta.any():
            responses = np.hstack([responses, responses - matrix @ theta])
            rest = np.concatenate([rest, rest])
        path = Spectrum.of((matrix, responses, rest), step, theta)
        result = follow_path(
            path, path.curvature, step, moments, self.precision, request, observers
        )
        _, resolved = self._null_vectors(factor, Frame.of(moments, factor.scale, True))
        if resolved:
            return result
        status = judged(result.status, np.inf)
        result = replace(result, status=status, condition_number=np.inf, coef_error=np.inf)
        return replace(result, reason=self._reason(result))

    def _reason(self, result: Result) -> Reason | None:
        """Why digits of the coefficients are lost, where they are."""
        if result.status is not Status.ILL_CONDITIONED:
            return result.reason
        finite = result.condition_number != np.inf
        return Reason.FORGOTTEN if self.has_forgotten and finite else Reason.KEPT_MOMENTS

    def _plan(self, request: Request) -> Newton:
        moments, fit_intercept = self.statistic, request.fit_intercept
        factor = Factor.of(moments, about_mean=fit_intercept, suspect=SUSPECT)
        frame = Frame.of(moments, factor.scale, fit_intercept)
        vectors, resolved = self._null_vectors(factor, frame)
        condition = factor.condition_number if resolved else np.inf
        if not resolved:  # what the moments take for dependent, and say so
            vectors = combinations(factor, frame.n_parameters)
        loss, precise = MomentLoss(moments, frame), precision_in_doubles
        if moments.low is not None:
            loss, precise = PreciseMomentLoss(loss), doubled_precision
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
            precision=precise(factor.condition_number),
            unknown=self._unknown(factor),
        )

    def _null_vectors(self, factor: Factor, frame: Frame) -> tuple[np.ndarray, bool]:
        """What the rows vanished on; whether that is all that the moments take for dependent."""
        vectors = self.null_space.in_frame(frame, factor.constant_columns)
        return vectors, vectors.shape[1] == len(frame.scale) - len(factor.pivots)

    def _unknown(self, factor: Factor) -> float:
        """The relative error of the coefficients that the moments leave.

        Rows are rounded as those of a QR factorisation, products of them once or twice; what
        rounding was in rows that have been removed is left behind.
        """
        moments, condition = self.statistic, factor.condition_number
        if moments.held is None:
            rounding = EPS if moments.low is None else EPS**2
            return min(rounding * condition**2 + EPS * condition, 1.0)
        now = np.concatenate([moments.xx.diagonal(), moments.yy])
        held = np.where(moments.held > 0, moments.held, 1e-300)
        with np.errstate(over="ignore"):  # more than all of it is lost
            lost = held / np.maximum(now, 1e-300)
        lost_x, lost_y = lost[factor.pivots].max(initial=1.0), lost[len(factor.scale) :].max()
        lost_both = np.sqrt(lost_x) * np.sqrt(lost_y)
        return float(min(EPS * condition * max(min(condition * lost_x, 1e300), lost_both), 1.0))


def refined(factor: Factor, moments: Moments) -> Factor:
    """R'R as right as moments in twice the working precision are, not to the root of it.

    A step of Newton's method for the factor: R + upper(R^-T (M - R'R) R^-1) R, with half of the
    diagonal.
    """
    if not factor.in_order:
        return factor
    share = moments.scale / factor.scale / np.sqrt(moments.weight)
    _, _, xx, _ = moments.doubled
    error = plain(xx * np.multiply.outer(share, share) - square(factor.root))
    turned = factor.solve(factor.solve(error, transposed=True).T, transposed=True)
    upper = np.triu(turned) - np.diag(turned.diagonal() / 2)
    return replace(factor, root=factor.root + upper @ factor.root)


def equivalent_rows(
    root: Root, precision: np.dtype | None = None, *, raw: bool
) -> tuple[Rows, np.ndarray, np.ndarray]:
    """A small table with the same least-squares problem, and what its columns and targets lack.

    That is nothing in `raw` columns, where their distance from zero belongs to the problem; it
    costs the digits that it has.

    The rows of R, turned so that they all have the same share in the column of ones: QR of any
    table whose first column is constant could have begun with this one. Columns that depend on
    others up to the rounding of R do so exactly here.
    """
    matrix = root.mean_square
    m, d = len(matrix), len(root.centre)
    # The reflection that exchanges the first unit vector and the vector of ones; R's first row is
    # the only one with a share in the ones
    normal = np.full(m, 1 / np.sqrt(m))
    normal[0] -= np.sign(matrix[0, 0])
    size = normal @ normal
    turned = matrix
    if size > 0:
        turned = matrix - np.multiply.outer(2 / size * normal, normal @ matrix)
    turned = turned * np.sqrt(m)
    x, means = turned[:, 1 : d + 1], matrix[0, 1 : d + 1] / matrix[0, 0]
    for column, others, combination in root.dependences:
        x[:, column] = means[column] + (x[:, others] - means[others]) @ combination
    x, y = x * root.scale, turned[:, d + 1 :]
    centre, target_centre = root.centre, root.target_centre
    if raw:
        x, y = x + centre, y + target_centre
        centre, target_centre = 0 * centre, 0 * target_centre
    return Rows(x, y, kept=precision), centre, target_centre
