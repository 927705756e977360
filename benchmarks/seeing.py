"""``python -m benchmarks.seeing``: reports, pictures and the explorer."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import sklearn

from benchmarks.data import Size, make_data
from benchmarks.markdown import duration, table, verdict
from benchmarks.measure import interleave
from gd_regressor import (
    ConvergenceMapDisplay,
    DescentExplorer,
    FitDisplay,
    GDLinearRegressor,
    LearningRateDisplay,
    LossCurveDisplay,
    LossSurfaceDisplay,
    SpectrumDisplay,
    learning_rate_report,
)

CARS = Path(__file__).parents[1] / "docs" / "data" / "cars.csv"
REPORT_PER_FIT, PAGE_PER_FIT = 1.5, 2.0
CURVES, DISPLAY, REDRAW = 0.1, 1.0, 0.033  # seconds
ROUNDS = 7
MOVES = 60  # of a slider
HEADER, ALIGNMENT = ["what", "took", "asked", "met"], "lrrc"

# The times of so many redraws, each with the layout of the page after it
DRAGGED = """async ([track, moves]) => {
    const slider = document.querySelector(`[data-track="${track}"] input[type="range"]`);
    const times = [];
    for (let i = 0; i < moves; i++) {
        await new Promise((drawn) => {
            let begin;
            // In one frame, in this order: the clock, the redraw, the layout
            requestAnimationFrame(() => { begin = performance.now(); });
            slider.value = 300 + 5 * i;
            slider.dispatchEvent(new Event('input', { bubbles: true }));
            requestAnimationFrame(() => {
                document.documentElement.getBoundingClientRect();
                times.push(performance.now() - begin);
                drawn();
            });
        });
    }
    return times;
}"""


def main() -> None:
    """Measure, and print the report."""
    argparse.ArgumentParser(prog="python -m benchmarks.seeing", description=__doc__).parse_args()
    matplotlib.use("Agg")
    versions = f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, matplotlib "
    versions += f"{matplotlib.__version__}, Python {platform.python_version()}, {os.cpu_count()} "
    versions += f"CPUs; load at the start {os.getloadavg()[0]:.1f}"
    lines = [*large_tables(), *curves(), *displays(), *redraws()]
    print(f"# Seeing\n\nMeasured with {versions}.\n\n{table(HEADER, lines, ALIGNMENT)}")


def large_tables() -> list[list[str]]:
    """A report and a page, in fits of the same table."""
    lines = []
    asked = {
        10: (learning_rate_report, REPORT_PER_FIT, "a report"),
        8: (page, PAGE_PER_FIT, "a page"),
    }
    for columns, (make, most, name) in asked.items():
        X, y = make_data(Size(1_000_000, columns))
        rate = 0.5 * learning_rate_report(X, y).limit()
        fit = GDLinearRegressor(learning_rate=rate, max_iter=1000, tol=None).fit
        seconds, _ = interleave({"fit": partial(fit, X, y), "ours": partial(make, X, y)}, ROUNDS)
        ours, theirs = (float(np.median(seconds[key])) for key in ("ours", "fit"))
        what = f"{name} of 1,000,000 x {columns}"
        took = f"{duration(ours)}, {ours / theirs:.2f} fits of {duration(theirs)}"
        lines.append([what, took, f"{most:g} fits", verdict(ours <= most * theirs)])
    return lines


def page(X: np.ndarray, y: np.ndarray) -> str:
    """The explorer's."""
    return DescentExplorer(X, y).to_html()


def curves() -> list[list[str]]:
    """A thousand loss curves of a thousand updates, on 20 columns."""
    report = learning_rate_report(*make_data(Size(2000, 20)))
    rates = np.linspace(0.001, 0.99, 1000) * report.limit()
    return [timed("1,000 loss curves", partial(report.losses, rates, 0.0, 1000), CURVES)]


def displays() -> list[list[str]]:
    """Each one of the cars, drawn: as they are, and standardised."""
    X, y = cars()
    lines = []
    for units, columns in (("raw", X), ("standardised", (X - X.mean()) / X.std(ddof=0))):
        rate = 0.5 * learning_rate_report(columns, y).limit()
        descent = {"learning_rate": rate, "n_iter": 60}
        makers = {
            "LossCurveDisplay": partial(LossCurveDisplay.from_data, **descent),
            "LearningRateDisplay": LearningRateDisplay.from_data,
            "LossSurfaceDisplay": partial(LossSurfaceDisplay.from_data, **descent),
            "FitDisplay": partial(FitDisplay.from_data, learning_rate=rate),
            "SpectrumDisplay": SpectrumDisplay.from_data,
            "ConvergenceMapDisplay": ConvergenceMapDisplay.from_data,
        }
        for name, make in makers.items():
            lines.append(timed(f"{name}, {units} cars", partial(draw, make, columns, y), DISPLAY))
    return lines


def cars() -> tuple[pd.DataFrame, pd.Series]:
    """Columns and prices."""
    frame = pd.read_csv(CARS)
    return frame.drop(columns="price"), frame["price"]


def draw(make, X: pd.DataFrame, y: pd.Series) -> None:
    """A picture, down to its pixels."""
    from matplotlib import pyplot

    make(X, y).figure_.canvas.draw()
    pyplot.close("all")


def redraws() -> list[list[str]]:
    """The page in Chromium while its sliders are dragged, where there is one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        return [["redraw of the explorer", "no Chromium", duration(REDRAW), "-"]]
    lines = []
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5))
    explorer = DescentExplorer(X, X @ np.arange(1.0, 6.0) + rng.standard_normal(400))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        explorer.save(file)
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        window = browser.new_page(viewport={"width": 1160, "height": 900})
        window.goto(file.as_uri())
        for track in ("rate", "momentum", "k"):
            seconds = float(np.median(window.evaluate(DRAGGED, [track, MOVES]))) / 1000
            what = f"redraw of the explorer, {track} dragged"
            lines.append([what, duration(seconds), duration(REDRAW), verdict(seconds <= REDRAW)])
        browser.close()
    return lines


def timed(what: str, call, asked: float) -> list[str]:
    """The median of some rounds, beside what is asked."""
    seconds, _ = interleave({"ours": call}, ROUNDS)
    took = float(np.median(seconds["ours"]))
    return [what, duration(took), duration(asked), verdict(took <= asked)]


if __name__ == "__main__":
    main()
