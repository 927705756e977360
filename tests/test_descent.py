"""The textbook path, by both routes, against a naive loop with fifty digits."""

import math
import warnings
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from reference import extended, naive_descent

from gd_regressor import DivergenceWarning, GDLinearRegressor, Status, gd_path
from gd_regressor.textbook.polynomials import shrinking

random = np.random.default_rng(7)
N = 20
PLAIN = random.standard_normal((N, 3))
NOISY = PLAIN @ [1.0, 2.0, 3.0] + random.standard_normal(N)
POWERS = np.vander(np.arange(1.0, N + 1), 5)[:, :-1]
BASE = {"X": PLAIN, "y": NOISY, "share": 0.5}

CASES = {
    "plain": {},
    "no intercept": {"intercept": False},
    "small rate": {"share": 1e-3},
    "scales": {"X": PLAIN * [1e-6, 1.0, 1e9]},
    "scales and shifts": {"X": PLAIN * [1e-6, 1.0, 1e9] + [1.0, 1e6, 1e15], "y": NOISY + 1e8},
    "big column without slope": {"X": np.column_stack([PLAIN, 1e9 * np.resize([1, -1], N)])},
    "raw powers": {"X": POWERS},
    "a column rounded to single": {
        "X": np.column_stack([PLAIN, PLAIN[:, 0].astype(np.float32)]),
        "momentum": 0.5,
    },
    "target in a weak direction": {
        "X": np.column_stack([PLAIN, PLAIN[:, 0] + 1e-6 * PLAIN[:, 1] ** 2]),
        "y": PLAIN[:, 1] ** 2,
    },
    "duplicate and constant columns": {"X": np.column_stack([PLAIN, PLAIN[:, 0], np.ones(N)])},
    "wide": {"X": random.standard_normal((8, 15)), "y": random.standard_normal(8)},
    "targets": {"y": np.column_stack([NOISY, 100 * random.standard_normal(N) + 3])},
    "weights": {"weights": random.integers(0, 4, N).astype(float)},
    "uneven weights": {"weights": 10.0 ** random.uniform(-3, 3, N)},
    "far start": {"start": 100 * random.standard_normal((4, 1))},
    "start far away": {"start": 1e12 * random.standard_normal((4, 1)), "share": 0.9},
    "start out of sight": {"start": 1e60 * np.ones((4, 1)), "momentum": 0.3},
    "start near an exact fit": {"y": PLAIN @ [1.0, 2.0, 3.0], "start": [[1], [2], [3], [1e-3]]},
    "start at an exact fit": {"y": PLAIN @ [1.0, 2.0, 3.0], "start": [[1], [2], [3], [0]]},
    "start without intercept": {"start": np.ones((3, 1)), "intercept": False},
    "momentum": {"momentum": 0.9, "X": PLAIN * [1.0, 10.0, 100.0]},
    "heavy momentum": {"momentum": 0.999, "share": 0.01, "start": np.ones((4, 1))},
    "momentum and weights": {"momentum": 0.5, "weights": random.uniform(0, 1, N)},
    "diverging": {"share": 1.05},
    "diverging with momentum": {"share": 1.05, "momentum": 0.5},
    "at the limit": {"share": 1.0},
}


def limit_of(X, weights=None, intercept=True, momentum=0.0):
    A = np.column_stack([X, np.ones(len(X))]) if intercept else X
    s = np.ones(len(A)) if weights is None else weights
    return 2 * (1 + momentum) / np.linalg.eigvalsh(2 * A.T @ (s[:, None] * A) / s.sum())[-1]


def errors(found, exact):
    """Norms over the first axis of found - exact, and of exact, as floats."""
    norm = lambda a: np.linalg.norm(np.asarray(a, dtype=float), axis=0)  # noqa: E731
    return norm(extended(found) - exact), norm(exact)


@pytest.mark.parametrize("name", CASES)
def test_every_iterate_and_loss_is_that_of_the_naive_loop(name, route):
    case = BASE | CASES[name]
    X, y, share, n_updates = case["X"], case["y"], case["share"], 200
    options = {"weights": case.get("weights"), "intercept": case.get("intercept", True)}
    momentum, start = case.get("momentum", 0.0), case.get("start")
    rate = share * limit_of(X, momentum=momentum, **options)
    thetas, losses = naive_descent(X, y, rate, n_updates, momentum=momentum, start=start, **options)
    if share > 1:  # as far as rounding leaves the runs comparable
        growth = abs(1 - share * 2 * (1 + momentum))
        n_updates = min(n_updates, int(math.log(1e-12 / 2.2e-16) / math.log(growth)))
    given = {}
    if start is not None:
        w = np.asarray(start, dtype=float)
        given = {"coef_init": (w[:-1] if options["intercept"] else w).T}
        given |= {"intercept_init": w[-1]} if options["intercept"] else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        coefs, intercepts, found = gd_path(
            X,
            np.reshape(y, (len(X), -1)),
            learning_rate=rate,
            n_iter=n_updates,
            momentum=momentum,
            sample_weight=options["weights"],
            fit_intercept=options["intercept"],
            **given,
        )
    assert (found >= 0).all()
    means = [np.mean(loss) for loss in losses[: n_updates + 1]]
    off = np.array([abs(mpmath.mpf(a) - b) for a, b in zip(found, means, strict=True)], float)
    scale = np.maximum.accumulate(np.array(means, dtype=float))  # grows only in diverging runs
    assert (off <= 1e-10 * scale).all()
    for k in range(n_updates + 1):
        theta = coefs[..., k].T
        if options["intercept"]:
            theta = np.vstack([theta, intercepts[:, k]])
        off, size = errors(theta, thetas[k])
        assert (off <= 1e-10 * size).all(), k


@pytest.mark.parametrize("momentum", [0.0, 1e-16, 1e-12, 0.1, 0.9, 0.9999])
def test_closed_form_follows_its_recurrence_also_at_double_roots(momentum):
    lower, upper = (1 - math.sqrt(momentum)) ** 2, (1 + math.sqrt(momentum)) ** 2
    rates = [0.0, 1e-12, 1e-3, 0.5, 1.0, 1.5, 1.02 * 2 * (1 + momentum)]
    if momentum:
        rates += [e * f for e in (lower, upper) for f in (1 - 1e-6, 1 - 1e-12, 1, 1 + 1e-15, 1.1)]
    ks = np.arange(301.0)
    along = shrinking(np.array(rates), momentum)
    p, d = along.left(ks[:, None])
    q = along.total(ks[:, None])
    mu = mpmath.mpf(momentum)
    for i, h in enumerate(map(mpmath.mpf, rates)):
        # D by its recurrence, q its sum and p its differences: p_k = 1 - h q_k
        before, here, travelled = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
        for k in range(301):
            size = 1 + abs(here)
            assert abs(p[k, i] - (1 - h * travelled)) <= 1e-10 * max(1, abs(1 - h * travelled))
            assert abs(h * d[k, i] - h * here) <= 1e-10 * h * size + 1e-15
            assert abs(q[k, i] - travelled) <= 1e-10 * (abs(travelled) + 1)
            before, here = here, (1 + mu - h) * here - mu * before if k else mpmath.mpf(1)
            travelled += here


def test_a_start_comes_back_with_every_bit(route):
    """V V' of the closed form is the identity up to rounding only."""
    w, b = np.array([2.0, 1 / 3, -1e-9]), 1e9 + 0.1
    starts = {"coef_init": w, "intercept_init": b}
    coefs, intercepts, _ = gd_path(PLAIN, NOISY, learning_rate=0.1, n_iter=[1, 0], **starts)
    assert (coefs[:, 1] == w).all() and intercepts[1] == b
    assert (coefs[:, 0] != w).any()


def test_dependent_columns_are_no_direction_that_descends_slowly(route):
    """A singular vector of zero is any vector: it must not be taken for what is left of y."""
    X = np.column_stack([PLAIN, PLAIN[:, 0], 2 * PLAIN[:, 1], np.ones(N), np.zeros(N)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDLinearRegressor(0.1, 10**5).fit(X, NOISY)
    assert model.status_ is Status.CONVERGED


def first_settled(losses, threshold, window, strict):
    """The stopping rule in plain words, for exact losses (n + 1,)."""
    falls = [a - b for a, b in pairwise(losses)]
    for k in range(window, len(falls) + 1):
        last = falls[k - window : k]
        if max(map(abs, last)) <= threshold and not (strict and last[-1] < 0):
            return k
    return None


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
def test_stopping_is_the_textbook_count(momentum, tol, route):
    X, y = PLAIN * [0.1, 1.0, 1.0], NOISY + 30
    rate = 0.3 * limit_of(X, momentum=momentum)
    model = GDLinearRegressor(rate, 3000, tol, momentum=momentum).fit(X, y)
    _, losses = naive_descent(X, y, rate, model.n_iter_ + 5, momentum=momentum)
    window = {0.0: 1, 0.5: 2, 0.9: 10}[momentum]
    threshold = tol * np.var(y)
    expected = first_settled([loss[0] for loss in losses], threshold, window, momentum == 0)
    assert model.n_iter_ == expected
    assert model.status_ is Status.CONVERGED
    assert len(model.loss_curve_) == expected + 1


def test_the_run_ends_when_every_target_has_settled(route):
    Y = np.column_stack([NOISY, NOISY[::-1] * 50 + 1000, np.ones(N)])
    rate = 0.3 * limit_of(PLAIN)
    together = GDLinearRegressor(rate, 5000, 1e-8).fit(PLAIN, Y)
    alone = [GDLinearRegressor(rate, 5000, 1e-8).fit(PLAIN, y) for y in Y.T]
    assert together.n_iter_ == max(model.n_iter_ for model in alone)
    assert together.loss_curve_.shape == (together.n_iter_ + 1,)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3, 123.456])
def test_a_constant_target_has_variance_one(constant, route):
    X = PLAIN[:4, :2]
    rate, y = 0.3 * limit_of(X), np.full(4, constant)
    model = GDLinearRegressor(rate, 100_000, 1e-6).fit(X, y)
    _, losses = naive_descent(X, y, rate, model.n_iter_ + 1)
    assert model.n_iter_ == first_settled([loss[0] for loss in losses], 1e-6, 1, True)


def test_late_iterates_are_those_of_the_eigenbasis():
    """Nearly collinear columns, a million updates; the truth is an eigenbasis with fifty digits."""
    X = np.column_stack([PLAIN, PLAIN[:, 0] + 1e-3 * PLAIN[:, 1] ** 2])
    y, k = NOISY, 10**6
    rate = 0.5 * limit_of(X)
    A = mpmath.matrix(np.column_stack([X, np.ones(N)]).tolist())
    H, c = A.T * A * 2 / N, A.T * mpmath.matrix(y.tolist()) * 2 / N
    values, vectors = mpmath.eigsy(H)
    c = vectors.T * c
    steps = [(1 - (1 - mpmath.mpf(rate) * v) ** k) / v * c[i] for i, v in enumerate(values)]
    exact = np.array((vectors * mpmath.matrix(steps)).tolist(), dtype=object)[:, 0]
    coefs, intercepts, _ = gd_path(X, y, learning_rate=rate, n_iter=[k])
    off, size = errors(np.array([*coefs[:, 0], intercepts[0]]), exact)
    assert off <= 1e-10 * size


def test_tol_zero_descends_to_the_floor_and_ends(route):
    model = GDLinearRegressor(0.5 * limit_of(PLAIN), 10_000, 0).fit(PLAIN, NOISY)
    exact = GDLinearRegressor().fit(PLAIN, NOISY)
    assert model.status_ is Status.CONVERGED
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-13)


def test_a_rising_loss_is_never_convergence(route):
    # From the minimum, above the stability limit, rounding is all there is to grow
    exact = GDLinearRegressor().fit(PLAIN, NOISY)
    start = {"coef_init": exact.coef_ + 1e-3, "intercept_init": exact.intercept_}
    with pytest.warns(DivergenceWarning):
        model = GDLinearRegressor(1.5 * limit_of(PLAIN), 3000, 0.5).fit(PLAIN, NOISY, **start)
    assert model.status_ is not Status.CONVERGED or model.loss_curve_[-2] >= model.loss_curve_[-1]


@pytest.mark.parametrize("dtype, bound", [(np.float64, 1e100), (np.float32, 1e20)])
def test_divergence_stops_at_its_bound_and_keeps_that_iterate(dtype, bound, route):
    X, y = PLAIN.astype(dtype), NOISY.astype(dtype)
    with pytest.warns(DivergenceWarning):
        model = GDLinearRegressor(2 * limit_of(PLAIN), 100_000).fit(X, y)
    limit = bound * max(model.loss_curve_[0], np.var(y))
    assert model.status_ is Status.DIVERGED
    assert model.loss_curve_[-2] <= limit < model.loss_curve_[-1] < np.inf
    residual = y - X.astype(float) @ model.coef_ - model.intercept_
    assert np.mean(residual**2) == pytest.approx(model.loss_curve_[-1], rel=1e-5)
    assert np.isfinite(model.predict(X)).all()


def test_gd_path_takes_any_iterations_in_any_order(route):
    options = {"learning_rate": 0.5 * limit_of(PLAIN), "momentum": 0.3}
    points = [40, 0, 7, 7, 200]
    coefs, intercepts, losses = gd_path(PLAIN, NOISY, n_iter=points, **options)
    every = gd_path(PLAIN, NOISY, n_iter=200, **options)
    for some, all_of_them in zip((coefs, intercepts, losses), every, strict=True):
        np.testing.assert_array_equal(some, all_of_them[..., points])


def test_gd_path_refuses_iterates_beyond_divergence(route):
    options = {"learning_rate": 2 * limit_of(PLAIN)}
    with pytest.warns(DivergenceWarning):
        assert np.isfinite(gd_path(PLAIN, NOISY, n_iter=[50], **options)[0]).all()
    with pytest.raises(ValueError, match=r"n_iter reaches 5000 .*diverged.*smaller learning_rate"):
        gd_path(PLAIN, NOISY, n_iter=[5000], **options)


@pytest.mark.parametrize("n_iter", [-1, [1, -2], 1.5, [], [[1]], "all", None])
def test_gd_path_names_a_bad_n_iter(n_iter):
    with pytest.raises(ValueError, match="n_iter must be an integer >= 0 or a list"):
        gd_path(PLAIN, NOISY, learning_rate=0.1, n_iter=n_iter)


def test_a_descent_from_zero_arrives_at_the_least_norm(route):
    X = np.column_stack([PLAIN, PLAIN[:, 0]])
    model = GDLinearRegressor(0.9 * limit_of(X), 5000, 0).fit(X, NOISY)
    A = np.column_stack([X, np.ones(N)])
    np.testing.assert_allclose(
        [*model.coef_, model.intercept_], np.linalg.pinv(A) @ NOISY, rtol=1e-10
    )


def test_gd_path_leaves_out_what_lies_beyond_divergence(route):
    options = {"learning_rate": 2 * limit_of(PLAIN), "on_divergence": "truncate"}
    with pytest.warns(DivergenceWarning):
        coefs, intercepts, losses = gd_path(PLAIN, NOISY, n_iter=1000, **options)
        model = GDLinearRegressor(options["learning_rate"]).fit(PLAIN, NOISY)
        some = gd_path(PLAIN, NOISY, n_iter=[10**4, 3, 5000, 1], **options)
    # A fit keeps the first iterate beyond, too
    assert coefs.shape == (3, len(losses)) and intercepts.shape == losses.shape
    assert len(losses) == model.n_iter_
    np.testing.assert_allclose(losses, model.loss_curve_[:-1], rtol=1e-9)
    np.testing.assert_array_equal(some[0], coefs[:, [3, 1]])
    words = f"n_iter reaches {len(losses)} updates, where the descent has diverged; ask for fewer"
    with pytest.raises(ValueError, match=words):
        gd_path(PLAIN, NOISY, n_iter=1000, learning_rate=options["learning_rate"])
    with pytest.raises(ValueError, match="on_divergence must be"):
        gd_path(PLAIN, NOISY, learning_rate=0.1, n_iter=1, on_divergence="stop")
