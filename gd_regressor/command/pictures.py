"""Pictures of the command: ``--plot KIND FILE``, and the page of ``--explore FILE.html``.

We check all that they need before the fit, so that no fit is lost to a wrong name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.preprocessing import StandardScaler

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.command.files import write
from gd_regressor.command.report import descent_of, in_original_units
from gd_regressor.command.tables import Problem, UserError, printable
from gd_regressor.command.words import in_shell_words
from gd_regressor.descent.nouns import ScheduleRecipe
from gd_regressor.descent.steps import ConstantStep
from gd_regressor.estimator.described import described
from gd_regressor.estimator.parameters import tol_of
from gd_regressor.estimator.shown import unit_of
from gd_regressor.losses import SQUARED, mean_in_words
from gd_regressor.paths import LearningRateReport, learning_rate_report
from gd_regressor.plots.explorer import DescentExplorer
from gd_regressor.plots.fit import FitDisplay
from gd_regressor.plots.kinked import Kinked
from gd_regressor.plots.learning_rate import SHARES, LearningRateDisplay
from gd_regressor.plots.loss_curve import LossCurveDisplay
from gd_regressor.plots.loss_surface import LossSurfaceDisplay

# A share so near to that of the rate asked for would hide its line
SAME_SHARE = 0.05
# After how many updates a picture of the fit shows a line: even steps on a logarithmic scale
STEPS_SHOWN = (0, 1, 3, 10, 30, 100, 300, 1000)
# Rows in a picture of the fit: more would be one blot, and a large file
MOST_ROWS_DRAWN = 1000
# Inches
SIZES = {"rates": (11, 4.5)}
SIZE = (7, 4.5)


class Picture(NamedTuple):
    """One --plot: what to draw, and into which file."""

    kind: str
    path: str
    figure: Any = None


def pictures_of(words: Sequence[Sequence[str]], table: str | None) -> tuple[list, str | None]:
    """The pictures that the words after each --plot ask for; and the table, if they swallowed it.

    ``--plot loss.png cars.csv`` names a file and then the table.
    """
    found = []
    for given in words:
        kind, *rest = given if given[0] in PICTURES else ("loss", *given)
        if not rest:
            raise UserError(f"--plot {kind} needs a file: write --plot {kind} {kind}.png")
        path, *swallowed = rest
        if len(swallowed) == 1 and table is None and Path(path).suffix:
            (table,) = swallowed
        elif swallowed:
            kinds = ", ".join(PICTURES)
            raise UserError(
                f"--plot takes FILE or KIND FILE, where KIND is one of {kinds}; got "
                f"{' '.join(given)!r}"
            )
        found.append(Picture(kind, path))
    return found, table


def check_page(path: str | None) -> None:
    """Refuse a file for --explore that a browser would not open."""
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--explore {path} must end in .html: a browser opens it")


def check_holds_rows(pictures: Sequence[Picture], page: str | None, table: str) -> None:
    """Refuse what shows rows, for a table that is read once and not held."""
    shown = ["--plot fit"] * any(picture.kind == "fit" for picture in pictures)
    for option in [*shown, *(["--explore"] if page else [])]:
        raise UserError(
            f"{option} shows rows, and the command does not hold those of {table}; choose --plot "
            "loss, rates or surface"
        )


def with_figures(pictures: Sequence[Picture]) -> list[Picture]:
    """Give each picture an empty figure. Raises where matplotlib, or a format, is not there."""
    if not pictures:
        return []
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--plot needs matplotlib: pip install matplotlib") from None
    # Not figures of pyplot, which need a display and stay open
    made = [
        picture._replace(
            figure=Figure(figsize=SIZES.get(picture.kind, SIZE), dpi=150, layout="constrained")
        )
        for picture in pictures
    ]
    for _, path, figure in made:
        known = sorted(figure.canvas.get_supported_filetypes())
        if Path(path).suffix[1:].lower() not in known:
            raise UserError(f"--plot {path} must end in one of .{', .'.join(known)}")
    return made


class Scene:
    """What is shown: the problem, and the descent that was asked for."""

    def __init__(self, problem: Problem, descent: Any, standardize: bool) -> None:
        self.problem, self.standardize = problem, standardize
        self.fit_intercept, self.tol = descent.fit_intercept, tol_of(descent)
        self.learning_rate, self.momentum = descent.learning_rate, descent.momentum
        self.alpha, self.positive = descent.alpha, descent.positive
        self.early_stopping = descent.early_stopping
        self.l1_ratio, self.loss, self.batch_size = (
            descent.l1_ratio,
            descent.loss,
            descent.batch_size,
        )

    @property
    def is_auto(self) -> bool:
        return self.learning_rate == "auto"

    @property
    def is_plain(self) -> bool:
        """Whether an update takes all rows, at "auto" or one rate, and the squared loss."""
        return self.beyond is None

    @property
    def beyond(self) -> tuple[str, str] | None:
        """What makes the descent another one than that, and the option to leave out."""
        if self.loss != SQUARED:
            return "descents on the squared loss", "--loss"
        if self.batch_size is not None:
            return "descents on all rows", "--batch-size"
        if isinstance(self.learning_rate, ScheduleRecipe):
            return "descents of one rate", "--schedule"
        if self.early_stopping:
            return "descents on all rows", "--early-stopping"
        return None

    @property
    def has_kinks(self) -> bool:
        """Whether the penalty makes a descent that no eigenvalues foretell."""
        return bool(self.positive or (self.alpha > 0 and self.l1_ratio > 0))

    @property
    def ridge(self) -> float:
        """The alpha of a ridge, else 0."""
        return 0.0 if self.has_kinks else max(self.alpha, 0.0)  # the fit refuses one below zero

    @property
    def penalty(self) -> str:
        """The penalty as a title names it."""
        held = f", alpha {self.alpha:g}, l1_ratio {self.l1_ratio:g}" if self.alpha else ""
        return held + (", positive" if self.positive else "")

    @property
    def units(self) -> str:
        return ", standardised" if self.standardize else ""

    @property
    def title(self) -> str:
        momentum = f", momentum {self.momentum:g}" if self.momentum else ""
        batches = "" if self.batch_size is None else f", batches of {self.batch_size:g}"
        loss = "" if self.loss == SQUARED else f", {mean_in_words(self.loss).removeprefix('mean ')}"
        title = (
            f"{self.problem.target}: learning rate {self.learning_rate}{momentum}{batches}{loss}"
        )
        title += f"{self.penalty}{self.units}"
        return printable(title)

    @cached_property
    def target(self) -> np.ndarray:
        """(n,): as the descent gets it."""
        return self._scaled(self.problem.y[:, None])[:, 0]

    @cached_property
    def report(self) -> LearningRateReport:
        """Of the columns and the target as the descent gets them, with a ridge if there is one."""
        columns, names = self._scaled(self.problem.X), list(self.problem.names)
        options: dict[str, Any] = {"fit_intercept": self.fit_intercept, "feature_names": names}
        options["alpha"] = self.ridge
        return learning_rate_report(columns, self.target, **options)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return StandardScaler().fit_transform(values) if self.standardize else values

    def check(self, pictures: Sequence[Picture], page: str | None) -> None:
        """Refuse, before the fit, what cannot be shown of it."""
        if page is not None:
            self._check_foretold("--explore")
        for kind in (picture.kind for picture in pictures):
            if kind == "rates":
                self._check_foretold("--plot rates")
            if kind == "surface" and self.beyond is not None:
                what, option = self.beyond
                raise UserError(
                    f"--plot surface shows {what} alone: leave {option} out, or choose --plot loss "
                    "or fit"
                )
            if kind in ("rates", "surface"):
                report = _told(f"--plot {kind}", lambda: self.report)
                if kind == "surface":
                    self._check_surface(report)

    def _check_foretold(self, option: str) -> None:
        if self.beyond is not None:
            what, instead = self.beyond
            raise UserError(
                f"{option} shows what eigenvalues foretell, and they foretell {what} alone: leave "
                f"{instead} out, or choose --plot loss or fit"
            )
        if self.has_kinks:
            raise UserError(
                f"{option} shows what eigenvalues foretell, and with an L1 penalty or --positive "
                "they foretell no descent: write --l1-ratio 0 and leave --positive out, or choose "
                "--plot loss, surface or fit"
            )

    def _check_surface(self, report: LearningRateReport) -> None:
        if self.is_auto:
            raise UserError(
                "--plot surface shows the way of a textbook descent: write --learning-rate "
                f"NUMBER, such as {report.best_learning_rate:.2g}"
            )
        if len(self.problem.names) + self.fit_intercept < 2:
            raise UserError(
                "--plot surface needs two coefficients: name two --features, or leave out "
                "--no-intercept"
            )


def draw(picture: Picture, scene: Scene, model: RegressorMixin) -> None:
    """Draw into the file of a picture."""
    figure = picture.figure
    _told(f"--plot {picture.kind}", lambda: PICTURES[picture.kind](figure, scene, model))
    # Above the axes, whose own titles tell what is outside the picture
    figure.suptitle(scene.title, parse_math=False)
    kind = Path(picture.path).suffix[1:]
    write(picture.path, lambda file: figure.savefig(file, format=kind))


def explore(path: str, scene: Scene, model: RegressorMixin) -> None:
    """Write the page about the table. It begins with the descent that was made."""
    problem, begin = scene.problem, {}
    if not scene.is_auto:
        begin = {"learning_rate": scene.learning_rate, "momentum": scene.momentum}
        begin["n_iter"] = descent_of(model).n_iter_
        begin |= {} if scene.tol is None else {"tol": scene.tol}

    def page() -> str:
        names: dict[str, Any] = {"feature_names": list(problem.names)}
        options = {"fit_intercept": scene.fit_intercept, "alpha": scene.ridge, **names}
        return DescentExplorer.from_report(
            learning_rate_report(problem.X, scene.target, **options),
            problem.X,
            scene.target,
            target_name=f"standardised {problem.target}" if scene.standardize else problem.target,
            columns="standardised" if scene.standardize else "raw",
            **begin,
        ).to_html()

    text = _told("--explore", page)
    write(path, lambda file: file.write(text.encode()))


def _told(option: str, work: Callable[[], Any]) -> Any:
    """Errors of pictures become lines of the command that name the option."""
    try:
        return work()
    except ValueError as error:
        words = in_shell_words(str(error).replace("n_iter", "max_iter"))
        raise UserError(f"{option}: {words}") from None


def _draw_loss(figure: Any, scene: Scene, model: RegressorMixin) -> None:
    descent = descent_of(model)
    curve, held, what = descent.loss_curve_, bool(scene.alpha), mean_in_words(scene.loss)
    wide = curve.max() > 1e3 * curve.min() > 0  # a climbing loss, or a nearly perfect fit
    display = LossCurveDisplay(curve, penalised=held, loss_name=what, unit=unit_of(descent))
    display.plot(figure.subplots(), log_scale=wide)


def _draw_rates(figure: Any, scene: Scene, model: RegressorMixin) -> None:
    report, options = scene.report, {"momentum": scene.momentum}
    if not scene.is_auto:
        limit = report.limit(scene.momentum)
        share = scene.learning_rate / limit
        others = [s * limit for s in SHARES if abs(s - share) > SAME_SHARE * share]
        options["learning_rates"] = sorted([*others, scene.learning_rate])
    LearningRateDisplay.from_report(report, ax=figure.subplots(1, 2), **options)


def _draw_surface(figure: Any, scene: Scene, model: RegressorMixin) -> None:
    features = (0, 1) if len(scene.problem.names) > 1 else (0, -1)
    if scene.has_kinks:
        table = scene.problem.X, scene.problem.y
        LossSurfaceDisplay.from_estimator(model, *table, features=features, ax=figure.subplots())
        return
    LossSurfaceDisplay.from_report(
        scene.report,
        learning_rate=scene.learning_rate,
        momentum=scene.momentum,
        n_iter=descent_of(model).n_iter_,
        features=features,
        ax=figure.subplots(),
    )


def _draw_fit(figure: Any, scene: Scene, model: RegressorMixin) -> None:
    """In the units of the table: a line for one column, else predictions."""
    problem, descent = scene.problem, descent_of(model)
    ks, coefs, intercepts = np.array([descent.n_iter_]), descent.coef_[:, None], descent.intercept_
    if scene.is_plain and not scene.is_auto:
        steps = [k for k in STEPS_SHOWN if k < descent.n_iter_]
        ks = np.array([*steps, descent.n_iter_])
        coefs, intercepts = _iterates(scene, model, ks)
    if scene.standardize:
        coefs, intercepts = in_original_units(problem, coefs, intercepts)
    shown = np.arange(len(problem.y))
    if len(shown) > MOST_ROWS_DRAWN:  # the same ones every time
        rng = np.random.default_rng(0)
        shown = np.sort(rng.choice(shown, MOST_ROWS_DRAWN, replace=False))
    FitDisplay(
        problem.X[shown],
        problem.y[shown],
        ks,
        coefs,
        np.atleast_1d(intercepts),
        means=problem.X.mean(axis=0),
        names=[printable(name) for name in problem.names],
        target_name=printable(problem.target),
    ).plot(figure.subplots(), kind="line" if len(problem.names) == 1 else "actual_vs_predicted")


def _iterates(scene: Scene, model: RegressorMixin, ks: np.ndarray) -> tuple[np.ndarray, Any]:
    """Coefficients (d, n) and intercepts (n,) after `ks` updates, in units of the descent."""
    if not scene.has_kinks:
        return scene.report.coefs(scene.learning_rate, scene.momentum, ks)
    found = described(model, scene.problem.X, scene.problem.y, None)
    step = ConstantStep(scene.learning_rate, scene.momentum)
    points = Kinked.of(found).points(step, ks)
    d = len(found.names)
    return points[:d], points[d] if scene.fit_intercept else np.zeros(len(ks))


# What --plot can draw, by the word before the file
PICTURES: dict[str, Callable[[Any, Scene, RegressorMixin], None]] = {
    "loss": _draw_loss,
    "rates": _draw_rates,
    "surface": _draw_surface,
    "fit": _draw_fit,
}
