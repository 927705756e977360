"""Folds: sums over groups of rows are the sums of each fold, and tell the held-out errors."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)

from gd_regressor import GDLinearRegressorCV, Moments
from gd_regressor.data.folds import Folds, batches, most_groups, sums_of_groups, totals
from gd_regressor.data.heldout import HeldOutMoments, HeldOutRoot
from gd_regressor.data.inputs import rows_of
from gd_regressor.data.moments import moments_of_part
from gd_regressor.data.root import Root
from gd_regressor.estimator.arrays import table_of

N, D = 24, 3
INTEGERS = np.random.default_rng(0)
X = INTEGERS.integers(-5, 6, (N, D)).astype(float)
Y = INTEGERS.integers(-5, 6, (N, 2)).astype(float)
S = INTEGERS.integers(1, 4, N).astype(float)

SPLITS = {
    "in order": list(KFold(4).split(X)),
    "shuffled": list(KFold(5, shuffle=True, random_state=0).split(X)),
    "at random": list(ShuffleSplit(4, test_size=0.3, random_state=0).split(X)),
    "in time": list(TimeSeriesSplit(4, gap=1).split(X)),
    "predefined": list(PredefinedSplit(np.arange(N) % 4 - 1).split(X)),
    "repeated": list(RepeatedKFold(n_splits=3, n_repeats=3, random_state=0).split(X)),
    "grouped": list(GroupKFold(3).split(X, groups=np.arange(N) // 4)),
    "masks": [(np.arange(N) % 3 > 0, np.arange(N) % 3 == 0)],
    # A row that is named twice counts twice, and a row may train and test
    "drawn": [(INTEGERS.integers(0, N, 30), INTEGERS.integers(0, N, 10)) for _ in range(3)],
}
each_split = pytest.mark.parametrize("splits", SPLITS.values(), ids=SPLITS)


def exact(values):
    return np.vectorize(Fraction, otypes=[object])(values)


def exact_moments(X, Y, s):
    """Weight, means and centred products as Fractions."""
    A, s = exact(np.column_stack([X, Y])), exact(s)[:, None]
    mean = (s * A).sum(axis=0) / s.sum()
    return s.sum(), mean, (s * (A - mean)).T @ (A - mean)


def numbers(fractions):
    return np.array(fractions, dtype=float)


def sums(splits, X=X, Y=Y, s=S, work=moments_of_part):
    """The sums of the rows that train and that test each fold."""
    rows, folds = rows_of(X, Y, s), Folds.of(splits, len(Y))
    groups = sums_of_groups(rows, folds.labels, work)
    unit = rows.unit
    return [
        [total.times(unit) for total in totals(groups, counts)]
        for counts in (folds.train, folds.test)
    ]


@each_split
def test_the_moments_of_each_fold_are_those_of_its_rows(splits):
    for side, found in enumerate(sums(splits)):
        for split, moments in zip(splits, found, strict=True):
            chosen = split[side]
            weight, mean, products = exact_moments(X[chosen], Y[chosen], S[chosen])
            assert moments.weight == pytest.approx(float(weight), rel=1e-14)
            means = np.concatenate([moments.column_means, moments.target_means])
            np.testing.assert_allclose(means, numbers(mean), rtol=1e-14, atol=1e-14)
            np.testing.assert_allclose(moments.xx, numbers(products[:D, :D]), atol=1e-12)
            np.testing.assert_allclose(moments.xy, numbers(products[:D, D:]), atol=1e-12)
            np.testing.assert_allclose(moments.yy, numbers(products.diagonal()[D:]), atol=1e-12)


@each_split
@pytest.mark.parametrize("kind", [HeldOutMoments, HeldOutRoot])
def test_held_out_errors_are_exact(splits, kind):
    w, c = np.array([[1.0, -2.0], [0.5, 3.0], [0.0, -1.0]]), np.array([2.0, -0.25])

    def factored(rows):
        return Root.of_part(rows, np.ones(D), np.full(D, 2.0), np.zeros(2))

    work = moments_of_part if kind is HeldOutMoments else factored
    for (_, test), held in zip(splits, sums(splits, work=work)[1], strict=True):
        weights = exact(S[test])
        for j in range(2):
            left = exact(Y[test, j][:, None]) - exact(X[test]) @ exact(w) - exact(c)
            mean = weights @ left / weights.sum()
            square = weights @ left**2 / weights.sum()
            errors = kind.of(held).errors(j, w, c)
            np.testing.assert_allclose(errors.mean, numbers(mean), atol=1e-13)
            np.testing.assert_allclose(errors.mean_square, numbers(square), rtol=1e-12)


@pytest.mark.parametrize("kind", [HeldOutMoments, HeldOutRoot])
def test_errors_along_directions_are_those_of_the_coefficients(kind):
    random = np.random.default_rng(1)
    vectors, ones, u = (random.standard_normal(shape) for shape in ((D, 2), 2, (2, 4)))
    centre = random.standard_normal(D)
    statistic = Moments.of(X, Y)
    if kind is HeldOutRoot:
        statistic = Root.of(rows_of(X, Y, None), np.zeros(D), np.ones(D), np.zeros(2))
    held = kind.of(statistic)
    there = held.along(vectors, centre, ones).errors(1, u, 0.5)
    w = vectors @ u
    raw = held.errors(1, w, 0.5 + ones @ u - centre @ w)
    np.testing.assert_allclose(there.mean, raw.mean, rtol=1e-12)
    np.testing.assert_allclose(there.variance, raw.variance, rtol=1e-12)


def test_columns_far_from_zero_lose_no_digits_of_held_out_errors():
    random = np.random.default_rng(2)
    far = random.standard_normal((300, 2)) + 1e6
    y = far @ [1.0, -1.0] + random.standard_normal(300) + 1e6
    splits = list(KFold(3, shuffle=True, random_state=0).split(far))
    train, test = sums(splits, far, y[:, None], np.ones(300))
    for (_, chosen), moments, held in zip(splits, train, test, strict=True):
        w = np.array([[0.75], [-1.25]])
        centre, target = moments.column_means, moments.target_means[0]
        seen = HeldOutMoments.of(held).along(np.eye(2), centre, np.zeros(2))
        left = exact(y[chosen]) - Fraction(target)
        left = left - ((exact(far[chosen]) - exact(centre)) @ exact(w))[:, 0]
        square = float((left**2).sum() / len(left))
        assert abs(seen.errors(0, w, target).mean_square[0] / square - 1) < 1e-9


def test_a_fold_with_the_outliers_leaves_no_rounding_in_the_others():
    """Subtracted from the sums of all rows it would leave 1e-16 of its own squares, 1e24."""
    wild = X.copy()
    wild[:6] *= 1e12
    splits = list(KFold(4).split(wild))
    moments = sums(splits, wild)[0][0]
    _, _, products = exact_moments(X[6:], Y[6:], S[6:])
    np.testing.assert_allclose(moments.xx, numbers(products[:D, :D]), rtol=1e-13)


@pytest.mark.parametrize("count", [2, 5, 64])
def test_folds_without_overlap_take_one_pass(count):
    found = list(batches(KFold(count).split(np.zeros((200, 1))), 200, most_groups(50)))
    assert [(folds.n_folds, folds.n_groups) for folds in found] == [(count, count)]


@pytest.mark.parametrize("cv", [RepeatedKFold(n_repeats=20), LeaveOneOut(), ShuffleSplit(40)])
def test_folds_that_overlap_take_batches_of_few_groups(cv):
    splits = list(cv.split(np.zeros((100, 1))))
    found = list(batches(splits, 100, 32))
    assert sum(folds.n_folds for folds in found) == len(splits)
    assert max(folds.n_groups for folds in found) <= 32
    rows = [
        (folds.rows(train), folds.rows(test))
        for folds in found
        for train, test in zip(folds.train, folds.test, strict=True)
    ]
    for pair, split in zip(rows, splits, strict=True):
        for known, given in zip(pair, split, strict=True):
            np.testing.assert_array_equal(known, np.sort(given))


class Counted:
    """A sum that counts the additions behind it."""

    added = 0

    def __init__(self, rows):
        self.rows = rows

    def __add__(self, other):
        Counted.added += 1
        return Counted(self.rows + other.rows)


def test_additions_grow_like_folds_times_their_logarithm():
    f = 64
    Counted.added = 0
    train = 1 - np.eye(f, dtype=int)
    found = list(totals([Counted(1 << i) for i in range(f)], train))
    assert [total.rows for total in found] == [(1 << f) - 1 - (1 << i) for i in range(f)]
    assert Counted.added < f * np.log2(f)


def kinds(tmp_path):
    """The same rows as tables of other kinds."""
    big, big_y = np.tile(X, (50, 1)), np.tile(Y, (50, 1))
    path = tmp_path / "columns"
    stored = np.memmap(path, dtype=np.float64, mode="w+", shape=big.shape)
    stored[:] = big
    yield "on disk", stored, big_y
    yield "in Fortran's order", np.asfortranarray(big), big_y
    yield "sparse", csr_array(big), big_y
    da = pytest.importorskip("dask.array")
    yield "on a cluster", da.from_array(big, chunks=(130, 2)), da.from_array(big_y, (130, 2))


def test_other_kinds_of_tables_have_the_same_groups(tmp_path):
    labels = np.random.default_rng(3).integers(0, 5, 50 * N)
    expected = None
    for kind, columns, targets in [("in memory", np.tile(X, (50, 1)), np.tile(Y, (50, 1)))] + list(
        kinds(tmp_path)
    ):
        given, _ = table_of(GDLinearRegressorCV(), columns, targets, None)
        found = sums_of_groups(given.check(), labels, moments_of_part)
        expected = expected or found
        for a, b in zip(found, expected, strict=True):
            assert a.n_rows == b.n_rows
            np.testing.assert_allclose(a.column_means, b.column_means, rtol=1e-12, err_msg=kind)
            np.testing.assert_allclose(a.xx, b.xx, rtol=1e-12, err_msg=kind)
            np.testing.assert_allclose(a.xy, b.xy, rtol=1e-11, atol=1e-9, err_msg=kind)
