"""The loss that an estimator descended on: its landscape, its penalty, the names of its columns."""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.data.checks import columns_named
from gd_regressor.descent.records import Terms
from gd_regressor.estimator.arrays import names_of, rows_for
from gd_regressor.estimator.fitting import landscape_of, landscape_of_stream
from gd_regressor.estimator.parameters import (
    Penalties,
    checked_alpha,
    checked_weights,
    penalties_of,
    tol_of,
)
from gd_regressor.estimator.start import start_before
from gd_regressor.estimator.wrapped import names_through, unwrapped
from gd_regressor.losses import SQUARED
from gd_regressor.objective.penalties import ElasticNet
from gd_regressor.textbook.landscape import Landscape

# Learning rate, momentum and tol of an estimator
Setting = tuple[float, float, float | None]


class Described(NamedTuple):
    """What a fitted estimator descended on."""

    landscape: Landscape  # with the ridge, if the penalty is one
    names: list[str]  # of the columns
    y_ndim: int
    setting: Setting | None  # None where the learning rate is no number, or updates see few rows
    terms: Terms | None  # the penalties; None for none

    @property
    def is_quadratic(self) -> bool:
        """Whether eigenvalues foretell all descents on the loss."""
        return self.terms is None or self.terms.are_ridge


def described(
    fitted: Any, X: Any, y: Any, sample_weight: Any, who: str = "LearningRateReport"
) -> Described:
    """The loss of a fitted estimator or pipeline, in the units that it descended in."""
    parts = unwrapped(fitted)
    model = parts.model
    if not (hasattr(model, "loss_curve_") and hasattr(model, "fit_intercept")):
        raise ValueError(
            f"fitted must be a fitted GDLinearRegressor, or a pipeline that ends in one, got "
            f"{type(model).__name__}; call fit first, or use learning_rate_report(X, y)."
        )
    if (loss := getattr(model, "loss", SQUARED)) != SQUARED:
        raise ValueError(
            f"fitted has loss={loss!r}, and {who} describes the squared loss; fit it with "
            'loss="squared_error", or use learning_rate_report(X, y).'
        )
    fit_intercept, setting, names = bool(model.fit_intercept), None, None
    penalties = penalties_of(model) if hasattr(model, "dual_gap_") else None
    is_full = getattr(model, "batch_size", None) is None
    if is_full and all(isinstance(v, numbers.Real) for v in (model.learning_rate, model.momentum)):
        setting = (float(model.learning_rate), float(model.momentum), tol_of(model))
    if X is None and y is None and hasattr(model, "stream_"):
        kept = model.stream_
        terms = None if penalties is None else penalties.terms(kept.n_columns, kept.n_targets)
        start = start_before(model, kept)
        landscape = landscape_of_stream(kept, start, fit_intercept, _ridge(terms))
        y_ndim = kept.y_ndim
    elif X is None or y is None:
        raise ValueError("X and y must be given, unless the estimator holds a stream.")
    else:
        names = names_through(parts.steps, X)
        X, y = parts.transformed(X, y)
        with columns_named(X):
            table, y_ndim = rows_for(X, y, sample_weight, who)
            terms = None if penalties is None else penalties.terms(table.n_columns, table.n_targets)
            start = start_before(model, table)
            landscape = landscape_of(table, start, fit_intercept, _ridge(terms))
        if getattr(model, "early_stopping", False):
            _check_all_rows(model, landscape, terms)
    known = names or getattr(model, "feature_names_in_", None)
    found = names_of(X, known, landscape.n_columns)
    return Described(landscape, found, y_ndim, setting, terms)


def _check_all_rows(model: Any, landscape: Landscape, terms: Terms | None) -> None:
    """Refuse rows of which the descent held some out: its loss at the start was another."""
    loss = landscape.loss_at_start
    if terms is not None:
        loss = loss + ElasticNet(*terms).value(landscape.start[: landscape.n_columns])
    if np.isclose(loss.mean(), model.loss_curve_[0], rtol=1e-6, atol=0.0):
        return
    raise ValueError(
        "X and y must be the rows that the descent saw, and early_stopping=True held some of them "
        "out; split the rows yourself (train_test_split), fit with X_val=... and y_val=..., and "
        "give the training rows here."
    )


def ridge_of(alpha: Any, penalty_weights: Any, n_columns: int, n_targets: int) -> np.ndarray | None:
    """(d,): the ridge of a report; None for none. Refuses one that differs between targets."""
    return _ridge(ridge_terms(alpha, penalty_weights, n_columns, n_targets, "report"))


def ridge_terms(
    alpha: Any, penalty_weights: Any, n_columns: int, n_targets: int, what: str
) -> Terms:
    """The terms of a ridge. Refuses one that differs between targets, for `what` has one."""
    strengths, weights = checked_alpha(alpha), checked_weights(penalty_weights)
    terms = Penalties(strengths, 0.0, False, weights).terms(n_columns, n_targets)
    if not terms.are_ridge:
        raise ValueError(
            f"alpha must be one number for a {what}, got {alpha!r}: each target would have "
            f"curvatures of its own. Make one {what} for each target."
        )
    return terms


def _ridge(terms: Terms | None) -> np.ndarray | None:
    """(d,): the penalty where it is a ridge. A landscape has no other."""
    if terms is None or not terms.are_ridge or not terms.l2.any():
        return None
    return terms.l2[:, 0]
