"""Early stopping: the rule that ends a run when held-out rows are predicted no better."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.descent.nouns import Path, Rule
from gd_regressor.descent.records import End, HeldRows, Records, Status


class Held(NamedTuple):
    """What held-out rows have told so far."""

    curve: list[np.ndarray]  # each (m, t): their losses after 0, 1, ... updates
    seen: int  # losses in the curve
    lowest: float  # the least of their scores
    best: int  # the update that has it, the first of several
    point: np.ndarray  # (p, t): the parameters after that update
    there: Records  # of that update
    streak: int  # updates since the last one that was better by more than tol


class Chosen(NamedTuple):
    """The best update of a run."""

    end: End  # of the run, cut there
    point: np.ndarray  # (p, t)
    curve: np.ndarray  # (n + 1,): the mean held-out loss after each update that was made


@frozen
class HeldOut(Rule):
    """None of the last `patience` updates was better for held-out rows by more than tol.

    The score is the mean over the targets of their held-out losses in units of V, so the units of a
    target do not matter. Better means that the score is below the least one before, by more than
    tol: so counts scikit-learn's SGDRegressor. A walk holds its last point only. We keep the best
    one here, so that nobody walks twice.
    """

    rows: HeldRows
    path: Path
    variance: np.ndarray  # (t,): V
    tol: float | None  # None never ends the run, and keeps the best of its updates

    status = Status.STOPPED_EARLY

    def start(self, records: Records) -> Held:
        points, losses, scores = self._scored(0, 1)
        return Held([losses], 1, float(scores[0]), 0, points[0], records, 0)

    def look(self, records: Records, state: Held) -> tuple[np.ndarray, Any]:
        m, first = len(records.losses), state.seen
        points, losses, scores = self._scored(first, m)
        state.curve.append(losses)
        lowest = np.minimum.accumulate(np.concatenate(([state.lowest], scores)))
        better, index = scores < lowest[:-1] - (self.tol or 0.0), np.arange(m)
        streaks = index - np.maximum.accumulate(np.where(better, index, -1 - state.streak))
        ends = (streaks >= self.rows.patience) & (self.tol is not None)
        state = state._replace(seen=first + m, streak=int(streaks[-1]))
        if lowest[-1] < state.lowest:
            place = int(scores.argmin())
            best, there = first + place, records.only(place)
            state = state._replace(lowest=lowest[-1], best=best, point=points[place], there=there)
        return ends, state

    def chosen(self, end: End, state: Held) -> Chosen:
        """The best update of a run. An interrupt keeps the last one, wherever the best one is."""
        losses, k = np.concatenate(state.curve)[: end.k + 1], end.k
        if end.status is not Status.INTERRUPTED:
            k = int(self._scores(losses).argmin())
        # On a path with a closed form the rule may have looked beyond the end
        kept = k == state.best
        point, there = (state.point, state.there) if kept else (np.asarray(self.path.at(k)), None)
        end = end._replace(k=k, losses=end.losses[: k + 1], there=there)
        return Chosen(end, point, losses.mean(axis=1))

    def _scored(self, first: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points, _ = self.path.points(np.arange(first, first + m))
        losses = self.rows.losses(points)
        return points, losses, self._scores(losses)

    def _scores(self, losses: np.ndarray) -> np.ndarray:
        # A descent that overflows ends with NaN, which is no improvement
        scores = (losses / self.variance).mean(axis=1)
        return np.where(np.isnan(scores), np.inf, scores)
