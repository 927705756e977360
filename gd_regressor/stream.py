"""Streams: what is kept of rows that come once, and the descent on that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gd_regressor.auto import follow_auto, follow_plan
from gd_regressor.blocks import Rows
from gd_regressor.doubled import EPS
from gd_regressor.ladder import Plan
from gd_regressor.losses import DataLoss, Frame, MomentLoss, PreciseMomentLoss
from gd_regressor.metric import Factor
from gd_regressor.moments import Moments
from gd_regressor.path import MOMENTS_ARE_EXACT, Start, follow_path, follow_textbook
from gd_regressor.records import Result
from gd_regressor.root import Root
from gd_regressor.spectrum import Spectrum, triangle_of_moments
from gd_regressor.steps import ConstantStep

# Two null spaces share what is the same to this
SAME = 1e-12
# Cholesky's method with pivots below this share of a column's scatter has no digit left
SUSPECT = 1e-13


@dataclass(frozen=True)
class NullSpace:
    """Combinations of columns that were constant in all rows so far: v'(x - centre)/scale + c = 0.

    Moments cannot tell them from combinations that vary by 1e-8 of what their columns do. Rows can,
    when they come: each chunk leaves those combinations that it vanishes on too.
    """

    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)
    vectors: np.ndarray  # (d + 1, r): orthonormal; the last row is c

    @classmethod
    def of(cls, rows: Rows, moments: Moments) -> NullSpace:
        """Those of the first chunk, with its moments."""
        factor = Factor.of(moments)
        frame = Frame.of(moments, factor.scale, fit_intercept=True)
        vectors, _ = factor.null_vectors(DataLoss(rows, frame))
        constant = np.eye(len(vectors))[:, factor.constant]
        vectors = _orthonormal(np.hstack([vectors, constant]))
        return cls(frame.centre, frame.scale, vectors)

    def within(self, rows: Rows) -> NullSpace:
        """What these rows leave of it."""
        r = self.vectors.shape[1]
        if not r:
            return self

        def of_part(part):
            root, size, count = np.zeros((0, r)), 0.0, 0
            for x, _, _ in part.blocks():
                x = (x - self.centre) / self.scale
                product = x @ self.vectors[:-1] + self.vectors[-1]
                root = np.linalg.qr(np.vstack([root, product]), mode="r")
                size, count = size + np.einsum("ij,ij->", x, x), count + len(x)
            return root, size, count

        root, size, count = rows.total(of_part, _stacked)
        _, values, combinations = np.linalg.svd(root)
        noise = 6 * EPS * np.sqrt(1 + len(self.scale)) * np.sqrt(max(1.0, size / count))
        seen = int((values > noise * np.sqrt(count)).sum())
        return replace(self, vectors=self.vectors @ combinations[seen:].T)

    def __and__(self, other: NullSpace) -> NullSpace:
        """The combinations in both."""
        moved = other.vectors.copy()
        moved[:-1] /= other.scale[:, None]
        moved[-1] += (self.centre - other.centre) @ moved[:-1]
        moved[:-1] *= self.scale[:, None]
        mine, theirs = self.vectors, _orthonormal(moved)
        # What is in both is in the first, and loses nothing by projection on the second
        rest = mine - theirs @ (theirs.T @ mine)
        _, values, combinations = np.linalg.svd(rest, full_matrices=True)
        seen = int((values > SAME).sum())
        return replace(self, vectors=mine @ combinations[seen:].T)

    def in_frame(self, frame: Frame) -> np.ndarray:
        """(p, r): the same in the coordinates of `frame`, about zero for one without intercept."""
        d, vectors = len(self.scale), self.vectors
        if not frame.fit_intercept:  # combinations that are zero, not only constant
            constant = vectors[d] - (self.centre / self.scale) @ vectors[:d]
            size = np.abs(constant).max(initial=0.0)
            if size > SAME * np.abs(self.centre / self.scale).max(initial=1.0):
                vectors = vectors @ np.linalg.svd(constant[None])[2][1:].T
        moved = np.zeros((frame.n_parameters, vectors.shape[1]))
        moved[:d] = vectors[:d] * (frame.scale / self.scale)[:, None]
        return moved


def _orthonormal(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.qr(vectors / np.linalg.norm(vectors, axis=0))[0] if vectors.size else vectors


def _stacked(a, b):
    return np.linalg.qr(np.vstack([a[0], b[0]]), mode="r"), a[1] + b[1], a[2] + b[2]


@dataclass(frozen=True)
class Stream:
    """What is known of the rows of a stream: as much after a billion of them as after the first."""

    statistic: Moments | Root
    null_space: NullSpace | None  # None with a Root, which knows it
    precision: np.dtype  # of the columns
    y_ndim: int
    n_batches: int = 1

    @classmethod
    def of(cls, rows: Rows, y_ndim: int, *, keep: str) -> Stream:
        """That of a first chunk; `keep` is "moments" or "qr"."""
        moments = Moments.of_rows(rows, precise=True)
        if keep == "moments":
            null_space = NullSpace.of(rows, moments)
            return cls(moments.times(rows.unit), null_space, rows.precision, y_ndim)
        scale = Factor.of(moments).scale
        root = Root.of(rows, moments.column_means, scale, moments.target_means)
        return cls(root.times(rows.unit), None, rows.precision, y_ndim)

    @classmethod
    def of_moments(cls, moments: Moments) -> Stream:
        """That of rows of which no more is known than their moments."""
        d, t = moments.xy.shape
        unknown = NullSpace(moments.origin, moments.scale, np.zeros((d + 1, 0)))
        return cls(moments, unknown, np.dtype(np.float64), 1 if t == 1 else 2)

    @classmethod
    def of_table(cls, rows, y_ndim: int) -> Stream:
        """What the textbooks' iterates need of a table that is elsewhere."""
        moments = Moments.of_rows(rows)
        factor = Factor.of(moments)
        if factor.dropped.size == 0 and factor.condition_number <= MOMENTS_ARE_EXACT:
            return replace(cls.of_moments(moments), precision=rows.precision, y_ndim=y_ndim)
        root = Root.of(rows, moments.column_means, factor.scale, moments.target_means)
        return cls(root, None, rows.precision, y_ndim)

    @property
    def keeps(self) -> str:
        return "moments" if isinstance(self.statistic, Moments) else "qr"

    @property
    def n_columns(self) -> int:
        return len(self.statistic.scale)

    @property
    def n_targets(self) -> int:
        targets = self.statistic
        return len(targets.target_origin if self.keeps == "moments" else targets.target_centre)

    @property
    def size(self) -> int:
        """Entries of what is kept."""
        return self.n_columns**2

    def check_like(self, more: Rows | Stream, name: str, y_ndim: int | None = None) -> None:
        """Refuse what has not the same columns and targets."""
        y_ndim = more.y_ndim if y_ndim is None else y_ndim
        mine = self.n_columns, self.n_targets, self.y_ndim
        if (more.n_columns, more.n_targets, y_ndim) != mine:
            raise ValueError(
                f"{name} must have the columns and targets of the stream: {mine[0]} columns, "
                f"{mine[1]} targets (y of {mine[2]} dimensions), got {more.n_columns} columns, "
                f"{more.n_targets} targets (y of {y_ndim} dimensions)."
            )
        if isinstance(more, Stream) and more.keeps != self.keeps:
            raise ValueError(f"{name} keeps {more.keeps!r}, this stream {self.keeps!r}.")

    def followed_by(self, rows: Rows) -> Stream:
        """With one more chunk."""
        statistic, null_space = self.statistic, self.null_space
        if self.keeps == "qr":
            more = Root.of(rows, statistic.centre, statistic.scale, statistic.target_centre)
        else:
            more, null_space = Moments.of_rows(rows, precise=True), null_space.within(rows)
        return replace(
            self,
            statistic=statistic + more.times(rows.unit),
            null_space=null_space,
            precision=np.result_type(self.precision, rows.precision),
            n_batches=self.n_batches + 1,
        )

    def __add__(self, other: Stream) -> Stream:
        both = self.null_space and other.null_space
        return replace(
            self,
            statistic=self.statistic + other.statistic,
            null_space=self.null_space & other.null_space if both else None,
            precision=np.result_type(self.precision, other.precision),
            n_batches=self.n_batches + other.n_batches,
        )

    def without(self, rows: Rows) -> Stream:
        """With a chunk removed. What vanished on all rows vanishes on those that are left."""
        if self.keeps == "qr":
            raise ValueError(
                "A triangular factor cannot forget rows; keep moments instead (stream='moments')."
            )
        less = Moments.of_rows(rows, precise=True).times(rows.unit)
        weight = self.statistic.weight
        if less.weight >= weight * (1 - EPS * 1e3):
            raise ValueError(
                f"X has rows of weight {less.weight:g} to forget, and the stream holds {weight:g}: "
                "none would be left."
            )
        return replace(self, statistic=self.statistic - less)

    def follow_auto(self, start: Start, **options) -> Result:
        """Descend with "auto"."""
        if isinstance(self.statistic, Moments):
            plan = self._plan(options["fit_intercept"])
            return follow_plan(plan, start, self.precision, **options)
        rows, centre, target_centre = equivalent_rows(self.statistic)
        w, b = start
        if not options["fit_intercept"]:  # about zero, the distance from it belongs to the columns
            rows = Rows(rows.X + centre, rows.y + target_centre)
            centre, target_centre = 0 * centre, 0 * target_centre
        result = follow_auto(rows, (w, b - target_centre + centre @ w), **options)
        return replace(result, intercept=result.intercept + target_centre - result.coef @ centre)

    def follow_textbook(self, step: ConstantStep, start: Start, **options) -> Result:
        """Descend with a constant step: the iterates of all rows."""
        moments, fit_intercept = self.statistic, options["fit_intercept"]
        if isinstance(moments, Root):
            rows, centre, target_centre = equivalent_rows(moments)
            return follow_textbook(
                Rows(rows.X + centre, rows.y + target_centre), step, start, **options
            )
        matrix, responses, rest = triangle_of_moments(moments, Factor.of(moments), fit_intercept)
        theta = np.vstack([start[0], start[1]]) if fit_intercept else start[0]
        if theta.any():
            responses = np.hstack([responses, responses - matrix @ theta])
            rest = np.concatenate([rest, rest])
        path = Spectrum.of((matrix, responses, rest), step, theta)
        return follow_path(path, path.curvature, step, moments, self.precision, **options)

    def _plan(self, fit_intercept: bool) -> Plan:
        moments = self.statistic
        factor = Factor.of(moments, about_mean=fit_intercept, suspect=SUSPECT)
        frame = Frame.of(moments, factor.scale, fit_intercept)
        null_vectors = self.null_space.in_frame(frame)
        d = len(frame.scale)
        resolved = null_vectors.shape[1] == d - len(factor.pivots)
        condition = factor.condition_number if resolved else np.inf
        scatter = moments.xx.diagonal()[factor.pivots]
        lost = (moments.largest_held[factor.pivots] / scatter).max(initial=1.0)
        precise = moments.low is not None
        rounding = EPS**2 if precise else EPS
        return Plan(
            PreciseMomentLoss(moments, frame) if precise else MomentLoss(moments, frame),
            factor,
            null_vectors,
            condition,
            d - null_vectors.shape[1],
            moments,
            unknown=min(rounding * lost * factor.condition_number**2, 1.0),
        )


def equivalent_rows(root: Root) -> tuple[Rows, np.ndarray, np.ndarray]:
    """A small table with the same least-squares problem, and what its columns and targets lack.

    The rows of R, turned so that they all have the same share in the column of ones: QR of any
    table whose first column is constant could have begun with this one.
    """
    matrix = root.mean_square
    m, d = len(matrix), len(root.centre)
    # The reflection that exchanges the first unit vector and the vector of ones; R's first row is
    # the only one with a share in the ones
    normal = np.full(m, 1 / np.sqrt(m))
    normal[0] -= np.sign(matrix[0, 0])
    size = normal @ normal
    if size > 0:
        matrix = matrix - np.multiply.outer(2 / size * normal, normal @ matrix)
    matrix = matrix * np.sqrt(m)
    rows = Rows(matrix[:, 1 : d + 1] * root.scale, matrix[:, d + 1 :])
    return rows, root.centre, root.target_centre
