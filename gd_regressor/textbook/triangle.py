"""The triangular factor of the raw columns and the ones, from which the spectrum follows."""

from __future__ import annotations

import numpy as np

from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows
from gd_regressor.metric.factor import Factor

# The textbooks' iterates from moments have ten digits up to here
MOMENTS_ARE_EXACT = 300.0
# R (m, p) and Q'y (m, t) for the columns A = Q R (and one of ones) divided by the root of the
# weight, and the mean square (t,) of what Q leaves of y
Triangle = tuple[np.ndarray, np.ndarray, np.ndarray]


def triangle_of(rows: Rows, fit_intercept: bool) -> Triangle:
    """That of the moments; of the rows where it costs little, or where the moments lose digits."""
    moments = Moments.of_rows(rows)
    factor = Factor.of(moments)
    dependent = factor.dropped.size > 0
    if rows.is_small or dependent or factor.condition_number > MOMENTS_ARE_EXACT:
        root = Root.of(rows, moments.column_means, factor.scale, moments.target_means)
        return triangle_of_root(root, fit_intercept)
    return triangle_of_moments(moments, factor, fit_intercept)


def triangle_of_moments(moments: Moments, factor: Factor, fit_intercept: bool) -> Triangle:
    """From the factor of the moments about the means.

    The first row is the means' (and the intercept's), the others the factor of what is centred:
    the products of uncentred columns are never formed.
    """
    weight, means = moments.weight, moments.target_means
    centred = factor.root * factor.scale
    products = moments.xy * (moments.scale / factor.scale / weight)[:, None]
    response = factor.solve(products[factor.pivots], transposed=True)
    total, explained = moments.yy / weight, squares(response)
    excess = explained > total  # by rounding
    response[:, excess] *= np.sqrt(total[excess] / explained[excess])
    matrix = np.vstack([moments.column_means, centred])
    if fit_intercept:
        matrix = np.column_stack([matrix, np.eye(len(matrix), 1)])
    return matrix, np.vstack([means, response]), np.maximum(total - explained, 0.0)


def triangle_of_root(root: Root, fit_intercept: bool) -> Triangle:
    """From R of the rows: right to eps times the condition number, not times its square."""
    means, d = root.mean_square, len(root.centre)
    ones = means[:, :1]
    matrix = means[:, 1 : d + 1] * root.scale + ones * root.centre
    if fit_intercept:
        matrix = np.column_stack([matrix, ones])
    responses = means[:, d + 1 :] + ones * root.target_centre
    return matrix, responses, np.zeros(responses.shape[1])


def squares(a: np.ndarray) -> np.ndarray:
    """(t,): of each column."""
    return np.einsum("ij,ij->j", a, a)
