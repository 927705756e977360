"""Write the table of options and modes for the page "How to choose", from the table of the errors.

python docs/compatibility.py > docs/compatibility_table.inc
"""

from gd_regressor.estimator.compatibility import CLASHES, MODES, OPTIONS, REMARKS


def cell(option, mode):
    """What the page says of a pair."""
    if (option, mode) in CLASHES:
        return f"no: {CLASHES[option, mode].instead}"
    note = REMARKS.get((option, mode))
    return "yes" if note is None else note


def table():
    """The table as reStructuredText."""
    lines = [".. list-table::", "   :class: wrapped", "   :header-rows: 1"]
    lines += [f"   :widths: 25{' 25' * len(MODES)}", ""]
    rows = [["option", *(mode.title for mode in MODES.values())]]
    rows += [
        [option.title, *(cell(name, mode) for mode in MODES)] for name, option in OPTIONS.items()
    ]
    for row in rows:
        lines += [f"   {'* -' if i == 0 else '  -'} {text}" for i, text in enumerate(row)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
