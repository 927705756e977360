"""Working sets: a penalised fit of many columns, on the few columns that may be in use.

We follow the minimiser from the penalty at which nothing is left down to the one asked for, in
levels of half the penalty, or at once where rows are many. A pass over X gives the slopes of all
columns. They tell which columns join the working set, and in the end they bound the distance from
the minimum. All else happens on the products of the working set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.data.chosen import Chosen, Reading, chosen
from gd_regressor.data.row_products import AllColumns
from gd_regressor.descent.nouns import Penalty
from gd_regressor.lasso.active_set import Minimum, least
from gd_regressor.lasso.homotopy import Falling, followed
from gd_regressor.lasso.on_rows import OnRows, gap_of_positive
from gd_regressor.lasso.shortest import TIED, shortest
from gd_regressor.objective.penalties import ElasticNet

# So many columns join at a time, or as many as are in use if these are more
JOINING = 100
# From one level to the next the penalty falls to the first share. With a larger fall more columns
# would join than are needed. Where few are there to join, it falls as far as all of them may, to
# the second share at most. A level within NEARLY_LAST times the last one is left out
FALL, LONGEST_FALL, NEARLY_LAST = 0.5, 0.1, 1.25
# With so many rows for each member, also for those that may join, the minimum among the members is
# near enough to that of all for its slopes to tell the others. The penalty then falls to its end at
# once, and up to GROWTH times as many columns join as are in use: fewer rounds read the table
ROWS_EACH, GROWTH = 20, 4
# At the last level columns join if their condition is nearly broken, by this share: as the others
# join, some of them would break it, and ask for a round of their own
NEARLY_BROKEN = 0.95
# With no l1 at the end, an artificial one falls to this share of its start before it is dropped
LAST_ARTIFICIAL = 1e-3

# Newton's method in the space of the rows is for at least so many columns for each row. It begins
# if that many columns are in use for each row or, with positive coefficients and no L1 penalty, at
# once: then half of the columns may be in use. Without a penalty it may be few of them, so on more
# than FEW_ROWS, whose products take long, SOME columns for each row must be in use
COLUMNS_EACH, AS_MANY, FEW_ROWS, SOME = 2, 0.9, 2000, 0.25


class WorkingSet:
    """Columns of one table that are or were in use for one of its targets, and their products."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._pieces: list[Chosen] = []
        d = reading.rows.n_columns
        self.gram = np.zeros((0, 0))  # (m, m): mean products of the members
        self.members = np.zeros(0, dtype=int)  # (m,)
        self.outside = np.ones(d, dtype=bool)
        self.means = np.zeros(d)  # of the raw columns, as far as they are members, or in use

    @cached_property
    def all_columns(self) -> AllColumns:
        """The columns of the table, which need not be members."""
        columns = AllColumns.of(self._reading)
        self.means[self.outside] = columns.means[self.outside]
        return columns

    def join(self, where: np.ndarray) -> None:
        """Make the columns `where` members, if they are none yet."""
        where = where[self.outside[where]]
        if not where.size:
            return
        for columns, piece, products in chosen(self._reading, where, self._pieces):
            m, k = len(self.members), len(columns)
            gram = np.empty((m + k, m + k))
            gram[:m, :m], gram[:, m:], gram[m:, :m] = self.gram, products, products[:m].T
            self.gram = gram
            self._pieces.append(piece)
            self.members = np.concatenate([self.members, columns])
            self.outside[columns] = False
            self.means[columns] = piece.means

    def slopes(self, residuals: np.ndarray, *, rough: bool = False) -> np.ndarray:
        """(d, k): the slopes of all columns.

        Those of members have no rounding of large means, unless they may be `rough`.
        """
        v = self._reading.slopes(residuals)
        if not rough:
            v[self.members] = self.members_slopes(residuals)
        return v

    def members_slopes(self, residuals: np.ndarray, known: int = 0) -> np.ndarray:
        """(m - known, ...): the slopes of the members, without a pass.

        Those of the first members, which joined before others did, may be `known`.
        """
        parts, first = [np.zeros((0, *residuals.shape[1:]))], 0
        for piece in self._pieces:
            if first >= known:
                parts.append(piece.slopes(residuals))
            first += len(piece.means)
        return np.concatenate(parts)

    def fitted_by(self, coef: np.ndarray) -> np.ndarray:
        """(n,): the weighted predictions of coefficients (d,) of any columns.

        Columns in use become members, unless they are more than the rows.
        """
        on = np.flatnonzero(coef)
        if len(on) > self._reading.rows.n_rows:
            return self.all_columns.fit(coef)
        self.join(on)
        return self.fitted(coef[self.members])

    def fitted(self, w: np.ndarray) -> np.ndarray:
        """(n,): the weighted predictions of the members with coefficients w (m,)."""
        total, first = np.zeros(self._reading.rows.n_rows), 0
        for piece in self._pieces:
            last = first + len(piece.means)
            total += piece.fit(w[first:last])
            first = last
        return total


class OnMembers(Penalty):
    """A penalty whose dual gap knows the products of the members of a working set alone."""

    def __init__(self, net: ElasticNet, members: WorkingSet) -> None:
        self._net, self._set = net, members

    @property
    def n_columns(self) -> int:
        return self._net.n_columns

    def value(self, w: np.ndarray) -> np.ndarray:
        on = (w != 0).any(axis=1)
        return _part(self._net, on).value(w[on])

    def decrease(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        on = ((before != 0) | (after != 0)).any(axis=1)
        return _part(self._net, on).decrease(before[on], after[on])

    def prox(self, v: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        return self._net.prox(v, step)

    def dual_gap(
        self, w: np.ndarray, v: np.ndarray, square: np.ndarray, gram: np.ndarray | None = None
    ) -> np.ndarray:
        net = self._net
        # F is at least zero. This bound ends a fit whose residuals are rounding
        most = (square + self.value(w)) / 2
        broken = (v if net.positive else np.abs(v)) > net.l1
        loose = (net.l1 == 0) & (net.l2 == 0)
        if net.positive and loose.any():
            # The bound needs the products of loose columns with v > 0 and the slopes of those in
            # use. They are members in the end, unless more columns are in use than there are rows
            members = self._set.members
            gaps = _part(net, members).dual_gap(w[members], v[members], square, self._set.gram)
            used = ((w != 0) & self._set.outside[:, None]).any(axis=0)
            left = used | (broken & self._set.outside[:, None]).any(axis=0)
            for j in np.flatnonzero(used & loose.all(axis=0)):
                gaps[j] = gap_of_positive(self._set.all_columns, w[:, j], v[:, j], square[j])
                left[j] = False
            return np.where(left, most, np.minimum(gaps, most))
        # Columns that are not in use and keep the condition add nothing to the bound. The residuals
        # are orthogonal to columns without a penalty, so these add nothing either
        on = (broken | (w != 0)).any(axis=1) & ~loose.any(axis=1)
        return np.minimum(_part(net, on).dual_gap(w[on], v[on], square), most)


def _part(net: ElasticNet, within) -> ElasticNet:
    return ElasticNet(net.l1[within], net.l2[within], net.positive)


class There(NamedTuple):
    """A point of a descent and what a pass over X tells of it."""

    coef: np.ndarray  # (d,)
    residuals: np.ndarray  # (n,), weighted
    v: np.ndarray  # (d,): the slopes
    strength: float = np.inf  # of the penalty whose minimiser it is
    at_rest: bool = False  # whether it is as near to the minimum as rounding lets it come


class Descent:
    """The way to the minimiser for one target, in rounds of one pass over X.

    The penalty of a level is c u for a strength c, and that of the last level is the one asked for.
    If this is zero, an artificial one falls to zero.
    """

    def __init__(self, members: WorkingSet, net: ElasticNet, y: np.ndarray) -> None:
        """`net` is the penalty (d, 1), and `y` (n,) the target, weighted and centred."""
        self._set, self._net, self._y = members, net, y
        self._gaps = OnMembers(net, members)
        self._l2, self._positive = net.l2[:, 0], net.positive
        self._is_real = bool(net.l1.any())
        self._unit = net.l1[:, 0] if self._is_real else np.ones(len(net.l1))
        self._end = 1.0 if self._is_real else 0.0
        self._slope = np.zeros(0)  # (m,): the products of the members and y, as far as known
        self._rows_tried = False  # whether we have looked for the minimum in the space of the rows
        self.solves = 0  # of systems with as many unknowns as there are coefficients in use

    def start(self, coef: np.ndarray, v: np.ndarray | None = None) -> There:
        """The point with these coefficients (d,). At zero, `v` (d,) are its slopes, if known."""
        if v is not None and not coef.any():
            self._set.join(np.flatnonzero(self._unit == 0))
            return There(coef, self._y, v)
        if np.count_nonzero(coef) > len(self._y):  # their products are many numbers
            return self._look_at_all(coef, np.inf)
        self._set.join(np.flatnonzero((coef != 0) | (self._unit == 0)))
        return self._look(coef[self._set.members], np.inf)

    def round(self, here: There) -> There:
        """The minimiser of the next level among the members, with those that join it."""
        if here.at_rest:
            return here
        if self._is_for_rows(here) and (there := self._on_rows(here.coef)) is not None:
            return there
        self._set.join(np.flatnonzero(here.coef))
        sizes = self._sizes(here)
        above = max(float(sizes.max(initial=0.0)), self._end)
        at = min(above, here.strength)
        sizes = np.where(self._set.outside, sizes, 0.0)
        in_use = np.count_nonzero(here.coef)
        room = len(self._y) // ROWS_EACH - len(self._set.members)
        most = min(max(JOINING, in_use, min(GROWTH * in_use, room)), len(sizes))
        largest = np.argpartition(-sizes, most - 1)[:most]
        to = self._next_level(at, float(sizes[largest].min()))
        near = NEARLY_BROKEN if to == self._end and sizes.max(initial=0.0) > to else 1.0
        joined = np.sort(largest[sizes[largest] > near * to])
        self._set.join(joined)
        to = self._end if self._is_real and most <= room else to
        there = self._look(self._moved(here, above, at, to), to)
        if to > self._end:
            return there
        there = self._shortened(there)
        if joined.size:
            return there
        # The products know the minimiser up to a rounding that grows with the squared condition
        # number. The rows know better how far from it we are
        return self._refined(there)._replace(at_rest=np.array_equal(there.coef, here.coef))

    def gap(self, here: There) -> float:
        """At most so far is half of F above its minimum."""
        square = np.array([here.residuals @ here.residuals])
        return float(self._gaps.dual_gap(here.coef[:, None], here.v[:, None], square)[0])

    def _slopes_at_zero(self) -> np.ndarray:
        """(m,): the products of the members and y."""
        more = self._set.members_slopes(self._y, known=len(self._slope))
        self._slope = np.concatenate([self._slope, more])
        return self._slope

    def _look(self, w: np.ndarray, strength: float) -> There:
        residuals = self._y - self._set.fitted(w)
        loose = self._unit[self._set.members] == 0
        if loose.any() and not self._positive:
            # Without a penalty, slopes that rounding left would spoil the dual point
            w = w + self._step(np.where(loose, 1.0, 0.0), self._set.members_slopes(residuals))
            residuals = self._y - self._set.fitted(w)
        v = self._set.slopes(residuals[:, None], rough=self._end < strength < np.inf)
        coef = np.zeros(len(self._unit))
        coef[self._set.members] = w
        return There(coef, residuals, v[:, 0], strength)

    def _look_at_all(self, coef: np.ndarray, strength: float) -> There:
        """The same for columns that need not be members."""
        residuals = self._y - self._set.all_columns.fit(coef)
        return There(coef, residuals, self._set.all_columns.slopes(residuals), strength)

    def _is_for_rows(self, here: There) -> bool:
        """Whether about as many columns are in use at the minimum as there are rows, or more."""
        n, d, in_use = len(self._y), len(self._unit), np.count_nonzero(here.coef)
        if self._rows_tried or d < COLUMNS_EACH * n:
            return False
        if self._positive and not self._is_real and (n <= FEW_ROWS or self._l2.all()):
            return True
        share = AS_MANY if self._is_real else SOME
        return bool(in_use > share * n and (self._positive or self._l2.all()))

    def _on_rows(self, coef: np.ndarray) -> There | None:
        """The minimum from Newton's method in the space of the rows, if this finds it."""
        self._rows_tried = True
        l1 = self._net.l1[:, 0]
        problem = OnRows(self._set.all_columns, self._y, l1, self._l2, self._positive)
        w = problem.least(coef)
        if w is None:
            return None
        there = self._look_at_all(w, self._end)
        # The products of few columns know their minimiser better. Without an L1 penalty it may be
        # one of many, and this one is the shortest
        few = self._is_real and np.count_nonzero(w) <= len(self._y)
        near = bool(self.gap(there) <= TIED * float(self._y @ self._y))
        return there._replace(at_rest=near and not few)

    def _step(self, signs: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """(m,): the move to where `slope` vanishes in the coordinates with signs."""
        l2, free = self._l2[self._set.members], np.zeros(len(slope))
        return Falling(self._set.gram, slope, free, l2, positive=False).line(signs).at(0.0)

    def _sizes(self, here: There) -> np.ndarray:
        """(d,): the strength that would hold each slope."""
        slope = here.v - self._l2 * here.coef
        size = np.maximum(slope, 0.0) if self._positive else np.abs(slope)
        return np.divide(size, self._unit, out=np.zeros(len(size)), where=self._unit > 0)

    def _next_level(self, at: float, all_join: float) -> float:
        """The strength after `at`. Down to `all_join`, all columns that break it may join."""
        to = min(FALL * at, max(all_join, LONGEST_FALL * at))
        if self._is_real:
            return to if to > NEARLY_LAST * self._end else self._end
        largest = np.abs(self._slopes_at_zero()).max(initial=0.0)
        return to if to > LAST_ARTIFICIAL * largest else 0.0

    def _moved(self, here: There, above: float, at: float, to: float) -> np.ndarray:
        """(m,): the minimiser of the members at the strength `to`, from the one at `at`.

        With the columns that have joined, it is a minimiser from the strength `above` on only.
        """
        members = self._set.members
        start = here.coef[members]
        unit, l2 = self._unit[members], self._l2[members]
        slope = self._slopes_at_zero()
        problem = Falling(self._set.gram, slope, unit, l2, self._positive)
        w, reached, solves = followed(problem, start, at, to)
        if reached > to and above > at:
            w, reached, more = followed(problem, start, above, to)
            solves += more
        if reached > to:  # columns that depend on each other
            found = least(self._set.gram, slope, to * unit, l2, self._positive, w)
            w, solves = found.w, solves + found.n_solves
        self.solves += solves
        return w

    def _shortened(self, here: There) -> There:
        """Of several minimisers the one of least |w|, if this is one of them."""
        v, l1 = here.v, self._net.l1[:, 0]
        size, rounding = v if self._positive else np.abs(v), TIED * np.abs(here.v).max(initial=0.0)
        outside = self._set.outside & (self._l2 == 0)
        if (size > l1 + rounding)[outside].any():
            return here
        self._set.join(np.flatnonzero(outside & (size >= l1 - rounding) & (size > 0)))
        members = self._set.members
        w = here.coef[members]
        found = Minimum(w, v[members], 0, True)
        slope, net = self._slopes_at_zero(), (l1[members], self._l2[members])
        ones = np.ones(len(members))
        least_norm = shortest(self._set.gram, slope, *net, self._positive, found, ones).w
        if np.array_equal(least_norm, w):
            return here
        there = self._look(least_norm, here.strength)
        worse = self.gap(there) > self.gap(here) + TIED * float(self._y @ self._y)
        return here if worse else there

    def _refined(self, here: There) -> There:
        """The point after a step that the slopes from the rows ask for, if the gap falls."""
        members = self._set.members
        w = here.coef[members]
        unit = self._unit[members]
        signs = np.where((unit == 0) & (not self._positive), 1.0, np.sign(w))
        left = here.v[members] - self._l2[members] * w - self._end * unit * signs
        there = w + self._step(signs, left)
        if not np.array_equal(np.sign(there) * (signs != 0), np.sign(w)):
            return here
        found = self._look(there, here.strength)
        return found if self.gap(found) < self.gap(here) else here
