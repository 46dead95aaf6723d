"""What a picture of one ticker shows, as numbers and in words; drawn by alerts.chart. Pure.

A picture shows each session beside what was usual for the ticker alone: level and spread are those
of core.baseline over its own bars. What the market did (docs/detection.md) is known only of the
session that was judged, so only there the expected volume stands beside the usual one.
"""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import Any, Protocol

import polars as pl

from alerts.message import of_volume, stamp
from alerts.words import count, listed, percent, price, some, times
from core.bars import MAX_TICKER_CHARS, Scope, Series
from core.baseline import activity, grid, standing
from core.share import SHARE_FLOOR, logit

SESSIONS = 90
"""So many are drawn, at most."""

HISTORY_SESSIONS = SESSIONS + 60
"""So many are needed before each drawn one has its usual."""

BAND_SPREADS = 2.0
"""The band that is drawn reaches so many spreads to each side of the level."""

_MAX_ALT_CHARS, _MAX_TITLE_CHARS, _MAX_LABEL_CHARS, _FLAGS = 1000, 120, 40, 6
# Beyond these nothing traded is told; they keep every quotient finite.
_PRICES, _SHARES = (1e-6, 1e9), (1e-6, 1e15)


class Flagged(Protocol):
    """An earlier anomaly of the ticker: alerts.cards.Flag is one."""

    @property
    def session(self) -> date:
        """When it was flagged."""

    @property
    def label(self) -> str:
        """In a word, what kind it was."""

    @property
    def ratio(self) -> float:
        """Of its louder feature."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A level and its band, in the unit of what is drawn: shares, or 0 to 1."""

    level: float
    low: float | None
    high: float | None
    """None until the spread is known."""


@dataclass(frozen=True, slots=True)
class ChartDay:
    """One session; without price and volume if no trade is stored."""

    session: date
    low: float | None = None
    high: float | None = None
    close: float | None = None
    volume: float | None = None
    usual: Usual | None = None
    share: float | None = None
    usual_share: Usual | None = None
    flag: str = ""
    """How it was flagged; empty if it was not."""


@dataclass(frozen=True, slots=True)
class ChartData:
    """One ticker up to a session."""

    ticker: str
    title: str
    days: tuple[ChartDay, ...]
    """Oldest first, from the first with a trade to the session."""
    flagged: tuple[str, ...] = ()
    """Each flag in words, oldest first."""
    expected: float | None = None
    """Volume that the judge expected in the last session, the market's part in it."""
    scope: Scope = Scope.ALL
    stamp: str = ""
    """Set where numbers are invented."""
    indexed: bool = False
    """Prices are per cent of the first close, volumes multiples of the last usual one."""

    @property
    def change(self) -> float | None:
        """The last close against the one a session before: 0.05 is +5 %."""
        *_, before, last = (None, None, *(day.close for day in self.days))
        return None if before is None or last is None else last / before - 1


def chart_data(
    history: pl.DataFrame,
    flags: Sequence[Flagged],
    series: Series,
    *,
    title: str = "",
    row: Mapping[str, Any] | None = None,
    sessions: int = SESSIONS,
) -> ChartData:
    """The last `sessions` of a ticker's history.

    `history`: its bars on the last session's share basis, oldest first, on a dense session grid
    (nulls for gaps), HISTORY_SESSIONS long; with the column share where both scopes are known.
    `row`: the last session's line of core.detect.score, None if it was not judged. `title`: what
    the picture is about; the label of the last session's flag if empty.
    """
    flag = {f.session: plain(f.label)[:_MAX_LABEL_CHARS] for f in flags}
    rows = _with_usual(history, series.scope).tail(max(1, sessions))
    days = [_day(r, flag.get(r["session"], "")) for r in rows.iter_rows(named=True)]
    traded = [n for n, day in enumerate(days) if day.volume is not None]
    shown = tuple(days[traded[0] if traded else -1 :])
    first = shown[0].session if shown else date.max
    said = sorted((f.session, flag[f.session], f.ratio) for f in flags if f.session >= first)
    names = history["ticker"].drop_nulls()
    return ChartData(
        ticker=plain(names[-1])[:MAX_TICKER_CHARS] if len(names) else "",
        title=plain(title)[:_MAX_TITLE_CHARS] or (shown[-1].flag if shown else ""),
        days=shown,
        flagged=tuple(f"{on(when)} ({label}, {times(ratio)})" for when, label, ratio in said),
        expected=_expected(shown, row),
        scope=series.scope,
        stamp=stamp(series),
    )


def _expected(days: Sequence[ChartDay], row: Mapping[str, Any] | None) -> float | None:
    volume = days[-1].volume if days else None
    if volume is None or row is None or row["dev_volume"] is None:
        return None
    return volume / math.exp(row["dev_volume"])


def _with_usual(history: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """The history with level, s (ln shares) and share_level, share_s (logit) where known."""
    bars = _plausible(history).with_row_index("t")
    also = ["share"] if "share" in bars.columns else []
    # Of one name alone: core.baseline finds no bucket, so it removes no market and pools nothing.
    traded = bars.filter(pl.col("ticker").is_not_null()).with_columns(ticker=pl.lit("one"))
    dense = grid(traded, bars["session"], also)
    found = [dense.select("t"), activity(dense, "volume").select("level", "s")]
    if also:
        usual = standing(dense, logit(scope), SHARE_FLOOR)
        found.append(usual.select(share_level="level", share_s="s"))
    return bars.join(pl.concat(found, how="horizontal"), on="t", how="left", maintain_order="left")


def indexed(data: ChartData) -> ChartData:
    """The same shape without a price or a number of shares."""
    closes = [d.close for d in data.days if d.close is not None]
    levels = [d.usual.level for d in data.days if d.usual is not None]
    volumes = [d.volume for d in data.days if d.volume is not None]
    to_price = 100 / closes[0] if closes else 1.0
    to_volume = 1 / (levels[-1] if levels else median(volumes)) if volumes else 1.0
    return replace(
        data,
        days=tuple(_scaled(day, to_price, to_volume) for day in data.days),
        expected=_times(data.expected, to_volume),
        indexed=True,
    )


def _scaled(day: ChartDay, to_price: float, to_volume: float) -> ChartDay:
    usual = day.usual
    return replace(
        day,
        low=_times(day.low, to_price),
        high=_times(day.high, to_price),
        close=_times(day.close, to_price),
        volume=_times(day.volume, to_volume),
        usual=None if usual is None else Usual(
            usual.level * to_volume, _times(usual.low, to_volume), _times(usual.high, to_volume)
        ),
    )  # fmt: skip


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _plausible(history: pl.DataFrame) -> pl.DataFrame:
    def within(column: str, least: float, most: float) -> pl.Expr:
        known = pl.col(column).cast(pl.Float64)
        return pl.when(known.is_between(least, most)).then(known).alias(column)

    prices = (within(column, *_PRICES) for column in ("low", "high", "close"))
    shares = (within("share", 0.0, 1.0),) if "share" in history.columns else ()
    return history.with_columns(*prices, within("volume", *_SHARES), *shares)


def _day(row: Mapping[str, Any], flag: str) -> ChartDay:
    usual = _usual(row["level"], row["s"], math.exp)
    usual_share = _usual(row.get("share_level"), row.get("share_s"), _of_logit)
    if row["volume"] is None:
        return ChartDay(row["session"], usual=usual, usual_share=usual_share, flag=flag)
    return ChartDay(
        session=row["session"],
        low=row["low"],
        high=row["high"],
        close=row["close"],
        volume=row["volume"],
        usual=usual,
        share=row.get("share"),
        usual_share=usual_share,
        flag=flag,
    )


def _of_logit(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _usual(
    level: float | None, spread: float | None, back: Callable[[float], float]
) -> Usual | None:
    if level is None:
        return None
    if spread is None:
        return Usual(back(level), None, None)
    width = BAND_SPREADS * spread
    return Usual(back(level), back(level - width), back(level + width))


def plain(text: str) -> str:
    """One line without anything that cannot be seen."""
    flat = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(c for c in flat if unicodedata.category(c)[0] != "C")


def on(value: date) -> str:
    """17 Dec 2026."""
    return f"{value.day} {value:%b %Y}"


def beside(data: ChartData) -> str:
    """The last volume against what it should have been: 6.2× expected; empty if unknown."""
    volume, usual = data.days[-1].volume, data.days[-1].usual
    if volume is None:
        return ""
    if data.expected is not None:
        return f"{times(volume / data.expected)} expected"
    return "" if usual is None else f"{times(volume / usual.level)} its usual"


def beside_share(data: ChartData) -> str:
    """The last off-exchange share against its usual: 62%, usually 41%; empty if unknown."""
    last = data.days[-1]
    if last.share is None:
        return ""
    usual = "" if last.usual_share is None else f", usually {last.usual_share.level:.0%}"
    return f"{last.share:.0%}{usual}"


def volume_caption(data: ChartData) -> str:
    """What is drawn under the price."""
    off = "Off-exchange volume" if data.scope is Scope.OFF_EXCHANGE else "Volume"
    usual = [d.usual for d in data.days if d.usual is not None]
    has_band = any(u.low is not None for u in usual)
    meant = "; band: usual" if has_band else "; dashes: usual" if usual else ""
    unit = ", multiples of its usual" if data.indexed else ""
    return f"{off}{unit}, log scale{meant}{'' if data.expected is None else '; ◇ expected'}"


def alt(data: ChartData) -> str:
    """The picture in words, at most 1000 characters."""
    if all(day.volume is None for day in data.days):
        return " ".join(filter(None, (data.ticker, "No trade is stored.", data.stamp)))
    closes = [day.close for day in data.days if day.close is not None]
    gaps = sum(day.volume is None for day in data.days)
    said = [
        *_last(data),
        _range(closes, data) if len(closes) > 1 else "",
        f"no trade in {some(gaps, 'session')}" if gaps else "",
        f"flagged on {listed(list(data.flagged[::-1]), _FLAGS)}" if data.flagged else "not flagged",
    ]
    head = f"{data.ticker}, {some(len(data.days), 'session')} to {on(data.days[-1].session)}"
    text = f"{head}: {'; '.join(filter(None, said))}. {data.stamp}".strip()
    return text if len(text) <= _MAX_ALT_CHARS else text[: _MAX_ALT_CHARS - 1] + "…"


def _range(closes: Sequence[float], data: ChartData) -> str:
    low, high = min(closes), max(closes)
    if data.indexed:
        return f"closes from {low:.0f} % to {high:.0f} % of the first"
    return f"closes from {price(low)} to {price(high)}"


def _last(data: ChartData) -> list[str]:
    """Price, volume and off-exchange share of the last session."""
    last = data.days[-1]
    if last.volume is None:
        return ["no trade in the last of them"]
    moved = "" if data.change is None else f", {percent(100 * data.change)}"
    ratio, band, off = beside(data), last.usual, of_volume(data.scope)
    if data.indexed:
        change = [] if data.change is None else [f"close {percent(100 * data.change)}"]
        said = [*change, f"{off}volume {ratio or 'without a usual yet'}"]
    else:
        closed = f"{'' if last.close is None else 'close '}{price(last.close)}{moved}"
        said = [closed, f"{off}volume {count(last.volume)}, {ratio or 'no usual yet'}"]
    if band is not None and band.low is not None and band.high is not None and not data.indexed:
        said.append(f"usually {count(band.low)} to {count(band.high)}")
    if share := beside_share(data):
        said.append(f"off exchange {share}")
    return said
