"""The text of the report: the data, the descent, the model, and other estimators beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.preprocessing import StandardScaler

from gd_regressor.command.peers import Judge, peers
from gd_regressor.command.tables import POINTS, Problem, printable
from gd_regressor.command.words import in_shell_words
from gd_regressor.comparison import (
    ROWS_PER_FOLD,
    TEXTBOOK_UPDATES,
    Objective,
    automatic,
    cells,
    direct,
    measured,
    scaled,
    stochastic,
    textbook,
)
from gd_regressor.estimator.shown import penalty_in_words, so_many, unit_of
from gd_regressor.estimator.tables import Row, text_table
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.losses import SQUARED, mean_in_words

WIDTH = 92  # characters of a line of prose
MOST_COEFFICIENTS = 30  # one screen
FOLDS = 5
# Parameters of losses, and what the report writes before them
PARTS_IN_WORDS = {"quantile": "of", "delta": "with", "epsilon": "with"}


def descent_of(model: RegressorMixin) -> RegressorMixin:
    """The GDLinearRegressor inside scalers of columns and target; the fitted one, if fitted."""
    return unwrapped(model).model


def fit_report(problem: Problem, model: RegressorMixin, chosen: str = "") -> str:
    """The report of one fit, with or without scalers around the descent.

    `chosen` says how its alpha was chosen, if it was.
    """
    title = "gd_regressor: linear regression by gradient descent"
    parts = title, _data(problem), _descent(problem, model, chosen), _coefficients(problem, model)
    return "\n\n".join(parts)


def comparison(problem: Problem, model: RegressorMixin, *, chosen: bool = False) -> str:
    """The model beside other estimators, on the same rows and folds.

    `chosen` says whether its alpha was chosen on these rows.
    """
    n_folds = FOLDS if len(problem.y) >= ROWS_PER_FOLD * FOLDS else 0
    judge = _judge(problem, model)
    lines = [
        cells(measured(name, one, problem.X, problem.y, n_folds, judge=judge), _number)
        for name, one in _contestants(problem, model).items()
    ]
    notes = _notes(model, n_folds)
    if chosen:
        notes += " The first row's alpha was chosen on all rows, which flatters its R² a little."
    if any("!" in iterations for *_, iterations, _ in lines):
        notes += " (!) stopped before it converged."
    head = ("Beside other estimators", "R² (sd)", "training loss", "iterations", "fit time")
    return f"{_grid([head, *lines])}\n{textwrap.fill(notes, WIDTH)}"


def _notes(model: RegressorMixin, n_folds: int) -> str:
    """What the columns of the comparison mean."""
    notes = f"R²: mean (deviation) over {FOLDS} shuffled folds, the same for each estimator. "
    if not n_folds:
        notes = f"R² is not cross-validated with fewer than {ROWS_PER_FOLD * FOLDS} rows. "
    notes += (
        f"Training loss: {mean_in_words(descent_of(model).loss)} in original units. Iterations: "
        "for SGDRegressor, passes over the rows. Fit time: median of these fits, scaling included."
    )
    descent, held = descent_of(model), _objective(descent_of(model)).is_penalised
    if descent.loss != SQUARED:
        return notes + " LinearRegression makes the squared error small instead."
    if descent.alpha:
        notes += " All have the same penalty, which the training loss leaves out."
    if held and model is descent:
        notes += (
            " (A penalty belongs to the units of the columns. --standardize compares stochastic "
            "and textbook descents, too, which need such units.)"
        )
    elif descent.learning_rate == "auto":
        notes += (
            " The textbook row's rate is the largest power of ten at most half its stability "
            f"limit, with at most {TEXTBOOK_UPDATES:,} updates."
        )
    return notes


def _data(problem: Problem) -> str:
    table, n_used = problem.table, problem.n_used
    rows = f"{n_used:,} used, {table.n_rows - n_used:,} left out for a missing value"
    once = ", read once and not held" if table.streamed else ""
    return _entries(
        ("Data", f"{table.source}: {table.n_rows:,} rows, {len(table.columns):,} columns{once}"),
        ("Target", problem.target),
        ("Features", f"{len(problem.names)}: {', '.join(problem.names)}"),
        ("Left out", _left_out(problem.left_out)),
        ("Rows", problem.holes and f"{rows}: {problem.holes}"),
    )


def _left_out(reasons: dict[str, str]) -> str:
    """Columns left out, with reasons: none for text, one for all columns with commas."""
    commas = dict.fromkeys(n for n, reason in reasons.items() if reason.endswith(POINTS))
    commas = commas if len(commas) > 1 else {}
    groups = [
        ", ".join(
            name if reason.startswith("text") else f"{name} ({reason})"
            for name, reason in reasons.items()
            if name not in commas
        ),
        commas and f"{len(commas)} columns with commas in numbers {POINTS}: {', '.join(commas)}",
    ]
    return "; ".join(filter(None, groups))


def _descent(problem: Problem, model: RegressorMixin, chosen: str) -> str:
    descent = descent_of(model)
    how = f"learning rate {descent.learning_rate}"
    how += f", momentum {descent.momentum}" if descent.momentum else ""
    how += "" if descent.batch_size is None else f", batches of {_batch(descent.batch_size)}"
    how += "" if descent.fit_intercept else ", no intercept"
    units = "columns as they are"
    if model is not descent:
        units = "columns and target standardised (mean 0, deviation 1)"
    limit = getattr(descent, "max_learning_rate_", None)
    said = in_shell_words(descent.message_, problem.names)
    return _entries(
        ("Descent", f"{how}; {units}"),
        ("", limit and f"(stable below a learning rate of {limit:.4g})"),
        ("Loss", "" if descent.loss == SQUARED else _loss(descent)),
        ("Penalty" if penalty_in_words(descent) else "Certificate", _gap(descent)),
        ("Chosen", chosen),
        (_iterations(descent), f"{descent.n_iter_:,} of at most {descent.max_iter:,}"),
        ("Status", f"{descent.status_.name.lower()}: {said[0].lower()}{said[1:]}"),
    )


def _loss(descent: Any) -> str:
    """What a residual costs, and what was found of outliers, in units of the descent."""
    told = mean_in_words(descent.loss).removeprefix("mean ")
    for part, link in PARTS_IN_WORDS.items():
        if hasattr(descent.loss, part):
            told += f" {link} {part} {getattr(descent.loss, part):g}"
    if (scale := getattr(descent, "scale_", None)) is not None:
        n_outliers = np.count_nonzero(descent.outliers_)
        told += f", scale {scale:.4g}; {n_outliers:,} rows are outliers, beyond 1.35 of it"
    return told


def _batch(size: float) -> str:
    return f"{size} rows" if isinstance(size, int) else f"{100 * size:g} % of the rows"


def _iterations(descent: Any) -> str:
    return "Iterations" if descent.batch_size is None else "Epochs"


def _gap(descent: RegressorMixin) -> str:
    """The penalty in words, and how near the loss is to its minimum, where it is known."""
    gap = getattr(descent, "dual_gap_", None)
    if gap is None:
        return ""
    told = [penalty_in_words(descent), f"duality gap {gap:.2g}"]
    return "; ".join(filter(None, told))


def _coefficients(problem: Problem, model: RegressorMixin) -> str:
    """Coefficients and losses. Of more than MOST_COEFFICIENTS we show the largest."""
    descent, names = descent_of(model), problem.names
    original, standardised = _in_both_units(problem, model)
    largest = np.argsort(-np.abs(standardised[0]), kind="stable")[:MOST_COEFFICIENTS]
    start, end = descent.loss_curve_[[0, -1]]
    updates = so_many(descent.n_iter_, unit_of(descent).removesuffix("s"))
    measures = [
        *((names[j], original[0][j], standardised[0][j]) for j in sorted(largest)),
        ("(intercept)", original[1], standardised[1]),
        ("at the start", start * original[2], start * standardised[2]),
        (f"at the end ({updates})", end * original[2], end * standardised[2]),
    ]
    rows = [(name, _number(left), _fixed(right)) for name, left, right in measures]
    units = ("original units", "standardised")
    held = " and penalty" if descent.alpha else ""
    loss_head = [("", "", ""), (f"Loss ({mean_in_words(descent.loss)}{held})", *units)]
    text = _grid([("Coefficient", *units), *rows[:-2], *loss_head, *rows[-2:]])
    if len(names) > MOST_COEFFICIENTS:
        text += f"\nThe {MOST_COEFFICIENTS} largest of {len(names)}, in the order of the table."
    if model is not descent and not descent.fit_intercept:
        text += "\nWithout an intercept on standardised data the model goes through the means."
    return text


def _in_both_units(problem: Problem, model: RegressorMixin):
    """(coefficients, intercept, unit of the loss), in original and in standardised units.

    The units differ by x = mean + sd * x_standardised, and likewise for y. A constant column or
    target keeps its unit, as in StandardScaler.
    """
    x, y = StandardScaler().fit(problem.X), StandardScaler().fit(problem.y[:, None])
    y_mean, y_sd = y.mean_[0], y.scale_[0]
    descent = descent_of(model)
    w, b, power = descent.coef_, descent.intercept_, _judge(problem, model).power
    if model is descent:
        intercept = (b + w @ x.mean_ - y_mean) / y_sd
        return (w, b, 1.0), (w * x.scale_ / y_sd, intercept, y_sd**-power)
    original, intercept = in_original_units(problem, w, b)
    return (original, intercept, y_sd**power), (w, b, 1.0)


def in_original_units(problem: Problem, w: np.ndarray, b: Any) -> tuple[np.ndarray, Any]:
    """Coefficients (d, ...) and intercepts (...) of standardised data, in units of the table."""
    x, y = StandardScaler().fit(problem.X), StandardScaler().fit(problem.y[:, None])
    original = (w.T * y.scale_[0] / x.scale_).T
    return original, y.mean_[0] + y.scale_[0] * b - x.mean_ @ original


def _contestants(problem: Problem, model: RegressorMixin) -> dict[str, RegressorMixin]:
    """Unfitted estimators by label: the asked one, the other mode, and two of scikit-learn."""
    descent, asked = descent_of(model), clone(model)
    descent_of(asked).verbose = 0
    objective, was_automatic = _objective(descent), descent.learning_rate == "auto"
    scalers = "" if model is descent else "StandardScaler (x, y) + "
    found = {f"{scalers}GDLinearRegressor {descent.learning_rate}": asked}
    if descent.loss != SQUARED:
        others = peers(descent.loss, objective, len(problem.y), raw=model is descent)
        return found | {f"{scalers}{name}": _behind(model, one) for name, one in others.items()}
    if not objective.is_penalised:
        other = automatic(objective)
        if was_automatic:
            other = scaled(textbook(problem.X, problem.y, objective))
        return {**found, **other, **direct(objective), **scaled(stochastic(objective))}
    # A penalty belongs to the units of the columns, so all get those of the model. The columns as
    # they are would be too much for a textbook's descent, and for a stochastic one
    others = direct(objective)
    if not was_automatic:
        others = {**automatic(objective), **others}
    if model is not descent:
        other = textbook(problem.X, problem.y, objective) if was_automatic else {}
        others = {**other, **others, **stochastic(objective)}
    return found | {f"{scalers}{name}": _behind(model, one) for name, one in others.items()}


def _judge(problem: Problem, model: RegressorMixin) -> Judge:
    """The loss of the descent, of residuals in the units of the table."""
    descent = descent_of(model)
    unit = 1.0 if model is descent else StandardScaler().fit(problem.y[:, None]).scale_[0]
    return Judge(descent.loss, float(unit))


def _objective(descent: Any) -> Objective:
    return Objective(descent.fit_intercept, descent.alpha, descent.l1_ratio, descent.positive)


def _behind(model: Any, estimator: RegressorMixin) -> RegressorMixin:
    """An estimator with the scalers that the model has in front of its descent."""
    if model is descent_of(model):
        return estimator
    same = clone(model)
    same.regressor.steps[-1] = ("estimator", estimator)
    return same


def _entries(*pairs: tuple[str, str | None]) -> str:
    """Labelled texts, each wrapped under itself. We leave out empty texts."""
    wrapper = textwrap.TextWrapper(
        WIDTH, subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False
    )
    lines = (f"{label:<12}{printable(text)}" for label, text in pairs if text)
    return "\n".join(map(wrapper.fill, lines))


def _grid(rows: Iterable[Row]) -> str:
    """Rows of cells as text that is safe to print."""
    return text_table([list(map(printable, row)) for row in rows])


def _number(value: float) -> str:
    """A number of any size to six digits."""
    return f"{value:,.0f}" if 1e6 <= abs(value) < 1e9 else f"{value:#,.6g}".rstrip(".")


def _fixed(value: float) -> str:
    """A number of order one to six decimals: rounding noise shows as zero, without a sign."""
    return f"{value:z.6f}" if abs(value) < 1e6 else _number(value)
