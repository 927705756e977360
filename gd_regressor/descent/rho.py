"""Rho, the loss of one row as a function of its residual, and the choice that names one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np


class Kink(NamedTuple):
    """A part of a loss: high (r - at) for a residual r above `at`, low (r - at) below it."""

    at: float
    low: float
    high: float


class Rho(ABC):
    """A convex function of a residual r, for each entry of an array.

    The letters are those of robust statistics: rho, and its slope psi (Huber 1981).
    """

    name: str  # the word for it, in messages
    # F is c times the objective of scikit-learn's loss of this name: penalties count c times, too
    factor: float
    power: int  # rho has the units of y to this power: 2 for a loss that is quadratic near zero
    smooth: bool  # whether psi has the Lipschitz constant 2 at most, that of r^2
    scaled: bool  # whether a scale is found together with the coefficients
    rung: str  # the rung of "auto" that knows it; "" for none
    of_lines: bool = False  # whether it is a `Lines`, to which any penalty adds more lines

    @abstractmethod
    def value(self, r: np.ndarray) -> np.ndarray:
        """Rho at each residual."""

    @abstractmethod
    def slope(self, r: np.ndarray) -> np.ndarray:
        """Psi, the derivative of rho. At a kink it is some subgradient."""


class Lines(Rho):
    """A loss that consists of lines."""

    of_lines = True

    @abstractmethod
    def kinks_of(self, target: int) -> tuple[Kink, ...]:
        """The parts whose sum it is, for one target."""


class Curved(Rho):
    """A loss whose slope has a derivative, at least on each side of some points."""

    @property
    @abstractmethod
    def flat_from(self) -> float:
        """A residual beyond which psi is `far_slope`, but for rounding; infinite for none."""

    @property
    @abstractmethod
    def far_slope(self) -> float:
        """Psi of an infinite residual, or 0 where that is infinite."""

    @abstractmethod
    def curvature(self, r: np.ndarray) -> np.ndarray:
        """The derivative of psi at each residual, between 0 and 2; one of two at an edge."""

    @abstractmethod
    def young(self, r: np.ndarray, h: np.ndarray) -> np.ndarray:
        """rho(r) + rho*(h) - r h, where rho* is the conjugate; infinite where rho*(h) is.

        It is not below zero, and zero where h is the slope at r (Fenchel and Young).
        """

    @abstractmethod
    def stages(self, size: float) -> tuple[Curved, ...]:
        """Losses to descend on before this one, in this order, from residuals of this size."""


class LossChoice(ABC):
    """A loss as the user names it: parameters only, which no fit changes."""

    @property
    @abstractmethod
    def rho(self) -> Rho:
        """The loss of a row. Raises if a parameter cannot be used."""
