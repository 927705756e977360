"""Folds: rows grouped by the folds they train and test, and sums over the groups of each fold."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gd_regressor.data.moments import GROUP
from gd_regressor.data.table import Rows, Table

# The sums of all groups are in memory at once. So many entries take 256 MiB
GROUPED_ENTRIES = 1 << 25
# With more groups the additions take longer than another pass over the rows
MOST_GROUPS = 64

Split = tuple[Any, Any]  # the rows that train a fold, and those that test it


@dataclass(frozen=True)
class Folds:
    """Groups of rows: the rows of one group train the same folds, and test the same folds.

    The rows that train a fold are a sum of groups, and so are those that test it. So all folds
    follow from one pass over the rows. We never subtract: the rows outside a fold need not be those
    that train it, and a fold that holds the outliers would leave only their rounding.
    """

    labels: np.ndarray  # (n,): the group of each row
    train: np.ndarray  # (f, g): how often a fold trains on each row of a group
    test: np.ndarray  # (f, g): how often it tests on each row of a group

    @classmethod
    def of(cls, splits: Iterable[Split], n_rows: int) -> Folds:
        """The groups of all folds of a splitter, however many they are."""
        return next(batches(splits, n_rows, n_rows * (n_rows + 1)))

    @property
    def n_folds(self) -> int:
        return len(self.train)

    @property
    def n_groups(self) -> int:
        return self.train.shape[1]

    def rows(self, counts: np.ndarray) -> np.ndarray:
        """The rows of the groups with `counts` (g,), each as often as its group counts."""
        often = counts[self.labels]
        return np.repeat(np.flatnonzero(often), often[often > 0])


def most_groups(n_columns: int) -> int:
    """How many groups' sums fit into memory, of so many columns."""
    return max(min(MOST_GROUPS, GROUPED_ENTRIES // (1 + n_columns) ** 2), 4)


def batches(splits: Iterable[Split], n_rows: int, most: int) -> Iterator[Folds]:
    """The folds of a splitter in order, in batches of at most `most` groups.

    Each batch takes one pass over the rows. A batch has one fold at least.
    """
    begun = _Begun.of(n_rows)
    for split in splits:
        counts = _counts_of(split, n_rows)
        more = begun.refined(counts)
        if begun.n_folds and more.n_groups > most:
            yield begun.folds
            more = _Begun.of(n_rows).refined(counts)
        begun = more
    if begun.n_folds:
        yield begun.folds


@dataclass(frozen=True)
class _Begun:
    """Groups by the folds so far."""

    labels: np.ndarray  # (n,)
    table: np.ndarray  # (g, 2 f): how often each fold trains and tests on a row of the group

    @classmethod
    def of(cls, n_rows: int) -> _Begun:
        return cls(np.zeros(n_rows, dtype=np.intp), np.zeros((1, 0), dtype=np.intp))

    @property
    def n_folds(self) -> int:
        return self.table.shape[1] // 2

    @property
    def n_groups(self) -> int:
        return len(self.table)

    @property
    def folds(self) -> Folds:
        return Folds(self.labels, self.table[:, ::2].T, self.table[:, 1::2].T)

    def refined(self, counts: Sequence[np.ndarray]) -> _Begun:
        """Groups whose rows agree in two more counts (n,), of training and of testing, too."""
        train, test = counts
        often, kinds = int(test.max()) + 1, (int(train.max()) + 1) * (int(test.max()) + 1)
        keys = self.labels * kinds + train * often + test
        present = np.flatnonzero(np.bincount(keys))
        place = np.zeros(present[-1] + 1, dtype=np.intp)
        place[present] = np.arange(len(present))
        code = present % kinds
        table = np.column_stack([self.table[present // kinds], code // often, code % often])
        return _Begun(place[keys], table)


def _counts_of(split: Any, n_rows: int) -> list[np.ndarray]:
    """Two of (n,): how often a fold trains on each row, and how often it tests on it."""
    try:
        train, test = split
        counts = [_counts(rows, n_rows) for rows in (train, test)]
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"cv gives {reprlib.repr(split)} as a fold; each fold must be two lists, of the rows "
            f"that train and of those that test, as numbers from 0 to {n_rows - 1} or as masks "
            f"({error})."
        ) from error
    for rows, use in zip(counts, ("train", "test"), strict=True):
        if not rows.any():
            raise ValueError(f"cv gives a fold without rows to {use} on; give it one at least.")
    return counts


def _counts(rows: Any, n_rows: int) -> np.ndarray:
    """(n,): how often a fold names each row, by number or by a mask."""
    rows = np.asarray(rows)
    if not rows.size:
        return np.zeros(n_rows, dtype=np.intp)
    if rows.ndim != 1:
        raise ValueError("not a list of rows")
    return np.bincount(np.arange(n_rows)[rows], minlength=n_rows)


def sums_of_groups(rows: Table, labels: np.ndarray, work: Callable[[Rows], Any]) -> list[Any]:
    """The sum of `work` over the rows of each group, in one pass; None for rows without weight."""
    of_part = partial(_of_part, n_groups=int(labels.max()) + 1, work=work)
    return rows.with_labels(labels).total(of_part, _plus_each)


def _of_part(part: Rows, n_groups: int, work: Callable[[Rows], Any]) -> list[Any]:
    """The sums over the rows of a part, whose last target is the label."""
    sums: list[Any] = [None] * n_groups
    for some in part.parts(GROUP * part.block_rows):
        labels = some.y[:, -1].astype(np.intp)
        some = some.with_targets(_without_label)
        order = np.argsort(labels, kind="stable")
        cuts = np.searchsorted(labels[order], np.arange(n_groups + 1))
        for group in np.flatnonzero(np.diff(cuts)).tolist():
            chosen = some.chosen(order[cuts[group] : cuts[group + 1]])
            sums[group] = plus(sums[group], work(chosen))
    return sums


def _without_label(rows: Rows) -> np.ndarray:
    return rows.y[:, :-1]


def _plus_each(a: list[Any], b: list[Any]) -> list[Any]:
    return list(map(plus, a, b))


def plus(a: Any, b: Any) -> Any:
    """The sum of what may be None, which counts nothing."""
    if a is None or b is None:
        return b if a is None else a
    return a + b


def totals(groups: Sequence[Any], counts: np.ndarray) -> Iterator[Any]:
    """For each row of `counts` (f, g), the sum of the groups, each as often as it counts.

    We halve the folds, and add to each half the groups that all of its folds share, until a fold is
    alone. That takes f log f additions where f - 1 groups train each of f folds, and no fold's sum
    has more than log f roundings more than its groups.
    """
    yield from _totals(groups, counts, None)


def _totals(groups: Sequence[Any], counts: np.ndarray, total: Any) -> Iterator[Any]:
    shared = (counts == counts[0]).all(axis=0)
    for group in np.flatnonzero(shared & (counts[0] > 0)).tolist():
        part, often = groups[group], int(counts[0, group])
        total = plus(total, part if part is None or often == 1 else part.times(often))
    if len(counts) == 1:
        yield total
        return
    rest, half = np.where(shared, 0, counts), len(counts) // 2
    yield from _totals(groups, rest[:half], total)
    yield from _totals(groups, rest[half:], total)
