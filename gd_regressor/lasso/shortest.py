"""Shortest: of several minimisers with an L1 penalty, that of least |w|, whatever the start."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.lasso.active_set import Minimum, least

# A column whose condition holds up to this share of the slopes may have a coefficient
TIED = 1e-12
# A pivot of Cholesky's method below so many eps for each column is rounding
DEPENDENT = 16 * EPS
# The weight of the squared norm beside a loss with ones on its diagonal. The minimiser with this
# weight has the signs of the shortest, and differs from it by so much
FAINT_NORM = 1e-8


def shortest(
    gram: np.ndarray,
    slope: np.ndarray,
    l1: np.ndarray,
    l2: np.ndarray,
    positive: bool,
    found: Minimum,
    scale: np.ndarray,
) -> Minimum:
    """The minimiser of least |w / scale|, from any other one. The arguments are those of `least`.

    All minimisers have the same v. Coefficients are zero where |v| < l1, and have the sign of v
    where |v| = l1 (Tibshirani 2013). If these columns do not depend on each other, there is one.
    So there is with l2. But an l2 below the rounding of v leaves the search several, of which the
    one with the least sum of l2 w^2 is right.
    """
    size, largest = found.v if positive else np.abs(found.v), np.abs(slope).max(initial=0.0)
    tied = np.flatnonzero(size >= l1 - TIED * largest)
    tied = tied[gram.diagonal()[tied] > 0]
    if (l2[tied] > TIED * gram.diagonal()[tied]).any() or not l2[tied].all():
        tied = tied[l2[tied] == 0]
    elif tied.size:
        scale = np.sqrt(l2[tied].max() / np.where(l2 > 0, l2, np.inf))
    if not depend(gram, tied):
        return found
    # Columns whose l1 is no more than rounding have no sign: each counts as two columns, one for
    # either sign
    unsigned = l1 <= DEPENDENT * largest
    loose = tied[unsigned[tied]] if not positive else tied[:0]
    columns = np.concatenate([tied, loose])
    signs = np.where(positive | unsigned, 1.0, np.sign(found.v))[columns]
    signs[len(tied) :] = -1.0
    units = np.sqrt(gram.diagonal()[columns])
    turned = gram[columns[:, None], columns] * signs * signs[:, None]
    start = np.maximum(found.w[columns] * signs, 0.0)
    faint = FAINT_NORM * (units.min() * scale[columns].min() / scale[columns]) ** 2
    none = np.zeros(len(columns))
    near = least(turned, turned @ start, none, faint, True, start)
    on = np.flatnonzero(near.w)
    w = found.w.copy()
    w[tied] = 0.0
    moved = signs[on] * _least_norm(turned, start, near.w, on, scale[columns])
    np.add.at(w, columns[on], moved)
    v = slope - gram @ w
    rounding = TIED * (np.abs(slope) + np.sqrt(gram.diagonal()) * (units @ np.abs(w[columns])))
    same = (np.abs(v - found.v) <= rounding).all() and (moved * signs[on] >= 0).all()
    return found._replace(w=w, v=v) if near.converged and same else found


def depend(gram: np.ndarray, columns: np.ndarray) -> bool:
    """Whether these columns depend on each other, up to the rounding of their products."""
    if len(columns) < 2:
        return False
    units = np.sqrt(gram.diagonal()[columns])
    correlation = gram[columns[:, None], columns] / units / units[:, None]
    root, failed = lapack.dpotrf(correlation)
    return bool(failed or root.diagonal().min() ** 2 <= DEPENDENT * len(columns))


def _least_norm(gram, start, near, on, scale) -> np.ndarray:
    """The point of least |w / scale| with the fit of `start`, of the columns `on` alone."""
    units = np.sqrt(gram.diagonal()[on])
    columns = gram[on[:, None], on] / units / units[:, None]
    values, vectors = np.linalg.eigh(columns)
    null = values <= DEPENDENT * len(on)
    moving = vectors[:, ~null]
    # One step from `near`, which has nearly the fit, to the fit itself
    off = (gram[on] @ start - gram[on[:, None], on] @ near[on]) / units
    w = near[on] * units + moving @ ((moving.T @ off) / values[~null])
    # Null vectors of scaled columns; the norm is that of raw ones
    still = vectors[:, null] / units[:, None] / scale[on, None]
    raw = w / units / scale[on]
    raw -= still @ np.linalg.lstsq(still, raw)[0] if null.any() else 0.0
    return raw * scale[on]
