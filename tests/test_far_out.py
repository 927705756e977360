"""Rows far out under robust losses in "auto": how far they are changes no digit."""

import warnings
from functools import partial

import numpy as np
import pytest
from reference import exact_huber
from scipy.sparse import csr_array
from sklearn.base import clone

from gd_regressor import GDLinearRegressor, Huber, PseudoHuber, Quantile, Status
from gd_regressor.auto import far_out
from gd_regressor.robust.cut import Cut, median
from gd_regressor.robust.newton import Newton
from gd_regressor.robust.smooth import Descent

EPSILON = 1.35
LOSSES = [Huber(), Huber(3.0), Huber(0.05), PseudoHuber(1.0), PseudoHuber(0.05)]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


def table(seed=0, n=300, d=4, marked=0.03):
    """Columns, targets, and the marks of rows whose target is none, with the side of each."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + 3
    y = X @ random.standard_normal(d) + random.standard_t(3, n) + 100
    side = np.zeros(n)
    where = random.choice(n, int(marked * n), replace=False)
    side[where] = np.where(random.random(len(where)) < 0.8, 1, -1)
    return X, y, side


def filled(y, side, value):
    return np.where(side != 0, side * value, y)


# --- Truth ---


@pytest.mark.parametrize("fill", [9999.0, 1e20, 1e100])
@pytest.mark.parametrize("delta", [2.0, 0.125])
def test_coefficients_are_those_of_exact_arithmetic(delta, fill):
    """Huber's minimum solves rational equations, in which a row outside counts by its side."""
    X, y, side = table(2, n=60, d=3)
    y = filled(y, side, fill)
    model = GDLinearRegressor(loss=Huber(delta)).fit(X, y)
    left = y - model.predict(X)
    signs = [int(np.sign(r)) * int(abs(r) > delta) for r in left]
    exact = exact_huber(X, y, signs, delta)
    np.testing.assert_allclose([*model.coef_, model.intercept_], exact, rtol=1e-12, atol=1e-13)
    assert model.status_ is Status.CONVERGED


@each_loss
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("fill", [9999.0, 1e20, 1e100])
def test_the_optimality_conditions(loss, alpha, intercept, fill):
    X, y, side = table(3)
    y = filled(y, side, fill)
    weights = np.random.default_rng(3).uniform(0.2, 2, len(X))
    share = weights / weights.sum()
    model = GDLinearRegressor(
        loss=loss, alpha=alpha, l1_ratio=0, fit_intercept=intercept, tol=0
    ).fit(X, y, weights)
    assert model.status_ is Status.CONVERGED
    left, unit = y - model.predict(X), 1.0
    if isinstance(loss, PseudoHuber):
        psi = 2 * left / np.hypot(1, left / loss.delta)
        value = 2 * left * (left / (1 + np.hypot(1, left / loss.delta)))
    else:
        unit = model.scale_ if loss.delta == "auto" else 1.0
        delta = EPSILON * unit if loss.delta == "auto" else loss.delta
        psi = 2 * np.clip(left, -delta, delta) / unit
        near = np.minimum(np.abs(left), delta)
        value = near * (2 * np.abs(left) - near) / unit + (unit if loss.delta == "auto" else 0)
        np.testing.assert_array_equal(model.outliers_, np.abs(left) > delta)
    slope = -X.T @ (share * psi) + 2 * alpha * model.coef_
    assert (np.abs(slope) <= 1e-9 * np.abs(psi).max() * (np.abs(X.T) @ share)).all()
    objective = share @ value + alpha * model.coef_ @ model.coef_
    assert model.loss_curve_[-1] == pytest.approx(objective, rel=1e-12)
    if isinstance(loss, Huber) and loss.delta == "auto":  # the derivative by the scale
        inside = np.minimum(np.abs(left) / unit, EPSILON) ** 2
        assert share @ inside == pytest.approx(1, abs=1e-11)


@each_loss
@pytest.mark.parametrize("n", [60, 20_000])
def test_how_far_a_row_is_beyond_the_fit_changes_nothing(loss, n):
    """A row that moves away from the fit keeps its side, and so its slope (Huber 1981, 7.8)."""
    X, y, side = table(4, n=n)
    # From so far on the smooth loss, too, has the slope of a line
    fits = [
        GDLinearRegressor(loss=loss).fit(X, filled(y, side, fill)) for fill in (3e7, 1e20, 1e100)
    ]
    near = fits[0]
    spread = np.median(np.abs(y - np.median(y)))
    for far in fits:
        np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(far.intercept_, near.intercept_, rtol=1e-11)
        assert getattr(far, "scale_", 1) == pytest.approx(getattr(near, "scale_", 1), rel=1e-12)
        assert far.status_ is Status.CONVERGED
        assert 0 <= far.dual_gap_ <= 1e-11 * spread ** (1 if hasattr(far, "scale_") else 2)


def test_far_rows_do_not_loosen_tol():
    """V is nearly that of the other rows, so the gap of 9999s is as small as without them."""
    X, y, side = table(5)
    marked = filled(y, side, -9999.0)
    for loss in LOSSES[1:]:
        model = GDLinearRegressor(loss=loss).fit(X, marked)
        assert 2 * model.dual_gap_ <= 1e-12 * 5 * y.var() < 1e-12 * marked.var() / 100
    with pytest.warns(match="times the robust deviation above the minimum"):
        GDLinearRegressor(loss=Huber(), max_iter=1).fit(X, marked)


def test_a_weighted_median_counts_repetitions():
    random = np.random.default_rng(13)
    for n in range(1, 30):
        values, counts = random.integers(0, 9, n) / 4, random.integers(1, 4, n)
        assert median(values, counts.astype(float)) == np.median(np.repeat(values, counts))
        assert median(values) == np.median(values)
    assert median(np.zeros(0)) == 0


# --- Sides ---


@each_loss
def test_rows_far_out_that_the_fit_comes_near_are_not_moved(loss, monkeypatch):
    """Rows of wide columns: their targets are as far out, and all of them lie near the fit."""
    X, y, _ = table(6)
    slope = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]
    X[:5] *= 1e9
    y[:5] = X[:5] @ slope[:4] + slope[4] + y[5:10] / 100
    assert (np.abs(y[:5] - np.median(y)) > 1e6 * y[5:].std()).any()
    model = GDLinearRegressor(loss=loss).fit(X, y)
    monkeypatch.setattr(far_out, "FAR_OUT", np.inf)
    plain = GDLinearRegressor(loss=loss).fit(X, y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.status_ is plain.status_


@pytest.mark.filterwarnings("ignore:Rounding hides")  # the widest rows leave few digits of F
@each_loss
def test_marks_beside_rows_that_are_far_out_with_reason(loss):
    """The reach grows until it leaves the rows alone that the fit comes near."""
    X, y, side = table(7)
    slope = np.array([1.0, -1, 2, 0.5])
    free = np.flatnonzero(side == 0)[:5]
    X[free] *= 1e6
    y = X @ slope + y / 100
    fits = [GDLinearRegressor(loss=loss).fit(X, filled(y, side, v)) for v in (1e14, 1e20, 1e60)]
    for far in fits:
        np.testing.assert_allclose(far.coef_, slope, atol=0.1)
        np.testing.assert_allclose(far.coef_, fits[0].coef_, rtol=1e-7)


def test_a_mark_in_every_tenth_row_is_no_median():
    """A sample of rows must not fall in step with the marks."""
    X, y, side = table(8, n=10_240, marked=0)
    side[::10] = 1
    for loss in (Huber(), Huber(1.0), PseudoHuber(1.0), Quantile(0.5)):
        near, far = (
            GDLinearRegressor(loss=loss).fit(X, filled(y, side, fill)) for fill in (1e8, 1e40)
        )
        np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-10)
        assert far.status_ is Status.CONVERGED


def test_a_target_that_is_mostly_zero_has_a_spread():
    X, y, side = table(9)
    y -= y.mean()
    y[: len(y) * 6 // 10] = 0.0
    for loss in (Huber(1.0), PseudoHuber(1.0), Quantile(0.3)):
        near, far = (
            GDLinearRegressor(loss=loss, fit_intercept=False).fit(X, filled(y, side, fill))
            for fill in (1e8, 1e40)
        )
        np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-10)
        assert far.status_ is Status.CONVERGED


def test_where_rows_far_out_take_the_digits_no_column_is_blamed():
    """Beside columns and marks of such sizes the errors are rounding."""
    random = np.random.default_rng(12)
    X = 1e8 + 1e5 * random.standard_normal((2000, 1))
    y, side = X[:, 0] + random.standard_normal(2000), random.random(2000) < 0.2
    with pytest.warns(UserWarning, match=r"Rounding hides .* Drop rows that are far out"):
        model = GDLinearRegressor(loss="huber").fit(X, filled(y, side, -1e10))
    assert model.condition_number_ < 10 and "depend" not in model.message_


def test_where_the_search_on_moved_rows_ends_before_the_minimum_another_goes_on():
    """Three rows of eight are far from the median. On moved rows the gap was a quarter of F."""
    X = [[0, 1], [-2, 2], [0, -1], [1, 0], [-1, -1], [1, 0], [0, 0], [0, 1]]
    y = np.array([1e8, 0, 0, 1e8, 0, 1e8, 1e8, 1e8])
    y += [-1.2855e-3, -5.071381439395005e-05, 0.0005612222395072978, -1.53846e-3] + [
        -0.0014720325313259876,
        6.3545e-4,
        -1.80694e-3,
        -1.33935e-3,
    ]
    model = GDLinearRegressor(loss=Quantile(), alpha=0.0186415764387744, l1_ratio=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last digits are open
        model.fit(X, y)
    assert model.dual_gap_ < 1e-10 * model.loss_curve_[-1]


def test_a_target_that_is_constant_but_for_three_rows_leaves_a_ridge_nothing_to_do():
    """The dual points of the other rows hold the three, so zero is the minimum, to the last bit."""
    X, y, _ = table(11, n=2000)
    y[:] = 3.0
    y[:3] = [1e3, -5.0, 1e9]
    model = GDLinearRegressor(loss=Quantile(0.9), alpha=8.0, l1_ratio=0.0).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert not model.coef_.any() and model.intercept_ == 3.0


# --- Routes ---


@each_loss
def test_all_routes_agree(loss, tmp_path):
    X, y, side = table(10)
    X[np.abs(X) < 1] = 0.0
    counts = np.random.default_rng(10).integers(0, 3, len(X))
    # Each target has marks of its own
    Y = np.column_stack([filled(y, side, 1e36), filled(2 * y, side[::-1], 1e30), y])
    make = GDLinearRegressor(loss=loss, tol=0)
    first = clone(make).fit(X, Y, counts)
    repeated = np.repeat(np.arange(len(X)), counts)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    before = Y.copy()
    for data in ((X[repeated], Y[repeated]), (csr_array(X), Y, counts), (mapped, Y, counts)):
        other = clone(make).fit(*data)
        np.testing.assert_allclose(other.coef_, first.coef_, rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(Y, before)
    for j in range(3):
        one = clone(make).fit(X, Y[:, j], counts)
        np.testing.assert_allclose(one.coef_, first.coef_[j], rtol=1e-9, atol=1e-10)
    single = clone(make).fit(X.astype("f4"), Y.astype("f4"), counts)
    np.testing.assert_allclose(single.coef_, first.coef_, rtol=1e-4, atol=1e-5)


@each_loss
def test_rows_on_a_cluster(loss):
    da = pytest.importorskip("dask.array")
    X, y, side = table(11)
    y = filled(y, side, 1e20)
    here = GDLinearRegressor(loss=loss).fit(X, y)
    there = GDLinearRegressor(loss=loss)
    there.fit(da.from_array(X, chunks=(110, 4)), da.from_array(y, chunks=110))
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-10)
    assert there.status_ is Status.CONVERGED


def test_starts_and_verbose_words_speak_of_all_rows(capsys):
    X, y, side = table(12)
    y = filled(y, side, 1e20)
    first = GDLinearRegressor(loss="huber", verbose=1).fit(X, y)
    assert f"loss {first.loss_curve_[-1]:.10g}" in capsys.readouterr().out
    started = GDLinearRegressor(loss="huber").fit(X, y, coef_init=100 * np.ones(4))
    np.testing.assert_allclose(started.coef_, first.coef_, rtol=1e-11)
    again = GDLinearRegressor(loss="huber", warm_start=True).fit(X, y).fit(X, y)
    np.testing.assert_allclose(again.coef_, first.coef_, rtol=1e-11)


# --- Interrupts ---


def interrupted_at(monkeypatch, owner, name, call, fit):
    """Fit, with a KeyboardInterrupt at the `call`-th call of a method; whether it came."""
    method, left = getattr(owner, name), [call]

    def interrupting(*args):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return method(*args)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupting)
        try:
            fit()
        except KeyboardInterrupt:
            return True
    return False


@each_loss
def test_an_interrupt_keeps_the_last_complete_update(loss, monkeypatch):
    """As on a table without rows far out: none is complete while the descent looks for sides."""
    X, y, side = table(14)
    y = filled(y, side, 1e20)
    owner = Descent if isinstance(loss, PseudoHuber) else Newton
    model = GDLinearRegressor(loss=loss, max_iter=4, tol=None)
    kept, call = [], 1
    while interrupted_at(monkeypatch, owner, "step", call, partial(model.fit, X, y)):
        assert model.status_ is Status.INTERRUPTED
        whole = clone(model).set_params(max_iter=model.n_iter_).fit(X, y)
        np.testing.assert_array_equal(model.coef_, whole.coef_)
        np.testing.assert_array_equal(model.loss_curve_, whole.loss_curve_)
        kept.append(model.n_iter_)
        model, call = clone(model), call + 1
    assert kept == sorted(kept) and kept.count(0) > 1 and set(kept) == set(range(max(kept) + 1))


@pytest.mark.parametrize("loss", [Huber(), PseudoHuber(1.0)], ids=str)
def test_an_interrupt_while_the_reach_grows_keeps_the_start(loss, monkeypatch):
    """The first pass that moves rows tells what the start is. The others need not end."""
    X, y, side = table(7)
    slope = np.array([1.0, -1, 2, 0.5])
    free = np.flatnonzero(side == 0)[:5]
    X[free] *= 1e6
    y = filled(X @ slope + y / 100, side, 1e14)
    start, model = np.array([3.0, 1, -2, 5]), GDLinearRegressor(loss=loss)

    def fit():
        model.fit(X, y, coef_init=start, intercept_init=2.0)

    assert interrupted_at(monkeypatch, Cut, "__call__", 2, fit)
    assert (model.status_, model.n_iter_) == (Status.INTERRUPTED, 0)
    np.testing.assert_allclose(model.coef_, start, rtol=1e-15)
    # The descent counts from the mean of the moved targets, which rounds it
    assert model.intercept_ == pytest.approx(2.0, abs=1e-6)
