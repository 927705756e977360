"""The textbooks' descent on any other loss than the square: a walk over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Table
from gd_regressor.descent.held_out import HeldOut
from gd_regressor.descent.nouns import Observer, Rule
from gd_regressor.descent.records import Curvature, Request, Result, Stability, Start, Terms
from gd_regressor.descent.rho import Rho
from gd_regressor.descent.run import result_of, run
from gd_regressor.descent.steps import ProximalStep, TextbookStep
from gd_regressor.descent.stopping import Diverged, Settled
from gd_regressor.descent.walk import Convex, Walk
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.objective.on_rows import DataLoss, steepest
from gd_regressor.objective.on_rows_robust import RobustLoss
from gd_regressor.objective.penalties import ElasticNet
from gd_regressor.objective.ridge import RidgeLoss


def follow_robust(
    given: Given,
    step: TextbookStep,
    start: Start,
    request: Request,
    observers: Sequence[Observer] = (),
) -> Result:
    """Descend along (sub)gradients of the loss, until a rule ends it, or `max_iter`."""
    rows, rho, tol = given.check(), cast(Rho, request.rho), request.tol
    targets = Moments.of_rows(cast(Table[Moments], rows.targets_only))
    scales = scales_of(targets, request.fit_intercept).of_power(rho.power)
    walk, curvature = _walk(rows, step, start, request)
    rules: tuple[Rule, ...] = (Diverged(scales.variance, rows.precision),)
    held = request.held and HeldOut(request.held, walk, scales.variance, tol)
    if held is not None:
        rules += (held,)
    elif tol is not None:
        rules += (Settled(tol * scales.variance, scales.square, step.share),)
    end, curve = run(walk, rules, request.max_iter, observers), None
    if held is None:
        theta = walk.at(end.k)
    else:
        end, theta, curve = held.chosen(end, end.states[-1])
    w, b = Frame.raw(rows, request.fit_intercept).split(theta)
    result = result_of(walk, end, w, b, scales.variance, status=end.status)
    limit = _limit(rho, step, curvature)
    stable = Stability(curvature, limit, np.nan, np.nan)
    return result._replace(of_step=stable, unit=scales.unit, validation_curve=curve)


def _walk(
    rows: Table, step: TextbookStep, start: Start, request: Request
) -> tuple[Walk, Curvature]:
    """The descent, and the steepest direction of the squared loss, which bounds this one's."""
    rho, frame = cast(Rho, request.rho), Frame.raw(rows, request.fit_intercept)
    terms, none = request.terms, np.zeros((rows.n_columns, rows.n_targets))
    terms = Terms(none, none) if terms is None else terms.times(rho.factor / 2)
    square, theta = DataLoss(rows, frame), frame.from_raw(*start)
    p, units = frame.n_parameters, square.units()
    if terms.are_smooth:
        l2 = terms.stiffest
        curvature = steepest(RidgeLoss.of(square, l2), p, units).with_ridge(l2[:, 0])
        steepness = curvature.largest if rho.smooth and curvature.largest else np.inf
        loss, nothing = RobustLoss(square, rho, terms.l2), ElasticNet(none, none)
        return Walk(Convex(loss, nothing, steepness), theta, step), curvature
    net = ElasticNet.of(terms, np.ones(rows.n_columns))
    problem = Convex(RobustLoss(square, rho, none), net, np.inf)
    return Walk(problem, theta, ProximalStep(step, net)), steepest(square, p, units)


def _limit(rho: Rho, step: TextbookStep, curvature: Curvature) -> float | None:
    """A rate below which the descent converges; None for a loss with kinks.

    The largest eigenvalue of the squared loss's Hessian bounds the curvature: psi has the Lipschitz
    constant of the square at most.
    """
    return step.bound(curvature.largest) if rho.smooth else None
