"""The one loop: a generator of iterates, and the path that records it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gd_regressor.doubled import Point, plain
from gd_regressor.records import Iterate, Path, Records


def iterates(loss, start: Point, metric, rule) -> Iterator[Iterate]:
    """Descend from `start`, for ever: w <- w - eta P grad F(w), with the rule's momentum."""
    k, theta, state = 0, start, rule.start(start)
    value, gradient = loss.value_and_gradient(theta)
    while True:
        here = Iterate(k, theta, value, gradient, metric.apply(gradient))
        yield here
        theta, value, gradient, state = rule.next(state, here, loss)
        k += 1


class Walk(Path):
    """A path known as far as it was walked: losses of all iterates, parameters of the last.

    `here` is that last iterate. Asking for the parameters of an earlier one starts again.
    """

    def __init__(self, loss, start: Point, metric, rule) -> None:
        self._parts = loss, start, metric, rule
        self._set_out()

    def _set_out(self) -> None:
        self._iterates = iterates(*self._parts)
        self.here = next(self._iterates)
        zeros = np.zeros_like(self.here.loss)
        self._known = [(self.here.loss, zeros, self._gap(self.here))]

    def _gap(self, iterate: Iterate) -> np.ndarray:
        return np.maximum(iterate.slope, 0.0) / (2 * self._parts[2].steepness)

    def _advance(self, k: int) -> None:
        while self.here.k < k:
            before, here = self.here, next(self._iterates)
            # The trapezium rule is exact on a quadratic, and free of the rounding of F
            slopes = before.gradient + here.gradient
            moved = plain(before.theta - here.theta)
            decrease = np.einsum("ij,ij->j", slopes, moved) / 2
            self.here = here
            self._known.append((here.loss, decrease, self._gap(here)))

    def at(self, k: int) -> Point:
        if k < self.here.k:
            self._set_out()
        self._advance(k)
        return self.here.theta

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        thetas: list = [None] * len(ks)
        for i in np.argsort(ks, kind="stable"):
            thetas[i] = plain(self.at(ks[i]))
        return np.array(thetas), np.array([self._known[k][0] for k in ks])

    def records(self, first: int, last: int) -> Records:
        self._advance(last)
        if first == last:
            return Records(*(a[None] for a in self._known[first]))
        losses, decreases, gaps = zip(*self._known[first : last + 1], strict=True)
        return Records(np.array(losses), np.array(decreases), np.array(gaps))


class Moved(Path):
    """A path that begins at `start`: one from zero on the residuals there, moved.

    For a good start, beside whose residuals the rounding of y - X w at each iterate would show.
    """

    def __init__(self, path: Path, start: np.ndarray) -> None:
        self._path, self._start = path, start
        self.stride, self.gap_is_exact = path.stride, path.gap_is_exact

    def at(self, k: int) -> Point:
        return self._start + self._path.at(k)

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        thetas, losses = self._path.points(ks)
        return self._start + thetas, losses

    def records(self, first: int, last: int) -> Records:
        return self._path.records(first, last)
