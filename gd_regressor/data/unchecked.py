"""Rows that may hold a NaN, because nobody has looked at their values yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import final

import numpy as np

from gd_regressor.arithmetic.frozen import frozen
from gd_regressor.data.checks import check_finite, check_targets
from gd_regressor.data.table import Found, Given, Rows


@final
@frozen
class Unchecked(Given):
    """Dense rows in memory without weights.

    A look at each value takes a pass over X. Most fits begin with a pass over all rows anyway, and
    its sums show a NaN. They do not if rows have weights, because a row of weight zero is in no
    sum.
    """

    _rows: Rows

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray, *, on_disk: bool = False) -> Unchecked:
        """The rows of `X` (n, d) and `y` (n,) or (n, t), all of weight 1."""
        return cls(Rows(X, y.reshape(len(y), -1), on_disk=on_disk))

    @property
    def n_rows(self) -> int:
        return self._rows.n_rows

    @property
    def n_columns(self) -> int:
        return self._rows.n_columns

    @property
    def n_targets(self) -> int:
        return self._rows.n_targets

    @property
    def size(self) -> int:
        return self._rows.size

    @property
    def precision(self) -> np.dtype:
        return self._rows.precision

    @property
    def is_sparse(self) -> bool:
        return self._rows.is_sparse

    @property
    def is_small(self) -> bool:
        return self._rows.is_small

    @property
    def costly_to_read(self) -> bool:
        return self._rows.costly_to_read

    @property
    def is_elsewhere(self) -> bool:
        return self._rows.is_elsewhere

    def check(self) -> Rows:
        check_finite(self._rows.X, "X")
        check_targets(self._rows.y)
        return self._rows

    def seen_by(
        self, first_pass: Callable[[Rows], tuple[Found, Iterable[float]]]
    ) -> tuple[Found, Rows]:
        found, sums = first_pass(self._rows)
        return found, self._rows if all(map(math.isfinite, sums)) else self.check()
