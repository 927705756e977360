"""The one place that knows kinds of input: it turns them into rows, weights and starts."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite

from gd_regressor.blocks import Rows

SMALLEST_TARGET, LARGEST_TARGET = 1e-140, 1e150


def rows_of(X: np.ndarray, y, sample_weight) -> Rows:
    """The table of validated `X` (n, d), `y` (n,) or (n, t) and weights of any kind."""
    if issparse(y):
        raise ValueError("y must be dense, got a sparse array; write y.toarray().")
    if y.dtype.kind not in "fiub":
        raise ValueError(f"y must be numeric, got dtype {y.dtype}; encode it as numbers first.")
    weights = checked_weights(sample_weight, len(X))
    check_finite(y, "y")
    counted = y if weights is None else y[weights > 0]
    largest = max(float(counted.max()), -float(counted.min()))
    if largest > LARGEST_TARGET:
        raise ValueError(
            f"y has values up to {largest:.3g}, whose squares overflow; divide y so that they are "
            f"at most {LARGEST_TARGET:g}."
        )
    if 0 < largest < SMALLEST_TARGET:
        raise ValueError(
            f"y has values of at most {largest:.3g}, whose squares vanish; multiply y so that they "
            f"are above {SMALLEST_TARGET:g}."
        )
    return Rows(X, y.reshape(len(y), -1), weights)


def check_finite(array: np.ndarray, name: str) -> None:
    """Refuse NaN and infinity. A sum shows most arrays to be free of them in no time."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()
    if not math.isfinite(total):
        assert_all_finite(array, estimator_name="GDLinearRegressor", input_name=name)


def checked_weights(sample_weight, n_rows: int) -> np.ndarray | None:
    """Weights as (n,) float64 with the largest in [0.5, 1), or None where none are given."""
    if sample_weight is None:
        return None
    weights = _finite_floats("sample_weight", sample_weight)
    if weights.ndim == 0:
        weights = np.full(n_rows, weights)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar: sample_weight has shape {weights.shape}; "
            "pass one weight per row."
        )
    if len(weights) != n_rows:
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}: one weight per row."
        )
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight must not be negative, got {weights.min():g} in row "
            f"{int(weights.argmin())}; give rows that should not count the weight 0."
        )
    if not weights.any():
        raise ValueError(
            "sample_weight must contain at least one weight above zero, got zero in every row."
        )
    # Only ratios matter. A power of two brings the sum into range and changes no bits.
    return np.ldexp(weights, -int(np.frexp(weights.max())[1]))


def checked_start(
    coef_init, intercept_init, rows: Rows, fit_intercept: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Coefficients (d, t) and intercepts (t,) to start from; None for what was not given."""
    d, t = rows.X.shape[1], rows.y.shape[1]
    w = b = None
    if coef_init is not None:
        w = _finite_floats("coef_init", coef_init)
        expected = (d,) if t == 1 else (t, d)
        if w.shape not in (expected, (t, d)):
            raise ValueError(
                f"coef_init must have shape {expected}, one value per column"
                f"{' and target' if t > 1 else ''}, got {w.shape}."
            )
        w = w.reshape(t, d).T
    if intercept_init is not None:
        b = np.atleast_1d(_finite_floats("intercept_init", intercept_init))
        if b.shape != (t,):
            expected = "a finite number" if t == 1 else f"{t} finite numbers, one per target"
            raise ValueError(f"intercept_init must be {expected}, got {intercept_init!r}.")
        if b.any() and not fit_intercept:
            raise ValueError(
                f"intercept_init must be 0 with fit_intercept=False, got {intercept_init!r}; "
                "leave it out or write fit_intercept=True."
            )
    return w, b


def zeros_for_missing(start, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """The start (d, t), (t,) with zeros for what is None."""
    w, b = start
    d, t = rows.X.shape[1], rows.y.shape[1]
    return np.zeros((d, t)) if w is None else w, np.zeros(t) if b is None else b


def _finite_floats(name: str, value) -> np.ndarray:
    array = np.asarray(value)
    try:
        if array.dtype.kind not in "fiubO":
            raise TypeError
        array = array.astype(np.float64)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"{name} must be real numbers, got {value!r}.") from None
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        at = f" at {where if len(where) > 1 else where[0]}" if where else ""
        raise ValueError(f"{name} must be finite, got {array[where]}{at} (NaN or infinity).")
    return array
