"""What a reader sees on demand: a ticker's card, the waterfall of gates, the sources. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from alerts.message import stamp
from alerts.model import Message, Row
from alerts.words import (
    clock,
    count,
    day,
    percent,
    price,
    progress,
    share,
    some,
    sparkline,
    times,
    usd,
)
from core.anomaly import Rule
from core.bars import Scope, Series
from core.ledger import Entry
from core.progress import Reading

PASS, FAIL, SKIP = "✔", "✘", "·"


@dataclass(frozen=True, slots=True)
class Flag:
    """An earlier anomaly of a ticker."""

    session: date
    rank: int
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
) -> Message:
    """One ticker's last session beside its own usual.

    `row`: its line of core.detect.score, None if it did not trade that session. `history`: its
    stored bars on today's share basis, oldest first, on a dense session grid (nulls for gaps).
    `prints`: blocks, largest and largest_price of the last session, where trades were counted.
    """
    newest = history.filter(pl.col("volume").is_not_null()).tail(1).row(0, named=True)
    ticker, session = newest["ticker"], newest["session"]
    last = f"{ticker} {price(newest['close'])}"
    volumes, closes = history["volume"].to_list(), history["close"].to_list()
    span = some(len(volumes), "session")
    facts = [
        (f"{_where(series)}volume", _volume_fact(row, newest["volume"])),
        ("trades", _trades_fact(row, newest["transactions"])),
        ("price", _price_fact(row, newest)),
        (f"volume, {span}", sparkline(volumes)),
        (f"close, {span}", _relative(closes)),
        ("flagged", _flags(flags)),
    ]
    facts[1:1], facts[-3:-3] = _share_fact(row), _prints_fact(prints)
    verdict = "did not trade in the newest session" if row is None else _standing(row, rule)
    return Message(
        title=f"{last} · {day(session)}",
        lead=f"{last}: {verdict}.",
        banners=(note,) if note else (),
        facts=tuple(facts),
        footer=(f"/why {ticker} shows every gate",),
        stamp=stamp(series),
    )


def _where(series: Series) -> str:
    return "off-exchange " if series.scope is Scope.OFF_EXCHANGE else ""


def _share_fact(row: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if row is None or row.get("share") is None:
        return []
    return [("off exchange", share(row["share"], row["usual_share"]))]


def _prints_fact(prints: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if prints is None or prints["largest"] is None:
        return []
    at = "" if prints["largest_price"] is None else f" at {price(prints['largest_price'])}"
    said = f"{count(prints['largest'])} shares{at}; {some(prints['blocks'], 'block')} in all"
    return [("largest trade", said)]


def _volume_fact(row: Mapping[str, Any] | None, volume: float) -> str:
    if row is None or row["dev_volume"] is None:
        return f"{count(volume)} shares, no usual yet"
    expected = volume / math.exp(row["dev_volume"])
    return f"{count(volume)} shares, {times(volume / expected)} the {count(expected)} expected"


def _trades_fact(row: Mapping[str, Any] | None, transactions: int | None) -> str:
    if transactions is None:
        return "not counted by this source"
    if row is None or row["dev_trades"] is None:
        return f"{count(transactions)}, no usual yet"
    return f"{count(transactions)}, {times(math.exp(row['dev_trades']))} expected"


def _price_fact(row: Mapping[str, Any] | None, bar: Mapping[str, Any]) -> str:
    low, high = bar["low"], bar["high"]
    spread = "" if low is None or high is None else f" ({price(low)} to {price(high)})"
    last = f"{price(bar['close'])}{spread}"
    if bar["close"] is None:
        return last
    if row is None or row["ret"] is None:
        return f"{last}, no close one session before"
    beside = "" if row["ret_z"] is None else f", {times(row['ret_z'])} its usual move"
    return f"{last}, {percent(100 * row['ret'])}{beside}"


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
        return "not in any digest stored here"
    said = [f"{f.session} {times(f.ratio)} ({f.label}, #{f.rank})" for f in flags]
    return "; ".join(said)


def _standing(row: Mapping[str, Any], rule: Rule) -> str:
    if row["alertable"]:
        ratio = times(math.exp(row["dev"]))
        again = ", a repeat of the last sessions" if row["continuing"] else ""
        return f"unlike itself, {row['feature']} {ratio} expected{again}"
    failed = [g for g in _gates(row, rule) if g[0] == FAIL]
    return f"not flagged: {failed[0][1]} {failed[0][2]}" if failed else "nothing unusual"


def why(row: Mapping[str, Any], rule: Rule, place: str, series: Series, note: str) -> Message:
    """The waterfall: each gate with the number it saw, in the order in which they are asked.

    `place`: what became of the row in the digest ("line 3 of 7", "folded", ...); empty if nothing.
    """
    gates = _gates(row, rule)
    failed = next((f"{name} {seen}" for mark, name, seen in gates if mark == FAIL), None)
    ticker, session = row["ticker"], row["session"]
    was = f"was flagged ({place})" if failed is None else f"was not flagged: {failed}"
    return Message(
        title=f"Why {ticker} · {day(session)}",
        lead=f"{ticker} {was}.",
        banners=(note,) if note else (),
        rows=tuple(Row(f"{mark} {name}: {seen}") for mark, name, seen in gates),
        footer=(f"settings {rule.stamp()}; ✔ passed, ✘ stopped here, · not decisive",),
        stamp=stamp(series),
    )


def _gates(row: Mapping[str, Any], rule: Rule) -> list[tuple[str, str, str]]:
    n, adv, trades = row["sessions_seen"], row["adv"], row["transactions"]
    usual_trades = None if row["dev_trades"] is None else trades / math.exp(row["dev_trades"])
    usual = "unknown" if usual_trades is None else count(usual_trades)
    seen = [
        ("kind", row["pass_kind"], row["kind"]),
        ("history", row["pass_history"], f"{n:.0f} sessions, {rule.min_sessions} needed"),
        ("usual dollar volume", row["pass_adv"],
         f"{usd(adv)} a day, floor {usd(rule.min_adv_usd)}"),
        ("close", row["pass_close"],
         f"{price(row['close'])}, floor {price(rule.min_close_usd)}"),
        ("dollar volume", row["pass_dollars"],
         f"{usd(row['dollar_volume'])}, floor {usd(rule.min_dollar_volume_usd)}"),
        ("trades", row["pass_trades"],
         f"{'not counted' if trades is None else count(trades)}, floor {rule.min_transactions}"),
        ("usual trades", row["pass_usual_trades"],
         f"{usual}, floor {rule.min_usual_transactions:.0f}"),
    ]  # fmt: skip
    gates = [(PASS if ok else FAIL, name, said) for name, ok, said in seen]
    return [*gates, *_score_gates(row, rule)]


def _score_gates(row: Mapping[str, Any], rule: Rule) -> list[tuple[str, str, str]]:
    if row["z"] is None:
        return []
    lines = []
    for feature in ("volume", "trades"):
        z, dev = row[f"z_{feature}"], row[f"dev_{feature}"]
        if z is None:
            continue
        ratio, market = math.exp(dev), math.exp(row[f"m_{feature}"])
        # z is linear in the log ratio, so the cut's ratio follows from today's.
        needed = f", {times(math.exp(dev / z * rule.min_z))} needed" if z > 0 else ""
        lines.append(
            (SKIP, feature, f"{times(ratio)} expected (market {times(market)}), z {z:.1f}{needed}")
        )
    passed = row["z"] >= rule.min_z
    lines.append((PASS if passed else FAIL, "score", f"z {row['z']:.1f}, cut {rule.min_z:g}"))
    if row["ret_z"] is not None:
        moved = f"{percent(100 * row['ret'])}, {times(row['ret_z'])} its usual move"
        if row["gap_z"] is not None and row["gap_z"] > row["ret_z"]:
            moved += f"; opened {percent(100 * row['gap'])}, {times(row['gap_z'])} its usual gap"
        lines.append((SKIP, "price", f"{moved}; ranked by {row['score']:.1f}"))
    if row["continuing"]:
        lines.append((FAIL, "repeat", f"flagged {row['repeats']}x in the last 5 sessions: folded"))
    if row["suspected"] is not None:
        said = f"about {row['suspected']} on {row['suspected_on']}: held back, and listed"
        lines.append((FAIL, "possible unreported split", said))
    if row["split"] is not None:
        lines.append((FAIL, "corporate action", f"split {row['split']} today: listed, not ranked"))
    return lines


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
