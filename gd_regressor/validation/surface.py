"""Surface: the scores of all candidates on all folds, from as few passes as can be."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.threads import summed
from gd_regressor.data.folds import Folds, Split, batches, most_groups, plus, sums_of_groups, totals
from gd_regressor.data.heldout import HeldOut, HeldOutMoments, HeldOutRoot
from gd_regressor.data.moments import Moments, check_squares_in, moments_of_part
from gd_regressor.data.root import Root
from gd_regressor.data.table import Given, Rows, Table
from gd_regressor.metric.factor import Factor
from gd_regressor.validation.alone import Fit, fit_the_rest
from gd_regressor.validation.fold import Judge, scores_of_fold
from gd_regressor.validation.grid import Grid
from gd_regressor.validation.scores import Scoring, Tested, one_row_error
from gd_regressor.validation.training import Training

# Of more columns, moments take longer than fits one by one, and much more memory
FEW_COLUMNS = 2000
# Folds whose sums are in memory at once, so that threads have work
FOLDS_AT_ONCE = 8


class Surface(NamedTuple):
    """What the folds have shown."""

    grid: Grid
    scores: np.ndarray  # (rates, counts, l1_ratios, alphas, folds)
    errors: np.ndarray  # the same shape: mean squared errors
    table: Table  # checked, and with the moments of all rows where these were made


class Search(NamedTuple):
    """What to compare, and how."""

    grid_of: Callable[[Table], Grid]  # an automatic grid asks for the moments of all rows
    scoring: Scoring
    fit: Fit  # for candidates without a closed form


def no_weight_error(does: str) -> ValueError:
    """What to say of a fold that `does` ("trains" or "tests") on rows that count zero times."""
    return ValueError(
        f"cv: a fold {does} on no row of weight above zero; choose another splitter, or give rows "
        "of this fold weight."
    )


def surface_of(given: Given, splits: Iterable[Split], n_rows: int, search: Search) -> Surface:
    """Score all candidates on all folds."""
    work = _by_sums if given.n_columns <= FEW_COLUMNS else _one_by_one
    found, last = [], None
    for table, grid, scores in work(given, splits, n_rows, search):
        found, last = [*found, scores], (table, grid)
    if last is None:
        raise ValueError("cv gives no fold; write a number of folds, or another splitter.")
    scores, errors = np.moveaxis(np.stack(found), 0, -1)
    return Surface(last[1], scores, errors, last[0])


# Of each fold in turn: the table, the grid, and scores and errors (2, *grid.shape)
Found = Iterator[tuple[Table, Grid, np.ndarray]]


def _by_sums(given: Given, splits: Iterable[Split], n_rows: int, search: Search) -> Found:
    """From sums over the groups of rows that the folds share."""
    table, grid = None, None
    for folds in batches(splits, n_rows, most_groups(given.n_columns)):
        if table is None or grid is None:
            groups, table = _seen(given, folds)
            moments: Any = _sum(groups)
            check_squares_in(moments, table)
            table = table.knowing(moments)
            grid = search.grid_of(table)
        else:
            groups = sums_of_groups(table, folds.labels, moments_of_part)
        batch = Batch(table, folds, grid, search)
        scores = batch.scores(groups)
        for fold, found in enumerate(scores):
            fit_the_rest(found, table, folds, fold, grid, search.scoring, search.fit)
            yield table, grid, found


def _one_by_one(given: Given, splits: Iterable[Split], n_rows: int, search: Search) -> Found:
    """Without sums: a fit of each candidate to each fold."""
    table = given.check()
    grid = search.grid_of(table)
    for split in splits:
        folds = Folds.of([split], n_rows)
        found = np.full((2, *grid.shape), np.nan)
        fit_the_rest(found, table, folds, 0, grid, search.scoring, search.fit)
        yield table, grid, found


def _seen(given: Given, folds: Folds) -> tuple[list[Any], Table]:
    """The moments of each group, and the table."""
    try:
        return given.seen_by(partial(_first_pass, labels=folds.labels))
    except ValueError:
        given.check()  # a group would name the row by its number in the group
        raise


def _first_pass(rows: Table, labels: np.ndarray) -> tuple[list[Any], list[float]]:
    """The moments of each group, and sums that show a NaN or an infinity."""
    groups = sums_of_groups(rows, labels, moments_of_part)
    known = [moments for moments in groups if moments is not None]
    return groups, [s for m in known for a in (m.xx.diagonal(), m.yy) for s in a.tolist()]


def _sum(groups: list[Any]) -> Any:
    total = None
    for group in groups:
        total = plus(total, group)
    return total


class Pair(NamedTuple):
    """A fold, and the sums of the rows that train and that test it."""

    fold: int
    train: Any
    test: Any


class Batch(NamedTuple):
    """Folds that follow from one pass over the rows."""

    table: Table
    folds: Folds
    grid: Grid
    search: Search

    def scores(self, groups: list[Any]) -> list[np.ndarray]:
        """Those of each fold, from the moments of the groups where they have the digits."""
        asked, every = (self.grid.fit_intercept, self.table.precision), range(self.folds.n_folds)

        def by_moments(pair: Pair) -> np.ndarray | None:
            training = Training.of_moments(pair.train, *asked)
            if training is None:
                return None
            return self._scored(pair.fold, training, HeldOutMoments.of(pair.test))

        found = self._shared(self._pairs(groups, list(every)), by_moments)
        rest = [fold for fold in every if found[fold] is None]
        if rest:
            roots = sums_of_groups(self.table, self.folds.labels, self._factoring())
            known = dict(zip(rest, totals(groups, self.folds.train[rest]), strict=True))

            def by_root(pair: Pair) -> np.ndarray:
                training = Training.of_root(pair.train, known[pair.fold], *asked)
                return self._scored(pair.fold, training, HeldOutRoot.of(pair.test))

            found |= self._shared(self._pairs(roots, rest), by_root)
        return [found[fold] for fold in every]

    def _shared(
        self, pairs: Iterator[Pair], work: Callable[[Pair], np.ndarray | None]
    ) -> dict[int, Any]:
        """`work` on each fold, by our own threads.

        A user's scorer runs in the thread that called `fit`: scikit-learn's settings are those of
        a thread, and two threads at once may not suit it.
        """

        def of_fold(pair: Pair) -> dict[int, Any]:
            return {pair.fold: work(pair)}

        found: dict[int, Any] = {}
        if self.search.scoring.needs_rows:
            for pair in pairs:
                found |= of_fold(pair)
        while some := list(islice(pairs, FOLDS_AT_ONCE)):
            found |= summed(some, of_fold, operator.or_)
        return found

    def _scored(self, fold: int, training: Training, held: HeldOut) -> np.ndarray:
        scoring, tested = self.search.scoring, None
        if scoring.needs_two_rows and held.n_rows < 2:
            raise one_row_error(scoring.name)
        if scoring.needs_rows:
            where = self.folds.rows(self.folds.test[fold])
            tested = Tested(self.table.chosen(where), where)
        test, elsewhere = Judge(held, scoring, tested), self.table.is_elsewhere
        return scores_of_fold(training, test, self.grid, rough=elsewhere)

    def _factoring(self) -> Callable[[Rows], Root | None]:
        """What factors the rows of a group, about the means of all rows."""
        moments = Moments.of_rows(self.table)
        centre, targets = moments.column_means, moments.target_means
        scale = Factor.of(moments).scale
        return partial(Root.of_part, centre=centre, scale=scale, target_centre=targets)

    def _pairs(self, groups: list[Any], chosen: list[int]) -> Iterator[Pair]:
        """The `chosen` folds, with the sums of the rows that train and that test each."""
        sums = (totals(groups, counts[chosen]) for counts in (self.folds.train, self.folds.test))
        for fold, train, test in zip(chosen, *sums, strict=True):
            if train is None or test is None:
                raise no_weight_error("trains" if train is None else "tests")
            yield Pair(fold, train, test)
