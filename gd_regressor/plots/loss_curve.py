"""The loss after each update, of one descent or of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gd_regressor.descent.nouns import Recipe
from gd_regressor.descent.records import Status
from gd_regressor.estimator.parameters import check_bool
from gd_regressor.estimator.shown import unit_of
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.losses import SQUARED, mean_in_words
from gd_regressor.paths import LearningRateReport
from gd_regressor.plots import canvas
from gd_regressor.plots.subject import check_fitted, checked_report, report_of, updates_to

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

FEW_ON_A_CURVE = 30  # updates, of which each is a point: no line is seen through them
MOST_DIRECT = 6  # labels at the ends of lines; more are read better in a legend


class LossCurveDisplay:
    """The loss after each update of a descent, or of several descents on the same data.

    A ring marks where `tol` ended a descent. A dotted line marks the minimum, where it is known.

    Parameters
    ----------
    losses : array-like of shape (n_points,), or a list of such
        Mean squared error, in squared target units, with the penalty if there is one.
    updates : array-like of shape (n_points,), or a list of such, default=None
        The numbers of updates that these losses belong to; None is 0, 1, ...
    stops : list of (int or None), default=None
        For each descent the update at which `tol` ended it, if it did.
    minimum_loss : float, default=None
        The smallest loss that there is, if it is known.
    diverging : list of bool, default=None
        For each descent whether its learning rate is at or above the limit; None takes those whose
        last loss is above the first.
    names : list of str, default=None
        Names of the descents.
    penalised : bool, default=False
        Whether the losses have a penalty: the axis says so.
    loss_name : str, default="mean squared error"
        What the losses are, for the axis.
    unit : str, default="updates"
        What `updates` counts, for the axis: epochs of mini-batches are such a unit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        The curves.
    stop_points_ : list of (matplotlib Line2D or None)
        For each curve its ring.
    minimum_line_ : matplotlib Line2D or None
        The line of the minimum, where it is in view.
    legend_ : matplotlib Legend or None
        The names of the curves, where they are in a legend.
    texts_ : list of matplotlib Text
        The names at the ends of the curves, where they are there, and the notes.

    See Also
    --------
    LearningRateDisplay : Several learning rates, and how many updates each one needs.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import GDLinearRegressor, LossCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDLinearRegressor(learning_rate=0.5, max_iter=200, tol=None).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> len(display.lines_[0].get_xdata())
    201

    Two descents that need not be made, without momentum and with it:

    >>> display = LossCurveDisplay.from_data(X, y, learning_rate=0.5, momentum=[0.0, 0.9])
    >>> display.names
    ['rate 0.5', 'rate 0.5, momentum 0.9']
    """

    # What `plot` writes
    ax_: Axes
    figure_: Figure
    lines_: list[Line2D]
    stop_points_: list[Line2D | None]
    minimum_line_: Line2D | None
    legend_: Legend | None
    texts_: list[Text]

    def __init__(
        self,
        losses: ArrayLike | Sequence[ArrayLike],
        *,
        updates: ArrayLike | Sequence[ArrayLike] | None = None,
        stops: Sequence[int | None] | None = None,
        minimum_loss: float | None = None,
        diverging: Sequence[bool] | None = None,
        names: Sequence[str] | None = None,
        penalised: bool = False,
        loss_name: str = "mean squared error",
        unit: str = "updates",
    ) -> None:
        self.losses = losses
        self.updates = updates
        self.stops = stops
        self.minimum_loss = minimum_loss
        self.diverging = diverging
        self.names = names
        self.penalised = penalised
        self.loss_name = loss_name
        self.unit = unit

    def plot(
        self,
        ax: Axes | None = None,
        *,
        log_scale: bool = True,
        above_minimum: bool = False,
        names: Sequence[str] | None = None,
        curve_kwargs: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        log_scale : bool, default=True
            Whether the loss axis is logarithmic. A loss of zero has no place there: the line ends.
        above_minimum : bool, default=False
            Whether to draw how far each loss is above the minimum. On a logarithmic axis the end
            of each descent is then a straight line, whose slope is the rate of the slowest
            direction.
        names : list of str, default=None
            Names of the descents in place of those given before.
        curve_kwargs : dict or list of dict, default=None
            Passed to `matplotlib.axes.Axes.plot`, for all curves or for each one.

        Returns
        -------
        self : LossCurveDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LossCurveDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = LossCurveDisplay.from_data(X, y, learning_rate=0.01, n_iter=60, ax=ax)
        >>> again = display.plot(Figure().subplots(), above_minimum=True)
        >>> again.ax_.get_ylabel()
        'loss above its minimum'
        """
        curves = self._curves(log_scale, above_minimum)
        names = _names(self.names if names is None else names, len(curves))
        each = canvas.kwargs_for("curve_kwargs", curve_kwargs, len(curves))
        diverging = self.diverging
        if diverging is None:
            diverging = [bool(values[-1] > values[0]) for _, values in curves]
        with canvas.drawing(ax) as ax:
            before, self.lines_ = canvas.view_before(ax), []
            for i, (ks, values) in enumerate(curves):
                marker = {"marker": "o", "markersize": 4} if len(ks) <= FEW_ON_A_CURVE else {}
                orange = {"color": canvas.ORANGE} if diverging[i] else {}
                style = {**canvas.line_style(i), **marker, **orange, **each[i]}
                self.lines_ += ax.plot(ks, values, **style)
            self._mark_stops(ax, curves)
            ylabel = f"{self.loss_name}{' and penalty' if self.penalised else ''}"
            ylabel = "loss above its minimum" if above_minimum else ylabel
            canvas.dress(ax, [self.unit], [ylabel, "loss"])
            self._set_view(ax, curves, log_scale, above_minimum)
            canvas.widen(ax, before)
            if names:
                self._name_lines(ax, curves, names)
            linear = ax.get_yscale() == "linear"
            (canvas.linear_ticks if linear else canvas.log_ticks)(ax.yaxis)
            self.ax_ = ax
            # Of axes in a subfigure it would be that, which declares less
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : GDLinearRegressor, Pipeline or TransformedTargetRegressor
            Fitted; what has a `loss_curve_` will do.
        name : str, default=None
            Name of the descent.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If the estimator has no loss curve: it is not fitted, or another method fitted it.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import GDLinearRegressor, LossCurveDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> model = GDLinearRegressor(learning_rate=0.01, max_iter=60, tol=None).fit(X, y)
        >>> display = LossCurveDisplay.from_estimator(model, ax=Figure().subplots())
        >>> np.array_equal(display.lines_[0].get_ydata(), model.loss_curve_)
        True
        """
        names = None if name is None else [name]
        return cls._of([_model_of(estimator, "estimator")], names).plot(ax, **plot_arguments)

    @classmethod
    def from_estimators(
        cls,
        estimators: Sequence[Any],
        *,
        names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the loss curves of several estimators, fitted to the same data.

        Parameters
        ----------
        estimators : list of GDLinearRegressor, Pipeline or TransformedTargetRegressor
            Fitted.
        names : list of str, default=None
            Their names; None tells learning rate and momentum.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If an estimator has no loss curve.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import GDLinearRegressor, LossCurveDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> models = [GDLinearRegressor(rate, max_iter=60, tol=None) for rate in (0.01, 0.05)]
        >>> models = [model.fit(X, y) for model in models]
        >>> ax = Figure().subplots()
        >>> display = LossCurveDisplay.from_estimators(models, names=["small", "larger"], ax=ax)
        >>> len(display.lines_)
        2
        """
        models = [_model_of(estimator, "estimators") for estimator in estimators]
        if not models:
            raise ValueError("estimators must be fitted estimators, got none.")
        if names is None:
            names = [_setting_name(model.learning_rate, model.momentum) for model in models]
        return cls._of(models, names).plot(ax, **plot_arguments)

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any,
        *,
        learning_rate: float | Sequence[float],
        momentum: float | Sequence[float] = 0.0,
        n_iter: int = 200,
        tol: float | None = 1e-6,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the losses of descents on these columns and targets, without making them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns, in any units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        learning_rate : float or list of float
            The rate, or one for each descent.
        momentum : float or list of float, default=0.0
            Polyak's momentum, in [0, 1), or one for each descent.
        n_iter : int, default=200
            Updates of each descent, unless `tol` ends it before.
        tol : float or None, default=1e-6
            As the estimator's; None makes all `n_iter` updates.
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
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If a parameter or a value of the data cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LossCurveDisplay
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> ax = Figure().subplots()
        >>> display = LossCurveDisplay.from_data(X, y, learning_rate=[0.01, 0.05], n_iter=60, ax=ax)
        >>> len(display.lines_), len(display.lines_[0].get_ydata())
        (2, 61)
        """
        report = report_of(X, y, sample_weight=sample_weight, fit_intercept=fit_intercept)
        options = {"learning_rate": learning_rate, "momentum": momentum, "n_iter": n_iter}
        return cls.from_report(report, tol=tol, ax=ax, **options, **plot_arguments)

    @classmethod
    def from_report(
        cls,
        report: LearningRateReport,
        *,
        learning_rate: float | Sequence[float],
        momentum: float | Sequence[float] = 0.0,
        n_iter: int = 200,
        tol: float | None = 1e-6,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the losses of descents on the data of a report.

        Parameters
        ----------
        report : LearningRateReport
            Of the data.
        learning_rate : float or list of float
            The rate, or one for each descent.
        momentum : float or list of float, default=0.0
            Polyak's momentum, in [0, 1), or one for each descent.
        n_iter : int, default=200
            Updates of each descent, unless `tol` ends it before.
        tol : float or None, default=1e-6
            As the estimator's; None makes all `n_iter` updates.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import LossCurveDisplay, learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> rates = [0.01, report.best_learning_rate]
        >>> ax = Figure().subplots()
        >>> display = LossCurveDisplay.from_report(report, learning_rate=rates, n_iter=60, ax=ax)
        >>> len(display.lines_)
        2
        """
        checked_report(report)
        updates, losses, stops, diverging, names = [], [], [], [], []
        for rate, beta in _pairs(learning_rate, momentum):
            stop = np.inf if tol is None else report.stops_after(rate, beta, tol)
            ks = updates_to(n_iter)
            last = min(stop, report.diverges_after(rate, beta), ks[-1])
            ks = updates_to(int(last))
            updates.append(ks)
            losses.append(report.losses(rate, beta, ks))
            stops.append(int(stop) if stop <= last else None)
            diverging.append(rate >= report.limit(beta))
            names.append(_setting_name(rate, beta) + (", diverges" if diverging[-1] else ""))
        return cls(
            losses,
            updates=updates,
            stops=stops,
            minimum_loss=report.minimum_loss,
            diverging=diverging,
            names=names if len(names) > 1 else None,
            penalised=report.has_ridge,
        ).plot(ax, **plot_arguments)

    @classmethod
    def _of(cls, models: Sequence[Any], names: Sequence[str] | None) -> Self:
        """The curves of fitted models."""
        losses = [np.asarray(model.loss_curve_) for model in models]
        ends = [getattr(model, "status_", None) is Status.CONVERGED for model in models]
        stops = [len(c) - 1 if end else None for c, end in zip(losses, ends, strict=True)]
        minima = np.array(
            [getattr(model, "minimum_loss_", np.nan) for model in models], dtype=float
        )
        # Of fits to different data none is the minimum of all. Minima of one table differ by the
        # rounding of the losses that they were found from
        near = 1e-9 * max(curve.min() for curve in losses)
        same = np.ptp(minima) <= near + canvas.ROUNDING * max(curve[0] for curve in losses)
        least = float(minima[0]) if same else None
        held = any(np.any(getattr(model, "alpha", 0.0)) for model in models)
        what = {mean_in_words(getattr(model, "loss", SQUARED)) for model in models}
        units = {unit_of(model) for model in models}
        return cls(
            losses,
            stops=stops,
            minimum_loss=least,
            names=names,
            penalised=held,
            loss_name=what.pop() if len(what) == 1 else "loss",
            unit=units.pop() if len(units) == 1 else "updates or epochs",
        )

    def _curves(
        self, log_scale: bool, above_minimum: bool
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Updates and heights of each curve, NaN where a logarithmic axis has no place for one."""
        check_bool("log_scale", log_scale)
        check_bool("above_minimum", above_minimum)
        losses = _each(self.losses)
        updates = [None] * len(losses) if self.updates is None else _each(self.updates)
        least = 0.0
        if above_minimum:
            if self.minimum_loss is None or not np.isfinite(self.minimum_loss):
                raise ValueError(
                    "above_minimum=True needs the minimum_loss; use from_data or from_report, "
                    "which know it, or write above_minimum=False."
                )
            least = self.minimum_loss
        curves = []
        for ks, values in zip(updates, losses, strict=True):
            heights = np.asarray(values, dtype=float) - least
            if log_scale:
                # Of a difference the last bits of the minimum are rounding
                nothing = max(canvas.ROUNDING * heights[0], 4 * np.finfo(float).eps * least)
                heights = np.where(heights > nothing, heights, np.nan)
            curves.append((np.arange(len(heights)) if ks is None else np.asarray(ks), heights))
        return curves

    def _mark_stops(self, ax: Axes, curves: Sequence[Any]) -> None:
        """A ring where `tol` ended a descent."""
        self.stop_points_ = []
        stops = [None] * len(curves) if self.stops is None else self.stops
        for line, stop, (ks, values) in zip(self.lines_, stops, curves, strict=True):
            ring = None
            if stop is not None:
                ring = ax.plot(
                    stop, values[np.searchsorted(ks, stop)], "o", zorder=3, clip_on=False
                )[0]
                ring.set(markersize=7, markeredgewidth=2, markeredgecolor=line.get_color())
                ring.set_markerfacecolor(ax.get_facecolor())
            self.stop_points_.append(ring)

    def _set_view(self, ax: Axes, curves: Sequence[Any], log: bool, above: bool) -> None:
        """Scale, view, minimum, notes."""
        heights = np.concatenate([values for _, values in curves])
        log = log and bool((heights > 0).any())
        if log:
            with np.errstate(over="ignore"):  # of the view that a diverging loss alone would get
                ax.set_yscale("log")
        first = max(float(np.nan_to_num(values[0])) for _, values in curves)
        least = None if above or self.minimum_loss is None else self.minimum_loss
        if least is not None and not least > (canvas.ROUNDING * first if log else -np.inf):
            least = None
        gone = [int(ks[np.isnan(v)][0]) for ks, v in curves if np.isnan(v).any()] if log else []
        last = max(max(int(ks[-1]) for ks, _ in curves), 1)
        ax.set_xlim(0, last)
        when = "from update {:,} on" if len(curves) == 1 else "first at update {:,}"
        words = f"zero to rounding {when.format(min(gone))}" if gone else ""
        words = canvas.wrapped(ax, words, 0.9)
        lines = words.count("\n") + 1
        below = canvas.label_height(ax, lines) if gone or least is not None else 0.0
        shown = heights if least is None else np.append(heights, least)
        canvas.loss_view(ax, shown, first, below)
        canvas.linear_ticks(ax.xaxis, integer=True)
        self.texts_, self.minimum_line_, self.legend_ = [], None, None
        if least is not None:
            self._draw_minimum(ax, least)
        if gone:
            self.texts_.append(canvas.note(ax, 0.99, 0.02, words, ha="right", va="bottom"))

    def _draw_minimum(self, ax: Axes, least: float) -> None:
        style = {"linestyle": (0, (1, 1.5)), "linewidth": 1.2, "color": canvas.text_colour()}
        self.minimum_line_ = ax.axhline(least, zorder=1.5, **style)
        self.texts_.append(canvas.level_note(ax, least, f"minimum {canvas.number(least)}"))

    def _name_lines(self, ax: Axes, curves: Sequence[Any], names: list[str]) -> None:
        """At their ends, where all of them reach the right edge; else in a legend."""
        last, direct = ax.get_xlim()[1], None
        if len(names) <= MOST_DIRECT and all(ks[-1] == last for ks, _ in curves):
            ends = [_last_finite(values) for _, values in curves]
            colours = [line.get_color() for line in self.lines_]
            direct = canvas.label_ends(ax, ends, names, colours)
        if direct is None:
            rising = any(np.nanmax(values) > canvas.CAP * values[0] for _, values in curves)
            most = canvas.CAP * max(values[0] for _, values in curves) if rising else np.inf
            self.legend_ = canvas.legend(ax, self.lines_, names, most=most)
        else:
            self.texts_ += direct


def _each(values: Any) -> list[np.ndarray]:
    """One array for each curve, of one or of several."""
    several = len(values) and np.ndim(values[0]) > 0
    return [np.asarray(one, dtype=float) for one in (values if several else [values])]


def _names(names: Sequence[str] | None, count: int) -> list[str]:
    names = [] if names is None else list(map(str, names))
    if names and len(names) != count:
        raise ValueError(f"names must have one name for each of {count} curves, got {names!r}.")
    return names


def _last_finite(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    # What has no place on a logarithmic axis lies below all others; what overflows, above
    return float(values[-1]) if not np.isnan(values[-1]) or not finite.size else 0.0


def _pairs(learning_rate: Any, momentum: Any) -> list[tuple[Any, Any]]:
    """Rates and momenta of several descents."""
    rates, momenta = (list(np.atleast_1d(np.asarray(v, object))) for v in (learning_rate, momentum))
    count = max(len(rates), len(momenta))
    if (
        len(rates) not in (1, count)
        or len(momenta) not in (1, count)
        or not min(len(rates), len(momenta))
    ):
        raise ValueError(
            f"momentum must be one number or one for each of {len(rates)} learning rates, got "
            f"{momentum!r}."
        )
    return list(zip(rates * (count // len(rates)), momenta * (count // len(momenta)), strict=True))


def _setting_name(learning_rate: Any, momentum: Any) -> str:
    if isinstance(learning_rate, str):
        return f'learning_rate="{learning_rate}"'
    rate = learning_rate if isinstance(learning_rate, Recipe) else canvas.number(learning_rate)
    if not momentum:
        return f"rate {rate}"
    kept = momentum if isinstance(momentum, Recipe) else canvas.near_one(momentum)
    return f"rate {rate}, momentum {kept}"


def _model_of(estimator: Any, parameter: str) -> Any:
    """The descent in a fitted estimator or pipeline."""
    model = unwrapped(estimator).model
    check_fitted(model, parameter)
    if not hasattr(model, "loss_curve_"):
        raise ValueError(
            f"{parameter} must have a loss_curve_, got {type(model).__name__}; pass a fitted "
            "GDLinearRegressor, or a fitted pipeline that ends in one."
        )
    return model
