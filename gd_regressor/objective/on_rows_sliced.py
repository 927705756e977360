"""The squared loss of a table, its gradient right to some 66 bits at the price of two passes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import Doubled, Point, column_products, parts, plain, two_sum
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import COARSEST, FINEST
from gd_regressor.arithmetic.slices import bits_of
from gd_regressor.arithmetic.threads import product
from gd_regressor.arithmetic.units import power_of_two_near_root
from gd_regressor.data.table import Rows, Table, add_each
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss

# Entries of a block: the block and its two slices stay in the second-level cache
ENTRIES = 1 << 16
# We centre a table of so few entries, which takes fewer calls than to account for its offset
FEW = 1 << 13
# We centre columns further from zero than so many deviations: an offset costs its bits
FAR = 32.0
# Broadcasting along fewer columns takes longer than reading what it would repeat
NARROW = 64


@frozen
class SlicedLoss(Quadratic):
    """The loss at points of twice the working precision, for columns of low condition number.

    We cut each column in two: leading bits, whose products have no rounding, and the rest. Three
    products make the residual, and three the gradient. The deviation of a column bounds its
    entries, so we read the rows once.
    """

    rows: Table
    frame: Frame

    doubled, sharp = False, True

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    @staticmethod
    def suits(frame: Frame) -> bool:
        """Whether columns in these units can be cut."""
        scales = frame.scale.tolist()
        return min(scales) > FINEST and max(scales) < COARSEST

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t), each rounded once, at `theta` (p, t)."""
        frame, weight = self.frame, self.rows.total_weight
        pass_ = _Pass.at(theta, frame, self.rows)
        value, sums = self.rows.total(pass_.sums, add_each)
        d = len(frame.scale)
        if pass_.centre is None and frame.fit_intercept:
            # Near the minimum the residuals have hardly any sum, so this needs no more precision
            offset = frame.centre[:, None]
            columns = sums.high[:d] - offset * sums.high[d]
            columns += sums.low[:d] - offset * sums.low[d]
            gradient = np.concatenate((columns, plain(sums[d:])))
        else:
            p = frame.n_parameters
            gradient = sums.high[:p] + sums.low[:p]
        gradient[:d] /= frame.scale[:, None]
        gradient *= -2 / weight
        return value / weight, gradient

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m), in working precision."""
        return DataLoss(self.rows, self.frame).hessian_product(direction)


class _Pass(NamedTuple):
    """What a pass over the rows needs to know, and nothing of the rows."""

    height: int  # rows of a block
    bits: int  # of a first slice
    cuts: np.ndarray  # (d + 1,): adding and subtracting them leaves the leading bits of a column
    centre: np.ndarray | None  # (d,): what we subtract from the columns
    # Minus the point (d + 1, t) for these columns, the intercept last: rounded, leading bits, rest
    whole: np.ndarray
    lead: np.ndarray
    rest: np.ndarray

    @classmethod
    def at(cls, theta: Point, frame: Frame, rows: Table) -> _Pass:
        """For the loss at `theta` (p, t)."""
        n, d, weighted = rows.n_rows, len(frame.scale), rows.weighted
        height = max(ENTRIES // (d + 1), 1)
        bits = bits_of(max(min(height, n), d + 2))
        near = not weighted and rows.size > FEW
        near = near and bool((np.abs(frame.centre) <= FAR * frame.scale).all())
        # An entry is at most root n deviations from the mean, one of which is below root 2 scales.
        # The power of two beside the root of a weight is at most root 2 times as large as it
        reach = math.sqrt(2 * n) + FAR if near else 2 * math.sqrt(rows.total_weight)
        power = math.ldexp(1.0, math.frexp(reach)[1])
        # In these units columns are below `power`, and so are the ones beside them
        units = np.empty((d + 1, 1))
        units[:d, 0], units[d] = frame.scale, 1.0 if weighted else 1 / power
        pieces = _beside(theta, frame, near, units[d])
        whole, lead, rest = pieces
        unit = math.ldexp(0.75, 53 - bits)
        shift = np.ldexp(unit, np.frexp(_largest(whole))[1])
        np.add(whole, shift, out=lead)
        lead -= shift
        rest += whole - lead
        pieces /= -units  # minus, because we subtract the predictions from the targets
        centre = frame.centre if frame.fit_intercept and not near else None
        return cls(height, bits, unit * power * units[:, 0], centre, *pieces)

    def sums(self, part: Rows) -> list:
        """The sums over a part of the rows: squares (t,), and products with columns (d + 1, t)."""
        cuts = self.cuts[:-1]
        total: Any = None
        for x, y, s in part.blocks(self.height):
            if s is not None:
                here = self._of_weighted(x, y, s[:, None])
            else:
                if cuts.ndim == 1 and x.shape[1] < NARROW and x.size > FEW:
                    cuts = np.empty_like(x)  # in the order of the block
                    cuts[:] = self.cuts[:-1]
                here = self._of_block(cuts if cuts.ndim == 1 else cuts[: len(x)], x, y)
            total = here if total is None else add_each(total, here)
        return total

    def _of_block(self, cuts: np.ndarray, x: np.ndarray, y: np.ndarray) -> list:
        d, below = x.shape[1], None
        if self.centre is not None:
            x, below = two_sum(x, -self.centre)
        first = x + cuts
        first -= cuts
        second = x - first
        if below is not None:
            second += below
        most = product(first, self.lead[:d])
        most += self.lead[d]
        least = product(first, self.rest[:d])
        least += product(second, self.whole[:d])
        least += self.rest[d]
        residual, error = two_sum(y, most)
        error += least
        whole, lead, rest = self._cut(residual, error)
        sums, below = np.empty((2, d + 1, y.shape[1]))
        sums[:d] = product(first.T, lead)
        np.add.reduce(lead, out=sums[d])
        below[:d] = product(first.T, rest)
        below[:d] += product(second.T, whole)
        np.add.reduce(rest, out=below[d])
        return [column_products(whole, whole), Doubled(sums, below)]

    def _of_weighted(self, x: np.ndarray, y: np.ndarray, s: np.ndarray) -> list:
        """The same for rows times powers of two near the roots of their weights, of like size."""
        power = power_of_two_near_root(s)
        x, below = two_sum(x, 0.0 if self.centre is None else -self.centre)
        table = np.hstack((x, np.ones_like(s))) * power
        first = table + self.cuts
        first -= self.cuts
        second = table - first
        second[:, :-1] += below * power
        least = product(first, self.rest)
        least += product(second, self.whole)
        residual, error = two_sum(y * power, product(first, self.lead))
        error += least
        weighted = Doubled(residual, error) * (s / power**2)
        whole, lead, rest = self._cut(weighted.high, weighted.low)
        low = product(first.T, rest)
        low += product(second.T, whole)
        squares = column_products(whole, residual + error)
        return [squares, Doubled(product(first.T, lead), low)]

    def _cut(self, high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, ...]:
        """The sums of two columns (m, t), not of like size: rounded, leading bits, the rest."""
        whole = high + low
        low = low - (whole - high)
        shift = np.ldexp(math.ldexp(0.75, 53 - self.bits), np.frexp(_largest(whole))[1])
        lead = whole + shift
        lead -= shift
        rest = whole - lead
        rest += low
        return whole, lead, rest


def _largest(columns: np.ndarray) -> np.ndarray:
    return np.maximum.reduce(np.abs(columns))


def _beside(theta: Point, frame: Frame, near: bool, unit: np.ndarray) -> np.ndarray:
    """Three points (3, d + 1, t): `theta`, room for its leading bits, and what is below `theta`.

    The intercept belongs to raw columns (`near`) or to centred columns, in units of 1 / `unit`.
    """
    d, (high, low) = len(frame.scale), parts(theta)
    pieces = np.zeros((3, d + 1, theta.shape[1]))
    whole, _, rest = pieces
    whole[:d], rest[: len(high)] = high[:d], low
    if frame.fit_intercept:
        # At the minimum the intercept of centred columns is hardly anything
        rest[d] += high[d]
        whole[d] = frame.target_centre
        if near:
            offset = Doubled(whole[:d], rest[:d]).dot(frame.centre / frame.scale)
            whole[d], error = two_sum(whole[d], -offset.high)
            rest[d] += error - offset.low
        pieces[:, d] *= unit
    return pieces
