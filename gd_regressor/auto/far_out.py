"""Robust losses with rows far out: a descent on cut targets, wherever that has the same minimum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto.findings import Findings
from gd_regressor.auto.plan import Plan
from gd_regressor.data.table import Table
from gd_regressor.descent.records import Scales
from gd_regressor.objective.frame import scales_of
from gd_regressor.objective.on_moments import MomentLoss
from gd_regressor.robust.cut import FAR_OUT, Cut, Spread

AnyPlan = TypeVar("AnyPlan", bound=Plan)


@frozen
class Seen:
    """What a descent on a robust loss sees: the rows, with the targets of far ones cut."""

    found: Findings
    power: int  # the loss is in units of y to this power
    spread: Spread  # of the targets
    rows: Table  # as they are
    cut: Cut

    @property
    def scales(self) -> Scales:
        """The units of the loss. Outliers hardly move them."""
        scales = scales_of(self.found.moments, self.found.frame.fit_intercept)
        return self.spread.bound(scales).of_power(self.power)

    @cached_property
    def squared_loss(self) -> MomentLoss:
        """The squared loss of the cut rows."""
        return MomentLoss(self.found.moments, self.found.frame)

    def lift(self, slope: float) -> np.ndarray:
        """(t,): F of the rows as they are, less F of the cut ones. Far out the loss has `slope`."""
        return slope * self.cut.excess(self.rows)

    def holds(self, theta: np.ndarray, flat_from: np.ndarray | float) -> np.ndarray:
        """(t,): whether both have one minimum near theta, for a line beyond some residual."""
        return self.cut.holds(self.rows, *self.found.frame.to_raw(theta), flat_from)


def with_far_rows(
    found: Findings,
    power: int,
    least: float,
    plan_on: Callable[[Seen], AnyPlan],
    near: Callable[[AnyPlan], tuple[Any, np.ndarray, np.ndarray | float]],
    beginning: Callable[[AnyPlan, Callable[[], Any]], AnyPlan],
) -> AnyPlan:
    """The plan on rows whose targets are cut, further out than `least`, as near as they may be.

    `near` descends: it gives the state of the steps near the minimum, the point there, and where
    the loss is flat. There we look whether the far rows keep their sides. If the model comes near
    some, they are no outliers, and we cut further out. `beginning` gives the plan whose first
    update goes to the state that a function gives.
    """
    spread = Spread.of(found.rows, found.frame.fit_intercept)
    if least == np.inf:  # outliers are as good as other rows
        spread = spread._replace(size=np.zeros_like(spread.size))
    farthest = spread.farthest(found.rows)
    reach = np.where(spread.size > 0, np.maximum(FAR_OUT * spread.size, least), np.inf)
    plan: AnyPlan | None = None
    try:
        while (farthest > reach).any():
            cut = Cut(spread.centre, np.where(farthest > reach, reach, np.inf))
            of_cut = Findings.of(found.rows.with_targets(cut), found.frame.fit_intercept)
            seen = Seen(of_cut, power, spread, found.rows, cut)
            plan = plan_on(seen)
            there, theta, flat_from = near(plan)
            held = seen.holds(theta, flat_from)
            if held.all():
                return beginning(plan, lambda there=there: there)
            reach = np.where(held, reach, FAR_OUT * reach)
    except KeyboardInterrupt:
        if plan is None:
            raise
        return beginning(plan, _interrupt)
    return plan_on(Seen(found, power, spread, found.rows, Cut.nowhere(spread.centre)))


def _interrupt() -> NoReturn:
    """Raise an interrupt again, in the run, which keeps the start."""
    raise KeyboardInterrupt
