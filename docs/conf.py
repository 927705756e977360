"""Sphinx configuration: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``."""

import re
from pathlib import Path

from sklearn.datasets import load_diabetes

import gd_regressor
from gd_regressor import DescentExplorer

project = "gd_regressor"
author = "gd_regressor developers"
copyright = "2026, gd_regressor developers"
release = version = gd_regressor.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
# No intersphinx: the build needs no network.

exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
plot_html_show_formats = False
plot_html_show_source_link = False

html_theme = "pydata_sphinx_theme"
html_title = f"gd_regressor {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"**": []}
html_theme_options = {
    "logo": {"text": html_title},
    "header_links_before_dropdown": 5,
    "navbar_persistent": ["search-button"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}

# The gallery. Its scripts are in gallery/, its pages are made in auto_gallery/
extensions += ["sphinx_gallery.gen_gallery"]
exclude_patterns += ["gallery"]
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "within_subsection_order": "FileNameSortKey",
    "capture_repr": ("_repr_html_",),
    "reset_modules": ("matplotlib",),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "thumbnail_size": (400, 280),
    # For a page whose only picture is an explorer
    "default_thumb_file": str(Path(__file__).parent / "_static" / "loss_curves.png"),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "write_computation_times": False,  # they would differ in each build
    "min_reported_time": 3600,  # so would these: none is reported
    "show_signature": False,
    "binder": {},
}


def table_to_rst(lines):
    """Turn the lines of a Markdown table into a list-table."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    kind = "measured" if any(rows[0]) else "wrapped"
    rst = [".. list-table::", f"   :class: {kind}", "   :header-rows: 1", ""]
    for row in [rows[0], *rows[2:]]:  # rows[1] is the rule under the header
        cells = [r"\-" if cell == "-" else cell for cell in row]  # a bare dash opens a list
        rst += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(cells)]
    return [*rst, ""]


def markdown_to_rst(text):
    """Translate the Markdown of our own files: headings, tables, links, code, simple lists."""
    text = re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``", text)
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", text)
    rst, table = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            table.append(line)
            continue
        if table:
            rst += table_to_rst(table)
            table = []
        if heading := re.match(r"(#{1,3}) +(.*)", line):
            title = heading[2]
            rst += [title, "=-~"[len(heading[1]) - 1] * len(title)]
        else:
            rst.append(line)
    return "\n".join(rst)


def translate_included_markdown(app, path, docname, content):
    """Let ``include`` take Markdown, such as CHANGELOG.md."""
    if path.suffix == ".md":
        content[0] = markdown_to_rst(content[0])


def only_text(app, what, name, obj, options, lines):
    """Leave the text of what inherited docstrings cannot show here.

    The targets of their references are elsewhere, and what draws formulas is loaded from there.
    """
    text = re.sub(r":(?:ref|term):`([^<`]+?)(?: <[^>]+>)?`", r"\1", "\n".join(lines))
    text = re.sub(r"\\frac\{(\w+)\}\{(\w+)\}", r"\1 / \2", text)
    lines[:] = re.sub(r":math:`([^`]+)`", r"``\1``", text).split("\n")


def write_explorer(app):
    """Write the explorer that the page on seeing shows, into the folder of generated pages."""
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    title = "Diabetes from three columns"
    explorer = DescentExplorer(X[["bmi", "bp", "s5"]], y, learning_rate=0.1, title=title)
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    (folder / "explorer.html").write_text(explorer._repr_html_(), encoding="utf-8")


def setup(app):
    """Connect them."""
    app.connect("builder-inited", write_explorer)
    app.connect("include-read", translate_included_markdown)
    app.connect("autodoc-process-docstring", only_text)
