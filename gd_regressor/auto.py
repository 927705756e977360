"""learning_rate="auto": descent in the metric that the condition of the rows calls for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.blocks import Rows
from gd_regressor.descent import Walk
from gd_regressor.doubled import Doubled, Point, plain
from gd_regressor.losses import DataLoss, DoubledLoss, Frame, KnownAtZero
from gd_regressor.metric import Factor
from gd_regressor.moments import Moments
from gd_regressor.path import (
    SMALL,
    Start,
    Watch,
    divergence_bounds,
    result_of,
    target_scales,
)
from gd_regressor.records import End, Result, Status
from gd_regressor.steps import ConstantStep
from gd_regressor.stopping import EPS, AtFloor, Stop

# Up to MOMENTS_SUFFICE refining on the rows takes an update or two; above DOUBLED_FROM small tables
# are worth doubled precision
MOMENTS_SUFFICE, DOUBLED_FROM = 1e6, 50.0
# A relative error of the coefficients above this is said
WORTH_SAYING = 1e-6


def follow_auto(
    rows: Rows,
    start: Start,
    *,
    fit_intercept: bool,
    max_iter: int,
    tol: float | None,
    watch: Watch | None = None,
) -> Result:
    """Descend on the rows in a metric taken from them, down to the rounding floor.

    Centred and scaled columns; each update is a step of 1 in the metric (2 R'R)^-1, which with an
    exact factor R would arrive at once. What the factor rounds away, the gradient from the rows
    puts right at the next update.
    """
    moments = Moments.of(rows)
    plan = _plan(rows, moments, fit_intercept)
    variance, square = target_scales(rows, fit_intercept)
    path = Walk(
        KnownAtZero.of(plan.loss, moments), plan.point(start), plan.factor, ConstantStep(1.0)
    )
    rule = None if tol is None else AtFloor(plan.precision**2 * square)
    stop = Stop(rule, max_iter, *divergence_bounds(path, np.float64, variance))
    end = path.first(stop, watch)
    theta = plan.least_norm(path.at(end.k), end.losses[-1], variance)
    w, b = plan.loss.frame.to_raw(theta)
    if rows.X.dtype == np.float32:  # the intercept that suits the coefficients as they are kept
        with np.errstate(over="ignore"):
            b = b + plan.loss.frame.centre @ (w - w.astype(np.float32))
    error = plan.coefficient_error(path, variance)
    known = {
        "condition_number": plan.condition_number,
        "coef_error": error,
        "rank": plan.rank,
        "metric": plan.factor.source,
    }
    end = _judged(end, path, tol, variance, error)
    return result_of(path, end, w, b, variance, **known)


@dataclass(frozen=True)
class Plan:
    """The loss to descend on and the metric to descend in, chosen for a table."""

    loss: DataLoss | DoubledLoss
    factor: Factor
    null_vectors: np.ndarray  # (p, m): combinations of columns that vanish on the rows
    condition_number: float  # infinite where a column was left out that does not depend on others

    @property
    def rank(self) -> int:
        """Of the centred columns."""
        dropped = len(self.factor.dropped) - self.null_vectors.shape[1]
        return len(self.factor.pivots) + dropped

    @property
    def precision(self) -> float:
        """The error of predictions, in units of y, that is worth no update.

        In doubled precision the coefficients are worth a condition number more.
        """
        if isinstance(self.loss, DoubledLoss):
            return EPS / (4 * self.factor.condition_number)
        return 4 * EPS

    def point(self, start: Start) -> Point:
        """The start in the coordinates and the precision of the loss."""
        theta = self.loss.frame.from_raw(*start)
        theta[self.factor.dropped] = theta[self.factor.constant] = 0.0  # where no direction leads
        return Doubled.of(theta) if isinstance(self.loss, DoubledLoss) else theta

    def least_norm(self, theta: Point, value: np.ndarray, variance: np.ndarray) -> Point:
        """The minimiser of least raw |w|, from one with the loss `value` (t,)."""
        if not self.null_vectors.size:
            return theta
        least = self.factor.least_norm(theta, self.null_vectors)
        # The way there can be so long that the rounding of a null vector shows in the loss; an
        # update or two takes that back, unless the columns' units are too far apart
        for _ in range(3):
            reached, gradient = self.loss.value_and_gradient(least)
            spoilt = np.abs(reached - value) > 1e-15 * variance
            if not spoilt.any():
                break
            least = least + -self.factor.apply(gradient)
        before, after = (
            np.linalg.norm(self.loss.frame.to_raw(point)[0], axis=0) for point in (theta, least)
        )
        return theta if (spoilt | (after > before * (1 + 1e-9))).any() else least

    def coefficient_error(self, path: Walk, variance: np.ndarray) -> float:
        """Estimated relative error of the coefficients: the next step, which rounding makes too.

        In units of the coefficients, or of y's deviation where they are smaller.
        """
        if self.condition_number == np.inf:
            return np.inf
        here, d = path.here, len(self.factor.scale)
        step, size = (np.linalg.norm(a[:d], axis=0) for a in (here.direction, plain(here.theta)))
        return float((step / np.maximum(size, np.sqrt(variance))).max())


def _plan(rows: Rows, moments: Moments, fit_intercept: bool) -> Plan:
    """What the condition of the rows calls for: moments, or else QR, doubled for small tables."""
    factor = Factor.of(moments, about_mean=fit_intercept)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    loss = DataLoss(rows, frame)
    plan = Plan(loss, factor, *factor.null_vectors(loss))
    small = rows.X.size <= SMALL
    if plan.condition_number <= (DOUBLED_FROM if small else MOMENTS_SUFFICE):
        return plan
    dependent = factor.dropped[plan.null_vectors[factor.dropped].any(axis=1)]
    factor = Factor.of_rows(rows, frame, without=dependent)
    # What the moments found to vanish is known better than an ill-conditioned R would know it
    rest = replace(factor, dropped=np.setdiff1d(factor.dropped, dependent))
    more, condition = rest.null_vectors(loss)
    null_vectors = np.hstack([plan.null_vectors, more])
    return Plan(DoubledLoss(rows, frame) if small else loss, factor, null_vectors, condition)


def _judged(end: End, path: Walk, tol: float | None, variance: np.ndarray, error: float) -> End:
    """The end with the status that it deserves."""
    status = end.status
    gap = path.records(end.k, end.k).gaps[0]
    if status is Status.MAX_ITER and tol is not None and (gap <= tol * variance).all():
        status = Status.CONVERGED  # the floor was yet to come
    if status is Status.CONVERGED and error > WORTH_SAYING:
        status = Status.ILL_CONDITIONED
    return replace(end, status=status)
