"""The rules that end a run: settled, at the floor, near the minimum, flattening, diverged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import LARGEST_SQUARE, SMALLEST_DIVISOR, below_largest
from gd_regressor.descent.nouns import Rule
from gd_regressor.descent.records import End, Records, Status

LEAST_WINDOW = 4  # updates, at least, from which we extrapolate
# A loss has diverged above the first number times the first loss or the variance of y. Above the
# second number it belongs to predictions that nearly overflow
LARGEST_LOSS = {
    np.dtype(np.float64): (1e100, LARGEST_SQUARE),
    np.dtype(np.float32): (1e20, below_largest(1, dtype=np.float32)),
}


@frozen
class Settled(Rule):
    """The loss has settled: an update lowered the loss by at most tol times the variance of y.

    With momentum the loss need not fall steadily, so none of the last 1 / (1 - momentum) updates,
    rounded up, may have changed it by more. A rising loss has not settled. The run ends when every
    target has settled once.
    """

    threshold: np.ndarray  # (t,): tol times the variance of y
    square: np.ndarray  # (t,): the mean square of y
    momentum: float = 0.0

    status = Status.CONVERGED

    @property
    def window(self) -> int:
        # We subtract some ulps, because 1 / (1 - 0.9) is 10.000000000000002 in floats
        return math.ceil((1 - 4 * EPS) / (1 - self.momentum))

    def start(self, records: Records) -> tuple[np.ndarray, np.ndarray]:
        t = len(self.threshold)
        return np.zeros(t, dtype=int), np.zeros(t, dtype=bool)

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        streak, settled = state  # (t,) calm updates in a row so far; (t,) whether settled
        # An update below the floor changes predictions by at most an eps of their size. tol=0 stops
        # there, because a walk cannot tell a smaller update from none
        floor = EPS**2 * self.square
        calm = np.abs(records.decreases) <= np.where(self.threshold > 0, self.threshold, floor)
        if self.momentum == 0:
            calm &= records.decreases >= -floor
        index = np.arange(len(calm))[:, None]
        broken = np.maximum.accumulate(np.where(calm, -1 - streak, index), axis=0)
        streaks = index - broken
        met = settled | np.logical_or.accumulate(streaks >= self.window, axis=0)
        return met.all(axis=1), (streaks[-1], met[-1])


@frozen
class Unimproved(Rule):
    """The loss has not improved for `patience` updates in a row, each an epoch of noisy ones.

    Better means: by more than the threshold below the last better loss. So many small gains count
    together. A loss that has climbed has not settled. The run ends when every target has come to
    this once.
    """

    tol: float
    variance: np.ndarray  # (t,): of y, the unit of losses
    patience: int

    status = Status.CONVERGED

    def start(self, records: Records) -> tuple[np.ndarray, ...]:
        best = records.losses[-1]
        no = np.zeros(len(best), dtype=bool)
        return _without_climbing(best, self.variance), best, np.zeros(len(best), dtype=int), no

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        most, best, waited, met = state
        ends = []
        for loss in records.losses:
            better = loss < best - self.tol * self.variance
            best, waited = np.where(better, loss, best), np.where(better, 0, waited + 1)
            met = met | ((waited >= self.patience) & (loss <= most))
            ends.append(bool(met.all()))
        return np.array(ends), (most, best, waited, met)


@frozen
class AtFloor(Rule):
    """The distance from the minimum is rounding: below the floor, or no longer halved."""

    floor: np.ndarray  # (t,): a smaller distance is not worth an update
    ceiling: np.ndarray  # (t,): a larger distance is no rounding

    status = Status.CONVERGED

    def start(self, records: Records) -> tuple[np.ndarray, np.ndarray]:
        return records.gaps[-1], np.zeros(len(self.floor), dtype=bool)

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        before, met = state
        ends = []
        for gap in records.gaps:  # a walk has one row of gaps for each look
            met = met | (gap <= self.floor) | ((gap > before / 2) & (gap <= self.ceiling))
            ends.append(all(met.tolist()))
            before = gap
        return np.array(ends), (before, met)


@frozen
class NearMinimum(Rule):
    """Every target's estimated distance from the minimum was at most the threshold once.

    Two updates in a row that changed nothing count too: then the distance is rounding.
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


@frozen
class Flattening(Rule):
    """The extrapolated sum of all further decreases is at most the threshold.

    This is for descents without a known eigenvalue. With conjugate steps, the sum of the decreases
    from here on is the distance from the minimum (Hestenes and Stiefel 1952). We assume that
    decreases go on falling by the ratio between the last quarter of updates and the quarter before.
    """

    threshold: np.ndarray  # (t,)

    status = Status.CONVERGED

    def start(self, records: Records) -> np.ndarray:
        return records.decreases[:0]

    def look(self, records: Records, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decreases = np.concatenate([state, records.decreases])  # the state holds the earlier ones
        ends = [self._flat(decreases[: k + 1]) for k in range(len(state), len(decreases))]
        return np.array(ends), decreases

    def _flat(self, decreases: np.ndarray) -> bool:
        k = len(decreases)
        window = max(LEAST_WINDOW, k // 4)
        if k < 2 * window:
            return False
        last = decreases[k - window :].sum(axis=0)
        before = decreases[k - 2 * window : k - window].sum(axis=0)
        ratio = last / np.maximum(before, SMALLEST_DIVISOR)
        # At least the last two decreases, in case the descent is about to slow down
        left = np.maximum(last * ratio / np.maximum(1 - ratio, EPS), decreases[k - 2 :].sum(axis=0))
        return bool(((left <= self.threshold) & (last >= 0) | (last == 0)).all())


@frozen
class Diverged(Rule):
    """The loss has exceeded `divergence_bound`."""

    variance: np.ndarray  # (t,): of y, the unit of losses
    precision: np.dtype  # of the data

    status = Status.DIVERGED

    def start(self, records: Records) -> tuple[np.ndarray, bool]:
        return divergence_bound(records.losses[0], self.variance, self.precision), True

    def look(self, records: Records, state) -> tuple[np.ndarray, Any]:
        bound, _ = state
        # ~(<=) rather than >, so that NaN counts as diverged
        ends = ~np.logical_and.reduce(records.losses <= bound, axis=1)
        hit = ends.argmax()
        if not ends[hit]:
            return ends, state
        _, ceiling = LARGEST_LOSS[np.dtype(self.precision)]
        return ends, (bound, bool((records.losses[hit] <= ceiling).all()))

    def kept(self, k: int, state) -> int:
        """The last iterate whose predictions do not overflow."""
        _, in_range = state
        return k if in_range else k - 1


def judged_by_its_ends(end: End, variance: np.ndarray | None = None) -> End:
    """The end of a run that may be too fast, however far it came. Any target counts.

    At a rate at or beyond the stability limit the error never shrinks along some direction, so a
    loss that ends above the first one has diverged, even where it is far below the bound that stops
    a run. With noisy updates no limit is known, and their noise lifts a loss that begins at its
    minimum. There the loss must have climbed by more than the `variance` of y (t,).
    """
    first = end.losses[0]
    most = first if variance is None else _without_climbing(first, variance)
    if end.status.from_outside or not (end.losses[-1] > most).any():
        return end
    return end._replace(status=Status.DIVERGED)


def _without_climbing(first: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(t,): how large a loss may become by the noise of stable updates.

    A constant model has no penalty, and a loss up to V. So the minimum is at most V, wherever the
    descent began. Up to half of the largest stable rate, the noise of least squares on normal rows
    adds less than the minimum, and so less than V.
    """
    return np.maximum(first, variance) + variance


def divergence_bound(first: np.ndarray, variance: np.ndarray, precision: np.dtype) -> np.ndarray:
    """(t,): the loss above which a run that began with the loss `first` (t,) has diverged."""
    factor, ceiling = LARGEST_LOSS[np.dtype(precision)]
    if not all(loss <= ceiling for loss in first.tolist()):
        cure = "" if np.dtype(precision) == np.float64 else ", divide y, or pass X as float64"
        raise ValueError(
            f"The loss overflows at the start: it is not below {ceiling:g}. Begin nearer to y, "
            "with a smaller coef_init and intercept_init (or without), warm_start=False and "
            f'init="zeros"{cure}.'
        )
    return factor * np.minimum(np.maximum(first, variance), ceiling / factor)
