"""What each learning rate does: losses at some rates, and the updates that any rate needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from gd_regressor.data.checks import finite_floats
from gd_regressor.paths import LearningRateReport
from gd_regressor.plots import canvas
from gd_regressor.plots.loss_curve import LossCurveDisplay
from gd_regressor.plots.subject import (
    check_descends,
    checked_report,
    checked_tol,
    report_of,
    updates_to,
)

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

SHARES = (0.01, 0.1, 0.5, 0.95, 1.02)  # of the limit
LEAST_SHARE = 1e-3  # of the limit, where the line of needed updates begins
WORDS = 0.62  # of the width, for what is written to the left of the limit
RATES = 60  # below nine tenths of the limit, and as many above, on this line


class LearningRateDisplay:
    """Losses at some learning rates, and the updates that any learning rate needs.

    Two panels. On the left are the losses of a few descents. On the right is the number of updates
    after which the loss stays within `tol` times the variance of y of its minimum. Beyond the limit
    no number of updates is enough: this part is hatched.

    Parameters
    ----------
    learning_rates : array-like of shape (n_rates,)
        The rates of the left panel.
    updates : array-like of int of shape (n_points,)
        Numbers of updates.
    losses : array-like of shape (n_rates, n_points)
        The loss of each rate after these numbers of updates.
    needed : array-like of shape (n_rates,)
        The updates that each rate needs; infinite for never.
    grid : tuple of (array-like of shape (n_grid,), array-like of shape (n_grid,))
        More rates, and what they need.
    limit : float
        The learning rate from which on a descent need not arrive.
    fastest : tuple of (float, float)
        The rate that needs the fewest updates, and their number.
    minimum_loss : float, default=None
        The smallest loss that there is.
    momentum : float, default=0.0
        That of all descents.
    tol : float, default=1e-6
        How near to the minimum, in units of the variance of y.
    penalised : bool, default=False
        Whether the losses have a penalty: the axis says so.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        The two axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        The losses.
    needed_line_ : matplotlib Line2D
        The updates needed.
    limit_line_ : matplotlib Line2D
        The limit.
    texts_ : list of matplotlib Text
        What is written at the limit and at the fastest rate.

    See Also
    --------
    ConvergenceMapDisplay : The same for any momentum.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import LearningRateDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = LearningRateDisplay.from_data(X, y)
    >>> print(f"{display.limit:.4f}")
    1.0000
    >>> len(display.lines_)
    5
    """

    # What `plot` writes
    axes_: list[Axes]
    figure_: Figure
    lines_: list[Line2D]
    needed_line_: Line2D
    limit_line_: Line2D
    texts_: list[Text]

    def __init__(
        self,
        learning_rates: ArrayLike,
        updates: ArrayLike,
        losses: ArrayLike,
        *,
        needed: ArrayLike,
        grid: tuple[ArrayLike, ArrayLike],
        limit: float,
        fastest: tuple[float, float],
        minimum_loss: float | None = None,
        momentum: float = 0.0,
        tol: float = 1e-6,
        penalised: bool = False,
    ) -> None:
        self.learning_rates = learning_rates
        self.updates = updates
        self.losses = losses
        self.needed = needed
        self.grid = grid
        self.limit = limit
        self.fastest = fastest
        self.minimum_loss = minimum_loss
        self.momentum = momentum
        self.tol = tol
        self.penalised = penalised

    def plot(
        self,
        axs: Sequence[Axes] | None = None,
        *,
        curve_kwargs: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> Self:
        """Draw both panels.

        Parameters
        ----------
        axs : sequence of two matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        curve_kwargs : dict or list of dict, default=None
            Passed to `matplotlib.axes.Axes.plot` for the losses, for all or for each one.

        Returns
        -------
        self : LearningRateDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LearningRateDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> display = LearningRateDisplay.from_data(X, y, ax=Figure().subplots(1, 2))
        >>> again = display.plot(Figure().subplots(2, 1))  # one panel above the other
        >>> len(again.axes_)
        2
        """
        rates = np.asarray(self.learning_rates, dtype=float)
        each = [dict(one) for one in canvas.kwargs_for("curve_kwargs", curve_kwargs, len(rates))]
        curves = LossCurveDisplay(
            list(np.asarray(self.losses)),
            updates=[self.updates] * len(rates),
            minimum_loss=self.minimum_loss,
            diverging=list(rates >= self.limit),
            penalised=self.penalised,
        )
        with canvas.drawing_panels(axs, 2, (11, 4.2)) as (left, right):
            wide = canvas.width_of(left) > canvas.NARROW_AXES
            names = [self._name(rate, wide) for rate in rates]
            curves.plot(left, names=names, curve_kwargs=each)
            left.set_title("Loss after each update", loc="left")
            self.lines_ = curves.lines_
            self._draw_needed(right, rates)
            near = f"Updates to within {canvas.number(self.tol)} of the variance"
            title = canvas.fitting(right, [near, "Updates needed"], canvas.width_of(right), 12)
            right.set_title(title, loc="left")
            self.axes_ = [left, right]
            self.figure_ = left.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any,
        *,
        learning_rates: Sequence[float] | None = None,
        n_iter: int = 60,
        momentum: float = 0.0,
        tol: float = 1e-6,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        ax: Sequence[Axes] | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw what learning rates do on these columns and targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        learning_rates : list of float, default=None
            The rates; None is 1, 10, 50, 95 and 102 % of the limit.
        n_iter : int, default=60
            Updates of the left panel.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        tol : float, default=1e-6
            How near to the minimum, in units of the variance of y; above 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        fit_intercept : bool, default=True
            Whether there is an intercept.
        ax : sequence of two matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LearningRateDisplay

        Raises
        ------
        ValueError
            If a parameter or a value of the data cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LearningRateDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> axes = Figure().subplots(1, 2)
        >>> display = LearningRateDisplay.from_data(X, y, learning_rates=[0.01, 0.05], ax=axes)
        >>> len(display.lines_)
        2
        """
        report = report_of(X, y, sample_weight=sample_weight, fit_intercept=fit_intercept)
        options = {"learning_rates": learning_rates, "n_iter": n_iter, "momentum": momentum}
        return cls.from_report(report, tol=tol, ax=ax, **options, **plot_arguments)

    @classmethod
    def from_report(
        cls,
        report: LearningRateReport,
        *,
        learning_rates: Sequence[float] | None = None,
        n_iter: int = 60,
        momentum: float = 0.0,
        tol: float = 1e-6,
        ax: Sequence[Axes] | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw what learning rates do on the data of a report.

        Parameters
        ----------
        report : LearningRateReport
            Of the data.
        learning_rates : list of float, default=None
            The rates; None is 1, 10, 50, 95 and 102 % of the limit.
        n_iter : int, default=60
            Updates of the left panel.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        tol : float, default=1e-6
            How near to the minimum, in units of the variance of y; above 0.
        ax : sequence of two matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LearningRateDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LearningRateDisplay, learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> ax = Figure().subplots(1, 2)
        >>> display = LearningRateDisplay.from_report(report.standardised, ax=ax)
        >>> len(display.lines_)
        5
        """
        checked_report(report)
        check_descends(report)
        checked_tol(tol)
        if ax is not None:
            canvas.checked_axes(ax, 2, "ax")
        limit, ks = report.limit(momentum), updates_to(n_iter)
        given = limit * np.array(SHARES) if learning_rates is None else learning_rates
        rates = _checked_rates(given)
        least = min(LEAST_SHARE, float(rates.min()) / limit, 0.1)
        shares = np.concatenate(
            [np.geomspace(least, 0.9, RATES), 1 - np.geomspace(0.1, 1e-6, RATES)]
        )
        plain = [report.fastest(tol)] if momentum == 0 else []
        fastest_rates = [rate for rate, _ in plain]  # the line has its lowest point there
        grid = np.unique(np.concatenate([limit * shares, rates[rates < limit], fastest_rates]))
        needed = np.asarray(report.needs(grid, momentum, tol))
        of_grid = float(grid[np.argmin(needed)]), float(needed.min())
        return cls(
            rates,
            ks,
            report.losses(rates, momentum, ks),
            needed=np.asarray(report.needs(rates, momentum, tol)),
            grid=(grid, needed),
            limit=limit,
            fastest=plain[0] if plain else of_grid,
            minimum_loss=report.minimum_loss,
            momentum=momentum,
            tol=tol,
            penalised=report.has_ridge,
        ).plot(ax, **plot_arguments)

    def _name(self, rate: float, wide: bool) -> str:
        text = canvas.number(rate)
        if rate >= self.limit:
            return f"{text}, diverges"
        share = f"{text}, {canvas.number(100 * rate / self.limit, 2)} %"
        return f"{share} of the limit" if wide else share

    def _draw_needed(self, ax: Axes, rates: np.ndarray) -> None:
        """The right panel."""
        grid, needed = _log_pairs(*self.grid)
        ax.set(xscale="log", yscale="log")
        style = {"color": canvas.text_colour(), "linewidth": 2.0}
        (self.needed_line_,) = ax.plot(grid, needed, **style)
        marks = np.asarray(self.needed, dtype=float)
        for line, rate, mark in zip(self.lines_, rates, marks, strict=True):
            if 0 < mark < np.inf:
                edge = {"markeredgecolor": ax.get_facecolor(), "zorder": 3}
                ax.plot(rate, mark, "s", color=line.get_color(), markersize=7, **edge)
        canvas.dress(ax, ["learning rate"], ["updates needed"])
        self._view_needed(ax, grid, needed)
        self.limit_line_ = ax.axvline(self.limit, color=canvas.ORANGE, linewidth=1.8)
        canvas.hatched(ax, self.limit)
        rate, fewest = self.fastest
        self.texts_ = []
        symbol = "2 (1 + β)/L" if self.momentum else "2/L"
        text = f"limit {symbol} =\u00a0{canvas.number(self.limit)}"
        words = [(self.limit, 1.0, text, canvas.ORANGE, True)]
        if 0 < fewest < np.inf:
            ax.plot(rate, fewest, "o", color=canvas.GREEN, markersize=9, zorder=4)
            words.append((rate, fewest, self._fastest_words(), canvas.GREEN, False))
        for x, y, text, colour, top in words:
            made = canvas.beside(ax, x, y, text, colour, share=WORDS, top=top)
            self.texts_.append(made)
        canvas.log_ticks(ax.xaxis)
        canvas.log_ticks(ax.yaxis)

    def _fastest_words(self) -> str:
        rate, fewest = self.fastest
        return f"fastest {canvas.number(rate)}: {canvas.counted(fewest)}"

    def _view_needed(self, ax: Axes, grid: np.ndarray, needed: np.ndarray) -> None:
        """The line without its rise before the limit, and room for the words at its foot."""
        least = float(np.min(np.asarray(self.grid[0])))
        ax.set_xlim(least, self.limit * (self.limit / least) ** 0.12)
        ax.set_ylim(1, 10)
        if needed.size:
            low, high = needed.min(), max(needed[0], 3 * needed.min())
            lines = canvas.wrapped(ax, self._fastest_words(), WORDS).count("\n") + 1
            below = canvas.label_height(ax, lines) + 0.03
            ax.set_ylim(*canvas.stretched(ax, low, high, below, 0.08))


def _log_pairs(rates: ArrayLike, needed: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Those that have a place on logarithmic axes."""
    x, y = np.asarray(rates, dtype=float), np.asarray(needed, dtype=float)
    shown = (x > 0) & (y > 0) & np.isfinite(y)
    return x[shown], y[shown]


def _checked_rates(given: Any) -> np.ndarray:
    rates = np.atleast_1d(finite_floats("learning_rates", given))
    if rates.ndim > 1 or not rates.size or not (rates > 0).all():
        raise ValueError(f"learning_rates must be numbers > 0, got {given!r}; None takes five.")
    return rates
