"""What a fitted estimator shows in a notebook: scikit-learn's diagram, and its fit in words."""

import html
import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

import gd_regressor
from gd_regressor import GDLinearRegressor, InverseScaling, Moments

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 3))
y = X @ [1.0, 2.0, 3.0] + 4 + rng.standard_normal(60)
BOTH = np.column_stack([y, X[:, 0]])
TEXTBOOK = ("Status", "Updates", "Loss", "Smallest loss", "Learning rate")
AUTO = ("Status", "Updates", "Loss", "Condition number", "Rank", "Metric")

MODELS = {
    "textbook": (GDLinearRegressor(0.1, 7, None).fit(X, y), TEXTBOOK),
    "no update": (GDLinearRegressor(0.1, 0).fit(X, y), TEXTBOOK),
    "schedule": (GDLinearRegressor(InverseScaling(0.1, 0.5), 9, None).fit(X, y), TEXTBOOK),
    "several targets": (GDLinearRegressor(0.1, 7, None).fit(X, BOTH), TEXTBOOK),
    "zero columns": (GDLinearRegressor(0.1, 7, None, fit_intercept=False).fit(0 * X, y), TEXTBOOK),
    "auto": (GDLinearRegressor().fit(X, y), AUTO),
    "auto, no update": (GDLinearRegressor(max_iter=0).fit(X, y), AUTO[:3]),
    "auto, several targets": (GDLinearRegressor().fit(X, BOTH), AUTO),
    "dual": (GDLinearRegressor().fit(X[:3], y[:3]), AUTO),
    "sparse": (GDLinearRegressor().fit(csr_array(np.where(X > 0, X, 0)), y), AUTO),
    "stream": (GDLinearRegressor().partial_fit(X, y), (*AUTO, "Stream")),
    "moments": (GDLinearRegressor(0.1, 7, None).fit_moments(Moments.of(X, y)), None),
}
MODELS["moments"] = (MODELS["moments"][0], (*TEXTBOOK, "Stream"))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    MODELS["diverged"] = (GDLinearRegressor(50.0, 200).fit(X, y), TEXTBOOK)
each_model = pytest.mark.parametrize("name", MODELS)


class Terms(HTMLParser):
    """The terms of a list and what is told of them, as a browser reads them."""

    def __init__(self, page):
        super().__init__()
        self.found, self._open = [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._open = tag if tag in ("dt", "dd") else self._open
        if tag in ("dt", "dd"):
            self.found.append("")

    def handle_endtag(self, tag):
        self._open = None if tag == self._open else self._open

    def handle_data(self, data):
        if self._open:
            self.found[-1] += data


def words_of(model):
    """Each term with what is told of it, in the HTML below scikit-learn's diagram."""
    page = model._repr_html_()
    found = Terms(page[page.index('<dl class="gd-regressor-fit"') :]).found
    return dict(zip(found[::2], found[1::2], strict=True))


def without_counter(page):
    """A diagram and its boxes have numbers of their own each time they are drawn."""
    return re.sub(r"(sk-\w+-id)-\d+", r"\1", page)


@each_model
def test_a_fit_is_told_in_words_below_the_diagram(name):
    model, terms = MODELS[name]
    page, diagram = map(without_counter, (model._repr_html_(), estimator_html_repr(model)))
    assert page.startswith(diagram) and page.count("<dl") == 1
    told = words_of(model)
    assert tuple(told) == terms
    assert told["Updates"] == str(model.n_iter_)
    assert told["Status"] in (str(model.status_), getattr(model, "message_", None))


@each_model
def test_both_protocols_of_notebooks_show_the_same(name):
    model, _ = MODELS[name]
    bundle = model._repr_mimebundle_(include=None, exclude=None)
    assert sorted(bundle) == ["text/html", "text/plain"]
    assert without_counter(bundle["text/html"]) == without_counter(model._repr_html_())
    assert bundle["text/plain"] == repr(model)


def test_the_numbers_are_those_of_the_fit():
    # L = 2, and the noise is orthogonal to the column and to the ones: the minimum is 1
    x, noise = np.array([-1.0, 1.0, -1.0, 1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    model = GDLinearRegressor(0.25, 1, None).fit(x[:, None], 3 * x + noise)
    told = words_of(model)
    assert told["Loss"] == "10 at the start, 3.25 at the end"
    assert told["Smallest loss"] == "1; the last loss is 2.25 above it"
    assert told["Learning rate"] == "0.25, which is 25 % of the limit 1"
    told = words_of(MODELS["diverged"][0])
    assert "times the limit" in told["Learning rate"] and "need not fall" in told["Learning rate"]
    told = words_of(MODELS["auto"][0])
    assert told["Rank"] == "3 of 3 columns do not depend on others"
    assert float(told["Condition number"].split(",")[0]) == pytest.approx(
        MODELS["auto"][0].condition_number_, rel=1e-3
    )
    assert "2 targets" in words_of(MODELS["several targets"][0])["Loss"]
    assert "any rate is stable" in words_of(MODELS["zero columns"][0])["Learning rate"]


@pytest.mark.parametrize("metric", ["moments", "sketch", "qr", "dual", "scaled"])
def test_every_metric_has_words(metric):
    model = GDLinearRegressor().fit(X, y)
    model.metric_ = metric
    assert words_of(model)["Metric"].startswith(f"{metric}: ")
    assert "the data" not in words_of(model)["Metric"]


def test_what_is_told_is_text_and_not_markup():
    model = GDLinearRegressor(0.1, 7, None).fit(X, y)
    model.message_ = "the column '<img src=x onerror=alert(1)>' & </dl> set the limit"
    page = model._repr_html_()
    assert words_of(model)["Status"] == model.message_
    assert html.escape(model.message_) in page and "<img" not in page


def test_a_parameter_that_changed_since_the_fit_breaks_nothing():
    model = GDLinearRegressor(0.1, 7, None).fit(X, y)
    for rate in ("auto", None, "<b>"):
        model.learning_rate = rate
        assert "the descent is stable below" in words_of(model)["Learning rate"]


def test_unfitted_it_is_the_diagram_alone():
    model = GDLinearRegressor()
    assert without_counter(model._repr_html_()) == without_counter(estimator_html_repr(model))
    fitted = MODELS["auto"][0]
    assert "gd-regressor-fit" not in clone(fitted)._repr_html_()


def test_a_pipeline_shows_its_own_diagram():
    pipeline = make_pipeline(StandardScaler(), GDLinearRegressor(0.1, 7, None)).fit(X, y)
    page = pipeline._repr_html_()
    assert page.count("StandardScaler") >= 1 and page.count("GDLinearRegressor") >= 1
    assert "gd-regressor-fit" not in page
    assert "gd-regressor-fit" in pipeline[-1]._repr_html_()


def test_text_is_shown_where_text_is_asked_for():
    model, _ = MODELS["auto"]
    with sklearn.config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert sorted(model._repr_mimebundle_()) == ["text/plain"]
    assert hasattr(model, "_repr_html_")


def test_it_needs_no_notebook():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['IPython', 'ipykernel', 'rich']));"
        "from gd_regressor import GDLinearRegressor;"
        "model = GDLinearRegressor(0.1, 5, None).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0]);"
        "assert 'gd-regressor-fit' in model._repr_html_()"
    )
    folder = Path(gd_regressor.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
