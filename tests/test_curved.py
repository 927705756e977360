"""Smooth losses in "auto": exact minima, the optimality conditions, bounds, equal routes, peers."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from reference import dot, solved
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVR
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import GDLinearRegressor, PseudoHuber, SquaredEpsilonInsensitive, Status
from gd_regressor.auto import by_curved
from gd_regressor.data import table as data_table
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Request
from gd_regressor.robust.smooth import theta_of

LOSSES = [
    PseudoHuber(1.0),
    PseudoHuber(0.0625),
    SquaredEpsilonInsensitive(0.5),
    SquaredEpsilonInsensitive(4.0),
    SquaredEpsilonInsensitive(0.0),
]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


def table(seed=0, n=200, d=4, t=None):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + 3
    y = X @ random.standard_normal((d, t or 1)) + random.standard_normal((n, t or 1))
    y[: n // 10] += 30 * random.standard_normal((n // 10, t or 1))
    return X, (y if t else y[:, 0])


def factor(loss):
    return 2 if isinstance(loss, PseudoHuber) else 1


def formulas(loss, r):
    """Rho and psi, from the papers."""
    if isinstance(loss, PseudoHuber):
        root = np.sqrt(1 + (r / loss.delta) ** 2)
        return 2 * loss.delta**2 * (root - 1), 2 * r / root
    beyond = np.maximum(np.abs(r) - loss.epsilon, 0)
    return beyond**2, 2 * beyond * np.sign(r)


# --- Minima ---


@each_loss
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_optimality_conditions(loss, alpha, intercept):
    X, y = table(1)
    share = np.random.default_rng(1).uniform(0.2, 2, len(X))
    model = GDLinearRegressor(
        loss=loss, alpha=alpha, l1_ratio=0, fit_intercept=intercept, tol=0
    ).fit(X, y, share)
    assert model.status_ is Status.CONVERGED
    rho, psi = formulas(loss, y - model.predict(X))
    share, penalty = share / share.sum(), factor(loss) * alpha * model.coef_
    assert (np.abs(penalty - X.T @ (share * psi)) <= 1e-11 * (np.abs(X.T) @ share)).all()
    assert not intercept or abs(share @ psi) < 1e-11
    objective = share @ rho + penalty @ model.coef_ / 2
    assert model.loss_curve_[-1] == pytest.approx(objective, rel=1e-12)
    assert 0 <= model.dual_gap_ <= 1e-12 * y.var()


@pytest.mark.parametrize("epsilon", [0.5, 4.0])
@pytest.mark.parametrize("alpha", [0.0, 0.25])
def test_coefficients_are_those_of_exact_arithmetic(epsilon, alpha):
    """On the sides that the rows have at the end, the minimum is a rational system's solution."""
    X, y = table(2, n=60, d=3)
    loss = SquaredEpsilonInsensitive(epsilon)
    model = GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=0, tol=0).fit(X, y)
    A, epsilon = [[*map(Fraction, row), Fraction(1)] for row in X], Fraction(epsilon)
    left = y - model.predict(X)
    sides = [int(np.sign(r)) * int(abs(r) > epsilon) for r in left]
    outside = [i for i, side in enumerate(sides) if side]
    gram = [[sum(A[i][a] * A[i][b] for i in outside) for b in range(4)] for a in range(4)]
    for k in range(3):
        gram[k][k] += Fraction(alpha) * 60 / 2
    pull = [sum(A[i][a] * (Fraction(y[i]) - sides[i] * epsilon) for i in outside) for a in range(4)]
    exact, null = solved(gram, pull)
    assert not null and 0 < len(outside) < 60
    for row, v, side in zip(A, y, sides, strict=True):
        r = Fraction(v) - dot(row, exact)
        assert (r * side > epsilon) if side else abs(r) <= epsilon
    exact = [float(v) for v in exact]
    np.testing.assert_allclose([*model.coef_, model.intercept_], exact, rtol=1e-11, atol=1e-12)


def test_ends_of_the_parameters_are_least_squares():
    X, y = table(3)
    least = LinearRegression().fit(X, y)
    for loss in (PseudoHuber(1e9), SquaredEpsilonInsensitive(0.0)):
        model = GDLinearRegressor(loss=loss).fit(X, y)
        np.testing.assert_allclose(model.coef_, least.coef_, rtol=1e-10)
        assert model.loss_curve_[-1] == pytest.approx(((y - least.predict(X)) ** 2).mean())


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("seed", range(6))
def test_hard_tables_end_at_a_certified_minimum(seed, alpha):
    """Few rows, often fewer than columns, units far apart, wild values, tiny deltas."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(8, 80)), int(random.integers(1, 12))
    X = random.standard_normal((n, d)) @ (np.eye(d) + 3 * random.standard_normal((d, d)))
    X = X * 10.0 ** random.integers(-5, 6, d) + 10.0 ** random.integers(-3, 4)
    y = random.standard_normal(n) + np.where(random.random(n) < 0.3, 1e3, 0)
    for loss in (*LOSSES, PseudoHuber(0.01), SquaredEpsilonInsensitive(300.0)):
        model = GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=0, max_iter=200).fit(X, y)
        assert model.status_ is Status.CONVERGED, (loss, model.message_)
        assert 0 <= model.dual_gap_ <= 1e-12 * y.var()


# --- The bound ---


@each_loss
def test_young_is_the_excess_of_fenchel(loss):
    """rho(r) + rho*(h) - r h, in fifty digits; rho* from the papers."""
    rho, width = loss.rho, mpmath.mpf(getattr(loss, "delta", 0) or 0)
    random = np.random.default_rng(0)
    r = np.concatenate(
        [random.standard_normal(40) * 10.0 ** random.integers(-3, 4, 40), [0.0, 0.5]]
    )
    slope = rho.slope(r)
    h = np.concatenate([slope[:20] * (1 + 1e-6), slope[20:30], random.uniform(-0.1, 0.1, 12)])
    found = rho.young(r, h)
    for a, b, value in zip(map(mpmath.mpf, r), map(mpmath.mpf, h), found, strict=True):
        if width:
            sine = b / (2 * width)
            if abs(sine) > 1:
                assert value == np.inf
                continue
            parts = mpmath.sqrt(1 + (a / width) ** 2) - mpmath.sqrt(1 - sine**2)
            exact = 2 * width**2 * parts - a * b
        else:
            epsilon = mpmath.mpf(loss.epsilon)
            exact = max(abs(a) - epsilon, 0) ** 2 + epsilon * abs(b) + b**2 / 4 - a * b
        assert 0 <= value == pytest.approx(float(exact), rel=1e-4, abs=1e-10 * abs(float(a * b)))


@each_loss
@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_the_gap_is_at_least_the_distance_and_falls_to_rounding(loss, l2, monkeypatch):
    """At every step from far away."""
    X, y = table(4)
    plan, _ = by_curved.by_curved(Rows(X, y[:, None]), Request(True, 9, 0.0, rho=loss.rho), None)
    plan.step.descent.ridge[:4] = l2
    here, seen = plan.step.descent.begin(np.full((5, 1), 7.0)), []
    for _ in range(200):
        seen.append(here[0])
        here = plan.step.descent.step(here)
    best = here[0].loss
    assert here[0].at_rest and here[0].gap <= 1e-13 * best
    distances = np.array([at.loss - best for at in seen])
    assert (np.array([at.gap for at in seen]) >= distances - 1e-13 * best).all()
    assert (np.diff(distances) <= 1e-14 * best).all() and distances[0] > 0.1 * best
    assert np.isfinite(theta_of(here)).all()


# --- Peers ---


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_the_objective_of_linear_svr(epsilon):
    """Its C is 1 / (n alpha), with l1_ratio=0. It penalises an intercept, so there is none."""
    X, y = table(5, n=100, d=3)
    X = (X - 3) / X.std(axis=0)
    loss = SquaredEpsilonInsensitive(epsilon)
    ours = GDLinearRegressor(loss=loss, alpha=0.1, l1_ratio=0, fit_intercept=False).fit(X, y)
    theirs = LinearSVR(
        loss="squared_epsilon_insensitive",
        dual=False,
        epsilon=epsilon,
        C=1 / (100 * 0.1),
        fit_intercept=False,
        tol=1e-10,
        max_iter=10**6,
    ).fit(X, y)
    one, other = (
        formulas(loss, y - X @ m.coef_)[0].mean() + 0.05 * m.coef_ @ m.coef_ for m in (ours, theirs)
    )
    assert one <= other * (1 + 1e-12) and one == pytest.approx(other, rel=1e-8)


# --- Invariances ---


@each_loss
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_all_routes_agree(loss, alpha, tmp_path):
    X, y = table(6, n=80, t=2)
    X[np.random.default_rng(5).random(X.shape) < 0.3] = 0.0
    counts = np.random.default_rng(6).integers(0, 3, 80)

    def fitted(*data):
        return GDLinearRegressor(loss=loss, alpha=alpha, l1_ratio=0, tol=0).fit(*data)

    one = fitted(X, y, counts)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    repeated = np.repeat(np.arange(80), counts)
    for data in ((X[repeated], y[repeated]), (csr_array(X), y, counts), (mapped, y, counts)):
        other = fitted(*data)
        np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(other.loss_curve_[-1], one.loss_curve_[-1], rtol=1e-12)
    for j in range(2):
        alone = fitted(X, y[:, j], counts)
        np.testing.assert_allclose(one.coef_[j], alone.coef_, rtol=1e-9, atol=1e-11)
    single = fitted(X.astype("f4"), y, counts)
    assert single.coef_.dtype == np.float32
    assert single.loss_curve_[-1] == pytest.approx(one.loss_curve_[-1], rel=1e-6)


@each_loss
def test_units_do_not_matter(loss):
    """A column of milliseconds since 1970 and one in millionths."""
    X, y = table(7)
    X = np.column_stack([X, np.round(1e9 * np.random.default_rng(7).random(len(X))) / 2**30])
    scales = np.array([1, 1, 1, 2.0**20, 2.0**30])
    near = GDLinearRegressor(loss=loss, tol=0).fit(X, y)
    moved = X * scales
    moved[:, 4] += 1.7e12
    far = GDLinearRegressor(loss=loss, tol=0).fit(moved, y)
    np.testing.assert_allclose(far.coef_ * scales, near.coef_, rtol=1e-9, atol=1e-11)
    assert far.loss_curve_[-1] == pytest.approx(near.loss_curve_[-1], rel=1e-12)


@each_loss
def test_the_start_does_not_matter(loss):
    X, y = table(8)
    one = GDLinearRegressor(loss=loss).fit(X, y)
    other = GDLinearRegressor(loss=loss).fit(X, y, coef_init=np.ones(4))
    np.testing.assert_array_equal(one.coef_, other.coef_)


@pytest.mark.parametrize("loss", [LOSSES[0], LOSSES[2]], ids=str)
def test_dependent_columns_share_as_least_norm_says(loss):
    X, y = table(9)
    one = GDLinearRegressor(loss=loss, tol=0).fit(X, y)
    twice = GDLinearRegressor(loss=loss, tol=0).fit(np.column_stack([X, X[:, 0]]), y)
    np.testing.assert_allclose(twice.coef_[[0, 4]], one.coef_[0] / 2, rtol=1e-9)
    assert twice.rank_ == 4 and twice.status_ is Status.CONVERGED


def test_a_cluster_gives_the_same():
    array = pytest.importorskip("dask.array")
    X, y = table(10)
    for loss in LOSSES[::2]:
        one = GDLinearRegressor(loss=loss, tol=0).fit(X, y)
        parts = array.from_array(X, chunks=(50, 4)), array.from_array(y, chunks=50)
        other = GDLinearRegressor(loss=loss, tol=0).fit(*parts)
        np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-9)


# --- Parameters ---


def test_what_auto_cannot_serve_is_named():
    X, y = table()
    with pytest.raises(ValueError, match=r'"pseudo_huber" .* squares alone; write l1_ratio=0'):
        GDLinearRegressor(loss="pseudo_huber", alpha=0.1).fit(X, y)
    wide = csr_array((100, by_curved.MOST_SPARSE_BENT + 1))
    with pytest.raises(ValueError, match=r'"pseudo_huber" .* needs products of all columns'):
        GDLinearRegressor(loss="pseudo_huber").fit(wide, np.zeros(100))


@parametrize_with_checks(
    [
        GDLinearRegressor(loss="pseudo_huber", alpha=0.1, l1_ratio=0.0),
        GDLinearRegressor(loss="squared_epsilon_insensitive"),
    ]
)
def test_scikit_learn_checks(estimator, check):
    if check.func.__name__ == "check_regressors_train":
        pytest.skip("this check sets alpha, and the loss takes no L1 penalty")
    check(estimator)


def test_a_start_at_the_minimum_has_a_certificate():
    """With epsilon 0 the loss is the squares. The descent begins there, where no slope is left."""
    for seed in range(48):
        random = np.random.default_rng(seed)
        X = np.eye(4)[random.integers(0, 4, 20)][:, 1:]
        y = 3.0 * random.integers(0, 6, 20) * (random.random(20) < 0.4)
        model = GDLinearRegressor(loss=SquaredEpsilonInsensitive(0.0)).fit(X, y)
        assert model.status_ is Status.CONVERGED, seed
        assert 0 <= model.dual_gap_ <= 1e-12 * y.var()


def test_a_column_of_milliseconds_moves_alone_and_changes_nothing(monkeypatch):
    """X with a column 1.7e12 + 8.6e9 u has the fit that it has with u."""
    monkeypatch.setattr(data_table, "SMALL", 0)
    random = np.random.default_rng(8)
    X, u = random.standard_normal((400, 8)), np.round(random.uniform(0, 1, 400) * 2**20) / 2**20
    y = X @ np.ones(8) + 3 * u + random.standard_t(3, 400)
    model = GDLinearRegressor(loss="pseudo_huber", tol=0)
    plain = clone(model).fit(np.column_stack([X, u]), y)
    moved = clone(model).fit(np.column_stack([X, 1.7e12 + 2.0**33 * u]), y)
    np.testing.assert_allclose(moved.coef_ * [*8 * [1], 2.0**33], plain.coef_, rtol=1e-9)
    assert moved.n_iter_ <= plain.n_iter_ + 2  # a Hessian of other columns takes many more


def test_a_slight_ridge_is_all_that_bends_where_no_row_costs_anything():
    """A step that changes nothing ends the fit, also where it needs a proximal term to exist."""
    random = np.random.default_rng(0)
    for _ in range(12):
        X = random.standard_normal((40, 3)) * 10.0 ** random.integers(-12, 13, 3)
        y = (random.random(40) < 0.5) + 0.0
        loss = SquaredEpsilonInsensitive(0.5)
        model = GDLinearRegressor(loss=loss, alpha=1e-4, l1_ratio=0).fit(X, y)
        assert model.status_ is Status.CONVERGED
        assert 0 <= model.loss_curve_[-1] <= 1e-30
        assert np.abs(y - model.predict(X)).max() <= 0.5 + 1e-15
