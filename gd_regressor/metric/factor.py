"""The metric P that turns a gradient into a direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack, qr, qr_multiply, solve_triangular

from gd_regressor.arithmetic.doubled import EPS, Point, plain
from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows
from gd_regressor.objective.on_rows import Frame

SMALLEST_SCALE = 1e-300
# A pivot below this share of its column's scatter may be rounding of the moments, whose size
# depends on the number of rows and the order of additions: the rows decide
SUSPECT = 1e-9
# Of the scatter that a column ever had, what is below this many eps after rows were removed
REMOVED = 64
# Where no pivot is below this share, the columns need no order by pivots
CLEAR = 1e-3
# An eigenvalue of R'R above this share of the largest has ten digits, in half the time
CERTAIN = 1e-6
# Above FEW columns the condition number is estimated, in POWERS iterations
FEW, POWERS = 128, 8


@dataclass(frozen=True)
class Identity:
    """No metric: the textbooks' direction is the gradient itself.

    For any metric, one step of 1/steepness lowers F by at least <g, Pg> / (2 steepness)
    (the descent lemma), so that much at least lies between F and its minimum.
    """

    steepness: float  # the largest eigenvalue of P H, here of H

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        return gradient


@dataclass(frozen=True)
class Diagonal:
    """Half the inverse of the columns' variances: what a metric without their products can be."""

    curvature: np.ndarray  # (d,): variances of the scaled columns, zero for constant ones
    scale: np.ndarray  # (d,): powers of two near the columns' deviations, 1 where that is 0

    source, steepness = "scaled", 1.0

    @classmethod
    def of(cls, moments: Moments, *, about_mean: bool) -> Diagonal:
        """From the scatter of the columns, about their means or about zero."""
        variance = moments.xx.diagonal() / moments.weight
        if not about_mean:
            variance = variance + moments.column_means**2
        scale = _power_of_two(variance)
        return cls(variance / scale**2, scale)

    @property
    def constant(self) -> np.ndarray:
        """(d,): which columns no direction ever moves."""
        return self.curvature <= 0

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        direction, d = gradient / 2, len(self.scale)
        direction[:d] /= np.where(self.constant, np.inf, self.curvature)[:, None]
        return direction

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The point (p, t) with zero where no direction leads."""
        theta = theta.copy()
        theta[: len(self.scale)][self.constant] = 0.0
        return theta

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(m,): a' P^-1 b / 2 for each column of `a` and `b` (p, m)."""
        d = len(self.scale)
        product = np.einsum("ij,i,ij->j", a[:d], self.curvature, b[:d])
        return product + np.vecdot(a[d:], b[d:], axis=0)

    def square(self, vectors: np.ndarray) -> np.ndarray:
        """(m,): the squares of `vectors` (p, m) in this product."""
        return self.product(vectors, vectors)

    def random(self, n_parameters: int) -> np.ndarray:
        """(p, 1): normal, of variance 1 in every direction of the columns in this product."""
        vector, moving = np.zeros((n_parameters, 1)), ~self.constant
        normal = np.random.default_rng(0).standard_normal(int(moving.sum()))
        vector[: len(self.scale)][moving, 0] = normal / np.sqrt(self.curvature[moving])
        return vector


def _power_of_two(variance: np.ndarray) -> np.ndarray:
    """The nearest to the deviation: numbers keep their bits in such units."""
    # Half the exponent of a variance is that of its root, rounded to the nearest; of 0 it is 0
    return np.ldexp(1.0, np.frexp(np.maximum(variance, 0.0))[1] >> 1)


@dataclass(frozen=True)
class Factor:
    """R with R'R the correlations of the columns, pivoted; as a metric, (2 R'R)^-1.

    `root` (r, d) has its columns in the data's order. The `pivots` (r of them) are columns that
    are independent of each other; `dropped` are those that depend on them, or may (the rows
    decide, see `null_vectors`); `constant` those with no scatter, which no direction ever moves.
    """

    root: np.ndarray  # (r, d)
    pivots: np.ndarray  # (r,)
    scale: np.ndarray  # (d,): powers of two near the columns' deviations, 1 where that is 0
    dropped: np.ndarray
    constant: np.ndarray
    source: str  # what was factored: "moments", a "sketch" of them, or "qr" (of the rows)
    in_order: bool = False  # whether all columns are pivots, in the data's order
    # (d,): what rounding left of the scaled columns' means; None where that is as good as nothing
    means: np.ndarray | None = None

    steepness = 1.0  # P H = I up to the rounding of what was factored

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
        if moments.held is not None:  # and what is left is rounding of what was removed
            rounding = EPS if moments.low is None else EPS**2
            gone = variance <= REMOVED * rounding * moments.held[: len(variance)] / moments.weight
            variance = np.where(gone, 0.0, variance)
        unit = _power_of_two(variance)
        scale = unit * moments.scale
        if scale.min() < SMALLEST_SCALE:
            raise ValueError(
                f"X: the values of column {scale.argmin()} are {scale.min():.1g} apart, too little "
                "to divide by; multiply the column."
            )
        constant = variance <= 0
        scatter /= unit
        scatter /= unit[:, None]
        root, pivots, in_order = _cholesky(scatter, suspect)
        return cls(root, pivots, scale, *_others(pivots, constant), source, in_order)

    @classmethod
    def of_rows(cls, rows: Rows, frame: Frame, without: np.ndarray) -> Factor:
        """Factor the rows themselves, by QR: it knows directions down to eps, not to its root.

        The columns `without` are known to depend on the others. Of those, a pivot below
        `4 eps sqrt(d (1 + blocks))` times the largest is rounding.
        """
        d = len(frame.scale)
        whole = Root.of(rows, frame.centre, frame.scale, frame.target_centre).mean_square
        means = whole[0, 1 : d + 1] / whole[0, 0] if frame.fit_intercept else None
        root = whole[int(frame.fit_intercept) :, 1 : d + 1]  # below the row of the ones: centred
        kept = np.setdiff1d(np.arange(d), without)
        q, upper, order = qr(root[:, kept], mode="economic", pivoting=True)
        pivots = np.abs(np.diag(upper))
        n_blocks = rows.n_rows / rows.block_rows
        noise = 4 * EPS * np.sqrt(d * (1 + n_blocks)) * pivots.max(initial=0)
        rank = int((pivots > noise).sum())
        constant = ~root.any(axis=0)
        pivots = kept[order[:rank]]
        root = q[:, :rank].T @ root
        root[:, pivots] = upper[:rank, :rank]
        return cls(root, pivots, frame.scale, *_others(pivots, constant), "qr", means=means)

    @cached_property
    def triangle(self) -> np.ndarray:
        """(r, r): R in the pivots' order, laid out for LAPACK."""
        return np.asfortranarray(self.root if self.in_order else self.root[:, self.pivots])

    @property
    def constant_columns(self) -> np.ndarray:
        """(d,): whether each column is constant."""
        return np.isin(np.arange(len(self.scale)), self.constant)

    @cached_property
    def condition_number(self) -> float:
        """Of the pivot columns, each scaled to deviation 1."""
        if len(self.pivots) > FEW:
            return self._condition_estimate()
        if not len(self.pivots):
            return 1.0
        squares = lapack.dsyevd(self.triangle.T @ self.triangle, compute_v=0)[0]
        if squares[0] > CERTAIN * squares[-1]:
            return math.sqrt(squares[-1] / squares[0])
        values = lapack.dgesdd(self.triangle, compute_uv=0)[1]
        return float(values[0] / values[-1])

    @property
    def rounding(self) -> float:
        """What descending on the rows leaves of coefficients, as a share of the largest."""
        return 64 * EPS * self.condition_number

    def _condition_estimate(self) -> float:
        """By power iterations: from below, mostly by less than a third."""
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
        if not len(right):  # which LAPACK refuses
            return right
        # Not through scipy's solve_triangular: its checks take longer than a small system
        return lapack.dtrtrs(self.triangle, right, trans=int(transposed))[0]

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """(2 R'R)^-1 on the pivots, 1/2 on the intercept (the last of p = d + 1), 0 elsewhere."""
        direction, d = gradient / 2, len(self.scale)
        if self.in_order:
            direction[:d] = lapack.dpotrs(self.triangle, direction[:d])[0]
            return direction
        if self.means is not None:  # columns far from zero: times the condition number it counts
            direction[:d] -= np.multiply.outer(self.means, direction[d])
        solved = self.solve(self.solve(direction[self.pivots], transposed=True))
        direction[:d] = 0.0
        direction[self.pivots] = solved
        if self.means is not None:
            direction[d] -= self.means @ direction[:d]
        return direction

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The point (p, t) with zero where no direction leads."""
        if len(self.pivots) < len(self.scale):
            theta = theta.copy()
            theta[self.dropped] = theta[self.constant] = 0.0
        return theta

    def rank(self, null_vectors: np.ndarray) -> int:
        """Of the centred columns, of which these combinations vanish."""
        return len(self.pivots) + len(self.dropped) - null_vectors.shape[1]

    def combinations(self, n_parameters: int) -> np.ndarray:
        """(p, m): each dropped column less what makes it least of the pivots."""
        m = len(self.dropped)
        vectors = np.zeros((n_parameters, m))
        if m:
            vectors[self.dropped, np.arange(m)] = 1.0
            vectors[self.pivots] = -self.solve(self.root[:, self.dropped])
        return vectors

    def null_vectors(self, loss, *, together: bool = False) -> tuple[np.ndarray, float]:
        """(p, m): combinations of scaled columns that vanish on the rows, and the condition.

        One for each dropped column: 1 there, and on the pivots what makes it least. The moments
        know that to eps times the squared condition number only, so it descends on the rows; what
        is left then is rounding, or the column was not dependent: it is left out, and the
        condition number of all columns is infinite for all that moments can tell. `together`
        tries first whether a random combination of all of them vanishes, in one pass.
        """
        m, d, p = len(self.dropped), len(self.scale), loss.frame.n_parameters
        if not m:
            return np.zeros((p, 0)), self.condition_number
        vectors = self.combinations(p)
        if together:
            cleaned = self._cleaned(vectors, self.rounding * self.condition_number)
            if self._span_vanishes(cleaned, loss):
                return cleaned, self.condition_number
        if self.source == "sketch":  # has no more digits to find out
            return vectors[:, :0], np.inf
        vectors[d:] -= loss.hessian_product(vectors)[d:] / 2  # the rounding of the means
        for _ in range(4):
            product = loss.hessian_product(vectors)
            null = self._vanish(vectors, product)
            vectors = vectors - self.apply(product)
            if null.all():
                break
        cleaned = self._cleaned(vectors, self.rounding)
        clean = null & self._vanish(cleaned, loss.hessian_product(cleaned))
        vectors = np.where(clean, cleaned, vectors)
        return vectors[:, null], self.condition_number if null.all() else np.inf

    def _cleaned(self, vectors: np.ndarray, rounding: float) -> np.ndarray:
        """These combinations without entries that may be `rounding`, as a share of the largest.

        What should be zero would count as much as a large entry in other units.
        """
        d, m = len(self.scale), vectors.shape[1]
        small = rounding * np.abs(vectors).max(axis=0)
        cleaned = np.where(np.abs(vectors) > small, vectors, 0.0)
        cleaned[d:], cleaned[self.dropped, np.arange(m)] = vectors[d:], 1.0
        return cleaned

    def _span_vanishes(self, vectors: np.ndarray, loss) -> bool:
        """Whether all combinations of these combinations of columns vanish, up to a constant.

        One at random shows it, to the rounding of the moments. The intercepts that take the
        constants away are written into the last row of `vectors`, where there is one.
        """
        d, random = len(self.scale), np.random.default_rng(0)
        sizes = random.uniform(1, 2, vectors.shape[1]) * random.choice([-1, 1], vectors.shape[1])
        asked = [vectors @ sizes]
        # A sketch knows the means of the columns as little as the rest, but they are in H
        inexact_means = loss.frame.fit_intercept and self.source == "sketch"
        if inexact_means:
            asked.append(np.eye(1, d + 1, d)[0])
        product = loss.hessian_product(np.stack(asked, axis=1)) / 2
        square = asked[0] @ product[:, 0]
        if inexact_means:
            square -= product[d, 0] ** 2
            vectors[d] = -product[:d, 1] @ vectors[:d]
        noise = EPS * max(6 * np.sqrt(1 + d), 64 * self.condition_number)
        return bool(square <= noise**2 * (asked[0] @ asked[0]))

    def _vanish(self, vectors: np.ndarray, product: np.ndarray) -> np.ndarray:
        """Which combinations (p, m) of the columns are rounding, with their Hessian `product`."""
        noise = 6 * EPS * np.sqrt(1 + len(self.scale))
        size = np.vecdot(vectors, vectors, axis=0)
        return np.vecdot(vectors, product, axis=0) <= noise**2 * size

    @property
    def raw_units(self) -> np.ndarray:
        """(d,): what scaled coefficients are in raw ones, in units of the column of least scale.

        In their own units the squares of coefficients could be beyond the range of floats.
        """
        moving = np.delete(self.scale, self.constant)
        finest = moving.min() if moving.size else 1.0
        return finest / np.maximum(self.scale, finest)

    def raw_norm(self, theta: Point) -> np.ndarray:
        """(t,): |w| of the raw columns, in those units."""
        w = plain(theta)[: len(self.scale)] * self.raw_units[:, None]
        return np.linalg.norm(w, axis=0)

    def least_norm(self, theta: Point, null_vectors: np.ndarray, noise: float) -> Point:
        """The coordinates of least raw |w| that differ from `theta` by `null_vectors` only.

        Moving along null vectors changes predictions by rounding of the move only; projecting on
        their complement would leave rounding of the largest coefficient in all. Of what two of
        them have apart, a share below their `noise` is not known.
        """
        raw = null_vectors[: len(self.scale)] * self.raw_units[:, None]
        largest = np.abs(raw).max(axis=1, initial=0.0)
        if not largest.any():
            return theta
        # Columns in other units make rows of other sizes. With the largest first, Householder's
        # method with pivoting rounds each by an eps of its own (Powell and Reid 1969; Cox and
        # Higham 1998)
        rows = np.argsort(-largest, kind="stable")[: np.count_nonzero(largest)]
        raw, units = raw[rows], self.raw_units[rows, None]
        w = plain(theta)[rows] * units
        turned, upper, order = qr_multiply(raw, w.T, pivoting=True)
        known = np.abs(upper.diagonal()) > noise * np.linalg.norm(raw[:, order], axis=0)
        upper, raw, order = upper[known][:, known], raw[:, order[known]], order[known]
        step = -null_vectors[:, order]
        theta = theta + step @ solve_triangular(upper, turned.T[known])
        # Seminormal equations put right what the rounding of large coefficients left in small ones
        for _ in range(2):
            slope = raw.T @ (plain(theta)[rows] * units)
            multiples = solve_triangular(upper, solve_triangular(upper, slope, trans=1))
            theta = theta + step @ multiples
        return theta


def _cholesky(correlation: np.ndarray, suspect: float) -> tuple[np.ndarray, np.ndarray, bool]:
    """The root (r, d), its columns in the given order, the pivots (r,), whether in that order."""
    upper, info = lapack.dpotrf(correlation)
    d = len(correlation)
    if info == 0 and upper.diagonal().min(initial=1.0) ** 2 > CLEAR:
        return upper, np.arange(d), True
    upper, order, rank, _ = lapack.dpstrf(correlation, tol=suspect)
    root, pivots = np.zeros((rank, d)), order[:rank] - 1
    root[:, order - 1] = np.triu(upper)[:rank]
    return root, pivots, np.array_equal(pivots, np.arange(d))


def _others(pivots: np.ndarray, constant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns that are neither pivots nor constant, and those that are constant."""
    if len(pivots) == len(constant):
        return pivots[:0], pivots[:0]
    dropped = ~constant
    dropped[pivots] = False
    return np.flatnonzero(dropped), np.flatnonzero(constant)
