"""The metric of a table with more columns than rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class RowSpace:
    """The pseudoinverse of the Hessian, from the singular values of the centred rows.

    A descent in it that starts in the space of the rows stays there, and there the minimiser is
    the one of least |w|: so the columns share one scale. Singular values below `eps max(n, d)`
    times the largest are rounding.
    """

    basis: np.ndarray  # (d, r): orthonormal, of the space of the centred rows
    values: np.ndarray  # (r,)
    scale: np.ndarray  # (d,): one power of two

    source, steepness = "dual", 1.0

    @classmethod
    def of(cls, x: np.ndarray, scale: np.ndarray) -> RowSpace:
        """That of centred rows (n, d), weighted by the roots of their shares."""
        basis, upper = np.linalg.qr(x.T)
        left, values, _ = np.linalg.svd(upper)
        values = _above_rounding(values, x.shape)
        return cls(basis @ left[:, : len(values)], values, scale)

    @cached_property
    def condition_number(self) -> float:
        return float(self.values[0] / self.values[-1]) if self.values.size else 1.0

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """P times a gradient (p, t), 1/2 on the intercept (the last of p = d + 1)."""
        d = len(self.scale)
        direction = gradient / 2
        half = (self.basis.T @ gradient[:d]) / self.values[:, None] ** 2
        direction[:d] = self.basis @ half / 2
        return direction

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The nearest point (p, t) in the space of the rows."""
        d = len(self.scale)
        inside = theta.copy()
        inside[:d] = self.basis @ (self.basis.T @ theta[:d])
        return inside


def singular_values(x: np.ndarray) -> np.ndarray:
    """Those of a matrix with more columns than rows that are not rounding, from the largest on."""
    upper = np.linalg.qr(x.T, mode="r")
    return _above_rounding(np.linalg.svd(upper, compute_uv=False), x.shape)


def _above_rounding(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return values[values > EPS * max(shape) * values.max(initial=0)]
