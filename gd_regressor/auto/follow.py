"""Follow "auto": make a plan, descend by it, and let it judge the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gd_regressor.arithmetic.doubled import Point, plain
from gd_regressor.auto.by_batches import by_batches
from gd_regressor.auto.ladder import plan_for
from gd_regressor.auto.plan import Plan
from gd_regressor.data.checks import numbered
from gd_regressor.data.table import Given, Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.nouns import Observer, Path
from gd_regressor.descent.records import Conditioning, Records, Request, Result, Start
from gd_regressor.descent.run import result_of, run
from gd_regressor.descent.stopping import Diverged
from gd_regressor.descent.walk import Walk
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_batches import Batching


def follow_auto(
    rows: Given,
    start: Start,
    request: Request,
    observers: Sequence[Observer] = (),
    *,
    rung: str | None = None,
) -> Result:
    """Descend in centred and scaled columns, with P = (2 R'R)^-1 for a factor R of the columns.

    With an exact R a step of 1 arrives at once, but for the rounding of R. Gradients from the rows
    mend this, down to the rounding floor. With R from a sketch we take conjugate steps, as many as
    `tol` asks for. `rung` names the rung to try first; with None the ladder chooses.
    """
    plan = plan_for(rows, request, rung)
    return follow_plan(plan, start, rows.precision, observers)


def follow_auto_batches(
    rows: Rows | Unchecked,
    batching: Batching,
    start: Start,
    request: Request,
    observers: Sequence[Observer] = (),
) -> Result:
    """The same by small updates in a metric: near the minimum, and not at it."""
    return follow_plan(by_batches(rows, batching, request), start, rows.precision, observers)


def follow_plan(
    plan: Plan, start: Start, precision: np.dtype, observers: Sequence[Observer] = ()
) -> Result:
    """Descend as planned. The estimator stores the coefficients in this `precision`."""
    walk, variance = plan.set_out(start), plan.scales.variance
    rules = (Diverged(variance, np.dtype(np.float64)), *plan.rules())
    as_it_is = not observers and not np.any(plan.lift)
    path = walk if as_it_is else Unscaled(walk, plan.frame, plan.lift)
    end = run(path, rules, plan.request.max_iter, observers)
    there = plan.settle(walk, end)
    w, b = plan.frame.to_raw(there.theta)
    _check_digits(w, plain(there.theta)[: len(w)], plan.frame.scale, precision)
    if precision == np.float32:  # the intercept must suit the rounded coefficients
        b = b + plan.frame.centre @ (w - w.astype(np.float32))
    return result_of(
        walk,
        end,
        w,
        b,
        variance,
        status=there.status,
        reason=there.reason,
        unit=plan.scales.unit,
        residuals=there.residuals,
        of_data=Conditioning(plan.condition_number, plan.rank, plan.source, there.coef_error),
    )


def _check_digits(w: np.ndarray, theta: np.ndarray, scale: np.ndarray, precision: np.dtype) -> None:
    """Refuse coefficients w (d, t) so small that floats lose digits which show in predictions.

    Floats below the smallest normal one have few digits. `theta` (d, t) has the coefficients of
    columns over `scale`, and so the sizes of what they add to a prediction.
    """
    limits = np.finfo(precision)
    small = np.abs(w) < limits.tiny
    if not small.any():
        return
    lost = np.abs(w.astype(precision) * scale[:, None] - theta)
    shows = small & (lost > limits.eps * np.abs(theta).max(axis=0))
    if shows.any():
        column, target = map(int, np.argwhere(shows)[0])
        size = np.log10(np.abs(theta[column, target])) - np.log10(scale[column])
        cure = "" if precision == np.float64 else ", or pass X as float64"
        raise ValueError(
            f"X: the coefficient of {numbered(column)} is about 1e{size:.0f}, and {precision} has "
            f"few digits below {limits.tiny:.2g}; divide the column{cure}."
        )


class Unscaled(Path):
    """A walk in the coordinates of a plan, as observers see it: in raw coordinates, with F."""

    def __init__(self, walk: Walk, frame: Frame, lift: np.ndarray | float) -> None:
        self._walk, self._frame, self._lift = walk, frame, lift
        self.gap_is = walk.gap_is

    def needed(self, distance: np.ndarray) -> float:
        return self._walk.needed(distance)

    def at(self, k: int) -> np.ndarray:
        return self._to_raw(self._walk.at(k))

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        thetas, losses = self._walk.points(ks)
        return np.array([self._to_raw(theta) for theta in thetas]), losses + self._lift

    def gradients(self, ks: np.ndarray) -> np.ndarray:
        return self._frame.gradient_to_raw(self._walk.gradients(ks))

    def records(self, first: int, last: int) -> Records:
        records = self._walk.records(first, last)
        return replace(records, losses=records.losses + self._lift)

    def _to_raw(self, theta: Point) -> np.ndarray:
        w, b = self._frame.to_raw(theta)
        return np.vstack((w, b)) if self._frame.fit_intercept else w
