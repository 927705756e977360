"""The command ``python -m benchmarks``; ``--help`` lists its options."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.accuracy import measure_accuracy
from benchmarks.asked import RATIOS
from benchmarks.beside import deliver
from benchmarks.claims import measure_claims
from benchmarks.data import FULL_SIZES, QUICK_SIZES, Size
from benchmarks.kinds import KIND_SIZES, measure_kinds
from benchmarks.measure import busy_core, measure
from benchmarks.report import DIGITS_TITLE, Section, libraries_in_use, render, sections_text
from gd_regressor.arithmetic.kernels import has_wide_kernels

CLAIMS = "claims"
ACCURACY = "accuracy"

# Those that a speed is asked of beside ours. SGD's takes minutes, and is not close
PEERS = {"auto", *(key for asked in RATIOS.values() for key in asked)} - {"sgd"}
# OpenBLAS's name for kernels without AVX-512
NARROW = "Haswell"

# Below the first number of entries a fit takes about a millisecond, and many rounds are
# affordable; from the second on it takes seconds.
SMALL = 100_000
LARGE = 100_000_000
# Of two fits, both of them ours: more rounds cost little, and the ratios asked are close
KIND_ROUNDS = 2


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
    if options.sections:
        print(sections_text(sections))
        return
    report = render(sections, command, options.busy)
    if has_wide_kernels() and not options.quick:
        times, title, digits = report.partition(DIGITS_TITLE)
        report = f"{times.rstrip()}\n\n{_with_narrow_kernels(arguments)}\n{title}{digits}"
    deliver(report, options.output)


def _with_narrow_kernels(arguments: list[str]) -> str:
    """The same sections on most other processors' kernels, which a process chooses at its start."""
    _progress(f"once more with OpenBLAS's kernels for {NARROW}")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--sections"],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OPENBLAS_CORETYPE": NARROW},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return f"# With OpenBLAS's kernels for {NARROW}\n\n{done.stdout}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure GDLinearRegressor beside its peers, interleaved in one process. The "
        "full run takes about twenty minutes and 6 GB of memory. Where the processor has AVX-512, "
        "it is made once more with OpenBLAS's kernels for processors that have not.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="small sizes and few rounds, under a minute")
    add(
        "--only",
        nargs="+",
        type=_size_or_word,
        metavar="SIZE",
        help=f"these sizes (any ROWSxCOLUMNS, as 200000x100) and no others; '{CLAIMS}' means the "
        f"three textbook claims, '{ACCURACY}' the correct digits on hard problems",
    )
    add(
        "--kinds",
        action="store_true",
        help="other kinds of data in all of the sizes measured; the full run has them in most",
    )
    add(
        "--rounds",
        type=_positive,
        help="rounds for everything; by default 201 for small data, 5 for large, 3 for the largest "
        "and for the claims, twice as many for kinds (a competitor that takes long runs in the "
        "first of them only)",
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
    add(
        "--speed",
        action="store_true",
        help="the sizes and peers that a speed is asked beside, and nothing else: a quarter of an "
        "hour with both kinds of kernels",
    )
    add("--sections", action="store_true", help=argparse.SUPPRESS)
    add("--busy", action="store_true", help="beside a process that keeps one core busy")
    return parser


def _section(options: argparse.Namespace, threads: int | None) -> Section:
    """Measure all that was asked for under one thread limit."""
    sizes = QUICK_SIZES if options.quick else FULL_SIZES
    chosen = options.only or [*sizes, *([] if options.speed else (CLAIMS, ACCURACY))]
    keys = PEERS if options.speed else None
    rounds = {
        size: options.rounds or _rounds(size, options.quick)
        for size in chosen
        if isinstance(size, Size)
    }
    with nullcontext() if threads is None else threadpool_limits(threads):
        tables = {size: measure(size, rounds[size], threads, _progress, keys) for size in rounds}
        kinds = {
            size: measure_kinds(size, KIND_ROUNDS * rounds[size], _progress)
            for size in rounds
            if options.kinds or (not options.only and not options.speed and size in KIND_SIZES)
        }
        claims = []
        if CLAIMS in chosen:
            _progress("textbook claims")
            claims = measure_claims(options.quick, options.rounds or 3)
        accuracy = None
        if ACCURACY in chosen and not options.sections:  # digits hardly depend on the kernels
            _progress("accuracy")
            accuracy = measure_accuracy()
        return Section(threads, libraries_in_use(), tables, kinds, claims, accuracy)


def _rounds(size: Size, quick: bool) -> int:
    entries = size.rows * size.columns
    if entries < SMALL:
        return 21 if quick else 201
    return 3 if quick or entries >= LARGE else 5


def _size_or_word(text: str) -> Size | str:
    try:
        return text if text in (CLAIMS, ACCURACY) else Size.parse(text)
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
