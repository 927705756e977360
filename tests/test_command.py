"""The command as a user meets it: what it prints and writes, and its exit status."""

import os
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from commands import TEXTBOOK, R, built, fit, numbers, refusal, write_csv
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import gd_regressor
from gd_regressor import __main__ as command
from gd_regressor.command.report import descent_of

# --- The report ---


def test_without_arguments_it_fits_the_diabetes_data(run):
    report = fit(run)
    X, y = load_diabetes(scaled=False, return_X_y=True)
    exact = LinearRegression().fit(X, y)
    for name, coefficient in zip(load_diabetes().feature_names, exact.coef_, strict=True):
        original, standardised = numbers(report, name)
        assert original == pytest.approx(coefficient, rel=1e-5)
        position = list(load_diabetes().feature_names).index(name)
        sd = X[:, position].std() / y.std()
        assert standardised == pytest.approx(coefficient * sd, abs=1e-6)
    assert numbers(report, "(intercept)")[0] == pytest.approx(exact.intercept_, rel=1e-5)
    at_end = next(line for line in report.splitlines() if line.startswith("at the end"))
    assert "2,859.70" in at_end
    assert numbers(report, "at the start")[0] == pytest.approx(np.mean(y**2), rel=1e-5)
    for words in ("442 rows", "progression", "Iterations", "Status      converged"):
        assert words in report
    assert "The textbook row's rate is the largest power of ten" in " ".join(report.split())
    units = [line for line in report.splitlines() if re.search("original units +standard", line)]
    assert [line.split("  ")[0] for line in units] == ["Coefficient", "Loss (mean squared error)"]
    rows = [line for line in report.splitlines() if re.search(r"\d ms$", line)]
    assert [re.split(r"\s{2,}", row)[0] for row in rows] == [
        "GDLinearRegressor auto",
        "StandardScaler + GDLinearRegressor 0.1",
        "LinearRegression",
        "StandardScaler + SGDRegressor",
    ]
    # The same folds and the same minimum: the first three have the same scores.
    assert (
        len({tuple(re.findall(r"0\.\d{4} \(\d\.\d{3}\) +[\d,.]+", row)) for row in rows[:3]}) == 1
    )
    assert all(len(line) <= 100 for line in report.splitlines())
    assert "\x1b" not in report


def test_the_documentation_shows_the_report_as_it_is(run):
    page = (Path(__file__).parents[1] / "docs" / "command.rst").read_text(encoding="utf-8")
    words = [re.sub(r"[-\d.,]+", "", text).split() for text in (fit(run), page)]
    assert " ".join(words[0]) in " ".join(words[1])


def test_the_textbook_example(run, cars):
    report = fit(run, cars, "--target", "price", "--features", "engine_size", *TEXTBOOK)
    w = R * (1 - 0.8**60)
    assert numbers(report, "engine_size") == pytest.approx([w * 5900 / 30, w], rel=1e-5)
    assert numbers(report, "(intercept)") == pytest.approx([11500 - w * 5900 * 4, 0], rel=1e-5)
    assert numbers(report, "at the start") == pytest.approx([5900**2, 1], rel=1e-6)
    loss = 1 - R**2 + (R * 0.8**60) ** 2
    assert f"{loss:.4f}" == "0.2919"
    assert f"{loss:.6f}" in report
    assert "60 of at most 60" in report
    assert "Status      max_iter: all 60 updates were made, as --tol none asks.\n" in report
    assert "(stable below a learning rate of 1)" in report
    assert "textbook row" not in report  # the row that is one has the rate asked for
    assert "StandardScaler (x, y) + GDLinearRegressor 0.1" in report
    assert all(len(line) <= 100 for line in report.splitlines() if cars not in line)


def test_both_units_describe_one_model(run, cars):
    raw = fit(run, cars, "--target", "price", "--no-compare")
    scaled = fit(run, cars, "--target", "price", "--no-compare", "--standardize")
    for label in ("engine_size", "weight", "(intercept)"):
        assert numbers(raw, label) == pytest.approx(numbers(scaled, label), rel=2e-5, abs=2e-6)
    slope, intercept = np.polyfit(built()["engine_size"], built()["price"], 1)
    report = fit(run, cars, "--target", "price", "--features", "engine_size", "--no-compare")
    assert numbers(report, "engine_size") == pytest.approx([slope, R], rel=1e-5)
    assert numbers(report, "(intercept)") == pytest.approx([intercept, 0], rel=1e-5, abs=1e-6)


def test_a_raw_descent_is_reported_in_standardised_units_too(run, tmp_path):
    x, y = np.arange(1, 6), np.array([2, 4, 5, 4, 5])
    table = write_csv(tmp_path / "five.csv", {"x": x, "y": y})
    args = ["--target", "y", "--learning-rate", "0.01", "--max-iter", "1000", "--tol", "none"]
    report = fit(run, table, *args)
    w, b = 0.61769, 2.13612
    standardised = [w * x.std() / y.std(), (b + w * x.mean() - y.mean()) / y.std()]
    assert numbers(report, "x") == pytest.approx([w, standardised[0]], abs=1e-5)
    assert numbers(report, "(intercept)") == pytest.approx([b, standardised[1]], abs=3e-5)
    assert numbers(report, "at the start") == pytest.approx([17.2, 17.2 / y.var()], rel=1e-5)
    assert "not cross-validated with fewer than 10 rows" in report


def test_no_intercept(run, cars):
    columns = built()
    x, y = columns["engine_size"], columns["price"]
    args = (cars, "--target", "price", "--features", "engine_size", "--no-intercept")
    report = fit(run, *args, "--no-compare")
    assert numbers(report, "engine_size")[0] == pytest.approx(x @ y / (x @ x), rel=1e-5)
    assert numbers(report, "(intercept)")[0] == 0
    # Standardising moves the origin to the means, and the report says so.
    report = fit(run, *args, *TEXTBOOK, "--no-compare")
    assert numbers(report, "engine_size")[1] == pytest.approx(R * (1 - 0.8**60), abs=1e-6)
    assert "goes through the means" in report


def test_options_reach_the_estimator(run, cars):
    args = (cars, "--target", "price", "--features", "engine_size", "--standardize")
    report = fit(run, *args, *["--learning-rate", "0.1", "--momentum", "0.5", "--tol", "1e-6"])
    assert "momentum 0.5" in report
    assert "Status      converged" in report
    report = fit(run, cars, "--target", "price", "--no-compare", *TEXTBOOK, "--verbose", "20")
    assert len(report.splitlines()) >= 3 + len(
        fit(run, cars, "--target", "price", "--no-compare", *TEXTBOOK).splitlines()
    )


def test_many_columns_are_not_all_printed(run, tmp_path):
    X = np.random.default_rng(0).standard_normal((60, 40))
    columns = {f"x{j}": X[:, j] for j in range(40)} | {"y": X @ np.arange(40.0)}
    table = write_csv(tmp_path / "wide.csv", columns)
    report = fit(run, table, "--target", "y", "--no-compare")
    coefficients = report[report.index("Coefficient") :]
    assert "The 30 largest of 40" in coefficients
    assert re.search(r"^x39 ", coefficients, re.M)
    assert not re.search(r"^x1 ", coefficients, re.M)


# --- Tables ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_byte_order_mark(run, tmp_path, delimiter, encoding):
    columns = {"größe": built()["engine_size"], "price": built()["price"]}
    table = write_csv(tmp_path / "cars.csv", columns, delimiter, encoding)
    report = fit(run, table, "--target", "price", "--features", "größe", "--no-compare")
    assert numbers(report, "größe") == pytest.approx([R * 5900 / 30, R], rel=1e-5)


def test_quotes_blank_lines_and_commas_in_names(run, tmp_path):
    table = tmp_path / "quoted.csv"
    table.write_bytes(
        b'"Size, cm";note;"Weight, kg"\r\n1;"a; ""b""\nc";3\r\n\r\n2;"";5\r\n4;"d";9\r\n'
    )
    report = fit(run, table, "--target", "Weight, kg", "--no-compare")
    assert numbers(report, "Size, cm")[0] == pytest.approx(2, rel=1e-5)
    assert "3 rows" in " ".join(report.split())


def test_columns_that_are_not_numeric_are_left_out_and_named(run, tmp_path):
    columns = {
        "": range(12),
        "make": ["audi", "bmw"] * 6,
        "size": range(12),
        "id": ["1_000", *range(11)],
        "nothing": [""] * 12,
        "doors": [2] * 11 + ["four"],
        "price": range(3, 27, 2),
    }
    report = fit(run, write_csv(tmp_path / "t.csv", columns), "--target", "price", "--no-compare")
    assert numbers(report, "size") == pytest.approx([2, 1], rel=1e-5)
    words = " ".join(report.split())
    assert "Features 1: size" in words
    assert "column 1 (no name) (a row index, usually), make, id ('1_000' in line 2" in words
    assert "nothing (no value in it), doors ('four' in line 13 is not a finite number)" in words


def test_columns_of_decimal_commas_share_one_reason(run, tmp_path):
    columns = {"make": ["audi", "bmw"] * 6, "size": range(12), "price": range(3, 27, 2)}
    columns |= {name: [f"{i},5" for i in range(12)] for name in "abc"}
    table = write_csv(tmp_path / "t.csv", columns, delimiter=";")
    words = " ".join(fit(run, table, "--target", "price", "--no-compare").split())
    cure = "(write decimals with a point, thousands without a comma)"
    assert f"Left out make; 3 columns with commas in numbers {cure}: a, b, c" in words


def test_rows_with_a_missing_value_are_left_out_and_counted(run, tmp_path):
    columns = built(40)
    x = columns["engine_size"] = [f"{value!r}" for value in columns["engine_size"].tolist()]
    y = columns["price"] = [f" {value!r}" for value in columns["price"].tolist()]
    whole = [i for i in range(40) if i not in (0, 1, 2, 3, 4, 7)]
    slope = np.polyfit([float(x[i]) for i in whole], [float(y[i]) for i in whole], 1)[0]
    x[0], x[1], x[2], x[3], x[4] = "", " NA ", "NaN", "?", "null"
    y[4] = y[7] = "n/a"
    table = write_csv(tmp_path / "holes.csv", columns)
    report = fit(run, table, "--target", "price", "--features", "engine_size")
    assert numbers(report, "engine_size")[0] == pytest.approx(slope, rel=1e-5)
    assert "34 used, 6 left out for a missing value: engine_size (5), price (2)" in report


def test_parquet_gives_the_same_report(run, tmp_path, cars):
    frame = pd.DataFrame(built()).assign(when=pd.Timestamp("2020-01-01"), sold=True)
    frame["level"] = np.inf
    frame["doors"] = pd.array([2] * 158 + [None], dtype="Int64")
    frame.to_parquet(tmp_path / "cars.parquet")
    args = ("--target", "price", "--features", "engine_size", "weight", "--no-compare")
    ours, theirs = fit(run, tmp_path / "cars.parquet", *args), fit(run, cars, *args)
    assert ours[ours.index("Target") :] == theirs[theirs.index("Target") :]
    report = fit(run, tmp_path / "cars.parquet", "--target", "price", "--no-compare")
    assert "158 used, 1 left out for a missing value: doors (1)" in report
    words = " ".join(report.split())
    assert "Left out make, when, sold, level (an infinite value in it)" in words


# --- What goes wrong ---


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--target prise", "no column 'prise': did you mean 'price'?"),
        ("--target colour", "no column 'colour': it has make, engine_size, weight, price"),
        ("--target make", "target 'make' is not numeric: text, such as 'audi' in line 2"),
        ("", "--target, one of engine_size, weight, price"),
        ("--target price --features engin_size", "did you mean 'engine_size'?"),
        ("--target price --features make", "column 'make' is not numeric: text"),
        ("--target price --features weight price", "cannot be one of --features"),
        ("--target price --features weight weight", "names a column twice"),
        (
            "--target price --learning-rate quick",
            "--learning-rate must be a number > 0 and at most 1e+300 or auto, got 'quick'",
        ),
        ("--target price --learning-rate -0.1", "--learning-rate must be"),
        ("--target price --learning-rate nan", "--learning-rate must be"),
        ("--target price --learning-rate 0", "--learning-rate must be"),
        ("--target price --max-iter -1", "--max-iter must be"),
        ("--target price --max-iter many", "--max-iter: invalid int value: 'many'"),
        ("--target price --tol -1", "--tol must be"),
        ("--target price --tol tight", "--tol must be a finite number >= 0 or none, got 'tight'"),
        (
            "--target price --momentum 0.5",
            "--momentum 0.5 cannot be combined with --learning-rate auto",
        ),
        ("--target price --learning-rate 0.1 --momentum 1", "momentum"),
        ("--target price --verbose loud", "--verbose: invalid int value: 'loud'"),
        ("--target", "--target: expected one argument"),
        ("--colour red", "unrecognized arguments: --colour red"),
    ],
)
def test_a_wrong_option_gets_one_line(run, cars, args, words):
    assert words in refusal(run, cars, *args.split())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"x,y\n", "no rows below its first line"),
        (b"x,y\n1,2\n3\n", "line 3 of {table} has 1 cell, the first line 2"),
        (b"x,y\n1,2\n3,4,5\n", "line 3 of {table} has 3 cells, the first line 2"),
        (b"1,2\n3,4\n", "must name the columns"),
        (b"x,y,x\n1,2,3\n", "two columns named 'x'"),
        (b"x,y\n1,2\n,4\n", None),
        (b"x,y\n,2\n3,\n", "each row of {table} lacks a value: x (1), y (1)"),
        (b"x,y\na,2\nb,3\n", "no numeric column beside the target 'y'"),
        (b"y\n1\n2\n", "no numeric column beside the target 'y'"),
        (b"x,y\n1,inf\n2,3\n", "'inf' in line 2 is not a finite number"),
        (b"x,y\n1,1e999\n2,3\n", "'1e999' in line 2 is not a finite number"),
        (b"x;y\n1;2,5\n2;3,5\n", "'2,5' in line 2 is not a finite number (write decimals with a"),
        (b"x,y\n1,\n2,\n", "target 'y' is not numeric: no value in it"),
        (b'x,y\n1,"2\n3,4\n', "not well-formed CSV"),
        ("größe,y\n1,2\n".encode("latin-1"), "neither CSV in UTF-8 nor Parquet"),
        (b"PAR1, but not really", "cannot read"),
    ],
)
def test_a_broken_table_gets_one_line(run, tmp_path, content, words):
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    if words is None:
        assert "1 used, 1 left out" in fit(run, table, "--target", "y", "--no-compare")
        return
    assert words.format(table=table) in refusal(run, table, "--target", "y")


def test_a_table_that_features_swallow_is_found_again(run, cars):
    args = ("--features", "engine_size", "weight", cars, "--target", "price")
    words = f"no table given; was {cars!r} meant? Put it before --features"
    assert words in refusal(run, *args)


def test_features_given_twice_add_up(run, cars):
    args = ("--target", "price", "--features", "weight", "--features", "engine_size")
    report = fit(run, cars, *args, "--no-compare")
    assert "Features    2: weight, engine_size" in report


def test_a_missing_file_gets_one_line(run, tmp_path):
    assert "No such file" in refusal(run, tmp_path / "no.csv", "--target", "y")
    assert "is a folder" in refusal(run, tmp_path, "--target", "y")


def test_an_extra_that_is_not_installed_is_named(run, tmp_path, cars, monkeypatch):
    pd.DataFrame(built()).to_parquet(tmp_path / "cars.parquet")
    for module in ("pandas", "pyarrow", "matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    line = refusal(run, tmp_path / "cars.parquet", "--target", "price")
    assert "pip install pyarrow" in line
    line = refusal(run, cars, "--target", "price", "--plot", tmp_path / "loss.png")
    assert line.endswith("--plot needs matplotlib: pip install matplotlib\n")


def test_a_warning_is_one_readable_line(run, cars):
    args = (cars, "--target", "price", "--features", "engine_size", "--standardize")
    status, out, err = run(*args, "--learning-rate", "1.05", "--max-iter", "200000")
    assert status == 0
    assert "Status      diverged" in out
    assert err.startswith("python -m gd_regressor: warning: ")
    assert err.count("\n") == 1
    assert ".py" not in err
    assert "column 'engine_size'" in err or "the intercept" in err
    status, out, err = run(*args, "--learning-rate", "0.1", "--max-iter", "5")
    assert status == 0
    assert "Status      max_iter" in out
    assert err.startswith("python -m gd_regressor: warning: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "options, words",
    [
        ("--learning-rate 5", "a smaller --learning-rate, add --standardize, or use --learning-r"),
        ("--learning-rate 1e-9 --max-iter 9", "After --max-iter 9 updates the loss"),
        ("--learning-rate 1e-9 --max-iter 9", "Raise --max-iter or --learning-rate (stable"),
        ("--learning-rate 1e-9 --max-iter 9", "add --standardize, or use --learning-rate auto."),
        ("--learning-rate 1e-9 --tol 1e-3", "settled to within --tol 0.001, but"),
        ("--learning-rate 1 --standardize --momentum 0.5 --max-iter 9", "largest stable rate"),
        ("--learning-rate 0.1 --standardize --max-iter 9", "or use --learning-rate auto."),
    ],
)
def test_the_shell_hears_its_own_words(run, cars, options, words):
    args = (cars, "--target", "price", "--no-compare", *options.split())
    status, out, err = run(*args)
    assert status == 0 and err.count("\n") == 1
    assert words in err
    assert " ".join(err.split("warning: ")[1].split())[1:] in " ".join(out.split())
    for python in ("StandardScaler", "learning_rate", "max_iter=", "tol=", '"auto"', "gd_path"):
        assert python not in out + err
    assert ("--standardize" in err) == ("--standardize" not in options)


def test_more_columns_than_rows_are_said_in_the_shells_words(run, tmp_path):
    columns = np.random.default_rng(0).standard_normal((6, 5))
    table = {f"tol_{j}": column for j, column in enumerate(columns)}
    path = write_csv(tmp_path / "wide.csv", {**table, "y": np.arange(5.0)})
    out = " ".join(fit(run, path, "--target", "y", "--no-compare").split())
    assert "The table has 5 rows and 6 columns, so" in out
    assert "a number as --learning-rate, stopped early, can predict them better." in out


def test_a_warning_calls_the_column_by_its_name(run, cars, tmp_path):
    args = (cars, "--target", "price", "--learning-rate", "0.01")
    status, _, err = run(*args, "--no-compare", "--plot", tmp_path / "climb.png")
    assert status == 0
    assert re.search(r"which column 'weight' (sets|and)", err)
    assert (tmp_path / "climb.png").stat().st_size > 10_000


def test_an_interrupted_descent_is_reported_and_saved(run, cars, tmp_path, monkeypatch):
    fit_whole = gd_regressor.GDLinearRegressor.fit

    def fit_interrupted(self, *args, **kwargs):
        fit_whole(self, *args, **kwargs)
        self.status_ = gd_regressor.Status.INTERRUPTED
        raise KeyboardInterrupt

    monkeypatch.setattr(gd_regressor.GDLinearRegressor, "fit", fit_interrupted)
    saved = tmp_path / "model.joblib"
    for options in ([], ["--standardize"]):
        status, out, err = run(cars, "--target", "price", "--save", saved, *options)
        assert (status, err) == (130, "")
        assert "Status      interrupted" in out
        assert "Beside other estimators" not in out
        assert run(cars, "--predict", saved)[0] == 0


def test_an_interrupt_is_civil(run, cars, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_fitted", interrupted)
    assert run(cars, "--target", "price") == (130, "", "python -m gd_regressor: interrupted\n")


# --- A real process ---


BASE_INSTALL = """
import importlib.abc, runpy, sys

class NoExtras(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"pandas", "pyarrow", "polars", "matplotlib", "skops"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoExtras())
runpy.run_module("gd_regressor", run_name="__main__", alter_sys=True)
"""


def process(*args, program=("-m", "gd_regressor")):
    """Start the command as a process of its own, with an output that takes only ASCII."""
    root = Path(gd_regressor.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, *program, *map(str, args)],
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_base_install_fits_a_mixed_table_saves_and_predicts(tmp_path, cars):
    saved = tmp_path / "model.joblib"
    for args, n_lines in (
        (("--target", "price", "--save", saved), range(10, 40)),
        (("--predict", saved), [160]),
    ):
        running = process(cars, *args, program=("-c", BASE_INSTALL))
        out, err = running.communicate(timeout=120)
        assert (running.returncode, err) == (0, "")
        assert len(out.splitlines()) in n_lines


def test_a_terminal_that_knows_ascii_only(tmp_path):
    columns = {"größe": built(20)["engine_size"], "price": built(20)["price"]}
    table = write_csv(tmp_path / "cars.csv", columns)
    running = process(table, "--target", "price")
    out, err = running.communicate(timeout=120)
    assert (running.returncode, err) == (0, "")
    assert "R2 (sd)" in out
    assert r"gr\xf6\xdfe" in out


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
def test_a_reader_that_closes_the_pipe_costs_no_model(tmp_path):
    table = write_csv(tmp_path / "cars.csv", built())
    saved = tmp_path / "model.joblib"
    running = process(table, "--target", "price", "--save", saved, "--no-compare")
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    assert (running.wait(timeout=120), err) == (0, "")
    assert saved.exists()


def test_early_stopping_holds_the_same_rows_out_each_time(run, cars, tmp_path):
    model = str(tmp_path / "model.joblib")
    options = "--target", "price", "--learning-rate", "0.1", "--standardize", "--no-compare"
    status, out, err = run(cars, *options, "--tol", "1e-3", "--early-stopping", "--save", model)
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    fitted = descent_of(joblib.load(model))
    assert fitted.status_ is gd_regressor.Status.STOPPED_EARLY
    curve = fitted.validation_curve_
    assert fitted.n_iter_ == curve.argmin()
    assert f"Update {fitted.n_iter_} of {len(curve) - 1} predicts".lower() in said.lower()
    assert "None of the last 5 updates lowered it by more than --tol 0.001 times" in said
    assert run(cars, *options, "--tol", "1e-3", "--early-stopping")[1] == out


def test_early_stopping_and_auto_are_refused_in_words_of_the_shell(run, cars):
    status, _, err = run(cars, "--target", "price", "--early-stopping")
    assert status == 2
    assert "--early-stopping cannot be combined with --learning-rate auto" in err
    assert (
        "write a number as --learning-rate, or leave --early-stopping out; a ridge (--alpha" in err
    )
