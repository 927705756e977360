"""The data sets: standard normal columns of any size, the same in every process."""

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


FULL_SIZES = (Size(159, 5), Size(1_000_000, 10), Size(200_000, 100), Size(100_000, 500))
QUICK_SIZES = (Size(159, 5), Size(20_000, 10), Size(5_000, 50))


def make_data(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Draw a regression problem that depends on nothing but its size.

    Gaussian columns are the easy case for every method here: what is compared is speed.

    Parameters
    ----------
    size : Size
        Rows n and columns d.

    Returns
    -------
    X : ndarray of shape (n, d)
        Independent standard normal entries, C order, float64.
    y : ndarray of shape (n,)
        A linear function of the columns with variance 1 and mean 3, plus noise of variance 0.25.
    """
    rng = np.random.default_rng([size.rows, size.columns])
    coef = rng.standard_normal(size.columns)
    coef /= np.linalg.norm(coef)
    X = np.empty(size)
    # In place, because the memory measurement wants no peak left behind by drawing the data.
    rng.standard_normal(out=X)
    y = X @ coef
    y += 3.0
    y += 0.5 * rng.standard_normal(size.rows)
    return X, y
