"""Tables: what any of them declares, and the one in memory, read in blocks of rows."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, Generic, Self, TypeVar, final

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.arithmetic.threads import summed
from gd_regressor.data.kinds import Columns
from gd_regressor.data.passes import count_rows
from gd_regressor.data.sparse import SparseColumns

# A block of this many entries (1 MiB of float64) is still in a core's own cache when it is used
# again; smaller ones lose more to the threads' handing over of the interpreter. 1024 rows are
# enough for a product of two blocks to run at full speed, half of that for products with vectors.
BLOCK_ENTRIES, BLOCK_ROWS = 1 << 17, 1 << 10
# A pass with vectors calls numpy a dozen times for each block, and with threads each call waits for
# the interpreter. Taller blocks spare more of these waits than they lose in the cache
VECTOR_ENTRIES = 1 << 19
# Fewer entries than STRETCH_ENTRIES are not worth a task of their own. More than two tasks have
# LONG_ENTRIES each, because with each task threads wait for each other to hand over the
# interpreter. We measured this on two cores; with more of them, few entries use only two
STRETCH_ENTRIES, LONG_ENTRIES = 1 << 18, 1 << 20
# Each stretch of rows is one task with one partial sum. Their number does not depend on the
# number of threads, so neither does the order of additions: the bits are the same.
STRETCHES = 16
# Of more columns than this, results of d x d numbers are large beside a block of rows
WIDE = 400
# Entries of sparse columns that a stretch has for each column, for its sum to be worth adding
SPARSEST = 32
# Tables of up to SMALL entries are worth more than moments, which square the condition number
SMALL = 1 << 20

# A block: columns (m, d), targets (m, t), weights (m,) or None, all float64
Block = tuple[Columns, np.ndarray, "np.ndarray | None"]
Known = TypeVar("Known")  # the moments of all rows, whose room stands above this one
Found = TypeVar("Found")


def even(stretches: int) -> int:
    """At most so many, for two threads to share without one that waits for the other."""
    return max(stretches - stretches % 2, 1)


def is_small(entries: float) -> bool:
    """Whether a table of so many entries is worth more than moments."""
    return entries <= SMALL


class Given(ABC):
    """Rows as the user gave them: facts, and two verbs that lead to a `Table`.

    Code that takes a `Table` relies on its values: they are finite. `data.unchecked` has the rows
    that are no table yet.
    """

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """The number of rows; on a cluster, of those that have weight."""

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """d, without the targets."""

    @property
    @abstractmethod
    def n_targets(self) -> int:
        """T."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Entries of X."""

    @property
    @abstractmethod
    def precision(self) -> np.dtype:
        """The precision of what is learnt: single where X is, else double."""

    @property
    @abstractmethod
    def is_sparse(self) -> bool:
        """Whether X is one matrix of sparse columns."""

    @property
    @abstractmethod
    def is_small(self) -> bool:
        """Whether the table is worth more than moments, which square the condition number."""

    @property
    @abstractmethod
    def costly_to_read(self) -> bool:
        """Whether reading the rows takes longer than the arithmetic of a pass over them."""

    @property
    @abstractmethod
    def is_elsewhere(self) -> bool:
        """Whether a pass sends work to other machines, so that many passes are no way to go."""

    @abstractmethod
    def check(self) -> Table:
        """The table; refuses values that are not finite."""

    @abstractmethod
    def seen_by(
        self, first_pass: Callable[[Any], tuple[Found, Iterable[float]]]
    ) -> tuple[Found, Table]:
        """What `first_pass` found in all rows, and the table.

        `first_pass` returns sums too, and each value of X and y is part of one. Finite sums prove
        that the values are finite. A sum that is not may have overflown, so we look at each value.
        """


class Table(Given, Generic[Known]):
    """Rows of finite values that can be read again and again, in this process or on a cluster.

    Code that reads a table uses these facts and verbs only, so that it need not ask where the rows
    are. `known` belongs to the rows, targets and precision of this very table: each verb that makes
    another table leaves it behind.
    """

    dtype: Any  # of the columns in blocks: products are made in it
    known: Known | None  # the moments of all rows, once a pass has made them

    def check(self) -> Self:
        return self

    def seen_by(
        self, first_pass: Callable[[Any], tuple[Found, Iterable[float]]]
    ) -> tuple[Found, Self]:
        return first_pass(self)[0], self

    @property
    @abstractmethod
    def total_weight(self) -> float:
        """The sum of the weights; the number of rows where there are none."""

    @property
    @abstractmethod
    def block_rows(self) -> int:
        """About how many rows a block has."""

    @property
    @abstractmethod
    def full_columns(self) -> np.ndarray:
        """(k,): the columns stored in full, which a block can have centred entry by entry."""

    @property
    @abstractmethod
    def weighted(self) -> bool:
        """Whether rows have weights."""

    @property
    @abstractmethod
    def targets_only(self) -> Table:
        """The same targets and weights beside no columns."""

    @abstractmethod
    def with_targets(self, make: Callable[[Rows], np.ndarray]) -> Self:
        """The same columns and weights beside targets `make(rows)` (m, t).

        `make` gets all rows where they are in memory, else each block on the machine that has it,
        and in every pass anew. It may travel there, so it holds no table.
        """

    @abstractmethod
    def with_labels(self, labels: np.ndarray) -> Self:
        """The same rows with the label (n,) of each as one more target, the last.

        Each part then knows the labels of its own rows, wherever it is.
        """

    @abstractmethod
    def chosen(self, where: np.ndarray) -> Rows:
        """The rows `where` (m,), in this order, in memory. A row named twice counts twice.

        They are a table of their own: their numbers begin at zero.
        """

    @property
    @abstractmethod
    def have_weight(self) -> np.ndarray:
        """(n,): which rows have a weight above zero."""

    @abstractmethod
    def only(self, where: np.ndarray) -> Self:
        """The same rows, those with False in `where` (n,) without weight. X is not copied."""

    @abstractmethod
    def knowing(self, known: Known) -> Self:
        """The same rows with their moments."""

    @abstractmethod
    def in_precision(self, dtype) -> Self:
        """The same rows, with products made in `dtype`."""

    @abstractmethod
    def total(
        self,
        work: Callable[[Rows], Any],
        add: Callable = operator.add,
        stretches: int = 0,
        *,
        reads_all: bool = True,
    ) -> Any:
        """The sum of `work(part)` over parts that have all rows, by `add`, in a fixed order.

        A `work` of None counts nothing, and a sum of nothing is None. `work` may travel to other
        machines, once for each part: it holds parameters, and no table. There are
        `stretches` parts, where that can be chosen; 0 leaves it to the table. All rows count as
        read, unless `work` does not read all: then its caller counts them.
        """


@final
@frozen
class Rows(Table[Known]):
    """A table in memory, read in blocks: X (n, d), y (n, t), weights (n,) or None."""

    X: Columns
    y: np.ndarray
    weights: np.ndarray | None = None
    dtype: Any = np.float64  # of the columns in blocks: what products are made in
    unit: float = 1.0  # what the weights were divided by, a power of two
    kept: np.dtype | None = None  # the precision of what is learnt, where X has another
    on_disk: bool = False
    known: Known | None = None
    first: int = 0  # the number of the first row, in the table that this is a part of

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    @property
    def n_columns(self) -> int:
        return self.X.shape[1]

    @property
    def n_targets(self) -> int:
        return self.y.shape[1]

    @property
    def size(self) -> int:
        n, d = self.X.shape
        return n * d

    @property
    def is_sparse(self) -> bool:
        return isinstance(self.X, SparseColumns)

    @property
    def full_columns(self) -> np.ndarray:
        return self.X.where if self.is_sparse else np.arange(self.n_columns)

    @property
    def is_small(self) -> bool:
        return self.size <= SMALL

    @property
    def weighted(self) -> bool:
        return self.weights is not None

    @property
    def costly_to_read(self) -> bool:
        return self.on_disk

    @property
    def is_elsewhere(self) -> bool:
        return False

    @property
    def stored(self) -> int:
        """Entries of X and y that are stored."""
        entries = self.X.stored if self.is_sparse else self.size
        return entries + self.n_rows * self.n_targets

    @property
    def precision(self) -> np.dtype:
        if self.kept is not None:
            return self.kept
        return np.dtype(np.float32 if self.X.dtype == np.float32 else np.float64)

    @property
    def total_weight(self) -> float:
        return float(self.n_rows if self.weights is None else self.weights.sum())

    @property
    def block_rows(self) -> int:
        return max(BLOCK_ENTRIES // self.width, BLOCK_ROWS)

    @property
    def width(self) -> int:
        """Columns and targets."""
        return self.X.shape[1] + self.y.shape[1]

    @property
    def vector_rows(self) -> int:
        if self.is_sparse:  # scipy's own work on a product costs more than the cache saves
            return self.n_rows
        entries = VECTOR_ENTRIES * 8 // np.dtype(self.dtype).itemsize
        return self._evenly(max(entries // self.width, BLOCK_ROWS // 2))

    def _evenly(self, height: int) -> int:
        """About `height` rows, so that no block is much shorter than the others."""
        blocks = max(round(self.n_rows / height), 1)
        return max(-(-self.n_rows // blocks), 1)

    def knowing(self, known: Known) -> Rows[Known]:
        return replace(self, known=known)

    def _changed(self, **fields) -> Rows:
        return replace(self, known=None, **fields)

    @property
    def targets_only(self) -> Rows:
        return self._changed(X=np.empty((self.n_rows, 0)))

    def with_targets(self, make: Callable[[Rows], np.ndarray]) -> Rows:
        return self._changed(y=make(self))

    def with_labels(self, labels: np.ndarray) -> Rows:
        return self._changed(y=np.column_stack([self.y, labels]))

    def in_precision(self, dtype) -> Rows:
        return self._changed(dtype=dtype)

    def part(self, first: int, last: int) -> Rows:
        """The rows `first` to `last` (excluded)."""
        weights = None if self.weights is None else self.weights[first:last]
        X, y = self.X[first:last], self.y[first:last]
        return self._changed(X=X, y=y, weights=weights, first=self.first + first)

    def chosen(self, where: np.ndarray) -> Rows:
        first, last = int(where[0]), int(where[-1]) + 1
        if last - first == len(where) and (np.diff(where) == 1).all():
            return replace(self.part(first, last), first=0)  # without a copy
        weights = None if self.weights is None else self.weights[where]
        return self._changed(X=self.X[where], y=self.y[where], weights=weights, first=0)

    @property
    def have_weight(self) -> np.ndarray:
        return np.ones(self.n_rows, dtype=bool) if self.weights is None else self.weights > 0

    def only(self, where: np.ndarray) -> Rows:
        weights = where.astype(np.float64) if self.weights is None else where * self.weights
        return self._changed(weights=weights)

    def parts(self, height: int) -> Iterator[Rows]:
        """Parts of `height` rows and the rest."""
        if height >= self.n_rows:
            yield self
            return
        for row in range(0, self.n_rows, height):
            yield self.part(row, min(row + height, self.n_rows))

    def spans(self, height: int | None = None) -> Iterator[slice]:
        """The blocks, of about `block_rows` or of `height` rows."""
        n, height = self.n_rows, height or self._evenly(self.block_rows)
        for row in range(0, n, height):
            yield slice(row, min(row + height, n))

    def columns(self, rows: slice) -> np.ndarray:
        """Those of a block, dense."""
        x = self.X[rows].toarray() if self.is_sparse else self.X[rows]
        # `np.dot` copies rows of a table in the order of columns to the order of rows, which takes
        # three times as long as to copy each column
        apart = x.strides[0] < x.strides[1] and not x.flags.f_contiguous
        return np.array(x, dtype=self.dtype, order="F") if apart else np.asarray(x, self.dtype)

    def blocks(self, height: int | None = None, *, as_stored: bool = False) -> Iterator[Block]:
        """Their contents; rows without weight are absent. Sparse columns dense, or `as_stored`."""
        as_stored = as_stored and self.is_sparse
        for rows in self.spans(height):
            x = self.X[rows].astype(self.dtype) if as_stored else self.columns(rows)
            y = np.asarray(self.y[rows], dtype=np.float64)
            s = None if self.weights is None else self.weights[rows]
            if s is not None and not s.all():
                x, y, s = x[s > 0], y[s > 0], s[s > 0]
            if len(x):
                yield x, y, s

    def total(
        self,
        work: Callable[[Rows], Any],
        add: Callable = operator.add,
        stretches: int = 0,
        *,
        reads_all: bool = True,
    ) -> Any:
        # On the threads at hand; few results wait to be added at any time
        if reads_all and self.X.shape[1]:  # targets alone are little to read
            count_rows(self.n_rows)
        stretches = stretches or self._n_stretches
        if stretches == 1:
            return work(self)
        return summed(self._stretches if self.is_sparse else self._cut(stretches), work, add)

    @property
    def _n_stretches(self) -> int:
        # What a stretch of sparse rows gives is as long as the columns are many
        least = max(STRETCH_ENTRIES, SPARSEST * self.width if self.is_sparse else 0)
        if self.stored < 2 * least:
            return 1
        return even(max(min(self.stored // max(least, LONG_ENTRIES), STRETCHES), 2))

    def _cut(self, stretches: int) -> Iterator[Rows]:
        cuts = (self.n_rows * i // stretches for i in range(stretches + 1))
        return (self.part(*span) for span in pairwise(cuts))

    @cached_property
    def _stretches(self) -> list[Rows]:
        """Of sparse columns, which take long to cut."""
        return list(self._cut(self._n_stretches))


def add_each(a, b) -> list:
    """Sums of several things at once."""
    return list(map(operator.add, a, b))
