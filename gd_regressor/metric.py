"""The metric P that turns a gradient into a direction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack, lstsq, qr, solve_triangular, svdvals

from gd_regressor.blocks import Rows, map_stretches
from gd_regressor.doubled import Point, plain
from gd_regressor.losses import Frame
from gd_regressor.moments import Moments

EPS = np.finfo(np.float64).eps
SMALLEST_SCALE = 1e-300


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
class Factor:
    """R with R'R the correlations of the columns, by pivoted Cholesky; as a metric, (2 R'R)^-1.

    `root` (r, d) has its columns in the data's order. The `pivots` (r of them) are columns that
    are independent to the accuracy of moments; `dropped` are those that depend on them, and
    `constant` those with no scatter, which no direction ever moves. A correlation matrix has
    rounding of some eps in each entry, so a pivot below `4 eps max(8, sqrt(d))` of a column's
    own scatter is noise.
    """

    root: np.ndarray  # (r, d)
    scale: np.ndarray  # (d,): the deviation of each column in its own units, 1 where it is 0
    pivots: np.ndarray
    dropped: np.ndarray
    constant: np.ndarray
    source: str  # what was factored: "moments" or "qr" (of the rows)

    steepness = 1.0  # P H = I up to the rounding of the moments

    @classmethod
    def of(cls, moments: Moments, *, about_mean: bool = True) -> Factor:
        """Factor the moments about the means, or about zero for a model without intercept."""
        scatter = moments.xx
        if not about_mean:
            mean = moments.origin / moments.scale + moments.mean
            scatter = scatter + moments.weight * np.multiply.outer(mean, mean)
        deviation = np.sqrt(np.diag(scatter) / moments.weight)
        # Units are powers of two, in which numbers keep their bits
        unit = np.where(
            deviation > 0, np.exp2(np.round(np.log2(np.maximum(deviation, 1e-300)))), 1.0
        )
        scale = unit * moments.scale
        if scale.min() < SMALLEST_SCALE:
            raise ValueError(
                f"X: the values of column {scale.argmin()} are {scale.min():.1g} apart, too little "
                "to divide by; multiply the column."
            )
        threshold = 4 * EPS * max(8.0, np.sqrt(len(scale)))
        correlation = scatter / moments.weight / unit / unit[:, None]
        upper, order, rank, _ = lapack.dpstrf(correlation, tol=threshold)
        return cls._of_pivoted(np.triu(upper), order - 1, rank, scale, deviation == 0, "moments")

    @classmethod
    def of_rows(cls, rows: Rows, frame: Frame) -> Factor:
        """Factor the rows themselves, by QR: it knows directions down to eps, not to its root.

        A pivot below `d eps` of a column's own deviation is rounding.
        """
        d = len(frame.scale)

        def stretch(first, last):
            root = np.zeros((0, d))
            for x, _, s in rows.blocks(first, last):
                z = (x - frame.centre) / frame.scale
                z = z if s is None else z * np.sqrt(s)[:, None]
                root = np.linalg.qr(np.vstack([root, z]), mode="r")
            return root

        root = np.linalg.qr(np.vstack(map_stretches(rows, stretch)), mode="r")
        upper, order = qr(root / np.sqrt(rows.total_weight), mode="r", pivoting=True)
        pivots = np.abs(np.diag(upper))
        rank = int((pivots > d * EPS * max(pivots.max(initial=0), 1e-300)).sum())
        return cls._of_pivoted(upper, order, rank, frame.scale, ~root.any(axis=0), "qr")

    @classmethod
    def _of_pivoted(cls, upper, order, rank, scale, constant, source) -> Factor:
        root = np.zeros((rank, len(order)))
        root[:, order] = upper[:rank]
        dropped = order[rank:][~constant[order[rank:]]]
        pivots, constant = order[:rank], np.flatnonzero(constant)
        return cls(root, scale, pivots, np.sort(dropped), constant, source)

    @cached_property
    def triangle(self) -> np.ndarray:
        """(r, r): R in the pivots' order."""
        return self.root[:, self.pivots]

    @cached_property
    def condition_number(self) -> float:
        """Of the pivot columns, each scaled to deviation 1."""
        values = svdvals(self.triangle)
        return float(values[0] / values[-1]) if values.size else 1.0

    def solve(self, right: np.ndarray, *, transposed: bool = False) -> np.ndarray:
        """T^-1 or T'^-1 times `right` (r, m), T the triangle."""
        if not len(right):  # which LAPACK refuses
            return right
        return solve_triangular(self.triangle, right, trans=int(transposed))

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """(2 R'R)^-1 on the pivots, 1/2 on the intercept (the last of p = d + 1), 0 elsewhere."""
        direction = np.zeros_like(gradient)
        half = self.solve(gradient[self.pivots], transposed=True)
        direction[self.pivots] = 0.5 * self.solve(half)
        direction[len(self.scale) :] = 0.5 * gradient[len(self.scale) :]
        return direction

    def null_vectors(self, loss) -> tuple[np.ndarray, float]:
        """(p, m): combinations of scaled columns that vanish on the rows, and the condition.

        One for each dropped column: 1 there, and on the pivots what makes it least. The moments
        know that to eps times the squared condition number only, so it descends on the rows; what
        is left then is rounding, or the column was not dependent: it is left out, and the
        condition number of all columns is infinite for all that moments can tell.
        """
        m = len(self.dropped)
        vectors = np.zeros((loss.n_parameters, m))
        if not m:
            return vectors, self.condition_number
        vectors[self.dropped, np.arange(m)] = 1.0
        vectors[self.pivots] = -self.solve(self.root[:, self.dropped])
        noise = (64 * EPS * max(8.0, np.sqrt(len(self.scale)))) ** 2
        for _ in range(4):
            product = loss.hessian_product(vectors)
            size = np.einsum("ij,ij->j", vectors, vectors)
            null = np.einsum("ij,ij->j", vectors, product) <= noise * size
            if null.all():
                return vectors, self.condition_number
            vectors = vectors - self.apply(product)
        return vectors[:, null], np.inf

    def least_norm(self, theta: Point, null_vectors: np.ndarray) -> Point:
        """The coordinates of least raw |w| that differ from `theta` by `null_vectors` only.

        Moving along null vectors changes no prediction, however the multiples are rounded;
        projecting on their complement would leave rounding of the largest coefficient in all.
        """
        if not null_vectors.size:
            return theta
        d = len(self.scale)
        raw = null_vectors[:d] / self.scale[:, None]
        size = np.linalg.norm(raw, axis=0)
        w = plain(theta)[:d] / self.scale[:, None]
        multiples = lstsq(raw / size, w, lapack_driver="gelsy")[0]
        return theta + -(null_vectors / size) @ multiples
