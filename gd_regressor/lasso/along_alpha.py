"""The minima for many strengths of the penalty, each from the one before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.units import power_of_two_near_root
from gd_regressor.data.moments import Moments
from gd_regressor.descent.records import Terms
from gd_regressor.lasso.active_set import least
from gd_regressor.lasso.ahead import ahead, shares
from gd_regressor.lasso.certificate import Certified
from gd_regressor.lasso.shortest import depend, shortest
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_moments import MomentLoss
from gd_regressor.objective.penalties import ElasticNet

# At the largest alpha rounding must not let a column in
ROUNDED_UP = 1 + 256 * EPS


def falling(largest: float, count: int, eps: float) -> np.ndarray:
    """(count,): strengths from the `largest` down to `eps` times it, by equal factors.

    If no strength is needed to hold the coefficients at zero, any will do as the largest.
    """
    return (largest or 1.0) * np.geomspace(1.0, eps, count)


class AlphaPath(NamedTuple):
    """The minimisers for m strengths, in raw coordinates, and how near they are."""

    thetas: np.ndarray  # (m, d + 1, t): coefficients, and the intercepts as the last row
    gaps: np.ndarray  # (m, t): on ElasticNet's scale


def loss_on(moments: Moments, fit_intercept: bool) -> MomentLoss:
    """The loss on moments, in columns whose deviations are about 1."""
    about_zero = 0.0 if fit_intercept else (moments.origin / moments.scale + moments.mean) ** 2
    variance = moments.xx.diagonal() / moments.weight + about_zero
    scale = power_of_two_near_root(variance) * moments.scale
    return MomentLoss(moments, Frame.of(moments, scale, fit_intercept))


def along_alphas(loss: MomentLoss, terms: Terms, alphas: np.ndarray) -> AlphaPath:
    """The minimum at each of `alphas` (m,) times the `terms`. The largest alpha comes first."""
    gram, slope, frame = loss.hessian / 2, loss.at_zero.slope / -2, loss.frame
    d, t = slope.shape
    thetas, gaps = np.empty((len(alphas), d + 1, t)), np.empty((len(alphas), t))
    # If no columns depend on each other, each minimum has one minimiser
    several = depend(gram, np.flatnonzero(gram.diagonal()))
    before = w = np.zeros((d, t))
    order = np.argsort(-alphas, kind="stable")
    for i, share in zip(order, shares(alphas[order]), strict=True):
        l1, l2 = alphas[i] * terms.l1, alphas[i] * terms.l2
        net = ElasticNet.of(Terms(l1, l2, terms.positive), frame.scale)
        before, w = w, ahead(before, w, share)
        for j in range(t):
            problem = gram, slope[:, j], net.l1[:, j], net.l2[:, j], net.positive
            minimum = least(*problem, w[:, j])
            w[:, j] = (shortest(*problem, minimum, frame.scale) if several else minimum).w
        theta = np.concatenate((w, np.zeros((int(frame.fit_intercept), t))))
        square, gradient = loss.value_and_gradient(theta)
        gaps[i] = Certified(net).dual_gap(w, gradient[:d] / -2, square, gram)
        thetas[i, :d], thetas[i, d] = frame.to_raw(theta)
    return AlphaPath(thetas, gaps)


def largest_alpha(loss: MomentLoss, terms: Terms) -> float:
    """The smallest strength at which no column with an L1 penalty has a coefficient."""
    gram, slope = loss.hessian / 2, loss.at_zero.slope / -2
    net, held = ElasticNet.of(terms, loss.frame.scale), terms.l1 > 0
    most = 0.0
    for j in range(slope.shape[1]):
        # Columns without an L1 penalty have theirs: we hold the others at zero
        rest = np.flatnonzero(~held[:, j])
        v = slope[:, j]
        if rest.size:
            zero = np.zeros(len(rest))
            part = gram[rest[:, None], rest], slope[rest, j], zero, net.l2[rest, j]
            v = v - gram[:, rest] @ least(*part, net.positive, zero).w
        size = v if net.positive else np.abs(v)
        share = size[held[:, j]] / net.l1[held[:, j], j]
        most = max(most, share.max(initial=0.0))
    return float(most) * ROUNDED_UP
