"""What watched names did in one session, whether they are lines of its digest or not. Pure."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from alerts.clicks import card, names_menu
from alerts.message import DISCLAIMER, explain, flagged, in_sections, of_volume, stamp, where
from alerts.model import Action, Detail, Message, Report, Row, Section
from alerts.why import stopped, waterfall
from alerts.words import beside, day, percent, some, times
from core.anomaly import Anomaly, Rule
from core.bars import Series

_LEAD_NAMES = 3
_ROW = Mapping[str, Any]


class State(StrEnum):
    """Five things a name can have done; each is another answer."""

    FLAGGED = "Flagged"
    BELOW = "Below the cut"
    FLOORED = "Under a floor: not judged"
    NEW = "Without a baseline yet"
    ABSENT = "Did not trade"


@dataclass(frozen=True, slots=True)
class Seen:
    """One watched name and what it did."""

    ticker: str
    state: State
    said: str
    """In words, without its ticker."""
    place: str = ""
    """What became of it in the digest here; empty if nothing."""
    anomaly: Anomaly | None = None
    z: float | None = None
    own: bool = True
    """Is it on the asker's list, or only on their channel's?"""


def look(
    ticker: str,
    row: _ROW | None,
    anomaly: Anomaly | None,
    place: str,
    rule: Rule,
    series: Series,
    *,
    own: bool = True,
    detail: Detail = Detail.FULL,
) -> Seen:
    """One name, by its row of core.detect.score and, if it was flagged, its anomaly."""
    if anomaly is not None:
        return Seen(ticker, State.FLAGGED, flagged(anomaly), place, anomaly, anomaly.z, own)
    if row is None:
        return Seen(ticker, State.ABSENT, "no trade", place, own=own)
    state, said = _quiet(row, rule, series, detail)
    return Seen(ticker, state, said, place, z=row["z"], own=own)


def _quiet(row: _ROW, rule: Rule, series: Series, detail: Detail) -> tuple[State, str]:
    moved = "" if row["ret"] is None else f"{percent(100 * row['ret'])} · "
    if row["eligible"]:
        off = of_volume(series.scope)
        multiple = f"{times(math.exp(row['dev']))} expected {off}{row['feature']}"
        z = beside(row["z"], rule.min_z).replace("-", "−")
        return State.BELOW, f"{moved}{multiple}, z {z}; cut {rule.min_z:g}"
    if row["pass_kind"] and not row["pass_history"]:
        seen = row["sessions_seen"] or 0
        needed = f"{seen:.0f} of {rule.min_sessions} sessions"
        return State.NEW, needed if seen < rule.min_sessions else "its usual cannot be told"
    floored = stopped(waterfall(row, rule, series, detail=detail))
    return State.FLOORED, floored or "not judged"


def places(report: Report) -> dict[str, str]:
    """What became of each name in a digest: "line 3 of 7", "past the cap", ..."""
    elsewhere = {
        "muted here": report.muted,
        "past the cap of the digest": report.beyond,
        "still elevated: folded as a repeat": report.folded,
        "listed as a corporate action": report.suppressed,
        "held back as a possible unreported split": report.suspected,
    }
    found = {a.ticker: said for said, names in elsewhere.items() for a in names}
    lines = in_sections(report.pushed)
    return found | {a.ticker: f"line {n} of {len(lines)}" for n, a in enumerate(lines, 1)}


def watch_view(
    seen: Sequence[Seen],
    muted: Collection[str],
    session: date,
    series: Series,
    notes: Sequence[str] = (),
    by: str = "",
    detail: Detail = Detail.FULL,
) -> Message:
    """My watchlist: one person's names in one session, loudest first; `muted` ones are counted.

    `by`: what the same can be made again by.
    """
    shown = sorted((s for s in seen if s.ticker not in muted), key=_loudness)
    options = [Action(s.ticker, card(s.ticker, session), s.state.lower()) for s in shown]
    rows = {state: [s for s in shown if s.state is state] for state in State}
    quiet = [state for state in State if state is not State.FLAGGED and rows[state]]
    return Message(
        title=f"My watchlist · {day(session)}{where(series)}",
        lead=f"{day(session)}{where(series)}: {_summary(shown)}.",
        context=(by,) if by else (),
        banners=tuple(notes),
        rows=tuple(_flagged_row(s, detail) for s in rows[State.FLAGGED]),
        sections=tuple(Section(state, _rows(rows[state], _quiet_row)) for state in quiet),
        footer=_footer(shown, len(seen) - len(shown)),
        stamp=stamp(series),
        menus=names_menu("Open a name…", options),
    )


def watchlist(
    title: str, seen: Sequence[Seen], session: date, series: Series, notes: Sequence[str] = ()
) -> Message:
    """A list, each name with a word on the session."""
    return Message(
        title=title,
        lead=f"{day(session)}{where(series)}: {_summary(seen)}.",
        banners=tuple(notes),
        rows=_rows(seen, _word),
        footer=(f"/anomalies {session} mine shows how they traded", DISCLAIMER),
        stamp=stamp(series),
        actions=(Action("How they traded", f"anomalies {session} mine"),),
    )


def _loudness(seen: Seen) -> tuple[float, str]:
    by = seen.anomaly.score if seen.anomaly else seen.z
    return -(by if by is not None else -math.inf), seen.ticker


def _rows(seen: Sequence[Seen], row: Callable[[Seen], str]) -> tuple[Row, ...]:
    return tuple(Row(row(s)) for s in seen)


def _flagged_row(seen: Seen, detail: Detail) -> Row:
    said = explain(seen.anomaly, detail) if seen.anomaly else seen.said
    place = seen.place or "not a line of the digest here"
    return Row(said, (f"{place}{_whose(seen)}",))


def _quiet_row(seen: Seen) -> str:
    place = f" · {seen.place}" if seen.place else ""
    return f"{seen.ticker}  {seen.said}{place}{_whose(seen)}"


def _whose(seen: Seen) -> str:
    return "" if seen.own else " · on this channel's list"


def _word(seen: Seen) -> str:
    """The state in a word or two."""
    if seen.state is State.FLAGGED:
        return f"{seen.ticker}  flagged, {seen.said}: {seen.place or 'not a line here'}"
    return f"{seen.ticker}  {seen.state.lower()}"


def _summary(shown: Sequence[Seen]) -> str:
    if not shown:
        return "every watched name is muted in your own view"
    loud = [s for s in shown if s.anomaly is not None]
    named = [f"{s.ticker} {s.said} {percent(s.anomaly.ret_pct)}" for s in loud if s.anomaly]
    watched = some(len(shown), "watched name")
    if not loud:
        return f"none of {watched} flagged"
    more = f" and {len(named) - _LEAD_NAMES} more" if len(named) > _LEAD_NAMES else ""
    return f"{len(loud)} of {watched} flagged: {', '.join(named[:_LEAD_NAMES])}{more}"


def _footer(shown: Sequence[Seen], muted: int) -> tuple[str, ...]:
    said = [f"{some(muted, 'name')} muted in your own view: /mutes"] if muted else []
    if any(s.state is not State.FLAGGED for s in shown):
        said.append("/why TICKER shows every gate")
    return (*said, DISCLAIMER)
