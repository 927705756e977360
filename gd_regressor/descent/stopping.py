"""When to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.descent.nouns import Rule
from gd_regressor.descent.records import Records, Status

LEAST_WINDOW = 4  # of updates, to extrapolate from
# A loss has diverged when it is so many times the first one or the variance of y; above the second
# number it belongs to predictions that nearly overflow
LARGEST_LOSS = {np.dtype(np.float64): (1e100, 1e290), np.dtype(np.float32): (1e20, 1e37)}


@dataclass(frozen=True)
class Settled(Rule):
    """The loss has settled: an update lowered it by at most tol times the variance of y.

    With momentum the loss need not fall steadily: then none of the last 1 / (1 - momentum)
    updates, rounded up, moved it by more. A rising loss is never convergence. Every target has
    to have settled once.
    """

    threshold: np.ndarray  # (t,): tol times the variance of y
    square: np.ndarray  # (t,): the mean square of y
    momentum: float = 0.0

    status = Status.CONVERGED

    @property
    def window(self) -> int:
        # Less an ulp: 1 / (1 - 0.9) is 10.000000000000002
        return math.ceil((1 - 4 * EPS) / (1 - self.momentum))

    def start(self, records: Records) -> tuple[np.ndarray, np.ndarray]:
        t = len(self.threshold)
        return np.zeros(t, dtype=int), np.zeros(t, dtype=bool)

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        """Which of these updates (m,) end the run, and the state after the last of them."""
        streak, settled = state  # calm updates in a row so far; whether a target has settled
        # An update below the floor changes predictions by an eps of themselves at most: that is
        # what tol=0 means, and what a walk cannot tell from zero
        floor = EPS**2 * self.square
        calm = np.abs(records.decreases) <= np.where(self.threshold > 0, self.threshold, floor)
        if self.momentum == 0:
            calm &= records.decreases >= -floor
        index = np.arange(len(calm))[:, None]
        broken = np.maximum.accumulate(np.where(calm, -1 - streak, index), axis=0)
        streaks = index - broken
        met = settled | np.logical_or.accumulate(streaks >= self.window, axis=0)
        return met.all(axis=1), (streaks[-1], met[-1])


@dataclass(frozen=True)
class AtFloor(Rule):
    """The distance from the minimum is rounding: nothing to gain, or no longer halved."""

    floor: np.ndarray  # (t,): a distance that is not worth an update
    ceiling: np.ndarray  # (t,): one that is too large to be rounding

    status = Status.CONVERGED

    def start(self, records: Records) -> tuple[np.ndarray, np.ndarray]:
        return records.gaps[-1], np.zeros(len(self.floor), dtype=bool)

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        before, met = state
        gaps = records.gaps
        last = before[None] if len(gaps) == 1 else np.concatenate((before[None], gaps[:-1]))
        there = (gaps <= self.floor) | ((gaps > last / 2) & (gaps <= self.ceiling))
        met = met | np.logical_or.accumulate(there, axis=0)
        return met.all(axis=1), (gaps[-1], met[-1])


@dataclass(frozen=True)
class NearMinimum(Rule):
    """The estimated distance from the minimum is at most the threshold, once for every target.

    Or two updates have moved nothing: what is left is rounding.
    """

    threshold: np.ndarray  # (t,)

    status = Status.CONVERGED

    def start(self, records: Records) -> tuple[np.ndarray, np.ndarray]:
        no = np.zeros(len(self.threshold), dtype=bool)
        return no, no

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        met, still = state
        none = records.decreases == 0
        there = none & np.concatenate((still[None], none[:-1]))
        there |= records.gaps <= self.threshold
        met = met | np.logical_or.accumulate(there, axis=0)
        return met.all(axis=1), (met[-1], none[-1])


@dataclass(frozen=True)
class Flattening(Rule):
    """What updates still lower the loss by, extrapolated, is at most the threshold.

    For descents of which no eigenvalue is known: of conjugate steps, the decreases from here on are
    the distance from the minimum (Hestenes and Stiefel 1952). They are taken to go on falling as
    from the last quarter of the updates but one to the last.
    """

    threshold: np.ndarray  # (t,)

    status = Status.CONVERGED

    def start(self, records: Records) -> np.ndarray:
        return records.decreases[:0]

    def look(self, records: Records, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decreases = np.concatenate([state, records.decreases])  # the state: those before
        ends = [self._flat(decreases[: k + 1]) for k in range(len(state), len(decreases))]
        return np.array(ends), decreases

    def _flat(self, decreases: np.ndarray) -> bool:
        k = len(decreases)
        window = max(LEAST_WINDOW, k // 4)
        if k < 2 * window:
            return False
        last = decreases[k - window :].sum(axis=0)
        ratio = last / np.maximum(decreases[k - 2 * window : k - window].sum(axis=0), 1e-300)
        # Not less than the last two, for a descent that is about to slow down
        left = np.maximum(last * ratio / np.maximum(1 - ratio, EPS), decreases[k - 2 :].sum(axis=0))
        return bool(((left <= self.threshold) & (last >= 0) | (last == 0)).all())


@dataclass(frozen=True)
class Diverged(Rule):
    """The loss is beyond any use: see `divergence_bound`."""

    variance: np.ndarray  # (t,): of y, the unit of losses
    precision: np.dtype  # of the data

    status = Status.DIVERGED

    def start(self, records: Records) -> tuple[np.ndarray, bool]:
        return divergence_bound(records.losses[0], self.variance, self.precision), True

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        bound, _ = state
        # ~(<=) rather than >, so that a loss that is not a number has diverged too
        ends = ~(records.losses <= bound).all(axis=1)
        hit = ends.argmax()
        if not ends[hit]:
            return ends, state
        _, ceiling = LARGEST_LOSS[np.dtype(self.precision)]
        return ends, (bound, bool((records.losses[hit] <= ceiling).all()))

    def kept(self, k: int, state) -> int:
        """If one update jumps beyond the range of floats, the iterate before it."""
        _, in_range = state
        return k if in_range else k - 1


def divergence_bound(first: np.ndarray, variance: np.ndarray, precision: np.dtype) -> np.ndarray:
    """(t,) the loss above which a run from one with the loss `first` (t,) has diverged."""
    factor, ceiling = LARGEST_LOSS[np.dtype(precision)]
    if not first.max() <= ceiling:
        cure = "" if np.dtype(precision) == np.float64 else ", divide y, or pass X as float64"
        raise ValueError(
            f"The loss overflows at the start: it is not below {ceiling:g}. Begin nearer to y, "
            "with a smaller coef_init and intercept_init (or without), warm_start=False and "
            f'init="zeros"{cure}.'
        )
    return factor * np.minimum(np.maximum(first, variance), ceiling / factor)
