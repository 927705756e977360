"""The landscape of a loss: its directions and where a start lies, for any step from there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.data.moments import first_moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.records import Scales, Start
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.textbook.follow import residual_targets
from gd_regressor.textbook.forecast import Forecast
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.triangle import Triangle, ridged, triangle_of


@dataclass(frozen=True)
class Landscape:
    """A squared loss as its triangle, with a ridge or without, and the start of a descent on it."""

    triangle: Triangle  # its targets are y, then the residuals at a start that is not zero
    start: np.ndarray  # (p, t)
    fit_intercept: bool
    scales: Scales
    precision: np.dtype  # of the data
    ridge: np.ndarray | None = None  # (d,): the loss has sum ridge_j w_j^2 more; None for none

    @classmethod
    def of_rows(cls, given: Rows | Unchecked, start: Start, fit_intercept: bool) -> Landscape:
        """That of a table in memory."""
        moments, rows = given.seen_by(first_moments)
        rows = rows.knowing(moments)
        theta = Frame.raw(rows, fit_intercept).from_raw(*start)
        both = residual_targets(rows, start) if theta.any() else rows
        triangle = triangle_of(both, fit_intercept)
        return cls(
            triangle, theta, fit_intercept, scales_of(moments, fit_intercept), rows.precision
        )

    @property
    def n_columns(self) -> int:
        """d, without the intercept."""
        return len(self.start) - self.fit_intercept

    @cached_property
    def modes(self) -> Modes:
        """All its directions, the steepest first."""
        if self.ridge is None:
            return Modes.of(self.triangle, self.start, self.fit_intercept)
        triangle = ridged(self.triangle, self.ridge, self.start)
        return Modes.of(triangle, self.start, self.fit_intercept)

    @cached_property
    def standardised(self) -> Landscape:
        """The same model on columns of mean 0 and deviation 1. A ridge stays as strong as it is.

        A constant column keeps its unit, as in StandardScaler. With an intercept the start is the
        same function of the columns; without one it cannot be, and keeps its slopes.
        """
        matrix, responses, rest = self.triangle
        d, t = self.n_columns, self.start.shape[1]
        turned, start = matrix.copy(), self.start.copy()
        scale = self.deviations
        turned[0, :d] = 0.0
        turned[1:, :d] /= scale
        start[:d] *= scale[:, None]
        if self.fit_intercept:
            start[d] += matrix[0, :d] / matrix[0, d] @ self.start[:d]
        elif start.any():
            left = responses[:, :t] - turned @ start
            responses, rest = np.hstack([responses[:, :t], left]), np.tile(rest[:t], 2)
        return replace(self, triangle=(turned, responses, rest), start=start)

    @property
    def deviations(self) -> np.ndarray:
        """(d,): what `standardised` divides the columns by: 1 for those that are constant."""
        deviation = np.linalg.norm(self.triangle[0][1:, : self.n_columns], axis=0)
        return np.where(deviation > 0, deviation, 1.0)

    @property
    def means(self) -> np.ndarray:
        """(d,): of the columns. The first row of a triangle is the share in the ones."""
        return self.triangle[0][0, : self.n_columns].copy()

    @property
    def variance_about_mean(self) -> np.ndarray:
        """(t,): of y, which is what R^2 compares with."""
        _, responses, rest = self.triangle
        t = self.start.shape[1]
        return (responses[1:, :t] ** 2).sum(axis=0) + rest[:t]

    @property
    def loss_at_start(self) -> np.ndarray:
        """(t,): the squared loss, without a ridge, where the descent starts."""
        _, responses, rest = self.triangle
        t = self.start.shape[1]
        return (responses[:, -t:] ** 2).sum(axis=0) + rest[-t:]

    def for_target(self, target: int) -> Landscape:
        """The same for one target alone."""
        if self.start.shape[1] == 1:
            return self  # with the decomposition that it has
        matrix, responses, rest = self.triangle
        one = slice(target, len(rest), self.start.shape[1])  # and its residuals at the start
        alone = slice(target, target + 1)
        scales = Scales(self.scales.variance[alone], self.scales.square[alone])
        triangle = (matrix, responses[:, one], rest[one])
        return replace(self, triangle=triangle, start=self.start[:, alone], scales=scales)

    @cached_property
    def forecast(self) -> Forecast:
        """What any step makes of the start."""
        return Forecast(self.modes.moving, self.scales, self.precision)
