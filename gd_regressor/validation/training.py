"""The rows that train a fold, as a triangle: all that closed forms need of them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.data.heldout import HeldOut
from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Table
from gd_regressor.descent.records import Scales
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import scales_of
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.triangle import (
    Triangle,
    ridged,
    squares,
    triangle_of_moments,
    triangle_of_root,
)

# Moments leave nine digits of a prediction up to this condition number, which is what scores need
# to be right to 1e-8 of the variance of y. Above it folds take triangular factors of their rows
MOMENTS_SCORE = condition_for(9, power=2)
# Triangular factors leave as many up to this one, as measured. Above it a model without a penalty
# is fitted to the rows themselves
ROOTS_SCORE = condition_for(8, power=1)
# A singular value of columns of norm 1 below this, for each column, is rounding
ROUNDED_AWAY = 16 * EPS


class Fan(NamedTuple):
    """Predictions that share directions: c + sum_i u_i ((x - centre)'vector_i + one_i)."""

    vectors: np.ndarray  # (d, m)
    ones: np.ndarray  # (m,)
    centre: np.ndarray  # (d,)
    c: np.ndarray  # (t,)

    def seen(self, held: HeldOut) -> HeldOut:
        """Held-out rows, with the directions as their columns."""
        return held.along(self.vectors, self.centre, self.ones)

    def raw(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (d, t) and intercepts (t,) of a model `u` (m, t)."""
        w = self.vectors @ u
        return w, self.c + self.ones @ u - self.centre @ w


class Columns(NamedTuple):
    """Predictions by the columns themselves: c + (x - centre)'u."""

    centre: np.ndarray  # (d,)
    c: np.ndarray  # (t,)

    def seen(self, held: HeldOut) -> HeldOut:
        """Held-out rows, about the centre."""
        return held.about(self.centre)

    def raw(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (d, t) and intercepts (t,) of a model `u` (d, t)."""
        return u, self.c - self.centre @ u


@frozen
class Training:
    """The least-squares problem of the rows that train a fold."""

    triangle: Triangle  # of the raw columns and, with an intercept, of the ones
    scales: Scales
    means: np.ndarray  # (d,): of the columns
    target_means: np.ndarray  # (t,)
    fit_intercept: bool
    precision: np.dtype
    condition_number: float  # of the columns, each scaled to deviation 1
    moments: Moments

    @classmethod
    def of_moments(
        cls, moments: Moments, fit_intercept: bool, precision: np.dtype
    ) -> Training | None:
        """From moments; None if columns depend on each other too much for their digits."""
        factor = Factor.of(moments)
        if factor.dropped.size or factor.condition_number > MOMENTS_SCORE:
            return None
        triangle = triangle_of_moments(moments, factor, fit_intercept)
        scales = scales_of(moments, fit_intercept)
        means = moments.column_means, moments.target_means
        condition = factor.condition_number
        return cls(triangle, scales, *means, fit_intercept, precision, condition, moments)

    @classmethod
    def of_root(
        cls, root: Root, moments: Moments, fit_intercept: bool, precision: np.dtype
    ) -> Training:
        """From R of the rows, whose error is eps times the condition number, not its square.

        The moments of the same rows know which columns are constant, to the bit.
        """
        root = _cleaned(root, moments)
        means, d = root.mean_square[0, 1:] / root.mean_square[0, 0], len(root.centre)
        target_means = root.target_centre + means[d:]
        variance = squares(root.mean_square[1:, d + 1 :])
        square = variance + target_means**2
        unit = variance if fit_intercept else square
        triangle = triangle_of_root(root, fit_intercept)
        scales = Scales.of(unit, square)
        means = root.centre + root.scale * means[:d], target_means
        condition = _condition(root.mean_square[1:, 1 : d + 1], root.noise)
        return cls(triangle, scales, *means, fit_intercept, precision, condition, moments)

    @classmethod
    def of_table(cls, table: Table, fit_intercept: bool) -> Training:
        """From all rows: their moments, or another pass for R where moments lack digits."""
        moments, precision = Moments.of_rows(table), table.precision
        training = cls.of_moments(moments, fit_intercept, precision)
        if training is not None:
            return training
        centre, scale = moments.column_means, Factor.of(moments).scale
        root = Root.of(table, centre, scale, moments.target_means)
        return cls.of_root(root, moments, fit_intercept, precision)

    @property
    def n_columns(self) -> int:
        return len(self.means)

    @cached_property
    def fitted_condition(self) -> float:
        """The condition number of the columns about the means, or about zero without intercept."""
        if self.fit_intercept:
            return self.condition_number
        return _condition(self.triangle[0], ROUNDED_AWAY * self.n_columns)

    def has_digits(self, columns: np.ndarray, l2: np.ndarray) -> bool:
        """Whether moments have the digits of a model on these columns, with sum l2_j w_j^2 added.

        Columns that depend on each other up to rounding do no harm: they predict the same.
        """
        matrix = self.triangle[0][int(self.fit_intercept) :, columns]
        matrix = np.vstack([matrix, np.diag(np.sqrt(l2[columns]))])
        norms = np.linalg.norm(matrix, axis=0)
        values = np.linalg.svd(matrix / np.where(norms > 0, norms, 1.0), compute_uv=False)
        values = values[values > ROUNDED_AWAY * len(columns)]
        return not values.size or bool(values[0] <= MOMENTS_SCORE * values[-1])

    @cached_property
    def centred(self) -> Modes:
        """The directions of "auto": about the means where there is an intercept."""
        return self.centred_with(np.zeros(self.n_columns))

    def centred_with(self, l2: np.ndarray) -> Modes:
        """The same with sum l2_j w_j^2 added to the loss, of `l2` (d,)."""
        matrix, responses, rest = self.triangle
        if self.fit_intercept:  # the first row is the share in the ones
            matrix, responses = matrix[1:, :-1], responses[1:]
        return _modes((matrix, responses, rest), l2, False)

    def penalised(self, l2: np.ndarray) -> Modes:
        """The directions of the textbooks' descent, with sum l2_j w_j^2 added to the loss.

        The intercept has no share in it, so each penalty has directions of its own.
        """
        return _modes(self.triangle, l2, self.fit_intercept)


def _cleaned(root: Root, moments: Moments) -> Root:
    """R without the rounding of columns that are constant, or that depend on others."""
    matrix, d = root.matrix.copy(), len(root.centre)
    below = matrix[1:, 1 : d + 1]
    for column, others, combination in root.dependences:
        below[:, column] = below[:, others] @ combination
    below[:, moments.xx.diagonal() == 0] = 0.0
    return replace(root, matrix=matrix)


def _condition(matrix: np.ndarray, noise: float) -> float:
    """The condition number of columns in units of their norms; infinite if one is rounding."""
    norms = np.linalg.norm(matrix, axis=0)
    scaled = matrix[:, norms > 0] / norms[norms > 0]
    values = np.linalg.svd(scaled, compute_uv=False)
    if not values.size:
        return 1.0
    full = len(values) == scaled.shape[1] and values[-1] > noise
    return float(values[0] / values[-1]) if full else np.inf


def _modes(triangle: Triangle, l2: np.ndarray, fit_intercept: bool) -> Modes:
    start = np.zeros((triangle[0].shape[1], triangle[1].shape[1]))
    matrix, responses, rest = ridged(triangle, l2, start)
    if not len(matrix):  # all columns are constant
        matrix, responses = np.zeros((1, matrix.shape[1])), np.zeros((1, responses.shape[1]))
    return Modes.of((matrix, responses, rest), start, fit_intercept)
