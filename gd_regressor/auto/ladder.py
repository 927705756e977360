"""The ladder of "auto": what to descend on, and in which metric, for the table at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Doubled, Point, plain
from gd_regressor.auto.probe import LeastNorm, Vanishing
from gd_regressor.auto.sketch import sketched_moments
from gd_regressor.data.moments import Moments, diagonal_moments
from gd_regressor.data.table import SMALL, Rows
from gd_regressor.descent.records import Start
from gd_regressor.descent.steps import ConjugateStep, ConstantStep
from gd_regressor.descent.stopping import AtFloor, Flattening, NearMinimum
from gd_regressor.metric.factor import Diagonal, Factor
from gd_regressor.metric.row_space import RowSpace, singular_values
from gd_regressor.objective.on_rows import (
    DataLoss,
    DoubledLoss,
    Frame,
    MomentLoss,
    PreciseMomentLoss,
)

# Columns of up to these condition numbers, in large and in small tables, are worth no doubled
# precision; up to MOMENTS_SUFFICE refining on the rows takes an update or three
WELL_CONDITIONED, DOUBLED_FROM, MOMENTS_SUFFICE = 100.0, 50.0, 1e6
# Above MILD the coefficients are worth more than the predictions they make
MILD = 10.0
# Of well-conditioned columns moments alone come as near to the minimum as this tolerance
MOMENTS_REACH = 1e-20
# Of more columns, products in twice the working precision take longer than passes in it; of sparse
# ones, more memory than a fit may
PRECISE, PRECISE_SPARSE = 100, 700
# Conjugate steps in the metric of a sketch reach this tolerance, with an error of the coefficients
# of about its root times the condition number: of ill-conditioned columns that is left to exact
# factors. Products of the rows in single precision lose digits before.
SKETCH_REACH, SINGLE_SUFFICES = 1e-16, 50.0
# A sketch takes a direction for steeper than it is by a factor below (1 + 6^-1/2)^2 = 2, and where
# heavy rows collide 4: the loss may be that much further from its minimum than it seems
SKETCH_SAFETY = 4.0
# With more columns than FEW_SPARSE, sparse ones are descended on as they are. Whoever asks for a
# loss no nearer to its minimum than ROUGH asks for few digits of the coefficients: then how the
# columns depend on each other is not found out, and the distance from the minimum is extrapolated
FEW_SPARSE, ROUGH = 2000, 1e-10
# So many combinations of columns that vanish are found in doubled precision, with no error beside
# it; more of them, of large tables, would take longer than anything else
FEW_DROPPED = 8
# What allows for extrapolating, and for an eigenvalue seen as an average
SCALED_SAFETY = 16.0
# Heights of a sketch that are considered, in columns
HEIGHTS = (6, 8, 12, 16, 24, 32, 48, 64)
# The space of the rows is known to eps times the condition number of the raw columns
DUAL_SUFFICES = 1e6
# A pivot below this share of a column's scatter may be rounding in single precision
SUSPECT_SINGLE = 1e-4
# Columns whose means are within this many deviations of zero need not be centred in each block
NEAR = 4.0
NEWTON = ConstantStep(1.0)


@dataclass(frozen=True)
class Plan:
    """The loss to descend on, and the metric and the rule to descend by."""

    loss: DataLoss | DoubledLoss | MomentLoss
    factor: Factor | RowSpace
    null_vectors: np.ndarray  # (p, m): combinations of columns that vanish on the rows
    # Infinite where a column was left out that does not depend on others; None where not known
    condition_number: float | None
    rank: int | None  # of the centred columns
    moments: Moments  # in the metric of a sketch: estimates, where columns are concerned
    step: ConstantStep | ConjugateStep = NEWTON
    unknown: float = 0.0  # relative error of the coefficients that the loss itself leaves
    null_noise: float = 4 * EPS  # of the null vectors' entries, as a share of the largest
    vanishing: Vanishing | None = None  # combinations of columns of which nothing is factored

    @property
    def doubled(self) -> bool:
        """Whether the descent is one of points in twice the working precision."""
        return isinstance(self.loss, (DoubledLoss, PreciseMomentLoss))

    @property
    def precision(self) -> float:
        """The error of predictions, in units of y, that is worth no update.

        The coefficients have a condition number of it.
        """
        condition = self.factor.condition_number
        if self.doubled:  # and a coefficient may have so small a share of the prediction
            return EPS / (4 * condition**2)
        if self.factor.source == "qr":
            return EPS / condition
        return 2 * EPS if condition > MILD else 8 * EPS

    def rule(self, tol: float | None, variance: np.ndarray, square: np.ndarray):
        """When to stop: at the floor, or where a sketch leads, near enough to the minimum."""
        if tol is None:
            return None
        if isinstance(self.step, ConjugateStep):
            if self.factor.source == "sketch":
                return NearMinimum(tol / SKETCH_SAFETY * variance)
            if self.vanishing is None or not self.vanishing.known:
                return Flattening(tol / SCALED_SAFETY * variance)
            # The distance is at most what it seems, divided by the least eigenvalue of P H; what
            # is left of the coefficients is its root, divided by that eigenvalue once more
            smallest = self.vanishing.smallest
            least = tol * smallest * min(smallest, 1 / SCALED_SAFETY) * variance
            return NearMinimum(least)
        # In doubled precision the rounding of y's mean does not show
        unit = np.minimum(variance, square) if self.doubled else square
        return AtFloor(self.precision**2 * unit, variance)

    def point(self, start: Start) -> Point:
        """The start in the coordinates and the precision of the loss."""
        theta = self.factor.admissible(self.loss.frame.from_raw(*start))
        return Doubled.of(theta) if self.doubled else theta

    def least_norm(
        self, theta: Point, value: np.ndarray, variance: np.ndarray, tol: float | None
    ) -> Point | None:
        """The minimiser of least raw |w|, from one with the loss `value` (t,), or None."""
        if self.vanishing:
            return self._scaled_least_norm(theta, value, variance, tol or 0.0)
        if isinstance(self.factor, RowSpace):  # rounding beside the space of the rows, of a start
            projected = theta + (self.factor.admissible(plain(theta)) - plain(theta))
            return self._settled(projected, variance, tol)[0]
        if not self.null_vectors.size:
            return theta
        least = self.factor.least_norm(theta, self.null_vectors, self.null_noise)
        least, near = self._settled(least, variance, tol)
        before, after = map(self.factor.raw_norm, (theta, least))
        return least if (near & (after <= before * (1 + 1e-9))).all() else theta

    def _settled(self, theta: Point, variance: np.ndarray, tol: float | None):
        """The minimiser beside a point that differs from one by rounding, and if it is one (t,).

        The way there can be so long that the rounding of a null vector shows in the loss, and in
        doubled precision it shows in any case; an update or two takes that back, unless the
        columns' units are too far apart. (The loss itself is a worse measure, on moments: its
        rounding is that of the coefficients' squares.)
        """
        loss, slack = self.loss, 1e-15
        if isinstance(self.step, ConjugateStep):  # which ends further from the minimum than that
            slack = max(tol / SKETCH_SAFETY, 1e-14)
            if loss.rows.dtype != np.float64:  # gradients in single precision are no measure
                loss = replace(loss, rows=replace(loss.rows, dtype=np.float64))
        for _ in range(3):
            _, gradient = loss.value_and_gradient(theta)
            step = -self.factor.apply(gradient)
            near = -np.vecdot(gradient, step, axis=0) / 2 <= slack * variance
            worth = self.doubled and (np.abs(step) > EPS / 8 * np.abs(plain(theta))).any()
            if near.all() and not worth:
                break
            theta = theta + step
        return theta, near

    def _scaled_least_norm(self, theta, value, variance, tol: float) -> np.ndarray | None:
        least = theta
        if self.vanishing.any:
            with np.errstate(all="ignore"):  # what overflows is seen by the loss
                unit, worth = np.sqrt(variance), tol / SCALED_SAFETY
                least = LeastNorm.of(self.vanishing, tol, worth)(theta / unit)
                least = None if least is None else least * unit
        if least is None:
            return None
        # What evaluating the predictions rounds away shows in the loss
        rounding = (64 * EPS) ** 2 * self.factor.square(theta)
        rounding += 2 * np.sqrt(rounding) * np.sqrt(value)
        slack = max(tol, 1e-14) * variance + np.minimum(rounding, 1e-6 * variance)
        reached, _ = self.loss.value_and_gradient(least)
        return least if (reached - value <= slack).all() else None

    def coefficient_error(
        self, direction: np.ndarray, theta: Point, value: np.ndarray, variance: np.ndarray
    ) -> float:
        """Estimated relative error of the coefficients: the next step, which rounding makes too.

        In units of the coefficients, or of y's deviation where they are smaller.
        """
        if self.condition_number == np.inf:
            return np.inf
        if self.vanishing and self.vanishing.lost:
            return np.inf
        if self.vanishing:  # what rounding leaves of the gradient along the least eigenvector
            smallest, size = (
                self.vanishing.smallest,
                np.maximum(self.factor.square(theta), variance),
            )
            noise = np.sqrt(value) + np.sqrt(smallest * variance)
            return float((4 * EPS * noise / smallest / np.sqrt(size)).max())
        if isinstance(self.step, ConjugateStep):  # what is left is the tolerance's, not rounding
            return 0.0
        d = len(self.factor.scale)
        step, w = direction[:d], plain(theta)[:d]
        share = np.vecdot(step, step, axis=0) / np.maximum(np.vecdot(w, w, axis=0), variance)
        return max(self.unknown, math.sqrt(share.max()))


def plan_for(
    rows: Rows, fit_intercept: bool, tol: float | None, max_iter: int, rung: str | None = None
) -> Plan:
    """The cheapest rung that reaches `tol`; `rung` is the one to try first instead."""
    first, plan = rung or first_rung(rows.n_rows, rows.n_columns, rows.n_targets, tol), None
    if first == "sketch" and rows.on_disk:
        first = "moments"
    if rows.is_sparse and rung is None and rows.size > SMALL:
        first = "scaled" if rows.n_columns > FEW_SPARSE else "moments"
    if first == "scaled":
        return by_scaling(rows, fit_intercept, tol, max_iter)
    if first == "dual":
        plan = by_dual(rows, fit_intercept)
    elif first == "sketch":
        plan = by_sketch(rows, fit_intercept, tol)
    plan = plan or by_moments(rows, fit_intercept, tol)
    lost = plan.factor.source == "moments" and plan.condition_number > MOMENTS_SUFFICE
    return by_qr(rows, plan) if first == "qr" or lost else plan


def first_rung(n: int, d: int, t: int, tol: float | None) -> str:
    """The rung to try first on a table of n rows, d columns and t targets."""
    if d >= n:
        return "dual"
    if n * d <= SMALL or tol is None or tol < SKETCH_REACH:
        return "moments"
    _, cost = best_sketch(n, d, t, tol)
    return "sketch" if cost < 1 + d / 32 else "moments"


def best_sketch(n: int, d: int, t: int, tol: float) -> tuple[int, float]:
    """The height of the sketch that leads to `tol` for the least cost, and that cost.

    In passes over X, as measured: where moments cost 1 + d / 32, a sketch of m rows costs
    2 + m d / (40 n), its factor d^2 / (50 n). Each update is a pass (targets beyond the first add
    an eighth each) and takes away a factor m / d of the distance from the minimum, because the
    eigenvalues of P H lie in (1 +- sqrt(d / m))^-2.
    """

    def cost(multiple: int) -> float:
        updates = 1 + math.log(SKETCH_SAFETY / min(tol, 0.1)) / math.log(multiple)
        return 2 + multiple * d * d / (40 * n) + d * d / (50 * n) + updates * (1 + (t - 1) / 8)

    best = min((h for h in HEIGHTS if 2 * h * d <= n), key=cost, default=HEIGHTS[0])
    return best * d, cost(best)


def by_sketch(rows: Rows, fit_intercept: bool, tol: float) -> Plan | None:
    """Conjugate steps on the rows; None where the columns need more digits than a sketch knows."""
    height, _ = best_sketch(rows.n_rows, rows.n_columns, rows.n_targets, tol)
    moments = sketched_moments(rows, height)
    if moments is None:
        return None
    single = rows.precision == np.float32
    factor = Factor.of(moments, about_mean=fit_intercept, source="sketch", suspect=SUSPECT_SINGLE)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    # Any centre does that is near the mean, so one that blocks can be given in their own precision
    frame = replace(frame, centre=frame.centre.astype(rows.precision).astype(np.float64))
    loss = DataLoss(replace(rows, dtype=rows.precision), frame, _shift(frame))
    deviation = np.sqrt(moments.yy / moments.weight)
    if single and not all(_single_holds(sizes) for sizes in (factor.scale, deviation)):
        return None
    null_vectors, condition = factor.null_vectors(loss, together=True)
    if condition > (SINGLE_SUFFICES if single else WELL_CONDITIONED):
        return None
    zero = np.zeros((frame.n_parameters, rows.n_targets))
    _, gradient = MomentLoss(moments, frame).value_and_gradient(zero)
    step = ConjugateStep(first=-factor.apply(gradient))  # the minimum of the sketched problem
    plan = Plan(loss, factor, null_vectors, condition, factor.rank(null_vectors), moments, step)
    return replace(plan, null_noise=factor.rounding * factor.condition_number)


def _single_holds(sizes: np.ndarray) -> bool:
    """Whether products of numbers of these sizes and their sums stay in the range of float32."""
    sizes = sizes[sizes > 0]
    return bool(((sizes > 1e-12) & (sizes < 1e12)).all())


def by_moments(rows: Rows, fit_intercept: bool, tol: float | None) -> Plan:
    """Newton's steps: on the moments where these are exact enough, else on the rows."""
    moments = Moments.of_rows(rows)
    factor = Factor.of(moments, about_mean=fit_intercept)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    small = rows.size <= SMALL
    # Sums over many rows in working precision lose more digits than a QR factorisation
    lossy = factor.condition_number > (DOUBLED_FROM if small else WELL_CONDITIONED)
    doubled = lossy and (small or rows.precision == np.float64)
    loss, judge = _losses(rows, frame, factor, doubled)
    null_vectors, condition = factor.null_vectors(judge, together=not (small or lossy))
    plan = Plan(loss, factor, null_vectors, condition, factor.rank(null_vectors), moments)
    if not isinstance(judge, DoubledLoss):
        noise = factor.rounding * (1 if small or lossy else factor.condition_number)
        plan = replace(plan, null_noise=noise)
    if not (small or lossy) and tol is not None and tol >= MOMENTS_REACH and condition < np.inf:
        return replace(plan, loss=MomentLoss(moments, frame))
    # What vanishes on the rows does not on moments, and the roots of weights are rounded
    on_rows = small or null_vectors.size or rows.weights is not None
    if not doubled or on_rows or rows.n_columns > (PRECISE_SPARSE if rows.is_sparse else PRECISE):
        return plan
    moments = Moments.of_rows(replace(rows, known=None), precise=True)
    loss = PreciseMomentLoss(moments, Frame.of(moments, factor.scale, fit_intercept))
    return replace(plan, loss=loss, moments=moments, unknown=EPS * condition)


def _losses(rows: Rows, frame: Frame, factor: Factor, doubled: bool):
    """The loss to descend on, and the one that judges which combinations of columns vanish."""
    if rows.is_sparse:
        shift = _shift_of_full(rows, frame)
    else:
        shift = None if rows.size <= SMALL or factor.source == "qr" else _shift(frame)
    working = DataLoss(rows, frame, shift)
    # Beyond what moments can tell, what is below two slices shows
    slices = 3 if factor.source == "qr" else 2
    loss, dropped = DoubledLoss(rows, frame, slices) if doubled else working, len(factor.dropped)
    few = dropped <= FEW_DROPPED or rows.size * dropped <= 16 * SMALL
    return loss, loss if few else working


def by_scaling(rows: Rows, fit_intercept: bool, tol: float | None, max_iter: int) -> Plan:
    """Conjugate steps on the rows, in columns scaled to deviation 1: nothing of size (d, d)."""
    moments = diagonal_moments(rows)
    factor = Diagonal.of(moments, about_mean=fit_intercept)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    loss = DataLoss(rows, frame, _shift_of_full(rows, frame))
    plan = Plan(
        loss, factor, np.zeros((frame.n_parameters, 0)), None, None, moments, ConjugateStep()
    )
    if tol is not None and tol > ROUGH:
        return plan
    vanishing = Vanishing.of(loss, factor, max_iter)
    condition = vanishing.condition_number if vanishing.known else None
    full = vanishing.known and not vanishing.any and not vanishing.lost
    rank = int((~factor.constant).sum()) if full else None
    return replace(plan, condition_number=condition, rank=rank, vanishing=vanishing)


def _shift_of_full(rows: Rows, frame: Frame) -> np.ndarray:
    """What the columns of a sparse block are moved by: those that are stored in full."""
    shift = np.zeros_like(frame.centre)
    shift[rows.X.where] = frame.centre[rows.X.where]
    return shift


def _shift(frame: Frame) -> np.ndarray | None:
    """What the columns of a block have to be moved by: nothing where all are near zero."""
    near = (np.abs(frame.centre) <= NEAR * frame.scale).all()
    return np.zeros_like(frame.centre) if near else None


def by_qr(rows: Rows, plan: Plan) -> Plan:
    """Newton's steps in a metric from the rows themselves, doubled for small tables.

    What the moments found to vanish is known better than an ill-conditioned R would know it.
    """
    frame, before = plan.loss.frame, plan.factor
    dependent = before.dropped[plan.null_vectors[before.dropped].any(axis=1)]
    factor = Factor.of_rows(rows, frame, without=dependent)
    rest = replace(factor, dropped=np.setdiff1d(factor.dropped, dependent))
    doubled = rows.size <= SMALL or rows.precision == np.float64
    loss, judge = _losses(rows, frame, rest, doubled)
    more, condition = rest.null_vectors(judge)
    null_vectors = np.hstack([plan.null_vectors, more])
    rank, noise = factor.rank(null_vectors), plan.null_noise
    if not isinstance(judge, DoubledLoss):
        noise = max(noise, factor.rounding)
    return Plan(loss, factor, null_vectors, condition, rank, plan.moments, null_noise=noise)


def by_dual(rows: Rows, fit_intercept: bool) -> Plan | None:
    """Newton's steps in the space of the rows, which holds the minimiser of least |w|.

    None where units or dependent rows make the rank of the raw columns another than that of the
    scaled ones.
    """
    blocks = rows.blocks()
    x, y, s = (None if a[0] is None else np.concatenate(a) for a in zip(*blocks, strict=True))
    share = np.full(len(x), 1 / len(x)) if s is None else s / s.sum()
    exact, centre = Moments.of_rows(rows.targets_only), np.zeros(x.shape[1])
    if fit_intercept:
        y = y - exact.target_means
        centre = x[0] + share @ (x - x[0])
        x = x - centre
        x = x - share @ x  # the rounding of the means
    scale = np.full_like(centre, np.ldexp(1.0, np.frexp(np.abs(x).max())[1]))  # no overflow
    x = x / scale * np.sqrt(share)[:, None]
    metric = RowSpace.of(x, scale, centred=fit_intercept)
    deviation = np.linalg.norm(x, axis=0)
    units = np.where(deviation > 0, deviation, 1.0)
    values = singular_values(x / units, centred=fit_intercept)
    if len(values) != len(metric.values) or metric.condition_number > DUAL_SUFFICES:
        return None
    xy = x.T @ (np.sqrt(share)[:, None] * y) * exact.weight
    moments = replace(exact, origin=centre, scale=scale, mean=0 * centre, xy=xy)
    frame = Frame.of(moments, scale, fit_intercept)
    condition = float(values[0] / values[-1]) if values.size else 1.0
    doubled = rows.size <= SMALL and metric.condition_number > DOUBLED_FROM
    loss = DoubledLoss(rows, frame) if doubled else DataLoss(rows, frame)
    no_vectors = np.zeros((loss.frame.n_parameters, 0))
    return Plan(loss, metric, no_vectors, condition, len(values), moments)
