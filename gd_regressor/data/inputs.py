"""Kinds of input: only this room knows them, and turns each kind into rows and weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from gd_regressor.data.checks import (
    check_addable,
    check_finite,
    check_targets,
    checked_weights,
    real_numbers,
    weights_of_rows,
)
from gd_regressor.data.sparse import SparseColumns
from gd_regressor.data.table import Rows


@dataclass(frozen=True)
class Batch:
    """A chunk of rows as the user gave it, with the names of its columns if it has any."""

    X: Any
    y: Any
    sample_weight: Any = None
    names: list[str] | None = None
    number: int = 0

    @contextmanager
    def named(self) -> Iterator[None]:
        """Begin the message of an error with the number of this batch."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise ValueError(f"batch {self.number}: {error}") from error


def batches_of(batches, target, sample_weight=None) -> Iterator[Batch]:
    """The numbered batches of an iterable of tuples or, with a `target`, of tables."""
    if target is None and sample_weight is not None:
        raise ValueError(
            "sample_weight names a column of a table; write target too, or give (X, y, "
            "sample_weight) as batches."
        )
    target = _checked_names(target, sample_weight)
    number, source = 0, _tables_of(batches) if target is not None else _pairs_of(batches)
    while True:
        number += 1
        try:
            batch = next(source)
        except StopIteration:
            return
        except Exception as error:
            raise RuntimeError(
                f"batch {number}: reading it raised {type(error).__name__}: {error}"
            ) from error
        if target is not None:
            yield _of_table(batch, number, target, sample_weight)
        elif isinstance(batch, (tuple, list)) and len(batch) in (2, 3):
            yield Batch(*batch, number=number)
        else:
            length = f" of length {len(batch)}" if isinstance(batch, (tuple, list)) else ""
            raise ValueError(
                f"batch {number}: must be (X, y) or (X, y, sample_weight), got "
                f"{type(batch).__name__}{length}; write [(X, y)] for a single batch, and "
                "target=... for tables with named columns."
            )


def _checked_names(target, sample_weight) -> str | list[str] | None:
    """The name or names of the target; raises if they cannot name columns of a table."""
    if not (sample_weight is None or isinstance(sample_weight, str)):
        raise ValueError(
            "sample_weight must be the name of a column of the table, got type "
            f"{type(sample_weight).__name__}."
        )
    if target is None or isinstance(target, str):
        return target
    try:
        names = list(target)
    except TypeError:
        names = []
    if not (names and all(isinstance(name, str) for name in names)):
        raise ValueError(f"target must be the name of a column or a list of names, got {target!r}.")
    return names


def _pairs_of(source) -> Iterator:
    """An iterator over the batches; raises if `source` is a table or no iterable."""
    try:
        if _is_table(source):
            raise TypeError
        return iter(source)
    except TypeError:
        raise ValueError(
            f"batches must be an iterable of (X, y), got {type(source).__name__}; for a table "
            "with named columns write target=..."
        ) from None


def _tables_of(source) -> Iterator:
    """An iterator over the record batches of a table or of an iterable of tables."""
    if _is_table(source):
        return _record_batches(source)
    if isinstance(source, (str, bytes, dict, np.ndarray)) or not hasattr(source, "__iter__"):
        raise ValueError(
            "batches must be a table with named columns or an iterable of such tables, got "
            f"{type(source).__name__}; for tuples (X, y) leave target out."
        )
    # What is no table goes through, so that the refusal can name its number
    parts = (_record_batches(item) if _is_table(item) else [item] for item in source)
    return chain.from_iterable(parts)


def _is_table(source) -> bool:
    return hasattr(source, "__arrow_c_stream__") or hasattr(source, "to_batches")


def _record_batches(table) -> Iterator:
    import pyarrow

    if hasattr(table, "reset_index"):  # a frame of pandas would pass its index on as a column
        table = table.reset_index(drop=True)
    if hasattr(table, "__arrow_c_stream__"):
        parts = pyarrow.RecordBatchReader.from_stream(table)
    else:
        parts = table.to_batches()
    yield from (part for part in parts if part.num_rows)


def _of_table(table, number: int, target, sample_weight) -> Batch:
    """A batch from the columns of an Arrow record batch, by their names."""
    if not hasattr(table, "schema"):
        raise ValueError(
            f"batch {number}: must be a table with named columns (of pyarrow, pandas, polars, "
            f"duckdb), got {type(table).__name__}; for tuples (X, y) leave target out."
        )
    targets = [target] if isinstance(target, str) else list(target)
    given = table.schema.names
    for name in [*targets, *([] if sample_weight is None else [sample_weight])]:
        if given.count(name) != 1:
            raise ValueError(
                f"batch {number}: no column {name!r}, or more than one, among {given}; write a "
                "name that is there once."
            )
    names = [name for name in given if name not in targets and name != sample_weight]
    if not names:
        raise ValueError(f"batch {number}: there is no column beside the target {target!r}.")
    columns = {name: _numbers(table, name, number) for name in given}
    y = np.column_stack([columns[name] for name in targets])
    return Batch(
        np.column_stack([columns[name] for name in names]),
        y[:, 0] if isinstance(target, str) else y,
        None if sample_weight is None else columns[sample_weight],
        names,
        number,
    )


def _numbers(table, name: str, number: int) -> np.ndarray:
    import pyarrow

    column = table.column(name)
    kinds = pyarrow.types
    if not any(
        is_kind(column.type)
        for is_kind in (
            kinds.is_integer,
            kinds.is_floating,
            kinds.is_boolean,
            kinds.is_decimal,
            kinds.is_null,
        )
    ):
        raise ValueError(
            f"batch {number}: column {name!r} holds {column.type}, not numbers; leave it out or "
            "encode it."
        )
    values = column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"batch {number}: column {name!r} has no finite value in row {row} of the batch "
            "(NaN, null or infinity); fill it or leave the row out."
        )
    return values


def rows_of(
    X: Any,
    y: np.ndarray,
    sample_weight,
    *,
    may_vanish: bool = False,
    on_disk: bool = False,
) -> Rows:
    """The table of validated `X` (n, d), `y` (n,) or (n, t) and weights.

    Raises if a value is not finite. All weights `may_vanish` in a chunk that joins other chunks.
    """
    check_finite(X, "X")
    weights, unit = checked_weights(sample_weight, len(y), may_vanish=may_vanish)
    if issparse(X):  # weights that are all zero would make every column a full one
        X = SparseColumns.of(X, weights if weights is None or weights.any() else None)
    check_targets(y, weights)
    return Rows(X, y.reshape(len(y), -1), weights, unit=unit, on_disk=on_disk)


def rows_of_block(X, y, sample_weight) -> Rows | None:
    """The table of one block of Dask; None if the block is empty or all its weights are zero."""
    X, y = _numbers_of_block(X, "X"), _numbers_of_block(y, "y")
    if issparse(y):
        raise ValueError("y must be dense, got a sparse array; write y.toarray().")
    if y.shape[0] != X.shape[0]:
        raise ValueError(
            f"X and y must have the same number of rows, got {X.shape[0]} and {y.shape[0]}; give "
            "both the same partitions."
        )
    if not y.shape[0]:
        return None
    weights = None if sample_weight is None else weights_of_rows(sample_weight, len(y))
    hidden = weights is not None and not weights.all()
    # Moments show a NaN in any other row, but rows without weight are in no sum
    if issparse(X) or hidden:
        check_finite(X, "X")
    if hidden:
        check_finite(y, "y")
    if weights is not None:
        if not weights.any():
            return None
        check_addable(weights.max())
    X = SparseColumns.of(X, weights) if issparse(X) else X
    return Rows(X, y.reshape(len(y), -1), weights)


def _numbers_of_block(block, name: str):
    """One block of Dask as an array of numbers, by the same rules as a table in memory."""
    if issparse(block):
        return block
    array = np.asarray(block)
    if array.dtype.kind in "fiub":  # `Rows` converts other widths block by block
        # A block that came over the network may lie at an odd address. Then BLAS adds in another
        # order, and products have other last bits than on the machine that made the block
        return np.require(array, requirements=["ALIGNED"])
    with real_numbers(block, name):
        return check_array(
            block,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite=False,
            ensure_min_samples=0,
            input_name=name,
        )
