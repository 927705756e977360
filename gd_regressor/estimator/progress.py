"""A progress bar for a descent that takes long: on a terminal, and where rich is installed."""

from __future__ import annotations

import math
import sys
import threading
import time
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:  # an extra
    from rich.progress import Progress

# Seconds that a descent takes before a bar tells more than it disturbs
PATIENCE = 2.0
# Seconds between two drawings: a terminal takes time for each, and an eye wants no more
BETWEEN = 0.1


class Bar:
    """The bar of one descent of `total` updates, or of at most so many where it `may_stop` before.

    It is drawn when somebody moves it, so there is no thread, and it never raises: a fit does not
    fail because of its bar.
    """

    def __init__(self, total: int, *, may_stop: bool) -> None:
        self._total, self._may_stop = total, may_stop
        self._terminal = _terminal()
        self._progress: Progress | None = None
        self._is_shown = False
        self._next: float | None = None  # when to draw again

    def move(self, k: int, loss: float) -> None:
        """The descent has come to update `k`."""
        now = time.monotonic()
        if self._next is None:
            self._next = now + PATIENCE if self._terminal else math.inf
        if now < self._next:
            return
        self._next = now + BETWEEN
        try:
            self._draw(k, loss)
        except (ImportError, OSError, ValueError):  # no rich, or a terminal that has gone
            self._next = math.inf

    def hide(self) -> None:
        """Wipe the bar, and give the cursor back, so that others can write."""
        if self._progress is None or not self._is_shown:
            return
        self._is_shown = False
        try:
            self._progress.stop()
        except (OSError, ValueError):
            self._next = math.inf

    def _draw(self, k: int, loss: float) -> None:
        if self._progress is None:
            self._progress = _progress(self._terminal, "of at most" if self._may_stop else "of")
            self._progress.add_task("", total=self._total, loss=loss)
        if self._progress.console.is_dumb_terminal:  # it cannot wipe a line
            self._next = math.inf
            return
        self._is_shown = True
        (task,) = self._progress.task_ids
        self._progress.update(task, completed=k, loss=loss)
        self._progress.start()
        self._progress.refresh()


def _terminal() -> TextIO | None:
    """The standard error where it is a terminal, and nobody else draws on it; else None.

    Fits in threads and in child processes run side by side, and their bars would share a line. A
    pipe, a file and a notebook are no terminals.
    """
    main = threading.current_thread() is threading.main_thread() and parent_process() is None
    try:
        return sys.stderr if main and sys.stderr.isatty() else None
    except (AttributeError, ValueError):  # there is none, or it is closed
        return None


def _progress(terminal: Any, of: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn(f"update {{task.completed:,.0f}} {of} {{task.total:,.0f}}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("loss {task.fields[loss]:.4g}", markup=False),
        TimeRemainingColumn(),
        TextColumn("left", markup=False),
        console=Console(file=terminal, force_jupyter=False),
        # No thread, and the standard streams stay what they are
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        transient=True,
        expand=True,
    )
