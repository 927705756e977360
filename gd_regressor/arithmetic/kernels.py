"""BLAS on this machine: its libraries, and what products of matrices cost with their kernels."""

from __future__ import annotations

from functools import cache

from threadpoolctl import LibController, ThreadpoolController

# OpenBLAS's and BLIS's names of kernels that multiply eight numbers of float64 at once (AVX-512)
WIDE_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids", "skx", "zen4", "zen5"}


@cache
def libraries() -> list[LibController]:
    """BLAS's libraries in this process. To look for them takes longer than a small fit: once."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


def has_wide_kernels() -> bool:
    """Whether numpy's BLAS multiplies eight numbers at once: not where it does not tell."""
    return any(getattr(lib, "architecture", None) in WIDE_KERNELS for lib in libraries())


def moments_cost(d: int) -> float:
    """What the products of d columns with each other cost, in passes over the rows.

    Such a pass multiplies the rows by a vector and the result by the rows. It is limited by memory,
    so that it takes the same time with any kernels; the products do not. Measured on two cores of a
    Zen 5, with 150 to 800 columns.
    """
    return 2.5 + d / (30 if has_wide_kernels() else 20)


def single_moments_slope() -> float:
    """How many more columns make their products, in single precision, one pass dearer."""
    return 72.0 if has_wide_kernels() else 50.0


def single_products_per_pass() -> float:
    """How many products per entry of a table, in single precision, take the time of a pass."""
    return 68.0 if has_wide_kernels() else 44.0
