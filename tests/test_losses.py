"""Losses beside the square: gradients in exact arithmetic, naive descents, limits, refusals."""

import pickle
import re
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import reference  # noqa: F401  sets the digits of mpmath
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from gd_regressor import (
    EpsilonInsensitive,
    GDLinearRegressor,
    Huber,
    InverseScaling,
    LearningRateReport,
    Moments,
    PseudoHuber,
    Quantile,
    SquaredEpsilonInsensitive,
    Status,
)
from gd_regressor.data.table import Rows
from gd_regressor.losses import CHOICES, MEANS
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows import DataLoss
from gd_regressor.objective.on_rows_robust import RobustLoss
from gd_regressor.objective.robust import ScaledHuber

N, D, T = 40, 3, 2
# Each with the words of SGDRegressor for it, and the factor c
EACH = {
    "huber": (Huber(0.75), {"loss": "huber", "epsilon": 0.75}, 2),
    "pseudo": (PseudoHuber(0.75), None, 2),
    "quantile": (Quantile(0.25), None, 1),
    "epsilon": (EpsilonInsensitive(0.5), {"loss": "epsilon_insensitive", "epsilon": 0.5}, 1),
    "squared": (
        SquaredEpsilonInsensitive(0.5),
        {"loss": "squared_epsilon_insensitive", "epsilon": 0.5},
        1,
    ),
}
SMOOTH = ("huber", "pseudo", "squared")
each_loss = pytest.mark.parametrize("name", EACH)
each_smooth_loss = pytest.mark.parametrize("name", SMOOTH)


def table(seed=0, n=N, t=None):
    """Multiples of 1/8, so that residuals at such points are exact, and some lie on the edges."""
    random = np.random.default_rng(seed)
    X = random.integers(-16, 17, (n, D)) / 8
    y = X @ random.integers(-3, 4, (D, t or 1)) + random.integers(-24, 25, (n, t or 1)) / 8
    return X, (y if t else y[:, 0])


def exact_rho(name, r):
    """Rho and psi of one residual, a Fraction, from the formulas of the papers."""
    half, delta = Fraction(1, 2), Fraction(3, 4)
    if name == "huber":
        inside = abs(r) <= delta
        return (r * r, 2 * r) if inside else (2 * delta * abs(r) - delta**2, 2 * delta * sign(r))
    if name == "quantile":
        q = Fraction(1, 4)
        return (q * r, q) if r > 0 else ((q - 1) * r, q - 1 if r < 0 else Fraction(0))
    beyond = max(abs(r) - half, Fraction(0))
    if name == "epsilon":
        return beyond, sign(r) * (beyond > 0)
    return beyond**2, 2 * beyond * sign(r)


def sign(r):
    return int(r > 0) - int(r < 0)


def exact_loss(name, X, y, weights, w, b):
    """F and its gradient by (w; b) for one target, in Fractions."""
    value, gradient = Fraction(0), [Fraction(0)] * (X.shape[1] + 1)
    for row, target, s in zip(X, y, weights, strict=True):
        x = [*map(Fraction, row), Fraction(1)]
        r = Fraction(target) - sum(a * Fraction(c) for a, c in zip(x, [*w, b], strict=True))
        rho, psi = exact_rho(name, r)
        value += Fraction(s) * rho
        gradient = [g - Fraction(s) * psi * v for g, v in zip(gradient, x, strict=True)]
    total = sum(map(Fraction, weights))
    return value / total, [g / total for g in gradient]


# --- Gradients ---


@pytest.mark.parametrize("kind", [np.asarray, csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", sorted(set(EACH) - {"pseudo"}))
def test_value_and_gradient_are_those_of_exact_arithmetic(name, kind):
    X, y = table(t=T)
    random = np.random.default_rng(1)
    weights, theta = random.integers(1, 4, N).astype(float), random.integers(-8, 9, (D + 1, T)) / 4
    rho = EACH[name][0].rho
    model = GDLinearRegressor(0.5, 0, loss=EACH[name][0])
    model.fit(kind(X), y, weights, coef_init=theta[:D].T, intercept_init=theta[D])
    loss = DataLoss(Rows(X, y, weights), Frame.raw(Rows(X, y), True))
    value, gradient = RobustLoss(loss, rho, np.zeros((D, T))).value_and_gradient(theta)
    for j in range(T):
        exact, slope = exact_loss(name, X, y[:, j], weights, theta[:D, j], theta[D, j])
        assert value[j] == pytest.approx(float(exact), rel=1e-15)
        np.testing.assert_allclose(gradient[:, j], [float(g) for g in slope], rtol=0, atol=2e-15)
    assert model.loss_curve_[0] == pytest.approx(value.mean(), rel=1e-15)


def test_pseudo_huber_has_the_digits_of_its_formula():
    rho, delta = PseudoHuber(0.75).rho, mpmath.mpf("0.75")
    r = np.array([-1e150, -30.0, -0.75, -1e-9, 0.0, 1e-200, 1e-3, 2.0, 1e9])
    for value, slope, x in zip(rho.value(r), rho.slope(r), r, strict=True):
        root = mpmath.sqrt(1 + (mpmath.mpf(x) / delta) ** 2)
        exact = 2 * delta**2 * (root - 1)
        exact = exact if abs(x) > 1e-20 else mpmath.mpf(x) ** 2  # 50 digits are not enough
        assert value == pytest.approx(float(exact), rel=1e-14, abs=1e-300)
        assert slope == pytest.approx(float(2 * mpmath.mpf(x) / root), rel=1e-14)


@pytest.mark.parametrize("rho", [c.rho for c, _, _ in EACH.values()] + [ScaledHuber(1.35, 0.4)])
def test_psi_is_a_subgradient_and_no_steeper_than_promised(rho):
    """rho(b) >= rho(a) + psi(a) (b - a); and |psi(b) - psi(a)| <= 2 |b - a| where it is smooth."""
    r = np.linspace(-4, 4, 401)
    a, b = r[:, None], r[None]
    assert (rho.value(b) - rho.value(a) - rho.slope(a) * (b - a) >= -1e-14).all()
    if rho.smooth:
        assert (np.abs(rho.slope(b) - rho.slope(a)) <= 2 * np.abs(b - a) + 1e-14).all()


# --- The textbooks' descent ---


def descent(name, X, y, rates, *, weights=None, momentum=0.0, l1=0.0, l2=0.0):
    """Theta (p,) and losses of a naive loop; the penalty is c (l1 |w| + l2 / 2 w^2)."""
    choice, _, c = EACH[name]
    rho, A = choice.rho, np.column_stack([X, np.ones(len(X))])
    s = np.ones(len(X)) if weights is None else weights
    s = s / s.sum()
    theta, before, losses = np.zeros(D + 1), np.zeros(D + 1), []
    kink, bend = c * l1 * np.ones(D + 1), c * l2 * np.ones(D + 1)
    kink[D] = bend[D] = 0
    smooth = not l1
    for rate in [*rates, 0.0]:
        r = y - A @ theta
        losses.append(s @ rho.value(r) + kink @ np.abs(theta) + bend @ theta**2 / 2)
        slope = -A.T @ (s * rho.slope(r)) + smooth * bend * theta
        after = theta - rate * slope + momentum * (theta - before) * (rate > 0)
        if not smooth:
            after = np.sign(after) * np.maximum(np.abs(after) - rate * kink, 0) / (1 + rate * bend)
        theta, before = after if rate else theta, theta
    return theta, np.array(losses)


@each_loss
@pytest.mark.parametrize("net", [{}, {"l2": 0.3}, {"l1": 0.2, "l2": 0.1}], ids=str)
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_every_loss_is_that_of_the_naive_loop(name, net, momentum):
    X, y = table(3)
    weights = np.random.default_rng(3).uniform(0.5, 2, N)
    l1, l2 = net.get("l1", 0.0), net.get("l2", 0.0)
    alpha = l1 + l2
    model = GDLinearRegressor(
        InverseScaling(0.07, 0.3),
        60,
        None,
        momentum=momentum,
        loss=EACH[name][0],
        alpha=alpha,
        l1_ratio=l1 / alpha if alpha else 0.5,
    ).fit(X, y, weights)
    rates = [0.07 / t**0.3 for t in range(1, 61)]
    theta, losses = descent(name, X, y, rates, weights=weights, momentum=momentum, l1=l1, l2=l2)
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-12)
    np.testing.assert_allclose([*model.coef_, model.intercept_], theta, rtol=1e-11)


@each_smooth_loss
def test_below_the_bound_every_update_falls_as_the_descent_lemma_says(name):
    """F_k - F_{k+1} >= eta (1 - eta L / 2) |g|^2 for eta < 2 / L (Nesterov 2004, 1.2.20)."""
    X, y = table(4)
    model = GDLinearRegressor(1e-3, 1, None, loss=EACH[name][0]).fit(X, y)
    A = np.column_stack([X, np.ones(N)])
    L = np.linalg.eigvalsh(2 / N * A.T @ A)[-1]
    assert model.max_learning_rate_ == pytest.approx(2 / L, rel=1e-12)
    for share in (0.1, 0.5, 0.999):
        eta = share * 2 / L
        losses = GDLinearRegressor(eta, 50, None, loss=EACH[name][0]).fit(X, y).loss_curve_
        point, rho = np.zeros(D + 1), EACH[name][0].rho
        for k in range(50):
            g = -A.T @ rho.slope(y - A @ point) / N
            assert losses[k] - losses[k + 1] >= eta * (1 - share) * (g @ g) - 1e-13 * losses[0]
            point = point - eta * g


@each_loss
def test_the_end_follows_the_rule_of_tol_in_the_unit_of_the_loss(name):
    """Units of y and of the loss: y, delta and epsilon times 8 end after as many updates."""
    X, y = table(5)
    choice = EACH[name][0]
    schedule = 0.1 if name in SMOOTH else InverseScaling(1.0, 2.0)
    first = GDLinearRegressor(schedule, 5000, 1e-6, loss=choice).fit(X, y)
    assert first.status_ is Status.CONVERGED
    falls, rho = -np.diff(first.loss_curve_), choice.rho
    threshold = 1e-6 * y.var() ** (rho.power / 2)
    assert 0 <= falls[-1] <= threshold
    assert ((falls[:-1] > threshold) | (falls[:-1] < 0)).all()
    if name in SMOOTH:
        sizes = {k: 8 * v for k, v in choice.get_params().items()}
        again = GDLinearRegressor(0.1, 5000, 1e-6, loss=clone(choice).set_params(**sizes))
        again.fit(X, 8 * y)
        assert again.n_iter_ == first.n_iter_
        np.testing.assert_array_equal(again.coef_, 8 * first.coef_)


@each_loss
def test_kinks_have_no_safe_rate(name):
    X, y = table(6)
    model = GDLinearRegressor(0.1, 3, None, loss=EACH[name][0]).fit(X, y)
    assert hasattr(model, "max_learning_rate_") == (name in SMOOTH)
    assert not hasattr(model, "dual_gap_") and np.isnan(model.minimum_loss_)
    if name not in SMOOTH:
        with pytest.warns(UserWarning, match=re.escape("let the rates fall")):
            GDLinearRegressor(0.1, 3, loss=EACH[name][0]).fit(X, y)


@each_loss
def test_all_routes_agree(name, tmp_path):
    X, y = table(7, t=T)
    counts = np.random.default_rng(7).integers(0, 3, N)
    counts[:2] = 1
    make = GDLinearRegressor(0.05, 40, None, loss=EACH[name][0])
    weighted = clone(make).fit(X, y, counts)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    repeated = np.repeat(np.arange(N), counts)
    for data in ((X[repeated], y[repeated]), (csr_array(X), y, counts), (mapped, y, counts)):
        other = clone(make).fit(*data)
        np.testing.assert_allclose(other.coef_, weighted.coef_, rtol=0, atol=1e-13)
        np.testing.assert_allclose(other.loss_curve_, weighted.loss_curve_, rtol=1e-13)
    for j in range(T):
        one = clone(make).fit(X, y[:, j], counts)
        np.testing.assert_allclose(one.coef_, weighted.coef_[j], rtol=0, atol=1e-13)
    single = clone(make).fit(X.astype("f4"), y, counts)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, weighted.coef_, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, (_, theirs, _) in EACH.items() if theirs])
def test_c_times_the_objective_of_sgd_regressor(name):
    """One step of SGDRegressor on one row is our step on this row with a rate of 1 / c."""
    choice, theirs, c = EACH[name]
    X, y = table(8, n=1)
    ours = GDLinearRegressor(0.1 / c, 1, None, loss=choice, alpha=0.5, l1_ratio=0)
    start = {"coef_init": np.array([0.5, -1.0, 2.0]), "intercept_init": np.array([0.25])}
    sgd = SGDRegressor(
        **theirs, alpha=0.5, learning_rate="constant", eta0=0.1, max_iter=1, tol=None
    )
    ours.fit(X, y, coef_init=start["coef_init"], intercept_init=0.25)
    sgd.fit(X, y, **start)  # which writes its coefficients into the start
    # It shrinks w first, by the factor 1 - eta alpha: the same update
    np.testing.assert_allclose(ours.coef_, sgd.coef_, rtol=1e-14)
    assert ours.intercept_ == pytest.approx(sgd.intercept_[0], rel=1e-14)


# --- Mini-batches and early stopping ---


@each_loss
@pytest.mark.parametrize("net", [{}, {"l2": 0.3}, {"l1": 0.2, "l2": 0.1}], ids=str)
def test_mini_batches_are_the_naive_loop(name, net, tmp_path):
    """w <- w + rate mean(psi(r) x) over each batch, the penalty in full at each update."""
    choice, _, c = EACH[name]
    (X, y), rho, size, counts = table(11), EACH[name][0].rho, 7, np.arange(N) % 4
    l1, l2 = net.get("l1", 0.0), net.get("l2", 0.0)
    model = GDLinearRegressor(InverseScaling(0.07, 0.3), 4, None, batch_size=size, random_state=0)
    model.set_params(loss=choice, alpha=l1 + l2, l1_ratio=l1 / (l1 + l2 or 1), momentum=0.4)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    A, where = np.column_stack([X, np.ones(N)]), np.flatnonzero(counts)
    s, n = counts / counts[where].mean(), len(where)
    penalised = np.arange(D + 1) < D

    def loss_at(theta):
        penalty = c * (l1 * np.abs(theta[:D]) + l2 / 2 * theta[:D] ** 2).sum()
        return np.average(rho.value(y - A @ theta), weights=counts) + penalty

    theta, before, t = np.zeros(D + 1), np.zeros(D + 1), 0
    losses = [loss_at(theta)]
    for epoch in range(1, 5):
        order = where[np.random.default_rng([seed, epoch]).permutation(n)]
        for rows in (order[k : k + size] for k in range(0, n, size)):
            t += 1
            rate = 0.07 / t**0.3
            psi = s[rows] * rho.slope(y[rows] - A[rows] @ theta)
            after = theta + rate * A[rows].T @ psi / len(rows) + 0.4 * (theta - before)
            if l1:
                shrunk = np.sign(after) * np.maximum(np.abs(after) - rate * c * l1, 0)
                after = np.where(penalised, shrunk / (1 + rate * c * l2), after)
            else:
                after -= rate * c * l2 * theta * penalised
            theta, before = after, theta
        losses.append(loss_at(theta))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for one in (X, csr_array(X), X.astype("f4"), mapped):
        fitted = clone(model).fit(one, y, counts)
        rtol = 1e-5 if one.dtype == np.float32 else 1e-11
        np.testing.assert_allclose([*fitted.coef_, fitted.intercept_], theta, rtol, rtol)
        np.testing.assert_allclose(fitted.loss_curve_, losses, rtol=1e-12)
    assert fitted.status_ is Status.MAX_ITER and not hasattr(fitted, "dual_gap_")
    both = clone(model).fit(X, np.column_stack([y, -y]), counts)
    np.testing.assert_allclose(both.coef_[0], fitted.coef_, rtol=1e-11)


@each_loss
def test_chunks_are_passes_of_updates(name):
    X, y = table(12)
    model = GDLinearRegressor(0.02, 1, None, batch_size=5, shuffle=False, loss=EACH[name][0])
    in_chunks = clone(model).partial_fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    np.testing.assert_allclose(in_chunks.coef_, model.fit(X, y).coef_, rtol=1e-12)
    assert not hasattr(GDLinearRegressor(0.02, loss=EACH[name][0]), "partial_fit")


@each_loss
@pytest.mark.parametrize("size", [None, 5], ids=["all rows", "batches"])
def test_held_out_rows_are_judged_by_the_loss(name, size):
    """The update with the least mean of rho over the held-out rows is returned."""
    (X, y), rho = table(13), EACH[name][0].rho
    X, X_val, y, y_val = X[:25], X[25:], y[:25], y[25:]
    model = GDLinearRegressor(InverseScaling(0.2, 0.5), 30, None, loss=EACH[name][0])
    model.set_params(batch_size=size, random_state=0)
    whole = [clone(model).set_params(max_iter=k).fit(X, y) for k in range(31)]
    curve = [rho.value(y_val - one.predict(X_val)).mean() for one in whole]
    model.set_params(early_stopping=True).fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_allclose(model.validation_curve_, curve, rtol=1e-10)
    best = int(np.argmin(curve))
    assert model.n_iter_ == best and model.loss_curve_[-1] == whole[best].loss_curve_[-1]
    np.testing.assert_array_equal(model.coef_, whole[best].coef_)
    assert f"with a {MEANS[rho.name]} of" in model.message_  # the words of pictures, too
    unit = "variance" if rho.power == 2 else "deviation"
    model.set_params(tol=0.5, max_iter=300).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.status_ is Status.STOPPED_EARLY
    assert f"more than tol=0.5 times the {unit} of y" in model.message_


# --- Parameters ---


def test_a_loss_is_a_parameter_like_any_other():
    loss = Quantile(0.2)
    X, y = table(9)
    model = GDLinearRegressor(InverseScaling(0.1), 20, None, loss=loss).fit(X, y)
    assert model.loss is loss and vars(loss) == {"quantile": 0.2, "non_crossing": False}
    other = clone(model).set_params(loss__quantile=0.7)
    assert other.loss is not loss and loss.quantile == 0.2
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    grid = {"loss__quantile": [0.1, 0.5], "loss": [Quantile()]}
    search = GridSearchCV(GDLinearRegressor(InverseScaling(0.3), 300, None), grid, cv=3)
    assert search.fit(X, y).best_params_["loss__quantile"] == 0.5


@pytest.mark.parametrize("word", sorted(CHOICES))
def test_a_word_is_the_object_with_its_defaults(word):
    X, y = table(10)
    rate = "auto" if CHOICES[word]().rho.rung else 0.1
    models = (GDLinearRegressor(rate, 5, None, loss=loss) for loss in (word, CHOICES[word]()))
    one, other = (model.fit(X, y) for model in models)
    np.testing.assert_array_equal(one.coef_, other.coef_)
    assert one.loss_curve_[-1] != GDLinearRegressor(rate, 5, None).fit(X, y).loss_curve_[-1]


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("hubert", 'loss must be one of "squared_error", "huber"'),
        (3, "or an object such as Huber()"),
        (Huber(0.0), "loss must be a Huber whose delta is a number"),
        (Huber("high"), 'or "auto", got Huber'),
        (PseudoHuber(np.inf), "loss must be a PseudoHuber whose delta"),
        (Quantile(1.0), "loss must be a Quantile whose quantile is a number between 0 and 1"),
        (Quantile([0.1, 1.5]), "a number between 0 and 1, or a list of such numbers, got"),
        (Quantile([]), "or a list of such numbers"),
        (Quantile([[0.1]]), "or a list of such numbers"),
        (Quantile(0.5, non_crossing="yes"), "whose non_crossing is True or False"),
        (
            EpsilonInsensitive(-1),
            "must be an EpsilonInsensitive whose epsilon is a number from .* or 0, got",
        ),
        (SquaredEpsilonInsensitive(True), "whose epsilon is a number"),
    ],
    ids=str,
)
def test_a_loss_that_cannot_be_used_is_named(loss, words):
    with pytest.raises(ValueError, match=words.replace("()", r"\(\)")):
        GDLinearRegressor(0.1, loss=loss).fit(*table())


def test_what_does_not_go_together_is_named_with_what_to_write():
    X, y = table()
    with pytest.raises(ValueError, match=r"estimates a scale .* loss=Huber\(1.35\)"):
        GDLinearRegressor(0.1, loss="huber").fit(X, y)
    with pytest.raises(ValueError, match=r"auto.* and a batch_size, .* batch_size=None"):
        GDLinearRegressor(batch_size=5, loss="quantile").fit(X, y)
    for options, words in (({"alpha": 0.1}, "l1_ratio=0"), ({"positive": True}, "positive=False")):
        with pytest.raises(ValueError, match=f"write {words}\\.$"):
            GDLinearRegressor(loss="huber", **options).fit(X, y)
        with pytest.raises(ValueError, match=f"write {words}, or give learning_rate a number"):
            GDLinearRegressor(loss=PseudoHuber(), **options).fit(X, y)
    with pytest.raises(AttributeError) as refused:
        GDLinearRegressor(loss="huber").partial_fit(X, y)
    assert 'write loss="squared_error"' in str(refused.value.__cause__)
    for call in (
        lambda model: model.fit_batches([(X, y)]),
        lambda model: model.fit_moments(Moments.of(X, y)),
    ):
        with pytest.raises(ValueError, match=r"cannot be combined with .* sums for the square"):
            call(GDLinearRegressor(loss="huber"))
    fitted = GDLinearRegressor(0.1, 5, None, loss=Huber(1.0)).fit(X, y)
    with pytest.raises(ValueError, match=r"fitted has loss=Huber\(delta=1.0\)"):
        LearningRateReport.from_estimator(fitted, X, y)


CHECKED = [
    GDLinearRegressor(0.01, 50, None, loss="pseudo_huber"),
    GDLinearRegressor(InverseScaling(0.1), 50, None, loss="quantile", alpha=0.1),
    GDLinearRegressor(0.01, 50, None, loss=SquaredEpsilonInsensitive(0.0), momentum=0.5),
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)
