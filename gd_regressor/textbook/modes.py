"""The modes of a descent: the directions in which each coordinate shrinks on its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.ranges import LARGEST_ROOT
from gd_regressor.data.checks import numbered
from gd_regressor.descent.records import Curvature, Units
from gd_regressor.textbook.triangle import Triangle, squares

# A direction that keeps this share of what its columns have is not rounding
CURVED = 1e-6


@dataclass(frozen=True)
class Modes:
    """The singular vectors of the columns, and where a start lies in them.

    A are the columns (and a column of ones) divided by the root of the weight: A = U S V'. The
    Hessian of F has the eigenvectors V and the eigenvalues 2 S^2.
    """

    singular: np.ndarray  # (m,): S
    vectors: np.ndarray  # (p, m): V
    response: np.ndarray  # (m, t): z = U'y
    residual: np.ndarray  # (m, t): r = U'(y - A theta_0)
    start: np.ndarray  # (m, t): V'theta_0
    still: np.ndarray  # (p, t): the part of theta_0 that no update moves
    minimum: np.ndarray  # (t,): F_min
    origin: np.ndarray  # (p, t): theta_0
    curvature: Curvature  # the steepest direction of all
    flat: np.ndarray  # (m,): along which the loss does not change, and S is rounding

    @classmethod
    def of(cls, triangle: Triangle, start: np.ndarray, fit_intercept: bool) -> Modes:
        """Those of a descent from `start` (p, t).

        The triangle's targets are y, followed by the residuals at the start where it is not zero.
        """
        matrix, responses, rest = triangle
        left, singular, vectors = _graded_svd(matrix)
        flat = _flat(matrix, singular, vectors, fit_intercept)
        # To what vanishes U belongs by chance alone: it may be what no column explains
        left[:, flat] = 0.0
        z = left.T @ responses
        outside = responses - left @ z
        minima, t = rest + squares(outside), start.shape[1]
        z, r = z[:, :t], z[:, -t:]
        # The minimum is that of y and that of the residuals, known best from the smaller of them
        minimum = np.where(squares(r) < squares(z), minima[-t:], minima[:t])
        begin = vectors.T @ start
        steepest = int(np.argmax(singular))
        if not singular[steepest] < LARGEST_ROOT:
            raise ValueError(
                f"X: the squares of {numbered(np.argmax(np.abs(vectors[:, steepest])))} overflow; "
                'divide the column by a large number, or write learning_rate="auto".'
            )
        d = len(vectors) - fit_intercept
        units = Units.of(matrix[0, :d], np.linalg.norm(matrix[1:, :d], axis=0))
        curvature = Curvature(float(2 * singular[steepest] ** 2), vectors[:, steepest], units)
        still = start - vectors @ begin if len(vectors) > len(singular) else np.zeros_like(start)
        return cls(singular, vectors, z, r, begin, still, minimum, start, curvature, flat)

    @property
    def curvatures(self) -> np.ndarray:
        """(m,): the eigenvalues of the Hessian, exactly zero where the loss is flat."""
        return np.where(self.flat, 0.0, 2 * self.singular**2)

    @property
    def end(self) -> np.ndarray:
        """(p, t): the minimiser that a descent from the start comes to."""
        there, curved = self.start.copy(), ~self.flat
        there[curved] = self.response[curved] / self.singular[curved, None]
        return self.still + self.vectors @ there

    @property
    def moving(self) -> Modes:
        """Those that move, of any target: the others belong to what is still."""
        moving = self.residual.any(axis=1)
        return replace(
            self,
            singular=self.singular[moving],
            vectors=self.vectors[:, moving],
            response=self.response[moving],
            residual=self.residual[moving],
            start=self.start[moving],
            still=self.still + self.vectors[:, ~moving] @ self.start[~moving],
            flat=self.flat[moving],
        )


def _graded_svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U, S, V by one-sided Jacobi, which keeps the small singular values of badly scaled columns.

    (Drmac and Veselic 2008.) The usual drivers are accurate to eps times the largest only.
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


def _flat(
    matrix: np.ndarray, singular: np.ndarray, vectors: np.ndarray, fit_intercept: bool
) -> np.ndarray:
    """(m,): the directions beyond the rank, whose singular values are rounding.

    They are those with the least length beside what their columns would give if these were
    orthogonal. A column far from zero makes that small too, so the rank decides how many there are.
    """
    norms = np.linalg.norm(matrix, axis=0)
    apart = np.linalg.norm(norms[:, None] * vectors, axis=0)
    share = np.divide(singular, apart, out=np.zeros_like(apart), where=apart > 0)
    flat = np.zeros(len(share), dtype=bool)
    if share.min() < CURVED:
        flat[np.argsort(-share, kind="stable")[_rank(matrix, fit_intercept) :]] = True
    return flat


def _rank(matrix: np.ndarray, fit_intercept: bool) -> int:
    """Of the columns (with an intercept, about their means) divided by their norms.

    Units must not count. A singular value below ``64 eps sqrt(1 + d)`` is rounding.
    """
    # The first row of the triangle is the share in the ones, which are its last column
    first, d = int(fit_intercept), matrix.shape[1] - fit_intercept
    columns = matrix[first:, :d]
    norms = np.linalg.norm(columns, axis=0)
    values = np.linalg.svd(columns[:, norms > 0] / norms[norms > 0], compute_uv=False)
    return first + int((values > 64 * EPS * np.sqrt(1 + d)).sum())
