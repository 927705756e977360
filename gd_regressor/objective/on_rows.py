"""The squared loss of a table, in passes over its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import (
    residual,
)
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import LARGEST_ROOT, SMALLEST_ROOT
from gd_regressor.arithmetic.threads import product
from gd_regressor.data.moved import MovedColumns, few_enough
from gd_regressor.data.table import Block, Rows, Table, add_each
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.descent.records import Curvature, Units
from gd_regressor.objective.frame import Frame

AnyTable = TypeVar("AnyTable", bound=Table)


def residual_rows(rows: AnyTable, w: np.ndarray, b: np.ndarray) -> AnyTable:
    """The rows with targets y - X w - b. A descent on y from (w, b) is one on these from zero.

    The targets are in doubled precision, because after a good start they are tiny beside y.
    """
    return rows.with_targets(partial(_residuals, w=w, b=b))


def _residuals(rows: Rows, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    no_rows = np.zeros((0, len(b)))
    return np.concatenate([no_rows, *rows.total(partial(_residuals_in_order, w=w, b=b))])


def _residuals_in_order(rows: Rows, w: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    targets = ((span, np.asarray(rows.y[span], dtype=np.float64)) for span in rows.spans())
    return [residual(rows.columns(span), y, w, b) for span, y in targets]


def steepest(loss: Quadratic, p: int, units: Units) -> Curvature:
    """The largest eigenvalue of a Hessian (p, p), by Lanczos iteration for many parameters."""
    if p <= 32:  # the Hessian itself takes one pass
        values, vectors = np.linalg.eigh(loss.hessian_product(np.eye(p)))
        return Curvature(float(values[-1]), vectors[:, -1], units)
    operator = LinearOperator((p, p), lambda v: loss.hessian_product(v[:, None])[:, 0])
    # One seed gives the same bits every time
    start = np.random.default_rng(0).standard_normal(p)
    # The relative error of the eigenvalue is the square of the vector's error: 1e-14
    values, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=1e-7)
    return Curvature(float(values[0]), vectors[:, 0], units)


@frozen
class DataLoss(Quadratic):
    """F(theta), the weighted mean squared error over the rows, one value per target.

    Each method passes over the rows once. Where a column is near zero, we centre its products in a
    block. Further away this would cost as many digits as the offset has. So we move such columns in
    a copy: few of them alone, else the whole block. We use the copy twice while it is in the cache,
    and forget it.
    """

    rows: Table
    frame: Frame
    # We subtract `shift` from the columns of a block; None stands for the centre. We subtract the
    # rest of the centre from the products, which spares columns near zero a copy
    shift: np.ndarray | None = None

    doubled = False

    def lift(self, theta: np.ndarray) -> np.ndarray:
        return theta

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F (t,) and its gradient (p, t) at `theta` (p, t)."""
        w, b = self.unscaled(theta)
        blocks, target_centre = self.reader(), self.frame.target_centre

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

        value, gradient = self.mean(of_part)
        return value, -2 * gradient

    def value(self, theta: np.ndarray) -> np.ndarray:
        """F (t,) at `theta` (p, t), for half of what value and gradient take."""
        return self.mean_over(theta, np.square)

    def mean_over(
        self, theta: np.ndarray, of_residual: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """(t,): the weighted mean over the rows of a function of their residuals at `theta`."""
        w, b = self.unscaled(theta)
        blocks, target_centre = self.reader(), self.frame.target_centre

        def of_part(part):
            total = np.zeros(len(b))
            for x, y, s in blocks(part):
                residual = y - target_centre
                residual -= product(x, w)
                residual -= b
                found = of_residual(residual)
                total += found.sum(axis=0) if s is None else s @ found
            return total

        return self.rows.total(of_part) / self.rows.total_weight

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """The Hessian of F times each column of `direction` (p, m)."""
        w, b = self.unscaled(direction)
        blocks, b = self.reader(), b.astype(w.dtype)

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

        return 2 * self.mean(of_part)[1]

    def lipschitz(self) -> Curvature:
        """The largest eigenvalue of the Hessian, by Lanczos iteration for many parameters."""
        return steepest(self, self.frame.n_parameters, self.units())

    def units(self) -> Units:
        """How near the columns are to standardised ones. Digits do not matter here."""
        d, blocks = self.rows.n_columns, self.reader()

        def of_part(part):
            sums, squares = np.zeros(d), np.zeros(d)
            for x, _, s in blocks(part):
                weights = np.ones(x.shape[0]) if s is None else s
                sums += product(x.T, weights[:, None].astype(x.dtype))[:, 0]
                if part.is_sparse:
                    squares += x.column_sums(weights)
                else:
                    dense = np.asarray(x)
                    squares += np.einsum("i,ij,ij->j", weights, dense, dense)
            return sums, squares

        sums, squares = self.rows.total(of_part, add_each)
        means = sums / self.rows.total_weight
        variances = squares / self.rows.total_weight - means**2
        return Units.of(means, np.sqrt(np.maximum(variances, 0.0)))

    def unscaled(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and intercepts for the columns as `reader` gives them."""
        w, b = self.frame.split(theta)
        w = w / self.scale[:, None]
        if self.rest is not None:
            b = b - self.rest @ w
        return w.astype(self.rows.dtype, copy=False), b

    @cached_property
    def unit(self) -> np.ndarray | None:
        """(d,): powers of two by which we divide the columns of a block; None for no division.

        Products with columns as they are spare a copy. But those of a column whose squares overflow
        or vanish would do so, too.
        """
        scale = self.frame.scale
        odd = (scale < SMALLEST_ROOT) | (scale > LARGEST_ROOT)
        return np.where(odd, scale, 1.0) if odd.any() else None

    @cached_property
    def scale(self) -> np.ndarray:
        """(d,): what is left to divide the columns of a block by."""
        return self.frame.scale if self.unit is None else self.frame.scale / self.unit

    @cached_property
    def rest(self) -> np.ndarray | None:
        """(d,): what is left to subtract from the columns of a block; None for nothing."""
        if self.shift is None:
            return None
        rest = self.frame.centre - self.shift
        return rest if self.unit is None else rest / self.unit

    def reader(self):
        """A function that yields the blocks of a part of the rows. It holds no rows itself."""
        shift = self.frame.centre if self.shift is None else self.shift
        shift, unit = shift.astype(self.rows.dtype), self.unit
        far, single = np.flatnonzero(shift), shift.dtype == np.float32
        whole = not few_enough(len(far), len(shift))

        def blocks(part: Rows) -> Iterator[Block]:
            for x, y, s in part.blocks(part.vector_rows, as_stored=True):
                if unit is not None:
                    x = (x.moved(shift) if part.is_sparse else x - shift) / unit
                elif part.is_sparse:
                    x = x.moved(shift) if len(far) else x
                elif whole:
                    x = x - shift
                else:
                    if single and x.flags.c_contiguous:
                        # A product with a vector reads several rows side by side, at half the speed
                        # of memory. Single precision would wait for it, so we first read the block
                        # in one go, into the cache
                        np.dot(x.ravel(), x.ravel())
                    x = MovedColumns.of(x, far, shift) if len(far) else x
                yield x, y, s

        return blocks

    def mean(self, work):
        """Sum `work` over the rows. Divide by the weight, and each column by its scale."""
        value, total = self.rows.total(work, add_each)
        weight = self.rows.total_weight
        total /= weight
        return value / weight, self.in_frame(total)

    def in_frame(self, total: np.ndarray) -> np.ndarray:
        """(p, m): products of the columns and ones of `reader` (d + 1, m), in the frame."""
        if self.rest is not None:
            total[:-1] -= np.multiply.outer(self.rest, total[-1])
        total[:-1] /= self.scale[:, None]
        return total if self.frame.fit_intercept else total[:-1]
