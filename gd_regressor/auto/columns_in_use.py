"""The columns in use under an L1 penalty: guessed from a sample of the rows, and their products."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, cast

import numpy as np

from gd_regressor.arithmetic.doubled import column_products
from gd_regressor.arithmetic.units import power_of_two_near_root
from gd_regressor.auto.by_active_set import minimum_of
from gd_regressor.data.few_columns import few_columns, sample_of
from gd_regressor.data.moments import sums_of
from gd_regressor.data.table import Rows
from gd_regressor.descent.records import Request, Terms
from gd_regressor.lasso.face import ROUNDED
from gd_regressor.objective.frame import Frame, shift_of
from gd_regressor.objective.on_moments import MomentLoss
from gd_regressor.objective.penalties import ElasticNet

# With a larger share of the columns in use, the moments of all of them take less time
MOST_IN_USE = 0.35
# The slope of a column on a sample has noise. If it is less than DOUBTFUL deviations of this below
# its bound, the column may be in use. If it is less than so many in all, it may be noise alone.
# Where the noise brings a larger share of the columns into use than the second, we do not guess
DOUBTFUL, HOPELESS_SHARE = 2.0, 0.5
# Of the largest slope that a column can have. Rounding of a slope is a large share of a smaller
# bound, and would hide the distance from the minimum. The moments of all columns have a certificate
LEAST_BOUND = 1e-4


class Guess(NamedTuple):
    """What a sample of the rows tells."""

    frame: Frame  # with centres near the means
    where: np.ndarray  # (k,): the columns in use


def guess_of(rows: Rows, request: Request) -> Guess | None:
    """The columns in use on a sample of the rows; None if they are many."""
    some = sample_of(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        moments = sums_of(some)  # it refuses no targets: others may be larger
    if moments is None or (moments.scale != 1).any():
        return None
    if not (np.isfinite(moments.xx).all() and np.isfinite(moments.xy).all()):
        return None
    scale = power_of_two_near_root(moments.xx.diagonal() / moments.weight)
    frame = Frame.of(moments, scale, request.fit_intercept)
    loss, net = MomentLoss(moments, frame), ElasticNet.of(cast(Terms, request.terms), scale)
    gram, theta = loss.hessian / 2, np.zeros((frame.n_parameters, len(moments.yy)))
    variances = gram.diagonal()[:, None]
    if (net.l1 < LEAST_BOUND * np.sqrt(variances * loss.at_zero.value)).any():
        return None
    w = theta[: len(scale)]  # a view
    w[:], _ = minimum_of(gram, loss.at_zero.slope / -2, net, scale, w)
    if np.count_nonzero(w.any(axis=1)) > HOPELESS_SHARE * len(w):
        return None
    square, gradient = loss.value_and_gradient(theta)
    slope = variances * w - gradient[: len(w)] / 2
    noise = DOUBTFUL * np.sqrt(variances * square / some.n_rows)
    size = slope if net.positive else np.abs(slope)
    where = np.flatnonzero((size > np.maximum(net.l1 - noise, noise)).any(axis=1))
    return Guess(frame, where) if is_few(len(where), len(w)) else None


def is_few(k: int, d: int) -> bool:
    """Whether the products of k columns alone save time."""
    return k <= MOST_IN_USE * d


class Members(NamedTuple):
    """The columns that may be in use, and products of all columns in the coordinates of a frame.

    All products are mean ones, and columns stand about their means.
    """

    where: np.ndarray  # (k,)
    across: np.ndarray  # (d, k): products of all columns with the members
    means: np.ndarray  # (k,)
    slope: np.ndarray  # (d, t): products of all columns with the targets
    square: np.ndarray  # (t,): of the targets

    @property
    def gram(self) -> np.ndarray:
        """(k, k): the products of the members with each other."""
        gram = self.across[self.where]
        return (gram + gram.T) / 2  # else rounding would show

    def loss_and_slopes(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The squared loss (t,) where the members have coefficients `w` (k, t), and all slopes.

        The slopes (d, t) are right up to the rounding of products, as those from the rows are up to
        the rounding of predictions.
        """
        v = self.slope - self.across @ w
        loss = self.square - column_products(w, (self.slope + v)[self.where])
        return np.maximum(loss, 0.0), v

    def hidden(self, w: np.ndarray) -> np.ndarray:
        """(t,): what rounding of the slopes may hide of a dual gap.

        Columns have about the variance 1. Slopes that are off by e change l1 |w| - c v w by e |w|,
        and so does the c that they give.
        """
        size = np.abs(w).sum(axis=0)
        return 2 * ROUNDED * (np.abs(self.slope).max(axis=0) + size) * size

    def joined_by(self, others: Members) -> Members:
        """These members and others."""
        where = np.concatenate([self.where, others.where])
        across = np.concatenate([self.across, others.across], axis=1)
        means = np.concatenate([self.means, others.means])
        return Members(where, across, means, self.slope, self.square)


def members_of(rows: Rows, where: np.ndarray, frame: Frame, square: np.ndarray) -> Members:
    """The columns `where`, with all products, in one pass. The targets have the mean `square` (t,).

    The target centre of the frame is the mean, or zero without an intercept.
    """
    near = shift_of(frame)  # `few_columns` copies all columns if one moves, so we centre all
    shift = frame.centre if near is None or near.any() else near
    read = partial(few_columns, where=where, shift=shift, target_centre=frame.target_centre)
    sums = rows.total(read) / rows.total_weight
    sums /= frame.scale
    slope, across = sums[1 : 1 + rows.n_targets].T, sums[1 + rows.n_targets :].T
    scale = frame.scale[where]
    across = across / scale
    if not frame.fit_intercept:
        return Members(where, across, np.zeros(len(where)), slope, square)
    means = sums[0]
    across -= np.multiply.outer(means, means[where])
    off = means[where] + (shift - frame.centre)[where] / scale  # in this order: means are tiny
    return Members(where, across, off, slope, square)
