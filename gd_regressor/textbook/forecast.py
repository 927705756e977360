"""What a descent from one start will do at any rate and momentum, without walking.

All questions are searches over the number of updates, in which a closed form jumps. What makes the
jumps safe is said at each: a sum of exponentials is convex, an envelope falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.descent.records import Scales
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.descent.stopping import LARGEST_LOSS, Settled, divergence_bound
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.needed import MOST, NEVER, first_true, updates_needed
from gd_regressor.textbook.polynomials import Plain, shrinking
from gd_regressor.textbook.spectrum import Spectrum

# Windows of 1 / (1 - momentum) updates until what swings has fallen to e^-100 of a calm decrease,
# from a start as high as that. Then what creeps falls from update to update
SWINGING = 100
SPLIT = 32  # updates of a curve that are powers, of which the others are products
AT_ONCE = 1 << 15  # powers that are still in cache when they are used
HALVINGS = 56  # of a bisection between two doubles
MANY = 64  # numbers of updates that are tried at once


@dataclass(frozen=True)
class Forecast:
    """Answers about the descents that set out from one start."""

    modes: Modes  # those that move
    scales: Scales
    precision: np.dtype

    def path(self, step: ConstantStep) -> Spectrum:
        """The descent with one step."""
        return Spectrum(step, self.modes)

    def losses(self, rates: np.ndarray, momenta: np.ndarray, ks: np.ndarray) -> np.ndarray:
        """(c, n): the mean over the targets of F after `ks` updates, of `c` descents."""
        weights, curvatures = (self.modes.residual**2).mean(axis=1), self._curvatures
        gaps, plain = np.empty((len(rates), len(ks))), momenta == 0
        consecutive = np.array_equal(ks, np.arange(len(ks)))
        if len(ks) <= SPLIT or not consecutive or not len(weights):
            plain = np.zeros_like(plain)
        with np.errstate(over="ignore", invalid="ignore"):
            for i in np.flatnonzero(~plain):
                left = shrinking(rates[i] * curvatures, momenta[i]).left
                gaps[i] = left(ks[:, None])[0] ** 2 @ weights
            if plain.any():
                gaps[plain] = self._whole_curves(rates[plain], len(ks), weights)
        gaps[np.isnan(gaps)] = np.inf
        gaps += self.modes.minimum.mean()
        return gaps

    def _whole_curves(self, rates: np.ndarray, count: int, weights: np.ndarray) -> np.ndarray:
        """(c, count): the gaps after 0, 1, ... updates without momentum.

        As p_{a+b} = p_a p_b, a curve is the product of two short tables of powers.
        """
        rows, curves = -(-count // SPLIT), np.empty((len(rates), count))
        ks = np.concatenate([SPLIT * np.arange(float(rows)), np.arange(float(SPLIT))])[:, None]
        at_once = max(AT_ONCE // (len(ks) * len(weights)), 1)
        for first in range(0, len(rates), at_once):
            some = slice(first, first + at_once)
            powers, _ = Plain(rates[some, None, None] * self._curvatures).left(ks)
            powers *= powers
            coarse, fine = powers[:, :rows] * weights, powers[:, rows:].transpose(0, 2, 1)
            curves[some] = (coarse @ fine).reshape(len(powers), -1)[:, :count]
        return curves

    def gradient_norms(self, step: ConstantStep, ks: np.ndarray) -> np.ndarray:
        """(n,): the largest over the targets of the norm of F's gradient after `ks` updates."""
        steep = (2 * self.modes.singular[:, None] * self.modes.residual) ** 2
        left, _ = shrinking(step.rate * self._curvatures, step.momentum).left(ks[:, None])
        return np.sqrt((left**2 @ steep).max(axis=1))

    def stops_after(self, step: ConstantStep, tol: float) -> float:
        """The update at which the stopping rule ends the descent; infinite for never."""
        stop = max(
            self._settles_after(target, step, tol) for target in range(len(self.scales.variance))
        )
        return stop if stop < self.diverges_after(step) else NEVER

    def diverges_after(self, step: ConstantStep) -> float:
        """The update that the descent is stopped with as diverged; infinite for never."""
        path = self.path(step)
        largest = self.modes.singular.max(initial=0.0)
        if not step.rate > step.stability_limit(float(2 * largest**2)):
            return NEVER
        first = path.records(0, 0).losses[0]
        bound = divergence_bound(first, self.scales.variance, self.precision)

        def beyond(k: float) -> bool:
            return not (path.sampled(np.array([k])).losses <= bound).all()

        # F is convex in k, and the start is within the bound: once beyond, always beyond
        k = first_true(beyond, 0)
        if k == NEVER:
            return NEVER
        _, ceiling = LARGEST_LOSS[np.dtype(self.precision)]
        return k if (path.sampled(np.array([k])).losses <= ceiling).all() else k - 1

    def needs(self, rates: np.ndarray, momenta: np.ndarray, tol: float) -> np.ndarray:
        """(c,): updates from which on F is within tol V of its minimum; infinite for never."""
        return updates_needed(self.modes, rates, momenta, tol * self.scales.variance)

    def fastest(self, tol: float) -> tuple[float, float]:
        """The rate that needs the fewest updates without momentum, and their number.

        After k updates the gap of each target is a sum of even powers of 1 - rate * lambda: convex
        in the rate. So is the largest of them in units of V.
        """
        squares = self.modes.residual**2 / self.scales.variance
        if not (squares.sum(axis=0) > tol).any():
            return self._middle, 0.0

        rates: dict[float, float] = {}

        def there(ks: np.ndarray) -> np.ndarray:
            best, gaps = self._best(squares, ks)
            rates.update(zip(ks.tolist(), best.tolist(), strict=True))
            return gaps <= tol

        k = _first_of_many(there) if tol > 0 else NEVER
        return rates.get(k, self._middle), k

    @property
    def _curvatures(self) -> np.ndarray:
        return 2 * self.modes.singular**2

    @property
    def _middle(self) -> float:
        largest = self._curvatures.max(initial=0.0)
        return 1 / largest if largest > 0 else NEVER

    def _best(self, squares: np.ndarray, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rates with the least gaps after `ks` updates, by their slopes, and those gaps."""
        low, high = np.full(len(ks), self._middle), np.full(len(ks), 2 * self._middle)
        odd, slopes_of = 2 * ks[:, None] - 1, self._curvatures[:, None] * squares

        def after(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            h = rates[:, None] * self._curvatures
            left = Plain(h).left(odd)[0]
            return left, (left * (1 - h)) @ squares

        for _ in range(HALVINGS):  # below 1 / L all gaps fall with the rate
            rate = (low + high) / 2
            left, gaps = after(rate)
            # The slope is that of the worst target, with the sign turned
            worst = gaps.argmax(axis=1)[:, None]
            rising = np.take_along_axis(left @ slopes_of, worst, axis=1)[:, 0] > 0
            low, high = np.where(rising, rate, low), np.where(rising, high, rate)
        rate = (low + high) / 2
        return rate, after(rate)[1].max(axis=1)

    def _settles_after(self, target: int, step: ConstantStep, tol: float) -> float:
        """Where the rule is satisfied by one target."""
        one = slice(target, target + 1)
        threshold, square = tol * self.scales.variance[one], self.scales.square[one]
        rule = Settled(threshold, square, step.momentum)
        path = Spectrum(step, replace(self.modes, residual=self.modes.residual[:, one]))
        floor = float(EPS**2 * square[0])
        most = float(threshold[0]) if threshold[0] > 0 else floor
        window = rule.window

        def fall(k: float) -> float:
            return float(path.sampled(np.array([k])).decreases[0, 0])

        swinging = 0
        if step.momentum > 0:
            start = float(path.sampled(np.zeros(1)).gaps[0, 0])
            higher = np.log(max(start, SMALLEST_DIVISOR) / max(most, SMALLEST_DIVISOR))
            swinging = window * int(SWINGING + max(higher, 0.0))
        if swinging:
            found = _first_streak(path, rule, most, swinging)
            if found is not None:
                return found
        # From here on a decrease is a sum of falling terms, less growing ones: it falls
        k = first_true(lambda k: not fall(k) > most, swinging)
        least = -min(floor, most) if step.momentum == 0 else -most
        end = k + window - 1
        return end if k < NEVER and fall(end) >= least else NEVER


def _first_streak(path: Spectrum, rule: Settled, most: float, last: int) -> float | None:
    """The end of the first window of calm updates that begins by the `last`-th.

    Any window holds one multiple of its length: only about those that are calm it is looked for.
    """
    window = rule.window
    marks = window * np.arange(1, last // window + 1)
    calm = np.abs(path.sampled(marks).decreases[:, 0]) <= most
    for mark in marks[calm]:
        k, state = int(mark) - window + 1, rule.start(path.records(0, 0))
        while k < mark + window:
            end = min(k + path.stride, int(mark) + window) - 1
            ends, state = rule.look(path.records(k, end), state)
            if ends.any():
                return float(k + ends.argmax())
            k = end + 1
    return None


def _first_of_many(holds: Callable[[np.ndarray], np.ndarray]) -> float:
    """The first k >= 1, likewise, for questions that cost as much for many k as for one."""
    ks = 2.0 ** np.arange(np.log2(MOST) + 1)
    low = 0.0
    while True:
        there = holds(ks)
        if not there.any():
            return NEVER
        hit = int(there.argmax())
        low, high = (ks[hit - 1] if hit else low), ks[hit]
        if high - low <= 1:
            return float(high)
        ks = np.unique(np.ceil(np.linspace(low, high, MANY + 1)[1:]))
