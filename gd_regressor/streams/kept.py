"""The noun of streams: a statistic of rows that come once. It does not grow with the rows."""

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
from gd_regressor.descent.steps import TextbookStep
from gd_regressor.textbook.landscape import Landscape

Statistic = TypeVar("Statistic", Moments, Root)


class Kept(ABC, Generic[Statistic]):
    """A statistic of all rows so far, the verbs that update it, and the descents on it.

    The verbs do not check that rows and other statistics have the same columns and targets:
    `Stream` does.
    """

    name: str  # the value of the estimator's parameter `stream`
    statistic: Statistic

    @classmethod
    @abstractmethod
    def of(cls, rows: Rows) -> Self:
        """Keep the first chunk."""

    @property
    @abstractmethod
    def n_targets(self) -> int:
        """The number of targets."""

    @property
    @abstractmethod
    def has_forgotten(self) -> bool:
        """Whether rows were ever subtracted."""

    @abstractmethod
    def followed_by(self, rows: Rows) -> Self:
        """Add one more chunk, whose weights are not all zero."""

    @abstractmethod
    def __add__(self, other: Any) -> Self:
        """Join the rows of both; `other` is of the same kind."""

    @abstractmethod
    def without(self, rows: Rows) -> Self:
        """Subtract a chunk; one without weight changes nothing. A kind that cannot, raises."""

    @abstractmethod
    def auto(
        self,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        """Descend with "auto"; the estimator stores the coefficients in this `precision`."""

    @abstractmethod
    def textbook(
        self,
        step: TextbookStep,
        start: Start,
        request: Request,
        precision: np.dtype,
        observers: Sequence[Observer] = (),
    ) -> Result:
        """Descend with the textbooks' step on all rows, whose columns have this `precision`."""

    @abstractmethod
    def landscape(self, start: Start, fit_intercept: bool, precision: np.dtype) -> Landscape:
        """The loss of all rows, for any textbook descent from the start."""
