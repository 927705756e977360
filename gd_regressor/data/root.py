"""Root: R of a QR factorisation. R shows directions down to eps, moments down to its root."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.linalg import lstsq, qr

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.data.products import side_by_side
from gd_regressor.data.table import WIDE, Rows, Table


@dataclass(frozen=True)
class Root:
    """R of a QR factorisation of [1, (columns - centre) / scale, targets - target_centre].

    Each row is multiplied by the root of its weight. The column of ones comes first. It takes the
    rounding of the means out of the other columns, so R is centred below its first row. Roots of
    disjoint rows add up by `+`.
    """

    weight: float
    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,): powers of two
    target_centre: np.ndarray  # (t,)
    matrix: np.ndarray  # (m, 1 + d + t): R, with m <= 1 + d + t
    n_rows: int
    merges: int  # number of factorisations behind R

    @classmethod
    def of(cls, rows: Table, centre, scale, target_centre) -> Root:
        """Factor `rows`, block by block."""
        of_part = partial(_factored, centre=centre, scale=scale, target_centre=target_centre)

        def add(a, b):
            return merged(a[0], b[0]), a[1] + b[1] + 1

        # LAPACK copies a block under R, which takes several times the memory of R. So wide tables
        # have one stretch of rows
        matrix, merges = rows.total(of_part, add, stretches=1 if rows.n_columns > WIDE else 0)
        weight = rows.total_weight
        return cls(weight, centre, scale, target_centre, matrix, rows.n_rows, merges)

    @classmethod
    def of_part(cls, rows: Rows, centre, scale, target_centre) -> Root | None:
        """Factor rows in memory, on this thread; None if none of them has weight."""
        weight = rows.total_weight
        if not weight:
            return None
        matrix, merges = _factored(rows, centre, scale, target_centre)
        return cls(weight, centre, scale, target_centre, matrix, rows.n_rows, merges)

    def __add__(self, other: Root) -> Root:
        moved, d = other.matrix.copy(), len(self.centre)
        ones = moved[:, :1]
        # Factors are powers of two, and the centres are nearly equal: neither loses digits
        moved[:, 1 : d + 1] *= other.scale / self.scale
        moved[:, 1 : d + 1] += ones * ((other.centre - self.centre) / self.scale)
        moved[:, d + 1 :] += ones * (other.target_centre - self.target_centre)
        matrix = merged(self.matrix, moved)
        return replace(
            self,
            weight=self.weight + other.weight,
            matrix=matrix,
            n_rows=self.n_rows + other.n_rows,
            merges=self.merges + other.merges + 1,
        )

    def times(self, factor: float) -> Root:
        """The root of the same rows with all weights times `factor`."""
        return replace(self, weight=self.weight * factor, matrix=self.matrix * np.sqrt(factor))

    @property
    def noise(self) -> float:
        """The rounding of R, relative to the deviation of a column."""
        return float(4 * EPS * np.sqrt(len(self.scale) * (1 + self.merges) + self.n_rows))

    @property
    def dependences(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Centred columns that depend on others up to `noise`.

        Each item is a column, the columns on which it depends, and their coefficients.
        """
        d = len(self.scale)
        centred = self.mean_square[1:, 1 : d + 1]
        deviations = np.linalg.norm(centred, axis=0)
        varied = np.flatnonzero(deviations > 0)
        if not varied.size:
            return []
        scaled = centred[:, varied] / deviations[varied]
        _, upper, order = qr(scaled, mode="economic", pivoting=True)
        rank = int((np.abs(upper.diagonal()) > self.noise).sum())
        if rank == varied.size or not rank:
            return []
        combination = lstsq(upper[:rank, :rank], upper[:rank, rank:])[0]
        others = varied[order[:rank]]
        return [
            (int(j), others, combination[:, i] * deviations[j] / deviations[others])
            for i, j in enumerate(varied[order[rank:]])
        ]

    @property
    def mean_square(self) -> np.ndarray:
        """R divided by the root of the weight, so that the sums in R'R are means."""
        return self.matrix / np.sqrt(self.weight)


def _factored(rows: Rows, centre, scale, target_centre) -> tuple[np.ndarray, int]:
    """R of the rows, and the number of factorisations behind it."""
    width = 1 + rows.n_columns + rows.n_targets
    matrix, merges = np.zeros((0, width)), 0
    for block in rows.blocks():
        stack = np.empty((len(matrix) + len(block[0]), width))
        stack[: len(matrix)] = matrix
        side_by_side(stack[len(matrix) :], block, centre, target_centre, scale)
        matrix, merges = np.asarray(np.linalg.qr(stack, mode="r")), merges + 1
    return matrix, merges


def merged(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """R of the rows of two factors R."""
    return np.asarray(np.linalg.qr(np.vstack([a, b]), mode="r"))
