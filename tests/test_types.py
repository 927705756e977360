"""What type checkers say about the public names, and about scripts that use them."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gd_regressor

HERE = Path(__file__).parent
PACKAGE = Path(gd_regressor.__file__).parent
ROOT = PACKAGE.parent

# What the README's examples leave to their reader
PREAMBLE = """
from collections.abc import Iterable
import dask.dataframe
import numpy as np
import pyarrow.dataset
import scipy.sparse
from numpy.typing import NDArray
from gd_regressor import gd_path

n, d = 100, 5
sparse_X = scipy.sparse.random_array((n, d), format="csr")
dataset = pyarrow.dataset.dataset("folder/")
dask_frame = dask.dataframe.read_parquet("folder/")
features = ["age", "size"]
chunks: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
X_old, y_old = np.ones((n, d)), np.ones(n)
"""
# Belongs to the example of streams; GDLinearRegressor has been imported by then
OTHER_STREAM = "other_stream = GDLinearRegressor()\n"

# What a checker must see. A line that must be refused says so: an ignored error that is none is an
# error itself.
SEEN = """
from typing import Any, assert_type
import dask.array
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
from numpy.typing import NDArray
from gd_regressor import (
    ConvergenceMapDisplay, CVSurfaceDisplay, PenaltyPathDisplay, GDLinearRegressorCV,
    DivergenceWarning, FitDisplay, GDLinearRegressor, InverseScaling,
    LearningRateDisplay, LearningRateReport, LossCurveDisplay, LossSurfaceDisplay, Moments,
    SpectrumDisplay, Status,
    check_gradient, compare_estimators, gd_path, learning_rate_report, original_units, squared_loss,
    squared_loss_gradient
)

X, y = np.ones((3, 2)), np.ones(3)
model = GDLinearRegressor(learning_rate=0.1, tol=None, random_state=np.random.RandomState(0))
frame, named = pd.DataFrame({"a": [1.0]}), pl.DataFrame({"a": [1.0]})
assert_type(model, GDLinearRegressor)

assert_type(GDLinearRegressor(InverseScaling(0.1, power=1)), GDLinearRegressor)

# Every kind of rows
assert_type(model.fit(X, y), GDLinearRegressor)
assert_type(model.fit([[0.0], [1.0]], [0, 1], sample_weight=[1, 2]), GDLinearRegressor)
assert_type(model.fit(frame[["a"]], frame["a"]), GDLinearRegressor)
assert_type(model.fit(named, named["a"]), GDLinearRegressor)
assert_type(model.fit(scipy.sparse.csr_matrix((3, 2)), y), GDLinearRegressor)
assert_type(model.fit(scipy.sparse.coo_array((3, 2)), y), GDLinearRegressor)
assert_type(model.fit(dask.array.ones((3, 2)), dask.array.ones(3)), GDLinearRegressor)
assert_type(model.partial_fit(X, y, sample_weight=y), GDLinearRegressor)
assert_type(model.forget(X, y).merge(model), GDLinearRegressor)
assert_type(model.fit_batches([(X, y), (X, y)]), GDLinearRegressor)
assert_type(model.fit_batches((X, y, y) for _ in range(3)), GDLinearRegressor)
assert_type(model.fit_batches(frame, target="a"), GDLinearRegressor)
assert_type(model.fit_batches(named, target="a"), GDLinearRegressor)
assert_type(model.fit_batches(pa.table({"a": [1.0]}), target=["a"]), GDLinearRegressor)
relation = duckdb.connect().sql("select 1 as a")
if relation is not None:
    assert_type(model.fit_batches(relation, target="a", sample_weight="w"), GDLinearRegressor)

# What comes back
assert_type(model.predict(X), NDArray[np.floating[Any]])
assert_type(model.predict(dask.array.ones((3, 2))), Any)
assert_type(model.score(X, y), float)
assert_type(model.coef_, NDArray[np.floating[Any]])
assert_type(model.intercept_, float | NDArray[np.floating[Any]])
assert_type(model.n_iter_, int)
assert_type(model.loss_curve_, NDArray[np.float64])
assert_type(model.status_, Status)
word: str = model.status_.name
assert_type(model.max_learning_rate_, float)
assert_type(model.minimum_loss_, float)
assert_type(model.coef_init_, NDArray[np.float64])
assert_type(model.condition_number_, float)
assert_type(model.rank_, int)
assert_type(model.n_features_in_, int)
assert_type(model.stream_.n_batches, int)
assert_type(model.set_params(tol=None), GDLinearRegressor)
coefs, intercepts, losses = gd_path(X, y, learning_rate=0.1, n_iter=[0, 10**6])
assert_type(coefs, NDArray[np.floating[Any]])
assert_type(losses, NDArray[np.float64])
gd_path(X, y, learning_rate=0.1, n_iter=np.arange(3))
report = learning_rate_report(X, y, feature_names=["a", "b"])
assert_type(report, LearningRateReport)
assert_type(LearningRateReport.from_estimator(model, frame[["a"]], y), LearningRateReport)
assert_type(report.needs(0.1, 0.9, tol=1e-6), float)
assert_type(report.losses([0.1, 0.2], 0.0, 100), NDArray[np.float64])
assert_type(report.best_momentum, tuple[float, float])
assert_type(report.standardised.fastest(1e-6), tuple[float, float])
assert_type(squared_loss(X, y, [1, 2], 0.5, sample_weight=[1, 2, 3]), float)
dw, db = squared_loss_gradient(X, y, model.coef_, model.intercept_)
assert_type(dw, NDArray[np.float64])
assert_type(check_gradient(X, y, [1, 2], gradient=(dw, db)), float)
assert_type(original_units(model)[0], NDArray[np.float64])
assert_type(compare_estimators(X, y)[0].loss, float)
moments = Moments.of(X, y) + Moments.of([[1.0, 2.0]], [1.0])
assert_type(moments - moments, Moments)
assert_type(moments.times(2.0), Moments)
assert_type(model.fit_moments(sum([moments, moments])), GDLinearRegressor)
assert_type(LossCurveDisplay.from_estimator(model, log_scale=True), LossCurveDisplay)
assert_type(LossCurveDisplay.from_data(X, y, learning_rate=[0.1, 0.2]).plot(), LossCurveDisplay)
assert_type(LearningRateDisplay.from_data(X, y).plot(), LearningRateDisplay)
surface = LossSurfaceDisplay.from_report(report, learning_rate=0.1, n_iter=9, features=("a", "b"))
assert_type(surface.loss_at([0.0], 1.0), NDArray[np.float64])
assert_type(FitDisplay.from_data(frame[["a"]], y, learning_rate=0.1, n_iter=range(3)), FitDisplay)
assert_type(SpectrumDisplay.from_report(report, ax=None), SpectrumDisplay)
assert_type(ConvergenceMapDisplay.from_report(report).best, tuple[float, float, float])
search = GDLinearRegressorCV(alphas=[0.1, 1.0], l1_ratios=[0.1, 0.9]).fit(X, y)
assert_type(CVSurfaceDisplay.from_estimator(search, X, y, negate_score=True), CVSurfaceDisplay)
assert_type(CVSurfaceDisplay.from_cv_results(search.cv_results_).plot(), CVSurfaceDisplay)
assert_type(PenaltyPathDisplay.from_data(frame[["a"]], y, alphas=[1.0, 0.1]), PenaltyPathDisplay)
try:
    model.learning_rate = 0.2
except DivergenceWarning:
    pass


class Own(GDLinearRegressor):
    pass


assert_type(Own().fit(X, y), Own)

# What is refused
GDLinearRegressor(learning_rate="fast")  # type: ignore
GDLinearRegressor(tol="none")  # type: ignore
GDLinearRegressor(init="ones")  # type: ignore
GDLinearRegressor(stream="svd")  # type: ignore
GDLinearRegressor(0.1, 10, None, True)  # type: ignore
model.fit(X)  # type: ignore
model.fit({"a": 1}, y)  # type: ignore
model.fit_batches(3)  # type: ignore
model.fit_moments(X)  # type: ignore
model.merge(X)  # type: ignore
gd_path(X, y, learning_rate="auto", n_iter=3)  # type: ignore
gd_path(X, y, learning_rate=0.1, n_iter=0.5)  # type: ignore
Moments.of(X, y) * 2  # type: ignore
"""

MYPY = """
[mypy]
strict = True
mypy_path = {root}
# As if it were installed: of a package only what it declares is looked at
[mypy-gd_regressor.*]
follow_imports = silent
# These declare no types, or not all of them
[mypy-sklearn.*,scipy.*,pandas.*,pyarrow.*,dask.*,duckdb.*,matplotlib.*]
ignore_missing_imports = True
follow_imports = silent
"""
PYRIGHT = """
{{
    "include": ["*.py"],
    "extraPaths": ["{root}"],
    "typeCheckingMode": "standard",
    "failOnWarnings": false,
    "reportUnnecessaryTypeIgnoreComment": "error"
}}
"""


def readme_script():
    """The README's examples, one after the other, in one script."""
    text = (HERE.parent / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    return "\n".join([PREAMBLE, blocks[0], OTHER_STREAM, *blocks[1:]])


@pytest.fixture
def scripts(tmp_path):
    """A folder with a user's scripts, and the settings of the checkers."""
    (tmp_path / "readme.py").write_text(readme_script(), "utf-8")
    (tmp_path / "seen.py").write_text(SEEN, "utf-8")
    root = ROOT.as_posix()
    (tmp_path / "mypy.ini").write_text(MYPY.format(root=root), "utf-8")
    (tmp_path / "pyrightconfig.json").write_text(PYRIGHT.format(root=root), "utf-8")
    return tmp_path


def checked(folder, *command):
    """The output of a checker; `command` is a module of this interpreter with its arguments."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_the_readme_passes_mypy_strict(scripts):
    status, said = checked(scripts, "mypy", "readme.py", "seen.py")
    assert status == 0, said


def test_the_readme_passes_pyright(scripts):
    status, said = checked(scripts, "basedpyright", "--pythonpath", sys.executable)
    assert status == 0, said


# --- Rows whose values nobody has looked at ---

UNCHECKED = """
import numpy as np
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Given, Table
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss, residual_rows
from gd_regressor.objective.on_rows_doubled import DoubledLoss
from gd_regressor.objective.on_rows_sliced import SlicedLoss

ones = np.ones(1)
frame = Frame(ones, ones, ones, True)

def passes(rows: Table) -> None:
    DataLoss(rows, frame), DoubledLoss(rows, frame), SlicedLoss(rows, frame)
    Moments.of_rows(rows), Root.of(rows, ones, ones, ones), residual_rows(rows, ones, ones)

def refuses(given: Given) -> None:
    passes(given)  # pyright: ignore[reportArgumentType]
    DataLoss(given, frame)  # pyright: ignore[reportArgumentType]
    DoubledLoss(given, frame)  # pyright: ignore[reportArgumentType]
    SlicedLoss(given, frame)  # pyright: ignore[reportArgumentType]
    Moments.of_rows(given)  # pyright: ignore[reportArgumentType]
    Root.of(given, ones, ones, ones)  # pyright: ignore[reportArgumentType]
    residual_rows(given, ones, ones)  # pyright: ignore[reportArgumentType]
    given.total  # pyright: ignore[reportAttributeAccessIssue]

unchecked = Unchecked.of(np.ones((3, 1)), np.ones(3))
refuses(unchecked)
unchecked.X  # pyright: ignore[reportAttributeAccessIssue]
passes(unchecked)  # pyright: ignore[reportArgumentType]
passes(unchecked.check())
passes(unchecked.seen_by(first_moments)[1])
"""


def test_whatever_passes_over_rows_takes_checked_ones_only(scripts):
    (scripts / "unchecked.py").write_text(UNCHECKED, "utf-8")
    status, said = checked(scripts, "basedpyright", "--pythonpath", sys.executable, "unchecked.py")
    assert status == 0, said


FROZEN = """
import numpy as np
from gd_regressor.arithmetic.doubled import Doubled
from gd_regressor.auto.newton import Newton
from gd_regressor.data.table import Rows

def changed(rows: Rows, plan: Newton, number: Doubled) -> None:
    rows.on_disk = True  # pyright: ignore[reportAttributeAccessIssue]
    plan.precision = 1.0  # pyright: ignore[reportAttributeAccessIssue]
    plan.rank = 1  # pyright: ignore[reportAttributeAccessIssue]
    number.high = np.ones(1)  # pyright: ignore[reportAttributeAccessIssue]
    number.other = 1  # pyright: ignore[reportAttributeAccessIssue]
"""


def test_no_code_changes_a_field_of_a_frozen_record(scripts):
    (scripts / "frozen.py").write_text(FROZEN, "utf-8")
    status, said = checked(scripts, "basedpyright", "--pythonpath", sys.executable, "frozen.py")
    assert status == 0, said


# --- Public names ---


def written(thing):
    """The functions of a public name that are written in this package, by qualified name."""
    if not inspect.isclass(thing):
        return {thing.__qualname__: thing}
    parts = [part for value in vars(thing).values() for part in functions_of(value)]
    own = inspect.getfile(thing)  # which generated methods do not come from
    return {f.__qualname__: f for f in parts if f.__code__.co_filename == own}


def functions_of(value):
    """The functions behind one name of a class: a method, a property, or overloads."""
    if isinstance(value, property):
        return [value.fget]
    value = inspect.unwrap(getattr(value, "__func__", value))
    return [value] if inspect.isfunction(value) else []


PUBLIC = {
    name: function
    for public in gd_regressor.__all__
    for name, function in written(getattr(gd_regressor, public)).items()
    if not re.search(r"\._(?!_)", name)
}


def test_operators_properties_and_constructors_are_among_the_public_names():
    names = {"GDLinearRegressor.__init__", "Moments.__add__", "Moments.of", "Moments.target_means"}
    assert names | {"gd_path", "LossCurveDisplay.from_estimator"} <= set(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_parameter_and_every_return_value_has_a_type(name):
    signature = inspect.signature(PUBLIC[name])
    missing = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
    ]
    assert not missing
    assert signature.return_annotation is not signature.empty


WITH_ATTRIBUTES = ["GDLinearRegressor", "LearningRateReport"]
WITH_ATTRIBUTES += [name for name in gd_regressor.__all__ if name.endswith("Display")]


@pytest.mark.parametrize("name", WITH_ATTRIBUTES)
def test_every_attribute_in_the_docstring_is_declared_and_none_has_a_value(name):
    thing = getattr(gd_regressor, name)
    told = re.search(r"^Attributes\n-+\n(.*?)\n\n", inspect.getdoc(thing), re.MULTILINE | re.DOTALL)
    names = re.findall(r"^(\w+) : ", told[1], re.MULTILINE)
    assert names == list(thing.__annotations__)
    assert not [attribute for attribute in names if hasattr(thing, attribute)]


# --- What types cost ---

ROOMS = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_annotations_are_never_evaluated(path):
    tree = ast.parse(path.read_text("utf-8"))
    annotated = any(
        getattr(n, "annotation", None) or getattr(n, "returns", None) for n in ast.walk(tree)
    )
    assert not annotated or "from __future__ import annotations\n" in path.read_text("utf-8")


def test_types_import_no_module_that_scikit_learn_has_not_imported():
    code = (
        "import sys, sklearn.utils.validation; before = set(sys.modules); import gd_regressor; "
        "print(*(m for m in set(sys.modules) - before if 'typing' in m or 'matplotlib' in m))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_package_says_that_it_has_types():
    assert (PACKAGE / "py.typed").is_file()
