"""verbose: an observer that prints losses. Nothing else in the library prints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from gd_regressor.arithmetic.doubled import Point
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Records


@dataclass(frozen=True)
class Verbose(Observer):
    """Prints the loss of each `every`-th update to the standard output."""

    every: int

    stride = sys.maxsize  # it can print any number of updates at once

    def see(self, k: int, records: Records, point: Callable[[], Point]) -> bool:
        for i in range(-k % self.every, len(records.losses), self.every):
            print(f"update {k + i:>8}  loss {records.losses[i].mean():.10g}")
        return False
