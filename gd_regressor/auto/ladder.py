"""The ladder of "auto": it chooses the rung for the table at hand, and nothing else."""

from __future__ import annotations

import numpy as np

from gd_regressor.arithmetic.kernels import moments_cost
from gd_regressor.auto.by_dual import by_dual
from gd_regressor.auto.by_moments import by_moments
from gd_regressor.auto.by_qr import by_qr
from gd_regressor.auto.by_scaling import by_scaling
from gd_regressor.auto.by_single_moments import by_single_moments, single_cost
from gd_regressor.auto.by_sketch import SKETCH_REACH, best_sketch, by_sketch
from gd_regressor.auto.penalised_rungs import PENALISED, penalised_rungs
from gd_regressor.auto.plan import Plan
from gd_regressor.data.table import Given, is_small
from gd_regressor.descent.records import Request

# More sparse columns than this have no products: by_scaling descends on them as they are
FEW_SPARSE = 2000
# Moments give all digits of the coefficients. Rungs that end at `tol` must be so much cheaper to be
# worth those that they leave out
WORTH_DIGITS = 1.3
# These read the rows again and again; the plans of the others need nothing after them
MANY_PASSES, LAST = ("sketch", "single"), ("scaled", "qr")
# Each rung returns a plan or None, and its findings about the table for the rungs after it
RUNGS = {
    "dual": by_dual,
    "sketch": by_sketch,
    "single": by_single_moments,
    "moments": by_moments,
    "qr": by_qr,
    "scaled": by_scaling,
    **PENALISED,
}


def plan_for(rows: Given, request: Request, rung: str | None = None) -> Plan:
    """The plan of the cheapest rung that reaches `tol`. `rung` names another to try first."""
    plan, found = None, None
    names = iter(rungs_for(rows, request, rung))
    while plan is None:
        plan, found = RUNGS[next(names)](rows, request, found)
    return plan


def rungs_for(rows: Given, request: Request, rung: str | None = None) -> tuple[str, ...]:
    """The rungs to try, in this order. The last one has a plan for any table."""
    if request.terms is not None or request.rho is not None:
        return penalised_rungs(rows, request)
    if rung in LAST:
        return (rung,)
    sizes = rows.n_rows, rows.n_columns, rows.n_targets
    first = (rung,) if rung else cheap_rungs(*sizes, request.tol, rows.precision)
    if rows.costly_to_read:
        first = tuple(name for name in first if name not in MANY_PASSES)
    if rows.is_sparse and rung is None and not rows.is_small:
        first = ()
        if rows.n_columns > FEW_SPARSE:
            return ("scaled",)
    return tuple(dict.fromkeys((*first, "moments", "qr")))


def cheap_rungs(
    n: int, d: int, t: int, tol: float | None, precision: np.dtype | type = np.float64
) -> tuple[str, ...]:
    """The rungs to try before moments on a dense table of n rows, d columns and t targets.

    The cheapest is the first. A rung that gives up has looked at a sample, or made one product. So
    we try the next one, which may not need the digits that the first lacks.
    """
    if d >= n:
        return ("dual",)
    if is_small(n * d) or tol is None or tol < SKETCH_REACH:
        return ()
    costs = {"sketch": best_sketch(n, d, t, tol)[1]}
    if precision == np.float64:  # columns in single precision have nothing to round
        costs["single"] = single_cost(n, d, t)
    most = moments_cost(d) / WORTH_DIGITS
    return tuple(sorted((name for name in costs if costs[name] < most), key=costs.__getitem__))
