"""by_few_columns, for L1 penalties on tall tables: the products of the columns in use alone.

The minimum on a sample of the rows guesses which columns these are. One pass over all rows makes
their products, and one more the slopes of all columns at the minimum among them. Columns that break
their condition there join. So the sample decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.kernels import moments_cost
from gd_regressor.auto.by_active_set import minimum_of
from gd_regressor.auto.columns_in_use import Guess, Members, guess_of, is_few, members_of
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Arrival, Plan, gap_arrival, gap_rules
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Next, Problem, Rule, Step
from gd_regressor.descent.records import End, Iterate, Request, Start, Terms
from gd_regressor.descent.walk import Composite, Walk
from gd_regressor.lasso.shortest import TIED
from gd_regressor.objective.frame import AtZero, Frame, scales_of, shift_of
from gd_regressor.objective.on_moments import KnownAtZero
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.penalties import ElasticNet

# What the sample and two passes cost where few columns are in use, in passes over the rows
GUESSED_PASSES = 4.0
# Rows for each column, at least: a sample of them tells the columns in use
TALL_ENOUGH = 64


class Known(NamedTuple):
    """The state of a descent."""

    members: Members
    is_guess: bool  # whether the slopes at a minimum have not judged the members yet
    at_rest: bool = False


@dataclass(frozen=True)
class ToMinimumOfMembers(Step):
    """An update goes to the minimum among the members, as the slopes and their products tell."""

    rows: Rows
    frame: Frame
    penalty: ElasticNet
    first: Members

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
        at_rest = judged and (found or np.array_equal(theta, here.theta))
        return theta, *problem.value_and_gradient(theta), Known(members, False, at_rest)

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
        where = np.union1d(members.where, np.flatnonzero(joining))
        where = where if is_few(where, d) else np.arange(d)
        return members_of(self.rows, where, self.frame)[0]


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
    tall = n >= TALL_ENOUGH * d and not rows.is_small and moments_cost(d) > GUESSED_PASSES
    return in_memory and tall and bool((terms.l1 > 0).all())


def by_few_columns(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan; none where a sample of the rows says that many columns are in use."""
    guess, _ = given.seen_by(lambda rows: (guess_of(rows, request), ()))  # some rows prove nothing
    if guess is None:
        return None, found
    (targets, frame, members, slope), rows = given.seen_by(partial(_first_pass, guess=guess))
    if not (np.isfinite(slope).all() and np.isfinite(members.gram).all()):
        return None, found
    scales = scales_of(targets, request.fit_intercept)
    value = targets.yy / targets.weight if request.fit_intercept else scales.square
    net = ElasticNet.of(cast(Terms, request.terms), frame.scale)
    loss = DataLoss(rows, frame, shift_of(frame))
    plan = OnFewColumns(
        frame=frame,
        scales=scales,
        request=request,
        condition_number=None,
        rank=None,
        loss=KnownAtZero(loss, frame, AtZero(value, -2 * slope), loss.doubled),
        step=ToMinimumOfMembers(rows, frame, net, members),
    )
    return plan, found


def _first_pass(
    rows: Rows, guess: Guess
) -> tuple[tuple[Moments, Frame, Members, np.ndarray], list[float]]:
    targets, frame = Moments.of_rows(rows.targets_only), guess.frame
    if frame.fit_intercept:
        frame = frame._replace(target_centre=targets.target_means)
    members, slope = members_of(rows, guess.where, frame)
    return (targets, frame, members, slope), [*slope.sum(axis=0).tolist(), *targets.yy.tolist()]
