"""by_few_columns, for L1 penalties on tall tables: the products of the columns in use alone.

The minimum on a sample of the rows guesses which columns these are. One pass over all rows makes
their products with all columns. These give the minimum among the columns in use, and the slopes of
all columns there. Columns that break their condition join. So the sample decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.by_active_set import minimum_of
from gd_regressor.auto.columns_in_use import Guess, Members, guess_of, is_few, members_of
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import CERTAIN_GAP, Arrival, Plan, gap_arrival, gap_rules
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Next, Problem, Rule, Step
from gd_regressor.descent.records import End, Iterate, Request, Scales, Start, Terms
from gd_regressor.descent.walk import Composite, Walk
from gd_regressor.lasso.shortest import TIED
from gd_regressor.objective.frame import AtZero, Frame, scales_of, shift_of
from gd_regressor.objective.on_moments import KnownAtZero
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.penalties import ElasticNet

# Rows for each column, at least: a sample of them tells the columns in use
TALL_ENOUGH = 64


class Known(NamedTuple):
    """The state of a descent."""

    members: Members
    is_guess: bool  # whether the slopes at a minimum have not judged the members yet
    by_rows: bool = False  # whether the slopes here come from the rows, and not from products
    at_rest: bool = False


@dataclass(frozen=True)
class ToMinimumOfMembers(Step):
    """An update goes to the minimum among the members.

    Their products give the loss and the slopes of all columns there, so that no update reads the
    rows again unless other columns join. Where rounding of products may hide more than a gap of
    `enough`, and where the gap asks for one more update, we take the slopes from the rows.
    """

    rows: Rows
    frame: Frame
    penalty: ElasticNet
    first: Members
    enough: np.ndarray  # (t,)

    def start(self, theta: np.ndarray) -> Known:
        return Known(self.first, True)

    def next(self, state: Known, here: Iterate, problem: Problem) -> Next:
        if state.at_rest:
            return here.theta, here.loss, here.gradient, state
        net, d = self.penalty, self.penalty.n_columns
        w, v = here.theta[:d], here.gradient[:d] / -2
        joining = self._joining(state, w, v)
        members = self._joined(state.members, joining) if joining.any() else state.members
        on, gram = members.where, members.gram
        # The best intercept makes the mean residual zero
        residual = here.gradient[d:].sum(axis=0) / -2
        slope = v[on] - np.multiply.outer(members.means, residual) + gram @ w[on]
        part = ElasticNet(net.l1[on], net.l2[on], net.positive)
        theta = np.zeros_like(here.theta)
        theta[on], found = minimum_of(gram, slope, part, self.frame.scale[on], w[on])
        theta[d:] = -(members.means @ theta[on])
        judged = not (state.is_guess or joining.any())
        if judged or (members.hidden(theta[on]) > self.enough).any():
            at_rest = judged and state.by_rows and (found or np.array_equal(theta, here.theta))
            known = Known(members, False, by_rows=True, at_rest=at_rest)
            return theta, *problem.value_and_gradient(theta), known
        gradient = np.zeros_like(theta)
        loss, slopes = members.loss_and_slopes(theta[on])
        gradient[:d] = -2 * slopes
        return theta, loss + net.value(theta[:d]), gradient, Known(members, False)

    def _joining(self, state: Known, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(d,): the columns outside that have a coefficient or break their condition."""
        net = self.penalty
        joining = (w != 0).any(axis=1)
        if not state.is_guess:
            size = v if net.positive else np.abs(v)
            rounding = TIED * np.abs(v).max(axis=0, initial=0.0)
            # Columns that only reach their bound may share a minimum with others
            joining |= (size > net.l1 + np.where(net.l2 == 0, -rounding, rounding)).any(axis=1)
        joining[state.members.where] = False
        return joining

    def _joined(self, members: Members, joining: np.ndarray) -> Members:
        d = len(joining)
        where = np.flatnonzero(joining)
        if not is_few(len(members.where) + len(where), d):
            where = np.setdiff1d(np.arange(d), members.where)
        return members.joined_by(members_of(self.rows, where, self.frame, members.square))


@frozen(kw_only=True)
class OnFewColumns(Plan):
    """A loss with a penalty, on the rows and on the products of the columns in use."""

    loss: KnownAtZero
    step: ToMinimumOfMembers

    @property
    def source(self) -> str:
        return "working sets"

    def set_out(self, start: Start) -> Walk:
        penalty = self.step.penalty
        problem = Composite(self.loss, penalty, np.zeros(penalty.n_columns))
        theta = self.frame.from_raw(*start)
        theta[penalty.n_columns :] = 0.0  # the best intercept, or nearly
        return Walk(problem, theta, self.step)

    def rules(self) -> tuple[Rule, ...]:
        return gap_rules(self)

    def settle(self, walk: Walk, end: End) -> Arrival:
        return gap_arrival(self, walk, end)


def few_may_be_in_use(rows: Given, terms: Terms) -> bool:
    """Whether it is worth its time to guess the columns in use."""
    n, d = rows.n_rows, rows.n_columns
    in_memory = not (rows.is_sparse or rows.is_elsewhere or rows.costly_to_read)
    tall = n >= TALL_ENOUGH * d and not rows.is_small
    return in_memory and tall and is_few(1, d) and bool((terms.l1 > 0).all())


def by_few_columns(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan; none where a sample of the rows says that many columns are in use."""
    guess, _ = given.seen_by(lambda rows: (guess_of(rows, request), ()))  # some rows prove nothing
    if guess is None:
        return None, found
    (scales, frame, members), rows = given.seen_by(partial(_first_pass, guess=guess))
    if not (np.isfinite(members.slope).all() and np.isfinite(members.across).all()):
        return None, found
    net = ElasticNet.of(cast(Terms, request.terms), frame.scale)
    loss, at_zero = DataLoss(rows, frame, shift_of(frame)), -2 * members.slope
    enough = max(request.tol or 0.0, CERTAIN_GAP) * scales.variance
    plan = OnFewColumns(
        frame=frame,
        scales=scales,
        request=request,
        condition_number=None,
        rank=None,
        loss=KnownAtZero(loss, frame, AtZero(members.square, at_zero), loss.doubled),
        step=ToMinimumOfMembers(rows, frame, net, members, enough),
    )
    return plan, found


def _first_pass(rows: Rows, guess: Guess) -> tuple[tuple[Scales, Frame, Members], list[float]]:
    targets, frame = Moments.of_rows(rows.targets_only), guess.frame
    if frame.fit_intercept:
        frame = frame._replace(target_centre=targets.target_means)
    scales = scales_of(targets, frame.fit_intercept)
    square = targets.yy / targets.weight if frame.fit_intercept else scales.square
    members = members_of(rows, guess.where, frame, square)
    return (scales, frame, members), [*members.slope.sum(axis=0), *targets.yy]
