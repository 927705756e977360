"""The command: ``python -m gd_regressor [TABLE] [options]``.

Without TABLE the command fits the diabetes data that scikit-learn ships, in original units. With
TABLE it fits the column that ``--target`` names. It reports the model in the units of the table and
in standardised units, beside other estimators on the same rows. ``--save`` writes the model.
``--predict`` uses a written model and prints one line per row, ``nan`` where a value is missing.
`gd_regressor.command.tables` says how the command reads a table. `gd_regressor.command.pictures`
has what ``--plot`` draws and ``--explore`` writes. A ``.skops`` model needs skops.

The command reads a folder of Parquet files, or a Parquet file with more than 2^24 values, once and
batch by batch, and never holds the rows. It then shows no other estimators, because they would need
the rows again.

``--standardize`` gives the columns and the target mean 0 and deviation 1 (ddof=0) before the
descent, as textbooks do. The saved model takes and returns original units all the same.

The exit status is 0 when the command made a model or a prediction, converged or not. It is 2 when
the command failed; stderr then has one line that says why. It is 130 after an interrupt.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor.command.asked import (
    DEFAULT_TOL,
    SCHEDULE_WORDS,
    check_is_held,
    check_steps,
    estimator_of,
    size_of_batch,
)
from gd_regressor.command.choosing import (
    DEFAULT_SHARE,
    Choice,
    check_cv,
    choose_alpha,
    given_alphas,
)
from gd_regressor.command.files import destination, model_writer, read_model, write
from gd_regressor.command.parquet import is_large, read_table, stream_problem
from gd_regressor.command.pictures import (
    Scene,
    check_holds_rows,
    check_page,
    draw,
    explore,
    pictures_of,
    with_figures,
)
from gd_regressor.command.report import comparison, descent_of, fit_report
from gd_regressor.command.tables import (
    Problem,
    UserError,
    choose,
    diabetes,
    in_a_line,
    printable,
)
from gd_regressor.command.words import in_shell_words
from gd_regressor.descent.records import Status
from gd_regressor.losses import CHOICES, SQUARED
from gd_regressor.regressor import GDLinearRegressor

# What the help and all errors call the command
PROG = "python -m gd_regressor"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command on `argv`, or on the arguments of the process, and return its exit status."""
    try:
        options = _parser().parse_args(argv)
        options.plot, options.table = pictures_of(options.plot, options.table)
        with warnings.catch_warnings():
            # _warnings_in_a_line_each prints the warnings that concern the user
            warnings.simplefilter("ignore")
            status = _run_fit(options) if options.predict is None else _run_predict(options)
        sys.stdout.flush()
    except UserError as error:
        _complain(f"error: {error}")
        return 2
    except MemoryError:
        _complain("error: there is not enough memory")
        return 2
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except OSError as error:  # an error of stdout: errors of other files became a UserError
        # Python would complain again when it closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has seen enough, as `head` does
            return 0
        _complain(f"error: cannot print: {error}")
        return 2
    return status


def _run_fit(options) -> int:
    """Fit, write the files, and print the report."""
    if options.output is not None:
        raise UserError("--output goes with --predict; --save keeps the model")
    options.alpha, options.table = given_alphas(options.alpha, options.table)
    if options.table is None:
        for name in filter(os.path.isfile, options.features or []):
            raise UserError(f"no table given; was {name!r} meant? Put it before --features")
    _check_outputs(options)
    check_steps(options)
    check_cv(options, streamed=options.table is not None and is_large(options.table))
    check_page(options.explore)
    pictures = with_figures(options.plot)
    keep = None if options.save is None else model_writer(options.save)
    problem = _problem(options)
    if problem.table.streamed:
        check_is_held(options)
    descent = estimator_of(options)
    choice = _chosen(options, problem, descent)
    scene = Scene(problem, descent, options.standardize)
    scene.check(pictures, options.explore)
    model = _fitted(options, problem, descent)
    # Files first, because a reader may close the pipe of the report before it ends. A full disk
    # must not lose the report, so we print it in any case
    try:
        if keep is not None:
            write(str(options.save), lambda file: keep(model, file))
        for picture in pictures:
            draw(picture, scene, model)
        if options.explore is not None:
            explore(options.explore, scene, model)
    finally:
        _say(fit_report(problem, model, choice.words if choice else ""))
    if descent_of(model).status_ is Status.INTERRUPTED:
        return 130
    if options.compare and not problem.table.streamed:
        _say("\n" + comparison(problem, model, chosen=choice is not None))
    return 0


def _problem(options) -> Problem:
    """The rows to fit. A few rows with the same fit stand for a table too large to hold."""
    if options.table is None:
        return choose(diabetes(), options.target, options.features)
    if is_large(options.table):
        check_holds_rows(options.plot, options.explore, options.table)
        return stream_problem(options.table, options.target, options.features, sys.stderr)
    return choose(read_table(options.table), options.target, options.features)


def _run_predict(options) -> int:
    """Predict one value for each row of a table."""
    default = _parser().get_default
    given = {name for name, value in vars(options).items() if value != default(name)}
    if given - {"table", "predict", "output"}:
        raise UserError("--predict goes with TABLE and --output, and with no other option")
    if options.table is None:
        raise UserError("name the table to predict for: TABLE --predict MODEL")
    _check_outputs(options)
    model, names = _load(options.predict)
    table = read_table(options.table)
    X = np.column_stack([table.column(name) for name in names])
    complete = ~np.isnan(X).any(axis=1)
    if not complete.any():
        raise UserError(f"each row of {options.table} lacks a value that the model needs")
    predictions = np.full(len(X), np.nan)
    predictions[complete] = _predicted(options.predict, model, X[complete])
    if getattr(descent_of(model), "status_", None) is Status.DIVERGED:
        _complain("warning: the model diverged when it was fitted: its predictions are useless")
    if not complete.all():
        n_holes = np.count_nonzero(~complete)
        _complain(f"no prediction (nan) for {n_holes} of {len(X)} rows: a value is missing")
    # repr is the shortest text that reads back as the same number. A missing prediction is nan,
    # because most readers skip an empty line
    text = "\n".join(["prediction", *map(repr, predictions.tolist())])
    if options.output is None:
        print(text)
    else:
        write(options.output, lambda file: file.write(f"{text}\n".encode()))
    return 0


def _predicted(path: str, model: RegressorMixin, X: np.ndarray) -> np.ndarray:
    """Predict for rows without a missing value."""
    try:
        predictions = model.predict(X)
        if predictions.shape != (len(X),):
            raise ValueError("it predicts several targets, the command one")
    except MemoryError:
        raise
    except Exception as error:  # the file may hold a model of any kind, with any errors
        raise UserError(f"{path} cannot predict for this table: {in_a_line(error)}") from None
    return predictions


def _chosen(options, problem: Problem, descent: GDLinearRegressor) -> Choice | None:
    """Give the descent the best of several alphas, where --cv asks for it."""
    if options.cv is None:
        return None
    with _in_a_line_each(problem.names), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that are only compared
        choice = choose_alpha(descent, problem, options)
    descent.alpha = choice.alpha
    return choice


def _fitted(options, problem: Problem, descent: GDLinearRegressor) -> Any:
    """Fit the descent, and scalers around it where they are asked for."""
    model = descent
    if options.standardize:
        model = TransformedTargetRegressor(
            regressor=make_pipeline(StandardScaler(), descent),
            transformer=StandardScaler(),
            # The check would warn of mere rounding where the target's mean dwarfs its deviation
            check_inverse=False,
        )
    with _in_a_line_each(problem.names):
        try:
            model.fit(problem.X, problem.y)
        except KeyboardInterrupt:
            # The descent keeps its last complete update, and the user waited for it: report it
            if not hasattr(descent_of(model), "status_"):
                raise
    # scikit-learn takes names from data frames only, and a base install has no data frames
    model.feature_names_in_ = np.array(problem.names, dtype=object)
    if options.standardize:
        model.regressor_[0].feature_names_in_ = model.feature_names_in_
    return model


@contextmanager
def _in_a_line_each(names: Sequence[str]) -> Iterator[None]:
    """Errors and warnings of the estimator become lines of the command."""
    with _warnings_in_a_line_each(names):
        try:
            yield
        except ValueError as error:
            raise UserError(in_shell_words(error, names)) from None


def _check_outputs(options):
    """Refuse, before any work, an output that cannot be written or would overwrite an input."""
    taken = {os.path.realpath(path) for path in (options.table, options.predict) if path}
    outputs = [("plot", picture.path) for picture in options.plot]
    outputs += [(name, getattr(options, name)) for name in ("explore", "save", "output")]
    for name, given in outputs:
        if given is None:
            continue
        path = str(destination(given))
        folder, file = os.path.split(path)
        if path in taken:
            raise UserError(f"--{name} would overwrite {file}: give another file")
        if os.path.exists(given) and not os.path.isfile(given):  # realpath of a pipe leads nowhere
            raise UserError(f"--{name} {given} is a folder or a device: give a file")
        if not os.path.isdir(folder):
            raise UserError(f"--{name}: there is no folder {folder}")
        if not os.access(folder, os.W_OK):
            raise UserError(f"--{name}: the folder {folder} is not writable")
        taken.add(path)


def _load(path: str) -> tuple[RegressorMixin, list[str]]:
    """Read a model that --save wrote, and the names of the columns that it needs."""
    with _warnings_in_a_line_each():
        model = read_model(path)
    try:
        descent, names = descent_of(model), [*map(str, getattr(model, "feature_names_in_", ()))]
    except Exception:  # the file may hold a model of any kind, or parts of one
        descent, names = model, []
    if not isinstance(descent, GDLinearRegressor):
        kind = type(descent).__name__
        raise UserError(f"{path} is not a model made by --save: it holds a {kind}")
    if not names:
        raise UserError(
            f"{path} was fitted without column names: fit it to a data frame, or make it by --save"
        )
    return model, names


@contextmanager
def _warnings_in_a_line_each(names: Sequence[str] = ()) -> Iterator[None]:
    """Print each warning once, after the work, in the shell's words and with names of columns."""
    with warnings.catch_warnings(record=True) as caught:
        # Deprecations and the like are for developers, not for the reader of a report
        for category in (UserWarning, RuntimeWarning):
            warnings.simplefilter("always", category)
        yield
    for text in dict.fromkeys(in_shell_words(warning.message, names) for warning in caught):
        _complain(f"warning: {text}")


class _Parser(argparse.ArgumentParser):
    """A parser that raises a UserError, because argparse would print its usage and exit."""

    def error(self, message):
        raise UserError(message)


def _number_or_word(text: str) -> float | str | None:
    """A number, None for "none", or another word, which the estimator accepts or refuses."""
    try:
        return float(text)
    except ValueError:
        return None if text.lower() == "none" else text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROG,
        allow_abbrev=False,
        description="Fit a linear model by gradient descent to a table, and report it. Without a "
        "table: to the diabetes data that scikit-learn ships.",
        epilog="Example: %(prog)s cars.csv --target price --features engine_size --standardize "
        "--learning-rate 0.1 --max-iter 60 --tol none --plot loss.png --plot fit fit.png",
    )
    add = parser.add_argument
    files = "CSV or (with pyarrow) Parquet, or a folder of Parquet files"
    add("table", nargs="?", metavar="TABLE", help=files)
    add("--target", metavar="NAME", help="the column to predict")
    features: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "NAME"}
    add("--features", **features, help="columns to use (default: all numeric)")
    add("--standardize", action="store_true", help="give columns and target mean 0, deviation 1")
    _add_descent(add, number={"type": _number_or_word})
    strength = "strength of the penalty, per row and for the columns as they are fitted (0); with "
    strength += "--cv the candidates"
    add("--alpha", nargs="+", action="extend", metavar="NUMBER", help=strength)
    ratio = f"share of L1 in the penalty, from 0 (ridge) to 1 (lasso) ({DEFAULT_SHARE})"
    add("--l1-ratio", type=float, default=DEFAULT_SHARE, metavar="NUMBER", help=ratio)
    folds = "choose --alpha by its predictions for N held-out parts of the rows"
    add("--cv", type=int, metavar="N", help=folds)
    add("--positive", action="store_true", help="hold coefficients at or above zero")
    early = "hold a tenth of the rows out, and stop where they are predicted best"
    add("--early-stopping", action="store_true", help=early)
    add("--no-intercept", dest="fit_intercept", action="store_false", help="fit no intercept")
    add("--no-compare", dest="compare", action="store_false", help="no other estimators")
    add("--verbose", type=int, default=0, metavar="K", help="print the loss every K updates")
    plot = "draw the loss; with a KIND before the file: loss, rates, surface or fit"
    several: dict[str, Any] = {"nargs": "+", "action": "append", "default": []}
    add("--plot", **several, metavar=("KIND|FILE.png", "FILE.png"), help=plot)
    page = "write an interactive page about descents on this table, for any browser"
    add("--explore", metavar="FILE.html", help=page)
    save = "keep the fitted model: as .skops (with skops), else as a pickle of joblib's"
    add("--save", metavar="FILE.skops", help=save)
    trust = "predict for TABLE; of other files than .skops open only what you trust"
    add("--predict", metavar="FILE.skops", help=trust)
    add("--output", metavar="FILE.csv", help="where --predict writes (default: standard output)")
    return parser


def _add_descent(add: Callable[..., Any], number: dict[str, Any]) -> None:
    """The options of the loss and of the steps."""
    loss = f"what a residual costs: {', '.join((SQUARED, *CHOICES))} ({SQUARED})"
    add("--loss", metavar="NAME", help=loss)
    share = "the share of rows below the model, for --loss quantile (0.5)"
    add("--quantile", type=float, metavar="Q", help=share)
    bent = "from which residual --loss huber (by a scale) or pseudo_huber (1) is linear"
    add("--delta", type=float, metavar="NUMBER", help=bent)
    free = "up to which residual the epsilon-insensitive losses cost nothing (0.1)"
    add("--epsilon", type=float, metavar="NUMBER", help=free)
    rate = "auto (the default), or the step of the textbook"
    add("--learning-rate", **number, default="auto", metavar="auto|NUMBER", help=rate)
    falls = f"how the rate falls from --learning-rate on: {', '.join(SCHEDULE_WORDS)}"
    add("--schedule", metavar="NAME", help=falls)
    rows = "rows of a batch, or their share: an update for each, and epochs in place of updates"
    add("--batch-size", type=size_of_batch, metavar="N", help=rows)
    add("--max-iter", type=int, default=1000, metavar="N", help="maximum number of updates (1000)")
    stop = "when to stop (1e-12; 1e-3 with --batch-size)"
    add("--tol", **number, default=DEFAULT_TOL, metavar="NUMBER|none", help=stop)
    momentum = "Polyak momentum, at least 0 and below 1 (0)"
    add("--momentum", type=float, default=0.0, metavar="NUMBER", help=momentum)


def _say(text: str):
    """Print. A terminal whose encoding lacks a letter gets an escape for it."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(text.replace("²", "2").encode(encoding, "backslashreplace").decode(encoding))


def _complain(text: str):
    """Print one line to stderr."""
    print(f"{PROG}: {printable(text)}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
