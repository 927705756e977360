"""--cv: the alpha of some candidates that predicts held-out rows best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from gd_regressor.command.tables import Problem, UserError
from gd_regressor.estimator.parameters import asked_of, tol_of
from gd_regressor.penalised_paths import elastic_net_path
from gd_regressor.regressor import GDLinearRegressor
from gd_regressor.search import GDLinearRegressorCV

# Candidates without --alpha, from the least that makes all coefficients zero down to 1/1000 of it
CANDIDATES = 100

# --l1-ratio where it is not written, as in GDLinearRegressor
DEFAULT_SHARE = 0.5


class Choice(NamedTuple):
    """The best alpha, and how it did on rows that its fits had not seen."""

    alpha: float
    alphas: np.ndarray  # (a,): the candidates
    scores: np.ndarray  # (a, f): R² on the held-out rows of each fold

    @property
    def words(self) -> str:
        """One line of the report."""
        mine = self.scores[int(np.argmax(self.alphas == self.alpha))]
        n_folds = self.scores.shape[1]
        text = f"alpha {self.alpha:.6g}, the best of {len(self.alphas):,} by --cv {n_folds}: "
        text += f"held-out R² {mine.mean():.4f} ({mine.std():.3f})"
        ends = {float(self.alphas.min()): "smaller", float(self.alphas.max()): "larger"}
        if len(ends) == 2 and self.alpha in ends and self.alpha > 0:
            text += f". No candidate is {ends[self.alpha]}: try {ends[self.alpha]} ones by --alpha"
        return text


def given_alphas(words: Sequence[str] | None, table: str | None) -> tuple[list[float], str | None]:
    """The numbers after --alpha, and the table, if they swallowed it."""
    words = list(words or ())
    if words and table is None and not _is_number(words[-1]):
        table = words.pop()
        if not words:
            raise UserError("--alpha: expected at least one number")
    for word in words:
        if not _is_number(word):
            raise UserError(f"--alpha: invalid float value: {word!r}")
    return [float(word) for word in words], table


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def check_cv(options: Any, *, streamed: bool) -> None:
    """Refuse, before any work, what --cv cannot do."""
    if options.cv is None:
        if len(options.alpha) > 1:
            raise UserError(
                f"--alpha takes one number, got {len(options.alpha)}; add --cv 5 to choose one of "
                "them"
            )
        if options.l1_ratio != DEFAULT_SHARE and not options.alpha:
            raise UserError(
                f"--l1-ratio {options.l1_ratio:g} is the share of a penalty, and there is none; "
                "add --alpha 0.1 or --cv 5"
            )
        return
    if options.cv < 2:
        raise UserError(f"--cv must be an integer >= 2, got {options.cv}")
    if options.early_stopping:
        raise UserError(
            "--cv compares fits to all other folds, and --early-stopping would hold out "
            "some of their rows; leave one of the two out"
        )
    if streamed:
        raise UserError(
            f"--cv needs the rows again, and the command does not hold those of {options.table}; "
            "write one --alpha"
        )
    for alpha in options.alpha:
        if not 0 <= alpha < np.inf:
            raise UserError(f"--alpha must be finite and >= 0, got {alpha:g}")
    if options.l1_ratio == 0 and not options.alpha:
        raise UserError(
            "--cv with --l1-ratio 0 has no largest alpha to begin with; name the candidates, such "
            "as --alpha 0.001 0.01 0.1 1"
        )


def choose_alpha(descent: GDLinearRegressor, problem: Problem, options: Any) -> Choice:
    """Score all candidates on held-out rows. The folds are shuffled, the same ones every time.

    With --standardize the rows that train a fold have means and deviations of their own, which
    scale the held-out rows, too. The table's would tell a fold of rows that it must not know.
    """
    n_rows, n_folds = len(problem.y), options.cv
    if n_rows < 2 * n_folds:
        raise UserError(
            f"--cv {n_folds} needs 2 rows in each fold, and the table has {n_rows}; write a "
            "smaller number"
        )
    asked_of(descent)  # its errors name the options; those of a search have lists
    splits = list(KFold(n_folds, shuffle=True, random_state=0).split(problem.X))
    alphas = np.array(options.alpha) if options.alpha else _automatic(descent, problem, options)
    if options.standardize:
        found = [_scores(descent, alphas, *_scaled(problem, t), [(t, h)]) for t, h in splits]
        scores = np.concatenate(found, axis=1)
    else:
        scores = _scores(descent, alphas, problem.X, problem.y, splits)
    means = np.nan_to_num(scores.mean(axis=1), nan=-np.inf)
    return Choice(float(alphas[int(means.argmax())]), alphas, scores)


def _automatic(descent: GDLinearRegressor, problem: Problem, options: Any) -> np.ndarray:
    """Candidates that suit the whole table. They are no more than places to look at."""
    X, y = problem.X, problem.y
    if options.standardize:
        X, y = _scaled(problem, np.arange(len(y)))
    alphas, *_ = elastic_net_path(
        X,
        y,
        l1_ratio=descent.l1_ratio,
        alphas=CANDIDATES,
        positive=descent.positive,
        fit_intercept=descent.fit_intercept,
    )
    return alphas


def _scaled(problem: Problem, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All rows, in units in which those that `train` have mean 0 and deviation 1."""
    y = problem.y[:, None]
    X = StandardScaler().fit(problem.X[train]).transform(problem.X)
    return X, StandardScaler().fit(y[train]).transform(y)[:, 0]


def _scores(
    descent: GDLinearRegressor, alphas: np.ndarray, X: np.ndarray, y: np.ndarray, splits: Any
) -> np.ndarray:
    """(a, f): R² on the held-out rows."""
    search = GDLinearRegressorCV(
        [cast(Any, descent.learning_rate)],
        None,
        alphas.tolist(),
        [descent.l1_ratio],
        splits,
        fit_intercept=descent.fit_intercept,
        max_iter=descent.max_iter,
        momentum=descent.momentum,
        tol=tol_of(descent),
        positive=descent.positive,
    )
    return search.fit(X, y).scores_[0, 0, 0]
