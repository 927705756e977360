"""Passes over the rows, counted for whoever asks what a fit cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Passes:
    """How many passes were made so far."""

    count = 0


# Of this thread: a table is frozen, and the work that it sends out may run elsewhere
_counted: ContextVar[Passes | None] = ContextVar("_counted", default=None)


@contextmanager
def counted() -> Iterator[Passes]:
    """Count the passes that this thread makes in the block."""
    before = _counted.set(passes := Passes())
    try:
        yield passes
    finally:
        _counted.reset(before)


def count_pass() -> None:
    """One more pass, if somebody counts them."""
    passes = _counted.get()
    if passes is not None:
        passes.count += 1
