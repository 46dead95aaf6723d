"""What a reader sees on demand: a ticker's card, the sources. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from alerts.chart_data import SESSIONS
from alerts.clicks import line_actions
from alerts.message import of_volume, stamp
from alerts.model import ChartOf, Detail, Message, Row
from alerts.why import stopped, waterfall
from alerts.words import (
    clock,
    condensed,
    count,
    day,
    percent,
    price,
    progress,
    share,
    some,
    sparkline,
    times,
)
from core.anomaly import Rule
from core.bars import Series
from core.labels import OFF_EXCHANGE_SHIFT
from core.ledger import Entry
from core.progress import Reading

_MARKS = 84
"""So long is a line of marks at most; of more sessions each mark is the mean of several."""


@dataclass(frozen=True, slots=True)
class Flag:
    """An earlier anomaly of a ticker."""

    session: date
    line: int
    """Of that session's digest."""
    label: str
    ratio: float


def ticker_card(
    row: Mapping[str, Any] | None,
    history: pl.DataFrame,
    flags: Sequence[Flag],
    rule: Rule,
    series: Series,
    note: str,
    prints: Mapping[str, Any] | None = None,
    *,
    pictured: bool = False,
    detail: Detail = Detail.FULL,
) -> Message:
    """One ticker's last session beside its own usual; `pictured`: a picture and buttons follow.

    `row`: its line of core.detect.score, None if it did not trade that session. `history`: its
    stored bars on today's share basis, oldest first, on a dense session grid (nulls for gaps).
    `prints`: blocks, largest and largest_price of the last session, where trades were counted.
    """
    newest = history.filter(pl.col("volume").is_not_null()).tail(1).row(0, named=True)
    ticker, session = newest["ticker"], newest["session"]
    last = f"{ticker} {price(newest['close'])}" if detail.raw else ticker
    facts = [
        (f"{of_volume(series.scope)}volume", _volume_fact(row, newest["volume"], detail)),
        ("trades", _trades_fact(row, newest["transactions"], detail)),
        ("price", _price_fact(row, newest, detail)),
    ]
    facts[1:1] = _share_fact(row)
    drawn = [] if pictured else _lines(history)
    facts += [*_prints_fact(prints, detail), *drawn, ("flagged", _flags(flags))]
    verdict = _standing(row, rule, series, detail)
    return Message(
        title=f"{last} · {day(session)}",
        lead=f"{last}: {verdict}.",
        banners=(note,) if note else (),
        facts=tuple(facts),
        footer=() if pictured else (f"/why {ticker} shows every gate",),
        stamp=stamp(series),
    )


def chart_card(of: ChartOf, notes: Sequence[str], series: Series, *, is_line: bool) -> Message:
    """One ticker as a picture, and nothing that the picture says itself."""
    return Message(
        title=f"{of.ticker} · {day(of.session)}",
        lead=f"{of.ticker}, up to {SESSIONS} sessions to {day(of.session)}.",
        banners=tuple(notes),
        stamp=stamp(series),
        brief=True,
        charts=(of,),
        actions=line_actions(of.ticker, of.session, is_line=is_line, without=("Chart",)),
    )


def _share_fact(row: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if row is None or row.get("share") is None:
        return []
    far = "" if row["z_share"] is None else f", z {row['z_share']:.1f}"
    return [("off exchange", f"{share(row['share'], row['usual_share'])}{far}")]


def _prints_fact(prints: Mapping[str, Any] | None, detail: Detail) -> list[tuple[str, str]]:
    if prints is None or prints["largest"] is None or not detail.raw:
        return []
    at = "" if prints["largest_price"] is None else f" at {price(prints['largest_price'])}"
    said = f"{count(prints['largest'])} shares{at}; {some(prints['blocks'], 'block')} in all"
    return [("largest trade", said)]


def _volume_fact(row: Mapping[str, Any] | None, volume: float, detail: Detail) -> str:
    if row is None or row["dev_volume"] is None:
        return f"{count(volume)} shares, no usual yet" if detail.raw else "no usual yet"
    expected = volume / math.exp(row["dev_volume"])
    if not detail.raw:
        return f"{times(volume / expected)} expected"
    return f"{count(volume)} shares, {times(volume / expected)} the {count(expected)} expected"


def _trades_fact(row: Mapping[str, Any] | None, transactions: int | None, detail: Detail) -> str:
    if transactions is None:
        return "not counted by this source"
    if not detail.raw:
        known = row is not None and row["dev_trades"] is not None
        return f"{times(math.exp(row['dev_trades']))} expected" if row and known else "no usual yet"
    if row is None or row["dev_trades"] is None:
        return f"{count(transactions)}, no usual yet"
    return f"{count(transactions)}, {times(math.exp(row['dev_trades']))} expected"


def _price_fact(row: Mapping[str, Any] | None, bar: Mapping[str, Any], detail: Detail) -> str:
    low, high = bar["low"], bar["high"]
    spread = "" if low is None or high is None else f" ({price(low)} to {price(high)})"
    if bar["close"] is None:
        return f"{price(None)}{spread if detail.raw else ''}"
    said = [f"{price(bar['close'])}{spread}"] if detail.raw else []
    if row is None or row["ret"] is None:
        return ", ".join([*said, "no close one session before"])
    said.append(percent(100 * row["ret"]))
    return ", ".join([*said, *_against_usual(row)])


def _against_usual(row: Mapping[str, Any]) -> list[str]:
    return [] if row["ret_z"] is None else [f"{times(row['ret_z'])} its usual move"]


def _lines(history: pl.DataFrame) -> list[tuple[str, str]]:
    """Volumes and closes as marks, where there is no picture."""
    volumes = condensed(history["volume"].to_list(), _MARKS)
    closes = condensed(history["close"].to_list(), _MARKS)
    span = some(len(history), "session")
    return [(f"volume, {span}", sparkline(volumes)), (f"close, {span}", _relative(closes))]


def _relative(closes: list[float | None]) -> str:
    """Closes from their lowest to their highest: from zero the line would be flat."""
    known = [c for c in closes if c is not None]
    if not known:
        return price(None)
    low, high = min(known), max(known)
    lift = (high - low) / 8 or 1.0
    return sparkline([None if c is None else c - low + lift for c in closes])


def _flags(flags: Sequence[Flag]) -> str:
    if not flags:
        return "in no digest that was sent"
    said = [f"{f.session} {times(f.ratio)} ({f.label}, line {f.line})" for f in flags]
    return "; ".join(said)


def _standing(row: Mapping[str, Any] | None, rule: Rule, series: Series, detail: Detail) -> str:
    if row is None:
        return "did not trade in the newest session"
    if row["label"] == OFF_EXCHANGE_SHIFT:
        return f"unlike itself, off exchange {share(row['share'], row['usual_share'])}"
    if row["alertable"]:
        ratio = times(math.exp(row["dev"]))
        again = ", a repeat of the last sessions" if row["continuing"] else ""
        return f"unlike itself, {row['feature']} {ratio} expected{again}"
    failed = stopped(waterfall(row, rule, series, detail=detail))
    return f"not flagged: {failed}" if failed else "nothing unusual"


def source_status(
    parts: Sequence[tuple[str, str, str, str]],
    order: Sequence[str],
    newest: Entry | None,
    problem: Entry | None,
    next_try: str,
    series: Series,
    reading: Reading | None = None,
) -> Message:
    """The doctor's table, who served last, and what is wrong with the newest session.

    `parts`: part, verdict, what was seen, next step. `reading`: the large file being read now.
    """
    served = (
        "nothing is stored yet"
        if newest is None
        else f"newest session stored: {newest.day}, {newest.row_count:,} rows from {newest.source}"
    )
    facts = [("asked in this order", ", then ".join(order)), ("next try", next_try)]
    if newest is not None and newest.stored_at is not None:
        facts.append(("read", clock(newest.stored_at)))
        facts += [(f"refused by {r.source}", f"{r.verdict}: {r.seen}") for r in newest.refused]
    if reading is not None:
        facts.append(("reading now", progress(reading)))
    if problem is not None:
        facts.append((f"{problem.day} {problem.status}", problem.note or ""))
    return Message(
        title="Sources",
        lead=served[0].upper() + served[1:] + ".",
        rows=tuple(
            Row(f"{part}: {verdict}", (f"seen: {seen}", *f"next: {step}".splitlines()))
            for part, verdict, seen, step in parts
        ),
        facts=tuple(facts),
        stamp=stamp(series),
    )
