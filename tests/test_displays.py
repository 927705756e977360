"""The pictures: what they show is the descent's own numbers, and each can be read."""

import re
import subprocess
import sys
import warnings
from itertools import combinations
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import gd_regressor
from gd_regressor import (
    ConvergenceMapDisplay,
    CVSurfaceDisplay,
    FitDisplay,
    GDLinearRegressor,
    LearningRateDisplay,
    LearningRateReport,
    LossCurveDisplay,
    LossSurfaceDisplay,
    PenaltyPathDisplay,
    SpectrumDisplay,
    gd_path,
    learning_rate_report,
)
from gd_regressor.plots import canvas

ROOT = Path(gd_regressor.__file__).parent.parent
features, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
RAW = features.iloc[:150][["age", "bmi", "bp", "s1", "s5"]]
Y = target.iloc[:150]
SCALED = (RAW - RAW.mean()) / RAW.std(ddof=0)
ONE = SCALED[["bmi"]]
EXACT = pd.DataFrame({"hours": np.linspace(0, 2, 21)})
LONG = SCALED.set_axis([f"{name} " + 38 * "m" for name in SCALED], axis=1)
LIMIT, RAW_LIMIT = (learning_rate_report(X, Y).limit() for X in (SCALED, RAW))
ONE_LIMIT = learning_rate_report(ONE, Y).limit()


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def closely(actual, expected):
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12 * scale)


def quiet_path(*args, **kwargs):
    """`gd_path`, without a word about rates that diverge: that is what is drawn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gd_path(*args, **kwargs)


def least(X, y):
    """The smallest loss, by LAPACK."""
    A = np.column_stack([X, np.ones(len(X))])
    A = A / np.linalg.norm(A, axis=0)
    residual = y - A @ np.linalg.lstsq(A, y)[0]
    return np.mean(residual**2)


# --- What is drawn are the numbers of the descent ---


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_loss_curves_are_those_of_the_path(momentum):
    rates = [0.1 * LIMIT, 0.9 * LIMIT]
    display = LossCurveDisplay.from_data(
        SCALED, Y, learning_rate=rates, momentum=momentum, n_iter=80, tol=None
    )
    for line, rate in zip(display.lines_, rates, strict=True):
        losses = gd_path(SCALED, Y, learning_rate=rate, momentum=momentum, n_iter=80)[2]
        np.testing.assert_array_equal(line.get_xdata(), np.arange(81))
        closely(line.get_ydata(), losses)
    closely(display.minimum_line_.get_ydata(), least(SCALED, Y))


def test_loss_curves_above_the_minimum():
    display = LossCurveDisplay.from_data(
        SCALED, Y, learning_rate=0.1, n_iter=50, tol=None, above_minimum=True
    )
    losses = gd_path(SCALED, Y, learning_rate=0.1, n_iter=50)[2]
    heights = display.lines_[0].get_ydata()
    np.testing.assert_allclose(heights, losses - least(SCALED, Y), atol=1e-12 * losses[0])
    assert display.minimum_line_ is None


@pytest.mark.parametrize("tol", [1e-4, 1e-7])
def test_a_ring_is_where_the_fit_stopped(tol):
    rates = [0.1, 0.3]
    models = [GDLinearRegressor(rate, tol=tol, max_iter=10**6).fit(SCALED, Y) for rate in rates]
    fitted = LossCurveDisplay.from_estimators(models)
    drawn = LossCurveDisplay.from_data(SCALED, Y, learning_rate=rates, tol=tol, n_iter=10**6)
    for display in (fitted, drawn):
        for ring, line, model in zip(display.stop_points_, display.lines_, models, strict=True):
            assert ring.get_xdata()[0] == model.n_iter_ == line.get_xdata()[-1]
            closely(ring.get_ydata()[0], model.loss_curve_[model.n_iter_])
            assert ring.get_markeredgecolor() == line.get_color()
        closely(display.minimum_line_.get_ydata(), least(SCALED, Y))
    np.testing.assert_array_equal(fitted.lines_[0].get_ydata(), models[0].loss_curve_)
    cut = LossCurveDisplay.from_data(SCALED, Y, learning_rate=0.1, tol=tol, n_iter=3)
    assert cut.stop_points_ == [None]


def test_fits_to_different_data_have_no_minimum_in_common_however_far_they_start():
    model = GDLinearRegressor(0.5 * LIMIT, 200, None)
    far = {"coef_init": np.full(SCALED.shape[1], 1e7)}
    models = [clone(model).fit(SCALED, k * Y, **far) for k in (1, 2)]
    again = [clone(model).fit(SCALED, Y), models[0]]  # of one table
    assert LossCurveDisplay.from_estimators(models).minimum_line_ is None
    assert LossCurveDisplay.from_estimators(again).minimum_line_ is not None


def test_many_updates_are_drawn_at_points_of_the_curve():
    display = LossCurveDisplay.from_data(SCALED, Y, learning_rate=0.001, n_iter=10**7, tol=None)
    ks = display.lines_[0].get_xdata()
    assert ks[0] == 0 and ks[-1] == 10**7 and 1000 < len(ks) <= 2000
    some = ks[:: len(ks) // 20].astype(int)
    losses = gd_path(SCALED, Y, learning_rate=0.001, n_iter=some)[2]
    closely(display.lines_[0].get_ydata()[:: len(ks) // 20], losses)


def test_a_pipeline_is_an_estimator():
    pipeline = make_pipeline(StandardScaler(), GDLinearRegressor(0.1, tol=None, max_iter=40))
    both = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    pipeline.fit(RAW, Y)
    curve = LossCurveDisplay.from_estimator(pipeline, name="descent").lines_[0].get_ydata()
    np.testing.assert_array_equal(curve, pipeline[-1].loss_curve_)
    both.fit(RAW, Y)
    curve = LossCurveDisplay.from_estimator(both).lines_[0].get_ydata()
    np.testing.assert_array_equal(curve, both.regressor_[-1].loss_curve_)
    report = LearningRateReport.from_estimator(pipeline, RAW, Y)
    drawn = LossCurveDisplay.from_report(report, learning_rate=0.1, n_iter=40, tol=None)
    np.testing.assert_allclose(drawn.lines_[0].get_ydata(), pipeline[-1].loss_curve_, rtol=1e-10)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_learning_rates(momentum):
    display = LearningRateDisplay.from_data(SCALED, Y, momentum=momentum)
    model = GDLinearRegressor(0.1, momentum=momentum, max_iter=1, tol=None).fit(SCALED, Y)
    closely(display.limit_line_.get_xdata(), model.max_learning_rate_)
    shares = np.array([0.01, 0.1, 0.5, 0.95, 1.02])
    closely(display.learning_rates, shares * model.max_learning_rate_)
    for line, rate in zip(display.lines_, display.learning_rates, strict=True):
        losses = quiet_path(SCALED, Y, learning_rate=rate, momentum=momentum, n_iter=60)[2]
        closely(line.get_ydata(), losses)


def direct_need(X, y, rate, momentum, tol=1e-6, most=20_000):
    """The first update from which on the loss stays near its minimum, by looking at all."""
    losses = gd_path(X, y, learning_rate=rate, momentum=momentum, n_iter=most)[2]
    beyond = np.flatnonzero(losses - least(X, y) > tol * np.var(y))
    return beyond[-1] + 1 if len(beyond) else 0


def test_the_updates_needed_are_those_of_a_direct_search():
    display = LearningRateDisplay.from_data(SCALED, Y)
    rates, needed = display.needed_line_.get_data()
    few = np.flatnonzero(needed < 15_000)
    for i in few[:: max(len(few) // 8, 1)]:
        assert abs(needed[i] - direct_need(SCALED, Y, rates[i], 0.0)) <= 1  # rounding of the gap
    rate, fewest = display.fastest
    assert fewest <= needed.min()
    assert abs(fewest - direct_need(SCALED, Y, rate, 0.0)) <= 1


def test_the_fastest_rate_is_on_the_line_of_the_updates_needed():
    # Of one standardised column it needs one update, and its neighbours two
    display = LearningRateDisplay.from_data(ONE, Y, learning_rates=[0.1 * ONE_LIMIT])
    rates, needed = display.needed_line_.get_data()
    rate, fewest = display.fastest
    assert fewest == 1 and needed[rates == rate] == [1]
    assert_readable(display.figure_)


def test_the_map_counts_by_a_direct_search():
    display = ConvergenceMapDisplay.from_data(SCALED, Y)
    needed = np.ma.filled(display.mesh_.get_array(), np.inf).reshape(np.shape(display.needed))
    np.testing.assert_array_equal(needed, display.needed)
    rates, momenta = np.asarray(display.learning_rates), np.asarray(display.momenta)
    rates = (rates[1:] + rates[:-1]) / 2
    if momenta[-1] > 0.9:
        momenta = 1 - np.sqrt((1 - momenta[1:]) * (1 - momenta[:-1]))
    else:
        momenta = (momenta[1:] + momenta[:-1]) / 2
    for i, j in [(3, 10), (20, 20), (40, 25), (55, 30)]:
        expected = direct_need(SCALED, Y, rates[j], momenta[i])
        assert abs(needed[i, j] - expected) <= 1
    limits = 2 * (1 + momenta[:, None]) / display.largest_curvature
    np.testing.assert_array_equal(np.isinf(needed), rates > limits)
    closely(display.limit_line_.get_xdata()[0], LIMIT)
    curvatures = np.linalg.eigvalsh(2 / len(Y) * design(SCALED).T @ design(SCALED))
    smallest, largest = np.sqrt(curvatures[[0, -1]])
    (rate,), (momentum,) = display.best_.get_data()
    assert momentum == pytest.approx(((largest - smallest) / (largest + smallest)) ** 2, rel=1e-9)
    assert rate == pytest.approx(4 / (largest + smallest) ** 2, rel=1e-9)
    plain = 2 / (largest**2 + smallest**2)
    assert display.plain_.get_xdata()[0] == pytest.approx(plain, rel=1e-9)


def design(X):
    return np.column_stack([X, np.ones(len(X))])


def test_directions_add_up_to_the_loss():
    display = SpectrumDisplay.from_data(SCALED, Y, learning_rate=0.2)
    ks, total = (np.asarray(v) for v in display.total_.get_data())
    losses = gd_path(SCALED, Y, learning_rate=0.2, n_iter=ks.astype(int))[2]
    np.testing.assert_allclose(total, losses - least(SCALED, Y), atol=1e-12 * losses[0])
    parts = np.array([line.get_ydata() for line in display.lines_])
    np.testing.assert_allclose(np.nansum(parts, axis=0), total, rtol=1e-12)
    curvatures = np.linalg.eigvalsh(2 / len(Y) * design(SCALED).T @ design(SCALED))[::-1]
    for line, curvature in zip(parts, curvatures, strict=True):
        assert line[1] / line[0] == pytest.approx((1 - 0.2 * curvature) ** 2, rel=1e-6)
    closely(display.tol_line_.get_ydata(), 1e-6 * np.var(Y))
    standard = SpectrumDisplay.from_data(SCALED, Y)
    closely(standard.learning_rate, 0.45 * LIMIT)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_paths_and_fits_are_those_of_the_path(momentum):
    setting = {"learning_rate": 0.3 * LIMIT, "momentum": momentum}
    start = {"coef_init": [30.0, -5.0, 1.0, 2.0, 3.0], "intercept_init": 200.0}
    coefs, intercepts, _ = gd_path(SCALED, Y, n_iter=40, **setting, **start)
    surface = LossSurfaceDisplay.from_data(
        SCALED, Y, n_iter=40, features=("s5", "intercept"), **setting, **start
    )
    closely(surface.path_.get_xdata(), coefs[4])
    closely(surface.path_.get_ydata(), intercepts)
    closely(np.ravel(surface.start_.get_data()), [3.0, 200.0])
    best = np.linalg.lstsq(design(SCALED), Y)[0]
    closely(np.ravel(surface.minimum_.get_data()), best[4:])
    fit = FitDisplay.from_data(SCALED, Y, feature="bp", n_iter=[0, 5, 40], **setting, **start)
    x = np.array([SCALED["bp"].min(), SCALED["bp"].max()])
    for line, k in zip(fit.lines_, [0, 5, 40], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), x)
        # Scaled columns have means of zero
        np.testing.assert_allclose(line.get_ydata(), intercepts[k] + coefs[2, k] * x, rtol=1e-11)


def test_residuals_and_predictions_are_those_of_the_last_update():
    coefs, intercepts, _ = gd_path(ONE, Y, learning_rate=0.3, n_iter=[7])
    fit = FitDisplay.from_data(ONE, Y, learning_rate=0.3, n_iter=[0, 7], kind="residuals")
    segments = np.array(fit.residuals_.get_segments())
    closely(segments[:, 0], np.column_stack([ONE["bmi"], Y]))
    closely(segments[:, 1, 1], ONE["bmi"] * coefs[0, 0] + intercepts[0])
    coefs, intercepts, _ = gd_path(SCALED, Y, learning_rate=0.1, n_iter=[60])
    fit = FitDisplay.from_data(SCALED, Y, learning_rate=0.1, kind="actual_vs_predicted")
    predicted = SCALED.to_numpy() @ coefs[:, 0] + intercepts[0]
    closely(np.asarray(fit.scatter_.get_offsets()), np.column_stack([predicted, Y]))


def test_rows_are_drawn_once_and_the_means_are_those_of_all_rows():
    fit = FitDisplay.from_data(
        RAW, Y, learning_rate=0.5 * RAW_LIMIT, n_iter=[9], subsample=20, random_state=3
    )
    shown = np.asarray(fit.scatter_.get_offsets())
    assert len(shown) == 20 and {tuple(p) for p in shown} <= set(zip(RAW["age"], Y, strict=True))
    coefs, intercepts, _ = gd_path(RAW, Y, learning_rate=0.5 * RAW_LIMIT, n_iter=[9])
    at = np.tile(RAW.mean(), (2, 1))
    at[:, 0] = fit.lines_[0].get_xdata()
    closely(fit.lines_[0].get_ydata(), at @ coefs[:, 0] + intercepts[0])


def test_at_the_minimum_a_line_passes_through_the_weighted_means():
    weights = np.arange(len(Y)) % 3
    rate = learning_rate_report(SCALED, Y, sample_weight=weights).best_learning_rate
    fit = FitDisplay.from_data(SCALED, Y, learning_rate=rate, n_iter=[10**5], sample_weight=weights)
    x, heights = fit.line_points()
    middle, height = (np.average(v, weights=weights) for v in (SCALED["age"], Y))
    assert np.interp(middle, x, heights[:, 0]) == pytest.approx(height, rel=1e-12)


def test_a_line_of_one_column_says_where_the_others_are_held():
    name = FitDisplay.from_data(SCALED, Y, learning_rate=0.1, feature="bp").ax_.get_xlabel()
    assert name == "bp (other columns at their means)"
    assert FitDisplay.from_data(ONE, Y, learning_rate=0.1).ax_.get_xlabel() == "bmi"


# --- Path and contours belong together ---


@pytest.mark.parametrize("n_iter", [1, 60])
def test_a_path_that_its_start_covers_is_said_to_be_short(n_iter):
    """Of one column of mean 0 an update goes a share of 2 rate of the way of the intercept."""
    X = ONE - ONE.mean()
    rate = 1e-5
    display = LossSurfaceDisplay.from_data(X, Y, learning_rate=rate, n_iter=n_iter)
    said = display.ax_.get_title(loc="right")
    assert said.startswith("the path is too short to be seen: ")
    share = float(re.search(r"([\d.]+) % of the way", said)[1]) / 100
    least, most = sorted(
        1 - (1 - rate * c) ** n_iter for c in (2.0, 2 * float(np.mean(X["bmi"] ** 2)))
    )
    assert 0.95 * least <= share <= 1.05 * most
    long = LossSurfaceDisplay.from_data(X, Y, learning_rate=0.1, n_iter=60)
    assert long.ax_.get_title(loc="right") == ""
    none = LossSurfaceDisplay.from_data(X, Y, learning_rate=0.1, n_iter=0)
    assert none.ax_.get_title(loc="right") == ""


@pytest.mark.parametrize("column", ["bmi", "s1"])
@pytest.mark.parametrize("table", [RAW, SCALED], ids=["raw", "scaled"])
def test_the_surface_at_a_point_of_the_path_is_its_loss(table, column):
    """Of a model with two coefficients in all."""
    X = table[[column]]
    rate = 0.3 * learning_rate_report(X, Y).limit()
    display = LossSurfaceDisplay.from_data(X, Y, learning_rate=rate, n_iter=50)
    losses = gd_path(X, Y, learning_rate=rate, n_iter=50)[2]
    closely(display.loss_at(*display.path_.get_data()), losses)


@pytest.mark.parametrize("table", [RAW, SCALED], ids=["raw", "scaled"])
def test_the_surface_of_two_among_many_has_the_others_at_their_best(table):
    display = LossSurfaceDisplay.from_data(
        table, Y, learning_rate=1e-6, n_iter=1, features=("bmi", "s5")
    )
    rest = design(table.drop(columns=["bmi", "s5"]))
    for shift in np.random.default_rng(0).uniform(-2, 2, (10, 2)):
        pair = np.asarray(display.minimum) * (1 + shift)
        left = Y - table[["bmi", "s5"]].to_numpy() @ pair
        best = np.mean((left - rest @ np.linalg.lstsq(rest, left)[0]) ** 2)
        assert display.loss_at(*pair) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("features", [(0, -1), ("bmi", "s5")], ids=["intercept", "columns"])
def test_the_gradient_is_orthogonal_to_the_contours(features):
    display = LossSurfaceDisplay.from_data(
        SCALED, Y, learning_rate=0.1, n_iter=30, features=features, grid_resolution=401
    )
    paths = [p for p in display.contour_.get_paths() if len(p.vertices) > 100]
    level = display.contour_.levels[4]
    ring = next(p for p in paths if np.isclose(display.loss_at(*p.vertices[50]), level, rtol=1e-3))
    along = ring.vertices[40:90:5]
    assert len(along) == 10
    for at, after in zip(along, ring.vertices[41:91:5], strict=True):
        step = 1e-4 * np.abs(display.minimum)
        gradient = [
            np.diff(display.loss_at(*(at + np.outer([-1, 1], e * step)).T))[0] / (2 * e @ step)
            for e in np.eye(2)
        ]
        tangent = after - at
        # In units of the two axes, which differ
        scale = np.ptp([display.ax_.get_xlim(), display.ax_.get_ylim()], axis=1)
        cosine = (tangent / scale) @ (gradient * scale)
        cosine /= np.linalg.norm(tangent / scale) * np.linalg.norm(gradient * scale)
        assert abs(cosine) < 0.05  # a chord of the grid


# --- All can be read ---


def shown_texts(figure):
    """All words in a figure with their boxes; labels of ticks beyond the view are left out."""
    figure.draw_without_rendering()
    texts = []
    for ax in figure.axes:
        texts += [*ax.texts, ax.title, ax._left_title, ax._right_title]
        for axis in (ax.xaxis, ax.yaxis):
            place = axis.get_transform().transform
            low, high = sorted(place(axis.get_view_interval()))
            near = 1e-9 * (high - low)
            for tick in axis.get_major_ticks():
                if low - near <= place(tick.get_loc()) <= high + near:
                    texts += [tick.label1, tick.label2]
            texts += [axis.label, axis.get_offset_text()]
        if ax.get_legend() is not None:
            texts += [ax.get_legend().get_title(), *ax.get_legend().get_texts()]
    texts = [t for t in texts if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), text_box(t, figure)) for t in texts]


def text_box(text, figure):
    """Of the words alone, without arrows and boxes."""
    return matplotlib.text.Text.get_window_extent(text, figure.canvas.get_renderer())


def assert_readable(figure):
    texts = shown_texts(figure)
    width, height = figure.canvas.get_width_height()
    for text, box in texts:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        assert inside, f"{text!r} lies outside the figure: {box}"
    for (text, box), (other, place) in combinations(texts, 2):
        across = min(box.x1, place.x1) - max(box.x0, place.x0)
        down = min(box.y1, place.y1) - max(box.y0, place.y0)
        assert not (across > 1 and down > 1), f"{text!r} lies over {other!r}"


CASES = {
    "scaled": (SCALED, Y, 0.1, 60),
    "raw": (RAW, Y, 0.5 * RAW_LIMIT, 60),
    "exact": (EXACT, 2 * EXACT["hours"] + 1, 0.3, 2000),
    "one update": (SCALED, Y, 0.1, 1),
    "30 iterations": (ONE, Y, 0.1, 30),
    "diverging": (SCALED, Y, 1.02 * LIMIT, 60),
    "bursting": (SCALED, Y, 20 * LIMIT, 60),
    "long names": (LONG, Y, 0.1, 60),
}
each_case = pytest.mark.parametrize("case", CASES)


def draw_all(case, places):
    """Every display of a case; `places` gives axes, one or a pair."""
    X, y, rate, n_iter = CASES[case]
    report, some = learning_rate_report(X, y), np.unique(np.linspace(0, n_iter, 6).astype(int))
    rates = [rate, 0.1 * report.limit()]
    yield LossCurveDisplay.from_report(report, learning_rate=rate, n_iter=n_iter, ax=places(1))
    yield LossCurveDisplay.from_report(
        report, learning_rate=rates, n_iter=n_iter, ax=places(1), above_minimum=True
    )
    setting = {"learning_rate": rate, "n_iter": n_iter}
    yield LossSurfaceDisplay.from_report(report, **setting, ax=places(1))
    setting["n_iter"] = some
    yield FitDisplay.from_report(report, X, y, **setting, ax=places(1))
    setting["n_iter"] = 1 if case == "bursting" else some  # later all predictions are far away
    kind = "actual_vs_predicted"
    yield FitDisplay.from_report(report, X, y, **setting, kind=kind, ax=places(1))
    yield SpectrumDisplay.from_report(report, ax=places(1))
    yield ConvergenceMapDisplay.from_report(report, ax=places(1))
    yield LearningRateDisplay.from_report(report, n_iter=n_iter, ax=places(2))


@each_case
def test_texts_keep_apart_in_figures_of_their_own(case):
    for display in draw_all(case, lambda count: None):
        assert_readable(display.figure_)
        assert_proper_axes(display)
        plt.close(display.figure_)


@each_case
def test_texts_keep_apart_in_subplots_of_half_size(case):
    figures = [
        plt.subplots(2, 2, layout="constrained")[1].ravel(),
        plt.subplots(2, 2, layout="tight")[1].ravel(),
        plt.subplots(2, 1, layout="constrained", figsize=(3.2, 4.8))[1].ravel(),
    ]
    free = [ax for axes in figures for ax in axes][:9]
    list(
        draw_all(
            case, lambda count: [free.pop(0) for _ in range(count)] if count > 1 else free.pop(0)
        )
    )
    for axes in figures:
        assert_readable(axes[0].figure)


def assert_proper_axes(display):
    """No datum without a place on a logarithmic axis, limits in order."""
    for ax in display.figure_.axes:
        for line in ax.lines:
            if line.get_transform() != ax.transData:  # lines across the axes
                continue
            for data, scale in zip(
                line.get_data(), (ax.get_xscale(), ax.get_yscale()), strict=True
            ):
                data = np.asarray(data, dtype=float)
                assert scale != "log" or not (data <= 0).any()
        assert np.isfinite([ax.get_xlim(), ax.get_ylim()]).all()


# Machado, Oliveira and Fernandes (2009), full severity
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(rgb, matrix):
    """Linear light as a colour-blind reader sees it, as relative luminance."""
    rgb = np.asarray(to_rgb(rgb))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(np.asarray(matrix) @ linear, 0, 1) @ [0.2126, 0.7152, 0.0722]


def dashes(line):
    return str(line._unscaled_dash_pattern)


@pytest.mark.parametrize("reader", BLINDNESS)
def test_lines_differ_in_dashes_or_in_lightness(reader):
    many = LossCurveDisplay.from_data(
        SCALED, Y, learning_rate=list(LIMIT * np.linspace(0.05, 0.9, 16)), n_iter=20
    )
    displays = [
        many.lines_,
        LearningRateDisplay.from_data(SCALED, Y).lines_,
        FitDisplay.from_data(ONE, Y, learning_rate=0.1).lines_,
        SpectrumDisplay.from_data(SCALED, Y).lines_,
    ]
    for lines in displays:
        for one, other in combinations(lines, 2):
            apart = abs(
                np.subtract(*(seen(v.get_color(), BLINDNESS[reader]) for v in (one, other)))
            )
            assert dashes(one) != dashes(other) or apart >= 0.08


def test_maps_grow_lighter_or_darker_steadily():
    surface = LossSurfaceDisplay.from_data(ONE, Y, learning_rate=0.1, n_iter=3)
    heat = ConvergenceMapDisplay.from_data(ONE, Y)
    for artist in (surface.contour_, heat.mesh_):
        colours = artist.get_cmap()(np.linspace(0, 1, 64))
        light = [seen(colour[:3], np.eye(3)) for colour in colours]
        assert (np.diff(light) < 0).all() or (np.diff(light) > 0).all()


@pytest.mark.parametrize("share", [1.02, 1.5, 20])
def test_a_diverging_loss_is_shown_up_to_30_times_the_first(share):
    report = learning_rate_report(SCALED, Y)
    rates = [share * LIMIT, 0.1 * LIMIT]
    curve = LossCurveDisplay.from_report(report, learning_rate=rates, n_iter=100)
    assert curve.ax_.get_ylim()[1] <= 30 * report.first_loss * (1 + 1e-12)
    both = LearningRateDisplay.from_report(report, learning_rates=rates, n_iter=100)
    assert both.axes_[0].get_ylim()[1] <= 30 * report.first_loss * (1 + 1e-12)
    modes = SpectrumDisplay.from_report(report, learning_rate=share * LIMIT)
    assert modes.ax_.get_ylim()[1] <= 30 * report.excess.sum() * (1 + 1e-12)
    # Orange belongs to it alone
    orange = [line.get_color() == canvas.ORANGE for line in curve.lines_]
    assert orange == [True, False]
    fit = FitDisplay.from_report(report, SCALED, Y, learning_rate=share * LIMIT, n_iter=100)
    low, high = fit.ax_.get_ylim()
    assert high - low <= 4 * np.ptp(Y)


def test_what_diverges_is_transparent_over_hatching():
    display = ConvergenceMapDisplay.from_data(ONE, Y)
    values = display.mesh_.get_array()
    assert values.mask.any() and not values.mask.all()
    assert display.mesh_.get_cmap()(np.ma.masked_array([1.0], [True]))[0, 3] == 0
    assert any(patch.get_hatch() for patch in display.ax_.patches)


def test_a_perfect_fit_ends_where_rounding_begins():
    y = 2 * EXACT["hours"] + 1
    display = LossCurveDisplay.from_data(EXACT, y, learning_rate=0.3, n_iter=2000, tol=None)
    losses = gd_path(EXACT, y, learning_rate=0.3, n_iter=2000)[2]
    heights = display.lines_[0].get_ydata()
    first = np.flatnonzero(losses <= 1e-16 * losses[0])[0]
    np.testing.assert_array_equal(np.isnan(heights), np.arange(2001) >= first)
    assert display.texts_[0].get_text() == f"zero to rounding from update {first:,} on"
    low, _ = display.ax_.get_ylim()
    assert 1e-19 * losses[0] < low <= heights[first - 1]
    nothing = LossCurveDisplay([0.0, 0.0]).plot()
    assert nothing.ax_.get_yscale() == "linear"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0241, "0.0241"),
        (100_000, "100,000"),
        (5_846_980, "5.85·10⁶"),
        (1e6, "10⁶"),
        (999_999, "999,999"),
        (-800, "−800"),
        (1.5828e-7, "1.58·10⁻⁷"),
        (1e-4, "0.0001"),
        (0, "0"),
        (0.1 + 0.2, "0.3"),
        (9.999e-5, "10⁻⁴"),
        (np.inf, "∞"),
    ],
)
def test_numbers(value, text):
    assert canvas.number(value) == text


def test_labels_are_pushed_apart_as_little_as_needs_be():
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 8):
        places, gap = rng.uniform(0, 1, count), 0.1
        moved = canvas.pushed(places, gap)
        order = np.argsort(places)
        assert (np.diff(moved[order]) >= gap - 1e-12).all()
        assert moved.min() >= 0 and moved.max() <= 1
    np.testing.assert_allclose(canvas.pushed(np.array([0.2, 0.5]), 0.1), [0.2, 0.5])
    np.testing.assert_allclose(canvas.pushed(np.array([0.5, 0.5]), 0.1), [0.45, 0.55])


def test_logarithmic_axes_have_numbers_whatever_their_range():
    for decades in (0.4, 1.5, 3, 8, 40):
        _, ax = plt.subplots()
        ax.set_yscale("log")
        ax.set_ylim(3.0, 3.0 * 10**decades)
        canvas.log_ticks(ax.yaxis)
        ax.figure.canvas.draw()
        low, high = ax.get_ylim()
        ticks = [v for v in ax.yaxis.get_majorticklocs() if low <= v <= high]
        assert 2 <= len(ticks) <= 12
        if 1 < decades <= 3:
            assert {f"{v:.0e}"[0] for v in ticks} == {"1", "2", "5"}


# --- Manners ---


def displays(**kwargs):
    report = learning_rate_report(ONE, Y)
    setting = {"learning_rate": 0.1, "n_iter": 20}
    return {
        "loss": lambda ax=None: LossCurveDisplay.from_report(report, **setting, ax=ax),
        "surface": lambda ax=None: LossSurfaceDisplay.from_report(report, **setting, ax=ax),
        "fit": lambda ax=None: FitDisplay.from_report(report, ONE, Y, **setting, ax=ax),
        "spectrum": lambda ax=None: SpectrumDisplay.from_report(report, ax=ax),
        "map": lambda ax=None: ConvergenceMapDisplay.from_report(report, ax=ax),
        "rates": lambda ax=None: LearningRateDisplay.from_report(report, ax=ax),
        "scores": lambda ax=None: CVSurfaceDisplay([0, 9], [0.1, 2], np.eye(2), limits=1).plot(ax),
        "penalty": lambda ax=None: PenaltyPathDisplay.from_data(SCALED, Y, alphas=9, ax=ax),
    }


DISPLAYS = displays()
each_display = pytest.mark.parametrize("name", DISPLAYS)


@each_display
def test_plot_returns_self_and_draws_on_the_axes_given(name, tmp_path):
    before = dict(matplotlib.rcParams)
    display = DISPLAYS[name]()
    data = {k: v for k, v in vars(display).items() if not k.endswith("_")}
    for layout in ("constrained", "tight", None):
        count = 2 if name == "rates" else 1
        figure, axes = plt.subplots(1, count, layout=layout, squeeze=False)
        axes = list(axes[0]) if count > 1 else axes[0, 0]
        assert display.plot(axes) is display
        assert (display.axes_ if count > 1 else display.ax_) == axes
        assert display.figure_ is figure
        display.plot(axes)  # twice
        figure.draw_without_rendering()
    for kind in ("png", "svg", "pdf"):
        figure.savefig(tmp_path / f"picture.{kind}")
        assert (tmp_path / f"picture.{kind}").stat().st_size > 1000
    assert dict(matplotlib.rcParams) == before
    # `plot` draws only: the data are as they were
    after = {k: v for k, v in vars(display).items() if not k.endswith("_")}
    assert all(after[key] is value for key, value in data.items())


def test_what_was_drawn_before_stays_in_view():
    _, ax = plt.subplots()
    LossCurveDisplay([100.0, 10.0, 5.0]).plot(ax)
    LossCurveDisplay([1.0, 0.5]).plot(ax)
    assert ax.get_ylim()[0] < 0.5 and ax.get_ylim()[1] > 100 and ax.get_xlim() == (0, 2)


def test_matplotlib_is_imported_when_drawing_and_pyplot_for_new_axes_alone():
    """Pyplot would ask for a screen, and keep the figure."""
    code = (
        "import sys; from gd_regressor import *\n"
        "print([m for m in sys.modules if 'matplotlib' in m])\n"
        "from matplotlib.figure import Figure\n"
        "LossCurveDisplay([2.0, 1.0]).plot(Figure().subplots())\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[]", "False"]


def test_frames_of_a_film_are_points_of_the_path(tmp_path):
    display = FitDisplay.from_data(ONE, Y, learning_rate=0.2, n_iter=[0, 2, 9])
    film = display.animate(fps=5)
    coefs, intercepts, _ = gd_path(ONE, Y, learning_rate=0.2, n_iter=[0, 2, 9])
    x = np.array([ONE["bmi"].min(), ONE["bmi"].max()])
    for i, k in enumerate([0, 2, 9]):
        film._draw_frame(i)
        np.testing.assert_allclose(display.lines_[0].get_ydata(), intercepts[i] + coefs[0, i] * x)
        assert display.texts_[0].get_text() == f"{k}\u00a0updates"
    film.save(tmp_path / "film.gif", writer="pillow")
    assert (tmp_path / "film.gif").read_bytes()[:3] == b"GIF"
    longer = display.animate(seconds=2, fps=5)
    assert len(list(longer.new_saved_frame_seq())) == 10
    longer._draw_was_started = True  # it need not be shown


# --- Bad input ---

REPORT = learning_rate_report(SCALED, Y)
TWO = learning_rate_report(SCALED, np.column_stack([Y, Y]))
WITH_NAN = SCALED.to_numpy(copy=True)
WITH_NAN[3, 1] = np.nan
SURFACE = {"learning_rate": 0.1, "n_iter": 3}
BAD = {
    "a tree": (
        lambda: LossCurveDisplay.from_estimator(DecisionTreeRegressor().fit(ONE, Y)),
        "estimator must have a loss_curve_, got DecisionTreeRegressor; pass a fitted GDLinear",
    ),
    "a tree's surface": (
        lambda: LossSurfaceDisplay.from_estimator(DecisionTreeRegressor().fit(ONE, Y), ONE, Y),
        "estimator must be a fitted GDLinearRegressor, .* got DecisionTreeRegressor; use "
        r"LossSurfaceDisplay.from_data\(X, y, ",
    ),
    "the surface of auto": (
        lambda: LossSurfaceDisplay.from_estimator(GDLinearRegressor().fit(ONE, Y), ONE, Y),
        "estimator must have a number as learning_rate, got 'auto'; use LossSurface",
    ),
    "not fitted": (
        lambda: LossCurveDisplay.from_estimator(make_pipeline(GDLinearRegressor())),
        "estimator is not fitted; call fit first",
    ),
    "one of two not fitted": (
        lambda: LossCurveDisplay.from_estimators([GDLinearRegressor()]),
        "is not fitted; call fit first",
    ),
    "the surface of what is not fitted": (
        lambda: LossSurfaceDisplay.from_estimator(GDLinearRegressor(), ONE, Y),
        "estimator is not fitted; call fit first",
    ),
    "no estimators": (lambda: LossCurveDisplay.from_estimators([]), "estimators must be"),
    "no report": (lambda: SpectrumDisplay.from_report(Y), "report must be a LearningRateReport"),
    "unknown minimum": (
        lambda: LossCurveDisplay([2.0, 1.0]).plot(above_minimum=True),
        "above_minimum=True needs the minimum_loss; use from_data",
    ),
    "names": (lambda: LossCurveDisplay([2.0, 1.0]).plot(names=["a", "b"]), "names must have one"),
    "curve_kwargs": (
        lambda: LossCurveDisplay([2.0, 1.0]).plot(curve_kwargs=["red"]),
        "curve_kwargs must be a dict",
    ),
    "axes": (lambda: SpectrumDisplay.from_report(REPORT, ax=3), "ax must be matplotlib Axes or"),
    "one of two axes": (
        lambda: LearningRateDisplay.from_data(SCALED, Y, ax=plt.figure().subplots()),
        "ax must be 2 matplotlib Axes or None, got .*; write ax=None for new ones",
    ),
    "one of two axes again": (
        lambda: LearningRateDisplay.from_report(REPORT).plot(plt.figure().subplots()),
        "axs must be 2 matplotlib Axes or None, got .*; write axs=None for new ones",
    ),
    "momenta": (
        lambda: LossCurveDisplay.from_report(REPORT, learning_rate=[1, 2], momentum=[0, 0, 0]),
        "momentum must be one number or one for each of 2",
    ),
    "n_iter": (
        lambda: LossCurveDisplay.from_report(REPORT, learning_rate=0.1, n_iter=[1, 2]),
        "n_iter must be an integer >= 0",
    ),
    "rates": (
        lambda: LearningRateDisplay.from_report(REPORT, learning_rates=[0.1, -1]),
        "learning_rates must be numbers > 0",
    ),
    "tol": (lambda: ConvergenceMapDisplay.from_report(REPORT, tol=0), "tol must be a number > 0"),
    "momentum beside one": (
        lambda: ConvergenceMapDisplay.from_data(SCALED * 1e-9, Y),
        r"X must have a condition number .* at most 1e\+11 .* got .*; standardise the columns",
    ),
    "rate": (
        lambda: SpectrumDisplay.from_report(REPORT, learning_rate="auto"),
        "learning_rate must be a number > 0",
    ),
    "NaN": (lambda: LossSurfaceDisplay.from_data(WITH_NAN, Y, **SURFACE), "NaN"),
    "too many columns": (
        lambda: SpectrumDisplay.from_data(np.ones((2, 10_000)), [1.0, 2.0]),
        "X must have at most 1,000 columns for a picture, got 10,000",
    ),
    "two targets": (
        lambda: LossSurfaceDisplay.from_report(TWO, **SURFACE),
        "y must be one target of shape",
    ),
    "no names": (
        lambda: LossSurfaceDisplay.from_data(
            SCALED.to_numpy(), Y, features=("bmi", "bp"), **SURFACE
        ),
        "each of features must be one of .*'x0'.*, got 'bmi'; name the columns by feature_names",
    ),
    "one coefficient": (
        lambda: LossSurfaceDisplay.from_report(REPORT, features=(0, 0), **SURFACE),
        "features must be two different",
    ),
    "residuals of many": (
        lambda: FitDisplay.from_data(SCALED, Y, learning_rate=0.1, kind="residuals"),
        'kind="residuals" needs X of one column, got 5; write kind="actual_vs_predicted"',
    ),
    "predictions that are all far away": (
        lambda: FitDisplay.from_data(
            SCALED, Y, learning_rate=3 * LIMIT, n_iter=200, kind="actual_vs_predicted"
        ),
        r"n_iter and learning_rate .* got predictions that .* far from y.*a smaller n_iter or",
    ),
    "lines that are all far away": (
        lambda: FitDisplay.from_data(ONE, Y, learning_rate=3.0, n_iter=[30]),
        r"n_iter and learning_rate .* got lines that .* far from y.*write a smaller n_iter or",
    ),
    "lines after the end": (
        lambda: FitDisplay.from_data(ONE, Y, learning_rate=3.0, n_iter=[10_000]),
        r"n_iter must begin before the descent has diverged, after \d+ updates .* got \[10000\]",
    ),
    "kind": (lambda: FitDisplay.from_data(ONE, Y, learning_rate=0.1, kind="bars"), "kind must be"),
    "plot_method": (
        lambda: LossSurfaceDisplay.from_report(REPORT, plot_method="heat", **SURFACE),
        "plot_method must be",
    ),
    "other rows": (
        lambda: FitDisplay.from_report(REPORT, ONE, Y, learning_rate=0.1),
        "X must have the 5 columns of the report, got 1",
    ),
    "nothing to learn": (
        lambda: SpectrumDisplay.from_data(np.zeros((3, 1)), [1.0, 2.0, 3.0], fit_intercept=False),
        "X must have a column that is not zero",
    ),
}


OWN = ("one of two axes", "one of two axes again")  # figures of the tests themselves


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_and_no_figure_is_left(what):
    ask, words = BAD[what]
    ready = len(plt.get_fignums())
    with pytest.raises(ValueError, match=words):
        ask()
    left = plt.get_fignums()[ready:]
    assert not left or what in OWN


FROM_DATA = {
    "loss": lambda X, y: LossCurveDisplay.from_data(X, y, learning_rate=0.1),
    "rates": LearningRateDisplay.from_data,
    "surface": lambda X, y: LossSurfaceDisplay.from_data(X, y, **SURFACE),
    "fit": lambda X, y: FitDisplay.from_data(X, y, learning_rate=0.1),
    "spectrum": SpectrumDisplay.from_data,
    "map": ConvergenceMapDisplay.from_data,
}
UNFIT = {
    "NaN": (WITH_NAN, Y, r"X.*NaN"),
    "NaN in y": (SCALED, Y.where(Y.index != 5), r"y.*NaN"),
    "10,000 columns": (np.ones((3, 10_000)), [1.0, 2.0, 3.0], "X must have at most 1,000 columns"),
    "words": (SCALED.assign(bmi="low"), Y, "X.*low"),
    "one row too few": (SCALED, Y[:-1], "inconsistent numbers of samples|y must have"),
}


@pytest.mark.parametrize("what", UNFIT)
@pytest.mark.parametrize("name", FROM_DATA)
def test_data_that_no_picture_shows_are_refused_before_a_figure_is_made(name, what):
    X, y, words = UNFIT[what]
    with pytest.raises(ValueError, match=words):
        FROM_DATA[name](X, y)
    assert not plt.get_fignums()


SHARES = {"settles": 0.3, "diverges": 1.4, "bursts": 50}


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_the_surface_of_a_fitted_model(share):
    """Its way, or an error where it has diverged: its end is in no picture.

    The first updates of such a run are drawn until they leave the picture.
    """
    pipeline = make_pipeline(
        StandardScaler(), GDLinearRegressor(share * LIMIT, momentum=0.2, tol=1e-4, max_iter=300)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(RAW, Y)
    model, ask = pipeline[-1], {"features": ("bmi", "s5")}
    if share < 1:
        display = LossSurfaceDisplay.from_estimator(pipeline, RAW, Y, **ask)
        np.testing.assert_allclose(
            np.transpose(display.path_.get_data())[-1], model.coef_[[1, 4]], rtol=1e-9
        )
        assert len(display.path_.get_xdata()) == model.n_iter_ + 1
        return
    with pytest.raises(ValueError, match=r"estimator must not have diverged.*from_data\(X, y"):
        LossSurfaceDisplay.from_estimator(pipeline, RAW, Y, **ask)
    assert not plt.get_fignums()
    for n_iter in (5, 10**6):
        display = LossSurfaceDisplay.from_data(
            SCALED, Y, learning_rate=share * LIMIT, n_iter=n_iter, **ask
        )
        assert len(display.path_.get_xdata()) <= 40
        assert "leaves the picture at update" in display.ax_.get_title(loc="right")
        assert display.path_.get_color() == canvas.ORANGE


def test_a_drawing_that_fails_closes_its_figure():
    with pytest.raises(AttributeError):
        LossCurveDisplay([2.0, 1.0]).plot(curve_kwargs={"colour": "red"})
    assert not plt.get_fignums()


def test_without_matplotlib_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from gd_regressor import LossCurveDisplay\n"
        "try: LossCurveDisplay([2.0, 1.0]).plot()\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip install matplotlib" in done.stdout
