"""Mini-batches: the rows of a table in a new order for each epoch, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.data.kinds import Columns
from gd_regressor.data.passes import count_pass
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
        count_pass()
        n, size, most = self.n_rows, self.batch_rows, self.most_gathered
        together = CONSECUTIVE if self.rows.costly_to_read else n
        order = self.order.of_epoch(epoch, n, together)
        where = order if self.counted is None else self.counted[order]
        if size > most:
            for first in range(0, n, size):
                last = min(first + size, n)
                parts = (where[k : min(k + most, last)] for k in range(first, last, most))
                yield map(self.gathered, parts)
            return
        height = most // size * size
        for first in range(0, n, height):
            x, y, s = self.gathered(where[first : first + height])
            for k in range(0, len(y), size):
                end = k + size
                yield [(x[k:end], y[k:end], None if s is None else s[k:end])]

    def gathered(self, where: np.ndarray) -> Gathered:
        """The rows `where` (m,), as numbers in double precision."""
        rows, double = self.rows, np.float64
        x, y = _taken(rows.X, where), np.array(_taken(rows.y, where), dtype=double)
        x = x if x.dtype == double else x.astype(double)
        if rows.weights is None:
            return x, y, None
        return x, y, rows.weights[where, None] * (self.n_rows / rows.total_weight)


def _taken(X: Columns, where: np.ndarray) -> Columns:
    # `take` is three times as fast as an index, but copies all of an array in another order first
    plain = type(X) is np.ndarray and X.flags.c_contiguous
    return X.take(where, axis=0) if plain else X[where]
