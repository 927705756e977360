"""Pages include whole tables, and their check finds each fault that it is for, and no other."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
CHECK = DOCS / "check_pages.py"
INCLUDED = [
    (name, int(start))
    for page in sorted(DOCS.glob("*.rst"))
    for name, start in re.findall(
        r"include:: (\w+\.md)\n   :start-line: (\d+)", page.read_text("utf-8")
    )
]
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
SOUND = f"""<!doctype html><html lang="en"><title>A page</title>
<h1 id="top">A page</h1><a href="#top">up</a> <a href="other.html#below">on</a>
<a href="https://example.org/">away</a><img src="{PIXEL}" alt="a dot">"""
FAULTS = {
    '<a href="#nowhere">x</a>': "leads to no place: #nowhere",
    '<a href="other.html#nowhere">x</a>': "leads to no place: other.html#nowhere",
    '<a href="gone.html">x</a>': "leads to no file: gone.html",
    '<img src="a.gif">': "no description of the picture a.gif",
    '<img src="b.gif" alt=" ">': "no description of the picture b.gif",
    '<script src="https://example.org/a.js"></script>': "loads https://example.org/a.js",
    '<link rel="stylesheet" href="//example.org/a.css">': "loads //example.org/a.css",
    "<script>fetch('https://example.org/data')</script>": "asks for https://example.org/data",
    "<script>console.error('broken')</script>": "console: broken",
    "<script>throw new Error('broken')</script>": "error: broken",
    '<div style="width: 700px">wide</div>': "390 px: scrolls sideways",
    '<p style="overflow: hidden; width: 900px; white-space: nowrap">' + 99 * "far " + "</p>": (
        "390 px: cuts off 'far far"
    ),
    '<iframe srcdoc="<p>a</p>" style="height: 9px"></iframe>': "a frame of 9 px scrolls",
}


@pytest.mark.parametrize(("name", "start"), INCLUDED)
def test_the_lines_that_a_page_leaves_out_are_no_table(name, start):
    """Without its header a table would lose its first row, too: the rule would be the header."""
    lines = (DOCS / name).read_text("utf-8").splitlines()
    assert not any(line.startswith("|") for line in lines[:start])
    assert any(line.startswith("|") for line in lines[start:])


@pytest.fixture(scope="module")
def check():
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("no Chromium is installed")
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    spec = importlib.util.spec_from_file_location("check_pages", CHECK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.browser
def test_sound_pages_pass_and_each_fault_is_told(check, tmp_path, capsys):
    sound = tmp_path / "sound"
    sound.mkdir()
    (sound / "index.html").write_text(SOUND, "utf-8")
    (sound / "other.html").write_text(SOUND.replace('id="top"', 'id="top" name="below"'), "utf-8")
    assert check.main(sound) == 0
    assert "2 pages at 2 widths, 0 problems" in capsys.readouterr().out
    (sound / "faults.html").write_text(SOUND + "".join(FAULTS), "utf-8")
    (sound / "far.css").write_text('@import "https://example.org/b.css";', "utf-8")
    assert check.main(sound) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if line.startswith("far.css: loads @import")]
    faults = [line for line in told if line.startswith("faults.html: ")]
    assert [one for one in FAULTS.values() if not any(one in line for line in faults)] == []
    assert not [line for line in told if line.startswith(("index.html", "other.html"))]
