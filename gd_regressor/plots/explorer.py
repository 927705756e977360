"""The explorer: a page on which a descent on the user's own table can be tried out."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Self

from numpy.typing import ArrayLike

from gd_regressor.data.kinds import MatrixLike
from gd_regressor.estimator.wrapped import unwrapped
from gd_regressor.paths import LearningRateReport, learning_rate_report
from gd_regressor.plots.page_data import (
    MOST_UPDATES,
    Beginning,
    Drawn,
    page_data,
    target_names,
)
from gd_regressor.plots.subject import checked_report, report_of_fitted

# The files of the page, in gd_regressor/plots/page/: arithmetic first, then what draws with it
SCRIPTS = ("descent.js", "charts.js", "panels.js", "controls.js", "page.js")
STYLE = "explorer.css"  # beside them
STRICT = '"use strict";'  # once is enough in one scope
# Strings, templates and patterns stay. Comments go, and blanks beside signs and at line ends
PIECES = re.compile(
    r"""(?P<kept>"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|'(?:\\.|[^'\\])*'|(?<=\()/(?:\\.|[^/\\])+/)"""
    r"""|\s*//.*|\s*(?P<sign>[-+%=*<>?:,;(){}&|]+)\s*|\s*(?P<line>\n)\s*"""
)


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
        rows = Drawn.of(report, X, y, max_points, random_state)
        self._set_up(report, rows, target_names(target_name, y, report), begin, title)

    @classmethod
    def from_report(
        cls,
        report: LearningRateReport,
        X: MatrixLike | None = None,
        y: ArrayLike | None = None,
        *,
        target_name: str | Sequence[str] | None = None,
        title: str | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.0,
        n_iter: int = 30,
        tol: float = 1e-6,
        columns: str = "standardised",
        max_points: int = 400,
        random_state: Any = 0,
    ) -> Self:
        """The page about a report, such as that of a stream or of a Dask array.

        Parameters
        ----------
        report : LearningRateReport
            Of the data.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows to draw in the picture of the fit, in the units of the report; None draws none.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Their targets.
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
            Whether to begin with standardised columns, or with those of the report.
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
            If a parameter cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import DescentExplorer, learning_rate_report
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> report = learning_rate_report(X, y)
        >>> page = DescentExplorer.from_report(report, learning_rate=0.01).to_html()
        >>> page.startswith("<!doctype html>")
        True
        """
        begin = Beginning(learning_rate, momentum, n_iter, tol, columns)
        rows = Drawn.of(checked_report(report), X, y, max_points, random_state)
        explorer = cls.__new__(cls)
        explorer._set_up(report, rows, target_names(target_name, y, report), begin, title)
        return explorer

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

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import DescentExplorer, GDLinearRegressor
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> model = GDLinearRegressor(learning_rate=0.01, max_iter=60, tol=None).fit(X, y)
        >>> page = DescentExplorer.from_estimator(model, X, y).to_html()
        >>> page.startswith("<!doctype html>")
        True
        """
        otherwise = "DescentExplorer(X, y)"
        report = report_of_fitted(estimator, X, y, sample_weight, otherwise=otherwise)
        if report.setting is None:
            raise ValueError(
                "estimator must have a number as learning_rate, got learning_rate='auto'; use "
                f"{otherwise}."
            )
        parts = unwrapped(estimator)
        rate, momentum, tol = report.setting
        return cls.from_report(
            report,
            *parts.transformed(X, y),
            target_name=target_names(target_name, y, report),
            title=title,
            learning_rate=rate,
            momentum=momentum,
            n_iter=min(int(parts.model.n_iter_), MOST_UPDATES),
            tol=1e-6 if tol is None else tol,
            columns="raw",
            max_points=max_points,
            random_state=random_state,
        )

    def _set_up(
        self,
        report: LearningRateReport,
        rows: Drawn,
        names: list[str],
        begin: Beginning,
        title: str | None,
    ) -> None:
        begin.check()
        self.report_ = checked_report(report)
        if not report.standardised.largest_curvature > 0:
            raise ValueError(
                "X must have a column that varies where fit_intercept is False: standardised, "
                "constant columns are zero."
            )
        self._data = page_data(report, rows, names, begin, title)

    def to_html(self) -> str:
        """The page, as the text of one HTML file.

        Returns
        -------
        html : str

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import DescentExplorer
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> page = DescentExplorer(X, y, learning_rate=0.01, title="Five points").to_html()
        >>> "<title>Five points" in page
        True
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

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from gd_regressor import DescentExplorer
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     DescentExplorer(X, y).save(Path(folder) / "descent.html")
        ...     print(*[file.name for file in Path(folder).iterdir()])
        descent.html
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

        Examples
        --------
        >>> import numpy as np
        >>> from gd_regressor import DescentExplorer
        >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
        >>> widget = DescentExplorer(X, y, learning_rate=0.01).widget()
        >>> widget.rate
        0.01
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
@media screen {{ html {{ color-scheme: light dark; background: Canvas; }} }}
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


@cache
def _script() -> str:
    """The scripts in one, without comments and needless blanks."""
    first, *others = map(_asset, SCRIPTS)
    text = "\n".join([first, *(text.replace(STRICT, "", 1) for text in others)])
    return PIECES.sub(lambda found: _kept(found) or found["sign"] or found["line"] or "", text)


def _kept(found: re.Match[str]) -> str:
    """A string as it is; a template without the indents of its lines, which HTML does not show."""
    return re.sub(r"\n\s+", "\n", found["kept"] or "")


@cache
def _style() -> str:
    """The style without comments and needless blanks."""
    text = re.sub(r"/\*.*?\*/", "", _asset(STYLE), flags=re.DOTALL)
    return re.sub(r"(?<=[{};:,])\s+|\s+(?={)|;\s+(?=})", "", text)


def _asset(name: str) -> str:
    return resources.files("gd_regressor.plots").joinpath("page", name).read_text("utf-8")
