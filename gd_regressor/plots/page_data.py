"""What the explorer's page knows: plain numbers and words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.random import sample_without_replacement

from gd_regressor.data.checks import as_table, as_targets, finite_floats
from gd_regressor.estimator.directions import INTERCEPT, direction_names
from gd_regressor.estimator.parameters import (
    check_integer,
    check_learning_rate,
    check_momentum,
    check_tol,
)
from gd_regressor.paths import LearningRateReport

DIGITS = 6  # of the rows that are only drawn
MOST_IN_MENU = 12  # columns; their pairs are what a menu can hold
MANY_DIRECTIONS = 50  # directions; beyond, those with no share in the loss are left out
NO_SHARE = 1e-18  # of the first loss: its root is rounding
FIRST_SHARE = 0.4  # of the limit: a rate that shows something
VIEWS = ("raw", "standardised")  # the units of the columns
MOST_UPDATES = 10**9  # that the slider can show
RIDGE = " The loss has a ridge, equally strong in both units of the columns: each has its minimum."


@dataclass(frozen=True)
class Beginning:
    """What the page shows first."""

    rate: float | None
    momentum: float
    n_iter: int
    tol: float
    columns: str

    def check(self) -> None:
        """Refuses what the page could not show."""
        if self.rate is not None:
            check_learning_rate(self.rate)
        check_momentum(self.momentum)
        check_tol(self.tol)
        if self.tol is None:
            raise ValueError("tol must be a number >= 0, got None; say how near.")
        check_integer("n_iter", self.n_iter, 0)
        if self.n_iter > MOST_UPDATES:
            raise ValueError(f"n_iter must be at most {MOST_UPDATES:,}, got {self.n_iter!r}.")
        if self.columns not in VIEWS:
            raise ValueError(f"columns must be one of {VIEWS}, got {self.columns!r}.")

    def as_state(self, report: LearningRateReport) -> dict[str, Any]:
        """The state of the page."""
        shown = report if self.columns == "raw" else report.standardised
        rate = FIRST_SHARE * shown.limit(self.momentum) if self.rate is None else float(self.rate)
        return {
            "rate": rate,
            "momentum": float(self.momentum),
            "k": int(self.n_iter),
            "columns": self.columns,
        }


@dataclass(frozen=True)
class Drawn:
    """The rows that the page draws."""

    X: np.ndarray  # (m, d), m <= max_points
    y: np.ndarray  # (m, t)
    n_rows: int  # of which they were chosen

    @classmethod
    def of(
        cls, report: LearningRateReport, X: Any, y: Any, max_points: Any, random_state: Any
    ) -> Drawn:
        """A sample of the rows, in their order."""
        check_integer("max_points", max_points, 0)
        d, t = len(report.feature_names), len(report.variance)
        if X is None or y is None:
            if X is not None or y is not None:
                raise ValueError("X and y must be given both, or neither; rows need their targets.")
            return cls(np.empty((0, d)), np.empty((0, t)), 0)
        table = as_table(X, estimator="DescentExplorer")
        targets = as_targets(y, estimator="DescentExplorer")
        n = table.shape[0]
        if table.shape[1] != d:
            raise ValueError(f"X must have the {d} columns of the report, got {table.shape[1]}.")
        if len(targets) != n or targets.size != n * t:
            raise ValueError(
                f"y must have {t} target{'s' if t > 1 else ''} for each of {n} rows of X, got "
                f"shape {targets.shape}."
            )
        chosen = np.arange(n)
        if n > max_points:  # without a permutation of all
            chosen = sample_without_replacement(n, max_points, random_state=random_state)
            chosen = np.sort(chosen)
        rows = table[chosen]
        rows = rows.toarray() if issparse(rows) else rows
        y = finite_floats("y", targets[chosen]).reshape(-1, t)
        return cls(finite_floats("X", rows), y, n)


def page_data(
    report: LearningRateReport,
    rows: Drawn,
    names: list[str],
    begin: Beginning,
    title: str | None,
) -> dict[str, Any]:
    """All that the page knows, as plain numbers and words."""
    d, columns = len(report.feature_names), report.feature_names
    parameters = [*columns, *([INTERCEPT] if report.fit_intercept else [])]
    what = columns[0] if d == 1 else f"{d} columns"
    count = f"{d} column{'s' if d > 1 else ''}"
    scaled = report.standardised
    size = f"{rows.n_rows:,} rows, {count}" if rows.n_rows else count
    held = RIDGE if report.has_ridge else ""
    return {
        "title": title or f"{', '.join(names)} from {what}",
        "subtitle": f"{size}. Every curve is exact: the page computes it "
        f"from {len(parameters)} eigenvalues and simulates nothing.{held}",
        "loss": "mean squared error and ridge" if report.has_ridge else "mean squared error",
        "columns": columns,
        "parameters": parameters,
        "targets": names,
        "intercept": report.fit_intercept,
        "tol": float(begin.tol),
        "set": begin.as_state(report),
        "means": report.landscape.means.tolist(),
        "scales": report.landscape.deviations.tolist(),
        "menu": _in_menus(scaled),
        "sample": {"X": _rounded(rows.X), "y": _rounded(rows.y)},
        "views": {"raw": _view(report, begin), "standardised": _view(scaled, begin)},
    }


def _view(report: LearningRateReport, begin: Beginning) -> dict[str, Any]:
    """The directions of the columns in one kind of units, and each target's start in them."""
    landscape = report.landscape
    modes, count = landscape.modes, landscape.start.shape[1]
    shown = np.ones(len(modes.singular), dtype=bool)
    if len(shown) > MANY_DIRECTIONS:
        share = (modes.residual**2).sum(axis=1)
        shown = share > NO_SHARE * share.sum()
    curvatures, vectors = modes.curvatures[shown], modes.vectors[:, shown]
    still = modes.still + modes.vectors[:, ~shown] @ modes.start[~shown]
    curved = curvatures[curvatures > 0]
    return {
        "condition": float(curved.max() / curved.min()),
        "ridge": [] if landscape.ridge is None else landscape.ridge.tolist(),
        "curvatures": curvatures.tolist(),
        "vectors": vectors.T.tolist(),
        "labels": direction_names(vectors, report.feature_names),
        "targets": [
            {
                "minimum": float(modes.minimum[t]),
                "variance": float(landscape.scales.variance[t]),
                "square": float(landscape.scales.square[t]),
                "centred": float(landscape.variance_about_mean[t]),
                "still": still[:, t].tolist(),
                "residual": modes.residual[shown, t].tolist(),
                "start": modes.start[shown, t].tolist(),
                "slope": (2 * modes.singular * modes.response[:, t])[shown].tolist(),
                **_best(
                    LearningRateReport(landscape.for_target(t), report.feature_names), begin.tol
                ),
            }
            for t in range(count)
        ],
    }


def _best(report: LearningRateReport, tol: float) -> dict[str, dict[str, float]]:
    """The settings that the page recommends for one target. It counts most updates itself."""
    best, (momentum, rate) = report.best_learning_rate, report.best_momentum
    fastest, fewest = report.fastest(tol)
    return {
        "best": {"rate": best},
        "fastest": {"rate": fastest, "needs": fewest},
        "heavy": {"rate": rate, "momentum": momentum},
    }


def _in_menus(report: LearningRateReport) -> list[int]:
    """The columns with the largest coefficients of standardised columns, and the intercept."""
    d = len(report.feature_names)
    size = np.abs(np.atleast_2d(report.coef)).max(axis=0)
    largest = np.argsort(-size, kind="stable")[: MOST_IN_MENU - report.fit_intercept]
    return [*sorted(map(int, largest)), *([d] if report.fit_intercept else [])]


def _rounded(rows: np.ndarray) -> list[list[float]]:
    """Numbers with so many digits, whole ones as integers: they are shorter."""
    if not rows.size:
        return [[] for _ in rows]
    # One format of all numbers, and JSON to read them, take a fifth of the time of one by one
    text = ",".join([f"%.{DIGITS}g"] * rows.size) % tuple(rows.ravel().tolist())
    short: list[float] = json.loads(f"[{text}]")
    if "e+" in text:  # a whole number, as JSON does not know
        short = [int(v) if abs(v) < 1e15 and v == int(v) else v for v in short]
    width = rows.shape[1]
    return [short[i : i + width] for i in range(0, rows.size, width)]


def target_names(given: Any, y: Any, report: LearningRateReport) -> list[str]:
    """Names of the targets: `given`, those of a frame or series, or y, y0, y1, ..."""
    count = len(np.atleast_2d(report.coef))
    names = [given] if isinstance(given, str) else given
    if names is None:
        known = getattr(y, "columns", [getattr(y, "name", None)])
        plain = ["y"] if count == 1 else [f"y{t}" for t in range(count)]
        return list(known) if len(known) == count and all(map(_is_name, known)) else plain
    names = [str(name) for name in names]
    if len(names) != count:
        raise ValueError(f"target_name must name {count} targets, got {names}.")
    return names


def _is_name(name: Any) -> bool:
    return isinstance(name, str)
