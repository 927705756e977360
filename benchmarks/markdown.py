"""Tables, and how their entries are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MEBIBYTE = 2**20


def table(header: Sequence[str], rows: Iterable[Sequence[str]], alignment: str) -> str:
    """Write a table.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequence of str
    alignment : str
        A letter per column: l, r or c.

    Returns
    -------
    str
    """
    rule = {"l": ":--", "r": "--:", "c": ":-:"}
    lines = [header, [rule[letter] for letter in alignment], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdict(met: bool) -> str:
    """Say whether what was asked was found, so that a miss stands out."""
    return "yes" if met else "**no**"


def excess(value: float | None) -> str:
    """Write an excess loss."""
    return "-" if value is None else f"{value:.1e}"


def memory(value: int | None) -> str:
    """Write a number of bytes."""
    if value is None:
        return "not measured"
    if value < MEBIBYTE:
        return "< 1 MiB"
    return f"{value / MEBIBYTE:,.0f} MiB"


def duration(seconds: float) -> str:
    """Write a time with three digits and the unit that suits it.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str
        Such as ``"12.3 ms"``.
    """
    unit, factor = next(
        ((unit, factor) for unit, factor in (("s", 1.0), ("ms", 1e3)) if seconds * factor >= 1),
        ("µs", 1e6),
    )
    value = seconds * factor
    # Three digits, but no exponent for the hundreds and thousands.
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
