"""The minimiser of penalised quadratics: its optimality conditions, exactly and on hard columns."""

from fractions import Fraction

import numpy as np
import pytest
from reference import dot, solved

from gd_regressor.lasso.active_set import least
from gd_regressor.objective.penalties import ElasticNet

SHARES = (0.5, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9)  # of alpha_max


def hard_columns(seed):
    """Columns on which active sets cycle, and on which coordinate descent crawls."""
    random = np.random.default_rng(seed)
    n = 400
    X = random.standard_normal((n, 60))
    t, u = random.uniform(-1, 1, n), random.uniform(0, 1, n)
    level, tall = random.standard_normal((n, 1)), random.standard_normal((40, 1))
    groups = [random.integers(0, 8, n) for _ in range(5)]
    return {
        "well": X,
        "units": X * 10.0 ** random.uniform(-6, 6, 60),
        "duplicates": np.hstack([X[:, :30], X[:, :30]]),
        "0.99": np.sqrt(0.99) * level + np.sqrt(0.01) * X,
        "0.999": np.sqrt(0.999) * level + np.sqrt(0.001) * X,
        "wide": random.standard_normal((40, 100)),
        "wide 0.99": np.sqrt(0.99) * tall + 0.1 * random.standard_normal((40, 100)),
        "polynomials": np.stack([t**k for k in range(1, 15)], axis=1),
        "polynomials in [0, 1]": np.stack([u**k for k in range(1, 15)], axis=1),
        "one-hot": np.hstack([np.eye(8)[group] for group in groups]),
        "walks": np.cumsum(random.standard_normal((n, 100)), axis=1),
    }


def moments_of(X, seed=0):
    """Q, q and V of centred columns and a target with a few large coefficients."""
    random = np.random.default_rng(seed)
    X = X - X.mean(axis=0)
    true = np.where(random.random(X.shape[1]) < 0.2, random.standard_normal(X.shape[1]), 0.0)
    y = X @ (true / X.std(axis=0))
    y = y + random.standard_normal(len(y)) * (y.std() / 3 + 0.01)
    y = y - y.mean()
    return X.T @ X / len(X), X.T @ y / len(X), y @ y / len(X)


def penalties_of(Q, q, share, ratio):
    """L1 and l2 as shares of those at which nothing is left, in the units of the columns."""
    units = np.sqrt(Q.diagonal())
    alpha = share * np.abs(q / units).max()
    return ratio * alpha * units, (1 - ratio) * alpha * units**2


@pytest.mark.parametrize("ratio", [1.0, 0.5, 1e-6])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("name", hard_columns(0))
def test_the_optimality_conditions_hold_on_hard_columns(name, positive, ratio):
    """Up to the rounding of v, in units of the column."""
    Q, q, V = moments_of(hard_columns(0)[name])
    units = np.sqrt(Q.diagonal())
    for share in SHARES:
        l1, l2 = penalties_of(Q, q, share, ratio)
        found = least(Q, q, l1, l2, positive, np.zeros(len(q)))
        assert found.converged, share
        w, v = found.w, q - Q @ found.w
        rounding = 1e-14 * (np.sqrt(V) + np.abs(w * units).sum()) * units
        assert np.abs(found.v - v).max() <= rounding.max()
        slope, on = v - l2 * w, w != 0
        assert (np.abs(slope - l1 * np.sign(w)) <= rounding + 1e-14 * l2 * np.abs(w))[on].all()
        assert ((slope if positive else np.abs(slope)) <= l1 + rounding)[~on].all()
        assert not positive or w.min() >= 0


@pytest.mark.parametrize("name", hard_columns(0))
def test_positive_least_squares_on_hard_columns(name):
    """Without any penalty: v is zero where a coefficient is not, and nowhere above zero."""
    Q, q, _ = moments_of(hard_columns(3)[name], 3)
    zero, units = np.zeros(len(q)), np.sqrt(Q.diagonal())
    found = least(Q, q, zero, zero, True, zero)
    assert found.converged
    v = (q - Q @ found.w) / units
    rounding = 1e-14 * (np.abs(q / units).max() + (units * found.w).sum())
    assert v.max() <= rounding
    assert np.abs(v[found.w > 0]).max(initial=0.0) <= rounding
    assert found.w.min() >= 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.0])
def test_the_minimiser_is_exact(seed, positive, ratio):
    """The conditions of the support, solved in rational numbers, hold in rational numbers."""
    random = np.random.default_rng(seed)
    n, d = 16, 7
    X = random.integers(-3, 4, (n, d)).astype(float)
    X[:, 5] = X[:, 0] + X[:, 1] + random.integers(0, 2, n)
    y = random.integers(-9, 10, n).astype(float)
    Q, q = X.T @ X / n, X.T @ y / n  # exact: n is a power of two
    alpha = 2.0 ** -random.integers(0, 8)
    weight = random.integers(0, 4, d).astype(float)
    l1, l2 = ratio * alpha * weight, (1 - ratio) * alpha * weight
    found = least(Q, q, l1, l2, positive, np.zeros(d))
    assert found.converged
    Qr, qr, l1r, l2r = (np.vectorize(Fraction, otypes=[object])(a) for a in (Q, q, l1, l2))
    on = [j for j in range(d) if found.w[j]]
    signs = [int(np.sign(found.w[j])) for j in on]
    matrix = [[Qr[i, j] + (l2r[i] if i == j else 0) for j in on] for i in on]
    right = [qr[j] - s * l1r[j] for j, s in zip(on, signs, strict=True)]
    exact, several = solved(matrix, right) if on else ([], [])
    assert not several
    assert all(
        s * x > 0 or (l1[j] == 0 and not positive) for j, s, x in zip(on, signs, exact, strict=True)
    )
    for j in set(range(d)) - set(on):
        v = qr[j] - dot([Qr[j, i] for i in on], exact)
        assert (v if positive else abs(v)) <= l1r[j]
    close = 1e-13 * max([1.0, *(abs(float(x)) for x in exact)])
    assert all(abs(found.w[j] - float(x)) <= close for j, x in zip(on, exact, strict=True))


def test_well_conditioned_columns_need_few_solves():
    for seed in range(5):
        Q, q, _ = moments_of(np.random.default_rng(seed).standard_normal((2000, 100)), seed)
        for share in (0.3, 0.1, 0.03, 0.01, 1e-3):
            l1, l2 = penalties_of(Q, q, share, 1.0)
            assert least(Q, q, l1, l2, False, np.zeros(100)).n_solves <= 5


@pytest.mark.parametrize("name", ["well", "duplicates", "0.999", "wide"])
def test_the_unit_of_a_column_and_its_penalty_does_not_count(name):
    """Powers of two change no bit. Nor do they for the target."""
    Q, q, _ = moments_of(hard_columns(1)[name])
    l1, l2 = penalties_of(Q, q, 1e-2, 0.9)
    first = least(Q, q, l1, l2, False, np.zeros(len(q)))
    unit = 2.0 ** np.random.default_rng(0).integers(-200, 200, len(q))
    scaled = Q * unit * unit[:, None], q * unit * 4.0, l1 * unit * 4.0, l2 * unit**2
    again = least(*scaled, False, np.zeros(len(q)))
    np.testing.assert_array_equal(again.w * unit / 4.0, first.w)


@pytest.mark.parametrize("name", ["well", "0.99", "wide", "polynomials"])
def test_the_start_decides_nothing_where_the_minimiser_is_unique(name):
    Q, q, V = moments_of(hard_columns(2)[name])
    units = np.sqrt(Q.diagonal())
    l1, l2 = penalties_of(Q, q, 1e-2, 1.0)
    zero = least(Q, q, l1, l2, False, np.zeros(len(q)))
    start = np.random.default_rng(0).standard_normal(len(q)) / units
    other = least(Q, q, l1, l2, False, start)
    apart = (other.w - zero.w) @ Q @ (other.w - zero.w)
    assert apart <= 1e-20 * V
    np.testing.assert_array_equal(other.w != 0, zero.w != 0)
    assert least(Q, q, l1, l2, False, zero.w).n_solves == 1


def test_columns_without_scatter_keep_a_coefficient_of_zero():
    Q, q, _ = moments_of(hard_columns(3)["well"])
    Q[3] = Q[:, 3] = q[3] = 0.0
    for l1 in (np.full(60, 0.1), np.zeros(60)):
        assert least(Q, q, l1, np.zeros(60), False, np.zeros(60)).w[3] == 0
    assert not least(Q, 0 * q, l1, l1, False, np.zeros(60)).w.any()


# --- The penalty ---


@pytest.mark.parametrize("positive", [False, True])
def test_the_prox_is_where_its_objective_is_least(positive):
    """No neighbour is better, and the condition on the subgradient holds."""
    random = np.random.default_rng(0)
    net = ElasticNet(random.random((50, 2)), random.random((50, 2)), positive)
    v, step = 3 * random.standard_normal((50, 2)), random.random((50, 1))
    x = net.prox(v, step)
    slope = (v - x) / (2 * step) - net.l2 * x
    on = x != 0
    assert 0 < on.sum() < 95
    np.testing.assert_allclose(slope[on], (net.l1 * np.sign(x))[on], atol=1e-13)
    assert ((slope if positive else np.abs(slope)) <= net.l1 + 1e-13)[~on].all()
    assert (x >= 0).all() or not positive


@pytest.mark.parametrize("name", ["well", "duplicates", "0.99", "wide", "one-hot"])
@pytest.mark.parametrize("ratio", [1.0, 0.5, 1e-6])
@pytest.mark.parametrize("positive", [False, True])
def test_the_dual_gap_is_a_bound_and_closes(name, ratio, positive):
    """It is at least the distance from the minimum anywhere, and there it is rounding."""
    Q, q, V = moments_of(hard_columns(4)[name])
    l1, l2 = penalties_of(Q, q, 0.05, ratio)
    net = ElasticNet(l1[:, None], l2[:, None], positive)
    there = least(Q, q, l1, l2, positive, np.zeros(len(q))).w

    def half(w):
        return (V - 2 * q @ w + w @ Q @ w + net.value(w[:, None])[0]) / 2

    def gap(w):
        square = V - 2 * q @ w + w @ Q @ w
        return net.dual_gap(w[:, None], (q - Q @ w)[:, None], np.array([square]))[0]

    random, units = np.random.default_rng(0), np.sqrt(Q.diagonal())
    for size in (1.0, 1e-2, 1e-4):
        w = there + size * np.sqrt(V) * random.standard_normal(len(q)) / units
        w = np.maximum(w, 0.0) if positive else w
        assert gap(w) >= half(w) - half(there) > 0
    assert 0 <= gap(there) <= 1e-14 * V
    assert gap(np.zeros(len(q))) <= V / 2 * (1 + 1e-15)
