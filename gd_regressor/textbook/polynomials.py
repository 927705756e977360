"""What k updates with a constant step leave of the error along each direction, in closed form.

On a quadratic, k updates are a polynomial of degree k in the Hessian. Along an eigenvector with
eigenvalue lambda the error after k updates is p_k(h) times that at the start, h = rate * lambda:

    p_0 = 1,  p_1 = 1 - h,  p_{k+1} = (1 + mu - h) p_k - mu p_{k-1},

so p_k = (1 - h)^k without momentum. What is computed here is never p_k - 1 or a difference of
losses but the sums and products below, which lose nothing to cancellation:

    D_k = (r1^k - r2^k) / (r1 - r2)         r1, r2 the roots of r^2 - (1 + mu - h) r + mu
    p_{k-1} - p_k = h D_k                   one update
    q_k = (1 - p_k) / h = D_1 + ... + D_k   all updates (k itself where h = 0)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR

Complex = NDArray[np.complexfloating[Any, Any]]


class Shrinking(ABC):
    """p, D, q for some h >= 0 at any k >= 0 (floats); all arrays broadcast."""

    @abstractmethod
    def left(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """p_k and D_k."""

    @abstractmethod
    def total(self, k: np.ndarray) -> np.ndarray:
        """q_k."""

    @abstractmethod
    def envelope(self, k: np.ndarray) -> np.ndarray:
        """What bounds |p_j| for all j >= k, and falls with k, where h < 2 (1 + mu)."""

    @abstractmethod
    def highest(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """What bounds |p_k| for all first <= k <= last, where h < 2 (1 + mu)."""


def shrinking(h: np.ndarray, momentum: Any) -> Shrinking:
    """For momenta that are all zero, or of which none is."""
    return HeavyBall(h, momentum) if np.any(momentum) else Plain(h)


@dataclass(frozen=True)
class Plain(Shrinking):
    """Without momentum: one root, 1 - h."""

    h: np.ndarray

    def left(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d = np.where(k == 0, 0.0, _power(*self._root, k - 1))
        return np.where(k == 0, 1.0, (1 - self.h) * d), d

    def total(self, k: np.ndarray) -> np.ndarray:
        h, (sign, log) = self.h, self._root
        with np.errstate(invalid="ignore"):  # 0 times the logarithm of 0
            gone = np.where(sign > 0, -np.expm1(k * log), 1 - _power(sign, log, k))
        return np.where(k == 0, 0.0, np.where(h == 0, k, gone / np.where(h == 0, 1, h)))

    def envelope(self, k: np.ndarray) -> np.ndarray:
        return np.abs(self.left(k)[0])

    def highest(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return self.envelope(first)

    @cached_property
    def _root(self) -> tuple[np.ndarray, np.ndarray]:
        # log1p keeps k h to an eps where the power of a rounded 1 - h has k eps
        h = self.h
        with np.errstate(divide="ignore"):
            log = np.where(h < 1, np.log1p(-np.minimum(h, 1)), np.log(np.abs(h - 1)))
        return np.where(h > 1, -1.0, 1.0), log


@dataclass(frozen=True)
class HeavyBall(Shrinking):
    """With momentum: two roots, r = 1 - t, with t^2 - s t + h = 0 and r1 r2 = mu."""

    h: np.ndarray
    momentum: Any

    def left(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d = self._difference(k)
        return (_power(self._sign, self._log, k) + self._t * self._other * d).real, d

    def total(self, k: np.ndarray) -> np.ndarray:
        h, mu, log = self.h, self.momentum, self._log
        p, d = self.left(k)
        # Where h = 0 nothing moves, and q is the sum of D_k = (1 - mu^k) / (1 - mu)
        still = k / (1 - mu) + mu * np.expm1(k * np.log(mu)) / (1 - mu) ** 2
        beyond, moving = self._sign < 0, np.where(h == 0, 1, h)
        slow = (-np.expm1(np.where(beyond, 0, k * log)) - self._t * self._other * d).real / moving
        return np.where(h == 0, still, np.where(beyond, (1 - p) / moving, slow))

    def envelope(self, k: np.ndarray) -> np.ndarray:
        """Where both roots are in (0, 1), p_k itself: it falls. Else the smaller of two bounds.

            |t2 r1^(k+1) - t1 r2^(k+1)| / |r1 - r2| = |p_k| <= |r1|^k (|r1| + |t1| (k + 1))

        The sum of the two terms' sizes is near |p_k| where the roots are apart. The other bound is
        for roots that nearly coincide; it counts from its peak on.
        """
        first, second, t = 1 - self._t, self._other, self._t
        decay, apart = self._log.real, np.abs(first - second)
        terms = np.abs(1 - second) * np.abs(first) * np.exp(k * decay)
        terms = terms + np.abs(t * second) * np.exp(k * (np.log(self.momentum) - decay))
        terms = np.where(apart == 0, np.inf, terms / np.where(apart == 0, 1, apart))
        with np.errstate(divide="ignore"):
            peak = -1 / decay - np.abs(first) / np.abs(np.where(t == 0, 1, t))
        late = np.maximum(k + 1, peak)
        near = np.exp((late - 1) * decay) * (np.abs(first) + np.abs(t) * late)
        bound = np.minimum(terms, near)
        falls = np.broadcast_to((t.imag == 0) & (self._sign > 0), bound.shape)
        if falls.any():
            bound[falls] = self._falling(falls, k)
        return bound

    def highest(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """The envelope, or what a swing between two conjugate roots reaches in that time.

            |p_k| = |t| |r|^(k+1) |sin((k + 1) angle + arg t)| / |Im r|

        It is the sine that tells the valleys of a slow swing from its crests.
        """
        t, log = self._t, self._log
        angle, width = np.abs(log.imag), np.abs(t.imag)
        # Left of zero r^k = (-1)^k (-r)^k, and the angle is that of -r
        shift = self._sign * np.abs(np.angle(t))
        phases = [(k + 1) * angle + shift for k in (first, last)]
        crests = [np.floor(phase / np.pi - 0.5) for phase in phases]
        ends = np.maximum(*(np.abs(np.sin(phase)) for phase in phases))
        sines = np.where(crests[1] > crests[0], 1.0, ends)
        size = np.abs(t) * np.exp((first + 1) * log.real) / np.where(width > 0, width, 1)
        bound = np.where(width > 0, size * sines, np.inf)
        return np.minimum(bound, self.envelope(first))

    def _falling(self, falls: np.ndarray, k: np.ndarray) -> np.ndarray:
        """p_k where both roots are in (0, 1)."""
        shape = falls.shape
        h, mu, k = (np.broadcast_to(a, shape)[falls] for a in (self.h, self.momentum, k))
        return np.abs(HeavyBall(h, mu).left(k)[0])

    def _difference(self, k: np.ndarray) -> np.ndarray:
        """D_k."""
        gap = self._gap
        same = gap == 0
        ratio: Complex
        ratio = np.where(same, k, np.expm1(k * gap) / np.where(same, 1, np.expm1(gap)))
        return (_power(self._sign, self._log, k - 1) * ratio).real

    @cached_property
    def _larger(self) -> tuple[np.ndarray, Complex]:
        """The sign of the root of larger modulus, r1, where it is real, and t = 1 - r1."""
        # The discriminant as a product: at the textbooks' optimal momentum a factor is exactly zero
        h, mu = self.h, self.momentum
        s, above = 1 - mu + h, 1 + np.sqrt(mu)
        below = (1 - mu) / above  # 1 - sqrt(mu)
        half_width = np.sqrt(np.abs(below**2 - h)) * np.sqrt(np.abs(above**2 - h)) + 0j
        half_width *= np.where((below**2 < h) & (h < above**2), 1j, 1)
        larger = (s + half_width) / 2
        turned = half_width.imag != 0
        smaller = np.where(turned, larger.conj(), h / np.where(larger == 0, 1, larger))
        # Beyond the middle both roots lie left of zero: r^k = (-1)^k (-r)^k, and -r is near 1
        beyond = s > 2
        return np.where(beyond, -1.0, 1.0), np.where(beyond, larger, smaller)

    @property
    def _sign(self) -> np.ndarray:
        return self._larger[0]

    @property
    def _t(self) -> Complex:
        return self._larger[1]

    @cached_property
    def _log(self) -> Complex:
        """The logarithm of r1, or of -r1 where that is its side of zero."""
        # Near 1 the modulus needs log1p; elsewhere it would cancel (t near 1) or overflow
        sign, t = self._larger
        distance = np.abs(t - 1)
        near = np.where((t.imag == 0) & (distance > 0.5) & (distance < 2), t.real, 0)
        far = np.log(np.maximum(distance, SMALLEST_DIVISOR))
        size = np.where(near != 0, 0.5 * np.log1p(near * (near - 2)), far)
        # Conjugate roots have |r|^2 = mu
        size = np.where(t.imag == 0, size, np.log(self.momentum) / 2)
        return size + 1j * np.angle(sign * (1 - t))

    @cached_property
    def _gap(self) -> Complex:
        """The logarithm of r2 / r1, its real part <= 0."""
        gap = np.log(self.momentum) - 2 * self._log
        return np.minimum(gap.real, 0) + 1j * gap.imag

    @cached_property
    def _other(self) -> Complex:
        """The second root, r2."""
        return self.momentum / (1 - self._t)


def _power(sign: np.ndarray, log: Any, k: np.ndarray) -> Any:
    with np.errstate(invalid="ignore"):  # 0 times the logarithm of 0
        power = np.exp(k * log)
    if (sign < 0).any():
        power *= np.where(sign < 0, 1 - 2 * (k % 2), 1.0)
    return np.where(k == 0, 1.0, power)
