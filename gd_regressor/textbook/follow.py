"""The textbooks' descent: their step on the raw columns, in closed form or by a walk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gd_regressor.arithmetic.kernels import moments_cost
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.held_out import HeldOut
from gd_regressor.descent.nouns import Observer, Path, Rule
from gd_regressor.descent.records import Curvature, Request, Result, Stability, Start, Terms
from gd_regressor.descent.run import result_of, run
from gd_regressor.descent.steps import ProximalStep, TextbookStep
from gd_regressor.descent.stopping import (
    Diverged,
    Settled,
    divergence_bound,
    judged_by_its_ends,
)
from gd_regressor.descent.walk import Moved, Smooth, Walk
from gd_regressor.metric.diagonal import Identity
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.objective.on_rows import DataLoss, residual_rows
from gd_regressor.textbook.modal import path_along
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.penalised import Descent, on_rows, on_triangle
from gd_regressor.textbook.triangle import triangle_of


def textbook_path(
    rows: Rows, step: TextbookStep, start: Start, fit_intercept: bool, n_updates: int
) -> tuple[Path, Curvature]:
    """The path of `step` on the raw columns, and its steepest direction.

    The path is a closed form where this is the cheaper way to `n_updates` updates, else a walk.
    """
    frame = Frame.raw(rows, fit_intercept)
    theta = frame.from_raw(*start)
    if closed_form_pays(rows.n_rows, rows.n_columns, n_updates):
        both = residual_targets(rows, start) if theta.any() else rows
        modes = Modes.of(triangle_of(both, fit_intercept), theta, fit_intercept)
        return path_along(modes, step), modes.curvature
    curvature = DataLoss(rows, frame).lipschitz()
    metric = Identity(curvature.largest)
    residuals = _residuals(rows, start) if theta.any() else rows
    if theta.any() and np.abs(residuals.y).max() < np.abs(rows.y).max():
        # A good start: residuals are smaller than y, so we descend on them, from zero
        there = Smooth(DataLoss(residuals, frame), metric)
        walk = Walk(there, np.zeros_like(theta), step)
        return Moved(walk, theta), curvature
    return Walk(Smooth(DataLoss(rows, frame), metric), theta, step), curvature


def residual_targets(rows: Rows, start: Start) -> Rows:
    """The rows with what is left of y at a start beside y."""
    residuals = _residuals(rows, start)
    return rows.with_targets(lambda rows: np.hstack([rows.y, residuals.y]))


def _residuals(rows: Rows, start: Start) -> Rows:
    """The rows with the residuals at `start` as targets; raises if their squares overflow."""
    left = residual_rows(rows, *start)
    squares = left.y**2
    if rows.weights is not None:
        weights = rows.weights[:, None]
        squares = np.where(weights > 0, weights * squares, 0.0)
    loss = squares.sum(axis=0) / rows.total_weight
    divergence_bound(loss, np.ones(1), np.dtype(np.float64))
    return left


def with_moments(given: Rows | Unchecked, n_updates: int) -> tuple[Rows, Moments]:
    """The rows, with their moments if the closed form needs them, and moments of the targets."""
    if not closed_form_pays(given.n_rows, given.n_columns, n_updates):
        rows = given.check()
        return rows, Moments.of_rows(rows.targets_only)
    moments, rows = given.seen_by(first_moments)
    return rows.knowing(moments), moments


def closed_form_pays(n: int, d: int, n_updates: int) -> bool:
    """Whether moments and an eigenbasis cost less than a walk over the rows.

    We count in passes over X. A pass makes 4 n d operations at the speed of memory. The Jacobi SVD
    takes the time of 26 d^3 such operations (measured). A walk needs some thirty passes more, to
    find the stability limit.
    """
    return moments_cost(d) + 6.5 * d * d / n < n_updates + 30


def follow_textbook(
    given: Rows | Unchecked,
    step: TextbookStep,
    start: Start,
    request: Request,
    observers: Sequence[Observer] = (),
) -> Result:
    """Descend with the textbooks' step on the raw columns."""
    rows, targets = with_moments(given, request.max_iter)
    if request.terms is not None:
        descent = penalised_path(rows, step, start, request, request.terms)
        return follow_path(*descent, targets, rows.precision, request, observers)
    path, curvature = textbook_path(rows, step, start, request.fit_intercept, request.max_iter)
    return follow_path(path, curvature, step, targets, rows.precision, request, observers)


def penalised_path(
    rows: Rows, step: TextbookStep, start: Start, request: Request, terms: Terms
) -> Descent:
    """The same as `textbook_path` with a penalty, and the step that descends with it."""
    fit_intercept = request.fit_intercept
    theta = Frame.raw(rows, fit_intercept).from_raw(*start)
    if not closed_form_pays(rows.n_rows, rows.n_columns, request.max_iter):
        return on_rows(rows, theta, step, terms, fit_intercept)
    both = residual_targets(rows, start) if theta.any() else rows
    return on_triangle(triangle_of(both, fit_intercept), theta, step, terms, fit_intercept)


def follow_path(
    path: Path,
    curvature: Curvature,
    step: TextbookStep | ProximalStep,
    targets: Moments,
    precision: np.dtype,
    request: Request,
    observers: Sequence[Observer] = (),
) -> Result:
    """Follow the path of `step` on the raw columns until `tol`, `max_iter` or divergence."""
    scales, tol = scales_of(targets, request.fit_intercept), request.tol
    rules: tuple[Rule, ...] = (Diverged(scales.variance, precision),)
    held = request.held and HeldOut(request.held, path, scales.variance, tol)
    if held is not None:
        rules += (held,)
    elif tol is not None:
        rules += (Settled(tol * scales.variance, scales.square, step.share),)
    limit = step.stability_limit(curvature.largest)
    end = run(path, rules, request.max_iter, observers)
    if step.final_rate >= limit:
        end = judged_by_its_ends(end)
    curve = None
    if held is None:
        theta = path.at(end.k)
    else:
        end, theta, curve = held.chosen(end, end.states[-1])
    fit_intercept = request.fit_intercept
    w, b = (theta[:-1], theta[-1]) if fit_intercept else (theta, np.zeros(theta.shape[1]))
    minimum = np.nan if path.minimum is None else float(path.minimum.mean())
    result = result_of(path, end, w, b, scales.variance, status=end.status)
    needed = np.nan  # asked for where advice will say it, because it takes longer than a small fit
    if tol and held is None and result.is_far(tol):
        needed = path.needed(tol * scales.variance)
    stability = Stability(curvature, limit, minimum, needed)
    return result._replace(of_step=stability, validation_curve=curve)
