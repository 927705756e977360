"""The command, as its user meets it: what it prints, writes and answers with."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import gd_regressor
from gd_regressor import __main__ as command
from gd_regressor.__main__ import main

TEXTBOOK = ["--standardize", "--learning-rate", "0.1", "--max-iter", "60", "--tol", "none"]
R = 0.8415


def built(n=159):
    """Columns with exactly the moments of the textbook's example, in units of cars and money."""
    rng = np.random.default_rng(0)
    centred = rng.standard_normal((n, 3))
    centred -= centred.mean(axis=0)
    x, noise, other = np.sqrt(n) * np.linalg.qr(centred)[0].T
    return {
        "make": [("audi", "bmw", "volvo")[i % 3] for i in range(n)],
        "engine_size": 120 + 30 * x,
        "weight": 2500 + 400 * (0.6 * x + 0.8 * other),
        "price": 11500 + 5900 * (R * x + np.sqrt(1 - R**2) * noise),
    }


def write_csv(path, columns, delimiter=",", encoding="utf-8"):
    rows = zip(*(map(str, column) for column in columns.values()), strict=True)
    lines = [delimiter.join(cells) for cells in [columns, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return str(path)


@pytest.fixture
def cars(tmp_path):
    return write_csv(tmp_path / "cars.csv", built())


@pytest.fixture
def run(capsys):
    """Run the command; give its exit status, stdout and stderr."""

    def run(*args):
        status = main([str(arg) for arg in args])
        return status, *capsys.readouterr()

    return run


def fit(run, *args):
    """Run a fit that must succeed without a word on stderr; give its report."""
    status, out, err = run(*args)
    assert (status, err) == (0, "")
    return out


def numbers(report, label):
    """The numbers of the line that begins with a label, in original and standardised units."""
    (line,) = [line for line in report.splitlines() if re.match(rf"{re.escape(label)}\s", line)]
    rest = line.removeprefix(label)
    return [float(word.replace(",", "")) for word in re.findall(r"[-+.,e\d]*\d", rest)][-2:]


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
    assert "Status      all updates were made, as tol none asks" in report
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


# --- Files ---


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


# --- What goes wrong ---


def refusal(run, *args):
    """Run a command that must be refused in one line; give the line."""
    status, out, err = run(*args)
    assert (status, out) == (2, "")
    assert err.startswith("python -m gd_regressor: error: ")
    assert err.count("\n") == 1 and err.endswith("\n")
    return err


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
        ("--target price --learning-rate quick", "quick"),
        ("--target price --learning-rate -0.1", "learning_rate"),
        ("--target price --learning-rate nan", "learning_rate"),
        ("--target price --learning-rate 0", "learning_rate"),
        ("--target price --max-iter 0", "max_iter"),
        ("--target price --max-iter many", "--max-iter: invalid int value: 'many'"),
        ("--target price --tol -1", "tol"),
        ("--target price --tol tight", "tol must be a finite number >= 0 or None, got 'tight'"),
        ("--target price --momentum 0.5", "momentum"),
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


def test_an_extra_that_is_not_installed_is_named(run, tmp_path, cars, monkeypatch):
    pd.DataFrame(built()).to_parquet(tmp_path / "cars.parquet")
    for module in ("pandas", "pyarrow", "matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    line = refusal(run, tmp_path / "cars.parquet", "--target", "price")
    assert 'pip install "gd-regressor[table]"' in line
    line = refusal(run, cars, "--target", "price", "--plot", tmp_path / "loss.png")
    assert 'pip install "gd-regressor[plot]"' in line


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


def test_a_warning_calls_the_column_by_its_name(run, cars, tmp_path):
    args = (cars, "--target", "price", "--learning-rate", "0.01")
    status, _, err = run(*args, "--no-compare", "--plot", tmp_path / "climb.png")
    assert status == 0
    assert re.search(r"which column 'weight' (sets|and)", err)
    assert (tmp_path / "climb.png").stat().st_size > 10_000


def test_predictions_of_a_diverged_model_are_warned_of(run, cars, tmp_path):
    saved = tmp_path / "model.joblib"
    rate = ("--learning-rate", "1.05", "--max-iter", "200000")
    for options in (rate, (*rate, "--standardize")):
        run(cars, "--target", "price", "--no-compare", "--save", saved, *options)
        status, out, err = run(cars, "--predict", saved)
        assert (status, len(out.splitlines())) == (0, 160)
        assert err.count("\n") == 1 and "warning: " in err and "diverged" in err


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
        if name.partition(".")[0] in {"pandas", "pyarrow", "polars", "matplotlib"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoExtras())
runpy.run_module("gd_regressor", run_name="__main__", alter_sys=True)
"""


def process(*args, program=("-m", "gd_regressor")):
    """Start the command as a process of its own, on a terminal that knows ASCII only."""
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


# --- Folders of Parquet files ---


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
