"""Where a warning points, and how often a search shows it."""

from __future__ import annotations

import inspect
import warnings
from types import FrameType

from gd_regressor.estimator.advice import Advice

# A warning points at the first line outside these packages: the user's, which called a fit, a
# pipeline or a search
PASSED_THROUGH = {"gd_regressor", "sklearn", "joblib"}
# The rooms of scikit-learn that fit one estimator many times
SEARCHES = ("sklearn.model_selection", "sklearn.utils.parallel")
# Above these packages a worker has no line of the user's
WORKERS = {"threading", "concurrent", "multiprocessing"}
# For each place and topic the memory that Python had of its warnings when we showed one
_shown: dict[tuple[str, int, str], dict] = {}


def show(advice: Advice) -> None:
    """Give the warning of a fit, if it has one."""
    if advice.warning is None:
        return
    level, frame, searching = 1, inspect.currentframe(), False
    while frame is not None and _package(frame) in PASSED_THROUGH:
        searching = searching or _name(frame).startswith(SEARCHES)
        level, frame = level + 1, frame.f_back
    message = advice.message
    once = searching and not _is_filtered(advice.warning, message)
    if once and frame is not None and _package(frame) not in WORKERS:
        if not _is_news(frame, advice.topic):
            return
        message += " (Shown once for all fits of this search that end so.)"
    warnings.warn(message, advice.warning, stacklevel=level)


def _is_news(frame: FrameType, topic: str) -> bool:
    """Whether a warning is the first of its topic at a line of the user's.

    Python shows one text once for each line. But the texts of a search have different numbers, and
    Python forgets what it has shown when scikit-learn enters `catch_warnings`, before each fit. We
    forget when the line's module has another memory of warnings: IPython makes one for each cell.
    """
    memory = frame.f_globals.setdefault("__warningregistry__", {})
    place = frame.f_code.co_filename, frame.f_lineno, topic
    if _shown.get(place) is memory:
        return False
    _shown[place] = memory
    return True


def _is_filtered(warning: type[Warning], message: str) -> bool:
    """Whether a filter of the user's says how often to show such a warning."""
    # Python 3.14 keeps filters in a context where it can
    filters = getattr(warnings, "_get_filters", lambda: warnings.filters)()
    return any(
        issubclass(warning, kind) and (text is None or text.match(message))
        for _, text, kind, _, _ in filters
    )


def _name(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _package(frame: FrameType) -> str:
    return _name(frame).partition(".")[0]
