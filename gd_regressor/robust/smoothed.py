"""A step of Newton's on a smoothed pinball loss: from a point near the minimum to one nearer.

Within a bandwidth of its kink the loss becomes a parabola (Fernandes, Guerre and Horta 2021), so
the rows there say how the slope of F changes. All rows together say what it is.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from gd_regressor.robust.pinball import Pinball


def smoothed_step(problem: Pinball, theta: np.ndarray, m: int) -> np.ndarray:
    """(p,): the next point, for a bandwidth that has the nearest m rows; `theta` if none follows.

    It is nearer if `theta` is within the bandwidth, more or less. Beyond the last row of a side the
    density is not that at the kink. So a bandwidth has no more rows than a side.
    """
    r = problem.residuals(theta)
    size, of_rows = np.abs(r), r[: problem.n_rows]
    m = min(m, int((of_rows > 0).sum()), int((of_rows < 0).sum()))
    bandwidth = np.partition(size[: problem.n_rows], m)[m]
    if not bandwidth:  # the model meets m rows
        return theta
    low, high = problem.low, problem.high
    bend = (high - low) / (2 * bandwidth)
    d = np.clip((low + high) / 2 + bend * r, low, high)
    inside = np.flatnonzero(size <= bandwidth)
    root, failed = lapack.dpotrf(problem.curved(bend[inside], inside), overwrite_a=1)
    if failed:
        return theta
    step = lapack.dpotrs(root, problem.lacks(theta, d))[0]
    return theta - step if np.isfinite(step).all() else theta
