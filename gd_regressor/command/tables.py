"""Tables of the command: a file becomes columns of numbers, and columns become a problem to fit.

* The standard library reads CSV, whether or not pandas is installed, so the same file gives the
  same model everywhere. A file is UTF-8, with or without a byte order mark. The delimiter is the
  comma, semicolon or tab that divides the first line into the most cells. The first line has the
  names. Decimals have a point. `gd_regressor.command.parquet` reads Parquet.
* A column is numeric when each of its cells is a finite number or missing (see `MISSING`). So a
  table that mixes numbers and text needs no extra. Without --features we use all numeric columns
  that have a name; a column without a name is usually a row index. A column that --features names
  must be numeric. We never encode text as numbers.
* We leave a row out of the fit if it has a missing value in a used column.
"""

from __future__ import annotations

import csv
import difflib
import math
import os
import textwrap
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TextIO

import numpy as np
from sklearn.datasets import load_diabetes

MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-", "."}  # in any case
# Characters of the first line at most: a file without line ends must not fill the memory
LONGEST_HEADER = 1 << 26
# Characters of the first line that decide the delimiter; csv refuses a field of more than 2^17
DELIMITED_BY = 1 << 16

# How to mend a column of decimal commas, at the end of the reason for leaving the column out
POINTS = "(write decimals with a point, thousands without a comma)"


class UserError(Exception):
    """An error that the user can put right. Its text is the one line on stderr."""


def printable(text: str) -> str:
    """The text with escapes for characters that a terminal would obey, hide or reverse.

    A column or a file may have any name, and a name with an escape sequence could rewrite the
    screen. Letters of all languages stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def in_a_line(message: object) -> str:
    """The message of a library in one line."""
    return " ".join(str(message).split())


@dataclass(frozen=True)
class Table:
    """The numeric columns of a table, and the reasons why others are not numeric."""

    source: str  # the name of the table in reports and errors
    n_rows: int
    # By name: float64 with NaN for missing values, or the reason why the column is not numeric
    columns: dict[str, np.ndarray | str]
    target: str | None = None  # the column to predict if --target names none
    streamed: bool = False  # read once and not held; the numeric columns are then empty

    def column(self, name: str, role: str = "column") -> np.ndarray:
        """One numeric column; raises a UserError if there is no such column."""
        if name not in self.columns:
            close = difflib.get_close_matches(name, self.columns, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {_some(self.columns)}"
            raise UserError(f"{self.source} has no column {name!r}: {hint}")
        column = self.columns[name]
        if isinstance(column, str):
            raise UserError(f"{role} {name!r} is not numeric: {column}")
        return column


@dataclass(frozen=True)
class Problem:
    """The data to fit: the complete rows of the used columns."""

    table: Table
    target: str
    names: Sequence[str]  # the columns of X
    X: np.ndarray
    y: np.ndarray
    holes: str  # how many values each used column lacks, in words; empty if none lacks any
    left_out: dict[str, str]  # columns that are not numeric, with the reason
    n_used: int  # complete rows of the table; X has fewer if it stands for a streamed table


def diabetes() -> Table:
    """The diabetes data of scikit-learn in original units."""
    data = load_diabetes(scaled=False)
    columns = dict(zip(data.feature_names, data.data.T, strict=True))
    source = "the diabetes data of Efron et al. (2004), bundled with scikit-learn"
    columns["progression"] = data.target
    return Table(source, len(data.target), columns, target="progression")


def read_csv(path: str) -> Table:
    """Read a CSV file in one go, because it may be a pipe."""
    if os.path.isdir(path):  # each system reports this in other words
        raise UserError(f"{path} is a folder: name a file in it")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = _read_csv(path, file)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is neither CSV in UTF-8 nor Parquet") from None
    except csv.Error as error:
        raise UserError(f"{path} is not well-formed CSV: {error}") from None
    if table.n_rows == 0:
        raise UserError(f"{path} has no rows below its first line")
    return table


def choose(table: Table, target: str | None, features: Sequence[str] | None) -> Problem:
    """The complete rows of the columns in `features`, or of all numeric columns."""
    target, names, left_out = chosen_names(table, target, features)
    X = np.column_stack([table.column(name) for name in names])
    y = table.column(target)
    lacking = np.column_stack([np.isnan(X), np.isnan(y)])
    counts = zip([*names, target], lacking.sum(axis=0), strict=True)
    holes = ", ".join(f"{name} ({count})" for name, count in counts if count)
    complete = ~lacking.any(axis=1)
    if not complete.any():
        raise UserError(
            f"each row of {table.source} lacks a value: {holes}; choose other --features"
        )
    X, y = X[complete], y[complete]
    return Problem(table, target, names, X, y, holes, left_out, len(y))


def chosen_names(
    table: Table, target: str | None, features: Sequence[str] | None
) -> tuple[str, Sequence[str], dict[str, str]]:
    """The target, the features, and the columns left out, with the reasons."""
    reasons = {name: column for name, column in table.columns.items() if isinstance(column, str)}
    numeric = [name for name in table.columns if name not in reasons]
    target = target or table.target
    if target is None:
        raise UserError(f"name the column to predict: --target, one of {_some(numeric)}")
    table.column(target, "target")
    names = features or [name for name in numeric if name != target]
    if not names:
        raise UserError(f"{table.source} has no numeric column beside the target {target!r}")
    if target in names:
        raise UserError(f"{target!r} is the target and cannot be one of --features")
    if len(set(names)) < len(names):
        raise UserError("--features names a column twice")
    for name in names:
        table.column(name)
    return target, names, {} if features else reasons


def _read_csv(source: str, file: TextIO) -> Table:
    first = file.readline(LONGEST_HEADER)
    head = [first[:DELIMITED_BY]]
    # Not csv.Sniffer: it guesses from letter frequencies and fails on a single column
    delimiter = max(",;\t", key=lambda mark: len(next(csv.reader(head, delimiter=mark))))
    # strict makes an unbalanced quote an error; else it would put half of the file into one cell
    rows = csv.reader(chain([first], file), delimiter=delimiter, strict=True)
    header = next(filter(None, rows), None)  # skip blank lines
    if header is None:
        raise UserError(f"{source} is empty")
    names = _checked_names(source, header)
    # An array takes eight bytes per cell; strings would take ten times as much
    columns = [array("d") for _ in names]
    # By column, the first cell that is no number, and its line
    strange: dict[str, tuple[str, int]] = {}
    for row in filter(None, rows):
        if len(row) != len(names):
            cells = f"{len(row)} cell{'s' * (len(row) != 1)}"
            raise UserError(
                f"line {rows.line_num} of {source} has {cells}, the first line {len(names)}"
            )
        for name, column, cell in zip(names, columns, row, strict=True):
            value = _number(cell)
            if value is None:
                value = math.nan
                strange.setdefault(name, (cell.strip()[:40], rows.line_num))
            column.append(value)
    read = {}
    for name, title, column in zip(names, header, columns, strict=True):
        values = np.asarray(column)
        reason = why_not_numeric(values, strange.get(name))
        reason = reason if title.strip() else "a row index, usually"
        read[name] = reason or values
    return Table(source, len(columns[0]), read)


def _checked_names(source: str, header: list[str]) -> list[str]:
    """The names of the columns. A column without a name is named by its number."""
    if all(_number(cell) is not None for cell in header):
        raise UserError(f"the first line of {source} must name the columns; it holds numbers")
    names = [cell.strip() or f"column {i} (no name)" for i, cell in enumerate(header, start=1)]
    check_distinct(source, names)
    return names


def check_distinct(source: str, names: Sequence[str]):
    """Refuse a table with two columns of one name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise UserError(f"{source} has two columns named {name!r}: rename one")


def _number(cell: str) -> float | None:
    """The number in a cell, NaN for a missing value, None for anything else."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan if cell.strip().lower() in MISSING else None
    # float reads "1_000" and "1e999" as numbers; no other reader of tables does
    return None if "_" in cell or math.isinf(value) else value


def why_not_numeric(values: np.ndarray, strange: tuple[str, int] | None = None) -> str:
    """Why a column is not numeric; empty when it is."""
    numbers = not np.isnan(values).all()
    if strange is None:
        if np.isinf(values).any():
            return "an infinite value in it"
        return "" if numbers else "no value in it"
    cell, line = strange
    commas = _number(cell.replace(",", "")) is not None
    if not numbers and not commas:
        return f"text, such as {cell!r} in line {line}"
    return f"{cell!r} in line {line} is not a finite number{f' {POINTS}' * commas}"


def _some(names: Iterable[str]) -> str:
    return textwrap.shorten(", ".join(map(printable, names)), 200, placeholder=" ...")
