"""Pieces of Huber's loss: on each, rows keep their sides, and F has its minimum in closed form.

The letters: sigma is the scale, delta = epsilon sigma the residual from which a row is an outlier,
H the mean x x' of the rows inside, Lambda the ridge. F of a piece bounds nothing beyond it, but has
the value and the gradient of F where we stand. So a step to its minimum goes downhill.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.objective.on_rows_clipped import Sums

# A sum of terms is rounded to so many eps of the largest of them
TERMS_ROUNDED_BY = 16
# A step changes the scale by this factor at most: further away the sides say little
SCALE_CHANGES = 8.0
# Rows that turn on the way make a step's scale smaller, by this factor at most
TURNING_LOWERS = 0.7


class Piece(NamedTuple):
    """Where we stand, for one target, in the coordinates that are free to move."""

    theta: np.ndarray  # (q,)
    delta: float
    sums: Sums  # `inner` and `outer` in these coordinates
    ridge: np.ndarray  # (q,): F has the sum of ridge theta^2
    # Solves (H + sigma Lambda) s = right for a scale sigma, for right (q, m), and for the root
    # mean square (m,) of the values of rows whose products with the columns are `right`
    solve: Callable[[float, np.ndarray, np.ndarray], np.ndarray]

    def spread(self, reach: float) -> np.ndarray:
        """(1,): the root mean square of the residuals, those of rows outside cut to `reach`."""
        return np.sqrt([self.sums.square + reach**2 * self.sums.outside])

    def square(self, step: np.ndarray, product: np.ndarray) -> float:
        """The mean r^2 of the rows inside, after a step s whose product with H is known."""
        sums = self.sums
        return max(sums.square - 2 * float(sums.inner @ step) + float(step @ product), 0.0)


class Move(NamedTuple):
    """The way to the minimum of a piece."""

    step: np.ndarray  # (q,)
    delta: float  # after it
    drop: float  # by how much F of the piece falls
    term: float = 0.0  # of a proximal term. Without one the step arrives, and gives a dual point


class Sizing(ABC):
    """How delta is found: given, or with a scale beside the coefficients."""

    @abstractmethod
    def first(self, root_mean_square: float) -> float:
        """Delta to begin with, where residuals are of this size."""

    @abstractmethod
    def value(self, outside: Any, square: Any, beyond: Any, delta: Any) -> Any:
        """F without its ridge, from what `Sums` says of the rows; for numbers or arrays."""

    @abstractmethod
    def slope(self, sums: Sums, delta: float) -> np.ndarray:
        """(p,): the gradient of F without its ridge."""

    @abstractmethod
    def move(self, piece: Piece) -> Move:
        """The step to the minimum of a piece."""

    @abstractmethod
    def gap(self, sums: Sums, delta: float, ridge: float) -> float:
        """How far F is above its minimum at most, after a move to the minimum of a piece.

        There the dual point of `Sums` is orthogonal to the columns. A multiple c of it keeps all
        bounds, and the terms of Fenchel and Young add up to the gap. `ridge` is that of F.
        """


@frozen
class FixedDelta(Sizing):
    """Delta as given."""

    delta: float

    def first(self, root_mean_square: float) -> float:
        return self.delta

    def value(self, outside: Any, square: Any, beyond: Any, delta: Any) -> Any:
        return square + delta * (2 * beyond - delta * outside)

    def slope(self, sums: Sums, delta: float) -> np.ndarray:
        return -2 * (sums.inner + delta * sums.outer)

    def move(self, piece: Piece) -> Move:
        sums, delta = piece.sums, piece.delta
        right = sums.inner + delta * sums.outer - piece.ridge * piece.theta
        step = piece.solve(1.0, right[:, None], piece.spread(delta))[:, 0]
        return Move(step, delta, float(right @ step))

    def gap(self, sums: Sums, delta: float, ridge: float) -> float:
        c = min(1.0, delta / sums.widest) if sums.widest > 0 else 1.0
        across, dual = 2 * (1 - c) * sums.across, (1 - c) * (1 + c) * sums.dual
        return _sum_at_most(sums.young, across, -dual, (1 - c) ** 2 * ridge)


@frozen
class JointScale(Sizing):
    """delta = epsilon sigma, where sigma minimises F together with the coefficients.

    F is the mean of sigma + H(r / sigma) sigma (Huber 1981, 7.7; Owen 2007), which is convex.
    """

    epsilon: float
    least: float  # sigma is no smaller: residuals of this size are rounding
    begins: float = 0.0  # and at first no smaller than this

    def first(self, root_mean_square: float) -> float:
        return self.epsilon * max(root_mean_square, self.least, self.begins)

    def value(self, outside: Any, square: Any, beyond: Any, delta: Any) -> Any:
        sigma = delta / self.epsilon
        return sigma + (square + delta * (2 * beyond - delta * outside)) / sigma

    def slope(self, sums: Sums, delta: float) -> np.ndarray:
        return -2 * (sums.inner + delta * sums.outer) * (self.epsilon / delta)

    def move(self, piece: Piece) -> Move:
        sums, before = piece.sums, piece.delta / self.epsilon
        share = 1 - self.epsilon**2 * sums.outside
        find = self._with_ridge if piece.ridge.any() else self._without_ridge
        sigma, step, square = find(piece, share, before)
        way = 2 * self.epsilon * float(sums.outer @ step)
        bent = piece.ridge @ (piece.theta**2 - (piece.theta + step) ** 2)
        now = before * share + sums.square / before
        drop = now - sigma * share - square / sigma + way + float(bent)
        # Where sigma had to stop, the step still gives a dual point, because any sigma does
        return Move(step, self.epsilon * sigma, drop)

    def _without_ridge(self, piece: Piece, share: float, before: float):
        """Sigma, the step and the mean square after it. The step is a + sigma c."""
        sums = piece.sums
        right = np.column_stack([sums.inner, self.epsilon * sums.outer])
        spread = np.sqrt([sums.square, self.epsilon**2 * sums.outside])
        a, c = piece.solve(0.0, right, spread).T
        along = float(sums.inner @ a)
        least = max(sums.square - along, 0.0)
        bend = self.epsilon * float(sums.outer @ c)
        rest = share - bend
        sigma = math.sqrt(least / rest) if rest > least / (SCALE_CHANGES * before) ** 2 else np.inf
        across = 2 * self.epsilon * float(sums.outer @ a)

        def slope(scale: float) -> float:
            moved = along + scale * (across + scale * bend)
            return rest - least / scale**2 + self._turning(piece, scale - before, moved) / scale

        sigma = self._clipped(sigma, before)
        low = TURNING_LOWERS * sigma
        if slope(sigma) > 0 > slope(low):
            sigma = float(brentq(slope, low, sigma, rtol=4 * EPS))
        return sigma, a + sigma * c, least + sigma**2 * bend

    def _turning(self, piece: Piece, change: float, moved: float) -> float:
        """What rows that turn on the way add to the slope of F along sigma, times sigma.

        The piece leaves it out, and so its minimum has too large a scale. Let delta rise by v, and
        let a row u beyond it come w nearer. If it turns, F exceeds its piece by
        (v + w - u)^2 / sigma. The u lie as densely as just below delta, on both sides of it, and
        the mean square of w is `moved` over the share of the rows inside. With w of mean zero the
        sum over the rows is (v^3 + 3 v w^2) density / (3 sigma), beside terms without v.

        Where no row is likely to turn, the minimum of the piece is that of F, and a certificate.
        """
        sums, v = piece.sums, self.epsilon * change
        square = v**2 + max(moved, 0.0) / max(1 - sums.outside, EPS)
        if sums.density * sums.rows * math.sqrt(square) < 1:
            return 0.0
        return self.epsilon * sums.density * square

    def _with_ridge(self, piece: Piece, share: float, before: float):
        """The same where the step depends on sigma in no simple way."""
        sums = piece.sums

        def at(sigma: float) -> tuple[np.ndarray, float]:
            held = self.epsilon * sums.outer - piece.ridge * piece.theta
            right = sums.inner + sigma * held
            spread = piece.spread(sigma * self.epsilon)
            step = piece.solve(sigma, right[:, None], spread)[:, 0]
            product = right - sigma * piece.ridge * step
            return step, piece.square(step, product)

        def slope(sigma: float) -> float:
            """That of F along sigma, with the best step for each: it does not fall."""
            return share - at(sigma)[1] / sigma**2

        low, high = self._clipped(0.0, before), self._clipped(np.inf, before)
        if slope(low) >= 0:
            sigma = low
        elif slope(high) <= 0:
            sigma = high
        else:
            sigma = float(brentq(slope, low, high, rtol=4 * EPS, xtol=EPS * low))
        return sigma, *at(sigma)

    def _clipped(self, sigma: float, before: float) -> float:
        return max(min(sigma, SCALE_CHANGES * before), before / SCALE_CHANGES, self.least)

    def gap(self, sums: Sums, delta: float, ridge: float) -> float:
        sigma = delta / self.epsilon
        c = min(1.0, delta / sums.widest) if sums.widest > 0 else 1.0
        c = min(c, sigma / math.sqrt(sums.dual)) if sums.dual > 0 else c
        rest = sums.young, -sums.dual, 2 * (1 - c) * sums.across
        return _sum_at_most(sigma, *(part / sigma for part in rest), (1 - c) ** 2 * ridge)


def _sum_at_most(*terms: float) -> float:
    """The sum, and what rounding may have taken from it.

    After a step far beyond the minimum the terms of a gap are large, and almost cancel.
    """
    return sum(terms) + TERMS_ROUNDED_BY * EPS * sum(abs(term) for term in terms)
