"""What the commands share that measure us beside peers: both ways of threads, arguments, output."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from threadpoolctl import threadpool_limits

from benchmarks.markdown import table

# Data sets by their seeds; what is reported covers all of them
SEEDS = (0, 1, 2)
# How a peer ran: on some tables BLAS's threads make a coordinate descent several times slower
WAYS = ("its threads", "one thread")

# (seeds, rounds) -> lines of the table, the first cell of which tells the data
Job = Callable[[tuple[int, ...], int], list[list[str]]]


def on_one_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call with BLAS at one thread."""
    with threadpool_limits(1, user_api="blas"):
        return call(*arguments)


def both_ways(name: str, call: Callable[[], Any]) -> dict[str, Callable[[], Any]]:
    """A peer with BLAS's threads as they are, and at one thread; `faster` finds the better."""
    calls = call, partial(on_one_thread, call)
    return {f"{name}, {way}": one for way, one in zip(WAYS, calls, strict=True)}


def faster(name: str, seconds: Mapping[str, Sequence[float]]) -> tuple[str, float, str] | None:
    """The key of a peer's faster way, its median time, and the way; None was not measured."""
    keys = {f"{name}, {way}": way for way in WAYS}
    medians = {key: statistics.median(seconds[key]) for key in keys if key in seconds}
    if not medians:
        return None
    key = min(medians, key=medians.__getitem__)
    return key, medians[key], keys[key]


def environment() -> str:
    """The versions, the processors and the load."""
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn "
    versions += f"{sklearn.__version__}, Python {platform.python_version()}, {os.cpu_count()} CPUs"
    return f"{versions}; load {', '.join(f'{value:.1f}' for value in os.getloadavg())}"


def deliver(text: str, output: Path | None) -> None:
    """Print the report, or write it to a file."""
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")


def measured(
    name: str,
    description: str | None,
    jobs: Mapping[str, Job],
    header: Sequence[str],
    *,
    rounds: int,
    note: str = "",
    arguments: list[str] | None = None,
) -> None:
    """The whole command ``python -m benchmarks.<name>``: measure, and print or write the table.

    `jobs` has their words, by which ``--only`` chooses. The table has data, ours, peer, its time,
    the ratio, what is asked of it, and whether it is met.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    only = "measure the cases that have all of these words"
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help=only)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    lines = []
    for words, job in jobs.items():
        if not all(word in words for word in options.only):
            continue
        print(words, f"load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = job(SEEDS[: options.seeds], options.rounds)
        for line in found:
            print("  ", *line[1:], sep=" | ", file=sys.stderr, flush=True)
        lines += found
    # The heading is for readers of the file: the pages leave its line out
    text = f"# {name.capitalize()}\n\n" + table(header, lines, "llllrrc") + "\n\n"
    text += f"{note}Load at the end: {os.getloadavg()[0]:.1f}.\n"
    deliver(text, options.output)
