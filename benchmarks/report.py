"""Measurements to Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from threadpoolctl import threadpool_info

import gd_regressor
from benchmarks import markdown
from benchmarks.accuracy import ALL_DIGITS, Accuracy
from benchmarks.asked import EQUALLY_EXACT, EXCESS, KIND_RATIO, SINGLE_SPEED, kind_ratio
from benchmarks.claims import Claim
from benchmarks.competitors import IntelLinearRegression
from benchmarks.data import CATEGORIES, FURTHEST, NEIGHBOUR_CORRELATION, Size
from benchmarks.kinds import KindMeasurement
from benchmarks.markdown import duration, verdict
from benchmarks.measure import PATIENCE, Measurement
from benchmarks.reference import reference_precision
from benchmarks.size_tables import lost, size_table

DIGITS_TITLE = "## Correct digits"  # what is below it goes to the page on digits


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
    kinds : dict of Size to list of KindMeasurement
    claims : list of Claim
    accuracy : Accuracy or None
    """

    threads: int | None
    libraries: str
    tables: dict[Size, list[Measurement]]
    kinds: dict[Size, list[KindMeasurement]]
    claims: list[Claim]
    accuracy: Accuracy | None


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
    head = ["# Benchmarks", _environment(command, busy), _how_to_read()]
    return "\n\n".join([*head, sections_text(sections)]) + "\n"


def sections_text(sections: Sequence[Section]) -> str:
    """Write the tables alone.

    Parameters
    ----------
    sections : sequence of Section

    Returns
    -------
    str
        Markdown.
    """
    parts = []
    for section in sections:
        limit = "" if section.threads is None else f", threads limited to {section.threads}"
        parts.append(f"Native libraries{limit}: {section.libraries}.")
        parts += [size_table(size, rows, limit) for size, rows in section.tables.items()]
        if section.tables:
            parts.append(lost(section.tables, limit))
        if section.kinds:
            parts.append(_kinds_table(section.kinds, limit))
        if section.claims:
            parts.append(_claims_table(section.claims, limit))
        if section.accuracy is not None:
            parts.append(_digits_table(section.accuracy, limit))
            parts.append(_unscaled_table(section.accuracy, limit))
    if len(sections) > 1 and sections[0].tables:
        parts.append(_threads_table(sections))
    return "\n\n".join(parts)


def _environment(command: str, busy: bool) -> str:
    rows = [
        ("Command", f"`{command}`"),
        ("Date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("Python", platform.python_version()),
        *((package, version(package)) for package in ("numpy", "scipy", "scikit-learn")),
        ("scikit-learn-intelex", _intel_version()),
        ("gd_regressor", gd_regressor.__version__),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("CPUs", _cpus()),
        ("Beside", "a process that keeps one core busy" if busy else "nothing of its own"),
    ]
    return markdown.table(["", ""], rows, "ll")


def _intel_version() -> str:
    if IntelLinearRegression is None:
        return "absent: its LinearRegression is left out"
    # Not sklearnex.__version__, which is a placeholder in the released wheels.
    return version("scikit-learn-intelex")


def _cpus() -> str:
    if hasattr(os, "sched_getaffinity"):
        return f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}"
    return str(os.cpu_count())


def _how_to_read() -> str:
    return f"""\
Every round fits each competitor once, in an order of its own, in one process; one whose fits have
taken {PATIENCE:.0f} s together sits out the rest, and at the largest sizes the slowest are left
out. *Time* is the median of a whole `fit`, with the quartiles behind it; *ratio* is that time
divided by the one of `GDLinearRegressor()`, so that a ratio below 1 means that ours is slower.
*Asked* is what the project aims at, with **no** where it is missed: the least ratio, the largest
excess of ours, and how many times larger SGD's excess is to be than ours (than {EQUALLY_EXACT:.0e}
where ours is smaller). *Excess* is (F - F\\*)/V: F the mean squared error, V the variance of y,
F\\* the minimum from a solution refined in extended precision ({reference_precision()}); the
difference is computed as the mean squared distance of the two models' predictions, which is the
same number without cancellation.
*Memory* is how far one fit raises the high-water mark of the resident set above process and data,
in a process of its own (so that what BLAS and LAPACK allocate is counted; `tracemalloc` would miss
it). The columns are normal, with means up to {FURTHEST:g} deviations from zero and units
that span two decades; y is linear in them, plus noise. A case that
`GDLinearRegressor()` loses is marked **loses**.

`lstsq` has no
intercept of its own, so that appending the column of ones is part of its time and memory. `X.T @ X`
fits nothing: it is what any method by normal equations written with NumPy begins with, on the
threads of BLAS."""


def _kinds_table(kinds: dict[Size, list[KindMeasurement]], limit: str) -> str:
    rows = [(str(size), *_kind_cells(size, row)) for size, found in kinds.items() for row in found]
    header = ["size", "kind", "time", "usual", "times usual", "excess", "met"]
    single = " and ".join(f"{speed} times faster on {size}" for size, speed in SINGLE_SPEED.items())
    parts = [
        f"## Other kinds of data{limit}",
        f"""\
The time of `GDLinearRegressor()`, and that of fits to the usual columns in the same rounds. Asked
is at most {KIND_RATIO} times the latter, and an excess of at most {EXCESS:.0e}. The kinds:
*gaussian*, normal columns about zero; *ar1*, rows of a process in which neighbours are correlated
by {NEIGHBOUR_CORRELATION}; *onehot*, blocks of up to {CATEGORIES} columns that sum to one, with
frequencies as 1, 1/2, 1/3, ...; *student*, Student's t with two degrees of freedom; *sorted*, the
Gaussian rows in the order of y; *float32*, the Gaussian columns in single precision, asked to be
{single}.""",
        markdown.table(header, rows, "llrrrrc"),
    ]
    return "\n\n".join(parts)


def _kind_cells(size: Size, row: KindMeasurement) -> tuple[str, ...]:
    return (
        row.kind,
        duration(row.seconds),
        duration(row.usual),
        f"{row.ratio:.2f}",
        markdown.excess(row.excess),
        verdict(row.ratio <= kind_ratio(size, row.kind) and row.excess <= EXCESS),
    )


def _claims_table(claims: Iterable[Claim], limit: str) -> str:
    rows = [
        (
            claim.statement,
            claim.found,
            claim.target,
            "not judged at this size" if claim.met is None else verdict(claim.met),
        )
        for claim in claims
    ]
    table = markdown.table(["claim", "measured", "target", "met"], rows, "lllc")
    return f"## Textbook claims{limit}\n\n{table}"


def _digits_table(accuracy: Accuracy, limit: str) -> str:
    rows = [
        (
            f"{row.problem} ({row.size})",
            f"{row.condition:.1e}",
            *(f"{digits:.2f}" for digits in row.digits.values()),
        )
        for row in accuracy.digits
    ]
    solvers = list(accuracy.digits[0].digits)
    header = ["", "condition", *solvers]
    parts = [
        f"{DIGITS_TITLE}{limit}",
        f"""\
How many decimal digits are right of the worst coefficient (the intercept is one of them), up to the
{ALL_DIGITS} of a correctly rounded number. The truth is the least-squares solution in exact
rational arithmetic on the same floating-point data. *Condition* is the condition number of the
columns, centred and scaled.""",
        markdown.table(header, rows, "lr" + "r" * len(solvers)),
    ]
    return "\n\n".join(parts)


def _unscaled_table(accuracy: Accuracy, limit: str) -> str:
    rows = [(row.solver, f"{row.r2:.6g}", f"{row.error:.1e}") for row in accuracy.unscaled]
    parts = [
        f"## A column of Unix seconds{limit}",
        """\
2,000 rows: Unix seconds over a year, uniform numbers from 0 to 1, Poisson counts; y is linear in
them without noise. *Error* is the largest relative error of a coefficient or the intercept.""",
        markdown.table(["", "R²", "error"], rows, "lrr"),
    ]
    return "\n\n".join(parts)


def _threads_table(sections: Sequence[Section]) -> str:
    """Put the medians of one competitor under several thread limits side by side."""
    rows = []
    for size, first in sections[0].tables.items():
        for place, row in enumerate(first):
            medians = [duration(section.tables[size][place].median) for section in sections]
            rows.append((str(size), row.competitor.name, *medians))
    header = ["size", "", *(f"{s.threads} thread{'s' * (s.threads != 1)}" for s in sections)]
    table = markdown.table(header, rows, "ll" + "r" * len(sections))
    return f"## Thread limits side by side\n\n{table}"
