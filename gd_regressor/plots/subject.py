"""What pictures are drawn of: a report, the updates to show, names of columns."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gd_regressor.estimator.parameters import check_tol
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.paths import LearningRateReport, checked_points, learning_rate_report

MOST_DRAWN_COLUMNS = 1000  # of a picture; a decomposition of more takes longer than a second
MOST_DRAWN_POINTS = 2000  # of a line; the eye tells no more apart


def report_of(X: Any, y: Any, **options: Any) -> LearningRateReport:
    """The report that a picture of these data is drawn from."""
    shape = np.shape(X)
    if len(shape) == 2 and shape[1] > MOST_DRAWN_COLUMNS:
        raise ValueError(
            f"X must have at most {MOST_DRAWN_COLUMNS:,} columns for a picture, got "
            f"{shape[1]:,}; choose some of them, such as X[:, :50]."
        )
    return learning_rate_report(X, y, **options)


def report_of_fitted(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, otherwise: str
) -> LearningRateReport:
    """The report of a fitted estimator; `otherwise` is the call that needs none."""
    fitted_descent(estimator, otherwise=otherwise)
    return LearningRateReport.from_estimator(estimator, X, y, sample_weight=sample_weight)


def fitted_descent(estimator: Any, *, otherwise: str) -> Any:
    """The descent in a fitted estimator or pipeline."""
    model = unwrapped(estimator).model
    check_fitted(model, "estimator")
    if not (hasattr(model, "loss_curve_") and hasattr(model, "fit_intercept")):
        raise ValueError(
            f"estimator must be a fitted GDLinearRegressor, or a pipeline that ends in one, got "
            f"{type(model).__name__}; use {otherwise}."
        )
    return model


def check_fitted(model: Any, name: str) -> None:
    """Refuses a descent that has not been made."""
    descends = all(hasattr(model, word) for word in ("learning_rate", "momentum", "max_iter"))
    if descends and not hasattr(model, "loss_curve_"):
        raise ValueError(f"{name} is not fitted; call fit first.")


def checked_report(report: Any) -> LearningRateReport:
    """Refuses what is no report, and data on which no update moves anything."""
    if not isinstance(report, LearningRateReport):
        raise ValueError(
            f"report must be a LearningRateReport, got {type(report).__name__}; make one by "
            "learning_rate_report(X, y) or LearningRateReport.from_estimator(fitted, X, y)."
        )
    if not report.largest_curvature > 0:
        raise ValueError("X must have a column that is not zero: the loss is the same everywhere.")
    return report


def check_descends(report: LearningRateReport) -> None:
    """Refuses a start from which no direction descends."""
    if not report.excess.sum() > 0:
        raise ValueError(
            "report must be of a start above the minimum, got one at the minimum: no direction "
            "descends. Write another coef_init, or a y that is not zero."
        )


def checked_tol(tol: Any) -> float:
    """Refuses a distance to the minimum that no number of updates reaches."""
    check_tol(tol)
    if tol is None or not tol > 0:
        raise ValueError(f"tol must be a number > 0, got {tol!r}; 1e-6 is usual.")
    return float(tol)


def check_one_target(report: LearningRateReport) -> None:
    """Refuses several targets, of which each has a path of its own."""
    if report.coef.ndim > 1:
        raise ValueError(
            f"y must be one target of shape (n_samples,), got {len(report.coef)} columns; write "
            "y[:, 0] for the first."
        )


def updates_to(n_iter: Any) -> np.ndarray:
    """0, 1, ..., n_iter, or so many of them as a line can show."""
    last = int(checked_points([n_iter])[0]) if np.ndim(n_iter) == 0 else None
    if last is None:
        raise ValueError(f"n_iter must be an integer >= 0, got {reprlib.repr(n_iter)}.")
    if last <= MOST_DRAWN_POINTS:
        return np.arange(last + 1)
    half = MOST_DRAWN_POINTS // 2
    early, late = np.geomspace(1, last, half), np.linspace(0, last, half)
    return np.unique(np.concatenate([early, late]).astype(np.int64))


def position(name: str, wanted: Any, names: Sequence[str]) -> int:
    """The place of a column given by its name, or by its place from the front or the back."""
    if isinstance(wanted, str) and wanted in names:
        return list(names).index(wanted)
    if isinstance(wanted, (int, np.integer)) and not isinstance(wanted, bool):
        place = range(len(names))[wanted] if -len(names) <= wanted < len(names) else None
        if place is not None:
            return place
    raise ValueError(
        f"{name} must be one of {reprlib.repr(list(names))} or its place, 0 to "
        f"{len(names) - 1}, got {wanted!r}; name the columns by feature_names."
    )
