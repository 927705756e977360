"""Advice: what a fit says of its end in words, and the one warning that it may give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.data.checks import numbered
from gd_regressor.descent.records import Bound, Curvature, Reason, Result, Stability, Status, Units
from gd_regressor.estimator.parameters import Asked
from gd_regressor.estimator.tables import number, of_variance, so_many
from gd_regressor.losses import MEANS, SQUARED

# Columns are standardised if means and deviations are within this share of a deviation of 0 and 1:
# so are the rows of a fold, and of a sample, whose columns were standardised as a whole
STANDARDISED = 0.1
# Less above the minimum, in variances of y, changes no digit that is mostly printed
SAID = 1e-6
# Columns of a smaller condition number cost a fit four digits of sixteen: something else took more
APART = 1e4


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
    DIVERGED [5.000e-01 1.700e+01 7.985e+02]
    """


class Advice(NamedTuple):
    """What a fit says of its end."""

    message: str  # the estimator's `message_`
    warning: type[Warning] | None = None  # which warning says the same; None for no warning
    topic: str = ""  # warnings with one topic tell a search the same


def advice_of(result: Result, asked: Asked, columns: Sequence, n_rows: float) -> Advice:
    """The one place that words the end of a fit. `n_rows` is infinite where it is not known."""
    request, step, stable = asked.request, asked.step, result.of_step
    made = f"After {so_many(result.n_iter, asked.update)}"
    if result.status is Status.INTERRUPTED:
        return Advice(f"{made} an interrupt ended the fit; the last complete update was kept.")
    if result.status is Status.STOPPED:
        if (curve := result.validation_curve) is not None:
            return Advice(f"A callback ended the fit. {_stopped_early(result, curve, asked)}")
        return Advice(f"{made} a callback ended the fit.")
    if not request.max_iter:
        return Advice("No update was made, as max_iter=0 asks: the model is the start.")
    # With a penalty the limit is a bound, and larger rates may converge
    bounded = result.gap_is is Bound.AT_MOST or request.rho is not None
    fine = bounded and result.status is Status.CONVERGED
    limit = stable.max_learning_rate if stable else None
    if step and stable and limit is not None and step.final_rate >= limit and not fine:
        rate, is_bound = step.final_rate, request.rho is not None
        is_bound |= asked.penalties is not None and asked.penalties.have_kinks
        text = divergence_advice(rate, limit, stable.curvature, columns, is_bound=is_bound)
        first, last = result.loss_curve[[0, -1]]
        if (curve := result.validation_curve) is None:
            text += f" {made} the loss is {number(last)}; it was {number(first)} at first."
        else:
            text += f" {_stopped_early(result, curve, asked)}"
        return Advice(text, DivergenceWarning, f"learning_rate={rate:g}")
    if asked.batching is not None and result.status is Status.DIVERGED:
        return Advice(_climbed(result, asked, made), DivergenceWarning, result.status.name)
    if (text := _trouble(result, asked, made)) is not None:
        return Advice(text, ConvergenceWarning, result.status.name)
    if result.validation_curve is not None:
        return Advice(_stopped_early(result, result.validation_curve, asked))
    if result.status is Status.MAX_ITER:
        noisy = step is None and asked.batching is not None  # such fits say how near they are
        left = _distance(result, "; the loss is ", 0.0 if noisy else SAID)
        text = f"{_all_were(result.n_iter, asked)} made, as tol=None asks{left}."
    elif step is None and asked.batching is not None:
        text = f"{made} the loss is{_distance(result, ' ', -1.0)}."
    else:
        text = f"{made} the loss has settled to within tol={request.tol:g}"
        text += f"{_patience(asked, result.unit)}.{_noise(result, asked)}"
    if step is None and n_rows <= len(columns):
        size = f"{so_many(n_rows, 'row')} and {so_many(len(columns), 'column')}"
        text += (
            f" The table has {size}, so the training rows are fitted exactly, or nearly, while new "
            "rows may be far off: a descent with a number as learning_rate, stopped early, can "
            "predict them better (gd_path)."
        )
    return Advice(text)


def divergence_advice(
    learning_rate: float,
    limit: float,
    curvature: Curvature,
    columns: Sequence,
    *,
    is_bound: bool = False,
) -> str:
    """Text for a learning rate at or above `limit`: what sets the limit, and what to write."""
    scaler = "" if _is_standardised(curvature.units) else "put a StandardScaler in front, "
    who = blame(curvature.direction, columns)
    if curvature.of_ridge > curvature.largest / 2:  # which units of columns do not change
        who, scaler = "alpha sets", "a smaller alpha, "
    what = f"the largest stable rate, {limit:.6g}, which {who}"
    if is_bound:  # larger rates may be stable: it holds for any penalty and loss
        what = (
            f"{limit:.6g}, which {who}: with this loss and penalty a descent is sure to converge "
            "below this rate only"
        )
    return (
        f"learning_rate={float(learning_rate):g} is not below {what}. Write a smaller "
        f'learning_rate, {scaler}or use learning_rate="auto".'
    )


def blame(direction: np.ndarray, columns: Sequence) -> str:
    """Which column sets the limit of the learning rate, of the steepest `direction` (p,)."""
    share = np.abs(direction) ** 2
    column = int(np.argmax(share))
    who = "the intercept"
    if column < len(columns):
        named = not isinstance(columns, range)
        who = f"column {columns[column]!r}" if named else numbered(column)
    # If columns have like scales, no single one sets the limit: the steepest direction is shared
    return f"{who} {'sets' if share[column] > 0.5 else 'and those correlated with it set'}"


def chunk_advice(result: Result) -> Advice:
    """The same of one pass of updates over a chunk."""
    first, last = map(number, result.loss_curve)
    text = f"After a pass of updates over the chunk its loss is {last}; it was {first} before."
    return Advice(text)


def _climbed(result: Result, asked: Asked, made: str) -> str:
    """Of noisy updates that diverged, and what to write."""
    climbed = "the loss climbed beyond any use"
    if asked.step is None:
        return f"{made} {climbed}. Write a larger batch_size, or batch_size=None."
    cure = "Write a smaller learning_rate, or put a StandardScaler in front."
    if (curve := result.validation_curve) is None:
        return f"{made} {climbed}. {cure}"
    return f"{climbed.capitalize()}. {cure} {_stopped_early(result, curve, asked)}"


def _patience(asked: Asked, unit: str) -> str:
    """When a loss of noisy updates counts as settled."""
    if asked.batching is None:
        return ""
    epochs = so_many(asked.batching.patience, "epoch")
    return f": {epochs} in a row have not lowered it by more than that share of the {unit} of y"


def _noise(result: Result, asked: Asked) -> str:
    """How far above its least value a loss of noisy updates has ended, if that is more than tol."""
    curve, least = result.loss_curve, int(result.loss_curve.argmin())
    allowed = (asked.request.tol or 0.0) * result.variance.mean()
    if asked.batching is None or curve[-1] - curve[least] <= allowed:
        return ""
    return (
        f" It is {number(curve[-1])} now, and was {number(curve[least])} after epoch {least}: this "
        "is the noise of the updates. For less noise write a smaller learning_rate, or let the "
        "rates fall (learning_rate=InverseScaling(...))."
    )


def updates(count: float) -> str:
    """A number of updates in words."""
    return so_many(count, "update")


def _all_were(count: int, asked: Asked) -> str:
    many = so_many(count, asked.update)
    return f"{many} was" if count == 1 else f"All {many} were"


def _is_standardised(units: Units) -> bool:
    """Whether a StandardScaler would change next to nothing."""
    like_one = 1 - STANDARDISED <= units.smallest <= units.largest <= 1 + STANDARDISED
    return like_one and units.offset <= STANDARDISED


def _trouble(result: Result, asked: Asked, made: str) -> str | None:
    """What to warn of, at a rate that is stable if it is a number; None for nothing."""
    tol, max_iter = asked.request.tol, asked.request.max_iter
    most = f"max_iter={max_iter} {asked.update}{'' if max_iter == 1 else 's'}"
    if result.status is Status.ILL_CONDITIONED:
        return _lost_digits(result)
    if result.status is Status.DIVERGED:
        cure = "Scale X and y" if asked.step is None else "Begin with a smaller learning_rate"
        if asked.step is None and asked.penalties and asked.penalties.weights is not None:
            cure += ", or write penalty_weights nearer to each other"
        return f"{made} the loss climbed beyond any use. {cure}."
    if result.reason is Reason.DEPENDENCE_UNKNOWN:
        return (
            f"The loss has settled after {updates(result.n_iter)}, but the steps beside them "
            f"(max_iter={max_iter} limits them) did not find out how the columns "
            "depend on each other: the coefficients may not be those of least norm, and where "
            "columns nearly depend on each other the loss may be above its minimum. Raise "
            "max_iter, scale columns of very different units, use fewer columns, or write tol=1e-9 "
            "to do without."
        )
    if result.validation_curve is not None:
        if result.status is not Status.MAX_ITER or tol is None:
            return None
        return (
            f"{_stopped_early(result, result.validation_curve, asked)} "
            f"{f'The {most} was' if max_iter == 1 else f'All {most} were'} made before the "
            "held-out rows ended the fit: raise max_iter, learning_rate or tol."
        )
    if result.status is Status.MAX_ITER and tol is not None:
        last, left = number(result.loss_curve[-1]), _distance(result, "; it is ", EPS)
        text = (
            f"After {most} the loss {last} has not settled to within "
            f"tol={tol:g}{left}. Raise max_iter"
        )
        if result.of_step is None:
            return f"{text}."
        limit = result.of_step.max_learning_rate
        if limit is None:
            return (
                f"{text}, or let the rates fall (learning_rate=InverseScaling(...)): with a "
                "constant rate the steps along subgradients do not shrink."
            )
        return f"{text} or learning_rate (stable below {limit:.3g}), {_cure(result.of_step)}"
    if asked.step and result.of_step and tol and result.is_far(tol):
        return (
            f"{made} the loss has settled to within tol={tol:g}, but it is still"
            f"{_distance(result, ' ', 0.0)}. Some direction descends very slowly: write a smaller "
            f"tol and raise max_iter, {_cure(result.of_step)}"
        )
    return None


def _stopped_early(result: Result, curve: np.ndarray, asked: Asked) -> str:
    """Which update was kept, and why none of those after it."""
    made = len(curve) - 1
    which, error = f"{asked.update.capitalize()} {result.n_iter}", number(curve[result.n_iter])
    text = (
        f"{which} of {made} predicts the held-out rows best, with a {_error_of(asked)} of {error}; "
        f"it was {number(curve[0])} at first."
    )
    if result.status is not Status.STOPPED_EARLY:
        return text
    patience, tol = asked.patience, asked.request.tol or 0.0
    last = f"None of the last {so_many(patience or 0, asked.update)} lowered"
    if patience == 1:
        last = f"The last {asked.update} did not lower"
    return f"{text} {last} it by more than tol={tol:g} times the {result.unit} of y."


def _error_of(asked: Asked) -> str:
    """What is counted of held-out rows."""
    rho = asked.request.rho
    return MEANS[SQUARED if rho is None else rho.name]


def _cure(stable: Stability) -> str:
    """What helps wherever a textbook's descent is slow."""
    scaler = (
        "" if _is_standardised(stable.curvature.units) else "scale the columns (StandardScaler), "
    )
    return f'{scaler}or use learning_rate="auto".'


def _lost_digits(result: Result) -> str:
    condition = result.of_data.condition_number
    if result.reason is Reason.ROUNDED:
        cure = "Drop or combine columns that nearly depend on each other, or raise alpha"
        if condition is not None and condition <= APART:
            cure = "Drop rows that are far out, or move y and the columns nearer to zero"
        return (
            f"Rounding hides how near its minimum the loss is: it is{_distance(result, ' ', 0.0)}. "
            f"{cure}."
        )
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


def _distance(result: Result, lead: str, least: float) -> str:
    """How far the loss is above its minimum, if more than `least` variances are known of that."""
    gap, stable = result.relative_gap, result.of_step
    if not gap > least:
        return ""
    text = f"{lead}{result.gap_is.value}{of_variance(gap, unit=result.unit)} above the minimum"
    if stable is None or not stable.needed > result.n_iter:  # nan where it is not known
        return text
    if stable.needed == np.inf:
        return f"{text}, and would not come within tol of it in 2^53 updates"
    return f"{text}; {updates(stable.needed)} would be needed in all to come within tol of it"
