"""The squared loss with a ridge: it stays quadratic, so steps and closed forms stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gd_regressor.arithmetic.doubled import Point, column_products, plain, two_sum
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.data.moments import Moments
from gd_regressor.descent.nouns import Quadratic


@frozen
class RidgeLoss(Quadratic):
    """A loss and the sum of l2 w^2. In units of the columns l2 is at least zero.

    The gradient of the ridge is rounded once. At the minimum it is as large as that of the loss,
    and its rounding moves w by some eps of w, whatever the condition number.
    """

    loss: Quadratic
    l2: np.ndarray  # (d, 1) or (d, t), in the coordinates of the loss
    doubled: bool  # the same as of `loss`
    sharp: bool  # likewise

    @classmethod
    def of(cls, loss: Quadratic, l2: np.ndarray) -> RidgeLoss:
        return cls(loss, l2, loss.doubled, loss.sharp)

    def lift(self, theta: np.ndarray) -> Point:
        return self.loss.lift(theta)

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""
        return add_ridge(self.l2, plain(theta), *self.loss.value_and_gradient(theta))

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m).

        Targets with ridges of their own have Hessians of their own, so m is t for them.
        """
        product, d = self.loss.hessian_product(direction), len(self.l2)
        product[:d] += 2 * self.l2 * direction[:d]
        return product


def add_ridge(
    l2: np.ndarray, theta: np.ndarray, value: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """F (t,) and its gradient (p, t) with the sum of l2 w^2. It changes `gradient` in place."""
    d = len(l2)
    w = theta[:d]
    slope = l2 * w
    gradient[:d] += 2 * slope
    return value + column_products(slope, w), gradient


def with_ridge(moments: Moments, l2: np.ndarray) -> Moments:
    """The moments whose loss has a ridge: d rows more would have them, which move no mean.

    These are the rows root(weight l2) e_j about the means, with a target at its mean.
    """
    added = moments.weight * l2 / moments.scale / moments.scale
    xx, low = moments.xx.copy(), moments.low
    diagonal = xx.ravel()[:: len(l2) + 1]
    if low is None:
        diagonal += added
        return replace(moments, xx=xx)
    total, rest = two_sum(diagonal, added)
    below = low.xx.copy()
    below.ravel()[:: len(l2) + 1] += rest
    diagonal[:] = total
    return replace(moments, xx=xx, low=low._replace(xx=below))
