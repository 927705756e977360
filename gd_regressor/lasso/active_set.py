"""The least penalised loss on moments: a primal-dual active set, in few solves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.units import power_of_two_above, power_of_two_near_root
from gd_regressor.lasso.face import Penalised
from gd_regressor.lasso.semismooth import by_proximal_points

# Well-conditioned columns need two to five solves. After so many the active set cycles
SOLVES = 8
# With l1 below this share of the largest slope, and columns that depend on each other, the way to
# the minimum is long. We take it in stages, each with penalties that are so many times smaller
SLIGHT, STAGE = 1e-5, 1e3


class Minimum(NamedTuple):
    """Where the penalised loss is least."""

    w: np.ndarray  # (d,)
    v: np.ndarray  # (d,): q - Q w
    n_solves: int  # of systems with as many unknowns as there are coefficients that are not zero
    converged: bool  # whether the optimality conditions hold up to rounding


def least(
    Q: np.ndarray,
    q: np.ndarray,
    l1: np.ndarray,
    l2: np.ndarray,
    positive: bool,
    start: np.ndarray,
) -> Minimum:
    """The minimiser of w'Qw/2 - q'w + sum l1 |w| + sum l2 w^2 / 2, over w >= 0 if `positive`.

    Q (d, d) are the centred products X'X / n and q (d,) the products X'y / n. `l1` and `l2` (d,)
    are at least zero. A good `start` (d,) saves solves. The minimum depends on it only where there
    are several minimisers.
    """
    start = np.where(Q.diagonal() > 0, start, 0.0)  # a column that is constant has no coefficient
    units = power_of_two_near_root(Q.diagonal())
    if (units != 1).any():  # a copy of a large Q takes as long as some solves
        Q = Q / units / units[:, None]
    slope = q / units
    size = float(power_of_two_above(np.abs(slope).max(initial=0.0)))
    net = Penalised(
        Q,
        slope / size,
        l1 / units / size,
        l2 / units / units,
        positive,
    )
    w, v, solves, converged = _least(net, start * (units / size))
    return Minimum(w * (size / units), v * (size * units), solves, converged)


def _least(net: Penalised, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """The same in the units of the columns: w (d,), v (d,), the solves, whether it converged."""
    w, v, solves, converged = _by_active_sets(net, start)
    if converged:
        return w, v, solves, True
    if 0 < net.l1.max() < SLIGHT * net.largest:
        wider = Penalised(net.gram, net.slope, net.l1 * STAGE, net.l2 * STAGE, net.positive)
        w, _, more, _ = _least(wider, w)
        solves += more
        w, v, more, converged = _by_active_sets(net, w)
        solves += more
    if not converged:
        w, v, more, converged = by_proximal_points(net, w)
        solves += more
    return w, v, solves, converged


def _by_active_sets(net: Penalised, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Guess the signs, solve for them, and guess again as long as the objective falls.

    (Hintermueller, Ito and Kunisch 2002, with the steps of the two-metric projection of Bertsekas
    1982: a coefficient whose sign would flip becomes zero.)
    """
    w = np.maximum(start, 0.0) if net.positive else start
    v = net.slope - net.gram @ w if w.any() else net.slope
    if net.change(0 * w, net.slope, w, v) > 0:  # further from the minimum than zero
        w, v = 0 * w, net.slope
    for solves in range(1, SOLVES + 1):
        signs = net.signs(w, v)
        to, v_to = net.on_face(signs, w)
        if net.agrees(to, v_to, signs):
            return to, v_to, solves, True
        flipped = (to * signs <= 0) & ~net.free
        if (flipped & (to != 0)).any():
            to = np.where(flipped, 0.0, to)
            v_to = net.slope - net.gram @ to
        if not net.change(w, v, to, v_to) < 0:
            return w, v, solves, False
        w, v = to, v_to
    return w, v, SOLVES, False
