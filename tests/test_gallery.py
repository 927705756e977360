"""The gallery's scripts run, and what they print is what its pages say.

The right numbers come from loops in NumPy, from a direct solver or from the data, not from the
package.
"""

import contextlib
import io
import re
import runpy
import warnings
from functools import cache
from itertools import product
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import HuberRegressor, QuantileRegressor
from sklearn.model_selection import train_test_split

DOCS = Path(__file__).parent.parent / "docs"
SCRIPTS = sorted((DOCS / "gallery").glob("plot_*.py"))
CARS = pd.read_csv(DOCS / "data" / "cars.csv")
FEATURES = CARS.drop(columns="price").to_numpy(dtype=float)
PRICE = CARS["price"].to_numpy(dtype=float)


@cache
def run(name, folder=DOCS / "gallery"):
    """What a script prints, and its names; a warning that it does not catch is an error.

    The build runs the scripts in their folder.
    """
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("error")
        names = runpy.run_path(str(DOCS / "gallery" / f"plot_{name}.py"))
    assert plt.get_fignums(), "each page has a picture"
    plt.close("all")
    return printed.getvalue(), names


def numbers(text):
    """The numbers of a text, without the commas of thousands."""
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", text)
    return [float(one.replace(",", "")) for one in found]


def after(words, printed):
    """The numbers of the line that begins with these words, and of the rest of that line."""
    (line,) = [line for line in printed.splitlines() if line.strip().startswith(words)]
    return numbers(line.strip()[len(words) :])


def standardised(columns):
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def descend(X, y, rate, updates, w=None, b=0.0):
    """The textbook's loop: coefficients, intercept, losses."""
    w = np.zeros(X.shape[1]) if w is None else np.array(w)
    losses = []
    for _ in range(updates):
        error = X @ w + b - y
        losses.append(np.mean(error**2))
        w, b = w - rate * 2 * X.T @ error / len(y), b - rate * 2 * error.mean()
    return w, b, np.array([*losses, np.mean((X @ w + b - y) ** 2)])


def least_squares(X, y):
    """Coefficients and intercept by LAPACK, on columns that it can tell apart."""
    means, deviations = X.mean(axis=0), X.std(axis=0)
    w = np.linalg.lstsq((X - means) / deviations, y - y.mean())[0] / deviations
    return w, y.mean() - means @ w


def r2(y, predicted):
    return 1 - np.mean((y - predicted) ** 2) / np.var(y)


# --- The pages ---


def test_each_page_leads_to_the_next():
    assert len({path.stem.split("_")[1] for path in SCRIPTS}) == len(SCRIPTS) > 12
    for path, following in zip(SCRIPTS, [*SCRIPTS[1:], SCRIPTS[0]], strict=True):
        text = path.read_text(encoding="utf-8")
        last = " ".join(text.replace("\n#", "").split())
        assert last.endswith(f": :ref:`sphx_glr_auto_gallery_{following.name}`")


def test_a_script_runs_from_the_root_as_well():
    name = "02_three_rates"
    assert run(name, DOCS.parent)[0] == run(name)[0]


def test_the_readers_of_numbers_read_them():
    printed = "a 1,234.5 of -2\n b limit 3e-07, R² 0.8"
    assert after("a", printed) == [1234.5, -2]
    assert after("b limit", printed) == [3e-7, 0.8]


# --- The numbers ---


def test_one_feature_from_scratch():
    printed, names = run("01_from_scratch")
    x, y = standardised(FEATURES[:, :1]), standardised(PRICE)
    w, b, losses = descend(x, y, 0.1, 60)
    assert len(CARS) == 159 and (CARS.shape[1], len(names["cars"])) == (6, 159)
    assert losses[0] == pytest.approx(1) and 1 - losses[1] == pytest.approx(0.25, abs=0.006)
    assert losses[20] - losses[60] < 1e-3  # "after some twenty steps"
    assert printed.count(f"w {w[0]:.4f}, cost {losses[60]:.4f}") == 2
    assert f"w {w[0]:.4f}, cost {losses[60]:.4f}" == "w 0.8415, cost 0.2919"
    assert printed.splitlines()[0] == f"cost 1.0000, dw {-2 * np.mean(x[:, 0] * y):.4f}, db 0.0000"
    assert printed.count("True") == 2 and "False" not in printed
    slope = w[0] * PRICE.std() / FEATURES[:, 0].std()
    line = f"price = {slope:.2f} * engine_size + "
    line += f"({PRICE.mean() + b * PRICE.std() - slope * FEATURES[:, 0].mean():,.0f})"
    assert line == "price = 162.38 * engine_size + (-7,914)"
    assert printed.count(line) == 3
    # with the standard deviations of pandas
    x, y = (v * np.sqrt(158 / 159) for v in (x, y))
    assert round(descend(x, y, 0.1, 60)[2][60], 4) == 0.2900


def test_three_learning_rates():
    printed, names = run("02_three_rates")
    x, y = standardised(FEATURES[:, :1]), standardised(PRICE)
    for rate in (0.01, 0.1, 0.9):
        w, _, losses = descend(x, y, rate, 60)
        said = after(f"rate {rate}", printed)
        assert said == pytest.approx([losses[60], w[0]], abs=5.1e-5)
    assert after("rate 0.01", printed)[0] > 1.2 * after("rate 0.1", printed)[0]
    assert numbers(printed.split("limit")[0])[-1] == 2 and after("L", printed) == [2, 1]
    assert "warned: True" in printed
    losses = descend(x, y, 1.02, 60)[2]
    assert after("losses:", printed) == pytest.approx(losses[[0, 1, 2, 60]], abs=0.0051)
    assert (np.diff(losses) > 0).all()
    at_half = descend(x, y, 0.5, 1)[2][1]
    assert at_half == pytest.approx(descend(x, y, 0.1, 2000)[2][-1], rel=1e-12)
    assert names["report"].fastest() == (pytest.approx(0.5), 1)


def test_side_by_side():
    printed, names = run("03_side_by_side")
    assert numbers(printed.splitlines()[1]) == [127, 32]
    X, y, X_test = (names[name] for name in ("X_train", "y_train", "X_test"))
    X, y, X_test = (np.asarray(part, dtype=float) for part in (X, y, X_test))
    w, b = least_squares(X, y)
    table = names["table"]
    for method in ("OLS", "GD"):
        for part, rows, targets in (("train", X, y), ("test", X_test, names["y_test"])):
            error = rows @ w + b - np.asarray(targets)
            said = table.loc[(method, part)]
            assert said["MSE"] == pytest.approx(np.mean(error**2), rel=1e-6)
            assert said["RMSE"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
            assert said["MAE"] == pytest.approx(np.mean(np.abs(error)), rel=1e-5)
            assert said["R²"] == pytest.approx(r2(targets, rows @ w + b), abs=1e-6)
        np.testing.assert_allclose(names["coefs"][method], [*w, b], rtol=1e-4)
    assert after("GD and OLS", printed)[-1] < 0.01 < after("SGD and OLS", printed)[-1]
    # "stops near the minimum"
    excess = table.loc[("SGD", "train"), "MSE"] / table.loc[("OLS", "train"), "MSE"] - 1
    assert 0 < excess < 0.01


def test_the_moving_line():
    printed, _ = run("04_moving_line")
    X, y = FEATURES[:, 1:2] / 100, PRICE / 1000
    losses = descend(X, y, 0.01, 10_000, [-10.0], 40.0)[2]
    w, b = least_squares(X, y)
    assert after("before: price =", printed) == [-10, 40]
    assert after("after:  price =", printed) == pytest.approx([w[0], b], abs=0.0051)
    minimum = np.mean((X @ w + b - y) ** 2)
    said = [numbers(line) for line in printed.splitlines() if line.strip().startswith("loss")]
    assert said[0] == pytest.approx([losses[0]], abs=0.0051)
    assert said[1] == pytest.approx([losses[-1], minimum], abs=0.0051)
    # "the first hundred updates move the line to the middle of the points"
    coef, intercept, _ = descend(X, y, 0.01, 100, [-10.0], 40.0)
    middle = X.mean() * coef[0] + intercept
    assert abs(middle - y.mean()) < 0.15 * abs(X.mean() * -10 + 40 - y.mean())


def test_five_points():
    printed, _ = run("05_five_points")
    X, y = np.arange(1.0, 6.0)[:, np.newaxis], np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    w, b, losses = descend(X, y, 0.01, 1000)
    found = f"w {w[0]:.3f}, b {b:.3f}", f"prediction for 6: {6 * w[0] + b:.3f}"
    assert found == ("w 0.618, b 2.136", "prediction for 6: 5.842")
    assert all(printed.count(one) == 2 for one in found)
    said = [numbers(line) for line in printed.splitlines() if line.startswith("update ")]
    assert [line[0] for line in said] == list(range(0, 1001, 100))
    np.testing.assert_allclose([line[1] for line in said], losses[::100], rtol=1e-6)
    # exactly: w = 3/5, b = 11/5
    assert "w 0.600, b 2.200" in printed and "prediction for 6: 5.800" in printed
    assert after("loss", printed) == pytest.approx([losses[1000], 0.48], abs=5.1e-5)


def test_random_start_and_half_the_loss():
    printed, names = run("06_half_loss")
    X, y = make_regression(n_samples=100, n_features=5, noise=10.0, random_state=0)
    rng = np.random.RandomState(0)
    theta, bias = rng.standard_normal(5), rng.standard_normal()
    theta, bias, losses = descend(X, y, 0.05, 151, theta, bias)
    gradient = [*(X.T @ (X @ theta + bias - y) / 100), np.mean(X @ theta + bias - y)]
    assert np.linalg.norm(gradient) < 1e-3
    assert after("the gradient is small after", printed) == [151] and names["epoch"] == 151
    for k in range(0, 151, 10):
        said = after(f"epoch {k:>3}", printed)
        assert said[0] == pytest.approx(losses[k] / 2, abs=1e-5)
        assert (said[1] >= 1e-3) and len(said) == 2
    assert printed.count("True") == 2 and "False" not in printed
    np.testing.assert_allclose(names["theta"], theta, rtol=1e-10)
    # the first update that lowers the loss by at most tol times the variance
    _, _, losses = descend(X, y, 0.05, 200, *starts())
    first = 1 + np.argmax(-np.diff(losses) <= 1e-9 * np.var(y))
    assert f"{first} updates, CONVERGED" in printed


def starts():
    rng = np.random.RandomState(0)
    return rng.standard_normal(5), rng.standard_normal()


def needed(X, y, rate, momentum=0.0, tol=1e-6):
    """The updates that bring the loss to within `tol` variances of its minimum, by the loop.

    In the eigenbasis of the Hessian, where an update costs nothing.
    """
    A = np.column_stack([X, np.ones(len(X))])
    left, s, _ = np.linalg.svd(A / np.sqrt(len(y)), full_matrices=False)
    rest = left.T @ (y / np.sqrt(len(y)))  # what each direction adds to the residual
    now, before, k, last = rest.copy(), rest.copy(), 0, 0
    for k in range(1, 500):
        now, before = now - rate * 2 * s**2 * now + momentum * (now - before), now
        if now @ now > tol * np.var(y):
            last = k
    return last + 1


def condition_and_limit(X):
    """Largest by smallest eigenvalue of the Hessian, and 2 / L."""
    A = np.column_stack([X, np.ones(len(X))]) / np.sqrt(len(X))
    s = np.linalg.svd(A, compute_uv=False)
    return (s[0] / s[-1]) ** 2, 1 / s[0] ** 2


def test_the_loss_surface():
    printed, _ = run("07_loss_surface")
    said = numbers(printed)
    raw, limit = condition_and_limit(FEATURES[:, :1])
    assert said[0] == pytest.approx(raw, rel=1e-4) and said[1] > 1e6
    # one direction is left of two: the flat one, which shrinks by 1 - rate * mu
    w, b = least_squares(FEATURES[:, :1], PRICE)
    A = np.column_stack([FEATURES[:, 0], np.ones(159)]) / np.sqrt(159)
    s, V = np.linalg.svd(A)[1:]
    gap = (s[1] * V[1] @ [w[0], b]) ** 2 / np.var(PRICE)
    updates = np.log(1e-6 / gap) / (2 * np.log1p(-0.4 * limit * 2 * s[1] ** 2))
    assert said[1] == np.ceil(updates)
    assert said[2] == 1 and said[3] == needed(standardised(FEATURES[:, :1]), PRICE, 0.4)
    pair = FEATURES[:, [0, 2]]
    assert said[4] == pytest.approx(np.corrcoef(pair.T)[0, 1], abs=5.1e-4)
    assert said[5] == pytest.approx(condition_and_limit(standardised(pair))[0], abs=0.051)
    assert said[6] == needed(standardised(pair), PRICE, 0.1)


def test_the_grid_search():
    printed, names = run("08_grid_search")
    scores = {rate: [] for rate in names["rates"]}
    excess = {}
    for train, test in names["search"].cv.split(FEATURES):
        means, deviations = FEATURES[train].mean(axis=0), FEATURES[train].std(axis=0)
        X = (FEATURES - means) / deviations
        for rate in scores:
            w, b, losses = descend(X[train], PRICE[train], rate, 200)
            scores[rate].append(r2(PRICE[test], X[test] @ w + b))
            excess[rate] = losses[-1]
    means = {rate: np.mean(values) for rate, values in scores.items()}
    best = max(means, key=lambda rate: means[rate])
    assert after("best rate:", printed) == [best] == [0.01]
    assert after("R²:", printed) == pytest.approx([means[best]], abs=5.1e-5)
    limit = condition_and_limit(standardised(FEATURES))[1]
    assert after("limit", printed) == pytest.approx([limit], abs=5.1e-5)
    L, mu = 2 / limit, 2 / limit / condition_and_limit(standardised(FEATURES))[0]
    assert after("best guaranteed rate", printed) == pytest.approx([2 / (L + mu)], abs=5.1e-5)
    # "a little before the minimum", "stopping early keeps coefficients small"
    X = standardised(FEATURES)
    w, _, losses = descend(X, PRICE, 0.01, 200)
    exact, b = least_squares(X, PRICE)
    minimum = np.mean((X @ exact + b - PRICE) ** 2)
    assert 0 < losses[-1] - minimum < 0.01 * np.var(PRICE)
    assert np.linalg.norm(w) < 0.9 * np.linalg.norm(exact)


def test_unix_seconds():
    printed, names = run("09_unix_seconds")
    fitted, X, y = names["fitted"], names["X"], names["y"]
    np.testing.assert_allclose(fitted["GDLinearRegressor"].coef_, [3e-7, 2, -0.7], rtol=1e-9)
    assert r2(y, fitted["GDLinearRegressor"].predict(X)) == pytest.approx(1, abs=1e-12)
    assert r2(y, fitted["SGDRegressor"].predict(X)) < -1e10
    assert r2(y, fitted["LinearRegression"].predict(X)) < 0.9
    assert names["LinearRegression"](tol=0).fit(X, y).score(X, y) == pytest.approx(1)
    assert re.findall(r"warnings: (\d+)", printed) == ["0"] * 3
    assert "limit set by time" in printed
    said = [numbers(line) for line in printed.splitlines() if line.startswith("limit ")][1:]
    seconds = X["time"].to_numpy(dtype=float)
    assert said[0][0] == pytest.approx(1 / np.mean(seconds**2), rel=0.02)
    better = condition_and_limit(standardised(X.to_numpy(dtype=float)))
    assert said[1] == pytest.approx([better[1], better[0]], abs=0.0051)


def test_the_stream():
    printed, names = run("10_stream")
    chunks = names["chunks"]

    def slope(rows):
        X, y = np.vstack([X for X, _ in rows]), np.concatenate([y for _, y in rows])
        return least_squares(X, y)[0][0]

    for name in ("stream", "table"):
        assert after(name, printed) == pytest.approx([slope(chunks[:40])], rel=1e-11)
    for count in (40, 50, 80):
        said = after(f"after {count} chunks: all", printed)
        right = slope(chunks[:count]), slope(chunks[count - 10 : count])
        assert said == pytest.approx(right, abs=0.0051)
    assert abs(slope(chunks[40:50]) + 1) < 0.05 < abs(slope(chunks[:50]) + 1)
    assert "merged equals all rows: True" in printed
    X, y = (np.concatenate(part) for part in zip(*chunks[:40], strict=True))
    said = after("ten updates of the textbook:", printed)
    right = descend(X, y, 0.1, 10)[0][0], slope(chunks[:40])
    assert said == pytest.approx(right, abs=5.1e-5) and said[0] != said[1]


def test_momentum():
    printed, _ = run("11_momentum")
    X, y = standardised(FEATURES), standardised(PRICE)
    condition, limit = condition_and_limit(X)
    L = 2 / limit
    mu = L / condition
    assert after("rate 0.1", printed)[0] == needed(X, y, 0.1) == 279
    assert after("best guaranteed rate,", printed)[1] == needed(X, y, 2 / (L + mu)) == 191
    rate, updates = after("fastest rate here,", printed)
    assert updates == 119
    assert min(needed(X, y, near) for near in np.linspace(rate - 0.001, rate + 0.001, 11)) == 119
    share = (np.sqrt(condition) - 1) / (np.sqrt(condition) + 1)
    best = share**2, (2 / (np.sqrt(L) + np.sqrt(mu))) ** 2
    momentum, rate, updates = [n for n in after("momentum", printed) if n]
    assert (momentum, rate) == pytest.approx(best, abs=5.1e-4)
    assert updates == needed(X, y, best[1], best[0]) == 42
    assert after("condition number", printed) == pytest.approx([condition], abs=0.0051)
    plain = (condition - 1) / (condition + 1)
    assert after("share left without momentum", printed) == pytest.approx([plain], abs=5.1e-4)
    assert after("share left with momentum", printed) == pytest.approx([share], abs=5.1e-4)
    curvatures = [numbers(line)[0] for line in printed.splitlines() if re.match(r"  \d\.", line)]
    assert curvatures == sorted(curvatures, reverse=True) and len(curvatures) == 6
    assert curvatures[0] == pytest.approx(L, abs=5.1e-4)
    assert curvatures[-1] == pytest.approx(mu, abs=5.1e-4)


def test_a_rate_that_is_too_large():
    printed, names = run("12_too_large")
    assert printed.startswith("DivergenceWarning\n") and "'curb_weight'" in printed
    limit = condition_and_limit(FEATURES)[1]
    assert "\nDIVERGED\n" in printed
    said = next(line for line in printed.splitlines() if line.startswith("1.65e+08"))
    losses = descend(FEATURES, PRICE, 0.1, 9)[2]
    np.testing.assert_allclose(numbers(said), losses, rtol=0.006)
    assert "set mostly by curb_weight" in printed
    better = condition_and_limit(standardised(FEATURES))[1]
    assert after("limit", printed) == pytest.approx([limit, better], rel=0.005)
    assert f"\n{1 / np.mean(FEATURES[:, 2] ** 2):.3g}\n" in printed
    assert 1 / np.mean(FEATURES[:, 2] ** 2) == pytest.approx(limit, rel=0.01)
    assert after("as they are:", printed)[0] > 1e10
    said = after("standardised:", printed)[0]
    assert said == needed(standardised(FEATURES), PRICE, 0.9 * better)
    w, b = least_squares(FEATURES, PRICE)
    right = f"R² {r2(PRICE, FEATURES @ w + b):.4f}"
    assert printed.count(right) == 2
    assert re.search(r"CONVERGED after \d+ updates", printed)
    losses = names["losses"]
    assert after("", printed.splitlines()[-1])[:2] == [len(losses), 1001]
    assert len(losses) < 20 and np.isfinite(losses).all()


def test_early_stopping_beside_ridge_and_lasso():
    printed, names = run("13_stop_or_shrink")
    Z, price, rate = names["Z"], PRICE - PRICE.mean(), names["rate"]
    exponents = [e for e in product(range(4), repeat=5) if 1 <= sum(e) <= 3]
    powers = [np.prod(standardised(FEATURES) ** e, axis=1) for e in exponents]
    columns = standardised(np.column_stack(powers))
    assert {*np.round(columns[:, :].sum(axis=1), 6)} == {*np.round(Z.sum(axis=1), 6)}
    folds = list(names["options"]["cv"].split(Z))

    def error(fitted):
        """The mean over the folds of the held-out error of `fitted(X, y)`, of centred rows."""
        roots = []
        for train, test in folds:
            means, mean = Z[train].mean(axis=0), price[train].mean()
            w = fitted(Z[train] - means, price[train] - mean)
            roots.append(np.sqrt(np.mean((price[test] - mean - (Z[test] - means) @ w) ** 2)))
        return np.mean(roots)

    plain = error(lambda X, y: np.linalg.lstsq(X, y, rcond=None)[0])
    assert after("least squares:", printed) == [round(plain)]
    errors = [
        error(lambda X, y, a=a: np.linalg.solve(X.T @ X + len(X) * a * np.eye(55), X.T @ y))
        for a in names["alphas"]
    ]
    alpha = names["alphas"][np.argmin(errors)]
    assert after("ridge:", printed) == [round(min(errors)), round(alpha, 3), 55]
    roots, count = [], names["early"].max_iter_
    for train, test in folds:
        w, b, _ = descend(Z[train], price[train], rate, count)
        roots.append(np.sqrt(np.mean((price[test] - Z[test] @ w - b) ** 2)))
    assert after("early:", printed) == [round(np.mean(roots)), count, 55]
    used = np.flatnonzero(names["lasso"].coef_)
    slopes = (Z - Z.mean(axis=0)).T @ (price - Z @ names["lasso"].coef_) / len(Z)
    np.testing.assert_allclose(np.abs(slopes[used]), names["lasso"].alpha_, rtol=1e-6)
    assert after("lasso:", printed)[2] == len(used) < 20
    # "far better", "about as much", "either way leads to a good model"
    bests = [after(f"{name}:", printed)[0] for name in ("ridge", "lasso", "early", "both")]
    assert max(bests) < 0.4 * plain and max(bests) < 1.05 * min(bests)
    assert 1 / (2 * rate * count) == pytest.approx(alpha, rel=0.6)


def squared_columns(rows, *others):
    """Standardised columns and their products, standardised as the first of these rows are."""

    def with_products(A):
        d = A.shape[1]
        products = [A[:, i] * A[:, j] for i in range(d) for j in range(i, d)]
        return np.column_stack([A, *products])

    means, deviations = rows.mean(axis=0), rows.std(axis=0)
    all_of = [with_products((A - means) / deviations) for A in (rows, *others)]
    means, deviations = all_of[0].mean(axis=0), all_of[0].std(axis=0)
    return [(A - means) / deviations for A in all_of]


def test_early_stopping_with_the_best_iterate():
    printed, names = run("14_early_stopping")
    y = PRICE / 1000
    some, new, y_some, y_new = train_test_split(FEATURES, y, train_size=60, random_state=3)
    train, held, y_train, y_held = train_test_split(some, y_some, train_size=40, random_state=0)
    Z, Z_held, Z_new = squared_columns(train, held, new)
    assert printed.splitlines()[0] == str(Z.shape) == "(40, 20)"
    w, b, errors = np.zeros(20), 0.0, [np.mean(y_held**2)]
    while len(errors) - 1 - np.argmin(errors) < 50:
        w, b, _ = descend(Z, y_train, 0.03, 1, w, b)
        errors.append(np.mean((y_held - Z_held @ w - b) ** 2))
    best = int(np.argmin(errors))
    assert after("best update:", printed) == [best]
    assert names["errors"][-1] > 1.2 * min(errors) and np.diff(names["losses"]).max() < 1e-12
    assert after("held out:", printed)[0] == round(min(errors), 1)
    assert after("updates made:", printed) == [best + 50]
    assert "same coefficients: True" in printed
    w, b, _ = descend(Z, y_train, 0.03, best)
    stopped = r2(y_new, Z_new @ w + b)
    w, b = least_squares(Z, y_train)
    full = r2(y_new, Z_new @ w + b)
    assert after("R² of new cars, stopped early:", printed) == [round(stopped, 2)]
    assert after("R² of new cars, least squares:", printed) == pytest.approx([full], abs=0.0051)
    assert stopped > 0.8 > 0 > full
    assert "better in 7 of 8 draws" in printed
    assert (names["table"]["stopped"] > 0.65).all()


def test_a_callback_that_plots_live():
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")
    printed, _ = run("15_live_callback")
    x, y = standardised(FEATURES[:, :1]), PRICE / 1000
    slopes = np.array([descend(x, y, 0.05, k)[0][0] for k in range(61)])
    losses = descend(x, y, 0.05, 60)[2]
    assert "drawn 60 times" in printed
    for k in range(10, 61, 10):
        assert f"update {k}: loss {losses[k]:.3f}, slope {slopes[k]:.3f}" in printed
    still = 1 + int(np.argmax(np.abs(np.diff(slopes)) < 0.01))
    assert f"STOPPED after {still} updates" in printed


def test_outliers():
    printed, names = run("16_outliers")
    x, price, wrong = FEATURES[:, :1], PRICE / 1000, names["wrong"]
    spoilt = price.copy()
    spoilt[wrong] *= 10
    assert "8 of 159 prices are wrong" in printed and x[wrong].max() < np.median(x)
    (w_true, _), (w, b) = least_squares(x, price), least_squares(x, spoilt)
    assert w < w_true / 2  # "Least squares bends towards them"
    assert after("squares: slope", printed)[0] == pytest.approx(w[0], abs=5.1e-4)
    error = np.abs(price - x @ w - b).mean()
    assert after("squares: slope", printed)[1] == pytest.approx(error, abs=0.0051)
    z = standardised(x)
    huber = HuberRegressor(alpha=0, tol=1e-9, max_iter=1000).fit(z, spoilt)
    assert after("Huber: slope", printed)[0] == pytest.approx(huber.coef_[0] / x.std(), abs=2e-3)
    assert after("scale", printed)[0] == pytest.approx(huber.scale_, abs=0.0051)
    assert names["huber"].outliers_[wrong].all() and "among them: True" in printed
    for q, target, said in [(0.5, spoilt, after("median: slope", printed)[0]), (0.9, price, None)]:
        peer = QuantileRegressor(quantile=q, alpha=0).fit(x, target)
        assert said is None or said == pytest.approx(peer.coef_[0], abs=5.1e-4)
        share = np.mean(price - peer.predict(x) < -1e-9)
        if said is None:
            assert after("quantile 0.9:", printed) == [round(share, 2)]


def noisy(X, y, rate, size, epochs):
    """The loop over batches: F above its minimum after each epoch, in variances of y.

    The second curve is that of the mean over the updates from epoch 2 on.
    """
    seed = int(np.random.RandomState(0).randint(2**31 - 1))  # what random_state=0 gives
    A = np.column_stack([X, np.ones(len(X))])
    theta, total, count, t = np.zeros(A.shape[1]), 0.0, 0, 0
    least = np.mean((A @ np.linalg.lstsq(A, y)[0] - y) ** 2)
    found = [[np.mean(y**2)] * 2]
    for epoch in range(1, epochs + 1):
        order = np.random.default_rng([seed, epoch]).permutation(len(y))
        for rows in (order[i : i + size] for i in range(0, len(y), size)):
            t += 1
            theta = theta - rate(t, epoch) * 2 / len(rows) * A[rows].T @ (A[rows] @ theta - y[rows])
            if epoch >= 2:
                total, count = total + theta, count + 1
        both = theta, total / count if count else theta
        found.append([np.mean((A @ one - y) ** 2) for one in both])
    return (np.array(found).T - least) / y.var()


def test_minibatches():
    printed, names = run("17_minibatches")
    X, y, plain, mean = (names[name] for name in ("X", "y", "plain", "averaged"))
    for name, size in (("8 rows", 8), ("64 rows", 64)):
        loops = noisy(X, y, lambda *_: 0.02, size, 30)
        for curve, loop in zip((plain[name], mean[name]), loops, strict=True):
            np.testing.assert_allclose(curve, loop, rtol=1e-4, atol=1e-13)
        assert mean[name][-1] < plain[name][10:].min() / 10  # "below the floor"
    assert plain["8 rows"][10:].mean() > 5 * plain["64 rows"][10:].mean()
    losses = descend(X, y, 0.02, 30)[2]
    assert after("all rows:", printed)[1] == float(
        f"{(losses[-1] - names['minimum']) / y.var():.0e}"
    )
    assert (np.diff(losses) < 0).all()


def test_schedules():
    printed, names = run("18_schedules")
    X, y, excess = names["X"], names["y"], names["excess"]
    rates = {
        "constant": lambda t, e: 0.05,
        "inverse scaling": lambda t, e: 0.05 / np.sqrt(t),
        "step decay": lambda t, e: 0.05 / 2 ** ((e - 1) // 5),
        "cosine": lambda t, e: 0.025 * (1 + np.cos(np.pi * (e - 1) / 30)),
    }
    means = {}
    for name, rate in rates.items():
        loop, mean = noisy(X, y, rate, 32, 30)
        means = {**means, name: mean}
        np.testing.assert_allclose(excess[name], loop, rtol=1e-4, atol=1e-13)
        assert after(f"{name}:", printed)[0] == pytest.approx(loop[-1], rel=0.5)
        starts = [rate(1 + 157 * (e - 1), e) for e in range(1, 31)]
        np.testing.assert_allclose(names["rates"][name], starts)
    assert -(-5000 // 32) == 157
    loop = means["constant"]
    np.testing.assert_allclose(excess["constant, averaged"], loop, rtol=1e-4, atol=1e-13)
    falling = [curve[-1] for name, curve in excess.items() if name != "constant"]
    assert max(falling) < excess["constant"][-1] / 100
    assert loop[2] < 1e-2 * excess["constant"][-1]  # "low after two epochs already"
