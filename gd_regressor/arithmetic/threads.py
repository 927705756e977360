"""The threads that share work on rows.

A KeyboardInterrupt may come between any two lines of the main thread, and leaves behind it
whatever lock these lines had taken: `threading.Condition`, `Event` and `concurrent.futures` are
written in Python and can be cut in two like that. So the main thread only ever waits on queues and
locks written in C, which it enters as a whole or not at all, and no thread waits for a lock that
the main thread may have taken. A thread that an interrupt or a fork takes out of the work leaves
behind only what belongs to the one sum, which ends with it.
"""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from gd_regressor.arithmetic.limits import Hold, limit_this_thread

# So many results wait for one before them
AHEAD = 4

Found = TypeVar("Found")


def summed(parts: Iterable, work: Callable[[Any], Any], add: Callable[[Any, Any], Any]) -> Any:
    """The sum of `work(part)` over parts, by `add`, in their order; None counts nothing.

    The calling thread works too: woken up for each result, it would take the time of those that
    work. Where parts raise, it is the error of the first of them; before it, an interrupt, and an
    error of `parts` itself. Nobody reads the parts any more when this returns or raises.
    """
    shared = _Shared(parts, work, add)
    limited(shared.run_beside)
    return shared.result()


def product(a, b):
    """The product of arrays or sparse columns, during which other threads go on.

    For results of up to 500 numbers `@` of arrays does not let go of the interpreter; `np.dot`
    does (numpy 2.4).
    """
    return np.dot(a, b) if type(a) is np.ndarray else a @ b


def limited(work: Callable[[_Pool | None], Found]) -> Found:
    """`work(pool)` with BLAS at one thread; an interrupt at any line leaves no limit behind.

    `with one_blas_thread()` alone would: one that comes before the first line of `__exit__`.
    """
    limit = one_blas_thread()
    try:
        with limit as pool:
            return work(pool)
    finally:
        limit.end()


class one_blas_thread:
    """Hold BLAS at one thread; gives threads of our own to use instead, None where there is one."""

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
    """Parts that threads take one after the other, and the sum of what became of them."""

    def __init__(self, parts, work, add) -> None:
        self._parts, self._work, self._add = list(parts), work, add
        self._due, self._early, self._total = 0, {}, None
        self._errors: dict[int, BaseException] = {}
        self._is_cut = False  # by an interrupt: its caller is told otherwise
        self._adding = threading.Lock()  # nobody waits for it
        # Numbers of parts that may be begun, at most AHEAD before the one that is due; None: no
        # more. Who takes a None puts it back for the next.
        self._tickets: SimpleQueue[int | None] = SimpleQueue()
        for number in range(AHEAD + 1):
            self._allow(number)

    def run_beside(self, pool: _Pool | None) -> None:
        """Work here and on the threads of the pool, until all is done or one has failed."""
        # Locks that a thread may take again: an interrupted wait is repeated
        turns = [threading.RLock() for _ in range(pool.size)] if pool else []
        try:
            try:
                if pool:
                    for turn in turns:
                        pool.submit(partial(self._help, turn))
                self._run()
            finally:
                self._end(turns)
        finally:
            self._end(turns)

    def result(self) -> Any:
        if self._errors:  # parts before a wrong one were taken before it: all of them are known
            raise self._errors[min(self._errors)]
        return self._total

    def _help(self, turn) -> None:
        if turn.acquire(blocking=False):  # else the sum has ended without this helper
            try:
                self._run()
            finally:
                turn.release()

    def _end(self, turns) -> None:
        """Begin no more parts, and wait for those that helpers have begun."""
        self._is_cut = self._due < len(self._parts) and not self._errors
        self._tickets.put(None)
        for turn in turns:
            turn.acquire()  # and keep it from helpers that come later

    def _run(self) -> None:
        number = -1
        try:
            while (taken := self._tickets.get()) is not None and self._is_wanted(taken):
                number = taken
                self._put(number, self._work(self._parts[number]))
                number = -1
        except BaseException as error:  # whatever it is, the others must not wait for this part
            self._errors[number if isinstance(error, Exception) else -2] = error
        self._tickets.put(None)

    def _is_wanted(self, number: int) -> bool:
        """Whether a part comes before all that have failed: then its error is the one to raise."""
        return not self._is_cut and number < min(tuple(self._errors), default=len(self._parts))

    def _put(self, number: int, result: Any) -> None:
        """Add what is due; if another thread is adding, it looks again when it has done so."""
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
    """Threads beside the calling ones. They begin when they are first needed, and stay."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._seats: list[Any] = []  # locks, each taken by its thread while that lives

    def submit(self, job: Callable[[], None], size: int) -> None:
        """Have `job` done by one of `size` threads, when one of them is free."""
        while len(self._seats) < size:
            self._seats.append(threading.Lock())
        for seat in self._seats[:size]:
            if not seat.locked():
                # Not `Thread.start`: it waits for a sign of life, which an interrupt can cut in two
                try:
                    _thread.start_new_thread(self._serve, (seat, self._jobs))
                except RuntimeError:  # no more threads: the calling one does it alone
                    return
        self._jobs.put(job)

    @staticmethod
    def _serve(seat, jobs) -> None:
        if seat.acquire(blocking=False):
            limit_this_thread()
            while True:
                jobs.get()()  # no name for the job: it would keep its rows until the next one


_team = _Team()
if hasattr(os, "register_at_fork"):  # not on Windows. The threads of the parent are not in a child
    os.register_at_fork(after_in_child=_team.begin_anew)


class _Pool:
    """So many threads of the team."""

    def __init__(self, size: int) -> None:
        self.size = size

    def submit(self, job: Callable[[], None]) -> None:
        _team.submit(job, self.size)
