"""The one driver: follow a path until a rule, an observer or the most updates end it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gd_regressor.descent.nouns import Observer, Path, Rule
from gd_regressor.descent.records import End, Records, Result, Status


def run(
    path: Path, rules: Sequence[Rule], max_iter: int, observers: Sequence[Observer] = ()
) -> End:
    """Follow the path to the first update that satisfies a rule, or to the `max_iter`-th.

    If one update satisfies several rules, the first of the rules ends the run. If an observer or an
    interrupt ends the run, we keep the last update that was made.
    """
    records = path.records(0, 0)
    states = [rule.start(records) for rule in rules]
    stride = min([path.stride, *(observer.stride for observer in observers)])
    k, status, known = 0, None, [records.losses]
    try:
        if _ended_by(observers, 0, records, path):
            status = Status.STOPPED
        elif max_iter == 0:
            status = Status.MAX_ITER
        while status is None:
            # We look at twice as many updates each time, so a path that ends early costs little
            last = min(k + min(max(k, 1), stride), max_iter)
            records = path.records(k + 1, last)
            first, (k, status) = k + 1, _looked_at(rules, states, records, k, last)
            records = records.until(k - first + 1)
            known.append(records.losses)
            if _ended_by(observers, first, records, path):
                status = status or Status.STOPPED
            elif k == max_iter:
                status = status or Status.MAX_ITER
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    finally:
        for observer in observers:
            observer.end()
    # An interrupt may have come before the assignment to `k` or after it, so we count the losses
    losses = np.concatenate(known)
    return End(len(losses) - 1, status, losses, tuple(states))


def _looked_at(
    rules: Sequence[Rule], states: list[Any], records: Records, k: int, last: int
) -> tuple[int, Status | None]:
    """The update to keep, with the status if a rule ends the run; else `last` and None.

    This changes the `states` of the rules in place.
    """
    hit, by = last + 1, None
    for i, rule in enumerate(rules):
        ends, states[i] = rule.look(records, states[i])
        at = int(ends.argmax())
        if ends[at] and k + 1 + at < hit:
            hit, by = k + 1 + at, i
    if by is None:
        return last, None
    return rules[by].kept(hit, states[by]), rules[by].status


def _ended_by(observers: Sequence[Observer], k: int, records: Records, path: Path) -> bool:
    """Show the updates from the `k`-th on to all observers. True if one of them ends the run."""
    return any([observer.see(k, records, path) for observer in observers])


def result_of(
    path: Path, end: End, w: np.ndarray, b: np.ndarray, variance: np.ndarray, **known: Any
) -> Result:
    """The result of a descent that ended at coefficients `w` (d, t) and intercepts `b` (t,)."""
    there = path.records(end.k, end.k) if end.there is None else end.there
    return Result(
        coef=w.T,
        intercept=b,
        n_iter=end.k,
        loss_curve=np.add.reduce(end.losses, axis=1) / len(variance),
        gaps=there.gaps[0],
        gap_is=path.gap_is,
        variance=variance,
        **known,
    )
