"""Scores of a cross-validation over two of its parameters, as a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from gd_regressor.estimator.parameters import check_bool
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.plots import canvas
from gd_regressor.regressor import GDLinearRegressor

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.collections import QuadMesh
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

# The parameters of a candidate, those first that are better read from left to right, each with the
# parameter of the search that lists its values
LISTS = {
    "max_iter": "n_iters",
    "alpha": "alphas",
    "l1_ratio": "l1_ratios",
    "learning_rate": "learning_rates",
}
NAMES_OF_AXES = {  # in words, the best first
    "max_iter": ["updates"],
    "alpha": ["alpha"],
    "share": ["alpha / the largest of its l1_ratio", "alpha / largest"],
    "l1_ratio": ["l1_ratio"],
    "learning_rate": ["learning rate", "rate"],
}
# How many times the distance from the best score to the median one has colours of its own: a few
# bad candidates would take them all
SCORES_SPREAD = 4.0
SHARE_DIGITS = 9  # of an alpha as a share of the largest; rounding changes the last ones


class CVSurfaceDisplay:
    """The scores of a cross-validation at each pair of two parameters.

    The best is the lightest, and a circle marks it. Hatched is where a descent diverges: its score
    is no number, or it is worse than any at the smallest learning rate by far (30 times as far
    from the best).

    Parameters
    ----------
    x : array-like of shape (n_x,)
        Values of the first parameter, rising.
    y : array-like of shape (n_y,)
        Values of the second parameter, rising.
    scores : array-like of shape (n_y, n_x)
        The mean score over the folds of each pair; higher is better.
    x_name : {"max_iter", "alpha", "share", "l1_ratio", "learning_rate"}, default="max_iter"
        What the first parameter is. "share" is an alpha as a share of the largest.
    y_name : {"max_iter", "alpha", "share", "l1_ratio", "learning_rate"}, default="learning_rate"
        What the second parameter is.
    best : tuple of (int, int), default=None
        Row and column of the candidate chosen; None is the best score.
    limits : array-like of shape (n_x,), default=None
        The learning rate from which on a descent diverges, for each of `x`.
    score_name : str, default=None
        Name of the score.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    mesh_ : matplotlib QuadMesh
        The map.
    best_ : matplotlib Line2D
        The point of the candidate chosen.
    limit_line_ : matplotlib Line2D or None
        The limit of the learning rate, where it is known.
    colorbar_ : matplotlib Colorbar
        The scale of the map.
    texts_ : list of matplotlib Text
        What is written at the best and at the limit.

    See Also
    --------
    GDLinearRegressorCV : The search that is drawn.
    PenaltyPathDisplay : What a penalty does to the coefficients.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import CVSurfaceDisplay, GDLinearRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> rates, counts = [0.03, 0.1, 0.3, 1.0], [1, 10, 100, 1000]
    >>> search = GDLinearRegressorCV(learning_rates=rates, n_iters=counts).fit(X, y)
    >>> display = CVSurfaceDisplay.from_estimator(search)
    >>> print(display.texts_[0].get_text())
    best 0.472
    rate 0.3, 1,000 updates
    """

    # What `plot` writes
    ax_: Axes
    figure_: Figure
    mesh_: QuadMesh
    best_: Line2D
    limit_line_: Line2D | None
    colorbar_: Colorbar
    texts_: list[Text]

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        scores: ArrayLike,
        *,
        x_name: str = "max_iter",
        y_name: str = "learning_rate",
        best: tuple[int, int] | None = None,
        limits: ArrayLike | None = None,
        score_name: str | None = None,
    ) -> None:
        self.x = x
        self.y = y
        self.scores = scores
        self.x_name = x_name
        self.y_name = y_name
        self.best = best
        self.limits = limits
        self.score_name = score_name

    def plot(
        self,
        ax: Axes | None = None,
        *,
        score_name: str | None = None,
        negate_score: bool = False,
        cmap: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        score_name : str, default=None
            Name of the score in place of the one given before.
        negate_score : bool, default=False
            Whether to draw the negative of the scores, as for "neg_mean_squared_error".
        cmap : str or matplotlib Colormap, default=None
            Colours from low values to high ones. None is "cividis", or "cividis_r" for negated
            scores.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.pcolormesh`.

        Returns
        -------
        self : CVSurfaceDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import CVSurfaceDisplay
        >>> scores = [[0.1, 0.5], [0.4, 0.6]]
        >>> display = CVSurfaceDisplay([1, 10], [0.01, 0.1], scores)
        >>> display.plot(Figure().subplots()).ax_.get_xlabel()
        'updates'
        """
        check_bool("negate_score", negate_score)
        x, y, scores = self._checked()
        sign = -1.0 if negate_score else 1.0
        shown = np.ma.masked_where(self._diverged(scores), scores)
        best, worst = float(shown.max()), float(shown.min())
        lowest = best - SCORES_SPREAD * (best - float(np.ma.median(shown)))
        cut = worst < lowest < best
        with canvas.drawing(ax, (6.4, 4.8)) as ax:
            for axis, values, name in ((ax.xaxis, x, self.x_name), (ax.yaxis, y, self.y_name)):
                edges = _edges(values, name)
                axis.axes.set(**{f"{axis.axis_name}scale": _scale(name)})
                axis.axes.set(**{f"{axis.axis_name}lim": (edges[0], edges[-1])})
            canvas.hatched(ax, ax.get_xlim()[0])
            ends = sorted((sign * (lowest if cut else worst), sign * best))
            options: dict[str, Any] = {"rasterized": True}
            if "norm" not in kwargs:
                options |= {"vmin": ends[0], "vmax": ends[1]}
            colours = cmap if cmap is not None else canvas.SURFACE + negate_score * "_r"
            options["cmap"] = canvas.clear_where_masked(colours)
            edges = [_edges(x, self.x_name), _edges(y, self.y_name)]
            self.mesh_ = ax.pcolormesh(*edges, sign * shown, **{**options, **kwargs})
            below = ("max" if negate_score else "min") if cut else "neither"
            self._explain(ax, _said(score_name or self.score_name, negate_score), below)
            names = NAMES_OF_AXES
            canvas.dress(ax, names[self.x_name], names[self.y_name], grid="")
            _ticks(ax.xaxis, x, self.x_name)
            _ticks(ax.yaxis, y, self.y_name)
            self._draw_limit(ax, x)
            self._draw_best(ax, x, y, sign * scores)
            self._name_limit(ax)
            self.ax_ = ax
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the scores of a fitted search, over the two parameters that have several values.

        Parameters
        ----------
        estimator : GDLinearRegressorCV, or a Pipeline that ends in one
            Fitted.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            The columns of the fit. With them, the limit of the learning rate on all rows is drawn.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            The targets of the fit.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : CVSurfaceDisplay

        Raises
        ------
        ValueError
            If the estimator is not fitted, or has not two parameters with several values.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import CVSurfaceDisplay, GDLinearRegressorCV
        >>> random = np.random.default_rng(0)
        >>> X = random.standard_normal((50, 8))
        >>> y = X[:, 0] + random.standard_normal(50)
        >>> search = GDLinearRegressorCV(alphas=[0.01, 0.1, 1.0], l1_ratios=[0.1, 0.5, 0.9])
        >>> ax = Figure().subplots()
        >>> display = CVSurfaceDisplay.from_estimator(search.fit(X, y), ax=ax)
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('alpha', 'l1_ratio')
        """
        parts = unwrapped(estimator)
        model = parts.model
        if not (hasattr(model, "scores_") and hasattr(model, "best_index_")):
            raise ValueError(
                "estimator must be a fitted GDLinearRegressorCV, or a pipeline that ends in one, "
                f"got {type(model).__name__}; call fit first, or use from_cv_results."
            )
        made = _of(model.cv_results_, model.best_index_, "estimator")
        if made["y_name"] == "learning_rate" and X is not None and y is not None:
            made["limits"] = _limits(model, *parts.transformed(X, y), made)
        scoring = model.scoring
        made["score_name"] = scoring if isinstance(scoring, str) else None if scoring else "r2"
        return cls(**made).plot(ax, **plot_arguments)

    @classmethod
    def from_cv_results(
        cls, cv_results: Mapping[str, Any], *, ax: Axes | None = None, **plot_arguments: Any
    ) -> Self:
        """Draw the scores of any search over two parameters of a `GDLinearRegressor`.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a `GDLinearRegressorCV`, or of a `GridSearchCV` over a
            `GDLinearRegressor` or a pipeline that ends in one.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : CVSurfaceDisplay

        Raises
        ------
        ValueError
            If the results are not of every pair of values of two parameters.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.model_selection import GridSearchCV
        >>> from gd_regressor import CVSurfaceDisplay, GDLinearRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> grid = {"alpha": [1e-4, 1e-2], "l1_ratio": [0.2, 0.8]}
        >>> search = GridSearchCV(GDLinearRegressor(), grid).fit(X, y)
        >>> ax = Figure().subplots()
        >>> display = CVSurfaceDisplay.from_cv_results(search.cv_results_, ax=ax)
        >>> display.x.tolist(), display.y.tolist()
        ([0.0001, 0.01], [0.2, 0.8])
        """
        return cls(**_of(cv_results, None, "cv_results")).plot(ax, **plot_arguments)

    def _checked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y, scores = (np.asarray(v, dtype=float) for v in (self.x, self.y, self.scores))
        for name in (self.x_name, self.y_name):
            if name not in NAMES_OF_AXES:
                raise ValueError(f"x_name and y_name must be of {[*NAMES_OF_AXES]}, got {name!r}.")
        for name, what, values in (("x", self.x_name, x), ("y", self.y_name, y)):
            if values.ndim != 1 or len(values) < 2 or not (np.diff(values) > 0).all():
                raise ValueError(f"{name} must be two or more rising numbers, got {values!r}.")
            if what == "l1_ratio" and not (values[0] >= 0 and values[-1] <= 1):
                raise ValueError(f"{name} must be l1_ratio from 0 to 1, got {values!r}.")
        if scores.shape != (len(y), len(x)):
            raise ValueError(
                f"scores must have the shape (n_y, n_x) = {(len(y), len(x))}, got {scores.shape}."
            )
        if not np.isfinite(scores).any():
            raise ValueError("scores must have a finite one: every candidate diverged.")
        return x, y, scores

    def _diverged(self, scores: np.ndarray) -> np.ndarray:
        """What is no number, and what is beyond all that the smallest learning rate does."""
        beyond = ~np.isfinite(scores)
        slow = scores[0][np.isfinite(scores[0])]
        if self.y_name == "learning_rate" and slow.size:
            best = scores[~beyond].max()
            reach = best - slow.min()
            beyond |= (reach > 0) & (best - scores > canvas.CAP * reach)
        return beyond

    def _explain(self, ax: Axes, words: str, extend: str) -> None:
        figure = ax.get_figure(root=True)
        self.colorbar_ = figure.colorbar(self.mesh_, ax=ax, extend=extend)  # pyright: ignore
        text = canvas.fitting(ax, [words], canvas.height_of(ax), canvas.font(ax, 1))
        self.colorbar_.ax.yaxis.set_label_text(text, parse_math=False)
        canvas.linear_ticks(self.colorbar_.ax.yaxis)

    def _draw_limit(self, ax: Axes, x: np.ndarray) -> None:
        """As a step at each value of x."""
        self.limit_line_ = None
        if self.limits is None:
            return
        limits = np.broadcast_to(np.asarray(self.limits, dtype=float), x.shape)
        xs, ys = np.repeat(_edges(x, self.x_name), 2)[1:-1], np.repeat(limits, 2)
        style = {"color": canvas.ORANGE, "linewidth": 2, "scalex": False, "scaley": False}
        (self.limit_line_,) = ax.plot(xs, ys, **style)

    def _name_limit(self, ax: Axes) -> None:
        """At an end where it is not over the other note; its colour alone says what it is."""
        if self.limit_line_ is None:
            return
        heights = np.asarray(self.limit_line_.get_ydata(), dtype=float)
        for share, side, height in ((0.02, "left", heights[0]), (0.98, "right", heights[-1])):
            place = float(ax.transAxes.inverted().transform(ax.transData.transform((1, height)))[1])
            if not 0 < place < 1:
                continue
            up = place < 1 - canvas.label_height(ax) - 0.02
            spot = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points"}
            spot |= {"xytext": (0, 4 if up else -4), "va": "bottom" if up else "top", "ha": side}
            made = ax.annotate("limit", (share, height), **spot, **_paper(ax))
            made.set_color(canvas.ink(canvas.ORANGE, ax))
            taken = self.texts_[0].get_window_extent().expanded(1.2, 1.2)
            if not taken.overlaps(made.get_window_extent()):
                self.texts_.append(made)
                return
            made.remove()

    def _draw_best(self, ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray) -> None:
        """A circle, and beside it where there is more room what it is."""
        best = self.best
        if best is None:
            scores = np.where(self._diverged(np.asarray(self.scores, dtype=float)), np.nan, 1.0)
            place = int(np.nanargmax(scores * np.asarray(self.scores, dtype=float)))
            best = (place // len(x), place % len(x))
        row, column = best
        point = (_placed(x, self.x_name)[column], _placed(y, self.y_name)[row])
        style = {"markeredgecolor": canvas.BLACK, "markeredgewidth": 1.6, "color": "white"}
        style |= {"markersize": 8, "zorder": 4, "clip_on": False, "scalex": False, "scaley": False}
        (self.best_,) = ax.plot(*point, "o", **style)
        across, up = ax.transAxes.inverted().transform(ax.transData.transform(point))
        words = [_word(self.y_name, y[row]), _word(self.x_name, x[column])]
        # In narrow axes it stands at their other side, where its width does no harm
        wide = canvas.width_of(ax) > canvas.NARROW_AXES
        room = (0.4 + abs(across - 0.5) if wide else 0.85) * canvas.width_of(ax)
        lines, size = [", ".join(words)], canvas.font(ax)
        if canvas.width_of_text(ax, lines[0], size) > room:
            lines = [canvas.fitting(ax, [word], room, size) for word in words]
        lines = [f"best {canvas.number(float(values[row, column]))}", *lines]
        side, height = 1 if across < 0.5 else -1, canvas.label_height(ax, len(lines))
        # The name of the limit is on the left, over it
        down = self.limit_line_ is not None or up > 0.5
        down = down and up > height
        spot = {"xytext": (9 * side * wide, -9 if down else 9), "textcoords": "offset points"}
        spot |= {"ha": "left" if side * (wide - 0.5) > 0 else "right"}
        spot |= {"va": "top" if down else "bottom"}
        spot["xycoords"] = "data" if wide else ax.get_yaxis_transform()
        at = (point[0] if wide else 0.5 + 0.47 * side, point[1])
        self.texts_ = [ax.annotate("\n".join(lines), at, **spot, **_paper(ax))]


def _paper(ax: Axes) -> dict[str, Any]:
    """Of a note that is read over any colour."""
    box = {"facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.85, "pad": 2}
    style = {"fontsize": canvas.font(ax), "color": canvas.text_colour(), "parse_math": False}
    return {**style, "bbox": box, "zorder": 5}


# --- Axes ---


def _scale(name: str) -> str:
    return "linear" if name == "l1_ratio" else "log"


def _placed(values: np.ndarray, name: str) -> np.ndarray:
    """Where values stand: on a logarithmic axis a zero stands one step before the others."""
    if _scale(name) == "linear" or values[0] > 0:
        return values
    step = values[2] / values[1] if len(values) > 2 else 10.0
    return np.concatenate([[values[1] / step], values[1:]])


def _edges(values: np.ndarray, name: str) -> np.ndarray:
    """Where the cells of these values begin and end: half way to the next, on the axis.

    Those of an l1_ratio end at 0 and 1, because there is none beyond.
    """
    log = _scale(name) == "log"
    places = _placed(values, name)
    places = np.log(places) if log else places
    middles = (places[1:] + places[:-1]) / 2
    ends = [2 * places[0] - middles[0], *middles, 2 * places[-1] - middles[-1]]
    return np.exp(ends) if log else np.clip(ends, 0.0, 1.0)


def _ticks(axis: Axis, values: np.ndarray, name: str) -> None:
    (canvas.log_ticks if _scale(name) == "log" else canvas.linear_ticks)(axis)
    if _scale(name) == "log" and values[0] == 0:
        canvas.zero_tick(axis, _placed(values, name)[0], values[1])


def _word(name: str, value: float) -> str:
    if name == "max_iter":
        return canvas.counted(value).replace("\u00a0", " ")
    word = {"learning_rate": "rate", "share": "alpha / largest"}.get(name, name)
    return f"{word} {canvas.number(float(value))}"


def _said(score: str | None, negated: bool) -> str:
    """The name of a score: without the "neg" of scikit-learn where the values are without it."""
    name = "mean score" if score is None else "held-out R²" if score == "r2" else score
    if name.startswith("neg_"):
        name = name.removeprefix("neg_") if negated else f"negative {name.removeprefix('neg_')}"
    elif negated:
        name = f"negative {name}"
    return name.replace("_", " ")


# --- Results ---


def _of(results: Any, best: int | None, who: str) -> dict[str, Any]:
    """The values of the two parameters that vary, and the scores of their pairs."""
    columns, scores = _columns(results)
    varying = [name for name in LISTS if len(set(columns.get(name, ()))) > 1]
    x_name, y_name = _two(varying, columns, who)
    if "auto" in columns[y_name]:
        raise ValueError(
            f'{who} must have numbers as learning rates where they are drawn, got "auto" among '
            'them; leave it out, or write learning_rates=["auto"] to draw the other parameters.'
        )
    first, second = (np.asarray(columns[name], dtype=float) for name in (x_name, y_name))
    if (x_name, y_name) == ("alpha", "l1_ratio"):
        x_name, first = _comparable(first, second)
    x, column = np.unique(first, return_inverse=True)
    y, row = np.unique(second, return_inverse=True)
    table = np.full((len(y), len(x)), np.nan)
    seen = np.zeros(table.shape, dtype=bool)
    # Of equal candidates the first
    table[row[::-1], column[::-1]], seen[row, column] = scores[::-1], True
    if not seen.all():
        raise ValueError(
            f"{who} must have each of {len(x)} values of {x_name} with each of {len(y)} values of "
            f"{y_name}, but {int((~seen).sum())} pairs are missing; search a full grid."
        )
    place = None if best is None else (int(row[best]), int(column[best]))
    return {"x": x, "y": y, "scores": table, "x_name": x_name, "y_name": y_name, "best": place}


def _columns(results: Any) -> tuple[dict[str, list[Any]], np.ndarray]:
    """The parameters by their last names, and the mean scores."""
    if not (isinstance(results, Mapping) and {"params", "mean_test_score"} <= set(results)):
        raise ValueError(
            "cv_results must be a dict with 'params' and 'mean_test_score', as cv_results_ of a "
            f"fitted search, got {type(results).__name__}."
        )
    rows = [{name.split("__")[-1]: v for name, v in row.items()} for row in results["params"]]
    names = dict.fromkeys(name for row in rows for name in row)
    other = [n for n in names if n not in LISTS and len({repr(row.get(n)) for row in rows}) > 1]
    if other:
        raise ValueError(f"cv_results must vary in {[*LISTS]} alone, but {other[0]!r} varies, too.")
    columns = {name: [row.get(name) for row in rows] for name in names if name in LISTS}
    return columns, np.asarray(results["mean_test_score"], dtype=float)


def _two(varying: list[str], columns: Mapping[str, Any], who: str) -> tuple[str, str]:
    """Refuses more and fewer than two parameters with several values."""
    if len(varying) == 2:
        return varying[0], varying[1]
    lists = ", ".join(LISTS.values())
    if len(varying) < 2:
        name = next(n for n in LISTS if n not in varying)
        asked = f"write several values of one more, such as {LISTS[name]}"
    else:
        one = varying[-2] if varying[-1] == "learning_rate" else varying[-1]
        asked = f"write one value of another, such as {LISTS[one]}=[{columns[one][0]!r}]"
    got = " and ".join(LISTS[name] for name in varying) or "none"
    raise ValueError(
        f"{who} must have several values of exactly two of {lists}, got {got}; {asked}."
    )


def _comparable(alphas: np.ndarray, ratios: np.ndarray) -> tuple[str, np.ndarray]:
    """The alphas, or their shares of the largest where each l1_ratio has alphas of its own."""
    groups = [alphas[ratios == ratio] for ratio in np.unique(ratios)]
    if all(np.array_equal(np.unique(group), np.unique(groups[0])) for group in groups):
        return "alpha", alphas
    largest = np.array([alphas[ratios == ratio].max() for ratio in ratios])
    shares = alphas / largest
    digits = (
        SHARE_DIGITS - 1 - np.floor(np.log10(shares, where=shares > 0, out=np.zeros(len(shares))))
    )
    return "share", np.array([round(s, int(k)) for s, k in zip(shares, digits, strict=True)])


def _limits(model: Any, X: Any, y: Any, made: Mapping[str, Any]) -> np.ndarray:
    """The limit on all rows at each value of the other parameter."""
    asked = {"alpha": model.alpha_, "l1_ratio": model.l1_ratio_}
    options = {"fit_intercept": model.fit_intercept, "momentum": model.momentum, "tol": None}
    limits, name = [], made["x_name"]
    for value in made["x"] if name in asked else made["x"][:1]:
        asked |= {name: float(value)} if name in asked else {}
        # Any rate will do: no update is made
        one = GDLinearRegressor(1e-300, max_iter=0, **options, **asked)
        limits.append(one.fit(X, y).max_learning_rate_)
    return np.broadcast_to(np.array(limits), len(made["x"]))
