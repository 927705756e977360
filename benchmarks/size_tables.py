"""The table of each size, and what is lost in it."""

from __future__ import annotations

from benchmarks import markdown
from benchmarks.asked import EQUALLY_EXACT, requests
from benchmarks.data import Size
from benchmarks.markdown import MEBIBYTE, duration
from benchmarks.measure import Measurement


def size_table(size: Size, rows: list[Measurement], limit: str) -> str:
    """Write all measurements on one size.

    Parameters
    ----------
    size : Size
    rows : list of Measurement
        The first is of ``GDLinearRegressor()``.
    limit : str
        Said of the threads in the heading.

    Returns
    -------
    str
    """
    lines = [_line(size, rows[0], row) for row in rows]
    header = ["", "time", "ratio", "asked", "excess", "memory", "ours"]
    parts = [f"## {size}{limit}", _rounds(rows)]
    parts.append(markdown.table(header, lines, "lrrlrrl"))
    return "\n\n".join(parts)


def lost(tables: dict[Size, list[Measurement]], limit: str) -> str:
    """List the lost cases once more, in one place.

    Parameters
    ----------
    tables : dict of Size to list of Measurement
    limit : str
        Said of the threads in the heading.

    Returns
    -------
    str
    """
    lines = []
    for size, (ours, *others) in tables.items():
        for row in others:
            for loss in _losses(ours, row):
                lines.append(f"* {size}: {loss}, to {row.competitor.name} ({_by(loss, ours, row)})")
    heading = f"## What GDLinearRegressor() loses{limit}"
    return heading + "\n\n" + ("\n".join(lines) or "Nothing in this run.")


def _rounds(rows: list[Measurement]) -> str:
    count = len(rows[0].seconds)
    fewer = [
        f"{len(row.seconds)} of {row.competitor.name}" for row in rows if len(row.seconds) < count
    ]
    return f"{count} round{'s' * (count != 1)}{', '.join(['', *fewer])}."


def _line(size: Size, ours: Measurement, row: Measurement) -> tuple[str, ...]:
    low, high = row.quartiles
    asked = [r.text if r.met else f"{r.text} **no**" for r in requests(size, ours, row)]
    return (
        row.competitor.name,
        f"{duration(row.median)} ({duration(low)} to {duration(high)})",
        f"{row.median / ours.median:.3g}",
        "; ".join(asked),
        markdown.excess(row.excess),
        markdown.memory(row.memory),
        ", ".join(f"**loses** {loss}" for loss in _losses(ours, row)),
    )


def _losses(ours: Measurement, theirs: Measurement) -> list[str]:
    """Name everything in which ours is worse than theirs."""
    # The product is a part of a fit: `requests` says how near to it the whole is to come.
    if theirs is ours or theirs.competitor.coefficients is None:
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


def _by(loss: str, ours: Measurement, theirs: Measurement) -> str:
    show, read = {
        "time": (duration, lambda row: row.median),
        "accuracy": (markdown.excess, lambda row: row.excess),
        "memory": (markdown.memory, lambda row: row.memory),
    }[loss]
    return f"{show(read(ours))} against {show(read(theirs))}"
