"""Predictions of a fitted linear model, for every kind of X."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from gd_regressor.data.checks import as_table, check_finite, columns_named
from gd_regressor.data.distributed import is_dask, predicted

# Rows of float32 that are predicted in float64 at once: their copy takes little memory
PREDICT_ROWS = 1 << 14


def predictions(model: Any, X: Any, arranged: Callable[[Any], Any] = lambda values: values) -> Any:
    """Those of a model with `coef_` and `intercept_`, whose method `predict` calls this."""
    check_is_fitted(model)
    if is_dask(X):
        return predicted(X, model.predict, len(np.atleast_2d(model.coef_)), model.coef_.ndim)
    table = as_table(X, accept_sparse="csr", estimator=model)
    validate_data(model, X, reset=False, skip_check_array=True)
    with columns_named(X):
        check_finite(table, "X")
    with np.errstate(over="ignore", invalid="ignore"):  # isfinite looks below
        values = _values(model, table)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ValueError(
            f"X has rows whose predictions are beyond what {table.dtype} holds, the first in "
            f"row {row}; scale X, or pass it as float64 if it is not."
        )
    return arranged(values)


def _values(model: Any, X: Any) -> Any:
    """Predict for a checked table."""
    if X.dtype == np.float64:
        return X @ model.coef_.T + model.intercept_
    # float32 sums over columns far from zero would lose digits, so we sum in float64. Blocks
    # spare a float64 copy of X
    coef, starts = model.coef_.T.astype(np.float64), range(0, X.shape[0], PREDICT_ROWS)
    parts = [X[i : i + PREDICT_ROWS].astype(np.float64) @ coef for i in starts]
    return (np.concatenate(parts) + model.intercept_).astype(X.dtype)
