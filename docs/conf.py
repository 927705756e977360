"""Sphinx configuration: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``.

The build needs no network, and the pages that it makes ask for nothing from elsewhere.
"""

import re
from pathlib import Path

import math_core
import pandas as pd
from docutils import nodes

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
    "sphinx_copybutton",
]
# No intersphinx: its inventories come from other sites.

exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
plot_html_show_formats = False
plot_html_show_source_link = False
# A reader, too, runs the examples beside cars.csv
plot_working_directory = str(Path(__file__).parent / "data")

# A reader copies what runs: without the prompts, and without what is printed.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

html_theme = "pydata_sphinx_theme"
html_title = f"gd_regressor {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"**": ["all-pages.html"]}
html_context = {"default_mode": "auto"}  # light or dark as the system is, until the reader chooses
html_theme_options = {
    "logo": {"text": html_title},
    "navbar_center": [],  # all pages are in the sidebar, in one order at every width
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "primary_sidebar_end": [],
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
    """Turn the lines of a Markdown table into a list-table.

    A column in which nothing was measured is left out. Quartiles, and other remarks in parentheses,
    go to a second line, so that the table is narrower.
    """
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head, rule, *body = rows
    if not all(re.fullmatch(":?-+:?", cell) for cell in rule):  # else the header was not included
        raise ValueError(f"no rule under the header of a table: {lines[1]}")
    kept = [i for i in range(len(head)) if {row[i] for row in body} != {"not measured"}]
    rst = [".. list-table::", f"   :class: {'measured' if any(head) else 'wrapped'}"]
    rst += ["   :header-rows: 1", ""] if any(head) else [""]
    for row in [head, *body] if any(head) else body:
        for i in kept:
            cell = r"\-" if row[i] == "-" else row[i]  # a bare dash opens a list
            remark = re.fullmatch(r"([\d.,]+ ?\S*) (\(.*\))", cell)
            lines = [f"| {remark[1]}", f"| {remark[2]}"] if remark else [cell]
            rst += [f"   {'* -' if i == 0 else '  -'} {lines[0]}"]
            rst += [f"       {line}" for line in lines[1:]]
    return [*rst, ""]


def markdown_to_rst(text):
    """Translate the Markdown of our own files: headings, tables, links, code, simple lists."""
    rst, table, in_code = [], [], False
    for line in [*text.splitlines(), ""]:
        if fence := re.match(r"```(\w*)$", line):
            in_code = not in_code
            rst += [f".. code-block:: {fence[1] or 'text'}", ""] if in_code else [""]
            continue
        if in_code:
            rst.append(f"   {line}")
            continue
        line = re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``", line)
        line = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", line)
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
    """Leave the text of references in inherited docstrings: their targets are elsewhere."""
    text = re.sub(r":(?:ref|term):`([^<`]+?)(?: <[^>]+>)?`", r"\1", "\n".join(lines))
    lines[:] = text.split("\n")


# Formulas become MathML while the pages are built: no script runs in the reader's browser, a screen
# reader reads them, and they can be copied.
TO_MATHML = math_core.LatexToMathML()


def write_formula(translator, node):
    """Write a formula within a sentence."""
    formula = TO_MATHML.convert_with_local_state(node.astext(), displaystyle=False)
    translator.body.append(formula)
    raise nodes.SkipNode


def write_displayed_formula(translator, node):
    """Write a formula on lines of its own, in a box that scrolls where the page is too narrow."""
    formula = TO_MATHML.convert_with_local_state(node.astext(), displaystyle=True)
    translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode


def describe_thumbnails(app, doctree, docname):
    """Describe the pictures of the gallery's first page by the titles that they lead to."""
    for picture in doctree.findall(nodes.image):
        page = app.env.titles.get(
            re.sub(r"images/thumb/sphx_glr_|_thumb\.\w+$", "", picture["uri"])
        )
        if page is not None and not picture.get("alt"):
            picture["alt"] = f"A picture from: {page.astext()}"


def write_explorers(app):
    """Write the explorers that pages show, into the folder of generated pages."""
    cars = pd.read_csv(Path(app.srcdir) / "data" / "cars.csv")
    price = (cars["price"] - cars["price"].mean()) / cars["price"].std(ddof=0)
    one = DescentExplorer(
        cars[["engine_size"]],
        price.rename("price, standardised"),
        learning_rate=0.1,
        n_iter=60,
        title="The price of 159 cars from the size of their engines",
    )
    five = DescentExplorer(
        cars.drop(columns="price"),
        price.rename("price, standardised"),
        learning_rate=0.1,
        title="The price of 159 cars from five columns",
    )
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    for name, explorer in [("one", one), ("five", five)]:
        page = folder / f"explorer_{name}.html"
        page.write_text(explorer._repr_html_(), encoding="utf-8")


def setup(app):
    """Connect them."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_displayed_formula, None))
    app.connect("builder-inited", write_explorers)
    app.connect("doctree-resolved", describe_thumbnails)
    app.connect("include-read", translate_included_markdown)
    app.connect("autodoc-process-docstring", only_text)
