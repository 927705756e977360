"""The columns in use under an L1 penalty: guessed from a sample of the rows, and their products."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, cast

import numpy as np

from gd_regressor.arithmetic.units import power_of_two_near_root
from gd_regressor.auto.by_active_set import minimum_of
from gd_regressor.data.few_columns import few_columns, sample_of
from gd_regressor.data.moments import sums_of
from gd_regressor.data.table import Rows, add_each
from gd_regressor.descent.records import Request, Terms
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
    return Guess(frame, where) if is_few(where, len(w)) else None


def is_few(where: np.ndarray, d: int) -> bool:
    """Whether the products of these columns alone save time."""
    return len(where) <= MOST_IN_USE * d


class Members(NamedTuple):
    """The columns that may be in use, and their products in the coordinates of a frame."""

    where: np.ndarray  # (k,)
    gram: np.ndarray  # (k, k): mean products of columns about their means
    means: np.ndarray  # (k,)


def members_of(rows: Rows, where: np.ndarray, frame: Frame) -> tuple[Members, np.ndarray]:
    """The products of the columns `where`, and the slopes (d, t) of all columns at zero.

    The target centre of the frame is the mean, or zero without an intercept.
    """
    near = shift_of(frame)
    shift = frame.centre if near is None else near
    read = partial(few_columns, where=where, shift=shift, target_centre=frame.target_centre)
    products, across = rows.total(read, add_each)
    weight = products[0, 0]
    means, gram, scale = products[0, 1:] / weight, products[1:, 1:] / weight, frame.scale[where]
    slopes = across / (weight * frame.scale[:, None])
    if not frame.fit_intercept:
        return Members(where, gram / scale / scale[:, None], np.zeros(len(where))), slopes
    gram -= np.multiply.outer(means, means)
    off = means + (shift[where] - frame.centre[where])  # in this order: means are tiny
    return Members(where, gram / scale / scale[:, None], off / scale), slopes
