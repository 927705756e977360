"""Dask: the blocks of an array or a data frame on a cluster are the parts of one table."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter, methodcaller
from typing import Any, final

import numpy as np
from sklearn.utils import check_array

from gd_regressor.data.checks import check_some_weight
from gd_regressor.data.moments import Moments, check_squares_in, sums_of
from gd_regressor.data.passes import count_rows
from gd_regressor.data.table import Rows, Table, is_small


def is_dask(data) -> bool:
    """Whether `data` is a collection of Dask. The name of its module tells, without an import."""
    return type(data).__module__.split(".")[0] in ("dask", "dask_expr")


@final
@dataclass(frozen=True)
class DaskRows(Table[Moments]):
    """A table whose parts are blocks of Dask. We send work to the blocks, and sums come back."""

    delayed: tuple  # for each block: X, y, and weights or None
    rows_of_block: Callable[..., Rows | None]
    shape: tuple[int, int]  # columns and targets
    kept: np.dtype  # the precision of coefficients
    counted: tuple[int, float] = (0, 0.0)  # rows with weight, total weight; the first pass counts
    dtype: Any = np.float64
    known: Moments | None = None
    changes: tuple[Callable[[Rows], Rows], ...] = ()  # applied to the rows of each block, in order

    @property
    def n_rows(self) -> int:
        return self.counted[0]

    @property
    def n_columns(self) -> int:
        return self.shape[0]

    @property
    def n_targets(self) -> int:
        return self.shape[1]

    @property
    def size(self) -> int:
        return self.n_rows * self.n_columns

    @property
    def total_weight(self) -> float:
        return self.counted[1]

    @property
    def precision(self) -> np.dtype:
        return self.kept

    @property
    def block_rows(self) -> int:
        return max(self.n_rows // len(self.delayed), 1)

    @property
    def is_sparse(self) -> bool:
        return False  # blocks may be sparse, but no rung for sparse columns reads from a cluster

    @property
    def full_columns(self) -> np.ndarray:
        return np.arange(self.n_columns)

    @property
    def is_small(self) -> bool:
        return is_small(self.size)

    @property
    def weighted(self) -> bool:
        return self.delayed[0][2] is not None

    @property
    def costly_to_read(self) -> bool:
        return True

    @property
    def is_elsewhere(self) -> bool:
        return True

    @property
    def targets_only(self) -> DaskRows:
        return self._changed(attrgetter("targets_only"), shape=(0, self.n_targets))

    def with_targets(self, make: Callable[[Rows], np.ndarray]) -> DaskRows:
        # We try `make` on a table without rows, to learn the number of targets
        no_rows = Rows(np.zeros((0, self.n_columns)), np.zeros((0, self.n_targets)))
        count = make(no_rows).shape[1]
        return self._changed(methodcaller("with_targets", make), shape=(self.n_columns, count))

    def with_labels(self, labels: np.ndarray) -> DaskRows:
        parts = tuple(
            (X, _delayed(_beside)(y, labels[span]), weights)
            for (X, y, weights), span in zip(self.delayed, self._spans(), strict=True)
        )
        return replace(self, known=None, delayed=parts, shape=(self.n_columns, self.n_targets + 1))

    @property
    def have_weight(self) -> np.ndarray:
        each = [_delayed(_have_weight)(y, weights) for _, y, weights in self.delayed]
        return np.concatenate(_computed(*each))

    def only(self, where: np.ndarray) -> DaskRows:
        parts = tuple(
            (X, y, _delayed(_where)(where[span], weights))
            for (X, y, weights), span in zip(self.delayed, self._spans(), strict=True)
        )
        return _first_pass(replace(self, known=None, delayed=parts))

    def _spans(self) -> list[slice]:
        """The places of each block's rows in the whole table."""
        lengths = _computed(*[_delayed(len)(y) for _, y, _ in self.delayed])
        ends = np.cumsum(lengths)
        return [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]

    def chosen(self, where: np.ndarray) -> Rows:
        raise ValueError(
            "The rows of a fold cannot be brought here from a cluster. Predictions, and fits one "
            'by one, need them: write scoring="neg_mean_squared_error" and l1_ratios=[0], take at '
            "most 2000 columns, or pass arrays in memory."
        )

    def knowing(self, known: Moments) -> DaskRows:
        return replace(self, known=known)

    def in_precision(self, dtype) -> DaskRows:
        return self._changed(methodcaller("in_precision", dtype), dtype=dtype)

    def _changed(self, change: Callable[[Rows], Rows], **fields) -> DaskRows:
        return replace(self, known=None, changes=(*self.changes, change), **fields)

    def total(
        self,
        work: Callable[[Rows], Any],
        add: Callable = operator.add,
        stretches: int = 0,
        *,
        reads_all: bool = True,
    ) -> Any:
        # We add in a tree that depends only on the number of blocks, so every cluster gives the
        # same bits
        if reads_all and self.n_columns:
            count_rows(self.n_rows)
        level = [
            _delayed(_worked, pure=False)(work, self.changes, self.rows_of_block, number, *part)
            for number, part in enumerate(self.delayed)
        ]
        join = _delayed(_added, pure=False)
        while len(level) > 1:
            pairs = [join(add, *level[i : i + 2]) for i in range(0, len(level) - 1, 2)]
            level = pairs + level[len(level) - len(level) % 2 :]
        try:
            return _computed(level[0])[0]
        except (ValueError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise RuntimeError(
                f"The cluster could not finish a pass over the {len(self.delayed)} blocks "
                f"({type(error).__name__}: {error}). Blocks that lived only on a worker that is "
                "gone cannot be made again; write X and y to files and load them from there."
            ) from error


def _delayed(function: Callable, **options) -> Callable:
    import dask  # an extra. It does not declare that these two are public

    return dask.delayed(function, **options)  # pyright: ignore[reportPrivateImportUsage]


def _computed(*delayed) -> tuple:
    import dask

    return dask.compute(*delayed)  # pyright: ignore[reportPrivateImportUsage]


def _worked(work, changes, rows_of_block, number: int, X, y, weights) -> Any:
    try:
        rows = rows_of_block(X, y, weights)
        if rows is None:
            return None
        for change in changes:
            rows = change(rows)
        return work(rows)
    except ValueError as error:
        raise ValueError(f"block {number} (counting from 0): {error}") from error


def _beside(y, labels: np.ndarray) -> np.ndarray:
    return np.column_stack([np.asarray(y), labels])


def _have_weight(y, weights) -> np.ndarray:
    return np.ones(len(y), dtype=bool) if weights is None else np.asarray(weights) > 0


def _where(mine: np.ndarray, weights) -> np.ndarray:
    return mine.astype(np.float64) if weights is None else np.where(mine, weights, 0.0)


def _added(add, a, b) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return add(a, b)


def dask_rows(X, y, sample_weight, rows_of_block: Callable[..., Rows | None]) -> DaskRows:
    """The table of Dask arrays or data frames, with the moments of a first pass over all blocks.

    `rows_of_block` turns a block into `Rows`. The first pass checks the values, and only it tells
    how many rows there are.
    """
    return _first_pass(_unread(X, y, sample_weight, rows_of_block))


def _first_pass(table: DaskRows) -> DaskRows:
    known = table.total(sums_of)
    if known is None:
        check_some_weight(not table.weighted)
        raise ValueError("X has no row in any of its blocks; pass at least one row.")
    check_squares_in(known, table)
    return replace(table, counted=(known.n_rows, known.weight), known=known)


def _unread(X, y, sample_weight, rows_of_block: Callable[..., Rows | None]) -> DaskRows:
    """The table before its first pass."""
    check_columns(X)
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
    return DaskRows(parts, rows_of_block, (X.shape[1], n_targets), precision)


def check_columns(X) -> None:
    """Refuse data that is not two-dimensional, with the message for data in memory."""
    kind = type(X).__module__.split(".")
    if not {"array", "dataframe", "dask_expr"} & set(kind):
        raise ValueError(f"X must be a Dask array or data frame, got {type(X).__name__}.")
    if X.ndim != 2:
        check_array(
            X._meta, accept_sparse=True, ensure_min_samples=0, estimator="GDLinearRegressor"
        )


def _blocks(data, name: str) -> list:
    """The delayed blocks of rows."""
    if hasattr(data, "to_delayed") and hasattr(data, "chunks"):  # an array
        if data.ndim not in (1, 2):
            raise ValueError(
                f"{name} must have one or two dimensions, got {data.ndim}; write "
                f"{name}.reshape(...)."
            )
        whole = data.rechunk({1: -1}) if data.ndim == 2 and data.numblocks[1] > 1 else data
        return whole.to_delayed().ravel().tolist()
    return list(data.to_delayed())


def _same_rows(X, data) -> bool:
    mine, others = (getattr(a, "chunks", None) for a in (X, data))
    if mine is None or others is None:
        return True  # data frames do not know their rows, so we can only compare numbers of blocks
    return mine[0] == others[0] or any(np.isnan(c[0]).any() for c in (mine, others))


def _rechunked(data, X, name: str):
    if data.shape[0] != X.shape[0]:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {X.shape[0]} rows, "
            f"{name} {data.shape[0]}."
        )
    return data.rechunk({0: X.chunks[0]})


def predicted(X, predict: Callable, n_targets: int, y_ndim: int):
    """Predictions for a Dask collection: Dask makes them block by block when it computes."""
    check_columns(X)
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
