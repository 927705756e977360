"""The path of a constant step in closed form.

On a quadratic, k updates are a polynomial of degree k in the Hessian. Along an eigenvector with
eigenvalue lambda the error after k updates is p_k(h) times the error at the start, where
h = rate * lambda and mu is the momentum:

    p_0 = 1,  p_1 = 1 - h,  p_{k+1} = (1 + mu - h) p_k - mu p_{k-1},

so p_k = (1 - h)^k without momentum. The differences 1 - p_k and F_{k-1} - F_k would lose digits to
cancellation. So we compute the sums and products below, which lose none:

    D_k = (r1^k - r2^k) / (r1 - r2)         r1, r2 the roots of r^2 - (1 + mu - h) r + mu
    p_{k-1} - p_k = h D_k                   one update
    q_k = (1 - p_k) / h = D_1 + ... + D_k   all updates (k itself where h = 0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.ranges import LARGEST_ROOT, SMALLEST_DIVISOR
from gd_regressor.descent.nouns import Path
from gd_regressor.descent.records import Bound, Curvature, Records
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.textbook.triangle import Triangle, squares

# Entries of the arrays over updates and eigenvectors: so many stay in the cache
ENTRIES_AT_ONCE = 1 << 16


def polynomials(h: np.ndarray, momentum: float, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p_k(h) and D_k(h), each (m, r), for `h` (r,) >= 0 and `k` (m,) >= 0."""
    k = np.asarray(k, dtype=np.float64)[:, None]
    if momentum:
        return _heavy_ball(h, momentum, k)[:2]
    d = np.where(k == 0, 0.0, _power(*_plain_root(h), k - 1))
    return np.where(k == 0, 1.0, (1 - h) * d), d


def totals(h: np.ndarray, momentum: float, k: np.ndarray) -> np.ndarray:
    """q_k(h) (m, r) for `h` (r,) >= 0 and `k` (m,) >= 0."""
    k = np.asarray(k, dtype=np.float64)[:, None]
    if momentum:
        return _heavy_ball(h, momentum, k)[2]
    sign, log = _plain_root(h)
    with np.errstate(invalid="ignore"):  # 0 times the logarithm of 0
        gone = np.where(sign > 0, -np.expm1(k * log), 1 - _power(sign, log, k))
    return np.where(k == 0, 0.0, np.where(h == 0, k, gone / np.where(h == 0, 1, h)))


def _plain_root(h):
    # k log1p(-h) has an error of eps. The k-th power of 1 - h, which is rounded, has k eps
    with np.errstate(divide="ignore"):
        log = np.where(h < 1, np.log1p(-np.minimum(h, 1)), np.log(np.abs(h - 1)))
    return np.where(h > 1, -1.0, 1.0), log


def _heavy_ball(h, mu, k):
    # The roots are r = 1 - t, with t^2 - s t + h = 0 and r1 r2 = mu. We write the discriminant as a
    # product, because one of its factors is exactly zero at the textbooks' optimal momentum
    s, above = 1 - mu + h, 1 + np.sqrt(mu)
    below = (1 - mu) / above  # 1 - sqrt(mu)
    half_width = np.sqrt(np.abs(below**2 - h)) * np.sqrt(np.abs(above**2 - h)) + 0j
    half_width *= np.where((below**2 < h) & (h < above**2), 1j, 1)
    larger = (s + half_width) / 2
    smaller = np.where(half_width.imag != 0, larger.conj(), h / np.where(larger == 0, 1, larger))
    # t belongs to the root of larger modulus. For s > 2 both roots lie to the left of zero. Then we
    # write r^k = (-1)^k (-r)^k, because -r is near 1
    left = s > 2
    sign, t = np.where(left, -1.0, 1.0), np.where(left, larger, smaller)
    log = _log_of_root(t, sign, mu)
    gap = np.log(mu) - 2 * log  # log(r2 / r1), its real part <= 0
    gap = np.minimum(gap.real, 0) + 1j * gap.imag
    same = gap == 0
    ratio = np.where(same, k, np.expm1(k * gap) / np.where(same, 1, np.expm1(gap)))
    d = (_power(sign, log, k - 1) * ratio).real
    other = mu / (1 - t)  # r2
    p = (_power(sign, log, k) + t * other * d).real
    # For h = 0 nothing moves, and q_k is the sum of D_j = (1 - mu^j) / (1 - mu)
    still = k / (1 - mu) + mu * np.expm1(k * np.log(mu)) / (1 - mu) ** 2
    moving = np.where(h == 0, 1, h)
    slow = (-np.expm1(np.where(left, 0, k * log)) - t * other * d).real / moving
    return p, d, np.where(h == 0, still, np.where(left, (1 - p) / moving, slow))


def _log_of_root(t, sign, mu):
    # The modulus |1 - t| near 1 needs log1p. Elsewhere log1p would cancel (t near 1) or overflow
    distance = np.abs(t - 1)
    near = np.where((t.imag == 0) & (distance > 0.5) & (distance < 2), t.real, 0)
    size = np.where(
        near != 0, 0.5 * np.log1p(near * (near - 2)), np.log(np.maximum(distance, SMALLEST_DIVISOR))
    )
    size = np.where(t.imag == 0, size, np.log(mu) / 2)  # conjugate roots have |r|^2 = mu
    return size + 1j * np.angle(sign * (1 - t))


def _power(sign, log, k):
    with np.errstate(invalid="ignore"):  # 0 times the logarithm of 0
        power = np.exp(k * log)
    if (sign < 0).any():
        power *= np.where(sign < 0, 1 - 2 * (k % 2), 1.0)
    return np.where(k == 0, 1.0, power)


@dataclass(frozen=True)
class Spectrum(Path):
    """Descent with a constant step, in the coordinates V'theta of the singular vectors.

    A = U S V' are the columns (and a column of ones) divided by the root of the weight. z = U'y is
    the response, and r = U'(y - A theta_0) the response of the residuals at the start. With
    h = 2 rate S^2 we have after k updates

        V'theta = p_k(h) V'theta_0 + 2 rate S q_k(h) z,   F = F_min + sum_i (r_i p_k(h_i))^2.

    F - F_min is a sum of squares, so it is never negative. A good start makes r small, and a far
    start fades with p_k: neither leaves its rounding in small numbers.
    """

    step: ConstantStep
    # Of m directions: those where r is not zero for every target
    singular: np.ndarray  # (m,): S
    vectors: np.ndarray  # (p, m): V
    response: np.ndarray  # (m, t): z
    residual: np.ndarray  # (m, t): r
    start: np.ndarray  # (m, t): V'theta_0
    still: np.ndarray  # (p, t): the part of theta_0 that no update moves
    minimum: np.ndarray  # (t,): F_min
    curvature: Curvature  # of all directions

    gap_is = Bound.EXACT

    @classmethod
    def of(cls, triangle: Triangle, step: ConstantStep, start: np.ndarray) -> Spectrum:
        """The path of `step` from `start` (p, t).

        The triangle's targets are y. If `start` is not zero, the residuals at `start` follow.
        """
        matrix, responses, rest = triangle
        left, singular, vectors = _graded_svd(matrix)
        z = left.T @ responses
        outside = responses - left @ z
        minima, t = rest + squares(outside), start.shape[1]
        z, r = z[:, :t], z[:, -t:]
        # y and the residuals have the same minimum. The smaller of the two has less rounding
        minimum = np.where(squares(r) < squares(z), minima[-t:], minima[:t])
        begin = vectors.T @ start
        steepest = int(np.argmax(singular))
        if not singular[steepest] < LARGEST_ROOT:
            raise ValueError(
                f"X: the squares of column {np.argmax(np.abs(vectors[:, steepest]))} overflow; "
                'divide the column by a large number, or write learning_rate="auto".'
            )
        curvature = Curvature(float(2 * singular[steepest] ** 2), vectors[:, steepest])
        moving = r.any(axis=1)
        still = start - vectors @ begin if len(vectors) > len(singular) else np.zeros_like(start)
        still = still + vectors[:, ~moving] @ begin[~moving]
        modes = (singular[moving], vectors[:, moving], z[moving], r[moving], begin[moving])
        return cls(step, *modes, still, minimum, curvature)

    @property
    def stride(self) -> int:
        return max(ENTRIES_AT_ONCE // max(len(self.singular), 1), 1)

    def at(self, k: int) -> np.ndarray:
        return self.points(np.array([k]))[0][0]

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, _ = polynomials(self._h, self.step.momentum, ks)
        q = 2 * self.step.rate * self.singular * totals(self._h, self.step.momentum, ks)
        moved = p[:, :, None] * self.start + q[:, :, None] * self.response
        return self.still + self.vectors @ moved, self.minimum + p**2 @ self.residual**2

    def records(self, first: int, last: int) -> Records:
        h, squares = self._h, self.residual**2
        p, d = polynomials(h, self.step.momentum, np.arange(first, last + 1))
        gaps = p**2 @ squares
        # F_{k-1} - F_k, from p_{k-1}^2 - p_k^2 = h D_k (2 p_k + h D_k)
        fall = h * d
        return Records(self.minimum + gaps, (fall * (2 * p + fall)) @ squares, gaps)

    @property
    def _h(self) -> np.ndarray:
        return 2 * self.step.rate * self.singular**2


def _graded_svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U, S, V by one-sided Jacobi, which keeps the small singular values of badly scaled columns.

    (Drmac and Veselic 2008.) Other drivers have an error of eps times the largest singular value.
    """
    wide = matrix.shape[0] < matrix.shape[1]
    tall = matrix.T if wide else matrix
    values, left, right, work, _, info = lapack.dgejsv(
        tall, joba=2, jobu=0, jobv=0, jobr=0, jobt=1, jobp=0
    )
    if info != 0:
        raise np.linalg.LinAlgError(f"the singular value decomposition failed (info={info})")
    values = values * (work[0] / work[1])
    return (right, values, left) if wide else (left, values, right)
