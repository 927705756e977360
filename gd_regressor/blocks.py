"""Row blocks, the thread pool over them, and the BLAS thread limit."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

# A block of this many entries (2 MiB of float64) is still in cache when it is used again; smaller
# ones lose more to the threads' handing over of the interpreter. 1024 rows are enough for a product
# of two blocks to run at full speed, half of that for products with vectors.
BLOCK_ENTRIES, BLOCK_ROWS = 1 << 18, 1 << 10
# Each stretch of rows is one task with one partial sum. Their number does not depend on the
# number of threads, so neither does the order of additions: the bits are the same.
STRETCHES = 16

# A block: columns (m, d), targets (m, t), weights (m,) or None, all float64
Block = tuple[np.ndarray, np.ndarray, "np.ndarray | None"]


@dataclass(frozen=True)
class Rows:
    """A table that is read in blocks: X (n, d), y (n, t), weights (n,) or None."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None
    dtype: Any = np.float64  # of the columns in blocks: what products are made in

    @property
    def total_weight(self) -> float:
        return float(len(self.X) if self.weights is None else self.weights.sum())

    @property
    def block_rows(self) -> int:
        return max(BLOCK_ENTRIES // self.width, BLOCK_ROWS)

    @property
    def width(self) -> int:
        """Columns and targets."""
        return self.X.shape[1] + self.y.shape[1]

    @property
    def targets_only(self) -> Rows:
        """The same targets and weights beside no columns."""
        return Rows(self.X[:, :0], self.y, self.weights)

    @property
    def vector_rows(self) -> int:
        return max(BLOCK_ENTRIES // self.width, BLOCK_ROWS // 2)

    def spans(self, first: int, last: int, height: int | None = None) -> Iterator[slice]:
        """The blocks of the rows `first` to `last` (excluded), of `block_rows` or `height` rows."""
        height = height or self.block_rows
        for row in range(first, last, height):
            yield slice(row, min(row + height, last))

    def blocks(self, first: int, last: int, height: int | None = None) -> Iterator[Block]:
        """Their contents; rows without weight are absent."""
        for rows in self.spans(first, last, height):
            x = np.asarray(self.X[rows], dtype=self.dtype)
            y = np.asarray(self.y[rows], dtype=np.float64)
            s = None if self.weights is None else self.weights[rows]
            if s is not None and not s.all():
                x, y, s = x[s > 0], y[s > 0], s[s > 0]
            if len(x):
                yield x, y, s


def map_stretches(
    rows: Rows, work: Callable[[int, int], Any], stretches: int | None = None
) -> Iterator[Any]:
    """Yield `work(first, last)` for stretches of all rows, on the threads at hand, in row order.

    Few results wait to be taken at any time, so that large ones can be added up as they come.
    """
    n = len(rows.X)
    stretches = stretches or min(max(n * rows.width // BLOCK_ENTRIES, 1), STRETCHES)
    if stretches == 1:
        yield work(0, n)
        return
    spans = pairwise(n * i // stretches for i in range(stretches + 1))
    with one_blas_thread() as threads:
        if threads == 1:
            yield from (work(*span) for span in spans)
            return
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque = deque()
            for span in spans:
                waiting.append(pool.submit(work, *span))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class _Limit:
    """Who holds the process-wide limit, and what it was before the first holder came."""

    lock = threading.Lock()
    holders = 0
    limiter: Any = None
    threads = 1


@contextmanager
def one_blas_thread() -> Iterator[int]:
    """Hold BLAS at one thread; yields how many threads of our own the caller may use instead.

    OpenBLAS's threads gain nothing on tall blocks and spin at barriers when another process
    holds a core, while threads over blocks do not. The limit is process-wide, so overlapping
    fits share one: the first sets it, the last restores what it found.
    """
    with _Limit.lock:
        if _Limit.holders == 0:
            found = [library["num_threads"] for library in _blas().info()]
            _Limit.threads = min(max(found, default=1), os.cpu_count() or 1)
            _let_any_thread_limit()
            _Limit.limiter = _blas().limit(limits=1)
        _Limit.holders += 1
        threads = _Limit.threads
    try:
        yield threads
    finally:
        with _Limit.lock:
            _Limit.holders -= 1
            if _Limit.holders == 0:
                _let_any_thread_limit()
                _Limit.limiter.restore_original_limits()
                _let_any_thread_limit()


def _let_any_thread_limit() -> None:
    """Take the limits from the thread that set them last, to which newer threadpoolctl leaves them.

    What other threads set is ignored in silence there, but the last holder need not be the first.
    """
    for library in _blas().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):  # OpenBLAS's
            library.clear_controlling_thread(force=True)
