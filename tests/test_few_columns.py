"""L1 penalties on tall tables, of which few columns are in use: exact whatever a sample says."""

import numpy as np
import pytest

from gd_regressor import GDLinearRegressor, Status
from gd_regressor.auto import by_few_columns, columns_in_use
from gd_regressor.data.few_columns import few_columns, sample_of
from gd_regressor.data.passes import counted
from gd_regressor.data.table import Rows
from gd_regressor.objective.frame import Frame

N, D = 12_000, 100
NETS = {
    "lasso": {"l1_ratio": 1.0},
    "elastic net": {"l1_ratio": 0.5},
    "positive": {"l1_ratio": 1.0, "positive": True},
}
each_net = pytest.mark.parametrize("net", NETS)


def table(seed=0, t=None):
    random = np.random.default_rng(seed)
    X = random.standard_normal((N, D))
    true = np.where(random.random((D, t or 1)) < 0.1, random.standard_normal((D, t or 1)), 0.0)
    y = X @ true + random.standard_normal((N, t or 1)) + 3
    return X, (y if t else y[:, 0])


def lasso(X, y, share, weights=None, **others):
    """A fit at a share of the least alpha that leaves no coefficient."""
    y_first = y if y.ndim == 1 else y[:, 0]
    largest = np.abs(np.cov(X.T.astype(float), y_first, bias=True, aweights=weights)[-1, :-1]).max()
    ratio = others.setdefault("l1_ratio", 1.0)
    return GDLinearRegressor(alpha=share * largest / ratio, **others).fit(X, y, weights)


def broken(X, y, model, s=None):
    """The largest violation of the optimality conditions, in deviations of y and the columns."""
    s = np.full(len(y), 1 / len(y)) if s is None else s / s.sum()
    alpha, ratio, w = model.alpha, model.l1_ratio, model.coef_
    X = X - s @ X if model.fit_intercept else X
    left = y - X @ w
    left = left - s @ left if model.fit_intercept else left
    v = X.T @ (s * left) - alpha * (1 - ratio) * w
    size = v if model.positive else np.abs(v)
    off = np.where(
        w != 0, np.abs(v - alpha * ratio * np.sign(w)), np.maximum(size - alpha * ratio, 0)
    )
    return (off / np.sqrt(s @ X**2) / y.std()).max()


def columns(kind, random):
    X, y = table(3)
    match kind:
        case "offsets":
            X += 10.0 ** random.uniform(0, 5, D)
        case "units":
            X *= 10.0 ** random.uniform(-3, 3, D)
        case "one-hot":
            X = (random.integers(0, D, N)[:, None] == np.arange(D)).astype(float)
            y = X[:, :9] @ np.arange(9.0) + random.standard_normal(N)
        case "constants":
            X[:, ::7] = 5.0
        case "order of columns":
            X = np.asfortranarray(X)
        case "every second":
            X = np.repeat(X, 2, axis=1)[:, ::2]
    return X, y


@each_net
@pytest.mark.parametrize(
    "kind",
    ["plain", "offsets", "units", "one-hot", "constants", "order of columns", "every second"],
)
def test_the_optimality_conditions_hold(kind, net):
    X, y = columns(kind, np.random.default_rng(0))
    model = lasso(X, y, 0.05, **NETS[net])
    assert model.metric_ == "working sets"
    assert model.status_ is Status.CONVERGED
    assert 0 < np.count_nonzero(model.coef_) < D / 2
    assert broken(X, y, model) < 1e-11
    assert 2 * model.dual_gap_ <= 1e-12 * y.var()


@each_net
@pytest.mark.parametrize("intercept", [True, False])
def test_weights_are_repeated_rows(net, intercept):
    X, y = table(4)
    weights = np.random.default_rng(0).integers(0, 3, N)
    options = {"fit_intercept": intercept, **NETS[net]}
    weighted = lasso(X, y, 0.1, weights, **options)
    repeated = GDLinearRegressor(**weighted.get_params())
    repeated.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert weighted.metric_ == repeated.metric_ == "working sets"
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-12)
    assert abs(weighted.intercept_ - repeated.intercept_) < 1e-12
    assert broken(X, y, weighted, weights) < 1e-12


GUESSES = {"nothing": np.zeros(0, dtype=int), "wrong ones": np.arange(D - 20, D)}


@each_net
@pytest.mark.parametrize("guess", GUESSES)
def test_the_sample_decides_nothing(net, guess, monkeypatch):
    """With any guess, the minimum is that of the moments of all columns."""
    X, y = table(5)
    guessed = lasso(X, y, 0.02, **NETS[net])
    where, guess_of = GUESSES[guess], columns_in_use.guess_of
    monkeypatch.setattr(by_few_columns, "guess_of", lambda *of: guess_of(*of)._replace(where=where))
    misled = lasso(X, y, 0.02, **NETS[net])
    monkeypatch.setattr(by_few_columns, "guess_of", lambda *of: None)
    exact = lasso(X, y, 0.02, **NETS[net])
    assert exact.metric_ == "moments"
    assert misled.n_iter_ > guessed.n_iter_
    for model in (guessed, misled):
        assert model.metric_ == "working sets"
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-13)
        np.testing.assert_array_equal(model.coef_ != 0, exact.coef_ != 0)
        assert abs(model.intercept_ - exact.intercept_) < 1e-13


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_rows_are_read_once(order):
    """One pass makes the products, and these the certificate. Before it we read a sample."""
    X, y = table(6)
    with counted() as passes:
        model = lasso(np.asarray(X, order=order), y, 0.1)
    assert model.n_iter_ == 1
    assert 1 < passes.over(N) < 1 + 1 / 8


def test_other_columns_that_join_cost_one_pass(monkeypatch):
    X, y = table(6)
    guess_of = columns_in_use.guess_of
    missing = np.flatnonzero(lasso(X, y, 0.1).coef_)[1:]
    monkeypatch.setattr(
        by_few_columns, "guess_of", lambda *of: guess_of(*of)._replace(where=missing)
    )
    with counted() as passes:
        model = lasso(X, y, 0.1)
    assert model.n_iter_ == 2 and 2 < passes.over(N) < 2 + 1 / 8
    assert broken(X, y, model) < 1e-12


def gap_from_rows(X, y, model, number=np.longdouble):
    """Twice the gap of a lasso, from its residuals in extended precision."""
    X, y, w = X.astype(number), y.astype(number), model.coef_.astype(number)
    X = X - X.mean(axis=0)
    r = y - y.mean() - X @ w
    v = (r - r.mean()) @ X / len(y)
    size = np.maximum(v, 0) if model.positive else np.abs(v)
    c = min(1, model.alpha / size.max())
    terms = np.maximum(model.alpha * np.abs(w) - c * w * v, 0)
    return (1 - c) ** 2 * (r @ r) / len(y) + 2 * terms.sum()


@pytest.mark.parametrize("net", ["lasso", "positive"])
@pytest.mark.parametrize("kind", ["plain", "offsets", "units", "one-hot", "order of columns"])
def test_the_gap_from_products_is_that_of_the_rows(kind, net):
    X, y = columns(kind, np.random.default_rng(1))
    model = lasso(X, y, 0.05, **NETS[net])
    assert model.metric_ == "working sets"
    assert gap_from_rows(X, y, model) <= 2 * model.dual_gap_ + 1e-15 * y.var()


def test_long_coefficients_are_certified_by_the_rows(monkeypatch):
    """Where they cancel each other, products are rounded to their size, and so is the gap."""
    random = np.random.default_rng(6)
    X = random.standard_normal((N, D))
    X[:, 1] = X[:, 0] + 0.01 * X[:, 1]
    y = 200 * (X[:, 1] - X[:, 0]) + 2 * X[:, 5] + 0.01 * random.standard_normal(N)
    frame, where = Frame(np.zeros(D), np.ones(D), np.zeros(1), True), np.array([0, 1, 5])
    guess = columns_in_use.Guess(frame, where)
    monkeypatch.setattr(by_few_columns, "guess_of", lambda *_: guess)
    with counted() as passes:
        model = GDLinearRegressor(alpha=0.003, l1_ratio=1.0).fit(X, y)
    assert model.metric_ == "working sets" and np.abs(model.coef_).max() > 100
    assert passes.over(N) > model.n_iter_  # products, and then the slopes from the rows
    assert model.status_ is Status.CONVERGED
    assert gap_from_rows(X, y, model) <= 2 * model.dual_gap_ + 1e-14 * y.var()


def test_many_columns_in_use_take_the_moments_of_all():
    X, _ = table(7)
    random = np.random.default_rng(7)
    y = X @ random.standard_normal(D) + random.standard_normal(N)
    assert lasso(X, y, 0.01).metric_ == "moments"


def test_targets_share_the_columns_and_not_the_penalty():
    X, y = table(8, t=3)
    alphas = np.array([0.3, 0.1, 0.05])
    together = GDLinearRegressor(alpha=alphas, l1_ratio=1.0).fit(X, y)
    assert together.metric_ == "working sets"
    for j, alpha in enumerate(alphas):
        alone = GDLinearRegressor(alpha=alpha, l1_ratio=1.0).fit(X, y[:, j])
        np.testing.assert_allclose(together.coef_[j], alone.coef_, atol=1e-13)


def test_a_start_changes_nothing_but_the_way():
    X, y = table(9)
    first = lasso(X, y, 0.1)
    start = np.random.default_rng(1).standard_normal(D)
    moved = GDLinearRegressor(**first.get_params()).fit(X, y, coef_init=start)
    again = GDLinearRegressor(**first.get_params()).fit(X, y, coef_init=first.coef_)
    for model in (moved, again):
        np.testing.assert_allclose(model.coef_, first.coef_, atol=1e-13)
        assert model.status_ is Status.CONVERGED


@pytest.mark.parametrize("closeness", [0.0, 1e-3])
def test_columns_that_depend_on_each_other_share_the_shortest_minimum(closeness):
    X, y = table(10)
    on = np.flatnonzero(lasso(X, y, 0.1).coef_)[:3]
    off = np.setdiff1d(np.arange(D), on)[:3]
    X[:, off] = X[:, on] + closeness * np.random.default_rng(0).standard_normal((N, 3))
    model = lasso(X, y, 0.1)
    assert broken(X, y, model) < 1e-11
    if closeness == 0:
        np.testing.assert_allclose(model.coef_[off], model.coef_[on], rtol=1e-9)


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_columns_far_from_zero_have_the_gap_of_columns_near_it(offset):
    """Entries on the grid of the far columns move exactly, so the fits are the same."""
    X, y = table()
    far = X + offset
    there, here = lasso(far, y, 0.1), lasso(far - offset, y, 0.1)
    assert there.metric_ == here.metric_ == "working sets"
    assert there.status_ is Status.CONVERGED
    assert 2 * there.dual_gap_ <= 1e-14 * y.var()
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=0, atol=1e-14)


@pytest.mark.parametrize("positive", [False, True])
def test_slight_penalties_of_some_columns_are_certified(positive):
    """Where rounding of slopes is a large share of their bounds, moments tell the distance."""
    X, y = table()
    weights = np.ones(D)
    weights[1::9] = 1e-6
    model = lasso(X, y, 0.3, penalty_weights=weights, positive=positive)
    assert model.status_ is Status.CONVERGED
    assert 2 * model.dual_gap_ <= 1e-14 * y.var()


def test_single_precision_is_as_good_as_its_data():
    X, y = table(11)
    single = lasso(X.astype(np.float32), y, 0.1)
    assert single.coef_.dtype == np.float32
    exact = GDLinearRegressor(**single.get_params()).fit(X.astype(np.float32).astype(float), y)
    np.testing.assert_allclose(single.coef_, exact.coef_, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("at", [(5000, 3), (0, 0)])
def test_what_is_not_finite_is_refused(value, at):
    X, y = table(12)
    X[at] = value
    with pytest.raises(ValueError, match=f"row {at[0]}, column {at[1]} "):
        GDLinearRegressor(alpha=0.1, l1_ratio=1.0).fit(X, y)


def test_columns_whose_squares_overflow_take_moments_in_other_units():
    X, y = table(13)
    X[:, 0] *= 1e200
    model = GDLinearRegressor(alpha=0.1, l1_ratio=1.0).fit(X, y)
    assert model.metric_ == "moments"
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_sums_are_those_of_the_definition(order, weighted):
    random = np.random.default_rng(0)
    X = np.asarray(random.integers(-9, 9, (5000, 7)), dtype=float, order=order)
    y, shift = random.integers(-9, 9, (5000, 2)).astype(float), np.arange(7.0)
    s = random.integers(0, 2, 5000) * 4.0 if weighted else None
    where, centre = np.array([1, 4, 5]), np.array([1.0, 2.0])
    sums = few_columns(Rows(X, y, s), where, shift, centre)
    each = np.ones(5000) if s is None else s
    others = np.column_stack([np.ones(5000), y - centre, (X - shift)[:, where]])
    np.testing.assert_array_equal(sums, (others.T * each) @ (X - shift))


@pytest.mark.parametrize(("n", "some"), [(12_800, 800), (51_200, 3200), (512_000, 8000)])
def test_a_sample_has_as_many_rows_as_tell_the_columns(n, some):
    assert sample_of(Rows(np.zeros((n, 100)), np.zeros((n, 1)))).n_rows == some // 64 * 64


def test_a_sample_has_rows_from_everywhere():
    X = np.arange(20_000.0)[:, None]
    some = sample_of(Rows(X, 2 * X, X[:, 0]))
    assert np.diff(some.X[:, 0]).max() < 20_000 / 64
    assert len(np.unique(some.X)) == len(some.X)
    np.testing.assert_array_equal(some.y, 2 * some.X)
    np.testing.assert_array_equal(some.weights, some.X[:, 0])
