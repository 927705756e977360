"""Penalties of the estimator: exact minima, equal routes, naive descents, certificates."""

from fractions import Fraction

import numpy as np
import pytest
from reference import (
    exact_least_squares,
    exact_penalised,
    exact_predictions,
    exact_ridge,
    sparse_normal,
)
from scipy.sparse import csr_array
from sklearn.datasets import make_regression
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import scale

from gd_regressor import (
    DivergenceWarning,
    GDLinearRegressor,
    Huber,
    Moments,
    Nesterov,
    Status,
    elastic_net_path,
    gd_path,
)
from gd_regressor.objective import penalties

N, D = 120, 6
NETS = {
    "ridge": {"l1_ratio": 0.0},
    "lasso": {"l1_ratio": 1.0},
    "elastic net": {"l1_ratio": 0.5},
    "positive": {"l1_ratio": 0.5, "positive": True},
    "positive ridge": {"l1_ratio": 0.0, "positive": True},
}
each_net = pytest.mark.parametrize("net", NETS)


def table(seed=0, n=N, d=D, t=None):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * np.geomspace(0.3, 3, d) + 2
    true = np.where(random.random((d, t or 1)) < 0.6, random.standard_normal((d, t or 1)), 0.0)
    y = X @ true + random.standard_normal((n, t or 1))
    return X, (y if t else y[:, 0])


def objective(model, X, y, weights=None):
    """F of one target, from the data and the parameters alone."""
    alpha, ratio, w = model.alpha, model.l1_ratio, model.coef_
    each = np.ones(len(w)) if model.penalty_weights is None else np.asarray(model.penalty_weights)
    loss = np.average((y - X @ w - model.intercept_) ** 2, weights=weights)
    return loss + 2 * alpha * each @ (ratio * np.abs(w) + (1 - ratio) / 2 * w**2)


# --- "auto" ---


@pytest.mark.parametrize("columns", ["well", "duplicates", "nearly dependent", "polynomials"])
@pytest.mark.parametrize("alpha", [1.0, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_ridge_has_the_digits_of_least_squares(columns, alpha, intercept):
    random = np.random.default_rng(0)
    X, t = random.standard_normal((30, 4)), random.uniform(0, 1, 30)
    X = {
        "well": X,
        "duplicates": np.hstack([X, X[:, :2]]),
        "nearly dependent": np.hstack([X, X[:, :2] + 1e-7 * random.standard_normal((30, 2))]),
        "polynomials": np.stack([t**k for k in range(1, 8)], axis=1),
    }[columns]
    y = X.sum(axis=1) + random.standard_normal(30)
    exact = exact_ridge(X, y, np.full(X.shape[1], alpha), intercept)
    model = GDLinearRegressor(alpha=alpha, l1_ratio=0, fit_intercept=intercept).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert np.abs(model.coef_ - exact).max() <= 4e-16 * np.abs(exact).max()


@pytest.mark.parametrize("ratio", [1.0, 0.5, 1e-6])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("left, right", [(-1, 1), (0, 1), (0, 10)])
def test_polynomials_of_degree_14_reach_the_exact_minimum(left, right, positive, ratio):
    """The conditions of the support that it finds hold in rational numbers, down to faint alphas.

    The products of these columns have few digits left or none: they square the condition number.
    """
    random = np.random.default_rng(10)
    t = random.uniform(left, right, 30)
    X = np.stack([t**k for k in range(1, 15)], axis=1)
    y = np.sin(5 * t / right) + random.standard_normal(30) / 3 + 3
    largest = np.abs((y - y.mean()) @ (X - X.mean(axis=0))).max() / len(y) / ratio
    for share in (1e-4, 1e-9):
        alpha = share * largest
        model = GDLinearRegressor(alpha=alpha, l1_ratio=ratio, positive=positive).fit(X, y)
        l1, l2 = ratio * alpha, (1 - ratio) * alpha
        signs = np.sign(model.coef_)
        value, w, v = exact_penalised(X, y, l1, l2, signs)
        assert all(x * int(sign) > 0 for x, sign in zip(w, signs, strict=True) if sign)
        outside = [x if positive else abs(x) for x, sign in zip(v, signs, strict=True) if not sign]
        assert all(x <= l1 for x in outside)
        excess = value([Fraction(x) for x in model.coef_.tolist()]) - value(w)
        assert 0 <= excess <= 1e-16 * y.var()
        assert model.status_ is Status.CONVERGED
        assert 2 * model.dual_gap_ <= 1e-12 * y.var()


def test_weights_are_repeated_rows_where_products_have_no_digits():
    """And each target has its own minimum."""
    random = np.random.default_rng(11)
    t, times = random.uniform(0, 1, 40), random.integers(0, 4, 40)
    X = np.stack([t**k for k in range(1, 15)], axis=1)
    Y = np.stack([np.sin(5 * t), np.exp(t)], axis=1) + random.standard_normal((40, 2)) / 9
    model = GDLinearRegressor(alpha=[1e-10, 1e-9], l1_ratio=1)
    weighted = model.fit(X, Y, sample_weight=times).predict(X)
    assert (2 * model.dual_gap_ <= 1e-12 * Y.var(axis=0)).all()
    repeated = model.fit(np.repeat(X, times, axis=0), np.repeat(Y, times, axis=0)).predict(X)
    assert np.abs(weighted - repeated).max() <= 1e-8
    for j, alpha in enumerate(model.alpha):
        alone = GDLinearRegressor(alpha=alpha, l1_ratio=1).fit(X, Y[:, j], sample_weight=times)
        assert np.abs(alone.predict(X) - weighted[:, j]).max() <= 1e-8


def test_the_gap_of_long_coefficients_has_no_rounding_of_products():
    """Columns that nearly agree, and free ones among them: F itself is rounding on moments."""
    random = np.random.default_rng(20)
    u = random.uniform(size=200)
    X = np.outer(u, np.ones(6)) + 1e-7 * random.standard_normal((200, 6))
    y, free = np.cos(3 * X[:, 0]) + X[:, -1], np.array([0, 5])
    penalised = [0, 1, 1, 1, 1, 0]
    model = GDLinearRegressor(alpha=100, l1_ratio=1, penalty_weights=penalised).fit(X, y)
    w, b = exact_least_squares(X[:, free], y)
    residuals = y - exact_predictions(X[:, free], w, b)
    excess = np.mean((y - X @ model.coef_ - model.intercept_) ** 2) - residuals @ residuals / 200
    assert np.flatnonzero(model.coef_).tolist() == free.tolist()
    assert np.abs(model.coef_).max() > 1e4
    assert excess <= 1e-13 * y.var() and 2 * model.dual_gap_ <= 1e-12 * y.var()


def test_alpha_counts_per_row():
    X, y = table()
    theirs = Ridge(alpha=3.0).fit(X, y)
    ours = GDLinearRegressor(alpha=3.0 / N, l1_ratio=0).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-12)
    theirs = ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-13, max_iter=100_000).fit(X, y)
    ours = GDLinearRegressor(alpha=0.1, l1_ratio=0.3).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10)
    assert abs(ours.intercept_ - theirs.intercept_) < 1e-10


@each_net
@pytest.mark.parametrize("intercept", [True, False])
def test_auto_meets_the_optimality_conditions(net, intercept):
    X, y = table(1)
    random = np.random.default_rng(1)
    weights = random.integers(1, 4, N).astype(float)
    each = random.random(D) + 0.5
    model = GDLinearRegressor(
        alpha=0.2, penalty_weights=each, fit_intercept=intercept, **NETS[net]
    ).fit(X, y, weights)
    assert model.status_ is Status.CONVERGED
    assert abs(model.loss_curve_[-1] - objective(model, X, y, weights)) < 1e-13
    left = y - X @ model.coef_ - model.intercept_
    share = weights / weights.sum()
    assert not intercept or abs(share @ left) < 1e-13
    v = X.T @ (share * left) - 0.2 * each * (1 - model.l1_ratio) * model.coef_
    l1, on = 0.2 * each * model.l1_ratio, model.coef_ != 0
    np.testing.assert_allclose(v[on], (l1 * np.sign(model.coef_))[on], atol=1e-13)
    assert ((v if model.positive else np.abs(v)) <= l1 + 1e-13)[~on].all()
    assert 0 <= 2 * model.dual_gap_ <= 1e-12 * y.var()


@each_net
def test_all_routes_agree(net, tmp_path):
    """Dense, sparse, weighted and repeated rows, a memory map, streams, moments: one model."""
    X, y = table(2)
    X[np.abs(X) < 1] = 0.0
    parameters = {"alpha": 0.1, **NETS[net]}
    first = GDLinearRegressor(**parameters).fit(X, y)
    path = tmp_path / "X"
    np.save(path.with_suffix(".npy"), X)
    mapped = np.load(path.with_suffix(".npy"), mmap_mode="r")
    repeats = np.random.default_rng(0).integers(1, 4, N)
    chunks = [(X[:50], y[:50]), (X[50:], y[50:])]
    others = [
        GDLinearRegressor(**parameters).fit(csr_array(X), y),
        GDLinearRegressor(**parameters).fit(mapped, y),
        GDLinearRegressor(**parameters).fit_batches(chunks),
        GDLinearRegressor(**parameters, stream="qr").fit_batches(chunks),
        GDLinearRegressor(**parameters).fit_moments(sum(Moments.of(*chunk) for chunk in chunks)),
    ]
    for other in others:
        np.testing.assert_allclose(other.coef_, first.coef_, atol=1e-12)
        np.testing.assert_array_equal(other.coef_ == 0, first.coef_ == 0)
    weighted = GDLinearRegressor(**parameters).fit(X, y, repeats)
    repeated = GDLinearRegressor(**parameters).fit(np.repeat(X, repeats, 0), np.repeat(y, repeats))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-12)
    single = GDLinearRegressor(**parameters).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, first.coef_, atol=1e-5)


@each_net
def test_a_table_on_a_cluster(net):
    da = pytest.importorskip("dask.array")
    X, y = table(3)
    first = GDLinearRegressor(alpha=0.1, **NETS[net]).fit(X, y)
    other = GDLinearRegressor(alpha=0.1, **NETS[net]).fit(
        da.from_array(X, chunks=(50, D)), da.from_array(y, chunks=50)
    )
    np.testing.assert_allclose(other.coef_, first.coef_, atol=1e-12)


@pytest.mark.parametrize("rate", ["auto", 0.02])
@pytest.mark.parametrize("net", ["ridge", "elastic net", "positive"])
def test_targets_descend_independently(net, rate):
    X, Y = table(4, t=3)
    for alpha in (0.1, [0.1, 0.5, 0.0]):
        both = GDLinearRegressor(rate, tol=None, max_iter=50, alpha=alpha, **NETS[net]).fit(X, Y)
        gaps = both.dual_gap_
        assert gaps.shape == (3,)
        for j in range(3):
            a = np.broadcast_to(alpha, 3)[j]
            one = GDLinearRegressor(rate, tol=None, max_iter=50, alpha=a, **NETS[net])
            one.fit(X, Y[:, j])
            np.testing.assert_allclose(both.coef_[j], one.coef_, atol=1e-12)


def test_the_unit_of_a_column_and_its_penalty_does_not_count():
    X, y = table(5)
    units = 10.0 ** np.arange(-3, 3)
    first = GDLinearRegressor(alpha=0.2, l1_ratio=1).fit(X, y)
    scaled = GDLinearRegressor(alpha=0.2, l1_ratio=1, penalty_weights=units).fit(X * units, y)
    np.testing.assert_allclose(scaled.coef_ * units, first.coef_, atol=1e-12)


@each_net
def test_a_column_without_a_penalty_is_free(net):
    """Its residual is zero, and a bound for the gap is still known."""
    X, y = table(6)
    each = np.array([0.0, 1, 1, 0, 1, 1])
    model = GDLinearRegressor(alpha=5.0, penalty_weights=each, **NETS[net]).fit(X, y)
    free = (each == 0) & (model.coef_ != 0)
    assert free.any()
    left = y - X @ model.coef_ - model.intercept_
    np.testing.assert_allclose((X - X.mean(0)).T[free] @ left / N, 0, atol=1e-12)
    assert model.dual_gap_ <= 1e-12 * y.var()


def test_positive_alone_is_least_squares_over_the_positive():
    X, y = table(7)
    model = GDLinearRegressor(positive=True).fit(X, y)
    free = GDLinearRegressor().fit(X, y)
    assert free.coef_.min() < 0 <= model.coef_.min()
    assert model.status_ is Status.CONVERGED
    assert model.dual_gap_ <= 1e-12 * y.var()
    v = X.T @ (y - X @ model.coef_ - model.intercept_) / N
    assert np.abs(v[model.coef_ > 0]).max() < 1e-12
    assert v.max() < 1e-12


@each_net
def test_a_start_changes_nothing_but_the_way(net):
    X, y = table(8)
    model = GDLinearRegressor(alpha=0.1, **NETS[net])
    first = model.fit(X, y).coef_
    started = model.fit(X, y, coef_init=np.full(D, 3.0), intercept_init=7.0).coef_
    np.testing.assert_allclose(started, first, atol=1e-13)
    warm = GDLinearRegressor(alpha=0.2, warm_start=True, **NETS[net]).fit(X, y)
    warm = warm.set_params(alpha=0.1).fit(X, y)
    np.testing.assert_allclose(warm.coef_, first, atol=1e-13)
    assert model.set_params(max_iter=0).fit(X, y).n_iter_ == 0


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("ratio", "second"), [(0.5, 1.0), (1e-6, 1.0), (0.0, 3.0)])
@pytest.mark.parametrize("alpha", [1e-14, 1e-16, 1e-30])
def test_a_faint_ridge_shares_a_coefficient_among_copies(alpha, ratio, second, positive):
    """Its gradient ``weight w`` is that of all copies, however small, whatever the start."""
    X, y = table(10)
    X = np.column_stack([X, X[:, 0]])
    y, weights = y + 3 * X[:, 0], np.ones(D + 1)
    weights[-1] = second
    model = GDLinearRegressor(
        alpha=alpha, l1_ratio=ratio, positive=positive, penalty_weights=weights
    )
    whole = GDLinearRegressor(positive=positive).fit(X[:, :D], y).coef_[0]
    for start in (np.zeros(D + 1), 5.0 * np.eye(D + 1)[-1], np.arange(D + 1.0)):
        w = model.fit(X, y, coef_init=start).coef_
        shares = whole * np.array([second, 1.0]) / (1 + second)
        np.testing.assert_allclose(w[[0, -1]], shares, rtol=1e-9)


@each_net
def test_more_columns_than_rows(net):
    X, y = table(9, n=30, d=80)
    model = GDLinearRegressor(alpha=0.05, **NETS[net]).fit(X, y)
    theirs = ElasticNet(
        alpha=0.05,
        l1_ratio=model.l1_ratio,
        positive=model.positive,
        tol=1e-10,
        max_iter=5_000,
    )
    theirs.fit(X, y)
    theirs.penalty_weights = None
    assert model.status_ is Status.CONVERGED
    assert objective(model, X, y) <= objective(theirs, X, y) + 1e-10 * y.var()


# --- A number as learning rate ---


def naive(X, y, model, n_updates, w, b):
    """The textbook loop with the soft threshold of half the distance that F's penalty asks for.

    Polyak's momentum takes the gradient at w, and Nesterov's where the momentum leads (FISTA).
    """
    rate, ahead, alpha = model.learning_rate, isinstance(model.momentum, Nesterov), model.alpha
    momentum = model.momentum.beta if ahead else model.momentum
    l1, l2 = alpha * model.l1_ratio, alpha * (1 - model.l1_ratio)
    smooth = not (model.positive or l1)
    losses, moved, moved_b = [], np.zeros_like(w), 0.0
    for _ in range(n_updates + 1):
        losses.append(((y - X @ w - b) ** 2).mean() + 2 * l1 * np.abs(w).sum() + l2 * w @ w)
        last = w, b
        v, c = (w + momentum * moved, b + momentum * moved_b) if ahead else (w, b)
        left = y - X @ v - c
        step = -2 * X.T @ left / len(X) + (2 * l2 * w if smooth else 0)
        w = w - rate * step + momentum * moved
        b = b + 2 * rate * left.mean() + momentum * moved_b
        if not smooth:
            w = np.sign(w) * np.maximum(np.abs(w) - 2 * rate * l1, 0) / (1 + 2 * rate * l2)
            w = np.maximum(w, 0) if model.positive else w
        moved, moved_b = w - last[0], b - last[1]
    return *last, np.array(losses)


def assert_is_naive(model, X, y, w, b):
    model.fit(X, y, coef_init=w, intercept_init=b)
    coef, intercept, losses = naive(X, y, model, 60, w, b)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-12)
    assert abs(model.intercept_ - intercept) < 1e-12
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-12)


@each_net
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("started", [False, True])
def test_the_textbooks_iterates(net, momentum, started, route):
    w, b = (np.arange(D) - 2.0, 0.5) if started else (np.zeros(D), 0.0)
    options = {"momentum": momentum, "alpha": 0.2, **NETS[net]}
    assert_is_naive(GDLinearRegressor(0.01, 60, None, **options), *table(10), w, b)


KINKED = pytest.mark.parametrize(
    "options", [{"alpha": 0.2}, {"alpha": 0.1, "l1_ratio": 1.0}, {"positive": True}], ids=str
)


@KINKED
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("started", [False, True])
def test_nesterovs_iterates_under_a_prox(options, beta, started, route):
    w, b = (np.arange(D) % 3.0, 0.5) if started else (np.zeros(D), 0.0)
    model = GDLinearRegressor(0.01, 60, None, momentum=Nesterov(beta), **options)
    assert_is_naive(model, *table(10), w, b)


def safe_rate(X):
    """1 / L, L the largest curvature of the squared loss."""
    A = np.column_stack([X, np.ones(len(X))])
    return len(X) / 2 / np.linalg.eigvalsh(A.T @ A)[-1]


@KINKED
def test_nesterov_under_a_prox_loses_energy_at_each_update(options):
    """F(x_k) + |x_k - x_{k-1}|^2 / (2 rate) never rises for rates up to 1 / L.

    This is lemma 2.3 of Beck and Teboulle (2009) between an update and the one before.
    """
    X, y = table(14)
    limit, momentum = safe_rate(X), Nesterov(0.95)
    rate = limit * (1 - 1e-9)
    last, energies = np.zeros(D + 1), []
    for k in range(120):
        model = GDLinearRegressor(rate, k, None, momentum=momentum, **options).fit(X, y)
        assert model.max_learning_rate_ == pytest.approx(limit, rel=1e-9)
        here = np.append(model.coef_, model.intercept_)
        energies.append(model.loss_curve_[-1] + ((here - last) ** 2).sum() / (2 * rate))
        last = here
    assert (np.diff(energies) <= 1e-12 * energies[0]).all()
    # F alone does rise: the energy is what falls
    assert np.diff(model.loss_curve_).max() > 0


@KINKED
def test_nesterov_under_a_prox_arrives_at_the_minimum_of_auto(options):
    X, y = table(15)
    best = GDLinearRegressor(**options).fit(X, y)
    rate = 0.99 * safe_rate(X)
    model = GDLinearRegressor(rate, 10_000, 0, momentum=Nesterov(0.98), **options).fit(X, y)
    np.testing.assert_allclose(model.coef_, best.coef_, atol=1e-8)
    assert ((model.coef_ == 0) == (best.coef_ == 0)).all()


@pytest.mark.parametrize("options", [{"alpha": 0.05}, {"positive": True}], ids=str)
def test_nesterov_under_a_prox_of_another_loss(options):
    """Huber's loss with a delta beyond all residuals is the square."""
    X, y = table(10)
    options = {"momentum": Nesterov(0.5), **options}
    square = GDLinearRegressor(0.01, 40, None, **options).fit(X, y)
    model = GDLinearRegressor(0.01, 40, None, loss=Huber(1e6), **options).fit(X, y)
    np.testing.assert_allclose(model.coef_, square.coef_, atol=1e-12)


@each_net
@pytest.mark.parametrize("kept", ["moments", "qr"])
def test_the_textbooks_iterates_on_a_stream(net, kept):
    X, y = table(11)
    parameters = {"learning_rate": 0.01, "max_iter": 40, "tol": None, "alpha": 0.2, **NETS[net]}
    whole = GDLinearRegressor(**parameters).fit(X, y)
    stream = GDLinearRegressor(**parameters, stream=kept)
    stream.partial_fit(X[:70], y[:70]).partial_fit(X[70:], y[70:])
    np.testing.assert_allclose(stream.coef_, whole.coef_, atol=1e-12)
    np.testing.assert_allclose(stream.loss_curve_, whole.loss_curve_, rtol=1e-12)


@each_net
def test_the_gap_is_a_bound_all_the_way(net, route):
    X, y = table(12)
    least = GDLinearRegressor(alpha=0.2, **NETS[net]).fit(X, y).loss_curve_[-1]
    for n_updates in (1, 10, 100, 1000):
        model = GDLinearRegressor(0.02, max_iter=n_updates, tol=None, alpha=0.2, **NETS[net]).fit(
            X, y
        )
        distance = model.loss_curve_[-1] - least
        assert distance - 1e-12 <= 2 * model.dual_gap_


def test_the_stability_limit_of_a_ridge_has_alpha_in_it(route):
    X, y = table(13)
    A = np.column_stack([X, np.ones(N)])
    hessian = 2 / N * A.T @ A + 2 * np.diag([0.7] * D + [0.0])
    model = GDLinearRegressor(0.01, max_iter=1, tol=None, alpha=0.7, l1_ratio=0).fit(X, y)
    limit = 2 / np.linalg.eigvalsh(hessian)[-1]
    assert abs(model.max_learning_rate_ / limit - 1) < 1e-12


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_gd_path_of_a_ridge_has_the_textbooks_iterates(momentum, route):
    X, Y = table(15, t=2)
    each, counts = np.arange(D) / 2, [40, 0, 7]
    options = {"alpha": 0.3, "penalty_weights": each}
    coefs, intercepts, losses = gd_path(
        X, Y, learning_rate=0.01, n_iter=counts, momentum=momentum, **options
    )
    for k, count in enumerate(counts):
        model = GDLinearRegressor(0.01, count, None, momentum=momentum, l1_ratio=0, **options)
        model.fit(X, Y)
        np.testing.assert_allclose(coefs[..., k], model.coef_, atol=1e-13)
        np.testing.assert_allclose(intercepts[:, k], model.intercept_, atol=1e-13)
        assert abs(losses[k] / model.loss_curve_[-1] - 1) < 1e-13


def test_gd_path_of_a_ridge_ends_at_its_minimum():
    X, y = table(16)
    coefs, _, losses = gd_path(X, y, learning_rate=0.02, n_iter=[10**9], alpha=0.3)
    ridge = GDLinearRegressor(alpha=0.3, l1_ratio=0).fit(X, y)
    np.testing.assert_allclose(coefs[:, 0], ridge.coef_, atol=1e-13)
    assert abs(losses[0] / ridge.loss_curve_[-1] - 1) < 1e-13


def test_gd_path_knows_the_limit_of_a_ridge():
    """A rate below the limit of the loss alone, and above it with the ridge."""
    X, y = table(17)
    plain, ridged = (
        GDLinearRegressor(0.01, 1, None, alpha=alpha, l1_ratio=0).fit(X, y).max_learning_rate_
        for alpha in (0.0, 3.0)
    )
    with pytest.warns(DivergenceWarning, match=f"{ridged:.6g}"):
        gd_path(X, y, learning_rate=(plain + ridged) / 2, n_iter=3, alpha=3.0)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"alpha": -1.0}, "alpha=a / n, l1_ratio=0"),
        ({"alpha": [1.0, 2.0]}, "alpha must be one number for a path.*one path for each target"),
        ({"alpha": 1.0, "penalty_weights": [1.0]}, r"shape \(6,\)"),
    ],
)
def test_gd_path_says_which_ridge_it_cannot_use(parameters, words):
    X, Y = table(t=2)
    with pytest.raises(ValueError, match=words):
        gd_path(X, Y, learning_rate=0.01, n_iter=1, **parameters)


# --- Parameters ---


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"alpha": -1.0}, "alpha=a / n, l1_ratio=0"),
        ({"alpha": np.nan}, "alpha must be finite"),
        ({"alpha": "large"}, "alpha must be real numbers"),
        ({"alpha": None}, "alpha must be real numbers, got None"),
        ({"alpha": True}, "alpha must be a number or one number per target, got True"),
        ({"alpha": [1.0, 2.0]}, "one number for one target, got 2; .*GDLinearRegressorCV.alphas="),
        ({"alpha": [[1.0]]}, "one number per target"),
        ({"l1_ratio": 1.5}, "from 0 .ridge. to 1 .lasso."),
        ({"positive": 1}, "positive must be True or False"),
        ({"alpha": [0.0, 0.0]}, "one number for one target, got 2"),
        ({"alpha": 1.0, "penalty_weights": [1.0]}, r"shape \(6,\)"),
        ({"alpha": 0.0, "penalty_weights": [1.0]}, r"shape \(6,\)"),
        ({"alpha": 1.0, "penalty_weights": [-1.0] * 6}, "penalty_weights must be >= 0"),
    ],
)
def test_an_error_says_what_to_write(parameters, words):
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor(**parameters).fit(*table())


@pytest.mark.parametrize("rate", ["auto", 0.01])
def test_weights_of_no_penalty_change_nothing(rate):
    X, y = table()
    plain = GDLinearRegressor(rate, 20, tol=None).fit(X, y)
    weighted = GDLinearRegressor(rate, 20, tol=None, penalty_weights=np.arange(6.0)).fit(X, y)
    np.testing.assert_array_equal(weighted.coef_, plain.coef_)
    assert not hasattr(weighted, "dual_gap_")


def test_without_a_penalty_there_is_no_gap():
    X, y = table()
    model = GDLinearRegressor(alpha=0.1).fit(X, y)
    assert hasattr(model, "dual_gap_")
    assert not hasattr(model.set_params(alpha=0.0).fit(X, y), "dual_gap_")


# --- Paths ---


@pytest.mark.parametrize("net", ["lasso", "elastic net", "positive"])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_path_holds_the_fits(net, intercept):
    X, y = table(14)
    y = y + 5
    parameters = {**NETS[net], "fit_intercept": intercept, "penalty_weights": [1, 2, 1, 0, 1, 1]}
    alphas, coefs, intercepts, gaps = elastic_net_path(X, y, alphas=7, eps=1e-2, **parameters)
    assert coefs.shape == (D, 7)
    np.testing.assert_allclose(alphas[1:] / alphas[:-1], 1e-2 ** (1 / 6))
    held = np.arange(D) != 3
    assert not coefs[held, 0].any()
    assert coefs[held, 1].any()
    assert (gaps >= 0).all()
    assert (2 * gaps <= 1e-12 * (y**2).mean()).all()
    for alpha, w, b in zip(alphas, coefs.T, intercepts, strict=True):
        model = GDLinearRegressor(alpha=alpha, **parameters).fit(X, y)
        np.testing.assert_allclose(w, model.coef_, atol=1e-12)
        assert abs(b - model.intercept_) < 1e-12


def test_a_path_of_any_data_in_any_order():
    X, Y = table(15, t=2)
    X[np.abs(X) < 1] = 0.0
    weights = np.random.default_rng(0).random(N)
    asked = {"alphas": [0.1, 0.5, 0.0, 0.02], "l1_ratio": 0.7, "sample_weight": weights}
    alphas, coefs, intercepts, gaps = elastic_net_path(X, Y, **asked)
    assert alphas.tolist() == asked["alphas"]
    assert (coefs.shape, intercepts.shape, gaps.shape) == ((2, D, 4), (2, 4), (2, 4))
    for i, alpha in enumerate(alphas):
        model = GDLinearRegressor(alpha=alpha, l1_ratio=0.7).fit(X, Y, weights)
        np.testing.assert_allclose(coefs[..., i], model.coef_, atol=1e-12)
    for other in (csr_array(X), X.astype(np.float32)):
        same = elastic_net_path(other, Y, **asked)[1]
        np.testing.assert_allclose(same, coefs, atol=1e-5)
    one = elastic_net_path(X, Y[:, 0], **asked)
    np.testing.assert_allclose(one[1], coefs[0], atol=1e-13)


@pytest.mark.parametrize("seed", [8, 9, 20])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.filterwarnings("error")
def test_a_path_has_the_fits_where_products_have_no_digits(seed, ratio):
    """Powers of t in (0, 10), a faint alpha, and three free columns: F and its gap as in a fit."""
    random = np.random.default_rng(seed)
    t = random.uniform(0, 10, 60)
    X = np.stack([t**k for k in range(1, 15)], axis=1)
    y = np.sin(t / 2) + random.standard_normal(60) / 3 + 3
    each = np.ones(14)
    each[random.choice(14, 3, replace=False)] = 0
    largest = np.abs((y - y.mean()) @ (X - X.mean(axis=0))).max() / len(y) / ratio
    options = {"l1_ratio": ratio, "penalty_weights": each}
    Y, share = np.stack([y, np.cos(t) + y], axis=1), np.array([1e-9, 1e-3])
    alphas, coefs, intercepts, gaps = elastic_net_path(X, Y, alphas=share * largest, **options)
    assert (2 * gaps <= 1e-12 * Y.var(axis=0)[:, None]).all()
    for i, alpha in enumerate(alphas):
        expected = GDLinearRegressor(alpha=alpha, **options).fit(X, Y).predict(X)
        found = X @ coefs[..., i].T + intercepts[:, i]
        assert np.abs(found - expected).max() <= 1e-6


def test_a_ridge_path_needs_its_alphas():
    X, y = table()
    with pytest.raises(ValueError, match="alphas must be an array"):
        elastic_net_path(X, y, l1_ratio=0)
    _, coefs, *_ = elastic_net_path(X, y, l1_ratio=0, alphas=[1.0, 1e-9])
    for alpha, w in zip((1.0, 1e-9), coefs.T, strict=True):
        model = GDLinearRegressor(alpha=alpha, l1_ratio=0).fit(X, y)
        np.testing.assert_allclose(w, model.coef_, rtol=1e-10)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"alphas": 0}, "alphas"),
        ({"alphas": [-1.0]}, "alphas .*alpha=a / n, l1_ratio=0"),
        ({"eps": 1.0}, "eps"),
    ],
)
def test_a_path_says_what_it_cannot_use(parameters, words):
    with pytest.raises(ValueError, match=words):
        elastic_net_path(*table(), **parameters)


# --- Many columns ---


@pytest.mark.parametrize("alpha", [1.0, 1e-4, 1e-9])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_ridge_on_more_columns_than_rows_is_exact(alpha, intercept):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((6, 15)), random.standard_normal(6)
    exact = exact_ridge(X, y, np.full(15, alpha), intercept)
    model = GDLinearRegressor(alpha=alpha, l1_ratio=0, fit_intercept=intercept).fit(X, y)
    assert model.metric_ == "dual"
    assert np.abs(model.coef_ - exact).max() <= 1e-14 * np.abs(exact).max()
    each = random.random(15) + 0.5
    exact = exact_ridge(X, y, alpha * each, intercept)
    model.set_params(penalty_weights=each).fit(X, y)
    assert np.abs(model.coef_ - exact).max() <= 1e-13 * np.abs(exact).max()


def test_a_ridge_on_very_many_sparse_columns():
    """Never made dense: the same as its dual problem, which has a row for each row."""
    random = np.random.default_rng(0)
    n, d = 60, 30_000
    X = sparse_normal(random, n, d, 1e-3)
    y = random.standard_normal(n)
    model = GDLinearRegressor(alpha=1e-2, l1_ratio=0).fit(X, y)
    assert model.metric_ == "scaled"
    assert model.status_ is Status.CONVERGED
    A = X.toarray() - X.toarray().mean(axis=0)
    dual = np.linalg.solve(A @ A.T / n + 1e-2 * np.eye(n), y - y.mean()) / n
    difference = model.coef_ - A.T @ dual
    distance = (A @ difference) @ (A @ difference) / n + 1e-2 * difference @ difference
    assert distance <= 1e-12 * y.var()
    assert 2 * model.dual_gap_ <= 1e-12 * y.var()


@pytest.mark.parametrize("positive", [False, True])
def test_of_several_minimisers_auto_returns_the_shortest(positive):
    """Equal columns share a coefficient, in raw units, whatever the start."""
    random = np.random.default_rng(0)
    A = random.standard_normal((50, 3))
    y = A @ [1.0, -2.0, 0.5] + random.standard_normal(50)
    y = y if not positive else A @ [1.0, 2.0, 0.5] + random.standard_normal(50)
    single = GDLinearRegressor(alpha=0.1, l1_ratio=1, positive=positive).fit(A, y)
    X = np.hstack([A, A, -A[:, :1], 2 * A[:, 1:2]])  # the twice as large one is cheaper
    each = [1, 1, 1, 1, 1, 1, 1, 2]  # so it costs as much
    model = GDLinearRegressor(alpha=0.1, l1_ratio=1, positive=positive, penalty_weights=each)
    for start in (np.zeros(8), random.standard_normal(8)):
        w = model.fit(X, y, coef_init=start).coef_
        a, b, c = single.coef_
        opposite = 0.0 if positive else -a / 3
        first = a / 2 if positive else a / 3
        shared = [first, b / 6, c / 2, first, b / 6, c / 2, opposite, b / 3]
        np.testing.assert_allclose(w, shared, atol=1e-12)
        assert abs(model.loss_curve_[-1] - single.loss_curve_[-1]) < 1e-13
    path = elastic_net_path(X, y, l1_ratio=1, alphas=[0.1], positive=positive, penalty_weights=each)
    np.testing.assert_allclose(path[1][:, 0], shared, atol=1e-12)


def test_the_decrease_of_a_penalty_is_exact_between_neighbours():
    before = np.array([[0.7], [-1.3], [2.0]])
    after = np.nextafter(before, 9.0)
    l1, l2 = 0.3, 0.11
    net = penalties.ElasticNet(np.full((3, 1), l1), np.full((3, 1), l2))

    def value(w):
        return sum(2 * Fraction(l1) * abs(Fraction(x)) + Fraction(l2) * Fraction(x) ** 2 for x in w)

    exact = value(before[:, 0].tolist()) - value(after[:, 0].tolist())
    assert net.decrease(before, after)[0] == pytest.approx(float(exact), rel=1e-14, abs=0)


def test_a_descent_at_its_minimum_ends():
    """The rounding of the penalty is no decrease: tol=0 ends where updates move by ulps."""
    X, y = make_regression(200, 10, n_informative=1, bias=5.0, noise=20, random_state=42)
    X, y = scale(X).astype(np.float32), scale(y)
    model = GDLinearRegressor(0.1, 100_000, 0, alpha=0.01, warm_start=True).fit(X, y)
    assert model.fit(X.tolist(), y).n_iter_ < 1000 and model.status_ is Status.CONVERGED


def test_a_descent_measures_the_gap_of_its_end_only(monkeypatch):
    """A gap costs as much as an update, and no rule of the textbooks looks at it."""
    asked, measure = [], penalties.ElasticNet.dual_gap

    def counted(*args):
        asked.append(args)
        return measure(*args)

    monkeypatch.setattr(penalties.ElasticNet, "dual_gap", counted)
    X, y = make_regression(60, 5, noise=3, random_state=0)
    model = GDLinearRegressor(0.1, 10_000, alpha=0.1).fit(X, y)
    assert model.n_iter_ > 20 and model.status_ is Status.CONVERGED and len(asked) == 1
