"""``python -m benchmarks.anydata``: sparse columns, files larger than memory, long streams."""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from benchmarks.beside import deliver, environment
from benchmarks.markdown import duration, excess, table, verdict
from benchmarks.measure import interleave
from gd_regressor import GDLinearRegressor, Moments

ROWS, COLUMNS, PER_ROW = 200_000, 50_000, 50
EXCESSES = (1e-6, 1e-10, 1e-12)
TOLERANCES = 10.0 ** np.arange(-1, -12.5, -0.5)
ASKED_SPARSE = {"uniform": 1.0, "tf-idf": 2.0, "one-hot": 2.0}
ASKED_DOWN_TO = 1e-10
ASKED_COLD, ASKED_WARM = 0.8, 0.9
READ_AT_ONCE = 8 << 20


def main() -> None:
    """Measure what is asked for, and print or write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anydata", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--file-gigabytes", type=float, default=10.0, metavar="GB")
    parser.add_argument("--folder", type=Path, help="where the large file is made and removed")
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    texts = [PARTS[part](options) for part in options.only]
    report = "\n\n".join([f"# Any data\n\nMeasured with {environment()}.", *texts]) + "\n"
    deliver(report, options.output)


# --- Sparse columns ---


def sparse_columns(kind: str) -> tuple[sp.csr_array, np.ndarray]:
    """A table of 200,000 x 50,000 with one entry in a thousand stored, and a target.

    "uniform": normal entries anywhere. "tf-idf": words drawn with frequencies 1/k, weighted and
    normalised as a vectoriser does. "one-hot": fifty categories of a thousand levels, likewise.
    """
    random = np.random.default_rng(0)
    rows = np.repeat(np.arange(ROWS), PER_ROW)
    if kind == "uniform":
        columns = random.integers(0, COLUMNS, ROWS * PER_ROW)
        values = random.standard_normal(ROWS * PER_ROW)
    else:
        levels = COLUMNS if kind == "tf-idf" else COLUMNS // PER_ROW
        share = 1 / np.arange(1, levels + 1)
        columns = random.choice(levels, size=(ROWS, PER_ROW), p=share / share.sum())
        if kind == "one-hot":
            columns = columns + levels * np.arange(PER_ROW)
        columns, values = columns.ravel(), np.ones(ROWS * PER_ROW)
    X = sp.csr_array((values, (rows, columns)), shape=(ROWS, COLUMNS))
    X.sum_duplicates()
    if kind == "tf-idf":
        seen = np.bincount(X.indices, minlength=COLUMNS)
        X.data *= (np.log((1 + ROWS) / (1 + seen)) + 1)[X.indices]
        X.data /= np.repeat(np.sqrt((X * X).sum(axis=1)), np.diff(X.indptr))
    y = X @ random.standard_normal(COLUMNS) + 0.7 * random.standard_normal(ROWS)
    return X, y


def measure_sparse(options) -> str:
    """Time to an equal excess loss, beside Ridge's LSQR."""
    lines = []
    for kind, asked in ASKED_SPARSE.items():
        _progress(f"sparse: {kind}")
        X, y = sparse_columns(kind)
        ours = {tol: GDLinearRegressor(tol=tol) for tol in TOLERANCES}
        theirs = {
            tol: Ridge(alpha=1e-10, solver="lsqr", tol=tol, max_iter=10_000) for tol in TOLERANCES
        }
        best = GDLinearRegressor(tol=1e-18).fit(X, y)
        minimum = float(np.mean((y - best.predict(X)) ** 2))
        for target in EXCESSES:
            chosen = {
                "ours": _loosest(ours, X, y, minimum, target),
                "theirs": _loosest(theirs, X, y, minimum, target),
            }
            calls = {name: partial(model.fit, X, y) for name, (_, model, _) in chosen.items()}
            seconds, _ = interleave(calls, 3)
            mine, other = (float(np.median(seconds[name])) for name in ("ours", "theirs"))
            (tol, _, reached), (their_tol, _, their_excess) = chosen.values()
            lines.append(
                [
                    kind,
                    f"{target:g}",
                    f"{duration(mine)} (tol {tol:.0e}, {excess(reached)})",
                    f"{duration(other)} (tol {their_tol:.0e}, {excess(their_excess)})",
                    f"{other / mine:.2f}",
                    f"{asked:g}" if target >= ASKED_DOWN_TO else "-",
                    verdict(other >= asked * mine) if target >= ASKED_DOWN_TO else "-",
                ]
            )
    header = [
        "data",
        "excess",
        "GDLinearRegressor",
        "Ridge(solver='lsqr')",
        "ratio",
        "asked",
        "met",
    ]
    return (
        f"### Sparse columns\n\n{ROWS:,} x {COLUMNS:,}, about {PER_ROW} entries in a row. Median "
        "of three fits, interleaved, each solver at the loosest `tol` (of half powers of ten) that "
        "reaches the excess loss, relative to y's variance; in parentheses that `tol` and the "
        "excess reached. With a `tol` of 1e-10 or less `GDLinearRegressor` also finds out how the "
        "columns depend on each other, and of several minimisers the one of least norm.\n\n"
        + table(header, lines, "lrrrrrc")
    )


def _loosest(models: dict, X, y, minimum: float, target: float):
    for tol, model in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        found = float(np.mean((y - model.predict(X)) ** 2) - minimum) / y.var()
        if found <= target:
            return tol, model, max(found, 0.0)
    raise RuntimeError(f"no tolerance reaches an excess of {target:g}")


# --- Files ---


def measure_files(options) -> str:
    """Fits of a memory map, beside reading the file and beside the array in memory."""
    d = 50
    rows = int(options.file_gigabytes * 1e9 / 8 / (d + 1))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "table"
        _progress(f"files: writing {options.file_gigabytes:g} GB")
        _write_table(path, rows, d)
        size = path.stat().st_size
        mapped = np.memmap(path, mode="r", dtype=float, shape=(rows, d + 1))
        model = GDLinearRegressor()
        fit = partial(model.fit, mapped[:, :d], mapped[:, d])
        cold = _cold(path, {"read": partial(_read, path), "fit": fit})
        part = int(min(rows, 2.5e9 / 8 / (d + 1)))
        held = np.array(mapped[:part])
        some = mapped[:part]
        warm, _ = interleave(
            {
                "mapped": partial(model.fit, some[:, :d], some[:, d]),
                "held": partial(model.fit, held[:, :d], held[:, d]),
            },
            5,
        )
    speed = {name: size / 1e6 / float(np.median(seconds)) for name, seconds in cold.items()}
    rates = {name: held.nbytes / 1e6 / float(np.median(seconds)) for name, seconds in warm.items()}
    lines = [
        [
            f"{size / 1e9:.1f} GB, cold cache",
            f"{speed['fit']:,.0f} MB/s",
            f"plain read: {speed['read']:,.0f} MB/s",
            f"{speed['fit'] / speed['read']:.2f}",
            f"{ASKED_COLD:g}",
        ],
        [
            f"{held.nbytes / 1e9:.1f} GB, warm cache",
            f"{rates['mapped']:,.0f} MB/s",
            f"in memory: {rates['held']:,.0f} MB/s",
            f"{rates['mapped'] / rates['held']:.2f}",
            f"{ASKED_WARM:g} (either)",
        ],
    ]
    return (
        f"### Memory maps\n\n{rows:,} rows of {d} columns and the target in one file. Medians, "
        "interleaved.\n\n" + table(["file", "fit", "beside", "ratio", "asked"], lines, "lrrrr")
    )


def _cold(path: Path, calls: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """The seconds of calls that find nothing of the file in memory."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(2):
        for name, call in calls.items():
            _forget(path)
            _progress(f"files: cold {name}")
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def _write_table(path: Path, rows: int, d: int) -> None:
    random, height = np.random.default_rng(0), 250_000
    with open(path, "wb") as file:
        for first in range(0, rows, height):
            part = random.standard_normal((min(height, rows - first), d + 1))
            part[:, d] += part[:, :d].sum(axis=1)
            part.tofile(file)
        file.flush()
        os.fsync(file.fileno())


def _forget(path: Path) -> None:
    """Have the system drop the file from its cache."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(path: Path) -> None:
    buffer = bytearray(READ_AT_ONCE)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


# --- Streams ---


def measure_scaling(options) -> str:
    """Cost per row of streams of 1e4 to 1e8 rows."""
    d, height = 20, 100_000
    random = np.random.default_rng(0)
    pool = [random.standard_normal((height, d)) for _ in range(8)]
    targets = [X.sum(axis=1) + random.standard_normal(height) for X in pool]

    def batches(rows: int) -> Iterator:
        for number in range(max(rows // height, 1)):
            last = min(rows, height)
            yield pool[number % 8][:last], targets[number % 8][:last]

    fits: dict[str, Callable[[int], object]] = {
        'stream="moments"': lambda rows: GDLinearRegressor().fit_batches(batches(rows)),
        'stream="qr"': lambda rows: GDLinearRegressor(stream="qr").fit_batches(batches(rows)),
    }
    lines = []
    for rows in (10**4, 10**5, 10**6, 10**7, 10**8):
        _progress(f"streams: {rows:,} rows")
        cells = [f"{rows:,}"]
        for name, fit in fits.items():
            if rows > 10**7 and "qr" in name:
                cells.append("-")
                continue
            began = time.perf_counter()
            fit(rows)
            seconds = time.perf_counter() - began
            cells.append(f"{duration(seconds)} ({seconds / rows * 1e9:,.0f} ns a row)")
        lines.append(cells)
    sizes = ", ".join(
        f"{len(pickle.dumps(Moments.of(np.eye(d + 2, d), np.ones(d + 2)))) / 1e3:,.0f} kB at {d}"
        for d in (20, 200, 1000)
    )
    return (
        f"### Streams\n\n`fit_batches` on batches of {height:,} rows of {d} columns, drawn "
        "beforehand. What is kept, and what travels between machines, does not depend on the rows: "
        f"pickled moments take {sizes} columns.\n\n" + table(["rows", *fits], lines, "rrr")
    )


PARTS = {"sparse": measure_sparse, "files": measure_files, "streams": measure_scaling}


def _progress(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
