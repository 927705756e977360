"""Findings: the moments of a table, and which columns depend on others, as the rows show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.ranges import LARGEST_FACTOR
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.table import Given, Table
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.metric.dependence import Dependence, vanishing, vanishing_together
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import Frame, shift_of, shift_of_full
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_doubled import DoubledLoss
from gd_regressor.objective.on_rows_sliced import SlicedLoss

# Doubled precision pays above these condition numbers, in large tables and in small ones. Sums
# over many rows in working precision lose more digits than a QR factorisation.
WELL_CONDITIONED = condition_for(11.6, power=2)
DOUBLED_FROM = condition_for(12.3, power=2)
# Of up to FEW_DROPPED columns we find in doubled precision what they depend on, and of more where
# that is no more work than a pass over so many entries: more would take longer than all else
FEW_DROPPED, MOST_ENTRIES = 8, 1 << 24
# Rounding of null vectors that were found in doubled precision, as a share of the largest entry
NULL_NOISE = 4 * EPS


class Findings(NamedTuple):
    """What the moments of a table, and passes over dependent columns, have shown."""

    rows: Table  # which the moments have checked
    moments: Moments
    factor: Factor
    frame: Frame
    dependence: Dependence
    loss: Quadratic  # on the rows, in the precision that the condition number asks for
    lossy: bool  # whether working precision loses digits on these columns

    @classmethod
    def of(cls, given: Given, fit_intercept: bool) -> Findings:
        """From one pass over the rows. Columns that may be dependent need more passes."""
        moments, rows = given.seen_by(first_moments)
        factor = Factor.of(moments, about_mean=fit_intercept)
        frame = Frame.of(moments, factor.scale, fit_intercept)
        lossy = factor.condition_number > (DOUBLED_FROM if rows.is_small else WELL_CONDITIONED)
        working = DataLoss(rows, frame, shift_in(rows, frame))
        doubled = lossy and (rows.is_small or rows.precision == np.float64)
        loss = DoubledLoss(rows, frame) if doubled else working
        judge = judge_of(rows, factor, loss, working)
        rough = not (rows.is_small or lossy)  # null vectors need few digits
        vectors = vanishing_together(factor, judge, frame) if rough else None
        condition = factor.condition_number
        if vectors is None:
            vectors, condition = vanishing(factor, judge, frame)
        noise = factor.rounding * (factor.condition_number if rough else 1)
        noise = NULL_NOISE if judge.doubled else noise
        dependence = Dependence(factor, vectors, condition, noise)
        return cls(rows, moments, factor, frame, dependence, loss, lossy)

    def moving(self, ridge: np.ndarray | None) -> np.ndarray:
        """(q,): the coordinates that move, with a `ridge` (d, t) in the frame or without one.

        Without one, no column depends on others. Where it is as stiff as floats allow for each
        target, it may be stiffer still, and the coefficient is nearer to zero than they would tell.
        """
        d = len(self.frame.scale)
        moving = np.ones(self.frame.n_parameters, dtype=bool)
        moving[:d] = np.isin(np.arange(d), self.factor.pivots)
        if ridge is not None:
            moving[:d] = ~self.factor.constant_columns & (ridge < LARGEST_FACTOR).any(axis=1)
        return np.flatnonzero(moving)


def loss_for(rows: Table, frame: Frame, condition: float) -> Quadratic | None:
    """The loss on the rows with as many digits as a condition number asks for.

    None for large tables of well-conditioned columns, whose moments have them all.
    """
    double = rows.precision == np.float64
    if condition > (DOUBLED_FROM if rows.is_small else WELL_CONDITIONED) and (
        double or rows.is_small
    ):
        return DoubledLoss(rows, frame)
    if rows.is_small and double:
        return SlicedLoss(rows, frame) if SlicedLoss.suits(frame) else DoubledLoss(rows, frame)
    return DataLoss(rows, frame) if rows.is_small else None


def shift_in(rows: Table, frame: Frame) -> np.ndarray | None:
    """What is subtracted from the columns of a block, see `DataLoss`."""
    if rows.is_sparse:
        return shift_of_full(rows, frame)
    return None if rows.is_small else shift_of(frame)


def judge_of(rows: Table, factor: Factor, loss: Quadratic, working: Quadratic) -> Quadratic:
    """The loss that judges which combinations vanish: `loss` for few of them, else `working`."""
    dropped = len(factor.dropped)
    few = dropped <= FEW_DROPPED or rows.size * dropped <= MOST_ENTRIES
    return loss if few else working
