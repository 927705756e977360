"""The textbooks' descent with a penalty: in closed form for a ridge, else by proximal steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.data.table import Rows
from gd_regressor.descent.nouns import Path, Problem, Quadratic
from gd_regressor.descent.records import Bound, Curvature, Iterate, Terms, Units
from gd_regressor.descent.steps import ProximalStep, TextbookStep
from gd_regressor.descent.walk import Composite, Smooth, Walk
from gd_regressor.metric.diagonal import Identity
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss, steepest
from gd_regressor.objective.penalties import ElasticNet
from gd_regressor.objective.ridge import RidgeLoss
from gd_regressor.textbook.modal import path_along
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.triangle import Triangle, ridged, squares


class Descent(NamedTuple):
    """A path, the steepest direction of its loss, and the step that made it."""

    path: Path
    curvature: Curvature
    step: TextbookStep | ProximalStep


@frozen
class TriangleLoss(Quadratic):
    """The squared loss from the triangle of the raw columns: an update costs no pass."""

    matrix: np.ndarray  # (m, p)
    response: np.ndarray  # (m, t)
    rest: np.ndarray  # (t,)

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left = self.matrix @ theta - self.response
        return self.rest + squares(left), 2 * (self.matrix.T @ left)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        return 2 * (self.matrix.T @ (self.matrix @ direction))


@frozen
class Ridged(Problem):
    """A descent on a loss with a ridge, whose gap is that of the loss and the ridge apart."""

    smooth: Smooth
    apart: Composite
    l2: np.ndarray  # (d, t)

    @property
    def gap_is(self) -> Bound:
        return self.apart.gap_is

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.smooth.value_and_gradient(theta)

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        return self.smooth.direction(gradient)

    def decrease(self, before: Iterate, here: Iterate) -> np.ndarray:
        return self.smooth.decrease(before, here)

    def gap(self, here: Iterate) -> np.ndarray:
        gradient, d = here.gradient.copy(), len(self.l2)
        gradient[:d] -= 2 * self.l2 * plain(here.theta)[:d]
        return self.apart.gap(here._replace(gradient=gradient))


def on_triangle(
    triangle: Triangle, theta: np.ndarray, step: TextbookStep, terms: Terms, fit_intercept: bool
) -> Descent:
    """The descent from `theta` (p, t) on what is known of the rows."""
    matrix, responses, rest = triangle
    t, d = theta.shape[1], len(terms.l1)
    units = Units.of(matrix[0, :d], np.linalg.norm(matrix[1:, :d], axis=0))
    if terms.are_ridge:
        l2 = terms.l2[:, 0]
        modes = Modes.of(ridged(triangle, l2, theta), theta, fit_intercept)
        # The rows of the ridge say nothing of the columns
        curvature = modes.curvature._replace(units=units).with_ridge(l2)
        return Descent(path_along(modes, step), curvature, step)
    loss = TriangleLoss(matrix, responses[:, :t], rest[:t])
    first = int(fit_intercept)  # the row of the ones, below which the columns are centred
    means = matrix[0, :d] / matrix[0, d] if fit_intercept else np.zeros(d)
    gram = matrix[first:, :d].T @ matrix[first:, :d]
    return _walked(loss, theta, step, terms, units, means, gram)


def on_rows(
    rows: Rows, theta: np.ndarray, step: TextbookStep, terms: Terms, fit_intercept: bool
) -> Descent:
    """The descent from `theta` (p, t) in passes over the rows."""
    loss = DataLoss(rows, Frame.raw(rows, fit_intercept))
    return _walked(loss, theta, step, terms, loss.units(), means_of(loss), None)


def means_of(loss: DataLoss) -> np.ndarray:
    """(d,): of the columns; zeros without an intercept, which needs none."""
    d = loss.rows.n_columns
    if not loss.frame.fit_intercept:
        return np.zeros(d)
    # The Hessian's row for the intercept holds twice the means
    return loss.hessian_product(np.eye(d + 1, 1, -d))[:d, 0] / 2


def _walked(
    loss: Quadratic,
    theta: np.ndarray,
    step: TextbookStep,
    terms: Terms,
    units: Units,
    means: np.ndarray,
    gram: np.ndarray | None,
) -> Descent:
    penalty = ElasticNet.of(terms, np.ones(len(means)))
    apart = Composite(loss, penalty, means, gram)
    if terms.are_smooth:
        ridge = RidgeLoss.of(loss, terms.l2)
        l2 = terms.stiffest
        curvature = steepest(RidgeLoss.of(loss, l2), len(theta), units).with_ridge(l2[:, 0])
        problem = Ridged(Smooth(ridge, Identity(curvature.largest)), apart, terms.l2)
        return Descent(Walk(problem, theta, step), curvature, step)
    proximal = ProximalStep(step, penalty)
    return Descent(Walk(apart, theta, proximal), steepest(loss, len(theta), units), proximal)
