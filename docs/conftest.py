"""The examples on these pages are tests; they draw without a display, and read our cars.csv."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")

collect_ignore = ["check_pages.py", "compatibility.py", "conf.py", "figures.py"]
collect_ignore += ["_build", "auto_gallery", "gallery", "generated"]


@pytest.fixture(autouse=True)
def beside_the_data(monkeypatch):
    """Run where ``cars.csv`` is, as a reader does who has downloaded the file."""
    monkeypatch.chdir(Path(__file__).parent / "data")
