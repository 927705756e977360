"""Parquet larger than memory: one pass over it, to a small table with the same descent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from gd_regressor.arithmetic.threads import one_blas_thread
from gd_regressor.command.tables import Problem, Table, UserError, chosen_names
from gd_regressor.data.table import Rows
from gd_regressor.streams.stream import Stream, equivalent_rows

# Tables of more values than this are not read into memory (128 MiB)
LARGE = 1 << 24
BATCH_VALUES = 1 << 20
EVERY = 0.2, 5.0  # seconds between signs of progress: on a terminal, elsewhere


def is_large(path: str) -> bool:
    """Whether a path is a folder, or a Parquet file that is better streamed."""
    if Path(path).is_dir():
        return True
    try:
        with open(path, "rb") as file:
            if file.read(4) != b"PAR1":
                return False
        import pyarrow.parquet

        metadata = pyarrow.parquet.read_metadata(path)
    except (ImportError, OSError, ValueError):  # which reading it will report
        return False
    return metadata.num_rows * metadata.num_columns > LARGE


def stream_problem(
    path: str, target: str | None, features: Sequence[str] | None, progress: TextIO
) -> Problem:
    """What is fitted: a table of a few rows that no least-squares fit tells from the large one.

    It has as many rows as columns, and one or two more; means, deviations, losses and iterates are
    those of all complete rows.
    """
    dataset = _dataset(path)
    n_rows = dataset.count_rows()
    table = Table(path, n_rows, {f.name: _kind(f.type) for f in dataset.schema}, streamed=True)
    target, names, left_out = chosen_names(table, target, features)
    used, holes, n_used, stream = [*names, target], np.zeros(len(names) + 1, dtype=int), 0, None
    with one_blas_thread():  # and one pool of threads for all batches
        for values in _shown(_batches(dataset, used), n_rows, progress):
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
    rows, _, _ = equivalent_rows(stream.statistic, raw=True)
    return Problem(table, target, names, rows.X, rows.y[:, 0], words, left_out, n_used)


def _dataset(path: str):
    try:
        import pyarrow.dataset
    except ImportError:
        raise UserError(
            f'{path} is Parquet, which needs pyarrow: pip install "gd-regressor[table]"'
        ) from None
    folder = Path(path)
    if folder.is_dir() and not any(folder.rglob("*.parquet")):
        raise UserError(f"{path} is a folder without Parquet files: name a file in it")
    files = sorted(map(str, folder.rglob("*.parquet"))) if folder.is_dir() else path
    try:
        dataset = pyarrow.dataset.dataset(files, format="parquet")
        if not dataset.count_rows():
            raise UserError(f"{path} has no rows")
    except (OSError, ValueError) as error:  # Arrow's are kinds of these
        raise UserError(f"cannot read {path}: {error}") from None
    return dataset


def _kind(arrow_type) -> np.ndarray | str:
    """No values of a numeric column, or why it is none."""
    from pyarrow import types

    if types.is_integer(arrow_type) or types.is_floating(arrow_type):
        return np.empty(0)
    return f"text, dates or the like (its type is {arrow_type})"


def _batches(dataset, used: list[str]) -> Iterator[np.ndarray]:
    """(m, d + 1) values of the columns used, NaN where they are missing."""
    import pyarrow.parquet

    height = max(BATCH_VALUES // len(used), 1)
    try:
        # Not by the dataset's own scanner, which reads ahead of a slow reader as far as it can
        for path in dataset.files:
            with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(height, columns=used):
                    yield _values(batch, used)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def _values(batch, used: list[str]) -> np.ndarray:
    import pyarrow

    columns = (batch.column(name).cast(pyarrow.float64()) for name in used)
    values = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
    infinite = np.isinf(values).any(axis=0)
    if infinite.any():
        name = used[int(np.argmax(infinite))]
        raise UserError(f"column {name!r} has an infinite value in it: choose other --features")
    return values


def _shown(batches: Iterator[np.ndarray], n_rows: int, out: TextIO) -> Iterator[np.ndarray]:
    """The same batches, telling how far they have come."""
    terminal = out.isatty()
    began = last = time.monotonic()
    done = 0
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
    if terminal:
        out.write("\r" + " " * 79 + "\r")
