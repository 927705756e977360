"""The shell's words for what the estimator says: its options in place of Python's parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gd_regressor.command.tables import in_a_line
from gd_regressor.data.checks import with_names

# Parameters of the estimator that are options of the command, alone or with a value
PARAMETERS = re.compile(
    r"\b(learning_rate|max_iter|tol|momentum|verbose|batch_size)\b(?:=(\"?)([\w.+-]*\w)\2)?"
)
# A word as loss. The loss itself is no option
LOSS = re.compile(r'\bloss="(\w+)"')
# What is done in Python by other names
PHRASES = {
    "put a StandardScaler in front": "add --standardize",
    "scale the columns (StandardScaler)": "add --standardize",
    "learning_rate=InverseScaling(...)": "--schedule inverse_scaling",
    "fit_intercept=False": "--no-intercept",
    "write batch_size=None": "leave --batch-size out",
    "or batch_size=None": "or leave --batch-size out",
    "batch_size must be None, an integer": "--batch-size must be an integer",
    "write alpha=0 and positive=False": "leave --alpha and --positive out",
    "write positive=False": "leave --positive out",
    "l1_ratio=0 and one alpha": "--l1-ratio 0",
    "write l1_ratio=0": "write --l1-ratio 0",
    " or a schedule such as InverseScaling() as": " as",
    " or a schedule as": " as",
    " or a momentum such as Nesterov(0.9)": "",
    "loss=Huber(1.35)": "--delta 1.35",
    "positive=True": "--positive",
    "early_stopping=True": "--early-stopping",
    "write early_stopping=False": "leave --early-stopping out",
    "or early_stopping=False": "or leave --early-stopping out",
    "alpha=... with l1_ratio=0": "--alpha with --l1-ratio 0",
    ", or X_val and y_val, or": ", or",
    "write fit_intercept=True": "leave --no-intercept out",
    " (gd_path)": "",
    " or None": " or none",
    ', "auto" or a schedule such as InverseScaling()': " or auto",
}


def in_shell_words(message: object, names: Sequence[str] = ()) -> str:
    """A message of the estimator in one line, with the names of columns if they are known."""
    text = in_a_line(message)
    for phrase, ours in PHRASES.items():
        text = text.replace(phrase, ours)
    text = LOSS.sub(r"--loss \1", text)
    text = PARAMETERS.sub(_option, text)
    return with_names(text, names) if names else text


def _option(match: re.Match) -> str:
    option = f"--{match[1].replace('_', '-')}"
    return option if match[3] is None else f"{option} {match[3].replace('None', 'none')}"
