"""elastic_net_path: the least penalised losses for many strengths of the penalty, as a function."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gd_regressor.arithmetic.doubled import EPS
from gd_regressor.arithmetic.threads import limited
from gd_regressor.auto.by_working_sets import many_columns
from gd_regressor.auto.plan import CERTAIN_GAP
from gd_regressor.data.checks import finite_floats, is_whole
from gd_regressor.data.kinds import DaskLike, Floats, MatrixLike
from gd_regressor.data.moments import Moments, first_moments
from gd_regressor.data.table import Table
from gd_regressor.descent.records import Request, Terms
from gd_regressor.estimator.arrays import rows_for
from gd_regressor.estimator.fitting import fit_table
from gd_regressor.estimator.parameters import (
    EXACT_TOL,
    Asked,
    Penalties,
    check_bool,
    check_ratio,
    check_share,
    checked_weights,
)
from gd_regressor.estimator.start import zeros_for_missing
from gd_regressor.lasso.along_alpha import (
    AlphaPath,
    along_alphas,
    falling,
    largest_alpha,
    loss_on,
)
from gd_regressor.lasso.along_working_sets import along_working_sets, largest_held
from gd_regressor.objective.frame import scales_of
from gd_regressor.paths import shaped

# Of a fit to one strength: the default of the estimator
UPDATES_OF_A_FIT = 1000


def elastic_net_path(
    X: MatrixLike | DaskLike,
    y: ArrayLike | DaskLike,
    *,
    l1_ratio: float = 0.5,
    alphas: int | ArrayLike = 100,
    eps: float = 1e-3,
    positive: bool = False,
    penalty_weights: ArrayLike | None = None,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | DaskLike | None = None,
) -> tuple[NDArray[np.float64], Floats, Floats, NDArray[np.float64]]:
    """Compute the least penalised losses for many strengths of the penalty.

    Each minimum is that of `GDLinearRegressor` with ``learning_rate="auto"`` and this `alpha`. The
    rows are read once. Each descent begins at the minimum for the next larger `alpha`. Where
    columns nearly depend on each other, sums over the rows have too few digits for some of the
    strengths. Each of these has a fit of its own. So has each ridge on more columns than rows.

    Parameters
    ----------
    X : {array-like, sparse matrix, Dask collection} of shape (n_samples, n_features)
        Columns, in any units.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets. All have the same `alphas`.
    l1_ratio : float, default=0.5
        Share of the L1 penalty, from 0 (ridge) to 1 (lasso).
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths >= 0 of the penalty, in any order. An int is a number of them: they fall from the
        smallest `alpha` at which no penalised column has a coefficient, by equal factors.
    eps : float, default=1e-3
        The last of so many `alphas`, as a share of the first; in (0, 1).
    positive : bool, default=False
        Whether to hold all coefficients at or above zero.
    penalty_weights : array-like of shape (n_features,), default=None
        Factors >= 0 of `alpha`, one per column; None gives each column 1.
    fit_intercept : bool, default=True
        Whether the model has an intercept, which has no penalty.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0; None gives each row weight 1.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        The strengths, in the order given.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients for each of them. They are the last axis, as in
        `sklearn.linear_model.enet_path`.
    intercepts : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Intercepts likewise.
    dual_gaps : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Bounds for how far each is above the minimum of `ElasticNet`'s objective.

    Raises
    ------
    ValueError
        If `elastic_net_path` cannot use a parameter or a value of the data. With ``l1_ratio=0`` no
        `alpha` makes all coefficients zero, so `alphas` must then be an array.

    See Also
    --------
    gd_path : Iterates of gradient descent, without a penalty or with a ridge.
    sklearn.linear_model.enet_path : The same by coordinate descent.

    Examples
    --------
    >>> import numpy as np
    >>> from gd_regressor import elastic_net_path
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([2.0, 4.0, 5.0, 4.0, 5.0])
    >>> alphas, coefs, intercepts, dual_gaps = elastic_net_path(X, y, l1_ratio=1, alphas=3)
    >>> print(np.round(alphas, 4), np.round(coefs[0], 4))
    [1.2    0.0379 0.0012] [0.     0.581  0.5994]
    """
    check_ratio(l1_ratio)
    check_bool("positive", positive)
    check_bool("fit_intercept", fit_intercept)
    check_share("eps", eps)
    values = _checked_alphas(alphas, l1_ratio)
    rows, y_ndim = rows_for(X, y, sample_weight, "elastic_net_path")
    one = Penalties(np.ones(1), float(l1_ratio), bool(positive), checked_weights(penalty_weights))
    terms = one.terms(rows.n_columns, rows.n_targets)
    precision = rows.precision

    def followed() -> tuple[np.ndarray, AlphaPath]:
        if many_columns(rows) and terms.l1.all():
            return _followed_in_use(rows.check(), bool(fit_intercept), terms, values, float(eps))
        if terms.are_smooth and rows.n_columns > rows.n_rows and not rows.is_sparse:
            return ridges_of(rows.check(), np.asarray(values))
        moments, table = rows.seen_by(first_moments)
        strengths, path = _followed(moments, bool(fit_intercept), terms, values, float(eps))
        for i in np.flatnonzero(_uncertain(path, moments, bool(fit_intercept))).tolist():
            fit_one(table.knowing(moments), float(strengths[i]), path, i)
        return strengths, path

    def ridges_of(table: Table, strengths: np.ndarray) -> tuple[np.ndarray, AlphaPath]:
        shape = len(strengths), table.n_columns + 1, table.n_targets
        path = AlphaPath(np.empty(shape), np.empty(shape[::2]))
        for i, alpha in enumerate(strengths.tolist()):
            fit_one(table, alpha, path, i)
        return strengths, path

    def fit_one(table: Table, alpha: float, path: AlphaPath, i: int) -> None:
        penalties = one._replace(alpha=np.array([alpha]))
        request = Request(bool(fit_intercept), UPDATES_OF_A_FIT, EXACT_TOL)
        asked = Asked(request, None, None, penalties)
        result = fit_table(table, zeros_for_missing((None, None), table), asked)
        path.thetas[i, :-1], path.thetas[i, -1] = result.coef.T, result.intercept
        path.gaps[i] = result.gaps / 2

    # As in a fit: the bounds see what overflows
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        strengths, path = limited(lambda _: followed())
    thetas, gaps = path.thetas, path.gaps.T
    coefs, intercepts = (a.astype(precision, copy=False) for a in shaped(thetas, True, y_ndim))
    return strengths, coefs, intercepts, gaps[0] if y_ndim == 1 else gaps


def _followed(
    moments: Moments, fit_intercept: bool, terms: Terms, alphas: np.ndarray | int, eps: float
) -> tuple[np.ndarray, AlphaPath]:
    """The strengths and their minima."""
    loss = loss_on(moments, fit_intercept)
    if isinstance(alphas, int):
        alphas = falling(largest_alpha(loss, terms), alphas, eps)
    return alphas, along_alphas(loss, terms, alphas)


def _uncertain(path: AlphaPath, moments: Moments, fit_intercept: bool) -> np.ndarray:
    """(m,): whether moments leave a gap, or may hide one in the rounding of long coefficients."""
    variance = scales_of(moments, fit_intercept).variance
    scaled = path.thetas[:, :-1] * loss_on(moments, fit_intercept).frame.scale[:, None]
    left = 2 * path.gaps + EPS * (scaled**2).sum(axis=1)
    return ~(left <= CERTAIN_GAP * variance).all(axis=1)


def _followed_in_use(
    rows: Any, fit_intercept: bool, terms: Terms, alphas: np.ndarray | int, eps: float
) -> tuple[np.ndarray, AlphaPath]:
    """The same on many columns, for the few in use."""
    if isinstance(alphas, int):
        alphas = falling(largest_held(rows, fit_intercept, terms), alphas, eps)
    return alphas, along_working_sets(rows, fit_intercept, terms, alphas)


def _checked_alphas(alphas, l1_ratio: float) -> np.ndarray | int:
    """Strengths (m,), or a number of them."""
    if is_whole(alphas):
        if int(alphas) < 1:
            raise ValueError(f"alphas must be a number of strengths >= 1, got {alphas!r}.")
        if l1_ratio == 0:
            raise ValueError(
                "alphas must be an array with l1_ratio=0: no strength makes all coefficients zero, "
                "so a number of them has no first one; write alphas=np.geomspace(1, 1e-3, 100)."
            )
        return int(alphas)
    values = finite_floats("alphas", alphas)
    if values.ndim != 1 or not values.size or values.min() < 0:
        raise ValueError(
            f"alphas must be numbers >= 0, or how many of them, got {alphas!r}. They count per "
            "row, as in ElasticNet and Lasso: Ridge(alpha=a) on n rows is alpha=a / n, l1_ratio=0."
        )
    return values
