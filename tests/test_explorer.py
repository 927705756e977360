"""The explorer's page in a browser, against the estimator and the report."""

import json
import math
import re
import shutil
import warnings
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from gd_regressor import (
    DescentExplorer,
    GDLinearRegressor,
    LearningRateReport,
    Moments,
    gd_path,
    learning_rate_report,
)
from gd_regressor.plots import explorer as room
from gd_regressor.textbook import modes
from gd_regressor.textbook.polynomials import shrinking

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
WIDTHS = (390, 768, 1160)
ROOT = "document.querySelector('.descent-explorer')"
NAMES = ["engine", "power", "weight", "width", "mileage"]


def cars(n=159):
    """Columns with units and correlations as in a table of cars."""
    rng = np.random.default_rng(3)
    size = rng.standard_normal(n)
    columns = [120 + 40 * size, 100 + 35 * (0.8 * size + 0.6 * rng.standard_normal(n))]
    columns += [2500 + 500 * (0.9 * size + 0.4 * rng.standard_normal(n))]
    columns += [66 + 2 * (0.7 * size + 0.7 * rng.standard_normal(n))]
    columns += [30 - 6 * (0.8 * size + 0.6 * rng.standard_normal(n))]
    X = pd.DataFrame(np.column_stack(columns), columns=NAMES)
    y = 13000 + 5000 * size + 2000 * rng.standard_normal(n)
    return X, pd.Series(y, name="price")


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


class Page:
    """A page on a screen, with what it asked for and complained of."""

    def __init__(
        self, chromium, html, folder, *, width=1160, scheme="light", address="", motion=None
    ):
        file = folder / f"page{len(list(folder.iterdir()))}.html"
        file.write_text(html, encoding="utf-8")
        viewport = {"width": width, "height": 900}
        self.context = chromium.new_context(
            offline=True, viewport=viewport, color_scheme=scheme, reduced_motion=motion
        )
        self.page, self.requests, self.complaints = self.context.new_page(), [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri() + address)
        self.settle()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def settle(self):
        """Wait until what was changed is drawn."""
        frames = "() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"
        self.page.evaluate(frames)

    def data(self, key):
        return self.page.evaluate(f"{ROOT}.dataset.{key}")

    def number(self, key):
        return float(self.data(key))

    def fill(self, track, value):
        self.page.fill(f'[data-track="{track}"] .number', repr(value))
        self.settle()

    def click(self, selector):
        self.page.click(selector)
        self.settle()

    def markup(self):
        return self.page.evaluate(f"{ROOT}.innerHTML")

    def verdict(self):
        return self.page.inner_text(".verdict")


@pytest.fixture
def shown(chromium, tmp_path):
    def show(explorer, **options):
        return Page(chromium, explorer.to_html(), tmp_path, **options)

    return show


def fitted(X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GDLinearRegressor(**options).fit(X, y)


def test_a_page_is_small_and_asks_for_nothing():
    X, y = cars(400)
    page = DescentExplorer(X, y).to_html()
    assert len(page.encode()) <= 80_000
    assert "http" not in page
    without = re.search(r"<noscript>(.*?)</noscript>", page).group(1)
    report = learning_rate_report(X, y)
    for side in (report, report.standardised):
        assert f"{side.limit():.6g}" in without and f"{side.best_learning_rate:.6g}" in without


LOOKS = """(selector) => Object.fromEntries(['here', 'best', 'heavy'].map((name) => {
    const line = document.querySelector(`${selector} .line.${name}:not(.future)`);
    const style = getComputedStyle(line);
    return [name, [style.stroke, style.strokeDasharray]]; }))"""


@pytest.mark.browser
@pytest.mark.parametrize("preset", ["small", "past"])
def test_the_legend_looks_like_the_curves(shown, preset):
    """At a rate that diverges, too, where this descent changes its colour."""
    with shown(DescentExplorer(*cars())) as page:
        page.click(f'[data-preset="{preset}"]')
        panel = '[data-panel="loss"]'
        keys = page.page.evaluate(LOOKS, f"{panel} .legend")
        assert keys == page.page.evaluate(LOOKS, f"{panel} .canvas")
        assert len({colour for colour, _ in keys.values()}) == 3
        assert len({dashes for _, dashes in keys.values()}) == 3


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
def test_the_best_momentum_is_marked_with_its_rate(shown, width):
    X, y = cars()
    with shown(DescentExplorer(X, y), width=width) as page:
        marks = page.page.locator('[data-track="momentum"] .marks').text_content()
        assert re.search(r"best \S+ at rate \S*\d", marks)


@pytest.mark.browser
def test_a_page_in_the_browser_asks_for_nothing_and_complains_of_nothing(shown):
    with shown(DescentExplorer(*cars())) as page:
        assert all(url.startswith("file:") for url in page.requests) and not page.complaints


@pytest.mark.browser
@pytest.mark.parametrize("columns", ["raw", "standardised"])
@pytest.mark.parametrize("count", [1, 5])
def test_the_page_tells_what_the_estimator_finds(shown, columns, count):
    X, y = cars()
    X = X[NAMES[:count]]
    given = X if columns == "raw" else StandardScaler().fit_transform(X)
    limit = learning_rate_report(given, y).limit()
    with shown(DescentExplorer(X, y, columns=columns, tol=1e-6)) as page:
        for momentum in (0.0, 0.5, 0.9):
            page.fill("momentum", momentum)
            for share in (0.1, 0.9):
                rate = share * limit * (1 + momentum)
                page.fill("rate", rate)
                model = fitted(given, y, learning_rate=rate, momentum=momentum, tol=1e-6)
                assert page.number("limit") == pytest.approx(model.max_learning_rate_, rel=1e-12)
                stop = page.number("stop")
                assert (stop == model.n_iter_) or stop > model.max_iter == model.n_iter_
                for k in (0, 1, 7, 60, 5000, 10**6):
                    page.fill("k", k)
                    coefs, intercepts, losses = gd_path(
                        given, y, learning_rate=rate, momentum=momentum, n_iter=[k]
                    )
                    assert page.number("loss") == pytest.approx(losses[0], rel=1e-9)
                    theta = np.array(json.loads(page.data("theta")))
                    wanted = np.append(coefs[:, 0], intercepts[0])
                    error = np.abs(theta - wanted).max()
                    assert error <= 1e-8 * max(np.abs(wanted).max(), 1e-300) or k == 0


def test_columns_that_no_standardising_leaves_anything_of_are_refused():
    with pytest.raises(ValueError, match="X must have a column that varies where fit_intercept"):
        DescentExplorer(np.full((5, 1), 3.0), np.arange(5.0), fit_intercept=False)


@pytest.mark.browser
def test_the_page_counts_from_far_away_as_the_estimator_does(shown):
    X, y = cars()
    X = StandardScaler().fit_transform(X)[:, :2]
    start = {"coef_init": [1e13, -1e16]}
    limit = learning_rate_report(X, y).limit(0.9)
    with shown(DescentExplorer(X, y, columns="raw", tol=0, **start)) as page:
        page.fill("momentum", 0.9)
        for share in (0.3, 0.9):
            page.fill("rate", share * limit)
            model = GDLinearRegressor(share * limit, 10**5, tol=0, momentum=0.9)
            assert page.number("stop") == model.fit(X, y, **start).n_iter_ < 10**5


@pytest.mark.browser
def test_presets(shown):
    X, y = cars()
    report = learning_rate_report(X, y).standardised
    with shown(DescentExplorer(X, y)) as page:
        page.click('[data-preset="best"]')
        assert page.number("rate") == pytest.approx(report.best_learning_rate, rel=1e-14)
        assert f"{report.needs(report.best_learning_rate, 0.0, 1e-6):,}" in page.verdict()
        page.click('[data-preset="heavy"]')
        momentum, rate = report.best_momentum
        assert page.number("rate") == pytest.approx(rate, rel=1e-14)
        assert page.number("momentum") == pytest.approx(momentum, rel=1e-14)
        assert f"{report.needs(rate, momentum, 1e-6):,}" in page.verdict()
        page.click('[data-preset="past"]')
        page.fill("k", 10**6)
        assert "Diverges" in page.verdict() and report.directions[0] in page.verdict()
        end = report.diverges_after(page.number("rate"))
        assert page.number("k") == end == page.number("stop")
        model = fitted(
            StandardScaler().fit_transform(X), y, learning_rate=page.number("rate"), max_iter=10**5
        )
        assert model.status_.name == "DIVERGED" and model.n_iter_ == end


@pytest.mark.browser
@pytest.mark.parametrize("share", [0.02, 0.1, 0.9])
@pytest.mark.parametrize("columns", ["raw", "standardised"])
def test_the_verdict_warns_where_the_estimator_does(shown, columns, share):
    X, y = cars()
    X = X[["engine"]]
    given = X if columns == "raw" else StandardScaler().fit_transform(X)
    report = learning_rate_report(given, y)
    rate, tol = share * report.limit(), 1e-6
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = GDLinearRegressor(learning_rate=rate, tol=tol, max_iter=10**7).fit(given, y)
    with shown(DescentExplorer(X, y, columns=columns, learning_rate=rate, tol=tol)) as page:
        early = page.data("status") == "early"
        assert early == bool(caught) == ("above the minimum" in page.verdict())
        if early:
            above = (model.loss_curve_[-1] - report.minimum_loss) / report.variance[0]
            assert f"{100 * above:.2g} % of the variance" in page.verdict()


@pytest.mark.browser
def test_everything_that_moves_redraws(shown):
    X, y = cars()
    with shown(DescentExplorer(X, y)) as page:
        page.fill("momentum", 0.3)
        draws = page.number("draws")

        def drawn():
            nonlocal draws
            page.settle()
            before, draws = draws, page.number("draws")
            assert draws > before
            assert not re.search("NaN|undefined|Infinity", page.markup())

        for track in ("rate", "momentum", "k"):
            slider = page.page.locator(f'[data-track="{track}"] input[type="range"]')
            for key in ("ArrowRight", "ArrowLeft", "Home", "End"):
                slider.press(key)
                drawn()
            page.fill(track, {"rate": 0.1, "momentum": 0.3, "k": 20}[track])
            drawn()
        for button in ("raw", "standardised"):
            page.click(f'button[data-columns="{button}"]')
            drawn()
        for button in ("above", "loss"):
            page.click(f'button[data-loss="{button}"]')
            drawn()
        for menu in ("plane", "fit"):
            count = page.page.locator(f'[data-menu="{menu}"] option').count()
            assert count == {"plane": 16, "fit": 6}[menu]
            for index in range(count):
                page.page.select_option(f'[data-menu="{menu}"]', index=index)
                drawn()
        page.click(".play")
        page.page.wait_for_timeout(200)
        drawn()
        page.click(".play")
        draws = page.number("draws")
        page.page.wait_for_timeout(200)
        assert page.number("draws") == draws
        assert not page.complaints


@pytest.mark.browser
@pytest.mark.parametrize("n_iter", [100, 1000])
def test_a_move_is_drawn_once_and_writes_little(shown, n_iter):
    """No more after 1,000 updates than after 100 (benchmarks.seeing has the times)."""
    with shown(DescentExplorer(*cars(400), n_iter=n_iter)) as page:
        for track in ("rate", "momentum", "k"):
            moves = page.page.evaluate(DRAGGED, track)
            assert [draws for draws, _, _ in moves] == [1] * 40
            assert 0 < max(elements for _, elements, _ in moves) <= 100
            assert 0 < max(characters for _, _, characters in moves) <= 25_000


# For each of 40 frames, in which a slider moves three times: the redraws, and the elements and
# characters that they write
DRAGGED = """async (track) => {
    const slider = document.querySelector(`[data-track="${track}"] input[type="range"]`);
    const page = document.querySelector("[data-draws]"), moves = [];
    let added = [];
    const note = (records) => records.forEach((record) => added.push(...record.addedNodes));
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
    for (let i = 0; i < 40; i++) {
        const before = page.dataset.draws;
        added = [];
        for (const step of [0, 5, 8]) {
            slider.value = 300 + 8 * i + step;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        const sum = (sizes) => sizes.reduce((all, size) => all + size, 0);
        moves.push([
            page.dataset.draws - before,
            sum(added.map((node) => 1 + (node.querySelectorAll?.("*").length ?? 0))),
            sum(added.map((node) => (node.outerHTML ?? node.textContent).length)),
        ]);
    }
    return moves;
}"""


@pytest.mark.browser
def test_the_keyboard_reaches_everything_in_reading_order(shown):
    """Each control by the tabulator; the space bar plays, and pauses."""
    with shown(DescentExplorer(*cars(), n_iter=1000)) as page:
        places = []
        for _ in range(page.page.locator("button, select, input").count()):
            page.page.keyboard.press("Tab")
            places.append(page.page.evaluate(FOCUSED))
        tops = [top for top, _ in places]
        assert len(set(map(tuple, places))) == len(places)
        rows = [round(top / 60) for top in tops]
        assert sum(after < before for before, after in pairwise(rows)) <= 3
        page.page.focus(".play")
        page.page.keyboard.press("Space")
        page.page.wait_for_function(f"{ROOT}.dataset.k > 0 && {ROOT}.dataset.k < 900")
        page.page.keyboard.press("Space")
        page.settle()
        stopped = page.number("k")
        page.page.wait_for_timeout(150)
        assert page.number("k") == stopped < 1000
        assert page.page.evaluate("document.activeElement.className") == "play"
        assert "play" in page.page.inner_text(".play")


FOCUSED = """(() => {
    const box = document.activeElement.getBoundingClientRect();
    return [box.top + window.scrollY, box.left];
})()"""


@pytest.mark.browser
def test_with_less_motion_playing_shows_eight_pictures(shown):
    """At equal steps of the slider, of which the position is logarithmic."""
    with shown(DescentExplorer(*cars(), n_iter=1000), motion="reduce") as page:
        page.click(".play")
        seen = set()
        for _ in range(12):
            page.page.wait_for_timeout(100)
            seen.add(page.number("k"))
        assert seen <= {round(math.expm1(i / 8 * math.log1p(1000))) for i in range(9)}
        assert len(seen) > 1


@pytest.mark.browser
def test_the_address_presets_the_page(shown):
    X, y = cars()
    address = "#rate=0.05&momentum=0.5&k=60&columns=raw"
    with shown(DescentExplorer(X, y), address=address) as page:
        assert [page.number(key) for key in ("rate", "momentum")] == [0.05, 0.5]
        assert page.data("columns") == "raw" and page.data("status") == "diverges"
        assert page.number("k") == learning_rate_report(X, y).diverges_after(0.05, 0.5) < 60


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_any_screen(shown, width, scheme):
    X, y = cars()
    with shown(DescentExplorer(X, y), width=width, scheme=scheme) as page:
        for _ in ("at first", "past the limit"):
            assert page.page.evaluate("document.documentElement.scrollWidth") == width
            assert page.page.evaluate(OUTSIDE) == []
            page.click('[data-preset="past"]')
        heights = page.page.evaluate(
            "[...document.querySelectorAll('button, select, input')]"
            ".map(e => e.getBoundingClientRect().height)"
        )
        assert min(heights) >= 40
        colours = page.page.evaluate(COLOURS)
        for ink in ("--ink", "--soft", "--limit", "--heavy", "--best"):
            for paper in ("--paper", "--card"):
                assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)


# Texts of pictures that reach beyond them
OUTSIDE = """[...document.querySelectorAll('svg text')].filter((text) => {
    const [a, b] = [text.getBoundingClientRect(), text.closest('svg').getBoundingClientRect()];
    return a.width && (a.left < b.left - 1 || a.right > b.right + 1
        || a.top < b.top - 1 || a.bottom > b.bottom + 1);
}).map((text) => text.textContent)"""
COLOURS = f"""Object.fromEntries(['--ink', '--soft', '--limit', '--heavy', '--best', '--paper',
    '--card'].map((name) => [name, getComputedStyle({ROOT}).getPropertyValue(name).trim()]))"""


def contrast(ink, paper):
    """The contrast of two colours, as the Web Content Accessibility Guidelines define it."""
    lighter, darker = sorted(map(luminance, (ink, paper)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.browser
def test_everything_has_a_name(shown):
    X, y = cars()
    with shown(DescentExplorer(X, y)) as page:
        names = page.page.evaluate(
            "[...document.querySelectorAll('input, select, button, figure')].map(e =>"
            " e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')"
            " || (e.labels && e.labels.length && e.labels[0].textContent) || e.textContent)"
        )
        assert all(names) and page.page.locator('[role="status"]').count() == 1
        pictures = "[...document.querySelectorAll('.canvas svg')].map(e => e.ariaLabel)"
        before = page.page.evaluate(pictures)
        assert len(before) == 4 and all(before)
        page.fill("k", 100)
        assert page.page.evaluate(pictures) != before
        assert "transition" not in room._style() and "animation" not in room._style()


@pytest.mark.browser
def test_paper_is_white_and_holds_all_pictures(shown):
    with shown(DescentExplorer(*cars()), scheme="dark") as page:
        page.page.emulate_media(media="print")
        page.page.set_viewport_size({"width": 700, "height": 990})
        page.settle()
        assert page.page.evaluate(COLOURS)["--paper"] == "#ffffff"
        assert page.page.evaluate("document.documentElement.scrollWidth") == 700
        assert page.page.locator(".canvas svg:visible").count() == 4
        assert page.page.locator(".play:visible, .presets:visible, select:visible").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_are_those_of_the_system(shown, scheme):
    with shown(DescentExplorer(*cars()), scheme=scheme) as page:
        page.page.emulate_media(forced_colors="active", color_scheme=scheme)
        page.settle()
        assert not [c for c in page.page.evaluate(COLOURS).values() if c.startswith("#")]
        pressed, other = (
            page.page.eval_on_selector(
                f'button[data-columns="{view}"]', "e => getComputedStyle(e).backgroundColor"
            )
            for view in ("standardised", "raw")
        )
        assert pressed != other


@pytest.mark.browser
def test_a_page_follows_the_switch_of_the_page_around_it(chromium, tmp_path):
    """Sphinx's themes write data-theme on <html>, Jupyter a word on <body>."""
    frame = DescentExplorer(*cars())._repr_html_()
    html = f'<!doctype html><html data-theme="dark"><body>{frame}</body></html>'
    paper = "getComputedStyle(document.querySelector('.descent-explorer')).backgroundColor"
    with Page(chromium, html, tmp_path, scheme="light") as page:
        page.page.wait_for_timeout(200)
        inner = page.page.frames[1]
        dark = inner.evaluate(paper)
        page.page.evaluate("document.documentElement.dataset.theme = 'light'")
        page.settle()
        light = inner.evaluate(paper)
        assert (dark, light) == ("rgb(20, 24, 29)", "rgb(255, 255, 255)")
        page.page.evaluate("document.documentElement.removeAttribute('data-theme')")
        page.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        page.settle()
        assert inner.evaluate(paper) == dark
        page.page.evaluate("document.body.removeAttribute('data-jp-theme-light')")
        page.settle()
        assert inner.evaluate(paper) == light  # the system's wish


@pytest.mark.browser
def test_of_many_directions_those_that_matter_most_have_bars(shown):
    (X, y), _ = hostile()["hundred columns"]
    report = learning_rate_report(X, y).standardised
    largest = np.sort(np.argsort(-report.excess, kind="stable")[:12])
    with shown(DescentExplorer(X, y)) as page:
        bars = page.page.locator('[data-panel="bars"] svg')
        names = bars.locator("text").all_text_contents()
        wanted = [report.directions[i] for i in largest]
        assert [name for name in names if name in report.directions] == wanted
        assert "The 12 of 101 directions" in page.page.inner_text('[data-panel="bars"]')


def hostile():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(30)
    names = ["</script><b>", "<img src=x onerror=alert(1)>", "a & b \u2028 '\""]
    return {
        "exact fit": ((X, X @ [1.0, 2.0, 3.0] + 1), {}),
        "duplicate column": ((np.column_stack([X, X[:, 0]]), y), {}),
        "wide": ((rng.standard_normal((10, 30)), rng.standard_normal(10)), {}),
        "five rows": (([[1.0], [2.0], [3.0], [4.0], [5.0]], [2.0, 4.0, 5.0, 4.0, 5.0]), {}),
        "many rows": ((rng.standard_normal((100_000, 8)), rng.standard_normal(100_000)), {}),
        "constant target": ((X, np.full(30, 7.0)), {}),
        "tiny units": ((X * 1e-9, y), {}),
        "names": ((X, y), {"feature_names": names, "target_name": "</title>", "title": "<i>x"}),
        "no intercept": ((X + 5, y), {"fit_intercept": False}),
        "hundred columns": ((rng.standard_normal((300, 100)), rng.standard_normal(300)), {}),
        "weights, targets, start": (
            (X, np.column_stack([y, X[:, 0]])),
            {"sample_weight": rng.random(30), "coef_init": rng.standard_normal((2, 3))},
        ),
        "no rows": ((X, y), {"max_points": 0}),
    }


@pytest.mark.browser
@pytest.mark.parametrize("case", hostile())
def test_hostile_tables(shown, case):
    data, options = hostile()[case]
    with shown(DescentExplorer(*data, **options)) as page:
        for columns in ("raw", "standardised"):
            page.click(f'button[data-columns="{columns}"]')
            for preset in ("small", "best", "heavy", "past"):
                page.click(f'[data-preset="{preset}"]')
                assert not re.search("NaN|undefined|Infinity", page.markup())
                assert math.isfinite(page.number("loss"))
        assert not page.complaints
        assert page.page.evaluate("document.documentElement.scrollWidth") == 1160


@pytest.mark.browser
def test_targets_weights_and_starts_are_those_of_the_report(shown):
    data, options = hostile()["weights, targets, start"]
    report = learning_rate_report(*data, **options)
    with shown(DescentExplorer(*data, **options, columns="raw")) as page:
        rate = 0.7 * report.limit()
        page.fill("rate", rate)
        page.fill("k", 9)
        coefs, intercepts = report.coefs(rate, 0.0, [9])
        for target in (0, 1):
            page.page.select_option('[data-menu="target"]', index=target)
            page.settle()
            wanted = np.append(coefs[target, :, 0], intercepts[target, 0])
            np.testing.assert_allclose(
                json.loads(page.data("theta")), wanted, rtol=1e-9, atol=1e-12
            )


@pytest.mark.browser
def test_a_frame_is_as_high_as_its_page(chromium, tmp_path):
    frames = "".join(DescentExplorer(*cars())._repr_html_() for _ in range(2))
    for width in (390, 1160):
        html = f"<!doctype html><body style='margin:0'>{frames}</body>"
        with Page(chromium, html, tmp_path, width=width) as page:
            page.page.wait_for_timeout(300)
            for frame, element in zip(
                page.page.frames[1:], page.page.query_selector_all("iframe"), strict=True
            ):
                inner = frame.evaluate("document.body.scrollHeight")
                assert abs(inner - element.bounding_box()["height"]) <= 1


@pytest.mark.browser
def test_two_explorers_in_one_document_are_apart(chromium, tmp_path):
    scripts = [
        f"<div id=e{i}></div><script>(() => {{ {room._script()}\n"
        f"explore(document.getElementById('e{i}'), {DescentExplorer(*cars())._literal()}); }})();"
        "</script>"
        for i in range(2)
    ]
    with Page(chromium, "<!doctype html>" + "".join(scripts), tmp_path) as page:
        ids = page.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(set(ids)) == len(ids)
        page.page.click('#e0 [data-preset="past"]')
        page.settle()
        states = [
            page.page.evaluate(f"document.getElementById('e{i}').dataset.status") for i in (0, 1)
        ]
        assert states == ["diverges", "converges"]


@contextmanager
def arithmetic(chromium):
    """A page that knows descent.js alone."""
    page = chromium.new_page()
    page.add_script_tag(content=room._asset("descent.js"))
    yield page
    page.close()


@pytest.mark.browser
def test_the_page_of_a_ridge_tells_the_fit_without_the_ridge(shown):
    """Its loss has the ridge, its R² has not."""
    X, y = cars()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = fitted(X, y, learning_rate=0.1, max_iter=40, tol=None, alpha=0.4, l1_ratio=0)
    with shown(DescentExplorer.from_estimator(model, X, y)) as page:
        text = page.page.inner_text(".panels")
        assert page.number("loss") == pytest.approx(model.loss_curve_[-1], rel=1e-9)
        assert not page.complaints
    assert "The mean squared error and ridge is" in text
    told = float(re.search(r"R² is (\S+)\.", text)[1])
    assert told == pytest.approx(model.score(X, y), rel=1e-2)


@pytest.mark.browser
@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.5, 0.9, 0.99, 0.999])
def test_the_arithmetic_of_the_page(chromium, momentum):
    h = np.concatenate([np.geomspace(1e-12, 3.9, 60), [0.5, 2.0, 3.0]])
    # Beside double roots the discriminant needs its two factors
    edges = [(1 - math.sqrt(momentum)) ** 2, (1 + math.sqrt(momentum)) ** 2]
    near = np.outer(edges, [1 - 1e-4, 1 - 1e-9, 1 + 1e-9, 1 + 1e-4]).ravel()
    h = np.concatenate([h, near[(near > 0) & (near < 3.9)]])
    ks = [0, 1, 2, 3, 7, 10, 33, 100, 1000, 10**4, 10**5, 10**6]
    ask = "([hs, mu, ks]) => ks.map(k => hs.map(h => shrinking(h, mu).left(k)[0]))"
    with arithmetic(chromium) as page:
        found = np.array(page.evaluate(ask, [h.tolist(), momentum, ks]), dtype=float)
    with np.errstate(all="ignore"):
        wanted, _ = shrinking(h, momentum).left(np.array(ks, dtype=float)[:, None])
    seen = (np.abs(wanted) < 1e200) & (np.abs(wanted) > 1e-290)
    error = np.abs(found[seen] - wanted[seen])
    if momentum <= 0.99:
        near_zero = np.abs(wanted[seen]) < 1e-6
        np.testing.assert_array_less(error[~near_zero], 1e-9 * np.abs(wanted[seen][~near_zero]))
    small = np.abs(wanted[seen]) <= 1
    np.testing.assert_array_less(error[small], 1e-9)


def within_a_billion(count):
    """The page counts no further."""
    return count if count <= 10**9 else np.inf


@pytest.mark.browser
@pytest.mark.parametrize("momentum", [0.5, 0.99, 0.999, 1 - 1e-4, 1 - 1e-7])
def test_the_counts_of_the_page(chromium, momentum):
    """Far from the start, and with windows that no loop can walk through."""
    X, y = cars()
    report = learning_rate_report(X * [1, 1, 1, 1, 1e-2], y)
    view = DescentExplorer.from_report(report)._data["views"]["raw"]
    rates = [share * report.limit(momentum) for share in (0.03, 0.4, 0.9)]
    ask = """([view, rates, momentum]) => {
        const target = view.targets[0];
        const modes = view.curvatures.map((curvature, i) => (
            { curvature, residual: target.residual[i] }));
        const descent = { ...target, modes, curvature: Math.max(...view.curvatures) };
        return rates.map((rate) => run(descent, rate, momentum)).map(
            (here) => [needs(descent, here, 1e-6), stopsAfter(descent, here, 1e-6)]);
    }"""
    with arithmetic(chromium) as page:
        found = page.evaluate(ask, [view, rates, momentum])
    for rate, (needed, stop) in zip(rates, found, strict=True):
        assert needed == within_a_billion(report.needs(rate, momentum, 1e-6))
        if momentum < 0.99999:  # beyond, the page looks at some updates of each window only
            assert stop == within_a_billion(report.stops_after(rate, momentum, 1e-6))
        assert stop > 1 / (1 - momentum)


def test_a_widget_brings_the_sliders_back():
    pytest.importorskip("anywidget")
    widget = DescentExplorer(*cars(), learning_rate=0.1, momentum=0.5, n_iter=7).widget()
    assert (widget.rate, widget.momentum, widget.k) == (0.1, 0.5, 7)
    assert widget.trait_metadata("rate", "sync") and "export default" in widget._esm


def test_a_pipeline_shows_the_columns_that_reach_the_descent():
    X, y = cars()
    model = make_pipeline(
        StandardScaler(), GDLinearRegressor(learning_rate=0.1, max_iter=60, tol=None)
    )
    model.fit(X, y)
    explorer = DescentExplorer.from_estimator(model, X, y)
    shown = explorer._data
    assert shown["columns"] == NAMES and shown["targets"] == ["price"]
    assert shown["set"] == {"rate": 0.1, "momentum": 0.0, "k": 60, "columns": "raw"}
    np.testing.assert_allclose(shown["means"], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"learning_rate": -1}, "learning_rate"),
        ({"momentum": 1.0}, "momentum"),
        ({"n_iter": 2.5}, "n_iter"),
        ({"tol": None}, "tol"),
        ({"columns": "scaled"}, "columns"),
        ({"max_points": -1}, "max_points"),
        ({"target_name": ["a", "b"]}, "target_name"),
        ({"feature_names": ["a"]}, "feature_names"),
    ],
)
def test_bad_options_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        DescentExplorer(*cars(), **options)


def test_a_report_without_rows_has_a_page():
    """That of a stream, of which no rows are left."""
    X, y = cars()
    moments = Moments.of(X.to_numpy()[:80], y[:80]) + Moments.of(X.to_numpy()[80:], y[80:])
    report = LearningRateReport.from_moments(moments, feature_names=NAMES)
    ours, theirs = DescentExplorer.from_report(report)._data, DescentExplorer(X, y)._data
    assert ours["sample"] == {"X": [], "y": []} and "rows" not in ours["subtitle"]
    for key in ("means", "scales"):
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-10)
    for view in ("raw", "standardised"):
        one, other = ours["views"][view], theirs["views"][view]
        np.testing.assert_allclose(one["curvatures"], other["curvatures"], rtol=1e-7)
    drawn = DescentExplorer.from_report(report, X, y, max_points=7)._data
    assert len(drawn["sample"]["X"]) == 7 and drawn["targets"] == ["price"]
    weighted = DescentExplorer(X, y, sample_weight=np.arange(159.0), fit_intercept=False)._data
    np.testing.assert_allclose(weighted["means"], np.average(X, axis=0, weights=np.arange(159.0)))


def test_a_page_decomposes_each_kind_of_columns_once(monkeypatch):
    calls, decompose = [], modes._graded_svd
    monkeypatch.setattr(modes, "_graded_svd", lambda m: calls.append(m) or decompose(m))
    DescentExplorer(*cars()).to_html()
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (lambda X, y: (X, None), "X and y must be given both, or neither"),
        (lambda X, y: (X.iloc[:, :2], y), "X must have the 5 columns of the report, got 2"),
        (lambda X, y: (X, y[:9]), r"y must have 1 target for each of 159 rows of X, got shape"),
        (lambda X, y: (X.replace(X.iloc[0, 0], np.nan), y), "X must be finite"),
    ],
)
def test_rows_that_do_not_belong_to_the_report_are_refused(rows, words):
    X, y = cars()
    with pytest.raises(ValueError, match=words):
        DescentExplorer.from_report(learning_rate_report(X, y), *rows(X, y))


def test_what_has_no_descent_is_refused():
    with pytest.raises(ValueError, match="X must have a column that is not zero"):
        DescentExplorer(np.zeros((5, 2)), np.arange(5.0), fit_intercept=False)
    X, y = cars()
    with pytest.raises(ValueError, match="learning_rate"):
        DescentExplorer.from_estimator(GDLinearRegressor().fit(X, y), X, y)
    with pytest.raises(ValueError, match=r"NaN|missing"):
        DescentExplorer(X.replace(X.iloc[0, 0], np.nan), y)
    words = r"^estimator must be a fitted GDLinearRegressor.*; use DescentExplorer\(X, y\)"
    with pytest.raises(ValueError, match=words):
        DescentExplorer.from_estimator(DecisionTreeRegressor().fit(X, y), X, y)
    with pytest.raises(ValueError, match=r"^estimator is not fitted; call fit first"):
        DescentExplorer.from_estimator(GDLinearRegressor(), X, y)
    with pytest.raises(ValueError, match="X has 10000 columns"):
        DescentExplorer(np.ones((2, 10_000)), [1.0, 2.0])
    with pytest.raises(ValueError, match="report must be a LearningRateReport, got DataFrame"):
        DescentExplorer.from_report(X)
