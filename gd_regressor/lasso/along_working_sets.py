"""The minima for many strengths of the penalty, on working sets: a pass serves several of them."""

from __future__ import annotations

import numpy as np

from gd_regressor.data.chosen import Reading
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Terms
from gd_regressor.lasso.active_set import least
from gd_regressor.lasso.along_alpha import ROUNDED_UP, AlphaPath
from gd_regressor.lasso.homotopy import Falling, followed
from gd_regressor.lasso.working_sets import JOINING, OnMembers, WorkingSet
from gd_regressor.objective.penalties import ElasticNet

# So many strengths share a pass, if the last of them is above this share of the one before them
TOGETHER, SPREAD = 10, 0.5
# A gap below this share of the variance of y is as good as none: no column needs to join
NO_GAP = 1e-12


def largest_held(rows: Rows, fit_intercept: bool, terms: Terms) -> float:
    """The smallest strength at which no column has a coefficient. All have an L1 penalty."""
    reading = Reading.of(rows, centred=fit_intercept)
    y = np.stack([reading.target(j)[0] for j in range(rows.n_targets)], axis=1)
    v = reading.slopes(y)
    size = np.maximum(v, 0.0) if terms.positive else np.abs(v)
    return float((size / terms.l1).max(initial=0.0)) * ROUNDED_UP


def along_working_sets(
    rows: Rows, fit_intercept: bool, terms: Terms, alphas: np.ndarray
) -> AlphaPath:
    """The minimum at each of `alphas` (m,) times the `terms`. The largest alpha comes first.

    Each target has an L1 penalty on some column.
    """
    reading = Reading.of(rows, centred=fit_intercept)
    members, (d, t) = WorkingSet(reading), terms.l1.shape
    thetas, gaps = np.zeros((len(alphas), d + 1, t)), np.zeros((len(alphas), t))
    order = np.argsort(-alphas, kind="stable")
    for j in range(t):
        y, mean = reading.target(j)
        net = ElasticNet(terms.l1[:, [j]], terms.l2[:, [j]], terms.positive)
        strip = _Strip(members, net, y)
        first = 0
        while first < len(order):
            done = strip.follow(alphas[order[first : first + TOGETHER]])
            for i, (w, gap) in zip(order[first:], done, strict=False):
                coef = np.zeros(d)
                coef[members.members[: len(w)]] = w
                thetas[i, :d, j], thetas[i, d, j] = coef, mean - members.means @ coef
                gaps[i, j] = gap
            first += len(done)
    return AlphaPath(thetas, gaps)


class _Strip:
    """The way of one target past all strengths."""

    def __init__(self, members: WorkingSet, net: ElasticNet, y: np.ndarray) -> None:
        self._set, self._net, self._y = members, net, y
        self._variance = float(y @ y)
        self._unit, self._l2 = net.l1[:, 0], net.l2[:, 0]
        members.join(np.flatnonzero(self._unit == 0))
        self._w = np.zeros(len(members.members))
        self._alpha = np.inf
        self._sizes = self._sizes_of(members.slopes(y[:, None])[:, 0], self._w, 0.0)

    def follow(self, alphas: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """Coefficients of members and gaps for the first of `alphas`, which fall: at least one."""
        above = min(self._alpha, float(self._sizes.max(initial=0.0)))
        alphas = alphas[: max(np.count_nonzero(alphas >= SPREAD * above), 1)]
        self._join(self._sizes, alphas[-1])
        while True:
            points = self._points(alphas)
            residuals = np.stack([self._y - self._set.fitted(w) for w in points], axis=1)
            slopes = self._set.slopes(residuals)
            done, joining = [], np.zeros(len(self._sizes))
            for alpha, w, r, v in zip(alphas, points, residuals.T, slopes.T, strict=True):
                gap = self._gap(alpha, w, r, v)
                sizes = np.where(self._set.outside, self._sizes_of(v, w, alpha), 0.0)
                broken = sizes > alpha * (1 + NO_GAP)
                if 2 * gap > NO_GAP * self._variance and broken.any():
                    joining = np.maximum(joining, np.where(broken, sizes, 0.0))
                elif not joining.any():
                    done.append((w, gap))
            if done:
                k = len(done) - 1
                self._alpha, self._w = float(alphas[k]), points[k]
                self._sizes = self._sizes_of(slopes[:, k], points[k], self._alpha)
                return done
            self._join(joining, 0.0)

    def _sizes_of(self, v: np.ndarray, w: np.ndarray, alpha: float) -> np.ndarray:
        """(d,): the strength that would hold each slope."""
        v = v.copy()
        on = self._set.members[: len(w)]
        v[on] -= alpha * self._l2[on] * w
        size = np.maximum(v, 0.0) if self._net.positive else np.abs(v)
        return np.divide(size, self._unit, out=np.zeros(len(size)), where=self._unit > 0)

    def _join(self, sizes: np.ndarray, above: float) -> None:
        """Let columns of the largest sizes join."""
        sizes = np.where(self._set.outside, sizes, 0.0)
        where = np.flatnonzero(sizes > above)
        most = max(JOINING, np.count_nonzero(self._w))
        if len(where) > most:
            where = where[np.argpartition(-sizes[where], most - 1)[:most]]
        self._set.join(np.sort(where))

    def _points(self, alphas: np.ndarray) -> list[np.ndarray]:
        """The minimisers (m,) of the members, each from the one before."""
        members = self._set.members
        slope = self._set.members_slopes(self._y)
        w = np.concatenate([self._w, np.zeros(len(members) - len(self._w))])
        points, before = [], min(self._alpha, float(self._sizes.max(initial=0.0)))
        for alpha in alphas:
            unit, l2 = self._unit[members], alpha * self._l2[members]
            problem = Falling(self._set.gram, slope, unit, l2, self._net.positive)
            found, at, _ = followed(problem, w, alpha, alpha)
            if at > alpha:
                found, at, _ = followed(problem, w, max(before, alpha), alpha)
            if at > alpha:
                found = least(self._set.gram, slope, alpha * unit, l2, self._net.positive, w).w
            points.append(found)
            w, before = found, alpha
        return points

    def _gap(self, alpha: float, w: np.ndarray, r: np.ndarray, v: np.ndarray) -> float:
        net = ElasticNet(alpha * self._net.l1, alpha * self._net.l2, self._net.positive)
        coef = np.zeros((len(v), 1))
        coef[self._set.members[: len(w)], 0] = w
        return float(OnMembers(net, self._set).dual_gap(coef, v[:, None], np.array([r @ r]))[0])
