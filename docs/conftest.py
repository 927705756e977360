"""The examples on these pages are tests; they draw without a display."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

collect_ignore = ["conf.py", "figures.py", "_build", "auto_gallery", "gallery", "generated"]
