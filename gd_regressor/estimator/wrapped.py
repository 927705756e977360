"""What stands around a descent: the steps of a pipeline, and what transforms the target.

Pipelines and scalers are imported where they are looked at: a fit needs none, and would take longer
to import.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Wrapped:
    """A fitted linear model, and the fitted transformers that its data pass on the way to it."""

    steps: list[tuple[str, Any]]  # of the columns, by name, in their order
    model: Any
    target: Any | None  # of the target

    def transformed(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Columns and targets as the model gets them."""
        for _, step in self.steps:
            X = step.transform(X)
        if self.target is not None:
            y = np.asarray(y)
            table = self.target.transform(y.reshape(len(y), -1))
            y = table[:, 0] if y.ndim == 1 and table.shape[1] == 1 else table
        return X, y


def unwrapped(fitted: Any) -> Wrapped:
    """The parts of a pipeline, of a `TransformedTargetRegressor`, or of one in the other."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import Pipeline

    target, steps = None, []
    while True:
        if isinstance(fitted, Pipeline):
            passing = ((name, step) for name, step in fitted.steps[:-1])
            steps += [(name, step) for name, step in passing if step not in (None, "passthrough")]
            fitted = fitted.steps[-1][1]
        elif isinstance(fitted, TransformedTargetRegressor) and target is None:
            target = getattr(fitted, "transformer_", None)
            fitted = getattr(fitted, "regressor_", fitted.regressor)
        else:
            return Wrapped(steps, fitted, target)


def names_through(steps: list[tuple[str, Any]], X: Any) -> list[str] | None:
    """The names that columns have after these steps; None where a step does not tell."""
    names = getattr(X, "columns", None)
    names = None if names is None else np.asarray(names, dtype=object)
    for _, step in steps:
        try:
            names = step.get_feature_names_out(names)
        except (AttributeError, TypeError, ValueError):
            return None
    return None if names is None else list(map(str, names))


def affine_map(scaler: Any, who: str) -> tuple[np.ndarray, np.ndarray]:
    """The factor and shift, a and c, of a fitted scaler that makes a x + c of x."""
    maps = _affine_maps()
    kind = maps.get(type(scaler))
    if kind is None or getattr(scaler, "clip", False):
        known = ", ".join(sorted(kind.__name__ for kind in maps))
        raise ValueError(
            f"fitted has {who}, {type(scaler).__name__}, that does more than to scale columns; "
            f"known are {known} (without clip)."
        )
    try:
        factor, shift = kind(scaler)
    except AttributeError:
        raise ValueError(f"fitted has {who} that is not fitted; call fit first.") from None
    return np.asarray(factor, dtype=np.float64), np.asarray(shift, dtype=np.float64)


def _affine_maps() -> dict[type, Callable[[Any], tuple[Any, Any]]]:
    """What each scaler makes of x, by its class: a and c of a x + c."""
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    return {
        StandardScaler: lambda s: _divided(s.scale_, s.mean_ if s.with_mean else None),
        RobustScaler: lambda s: _divided(s.scale_, s.center_),
        MaxAbsScaler: lambda s: _divided(s.scale_, None),
        MinMaxScaler: lambda s: (s.scale_, s.min_),
    }


def _divided(scale: Any, centre: Any) -> tuple[Any, Any]:
    factor = 1.0 if scale is None else 1 / scale
    return factor, 0.0 if centre is None else -centre * factor
