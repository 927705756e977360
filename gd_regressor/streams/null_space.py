"""Dependent columns of a stream: the rows show them when they come, the moments cannot later."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.units import power_of_two_above
from gd_regressor.data.moments import Moments
from gd_regressor.data.root import merged
from gd_regressor.data.table import Rows
from gd_regressor.metric.dependence import vanishing
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss

# Two null spaces share a direction if it is the same in both up to this
SAME = 1e-12


@dataclass(frozen=True)
class NullSpace:
    """Combinations of columns that were constant in all rows so far: v'(x - centre)/scale + c = 0.

    Moments cannot tell such a combination from one that varies by 1e-8 of its columns. Rows can:
    after each chunk we keep the combinations that are constant on this chunk too.
    """

    centre: np.ndarray  # (d,)
    spread: np.ndarray  # (d,): the largest root mean square of x - centre in any chunk
    vectors: np.ndarray  # (d + 1, r): orthonormal; the last row is c
    slack: float  # error of the vectors of the first chunk, in units of rounding

    @classmethod
    def of(cls, rows: Rows, moments: Moments) -> NullSpace:
        """The combinations that are constant in the first chunk, which has these moments."""
        factor = Factor.of(moments)
        frame = Frame.of(moments, factor.scale, fit_intercept=True)
        vectors, _ = vanishing(factor, DataLoss(rows, frame), frame)
        constant = np.eye(len(vectors))[:, factor.constant]
        spread = np.where(factor.constant_columns, 0.0, factor.scale)
        vectors = _orthonormal(np.hstack([vectors, constant]))
        return cls(frame.centre, spread, vectors, factor.condition_number)

    @property
    def scale(self) -> np.ndarray:
        """(d,): powers of two near the spread; 1 for columns that were constant so far."""
        return power_of_two_above(self.spread)

    def within(self, rows: Rows) -> NullSpace:
        """Keep the combinations that are constant on these rows too."""
        if not self.vectors.shape[1]:
            return self
        centre = self.centre

        def squares(part):
            return sum(((x - centre) ** 2).sum(axis=0) for x, _, _ in part.blocks())

        with np.errstate(over="ignore"):
            seen = np.sqrt(rows.total(squares) / rows.n_rows)
        seen = np.where(np.isfinite(seen), seen, self.spread)
        wider = self._in(np.maximum(self.spread, seen))
        scale, vectors = wider.scale, wider.vectors

        def of_part(part):
            root, count = np.zeros((0, vectors.shape[1])), 0
            for x, _, _ in part.blocks():
                product = ((x - centre) / scale) @ vectors[:-1] + vectors[-1]
                root, count = merged(root, product), count + len(x)
            return root, count

        root, count = rows.total(of_part, _stacked)
        _, values, combinations = np.linalg.svd(root)
        noise = 32 * EPS * np.sqrt(1 + len(scale)) * self.slack
        varied = int((values > noise * np.sqrt(count)).sum())
        return replace(wider, vectors=vectors @ combinations[varied:].T)

    def _in(self, spread: np.ndarray, centre: np.ndarray | None = None) -> NullSpace:
        """The same combinations about another centre, in columns of another spread."""
        centre = self.centre if centre is None else centre
        other = NullSpace(centre, spread, self.vectors, self.slack)
        raw = self.vectors[:-1] / self.scale[:, None]
        constants = self.vectors[-1] + (centre - self.centre) @ raw
        moved = np.vstack([raw * other.scale[:, None], constants])
        return replace(other, vectors=_orthonormal(moved))

    def __and__(self, other: NullSpace) -> NullSpace:
        """The combinations in both."""
        spread = np.maximum(self.spread, other.spread)
        mine, theirs = self._in(spread), other._in(spread, self.centre)
        # A vector of the first space is in both if its projection on the second loses nothing
        rest = mine.vectors - theirs.vectors @ (theirs.vectors.T @ mine.vectors)
        _, values, combinations = np.linalg.svd(rest, full_matrices=True)
        slack = max(self.slack, other.slack)
        apart = int((values > SAME * slack).sum())
        return replace(mine, vectors=mine.vectors @ combinations[apart:].T, slack=slack)

    def in_frame(self, frame: Frame, constant: np.ndarray) -> np.ndarray:
        """(p, r): the combinations in the coordinates of `frame`, with the columns in `constant`.

        Without an intercept we keep only combinations that are zero: a constant does not vanish.
        """
        wider = self._in(np.maximum(self.spread, frame.scale))
        d, vectors, scale = len(self.spread), wider.vectors, wider.scale
        if not frame.fit_intercept:
            offset = self.centre / scale
            left = vectors[d] - offset @ vectors[:d]
            if np.abs(left).max(initial=0.0) > SAME * np.abs(offset).max(initial=1.0):
                vectors = vectors @ np.linalg.svd(left[None])[2][1:].T
        elif constant.any():
            vectors = np.hstack([vectors, np.eye(d + 1)[:, np.flatnonzero(constant)]])
            left, values, _ = np.linalg.svd(vectors, full_matrices=False)
            vectors = left[:, values > np.sqrt(SAME)]
        moved = np.zeros((frame.n_parameters, vectors.shape[1]))
        moved[:d] = vectors[:d] * (frame.scale / scale)[:, None]
        return moved


def _orthonormal(vectors: np.ndarray) -> np.ndarray:
    sizes = np.linalg.norm(vectors, axis=0)
    return np.linalg.qr(vectors / np.where(sizes > 0, sizes, 1.0))[0] if vectors.size else vectors


def _stacked(a, b):
    return merged(a[0], b[0]), a[1] + b[1]
