"""The descent that the options ask for: its loss, its rates, its batches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gd_regressor.arithmetic.ranges import LARGEST_ROOT
from gd_regressor.command.tables import UserError
from gd_regressor.descent.nouns import ScheduleRecipe
from gd_regressor.losses import CHOICES, SQUARED, rho_of
from gd_regressor.regressor import GDLinearRegressor
from gd_regressor.schedules import Adaptive, Constant, Cosine, InverseScaling, StepDecay

# What --schedule makes of a first rate and of the number of epochs
SCHEDULE_WORDS: dict[str, Callable[[float, int], ScheduleRecipe]] = {
    "constant": lambda rate, _: Constant(rate),
    "inverse_scaling": lambda rate, _: InverseScaling(rate),
    "cosine": lambda rate, n_epochs: Cosine(rate, max(n_epochs, 1)),
    "step_decay": lambda rate, _: StepDecay(rate),
    "adaptive": lambda rate, _: Adaptive(rate),
}
# Options that are parameters of losses: which have them, the first one where --loss is not written,
# and what the values may be
PARTS = {
    "quantile": (("quantile",), "between 0 and 1"),
    "delta": (("huber", "pseudo_huber"), f"above 0 and at most {LARGEST_ROOT:g}"),
    "epsilon": (
        ("epsilon_insensitive", "squared_epsilon_insensitive"),
        f"0 or above and at most {LARGEST_ROOT:g}",
    ),
}
# --tol where it is not written
DEFAULT_TOL = "auto"


def estimator_of(options: Any) -> GDLinearRegressor:
    """The estimator, not yet fitted."""
    return GDLinearRegressor(
        _rate_of(options),
        options.max_iter,
        # The last rates of a cosine are its best ones, so nothing ends it before
        None if options.tol == DEFAULT_TOL and options.schedule == "cosine" else options.tol,
        fit_intercept=options.fit_intercept,
        momentum=options.momentum,
        verbose=options.verbose,
        alpha=options.alpha[0] if options.alpha else 0.0,
        l1_ratio=options.l1_ratio,
        positive=options.positive,
        early_stopping=options.early_stopping,
        loss=_loss_of(options),
        batch_size=options.batch_size,
        random_state=0,  # the same command holds the same rows out, and shuffles them alike
    )


def check_steps(options: Any) -> None:
    """Refuse, before any work, words that are not known, and options that need others."""
    options.loss = _known("--loss", options.loss, (SQUARED, *CHOICES))
    options.schedule = _known("--schedule", options.schedule, SCHEDULE_WORDS)
    _check_part(options)
    if options.schedule is not None and options.learning_rate == "auto":
        raise UserError(
            f"--schedule {options.schedule} needs a first rate; write --learning-rate NUMBER, such "
            "as --learning-rate 0.1"
        )
    if options.cv is not None:
        for option, instead in _beyond_sums(options):
            if option == "--early-stopping":  # has words of its own
                continue
            raise UserError(
                f"--cv compares plain descents on the squared loss, and not {option}; {instead}, "
                "or write one --alpha"
            )


def check_is_held(options: Any) -> None:
    """Refuse what needs the rows themselves, for a table that is read once and not held."""
    for option, instead in _beyond_sums(options):
        if "--schedule" in option:  # a descent on all rows needs no more than sums
            continue
        raise UserError(
            f"{option} needs rows that are held, and {options.table} is read once, because it is "
            f"large: {instead}, or take a part of the rows"
        )


def _beyond_sums(options: Any) -> list[tuple[str, str]]:
    """Options that ask for more than a constant rate and the squared loss, and what to do."""
    loss, size, schedule = options.loss, options.batch_size, options.schedule
    found = {
        "--loss": None if loss in (None, SQUARED) else loss,
        "--batch-size": size,
        "--schedule": schedule,
        "--early-stopping": options.early_stopping or None,
    }
    told = {name: value for name, value in found.items() if value is not None}
    return [
        (name if value is True else f"{name} {value}", f"leave {name} out")
        for name, value in told.items()
    ]


def _rate_of(options: Any) -> Any:
    """A number, "auto" or a schedule; any other word is for the estimator to refuse."""
    rate = options.learning_rate
    return (
        rate
        if options.schedule is None
        else SCHEDULE_WORDS[options.schedule](rate, options.max_iter)
    )


def _check_part(options: Any) -> None:
    """Refuse a parameter that the loss has not, and a value that it cannot have."""
    given = [name for name in PARTS if getattr(options, name) is not None]
    told = [f"--{name} {getattr(options, name):g}" for name in given]
    if not given:
        return
    if len(given) > 1:
        raise UserError(f"{' and '.join(told)} belong to different losses; leave one of them out")
    losses, range_ = PARTS[given[0]]
    options.loss = options.loss or losses[0]
    if options.loss not in losses:
        raise UserError(
            f"{told[0]} belongs to --loss {' or '.join(losses)}, got --loss {options.loss}; leave "
            "one of the two out"
        )
    try:
        rho_of(_loss_of(options))
    except ValueError:
        value = getattr(options, given[0])
        raise UserError(f"--{given[0]} must be {range_}, got {value:g}") from None


def _loss_of(options: Any) -> Any:
    parts = {name: getattr(options, name) for name in PARTS}
    given = {name: value for name, value in parts.items() if value is not None}
    kind: Any = CHOICES.get(options.loss)
    return kind(**given) if given else options.loss or SQUARED


def _known(option: str, word: str | None, words: Any) -> str | None:
    """A word as the estimator writes it: both hyphens and underscores will do."""
    found = word and word.lower().replace("-", "_")
    if found is not None and found not in words:
        raise UserError(f"{option} must be one of {', '.join(words)}, got {word!r}")
    return found


def size_of_batch(text: str) -> int | float:
    """A number of rows, or a share of them."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    raise UserError(f"--batch-size must be a number of rows or a share of them, got {text!r}")
