"""Types for the annotations of all public names: what a user may pass, and gets back.

We describe a type by its methods, so we need not import the package that makes it. numpy's
`ArrayLike` does not include scipy's sparse matrices, nor data frames without `__array__`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SparseLike(Protocol):
    """A sparse matrix or array of scipy, in any format."""

    def tocsr(self) -> Any: ...


class DaskLike(Protocol):
    """An array, data frame or series of Dask."""

    def __dask_graph__(self) -> Any: ...


class ArrowStreamLike(Protocol):
    """A table that offers an Arrow stream: of pyarrow, polars, duckdb or pandas."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


class DatasetLike(Protocol):
    """A dataset of pyarrow."""

    def to_batches(self) -> Any: ...


# Lists, arrays, memory maps, data frames, and sparse matrices
MatrixLike = ArrayLike | SparseLike
NamedTable = ArrowStreamLike | DatasetLike
# Columns and targets, with weights or without
Chunk = tuple[MatrixLike, ArrayLike] | tuple[MatrixLike, ArrayLike, ArrayLike | None]
Batches = Iterable[Chunk] | NamedTable | Iterable[NamedTable]

# Columns of a table: an array, or SparseColumns. It is Any, because no checker can follow
# `Rows.is_sparse`
Columns = Any

Floats = NDArray[np.floating[Any]]  # float32 if X is float32, else float64
Integers = int | np.integer[Any] | Sequence[int] | NDArray[np.integer[Any]]
