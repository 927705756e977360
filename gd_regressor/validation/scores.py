"""Scores: from the means and variances of errors where that is enough, else from predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from gd_regressor.data.heldout import Errors
from gd_regressor.data.table import Rows

Model = tuple[np.ndarray, np.ndarray]  # coefficients (d, t), intercepts (t,)


class Tested(NamedTuple):
    """The rows that test a fold."""

    rows: Rows
    where: np.ndarray  # (n,): their places in the table


class Scoring(ABC):
    """How good k models are on the rows that test a fold; more is better."""

    name: str
    needs_rows: bool  # whether it predicts, and so reads the rows again

    @property
    def needs_two_rows(self) -> bool:
        """Whether one held-out row has no score."""
        return self.name in ("r2", "explained_variance")

    @abstractmethod
    def scores(
        self,
        errors: Sequence[Errors],
        variances: np.ndarray,
        models: Iterable[Model],
        tested: Tested | None,
    ) -> np.ndarray:
        """(k,): from the errors for each target, or from the models and the rows that are `tested`.

        `variances` (t,) are those of the held-out targets.
        """


@final
@dataclass(frozen=True)
class Closed(Scoring):
    """A score that follows from the errors' means and variances."""

    name: str  # scikit-learn's

    needs_rows = False

    def scores(self, errors, variances, models, tested) -> np.ndarray:
        return np.mean(
            [CLOSED[self.name](e, v) for e, v in zip(errors, variances, strict=True)], axis=0
        )


@final
@dataclass(frozen=True)
class Predicted(Scoring):
    """Any other score: each model predicts the held-out rows."""

    score: Callable[[Model, Tested], float]

    name = "predictions"
    needs_rows = True

    def scores(self, errors, variances, models, tested) -> np.ndarray:
        assert tested is not None
        scores = (self.score(m, tested) if np.isfinite(m[0]).all() else np.nan for m in models)
        return np.array(list(scores), dtype=np.float64)


def one_row_error(name: str) -> ValueError:
    """For folds that hold out one row."""
    return ValueError(
        f"scoring={name!r} compares with the variance of the held-out rows, and a fold holds out "
        'one; write scoring="neg_mean_squared_error".'
    )


def mean_square(errors: Sequence[Errors]) -> np.ndarray:
    """(k,): the mean squared error, the mean over targets."""
    return np.mean([e.mean_square for e in errors], axis=0)


def _share(part: np.ndarray, whole: float) -> np.ndarray:
    """`part` / `whole`. Of a constant target scikit-learn calls any error all of it."""
    return part / whole if whole > 0 else (part > 0) * 1.0


# By scikit-learn's name, the score (k,) of one target, whose held-out variance is v
CLOSED: dict[str, Callable[[Errors, float], np.ndarray]] = {
    "r2": lambda e, v: 1 - _share(e.mean_square, v),
    "explained_variance": lambda e, v: 1 - _share(e.variance, v),
    "neg_mean_squared_error": lambda e, v: -e.mean_square,
    "neg_root_mean_squared_error": lambda e, v: -np.sqrt(e.mean_square),
}
