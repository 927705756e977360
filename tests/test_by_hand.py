"""What textbooks do by hand, against exact arithmetic and the algebra of scalers."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    SGDRegressor,
)
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from gd_regressor import (
    GDLinearRegressor,
    check_gradient,
    compare_estimators,
    gd_path,
    original_units,
    squared_loss,
    squared_loss_gradient,
)

random = np.random.default_rng(5)
X = random.standard_normal((30, 3)) * [1.0, 100.0, 0.01] + [0.0, 1000.0, 0.0]
Y = np.column_stack([X @ [1.0, 0.1, -5.0], random.standard_normal(30)])
WEIGHTS = random.uniform(0, 2, 30)
COEF, INTERCEPT = np.array([[0.5, 0.2, -3.0], [1.0, 0.0, 2.0]]), np.array([3.0, -1.0])

AT = X, Y, COEF, INTERCEPT
PLAIN = LinearRegression()


def exactly(weights):
    """Loss of each target and its gradient (t, d + 1) in rational arithmetic."""
    s = [Fraction(float(v)) for v in weights]
    losses, gradients = [], []
    for j in range(2):
        w = [Fraction(float(v)) for v in (*COEF[j], INTERCEPT[j])]
        rows = [[*(Fraction(float(v)) for v in row), Fraction(1)] for row in X]
        left = [
            Fraction(float(y)) - sum(a * b for a, b in zip(row, w, strict=True))
            for row, y in zip(rows, Y[:, j], strict=True)
        ]
        losses.append(sum(a * e * e for a, e in zip(s, left, strict=True)) / sum(s))
        pulls = [a * e for a, e in zip(s, left, strict=True)]
        slopes = [sum(q * row[i] for q, row in zip(pulls, rows, strict=True)) for i in range(4)]
        gradients.append([float(-2 * slope / sum(s)) for slope in slopes])
    return float(sum(losses) / 2), np.array(gradients)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weights"])
@pytest.mark.parametrize("table", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_loss_and_gradient_are_the_exact_ones(weights, table):
    loss, gradient = exactly(np.ones(30) if weights is None else weights)
    at = table(X), Y, COEF, INTERCEPT
    assert squared_loss(*at, sample_weight=weights) == pytest.approx(loss, rel=1e-13)
    dw, db = squared_loss_gradient(*at, sample_weight=weights)
    np.testing.assert_allclose(np.column_stack([dw, db]), gradient, rtol=1e-11)


def test_a_loop_by_hand_is_gd_path():
    w, b, rate = np.zeros(3), 0.0, 1e-7
    coefs, intercepts, losses = gd_path(X, Y[:, 0], learning_rate=rate, n_iter=10)
    for k in range(11):
        np.testing.assert_allclose([*w, b], [*coefs[:, k], intercepts[k]], rtol=1e-11)
        assert squared_loss(X, Y[:, 0], w, b) == pytest.approx(losses[k], rel=1e-11)
        dw, db = squared_loss_gradient(X, Y[:, 0], w, b)
        w, b = w - rate * dw, b - rate * db


def test_dask_arrays_give_the_same():
    dask_array = pytest.importorskip("dask.array")
    blocks = dask_array.from_array(X, chunks=(7, 3)), dask_array.from_array(Y, chunks=(7, 2))
    assert squared_loss(*blocks, COEF, INTERCEPT) == pytest.approx(
        squared_loss(X, Y, COEF, INTERCEPT)
    )
    assert check_gradient(*blocks, COEF, INTERCEPT) < 1e-12


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weights"])
def test_a_right_gradient_passes_and_a_wrong_one_shows(weights):
    at, options = (X, Y, COEF, INTERCEPT), {"sample_weight": weights}
    assert check_gradient(*at, **options) < 1e-12
    dw, db = squared_loss_gradient(*at, **options)
    assert check_gradient(*at, **options, gradient=(dw, db)) < 1e-12
    # One derivative is wrong by a share e of the largest that it could be: so says the check
    residual = Y[:, 1] - X @ COEF[1] - INTERCEPT[1]
    s = np.ones(30) if weights is None else weights
    largest = 2 * np.sqrt(s @ X[:, 1] ** 2 / s.sum()) * np.sqrt(s @ residual**2 / s.sum())
    wrong = dw.copy()
    wrong[1, 1] += 1e-3 * largest
    assert check_gradient(*at, **options, gradient=(wrong, db)) == pytest.approx(1e-3, rel=1e-6)


def test_a_gradient_of_a_perfect_fit_and_of_a_column_of_zeros():
    table = np.column_stack([X, np.zeros(30)])
    assert check_gradient(table, X @ [1.0, 2.0, 4.0], [1.0, 2.0, 4.0, 9.0]) < 1e-12
    assert squared_loss(table, np.zeros(30), np.zeros(4)) == 0.0


@pytest.mark.parametrize(
    "scaler", [StandardScaler(), MinMaxScaler((-1, 2)), MaxAbsScaler(), RobustScaler()], ids=repr
)
def test_original_units_follow_from_the_algebra_of_the_scalers(scaler):
    table = np.column_stack([X, np.full(30, 3.0)])
    steps = make_pipeline(scaler, "passthrough", MinMaxScaler(), GDLinearRegressor())
    model = TransformedTargetRegressor(steps, transformer=StandardScaler()).fit(table, Y)
    for fitted, target in ((model, Y), (steps.fit(table, Y[:, 1]), Y[:, 1])):
        coef, intercept = original_units(fitted)
        exact = LinearRegression().fit(X, target)
        np.testing.assert_allclose(coef[..., :3], exact.coef_, rtol=1e-9)
        predicted = table @ coef.T + intercept
        np.testing.assert_allclose(predicted, fitted.predict(table), rtol=1e-12, atol=1e-10)


def test_original_units_of_a_half_way_descent_with_a_target_scaled_by_hand():
    y = Y[:, 0]
    scaler = StandardScaler().fit(y[:, None])
    model = make_pipeline(StandardScaler(), GDLinearRegressor(0.1, 20, None))
    model.fit(X, scaler.transform(y[:, None])[:, 0])
    coef, intercept = original_units(model, target_scaler=scaler)
    expected = model[-1].coef_ * y.std() / X.std(axis=0)
    np.testing.assert_allclose(coef, expected, rtol=1e-12)
    assert intercept == pytest.approx(y.mean() - X.mean(axis=0) @ expected, rel=1e-11)


def test_original_units_of_a_target_scaled_within_a_pipeline():
    inner = TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), PLAIN), transformer=RobustScaler()
    )
    model = make_pipeline(StandardScaler(), inner).fit(X, Y)
    coef, intercept = original_units(model)
    np.testing.assert_allclose(X @ coef.T + intercept, model.predict(X), rtol=1e-10, atol=1e-10)


def test_without_an_intercept_each_target_has_one_of_zero():
    _, intercept = original_units(LinearRegression(fit_intercept=False).fit(X, Y))
    assert intercept.shape == (2,) and not intercept.any()


def test_original_units_of_other_models_and_parts():
    plain = GDLinearRegressor().fit(X, Y[:, 0])
    coef, intercept = original_units(plain)
    assert (coef == plain.coef_).all() and intercept == plain.intercept_
    assert coef is not plain.coef_
    other = make_pipeline(StandardScaler(with_mean=False), SGDRegressor()).fit(X, Y[:, 0])
    coef, intercept = original_units(other)
    np.testing.assert_allclose(X @ coef + intercept, other.predict(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("coef must have shape", lambda: squared_loss(X, Y, [1.0])),
        ("intercept must be 2 finite numbers", lambda: squared_loss(X, Y, COEF, 1.0)),
        ("coef must be finite", lambda: squared_loss_gradient(X, Y[:, 0], [np.nan, 0, 0])),
        ("gradient must be two", lambda: check_gradient(X, Y, COEF, INTERCEPT, gradient=3.0)),
        (
            "gradient must have 6 values",
            lambda: check_gradient(X, Y, COEF, INTERCEPT, gradient=([1.0], 0)),
        ),
        ("fitted must be a fitted linear model", lambda: original_units(GDLinearRegressor())),
        (
            "step 'polynomialfeatures', PolynomialFeatures, that does more",
            lambda: original_units(
                make_pipeline(PolynomialFeatures(), LinearRegression()).fit(X, Y)
            ),
        ),
        (
            "does more than to scale",
            lambda: original_units(make_pipeline(MinMaxScaler(clip=True), PLAIN).fit(X, Y)),
        ),
        *(
            (
                f"predicts X @ coef_.T [+] intercept_, got {type(model).__name__}, which",
                lambda model=model: original_units(model.fit(X[:, :1], Y[:, 1] > 0)),
            )
            for model in (LogisticRegression(), PoissonRegressor(), PLSRegression(1))
        ),
        (
            "target_scaler must have been fitted to 1 target, got one fitted to 3 columns",
            lambda: original_units(
                LinearRegression().fit(X, Y[:, 0]), target_scaler=StandardScaler().fit(X)
            ),
        ),
        (
            "target that is not fitted",
            lambda: original_units(LinearRegression().fit(X, Y), target_scaler=StandardScaler()),
        ),
    ],
)
def test_what_cannot_be_done_by_hand_names_its_parameter(words, call):
    with pytest.raises(ValueError, match=words):
        call()


# --- compare_estimators ---


def test_the_comparison_is_what_cross_validation_and_the_models_say():
    y = Y[:, 0] + Y[:, 1]
    found = compare_estimators(X, y, X_test=X[:9], y_test=y[:9])
    names = [one.name for one in found]
    assert names[0] == "GDLinearRegressor auto" and "LinearRegression" in names
    direct = LinearRegression().fit(X, y)
    folds = KFold(5, shuffle=True, random_state=0)
    scores = cross_val_score(direct, X, y, cv=folds)
    for one in (found[0], found[names.index("LinearRegression")]):
        assert one.r2 == pytest.approx(scores.mean(), rel=1e-9)
        assert one.r2_deviation == pytest.approx(scores.std(), rel=1e-9)
        assert one.loss == pytest.approx(np.mean((y - direct.predict(X)) ** 2), rel=1e-10)
        assert one.test_loss == pytest.approx(np.mean((y - direct.predict(X))[:9] ** 2), rel=1e-9)
        assert one.test_r2 == pytest.approx(direct.score(X[:9], y[:9]), rel=1e-9)
        assert one.converged and one.fit_seconds > 0
    # The rate is a power of ten, the largest up to one half of the limit
    rate = float(names[1].split()[-1])
    limit = GDLinearRegressor(1e-6, 1, None).fit(StandardScaler().fit_transform(X), y)
    assert rate <= limit.max_learning_rate_ / 2 < 10 * rate
    text, html = str(found), found._repr_html_()
    assert "test loss" in text and all(name in html for name in names)
    assert len(text.splitlines()) == 1 + len(names)


def test_a_comparison_of_ones_own_estimators():
    slow, y = GDLinearRegressor(1e-9, 5), Y[:, 0]
    found = compare_estimators(X, y, estimators={"slow": slow, "text": Refuses()}, cv=0)
    assert [one.name for one in found] == ["slow", "text"]
    assert found[0].n_iter == 5 and not found[0].converged and np.isnan(found[0].r2)
    assert np.isnan(found[1].loss) and "failed" in str(found)
    assert "5!" in str(found) and "test" not in str(found)
    assert not hasattr(slow, "coef_")
    few = compare_estimators(X[:8], y[:8], estimators={"few": PLAIN})
    assert np.isnan(few[0].r2)


class Refuses(LinearRegression):
    def fit(self, X, y):
        raise ValueError("never")


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("cv must be an integer >= 0", {"cv": -1}),
        ("cv must be 0 or an integer >= 2", {"cv": 1}),
        ("X_test and y_test go together", {"X_test": X}),
        ("fit_intercept must be True or False", {"fit_intercept": 1}),
    ],
)
def test_a_comparison_that_cannot_be_made_names_its_parameter(words, options):
    with pytest.raises(ValueError, match=words):
        compare_estimators(X, Y[:, 0], **options)
