"""by_scaling, for very many sparse columns: conjugate steps on columns of deviation 1."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import DESCENDED
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import ROUGH, SLACK, Arrival, Plan, SmoothPlan, judged
from gd_regressor.auto.probe import LeastNorm, Vanishing
from gd_regressor.data.column_moments import column_moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Rule
from gd_regressor.descent.records import End, Reason, Request, Status
from gd_regressor.descent.steps import ConjugateStep
from gd_regressor.descent.stopping import Flattening, NearMinimum
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.diagonal import Diagonal
from gd_regressor.objective.frame import AtZero, Frame, scales_of, shift_of_full
from gd_regressor.objective.on_rows import DataLoss

# What allows for extrapolating, and for an eigenvalue seen as an average
SAFETY = 16.0


@frozen(kw_only=True)
class Scaled(SmoothPlan):
    """No array has size (d, d): random combinations show which columns depend on others."""

    vanishing: Vanishing | None  # None if the user wants few digits

    def rules(self) -> tuple[Rule, ...]:
        """End at an estimated distance from the minimum."""
        tol, variance = self.request.tol, self.scales.variance
        if tol is None:
            return ()
        if self.vanishing is None or not self.vanishing.known:
            return (Flattening(tol / SAFETY * variance),)
        # The distance of F is at most the estimate divided by the least eigenvalue of P H. The
        # squared error of the coefficients is at most this distance divided by it once more
        smallest = self.vanishing.smallest
        return (NearMinimum(tol * smallest * min(smallest, 1 / SAFETY) * variance),)

    def settle(self, walk: Walk, end: End) -> Arrival:
        theta, status, value = walk.at(end.k), end.status, end.losses[-1]
        error = self._coefficient_error(walk, value)
        if self.vanishing is None or status.from_outside:
            return Arrival(theta, status, error)
        least = self._least_norm(self.vanishing, theta, value)
        unknown = not self.vanishing.known
        if least is None:
            theta, unknown = walk.at(end.k), True
        else:
            theta = least
        if unknown and status is Status.CONVERGED:
            return Arrival(theta, Status.MAX_ITER, error, Reason.DEPENDENCE_UNKNOWN)
        return Arrival(theta, judged(status, error), error)

    def _least_norm(
        self, vanishing: Vanishing, theta: np.ndarray, value: np.ndarray
    ) -> np.ndarray | None:
        """The minimiser of least raw |w|, from one with the loss `value` (t,), if we find it."""
        variance, tol, least = self.scales.variance, self.request.tol or 0.0, theta
        if vanishing.any:
            with np.errstate(all="ignore"):  # the loss below shows an overflow
                unit, worth = np.sqrt(variance), tol / SAFETY
                least = LeastNorm.of(vanishing, tol, worth)(theta / unit)
                least = None if least is None else least * unit
        if least is None:
            return None
        # The rounding of predictions shows in the loss
        rounding = DESCENDED**2 * vanishing.metric.square(theta)
        rounding += 2 * np.sqrt(rounding) * np.sqrt(value)
        slack = max(tol, SLACK) * variance + np.minimum(rounding, 1e-6 * variance)
        reached, _ = self.problem.value_and_gradient(least)
        return least if (reached - value <= slack).all() else None

    def _coefficient_error(self, walk: Walk, value: np.ndarray) -> float:
        """The error from the rounding of the gradient along the least eigenvector."""
        if self.vanishing is None:
            return 0.0
        if self.vanishing.lost:
            return np.inf
        smallest, variance = self.vanishing.smallest, self.scales.variance
        size = np.maximum(self.vanishing.metric.square(walk.here.theta), variance)
        noise = np.sqrt(value) + np.sqrt(smallest * variance)
        return float((4 * EPS * noise / smallest / np.sqrt(size)).max())


def by_scaling(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table of sparse columns."""
    rows = given.check()
    moments = column_moments(rows)
    metric = Diagonal.of(moments, about_mean=request.fit_intercept)
    frame = Frame.of(moments, metric.scale, request.fit_intercept)
    loss = DataLoss(rows, frame, shift_of_full(rows, frame))
    vanishing, condition, rank = None, None, None
    if request.tol is None or request.tol <= ROUGH:
        vanishing = Vanishing.of(loss, metric, request.max_iter)
        condition = vanishing.condition_number if vanishing.known else None
        full = vanishing.known and not vanishing.any and not vanishing.lost
        rank = int((~metric.constant).sum()) if full else None
    plan = Scaled(
        problem=Smooth(loss, metric),
        frame=frame,
        at_zero=AtZero.of(moments, frame),
        scales=scales_of(moments, request.fit_intercept),
        request=request,
        step=ConjugateStep(),
        condition_number=condition,
        rank=rank,
        vanishing=vanishing,
    )
    return plan, found
