"""The map of a cross-validation: its numbers are the search's own, and it can be read."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import CVSurfaceDisplay, GDLinearRegressor, GDLinearRegressorCV
from gd_regressor.plots import canvas
from tests.test_displays import assert_proper_axes, assert_readable, closed_figures  # noqa: F401

features, target = load_diabetes(return_X_y=True, as_frame=True)
X, Y = features.iloc[:120][["age", "bmi", "bp"]], target.iloc[:120]
X = (X - X.mean()) / X.std(ddof=0)
LIMIT = GDLinearRegressor(0.1, 0, None).fit(X, Y).max_learning_rate_
RATES = LIMIT * np.geomspace(0.01, 3, 8)
COUNTS = [1, 3, 10, 30, 100, 300]
EARLY = GDLinearRegressorCV(RATES, COUNTS, tol=None).fit(X, Y)
MSE = {"scoring": "neg_mean_squared_error"}
# In any order, with a zero that has no place on a logarithmic axis
RIDGE = GDLinearRegressorCV(
    RATES[::-1], alphas=[1.0, 0.0, 0.01, 0.1, 10.0], l1_ratios=[0.0], max_iter=50, tol=None, **MSE
).fit(X, Y)
NET = GDLinearRegressorCV(alphas=6, l1_ratios=[1.0, 0.1, 0.5], one_standard_error=True).fit(X, Y)
SEARCHES = {"early": EARLY, "ridge": RIDGE, "net": NET}
each_search = pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)


def test_cells_are_the_mean_scores():
    means = EARLY.scores_.mean(axis=-1)[:, :, 0, 0]
    cells = CVSurfaceDisplay.from_estimator(EARLY).mesh_.get_array()
    np.testing.assert_array_equal(cells[~cells.mask], means[~cells.mask])
    # Of a later column of the table to an earlier row of the map
    display = CVSurfaceDisplay.from_estimator(RIDGE, negate_score=True)
    errors, cells = RIDGE.mse_path_.mean(axis=-1)[:, 0, 0], display.mesh_.get_array()
    errors = errors[::-1][:, [1, 2, 3, 0, 4]]
    np.testing.assert_allclose(cells[~cells.mask], errors[~cells.mask], rtol=1e-14)
    np.testing.assert_array_equal(display.x, [0.0, 0.01, 0.1, 1.0, 10.0])
    assert display.colorbar_.ax.get_ylabel() == "mean squared error"


@each_search
def test_a_circle_marks_the_candidate_chosen(search):
    display = CVSurfaceDisplay.from_estimator(search)
    row, column = display.best
    assert display.scores[row, column] == pytest.approx(search.best_score_, rel=1e-15)
    place = (display.best_.get_xdata()[0], display.best_.get_ydata()[0])

    params = search.best_params_
    if search is NET:
        largest = dict(zip(search.l1_ratios, search.alphas_[:, 0], strict=True))
        expected = params["alpha"] / largest[params["l1_ratio"]], params["l1_ratio"]
    else:
        x = params["max_iter"] if search is EARLY else params["alpha"]
        expected = x, params["learning_rate"]
    np.testing.assert_allclose(place, expected, rtol=1e-8)


def test_the_best_of_results_is_the_best_score():
    display = CVSurfaceDisplay.from_cv_results(NET.cv_results_)
    assert display.best is None
    cells = display.mesh_.get_array()
    row, column = np.unravel_index(cells.argmax(), cells.shape)
    assert display.best_.get_xdata() == display.x[column]
    assert display.best_.get_ydata() == display.y[row]
    # One standard error chooses another
    assert (row, column) != CVSurfaceDisplay.from_estimator(NET).best


def test_cells_lie_around_their_values():
    display = CVSurfaceDisplay.from_estimator(EARLY)
    edges = display.mesh_.get_coordinates()
    for values, ends in ((display.x, edges[0, :, 0]), (display.y, edges[:, 0, 1])):
        assert (ends[:-1] < values).all() and (values < ends[1:]).all()
        np.testing.assert_allclose(ends[1:-1], np.sqrt(values[1:] * values[:-1]), rtol=1e-12)


@pytest.mark.parametrize("ratios", [[0.0, 1.0], [0.1, 0.5, 0.9, 1.0], [0.0, 0.1], [0.4, 0.6]])
def test_cells_of_shares_end_where_shares_end(ratios):
    """There is no share below 0 or above 1: the cells and the axis stop there."""
    scores = np.arange(2.0 * len(ratios)).reshape(-1, 2)
    display = CVSurfaceDisplay([0.1, 1.0], ratios, scores, x_name="alpha", y_name="l1_ratio")
    ends = display.plot().mesh_.get_coordinates()[:, 0, 1]
    first, last = ratios[0] - np.diff(ratios)[0] / 2, ratios[-1] + np.diff(ratios)[-1] / 2
    assert [ends[0], ends[-1]] == pytest.approx([max(first, 0.0), min(last, 1.0)], rel=1e-14)
    np.testing.assert_allclose(ends[1:-1], np.add(ratios[1:], ratios[:-1]) / 2, rtol=1e-14)
    assert display.ax_.get_ylim() == (ends[0], ends[-1])


def test_the_limit_is_that_of_the_fits():
    display = CVSurfaceDisplay.from_estimator(EARLY, X, Y)
    np.testing.assert_allclose(display.limit_line_.get_ydata(), LIMIT, rtol=1e-12)
    assert display.limit_line_.get_color() == canvas.ORANGE
    assert display.texts_[-1].get_text() == "limit"
    display = CVSurfaceDisplay.from_estimator(RIDGE, X, Y)
    # Standardised columns with an intercept: the loss curves 2 times as much as their correlations
    steepest = np.linalg.eigvalsh(2 * np.corrcoef(X.T))[-1]
    expected = 2 / (steepest + 2 * display.x)
    np.testing.assert_allclose(display.limits, expected, rtol=1e-10)
    np.testing.assert_array_equal(display.limit_line_.get_ydata(), np.repeat(display.limits, 2))
    assert CVSurfaceDisplay.from_estimator(EARLY).limit_line_ is None
    assert CVSurfaceDisplay.from_estimator(NET, X, Y).limit_line_ is None


def test_a_pipeline_draws_its_limit_in_its_own_columns():
    pipeline = make_pipeline(StandardScaler(), GDLinearRegressorCV(RATES, COUNTS, tol=None))
    raw = 7 * X + 3
    display = CVSurfaceDisplay.from_estimator(pipeline.fit(raw, Y), raw, Y)
    np.testing.assert_allclose(display.limits, LIMIT, rtol=1e-12)


def test_what_diverges_is_transparent_over_hatching():
    display = CVSurfaceDisplay.from_estimator(EARLY, X, Y)
    masked = display.mesh_.get_array().mask
    long = np.array(COUNTS) >= 100
    np.testing.assert_array_equal(masked[:, long], np.tile((RATES > LIMIT)[:, None], long.sum()))
    assert not masked[RATES < LIMIT].any()
    assert display.mesh_.get_cmap()(np.ma.masked_array([1.0], [True]))[0, 3] == 0
    assert any(patch.get_hatch() for patch in display.ax_.patches)
    scores = [[1.0, np.nan], [-np.inf, 2.0]]
    display = CVSurfaceDisplay([1, 2], [1, 2], scores, y_name="alpha").plot()
    np.testing.assert_array_equal(display.mesh_.get_array().mask, ~np.isfinite(scores))


@pytest.mark.parametrize("negate", [False, True])
def test_the_best_is_the_lightest_and_few_bad_scores_do_not_take_all_colours(negate):
    scores = np.array([[-1e3, 0.5, 0.6], [0.4, 0.7, 0.8]])
    display = CVSurfaceDisplay([1, 2, 3], [1, 2], scores, y_name="alpha")
    display.plot(negate_score=negate)
    colours = display.mesh_.to_rgba(display.mesh_.get_array())[..., :3].reshape(-1, 3)
    light = np.array([canvas.luminance(colour) for colour in colours])
    assert (np.diff(light[np.argsort(scores.ravel())]) > 0).all()
    assert display.colorbar_.extend == ("max" if negate else "min")


def test_the_results_of_a_grid_search_give_the_same_map():
    pipeline = make_pipeline(StandardScaler(), GDLinearRegressor())
    grid = {"gdlinearregressor__alpha": [0.1, 1.0, 10.0], "gdlinearregressor__l1_ratio": [0.1, 0.9]}
    found = GridSearchCV(pipeline, grid, cv=3).fit(X, Y).cv_results_
    display = CVSurfaceDisplay.from_cv_results(found, score_name="r2")
    for score, params in zip(found["mean_test_score"], found["params"], strict=True):
        alpha, ratio = (params[f"gdlinearregressor__{name}"] for name in ("alpha", "l1_ratio"))
        assert display.scores[list(display.y).index(ratio), list(display.x).index(alpha)] == score
    assert display.colorbar_.ax.get_ylabel() == "held-out R²"


@each_search
@pytest.mark.parametrize("size", [None, (3.2, 2.4)])
def test_all_can_be_read(search, size):
    ax = None if size is None else plt.figure(figsize=size, layout="constrained").subplots()
    display = CVSurfaceDisplay.from_estimator(search, X, Y, ax=ax)
    assert ax is None or display.ax_ is ax
    assert_readable(display.figure_)
    assert_proper_axes(display)
    assert display.plot() is display


@pytest.mark.parametrize("row", [0, 3, 4])
@pytest.mark.parametrize("size", [(6.4, 4.8), (3.2, 2.4)])
def test_the_notes_keep_apart_wherever_the_best_is(row, size):
    for column in (0, 2, 4):
        display = CVSurfaceDisplay(
            *[np.geomspace(0.01, 1, 5)] * 2, np.eye(5)[:, ::-1], limits=0.4, best=(row, column)
        )
        display.plot(plt.figure(figsize=size, layout="constrained").subplots())
        assert_readable(display.figure_)
        plt.close(display.figure_)


def test_a_zero_has_a_tick_of_its_own():
    display = CVSurfaceDisplay.from_estimator(RIDGE)
    display.figure_.draw_without_rendering()
    labels = {text.get_text(): text.get_position()[0] for text in display.ax_.get_xticklabels()}
    assert labels["0"] == pytest.approx(0.001)
    assert min(place for label, place in labels.items() if label != "0") > 0.001


def searched(**parameters):
    return GDLinearRegressorCV(cv=2, **parameters).fit(X, Y)


def results(**values):
    n = len(next(iter(values.values())))
    rows = [{name: column[i] for name, column in values.items()} for i in range(n)]
    return {"params": rows, "mean_test_score": np.arange(n) / n}


BAD = {
    "one list": (
        lambda: CVSurfaceDisplay.from_estimator(searched(alphas=[0.1, 1.0])),
        "estimator must have several values of exactly two of .*, got alphas; write several "
        "values of one more, such as n_iters",
    ),
    "three lists": (
        lambda: CVSurfaceDisplay.from_estimator(
            searched(learning_rates=[0.1, 0.2], n_iters=[1, 2], alphas=[0.0, 1.0], l1_ratios=[0.0])
        ),
        r"got n_iters and alphas and learning_rates; write one value of another, .* alphas=\[0.0\]",
    ),
    "auto": (
        lambda: CVSurfaceDisplay.from_estimator(
            searched(learning_rates=["auto", 0.1], n_iters=[1, 2])
        ),
        'estimator must have numbers as learning rates where they are drawn, got "auto"',
    ),
    "not fitted": (
        lambda: CVSurfaceDisplay.from_estimator(GDLinearRegressorCV()),
        "estimator must be a fitted GDLinearRegressorCV.*; call fit first",
    ),
    "another": (
        lambda: CVSurfaceDisplay.from_estimator(Ridge().fit(X, Y)),
        "estimator must be a fitted GDLinearRegressorCV.* got Ridge",
    ),
    "no results": (
        lambda: CVSurfaceDisplay.from_cv_results([1.0]),
        "cv_results must be a dict with 'params' and 'mean_test_score'.* got list",
    ),
    "another parameter": (
        lambda: CVSurfaceDisplay.from_cv_results(results(alpha=[1, 2], degree=[1, 2])),
        "cv_results must vary in .* alone, but 'degree' varies, too",
    ),
    "half a grid": (
        lambda: CVSurfaceDisplay.from_cv_results(results(alpha=[1, 2, 2], max_iter=[1, 1, 2])),
        "cv_results must have each of 2 values of max_iter with each of 2 values of alpha, "
        "but 1 pairs",
    ),
    "no score": (
        lambda: CVSurfaceDisplay([1, 2], [1, 2], np.full((2, 2), np.nan)).plot(),
        "scores must have a finite one",
    ),
    "shape": (
        lambda: CVSurfaceDisplay([1, 2], [1, 2, 3], np.ones((2, 3))).plot(),
        r"scores must have the shape \(n_y, n_x\) = \(3, 2\), got \(2, 3\)",
    ),
    "falling": (
        lambda: CVSurfaceDisplay([2, 1], [1, 2], np.ones((2, 2))).plot(),
        "x must be two or more rising numbers",
    ),
    "shares": (
        lambda: CVSurfaceDisplay([1, 2], [0.5, 1.5], np.ones((2, 2)), y_name="l1_ratio").plot(),
        r"y must be l1_ratio from 0 to 1, got array\(\[0.5, 1.5\]\)",
    ),
    "names": (
        lambda: CVSurfaceDisplay([1, 2], [1, 2], np.ones((2, 2)), x_name="tol").plot(),
        "x_name and y_name must be of .* got 'tol'",
    ),
    "negate_score": (
        lambda: CVSurfaceDisplay([1, 2], [1, 2], np.ones((2, 2))).plot(negate_score=1),
        "negate_score must be",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_and_no_figure_is_left(what):
    ask, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        ask()
    assert not plt.get_fignums()
