"""Files that the command writes, whole or not at all, and models kept in them.

skops writes and reads a model whose file name ends in ``.skops`` (extra ``[skops]``), joblib any
other. Opening a file of joblib's runs any code in it. From a file of skops' we make only objects of
the types in `TRUSTED`, and of those that skops trusts itself.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gd_regressor.command.tables import UserError
from gd_regressor.data.moments import Low, Moments
from gd_regressor.data.root import Root
from gd_regressor.regressor import GDLinearRegressor
from gd_regressor.streams.kept_moments import KeptMoments
from gd_regressor.streams.kept_root import KeptRoot
from gd_regressor.streams.null_space import NullSpace
from gd_regressor.streams.stream import Stream

# The types that a saved estimator may hold. We name each type: to trust whatever begins with the
# name of this package would be to trust its functions too, such as the command itself.
KEPT = (KeptMoments, Moments, Low, NullSpace, KeptRoot, Root)
TRUSTED = (GDLinearRegressor, Stream, *KEPT, np.dtype)


def destination(path: str) -> Path:
    """Where a path leads, links followed."""
    end = os.path.realpath(path)
    if os.path.islink(end):
        raise UserError(f"{path} is a link that leads in a circle: give another file")
    return Path(end)


def write(path: str, dump: Callable[[BinaryIO], object]):
    """Make a file whole or not at all: `dump` fills another one in its folder, which then moves.

    A file that is there already keeps its permissions, and a link stays: what it leads to is
    replaced.
    """
    whole = destination(path)
    part = whole.with_name(f".part-{secrets.token_hex(8)}")
    try:
        old = stat.S_IMODE(whole.stat().st_mode) if whole.exists() else None
        mode = 0o666 if old is None else 0o600  # less the umask
        # "x" makes a new file or fails: it does not follow a link that waits under this name
        with open(part, "xb", opener=partial(os.open, mode=mode)) as file:
            dump(file)
            if old is not None and os.chmod in os.supports_fd:
                os.chmod(file.fileno(), old)
        part.replace(whole)
    except OSError as error:
        raise UserError(f"{path} is not written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def model_writer(path: str) -> Callable[[object, BinaryIO], object]:
    """The function that writes a model into an open file, chosen by the name of the file."""
    if Path(path).suffix.lower() == ".skops":
        return _skops(path).dump
    import joblib  # comes with scikit-learn

    return joblib.dump


def read_model(path: str) -> Any:
    """The object in a file that `model_writer` wrote."""
    try:
        if Path(path).suffix.lower() == ".skops":
            return _read_skops(path)
        import joblib

        return joblib.load(path)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # unpickling can raise anything at all
        # The system's errors have a text; without one the error is of what the file holds
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        raise UserError(f"{path} is not a model made by --save") from None


def _read_skops(path: str) -> Any:
    skops = _skops(path)
    # One look for the names of strange types, another to load none of them
    trusted = [f"{kind.__module__}.{kind.__name__}" for kind in TRUSTED]
    strange = sorted(set(skops.get_untrusted_types(file=path)) - set(trusted))
    if strange:
        raise UserError(f"{path} holds what is not trusted: {', '.join(strange)}")
    return skops.load(path, trusted=trusted)


def _skops(path: str):
    try:
        from skops import io
    except ImportError:
        raise UserError(f'{path} needs skops: pip install "gd-regressor[skops]"') from None
    return io
