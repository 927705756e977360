"""How many updates with a constant step bring a loss near its minimum, without walking."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.polynomials import shrinking

NEVER = np.inf  # a number of updates
MOST = 2.0**53  # updates that are counted, one by one
LEAP = 32  # updates: fewer are looked at one by one
FURTHEST = 1 << 10  # updates that are looked at in one go


def updates_needed(
    modes: Modes, rates: np.ndarray, momenta: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    """(c,): updates from which on F of each target is within `distance` (t,) of its minimum.

    Infinite for never. `modes` are those that move.
    """
    needed = np.zeros(len(rates))
    for plain in (True, False):
        cells = np.flatnonzero((momenta == 0) == plain)
        for target in range(len(distance)) if cells.size else ():
            squares = modes.residual[:, target] ** 2
            found = _needed(modes, squares, rates[cells], momenta[cells], distance[target])
            needed[cells] = np.maximum(needed[cells], found)
    return needed


def _needed(
    modes: Modes, squares: np.ndarray, rates: np.ndarray, momenta: np.ndarray, most: float
) -> np.ndarray:
    """For one target; all of the momenta are zero, or none is."""
    moving = squares > 0
    if not most > 0:  # powers vanish in floats alone
        return np.full(len(rates), NEVER if moving.any() else 0.0)
    squares, mu = squares[moving], momenta[:, None]
    h = np.multiply.outer(rates, 2 * modes.singular[moving] ** 2)
    needed = np.full(len(rates), NEVER)
    cells = np.flatnonzero((h <= 2 * (1 + mu)).all(axis=1))
    if not cells.size:
        return needed
    left = shrinking(h[cells], mu[cells])

    def within(k: np.ndarray) -> np.ndarray:
        return left.envelope(k[:, None]) ** 2 @ squares <= most

    # The envelope falls: bisection finds where it is within the distance for good
    needed[cells] = _first_trues(within, len(cells))
    cells = cells[(momenta[cells] > 0) & np.isfinite(needed[cells])]
    needed[cells] = _after_last(h[cells], mu[cells], squares, most, needed[cells])
    return needed


def _after_last(
    h: np.ndarray, mu: np.ndarray, squares: np.ndarray, most: float, ends: np.ndarray
) -> np.ndarray:
    """(c,): back from updates `ends` to the ones after the last with a gap above `most`.

    From `ends` on no gap is above it. We leap back over as many updates as have no crest above it,
    and look at updates one by one where a leap is too short to pay.
    """
    ends, leaps, height = ends.copy(), np.full(len(ends), float(LEAP)), LEAP
    cells = np.arange(len(ends))
    while cells.size:
        left, end, leap = shrinking(h[cells], mu[cells]), ends[cells, None], leaps[cells]
        first = np.maximum(end - leap[:, None], 0)
        clear = left.highest(first, np.maximum(end - 1, 0)) ** 2 @ squares <= most
        ends[cells] = np.where(clear, first[:, 0], ends[cells])
        leaps[cells] = np.where(clear, 4 * leap, np.maximum(leap / 4, LEAP))
        ended = ends[cells] == 0
        if (stuck := np.flatnonzero(~clear & (leap == LEAP))).size:
            before = end[stuck] - np.arange(1, height + 1)
            left = shrinking(h[cells[stuck], None], mu[cells[stuck], None])
            p, _ = left.left(np.maximum(before, 0)[..., None])
            beyond = (p**2 @ squares > most) | (before < 0)
            hit = beyond.any(axis=1)
            ends[cells[stuck]] -= np.where(hit, beyond.argmax(axis=1), height)
            ended[stuck] |= hit
            height = min(4 * height, FURTHEST)
        cells = cells[~ended]
    return ends


def first_true(holds: Callable[[float], bool], low: float) -> float:
    """The first whole number above `low` where what never ceases to hold holds."""
    return float(_first_trues(lambda k: np.array([holds(k[0])]), 1, low + 1)[0])


def _first_trues(
    holds: Callable[[np.ndarray], np.ndarray], count: int, least: float = 0
) -> np.ndarray:
    """(count,): the first k >= `least` where `holds(k)`, of what never ceases once it began."""
    low = np.full(count, least - 1.0)  # where it does not hold, or is not asked
    high = np.full(count, float(least))
    while (beyond := ~holds(high) & (high < MOST)).any():  # twice as far until it holds
        low = np.where(beyond, high, low)
        high = np.where(beyond, np.minimum(2 * high + 1, MOST), high)
    never = ~holds(high)
    low = np.where(never, high - 1, low)
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        there = holds(middle)
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    return np.where(never, NEVER, high)
