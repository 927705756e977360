"""The picture of a penalty: its lines are the coefficients of the path, and it can be read."""

from itertools import combinations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import lasso_path
from sklearn.preprocessing import PolynomialFeatures

from gd_regressor import PenaltyPathDisplay, elastic_net_path
from tests.test_displays import (  # noqa: F401
    BLINDNESS,
    assert_proper_axes,
    assert_readable,
    closed_figures,
    dashes,
    seen,
)

features, Y = load_diabetes(return_X_y=True, as_frame=True)
X = features[["age", "bmi", "bp", "s1", "s5"]]
X = (X - X.mean()) / X.std(ddof=0)
MANY = PolynomialFeatures(2, include_bias=False).set_output(transform="pandas").fit_transform(X)
ALPHAS = np.geomspace(30, 0.1, 12)


def test_lines_are_the_coefficients():
    options = {"l1_ratio": 0.7, "penalty_weights": [1.0, 0.0, 1.0, 2.0, 1.0], "positive": True}
    display = PenaltyPathDisplay.from_data(X, Y, alphas=20, eps=0.01, **options)
    alphas, coefs, _, _ = elastic_net_path(X, Y, alphas=20, eps=0.01, **options)
    assert len(display.lines_) == 5
    for line, values in zip(display.lines_, coefs, strict=True):
        np.testing.assert_array_equal(line.get_data(), [alphas, values])
    assert {text.get_text() for text in display.texts_} <= set(X.columns)


def test_the_penalty_falls_to_the_right_in_whatever_order_it_comes():
    _, coefs, _, _ = elastic_net_path(X, Y, l1_ratio=0, alphas=ALPHAS)
    mixed = np.random.default_rng(0).permutation(len(ALPHAS))
    display = PenaltyPathDisplay.from_path(ALPHAS[mixed], coefs[:, mixed])
    for line, values in zip(display.lines_, coefs, strict=True):
        np.testing.assert_array_equal(line.get_data(), [ALPHAS, values])
    assert display.ax_.get_xlim() == (ALPHAS[0], ALPHAS[-1])
    assert display.ax_.get_xscale() == "log"
    assert [text.get_text() for text in display.texts_] == ["x0", "x1", "x2", "x3", "x4"]


def test_a_path_of_scikit_learn_is_a_path():
    alphas, coefs, _ = lasso_path(X, Y - Y.mean(), alphas=ALPHAS, tol=1e-12)
    theirs = PenaltyPathDisplay.from_path(alphas, coefs)
    ours = PenaltyPathDisplay.from_data(X, Y, l1_ratio=1.0, alphas=ALPHAS)
    for one, other in zip(theirs.lines_, ours.lines_, strict=True):
        np.testing.assert_allclose(one.get_ydata(), other.get_ydata(), atol=1e-6)


def test_the_largest_have_names_at_their_heights_in_order():
    display = PenaltyPathDisplay.from_data(MANY, Y, l1_ratio=1.0, alphas=30)
    sizes = [np.abs(line.get_ydata()).max() for line in display.lines_]
    largest = set(np.array(MANY.columns)[np.argsort(sizes)[-8:]])
    texts = {text.get_text(): text for text in display.texts_}
    assert set(texts) == largest
    ends = {name: display.lines_[list(MANY.columns).index(name)].get_ydata()[-1] for name in texts}
    heights = sorted(texts, key=lambda name: texts[name].xy[1])
    assert heights == sorted(texts, key=ends.__getitem__)
    thin = [
        line for line, name in zip(display.lines_, MANY.columns, strict=True) if name not in texts
    ]
    assert {line.get_color() for line in thin} == {"0.6"}


def test_a_column_that_stays_at_zero_has_no_name():
    display = PenaltyPathDisplay([1.0, 0.1], [[0.0, 1.0], [0.0, 0.0]], feature_names=["a", "b"])
    assert [text.get_text() for text in display.plot().texts_] == ["a"]
    nothing = PenaltyPathDisplay([1.0, 0.1], np.zeros((2, 2))).plot()
    assert not nothing.texts_ and nothing.legend_ is None


@pytest.mark.parametrize("reader", BLINDNESS)
def test_lines_differ_in_dashes_or_in_lightness(reader):
    display = PenaltyPathDisplay.from_data(MANY, Y, l1_ratio=1.0, alphas=10)
    named = [line for line in display.lines_ if line.get_color() != "0.6"]
    assert len(named) == 8
    for one, other in combinations(named, 2):
        apart = abs(np.subtract(*(seen(v.get_color(), BLINDNESS[reader]) for v in (one, other))))
        assert dashes(one) != dashes(other) or apart >= 0.08


LONG = X.set_axis([f"{name} " + 38 * "m" for name in X], axis=1)


@pytest.mark.parametrize("table", [X, MANY, LONG], ids=["few", "many", "long names"])
@pytest.mark.parametrize("size", [None, (3.5, 2.3)])
@pytest.mark.parametrize("layout", ["constrained", "none"])
def test_all_can_be_read(table, size, layout):
    ax = None if size is None else plt.figure(figsize=size, layout=layout).subplots()
    if layout == "none" and size is not None:
        ax.set_position([0.2, 0.25, 0.75, 0.7])
    display = PenaltyPathDisplay.from_data(table, Y, l1_ratio=1.0, alphas=20, ax=ax)
    assert ax is None or display.ax_ is ax
    assert_readable(display.figure_)
    assert_proper_axes(display)
    assert display.plot(display.ax_, curve_kwargs={"alpha": 0.5}) is display
    assert display.lines_[0].get_alpha() == 0.5


BAD = {
    "zero": (
        lambda: PenaltyPathDisplay.from_data(X, Y, alphas=[1.0, 0.0]),
        r"alphas must be finite and above 0 .*, got 0 as the smallest; leave out such",
    ),
    "one": (
        lambda: PenaltyPathDisplay.from_data(X, Y, alphas=1),
        "alphas must be two or more different numbers",
    ),
    "ridge": (
        lambda: PenaltyPathDisplay.from_data(X, Y, l1_ratio=0),
        "alphas must be an array with l1_ratio=0",
    ),
    "two targets": (
        lambda: PenaltyPathDisplay.from_data(X, np.column_stack([Y, Y]), alphas=5),
        r"coefs must be of one target, got those of 2; write coefs\[0\]",
    ),
    "shape": (
        lambda: PenaltyPathDisplay.from_path([1.0, 0.5], np.ones((2, 3))),
        r"coefs must have the shape \(n_features, n_alphas\) with 2 alphas, got \(2, 3\)",
    ),
    "NaN": (
        lambda: PenaltyPathDisplay.from_path([1.0, 0.5], [[1.0, np.nan]]),
        "coefs must be finite",
    ),
    "names": (
        lambda: PenaltyPathDisplay.from_path([1.0, 0.5], np.ones((2, 2)), feature_names=["a"]),
        "feature_names must have one name for each of 2 columns",
    ),
    "curve_kwargs": (
        lambda: PenaltyPathDisplay([1.0, 0.5], np.ones((2, 2))).plot(curve_kwargs=["red"]),
        "curve_kwargs must be a dict",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_and_no_figure_is_left(what):
    ask, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        ask()
    assert not plt.get_fignums()
