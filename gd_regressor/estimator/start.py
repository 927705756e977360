"""Start: the coefficients and intercepts from which a descent sets out."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from gd_regressor.data.checks import finite_floats
from gd_regressor.data.table import Given
from gd_regressor.descent.records import Start
from gd_regressor.streams.stream import Stream


def start_of(model: Any, data: Given | Stream, coef_init=None, intercept_init=None) -> Start:
    """Coefficients (d, t), intercepts (t,): from the user, the fit before, a draw, or zeros."""
    if model.warm_start and hasattr(model, "coef_"):
        _check_like(model.coef_, data)
        coef_init = model.coef_ if coef_init is None else coef_init
        if intercept_init is None and model.fit_intercept:
            intercept_init = model.intercept_
    w, b = checked_start(coef_init, intercept_init, data, model.fit_intercept)
    if model.init == "random":
        random = check_random_state(model.random_state)
        drawn = random.standard_normal((data.n_targets, data.n_columns)).T
        w = drawn if w is None else w
        if model.fit_intercept and b is None:
            b = random.standard_normal(data.n_targets)
    return zeros_for_missing((w, b), data)


def _check_like(coef: np.ndarray, data: Given | Stream) -> None:
    """Refuse to start from coefficients of other columns or targets."""
    d, t = data.n_columns, data.n_targets
    if np.size(coef) != d * t or coef.shape[-1] != d:
        raise ValueError(
            f"warm_start=True needs the columns and targets of the fit before, coefficients of "
            f"shape {coef.shape}; got {d} columns and {t} targets. Write "
            "warm_start=False or pass coef_init."
        )


def checked_start(
    coef_init,
    intercept_init,
    data: Given | Stream,
    fit_intercept: bool,
    names: tuple[str, str] = ("coef_init", "intercept_init"),
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Coefficients (d, t) and intercepts (t,) from the user; None if the user gave none."""
    d, t = data.n_columns, data.n_targets
    w = b = None
    coef_name, intercept_name = names
    if coef_init is not None:
        w = finite_floats(coef_name, coef_init)
        expected = (d,) if t == 1 else (t, d)
        if w.shape not in (expected, (t, d)):
            raise ValueError(
                f"{coef_name} must have shape {expected}, one value per column"
                f"{' and target' if t > 1 else ''}, got {w.shape}."
            )
        w = w.reshape(t, d).T
    if intercept_init is not None:
        b = np.atleast_1d(finite_floats(intercept_name, intercept_init))
        if b.shape != (t,):
            expected = "a finite number" if t == 1 else f"{t} finite numbers, one per target"
            raise ValueError(f"{intercept_name} must be {expected}, got {intercept_init!r}.")
        if b.any() and not fit_intercept:
            raise ValueError(
                f"{intercept_name} must be 0 with fit_intercept=False, got {intercept_init!r}; "
                "leave it out or write fit_intercept=True."
            )
    return w, b


def zeros_for_missing(start, data: Given | Stream) -> Start:
    """The start (d, t), (t,) with zeros in place of None."""
    w, b = start
    d, t = data.n_columns, data.n_targets
    return np.zeros((d, t)) if w is None else w, np.zeros(t) if b is None else b


def start_before(model: Any, data: Given | Stream) -> Start:
    """Where the descent of a fitted model with a number as learning_rate set out; else zeros."""
    w, b = getattr(model, "coef_init_", None), getattr(model, "intercept_init_", None)
    return zeros_for_missing(checked_start(w, b, data, model.fit_intercept), data)
