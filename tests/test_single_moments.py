"""The metric of moments in single precision: it says how wrong it is, and never decides."""

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from gd_regressor.auto.by_single_moments import by_single_moments
from gd_regressor.auto.follow import follow_auto
from gd_regressor.data import table as data_table
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Request, Status
from gd_regressor.descent.steps import ForeseenStep
from gd_regressor.descent.walk import Smooth, Walk
from gd_regressor.metric.diagonal import Identity
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss

N, D = 6000, 24
PLAIN = np.random.default_rng(3).standard_normal((N, D))
NOISE = np.random.default_rng(4).standard_normal(N)
OFFSETS = np.random.default_rng(5).uniform(-10, 10, D)
UNITS = 10.0 ** np.linspace(-1, 1, D)


def changed(row, column, value):
    table = PLAIN.copy()
    table[row, column] = value
    return table


def dependent(closeness):
    """A last column that differs from the one before it by this share."""
    return np.column_stack([PLAIN[:, :-1], PLAIN[:, -2] + closeness * PLAIN[:, -1]])


MILD = {
    "plain": PLAIN,
    "means within ten deviations": (PLAIN + OFFSETS) * UNITS,
    "an offset of 1e8 deviations": PLAIN + 1e8,
    "units from 1e-9 to 1e9": PLAIN * 10.0 ** np.linspace(-9, 9, D),
    "heavy tails": np.random.default_rng(6).standard_t(2, (N, D)),
    "an entry of 1e15": changed(77, 3, 1e15),
    "condition 20": dependent(0.1),
    "equal products, which round the same way": np.where(PLAIN > 0, 0.1, 0.0),
    "the same further from zero": np.where(PLAIN > 0, 3.3, 3.0),
}
AWAY = {
    "means within ten deviations",
    "an offset of 1e8 deviations",
    "the same further from zero",
}
HOSTILE = {
    "an entry of 1e30": changed(77, 3, 1e30),
    "denormal units": np.column_stack([PLAIN[:, :-1], PLAIN[:, -1] * 1e-290]),
    "offsets after the first rows": PLAIN + 1e6 * (np.arange(N) > 9)[:, None],
    "a duplicate": np.column_stack([PLAIN, PLAIN[:, 4]]),
    "a category in one row": np.column_stack([PLAIN, np.arange(N) == 4]),
    "condition 1e3": dependent(2e-3),
    "condition 1e8": dependent(2e-8),
}


@pytest.fixture(autouse=True)
def as_in_large_tables(monkeypatch):
    monkeypatch.setattr(data_table, "SMALL", 0)


def plan_for(X, y=NOISE, weights=None, fit_intercept=True):
    rows = Rows(X, y[:, None], weights)
    return rows, by_single_moments(rows, Request(fit_intercept, 100, 1e-12), None)[0]


def target(X):
    return X @ (1 / (1 + np.abs(X).max(axis=0))) + NOISE


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", MILD)
def test_a_step_leaves_no_more_than_the_share_that_the_plan_foresees(name, fit_intercept, weighted):
    """R^-T H R^-1 / 2 = I + E, with H of the rows: |E| is at most the share."""
    X = MILD[name]
    weights = np.random.default_rng(7).uniform(0.5, 1.5, N) if weighted else None
    _, plan = plan_for(X, target(X), weights, fit_intercept)
    if plan is None:  # without an intercept an offset is a direction as steep as it is long
        assert not fit_intercept and name in AWAY
        return
    share = np.ones(N) / N if weights is None else weights / weights.sum()
    columns = X - share @ X if fit_intercept else X
    columns = (columns - share @ columns if fit_intercept else columns) / plan.frame.scale
    root = np.linalg.qr(np.sqrt(share)[:, None] * columns, mode="r")
    turned = solve_triangular(plan.problem.metric.triangle, root.T, trans=1)
    values = np.linalg.svd(turned, compute_uv=False)
    assert np.abs(values**2 - 1).max() <= plan.step.share


@pytest.mark.parametrize("name", MILD | HOSTILE)
def test_single_precision_never_decides(name):
    X = (MILD | HOSTILE)[name]
    y = target(X)
    rows = Rows(X, y[:, None])
    start = np.zeros((X.shape[1], 1)), np.zeros(1)
    result = follow_auto(rows, start, Request(True, 1000, 1e-12), rung="single")
    assert result.status is Status.CONVERGED
    centred = X / np.abs(X).max(axis=0)
    centred = centred - centred.mean(axis=0)
    left, values, _ = np.linalg.svd(centred - centred.mean(axis=0), full_matrices=False)
    left = np.column_stack([left[:, values > 1e-11 * values[0]], np.full(N, N**-0.5)])
    residual = y - X @ result.coef[0] - result.intercept[0]
    rounding = 8 * np.finfo(float).eps * (np.abs(X) @ np.abs(result.coef[0])).max() / y.std()
    assert ((left.T @ residual) ** 2).sum() / N / y.var() <= max(1e-12, rounding**2)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_it_cannot_tell_it_leaves_to_another_rung(name):
    assert plan_for(HOSTILE[name], target(HOSTILE[name]))[1] is None


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39, 1e200])
@pytest.mark.parametrize("row", [0, 1, N - 1])
def test_what_leaves_the_range_of_single_precision_is_seen(row, value):
    assert plan_for(changed(row, 5, value))[1] is None
    assert plan_for(PLAIN, np.where(np.arange(N) == row, 1e39, NOISE))[1] is None


def test_rows_that_tell_in_advance_refuse_nothing():
    """Squares of 1e-200 vanish, but a table with other targets beside them is no error."""
    assert plan_for(PLAIN, np.where(np.arange(N) % 60, NOISE, 1e-200))[1] is None


def test_on_good_columns_one_pass_in_double_precision_is_enough(monkeypatch):
    passes = []
    whole = DataLoss.reader
    monkeypatch.setattr(DataLoss, "reader", lambda *a: passes.append(a) or whole(*a))
    X = MILD["means within ten deviations"]
    rows = Rows(X, target(X)[:, None])
    start = np.zeros((D, 1)), np.zeros(1)
    follow_auto(rows, start, Request(True, 100, 1e-12), rung="single")
    assert len(passes) == 1


@pytest.mark.parametrize("share", [1e-8, 1e-3, 0.1])
@pytest.mark.parametrize("wrong", [1e-4, 0.01, 0.3])
def test_a_step_that_was_foreseen_wrongly_is_held_against_the_one_before(wrong, share):
    """Columns whose Hessian is I + E, |E| = `wrong`: then gaps fall by `wrong`^2 at each step."""
    columns = np.linalg.qr(PLAIN)[0] * np.sqrt(N / 2 * (1 + wrong * np.linspace(-1, 1, D)))
    rows = Rows(columns, (columns.sum(axis=1) + NOISE)[:, None])
    loss = DataLoss(rows, Frame.raw(rows, False))
    enough = np.array([1e-9])
    problem = Smooth(loss, Identity(1.0))
    walk = Walk(problem, np.zeros((D, 1)), ForeseenStep(share, enough))
    exact = np.linalg.lstsq(columns, rows.y)[0]
    least = loss.value_and_gradient(exact)[0]
    k = next(k for k in range(60) if walk.records(k, k).gaps[0] <= enough)
    gap = loss.value_and_gradient(walk.at(k))[0] - least
    assert gap <= enough
