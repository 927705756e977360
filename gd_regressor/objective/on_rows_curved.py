"""A loss with a second derivative over a table: what Newton's steps need, in one pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product
from gd_regressor.data.moved import some_rows
from gd_regressor.data.table import Rows, add_each
from gd_regressor.descent.rho import Curved
from gd_regressor.objective.on_rows import DataLoss

# Rows whose products we make at once: a copy of them fits into the cache
BENT_AT_ONCE = 2048


class Bend(NamedTuple):
    """Weighted means over the rows for one target at a point: r residuals, x columns.

    The dual point h of a row is psi at the residual before, and its change along the tangent.
    """

    value: float  # rho(r)
    young: float  # rho(r) + rho*(h) - r h
    slope: np.ndarray  # (p,): x psi(r)
    hessian: np.ndarray  # (p, p): x x' rho''(r)


@frozen
class CurvedRows:
    """The rows of a table under such a loss."""

    square: DataLoss  # the squared loss of the same rows, in the same coordinates
    rho: Curved

    def bends(self, theta: np.ndarray, before: np.ndarray, targets: np.ndarray) -> list[Bend]:
        """At points (p, m) of these targets (m,), after steps from the points `before`."""
        m, d, rho = len(targets), len(self.square.frame.scale), self.rho
        reader, sparse = self._reader(theta, before, targets), self.square.rows.is_sparse

        def of_part(part: Rows):
            means, slopes = np.zeros((2, m)), np.zeros((d + 1, m))
            hessians = [np.zeros((d + 1, d + 1)) for _ in range(m)]
            for x, s, r, old in reader(part):
                h = rho.slope(old) + rho.curvature(old) * (r - old)
                terms = np.stack([rho.value(r), rho.young(r, h)])
                pull, bent = rho.slope(r), rho.curvature(r)
                if s is not None:
                    pull *= s[:, None]
                    bent *= s[:, None]
                    terms = np.where(s[:, None] > 0, s[:, None] * terms, 0.0)
                means += terms.sum(axis=1)
                slopes[:-1] += product(x.T, pull.astype(x.dtype, copy=False))
                slopes[-1] += pull.sum(axis=0)
                for j, total in enumerate(hessians):
                    _add_products(total, x, bent[:, j], sparse=sparse)
            return [means, slopes, *hessians]

        means, slopes, *hessians = self.square.rows.total(of_part, add_each)
        weight = self.square.rows.total_weight
        slopes, (value, young) = self.square.in_frame(slopes) / weight, means / weight
        return [
            Bend(float(value[j]), float(young[j]), slopes[:, j], self._in_frame(hessians[j]))
            for j in range(m)
        ]

    def values(self, thetas: np.ndarray, target: int) -> np.ndarray:
        """(m,): the mean loss of one target at so many points (p, m)."""
        rho, m = self.rho, thetas.shape[1]
        reader = self._reader(thetas, thetas[:, :0], np.full(m, target))

        def of_part(part: Rows):
            total = np.zeros(m)
            for _, s, r, _ in reader(part):
                total += rho.value(r).sum(axis=0) if s is None else s @ rho.value(r)
            return [total]

        (total,) = self.square.rows.total(of_part, add_each)
        return total / self.square.rows.total_weight

    def _reader(self, one: np.ndarray, other: np.ndarray, targets: np.ndarray):
        """A function that yields columns, weights and the residuals (n, m) at two points."""
        pairs = [self.square.unscaled(theta) for theta in (one, other)]
        w, b = (np.concatenate(pair, axis=-1) for pair in zip(*pairs, strict=True))
        blocks, m = self.square.reader(), one.shape[1]
        centre = self.square.frame.target_centre[targets]

        def residuals(part: Rows):
            for x, y, s in blocks(part):
                fitted, target = product(x, w) + b, y[:, targets] - centre
                yield x, s, target - fitted[:, :m], target[:, : len(b) - m] - fitted[:, m:]

        return residuals

    def _in_frame(self, products: np.ndarray) -> np.ndarray:
        products = self.square.in_frame(self.square.in_frame(products).T)
        return products / self.square.rows.total_weight


def _add_products(total: np.ndarray, x: Any, bent: np.ndarray, *, sparse: bool) -> None:
    """Add x x' of rows beside ones, times `bent` (n,), to a total (d + 1, d + 1)."""
    rows = np.flatnonzero(bent)
    for first in range(0, len(rows), BENT_AT_ONCE):
        some = rows[first : first + BENT_AT_ONCE]
        few = np.ones((len(some), x.shape[1] + 1))
        few[:, :-1] = x[some].toarray() if sparse else some_rows(x, some)
        few *= np.sqrt(bent[some])[:, None]
        total += product(few.T, few)
