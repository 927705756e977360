"""Pinball: the sum of a quantile's loss over rows in memory, with a linear term."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.frozen import frozen


@frozen
class Pinball:
    """F(theta) = sum u rho(y - A theta) - rest' theta, where rho(r) is q r or (q - 1) r.

    Its dual point d (n,) has low <= d <= high and A' d = right, where right = -rest. Rows far from
    the minimum keep their sides. They act as their sum, a glob, which `right` has.
    """

    A: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    u: np.ndarray  # (n,): weights above zero
    q: float
    right: np.ndarray  # (p,)

    @property
    def low(self) -> np.ndarray:
        """(n,): the dual point of rows below the model."""
        return (self.q - 1) * self.u

    @property
    def high(self) -> np.ndarray:
        """(n,): the dual point of rows above the model."""
        return self.q * self.u

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """(n,): y - A theta."""
        return self.y - self.A @ theta

    def value(self, theta: np.ndarray) -> float:
        """The sum without the linear term."""
        r = self.residuals(theta)
        return float(self.u @ np.maximum(self.q * r, (self.q - 1) * r))

    def gap(self, theta: np.ndarray, d: np.ndarray) -> float:
        """How far F is above its minimum at most, for d (n,) in its bounds with A' d = right.

        Each row adds u rho(r) - r d, which is not below zero.
        """
        r = self.residuals(theta)
        return float(np.maximum(self.high * r - r * d, self.low * r - r * d).sum())

    def only(self, rows: np.ndarray, right: np.ndarray) -> Pinball:
        """The rows of these numbers."""
        return Pinball(self.A[rows], self.y[rows], self.u[rows], self.q, right)
