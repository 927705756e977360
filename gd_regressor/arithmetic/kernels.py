"""What products of matrices cost on this machine, as far as it depends on BLAS's kernels."""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController

# OpenBLAS's and BLIS's names of kernels that multiply eight numbers of float64 at once (AVX-512)
WIDE_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids", "skx", "zen4", "zen5"}


@cache
def has_wide_kernels() -> bool:
    """Whether numpy's BLAS multiplies eight numbers at once: not where it does not tell."""
    found = ThreadpoolController().select(user_api="blas").info()
    return any(library.get("architecture") in WIDE_KERNELS for library in found)


def moments_cost(d: int) -> float:
    """What the products of d columns with each other cost, in passes over the rows.

    Such a pass multiplies the rows by a vector and the result by the rows. It is limited by memory,
    so that it takes the same time with any kernels; the products do not. Measured on two cores of a
    Zen 5, with 150 to 800 columns.
    """
    return 2.5 + d / (30 if has_wide_kernels() else 20)


def single_products_per_pass() -> float:
    """How many products per entry of a table, in single precision, take the time of a pass."""
    return 68.0 if has_wide_kernels() else 44.0
