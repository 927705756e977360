"""Huber's loss in "auto": exact minima, the optimality conditions, bounds, equal routes, peers."""

import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from reference import dot, exact_huber, solved
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor, LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import GDLinearRegressor, Huber, Status
from gd_regressor.auto import by_huber
from gd_regressor.data import table as data_table
from gd_regressor.data.moments import Moments
from gd_regressor.data.passes import counted
from gd_regressor.data.table import Rows
from gd_regressor.objective import on_rows_clipped
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_clipped import Clipped, Spot, _Few, _Moved, _products
from gd_regressor.robust.newton import Newton, spot_of
from gd_regressor.robust.pieces import FixedDelta, JointScale, Piece

EPSILON = 1.35
DELTAS = ["auto", 3.0, 0.5, 0.05]
each_delta = pytest.mark.parametrize("delta", DELTAS)


def table(seed=0, n=200, d=4, t=None, outliers=0.1):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + 3
    y = X @ random.standard_normal((d, t or 1)) + random.standard_normal((n, t or 1))
    y[: int(outliers * n)] += 30 * random.standard_normal((int(outliers * n), t or 1))
    return X, (y if t else y[:, 0])


def parts(model, X, y, weights=None):
    """Residuals, shares of the rows, and which of the rows are outliers."""
    share = np.ones(len(X)) if weights is None else weights
    left = y - X @ model.coef_ - model.intercept_
    delta = EPSILON * model.scale_ if model.loss.delta == "auto" else model.loss.delta
    return left, share / share.sum(), np.abs(left) > delta, delta


def objective(model, X, y, weights=None):
    """F from the data and the formulas of the papers."""
    left, share, outside, delta = parts(model, X, y, weights)
    size = np.abs(left)
    loss = share @ np.where(outside, 2 * delta * size - delta**2, size**2)
    if model.loss.delta == "auto":
        loss = model.scale_ + loss / model.scale_
    return loss + model.alpha * (1 - model.l1_ratio) * model.coef_ @ model.coef_


# --- Minima ---


@each_delta
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_optimality_conditions(delta, alpha, intercept):
    X, y = table(1)
    weights = np.random.default_rng(1).uniform(0.2, 2, len(X))
    model = GDLinearRegressor(
        loss=Huber(delta), alpha=alpha, l1_ratio=0, fit_intercept=intercept
    ).fit(X, y, weights)
    assert model.status_ is Status.CONVERGED
    left, share, outside, size = parts(model, X, y, weights)
    assert outside.mean() > 0.05
    np.testing.assert_array_equal(model.outliers_, outside)
    unit = model.scale_ if delta == "auto" else 1.0
    psi = 2 * np.clip(left, -size, size) / unit
    slope = -X.T @ (share * psi) + 2 * alpha * model.coef_
    assert (np.abs(slope) <= 1e-12 * (np.abs(X.T) @ share)).all()
    assert not intercept or abs(share @ psi) < 1e-13
    if delta == "auto":  # the derivative by sigma
        inside = share[~outside] @ left[~outside] ** 2 / unit**2
        assert abs(1 - inside - EPSILON**2 * share[outside].sum()) < 1e-12
    assert model.loss_curve_[-1] == pytest.approx(objective(model, X, y, weights), rel=1e-14)
    assert 0 <= 2 * model.dual_gap_ <= 1e-12 * y.var() ** (1 if delta != "auto" else 0.5)


@pytest.mark.parametrize("delta", [2.0, 0.5, 0.125])
def test_coefficients_are_those_of_exact_arithmetic(delta):
    """On the sides that the rows have at the end, the minimum is a rational system's solution."""
    X, y = table(2, n=60, d=3)
    model = GDLinearRegressor(loss=Huber(delta)).fit(X, y)
    left, _, outside, _ = parts(model, X, y)
    signs = [int(np.sign(r)) * int(o) for r, o in zip(left, outside, strict=True)]
    exact = exact_huber(X, y, signs, delta)
    np.testing.assert_allclose([*model.coef_, model.intercept_], exact, rtol=1e-12, atol=1e-13)


def test_a_delta_beyond_all_residuals_is_least_squares():
    X, y = table(3)
    model, least = GDLinearRegressor(loss=Huber(1e6)).fit(X, y), GDLinearRegressor().fit(X, y)
    np.testing.assert_allclose(model.coef_, least.coef_, rtol=1e-12)
    assert not model.outliers_.any()
    assert model.loss_curve_[-1] == pytest.approx(least.loss_curve_[-1], rel=1e-13)


@pytest.mark.parametrize("seed", range(8))
def test_hard_tables_end_at_a_certified_minimum(seed):
    """Few rows, correlated columns, many outliers, deltas down to a hundredth of the noise."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(12, 80)), int(random.integers(1, 8))
    X = random.standard_normal((n, d)) @ (np.eye(d) + 3 * random.standard_normal((d, d)))
    X = X * 10.0 ** random.integers(-5, 6, d) + 10.0 ** random.integers(-3, 4)
    y = random.standard_normal(n) + np.where(random.random(n) < 0.3, 1e4, 0)
    for delta in ("auto", 1.0, 0.1, 0.01):
        model = GDLinearRegressor(loss=Huber(delta), max_iter=200).fit(X, y)
        assert model.status_ is Status.CONVERGED, (delta, model.message_)


# --- Steps ---


def at_a_point(X, y, sizing, theta, delta):
    """Newton's descent of one target in the units of the columns, and where it begins."""
    rows = Rows(X, y[:, None])
    frame, A = Frame.raw(rows, True), np.column_stack([X, np.ones(len(X))])
    newton = Newton(
        Clipped(DataLoss(rows, frame)), (sizing,), A.T @ A / len(X), np.arange(A.shape[1]),
        np.zeros((A.shape[1], 1)),
    )  # fmt: skip
    return newton, newton.begin(Spot(theta[:, None], np.array([delta])))


@pytest.mark.parametrize("seed", range(2))
def test_the_scale_of_a_step_allows_for_rows_that_turn(seed):
    """Less than a fifth of F is left of what the minimum of the piece leaves."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((40_000, 5))
    y = X.sum(axis=1) + random.standard_normal(40_000)
    newton, there = at_a_point(
        X, y, JointScale(EPSILON, 1e-12), np.append(np.full(5, 1.04), 0.04), 1.2
    )
    assert there[0].sums.density == pytest.approx(2 * np.exp(-0.6) / np.sqrt(2 * np.pi), rel=0.15)
    blind = [replace(there[0], sums=there[0].sums._replace(density=0.0))]
    best = newton.step(newton.step(newton.step(there)))[0].loss
    left, piece = (newton.step(start)[0].loss - best for start in (there, blind))
    assert 0 <= left <= piece / 5


def test_where_no_row_is_likely_to_turn_a_step_ends_at_the_minimum_of_the_piece():
    X, y = table(20, n=2000, outliers=0.3)
    newton, there = at_a_point(X, y, JointScale(EPSILON, 1e-12), np.zeros(5), 5.0)
    for _ in range(12):
        there = newton.step(there)
    at = there[0]
    near = at.theta + 1e-9
    newton, (at,) = at_a_point(X, y, newton.sizings[0], near, at.delta)
    assert at.sums.density > 0
    moves = [newton.sizings[0].move(piece) for piece in pieces_of(newton, at)]
    assert moves[0].delta == moves[1].delta
    np.testing.assert_array_equal(moves[0].step, moves[1].step)


def pieces_of(newton, at):
    """The piece at a point, and the same that knows of no rows near delta."""
    solve = lambda sigma, right, spread: np.linalg.solve(at.inside.matrix, right)  # noqa: E731
    for sums in (at.sums, at.sums._replace(density=0.0)):
        yield Piece(at.theta, at.delta, sums, np.zeros(len(at.theta)), solve)


@pytest.mark.parametrize("joint", [False, True])
def test_a_step_that_turns_no_row_is_known_without_a_look_at_all_rows(joint, monkeypatch):
    """What the pieces tell of its end is what a pass over the rows finds there."""
    passes, known = [], 0
    whole = Clipped.sums
    monkeypatch.setattr(Clipped, "sums", lambda *arguments: passes.append(1) or whole(*arguments))
    for seed in range(30):
        X, y = table(seed, n=400 + 100 * seed, outliers=0.2)
        sizing = JointScale(EPSILON, 1e-12) if joint else FixedDelta(0.9)
        least = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y)[0]
        newton, there = at_a_point(X, y, sizing, least, 9.0 if joint else 0.9)
        while not there[0].at_rest:
            passes.clear()
            there = newton.step(there)
            at, spot = there[0], spot_of(there)
            found = whole(newton.rows, spot, Spot(spot.theta, np.full(1, np.inf)))[0]
            np.testing.assert_array_equal(found.sides, at.sums.sides)
            assert found.outside == at.sums.outside
            for name in ("square", "beyond"):
                assert getattr(at.sums, name) == pytest.approx(getattr(found, name), rel=1e-12)
            unit = np.abs(X).max() * np.sqrt(found.square + found.beyond)
            np.testing.assert_allclose(at.sums.inner, found.inner, atol=1e-12 * unit)
            np.testing.assert_allclose(at.sums.outer, found.outer, atol=1e-12 * unit)
            known += not passes
    assert known >= 20


# --- The bound ---


@pytest.mark.parametrize("l2", [0.0, 0.2])
@pytest.mark.parametrize("joint", [False, True])
def test_the_gap_is_at_least_the_distance_and_falls_to_rounding(joint, l2):
    """At every step from far away, and the rows' sides turn on the way."""
    X, y = table(4, outliers=0.3)
    rows = Rows(X, y[:, None])
    moments = Moments.of_rows(rows)
    frame = Frame.of(moments, np.ones(X.shape[1]), True)
    gram = np.zeros((5, 5))
    gram[:4, :4], gram[4, 4] = moments.xx / moments.weight, 1.0
    sizing = JointScale(EPSILON, 1e-12) if joint else FixedDelta(0.7)
    ridge = np.array([l2] * 4 + [0.0])[:, None]
    newton = Newton(Clipped(DataLoss(rows, frame)), (sizing,), gram, np.arange(5), ridge)
    there, seen = newton.begin(Spot(np.full((5, 1), 7.0), np.array([0.7]))), []
    for _ in range(60):
        seen.append(there[0])
        there = newton.step(there)
    best = there[0].loss
    assert there[0].at_rest and there[0].gap <= 1e-13 * best
    distances = np.array([at.loss - best for at in seen])
    gaps = np.array([at.gap for at in seen])
    assert (gaps >= distances - 1e-13 * best).all()
    assert (np.diff(distances) <= 1e-14 * best).all()
    assert (distances[:3] > 0.01 * best).any() and (gaps[distances > 0] < 2 * best).any()


def test_sums_are_those_of_the_definitions():
    """Whatever the two points: sides, means, products of rows that moved, the dual sums."""
    X, y = table(5, n=300, outliers=0.4)
    weights = np.random.default_rng(5).uniform(0.5, 2, 300)
    rows = Rows(X, y[:, None], weights)
    frame = Frame(X.mean(axis=0), np.array([0.5, 1, 2, 4.0]), np.array([1.0]), True)
    clipped = Clipped(DataLoss(rows, frame, np.zeros(4)))
    random = np.random.default_rng(6)
    here, old = (Spot(3 * random.standard_normal((5, 1)), random.uniform(1, 9, 1)) for _ in "ab")
    A = np.column_stack([(X - frame.centre) / frame.scale, np.ones(300)])
    r, before = (y - 1 - A @ spot.theta[:, 0] for spot in (here, old))
    s, delta = weights / weights.sum(), here.delta[0]
    out, was = np.abs(r) > delta, np.abs(before) > old.delta[0]
    h = np.where(was, delta * np.sign(before), r)
    sums = clipped.sums(here, old)[0]
    assert (out & was & (r * before < 0)).sum() > 1  # rows that are outside on the other side
    young = (r - h) ** 2 - np.maximum(np.abs(r) - delta, 0) ** 2
    expected = {
        "outside": s @ out,
        "square": s[~out] @ r[~out] ** 2,
        "beyond": s[out] @ np.abs(r[out]),
        "inner": A.T @ (s * r * ~out),
        "outer": A.T @ (s * np.sign(r) * out),
        "change": A.T @ (A * (s * (out * 1.0 - was))[:, None]),
        "moved": s @ (out != was),
        "young": s @ young,
        "across": s @ (r * h),
        "dual": s @ h**2,
        "widest": np.abs(r[out & ~was]).max(),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(sums, name), value, rtol=1e-11, err_msg=name)
    shares = np.array([0.25, 0.75])
    between = clipped.between(old, here, shares)
    for share, found in zip(shares, between[:, :, 0], strict=True):
        size = np.abs(before + share * (r - before))
        far = size > old.delta[0] + share * (delta - old.delta[0])
        mean = [s @ far, s[~far] @ size[~far] ** 2, s[far] @ size[far]]
        np.testing.assert_allclose(found, mean, rtol=1e-12)


@pytest.mark.parametrize("few", [0, 1000], ids=["products to the frame", "rows to the frame"])
@pytest.mark.parametrize("shift", [None, np.zeros(4)], ids=["centred", "as they are"])
@pytest.mark.parametrize("weighted", [False, True])
def test_signs_follow_the_rows_that_changed_sides(weighted, shift, few, monkeypatch):
    """What all rows say in one product is what the rows that changed add, whatever the way."""
    monkeypatch.setattr(on_rows_clipped, "FEW_TO_FRAME", few)
    X, y = table(6, n=900, outliers=0.4, t=2)
    random = np.random.default_rng(7)
    weights = random.uniform(0.5, 2, 900) if weighted else None
    frame = Frame(X.mean(axis=0), np.array([0.5, 3.0, 0.1, 7.0]), np.zeros(2), True)
    clipped = Clipped(DataLoss(Rows(X, y, weights), frame, shift))
    spots = [
        Spot(random.standard_normal((5, 2)) * size, random.uniform(1, 9, 2)) for size in (3, 2, 0.1)
    ]
    before, outer = Spot(spots[0].theta, np.full(2, np.inf)), np.zeros((5, 2))
    gone = np.zeros((2, 5, 5))
    for spot in spots:
        short, whole = clipped.sums(spot, before, outer), clipped.sums(spot, before)
        gone = gone + [sums.change for sums in short]
        before, outer = spot, np.stack([sums.outer for sums in short], axis=1)
        A = np.column_stack([(X - frame.centre) / frame.scale, np.ones(900)])
        share = np.ones(900) if weights is None else weights
        for j, (one, other) in enumerate(zip(short, whole, strict=True)):
            unit = share @ np.abs(A) / share.sum()
            assert (np.abs(one.outer - other.outer) <= 1e-13 * unit).all()
            assert (np.abs(one.inner - other.inner) <= 1e-12 * unit * np.abs(y).max()).all()
            out = np.abs(y[:, j] - A @ spot.theta[:, j]) > spot.delta[j]
            expected = A.T @ (A * (share * out)[:, None]) / share.sum()
            np.testing.assert_allclose(gone[j], expected, rtol=1e-11, atol=1e-12)


def test_two_threads_share_the_products_of_rows_that_moved(monkeypatch):
    """Sums of whole numbers, which no order of additions rounds."""
    monkeypatch.setattr(on_rows_clipped, "FOR_ONE_THREAD", 0)
    blocks = np.random.default_rng(20).integers(-9, 10, (4, 4, 5)).astype(float)
    out, back = (blocks[i::2].reshape(-1, 5) for i in (0, 1))
    expected = out.T @ out - back.T @ back
    for shared in (True, False):
        moved = _Moved(5)
        for i, block in enumerate(blocks):
            moved.join(i % 2, _Few(block[:, :3], block[:, 3:]))
        total, across, corner = moved.products(_products, shared=shared)
        np.testing.assert_array_equal(np.block([[total, across], [across.T, corner]]), expected)


# --- Peers ---


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_the_objective_of_huber_regressor(alpha):
    X, y = table(7)
    X = (X - X.mean(axis=0)) / X.std(axis=0)  # else it stops early
    theirs = HuberRegressor(alpha=alpha, tol=1e-14, max_iter=10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit(X, y)
    ours = GDLinearRegressor(loss="huber", alpha=alpha / len(X), l1_ratio=0).fit(X, y)
    z = np.abs(y - theirs.predict(X)) / theirs.scale_
    loss = theirs.scale_ * (1 + np.where(z < EPSILON, z**2, 2 * EPSILON * z - EPSILON**2))
    their_loss = loss.mean() + alpha / len(X) * theirs.coef_ @ theirs.coef_
    assert ours.loss_curve_[-1] == pytest.approx(their_loss, rel=1e-8)
    assert ours.loss_curve_[-1] <= their_loss * (1 + 1e-14)
    assert ours.scale_ == pytest.approx(theirs.scale_, rel=1e-4)
    np.testing.assert_array_equal(ours.outliers_, theirs.outliers_)


@pytest.mark.parametrize("columns", [4, 8], ids=["all move", "it moves alone"])
def test_a_column_of_milliseconds_changes_nothing(columns, monkeypatch):
    """X with a column 1.7e12 + 1e10 u has the fit that it has with u."""
    monkeypatch.setattr(data_table, "SMALL", 0)
    X, y = table(8, n=400, d=columns)
    X -= 3
    u = np.round(np.random.default_rng(8).uniform(0, 1, 400) * 2**20) / 2**20
    y = y + 3 * u
    plain = GDLinearRegressor(loss="huber").fit(np.column_stack([X, u]), y)
    stamped = np.column_stack([X, 1.7e12 + 2**33 * u])
    model = GDLinearRegressor(loss="huber").fit(stamped, y)
    assert model.status_ is Status.CONVERGED
    assert model.loss_curve_[-1] == pytest.approx(plain.loss_curve_[-1], rel=1e-12)
    np.testing.assert_allclose(model.coef_ * [*columns * [1], 2**33], plain.coef_, rtol=1e-9)
    assert model.scale_ == pytest.approx(plain.scale_, rel=1e-10)


# --- Routes ---


@each_delta
def test_all_routes_agree(delta, tmp_path, monkeypatch):
    X, y = table(9, t=2)
    X[np.abs(X) < 1] = 0.0
    counts = np.random.default_rng(9).integers(0, 3, len(X))
    make = GDLinearRegressor(loss=Huber(delta), tol=0)
    first = clone(make).fit(X, y, counts)
    repeated = np.repeat(np.arange(len(X)), counts)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for data in ((X[repeated], y[repeated]), (csr_array(X), y, counts), (mapped, y, counts)):
        other = clone(make).fit(*data)
        np.testing.assert_allclose(other.coef_, first.coef_, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(other.loss_curve_[-1], first.loss_curve_[-1], rtol=1e-13)
    np.testing.assert_array_equal(first.outliers_[repeated], other.outliers_[repeated])
    for j in range(2):
        one = clone(make).fit(X, y[:, j], counts)
        np.testing.assert_allclose(one.coef_, first.coef_[j], rtol=1e-10, atol=1e-12)
        assert delta != "auto" or one.scale_ == pytest.approx(first.scale_[j], rel=1e-10)
    monkeypatch.setattr(by_huber, "LEAST_ROWS", 1)  # begin on a sample
    sampled = clone(make).fit(X, y, counts)
    np.testing.assert_allclose(sampled.coef_, first.coef_, rtol=1e-10, atol=1e-12)
    started = clone(make).fit(X, y, counts, coef_init=100 * np.ones((2, 4)))
    np.testing.assert_allclose(started.coef_, first.coef_, rtol=1e-10, atol=1e-12)
    again = clone(make).set_params(warm_start=True).fit(X, y, counts).fit(X, y, counts)
    assert (np.diff(again.loss_curve_) <= 1e-13 * again.loss_curve_[0]).all()
    single = clone(make).fit(X.astype("f4"), y, counts)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, first.coef_, rtol=1e-4, atol=1e-5)


@each_delta
@pytest.mark.parametrize("t", [1, 2])
def test_many_sparse_columns_are_those_in_full(delta, t):
    """A block of so many columns is multiplied by one vector at a time."""
    d = on_rows_clipped.NARROW_BLOCK + 1
    X, y = table(22, n=400, d=d, t=t)
    X[np.abs(X) < 5] = 0.0
    full, few = (GDLinearRegressor(loss=Huber(delta)).fit(A, y) for A in (X, csr_array(X)))
    np.testing.assert_allclose(few.loss_curve_[-1], full.loss_curve_[-1], rtol=1e-12)


@each_delta
@pytest.mark.parametrize("many_more", [by_huber.MANY_MORE, 0])
def test_rows_on_a_cluster(delta, many_more, monkeypatch):
    """No sample leaves the cluster, however many rows there are."""
    da = pytest.importorskip("dask.array")
    X, y = table(10)
    here = GDLinearRegressor(loss=Huber(delta)).fit(X, y)
    there = GDLinearRegressor(loss=Huber(delta))
    monkeypatch.setattr(by_huber, "MANY_MORE", many_more)
    there.fit(da.from_array(X, chunks=(70, 4)), da.from_array(y, chunks=70))
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-12)
    assert delta != "auto" or there.scale_ == pytest.approx(here.scale_, rel=1e-12)
    assert not hasattr(there, "outliers_")


def test_dependent_columns_have_the_least_norm():
    X, y = table(11)
    twice = np.hstack([X, X[:, :2]])
    model, one = (GDLinearRegressor(loss="huber").fit(A, y) for A in (twice, X))
    assert model.rank_ == 4
    np.testing.assert_allclose(model.coef_[:2], model.coef_[4:], rtol=1e-9)
    np.testing.assert_allclose(model.predict(twice), one.predict(X), rtol=1e-9)
    assert model.loss_curve_[-1] == pytest.approx(one.loss_curve_[-1], rel=1e-13)


@pytest.mark.parametrize("tol", [1e-2, "auto"])
def test_an_end_by_tol_is_no_loss_of_digits(tol):
    """The next step of such a descent is long, and not because of rounding."""
    random = np.random.default_rng(113)
    X, slip = random.standard_normal((4000, 6)), random.standard_t(1.5, 4000)
    y = X @ np.ones(6) + slip
    for n in range(1000, 4001, 250):
        for delta in (0.5, 0.003):
            model = GDLinearRegressor(loss=Huber(delta), tol=tol).fit(X[:n], y[:n])
            assert model.condition_number_ < 2
            assert model.status_ is Status.CONVERGED, (n, delta, model.message_)


def test_columns_near_dependence_lose_digits_and_say_so():
    X, y = table(19, d=2)
    X[:, 1] = X[:, 0] + 1e-7 * X[:, 1]
    for tol in ("auto", 0):
        with pytest.warns(ConvergenceWarning, match="digits of the coefficients are left"):
            model = GDLinearRegressor(loss="huber", tol=tol).fit(X, y)
        assert model.status_ is Status.ILL_CONDITIONED


def test_units_of_y_and_of_columns_only_scale_the_fit():
    X, y = table(12)
    first = GDLinearRegressor(loss="huber").fit(X, y)
    other = GDLinearRegressor(loss="huber").fit(X * [1e-9, 1, 1e9, 1e100], 1e6 * y)
    np.testing.assert_allclose(other.coef_ * [1e-9, 1, 1e9, 1e100], 1e6 * first.coef_, rtol=1e-9)
    assert other.scale_ == pytest.approx(1e6 * first.scale_, rel=1e-12)


def test_few_updates():
    X, y = table(13, n=20_000, d=10)
    model = GDLinearRegressor(loss="huber").fit(X, y)
    assert model.n_iter_ <= 4
    fixed = GDLinearRegressor(loss=Huber(model.scale_)).fit(X, y)
    assert fixed.n_iter_ <= 4


def test_a_wide_table_begins_at_least_squares():
    """Gross outliers are further from least squares than other rows, and not from zero."""
    random = np.random.default_rng(18)
    X = random.standard_normal((1200, 120))
    y = X @ random.standard_normal(120) + random.standard_normal(1200)
    y[:60] += 50 * random.standard_normal(60)
    least = LinearRegression().fit(X, y)
    ahead = GDLinearRegressor(loss="huber", tol=None, max_iter=1).fit(X, y)
    begun = GDLinearRegressor(loss="huber", tol=None, max_iter=1)
    begun.fit(X, y, coef_init=least.coef_, intercept_init=least.intercept_)
    np.testing.assert_allclose(ahead.coef_, begun.coef_, rtol=1e-9)


@pytest.mark.parametrize("delta", ["auto", 1.0])
def test_a_start_at_zero_looks_at_no_columns(delta, capsys):
    """One pass for the moments, one for the outliers. A report still knows the slope there."""
    X, y = table(16)
    with counted() as passes:
        model = GDLinearRegressor(loss=Huber(delta), max_iter=0).fit(X, y)
    assert passes.over(len(X)) == 2
    assert model.loss_curve_[0] == pytest.approx(objective(model, X, y), rel=1e-14)
    GDLinearRegressor(loss=Huber(delta), verbose=1).fit(X, y)
    assert "nan" not in capsys.readouterr().out


def test_a_small_table_goes_down_to_its_delta_in_few_passes():
    """One descent with a scale, and from its end to delta: not a second start for each."""
    X, y = table(17, n=500, d=50)
    with counted() as passes:
        model = GDLinearRegressor(loss=Huber(0.5)).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert passes.over(len(X)) <= 10


# --- Ends ---


def test_an_exact_fit_has_no_scale():
    X = np.arange(20.0)[:, None]
    model = GDLinearRegressor(loss="huber").fit(X, 2 * X[:, 0] + 1)
    assert model.coef_[0] == pytest.approx(2, rel=1e-12)
    assert 0 < model.scale_ < 1e-12 * (2 * X[:, 0] + 1).std()
    constant = GDLinearRegressor(loss="huber").fit(X, np.full(20, 3.0))
    assert constant.coef_[0] == 0 and constant.intercept_ == 3.0


@pytest.mark.parametrize("value", [0.0, 0.1, 5.0, 1e6, 1e12])
def test_equal_targets_have_no_scale(value):
    """They vary by nothing, so the unit of the loss is 1, and their size is no rounding of it."""
    for weights in (None, np.linspace(0.1, 1, 60)):
        model = GDLinearRegressor(loss="huber").fit(table(0, n=60)[0], np.full(60, value), weights)
        assert model.status_ is Status.CONVERGED and model.scale_ <= 1e-12
        np.testing.assert_allclose(model.intercept_, value, rtol=1e-14)


def test_limits_of_updates():
    X, y = table(14)
    none = GDLinearRegressor(loss="huber", max_iter=0).fit(X, y)
    assert none.loss_curve_.shape == (1,) and none.status_ is Status.MAX_ITER
    assert not none.coef_.any()
    exactly = GDLinearRegressor(loss="huber", max_iter=30, tol=None).fit(X, y)
    assert exactly.n_iter_ == 30
    best = GDLinearRegressor(loss="huber").fit(X, y)
    np.testing.assert_allclose(exactly.coef_, best.coef_, rtol=1e-11)
    with pytest.warns(UserWarning, match="of the deviation above the minimum|max_iter=1 update "):
        GDLinearRegressor(loss="huber", max_iter=1).fit(X, y)
    to_the_floor = GDLinearRegressor(loss="huber", tol=0).fit(X, y)
    assert to_the_floor.status_ is Status.CONVERGED


def test_it_resists_outliers_that_pull_least_squares():
    X, y = table(15, n=500, outliers=0.0)
    true = LinearRegression().fit(X, y).coef_
    y[:25] += 1000
    assert np.abs(GDLinearRegressor(loss="huber").fit(X, y).coef_ - true).max() < 0.5
    assert np.abs(GDLinearRegressor().fit(X, y).coef_ - true).max() > 5


def test_many_sparse_columns_are_refused_with_what_to_write():
    X = csr_array((np.ones(5), (range(5), range(5))), shape=(5, 2001))
    with pytest.raises(ValueError, match="2001 sparse columns, more than 2000; choose columns"):
        GDLinearRegressor(loss="huber").fit(X, np.arange(5.0))


CHECKED = [
    GDLinearRegressor(loss="huber", l1_ratio=0),  # a check sets alpha
    GDLinearRegressor(loss=Huber(1.0), alpha=0.1, l1_ratio=0, fit_intercept=False),
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("delta", ["auto", 1.0, 0.5, 0.1])
def test_groups_of_whole_numbers_have_a_certificate(delta):
    """A group without a row inside leaves no equation for its column, yet F is at its minimum.

    There the slope along the column vanishes, which proves the minimum: F is convex.
    """
    for seed in range(24):
        random = np.random.default_rng(seed)
        n, k = int(random.choice([20, 60])), int(random.integers(2, 6))
        X = np.eye(k)[random.integers(0, k, n)][:, 1:]
        y = 3 * random.integers(0, 6, n) * (random.random(n) < 0.4)
        model = GDLinearRegressor(loss=Huber(delta)).fit(X, y)
        assert model.status_ is Status.CONVERGED, seed
        if delta != "auto":
            psi = np.clip(y - model.predict(X), -delta, delta)
            slopes = np.append(X.T @ psi / n, psi.mean())
            assert np.abs(slopes).max() < 1e-12
        assert 0 <= model.dual_gap_ <= 1e-12 * y.var()


def test_a_ridge_without_a_row_inside_has_a_certificate():
    """The slopes of the signs balance the ridge: mean (x - 1.5) sign(r) delta = alpha w."""
    X, y = np.arange(4.0)[:, None], np.array([0.0, 10.0, 0.0, 10.0])
    model = GDLinearRegressor(loss=Huber(0.01), alpha=0.1, l1_ratio=0).fit(X, y)
    assert model.status_ is Status.CONVERGED
    np.testing.assert_allclose(model.coef_, 0.05, rtol=1e-12)
    assert 0 <= model.dual_gap_ <= 1e-12 * y.var()


def test_a_gap_allows_for_the_rounding_of_a_step_far_beyond_the_minimum():
    """Only a heavy row is outside at first, and the others lead the model far away.

    The terms of the gap are large there, and what is left of them is less than their rounding.
    """
    A = np.column_stack([np.eye(3)[[0, 1, 0, 2, 2]], np.ones(5)]).astype(int).tolist()
    y, weights = [45177337, 810147191, -494987862, 1849099760, -182558385], [1, 1, 1, 10**6, 1]
    delta, ridge = 840742887, [100, 100, 100, 0]
    model = GDLinearRegressor(loss=Huber(delta), alpha=100.0, l1_ratio=0)
    model.fit(np.array(A)[:, :3], y, weights)
    # At the minimum all four light rows are outside, and the heavy one is inside
    signs, u = [-1, -1, -1, 0, -1], [Fraction(weight, sum(weights)) for weight in weights]
    pull = [
        dot(u, [a * (s * delta or v) for a, s, v in zip(column, signs, y, strict=True)])
        for column in zip(*A, strict=True)
    ]
    gram = [
        [u[3] * a * b + (i == j) * ridge[i] for j, b in enumerate(A[3])] for i, a in enumerate(A[3])
    ]
    theta, _ = solved(gram, pull)
    left = [v - dot(a, theta) for a, v in zip(A, y, strict=True)]
    assert all(s * r > delta if s else abs(r) < delta for s, r in zip(signs, left, strict=True))
    rho = [delta * (2 * s * r - delta) if s else r**2 for s, r in zip(signs, left, strict=True)]
    least = float(dot(u, rho) + dot(ridge, [v * v for v in theta]))
    assert 0 <= model.loss_curve_[-1] - least + 1e-14 * least <= 2 * model.dual_gap_ + 1e-13 * least


def test_a_gap_allows_for_the_rounding_of_a_step_that_was_too_long():
    """All rows can be met, so the least F is zero, and the gap is no less than half of F."""
    X = np.array([[-1.0, 2, -1], [1, -2, -1], [-1, -1, 0]])
    y, weights = np.array([-3.0, 0, 0]), np.array([1.0, 1, 2])
    model = GDLinearRegressor(loss="huber", warm_start=True)
    for _ in range(2):
        model.fit(X, y, weights)
        assert model.status_ is Status.CONVERGED
        assert model.loss_curve_[-1] <= 2 * model.dual_gap_ + 1e-14


def test_a_target_that_needs_larger_terms_is_not_held_up_by_one_at_rest():
    """All targets can be met. A target that found no smaller F twice was taken for settled."""
    X = np.array([[-1.0, 2, -1], [1, -2, -1], [-1, -1, 0]])
    y = np.array([[-3.0, -1, 3], [0, 2, 3], [0, -3, 3]])
    model = GDLinearRegressor(loss="huber", warm_start=True)
    for _ in range(2):
        model.fit(X, y, [1, 1, 2])
        assert model.status_ is Status.CONVERGED and model.loss_curve_[-1] <= 1e-12
        np.testing.assert_allclose(model.predict(X), y, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_a_ridge_leaves_residuals_where_least_squares_meet_all_rows(alpha):
    """The scale begins above rounding. Else the sides of rows would be rounding, and steps end."""
    for seed in range(12):
        random = np.random.default_rng(seed)
        X, y = random.standard_normal((4, 3)), random.integers(-3, 4, 4) + 0.0
        model = GDLinearRegressor(loss="huber", alpha=alpha, l1_ratio=0, warm_start=True)
        first = clone(model).fit(X, y)
        afar = clone(model).fit(X, y, coef_init=100 * np.ones(3))
        again = clone(model).set_params(alpha=0.0).fit(X, y).set_params(alpha=alpha).fit(X, y)
        for other in (first, afar, again):
            assert other.status_ is Status.CONVERGED, seed
            assert other.loss_curve_[-1] == pytest.approx(first.loss_curve_[-1], abs=1e-11)
