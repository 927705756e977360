"""Advice: the one warning that a fit may give, in words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from gd_regressor.descent.records import Curvature, Reason, Result, Status
from gd_regressor.estimator.parameters import Asked

# What helps wherever a textbook's descent is slow
CURE = 'scale the columns (StandardScaler) or use learning_rate="auto".'


class DivergenceWarning(ConvergenceWarning):
    """The learning rate is at or above the stability limit, so the loss need not fall.

    Examples
    --------
    >>> import warnings
    >>> from gd_regressor import DivergenceWarning, GDLinearRegressor
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", DivergenceWarning)  # we want to see the climb
    ...     model = GDLinearRegressor(learning_rate=3.0, max_iter=2).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> print(model.status_.name, model.loss_curve_)
    MAX_ITER [5.000e-01 1.700e+01 7.985e+02]
    """


def divergence_advice(
    learning_rate: float, limit: float, curvature: Curvature, columns: Sequence
) -> str:
    """Text for a learning rate at or above `limit`: which column sets the limit, what to write."""
    return (
        f"learning_rate={float(learning_rate):g} is not below the largest stable rate, "
        f"{limit:.6g}, which {blame(curvature.direction, columns)}. Write a smaller "
        'learning_rate, put a StandardScaler in front, or use learning_rate="auto".'
    )


def blame(direction: np.ndarray, columns: Sequence) -> str:
    """Which column sets the limit of the learning rate, of the steepest `direction` (p,)."""
    share = np.abs(direction) ** 2
    column = int(np.argmax(share))
    who = "the intercept"
    if column < len(columns):
        who = f"column {columns[column]!r}"
        if isinstance(columns, range):
            who += " (counting from 0)"
    # If columns have like scales, no single one sets the limit: the steepest direction is shared
    return f"{who} {'sets' if share[column] > 0.5 else 'and those correlated with it set'}"


def warn_of(result: Result, asked: Asked, columns: Sequence) -> None:
    """Give at most one warning, and nowhere else. `stacklevel` points at the call of `fit`."""
    if not asked.request.max_iter:  # the user asked for the start
        return
    stable, step = result.of_step, asked.step
    if step and stable and step.final_rate >= stable.max_learning_rate:
        rate, limit = step.final_rate, stable.max_learning_rate
        advice = divergence_advice(rate, limit, stable.curvature, columns)
        text = f"{advice} {result.n_iter} updates were made; status_: {result.status.name}."
        warnings.warn(text, DivergenceWarning, stacklevel=4)
    elif (text := _advice(result, asked)) is not None:
        warnings.warn(text, ConvergenceWarning, stacklevel=4)


def _advice(result: Result, asked: Asked) -> str | None:
    """The text of the warning after a fit with a stable learning rate; None for no warning."""
    tol = asked.request.tol
    if result.status is Status.ILL_CONDITIONED:
        return _lost_digits(result)
    if result.status is Status.DIVERGED:
        return f"After {result.n_iter} updates the loss climbed beyond any use. Scale X and y."
    if result.reason is Reason.DEPENDENCE_UNKNOWN:
        return (
            f"The loss has settled after {result.n_iter} updates, but the steps beside them "
            f"(max_iter={asked.request.max_iter} limits them) did not find out how the columns "
            "depend on each other: the coefficients may not be those of least norm, and where "
            "columns nearly depend on each other the loss may be above its minimum. Raise "
            "max_iter, scale columns of very different units, use fewer columns, or write tol=1e-9 "
            "to do without."
        )
    if result.status is Status.MAX_ITER and tol is not None:
        text = f"After max_iter={asked.request.max_iter} updates {_distance_left(result)} Raise"
        if result.of_step is None:
            return f"{text} max_iter."
        limit = result.of_step.max_learning_rate
        return f"{text} max_iter or learning_rate (stable below {limit:.3g}), {CURE}"
    if asked.step is not None and tol and result.relative_gap > np.cbrt(tol):
        return (
            f"After {result.n_iter} updates an update lowers the loss by no more than "
            f"tol={tol:g} of the variance of y, but {_distance_left(result)} Some direction "
            f"descends very slowly: {CURE}"
        )
    return None


def _lost_digits(result: Result) -> str:
    condition = result.of_data.condition_number
    digits = int(max(0.0, -np.log10(result.of_data.coef_error)))
    left = f"about {digits} digits of the coefficients are left"
    if result.reason is Reason.FORGOTTEN:
        return (
            f"What was forgotten was so much larger than what is left that {left}; begin "
            "another stream with the rows that are left."
        )
    once = result.reason is Reason.KEPT_MOMENTS
    text = f"The condition number of the scaled columns is {condition:.1e}"
    if condition == np.inf:
        what = "the moments cannot tell" if once else "rounding hides"
        text = f"Whether columns depend on each other {what}"
    text = f"{text}: {left}. Drop or combine columns that nearly depend on each other"
    return text + (', or keep a triangular factor of the stream (stream="qr").' if once else ".")


def _distance_left(result: Result) -> str:
    return (
        f"the loss {result.loss_curve[-1]:.6g} is {result.gap_is.value}{result.gap:.2g} above its "
        f"attainable minimum ({result.relative_gap:.1g} of the variance of y)."
    )
