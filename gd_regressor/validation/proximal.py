"""Numbers as learning rates, with penalties that have kinks: one descent for all their updates."""

from __future__ import annotations

from typing import final

import numpy as np

from gd_regressor.descent.nouns import Observer, Path
from gd_regressor.descent.records import Records, Request, Status, Terms
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.textbook.follow import follow_path
from gd_regressor.textbook.penalised import on_triangle
from gd_regressor.validation.training import Fan, Training


def proximal_fan(training: Training) -> Fan:
    """The coordinates of the iterates: the coefficients and, behind them, the intercept."""
    d, t = training.n_columns, len(training.target_means)
    p = d + training.fit_intercept
    return Fan(np.eye(d, p), (np.arange(p) == d) * 1.0, np.zeros(d), np.zeros(t))


def proximal_points(
    training: Training, step: ConstantStep, terms: Terms, counts: np.ndarray, tol: float | None
) -> np.ndarray:
    """(t, p, k): the iterates from zero after `counts` (k,) updates, which rise.

    A descent that ends before stays where it ends. An update costs the products of a triangle,
    whatever the number of rows.
    """
    shape = training.n_columns + training.fit_intercept, terms.l1.shape[1]
    seen = _Seen(counts)
    end = follow_path(
        *on_triangle(training.triangle, np.zeros(shape), step, terms, training.fit_intercept),
        training.moments,
        training.precision,
        Request(training.fit_intercept, int(counts[-1]), tol),
        (seen,),
    )
    if end.status is Status.INTERRUPTED:  # half of a search has no best candidate
        raise KeyboardInterrupt
    last = np.vstack([end.coef.T, end.intercept])[: shape[0]]
    points = [seen.points[k] if k < end.n_iter else last for k in counts.tolist()]
    return np.stack(points).transpose(2, 1, 0)


@final
class _Seen(Observer):
    """Keeps the points after some numbers of updates."""

    stride = 1  # a walk has the point of each update at hand, and of no earlier one

    def __init__(self, counts: np.ndarray) -> None:
        self._counts = set(counts.tolist())
        self.points: dict[float, np.ndarray] = {}

    def see(self, k: int, records: Records, path: Path) -> bool:
        if k in self._counts:
            self.points[k] = np.asarray(path.at(k))
        return False

    def end(self) -> None:
        pass
