"""Products and gradients in nearly twice the working precision, against exact rationals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gd_regressor.arithmetic.doubled import Doubled
from gd_regressor.arithmetic.slices import Slices, bits_of, largest_of, square
from gd_regressor.data.table import Rows
from gd_regressor.objective.frame import Frame
from gd_regressor.objective.on_rows_doubled import DoubledLoss


def exact(a):
    """The numbers of an array, or of a Doubled, as Fractions."""
    if isinstance(a, Doubled):
        return exact(a.high) + exact(a.low)
    return np.array([Fraction(float(v)) for v in a.ravel()], dtype=object).reshape(a.shape)


def doubled(random, shape, spread):
    """Numbers of random sizes, with bits below the working precision."""
    high = random.standard_normal(shape) * 2.0 ** random.uniform(-spread, spread, shape)
    return Doubled.of(high, high * random.uniform(-1, 1, shape) * 2.0**-54)


shapes = st.tuples(st.integers(1, 70), st.integers(1, 40), st.integers(1, 3))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=shapes,
    spread=st.sampled_from([0, 5, 40]),
    count=st.integers(1, 3),
)
def test_a_product_has_the_bits_of_its_slices(seed, shape, spread, count):
    """The bits are relative to the largest term of the sum."""
    random = np.random.default_rng(seed)
    m, k, t = shape
    a, b = doubled(random, (m, k), spread), doubled(random, (k, t), spread)
    rows, columns = largest_of(a.high.T)[:, None], largest_of(b.high)
    product = Slices.of(a, rows, k, count) @ Slices.of(b, columns, k, count)
    error = exact(product) - exact(a) @ exact(b)
    bits = min(50 + count * bits_of(k), 100)  # those of Doubled numbers
    bound = k * np.multiply.outer(rows[:, 0], columns) * 2.0**-bits
    assert (np.abs(error.astype(float)) <= bound).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 300), d=st.integers(1, 6))
def test_leading_slices_multiply_exactly(seed, n, d):
    random = np.random.default_rng(seed)
    a = doubled(random, (n, d), 20)
    slices = Slices.of(a, largest_of(a.high), n)
    for other in slices.leading:
        product = slices.leading[0].T @ other
        assert (exact(product) == exact(slices.leading[0]).T @ exact(other)).all()


def test_a_square_is_that_of_a_matrix():
    matrix = np.random.default_rng(0).standard_normal((60, 5)) * 10.0 ** np.arange(5)
    sizes = np.abs(matrix).max(axis=0)
    error = (exact(square(matrix)) - exact(matrix).T @ exact(matrix)).astype(float)
    assert (np.abs(error) <= 60 * np.multiply.outer(sizes, sizes) * 2.0**-90).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", [(50, 3), (5, 9)])
def test_loss_and_gradient_of_doubled_points(shape, weighted, fit_intercept):
    random, (n, d), t = np.random.default_rng(1), shape, 2
    X, y = random.standard_normal((n, d)) + 1e4, random.standard_normal((n, t)) - 7
    weights = random.integers(0, 3, n) * random.uniform(1, 2, n) if weighted else None
    frame = Frame(X.mean(axis=0), 2.0 ** random.integers(-3, 3, d), y.mean(axis=0), fit_intercept)
    theta = doubled(random, (d + fit_intercept, t), 3)
    loss = DoubledLoss(Rows(X, y, weights), frame)
    value, gradient = loss.value_and_gradient(theta)

    design = (exact(X) - exact(frame.centre)) / exact(frame.scale)
    if fit_intercept:
        design = np.hstack([design, np.full((n, 1), Fraction(1))])
    s = exact(np.ones(n) if weights is None else weights)
    s = s / s.sum()
    residual = exact(y) - exact(frame.target_centre) - design @ exact(theta)
    slope = -2 * design.T @ (s[:, None] * residual)
    np.testing.assert_allclose(gradient, slope.astype(float), rtol=4e-16)
    np.testing.assert_allclose(value, (s @ residual**2).astype(float), rtol=2e-15)
    product = 2 * design.T @ (s[:, None] * (design @ exact(theta.high)))
    np.testing.assert_allclose(loss.hessian_product(theta.high), product.astype(float), rtol=4e-16)
