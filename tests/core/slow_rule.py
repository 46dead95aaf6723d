"""The rule once more, slowly: plain lists and the statistics module, written from the formulas.

From the docstring of core.baseline and section 4 of the facts about detection, not from the code:
where the two disagree, one of them is wrong.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

Value = float | None
Line = list[Value]
"""One ticker's values, session by session; None where it has none."""


def window(line: Sequence[Value], t: int, count: int) -> list[float]:
    """What is known of the `count` sessions before t."""
    return [v for v in line[max(0, t - count) : t] if v is not None]


def median_before(line: Line, t: int) -> Value:
    seen = window(line, t, 20)
    return median(seen) if len(seen) >= 15 else None


def std_before(line: Line, t: int) -> Value:
    seen = window(line, t, 60)
    if len(seen) < 20:
        return None
    mean = fmean(seen)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in seen) / (len(seen) - 1))


def minus(a: Value, b: Value) -> Value:
    return None if a is None or b is None else a - b


def quantile(values: list[float], q: float) -> float:
    """Linear between the neighbours."""
    ordered, place = sorted(values), q * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def log(value: Value) -> Value:
    return math.log(value) if value is not None and value > 0 else None


@dataclass
class Feature:
    """Every number of one feature: ticker -> a value a session."""

    m: dict[str, list[float]] = field(default_factory=dict)
    y: dict[str, Line] = field(default_factory=dict)
    level: dict[str, Line] = field(default_factory=dict)
    s: dict[str, Line] = field(default_factory=dict)
    n: dict[str, list[int]] = field(default_factory=dict)
    z: dict[str, Line] = field(default_factory=dict)


@dataclass
class Panel:
    """Columns of bars as ticker -> session -> value."""

    tickers: list[str]
    length: int
    columns: dict[str, dict[str, Line]]

    @property
    def last(self) -> int:
        return self.length - 1

    def adv(self, ticker: str) -> Value:
        volume, close = self.columns["volume"][ticker], self.columns["close"][ticker]
        traded: Line = [None if v is None or c is None else math.log(v * c)
                        for v, c in zip(volume, close, strict=True)]  # fmt: skip
        seen = window(traded, self.last, 60)
        return math.exp(median(seen)) if len(seen) >= 20 else None

    def bucket(self, ticker: str) -> str | None:
        adv = self.adv(ticker)
        if adv is None:
            return None
        names = [(1e6, "under $1M"), (5e6, "$1-5M"), (2e7, "$5-20M"), (1e8, "$20-100M")]
        return next((name for upper, name in names if adv < upper), "over $100M")

    def buckets(self) -> dict[str, list[str]]:
        """The names of each bucket; those without one are in none."""
        found: dict[str, list[str]] = {}
        for ticker in self.tickers:
            name = self.bucket(ticker)
            if name is not None:
                found.setdefault(name, []).append(ticker)
        return found


def panel(rows: Sequence[dict[str, Any]], dates: Sequence[object]) -> Panel:
    """Rows onto the dense grid of sessions."""
    tickers = sorted({r["ticker"] for r in rows})
    by_key = {(r["ticker"], r["session"]): r for r in rows}
    columns: dict[str, dict[str, Line]] = {}
    for column in ("volume", "transactions", "open", "close"):
        columns[column] = {
            ticker: [by_key.get((ticker, date), {}).get(column) for date in dates]
            for ticker in tickers
        }
    return Panel(tickers, len(dates), columns)


def activity(p: Panel, column: str) -> Feature:
    """The whole rule for one column, for the tickers that have a bucket."""
    x = {k: [log(v) for v in line] for k, line in p.columns[column].items()}
    return standing(p, x, 0.15)


def logits(every: Panel, off: Panel) -> dict[str, Line]:
    """ln(q / (1 - q)) with q = (Vd + 50) / (V + 100), from the volumes of both scopes."""
    found: dict[str, Line] = {}
    for k, line in every.columns["volume"].items():
        other = off.columns["volume"].get(k, [None] * every.length)
        q = [None if v is None or d is None or d > v else (d + 50) / (v + 100)
             for v, d in zip(line, other, strict=True)]  # fmt: skip
        found[k] = [None if v is None else math.log(v / (1 - v)) for v in q]
    return found


def standing(p: Panel, x: dict[str, Line], floor: float) -> Feature:
    """The whole rule for any number, for the tickers that have a bucket."""
    made, times = Feature(), range(p.length)
    e0 = {k: [minus(x[k][t], median_before(x[k], t)) for t in times] for k in p.tickers}
    for names in p.buckets().values():
        factor = []
        for t in times:
            known = [v for k in names if (v := e0[k][t]) is not None]
            factor.append(median(known) if len(known) >= 30 else 0.0)
        s0: dict[str, Line] = {}
        for k in names:
            made.m[k] = factor
            made.y[k] = y = [minus(x[k][t], factor[t]) for t in times]
            made.level[k] = level = [median_before(y, t) for t in times]
            yw = [clipped(y[t], level[t], std_before(y, t), floor) for t in times]
            s0[k] = [std_before(yw, t) for t in times]
            made.n[k] = [len(window(yw, t, 60)) for t in times]
        for t in times:
            _scores(made, names, s0, t, floor)
    return made


def clipped(y: Value, level: Value, std: Value, floor: float = 0.15) -> Value:
    if y is None or level is None or std is None:
        return y
    width = 3 * max(std, floor)
    return level + max(-width, min(width, y - level))


def _scores(made: Feature, names: list[str], s0: dict[str, Line], t: int, floor: float) -> None:
    scales = [v for k in names if (v := s0[k][t]) is not None]
    typical = median(scales) if scales else math.nan
    z0: dict[str, Value] = {}
    for k in names:
        own, n = s0[k][t], made.n[k][t]
        scale: Value = None
        if own is not None:
            shrunk = math.sqrt((n * own**2 + 10 * typical**2) / (n + 10))
            scale = max(floor, shrunk) * math.sqrt(1 + 1 / n)
        made.s.setdefault(k, []).append(scale)
        away = minus(made.y[k][t], made.level[k][t])
        z0[k] = None if away is None or scale is None else away / scale
    known = [v for v in z0.values() if v is not None]
    wide = (quantile(known, 0.84) - quantile(known, 0.16)) / 2 if len(known) >= 100 else 1.0
    for k in names:
        value = z0[k]
        made.z.setdefault(k, []).append(None if value is None else value / max(1.0, wide))


def move_z(p: Panel, price: str) -> dict[str, Value]:
    """|move - the bucket's median| over the std of the same before, floored at half a percent.

    What enters the std is clipped as volume's, around zero. The move is ln of that price over the
    close one session before.
    """
    times, own = range(p.length), dict[str, Line]()
    for k in p.tickers:
        now, closes = ([log(v) for v in p.columns[c][k]] for c in (price, "close"))
        own[k] = [None, *(minus(now[t], closes[t - 1]) for t in times[1:])]
    for names in p.buckets().values():
        for t in times:
            known = [v for k in names if (v := own[k][t]) is not None]
            middle = median(known) if len(known) >= 30 else 0.0
            for k in names:
                own[k][t] = minus(own[k][t], middle)
    floor, found = math.log(1.005), dict[str, Value]()
    for k, line in own.items():
        tamed = [clipped(line[t], 0.0, std_before(line, t), floor) for t in times]
        today, usual = line[p.last], std_before(tamed, p.last)
        if today is None or usual is None:
            found[k] = None
        else:
            found[k] = abs(today) / max(floor, usual)
    return found


def louder(volume: Value, trades: Value) -> Value:
    known = [v for v in (volume, trades) if v is not None]
    return max(known) if known else None


def rarity(p: Panel, z: Callable[[str, int], Value]) -> dict[str, tuple[float, bool]]:
    """K of "1 in K" ticker-days of the bucket before today, and whether it is only a floor."""
    found = {}
    for names in p.buckets().values():
        past = [v for k in names for t in range(p.last) if (v := z(k, t)) is not None]
        for k in names:
            today = z(k, p.last)
            if today is None:
                continue
            exceeding = sum(v >= today for v in past)
            is_floor = exceeding < 10
            found[k] = (len(past) / 10 if is_floor else (1 + len(past)) / (1 + exceeding), is_floor)
    return found
