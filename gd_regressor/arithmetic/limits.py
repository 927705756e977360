"""BLAS at one thread while fits hold it, and at what it had when the last of them is done.

BLAS's threads gain nothing on tall blocks and spin at barriers when another process holds a core,
while our own threads over blocks do not. The limit belongs to the process wherever BLAS gives
threads no limit of their own, so it must survive interrupts, forks and other people's limits:

* **Nothing here takes a lock.** A KeyboardInterrupt may come between any two lines, and a fork at
  any moment: either would leave the lock taken for good. Each change of shared state is one atomic
  operation on a set or a list, a change of a limit is noted before it is made, and `Hold.end` may
  be called any number of times: the second call completes what an interrupted one left.
* **Where BLAS has one thread already, nothing is changed,** so nothing is restored: somebody else
  may hold that limit, and end it when they please.
* **Only a limit of one is taken back.** If somebody has set another number since, theirs stays.
* **A limit that another thread set during the fit, and that outlives the fit,** will restore our
  one when it ends. threadpoolctl (3.8 and newer) ignores what we set until then; `_watch` waits for
  that moment.

What holds for each kind of BLAS:

* *OpenBLAS with threads of its own* (wheels of numpy and scipy, one copy in each): one number for
  the process. `openblas_set_num_threads_local` is there, and sets the number of the process too.
  Before threadpoolctl 3.8 nobody can see that another thread's limit overlaps the fit: if that
  limit begins during the fit and ends after it, the process is left at one thread.
* *OpenBLAS on OpenMP, MKL*: each thread has a number of its own. A fit changes and restores that of
  its thread, our helpers have one for ever, and no order of events touches another thread.
* *BLIS, FlexiBLAS*: treated as one number for the process.
* *Accelerate*, and whatever threadpoolctl does not know: nothing is set, and we use no helpers.

Two orders remain, where threadpoolctl gives no sign by which to tell them from others:

* Another thread calls `threadpool_limits(1)` during the fit and means it to stay: when that thread
  is done, we restore what the fit found.
* The fit itself runs within `with threadpool_limits(..)`, another thread's limit begins during
  the fit and outlives both: it restores our one. (Without the fit, that of the first limit.)
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import threadpoolctl
from threadpoolctl import LibController, ThreadpoolController

PROCESSORS = os.cpu_count() or 1
# Seconds between two looks whether another thread's limit has ended
EVERY = 0.005

# Since 3.8: the thread that set OpenBLAS's number last keeps all others from setting it, until it
# lets go; where it is inside `with threadpool_limits`, at the end of that.
_let_go = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", lambda: None)
_limits_around = getattr(threadpoolctl, "CONTROLLING_THREAD_OWNERSHIP", None)


@dataclass(frozen=True, eq=False)
class _Change:
    """A limit that we have set to one, or are about to."""

    library: LibController
    before: int
    thread: int | None  # whose limit it is, None for the process's


_holds: set[Hold] = set()
_changes: list[_Change] = []
_watching = threading.Lock()  # only ever taken by the thread that watches


class Hold:
    """The wish of one thread for BLAS at one thread."""

    def __init__(self) -> None:
        self.thread = _thread.get_ident()

    def begin(self) -> int:
        """The number of threads that BLAS had; 1 where another thread keeps us from limiting it."""
        _holds.add(self)
        refused = False
        for library in _libraries():
            found = library.num_threads
            if found > 1:
                change = _Change(library, found, self.thread if _is_per_thread(library) else None)
                _changes.append(change)
                _set(library, 1)
                if library.num_threads > 1:
                    refused = True
                    _forget(change)
        ours = [c.before for c in tuple(_changes) if c.thread in (None, self.thread)]
        return 1 if refused else min(max(ours, default=1), PROCESSORS)

    def end(self) -> None:
        """Restore what this thread may, unless others still hold it. Any number of times."""
        _holds.discard(self)
        if _settle():
            # Within a thread of C, because `start` waits: an interrupt there would stop the watch
            watch = threading.Thread(target=_watch, name="BLAS limits", daemon=True)
            with suppress(RuntimeError):  # the interpreter is shutting down
                _thread.start_new_thread(watch.start, ())


def limit_this_thread() -> None:
    """Keep BLAS at one thread in the calling thread for good, where each has its own number."""
    for library in filter(_is_per_thread, _libraries()):
        library.set_num_threads(1)


@cache
def _libraries() -> list[LibController]:
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _is_per_thread(library: LibController) -> bool:
    return library.internal_api == "mkl" or getattr(library, "threading_layer", "") == "openmp"


def _set(library: LibController, number: int) -> None:
    library.set_num_threads(number)
    if not (_limits_around and _limits_around.count):
        _let_go()


def _settle() -> bool:
    """Restore what nobody holds any more; whether something of the process's has to wait."""
    here, waits = _thread.get_ident(), False
    for change in tuple(_changes):
        holders = [h for h in tuple(_holds) if change.thread in (None, h.thread)]
        if holders or change.thread not in (None, here):
            continue
        if _is_restored(change):
            _forget(change)
        else:
            waits = True
    return waits


def _is_restored(change: _Change) -> bool:
    """Restore a limit, unless another has been set since; False while a thread refuses that."""
    library, now = change.library, change.library.num_threads
    if now == 1:
        _set(library, change.before)
        return library.num_threads > 1
    # The other's number may be the last, or end with their limit: try whether they hold it
    _set(library, 1)
    is_held = library.num_threads == now
    _set(library, now)
    return not is_held


def _forget(change: _Change) -> None:
    with suppress(ValueError):  # another thread has restored it at the same time
        _changes.remove(change)


def _watch() -> None:
    """Restore the limits as soon as the other thread's have ended."""
    while _watching.acquire(blocking=False):
        try:
            while not _holds and _settle():
                time.sleep(EVERY)
        finally:
            _watching.release()
        # What was left to wait for meanwhile, found this thread still watching
        if _holds or all(change.thread is not None for change in tuple(_changes)):
            return


def _in_child() -> None:
    """After a fork: only the calling thread is left, and nobody to restore what others changed."""
    global _watching
    here, _watching = _thread.get_ident(), threading.Lock()
    for hold in tuple(_holds):
        if hold.thread != here:
            _holds.discard(hold)
    _changes[:] = [change for change in _changes if change.thread in (None, here)]
    _settle()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
