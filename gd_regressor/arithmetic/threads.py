"""The threads that share work on rows, and the limit that keeps BLAS from using its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

# So many results wait for one before them
AHEAD = 4


def summed(parts: Iterable, work: Callable[[Any], Any], add: Callable[[Any, Any], Any]) -> Any:
    """The sum of `work(part)` over parts, by `add`, in their order; None counts nothing.

    The calling thread works too: woken up for each result, it would take the time of those that
    work. Where parts raise, it is the error of the first of them; before it, an interrupt, and an
    error of `parts` itself.
    """
    shared = _Shared(parts, work, add)
    with one_blas_thread() as pool:
        helpers = [pool.submit(shared.run) for _ in range(pool.size)] if pool else []
        try:
            shared.run()
        finally:  # nobody reads the rows any more when an error has ended this
            for helper in helpers:
                if not helper.cancel():
                    helper.result()
    return shared.result()


def product(a, b):
    """The product of arrays or sparse columns, during which other threads go on.

    For results of up to 500 numbers `@` of arrays does not let go of the interpreter; `np.dot`
    does (numpy 2.4).
    """
    return np.dot(a, b) if type(a) is np.ndarray else a @ b


class _Shared:
    """Parts that threads take one after the other, and the sum of what became of them."""

    def __init__(self, parts, work, add) -> None:
        self._parts, self._work, self._add = enumerate(parts), work, add
        self._due, self._early, self._total = 0, {}, None
        self._errors: dict[int, BaseException] = {}
        self._turn = threading.Condition()

    def run(self) -> None:
        number = -1
        try:
            while (taken := self._take()) is not None:
                number, part = taken
                self._put(number, self._work(part))
                number = -1
        except BaseException as error:  # whatever it is, the others must not wait for this part
            with self._turn:
                self._errors[number if isinstance(error, Exception) else -2] = error
                self._turn.notify_all()

    def result(self) -> Any:
        if self._errors:  # parts before a wrong one were taken before it: all of them are known
            raise self._errors[min(self._errors)]
        return self._total

    def _take(self) -> tuple[int, Any] | None:
        with self._turn:
            taken = None if self._errors else next(self._parts, None)
            if taken is not None:
                self._turn.wait_for(lambda: self._errors or taken[0] <= self._due + AHEAD)
            return taken

    def _put(self, number: int, result: Any) -> None:
        with self._turn:
            self._early[number] = result
            while self._due in self._early:
                ready = self._early.pop(self._due)
                self._due += 1
                if ready is not None:
                    self._total = ready if self._total is None else self._add(self._total, ready)
            self._turn.notify_all()


class _Pool(ThreadPoolExecutor):
    """Threads beside the calling one."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class _Limit:
    """Who holds the process-wide limit, and what it was before the first holder came."""

    lock = threading.Lock()
    holders = 0
    limiter: Any = None
    pool: _Pool | None = None


@contextmanager
def one_blas_thread() -> Iterator[_Pool | None]:
    """Hold BLAS at one thread; yields threads of our own to use instead, None where there is one.

    OpenBLAS's threads gain nothing on tall blocks and spin at barriers when another process
    holds a core, while threads over blocks do not. The limit is process-wide, so overlapping
    fits share one: the first sets it, the last restores what it found.
    """
    with _Limit.lock:
        if _Limit.holders == 0:
            found = [library["num_threads"] for library in _blas().info()]
            threads = min(max(found, default=1), os.cpu_count() or 1)
            _Limit.pool = _Pool(threads - 1) if threads > 1 else None
            _let_any_thread_limit()
            _Limit.limiter = _blas().limit(limits=1)
        _Limit.holders += 1
        pool = _Limit.pool
    try:
        yield pool
    finally:
        with _Limit.lock:
            _Limit.holders -= 1
            if _Limit.holders == 0:
                _let_any_thread_limit()
                _Limit.limiter.restore_original_limits()
                _let_any_thread_limit()
                if _Limit.pool is not None:
                    _Limit.pool.shutdown()


def _let_any_thread_limit() -> None:
    """Take the limits from the thread that set them last, to which newer threadpoolctl leaves them.

    What other threads set is ignored in silence there, but the last holder need not be the first.
    """
    for library in _blas().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):  # OpenBLAS's
            library.clear_controlling_thread(force=True)
