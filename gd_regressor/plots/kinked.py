"""A loss with an L1 penalty, or held at or above zero: its descents, its minimum, its surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gd_regressor.descent.records import Terms
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.estimator.described import Described
from gd_regressor.lasso.active_set import least
from gd_regressor.objective.penalties import ElasticNet
from gd_regressor.textbook.landscape import Landscape
from gd_regressor.textbook.penalised import on_triangle
from gd_regressor.textbook.triangle import ridged

# Of the largest slope: a slope so near to its bound is at it
AT_BEST = 1e-10
# All columns but two are at their best in each point of a surface; more take many seconds
MOST_AT_BEST = 30


class Sharp(NamedTuple):
    """The minimum of a loss with kinks."""

    theta: NDArray[np.float64]  # (p,)
    loss: float


@dataclass(frozen=True)
class Kinked:
    """The loss of one target as its triangle, and a penalty with kinks."""

    landscape: Landscape  # of the squared loss alone
    terms: Terms

    @classmethod
    def of(cls, found: Described) -> Kinked:
        """That of a fitted estimator whose penalty is no ridge."""
        if found.terms is None or found.is_quadratic:
            raise ValueError("found must have a penalty with kinks; make a report of it.")
        return cls(found.landscape, found.terms)

    def check(self) -> None:
        """Refuses several targets, and more columns than a picture can wait for."""
        d, t = self.landscape.n_columns, self.landscape.start.shape[1]
        if t > 1:
            raise ValueError(
                f"y must be one target of shape (n_samples,), got {t} columns; write y[:, 0] for "
                "the first."
            )
        if d > MOST_AT_BEST:
            raise ValueError(
                f"X must have at most {MOST_AT_BEST} columns for the surface of a loss with an L1 "
                f"penalty or positive=True, got {d}; choose columns, or draw the loss alone by "
                "LossCurveDisplay.from_estimator."
            )

    @property
    def root(self) -> NDArray[np.float64]:
        """(m, p): A, where |A theta|^2 is the quadratic part of F, with the part of the penalty."""
        return ridged(self.landscape.triangle, self.terms.l2[:, 0], self.landscape.start)[0]

    def points(self, step: ConstantStep, ks: NDArray[np.int64]) -> NDArray[np.float64]:
        """(p, n): coefficients, and the intercept behind them, after `ks` updates."""
        land = self.landscape
        path = on_triangle(land.triangle, land.start, step, self.terms, land.fit_intercept).path
        return path.points(ks)[0][:, :, 0].T

    def minimum(self) -> Sharp:
        """Where F is least."""
        d, fit_intercept = self.landscape.n_columns, self.landscape.fit_intercept
        others = Others.of(self, [])
        w, offset = others.best(np.zeros(0)), 0.0
        matrix, responses, _ = self.landscape.triangle
        if fit_intercept:  # the first row holds the means
            offset = (responses[0, 0] - matrix[0, :d] @ w) / matrix[0, d]
        theta = np.append(w, offset) if fit_intercept else w
        return Sharp(theta, float(others.losses(np.zeros((0, 1)))[0]))

    def surface(self, pair: list[int]) -> Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]:
        """F of two coefficients with all others at their best; infinite where F forbids them."""
        others, d = Others.of(self, pair), self.landscape.n_columns
        held = [side for side, place in enumerate(pair) if place < d]
        places = [pair[side] for side in held]
        net = ElasticNet(self.terms.l1[places], self.terms.l2[places], self.terms.positive)

        def losses(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
            sides = np.broadcast_arrays(np.asarray(first, float), np.asarray(second, float))
            points = np.array([side.ravel() for side in sides])
            one = points[held]
            found = others.losses(points) + net.value(one)
            if net.positive:
                found = np.where((one < 0).any(axis=0), np.inf, found)
            return found.reshape(sides[0].shape)

        return losses


@dataclass(frozen=True)
class Others:
    """All coefficients but some, at their best for each value of these: |y - B c - A w|^2 + ..."""

    fixed: NDArray[np.float64]  # (m, k): B, the columns of those that are given
    columns: NDArray[np.float64]  # (m, o): A, those of the others
    target: NDArray[np.float64]  # (m,)
    rest: float  # of the loss, that no column explains
    net: ElasticNet  # of the others

    @classmethod
    def of(cls, kinked: Kinked, given: list[int]) -> Others:
        """The others of the coefficients at the places `given`, of which d is the intercept."""
        land, terms = kinked.landscape, kinked.terms
        matrix, responses, rest = land.triangle
        d, places = land.n_columns, [j for j in range(land.n_columns) if j not in given]
        # An intercept that is free takes the first row, which holds the means
        rows = slice(int(land.fit_intercept and d not in given), None)
        return cls(
            matrix[rows, given],
            matrix[rows, places],
            responses[rows, 0],
            float(rest[0]),
            ElasticNet(terms.l1[places], terms.l2[places], terms.positive),
        )

    def best(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(o,): the best others for `values` (k,)."""
        slope = self.columns.T @ (self.target - self.fixed @ values)
        net, start = self.net, np.zeros(len(slope))
        return least(self.gram, slope, net.l1[:, 0], net.l2[:, 0], net.positive, start).w

    @property
    def gram(self) -> NDArray[np.float64]:
        """(o, o): A'A."""
        return self.columns.T @ self.columns

    def losses(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,): the loss of all and the penalty of the others, at each of `points` (k, n).

        While the signs of the others stay, they are affine in the point. So we solve at one point,
        take all points where the same signs are optimal, too, and go on with the rest.
        """
        targets, gram = self.target[:, None] - self.fixed @ points, self.gram
        found, left = np.empty(points.shape[1]), np.arange(points.shape[1])
        while left.size:
            middle = left[len(left) // 2]
            w = self.best(points[:, middle])
            there = self._on_face(gram, np.sign(w), targets[:, left])
            meets = self._is_best(gram, there, targets[:, left])
            found[left[meets]] = self._values(there[:, meets], targets[:, left[meets]])
            found[middle] = self._values(w[:, None], targets[:, [middle]])[0]
            left = left[~meets & (left != middle)]
        return found

    def _on_face(self, gram, signs, targets) -> NDArray[np.float64]:
        """(o, n): the best others with these signs."""
        on, there = np.flatnonzero(signs), np.zeros((len(signs), targets.shape[1]))
        if on.size:
            right = self.columns[:, on].T @ targets - self.net.l1[on] * signs[on, None]
            system = gram[on[:, None], on] + np.diag(self.net.l2[on, 0])
            there[on] = np.linalg.lstsq(system, right, rcond=None)[0]
            there[on] *= there[on] * signs[on, None] > 0
        return there

    def _is_best(self, gram, w, targets) -> NDArray[np.bool_]:
        """(n,): whether zero is a subgradient, to rounding, at each column of `w` (o, n)."""
        slope = self.columns.T @ targets
        left = self.net.subgradient(w, 2 * (gram @ w - slope))
        size = np.sqrt(gram.diagonal().max(initial=0.0) * (targets**2).sum(axis=0))
        return np.abs(left).max(axis=0, initial=0.0) <= AT_BEST * size

    def _values(self, w, targets) -> NDArray[np.float64]:
        left = targets - self.columns @ w
        return self.rest + (left**2).sum(axis=0) + self.net.value(w)
