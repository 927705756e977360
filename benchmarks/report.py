"""Measurements to Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from threadpoolctl import threadpool_info

import gd_regressor
from benchmarks.claims import Claim
from benchmarks.data import TEXTBOOK_UPDATES, Size
from benchmarks.measure import Measurement, duration
from benchmarks.reference import reference_precision

# Two models whose predictions differ by less than 1e-12 of y's standard deviation are equally
# good: which of them is closer is the luck of rounding.
EQUALLY_EXACT = 1e-24
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Section:
    """Everything measured under one thread limit.

    Attributes
    ----------
    threads : int or None
        The limit; None for the libraries' own choice.
    libraries : str
        The BLAS and OpenMP libraries, and how many threads each used.
    tables : dict of Size to list of Measurement
    claims : list of Claim
    """

    threads: int | None
    libraries: str
    tables: dict[Size, list[Measurement]]
    claims: list[Claim]


def libraries_in_use() -> str:
    """Describe the native libraries loaded now and their thread counts.

    Returns
    -------
    str
        Such as ``"openblas 0.3.30 (SkylakeX): 2 threads"``, several joined by semicolons.
    """
    seen = []
    for library in threadpool_info():
        name = " ".join(filter(None, [library["internal_api"], library["version"]]))
        if "architecture" in library:
            name += f" ({library['architecture']})"
        count = library["num_threads"]
        seen.append(f"{name}: {count} thread{'s' * (count != 1)}")
    # NumPy and SciPy often bring the same library twice.
    return "; ".join(dict.fromkeys(seen))


def render(sections: Sequence[Section], command: str, busy: bool) -> str:
    """Write the whole report.

    Parameters
    ----------
    sections : sequence of Section
    command : str
        The command line that repeats this run.
    busy : bool
        Whether another process kept a core busy meanwhile.

    Returns
    -------
    str
        Markdown.
    """
    parts = ["# Benchmarks", _environment(command, busy), _how_to_read()]
    for section in sections:
        limit = "" if section.threads is None else f", threads limited to {section.threads}"
        parts.append(f"Native libraries{limit}: {section.libraries}.")
        parts += [_size_table(size, rows, limit) for size, rows in section.tables.items()]
        if section.tables:
            parts.append(_lost(section.tables, limit))
        if section.claims:
            parts.append(_claims_table(section.claims, limit))
    if len(sections) > 1 and sections[0].tables:
        parts.append(_threads_table(sections))
    return "\n\n".join(parts) + "\n"


def _environment(command: str, busy: bool) -> str:
    rows = [
        ("Command", f"`{command}`"),
        ("Date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("Python", platform.python_version()),
        *((package, version(package)) for package in ("numpy", "scipy", "scikit-learn")),
        ("gd_regressor", gd_regressor.__version__),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("CPUs", _cpus()),
        ("Beside", "a process that keeps one core busy" if busy else "nothing of its own"),
    ]
    return _table(["", ""], rows, "ll")


def _cpus() -> str:
    if hasattr(os, "sched_getaffinity"):
        return f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}"
    return str(os.cpu_count())


def _how_to_read() -> str:
    return f"""\
Every round fits each competitor once, in one process and in rotating order. *Time* is the median
of a whole `fit`, with the quartiles behind it; *ratio* is that time divided by the one of
`GDLinearRegressor()`, so that a ratio below 1 means that ours is slower. *Excess* is
(F - F\\*)/V: F the mean squared error, V the variance of y, F\\* the minimum from a QR solution
refined in extended precision ({reference_precision()}); the difference is computed as the mean
squared distance of the two models' predictions, which is the same number without cancellation.
*Memory* is how far one fit raises the high-water mark of the resident set above process and data,
in a process of its own (so that what BLAS and LAPACK allocate is counted; `tracemalloc` would miss
it). The data are standard normal columns; y is linear in them, plus noise. A case that
`GDLinearRegressor()` loses is marked **loses**.

The textbook mode makes exactly {TEXTBOOK_UPDATES:,} updates, with the whole loss curve, and is not
asked to reach the optimum; the naive loop makes the same updates without the curve. `lstsq` has no
intercept of its own, so that appending the column of ones is part of its time and memory."""


def _size_table(size: Size, rows: list[Measurement], limit: str) -> str:
    ours = rows[0]
    count = len(ours.seconds)
    lines = []
    for row in rows:
        low, high = row.quartiles
        name = row.competitor.name + (" (time scaled up)" if row.competitor.scale != 1 else "")
        lines.append(
            (
                name,
                f"{duration(row.median)} ({duration(low)} to {duration(high)})",
                f"{row.median / ours.median:.3g}",
                _excess(row.excess),
                _memory(row.memory),
                ", ".join(f"**loses** {loss}" for loss in _losses(ours, row)),
            )
        )
    header = ["", "time", "ratio", "excess", "memory", "ours"]
    parts = [f"## {size}{limit}", f"{count} round{'s' * (count != 1)}."]
    parts.append(_table(header, lines, "lrrrrl"))
    parts += [row.competitor.note for row in rows if row.competitor.note]
    return "\n\n".join(parts)


def _losses(ours: Measurement, theirs: Measurement) -> list[str]:
    """Name everything in which ours is worse than theirs."""
    if theirs.competitor.ours:
        return []
    found = []
    if theirs.median < ours.median:
        found.append("time")
    # Written with `not`, so that a NaN of ours counts as lost.
    if theirs.excess is not None and not ours.excess <= max(2 * theirs.excess, EQUALLY_EXACT):
        found.append("accuracy")
    # Less than a mebibyte is the allocator's noise.
    if None not in (ours.memory, theirs.memory) and ours.memory > theirs.memory + MEBIBYTE:
        found.append("memory")
    return found


def _lost(tables: dict[Size, list[Measurement]], limit: str) -> str:
    """List the lost cases once more, in one place."""
    lines = []
    for size, (ours, *others) in tables.items():
        for row in others:
            for loss in _losses(ours, row):
                lines.append(f"* {size}: {loss}, to {row.competitor.name} ({_by(loss, ours, row)})")
    heading = f"## What GDLinearRegressor() loses{limit}"
    return heading + "\n\n" + ("\n".join(lines) or "Nothing in this run.")


def _by(loss: str, ours: Measurement, theirs: Measurement) -> str:
    show, read = _SHOWN[loss]
    return f"{show(read(ours))} against {show(read(theirs))}"


def _claims_table(claims: Iterable[Claim], limit: str) -> str:
    verdict = {True: "yes", False: "**no**", None: "not judged at this size"}
    rows = [(claim.statement, claim.found, claim.target, verdict[claim.met]) for claim in claims]
    table = _table(["claim", "measured", "target", "met"], rows, "lllc")
    return f"## Textbook claims{limit}\n\n{table}"


def _threads_table(sections: Sequence[Section]) -> str:
    """Put the medians of one competitor under several thread limits side by side."""
    rows = []
    for size, first in sections[0].tables.items():
        for place, row in enumerate(first):
            medians = [duration(section.tables[size][place].median) for section in sections]
            rows.append((str(size), row.competitor.name, *medians))
    header = ["size", "", *(f"{s.threads} thread{'s' * (s.threads != 1)}" for s in sections)]
    table = _table(header, rows, "ll" + "r" * len(sections))
    return f"## Thread limits side by side\n\n{table}"


def _excess(excess: float | None) -> str:
    return "-" if excess is None else f"{excess:.1e}"


def _memory(memory: int | None) -> str:
    if memory is None:
        return "not measured"
    if memory < MEBIBYTE:
        return "< 1 MiB"
    return f"{memory / MEBIBYTE:,.0f} MiB"


_SHOWN: dict[str, tuple[Callable, Callable]] = {
    "time": (duration, lambda row: row.median),
    "accuracy": (_excess, lambda row: row.excess),
    "memory": (_memory, lambda row: row.memory),
}


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], alignment: str) -> str:
    rule = {"l": ":--", "r": "--:", "c": ":-:"}
    lines = [header, [rule[letter] for letter in alignment], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
