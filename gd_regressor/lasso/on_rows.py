"""On rows: the penalised minimum by Newton's method with as many unknowns as there are rows.

The residuals at the minimum solve a dual problem. Its objective is smooth and piecewise quadratic,
and all columns take part in each step (Li, Sun and Toh 2018). Where about as many columns are in
use as there are rows, or more, these steps are few and cheap.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import limited
from gd_regressor.data.row_products import AllColumns
from gd_regressor.lasso.semismooth import reach
from gd_regressor.objective.penalties import shrunk

# The first weight of the proximal term, in units of the columns. Each point divides it by SMALLER:
# from the signs at a far larger weight the way to the right ones is long
LARGEST_WEIGHT, SMALLER = 1e-2, 10.0
POINTS_AT_MOST = 30
# Without a penalty, weights whose points have the signs of the minimiser of least |w|, or nearly
FAINT_WEIGHTS = (1e-8, 1e-10, 1e-12)
# Newton's steps for one proximal point
STEPS_AT_MOST = 60
# If a larger share of the columns in use changes, we make their products anew
CHANGED = 0.5
# What is left of the residuals' equation, as a share of y, if it is rounding
NOTHING_LEFT = 1e-14


@frozen
class OnRows:
    """|X w - y|^2 / 2 + sum l1 |w| + sum l2 w^2 / 2, over w >= 0 if `positive`."""

    columns: AllColumns
    y: np.ndarray  # (n,), weighted and centred
    l1: np.ndarray  # (d,)
    l2: np.ndarray  # (d,)
    positive: bool

    def least(self, start: np.ndarray) -> np.ndarray | None:
        """(d,): the minimiser up to rounding, or None if Newton's method does not find it.

        Without a penalty it is the one of least |w|, and the `start` is not used.
        """
        return limited(lambda _: self._by_points(start) if self.l1.any() else self._at_once())

    def _at_once(self) -> np.ndarray | None:
        """The minimiser without l1: all signs are those of the slopes, however small the l2."""
        squares = self.columns.squares
        if self.l2.all():
            found = Newton(self, np.zeros(len(squares))).least(np.zeros(len(squares)), self.y)
            return None if found is None else found[0]
        w, u, last = None, self.y, 1.0
        for faint in FAINT_WEIGHTS:
            newton = Newton(self, np.full(len(squares), faint * squares.mean()))
            # Residuals that the weight alone leaves are proportional to it
            found = newton.least(np.zeros(len(squares)), u * (faint / last))
            if found is None:
                break
            (w, u), last = found, faint
            point = self._shortest_on_face(w)
            if np.array_equal(np.sign(point), np.sign(w)):
                return point
        return w

    def _shortest_on_face(self, w: np.ndarray) -> np.ndarray:
        """The least squares of least |w|, with the columns in use at `w` (d,) alone."""
        on, point = w != 0, np.zeros_like(w)
        where = np.flatnonzero(on)
        values, vectors = _range(self.columns.products(where, np.ones(len(where))))
        for _ in range(2):  # the second step takes rounding away
            left = self.y - self.columns.fit(point)
            u = vectors @ ((vectors.T @ left) / values)
            point = point + np.where(on, self.columns.slopes(self.columns.centred(u)), 0.0)
        return point

    def _by_points(self, w: np.ndarray) -> np.ndarray | None:
        """The minimiser by proximal points (Rockafellar 1976), with weights that fall."""
        unit = np.where(self.columns.squares > 0, self.columns.squares, 1.0)
        weight, ratio, bent = LARGEST_WEIGHT, SMALLER, bool(self.l2.all())
        u = self.columns.centred(self.y - self.columns.fit(w))
        for _ in range(POINTS_AT_MOST):
            needless = bent and bool((weight * unit < self.l2).all())
            weights = np.zeros_like(unit) if needless else weight * unit
            found = Newton(self, weights).least(w, u)
            if (
                found is None
            ):  # the weight is too small: go back, and come nearer by smaller factors
                weight, ratio = weight * ratio, np.sqrt(ratio)
            else:
                before, (w, u) = w, found
                if needless or np.array_equal(np.sign(w), np.sign(before)):
                    return w
            weight /= ratio
        return None


def _range(products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (k,) of products of rows and their vectors (n, k), without the null space."""
    values, vectors = np.linalg.eigh(products)
    kept = values > 4 * EPS * len(values) * values.max()
    return values[kept], vectors[:, kept]


def gap_of_positive(columns: AllColumns, w: np.ndarray, v: np.ndarray, square: float) -> float:
    """The bound of `ElasticNet.dual_gap` for one target without a penalty, over w >= 0.

    For the columns X with v > 0, v'Q^-1 v is the square of K^-1 X v, where K = X X' has as many
    rows as the table. Null directions of K count for nothing.
    """
    rising, fit = np.maximum(v, 0.0), columns.fit(w)
    on = np.flatnonzero(rising)
    values, vectors = _range(columns.products(on, np.ones(len(on))))
    along = (vectors.T @ columns.fit(rising)) / values
    whole = max(square + 2 * float(w @ v) + float(fit @ fit), 0.0)
    return float(np.linalg.norm(along)) * np.sqrt(whole) - float(w @ np.minimum(v, 0.0))


class Newton:
    """The search for a proximal point of w: the minimiser x of F plus sum h (x - w)^2 / 2."""

    def __init__(self, problem: OnRows, weights: np.ndarray) -> None:
        """`weights` are h (d,). They may be zero if no l2 is."""
        self._of, self._weights = problem, weights
        self._bend = weights + problem.l2
        d, n = len(weights), len(problem.y)
        self._on, self._products = np.zeros(d, dtype=bool), np.zeros((n, n))

    def least(self, w: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The point (d,) and its residuals (n,) from residuals `u`; None if we do not find it."""
        columns, y = self._of.columns, self._of.y
        z = self._weights * w + columns.slopes(u)
        x, exact, left = self._prox(z), False, np.inf
        for _ in range(STEPS_AT_MOST):
            gradient = u - y + columns.fit(x)
            before, left = left, float(np.linalg.norm(gradient))
            # Products from which we took others have rounding, so an exact step may leave some
            if left <= NOTHING_LEFT * np.linalg.norm(y) or (exact and left > before / 2):
                return x, u
            step = self._step(x != 0, gradient)
            if step is None:
                return None
            move = columns.slopes(step)
            reach = self._reach(z, u, step, move)
            if not reach:
                return None
            u, z = u + reach * step, z + reach * move
            last, x = x, self._prox(z)
            exact = reach == 1.0 and np.array_equal(np.sign(x), np.sign(last))
        return None

    def _prox(self, z: np.ndarray) -> np.ndarray:
        return shrunk(z, self._of.l1, self._of.positive) / self._bend

    def _step(self, on: np.ndarray, gradient: np.ndarray) -> np.ndarray | None:
        """(n,): Newton's step. The Hessian is 1 + the sum of x x' / bend over columns in use."""
        changed = np.flatnonzero(on != self._on)
        if len(changed) > CHANGED * np.count_nonzero(on):
            self._products[:] = 0.0
            changed = np.flatnonzero(on)
        if changed.size:
            factors = np.where(on, 1.0, -1.0)[changed] / self._bend[changed]
            self._products += self._of.columns.products(changed, factors)
            self._on = on
        hessian = self._products.copy()
        hessian.ravel()[:: len(hessian) + 1] += 1.0
        root, failed = lapack.dpotrf(hessian.T, lower=1, clean=0, overwrite_a=1)
        if failed:
            return None
        return self._of.columns.centred(-lapack.dpotrs(root, gradient, lower=1)[0])

    def _reach(self, z, u, step, move) -> float:
        """The share of a step to the minimum of the dual objective along it, at most 1."""
        off = u - self._of.y

        def slope(share: float) -> float:
            x = self._prox(z + share * move)
            return float(step @ (off + share * step) + move @ x)

        return reach(slope, z, move, self._of.l1)
