"""The triangular factor of the raw columns and the ones. The spectrum follows from it."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.ranges import LARGEST_ROOT
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows
from gd_regressor.metric.factor import Factor

# Up to this condition number the textbooks' iterates from moments have ten digits
MOMENTS_ARE_EXACT = condition_for(10.7, power=2)
# R (m, p), Q'y (m, t), and the sum of squares (t,) of y - QQ'y. Here A = QR are the columns and a
# column of ones; A and y are divided by the root of the weight
Triangle = tuple[np.ndarray, np.ndarray, np.ndarray]


def triangle_of(rows: Rows, fit_intercept: bool) -> Triangle:
    """From the moments; from the rows if they are few, or if moments would lose digits."""
    moments = Moments.of_rows(rows)
    factor = Factor.of(moments)
    dependent = factor.dropped.size > 0
    if rows.is_small or dependent or factor.condition_number > MOMENTS_ARE_EXACT:
        root = Root.of(rows, moments.column_means, factor.scale, moments.target_means)
        return triangle_of_root(root, fit_intercept)
    return triangle_of_moments(moments, factor, fit_intercept)


def triangle_of_moments(moments: Moments, factor: Factor, fit_intercept: bool) -> Triangle:
    """From the factor of the moments about the means.

    The first row holds the means (and 1 for the intercept). The rows below are the factor of the
    centred columns. So we never form products of uncentred columns, which would lose digits.
    """
    weight, means = moments.weight, moments.target_means
    centred = factor.root * factor.scale
    products = moments.xy * (moments.scale / factor.scale / weight)[:, None]
    response = factor.solve(products[factor.pivots], transposed=True)
    total, explained = moments.yy / weight, squares(response)
    excess = explained > total  # rounding can do this
    response[:, excess] *= np.sqrt(total[excess] / explained[excess])
    matrix = np.vstack([moments.column_means, centred])
    if fit_intercept:
        matrix = np.column_stack([matrix, np.eye(len(matrix), 1)])
    return matrix, np.vstack([means, response]), np.maximum(total - explained, 0.0)


def triangle_of_root(root: Root, fit_intercept: bool) -> Triangle:
    """From R of the rows. The error is eps times the condition number, not times its square."""
    means, d = root.mean_square, len(root.centre)
    means[0] *= np.sign(means[0, 0])  # the ones are the first row, as in moments
    ones = means[:, :1]
    matrix = means[:, 1 : d + 1] * root.scale + ones * root.centre
    if fit_intercept:
        matrix = np.column_stack([matrix, ones])
    responses = means[:, d + 1 :] + ones * root.target_centre
    return matrix, responses, np.zeros(responses.shape[1])


def ridged(triangle: Triangle, l2: np.ndarray, theta: np.ndarray) -> Triangle:
    """The triangle with rows root(l2_j) e_j more, of `l2` (d,), whose targets are zero.

    It is that of a loss with sum l2_j w_j^2 more. An intercept has no share in these rows. The
    strongest ridge leaves a column whose squares are finite finite squares.
    """
    matrix, responses, rest = triangle
    t, on = theta.shape[1], np.flatnonzero(l2)
    more = np.zeros((len(on), matrix.shape[1]))
    more[np.arange(len(on)), on] = np.minimum(np.sqrt(l2[on]), LARGEST_ROOT / 2)
    target = np.zeros((len(on), responses.shape[1]))
    if responses.shape[1] > t:  # what is left of the targets at the start
        target[:, t:] = -more @ theta
    return np.vstack([matrix, more]), np.vstack([responses, target]), rest


def squares(a: np.ndarray) -> np.ndarray:
    """(t,): the sum of squares of each column."""
    return np.einsum("ij,ij->j", a, a)
