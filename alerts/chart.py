"""One ticker as a picture: price, volume beside its usual, off-exchange share; PNG bytes. Pure.

Volume is on a log scale always: the judge works in logs, the band of the usual is symmetric there,
and a day of twenty times leaves the others readable. Colour never stands alone: flags are
triangles, gaps are crosses, the last session is labelled.

Takes a second to import and belongs in a worker: nothing else may import matplotlib.
"""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from PIL import Image

from alerts import chart_scale as scales
from alerts.chart_data import (
    ChartData,
    ChartDay,
    Usual,
    alt,
    beside,
    beside_share,
    on,
    plain,
    volume_caption,
)
from alerts.model import Picture
from alerts.words import count, day, percent, price
from core.labels import OFF_EXCHANGE_SHIFT

WIDTH_PX, HEIGHT_PX = 1800, 1040
"""Twice what chat programs show, for sharp text."""

_DPI, _COLOURS = 200, 256
_CARD, _INK, _MUTED, _FAINT = "#F5F6F8", "#15191E", "#515A66", "#D3D8DE"
_LINE, _RANGE, _BAR, _BAND, _FLAG = "#00558C", "#6593B3", "#7C8793", "#BCD7EA", "#B34700"
_LEFT, _RIGHT, _TOP, _BETWEEN = 0.03, 0.895, 0.765, 0.085
_PANEL_POINTS = (_RIGHT - _LEFT) * WIDTH_PX / _DPI * 72
_WITHOUT, _WITH_SHARES = (0.34, 0.26), (0.235, 0.17, 0.11)
_LEAST_SLOTS, _WIDE_GAP = 20, 12
_LOG_PRICE = 8.0
"""Closes further apart than this are drawn on a log scale too."""
_DOWN = ((-0.8, 1.9), (0.8, 1.9), (0.0, 0.5))
"""A triangle that points at what is under it, and does not cover it."""

_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
_PLAIN, _BOLD = _FONTS / "DejaVuSans.ttf", _FONTS / "DejaVuSans-Bold.ttf"
_GLYPHS = frozenset(FT2Font(str(_PLAIN)).get_charmap()) & frozenset(
    FT2Font(str(_BOLD)).get_charmap()
)

# A matplotlibrc of this machine has no say, and a dollar is a dollar.
mpl.rcdefaults()
mpl.rcParams["text.parse_math"] = False


def picture(data: ChartData) -> Picture:
    """The same bytes for the same data."""
    figure = Figure(figsize=(WIDTH_PX / _DPI, HEIGHT_PX / _DPI), dpi=_DPI, facecolor=_CARD)
    figure.patch.set(edgecolor=_FAINT, linewidth=2)
    canvas = FigureCanvasAgg(figure)
    _head(figure, canvas, data)
    if data.days:
        _panels(figure, data)
    return Picture(_png(canvas), alt(data))


def _png(canvas: FigureCanvasAgg) -> bytes:
    """A palette makes a third of the bytes, in less time than it takes to pack them all."""
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    drawn = Image.frombuffer("RGBA", (WIDTH_PX, HEIGHT_PX), pixels).convert("RGB")
    png = io.BytesIO()
    drawn.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(png, "PNG")
    return png.getvalue()


def inert(text: str) -> str:
    """Text that draws as one line of plain glyphs, whatever it holds."""
    return "".join(c if ord(c) in _GLYPHS else "?" for c in plain(text))


def _font(size: float, bold: bool = False) -> FontProperties:
    return FontProperties(fname=str(_BOLD if bold else _PLAIN), size=size)


def _fitted(canvas: FigureCanvasAgg, text: str, font: FontProperties, most: float) -> str:
    """As much of the text as fits `most` of the picture's width."""
    text, cut = inert(text), ""
    drawer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    while text:
        width = drawer.get_text_width_height_descent(text + cut, font, False)[0]
        if width <= most * WIDTH_PX:
            break
        text, cut = text[: min(len(text) - 1, int(len(text) * most * WIDTH_PX / width))], "…"
    return text + cut


def _head(figure: Figure, canvas: FigureCanvasAgg, data: ChartData) -> None:
    big, small = _font(23, bold=True), _font(14)
    figure.text(_LEFT, 0.9, _fitted(canvas, data.ticker, big, 0.5), fontproperties=big, color=_INK)
    title = _fitted(canvas, data.title, small, 0.62)
    figure.text(_LEFT, 0.845, title, fontproperties=small, color=_INK)
    if not data.days:
        return
    last = data.days[-1]
    moved = "" if data.change is None else f"  {percent(100 * data.change)}"
    at = "" if data.indexed else price(last.close)
    closed = "no trade" if last.volume is None else f"{at}{moved}".strip()
    right: dict[str, Any] = {"ha": "right", "color": _INK}
    closed = _fitted(canvas, closed, big, 0.42)
    figure.text(1 - _LEFT, 0.9, closed, fontproperties=big, **right)
    figure.text(1 - _LEFT, 0.845, day(last.session), fontproperties=small, **right)


def _panels(figure: Figure, data: ChartData) -> None:
    has_shares, top = any(d.share is not None for d in data.days), _TOP
    axes = list[Axes]()
    for height in _WITH_SHARES if has_shares else _WITHOUT:
        axes.append(_panel(figure, data, top - height, height))
        top -= height + _BETWEEN
    _draw_price(axes[0], data)
    _draw_volume(axes[1], data)
    if has_shares:
        _draw_shares(axes[2], data)
    _x_axis(axes[-1], scales.date_ticks([d.session for d in data.days]))
    if data.stamp:
        _stamp(figure, axes[0], inert(data.stamp))


def _stamp(figure: Figure, axes: Axes, text: str) -> None:
    figure.text(0.46, 0.42, text.split(":")[0], fontproperties=_font(90, bold=True), color=_INK,
                alpha=0.06, ha="center", va="center", rotation=20)  # fmt: skip
    box = {"facecolor": _INK, "edgecolor": "none", "pad": 3}
    _caption(axes, text, left=False, size=10, bbox=box, color=_CARD)


def _panel(figure: Figure, data: ChartData, bottom: float, height: float) -> Axes:
    axes = figure.add_axes((_LEFT, bottom, _RIGHT - _LEFT, height), facecolor="none")
    last = len(data.days) - 1
    axes.set_xlim(min(-0.7, last - _LEAST_SLOTS), last + 0.9)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(_MUTED)
    axes.tick_params(length=0, pad=4)
    axes.yaxis.tick_right()
    axes.set_xticks([])
    axes.axvspan(last - 0.5, last + 0.5, color=_FAINT, alpha=0.6, lw=0)
    return axes


def _words(axes: Axes, text: str, x: float, y: float, size: float = 12, **looks: Any) -> None:
    """Words at a place in the panel, from 0 to 1."""
    looks = {"color": _MUTED, "transform": axes.transAxes} | looks
    axes.text(x, y, text, None, fontproperties=_font(size), **looks)


def _caption(axes: Axes, text: str, left: bool = True, size: float = 12, **looks: Any) -> None:
    """Over the panel's left end, or its right one: no bar reaches there."""
    looks = {"color": _MUTED, "ha": "left" if left else "right", "va": "bottom"} | looks
    axes.annotate(text, (0 if left else 1, 1), (0, 4), xycoords="axes fraction",
                  textcoords="offset points", fontproperties=_font(size, bold=not left),
                  **looks)  # fmt: skip


def _y_axis(axes: Axes, low: float, high: float, ticks: scales.Ticks) -> None:
    axes.set_ylim(low, high)
    shown = {at: text for at, text in ticks if low <= at <= high}
    axes.set_yticks([*shown], [*shown.values()], fontproperties=_font(12.5), color=_INK)
    axes.hlines([*shown], *axes.get_xlim(), color=_FAINT, lw=0.8, zorder=0)


def _x_axis(axes: Axes, ticks: scales.Ticks) -> None:
    places, texts = zip(*ticks, strict=True)
    axes.set_xticks(places, texts, fontproperties=_font(12.5), color=_INK)
    axes.tick_params(axis="x", length=4, color=_MUTED)


def _draw_price(axes: Axes, data: ChartData) -> None:
    days, closes = data.days, [d.close for d in data.days]
    known = [c for c in closes if c is not None]
    logs = bool(known) and max(known) > _LOG_PRICE * min(known)
    unit = ", per cent of the first" if data.indexed else ""
    _caption(axes, f"Close{unit}{', log scale,' if logs else ''} and each session's range")
    if not known:
        _nothing(axes, "no price is stored")
        return
    scale = math.log10 if logs else float
    ranges = [(n, scale(d.low), scale(d.high)) for n, d in enumerate(days) if d.low and d.high]
    drawn = [None if c is None else scale(c) for c in closes]
    low, high = scales.reach([c for c in drawn if c is not None], ranges, len(days) - 1)
    axes.vlines([n for n, *_ in ranges], [lo for _, lo, _ in ranges], [hi for *_, hi in ranges],
                color=_RANGE, lw=2.4)  # fmt: skip
    _line(axes, drawn)
    low, top = low - 0.08 * (high - low), high + 0.2 * (high - low)
    ticks = scales.log_ticks(low, top, scales.dollars) if logs else scales.price_ticks(low, top)
    if data.indexed:
        ticks = [(at, text.removeprefix("$")) for at, text in ticks]
    _y_axis(axes, low, top, ticks)
    tops = scales.above(drawn, {n: min(hi, high) for n, _, hi in ranges})
    _flags(axes, days, tops)
    _name_flag(axes, days, tops)


def _name_flag(axes: Axes, days: Sequence[ChartDay], tops: Sequence[float | None]) -> None:
    """When and how the ticker was last flagged, if not in the last session."""
    flagged = [n for n, d in enumerate(days) if d.flag and tops[n] is not None]
    if days[-1].flag or not flagged:
        return
    n = flagged[-1]
    side, away = ("left", 11) if n < len(days) / 2 else ("right", -11)
    text = inert(f"{days[n].session.day} {days[n].session:%b}: {days[n].flag}")
    axes.annotate(text, (n, tops[n] or 0.0), (away, 5), textcoords="offset points",
                  fontproperties=_font(12), color=_FLAG, ha=side)  # fmt: skip


def _line(axes: Axes, values: Sequence[float | None]) -> None:
    """Broken at gaps; a value between two gaps is a dot, and the last one too."""
    drawn, around = [math.nan if v is None else v for v in values], [None, *values, None]
    axes.plot(range(len(drawn)), drawn, color=_LINE, lw=2, solid_joinstyle="round")
    last = len(values) - 1
    dots = [n for n in range(last + 1) if n == last or around[n] is around[n + 2] is None]
    axes.plot(dots, [drawn[n] for n in dots], "o", color=_LINE, ms=5)


def _draw_volume(axes: Axes, data: ChartData) -> None:
    days, last = data.days, data.days[-1]
    volumes = [None if d.volume is None else math.log10(d.volume) for d in days]
    known = [v for v in volumes if v is not None]
    levels = [math.log10(d.usual.level) for d in days if d.usual is not None]
    expected = [] if data.expected is None else [math.log10(data.expected)]
    _caption(axes, volume_caption(data))
    if not known:
        _nothing(axes, "no volume is stored")
        return
    low, high = scales.volume_reach(known + levels + expected)
    left, right = axes.get_xlim()
    axes.vlines(range(len(days)), low, [low if v is None else v for v in volumes],
                color=[_FLAG if d.flag else _BAR for d in days],
                lw=0.62 * _PANEL_POINTS / (right - left))  # fmt: skip
    _band(axes, [d.usual for d in days], math.log10)
    axes.plot([len(days) - 1] * len(expected), expected, "D", mfc=_CARD, mec=_INK, ms=6, zorder=3)
    top = high + 0.2 * (high - low)
    say = scales.multiples if data.indexed else scales.shares
    _y_axis(axes, low, top, scales.log_ticks(low, top, say))
    _gaps(axes, days)
    _flags(axes, days, volumes)
    if last.volume is not None:
        ratio = beside(data) or "no usual yet"
        text = ratio if data.indexed else f"{count(last.volume)}, {ratio}"
        _caption(axes, text, left=False, size=13, color=_FLAG if last.flag else _INK)


def _band(axes: Axes, usual: Iterable[Usual | None], scale: Callable[[float], float]) -> None:
    nothing = Usual(math.nan, None, None)
    known = [nothing if u is None else u for u in usual]
    level, low, high = (
        [math.nan if v is None else scale(v) for v in values]
        for values in ([u.level for u in known], [u.low for u in known], [u.high for u in known])
    )
    axes.fill_between(range(len(known)), low, high, color=_BAND, alpha=0.55, lw=0)
    axes.plot(range(len(known)), level, color=_INK, lw=1.3, ls=(0, (3, 1.5)))


def _draw_shares(axes: Axes, data: ChartData) -> None:
    _caption(axes, "Off-exchange share; band: usual")
    _band(axes, [d.usual_share for d in data.days], float)
    _line(axes, [d.share for d in data.days])
    colour = _FLAG if data.days[-1].flag == OFF_EXCHANGE_SHIFT else _INK
    _caption(axes, beside_share(data), left=False, size=13, color=colour)
    _y_axis(axes, 0, 1, [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")])


def _flags(axes: Axes, days: Sequence[ChartDay], tops: Sequence[float | None]) -> None:
    """A triangle over each flagged session."""
    marked = [(n, top) for n, (d, top) in enumerate(zip(days, tops, strict=True))
              if d.flag and top is not None]  # fmt: skip
    for n, top in marked:
        axes.plot(n, top, marker=_DOWN, color=_FLAG, ms=13, mec="none", clip_on=False)


def _gaps(axes: Axes, days: Sequence[ChartDay]) -> None:
    """A cross where no trade is stored, and words where that is for long."""
    empty = [n for n, d in enumerate(days) if d.volume is None]
    at = axes.get_xaxis_transform()
    axes.plot(empty, [0.06] * len(empty), "x", color=_MUTED, ms=4, mew=1.2, transform=at)
    if len(days) <= _LEAST_SLOTS // 2:
        _words(axes, f"nothing is stored before {on(days[0].session)}", 0.02, 0.1)
    for n in empty:
        end = next((m for m in range(n, len(days)) if days[m].volume is not None), len(days))
        if end - n >= _WIDE_GAP and n - 1 not in empty:
            _words(axes, "no trades", (n + end - 1) / 2, 0.16, transform=at, ha="center")


def _nothing(axes: Axes, text: str) -> None:
    axes.set_yticks([])
    _words(axes, text, 0.5, 0.5, 13, ha="center", va="center")
