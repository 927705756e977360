"""Dask: the blocks of arrays and data frames on a cluster as the parts of one table."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gd_regressor.data import table
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Rows


def is_dask(data) -> bool:
    """Whether `data` is one of Dask's collections, of which nothing need be imported to tell."""
    return type(data).__module__.split(".")[0] in ("dask", "dask_expr")


@dataclass(frozen=True)
class DaskRows:
    """A table whose parts are Dask's blocks: work goes to where they are, sums come back."""

    parts: tuple  # of delayed blocks: X, y, weights or None
    rows_of_block: Callable[..., Rows]
    n_columns: int
    n_targets: int
    precision: np.dtype
    dtype: Any = np.float64
    known: Moments | None = None  # from the first pass

    is_sparse = False  # blocks may be; the table is none

    @property
    def n_rows(self) -> int:
        return self.known.n_rows

    @property
    def size(self) -> int:
        return self.n_rows * self.n_columns

    @property
    def is_small(self) -> bool:
        return self.size <= table.SMALL

    @property
    def total_weight(self) -> float:
        return self.known.weight

    @property
    def block_rows(self) -> int:
        return max(self.n_rows // len(self.parts), 1)

    def total(
        self, work: Callable[[Rows], Any], add: Callable = operator.add, stretches: int = 0
    ) -> Any:
        """The sum of `work(part)` over all blocks, by `add` in a tree that no worker changes.

        The blocks are what they are, whatever the number of `stretches` that is asked for.
        """
        import dask

        level = [
            dask.delayed(_worked, pure=False)(work, self.rows_of_block, number, *part)
            for number, part in enumerate(self.parts)
        ]
        join = dask.delayed(_added, pure=False)
        while len(level) > 1:
            pairs = [join(add, *level[i : i + 2]) for i in range(0, len(level) - 1, 2)]
            level = pairs + level[len(level) - len(level) % 2 :]
        try:
            return dask.compute(level[0])[0]
        except (ValueError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise RuntimeError(
                f"The cluster could not finish a pass over the {len(self.parts)} blocks "
                f"({type(error).__name__}: {error}). Blocks that lived only on a worker that is "
                "gone cannot be made again; load them from files, or write them to some."
            ) from error

    def after_first_pass(self) -> DaskRows:
        """With the moments of all blocks."""
        known = self.total(Moments.of_rows)
        if known is None:
            raise ValueError("X has no row in any of its blocks, or none of a weight above zero.")
        return replace(self, known=known)


def _worked(work, rows_of_block, number: int, X, y, weights) -> Any:
    try:
        rows = rows_of_block(X, y, weights)
        return None if rows is None else work(rows)
    except ValueError as error:
        raise ValueError(f"block {number} (counting from 0): {error}") from error


def _added(add, a, b) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return add(a, b)


def dask_rows(X, y, sample_weight, rows_of_block: Callable[..., Rows]) -> DaskRows:
    """The table of Dask arrays or data frames; `rows_of_block` makes rows of their blocks."""
    columns = _blocks(X, "X")
    others = [("y", y)] + ([] if sample_weight is None else [("sample_weight", sample_weight)])
    blocks = [columns]
    for name, data in others:
        if not is_dask(data):
            raise ValueError(
                f"{name} must be a Dask collection like X, got {type(data).__name__}; write "
                "dask.array.from_array with the chunks of X."
            )
        if not _same_rows(X, data):
            data = _rechunked(data, X, name)
        blocks.append(_blocks(data, name))
    counts = {len(b) for b in blocks}
    if len(counts) > 1:
        raise ValueError(
            f"X has {len(columns)} blocks of rows, y and sample_weight have "
            f"{[len(b) for b in blocks[1:]]}; give all of them the same partitions."
        )
    weights = blocks[2] if len(blocks) > 2 else [None] * len(columns)
    dtypes = list(X.dtypes) if hasattr(X, "dtypes") else [X.dtype]
    precision = np.dtype(np.float32 if all(t == np.float32 for t in dtypes) else np.float64)
    n_targets = y.shape[1] if y.ndim == 2 else 1
    parts = tuple(zip(columns, blocks[1], weights, strict=True))
    return DaskRows(parts, rows_of_block, X.shape[1], n_targets, precision)


def _blocks(data, name: str) -> list:
    """The delayed blocks of rows."""
    if hasattr(data, "to_delayed") and hasattr(data, "chunks"):  # an array
        if data.ndim not in (1, 2) or (name == "X" and data.ndim != 2):
            raise ValueError(f"{name} has {data.ndim} dimensions; write {name}.reshape(...).")
        whole = data.rechunk({1: -1}) if data.ndim == 2 and data.numblocks[1] > 1 else data
        return whole.to_delayed().ravel().tolist()
    return list(data.to_delayed())


def _same_rows(X, data) -> bool:
    both = [getattr(a, "chunks", None) for a in (X, data)]
    if None in both:
        return True  # data frames: partitions are compared by their number
    return both[0][0] == both[1][0] or any(np.isnan(c[0]).any() for c in both)


def _rechunked(data, X, name: str):
    if data.shape[0] != X.shape[0]:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {X.shape[0]} rows, "
            f"{name} {data.shape[0]}."
        )
    return data.rechunk({0: X.chunks[0]})


def predicted(X, predict: Callable, n_targets: int, y_ndim: int):
    """Predictions for a Dask collection, block by block, when they are asked for."""
    if hasattr(X, "map_partitions") and not hasattr(X, "chunks"):
        import pandas

        def of_partition(frame):
            values = predict(frame) if len(frame) else np.zeros((0, n_targets)[:y_ndim])
            make = pandas.Series if values.ndim == 1 else pandas.DataFrame
            return make(values, index=frame.index)

        meta = of_partition(X._meta_nonempty).iloc[:0]
        return X.map_partitions(of_partition, meta=meta)
    whole = X.rechunk({1: -1}) if X.numblocks[1] > 1 else X
    dtype = np.float32 if X.dtype == np.float32 else np.float64

    def of_block(block):
        return predict(block) if block.shape[0] else np.zeros((0, n_targets)[:y_ndim], dtype)

    if y_ndim == 1:
        return whole.map_blocks(of_block, drop_axis=1, dtype=dtype, meta=np.empty(0, dtype))
    chunks = (whole.chunks[0], (n_targets,))
    return whole.map_blocks(of_block, chunks=chunks, dtype=dtype, meta=np.empty((0, 0), dtype))
