"""The nouns of a descent, as abstract classes: what each of them promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import Point
from gd_regressor.arithmetic.ranges import LARGEST_FACTOR
from gd_regressor.descent.records import Bound, Iterate, Records, Status

# The next point, its loss, its gradient, and the next state of the step
Next = tuple[Point, np.ndarray, np.ndarray, Any]


class Loss(ABC):
    """F: one value for each of t targets, at a point (p, t) of p parameters for each target."""

    doubled: bool  # whether its points are in twice the working precision
    # Whether its gradients are so exact that they show the rounding of points in working precision
    sharp: bool = False

    @abstractmethod
    def lift(self, theta: np.ndarray) -> Point:
        """Convert the point (p, t) to the precision of this loss."""

    @abstractmethod
    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""


class Quadratic(Loss):
    """A loss with a constant Hessian. Conjugate steps and closed forms need one."""

    @abstractmethod
    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""


class Penalty(ABC):
    """A convex function of each coefficient that F adds to the loss, one value per target."""

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """The number of coefficients d. An intercept behind them has no penalty."""

    @abstractmethod
    def value(self, w: np.ndarray) -> np.ndarray:
        """(t,): what F adds to the loss at coefficients (d, t)."""

    @abstractmethod
    def decrease(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """(t,): value(before) - value(after), as exact as the difference of the points (d, t)."""

    @abstractmethod
    def prox(self, v: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """(d, t): the minimiser x of (x - v)^2 / (2 step) + value(x), coordinate by coordinate.

        A step may be one number or one per column, (d, 1).
        """

    @abstractmethod
    def dual_gap(
        self, w: np.ndarray, v: np.ndarray, square: np.ndarray, gram: np.ndarray | None = None
    ) -> np.ndarray:
        """(t,): at most so far is half of F above its minimum.

        `v` (d, t) are the mean products of the columns and the residuals at `w` (d, t), with the
        best intercept, and `square` (t,) is the mean square of these residuals. Columns without a
        penalty need the mean products `gram` (d, d) of the columns for a bound of any use.
        """


class Metric(ABC):
    """P, the symmetric matrix that turns a gradient into a direction."""

    source: str  # what P was made from: the value of the estimator's `metric_`
    # An eigenvalue of P H, as far as it is known: the largest, or for a bound from above the least
    steepness: float
    gap_is: Bound  # what <g, Pg> / (2 steepness) is of the distance from the minimum

    @abstractmethod
    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """P times a gradient (p, t)."""

    @abstractmethod
    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The point (p, t) nearest to `theta` from which a descent finds the right minimiser."""


class Problem(ABC):
    """What a descent minimises, and its directions: we choose both once, before the loop."""

    @property
    @abstractmethod
    def gap_is(self) -> Bound:
        """What `gap` is of the distance from the minimum."""

    @abstractmethod
    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and the gradient (p, t) of its smooth part."""

    @abstractmethod
    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """The direction (p, t) for a gradient (p, t); a step subtracts a multiple of it."""

    @abstractmethod
    def decrease(self, before: Iterate, here: Iterate) -> np.ndarray:
        """(t,): F before less F here, free of the rounding of F."""

    @abstractmethod
    def gap(self, here: Iterate) -> np.ndarray:
        """(t,): how far F is above its minimum, in the sense of `gap_is`."""


class ByValues(Problem):
    """A problem of which no more is known at a point than F and its gradient.

    The direction is the gradient. A decrease is the difference of two losses, so it has their
    rounding, some eps of F.
    """

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        return gradient

    def decrease(self, before: Iterate, here: Iterate) -> np.ndarray:
        return before.loss - here.loss


class QuadraticProblem(Problem):
    """A problem whose Hessian is constant. Conjugate steps need one."""

    @abstractmethod
    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""


class Step(ABC):
    """How a direction becomes the next point. A step is immutable: the loop carries its state."""

    @abstractmethod
    def start(self, theta: Point) -> Any:
        """The state before the first update."""

    @abstractmethod
    def next(self, state: Any, here: Iterate, problem: Problem) -> Next:
        """The point after `here`, its loss and gradient, and the state after this update."""


class Schedule(ABC):
    """Learning rates, one for each update. A schedule is immutable: the step carries its state."""

    @abstractmethod
    def start(self) -> Any:
        """The state before the first loss is known."""

    @abstractmethod
    def seen(self, state: Any, loss: np.ndarray) -> Any:
        """The state once F (t,) is known at the start of an epoch."""

    @abstractmethod
    def rate(self, update: int, epoch: int, state: Any) -> float | np.ndarray:
        """The rate of an update in an epoch, both counted from 1: one, or one per target (t,).

        Where an update takes all rows, an epoch is an update.
        """

    @property
    @abstractmethod
    def final_rate(self) -> float:
        """What the rates come to in the end."""


class Momentum(ABC):
    """How an update keeps some of the update before. Immutable: the step carries the velocity."""

    share: float  # what is kept, in [0, 1)

    @abstractmethod
    def moved(self, push: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The move (p, t) of a point, and the next velocity. It may change `push`.

        The push is what the point would move by without momentum.
        """

    @property
    @abstractmethod
    def foresight(self) -> float:
        """How much of the velocity lies before the point where a proximal step takes its gradient.

        Zero takes it at the point itself.
        """

    @abstractmethod
    def limit(self, largest_curvature: float) -> float:
        """The rate from which on the error along some direction never shrinks."""

    @abstractmethod
    def bound(self, largest_curvature: float) -> float:
        """A rate below which the descent converges on any convex loss whose curvature is so large.

        It may converge at larger rates, too.
        """


class Limits(NamedTuple):
    """What the parameter of a schedule or of a momentum is, and what it may be."""

    value: Any
    least: float = 0.0
    is_open: bool = True  # whether it must be above `least`, or may be equal
    most: float = LARGEST_FACTOR
    most_is: str = ""  # what that number is, in words before it
    ends_before: bool = False  # whether it must be below `most`
    is_whole: bool = False


class Recipe(ABC):
    """A schedule or a momentum as the user asks for it: parameters as given, not yet checked."""

    @property
    @abstractmethod
    def parts(self) -> dict[str, Limits]:
        """Its parameters by name."""


class ScheduleRecipe(Recipe):
    """One of a schedule."""

    @property
    @abstractmethod
    def made(self) -> Schedule:
        """The schedule, of parameters that were checked."""


class MomentumRecipe(Recipe):
    """One of a momentum."""

    @property
    @abstractmethod
    def made(self) -> Momentum:
        """The momentum, of parameters that were checked."""


class Batches(ABC):
    """The rows in batches, as the gradients of F that they give."""

    @abstractmethod
    def gradients(self, epoch: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        """For each batch of an epoch, counted from 1, its gradient (p, t) at a point (p, t).

        Over all batches its mean is the gradient of F, and an epoch has the same batches each time.
        """


class Rule(ABC):
    """One reason to end a run."""

    status: Status  # of a run that this rule ends

    @abstractmethod
    def start(self, records: Records) -> Any:
        """The state before the first update, from the record of the starting point."""

    @abstractmethod
    def look(self, records: Records, state: Any) -> tuple[np.ndarray, Any]:
        """(m,): whether each of these updates ends the run; and the state after the last one."""

    def kept(self, k: int, state: Any) -> int:
        """The update whose iterate we keep if this rule ends the run at update `k`."""
        return k


class Observer(ABC):
    """A watcher of a run: it sees the updates, and may end the run."""

    stride: int  # the most updates that it lets pass between two calls of `see`

    @abstractmethod
    def see(self, k: int, records: Records, path: Path) -> bool:
        """Look at the updates from the `k`-th on; True ends the run at the last of them.

        The path gives points and gradients, in raw coordinates. A walk stands at the last update,
        and has those of this update at hand. Those of earlier updates cost a walk from the start.
        """

    @abstractmethod
    def end(self) -> None:
        """The run has ended, by itself, by an interrupt or by an error."""


class Path(ABC):
    """All iterates of one descent, by a walk or in closed form."""

    gap_is: Bound  # what the gaps are of the distances from the minimum

    @property
    def minimum(self) -> np.ndarray | None:
        """(t,): the minimum of F, where it is known."""
        return None

    @property
    def stride(self) -> int:
        """The most updates that a run looks at in one go."""
        return 1

    @abstractmethod
    def needed(self, distance: np.ndarray) -> float:
        """The updates that bring F of each target within `distance` (t,) of its minimum.

        Infinite for never, nan where it is not known without walking.
        """

    @abstractmethod
    def at(self, k: int) -> Point:
        """The parameters (p, t) after `k` updates."""

    @abstractmethod
    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Parameters (m, p, t) and losses (m, t) after each of `ks` (m,) updates."""

    @abstractmethod
    def gradients(self, ks: np.ndarray) -> np.ndarray:
        """(m, p, t): the gradients of F after each of `ks` (m,) updates."""

    @abstractmethod
    def records(self, first: int, last: int) -> Records:
        """The records of iterates `first` to `last`, both included."""

    def losses(self, first: int, last: int) -> np.ndarray:
        """(m, t): F after `first` to `last` updates, both included."""
        return self.records(first, last).losses
