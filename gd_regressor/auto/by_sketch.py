"""by_sketch, for many rows and columns: conjugate steps on the rows in the metric of a sketch."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np

from gd_regressor.arithmetic.doubled import Point
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.kernels import single_products_per_pass
from gd_regressor.arithmetic.ranges import LEAST_SINGLE_FACTOR, MOST_SINGLE_FACTOR
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.auto.findings import WELL_CONDITIONED, Findings
from gd_regressor.auto.plan import SLACK, Arrival, Plan, SmoothPlan, brought_back, judged
from gd_regressor.auto.sketch import sketched_moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Rule
from gd_regressor.descent.records import End, Request
from gd_regressor.descent.steps import ConjugateStep
from gd_regressor.descent.stopping import NearMinimum
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.dependence import Dependence, vanishing_together
from gd_regressor.metric.factor import SUSPECT_SINGLE, Factor
from gd_regressor.objective.frame import AtZero, Frame, near_enough, scales_of, shift_of
from gd_regressor.objective.on_rows import DataLoss

# Conjugate steps in the metric of a sketch reach this tolerance, with an error of the coefficients
# of about its root times the condition number: columns that are not WELL_CONDITIONED we leave to
# exact factors
SKETCH_REACH = 1e-16
# Products of the rows in single precision lose digits before
SINGLE_SUFFICES = condition_for(3.5, power=2, dtype=np.float32)
# A sketch takes a direction for steeper than it is by a factor below (1 + 6^-1/2)^2 = 2, and where
# heavy rows collide 4: the loss may be that much further from its minimum than it seems
SKETCH_SAFETY = 4.0
# Heights of a sketch that are considered, in columns
HEIGHTS = (6, 8, 12, 16, 24, 32, 48, 64)


@frozen(kw_only=True)
class Sketched(SmoothPlan):
    """Conjugate steps mend the errors of the sketch, as far as `tol` asks."""

    dependence: Dependence

    @property
    def distance(self) -> float:
        """How near to its minimum a loss has to come, as a share of V."""
        return cast(float, self.request.tol) / SKETCH_SAFETY  # without a tol there is no sketch

    def rules(self) -> tuple[Rule, ...]:
        return (NearMinimum(self.distance * self.scales.variance),)

    def settle(self, walk: Walk, end: End) -> Arrival:
        """Take the run's own status. The rule of the run asks for more than `tol`.

        The error of the coefficients comes from `tol` and not from rounding, so we report none.
        """
        theta, status = walk.at(end.k), end.status
        if not status.from_outside and self.dependence.vectors.size:
            theta = self._least_norm(theta)
        return Arrival(theta, judged(status, 0.0), 0.0)

    def _least_norm(self, theta: Point) -> Point:
        """The minimiser of least raw |w|, from `theta`; `theta` itself if rounding spoils it."""
        slack = max(self.distance, SLACK) * self.scales.variance
        loss = cast(DataLoss, self.problem.loss)  # a sketch is for no other
        # Gradients in single precision cannot judge this
        exact = replace(loss, rows=loss.rows.in_precision(np.float64))
        problem = Smooth(exact, self.problem.metric)
        least, near = brought_back(problem, self.dependence.least_norm(theta), slack)
        return self.dependence.shorter(theta, least, near)


def best_sketch(n: int, d: int, t: int, tol: float) -> tuple[int, float]:
    """The height of the sketch that reaches `tol` at the least cost, and this cost.

    The unit is a pass over X (measured). A sketch of m rows costs 2.5 and the products of its
    columns. Its factor costs d^2 / (50 n). Each update costs a pass, and an eighth more for each
    target after the first. An update divides the distance from the minimum by m / d, because the
    eigenvalues of P H lie in (1 +- sqrt(d / m))^-2. The cost depends only on the sizes and on the
    kernels of BLAS, so two fits have the same bits.
    """
    speed = single_products_per_pass()

    def cost(multiple: int) -> float:
        updates = 1 + math.log(SKETCH_SAFETY / min(tol, 0.1)) / math.log(multiple)
        products = multiple * d * d / (speed * n)
        return 2.5 + products + d * d / (50 * n) + updates * (1 + (t - 1) / 8)

    best = min((h for h in HEIGHTS if 2 * h * d <= n), key=cost, default=HEIGHTS[0])
    return best * d, cost(best)


def by_sketch(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan; None if the columns need more digits than a sketch has."""
    tol, fit_intercept = request.tol, request.fit_intercept
    if tol is None:  # then we do not know how good the sketch has to be
        return None, found
    height, _ = best_sketch(given.n_rows, given.n_columns, given.n_targets, tol)
    moments, rows = given.seen_by(partial(sketched_moments, height=height))
    if moments is None:
        return None, found
    single = rows.precision == np.float32
    factor = Factor.of(moments, about_mean=fit_intercept, source="sketch", suspect=SUSPECT_SINGLE)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    # Any centre near the means does, so we take one that blocks can subtract in their precision
    frame = frame._replace(centre=frame.centre.astype(rows.precision).astype(np.float64))
    near = near_enough(rows, tol, factor.condition_number)
    loss = DataLoss(rows.in_precision(rows.precision), frame, shift_of(frame, near))
    deviation = np.sqrt(moments.yy / moments.weight)
    if single and not all(_single_holds(sizes) for sizes in (factor.scale, deviation)):
        return None, found
    vectors = vanishing_together(factor, loss, frame, inexact_means=fit_intercept)
    if vectors is None or factor.condition_number > (
        SINGLE_SUFFICES if single else WELL_CONDITIONED
    ):
        return None, found
    at_zero = AtZero.of(moments, frame)
    zero = np.zeros((frame.n_parameters, rows.n_targets))
    _, gradient = at_zero.value_and_gradient(zero[0], zero)
    noise = factor.rounding * factor.condition_number
    dependence = Dependence(factor, vectors, factor.condition_number, noise)
    plan = Sketched(
        problem=Smooth(loss, factor),
        frame=frame,
        at_zero=at_zero,
        scales=scales_of(moments, fit_intercept),
        request=request,
        step=ConjugateStep(first=-factor.apply(gradient)),  # the minimum of the sketched problem
        condition_number=factor.condition_number,
        rank=dependence.rank,
        dependence=dependence,
    )
    return plan, found


def _single_holds(sizes: np.ndarray) -> bool:
    """Whether products of numbers of these sizes, and sums of them, fit float32."""
    sizes = sizes[sizes > 0]
    return bool(((sizes > LEAST_SINGLE_FACTOR) & (sizes < MOST_SINGLE_FACTOR)).all())
