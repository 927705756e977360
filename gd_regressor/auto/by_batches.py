"""by_batches, for a batch_size: small updates at a constant rate in a metric, the tail averaged."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.rounding import condition_for
from gd_regressor.auto.by_huber import MOST_SPARSE
from gd_regressor.auto.by_sketch import SKETCH_SAFETY
from gd_regressor.auto.findings import Findings, shift_in
from gd_regressor.auto.plan import Arrival, Plan
from gd_regressor.auto.sketch import sketched_moments
from gd_regressor.data.batches import ShuffledRows
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.table import Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.epochs import MetricEpochs
from gd_regressor.descent.nouns import Batches, Quadratic, Rule
from gd_regressor.descent.records import End, Request, Start, Terms
from gd_regressor.descent.stopping import NearMinimum
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.dependence import Dependence
from gd_regressor.metric.factor import SUSPECT, SUSPECT_SINGLE, Factor
from gd_regressor.objective.frame import Frame, scales_of
from gd_regressor.objective.on_batches import (
    Batching,
    FramedBatches,
    LossBatches,
    RidgedBatches,
)
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.ridge import RidgeLoss, with_ridge

# With so many rows for each column the eigenvalues of P H lie between 0.6 and 1.8
HEIGHT = 16
# A metric is as good with this many digits: what moments and sketches keep up to a condition number
METRIC_DIGITS = 3
# Of the largest rate at which the mean square of an error falls fastest: a constant rate with an
# averaged tail loses little by half of it, and noise that is worse than we saw has room
ROOM = 0.5
# Directions that tell how far out a row is: to within a half, in most cases
DIRECTIONS = 8
# Rows that tell how noisy the products are, and for each parameter at least
SEEN, SEEN_PER_PARAMETER = 4096, 4
# Iterations from a random point find the largest eigenvalue to within a quarter, in most cases
ITERATIONS = 8


@frozen(kw_only=True)
class Approximate(Plan):
    """Small updates come near to the minimum. The gradient on all rows tells how near."""

    problem: Smooth
    step: MetricEpochs
    dependence: Dependence | None  # None where no column depends on others, or a ridge chooses

    @property
    def source(self) -> str:
        return self.problem.metric.source

    def set_out(self, start: Start) -> Walk:
        theta = self.problem.metric.admissible(self.frame.from_raw(*start))
        return Walk(self.problem, theta, self.step)

    def rules(self) -> tuple[Rule, ...]:
        """Near enough, as far as the metric tells.

        A loss that no longer falls ends no run: it may be far from what `tol` asks for, while the
        mean over twice as many updates is nearer.
        """
        if self.request.tol is None:
            return ()
        return (NearMinimum(self.request.tol * self.scales.variance / SKETCH_SAFETY),)

    def settle(self, walk: Walk, end: End) -> Arrival:
        theta = walk.at(end.k)
        if self.dependence is not None and not end.status.from_outside:
            theta = self.dependence.least_norm(theta)
        return Arrival(theta, end.status, 0.0)


def by_batches(given: Rows | Unchecked, batching: Batching, request: Request) -> Approximate:
    """The plan. The metric is that of a sketch; of all rows where a sketch has too few digits."""
    fit_intercept = request.fit_intercept
    rows, moments, factor, dependence = _metric(given, request)
    frame = Frame.of(moments, factor.scale, fit_intercept)
    loss: Quadratic = DataLoss(rows, frame, shift_in(rows, frame))
    shuffled = ShuffledRows(rows, batching.order)
    batches: Batches = FramedBatches(LossBatches(shuffled), frame)
    if request.terms is not None:
        l2 = (request.terms.ridge_of(moments.scale) / factor.scale**2)[:, None]
        loss, batches = RidgeLoss.of(loss, l2), RidgedBatches(batches, l2)
    m = shuffled.batch_rows
    rate = ROOM / (1 + noise_of(rows, frame, factor, batching.order.seed) / m)
    known = dependence is not None and dependence.vectors.size
    clear = dependence or factor  # the condition number without the columns that depend on others
    return Approximate(
        frame=frame,
        scales=scales_of(moments, fit_intercept),
        request=request,
        condition_number=clear.condition_number,
        rank=len(factor.pivots) if dependence is None else dependence.rank,
        problem=Smooth(loss, factor),
        step=MetricEpochs(factor, rate, batches, -(-shuffled.n_rows // m)),
        dependence=dependence if known else None,
    )


Metrical = tuple[Rows, Moments, Factor, "Dependence | None"]


def _metric(given: Rows | Unchecked, request: Request) -> Metrical:
    """The checked rows, their moments or those of a sketch, and the factor of these."""
    fit_intercept, terms, height = request.fit_intercept, request.terms, HEIGHT * given.n_columns
    if not given.is_sparse and given.n_rows >= 2 * height:
        sketch = partial(sketched_moments, height=height, products=np.float64)
        moments, given = given.seen_by(sketch)
        if moments is not None:
            known = moments if terms is None else _ridged(moments, terms)
            enough = condition_for(METRIC_DIGITS, power=2, dtype=given.precision.type)
            suspect = SUSPECT_SINGLE if given.precision == np.float32 else SUSPECT
            factor = Factor.of(known, about_mean=fit_intercept, source="sketch", suspect=suspect)
            if not factor.dropped.size and factor.condition_number <= enough:
                return given, moments, factor, None
    if given.is_sparse and given.n_columns > MOST_SPARSE:
        raise ValueError(
            f'learning_rate="auto" with a batch_size needs products of all columns, and X has '
            f"{given.n_columns} sparse columns, more than {MOST_SPARSE}; choose columns, or "
            "write batch_size=None, or a number as learning_rate."
        )
    return _of_rows(given, fit_intercept) if terms is None else _of_ridge(given, request, terms)


def _of_rows(given: Rows | Unchecked, fit_intercept: bool) -> Metrical:
    """By the moments of all rows. A triangular factor of the rows has more digits than those."""
    found = Findings.of(given, fit_intercept)
    factor, known = found.factor, found.dependence
    dependent = factor.dropped[known.vectors[factor.dropped].any(axis=1)]
    unclear = len(dependent) < len(factor.dropped)
    if unclear or factor.condition_number > condition_for(METRIC_DIGITS, power=2):
        factor = Factor.of_rows(found.rows, found.frame, without=dependent)
        known = replace(known, factor=factor)
    return cast(Rows, found.rows), found.moments, factor, known


def _of_ridge(given: Rows | Unchecked, request: Request, terms: Terms) -> Metrical:
    """The same with a ridge, which chooses among columns that depend on each other."""
    moments, rows = given.seen_by(first_moments)
    factor = Factor.of(_ridged(moments, terms), about_mean=request.fit_intercept)
    if factor.dropped.size or factor.condition_number > condition_for(METRIC_DIGITS, power=2):
        frame = Frame.of(moments, factor.scale, request.fit_intercept)
        l2 = terms.ridge_of(moments.scale) / factor.scale**2
        factor = Factor.of_rows(rows, frame, without=factor.dropped[:0], ridge=l2)
    return cast(Rows, rows), moments, factor, None


def _ridged(moments: Moments, terms: Terms) -> Moments:
    return with_ridge(moments, terms.ridge_of(moments.scale))


def noise_of(rows: Rows, frame: Frame, factor: Factor, seed: int) -> float:
    """Rho: the mean of one row's (z z')^2 is at most rho, z its coordinates in the metric.

    For a batch of m rows, B the mean of their z z', the mean of B^2 is at most 1 + rho / m. So the
    mean square of an error falls at each rate below 2 / (1 + rho / m). Rho is p + 2 for
    normal rows, and more where few rows are far out, as those of a rare category are. We look how
    far out each row is in a few random directions, and draw the sample mostly from those far out.
    """
    random = np.random.default_rng(seed)
    seen = random.standard_normal((len(factor.pivots), DIRECTIONS))
    directions = np.zeros((rows.n_columns, DIRECTIONS))
    directions[factor.pivots] = factor.solve(seen) / frame.scale[factor.pivots, None]
    squares = np.concatenate(rows.total(partial(_squares, directions=directions, frame=frame)))
    share, n = 1.0, rows.n_rows
    if rows.weights is not None:
        n = int(np.count_nonzero(rows.weights))
        share = rows.weights * (n / rows.total_weight)
    chance = (share * squares) ** 2
    chance = chance / (chance.sum() or 1.0) + (share > 0) / n
    total, p = np.cumsum(chance), frame.n_parameters
    size = max(SEEN, SEEN_PER_PARAMETER * p)
    where = np.searchsorted(total, total[-1] * np.sort(random.random(size)), side="right")
    where = np.minimum(where, rows.n_rows - 1)
    z = _coordinates(rows.chosen(where), frame, factor)
    square = np.einsum("ij,ij->i", z, z)
    share = np.broadcast_to(share, rows.n_rows)[where]
    z *= (share * np.sqrt(square * total[-1] / (chance[where] * size * n)))[:, None]
    vector = random.standard_normal(z.shape[1])
    largest = 0.0
    for _ in range(ITERATIONS):
        vector = z.T @ (z @ (vector / (np.linalg.norm(vector) or 1.0)))
        largest = float(np.linalg.norm(vector))
    return max(p + 2.0, largest)


def _squares(part: Rows, directions: np.ndarray, frame: Frame) -> list[np.ndarray]:
    """About |z|^2 of each row."""
    shift = frame.centre @ directions
    found = (part.columns(span) @ directions - shift for span in part.spans())
    return [frame.fit_intercept + (x * x).mean(axis=1) for x in found]


def _coordinates(rows: Rows, frame: Frame, factor: Factor) -> np.ndarray:
    """(m, r + 1): z of each row; (m, r) without an intercept."""
    x = np.concatenate([rows.columns(span) for span in rows.spans()])[:, factor.pivots]
    x = (x - frame.centre[factor.pivots]) / frame.scale[factor.pivots]
    z = factor.solve(x.T, transposed=True).T
    return np.column_stack([z, np.ones(len(z))]) if frame.fit_intercept else z
