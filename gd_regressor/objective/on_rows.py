"""The squared loss of a table, in the coordinates that a descent moves in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TypeVar

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import (
    STRIP,
    Doubled,
    Point,
    column_products,
    exact_sums,
    plain,
    residual,
    two_product,
)
from gd_regressor.arithmetic.slices import Slices, largest_of
from gd_regressor.arithmetic.threads import product
from gd_regressor.data.checks import check_mean_square
from gd_regressor.data.moments import ColumnMoments, Moments
from gd_regressor.data.table import Rows, Table, add_each
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.descent.records import Curvature, Scales

AnyTable = TypeVar("AnyTable", bound=Table)

# Doubled arithmetic makes some ten arrays of the size of a block
DOUBLED_ENTRIES = 1 << 16


@dataclass(frozen=True)
class Frame:
    """Coordinates theta = (w; b) for columns (X - centre) / scale and targets y - target_centre.

    The last of the p = d + 1 coordinates is the intercept; without one, p = d.
    """

    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,): powers of two
    target_centre: np.ndarray  # (t,)
    fit_intercept: bool

    @property
    def n_parameters(self) -> int:
        return len(self.scale) + self.fit_intercept

    @classmethod
    def raw(cls, rows: Table, fit_intercept: bool) -> Frame:
        """The coordinates of the textbooks: columns and targets as they are."""
        d, t = rows.n_columns, rows.n_targets
        return cls(np.zeros(d), np.ones(d), np.zeros(t), fit_intercept)

    @classmethod
    def of(cls, moments: Moments | ColumnMoments, scale: np.ndarray, fit_intercept: bool) -> Frame:
        """Coordinates of columns divided by `scale`; with an intercept, centred at their means."""
        centre, target_centre = moments.column_means, moments.target_means
        if not fit_intercept:
            centre, target_centre = np.zeros_like(centre), np.zeros_like(target_centre)
        return cls(centre, scale, target_centre, fit_intercept)

    def to_raw(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """(d, t) coefficients and (t,) intercepts of the raw columns."""
        if isinstance(theta, Doubled):
            return self._doubled_to_raw(theta)
        w, b = self.split(theta)
        w = w / self.scale[:, None]
        return w, b + self.target_centre - self.centre @ w

    def _doubled_to_raw(self, theta: Doubled) -> tuple[np.ndarray, np.ndarray]:
        d, units = len(self.scale), 1 / self.scale[:, None]  # powers of two: exact
        high, low = theta.high[:d] * units, theta.low[:d] * units
        if not self.fit_intercept:
            return high + low, self.target_centre
        centre = -self.centre[:, None]
        offset, error = two_product(high, centre)
        error += low * centre
        terms = offset, error, self.target_centre[None], theta.high[d:], theta.low[d:]
        return high + low, exact_sums(np.concatenate(terms))

    def from_raw(self, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(p, t) coordinates of (d, t) coefficients and (t,) intercepts."""
        w, b = w * self.scale[:, None], b - self.target_centre + self.centre @ w
        return np.concatenate((w, b[None])) if self.fit_intercept else w

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (..., d, m) and intercepts (..., m) in these coordinates."""
        if self.fit_intercept:
            return theta[..., :-1, :], theta[..., -1, :]
        return theta, np.zeros_like(theta[..., 0, :])


def scales_of(moments: Moments | ColumnMoments, fit_intercept: bool) -> Scales:
    """The units of the losses: V is the variance of y, its mean square without an intercept."""
    variance = moments.yy / moments.weight
    square = variance + moments.target_means**2
    check_mean_square(square)
    variance = variance if fit_intercept else square
    return Scales(np.where(variance == 0, 1.0, variance), square)


def residual_rows(rows: AnyTable, w: np.ndarray, b: np.ndarray) -> AnyTable:
    """The same rows with targets y - X w - b: descent from (w, b) is descent on these from zero.

    In doubled precision: a start may be so good that the residual is tiny beside y.
    """
    return rows.with_targets(partial(_residuals, w=w, b=b))


def _residuals(rows: Rows, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    no_rows = np.zeros((0, len(b)))
    return np.concatenate([no_rows, *rows.total(partial(_residuals_in_order, w=w, b=b))])


def _residuals_in_order(rows: Rows, w: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    targets = ((span, np.asarray(rows.y[span], dtype=np.float64)) for span in rows.spans())
    return [residual(rows.columns(span), y, w, b) for span, y in targets]


def _no_targets(rows: Rows, count: int) -> np.ndarray:
    """Zeros, which take no memory."""
    return np.broadcast_to(0.0, (rows.n_rows, count))


# Columns whose means are within this many deviations of zero cost no digits where the blocks are
# left as they are and the products are centred afterwards
NEAR = 4.0


def shift_of(frame: Frame, near: float = NEAR) -> np.ndarray | None:
    """What the columns of a block have to be moved by: nothing where all are near zero."""
    as_they_are = (np.abs(frame.centre) <= near * frame.scale).all()
    return np.zeros_like(frame.centre) if as_they_are else None


def shift_of_full(rows: Table, frame: Frame) -> np.ndarray:
    """What the columns of a sparse block are moved by: those that are stored in full."""
    shift = np.zeros_like(frame.centre)
    shift[rows.full_columns] = frame.centre[rows.full_columns]
    return shift


@dataclass(frozen=True)
class DataLoss(Quadratic):
    """F(theta), the weighted mean squared error over the rows, one value per target.

    Each method passes over the rows once. Where columns are near zero, the products of a block are
    centred; further away that would cost the digits that the offset has, and the block is centred,
    used twice while it is in cache and forgotten.
    """

    rows: Table
    frame: Frame
    # What the columns of a block are moved by, None for all of the centre. The rest is taken out of
    # the products, which spares columns near zero a copy
    shift: np.ndarray | None = None

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""
        w, b = self._unscaled(theta)
        blocks, target_centre = self._reader(), self.frame.target_centre

        def of_part(part):
            value, gradient = np.zeros(len(b)), np.zeros((len(w) + 1, len(b)))
            for x, y, s in blocks(part):
                residual = y - target_centre
                residual -= product(x, w)
                residual -= b
                weighted = residual if s is None else s[:, None] * residual
                value += np.einsum("ij,ij->j", weighted, residual)
                gradient[:-1] += product(x.T, weighted.astype(x.dtype, copy=False))
                gradient[-1] += weighted.sum(axis=0)
            return value, gradient

        value, gradient = self._mean(of_part)
        return value, -2 * gradient

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""
        w, b = self._unscaled(direction)
        blocks, b = self._reader(), b.astype(w.dtype)

        def of_part(part):
            total = np.zeros((len(w) + 1, len(b)))
            for x, _, s in blocks(part):
                slope = product(x, w)
                slope += b
                if s is not None:
                    slope *= s[:, None].astype(w.dtype)
                total[:-1] += product(x.T, slope)
                total[-1] += slope.sum(axis=0, dtype=np.float64)
            return 0.0, total

        return 2 * self._mean(of_part)[1]

    def lipschitz(self) -> Curvature:
        """The largest eigenvalue of the Hessian, by Lanczos iteration where there are many."""
        p = self.frame.n_parameters
        if p <= 32:  # the Hessian itself takes one pass
            values, vectors = np.linalg.eigh(self.hessian_product(np.eye(p)))
            return Curvature(float(values[-1]), vectors[:, -1])
        operator = LinearOperator((p, p), lambda v: self.hessian_product(v[:, None])[:, 0])
        start = np.random.default_rng(0).standard_normal(p)  # fixed: the same bits every time
        # The error of an eigenvalue is the square of its vector's: 1e-14 of the largest
        values, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=1e-7)
        return Curvature(float(values[0]), vectors[:, 0])

    def _unscaled(self, theta):
        w, b = self.frame.split(theta)
        w = w / self.frame.scale[:, None]
        if self.shift is not None:
            b = b - (self.frame.centre - self.shift) @ w
        return w.astype(self.rows.dtype, copy=False), b

    def _reader(self):
        """What yields the blocks of a part of the rows; it holds no other part of them."""
        shift = self.frame.centre if self.shift is None else self.shift
        shift = shift.astype(self.rows.dtype)
        moved, single = shift.any(), shift.dtype == np.float32 and not self.rows.is_sparse

        def blocks(part):
            for x, y, s in part.blocks(part.vector_rows, as_stored=True):
                if moved:
                    x = x.moved(shift) if part.is_sparse else x - shift
                elif single and x.flags.c_contiguous:
                    # Products with a vector read rows side by side, at half the speed of memory:
                    # too slow for single precision. What is read in one go first is in cache then
                    np.dot(x.ravel(), x.ravel())
                yield x, y, s

        return blocks

    def _mean(self, work):
        """Sum over the rows; divide by the weight, and the columns by their scale."""
        value, total = self.rows.total(work, add_each)
        weight = self.rows.total_weight
        if self.shift is not None:
            rest = self.frame.centre - self.shift
            total[:-1] -= np.multiply.outer(rest, total[-1])
        total /= weight
        total[:-1] /= self.frame.scale[:, None]
        return value / weight, total if self.frame.fit_intercept else total[:-1]


@dataclass(frozen=True)
class DoubledLoss(Quadratic):
    """The same loss at points of twice the working precision, with all sums in that precision.

    Where columns nearly depend on each other, the digits of the coefficients are what is left of
    the digits of residual and gradient after the square of the condition number.
    """

    rows: Table
    frame: Frame
    slices: int = 2  # of leading bits: each takes 22 from the rounding

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
        """The Hessian of F times each column of `direction` (p, m): a gradient beside targets 0."""
        count = direction.shape[1]
        rows = self.rows.with_targets(partial(_no_targets, count=count))
        beside = replace(self, rows=rows, frame=replace(self.frame, target_centre=np.zeros(count)))
        return beside.value_and_gradient(Doubled.of(direction))[1]

    @staticmethod
    def _sums(frame: Frame, slices: int, theta: Doubled, x, y, s) -> tuple[Doubled, Doubled]:
        """The sums over a block that make the loss (t,) and its gradient (p, t)."""
        shape = len(x), frame.n_parameters
        # What is done with each column is fast along the longer side
        table = np.ones(shape, order="F" if shape[0] > shape[1] else "C")
        centre, targets = np.zeros(shape[1]), frame.target_centre
        np.multiply(x, 1 / frame.scale, out=table[:, : x.shape[1]])
        np.multiply(frame.centre, 1 / frame.scale, out=centre[: x.shape[1]])
        if s is not None:  # of which powers of two are taken into the rows, to be of like size
            power = np.ldexp(1.0, np.frexp(s)[1] >> 1)[:, None]
            table, centre, y, targets = table * power, centre * power, y * power, targets * power
            s = s[:, None] / power**2
        design = Doubled.of(table, -centre)
        largest, terms = largest_of(design.high), max(shape)
        design = Slices.of(design, largest, terms, slices)
        # Terms x_ij w_j of a row have one last bit where w_j has that of the largest, over x_j
        size = np.ldexp(1.0, np.frexp(largest)[1])[:, None]
        largest = (size * np.abs(theta.high)).max(axis=0, initial=0.0) / size
        residual = Doubled.of(y, -targets) - design @ Slices.of(theta, largest, terms, slices)
        weighted = residual if s is None else residual * s
        squares = np.ascontiguousarray((weighted.high * residual.high).T).sum(axis=1)  # in pairs
        sliced = Slices.of(weighted, largest_of(weighted.high), terms, slices)
        return Doubled.of(squares), design.T @ sliced


def _both(a, b):
    return b if a is None else add_each(a, b)


@dataclass(frozen=True)
class AtZero:
    """F and its slope at zero coefficients with the best intercept: moments know them."""

    value: np.ndarray  # (t,)
    slope: np.ndarray  # (d, t): the gradient there, in the coefficients

    @classmethod
    def of(cls, moments: Moments | ColumnMoments, frame: Frame) -> AtZero:
        """In the coordinates of `frame`."""
        value = moments.yy / moments.weight
        slope = moments.xy * (moments.scale / frame.scale / moments.weight)[:, None]
        if not frame.fit_intercept:
            value = value + moments.target_means**2
            means = moments.column_means / frame.scale
            slope = slope + np.multiply.outer(means, moments.target_means)
        return cls(value, -2 * slope)

    def value_and_gradient(self, intercept: np.ndarray, gradient: np.ndarray):
        """F (t,) beside an `intercept` (t,); its gradient is written to that of the intercept."""
        gradient[: len(self.slope)] = self.slope
        return self.value + intercept**2, gradient


@dataclass(frozen=True)
class MomentLoss(Quadratic):
    """The same loss from the moments of the rows, for no pass: right to a few eps of F at zero.

    In a frame centred at their means, where the intercept is apart from the coefficients.
    """

    moments: Moments
    frame: Frame

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As those of the rows."""
        w, b = self.frame.split(theta)
        gradient, zero = 2 * theta, self.at_zero
        if not w.any():
            return zero.value_and_gradient(b, gradient)
        change = zero.slope + self.hessian @ w
        gradient[: len(w)] = change
        value = zero.value + column_products(w, zero.slope + change) / 2 + b**2
        return np.maximum(value, 0.0), gradient

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """As that of the rows."""
        product = 2 * direction
        w, _ = self.frame.split(direction)
        product[: len(w)] = self.hessian @ w
        return product

    @cached_property
    def at_zero(self) -> AtZero:
        return AtZero.of(self.moments, self.frame)

    @cached_property
    def hessian(self) -> np.ndarray:
        """(d, d), of the coefficients."""
        hessian = self.moments.xx * (self.units / self.moments.weight)[:, None]
        hessian *= self.units
        if not self.frame.fit_intercept:
            hessian += np.multiply.outer(self._means, self._means)
        hessian *= 2
        return hessian

    @property
    def units(self) -> np.ndarray:
        """(d,): the units of the moments' columns, in those of the frame."""
        return self.moments.scale / self.frame.scale

    @property
    def _means(self) -> np.ndarray:
        return self.moments.column_means / self.frame.scale


@dataclass(frozen=True)
class PreciseMomentLoss(Quadratic):
    """From moments of twice the working precision, at points of it."""

    working: MomentLoss  # the same in working precision

    doubled = True

    def lift(self, theta: np.ndarray) -> Doubled:
        return Doubled.of(theta)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """As that of the rows."""
        return self.working.hessian_product(direction)

    def value_and_gradient(self, theta: Doubled) -> tuple[np.ndarray, np.ndarray]:
        """As those of the rows."""
        value, gradient = self.working.value_and_gradient(plain(theta))
        d = len(self.working.frame.scale)
        w = theta[:d]
        for first in range(0, d, STRIP):  # what doubled products need beside is several times them
            strip = slice(first, min(first + STRIP, d))
            hessian, slope = self._doubled(strip)
            for j in range(w.shape[1]):
                change = (hessian * w[:, j]).sum(axis=1) + slope[:, j]
                gradient[strip, j] = 2 * plain(change)
        return value, gradient

    def _doubled(self, rows: slice) -> tuple[Doubled, Doubled]:
        """These rows of half the Hessian of the coefficients, and of half the slope at zero."""
        moments, units = self.working.moments, self.working.units
        mean, target_mean, xx, xy = moments.doubled
        share = units / moments.weight
        hessian = xx[rows] * (units[rows, None] * share)
        slope = -(xy[rows] * share[rows, None])
        if not self.working.frame.fit_intercept:
            means = (Doubled.of(moments.origin / moments.scale) + mean) * units
            targets = Doubled.of(moments.target_origin) + target_mean
            hessian = hessian + means[rows, None] * means[None]
            slope = slope - means[rows, None] * targets[None]
        return hessian, slope


@dataclass(frozen=True)
class KnownAtZero(Quadratic):
    """A loss that is known at zero coefficients from moments: no pass over the rows there."""

    loss: Quadratic
    frame: Frame
    at_zero: AtZero
    doubled: bool  # as the loss

    def lift(self, theta: np.ndarray) -> Point:
        return self.loss.lift(theta)

    def value_and_gradient(self, theta: Point) -> tuple[np.ndarray, np.ndarray]:
        """As those of the loss."""
        point = plain(theta)
        w, b = self.frame.split(point)
        if w.any():
            return self.loss.value_and_gradient(theta)
        return self.at_zero.value_and_gradient(b, 2 * point)

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """As that of the loss."""
        return self.loss.hessian_product(direction)
