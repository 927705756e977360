"""What all pictures share: the one import of matplotlib, axes, numbers, ticks, labels, lines.

Colours are Okabe and Ito's (2008), which stay apart for colour-blind readers. Orange is kept for
limits and divergence. Each line has a dash pattern of its own, so no picture needs its colours.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # an extra
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation, Text

# Okabe and Ito's colours for lines
BLUE, GREEN, PURPLE, SKY, BLACK = "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#000000"
ORANGE = "#D55E00"  # limits and divergence, nothing else
COLOURS = (BLUE, GREEN, PURPLE, SKY, BLACK)
# In multiples of the line's width. No common divisor with the colours: two lines of one pattern
# have two colours, of different lightness.
DASHES: tuple[Any, ...] = (
    "-",
    (0, (4.5, 1.5)),
    (0, (5, 1.3, 1.1, 1.3)),
    (0, (9, 2.2)),
    (0, (1.1, 1.3)),
    (0, (5, 1.2, 1.1, 1.2, 1.1, 1.2)),
    (0, (2.2, 1.2)),
    (0, (9, 1.3, 2.5, 1.3)),
)
SURFACE = "cividis"  # lightness rises steadily, for all readers
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")  # for powers of ten
HANDLE = 5.2  # of a legend, the line and what surrounds it, in sizes of the font
# For a legend; most losses fall from the upper left to the lower right
CORNERS = ("upper right", "lower left", "lower right", "upper left")
FINE = 200  # points of a line from which on it is looked at point by point
NOTES = 0.85  # of the size of other texts: notes and the labels of lines
READABLE = 4.5  # contrast of text, WCAG 2.1
NARROW_AXES = 200  # points of width, below which names and notes are short
CAP = 30.0  # a diverging loss is shown up to so many times the first
ROUNDING = 1e-16  # of the first loss, below which there is nothing but rounding


def number(value: float, digits: int = 3) -> str:
    """A number as people write it: 0.0241, 100,000, 5.85·10⁶."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "?"
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    power, sign = int(exponent), "−" if value < 0 else ""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return sign + _trimmed(f"{abs(value):,.{max(digits - 1 - power, 0)}f}")
    mantissa = _trimmed(mantissa)
    front = "" if mantissa == "1" else f"{mantissa}·"
    return f"{sign}{front}10{str(power).translate(SUPERSCRIPTS)}"


def counted(updates: float) -> str:
    """So many updates, to the last one below a million; not to be torn apart."""
    text = f"{updates:,.0f}" if updates < 1e6 else number(updates)
    return f"{text}\u00a0update{'' if updates == 1 else 's'}"


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- Axes ---


def pyplot() -> Any:
    """The one import of matplotlib."""
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install matplotlib.") from error
    return matplotlib.pyplot


def matplotlib() -> Any:
    """The modules below pyplot that pictures are made of; axes exist, so matplotlib does."""
    import matplotlib as package
    import matplotlib.animation
    import matplotlib.collections
    import matplotlib.colors
    import matplotlib.font_manager
    import matplotlib.patheffects
    import matplotlib.ticker

    return package


@contextmanager
def drawing(ax: Any, size: tuple[float, float] = (6.4, 4.2)) -> Iterator[Axes]:
    """Axes to draw on, which are new ones for None. If drawing fails, their figure is closed."""
    with drawing_panels(None if ax is None else [ax], 1, size, "ax") as (one,):
        yield one


@contextmanager
def drawing_panels(
    axs: Any, count: int, size: tuple[float, float], name: str = "axs"
) -> Iterator[Sequence[Axes]]:
    """Likewise `count` axes side by side."""
    if axs is not None:
        yield checked_axes(axs, count, name)
        return
    plt = pyplot()
    figure, panels = plt.subplots(1, count, figsize=size, layout="constrained", squeeze=False)
    try:
        yield list(panels[0])
    except BaseException:
        plt.close(figure)
        raise


def checked_axes(axs: Any, count: int, name: str) -> list[Axes]:
    """Refuses what is not `count` axes, by the `name` under which it was passed."""
    panels = list(np.ravel(np.asarray(axs, dtype=object)))
    if len(panels) != count or not all(callable(getattr(ax, "plot", None)) for ax in panels):
        wanted = "matplotlib Axes" if count == 1 else f"{count} matplotlib Axes"
        shown = axs[0] if count == 1 else axs
        raise ValueError(
            f"{name} must be {wanted} or None, got {shown!r}; write {name}=None for new ones."
        )
    return panels


def dress(ax: Axes, x: Sequence[str], y: Sequence[str], *, grid: str = "y") -> None:
    """The look of all pictures: no box, a light grid, names of the axes that fit.

    `x` and `y` are names for an axis, the best first.
    """
    ax.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color("0.55")
    ax.tick_params(which="both", color="0.55")
    ax.set_axisbelow(True)
    ax.grid(False, which="both")
    if grid:
        light = {"color": text_colour(), "alpha": 0.12, "linewidth": 0.8}
        ax.grid(True, axis=grid, **light)  # pyright: ignore[reportArgumentType]
    for axis, names in ((ax.xaxis, x), (ax.yaxis, y)):
        text = fitting(ax, names, _length(axis), font(ax, 1))
        axis.set_label_text(text, parse_math=False)


def fitting(ax: Axes, texts: Sequence[str], length: float, size: float) -> str:
    """The first of `texts` that fits `length` (in points), or the last cut in the middle."""
    for text in texts:
        if width_of_text(ax, text, size) <= length:
            return text
    text, most = texts[-1], len(texts[-1])
    while most > 5 and (width := width_of_text(ax, shortened(text, most), size)) > length:
        most = min(most - 1, int(most * length / width))
    return shortened(text, most)


def width_of_text(ax: Axes, text: str, size: float) -> float:
    """In points."""
    probe = ax.text(0, 0, text, fontsize=size, parse_math=False, transform=ax.transAxes)
    width = probe.get_window_extent().width
    probe.remove()
    return width * 72 / ax.get_figure(root=True).dpi  # pyright: ignore[reportOptionalMemberAccess]


def shortened(text: str, most: int) -> str:
    """At most `most` letters, those in the middle left out."""
    most = max(most, 5)
    if len(text) <= most:
        return text
    front = most // 2
    return f"{text[:front]}…{text[len(text) - (most - 1 - front) :]}"


def _length(axis: Axis) -> float:
    """Of an axis in points; a layout still to come takes away some of it."""
    box = axis.axes.get_window_extent()
    pixels = box.width if axis is axis.axes.xaxis else box.height
    return 0.92 * pixels * 72 / axis.axes.get_figure(root=True).dpi  # pyright: ignore


def height_of(ax: Axes) -> float:
    """The height of the axes in points, rather too small than too large."""
    return _length(ax.yaxis)


def width_of(ax: Axes) -> float:
    """The width of the axes in points, rather too small than too large."""
    return _length(ax.xaxis)


def font(ax: Axes, share: float = NOTES) -> float:
    """The size of notes in points."""
    return share * float(ax.xaxis.label.get_fontsize())


# --- Ticks ---


def linear_ticks(axis: Axis, *, integer: bool = False) -> None:
    """Round numbers, no more than there is room for."""
    ticker = matplotlib().ticker
    axis.set_major_locator(
        ticker.MaxNLocator(_room(axis, 8), integer=integer, steps=[1, 2, 2.5, 5, 10])
    )
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: number(value, 6)))


def log_ticks(axis: Axis) -> None:
    """1-2-5 in up to three decades, the decades beyond; the small ticks stay without numbers.

    In the range now in view: call it last.
    """
    ticker = matplotlib().ticker
    low, high = axis.get_view_interval()
    decades, room = math.log10(high / low), _room(axis, 10)
    if decades < 1:  # the numbers of a linear axis, closer to each other at the top
        axis.set_major_locator(ticker.MaxNLocator(min(room, 5), steps=[1, 2, 2.5, 5, 10]))
        axis.set_minor_locator(ticker.NullLocator())
    elif decades <= 3 and room >= 3 * decades:
        axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0), numticks=room))
        axis.set_minor_locator(ticker.NullLocator())
    else:
        axis.set_major_locator(ticker.LogLocator(subs=(1.0,), numticks=max(room, 3)))
        axis.set_minor_locator(ticker.LogLocator(subs="auto", numticks=room))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: number(value, 6)))
    axis.set_minor_formatter(ticker.NullFormatter())


def symlog_ticks(axis: Axis) -> None:
    """0, 1 and as many powers of 10 as there is room for."""
    ticker = matplotlib().ticker
    decades = math.floor(math.log10(axis.get_view_interval()[1]))
    stride = max(math.ceil((decades + 2) / _room(axis, 9)), 1)
    axis.set_major_locator(
        ticker.FixedLocator([0, *(10.0**power for power in range(0, decades + 1, stride))])
    )
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: number(value, 6)))
    axis.set_minor_locator(ticker.NullLocator())


def zero_tick(axis: Axis, place: float, least: float) -> None:
    """A zero at `place` on a logarithmic axis whose smallest number is `least`. Call it last."""
    ticker = matplotlib().ticker
    low, high = axis.get_view_interval()
    others = [tick for tick in axis.get_majorticklocs() if least <= tick <= high]
    # A number beside the zero would lie over it
    near = (high / low) ** (1 / max(_room(axis, 10), 1))
    axis.set_major_locator(ticker.FixedLocator([place, *(t for t in others if t > near * place)]))
    axis.set_major_formatter(
        ticker.FuncFormatter(lambda value, _: "0" if value == place else number(value, 6))
    )
    axis.set_minor_locator(ticker.NullLocator())


def _room(axis: Axis, most: int) -> int:
    """How many numbers fit beside each other."""
    sideways = axis is axis.axes.xaxis
    size = matplotlib().rcParams["xtick.labelsize" if sideways else "ytick.labelsize"]
    points = matplotlib().font_manager.FontProperties(size=size).get_size_in_points()
    return int(np.clip(_length(axis) / ((4 if sideways else 1.7) * points), 2, most))


# --- Lines ---


def line_style(i: int) -> dict[str, Any]:
    """Colour and dashes of the i-th line."""
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": DASHES[i % len(DASHES)],
        "linewidth": 2.0,
        "dash_capstyle": "butt",
    }


def kwargs_for(name: str, given: Any, count: int) -> list[Mapping[str, Any]]:
    """For each of `count` lines what a user wants of it: one dict for all, or a list of dicts."""
    each = [given or {}] * count if given is None or isinstance(given, Mapping) else list(given)
    if len(each) != count or not all(isinstance(one, Mapping) for one in each):
        raise ValueError(
            f"{name} must be a dict, or a list with one dict for each of {count} lines, got "
            f"{given!r}."
        )
    return each


def ink(colour: Any, ax: Axes) -> Any:
    """The colour for text: as near to the line's as can be read on these axes."""
    colors = matplotlib().colors
    paper, text = np.array(colors.to_rgb(ax.get_facecolor())), text_colour()
    line, full = np.array(colors.to_rgb(colour)), np.array(colors.to_rgb(text))
    for share in np.linspace(0, 1, 21):
        mixed = (1 - share) * line + share * full
        bright, dark = sorted((luminance(mixed), luminance(paper)), reverse=True)
        if (bright + 0.05) / (dark + 0.05) >= READABLE:
            return tuple(mixed)
    return text


def text_colour() -> Any:
    """That of all other texts, for lines of reference too."""
    return matplotlib().rcParams["text.color"]


def luminance(rgb: Any) -> float:
    """Relative luminance of a colour (WCAG 2.1)."""
    rgb = np.asarray(rgb, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# --- Views and texts ---


def view_before(ax: Axes) -> tuple[Any, Any] | None:
    """What axes show that are drawn on already."""
    return (ax.get_xlim(), ax.get_ylim()) if ax.has_data() else None


def widen(ax: Axes, before: tuple[Any, Any] | None) -> None:
    """Show what was to be seen before, too."""
    if before is not None:
        (left, right), (bottom, top) = before
        ax.set_xlim(min(left, ax.get_xlim()[0]), max(right, ax.get_xlim()[1]))
        ax.set_ylim(min(bottom, ax.get_ylim()[0]), max(top, ax.get_ylim()[1]))


def loss_view(ax: Axes, values: np.ndarray, first: float, below: float = 0.0) -> None:
    """Show `values`, of a diverging loss what is below `CAP` times the first.

    `below` is the share of the axes that stays free at the bottom, for a label.
    """
    to, _ = _scale(ax)
    values = values[np.isfinite(values) & np.isfinite(to(values))]
    if values.size:
        cap = CAP * first if first > 0 else np.inf
        low, high = min(float(values.min()), cap), min(float(values.max()), cap)
        ax.set_ylim(*stretched(ax, low, high, max(below, 0.05), 0.05))
        ax.set_ylim(top=min(ax.get_ylim()[1], max(cap, high)))


def _scale(ax: Axes) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """From data to what the vertical axis is linear in, and back."""
    transform = ax.yaxis.get_transform()
    return transform.transform, transform.inverted().transform


def stretched(ax: Axes, low: float, high: float, below: float, above: float) -> Any:
    """Vertical limits that leave these shares of the axes free beside `low` to `high`."""
    to, back = _scale(ax)
    bottom, top = to(np.array([low, high]))
    least = 1e-2 if ax.get_yscale() == "log" else 1e-6 * max(abs(top), abs(bottom), 1e-300)
    whole = max(top - bottom, least) / (1 - min(below + above, 0.8))
    with np.errstate(over="ignore"):  # a view without end is refused later
        return back(np.array([bottom - below * whole, top + above * whole]))


def note(ax: Axes, x: float, y: float, text: str, **kwargs: Any) -> Text:
    """A small text, in shares of the axes unless a `transform` says otherwise."""
    options: dict[str, Any] = {
        "transform": ax.transAxes,
        "fontsize": font(ax),
        "color": text_colour(),
        "parse_math": False,
        **kwargs,
    }
    return ax.text(x, y, text, **options)


def level_note(ax: Axes, level: float, text: str) -> Text:
    """A note at the right end of a horizontal line, below it."""
    made = ax.annotate(
        text,
        (0.99, level),
        xytext=(0, -3),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=font(ax),
        color=text_colour(),
        parse_math=False,
    )
    return with_halo(made, ax)


def beside(
    ax: Axes, x: float, y: float, text: str, colour: Any, *, share: float, top: bool = False
) -> Text:
    """A note to the left of a point and below it, in `share` of the width.

    With `top` the height is a share of the axes, as for a note at a vertical line.
    """
    made = ax.annotate(
        wrapped(ax, text, share),
        (x, y),
        xytext=(-6, -4),
        xycoords=ax.get_xaxis_transform() if top else "data",
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=font(ax),
        color=ink(colour, ax),
        parse_math=False,
    )
    return with_halo(made, ax)


def point_note(ax: Axes, point: Any, text: str, *, below: bool) -> Text:
    """A note at a point, under it or over it, and inside the axes."""
    share = float(ax.transLimits.transform(point)[0])
    side = "left" if share < 0.15 else "right" if share > 0.85 else "center"
    made = ax.annotate(
        text,
        tuple(point),
        xytext=(0, -8 if below else 8),
        textcoords="offset points",
        ha=side,
        va="top" if below else "bottom",
        fontsize=font(ax),
        color=text_colour(),
        parse_math=False,
    )
    return with_halo(made, ax)


def wrapped(ax: Axes, text: str, share: float) -> str:
    """A text in lines of at most `share` of the width of the axes."""
    return textwrap.fill(text, max(int(share * width_of(ax) / (0.6 * font(ax))), 8))


def hatched(ax: Axes, x: float) -> Any:
    """Mark all that is to the right of `x` as what diverges."""
    style = {"facecolor": "none", "edgecolor": "0.75", "hatch": "///", "linewidth": 0.0}
    return ax.axvspan(x, ax.get_xlim()[1], zorder=0.5, **style)


def with_halo(text: Text, ax: Axes, width: float = 2.5) -> Text:
    """A text that can be read over lines and surfaces."""
    effects = matplotlib().patheffects
    text.set_path_effects([effects.withStroke(linewidth=width, foreground=ax.get_facecolor())])
    return text


def label_height(ax: Axes, lines: int = 1) -> float:
    """The height of a note with some air, as a share of the axes."""
    return (1.25 * lines + 0.5) * font(ax) / height_of(ax)


def label_ends(
    ax: Axes, heights: Sequence[float], texts: Sequence[str], colours: Sequence[Any]
) -> list[Annotation] | None:
    """Labels to the right of lines that end there, pushed apart by height.

    None where there is no room: where no layout makes some, where they would take most of the
    width, or where they are too many. Then the lines need a legend.
    """
    size, room = font(ax), height_of(ax) / (1.3 * font(ax))
    widest = max(width_of_text(ax, text, size) for text in texts)
    if not _has_layout(ax) or len(texts) > room - 1:
        return None
    if widest > 0.5 * width_of(ax):
        return None
    inside = np.clip(heights, *ax.get_ylim())
    ends = ax.transData.transform(np.column_stack([np.full(len(inside), ax.get_xlim()[1]), inside]))
    places = ax.transAxes.inverted().transform(ends)[:, 1]
    # Between what stands above the axes and what stands below them
    share = max(1 - 1 / room, 1e-3)
    places = np.clip((places - 0.5) / share + 0.5, 0, 1)
    places = 0.5 + share * (pushed(places, 1 / room / share) - 0.5)
    return [
        ax.annotate(
            text,
            (1.0, place),
            xytext=(6, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=size,
            color=ink(colour, ax),
            annotation_clip=False,
            parse_math=False,
        )
        for text, place, colour in zip(texts, places, colours, strict=True)
    ]


def _has_layout(ax: Axes) -> bool:
    """Whether something makes room for what is beside the axes."""
    figure = ax.get_figure(root=True)
    return figure is not None and figure.get_layout_engine() is not None


def pushed(places: np.ndarray, gap: float) -> np.ndarray:
    """Places in [0, 1] moved as little as needs be until they are `gap` apart.

    Least squares with an order kept: subtract the gaps, pool what is out of order, add them again.
    """
    order = np.argsort(places, kind="stable")
    offsets = gap * np.arange(len(places))
    pools: list[tuple[float, int]] = []  # mean, size
    for value in places[order] - offsets:
        mean, count = float(value), 1
        while pools and pools[-1][0] > mean:
            before, size = pools.pop()
            mean, count = (mean * count + before * size) / (count + size), count + size
        pools.append((mean, count))
    level = np.repeat([mean for mean, _ in pools], [count for _, count in pools])
    moved = np.empty(len(places))
    moved[order] = np.clip(level, 0, max(1 - offsets[-1], 0) if len(places) else 0) + offsets
    return moved


def legend(
    ax: Axes,
    lines: Sequence[Line2D],
    texts: Sequence[str],
    title: str | None = None,
    most: float = np.inf,
) -> Legend:
    """A legend that shows the dashes, in a corner that is free or made free.

    Call it when the view is set. Its upper end does not go beyond `most`.
    """
    widest = 0.8 * width_of(ax) - HANDLE * font(ax)
    cut = [fitting(ax, [text], widest, font(ax)) for text in texts]
    # matplotlib leaves out what begins with an underscore
    labels = [f" {text}" if text.startswith("_") else text for text in cut]
    options = {"fontsize": font(ax), "title_fontsize": font(ax), "handlelength": HANDLE - 1.6}
    options |= {"labelspacing": 0.3, "borderaxespad": 0.2, "framealpha": 0.85, "alignment": "left"}
    made = ax.legend(lines, labels, loc=CORNERS[0], title=title, edgecolor="none", **options)
    for text in made.get_texts():
        text.set_parse_math(False)
    crowds = []
    for corner in CORNERS:
        made.set_loc(corner)
        crowds.append(_crowd(ax, made.get_window_extent().transformed(ax.transAxes.inverted())))
    made.set_loc(CORNERS[int(np.argmin(crowds))])
    if min(crowds):
        made.set_loc(CORNERS[0])
        box = made.get_window_extent().transformed(ax.transAxes.inverted())
        x, y = _points(ax)
        highest = min(float(y[(x > box.x0) & (x < 1)].max(initial=0.0)), 1.0)
        low, high = ax.get_ylim()
        share = 1 - (1 - min(1.1 * box.height, 0.6)) / max(highest, 0.05)
        above = float(stretched(ax, low, high, 0, share)[1])
        if share > 0 and above <= most:
            ax.set_ylim(top=above)
        elif _has_layout(ax) and box.width < 0.65:  # beside the axes
            made.set_loc("upper left")
            made.set_bbox_to_anchor((1.01, 1.0), ax.transAxes)
        else:  # over the fewest lines
            made.set_loc(CORNERS[int(np.argmin(crowds))])
    return made


def _points(ax: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Points of all lines, close to each other, in shares of the axes."""
    places = []
    for line in ax.lines:
        with np.errstate(all="ignore"):
            path = line.get_transform() - ax.transAxes
            x, y = path.transform(np.asarray(line.get_xydata())).T
        many = np.linspace(0, len(x) - 1, 10 * FINE) if len(x) < FINE else np.arange(len(x))
        places.append([np.interp(many, np.arange(len(v)), v) for v in (x, y)])
    x, y = np.hstack([np.array(place) for place in places])
    return x, y


def _crowd(ax: Axes, box: Any) -> int:
    """How many points of lines come into a box, in shares of the axes; far more with a text."""
    box, back = box.expanded(1.05, 1.1), ax.transAxes.inverted()
    x, y = _points(ax)
    inside = (x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)
    texts = [text.get_window_extent().transformed(back) for text in ax.texts if text.get_text()]
    return int(inside.sum()) + (10**6) * sum(map(box.overlaps, texts))


def animated(
    figure: Any, draw: Callable[[int], Sequence[Any]], frames: Sequence[int], fps: float
) -> FuncAnimation:
    """A film of `draw`. The layout is made once: a layout at each frame takes most of the time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return matplotlib().animation.FuncAnimation(
        figure, draw, frames=frames, interval=1000 / fps, blit=False, repeat=False
    )


def shades(count: int, ax: Axes) -> list[Any]:
    """Colours of an order, the first the farthest from the paper, none too near to it."""
    paper = luminance(matplotlib().colors.to_rgb(ax.get_facecolor()))
    first, last = (0.0, 0.85) if paper > 0.2 else (1.0, 0.3)
    colours = matplotlib().colormaps[SURFACE](np.linspace(first, last, max(count, 2))[:count])
    return [tuple(colour) for colour in colours]


def pale_surface() -> Any:
    """The colours of a landscape on which lines and words are read: the lowest the lightest."""
    colours = matplotlib().colormaps[SURFACE](np.linspace(1, 0.12, 256))
    paler = 0.42 * colours[:, :3] + 0.58
    return matplotlib().colors.ListedColormap(paler)


def ranks(levels: np.ndarray) -> Any:
    """Equal steps of colour from level to level."""
    return matplotlib().colors.BoundaryNorm(levels, 256)


def clear_where_masked(cmap: Any) -> Any:
    """Colours that leave what has no value to what lies beneath."""
    chosen = matplotlib().colormaps[cmap] if isinstance(cmap, str) else cmap
    return chosen.with_extremes(bad=(0.0, 0.0, 0.0, 0.0))


def log_norm(low: float, high: float) -> Any:
    """Colours by the logarithm."""
    return matplotlib().colors.LogNorm(low, high)


def momentum_scale(axis: Axis) -> None:
    """An axis of momentum that is logarithmic in the distance to 1: 0, 0.9, 0.99, ..."""
    ticker = matplotlib().ticker
    scale = {"functions": (_nines, lambda v: 1 - 10.0 ** -np.asarray(v))}
    axis.axes.set_yscale("function", **scale)
    most = _room(axis, 8)
    axis.set_major_locator(ticker.FixedLocator([0, *(1 - 10.0**-k for k in range(1, most))]))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: near_one(value)))
    axis.set_minor_locator(ticker.NullLocator())


def _nines(momentum: Any) -> Any:
    return -np.log10(np.maximum(1 - np.asarray(momentum, dtype=float), 1e-300))


def near_one(value: float) -> str:
    """A number in [0, 1), with two digits of what it lacks to 1 where that is little."""
    if value < 0.9:
        return number(value, 2)
    return _trimmed(f"{value:.{1 - math.floor(math.log10(1 - value) + 1e-9)}f}")


def boxed(
    ax: Axes,
    point: tuple[float, float],
    lines: Sequence[str],
    up: float,
    *,
    above: bool,
    beside: bool,
) -> Text:
    """A note in a box to the left of a point, or in narrow axes at their left side.

    It stands `up` points higher than the point, above this height or below it.
    """
    return ax.annotate(
        "\n".join(lines),
        point if beside else (0.03, point[1]),
        xycoords="data" if beside else ax.get_yaxis_transform(),
        xytext=(-9 if beside else 0, up),
        textcoords="offset points",
        ha="right" if beside else "left",
        va="bottom" if above else "top",
        fontsize=font(ax),
        color=text_colour(),
        bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.85, "pad": 2},
        parse_math=False,
    )
