"""Steps: a direction becomes the next point, by a constant rate or conjugate directions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Point, column_products
from gd_regressor.descent.momentum import HeavyBall
from gd_regressor.descent.nouns import (
    Momentum,
    Next,
    Penalty,
    Problem,
    QuadraticProblem,
    Schedule,
    Step,
)
from gd_regressor.descent.records import Iterate
from gd_regressor.descent.schedules import ConstantRate

# A gradient is worn when its slope is below this share of the slope of the last gradient from the
# rows. Then we compute the next gradient from the rows
WORN = 1e-12


class Moving(NamedTuple):
    """The state of a textbook's step."""

    velocity: np.ndarray  # (p, t): what momentum keeps a share of
    paced: Any  # the state of the schedule


class TextbookStep(Step):
    """theta_{k+1} = theta_k - rate_k * direction_k, and what momentum adds.

    Momentum 0 makes it plain gradient descent.
    """

    schedule: Schedule
    inertia: Momentum

    @property
    @abstractmethod
    def constant(self) -> ConstantStep | None:
        """The step of constant rate that this one is, if it is one."""

    @property
    def share(self) -> float:
        """What momentum keeps, in [0, 1)."""
        return self.inertia.share

    @property
    def final_rate(self) -> float:
        """What the rates come to in the end."""
        return self.schedule.final_rate

    def start(self, theta: Point) -> Moving:
        return Moving(np.zeros(theta.shape), self.schedule.start())

    def next(self, state: Moving, here: Iterate, problem: Problem) -> Next:
        paced, k = self.schedule.seen(state.paced, here.loss), here.k + 1
        theta, velocity = self.moved(
            self.schedule.rate(k, k, paced), here.theta, here.direction, state.velocity
        )
        return theta, *problem.value_and_gradient(theta), Moving(velocity, paced)

    def ahead(self, theta: Point, velocity: np.ndarray) -> Point:
        """Where the next update takes its gradient: the points of the descent are such."""
        return theta

    def moved(
        self, rate: float | np.ndarray, theta: Point, direction: np.ndarray, velocity: np.ndarray
    ) -> tuple[Point, np.ndarray]:
        """The point after one update at `rate`, and the velocity there."""
        move, velocity = self.inertia.moved(-rate * direction, velocity)
        return theta + move, velocity

    def stability_limit(self, largest_curvature: float) -> float:
        """From this rate on, the error along some direction never shrinks."""
        if largest_curvature == 0:  # all columns are zero, so nothing moves at any rate
            return np.inf
        return float(self.inertia.limit(largest_curvature))

    def bound(self, largest_curvature: float) -> float:
        """Below this rate the descent converges on any convex loss of this curvature at most."""
        return float(self.inertia.bound(largest_curvature)) if largest_curvature else np.inf


@dataclass(frozen=True)
class ConstantStep(TextbookStep):
    """The same rate for ever, with the heavy ball of Polyak (1964)."""

    rate: float
    momentum: float = 0.0

    schedule: Schedule = field(init=False, repr=False, compare=False)
    inertia: Momentum = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", ConstantRate(self.rate))
        object.__setattr__(self, "inertia", HeavyBall(self.momentum))

    @property
    def constant(self) -> ConstantStep:
        return self


@dataclass(frozen=True)
class ScheduledStep(TextbookStep):
    """A rate for each update, and any momentum."""

    schedule: Schedule
    inertia: Momentum

    @property
    def constant(self) -> ConstantStep | None:
        return None


@dataclass(frozen=True)
class ProximalStep(Step):
    """The update of a textbook's step, and then the prox of the penalty for the same rate.

    theta_{k+1} = prox(theta_k - rate_k * gradient_k + momentum * (theta_k - theta_{k-1})). Polyak's
    momentum takes the gradient at theta_k, and Nesterov's where the momentum leads: that is FISTA
    (Beck and Teboulle 2009) with a constant momentum. The intercept has no penalty. The velocity is
    the last move.
    """

    by: TextbookStep
    penalty: Penalty

    @property
    def schedule(self) -> Schedule:
        return self.by.schedule

    @property
    def share(self) -> float:
        return self.by.share

    @property
    def final_rate(self) -> float:
        return self.by.final_rate

    def start(self, theta: Point) -> Moving:
        return self.by.start(theta)

    def next(self, state: Moving, here: Iterate, problem: Problem) -> Next:
        paced, k = self.schedule.seen(state.paced, here.loss), here.k + 1
        ahead, direction = self.ahead(here.theta, state.velocity), here.direction
        if ahead is not here.theta:
            direction = problem.direction(problem.value_and_gradient(ahead)[1])
        theta, velocity = self.moved(
            self.schedule.rate(k, k, paced), here.theta, direction, state.velocity
        )
        return theta, *problem.value_and_gradient(theta), Moving(velocity, paced)

    def ahead(self, theta: Point, velocity: np.ndarray) -> Point:
        """Where the next update takes its gradient. `theta` itself where nothing leads on."""
        foresight = self.by.inertia.foresight
        return theta + foresight * velocity if foresight else theta

    def moved(
        self, rate: float | np.ndarray, theta: Point, direction: np.ndarray, velocity: np.ndarray
    ) -> tuple[Point, np.ndarray]:
        """The point after one update at `rate`, and the velocity there."""
        push = -rate * direction
        if self.share:
            push += self.share * velocity
        there = theta + push
        d = self.penalty.n_columns
        there[:d] = self.penalty.prox(there[:d], rate)
        return there, there - theta

    def stability_limit(self, largest_curvature: float) -> float:
        """Below this rate the descent converges, whatever the penalty."""
        return self.by.bound(largest_curvature)


@dataclass(frozen=True)
class Conjugate:
    """The state of conjugate steps at a point."""

    direction: np.ndarray  # (p, t): of the last update
    slope: np.ndarray  # (t,): <g, Pg> before the last update; infinite forgets `direction`
    worn: np.ndarray  # (t,): below this slope we compute the gradient from the rows again
    loss: np.ndarray  # (t,): F where we last computed the gradient from the rows
    # Whether the gradient at this point comes from the rows; `worn` and `loss` are not yet updated
    is_fresh: bool = False


@dataclass(frozen=True)
class ConjugateStep(Step):
    """A leap to `first`, then exact steps along conjugate directions.

    This is the method of Hestenes and Stiefel (1952). If the eigenvalues of P H lie between a and
    b, k steps multiply the distance of F from its minimum by at most 4 q^(2k), where
    q = (sqrt(b) - sqrt(a)) / (sqrt(b) + sqrt(a)). On a quadratic the next loss and gradient follow
    from the Hessian's product with the direction. So a step costs one pass, like plain descent.

    A recurrence for losses and gradients keeps the rounding error of the point where it started. So
    we start the recurrence where residuals are as small as y, wherever the user's start is. We
    start it again where the slope is worn (van der Vorst and Ye 2000). When only rounding is left
    of a gradient, we stay: rounding may point where the loss has no curvature.
    """

    first: np.ndarray | None = None  # (p, t); None stands for zero

    def start(self, theta: Point) -> Conjugate | None:
        return None

    def next(self, state: Conjugate | None, here: Iterate, problem: Problem) -> Next:
        if state is None:
            zero, t = np.zeros(here.theta.shape), here.theta.shape[1]
            state = Conjugate(zero, np.full(t, np.inf), np.zeros(t), np.zeros(t), is_fresh=True)
            first = zero if self.first is None else self.first
            if first.any() or here.theta.any():
                return first, *problem.value_and_gradient(first), state
        if state.is_fresh:
            state = _begun(state, here)
        moving = here.slope > (4 * EPS) ** 2 * len(here.theta) * state.loss
        if moving.any():
            return _stepped(state, here, moving, cast(QuadraticProblem, problem))
        if not (state.worn > 0).any():
            return here.theta, here.loss, here.gradient, state
        # We end only after a last gradient from the rows
        value, gradient = problem.value_and_gradient(here.theta)
        forget = np.full_like(here.slope, np.inf)
        return here.theta, value, gradient, replace(state, slope=forget, worn=0 * value, loss=value)


@dataclass(frozen=True)
class Foreseen:
    """What foreseen steps remember."""

    slope: np.ndarray  # (t,): of the point before
    is_guess: bool = False  # whether the gradient at this point is a bound, not one from the rows


@dataclass(frozen=True)
class ForeseenStep(Step):
    """Steps of 1 in a metric that is right to a small share; the last needs no look at the rows.

    Where P H = I + E, a step leaves a gradient of at most a `share` of what it was, if that bounds
    E's norm in the metric. The step before has shown its own share, and the larger of the two
    counts. So the slope after a step is known to be at most the square of the share times that
    before it. Where that is `enough`, we make the step without another pass.
    """

    share: float
    enough: np.ndarray  # (t,): a distance of the loss from its minimum that ends the run

    def start(self, theta: Point) -> Foreseen | None:
        return None

    def next(self, state: Foreseen | None, here: Iterate, problem: Problem) -> Next:
        now = Foreseen(here.slope)
        if state is not None and state.is_guess:  # whoever goes on asks the rows
            return here.theta, *problem.value_and_gradient(here.theta), now
        theta = here.theta - here.direction
        if state is not None:
            share = np.maximum(self.share, np.sqrt(quotient(np.abs(here.slope), state.slope)))
            if (here.slope * share**2 <= self.enough).all():
                value = np.maximum(here.loss - here.slope / 2, 0.0)
                return theta, value, here.gradient * share, replace(now, is_guess=True)
        return theta, *problem.value_and_gradient(theta), now


def _begun(state: Conjugate, here: Iterate) -> Conjugate:
    """The state at a point whose gradient comes from the rows: the recurrence starts here."""
    # A slope that has grown is rounding. We forget the direction, and ask for no other gradient,
    # because it would show the same rounding
    shows = here.slope > state.slope
    slope = np.where(shows, np.inf, state.slope)
    worn = np.where(shows, 0.0, WORN * here.slope)
    return Conjugate(state.direction, slope, worn, here.loss)


def _stepped(
    state: Conjugate, here: Iterate, moving: np.ndarray, problem: QuadraticProblem
) -> Next:
    """The exact step along the next conjugate direction, for targets that are `moving`."""
    slope = here.slope
    direction = here.direction + quotient(slope, state.slope) * state.direction
    product = problem.hessian_product(direction)
    rate = moving * quotient(slope, column_products(direction, product))
    theta = here.theta - rate * direction
    state = replace(state, direction=direction, slope=slope)
    if (slope < state.worn).any():
        return theta, *problem.value_and_gradient(theta), replace(state, is_fresh=True)
    value = np.maximum(here.loss - rate * slope / 2, 0.0)
    return theta, value, here.gradient - rate * product, state


def quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A / b, and 0 where b is not above 0."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
