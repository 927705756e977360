"""Learning-rate rules and momentum: how a direction becomes a step."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import numpy as np

from gd_regressor.doubled import Point


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

    def next(
        self, state: np.ndarray, theta: Point, direction: np.ndarray
    ) -> tuple[Point, np.ndarray]:
        step = self.momentum * state - self.rate * direction
        return theta + step, step

    def stability_limit(self, largest_curvature: float) -> float:
        """The rate from which some direction no longer shrinks: 2 (1 + momentum) / L."""
        if largest_curvature == 0:  # all columns are zero: nothing moves at any rate
            return np.inf
        return float(2 * (1 + self.momentum) / largest_curvature)


def check_learning_rate(value, *, words: tuple[str, ...] = ()) -> None:
    """Refuse what is neither a finite number > 0 nor one of `words`."""
    if isinstance(value, str) and value in words:
        return
    if not (is_real(value) and 0 < value <= 1e300):  # twice of it times a column must be finite
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
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
