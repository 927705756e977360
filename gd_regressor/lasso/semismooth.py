"""Semismooth: proximal points by Newton's method, for columns on which the active set cycles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

from gd_regressor.lasso.face import Penalised

# The first weight of the proximal term, in units of the columns. Each point divides it by RATIO,
# down to LEAST_WEIGHT, where rounding of v divided by the weight would move coefficients
FIRST_WEIGHT, RATIO, LEAST_WEIGHT = 0.1, 10.0, 1e-13
PROXIMAL_POINTS = 60  # at most
NEWTON_STEPS = 40  # of Newton's method at most, for one proximal point


def by_proximal_points(net: Penalised, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """The minimum w (d,), its v (d,), the number of solves, and whether we found it.

    The next point is the minimiser of the objective plus weight |x - w|^2 / 2 (Rockafellar 1976).
    Its dual problem has a piecewise quadratic objective that is smooth, so Newton's method with an
    exact search along each direction finds it (Li, Sun and Toh 2018). The signs of a point that is
    near the minimum are those of the minimum, and then one solve ends the search.
    """
    weight, ratio, solves = FIRST_WEIGHT, RATIO, 0
    for _ in range(PROXIMAL_POINTS):
        point, steps = _next_point(net, w, weight)
        solves += steps
        if point is None:  # the weight is too small: go back, and come nearer by smaller factors
            weight, ratio = weight * ratio, math.sqrt(ratio)
            weight /= math.sqrt(ratio)
            continue
        w, signs = point, net.signs_of(point)
        minimum, v = net.on_face(signs, w)
        solves += 1
        if net.agrees(minimum, v, signs):
            return minimum, v, solves, True
        weight = max(weight / ratio, LEAST_WEIGHT)
    return w, net.slope - net.gram @ w, solves, False


def _next_point(net: Penalised, w: np.ndarray, weight: float) -> tuple[np.ndarray | None, int]:
    """The proximal point of `w`, or None if Newton's method does not find it; and its solves.

    The dual variable is a point z (d,) whose fit X z is the dual fit. Its residuals give the primal
    point x = prox(w + (q - Q z) / weight), and at the minimum x is z.
    """
    z, v = w, net.slope - net.gram @ w
    x = net.prox(w + v / weight, weight)
    for solves in range(1, NEWTON_STEPS + 1):
        signs = net.signs_of(x)
        direction = _newton(net, x - z, signs, weight)
        fit = net.gram @ direction
        ahead = net.prox(w + (v - fit) / weight, weight)
        if np.array_equal(net.signs_of(ahead), signs):  # the step of 1 is exact
            return ahead, solves
        reach = _reach(net, w, z, v, direction, fit, weight)
        if not reach:
            return None, solves
        z, v = z + reach * direction, v - reach * fit
        x = net.prox(w + v / weight, weight)
    return None, NEWTON_STEPS


def _newton(net: Penalised, apart: np.ndarray, signs: np.ndarray, weight: float) -> np.ndarray:
    """The direction d of Newton's method: d + M Q d = x - z, M the derivative of the prox."""
    direction, on = apart.copy(), np.flatnonzero(signs)
    if not on.size:
        return direction
    direction[on] = 0.0
    scale = weight + net.l2[on]
    right = scale * apart[on] - (net.gram @ direction)[on]
    columns = net.gram[on[:, None], on]
    columns.ravel()[:: len(on) + 1] += scale
    root, failed = lapack.dpotrf(columns.T, lower=1, clean=0, overwrite_a=1)
    if not failed:
        direction[on] = lapack.dpotrs(root, right, lower=1)[0]
    return direction


def _reach(net: Penalised, w, z, v, direction, fit, weight) -> float:
    """The step along a direction to the minimum of the dual objective, at most 1."""

    def slope(step: float) -> float:
        x = net.prox(w + (v - step * fit) / weight, weight)
        return float(fit @ (z + step * direction - x))

    return reach(slope, w + v / weight, -fit / weight, net.l1 / weight)


def reach(slope: Callable[[float], float], u, move, threshold) -> float:
    """The step to the minimum of a dual objective with this slope along a direction, at most 1.

    The slope rises with the step. It is linear between the steps at which a coordinate of
    u + step * move reaches the threshold, on either side: there a coefficient becomes zero or
    leaves zero. We search these steps by bisection.
    """
    if slope(1.0) <= 0:
        return 1.0
    moving = np.flatnonzero(move)
    with np.errstate(over="ignore"):
        kinks = ((threshold - u)[moving] / move[moving], (-threshold - u)[moving] / move[moving])
    kinks = np.concatenate(kinks)
    steps = np.concatenate([[0.0], np.sort(kinks[(kinks > 0) & (kinks < 1)]), [1.0]])
    below, above = 0, len(steps) - 1
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if slope(steps[middle]) < 0 else (below, middle)
    first, last = steps[below], steps[above]
    falling, rising = slope(first), slope(last)
    if falling >= 0:  # rounding is all that is left
        return 0.0
    return float(first - (last - first) * falling / (rising - falling))
