"""R of a QR factorisation of rows: it knows directions down to eps, where moments know its root."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.blocks import Rows
from gd_regressor.products import side_by_side


@dataclass(frozen=True)
class Root:
    """R of a QR factorisation of [1, (columns - centre) / scale, targets - target_centre].

    Rows are multiplied by the roots of their weights. The ones come first: they take the rounding
    of the means out of the columns, so that what is below the first row of R is centred. Roots of
    disjoint rows add up.
    """

    weight: float
    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,): powers of two
    target_centre: np.ndarray  # (t,)
    matrix: np.ndarray  # (m, 1 + d + t), m at most its width

    @classmethod
    def of(cls, rows: Rows, centre, scale, target_centre) -> Root:
        """That of `rows`, block by block."""
        width = 1 + rows.n_columns + rows.n_targets

        def of_part(part):
            matrix = np.zeros((0, width))
            for block in part.blocks():
                stack = np.empty((len(matrix) + len(block[0]), width))
                stack[: len(matrix)] = matrix
                side_by_side(stack[len(matrix) :], block, centre, target_centre, scale)
                matrix = np.linalg.qr(stack, mode="r")
            return matrix

        matrix = rows.total(of_part, _merged)
        return cls(rows.total_weight, centre, scale, target_centre, matrix)

    def __add__(self, other: Root) -> Root:
        moved, d = other.matrix.copy(), len(self.centre)
        ones = moved[:, :1]
        # Powers of two, and differences of like numbers: nothing is lost
        moved[:, 1 : d + 1] *= other.scale / self.scale
        moved[:, 1 : d + 1] += ones * ((other.centre - self.centre) / self.scale)
        moved[:, d + 1 :] += ones * (other.target_centre - self.target_centre)
        matrix = _merged(self.matrix, moved)
        weight = self.weight + other.weight
        return Root(weight, self.centre, self.scale, self.target_centre, matrix)

    def times(self, factor: float) -> Root:
        """That of the same rows with weights so many times as large."""
        return replace(self, weight=self.weight * factor, matrix=self.matrix * np.sqrt(factor))

    @property
    def mean_square(self) -> np.ndarray:
        """R divided by the root of the weight, so that the sums in R'R are means."""
        return self.matrix / np.sqrt(self.weight)


def _merged(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.qr(np.vstack([a, b]), mode="r")
