"""The examples on these pages draw without a display."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")
