"""Dependent columns: the combinations that vanish on the rows, and minimisers of least norm."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr_multiply, solve_triangular

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import Point, column_products, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import of_combination
from gd_regressor.descent.nouns import Quadratic
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import Frame


@frozen
class Dependence:
    """The combinations of scaled columns that vanish on the rows, up to a constant."""

    factor: Factor  # of the columns
    vectors: np.ndarray  # (p, m): one combination in each column
    # Of the scaled columns; infinite if we dropped a column without proof that it depends on others
    condition_number: float
    noise: float  # error of the entries of `vectors`, as a share of the largest

    @property
    def rank(self) -> int:
        """The rank of the centred columns."""
        factor = self.factor
        return len(factor.pivots) + len(factor.dropped) - self.vectors.shape[1]

    @cached_property
    def units(self) -> np.ndarray:
        """(d,): factors from scaled to raw coefficients, times the least scale of a column.

        Without the common factor the squares of raw coefficients could overflow.
        """
        moving = np.delete(self.factor.scale, self.factor.constant)
        finest = moving.min() if moving.size else 1.0
        return finest / np.maximum(self.factor.scale, finest)

    def raw_norm(self, theta: Point) -> np.ndarray:
        """(t,): |w| of the raw columns, times the least scale of a column."""
        w = plain(theta)[: len(self.units)] * self.units[:, None]
        return np.linalg.norm(w, axis=0)

    def shorter(self, theta: Point, least: Point, near: np.ndarray) -> Point:
        """Choose between a minimiser and the `least` one beside it.

        Rounding can spoil `least`. So we keep `theta` if `least` is longer, or is not `near` (t,)
        the minimum.
        """
        before, after = self.raw_norm(theta), self.raw_norm(least)
        return least if (near & (after <= before * (1 + 1e-9))).all() else theta

    def least_norm(self, theta: Point) -> Point:
        """The coordinates of least raw |w| that differ from `theta` by `vectors` only.

        A move along null vectors changes predictions only by the rounding of the move. A projection
        on their complement would leave rounding of the largest coefficient in every coefficient.
        We drop a null vector whose distance from the others is below its `noise`.
        """
        raw = self.vectors[: len(self.units)] * self.units[:, None]
        largest = np.abs(raw).max(axis=1, initial=0.0)
        if not largest.any():
            return theta
        # Columns in unequal units make rows of unequal sizes. With the largest row first,
        # Householder's method with pivoting rounds each row by an eps of its own size (Powell and
        # Reid 1969; Cox and Higham 1998)
        rows = np.argsort(-largest, kind="stable")[: np.count_nonzero(largest)]
        raw, units = raw[rows], self.units[rows, None]
        w = plain(theta)[rows] * units
        turned, upper, order = qr_multiply(raw, w.T, pivoting=True)
        known = np.abs(upper.diagonal()) > self.noise * np.linalg.norm(raw[:, order], axis=0)
        upper, raw, order = upper[known][:, known], raw[:, order[known]], order[known]
        step = -self.vectors[:, order]
        theta = theta + step @ solve_triangular(upper, turned.T[known])
        # Seminormal equations mend small coefficients, which have the rounding of large ones
        for _ in range(2):
            slope = raw.T @ (plain(theta)[rows] * units)
            multiples = solve_triangular(upper, solve_triangular(upper, slope, trans=1))
            theta = theta + step @ multiples
        return theta


def combinations(factor: Factor, n_parameters: int) -> np.ndarray:
    """(p, m): each dropped column minus its best approximation by the pivots."""
    m = len(factor.dropped)
    vectors = np.zeros((n_parameters, m))
    if m:
        vectors[factor.dropped, np.arange(m)] = 1.0
        vectors[factor.pivots] = -factor.solve(factor.root[:, factor.dropped])
    return vectors


def vanishing(factor: Factor, loss: Quadratic, frame: Frame) -> tuple[np.ndarray, float]:
    """(p, m): combinations of scaled columns that vanish on the rows, and the condition number.

    There is one combination for each dropped column: the column minus its best approximation by the
    pivots. Moments give it with an error of eps times the squared condition number, so we mend it
    by a descent on the rows. If more than rounding remains, the column may be independent. Then we
    still leave the column out, and return an infinite condition number.
    """
    d, p = len(factor.scale), frame.n_parameters
    if not len(factor.dropped):
        return np.zeros((p, 0)), factor.condition_number
    vectors = combinations(factor, p)
    vectors[d:] -= loss.hessian_product(vectors)[d:] / 2  # mend the means, which are rounded
    null = np.zeros(vectors.shape[1], dtype=bool)
    for _ in range(4):
        product = loss.hessian_product(vectors)
        null = _vanish(vectors, product, d)
        vectors = vectors - factor.apply(product)
        if null.all():
            break
    cleaned = _cleaned(factor, vectors, factor.rounding)
    clean = null & _vanish(cleaned, loss.hessian_product(cleaned), d)
    vectors = np.where(clean, cleaned, vectors)
    return vectors[:, null], factor.condition_number if null.all() else np.inf


def vanishing_together(
    factor: Factor, loss: Quadratic, frame: Frame, *, inexact_means: bool = False
) -> np.ndarray | None:
    """(p, m): a combination for each dropped column, if all of them vanish on the rows; else None.

    A random sum of them shows this in one pass, up to the rounding of the factor. With
    `inexact_means` the factor comes from a sketch and knows the means of the columns only roughly.
    Then we take the means from the Hessian, and write the intercepts into the last row.
    """
    d, p = len(factor.scale), frame.n_parameters
    if not len(factor.dropped):
        return np.zeros((p, 0))
    noise = factor.rounding * factor.condition_number
    vectors = _cleaned(factor, combinations(factor, p), noise)
    random = np.random.default_rng(0)
    sizes = random.uniform(1, 2, vectors.shape[1]) * random.choice([-1, 1], vectors.shape[1])
    asked = [vectors @ sizes]
    if inexact_means:
        asked.append(np.eye(1, d + 1, d)[0])
    product = loss.hessian_product(np.stack(asked, axis=1)) / 2
    square = asked[0] @ product[:, 0]
    if inexact_means:
        square -= product[d, 0] ** 2
        vectors[d] = -product[:d, 1] @ vectors[:d]
    noise = max(of_combination(d + 1), factor.rounding)
    return vectors if square <= noise**2 * (asked[0] @ asked[0]) else None


def _cleaned(factor: Factor, vectors: np.ndarray, rounding: float) -> np.ndarray:
    """Set entries to zero that may be `rounding`, as a share of the largest entry.

    In raw units such an entry could count as much as a large one.
    """
    d, m = len(factor.scale), vectors.shape[1]
    small = rounding * np.abs(vectors).max(axis=0)
    cleaned = np.where(np.abs(vectors) > small, vectors, 0.0)
    cleaned[d:], cleaned[factor.dropped, np.arange(m)] = vectors[d:], 1.0
    return cleaned


def _vanish(vectors: np.ndarray, product: np.ndarray, d: int) -> np.ndarray:
    """(m,): whether each combination (p, m) of d columns is rounding, by its Hessian `product`."""
    size = column_products(vectors, vectors)
    return column_products(vectors, product) <= of_combination(d + 1) ** 2 * size
