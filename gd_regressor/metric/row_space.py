"""RowSpace: the metric of a table with at least as many columns as rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import qr

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.descent.nouns import Metric
from gd_regressor.descent.records import Bound

# Products of the rows square their condition number. So we use them only up to this one
SQUARES_SUFFICE = condition_for(7.6, power=2)
# The space of the rows is known to eps times the condition number of the raw columns
SPACE_IS_KNOWN = condition_for(9.6, power=1)


class Thin(NamedTuple):
    """A decomposition of few rows: they are left * values @ basis.T."""

    basis: np.ndarray  # (d, r): orthonormal basis of the space of the rows
    values: np.ndarray  # (r,): singular values, the largest first
    left: np.ndarray  # (n, r): orthonormal

    @classmethod
    def of(cls, x: np.ndarray, *, centred: bool, whole: bool = False) -> Thin:
        """Decompose rows (n, d).

        Singular values below `rounding` are left out, unless the `whole` space is asked for.
        """
        squares, left = np.linalg.eigh(x @ x.T)
        squares, left = squares[::-1], left[:, ::-1]
        n = len(x) - centred
        if _clear(squares, n):
            values, left = np.sqrt(squares[:n]), left[:, :n]
            return cls(x.T @ (left / values), values, left)
        basis, upper = np.linalg.qr(x.T)
        turned, values, left = np.linalg.svd(upper)
        r = len(values) if whole else int((values > rounding_of(values, x.shape)).sum())
        return cls(basis @ turned[:, :r], values[:r], left[:r].T)

    @classmethod
    def of_graded(cls, x: np.ndarray, rank: int) -> Thin:
        """Decompose rows (n, d) whose columns are of very unequal sizes, and which have this rank.

        The values are no singular values, and `left` has columns of length 1 that may be oblique.
        With the largest column first, Householder's method with pivoting rounds each column by an
        eps of its own size (Powell and Reid 1969; Cox and Higham 1998).
        """
        columns = np.argsort(-np.abs(x).max(axis=0), kind="stable")
        turned, upper, rows = qr(x.T[columns], mode="economic", pivoting=True)
        basis, along = np.empty((x.shape[1], rank)), np.empty((len(x), rank))
        basis[columns], along[rows] = turned[:, :rank], upper[:rank].T
        values = np.linalg.norm(along, axis=0)
        return cls(basis, values, along / values)


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
        return cls(*Thin.of(x, centred=centred), scale)

    @property
    def condition_number(self) -> float:
        return condition_of(self.values)

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


def condition_of(values: np.ndarray) -> float:
    """The condition number of rows with these singular values (r,), the largest first."""
    return float(values[0] / values[-1]) if values.size else 1.0


def rounding_of(values: np.ndarray, shape: tuple[int, ...]) -> float:
    """What rounding leaves of the singular values of a matrix of this shape."""
    return EPS * max(shape) * values.max(initial=0.0)


def singular_values(x: np.ndarray, *, centred: bool) -> np.ndarray:
    """The singular values above rounding, the largest first, of a matrix of few rows."""
    squares, n = np.linalg.eigvalsh(x @ x.T)[::-1], len(x) - centred
    if _clear(squares, n):
        return np.sqrt(squares[:n])
    values = np.linalg.svd(np.linalg.qr(x.T, mode="r"), compute_uv=False)
    return values[values > rounding_of(values, x.shape)]


def is_known(values: np.ndarray, of_scaled: np.ndarray) -> bool:
    """Whether singular values (r,) of raw columns, and those `of_scaled` ones, show one space.

    Units or dependent rows can give the raw columns another rank than the scaled columns.
    """
    return len(values) == len(of_scaled) and condition_of(values) <= SPACE_IS_KNOWN


def _clear(squares: np.ndarray, n: int) -> bool:
    """Whether the largest `n` eigenvalues, all that centring leaves, are far above rounding."""
    return n > 0 and bool(SQUARES_SUFFICE**2 * squares[n - 1] > squares[0])
