"""BLAS at one thread while fits hold it, and at its former number after the last of them.

On tall blocks BLAS's threads gain nothing, and they spin at barriers when another process holds a
core. Our own threads over blocks do not. Where BLAS gives threads no limit of their own, the limit
belongs to the process. So it must survive interrupts, forks and the limits of other people:

* **We take no lock.** A KeyboardInterrupt may come between any two lines, and a fork at any moment.
  Either would leave a lock taken for good. So each change of shared state is one atomic operation
  on a set or a list, and we note a change of a limit before we make it. Every `Hold.end` after the
  first completes what an interrupted one left.
* **Where BLAS has one thread already, we change nothing,** so we restore nothing: somebody else may
  hold that limit, and end it when they please.
* **We take back only a limit of one.** If somebody has set another number since, theirs stays.
* **Another thread may set a limit during the fit, and end it after the fit.** It then restores the
  limit of one that it found. threadpoolctl (3.8 and newer) ignores what we set until then, so
  `_watch` waits for that moment.

What holds for each kind of BLAS:

* *OpenBLAS with threads of its own* (wheels of numpy and scipy, one copy in each) has one number
  for the process. `openblas_set_num_threads_local` exists, but sets the number of the process too.
  Before threadpoolctl 3.8 nobody can see that another thread's limit overlaps the fit. If such a
  limit begins during the fit and ends after it, the process stays at one thread.
* *OpenBLAS on OpenMP, MKL* give each thread a number of its own. A fit changes and restores the
  number of its thread, our helpers keep one for ever, and no order of events touches other threads.
* *BLIS, FlexiBLAS*: we treat them as one number for the process.
* *Accelerate*, and any BLAS that threadpoolctl does not know: we set nothing and use no helpers.

In two orders of events the process ends with a wrong limit, because threadpoolctl gives no sign by
which to tell them from others:

* Another thread calls `threadpool_limits(1)` during the fit and means it to stay. When that thread
  is done, we restore the number that the fit found.
* The fit itself runs within `with threadpool_limits(..)`, and another thread's limit begins during
  the fit and outlives both. At its end it restores our limit of one. (Without the fit it would
  restore the number of the first limit.)
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import threadpoolctl
from threadpoolctl import LibController

from gd_regressor.arithmetic import kernels

# More threads of ours than processors would only wait for each other
PROCESSORS = os.cpu_count() or 1
# Seconds between two looks at whether another thread's limit has ended
PAUSE = 0.005

# Since threadpoolctl 3.8 the thread that set OpenBLAS's number last keeps all others from setting
# it until it lets go. Inside `with threadpool_limits` it lets go at the end of the block
_let_go = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", lambda: None)
_limits_around = getattr(threadpoolctl, "CONTROLLING_THREAD_OWNERSHIP", None)


@dataclass(frozen=True, eq=False)
class _Change:
    """A limit that we have set to one, or are about to."""

    library: LibController
    before: int
    thread: int | None  # the thread whose limit it is; None for a limit of the process


_holds: set[Hold] = set()
_changes: list[_Change] = []
_watching = threading.Lock()  # only the watching thread takes it


class Hold:
    """The wish of one thread for BLAS at one thread."""

    def __init__(self) -> None:
        self.thread = _thread.get_ident()

    def begin(self) -> int:
        """The number of threads that BLAS had; 1 if another thread keeps us from limiting BLAS."""
        _holds.add(self)
        refused = False
        for library in kernels.libraries():
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
        """Restore the limits that no fit holds any more. May be called any number of times."""
        _holds.discard(self)
        if _settle():
            # `start` waits for its thread, and an interrupt would cut the wait. So a thread of C,
            # which no interrupt reaches, calls it
            watch = threading.Thread(target=_watch, name="BLAS limits", daemon=True)
            with suppress(RuntimeError):  # raised while the interpreter shuts down
                _thread.start_new_thread(watch.start, ())


def limit_this_thread() -> None:
    """Set BLAS to one thread in the calling thread for good, if BLAS has a number for each."""
    for library in filter(_is_per_thread, kernels.libraries()):
        library.set_num_threads(1)


def _is_per_thread(library: LibController) -> bool:
    return library.internal_api == "mkl" or getattr(library, "threading_layer", "") == "openmp"


def _set(library: LibController, number: int) -> None:
    library.set_num_threads(number)
    if not (_limits_around and _limits_around.count):
        _let_go()


def _settle() -> bool:
    """Restore the limits that no fit holds. True if a limit of the process has to wait."""
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
    """Restore a limit, unless somebody set another since. False while another thread refuses."""
    library, now = change.library, change.library.num_threads
    if now == 1:
        _set(library, change.before)
        return library.num_threads > 1
    # Somebody has set another number. It may stay, or end with their limit. We try whether they
    # still hold it
    _set(library, 1)
    is_held = library.num_threads == now
    _set(library, now)
    return not is_held


def _forget(change: _Change) -> None:
    with suppress(ValueError):  # another thread has removed it at the same time
        _changes.remove(change)


def _watch() -> None:
    """Restore the limits as soon as those of other threads have ended."""
    while _watching.acquire(blocking=False):
        try:
            while not _holds and _settle():
                time.sleep(PAUSE)
        finally:
            _watching.release()
        # Since the last look a fit may have left a limit and started no watch, because this thread
        # was still watching: look again
        if _holds or all(change.thread is not None for change in tuple(_changes)):
            return


def _in_child() -> None:
    """After a fork, end the holds of all other threads: they do not run in the child."""
    global _watching
    here, _watching = _thread.get_ident(), threading.Lock()
    for hold in tuple(_holds):
        if hold.thread != here:
            _holds.discard(hold)
    _changes[:] = [change for change in _changes if change.thread in (None, here)]
    _settle()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_in_child)
