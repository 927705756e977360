"""Starts ahead on the path of a lasso: one solve for each strength, and exact errors."""

from itertools import product

import numpy as np
import pytest
from reference import exact_penalised
from sklearn.model_selection import KFold

from gd_regressor import GDLinearRegressor, GDLinearRegressorCV, elastic_net_path
from gd_regressor.lasso import along_alpha
from gd_regressor.lasso.active_set import least
from gd_regressor.validation import lasso


def test_a_strength_of_a_path_costs_one_solve(monkeypatch):
    """The line through the last two minimisers tells which signs change up to the next."""
    solves = []

    def counted(*problem):
        minimum = least(*problem)
        solves.append(minimum.n_solves)
        return minimum

    for room in (along_alpha, lasso):
        monkeypatch.setattr(room, "least", counted)
    random = np.random.default_rng(7)
    X = random.standard_normal((400, 120))
    y = X[:, :10] @ random.standard_normal(10) + random.standard_normal(400)
    elastic_net_path(X, y, l1_ratio=1.0, alphas=100)
    assert sum(solves) <= 1.08 * len(solves)
    solves.clear()
    GDLinearRegressorCV(alphas=100, l1_ratios=[0.5, 1.0], cv=3).fit(X, y)
    assert len(solves) >= 600 and sum(solves) <= 1.08 * len(solves)


@pytest.mark.parametrize("positive", [False, True])
def test_the_errors_of_a_lasso_are_exact(positive):
    """On the support of each minimiser the optimality conditions are solved in fractions."""
    random = np.random.default_rng(3)
    X = random.integers(-9, 10, (24, 5)).astype(float)
    y = X @ [2.0, -1.0, 0.0, 1.0, 0.0] + random.integers(-9, 10, 24)
    cv, ratios = KFold(3), [0.5, 1.0]
    search = GDLinearRegressorCV(alphas=8, l1_ratios=ratios, cv=cv, positive=positive).fit(X, y)
    path, folds = search.mse_path_[0, 0], list(cv.split(X))
    for i, k, fold in product(range(2), range(8), range(3)):
        (train, test), alpha = folds[fold], search.alphas_[i, k]
        l1, l2 = alpha * ratios[i], alpha * (1 - ratios[i])
        near = GDLinearRegressor(alpha=alpha, l1_ratio=ratios[i], positive=positive)
        signs = np.sign(near.fit(X[train], y[train]).coef_)
        w, v = (
            np.array(part, float) for part in exact_penalised(X[train], y[train], l1, l2, signs)[1:]
        )
        assert (np.sign(w) == signs).all()
        size = v if positive else np.abs(v)
        assert (size - l2 * np.abs(w) <= l1 * (1 + 1e-12)).all()
        b = y[train].mean() - X[train].mean(axis=0) @ w
        error = np.mean((y[test] - X[test] @ w - b) ** 2)
        assert path[i, k, fold] == pytest.approx(error, rel=1e-12)
