"""Words for the directions of a descent, and the report of it as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gd_regressor.estimator.tables import Row, count, number, of_variance, share

INTERCEPT = "intercept"  # a direction's name for the last coordinate
# The second column of a direction is named where its share is at least so many times the first's
SECOND = 0.25
MOST_SHOWN = 12  # directions: half a screen
TOL = 1e-6  # of the counts that are shown
# They end where the loss is at most so much of the variance of y above its minimum
NEEDED = f"  updates to within {TOL:g} of var(y)"


def direction_names(vectors: np.ndarray, columns: Sequence[str]) -> list[str]:
    """For each direction (p, m) the one or two columns that it mostly is, as in "a - b"."""
    parts = [*columns, INTERCEPT]
    names = []
    for vector in vectors.T:
        order = np.argsort(-np.abs(vector), kind="stable")[:2]
        name = parts[order[0]]
        if len(order) > 1 and vector[order[1]] ** 2 >= SECOND * vector[order[0]] ** 2:
            sign = "+" if vector[order[0]] * vector[order[1]] > 0 else "-"
            name = f"{name} {sign} {parts[order[1]]}"
        names.append(name)
    return names


def columns_counted(names: Sequence[str]) -> str:
    """Their number in words, as in "1 column"."""
    return f"{len(names)} column{'' if len(names) == 1 else 's'}"


def report_tables(report: Any) -> list[tuple[str, list[Row]]]:
    """The tables of a `LearningRateReport`, each with its title."""
    sides = {"columns as they are": report, "standardised": report.standardised}
    # Those of a pipeline are so already: nothing to compare
    if np.allclose(*(one.curvatures for one in sides.values()), rtol=1e-6):
        del sides["standardised"]
    numbers = _merged(map(_numbers, sides.values()))
    title = f"Learning rates for {columns_counted(report.feature_names)}"
    title += " with a ridge" if report.has_ridge else ""
    tables: list[tuple[str, list[Row]]] = [(title, [["", *sides], *numbers])]
    if report.setting is not None:
        tables.append(("This estimator", _setting_rows(report)))
    tables += [(f"Directions, {units}", _direction_rows(one)) for units, one in sides.items()]
    return tables


def _merged(sides: Iterable[list[tuple[str, str]]]) -> Iterator[Row]:
    """One row for each label, with the values of all sides."""
    for cells in zip(*sides, strict=True):
        yield [cells[0][0], *(value for _, value in cells)]


def _numbers(report: Any) -> list[tuple[str, str]]:
    momentum, rate = report.best_momentum
    fastest, fewest = report.fastest(TOL)
    best = report.best_learning_rate
    return [
        ("largest curvature L", number(report.largest_curvature)),
        ("smallest curvature mu", number(report.smallest_curvature)),
        ("condition number L / mu", number(report.condition_number)),
        ("limit of the rate, 2 / L", number(report.limit())),
        ("limit set mostly by", report.steepest_column),
        ("best guaranteed rate, 2 / (L + mu)", number(best)),
        (NEEDED, count(report.needs(best, 0.0, TOL)) if best < np.inf else "0"),
        ("fastest rate on these data", number(fastest)),
        (NEEDED, count(fewest)),
        ("best momentum", share(momentum)),
        ("  with the rate", number(rate)),
        (NEEDED, count(report.needs(rate, momentum, TOL)) if rate < np.inf else "0"),
    ]


def _setting_rows(report: Any) -> list[Row]:
    rate, momentum, tol = report.setting
    limit = report.limit(momentum)
    rows: list[Row] = [
        ("", ""),
        ("learning rate", number(rate)),
        ("momentum", share(momentum)),
        ("share of the limit", f"{rate / limit:.0%}"),
    ]
    if tol is not None:
        stop = report.stops_after(rate, momentum, tol)
        rows.append((f"updates until tol={tol:g} stops it", count(stop)))
        if stop < np.inf:
            above = (report.losses(rate, momentum, [stop])[0] - report.minimum_loss) / np.mean(
                report.variance
            )
            rows.append(("  then above the minimum", of_variance(above)))
    rows.append((NEEDED.strip(), count(report.needs(*report.setting[:2], TOL))))
    if (end := report.diverges_after(rate, momentum)) < np.inf:
        rows.append(("updates until it has diverged", count(end)))
    return rows


def _direction_rows(report: Any) -> list[Row]:
    rows: list[Row] = [("direction", "curvature", "loss above the minimum at the start")]
    shown = list(zip(report.directions, report.curvatures, report.excess, strict=True))
    left_out = len(shown) - MOST_SHOWN
    if left_out > 0:
        shown = sorted(shown, key=lambda row: -row[2])[:MOST_SHOWN]
        shown.sort(key=lambda row: -row[1])
    rows += [(name, number(curvature), number(excess)) for name, curvature, excess in shown]
    if left_out > 0:
        rows.append((f"({left_out} more, which add less)", "", ""))
    return rows
