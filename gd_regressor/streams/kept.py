"""The noun of streams: what is kept of rows that come once, however many have come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Self, TypeVar

import numpy as np

from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Request, Result, Start
from gd_regressor.descent.steps import ConstantStep

Statistic = TypeVar("Statistic", Moments, Root)


class Kept(ABC, Generic[Statistic]):
    """A statistic of all rows so far, the verbs that update it, and the descents on it.

    The verbs trust that rows and other statistics have the same columns and targets.
    """

    name: str  # the estimator's `stream` that asks for this kind
    statistic: Statistic

    @classmethod
    @abstractmethod
    def of(cls, rows: Rows) -> Self:
        """That of a first chunk."""

    @property
    @abstractmethod
    def n_targets(self) -> int:
        """T."""

    @property
    @abstractmethod
    def has_forgotten(self) -> bool:
        """Whether rows were ever taken out."""

    @abstractmethod
    def followed_by(self, rows: Rows) -> Self:
        """With one more chunk, which has weight."""

    @abstractmethod
    def __add__(self, other: Any) -> Self:
        """That of the rows of both; `other` is of the same kind."""

    @abstractmethod
    def without(self, rows: Rows) -> Self:
        """With a chunk taken out; itself where that has no weight. A kind that cannot refuses."""

    @abstractmethod
    def auto(
        self,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        """Descend with "auto", for coefficients to be kept in this `precision`."""

    @abstractmethod
    def textbook(
        self,
        step: ConstantStep,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        """Descend with a constant step: the iterates of all rows, in this `precision`."""
