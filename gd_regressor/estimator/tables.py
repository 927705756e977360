"""Small tables of words and numbers, as text and as HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

Row = Sequence[str]
# Per cent of a smaller share have so many zeros that a power of ten is read better
LEAST_PERCENT = 1e-6


def text_table(rows: Iterable[Row]) -> str:
    """Rows of cells, the first column flush left, the others flush right."""
    columns = [
        [f"{cell:{'>' if j else '<'}{max(map(len, column))}}" for cell in column]
        for j, column in enumerate(zip(*rows, strict=True))
    ]
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def html_table(rows: Sequence[Row], caption: str = "") -> str:
    """The same as HTML, the first row as its head; what is in the cells stays text."""
    head, *body = ([html.escape(cell) for cell in row] for row in rows)
    titles = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row" style="text-align:left">{first}</th>'
        + "".join(f"<td>{cell}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in body
    )
    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"


def number(value: float) -> str:
    """A number of any size to four digits."""
    if not math.isfinite(value):
        return "none" if math.isnan(value) else "unbounded"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def count(value: float) -> str:
    """A number of updates."""
    return f"{value:,.0f}" if value < math.inf else "never"


def so_many(value: float, noun: str) -> str:
    """A number of things, such as "1 pass" or "2,000 passes"."""
    ending = "" if value == 1 else "es" if noun.endswith("s") else "s"
    return f"{value:,.0f} {noun}{ending}"


def share(value: float) -> str:
    """A number in [0, 1], with four digits of what it lacks to 1 where that is little."""
    digits = 4 if value < 0.99 else 3 - math.floor(math.log10(1 - value)) if value < 1 else 0
    return f"{value:.{digits}f}" if value else "0"


def of_variance(share: float, digits: int = 2, unit: str = "variance") -> str:
    """A share of the variance of y, or of another `unit`, or a multiple of it."""
    if LEAST_PERCENT <= share < 1:
        return f"{100 * share:.{digits}g} % of the {unit}"
    return f"{share:.{digits}g} times the {unit}"
