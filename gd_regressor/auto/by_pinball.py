"""by_pinball, for quantiles and epsilons: one update goes to the rows that the minimum meets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from scipy.linalg import qr

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import SMALLEST_DIVISOR
from gd_regressor.arithmetic.units import power_of_two_above
from gd_regressor.auto.certified import Certified, CertifiedPlan
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Plan
from gd_regressor.data.passes import count_rows
from gd_regressor.data.table import Given, Table
from gd_regressor.descent.nouns import Next, Problem, Step
from gd_regressor.descent.records import Iterate, Request, Terms
from gd_regressor.descent.rho import Kink, Lines
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.robust.cut import Spread
from gd_regressor.robust.globs import least
from gd_regressor.robust.pinball import Pinball

# Entries of sparse columns in full, 1 GiB: a copy of more takes more memory than a fit may
MOST_IN_FULL = 1 << 27
# A ridge whose root is so many times that of the rows is stiff: together they still have ten digits
STIFF = 1e3


@frozen
class OnRows(Certified):
    """F of a point, one problem for each target. All of them share the columns."""

    pinballs: tuple[Pinball, ...]
    free: np.ndarray  # (q,): the coordinates that move; all others are zero

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = np.empty(theta.shape[1]), np.zeros(theta.shape)
        for j, pinball in enumerate(self.pinballs):
            point = theta[self.free, j]
            d = pinball.sides(pinball.residuals(point))
            value[j], gradient[self.free, j] = pinball.value(point), pinball.lacks(point, d)
        return value, gradient


class Arrived(NamedTuple):
    """What the step to the minimum tells of a target."""

    gap: float  # by the dual point, or F itself without one, because F is not below zero


@dataclass(frozen=True)
class ToMinimum(Step):
    """One update goes to the minimum. The next one stays there."""

    on_rows: OnRows

    def start(self, theta: np.ndarray) -> None:
        return None

    def next(self, state: list[Arrived] | None, here: Iterate, problem: Problem) -> Next:
        if state is not None:
            return here.theta, here.loss, here.gradient, state
        free = self.on_rows.free
        theta, gradient = np.zeros(here.theta.shape), np.zeros(here.theta.shape)
        loss, arrived = np.empty(len(here.loss)), []
        for j, pinball in enumerate(self.on_rows.pinballs):
            point, d = least(pinball)
            point = np.where(np.abs(point) < SMALLEST_DIVISOR, 0.0, point)  # rounding of zero
            theta[free, j] = point
            loss[j] = pinball.value(point)
            arrived.append(Arrived(float(loss[j] if d is None else pinball.gap(point, d))))
            if d is not None:
                gradient[free, j] = pinball.lacks(point, d)
        return theta, loss, gradient, arrived


def by_pinball(
    given: Given, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan. It serves any table whose columns fit into memory, in full."""
    rho, d = cast(Lines, request.rho), given.n_columns
    _check(given, rho.name, len(rho.kinks_of(0)))
    found = Findings.of(given, request.fit_intercept)
    t = found.rows.n_targets
    terms = Terms(np.zeros((d, t)), np.zeros((d, t))) if request.terms is None else request.terms
    terms = terms.times(rho.factor)
    frame = _frame(found, terms)
    terms = terms.in_units(frame.scale)
    free = _free(found, terms)
    A, y, u = _in_memory(found.rows, frame, free)
    pinballs = (
        _pinball(rho.kinks_of(j), A, y[:, j], u, free, (terms.l1[:, j], terms.l2[:, j]))
        for j in range(t)
    )
    on_rows = OnRows(tuple(pinballs), free)
    plan = CertifiedPlan(
        frame=frame,
        scales=scales_of(found.moments, request.fit_intercept).of_power(rho.power),
        request=request,
        condition_number=found.dependence.condition_number,
        rank=found.dependence.rank,
        problem=on_rows,
        step=ToMinimum(on_rows),
        free=free,
        dependence=found.dependence,
    )
    return plan, found


def _frame(found: Findings, terms: Terms) -> Frame:
    """Coordinates whose targets are centred at a median, which outliers do not move.

    Beside their mean the other rows would lose digits. A ridge that is stiff beside the losses of
    the rows sets the unit of its column. Else the equations of a step would be as ill-conditioned
    as it is stiff.
    """
    frame = found.frame
    spread = Spread.of(found.rows, frame.fit_intercept)
    root = np.sqrt(terms.stiffest[:, 0]) * np.sqrt(spread.size.max())
    stiff = root > STIFF * frame.scale
    scale = np.where(stiff, power_of_two_above(root), frame.scale)
    return frame._replace(scale=scale, target_centre=spread.centre)


def _free(found: Findings, terms: Terms) -> np.ndarray:
    """(q,): the coordinates that move. Columns without a penalty do not depend on each other."""
    frame, factor = found.frame, found.factor
    moving = np.ones(frame.n_parameters, dtype=bool)
    columns = np.arange(len(frame.scale))
    moving[: len(columns)] = np.isin(columns, factor.pivots)
    if terms.l1.any() or terms.l2.any():
        held = np.any(terms.l1 + terms.l2 > 0, axis=1)
        moving[: len(columns)] |= ~factor.constant_columns & held
        moving[_spanning(found, held)] = True
    return np.flatnonzero(moving)


def _spanning(found: Findings, held: np.ndarray) -> np.ndarray:
    """Dropped columns, without a penalty, that depend on `held` ones (d,), which have one.

    They do for nothing what the held ones would do. Each is a sum of pivots. Its part in the held
    ones tells it apart from the free pivots, and a QR factorisation tells it from the others.
    """
    vectors, dropped = found.dependence.vectors, found.factor.dropped
    pivots = found.factor.pivots
    dropped = dropped[np.abs(vectors[dropped]).sum(axis=1) > 0]  # the others may be independent
    free = np.flatnonzero(~held[dropped])
    part = vectors[np.ix_(pivots[held[pivots]], free)]
    if not part.size:
        return dropped[:0]
    upper, order = qr(part, mode="r", pivoting=True)
    sizes = np.linalg.norm(vectors[:, free[order]], axis=0)[: len(upper)]
    apart = np.abs(upper.diagonal()) > found.dependence.noise * sizes
    return dropped[free[order[: len(apart)][apart]]]


def _pinball(
    kinks: tuple[Kink, ...],
    A: np.ndarray,
    y: np.ndarray,
    u: np.ndarray,
    free: np.ndarray,
    terms: tuple[np.ndarray, np.ndarray],
) -> Pinball:
    """The loss of one target: a row for each kink of each row, and for each penalty with one."""
    l1, l2 = (term[free[free < len(term)]] for term in terms)
    bent = np.flatnonzero(l1)
    ridge = np.zeros(len(free))
    ridge[: len(l2)] = l2 / 2
    low = np.concatenate([*(kink.low * u for kink in kinks), -l1[bent]])
    high = np.concatenate([*(kink.high * u for kink in kinks), l1[bent]])
    targets = np.concatenate([*(y - kink.at for kink in kinks), np.zeros(len(bent))])
    if len(kinks) > 1 or len(bent):
        A = np.concatenate([A] * len(kinks) + [np.eye(len(free))[bent]])
    return Pinball(A, targets, low, high, np.zeros(len(free)), ridge, len(bent))


def _check(given: Given, name: str, copies: int) -> None:
    """Refuse sparse columns that have too many entries in full."""
    if given.is_sparse and copies * given.size > MOST_IN_FULL:
        raise ValueError(
            f'loss="{name}" with learning_rate="auto" needs the columns in full, and X has '
            f"{given.size} entries; choose columns or rows, or write a number or a schedule as "
            "learning_rate."
        )


def _in_memory(
    rows: Table, frame: Frame, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The free columns (n, q), targets (n, t) and shares (n,) of the rows with weight, in `frame`.

    The last free column is that of ones, with an intercept.
    """
    d = rows.n_columns
    columns, n = free[free < d], int(np.count_nonzero(rows.have_weight))
    centre, scale, every = frame.centre[columns], frame.scale[columns], len(columns) == d
    A, y, u = np.ones((n, len(free))), np.empty((n, rows.n_targets)), np.ones(n)
    first = 0
    count_rows(n)
    for x, targets, weights in rows.chosen(np.flatnonzero(rows.have_weight)).blocks():
        part = slice(first, first + len(x))
        chosen = x if every else x[:, columns]
        np.subtract(chosen, centre, out=A[part, : len(columns)])
        A[part, : len(columns)] /= scale
        y[part] = targets - frame.target_centre
        if weights is not None:
            u[part] = weights
        first = part.stop
    return A, y, u / rows.total_weight
