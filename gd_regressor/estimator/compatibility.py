"""Which options go together: two tables, of which come the errors and tables of the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.descent.rho import Rho
from gd_regressor.estimator.callbacks import has_callbacks


class Mode(NamedTuple):
    """A way to fit: a column of the table."""

    title: str  # on the page
    holds: Callable[[Any, str], bool]  # whether a model, fitted by this verb, is fitted so
    written: str  # what the user wrote, in a message; {verb} is the method that was called


class Option(NamedTuple):
    """What one may ask for: a row of the table."""

    title: str  # on the page
    holds: Callable[[Any], bool]  # whether a model asks for it
    written: str = ""  # what the user wrote, in a message; {value} is the value of the parameter


class Clash(NamedTuple):
    """An option that a mode cannot serve."""

    why: str
    instead: str  # what to write


def never(model: Any, verb: str = "") -> bool:
    """Of what the data say and not the parameters. Other rooms check it."""
    return False


# The columns of the table. Two modes may hold at once: a stream has a learning rate, too
MODES = {
    "number": Mode(
        "a number or a schedule",
        lambda model, verb: verb == "fit" and not _is_auto(model) and model.batch_size is None,
        "batch_size=None",
    ),
    "batches": Mode(
        "a ``batch_size``",
        lambda model, verb: verb == "fit" and model.batch_size is not None,
        "a batch_size",
    ),
    "auto": Mode('"auto"', lambda model, verb: _is_auto(model), 'learning_rate="auto"'),
    "stream": Mode("``partial_fit`` and the like", lambda model, verb: verb != "fit", "{verb}"),
}

# The rows, in the order of the page
OPTIONS = {
    "momentum": Option("``momentum``", lambda model: model.momentum != 0, "momentum={value!r}"),
    "ridge": Option("``alpha`` with ``l1_ratio=0``", never),
    "lasso": Option("``alpha`` with an L1 share", never),
    "positive": Option("``positive=True``", never),
    "start": Option("``coef_init``, ``init``, ``warm_start``", never),
    "sample_weight": Option("``sample_weight``", never),
    "targets": Option("several targets", never),
    "sparse": Option("sparse ``X``", never),
    "memmap": Option("memory maps", never),
    "dask": Option("Dask", never, "a Dask collection"),
    "stream": Option('``stream="qr"``', never),
    "early_stopping": Option(
        "``early_stopping=True``", lambda model: bool(model.early_stopping), "early_stopping=True"
    ),
    "callbacks": Option("callbacks", has_callbacks, "callbacks"),
    "batch_size": Option(
        "``batch_size``", lambda model: model.batch_size is not None, "batch_size={value!r}"
    ),
    "average": Option("``average``", lambda model: bool(model.average), "average={value!r}"),
}

# The pairs that raise an error, an (option, mode) each
CLASHES = {
    # First: with "auto" both would hold, and a number as learning_rate would not help a stream
    ("early_stopping", "stream"): Clash(
        "which never has all rows, so it cannot hold some of them out",
        "write early_stopping=False, or call fit with a number as learning_rate",
    ),
    ("momentum", "auto"): Clash(
        "which makes steps of its own", "write momentum=0.0 or a number as learning_rate"
    ),
    ("early_stopping", "auto"): Clash(
        "which is at the minimum in a few updates, or near it in an epoch or two with a "
        "batch_size, so there is no way along which to stop",
        "write a number as learning_rate, or early_stopping=False; a ridge (alpha=... with "
        "l1_ratio=0) shrinks like an early stop",
    ),
    ("dask", "batches"): Clash(
        "which needs the rows one by one, and they are elsewhere",
        "write batch_size=None, or a number as learning_rate and call partial_fit with each chunk "
        "in memory",
    ),
    ("average", "number"): Clash(
        "whose updates are not noisy", "write average=False or a batch_size such as 256"
    ),
    ("average", "auto"): Clash(
        "which averages by itself with a batch_size, and has exact steps without",
        "write average=False, or a number as learning_rate and a batch_size",
    ),
    ("callbacks", "stream"): Clash(
        "because scikit-learn has them watch fit alone",
        "call fit, or set_callbacks() to remove them",
    ),
}


class Setting(NamedTuple):
    """What one may ask for beside a loss: a column of the table of losses."""

    title: str  # on the page
    holds: Callable[[Any, str], bool]  # whether a model, fitted by this verb, asks for it
    written: str  # what the user wrote, in a message; {verb} is the method that was called


# The columns of the table of losses
SETTINGS = {
    "number": Setting(
        "a number or a schedule",
        lambda model, verb: not _is_auto(model),
        "a number or a schedule as learning_rate",
    ),
    "auto": Setting('"auto"', lambda model, verb: _is_auto(model), 'learning_rate="auto"'),
    "ridge": Setting(
        '"auto" with a ridge',
        lambda model, verb: _is_auto(model) and _has_penalty(model) and model.l1_ratio < 1,
        'learning_rate="auto" and a ridge',
    ),
    "lasso": Setting(
        '"auto" with an L1 share',
        lambda model, verb: _is_auto(model) and _has_penalty(model) and model.l1_ratio > 0,
        'learning_rate="auto" and an L1 penalty',
    ),
    "positive": Setting(
        '"auto" with ``positive``',
        lambda model, verb: _is_auto(model) and bool(model.positive),
        'learning_rate="auto" and positive=True',
    ),
    "batches": Setting(
        '"auto" with a ``batch_size``',
        lambda model, verb: _is_auto(model) and model.batch_size is not None,
        'learning_rate="auto" and a batch_size',
    ),
    "dask": Setting('"auto" with Dask', never, 'learning_rate="auto" and a Dask collection'),
    "stream": Setting(
        "an exact stream",
        lambda model, verb: verb != "fit" and model.batch_size is None,
        "{verb}",
    ),
}
# The rows: what a loss is called, and an expression for it on the page
SCALED = "huber with a scale"
LOSSES = {
    "squared_error": '``"squared_error"``',
    SCALED: "``Huber()``",
    "huber": "``Huber(delta)``",
    "pseudo_huber": "``PseudoHuber(delta)``",
    "quantile": "``Quantile(q)``",
    "epsilon_insensitive": "``EpsilonInsensitive``",
    "squared_epsilon_insensitive": "``SquaredEpsilonInsensitive``",
}
_OTHERS = [name for name in LOSSES if name != "squared_error"]
_NO_BATCHES = Clash(
    "whose metric is that of the squared loss",
    "write batch_size=None, or give learning_rate a number or a schedule",
)
_NO_STREAM = Clash(
    "which keeps sums for the squared loss alone", 'call fit, or write loss="squared_error"'
)
_NO_KINKS = Clash(
    "whose steps know penalties of squares alone",
    "write l1_ratio=0, or give learning_rate a number",
)
_NO_BOUNDS = Clash(
    "whose minimum here has no bounds", "write positive=False, or give learning_rate a number"
)
_NO_CLUSTER = Clash(
    "because it needs all rows in one memory, and they are elsewhere",
    "fit a sample of them in memory, or write a number or a schedule as learning_rate",
)
# The pairs that raise an error, a (loss, setting) each
LOSS_CLASHES = {
    **{(name, "batches"): _NO_BATCHES for name in _OTHERS},
    **{(name, "stream"): _NO_STREAM for name in _OTHERS},
    **{(name, "positive"): _NO_BOUNDS for name in _OTHERS},
    ("quantile", "dask"): _NO_CLUSTER,
    ("epsilon_insensitive", "dask"): _NO_CLUSTER,
    # A number as learning_rate alone would be refused, too
    (SCALED, "batches"): _NO_BATCHES._replace(
        instead="write batch_size=None, or write a number as learning_rate and a delta of your "
        "own: loss=Huber(1.35)"
    ),
    (SCALED, "lasso"): _NO_KINKS._replace(instead="write l1_ratio=0"),
    (SCALED, "positive"): _NO_BOUNDS._replace(instead="write positive=False"),
    ("huber", "lasso"): _NO_KINKS,
    ("pseudo_huber", "lasso"): _NO_KINKS,
    ("squared_epsilon_insensitive", "lasso"): _NO_KINKS,
    (SCALED, "number"): Clash(
        "because it estimates a scale beside the coefficients",
        'write learning_rate="auto", or a delta of your own: loss=Huber(1.35)',
    ),
}
_need_rows = [LOSSES[name] for name, key in LOSS_CLASHES if key == "dask"]
# What the page says of a pair that goes together, but not as one might think
REMARKS = {
    ("start", "auto"): "another way, the same end",
    ("start", "stream"): "except ``coef_init``",
    ("stream", "number"): "ignored",
    ("stream", "auto"): "ignored",
    ("stream", "batches"): "ignored",
    ("batch_size", "number"): "the next column",
    ("batch_size", "auto"): "approximate; of the penalties a ridge alone",
    ("batch_size", "stream"): "``partial_fit`` alone: one pass over each chunk",
    ("average", "stream"): "with a ``batch_size``",
    ("stream", "stream"): "except ``forget``",
    ("dask", "auto"): f"except for {' and '.join(_need_rows)}",
    ("dask", "stream"): "each chunk comes into memory",
}


def check_loss(rho: Rho, model: Any, verb: str) -> None:
    """Refuse a loss that the descent does not know with these options."""
    for key, setting in SETTINGS.items():
        if setting.holds(model, verb):
            _check_setting(rho, key, verb)


def check_loss_elsewhere(rho: Rho) -> None:
    """Refuse a loss that "auto" does not know on a cluster."""
    _check_setting(rho, "dask", "fit")


def _check_setting(rho: Rho, key: str, verb: str) -> None:
    clash = LOSS_CLASHES.get((SCALED if rho.scaled else rho.name, key))
    if clash is not None:
        raise ValueError(
            f'loss="{rho.name}" cannot be combined with {SETTINGS[key].written.format(verb=verb)}, '
            f"{clash.why}; {clash.instead}."
        )


def check_together(model: Any, verb: str) -> None:
    """Refuse an option that the mode of a fit cannot serve. Both are named, and what to write."""
    for name, mode in CLASHES:
        option = OPTIONS[name]
        if option.holds(model) and MODES[mode].holds(model, verb):
            what = option.written.format(value=getattr(model, name, None))
            raise ValueError(refusal(what, name, mode, verb))


def refusal(what: str, option: str, mode: str, verb: str = "fit") -> str:
    """The message where `what`, an option, meets a mode that cannot serve it."""
    clash, where = CLASHES[option, mode], MODES[mode].written.format(verb=verb)
    return f"{what} cannot be combined with {where}, {clash.why}; {clash.instead}."


def _is_auto(model: Any) -> bool:
    return isinstance(model.learning_rate, str)


def _has_penalty(model: Any) -> bool:
    return bool(np.any(model.alpha))
