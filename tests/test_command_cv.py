"""--cv of the command: the alpha that predicts held-out rows best, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from commands import fit, numbers, refusal, write_csv
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import GDLinearRegressor, elastic_net_path
from gd_regressor.command import choosing, parquet

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
N, NAMES = 60, [f"x{j}" for j in range(8)]
X = RANDOM.standard_normal((N, 8)) * np.geomspace(1, 100, 8)
# The first rows are further from zero, so folds differ in their scale
X[: N // 3] *= 3.0
y = 100 + X[:, :3] @ [4.0, -2.0, 1.0] + 3 * RANDOM.standard_normal(N)


CHOSEN = r"Chosen alpha (\S+), the best of \S+ by --cv 4: held-out R² (\S+) \((\S+)\)"


@pytest.fixture
def table(tmp_path):
    columns = dict(zip(NAMES, X.T.tolist(), strict=True)) | {"y": y.tolist()}
    return write_csv(tmp_path / "table.csv", columns)


def searched(alphas, standardize, **params):
    """The search that the option stands for, in scikit-learn's words."""
    model, name = GDLinearRegressor(**params), "alpha"
    if standardize:
        model = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), model), transformer=StandardScaler()
        )
        name = "regressor__gdlinearregressor__alpha"
    folds = KFold(4, shuffle=True, random_state=0)
    return GridSearchCV(model, {name: alphas}, cv=folds, scoring="r2").fit(X, y), name


def chosen(report):
    """Alpha, mean and deviation of the line that says how alpha was chosen."""
    text = " ".join(report.split())
    found = re.search(CHOSEN, text)
    return tuple(float(word) for word in found.groups())


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"l1_ratio": 0.0},
        {"l1_ratio": 0.7, "positive": True},
        {"learning_rate": 1e-5, "l1_ratio": 0.0},
    ],
)
def test_named_candidates_are_searched_as_by_grid_search(run, table, standardize, options):
    """With --standardize the rows that train a fold scale it."""
    alphas = [0.001, 0.03, 0.2, 5.0]
    search, name = searched(alphas, standardize, **options)
    words = [
        "--positive" if value is True else f"--{key.replace('_', '-')}={value}"
        for key, value in options.items()
    ]
    words += ["--standardize"] * standardize
    status, report, _ = run(
        table, "--target", "y", "--cv", "4", *words, "--no-compare", "--alpha", *map(str, alphas)
    )
    assert status == 0
    best = search.best_index_
    found = [search.cv_results_[f"{kind}_test_score"][best] for kind in ("mean", "std")]
    alpha, mean, deviation = chosen(report)
    assert alpha == search.best_params_[name]
    assert mean == pytest.approx(found[0], abs=6e-5)  # as printed
    assert deviation == pytest.approx(found[1], abs=6e-4)
    fitted = search.best_estimator_.predict(np.eye(8)) - search.best_estimator_.predict(
        np.zeros((8, 8))
    )
    for column, coefficient in zip(NAMES, fitted, strict=True):
        assert numbers(report, column)[0] == pytest.approx(coefficient, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("standardize", [False, True])
def test_without_alpha_the_candidates_begin_where_no_column_counts(
    run, table, standardize, monkeypatch
):
    monkeypatch.setattr(choosing, "CANDIDATES", 15)
    Z, z = X, y
    if standardize:
        Z, z = (StandardScaler().fit_transform(a.reshape(N, -1)) for a in (X, y))
    alphas = elastic_net_path(Z, z.ravel(), l1_ratio=1.0, alphas=15)[0]
    search, name = searched(alphas, standardize, l1_ratio=1.0)
    words = ["--standardize"] * standardize
    report = fit(run, table, "--target", "y", "--l1-ratio", "1", "--cv", "4", *words)
    assert "the best of 15 by --cv 4" in " ".join(report.split())
    assert chosen(report)[:2] == pytest.approx(
        (search.best_params_[name], search.best_score_), rel=2e-4
    )
    assert f"Penalty     alpha {search.best_params_[name]:.4g}" in report
    assert "chosen on all rows, which flatters" in " ".join(report.split())


def test_an_alpha_at_the_end_of_the_candidates_is_no_best_one(run, table):
    args = (table, "--target", "y", "--cv", "4", "--standardize", "--l1-ratio", "0")
    report = fit(run, *args, "--alpha", "100", "1000")
    assert "No candidate is smaller: try smaller ones" in " ".join(report.split())
    assert "No candidate" not in fit(run, *args, "--alpha", "100")


def test_a_saved_model_has_the_chosen_alpha(run, table, tmp_path):
    report = fit(
        run, table, "--target", "y", "--cv", "4", "--standardize", "--save", tmp_path / "m.joblib"
    )
    status, out, _ = run(table, "--predict", tmp_path / "m.joblib")
    coefficients = [numbers(report, name)[0] for name in NAMES]
    expected = X @ coefficients + numbers(report, "(intercept)")[0]
    assert status == 0
    np.testing.assert_allclose(np.array(out.split()[1:], dtype=float), expected, rtol=1e-3)


@pytest.mark.parametrize("order", [1, 2])
def test_alphas_before_the_table_leave_it_alone(run, table, order):
    """As before, when --alpha took one number."""
    alphas = ["--alpha", "0.1", "1"][: order + 1]
    report = fit(run, *alphas, table, "--target", "y", "--no-compare", "--cv", "4")
    assert f"the best of {order} by" in " ".join(report.split())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--alpha 0.1 1", "--alpha takes one number, got 2; add --cv 5 to choose one of them"),
        ("--alpha 0.1 much", "--alpha: invalid float value: 'much'"),
        ("--alpha", "--alpha: expected at least one argument"),
        ("--l1-ratio 1", "--l1-ratio 1 is the share of a penalty, and there is none; add --alpha"),
        ("--cv 1", "--cv must be an integer >= 2, got 1"),
        ("--cv 5 --early-stopping --learning-rate 0.1", "leave one of the two out"),
        ("--cv 31", "--cv 31 needs 2 rows in each fold, and the table has 60"),
        ("--cv many", "--cv: invalid int value: 'many'"),
        ("--cv 5 --alpha -1", "--alpha must be finite and >= 0, got -1"),
        ("--cv 5 --alpha 1 nan", "--alpha must be finite and >= 0, got nan"),
        ("--cv 5 --l1-ratio 0", "name the candidates, such as --alpha 0.001 0.01 0.1 1"),
        ("--cv 5 --l1-ratio 2", "l1_ratio must be a number from 0 (ridge) to 1 (lasso), got 2.0"),
        ("--cv 5 --learning-rate quick", "--learning-rate must be a number > 0"),
    ],
)
def test_what_cannot_be_chosen_gets_one_line(run, table, args, words):
    assert words in refusal(run, table, "--target", "y", *args.split())


def test_a_table_that_is_read_once_has_no_folds(run, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "LARGE", 100)
    pytest.importorskip("pyarrow")
    path = tmp_path / "table.parquet"
    pd.DataFrame(X, columns=NAMES).assign(y=y).to_parquet(path)
    words = refusal(run, path, "--target", "y", "--cv", "4")
    assert "--cv needs the rows again" in words and "write one --alpha" in words
    assert "alpha 0.5" in fit(run, path, "--target", "y", "--alpha", "0.5")
