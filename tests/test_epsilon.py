"""Losses of lines in "auto", with penalties: exact minima in rational arithmetic, routes, peers."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from reference import dot, solved
from scipy.sparse import csr_array
from sklearn.linear_model import QuantileRegressor
from sklearn.svm import LinearSVR
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import EpsilonInsensitive, GDLinearRegressor, Quantile, Status
from gd_regressor.robust import faces, globs
from gd_regressor.robust.pinball import Pinball

LOSSES = [Quantile(0.25), EpsilonInsensitive(0.5), EpsilonInsensitive(0.0)]
NETS = [(0.0, 0.5), (0.125, 1.0), (0.125, 0.0), (0.125, 0.5)]  # alpha, l1_ratio
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
each_net = pytest.mark.parametrize("net", NETS, ids=str)


def table(seed=0, n=300, d=4):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + 3
    return X, X @ random.standard_normal(d) + random.standard_t(3, n)


def with_ones(X):
    return np.column_stack([X, np.ones(len(X))])


def exact_loss(loss, net, A, y, u, theta):
    """F in rationals, from the formulas of the papers. The last coefficient is the intercept."""
    total, theta = Fraction(0), [Fraction(t) for t in theta]
    for row, value, weight in zip(A, y, u, strict=True):
        r = Fraction(value) - dot([Fraction(x) for x in row], theta)
        if isinstance(loss, Quantile):
            q = Fraction(loss.quantile)
            total += Fraction(weight) * max(q * r, (q - 1) * r)
        else:
            total += Fraction(weight) * max(abs(r) - Fraction(loss.epsilon), 0)
    alpha, ratio = map(Fraction, net)
    w = theta[:-1]
    penalty = ratio * sum(map(abs, w)) + (1 - ratio) / 2 * dot(w, w)
    return total / sum(map(Fraction, u)) + alpha * penalty


def kinks_of(loss, A, y):
    """All lines (a, v): F has a kink where a' theta is v."""
    shifts = [0] if isinstance(loss, Quantile) else {loss.epsilon, -loss.epsilon}
    lines = [(row, Fraction(v) - Fraction(s)) for s in shifts for row, v in zip(A, y, strict=True)]
    return lines + [(row, Fraction(0)) for row in np.eye(A.shape[1])[:-1]]


# --- Minima ---


@each_loss
@pytest.mark.parametrize("alpha", [0.0, 0.125])
@pytest.mark.parametrize("kind", ["reals", "ties", "weights"])
@pytest.mark.parametrize("seed", range(2))
def test_no_vertex_has_a_smaller_loss(seed, kind, alpha, loss):
    """F is made of lines, so it is least where p of its kinks meet."""
    random = np.random.default_rng(seed)
    n, d = 7, 2
    X, y = random.integers(-2, 3, (n, d)) + 0.0, random.integers(-3, 4, n) + 0.0
    if kind == "reals":
        X, y = random.standard_normal((n, d)), random.standard_normal(n)
    u = random.integers(1, 4, n) + 0.0 if kind == "weights" else np.ones(n)
    model = GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=1).fit(X, y, u)
    A, net, best = with_ones(X), (alpha, 1.0), None
    for chosen in combinations(kinks_of(loss, A, y), d + 1):
        rows = [[Fraction(x) for x in row] for row, _ in chosen]
        columns = list(zip(*rows, strict=True))
        theta, null = solved(
            [[dot(a, b) for b in columns] for a in columns],
            [dot(a, [v for _, v in chosen]) for a in columns],
        )
        if not null:
            value = exact_loss(loss, net, A, y, u, theta)
            best = value if best is None else min(best, value)
    ours = exact_loss(loss, net, A, y, u, [*model.coef_, model.intercept_])
    assert 0 <= ours - best <= 1e-14 * np.abs(y).max()
    assert model.status_ is Status.CONVERGED and 0 <= model.dual_gap_ <= 1e-14
    assert model.loss_curve_[-1] == pytest.approx(float(best), abs=1e-14)


@each_loss
@pytest.mark.parametrize("net", [(0.125, 0.0), (0.125, 0.5), (4.0, 0.0), (2.0**-10, 0.0)], ids=str)
def test_with_a_ridge_the_equations_hold_in_rationals(net, loss):
    """Rows that the model meets have multipliers within their bounds, which balance the ridge.

    We solve for them and for the coefficients in rationals. F is strictly convex in w.
    """
    X, y = table(1, n=50, d=3)
    alpha, ratio = map(Fraction, net)
    model = GDLinearRegressor(loss=loss, alpha=net[0], l1_ratio=net[1]).fit(X, y)
    A, theta, n, p = with_ones(X), np.append(model.coef_, model.intercept_), 50, 4
    bounds = (loss.quantile - 1, loss.quantile) if isinstance(loss, Quantile) else (-1, 1)
    epsilon = getattr(loss, "epsilon", 0.0)
    r = y - A @ theta
    met = np.flatnonzero(np.abs(np.abs(r) - epsilon) < 1e-10)
    zero = np.flatnonzero(model.coef_ == 0) if ratio else np.array([], dtype=int)
    sides = [Fraction(bounds[int(v > 0)]) if abs(v) > epsilon else Fraction(0) for v in r]
    # Unknown: theta, the multipliers of rows that are met, and the subgradients of |w| at zero
    size = p + len(met) + len(zero)
    matrix = [[Fraction(0)] * size for _ in range(size)]
    right = [Fraction(0)] * size
    for k in range(p):
        others = (i for i in range(n) if i not in met)
        right[k] = sum((sides[i] * Fraction(A[i, k]) for i in others), Fraction(0)) / n
        if k < p - 1:
            matrix[k][k] = alpha * (1 - ratio)
            right[k] -= alpha * ratio * int(np.sign(theta[k]))
    for j, i in enumerate(met):
        for k in range(p):
            matrix[k][p + j] = -Fraction(A[i, k]) / n
            matrix[p + j][k] = Fraction(A[i, k])
        right[p + j] = Fraction(y[i]) - int(np.sign(r[i])) * Fraction(epsilon)
    for j, k in enumerate(zero):
        matrix[k][p + len(met) + j] = alpha * ratio
        matrix[p + len(met) + j][k] = Fraction(1)
    columns = list(zip(*matrix, strict=True))
    exact, null = solved(
        [[dot(a, b) for b in columns] for a in columns], [dot(a, right) for a in columns]
    )
    assert not null
    for j, i in enumerate(met):
        low, high = (0, 1) if r[i] > 0 else (-1, 0)
        low, high = (low, high) if epsilon else bounds
        assert low <= exact[p + j] <= high
    assert all(abs(value) <= 1 for value in exact[p + len(met) :])
    np.testing.assert_allclose(theta, [float(v) for v in exact[:p]], rtol=1e-11, atol=1e-12)
    assert 0 <= model.dual_gap_ <= 1e-14


@each_loss
@each_net
@pytest.mark.parametrize("seed", range(3))
def test_hard_tables_end_at_a_certified_minimum(seed, net, loss):
    """Few rows, more columns than rows, correlated columns, ties, units far apart, wild values."""
    random = np.random.default_rng(seed)
    n, d = ((12, 3), (40, 8), (10, 15))[seed]
    X = random.standard_normal((n, d)) @ (np.eye(d) + 3 * random.standard_normal((d, d)))
    X = np.round(2 * X) / 2 * 10.0 ** random.integers(-5, 6, d) + 10.0 ** random.integers(-3, 4)
    y = np.round(random.standard_normal(n), 1) + np.where(random.random(n) < 0.3, 1e3, 0)
    model = GDLinearRegressor(loss=loss, alpha=net[0], l1_ratio=net[1]).fit(X, y)
    assert model.status_ is Status.CONVERGED, model.message_
    assert 0 <= model.dual_gap_ <= 1e-12 * y.std()


@each_loss
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_a_slight_ridge_is_next_to_none(ratio, loss):
    """F with a ridge is at least F without at its minimum, and at most F with one at that point."""
    alpha, p = 2.0**-30, 4
    for seed in range(15):
        random = np.random.default_rng(seed)
        X, y = random.integers(-4, 5, (8, p - 1)) / 2, random.integers(-8, 9, 8) / 2
        model = GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=ratio).fit(X, y)
        assert model.status_ is Status.CONVERGED and 0 <= model.dual_gap_ <= 1e-14, seed
        bare = GDLinearRegressor(loss=loss, alpha=alpha * ratio, l1_ratio=1).fit(X, y)
        (least, _), (most, ours) = (
            [
                exact_loss(loss, net, with_ones(X), y, np.ones(8), [*at.coef_, at.intercept_])
                for at in (bare, model)
            ]
            for net in ((alpha * ratio, 1), (alpha, ratio))
        )
        assert least - Fraction(1e-14) <= ours <= most + Fraction(1e-14)


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.1])
@pytest.mark.parametrize("q", [0.5, 1 - 1e-12])
def test_equal_targets_have_a_minimum_without_loss(q, value):
    """The interior point has no gap left there, by which it could divide."""
    X, weights = np.random.default_rng(0).standard_normal((30, 3)), np.ones(30)
    weights[7] = 1e9
    for alpha in (1e-10, 100.0):
        model = GDLinearRegressor(loss=Quantile(q), alpha=alpha, l1_ratio=0)
        model.fit(X, np.full(30, value), weights)
        assert model.status_ is Status.CONVERGED
        assert model.loss_curve_[-1] <= 1e-15 * value
        np.testing.assert_allclose(model.intercept_, value, rtol=1e-15)


def unit_problem(random, n, p, ridge):
    A = random.integers(-2, 3, (n, p)) + 0.0
    y = np.where(random.random(n) < 0.8, 0.0, random.integers(-3, 4, n))
    d = np.full(n, 1 / n)
    return Pinball(A, y, -d / 4, 3 * d / 4, np.zeros(p), np.full(p, ridge))


@pytest.mark.parametrize("ridge", [1e-14, 1e-6, 1.0])
def test_faces_lead_to_the_minimum_from_anywhere(ridge):
    """Most rows meet in one point here, so most steps have no length at first."""
    for seed in range(6):
        random = np.random.default_rng(seed)
        problem = unit_problem(random, int(random.integers(2, 60)), 5, ridge)
        for theta in (np.zeros(5), 100 * random.standard_normal(5)):
            found = faces.descend(problem, theta, np.zeros(0, dtype=int))
            assert (problem.low <= found.d).all() and (found.d <= problem.high).all()
            assert 0 <= problem.gap(found.theta, found.d) <= 1e-15
            left = problem.residuals(found.theta)[found.met]
            np.testing.assert_allclose(left, 0, atol=1e-14)


def test_faces_move_rows_apart_that_meet_in_one_point(monkeypatch):
    """Without that, the walk gives up at once, because each of its steps has no length."""
    monkeypatch.setattr(faces, "MOST_STILL", 0)
    for seed in range(6):
        problem = unit_problem(np.random.default_rng(seed), 40, 8, 1e-14)
        found = faces.descend(problem, np.zeros(8), np.zeros(0, dtype=int))
        assert problem.gap(found.theta, found.d) <= 1e-15
        monkeypatch.setattr(faces, "MOVED_APART", 0.0)
        assert seed > 0 or faces.descend(problem, np.zeros(8), np.zeros(0, dtype=int)) is None
        monkeypatch.undo()
        monkeypatch.setattr(faces, "MOST_STILL", 0)


# --- Peers ---


@pytest.mark.parametrize("alpha", [0.01, 0.3])
@pytest.mark.parametrize("q", [0.25, 0.5])
def test_the_objective_of_quantile_regressor(q, alpha):
    X, y = table(3, n=200)
    loss = Quantile(q)
    ours = GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=1).fit(X, y)
    theirs = QuantileRegressor(quantile=q, alpha=alpha).fit(X, y)
    one, other = (
        float(exact_loss(loss, (alpha, 1), with_ones(X), y, np.ones(200), [*m.coef_, m.intercept_]))
        for m in (ours, theirs)
    )
    assert one <= other * (1 + 1e-14) and one == pytest.approx(other, rel=1e-8)


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_the_objective_of_linear_svr(epsilon):
    """Its C is 1 / (n alpha), with l1_ratio=0. It penalises an intercept, so there is none."""
    X, y = table(4, n=100, d=3)
    X = (X - 3) / X.std(axis=0)
    loss, net = EpsilonInsensitive(epsilon), (0.1, 0.0)
    ours = GDLinearRegressor(loss=loss, alpha=0.1, l1_ratio=0, fit_intercept=False).fit(X, y)
    theirs = LinearSVR(
        epsilon=epsilon, C=1 / (100 * 0.1), fit_intercept=False, tol=1e-10, max_iter=10**6
    ).fit(X, y)
    one, other = (
        float(exact_loss(loss, net, with_ones(X), y, np.ones(100), [*m.coef_, 0.0]))
        for m in (ours, theirs)
    )
    assert one <= other * (1 + 1e-14) and one == pytest.approx(other, rel=1e-8)


# --- Invariances ---


@each_loss
@each_net
def test_all_routes_agree(net, loss, tmp_path):
    X, y = table(5, n=80)
    X[np.random.default_rng(5).random(X.shape) < 0.3] = 0.0
    counts = np.random.default_rng(6).integers(0, 3, 80)

    def fitted(*data):
        return GDLinearRegressor(loss=loss, alpha=net[0], l1_ratio=net[1]).fit(*data)

    one = fitted(X, y, counts)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    repeated = np.repeat(np.arange(80), counts)
    for data in ((X[repeated], y[repeated]), (csr_array(X), y, counts), (mapped, y, counts)):
        other = fitted(*data)
        np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-9, atol=1e-12)
        assert other.loss_curve_[-1] == pytest.approx(one.loss_curve_[-1], rel=1e-13)
    both = fitted(X, np.column_stack([y, 8 - y]), counts)
    np.testing.assert_allclose(both.coef_[0], one.coef_, rtol=1e-9, atol=1e-12)
    single = fitted(X.astype("f4"), y, counts)
    assert single.coef_.dtype == np.float32
    assert single.loss_curve_[-1] == pytest.approx(one.loss_curve_[-1], rel=1e-6)


@each_loss
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_units_do_not_matter(loss, ratio):
    """A column of milliseconds since 1970 and one in millionths, with penalties in their units."""
    X, y = table(7)
    times = np.round(1e9 * np.random.default_rng(7).random(len(X)))
    X = np.column_stack([X, times / 2**30])
    scales = np.array([1, 1, 1, 2.0**20, 2.0**30])
    weights = scales if ratio else scales**2
    near = GDLinearRegressor(loss=loss, alpha=0.01, l1_ratio=ratio).fit(X, y)
    far = GDLinearRegressor(loss=loss, alpha=0.01, l1_ratio=ratio, penalty_weights=weights)
    moved = X * scales
    moved[:, 4] += 1.7e12
    far.fit(moved, y)
    np.testing.assert_allclose(far.coef_ * scales, near.coef_, rtol=1e-9, atol=1e-12)
    assert far.loss_curve_[-1] == pytest.approx(near.loss_curve_[-1], rel=1e-12)


@each_loss
@each_net
def test_globs_and_all_rows_have_one_minimum(net, loss, monkeypatch):
    X, y = table(8, n=20000, d=3)
    seen, only = [], Pinball.only
    monkeypatch.setattr(Pinball, "only", lambda *a: seen.append(len(a[1])) or only(*a))
    model = GDLinearRegressor(loss=loss, alpha=net[0], l1_ratio=net[1])
    one = model.fit(X, y).loss_curve_[-1]
    assert seen and max(seen) < 4000  # no interior point has seen many of the rows
    assert 0 <= model.dual_gap_ < 1e-13
    monkeypatch.setattr(globs, "PAYS", np.inf)
    assert model.fit(X, y).loss_curve_[-1] == pytest.approx(one, rel=1e-13)


def test_the_start_does_not_matter():
    X, y = table(9)
    for loss in LOSSES:
        one = GDLinearRegressor(loss=loss, alpha=0.1).fit(X, y)
        other = GDLinearRegressor(loss=loss, alpha=0.1).fit(X, y, coef_init=np.ones(4))
        np.testing.assert_array_equal(one.coef_, other.coef_)


@parametrize_with_checks(
    [
        GDLinearRegressor(loss="epsilon_insensitive"),
        GDLinearRegressor(loss="epsilon_insensitive", alpha=0.1, l1_ratio=0.0),
        GDLinearRegressor(loss="quantile", alpha=0.1),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("epsilon", [20.0, 1e3, 1e9])
def test_where_all_rows_fit_within_the_interval_least_squares_are_the_answer(epsilon):
    """All such models are minima. The vertices among them lean on the ends of the interval."""
    r = np.random.default_rng(0)
    X, noise = r.standard_normal((100, 2)), r.standard_normal(100)
    y = X @ [1.0, 2.0] + noise
    model = GDLinearRegressor(loss=EpsilonInsensitive(epsilon)).fit(X, y)
    best = np.linalg.lstsq(np.column_stack([X, np.ones(100)]), y, rcond=None)[0]
    np.testing.assert_allclose([*model.coef_, model.intercept_], best, rtol=1e-6)
    assert (model.status_.name, model.loss_curve_[-1]) == ("CONVERGED", 0.0)
