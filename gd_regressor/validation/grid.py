"""Grid: all combinations of parameters that are compared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gd_regressor.descent.records import Terms


class Grid(NamedTuple):
    """Learning rates, numbers of updates and penalties, and what all candidates share."""

    rates: tuple[float | None, ...]  # None is "auto"
    counts: np.ndarray  # (k,): the most updates
    l1_ratios: np.ndarray  # (l,)
    alphas: np.ndarray  # (l, a): those of each l1_ratio
    momentum: float
    tol: float | None
    fit_intercept: bool
    positive: bool  # whether all coefficients are held at or above zero
    weights: np.ndarray  # (d,): factors of alpha for the columns

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Rates, counts, l1_ratios, alphas."""
        return (len(self.rates), len(self.counts), *self.alphas.shape)

    @property
    def l1(self) -> np.ndarray:
        """(l, a): the factor of 2 |w|_1 in the loss, for columns of weight 1."""
        return self.alphas * self.l1_ratios[:, None] * self.weights.any()

    @property
    def l2(self) -> np.ndarray:
        """(l, a): the factor of |w|_2^2 in the loss, for columns of weight 1."""
        return self.alphas * (1 - self.l1_ratios[:, None]) * self.weights.any()

    @property
    def smooth(self) -> np.ndarray:
        """(l, a): whether the penalty is a sum of squares, or none."""
        return (self.l1 == 0) & (not self.positive)

    @property
    def numbers(self) -> np.ndarray:
        """The places of the rates that are numbers."""
        return np.array([i for i, rate in enumerate(self.rates) if rate is not None], dtype=int)

    @property
    def automatic(self) -> np.ndarray:
        """The places of "auto" among the rates."""
        return np.array([i for i, rate in enumerate(self.rates) if rate is None], dtype=int)

    @property
    def is_even(self) -> bool:
        """Whether all columns have the same penalty."""
        return bool((self.weights == 1).all())

    @property
    def leaves_free(self) -> bool:
        """Whether a column has no penalty, whatever the alpha."""
        return bool((self.weights == 0).any())

    def terms(self, place: tuple[int, int], n_targets: int) -> Terms:
        """The penalties of all coefficients at a place (l, a)."""
        weights = np.repeat(self.weights[:, None], n_targets, axis=1)
        return Terms(self.l1[place] * weights, self.l2[place] * weights, self.positive)
