"""Saved models: each way to save a model brings the same model back."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import GDLinearRegressor, Status

X = np.random.default_rng(0).standard_normal((30, 3))
Y = X @ [1.0, 2.0, 3.0] + 1


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def by_cloudpickle(model):
    cloudpickle = pytest.importorskip("cloudpickle")
    return pickle.loads(cloudpickle.dumps(model))


def by_skops(model):
    skops = pytest.importorskip("skops.io")
    file = skops.dumps(model)
    return skops.loads(file, trusted=skops.get_untrusted_types(data=file))


every_way = pytest.mark.parametrize(
    "kept",
    [
        lambda model: pickle.loads(pickle.dumps(model)),
        by_joblib,
        by_cloudpickle,
        by_skops,
        copy.copy,
        copy.deepcopy,
    ],
    ids=["pickle", "joblib", "cloudpickle", "skops", "copy", "deepcopy"],
)


@every_way
@pytest.mark.parametrize("options", [{}, {"learning_rate": 0.1, "max_iter": 9, "tol": None}])
def test_a_status_comes_back_as_a_status(kept, options):
    model = GDLinearRegressor(**options).fit(X, Y)
    again = kept(model)
    assert again.status_ is model.status_
    assert isinstance(again.status_, Status)
    assert vars(again).keys() == vars(model).keys()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    nested = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), GDLinearRegressor(**options)), transformer=StandardScaler()
    ).fit(X, Y)
    assert kept(nested).regressor_[-1].status_ is nested.regressor_[-1].status_
    assert not hasattr(kept(GDLinearRegressor(**options)), "status_")
    assert not hasattr(clone(again), "status_")


@every_way
@pytest.mark.parametrize("stream", ["moments", "qr"])
def test_a_saved_stream_goes_on_to_the_bit(stream, kept):
    dependent = np.column_stack([X, X[:, 0] - X[:, 2] + 3.0])  # which moments alone cannot tell
    other = GDLinearRegressor(stream=stream).partial_fit(dependent[25:], Y[25:])
    model = GDLinearRegressor(stream=stream).partial_fit(dependent[:20], Y[:20])
    again = kept(model)
    for each in (model, again):
        each.partial_fit(dependent[20:25], Y[20:25]).merge(other)
        if stream == "moments":
            each.forget(dependent[:4], Y[:4])
    assert again.stream_.keeps == model.stream_.keeps == stream
    assert again.stream_.has_forgotten == model.stream_.has_forgotten == (stream == "moments")
    assert again.stream_.n_batches == model.stream_.n_batches == 3
    assert again.rank_ == model.rank_ == 3
    np.testing.assert_array_equal(again.coef_, model.coef_)
    assert again.intercept_ == model.intercept_
    np.testing.assert_array_equal(again.loss_curve_, model.loss_curve_)


def test_a_status_of_another_wording_is_the_same_member():
    for status in Status:
        assert Status(status.value.partition(":")[0] + ": as it was worded before") is status
    for unknown in ("finished", "", None, 3):
        with pytest.raises(ValueError, match="is not a valid Status"):
            Status(unknown)
