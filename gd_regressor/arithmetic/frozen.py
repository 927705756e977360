"""frozen: a dataclass that no code changes, made in a fifth of the time of `frozen=True`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform, overload

Made = TypeVar("Made", bound=type)


@overload
def frozen(cls: Made, /) -> Made: ...
@overload
def frozen(*, kw_only: bool = False) -> Callable[[Made], Made]: ...
@dataclass_transform(eq_default=False, frozen_default=True)
def frozen(cls: type | None = None, /, *, kw_only: bool = False):
    """Decorate a class as `dataclass(frozen=True, eq=False)` would.

    The type checker refuses an assignment to a field. Python itself does not: with `frozen=True`,
    `__init__` calls `object.__setattr__` for each field. A fit makes sixty fields, and these calls
    would take three hundredths of a small fit.
    """
    made = dataclass(eq=False, kw_only=kw_only)
    return made if cls is None else made(cls)
