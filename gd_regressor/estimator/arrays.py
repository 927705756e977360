"""Arrays become a table. The estimator keeps the names and the number of columns."""

from __future__ import annotations

import reprlib
import warnings
from typing import Any, TypeGuard

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, validate_data

from gd_regressor.data.checks import MOST_WEIGHT, as_table, as_targets, check_addable
from gd_regressor.data.distributed import dask_rows, is_dask
from gd_regressor.data.inputs import Batch, rows_of, rows_of_block
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Rows
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.losses import quantiles_of, targets_for
from gd_regressor.streams.stream import Stream


def table_of(model: Any, X, y, sample_weight, loss: Any = None) -> tuple[Given, int]:
    """The rows to fit, unchecked where a first pass shows a NaN, and the dimensions of y.

    A loss with several quantiles makes several targets of one.
    """
    if is_dask(X):
        if quantiles_of(loss) is not None:
            raise ValueError(
                f"{loss!r} makes an output of each quantile, which needs y in memory, and it "
                "is a Dask collection; fit a model for each quantile."
            )
        rows = dask_rows(X, y, sample_weight, rows_of_block)
        model.n_features_in_ = rows.n_columns
        vars(model).pop("feature_names_in_", None)
        if hasattr(X, "columns") and all(isinstance(name, str) for name in X.columns):
            model.feature_names_in_ = np.array(X.columns, dtype=object)
        return rows, y.ndim
    on_disk = isinstance(X, np.memmap)
    X, y = validated(model, X, y)
    y = targets_for(loss, y)
    # A row without weight is in no sum, and sums of sparse columns leave targets out
    if sample_weight is not None or issparse(X):
        return rows_of(X, y, sample_weight, on_disk=on_disk), y.ndim
    return Unchecked.of(X, y, on_disk=on_disk), y.ndim


def rows_for(X: Any, y: Any, sample_weight: Any, caller: str) -> tuple[Given, int]:
    """The rows that a function is called with, and the dimensions of y; no model learns of them."""
    if is_dask(X):
        return dask_rows(X, y, sample_weight, rows_of_block), y.ndim
    table, targets = _arrays(X, y, caller)
    if sample_weight is None and not issparse(table):
        return Unchecked.of(table, targets), targets.ndim
    return rows_of(table, targets, sample_weight), targets.ndim


def rows_in_memory(
    X: Any, y: Any, sample_weight: Any, caller: str, accept_sparse: Any
) -> tuple[Rows, int]:
    """Likewise, of what is in memory or can be brought there."""
    table, targets = _arrays(X, y, caller, accept_sparse)
    return rows_of(table, targets, sample_weight), targets.ndim


def _arrays(X: Any, y: Any, caller: str, accept_sparse: Any = ("csr", "csc", "coo")) -> Any:
    table = as_table(X, accept_sparse=accept_sparse, estimator=caller)
    targets = as_targets(y, estimator=caller)
    check_consistent_length(table, targets)
    return table, targets


def stream_of_moments(moments: Any) -> Stream:
    """The stream of rows of which no more is known than their moments."""
    if not isinstance(moments, Moments):
        raise ValueError(
            f"moments must be Moments, got {type(moments).__name__}; write Moments.of(X, y)."
        )
    if not 1 / MOST_WEIGHT**2 < moments.weight < MOST_WEIGHT**2:
        raise ValueError(
            f"moments must have a weight from {1 / MOST_WEIGHT**2:g} to {MOST_WEIGHT**2:g}, "
            f"got {moments.weight:g}; make them of rows with weights above zero and near 1."
        )
    return Stream.of_moments(moments)


def names_of(X: Any, given: Any = None, n_columns: int | None = None) -> list[str]:
    """The names of columns: `given`, or those of a data frame, or x0, x1, ..."""
    known: list[Any] = list(getattr(X, "columns", ()))
    d = len(known) if n_columns is None else n_columns
    names: list[Any] = list(map(str, given)) if given is not None else known
    if given is not None and len(names) != d:
        raise ValueError(
            f"feature_names must have one name for each of {d} columns, got {len(names)}: "
            f"{reprlib.repr(names)}."
        )
    named = len(names) == d and all(isinstance(name, str) for name in names)
    return names if named else [f"x{j}" for j in range(d)]


def validated(model: Any, X: Any, y: Any, reset: bool = True) -> tuple[Any, Any]:
    """X and y as arrays, not yet checked to be finite."""
    if _is_ready(X, (2,)) and y is not None and reset:
        # validate_data would do the same, but takes a tenth of the time of a small fit
        model.n_features_in_ = X.shape[1]
        vars(model).pop("feature_names_in_", None)
    else:
        table = as_table(X, estimator=model)
        validate_data(model, X, y, reset=reset, skip_check_array=True)
        X = table
    X = X if issparse(X) else np.asarray(X)  # slices of np.memmap are slow
    if not _is_ready(y, (1, 2)):
        y = as_targets(y, estimator=model)
    if X.shape[0] != len(y):
        check_consistent_length(X, y)
    return X, y


def held_out_arrays(model: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """X_val and y_val likewise. scikit-learn's own warning of names would speak of X."""
    seen = BaseEstimator()
    validate_data(seen, X, skip_check_array=True)
    named, learnt = hasattr(seen, "feature_names_in_"), hasattr(model, "feature_names_in_")
    if named == learnt:
        return validated(model, X, y, reset=False)
    without, which = ("has", "without") if named else ("does not have valid", "with")
    warnings.warn(
        f"X_val {without} feature names, but {type(model).__name__} was fitted {which} feature "
        "names",
        stacklevel=2,
    )
    return _arrays(X, y, type(model).__name__)


def chunk_of(model: Any, batch: Batch) -> tuple[Rows, int]:
    """The rows of a chunk, and the number of dimensions of its y."""
    begun = "stream_" in vars(model) or "epochs_" in vars(model)
    if batch.names is not None and begun:
        _check_names(model, batch.names)
    X, y = validated(model, batch.X, batch.y, reset=not begun or batch.names is not None)
    y = targets_for(model.loss, y)
    rows = rows_of(X, y, batch.sample_weight, may_vanish=begun)
    if batch.names is not None:
        model.feature_names_in_ = np.array(batch.names, dtype=object)
    check_addable(rows.unit)
    return rows, y.ndim


def check_chunk(rows: Rows, y_ndim: int, model: Any) -> None:
    """Refuse a chunk whose targets, or `fit_intercept`, are not those of the chunks before."""
    (p, t), coef = model.epochs_.theta.shape, model.coef_
    if p != rows.n_columns + bool(model.fit_intercept):
        raise ValueError(
            f"fit_intercept={model.fit_intercept!r}, but the chunks before had the opposite; call "
            "fit to begin anew."
        )
    if rows.n_targets != t or y_ndim != coef.ndim:
        raise ValueError(
            f"y must have {t} {'target' if t == 1 else 'targets'} in {coef.ndim} dimensions, as in "
            f"the chunks before, got {rows.n_targets} in {y_ndim}; call fit to begin anew."
        )


def _check_names(model: Any, names: list[str]) -> None:
    known = list(getattr(model, "feature_names_in_", names))
    if known != list(names):
        other = next((n for n in [*names, *known] if (n in names) != (n in known)), names[0])
        raise ValueError(
            f"the columns must be {known}, in this order, got {list(names)}: see {other!r}."
        )


def _is_ready(value: Any, ndims: tuple[int, ...]) -> TypeGuard[np.ndarray]:
    """Whether a value needs no conversion. check_array would take as long as a small fit to tell.

    We convert other kinds of numbers on disk block by block, never all at once.
    """
    is_array = type(value) is np.ndarray and value.dtype in (np.float64, np.float32)
    on_disk = isinstance(value, np.memmap) and np.dtype(value.dtype).kind in "fiub"
    return (is_array or on_disk) and value.ndim in ndims and value.size > 0
