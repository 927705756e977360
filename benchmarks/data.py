"""The data sets: several kinds of columns in any size, the same in every process."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

# A step of 0.1 is the textbooks' own. It is stable on these data without a scaler: the Hessian's
# largest eigenvalue is about L = 2 (1 + sqrt(d/n))^2, at most 5.9 as long as n >= 2 d (which
# `Size.parse` insists on), and the stability limit 2/L is then at least 0.34.
TEXTBOOK_RATE = 0.1
TEXTBOOK_UPDATES = 1000


class Size(NamedTuple):
    """Rows and columns of a data set."""

    rows: int
    columns: int

    def __str__(self) -> str:
        return f"{self.rows:,} x {self.columns:,}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read a size such as ``200000x100`` or ``200,000x100``.

        Parameters
        ----------
        text : str
            Rows, the letter x, columns; commas and spaces are ignored.

        Returns
        -------
        Size
            At least two columns' worth of rows more than none: ``rows >= 2 * columns``.

        Raises
        ------
        ValueError
            When the text has another form, or there are too few rows.
        """
        match = re.fullmatch(r"(\d+)x(\d+)", re.sub(r"[,_\s]", "", text.lower()))
        if match is None:
            raise ValueError(f"a size is written ROWSxCOLUMNS, as in 200000x100; got {text!r}")
        size = cls(int(match[1]), int(match[2]))
        if size.columns < 1 or size.rows < max(2 * size.columns, 3):
            raise ValueError(
                f"a size needs at least one column, three rows and twice as many rows as "
                f"columns; got {text!r}"
            )
        return size


FULL_SIZES = (
    Size(159, 5),
    Size(1_000_000, 10),
    Size(200_000, 100),
    Size(100_000, 500),
    Size(400_000, 500),
    Size(50_000, 2_000),
)
QUICK_SIZES = (Size(159, 5), Size(20_000, 10), Size(5_000, 50))

NEIGHBOUR_CORRELATION = 0.95
CATEGORIES = 10
BLOCK = 1 << 12


USUAL = "usual"
# The usual columns' means, in deviations from zero, and their units, as powers of ten
FURTHEST, UNITS = 10.0, (-1.0, 1.0)


def make_data(size: Size, kind: str = USUAL) -> tuple[np.ndarray, np.ndarray]:
    """Draw a regression problem that depends on nothing but its size and kind.

    The usual columns are normal, as prices, ages and years are: their means lie up to ten
    deviations away from zero, and their units span two decades. What is compared on them is speed.
    The other kinds, `KINDS`, are what could change it:

    * ``"gaussian"``: normal columns about zero, the easy case for every method here;
    * ``"ar1"``: normal columns, neighbours correlated by 0.95, as in a time series and its lags;
    * ``"onehot"``: categories in full coding, whose columns depend on each other exactly;
    * ``"student"``: entries so heavy-tailed that they have no variance;
    * ``"sorted"``: the rows of ``"gaussian"`` in the order of y: no part of them is a fair sample;
    * ``"float32"``: the columns of ``"gaussian"`` in single precision, which should be faster.

    Parameters
    ----------
    size : Size
        Rows n and columns d.
    kind : str
        ``"usual"`` or one of `KINDS`.

    Returns
    -------
    X : ndarray of shape (n, d)
        C order, float64 (but ``"float32"``).
    y : ndarray of shape (n,)
        A linear function of the columns with standard normal coefficients and the intercept 3,
        plus standard normal noise. Of the usual columns it is that of the standardised ones.
    """
    rng = np.random.default_rng([size.rows, size.columns])
    coef = rng.standard_normal(size.columns)
    X = np.empty(size)
    _FILL[kind](rng, X)
    if kind == "float32":
        X = X.astype(np.float32)
    y = X @ coef
    y += 3.0
    y += rng.standard_normal(size.rows)
    if kind == "sorted":
        order = np.argsort(y)
        return X[order], y[order]
    if kind == USUAL:
        _move(rng, X)
    return X, y


def _move(rng: np.random.Generator, X: np.ndarray) -> None:
    """Give columns about zero other means and units, without a copy of them."""
    mean = rng.uniform(-FURTHEST, FURTHEST, X.shape[1])
    unit = 10 ** rng.uniform(*UNITS, X.shape[1])
    for first in range(0, len(X), BLOCK):
        block = X[first : first + BLOCK]
        block += mean
        block *= unit


def _normal(rng: np.random.Generator, X: np.ndarray) -> None:
    # In place, because the memory measurement wants no peak left behind by drawing the data.
    rng.standard_normal(out=X)


def _autoregressive(rng: np.random.Generator, X: np.ndarray) -> None:
    """Fill the rows with stretches of a stationary AR(1) process of variance 1."""
    rng.standard_normal(out=X)
    X[:, 1:] *= np.sqrt(1 - NEIGHBOUR_CORRELATION**2)
    for j in range(1, X.shape[1]):
        X[:, j] += NEIGHBOUR_CORRELATION * X[:, j - 1]


def _one_hot(rng: np.random.Generator, X: np.ndarray) -> None:
    """Fill blocks of columns with one-hot categories whose frequencies fall as 1, 1/2, 1/3, ..."""
    for first in range(0, X.shape[1], CATEGORIES):
        block = X[:, first : first + CATEGORIES]
        width = block.shape[1]
        frequency = 1 / np.arange(1, width + 1)
        category = rng.choice(width, size=len(X), p=frequency / frequency.sum())
        # An encoder makes a column only of a category that it has seen.
        category[:width] = rng.permutation(width)
        block[:] = category[:, None] == np.arange(width)


def _heavy_tailed(rng: np.random.Generator, X: np.ndarray) -> None:
    X[:] = rng.standard_t(2, size=X.shape)


_FILL = {
    USUAL: _normal,
    "gaussian": _normal,
    "ar1": _autoregressive,
    "onehot": _one_hot,
    "student": _heavy_tailed,
    "sorted": _normal,
    "float32": _normal,
}
KINDS = tuple(kind for kind in _FILL if kind != USUAL)
