"""Quantiles in "auto": vertices in rational arithmetic, weights, ties, equal routes, a peer."""

import warnings
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from reference import dot, solved
from scipy.sparse import csr_array
from sklearn.linear_model import QuantileRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import EpsilonInsensitive, GDLinearRegressor, Quantile, Status
from gd_regressor.robust import globs
from gd_regressor.robust.globs import least
from gd_regressor.robust.pinball import Pinball
from gd_regressor.robust.smoothed import smoothed_step
from gd_regressor.robust.vertex import NoMinimum, Vertex, some_basis

QS = [0.5, 0.25, 0.875]  # floats that are what they say
each_q = pytest.mark.parametrize("q", QS)


def pinball(A, y, q):
    u, none = np.full(len(y), 1 / len(y)), np.zeros(A.shape[1])
    return Pinball(A, y, (q - 1) * u, q * u, none, none)


def table(seed=0, n=300, d=4):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + 3
    return X, X @ random.standard_normal(d) + random.standard_t(3, n)


def with_ones(X):
    return np.column_stack([X, np.ones(len(X))])


def exact_loss(A, y, u, q, theta):
    """The sum over the rows, in rationals."""
    total = Fraction(0)
    for row, value, weight in zip(A, y, u, strict=True):
        r = Fraction(value) - dot([Fraction(x) for x in row], [Fraction(t) for t in theta])
        total += Fraction(weight) * max(Fraction(q) * r, (Fraction(q) - 1) * r)
    return total


def least_of_all_vertices(A, y, u, q):
    """F is convex and falls along no line, so it is least where it interpolates p rows."""
    best = None
    for rows in combinations(range(len(A)), A.shape[1]):
        square = [[Fraction(x) for x in A[i]] for i in rows]
        gram = [
            [sum(row[a] * row[b] for row in square) for b in range(len(row0))]
            for a, row0 in enumerate(square)
        ]
        pull = [
            sum(row[a] * Fraction(y[i]) for row, i in zip(square, rows, strict=True))
            for a in range(A.shape[1])
        ]
        theta, null = solved(gram, pull)
        if not null:
            loss = exact_loss(A, y, u, q, theta)
            best = loss if best is None else min(best, loss)
    return best


# --- Minima ---


@each_q
@pytest.mark.parametrize("kind", ["reals", "ties", "one-hot", "weights"])
@pytest.mark.parametrize("seed", range(3))
def test_no_vertex_has_a_smaller_loss(seed, kind, q):
    random = np.random.default_rng(seed)
    n, d = 9, 2
    X = random.integers(-2, 3, (n, d)).astype(float)
    if kind == "one-hot":
        X = np.eye(d + 1)[np.arange(n) % (d + 1)][:, :d]
    y = random.integers(-3, 4, n).astype(float)
    if kind == "reals":
        X, y = random.standard_normal((n, d)), random.standard_normal(n)
    u = random.integers(1, 4, n).astype(float) if kind == "weights" else np.ones(n)
    model = GDLinearRegressor(loss=Quantile(q)).fit(X, y, u)
    theta, exact = [*model.coef_, model.intercept_], least_of_all_vertices(with_ones(X), y, u, q)
    ours = exact_loss(with_ones(X), y, u, q, theta)
    assert 0 <= ours - exact <= 1e-14 * u.sum() * np.abs(y).max()
    assert model.status_ is Status.CONVERGED
    assert model.loss_curve_[-1] == pytest.approx(float(exact / Fraction(u.sum())), abs=1e-14)


@each_q
@pytest.mark.parametrize("intercept", [True, False])
def test_the_subgradient_condition_in_rationals(q, intercept):
    """The rows that the model meets have multipliers within their bounds (Koenker 1978)."""
    X, y = table(1, n=80)
    model = GDLinearRegressor(loss=Quantile(q), fit_intercept=intercept).fit(X, y)
    left = y - model.predict(X)
    A = with_ones(X) if intercept else X
    basis = np.argsort(np.abs(left))[: A.shape[1]]
    assert np.abs(left[basis]).max() < 1e-12 < 1e-6 < np.sort(np.abs(left))[A.shape[1]]
    A, q = [[Fraction(x) for x in row] for row in A], Fraction(q)
    others = np.setdiff1d(np.arange(len(X)), basis)
    pull = [-sum((q if left[i] > 0 else q - 1) * A[i][k] for i in others) for k in range(len(A[0]))]
    # A_B' d = pull, by its normal equations
    rows = [A[i] for i in basis]
    gram = [[dot(a, b) for b in rows] for a in rows]
    d, null = solved(gram, [dot(row, pull) for row in rows])
    assert not null and all(q - 1 <= value <= q for value in d)
    assert 0 <= model.dual_gap_ <= 1e-14


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_as_many_columns_as_rows_are_fitted_exactly(n):
    X, y = table(2, n=n, d=5)
    model = GDLinearRegressor(loss=Quantile(0.3)).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9])
def test_the_objective_of_quantile_regressor(q):
    X, y = table(3, n=500, d=6)
    ours = GDLinearRegressor(loss=Quantile(q)).fit(X, y)
    theirs = QuantileRegressor(quantile=q, alpha=0).fit(X, y)
    one, other = (
        float(exact_loss(X, y - m.intercept_, np.ones(500), q, m.coef_)) for m in (ours, theirs)
    )
    assert one <= other * (1 + 1e-12)
    assert one == pytest.approx(other, rel=1e-8)


# --- Invariances ---


@each_q
def test_weights_are_repetitions_and_no_weight_is_no_row(q):
    X, y = table(4, n=60)
    weights = np.random.default_rng(4).integers(0, 4, 60)
    one = GDLinearRegressor(loss=Quantile(q)).fit(X, y, weights)
    other = GDLinearRegressor(loss=Quantile(q)).fit(X.repeat(weights, 0), y.repeat(weights))
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-11)
    assert one.loss_curve_[-1] == pytest.approx(other.loss_curve_[-1], rel=1e-13)


def test_units_do_not_matter():
    """A column of milliseconds since 1970 beside others."""
    X, y = table(5)
    times = 1.7e12 + np.round(1e9 * np.random.default_rng(5).random(len(X)))
    near = GDLinearRegressor(loss=Quantile(0.7)).fit(np.column_stack([X, times - 1.7e12]), y)
    far = GDLinearRegressor(loss=Quantile(0.7)).fit(np.column_stack([X, times]), y)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-11)
    assert far.loss_curve_[-1] == pytest.approx(near.loss_curve_[-1], rel=1e-13)


@pytest.mark.parametrize("n", [60, 5000])
@pytest.mark.parametrize(
    "options",
    [
        {"loss": Quantile(0.5)},
        {"loss": Quantile(0.9), "alpha": 0.1, "l1_ratio": 1.0},
        {"loss": EpsilonInsensitive(0.5)},
        {"loss": EpsilonInsensitive(0.5), "alpha": 0.1, "l1_ratio": 0.0},
    ],
    ids=["median", "lasso", "epsilon", "ridge"],
)
def test_how_far_a_row_is_beyond_the_fit_changes_nothing(options, n):
    """A row that moves away from the fit keeps its side, and so its slope (Koenker 2005, 2.3)."""
    X, y = table(17, n=n)
    y[:3] = 1e5
    near = GDLinearRegressor(**options).fit(X, y)
    for far in (1e12, 1e20, 1e100):
        y[:3] = far
        model = GDLinearRegressor(**options).fit(X, y)
        np.testing.assert_allclose(model.coef_, near.coef_, rtol=1e-10)
        np.testing.assert_allclose(model.intercept_, near.intercept_, rtol=1e-10)
        assert model.status_ is Status.CONVERGED
        assert model.dual_gap_ <= 1e-12 * np.abs(y[3:] - model.predict(X[3:])).mean()


@pytest.mark.parametrize("q", [0.1, 0.5])
def test_rows_far_out_that_the_fit_comes_near_are_not_moved(q, monkeypatch):
    """Rows of wide columns: their targets are as far out, and all of them lie near the fit."""
    X, y = table(18)
    slope = np.linalg.lstsq(with_ones(X), y, rcond=None)[0][:4]
    X[:5] *= 1e6
    y[:5] = X[:5] @ slope + y[5:10]
    assert (np.abs(y[:5]) > globs.FAR_OUT * np.median(np.abs(y))).any()
    model = GDLinearRegressor(loss=Quantile(q)).fit(X, y)
    monkeypatch.setattr(globs, "FAR_OUT", np.inf)
    plain = GDLinearRegressor(loss=Quantile(q)).fit(X, y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.status_ is Status.CONVERGED


def test_dependent_columns_share_as_least_norm_says():
    X, y = table(6)
    one = GDLinearRegressor(loss=Quantile(0.3)).fit(X, y)
    twice = GDLinearRegressor(loss=Quantile(0.3)).fit(np.column_stack([X, X[:, 0]]), y)
    np.testing.assert_allclose(twice.coef_[[0, 4]], one.coef_[0] / 2, rtol=1e-12)
    assert twice.rank_ == 4 and twice.status_ is Status.CONVERGED


def test_targets_one_by_one_and_sparse_columns():
    X, y = table(7)
    both = GDLinearRegressor(loss=Quantile(0.3)).fit(X, np.column_stack([y, -3 * y]))
    for j, target in enumerate((y, -3 * y)):
        alone = GDLinearRegressor(loss=Quantile(0.3)).fit(X, target)
        np.testing.assert_allclose(both.coef_[j], alone.coef_, rtol=1e-13)
    X = np.where(np.random.default_rng(7).random(X.shape) < 0.5, X, 0.0)
    dense, sparse = (GDLinearRegressor(loss=Quantile(0.3)).fit(x, y) for x in (X, csr_array(X)))
    np.testing.assert_allclose(dense.coef_, sparse.coef_, rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_the_choice_among_minima_does_not_depend_on_the_start(seed):
    """Medians of integers: many minima, many ties, and walks from bases far from each other."""
    random = np.random.default_rng(seed)
    A = with_ones(random.integers(-2, 3, (40, 3)).astype(float))
    y = random.integers(-3, 4, 40).astype(float)
    problem = pinball(A, y, 0.5)
    starts = [some_basis(problem, random.random(40)) for _ in range(8)]
    ends = [Vertex(problem, start).descend().theta for start in starts]
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], atol=1e-12)
    model = GDLinearRegressor(loss=Quantile(0.5)).fit(A[:, :3], y)
    other = GDLinearRegressor(loss=Quantile(0.5)).fit(A[::-1, :3], y[::-1])
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-12)


# --- Globs ---


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_globs_and_all_rows_have_one_minimum(q, monkeypatch):
    X, y = table(8, n=20000, d=3)
    problem = pinball(with_ones(X), y, q)
    seen = []
    only = Pinball.only
    monkeypatch.setattr(Pinball, "only", lambda *a: seen.append(len(a[1])) or only(*a))
    theta, d = least(problem)
    assert seen and max(seen) < 1500  # no interior point has seen more than the sample
    assert (problem.low <= d).all() and (d <= problem.high).all()
    assert np.abs(d @ problem.A).max() < 1e-13 and 0 <= problem.gap(theta, d) < 1e-13
    monkeypatch.setattr(globs, "PAYS", np.inf)
    np.testing.assert_allclose(least(problem).theta, theta, rtol=1e-11)


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_a_smoothed_step_over_all_rows_solves_their_parabolas(q):
    """rho is r^2 / (4 h) + (q - 1/2) r within h of its kink: the minimum by its equations."""
    random = np.random.default_rng(10)
    A, theta = with_ones(random.integers(-9, 10, (400, 3)).astype(float)), np.arange(4.0)
    y = A @ theta + random.choice([-1.0, 1.0], 400)  # all rows are at the bandwidth, h = 1
    found = smoothed_step(pinball(A, y, q), theta, 100)
    expected = np.linalg.lstsq(A, y + (2 * q - 1))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_a_smoothed_step_comes_much_nearer(q):
    random = np.random.default_rng(11)
    A = with_ones(random.standard_normal((20000, 3)))
    problem = pinball(A, A @ np.ones(4) + random.standard_t(3, 20000), q)
    right = least(problem).theta
    start = right + [0.1, -0.1, 0.1, 0.1]
    after = smoothed_step(problem, start, 2000)
    assert np.abs(after - right).max() < 0.2 * np.abs(start - right).max()


@pytest.mark.parametrize("y", [np.zeros(50), np.r_[np.zeros(49), 1.0]])
def test_no_smoothed_step_where_the_model_meets_the_rows(y):
    problem = pinball(np.ones((50, 1)), y, 0.5)
    np.testing.assert_array_equal(smoothed_step(problem, np.zeros(1), 20), [0.0])


def test_no_smoothed_step_where_columns_depend_on_each_other():
    random = np.random.default_rng(12)
    column = random.integers(-3, 4, (60, 1)).astype(float)
    problem = pinball(np.hstack([column, column]), random.standard_normal(60), 0.5)
    np.testing.assert_array_equal(smoothed_step(problem, np.ones(2), 20), [1.0, 1.0])


def test_a_bandwidth_has_no_more_rows_than_a_side():
    random = np.random.default_rng(13)
    problem = pinball(np.ones((2000, 1)), random.exponential(size=2000), 0.98)
    above = int((problem.y > 3.5).sum())
    some, all_of_side = (smoothed_step(problem, np.array([3.5]), m) for m in (1500, above))
    np.testing.assert_array_equal(some, all_of_side)
    assert smoothed_step(problem, np.array([3.5]), above // 2) != some


def test_a_band_within_a_band_and_its_basis(monkeypatch):
    """A basis has the numbers of the rows of its problem. The vertex meets these rows."""
    random = np.random.default_rng(14)
    A = with_ones(random.standard_normal((100000, 2)))
    problem = pinball(A, A @ np.ones(3) + random.standard_normal(100000), 0.5)
    seen, between = [], globs._between_globs

    def noted(part, *rest):
        found = between(part, *rest)
        seen.append((part, found[0]))
        return found

    monkeypatch.setattr(globs, "_between_globs", noted)
    least(problem)
    assert {len(part.y) for part, _ in seen} > {100000}
    for part, found in seen:
        r = part.y - part.A @ found.theta
        assert len(found.basis) == 3 and np.abs(r[found.basis]).max() < 1e-13


def test_rows_that_meet_in_one_point_need_no_interior_point_of_all(monkeypatch):
    """There narrow bands have no minimum, and a smoothed step need not come nearer."""
    random = np.random.default_rng(7)
    A = with_ones(random.integers(-2, 3, (200000, 4)).astype(float))
    y = A[:, :4].sum(axis=1) + random.integers(-3, 4, 200000)
    seen, near = [], globs.near_minimum
    monkeypatch.setattr(globs, "near_minimum", lambda *a: seen.append(a[0].n_rows) or near(*a))
    problem = pinball(A, y, 0.5)
    theta, d = least(problem)
    assert max(seen) <= 100000
    np.testing.assert_allclose(theta, [1, 1, 1, 1, 0], atol=1e-13)
    assert (problem.low <= d).all() and (d <= problem.high).all()
    assert np.abs(d @ A).max() < 1e-12 and 0 <= problem.gap(theta, d) < 1e-12


def test_wrong_globs_are_found_out(monkeypatch):
    """From a fit far away, the bands fail, and all rows give the minimum."""
    X, y = table(9, n=6000, d=2)
    problem = pinball(with_ones(X), y, 0.5)
    right = least(problem).theta
    near = globs.near_minimum
    off = iter([True])

    def misled(part, *gap):
        at = near(part, *gap)
        return at._replace(theta=at.theta + 100) if next(off, False) else at

    monkeypatch.setattr(globs, "near_minimum", misled)
    np.testing.assert_allclose(least(problem).theta, right, rtol=1e-11)


def test_a_linear_term_that_pulls_too_far_has_no_minimum():
    A = np.ones((5, 1))
    u = np.full(5, 0.5)
    problem = Pinball(A, np.arange(5.0), -u, u, np.array([3.0]), np.zeros(1))
    with pytest.raises(NoMinimum):
        Vertex(problem, np.array([0])).descend()


@pytest.mark.parametrize("unit", [1.0, 1e-18, 1e-99])
def test_rows_that_depend_on_each_other_are_no_vertex(unit):
    """What solves their equations is rounding. Rows in other units may have a vertex."""
    A = np.array([[1.0, 1], [3, 3], [1e9, 1e9], [1, 0], [0, 1]]) / 3
    A[4] *= unit
    problem = pinball(A, np.arange(5.0), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for basis in ([0, 1], [1, 2]):
            with pytest.raises(NoMinimum):
                Vertex(problem, np.array(basis))
        for basis in ([2, 3], [3, 4]):
            Vertex(problem, np.array(basis))


# --- Parameters ---


def test_positive_coefficients_are_refused_by_name():
    with pytest.raises(ValueError, match=r'"quantile" .* positive=True, .*; write positive'):
        GDLinearRegressor(loss="quantile", positive=True).fit(*table())


def test_columns_too_many_to_write_in_full_are_refused():
    X = csr_array((70_000, 2_000))
    with pytest.raises(ValueError, match=r'loss="quantile" .* columns in full'):
        GDLinearRegressor(loss="quantile").fit(X, np.zeros(70_000))


@parametrize_with_checks([GDLinearRegressor(loss="quantile")])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# --- Targets that the model meets in many rows ---


def many_zeros(share, n=12_000):
    random = np.random.default_rng(0)
    X = random.standard_normal((n, 2))
    y = np.abs(X @ [1.0, 2.0] + random.standard_normal(n))
    return X, np.where(random.random(n) < share, 0.0, y)


def test_many_zeros_need_not_all_rows(monkeypatch):
    """After a step that failed, bands are those of the sample."""
    (X, y), seen, near = many_zeros(0.3), [], globs.near_minimum
    monkeypatch.setattr(globs, "near_minimum", lambda *a: seen.append(a[0].n_rows) or near(*a))
    model = GDLinearRegressor(loss=Quantile(0.1)).fit(X, y)
    assert seen and max(seen) <= len(y) // 2
    assert 0 <= model.dual_gap_ <= 1e-15 and model.status_ is Status.CONVERGED


def test_with_a_ridge_no_walk_leads_through_many_zeros(monkeypatch):
    """The interior point is as near as their rounding, and a walk would meet zero after zero."""
    X, y = many_zeros(0.6)
    monkeypatch.setattr(globs, "descend", lambda *a: pytest.fail("a walk"))
    model = GDLinearRegressor(loss=Quantile(0.5), alpha=1e-3, l1_ratio=0).fit(X, y)
    assert 0 <= model.dual_gap_ <= 1e-13 and model.status_ is Status.CONVERGED


def test_equal_targets_need_no_search(monkeypatch):
    monkeypatch.setattr(globs, "near_minimum", lambda *a: pytest.fail("a search"))
    X, _ = many_zeros(0.0)
    model = GDLinearRegressor(loss=Quantile(0.9), alpha=0.02, l1_ratio=0.3)
    model.fit(X, np.full(len(X), 3.7))
    assert (model.coef_ == 0).all() and model.intercept_ == 3.7 and model.dual_gap_ == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("n", "q"), [(12_000, 0.5), (1500, 0.1), (12_000, 0.9)])
def test_rare_categories_and_ties(n, q):
    """A band without a category is no matrix to warn of. Rounding of pivots hides no next row."""
    random = np.random.default_rng(0)
    X = np.eye(40)[np.minimum(random.zipf(1.5, n) - 1, 39)][:, 1:]
    X[:, 0] = random.standard_normal(n)
    model = GDLinearRegressor(loss=Quantile(q)).fit(X, np.round(random.standard_normal(n)))
    assert model.status_ is Status.CONVERGED and 0 <= model.dual_gap_ <= 1e-15


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("q", [0.1, 0.9])
def test_weights_whose_products_vanish_warn_of_nothing(q):
    random = np.random.default_rng(0)
    X = (random.random((3000, 1)) < 0.2) + 0.0
    y = np.where(random.random(3000) < 0.95, 0.0, random.exponential(size=3000))
    GDLinearRegressor(loss=Quantile(q)).fit(X, y, 10.0 ** random.uniform(-12, 12, 3000))
