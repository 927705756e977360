"""Rows that are read, counted for whoever asks how many passes over a table a fit took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Passes:
    """How many rows were read so far. A row counts each time, and by the share of its columns."""

    rows = 0.0

    def over(self, n_rows: int) -> float:
        """The same in passes over a table of so many rows: a sample of a tenth is a tenth."""
        return self.rows / n_rows


# Of this thread: a table is frozen, and the work that it sends out may run elsewhere
_counted: ContextVar[Passes | None] = ContextVar("_counted", default=None)


@contextmanager
def counted() -> Iterator[Passes]:
    """Count the rows that this thread has read in the block."""
    before = _counted.set(passes := Passes())
    try:
        yield passes
    finally:
        _counted.reset(before)


def count_rows(n_rows: float) -> None:
    """So many rows more are read, if somebody counts them."""
    passes = _counted.get()
    if passes is not None:
        passes.rows += n_rows
