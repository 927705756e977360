"""Penalties with kinks, with "auto": each path from the largest alpha down, one fold at a time."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.units import power_of_two_near_root
from gd_regressor.data.moments import Moments
from gd_regressor.lasso.active_set import least
from gd_regressor.lasso.ahead import ahead, shares
from gd_regressor.lasso.shortest import shortest
from gd_regressor.validation.training import MOMENTS_SCORE, Columns, Training


def lasso_view(training: Training) -> Columns:
    """How the minimisers predict: about the means, where there is an intercept."""
    if training.fit_intercept:
        return Columns(training.means, training.target_means)
    return Columns(0 * training.means, 0 * training.target_means)


def lasso_points(
    training: Training, l1: np.ndarray, l2: np.ndarray, weights: np.ndarray, positive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(t, d, k): the minimisers of penalties 2 l1 |w|_1 + l2 |w|^2, and (k,) which are certain.

    `l1` and `l2` (k,) are in raw units, in one ratio, and count `weights` (d,) times for the
    columns. We begin with the strongest penalty: its minimiser has few coefficients, and each is on
    the way to the next.
    """
    gram, slope, scale = products(training.moments, training.fit_intercept)
    points = np.zeros((slope.shape[1], len(slope), len(l1)))
    found = np.ones(len(l1), dtype=bool)
    strengths = l1 + l2
    order = np.argsort(-strengths, kind="stable")
    for target, q in enumerate(slope.T):
        before = w = np.zeros(len(q))
        for k, share in zip(order, shares(strengths[order]), strict=True):
            thresholds = l1[k] * weights / scale, l2[k] * weights / scale / scale
            problem = gram, q, *thresholds, positive
            minimum = least(*problem, ahead(before, w, share))
            certain = minimum.converged
            if training.fitted_condition > MOMENTS_SCORE:  # there may be other minimisers
                minimum = shortest(*problem, minimum, scale)
                certain &= training.has_digits(np.flatnonzero(minimum.w), l2[k] * weights)
            before, w = w, minimum.w
            points[target, :, k] = w / scale
            found[k] &= certain
    return points, found


def products(moments: Moments, about_mean: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean products of the columns (d, d), and with the targets (d, t), of scaled columns.

    The powers of two (d,) that divide the columns bring their squares near 1. The active set would
    else copy the products into such units again for each penalty.
    """
    gram, slope = moments.xx / moments.weight, moments.xy / moments.weight
    if not about_mean:
        means = moments.origin / moments.scale + moments.mean
        gram = gram + np.multiply.outer(means, means)
        slope = slope + np.multiply.outer(means, moments.target_means)
    unit = power_of_two_near_root(gram.diagonal())
    return gram / unit / unit[:, None], slope / unit[:, None], moments.scale * unit
