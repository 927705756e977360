"""by_huber, for Huber's loss: Newton's steps from piece to piece, begun on a sample of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np

from gd_regressor.arithmetic.doubled import EPS, plain
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import product
from gd_regressor.auto.certified import Certified
from gd_regressor.auto.far_out import Seen, with_far_rows
from gd_regressor.auto.findings import Findings, shift_in
from gd_regressor.auto.plan import Arrival, Plan, gap_arrival, gap_rules, judged
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Rows, Table
from gd_regressor.descent.nouns import Next, Problem, Rule, Step
from gd_regressor.descent.records import End, Iterate, Request, Residuals, Start, Status
from gd_regressor.descent.walk import Walk
from gd_regressor.objective.frame import scales_of
from gd_regressor.objective.on_moments import gram_of
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_clipped import Clipped, Spot
from gd_regressor.objective.robust import EPSILON, Huber, ScaledHuber
from gd_regressor.robust.cut import one_of_each_stretch
from gd_regressor.robust.newton import Newton, There, spot_of
from gd_regressor.robust.pieces import FixedDelta, JointScale, Sizing
from gd_regressor.robust.start import down_to, near_minimum, with_scale

# More sparse columns than this have no products
MOST_SPARSE = 2000
# Rows of a sample: for each parameter, at least, and one of so many; all rows, where these are not
# many more. A pass over the sample then costs little beside one over all rows
PER_PARAMETER, LEAST_ROWS, ONE_OF, MANY_MORE = 20, 4096, 32, 4
# Of y: a ridge leaves residuals, though a start may fit all rows. With a scale of rounding size the
# sides of the rows would be rounding
BEGINS = 1e-3


@frozen
class OnPieces(Certified):
    """F of a point. Only a start asks for it, because the steps know F where they arrive."""

    newton: Newton
    spot: Callable[[np.ndarray], Spot]  # a point with the delta to begin with

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """No step needs the gradient of a start. So at zero we leave it open: it costs a pass."""
        spot, d = self.spot(theta), self.newton.n_columns
        if theta[:d].any():
            return self.newton.value_and_gradient(spot)
        value = self.newton.value_at_zero(spot.delta, theta[d:].sum(axis=0))
        return value, np.full_like(theta, np.nan)

    def gradient(self, here: Iterate) -> np.ndarray:
        """(p, t): that of an iterate, also of a start that left it open."""
        if not np.isnan(here.gradient).any():
            return here.gradient
        return self.newton.value_and_gradient(self.spot(plain(here.theta)))[1]


@dataclass(frozen=True)
class PieceStep(Step):
    """The first update goes to the minimum of a sample, the others from piece to piece."""

    newton: Newton
    first: Callable[[Spot], list[There]]
    spot: Callable[[np.ndarray], Spot]

    def start(self, theta: np.ndarray) -> None:
        return None

    def next(self, state: list[There] | None, here: Iterate, problem: Problem) -> Next:
        there = self._begun(here) if state is None else self.newton.step(state)
        theta, gradient = (
            np.stack(each, axis=1)
            for each in zip(*((at.theta, at.gradient) for at in there), strict=True)
        )
        return theta, np.array([at.loss for at in there]), gradient, there

    def _begun(self, here: Iterate) -> list[There]:
        """At the minimum of a sample, or at the start where that is better."""
        start = self.spot(plain(here.theta))
        there = self.first(start)
        moved = np.any(spot_of(there).theta != start.theta, axis=0)
        worse = moved & (np.array([at.loss for at in there]) > here.loss)
        if not worse.any():
            return there
        theta, delta, *_ = spot_of(there)
        theta = np.where(worse, start.theta, theta)
        return self.newton.begin(Spot(theta, np.where(worse, start.delta, delta)))


@frozen(kw_only=True)
class HuberPlan(Plan):
    """Huber's loss, with a delta of the user's own or with a scale."""

    newton: Newton
    seen: Seen
    first: Callable[[Spot], list[There]]  # the start of the steps on all rows
    epsilon: float | None  # delta is so many scales; None where no scale is asked for

    @property
    def source(self) -> str:
        return "moments"

    def set_out(self, start: Start) -> Walk:
        theta = np.zeros((self.frame.n_parameters, len(self.scales.square)))
        theta[self.newton.free] = self.frame.from_raw(*start)[self.newton.free]
        step = PieceStep(self.newton, self.first, self._spot)
        problem = OnPieces(self.newton, self._spot)
        return Walk(problem, theta, step, problem.gradient)

    def near(self) -> tuple[list[There], np.ndarray, np.ndarray]:
        """Near the minimum: the state of the steps, the point, and where the loss is flat."""
        zero = np.zeros((self.frame.n_parameters, self.seen.rows.n_targets))
        there = near_minimum(self.newton, self.first(self._spot(zero)))
        theta, delta, *_ = spot_of(there)
        return there, theta, delta

    def beginning(self, first: Callable[[], list[There]]) -> HuberPlan:
        """The same whose first update goes there."""
        return replace(self, first=lambda _: first())

    def _spot(self, theta: np.ndarray) -> Spot:
        sizes = zip(self.newton.sizings, _root_mean_squares(self.seen, theta), strict=True)
        return Spot(theta, np.array([sizing.first(size) for sizing, size in sizes]))

    def rules(self) -> tuple[Rule, ...]:
        return gap_rules(self)

    def settle(self, walk: Walk, end: End) -> Arrival:
        found, dependence = self.seen.found, self.seen.found.dependence
        arrival = gap_arrival(self, walk, end, beside_loss=True)
        theta, there = plain(arrival.theta), walk.here.state
        error = arrival.coef_error
        _, delta, sides, _ = self._spot(theta) if there is None else spot_of(there)
        if there is not None:
            error = max(error, self.newton.error_left(there))
        if end.status is not Status.INTERRUPTED and not self.newton.ridge.any():
            error = np.inf if dependence.condition_number == np.inf else error
            if dependence.vectors.size:
                theta = plain(dependence.least_norm(theta))
        holds = self.seen.holds(theta, delta).all()
        error = error if holds else np.inf
        if sides is not None and holds:
            outliers = (sides != 0).T
        else:
            outliers = _outliers(found.rows, *self.frame.to_raw(theta), delta)
        scale = None if self.epsilon is None else delta / self.epsilon
        return arrival._replace(
            theta=theta,
            status=judged(arrival.status, error),
            coef_error=error,
            residuals=Residuals(scale, outliers),
        )


def by_huber(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan for a delta of the user's own. It serves any table whose moments fit into memory."""
    rho = cast(Huber, request.rho)
    delta = rho.delta

    def plan_on(seen: Seen) -> HuberPlan:
        sizings = (FixedDelta(delta),) * seen.rows.n_targets
        size = partial(_root_mean_squares, seen)
        first = partial(down_to, joint=_joint(seen.found, request, EPSILON), size=size)
        return _plan(seen, request, sizings, first, 2 * delta)

    found = _findings(given, request)
    near, beginning = HuberPlan.near, HuberPlan.beginning
    return with_far_rows(found, rho.power, 4 * delta, plan_on, near, beginning), found


def by_scaled_huber(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan for a scale that is found with the coefficients. It serves the same tables."""
    rho = cast(ScaledHuber, request.rho)
    epsilon = rho.epsilon

    def plan_on(seen: Seen) -> HuberPlan:
        joint = _joint(seen.found, request, epsilon)
        return _plan(seen, request, joint, partial(with_scale, joint=joint), 2 * epsilon, epsilon)

    found = _findings(given, request)
    near, beginning = HuberPlan.near, HuberPlan.beginning
    return with_far_rows(found, rho.power, 0.0, plan_on, near, beginning), found


def _findings(given: Given, request: Request) -> Findings:
    if given.is_sparse and given.n_columns > MOST_SPARSE:
        raise ValueError(
            f'loss="huber" with learning_rate="auto" needs products of all columns, and X has '
            f"{given.n_columns} sparse columns, more than {MOST_SPARSE}; choose columns, or write "
            "Huber(delta) with a number as learning_rate."
        )
    return Findings.of(given, request.fit_intercept)


def _joint(found: Findings, request: Request, epsilon: float) -> tuple[Sizing, ...]:
    variance, squares, _ = scales_of(found.moments, found.frame.fit_intercept)
    # Equal targets are zero beside their mean, however far out they are
    squares = np.where(found.moments.yy > 0, squares, np.minimum(squares, variance))
    sizes = np.sqrt(np.where(squares > 0, squares, 1.0)).tolist()
    begins = 0.0 if request.terms is None else BEGINS
    return tuple(JointScale(epsilon, 4 * EPS * size, begins * size) for size in sizes)


def _plan(
    seen: Seen,
    request: Request,
    sizings: tuple[Sizing, ...],
    first: Callable[..., list[There]],
    slope: float,
    epsilon: float | None = None,
) -> HuberPlan:
    found = seen.found
    rows, frame = found.rows, found.frame
    ridge, l2 = np.zeros((frame.n_parameters, rows.n_targets)), None
    if request.terms is not None:
        ridge[: rows.n_columns] = l2 = request.terms.in_units(frame.scale).l2
    free, shift = found.moving(l2), shift_in(rows, frame)

    def on(table: Table, moments: Moments, sizings: tuple[Sizing, ...]) -> Newton:
        clipped = Clipped(DataLoss(table, frame, shift))
        return Newton(clipped, sizings, gram_of(moments, frame), free, ridge)

    def on_sample(sizings: tuple[Sizing, ...]) -> Newton:
        return on(sample, moments, sizings)

    def begin(spot: Spot) -> list[There]:
        if not spot.theta[: rows.n_columns].any():
            spot = _least_squares(seen, sizings)
        if in_place:
            return newton.begin(spot) if epsilon is not None else first(on_sample, spot)
        return newton.begin(spot_of(first(on_sample, spot)))

    sample = _sample(rows, frame.n_parameters)
    in_place = sample is rows
    moments = found.moments if in_place else Moments.of_rows(sample)
    newton = on(rows, found.moments, sizings)
    return HuberPlan(
        frame=frame,
        scales=seen.scales,
        request=request,
        condition_number=found.dependence.condition_number,
        rank=found.dependence.rank,
        newton=newton,
        seen=seen,
        lift=seen.lift(slope),
        first=begin,
        epsilon=epsilon,
    )


def _root_mean_squares(seen: Seen, theta: np.ndarray) -> list[float]:
    """Of the residuals of each target."""
    square, _ = seen.squared_loss.value_and_gradient(theta)
    return np.sqrt(square).tolist()


def _least_squares(seen: Seen, sizings: tuple[Sizing, ...]) -> Spot:
    """The minimum of the squared loss, which the moments know. Outliers move it less than zero is.

    From there a wide table needs a step or two less, and fewer rows change their sides on the way.
    """
    start = np.zeros((seen.found.frame.n_parameters, len(sizings)))
    _, slope = seen.squared_loss.value_and_gradient(start)
    theta = start - seen.found.factor.apply(slope)
    sizes = zip(sizings, _root_mean_squares(seen, theta), strict=True)
    return Spot(theta, np.array([sizing.first(size) for sizing, size in sizes]))


def _sample(rows: Table, n_parameters: int) -> Table:
    """Some rows, in their order; all of them where they are few, or elsewhere."""
    n = rows.n_rows
    m = max(PER_PARAMETER * n_parameters, LEAST_ROWS, n // ONE_OF)
    if n < MANY_MORE * m or rows.is_elsewhere:
        return rows
    sample = rows.chosen(one_of_each_stretch(n, m))
    return sample if sample.total_weight > 0 else rows


def _outliers(rows: Table, w: np.ndarray, b: np.ndarray, delta: np.ndarray) -> np.ndarray | None:
    """(n, t): whether each row is further than `delta` from the model."""
    if rows.is_elsewhere:
        return None
    return np.concatenate(rows.total(partial(_outside, w=w, b=b, delta=delta)))


def _outside(part: Rows, w: np.ndarray, b: np.ndarray, delta: np.ndarray) -> list[np.ndarray]:
    return [
        np.abs(part.y[span] - product(part.columns(span), w) - b) > delta for span in part.spans()
    ]
