"""The loss of a descent taken apart into its directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from gd_regressor.estimator.parameters import check_learning_rate
from gd_regressor.paths import LearningRateReport
from gd_regressor.plots import canvas
from gd_regressor.plots.subject import check_descends, checked_report, checked_tol, report_of

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

SHARE = 0.9  # of 1/L: at 1/L itself the first update removes the steepest direction
MOST_DIRECTIONS_NAMED = 8  # directions; of the others the lines are thin and grey
DIRECTION_POINTS = 400  # of a line
DEPTH = 30.0  # how far below the line of `tol` the view goes
LAST_UPDATE = 1e18  # updates


class SpectrumDisplay:
    """What each direction of a descent adds to the loss: why some descents take so long.

    Along a direction (an eigenvector of the loss, named by its columns) with curvature λ, an update
    with the rate η multiplies what is left by ``(1 - η λ)**2``. The thick grey line is their sum,
    the loss above its minimum. The flattest direction is the last to go.

    Parameters
    ----------
    curvatures : array-like of shape (n_directions,)
        The curvature along each direction.
    excess : array-like of shape (n_directions,)
        What each direction adds to the first loss above the minimum.
    learning_rate : float
        The rate.
    names : list of str
        Names of the directions.
    variance : float, default=1.0
        The variance of y, the unit of `tol`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        For each direction that descends its line, the steepest first.
    total_ : matplotlib Line2D
        Their sum.
    tol_line_ : matplotlib Line2D
        Where the loss is within `tol` times the variance of its minimum.
    legend_ : matplotlib Legend
        The names of the directions.

    See Also
    --------
    LearningRateReport : The same as a table.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import SpectrumDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> display = SpectrumDisplay.from_data(X[["age", "bmi", "bp"]], y)
    >>> [text.get_text() for text in display.legend_.get_texts()]
    ['bp + age, λ 24,489', 'age, λ 254', 'bmi, λ 38', 'intercept, λ 0.032']
    """

    # What `plot` writes
    ax_: Axes
    figure_: Figure
    lines_: list[Line2D]
    total_: Line2D
    tol_line_: Line2D
    legend_: Legend

    def __init__(
        self,
        curvatures: ArrayLike,
        excess: ArrayLike,
        *,
        learning_rate: float,
        names: Sequence[str],
        variance: float = 1.0,
    ) -> None:
        self.curvatures = curvatures
        self.excess = excess
        self.learning_rate = learning_rate
        self.names = names
        self.variance = variance

    def plot(self, ax: Axes | None = None, *, tol: float = 1e-6) -> Self:
        """Draw the directions and their sum.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        tol : float, default=1e-6
            Where to draw the dotted line, in units of the variance of y; above 0.

        Returns
        -------
        self : SpectrumDisplay

        Raises
        ------
        ValueError
            If `tol` cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import SpectrumDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> display = SpectrumDisplay.from_data(X, y, ax=Figure().subplots())
        >>> again = display.plot(Figure().subplots(), tol=1e-9)
        >>> len(again.lines_)  # the column's and the intercept's
        2
        """
        level = checked_tol(tol) * self.variance
        curvatures, excess = (np.asarray(v, dtype=float) for v in (self.curvatures, self.excess))
        moving = np.flatnonzero(excess > canvas.ROUNDING * excess.sum())
        curvatures, excess = curvatures[moving], excess[moving]
        low = min(level, max(float(excess.sum()), level)) / DEPTH
        ks = self._updates(curvatures, excess, low)
        with np.errstate(over="ignore", under="ignore"):
            left = excess * np.abs(1 - self.learning_rate * curvatures) ** (2 * ks[:, None])
        named = np.sort(np.argsort(-excess, kind="stable")[:MOST_DIRECTIONS_NAMED])
        with canvas.drawing(ax, (7, 4.6)) as ax:
            # The start has its place on the axis: linear up to the first update
            ax.set_xscale("symlog", linthresh=1, linscale=max(0.3, 0.12 * np.log10(ks[-1])))
            ax.set_yscale("log")
            wide = {"color": "0.5", "alpha": 0.35, "linewidth": 6}
            (self.total_,) = ax.plot(ks, _drawn(left.sum(axis=1)), **wide)
            self._draw_lines(ax, ks, left, named, curvatures)
            canvas.dress(ax, ["updates"], ["loss above its minimum", "above minimum"])
            canvas.loss_view(ax, np.array([low, excess.sum()]), float(excess.sum()))
            ax.set_xlim(0, ks[-1])
            ax.set_ylim(bottom=low)
            style = {"linestyle": (0, (1, 1.5)), "linewidth": 1.2, "color": canvas.text_colour()}
            self.tol_line_ = ax.axhline(level, zorder=1.5, **style)
            canvas.level_note(ax, level, f"{canvas.number(tol)} of the variance")
            names = [
                f"{self.names[int(moving[i])]}, λ {canvas.number(float(curvatures[i]), 2)}"
                for i in named
            ]
            self._name(ax, [self.lines_[i] for i in named], names, len(moving) - len(named))
            canvas.symlog_ticks(ax.xaxis)
            canvas.log_ticks(ax.yaxis)
            self.ax_ = ax
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any,
        *,
        learning_rate: float | None = None,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        feature_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the directions of a descent on these columns and targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        learning_rate : float, default=None
            The rate; None is ``0.9 / L``, L the largest curvature.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        fit_intercept : bool, default=True
            Whether there is an intercept.
        feature_names : sequence of str, default=None
            The names of the columns; None takes those of a data frame, else x0, x1, ...
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : SpectrumDisplay

        Raises
        ------
        ValueError
            If a parameter or a value of the data cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import SpectrumDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = SpectrumDisplay.from_data(X, y, learning_rate=0.05, ax=ax)
        >>> len(display.lines_)
        2
        """
        options = {"fit_intercept": fit_intercept, "feature_names": feature_names}
        report = report_of(X, y, sample_weight=sample_weight, **options)
        return cls.from_report(report, learning_rate=learning_rate, ax=ax, **plot_arguments)

    @classmethod
    def from_report(
        cls,
        report: LearningRateReport,
        *,
        learning_rate: float | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the directions of a report.

        Parameters
        ----------
        report : LearningRateReport
            Of the data.
        learning_rate : float, default=None
            The rate; None is ``0.9 / L``, L the largest curvature.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : SpectrumDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import SpectrumDisplay, learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> display = SpectrumDisplay.from_report(report, ax=Figure().subplots())
        >>> len(display.lines_) == len(report.directions)
        True
        """
        checked_report(report)
        check_descends(report)
        if learning_rate is None:
            learning_rate = SHARE / report.largest_curvature
        check_learning_rate(learning_rate)
        made = {"learning_rate": float(learning_rate), "names": report.directions}
        return cls(
            report.curvatures, report.excess, variance=float(report.variance.mean()), **made
        ).plot(ax, **plot_arguments)

    def _updates(self, curvatures: np.ndarray, excess: np.ndarray, low: float) -> np.ndarray:
        """Numbers of updates until the last direction is below the view, or beyond it."""
        factor = 2 * np.log(np.abs(1 - self.learning_rate * curvatures) + 1e-300)
        with np.errstate(divide="ignore", invalid="ignore"):
            down = np.log(np.maximum(excess / low, 1.0)) / -factor
            up = np.log(canvas.CAP * excess.sum() / excess) / factor
        ends = np.where(factor < 0, down, np.where(factor > 0, up, LAST_UPDATE))
        growing = factor > 0
        last = ends[growing].min() if growing.any() else ends.max(initial=10.0)
        last = np.ceil(np.clip(1.1 * last, 10, LAST_UPDATE))
        return np.unique(np.concatenate([[0.0], np.rint(np.geomspace(1, last, DIRECTION_POINTS))]))

    def _draw_lines(
        self, ax: Axes, ks: np.ndarray, left: np.ndarray, named: np.ndarray, curvatures: np.ndarray
    ) -> None:
        """Those with a name dark to light, the steepest first; orange where they grow."""
        shades = canvas.shades(len(named), ax)
        self.lines_ = []
        for i, values in enumerate(left.T):
            style: dict[str, Any] = {"color": "0.6", "linewidth": 0.8}
            if i in named:
                rank = int(np.searchsorted(named, i))
                style = {**canvas.line_style(rank), "color": shades[rank]}
            if self.learning_rate * curvatures[i] > 2:
                style["color"] = canvas.ORANGE
            self.lines_ += ax.plot(ks, _drawn(values), **style)

    def _name(self, ax: Axes, lines: list[Line2D], names: list[str], more: int) -> None:
        """As many as there is room for, those that add most."""
        title = "eigendirection" if not more else f"eigendirection ({more} more, which add less)"
        growing = np.max(self.learning_rate * np.asarray(self.curvatures)) > 2
        most = canvas.CAP * float(np.sum(self.excess)) if growing else np.inf
        self.legend_ = canvas.legend(ax, lines, names, title, most)


def _drawn(values: np.ndarray) -> np.ndarray:
    """NaN for what has no place on a logarithmic axis."""
    return np.where(values > 0, values, np.nan)
