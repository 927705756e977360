"""by_curved, for smooth losses beside the square: Newton's steps with the products of all rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.certified import Certified, CertifiedPlan
from gd_regressor.auto.far_out import Seen, with_far_rows
from gd_regressor.auto.findings import Findings, shift_in
from gd_regressor.auto.plan import Plan
from gd_regressor.data.table import Given
from gd_regressor.descent.nouns import Next, Problem, Step
from gd_regressor.descent.records import Iterate, Request
from gd_regressor.descent.rho import Curved
from gd_regressor.objective.on_moments import gram_of
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_curved import CurvedRows
from gd_regressor.robust.smooth import At, Descent, theta_of

# More sparse columns than this have no products
MOST_SPARSE_BENT = 2000


@frozen
class OnCurve(Certified):
    """F of a point."""

    descent: Descent

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _loss_and_gradient(self.descent.begin(theta))


@dataclass(frozen=True)
class CurveStep(Step):
    """The first update goes near the minimum, from least squares; the others are Newton's."""

    descent: Descent
    first: Callable[[], list[At]]  # near the minimum

    def start(self, theta: np.ndarray) -> None:
        return None

    def next(self, state: list[At] | None, here: Iterate, problem: Problem) -> Next:
        there = self.first() if state is None else self.descent.step(state)
        loss, gradient = _loss_and_gradient(there)
        return theta_of(there), loss, gradient, there


def by_curved(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table whose moments fit into memory."""
    rho = cast(Curved, request.rho)
    if given.is_sparse and given.n_columns > MOST_SPARSE_BENT:
        raise ValueError(
            f'loss="{rho.name}" with learning_rate="auto" needs products of all columns, and X has '
            f"{given.n_columns} sparse columns, more than {MOST_SPARSE_BENT}; choose columns, or "
            "write a number as learning_rate."
        )
    found = Findings.of(given, request.fit_intercept)
    plan_on = partial(_plan, request=request, rho=rho)
    near = partial(_near, flat_from=rho.flat_from)
    return with_far_rows(found, rho.power, 4 * rho.flat_from, plan_on, near, _beginning), found


def _near(plan: CertifiedPlan, *, flat_from: float) -> tuple[list[At], np.ndarray, float]:
    """Near the minimum: the state of the steps, the point, and where the loss is flat."""
    there = cast(CurveStep, plan.step).first()
    return there, theta_of(there), flat_from


def _beginning(plan: CertifiedPlan, first: Callable[[], list[At]]) -> CertifiedPlan:
    """The same whose first update goes there."""
    return replace(plan, step=replace(cast(CurveStep, plan.step), first=first))


def _plan(seen: Seen, *, request: Request, rho: Curved) -> CertifiedPlan:
    found = seen.found
    frame, d = found.frame, found.rows.n_columns
    ridge, l2 = np.zeros((frame.n_parameters, found.rows.n_targets)), None
    if request.terms is not None:
        l2 = request.terms.in_units(frame.scale).l2
        ridge[:d] = l2 * (rho.factor / 2)
    square = DataLoss(found.rows, frame, shift_in(found.rows, frame))
    gram, free = gram_of(found.moments, frame), found.moving(l2)

    def on(rho: Curved) -> Descent:
        return Descent(CurvedRows(square, rho), gram, free, ridge)

    descent = on(rho)
    least, size = _least_squares(seen, descent)
    stages = [on(stage) for stage in rho.stages(size)]
    first = partial(descent.through, stages, least)
    return CertifiedPlan(
        frame=frame,
        scales=seen.scales,
        request=request,
        condition_number=found.dependence.condition_number,
        rank=found.dependence.rank,
        lift=seen.lift(rho.far_slope),
        problem=OnCurve(descent),
        step=CurveStep(descent, first),
        free=free,
        dependence=found.dependence,
        holds=partial(seen.holds, flat_from=rho.flat_from),
    )


def _loss_and_gradient(there: list[At]) -> tuple[np.ndarray, np.ndarray]:
    gradients = [at.gradient for at in there]
    return np.array([at.loss for at in there]), np.stack(gradients, axis=1)


def _least_squares(seen: Seen, descent: Descent) -> tuple[np.ndarray, float]:
    """The least squares (p, t) with the same ridge, and the largest root mean square left."""
    square, theta = seen.squared_loss, np.zeros_like(descent.ridge)
    _, gradient = square.value_and_gradient(theta)
    for j in range(theta.shape[1]):
        hessian = 2 * descent.gram + np.diag(2 * descent.ridge[:, j])
        at = At(theta[:, j], 0.0, gradient[:, j], hessian, 0.0)
        theta[:, j] = descent.move(j, at)[0]
    left, _ = square.value_and_gradient(theta)
    return theta, float(np.sqrt(left.max()))
