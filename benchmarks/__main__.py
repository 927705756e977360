"""The command ``python -m benchmarks``; ``--help`` lists its options."""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.claims import measure_claims
from benchmarks.data import FULL_SIZES, QUICK_SIZES, Size
from benchmarks.measure import busy_core, measure
from benchmarks.report import Section, libraries_in_use, render

CLAIMS = "claims"

# Below this many entries a fit takes about a millisecond, and many rounds are affordable.
SMALL = 100_000


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print or write the report.

    Parameters
    ----------
    arguments : list of str, optional
        The command line without the program; by default the process's own.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    # Said now rather than after minutes of measuring.
    if options.output is not None and not options.output.parent.is_dir():
        parser.error(f"--output: there is no folder {options.output.parent}")
    with busy_core() if options.busy else nullcontext():
        sections = [_section(options, threads) for threads in options.threads or [None]]
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    report = render(sections, command, options.busy)
    if options.output is None:
        print(report, end="")
    else:
        options.output.write_text(report, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure GDLinearRegressor beside its peers, interleaved in one process. The "
        "full run takes about ten minutes and 4 GB of memory.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="small sizes and few rounds, under a minute")
    add(
        "--only",
        nargs="+",
        type=_size_or_claims,
        metavar="SIZE",
        help=f"these sizes (any ROWSxCOLUMNS, as 200000x100) and no others; "
        f"'{CLAIMS}' means the three textbook claims",
    )
    add(
        "--rounds",
        type=_positive,
        help="rounds for everything; by default 201 for small data and 5 for large (3 claims)",
    )
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the Markdown there (docs/benchmark_table.md is its place); "
        "otherwise it is printed",
    )
    add(
        "--threads",
        nargs="+",
        type=_positive,
        help="repeat all of it under each of these limits of BLAS and OpenMP threads",
    )
    add("--busy", action="store_true", help="beside a process that keeps one core busy")
    return parser


def _section(options: argparse.Namespace, threads: int | None) -> Section:
    """Measure all that was asked for under one thread limit."""
    chosen = options.only or [*(QUICK_SIZES if options.quick else FULL_SIZES), CLAIMS]
    sizes = [size for size in chosen if size != CLAIMS]
    with nullcontext() if threads is None else threadpool_limits(threads):
        tables = {
            size: measure(size, options.rounds or _rounds(size, options.quick), threads, _progress)
            for size in sizes
        }
        claims = []
        if CLAIMS in chosen:
            _progress("textbook claims")
            claims = measure_claims(options.quick, options.rounds or 3)
        return Section(threads, libraries_in_use(), tables, claims)


def _rounds(size: Size, quick: bool) -> int:
    if size.rows * size.columns < SMALL:
        return 21 if quick else 201
    return 3 if quick else 5


def _size_or_claims(text: str) -> Size | str:
    try:
        return CLAIMS if text == CLAIMS else Size.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def _progress(message: str) -> None:
    """Tell a waiting person what happens, apart from the report on the standard output."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
