"""Searching: the parameters of cross-validation become a grid, folds and a scoring."""

from __future__ import annotations

import numbers
import reprlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

import numpy as np
from scipy.stats import rankdata
from sklearn import get_config
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from gd_regressor.auto.by_working_sets import many_columns
from gd_regressor.data.checks import finite_floats, is_whole
from gd_regressor.data.moments import Moments
from gd_regressor.data.table import Given, Rows, Table
from gd_regressor.descent.records import Terms
from gd_regressor.estimator.parameters import (
    Penalties,
    check_bool,
    check_integer,
    check_learning_rate,
    check_momentum,
    check_share,
    check_tol,
    checked_weights,
)
from gd_regressor.lasso.along_alpha import falling, largest_alpha, loss_on
from gd_regressor.lasso.along_working_sets import largest_held
from gd_regressor.validation.grid import Grid
from gd_regressor.validation.scores import (
    CLOSED,
    Closed,
    Model,
    Predicted,
    Scoring,
    Tested,
    one_row_error,
)

# Names of what scikit-learn's estimators call these parameters, in the order of a grid
NAMES = ("learning_rate", "max_iter", "l1_ratio", "alpha")


class Routed(NamedTuple):
    """What goes to the splitter and to the scorer."""

    split: dict[str, Any]
    score: dict[str, Any]


def check_search(model: Any) -> None:
    """Refuse parameters that cannot be used."""
    rates = _values(
        "learning_rates", model.learning_rates, 'a list, such as ["auto"] or [0.01, 0.1]'
    )
    for rate in rates:
        check_learning_rate(rate, words=("auto",), name="learning_rates", or_schedule=False)
    check_momentum(model.momentum)
    if model.momentum and any(isinstance(rate, str) for rate in rates):
        raise ValueError(
            f'momentum={model.momentum!r} cannot be combined with "auto" in learning_rates, whose '
            "steps are exact; write momentum=0.0 or numbers alone as learning_rates."
        )
    check_integer("max_iter", model.max_iter, 0)
    for count in _values("n_iters", _counts(model)):
        check_integer("n_iters", count, 0)
    check_tol(model.tol)
    _check_alphas(model.alphas)
    ratios = finite_floats("l1_ratios", list(_values("l1_ratios", model.l1_ratios)))
    if not ((ratios >= 0) & (ratios <= 1)).all():
        raise ValueError(f"l1_ratios must be numbers from 0 to 1, got {model.l1_ratios!r}.")
    if isinstance(model.alphas, numbers.Number) and not ratios.all():
        raise ValueError(
            f"alphas={model.alphas!r} asks for an automatic grid, which begins where |w|_1 makes "
            "all coefficients zero; with 0 among l1_ratios there is no such alpha. Write numbers "
            "as alphas, such as np.logspace(-6, 2, 20)."
        )
    _check_pairs(model.cv)
    checked_weights(model.penalty_weights)
    check_share("eps", model.eps)
    check_bool("fit_intercept", model.fit_intercept)
    check_bool("positive", model.positive)
    check_bool("one_standard_error", model.one_standard_error)


def _check_alphas(alphas: Any) -> None:
    if is_whole(alphas) and int(alphas) >= 1:
        return
    kind = "a list of numbers >= 0, or how many of them (an integer >= 1)"
    values = list(_values("alphas", alphas, kind))
    if not (finite_floats("alphas", values) >= 0).all() or any(isinstance(a, bool) for a in values):
        raise ValueError(
            f"alphas must be numbers >= 0, or how many of them, got {alphas!r}. An alpha is "
            "per row: Ridge(alpha=a) on n rows is alpha=a/n with l1_ratio=0."
        )


def _check_pairs(cv: Any) -> None:
    """Refuse a list of folds with an entry that is no pair."""
    for fold in cv if hasattr(cv, "__len__") and not hasattr(cv, "split") else ():
        if not hasattr(fold, "__len__") or len(fold) != 2:
            raise ValueError(
                f"cv has {reprlib.repr(fold)} among its folds; each must be a pair of lists, of "
                "the rows that train and of those that test."
            )


def _values(name: str, values: Any, kind: str = "a list of at least one value") -> tuple[Any, ...]:
    """The entries of a list of values, of which there must be one."""
    try:
        is_list = np.ndim(values) == 1 and len(values) > 0
    except ValueError:  # of lists of different lengths
        is_list = False
    if not is_list:
        remedy = f"; write [{values!r}] for this one alone" * isinstance(values, numbers.Number)
        raise ValueError(f"{name} must be {kind}, got {values!r}{remedy}.")
    return tuple(values)


def _counts(model: Any) -> Any:
    return (model.max_iter,) if model.n_iters is None else model.n_iters


def grid_of(model: Any, table: Table) -> Grid:
    """All combinations, with checked parameters."""
    ratios = np.array(model.l1_ratios, dtype=np.float64)
    weights = checked_weights(model.penalty_weights)
    ones = Penalties(np.ones(1), 1.0, bool(model.positive), weights)
    terms = ones.terms(table.n_columns, table.n_targets)
    if isinstance(model.alphas, numbers.Number):
        largest, count = _largest_alpha(model, table, terms), int(cast(int, model.alphas))
        alphas = np.stack([falling(largest / r, count, float(model.eps)) for r in ratios])
    else:
        alphas = np.tile(np.array(model.alphas, dtype=np.float64), (len(ratios), 1))
    return Grid(
        tuple(None if isinstance(rate, str) else float(rate) for rate in model.learning_rates),
        np.array([int(count) for count in _counts(model)], dtype=np.float64),
        ratios,
        alphas,
        float(model.momentum),
        None if model.tol is None else float(model.tol),
        bool(model.fit_intercept),
        bool(model.positive),
        terms.l1[:, 0],
    )


def _largest_alpha(model: Any, table: Table, terms: Terms) -> float:
    """The smallest alpha at which no column with a penalty has a coefficient, at l1_ratio 1.

    It follows from the moments that the folds have in common. Of so many columns that folds are
    fitted one by one, it takes a pass.
    """
    if table.known is None and many_columns(table) and terms.l1.all():
        return largest_held(cast(Rows, table), bool(model.fit_intercept), terms)
    return largest_alpha(loss_on(Moments.of_rows(table), bool(model.fit_intercept)), terms)


def routing_of(model: Any) -> MetadataRouter:
    """Where scikit-learn's metadata go: weights to `fit`, groups to the splitter."""
    router = MetadataRouter(owner=model).add_self_request(model)
    router.add(
        splitter=_splitter(model), method_mapping=MethodMapping().add(caller="fit", callee="split")
    )
    if callable(model.scoring):
        router.add(
            scorer=model.scoring,
            method_mapping=MethodMapping().add(caller="fit", callee="score"),
        )
    return router


def routed_of(model: Any, sample_weight: Any, params: dict[str, Any]) -> Routed:
    """Hand out what `fit` was given beside X and y."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    if not get_config()["enable_metadata_routing"]:
        unknown = sorted(set(params) - {"groups"})
        if unknown:
            raise TypeError(
                f"fit got {unknown}; it takes X, y, sample_weight and groups, and others only with "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        return Routed(params, weights)
    routed = process_routing(model, "fit", **weights, **params)
    scored = routed["scorer"].score if callable(model.scoring) else weights
    return Routed(routed["splitter"].split, scored)


def _splitter(model: Any, y: Any = None) -> Any:
    from sklearn.model_selection import check_cv

    return check_cv(model.cv, y, classifier=False)


def splits_of(
    model: Any, X: Any, y: Any, table: Given, params: dict[str, Any]
) -> tuple[Iterable[tuple[Any, Any]], int]:
    """The folds of the splitter, and the number of rows."""
    n_rows = table.n_rows
    if table.is_elsewhere:  # a splitter looks at the number of rows alone
        n_rows = _length(X)
        X, y = np.zeros((n_rows, 1)), None
    elif not hasattr(X, "shape"):
        X = np.zeros((n_rows, 1)) if not hasattr(X, "__len__") else X
    return _splitter(model, y).split(X, y, **params), n_rows


def _length(X: Any) -> int:
    """The rows of a collection of Dask, counted where it does not know them."""
    known = X.shape[0]
    return int(known) if isinstance(known, numbers.Integral) else len(X)


def leaves_one_out(model: Any) -> bool:
    """Whether each row is a fold of its own."""
    from sklearn.model_selection import LeaveOneOut

    return isinstance(model.cv, LeaveOneOut)


def hat_serves(model: Any, scoring: Scoring) -> bool:
    """Whether leaving one row out needs no fit: "auto" with a penalty of squares, or none."""
    squares = not np.any(model.alphas) or not np.any(model.l1_ratios)
    automatic = all(isinstance(rate, str) for rate in model.learning_rates)
    squares = squares and not model.positive and model.penalty_weights is None
    return squares and automatic and all(_counts(model)) and not scoring.needs_rows


def scoring_of(model: Any, kwargs: dict[str, Any], judge: Callable[..., float]) -> Scoring:
    """How models are scored: in closed form under four of scikit-learn's names.

    `judge(scorer, fitted, rows, **kwargs)` scores by predicting. `kwargs` have an entry for each
    row of the table.
    """
    alone, name = leaves_one_out(model), model.scoring
    if name is None:
        name = "neg_mean_squared_error" if alone else "r2"
    if isinstance(name, str) and name in CLOSED:
        scoring = Closed(name)
        if alone and scoring.needs_two_rows:
            raise one_row_error(name)
        return scoring
    from sklearn.metrics import get_scorer

    scorer, weighted = get_scorer(name), "sample_weight" in kwargs
    if weighted and isinstance(name, str) and get_config()["enable_metadata_routing"]:
        scorer = scorer.set_score_request(sample_weight=True)

    def score(fitted: Model, tested: Tested) -> float:
        mine = {key: _at(value, tested.where) for key, value in kwargs.items()}
        try:
            return judge(scorer, fitted, tested.rows, **mine)
        except TypeError as error:
            if "sample_weight" in mine and "sample_weight" in str(error):
                raise ValueError(_unweighted(model.scoring)) from error
            raise

    return Predicted(score)


def checked_score(score: Any, scoring: Any) -> float:
    """What a scorer returned, which must be one number."""
    if np.ndim(score) == 0 and np.asarray(score).dtype.kind in "fiub":
        return float(score)
    raise ValueError(
        f"scoring={scoring!r} returned {reprlib.repr(score)}; it must return one number, larger "
        "for a better model."
    )


def _unweighted(scoring: Any) -> str:
    return (
        f"scoring={scoring!r} takes no sample_weight, so weighted rows have no such score; write "
        '"neg_mean_squared_error" or another scoring that does, or fit without sample_weight.'
    )


def _at(value: Any, where: np.ndarray) -> Any:
    """The entries of a list of one for each row; any other value as it is."""
    return np.asarray(value)[where] if hasattr(value, "__len__") else value


def results_of(model: Any) -> dict[str, Any]:
    """`cv_results_` of a fitted search."""
    scores = model.scores_.reshape(-1, model.n_splits_)
    rates, counts, ratios, alphas = np.indices(model.scores_.shape[:4]).reshape(4, -1)
    columns = (
        [model.learning_rates[i] for i in rates],
        [int(_counts(model)[i]) for i in counts],
        [float(model.l1_ratios[i]) for i in ratios],
        model.alphas_[ratios, alphas].tolist(),
    )
    found: dict[str, Any] = {}
    for name, values in zip(NAMES, columns, strict=True):
        found[f"param_{name}"] = np.ma.MaskedArray(np.array(values, dtype=object), mask=False)
    found["params"] = [dict(zip(NAMES, row, strict=True)) for row in zip(*columns, strict=True)]
    for fold in range(model.n_splits_):
        found[f"split{fold}_test_score"] = scores[:, fold]
    means = scores.mean(axis=1)
    found["mean_test_score"], found["std_test_score"] = means, scores.std(axis=1)
    ranked = np.where(np.isnan(means), np.inf, -means)
    found["rank_test_score"] = rankdata(ranked, method="min").astype(np.int32)
    return found
