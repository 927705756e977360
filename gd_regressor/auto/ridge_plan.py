"""Ridge, the plan of a loss with a ridge in an exact metric: Newton's steps."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.auto import newton
from gd_regressor.auto.plan import Arrival, SmoothPlan, judged
from gd_regressor.descent.nouns import Rule, Step
from gd_regressor.descent.records import End
from gd_regressor.descent.walk import Walk


@frozen(kw_only=True)
class Ridge(SmoothPlan):
    """Newton's steps. The minimiser is unique, so no combination of columns has to be found."""

    precision: float  # see `newton.floor_of`
    unknown: float = 0.0  # relative error of the coefficients at the loss's own exact minimum
    step: Step = newton.STEP

    @cached_property
    def floor(self) -> np.ndarray:
        """(t,): see `newton.floor_of`."""
        return newton.floor_of(self, self.precision)

    def rules(self) -> tuple[Rule, ...]:
        return newton.floor_rules(self, self.floor)

    def settle(self, walk: Walk, end: End) -> Arrival:
        theta = newton.last_point(self, walk, end, self.floor)
        error = max(newton.error_left(self, walk), self.unknown)
        return Arrival(theta, judged(newton.floor_status(self, walk, end), error), error)
