"""Learning rates that change from update to update."""

import pickle
import re
import warnings

import mpmath
import numpy as np
import pytest
from reference import extended
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from gd_regressor import (
    Adaptive,
    Constant,
    Cosine,
    GDLinearRegressor,
    Huber,
    InverseScaling,
    LossCurveDisplay,
    Nesterov,
    Status,
    StepDecay,
    WarmUp,
)

random = np.random.default_rng(3)
X = random.standard_normal((25, 3)) * [1.0, 2.0, 0.5] + [1.0, 0.0, -2.0]
Y = np.column_stack([X @ [1.0, 2.0, 3.0] + 1, random.standard_normal(25)])
WEIGHTS = random.uniform(0, 2, 25)


def inverse(eta0, power):
    """The rate eta0 / t^power with 50 digits."""
    return lambda t: mpmath.mpf(eta0) / mpmath.mpf(t) ** mpmath.mpf(power)


def descent(table, target, rate, n_updates, momentum=0.0, start=None, weights=None, ahead=False):
    """The textbook loop with 50 digits and `rate(t)` for update t; the last point, all losses."""
    A, T = extended(np.column_stack([table, np.ones(len(table))])), extended(target)
    s = extended(np.ones(len(table)) if weights is None else weights)[:, None]
    theta = extended(np.zeros((A.shape[1], T.shape[1])) if start is None else start)
    step, losses = 0, []
    for t in range(1, n_updates + 2):
        left = T - A @ theta
        losses.append((s * left**2).sum() / s.sum() / T.shape[1])
        if t <= n_updates:
            push = rate(t) * (2 / s.sum()) * (A.T @ (s * left))
            step = momentum * step + push
            theta = theta + (momentum * step + push if ahead else step)
    return theta.astype(float), np.array(losses, dtype=float)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.3])
@pytest.mark.parametrize("start", [None, 100 * np.ones((4, 2))], ids=["zero", "far"])
def test_every_loss_and_the_last_iterate_are_those_of_the_naive_loop(momentum, power, start, route):
    model = GDLinearRegressor(InverseScaling(0.15, power), 80, None, momentum=momentum)
    given = {} if start is None else {"coef_init": start[:3].T, "intercept_init": start[3]}
    model.fit(X, Y, WEIGHTS, **given)
    theta, losses = descent(X, Y, inverse(0.15, power), 80, momentum, start, WEIGHTS)
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
    theta, losses = descent(X, Y, inverse(0.2, 0.5), 50)
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
        Constant(0.0),
        Cosine(0.1, 0),
        Cosine(0.1, 10.0),
        Cosine(0.1, 10, -1e-9),
        Cosine(0.1, 10, 0.1001),
        StepDecay(0.1, 0.0),
        StepDecay(0.1, 1.5),
        StepDecay(0.1, 0.5, True),
        Adaptive(None),
        Adaptive(0.1, 0.5, 0),
        WarmUp("auto"),
        WarmUp(0.1, -1),
        WarmUp(StepDecay(0.1, 2.0)),
        WarmUp(WarmUp(Constant(np.nan))),
    ],
    ids=repr,
)
def test_a_bad_schedule_is_named_with_what_it_holds(schedule):
    words = r"learning_rate must be a schedule whose \w+ is an? (number|integer) .* got "
    words += re.escape(repr(schedule))
    with pytest.raises(ValueError, match=words):
        GDLinearRegressor(schedule).fit(X, Y)


def test_a_cosine_that_would_climb_names_both_rates():
    words = "whose eta_min is a number >= 0 and at most eta0 = 0.1, got Cosine(eta_min=0.5)."
    with pytest.raises(ValueError, match=re.escape(words)):
        GDLinearRegressor(Cosine(0.1, eta_min=0.5)).fit(X, Y)
    level, number = (GDLinearRegressor(s, 9, None) for s in (Cosine(0.1, 5, 0.1), 0.1))
    np.testing.assert_allclose(level.fit(X, Y).coef_, number.fit(X, Y).coef_, rtol=1e-13)


@pytest.mark.parametrize(
    ("schedule", "t", "words"),
    [
        (Constant(-1), 1, "Constant must be a schedule whose eta0 is a number > 0"),
        (StepDecay(0.1, 0.5, 0), 1, "whose every is an integer >= 1"),
        (Cosine(0.1, 10, 0.5), 4, "whose eta_min is a number >= 0 and at most eta0 = 0.1"),
        (InverseScaling(), 0, "t must be an integer >= 1, got 0"),
        (Cosine(), 2.5, r"t must be an integer >= 1, got 2\.5"),
    ],
)
def test_no_rate_is_told_of_what_no_fit_could_use(schedule, t, words):
    with pytest.raises(ValueError, match=words):
        schedule.rate(t)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": Huber}, "loss must be an object, got the class Huber; write Huber()."),
        ({"learning_rate": Cosine}, "learning_rate must be an object, got the class Cosine; write"),
        ({"momentum": Nesterov}, "momentum must be an object, got the class Nesterov; write Nes"),
        (
            {"learning_rate": WarmUp(Cosine)},
            "learning_rate must be a schedule whose schedule is an object, got the class Cosine;",
        ),
        ({"loss": Cosine}, 'loss must be one of "squared_error"'),  # no word of "write Cosine()"
    ],
    ids=str,
)
def test_a_class_in_place_of_an_object_is_named_with_what_to_write(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        GDLinearRegressor(**{"learning_rate": 0.1} | options).fit(X, Y)


def test_a_huge_power_is_one_update():
    once = GDLinearRegressor(InverseScaling(0.1, 1e300), 9, None).fit(X, Y)
    theta, _ = descent(X, Y, inverse(0.1, 0.0), 1)
    np.testing.assert_allclose(once.coef_, theta[:3].T, rtol=1e-12)


def test_the_command_trusts_a_saved_schedule(tmp_path):
    skops = pytest.importorskip("skops.io")
    from gd_regressor.command.files import read_model

    schedule = WarmUp(InverseScaling(0.05), 3)
    model = GDLinearRegressor(schedule, 9, None, momentum=Nesterov(0.5)).fit(X, Y[:, 0])
    skops.dump(model, tmp_path / "model.skops")
    again = read_model(str(tmp_path / "model.skops"))
    assert again.learning_rate.get_params() == schedule.get_params() | {
        "schedule": again.learning_rate.schedule
    }
    assert again.momentum.get_params() == {"beta": 0.5}
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    watched = GDLinearRegressor(Adaptive(0.01), batch_size=5, random_state=0).partial_fit(X, Y)
    skops.dump(watched, tmp_path / "chunks.skops")
    again = read_model(str(tmp_path / "chunks.skops")).partial_fit(X, Y)
    np.testing.assert_array_equal(again.coef_, watched.partial_fit(X, Y).coef_)


# --- Formulas of the time ---


def cosine(eta0, n, least):
    def rate(t):
        angle = mpmath.pi * min(mpmath.mpf(t - 1) / n, 1)
        return least + (eta0 - mpmath.mpf(least)) * (1 + mpmath.cos(angle)) / 2

    return rate


TIMED = {
    "constant": (Constant(0.12), lambda t: 0.12),
    "cosine": (Cosine(0.15, 40, 0.01), cosine(0.15, 40, 0.01)),
    "stepped": (StepDecay(0.16, 0.25, 7), lambda t: mpmath.mpf(0.16) / 4 ** ((t - 1) // 7)),
    "warm": (WarmUp(0.1, 20), lambda t: 0.1 * mpmath.mpf(min(t, 20)) / 20),
    "warm cosine": (
        WarmUp(Cosine(0.2, 50), 10),
        lambda t: cosine(0.2, 50, 0)(t) * mpmath.mpf(min(t, 10)) / 10,
    ),
}


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("momentum", [0.0, Nesterov(0.4)], ids=["plain", "nesterov"])
def test_a_schedule_of_the_time_is_its_formula(name, momentum, route):
    schedule, rate = TIMED[name]
    model = GDLinearRegressor(schedule, 60, None, momentum=momentum).fit(X, Y, WEIGHTS)
    ahead = momentum != 0
    theta, losses = descent(X, Y, rate, 60, 0.4 * ahead, weights=WEIGHTS, ahead=ahead)
    np.testing.assert_allclose(model.coef_, theta[:3].T, rtol=1e-11)
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-11)


@pytest.mark.parametrize("name", ["constant", "cosine", "stepped"])
def test_a_schedule_tells_its_rates(name):
    schedule, rate = TIMED[name]
    told = [schedule.rate(t) for t in range(1, 60)]
    np.testing.assert_allclose(told, [float(rate(t)) for t in range(1, 60)], rtol=1e-14)


def test_the_last_rate_is_what_the_limit_is_compared_with(route):
    limit = GDLinearRegressor(1e-3, 1, None).fit(X, Y).max_learning_rate_
    for schedule in (
        Cosine(2 * limit, 5, 1.01 * limit),
        StepDecay(limit, 1.0),
        WarmUp(1.1 * limit, 3),
    ):
        with pytest.warns(UserWarning, match="is not below the largest stable rate"):
            GDLinearRegressor(schedule, 20, None).fit(X, Y)
    for schedule in (Cosine(1.2 * limit, 5), StepDecay(1.2 * limit, 0.9, 1), Adaptive(9 * limit)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            GDLinearRegressor(schedule, 100, None).fit(X, Y)


# --- The one that watches the loss ---


def halving(table, target, eta0, factor, patience, n_updates, wait=0):
    """The rule as it is told, one target, with 50 digits: all losses and rates."""
    A, T = extended(np.column_stack([table, np.ones(len(table))])), extended(target)
    theta, rate, losses, rates = extended(np.zeros(A.shape[1])), mpmath.mpf(eta0), [], []
    best = mpmath.inf
    for _ in range(n_updates):
        left = T - A @ theta
        losses.append((left**2).sum() / len(T))
        if losses[-1] < best:
            best, wait = losses[-1], 0
        else:
            wait += 1
        if wait == patience:
            rate, best, wait = rate * factor, losses[-1], 0
        rates.append(float(rate))
        theta = theta + rate * 2 / len(T) * (A.T @ left)
    return np.array(losses, dtype=float), np.array(rates)


@pytest.mark.parametrize("patience", [1, 3])
def test_adaptive_multiplies_when_the_loss_has_stalled(patience, route):
    model = GDLinearRegressor(Adaptive(5.0, 0.4, patience), 60, None).fit(X, Y)
    each = [halving(X, target, 5.0, 0.4, patience, 61) for target in Y.T]
    np.testing.assert_allclose(model.loss_curve_, (each[0][0] + each[1][0]) / 2, rtol=1e-9)
    assert all(rates[-1] < 5.0 for _, rates in each)


def test_adaptive_finds_a_stable_rate_and_keeps_it(route):
    """Below the limit F falls at each update, so nothing halves the rate any more."""
    limit = GDLinearRegressor(1e-3, 1, None).fit(X, Y[:, 0]).max_learning_rate_
    model = GDLinearRegressor(Adaptive(100 * limit), 3000, None).fit(X, Y[:, 0])
    _, rates = halving(X, Y[:, 0], 100 * limit, 0.5, 1, 100)
    assert limit / 4 <= rates[-1] < limit
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(25)]), Y[:, 0], rcond=None)[0]
    np.testing.assert_allclose([*model.coef_, model.intercept_], exact, rtol=1e-6)


# --- Nesterov ---


def hessian_range():
    A = np.column_stack([X, np.ones(25)])
    return np.linalg.eigvalsh(2 / 25 * A.T @ A)[[0, -1]]


def test_nesterov_keeps_the_rate_of_the_theorem_at_every_update(route):
    """F(x_k) - F* <= (1 - root(mu / L))^k (F_0 - F* + mu / 2 |x_0 - x*|^2), x_k = y - g(y) / L."""
    mu, L = hessian_range()
    root = np.sqrt(mu / L)
    A, momentum = np.column_stack([X, np.ones(25)]), Nesterov((1 - root) / (1 + root))
    best = np.linalg.lstsq(A, Y, rcond=None)[0]
    least = ((Y - A @ best) ** 2).mean(axis=0)
    first = (Y**2).mean(axis=0) - least + mu / 2 * (best**2).sum(axis=0)
    for k in range(0, 60, 3):
        model = GDLinearRegressor(1 / L, k, None, momentum=momentum).fit(X, Y)
        theta = np.vstack([model.coef_.T, model.intercept_])
        x = theta + 2 / 25 / L * A.T @ (Y - A @ theta)
        gap = ((A @ (x - best)) ** 2).mean(axis=0)
        assert (gap <= (1 - root) ** (k + 1) * first * (1 + 1e-9) + 1e-28).all()


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_limit_of_nesterov_parts_stable_rates_from_others(beta, route):
    limit = 2 * (1 + beta) / (1 + 2 * beta) / hessian_range()[1]
    below = GDLinearRegressor(0.99 * limit, 1000, None, momentum=Nesterov(beta)).fit(X, Y)
    assert below.max_learning_rate_ == pytest.approx(limit, rel=1e-9)
    with pytest.warns(UserWarning, match="not below the largest stable rate"):
        beyond = GDLinearRegressor(1.01 * limit, 1000, None, momentum=Nesterov(beta)).fit(X, Y)
    assert below.loss_curve_[-1] < below.loss_curve_[0] < beyond.loss_curve_[-1]
    assert beyond.status_ is Status.DIVERGED


def test_nesterov_of_zero_is_plain_descent(route):
    plain = GDLinearRegressor(0.1, 50, None).fit(X, Y)
    model = GDLinearRegressor(0.1, 50, None, momentum=Nesterov(0.0)).fit(X, Y)
    np.testing.assert_allclose(model.loss_curve_, plain.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("keep", ["moments", "qr"])
def test_nesterov_of_a_ridge_and_of_a_stream(keep, route):
    model = GDLinearRegressor(0.06, 40, None, momentum=Nesterov(0.6), alpha=0.1, l1_ratio=0)
    stream = (
        clone(model).set_params(stream=keep).partial_fit(X[:20], Y[:20]).partial_fit(X[20:], Y[20:])
    )
    model.fit(X, Y)
    rows = np.vstack([X, np.sqrt(25 * 0.1) * np.eye(3)])
    A = extended(np.column_stack([rows, np.repeat([1.0, 0.0], [25, 3])]))
    T = extended(np.vstack([Y, np.zeros((3, 2))]))
    theta = velocity = extended(np.zeros((4, 2)))
    for _ in range(40):
        push = 0.06 * (2 / mpmath.mpf(25)) * (A.T @ (T - A @ theta))
        velocity = mpmath.mpf(0.6) * velocity + push
        theta = theta + mpmath.mpf(0.6) * velocity + push
    for fitted in (model, stream):
        np.testing.assert_allclose(fitted.coef_, theta[:3].T.astype(float), rtol=1e-10)


def test_nesterov_is_a_parameter_like_any_other():
    model = GDLinearRegressor(0.05, 100, None, momentum=Nesterov(0.5))
    other = clone(model).set_params(momentum__beta=0.7)
    assert other.momentum is not model.momentum and model.momentum.beta == 0.5
    grid = {"momentum__beta": [0.0, 0.8], "learning_rate": [1e-3, 0.01]}
    search = GridSearchCV(model, grid, cv=3).fit(X, Y[:, 0])
    assert search.best_params_ == {"momentum__beta": 0.8, "learning_rate": 0.01}
    again = pickle.loads(pickle.dumps(model.fit(X, Y)))
    assert again.momentum.beta == 0.5


@pytest.mark.parametrize("beta", [1.0, -0.1, np.nan, None, "0.9", True])
def test_a_bad_momentum_is_named_with_what_it_holds(beta):
    words = re.escape("momentum must be Nesterov() whose beta is a number >= 0 and below 1, got ")
    with pytest.raises(ValueError, match=words + re.escape(repr(Nesterov(beta)))):
        GDLinearRegressor(0.1, momentum=Nesterov(beta)).fit(X, Y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learning_rate": "auto"}, 'combined with learning_rate="auto".* write momentum=0.0'),
    ],
)
def test_nesterov_where_it_is_not_served_names_both(options, words):
    options = {"learning_rate": 0.1} | options
    with pytest.raises(ValueError, match=r"momentum=Nesterov\(beta=0.5\) cannot be " + words):
        GDLinearRegressor(momentum=Nesterov(0.5), **options).fit(X, Y)


def test_curves_of_schedules_are_named_in_a_picture():
    pytest.importorskip("matplotlib")
    models = [
        GDLinearRegressor(Cosine(0.1), 20, None).fit(X, Y),
        GDLinearRegressor(0.1, 20, None, momentum=Nesterov(0.5)).fit(X, Y),
    ]
    display = LossCurveDisplay.from_estimators(models)
    assert display.names == ["rate Cosine()", "rate 0.1, momentum Nesterov(beta=0.5)"]
