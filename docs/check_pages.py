"""Check the built pages: ``python docs/check_pages.py docs/_build/html``.

Each page is read and opened in Chromium, on a telephone's width and on a wide screen. The check
fails where a link leads nowhere, a picture has no description, something comes from another site,
the console complains, a page scrolls sideways, or text is cut off. It needs playwright and a
Chromium of the system.
"""

import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import sync_playwright

SCREENS = {390: "light", 1160: "dark"}
NAMES = ["chromium", "chromium-browser", "google-chrome"]
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ELSEWHERE = re.compile(r"(https?:)?//")
# What a stylesheet would load
LOADED = re.compile(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*")
# Text beyond the right edge that no box of its own lets a reader scroll to
CUT_OFF = """() => {
  const scrolls = (element) => {
    for (let box = element; box && box !== document.body; box = box.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return true;
    }
    return false;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.textContent.trim() || !text.parentElement.checkVisibility()) continue;
    range.selectNodeContents(text);
    const { right, width } = range.getBoundingClientRect();
    const beyond = width > 1 && right > innerWidth + 1;
    if (beyond && !scrolls(text.parentElement)) return text.textContent;
  }
  return null;
}"""


class Page(HTMLParser):
    """What a page refers to, and what may be referred to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.problems = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        """Note what one element says."""
        given = dict(attributes)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img" and not (given.get("alt") or "").strip():
            self.problems.append(f"no description of the picture {given.get('src')}")
        loaded = [given.get("src"), given.get("href") if tag == "link" else None]
        loaded += re.findall(r"[^\s,]\S+", given.get("srcset") or "")
        self.problems += [f"loads {url}" for url in loaded if url and ELSEWHERE.match(url)]


def lost_links(path, pages):
    """The links of one page that lead to no file, or to no place in it."""
    for link in pages[path].links:
        url = urlsplit(link)
        if url.scheme or url.netloc:
            continue
        target = (path.parent / unquote(url.path)).resolve() if url.path else path
        place = unquote(url.fragment)
        if not target.is_file():
            yield f"leads to no file: {link}"
        elif place and target in pages and place not in pages[target].ids:
            yield f"leads to no place: {link}"


def seen_problems(browser, path, width):
    """What is wrong with one page on a screen of this width."""
    screen = {"width": width, "height": 900}
    context = browser.new_context(offline=True, viewport=screen, color_scheme=SCREENS[width])
    page, problems = context.new_page(), []

    def hear(said):
        if said.type in ("error", "warning"):
            problems.append(f"console: {said.text}")

    def watch(request):
        if ELSEWHERE.match(request.url):
            problems.append(f"asks for {request.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("request", watch)
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")
    scrolled = page.evaluate("document.documentElement.scrollWidth")
    if scrolled > width:
        problems.append(f"scrolls sideways: {scrolled} px")
    if cut := page.evaluate(CUT_OFF):
        problems.append(f"cuts off {cut.strip()[:60]!r}")
    for frame in page.frames[1:]:
        inside, outside = frame.evaluate("[document.body.scrollHeight, innerHeight]")
        if inside > outside + 1:
            problems.append(f"a frame of {outside} px scrolls: {inside} px")
    context.close()
    return problems


def main(folder):
    """Print what is wrong, and say by the exit status whether anything is."""
    root = Path(folder).resolve()
    paths = [path for path in root.rglob("*.html") if "_static" not in path.parts]
    pages = {path: Page(path) for path in sorted(paths)}
    if not pages:
        return f"no pages in {root}"
    found = [(path, problem) for path, page in pages.items() for problem in page.problems]
    found += [(path, problem) for path in pages for problem in lost_links(path, pages)]
    for path in root.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        found += [(path, f"loads {loaded}") for loaded in LOADED.findall(text)]
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        for path in pages:
            for width in SCREENS:
                seen = seen_problems(browser, path, width)
                found += [(path, f"{width} px: {problem}") for problem in seen]
        browser.close()
    for path, problem in found:
        print(f"{path.relative_to(root)}: {problem}")
    print(f"{len(pages)} pages at {len(SCREENS)} widths, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Write python docs/check_pages.py and the folder of the built pages.")
    if not CHROMIUM:
        sys.exit("No Chromium is installed.")
    sys.exit(main(sys.argv[1]))
