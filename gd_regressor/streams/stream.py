"""Streams: they check and count chunks of rows, and hand each chunk to what they keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root
from gd_regressor.data.table import Rows, Table
from gd_regressor.descent.nouns import Observer
from gd_regressor.descent.records import Request, Result, Start
from gd_regressor.descent.steps import TextbookStep
from gd_regressor.metric.factor import Factor
from gd_regressor.streams.kept import Kept
from gd_regressor.streams.kept_moments import KeptMoments
from gd_regressor.streams.kept_root import KeptRoot
from gd_regressor.textbook.landscape import Landscape
from gd_regressor.textbook.triangle import MOMENTS_ARE_EXACT

# One matrix of so many columns takes 3 GB
MOST_COLUMNS = 20_000
KINDS: dict[str, type[Kept]] = {kind.name: kind for kind in (KeptMoments, KeptRoot)}


@dataclass(frozen=True)
class Stream:
    """All that we know of the rows of a stream. Its size does not depend on their number."""

    kept: Kept
    precision: np.dtype  # of the columns
    y_ndim: int
    n_batches: int = 1

    @classmethod
    def of(cls, rows: Rows, y_ndim: int, *, keep: str) -> Stream:
        """Begin with a first chunk; `keep` is "moments" or "qr"."""
        if rows.n_columns > MOST_COLUMNS:
            raise ValueError(
                f"X has {rows.n_columns} columns, and a stream takes at most {MOST_COLUMNS}, "
                "because it keeps square matrices of them; call fit, or hash X to fewer columns."
            )
        return cls(KINDS[keep].of(rows), rows.precision, y_ndim)

    @classmethod
    def of_moments(cls, moments: Moments) -> Stream:
        """Begin with the moments of rows that we have not seen."""
        kept = KeptMoments.of_moments(moments)
        return cls(kept, np.dtype(np.float64), 1 if kept.n_targets == 1 else 2)

    @classmethod
    def of_table(cls, rows: Table, y_ndim: int) -> Stream:
        """Keep what the textbooks' iterates need of a table on a cluster."""
        moments = Moments.of_rows(rows)
        factor = Factor.of(moments)
        if factor.dropped.size == 0 and factor.condition_number <= MOMENTS_ARE_EXACT:
            return cls(KeptMoments.of_moments(moments), rows.precision, y_ndim)
        return cls(KeptRoot.about(rows, moments, factor.scale), rows.precision, y_ndim)

    @property
    def statistic(self) -> Moments | Root:
        """The sums of all rows so far."""
        return self.kept.statistic

    @property
    def keeps(self) -> str:
        """The value of the estimator's parameter `stream` that began this stream."""
        return self.kept.name

    @property
    def has_forgotten(self) -> bool:
        """Whether rows were ever subtracted."""
        return self.kept.has_forgotten

    @property
    def n_columns(self) -> int:
        return len(self.statistic.scale)

    @property
    def n_targets(self) -> int:
        return self.kept.n_targets

    @property
    def size(self) -> int:
        """The number of entries in one matrix of the statistic."""
        return self.n_columns**2

    def check_like(self, more: Any, name: str, y_ndim: int | None = None) -> None:
        """Refuse rows, or another stream, with other columns or targets."""
        y_ndim = more.y_ndim if y_ndim is None else y_ndim
        mine = self.n_columns, self.n_targets, self.y_ndim
        if (more.n_columns, more.n_targets, y_ndim) != mine:
            raise ValueError(
                f"{name} must have the columns and targets of the stream: {mine[0]} columns, "
                f"{mine[1]} targets (y of {mine[2]} dimensions), got {more.n_columns} columns, "
                f"{more.n_targets} targets (y of {y_ndim} dimensions)."
            )

    def followed_by(self, rows: Rows) -> Stream:
        """Add one more chunk. We count a chunk without weight too, but it adds nothing."""
        if not rows.total_weight:
            return replace(self, n_batches=self.n_batches + 1)
        return replace(
            self,
            kept=self.kept.followed_by(rows),
            precision=np.result_type(self.precision, rows.precision),
            n_batches=self.n_batches + 1,
        )

    def __add__(self, other: Stream) -> Stream:
        """Join the rows of both. Both must keep the same kind of statistic."""
        if other.keeps != self.keeps:
            raise ValueError(
                f"other keeps {other.keeps!r} and this stream {self.keeps!r}, which do not add up; "
                "begin both with the same `stream`."
            )
        return replace(
            self,
            kept=self.kept + other.kept,
            precision=np.result_type(self.precision, other.precision),
            n_batches=self.n_batches + other.n_batches,
        )

    def without(self, rows: Rows) -> Stream:
        """Subtract a chunk. It still counts in `n_batches`."""
        kept = self.kept.without(rows)
        return self if kept is self.kept else replace(self, kept=kept)

    def follow_auto(
        self, start: Start, request: Request, observers: Sequence[Observer] = ()
    ) -> Result:
        """Descend with "auto"."""
        return self.kept.auto(start, request, self.precision, observers)

    def follow_textbook(
        self,
        step: TextbookStep,
        start: Start,
        request: Request,
        observers: Sequence[Observer] = (),
    ) -> Result:
        """Descend with the textbooks' step on all rows."""
        return self.kept.textbook(step, start, request, self.precision, observers)

    def landscape(self, start: Start, fit_intercept: bool) -> Landscape:
        """The loss of all rows, for any textbook descent from the start."""
        return self.kept.landscape(start, fit_intercept, self.precision)
