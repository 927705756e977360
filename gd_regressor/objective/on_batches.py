"""The loss of mini-batches: the gradient of each batch, whose mean is that of F."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.threads import product
from gd_regressor.data.batches import Gathered, Order, ShuffledRows
from gd_regressor.descent.nouns import Batches
from gd_regressor.objective.frame import Frame

Slope = Callable[[np.ndarray], np.ndarray]


class Batching(NamedTuple):
    """What is asked of a descent in mini-batches."""

    order: Order
    average_from: float  # the epoch from which on we average; infinite for never
    patience: int  # so many epochs without a better loss end the run


@dataclass(frozen=True)
class LossBatches(Batches):
    """-(1 / m) X' psi(y - X theta) over the m rows of a batch, in the coordinates of the textbooks.

    Psi is the slope of the loss of a row, times its weight. Without a psi the loss is the square,
    whose slope is 2 r.
    """

    rows: ShuffledRows
    psi: Slope | None = None

    def gradients(self, epoch: int) -> Iterator[Slope]:
        d, psi = self.rows.rows.n_columns, self.psi
        return (partial(_slope, parts, psi, d) for parts in self.rows.batches(epoch))


def _slope(
    parts: list[Gathered] | Iterator[Gathered], psi: Slope | None, d: int, theta: np.ndarray
) -> np.ndarray:
    gradient, m = np.empty(theta.shape), 0
    w, b = theta[:d], theta[d:]  # no row of b without an intercept
    for x, y, s in parts:
        left = product(x, w)
        np.subtract(y, left, out=left)
        if len(b):
            left -= b
        pull = left if psi is None else psi(left)
        if s is not None:
            pull *= s
        # We write the first part in place: a batch has one, and each call to numpy counts
        found = np.empty(theta.shape) if m else gradient
        product(x.T, pull, found[:d])
        if len(b):
            np.add.reduce(pull, axis=0, keepdims=True, out=found[d:])
        if m:
            gradient += found
        m += len(pull)
    gradient *= -(2 if psi is None else 1) / m
    return gradient


@dataclass(frozen=True)
class RidgedBatches(Batches):
    """The same with the gradient of a ridge in full, in each batch."""

    by: Batches
    l2: np.ndarray  # (d, t)

    def gradients(self, epoch: int) -> Iterator[Slope]:
        return (partial(self._slope, slope) for slope in self.by.gradients(epoch))

    def _slope(self, slope: Slope, theta: np.ndarray) -> np.ndarray:
        gradient, d = slope(theta), len(self.l2)
        gradient[:d] += 2 * self.l2 * theta[:d]
        return gradient


@dataclass(frozen=True)
class FramedBatches(Batches):
    """The same in the coordinates of a frame. The rows stay as they are."""

    by: Batches
    frame: Frame

    def gradients(self, epoch: int) -> Iterator[Slope]:
        return (partial(self._slope, slope) for slope in self.by.gradients(epoch))

    def _slope(self, slope: Slope, theta: np.ndarray) -> np.ndarray:
        w, b = self.frame.to_raw(theta)
        raw = np.concatenate((w, b[None])) if self.frame.fit_intercept else w
        return self.frame.gradient_from_raw(slope(raw))
