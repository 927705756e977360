"""Learning-rate rules and momentum: how a direction becomes a step."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Point
from gd_regressor.descent.records import Iterate

# A slope below this share of that of the last gradient from the rows asks for another one
WORN = 1e-12
# The next point, its loss and gradient, and the state of the rule
Next = tuple[Point, np.ndarray, np.ndarray, Any]


@dataclass(frozen=True)
class ConstantStep:
    """theta_{k+1} = theta_k - rate * direction_k + momentum * (theta_k - theta_{k-1}).

    The heavy ball of Polyak (1964); plain gradient descent with momentum 0. The rule itself never
    changes; its state is the last step taken.
    """

    rate: float
    momentum: float = 0.0

    def start(self, theta: Point) -> np.ndarray:
        return np.zeros(theta.shape)

    def next(self, state: np.ndarray, here: Iterate, loss) -> Next:
        step = self.momentum * state - self.rate * here.direction
        theta = here.theta + step
        return theta, *loss.value_and_gradient(theta), step

    def stability_limit(self, largest_curvature: float) -> float:
        """The rate from which some direction no longer shrinks: 2 (1 + momentum) / L."""
        if largest_curvature == 0:  # all columns are zero: nothing moves at any rate
            return np.inf
        return float(2 * (1 + self.momentum) / largest_curvature)


@dataclass(frozen=True)
class ConjugateStep:
    """A leap to `first`, then the exact steps along conjugate directions.

    The method of Hestenes and Stiefel (1952): where the eigenvalues of P H lie between a and b,
    two steps lower the distance from the minimum at least by ((sqrt(b) - sqrt(a)) / (sqrt(b) +
    sqrt(a)))^4. On a quadratic the loss and gradient of the next point follow from the Hessian's
    product with the direction, so that a step costs one pass too. The state is the last direction,
    the slope <g, Pg> there, and of where the gradient was last computed from the rows the slope
    times WORN and the loss. What follows from each other keeps the rounding of where it began: so
    it begins where residuals are of the size of y, wherever the descent is started, and anew where
    the slope is WORN (van der Vorst and Ye 2000). It ends where nothing but rounding is left of a
    gradient: that may lead where the loss has no curvature.
    """

    first: np.ndarray | None = None  # (p, t); None is zero

    def start(self, theta: np.ndarray) -> None:
        return None

    def next(self, state, here: Iterate, loss) -> Next:
        if state is None:
            state = np.zeros(here.theta.shape), np.full(here.theta.shape[1], np.inf), None
            first = state[0] if self.first is None else self.first
            if first.any() or here.theta.any():
                return first, *loss.value_and_gradient(first), state
        last, last_slope, since = state
        slope = here.slope
        if since is None:  # where rounding shows, start anew: another gradient would show it again
            shows = slope > last_slope
            last_slope = np.where(shows, np.inf, last_slope)
            since = np.where(shows, 0.0, WORN * slope), here.loss
        worn, loss_then = since
        moving = slope > (4 * EPS) ** 2 * len(here.theta) * loss_then
        if not moving.any():
            if (worn > 0).any():  # but not before a last gradient from the rows has been seen
                value, gradient = loss.value_and_gradient(here.theta)
                anew = last, np.full_like(slope, np.inf), (0 * worn, value)
                return here.theta, value, gradient, anew
            return here.theta, here.loss, here.gradient, (last, last_slope, since)
        direction = here.direction + quotient(slope, last_slope) * last
        product = loss.hessian_product(direction)
        rate = moving * quotient(slope, np.vecdot(direction, product, axis=0))
        theta = here.theta - rate * direction
        if (slope < worn).any():
            return theta, *loss.value_and_gradient(theta), (direction, slope, None)
        value = np.maximum(here.loss - rate * slope / 2, 0.0)
        return theta, value, here.gradient - rate * product, (direction, slope, since)


def quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The quotient, and 0 where nothing is left to divide by."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def check_learning_rate(value, *, words: tuple[str, ...] = ()) -> None:
    """Refuse what is neither a finite number > 0 nor one of `words`."""
    if isinstance(value, str) and value in words:
        return
    if not (
        is_real(value) and 0 < float(value) <= 1e300
    ):  # twice of it times a column must be finite
        choices = "".join(f' or "{word}"' for word in words)
        raise ValueError(f"learning_rate must be a finite number > 0{choices}, got {value!r}.")


def check_momentum(value) -> None:
    """Refuse what is not a number in [0, 1)."""
    if not (is_real(value) and 0 <= value < 1):
        raise ValueError(f"momentum must be a number in [0, 1), got {value!r}.")


def check_bool(name: str, value) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {value!r}.")


def is_real(value) -> bool:
    """Whether a value is a real number; True and False are not."""
    # Asking an abstract class takes as long as a product of small matrices
    known = isinstance(value, (float, int, numbers.Real))
    return known and not isinstance(value, (bool, np.bool_))
