"""The nouns of a descent: what each of them promises, whoever keeps the promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from gd_regressor.arithmetic.doubled import Point
from gd_regressor.descent.records import Iterate, Records, Status

# The next point, its loss and gradient, and the state of the step
Next = tuple[Point, np.ndarray, np.ndarray, Any]


class Loss(ABC):
    """F, one value for each of t targets, at points of p parameters."""

    doubled: bool  # whether its points are those of twice the working precision
    sharp: bool = False  # whether gradients at points of working precision show their rounding

    @abstractmethod
    def lift(self, theta: np.ndarray) -> Point:
        """The point (p, t) in the precision that this loss is evaluated in."""

    @abstractmethod
    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""


class Quadratic(Loss):
    """A loss with a constant Hessian. Conjugate steps and closed forms take no other."""

    @abstractmethod
    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""


class Metric(ABC):
    """P, the symmetric matrix that turns a gradient into a direction."""

    source: str  # what it was made from: the estimator's `metric_`
    steepness: float  # the largest eigenvalue of P H, as far as it is known

    @abstractmethod
    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """P times a gradient (p, t)."""

    @abstractmethod
    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The point (p, t) that a descent from `theta` may set out from."""


class Problem(ABC):
    """What is minimised, and the directions in which: chosen once, before the loop."""

    @abstractmethod
    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t)."""

    @abstractmethod
    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """The direction (p, t) for a gradient (p, t)."""

    @abstractmethod
    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""

    @abstractmethod
    def gap(self, here: Iterate) -> np.ndarray:
        """(t,): how far F is above its minimum, at least."""


class Step(ABC):
    """How a direction becomes the next point. A step never changes; its state is a value."""

    @abstractmethod
    def start(self, theta: Point) -> Any:
        """The state before the first update."""

    @abstractmethod
    def next(self, state: Any, here: Iterate, problem: Problem) -> Next:
        """The point after `here`, what the problem is there, and the state after this update."""


class Rule(ABC):
    """One reason to end a run."""

    status: Status  # of a run that this rule ends

    @abstractmethod
    def start(self, records: Records) -> Any:
        """The state before the first update, from the record of the start."""

    @abstractmethod
    def look(self, records: Records, state: Any) -> tuple[np.ndarray, Any]:
        """Which of these updates (m,) end the run, and the state after the last of them."""

    def kept(self, k: int, state: Any) -> int:
        """The update to keep, of a run that this rule ends at update `k`: that one."""
        return k


class Observer(ABC):
    """Whoever watches a run: it sees the updates that were made, and may end it."""

    stride: int  # how many updates may pass before it has to see them

    @abstractmethod
    def see(self, k: int, records: Records, point: Callable[[], Point]) -> bool:
        """Look at the updates from the `k`-th on; True ends the run at the last of them.

        `point` gives the parameters there, for the price of asking.
        """


class Path(ABC):
    """All iterates of one descent, made by walking or known in closed form."""

    gap_is_exact: bool = False  # whether the gaps are the distances from the minimum, or below them

    @property
    def stride(self) -> int:
        """How many updates a run may look at in one go."""
        return 1

    @abstractmethod
    def at(self, k: int) -> Point:
        """The (p, t) parameters after `k` updates."""

    @abstractmethod
    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Parameters (m, p, t) and losses (m, t) after each of `ks` (m,) updates."""

    @abstractmethod
    def records(self, first: int, last: int) -> Records:
        """What is known of the iterates `first` to `last`, both included."""

    def losses(self, first: int, last: int) -> np.ndarray:
        """F after `first` to `last` updates (both included), one column per target."""
        return self.records(first, last).losses
