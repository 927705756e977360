"""by_single_moments, for some hundred columns: Newton's steps on the rows, rounded moments."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.kernels import moments_cost, single_moments_slope
from gd_regressor.arithmetic.ranges import LEAST_SINGLE_FACTOR, MOST_SINGLE_FACTOR
from gd_regressor.arithmetic.threads import product
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Arrival, Plan, SmoothPlan, judged
from gd_regressor.data.moments import Moments, sums_of
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Rule
from gd_regressor.descent.records import End, Request
from gd_regressor.descent.steps import ForeseenStep
from gd_regressor.descent.stopping import NearMinimum
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.factor import SUSPECT_SINGLE, Factor
from gd_regressor.objective.frame import AtZero, Frame, near_enough, scales_of, shift_of
from gd_regressor.objective.on_rows import DataLoss

# The metric may see a distance from the minimum as too small. So steps end where it is what `tol`
# allows, divided by this
ROUNDED_SAFETY = 4.0
# So many rows for each column tell in advance whether single precision can do; where their columns
# have a condition number above HOPELESS, or depend on each other, it cannot
SAMPLE_PER_COLUMN, LEAST_SAMPLE, HOPELESS = 1.5, 64, 1000.0
# We move columns before we round them, if the squares of their means, in deviations, have a larger
# sum. To move one takes as long as to move all
MOVED_FROM = 300.0
# A block has at least so many rows, and of few columns so many entries: with fewer, to add its
# products to the sums would take longer than to make them
ROUNDED_ROWS, ROUNDED_ENTRIES = 1 << 12, 1 << 18
# A step leaves a share LEFT sqrt(d) (1 + R^2) condition^2 of the distance from the minimum, for
# means of R deviations. As measured it is 6e-7 or less. Above MOST_LEFT another rung is for the
# table. To this we add BIASED condition^2 times the sum of all R^2. For kernels add up to 384
# products one after the other. Where these are equal all additions may round the same way, which is
# 384 / 2 times 6e-8 of the sum. Products of columns and twice those with the ones have it
LEFT, BIASED, MOST_LEFT = 1e-6, 3e-5, 0.1


@frozen(kw_only=True)
class Rounded(SmoothPlan):
    """The rows put right what single precision does not know."""

    def rules(self) -> tuple[Rule, ...]:
        return (NearMinimum(allowed(self.request, self.scales.variance)),)

    def settle(self, walk: Walk, end: End) -> Arrival:
        """What is left of the coefficients' error is the tolerance's, not rounding."""
        return Arrival(walk.at(end.k), judged(end.status, 0.0), 0.0)


def allowed(request: Request, variance: np.ndarray) -> np.ndarray:
    """(t,): the distance of the loss from its minimum at which a descent ends."""
    return (request.tol or 0.0) / ROUNDED_SAFETY * variance


def single_cost(n: int, d: int, t: int) -> float:
    """What it takes to get to the minimum, in passes over the rows.

    The rows that tell in advance, the rounded copy, the products, and the pass that shows what they
    lack. Measured on two cores of a Sapphire Rapids, with 40 to 500 columns.
    """
    looked_at = moments_cost(d) * _n_sampled(d) / n
    return looked_at + 4.1 + (d + t) / single_moments_slope() + (t - 1) / 8


def by_single_moments(
    given: Rows | Unchecked, request: Request, found: Findings | None
) -> tuple[Plan | None, Findings | None]:
    """The plan; none where the columns need more digits, or another range, than it has."""
    if request.tol is None or given.precision != np.float64:
        return None, found
    origin, _ = given.seen_by(lambda rows: (_origin(rows), ()))  # some rows prove nothing
    if origin is None:
        return None, found
    moments, rows = given.seen_by(partial(_moments, origin=origin))
    if moments is None:
        return None, found
    factor = Factor.of(moments, about_mean=request.fit_intercept, suspect=SUSPECT_SINGLE)
    share = _share_left(moments, factor)
    if factor.dropped.size or share > MOST_LEFT:
        return None, found
    frame = Frame.of(moments, factor.scale, request.fit_intercept)
    near = near_enough(rows, request.tol, factor.condition_number)
    loss = DataLoss(rows, frame, shift_of(frame, near))
    scales = scales_of(moments, request.fit_intercept)
    plan = Rounded(
        problem=Smooth(loss, factor),
        frame=frame,
        at_zero=AtZero.of(moments, frame),
        scales=scales,
        request=request,
        step=ForeseenStep(share, allowed(request, scales.variance)),
        condition_number=factor.condition_number,
        rank=len(factor.pivots),
    )
    return plan, found


def _n_sampled(d: int) -> float:
    return SAMPLE_PER_COLUMN * d + LEAST_SAMPLE


def _origin(rows: Rows) -> np.ndarray | None:
    """(d,): what columns are moved by, as some rows tell; None where these make it hopeless.

    Columns that depend on each other do so in these rows, whose products need no single precision.
    """
    d = rows.n_columns
    step = max(int(rows.n_rows // _n_sampled(d)), 1)
    weights = None if rows.weights is None else rows.weights[::step]
    if weights is not None and not weights.all():
        return None
    x, y = (np.asarray(a[::step], dtype=np.float64) for a in (rows.X, rows.y))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        some: Any = sums_of(Rows(x, y, weights))  # it refuses no targets: others may be larger
        deviation = np.sqrt(some.xx.diagonal() / some.weight) * some.scale
        sizes = np.concatenate([deviation, np.sqrt(some.yy / some.weight)])
    if not ((sizes > LEAST_SINGLE_FACTOR) & (sizes < MOST_SINGLE_FACTOR)).all():
        return None
    factor = Factor.of(some)
    if factor.dropped.size or factor.condition_number > HOPELESS:
        return None
    mean = some.column_means
    return mean if ((mean / deviation) ** 2).sum() > MOVED_FROM else np.zeros(d)


def _moments(rows: Rows, origin: np.ndarray) -> tuple[Moments | None, list[float]]:
    """Moments with products of columns in single precision; None where these left its range.

    The sums beside the moments show a NaN or an infinity in X or y.
    """
    exact, d = Moments.of_rows(rows.targets_only), rows.n_columns
    sums = rows.total(partial(_products, origin=origin, target_origin=exact.target_means))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sums[d] / sums[d, d]
        central = sums[:d] - np.multiply.outer(sums[:d, d], mean)
        scatter = central.diagonal()
        squares = sums.diagonal()
        usable = (
            np.isfinite(squares).all() and (scatter > LEAST_SINGLE_FACTOR**2 * exact.weight).all()
        )
    seen = [*squares.tolist(), *exact.yy.tolist()]
    if not usable or not np.isfinite(central).all():
        return None, seen
    xx, xy = np.ascontiguousarray(central[:, :d]), central[:, d + 1 :]
    scale = np.ones(d)
    return replace(exact, origin=origin, scale=scale, mean=mean[:d], xx=xx, xy=xy), seen


def _products(rows: Rows, origin: np.ndarray, target_origin: np.ndarray) -> np.ndarray:
    """Those of [columns - origin, 1, targets], rounded; sums of blocks in double precision."""
    d, t = rows.n_columns, rows.n_targets
    width, moved = d + 1 + t, origin.any()
    height = min(max(ROUNDED_ENTRIES // width, ROUNDED_ROWS), rows.n_rows)
    total, table = np.zeros((width, width)), np.empty((height, width), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # seen in the sums
        for x, y, s in rows.blocks(height):
            block = table[: len(x)]
            if moved:
                np.subtract(x, origin, out=block[:, :d], casting="same_kind")
            else:
                block[:, :d] = x
            block[:, d] = 1
            np.subtract(y, target_origin, out=block[:, d + 1 :], casting="same_kind")
            if s is not None:
                block *= np.sqrt(s)[:, None].astype(np.float32)
            total += product(block.T, block)
    return total


def _share_left(moments: Moments, factor: Factor) -> float:
    """The share of the gradient that a step leaves: no measured share was larger."""
    squares = moments.weight * moments.mean**2 / moments.xx.diagonal()
    rounding = LEFT * math.sqrt(len(squares)) * (1 + squares.max(initial=0.0))
    return float((rounding + BIASED * squares.sum()) * factor.condition_number**2)
