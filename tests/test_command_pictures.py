"""Pictures and pages of the command: --plot KIND FILE, and --explore FILE.html."""

import json
import os
import re
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import TEXTBOOK, R, built, fit, refusal, write_csv
from matplotlib.figure import Figure

from gd_regressor import __main__ as command
from gd_regressor import gd_path, learning_rate_report
from gd_regressor.command import pictures

CARS = Path(__file__).parents[1] / "docs" / "data" / "cars.csv"
KINDS = ("loss", "rates", "surface", "fit")
ONE = ("--target", "price", "--features", "engine_size", "--no-compare")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are written, before they are; the files stay empty, which takes no time."""
    kept = []

    def save(figure, file, **_):
        figure.draw_without_rendering()
        kept.append(figure)

    monkeypatch.setattr(Figure, "savefig", save)
    return kept


# --- What is drawn ---


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_a_picture(run, tmp_path, cars, kind):
    file = tmp_path / f"{kind}.png"
    fit(run, cars, *ONE, *TEXTBOOK, "--plot", kind, file)
    content = file.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) > 10_000


def test_several_pictures_of_one_fit(run, tmp_path, cars, drawn):
    files = [tmp_path / f"{kind}.svg" for kind in KINDS]
    options = [("--plot", kind, file) for kind, file in zip(KINDS, files, strict=True)]
    fit(run, cars, *ONE, *TEXTBOOK, *chain(*options))
    assert [file.exists() for file in files] == [True] * 4
    assert [len(figure.axes) for figure in drawn] == [1, 2, 1, 1]
    titles = {figure.get_suptitle() for figure in drawn}
    assert titles == {"price: learning rate 0.1, standardised"}


def test_without_a_kind_it_is_the_loss(run, tmp_path, cars, drawn):
    for option in (["--plot", tmp_path / "a.png"], ["--plot", "loss", tmp_path / "b.png"]):
        fit(run, cars, *ONE, *TEXTBOOK, *option)
    assert len(drawn) == 2
    for figure in drawn:
        losses = figure.axes[0].lines[0].get_ydata()
        exact = 1 - R**2 + (R * 0.8 ** np.arange(61)) ** 2
        np.testing.assert_allclose(losses, exact, rtol=1e-10)


def test_the_surface_has_the_way_of_the_fit(run, tmp_path, cars, drawn):
    fit(run, cars, *ONE, *TEXTBOOK, "--plot", "surface", tmp_path / "a.png")
    path = max((np.array(line.get_data()) for line in drawn[0].axes[0].lines), key=np.size)
    np.testing.assert_allclose(path[0], R * (1 - 0.8 ** np.arange(61)), rtol=1e-9)
    np.testing.assert_allclose(path[1], 0, atol=1e-9)


@pytest.mark.parametrize("standardize", [True, False])
def test_the_fit_is_drawn_in_units_of_the_table(run, tmp_path, cars, drawn, standardize):
    x, y = built()["engine_size"], built()["price"]
    rate, options = (0.1, TEXTBOOK) if standardize else (1e-5, [*RAW])
    fit(run, cars, *ONE, *options, "--plot", "fit", tmp_path / "a.png")
    ax = drawn[0].axes[0]
    ks = [0, 1, 3, 10, 30, 60]
    if standardize:
        w = R * (1 - 0.8 ** np.array(ks)) * y.std() / x.std()
        b = y.mean() - w * x.mean()
    else:
        coefs, b, _ = gd_path(x[:, None], y, learning_rate=rate, n_iter=ks)
        w = coefs[0]
    for line, slope, intercept in zip(ax.lines, w, b, strict=True):
        ends = np.array(line.get_xdata())
        np.testing.assert_allclose(line.get_ydata(), slope * ends + intercept, rtol=1e-8)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), np.column_stack([x, y]))


RAW = ["--learning-rate", "1e-5", "--max-iter", "60", "--tol", "none"]


@pytest.mark.parametrize("options", [[], ["--standardize"], TEXTBOOK])
def test_several_columns_are_shown_as_predictions(run, tmp_path, cars, drawn, options):
    fit(
        run,
        cars,
        "--target",
        "price",
        "--no-compare",
        *options,
        "--plot",
        "fit",
        tmp_path / "a.png",
    )
    ax = drawn[0].axes[0]
    predicted, actual = np.array(ax.collections[0].get_offsets()).T
    np.testing.assert_allclose(actual, built()["price"])
    X = np.column_stack([built()["engine_size"], built()["weight"]])
    if options is TEXTBOOK:
        Z, t = (X - X.mean(axis=0)) / X.std(axis=0), (actual - actual.mean()) / actual.std()
        coefs, intercepts, _ = gd_path(Z, t, learning_rate=0.1, n_iter=[60])
        expected = (Z @ coefs[:, 0] + intercepts[0]) * actual.std() + actual.mean()
    else:
        table = np.column_stack([X, np.ones(len(X))])
        expected = table @ np.linalg.lstsq(table, actual)[0]
    np.testing.assert_allclose(predicted, expected, rtol=1e-8)


def test_a_fit_that_has_diverged_is_refused_in_one_line(run, tmp_path, cars):
    options = ["--target", "price", "--learning-rate", "1", "--max-iter", "60", "--no-compare"]
    status, _, err = run(cars, *options, "--plot", "fit", tmp_path / "a.png")
    (said,) = [line for line in err.splitlines() if "error: " in line]
    assert status == 2 and "--plot fit: " in said and "far from y" in said
    assert "n_iter" not in said and "--learning-rate" in said and "--max-iter" in said
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ([], [0.01, 0.1, 0.5, 0.95, 1.02]),
        (["--learning-rate", "0.1"], [0.01, 0.1, 0.5, 0.95, 1.02]),
        (["--learning-rate", "0.2"], [0.01, 0.1, 0.2, 0.5, 0.95, 1.02]),
    ],
)
def test_the_rate_asked_for_is_among_shares_of_the_limit(
    run, tmp_path, cars, drawn, options, rates
):
    args = (*ONE, "--standardize", *options)  # on one standardised column the limit is 1
    fit(run, cars, *args, "--plot", "rates", tmp_path / "a.png")
    lines = [line.get_ydata() for line in drawn[0].axes[0].lines]
    for losses, rate in zip([line for line in lines if len(line) == 61], rates, strict=True):
        exact = 1 - R**2 + (R * (1 - 2 * rate) ** np.arange(61)) ** 2
        np.testing.assert_allclose(losses, exact, rtol=1e-9)


# --- The page ---


def page_of(file):
    """All that a page knows, from the last line of its script."""
    text = file.read_text("utf-8")
    return json.loads(re.search(r'getElementById\("explorer"\), (\{.*\})\);', text)[1])


@pytest.mark.parametrize("standardize", [True, False])
def test_the_page_begins_with_the_descent_that_was_made(run, tmp_path, cars, standardize):
    options = [*TEXTBOOK, "--momentum", "0.5"] if standardize else [*RAW, "--momentum", "0.5"]
    file = tmp_path / "descent.html"
    fit(run, cars, *ONE, *options, "--explore", file)
    text = file.read_text("utf-8")
    assert "http" not in text and len(text) < 80_000
    found = page_of(file)
    columns = "standardised" if standardize else "raw"
    assert found["set"] == {
        "rate": 0.1 if standardize else 1e-5,
        "momentum": 0.5,
        "k": 60,
        "columns": columns,
    }
    assert found["columns"] == ["engine_size"]
    assert found["targets"] == ["standardised price" if standardize else "price"]
    assert len(found["sample"]["y"]) == 159


def test_a_page_after_auto_begins_below_the_limit(run, tmp_path, cars):
    fit(run, cars, *ONE, "--no-intercept", "--explore", tmp_path / "a.html")
    found = page_of(tmp_path / "a.html")
    x = built()["engine_size"][:, None]
    limit = learning_rate_report(x, built()["price"], fit_intercept=False).limit()
    assert found["set"]["columns"] == "raw" and not found["intercept"]
    assert 0 < found["set"]["rate"] < limit


# --- What goes wrong ---


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--plot fit", "--plot fit needs a file: write --plot fit fit.png"),
        ("--plot fti a.png", "where KIND is one of loss, rates, surface, fit; got 'fti a.png'"),
        ("--plot fit a.png b.png", "got 'fit a.png b.png'"),
        ("--plot rates a.xyz", "--plot a.xyz must end in one of"),
        ("--plot fit no/a.png", "--plot: there is no folder"),
        ("--plot a.png --plot fit a.png", "--plot would overwrite a.png"),
        ("--plot a.html --explore a.html", "would overwrite a.html"),
        ("--explore a.png", "--explore a.png must end in .html"),
        ("--explore no/a.html", "--explore: there is no folder"),
        ("--plot surface a.png", "write --learning-rate NUMBER, such as 0.5"),
        (
            "--plot surface a.png --no-intercept --learning-rate 0.1",
            "needs two coefficients: name two --features, or leave out --no-intercept",
        ),
    ],
)
def test_a_wrong_picture_gets_one_line_and_no_fit(run, cars, args, words, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "_fitted", lambda *args: pytest.fail("fitted"))
    monkeypatch.chdir(tmp_path)
    assert words in refusal(run, cars, *ONE, "--standardize", *args.split())
    assert os.listdir(tmp_path) == ["cars.csv"]


def test_without_matplotlib_the_line_says_what_to_write(run, cars, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for kind in KINDS:
        line = refusal(run, cars, *ONE, "--plot", kind, tmp_path / "a.png")
        assert line.endswith("--plot needs matplotlib: pip install matplotlib\n")
    fit(run, cars, *ONE, "--explore", tmp_path / "a.html")  # needs none


def test_a_table_that_plot_swallows_is_found_again(run, cars, tmp_path, drawn):
    for option in (["--plot", tmp_path / "a.png"], ["--plot", "fit", tmp_path / "a.png"]):
        report = fit(run, *ONE, *option, cars)
        assert "159 rows" in " ".join(report.split())
    assert len(drawn) == 2


def test_a_picture_that_cannot_be_drawn_loses_no_report(run, cars, tmp_path, monkeypatch):
    def fails(*_):
        raise ValueError("no such\npicture")

    monkeypatch.setitem(pictures.PICTURES, "fit", fails)
    status, out, err = run(cars, *ONE, "--plot", "fit", tmp_path / "a.png")
    assert (status, err.count("\n")) == (2, 1)
    assert "Coefficient" in out and "error: --plot fit: no such picture" in err
    assert not (tmp_path / "a.png").exists()


def test_rows_that_are_not_held_are_not_shown(run, tmp_path, drawn):
    folder = tmp_path / "parts"
    folder.mkdir()
    frame = pd.DataFrame({name: built()[name] for name in ("engine_size", "price")})
    frame.to_parquet(folder / "a.parquet")
    for option in (["--plot", "fit", tmp_path / "a.png"], ["--explore", tmp_path / "a.html"]):
        line = refusal(run, folder, *ONE, *option)
        assert "does not hold those of" in line and "choose --plot loss, rates or surface" in line
    status, _, _ = run(folder, *ONE, *TEXTBOOK, "--plot", "surface", tmp_path / "a.png")
    assert status == 0 and len(drawn) == 1


def test_strange_names_are_text_in_pictures_and_pages(run, tmp_path, drawn):
    x = np.arange(1.0, 21.0)
    names = ("</script><b>", "$\\frac$", "a\x1b[2J")
    columns = {name: x ** (i + 1) for i, name in enumerate(names)} | {"$y$": x + np.sin(x)}
    table = write_csv(tmp_path / "strange.csv", columns)
    options = [part for kind in KINDS for part in ("--plot", kind, tmp_path / f"{kind}.png")]
    args = ("--target", "$y$", "--no-compare", *TEXTBOOK, "--explore", tmp_path / "a.html")
    status, _, err = run(table, *args, *options)
    assert status == 0 and "\x1b" not in err
    assert len(drawn) == 4
    assert "</script><b>" not in (tmp_path / "a.html").read_text("utf-8").replace("\\", "")


@pytest.mark.filterwarnings("ignore::gd_regressor.DivergenceWarning")
@pytest.mark.parametrize(
    ("options", "without"),
    [
        ([], {"surface"}),
        (["--learning-rate", "1e-7"], {}),
        (["--learning-rate", "0.1"], {"fit"}),  # all its predictions are far from y
        (["--max-iter", "0"], {"surface"}),
    ],
)
def test_the_cars_have_all_pictures_whatever_the_descent(run, tmp_path, drawn, options, without):
    kinds = [kind for kind in KINDS if kind not in without]
    plots = [part for kind in kinds for part in ("--plot", kind, tmp_path / f"{kind}.png")]
    args = ("--target", "price", "--no-compare", "--explore", tmp_path / "a.html")
    assert run(CARS, *args, *options, *plots)[0] == 0
    assert len(drawn) == len(kinds)
