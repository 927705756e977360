"""What a fit under a penalty says of its end, against exact arithmetic and from any start."""

from fractions import Fraction

import numpy as np
import pytest
from reference import dot, solved

from gd_regressor import GDLinearRegressor, Status


def exact_half(X, y, l1, w):
    """Half of F at w, with the best intercept, in fractions."""
    n = len(y)
    columns = [[Fraction(float(v)) for v in column] for column in np.column_stack([X, y]).T]
    centred = [[v - sum(c) / n for v in c] for c in columns]
    left = list(centred[-1])
    for c, x in zip(centred, w, strict=False):
        left = [a - x * b for a, b in zip(left, c, strict=True)]
    return dot(left, left) / (2 * n) + sum(a * abs(x) for a, x in zip(l1, w, strict=True))


def exact_minimum(X, y, l1, signs):
    """The minimiser with these signs, in fractions; its optimality is checked."""
    n = len(y)
    columns = [[Fraction(float(v)) for v in column] for column in np.column_stack([X, y]).T]
    *x, target = [[v - sum(c) / n for v in c] for c in columns]
    on = [j for j, s in enumerate(signs) if s]
    gram = [[dot(a, x[j]) / n for j in on] for a in x]
    slope = [dot(a, target) / n for a in x]
    found, several = solved([gram[j] for j in on], [slope[j] - int(signs[j]) * l1[j] for j in on])
    assert not several
    assert all(v * int(signs[j]) > 0 for v, j in zip(found, on, strict=True))
    for j in set(range(len(x))) - set(on):
        assert abs(slope[j] - dot(gram[j], found)) <= l1[j]
    w = [Fraction(0)] * len(x)
    for j, v in zip(on, found, strict=True):
        w[j] = v
    return w


@pytest.mark.parametrize("share", [0.1, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("seed", range(3))
def test_units_of_columns_raise_no_alarm(seed, share):
    """Rounding of a slope is far above the L1 penalty of a column with large values."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((12, 4)) * [1e-3, 1.0, 1e3, 1e5]
    y = random.standard_normal(12) + X[:, 1]
    alpha = share * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 12
    model = GDLinearRegressor(alpha=alpha, l1_ratio=1).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert 2 * model.dual_gap_ <= 1e-12 * y.var()
    l1 = [Fraction(float(alpha))] * 4
    least = exact_half(X, y, l1, exact_minimum(X, y, l1, np.sign(model.coef_)))
    above = exact_half(X, y, l1, [Fraction(float(v)) for v in model.coef_]) - least
    # Rounding of the coefficients themselves, and of no more
    assert above <= Fraction(float(model.dual_gap_)) + Fraction(1e-26 * y.var())


@pytest.mark.parametrize("alpha", [1e-9, 1e-12, 1e-15])
def test_a_faint_lasso_on_good_columns_raises_no_alarm(alpha):
    random = np.random.default_rng(0)
    X = random.standard_normal((500, 20))
    y = X @ random.standard_normal(20) + random.standard_normal(500)
    assert GDLinearRegressor(alpha=alpha, l1_ratio=1).fit(X, y).status_ is Status.CONVERGED


@pytest.mark.parametrize("kind", ["one row", "two rows", "wide", "one-hot", "large"])
def test_positive_least_squares_raise_no_alarm(kind):
    """Columns that depend on each other, and residuals of zero."""
    for seed in range(8):
        random = np.random.default_rng(seed)
        X = {
            "one row": random.standard_normal((1, 4)),
            "two rows": random.standard_normal((2, 3)),
            "wide": random.standard_normal((20, 40)),
            "one-hot": np.eye(4)[random.integers(0, 4, 8)],
            "large": random.standard_normal((8, 4)),
        }[kind]
        y = random.standard_normal(len(X)) * (1e120 if kind == "large" else 1)
        for intercept in (True, False):
            model = GDLinearRegressor(positive=True, fit_intercept=intercept).fit(X, y)
            assert model.status_ is Status.CONVERGED, (seed, intercept)


@pytest.mark.parametrize("alpha", [1e220, 1e280, 1e300])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_a_penalty_beyond_floats_leaves_nothing(alpha, ratio):
    """In units of a tiny column it overflows."""
    random = np.random.default_rng(0)
    X, y = random.standard_normal((8, 3)) * [1e-150, 1.0, 1e100], random.standard_normal(8)
    model = GDLinearRegressor(alpha=alpha, l1_ratio=ratio, penalty_weights=[1, 1, 1e9]).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert np.abs(model.predict(X) - y.mean()).max() <= 1e-12


@pytest.mark.parametrize("size", [1.0, 1e3, 1e8])
@pytest.mark.parametrize("positive", [False, True])
def test_the_start_decides_nothing(positive, size):
    """Constant columns and columns that depend on each other, without a penalty as well.

    The columns without a penalty have the shortest coefficients with their fit.
    """
    for seed in range(8):
        random = np.random.default_rng(seed)
        X = random.standard_normal((30, 8))
        X[:, 1], X[:, 2], X[:, 7], X[:, 5] = X[:, 0], 2 * X[:, 0] - X[:, 3], X[:, 6], 1.5
        y = X @ random.standard_normal(8) + random.standard_normal(30)
        net = GDLinearRegressor(
            alpha=0.1, l1_ratio=1, penalty_weights=[0, 0, 0, 0, 1, 0, 1, 1], positive=positive
        )
        coef = net.fit(X, y).coef_
        assert coef[5] == 0
        net.fit(X, y, coef_init=size * random.standard_normal(8))
        assert net.status_ is Status.CONVERGED
        np.testing.assert_allclose(net.coef_, coef, rtol=0, atol=1e-12)
        free = X[:, :4] - X[:, :4].mean(axis=0)
        if not positive:
            shortest = np.linalg.pinv(free) @ (free @ coef[:4])
            np.testing.assert_allclose(coef[:4], shortest, rtol=0, atol=1e-12)


@pytest.mark.parametrize("positive", [False, True])
def test_a_free_column_raises_no_alarm(positive):
    """Its slope is rounding, and it is held by no penalty."""
    for seed in range(8):
        random = np.random.default_rng(seed)
        X = random.standard_normal((12, 4))
        X[:, 0] += 1e9 + 1e5 * np.arange(12)
        y = X[:, 1] + random.standard_normal(12)
        net = GDLinearRegressor(
            alpha=1e-5, l1_ratio=1, penalty_weights=[1, 0, 100, 0.01], positive=positive
        )
        assert net.fit(X, y).status_ is Status.CONVERGED
