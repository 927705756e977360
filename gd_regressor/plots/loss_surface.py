"""The loss as a landscape over two coefficients, and the way of a descent through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr

from gd_regressor.descent.steps import ConstantStep
from gd_regressor.estimator.described import described
from gd_regressor.estimator.directions import INTERCEPT
from gd_regressor.estimator.parameters import check_bool, check_integer, check_word
from gd_regressor.paths import LearningRateReport
from gd_regressor.plots import canvas
from gd_regressor.plots.kinked import Kinked
from gd_regressor.plots.subject import (
    check_one_target,
    checked_report,
    fitted_descent,
    position,
    report_of,
    updates_to,
)

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

LEVELS = 11  # of contours, so many that a valley is seen and a path too
FARTHEST = 2.1  # times the way from the start to the minimum: where the view of the ellipse ends
HAS_LEFT = 1.6  # half windows from the middle, beyond which a path has left
START_SIZE = 7.0  # points: the mark of the start
WINDOW_EDGE = 0.14  # of half the window, around what must be seen
FLAT = 1e-13  # what is left of a column of norm 1 beside those that it depends on
FEW_ON_A_PATH = 100  # updates, of which each is a point
GRID = 241  # points on a side
COARSE_GRID = 121  # of a loss that is not quadratic, which takes longer


class LossSurfaceDisplay:
    """Contours of the loss over two coefficients, with the path of a descent.

    Where there are more than two coefficients, the contours are those of the loss with all others
    at their best for each pair: then the path of the two runs down to their minimum. (Contours at
    fixed others would belong to another function at each update.)

    In raw units the two coefficients may need very different scales. So the axes have their own
    scales, unless `equal=True` is asked for: there the contours of unscaled columns look like a
    straight valley, because they are.

    A descent beyond the limit is drawn until it leaves the picture; the title says when that is.

    Parameters
    ----------
    path : array-like of shape (2, n_points)
        The two coefficients along the descent.
    minimum : array-like of shape (2,)
        Where the loss is smallest.
    factor : array-like of shape (2, 2)
        The matrix R of the loss ``minimum_loss + |R (c - minimum)|**2`` at coefficients c.
    minimum_loss : float
        The smallest loss.
    names : sequence of str of shape (2,)
        Names of the two coefficients.
    updates : array-like of int of shape (n_points,), default=None
        The numbers of updates along the path; None is 0, 1, ...
    surface : callable, default=None
        The loss at pairs of coefficients, where it is not quadratic: it takes two arrays and
        returns one, infinite where a coefficient may not be. R is then that of its quadratic part.
        None takes the formula above.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    contour_ : matplotlib QuadContourSet
        The contours.
    path_ : matplotlib Line2D
        The path, as far as it is in the picture.
    start_ : matplotlib Line2D
        The point where it starts.
    minimum_ : matplotlib Line2D
        The point of the minimum.
    texts_ : list of matplotlib Text
        What is written at these points.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import LossSurfaceDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = LossSurfaceDisplay.from_data(
    ...     X, y, learning_rate=0.9, n_iter=200, features=("bmi", "bp")
    ... )
    >>> bool(display.loss_at(*display.minimum) == display.minimum_loss)
    True
    >>> display.ax_.get_xlabel()
    'coefficient of bmi'
    """

    # What `plot` writes
    ax_: Axes
    figure_: Figure
    contour_: QuadContourSet
    path_: Line2D
    start_: Line2D
    minimum_: Line2D
    texts_: list[Text]

    def __init__(
        self,
        path: ArrayLike,
        minimum: ArrayLike,
        factor: ArrayLike,
        *,
        minimum_loss: float,
        names: Sequence[str],
        updates: ArrayLike | None = None,
        surface: Callable[[ArrayLike, ArrayLike], NDArray[np.float64]] | None = None,
    ) -> None:
        self.path = path
        self.minimum = minimum
        self.factor = factor
        self.minimum_loss = minimum_loss
        self.names = names
        self.updates = updates
        self.surface = surface

    def loss_at(self, first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
        """The loss that the contours show.

        Parameters
        ----------
        first : array-like
            Values of the first coefficient.
        second : array-like
            Values of the second; broadcast with `first`.

        Returns
        -------
        losses : ndarray
            With all other coefficients at their best.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LossSurfaceDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = LossSurfaceDisplay.from_data(X, y, learning_rate=0.01, n_iter=60, ax=ax)
        >>> display.loss_at([0.0, 0.6], [0.0, 2.2]).round(2)  # at the start and at the minimum
        array([17.2 ,  0.48])
        """
        if self.surface is not None:
            return self.surface(first, second)
        x0, y0 = np.asarray(self.minimum, dtype=float)
        x, y = np.asarray(first, dtype=float) - x0, np.asarray(second, dtype=float) - y0
        rows = np.asarray(self.factor, dtype=float)
        gaps = [(row[0] * x + row[1] * y) ** 2 for row in rows]
        return np.add(self.minimum_loss, np.add(*gaps))

    def plot(
        self,
        ax: Axes | None = None,
        *,
        plot_method: str = "contourf",
        grid_resolution: int | None = None,
        equal: bool = False,
        path_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw contours and path.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        plot_method : {"contourf", "contour"}, default="contourf"
            Filled contours, or lines alone.
        grid_resolution : int, default=None
            Points of the grid on each side. None is 241, or 121 for a loss with an L1 penalty or
            with ``positive=True``, which takes longer.
        equal : bool, default=False
            Whether both coefficients have the same scale.
        path_kwargs : dict, default=None
            Passed to `matplotlib.axes.Axes.plot` for the path.
        **kwargs : dict
            Passed to the plot method.

        Returns
        -------
        self : LossSurfaceDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LossSurfaceDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = LossSurfaceDisplay.from_data(X, y, learning_rate=0.01, n_iter=60, ax=ax)
        >>> again = display.plot(Figure().subplots(), plot_method="contour")
        >>> again.ax_.get_xlabel(), again.ax_.get_ylabel()
        ('coefficient of x0', 'intercept')
        """
        check_word("plot_method", plot_method, ("contourf", "contour"))
        if grid_resolution is None:
            grid_resolution = GRID if self.surface is None else COARSE_GRID
        check_integer("grid_resolution", grid_resolution, 2)
        check_bool("equal", equal)
        (canvas_kwargs,) = canvas.kwargs_for("path_kwargs", path_kwargs, 1)
        with canvas.drawing(ax, (5.6, 4.8)) as ax:
            window, shown = self._window(max(WINDOW_EDGE, 3 * canvas.label_height(ax)))
            if equal:
                ax.set_aspect("equal", adjustable="box")
                window = _squared(window)
            ax.set_xlim(*window[0])
            ax.set_ylim(*window[1])
            self._draw_contours(ax, plot_method, grid_resolution, kwargs)
            self._draw_path(ax, shown, canvas_kwargs)
            names = [[f"coefficient of {n}" if n != INTERCEPT else n, n] for n in self.names]
            canvas.dress(ax, names[0], names[1], grid="")
            canvas.linear_ticks(ax.xaxis)
            canvas.linear_ticks(ax.yaxis)
            self._write(ax, shown)
            self.ax_ = ax
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        features: tuple[int | str, int | str] = (0, -1),
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the loss that a fitted estimator descended on, and its way.

        Parameters
        ----------
        estimator : GDLinearRegressor, Pipeline or TransformedTargetRegressor
            Fitted, with a number as `learning_rate`. A penalty is part of the loss: with
            ``positive=True`` there are no contours where a coefficient is below zero. A run that
            diverged is refused: its end is farther away than any picture reaches. `from_data` draws
            the first updates of such a run, until they leave the picture.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            What it was fitted to. The surface is that of the columns that reach the descent.
        y : array-like of shape (n_samples,)
            Its targets.
        features : tuple of two int or str, default=(0, -1)
            Which two coefficients, as in `from_data`.
        sample_weight : array-like of shape (n_samples,), default=None
            Its weights.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LossSurfaceDisplay

        Raises
        ------
        ValueError
            If the estimator has diverged or has no number as `learning_rate`, or a parameter or a
            value of the data cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import GDLinearRegressor, LossSurfaceDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> model = GDLinearRegressor(learning_rate=0.01, max_iter=60, tol=None).fit(X, y)
        >>> display = LossSurfaceDisplay.from_estimator(model, X, y, ax=Figure().subplots())
        >>> len(display.path_.get_xdata())
        61
        """
        otherwise = "LossSurfaceDisplay.from_data(X, y, learning_rate=..., n_iter=...)"
        model = fitted_descent(estimator, otherwise=otherwise)
        found = described(estimator, X, y, sample_weight, "LossSurfaceDisplay")
        if (size := getattr(model, "batch_size", None)) is not None:
            raise ValueError(
                f"estimator must have batch_size=None, got {size!r}: its updates see few rows "
                f"each, so they do not follow this surface; use {otherwise}."
            )
        if found.setting is None:
            raise ValueError(
                f"estimator must have a number as learning_rate, got {model.learning_rate!r}; use "
                f"{otherwise}."
            )
        rate, momentum, _ = found.setting
        limit = model.max_learning_rate_
        if rate >= limit and model.loss_curve_[-1] > model.loss_curve_[0]:
            raise ValueError(
                f"estimator must not have diverged, got learning_rate={rate!r} with a limit of "
                f"{limit:.4g}; fit with a smaller one, or draw its first updates by "
                f"LossSurfaceDisplay.from_data(X, y, learning_rate={rate!r}, n_iter=5)."
            )
        options = {"learning_rate": rate, "momentum": momentum, "n_iter": int(model.n_iter_)}
        options |= {"features": features, "ax": ax, **plot_arguments}
        if found.is_quadratic:
            report = LearningRateReport(found.landscape, found.names, found.y_ndim, found.setting)
            return cls.from_report(report, **options)
        return cls._with_kinks(Kinked.of(found), found.names, **options)

    @classmethod
    def _with_kinks(
        cls,
        loss: Kinked,
        columns: Sequence[str],
        *,
        learning_rate: float,
        momentum: float,
        n_iter: int,
        features: Any,
        ax: Axes | None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw a loss with an L1 penalty, or one whose coefficients are held at or above zero."""
        loss.check()
        names = [*columns, *([INTERCEPT] if loss.landscape.fit_intercept else [])]
        pair = _pair(features, names)
        ks, least = updates_to(n_iter), loss.minimum()
        return cls(
            loss.points(ConstantStep(learning_rate, momentum), ks)[pair],
            least.theta[pair],
            _factor(loss.root, pair),
            minimum_loss=least.loss,
            names=[names[i] for i in pair],
            updates=ks,
            surface=loss.surface(pair),
        ).plot(ax, **plot_arguments)

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any,
        *,
        learning_rate: float,
        n_iter: int,
        momentum: float = 0.0,
        features: tuple[int | str, int | str] = (0, -1),
        feature_names: Sequence[str] | None = None,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        coef_init: ArrayLike | None = None,
        intercept_init: float | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the loss of these columns and targets, and a descent on it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,)
            Targets.
        learning_rate : float
            The rate. At a rate beyond the limit the path is drawn until it leaves the picture.
        n_iter : int
            The number of updates.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        features : tuple of two int or str, default=(0, -1)
            Which two coefficients: names of columns or ``"intercept"``, or places among the
            coefficients, of which the intercept is the last.
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
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LossSurfaceDisplay

        Raises
        ------
        ValueError
            If a parameter or a value of the data cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LossSurfaceDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = LossSurfaceDisplay.from_data(X, y, learning_rate=0.01, n_iter=60, ax=ax)
        >>> len(display.path_.get_xdata())
        61
        """
        start = {"coef_init": coef_init, "intercept_init": intercept_init}
        options = {"fit_intercept": fit_intercept, "feature_names": feature_names}
        report = report_of(X, y, sample_weight=sample_weight, **options, **start)
        options = {"learning_rate": learning_rate, "n_iter": n_iter, "momentum": momentum}
        return cls.from_report(report, features=features, ax=ax, **options, **plot_arguments)

    @classmethod
    def from_report(
        cls,
        report: LearningRateReport,
        *,
        learning_rate: float,
        n_iter: int,
        momentum: float = 0.0,
        features: tuple[int | str, int | str] = (0, -1),
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the loss of a report, and a descent on it from its start.

        Parameters
        ----------
        report : LearningRateReport
            Of the data, with one target.
        learning_rate : float
            The rate. At a rate beyond the limit the path is drawn until it leaves the picture.
        n_iter : int
            The number of updates.
        momentum : float, default=0.0
            Polyak's momentum, in [0, 1).
        features : tuple of two int or str, default=(0, -1)
            Which two coefficients: names of columns or ``"intercept"``, or places among the
            coefficients, of which the intercept is the last.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LossSurfaceDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LossSurfaceDisplay, learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> ax = Figure().subplots()
        >>> display = LossSurfaceDisplay.from_report(report, learning_rate=0.01, n_iter=60, ax=ax)
        >>> len(display.path_.get_xdata())
        61
        """
        checked_report(report)
        check_one_target(report)
        names = [*report.feature_names, *([INTERCEPT] if report.fit_intercept else [])]
        pair = _pair(features, names)
        roots = np.sqrt(report.curvatures / 2)[:, None] * report.vectors.T
        factor = _factor(roots, pair)
        if not factor.any():
            raise ValueError(
                f"features={features!r} do not change the loss where all others are at their best; "
                "choose two that do, or drop columns until there are fewer than rows."
            )
        ks = updates_to(n_iter)
        coefs, intercepts = report.coefs(learning_rate, momentum, ks)
        end = np.append(report.coef, report.intercept)
        return cls(
            np.vstack([coefs, intercepts])[pair],
            end[pair],
            factor,
            minimum_loss=report.minimum_loss,
            names=[names[i] for i in pair],
            updates=ks,
        ).plot(ax, **plot_arguments)

    def _window(self, edge: float) -> tuple[np.ndarray, int]:
        """Limits (2, 2) of both coefficients, and how many points of the path are in them.

        `edge` is what stays free around them, in units of half the window.
        """
        path, middle = (np.asarray(v, dtype=float) for v in (self.path, self.minimum))
        away = path - middle[:, None]
        # The half widths of the ellipse through the start: the rows of the inverse of R
        rows = np.asarray(self.factor, dtype=float)
        with np.errstate(all="ignore"):
            # F lies above its minimum by |R (c - minimum)|^2 at least, with an L1 penalty too
            radius = np.sqrt(np.sum((rows @ away[:, 0]) ** 2))
            if self.surface is not None:
                radius = np.sqrt(np.fmax(self.loss_at(*path[:, 0]) - self.minimum_loss, 0.0))
            det = rows[0, 0] * rows[1, 1] - rows[0, 1] * rows[1, 0]
            ellipse = radius * np.hypot(rows[:, ::-1][0], rows[:, ::-1][1]) / abs(det)
        way = np.abs(away[:, 0])
        half = np.fmin(np.nan_to_num(ellipse, nan=np.inf), FARTHEST * way)
        # Where a coefficient starts at its best, the ellipse alone tells; else the size of numbers
        half = np.where(
            way > 1e-9 * np.fmin(ellipse, np.inf), half, np.nan_to_num(ellipse, posinf=0.0)
        )
        half = np.where(half > 0, half, np.maximum(np.abs(middle), 1.0))
        half = np.where(np.isfinite(half), half, np.maximum(FARTHEST * way, 1.0))
        beyond = ~(np.abs(away) <= HAS_LEFT * half[:, None]).all(axis=0)
        beyond &= not self.loss_at(*path[:, -1]) <= self.loss_at(*path[:, 0])
        shown = int(beyond.argmax()) + 1 if beyond.any() else path.shape[1]
        seen = away[:, : shown - 1 if beyond.any() and shown > 1 else shown]
        half = np.where(self._forbidden(middle, -half), np.minimum(half, middle), half)
        low = np.minimum(np.minimum(-half, seen.min(axis=1)), 0)
        high = np.maximum(np.maximum(half, seen.max(axis=1)), 0)
        free = edge * (high - low) / 2
        return np.stack([middle + low - free, middle + high + free], axis=1), shown

    def _forbidden(self, middle: np.ndarray, way: np.ndarray) -> np.ndarray:
        """(2,): whether a coefficient alone, moved on that way from the minimum, may not be."""
        points = middle[:, None] + np.diag(way)
        return ~np.isfinite(self.loss_at(*points))

    def _draw_contours(self, ax: Axes, method: str, resolution: int, kwargs: Any) -> None:
        x, y = (np.linspace(*limits, resolution) for limits in (ax.get_xlim(), ax.get_ylim()))
        if self.surface is not None:  # kinks are where a coefficient is zero
            x, y = (np.union1d(side, [0.0] if side[0] < 0 < side[-1] else []) for side in (x, y))
        values = self.loss_at(x, y[:, None])
        values = np.ma.masked_invalid(values)
        # Rings whose distances grow: a loss grows with the square of the distance
        rings = np.linspace(0, 1, LEVELS + 1)[1:] ** 3
        span = max(float(values.max()) - self.minimum_loss, 1e-300)
        levels = np.unique(self.minimum_loss + span * np.append(0.0, rings))
        if len(levels) < 3:
            levels = np.linspace(values.min(), np.nextafter(values.max(), np.inf) + 1e-300, 3)
        if method == "contourf":
            filled = {"cmap": canvas.pale_surface(), "levels": levels, "norm": canvas.ranks(levels)}
            self.contour_ = ax.contourf(x, y, values, **{**filled, **kwargs})
            lines = {"colors": [canvas.BLACK], "linewidths": 0.5, "alpha": 0.45}
            ax.contour(x, y, values, levels=self.contour_.levels, **lines)
        else:
            lines = {"levels": levels, "cmap": canvas.SURFACE, "norm": canvas.ranks(levels)}
            self.contour_ = ax.contour(x, y, values, **{**lines, **kwargs})

    def _draw_path(self, ax: Axes, shown: int, kwargs: Any) -> None:
        path, middle = np.asarray(self.path, dtype=float)[:, :shown], np.asarray(self.minimum)
        marks = {"marker": "o", "markersize": 3.5} if shown <= FEW_ON_A_PATH else {}
        # Of zigzags the lines would fill the picture
        turns = np.sum(np.diff(path[:, :-1]) * np.diff(path[:, 1:]), axis=0) < 0
        thin = 0.9 if 5 * turns.sum() > 2 * shown else 1.8
        style = {"color": canvas.BLUE, "linewidth": thin, **marks}
        diverges = shown < np.asarray(self.path).shape[1]
        style |= {"color": canvas.ORANGE} if diverges else {}
        (self.path_,) = ax.plot(*path, **{**style, **kwargs})
        points = {"markeredgecolor": canvas.BLACK, "markeredgewidth": 1.6, "zorder": 4}
        (self.minimum_,) = ax.plot(*middle, "P", color="white", markersize=10, **points)
        (self.start_,) = ax.plot(*path[:, 0], "o", color="white", markersize=START_SIZE, **points)

    def _write(self, ax: Axes, shown: int) -> None:
        """Each word on the side away from the other point."""
        begin, middle = np.asarray(self.path, dtype=float)[:, 0], np.asarray(self.minimum)
        below = begin[1] <= middle[1]
        self.texts_ = [
            canvas.point_note(ax, begin, "start", below=below),
            canvas.point_note(ax, middle, "minimum", below=not below),
        ]
        if shown < np.asarray(self.path).shape[1]:
            k = shown - 1 if self.updates is None else int(np.asarray(self.updates)[shown - 1])
            text = f"leaves the picture at update {k:,}"
            size, colour = canvas.font(ax), canvas.ink(canvas.ORANGE, ax)
            ax.set_title(text, loc="right", fontsize=size, color=colour)
        elif text := self._too_short(ax):
            text = canvas.fitting(ax, text, canvas.width_of(ax), canvas.font(ax))
            ax.set_title(text, loc="right", fontsize=canvas.font(ax))

    def _too_short(self, ax: Axes) -> list[str]:
        """What to say, the best first, of a path that the mark of the start covers."""
        path, middle = np.asarray(self.path, dtype=float), np.asarray(self.minimum)
        begin, points = ax.transData.transform(path[:, 0]), ax.transData.transform(path.T)
        way = np.hypot(*(points - begin).T).max()
        whole = np.hypot(*(ax.transData.transform(middle) - begin))
        pixels = ax.get_figure(root=True).dpi / 72  # pyright: ignore[reportOptionalMemberAccess]
        if path.shape[1] < 2 or not way < pixels * START_SIZE / 2 <= whole:
            return []
        last = path.shape[1] - 1 if self.updates is None else int(np.asarray(self.updates)[-1])
        said = "the path is too short to be seen"
        share = f"{canvas.number(100 * way / whole, 2)} % of the way"
        return [f"{said}: {canvas.counted(last)} make {share}", f"{said}: {share}", said]


def _factor(root: NDArray[np.float64], pair: list[int]) -> NDArray[np.float64]:
    """R of the loss of two coefficients with all others at their best.

    With A'A as the loss's quadratic form, and A the `root` (m, p), it is what is left of two
    columns of A beside all others: the last block of a triangle with these two at the end. (The
    Schur complement, without the digits that forming it by a difference would cost.)
    """
    others = [j for j in range(root.shape[1]) if j not in pair]
    norms = np.linalg.norm(root, axis=0)
    scale = np.where(norms > 0, norms, 1.0)
    columns = root / scale
    rest = columns[:, pair]
    if others:
        basis, triangle, _ = qr(columns[:, others], mode="economic", pivoting=True)
        sizes = np.abs(np.diag(triangle))
        basis = basis[:, : len(sizes)][:, sizes > FLAT]
        for _ in range(2):  # twice is enough (Kahan)
            rest = rest - basis @ (basis.T @ rest)
    triangle = np.zeros((2, 2))
    upper = np.linalg.qr(rest, mode="r")
    # Of columns of norm 1: below it there is rounding
    triangle[: len(upper)] = np.where(np.abs(upper) > FLAT, upper, 0.0)
    return triangle * scale[pair]


def _pair(features: Any, names: Sequence[str]) -> list[int]:
    """The places of two coefficients."""
    if isinstance(features, str) or np.ndim(np.asarray(features, dtype=object)) != 1:
        features = [features]
    places = [position("each of features", feature, names) for feature in features]
    if len(set(places)) != 2 or len(places) != 2:
        raise ValueError(
            f"features must be two different ones of {list(names)}, got {features!r}; a surface "
            "needs two coefficients."
        )
    return places


def _squared(window: np.ndarray) -> np.ndarray:
    """Limits of one length, about the same middle."""
    half = np.ptp(window, axis=1).max() / 2
    middle = window.mean(axis=1)
    return np.stack([middle - half, middle + half], axis=1)
