"""The textbooks' descent in mini-batches: one update of the path is one epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gd_regressor.data.batches import ShuffledRows
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.epochs import Epochs, Underway
from gd_regressor.descent.held_out import HeldOut
from gd_regressor.descent.nouns import Observer, Problem, Rule
from gd_regressor.descent.records import Iterate, Request, Result, Start, Status
from gd_regressor.descent.run import result_of, run
from gd_regressor.descent.steps import ProximalStep, TextbookStep
from gd_regressor.descent.stopping import Diverged, Unimproved
from gd_regressor.descent.walk import Composite, Smooth, Walk
from gd_regressor.metric.diagonal import Identity
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.objective.on_batches import Batching, RidgedBatches, SquaredBatches
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.penalties import ElasticNet
from gd_regressor.objective.ridge import RidgeLoss
from gd_regressor.textbook.penalised import Ridged, means_of


def follow_batches(
    given: Rows | Unchecked,
    step: TextbookStep,
    batching: Batching,
    start: Start,
    request: Request,
    observers: Sequence[Observer] = (),
) -> Result:
    """Descend by small updates on the raw columns, until a rule ends it, or `max_iter`."""
    rows, fit_intercept = given.check(), request.fit_intercept
    scales = scales_of(Moments.of_rows(rows.targets_only), fit_intercept)
    theta = Frame.raw(rows, fit_intercept).from_raw(*start)
    problem, step_of_epoch = _epochs(rows, step, batching, request)
    walk = Walk(problem, theta, step_of_epoch)
    rules: tuple[Rule, ...] = (Diverged(scales.variance, rows.precision),)
    held = request.held and HeldOut(request.held, walk, scales.variance, request.tol)
    if held is not None:
        rules += (held,)
    elif request.tol is not None:
        rules += (Unimproved(request.tol * scales.variance, batching.patience),)
    end, curve = run(walk, rules, request.max_iter, observers), None
    if held is None:
        theta = walk.at(end.k)
    else:
        end, theta, curve = held.chosen(end, end.states[-1])
    w, b = Frame.raw(rows, fit_intercept).split(theta)
    result = result_of(walk, end, w, b, scales.variance, status=end.status)
    return result._replace(validation_curve=curve)


def pass_over(
    rows: Rows,
    step: TextbookStep,
    batching: Batching,
    start: Start,
    before: Underway | None,
    request: Request,
) -> tuple[Result, Underway]:
    """One epoch on rows that come once, from where the chunks before have led."""
    problem, epochs = _epochs(rows, step, batching, request)
    state = before or epochs.start(Frame.raw(rows, request.fit_intercept).from_raw(*start))
    first, gradient = problem.value_and_gradient(state.shown)
    here = Iterate(0, state.shown, first, gradient, gradient)
    theta, last, gradient, state = epochs.next(state, here, problem)
    there = Iterate(1, theta, last, gradient, gradient)
    w, b = Frame.raw(rows, request.fit_intercept).split(theta)
    ended = Result(
        coef=w.T,
        intercept=b,
        n_iter=1,
        loss_curve=np.array([first.mean(), last.mean()]),
        gaps=problem.gap(there),
        gap_is=problem.gap_is,
        variance=scales_of(Moments.of_rows(rows.targets_only), request.fit_intercept).variance,
        status=Status.MAX_ITER,
    )
    return ended, state


def _epochs(
    rows: Rows, step: TextbookStep, batching: Batching, request: Request
) -> tuple[Problem, Epochs]:
    """F on all rows, and the step that is an epoch."""
    loss = DataLoss(rows, Frame.raw(rows, request.fit_intercept))
    batches = SquaredBatches(ShuffledRows(rows, batching.order))
    # The gap of a loss without a penalty would take the largest curvature, which takes many passes
    unknown = Identity(np.nan)
    if request.terms is None:
        return Smooth(loss, unknown), Epochs(step, batches, batching.average_from)
    penalty = ElasticNet.of(request.terms, np.ones(rows.n_columns))
    apart = Composite(loss, penalty, means_of(loss))
    if request.terms.are_smooth:
        l2 = request.terms.l2
        problem = Ridged(Smooth(RidgeLoss.of(loss, l2), unknown), apart, l2)
        return problem, Epochs(step, RidgedBatches(batches, l2), batching.average_from)
    return apart, Epochs(ProximalStep(step, penalty), batches, batching.average_from)
