"""Plots of a fitted model; matplotlib is imported when drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class HasLossCurve(Protocol):
    """A fitted estimator that tells the loss after each update."""

    @property
    def loss_curve_(self) -> ArrayLike:
        """The losses."""
        ...


class LossCurveDisplay:
    """The loss after each update of a descent.

    Parameters
    ----------
    losses : array-like of shape (n_updates + 1,)
        Mean squared error after 0, 1, ... updates, in squared target units.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    line_ : matplotlib Line2D
        The curve.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import GDLinearRegressor, LossCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDLinearRegressor(learning_rate=0.5, max_iter=200, tol=None).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> len(display.line_.get_xdata())
    201
    """

    # What `plot` writes
    ax_: Axes
    figure_: Figure
    line_: Line2D

    def __init__(self, losses: ArrayLike) -> None:
        self.losses = losses

    def plot(self, ax: Axes | None = None, *, log_scale: bool = False, **kwargs: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        log_scale : bool, default=False
            Whether the loss axis is logarithmic.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : LossCurveDisplay
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                'LossCurveDisplay needs matplotlib: pip install "gd-regressor[plot]".'
            ) from error
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        losses = np.asarray(self.losses)
        # A run of a few updates is a sequence of points, not a line
        marker = "o" if len(losses) <= 30 else None
        (self.line_,) = ax.plot(losses, **{"marker": marker, "markersize": 4, **kwargs})
        ax.set(xlabel="Updates", ylabel="Mean squared error")
        # Of any locator no parameter is declared; these axes have one that knows this
        ax.xaxis.get_major_locator().set_params(integer=True)  # pyright: ignore[reportCallIssue]
        if log_scale:
            ax.set_yscale("log")
        self.ax_ = ax
        # Of axes in a subfigure it would be that, which declares less
        self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: HasLossCurve,
        *,
        ax: Axes | None = None,
        log_scale: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : GDLinearRegressor
            Fitted; what has a `loss_curve_` will do.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        log_scale : bool, default=False
            Whether the loss axis is logarithmic.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If the estimator has no loss curve: it is not fitted, or it is a pipeline.
        """
        if not hasattr(estimator, "loss_curve_"):
            raise ValueError(
                f"estimator must have a loss_curve_, got {type(estimator).__name__}; pass a fitted "
                "GDLinearRegressor, of a pipeline its last step: pipeline[-1]."
            )
        return cls(estimator.loss_curve_).plot(ax, log_scale=log_scale, **kwargs)
