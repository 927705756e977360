"""Penalised fits of many columns: optimality, exactly, on each kind of table, in few passes."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from reference import dot, solved, sparse_normal
from scipy.sparse import csr_array
from sklearn.linear_model import ElasticNet

from gd_regressor import GDLinearRegressor, Status, elastic_net_path
from gd_regressor.data.chosen import Reading
from gd_regressor.data.sparse import SparseColumns
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Terms
from gd_regressor.lasso.along_working_sets import along_working_sets
from gd_regressor.lasso.homotopy import Falling, followed
from gd_regressor.lasso.working_sets import Descent, WorkingSet
from gd_regressor.objective.penalties import ElasticNet as Net

N, D = 120, 600


def problem(seed=0, n=N, d=D):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d))
    return X, X[:, :12] @ random.standard_normal(12) + 0.5 * random.standard_normal(n) + 2


def largest(X, y):
    """The least alpha of a lasso that leaves no coefficient."""
    return np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)


def net(alpha, ratio=1.0, *, positive=False, **others):
    return GDLinearRegressor(
        learning_rate="auto", alpha=alpha, l1_ratio=ratio, positive=positive, **others
    )


def broken(X, y, model, l1, l2=0.0, s=None):
    """The largest violation of the optimality conditions, in units of sd(y) sd(x)."""
    s = np.full(len(y), 1 / len(y)) if s is None else s / s.sum()
    if model.fit_intercept:
        X = X - s @ X
    w, residuals = model.coef_, y - X @ model.coef_
    residuals = residuals - s @ residuals if model.fit_intercept else residuals
    v = X.T @ (s * residuals) - l2 * w
    units = np.sqrt(s @ X**2 * (s @ (y - s @ y) ** 2))
    l1 = np.broadcast_to(l1, w.shape)
    size = v if model.positive else np.abs(v)
    off = np.where(w != 0, np.abs(v - l1 * np.sign(w)), np.maximum(size - l1, 0.0))
    return (off / units).max()


COLUMNS = {
    "well": lambda random: random.standard_normal((400, 60)),
    "wide": lambda random: random.standard_normal((40, 100)),
    "units": lambda random: random.standard_normal((200, 60)) * 10.0 ** random.uniform(-6, 6, 60),
    "0.99": lambda random: (
        10 * random.standard_normal((400, 1)) + random.standard_normal((400, 60))
    ),
    "walks": lambda random: np.cumsum(random.standard_normal((400, 60)), axis=1),
}


@pytest.mark.parametrize("ratio", [1.0, 0.9])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_followed_point_is_the_minimiser_at_its_strength(name, positive, ratio):
    random = np.random.default_rng(1)
    X = COLUMNS[name](random)
    X, y = X - X.mean(axis=0), X[:, 0] / X[:, 0].std() + random.standard_normal(len(X))
    Q, q = X.T @ X / len(X), X.T @ (y - y.mean()) / len(X)
    unit = np.sqrt(Q.diagonal())
    c = np.abs(q / unit).max()
    falling = Falling(Q, q, ratio * unit, (1 - ratio) * c * unit**2, positive)
    w, at = np.zeros(len(q)), c / ratio
    for to in c / np.array([1.5, 3.0, 30.0, 300.0]):
        w, at, _ = followed(falling, w, at, to)
        assert at == to
        v = (q - Q @ w - falling.l2 * w) / unit
        rounding = 1e-12 * (1 + np.abs(w * unit).sum())
        assert np.abs(v - to * ratio * np.sign(w))[w != 0].max() <= rounding
        assert ((v if positive else np.abs(v)) <= to * ratio + rounding)[w == 0].all()
        assert not positive or w.min() >= 0


def test_a_way_needs_few_solves():
    """The classical homotopy solves once for each change of sign, at least 100 times here."""
    X, y = problem(d=200)
    X = X - X.mean(axis=0)
    Q, q = X.T @ X / N, X.T @ y / N
    c = np.abs(q).max()
    falling = Falling(Q, q, np.ones(200), np.zeros(200), False)
    w, at, solves = followed(falling, np.zeros(200), c, c / 500)
    assert at == c / 500 and np.count_nonzero(w) >= 100
    assert solves <= 40


@pytest.mark.parametrize("share", [1.0, 1 / 3, 1 / 30, 1 / 300, 1e-5])
@pytest.mark.parametrize("ratio", [1.0, 0.5, 1e-6])
@pytest.mark.parametrize("positive", [False, True])
def test_the_optimality_conditions_hold(share, ratio, positive):
    X, y = problem()
    alpha = share * largest(X, y) / max(ratio, 0.5)
    model = net(alpha, ratio, positive=positive, tol=0).fit(X, y)
    assert model.metric_ == "working sets" and model.status_ is Status.CONVERGED
    assert 2 * model.dual_gap_ <= 1e-13 * y.var()
    assert broken(X, y, model, alpha * ratio, alpha * (1 - ratio)) <= 1e-11


@pytest.mark.parametrize("share", [1 / 3, 1 / 30, 1 / 100])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("positive", [False, True])
def test_f_is_at_most_that_of_elastic_net_and_the_support_is_the_same(share, ratio, positive):
    X, y = problem(2)
    alpha = share * largest(X, y) / ratio
    model = net(alpha, ratio, positive=positive).fit(X, y)
    peer = ElasticNet(
        alpha=alpha, l1_ratio=ratio, positive=positive, tol=1e-13, max_iter=100_000
    ).fit(X, y)

    def F(m):
        w = m.coef_
        added = 2 * alpha * (ratio * np.abs(w).sum() + (1 - ratio) / 2 * w @ w)
        return np.mean((y - m.predict(X)) ** 2) + added

    assert F(model) <= F(peer) + 1e-10 * y.var()
    assert model.loss_curve_[-1] == pytest.approx(F(model), rel=1e-12)
    np.testing.assert_array_equal(model.coef_ != 0, peer.coef_ != 0)


@pytest.mark.parametrize("seed", range(3))
def test_coefficients_are_those_of_the_exact_conditions(seed):
    """The conditions of the support, solved in rational numbers, hold in rational numbers."""
    random = np.random.default_rng(seed)
    X = random.integers(-3, 4, (16, 600)).astype(float)
    y = random.integers(-9, 10, 16).astype(float)
    alpha = float(np.round(largest(X, y) / 2, 6))
    model = net(alpha).fit(X, y)
    rows = [[Fraction(v) for v in row] for row in X.T]
    columns = [[v - sum(row) / 16 for v in row] for row in rows]
    target = [Fraction(v) for v in y]
    on = np.flatnonzero(model.coef_)
    signs = [int(s) for s in np.sign(model.coef_[on])]
    gram = [[dot(columns[i], columns[j]) / 16 for j in on] for i in on]
    l1 = Fraction(alpha)
    right = [dot(columns[i], target) / 16 - l1 * s for i, s in zip(on, signs, strict=True)]
    exact, basis = solved(gram, right)
    assert not basis and all(w * s > 0 for w, s in zip(exact, signs, strict=True))
    fit = [sum(columns[j][i] * w for j, w in zip(on, exact, strict=True)) for i in range(16)]
    left = [a - b for a, b in zip(target, fit, strict=True)]
    assert all(abs(dot(column, left)) / 16 <= l1 for column in columns)
    np.testing.assert_allclose(model.coef_[on], np.array(exact, float), rtol=1e-13)


def tables(X, y):
    """The same table in each kind of memory: X, weights, and the error that its precision has."""
    single = X.astype(np.float32)
    return {
        "C": (X, None, 1e-11),
        "F": (np.asfortranarray(X), None, 1e-11),
        "single": (single, None, 1e-6),
        "single F": (np.asfortranarray(single), None, 1e-6),
        "sparse": (csr_array(X), None, 1e-11),
        "views": (np.asfortranarray(np.hstack([X, X]))[:, : X.shape[1]], None, 1e-11),
        "steps": (np.repeat(X, 2, axis=1)[:, ::2], None, 1e-11),
    }


@pytest.mark.parametrize("kind", tables(*problem()))
def test_kinds_of_tables_agree(kind):
    X, y = problem()
    table, _, error = tables(X, y)[kind]
    alpha = largest(X, y) / 20
    model, plain = net(alpha).fit(table, y), net(alpha).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=error)
    assert model.intercept_ == pytest.approx(plain.intercept_, abs=error)


def test_a_memory_map_is_read_where_it_is(tmp_path):
    X, y = problem()
    mapped = np.memmap(tmp_path / "X", mode="w+", dtype=float, shape=X.shape)
    mapped[:] = X
    alpha = largest(X, y) / 20
    model = net(alpha).fit(mapped, y)
    np.testing.assert_allclose(model.coef_, net(alpha).fit(X, y).coef_, atol=1e-12)


@pytest.mark.parametrize("as_table", [np.asarray, np.asfortranarray, csr_array])
@pytest.mark.parametrize("intercept", [True, False])
def test_weights_are_repeated_rows(as_table, intercept):
    X, y = problem(3)
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    s = np.random.default_rng(0).integers(0, 4, N)
    alpha = largest(X, y) / 20
    model = net(alpha, fit_intercept=intercept).fit(as_table(X), y, sample_weight=s)
    rows = np.repeat(np.arange(N), s)
    again = net(alpha, fit_intercept=intercept).fit(X[rows], y[rows])
    np.testing.assert_allclose(model.coef_, again.coef_, atol=1e-11)
    assert model.intercept_ == pytest.approx(again.intercept_, abs=1e-11)
    assert broken(X, y, model, alpha, s=s.astype(float)) <= 1e-12


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e8])
def test_columns_far_from_zero_lose_no_digit_of_the_conditions(offset):
    X, y = problem(4)
    X = X + offset * np.random.default_rng(1).standard_normal(D)
    alpha = largest(X, y) / 20
    model = net(alpha).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert broken(X, y, model, alpha) <= 1e-13 * offset


def test_full_columns_among_sparse_ones_may_be_far_from_zero():
    random = np.random.default_rng(5)
    X = sparse_normal(random, 300, 700, 0.05).toarray()
    X[:, 3:700:70] = 1e5 + random.standard_normal((300, 10))
    y = X[:, 3] - 1e5 + X[:, :5].sum(axis=1) + random.standard_normal(300)
    alpha = largest(X, y) / 20
    model = net(alpha).fit(csr_array(X), y)
    assert model.metric_ == "working sets" and np.count_nonzero(model.coef_[3:700:70])
    assert broken(X, y, model, alpha) <= 1e-9


def test_a_million_sparse_columns_are_never_dense():
    """A dense copy would take 2.4 GB."""
    random = np.random.default_rng(6)
    X = sparse_normal(random, 300, 1_000_000, 1e-3)
    y = np.asarray(X[:, :2000].sum(axis=1)) + 0.1 * random.standard_normal(300)
    slopes = X.T @ (y - y.mean()) / 300
    alpha = np.abs(slopes).max() / 3
    tracemalloc.start()
    model = net(alpha, tol=1e-10).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert model.status_ is Status.CONVERGED and np.count_nonzero(model.coef_)
    assert peak < 0.3e9
    residuals = y - model.predict(X)
    v = X.T @ residuals / 300
    on = model.coef_ != 0
    np.testing.assert_allclose(v[on], alpha * np.sign(model.coef_[on]), rtol=1e-9)
    assert np.abs(v).max() <= alpha * (1 + 1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
def test_x_is_neither_copied_nor_changed(order):
    X, y = problem(7, n=200, d=6000)
    X = np.asarray(X, order=order)
    alpha = largest(X, y) / 5
    net(alpha).fit(X, y)
    before = X.copy()
    X.flags.writeable = False
    tracemalloc.start()
    net(alpha).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * X.nbytes
    np.testing.assert_array_equal(X, before)


def descent_of(X, y, alpha, positive=False):
    members = WorkingSet(Reading.of(Rows(X, y[:, None]), centred=True))
    columns = np.ones((X.shape[1], 1))
    y = (y - y.mean()) / np.sqrt(len(y))
    return Descent(members, Net(alpha * columns, 0 * columns, positive), y), members


def test_the_gap_of_each_round_is_a_bound_and_f_falls():
    X, y = problem(8)
    alpha = largest(X, y) / 30
    descent, members = descent_of(X, y, alpha)
    at, values, gaps = descent.start(np.zeros(D)), [], []
    for _ in range(8):
        at = descent.round(at)
        values.append(at.residuals @ at.residuals / 2 + alpha * np.abs(at.coef).sum())
        gaps.append(descent.gap(at))
    assert (np.diff(values) <= 1e-15).all()
    assert (np.array(values) - values[-1] <= np.array(gaps) + 1e-14).all()
    assert gaps[-1] <= 1e-14 and len(members.members) < D / 2


@pytest.mark.parametrize(("share", "passes"), [(1 / 10, 6), (1 / 100, 10)])
def test_few_passes_are_made(share, passes, monkeypatch):
    count, slopes = [], Reading.slopes
    monkeypatch.setattr(Reading, "slopes", lambda *given: count.append(1) or slopes(*given))
    X, y = problem(9, n=200, d=2000)
    net(share * largest(X, y)).fit(X, y)
    assert len(count) <= passes


def test_columns_nearly_in_use_spare_a_round():
    """A column of 500 that joins moves the slopes of the others, so some follow it."""
    rounds = 0
    for seed in range(8):
        random = np.random.default_rng(seed)
        X = random.standard_normal((600, 500))
        y = X[:, :60] @ random.standard_normal(60) + 2 * random.standard_normal(600)
        descent, _ = descent_of(X, y, largest(X, y) / 100)
        at = descent.start(np.zeros(500))
        while descent.gap(at) > 1e-12 * y.var():
            at, rounds = descent.round(at), rounds + 1
    assert rounds <= 8 * 5.5


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_many_rows_for_each_member_spare_levels(correlation):
    """On correlated columns most of those that break a level in between are never in use."""
    random = np.random.default_rng(0)
    X = random.standard_normal((6000, 500))
    X = np.sqrt(1 - correlation) * X + np.sqrt(correlation) * random.standard_normal((6000, 1))
    y = X[:, :40] @ random.standard_normal(40) + random.standard_normal(6000)
    descent, _ = descent_of(X, y, largest(X, y) / 30)
    at = descent.start(np.zeros(500))
    for _ in range(3):
        at = descent.round(at)
    assert descent.gap(at) <= 1e-13 * y.var()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("centred", [True, False])
def test_products_of_members_are_those_of_centred_columns(order, centred):
    """Also where the rows at both ends are far from all others."""
    random = np.random.default_rng(1)
    X = random.standard_normal((3000, 30)) + np.where(np.arange(30) < 20, 0.0, 1e6)
    X[:10] = X[-10:] = 0.0
    X = np.asarray(X, order=order)
    s = random.integers(0, 2, 3000).astype(float)
    s[:10] = s[-10:] = 0.0
    members = WorkingSet(Reading.of(Rows(X, X[:, :1], s), centred=centred))
    members.join(np.array([3, 25]))
    members.join(np.arange(0, 30, 2))
    x, share = X[:, members.members].astype(np.longdouble), s / s.sum()
    means = share @ x if centred else 0.0
    exact = ((x - means) * share[:, None]).T @ (x - means)
    sizes = np.sqrt(np.outer(exact.diagonal(), exact.diagonal()))
    assert np.abs((members.gram - exact) / sizes).max() <= 1e-13
    w = random.standard_normal(len(members.members))
    fit = np.sqrt(share) * ((x - means) @ w)
    np.testing.assert_allclose(members.fitted(w), fit.astype(float), rtol=0, atol=1e-9)
    if centred:
        np.testing.assert_allclose(
            members.means[members.members], means.astype(float), rtol=1e-15, atol=1e-15
        )


def test_the_minimum_does_not_depend_on_the_start():
    X, y = problem(10)
    alpha = largest(X, y) / 20
    model = net(alpha, warm_start=True).fit(X, y)
    first, coef = model.n_iter_, model.coef_.copy()
    assert model.fit(X, y).n_iter_ == 1 < first
    np.testing.assert_allclose(model.coef_, coef, atol=1e-13)
    assert model.set_params(alpha=alpha / 1.1).fit(X, y).n_iter_ <= 3
    np.testing.assert_allclose(model.coef_, net(alpha / 1.1).fit(X, y).coef_, atol=1e-12)
    model.set_params(alpha=3 * alpha).fit(X, y)
    np.testing.assert_allclose(model.coef_, net(3 * alpha).fit(X, y).coef_, atol=1e-12)


def test_targets_share_the_columns_and_not_the_penalty():
    X, y = problem(11)
    Y = np.stack([y, X[:, 20] - X[:, 21] + 0.1 * y], axis=1)
    alphas = np.array([largest(X, y) / 20, largest(X, Y[:, 1]) / 4])
    model = net(alphas).fit(X, Y)
    for j in range(2):
        alone = net(alphas[j]).fit(X, Y[:, j])
        np.testing.assert_allclose(model.coef_[j], alone.coef_, atol=1e-12)
        assert model.intercept_[j] == pytest.approx(alone.intercept_, abs=1e-12)


def test_scaled_columns_with_scaled_penalties_give_the_same_fit():
    X, y = problem(12)
    units = 10.0 ** np.random.default_rng(0).uniform(-3, 3, D)
    alpha = largest(X, y) / 20
    model = net(alpha, penalty_weights=units).fit(X * units, y)
    np.testing.assert_allclose(model.coef_ * units, net(alpha).fit(X, y).coef_, atol=1e-11)


@pytest.mark.parametrize("positive", [False, True])
def test_columns_of_weight_zero_have_no_penalty(positive):
    X, y = problem(13)
    weights = np.ones(D)
    weights[[0, 50, 99]] = 0.0
    alpha = largest(X, y) / 5
    model = net(alpha, positive=positive, penalty_weights=weights).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert broken(X, y, model, alpha * weights) <= 1e-12


def test_positive_least_squares_end_at_their_conditions():
    X, y = problem(14, n=1500, d=600)
    model = net(0.0, positive=True).fit(X, y)
    assert model.metric_ == "working sets" and model.status_ is Status.CONVERGED
    assert (model.coef_ >= 0).all() and broken(X, y, model, 0.0) <= 1e-12
    X, y = problem(14)  # fewer rows than columns: the residuals vanish
    model = net(0.0, positive=True).fit(X, y)
    assert (model.coef_ >= 0).all() and model.loss_curve_[-1] <= 1e-12 * y.var()


@pytest.mark.parametrize("share", [1 / 10, 1 / 100])
def test_duplicates_have_one_minimum(share):
    X, y = problem(15, d=400)
    X = np.hstack([X, X[:, ::-1], 0 * X[:, :5] + 7.0])
    alpha = share * largest(X, y)
    model = net(alpha).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert not model.coef_[-5:].any()
    # Of several minimisers it is the shortest, in which duplicates have the same coefficient
    np.testing.assert_allclose(model.coef_[:400], model.coef_[400:800][::-1], atol=1e-12)
    single = net(alpha).fit(X[:, :400], y).predict(X[:, :400])
    np.testing.assert_allclose(model.predict(X), single, atol=1e-6 * y.std())
    model.coef_ = model.coef_[:-5]
    assert broken(X[:, :-5], y, model, alpha) <= 1e-11


@pytest.mark.parametrize("correlation", [0.99, 0.999])
@pytest.mark.parametrize("share", [1 / 30, 1e-3, 1e-4])
def test_correlated_columns_reach_the_tolerance(correlation, share):
    X, y = problem(16)
    level = np.random.default_rng(0).standard_normal((N, 1))
    X = np.sqrt(correlation) * level + np.sqrt(1 - correlation) * X
    alpha = share * largest(X, y)
    model = net(alpha).fit(X, y)
    assert model.status_ is Status.CONVERGED and 2 * model.dual_gap_ <= 1e-12 * y.var()


@pytest.mark.parametrize("as_table", [np.asarray, np.asfortranarray, csr_array])
@pytest.mark.parametrize(("ratio", "positive"), [(1.0, False), (0.5, False), (1.0, True)])
def test_a_path_has_the_minimum_at_each_strength(as_table, ratio, positive, monkeypatch):
    """Several strengths share a pass over X."""
    count, slopes = [], Reading.slopes
    monkeypatch.setattr(Reading, "slopes", lambda *given: count.append(1) or slopes(*given))
    X, y = problem(17)
    s = np.random.default_rng(0).integers(0, 3, N).astype(float)
    alphas = 2 * largest(X, y) * np.geomspace(1.0, 0.02, 40)
    ones = np.ones((D, 1))
    X_in = as_table(X)
    rows = Rows(SparseColumns.of(X_in, s) if as_table is csr_array else X_in, y[:, None], s)
    path = along_working_sets(rows, True, Terms(ratio * ones, (1 - ratio) * ones, positive), alphas)
    assert len(count) <= 12
    assert (2 * path.gaps <= 1e-12 * y.var()).all()
    for i in (0, 7, 20, 39):
        model = net(alphas[i], ratio, positive=positive).fit(X, y, sample_weight=s)
        np.testing.assert_allclose(path.thetas[i, :D, 0], model.coef_, atol=1e-6)
        assert path.thetas[i, D, 0] == pytest.approx(model.intercept_, abs=1e-6)


@pytest.mark.parametrize("targets", [1, 2])
def test_the_public_path_takes_working_sets(targets, monkeypatch):
    count, slopes = [], Reading.slopes
    monkeypatch.setattr(Reading, "slopes", lambda *given: count.append(1) or slopes(*given))
    X, y = problem(18)
    Y = y if targets == 1 else np.stack([y, X[:, 3] - X[:, 99]], axis=1)
    alphas, coefs, intercepts, gaps = elastic_net_path(X, Y, l1_ratio=1.0, alphas=20, eps=0.05)
    assert 0 < len(count) <= 10 * targets
    assert not coefs[..., 0].any() and coefs[..., 1].any()
    assert alphas[0] >= largest(X, y)
    model = net(alphas[12], fit_intercept=True).fit(X, Y)
    np.testing.assert_allclose(coefs[..., 12], model.coef_, atol=1e-6)
    np.testing.assert_allclose(intercepts[..., 12], model.intercept_, atol=1e-6)
    assert (2 * gaps <= 1e-12 * y.var()).all()


@pytest.mark.parametrize("far", [0, 2999, 5999])
def test_a_column_far_from_zero_is_moved_wherever_it_stands(far):
    X = np.random.default_rng(3).standard_normal((40, 6000))
    y = X[:, far] + 1.0
    X[:, far] += 1e9
    reading = Reading.of(Rows(X, y[:, None]), centred=True)
    assert abs(reading.shift[far] - 1e9) < 10
    assert np.abs(np.delete(reading.shift, far)).max() < 10
    target, _ = reading.target(0)
    exact = (X[:, far] - 1e9 - (X[:, far] - 1e9).mean()) @ (y - y.mean()) / len(y)
    assert reading.slopes(target[:, None])[far, 0] == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("ratio", [0.5, 1.0])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_fewer_rows_than_tasks(n, ratio, positive, fit_intercept):
    random = np.random.default_rng(n)
    X, y = random.standard_normal((n, 700)), random.standard_normal(n) + 1
    model = GDLinearRegressor(
        alpha=0.01, l1_ratio=ratio, positive=positive, fit_intercept=fit_intercept
    ).fit(X, y)
    assert model.status_ is Status.CONVERGED
    left = y - model.predict(X)
    slopes = X.T @ left / n - 0.01 * (1 - ratio) * model.coef_
    on, l1 = model.coef_ != 0, 0.01 * ratio
    near = 2e-6 * y.std() + 1e-6  # roots of tol
    np.testing.assert_allclose(slopes[on], l1 * np.sign(model.coef_[on]), atol=near)
    assert (slopes if positive else np.abs(slopes)).max() <= l1 + near
