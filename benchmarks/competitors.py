"""Everything that is timed: how it is fitted, and where its coefficients are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.data import TEXTBOOK_RATE, TEXTBOOK_UPDATES, Size
from gd_regressor import GDLinearRegressor

try:
    from sklearnex.linear_model import LinearRegression as IntelLinearRegression
except ImportError:
    IntelLinearRegression = None

Coefficients = tuple[np.ndarray, float]

# Where the others would take minutes together, or several times the data's memory. On all other
# sizes everyone runs.
FEWER = {
    Size(400_000, 500): ("auto", "sgd", "ridge", "intel", "product"),
    Size(50_000, 2_000): ("auto", "linear", "sgd", "ridge", "intel", "product"),
}


@dataclass(frozen=True)
class Competitor:
    """One way of fitting a line, or a part of the work to compare with.

    Attributes
    ----------
    key : str
        A short word for the command line of the memory measurement.
    name : str
        What the table calls it.
    fit : callable
        ``fit(X, y)`` does all that a user waits for, and returns the model.
    coefficients : callable or None
        ``coefficients(model)`` returns ``(coef, intercept)`` in the units of X. It is not timed.
        None where the work does not end in coefficients.
    """

    key: str
    name: str
    fit: Callable[[np.ndarray, np.ndarray], Any]
    coefficients: Callable[[Any], Coefficients] | None


def competitors(size: Size) -> list[Competitor]:
    """List ours and theirs; the first is the one that the others are compared with.

    No textbook descent is among them: no one step suits columns in any units. `benchmarks.claims`
    has it.

    Parameters
    ----------
    size : Size
        Only those that are affordable there are listed.

    Returns
    -------
    list of Competitor
    """
    everyone = [_ours(), *_peers(), *_intel(), _product()]
    keys = FEWER.get(size, [c.key for c in everyone])
    return [c for c in everyone if c.key in keys]


def naive_descent(
    X: np.ndarray,
    y: np.ndarray,
    updates: int = TEXTBOOK_UPDATES,
    rate: float = TEXTBOOK_RATE,
    trace: np.ndarray | None = None,
) -> Coefficients:
    """Descend from zero as a first textbook program does, two passes over X per update.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,)
    updates : int
    rate : float
        The step eta in w <- w - eta grad F(w).
    trace : ndarray of shape (d + 1, updates), optional
        Is filled with the iterates, the intercept last. Writing it costs nothing beside X.

    Returns
    -------
    coef : ndarray of shape (d,)
    intercept : float
    """
    n, d = X.shape
    w = np.zeros(d)
    b = 0.0
    for k in range(updates):
        r = X @ w + b - y
        # The brackets matter: rate * 2 / n * X.T first would copy X in every update.
        w -= rate * 2 / n * (X.T @ r)
        b -= rate * 2 / n * r.sum()
        if trace is not None:
            trace[:d, k] = w
            trace[d, k] = b
    return w, b


def _ours() -> Competitor:
    return Competitor(
        "auto",
        "**GDLinearRegressor()**",
        lambda X, y: GDLinearRegressor().fit(X, y),
        fitted,
    )


def _peers() -> list[Competitor]:
    return [
        Competitor(
            "linear", "LinearRegression()", lambda X, y: LinearRegression().fit(X, y), fitted
        ),
        Competitor(
            "sgd",
            "StandardScaler() + SGDRegressor()",
            lambda X, y: make_pipeline(StandardScaler(), SGDRegressor(random_state=0)).fit(X, y),
            _unscaled,
        ),
        Competitor(
            "ridge", "Ridge(alpha=1e-10)", lambda X, y: Ridge(alpha=1e-10).fit(X, y), fitted
        ),
        Competitor(
            "lstsq",
            "numpy.linalg.lstsq on [X 1]",
            _lstsq,
            lambda solution: (solution[:-1], float(solution[-1])),
        ),
    ]


def _intel() -> list[Competitor]:
    """Scikit-learn-intelex's, where it is installed."""
    if IntelLinearRegression is None:
        return []
    return [
        Competitor(
            "intel",
            "sklearnex LinearRegression()",
            lambda X, y: IntelLinearRegression().fit(X, y),
            fitted,
        )
    ]


def _product() -> Competitor:
    """Take what any method by normal equations written with NumPy begins with."""
    return Competitor("product", "X.T @ X alone", lambda X, y: X.T @ X, None)


def fitted(model: Any) -> Coefficients:
    """Read what scikit-learn's linear models have learnt."""
    return model.coef_, float(model.intercept_)


def _unscaled(pipeline: Any) -> Coefficients:
    """Bring the coefficients behind a scaler back to the units of X."""
    scaler, model = pipeline[0], pipeline[-1]
    coef = model.coef_ / scaler.scale_
    return coef, float(model.intercept_[0] - scaler.mean_ @ coef)


def _lstsq(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y)[0]
