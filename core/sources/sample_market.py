"""The built-in market: seeded, invented, and the same on every machine.

Stateless: a session is a function of the seed and its date alone. Prices are Brownian bridges
between anchors `BLOCK` weekdays apart, so any stretch can be made without walking from an epoch.
Only `Random.random` is drawn from, the one method whose sequence Python promises to keep, and
results are rounded far above what mathematical libraries differ by.
"""

import gzip
import math
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random
from typing import NamedTuple

from core.calendar import TradingDay, event_days, sessions, sessions_ending, trading_day
from core.sources.sample_finra import off_exchange_file
from core.sources.sample_names import (
    BUCKETS,
    Kind,
    Name,
    names,
    pools,
    session_from,
    shares_factor,
    splits,
    weekday,
)
from core.sources.sample_paths import BLOCK, Path, normal, paths
from core.sources.sample_shift import ON_EXCHANGE, SHIFTED, large, shifted
from core.sources.sample_trades import (
    CENT,
    MICRO,
    TICK,
    TRADES_HEADER,
    SampleBar,
    bells,
    price_text,
    size_text,
    trade_lines,
)
from core.splits import Split

DAY_AGGS_HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
DECIMALS_SINCE = date(2026, 2, 23)

_FADE = 60  # sessions until a planted move has ebbed away
_LISTED, _CYCLE = 240, 400  # weekdays that a name which comes and goes is there, of so many
_SQUEEZE = ((12.0, 0.22), (10.0, 0.15), (8.0, 0.10), (5.0, 0.06), (3.0, 0.03))
_KINDS: tuple[Kind, ...] = ("news", "news", "block", "crowd", "quiet", "spike-and-fade")


@dataclass(frozen=True, slots=True)
class Planted:
    """What was done on purpose to one ticker in one session."""

    ticker: str
    kind: Kind
    volume_times: float
    """The session's volume over what it would have been."""
    trades_times: float
    day_return: float
    """Close over the close before, less one."""


class SampleMarket:
    """An invented market in the vendor's file formats."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed

    def day_aggs(self, day: TradingDay) -> bytes:
        """The session's day aggregates: gzip CSV, sorted by ticker in byte order."""
        start, decimals = bells(day).midnight, day.date >= DECIMALS_SINCE
        return _zipped(
            DAY_AGGS_HEADER,
            (
                f"{bar.ticker},{size_text(bar.volume, decimals)},{price_text(bar.open, decimals)},"
                f"{price_text(bar.close, decimals)},{price_text(bar.high, decimals)},"
                f"{price_text(bar.low, decimals)},{start},{bar.transactions}"
                for bar in _bars(self.seed, day)
            ),
        )

    def trades(self, day: TradingDay, only: Container[str] | None = None) -> bytes:
        """The session's tape, or some tickers of it: gzip CSV that aggregates to `day_aggs`."""
        at, decimals = bells(day), day.date >= DECIMALS_SINCE
        return _zipped(
            TRADES_HEADER,
            (
                line
                for bar in _bars(self.seed, day)
                if only is None or bar.ticker in only
                for line in trade_lines(
                    bar, at, Random(f"{self.seed}:tape:{bar.ticker}:{day}"), decimals
                )
            ),
        )

    def off_exchange_file(self, day: TradingDay) -> bytes:
        """FINRA's file of the session: the volume off exchange in regular hours, in its format."""
        bars, decimals = _bars(self.seed, day), day.date >= DECIMALS_SINCE
        return off_exchange_file(bars, day.date, self.seed, decimals)

    def shifted(self, day: TradingDay) -> str:
        """The ticker of which most traded off exchange that session, and little before."""
        place = shifted(self.seed, day.date, _planted)
        return names(self.seed)[place].ticker

    def splits(self, first: date, last: date) -> list[Split]:
        """The splits executed from first to last, both included, oldest first."""
        return splits(self.seed, first, last)

    def planted(self, day: TradingDay) -> list[Planted]:
        """The ground truth of a session, by ticker; for tests and demonstrations."""
        events = _planted(self.seed, day.date).values()
        return sorted(events, key=lambda event: event.ticker)


def _zipped(header: str, lines: Iterable[str]) -> bytes:
    text = "\n".join((header, *lines, ""))
    return gzip.compress(text.encode("ascii"), compresslevel=1, mtime=0)


# What happens: noise first (core.sources.sample_paths), then what is planted on top of it.


@lru_cache(maxsize=256)
def _levels(seed: int, day: date) -> list[float]:
    """Log prices before splits and planted moves, in the order of the names."""
    block, i = divmod(weekday(day), BLOCK)
    *own, market = paths(seed, block)
    tide = market.level[i]
    return [
        math.log(name.price) + path.level[i] + tide
        for name, path in zip(names(seed), own, strict=True)
    ]


@lru_cache(maxsize=512)
def _planted(seed: int, day: date) -> dict[int, Planted]:
    """Events of a session by place in the names."""
    rng, places = Random(f"{seed}:planted:{day}"), pools(seed)
    events = _squeeze(seed, day)
    wanted = 3 + int(rng.random() * 4) + len(events)
    while len(events) < wanted:
        kind = _KINDS[int(rng.random() * len(_KINDS))]
        pool = places.get(kind, places["news"])
        place, x, y = pool[int(rng.random() * len(pool))], rng.random(), rng.random()
        times, trades, move = _event(kind, x, y)
        if kind == "quiet":
            move = math.expm1(_drift(seed, day, place))
        events[place] = Planted(names(seed)[place].ticker, kind, times, trades, move)
    return events


def _event(kind: Kind, x: float, y: float) -> tuple[float, float, float]:
    """Volume times, trades times and return, out of two uniform numbers."""
    if kind == "news":
        times = 6 + 9 * x
        return times, times * 0.85, (0.08 + 0.34 * y) if y < 0.5 else -(0.08 + 0.34 * (y - 0.5))
    if kind == "block":
        return 8.0, 1.1, 0.004 * (y - 0.5)
    if kind == "crowd":
        return 3.0, 8.0, 0.04 + 0.05 * y
    if kind == "quiet":
        return 6.0, 4.5, 0.0
    return 20.0, 14.0, 0.065 + 0.035 * y


def _squeeze(seed: int, day: date) -> dict[int, Planted]:
    """One squeeze at a time: five sessions, from early in a window of twelve weekdays."""
    window = weekday(day) // 12
    rng, pool = Random(f"{seed}:squeeze:{window}"), pools(seed)["squeeze"]
    place, start = pool[int(rng.random() * len(pool))], int(rng.random() * 5)
    step = len(sessions(session_from(window * 12 + start), day)) - 1
    if not 0 <= step < len(_SQUEEZE):
        return {}
    times, move = _SQUEEZE[step]
    return {place: Planted(names(seed)[place].ticker, "squeeze", times, times * 0.85, move)}


def _before(day: date) -> date:
    return sessions_ending(trading_day(day), 2)[0].date


def _drift(seed: int, day: date, place: int) -> float:
    """The log return that a name would have had."""
    return _levels(seed, day)[place] - _levels(seed, _before(day))[place]


@lru_cache(maxsize=512)
def _jolts(seed: int, day: date) -> dict[int, float]:
    """What to add to a log return so that it becomes the planted one."""
    return {
        place: math.log1p(event.day_return) - _drift(seed, day, place)
        for place, event in _planted(seed, day).items()
        if event.kind != "quiet"
    }


@lru_cache(maxsize=256)
def _shocks(seed: int, day: date) -> dict[int, float]:
    """The planted moves, ebbing away, that are still in the log prices of a session."""
    shocks: dict[int, float] = {}
    for age, past in enumerate(reversed(sessions_ending(trading_day(day), _FADE))):
        for place, jolt in _jolts(seed, past.date).items():
            shocks[place] = shocks.get(place, 0.0) + jolt * (1 - age / _FADE)
    return shocks


# The bars.


class _Weather(NamedTuple):
    """What one session does to everybody."""

    day: TradingDay
    turnout: list[float]  # log factor on volume, by liquidity bucket
    levels: list[float]  # log prices at the close, before splits and planted moves
    shocks: dict[int, float]  # planted moves to add to them
    old_levels: list[float]  # the same of the session before
    old_shocks: dict[int, float]
    events: dict[int, Planted]
    off: dict[int, float]  # how much is off exchange, where that is not as everywhere


def _weather(seed: int, day: TradingDay) -> _Weather:
    rng, today, before = Random(f"{seed}:weather:{day}"), day.date, _before(day.date)
    tide = 0.15 * normal(rng)
    if "quad-witching" in event_days(day):
        tide += math.log(1.6)
    if day.early_close:
        tide += math.log(0.4)
    if weekday(today) - weekday(before) > 1:
        tide += math.log(0.93)
    return _Weather(
        day,
        [tide + 0.08 * normal(rng) for _ in BUCKETS],
        _levels(seed, today),
        _shocks(seed, today),
        _levels(seed, before),
        _shocks(seed, before),
        _planted(seed, today),
        dict.fromkeys(large(seed), ON_EXCHANGE) | {shifted(seed, today, _planted): SHIFTED},
    )


@lru_cache(maxsize=2)
def _bars(seed: int, day: TradingDay) -> tuple[SampleBar, ...]:
    """The session's bars, sorted by ticker."""
    weather = _weather(seed, day)
    number = weekday(day.date)
    block, i = divmod(number, BLOCK)
    return tuple(
        _bar(seed, weather, place, name, path, i)
        for place, (name, path) in enumerate(zip(names(seed), paths(seed, block), strict=False))
        if path.chance[i] < name.often
        and (name.phase < 0 or (number + name.phase) % _CYCLE < _LISTED)
    )


def _bar(seed: int, weather: _Weather, place: int, name: Name, path: Path, i: int) -> SampleBar:
    event = weather.events.get(place)
    today = weather.day.date
    factor = shares_factor(seed, name, today) if name.split >= 0 else 1.0
    # On a day with an event the name's own noise is damped, so that the truth is what we say.
    mood = weather.turnout[name.bucket] + path.volume[i] * (0.25 if event else 1.0)
    shares = name.dollars / math.exp(weather.levels[place]) * factor * math.exp(mood)
    trades = min(name.trades * math.exp(0.85 * mood + 0.5 * (path.trades[i] - 0.5)), 3000.0)
    extra = 0
    if event:
        extra = int(shares * (event.volume_times - 1)) if event.kind == "block" else 0
        shares, trades = shares * event.volume_times, trades * event.trades_times
    whole = max(1, round(shares))
    transactions = max(1, min(whole - extra, round(trades)))
    opened, closed, high, low = _prices(weather, place, name, path, i, factor)
    if transactions == 1:
        opened = closed
    if transactions < 4:
        high, low = max(opened, closed), min(opened, closed)
    part = int(path.gap[i] * MICRO) if today >= DECIMALS_SINCE else 0
    volume = whole * MICRO + part
    prices = (opened, closed, high, low)
    off = weather.off.get(place)
    return SampleBar(name.ticker, volume, *prices, transactions, extra * MICRO, off)


def _prices(
    weather: _Weather, place: int, name: Name, path: Path, i: int, factor: float
) -> tuple[int, int, int, int]:
    """Open, close, high, low in TICKs."""
    before = weather.old_levels[place] + weather.old_shocks.get(place, 0.0)
    close = weather.levels[place] + weather.shocks.get(place, 0.0)
    open_ = before + (path.gap[i] - 0.5) * name.sway
    event = weather.events.get(place)
    if event and event.kind in ("news", "squeeze", "spike-and-fade"):
        open_ += 0.7 * (close - before)
    high = max(open_, close) + path.up[i] * name.sway
    low = min(open_, close) - path.down[i] * name.sway
    if event and event.kind == "spike-and-fade":
        high = before + math.log(1.62 + 0.2 * path.up[i])
        low = low * 0.25 + min(open_, close) * 0.75
    opened, closed, top, bottom = (_ticks(math.exp(x) / factor) for x in (open_, close, high, low))
    return opened, closed, max(top, opened, closed), min(bottom, opened, closed)


def _ticks(dollars: float) -> int:
    """Whole cents, or hundredths of a cent below a dollar."""
    return max(1, round(dollars * TICK)) if dollars < 1 else round(dollars * 100) * CENT
