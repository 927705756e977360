"""Diagonal metrics: the identity of the textbooks, and one number for each column."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.doubled import column_products
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.units import power_of_two_near_root
from gd_regressor.data.column_moments import ColumnMoments
from gd_regressor.descent.nouns import Metric
from gd_regressor.descent.records import Bound


@frozen
class Identity(Metric):
    """No metric: the textbooks' direction is the gradient itself.

    In any metric one step of 1 / steepness lowers F by at least <g, Pg> / (2 steepness): this is
    the descent lemma. So F is at least as far above its minimum.
    """

    steepness: float  # the largest eigenvalue of P H = H

    source, gap_is = "identity", Bound.AT_LEAST

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        return gradient

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        return theta


@frozen
class Diagonal(Metric):
    """Half of the inverse variances of the columns: this metric needs no products of columns."""

    curvature: np.ndarray  # (d,): variances of the scaled columns, zero for constant ones
    scale: np.ndarray  # (d,): powers of two near the columns' deviations; 1 for constant ones

    source, steepness, gap_is = "scaled", 1.0, Bound.ABOUT

    @classmethod
    def of(cls, moments: ColumnMoments, *, about_mean: bool) -> Diagonal:
        """From the scatter of the columns, about their means or about zero."""
        variance = moments.scatter / moments.weight
        if not about_mean:
            variance = variance + moments.column_means**2
        scale = power_of_two_near_root(variance)
        return cls(variance / scale**2, scale)

    @property
    def constant(self) -> np.ndarray:
        """(d,): whether a column is constant. No direction moves its coefficient."""
        return self.curvature <= 0

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        direction, d = gradient / 2, len(self.scale)
        direction[:d] /= np.where(self.constant, np.inf, self.curvature)[:, None]
        return direction

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The point (p, t) with zero for constant columns."""
        theta = theta.copy()
        theta[: len(self.scale)][self.constant] = 0.0
        return theta

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(m,): a' P^-1 b / 2 for each column of `a` and `b` (p, m)."""
        d = len(self.scale)
        product = np.einsum("ij,i,ij->j", a[:d], self.curvature, b[:d])
        return product + column_products(a[d:], b[d:])

    def square(self, vectors: np.ndarray) -> np.ndarray:
        """(m,): the squares of `vectors` (p, m) in this product."""
        return self.product(vectors, vectors)

    def random(self, n_parameters: int) -> np.ndarray:
        """(p, 1): a normal vector with variance 1 along every direction in this product."""
        vector, moving = np.zeros((n_parameters, 1)), ~self.constant
        normal = np.random.default_rng(0).standard_normal(int(moving.sum()))
        vector[: len(self.scale)][moving, 0] = normal / np.sqrt(self.curvature[moving])
        return vector
