"""The report of learning rates: the mathematics of descents that are not made."""

import math
import re
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from reference import exact_coefficients
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from gd_regressor import (
    GDLinearRegressor,
    LearningRateReport,
    Moments,
    gd_path,
    learning_rate_report,
)
from gd_regressor.textbook import modes
from gd_regressor.textbook.polynomials import HeavyBall, shrinking

random = np.random.default_rng(11)
N, D = 40, 4
MIXED = random.standard_normal((N, D)) @ random.standard_normal((D, D))
TARGET = MIXED @ [1.0, -2.0, 0.5, 3.0] + random.standard_normal(N) + 5
WEIGHTS = random.integers(0, 4, N).astype(float)
# Units over three decades, and means away from zero
UNITS = MIXED * [1.0, 30.0, 0.1, 1.0] + [3.0, 10.0, 0.0, -2.0]
MOMENTA = [0.0, 0.5, 0.9, 0.99]
SHARES = [0.003, 0.1, 0.5, 0.95, 1.0, 1.01, 1.5]  # of the limit


def exact_hessian(X):
    """(2/n) [X 1]'[X 1] with fifty digits."""
    A = [[Fraction(float(v)) for v in row] + [Fraction(1)] for row in X]
    entries = [
        [sum(r[i] * r[j] for r in A) * 2 / len(A) for j in range(len(A[0]))]
        for i in range(len(A[0]))
    ]
    return mpmath.matrix(
        [[mpmath.mpf(v.numerator) / v.denominator for v in row] for row in entries]
    )


def fitted(X, y, report, share, momentum, tol, max_iter=4000, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GDLinearRegressor(
            share * report.limit(momentum), max_iter, tol, momentum=momentum, **options
        ).fit(X, y)


# --- What there is to know ---


@pytest.mark.parametrize(
    "X", [MIXED, UNITS, UNITS * [1e6, 1.0, 1e-5, 1.0]], ids=["one", "three", "many"]
)
def test_curvatures_are_the_eigenvalues_of_the_exact_hessian(X):
    report = learning_rate_report(X, TARGET)
    values, _ = mpmath.eigsy(exact_hessian(X))
    exact = np.array(sorted(map(float, values), reverse=True))
    np.testing.assert_allclose(report.curvatures, exact, rtol=1e-11)
    assert report.limit() == pytest.approx(2 / exact[0], rel=1e-12)
    assert report.limit(0.5) == pytest.approx(3 / exact[0], rel=1e-12)
    assert report.condition_number == pytest.approx(exact[0] / exact[-1], rel=1e-11)


def test_minimum_and_its_coefficients_are_the_exact_ones():
    report = learning_rate_report(UNITS, TARGET)
    exact = exact_coefficients(UNITS, TARGET)
    np.testing.assert_allclose(
        [*report.coef, report.intercept], list(map(float, exact)), rtol=1e-11
    )
    rows = [[Fraction(float(v)) for v in row] for row in UNITS]
    left = [
        Fraction(float(t)) - sum(a * b for a, b in zip([*row, 1], exact, strict=True))
        for row, t in zip(rows, TARGET, strict=True)
    ]
    assert report.minimum_loss == pytest.approx(float(sum(e * e for e in left) / N), rel=1e-12)
    assert report.first_loss == pytest.approx(np.mean(TARGET**2), rel=1e-13)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_no_pair_has_a_better_guarantee_than_the_best(momentum):
    """The worst factor of an update over all curvatures, from the companion matrices."""
    report = learning_rate_report(MIXED, TARGET)
    curvatures = np.linspace(report.smallest_curvature, report.largest_curvature, 200)

    def worst(rate, momentum):
        roots = [
            np.abs(np.roots([1.0, -(1 + momentum - rate * c), momentum])).max() for c in curvatures
        ]
        return max(roots)

    L, mu = report.largest_curvature, report.smallest_curvature
    best = worst(report.best_learning_rate, 0.0)
    assert best == pytest.approx((L - mu) / (L + mu), rel=1e-12)
    pair = report.best_momentum
    both = worst(pair[1], pair[0])
    assert both == pytest.approx(math.sqrt(pair[0]), rel=1e-6)
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1):
        assert worst(factor * report.best_learning_rate, 0.0) > best
        assert worst(factor * pair[1], pair[0]) > both
        assert worst(pair[1], pair[0] + (factor - 1) * (1 - pair[0]) / 2) > both


def test_directions_have_the_names_of_their_columns():
    ones = np.resize([1.0, -1.0], 8)
    other, third = np.repeat([1.0, -1.0], 4), np.resize([1.0, 1.0, -1.0, -1.0], 8)
    X = np.column_stack([10 * ones, 3 * other + 2 * third, 3 * other - 2 * third])
    report = learning_rate_report(X, ones, feature_names=["a", "b", "c"])
    # Exactly: 2 * 100; of b and c the sum has 2 * 18, their difference 2 * 8; the ones have 2
    np.testing.assert_allclose(report.curvatures, [200.0, 36.0, 16.0, 2.0], rtol=1e-14)
    first, *pairs, last = report.directions
    assert (first, last, report.steepest_column) == ("a", "intercept", "a")
    assert pairs[0] in ("b + c", "c + b") and pairs[1] in ("b - c", "c - b")
    np.testing.assert_allclose(report.excess, [1.0, 0.0, 0.0, 0.0], atol=1e-28)
    assert report.steepest_share == pytest.approx(1.0)


def test_standardised_is_the_report_of_scaled_columns():
    report, scaled = learning_rate_report(UNITS, TARGET), StandardScaler().fit_transform(UNITS)
    other = learning_rate_report(scaled, TARGET)
    np.testing.assert_allclose(report.standardised.curvatures, other.curvatures, rtol=1e-12)
    np.testing.assert_allclose(report.standardised.coef, other.coef, rtol=1e-11)
    rates = (0.1 * other.limit(), 0.5, [0, 1, 30])
    found = report.standardised.losses(*rates)
    np.testing.assert_allclose(found, other.losses(*rates), rtol=1e-12)


@pytest.mark.parametrize("intercept", [True, False])
def test_the_standardised_start(intercept):
    w, b = np.array([1.0, 0.02, -3.0, 1.0]), 2.0 * intercept
    start = {"coef_init": w, "intercept_init": b, "fit_intercept": intercept}
    report = learning_rate_report(UNITS, TARGET, **start)
    scaler = StandardScaler().fit(UNITS)
    moved = {"coef_init": w * scaler.scale_, "intercept_init": intercept * (b + w @ scaler.mean_)}
    moved["fit_intercept"] = intercept
    other = learning_rate_report(scaler.transform(UNITS), TARGET, **moved)
    found = report.standardised.losses(0.05, 0.0, 20)
    np.testing.assert_allclose(found, other.losses(0.05, 0.0, 20), rtol=1e-11)
    if intercept:  # the same function
        assert report.standardised.first_loss == pytest.approx(report.first_loss, rel=1e-12)


def test_dependent_columns_have_no_curvature_along_what_vanishes():
    short = np.round(MIXED * 2**20) / 2**20  # so that adding 2^30 rounds nothing
    X = np.column_stack([short, short[:, 0], 2.0**30 + short[:, 1], np.full(N, 7.0)])
    report = learning_rate_report(X, TARGET)
    assert np.count_nonzero(report.curvatures) == D + 1
    assert (report.excess[report.curvatures == 0] == 0).all()
    # What depends on others explains nothing more
    alone = learning_rate_report(short, TARGET)
    assert report.minimum_loss == pytest.approx(alone.minimum_loss, rel=1e-12)
    whole = learning_rate_report(X * np.r_[np.ones(D), 1e3, 1.0, 1.0], TARGET)
    assert np.count_nonzero(whole.curvatures) == D + 1
    assert learning_rate_report(MIXED[:3], TARGET[:3]).curvatures.min() > 0


def test_constant_columns_and_targets():
    report = learning_rate_report(np.zeros((5, 2)), np.ones(5), fit_intercept=False)
    assert report.limit() == report.best_learning_rate == np.inf
    assert report.condition_number == 1.0 and "unbounded" in str(report)
    assert report.stops_after(0.1) == 1 and report.needs(0.1) == 0
    flat = learning_rate_report(MIXED, np.zeros(N))
    assert flat.needs(0.1) == 0 and flat.fastest()[1] == 0
    np.testing.assert_array_equal(flat.losses(0.1, 0.5, 3), np.zeros(4))


# --- Iterates and losses ---


@pytest.mark.parametrize("momentum", MOMENTA)
def test_losses_and_coefs_are_those_of_gd_path(momentum):
    targets = np.column_stack([TARGET, MIXED[:, 0] ** 2])
    start = {"coef_init": np.ones((2, D)), "intercept_init": [1.0, -1.0]}
    report = learning_rate_report(UNITS, targets, sample_weight=WEIGHTS, **start)
    for points in (300, [7, 10**6, 0], np.arange(1001)):
        for share in (0.1, 0.9):
            rate = share * report.limit(momentum)
            options = {"learning_rate": rate, "momentum": momentum, "n_iter": points}
            found = gd_path(UNITS, targets, sample_weight=WEIGHTS, **start, **options)
            coefs, intercepts = report.coefs(rate, momentum, points)
            np.testing.assert_allclose(coefs, found[0], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(intercepts, found[1], rtol=1e-12, atol=1e-12)
            losses = report.losses(rate, momentum, points)
            np.testing.assert_allclose(losses, found[2], rtol=1e-12)


def test_many_rates_at_once_are_each_alone():
    report = learning_rate_report(UNITS, TARGET)
    rates = np.array([[0.1, 0.5], [0.9, 1.5]]) * report.limit()
    momenta = np.array([0.0, 0.7])
    losses, needed = report.losses(rates, momenta, 500), report.needs(rates, momenta)
    assert losses.shape == (2, 2, 501) and needed.shape == (2, 2)
    for i, j in np.ndindex(2, 2):
        alone = report.losses(rates[i, j], momenta[j], 500)
        np.testing.assert_allclose(losses[i, j], alone, rtol=1e-14)
        assert needed[i, j] == report.needs(rates[i, j], momenta[j])


def test_losses_beyond_the_range_of_floats_are_infinite():
    report = learning_rate_report(UNITS, TARGET)
    for momentum in (0.0, 0.5):
        losses = report.losses(3 * report.limit(momentum), momentum, 10**4)
        assert losses[-1] == np.inf and not np.isnan(losses).any()
        assert (np.diff(losses[np.isfinite(losses)][100:]) > 0).all()


# --- Counts ---


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9, 0.99])
def test_the_envelope_bounds_what_is_left_and_falls(momentum):
    lower, upper = (1 - math.sqrt(momentum)) ** 2, (1 + math.sqrt(momentum)) ** 2
    near = 1 + 10.0 ** -random.uniform(1, 16, 20)
    h = np.concatenate(
        [10.0 ** random.uniform(-12, 0, 40), lower * near, lower / near, upper / near]
    )
    h = np.concatenate([h, random.uniform(0, 2 * (1 + momentum), 100)])
    along, k = shrinking(h, momentum), np.arange(2000.0)[:, None]
    left = np.abs(along.left(k)[0])
    still_to_come = np.maximum.accumulate(left[::-1])[::-1]
    bound = along.envelope(k)
    tiny = np.finfo(float).tiny  # below it numbers have fewer digits
    assert (bound >= still_to_come * (1 - 1e-9) - tiny).all()
    assert (np.diff(bound, axis=0) <= 1e-9 * bound[:-1] + tiny).all()
    # So do crests, for a while; those of a single update are what is left
    swings = (h > lower * 1.001) & (h < upper * 0.999)
    for first, last in [(0, 0), (1, 4), (17, 17), (30, 61), (200, 1999)]:
        crest = along.highest(np.float64(first), np.float64(last))
        most = left[first : last + 1].max(axis=0)
        assert (crest >= most * (1 - 1e-9) - tiny).all() and (crest <= bound[first] + tiny).all()
        if first == last:
            seen = swings & (most > 1e-250)
            np.testing.assert_allclose(crest[seen], most[seen], rtol=1e-9)


@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-11])
@pytest.mark.parametrize("X", [UNITS, MIXED[:, :1]], ids=["columns", "one column"])
def test_stops_after_is_n_iter_of_a_fit(X, tol):
    report = learning_rate_report(X, TARGET)
    ended = 0
    for momentum in MOMENTA:
        for share in SHARES:
            model = fitted(X, TARGET, report, share, momentum, tol)
            rate = share * report.limit(momentum)
            counts = report.stops_after(rate, momentum, tol), report.diverges_after(rate, momentum)
            assert min(*counts, 4000) == model.n_iter_, (share, momentum)
            climbed = model.loss_curve_[-1] > model.loss_curve_[0]
            assert (model.status_.name == "DIVERGED") == (share >= 1 and climbed)
            ended += model.n_iter_ < 4000
    assert ended > 6


@pytest.mark.parametrize("momentum", MOMENTA)
def test_stops_after_at_the_floor(momentum):
    """With tol=0 a descent goes on to decreases of eps^2 of the mean square of y."""
    report = learning_rate_report(MIXED[:, :2], TARGET)
    model = fitted(MIXED[:, :2], TARGET, report, 0.5, momentum, 0.0, max_iter=10**5)
    assert model.n_iter_ < 10**5
    assert report.stops_after(0.5 * report.limit(momentum), momentum, 0.0) == model.n_iter_


@pytest.mark.parametrize("momentum", [0.9, 0.99])
@pytest.mark.parametrize("away", [1e7, 1e13])
def test_stops_after_a_start_from_far_away(momentum, away):
    # What swings takes longer to fall to the floor than from a start as high as y
    report = learning_rate_report(MIXED, TARGET, coef_init=np.full(D, away))
    for share in (0.01, 0.3, 0.999):
        rate = share * report.limit(momentum)
        model = GDLinearRegressor(rate, 10**6, tol=0, momentum=momentum)
        model.fit(MIXED, TARGET, coef_init=np.full(D, away))
        assert report.stops_after(rate, momentum, tol=0) == model.n_iter_ < 10**6


def test_a_slowly_rising_loss_has_not_settled():
    # Each update raises the loss by 4e-9: more than tol, less than what a walk tells from zero
    X, y = np.array([[1.0], [-1.0]]), 1e12 + np.array([1.0, -1.0])
    report = learning_rate_report(X, y, intercept_init=1e12)
    rate = report.limit() * (1 + 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GDLinearRegressor(rate, 100, tol=1e-12).fit(X, y, intercept_init=1e12)
    assert model.n_iter_ == 100
    assert report.stops_after(rate, tol=1e-12) > 100


def test_stops_after_of_several_targets_weights_and_starts():
    targets = np.column_stack([TARGET, 100 * MIXED[:, 0] ** 2, np.zeros(N)])
    start = {"coef_init": np.full((3, D), 0.3), "intercept_init": [1.0, 50.0, 3.0]}
    report = learning_rate_report(UNITS, targets, sample_weight=WEIGHTS, **start)
    for momentum in MOMENTA:
        for share in SHARES:
            rate = share * report.limit(momentum)
            model = GDLinearRegressor(rate, 3000, 1e-7, momentum=momentum)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(UNITS, targets, WEIGHTS, **start)
            ends = report.stops_after(rate, momentum, 1e-7), report.diverges_after(rate, momentum)
            assert min(*ends, 3000) == model.n_iter_, (share, momentum)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_stop_far_away_is_found_without_walking(momentum):
    """Columns of condition 1e7: of one slow direction, F falls by c rho^(k-1) (1 - rho)."""
    ones, other = np.resize([1.0, -1.0], 8), np.repeat([1.0, -1.0], 4)
    X, y = np.column_stack([ones, 1e-3 * other]), other
    report = learning_rate_report(X, y, fit_intercept=False)
    rate, tol = 0.2 * report.limit(), 1e-12
    h = rate * 2e-6
    root = max(np.roots([1.0, -(1 + momentum - h), momentum]).real)
    stop, needed = report.stops_after(rate, momentum, tol), report.needs(rate, momentum, tol)
    # p_k = C r^k with C = t2 r1 / (r1 - r2), t2 = h / t1
    other_root = momentum / root
    C = h / (1 - root) * root / (root - other_root)
    expected = math.log(tol / (C**2 * (root**-2 - 1))) / (2 * math.log(root))
    window = round(1 / (1 - momentum))
    assert stop > 10**6
    assert abs(stop - (expected + window)) < 3
    assert abs(needed - math.log(tol / C**2) / (2 * math.log(root))) < 2


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.58, 0.9, 0.97])
def test_needs_is_found_by_direct_search(momentum):
    report = learning_rate_report(MIXED, TARGET)
    V, points = report.variance[0], 6000
    rates = np.array([0.01, 0.1, 0.3, 0.7, 0.99]) * report.limit(momentum)
    for tol in (1e-1, 1e-6, 1e-10):
        found = report.needs(rates, momentum, tol)
        for rate, count in zip(rates, found, strict=True):
            beyond = report.losses(rate, momentum, points) - report.minimum_loss > tol * V
            last = int(np.flatnonzero(beyond)[-1])
            assert count == last + 1 if last < points else count > points


@pytest.mark.parametrize("momentum", [0.999, 0.9999])
def test_needs_of_slow_swings_beside_fast_ones(momentum):
    """The slow ones have valleys of thousands of updates, in which the loss is near its minimum."""
    report = learning_rate_report(MIXED * [1.0, 1.0, 1.0, 1e-4], TARGET)
    rates, tol = np.array([0.003, 0.1, 0.6]) * report.limit(momentum), 1e-6
    points = round(12 / (1 - momentum))
    for rate, count in zip(rates, report.needs(rates, momentum, tol), strict=True):
        ks = np.arange(max(int(count) - points // 2, 0), int(count) + points)
        gaps = report.losses(rate, momentum, ks) - report.minimum_loss
        beyond = ks[gaps > tol * report.variance[0]]
        assert beyond[-1] + 1 == count


def test_needs_at_momentum_beside_one_looks_at_few_updates(monkeypatch):
    """Of billions: columns in units of 1e-9 have a best momentum of 1 - 2e-10."""
    looked, difference = [], HeavyBall._difference
    monkeypatch.setattr(
        HeavyBall, "_difference", lambda self, k: looked.append(np.size(k)) or difference(self, k)
    )
    report = learning_rate_report(MIXED * 1e-9, TARGET)
    momentum, rate = report.best_momentum
    assert report.needs(rate, momentum, 1e-6) > 10**11
    assert 0 < sum(looked) < 10**4


def test_what_never_arrives_needs_for_ever():
    report = learning_rate_report(MIXED, TARGET)
    for momentum in (0.0, 0.9):
        assert report.needs(1.01 * report.limit(momentum), momentum) == np.inf
        assert report.needs(0.5 * report.limit(momentum), momentum, 0.0) == np.inf
    assert report.diverges_after(0.999 * report.limit()) == np.inf
    assert report.diverges_after(report.limit() * (1 + 1e-9)) > 10**9
    assert report.fastest(0.0)[1] == np.inf


@pytest.mark.parametrize("X", [MIXED, UNITS], ids=["one unit", "units"])
def test_no_rate_needs_fewer_updates_than_the_fastest(X):
    for targets in (TARGET, np.column_stack([TARGET, MIXED[:, 2] ** 2])):
        report = learning_rate_report(X, targets)
        for tol in (1e-2, 1e-6):
            rate, count = report.fastest(tol)
            assert report.needs(rate, 0.0, tol) == count
            around = rate * np.concatenate(
                [np.linspace(0.2, 1.2, 400), 1 + np.linspace(-1e-3, 1e-3, 201)]
            )
            assert (report.needs(around, 0.0, tol) >= count).all()


def test_one_direction_needs_one_update():
    ones = np.resize([1.0, -1.0], 8)
    report = learning_rate_report(3 * ones[:, None], ones, fit_intercept=False)
    rate, count = report.fastest(1e-12)
    assert count == 1 and rate == pytest.approx(1 / 18, rel=1e-6)
    assert report.best_learning_rate == pytest.approx(1 / 18)


def test_questions_make_no_second_decomposition(monkeypatch):
    calls = []
    decompose = modes._graded_svd
    monkeypatch.setattr(modes, "_graded_svd", lambda m: calls.append(m) or decompose(m))
    report = learning_rate_report(UNITS, TARGET)
    made = len(calls)
    report.losses(0.01), report.coefs(0.01), report.stops_after(0.01), report.needs(0.01, 0.9)
    report.fastest(), report.diverges_after(10.0), report.standardised.needs(0.1), str(report)
    assert made == len(calls) == 2  # of the columns as they are, and standardised


# --- Where the rows come from ---


def same(a, b, rtol=1e-10):
    np.testing.assert_allclose(a.curvatures, b.curvatures, rtol=rtol)
    np.testing.assert_allclose(a.coef, b.coef, rtol=rtol)
    np.testing.assert_allclose(a.minimum_loss, b.minimum_loss, rtol=rtol)
    rate = 0.3 * b.limit(0.5)
    losses = a.losses(rate, 0.5, 50)
    np.testing.assert_allclose(losses, b.losses(rate, 0.5, 50), rtol=rtol)
    np.testing.assert_allclose(a.variance, b.variance, rtol=rtol)
    assert a.needs(rate, 0.5, 1e-4) == b.needs(rate, 0.5, 1e-4)


@pytest.mark.parametrize("intercept", [True, False])
def test_weights_are_repeated_rows_and_moments_rows(intercept):
    options = {"fit_intercept": intercept, "coef_init": np.ones(D)}
    repeated = np.repeat(np.arange(N), WEIGHTS.astype(int))
    expected = learning_rate_report(UNITS[repeated], TARGET[repeated], **options)
    same(learning_rate_report(UNITS, TARGET, sample_weight=WEIGHTS, **options), expected)
    parts = [Moments.of(UNITS[i], TARGET[i], WEIGHTS[i]) for i in (slice(0, 15), slice(15, N))]
    same(LearningRateReport.from_moments(sum(parts), **options), expected)
    columns = sparse.csc_array(UNITS)
    same(learning_rate_report(columns, TARGET, sample_weight=WEIGHTS, **options), expected)


def test_dask_arrays_give_the_same():
    dask_array = pytest.importorskip("dask.array")
    blocks = dask_array.from_array(UNITS, chunks=(11, D)), dask_array.from_array(TARGET, chunks=11)
    expected = learning_rate_report(UNITS, TARGET)
    same(learning_rate_report(*blocks), expected)
    near = np.column_stack([UNITS, UNITS[:, 0] + 1e-6 * UNITS[:, 1] ** 2])
    blocks = dask_array.from_array(near, chunks=(11, D + 1)), blocks[1]
    same(learning_rate_report(*blocks), learning_rate_report(near, TARGET), rtol=1e-6)


@pytest.mark.parametrize("keep", ["moments", "qr"])
def test_a_stream_needs_no_rows(keep):
    model = GDLinearRegressor(0.01, 5, None, stream=keep)
    for part in (slice(0, 15), slice(15, N)):
        model.partial_fit(UNITS[part], TARGET[part])
    report = LearningRateReport.from_estimator(model)
    same(report, learning_rate_report(UNITS, TARGET))
    assert report.setting == (0.01, 0.0, None)


def test_from_estimator_follows_a_pipeline():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(UNITS, columns=list("abcd"))
    descent = GDLinearRegressor(0.05, 10**5, 1e-8, momentum=0.2)
    pipeline = make_pipeline(StandardScaler(), descent).fit(frame, TARGET)
    report = LearningRateReport.from_estimator(pipeline, frame, TARGET)
    same(report, learning_rate_report(UNITS, TARGET).standardised)
    assert report.feature_names == list("abcd")
    assert report.stops_after(*report.setting) == pipeline[-1].n_iter_
    whole = TransformedTargetRegressor(pipeline, transformer=StandardScaler()).fit(frame, TARGET)
    report = LearningRateReport.from_estimator(whole, frame, TARGET)
    assert report.variance == pytest.approx([1.0])
    assert report.stops_after(*report.setting) == whole.regressor_[-1].n_iter_
    assert report.first_loss == pytest.approx(whole.regressor_[-1].loss_curve_[0])


# --- Words ---


def test_from_estimator_follows_a_target_scaled_within_a_pipeline():
    target = TransformedTargetRegressor(
        GDLinearRegressor(0.1, 30, None), transformer=StandardScaler()
    )
    model = make_pipeline(StandardScaler(), target).fit(UNITS, TARGET)
    report = LearningRateReport.from_estimator(model, UNITS, TARGET)
    losses = model[-1].regressor_.loss_curve_
    np.testing.assert_allclose(report.losses(0.1, n_iter=30), losses, rtol=1e-12)


def test_it_prints_and_renders_what_it_tells():
    names = ["<img onerror=alert(1)>", "b", "c", "d"]
    report = learning_rate_report(UNITS, TARGET, feature_names=names)
    text, html = str(report), report._repr_html_()
    for line in ("limit of the rate", "condition number", "standardised", "Directions"):
        assert line in text and line in html
    assert (
        f"{report.limit():.4g}" in text and f"{report.needs(*report.best_momentum[::-1]):,}" in text
    )
    assert "<img" not in html and "&lt;img" in html
    tags = re.findall(r"<(/?)(\w+)", html)
    assert len([t for t in tags if not t[0]]) == len([t for t in tags if t[0]])
    assert re.fullmatch(
        r"<LearningRateReport: 4 columns, limit .*, condition number .*>", repr(report)
    )
    assert text.count("updates to within 1e-06 of var(y)") == 3
    wide = learning_rate_report(random.standard_normal((60, 30)), random.standard_normal(60))
    assert "more, which add less" in str(wide)
    one = learning_rate_report(UNITS[:, :1], TARGET)
    assert "for 1 column\n" in str(one) and ": 1 column," in repr(one)


def test_it_tells_of_the_estimator_it_was_made_from():
    model = fitted(UNITS, TARGET, learning_rate_report(UNITS, TARGET), 0.1, 0.0, 1e-4)
    text = str(LearningRateReport.from_estimator(model, UNITS, TARGET))
    assert "share of the limit" in text and "10%" in text
    assert re.search(rf"stops it +{model.n_iter_:,}\n", text)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.needs(0.0), "learning_rate must be a number > 0"),
        (lambda r: r.needs([0.1, -1.0]), "learning_rate must be a number > 0"),
        (lambda r: r.losses("auto"), "learning_rate must be real numbers"),
        (lambda r: r.losses(0.1, 1.0), "momentum must be a number in"),
        (lambda r: r.losses([0.1] * 3, [0.1] * 2), "momentum must fit the learning_rate"),
        (lambda r: r.losses(0.1, 0.0, -1), "n_iter must be an integer >= 0"),
        (lambda r: r.stops_after(0.1, 0.0, None), "tol must be a number >= 0, got None"),
        (lambda r: r.coefs("auto"), "learning_rate must be a number > 0"),
        (lambda r: r.limit(-0.1), "momentum must be a number in"),
    ],
)
def test_a_question_that_cannot_be_answered_names_its_parameter(call, words):
    with pytest.raises(ValueError, match=words):
        call(learning_rate_report(MIXED, TARGET))


def test_what_cannot_be_reported_on_is_refused():
    def refuses(words, call, *args, **kwargs):
        with pytest.raises(ValueError, match=words):
            call(*args, **kwargs)

    report, of = learning_rate_report, LearningRateReport.from_estimator
    refuses(
        "feature_names must have one name for each of 4", report, MIXED, TARGET, feature_names=["a"]
    )
    refuses("X has 10000 columns", report, np.ones((2, 10_000)), [1.0, 2.0])
    refuses("Input X contains NaN", report, np.full((3, 1), np.nan), [1.0, 2.0, 3.0])
    refuses(
        "fitted must be a fitted GDLinearRegressor.*Tree",
        of,
        DecisionTreeRegressor(),
        MIXED,
        TARGET,
    )
    refuses("fitted must be", of, LinearRegression().fit(MIXED, TARGET), MIXED, TARGET)
    refuses("fitted must be.*call fit first", of, GDLinearRegressor(), MIXED, TARGET)
    refuses("X and y must be given", of, GDLinearRegressor().fit(MIXED, TARGET))
    refuses("moments must be Moments", LearningRateReport.from_moments, MIXED)
    refuses("coef_init must have shape", report, MIXED, TARGET, coef_init=[1.0])


def test_where_nothing_moves_the_loss_is_the_minimum_throughout():
    X = np.arange(12.0).reshape(6, 2)
    report = learning_rate_report(X, np.zeros(6))
    np.testing.assert_array_equal(report.losses(0.1, n_iter=60), np.zeros(61))
    assert report.needs(0.01) == 0
