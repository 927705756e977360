"""Learning rates as numbers: formulas of the time, and one that watches the loss."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.descent.nouns import Schedule


class Timed(Schedule):
    """Rates that are known before the descent: they depend on the time alone."""

    @abstractmethod
    def rate_at(self, update: int, epoch: int) -> float:
        """The rate of an update in an epoch, both counted from 1."""

    def start(self) -> Any:
        return None

    def seen(self, state: Any, loss: np.ndarray) -> Any:
        return state

    def rate(self, update: int, epoch: int, state: Any) -> float:
        return self.rate_at(update, epoch)


@frozen
class ConstantRate(Timed):
    """The same rate for ever."""

    eta0: float

    def rate_at(self, update: int, epoch: int) -> float:
        return self.eta0

    @property
    def final_rate(self) -> float:
        return self.eta0


@frozen
class InverseRate(Timed):
    """eta0 / t^power at update t."""

    eta0: float
    power: float

    def rate_at(self, update: int, epoch: int) -> float:
        # A negative power underflows where the positive one would overflow
        return self.eta0 * float(update) ** -self.power

    @property
    def final_rate(self) -> float:
        return self.eta0 if self.power == 0 else 0.0


@frozen
class CosineRate(Timed):
    """Half a wave of the cosine, from eta0 in epoch 1 down to eta_min after n_epochs."""

    eta0: float
    n_epochs: int
    eta_min: float

    def rate_at(self, update: int, epoch: int) -> float:
        share = min(epoch - 1, self.n_epochs) / self.n_epochs
        return self.eta_min + (self.eta0 - self.eta_min) * (1 + math.cos(math.pi * share)) / 2

    @property
    def final_rate(self) -> float:
        return self.eta_min


@frozen
class SteppedRate(Timed):
    """Times `factor` after each `every` epochs."""

    eta0: float
    factor: float
    every: int

    def rate_at(self, update: int, epoch: int) -> float:
        return self.eta0 * self.factor ** ((epoch - 1) // self.every)

    @property
    def final_rate(self) -> float:
        return self.eta0 if self.factor == 1 else 0.0


class Watched(NamedTuple):
    """The state of `AdaptiveRate`, one value for each target."""

    rate: np.ndarray  # (t,)
    best: np.ndarray  # (t,): the least loss since the rate last changed
    stalled: np.ndarray  # (t,): epochs in a row without a lower one


@frozen
class AdaptiveRate(Schedule):
    """Times `factor` whenever the loss has not fallen for `patience` epochs in a row.

    The best loss is forgotten with the rate. A rate that was too large has left the loss high, and
    the way back down must not count as a stall. Each target has a rate of its own.
    """

    eta0: float
    factor: float
    patience: int

    def start(self) -> Watched | None:
        return None

    def seen(self, state: Watched | None, loss: np.ndarray) -> Watched:
        if state is None:
            return Watched(np.full(len(loss), self.eta0), loss, np.zeros(len(loss), dtype=int))
        fell = loss < state.best
        stalled = np.where(fell, 0, state.stalled + 1)
        shrinks = stalled >= self.patience
        return Watched(
            np.where(shrinks, self.factor * state.rate, state.rate),
            np.where(fell | shrinks, loss, state.best),
            np.where(shrinks, 0, stalled),
        )

    def rate(self, update: int, epoch: int, state: Watched) -> np.ndarray:
        return state.rate

    @property
    def final_rate(self) -> float:
        return self.eta0 if self.factor == 1 else 0.0


@frozen
class WarmedRate(Schedule):
    """The rates of another schedule, the first ones times t / n_updates."""

    by: Schedule
    n_updates: int

    def start(self) -> Any:
        return self.by.start()

    def seen(self, state: Any, loss: np.ndarray) -> Any:
        return self.by.seen(state, loss)

    def rate(self, update: int, epoch: int, state: Any) -> float | np.ndarray:
        return min(update / self.n_updates, 1.0) * self.by.rate(update, epoch, state)

    @property
    def final_rate(self) -> float:
        return self.by.final_rate
