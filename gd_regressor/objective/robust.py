"""The losses of a row beside the square: Huber's and its smooth one, quantiles, epsilons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.descent.rho import Curved, Kink, Lines, Rho

# Of Huber's loss with a scale, as HuberRegressor's: on normal errors it has 95 % of the efficiency
# of least squares
EPSILON = 1.35
# Of the interval that has the best scale. F is flat there, and so has twice as many digits
SCALE_HALVINGS = 30
# By how much delta falls from one descent to the next, on the way to a small one
STAGES_APART = 2.0
# So many deltas away the slope of the smooth loss is its limit, but for a share of 5e-13. Further
# away F has more rounding than that
DELTAS_TO_FLAT = 1e6


@frozen
class Huber(Rho):
    """r^2 for |r| <= delta, and beyond its tangent 2 delta |r| - delta^2 (Huber 1964)."""

    delta: float

    name, factor, power, smooth, scaled, rung = "huber", 2.0, 2, True, False, "huber"

    def value(self, r: np.ndarray) -> np.ndarray:
        size = np.abs(r)
        near = np.minimum(size, self.delta)
        return near * (2 * size - near)

    def slope(self, r: np.ndarray) -> np.ndarray:
        return 2 * np.clip(r, -self.delta, self.delta)


@frozen
class ScaledHuber(Rho):
    """sigma + sigma H(r / sigma), where H is Huber's loss for `epsilon` and sigma the scale.

    F is convex in the coefficients and sigma together (Owen 2007). "auto" finds both.
    """

    epsilon: float
    sigma: Any = 1.0  # a number, or an array (t,) with one for each target

    name, factor, power, smooth, scaled, rung = "huber", 2.0, 1, False, True, "scaled huber"

    def value(self, r: np.ndarray) -> np.ndarray:
        return self.sigma + Huber(self.epsilon * self.sigma).value(r) / self.sigma

    def slope(self, r: np.ndarray) -> np.ndarray:
        return Huber(self.epsilon * self.sigma).slope(r) / self.sigma

    def least(self, mean: Callable[[Callable[[np.ndarray], np.ndarray]], Any]) -> Any:
        """F at the scale that makes it least, from the `mean` (t,) of any function of residuals.

        Its slope by sigma is 1 - mean(min(|r| / sigma, epsilon)^2). It grows with sigma, and is not
        below zero at the root mean square.
        """
        spread = np.sqrt(mean(np.square))
        high = np.where(spread > 0, spread, 1.0)
        low = np.zeros_like(high)
        for _ in range(SCALE_HALVINGS):
            sigma = (low + high) / 2
            pull = mean(lambda r, sigma=sigma: np.minimum(np.abs(r) / sigma, self.epsilon) ** 2)
            low, high = np.where(pull > 1, sigma, low), np.where(pull > 1, high, sigma)
        return np.where(spread > 0, mean(ScaledHuber(self.epsilon, high).value), 0.0)


@frozen
class PseudoHuber(Curved):
    """2 delta^2 (root(1 + (r / delta)^2) - 1), a smooth relative of Huber's loss."""

    delta: float

    name, factor, power, smooth, scaled, rung = "pseudo_huber", 2.0, 2, True, False, "curved"

    @property
    def flat_from(self) -> float:
        # Psi is 2 delta / root(1 + (delta / r)^2)
        return self.delta * DELTAS_TO_FLAT

    @property
    def far_slope(self) -> float:
        return 2 * self.delta

    def value(self, r: np.ndarray) -> np.ndarray:
        # root(1 + x^2) - 1 would cancel for small x
        return 2 * r * (r / (1 + np.hypot(1.0, r / self.delta)))

    def slope(self, r: np.ndarray) -> np.ndarray:
        return 2 * r / np.hypot(1.0, r / self.delta)

    def curvature(self, r: np.ndarray) -> np.ndarray:
        return 2 / np.hypot(1.0, r / self.delta) ** 3

    def young(self, r: np.ndarray, h: np.ndarray) -> np.ndarray:
        # With r / delta = tan a and h / (2 delta) = sin b it is 2 delta^2 times
        # (sin b - sin a) sin(b - a) / (cos a (cos a + cos b)), which has no difference of large
        # numbers
        root, sine = np.hypot(1.0, r / self.delta), h / (2 * self.delta)
        cosine = np.sqrt(np.maximum((1 - sine) * (1 + sine), 0.0))
        other = r / self.delta / root
        turned = sine / root - other * cosine
        excess = 2 * self.delta**2 * (sine - other) * turned * root / (1 / root + cosine)
        return np.where(np.abs(sine) <= 1, np.maximum(excess, 0.0), np.inf)

    def stages(self, size: float) -> tuple[PseudoHuber, ...]:
        # With a delta far below the residuals F is nearly flat around them. So delta falls
        deltas, delta = [], self.delta * STAGES_APART
        while delta < size:
            deltas.append(delta)
            delta *= STAGES_APART
        return tuple(PseudoHuber(delta) for delta in reversed(deltas))


@frozen
class Quantile(Lines):
    """q r above zero, (q - 1) r below: the minimum is at the q-quantile (Koenker 1978)."""

    q: Any  # a number, or an array (t,) with one for each target

    name, factor, power, smooth, scaled, rung = "quantile", 1.0, 1, False, False, "pinball"

    def kinks_of(self, target: int) -> tuple[Kink, ...]:
        q = float(self.q[target] if np.ndim(self.q) else self.q)
        return (Kink(0.0, q - 1, q),)

    def value(self, r: np.ndarray) -> np.ndarray:
        return np.maximum(self.q * r, (self.q - 1) * r)

    def slope(self, r: np.ndarray) -> np.ndarray:
        return np.where(r > 0, self.q, np.where(r < 0, self.q - 1, 0.0))


@frozen
class EpsilonInsensitive(Lines):
    """max(|r| - epsilon, 0): what is within epsilon costs nothing (Vapnik 1995)."""

    epsilon: float

    name, factor, power, smooth, scaled = "epsilon_insensitive", 1.0, 1, False, False
    rung = "pinball"

    def kinks_of(self, target: int) -> tuple[Kink, ...]:
        if self.epsilon == 0:
            return (Kink(0.0, -1.0, 1.0),)
        return Kink(self.epsilon, 0.0, 1.0), Kink(-self.epsilon, -1.0, 0.0)

    def value(self, r: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(r) - self.epsilon, 0.0)

    def slope(self, r: np.ndarray) -> np.ndarray:
        return np.where(np.abs(r) > self.epsilon, np.sign(r), 0.0)


@frozen
class SquaredEpsilonInsensitive(Curved):
    """max(|r| - epsilon, 0)^2: the square of that."""

    epsilon: float

    # scikit-learn has no half in this loss, though it has one in its squared loss
    name, factor, power, smooth = "squared_epsilon_insensitive", 1.0, 2, True
    scaled, rung = False, "curved"

    @property
    def flat_from(self) -> float:
        return np.inf

    @property
    def far_slope(self) -> float:
        return 0.0

    def value(self, r: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(r) - self.epsilon, 0.0) ** 2

    def slope(self, r: np.ndarray) -> np.ndarray:
        return 2 * (r - np.clip(r, -self.epsilon, self.epsilon))

    def curvature(self, r: np.ndarray) -> np.ndarray:
        return np.where(np.abs(r) > self.epsilon, 2.0, 0.0)

    def young(self, r: np.ndarray, h: np.ndarray) -> np.ndarray:
        size = np.abs(h)
        beyond = np.where(h < 0, -r, r) - self.epsilon  # on the side of h
        apart = (size / 2) ** 2 + size * np.abs(beyond) + self.value(r)
        excess = np.where(beyond >= 0, (size / 2 - beyond) ** 2, apart)
        return np.where(h == 0, self.value(r), excess)

    def stages(self, size: float) -> tuple[SquaredEpsilonInsensitive, ...]:
        return ()
