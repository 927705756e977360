"""How many updates each pair of learning rate and momentum needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from gd_regressor.paths import LearningRateReport
from gd_regressor.plots import canvas
from gd_regressor.plots.subject import checked_report, checked_tol, report_of

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

CELLS = 60  # on each side
FEW_CELLS = 30  # where momentum near 1 makes each of them a long search
NEAR_ONE = 0.9  # best momentum from which on the axis is logarithmic in its distance to 1
WIDEST_RATE = 4.0  # times 1/L: no rate beyond it converges, whatever the momentum
# From here on the best momentum is nearer to 1 than 1e-5, and to count takes longer than a second
MOST_CONDITION = 1e11
DECADES = 2.5  # of updates that have colours of their own


class ConvergenceMapDisplay:
    """The updates needed at each learning rate and momentum.

    The loss then stays within `tol` times the variance of y of its minimum. To the right of the
    limit ``2 (1 + momentum) / L`` no number of updates is enough: this part is hatched. Marked are
    the pair with the best guarantee (Polyak's, 1964) and the best guaranteed rate without momentum.

    Parameters
    ----------
    learning_rates : array-like of shape (n_rates + 1,)
        Where the columns of cells begin and end.
    momenta : array-like of shape (n_momenta + 1,)
        Where the rows of cells begin and end.
    needed : array-like of shape (n_momenta, n_rates)
        The updates that the middle of each cell needs; infinite for never.
    largest_curvature : float
        L, which sets the limit.
    best : tuple of (float, float, float)
        Momentum and learning rate of the pair with the best guarantee, and what it needs.
    plain : tuple of (float, float)
        The best guaranteed learning rate without momentum, and what it needs.
    tol : float, default=1e-6
        How near to the minimum, in units of the variance of y.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    mesh_ : matplotlib QuadMesh
        The map.
    limit_line_ : matplotlib Line2D
        The limit.
    best_ : matplotlib Line2D
        The point of the best pair.
    plain_ : matplotlib Line2D
        The point of the best rate without momentum.
    colorbar_ : matplotlib Colorbar
        The scale of the map.
    texts_ : list of matplotlib Text
        What is written at the limit and at these points.

    See Also
    --------
    LearningRateDisplay : The same for one momentum.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import ConvergenceMapDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = ConvergenceMapDisplay.from_data(X[["bmi", "bp"]], y)
    >>> momentum, rate, updates = display.best
    >>> print(f"{momentum:.2f} {rate:.2f} {updates}")
    0.86 1.86 182
    """

    # What `plot` writes
    ax_: Axes
    figure_: Figure
    mesh_: QuadMesh
    limit_line_: Line2D
    best_: Line2D
    plain_: Line2D
    colorbar_: Colorbar
    texts_: list[Text]

    def __init__(
        self,
        learning_rates: ArrayLike,
        momenta: ArrayLike,
        needed: ArrayLike,
        *,
        largest_curvature: float,
        best: tuple[float, float, float],
        plain: tuple[float, float],
        tol: float = 1e-6,
    ) -> None:
        self.learning_rates = learning_rates
        self.momenta = momenta
        self.needed = needed
        self.largest_curvature = largest_curvature
        self.best = best
        self.plain = plain
        self.tol = tol

    def plot(self, ax: Axes | None = None, *, cmap: Any = "cividis_r", **kwargs: Any) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        cmap : str or matplotlib Colormap, default="cividis_r"
            Colours from few updates to many.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.pcolormesh`.

        Returns
        -------
        self : ConvergenceMapDisplay

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import ConvergenceMapDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> display = ConvergenceMapDisplay.from_data(X, y, ax=Figure().subplots())
        >>> again = display.plot(Figure().subplots(), cmap="viridis")
        >>> again.ax_.get_xlabel()
        'learning rate'
        """
        rates, momenta = np.asarray(self.learning_rates), np.asarray(self.momenta)
        with canvas.drawing(ax, (6.4, 4.8)) as ax:
            if momenta[-1] > NEAR_ONE:
                canvas.momentum_scale(ax.yaxis)
            ax.set_xlim(rates[0], rates[-1])
            ax.set_ylim(momenta[0], momenta[-1])
            canvas.hatched(ax, rates[0])
            needed = np.asarray(self.needed, dtype=float)
            shown = np.ma.masked_where(~np.isfinite(needed), np.maximum(needed, 1.0))
            least = float(shown.min()) if shown.count() else 1.0
            most = min(float(shown.max()) if shown.count() else 10.0, least * 10**DECADES)
            options = {"cmap": canvas.clear_where_masked(cmap), "rasterized": True}
            options["norm"] = canvas.log_norm(least, max(most, 1.1 * least))
            self.mesh_ = ax.pcolormesh(rates, momenta, shown, **{**options, **kwargs})
            self._draw_limit(ax, momenta)
            figure = ax.get_figure(root=True)
            self.colorbar_ = figure.colorbar(self.mesh_, ax=ax, extend="max")  # pyright: ignore
            label = f"updates to within {canvas.number(self.tol)} of the variance"
            axis = self.colorbar_.ax.yaxis
            names, size = [label, "updates needed"], canvas.font(ax, 1)
            words = canvas.fitting(ax, names, canvas.height_of(ax), size)
            self.colorbar_.set_label(words)
            canvas.log_ticks(axis)
            canvas.dress(ax, ["learning rate"], ["momentum β", "β"], grid="")
            canvas.linear_ticks(ax.xaxis)
            if momenta[-1] <= NEAR_ONE:
                canvas.linear_ticks(ax.yaxis)
            self._write(ax)
            self.ax_ = ax
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any,
        *,
        tol: float = 1e-6,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the map of these columns and targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        tol : float, default=1e-6
            How near to the minimum, in units of the variance of y; above 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        fit_intercept : bool, default=True
            Whether there is an intercept.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : ConvergenceMapDisplay

        Raises
        ------
        ValueError
            If a parameter or a value of the data cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import ConvergenceMapDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> display = ConvergenceMapDisplay.from_data(X, y, tol=1e-4, ax=Figure().subplots())
        >>> display.ax_.get_xlabel()
        'learning rate'
        """
        report = report_of(X, y, sample_weight=sample_weight, fit_intercept=fit_intercept)
        return cls.from_report(report, tol=tol, ax=ax, **plot_arguments)

    @classmethod
    def from_report(
        cls,
        report: LearningRateReport,
        *,
        tol: float = 1e-6,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the map of a report.

        Parameters
        ----------
        report : LearningRateReport
            Of the data.
        tol : float, default=1e-6
            How near to the minimum, in units of the variance of y; above 0.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : ConvergenceMapDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import ConvergenceMapDisplay, learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> ax = Figure().subplots()
        >>> display = ConvergenceMapDisplay.from_report(report.standardised, ax=ax)
        >>> display.ax_.get_xlabel()
        'learning rate'
        """
        checked_report(report)
        checked_tol(tol)
        if report.condition_number > MOST_CONDITION:
            raise ValueError(
                f"X must have a condition number L / mu of at most {MOST_CONDITION:g} for a map of "
                f"momentum, got {report.condition_number:.3g}; standardise the columns "
                "(StandardScaler), or pass report.standardised."
            )
        largest = report.largest_curvature
        beta, rate = report.best_momentum
        # All of the map is drawn from the data: raw columns have limits of 1e-7
        if beta > NEAR_ONE:
            count = FEW_CELLS if beta > 1 - (1 - NEAR_ONE) ** 2 else CELLS
            momenta = 1 - np.geomspace(1, max((1 - beta) / 10, 1e-12), count + 1)
            middles = 1 - np.sqrt((1 - momenta[1:]) * (1 - momenta[:-1]))
        else:
            count, top = CELLS, 0.5 * (1 + beta) if beta > 0.6 else 0.8
            momenta = np.linspace(0, max(top, beta + 0.5 * (1 - beta)), count + 1)
            middles = (momenta[1:] + momenta[:-1]) / 2
        rates = np.linspace(0, WIDEST_RATE / largest, count + 1)
        steps = (rates[1:] + rates[:-1]) / 2
        plain = report.best_learning_rate
        return cls(
            rates,
            momenta,
            report.needs(steps[None, :], middles[:, None], tol),
            largest_curvature=largest,
            best=(beta, rate, report.needs(rate, beta, tol)),
            plain=(plain, report.needs(plain, 0.0, tol)),
            tol=tol,
        ).plot(ax, **plot_arguments)

    def _draw_limit(self, ax: Axes, momenta: np.ndarray) -> None:
        """The limit and the two points."""
        limits = 2 * (1 + momenta) / self.largest_curvature
        (self.limit_line_,) = ax.plot(limits, momenta, color=canvas.ORANGE, linewidth=2)
        points = {"markeredgecolor": canvas.BLACK, "markeredgewidth": 1.6, "clip_on": False}
        points |= {"color": "white", "zorder": 4, "markersize": 8}
        beta, rate, _ = self.best
        (self.best_,) = ax.plot(rate, beta, "o", **points)
        (self.plain_,) = ax.plot(self.plain[0], 0.0, "s", **points)

    def _write(self, ax: Axes) -> None:
        beta, rate, fewest = self.best
        plain, without = self.plain
        pair = [f"β {canvas.near_one(beta)}", f"rate {canvas.number(rate)}"]
        alone, limit, wide = (
            [f"rate {canvas.number(plain)}"],
            "limit",
            canvas.width_of(ax) > canvas.NARROW_AXES,
        )
        if wide:
            pair = ["best guarantee:", *pair, canvas.counted(fewest)]
            alone = ["best without:", *alone, canvas.counted(without)]
            limit = "limit\n2 (1 + β)/L"
        self.texts_ = [canvas.boxed(ax, (plain, 0.0), alone, 5, above=True, beside=wide)]
        # With one curvature both are the same
        height = float(ax.transAxes.inverted().transform(ax.transData.transform((rate, beta)))[1])
        if height > 0.01:
            free = canvas.label_height(ax, len(alone)) + 0.05
            above = height - canvas.label_height(ax, len(pair)) < free
            up = max(free - height, 0.0) * canvas.height_of(ax) if above else 0.0
            made = canvas.boxed(ax, (rate, beta), pair, up, above=above, beside=wide)
            self.texts_.append(made)
        # In the hatched corner, the only part of the map that is always empty
        place = {"ha": "right", "va": "bottom", "color": canvas.ink(canvas.ORANGE, ax)}
        made = canvas.note(ax, 0.98, 0.03 if wide else 0.28, limit, **place)
        made.set_bbox({"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 2})
        self.texts_.append(made)
