"""The rungs for losses with a penalty or beside the square: which of them a request is for."""

from __future__ import annotations

from typing import cast

from gd_regressor.auto.by_active_set import by_active_set
from gd_regressor.auto.by_curved import by_curved
from gd_regressor.auto.by_few_columns import by_few_columns, few_may_be_in_use
from gd_regressor.auto.by_huber import by_huber, by_scaled_huber
from gd_regressor.auto.by_pinball import by_pinball
from gd_regressor.auto.by_ridge import by_ridge
from gd_regressor.auto.by_ridge_dual import by_ridge_dual
from gd_regressor.auto.by_ridge_scaling import by_ridge_scaling
from gd_regressor.auto.by_working_sets import by_working_sets, many_columns
from gd_regressor.data.table import Given
from gd_regressor.descent.records import Request, Terms

# Of more sparse columns products take more memory than a fit may
MOST_PRODUCTS = 2000
# Wide positive fits of fewer columns take some milliseconds on their products
WIDE_POSITIVE = 100
PENALISED = {
    "ridge": by_ridge,
    "ridge dual": by_ridge_dual,
    "ridge scaled": by_ridge_scaling,
    "active": by_active_set,
    "few": by_few_columns,
    "working": by_working_sets,
    "huber": by_huber,
    "scaled huber": by_scaled_huber,
    "curved": by_curved,
    "pinball": by_pinball,
}


def penalised_rungs(rows: Given, request: Request) -> tuple[str, ...]:
    """The rungs to try, in this order. The last one has a plan for any table of this kind."""
    if request.rho is not None:
        return (request.rho.rung,)
    terms = cast(Terms, request.terms)
    if not terms.are_smooth:
        # Of wide positive fits working sets find the minimum in the space of the rows
        wide = rows.n_columns > max(rows.n_rows, WIDE_POSITIVE) and not rows.is_elsewhere
        if many_columns(rows) or (terms.positive and wide):
            return ("working", "active")
        return ("few", "active") if few_may_be_in_use(rows, terms) else ("active",)
    if rows.is_sparse and rows.n_columns > MOST_PRODUCTS:
        return ("ridge scaled",)
    wide = rows.n_columns >= rows.n_rows and not rows.is_sparse
    return ("ridge",) if terms.are_ridge and not wide else ("ridge dual",)
