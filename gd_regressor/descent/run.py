"""The one driver: follow a path until a rule, an observer or the most updates end it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from gd_regressor.descent.nouns import Observer, Path, Rule
from gd_regressor.descent.records import End, Records, Result, Status


def run(
    path: Path, rules: Sequence[Rule], max_iter: int, observers: Sequence[Observer] = ()
) -> End:
    """The end of the path: the first update that satisfies a rule, or the `max_iter`-th.

    Where one update satisfies several rules, the first of them ends the run. An observer that ends
    it, or an interrupt, keeps the last update that was made.
    """
    records = path.records(0, 0)
    states = [rule.start(records) for rule in rules]
    stride = min([path.stride, *(observer.stride for observer in observers)])
    k, status, known = 0, None, [records.losses]
    try:
        if _ended_by(observers, 0, records, path):
            status = Status.INTERRUPTED
        while status is None:
            # Looking ahead doubles, so a path that ends early costs little
            last = min(k + min(max(k, 1), stride), max_iter)
            records = path.records(k + 1, last)
            first, (k, status) = k + 1, _looked_at(rules, states, records, k, last)
            records = records.until(k - first + 1)
            known.append(records.losses)
            if _ended_by(observers, first, records, path):
                status = status or Status.INTERRUPTED
            elif k == max_iter:
                status = status or Status.MAX_ITER
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    # An interrupt may have come before `k` was put forward, or after: the losses decide
    losses = np.concatenate(known)
    return End(len(losses) - 1, status, losses)


def _looked_at(
    rules: Sequence[Rule], states: list[Any], records: Records, k: int, last: int
) -> tuple[int, Status | None]:
    """The update to keep of those up to `last`, and the status of a run that ends with it.

    Puts the `states` of the rules forward.
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
    """Show the updates from the `k`-th on; whether one of the observers ends the run."""
    last = k + len(records.losses) - 1
    return any([observer.see(k, records, partial(path.at, last)) for observer in observers])


def result_of(
    path: Path, end: End, w: np.ndarray, b: np.ndarray, variance: np.ndarray, **known: Any
) -> Result:
    """The record of a descent that ended with coefficients `w` (d, t) and intercepts `b` (t,)."""
    return Result(
        coef=w.T,
        intercept=b,
        n_iter=end.k,
        loss_curve=end.losses.sum(axis=1) / len(variance),
        gaps=path.records(end.k, end.k).gaps[0],
        variance=variance,
        gap_is_exact=path.gap_is_exact,
        **known,
    )
