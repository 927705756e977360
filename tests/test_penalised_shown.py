"""What is shown of a penalised model belongs to the penalised loss."""

import re
import warnings
from fractions import Fraction

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import ElasticNet as Coordinatewise
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gd_regressor import (
    ConvergenceMapDisplay,
    DescentExplorer,
    DivergenceWarning,
    FitDisplay,
    GDLinearRegressor,
    LearningRateDisplay,
    LearningRateReport,
    LossCurveDisplay,
    LossSurfaceDisplay,
    Moments,
    SpectrumDisplay,
    Status,
    compare_estimators,
    learning_rate_report,
)
from gd_regressor.__main__ import main
from gd_regressor.command.report import _contestants, descent_of
from gd_regressor.command.tables import choose, read_csv
from gd_regressor.comparison import Objective, direct, stochastic
from gd_regressor.estimator.described import described
from gd_regressor.estimator.shown import SOURCES, fit_in_words
from gd_regressor.objective.penalties import ElasticNet
from gd_regressor.plots.kinked import Kinked

RNG = np.random.default_rng(5)
N, D = 40, 4
X = RNG.standard_normal((N, D)) @ (np.eye(D) + 0.4) * [1.0, 2.0, 0.5, 1.0] + 1.0
Y = X @ [1.0, 0.0, -2.0, 0.3] + 3 + RNG.standard_normal(N)
RATE, WEIGHTS = 0.02, [1.0, 0.5, 0.0, 2.0]
PENALTIES = {
    "lasso": {"alpha": 0.3, "l1_ratio": 1.0},
    "elastic net": {"alpha": 0.2, "l1_ratio": 0.5, "penalty_weights": WEIGHTS},
    "positive": {"positive": True},
    "positive lasso": {"alpha": 0.1, "l1_ratio": 0.7, "positive": True},
}
RIDGE = {"alpha": 0.2, "l1_ratio": 0.0}


def fitted(learning_rate="auto", max_iter=100, tol=None, data=(X, Y), **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tol = 1e-12 if learning_rate == "auto" else tol
        return GDLinearRegressor(learning_rate, max_iter, tol, **options).fit(*data)


def penalised(w, b, *, alpha=0.0, l1_ratio=0.5, positive=False, penalty_weights=None):
    """F, as the documentation states it."""
    s = np.ones(D) if penalty_weights is None else np.asarray(penalty_weights)
    added = l1_ratio * np.sum(s * np.abs(w)) + (1 - l1_ratio) / 2 * np.sum(s * w**2)
    if positive and np.min(w) < 0:
        return np.inf
    return np.mean((Y - X @ w - b) ** 2) + 2 * alpha * added


# --- A ridge has a report ---


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_counts_of_a_ridge_are_those_of_a_descent(momentum, weights):
    """By a loop over F and its gradient."""
    s, tol = 0.2 * np.array(np.ones(D) if weights is None else weights), 1e-7
    A = np.column_stack([X, np.ones(N)])
    l2 = np.append(s, 0.0)
    minimum = np.linalg.solve(A.T @ A / N + np.diag(l2), A.T @ Y / N)

    def loss(theta):
        return np.mean((Y - A @ theta) ** 2) + l2 @ theta**2

    theta, step, losses = np.zeros(D + 1), 0.0, []
    for _ in range(6000):
        losses.append(loss(theta))
        slope = -2 / N * A.T @ (Y - A @ theta) + 2 * l2 * theta
        step = momentum * step - RATE * slope
        theta = theta + step
    losses, enough = np.array(losses), tol * Y.var()
    model = fitted(RATE, 50, momentum=momentum, penalty_weights=weights, **RIDGE)
    report = LearningRateReport.from_estimator(model, X, Y)
    np.testing.assert_allclose(report.losses(RATE, momentum, 3000), losses[:3001], rtol=1e-12)
    assert report.minimum_loss == pytest.approx(loss(minimum), rel=1e-12)
    np.testing.assert_allclose(np.append(report.coef, report.intercept), minimum, rtol=1e-9)
    far = np.flatnonzero(losses - loss(minimum) > enough)[-1] + 1
    assert report.needs(RATE, momentum, tol) == far
    window = 4 if momentum else 1  # 1 / 0.3, rounded up
    calm = np.abs(np.diff(losses)) <= enough
    streak = np.convolve(calm, np.ones(window), "valid") == window
    stop = int(streak.argmax()) + window
    assert report.stops_after(RATE, momentum, tol) == stop
    again = fitted(RATE, 6000, tol, momentum=momentum, penalty_weights=weights, **RIDGE)
    assert again.n_iter_ == stop and again.status_ is Status.CONVERGED
    hessian = 2 * A.T @ A / N + 2 * np.diag(l2)
    limit = 2 * (1 + momentum) / np.linalg.eigvalsh(hessian)[-1]
    assert report.limit(momentum) == pytest.approx(limit, rel=1e-12)
    assert model.max_learning_rate_ == pytest.approx(limit, rel=1e-12)


def test_all_doors_to_a_report_know_the_ridge():
    options = {"alpha": 0.2, "penalty_weights": WEIGHTS}
    report = learning_rate_report(X, Y, **options)
    assert report.has_ridge and not learning_rate_report(X, Y).has_ridge
    stream = GDLinearRegressor(RATE, 5, None, penalty_weights=WEIGHTS, **RIDGE).partial_fit(X, Y)
    start = {"coef_init": np.arange(4.0), "intercept_init": 2.0}
    for other in (
        LearningRateReport.from_moments(Moments.of(X, Y), **options),
        LearningRateReport.from_estimator(stream),
        learning_rate_report(X, np.column_stack([Y, Y]), **options),
    ):
        np.testing.assert_allclose(other.curvatures, report.curvatures, rtol=1e-10)
        assert other.minimum_loss == pytest.approx(report.minimum_loss, rel=1e-10)
    for fit_intercept in (True, False):
        begun = dict(start) if fit_intercept else {"coef_init": start["coef_init"]}
        here = learning_rate_report(X, Y, fit_intercept=fit_intercept, **begun, **options)
        b = begun.get("intercept_init", 0.0)
        first = penalised(begun["coef_init"], b, penalty_weights=WEIGHTS, **RIDGE)
        assert here.losses(RATE, n_iter=[0])[0] == pytest.approx(first, rel=1e-12)


def test_a_ridge_of_standardised_columns_is_the_one_behind_a_scaler():
    behind = learning_rate_report(StandardScaler().fit_transform(X), Y, alpha=0.2)
    scaled = learning_rate_report(X, Y, alpha=0.2).standardised
    np.testing.assert_allclose(scaled.curvatures, behind.curvatures, rtol=1e-12)
    np.testing.assert_allclose(scaled.coef, behind.coef, rtol=1e-10)
    assert scaled.minimum_loss == pytest.approx(behind.minimum_loss, rel=1e-12)


@pytest.mark.parametrize("name", PENALTIES)
def test_no_report_is_made_of_a_loss_with_kinks(name):
    model = fitted(RATE, **PENALTIES[name])
    with pytest.raises(ValueError, match=r"no eigenvalues foretell .* Write l1_ratio=0 and"):
        LearningRateReport.from_estimator(model, X, Y)
    with pytest.raises(ValueError, match="no eigenvalues foretell"):
        DescentExplorer.from_estimator(model, X, Y)


def test_several_strengths_have_no_common_report():
    targets = np.column_stack([Y, -Y])
    model = fitted(RATE, data=(X, targets), alpha=[0.1, 0.2], l1_ratio=0)
    with pytest.raises(ValueError, match=r"one alpha for all targets, got alpha=\[0.1, 0.2\]"):
        LearningRateReport.from_estimator(model, X, targets)
    with pytest.raises(ValueError, match="alpha must be one number for a report"):
        learning_rate_report(X, targets, alpha=[0.1, 0.2])


def test_pictures_of_a_ridge_have_its_numbers():
    """By hand for one standardised column: F = 1 + (w^2 - 2 c w) + alpha w^2."""
    figure = pytest.importorskip("matplotlib.figure").Figure
    x = (X[:, 0] - X[:, 0].mean()) / X[:, 0].std()
    y = (Y - Y.mean()) / Y.std()
    c, alpha = np.mean(x * y), 0.5
    report = learning_rate_report(x[:, None], y, alpha=alpha)
    rates = LearningRateDisplay.from_report(report, ax=figure().subplots(1, 2))
    assert rates.limit == pytest.approx(2 / (2 + 2 * alpha))
    assert rates.minimum_loss == pytest.approx(1 - c**2 / (1 + alpha))
    assert rates.axes_[0].get_ylabel().endswith("and penalty")
    spectrum = SpectrumDisplay.from_report(report, learning_rate=0.1, ax=figure().subplots())
    assert max(spectrum.curvatures) == pytest.approx(2 + 2 * alpha)
    chart = ConvergenceMapDisplay.from_report(report, ax=figure().subplots())
    assert chart.largest_curvature == pytest.approx(2 + 2 * alpha)
    fit = FitDisplay.from_report(report, x[:, None], y, learning_rate=0.1, n_iter=[0, 1, 500])
    once = 0.1 * 2 * c
    np.testing.assert_allclose(fit.coefs[0], [0, once, c / (1 + alpha)], atol=1e-12)
    curve = LossCurveDisplay.from_report(
        report, learning_rate=0.1, tol=None, ax=figure().subplots()
    )
    expected = 1 + once**2 - 2 * c * once + alpha * once**2
    np.testing.assert_allclose(curve.losses[0][:2], [1, expected], rtol=1e-12)
    model = fitted(0.1, 30, data=(x[:, None], y), alpha=alpha, l1_ratio=0)
    surface = LossSurfaceDisplay.from_estimator(model, x[:, None], y, ax=figure().subplots())
    np.testing.assert_allclose(surface.minimum, [c / (1 + alpha), 0], atol=1e-12)
    w, b = np.array([0.3, -2.0]), np.array([1.0, 0.2])
    heights = [np.mean((y - p * x - q) ** 2) + alpha * p**2 for p, q in zip(w, b, strict=True)]
    np.testing.assert_allclose(surface.loss_at(w, b), heights, rtol=1e-12)


# --- The surface of a loss with kinks ---


def kinked(name, **options):
    model = fitted(RATE, **PENALTIES[name], **options)
    return model, Kinked.of(described(model, X, Y, None))


@pytest.mark.parametrize("pair", [[0, 2], [1, 3], [2, 4]])
@pytest.mark.parametrize("name", PENALTIES)
def test_no_point_of_the_surface_is_below_the_fit(name, pair):
    """And all others are at their best: no coordinate descent comes below."""
    best, (_, loss) = fitted(**PENALTIES[name]), kinked(name)
    least = loss.minimum()
    theta = np.append(best.coef_, best.intercept_)
    np.testing.assert_allclose(least.theta, theta, rtol=1e-8, atol=1e-10)
    least_loss = penalised(best.coef_, best.intercept_, **PENALTIES[name])
    assert least.loss == pytest.approx(least_loss, rel=1e-12)
    surface = loss.surface(pair)
    assert surface(*theta[pair]) == pytest.approx(least_loss, rel=1e-12)
    u, v = theta[pair[0]] + np.linspace(-2, 2, 31), theta[pair[1]] + np.linspace(-2, 2, 33)
    heights = surface(u, v[:, None])
    assert heights.shape == (33, 31) and heights.min() >= least_loss * (1 - 1e-12)
    forbidden = np.zeros_like(heights, dtype=bool)
    if "positive" in name:
        forbidden = (u < 0) | ((v < 0)[:, None] & (pair[1] < D))
    assert np.array_equal(~np.isfinite(heights), np.broadcast_to(forbidden, heights.shape))
    for i, j in [(5, 30), (16, 16), (32, 8)]:
        if not forbidden[i, j]:
            expected = profiled(pair, (u[j], v[i]), **PENALTIES[name])
            assert heights[i, j] == pytest.approx(expected, rel=1e-9)


def profiled(pair, values, *, alpha=0.0, l1_ratio=0.5, positive=False, penalty_weights=None):
    """F with two coefficients held, by many sweeps of coordinate descent."""
    A = np.column_stack([X, np.ones(N)])
    s = np.append(np.ones(D) if penalty_weights is None else penalty_weights, 0.0)
    theta = np.zeros(D + 1)
    theta[pair] = values
    for _ in range(5000):
        for j in set(range(D + 1)) - set(pair):
            slope = A[:, j] @ (Y - A @ theta + A[:, j] * theta[j]) / N
            l1, l2 = alpha * s[j] * l1_ratio, alpha * s[j] * (1 - l1_ratio)
            moved = slope - np.clip(slope, -l1, l1)
            if positive and j < D:
                moved = max(slope - l1, 0.0)
            theta[j] = moved / (A[:, j] @ A[:, j] / N + l2)
    w, b = theta[:D], theta[D]
    options = {"alpha": alpha, "l1_ratio": l1_ratio, "penalty_weights": penalty_weights}
    return penalised(w, b, **options)


@pytest.mark.parametrize("name", PENALTIES)
def test_the_picture_of_a_surface_with_kinks(name):
    ax = pytest.importorskip("matplotlib.figure").Figure().subplots()
    model, best = fitted(RATE, **PENALTIES[name]), fitted(**PENALTIES[name])
    display = LossSurfaceDisplay.from_estimator(model, X, Y, features=(0, 2), ax=ax)
    np.testing.assert_allclose(display.minimum, best.coef_[[0, 2]], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(np.transpose(display.path)[-1], model.coef_[[0, 2]], rtol=1e-9)
    assert display.minimum_loss == pytest.approx(best.loss_curve_[-1], rel=1e-10)
    for (low, high), value in zip((ax.get_xlim(), ax.get_ylim()), display.minimum, strict=True):
        assert low < value < high and low < 0 < high
    assert display.contour_.levels[0] == pytest.approx(display.minimum_loss)


def test_a_surface_with_kinks_refuses_what_it_cannot_draw():
    wide = RNG.standard_normal((50, 31))
    model = fitted(RATE, data=(wide, wide[:, 0]), alpha=0.1)
    with pytest.raises(ValueError, match="at most 30 columns for the surface of a loss with"):
        LossSurfaceDisplay.from_estimator(model, wide, wide[:, 0])
    both = fitted(RATE, data=(X, np.column_stack([Y, Y])), alpha=0.1)
    with pytest.raises(ValueError, match="y must be one target"):
        LossSurfaceDisplay.from_estimator(both, X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match="must have a number as learning_rate"):
        LossSurfaceDisplay.from_estimator(fitted(alpha=0.1), X, Y)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("name", PENALTIES)
def test_the_path_is_that_of_the_fit(name, momentum):
    model, loss = kinked(name, momentum=momentum)
    from gd_regressor.descent.steps import ConstantStep

    points = loss.points(ConstantStep(RATE, momentum), np.array([0, 3, 100]))
    np.testing.assert_allclose(points[:, 2], np.append(model.coef_, model.intercept_), rtol=1e-9)
    assert not points[:, 0].any()
    heights = [penalised(p[:D], p[D], **PENALTIES[name]) for p in points.T]
    np.testing.assert_allclose(heights, model.loss_curve_[[0, 3, 100]], rtol=1e-10)


# --- The subgradient of least norm ---


def test_the_smallest_subgradient_by_hand():
    """Exact on a lasso of three rows: F(w) = mean (y - X w)^2 + 2 alpha |w|."""
    rows = [[1, 2], [0, 1], [3, -1]]
    y, alpha = [4, 1, 2], Fraction(1, 2)
    F = Fraction
    for w in ([F(0), F(0)], [F(1), F(0)], [F(0), F(-1, 4)], [F(3, 4), F(1, 2)]):
        left = [
            yi - sum(x * c for x, c in zip(row, w, strict=True))
            for row, yi in zip(rows, y, strict=True)
        ]
        slopes = [
            F(-2, 3) * sum(row[j] * e for row, e in zip(rows, left, strict=True)) for j in (0, 1)
        ]
        expected = []
        for c, g in zip(w, slopes, strict=True):
            near = g + 2 * alpha * (1 if c > 0 else -1)
            if c == 0:
                near = max(abs(g) - 2 * alpha, F(0)) * (1 if g > 0 else -1)
            expected.append(near)
        net = ElasticNet(np.full((2, 1), 0.5), np.zeros((2, 1)))
        column = np.array([[float(c)] for c in w])
        found = net.subgradient(column, np.array([[float(g)] for g in slopes]))
        np.testing.assert_allclose(
            found[:, 0], [float(v) for v in expected], rtol=1e-15, atol=1e-15
        )


def test_held_at_zero_a_slope_upwards_counts_for_nothing():
    net = ElasticNet(np.full((3, 1), 0.5), np.zeros((3, 1)), positive=True)
    found = net.subgradient(np.zeros((3, 1)), np.array([[5.0], [-0.5], [-3.0]]))
    assert found[:, 0].tolist() == [0.0, 0.0, -2.0]


@pytest.mark.parametrize("learning_rate", ["auto", RATE])
@pytest.mark.parametrize("name", PENALTIES)
def test_verbose_prints_a_measure_that_is_zero_at_the_minimum(capsys, name, learning_rate):
    """It is the derivative of F along the steepest way down, which differences show."""
    options = PENALTIES[name]
    model = fitted(learning_rate, 3000, verbose=1 if learning_rate == "auto" else 1000, **options)
    norms = [float(n) for n in re.findall(r"subgradient (\S+)", capsys.readouterr().out)]
    assert len(norms) == 1 + model.n_iter_ // (1 if learning_rate == "auto" else 1000)
    if learning_rate == "auto":
        assert norms[-1] < 1e-12 * norms[0]
    # At zero: the least norm is how fast F falls in the best direction
    s = np.ones(D) if "penalty_weights" not in options else np.array(WEIGHTS)
    l1 = 2 * options.get("alpha", 0.0) * options.get("l1_ratio", 0.5) * s
    slope = -2 * X.T @ Y / N
    least = np.sign(slope) * np.maximum(np.abs(slope) - l1, 0.0)
    if options.get("positive"):
        least = np.minimum(slope + l1, 0.0)
    first = np.append(least, -2 * Y.mean())
    assert norms[0] == pytest.approx(np.linalg.norm(first), rel=1e-3)
    h = 1e-6 / np.linalg.norm(first)
    start, moved = (penalised(-k * first[:D], -k * first[D], **options) for k in (0.0, h))
    assert (start - moved) / (h * np.linalg.norm(first)) == pytest.approx(norms[0], rel=1e-3)


def test_verbose_of_a_ridge_prints_the_gradient_of_the_whole_loss(capsys):
    model = fitted(RATE, 40, verbose=20, **RIDGE)
    out = capsys.readouterr().out
    printed = [float(n) for n in re.findall(r"  gradient (\S+)", out)]
    w, b = model.coef_, model.intercept_
    left = Y - X @ w - b
    slope = np.append(-2 / N * X.T @ left + 2 * 0.2 * w, -2 * left.mean())
    assert printed[-1] == pytest.approx(np.linalg.norm(slope), rel=1e-3)
    assert "subgradient" not in out


# --- Words ---


def test_each_metric_has_words():
    words = GDLinearRegressor.__annotations__["metric_"]
    assert set(re.findall(r"'([^']+)'", words.replace('"', "'"))) == set(SOURCES)


def test_a_rate_beyond_the_bound_of_a_prox_is_no_limit():
    """2 (1 - momentum) / L is where a proof ends, and not the descent."""
    with pytest.warns(DivergenceWarning, match="is sure to converge below this rate only"):
        GDLinearRegressor(RATE, 30, None, momentum=0.9, **PENALTIES["lasso"]).fit(X, Y)
    with pytest.warns(DivergenceWarning, match="not below the largest stable rate"):
        GDLinearRegressor(1.0, 5, None, **RIDGE).fit(X, Y)


@pytest.mark.parametrize("learning_rate", ["auto", RATE])
def test_a_penalised_fit_says_what_holds_it(learning_rate):
    told = dict(fit_in_words(fitted(learning_rate, 3000, **PENALTIES["lasso"])))
    assert told["Penalty"].startswith("alpha 0.3, l1_ratio 1; ") and "are zero" in told["Penalty"]
    assert "duality gap at most" in told["Penalty"] and told["Loss"].endswith("with the penalty")
    told = dict(fit_in_words(fitted(learning_rate, positive=True)))
    assert told["Penalty"].startswith("coefficients at or above zero; ")
    assert "penalty" not in told["Loss"]
    assert "Penalty" not in dict(fit_in_words(fitted(learning_rate)))


# --- Beside other estimators ---


OBJECTIVES = {
    "ridge": (Objective(alpha=0.3, l1_ratio=0.0), None),
    "lasso": (Objective(alpha=0.3, l1_ratio=1.0), Lasso),
    "net": (Objective(alpha=0.3, l1_ratio=0.4), Coordinatewise),
    "nnls": (Objective(positive=True), LinearRegression),
    "positive net": (Objective(alpha=0.1, l1_ratio=0.4, positive=True), Coordinatewise),
    "plain": (Objective(), LinearRegression),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_neighbour_minimises_the_same_loss(name):
    """On all rows, and on those of a fold: alpha counts per row."""
    objective, kind = OBJECTIVES[name]
    for rows in (slice(None), slice(0, 31)):
        ((_, solver),) = direct(objective).items()
        assert kind is None or type(solver) is kind
        if hasattr(solver, "tol") and kind is not LinearRegression:
            solver.set_params(tol=1e-12, max_iter=100_000)
        ours = GDLinearRegressor(**objective._asdict()).fit(X[rows], Y[rows])
        theirs = solver.fit(X[rows], Y[rows]).predict(X)
        np.testing.assert_allclose(theirs, ours.predict(X), rtol=1e-6)
    if kind is None:
        found, ridge = direct(objective).popitem()[1].fit(X, Y), Ridge(0.3 * N).fit(X, Y)
        np.testing.assert_allclose(found.predict(X), ridge.predict(X))


def test_stochastic_descent_comes_to_the_same_minimum():
    """With a schedule that settles, on standardised columns."""
    objective = Objective(alpha=0.3, l1_ratio=0.4)
    scaled = StandardScaler().fit_transform(X)
    (sgd,) = stochastic(objective).values()
    sgd.set_params(max_iter=3000, tol=None, learning_rate="invscaling", eta0=0.05, power_t=0.6)
    ours = GDLinearRegressor(**objective._asdict()).fit(scaled, Y)
    np.testing.assert_allclose(sgd.fit(scaled, Y).coef_, ours.coef_, atol=0.02)
    assert stochastic(Objective(positive=True)) == {}


def test_all_rows_of_a_comparison_have_the_penalty():
    found = compare_estimators(X, Y, alpha=0.3, l1_ratio=1.0, cv=3)
    assert [one.name.removeprefix("StandardScaler + ") for one in found] == [
        *("GDLinearRegressor auto", "GDLinearRegressor 0.1"),
        *("Lasso(alpha=0.3)", "SGDRegressor"),
    ]
    assert all(one.name.startswith("StandardScaler + ") for one in found)
    assert np.ptp([one.loss for one in found[:3]]) < 1e-4 * found[0].loss
    assert np.ptp([one.r2 for one in found[:3]]) < 1e-4
    plain = compare_estimators(X, Y, cv=0)
    assert [one.name for one in plain][2] == "LinearRegression"
    with pytest.raises(ValueError, match="alpha must be one number"):
        compare_estimators(X, Y, alpha=[0.1, 0.2])


# --- The command ---


@pytest.fixture
def table(tmp_path):
    lines = ["a,b,c,d,y", *(",".join(map(repr, row)) for row in np.column_stack([X, Y]).tolist())]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    return str(tmp_path / "table.csv")


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("rate", ["auto", RATE])
@pytest.mark.parametrize("penalty", [RIDGE, PENALTIES["lasso"], PENALTIES["positive"]])
def test_the_command_compares_equals(table, penalty, rate, standardize):
    """All but the stochastic descent come to predictions of the same F, in the same units."""
    problem = choose(read_csv(table), "y", None)
    model = descent = GDLinearRegressor(rate, 20_000, **penalty)
    if standardize:
        scaled = make_pipeline(StandardScaler(), descent)
        options = {"transformer": StandardScaler(), "check_inverse": False}
        model = TransformedTargetRegressor(regressor=scaled, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = model.fit(problem.X, problem.y).predict(X)
        found = _contestants(problem, model)
        assert len(found) >= (3 if rate != "auto" or standardize else 2)
        for name, one in found.items():
            if "SGD" not in name:
                predicted = one.fit(problem.X, problem.y).predict(X)
                np.testing.assert_allclose(predicted, asked, atol=2e-3 * Y.std(), err_msg=name)
    assert descent_of(found.popitem()[1]) is not descent


def lines_of(picture):
    return [line.get_ydata() for line in picture.axes[0].lines]


@pytest.mark.parametrize("options", [["--l1-ratio", "1"], ["--l1-ratio", "0"]])
def test_pictures_of_the_command_are_of_the_descent(table, tmp_path, options, monkeypatch):
    """The lines of the fit are iterates of the fit that was made."""
    pytest.importorskip("matplotlib")
    from gd_regressor.command import pictures

    shown = {}
    for kind, draw in dict(pictures.PICTURES).items():

        def spy(figure, scene, model, kind=kind, draw=draw):
            draw(figure, scene, model)
            shown[kind] = figure, scene, model

        monkeypatch.setitem(pictures.PICTURES, kind, spy)
    files = [
        word
        for kind in ("loss", "surface", "fit")
        for word in ("--plot", kind, f"{tmp_path}/{kind}.png")
    ]
    rate = ["--learning-rate", str(RATE), "--max-iter", "30", "--tol", "none", "--alpha", "0.3"]
    command = [table, "--target", "y", "--features", "a", *rate, *options, *files, "--no-compare"]
    assert main(command) == 0
    figure, scene, model = shown["fit"]
    x, one = X[:, 0], np.array([X[:, 0].min(), X[:, 0].max()])
    settings = {"alpha": 0.3, "l1_ratio": float(options[1])}
    for k, heights in zip((0, 1, 3, 10, 30), lines_of(figure), strict=True):
        same = fitted(RATE, k, data=(x[:, None], Y), **settings)
        np.testing.assert_allclose(heights, one * same.coef_ + same.intercept_, atol=1e-9)
    curve = lines_of(shown["loss"][0])[0]
    np.testing.assert_allclose(curve, model.loss_curve_)
    assert shown["loss"][0].axes[0].get_ylabel().endswith("and penalty")
    assert "alpha 0.3" in scene.title


@pytest.mark.parametrize("shown", [["--plot", "rates", "rates.png"], ["--explore", "page.html"]])
@pytest.mark.parametrize("penalty", [["--alpha", "0.3"], ["--positive"]])
def test_the_command_refuses_what_is_not_foretold(table, tmp_path, shown, penalty, capsys):
    *words, file = shown
    assert main([table, "--target", "y", *penalty, *words, str(tmp_path / file)]) == 2
    assert "they foretell no descent: write --l1-ratio 0" in capsys.readouterr().err
    assert not (tmp_path / file).exists()


def test_the_page_of_a_ridge_is_that_of_its_report(table, tmp_path):
    page = tmp_path / "page.html"
    ridge = ["--alpha", "0.3", "--l1-ratio", "0", "--standardize", "--explore", str(page)]
    assert main([table, "--target", "y", "--no-compare", *ridge]) == 0
    text = page.read_text()
    assert '"ridge":[0.3,0.3,0.3,0.3]' in text and "mean squared error and ridge" in text
