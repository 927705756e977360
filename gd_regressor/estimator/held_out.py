"""The rows that early stopping holds out: given by the user, or drawn from those of fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np

from gd_regressor.data.distributed import dask_rows, is_dask
from gd_regressor.data.inputs import rows_of, rows_of_block
from gd_regressor.data.table import Given, Rows, Table
from gd_regressor.descent.records import Request
from gd_regressor.estimator.arrays import validated
from gd_regressor.streams.stream import Stream
from gd_regressor.textbook.held_out import Losses, losses_by, losses_by_rho, losses_on


class Validation(NamedTuple):
    """What the user gives `fit` beside the rows to learn from."""

    X: Any = None
    y: Any = None
    sample_weight: Any = None

    def check(self, early_stopping: bool) -> None:
        """Refuse what is not complete, or would not be used."""
        if self.X is None and self.y is None and self.sample_weight is None:
            return
        for name, value in (("X_val", self.X), ("y_val", self.y)):
            if value is None:
                raise ValueError(
                    f"{name} is missing: X_val, y_val and sample_weight_val belong to the same "
                    "rows. Pass X_val and y_val, or none of the three."
                )
        if not early_stopping:
            raise ValueError(
                "X_val and y_val are rows for early stopping, and early_stopping=False ignores "
                "them; write early_stopping=True, or leave them out."
            )


def held_out_of(model: Any, table: Given, given: Validation, y_ndim: int) -> tuple[Given, Table]:
    """The rows to learn from, and those held out."""
    if given.X is None:
        return _drawn(table.check(), float(model.validation_fraction), model.random_state)
    with _named():
        return table, _given(model, table, given, y_ndim)


def losses_of(held: Table, request: Request) -> Losses:
    """The losses on held-out rows at the points of a descent."""
    fit_intercept = request.fit_intercept
    if request.rho is not None:
        return losses_by_rho(held, fit_intercept, request.rho)
    if held.is_elsewhere:
        start = np.zeros((held.n_columns, held.n_targets)), np.zeros(held.n_targets)
        landscape = Stream.of_table(held, 2).landscape(start, fit_intercept)
        return losses_by(landscape.triangle)
    return losses_on(cast(Rows, held), fit_intercept, request.max_iter)


def _drawn(table: Table, share: float, seed: Any) -> tuple[Table, Table]:
    """Draw rows as train_test_split does, from those that have weight.

    Weights of zero mark them: a copy of the other rows would need as much memory as X.
    """
    from sklearn.model_selection import train_test_split  # takes long to import

    used = table.have_weight
    where = np.flatnonzero(used)
    if len(where) < 2:
        raise ValueError(
            f"early_stopping=True needs two rows at least, one to learn from and one to hold out, "
            f"got {len(where)} with n_samples={len(used)}; pass more rows, or X_val and y_val, or "
            "write early_stopping=False."
        )
    try:
        _, held = train_test_split(where, test_size=share, random_state=seed)
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={share:g} of {len(where)} rows leaves none to learn from; write "
            "a smaller validation_fraction, or pass X_val and y_val."
        ) from error
    is_held = np.zeros(len(used), dtype=bool)
    is_held[held] = True
    return table.only(~is_held), table.only(is_held)


def _given(model: Any, table: Given, given: Validation, y_ndim: int) -> Table:
    if is_dask(given.X):
        rows = dask_rows(given.X, given.y, given.sample_weight, rows_of_block)
        n_dims = given.y.ndim
    else:
        X, y = validated(model, given.X, given.y, reset=False)
        rows, n_dims = rows_of(X, y, given.sample_weight), y.ndim
    mine, theirs = (table.n_columns, table.n_targets), (rows.n_columns, rows.n_targets)
    if mine != theirs or y_ndim != n_dims:
        raise ValueError(
            f"they must have the columns and targets of X and y: {mine[0]} columns, {mine[1]} "
            f"targets (y of {y_ndim} dimensions), got {theirs[0]} columns, {theirs[1]} targets "
            f"(y of {n_dims} dimensions)."
        )
    return rows


@contextmanager
def _named() -> Iterator[None]:
    """Say that an error is one of the held-out rows."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"X_val and y_val: {error}") from error
