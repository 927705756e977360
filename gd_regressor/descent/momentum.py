"""Momentum: how the updates before become part of the next one."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.descent.nouns import Momentum


@frozen
class HeavyBall(Momentum):
    """The update before counts again, times `share` (Polyak 1964)."""

    share: float

    def moved(self, push: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.share:
            push += self.share * velocity
        return push, push

    @property
    def foresight(self) -> float:
        return 0.0

    def limit(self, largest_curvature: float) -> float:
        return 2 * (1 + self.share) / largest_curvature

    def bound(self, largest_curvature: float) -> float:
        # Nesterov (2004), theorem 2.1.14, without momentum; Ochs, Chen, Brox and Pock (2014),
        # "iPiano", with momentum and a prox
        return 2 * (1 - self.share) / largest_curvature


@frozen
class Lookahead(Momentum):
    """The gradient is taken where momentum leads, at y (Nesterov 1983), as PyTorch writes it.

    x_{k+1} = y_k - rate g(y_k), y_{k+1} = x_{k+1} + share (x_{k+1} - x_k). The points of the
    descent are the y, because the gradient at y is the only one that an update takes. The velocity
    is x_{k+1} - x_k.

    Under a prox the points of the descent are the x (Beck and Teboulle 2009), because the y need
    be neither sparse nor positive. The gradient at y then costs a look at the rows of its own.
    """

    share: float

    def moved(self, push: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        velocity = push + self.share * velocity
        return push + self.share * velocity, velocity

    @property
    def foresight(self) -> float:
        return self.share

    def limit(self, largest_curvature: float) -> float:
        # Along an eigenvector, with h = rate times the eigenvalue and s the share, the error is
        # e_{k+1} = (1 + s)(1 - h) e_k - s (1 - h) e_{k-1}. Its roots leave the unit circle at -1
        return 2 * (1 + self.share) / (1 + 2 * self.share) / largest_curvature

    def bound(self, largest_curvature: float) -> float:
        # Up to this rate, F(x_k) + |x_k - x_{k-1}|^2 / (2 rate) falls by (1 - share^2) times its
        # second term at least: lemma 2.3 of Beck and Teboulle (2009) between x_{k+1} and x_k
        return 1 / largest_curvature
