"""Parquet in the command: folders, files larger than memory, files with false metadata."""

import io
import os
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import fit, refusal


def parquet_folder(tmp_path, n=6000, files=3):
    random = np.random.default_rng(2)
    table = pd.DataFrame(random.standard_normal((n, 4)) * [1, 10, 1e3, 1], columns=list("abcd"))
    table["y"] = table @ [1.0, 2.0, 3.0, 4.0] + 7 + random.standard_normal(n)
    table.loc[5::100, "b"] = np.nan
    table["text"] = "x"
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(files):
        part = table[i * n // files : (i + 1) * n // files]
        part.to_parquet(folder / f"{i}.parquet", index=False)
    table.to_parquet(tmp_path / "whole.parquet", index=False)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--no-intercept"],
        ["--standardize", "--learning-rate", "0.1", "--max-iter", "50", "--tol", "none"],
        ["--learning-rate", "1e-7", "--momentum", "0.5", "--max-iter", "9", "--tol", "none"],
        ["--features", "a", "c"],
    ],
    ids=" ".join,
)
def test_a_folder_gives_the_report_of_one_file(run, tmp_path, options):
    folder = parquet_folder(tmp_path)
    saved = ["--save", tmp_path / "model.joblib"]
    streamed = fit(run, folder, "--target", "y", *options, *saved)
    model = joblib.load(tmp_path / "model.joblib")
    args = ("--target", "y", "--no-compare", *options, *saved)
    whole = fit(run, tmp_path / "whole.parquet", *args)
    assert "6,000 rows, 6 columns, read once and not held" in " ".join(streamed.split())
    assert streamed[streamed.index("Target") :] == whole[whole.index("Target") :]
    rows = np.random.default_rng(0).standard_normal((5, len(model.feature_names_in_)))
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_allclose(model.predict(rows), again.predict(rows), rtol=1e-9)


def test_progress_is_told(tmp_path, monkeypatch):
    from gd_regressor.command import parquet

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(parquet, "EVERY", (0.0, 0.0))
    monkeypatch.setattr(parquet, "BATCH_VALUES", 2500)
    folder, out = parquet_folder(tmp_path), Terminal()
    problem = parquet.stream_problem(str(folder), "y", None, out)
    assert problem.n_used == 5940
    assert problem.X.shape == (6, 4)
    assert "3,000 of 6,000 rows (50%)" in out.getvalue()
    assert out.getvalue().count("\r") > 10


def test_what_a_folder_lacks_is_said(run, tmp_path):
    folder = parquet_folder(tmp_path)
    assert "has no column 'z'" in refusal(run, folder, "--target", "z")
    assert "'text' is not numeric" in refusal(run, folder, "--target", "y", "--features", "text")
    table = pd.read_parquet(folder / "1.parquet")
    table.assign(a=np.inf).to_parquet(folder / "1.parquet")
    assert "column 'a' has an infinite value" in refusal(run, folder, "--target", "y")
    table.drop(columns="a").to_parquet(folder / "1.parquet")
    assert "1.parquet" in refusal(run, folder, "--target", "y")
    (folder / "1.parquet").write_bytes(b"PAR1 and no more")
    assert "cannot read" in refusal(run, folder, "--target", "y")
    for file in folder.iterdir():
        file.unlink()
    assert "a folder without Parquet files" in refusal(run, folder, "--target", "y")


def test_a_large_file_is_streamed_too(run, tmp_path, monkeypatch):
    from gd_regressor.command import parquet

    monkeypatch.setattr(parquet, "LARGE", 1000)
    parquet_folder(tmp_path)
    report = fit(run, tmp_path / "whole.parquet", "--target", "y")
    assert "read once and not held" in report


PEAK = """
import resource, sys
from gd_regressor.__main__ import main
main([sys.argv[1], "--target", "y"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is the system's")
def test_memory_does_not_grow_with_the_folder(tmp_path):
    pytest.importorskip("pyarrow")
    random, folder = np.random.default_rng(0), tmp_path / "parts"
    folder.mkdir()
    table = pd.DataFrame(random.standard_normal((200_000, 10)), columns=list("abcdefghiy"))
    table.to_parquet(tmp_path / "one.parquet", index=False, row_group_size=50_000)
    peaks = []
    for files in (2, 30):  # 32 and 480 MB
        for i in range(files):
            path = folder / f"{i}.parquet"
            if not path.exists():
                os.link(tmp_path / "one.parquet", path)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, folder], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stderr.split()[-1]) / 1024)
    assert peaks[1] < peaks[0] + 60  # MiB


# --- Files made to harm ---


@pytest.fixture
def pool():
    """The memory that Arrow takes during a test."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    yield pool
    pa.set_memory_pool(before)


def numeric(n=300):
    x = np.arange(n) * 1.0
    return {"x": x, "z": x**2 % 7, "y": 2 * x + 1}


def bomb(n=300):
    """A column that is small in the file, but a megabyte in each row when read."""
    codes = pa.array(np.zeros(n, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(codes, ["ab" * 500_000])


def write(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_text_is_not_read(run, tmp_path, pool):
    columns = numeric() | {"text": bomb(), "nested": pa.array([{"x": "a"}] * 300)}
    path = write(tmp_path / "t.parquet", columns, store_schema=False)
    assert path.stat().st_size < 100_000
    taken = pool.max_memory()
    report = fit(run, path, "--target", "y", "--no-compare")
    assert pool.max_memory() < taken + 20e6
    assert "Left out    text, nested" in report
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / "1.parquet")
    report = fit(run, tmp_path / "folder", "--target", "y")
    assert pool.max_memory() < taken + 20e6
    assert "Left out    text, nested" in report


def test_a_later_file_whose_numbers_are_text_is_not_read(run, tmp_path, pool):
    write(tmp_path / "1.parquet", numeric())
    write(tmp_path / "2.parquet", numeric() | {"x": bomb()}, store_schema=False)
    taken = pool.max_memory()
    line = refusal(run, tmp_path, "--target", "y")
    assert "column 'x' is not numeric: text, dates or the like (its type is string)" in line
    assert pool.max_memory() < taken + 20e6


def test_a_name_that_means_a_part_of_a_nested_column_too_is_left_out(run, tmp_path, pool):
    nested = pa.StructArray.from_arrays([bomb().dictionary_decode()], ["b"])
    x = numeric()["x"]
    columns = numeric() | {"a.b": x, "x.1": x, "a": nested}
    path = write(tmp_path / "t.parquet", columns, store_schema=False)
    taken = pool.max_memory()
    words = " ".join(fit(run, path, "--target", "y", "--no-compare").split())
    assert "Features 3: x, z, x.1" in words
    assert "Left out a.b (its name is that of a part of a nested column), a" in words
    assert pool.max_memory() < taken + 20e6


def lying(path, number, claims):
    """A file of 1,000 rows, with one false number in its footer, at a given place."""
    raw = write(path, numeric(1000)).read_bytes()
    start = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    parts = raw[start:].split(b"\x16\xd0\x0f")  # 1,000 in Thrift's compact form
    assert len(parts) == 6  # the file, three columns, the row group
    joints = [b"\x16\xd0\x0f"] * 5
    joints[number] = {200: b"\x16\x90\x03", 3000: b"\x16\xf0\x2e"}[claims]
    foot = b"".join(part + joint for part, joint in zip(parts, [*joints, b""], strict=True))
    path.write_bytes(raw[:start] + foot)
    return path


@pytest.mark.parametrize("folder", [False, True])
def test_a_file_that_lies_about_its_rows_gets_one_line(run, tmp_path, folder):
    path = tmp_path / "t.parquet"
    for number, claims in ((0, 200), (0, 3000), (4, 200)):
        lying(path, number, claims)
        rows = f"{1000 if number else claims:,} rows that it claims"
        assert rows in refusal(run, tmp_path if folder else path, "--target", "y")


def test_a_row_index_of_pandas_is_no_column(run, tmp_path):
    frame = pd.DataFrame(numeric())
    frame.index = frame.index.to_numpy() ** 2
    for name, told in ((None, "__index_level_0__"), ("id", "id")):
        frame.rename_axis(name).to_parquet(tmp_path / "t.parquet")
        for path in (tmp_path / "t.parquet", tmp_path):
            words = " ".join(fit(run, path, "--target", "y", "--no-compare").split())
            assert "Features 2: x, z" in words
            assert f"Left out {told} (a row index)" in words


def test_whole_numbers_beyond_those_of_floats_are_rounded(run, tmp_path):
    columns = numeric() | {"id": np.arange(300) + 2**53}
    columns["half"] = (columns["x"] % 5).astype(np.float16)
    columns["count"] = pa.array([None, *range(299)], type=pa.uint16())
    path = write(tmp_path / "t.parquet", columns)
    for table in (path, tmp_path):
        words = " ".join(fit(run, table, "--target", "y", "--no-compare").split())
        assert "Features 5: x, z, id, half, count" in words
        assert "299 used, 1 left out for a missing value: count (1)" in words


@pytest.mark.parametrize("folder", [False, True])
def test_a_hostile_parquet_file_gets_one_line(run, tmp_path, folder):
    path = tmp_path / "t.parquet"
    whole = write(path, numeric(5000)).read_bytes()
    table = tmp_path if folder else path
    twice = pa.Table.from_arrays([pa.array([1.0, 2])] * 3, ["x\x1b", "x\x1b", "y"])
    pq.write_table(twice, path)
    assert r"has two columns named 'x\x1b': rename one" in refusal(run, table, "--target", "y")
    write(path, {"x": pa.array([], pa.float64()), "y": pa.array([], pa.float64())})
    assert "has no rows" in refusal(run, table, "--target", "y")
    write(path, {"x": ["a"], "y": ["b"]})
    assert "target 'y' is not numeric: text" in refusal(run, table, "--target", "y")
    broken = pa.table(numeric()).replace_schema_metadata({"pandas": "[1"})
    pq.write_table(broken, path)
    assert "cannot read" in refusal(run, table, "--target", "y")
    path.write_bytes(whole[:1000] + bytes(1000) + whole[2000:])
    assert "cannot read" in refusal(run, table, "--target", "y")
    path.write_bytes(whole[:-300] + bytes(200) + whole[-100:])
    assert "cannot read" in refusal(run, table, "--target", "y")
    path.write_bytes(whole[:-100])
    assert "cannot read" in refusal(run, table, "--target", "y")


def test_a_wide_file_is_read_whole(run, tmp_path, monkeypatch):
    from gd_regressor.command import parquet

    monkeypatch.setattr(parquet, "LARGE", 1000)
    table = pd.DataFrame(np.random.default_rng(0).random((20, 2000)))
    table.columns = [f"c{j}" for j in range(2000)]
    table.to_parquet(tmp_path / "t.parquet")
    report = fit(run, tmp_path / "t.parquet", "--target", "c0", "--no-compare")
    assert "read once" not in report
    assert "The 30 largest of 1999" in report


def test_early_stopping_wants_rows_that_are_held(run, tmp_path):
    folder = parquet_folder(tmp_path)
    status, _, err = run(folder, "--target", "y", "--learning-rate", "0.1", "--early-stopping")
    assert status == 2
    assert "--early-stopping needs rows that are held" in err
    assert "leave --early-stopping out" in err
