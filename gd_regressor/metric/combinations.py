"""Points in the space of the rows, where the minimiser of least norm lies, to the last bit."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Doubled, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.slices import Slices, largest_of
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.metric.row_space import RowSpace
from gd_regressor.objective.frame import Frame

# Newton's steps that take rounding away: mostly one does, and more than a few never help
STEPS = 4


@frozen
class Combinations:
    """Multiples of the centred rows, added up in twice the working precision.

    A point in doubles is beside the space of the rows by an eps of its largest coordinate, and no
    gradient shows by how much. So we keep a point as the multiples of the rows that make it.
    """

    sliced: Slices  # (n, d): the rows in the coordinates of a frame
    root: np.ndarray  # (n, 1): the roots of the weights' shares
    metric: RowSpace

    @classmethod
    def of(cls, x: np.ndarray, root: np.ndarray, frame: Frame, metric: RowSpace) -> Combinations:
        """Of rows x (n, d) as they are."""
        rows = Doubled.of(x / frame.scale, -frame.centre / frame.scale)
        return cls(Slices.of(rows, largest_of(rows.high), len(x)), root, metric)

    def sharpened(self, loss: Quadratic, theta: np.ndarray) -> Doubled:
        """The minimiser of least norm, from a point (p, t) beside it that differs by rounding.

        Newton's steps on the multiples. The `loss` takes points in twice the working precision,
        and shows what they lack.
        """
        d, worth = self.sliced.rest.shape[1], EPS * self.metric.condition_number**2
        multiples = Doubled.of(self.root * self.metric.multiples(theta[:d]))
        intercept = Doubled.of(theta[d:])
        for _ in range(STEPS):
            here = self._point(multiples, intercept)
            _, gradient = loss.value_and_gradient(here)
            step = self.metric.apply(gradient)
            multiples = multiples - self.root * self.metric.multiples(step[:d])
            intercept = intercept - step[d:]
            # What a step leaves is its rounding, times the square of the condition number
            if (worth * np.abs(step) <= EPS / 8 * np.abs(plain(here))).all():
                break
        return self._point(multiples, intercept)

    def _point(self, multiples: Doubled, intercept: Doubled) -> Doubled:
        largest = largest_of(multiples.high)
        w = self.sliced.T @ Slices.of(multiples, largest, len(multiples.high))
        parts = (w.high, intercept.high), (w.low, intercept.low)
        return Doubled(*map(np.concatenate, parts))
