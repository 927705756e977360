"""Ahead: a start for a weaker penalty, on the line through the last two minimisers.

While no sign changes, the minimiser moves on a line as the strength of an L1 penalty falls
(Osborne, Presnell and Turlach 2000). A start ahead on this line tells which signs change, so that
most strengths need one solve. From the last minimiser itself too many columns seem to join.
"""

from __future__ import annotations

import numpy as np


def shares(strengths: np.ndarray) -> np.ndarray:
    """(m,): each fall of `strengths` (m,) as a multiple of the one before; 0 where none was."""
    found, falls = np.zeros(len(strengths)), np.diff(strengths)
    np.divide(falls[1:], falls[:-1], out=found[2:], where=falls[:-1] != 0)
    return found


def ahead(before: np.ndarray, w: np.ndarray, share: float) -> np.ndarray:
    """The point on the line from `before` through `w`, a `share` of their distance further on.

    A coefficient that would change its sign is zero.
    """
    there = w + share * (w - before)
    return np.where(there * w > 0, there, 0.0)
