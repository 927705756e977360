"""Pinball: the sum of losses with one kink each over rows in memory, with a linear term."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import blas

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.data.passes import count_rows

# A pull A' d is rounded to so many eps of the sizes of its terms, times the root of their number
PULL_ROUNDED_BY = 64


@frozen
class Pinball:
    """F(theta) = sum rho(y - A theta) - rest' theta + ridge' theta^2.

    rho(r) is high r above zero and low r below. A quantile has one such row for each row of the
    data, and an interval without loss has two. A penalty with a kink is a row, too: its y is zero.

    The dual point d (n,) has low <= d <= high and A' d = right + 2 ridge theta, where right is
    -rest. Rows far from the minimum keep their sides. They act as their sum, a glob, which `right`
    has.
    """

    A: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    low: np.ndarray  # (n,)
    high: np.ndarray  # (n,): above `low`
    right: np.ndarray  # (p,)
    ridge: np.ndarray  # (p,)
    n_terms: int = 0  # the last rows are so many penalties, which no sample leaves out

    @property
    def n_rows(self) -> int:
        """Of the data."""
        return len(self.y) - self.n_terms

    @property
    def has_ridge(self) -> bool:
        """Whether the minimum is at no vertex."""
        return bool(self.ridge.any())

    def fitted(self, theta: np.ndarray) -> np.ndarray:
        """(n,): A theta."""
        count_rows(self.n_rows)
        return self.A @ theta

    def pulls(self, d: np.ndarray) -> np.ndarray:
        """(p,): A' d. Also (p, k), for the columns of d (n, k)."""
        count_rows(self.n_rows)
        return self.A.T @ d

    def scaled(self, weights: np.ndarray, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """(m, p): `rows` of A times the roots of weights (m,), for products with itself."""
        count_rows(min(len(weights), self.n_rows))
        return np.sqrt(weights)[:, None] * self.A[rows]

    def curved(self, bend: np.ndarray, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """(p, p), its upper half: how the slope of F changes where `rows` bend so much (m,)."""
        matrix = blas.dsyrk(1.0, self.scaled(bend, rows).T)
        if self.has_ridge:
            matrix[np.diag_indices_from(matrix)] += 2 * self.ridge
        return matrix

    def terms(self, d: np.ndarray) -> np.ndarray:
        """(p,): the sizes of what is summed in A' d - right."""
        count_rows(self.n_rows)
        return np.abs(self.A).T @ np.abs(d) + np.abs(self.right)

    def widest(self) -> np.ndarray:
        """(n,): the largest entry of each row."""
        count_rows(self.n_rows)
        return np.abs(self.A).max(axis=1, initial=0.0)

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """(n,): y - A theta."""
        return self.y - self.fitted(theta)

    def value(self, theta: np.ndarray) -> float:
        """F without the linear term."""
        r = self.residuals(theta)
        return float(np.maximum(self.high * r, self.low * r).sum() + self.ridge @ theta**2)

    def sides(self, r: np.ndarray) -> np.ndarray:
        """(n,): the dual point of rows with these residuals, zero for rows that the model meets."""
        return np.where(r > 0, self.high, np.where(r < 0, self.low, 0.0))

    def lacks(self, theta: np.ndarray, d: np.ndarray) -> np.ndarray:
        """(p,): what the dual point misses of its equations."""
        return self.right + 2 * self.ridge * theta - self.pulls(d)

    def rounding(self, d: np.ndarray) -> np.ndarray:
        """(p,): that of `lacks`."""
        return PULL_ROUNDED_BY * EPS * len(d) ** 0.5 * self.terms(d)

    def gap(self, theta: np.ndarray, d: np.ndarray) -> float:
        """How far F is above its minimum at most, for d (n,) in its bounds.

        Each row adds rho(r) - r d, which is not below zero. A ridge forgives what its coordinate
        lacks (Fenchel and Young). The other coordinates must lack rounding alone. So may one whose
        ridge is faint: along it F is nearly linear, with a slope of that rounding.
        """
        r = self.residuals(theta)
        rows = float(np.maximum(self.high * r - r * d, self.low * r - r * d).sum())
        if not self.has_ridge:
            return rows
        bent, lacks = self.ridge > 0, np.abs(self.lacks(theta, d))
        with np.errstate(over="ignore"):
            apart = lacks[bent] ** 2 / (4 * self.ridge[bent])
        linear = (lacks * np.abs(theta))[bent]
        if (apart > linear).any():
            rounded = lacks[bent] <= self.rounding(d)[bent]
            apart = np.where(rounded, np.minimum(apart, linear), apart)
        return rows + float(apart.sum())

    def only(self, rows: np.ndarray, right: np.ndarray, times: float = 1.0) -> Pinball:
        """The rows of these numbers, those of the data so many times, and all penalties."""
        n = self.n_rows
        count_rows(len(rows))
        kept = np.concatenate([rows, np.arange(n, len(self.y))])
        each = np.where(kept < n, times, 1.0)
        low, high = self.low[kept] * each, self.high[kept] * each
        return replace(self, A=self.A[kept], y=self.y[kept], low=low, high=high, right=right)
