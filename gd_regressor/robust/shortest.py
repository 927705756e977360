"""Equations of a Newton step that have many solutions: the shortest one."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from gd_regressor.arithmetic.doubled import EPS

# A slope is a mean of x psi(r). In units of the column it is rounded to so many eps of the root
# mean square of psi
SLOPE_ROUNDED_BY = 64


def shortest(
    unit: np.ndarray, right: np.ndarray, floor: float, spread: np.ndarray
) -> np.ndarray | None:
    """The shortest solution (q, m), or None where there is none.

    Eigenvalues up to `floor` are rounding. The part of `right` that no solution meets may be the
    rounding of slopes, whose psi has the root mean square `spread` (m,). For at a minimum all of
    `right` is rounding, and a step of zero is right.
    """
    values, vectors = eigh(unit)
    along = vectors.T @ right
    kept = values > max(len(right) * EPS * values[-1], floor)
    lost = np.abs(along[~kept]).max(axis=0, initial=0.0)
    largest = np.abs(along).max(axis=0, initial=0.0)
    if (lost > np.maximum(np.sqrt(EPS) * largest, SLOPE_ROUNDED_BY * EPS * spread)).any():
        return None
    return vectors[:, kept] @ (along[kept] / values[kept, None])
