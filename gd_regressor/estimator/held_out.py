"""The rows that early stopping holds out: given by the user, or drawn from those of fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.data.distributed import dask_rows, is_dask
from gd_regressor.data.inputs import rows_of, rows_of_block
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Rows, Table
from gd_regressor.descent.records import Request
from gd_regressor.estimator.arrays import held_out_arrays
from gd_regressor.losses import rho_of, targets_for
from gd_regressor.objective.frame import scales_of
from gd_regressor.objective.robust import ScaledHuber
from gd_regressor.streams.stream import Stream
from gd_regressor.textbook.held_out import (
    Losses,
    losses_at_best_scale,
    losses_by,
    losses_by_rho,
    losses_on,
)


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


@frozen
class Judge:
    """Held-out rows by which a callback judges models, as a descent judges its updates."""

    losses: Losses
    unit: np.ndarray  # (t,): V, of the targets that the models learn

    @classmethod
    def of(cls, model: Any, y: Any, sample_weight: Any, given: Validation) -> Judge:
        """The judge of a fit to `y`, from one of its models: it tells the columns and targets."""
        t, d = np.atleast_2d(model.coef_).shape
        with _named():
            held = _given(model, (d, t), given, model.coef_.ndim)
        rho, fit_intercept = rho_of(model.loss), bool(model.fit_intercept)
        targets = targets_for(model.loss, np.asarray(y))
        moments = Moments.of(np.zeros((len(targets), 1)), targets, sample_weight)
        scales = scales_of(moments, fit_intercept).of_power(2 if rho is None else rho.power)
        request = Request(fit_intercept, int(model.max_iter), None, rho=rho)
        return cls(losses_of(held, request), scales.variance)

    def __call__(self, model: Any) -> tuple[float, float]:
        """The mean over the targets of their losses, and the same in units of V."""
        theta = np.atleast_2d(model.coef_).T.astype(np.float64)
        if model.fit_intercept:
            theta = np.vstack((theta, model.intercept_))
        losses = self.losses(theta[None])[0]
        return float(losses.mean()), float((losses / self.unit).mean())


def held_out_of(model: Any, table: Given, given: Validation, y_ndim: int) -> tuple[Given, Table]:
    """The rows to learn from, and those held out."""
    if given.X is None:
        return _drawn(table.check(), float(model.validation_fraction), model.random_state)
    with _named():
        return table, _given(model, (table.n_columns, table.n_targets), given, y_ndim)


def losses_of(held: Table, request: Request) -> Losses:
    """The losses on held-out rows at the points of a descent."""
    fit_intercept, rho = request.fit_intercept, request.rho
    if rho is not None and rho.scaled:
        return losses_at_best_scale(held, fit_intercept, cast(ScaledHuber, rho))
    if rho is not None:
        return losses_by_rho(held, fit_intercept, rho)
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


def _given(model: Any, mine: tuple[int, int], given: Validation, y_ndim: int) -> Table:
    """The rows of the user's own, of as many columns and targets as those to learn from."""
    if is_dask(given.X):
        rows = dask_rows(given.X, given.y, given.sample_weight, rows_of_block)
        n_dims = given.y.ndim
    else:
        X, y = held_out_arrays(model, given.X, given.y)
        y = targets_for(model.loss, y)
        rows, n_dims = rows_of(X, y, given.sample_weight), y.ndim
    theirs = (rows.n_columns, rows.n_targets)
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
