"""Checks of values: real numbers, finite, and targets whose squares do not overflow or vanish."""

from __future__ import annotations

import math
import numbers
import re
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from gd_regressor.arithmetic.ranges import (
    LARGEST_ROOT,
    LARGEST_SQUARE,
    MOST_WEIGHT,
    SMALLEST_ROOT,
)
from gd_regressor.arithmetic.units import power_of_two_above
from gd_regressor.data.kinds import Columns

# When a value is looked for that is not finite
ROWS_AT_ONCE = 1 << 12
# How messages call a column whose name is not known where they are made
NUMBERED = re.compile(r"(?:(row \d+), )?column (\d+) \(counting from 0\)")


def is_real(value: Any) -> bool:
    """Whether a value is a real number. True, False and np.timedelta64 are not."""
    # We ask for float and int first: numbers.Real takes as long as a product of small matrices
    if type(value) in (float, int):
        return True
    known = isinstance(value, numbers.Real)
    return known and not isinstance(value, (bool, np.bool_, np.timedelta64))


def is_whole(value: Any) -> bool:
    """Whether a value is an integer. True and False are not."""
    return is_real(value) and isinstance(value, (int, numbers.Integral))


def as_float(value: Any) -> float:
    """A real number as a float; infinite if it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_no_class(what: str, value: Any, kind: type) -> None:
    """Refuse a class of this kind where one of its objects is meant, as in ``loss=Huber``."""
    if isinstance(value, type) and issubclass(value, kind):
        name = value.__name__
        raise ValueError(f"{what} an object, got the class {name}; write {name}().")


def numbered(column: Any) -> str:
    """What a message calls a column, until `with_names` gives it its name."""
    return f"column {column} (counting from 0)"


def with_names(text: str, names: Sequence[str]) -> str:
    """A message with the names of columns in place of their numbers."""

    def name(match: re.Match) -> str:
        row = f"{match[1]} (counting from 0), " if match[1] else ""
        return f"{row}column {names[int(match[2])]!r}"

    return NUMBERED.sub(name, text)


def names_in(X: Any) -> list[str]:
    """The names of the columns of a data frame; none where one is no string."""
    try:
        names: list[Any] = list(getattr(X, "columns", ()))
    except TypeError:  # what Dask delays has attributes of any name
        return []
    return names if all(isinstance(name, str) for name in names) else []


@contextmanager
def columns_named(X: Any) -> Iterator[None]:
    """Make errors about the columns of a data frame name them, as all messages do."""
    try:
        yield
    except ValueError as error:
        if error.args and (names := names_in(X)):
            error.args = (with_names(str(error.args[0]), names), *error.args[1:])
        raise


def as_table(X: Any, *, accept_sparse: Any = ("csr", "csc", "coo"), estimator: Any = None) -> Any:
    """X as a matrix of float64 or float32, dense or sparse, not yet checked to be finite."""
    is_array = type(X) is np.ndarray and X.dtype in (np.float64, np.float32)
    if is_array and X.ndim == 2 and X.size > 0:
        return X  # check_array would take half of the time of a small prediction to find this
    _check_no_dates(X)
    with real_numbers(X, "X"):
        return check_array(
            X,
            accept_sparse=accept_sparse,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            estimator=estimator,
            input_name="X",
        )


def as_targets(y, *, estimator=None) -> np.ndarray:
    """Targets as an array of one or two dimensions, not yet checked to be finite."""
    with real_numbers(y, "y"):
        y = check_array(
            y,
            dtype=None,
            ensure_2d=False,
            ensure_all_finite=False,
            estimator=estimator,
            input_name="y",
        )
        y = y.astype(np.float64) if y.dtype.kind == "O" or y.dtype == np.longdouble else y
    if y.dtype.kind in "US":
        raise _refusal_of_text("y", y.flat[0], _place("y", 0))
    if y.dtype.kind not in "fiub":
        raise ValueError(f"y must be numeric, got dtype {y.dtype}; encode it as numbers first.")
    return y


def _check_no_dates(table) -> None:
    """Refuse dates and times: numpy would turn them into numbers in a unit that nobody chose."""
    names = getattr(table, "columns", None)
    dtypes = getattr(table, "dtypes", getattr(table, "dtype", ()))
    for j, dtype in enumerate(np.ravel(dtypes)):
        if str(dtype).lower().startswith(("date", "time", "duration", "period")):
            where = "" if names is None else f" in column {names[j]!r}"
            raise ValueError(
                f"X has dates or times{where} ({dtype}); write them as numbers, such as days since "
                "the first one, or leave them out."
            )


@contextmanager
def real_numbers(table, name: str) -> Iterator[None]:
    """Make an error of conversion say which value is no real number, and where it is."""
    check_unmasked(table, name)
    try:
        with np.errstate(over="ignore"):  # check_finite refuses infinity later
            yield
    except (OverflowError, TypeError, ValueError) as error:
        # If the table holds numbers, its shape is wrong, and scikit-learn's message says so
        kind = getattr(getattr(table, "dtype", None), "kind", "O")
        if issparse(table) or (kind in "fiubc" and np.ndim(table)):
            raise
        refusal = _refusal_of(table, name, error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal_of(table, name: str, error: Exception) -> Exception | None:
    """The error that names the first entry that is no number; None if there is none."""
    values = np.asarray(table, dtype=object)
    if values.ndim == 0:
        kind = type(table).__name__
        if name == "X":
            return ValueError(
                f"Expected 2D array, got scalar array instead: X is of type {kind}; pass a table, "
                "such as an array, a data frame or a list of rows."
            )
        return ValueError(f"{name} must be an array of numbers, one per row, got type {kind}.")
    at = next((i for i, value in np.ndenumerate(values) if not _is_number(value)), None)
    if at is None:
        return None
    value = values[at]
    where = _place(name, *at[:2])
    names = getattr(table, "columns", None)
    if names is not None:
        kind = "column" if name == "X" else "target"
        where = f"row {at[0]} (counting from 0), {kind} {names[at[1]]!r}"
    if isinstance(value, str):
        return _refusal_of_text(name, value, where)
    if isinstance(value, (list, tuple, np.ndarray)):
        return ValueError(
            f"{name} has rows of different lengths or shapes, {reprlib.repr(value)} in {where}; "
            "give each row one number for each column."
        )
    # A TypeError stays a TypeError and keeps its words, because scikit-learn's checks want both
    return (TypeError if isinstance(error, TypeError) else ValueError)(
        f"{name} has {reprlib.repr(value)} in {where}, which is no real number that float64 holds; "
        f"write numbers, or leave it out ({error})."
    )


def _refusal_of_text(name: str, value, where: str) -> ValueError:
    cure = "encode it as numbers (OneHotEncoder, OrdinalEncoder) or leave the column out"
    if name == "y":
        cure = (
            "a target must be numbers: write them as such (y.astype(float)), or fit a classifier "
            "to classes (LogisticRegression)"
        )
    return ValueError(f"{name} has text, {str(value)!r} in {where}; {cure}.")


def _is_number(value) -> bool:
    try:
        float(value)
    except (OverflowError, TypeError, ValueError):
        return value is None  # a missing value, as NaN
    return True


def check_unmasked(array, name: str) -> None:
    """Refuse masked values: we would take the numbers under the mask for data."""
    if np.ma.is_masked(array):
        row = int(np.argwhere(np.ma.getmaskarray(array))[0][0]) if np.ndim(array) else 0
        raise ValueError(
            f"{name} has masked values, the first in row {row}; leave these rows out or fill them "
            "(its method filled)."
        )


def finite_floats(name: str, value) -> np.ndarray:
    """The value as an array of finite float64."""
    check_unmasked(value, name)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiubO":
            raise TypeError
        if array.dtype.kind == "O" and any(one is None for one in array.flat):
            raise TypeError  # NumPy would read it as NaN
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"{name} must be real numbers, got {reprlib.repr(value)}.") from None
    if not np.isfinite(array).all():
        where = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        at = f" at {tuple(where) if len(where) > 1 else where[0]}" if where else ""
        raise ValueError(f"{name} must be finite, got {array[tuple(where)]}{at} (NaN or infinity).")
    return array


def checked_weights(
    sample_weight, n_rows: int, *, may_vanish: bool = False
) -> tuple[np.ndarray | None, float]:
    """Weights (n,) in float64, the largest in [0.5, 1), and their unit. No weights are None.

    All weights `may_vanish` if the rows join other rows.
    """
    if sample_weight is None:
        return None, 1.0
    weights = weights_of_rows(sample_weight, n_rows)
    check_some_weight(may_vanish or bool(weights.any()))
    # Only ratios of weights matter. A power of two brings the sum into range and changes no bits
    unit = power_of_two_above(weights.max())
    return weights / unit, float(unit)


def weights_of_rows(sample_weight, n_rows: int) -> np.ndarray:
    """Weights (n,) >= 0 in float64."""
    weights = finite_floats("sample_weight", sample_weight)
    if weights.ndim == 0:
        weights = np.full(n_rows, weights)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar: sample_weight has shape {weights.shape}; "
            "pass one weight per row."
        )
    if len(weights) != n_rows:
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}: one weight per row."
        )
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight must not be negative, got {weights.min():g} in row "
            f"{int(weights.argmin())}; give rows that should not count the weight 0."
        )
    return weights


def check_some_weight(some: bool) -> None:
    """Refuse a table in which no row has weight."""
    if not some:
        raise ValueError(
            "sample_weight must contain at least one weight above zero, got zero in every row."
        )


def check_addable(largest: float) -> None:
    """Refuse weights whose sums over parts of a table would overflow or vanish."""
    if not 1 / MOST_WEIGHT < largest < MOST_WEIGHT:
        raise ValueError(
            f"sample_weight has weights up to {largest:.3g}, too far from 1 to add parts of a table"
            " up; multiply all weights."
        )


def check_finite(array: Columns, name: str, first: int = 0) -> None:
    """Refuse NaN and infinity. A finite sum shows in no time that an array has neither.

    `first` is the number of the first row of `array` in its table.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # scipy's own sum of a sparse matrix would add up its duplicates in place
        total = array.data.sum() if issparse(array) else array.sum()
    if math.isfinite(total):
        return
    if issparse(array):
        stored = array.tocoo()
        wrong = np.flatnonzero(~np.isfinite(stored.data))
        if wrong.size:
            _refuse(name, stored.data[wrong[0]], stored.row[wrong[0]], stored.col[wrong[0]])
        return
    for start in range(0, len(array), ROWS_AT_ONCE):
        rows = array[start : start + ROWS_AT_ONCE]
        finite = np.isfinite(rows)
        if not finite.all():
            row, *column = map(int, np.argwhere(~finite)[0])
            _refuse(name, rows[row, *column], first + start + row, *column)


def _refuse(name: str, value: float, row: int, column: int | None = None):
    what = "NaN" if np.isnan(value) else "infinity (inf)"
    where = _place(name, row) if column is None else _place(name, row, column)
    raise ValueError(f"Input {name} contains {what} in {where}; fill it, or leave the row out.")


def _place(name: str, row: int, column: int | None = None) -> str:
    """Where a value is in X or y."""
    if column is None:
        return f"row {row} (counting from 0)"
    if name == "y":
        return f"row {row}, target {column} (counting from 0)"
    return f"row {row}, {numbered(column)}"


def check_targets(y: np.ndarray, weights: np.ndarray | None = None) -> None:
    """Refuse targets that are not finite, or whose squares overflow or vanish."""
    check_squares(largest_target(y, weights))


def largest_target(y: np.ndarray, weights: np.ndarray | None = None, first: int = 0) -> float:
    """The largest size of a target with weight. Refuses NaN and infinity, with weight or not."""
    check_finite(y[:, 0] if y.shape[1:] == (1,) else y, "y", first)
    counted = y if weights is None else y[weights > 0]
    return max(float(counted.max(initial=0)), -float(counted.min(initial=0)))


def check_squares(largest: float) -> None:
    """Refuse targets whose largest size has a square that overflows or vanishes."""
    if largest > LARGEST_ROOT:
        raise ValueError(
            f"y has values up to {largest:.3g}, whose squares overflow; divide y so that they are "
            f"at most {math.sqrt(LARGEST_SQUARE):g}."
        )
    if 0 < largest < SMALLEST_ROOT:
        raise ValueError(
            f"y has values of at most {largest:.3g}, whose squares vanish; multiply y so that they "
            f"are above {SMALLEST_ROOT:g}."
        )


def check_mean_square(square: np.ndarray) -> None:
    """Refuse targets whose mean square (t,), the loss at zero, leaves a loss no room above."""
    if not all(value <= LARGEST_SQUARE for value in square.tolist()):
        raise ValueError(
            f"y has values of about {math.sqrt(square.max()):.3g} (root of the mean square), whose "
            "squares leave a loss no room before it overflows; divide y so that its values are at "
            f"most {math.sqrt(LARGEST_SQUARE):g}."
        )


def check_held(coef: np.ndarray, intercept: np.ndarray, dtype: np.dtype, *, by_rate: bool) -> None:
    """Refuse coefficients (t, d) or intercepts (t,) that floats of this `dtype` do not hold.

    `by_rate`: a number as learning_rate led there.
    """
    limits, largest = np.finfo(dtype), np.maximum.reduce(np.abs(coef), axis=None)
    held = largest <= limits.max and all(abs(b) <= limits.max for b in intercept.tolist())
    if held and not 0 < largest < limits.tiny:
        return
    cure = "scale X, change learning_rate" if by_rate else "scale X"
    cure += "" if dtype == np.float64 else ", or pass X as float64"
    size = f" (up to {largest:.3g})" if np.isfinite(largest) else ""
    beyond = np.flatnonzero(~(np.abs(coef) <= limits.max).all(axis=0))
    first = f", the first that of {numbered(beyond[0])}" if len(beyond) else ""
    raise ValueError(
        f"The coefficients of X{size} or the intercept are beyond what {dtype} holds, "
        f"{limits.tiny:.2g} to {limits.max:.2g}{first}; {cure}."
    )
