"""The explorer: a page on which a descent on the user's own table can be tried out."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from gd_regressor.data.kinds import MatrixLike
from gd_regressor.estimator.directions import INTERCEPT, direction_names
from gd_regressor.estimator.parameters import (
    check_integer,
    check_learning_rate,
    check_momentum,
    check_tol,
)
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.paths import LearningRateReport, learning_rate_report
from gd_regressor.plots.subject import checked_report
from gd_regressor.textbook.landscape import Landscape

# The files of the page, in gd_regressor/plots/page/: arithmetic first, then what draws with it
SCRIPTS = ("descent.js", "charts.js", "panels.js", "controls.js", "page.js")
STYLE = "explorer.css"  # beside them
DIGITS = 6  # of the rows that are only drawn
MOST_IN_MENU = 12  # columns; their pairs are what a menu can hold
MANY_DIRECTIONS = 50  # directions; beyond, those with no share in the loss are left out
NO_SHARE = 1e-18  # of the first loss: its root is rounding
MOST_UPDATES = 10**9  # that the slider can show
FIRST_SHARE = 0.4  # of the limit: a rate that shows something
VIEWS = ("raw", "standardised")  # the units of the columns


class DescentExplorer:
    """An interactive page about gradient descent on a table, in one file that needs no network.

    Sliders set the learning rate, the momentum and the number of updates. The page shows the loss,
    the way down, what is left of each direction, and the fit. All its numbers are exact: it
    computes them from the eigenvalues, as `LearningRateReport` does.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Columns, in any units.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets. The page shows one at a time.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0.
    fit_intercept : bool, default=True
        Whether there is an intercept.
    feature_names : sequence of str, default=None
        The names of the columns; None takes those of a data frame, else x0, x1, ...
    target_name : str or sequence of str, default=None
        The name or names of the targets; None takes those of a data frame or series, else y.
    title : str, default=None
        The heading; None makes one of the names.
    learning_rate : float, default=None
        The rate to begin with; None is 0.4 of the limit.
    momentum : float, default=0.0
        The momentum to begin with, in [0, 1).
    n_iter : int, default=30
        The number of updates to begin with, at most a billion.
    tol : float, default=1e-6
        What the stopping rule of the page uses, in units of the variance of y.
    columns : {"standardised", "raw"}, default="standardised"
        Whether to begin with columns of mean 0 and deviation 1, or with the columns as they are.
    max_points : int, default=400
        How many rows the page holds at most, with 6 digits, for the picture of the fit. 0 leaves
        all rows out: the page then holds curvatures and coefficients only.
    random_state : int, RandomState instance or None, default=0
        Chooses these rows.
    coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
        Coefficients to start from; None is zeros.
    intercept_init : float or array-like of shape (n_targets,), default=None
        Intercept to start from; None is 0.

    Attributes
    ----------
    report_ : LearningRateReport
        What the page is made from.

    See Also
    --------
    learning_rate_report : The same numbers in Python.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import DescentExplorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 2)) * [1.0, 10.0]
    >>> explorer = DescentExplorer(X, X @ [1.0, 2.0] + 3.0, feature_names=["size", "weight"])
    >>> page = explorer.to_html()
    >>> "size" in page, "http://" in page
    (True, False)
    """

    def __init__(
        self,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        feature_names: Sequence[str] | None = None,
        target_name: str | Sequence[str] | None = None,
        title: str | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.0,
        n_iter: int = 30,
        tol: float = 1e-6,
        columns: str = "standardised",
        max_points: int = 400,
        random_state: Any = 0,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
    ) -> None:
        report = learning_rate_report(
            X,
            y,
            sample_weight=sample_weight,
            fit_intercept=fit_intercept,
            feature_names=feature_names,
            coef_init=coef_init,
            intercept_init=intercept_init,
        )
        begin = Beginning(learning_rate, momentum, n_iter, tol, columns)
        rows = Drawn.of(X, y, sample_weight, max_points, random_state)
        self._set_up(report, rows, _target_names(target_name, y, report), begin, title)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        target_name: str | Sequence[str] | None = None,
        title: str | None = None,
        max_points: int = 400,
        random_state: Any = 0,
    ) -> Self:
        """The page about a fitted estimator, beginning with its learning rate and updates.

        Parameters
        ----------
        estimator : GDLinearRegressor, Pipeline or TransformedTargetRegressor
            Fitted, with a number as `learning_rate`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            What it was fitted to. The page shows the columns that reach the descent.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Its targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Its weights.
        target_name : str or sequence of str, default=None
            The name or names of the targets; None takes those of a data frame or series, else y.
        title : str, default=None
            The heading; None makes one of the names.
        max_points : int, default=400
            How many rows the page holds at most.
        random_state : int, RandomState instance or None, default=0
            Chooses these rows.

        Returns
        -------
        explorer : DescentExplorer

        Raises
        ------
        ValueError
            If the estimator is not fitted by gradient descent with a number as `learning_rate`.
        """
        report = LearningRateReport.from_estimator(estimator, X, y, sample_weight=sample_weight)
        if report.setting is None:
            raise ValueError(
                "estimator must have a number as learning_rate, got learning_rate='auto'; use "
                "DescentExplorer(X, y)."
            )
        parts = unwrapped(estimator)
        rate, momentum, tol = report.setting
        n_iter = min(int(parts.model.n_iter_), MOST_UPDATES)
        begin = Beginning(rate, momentum, n_iter, 1e-6 if tol is None else tol, "raw")
        names = _target_names(target_name, y, report)
        rows = Drawn.of(*parts.transformed(X, y), sample_weight, max_points, random_state)
        explorer = cls.__new__(cls)
        explorer._set_up(report, rows, names, begin, title)
        return explorer

    def _set_up(
        self,
        report: LearningRateReport,
        rows: Drawn,
        target_names: list[str],
        begin: Beginning,
        title: str | None,
    ) -> None:
        begin.check()
        self.report_ = checked_report(report)
        self._data = page_data(report, rows, target_names, begin, title)

    def to_html(self) -> str:
        """The page, as the text of one HTML file.

        Returns
        -------
        html : str
        """
        title, report = html.escape(self._data["title"]), self.report_
        sides = {"as they are": report, "standardised": report.standardised}
        limits = "; ".join(
            f"columns {units}: limit {side.limit():.6g}, best guaranteed rate "
            f"{side.best_learning_rate:.6g}"
            for units, side in sides.items()
        )
        return PAGE.format(
            title=title,
            style=_style(),
            without=html.escape(f"Without JavaScript there are numbers only. {limits}."),
            script=_script(),
            data=self._literal(),
        )

    def save(self, path: str | Path) -> None:
        """Write the page to a file.

        Parameters
        ----------
        path : str or Path
            The file, which is replaced if it is there.
        """
        Path(path).write_text(self.to_html(), encoding="utf-8")

    def _repr_html_(self) -> str:
        page = html.escape(self.to_html(), quote=True)
        title = html.escape(self._data["title"], quote=True)
        style = "width:100%;height:600px;border:0"
        return f'<iframe title="{title}" style="{style}" srcdoc="{page}"></iframe>'

    def widget(self) -> Any:
        """The page as a notebook widget, whose `rate`, `momentum` and `k` come back to Python.

        Returns
        -------
        widget : anywidget.AnyWidget
            With the traits `rate`, `momentum` and `k`, which change with the sliders.

        Raises
        ------
        ImportError
            If anywidget is not installed.
        """
        try:
            import anywidget
            import traitlets
        except ImportError as error:
            raise ImportError("widget needs anywidget; write pip install anywidget.") from error
        begin = self._data["set"]

        class Widget(anywidget.AnyWidget):
            _esm = WIDGET.format(script=_script(), data=self._literal())
            _css = _style()
            rate = traitlets.Float(begin["rate"]).tag(sync=True)
            momentum = traitlets.Float(begin["momentum"]).tag(sync=True)
            k = traitlets.Int(begin["k"]).tag(sync=True)

        return Widget()

    def _literal(self) -> str:
        """The data as an expression of JavaScript that no HTML parser takes for a tag."""
        return json.dumps(self._data, separators=(",", ":")).replace("<", "\\u003c")


# The file; what is in braces comes from `to_html`
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}
html {{ color-scheme: light dark; background: Canvas; }}
body {{ margin: 0; }}
</style>
</head>
<body>
<main id="explorer"></main>
<noscript><p>{without}</p></noscript>
<script>(function () {{
{script}
explore(document.getElementById("explorer"), {data});
growFrame();
}})();</script>
</body>
</html>
"""

# The module that a notebook loads
WIDGET = """
{script}
export default {{
  render({{ model, el }}) {{
    explore(el, {data}, (now) => {{
      for (const [name, value] of Object.entries(now)) model.set(name, value);
      model.save_changes();
    }});
  }},
}};
"""


@dataclass(frozen=True)
class Beginning:
    """What the page shows first."""

    rate: float | None
    momentum: float
    n_iter: int
    tol: float
    columns: str

    def check(self) -> None:
        """Refuses what the page could not show."""
        if self.rate is not None:
            check_learning_rate(self.rate)
        check_momentum(self.momentum)
        check_tol(self.tol)
        if self.tol is None:
            raise ValueError("tol must be a number >= 0, got None; say how near.")
        check_integer("n_iter", self.n_iter, 0)
        if self.n_iter > MOST_UPDATES:
            raise ValueError(f"n_iter must be at most {MOST_UPDATES:,}, got {self.n_iter!r}.")
        if self.columns not in VIEWS:
            raise ValueError(f"columns must be one of {VIEWS}, got {self.columns!r}.")

    def as_state(self, report: LearningRateReport) -> dict[str, Any]:
        """The state of the page."""
        shown = report if self.columns == "raw" else report.standardised
        rate = FIRST_SHARE * shown.limit(self.momentum) if self.rate is None else float(self.rate)
        return {
            "rate": rate,
            "momentum": float(self.momentum),
            "k": int(self.n_iter),
            "columns": self.columns,
        }


@dataclass(frozen=True)
class Drawn:
    """The rows that the page draws."""

    X: np.ndarray  # (m, d), m <= max_points
    y: np.ndarray  # (m, t)
    means: np.ndarray  # (d,): of all rows
    n_rows: int

    @classmethod
    def of(cls, X: Any, y: Any, weights: Any, max_points: Any, random_state: Any) -> Drawn:
        """A sample of the rows, in their order. The report has checked X, y and the weights."""
        check_integer("max_points", max_points, 0)
        table: Any = X.tocsr() if issparse(X) else np.asarray(X, dtype=np.float64)
        y = np.asarray(y, dtype=np.float64).reshape(table.shape[0], -1)
        n = table.shape[0]
        weights = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
        chosen = np.arange(n)
        if n > max_points:
            random = check_random_state(random_state)
            chosen = np.sort(random.choice(n, max_points, replace=False))
        rows = table[chosen]
        rows = rows.toarray() if issparse(rows) else rows
        return cls(rows, y[chosen], (weights / weights.sum()) @ table, n)


def page_data(
    report: LearningRateReport,
    rows: Drawn,
    target_names: list[str],
    begin: Beginning,
    title: str | None,
) -> dict[str, Any]:
    """All that the page knows, as plain numbers and words."""
    d, columns = len(report.feature_names), report.feature_names
    parameters = [*columns, *([INTERCEPT] if report.fit_intercept else [])]
    what = columns[0] if d == 1 else f"{d} columns"
    count = f"{d} column{'s' if d > 1 else ''}"
    raw, scaled = report._landscape, report._landscape.standardised
    return {
        "title": title or f"{', '.join(target_names)} from {what}",
        "subtitle": f"{rows.n_rows:,} rows, {count}. Every curve is exact: the page computes it "
        f"from {len(parameters)} eigenvalues and simulates nothing.",
        "columns": columns,
        "parameters": parameters,
        "targets": target_names,
        "intercept": report.fit_intercept,
        "tol": float(begin.tol),
        "set": begin.as_state(report),
        "means": rows.means.tolist(),
        "scales": raw.deviations.tolist(),
        "menu": _in_menus(report.standardised),
        "sample": {"X": _rounded(rows.X), "y": _rounded(rows.y)},
        "views": {"raw": _view(raw, columns, begin), "standardised": _view(scaled, columns, begin)},
    }


def _view(landscape: Landscape, columns: list[str], begin: Beginning) -> dict[str, Any]:
    """The directions of the columns in one kind of units, and each target's start in them."""
    modes, count = landscape.modes, landscape.start.shape[1]
    shown = np.ones(len(modes.singular), dtype=bool)
    if len(shown) > MANY_DIRECTIONS:
        share = (modes.residual**2).sum(axis=1)
        shown = share > NO_SHARE * share.sum()
    curvatures, vectors = modes.curvatures[shown], modes.vectors[:, shown]
    still = modes.still + modes.vectors[:, ~shown] @ modes.start[~shown]
    curved = curvatures[curvatures > 0]
    return {
        "condition": float(curved.max() / curved.min()),
        "curvatures": curvatures.tolist(),
        "vectors": vectors.T.tolist(),
        "labels": direction_names(vectors, columns),
        "targets": [
            {
                "minimum": float(modes.minimum[t]),
                "variance": float(landscape.scales.variance[t]),
                "square": float(landscape.scales.square[t]),
                "centred": float(landscape.variance_about_mean[t]),
                "still": still[:, t].tolist(),
                "residual": modes.residual[shown, t].tolist(),
                "start": modes.start[shown, t].tolist(),
                "slope": (2 * modes.singular * modes.response[:, t])[shown].tolist(),
                **_best(LearningRateReport(landscape.for_target(t), columns), begin.tol),
            }
            for t in range(count)
        ],
    }


def _best(report: LearningRateReport, tol: float) -> dict[str, dict[str, float]]:
    """The settings that the page recommends for one target."""
    best, (momentum, rate) = report.best_learning_rate, report.best_momentum
    fastest, fewest = report.fastest(tol)
    return {
        "best": {"rate": best, "needs": report.needs(best, 0.0, tol)},
        "fastest": {"rate": fastest, "needs": fewest},
        "heavy": {"rate": rate, "momentum": momentum, "needs": report.needs(rate, momentum, tol)},
    }


def _in_menus(report: LearningRateReport) -> list[int]:
    """The columns with the largest coefficients of standardised columns, and the intercept."""
    d = len(report.feature_names)
    size = np.abs(np.atleast_2d(report.coef)).max(axis=0)
    largest = np.argsort(-size, kind="stable")[: MOST_IN_MENU - report.fit_intercept]
    return [*sorted(map(int, largest)), *([d] if report.fit_intercept else [])]


def _rounded(rows: np.ndarray) -> list[list[float]]:
    """Numbers with so many digits, whole ones as integers: they are shorter."""
    short = [[float(f"{value:.{DIGITS}g}") for value in row] for row in rows]
    return [[int(v) if v.is_integer() and abs(v) < 1e15 else v for v in row] for row in short]


def _target_names(given: Any, y: Any, report: LearningRateReport) -> list[str]:
    """Names of the targets: `given`, those of a frame or series, or y, y0, y1, ..."""
    count = len(np.atleast_2d(report.coef))
    names = [given] if isinstance(given, str) else given
    if names is None:
        known = getattr(y, "columns", [getattr(y, "name", None)])
        plain = ["y"] if count == 1 else [f"y{t}" for t in range(count)]
        return list(known) if len(known) == count and all(map(_is_name, known)) else plain
    names = [str(name) for name in names]
    if len(names) != count:
        raise ValueError(f"target_name must name {count} targets, got {names}.")
    return names


def _is_name(name: Any) -> bool:
    return isinstance(name, str)


def _script() -> str:
    """The scripts in one, without their comments and indentation."""
    lines = "\n".join(_asset(name) for name in SCRIPTS).splitlines()
    stripped = (re.sub(r"; // .*", ";", line).strip() for line in lines)
    return "\n".join(line for line in stripped if line and not line.startswith("//"))


def _style() -> str:
    """The style without comments and needless blanks."""
    text = re.sub(r"/\*.*?\*/", "", _asset(STYLE), flags=re.DOTALL)
    return re.sub(r"(?<=[{};:,])\s+|\s+(?={)", "", text)


def _asset(name: str) -> str:
    return resources.files("gd_regressor.plots").joinpath("page", name).read_text("utf-8")
