"""Peak memory of one fit, seen by the operating system in a process of its own.

The resident set's high-water mark counts what BLAS, LAPACK and compiled code allocate;
`tracemalloc` sees NumPy's arrays only, and would hand LAPACK its workspace for free.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import warnings
from contextlib import nullcontext, suppress
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.competitors import competitors
from benchmarks.data import Size, make_data

# glibc raises its mmap threshold as it goes and then keeps freed blocks, into which a fit could
# grow unseen. A fixed threshold gives every larger block back at once.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}


def peak_extra_memory(size: Size, key: str, threads: int | None) -> int | None:
    """Measure how far a fit raises the resident set above process and data.

    Parameters
    ----------
    size : Size
    key : str
        The competitor's `key`.
    threads : int or None
        Limit for the BLAS and OpenMP threads.

    Returns
    -------
    int or None
        Bytes; None where the platform does not tell (it needs Linux's `/proc`), or where the fit
        failed, as for want of memory: its traceback is then on the standard error.
    """
    if not Path("/proc/self/status").exists():
        return None
    arguments = [str(size.rows), str(size.columns), key, str(threads or 0)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *arguments],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **ALLOCATOR},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    # One failure must not cost the timings of everything else.
    return None if done.returncode else int(done.stdout)


def _main(rows: str, columns: str, key: str, threads: str) -> None:
    """Run in the process of its own: fit once and print the bytes."""
    warnings.simplefilter("ignore")
    size = Size(int(rows), int(columns))
    X, y = make_data(size)
    (competitor,) = [c for c in competitors(size) if c.key == key]
    with threadpool_limits(int(threads)) if int(threads) else nullcontext():
        # Code loaded and thread pools started by a first fit belong to the process.
        head = slice(4 * X.shape[1] + 20)
        competitor.fit(X[head], y[head])
        _forget_the_past()
        before = _status_bytes("VmRSS")
        model = competitor.fit(X, y)
        peak = _status_bytes("VmHWM")
    del model
    print(max(0, peak - before))


def _forget_the_past() -> None:
    """Give freed memory back and lower the high-water mark to the present."""
    # Both are refinements, and a system that lacks them still gives a usable number: making the
    # data leaves the mark hardly above the data.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status_bytes(field: str) -> int:
    # Not resource.getrusage: its maximum survives fork and exec, so a child of a large process
    # would begin with its parent's peak.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no line {field}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
