"""Learning rates that change from update to update."""

import re
import warnings

import mpmath
import numpy as np
import pytest
from reference import extended
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from gd_regressor import GDLinearRegressor, InverseScaling, Status

random = np.random.default_rng(3)
X = random.standard_normal((25, 3)) * [1.0, 2.0, 0.5] + [1.0, 0.0, -2.0]
Y = np.column_stack([X @ [1.0, 2.0, 3.0] + 1, random.standard_normal(25)])
WEIGHTS = random.uniform(0, 2, 25)


def decaying_descent(table, target, eta0, power, n_updates, momentum=0.0, start=None, weights=None):
    """The textbook loop with 50 digits and the rate eta0 / t^power; the last point, all losses."""
    A, T = extended(np.column_stack([table, np.ones(len(table))])), extended(target)
    s = extended(np.ones(len(table)) if weights is None else weights)[:, None]
    theta = extended(np.zeros((A.shape[1], T.shape[1])) if start is None else start)
    step, losses = 0, []
    for t in range(1, n_updates + 2):
        left = T - A @ theta
        losses.append((s * left**2).sum() / s.sum() / T.shape[1])
        if t <= n_updates:
            rate = mpmath.mpf(eta0) / mpmath.mpf(t) ** mpmath.mpf(power)
            step = momentum * step + rate * (2 / s.sum()) * (A.T @ (s * left))
            theta = theta + step
    return theta.astype(float), np.array(losses, dtype=float)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.3])
@pytest.mark.parametrize("start", [None, 100 * np.ones((4, 2))], ids=["zero", "far"])
def test_every_loss_and_the_last_iterate_are_those_of_the_naive_loop(momentum, power, start, route):
    model = GDLinearRegressor(InverseScaling(0.15, power), 80, None, momentum=momentum)
    given = {} if start is None else {"coef_init": start[:3].T, "intercept_init": start[3]}
    model.fit(X, Y, WEIGHTS, **given)
    theta, losses = decaying_descent(X, Y, 0.15, power, 80, momentum, start, WEIGHTS)
    np.testing.assert_allclose(
        np.column_stack([model.coef_, model.intercept_]), theta.T, rtol=1e-11
    )
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-11)
    assert model.status_ is Status.MAX_ITER and model.n_iter_ == 80


@pytest.mark.parametrize("keep", ["moments", "qr"])
def test_streams_make_the_same_updates(keep):
    model = GDLinearRegressor(InverseScaling(0.2), 50, None, stream=keep)
    for part in (slice(0, 10), slice(10, 25)):
        model.partial_fit(X[part], Y[part])
    theta, losses = decaying_descent(X, Y, 0.2, 0.5, 50)
    np.testing.assert_allclose(model.coef_, theta[:3].T, rtol=1e-10)
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-10)


def test_power_0_is_a_number(route):
    number = GDLinearRegressor(0.1, 10**5, 1e-10).fit(X, Y[:, 0])
    constant = GDLinearRegressor(InverseScaling(0.1, 0), 10**5, 1e-10).fit(X, Y[:, 0])
    assert constant.n_iter_ == number.n_iter_
    np.testing.assert_allclose(constant.loss_curve_, number.loss_curve_, rtol=1e-10)
    assert constant.max_learning_rate_ == number.max_learning_rate_
    with pytest.warns(UserWarning, match="learning_rate=1 is not below the largest stable rate"):
        GDLinearRegressor(InverseScaling(1.0, 0), 5).fit(X, Y)


def test_a_rate_that_begins_too_large_climbs_and_comes_down(route):
    """|1 - h_t| falls below 1 when eta0 / t^power is below the limit."""
    limit = GDLinearRegressor(1e-3, 1, None).fit(X, Y[:, 0]).max_learning_rate_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDLinearRegressor(InverseScaling(3 * limit, 1.0), 400, None).fit(X, Y[:, 0])
    losses = model.loss_curve_
    assert losses[1] > losses[0] and losses[-1] < losses[0] / 100
    top = int(losses.argmax())
    assert (np.diff(losses[max(top, 3) :]) <= 1e-12 * losses[0]).all()


def test_the_rule_of_tol_stops_it_and_the_warning_tells_of_the_distance():
    with pytest.warns(UserWarning, match="of the variance above the minimum"):
        model = GDLinearRegressor(InverseScaling(0.1, 2.0), 10**4, 1e-7).fit(X, Y[:, 0])
    falls = -np.diff(model.loss_curve_)
    assert model.status_ is Status.CONVERGED
    assert falls[-1] <= 1e-7 * Y[:, 0].var() < falls[:-1].min()


def test_a_schedule_is_a_parameter_like_any_other():
    schedule = InverseScaling(0.05, power=0.25)
    model = GDLinearRegressor(schedule, 30, None).fit(X, Y)
    assert (schedule.eta0, schedule.power, vars(schedule).keys()) == (0.05, 0.25, {"eta0", "power"})
    other = clone(model).set_params(learning_rate__eta0=0.1)
    assert other.learning_rate is not schedule and schedule.eta0 == 0.05
    grid = {"learning_rate__eta0": [1e-4, 0.1], "learning_rate__power": [0.5, 3.0]}
    search = GridSearchCV(GDLinearRegressor(schedule, 200, None), grid, cv=3).fit(X, Y[:, 0])
    assert search.best_params_ == {"learning_rate__eta0": 0.1, "learning_rate__power": 0.5}
    assert [schedule.rate(t) for t in (1, 16)] == [0.05, 0.025]


@pytest.mark.parametrize(
    "schedule",
    [
        InverseScaling(0.0),
        InverseScaling(-1),
        InverseScaling(np.nan),
        InverseScaling("0.1"),
        InverseScaling(True),
        InverseScaling(0.1, -0.5),
        InverseScaling(0.1, None),
        InverseScaling(0.1, np.inf),
    ],
    ids=repr,
)
def test_a_bad_schedule_is_named_with_what_it_holds(schedule):
    words = r"learning_rate must be a schedule whose \w+ is a number .* got "
    words += re.escape(repr(schedule))
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor(schedule).fit(X, Y)


def test_a_huge_power_is_one_update():
    once = GDLinearRegressor(InverseScaling(0.1, 1e300), 9, None).fit(X, Y)
    theta, _ = decaying_descent(X, Y, 0.1, 0.0, 1)
    np.testing.assert_allclose(once.coef_, theta[:3].T, rtol=1e-12)


def test_the_command_trusts_a_saved_schedule(tmp_path):
    skops = pytest.importorskip("skops.io")
    from gd_regressor.command.files import read_model

    model = GDLinearRegressor(InverseScaling(0.1), 9, None).fit(X, Y[:, 0])
    skops.dump(model, tmp_path / "model.skops")
    again = read_model(str(tmp_path / "model.skops"))
    assert again.learning_rate.get_params() == {"eta0": 0.1, "power": 0.5}
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
