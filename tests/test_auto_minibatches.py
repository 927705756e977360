"""learning_rate="auto" in mini-batches: a rate and a metric of its own, and the tail averaged."""

import re
import warnings

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array, random_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import GDLinearRegressor, Nesterov, Status
from gd_regressor.auto.by_batches import noise_of
from gd_regressor.data.batches import Order, ShuffledRows
from gd_regressor.data.inputs import rows_of
from gd_regressor.data.moments import Moments
from gd_regressor.descent.epochs import MetricEpochs
from gd_regressor.metric.factor import Factor
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_batches import FramedBatches, LossBatches

random = np.random.default_rng(3)
N, D = 20_000, 8
EASY = random.standard_normal((N, D))
NOISE = random.standard_normal(N)
Y = EASY @ np.arange(1.0, D + 1) + NOISE
WEIGHTS = random.integers(0, 4, N).astype(float)


def table(condition, n=100_000, d=20):
    """Columns whose covariance has eigenvalues 1 to 1 / condition^2, and a line with 2 % noise."""
    q, _ = np.linalg.qr(random.standard_normal((d, d)))
    X = random.standard_normal((n, d)) * np.geomspace(1, 1 / condition, d) @ q
    y = X @ random.standard_normal(d)
    return X, y + np.sqrt(0.02) * y.std() * random.standard_normal(n)


def above(model, X, y, weights=None):
    """How far a model is above the minimum, as a share of the variance."""
    w = np.ones(len(y)) if weights is None else weights
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    A = np.column_stack([X - X.mean(axis=0), np.ones(len(y))]) * np.sqrt(w)[:, None]
    A /= np.linalg.norm(A, axis=0) + (A == 0).all(axis=0)
    best = np.linalg.lstsq(A.T @ A, A.T @ (np.sqrt(w) * y), rcond=1e-13)[0]
    least = ((np.sqrt(w) * y - A @ best) ** 2).sum()
    left = y - X @ model.coef_.astype(float) - model.intercept_
    variance = np.average((y - np.average(y, weights=w)) ** 2, weights=w)
    return ((w * left**2).sum() - least) / w.sum() / variance


def told_by(model):
    """The distance from the minimum that a message tells, as a share of the variance."""
    pattern = r"about (\S+) (%|times) (of )?the variance above the minimum\."
    number, unit, _ = re.search(pattern, model.message_).groups()
    return float(number) / (100 if unit == "%" else 1)


def auto(size=256, **options):
    return GDLinearRegressor(batch_size=size, random_state=0, **options)


# --- How near ---


@pytest.mark.parametrize("condition", [10, 1000])
def test_one_epoch_comes_within_a_ten_thousandth_of_the_variance(condition):
    X, y = table(condition)
    model = auto().fit(X, y)
    distance = above(model, X, y)
    assert 0 < distance < 1e-4
    assert model.n_iter_ == 1 and model.status_ is Status.CONVERGED and model.metric_ == "sketch"
    assert model.message_.startswith("After 1 epoch the loss is about ")
    assert told_by(model) == pytest.approx(distance, rel=0.5)
    assert condition / 2 < model.condition_number_ < 2 * condition
    assert model.rank_ == X.shape[1] and not hasattr(model, "max_learning_rate_")


@pytest.mark.parametrize("size", [1, 32, 0.2, 1.0])
def test_batches_of_any_size_come_near(size):
    X, y = EASY[:4000], Y[:4000]
    assert 0 < above(auto(size).fit(X, y), X, y) < 1e-3


def test_the_message_tells_the_distance_to_within_a_half():
    for epochs in (1, 3):
        model = auto(tol=None, max_iter=epochs).fit(EASY, Y)
        assert told_by(model) == pytest.approx(above(model, EASY, Y), rel=0.5)
        said = "1 epoch was made" if epochs == 1 else f"All {epochs} epochs were made"
        assert model.message_.startswith(said)


def test_more_epochs_come_nearer_and_a_tol_asks_for_them():
    few, many = (above(auto(tol=None, max_iter=k).fit(EASY, Y), EASY, Y) for k in (1, 16))
    assert many < few / 16  # the tail's mean falls as one by the epochs, or faster
    model = auto(tol=1e-8).fit(EASY, Y)
    assert model.n_iter_ > 1 and above(model, EASY, Y) < 1e-8
    assert model.status_ is Status.CONVERGED
    with pytest.warns(ConvergenceWarning, match="max_iter=1 epoch .* Raise max_iter"):
        auto(tol=1e-9, max_iter=1).fit(EASY, Y)


def test_a_run_that_stays_above_tol_has_not_converged():
    """However long its loss does not fall: n_iter_no_change ends no run of this mode."""
    X, y = EASY[:300], NOISE[:300]
    with pytest.warns(ConvergenceWarning, match=r"max_iter=40 epochs .* above the minimum\."):
        model = auto(tol=1e-9, max_iter=40, n_iter_no_change=1).fit(X, y)
    assert model.status_ is Status.MAX_ITER and above(model, X, y) > 1e-9
    assert (np.diff(model.loss_curve_) > 0).any()
    assert told_by(model) == pytest.approx(above(model, X, y), rel=0.5)


def test_units_and_offsets_change_nothing():
    plain = auto().fit(EASY, Y)
    units, offset = 10.0 ** random.integers(-6, 7, D), random.integers(-50, 50, D)
    model = auto().fit((EASY + offset) * units, 1e3 * Y)
    np.testing.assert_allclose(model.coef_ * units / 1e3, plain.coef_, rtol=1e-3)
    assert above(model, (EASY + offset) * units, 1e3 * Y) < 1e-4
    milliseconds = 1.7e12 + 1e9 * EASY[:, 0]
    X = np.column_stack([milliseconds, EASY[:, 1:]])
    assert above(auto().fit(X, Y), X, Y) < 1e-4


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e8])
def test_columns_far_from_zero_do_no_harm(offset):
    model, near = auto().fit(EASY + offset, Y), auto().fit(EASY, Y)
    np.testing.assert_allclose(model.coef_, near.coef_, rtol=1e-13 * offset)
    exact = GDLinearRegressor().fit(EASY + offset, Y)
    assert model.loss_curve_[-1] - exact.loss_curve_[-1] < 1e-6 * Y.var()


@pytest.mark.parametrize("share", [1e-2, 1e-3, 2e-4])
@pytest.mark.parametrize("size", [1, 32, 256])
def test_rare_categories_do_not_diverge(share, size):
    X = np.column_stack([EASY[:, :3], random.random(N) < share])
    y = X @ [1.0, 2.0, 3.0, 10.0] + NOISE
    model = auto(size, max_iter=300).fit(X, y)
    assert model.status_ is Status.CONVERGED and 0 < above(model, X, y) < 1e-3


def test_heavy_rows_do_not_diverge():
    X = random.standard_t(1.5, (N, 4))
    y = X @ np.ones(4) + NOISE
    for weights in (None, np.exp(2 * random.standard_normal(N))):
        model = auto(32, max_iter=300).fit(X, y, weights)
        assert model.status_ is Status.CONVERGED and 0 < above(model, X, y, weights) < 1e-3


# --- The parts ---


def test_the_noise_is_that_of_the_rows():
    """The largest eigenvalue of the mean of |z|^2 z z', by all rows."""
    n = 4000
    for X in (EASY[:n], random.standard_t(2, (n, 5)), np.eye(n)[:, :3] + 1e-3 * EASY[:n, :3]):
        rows = rows_of(X, NOISE[:n], None)
        moments = Moments.of_rows(rows)
        factor = Factor.of(moments)
        found = noise_of(rows, Frame.of(moments, factor.scale, True), factor, 0)
        root = np.linalg.cholesky(np.cov(X.T, bias=True))
        z = np.column_stack([np.linalg.solve(root, (X - X.mean(axis=0)).T).T, np.ones(n)])
        exact = np.linalg.eigvalsh((z * (z**2).sum(axis=1)[:, None]).T @ z / n)[-1]
        exact = max(exact, X.shape[1] + 3)
        assert 0.6 * exact < found < 1.5 * exact


def test_epochs_are_the_loop_and_windows_are_its_tail():
    n, size, rate = 50, 8, 0.3
    X, y = EASY[:n, :3] * [1.0, 20.0, 0.1] + 5, Y[:n]
    rows = rows_of(X, y, None)
    moments = Moments.of_rows(rows)
    factor = Factor.of(moments)
    frame = Frame.of(moments, factor.scale, True)
    order = Order(size, True, 1)
    batches = FramedBatches(LossBatches(ShuffledRows(rows, order)), frame)
    step = MetricEpochs(factor, rate, batches, 7)
    state, theta, points = step.start(np.zeros((4, 1))), np.zeros(4), []
    A = np.column_stack([(X - X.mean(axis=0)) / factor.scale, np.ones(n)])
    P = np.linalg.inv(2 / n * A.T @ A)
    nothing = type("", (), {"value_and_gradient": lambda self, theta: (0, 0)})()
    for epoch in range(1, 10):
        state = step.next(state, None, nothing)[-1]
        where = order.of_epoch(epoch, n, n)
        for rows in (where[k : k + size] for k in range(0, n, size)):
            left = A[rows] @ theta - (y[rows] - y.mean())
            theta = theta - rate * P @ (2 / len(rows) * A[rows].T @ left)
            points.append(theta)
        first = {1: 3, 2: 3, 3: 7, 4: 7, 5: 14, 6: 14, 7: 14, 8: 14, 9: 28}[epoch]
        mean = np.mean(points[first:], axis=0)
        np.testing.assert_allclose(state.shown[:, 0], mean, rtol=1e-10, atol=1e-10)
        assert len(points) / 4 - 7 <= first <= len(points) / 2


# --- The rows ---


def test_every_kind_of_table_comes_near(tmp_path):
    X = np.where(random.random((N, D)) < 0.4, EASY, 0.0)
    y = X @ np.ones(D) + NOISE / 4
    on_disk = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
    on_disk[:] = X
    tables = {
        "fortran": np.asfortranarray(X),
        "csr": csr_array(X),
        "csc": csc_array(X),
        "memmap": on_disk,
        "single": X.astype(np.float32),
    }
    for name, one in tables.items():
        for weights in (None, WEIGHTS):
            model = auto().fit(one, y, weights)
            assert 0 < above(model, X, y, weights) < 1e-4, name
    assert model.coef_.dtype == np.float32
    no_intercept = auto(fit_intercept=False).fit(X, y)
    least = ((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).mean()
    assert 0 < no_intercept.loss_curve_[-1] - least < 1e-4 * (y**2).mean()


def test_targets_descend_beside_each_other():
    both = auto().fit(EASY, np.column_stack([Y, NOISE]))
    for k, y in enumerate([Y, NOISE]):
        np.testing.assert_allclose(both.coef_[k], auto().fit(EASY, y).coef_, rtol=1e-9, atol=1e-9)


def test_columns_that_depend_on_others_share_their_coefficient():
    X = np.column_stack([EASY[:, :3], EASY[:, 0], np.ones(N), EASY[:, 1] + 1e-9 * EASY[:, 5]])
    model = auto().fit(X, EASY[:, 0] + NOISE)
    assert model.coef_[0] == pytest.approx(model.coef_[3], rel=1e-6)
    assert model.coef_[4] == 0 and model.rank_ == 4
    assert 0 < above(model, X, EASY[:, 0] + NOISE) < 1e-4


def test_more_columns_than_rows():
    X = random.standard_normal((40, 60))
    model = auto(8).fit(X, Y[:40])
    assert model.loss_curve_[-1] < 1e-3 * Y[:40].var()


@pytest.mark.parametrize("n", [60, N])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_nan_passes_unseen(n, weights, bad):
    weights = None if weights is None else weights[:n]
    for where in ("X", "y"):
        X, y = EASY[:n].copy(), Y[:n].copy()
        (X[:, 2] if where == "X" else y)[n // 2] = bad
        with pytest.raises(ValueError, match=r"NaN|infin"):
            auto().fit(X, y, weights)


def test_the_seed_makes_the_run():
    one, same = (auto().fit(EASY, Y).coef_ for _ in range(2))
    other = auto().set_params(random_state=1).fit(EASY, Y).coef_
    assert (one == same).all() and (one != other).any()


# --- The estimator ---


def test_a_start_counts():
    best = GDLinearRegressor().fit(EASY, Y)
    model = auto(tol=None, max_iter=0).fit(EASY, Y, None, best.coef_, best.intercept_)
    assert (model.coef_ == best.coef_).all()
    model.set_params(max_iter=1).fit(EASY, Y, None, best.coef_, best.intercept_)
    assert model.loss_curve_[0] == pytest.approx(best.loss_curve_[-1], rel=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_ridge_is_part_of_the_loss(fit_intercept):
    """Near the minimum of F with it, also where columns depend on each other or are many."""
    near = np.column_stack([EASY, EASY[:, 0] + 1e-7 * EASY[:, 1], EASY[:, 2]]) + 1.0
    wide = random.standard_normal((50, 80))
    for X, y, size in ((EASY + 1.0, Y, 256), (near, Y, 256), (wide, Y[:50], 10)):
        both = np.column_stack([y, y[::-1]])
        weights = np.linspace(0.5, 2.0, X.shape[1])
        options = {"alpha": 0.1, "l1_ratio": 0, "fit_intercept": fit_intercept}
        options["penalty_weights"] = weights
        exact = GDLinearRegressor(**options).fit(X, both)
        tables = [X] if X is wide else [X, csr_array(X), X.astype(np.float32)]
        for one in tables:
            model = auto(size, **options).fit(one, both)
            assert 0 < model.loss_curve_[-1] - exact.loss_curve_[-1] < 1e-3 * y.var()
            assert model.status_ is Status.CONVERGED and not hasattr(model, "dual_gap_")
        left = both - model.predict(X)
        ridge = 0.1 * (weights * model.coef_**2).sum(axis=1).mean()
        assert model.loss_curve_[-1] == pytest.approx((left**2).mean() + ridge, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"alpha": 0.1},
            r"batch_size=256 with .*auto.* alpha=0\.1 and l1_ratio=0\.5, .* l1_ratio=0",
        ),
        ({"alpha": [0.1, 0.2], "l1_ratio": 0}, r"alpha=\[0\.1, 0\.2\] .* one alpha"),
        ({"positive": True}, "batch_size=256 with .*auto.* positive=True, because"),
        ({"momentum": 0.5}, "momentum=0.5 cannot be combined with"),
        ({"momentum": Nesterov(0.5)}, r"momentum=Nesterov\(.*\) cannot be combined with"),
        ({"average": True}, "average=True cannot .* which averages by itself"),
        ({"early_stopping": True}, "early_stopping=True cannot be combined with"),
        ({"loss": "huber"}, 'loss="huber" cannot be .*"auto" and a batch_size, whose metric'),
    ],
)
def test_what_does_not_go_together_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        auto(**options).fit(EASY, Y)


def test_chunks_are_no_way_to_learn_and_very_wide_sparse_tables_are_refused():
    assert not hasattr(auto(), "partial_fit") and hasattr(GDLinearRegressor(), "partial_fit")
    assert hasattr(auto(learning_rate=0.1), "partial_fit")
    with pytest.raises(AttributeError) as refused:
        auto().partial_fit(EASY, Y)
    assert re.search(
        r"batch_size=256 reads all rows .* batch_size=None", str(refused.value.__cause__)
    )
    X = random_array((50, 2001), density=0.01, format="csr", rng=0)
    with pytest.raises(ValueError, match=r"2001 sparse columns, more than 2000; choose columns"):
        auto().fit(X, Y[:50])


def test_callbacks_see_epochs_in_raw_coordinates(capsys):
    auto(tol=None, max_iter=2, verbose=1).fit(EASY, Y)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", str(k)] for k in range(3)]
    assert last.startswith("2 epochs")


# A check sets alpha
@parametrize_with_checks([auto(8, l1_ratio=0), auto(0.3, l1_ratio=0, fit_intercept=False)])
def test_checks_of_scikit_learn(estimator, check):
    if "sample_weight_equivalence" in str(check):
        # A row of weight 2 is two rows in expectation only, unless a batch has all rows
        estimator.set_params(batch_size=1.0, tol=1e-24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)
