"""Callbacks: the one room that knows sklearn.callback, which other fits do not import."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
import sklearn

from gd_regressor.arithmetic.doubled import plain
from gd_regressor.descent.nouns import Observer, Path
from gd_regressor.descent.records import Records

BELOW = ("update", "epoch")  # the names of the tasks below a fit
Fitted = TypeVar("Fitted")


def set_callbacks(model: Any, callbacks: tuple[Any, ...]) -> None:
    """Let callbacks watch the fits of a model; none removes those it has."""
    for k, callback in enumerate(callbacks):
        if any(callback is other for other in callbacks[:k]):
            raise ValueError(
                f"callbacks must be different objects, got {callback!r} twice; write it once, or "
                "make another one."
            )
    if callbacks or has_callbacks(model):
        _mixin().set_callbacks(model, *callbacks)
        if callbacks:
            vars(model)["_is_watched"] = True
        else:
            del vars(model)["_is_watched"]


def has_callbacks(model: Any) -> bool:
    """Whether callbacks watch the fits of a model. Fits without them import and call nothing."""
    return vars(model).get("_is_watched", False)


def cloned(model: Any, clone: Fitted) -> Fitted:
    """A clone, which scikit-learn has given the callbacks of the model."""
    if has_callbacks(model):
        vars(clone)["_is_watched"] = True
    return clone


def managed(fit: Callable[..., Fitted], model: Any, *args: Any) -> Fitted:
    """Call `fit`, and take leave of the callbacks afterwards, whatever happens."""
    from sklearn.callback import with_callbacks

    return with_callbacks(fit)(model, *args)


class Watch(Observer):
    """Shows callbacks the tasks of a fit: the fit, and below it each update.

    An update is over when we see it, so its two hooks follow each other. What they are given is
    built for those that ask for it.
    """

    stride = 1

    def __init__(self, model: Any, X: Any, y: Any, sample_weight: Any) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._given = {"estimator": model, "X": X, "y": y, "metadata": metadata}
        most = int(model.max_iter)
        self._unit = BELOW[model.batch_size is not None]
        self._fit = _mixin()._init_callback_context(model, max_subtasks=most)
        self._fit.call_on_fit_task_begin(**self._given)
        self._losses, self._dtype, self._y_ndim = np.empty(8), np.dtype(np.float64), 1
        self._state: Callable[[], dict[str, Any]] | None = None  # the model after the last update

    def of(self, dtype: np.dtype, y_ndim: int) -> Self:
        """The same for data of this precision, and y of so many dimensions."""
        self._dtype, self._y_ndim = dtype, y_ndim
        return self

    def see(self, k: int, records: Records, path: Path) -> bool:
        if not len(records.losses):  # the descent overflowed, and its last update does not count
            return False
        if k == len(self._losses):
            self._losses = np.resize(self._losses, 2 * k)
        self._losses[k] = records.losses[0].mean()
        before, self._state = self._state, partial(self._model, k, path.at(k))
        if k == 0:
            return False
        task = self._fit.subcontext(task_name=self._unit)
        task.call_on_fit_task_begin(**self._given, reconstruction_attributes=before)
        return task.call_on_fit_task_end(**self._given, reconstruction_attributes=self._state)

    def end(self) -> None:
        pass

    def fitted(self) -> None:
        """The fit has written its attributes."""
        self._fit.call_on_fit_task_end(**self._given, reconstruction_attributes=dict)

    def _model(self, k: int, point: Any) -> dict[str, Any]:
        """The attributes of a model after k updates."""
        theta = plain(point)
        w, b = theta, np.zeros(theta.shape[1])
        if self._given["estimator"].fit_intercept:
            w, b = theta[:-1], theta[-1]
        coef = np.ascontiguousarray(w.T, dtype=self._dtype)
        one = self._y_ndim == 1
        return {
            "coef_": coef[0] if one else coef,
            "intercept_": float(b[0]) if one else b.astype(self._dtype),
            "n_iter_": k,
            "loss_curve_": self._losses[: k + 1].copy(),
        }


def _mixin() -> Any:
    """The mixin of scikit-learn, whose methods work on any estimator.

    Our class does not inherit from it, because the import takes as long as all others together.
    """
    try:
        from sklearn.callback import CallbackSupportMixin
    except ImportError as error:
        raise ImportError(
            f"set_callbacks needs scikit-learn 1.9 or later, and {sklearn.__version__} is "
            "installed; upgrade scikit-learn, or write verbose=1 to see the updates."
        ) from error
    return CallbackSupportMixin
