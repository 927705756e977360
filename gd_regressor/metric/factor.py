"""Factor: the metric (2 R'R)^-1, where R is a triangular factor of the columns."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import lapack, qr

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.arithmetic.rounding import DESCENDED, condition_for
from gd_regressor.arithmetic.units import power_of_two_near_root
from gd_regressor.data.checks import numbered
from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Table
from gd_regressor.descent.nouns import Metric
from gd_regressor.descent.records import Bound
from gd_regressor.objective.frame import Frame

# A pivot below this share of its column's scatter may be rounding of the moments. The size of the
# rounding depends on the number of rows and the order of additions, so the rows decide
SUSPECT = 1e-9
# A pivot below this share may be rounding, if products were made in single precision
SUSPECT_SINGLE = 1e-4
# A scatter below this many eps of the largest scatter that the column ever had is rounding, which
# removed rows left behind
REMOVED = 64
# If all pivots are above this share, the columns need no order by pivots
CLEAR = 1e-3
# If the largest eigenvalue of R'R is at most so many times the smallest, both have nearly ten
# digits. We prefer eigenvalues then, because they take half the time of singular values
CERTAIN = condition_for(9.6, power=1)
# Above FEW_PIVOTS columns we estimate the condition number, in POWERS iterations
FEW_PIVOTS, POWERS = 128, 8


@frozen
class Factor(Metric):
    """R, where R'R are the correlations of the columns; as a metric, (2 R'R)^-1.

    The columns of `root` are in the order of the data. The r `pivots` are columns that do not
    depend on each other. Columns in `dropped` depend on the pivots, or may do so: the rows decide,
    in `vanishing` of metric/dependence.py. Columns in `constant` have no scatter, so no direction
    moves their coefficients.
    """

    root: np.ndarray  # (r, d)
    pivots: np.ndarray  # (r,)
    scale: np.ndarray  # (d,): powers of two near the columns' deviations; 1 for constant ones
    dropped: np.ndarray
    constant: np.ndarray
    source: str  # what we factored: "moments", moments of a "sketch", or the rows by "qr"
    in_order: bool = False  # whether all columns are pivots, in the order of the data
    # (d,): means of the scaled columns, which centring should have made zero; None where they are
    means: np.ndarray | None = None

    steepness = 1.0  # P H = I up to the rounding, or the sketch, of what was factored
    gap_is = Bound.ABOUT

    @classmethod
    def of(
        cls,
        moments: Moments,
        *,
        about_mean: bool = True,
        source: str = "moments",
        suspect: float = SUSPECT,
    ) -> Factor:
        """Factor the moments about the means, or about zero for a model without intercept."""
        scatter = moments.xx / moments.weight
        if not about_mean:
            mean = moments.origin / moments.scale + moments.mean
            scatter += np.multiply.outer(mean, mean)
        variance = scatter.diagonal()
        if moments.held is not None:  # rows were removed, and left their rounding behind
            rounding = EPS if moments.low is None else EPS**2
            gone = variance <= REMOVED * rounding * moments.held[: len(variance)] / moments.weight
            variance = np.where(gone, 0.0, variance)
        unit = power_of_two_near_root(variance)
        scale = unit * moments.scale
        if min(scale.tolist()) < SMALLEST_DIVISOR:
            raise ValueError(
                f"X: the values of {numbered(scale.argmin())} differ by {scale.min():.1g}, which "
                "is too little to divide by; multiply the column by a large number."
            )
        constant = variance <= 0
        scatter /= unit
        scatter /= unit[:, None]
        root, pivots, in_order = _cholesky(scatter, suspect)
        return cls(root, pivots, scale, *_others(pivots, constant), source, in_order)

    @classmethod
    def of_rows(
        cls, rows: Table, frame: Frame, without: np.ndarray, ridge: np.ndarray | None = None
    ) -> Factor:
        """Factor the rows by QR. R shows directions down to eps, R'R only down to its root.

        We leave out the columns `without`, which are known to depend on the others. A pivot below
        `4 eps sqrt(d (1 + blocks))` times the largest is rounding. A `ridge` (d,) adds the rows
        root(ridge_j) e_j.
        """
        d = len(frame.scale)
        whole = Root.of(rows, frame.centre, frame.scale, frame.target_centre).mean_square
        means = whole[0, 1 : d + 1] / whole[0, 0] if frame.fit_intercept else None
        # Below the row of the ones R is centred
        root = whole[int(frame.fit_intercept) :, 1 : d + 1]
        if ridge is not None:
            root = np.vstack([root, np.diag(np.sqrt(ridge))])
        kept = np.setdiff1d(np.arange(d), without)
        q, upper, order = qr(root[:, kept], mode="economic", pivoting=True)
        pivots = np.abs(np.diag(upper))
        n_blocks = rows.n_rows / rows.block_rows
        noise = 4 * EPS * np.sqrt(d * (1 + n_blocks)) * pivots.max(initial=0)
        rank = int((pivots > noise).sum())
        constant = np.logical_not(root.any(axis=0))
        pivots = kept[order[:rank]]
        root = q[:, :rank].T @ root
        root[:, pivots] = upper[:rank, :rank]
        return cls(root, pivots, frame.scale, *_others(pivots, constant), "qr", means=means)

    @cached_property
    def triangle(self) -> np.ndarray:
        """(r, r): R in the order of the pivots, in the memory order of LAPACK."""
        return np.asfortranarray(self.root if self.in_order else self.root[:, self.pivots])

    @property
    def constant_columns(self) -> np.ndarray:
        """(d,): whether each column is constant."""
        return np.isin(np.arange(len(self.scale)), self.constant)

    @cached_property
    def condition_number(self) -> float:
        """The condition number of the pivot columns, each scaled to deviation 1."""
        if len(self.pivots) > FEW_PIVOTS:
            return self._condition_estimate()
        if not len(self.pivots):
            return 1.0
        squares = lapack.dsyevd(self.triangle.T @ self.triangle, compute_v=0)[0]
        if CERTAIN * squares[0] > squares[-1]:
            return math.sqrt(squares[-1] / squares[0])
        values = lapack.dgesdd(self.triangle, compute_uv=0)[1]
        return float(values[0] / values[-1])

    @property
    def rounding(self) -> float:
        """The error that a descent on the rows leaves, as a share of the largest coefficient."""
        return DESCENDED * self.condition_number

    def _condition_estimate(self) -> float:
        """A lower bound by power iterations, mostly within a third."""
        vector = np.random.default_rng(0).standard_normal((2, len(self.pivots)))
        largest = smallest = 1.0
        for _ in range(POWERS):
            a, b = vector / np.linalg.norm(vector, axis=1, keepdims=True)
            a = self.triangle.T @ (self.triangle @ a)
            b = self.solve(self.solve(b[:, None], transposed=True))[:, 0]
            vector = np.stack([a, b])
            largest, smallest = np.linalg.norm(vector, axis=1)
        return float(np.sqrt(largest * smallest))

    def solve(self, right: np.ndarray, *, transposed: bool = False) -> np.ndarray:
        """T^-1 or T'^-1 times `right` (r, m), T the triangle."""
        if not len(right):  # LAPACK refuses empty matrices
            return right
        # Not scipy's solve_triangular, whose checks take longer than a small system
        return lapack.dtrtrs(self.triangle, right, trans=int(transposed))[0]

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """P times a gradient (p, t): (2 R'R)^-1 on the pivots, 1/2 on the intercept, else 0."""
        direction, d = gradient / 2, len(self.scale)
        if self.in_order:
            direction[:d] = lapack.dpotrs(self.triangle, direction[:d])[0]
            return direction
        if self.means is not None:  # errors of the means count times the condition number
            direction[:d] -= np.multiply.outer(self.means, direction[d])
        solved = self.solve(self.solve(direction[self.pivots], transposed=True))
        direction[:d] = 0.0
        direction[self.pivots] = solved
        if self.means is not None:
            direction[d] -= self.means @ direction[:d]
        return direction

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The point (p, t) with zero for dropped and constant columns."""
        if len(self.pivots) < len(self.scale):
            theta = theta.copy()
            theta[self.dropped] = theta[self.constant] = 0.0
        return theta


def _cholesky(correlation: np.ndarray, suspect: float) -> tuple[np.ndarray, np.ndarray, bool]:
    """The root (r, d) in the given order of columns, the pivots (r,), whether they are in order."""
    upper, info = lapack.dpotrf(correlation)
    d = len(correlation)
    if info == 0 and min(upper.diagonal().tolist(), default=1.0) ** 2 > CLEAR:
        return upper, np.arange(d), True
    upper, order, rank, _ = lapack.dpstrf(correlation, tol=suspect)
    root, pivots = np.zeros((rank, d)), order[:rank] - 1
    root[:, order - 1] = np.triu(upper)[:rank]
    return root, pivots, np.array_equal(pivots, np.arange(d))


def _others(pivots: np.ndarray, constant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns that are neither pivots nor constant, and the constant columns."""
    if len(pivots) == len(constant):
        return pivots[:0], pivots[:0]
    dropped = ~constant
    dropped[pivots] = False
    return np.flatnonzero(dropped), np.flatnonzero(constant)
