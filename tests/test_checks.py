"""scikit-learn's own checks, over the options and what goes together.

An option that changes how a fit ends, or which data it may have, has a configuration here. All
checks of `PLAIN` must pass. `SOME_ROWS` lists what no descent can do that takes some rows at a time
or holds some out, with the reason: scikit-learn expects the same of its SGDRegressor.
"""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import (
    Adaptive,
    Constant,
    Cosine,
    EpsilonInsensitive,
    GDLinearRegressor,
    GDLinearRegressorCV,
    Huber,
    InverseScaling,
    Nesterov,
    PseudoHuber,
    Quantile,
    SquaredEpsilonInsensitive,
    StepDecay,
    WarmUp,
)


def descent(rate=0.1, n=60, tol=1e-6, **options):
    """A textbook's descent that is stable on the columns of the check that asks for a score."""
    return GDLinearRegressor(rate, n, tol, **options)


RIDGE = {"alpha": 0.1, "l1_ratio": 0.0}
LASSO = {"alpha": 0.1, "l1_ratio": 1.0}
FALLING = InverseScaling(1.0)

AUTO = [
    GDLinearRegressor(stream="qr"),
    GDLinearRegressor(tol=0),
    GDLinearRegressor(**RIDGE, fit_intercept=False),
    GDLinearRegressor(**RIDGE, stream="qr"),
    GDLinearRegressor(**LASSO),
    GDLinearRegressor(**LASSO, positive=True),
    GDLinearRegressor(alpha=0.1, l1_ratio=0.3, fit_intercept=False),
    GDLinearRegressor(positive=True, fit_intercept=False),
    GDLinearRegressor(alpha=0.1, warm_start=True),
    # A check sets alpha, so these have the share of L1 that their losses take
    GDLinearRegressor(loss="huber", l1_ratio=0.0),
    GDLinearRegressor(loss="huber", l1_ratio=0.0, fit_intercept=False),
    GDLinearRegressor(loss=Huber(0.5), **RIDGE),
    GDLinearRegressor(loss=Huber(5.0), l1_ratio=0.0, warm_start=True),
    GDLinearRegressor(loss="pseudo_huber", l1_ratio=0.0),
    GDLinearRegressor(loss="squared_epsilon_insensitive", l1_ratio=0.0),
    GDLinearRegressor(loss=EpsilonInsensitive(0.05)),
    GDLinearRegressor(loss=Quantile(0.4), l1_ratio=0.0, fit_intercept=False),
]
TEXTBOOK = [
    descent(Constant(0.1)),
    descent(InverseScaling(0.3, 0.25)),
    descent(Cosine(0.2, 60), tol=None),
    descent(StepDecay(0.2, every=20)),
    descent(Adaptive(1.0)),
    descent(WarmUp(Cosine(0.2, 60), 10), tol=None),
    descent(WarmUp(0.1, 10), fit_intercept=False),
    descent(momentum=Nesterov(0.5)),
    descent(momentum=Nesterov(0.5), stream="qr"),
    descent(Cosine(0.2, 60), tol=None, momentum=0.5),
    descent(Adaptive(0.3), momentum=Nesterov(0.3), fit_intercept=False),
    descent(init="random", random_state=0, momentum=Nesterov(0.5)),
    descent(**RIDGE, momentum=0.5),
    descent(**RIDGE, momentum=Nesterov(0.5)),
    descent(FALLING, **RIDGE),
    descent(**LASSO),
    descent(**LASSO, momentum=0.3),
    descent(**LASSO, momentum=Nesterov(0.5)),
    descent(Cosine(0.1, 60), tol=None, **LASSO, momentum=Nesterov(0.5)),
    descent(positive=True, momentum=Nesterov(0.5)),
    descent(positive=True, fit_intercept=False),
    descent(alpha=0.1, positive=True, stream="qr"),
]
LOSSES = [
    descent(loss=Huber(1.0)),
    descent(loss=Huber(1.0), **LASSO, momentum=Nesterov(0.5)),
    descent(loss=PseudoHuber(2.0), fit_intercept=False),
    descent(loss="pseudo_huber", **RIDGE, momentum=0.5),
    descent(loss="pseudo_huber", positive=True, momentum=Nesterov(0.3)),
    descent(FALLING, loss="quantile"),
    descent(FALLING, loss=Quantile(0.4), fit_intercept=False),
    descent(FALLING, loss="quantile", **RIDGE),
    descent(FALLING, loss=EpsilonInsensitive(0.0)),
    descent(FALLING, loss="epsilon_insensitive", momentum=Nesterov(0.3)),
    descent(FALLING, loss="epsilon_insensitive", alpha=0.01, positive=True),
    descent(loss="squared_epsilon_insensitive"),
    descent(loss=SquaredEpsilonInsensitive(0.5), init="random", random_state=0),
    descent(Cosine(0.2, 60), tol=None, loss=SquaredEpsilonInsensitive(0.0), **LASSO),
]
# One batch of all rows is a descent in which weights equal repetition, whatever the shuffle does
ONE_BATCH = [
    descent(batch_size=1.0, random_state=0),
    descent(batch_size=1.0, shuffle=False, average=10),
    descent(batch_size=10_000, momentum=Nesterov(0.5), random_state=0),
    descent(Cosine(0.2, 60), tol=None, batch_size=1.0, **RIDGE, random_state=0),
    descent(batch_size=1.0, **LASSO, momentum=0.3, random_state=0),
    descent(Adaptive(0.3), batch_size=1.0, positive=True, random_state=0),
]
SEARCHED = [
    GDLinearRegressorCV([0.01, 0.1], [5, 60]),
    GDLinearRegressorCV([0.1], [10, 60], momentum=0.5, fit_intercept=False),
    GDLinearRegressorCV(["auto"], None, [0.1, 1.0], [0.0]),
    GDLinearRegressorCV(["auto"], None, 4, [1.0]),
    GDLinearRegressorCV(["auto"], None, [0.01, 0.1], [0.5], cv=3, fit_intercept=False),
    GDLinearRegressorCV(["auto"], None, [0.1], [0.5], cv=3, positive=True),
    GDLinearRegressorCV([0.1], [60], [0.1], [0.5], cv=3),
    GDLinearRegressorCV(cv=3, scoring="neg_mean_squared_error"),
]
PLAIN = [*AUTO, *TEXTBOOK, *LOSSES, *ONE_BATCH, *SEARCHED]


def small(rate=0.05, n=8, tol=None, **options):
    """A descent in mini-batches."""
    return GDLinearRegressor(rate, n, tol, **{"batch_size": 8, "random_state": 0} | options)


BATCHES = [
    small(),
    small(batch_size=0.1, tol="auto"),
    small(0.01, batch_size=1),
    small(shuffle=False),
    small(fit_intercept=False),
    small(random_state=None, average=True),
    small(average=3, momentum=0.5),
    small(momentum=Nesterov(0.5)),
    small(**RIDGE),
    small(**LASSO, momentum=Nesterov(0.3)),
    small(positive=True),
    small(Cosine(0.1, 8)),
    small(WarmUp(InverseScaling(0.1), 10)),
    small(Adaptive(0.1), tol="auto"),
    small("auto", l1_ratio=0.0),  # a check sets alpha
    small(loss=Huber(1.0)),
    small(InverseScaling(0.3), loss="quantile", average=2),
]
STOPPED = [
    descent(0.01, early_stopping=True, random_state=0),
    descent(0.01, early_stopping=True, validation_fraction=0.3, n_iter_no_change=2),
    descent(0.01, early_stopping=True, **LASSO, random_state=0),
    descent(0.01, early_stopping=True, momentum=0.5, random_state=0),
    small(0.01, early_stopping=True),
]
IN_EXPECTATION = "which rows meet in a batch, or are held out, is chance: weights equal repetition"
IN_EXPECTATION += " in expectation only"
SOME_ROWS = {
    f"check_sample_weight_equivalence_on_{kind}_data": IN_EXPECTATION
    for kind in ("dense", "sparse")
}
NO_STREAM = "a chunk has no rows to hold out, so partial_fit refuses early stopping by name"
HELD_OUT = SOME_ROWS | {
    "check_fit_score_takes_y": NO_STREAM,
    "check_n_features_in_after_fitting": NO_STREAM,
    "check_estimators_partial_fit_n_features": NO_STREAM,
}


def expected(estimator):
    return HELD_OUT if estimator.early_stopping else SOME_ROWS


def run(check, estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a short descent has not converged
        check(estimator)


def test_the_configurations_are_many_and_different():
    assert len({repr(model.get_params()) for model in PLAIN}) == len(PLAIN) >= 60


@parametrize_with_checks(PLAIN)
def test_scikit_learn_checks(estimator, check):
    run(check, estimator)


@pytest.mark.parametrize("estimator", [*BATCHES, *STOPPED], ids=lambda one: repr(one)[18:80])
def test_some_rows_at_a_time(estimator):
    """All checks pass but those of the list, and these fail: no list longer than it must be."""
    from sklearn.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {
        one["check_name"]: str(one["exception"]) for one in found if one["status"] == "failed"
    }
    assert set(failed) == set(expected(estimator)), failed
