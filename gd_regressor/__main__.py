"""The command: ``python -m gd_regressor [TABLE] [options]``.

Without a table it runs on the diabetes data that scikit-learn ships, in their original units.
With one it fits the column named by ``--target`` and reports the model in the units of the table
and in standardised units, beside other estimators on the same rows. ``--save`` keeps the model,
``--predict`` uses it. What is read, and what becomes of it:

* CSV is read by the standard library whether or not pandas is installed, so the same file gives
  the same model everywhere. UTF-8, with or without a byte order mark; comma, semicolon or tab,
  whichever divides the first rows evenly; names in the first line; decimals with a point.
* A column is numeric when each of its cells is a finite number or missing: empty, ``NA``, ``N/A``,
  ``NaN``, ``NULL``, ``None``, ``?``, ``-`` or ``.`` in any case. A table that mixes numbers and
  text therefore needs no extra. Without ``--features`` the columns that are not numeric, or have
  no name (a row index, usually), are left out and the report names them; a column asked for must
  be numeric. Nothing is encoded behind the user's back.
* A row with a missing value in a used column is left out of the fit and counted in the report.
  Prediction leaves its cell empty instead: one line per row, always.
* Parquet needs the extra ``[table]``, a plot the extra ``[plot]``.
* ``--standardize`` gives the columns and the target mean 0 and deviation 1 (ddof=0) before the
  descent, as textbooks do. The saved model takes and returns original units all the same.

The exit status is 0 when a model (or a prediction) was made, converged or not; 2 when it was not,
with one line on stderr; 130 after an interrupt.
"""

import argparse
import csv
import difflib
import io
import math
import os
import re
import sys
import textwrap
import time
import warnings
from array import array
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import GDLinearRegressor, LossCurveDisplay, Status

PROG = "python -m gd_regressor"
MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-", "."}
WIDTH = 92
NO_NAME = " (no name)"
COEFFICIENTS_SHOWN = 30
MIN_ROWS_TO_SPLIT = 10  # two in each of the five folds: R² of one row is undefined


class CommandError(Exception):
    """Something that the user can put right; its text is the one line they see."""


# --- Tables ---


@dataclass(frozen=True)
class Table:
    """A table: its numeric columns, and why the others are not numeric."""

    source: str
    """What the report calls it."""
    n_rows: int
    numeric: dict[str, np.ndarray]
    """float64 by name, NaN where a value is missing; in the order of the table."""
    others: dict[str, str]
    """The reason by name; "text, ..." where no cell holds a number."""

    def column(self, name, role="column"):
        """Return one numeric column, or say what is wrong with the name."""
        if name in self.numeric:
            return self.numeric[name]
        if name in self.others:
            raise CommandError(f"{role} {name!r} is not numeric: {self.others[name]}")
        names = [*self.numeric, *self.others]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {_some(names)}"
        raise CommandError(f"{self.source} has no column {name!r}: {hint}")


class CsvColumn:
    """One column while it is read: its numbers so far, and the first cell that is none."""

    def __init__(self):
        # Eight bytes per cell: a table of strings would take ten times the memory of its numbers.
        self.values = array("d")
        self.complaint = None

    def add(self, cell, line):
        """Append one cell."""
        try:
            value = float(cell)
            # Python reads "1_000" and "1e999" as numbers; no other table reader agrees.
            bad = "_" in cell or math.isinf(value)
        except ValueError:
            value, bad = math.nan, cell.strip().lower() not in MISSING
        if bad:
            value = math.nan
            self.complaint = self.complaint or (cell.strip()[:40], line)
        self.values.append(value)

    def reason(self):
        """Say why the column is not numeric; None when it is."""
        numbers = not np.isnan(self.values).all()
        if self.complaint is None:
            return None if numbers else "no value in it"
        cell, line = self.complaint
        if not numbers and not _is_decimal(cell):
            return f"text, such as {cell!r} in line {line}"
        hint = " (write decimals with a point, thousands without a comma)" * _is_decimal(cell)
        return f"{cell!r} in line {line} is not a finite number{hint}"


def _is_decimal(cell):
    """Whether a cell is a number written with commas."""
    return "," in cell and cell.replace(",", "").replace(".", "").lstrip("+-").isdigit()


def _delimiter(lines):
    """Return the delimiter that divides the first lines evenly, into as many cells as it can."""

    def evenness(delimiter):
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row] or [0]
        return (widths.count(widths[0]) if widths[0] > 1 else 0, widths[0])

    # csv.Sniffer guesses from letter frequencies and fails on a single column.
    return max(",;\t", key=evenness)


def _checked_header(source, header):
    """Return the names of the columns; a column without one is called by its number."""
    if all(_is_number(cell) for cell in header):
        raise CommandError(f"the first line of {source} must name the columns; it holds numbers")
    names = [cell.strip() or f"column {i}{NO_NAME}" for i, cell in enumerate(header, start=1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CommandError(f"{source} has two columns named {twice!r}: rename one")
    return names


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _csv_columns(source, handle):
    """Read an open CSV file into its names and columns."""
    lines = list(islice(handle, 20))
    # strict: an unbalanced quote is an error, not half of the file in one cell.
    rows = csv.reader(chain(lines, handle), delimiter=_delimiter(lines), strict=True)
    header = next(filter(None, rows), None)
    if header is None:
        raise CommandError(f"{source} is empty")
    names = _checked_header(source, header)
    columns = [CsvColumn() for _ in names]
    for row in filter(None, rows):  # a blank line is no row
        if len(row) != len(names):
            cells = _count(len(row), "cell")
            raise CommandError(
                f"line {rows.line_num} of {source} has {cells}, the first line {len(names)}"
            )
        for column, cell in zip(columns, row, strict=True):
            column.add(cell, rows.line_num)
    return names, columns


def _read_csv(path, file):
    """Read a CSV file, open for bytes, into a Table."""
    try:
        names, columns = _csv_columns(path, io.TextIOWrapper(file, "utf-8-sig", newline=""))
    except UnicodeDecodeError:
        raise CommandError(f"{path} is neither CSV in UTF-8 nor Parquet") from None
    except csv.Error as error:
        raise CommandError(f"{path} is not well-formed CSV: {error}") from None
    numeric, others = {}, {}
    for name, column in zip(names, columns, strict=True):
        reason = "a row index, usually" if name.endswith(NO_NAME) else column.reason()
        if reason is None:
            numeric[name] = np.asarray(column.values)
        else:
            others[name] = reason
    return Table(path, len(columns[0].values), numeric, others)


def _read_parquet(path):
    """Read a Parquet file into a Table."""
    try:
        import pandas
        import pyarrow  # noqa: F401  (pandas would name its own extras, not ours)
    except ImportError:
        raise CommandError(
            f'{path} is Parquet, which needs pandas and pyarrow: pip install "gd-regressor[table]"'
        ) from None
    try:
        frame = pandas.read_parquet(path)
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot read {path}: {_one_line(error)}") from None
    numeric, others = {}, {}
    for position, label in enumerate(frame.columns):
        column, name = frame.iloc[:, position], str(label)
        if column.dtype.kind not in "iuf":
            others[name] = f"text, dates or the like (its type is {column.dtype})"
            continue
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(values).any():
            others[name] = "an infinite value in it"
        elif np.isnan(values).all():
            others[name] = "no value in it"
        else:
            numeric[name] = values
    return Table(path, len(frame), numeric, others)


def _read_table(path):
    """Read the user's table, or the diabetes data where there is none."""
    if path is None:
        return _diabetes()
    if Path(path).is_dir():  # which the systems report in different words
        raise CommandError(f"{path} is a folder: name a file in it")
    try:
        with open(path, "rb") as file:
            parquet = file.peek(4)[:4] == b"PAR1"
            table = _read_parquet(path) if parquet else _read_csv(path, file)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or _one_line(error)}") from None
    if table.n_rows == 0:
        raise CommandError(f"{path} has no rows below its first line")
    return table


def _diabetes():
    """Return the diabetes data in original units."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    columns = dict(zip(data.feature_names, data.data.T, strict=True))
    source = "the diabetes data of Efron et al. (2004), bundled with scikit-learn"
    return Table(source, len(data.target), columns | {"progression": data.target}, {})


# --- The fit ---


@dataclass(frozen=True)
class Problem:
    """What is fitted: the complete rows of the used columns."""

    table: Table
    target: str
    names: list[str]
    X: np.ndarray
    y: np.ndarray
    holes: str
    """Which used columns lack how many values, in words."""


@dataclass(frozen=True)
class Fit:
    """A fitted model, and its last step."""

    model: object
    """Predicts in original units, with or without scalers around the descent."""
    descent: GDLinearRegressor
    standardize: bool

    def in_both_units(self, X, y):
        """Return (coefficients, intercept, unit of the loss), in original and standardised units.

        One is the other's affine image: x = mean + sd * x_standardised, and so with y. A constant
        column or target keeps its unit, as in StandardScaler.
        """
        x_scaler, y_scaler = StandardScaler().fit(X), StandardScaler().fit(y[:, None])
        x_mean, x_sd = x_scaler.mean_, x_scaler.scale_
        y_mean, y_sd = y_scaler.mean_[0], y_scaler.scale_[0]
        w, b = self.descent.coef_, self.descent.intercept_
        if self.standardize:
            original = w * y_sd / x_sd
            intercept = y_mean + y_sd * b - original @ x_mean
            return (original, intercept, y_sd**2), (w, b, 1.0)
        return (w, b, 1.0), (w * x_sd / y_sd, (b + w @ x_mean - y_mean) / y_sd, y_sd**-2)


def _problem(options):
    """Read the table and choose its columns and rows."""
    table = _read_table(options.table)
    target = options.target or ("progression" if options.table is None else None)
    if target is None:
        raise CommandError(f"name the column to predict: --target, one of {_some(table.numeric)}")
    y = table.column(target, "target")
    names = options.features or [name for name in table.numeric if name != target]
    if not names:
        raise CommandError(f"{table.source} has no numeric column beside the target {target!r}")
    if target in names:
        raise CommandError(f"{target!r} is the target and cannot be one of --features")
    if len(set(names)) < len(names):
        raise CommandError("--features names a column twice")
    columns = [table.column(name) for name in names]
    lacking = [np.isnan(column) for column in (*columns, y)]
    complete = ~np.logical_or.reduce(lacking)
    counts = zip([*names, target], map(np.count_nonzero, lacking), strict=True)
    holes = ", ".join(f"{name} ({count})" for name, count in counts if count)
    if not complete.any():
        raise CommandError(
            f"each row of {table.source} lacks a value: {holes}; choose other --features"
        )
    X = np.column_stack([column[complete] for column in columns])
    return Problem(table, target, names, X, y[complete], holes)


def _count(n, noun):
    """Return "1 row", "2 rows"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def _some(names):
    """Return the first few names."""
    return ", ".join(list(names)[:12]) + (", ..." if len(names) > 12 else "")


def _model(options, verbose=0):
    """Return the model that the options ask for, unfitted."""
    descent = GDLinearRegressor(
        options.learning_rate,
        options.max_iter,
        options.tol,
        fit_intercept=options.fit_intercept,
        momentum=options.momentum,
        verbose=verbose,
    )
    if not options.standardize:
        return descent
    return TransformedTargetRegressor(
        regressor=make_pipeline(StandardScaler(), descent),
        transformer=StandardScaler(),
        # The check would complain of rounding where the target's mean dwarfs its deviation.
        check_inverse=False,
    )


def _fitted(options, problem):
    """Fit the model; its rejections become the command's own."""
    model = _model(options, options.verbose)
    with warnings.catch_warnings(record=True) as caught:
        try:
            model.fit(problem.X, problem.y)
        except ValueError as error:
            raise CommandError(_one_line(error)) from None
        except KeyboardInterrupt:
            # The descent keeps its last complete update, which is worth a report.
            if not hasattr(_last_step(model), "status_"):
                raise

    def name_of(match):
        number = int(match[1])
        return f"column {problem.names[number]!r}" if number < len(problem.names) else match[0]

    # scikit-learn learns names from data frames only, and a base install has none.
    for warning in caught:
        text = re.sub(r"\bcolumn (\d+)\b", name_of, str(warning.message))
        warnings.warn(text, warning.category, stacklevel=2)
    names = np.array(problem.names, dtype=object)
    model.feature_names_in_ = names
    if options.standardize:
        model.regressor_[0].feature_names_in_ = names
    return Fit(model, _last_step(model), options.standardize)


def _last_step(model):
    """Return the estimator within scalers."""
    if isinstance(model, TransformedTargetRegressor):
        model = getattr(model, "regressor_", model.regressor)
    return model[-1] if isinstance(model, Pipeline) else model


# --- Beside other estimators ---


@dataclass
class Row:
    """One row of the comparison; a measure that could not be taken is None."""

    label: str
    model: object
    scores: np.ndarray | None = None
    loss: float | None = None
    iterations: int | None = None
    converged: bool = True
    seconds: float | None = None

    def cells(self):
        """Return the row as it is printed."""
        if self.loss is None:
            return (self.label, "failed", "", "", "")
        iterations = "-" if self.iterations is None else f"{self.iterations:,}"
        return (
            self.label,
            "-" if self.scores is None else _mean_and_deviation(self.scores),
            _number(self.loss),
            iterations + "!" * (not self.converged),
            f"{self.seconds * 1e3:,.2f} ms",
        )


def _mean_and_deviation(scores):
    """Write R² over the folds; a model that has diverged has a score of any size."""
    mean, deviation = scores.mean(), scores.std()
    return f"{mean:.4f} ({deviation:.3f})" if abs(mean) < 100 else f"{mean:.3g}"


def _textbook_rate(X):
    """Return the largest power of ten that is at most half the stability limit, standardised.

    The Hessian is twice the correlation matrix, and the intercept's own eigenvalue is 2: half the
    limit, 1 / (the largest of its eigenvalues), is the rate that textbooks prove to descend.
    """
    Z = StandardScaler().fit_transform(X)
    largest = max(1.0, np.linalg.norm(Z, 2) ** 2 / len(Z))
    return 10.0 ** math.floor(math.log10(0.5 / largest))


def _contestants(options, X):
    """Return the rows: the model asked for, the other way to descend, and two neighbours."""
    scalers = "StandardScaler (x, y) + " if options.standardize else ""
    intercept = {"fit_intercept": options.fit_intercept}
    if options.learning_rate == "auto":
        rate = _textbook_rate(X)
        textbook = make_pipeline(StandardScaler(), GDLinearRegressor(rate, 10_000, **intercept))
        yield Row(f"{scalers}GDLinearRegressor auto", _model(options))
        yield Row(f"StandardScaler + GDLinearRegressor {rate:g}", textbook)
    else:
        asked = f"{scalers}GDLinearRegressor {options.learning_rate}"
        yield Row(asked, _model(options))
        yield Row("GDLinearRegressor auto", GDLinearRegressor(**intercept))
    yield Row("LinearRegression", LinearRegression(**intercept))
    sgd = SGDRegressor(**intercept, random_state=0)
    yield Row("StandardScaler + SGDRegressor", make_pipeline(StandardScaler(), sgd))


def _compare(options, problem):
    """Measure all rows on the same data and folds."""
    X, y = problem.X, problem.y
    rows = list(_contestants(options, X))
    with warnings.catch_warnings():
        # The report's own fit has warned already; the others have their mark in the table.
        warnings.simplefilter("ignore")
        for row in rows:
            _measure(row, X, y)
        n_timed = _time([row for row in rows if row.loss is not None], X, y)
    return rows, n_timed


def _measure(row, X, y):
    """Fill in all but the time."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = clone(row.model).fit(X, y)
        if len(y) >= MIN_ROWS_TO_SPLIT:
            folds = KFold(5, shuffle=True, random_state=0)
            row.scores = cross_val_score(row.model, X, y, cv=folds, scoring="r2")
    except ValueError:  # SGDRegressor's, when it overflows
        return
    row.loss = float(np.mean((y - model.predict(X)) ** 2))
    row.iterations = getattr(_last_step(model), "n_iter_", None)
    row.converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def _time(rows, X, y, rounds=7, patience=3.0):
    """Fill in the median time of a fit; return how many fits it is the median of.

    The rows take turns, so that a slow moment of the machine falls on all of them.
    """
    seconds = {id(row): [] for row in rows}
    began = time.perf_counter()
    done = 0
    while done < rounds and (done == 0 or time.perf_counter() - began < patience):
        for row in rows:
            model = clone(row.model)
            start = time.perf_counter()
            model.fit(X, y)
            seconds[id(row)].append(time.perf_counter() - start)
        done += 1
    for row in rows:
        row.seconds = float(np.median(seconds[id(row)]))
    return done


# --- The report ---


def _say(text=""):
    """Print, also on a terminal that lacks the letters."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(text.replace("²", "2").encode(encoding, "backslashreplace").decode(encoding))


def _entry(label, text):
    """Print one labelled entry, wrapped under itself."""
    _say(
        textwrap.fill(
            f"{label:<12}{text}",
            WIDTH,
            subsequent_indent=" " * 12,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _grid(rows):
    """Print rows of cells: the first column flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)]
        _say("  ".join([f"{first:<{widths[0]}}", *cells]).rstrip())


def _number(value):
    """Write a number of any size to six digits."""
    if 1e6 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:#,.6g}".rstrip(".")


def _standardised(value):
    """Write a number of order one to six decimals: rounding noise shows as zero."""
    return _number(value) if abs(value) >= 1e6 else f"{round(value, 6) + 0.0:.6f}"


def _one_line(error):
    """Return an exception's text without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def _report(options, problem, fit):
    """Print all that there is to know of one fit."""
    _say("gd_regressor: linear regression by gradient descent")
    _say()
    _report_data(options, problem)
    _say()
    _report_descent(options, fit)
    _say()
    _report_coefficients(options, problem, fit)
    if options.compare and fit.descent.status_ is not Status.INTERRUPTED:
        _say()
        _report_comparison(*_compare(options, problem), len(problem.y))


def _report_data(options, problem):
    """Print what was read and what of it is used."""
    table = problem.table
    n_columns = len(table.numeric) + len(table.others)
    _entry("Data", f"{table.source}: {_count(table.n_rows, 'row')}, {_count(n_columns, 'column')}")
    _entry("Target", problem.target)
    _entry("Features", f"{len(problem.names)}: {', '.join(problem.names)}")
    if options.features is None and table.others:
        described = (
            name if reason.startswith("text, ") else f"{name} ({reason})"
            for name, reason in table.others.items()
        )
        _entry("Left out", f"not numeric: {', '.join(described)}")
    if problem.holes:
        n_left_out = table.n_rows - len(problem.y)
        used = f"{len(problem.y):,} used, {n_left_out:,} left out for a missing value"
        _entry("Rows", f"{used}: {problem.holes}")


def _report_descent(options, fit):
    """Print how the model was fitted and what came of it."""
    units = "columns as they are"
    if fit.standardize:
        units = "columns and target standardised (mean 0, deviation 1)"
    momentum = f", momentum {options.momentum:g}" if options.momentum else ""
    intercept = "" if options.fit_intercept else ", no intercept"
    _entry("Descent", f"learning rate {options.learning_rate}{momentum}{intercept}; {units}")
    limit = getattr(fit.descent, "max_learning_rate_", None)
    if limit is not None:
        _entry("", f"(stable below a learning rate of {limit:.4g})")
    _entry("Iterations", f"{fit.descent.n_iter_:,} of at most {options.max_iter:,}")
    status = fit.descent.status_
    if options.tol is None and status is Status.MAX_ITER:
        status = "max_iter: all updates were made, as --tol none asks"
    _entry("Status", str(status))


def _report_coefficients(options, problem, fit):
    """Print coefficients and losses; the largest coefficients where they are too many to read."""
    original, standardised = fit.in_both_units(problem.X, problem.y)
    names, curve, n_iter = problem.names, fit.descent.loss_curve_, fit.descent.n_iter_

    def line(name, in_original, in_standardised):
        return (name, _number(in_original), _standardised(in_standardised))

    shown = range(len(names))
    if len(names) > COEFFICIENTS_SHOWN:
        order = np.argsort(-np.abs(standardised[0]), kind="stable")
        shown = sorted(order[:COEFFICIENTS_SHOWN])
    _grid(
        [
            ("Coefficient", "original units", "standardised"),
            *(line(names[j], original[0][j], standardised[0][j]) for j in shown),
            line("(intercept)", original[1], standardised[1]),
            ("", "", ""),
            ("Loss (mean squared error)", "", ""),
            line("at the start", curve[0] * original[2], curve[0] * standardised[2]),
            line(
                f"at the end ({_count(n_iter, 'update')})",
                curve[-1] * original[2],
                curve[-1] * standardised[2],
            ),
        ]
    )
    if len(names) > COEFFICIENTS_SHOWN:
        _say(f"The {COEFFICIENTS_SHOWN} largest of {len(names)}, in the order of the table.")
    if options.standardize and not options.fit_intercept:
        _say("Without an intercept on standardised data the model goes through the means.")


def _report_comparison(rows, n_timed, n_rows):
    """Print the table of estimators."""
    _grid(
        [
            ("Beside other estimators", "R² (sd)", "training loss", "iterations", "fit time"),
            *(row.cells() for row in rows),
        ]
    )
    if n_rows >= MIN_ROWS_TO_SPLIT:
        notes = "R²: mean (deviation) over 5 folds of cross-validation, the same for every row. "
    else:
        notes = f"R² is not cross-validated with fewer than {MIN_ROWS_TO_SPLIT} rows. "
    notes += (
        "Training loss: mean squared error in original units. Iterations: for SGDRegressor, passes "
        f"over the rows. Fit time: median of {n_timed}, taken in turn, scaling included."
    )
    if not all(row.converged for row in rows):
        notes += " (!) stopped before it converged."
    _say(textwrap.fill(notes, WIDTH))


# --- What is written ---


def _check_outputs(options):
    """Refuse, before any work, what could not be written or would destroy the input."""
    taken = {Path(path).resolve() for path in (options.table, options.predict) if path}
    for name in ("plot", "save", "output"):
        if getattr(options, name) is None:
            continue
        path = Path(getattr(options, name)).resolve()
        if path in taken:
            raise CommandError(f"--{name} would overwrite {path.name}: give another file")
        if path.is_dir() or not path.name:
            raise CommandError(f"--{name} {path} is a folder: give a file in it")
        if not path.parent.is_dir():
            raise CommandError(f"--{name}: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise CommandError(f"--{name}: the folder {path.parent} is not writable")
        taken.add(path)


def _write(path, content):
    """Write bytes to a file, whole or not at all."""
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        # A device or a pipe, which must not be replaced.
        path.write_bytes(content)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _figure(options):
    """Return an empty figure for --plot, before the fit: what is missing is said at once."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise CommandError('--plot needs matplotlib: pip install "gd-regressor[plot]"') from None
    # Not pyplot's figure: that asks for a display, and stays open.
    figure = Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
    known = figure.canvas.get_supported_filetypes()
    if _suffix(options.plot) not in known:
        raise CommandError(f"--plot {options.plot} must end in one of .{', .'.join(sorted(known))}")
    return figure


def _suffix(path):
    return Path(path).suffix.lstrip(".").lower()


def _draw(options, problem, fit, figure):
    """Draw the loss curve into --plot."""
    ax = figure.subplots()
    curve = fit.descent.loss_curve_
    wide = curve.max() > 1e3 * curve.min() > 0  # a climb, or a fit that is nearly perfect
    LossCurveDisplay.from_estimator(fit.descent, ax=ax, log_scale=wide)
    units = ", standardised" if fit.standardize else ""
    title = f"{problem.target}: learning rate {options.learning_rate}{units}"
    ax.set_title(title, parse_math=False)
    content = io.BytesIO()
    figure.savefig(content, format=_suffix(options.plot))
    _write(options.plot, content.getvalue())


def _save(options, fit):
    """Pickle the model into --save."""
    import joblib

    content = io.BytesIO()
    joblib.dump(fit.model, content)
    _write(options.save, content.getvalue())


# --- The two things that the command does ---


def _run_fit(options):
    """Fit, write, report; return the exit status."""
    if options.output is not None:
        raise CommandError("--output goes with --predict; --save keeps the model")
    _check_outputs(options)
    figure = None if options.plot is None else _figure(options)
    problem = _problem(options)
    fit = _fitted(options, problem)
    # Before the report: a reader that closes the pipe early must not cost the model.
    failure = _deliver(options, problem, fit, figure)
    _report(options, problem, fit)
    if failure is not None:
        raise CommandError(f"not written: {_one_line(failure)}")
    return 130 if fit.descent.status_ is Status.INTERRUPTED else 0


def _deliver(options, problem, fit, figure):
    """Write what was asked for; return what went wrong, as the report must come all the same."""
    try:
        if options.save is not None:
            _save(options, fit)
        if figure is not None:
            _draw(options, problem, fit, figure)
    except OSError as error:
        return error
    return None


def _run_predict(options):
    """Predict one value for each row of a table; return the exit status."""
    default = _parser().get_default
    given = {name for name, value in vars(options).items() if value != default(name)}
    if given - {"table", "predict", "output"}:
        raise CommandError("--predict goes with TABLE and --output, and with no other option")
    if options.table is None:
        raise CommandError("name the table to predict for: TABLE --predict MODEL")
    _check_outputs(options)
    model = _load(options.predict)
    table = _read_table(options.table)
    X = np.column_stack([table.column(str(name)) for name in model.feature_names_in_])
    complete = ~np.isnan(X).any(axis=1)
    if not complete.any():
        raise CommandError(f"each row of {options.table} lacks a value that the model needs")
    cells = np.full(len(X), "", dtype=object)
    cells[complete] = _predictions(model, X[complete])
    if not complete.all():
        n_holes = np.count_nonzero(~complete)
        _warn(f"no prediction for {n_holes} of {len(X)} rows: a value is missing")
    text = "\n".join(["prediction", *cells]) + "\n"
    if options.output is None:
        sys.stdout.write(text)
        return 0
    try:
        _write(options.output, text.encode())
    except OSError as error:
        raise CommandError(f"not written: {_one_line(error)}") from None
    return 0


def _predictions(model, X):
    """Return the predictions, each as the shortest text that reads back as the same number."""
    with warnings.catch_warnings():
        # The names have been checked; an array cannot carry them.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        try:
            return [repr(float(value)) for value in model.predict(X)]
        except (TypeError, ValueError) as error:
            raise CommandError(f"the model cannot predict: {_one_line(error)}") from None


def _load(path):
    """Unpickle the model of --save."""
    import joblib

    try:
        model = joblib.load(path)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or _one_line(error)}") from None
    except Exception as error:  # unpickling can raise anything at all
        raise CommandError(f"{path} is not a saved model: {_one_line(error)}") from None
    if not hasattr(model, "predict") or not hasattr(model, "feature_names_in_"):
        raise CommandError(f"{path} is not a model made by --save: it has no names of columns")
    return model


# --- The command line ---


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line."""

    def error(self, message):
        """Leave it to main to print."""
        raise CommandError(message)


def _learning_rate(text):
    """Return a number where there is one; the estimator knows the words."""
    return float(text) if _is_number(text) else text


def _tolerance(text):
    """Return a number, or None for "none"."""
    if text.lower() == "none":
        return None
    if not _is_number(text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor none")
    return float(text)


def _parser():
    """Return the parser of the command line."""
    parser = Parser(
        prog=PROG,
        allow_abbrev=False,
        description="Fit a linear model by gradient descent to a table, and report it. Without a "
        "table: to the diabetes data that scikit-learn ships.",
        epilog="Example: %(prog)s cars.csv --target price --features engine_size --standardize "
        "--learning-rate 0.1 --max-iter 60 --tol none --plot loss.png",
    )
    parser.color = False  # Python 3.14 would colour the help
    add = parser.add_argument
    add("table", nargs="?", metavar="TABLE", help="CSV or (with the extra [table]) Parquet")
    add("--target", metavar="NAME", help="the column to predict")
    add("--features", nargs="+", metavar="NAME", help="columns to use (default: all numeric)")
    add("--standardize", action="store_true", help="give columns and target mean 0, deviation 1")
    add(
        "--learning-rate",
        type=_learning_rate,
        default="auto",
        metavar="auto|NUMBER",
        help="auto (the default), or the step of the textbook",
    )
    add("--max-iter", type=int, default=1000, metavar="N", help="most updates (1000)")
    add("--tol", type=_tolerance, default=1e-12, metavar="NUMBER|none", help="when to stop (1e-12)")
    add("--momentum", type=float, default=0.0, metavar="NUMBER", help="Polyak's, 0 to 1 (0)")
    add("--no-intercept", dest="fit_intercept", action="store_false", help="fit no intercept")
    add("--no-compare", dest="compare", action="store_false", help="no other estimators")
    add("--verbose", type=int, default=0, metavar="K", help="print the loss every K updates")
    add("--plot", metavar="FILE.png", help="draw the loss curve (with the extra [plot])")
    add("--save", metavar="FILE.joblib", help="keep the fitted model")
    add(
        "--predict",
        metavar="FILE.joblib",
        help="predict for TABLE; a saved model is a pickle: open only what you trust",
    )
    add("--output", metavar="FILE.csv", help="where --predict writes (default: standard output)")
    return parser


def _warn(message):
    """Print one line to stderr."""
    print(f"{PROG}: {message}", file=sys.stderr)


def _show_each_warning_once():
    """Let warnings be one readable line each, without file names and source."""
    seen = set()

    def show(message, category, filename, lineno, file=None, line=None):
        text = _one_line(message)
        if text not in seen:
            seen.add(text)
            _warn(f"warning: {text}")

    # What libraries tell developers is not for the reader of a report.
    warnings.simplefilter("ignore")
    for category in (UserWarning, RuntimeWarning):
        warnings.simplefilter("always", category)
    warnings.showwarning = show


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; those of the process by default.

    Returns
    -------
    status : int
        0 when a model or a prediction was made, 2 when not, 130 when interrupted.
    """
    try:
        options = _parser().parse_args(argv)
        with warnings.catch_warnings():
            _show_each_warning_once()
            run = _run_fit if options.predict is None else _run_predict
            status = run(options)
            print(end="", flush=True)
    except CommandError as error:
        _warn(f"error: {_one_line(error)}")
        return 2
    except KeyboardInterrupt:
        _warn("interrupted")
        return 130
    except OSError as error:  # of stdout: all other files have been spoken of where they are used
        # Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever reads has seen enough
            return 0
        _warn(f"error: cannot print: {_one_line(error)}")
        return 2
    return status


if __name__ == "__main__":
    raise SystemExit(main())
