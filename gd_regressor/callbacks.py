"""Callbacks for `GDLinearRegressor.set_callbacks`: EarlyStopping, Checkpoint and History."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from gd_regressor.data.kinds import MatrixLike
from gd_regressor.estimator.callbacks import BELOW
from gd_regressor.estimator.held_out import Judge, Validation
from gd_regressor.estimator.parameters import check_bool, check_integer, check_tol

__all__ = ["Checkpoint", "EarlyStopping", "History"]


class _Afterwards:
    """A callback that looks at updates when they are over."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing is to do before an update."""


@final
class EarlyStopping(_Afterwards):
    """Ends a descent that predicts other rows no better.

    It works like ``early_stopping=True``, but makes a model of each update, and the estimator keeps
    its last update. `best_estimator_` is the model after the best one. With its parameter
    `early_stopping` a fit is faster and keeps the best; this callback works with
    ``learning_rate="auto"`` as well.

    Rows are judged by the `loss` of the estimator: its mean over the rows, without the penalty.
    Several targets, or several quantiles, count in units of V. This is the variance of y, or its
    deviation for a loss in units of y: `Quantile`, `EpsilonInsensitive` and ``Huber()``. The last
    one estimates a scale. Here it takes the best scale for the held-out rows.

    Parameters
    ----------
    X_val : {array-like, sparse matrix, Dask collection} of shape (n_val, n_features)
        The rows to predict.
    y_val : array-like of shape (n_val,) or (n_val, n_targets)
        Their targets.
    patience : int, default=5
        The descent ends after so many updates in a row of which none was better than the best
        before.
    tol : float, default=0.0
        Better means a mean loss that is lower by more than `tol` times V.
    sample_weight_val : array-like of shape (n_val,), default=None
        Their weights.

    Attributes
    ----------
    best_estimator_ : estimator
        The model after the best update of the last fit.
    best_n_iter_ : int
        The number of that update. 0 stands for no update at all.
    curve_ : ndarray
        The mean loss of the rows after 1, 2, ... updates, as in `validation_curve_`.

    Examples
    --------
    >>> from gd_regressor import GDLinearRegressor
    >>> from gd_regressor.callbacks import EarlyStopping
    >>> stopping = EarlyStopping([[1.0], [2.0]], [0.6, 1.2], patience=2)
    >>> model = GDLinearRegressor(0.1, fit_intercept=False).set_callbacks(stopping)
    >>> model = model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    >>> print(model.status_.name, model.n_iter_, stopping.best_n_iter_, stopping.curve_.round(2))
    STOPPED 4 2 [0.18 0.   0.03 0.1 ]
    """

    best_estimator_: Any
    best_n_iter_: int
    curve_: np.ndarray

    def __init__(
        self,
        X_val: MatrixLike,
        y_val: ArrayLike,
        patience: int = 5,
        *,
        tol: float = 0.0,
        sample_weight_val: ArrayLike | None = None,
    ) -> None:
        check_integer("patience", patience, 1)
        check_tol(tol)
        self.X_val = X_val
        self.y_val = y_val
        self.patience = patience
        self.tol = tol
        self.sample_weight_val = sample_weight_val
        self._runs: dict[tuple, _Progress] = {}

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin with a fit."""
        self._runs[_fit_of(context)] = _Progress()

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        y: Any = None,
        metadata: Any = None,
        fitted_estimator: Any = None,
    ) -> bool:
        """Look at an update; True ends the descent."""
        if context.task_name not in BELOW:
            return False
        run = self._runs[_fit_of(context.parent)]
        if run.judge is None:
            held = Validation(self.X_val, self.y_val, self.sample_weight_val)
            run.judge = Judge.of(fitted_estimator, y, (metadata or {}).get("sample_weight"), held)
        loss, score = run.judge(fitted_estimator)
        run.streak = 0 if score < run.least - self.tol else run.streak + 1
        if score < run.least:
            run.best, run.least = _as_fitted(fitted_estimator), score
        run.curve.append(loss)
        return run.streak >= self.patience

    def teardown(self, estimator: Any, context: Any) -> None:
        """Keep what the fit has shown."""
        run = self._runs.pop(_fit_of(context))
        if run.best is not None:
            self.best_estimator_, self.curve_ = run.best, np.array(run.curve)
            self.best_n_iter_ = run.best.n_iter_


@final
class Checkpoint(_Afterwards):
    """Saves the model after each `every`-th update, and at the end of a fit.

    A file is written beside the one that is there, and then takes its place in one go. So a process
    that is killed leaves a whole model behind: the newest that was complete. Load it with
    ``joblib.load``, and pass its `coef_` and `intercept_` as `coef_init` and `intercept_init` to go
    on. (Momentum starts from rest.)

    Parameters
    ----------
    path : str or path-like
        The file. Its folder must exist.
    every : int, default=100
        After how many updates to save.

    Examples
    --------
    >>> import joblib, os, tempfile
    >>> from gd_regressor import GDLinearRegressor
    >>> from gd_regressor.callbacks import Checkpoint
    >>> path = os.path.join(tempfile.mkdtemp(), "model.joblib")
    >>> model = GDLinearRegressor(0.1, max_iter=25, tol=None)
    >>> model = model.set_callbacks(Checkpoint(path, every=10))
    >>> model = model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    >>> joblib.load(path).n_iter_
    25
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 100) -> None:
        check_integer("every", every, 1)
        if not hasattr(path, "__fspath__") and not isinstance(path, str):
            raise ValueError(f"path must be the name of a file, got {path!r}.")
        self.path = Path(path)
        self.every = every

    def setup(self, estimator: Any, context: Any) -> None:
        """Refuse a path that cannot be written, before the descent."""
        if not self.path.parent.is_dir():
            raise ValueError(
                f"path must be a file in a folder that exists, got {str(self.path)!r}; make the "
                "folder first."
            )
        if self.path.is_dir():
            raise ValueError(
                f"path must be the name of a file, got the folder {str(self.path)!r}; write a name "
                "in it, such as model.joblib."
            )
        try:  # only the system knows
            number, beside = self._beside()
            os.close(number)
            os.unlink(beside)
        except OSError as error:
            raise ValueError(
                f"path must be a file in a folder that can be written, got {str(self.path)!r} "
                f"({error.strerror}); choose another folder."
            ) from error

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any = None
    ) -> None:
        """Save the model, if it is time."""
        is_update = context.task_name in BELOW
        if not is_update or (context.task_id + 1) % self.every == 0:
            self._save(_as_fitted(fitted_estimator))

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing is left to do."""

    def _save(self, model: Any) -> None:
        import joblib

        number, beside = self._beside()
        try:
            with os.fdopen(number, "wb") as file:
                joblib.dump(model, file)
                file.flush()
                os.fsync(file.fileno())  # so that a name never stands for a part of a file
            os.replace(beside, self.path)
        except BaseException:
            os.unlink(beside)
            raise

    def _beside(self) -> tuple[int, str]:
        """A new file beside that of `path`: its number and its name."""
        return tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")


@final
class History(_Afterwards):
    """Records the loss, the seconds and, if wanted, the coefficients after each update.

    Parameters
    ----------
    every : int, default=1
        Record each `every`-th update.
    coef : bool, default=False
        Whether to record coefficients and intercepts, too.

    Attributes
    ----------
    runs_ : list of dict
        One for each fit that has ended in this process, with arrays of the same length: "n_iter",
        "loss" and "seconds" since the fit began, and with ``coef=True`` "coef" and "intercept". A
        search with ``n_jobs`` fits in other processes, whose records do not come back.

    Examples
    --------
    >>> from gd_regressor import GDLinearRegressor
    >>> from gd_regressor.callbacks import History
    >>> history = History(every=2, coef=True)
    >>> model = GDLinearRegressor(0.2, max_iter=4, tol=None).set_callbacks(history)
    >>> model = model.fit([[-1.0], [0.0], [1.0]], [-1.0, 0.0, 1.0])
    >>> history.runs_[-1]["n_iter"], history.runs_[-1]["coef"][:, 0].round(3)
    (array([2, 4]), array([0.462, 0.711]))
    """

    def __init__(self, every: int = 1, *, coef: bool = False) -> None:
        check_integer("every", every, 1)
        check_bool("coef", coef)
        self.every = every
        self.coef = coef
        self.runs_: list[dict[str, np.ndarray]] = []
        self._runs: dict[tuple, tuple[float, list[dict[str, Any]]]] = {}

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin with a fit."""
        self._runs[_fit_of(context)] = (time.perf_counter(), [])

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any = None
    ) -> None:
        """Record an update."""
        if context.task_name not in BELOW or (context.task_id + 1) % self.every:
            return
        began, rows = self._runs[_fit_of(context.parent)]
        row = {
            "n_iter": fitted_estimator.n_iter_,
            "loss": fitted_estimator.loss_curve_[-1],
            "seconds": time.perf_counter() - began,
        }
        if self.coef:
            row |= {"coef": fitted_estimator.coef_, "intercept": fitted_estimator.intercept_}
        rows.append(row)

    def teardown(self, estimator: Any, context: Any) -> None:
        """Keep what was recorded."""
        _, rows = self._runs.pop(_fit_of(context))
        names = ["n_iter", "loss", "seconds"] + ["coef", "intercept"] * self.coef
        self.runs_.append({name: np.array([row[name] for row in rows]) for name in names})


class _Progress:
    """What EarlyStopping knows of one fit."""

    def __init__(self) -> None:
        self.judge: Judge | None = None  # the first update tells the columns and targets
        self.curve: list[float] = []
        self.best: Any = None
        self.least = np.inf
        self.streak = 0


def _fit_of(context: Any) -> tuple:
    """A name for a fit, whose callbacks its clones share: its place in the tree of all tasks."""
    path = []
    root = context
    while root is not None:
        path.append(root.task_id)
        root = root.parent
    return (context.root_uuid, *path)


def _as_fitted(model: Any) -> Any:
    """The model with its parameters and what it has learnt, and no more: it has no callbacks."""
    copy = clone(model)
    copy.set_callbacks()
    learnt = {name: value for name, value in vars(model).items() if name.endswith("_")}
    vars(copy).update(learnt)
    return copy
