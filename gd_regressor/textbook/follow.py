"""The textbooks' descent: a constant step on the raw columns, in closed form or by walking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import SMALL, Rows
from gd_regressor.descent.records import Curvature, Path, Result, Start, Watch
from gd_regressor.descent.run import result_of
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.descent.stopping import Settled, Stop
from gd_regressor.descent.walk import Moved, Walk
from gd_regressor.metric.factor import Factor, Identity
from gd_regressor.objective.on_rows import DataLoss, Frame, residual_rows, target_scales
from gd_regressor.textbook.spectrum import Spectrum, Triangle, triangle_of_moments, triangle_of_root

# The textbooks' iterates from moments have ten digits up to here
MOMENTS_ARE_EXACT = 300.0


def textbook_path(
    rows: Rows, step: ConstantStep, start: Start, fit_intercept: bool, n_updates: int
) -> tuple[Path, Curvature]:
    """The path of `step` on the raw columns, and its steepest direction.

    In closed form where that is the cheaper way to `n_updates` updates, else by walking.
    """
    frame = Frame.raw(rows, fit_intercept)
    theta = frame.from_raw(*start)
    residuals = residual_rows(rows, *start) if theta.any() else rows
    if closed_form_pays(rows.n_rows, rows.n_columns, n_updates):
        both = rows
        if theta.any():
            both = replace(rows, y=np.hstack([rows.y, residuals.y]), known=None)
        spectrum = Spectrum.of(_triangle(both, fit_intercept), step, theta)
        return spectrum, spectrum.curvature
    curvature = DataLoss(rows, frame).lipschitz()
    metric = Identity(curvature.largest)
    if theta.any() and np.abs(residuals.y).max() < np.abs(rows.y).max():  # a good start
        walk = Walk(DataLoss(residuals, frame), np.zeros_like(theta), metric, step)
        return Moved(walk, theta), curvature
    return Walk(DataLoss(rows, frame), theta, metric, step), curvature


def with_moments(rows: Rows, n_updates: int) -> tuple[Rows, Moments]:
    """The rows, knowing their moments where these serve, and the moments of the targets."""
    if not closed_form_pays(rows.n_rows, rows.n_columns, n_updates):
        return rows, Moments.of_rows(rows.targets_only)
    moments = Moments.of_rows(rows)
    return replace(rows, known=moments), moments


def _triangle(rows: Rows, fit_intercept: bool) -> Triangle:
    """That of the moments; of the rows where it costs little, or where the moments lose digits."""
    moments = Moments.of_rows(rows)
    factor = Factor.of(moments)
    small, dependent = rows.size <= SMALL, factor.dropped.size > 0
    if small or dependent or factor.condition_number > MOMENTS_ARE_EXACT:
        root = Root.of(rows, moments.column_means, factor.scale, moments.target_means)
        return triangle_of_root(root, fit_intercept)
    return triangle_of_moments(moments, factor, fit_intercept)


def closed_form_pays(n: int, d: int, n_updates: int) -> bool:
    """Whether moments and an eigenbasis cost less than walking over the rows.

    In passes over X, as measured: a pass makes 4 n d operations at the speed of memory, moments
    2 n d^2 seventeen times faster and one pass more, the Jacobi SVD 26 d^3 at the speed of the
    pass. Walking has to find the stability limit too, some thirty passes.
    """
    return 2 + d / 34 + 6.5 * d * d / n < n_updates + 30


def follow_textbook(
    rows: Rows, step: ConstantStep, start: Start, *, fit_intercept: bool, max_iter: int, **options
) -> Result:
    """Descend with a constant step on the raw columns; the `options` are those of `follow_path`."""
    rows, targets = with_moments(rows, max_iter)
    path, curvature = textbook_path(rows, step, start, fit_intercept, max_iter)
    options |= {"fit_intercept": fit_intercept, "max_iter": max_iter}
    return follow_path(path, curvature, step, targets, rows.precision, **options)


def follow_path(
    path: Path,
    curvature: Curvature,
    step: ConstantStep,
    targets: Moments,
    precision: np.dtype,
    *,
    fit_intercept: bool,
    max_iter: int,
    tol: float | None,
    watch: Watch | None = None,
) -> Result:
    """Follow the path of `step` on the raw columns until `tol`, `max_iter` or divergence."""
    variance, square = target_scales(targets, fit_intercept)
    rule = None if tol is None else Settled(tol * variance, square, step.momentum)
    stop = Stop(rule, max_iter, variance, precision)
    end = path.first(stop, watch)
    theta = path.at(end.k)
    w, b = (theta[:-1], theta[-1]) if fit_intercept else (theta, np.zeros(theta.shape[1]))
    limit = step.stability_limit(curvature.largest)
    return result_of(path, end, w, b, variance, curvature=curvature, max_learning_rate=limit)
