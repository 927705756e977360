"""Learning-rate rules and momentum: how a direction becomes a step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Point, column_products
from gd_regressor.descent.nouns import Next, Problem, Step
from gd_regressor.descent.records import Iterate

# A slope below this share of that of the last gradient from the rows asks for another one
WORN = 1e-12


@dataclass(frozen=True)
class ConstantStep(Step):
    """theta_{k+1} = theta_k - rate * direction_k + momentum * (theta_k - theta_{k-1}).

    The heavy ball of Polyak (1964); plain gradient descent with momentum 0. The state is the last
    step taken.
    """

    rate: float
    momentum: float = 0.0

    def start(self, theta: Point) -> np.ndarray:
        return np.zeros(theta.shape)

    def next(self, state: np.ndarray, here: Iterate, problem: Problem) -> Next:
        step = self.momentum * state - self.rate * here.direction
        theta = here.theta + step
        return theta, *problem.value_and_gradient(theta), step

    def stability_limit(self, largest_curvature: float) -> float:
        """The rate from which some direction no longer shrinks: 2 (1 + momentum) / L."""
        if largest_curvature == 0:  # all columns are zero: nothing moves at any rate
            return np.inf
        return float(2 * (1 + self.momentum) / largest_curvature)


@dataclass(frozen=True)
class Conjugate:
    """What conjugate steps remember, at a point that they have come to."""

    direction: np.ndarray  # (p, t): of the update before
    slope: np.ndarray  # (t,): <g, Pg> where that update set out; infinite forgets its direction
    worn: np.ndarray  # (t,): below this slope the gradient is computed from the rows again
    loss: np.ndarray  # (t,): F where the gradient was last computed from the rows
    is_fresh: bool = (
        False  # whether it was computed at this point: `worn` and `loss` are stale then
    )


@dataclass(frozen=True)
class ConjugateStep(Step):
    """A leap to `first`, then the exact steps along conjugate directions.

    The method of Hestenes and Stiefel (1952): where the eigenvalues of P H lie between a and b,
    two steps lower the distance from the minimum at least by ((sqrt(b) - sqrt(a)) / (sqrt(b) +
    sqrt(a)))^4. On a quadratic the loss and gradient of the next point follow from the Hessian's
    product with the direction, so that a step costs one pass too.

    Losses and gradients updated by recurrence keep the rounding error of the point where the
    recurrence started. So it starts where residuals are of the size of y, wherever the descent is
    started, and anew where the slope is worn (van der Vorst and Ye 2000). The descent stays where
    it is when nothing but rounding is left of a gradient: that may lead where the loss has no
    curvature.
    """

    first: np.ndarray | None = None  # (p, t); None is zero

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
            return _stepped(state, here, moving, problem)
        if not (state.worn > 0).any():
            return here.theta, here.loss, here.gradient, state
        # Not before a last gradient from the rows has been seen
        value, gradient = problem.value_and_gradient(here.theta)
        forget = np.full_like(here.slope, np.inf)
        return here.theta, value, gradient, replace(state, slope=forget, worn=0 * value, loss=value)


def _begun(state: Conjugate, here: Iterate) -> Conjugate:
    """The state where the gradient was computed from the rows: the recurrence starts here."""
    # A slope that has grown is rounding: forget the direction, and ask for no other gradient,
    # which would show the rounding again
    shows = here.slope > state.slope
    slope = np.where(shows, np.inf, state.slope)
    worn = np.where(shows, 0.0, WORN * here.slope)
    return Conjugate(state.direction, slope, worn, here.loss)


def _stepped(state: Conjugate, here: Iterate, moving: np.ndarray, problem: Problem) -> Next:
    """The exact step along the next conjugate direction, for the targets that are `moving`."""
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
    """The quotient, and 0 where nothing is left to divide by."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
