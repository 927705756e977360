"""The textbooks' descent in mini-batches: one update of the path is one epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gd_regressor.data.batches import ShuffledRows
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.epochs import Epochs, Measured, Underway
from gd_regressor.descent.held_out import HeldOut
from gd_regressor.descent.nouns import Batches, Observer, Problem, Rule
from gd_regressor.descent.records import (
    Iterate,
    Request,
    Result,
    Scales,
    Start,
    Status,
    Terms,
)
from gd_regressor.descent.run import result_of, run
from gd_regressor.descent.steps import ProximalStep, TextbookStep
from gd_regressor.descent.stopping import Diverged, Unimproved, judged_by_its_ends
from gd_regressor.descent.walk import Composite, Convex, Smooth, Walk
from gd_regressor.metric.diagonal import Identity
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.objective.on_batches import Batching, LossBatches, RidgedBatches
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_robust import RobustLoss
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
    scales = _scales(rows, request)
    theta = Frame.raw(rows, fit_intercept).from_raw(*start)
    problem, step_of_epoch = _epochs(rows, step, batching, request)
    walk = Walk(problem, theta, step_of_epoch, problem.gradient)
    rules: tuple[Rule, ...] = (Diverged(scales.variance, rows.precision),)
    held = request.held and HeldOut(request.held, walk, scales.variance, request.tol)
    if held is not None:
        rules += (held,)
    elif request.tol is not None:
        rules += (Unimproved(request.tol, scales.variance, batching.patience),)
    end, curve = run(walk, rules, request.max_iter, observers), None
    end = judged_by_its_ends(end, scales.variance)
    if held is None:
        theta = walk.at(end.k)
    else:
        end, theta, curve = held.chosen(end, end.states[-1])
    w, b = Frame.raw(rows, fit_intercept).split(theta)
    result = result_of(walk, end, w, b, scales.variance, status=end.status)
    return result._replace(validation_curve=curve, unit=scales.unit)


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
        variance=_scales(rows, request).variance,
        status=Status.MAX_ITER,
    )
    return ended, state


def _scales(rows: Rows, request: Request) -> Scales:
    """The units of the loss."""
    scales = scales_of(Moments.of_rows(rows.targets_only), request.fit_intercept)
    return scales if request.rho is None else scales.of_power(request.rho.power)


def _epochs(
    rows: Rows, step: TextbookStep, batching: Batching, request: Request
) -> tuple[Measured, Epochs]:
    """F on all rows, and the step that is an epoch."""
    rho, square = request.rho, DataLoss(rows, Frame.raw(rows, request.fit_intercept))
    d, none = rows.n_columns, np.zeros((rows.n_columns, rows.n_targets))
    terms = request.terms or Terms(none, none)
    terms = terms if rho is None else terms.times(rho.factor / 2)
    net = ElasticNet.of(terms, np.ones(d))
    loss = square if rho is None else RobustLoss(square, rho, none)
    shuffled = ShuffledRows(rows, batching.order)
    batches: Batches = LossBatches(shuffled, None if rho is None else rho.slope)
    if request.terms is not None and terms.are_smooth:
        batches = RidgedBatches(batches, terms.l2)
    problem = Measured(
        lambda theta: loss.value(theta) + net.value(theta[:d]),
        _whole(square, net, request),
        rho is None and request.terms is not None,
    )
    by = step if terms.are_smooth else ProximalStep(step, net)
    return problem, Epochs(by, batches, batching.average_from)


def _whole(square: DataLoss, net: ElasticNet, request: Request) -> Problem:
    """F with its gradient, for reports and the gap to the dual problem."""
    rho, terms = request.rho, request.terms
    # The gap of a loss without a penalty would take the largest curvature, which takes many passes
    unknown = Identity(np.nan)
    smooth = not (net.positive or net.l1.any())
    if rho is not None:
        l2 = net.l2 if smooth else np.zeros_like(net.l2)
        rest = ElasticNet(0 * net.l1, 0 * net.l2) if smooth else net
        return Convex(RobustLoss(square, rho, l2), rest, np.nan)
    if terms is None:
        return Smooth(square, unknown)
    apart = Composite(square, net, means_of(square))
    if not smooth:
        return apart
    return Ridged(Smooth(RidgeLoss.of(square, terms.l2), unknown), apart, terms.l2)
