"""by_active_set, for L1 penalties and positivity: the minimum on the moments, in few solves.

Moments square the condition number. Where that leaves a gap, R of a QR factorisation of the rows
and slopes in twice the working precision close it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, Doubled, column_products, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import CERTAIN_GAP, Arrival, Plan, gap_arrival, gap_rules
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Given, Table
from gd_regressor.descent.nouns import Next, Problem, Rule, Step
from gd_regressor.descent.records import End, Iterate, Request, Start, Terms
from gd_regressor.descent.walk import Composite, Walk
from gd_regressor.lasso.active_set import least
from gd_regressor.lasso.along_alpha import loss_on
from gd_regressor.lasso.certificate import Certified
from gd_regressor.lasso.on_root import OnRoot
from gd_regressor.lasso.shortest import shortest
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.objective.on_moments import MomentLoss
from gd_regressor.objective.on_rows_doubled import FINE_SLICES, DoubledLoss
from gd_regressor.objective.penalties import ElasticNet


@frozen
class Finer:
    """The minimum from the rows themselves."""

    rows: Table
    frame: Frame
    penalty: ElasticNet

    def near(self, theta: np.ndarray) -> tuple[Doubled, np.ndarray, np.ndarray]:
        """The minimiser near a point (p, t), with F and its gradient there."""
        net, d = self.penalty, self.penalty.n_columns
        loss = DoubledLoss(self.rows, self.frame, FINE_SLICES)
        root = Root.of(self.rows, *self.frame[:3])
        R = root.mean_square[int(self.frame.fit_intercept) :]
        point = Doubled.of(theta)
        for j in range(theta.shape[1]):
            part = ElasticNet(net.l1[:, [j]], net.l2[:, [j]], net.positive)
            right = R[:, d + 1 + j]
            on_root = OnRoot(R[:, 1 : d + 1], right, part, root.noise)

            def slopes(w: Doubled, j: int = j) -> np.ndarray:
                at = Doubled(point.high.copy(), point.low.copy())
                at.high[:d, j], at.low[:d, j] = w.high, w.low
                return loss.value_and_gradient(at)[1][:d, j] / -2

            size = float(np.linalg.norm(right))
            w, _ = on_root.least(on_root.slopes, point[:d, j], EPS * size)
            w, _ = on_root.least(slopes, w, EPS**2 * size)
            point.high[:d, j], point.low[:d, j] = w.high, w.low
        value, gradient = loss.value_and_gradient(point)
        return point, value + net.value(plain(point)[:d]), gradient


@dataclass(frozen=True)
class ToMinimum(Step):
    """One update goes to the minimum. The next one stays there.

    Where moments may leave a gap above `enough`, and the rows are at hand, these find it.
    """

    gram: np.ndarray  # (d, d): mean products of the columns
    slope: np.ndarray  # (d, t): mean products of columns and targets
    penalty: ElasticNet
    scale: np.ndarray  # (d,): of the columns
    enough: np.ndarray  # (t,)
    finer: Finer | None = None

    def start(self, theta: np.ndarray) -> bool:
        return False

    def next(self, state: bool, here: Iterate, problem: Problem) -> Next:
        if state:
            return here.theta, here.loss, here.gradient, state
        theta, net, d = here.theta.copy(), self.penalty, self.penalty.n_columns
        theta[d:] = 0.0  # the intercept of the centred columns
        theta[:d], found = minimum_of(self.gram, self.slope, net, self.scale, theta[:d])
        value, gradient = problem.value_and_gradient(theta)
        there = Iterate(here.k + 1, theta, value, gradient, gradient)
        gap, rounding = problem.gap(there), EPS * column_products(theta[:d], theta[:d])
        if self.finer is not None and (gap + rounding > self.enough).any():
            return *self.finer.near(theta), True
        return theta, value, gradient, found


def minimum_of(
    gram: np.ndarray, slope: np.ndarray, net: ElasticNet, scale: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, bool]:
    """The minimum (d, t) for each target, and whether all of them were found.

    Of several minima it is the one of least |w / scale|.
    """
    w, found = start.copy(), True
    for j in range(w.shape[1]):
        problem = gram, slope[:, j], net.l1[:, j], net.l2[:, j], net.positive
        minimum = least(*problem, w[:, j])
        w[:, j] = shortest(*problem, minimum, scale).w
        found &= minimum.converged
    return w, found


@frozen(kw_only=True)
class OnMoments(Plan):
    """A loss with a penalty, on the moments of the rows."""

    loss: MomentLoss
    penalty: ElasticNet
    finer: Finer | None = None

    @property
    def source(self) -> str:
        return "moments"

    def set_out(self, start: Start) -> Walk:
        gram, zero = self.loss.hessian / 2, np.zeros(self.penalty.n_columns)
        slope, scale = self.loss.at_zero.slope / -2, self.frame.scale
        enough = max(self.request.tol or 0.0, CERTAIN_GAP) * self.scales.variance
        step = ToMinimum(gram, slope, self.penalty, scale, enough, self.finer)
        problem = Composite(self.loss, Certified(self.penalty), zero, gram)
        theta = self.frame.from_raw(*start)
        return Walk(problem, theta, step)

    def rules(self) -> tuple[Rule, ...]:
        return gap_rules(self)

    def settle(self, walk: Walk, end: End) -> Arrival:
        return gap_arrival(self, walk, end)


def on_moments(moments: Moments, request: Request, rows: Table | None = None) -> OnMoments:
    """The plan for a loss on these moments, and on the `rows`, with the penalties asked for."""
    loss = loss_on(moments, request.fit_intercept)
    frame = loss.frame
    penalty = ElasticNet.of(cast(Terms, request.terms), frame.scale)
    doubled = rows is not None and (rows.is_small or rows.precision == np.float64)
    return OnMoments(
        frame=frame,
        scales=scales_of(moments, request.fit_intercept),
        request=request,
        condition_number=None,
        rank=None,
        loss=loss,
        penalty=penalty,
        finer=Finer(cast(Table, rows), frame, penalty) if doubled else None,
    )


def by_active_set(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table whose moments fit into memory."""
    moments, rows = given.seen_by(first_moments)
    return on_moments(moments, request, rows), found
