"""The squared loss of a table at points of twice the working precision."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce

import numpy as np

from gd_regressor.arithmetic.doubled import (
    Doubled,
    plain,
)
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.slices import Slices, largest_of
from gd_regressor.arithmetic.units import power_of_two_above, power_of_two_near_root
from gd_regressor.data.table import Rows, Table, add_each
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.objective.frame import Frame

# Entries of a block: doubled arithmetic makes some ten arrays of its size
DOUBLED_ENTRIES = 1 << 16
# Slices of leading bits beyond what moments can tell: what is below two of them shows there
FINE_SLICES = 3


@frozen
class DoubledLoss(Quadratic):
    """F at points of twice the working precision, with all sums in this precision.

    If columns nearly depend on each other, the squared condition number takes digits of residual
    and gradient away. The coefficients have the digits that remain.
    """

    rows: Table
    frame: Frame
    slices: int = 2  # slices of leading bits; each one makes products 22 bits more exact

    doubled = True

    def lift(self, theta: np.ndarray) -> Doubled:
        return Doubled.of(theta)

    def value_and_gradient(self, theta: Doubled) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t), each rounded once, at `theta` (p, t)."""
        frame, slices, sums_of = self.frame, self.slices, self._sums

        def of_part(part):
            height = max(DOUBLED_ENTRIES // part.width, 1)
            sums = (sums_of(frame, slices, theta, *block) for block in part.blocks(height))
            return reduce(_both, sums, None)

        value, gradient = map(plain, self.rows.total(of_part, add_each))
        weight = self.rows.total_weight
        return value / weight, -2 * gradient / weight

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m): a gradient for zero targets."""
        count = direction.shape[1]
        rows = self.rows.with_targets(partial(_no_targets, count=count))
        beside = replace(self, rows=rows, frame=self.frame._replace(target_centre=np.zeros(count)))
        return beside.value_and_gradient(Doubled.of(direction))[1]

    @staticmethod
    def _sums(frame: Frame, slices: int, theta: Doubled, x, y, s) -> tuple[Doubled, Doubled]:
        """The sums over a block for the loss (t,) and its gradient (p, t)."""
        shape = len(x), frame.n_parameters
        # Operations on each column are fast along the longer side
        table = np.ones(shape, order="F" if shape[0] > shape[1] else "C")
        centre, targets = np.zeros(shape[1]), frame.target_centre
        np.multiply(x, 1 / frame.scale, out=table[:, : x.shape[1]])
        np.multiply(frame.centre, 1 / frame.scale, out=centre[: x.shape[1]])
        if s is not None:  # multiply rows by powers of two near the roots of weights: like sizes
            power = power_of_two_near_root(s)[:, None]
            table, centre, y, targets = table * power, centre * power, y * power, targets * power
            s = s[:, None] / power**2
        design = Doubled.of(table, -centre)
        largest, terms = largest_of(design.high), max(shape)
        design = Slices.of(design, largest, terms, slices)
        # The terms x_ij w_j of a row have one common last bit if bounds of x_j times w_j are equal
        size = power_of_two_above(largest)[:, None]
        largest = (size * np.abs(theta.high)).max(axis=0, initial=0.0) / size
        residual = Doubled.of(y, -targets) - design @ Slices.of(theta, largest, terms, slices)
        weighted = residual if s is None else residual * s
        squares = np.ascontiguousarray((weighted.high * residual.high).T).sum(axis=1)  # in pairs
        sliced = Slices.of(weighted, largest_of(weighted.high), terms, slices)
        return Doubled.of(squares), design.T @ sliced


def _both(a, b):
    return b if a is None else add_each(a, b)


def _no_targets(rows: Rows, count: int) -> np.ndarray:
    """Zeros that take no memory."""
    return np.broadcast_to(0.0, (rows.n_rows, count))
