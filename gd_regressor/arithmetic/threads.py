"""Threads that share the work on rows. No interrupt and no fork makes a later fit hang.

A KeyboardInterrupt may come between any two lines of the main thread. If these lines have taken a
lock, the lock stays taken. `threading.Condition`, `Event` and `concurrent.futures` are written in
Python, so an interrupt can cut them in two like that. So the main thread waits only on queues and
locks written in C, which it enters as a whole or not at all. And no thread waits for a lock that
the main thread may have taken. If an interrupt or a fork takes a thread out of its work, the thread
leaves behind only the state of one sum, and that sum ends too.
"""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from gd_regressor.arithmetic.limits import Hold, limit_this_thread

# So many parts may be begun ahead of the first one that is not yet added
AHEAD = 4

Found = TypeVar("Found")


def summed(parts: Iterable, work: Callable[[Any], Any], add: Callable[[Any, Any], Any]) -> Any:
    """Sum `work(part)` over parts by `add`, in the order of the parts. None adds nothing.

    The order makes the bits the same, however many threads there are. The calling thread works too:
    if it only waited for results, each wake-up would take time from the working threads. If several
    parts raise, we raise the error of the first one. An interrupt comes before all of these. When
    `summed` returns or raises, no thread reads the parts any more.
    """
    shared = _Shared(parts, work, add)
    limited(shared.run_beside)
    return shared.result()


def product(a, b, out: np.ndarray | None = None):
    """The product of arrays or sparse columns, which lets other threads run meanwhile.

    `@` of arrays holds the interpreter's lock for results of up to 500 numbers (numpy 2.4).
    `np.dot` releases it. We write to `out`, if it is given: a C-contiguous array of the dtype of
    the product.
    """
    if type(a) is np.ndarray:
        return np.dot(a, b, out)
    found = a @ b
    if out is None:
        return found
    out[...] = found
    return out


def limited(work: Callable[[_Pool | None], Found]) -> Found:
    """`work(pool)` with BLAS at one thread. An interrupt at any line leaves no limit behind.

    `with one_blas_thread()` alone could leave one: an interrupt may come just before the first line
    of `__exit__`.
    """
    limit = one_blas_thread()
    try:
        with limit as pool:
            return work(pool)
    finally:
        limit.end()


class one_blas_thread:
    """Hold BLAS at one thread. Gives a pool of our own threads, or None if BLAS had one thread."""

    def __init__(self) -> None:
        self._hold = Hold()

    def __enter__(self) -> _Pool | None:
        threads = self._hold.begin()
        return _Pool(threads - 1) if threads > 1 else None

    def __exit__(self, *_) -> None:
        self.end()

    def end(self) -> None:
        self._hold.end()


class _Shared:
    """Parts that threads take one after the other, and the sum of the results so far."""

    def __init__(self, parts, work, add) -> None:
        self._parts, self._work, self._add = list(parts), work, add
        self._due, self._early, self._total = 0, {}, None
        self._errors: dict[int, BaseException] = {}
        self._is_cut = False  # whether an interrupt has ended the sum
        self._adding = threading.Lock()  # held by the thread that adds; no thread waits for it
        # Numbers of parts that a thread may begin, up to AHEAD beyond the one that is due. None
        # ends a thread, which first puts it back for the next thread
        self._tickets: SimpleQueue[int | None] = SimpleQueue()
        for number in range(AHEAD + 1):
            self._allow(number)

    def run_beside(self, pool: _Pool | None) -> None:
        """Work here and on the threads of the pool, until all parts are done or one has failed."""
        # RLocks, because `_end` may run twice after an interrupt and take them again
        turns = [threading.RLock() for _ in range(pool.size)] if pool else []
        try:
            try:
                if pool:
                    for turn in turns:
                        # In the caller's context, to which numpy's errstate belongs
                        pool.submit(partial(copy_context().run, partial(self._help, turn)))
                self._run()
            finally:
                self._end(turns)
        finally:
            self._end(turns)

    def result(self) -> Any:
        # Threads take parts in their order, so the errors of all earlier parts are known
        if self._errors:
            raise self._errors[min(self._errors)]
        return self._total

    def _help(self, turn) -> None:
        if turn.acquire(blocking=False):  # fails if the sum has ended without this helper
            try:
                self._run()
            finally:
                turn.release()

    def _end(self, turns) -> None:
        """Begin no more parts, and wait for those that helpers have begun."""
        self._is_cut = self._due < len(self._parts) and not self._errors
        self._tickets.put(None)
        for turn in turns:
            turn.acquire()  # we keep it, so that helpers which come later find the sum ended

    def _run(self) -> None:
        number = -1
        try:
            while (taken := self._tickets.get()) is not None and self._is_wanted(taken):
                number = taken
                self._put(number, self._work(self._parts[number]))
                number = -1
        except BaseException as error:  # any kind, because the others must not wait for this part
            # -2 puts an interrupt before the errors of all parts
            self._errors[number if isinstance(error, Exception) else -2] = error
        self._tickets.put(None)

    def _is_wanted(self, number: int) -> bool:
        """Whether a part comes before all parts that have failed: its error would come first."""
        return not self._is_cut and number < min(tuple(self._errors), default=len(self._parts))

    def _put(self, number: int, result: Any) -> None:
        """Add all results that are due. If another thread is adding, we leave them to it."""
        self._early[number] = result
        while self._due in self._early and self._adding.acquire(blocking=False):
            try:
                while self._due in self._early:
                    ready = self._early.pop(self._due)
                    if ready is not None:
                        first = self._total is None
                        self._total = ready if first else self._add(self._total, ready)
                    self._due += 1
                    self._allow(self._due + AHEAD)
            finally:
                self._adding.release()

    def _allow(self, number: int) -> None:
        if number < len(self._parts):
            self._tickets.put(number)
        elif self._due == len(self._parts):
            self._tickets.put(None)


class _Team:
    """Helper threads of the process. They begin when they are first needed, and stay."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._seats: list[Any] = []  # one lock for each thread, which holds it while it lives

    def submit(self, job: Callable[[], None], size: int) -> None:
        """Queue `job` for the first of `size` threads that is free."""
        while len(self._seats) < size:
            self._seats.append(threading.Lock())
        for seat in self._seats[:size]:
            if not seat.locked():
                # Not `Thread.start`, which waits for the thread: an interrupt can cut the wait
                try:
                    _thread.start_new_thread(self._serve, (seat, self._jobs))
                except RuntimeError:  # the system has no more threads: the caller works alone
                    return
        self._jobs.put(job)

    @staticmethod
    def _serve(seat, jobs) -> None:
        if seat.acquire(blocking=False):
            limit_this_thread()
            while True:
                # We give the job no name, because a name would keep its rows until the next job
                jobs.get()()


_team = _Team()
# A child process has none of the threads of its parent. Windows has no fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.begin_anew)


class _Pool:
    """`size` threads of the team."""

    def __init__(self, size: int) -> None:
        self.size = size

    def submit(self, job: Callable[[], None]) -> None:
        _team.submit(job, self.size)
