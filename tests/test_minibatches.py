"""Mini-batches: small updates by a few rows at a time, whose path counts epochs."""

import pickle
import re
import warnings

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array
from sklearn.base import clone
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import (
    Adaptive,
    Cosine,
    DivergenceWarning,
    GDLinearRegressor,
    InverseScaling,
    Moments,
    Nesterov,
    Status,
    WarmUp,
)
from gd_regressor.data import batches as data_batches
from gd_regressor.data.batches import Order, ShuffledRows
from gd_regressor.data.inputs import rows_of
from gd_regressor.objective.on_batches import LossBatches

random = np.random.default_rng(5)
N, D = 53, 4
X = random.standard_normal((N, D)) * [1.0, 2.0, 0.5, 1.0] + [1.0, 0.0, -2.0, 0.0]
Y = np.column_stack([X @ [1.0, 2.0, 3.0, 0.0] + 1, np.zeros(N)]) + random.standard_normal((N, 2))
WEIGHTS = random.integers(0, 4, N).astype(float)
SEED = int(np.random.RandomState(0).randint(2**31 - 1))  # what random_state=0 gives


def order_of(epoch, n):
    return np.random.default_rng([SEED, epoch]).permutation(n)


def reference(columns, targets, rate, size, n_epochs, *, share=0.0, ahead=False, first=0, **more):
    """The textbook's loop over batches, `rate(t, epoch)`: the last point and F after each epoch."""
    order, move, prox = (more.get(k, d) for k, d in (("order", order_of), ("move", 0), ("prox", 0)))
    A, n = np.column_stack([columns, np.ones(len(columns))]), len(columns)
    theta, velocity, total, t, kept = np.zeros((A.shape[1], targets.shape[1])), 0, 0, 0, 0
    shown, losses = theta, [(targets**2).mean()]
    for epoch in range(1, n_epochs + 1):
        where = order(epoch, n)
        for rows in (where[i : i + size] for i in range(0, n, size)):
            t += 1
            there = theta + share * velocity if ahead and prox else theta
            gradient = 2 / len(rows) * A[rows].T @ (A[rows] @ there - targets[rows])
            push = -rate(t, epoch) * (gradient + (move(theta) if move else 0))
            velocity = share * velocity + push
            last, theta = (
                theta,
                theta + (share * velocity + push if ahead and not prox else velocity),
            )
            if prox:
                theta = prox(theta, rate(t, epoch))
                velocity = theta - last
            if first and epoch >= first:
                total, kept = total + theta, kept + 1
        shown = total / kept if kept else theta
        losses.append(((A @ shown - targets) ** 2).mean())
    return shown, np.array(losses)


def assert_is(model, theta, losses=None, rtol=1e-12):
    found = np.vstack([np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)])
    np.testing.assert_allclose(found, theta, rtol=rtol, atol=rtol)
    if losses is not None:
        np.testing.assert_allclose(model.loss_curve_, losses, rtol=rtol)


# --- The loop ---


@pytest.mark.parametrize("average", [False, True, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.5, Nesterov(0.5)], ids=["plain", "ball", "nesterov"])
@pytest.mark.parametrize("size", [1, 7, N, 0.3, 1.0])
def test_a_run_is_the_loop_of_the_textbooks(size, momentum, average):
    options = {"batch_size": size, "momentum": momentum, "average": average, "random_state": 0}
    model = GDLinearRegressor(0.003, 5, None, **options).fit(X, Y)
    rows = size if isinstance(size, int) else round(size * N)
    share = 0.5 * (momentum != 0)
    ahead = isinstance(momentum, Nesterov)
    theta, losses = reference(
        X, Y, lambda *_: 0.003, rows, 5, share=share, ahead=ahead, first=int(average)
    )
    assert_is(model, theta, losses)
    assert model.n_iter_ == 5 and model.status_ is Status.MAX_ITER
    assert model.message_.startswith("All 5 epochs were made")
    assert not hasattr(model, "max_learning_rate_")


def test_a_schedule_counts_updates_or_epochs():
    size, batches = 10, 6
    for schedule, rate in [
        (InverseScaling(0.02, 0.4), lambda t, epoch: 0.02 / t**0.4),
        (Cosine(0.02, 4), lambda t, epoch: 0.01 * (1 + np.cos(np.pi * min(epoch - 1, 4) / 4))),
        (WarmUp(0.02, 2 * batches), lambda t, epoch: 0.02 * min(t / 2 / batches, 1)),
    ]:
        model = GDLinearRegressor(schedule, 6, None, batch_size=size, random_state=0).fit(X, Y)
        assert_is(model, *reference(X, Y, rate, size, 6))


def test_adaptive_watches_the_loss_on_all_rows():
    """Halved after an epoch that did not lower F below the best of this rate."""
    options = {"batch_size": 4, "random_state": 0}
    model = GDLinearRegressor(Adaptive(0.05), 12, None, **options).fit(X, Y[:, 0])
    rates, best = [0.05], model.loss_curve_[0]
    for loss in model.loss_curve_[1:]:
        rates.append(rates[-1] if loss < best else rates[-1] / 2)
        best = loss
    assert rates[-1] < 0.05
    theta, losses = reference(X, Y[:, :1], lambda t, epoch: rates[epoch - 1], 4, 12)
    assert_is(model, theta, losses)


def test_one_batch_of_all_rows_is_the_descent_on_all_rows():
    whole = GDLinearRegressor(0.02, 20, None, momentum=0.3).fit(X, Y, WEIGHTS)
    model = GDLinearRegressor(0.02, 20, None, momentum=0.3, batch_size=10**9).fit(X, Y, WEIGHTS)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, whole.loss_curve_, rtol=1e-12)


def test_rows_that_agree_lead_to_their_line_without_an_end_to_the_fall():
    """Where all residuals are zero at the minimum nothing is noisy (Strohmer, Vershynin 2009).

    With rate 1 / max |x|^2 an update never increases the distance from the line.
    """
    truth = np.array([1.0, -2.0, 3.0, 0.5])
    rate = 1 / ((X**2).sum(axis=1).max() + 1)
    model = GDLinearRegressor(rate, 800, None, batch_size=1, random_state=0).fit(X, X @ truth + 4)
    np.testing.assert_allclose([*model.coef_, model.intercept_], [*truth, 4.0], rtol=1e-9)


# --- The rows ---


def test_an_epoch_has_each_row_once_in_a_new_order():
    order = Order(8, True, 3)
    first, second = (order.of_epoch(epoch, 100, 100) for epoch in (1, 2))
    assert sorted(first) == sorted(second) == list(range(100))
    assert (first != second).any() and (order.of_epoch(1, 100, 100) == first).all()
    assert (Order(8, False, 3).of_epoch(2, 100, 100) == np.arange(100)).all()


@pytest.mark.parametrize("n", [1, 12, 100, 103])
def test_on_disk_stretches_stay_together_and_are_shuffled(n):
    order = Order(8, True, 3).of_epoch(1, n, 12)
    assert sorted(order) == list(range(n))
    stretch = order // 12
    assert len(np.flatnonzero(np.diff(stretch))) == (n - 1) // 12
    assert n < 24 or (np.diff(order) != 1).any()


def test_the_seed_makes_the_run():
    model = GDLinearRegressor(0.01, 3, None, batch_size=5)
    same = [clone(model).set_params(random_state=1).fit(X, Y).coef_ for _ in range(2)]
    other = clone(model).set_params(random_state=2).fit(X, Y).coef_
    assert (same[0] == same[1]).all() and (same[0] != other).any()
    generator = np.random.RandomState(1)
    drawn = [clone(model).set_params(random_state=generator).fit(X, Y).coef_ for _ in range(2)]
    assert (drawn[0] == same[0]).all() and (drawn[1] != same[0]).any()
    in_order = clone(model).set_params(shuffle=False).fit(X, Y)
    theta, losses = reference(X, Y, lambda *_: 0.01, 5, 3, order=lambda _, n: np.arange(n))
    assert_is(in_order, theta, losses)


def kinds(columns, tmp_path):
    on_disk = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=columns.shape)
    on_disk[:] = columns
    return {
        "fortran": np.asfortranarray(columns),
        "csr": csr_array(columns),
        "csc": csc_array(columns),
        "memmap": on_disk,
        "single": columns.astype(np.float32),
    }


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("few", [False, True], ids=["at once", "in parts"])
def test_every_kind_of_table_makes_the_same_updates(
    few, fit_intercept, weights, tmp_path, monkeypatch
):
    columns = np.where(random.random((N, D)) < 0.5, X, 0.0).astype(np.float32).astype(float)
    model = GDLinearRegressor(0.01, 4, None, batch_size=9, fit_intercept=fit_intercept)
    model.set_params(random_state=0, momentum=0.3, average=2)
    base = clone(model).fit(columns, Y, weights)
    if few:  # a batch of nine rows comes in three parts
        monkeypatch.setattr(data_batches, "GATHERED", 4 * (D + 2))
    for name, table in kinds(columns, tmp_path).items():
        fitted = clone(model).fit(table, Y, weights)
        rtol = 1e-5 if name == "single" else 1e-12
        np.testing.assert_allclose(fitted.coef_, base.coef_, rtol=rtol, err_msg=name)
        np.testing.assert_allclose(fitted.loss_curve_, base.loss_curve_, rtol=1e-12, err_msg=name)
    assert clone(model).fit(columns.astype(np.float32), Y).coef_.dtype == np.float32


def test_a_memory_map_is_read_in_shuffled_stretches(tmp_path, monkeypatch):
    monkeypatch.setattr(data_batches, "CONSECUTIVE", 12)
    on_disk = kinds(X, tmp_path)["memmap"]
    model = GDLinearRegressor(0.01, 3, None, batch_size=5, random_state=0).fit(on_disk, Y)
    order = Order(5, True, SEED)

    theta, losses = reference(
        X, Y, lambda *_: 0.01, 5, 3, order=lambda epoch, n: order.of_epoch(epoch, n, 12)
    )
    assert_is(model, theta, losses)


def test_no_more_rows_are_gathered_than_fit_a_cache():
    for width in (1, 50, 10**4, 10**6):
        rows = ShuffledRows(rows_of(np.zeros((1, width)), np.zeros(1), None), Order(1, True, 0))
        assert rows.most_gathered >= 1
        assert (rows.most_gathered - 1) * (width + 1) < data_batches.GATHERED


# --- Weights ---


@pytest.mark.parametrize("size", [1, 4, 16])
def test_the_mean_gradient_of_equal_batches_is_that_of_repeated_rows(size):
    """So weights are repetitions in expectation, over the order of the rows."""
    counts = random.integers(1, 4, 48)
    columns, targets = X[:48], Y[:48]
    rows = ShuffledRows(rows_of(columns, targets, counts.astype(float)), Order(size, True, 1))
    theta = random.standard_normal((D + 1, 2))
    found = np.mean([g(theta) for g in LossBatches(rows).gradients(1)], axis=0)
    A = np.column_stack([columns, np.ones(48)]).repeat(counts, axis=0)
    exact = 2 / len(A) * A.T @ (A @ theta - targets.repeat(counts, axis=0))
    np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_weights_of_one_size_change_nothing_and_a_row_without_weight_is_none():
    model = GDLinearRegressor(0.01, 3, None, batch_size=5, random_state=0, average=True)
    plain = clone(model).fit(X, Y)
    np.testing.assert_allclose(
        clone(model).fit(X, Y, np.full(N, 7.0)).coef_, plain.coef_, rtol=1e-12
    )
    counted = WEIGHTS > 0
    left_out = clone(model).fit(X[counted], Y[counted], WEIGHTS[counted])
    np.testing.assert_allclose(clone(model).fit(X, Y, WEIGHTS).coef_, left_out.coef_, rtol=1e-12)


# --- Penalties ---


def test_a_ridge_pulls_at_each_update():
    l2 = np.array([[0.3], [0.3], [0.0], [0.6], [0.0]]) * [1.0, 2.0]

    options = {"alpha": [0.3, 0.6], "l1_ratio": 0, "penalty_weights": [1, 1, 0, 2]}
    model = GDLinearRegressor(0.01, 4, None, batch_size=6, random_state=0, **options).fit(X, Y)
    theta, losses = reference(X, Y, lambda *_: 0.01, 6, 4, move=lambda theta: 2 * l2 * theta)
    assert_is(model, theta)
    ridge = (l2 * theta**2).sum() / 2
    assert model.loss_curve_[-1] == pytest.approx(losses[-1] + ridge, rel=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, Nesterov(0.5)], ids=["plain", "ball", "nesterov"])
@pytest.mark.parametrize("positive", [False, True])
def test_an_l1_penalty_is_a_prox_at_each_update(positive, momentum):
    l1, l2 = 0.2 * 0.7, 0.2 * 0.3

    def prox(theta, rate):
        w = theta[:-1]
        w = np.maximum(w if positive else np.abs(w), 2 * rate * l1) - 2 * rate * l1
        w = w if positive else w * np.sign(theta[:-1])
        return np.vstack([w / (1 + 2 * rate * l2), theta[-1:]])

    options = {"alpha": 0.2, "l1_ratio": 0.7, "positive": positive, "random_state": 0}
    model = GDLinearRegressor(0.01, 4, None, batch_size=6, momentum=momentum, **options).fit(X, Y)
    kept = {"share": 0.5 * (momentum != 0), "ahead": isinstance(momentum, Nesterov)}
    theta, _ = reference(X, Y, lambda *_: 0.01, 6, 4, prox=prox, **kept)
    assert_is(model, theta)


def test_the_dual_gap_bounds_the_distance_from_the_minimum_of_elastic_net():
    peer = ElasticNet(0.2, l1_ratio=0.7, tol=1e-12, max_iter=10**5).fit(X, Y[:, 0])

    def objective(coef, intercept):
        left = Y[:, 0] - X @ coef - intercept
        return (left**2).mean() / 2 + 0.2 * (0.7 * np.abs(coef).sum() + 0.15 * coef @ coef)

    least = objective(peer.coef_, peer.intercept_)
    for epochs in (0, 3, 300):
        model = GDLinearRegressor(Cosine(0.03, 300), epochs, None, batch_size=5, alpha=0.2)
        model.set_params(l1_ratio=0.7, random_state=0).fit(X, Y[:, 0])
        distance = objective(model.coef_, model.intercept_) - least
        assert -1e-12 <= distance <= model.dual_gap_
        assert 2 * objective(model.coef_, model.intercept_) == pytest.approx(model.loss_curve_[-1])
    assert distance < 1e-3 * least


# --- The end ---


def ends_after(losses, threshold, patience):
    best, waited = losses[0], 0
    for k, loss in enumerate(losses[1:], 1):
        best, waited = (loss, 0) if loss < best - threshold else (best, waited + 1)
        if waited == patience:
            return k
    return None


@pytest.mark.parametrize("patience", [1, 4])
@pytest.mark.parametrize("tol", [0, 1e-2, "auto"])
def test_the_run_ends_when_the_best_loss_has_not_improved(tol, patience):
    options = {"batch_size": 5, "random_state": 0, "n_iter_no_change": patience}
    model = GDLinearRegressor(0.01, tol=tol, **options).fit(X, Y[:, 0])
    long = GDLinearRegressor(0.01, 400, None, **options).fit(X, Y[:, 0])
    size = (1e-3 if tol == "auto" else tol) * Y[:, 0].var()
    assert model.n_iter_ == ends_after(long.loss_curve_, size, patience)
    np.testing.assert_array_equal(model.loss_curve_, long.loss_curve_[: model.n_iter_ + 1])
    assert model.status_ is Status.CONVERGED
    assert f"tol={0.001 if tol == 'auto' else tol:g}: {patience} epoch" in model.message_


def test_a_loss_that_has_climbed_has_not_settled():
    """A rate that halves comes down from any height; one that stays has diverged."""
    options = {"batch_size": 4, "random_state": 0}
    A = np.random.default_rng(0).standard_normal((200, 3))
    b = A @ [1.0, 2.0, 3.0]
    far = GDLinearRegressor(Adaptive(2.0), **options).fit(A, b)
    assert (far.loss_curve_[1:6] > 1e9 * b.var()).all()  # as many epochs as the patience
    assert far.status_ is Status.CONVERGED and far.loss_curve_[-1] < 0.01 * b.var()
    for n in (100, 3):  # tol would not end either of them
        with pytest.warns(DivergenceWarning, match="the loss climbed beyond any use"):
            fast = GDLinearRegressor(0.5, n, **options, n_iter_no_change=2).fit(X, Y[:, 0])
        assert fast.status_ is Status.DIVERGED
    with pytest.warns(DivergenceWarning):
        GDLinearRegressor(0.5, 3, None, **options).fit(X, Y[:, 0])


def test_early_stopping_at_a_rate_too_large_says_so_and_keeps_the_best_epoch():
    model = GDLinearRegressor(0.5, batch_size=4, early_stopping=True, random_state=0)
    told = r"^The loss climbed beyond any use\. Write a smaller .* Epoch 0 of 5 predicts"
    with pytest.warns(DivergenceWarning, match=told):
        model.fit(X, Y[:, 0])
    assert model.status_ is Status.DIVERGED
    assert model.n_iter_ == 0 and not model.coef_.any()


def test_a_start_at_the_minimum_settles_in_its_noise():
    least = GDLinearRegressor().fit(X, Y[:, 0])
    start = {"coef_init": least.coef_, "intercept_init": least.intercept_}
    model = GDLinearRegressor(0.02, 400, batch_size=4, random_state=0).fit(X, Y[:, 0], **start)
    assert (model.loss_curve_[1:] > model.loss_curve_[0]).all()
    assert model.status_ is Status.CONVERGED and model.n_iter_ == 5


def test_the_noise_of_a_target_with_nothing_to_learn_is_no_divergence():
    """It is orthogonal to all columns, so zero is the minimum, and the loss V can only climb."""
    A = np.random.default_rng(0).standard_normal((200, 3))
    b = np.random.default_rng(1).standard_normal(200)
    b -= GDLinearRegressor(tol=0).fit(A, b).predict(A)
    model = GDLinearRegressor(0.1, batch_size=4, random_state=0).fit(A, b)
    assert (model.loss_curve_[1:] > model.loss_curve_[0]).all()
    assert model.status_ is Status.CONVERGED and model.n_iter_ == 5


def test_the_message_tells_the_noise_at_the_end():
    options = {"batch_size": 4, "random_state": 0}
    noisy = GDLinearRegressor(0.03, **options).fit(X, Y[:, 0])
    calm = GDLinearRegressor(InverseScaling(0.03), **options).fit(X, Y[:, 0])
    least = noisy.loss_curve_.argmin()
    assert f" after epoch {least}: this is the noise of the updates. For less" in noisy.message_
    assert "noise" not in calm.message_


def test_by_default_no_thousand_noisy_epochs_are_run():
    for average in (False, True):
        for rate in (0.02, 0.005, InverseScaling(0.05, 0.25), Cosine(0.05, 50)):
            model = GDLinearRegressor(rate, batch_size=4, random_state=0, average=average)
            assert model.fit(X, Y).n_iter_ < 100
            assert model.status_ is Status.CONVERGED


def test_all_targets_must_have_come_to_their_end():
    options = {"batch_size": 5, "random_state": 0, "tol": 1e-4}
    each = [GDLinearRegressor(0.005, **options).fit(X, y) for y in Y.T]
    both = GDLinearRegressor(0.005, **options).fit(X, Y)
    assert both.n_iter_ == max(model.n_iter_ for model in each)


def test_max_iter_warns_and_counts_epochs():
    with pytest.warns(UserWarning, match=r"After max_iter=2 epochs the loss .* Raise max_iter\."):
        model = GDLinearRegressor(1e-4, 2, batch_size=5).fit(X, Y)
    assert model.status_ is Status.MAX_ITER and model.n_iter_ == 2


def test_no_epoch_is_the_start():
    model = GDLinearRegressor(0.01, 0, batch_size=5, average=True).fit(
        X, Y, coef_init=np.ones((2, D))
    )
    assert (model.coef_ == 1).all() and len(model.loss_curve_) == 1


def test_a_rate_too_large_is_told():
    with pytest.warns(DivergenceWarning, match="Write a smaller learning_rate"):
        model = GDLinearRegressor(5.0, batch_size=5, random_state=0).fit(X, Y)
    assert model.status_ is Status.DIVERGED and np.isfinite(model.coef_).all()


def test_an_interrupt_keeps_the_last_complete_epoch(monkeypatch):
    options = {"batch_size": 5, "random_state": 0, "average": True}
    whole = GDLinearRegressor(0.01, 2, None, **options).fit(X, Y)
    batches, calls = ShuffledRows.batches, []

    def interrupted(self, epoch):
        for k, batch in enumerate(batches(self, epoch)):
            calls.append(epoch)
            if epoch == 3 and k == 4:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(ShuffledRows, "batches", interrupted)
    model = GDLinearRegressor(0.01, 9, None, **options)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.status_ is Status.INTERRUPTED and model.n_iter_ == 2 and calls.count(3) == 5
    np.testing.assert_array_equal(model.coef_, whole.coef_)


def test_verbose_prints_epochs(capsys):
    GDLinearRegressor(0.01, 2, None, batch_size=5, random_state=0, verbose=1).fit(X, Y)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", str(k)] for k in range(3)]
    assert re.fullmatch(r"2 epochs, \d+ passes over the rows, \S+ s", last)


# --- The estimator ---


def test_warm_start_goes_on_from_the_model():
    model = GDLinearRegressor(0.01, 3, None, batch_size=5, random_state=0, warm_start=True)
    first = model.fit(X, Y).loss_curve_[-1]
    assert model.fit(X, Y).loss_curve_[0] == pytest.approx(first, rel=1e-12)


def test_a_search_chooses_the_size_of_a_batch():
    grid = {"batch_size": [2, None], "learning_rate__eta0": [1e-5, 0.02]}
    model = GDLinearRegressor(InverseScaling(), 5, None, random_state=0)
    search = GridSearchCV(model, grid, cv=3).fit(X, Y[:, 0])
    assert search.best_params_ == {"batch_size": 2, "learning_rate__eta0": 0.02}


def test_inputs_stay_as_they_were():
    before = [a.copy() for a in (X, Y, WEIGHTS)]
    GDLinearRegressor(0.01, 3, batch_size=5, alpha=0.1, average=True, tol=None).fit(X, Y, WEIGHTS)
    assert all((a == b).all() for a, b in zip((X, Y, WEIGHTS), before, strict=True))


@pytest.mark.parametrize("place", [(X, "X"), (Y, "y")], ids=["X", "y"])
def test_a_nan_is_refused(place):
    array, name = place
    bad = array.copy()
    bad[7, 1] = np.nan
    columns, targets = (bad, Y) if name == "X" else (X, bad)
    with pytest.raises(ValueError, match="NaN"):
        GDLinearRegressor(0.01, batch_size=5).fit(columns, targets)


@pytest.mark.parametrize("size", [0, -3, 1.5, 0.0, np.nan, True, "all", [3]])
def test_a_bad_size_is_refused(size):
    words = re.escape(
        "batch_size must be None, an integer >= 1 or a fraction of the rows in (0, 1]"
    )
    with pytest.raises(ValueError, match=words + f".*{re.escape(repr(size))}"):
        GDLinearRegressor(0.01, batch_size=size).fit(X, Y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"average": 0}, "average must be False, True or the epoch"),
        ({"average": 2.0}, "average must be False, True or the epoch"),
        ({"shuffle": 1}, "shuffle must be True or False"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an integer >= 1"),
        (
            {"batch_size": None, "average": 3},
            "average=3 .* batch_size=None.* write average=False",
        ),
        ({"tol": "none"}, "tol must be"),
    ],
)
def test_what_does_not_go_together_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor(**({"learning_rate": 0.01, "batch_size": 5} | options)).fit(X, Y)


def test_sums_of_all_rows_are_refused():
    model = GDLinearRegressor(0.01, batch_size=5)
    for verb, call in {
        "fit_batches": lambda: model.fit_batches([(X, Y)]),
        "fit_moments": lambda: model.fit_moments(Moments.of(X, Y)),
        "merge": lambda: model.merge(model),
        "forget": lambda: model.forget(X, Y),
    }.items():
        with pytest.raises(ValueError, match=f"batch_size=5 cannot be combined with {verb}"):
            call()


# --- Chunks ---


@pytest.mark.parametrize("average", [False, 2])
@pytest.mark.parametrize("options", [{}, {"momentum": Nesterov(0.5)}, {"alpha": 0.1}], ids=str)
def test_chunks_that_are_the_table_again_and_again_are_epochs(options, average):
    model = GDLinearRegressor(
        InverseScaling(0.02), 4, None, batch_size=5, random_state=0, **options
    )
    whole = clone(model.set_params(average=average)).fit(X, Y, WEIGHTS)
    for k in range(4):
        model.partial_fit(X, Y, WEIGHTS)
        np.testing.assert_allclose(model.loss_curve_, whole.loss_curve_[k : k + 2], rtol=1e-12)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-12)
    assert model.n_iter_ == 1 and model.epochs_.epochs == 4 and not hasattr(model, "stream_")


def test_a_saved_estimator_goes_on_where_it_was():
    model = GDLinearRegressor(0.01, batch_size=5, random_state=0, average=True, momentum=0.5)
    model.partial_fit(X[:20], Y[:20])
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        one.partial_fit(X[20:], Y[20:])
    np.testing.assert_array_equal(model.coef_, again.coef_)


def test_a_chunk_without_weight_changes_nothing_and_others_must_fit():
    model = GDLinearRegressor(0.01, batch_size=5, random_state=0).partial_fit(X, Y)
    before = model.coef_.copy()
    model.partial_fit(X, Y, np.zeros(N))
    assert (model.coef_ == before).all() and model.epochs_.epochs == 1
    for options, chunk in [
        ({}, (X, Y[:, 0])),
        ({}, (X[:, :2], Y)),
        ({"fit_intercept": False}, (X, Y)),
    ]:
        with pytest.raises(ValueError, match=r"targets|features|fit_intercept"):
            model.set_params(**options).partial_fit(*chunk)
    assert (model.coef_ == before).all()


def test_the_mode_of_a_stream_can_change():
    model = GDLinearRegressor(0.01, 5, None, batch_size=5, random_state=0).partial_fit(X, Y)
    exact = model.set_params(batch_size=None).partial_fit(X, Y)
    assert hasattr(exact, "stream_") and not hasattr(exact, "epochs_")
    np.testing.assert_array_equal(
        exact.coef_, GDLinearRegressor(0.01, 5, None).partial_fit(X, Y).coef_
    )
    model.set_params(batch_size=5).partial_fit(X, Y)
    assert hasattr(model, "epochs_") and not hasattr(model, "stream_")
    assert not hasattr(model.fit(X, Y), "epochs_")


def test_a_chunk_at_a_rate_too_large_leaves_the_model_as_it_was():
    model = GDLinearRegressor(0.01, batch_size=5, random_state=0).partial_fit(X, Y)
    before = vars(model).copy()
    many = np.tile(X, (50, 1)), np.tile(Y, (50, 1))
    with pytest.raises(ValueError, match=r"beyond what float64 holds.*learning_rate"):
        model.set_params(learning_rate=5.0).partial_fit(*many)
    assert vars(model) == before | {"learning_rate": 5.0}


def test_a_dask_collection_is_refused():
    array = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="a Dask collection cannot be combined with a batch_size"):
        GDLinearRegressor(0.01, batch_size=5).fit(array.from_array(X), array.from_array(Y))


@parametrize_with_checks(
    [
        GDLinearRegressor(InverseScaling(0.1), 20, None, batch_size=8, average=3),
        GDLinearRegressor(0.01, 20, None, batch_size=0.3, momentum=0.5, alpha=0.01),
    ]
)
def test_checks_of_scikit_learn(estimator, check):
    if "sample_weight_equivalence" in str(check):
        # A row of weight 2 is two rows in expectation only, unless a batch has all rows
        estimator.set_params(batch_size=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


# --- With early stopping and callbacks ---


def test_early_stopping_returns_the_epoch_that_predicts_held_out_rows_best():
    options = {"batch_size": 4, "random_state": 0}
    model = GDLinearRegressor(0.02, 60, early_stopping=True, tol=0, **options)
    model.fit(X[:40], Y[:40], X_val=X[40:], y_val=Y[40:])
    best, curve = model.n_iter_, model.validation_curve_
    assert model.status_ is Status.STOPPED_EARLY and len(curve) == best + 1 + 5
    for k in range(0, len(curve), 3):
        again = GDLinearRegressor(0.02, k, None, **options).fit(X[:40], Y[:40])
        error = ((again.predict(X[40:]) - Y[40:]) ** 2).mean()
        assert curve[k] == pytest.approx(error, rel=1e-10)
    there = GDLinearRegressor(0.02, best, None, **options).fit(X[:40], Y[:40])
    np.testing.assert_allclose(model.coef_, there.coef_, rtol=1e-12)
    told = rf"Epoch {best} of {best + 5} predicts .* None of the last 5 epochs lowered it by more"
    assert re.match(told, model.message_)


def test_callbacks_see_epochs():
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")
    from gd_regressor.callbacks import History

    history = History()
    model = GDLinearRegressor(0.01, 4, None, batch_size=5, random_state=0)
    model.set_callbacks(history).fit(X, Y)
    np.testing.assert_array_equal(history.runs_[-1]["n_iter"], [1, 2, 3, 4])
