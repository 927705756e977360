"""Several quantiles at once: each as if alone, predictions that do not cross, refusals."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import GDLinearRegressor, InverseScaling, Quantile

QS = [0.1, 0.5, 0.9]
MODES = {
    "auto": {},
    "ridge": {"alpha": 0.1, "l1_ratio": 0.0},
    "number": {"learning_rate": InverseScaling(0.1), "max_iter": 200, "tol": None},
}
each_mode = pytest.mark.parametrize("options", MODES.values(), ids=MODES)


def table(seed=0, n=200, d=3):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d))
    return X, X @ random.standard_normal(d) + (1 + X[:, 0]) * random.standard_normal(n)


@each_mode
@pytest.mark.parametrize("weighted", [False, True])
def test_each_quantile_is_as_if_alone(options, weighted):
    X, y = table()
    weights = np.random.default_rng(1).uniform(0.5, 2, len(X)) if weighted else None
    all_at_once = GDLinearRegressor(loss=Quantile(QS), **options).fit(X, y, weights)
    assert all_at_once.coef_.shape == (3, 3) and all_at_once.predict(X).shape == (200, 3)
    losses = []
    for j, q in enumerate(QS):
        alone = GDLinearRegressor(loss=Quantile(q), **options).fit(X, y, weights)
        np.testing.assert_allclose(all_at_once.coef_[j], alone.coef_, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(all_at_once.predict(X)[:, j], alone.predict(X), rtol=1e-11)
        losses.append(alone.loss_curve_[-1])
    assert all_at_once.loss_curve_[-1] == pytest.approx(np.mean(losses), rel=1e-13)


@each_mode
def test_rearranged_predictions_do_not_cross_and_are_no_worse(options):
    """Sorting never moves a curve away from the true quantiles (Chernozhukov et al. 2010, 1)."""
    X, y = table()
    order = [0.9, 0.1, 0.5]
    plain = GDLinearRegressor(loss=Quantile(order), **options).fit(X, y)
    sorted_ = GDLinearRegressor(loss=Quantile(order, non_crossing=True), **options).fit(X, y)
    np.testing.assert_array_equal(plain.coef_, sorted_.coef_)
    far = 5 * X  # where lines cross
    before, after = plain.predict(far), sorted_.predict(far)
    assert (np.diff(before[:, [1, 2, 0]], axis=1) < 0).any()
    assert (np.diff(after[:, [1, 2, 0]], axis=1) >= 0).all()
    np.testing.assert_array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    truth = np.array([1.3, -1.3, 0.0])  # quantiles in this order
    for power in (1, 2):
        near, far = ((np.abs(values - truth) ** power).mean() for values in (after, before))
        assert near <= far


def test_it_is_an_estimator_like_any_other(tmp_path):
    X, y = table()
    model = GDLinearRegressor(loss=Quantile(QS, non_crossing=True)).fit(X, y)
    assert model.get_params()["loss__quantile"] == QS
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    each = [d2_pinball_score(y, p, alpha=q) for p, q in zip(model.predict(X).T, QS, strict=True)]
    assert model.score(X, y) == pytest.approx(np.mean(each), rel=1e-14)
    weights = np.random.default_rng(2).integers(1, 3, len(X))
    assert model.score(X, y, weights) == pytest.approx(
        model.score(X.repeat(weights, 0), y.repeat(weights)), rel=1e-12
    )
    pipeline = make_pipeline(StandardScaler(), GDLinearRegressor(loss=Quantile(QS)))
    grid = {"gdlinearregressor__alpha": [0.0, 0.1, 10.0]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_params_["gdlinearregressor__alpha"] < 10


def test_lists_tuples_arrays_memory_maps_and_one_quantile(tmp_path):
    X, y = table()
    np.save(tmp_path / "y.npy", y)
    mapped = np.load(tmp_path / "y.npy", mmap_mode="r")
    one = GDLinearRegressor(loss=Quantile(QS)).fit(X, y)
    for quantile in (tuple(QS), np.array(QS)):
        other = GDLinearRegressor(loss=Quantile(quantile)).fit(X, mapped)
        np.testing.assert_array_equal(other.coef_, one.coef_)
    single = GDLinearRegressor(loss=Quantile([0.5])).fit(X, y)
    assert single.coef_.shape == (1, 3) and single.predict(X).shape == (200, 1)


def test_mini_batches_and_their_chunks():
    X, y = table()
    told = {"max_iter": 5, "batch_size": 20, "shuffle": False, "tol": None}
    model = GDLinearRegressor(0.05, loss=Quantile(QS), **told)
    whole, chunks = clone(model).fit(X, y), clone(model)
    for _ in range(5):
        chunks.partial_fit(X[:100], y[:100]).partial_fit(X[100:], y[100:])
    np.testing.assert_allclose(chunks.coef_, whole.coef_, rtol=1e-12)
    for j, q in enumerate(QS):
        alone = GDLinearRegressor(0.05, loss=Quantile(q), **told).fit(X, y)
        np.testing.assert_allclose(whole.coef_[j], alone.coef_, rtol=1e-12)


def test_a_loss_that_changed_after_the_fit_is_named():
    X, y = np.arange(8.0)[:, None], np.arange(8.0)
    two = GDLinearRegressor(loss=Quantile([0.1, 0.9], non_crossing=True)).fit(X, y)
    one = GDLinearRegressor(loss=Quantile(0.5)).fit(X, y)
    for model, fitted in ((two, "2"), (one, "one output")):
        model.set_params(loss=Quantile([0.1, 0.5, 0.9], non_crossing=True))
        for ask in (model.predict, lambda rows, model=model: model.score(rows, y)):
            with pytest.raises(ValueError, match=f"has 3 quantiles, .* to {fitted}; call fit"):
                ask(X)


def test_several_targets_are_refused_with_what_to_write():
    X, y = table()
    with pytest.raises(ValueError, match=r"one dimension .*output of each quantile.* fit a model"):
        GDLinearRegressor(loss=Quantile(QS)).fit(X, np.column_stack([y, y]))
    array = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="fit a model for each quantile"):
        GDLinearRegressor(loss=Quantile(QS)).fit(array.from_array(X), array.from_array(y))
