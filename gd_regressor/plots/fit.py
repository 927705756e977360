"""The fit of a descent as it grows: the line over the scatter, residuals, predictions."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from gd_regressor.data.checks import as_table, as_targets, check_finite
from gd_regressor.data.kinds import Integers
from gd_regressor.estimator.parameters import check_integer, check_seed, check_word
from gd_regressor.paths import LearningRateReport, checked_points
from gd_regressor.plots import canvas
from gd_regressor.plots.subject import check_one_target, checked_report, position, report_of

if TYPE_CHECKING:  # an extra
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

FIT_KINDS = ("line", "residuals", "actual_vs_predicted")  # of pictures
MOST_FITS_NAMED = 9  # lines with a label
AROUND = 0.08  # of the range, beside what is shown
BESIDE_LABELS = 0.015  # likewise, where lines end at their labels
OUTSIDE = 1.0  # ranges of y that lines may take the view beyond it


class FitDisplay:
    """The line of a descent after some numbers of updates, over the rows that it is fitted to.

    With several columns the line is that over one of them, with all others at their means; or see
    predicted and actual values by ``kind="actual_vs_predicted"``.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows to show.
    y : array-like of shape (n_samples,)
        Their targets.
    updates : array-like of int of shape (n_points,)
        Numbers of updates, rising.
    coefs : array-like of shape (n_features, n_points)
        Coefficients after them.
    intercepts : array-like of shape (n_points,)
        Intercepts after them.
    means : array-like of shape (n_features,), default=None
        Means of the columns; None takes those of the rows shown.
    feature : int, default=0
        The column of the horizontal axis.
    names : list of str, default=None
        Names of the columns.
    target_name : str, default="y"
        Name of the target.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    scatter_ : matplotlib PathCollection
        The rows.
    lines_ : list of matplotlib Line2D
        The lines, in the order of `updates`. For predicted and actual values: where both are equal.
    residuals_ : matplotlib LineCollection or None
        From each row to the last line.
    texts_ : list of matplotlib Text
        The numbers of updates at the ends of the lines.
    legend_ : matplotlib Legend or None
        The same, where there is no room for them.
    animation_ : matplotlib FuncAnimation
        What `animate` made.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import FitDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = FitDisplay.from_data(X[["bmi"]], y, learning_rate=0.9, n_iter=[0, 10, 100, 1000])
    >>> len(display.lines_), display.ax_.get_xlabel()
    (4, 'bmi')
    """

    # What `plot` and `animate` write
    ax_: Axes
    figure_: Figure
    scatter_: PathCollection
    lines_: list[Line2D]
    residuals_: LineCollection | None
    texts_: list[Text]
    legend_: Legend | None
    animation_: FuncAnimation

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        updates: ArrayLike,
        coefs: ArrayLike,
        intercepts: ArrayLike,
        *,
        means: ArrayLike | None = None,
        feature: int = 0,
        names: Sequence[str] | None = None,
        target_name: str = "y",
    ) -> None:
        self.X = X
        self.y = y
        self.updates = updates
        self.coefs = coefs
        self.intercepts = intercepts
        self.means = means
        self.feature = feature
        self.names = names
        self.target_name = target_name

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str = "line",
        scatter_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> Self:
        """Draw rows and lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        kind : {"line", "residuals", "actual_vs_predicted"}, default="line"
            The lines; the lines, and from each row to the last of them its residual (of one
            column); or actual against predicted values after the last update.
        scatter_kwargs : dict, default=None
            Passed to `matplotlib.axes.Axes.scatter`.
        line_kwargs : dict or list of dict, default=None
            Passed to `matplotlib.axes.Axes.plot`, for all lines or for each one.

        Returns
        -------
        self : FitDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import FitDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = FitDisplay.from_data(X, y, learning_rate=0.01, n_iter=[0, 60], ax=ax)
        >>> again = display.plot(Figure().subplots(), kind="residuals")
        >>> again.residuals_ is not None
        True
        """
        check_word("kind", kind, FIT_KINDS)
        X = np.asarray(self.X, dtype=float)
        if kind == "residuals" and X.shape[1] > 1:
            raise ValueError(
                f'kind="residuals" needs X of one column, got {X.shape[1]}; write '
                'kind="actual_vs_predicted".'
            )
        count = 1 if kind == "actual_vs_predicted" else len(np.asarray(self.updates))
        each = canvas.kwargs_for("line_kwargs", line_kwargs, count)
        (points,) = canvas.kwargs_for("scatter_kwargs", scatter_kwargs, 1)
        with canvas.drawing(ax, (6.8, 4.6)) as ax:
            self.residuals_, self.texts_, self.legend_ = None, [], None
            if kind == "actual_vs_predicted":
                self._draw_predictions(ax, points, each[0])
            else:
                self._draw_fit(ax, points, each)
                if kind == "residuals":
                    self._draw_residuals(ax)
            self.ax_ = ax
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    def animate(
        self,
        ax: Axes | None = None,
        *,
        seconds: float | None = None,
        fps: float = 10,
        scatter_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> FuncAnimation:
        """Make a film of the line.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        seconds : float, default=None
            How long it is; frames are then chosen evenly from `updates`. None is one frame for each
            of them.
        fps : float, default=10
            Frames in a second.
        scatter_kwargs : dict, default=None
            Passed to `matplotlib.axes.Axes.scatter`.
        line_kwargs : dict, default=None
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        animation : matplotlib FuncAnimation
            Keep it until it is shown or saved, by ``animation.save("fit.gif")`` for example.

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import FitDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = FitDisplay.from_data(X, y, learning_rate=0.01, n_iter=20, ax=ax)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     display.animate(seconds=1, fps=3).save(Path(folder) / "line.gif")
        ...     print(*[file.name for file in Path(folder).iterdir()])
        line.gif
        """
        updates = np.asarray(self.updates)
        frames = list(range(len(updates)))
        if seconds is not None or not fps > 0:
            if not (fps > 0 and seconds is not None and seconds > 0):
                raise ValueError(f"seconds and fps must be > 0, got {seconds!r} and {fps!r}.")
            count = max(round(seconds * fps), 1)
            frames = [int(i) for i in np.rint(np.linspace(0, len(updates) - 1, count))]
        (points,) = canvas.kwargs_for("scatter_kwargs", scatter_kwargs, 1)
        (style,) = canvas.kwargs_for("line_kwargs", line_kwargs, 1)
        with canvas.drawing(ax, (6.8, 4.6)) as ax:
            x, heights = self.line_points()
            self._draw_rows(ax, points)
            self._set_view(ax, heights)
            shown: dict[str, Any] = {"color": canvas.BLUE, "linewidth": 2.4, **style}
            (line,) = ax.plot(x, heights[:, 0], **shown)
            words = ax.set_title("", loc="left")

            def draw(i: int) -> list[Any]:
                line.set_ydata(heights[:, i])
                words.set_text(canvas.counted(float(updates[i])))
                return [line, words]

            draw(frames[0])
            self.lines_, self.texts_, self.ax_ = [line], [words], ax
            self.residuals_, self.legend_ = None, None
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
            self.animation_ = canvas.animated(ax.get_figure(root=True), draw, frames, fps)
        return self.animation_

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any,
        *,
        learning_rate: float,
        n_iter: Integers = (0, 1, 3, 10, 30, 60),
        momentum: float = 0.0,
        feature: int | str = 0,
        feature_names: Sequence[str] | None = None,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        coef_init: ArrayLike | None = None,
        intercept_init: float | None = None,
        subsample: int | None = 1000,
        random_state: int | np.random.RandomState | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the fit of a descent to these columns and targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,)
            Targets.
        learning_rate : float
            The rate.
        n_iter : int or list of int, default=(0, 1, 3, 10, 30, 60)
            After which numbers of updates; an int k stands for 0, 1, ..., k.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        feature : int or str, default=0
            The column of the horizontal axis, by its name or its place.
        feature_names : sequence of str, default=None
            The names of the columns; None takes those of a data frame, else x0, x1, ...
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        fit_intercept : bool, default=True
            Whether there is an intercept.
        coef_init : array-like of shape (n_features,), default=None
            Coefficients to start from; None is zeros.
        intercept_init : float, default=None
            Intercept to start from; None is 0.
        subsample : int or None, default=1000
            How many rows to show at most; None shows all.
        random_state : int, RandomState instance or None, default=None
            Which rows are drawn where there are more than `subsample`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : FitDisplay

        Raises
        ------
        ValueError
            If a parameter or a value of the data cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import FitDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = FitDisplay.from_data(X, y, learning_rate=0.01, n_iter=[0, 10, 60], ax=ax)
        >>> len(display.lines_)
        3
        """
        start = {"coef_init": coef_init, "intercept_init": intercept_init}
        options = {"fit_intercept": fit_intercept, "feature_names": feature_names}
        report = report_of(X, y, sample_weight=sample_weight, **options, **start)
        shown = {"feature": feature, "subsample": subsample, "random_state": random_state}
        descent = {"learning_rate": learning_rate, "n_iter": n_iter, "momentum": momentum}
        return cls.from_report(report, X, y, **descent, **shown, ax=ax, **plot_arguments)

    @classmethod
    def from_report(
        cls,
        report: LearningRateReport,
        X: Any,
        y: Any,
        *,
        learning_rate: float,
        n_iter: Integers = (0, 1, 3, 10, 30, 60),
        momentum: float = 0.0,
        feature: int | str = 0,
        subsample: int | None = 1000,
        random_state: int | np.random.RandomState | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the fit of a descent on the data of a report, over rows of your choice.

        Parameters
        ----------
        report : LearningRateReport
            Of the data, with one target.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to show, in the units of the report.
        y : array-like of shape (n_samples,)
            Their targets.
        learning_rate : float
            The rate.
        n_iter : int or list of int, default=(0, 1, 3, 10, 30, 60)
            After which numbers of updates; an int k stands for 0, 1, ..., k.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        feature : int or str, default=0
            The column of the horizontal axis, by its name or its place.
        subsample : int or None, default=1000
            How many rows to show at most; None shows all.
        random_state : int, RandomState instance or None, default=None
            Which rows are drawn where there are more than `subsample`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : FitDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import FitDisplay, learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> ax = Figure().subplots()
        >>> display = FitDisplay.from_report(report, X, y, learning_rate=0.01, n_iter=60, ax=ax)
        >>> len(display.lines_)
        61
        """
        checked_report(report)
        check_one_target(report)
        column = position("feature", feature, report.feature_names)
        ks = np.unique(checked_points(n_iter))
        rows, targets = _rows(X, y, subsample, random_state)
        if rows.shape[1] != len(report.feature_names):
            raise ValueError(
                f"X must have the {len(report.feature_names)} columns of the report, got "
                f"{rows.shape[1]}."
            )
        coefs, intercepts = report.coefs(learning_rate, momentum, ks)
        # A fit stops there
        finite = ks <= (end := report.diverges_after(learning_rate, momentum))
        if not finite.any():
            raise ValueError(
                f"n_iter must begin before the descent has diverged, after {int(end):,} updates at "
                f"learning_rate={learning_rate!r}, got {reprlib.repr(n_iter)}; write a smaller "
                "n_iter or learning_rate."
            )
        made = {"means": report.landscape.means, "feature": column, "names": report.feature_names}
        made["target_name"] = str(getattr(y, "name", None) or "y")
        return cls(rows, targets, ks[finite], coefs[:, finite], intercepts[finite], **made).plot(
            ax, **plot_arguments
        )

    def line_points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The two ends of each line.

        Returns
        -------
        x : ndarray of shape (2,)
            The least and the largest value of the column.
        heights : ndarray of shape (2, n_points)
            What is predicted there, with all other columns at their (weighted) means.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import FitDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = FitDisplay.from_data(X, y, learning_rate=0.01, n_iter=[0, 1000], ax=ax)
        >>> ends, heights = display.line_points()
        >>> print(ends, heights.round(2).tolist())
        [1. 5.] [[0.0, 2.75], [0.0, 5.22]]
        """
        X, coefs = np.asarray(self.X, dtype=float), np.asarray(self.coefs, dtype=float)
        means = X.mean(axis=0) if self.means is None else np.asarray(self.means, dtype=float)
        x, others = np.array([X[:, self.feature].min(), X[:, self.feature].max()]), means.copy()
        others[self.feature] = 0.0
        slopes = coefs[self.feature]
        return x, np.asarray(self.intercepts) + others @ coefs + np.multiply.outer(x, slopes)

    def _draw_rows(self, ax: Axes, kwargs: Any) -> None:
        X = np.asarray(self.X, dtype=float)
        style = {"color": "0.5", "s": 16, "alpha": 0.6, "linewidths": 0, "zorder": 1.5}
        if not {"c", "color", "facecolor", "facecolors"}.isdisjoint(kwargs):
            del style["color"]
        self.scatter_ = ax.scatter(X[:, self.feature], np.asarray(self.y), **{**style, **kwargs})

    def _set_view(self, ax: Axes, heights: np.ndarray) -> None:
        """The rows, and of the lines what is not far beyond them."""
        X, y = np.asarray(self.X, dtype=float)[:, self.feature], np.asarray(self.y, dtype=float)
        span = np.ptp(y) or max(abs(float(y[0])), 1.0)
        near = np.abs(heights - (y.max() + y.min()) / 2) <= (0.5 + OUTSIDE) * span
        shown = np.append(y, heights[near])
        ax.set_xlim(*_widened(X))
        ax.set_ylim(*_widened(shown))
        bottom, top = ax.get_ylim()
        if not ((heights.min(axis=0) <= top) & (heights.max(axis=0) >= bottom)).any():
            raise ValueError(_nothing_to_see("lines", heights))
        columns = np.shape(self.X)[1]
        name = (self.names or [f"x{j}" for j in range(columns)])[self.feature]
        held = ["other columns at their means", "others at means"] if columns > 1 else []
        canvas.dress(ax, [*(f"{name} ({words})" for words in held), name], [self.target_name])
        canvas.linear_ticks(ax.xaxis)
        canvas.linear_ticks(ax.yaxis)

    def _draw_fit(self, ax: Axes, points: Any, each: Sequence[Any]) -> None:
        """The rows, and over them the lines from light to dark, the last one thick."""
        x, heights = self.line_points()
        self._draw_rows(ax, points)
        self._set_view(ax, heights)
        ax.set_xlim(right=x[1] + BESIDE_LABELS * (x[1] - x[0]))
        updates, count = np.asarray(self.updates), heights.shape[1]
        named = _named(count)
        colours = dict(zip(named, canvas.shades(len(named), ax)[::-1], strict=True))
        self.lines_ = []
        for i in range(count):
            style: dict[str, Any] = {"color": "0.6", "alpha": 0.7, "linewidth": 0.7}
            if i in colours:
                back = len(named) - 1 - named.index(i)  # from the last
                style = {**canvas.line_style(back), "color": colours[i]}
                style["linewidth"] = 2.8 if back == 0 else 1.5
            if not _inside(ax, heights[1, i]):
                style["color"] = canvas.ORANGE
            self.lines_ += ax.plot(x, heights[:, i], **{**style, **each[i]})
        self._name_lines(ax, updates, heights, named)

    def _name_lines(
        self, ax: Axes, updates: np.ndarray, heights: np.ndarray, named: list[int]
    ) -> None:
        """At their ends, or in a legend; an arrow to those whose end is not in the picture."""
        names = [f"{updates[i]:,}" for i in named]
        names[-1] = canvas.counted(float(updates[-1]))
        top = ax.get_ylim()[1]
        for at, i in enumerate(named):
            if not _inside(ax, heights[1, i]):
                names[at] = f"{'↑' if heights[1, i] > top else '↓'} {names[at]}"
        colours = [self.lines_[i].get_color() for i in named]
        labels = canvas.label_ends(ax, list(heights[1, named]), names, colours)
        if labels is None:
            self.legend_ = canvas.legend(ax, [self.lines_[i] for i in named], names)
        else:
            self.texts_ = list(labels)

    def _draw_residuals(self, ax: Axes) -> None:
        """From each row to the last line."""
        X, y = np.asarray(self.X, dtype=float), np.asarray(self.y, dtype=float)
        fitted = X @ np.asarray(self.coefs)[:, -1] + np.asarray(self.intercepts)[-1]
        style: dict[str, Any] = {"color": "0.45", "linewidth": 0.8, "alpha": 0.6, "zorder": 1.4}
        self.residuals_ = ax.vlines(X[:, self.feature], y, fitted, **style)

    def _draw_predictions(self, ax: Axes, points: Any, line: Any) -> None:
        """Actual against predicted values after the last update; equal ones are on the diagonal."""
        X, y = np.asarray(self.X, dtype=float), np.asarray(self.y, dtype=float)
        fitted = X @ np.asarray(self.coefs)[:, -1] + np.asarray(self.intercepts)[-1]
        limits = _widened(
            np.append(y, np.clip(fitted, 2 * y.min() - y.max(), 2 * y.max() - y.min()))
        )
        style = {"color": canvas.text_colour(), "linestyle": (0, (4, 2)), "linewidth": 1.2}
        self.lines_ = ax.plot(limits, limits, **{**style, **line})
        style = {"color": canvas.BLUE, "s": 18, "alpha": 0.6, "linewidths": 0}
        if not {"c", "color", "facecolor", "facecolors"}.isdisjoint(points):
            del style["color"]
        self.scatter_ = ax.scatter(fitted, y, **{**style, **points})
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        outside = int(np.sum((fitted < limits[0]) | (fitted > limits[1])))
        if outside == len(y):
            raise ValueError(_nothing_to_see("predictions", fitted))
        if outside:
            text = f"{outside:,} of {len(y):,} predictions are outside"
            colour = canvas.ink(canvas.ORANGE, ax)
            title = ax.set_title(text, loc="right", fontsize=canvas.font(ax), color=colour)
            self.texts_ = [title]
        target = self.target_name
        words = canvas.counted(float(np.asarray(self.updates)[-1]))
        named = [f"predicted {target} after {words}", f"predicted {target}", "predicted"]
        canvas.dress(ax, named, [f"actual {target}", "actual"], grid="both")
        canvas.linear_ticks(ax.xaxis)
        canvas.linear_ticks(ax.yaxis)


def _named(count: int) -> list[int]:
    """Which of the lines have labels: some, spread evenly, the last among them."""
    some = np.rint(np.linspace(0, count - 1, min(count, MOST_FITS_NAMED)))
    return [int(i) for i in np.unique(some)]


def _nothing_to_see(what: str, heights: np.ndarray) -> str:
    farthest = np.abs(heights).max()
    return (
        f"n_iter and learning_rate must leave something of the fit to show, got {what} that are "
        f"all far from y, up to {farthest:.2g}; where the descent diverges, write a smaller n_iter "
        "or learning_rate, where it has hardly begun, a larger one."
    )


def _inside(ax: Axes, height: float) -> bool:
    bottom, top = ax.get_ylim()
    return bool(bottom <= height <= top)


def _widened(values: np.ndarray) -> tuple[float, float]:
    """Limits that leave some space around values."""
    low, high = float(np.min(values)), float(np.max(values))
    space = AROUND * (high - low) or max(abs(high), 1.0) * AROUND
    return low - space, high + space


def _rows(
    X: Any, y: Any, subsample: Any, random_state: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows to show, and their targets."""
    table, targets = as_table(X, estimator="FitDisplay"), as_targets(y, estimator="FitDisplay")
    check_finite(table, "X")
    check_seed(random_state)
    n = table.shape[0]
    if len(targets) != n:
        raise ValueError(f"y must have one value for each of {n} rows of X, got {len(targets)}.")
    if subsample is not None:
        check_integer("subsample", subsample, 1)
        if subsample < n:
            chosen = np.sort(check_random_state(random_state).choice(n, subsample, replace=False))
            table, targets = table[chosen], targets[chosen]
    table = table.toarray() if issparse(table) else np.asarray(table)
    return table.astype(float), targets.astype(float).reshape(len(targets))
