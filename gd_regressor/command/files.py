"""Files of the command: it writes each file whole or not at all, and reads models back.

skops writes and reads a model whose file name ends in ``.skops``. joblib writes
and reads any other model. Opening a joblib file runs any code in the file. From a ``.skops`` file
we make only objects of the types in `TRUSTED`, and of the types that skops itself trusts.
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
from gd_regressor.descent.epochs import Underway
from gd_regressor.descent.schedules import Watched
from gd_regressor.losses import CHOICES
from gd_regressor.regressor import GDLinearRegressor
from gd_regressor.schedules import (
    Adaptive,
    Constant,
    Cosine,
    InverseScaling,
    Nesterov,
    StepDecay,
    WarmUp,
)
from gd_regressor.streams.kept_moments import KeptMoments
from gd_regressor.streams.kept_root import KeptRoot
from gd_regressor.streams.null_space import NullSpace
from gd_regressor.streams.stream import Stream

# The types that a saved estimator may hold. We name each type, because to trust every name in this
# package would be to trust its functions too, such as the command itself
KEPT = (KeptMoments, Moments, Low, NullSpace, KeptRoot, Root)
# Values of learning_rate
SCHEDULES = (Constant, InverseScaling, Cosine, StepDecay, Adaptive, WarmUp)
# Values of loss
LOSS_CHOICES = tuple(CHOICES.values())
# Where the updates of partial_fit with a batch_size are
GOING_ON = (Underway, Watched)
TRUSTED = (
    GDLinearRegressor,
    *LOSS_CHOICES,
    *SCHEDULES,
    Nesterov,
    Stream,
    *KEPT,
    *GOING_ON,
    np.dtype,
)


def destination(path: str) -> Path:
    """The file that a path leads to, through all links."""
    end = os.path.realpath(path)
    if os.path.islink(end):
        raise UserError(f"{path} is a link that leads in a circle: give another file")
    return Path(end)


def write(path: str, dump: Callable[[BinaryIO], object]):
    """Write a file whole or not at all: `dump` fills a second file, which then replaces the first.

    The second file lies in the same folder, so the replacement is one atomic step. A file that
    exists already keeps its permissions. A link stays a link: we replace the file that it leads to.
    """
    whole = destination(path)
    part = whole.with_name(f".part-{secrets.token_hex(8)}")
    try:
        old = stat.S_IMODE(whole.stat().st_mode) if whole.exists() else None
        mode = 0o666 if old is None else 0o600  # the system subtracts the umask
        # "x" makes a new file or fails: it never follows a link that waits under this name
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
    """The function that writes a model into an open file. The name of the file chooses it."""
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
        # An error of the system has a text. An OSError without one is about the content
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        raise UserError(f"{path} is not a model made by --save") from None


def _read_skops(path: str) -> Any:
    skops = _skops(path)
    # We ask for strange types before we load, so that one line of error names them
    trusted = [f"{kind.__module__}.{kind.__name__}" for kind in TRUSTED]
    strange = sorted(set(skops.get_untrusted_types(file=path)) - set(trusted))
    if strange:
        raise UserError(f"{path} holds types that we do not trust: {', '.join(strange)}")
    return skops.load(path, trusted=trusted)


def _skops(path: str):
    try:
        from skops import io
    except ImportError:
        raise UserError(f"{path} needs skops: pip install skops") from None
    return io
