"""Epochs of mini-batches: one update of the path is one pass of small updates over the rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import Point, plain
from gd_regressor.descent.nouns import Batches, ByValues, Metric, Next, Problem, Step
from gd_regressor.descent.records import Bound, Iterate
from gd_regressor.descent.steps import ProximalStep, TextbookStep

# An error that falls by the factor 1 - rate at each update is below exp(-8) after so many updates,
# divided by the rate. The mean lacks the rows that these saw, so fewer of them leave less noise
FORGOTTEN = 8.0


@dataclass(frozen=True)
class Measured(ByValues):
    """F on all rows at the end of each epoch. Its gradient would take as long again.

    So the iterates have an empty one, and we compute it for reports and for the last gap. Noise is
    far above the rounding of F.
    """

    value: Callable[[np.ndarray], np.ndarray]  # F (t,) at a point (p, t)
    whole: Problem  # which has the gradient, too
    bounded: bool  # whether it knows how far F is from its minimum

    @property
    def gap_is(self) -> Bound:
        return self.whole.gap_is

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        theta = plain(theta)
        return self.value(theta), np.empty((0, theta.shape[1]))

    def gradient(self, here: Iterate) -> np.ndarray:
        """(p, t): of the smooth part of F, by another pass over the rows."""
        return self.whole.value_and_gradient(here.theta)[1]

    def gap(self, here: Iterate) -> np.ndarray:
        if not self.bounded:
            return np.full(here.loss.shape, np.nan)
        gradient = self.gradient(here)
        direction = self.whole.direction(gradient)
        return self.whole.gap(here._replace(gradient=gradient, direction=direction))


class Underway(NamedTuple):
    """The state after an epoch."""

    theta: np.ndarray  # (p, t): where the small updates are
    velocity: np.ndarray  # (p, t): what momentum keeps a share of
    paced: Any  # the state of the schedule
    updates: int  # small updates so far, over all epochs
    epochs: int  # epochs so far
    total: np.ndarray  # (p, t): the sum of the points to average
    averaged: int  # how many these are

    @property
    def shown(self) -> np.ndarray:
        """(p, t): the point of the path, which is the mean where there is one."""
        return self.total / self.averaged if self.averaged else self.theta


@dataclass(frozen=True)
class Epochs(Step):
    """One update is an epoch: a small update for each batch, by its own gradient.

    From epoch `average_from` on the points of the path are means over all small updates since then
    (Polyak and Juditsky 1992), which go on as if nobody averaged. F on all rows is computed at the
    end of an epoch. A schedule that counts updates counts the small ones.
    """

    by: TextbookStep | ProximalStep
    batches: Batches
    average_from: float = math.inf  # counted from 1

    def start(self, theta: np.ndarray) -> Underway:
        moving, theta = self.by.start(theta), plain(theta)
        return Underway(theta, moving.velocity, moving.paced, 0, 0, np.zeros(theta.shape), 0)

    def next(self, state: Underway, here: Iterate, problem: Problem) -> Next:
        theta, velocity, paced, t, epochs, total, averaged = state
        schedule, moved, epoch = self.by.schedule, self.by.moved, epochs + 1
        ahead = self.by.ahead
        averages, total = epoch >= self.average_from, total.copy()
        paced = schedule.seen(paced, here.loss)
        for gradient in self.batches.gradients(epoch):
            t += 1
            rate = schedule.rate(t, epoch, paced)
            theta, velocity = moved(rate, theta, gradient(ahead(theta, velocity)), velocity)
            if averages:
                total += theta
                averaged += 1
        state = Underway(theta, velocity, paced, t, epoch, total, averaged)
        return state.shown, *problem.value_and_gradient(state.shown), state


class Windows(NamedTuple):
    """The state after an epoch whose tail is averaged."""

    theta: np.ndarray  # (p, t): where the small updates are
    epochs: int  # epochs so far
    older: tuple[
        np.ndarray, int
    ]  # the sum (p, t) of the points of a window, and how many these are
    newer: tuple[np.ndarray, int]  # the same of the window after it

    @property
    def shown(self) -> np.ndarray:
        """(p, t): the mean over both windows; the point where they have none."""
        count = self.older[1] + self.newer[1]
        return (self.older[0] + self.newer[0]) / count if count else self.theta


@dataclass(frozen=True)
class MetricEpochs(Step):
    """One update is an epoch of small updates at a constant rate in a metric, the tail averaged.

    The mean is over the last half of the small updates so far, and up to three quarters of them:
    the windows begin after epochs 1, 2, 4, 8 and so on, so that two sums are enough. The first
    window leaves out the updates in which the start is forgotten, and at most half of an epoch.
    """

    metric: Metric
    rate: float
    batches: Batches
    n_batches: int  # of an epoch

    def start(self, theta: np.ndarray) -> Windows:
        theta, none = plain(theta), (np.zeros(theta.shape), 0)
        return Windows(theta, 0, none, none)

    def next(self, state: Windows, here: Iterate, problem: Problem) -> Next:
        theta, epochs, older, newer = state
        none, epoch = (np.zeros(theta.shape), 0), epochs + 1
        if epochs and epochs & (epochs - 1) == 0:  # a power of two
            older, newer = newer, none
        forgotten = min(math.ceil(FORGOTTEN / self.rate), self.n_batches // 2)
        skipped, (total, count) = forgotten if epoch == 1 else 0, newer
        total = total.copy()
        for k, gradient in enumerate(self.batches.gradients(epoch)):
            theta = theta - self.rate * self.metric.apply(gradient(theta))
            if k >= skipped:
                total += theta
                count += 1
        state = Windows(theta, epoch, older, (total, count))
        return state.shown, *problem.value_and_gradient(state.shown), state
