"""Held-out rows as their sums: what any linear predictions leave of their targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from gd_regressor.data.moments import Moments
from gd_regressor.data.root import Root


@dataclass(frozen=True)
class HeldOut(ABC):
    """The sums of rows that tell the errors of linear predictions, without these rows.

    A prediction of target j is c + x'w. The mean of its errors is the distance of the means,
    target_mean_j - c - mean'w, and their variance is a quadratic form in w.
    """

    n_rows: int
    mean: np.ndarray  # (d,): of the columns
    target_mean: np.ndarray  # (t,)

    def about(self, centre: np.ndarray) -> Self:
        """The same rows, with columns x - centre."""
        return replace(self, mean=self.mean - centre)

    @abstractmethod
    def along(self, vectors: np.ndarray, centre: np.ndarray, ones: np.ndarray) -> Self:
        """The same rows, with columns (x - centre) @ vectors + ones, of `vectors` (d, m)."""

    @abstractmethod
    def variance(self, target: int, w: np.ndarray) -> np.ndarray:
        """(k,): the variances of the errors of coefficients `w` (d, k)."""

    @property
    @abstractmethod
    def target_variance(self) -> np.ndarray:
        """(t,): the variances of the targets."""

    def errors(self, target: int, w: np.ndarray, c: np.ndarray | float) -> Errors:
        """The errors of coefficients `w` (d, k) and intercepts `c` (k,) for one target."""
        return Errors(self.target_mean[target] - c - self.mean @ w, self.variance(target, w))


@dataclass(frozen=True)
class Errors:
    """What is known of the errors of k predictions for a target."""

    mean: np.ndarray  # (k,)
    variance: np.ndarray  # (k,)

    @property
    def mean_square(self) -> np.ndarray:
        """(k,): the mean squared error."""
        return self.variance + self.mean**2


@final
@dataclass(frozen=True)
class HeldOutMoments(HeldOut):
    """From moments. Rounding is eps times the terms w_i w_j Q_ij, so w must be of fair size."""

    xx: np.ndarray  # (d, d): Q, the covariances of the columns
    xy: np.ndarray  # (d, t): q
    yy: np.ndarray  # (t,)

    @classmethod
    def of(cls, moments: Moments) -> HeldOutMoments:
        scale, weight = moments.scale, moments.weight
        return cls(
            moments.n_rows,
            moments.column_means,
            moments.target_means,
            moments.xx * scale * (scale[:, None] / weight),
            moments.xy * (scale[:, None] / weight),
            moments.yy / weight,
        )

    @property
    def target_variance(self) -> np.ndarray:
        return self.yy

    def along(self, vectors: np.ndarray, centre: np.ndarray, ones: np.ndarray) -> HeldOutMoments:
        return replace(
            self,
            mean=(self.mean - centre) @ vectors + ones,
            xx=vectors.T @ self.xx @ vectors,
            xy=vectors.T @ self.xy,
        )

    def variance(self, target: int, w: np.ndarray) -> np.ndarray:
        # w'(Qw - 2q) in one pass over w and Qw
        product = self.xx @ w
        product -= 2 * self.xy[:, [target]]
        return np.maximum(np.einsum("ij,ij->j", product, w) + self.yy[target], 0.0)


@final
@dataclass(frozen=True)
class HeldOutRoot(HeldOut):
    """From R of a QR factorisation, which does not square the size of w."""

    columns: np.ndarray  # (k, d): R below its first row, divided by the root of the weight
    targets: np.ndarray  # (k, t)

    @classmethod
    def of(cls, root: Root) -> HeldOutRoot:
        matrix, d = root.mean_square, len(root.centre)
        means = matrix[0, 1:] / matrix[0, 0]
        return cls(
            root.n_rows,
            root.centre + root.scale * means[:d],
            root.target_centre + means[d:],
            matrix[1:, 1 : d + 1] * root.scale,
            matrix[1:, d + 1 :],
        )

    @property
    def target_variance(self) -> np.ndarray:
        return np.einsum("ij,ij->j", self.targets, self.targets)

    def along(self, vectors: np.ndarray, centre: np.ndarray, ones: np.ndarray) -> HeldOutRoot:
        mean = (self.mean - centre) @ vectors + ones
        return replace(self, mean=mean, columns=self.columns @ vectors)

    def variance(self, target: int, w: np.ndarray) -> np.ndarray:
        left = self.targets[:, [target]] - self.columns @ w
        return np.einsum("ij,ij->j", left, left)
