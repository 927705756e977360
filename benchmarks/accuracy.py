"""How many digits of the coefficients are right, held against exact arithmetic."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.linalg import lstsq
from sklearn.linear_model import LinearRegression, SGDRegressor

from benchmarks.competitors import Competitor, competitors, fitted
from benchmarks.data import Size
from benchmarks.exact import exact_least_squares, largest_relative_error
from benchmarks.problems import Problem, hard_problems, unix_seconds

# Those of a correctly rounded float64: -log10 of its unit roundoff.
ALL_DIGITS = 15.95


@dataclass(frozen=True)
class Digits:
    """What the solvers make of one problem.

    Attributes
    ----------
    problem : str
    size : Size
    condition : float
        The condition number of the columns, centred and scaled to the same length.
    digits : dict of str to float
        By the solver's name: -log10 of the largest relative error of a coefficient or the
        intercept, from 0 to `ALL_DIGITS`.
    """

    problem: str
    size: Size
    condition: float
    digits: dict[str, float]


@dataclass(frozen=True)
class UnscaledFit:
    """What one solver makes of a table with a column of Unix seconds.

    Attributes
    ----------
    solver : str
    r2 : float
    error : float
        The largest relative error of a coefficient or the intercept.
    """

    solver: str
    r2: float
    error: float


@dataclass(frozen=True)
class Accuracy:
    """Both tables.

    Attributes
    ----------
    digits : list of Digits
    unscaled : list of UnscaledFit
    """

    digits: list[Digits]
    unscaled: list[UnscaledFit]


def measure_accuracy() -> Accuracy:
    """Fit every solver to every problem.

    Returns
    -------
    Accuracy
    """
    with warnings.catch_warnings():
        # What they warn of, lost digits and descents that did not converge, the tables show.
        warnings.simplefilter("ignore")
        return Accuracy([_digits(problem) for problem in hard_problems()], _unscaled_fits())


def _digits(problem: Problem) -> Digits:
    X, y = problem.X, problem.y
    size = Size(*X.shape)
    exact = exact_least_squares(X, y)
    found = {solver.name: _solution(solver, X, y) for solver in _solvers(size)}
    digits = {name: _correct_digits(solution, exact) for name, solution in found.items()}
    columns = X - X.mean(axis=0)
    condition = np.linalg.cond(columns / np.linalg.norm(columns, axis=0))
    return Digits(problem.name, size, float(condition), digits)


def _unscaled_fits() -> list[UnscaledFit]:
    _, X, y = unix_seconds()
    exact = exact_least_squares(X, y)
    found = []
    for solver in [*_solvers(Size(*X.shape)), _plain_sgd()]:
        solution = _solution(solver, X, y)
        residual = y - (X @ solution[:-1] + solution[-1])
        r2 = 1 - float(np.mean(residual**2) / y.var())
        found.append(UnscaledFit(solver.name, r2, largest_relative_error(solution, exact)))
    return found


def _solution(solver: Competitor, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit, and put the intercept behind the coefficients."""
    coef, intercept = solver.coefficients(solver.fit(X, y))
    return np.append(coef, intercept)


def _correct_digits(found: np.ndarray, exact: list[Fraction]) -> float:
    error = largest_relative_error(found, exact)
    return ALL_DIGITS if error == 0 else min(max(-math.log10(error), 0.0), ALL_DIGITS)


def _solvers(size: Size) -> list[Competitor]:
    by_key = {c.key: c for c in competitors(size)}
    gelsy = Competitor(
        "gelsy",
        "scipy.linalg.lstsq(lapack_driver='gelsy') on [1 X]",
        lambda X, y: lstsq(np.column_stack([np.ones(len(X)), X]), y, lapack_driver="gelsy")[0],
        lambda solution: (solution[1:], float(solution[0])),
    )
    return [
        *(by_key["auto"], by_key["linear"], *_without_cut()),
        *(gelsy, by_key["ridge"], by_key["sgd"]),
    ]


def _without_cut() -> list[Competitor]:
    """From 1.9 on scikit-learn leaves out what is below 1e-6 of the largest singular value."""
    if "tol" not in LinearRegression().get_params():
        return []
    return [
        Competitor(
            "linear without cut",
            "LinearRegression(tol=0)",
            lambda X, y: LinearRegression(tol=0.0).fit(X, y),
            fitted,
        )
    ]


def _plain_sgd() -> Competitor:
    return Competitor(
        "plain sgd",
        "SGDRegressor()",
        lambda X, y: SGDRegressor(random_state=0).fit(X, y),
        lambda model: (model.coef_, float(model.intercept_[0])),
    )
