"""A fit that fails leaves the estimator as it was."""

from __future__ import annotations

from typing import Any


class unchanged_on_error:
    """Restore all attributes if the fit fails: validation has changed some by then."""

    def __init__(self, estimator: Any) -> None:
        self._known = estimator.__dict__
        self._before = self._known.copy()

    def __enter__(self) -> None:
        pass

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self._known.clear()
            self._known.update(self._before)
