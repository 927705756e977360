"""Streams that keep R of a QR factorisation: R has all digits, but cannot forget rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gd_regressor.auto.follow import follow_auto
from gd_regressor.auto.plan import judged
from gd_regressor.data.checks import check_mean_square
from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows, Table
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Request, Result, Start
from gd_regressor.descent.steps import TextbookStep
from gd_regressor.metric.factor import Factor
from gd_regressor.streams.kept import Kept
from gd_regressor.textbook.follow import follow_textbook
from gd_regressor.textbook.landscape import Landscape


@dataclass(frozen=True)
class KeptRoot(Kept[Root]):
    """R of all rows. It also shows which columns depend on others."""

    statistic: Root

    name = "qr"

    @classmethod
    def of(cls, rows: Rows) -> KeptRoot:
        moments = Moments.of_rows(rows)
        about = cls.about(rows, moments, Factor.of(moments).scale)
        return cls(about.statistic.times(rows.unit))

    @classmethod
    def about(cls, rows: Table, moments: Moments, scale: np.ndarray) -> KeptRoot:
        """Keep R of the columns about the means of their `moments`, in units of `scale` (d,)."""
        return cls(Root.of(rows, moments.column_means, scale, moments.target_means))

    @property
    def has_forgotten(self) -> bool:
        return False

    @property
    def n_targets(self) -> int:
        return len(self.statistic.target_centre)

    def followed_by(self, rows: Rows) -> KeptRoot:
        root = self.statistic
        more = Root.of(rows, root.centre, root.scale, root.target_centre)
        return KeptRoot(root + more.times(rows.unit))

    def __add__(self, other: KeptRoot) -> KeptRoot:
        return KeptRoot(self.statistic + other.statistic)

    def without(self, rows: Rows) -> KeptRoot:
        raise ValueError(
            "A triangular factor cannot forget rows; keep moments instead (stream='moments')."
        )

    def auto(
        self,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        w, b = start
        rows, centre, target_centre = equivalent_rows(
            self.statistic, precision, raw=not request.fit_intercept
        )
        with np.errstate(over="ignore"):
            check_mean_square(((rows.y + target_centre) ** 2).mean(axis=0))
        start = w, b - target_centre + centre @ w
        result = follow_auto(rows, start, request, observers)
        with np.errstate(over="ignore", invalid="ignore"):
            # The intercept belongs to the coefficients as the estimator will store them
            kept = result.coef.astype(precision).astype(np.float64)
            intercept = result.intercept + target_centre - kept @ centre
        found, noise = result.of_data, self.statistic.noise
        condition = found.condition_number  # None with an L1 penalty, which has a gap instead
        error = max(found.coef_error, 0.0 if condition is None else noise * condition)
        return result._replace(
            intercept=intercept,
            of_data=found._replace(coef_error=error),
            status=judged(result.status, error),
        )

    def textbook(
        self,
        step: TextbookStep,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        rows, _, _ = equivalent_rows(self.statistic, precision, raw=True)
        return follow_textbook(rows, step, start, request, observers)

    def landscape(self, start: Start, fit_intercept: bool, precision: np.dtype) -> Landscape:
        rows, _, _ = equivalent_rows(self.statistic, precision, raw=True)
        return Landscape.of_rows(rows, start, fit_intercept)


def equivalent_rows(
    root: Root, precision: np.dtype | None = None, *, raw: bool
) -> tuple[Rows, np.ndarray, np.ndarray]:
    """A small table with the same least-squares problem, and the centres subtracted from it.

    In `raw` columns the distance from zero belongs to the problem. We then add the centres back,
    which costs as many digits as the distance has, and the returned centres are zero.

    The small table is Q R with an orthogonal Q. We choose Q so that the column of ones becomes
    constant again. Columns that depend on others up to the rounding of R depend on them exactly in
    the small table.
    """
    matrix = root.mean_square
    m, d = len(matrix), len(root.centre)
    # Q is the reflection that exchanges the first unit vector and the vector of ones, because only
    # the first row of R has a share in the ones
    normal = np.full(m, 1 / np.sqrt(m))
    normal[0] -= np.sign(matrix[0, 0])
    size = normal @ normal
    turned = matrix
    if size > 0:
        turned = matrix - np.multiply.outer(2 / size * normal, normal @ matrix)
    turned = turned * np.sqrt(m)
    x, means = turned[:, 1 : d + 1], matrix[0, 1 : d + 1] / matrix[0, 0]
    for column, others, combination in root.dependences:
        x[:, column] = means[column] + (x[:, others] - means[others]) @ combination
    x, y = x * root.scale, turned[:, d + 1 :]
    centre, target_centre = root.centre, root.target_centre
    if raw:
        x, y = x + centre, y + target_centre
        centre, target_centre = 0 * centre, 0 * target_centre
    return Rows(x, y, kept=precision), centre, target_centre
