"""What a penalty does to the coefficients, from the strongest to the weakest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from gd_regressor.estimator.arrays import names_of
from gd_regressor.penalised_paths import elastic_net_path
from gd_regressor.plots import canvas

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

MOST_PATHS_NAMED = 8  # columns, as many as there are dash patterns; the others are thin and grey
LABEL_SHARE = 0.45  # of the width of the axes; of longer names the middle is left out


class PenaltyPathDisplay:
    """The coefficients at each strength of a penalty, which falls from the left to the right.

    On the left the penalty holds all or most of them at zero. The largest have names.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Strengths > 0 of the penalty, in any order.
    coefs : array-like of shape (n_features, n_alphas)
        The coefficients at each of them.
    feature_names : sequence of str, default=None
        Names of the columns; None is x0, x1, ...

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        For each column its coefficients.
    zero_line_ : matplotlib Line2D
        The line of zero.
    legend_ : matplotlib Legend or None
        The names of the columns, where they are in a legend.
    texts_ : list of matplotlib Text
        The names of the columns, where they are at the ends of the lines.

    See Also
    --------
    elastic_net_path : The numbers.
    CVSurfaceDisplay : Which strength predicts best.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from gd_regressor import PenaltyPathDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = PenaltyPathDisplay.from_data(X[["age", "bmi", "bp"]], y, l1_ratio=1.0)
    >>> [text.get_text() for text in display.texts_]
    ['age', 'bmi', 'bp']
    """

    # What `plot` writes
    ax_: Axes
    figure_: Figure
    lines_: list[Line2D]
    zero_line_: Line2D
    legend_: Legend | None
    texts_: list[Text]

    def __init__(
        self,
        alphas: ArrayLike,
        coefs: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.alphas = alphas
        self.coefs = coefs
        self.feature_names = feature_names

    def plot(
        self,
        ax: Axes | None = None,
        *,
        curve_kwargs: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> Self:
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        curve_kwargs : dict or list of dict, default=None
            Passed to `matplotlib.axes.Axes.plot`, for all lines or for each one.

        Returns
        -------
        self : PenaltyPathDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from gd_regressor import PenaltyPathDisplay
        >>> display = PenaltyPathDisplay([1.0, 0.1, 0.01], [[0.0, 0.4, 0.6], [0.0, 0.0, -0.1]])
        >>> display.plot(Figure().subplots()).ax_.get_xlabel()
        'alpha'
        """
        alphas, coefs, names = self._checked()
        each = canvas.kwargs_for("curve_kwargs", curve_kwargs, len(coefs))
        order = np.argsort(-alphas, kind="stable")
        alphas, coefs = alphas[order], coefs[:, order]
        sizes = np.abs(coefs).max(axis=1)
        largest = np.argsort(-sizes, kind="stable")[:MOST_PATHS_NAMED]
        named = [int(i) for i in np.sort(largest) if sizes[i] > 0]
        with canvas.drawing(ax, (7, 4.6)) as ax:
            ax.set_xscale("log")
            self.lines_ = []
            for i, values in enumerate(coefs):
                style: dict[str, Any] = {"color": "0.6", "linewidth": 0.8}
                if i in named:
                    style = canvas.line_style(named.index(i))
                self.lines_ += ax.plot(alphas, values, **{**style, **each[i]})
            light = {"color": canvas.text_colour(), "linewidth": 0.8, "zorder": 1.5}
            self.zero_line_ = ax.axhline(0.0, **light)
            canvas.dress(ax, ["alpha"], ["coefficient"])
            ax.set_xlim(alphas[-1], alphas[0])
            canvas.log_ticks(ax.xaxis)
            ax.invert_xaxis()
            canvas.linear_ticks(ax.yaxis)
            self._name(ax, coefs, named, names)
            self.ax_ = ax
            self.figure_ = ax.figure  # pyright: ignore[reportAttributeAccessIssue]
        return self

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any,
        *,
        l1_ratio: float = 0.5,
        alphas: int | ArrayLike = 100,
        eps: float = 1e-3,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        fit_intercept: bool = True,
        sample_weight: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw the path that `elastic_net_path` computes of these columns and targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Columns. A penalty is in their units, so they are usually standardised.
        y : array-like of shape (n_samples,)
            Targets.
        l1_ratio : float, default=0.5
            Share of the L1 penalty, from 0 (ridge) to 1 (lasso).
        alphas : int or array-like of shape (n_alphas,), default=100
            Strengths > 0 of the penalty, or how many of them.
        eps : float, default=1e-3
            The last of so many `alphas`, as a share of the first; in (0, 1).
        positive : bool, default=False
            Whether to hold all coefficients at or above zero.
        penalty_weights : array-like of shape (n_features,), default=None
            Factors >= 0 of `alpha`, one per column; None gives each column 1.
        fit_intercept : bool, default=True
            Whether the model has an intercept, which has no penalty.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; None gives each row weight 1.
        feature_names : sequence of str, default=None
            The names of the columns; None takes those of a data frame, else x0, x1, ...
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : PenaltyPathDisplay

        Raises
        ------
        ValueError
            If a parameter or a value of the data cannot be used.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import load_diabetes
        >>> from gd_regressor import PenaltyPathDisplay
        >>> X, y = load_diabetes(return_X_y=True)
        >>> ax = Figure().subplots()
        >>> display = PenaltyPathDisplay.from_data(X, y, alphas=20, ax=ax)
        >>> len(display.lines_), len(display.alphas)
        (10, 20)
        """
        options = {"l1_ratio": l1_ratio, "eps": eps, "positive": positive}
        options |= {"penalty_weights": penalty_weights, "fit_intercept": fit_intercept}
        path = elastic_net_path(X, y, alphas=alphas, sample_weight=sample_weight, **options)
        names = names_of(X, feature_names, path[1].shape[-2])
        return cls.from_path(*path[:2], feature_names=names, ax=ax, **plot_arguments)

    @classmethod
    def from_path(
        cls,
        alphas: ArrayLike,
        coefs: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **plot_arguments: Any,
    ) -> Self:
        """Draw a path that was computed before, by `elastic_net_path` or by scikit-learn.

        Parameters
        ----------
        alphas : array-like of shape (n_alphas,)
            Strengths > 0 of the penalty, in any order.
        coefs : array-like of shape (n_features, n_alphas)
            The coefficients at each of them.
        feature_names : sequence of str, default=None
            Names of the columns; None is x0, x1, ...
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes new ones.
        **plot_arguments : dict
            Passed to `plot`.

        Returns
        -------
        display : PenaltyPathDisplay

        Raises
        ------
        ValueError
            If a parameter cannot be used.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import load_diabetes
        >>> from gd_regressor import PenaltyPathDisplay, elastic_net_path
        >>> X, y = load_diabetes(return_X_y=True)
        >>> alphas, coefs, _, _ = elastic_net_path(X, y, l1_ratio=1.0, alphas=20)
        >>> display = PenaltyPathDisplay.from_path(alphas, coefs, ax=Figure().subplots())
        >>> len(display.lines_)
        10
        """
        return cls(alphas, coefs, feature_names=feature_names).plot(ax, **plot_arguments)

    def _checked(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        alphas, coefs = (np.asarray(v, dtype=float) for v in (self.alphas, self.coefs))
        if alphas.ndim != 1 or len(np.unique(alphas)) < 2:
            raise ValueError(f"alphas must be two or more different numbers, got {self.alphas!r}.")
        if not (np.isfinite(alphas).all() and alphas.min() > 0):
            raise ValueError(
                "alphas must be finite and above 0 to have a place on a logarithmic axis, got "
                f"{alphas.min():g} as the smallest; leave out such, as by alphas[alphas > 0]."
            )
        if coefs.ndim == 3:
            raise ValueError(
                f"coefs must be of one target, got those of {len(coefs)}; write coefs[0], or "
                "y[:, 0], for the first."
            )
        if coefs.ndim != 2 or coefs.shape[1] != len(alphas) or not len(coefs):
            raise ValueError(
                f"coefs must have the shape (n_features, n_alphas) with {len(alphas)} alphas, got "
                f"{coefs.shape}."
            )
        if not np.isfinite(coefs).all():
            raise ValueError("coefs must be finite.")
        return alphas, coefs, names_of(None, self.feature_names, len(coefs))

    def _name(self, ax: Axes, coefs: np.ndarray, named: list[int], names: list[str]) -> None:
        """At the ends of the lines; where there is no room for all, in a legend."""
        self.legend_, self.texts_ = None, []
        if not named:
            return
        lines = [self.lines_[i] for i in named]
        widest = LABEL_SHARE * canvas.width_of(ax)
        words = [canvas.fitting(ax, [names[i]], widest, canvas.font(ax)) for i in named]
        colours = [line.get_color() for line in lines]
        direct = canvas.label_ends(ax, [float(coefs[i, -1]) for i in named], words, colours)
        if direct is not None:
            self.texts_ += direct
            return
        more = len(coefs) - len(named)
        self.legend_ = canvas.legend(ax, lines, words, f"{more} more are smaller" if more else None)
