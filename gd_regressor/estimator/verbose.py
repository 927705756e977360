"""verbose: prints updates, and what they cost. Nothing else in the library prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.data.passes import counted
from gd_regressor.descent.nouns import Observer, Path
from gd_regressor.descent.records import Bound, Records, Result, Terms
from gd_regressor.estimator.progress import Bar
from gd_regressor.estimator.tables import of_variance, so_many
from gd_regressor.objective.penalties import ElasticNet


class Verbose(Observer):
    """Prints loss and gradient of each `every`-th update to the standard output.

    Where a penalty has a kink, the gradient of the loss alone is not zero at the minimum. There we
    print the norm of the subgradient of least norm, which is. Between updates a terminal shows a
    progress bar, if the descent takes long.
    """

    stride = sys.maxsize  # it can print any number of updates at once

    def __init__(self, every: int, max_iter: int, *, may_stop: bool, unit: str = "update") -> None:
        self.every, self.unit = every, unit
        self._bar = Bar(max_iter, may_stop=may_stop)
        self._began, self._passes = time.perf_counter(), 0.0
        self._kinks: ElasticNet | None = None

    def about(self, terms: Terms | None) -> None:
        """Learn the penalty of the descent."""
        if terms is not None and not terms.are_smooth:
            self._kinks = ElasticNet(terms.l1, terms.l2, terms.positive)

    def see(self, k: int, records: Records, path: Path) -> bool:
        places = range(-k % self.every, len(records.losses), self.every)
        if places:
            ks, losses = k + np.array(places), records.losses[places].mean(axis=1)
            each = zip(ks, losses, _norms(self._slopes(ks, path)), strict=True)
            name = "gradient" if self._kinks is None else "subgradient"
            self._bar.hide()
            _write(
                f"{self.unit} {k:>8}  loss {loss:<15.10g}  {name} {g:.4g}" for k, loss, g in each
            )
        self._bar.move(k + len(records.losses) - 1, float(records.losses[-1].mean()))
        return False

    def _slopes(self, ks: np.ndarray, path: Path) -> np.ndarray:
        """(m, p, t): the gradients of F, or its subgradients of least norm."""
        slopes = path.gradients(ks)
        if self._kinks is None:
            return slopes
        points, d = path.points(ks)[0], self._kinks.n_columns
        slopes[:, :d] = self._kinks.subgradient(points[:, :d], slopes[:, :d])
        return slopes

    def end(self) -> None:
        self._bar.hide()

    def counting(self, follow: Callable[[], Result], n_rows: int) -> Result:
        """Follow a descent, and count its passes over so many rows."""
        with counted() as passes:
            try:
                return follow()
            finally:
                self._passes = passes.over(n_rows)

    def sum_up(self, result: Result) -> None:
        """Print what the fit cost, and how far from the minimum it ended."""
        seconds = time.perf_counter() - self._began
        cost = f"{so_many(result.n_iter, self.unit)}, {_passes(self._passes)}"
        far = "" if np.isnan(result.gap) else f": {_distance(result)}"
        _write([f"{cost} over the rows, {seconds:.3g} s{far}"])


def _norms(gradients: np.ndarray) -> np.ndarray:
    """(m,): of the gradient of the mean loss over the targets, from that of each (m, p, t)."""
    return np.linalg.norm(gradients, axis=(1, 2)) / gradients.shape[2]


def _passes(count: float) -> str:
    """A number of passes. A sample is a part of one."""
    whole = round(count, 1)
    return so_many(whole, "pass") if whole == round(whole) else f"{whole:,.1f} passes"


def _distance(result: Result) -> str:
    if result.relative_gap <= EPS and result.gap_is is not Bound.AT_LEAST:
        return "the loss is at its minimum, to rounding"
    return (
        f"the loss is {result.gap_is.value}{result.gap:.4g} above its minimum "
        f"({of_variance(result.relative_gap, 3, result.unit)} of y)"
    )


def _write(lines: Iterable[str]) -> None:
    """Print lines in one go. The reader of a pipe or a file sees them while the descent runs."""
    print("\n".join(lines), flush=True)
