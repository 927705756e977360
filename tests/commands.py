"""Helpers for tests of the command: a table, and ways to run the command on it."""

import re

import numpy as np

TEXTBOOK = ["--standardize", "--learning-rate", "0.1", "--max-iter", "60", "--tol", "none"]
R = 0.8415


def built(n=159):
    """Columns with exactly the moments of the textbook's example, in units of cars and money."""
    rng = np.random.default_rng(0)
    centred = rng.standard_normal((n, 3))
    centred -= centred.mean(axis=0)
    x, noise, other = np.sqrt(n) * np.linalg.qr(centred)[0].T
    return {
        "make": [("audi", "bmw", "volvo")[i % 3] for i in range(n)],
        "engine_size": 120 + 30 * x,
        "weight": 2500 + 400 * (0.6 * x + 0.8 * other),
        "price": 11500 + 5900 * (R * x + np.sqrt(1 - R**2) * noise),
    }


def write_csv(path, columns, delimiter=",", encoding="utf-8"):
    rows = zip(*(map(str, column) for column in columns.values()), strict=True)
    lines = [delimiter.join(cells) for cells in [columns, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return str(path)


def fit(run, *args):
    """Run a fit that must succeed and leave stderr empty; return its report."""
    status, out, err = run(*args)
    assert (status, err) == (0, "")
    return out


def numbers(report, label):
    """The numbers of the line that begins with a label, in original and standardised units."""
    (line,) = [line for line in report.splitlines() if re.match(rf"{re.escape(label)}\s", line)]
    rest = line.removeprefix(label)
    return [float(word.replace(",", "")) for word in re.findall(r"[-+.,e\d]*\d", rest)][-2:]


def refusal(run, *args):
    """Run a command that must fail with one line on stderr; return the line."""
    status, out, err = run(*args)
    assert (status, out) == (2, "")
    assert err.startswith("python -m gd_regressor: error: ")
    assert err.count("\n") == 1 and err.endswith("\n")
    return err
