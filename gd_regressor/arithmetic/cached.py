"""cached_property: a property that we compute once, without a lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class cached_property(Generic[Value]):
    """`functools.cached_property` of Python 3.12 and newer.

    In Python 3.11 it holds one lock for all instances while it computes. So fits in two threads
    would wait for each other, and a child that is forked meanwhile would wait for ever.
    """

    def __init__(self, work: Callable[[Any], Value]) -> None:
        self._work, self.__doc__ = work, work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> cached_property[Value]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Value: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = self._work(instance)
        vars(instance)[self._name] = value  # Python finds it before this descriptor
        return value
