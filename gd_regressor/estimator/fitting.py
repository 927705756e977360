"""The one dispatch: the learning rate and the kind of data decide which wing descends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np

from gd_regressor.arithmetic.threads import limited
from gd_regressor.auto.follow import follow_auto, follow_auto_batches
from gd_regressor.data.table import Given, Rows, Table
from gd_regressor.data.unchecked import Unchecked
from gd_regressor.descent.epochs import Underway
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import HeldRows, Request, Result, Start
from gd_regressor.descent.steps import ConstantStep, TextbookStep
from gd_regressor.estimator.compatibility import check_loss_elsewhere, refusal
from gd_regressor.estimator.held_out import losses_of
from gd_regressor.estimator.parameters import Asked
from gd_regressor.objective.on_batches import Batching
from gd_regressor.streams.stream import Stream
from gd_regressor.textbook.epochs import follow_batches, pass_over
from gd_regressor.textbook.follow import follow_textbook
from gd_regressor.textbook.landscape import Landscape
from gd_regressor.textbook.robust import follow_robust

# BLAS shares no product of "auto" among its threads if a table has at most UNSHARED entries, and
# more rows than columns or at most UNSHARED_COLUMNS
UNSHARED, UNSHARED_COLUMNS = 1 << 12, 25
MOST_DIRECTIONS = 1000  # whose decomposition takes some ten seconds


def fit_table(table: Given, start: Start, asked: Asked, held: Table | None = None) -> Result:
    """Descend on rows that can be read again, until it no longer helps rows `held` out."""
    asked_for = asked.request_for(table)
    step, observers = _step_of(asked), asked.observers_for(asked_for)

    def follow() -> Result:
        request = asked_for
        if held is not None and asked.patience is not None:
            request = request._replace(held=HeldRows(losses_of(held, request), asked.patience))
        if asked.batching is not None:
            return _in_batches(table, step, asked.batching, start, request, observers)
        if step is None:
            if table.is_elsewhere and request.rho is not None:
                check_loss_elsewhere(request.rho)
            return follow_auto(table, start, request, observers)
        if request.rho is not None:
            return follow_robust(table, step, start, request, observers)
        if table.is_elsewhere:
            kept = Stream.of_table(table.check(), 2)
            return kept.follow_textbook(step, start, request, observers)
        # A table that is not elsewhere is in memory, or mapped into memory
        return follow_textbook(cast(Rows | Unchecked, table), step, start, request, observers)

    return _with_limit(follow, table, asked)


def _in_batches(
    table: Given,
    step: TextbookStep | None,
    batching: Batching,
    start: Start,
    request: Request,
    observers: Sequence[Observer],
) -> Result:
    if table.is_elsewhere:
        raise ValueError(refusal("a Dask collection", "dask", "batches"))
    rows = cast(Rows | Unchecked, table)
    if step is None:
        return follow_auto_batches(rows, batching, start, request, observers)
    return follow_batches(rows, step, batching, start, request, observers)


def fit_chunk(
    rows: Rows, start: Start, before: Underway | None, asked: Asked
) -> tuple[Result, Underway]:
    """One pass of small updates over a chunk, from where the chunks before have led."""
    step, batching = cast(TextbookStep, asked.step), cast(Batching, asked.batching)
    request, after = asked.request_for(rows), []

    def follow() -> Result:
        result, state = pass_over(rows, step, batching, start, before, request)
        after.append(state)
        return result

    return _with_limit(follow, rows, asked), after[0]


def fit_stream(stream: Stream, start: Start, asked: Asked) -> Result:
    """Descend on what a stream keeps of its rows."""
    request = asked.request_for(stream)
    step, observers = _step_of(asked), asked.observers_for(request)

    def follow() -> Result:
        if step is None:
            return stream.follow_auto(start, request, observers)
        return stream.follow_textbook(step, start, request, observers)

    return _with_limit(follow, stream, asked)


def _step_of(asked: Asked) -> TextbookStep | None:
    """That of the descent. For no updates any will do: the start is known without a metric."""
    unmoved = not asked.request.max_iter and asked.request.rho is None
    return ConstantStep(1.0) if asked.step is None and unmoved else asked.step


def landscape_of(
    table: Given, start: Start, fit_intercept: bool, ridge: np.ndarray | None = None
) -> Landscape:
    """The loss of rows, with a `ridge` (d,) or without, for any textbook descent from the start."""
    _check_width(table)

    def land() -> Landscape:
        if table.is_elsewhere:
            return Stream.of_table(table.check(), 2).landscape(start, fit_intercept)
        return Landscape.of_rows(cast(Rows | Unchecked, table), start, fit_intercept)

    return _landed(land, ridge)


def landscape_of_stream(
    stream: Stream, start: Start, fit_intercept: bool, ridge: np.ndarray | None = None
) -> Landscape:
    """The same of what is kept of rows that came once."""
    _check_width(stream)
    return _landed(lambda: stream.landscape(start, fit_intercept), ridge)


def _check_width(data: Given | Stream) -> None:
    d = data.n_columns
    if d > MOST_DIRECTIONS:
        raise ValueError(
            f"X has {d} columns: a report decomposes a matrix with a row and a column for each, of "
            f"up to {MOST_DIRECTIONS}; choose columns, or ask gd_path for the iterates of one rate."
        )


def _landed(land: Callable[[], Landscape], ridge: np.ndarray | None) -> Landscape:
    def decomposed() -> Landscape:
        landscape = replace(land(), ridge=ridge)
        _ = landscape.modes, landscape.standardised.modes  # while BLAS has one thread
        return landscape

    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return limited(lambda _: decomposed())


def _with_limit(follow: Callable[[], Result], data: Given | Stream, asked: Asked) -> Result:
    """Call `follow`, with BLAS at one thread if BLAS would share products among its threads.

    A limit takes time, so tiny fits have none.
    """
    if asked.verbose is not None:
        n_rows = data.size // data.n_columns  # a stream reads none
        follow = partial(asked.verbose.counting, follow, n_rows)
    # With a number as learning_rate the SVD, and products over thousands of updates, are shared
    shared = _step_of(asked) is not None or data.size > UNSHARED
    shared = shared or (data.n_columns > UNSHARED_COLUMNS and data.size <= data.n_columns**2)
    # The bounds of divergence, and the check of the coefficients, see what overflows
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        result = limited(lambda _: follow()) if shared else follow()
    rho, penalties = asked.request.rho, asked.penalties
    if rho is not None and asked.step is None:
        result = result._replace(dual_gaps=result.gaps / rho.factor)
    elif asked.step is None and asked.batching is not None:
        pass  # an estimate is no bound
    elif rho is None and penalties is not None and not penalties.are_zero:
        result = result._replace(dual_gaps=result.gaps / 2)
    if asked.step is None:  # what belongs to a number as learning_rate
        return result._replace(of_step=None)
    return result
