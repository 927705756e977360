"""Files that the command writes and reads: plots, models, predictions, and hostile files."""

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from commands import TEXTBOOK, built, fit, refusal, write_csv
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import gd_regressor
from gd_regressor import GDLinearRegressor
from gd_regressor import __main__ as command

posix = pytest.mark.skipif(sys.platform == "win32", reason="other modes and links there")

# --- Written whole ---


def test_the_plot_is_a_picture(run, tmp_path, cars):
    fit(run, cars, "--target", "price", *TEXTBOOK, "--no-compare", "--plot", tmp_path / "loss.png")
    content = (tmp_path / "loss.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(content) > 10_000


@pytest.mark.parametrize("options", [[], ["--standardize"]])
def test_a_saved_model_predicts_in_original_units(run, tmp_path, options):
    columns = built()
    table = write_csv(tmp_path / "cars.csv", columns)
    saved = tmp_path / "model.joblib"
    fit(run, table, "--target", "price", "--no-compare", "--save", saved, *options)
    model = joblib.load(saved)
    X = np.column_stack([columns["engine_size"], columns["weight"]])
    exact = LinearRegression().fit(X, columns["price"]).predict(X)
    assert list(model.feature_names_in_) == ["engine_size", "weight"]
    frame = pd.DataFrame(columns)[model.feature_names_in_]
    np.testing.assert_allclose(model.predict(frame), exact, rtol=1e-9)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"weight": "height"}))

    # New rows, other columns in another order, and a hole.
    new = {"weight": columns["weight"].tolist(), "engine_size": columns["engine_size"].tolist()}
    new["weight"][3] = "NA"
    status, out, err = run(write_csv(tmp_path / "new.csv", new), "--predict", saved)
    first, *cells = out.splitlines()
    assert (status, first, len(cells), cells[3]) == (0, "prediction", 159, "nan")
    assert err.splitlines() == [
        "python -m gd_regressor: no prediction (nan) for 1 of 159 rows: a value is missing"
    ]
    del cells[3]
    np.testing.assert_allclose(np.array(cells, float), np.delete(exact, 3), rtol=1e-9)

    output = tmp_path / "predictions.csv"
    assert fit(run, table, "--predict", saved, "--output", output) == ""
    np.testing.assert_allclose(pd.read_csv(output)["prediction"], exact, rtol=1e-9)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv"] * 3 + [".joblib"]


def test_outputs_are_checked_before_the_fit(run, tmp_path, cars, monkeypatch):
    def no_fit(*args):
        raise AssertionError("fitted")

    monkeypatch.setattr(command, "_fitted", no_fit)
    before = Path(cars).read_bytes()
    target = ("--target", "price")
    for args, words in {
        (cars, *target, "--save", tmp_path / "no" / "m.joblib"): "no folder",
        (cars, *target, "--plot", tmp_path / "no" / "loss.png"): "no folder",
        (cars, *target, "--save", tmp_path): "is a folder",
        (cars, *target, "--save", cars): "would overwrite cars.csv",
        (cars, *target, "--plot", "p.png", "--save", "p.png"): "would overwrite p.png",
        (cars, *target, "--plot", tmp_path / "loss.xyz"): "must end in one of",
        (cars, *target, "--output", tmp_path / "p.csv"): "--output goes with --predict",
    }.items():
        assert words in refusal(run, *args)
    assert Path(cars).read_bytes() == before


def test_a_failed_write_keeps_the_old_file_and_still_reports(run, tmp_path, cars, monkeypatch):
    saved = tmp_path / "model.joblib"
    saved.write_text("the old one")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    status, out, err = run(cars, "--target", "price", "--no-compare", "--save", saved)
    assert status == 2
    assert "Coefficient" in out
    assert err.count("\n") == 1 and "No space left on device" in err
    assert saved.read_text() == "the old one"
    assert len(list(tmp_path.iterdir())) == 2


def test_wrong_predictions_get_one_line(run, tmp_path, cars):
    saved, other = tmp_path / "model.joblib", tmp_path / "other.joblib"
    fit(run, cars, "--target", "price", "--no-compare", "--save", saved)
    lacking = write_csv(tmp_path / "lacking.csv", {"engine_size": [1, 2]})
    holes = write_csv(tmp_path / "holes.csv", {"engine_size": ["", 1], "weight": [1, ""]})
    assert "no column 'weight'" in refusal(run, lacking, "--predict", saved)
    assert "lacks a value" in refusal(run, holes, "--predict", saved)
    absent = tmp_path / "no.joblib"
    line = refusal(run, cars, "--predict", absent)
    assert line.endswith(f"error: cannot read {absent}: No such file or directory\n")
    line = refusal(run, cars, "--predict", lacking)
    assert line.endswith(f"error: {lacking} is not a model made by --save\n")
    joblib.dump({"not": "a model"}, other)
    assert "not a model made by --save" in refusal(run, cars, "--predict", other)
    other.write_bytes(b"\x1f\x8b and no more of gzip")
    assert "not a model made by --save" in refusal(run, cars, "--predict", other)
    assert "name the table" in refusal(run, "--predict", saved)
    assert "no other option" in refusal(run, cars, "--predict", saved, "--target", "price")
    assert "would overwrite" in refusal(run, cars, "--predict", saved, "--output", cars)
    assert "would overwrite" in refusal(run, cars, "--predict", saved, "--output", saved)
    assert "no folder" in refusal(run, cars, "--predict", saved, "--output", tmp_path / "a" / "b")


def test_predictions_of_a_diverged_model_are_warned_of(run, cars, tmp_path):
    saved = tmp_path / "model.joblib"
    rate = ("--learning-rate", "1.05", "--max-iter", "200000")
    for options in (rate, (*rate, "--standardize")):
        run(cars, "--target", "price", "--no-compare", "--save", saved, *options)
        status, out, err = run(cars, "--predict", saved)
        assert (status, len(out.splitlines())) == (0, 160)
        assert err.count("\n") == 1 and "warning: " in err and "diverged" in err


# --- Links and permissions ---


@pytest.fixture
def outputs(run, tmp_path, cars):
    """For each option the arguments of a command that writes the file."""
    saved = tmp_path / "made before.joblib"
    fit(run, cars, "--target", "price", "--no-compare", "--save", saved)
    return {
        "--save": (cars, "--target", "price", "--no-compare", "--save"),
        "--plot": (cars, "--target", "price", "--no-compare", "--plot"),
        "--output": (cars, "--predict", saved, "--output"),
    }


each_output = pytest.mark.parametrize(
    ("option", "name"),
    [("--save", "m.joblib"), ("--save", "m.skops"), ("--plot", "p.png"), ("--output", "o.csv")],
)


@posix
@each_output
def test_a_link_that_waits_beside_a_target_is_not_followed(run, tmp_path, outputs, option, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f".part-{name}").symlink_to(victim)
    fit(run, *outputs[option], tmp_path / name)
    assert victim.read_text() == "precious"
    assert (tmp_path / f".part-{name}").is_symlink()
    assert (tmp_path / name).stat().st_size > 0


@posix
@each_output
def test_a_file_keeps_its_mode_and_a_new_one_has_that_of_the_umask(
    run, tmp_path, outputs, option, name
):
    whole, umask = tmp_path / name, os.umask(0o027)
    try:
        fit(run, *outputs[option], whole)
        assert stat.S_IMODE(whole.stat().st_mode) == 0o640
        for mode in (0o600, 0o664, 0o444):
            whole.write_text("old")
            whole.chmod(mode)
            fit(run, *outputs[option], whole)
            assert stat.S_IMODE(whole.stat().st_mode) == mode
            assert whole.stat().st_size > 3
    finally:
        os.umask(umask)


@posix
@each_output
def test_a_private_file_is_private_while_it_is_written(
    run, tmp_path, outputs, option, name, monkeypatch
):
    seen = []
    opened = os.open

    def watched(path, *args, **kwargs):
        file = opened(path, *args, **kwargs)
        if ".part-" in os.fspath(path):
            seen.append(stat.S_IMODE(os.fstat(file).st_mode))
        return file

    (tmp_path / name).touch(0o600)
    monkeypatch.setattr(os, "open", watched)
    fit(run, *outputs[option], tmp_path / name)
    assert seen == [0o600]


@posix
@each_output
def test_a_link_stays_and_what_it_leads_to_is_replaced(run, tmp_path, outputs, option, name):
    folder, link = tmp_path / "elsewhere", tmp_path / name
    folder.mkdir()
    link.symlink_to(folder / name)
    for _ in range(2):  # a link to nothing, and to a file
        fit(run, *outputs[option], link)
        assert link.is_symlink()
        assert (folder / name).stat().st_size > 0
        assert os.listdir(folder) == [name]
        (folder / name).write_text("")


@posix
def test_a_link_that_leads_in_a_circle_gets_one_line(run, tmp_path, cars, outputs):
    circle, other = tmp_path / "circle", tmp_path / "other"
    circle.symlink_to(other)
    other.symlink_to(circle)
    for option, args in outputs.items():
        words = f"error: {circle} is a link that leads in a circle: give another file"
        assert words in refusal(run, *args, circle), option
    assert "no folder" in refusal(run, cars, "--target", "price", "--save", circle / "m.joblib")
    assert "cannot read" in refusal(run, circle, "--target", "price")
    assert "cannot read" in refusal(run, cars, "--predict", circle)
    assert circle.is_symlink() and other.is_symlink()


@posix
def test_a_pipe_is_no_file_to_write(run, outputs):
    reader, writer = os.pipe()
    for option, args in outputs.items():
        assert f"{option} /dev/fd/{writer} is a folder or a device" in refusal(
            run, *args, f"/dev/fd/{writer}"
        )
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, 130), (MemoryError, 2), (OSError(28, "full"), 2)]
)
@each_output
def test_nothing_is_left_behind(run, tmp_path, outputs, option, name, error, status, monkeypatch):
    def fails(*args):
        raise error

    before = sorted(os.listdir(tmp_path))
    monkeypatch.setattr(os, "chmod", fails)
    monkeypatch.setattr(os, "supports_fd", {fails})
    (tmp_path / name).write_text("the old one")
    got, _, err = run(*outputs[option], tmp_path / name)
    assert (got, err.count("\n")) == (status, 1)
    assert (tmp_path / name).read_text() == "the old one"
    assert sorted(os.listdir(tmp_path)) == sorted([*before, name])


def test_a_name_too_long_gets_one_line(run, cars, tmp_path):
    long = tmp_path / ("a" * 300 + ".png")
    assert "cannot read" in refusal(run, long, "--target", "price")
    for option in ("--plot", "--save"):
        status, _, err = run(cars, "--target", "price", "--no-compare", option, long)
        assert (status, err.count("\n")) == (2, 1)
        assert "is not written" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cars.csv"]


# --- Models ---


@pytest.mark.parametrize("options", [[], ["--standardize"]])
def test_a_model_kept_by_skops_predicts_the_same(run, tmp_path, cars, options):
    pytest.importorskip("skops")
    pickled, safe = tmp_path / "m.joblib", tmp_path / "m.skops"
    for path in (pickled, safe):
        fit(run, cars, "--target", "price", "--no-compare", "--save", path, *options)
    assert fit(run, cars, "--predict", safe) == fit(run, cars, "--predict", pickled)
    assert zipfile.is_zipfile(safe)
    rate = ("--learning-rate", "1.05", "--max-iter", "200000")
    run(cars, "--target", "price", "--no-compare", "--save", safe, *rate, *options)
    status, _, err = run(cars, "--predict", safe)
    assert status == 0
    assert "warning: the model diverged" in err


def frame():
    table = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) ** 2 % 7})
    return table, 2 * table["a"] + 1


@pytest.mark.parametrize("suffix", [".joblib", ".skops"])
def test_models_made_in_python_predict_too(run, tmp_path, suffix):
    pytest.importorskip("skops")
    X, y = frame()
    table, path = tmp_path / "t.csv", tmp_path / f"model{suffix}"
    X.to_csv(table, index=False)
    for model in (
        GDLinearRegressor().fit(X, y),
        GDLinearRegressor().partial_fit(X, y),
        GDLinearRegressor(stream="qr").partial_fit(X, y),
        make_pipeline(StandardScaler(), GDLinearRegressor()).fit(X, y),
        TransformedTargetRegressor(GDLinearRegressor(), transformer=StandardScaler()).fit(X, y),
    ):
        keep(model, path)
        values = fit(run, table, "--predict", path).split()[1:]
        np.testing.assert_allclose(np.array(values, float), y, rtol=1e-9)


def keep(model, path):
    if path.suffix == ".skops":
        import skops.io

        skops.io.dump(model, path)
    else:
        joblib.dump(model, path)


def broken(**attributes):
    model = GDLinearRegressor().fit(*frame())
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize("suffix", [".joblib", ".skops"])
@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda X, y: Ridge().fit(X, y), "not a model made by --save: it holds a Ridge"),
        (
            lambda X, y: TransformedTargetRegressor(Ridge()).fit(X, y),
            "not a model made by --save: it holds a Ridge",
        ),
        (lambda X, y: {"a": 1}, "not a model made by --save: it holds a dict"),
        (lambda X, y: None, "not a model made by --save: it holds a NoneType"),
        (lambda X, y: GDLinearRegressor(), "was fitted without column names"),
        (lambda X, y: GDLinearRegressor().fit(X.to_numpy(), y), "without column names"),
        (lambda X, y: GDLinearRegressor().fit(X, np.c_[y, y]), "it predicts several targets"),
        (lambda X, y: broken(coef_="none"), "cannot predict for this table"),
        (lambda X, y: broken(coef_=np.zeros(5)), "cannot predict for this table"),
        (lambda X, y: broken(feature_names_in_=7), "without column names"),
        (lambda X, y: broken(feature_names_in_=["a", "\x1b[31m"]), r"no column '\x1b[31m'"),
    ],
)
def test_another_model_gets_one_line(run, tmp_path, suffix, made, words):
    pytest.importorskip("skops")
    X, y = frame()
    X.to_csv(tmp_path / "t.csv", index=False)
    keep(made(X, y), tmp_path / f"model{suffix}")
    assert words in refusal(run, tmp_path / "t.csv", "--predict", tmp_path / f"model{suffix}")


def test_skops_makes_nothing_of_types_that_are_not_trusted(run, tmp_path, cars, monkeypatch):
    skops = pytest.importorskip("skops.io")
    path = tmp_path / "m.skops"
    skops.dump(make_pipeline(FunctionTransformer(os.path.join), GDLinearRegressor()), path)
    words = f"holds types that we do not trust: {os.path.__name__}.join"
    assert words in refusal(run, cars, "--predict", path)

    # A call of this package's own functions is no more trusted than of others'
    def never(*args):
        raise AssertionError("called")

    skops.dump(slice(1, 2), path)
    with zipfile.ZipFile(path) as file:
        schema = json.loads(file.read("schema.json"))
    monkeypatch.setattr(command, "main", never)
    argument = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    for module, name in (
        ("gd_regressor.__main__", "main"),
        ("gd_regressor.command.files", "write"),
        ("gd\x1b[2J", "a\nb"),
    ):
        made = {"__class__": name, "__module__": module, "__loader__": "ConstructorFromReduceNode"}
        schema |= made | {"content": {**argument, "content": [], "__id__": 2}}
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("schema.json", json.dumps(schema))
        line = refusal(run, cars, "--predict", path)
        told = repr(f"{module}.{name}")[1:-1]
        assert f"holds types that we do not trust: {told}" in line
        assert line[:-1].isprintable()


def test_a_broken_skops_file_gets_one_line(run, tmp_path, cars):
    pytest.importorskip("skops")
    path = tmp_path / "m.skops"
    for content in (b"", b"PK\3\4 and no more", b"\x80\x04N."):
        path.write_bytes(content)
        assert "is not a model made by --save" in refusal(run, cars, "--predict", path)
    path.unlink()
    assert "No such file" in refusal(run, cars, "--predict", path)


def test_skops_that_is_not_installed_is_named_before_the_fit(run, tmp_path, cars, monkeypatch):
    def no_fit(*args):
        raise AssertionError("fitted")

    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setattr(command, "_fitted", no_fit)
    path = tmp_path / "m.skops"
    for args in (("--target", "price", "--save", path), ("--predict", path)):
        assert "needs skops: pip install skops" in refusal(run, cars, *args)


# --- Names that a terminal would obey ---

EVIL = ["\x1b[2J\x1b[31mred", "two\nlines", "tab\tbed", "\u202eevil", "nul\x00", "größe", "Цена"]
ESCAPED = [
    r"\x1b[2J\x1b[31mred",
    r"two\nlines",
    r"tab\tbed",
    r"\u202eevil",
    r"nul\x00",
    "größe",
    "Цена",
]


def evil_table(path, **more):
    random = np.random.default_rng(0)
    columns = {name: random.standard_normal(30) for name in EVIL} | {"y": random.random(30)}
    pd.DataFrame(columns | more).to_csv(path, index=False)
    return str(path)


def assert_printable(text):
    assert all(line.isprintable() for line in text.split("\n"))


def test_names_in_a_report_are_escaped(run, tmp_path):
    table = evil_table(
        tmp_path / "t.csv", **{"text\x9b1m": "a\x1bb", "hole\x07": [None] + [1.0] * 29}
    )
    report = fit(run, table, "--target", "y")
    assert_printable(report)
    for name in ESCAPED:
        assert f"\n{name} " in report
    words = " ".join(report.split())
    assert f"8: {', '.join(ESCAPED)}, hole" in words
    assert r"Left out text\x9b1m" in words
    assert r"hole\x07 (1)" in words


def test_names_in_errors_and_warnings_are_escaped(run, tmp_path):
    table = evil_table(
        tmp_path / "t.csv", **{"text\x9b1m": "a\x1bb", "hole\x07": [1.0] + [None] * 29}
    )
    for args, words in {
        (): r"\x1b[2J\x1b[31mred, two\nlines, tab\tbed, \u202eevil, nul\x00, größe, Цена",
        ("--target", "z\x1b"): r"no column 'z\x1b': it has \x1b[2J\x1b[31mred, two\nlines",
        ("--target", "text\x9b1m"): r"target 'text\x9b1m' is not numeric: text, such as 'a\x1bb'",
        ("--target", "two\nlines", "--features", "two\nlines"): r"'two\nlines' is the target",
        ("--target", "y", "--colour\x1b[1m"): r"unrecognized arguments: --colour\x1b[1m",
        ("--target", "y", "--save", "no\x1b/two\nlines"): r"there is no folder",
    }.items():
        line = refusal(run, table, *args)
        assert words in line
        assert_printable(line)
    (tmp_path / "holes.csv").write_text("a\x1b,y\n1,\n,2\n")
    line = refusal(run, tmp_path / "holes.csv", "--target", "y")
    assert r"a\x1b (1), y (1)" in line
    pd.read_csv(table).assign(**{"two\nlines": np.arange(30) * 1e9}).to_csv(table, index=False)
    args = ("--features", *EVIL, "--learning-rate", "0.01", "--max-iter", "9", "--no-compare")
    status, _, err = run(table, "--target", "y", *args)
    assert status == 0
    assert r"column 'two\nlines'" in err
    assert_printable(err)


@posix
def test_paths_are_escaped(run, tmp_path):
    folder = tmp_path / "a\x1b[2J\nb"
    folder.mkdir()
    table, escaped = evil_table(folder / "t.csv"), r"a\x1b[2J\nb"
    report = fit(run, table, "--target", "y", "--no-compare")
    assert_printable(report)
    assert rf"{escaped}/t.csv: 30 rows" in " ".join(report.split())
    for args in (
        (folder / "no.csv", "--target", "y"),
        (table, "--target", "z"),
        (table, "--predict", folder / "no.joblib"),
        (table, "--predict", table),
        (table, "--target", "y", "--save", folder / "no" / "m.joblib"),
        (table, "--target", "y", "--plot", folder / "no.xyz"),
        (folder, "--target", "y"),
    ):
        line = refusal(run, *args)
        assert escaped in line
        assert_printable(line)


# --- Tables made to harm ---


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x,y\n" + b"1" * 200_000 + b",2\n", "field larger than field limit"),
        (b"x" * 200_000 + b",y\n1,2\n", "field larger than field limit"),
        (b"\x00" * 1000, "no rows below its first line"),
        (b"x,y\n\x00,1\n1,2\n", "no numeric column beside the target 'y'"),
        ("x,y\n1,2\n".encode("utf-16"), "neither CSV in UTF-8 nor Parquet"),
        (b"x,y\n1,2\n\xff,3\n", "neither CSV in UTF-8 nor Parquet"),
        (b"a,b,a,b,y\n1,2,3,4,5\n", "two columns named 'a': rename one"),
    ],
    ids=str,
)
def test_a_hostile_csv_gets_one_line(run, tmp_path, content, words):
    table = tmp_path / "t.csv"
    table.write_bytes(content)
    assert words in refusal(run, table, "--target", "y")


def test_a_hundred_thousand_columns_are_read_in_time(tmp_path):
    names = [f"column{j}" for j in range(100_000)]
    rows = [[str((7 * j + 3 * i * i) % 11) for j in range(100_000)] for i in range(3)]
    table = tmp_path / "wide.csv"
    table.write_text("\n".join(map(",".join, [names, *rows])))
    # Each name sought in the list of all of them takes minutes, against three seconds
    running = subprocess.run(
        [sys.executable, "-m", "gd_regressor", table, "--target", "column0", "--no-compare"],
        env=os.environ | {"PYTHONPATH": str(Path(gd_regressor.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (running.returncode, running.stderr) == (0, "")
    assert "The 30 largest of 99999" in running.stdout


@posix
def test_a_pipe_is_read_once(run, cars, tmp_path):
    with subprocess.Popen(["cat", cars], stdout=subprocess.PIPE) as cat:
        report = fit(run, f"/dev/fd/{cat.stdout.fileno()}", "--target", "price", "--no-compare")
    whole = fit(run, cars, "--target", "price", "--no-compare")
    assert report[report.index("Target") :] == whole[whole.index("Target") :]


def test_no_memory_gets_one_line(run, cars, tmp_path, monkeypatch):
    def none_left(*args, **kwargs):
        return np.empty(1 << 59)

    saved = tmp_path / "m.joblib"
    fit(run, cars, "--target", "price", "--no-compare", "--save", saved)
    target = ("--target", "price", "--no-compare")
    for owner, name, args in (
        (command, "read_table", target),
        (GDLinearRegressor, "fit", target),
        (command, "read_table", ("--predict", saved)),
        (joblib, "load", ("--predict", saved)),
        (GDLinearRegressor, "predict", ("--predict", saved)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, none_left)
            assert "error: there is not enough memory" in refusal(run, cars, *args)
