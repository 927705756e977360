"""The end of a run, as a record."""

from __future__ import annotations

import numpy as np

from gd_regressor.descent.records import End, Path, Result


def result_of(
    path: Path, end: End, w: np.ndarray, b: np.ndarray, variance: np.ndarray, **known
) -> Result:
    """The record of a descent that ended with coefficients `w` (d, t) and intercepts `b` (t,)."""
    return Result(
        coef=w.T,
        intercept=b,
        n_iter=end.k,
        loss_curve=end.losses.sum(axis=1) / len(variance),
        gaps=path.records(end.k, end.k).gaps[0],
        variance=variance,
        status=end.status,
        gap_is_exact=path.gap_is_exact,
        **known,
    )
