"""RidgedRows: the metric of ridges, in the space of few rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.descent.nouns import Metric
from gd_regressor.descent.records import Bound
from gd_regressor.metric.row_space import Thin, condition_of, is_known, rounding_of, singular_values

# One decomposition rounds all its columns by the largest. So columns whose sizes, in units of their
# ridges, differ by more than this have decompositions of their own
OF_ONE_PART = 1e6


class Part(NamedTuple):
    """Columns in units in which all of them have one ridge, and the space of their rows."""

    columns: np.ndarray  # (k,)
    unit: np.ndarray  # (k,): we divide the columns by it
    rows: Thin  # of the columns in these units
    ridge: float  # of each column in these units, for a strength of 1; zero for free columns
    graded: bool = False  # whether the sizes of the columns are very unequal

    @classmethod
    def ridged(
        cls, x: np.ndarray, root: np.ndarray, size: float, columns: np.ndarray, *, centred: bool
    ) -> Part:
        """Of columns with ridges, whose roots are `root` (d,). `size` brings them near 1."""
        unit = root[columns] * size
        x = (x if len(columns) == x.shape[1] else x[:, columns]) / unit
        return cls(columns, unit, Thin.of(x, centred=centred, whole=True), 1 / size / size)

    @classmethod
    def free(
        cls,
        x: np.ndarray,
        size: np.ndarray,
        scale: np.ndarray,
        columns: np.ndarray,
        *,
        centred: bool,
    ) -> Part:
        """Of columns without a ridge."""
        x, size = x[:, columns], size[columns]
        values = singular_values(x / size, centred=centred)
        if len(values) == len(columns):  # no units change their minimiser
            return cls(columns, size, Thin.of(x / size, centred=centred), 0.0)
        unit = (size * scale[columns]).max() / scale[columns]
        x = x / unit
        rows = Thin.of(x, centred=centred)
        if is_known(rows.values, values):
            return cls(columns, unit, rows, 0.0)
        return cls(columns, unit, Thin.of_graded(x, len(values)), 0.0, graded=True)

    def slopes(self, slope: np.ndarray) -> np.ndarray:
        """(r, t): the slopes along the basis, of slopes (d, t) by the coefficients."""
        return self.rows.basis.T @ (slope[self.columns] / self.unit[:, None])

    def coordinates(self, w: np.ndarray) -> np.ndarray:
        """(r, t): of the point nearest to coefficients (d, t), along the basis."""
        return self.rows.basis.T @ (w[self.columns] * self.unit[:, None])

    def coefficients(self, along: np.ndarray) -> np.ndarray:
        """(k, t): the coefficients at coordinates (r, t) along the basis."""
        return (self.rows.basis @ along) / self.unit[:, None]

    def squares(self, strengths: np.ndarray) -> np.ndarray:
        """(r, m): eigenvalues of the loss and its ridge; infinite where they may be rounding."""
        values = self.rows.values[:, None]
        noise = rounding_of(values, (len(self.rows.left), len(self.columns)))
        ridge = self.ridge * strengths
        known = (values > noise) | (ridge > noise**2) | (self.ridge == 0)
        return np.where(known, values**2 + ridge, np.inf)


@frozen
class RidgedRows(Metric):
    """The inverse of the Hessian in the space where the minimisers lie.

    At the minimum a coefficient with a ridge is a combination of the rows, in units in which all
    columns have one ridge. So is one without a ridge, in raw units, if the coefficients are to be
    short. A descent that starts in this space stays there.
    """

    parts: tuple[Part, ...]
    strengths: np.ndarray  # (m,): of the ridges
    which: np.ndarray  # (t,): the strength of each target
    n_columns: int

    source, steepness, gap_is = "dual", 1.0, Bound.ABOUT

    @cached_property
    def squares(self) -> np.ndarray:
        """(r, m): see `Part.squares`."""
        return np.concatenate([part.squares(self.strengths) for part in self.parts])

    @cached_property
    def along(self) -> np.ndarray:
        """(n, r): the rows along the bases."""
        return np.hstack([part.rows.left * part.rows.values for part in self.parts])

    @cached_property
    def roots(self) -> list[np.ndarray]:
        """(r, r): for each strength R, where R'R is half of the Hessian along the bases."""
        ridges = np.repeat([part.ridge for part in self.parts], self._ranks)
        roots = []
        for strength, known in zip(self.strengths, np.isfinite(self.squares.T), strict=True):
            ridge = np.diag(np.where(known, np.sqrt(strength * ridges), 1.0))
            roots.append(np.linalg.qr(np.vstack([self.along * known, ridge]), mode="r"))
        return roots

    @property
    def rank(self) -> int:
        """The rank of the columns."""
        values = np.linalg.svd(self.along, compute_uv=False)
        return int((values > rounding_of(values, (len(self.along), self.n_columns))).sum())

    @cached_property
    def condition_number(self) -> float:
        """Of the columns with their weakest ridge. The units of parts do not count."""
        weakest = int(self.strengths.argmin())
        if not self._are_diagonal:
            root = self.roots[weakest]
            sizes = self._split(np.linalg.norm(root, axis=0))
            for part, size in zip(self.parts, sizes, strict=True):
                size[:] = size if part.graded else size.max(initial=0.0)
            return float(np.linalg.cond(root / np.concatenate(sizes)))
        known = self.squares[:, weakest]
        known = np.sort(known[np.isfinite(known)])[::-1]
        return condition_of(np.sqrt(known))

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        """P times a gradient (p, t). On the intercept, the last of p = d + 1, P is 1/2."""
        direction = gradient / 2
        along = np.concatenate([part.slopes(direction) for part in self.parts])
        return self._written(self._solved(along), direction)

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        """The nearest point (p, t) in this space."""
        along = np.concatenate([part.coordinates(theta) for part in self.parts])
        return self._written(along, theta.copy())

    def _solved(self, along: np.ndarray) -> np.ndarray:
        """The solution (r, t) of the Hessians / 2 for slopes (r, t) along the bases."""
        if self._are_diagonal:
            return along / self.squares[:, self.which]
        known, solution = np.isfinite(self.squares[:, self.which]), np.zeros_like(along)
        along = along * known
        for i, root in enumerate(self.roots):
            on = self.which == i
            # The bound of divergence sees what is not finite
            half = solve_triangular(root, along[:, on], trans=1, check_finite=False)
            solution[:, on] = solve_triangular(root, half, check_finite=False)
        return solution

    def _written(self, along: np.ndarray, point: np.ndarray) -> np.ndarray:
        """The point (p, t), with coefficients at coordinates (r, t) along the bases."""
        point[: self.n_columns] = 0.0
        for part, own in zip(self.parts, self._split(along), strict=True):
            point[part.columns] = part.coefficients(own)
        return point

    @property
    def _are_diagonal(self) -> bool:
        """Whether the Hessians along the bases are."""
        return len(self.parts) == 1 and not self.parts[0].graded

    @property
    def _ranks(self) -> list[int]:
        return [len(part.rows.values) for part in self.parts]

    def _split(self, along: np.ndarray) -> list[np.ndarray]:
        """What belongs to each part."""
        return np.split(along, np.cumsum(self._ranks)[:-1])


@frozen
class ForEachTarget(Metric):
    """Metrics of targets that differ in more than the strength of their ridges."""

    metrics: tuple[tuple[np.ndarray, RidgedRows], ...]  # (t,): whether it is that of a target
    source: str  # of the rows: "dual" for those of the table, else where their factor came from

    steepness, gap_is = 1.0, Bound.ABOUT

    @property
    def rank(self) -> int:
        return max(metric.rank for _, metric in self.metrics)

    @property
    def condition_number(self) -> float:
        return max(metric.condition_number for _, metric in self.metrics)

    def apply(self, gradient: np.ndarray) -> np.ndarray:
        direction = np.empty_like(gradient)
        for on, metric in self.metrics:
            direction[:, on] = metric.apply(gradient[:, on])
        return direction

    def admissible(self, theta: np.ndarray) -> np.ndarray:
        inside = np.empty_like(theta)
        for on, metric in self.metrics:
            inside[:, on] = metric.admissible(theta[:, on])
        return inside


def ridged_rows(
    x: np.ndarray, l2: np.ndarray, scale: np.ndarray, *, centred: bool, source: str = "dual"
) -> ForEachTarget:
    """The metric of targets with these ridges.

    `x` (n, d) are rows in units `scale` (d,), times the roots of their shares of the weight, and
    `l2` (d, t) the ridges in these units. Targets differ by factors alone. A factor of zero leaves
    all columns free.
    """
    metrics, penalised = [], l2.any(axis=0)
    for on in (penalised, ~penalised):
        if on.any():
            metrics.append((on, _of_targets(x, l2[:, on], scale, centred=centred)))
    return ForEachTarget(tuple(metrics), source)


def _of_targets(x: np.ndarray, l2: np.ndarray, scale: np.ndarray, *, centred: bool) -> RidgedRows:
    first, size = l2[:, 0], np.maximum(x.max(axis=0, initial=0.0), -x.min(axis=0, initial=0.0))
    root, varying, parts = np.sqrt(first), size > 0, []
    free, rest = (np.flatnonzero(varying & a) for a in (root == 0, root > 0))
    if free.size:
        parts.append(Part.free(x, size, scale, free, centred=centred))
    size = size / np.where(root > 0, root, 1.0)
    while rest.size or not parts:
        largest = float(size[rest].max(initial=0.0)) or 1.0
        alike = size[rest] * OF_ONE_PART >= largest
        parts.append(Part.ridged(x, root, largest, rest[alike], centred=centred))
        rest = rest[~alike]
    most = first.argmax()
    ratios = l2[most] / first[most] if first[most] else np.ones(l2.shape[1])
    strengths, which = np.unique(ratios, return_inverse=True)
    return RidgedRows(tuple(parts), strengths, which, len(first))
