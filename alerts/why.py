"""`/why`: every gate, and every step from what was traded to the rank, in that order. Pure."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from alerts.message import of_volume, stamp, where
from alerts.model import Detail, Message, Row
from alerts.words import beside, count, day, percent, price, share, some, times, usd
from core.anomaly import Rule
from core.bars import Series
from core.baseline import LEVEL_SESSIONS
from core.labels import OFF_EXCHANGE_SHIFT

PASS, FAIL, SKIP = "✔", "✘", "·"
Step = tuple[str, str, str]
"""Mark, name, what was seen."""


def why(
    row: Mapping[str, Any],
    rule: Rule,
    place: str,
    series: Series,
    note: str,
    settings: str = "unknown",
    *,
    pushed: bool = False,
    detail: Detail = Detail.FULL,
) -> Message:
    """The waterfall of one ticker's line of core.detect.score.

    `place`: what became of it in the digest ("line 3 of 7", "folded", ...); empty if nothing.
    `settings`: alerts.model.Report has them. `pushed`: it is a line there, so no repeat was folded.
    """
    steps = waterfall(row, rule, series, pushed=pushed, detail=detail)
    failed = stopped(steps)
    ticker, session = row["ticker"], row["session"]
    was = f"was flagged ({place})" if failed is None else f"was not flagged: {failed}"
    return Message(
        title=f"Why {ticker} · {day(session)}{where(series)}",
        lead=f"{ticker} {was}.",
        banners=(note,) if note else (),
        rows=tuple(Row(f"{mark} {name}: {seen}") for mark, name, seen in steps),
        footer=(f"settings {settings}; ✔ passed, ✘ stopped here, · not decisive",),
        stamp=stamp(series),
    )


def stopped(steps: list[Step]) -> str | None:
    """What stopped it first; None if nothing did."""
    return next((f"{name} {seen}" for mark, name, seen in steps if mark == FAIL), None)


def waterfall(
    row: Mapping[str, Any],
    rule: Rule,
    series: Series,
    *,
    pushed: bool = False,
    detail: Detail = Detail.FULL,
) -> list[Step]:
    """The gates, then the number: traded, expected, spread, cut, share, price, rank, label."""
    off = of_volume(series.scope)
    steps = _gates(row, rule, off, detail)
    if row["z"] is None:
        return steps
    for feature in ("volume", "trades"):
        steps += _feature(row, feature, rule, off, detail)
    passed, under = row["z"] >= rule.min_z, SKIP if row["shifted"] else FAIL
    score = f"z {beside(row['z'], rule.min_z)}, cut {rule.min_z:g}"
    steps.append((PASS if passed else under, "score", score))
    return [
        *steps,
        *_rarity(row),
        *_share_gates(row, rule, detail),
        *_rank(row),
        *_held(row, pushed=pushed),
    ]


def _gates(row: Mapping[str, Any], rule: Rule, off: str, detail: Detail) -> list[Step]:
    n, adv, trades = row["sessions_seen"], row["adv"], row["transactions"]
    usual_trades = None if row["dev_trades"] is None else trades / math.exp(row["dev_trades"])
    history = f"{n:.0f} sessions, {rule.min_sessions} needed"
    if n < rule.min_sessions:
        history = f"no baseline yet ({n:.0f} of {rule.min_sessions} sessions)"
    seen = [
        ("kind", row["pass_kind"], row["kind"]),
        ("history", row["pass_history"], history),
        (f"usual {off}dollar volume", row["pass_adv"],
         _dollars(adv, rule.min_adv_usd, detail, " a day")),
        ("close", row["pass_close"],
         _floored(row["close"], rule.min_close_usd, detail, price, "${:,.4f}".format)),
        (f"{off}dollar volume", row["pass_dollars"],
         _dollars(row["dollar_volume"], rule.min_dollar_volume_usd, detail)),
        (f"{off}trades", row["pass_trades"],
         _trades(trades, rule.min_transactions, detail)),
        (f"usual {off}trades", row["pass_usual_trades"],
         _floored(usual_trades, rule.min_usual_transactions, detail, count, "{:.1f}".format)),
    ]  # fmt: skip
    return [(PASS if ok else FAIL, name, said) for name, ok, said in seen]


def _feature(
    row: Mapping[str, Any], feature: str, rule: Rule, off: str, detail: Detail
) -> list[Step]:
    z, dev, m = (row[f"{number}_{feature}"] for number in ("z", "dev", "m"))
    if z is None:
        return []
    value = row["transactions" if feature == "trades" else "volume"]
    median, market = f"median of {LEVEL_SESSIONS} sessions", f"× market {math.exp(m):.2f}"
    expected, seen = f"{median}, {market}", f"{times(math.exp(dev))} expected"
    if detail.raw:
        usual = f"{count(value / math.exp(dev + m))}, {median}"
        expected = f"{usual}, {market} = {count(value / math.exp(dev))} expected"
        seen = f"{count(value)}, {seen}"
    # z is linear in the log ratio: one z, and the cut, as ratios.
    one = f"; one z is {math.exp(dev / z):.2f}×" if z else ""
    needed = f", {times(math.exp(dev / z * rule.min_z))} needed" if z > 0 else ""
    return [
        (SKIP, f"usual {off}{feature}", expected),
        (SKIP, f"{off}{feature}", f"{seen}, z {beside(z, rule.min_z)}{one}{needed}"),
    ]


def _rarity(row: Mapping[str, Any]) -> list[Step]:
    if row["pool"] is None:
        return []
    days = some(row["pool"], "ticker-day")
    seen = f"{row['exceeding']:,} of {days} of names this liquid ({row['bucket']}) were as far out"
    return [(SKIP, "rarity", f"{seen} in the sessions before")]


def _rank(row: Mapping[str, Any]) -> list[Step]:
    steps = []
    if row["ret_z"] is not None:
        own = f"{times(row['ret_z'])} its usual move, without the market's part"
        moved = f"{percent(100 * row['ret'])}, {own}"
        if row["gap_z"] is not None and row["gap_z"] > row["ret_z"]:
            moved += f"; opened {percent(100 * row['gap'])}, {times(row['gap_z'])} its usual gap"
        steps.append((SKIP, "price", moved))
    if row["score"] is not None:
        own = row["score"] - row["price_score"]
        parts = f"{own:.1f} + {row['price_score']:.1f} for the price"
        steps.append((SKIP, "ranked by", f"{parts} = {row['score']:.1f}; {row['label']}"))
    return steps


def _held(row: Mapping[str, Any], *, pushed: bool) -> list[Step]:
    """What keeps a flagged name out of the list."""
    steps = []
    if row["continuing"]:
        seen = f"flagged {row['repeats']}x in the last 5 sessions"
        folded = (SKIP, seen) if pushed else (FAIL, f"{seen}: folded")
        steps.append((folded[0], "repeat", folded[1]))
    if row["suspected"] is not None:
        said = f"about {row['suspected']} on {row['suspected_on']}: held back, and listed"
        steps.append((FAIL, "possible unreported split", said))
    if row["split"] is not None:
        steps.append((FAIL, "corporate action", f"split {row['split']} today: listed, not ranked"))
    return steps


def _share_gates(row: Mapping[str, Any], rule: Rule, detail: Detail) -> list[Step]:
    """The conditions of the alert on the share: one that is not met stops nothing else."""
    if row["z_share"] is None:
        return []
    trades, close = row["off_transactions"], row["close"]
    dollars = None if close is None else row["off_volume"] * close
    said = (
        f"{share(row['share'], row['usual_share'])}, z {beside(row['z_share'], rule.min_share_z)}"
    )
    seen = [
        ("share", "off-exchange share", f"{said}, {rule.min_share_z:g} needed"),
        ("volume", "off-exchange volume",
         f"z {_z(row['z_off_volume'], rule.min_off_volume_z)}, {rule.min_off_volume_z:g} needed"),
        ("dollars", "off-exchange dollars",
         _dollars(dollars, rule.min_off_dollar_volume_usd, detail)),
        ("trades", "off-exchange trades", _trades(trades, rule.min_off_transactions, detail)),
        ("history", "history of the share",
         f"{row['n_share']:.0f} sessions, {rule.min_share_sessions} needed"),
    ]  # fmt: skip
    marks = [PASS if row[f"shift_{met}"] else SKIP for met, _, _ in seen]
    lines = [(mark, name, number) for mark, (_, name, number) in zip(marks, seen, strict=True)]
    met = f"{marks.count(PASS)} of {len(marks)} conditions"
    return [(PASS if row["shifted"] else SKIP, OFF_EXCHANGE_SHIFT, met), *lines]


def _z(value: float | None, least: float) -> str:
    return "unknown" if value is None else beside(value, least)


def _trades(value: float | None, floor: float, detail: Detail) -> str:
    if value is None:
        return f"not counted, floor {count(floor)}"
    return f"{count(value)}, floor {count(floor)}" if detail.raw else _side(value, floor, count)


def _dollars(value: float | None, floor: float, detail: Detail, each: str = "") -> str:
    return _floored(value, floor, detail, usd, "${:,.0f}".format, each=each)


def _side(value: float, floor: float, spell: Callable[[float], str], each: str = "") -> str:
    return f"{'not under' if value >= floor else 'under'} the floor of {spell(floor)}{each}"


def _floored(
    value: float | None,
    floor: float,
    detail: Detail,
    *spelled: Callable[[float], str],
    each: str = "",
) -> str:
    """Both spelled the first way in which what is under the floor does not read as at it."""
    if value is None:
        none = "no price" if spelled[0] is price else "unknown"
        return f"{none}{each}, floor {spelled[0](floor)}"
    if not detail.raw:
        return _side(value, floor, spelled[0], each)
    for spell in spelled:
        if value >= floor or spell(value) != spell(floor):
            return f"{spell(value)}{each}, floor {spell(floor)}"
    return f"{value}{each}, floor {floor}"
