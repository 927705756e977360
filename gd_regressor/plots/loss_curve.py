"""LossCurveDisplay: the plot of the loss after each update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:  # the extra [plot], which a base install lacks
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class HasLossCurve(Protocol):
    """A fitted estimator that has the loss after each update."""

    @property
    def loss_curve_(self) -> ArrayLike:
        """Losses after 0, 1, ... updates."""
        ...


class LossCurveDisplay:
    """Plot of the loss after each update of a descent.

    Parameters
    ----------
    losses : array-like of shape (n_updates + 1,)
        Mean squared error after 0, 1, ... updates, in squared target units.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.
    figure_ : matplotlib Figure
        The figure of these axes.
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

    # `plot` writes these
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
            The display, with `ax_`, `figure_` and `line_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed; write ``pip install "gd-regressor[plot]"``.
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
        # Points show how few updates a short run made; on a long run they would hide the line
        marker = "o" if len(losses) <= 30 else None
        (self.line_,) = ax.plot(losses, **{"marker": marker, "markersize": 4, **kwargs})
        ax.set(xlabel="Updates", ylabel="Mean squared error")
        # The default locator of a linear axis takes `integer`; the declared base class does not
        ax.xaxis.get_major_locator().set_params(integer=True)  # pyright: ignore[reportCallIssue]
        if log_scale:
            ax.set_yscale("log")
        self.ax_ = ax
        # Declared as Figure | SubFigure: of axes in a subfigure it is the subfigure
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
            A fitted estimator; any object with a `loss_curve_` will do.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        log_scale : bool, default=False
            Whether the loss axis is logarithmic.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display, already drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `estimator` has no `loss_curve_`, because it is not fitted or is a pipeline.
        """
        if not hasattr(estimator, "loss_curve_"):
            raise ValueError(
                f"estimator must have a loss_curve_, got {type(estimator).__name__}; pass a fitted "
                "GDLinearRegressor, of a pipeline its last step: pipeline[-1]."
            )
        return cls(estimator.loss_curve_).plot(ax, log_scale=log_scale, **kwargs)
