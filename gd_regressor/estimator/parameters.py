"""Parameters: what each may be, which go together, and what they ask of a descent."""

from __future__ import annotations

import math
import numbers
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from gd_regressor.arithmetic.ranges import ABOVE_SQUARE, LARGEST_FACTOR
from gd_regressor.data.checks import finite_floats
from gd_regressor.descent.nouns import Observer, Schedule
from gd_regressor.descent.records import Request, Terms
from gd_regressor.descent.rho import Rho
from gd_regressor.descent.steps import ConstantStep, ScheduledStep, TextbookStep
from gd_regressor.estimator.compatibility import check_together
from gd_regressor.estimator.verbose import Verbose
from gd_regressor.losses import rho_of

# Times the largest variance of y it is finite, and sums of such numbers are
LARGEST_TOL = 10.0 ** (ABOVE_SQUARE - 3)


class Penalties(NamedTuple):
    """The penalties of an estimator, as far as they are known without the data."""

    alpha: np.ndarray  # (t,) or (1,), >= 0
    l1_ratio: float
    positive: bool
    weights: Any  # one for each column, or None

    @property
    def have_kinks(self) -> bool:
        """Whether F is not quadratic."""
        return self.positive or bool(self.l1_ratio and self.alpha.any())

    def terms(self, n_columns: int, n_targets: int) -> Terms:
        """Those of so many columns and targets."""
        alpha = self.alpha
        if len(alpha) not in (1, n_targets):
            raise ValueError(
                f"alpha must be one number or {n_targets} numbers, one per target, got "
                f"{len(alpha)} numbers."
            )
        weights = np.ones(n_columns) if self.weights is None else self.weights
        if weights.shape != (n_columns,):
            raise ValueError(
                f"penalty_weights must have shape ({n_columns},), one weight per column, got "
                f"{weights.shape}."
            )
        with np.errstate(over="ignore"):  # nothing is left of a coefficient long before that
            each = np.multiply.outer(weights, np.broadcast_to(alpha, (n_targets,)))
        each = np.minimum(each, LARGEST_FACTOR)
        return Terms(self.l1_ratio * each, (1 - self.l1_ratio) * each, self.positive)


class Asked(NamedTuple):
    """The parameters of an estimator, checked, as the values that a descent takes."""

    request: Request
    step: TextbookStep | None  # None leaves the step to "auto"
    verbose: Verbose | None
    penalties: Penalties | None = None
    patience: int | None = None  # updates that do not help held-out rows; None for all rows
    watch: Observer | None = None  # for callbacks

    def observers_for(self, request: Request) -> tuple[Observer, ...]:
        """Who watches the descent."""
        if self.verbose is not None:
            self.verbose.about(request.terms)
        return tuple(one for one in (self.verbose, self.watch) if one is not None)

    def request_for(self, data: Any) -> Request:
        """What is asked of a descent on a table or a stream."""
        if self.penalties is None:
            return self.request
        terms = self.penalties.terms(data.n_columns, data.n_targets)
        return self.request._replace(terms=terms)


def asked_of(model: Any, verb: str = "fit") -> Asked:
    """Read the parameters of an estimator. Raises if `verb`, its method, cannot use one of them."""
    _check(model)
    check_together(model, verb)
    tol = None if model.tol is None else float(model.tol)
    step: TextbookStep | None = None
    if isinstance(model.learning_rate, Schedule):
        step = ScheduledStep(model.learning_rate, float(model.momentum))
    elif model.learning_rate != "auto":
        step = ConstantStep(float(model.learning_rate), float(model.momentum))
    every, may_stop = int(model.verbose), model.tol is not None
    verbose = Verbose(every, int(model.max_iter), may_stop=may_stop) if every else None
    rho, penalties = rho_of(model.loss), penalties_of(model)
    request = Request(bool(model.fit_intercept), int(model.max_iter), tol, rho=rho)
    patience = int(model.n_iter_no_change) if model.early_stopping else None
    asked = Asked(request, step, verbose, penalties, patience)
    if rho is not None:
        _check_loss(rho, asked)
    return asked


def _check_loss(rho: Rho, asked: Asked) -> None:
    """Refuse a loss that the descent does not know with these options."""
    if asked.patience is not None:
        raise ValueError(
            f'loss="{rho.name}" cannot be combined with early_stopping=True yet, which judges by '
            'squared errors; write early_stopping=False, or loss="squared_error".'
        )
    if asked.step is not None and rho.scaled:
        raise ValueError(
            f'loss="{rho.name}" estimates a scale beside the coefficients, which a number or a '
            'schedule as learning_rate cannot do; write learning_rate="auto", or a delta of your '
            "own: loss=Huber(1.35)."
        )
    if asked.step is None and not rho.rung:
        raise ValueError(
            f'loss="{rho.name}" cannot be combined with learning_rate="auto" yet; write a number '
            "or a schedule such as InverseScaling() as learning_rate."
        )
    if asked.step is None and asked.penalties is not None and asked.penalties.have_kinks:
        raise ValueError(
            f'loss="{rho.name}" with learning_rate="auto" takes a penalty of squares alone; write '
            "l1_ratio=0 and positive=False, or a number as learning_rate."
        )


def penalties_of(model: Any) -> Penalties | None:
    """Read the parameters of the penalty. None if they ask for none."""
    alpha, ratio = model.alpha, model.l1_ratio
    plain = type(alpha) is type(ratio) is float and alpha == 0 and 0 <= ratio <= 1
    if plain and model.positive is False and model.penalty_weights is None:
        return None  # the default, before what takes a small fit some microseconds
    check_ratio(ratio)
    check_bool("positive", model.positive)
    weights = checked_weights(model.penalty_weights)
    alpha = checked_alpha(alpha)
    if not (model.positive or alpha.any()):
        return None
    return Penalties(alpha, float(model.l1_ratio), bool(model.positive), weights)


def checked_weights(value) -> np.ndarray | None:
    """The factors of alpha. Refuses what is no list of finite numbers >= 0."""
    if value is None:
        return None
    weights = finite_floats("penalty_weights", value)
    if weights.min(initial=0.0) < 0:
        raise ValueError(
            f"penalty_weights must be >= 0, got {weights.min():g}; 0 leaves a column free."
        )
    return weights


def checked_alpha(value) -> np.ndarray:
    """(t,) or (1,): the strengths of the penalty. Refuses what is no finite number >= 0."""
    alpha = finite_floats("alpha", value)
    if alpha.ndim > 1 or not alpha.size:
        raise ValueError(f"alpha must be a number or one number per target, got {value!r}.")
    if not alpha.min() >= 0:
        raise ValueError(
            f"alpha must be >= 0, got {value!r}. It counts per row, as in ElasticNet and Lasso: "
            "Ridge(alpha=a) on n rows is alpha=a / n, l1_ratio=0."
        )
    return np.atleast_1d(alpha)


def check_ratio(value) -> None:
    """Refuse a value that is not a number in [0, 1]."""
    if not (_is_real(value) and 0 <= _float(value) <= 1):
        raise ValueError(f"l1_ratio must be a number from 0 (ridge) to 1 (lasso), got {value!r}.")


def _check(model: Any) -> None:
    if isinstance(model.learning_rate, Schedule):
        _check_schedule(model.learning_rate)
    else:
        check_learning_rate(model.learning_rate, words=("auto",))
    check_momentum(model.momentum)
    check_integer("max_iter", model.max_iter, 0)
    check_tol(model.tol)
    check_word("init", model.init, ("zeros", "random"))
    if not isinstance(model.verbose, bool):
        check_integer("verbose", model.verbose, 0)
    check_word("stream", model.stream, ("moments", "qr"))
    check_bool("fit_intercept", model.fit_intercept)
    check_bool("warm_start", model.warm_start)
    _check_early_stopping(model)
    if model.random_state is not None:  # spare a small fit the check of the default
        check_seed(model.random_state)


def _check_early_stopping(model: Any) -> None:
    check_bool("early_stopping", model.early_stopping)
    check_share("validation_fraction", model.validation_fraction)
    check_integer("n_iter_no_change", model.n_iter_no_change, 1)


def check_learning_rate(
    value, *, words: tuple[str, ...] = (), name: str = "learning_rate", or_schedule: bool = True
) -> None:
    """Refuse a value that is neither a finite number > 0 nor one of `words`."""
    if isinstance(value, str) and value in words:
        return
    if not (_is_real(value) and 0 < _float(value) <= LARGEST_FACTOR):
        choices = "".join(f', "{word}"' for word in words)
        last = " or a schedule such as InverseScaling()" if words and or_schedule else ""
        raise ValueError(
            f"{name} must be a number > 0 and at most {LARGEST_FACTOR:g}{choices}{last}, "
            f"got {value!r}."
        )


def _check_schedule(schedule: Schedule) -> None:
    """Refuse a schedule whose rates cannot be used."""
    for name, (value, above_zero) in schedule.parts.items():
        size = _float(value) if _is_real(value) else math.nan
        if not (size > 0 if above_zero else size >= 0) or size > LARGEST_FACTOR:
            kind = "> 0" if above_zero else ">= 0"
            raise ValueError(
                f"learning_rate must be a schedule whose {name} is a number {kind} and at most "
                f"{LARGEST_FACTOR:g}, got {schedule!r}."
            )


def check_momentum(value) -> None:
    """Refuse a value that is not a number in [0, 1)."""
    if not (_is_real(value) and 0 <= _float(value) < 1):
        raise ValueError(f"momentum must be a number in [0, 1), got {value!r}.")


def check_tol(value) -> None:
    """Refuse a value that is neither None nor a number from 0 to LARGEST_TOL."""
    if not (value is None or (_is_real(value) and 0 <= _float(value) <= LARGEST_TOL)):
        raise ValueError(
            f"tol must be a finite number >= 0 or None, got {value!r}. The largest tol is "
            f"{LARGEST_TOL:g}."
        )


def check_share(name: str, value) -> None:
    """Refuse a value that is not a number in (0, 1)."""
    if not (_is_real(value) and 0 < _float(value) < 1):
        raise ValueError(f"{name} must be a number between 0 and 1, got {value!r}.")


def check_word(name: str, value, words: tuple[str, ...]) -> None:
    """Refuse a value that is not one of `words`."""
    if not (isinstance(value, str) and value in words):
        choices = " or ".join(f'"{word}"' for word in words)
        raise ValueError(f"{name} must be {choices}, got {value!r}.")


def check_integer(name: str, value, least: int) -> None:
    """Refuse a value that is not an integer >= `least`."""
    if not (_is_real(value) and isinstance(value, (int, numbers.Integral)) and int(value) >= least):
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}.")


def check_seed(value) -> None:
    """Refuse a value from which numpy cannot make a RandomState."""
    try:
        check_random_state(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "random_state must be an integer from 0 to 2**32 - 1, a RandomState or None, got "
            f"{value!r}."
        ) from error


def check_bool(name: str, value) -> None:
    """Refuse a value that is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {value!r}.")


def _float(value) -> float:
    """A real number as a float; infinite if it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_real(value) -> bool:
    """Whether a value is a real number. True, False and np.timedelta64 are not."""
    # We ask for float and int first: numbers.Real takes as long as a product of small matrices
    if type(value) in (float, int):
        return True
    known = isinstance(value, numbers.Real)
    return known and not isinstance(value, (bool, np.bool_, np.timedelta64))
