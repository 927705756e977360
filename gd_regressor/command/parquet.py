"""Parquet files as tables. A file larger than memory becomes a small table with the same descent.

A file may come from anywhere, so we read its schema first and then only its numeric columns: one
megabyte of text, to which each of a million rows points, would fill any memory. We read columns in
batches and count their rows, because the length that a file claims need not be true.
"""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from gd_regressor.arithmetic.threads import one_blas_thread
from gd_regressor.command.tables import (
    Problem,
    Table,
    UserError,
    check_distinct,
    chosen_names,
    in_a_line,
    read_csv,
    why_not_numeric,
)
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows
from gd_regressor.streams.kept_root import equivalent_rows
from gd_regressor.streams.stream import Stream

# We stream a table with more values than this (128 MiB) instead of holding it
LARGE = 1 << 24
BATCH_VALUES = 1 << 20
# Seconds between two lines of progress, on a terminal and elsewhere
EVERY = 0.2, 5.0


def read_table(path: str) -> Table:
    """Read a CSV or Parquet file."""
    return _read_parquet(path) if _is_parquet(path) else read_csv(path)


def is_large(path: str) -> bool:
    """Whether to stream a path: a folder, or a Parquet file with more than LARGE values."""
    if os.path.isdir(path):
        return True
    if not _is_parquet(path):
        return False
    with _told(path):
        import pyarrow.parquet

        metadata = pyarrow.parquet.read_metadata(path)
        size = metadata.num_rows, metadata.num_columns
        # A stream keeps a square matrix of the columns, which saves memory only if rows are more
        return size[0] * size[1] > LARGE and size[0] > size[1]


def stream_problem(
    path: str, target: str | None, features: Sequence[str] | None, progress: TextIO
) -> Problem:
    """A problem of few rows that has the same least-squares fit as the files.

    The few rows are one or two more than the columns. Their means, deviations, losses and iterates
    equal those of all complete rows.
    """
    files = _files(path)
    table = Table(path, *_read_footers(files), streamed=True)
    if not table.n_rows:
        raise UserError(f"{path} has no rows")
    target, names, left_out = chosen_names(table, target, features)
    used, holes, n_used, stream = [*names, target], np.zeros(len(names) + 1, dtype=int), 0, None
    shown = closing(_shown(_batches(files, used), table.n_rows, progress))
    with one_blas_thread(), shown as batches:  # one limit and one pool for all batches
        for values in batches:
            infinite = np.isinf(values).any(axis=0)
            if infinite.any():
                name = used[int(np.argmax(infinite))]
                raise UserError(f"column {name!r} has an infinite value: choose other --features")
            lacking = np.isnan(values)
            holes += lacking.sum(axis=0)
            complete = values[~lacking.any(axis=1)]
            if not len(complete):
                continue
            rows = Rows(complete[:, :-1], complete[:, -1:])
            stream = stream.followed_by(rows) if stream else Stream.of(rows, 1, keep="qr")
            n_used += len(complete)
    words = ", ".join(f"{n} ({count})" for n, count in zip(used, holes, strict=True) if count)
    if stream is None:
        raise UserError(f"each row of {path} lacks a value: {words}; choose other --features")
    root = cast(Root, stream.statistic)  # a stream with keep="qr" keeps a Root
    rows, _, _ = equivalent_rows(root, raw=True)
    return Problem(table, target, names, rows.X, rows.y[:, 0], words, left_out, n_used)


def _is_parquet(path: str) -> bool:
    """Whether a file begins as Parquet does. We do not open a pipe: one can read it only once."""
    try:
        with open(path if os.path.isfile(path) else os.devnull, "rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:  # read_csv will report the same error
        return False


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turn any error into one line: on a broken file Arrow raises errors of many kinds."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except ImportError:
        raise UserError(f"{path} is Parquet, which needs pyarrow: pip install pyarrow") from None
    except Exception as error:
        raise UserError(f"cannot read {path}: {in_a_line(error)}") from None


def _read_parquet(path: str) -> Table:
    n_rows, columns = _read_footers([path])
    if not n_rows:
        raise UserError(f"{path} has no rows")
    names = [name for name, column in columns.items() if not isinstance(column, str)]
    if names:
        values = np.concatenate(list(_batches([path], names)))
        for name, column in zip(names, values.T, strict=True):
            columns[name] = why_not_numeric(column) or column
    return Table(path, n_rows, columns)


def _files(path: str) -> list[str]:
    """The one file, or all Parquet files in a folder and below it."""
    if not os.path.isdir(path):
        return [path]
    files = [str(file) for file in sorted(Path(path).rglob("*.parquet")) if not file.is_dir()]
    if not files:
        raise UserError(f"{path} is a folder without Parquet files: name a file in it")
    return files


def _read_footers(files: Sequence[str]) -> tuple[int, dict[str, np.ndarray | str]]:
    """The number of rows that the files claim to have, and the columns of the first file."""
    n_rows, columns = 0, {}
    for path in files:
        with _told(path):
            import pyarrow.parquet

            metadata = pyarrow.parquet.read_metadata(path)
            n_rows += metadata.num_rows
            columns = columns or _columns(path, metadata.schema.to_arrow_schema())
    return n_rows, columns


def _columns(source: str, schema) -> dict[str, np.ndarray | str]:
    """For each column an empty array if it is numeric, else the reason why it is not."""
    from pyarrow import types

    check_distinct(source, schema.names)
    # pandas stores the index of a frame as one more column, and names it in the metadata
    index = set(map(str, (schema.pandas_metadata or {}).get("index_columns", ())))
    # If we ask for a column "a.b", Arrow also reads the part b of a nested column a
    storage = {field.name: getattr(field.type, "storage_type", field.type) for field in schema}
    nested = {name for name, kind in storage.items() if types.is_nested(kind)}
    columns = {}
    for name, kind in storage.items():
        if not (types.is_integer(kind) or types.is_floating(kind)):
            text = textwrap.shorten(str(kind), 60, placeholder=" ...")
            columns[name] = f"text, dates or the like (its type is {text})"
        elif name in index:
            columns[name] = "a row index"
        elif nested and any(name[:i] in nested for i, c in enumerate(name) if c == "."):
            columns[name] = "its name is that of a part of a nested column"
        else:
            columns[name] = np.empty(0)
    return columns


def _batches(files: Sequence[str], used: list[str]) -> Generator[np.ndarray, None, None]:
    """Blocks (m, len(used)) of the columns used, with NaN for missing values."""
    import pyarrow.parquet

    height = max(BATCH_VALUES // len(used), 1)
    # Not with a scanner of Arrow's datasets: it reads as far ahead of us as memory allows
    for path in files:
        with _told(path), pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            n_rows, n_read = file.metadata.num_rows, 0
            table = Table(path, n_rows, _columns(path, file.schema_arrow))
            for name in used:
                table.column(name)
            for batch in file.iter_batches(height, columns=used):
                n_read += batch.num_rows
                if n_read > n_rows:
                    break
                yield _values(batch, used)
            if n_read != n_rows:
                raise UserError(f"{path} does not have the {n_rows:,} rows that it claims")


def _values(batch, used: list[str]) -> np.ndarray:
    # numpy rounds an integer beyond 2^53, as CSV does; Arrow's own cast would refuse it
    columns = (batch.column(name).to_numpy(zero_copy_only=False) for name in used)
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])


def _shown(
    batches: Iterator[np.ndarray], n_rows: int, out: TextIO
) -> Generator[np.ndarray, None, None]:
    """Pass the batches on and print how far we have come."""
    terminal = out.isatty()
    began = last = time.monotonic()
    done = 0
    try:
        for values in batches:
            yield values
            done += len(values)
            now = time.monotonic()
            if now - last > EVERY[not terminal] or (terminal and done == n_rows):
                last = now
                rate = done / max(now - began, 1e-9)
                text = f"{done:,} of {n_rows:,} rows ({done / n_rows:.0%}), {rate:,.0f} a second"
                out.write(f"\r{text}   " if terminal else f"{text}\n")
                out.flush()
    finally:  # wipe the line also before main prints an error
        if terminal:
            out.write("\r" + " " * 79 + "\r")
