"""The records that the rooms above pass to each other: status, iterate, request, result."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.doubled import Point, column_products
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.ranges import LARGEST_FACTOR
from gd_regressor.descent.rho import Rho

Start = tuple[np.ndarray, np.ndarray]  # coefficients (d, t), intercepts (t,)


class Status(str, Enum):
    """How a fit ended. The value says so in words, which begin with the member's name.

    A member knows its kind of end only. The numbers of a fit, and advice, are in its `message_`.
    Compare members, not words, which change.

    Examples
    --------
    >>> from gd_regressor import GDLinearRegressor, Status
    >>> model = GDLinearRegressor().fit([[0.0], [1.0], [2.0]], [1.0, 2.0, 2.0])
    >>> model.status_ is Status.CONVERGED
    True
    >>> print(model.status_.name, "-", model.status_)
    CONVERGED - converged: the loss has settled to within tol
    """

    CONVERGED = "converged: the loss has settled to within tol"
    MAX_ITER = "max_iter: all max_iter updates were made"
    STOPPED_EARLY = "stopped_early: held-out rows are predicted no better; the best was kept"
    STOPPED = "stopped: a callback ended the descent"
    DIVERGED = "diverged: the loss has grown instead of falling"
    ILL_CONDITIONED = "ill_conditioned: few digits of the coefficients are left"
    INTERRUPTED = "interrupted: stopped from the keyboard; the last complete update was kept"

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        # A saved model may hold the sentence of another version, whose first word is the member
        return cls.__members__.get(str(value).partition(":")[0].upper())

    def __str__(self) -> str:
        return self.value

    @property
    def from_outside(self) -> bool:
        """Whether somebody ended the run, who wants the last update as it is."""
        return self in (Status.INTERRUPTED, Status.STOPPED)


class Reason(Enum):
    """The cause of a status, where one status has several causes."""

    DEPENDENCE_UNKNOWN = "too few steps to find out how the columns depend on each other"
    FORGOTTEN = "what a stream has forgotten was much larger than what is left"
    ROUNDED = "rounding of the moments hides how near a penalised loss is to its minimum"
    KEPT_MOMENTS = "the moments of a stream lose digits that a triangular factor would keep"


class Bound(Enum):
    """What a number says of the distance of F from its minimum: the words to write before it."""

    EXACT = ""
    AT_LEAST = "at least "
    AT_MOST = "at most "  # as the gap to a dual problem is
    ABOUT = "about "  # where the metric is known, and the steepness of F in it is not


class Iterate(NamedTuple):
    """One point of a descent, in the coordinates of the loss."""

    k: int  # updates made so far
    theta: Point  # (p, t): one column per target; the intercept, if any, is the last row
    loss: np.ndarray  # (t,): F at theta
    gradient: np.ndarray  # (p, t): of F at theta
    direction: np.ndarray  # (p, t): P times the gradient
    state: Any = None  # of the step, at this point

    @property
    def slope(self) -> np.ndarray:
        """(t,): <g, Pg>, the rate at which F falls along the direction at first."""
        return column_products(self.gradient, self.direction)


@frozen
class Records:
    """What stopping rules, plots and warnings see of m consecutive iterates.

    A gap to a dual problem costs as much as an update. So we measure gaps when they are asked for.
    """

    losses: np.ndarray  # (m, t): F_k
    decreases: np.ndarray  # (m, t): F_{k-1} - F_k, free of the rounding of F itself; 0 at k = 0
    measured: Callable[[], np.ndarray]

    @cached_property
    def gaps(self) -> np.ndarray:
        """(m, t): distance of F_k from its minimum, as the path's `gap_is` says."""
        return self.measured()

    def only(self, index: int) -> Records:
        """The records of one iterate."""
        if len(self.losses) == 1:
            return self  # whose gaps a walk measures where it is, although it may go on
        one = slice(index, index + 1)
        return Records(self.losses[one], self.decreases[one], lambda: self.gaps[one])

    def until(self, count: int) -> Records:
        """The records of the first `count` iterates."""
        if count == len(self.losses):
            return self
        return Records(self.losses[:count], self.decreases[:count], lambda: self.gaps[:count])


class Units(NamedTuple):
    """How near the columns are to standardised ones, for which all three are 1, 1 and 0."""

    smallest: float  # deviation of a column that varies
    largest: float  # likewise
    offset: float  # the largest distance of a mean from zero, in deviations of its column

    @classmethod
    def of(cls, means: np.ndarray, deviations: np.ndarray) -> Units:
        """Those of columns with these means and deviations (d,)."""
        varying = deviations > 0
        if (means[~varying] != 0).any() or not varying.any():
            return cls(0.0, np.inf, np.inf)
        deviations, means = deviations[varying], means[varying]
        return cls(
            float(deviations.min()),
            float(deviations.max()),
            float(np.abs(means / deviations).max()),
        )


class Curvature(NamedTuple):
    """The steepest direction of a loss."""

    largest: float  # L, the largest eigenvalue of the Hessian of F
    direction: np.ndarray  # (p,): the eigenvector of L
    units: Units  # of the columns
    of_ridge: float = 0.0  # the part of L that a ridge adds

    def with_ridge(self, l2: np.ndarray) -> Curvature:
        """The same of a loss that has the sum of l2 w^2, of `l2` (d,), in it."""
        return self._replace(of_ridge=2 * float(l2 @ self.direction[: len(l2)] ** 2))


class Terms(NamedTuple):
    """The penalties of all coefficients, in raw units on the scale of scikit-learn's ElasticNet."""

    l1: np.ndarray  # (d, t), >= 0
    l2: np.ndarray  # (d, t), >= 0
    positive: bool = False

    def in_units(self, unit: np.ndarray) -> Terms:
        """Those of columns divided by `unit` (d,). The strongest are as strong as floats allow."""
        unit = unit[:, None]
        l1, l2 = (np.minimum(a, LARGEST_FACTOR) for a in (self.l1 / unit, self.l2 / unit / unit))
        return Terms(l1, l2, self.positive)

    def ridge_of(self, unit: np.ndarray) -> np.ndarray:
        """(d,): l2 of the first target, in raw units, as far as columns over `unit` can have it."""
        return np.minimum(self.l2[:, 0], LARGEST_FACTOR * unit * unit)

    @property
    def stiffest(self) -> np.ndarray:
        """(d, 1): the largest l2 of each column."""
        return self.l2.max(axis=1, keepdims=True)

    def times(self, factor: float) -> Terms:
        """The same penalties, so many times as strong."""
        return self._replace(l1=factor * self.l1, l2=factor * self.l2)

    @property
    def are_smooth(self) -> bool:
        """Whether F stays quadratic."""
        return not (self.positive or self.l1.any())

    @property
    def are_ridge(self) -> bool:
        """Whether F stays quadratic, with one Hessian for all targets."""
        return self.are_smooth and bool((self.l2 == self.l2[:, :1]).all())


class HeldRows(NamedTuple):
    """Rows held out of a descent, which end it when they are predicted no better."""

    losses: Callable[[np.ndarray], np.ndarray]  # (m, p, t) raw points -> (m, t)
    patience: int  # updates without improvement that end the run


class Request(NamedTuple):
    """What the user asks of a descent, whatever the data."""

    fit_intercept: bool
    max_iter: int  # the largest number of updates
    tol: float | None  # in units of V; None asks for max_iter updates exactly
    terms: Terms | None = None  # the penalties; None for none
    held: HeldRows | None = None  # None to learn from all rows
    rho: Rho | None = None  # the loss of a row; None for its square


class Scales(NamedTuple):
    """The units of the losses, one for each target."""

    variance: np.ndarray  # (t,): V, the unit of the loss; 1 for a constant y
    square: np.ndarray  # (t,): the mean square of y, the unit of rounding in the loss
    unit: str = "variance"  # of y: what V is

    @classmethod
    def of(cls, variance: np.ndarray, square: np.ndarray) -> Scales:
        """From the variance of y, or its mean square without intercept, and the mean square."""
        return cls(np.where(variance > 0, variance, 1.0), square)

    def of_power(self, power: int) -> Scales:
        """Those of a loss in units of y to this power, 1 or 2."""
        if power == 2:
            return self
        unit = self.unit.replace("variance", "deviation")
        return Scales(np.sqrt(self.variance), np.sqrt(self.square), unit)


class Stability(NamedTuple):
    """How large a constant step may be."""

    curvature: Curvature  # of the raw loss
    # From which some direction no longer shrinks; None where no rate is safe
    max_learning_rate: float | None
    minimum_loss: float  # the mean over targets; nan where it is not known
    # Updates that bring each loss within tol of its minimum. Infinite for never; nan where that is
    # not known, or the loss is near enough
    needed: float


class Conditioning(NamedTuple):
    """What was found out about the columns, as far as it played a part; None where it did not."""

    condition_number: float | None = None  # of the scaled columns
    rank: int | None = None  # of the centred columns
    metric: str | None = None  # where the metric came from
    coef_error: float = 0.0  # estimated relative error of the coefficients; 0 for no estimate


class Residuals(NamedTuple):
    """What a robust loss says of the residuals."""

    scale: np.ndarray | None  # (t,): their scale; None where none was asked for
    outliers: (
        np.ndarray | None
    )  # (n, t): which rows are outliers; None where the rows are elsewhere


class Result(NamedTuple):
    """What a descent found, in raw coordinates. The shapes depend on no option."""

    coef: np.ndarray  # (t, d)
    intercept: np.ndarray  # (t,), zeros without an intercept
    n_iter: int
    loss_curve: np.ndarray  # (n_iter + 1,): F after k updates, the mean over targets
    gaps: np.ndarray  # (t,): distances of the losses from their minima, as `gap_is` says
    gap_is: Bound
    variance: np.ndarray  # (t,): V, the unit of losses
    status: Status
    reason: Reason | None = None  # the cause of the status
    of_step: Stability | None = None  # None with "auto", which needs no rate
    of_data: Conditioning = Conditioning()
    dual_gaps: np.ndarray | None = None  # (t,): on ElasticNet's scale; None without a penalty
    validation_curve: np.ndarray | None = None  # of held-out rows, after each update of the run
    unit: str = "variance"  # of y: what V is
    residuals: Residuals | None = None  # of a loss that knows outliers

    @property
    def gap(self) -> float:
        """The distance of the mean loss from its minimum."""
        return float(self.gaps.mean())

    @property
    def relative_gap(self) -> float:
        """The largest distance of a target's loss from its minimum, in units of V."""
        return float((self.gaps / self.variance).max())

    def is_far(self, tol: float) -> bool:
        """Whether a loss ended so far from its minimum that the fit should say so.

        One that has settled may be further than `tol`: the rule sees how much one update changes
        the loss, and many small changes may follow. The cube root leaves room for that. A bound
        alone may be far from the distance, so it is no reason to say so.
        """
        if self.gap_is is Bound.AT_MOST and self.status is not Status.MAX_ITER:
            return False
        allowed = tol if self.status is Status.MAX_ITER else np.cbrt(tol)
        return bool(self.relative_gap > allowed)


class End(NamedTuple):
    """The end of a run."""

    k: int  # updates made
    status: Status
    losses: np.ndarray  # (k + 1, t): F after 0, 1, ..., k updates
    states: tuple[Any, ...] = ()  # of the rules, which may have looked further than k
    there: Records | None = None  # those of the k-th update, where somebody kept them
