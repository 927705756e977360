"""What a user may pass, and gets back, as types: the annotations of all public names.

A type is told by what an object can do, so that none of the packages that make them is imported.
Of these only numpy declares its types; scipy's sparse matrices, and the data frames that have no
`__array__`, are not among its `ArrayLike`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SparseLike(Protocol):
    """A sparse matrix or array of scipy's, of any format."""

    def tocsr(self) -> Any: ...


class DaskLike(Protocol):
    """An array, data frame or series of Dask's."""

    def __dask_graph__(self) -> Any: ...


class ArrowStreamLike(Protocol):
    """A table that offers an Arrow stream: of pyarrow, polars, duckdb or pandas."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


class DatasetLike(Protocol):
    """A dataset of pyarrow's."""

    def to_batches(self) -> Any: ...


# Lists, arrays, memory maps, data frames, and sparse matrices
MatrixLike = ArrayLike | SparseLike
NamedTable = ArrowStreamLike | DatasetLike
# Columns and targets, with weights or without
Chunk = tuple[MatrixLike, ArrayLike] | tuple[MatrixLike, ArrayLike, ArrayLike | None]
Batches = Iterable[Chunk] | NamedTable | Iterable[NamedTable]

# Columns of a table: an array, or SparseColumns. Any, because no checker can follow what
# `Rows.is_sparse` tells
Columns = Any

Floats = NDArray[np.floating[Any]]  # float32 where X is, else float64
Integers = int | np.integer[Any] | Sequence[int] | NDArray[np.integer[Any]]
