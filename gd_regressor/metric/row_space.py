"""RowSpace: the metric of a table with at least as many columns as rows."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.descent.nouns import Metric
from gd_regressor.descent.records import Bound

# Products of the rows square their condition number. So we use them only up to this one
SQUARES_SUFFICE = condition_for(7.6, power=2)


@frozen
class RowSpace(Metric):
    """The pseudoinverse of the Hessian, from the singular values of the centred rows.

    A descent that starts in the space of the rows stays there. The minimiser in this space has the
    least |w|, provided that all columns share one scale: so they do. Singular values below
    `eps max(n, d)` times the largest are rounding.
    """

    basis: np.ndarray  # (d, r): orthonormal basis of the space of the centred rows
    values: np.ndarray  # (r,): singular values, the largest first
    left: np.ndarray  # (n, r): orthonormal; the weighted rows are left * values @ basis.T
    scale: np.ndarray  # (d,): one power of two, d times

    source, steepness, gap_is = "dual", 1.0, Bound.ABOUT

    @classmethod
    def of(cls, x: np.ndarray, scale: np.ndarray, *, centred: bool) -> RowSpace:
        """From rows (n, d), each times the root of its share of the weight."""
        squares, left = np.linalg.eigh(x @ x.T)
        squares, left = squares[::-1], left[:, ::-1]
        n = len(x) - centred
        if _clear(squares, n):
            values, left = np.sqrt(squares[:n]), left[:, :n]
            return cls(x.T @ (left / values), values, left, scale)
        basis, upper = np.linalg.qr(x.T)
        turned, values, left = np.linalg.svd(upper)
        values = _above_rounding(values, x.shape)
        r = len(values)
        return cls(basis @ turned[:, :r], values, left[:r].T, scale)

    @property
    def condition_number(self) -> float:
        return float(self.values[0] / self.values[-1]) if self.values.size else 1.0

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """P times a gradient (p, t). On the intercept, the last of p = d + 1, P is 1/2."""
        d = len(self.scale)
        direction = gradient / 2
        half = (self.basis.T @ direction[:d]) / self.values[:, None] ** 2
        direction[:d] = self.basis @ half
        return direction

    def multiples(self, w: np.ndarray) -> np.ndarray:
        """(n, t): of the weighted rows, which add up to the part in their space of `w` (d, t)."""
        return self.left @ (self.basis.T @ w / self.values[:, None])

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The nearest point (p, t) in the space of the rows."""
        d = len(self.scale)
        inside = theta.copy()
        inside[:d] = self.basis @ (self.basis.T @ theta[:d])
        return inside


def singular_values(x: np.ndarray, *, centred: bool) -> np.ndarray:
    """The singular values above rounding, the largest first, of a matrix of few rows."""
    squares, n = np.linalg.eigvalsh(x @ x.T)[::-1], len(x) - centred
    if _clear(squares, n):
        return np.sqrt(squares[:n])
    upper = np.linalg.qr(x.T, mode="r")
    return _above_rounding(np.linalg.svd(upper, compute_uv=False), x.shape)


def _clear(squares: np.ndarray, n: int) -> bool:
    """Whether the largest `n` eigenvalues, all that centring leaves, are far above rounding."""
    return n > 0 and bool(SQUARES_SUFFICE**2 * squares[n - 1] > squares[0])


def _above_rounding(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return values[values > EPS * max(shape) * values.max(initial=0)]
