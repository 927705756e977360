"""Gathered: all rows of a table with more columns than rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.ranges import SMALLEST_ROOT
from gd_regressor.arithmetic.units import power_of_two_above
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Rows, Table
from gd_regressor.objective.frame import AtZero, Frame


class Gathered(NamedTuple):
    """Rows in one array: they are fewer numbers than moments."""

    raw: np.ndarray  # (n, d)
    root: np.ndarray  # (n, 1): roots of the shares of the weight
    x: np.ndarray  # (n, d): centred columns in one unit, times the roots
    targets: Moments  # of the targets alone
    frame: Frame
    at_zero: AtZero

    @classmethod
    def of(cls, rows: Table, fit_intercept: bool) -> Gathered:
        """Gather the rows, in one unit for all columns whose squares do not vanish there."""
        blocks = rows.total(_blocks_of)
        whole: list[Any]  # columns, targets, and weights or None
        whole = [None if a[0] is None else np.concatenate(a) for a in zip(*blocks, strict=True)]
        x, y, s = whole
        share = np.full(len(x), 1 / len(x)) if s is None else s / s.sum()
        raw, root = x, np.sqrt(share)[:, None]
        exact = Moments.of_rows(rows.targets_only)
        x, centre = _centred(x, share) if fit_intercept else (x, np.zeros(x.shape[1]))
        target_centre = exact.target_means if fit_intercept else np.zeros_like(exact.target_means)
        largest = np.abs(x).max(axis=0)
        one = power_of_two_above(largest.max())  # so no square overflows
        vanish = (largest > 0) & (largest < SMALLEST_ROOT * one)
        scale = np.where(vanish, power_of_two_above(largest), one)
        x = x / scale * root
        frame = Frame(centre, scale, target_centre, fit_intercept)
        value = exact.yy / exact.weight
        value = value if fit_intercept else value + exact.target_means**2
        at_zero = AtZero(value, -2 * (x.T @ (root * (y - target_centre))))
        return cls(raw, root, x, exact, frame, at_zero)

    def in_one_unit(self) -> Gathered:
        """The same rows, where columns that vanish beside the largest one do so."""
        scale = self.frame.scale
        one = np.full_like(scale, scale.max())
        if np.array_equal(scale, one):
            return self
        frame, ratio = self.frame._replace(scale=one), scale / one
        at_zero = self.at_zero._replace(slope=self.at_zero.slope * ratio[:, None])
        return self._replace(x=self.x * ratio, frame=frame, at_zero=at_zero)


def _centred(x: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The centred columns of x, and the subtracted point, which is near their means."""
    centre = x[0] + share @ (x - x[0])
    x = x - centre
    return x - share @ x, centre  # this subtracts the rounding of the means


def _blocks_of(rows: Rows) -> list:
    return list(rows.blocks())
