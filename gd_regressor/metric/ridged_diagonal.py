"""RidgedDiagonal: one number for each column with a ridge, and the free columns eliminated."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.descent.nouns import Metric, Quadratic
from gd_regressor.descent.records import Bound
from gd_regressor.metric.diagonal import Diagonal

# Of more free columns products take more memory than a fit may; so do more of their products with
# all columns
MOST_FREE, MOST_FREE_PRODUCTS = 2000, 1 << 24


@frozen
class Eliminated:
    """Free columns, whose best coefficients follow from those of the others."""

    columns: np.ndarray  # (k,)
    basis: np.ndarray  # (k, r): orthonormal eigenvectors of their products
    squares: np.ndarray  # (r,): the eigenvalues above rounding
    follow: np.ndarray  # (k, d): what they lose for each of the other columns, zero for themselves

    @classmethod
    def of(cls, loss: Quadratic, n_parameters: int, columns: np.ndarray, d: int) -> Eliminated:
        """From the products of the columns with all d columns."""
        unit = np.zeros((n_parameters, len(columns)))
        unit[columns, np.arange(len(columns))] = 1.0
        products = loss.hessian_product(unit)[:d] / 2
        squares, basis = np.linalg.eigh(products[columns])
        clear = squares > EPS * len(columns) * squares.max(initial=0.0)
        squares, basis = squares[clear], basis[:, clear]
        products[columns] = 0.0
        follow = basis @ ((basis.T @ products.T) / squares[:, None])
        return cls(columns, basis, squares, follow)

    def solved(self, slope: np.ndarray) -> np.ndarray:
        """(k, t): the shortest solution of the products for slopes (k, t)."""
        return self.basis @ ((self.basis.T @ slope) / self.squares[:, None])


@frozen
class RidgedDiagonal(Metric):
    """Half of the inverse of the columns' variances and ridges, after the free columns are gone.

    P H is at least the least share of a ridge in its column's sum. So <g, Pg> / 2 divided by this
    share bounds the distance of F from its minimum. Free columns have no share. So we eliminate
    them; of too many the metric is diagonal as well, and the bound becomes an estimate.
    """

    curvature: np.ndarray  # (d, t): their sums; infinite for a column that does not move
    steepness: float  # the least eigenvalue of P H is at least this, unless it is an estimate
    gap_is: Bound
    free: Eliminated

    source = "scaled"

    @classmethod
    def of(cls, diagonal: Diagonal, ridge: np.ndarray, loss: Quadratic, p: int) -> RidgedDiagonal:
        """Of columns with ridges (d, t). A column that has neither does not move.

        `loss` (of p parameters) is the one without the ridges.
        """
        both = diagonal.curvature[:, None] + ridge
        free = np.flatnonzero((diagonal.curvature > 0) & (ridge == 0).any(axis=1))
        few = len(free) <= min(MOST_FREE, MOST_FREE_PRODUCTS // len(ridge))
        eliminated = Eliminated.of(loss, p, free if few else free[:0], len(ridge))
        shares = np.where(both > 0, ridge / np.where(both > 0, both, 1.0), 1.0)
        shares[eliminated.columns] = 1.0
        least = max(float(shares.min(initial=1.0)), SMALLEST_DIVISOR) if few else 1.0
        curvature = np.where(both > 0, both, np.inf)
        return cls(curvature, least, Bound.AT_MOST if few else Bound.ABOUT, eliminated)

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        direction, (d, _), free = gradient / 2, self.curvature.shape, self.free
        slope = direction[free.columns]
        rest = direction[:d]  # a view
        rest -= free.follow.T @ slope
        rest /= self.curvature
        rest[free.columns] = 0.0
        rest[free.columns] = free.solved(slope) - free.follow @ rest
        return direction

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The point (p, t) whose free coefficients are the shortest that predict the same."""
        theta, free = theta.copy(), self.free
        theta[free.columns] = free.basis @ (free.basis.T @ theta[free.columns])
        return theta
