"""Write the tables of options, modes and losses for the pages, from the tables of the errors.

python docs/compatibility.py > docs/compatibility_table.inc
python docs/compatibility.py losses > docs/losses_table.inc
"""

import re
import sys

from gd_regressor.estimator.compatibility import (
    CLASHES,
    LOSS_CLASHES,
    LOSSES,
    MODES,
    OPTIONS,
    REMARKS,
    SETTINGS,
)

# What a message quotes: parameters, with or without a value, and methods
QUOTED = re.compile(r"[a-z]\w*=(?:\.\.\.|[\w.]+)|[a-z]+_\w+(?:\(\))?")


def cell(option, mode):
    """What the page says of a pair."""
    if (option, mode) in CLASHES:
        instead = QUOTED.sub(r"``\g<0>``", CLASHES[option, mode].instead)
        return f"no: {instead}"
    note = REMARKS.get((option, mode))
    return "yes" if note is None else note


def written(rows, options=()):
    """A table as reStructuredText."""
    lines = [".. list-table::", *options, "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'* -' if i == 0 else '  -'} {text}" for i, text in enumerate(row)]
    return "\n".join(lines) + "\n"


def table():
    """Options and modes."""
    rows = [["option", *(mode.title for mode in MODES.values())]]
    rows += [
        [option.title, *(cell(name, mode) for mode in MODES)] for name, option in OPTIONS.items()
    ]
    return written(rows, ["   :class: wrapped", f"   :widths: 25{' 25' * len(MODES)}"])


def losses_table():
    """Settings and losses. What the squared loss takes is in the other table."""
    names = [name for name in LOSSES if name != "squared_error"]
    rows = [["loss", *(setting.title for setting in SETTINGS.values())]]
    rows += [
        [LOSSES[name], *("no" if (name, key) in LOSS_CLASHES else "yes" for key in SETTINGS)]
        for name in names
    ]
    return written(rows)


if __name__ == "__main__":
    print(losses_table() if sys.argv[1:] == ["losses"] else table(), end="")
