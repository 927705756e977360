"""Parameters: what each may be, which go together, and what they ask of a descent."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from gd_regressor.arithmetic.ranges import ABOVE_SQUARE, LARGEST_FACTOR
from gd_regressor.data.batches import Order
from gd_regressor.data.checks import as_float, check_no_class, finite_floats, is_real, is_whole
from gd_regressor.descent.momentum import HeavyBall
from gd_regressor.descent.nouns import Limits, MomentumRecipe, Observer, Recipe, ScheduleRecipe
from gd_regressor.descent.records import Request, Terms
from gd_regressor.descent.schedules import ConstantRate
from gd_regressor.descent.steps import ConstantStep, ScheduledStep, TextbookStep
from gd_regressor.estimator.callbacks import BELOW
from gd_regressor.estimator.compatibility import check_loss, check_together
from gd_regressor.estimator.verbose import Verbose
from gd_regressor.losses import rho_of
from gd_regressor.objective.on_batches import Batching

# Times the largest variance of y it is finite, and sums of such numbers are
LARGEST_TOL = 10.0 ** (ABOVE_SQUARE - 3)
# tol="auto": rounding is far below, and so are the losses that most users compare
EXACT_TOL = 1e-12
# The same of mini-batches: SGDRegressor's default, whose loss is half of ours
NOISY_TOL = 1e-3


class Penalties(NamedTuple):
    """The penalties of an estimator, as far as they are known without the data."""

    alpha: np.ndarray  # (t,) or (1,), >= 0
    l1_ratio: float
    positive: bool
    weights: Any  # one for each column, or None

    @property
    def are_zero(self) -> bool:
        """Whether F is the loss alone."""
        return not (self.positive or self.alpha.any())

    @property
    def have_kinks(self) -> bool:
        """Whether F is not quadratic."""
        return self.positive or bool(self.l1_ratio and self.alpha.any())

    def terms(self, n_columns: int, n_targets: int) -> Terms:
        """Those of so many columns and targets."""
        alpha = self.alpha
        if len(alpha) not in (1, n_targets):
            targets = "one target" if n_targets == 1 else f"all or each of {n_targets} targets"
            raise ValueError(
                f"alpha must be one number for {targets}, got {len(alpha)}; to compare several, "
                "write GDLinearRegressorCV(alphas=...), or elastic_net_path for the fit of each."
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
    batching: Batching | None = None  # None for all rows in each update

    @property
    def update(self) -> str:
        """What the path calls an update."""
        return _unit(self.batching)

    def observers_for(self, request: Request) -> tuple[Observer, ...]:
        """Who watches the descent."""
        if self.verbose is not None:
            self.verbose.about(request.terms)
        return tuple(one for one in (self.verbose, self.watch) if one is not None)

    def request_for(self, data: Any) -> Request:
        """What is asked of a descent on a table or a stream."""
        if self.penalties is None:
            return self.request
        terms = self.penalties.terms(data.n_columns, data.n_targets)  # or an error
        return self.request if self.penalties.are_zero else self.request._replace(terms=terms)


def asked_of(model: Any, verb: str = "fit") -> Asked:
    """Read the parameters of an estimator. Raises if `verb`, its method, cannot use one of them."""
    _check(model)
    check_together(model, verb)
    tol, batching = tol_of(model), batching_of(model, verb)
    every, may_stop = int(model.verbose), model.tol is not None
    verbose = None
    if every:
        limit = int(model.max_iter)
        verbose = Verbose(every, limit, may_stop=may_stop, unit=_unit(batching))
    rho, penalties = rho_of(model.loss), penalties_of(model)
    if rho is not None:  # first: batches in "auto" take no other penalty, and no other loss at all
        check_loss(rho, model, verb)
    request = Request(bool(model.fit_intercept), int(model.max_iter), tol, rho=rho)
    step = step_of(model.learning_rate, model.momentum)
    if step is None and batching is not None and penalties is not None:
        _check_auto_batches(model, penalties)
    patience = int(model.n_iter_no_change) if model.early_stopping else None
    return Asked(request, step, verbose, penalties, patience, batching=batching)


def _unit(batching: Batching | None) -> str:
    return BELOW[batching is not None]


def _check_auto_batches(model: Any, penalties: Penalties) -> None:
    """Refuse the penalties that one metric of all coefficients and targets cannot serve."""
    if not penalties.have_kinks and (penalties.alpha == penalties.alpha[0]).all():
        return
    which = "positive=True" if penalties.positive else f"alpha={model.alpha!r}"
    which += f" and l1_ratio={model.l1_ratio!r}" * (not penalties.positive)
    raise ValueError(
        f'batch_size={model.batch_size!r} with learning_rate="auto" cannot be combined with '
        f"{which}, because its metric serves one penalty of squares alone; write l1_ratio=0 and "
        "one alpha, or batch_size=None, or a number or a schedule as learning_rate."
    )


def tol_of(model: Any) -> float | None:
    """The tolerance. A run of noisy epochs has a coarser one, unless the user asks for his own."""
    if isinstance(model.tol, str):
        return EXACT_TOL if model.batch_size is None else NOISY_TOL
    return None if model.tol is None else float(model.tol)


def batching_of(model: Any, verb: str) -> Batching | None:
    """Read the parameters of mini-batches. None where each update takes all rows."""
    if model.batch_size is None and model.average is False:
        return None  # before what takes a small fit some microseconds
    average, size = _average_of(model.average), _size_of(model.batch_size)
    if size is None:
        return None
    check_bool("shuffle", model.shuffle)
    # One seed for all epochs. A generator that the user gave goes on from here
    seed = int(check_random_state(model.random_state).randint(2**31 - 1))
    if verb not in ("fit", "partial_fit"):
        raise ValueError(
            f"batch_size={size!r} cannot be combined with {verb}, which needs the sums that an "
            "exact stream keeps; write batch_size=None, or call partial_fit with each chunk."
        )
    order = Order(size, bool(model.shuffle), seed)
    return Batching(order, average or math.inf, int(model.n_iter_no_change))


def _average_of(value: Any) -> int:
    """From which epoch on to average; 0 for never."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if not (is_whole(value) and int(value) >= 1):
        raise ValueError(
            "average must be False, True or the epoch from which to average, an integer >= 1, got "
            f"{value!r}."
        )
    return int(value)


def _size_of(value: Any) -> int | float | None:
    """Rows of a batch, or their share of all rows."""
    if value is None:
        return None
    whole = is_whole(value)
    size = int(value) if whole else as_float(value) if is_real(value) else math.nan
    if not (size >= 1 if whole else 0 < size <= 1):
        raise ValueError(
            "batch_size must be None, an integer >= 1 or a fraction of the rows in (0, 1], got "
            f"{value!r}."
        )
    return size


def step_of(learning_rate: Any, momentum: Any) -> TextbookStep | None:
    """The step of parameters that were checked. None leaves it to "auto"."""
    scheduled = isinstance(learning_rate, ScheduleRecipe)
    if not scheduled and learning_rate == "auto":
        return None
    if not (scheduled or isinstance(momentum, MomentumRecipe)):
        return ConstantStep(float(learning_rate), float(momentum))
    schedule = learning_rate.made if scheduled else ConstantRate(float(learning_rate))
    kept = momentum.made if isinstance(momentum, MomentumRecipe) else HeavyBall(float(momentum))
    return ScheduledStep(schedule, kept)


def penalties_of(model: Any) -> Penalties | None:
    """Read the parameters of the penalty. None if they ask for none, whatever the data."""
    alpha, ratio = model.alpha, model.l1_ratio
    plain = type(alpha) is type(ratio) is float and alpha == 0 and 0 <= ratio <= 1
    if plain and model.positive is False and model.penalty_weights is None:
        return None  # the default, before what takes a small fit some microseconds
    check_ratio(ratio)
    check_bool("positive", model.positive)
    weights = checked_weights(model.penalty_weights)
    alpha = checked_alpha(alpha)
    penalties = Penalties(alpha, float(model.l1_ratio), bool(model.positive), weights)
    fits_all = weights is None and len(alpha) == 1
    return None if penalties.are_zero and fits_all else penalties


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
    if alpha.ndim > 1 or not alpha.size or np.asarray(value).dtype == bool:
        raise ValueError(f"alpha must be a number or one number per target, got {value!r}.")
    if not alpha.min() >= 0:
        raise ValueError(
            f"alpha must be >= 0, got {value!r}. It counts per row, as in ElasticNet and Lasso: "
            "Ridge(alpha=a) on n rows is alpha=a / n, l1_ratio=0."
        )
    return np.atleast_1d(alpha)


def check_ratio(value) -> None:
    """Refuse a value that is not a number in [0, 1]."""
    if not (is_real(value) and 0 <= as_float(value) <= 1):
        raise ValueError(f"l1_ratio must be a number from 0 (ridge) to 1 (lasso), got {value!r}.")


def _check(model: Any) -> None:
    if isinstance(model.learning_rate, ScheduleRecipe):
        check_recipe("learning_rate", "a schedule", model.learning_rate)
    else:
        check_learning_rate(model.learning_rate, words=("auto",))
    if isinstance(model.momentum, MomentumRecipe):
        check_recipe("momentum", "Nesterov()", model.momentum)
    else:
        check_momentum(model.momentum, " or a momentum such as Nesterov(0.9)")
    check_integer("max_iter", model.max_iter, 0)
    if not (isinstance(model.tol, str) and model.tol == "auto"):
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
    if not (is_real(value) and 0 < as_float(value) <= LARGEST_FACTOR):
        check_no_class(f"{name} must be", value, ScheduleRecipe)
        choices = "".join(f', "{word}"' for word in words)
        last = " or a schedule such as InverseScaling()" if words and or_schedule else ""
        raise ValueError(
            f"{name} must be a number > 0 and at most {LARGEST_FACTOR:g}{choices}{last}, "
            f"got {value!r}."
        )


def check_recipe(name: str, kind: str, given: Recipe) -> None:
    """Refuse a schedule or a momentum that cannot be used."""
    for part, limits in given.parts.items():
        if not _is_within(limits):
            check_no_class(f"{name} must be {kind} whose {part} is", limits.value, Recipe)
            raise ValueError(
                f"{name} must be {kind} whose {part} is {_in_words(limits)}, got {given!r}."
            )


def _is_within(limits: Limits) -> bool:
    value = limits.value
    if not (is_whole(value) if limits.is_whole else is_real(value)):
        return False
    size = as_float(value)
    above = size > limits.least if limits.is_open else size >= limits.least
    return above and (size < limits.most if limits.ends_before else size <= limits.most)


def _in_words(limits: Limits) -> str:
    if limits.is_whole:
        return f"an integer >= {limits.least}"
    most = f"{limits.most_is}{as_float(limits.most):g}"
    last = f"below {most}" if limits.ends_before else f"at most {most}"
    return f"a number {'>' if limits.is_open else '>='} {limits.least:g} and {last}"


def check_momentum(value, other: str = "") -> None:
    """Refuse a value that is not a number in [0, 1)."""
    if not (is_real(value) and 0 <= as_float(value) < 1):
        check_no_class("momentum must be", value, MomentumRecipe)
        raise ValueError(f"momentum must be a number in [0, 1){other}, got {value!r}.")


def check_tol(value) -> None:
    """Refuse a value that is neither None nor a number from 0 to LARGEST_TOL."""
    if not (value is None or (is_real(value) and 0 <= as_float(value) <= LARGEST_TOL)):
        raise ValueError(
            f"tol must be a finite number >= 0 or None, got {value!r}. The largest tol is "
            f"{LARGEST_TOL:g}."
        )


def check_share(name: str, value) -> None:
    """Refuse a value that is not a number in (0, 1)."""
    if not (is_real(value) and 0 < as_float(value) < 1):
        raise ValueError(f"{name} must be a number between 0 and 1, got {value!r}.")


def check_word(name: str, value, words: tuple[str, ...]) -> None:
    """Refuse a value that is not one of `words`."""
    if not (isinstance(value, str) and value in words):
        choices = " or ".join(f'"{word}"' for word in words)
        raise ValueError(f"{name} must be {choices}, got {value!r}.")


def check_integer(name: str, value, least: int) -> None:
    """Refuse a value that is not an integer >= `least`."""
    if not (is_whole(value) and int(value) >= least):
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
