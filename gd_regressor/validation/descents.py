"""A number as learning rate: the textbooks' iterates after many numbers of updates, at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.descent.records import Scales
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.textbook.forecast import Forecast
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.polynomials import Plain, shrinking
from gd_regressor.validation.training import Fan, Training

# Updates of a table of powers. The powers of any number of updates are products of two tables, and
# a table of a thousand consecutive numbers is shortest so
SHORT_POWERS = 32


class Descents(NamedTuple):
    """Descents from zero on the rows that train a fold, with one penalty sum l2_j w_j^2."""

    modes: Modes  # those that move
    scales: Scales
    fit_intercept: bool
    precision: np.dtype

    @classmethod
    def of(cls, training: Training, l2: np.ndarray) -> Descents:
        modes = training.penalised(l2).moving
        return cls(modes, training.scales, training.fit_intercept, training.precision)

    @property
    def fan(self) -> Fan:
        """The directions of all iterates."""
        vectors, t = self.modes.vectors, self.modes.origin.shape[1]
        d = len(vectors) - self.fit_intercept
        ones = vectors[d] if self.fit_intercept else np.zeros(vectors.shape[1])
        return Fan(vectors[:d], ones, np.zeros(d), np.zeros(t))

    def points(
        self, rates: np.ndarray, momentum: float, counts: np.ndarray, ends: np.ndarray
    ) -> Iterator[list[np.ndarray]]:
        """For each rate and target (m, k): the iterates after `counts` before its end.

        `counts` are different and in order.
        """
        targets = [
            Moves.of(rates, self.modes.singular, momentum, counts, response)
            for response in self.modes.response.T
        ]
        for rate, many in enumerate(np.searchsorted(counts, ends, side="right").tolist()):
            yield [moves.of_rate(rate, many) for moves in targets]

    def last_points(self, rates: np.ndarray, momentum: float, ends: np.ndarray) -> np.ndarray:
        """(t, m, r): the iterates at the `ends` (r,) of the descents; the start for no end."""
        made = np.where(np.isfinite(ends), ends, 0.0)
        unit = 2 * np.multiply.outer(rates, self.modes.singular)
        moved = unit * shrinking(unit * self.modes.singular, momentum).total(made[:, None])
        return self.modes.response.T[:, :, None] * moved.T

    def ends(
        self, rates: np.ndarray, momentum: float, last: float, tol: float | None
    ) -> np.ndarray:
        """(r,): the update that ends each descent, by the rules of the estimator; or infinity."""
        ends = np.full(len(rates), np.inf)
        curvature = 2 * self.modes.singular.max(initial=0.0) ** 2
        limit = ConstantStep(1.0, momentum).stability_limit(curvature)
        plain = (rates < limit) & (momentum == 0)
        if tol is not None:
            ends[plain] = self._settled(rates[plain], last, tol)
        forecast = Forecast(self.modes, self.scales, self.precision)
        for i in np.flatnonzero(~plain):
            step = ConstantStep(float(rates[i]), momentum)
            ends[i] = forecast.diverges_after(step)
            if tol is not None:
                ends[i] = min(ends[i], forecast.stops_after(step, tol))
        return ends

    def _settled(self, rates: np.ndarray, last: float, tol: float) -> np.ndarray:
        """(r,): the first update that lowers each target's loss by at most tol V; or infinity.

        A decrease is a sum of falling terms r^2 h (2 - h) p_{k-1}^2, so we bisect all at once.
        """
        h = np.multiply.outer(rates, 2 * self.modes.singular**2)[:, None]  # (r, 1, m)
        squares = self.modes.residual.T**2 * h * (2 - h)  # (r, t, m)
        floor = EPS**2 * self.scales.square
        most = np.where(tol * self.scales.variance > 0, tol * self.scales.variance, floor)
        left = Plain(h).left

        def calm(ks: np.ndarray) -> np.ndarray:
            _, before = left(ks[:, :, None])  # p_{k-1}
            return np.einsum("rtm,rtm->rt", squares, before**2) <= most

        low = np.zeros((len(rates), len(most)))
        high = np.full_like(low, max(last, 1))
        never = ~calm(high).all(axis=1)
        while (high - low > 1).any():
            middle = np.floor((low + high) / 2)
            settled = calm(middle)
            low, high = np.where(settled, low, middle), np.where(settled, middle, high)
        return np.where(never, np.inf, high.max(axis=1, initial=0.0))


class Moves(NamedTuple):
    """How far the updates have moved along each direction.

    This is 2 rate S q_k z of `textbook.spectrum`. Without momentum q_{a+b} = q_a + p_a q_b, a sum
    of terms of one sign where h < 1, so tables of few a and b give the moves of all updates.
    """

    far: np.ndarray  # (r, m, a): 2 rate S z q_a
    left: np.ndarray  # (r, m, a): 2 rate S z p_a
    near: np.ndarray  # (r, m, b): q_b
    place: tuple[np.ndarray, np.ndarray]  # (k,): the a and the b of each number of updates

    @classmethod
    def of(
        cls,
        rates: np.ndarray,
        singular: np.ndarray,
        momentum: float,
        counts: np.ndarray,
        response: np.ndarray,
    ) -> Moves:
        unit = 2 * np.multiply.outer(rates, singular)[:, :, None]
        h, many = unit * singular[:, None], SHORT_POWERS if momentum == 0 else np.inf
        a, at_a = np.unique(counts // many, return_inverse=True)
        b, at_b = np.unique(counts % many, return_inverse=True)
        near, unit = shrinking(h, momentum).total(b), unit * response[:, None]
        if momentum == 0:
            powers, far = Plain(h), many * a
            return cls(unit * powers.total(far), unit * powers.left(far)[0], near, (at_a, at_b))
        return cls(np.zeros_like(unit), unit, near, (at_a, at_b))

    def of_rate(self, rate: int, many: int) -> np.ndarray:
        """(m, many): after the first `many` of the numbers of updates."""
        at_a, at_b = (place[:many] for place in self.place)
        rows = int(at_a.max(initial=0)) + 1
        far, left, near = self.far[rate, :, :rows], self.left[rate, :, :rows], self.near[rate]
        if far.shape[1] * near.shape[1] > 2 * many:
            return far[:, at_a] + left[:, at_a] * near[:, at_b]
        whole = left[:, :, None] * near[:, None]
        whole += far[:, :, None]
        whole, place = whole.reshape(len(far), -1), at_a * near.shape[1] + at_b
        first = int(place[0])
        in_order = np.array_equal(place, np.arange(first, first + many))
        return whole[:, first : first + many] if in_order else whole[:, place]
