"""Mini-batches: the rows of a table in a new order for each epoch, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.data.kinds import Columns
from gd_regressor.data.passes import count_rows
from gd_regressor.data.table import Rows

# We gather so many entries at once, half a MiB: then a batch is a few consecutive rows of a block
# in a core's own cache
GATHERED = 1 << 16
# On disk so many consecutive rows stay together, because a disk reads them in one go
CONSECUTIVE = 1 << 13

# Columns (m, d), targets (m, t), and weights (m, 1) whose mean over all rows is 1, or None
Gathered = tuple[Columns, np.ndarray, "np.ndarray | None"]


@dataclass(frozen=True)
class Order:
    """How rows come in an epoch."""

    size: int | float  # rows of a batch, or their share of all rows
    shuffle: bool
    seed: int

    def batch_rows(self, n: int) -> int:
        """How many of `n` rows a batch has."""
        return min(self.size, n) if isinstance(self.size, int) else max(round(self.size * n), 1)

    def of_epoch(self, epoch: int, n: int, together: int) -> np.ndarray:
        """(n,): the order of `n` rows. Stretches of `together` rows stay together, shuffled."""
        if not self.shuffle:
            return np.arange(n)
        # A generator for each epoch, so that an epoch can be walked again
        random = np.random.default_rng([self.seed, epoch])
        if together >= n:
            return random.permutation(n)
        first = together * random.permutation(-(-n // together))
        return np.concatenate([k + random.permutation(min(together, n - k)) for k in first])


@dataclass(frozen=True)
class ShuffledRows:
    """The batches of a table."""

    rows: Rows
    order: Order

    @cached_property
    def counted(self) -> np.ndarray | None:
        """The rows that have weight; None for all of them. A row without is as none."""
        weights = self.rows.weights
        return None if weights is None or weights.all() else np.flatnonzero(weights)

    @cached_property
    def n_rows(self) -> int:
        """The rows that have weight."""
        return self.rows.n_rows if self.counted is None else len(self.counted)

    @cached_property
    def batch_rows(self) -> int:
        """Rows of a batch; the last one of an epoch may have fewer."""
        return self.order.batch_rows(self.n_rows)

    @cached_property
    def most_gathered(self) -> int:
        """How many rows we gather at once."""
        return max(GATHERED // self.rows.width, 1)

    def batches(self, epoch: int) -> Iterator[list[Gathered] | Iterator[Gathered]]:
        """The batches of an epoch, each in parts: one, unless the batch is large."""
        count_rows(self.n_rows)
        n, size, most = self.n_rows, self.batch_rows, self.most_gathered
        together = CONSECUTIVE if self.rows.costly_to_read else n
        order = self.order.of_epoch(epoch, n, together)
        where = order if self.counted is None else self.counted[order]
        if size > most:
            gathered = _Gatherer(self, most)
            for first in range(0, n, size):
                last = min(first + size, n)
                parts = (where[k : min(k + most, last)] for k in range(first, last, most))
                yield map(gathered, parts)
            return
        height = most // size * size
        gathered = _Gatherer(self, min(height, n))
        for first in range(0, n, height):
            x, y, s = gathered(where[first : first + height])
            for k in range(0, len(y), size):
                end = k + size
                yield [(x[k:end], y[k:end], None if s is None else s[k:end])]


class _Gatherer:
    """Gathers rows, up to `height` at once, in the same memory each time."""

    def __init__(self, shuffled: ShuffledRows, height: int) -> None:
        rows = shuffled.rows
        self._columns, self._targets = _Room(rows.X, height), _Room(rows.y, height)
        self._weights, self._share = rows.weights, shuffled.n_rows / rows.total_weight

    def __call__(self, where: np.ndarray) -> Gathered:
        """The rows `where` (m,), as numbers in double precision, until the next call."""
        x, y = self._columns.filled(where), self._targets.filled(where)
        if self._weights is None:
            return x, y, None
        return x, y, self._weights[where, None] * self._share


class _Room:
    """Memory for rows of one array. The system takes twice as long to give new memory for them."""

    def __init__(self, source: Columns, height: int) -> None:
        self._source, shape = source, (height, source.shape[1])
        # `take` is three times as fast as an index, but copies all of an array in another order
        # first
        plain = type(source) is np.ndarray and source.flags.c_contiguous
        self._taken = np.empty(shape, source.dtype) if plain else None
        is_double = plain and source.dtype == np.float64
        self._double = self._taken if is_double or not plain else np.empty(shape)

    def filled(self, where: np.ndarray) -> Columns:
        """The rows `where` (m,) of the array, in double precision."""
        taken, double, m = self._taken, self._double, len(where)
        if taken is None or double is None:
            chosen = self._source[where]
            return chosen if chosen.dtype == np.float64 else chosen.astype(np.float64)
        # Each number is that of a row, and without a mode numpy fills a copy first
        chosen = self._source.take(where, axis=0, out=taken[:m], mode="clip")
        if double is not taken:
            double[:m] = chosen
        return double[:m]
