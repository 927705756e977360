"""Any loss of residuals over a table, in passes over its rows."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product
from gd_regressor.descent.nouns import Loss
from gd_regressor.descent.rho import Rho
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.ridge import add_ridge


@frozen
class RobustLoss(Loss):
    """F(theta), the weighted mean of rho over the rows and a ridge, one value per target.

    It reads the rows as the squared loss does, once for each value and gradient.
    """

    square: DataLoss  # the squared loss of the same rows, in the same coordinates
    rho: Rho
    l2: np.ndarray  # (d, t): F has the sum of l2 w^2

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value(self, theta: np.ndarray) -> np.ndarray:
        """F (t,) without the ridge, for half of what value and gradient take."""
        return self.square.mean_over(theta, self.rho.value)

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t); a subgradient at a kink."""
        w, b = self.square.unscaled(theta)
        blocks, rho = self.square.reader(), self.rho
        target_centre = self.square.frame.target_centre

        def of_part(part):
            value, gradient = np.zeros(len(b)), np.zeros((len(w) + 1, len(b)))
            for x, y, s in blocks(part):
                residual = y - target_centre
                residual -= product(x, w)
                residual -= b
                losses, pull = rho.value(residual), rho.slope(residual)
                if s is not None:
                    losses *= s[:, None]
                    pull *= s[:, None]
                value += losses.sum(axis=0)
                gradient[:-1] += product(x.T, pull.astype(x.dtype, copy=False))
                gradient[-1] += pull.sum(axis=0)
            return value, gradient

        value, gradient = self.square.mean(of_part)
        np.negative(gradient, out=gradient)
        return add_ridge(self.l2, theta, value, gradient)
