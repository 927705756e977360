"""Descent along the modes, update by update: for steps that have no closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gd_regressor.arithmetic.cached import cached_property
from gd_regressor.descent.nouns import Path, Problem
from gd_regressor.descent.records import Bound, Iterate, Records
from gd_regressor.descent.steps import TextbookStep
from gd_regressor.descent.walk import Walk, trapezium
from gd_regressor.textbook.modes import Modes
from gd_regressor.textbook.spectrum import Spectrum
from gd_regressor.textbook.triangle import squares


@dataclass(frozen=True)
class Modal(Problem):
    """The loss of what has been moved along each mode: F_min + |S v - r|^2."""

    modes: Modes

    @property
    def gap_is(self) -> Bound:
        return Bound.EXACT

    def value_and_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        singular = self.modes.singular[:, None]
        left = singular * theta - self.modes.residual
        return self.modes.minimum + squares(left), 2 * singular * left

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        return gradient

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        return 2 * self.modes.singular[:, None] ** 2 * direction

    def decrease(self, before: Iterate, here: Iterate) -> np.ndarray:
        return trapezium(before, here)

    def gap(self, here: Iterate) -> np.ndarray:
        return squares(here.gradient / (2 * self.modes.singular[:, None]))


@dataclass(frozen=True)
class ModalWalk(Path):
    """A walk that takes as long for a million rows as for ten."""

    step: TextbookStep
    modes: Modes  # those that move

    gap_is = Bound.EXACT

    @property
    def minimum(self) -> np.ndarray:
        return self.modes.minimum

    def needed(self, distance: np.ndarray) -> float:
        return np.nan

    def at(self, k: int) -> np.ndarray:
        return self.modes.origin + self.modes.vectors @ self._walk.at(k)

    def points(self, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved, losses = self._walk.points(ks)
        return self.modes.origin + self.modes.vectors @ moved, losses

    def gradients(self, ks: np.ndarray) -> np.ndarray:
        return self.modes.vectors @ self._walk.gradients(ks)

    def records(self, first: int, last: int) -> Records:
        return self._walk.records(first, last)

    @cached_property
    def _walk(self) -> Walk:
        return Walk(Modal(self.modes), np.zeros_like(self.modes.residual), self.step)


def path_along(modes: Modes, step: TextbookStep) -> Path:
    """The descent by `step`, in closed form where it has one."""
    constant = step.constant
    return ModalWalk(step, modes.moving) if constant is None else Spectrum(constant, modes.moving)
