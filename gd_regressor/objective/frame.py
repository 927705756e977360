"""Frame: the coordinates of a descent. And F at zero coefficients, which moments give."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import (
    Doubled,
    Point,
    exact_products,
    exact_sums,
)
from gd_regressor.data.checks import check_mean_square
from gd_regressor.data.column_moments import ColumnMoments
from gd_regressor.data.moments import Moments
from gd_regressor.data.moved import few_enough
from gd_regressor.data.table import Table
from gd_regressor.descent.records import Scales


class Frame(NamedTuple):
    """Coordinates theta = (w; b) for columns (X - centre) / scale and targets y - target_centre.

    The last of the p = d + 1 coordinates is the intercept; without one, p = d.
    """

    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,): powers of two
    target_centre: np.ndarray  # (t,)
    fit_intercept: bool

    @property
    def n_parameters(self) -> int:
        return len(self.scale) + self.fit_intercept

    @classmethod
    def raw(cls, rows: Table, fit_intercept: bool) -> Frame:
        """The coordinates of the textbooks: columns and targets as they are."""
        d, t = rows.n_columns, rows.n_targets
        return cls(np.zeros(d), np.ones(d), np.zeros(t), fit_intercept)

    @classmethod
    def of(cls, moments: Moments | ColumnMoments, scale: np.ndarray, fit_intercept: bool) -> Frame:
        """Coordinates of columns divided by `scale`; with an intercept, centred at their means."""
        centre, target_centre = moments.column_means, moments.target_means
        if not fit_intercept:
            centre, target_centre = np.zeros_like(centre), np.zeros_like(target_centre)
        return cls(centre, scale, target_centre, fit_intercept)

    def to_raw(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """(d, t) coefficients and (t,) intercepts of the raw columns."""
        if isinstance(theta, Doubled):
            return self._doubled_to_raw(theta)
        w, b = self.split(theta)
        w = w / self.scale[:, None]
        return w, b + self.target_centre - self.centre @ w

    def _doubled_to_raw(self, theta: Doubled) -> tuple[np.ndarray, np.ndarray]:
        d, units = len(self.scale), 1 / self.scale[:, None]  # powers of two: exact
        high, low = theta.high[:d] * units, theta.low[:d] * units
        if not self.fit_intercept:
            return high + low, self.target_centre
        # In scaled coordinates, because halves of the largest raw numbers overflow. Those of a
        # constant column may overflow there, too, but its coefficient is zero
        centre = np.where(theta.high[:d] == 0, 0.0, -self.centre[:, None] * units)
        terms = self.target_centre[None], theta.high[d:], theta.low[d:], theta.low[:d] * centre
        terms = np.concatenate((*terms, *exact_products(theta.high[:d], centre)))
        return high + low, exact_sums(terms)

    def from_raw(self, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(p, t) coordinates of (d, t) coefficients and (t,) intercepts."""
        w, b = w * self.scale[:, None], b - self.target_centre + self.centre @ w
        return np.concatenate((w, b[None])) if self.fit_intercept else w

    def gradient_to_raw(self, gradient: np.ndarray) -> np.ndarray:
        """(..., p, t): the gradient by the raw coefficients, of one by these coordinates."""
        scaled = gradient[..., : len(self.scale), :] * self.scale[:, None]
        if not self.fit_intercept:
            return scaled
        slope = gradient[..., -1:, :]
        return np.concatenate((scaled + self.centre[:, None] * slope, slope), axis=-2)

    def gradient_from_raw(self, gradient: np.ndarray) -> np.ndarray:
        """(p, t): the gradient by these coordinates, of one by the raw coefficients."""
        slope = gradient[: len(self.scale)]
        if self.fit_intercept:
            slope = slope - np.multiply.outer(self.centre, gradient[-1])
        return np.concatenate((slope / self.scale[:, None], gradient[len(self.scale) :]))

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (..., d, m) and intercepts (..., m) in these coordinates."""
        if self.fit_intercept:
            return theta[..., :-1, :], theta[..., -1, :]
        return theta, np.zeros_like(theta[..., 0, :])


def scales_of(moments: Moments | ColumnMoments, fit_intercept: bool) -> Scales:
    """The units of the losses. V is the variance of y, or its mean square without intercept."""
    variance = moments.yy / moments.weight
    square = variance + moments.target_means**2
    check_mean_square(square)
    return Scales.of(variance if fit_intercept else square, square)


class AtZero(NamedTuple):
    """F and its slope at zero coefficients with the best intercept, from the moments."""

    value: np.ndarray  # (t,)
    slope: np.ndarray  # (d, t): the gradient of F by the coefficients there

    @classmethod
    def of(cls, moments: Moments | ColumnMoments, frame: Frame) -> AtZero:
        """From moments, in the coordinates of `frame`."""
        value = moments.yy / moments.weight
        slope = moments.xy * (moments.scale / frame.scale / moments.weight)[:, None]
        if not frame.fit_intercept:
            value = value + moments.target_means**2
            means = moments.column_means / frame.scale
            slope = slope + np.multiply.outer(means, moments.target_means)
        return cls(value, -2 * slope)

    def value_and_gradient(self, intercept: np.ndarray, gradient: np.ndarray):
        """F (t,) at an `intercept` (t,), and its gradient, which this writes into `gradient`."""
        gradient[: len(self.slope)] = self.slope
        return self.value + intercept**2, gradient


# Where the mean of a column is within this many deviations of zero, we centre its products instead
# of the column, which costs no digit
NEAR = 4.0
# Sums of rounded products, as measured, are off by fewer eps than this times the root of d
SUMMED = 4.0


def near_enough(rows: Table, tol: float, condition_number: float) -> float:
    """The most deviations between a mean and zero with which uncentred blocks reach `tol`.

    A mean of R deviations rounds each coordinate of the gradient by about SUMMED eps R. All d of
    them, divided by the least eigenvalue of the columns' correlations, leave the loss
    d (SUMMED eps R condition_number)^2 variances of y above its minimum. We allow a hundredth of
    `tol`.
    """
    eps = np.finfo(rows.precision).eps
    rounding = SUMMED * eps * condition_number * math.sqrt(rows.n_columns)
    return max(NEAR, math.sqrt(tol) / 10 / rounding)


def shift_of(frame: Frame, near: float = NEAR) -> np.ndarray | None:
    """The shift of columns in a block: zero for columns near zero; None is `centre`.

    If only few columns are far, we move them alone, so that a block needs no copy.
    """
    far = np.abs(frame.centre) > near * frame.scale
    return np.where(far, frame.centre, 0.0) if few_enough(int(far.sum()), len(far)) else None


def shift_of_full(rows: Table, frame: Frame) -> np.ndarray:
    """The shift of the columns in a sparse block: only full columns move."""
    shift = np.zeros_like(frame.centre)
    shift[rows.full_columns] = frame.centre[rows.full_columns]
    return shift
