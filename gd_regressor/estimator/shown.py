"""What a fitted estimator shows of itself in a notebook: the fit in plain words, as HTML."""

from __future__ import annotations

import html
import math
from numbers import Real
from typing import Any

import numpy as np

from gd_regressor.estimator.tables import number, so_many

# What a fit writes last. Where one is missing, there was no fit, or a stream without an end
WRITTEN = ("coef_", "n_iter_", "loss_curve_", "status_")
# The values of `metric_`, as parts of a sentence
SOURCES = {
    "moments": "the products of the columns",
    "sketch": "the products of a sketch of the rows",
    "qr": "a QR factorisation of the rows",
    "dual": "the space that the rows span, because columns are more",
    "scaled": "the variances of the columns",
    "working sets": "the products of the columns that the penalty leaves in use",
}
# Inline, because a rule in a <style> would reach the page around us. Colours are the page's own,
# so they suit a light page and a dark one
LIST = (
    "display:grid;grid-template-columns:minmax(0,max-content) minmax(0,1fr);gap:0.25em 1em;"
    "margin:0.75em 0.25em;max-width:56em;text-align:left;font-size:0.9em;line-height:1.4"
)
TERM = "margin:0;font-weight:600"
TOLD = "margin:0;overflow-wrap:anywhere"


def fit_as_html(model: Any) -> str:
    """The fit of an estimator in words, as HTML; nothing where it is not fitted."""
    pairs = "".join(
        f'<dt style="{TERM}">{html.escape(name)}</dt><dd style="{TOLD}">{html.escape(told)}</dd>'
        for name, told in fit_in_words(model)
    )
    return pairs and f'<dl class="gd-regressor-fit" style="{LIST}">{pairs}</dl>'


def fit_in_words(model: Any) -> list[tuple[str, str]]:
    """What is known of a fit, each with its name."""
    known = vars(model)
    if not all(name in known for name in WRITTEN):
        return []
    return [
        ("Status", str(known.get("message_", model.status_))),
        (unit_of(model).capitalize(), f"{model.n_iter_:,}"),
        ("Loss", _losses(model)),
        *_penalty(model),
        *_minimum(model.loss_curve_[-1], known.get("minimum_loss_", math.nan)),
        *_rate(model.learning_rate, known.get("max_learning_rate_")),
        *_columns(model),
        *_stream(known.get("stream_")),
    ]


def unit_of(model: Any) -> str:
    """What `n_iter_` counts; an older model knows no mini-batches."""
    return "updates" if getattr(model, "batch_size", None) is None else "epochs"


def penalty_in_words(model: Any) -> str:
    """What holds the coefficients of an estimator back. Its parameters may be of any kind."""
    alpha, ratio = (_in_figures(value) for value in (model.alpha, model.l1_ratio))
    parts = [f"alpha {alpha}, l1_ratio {ratio}"] if _is_held(model) else []
    parts += [] if model.penalty_weights is None else ["a weight for each column"]
    parts += ["coefficients at or above zero"] if model.positive is True else []
    return ", ".join(parts)


def _is_held(model: Any) -> bool:
    return bool(np.any(np.asarray(model.alpha) != 0))


def _in_figures(value: Any) -> str:
    return number(float(value)) if isinstance(value, Real) else str(value)


def _penalty(model: Any) -> list[tuple[str, str]]:
    gap = vars(model).get("dual_gap_")
    if gap is None:
        return []
    told = [penalty_in_words(model)]
    zero, size = np.sum(model.coef_ == 0), np.size(model.coef_)
    told += [f"{zero:,} of {so_many(size, 'coefficient')} are zero"] if zero else []
    gap = f"duality gap at most {number(float(np.max(gap)))}"
    return [("Penalty", "; ".join([*filter(None, told), gap]))]


def _losses(model: Any) -> str:
    first, last = model.loss_curve_[[0, -1]]
    told = f"{number(first)} at the start"
    told += f", {number(last)} at the end" if model.n_iter_ else ""
    told += ", with the penalty" if "dual_gap_" in vars(model) and _is_held(model) else ""
    targets = np.ndim(model.coef_) > 1 and len(model.coef_)
    return f"{told} (the mean over {targets} targets)" if targets else told


def _minimum(last: float, minimum: float) -> list[tuple[str, str]]:
    if math.isnan(minimum):
        return []
    above = max(last - minimum, 0.0)
    return [("Smallest loss", f"{number(minimum)}; the last loss is {number(above)} above it")]


def _rate(rate: Any, limit: float | None) -> list[tuple[str, str]]:
    """A rate beside its limit. A parameter may have changed since the fit, so it may be any."""
    if limit is None:
        return []
    if math.isinf(limit):
        return [("Learning rate", f"{rate}; any rate is stable, because all columns are zero")]
    told = f"{rate}; the descent is stable below {number(limit)}"
    if isinstance(rate, Real):
        share = float(rate) / limit
        part = f"{100 * share:.3g} % of" if share < 10 else f"{number(share)} times"
        told = f"{number(float(rate))}, which is {part} the limit {number(limit)}"
        told += "" if share < 1 else ": the loss need not fall"
    return [("Learning rate", told)]


def _columns(model: Any) -> list[tuple[str, str]]:
    """What "auto" found out about the columns, and the metric it chose."""
    known, told = vars(model), []
    condition, rank, metric = (known.get(f"{n}_") for n in ("condition_number", "rank", "metric"))
    if condition is not None:
        size = "cannot be told" if math.isinf(condition) else number(condition)
        told.append(("Condition number", f"{size}, of the scaled columns"))
    if rank is not None:
        n_columns = known.get("n_features_in_", np.shape(model.coef_)[-1])
        told.append(("Rank", f"{rank:,} of {n_columns:,} columns do not depend on others"))
    if metric is not None:
        told.append(("Metric", f"{metric}: it comes from {SOURCES.get(metric, 'the data')}"))
    return told


def _stream(stream: Any) -> list[tuple[str, str]]:
    if stream is None:
        return []
    chunks = so_many(stream.n_batches, "chunk")
    return [("Stream", f"the rows came in {chunks}, which the model does not hold")]
