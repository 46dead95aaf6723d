"""What a reader sees of mutes: the confirmation of one, and the list of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from alerts.clicks import names_menu
from alerts.message import DISCLAIMER
from alerts.model import Action, Message, Row, Section
from alerts.mutes import Mute, session_after, sessions_between
from alerts.words import day, listed, some
from core.anomaly import Anomaly

_NAMES = 6


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a mute would have hidden of the sessions that could be looked at."""

    lines: tuple[Anomaly, ...]
    """Oldest first."""
    looked_at: int
    wanted: int

    def __str__(self) -> str:
        """3 lines in the last 20 sessions: NVDA 24 Nov, ..."""
        if not self.looked_at:
            return f"unknown: none of the last {self.wanted} sessions can be looked at yet"
        which = f"the last {self.wanted} sessions"
        if self.looked_at < self.wanted:
            which = f"the {self.looked_at} of {which} that have enough sessions before them"
        names = [f"{a.ticker} {a.session.day} {a.session:%b}" for a in reversed(self.lines)]
        said = f"{some(len(names), 'line')} in {which}" if names else f"no line in {which}"
        return f"{said}: {listed(names, _NAMES)}" if names else said


def muted(
    one: Mute, replaced: Mute | None, hidden: Hidden, notes: Sequence[str], stamp: str
) -> Message:
    """The confirmation."""
    whose = "in your own view (/anomalies mine)" if _is_own(one) else "in this channel"
    before = [f"it replaces mute {replaced.id} ({replaced.left(one.since)})"] if replaced else []
    return Message(
        title=f"Muted · {one.what}",
        lead=f"{one.what} is muted {whose} {ends(one)}.",
        banners=(*notes, *before),
        facts=(
            ("would have hidden", str(hidden)),
            ("from", f"the session after {day(one.since)}; what was said stays"),
            ("because", one.why or "no reason given"),
        ),
        footer=(f"/mutes lists all; /mutes end {one.id} ends this one", DISCLAIMER),
        stamp=stamp,
        actions=(Action("Undo", f"mutes end {one.id}"), Action("All mutes", "mutes")),
    )


def _ending(one: Mute) -> Action:
    return Action(f"{one.id}. {one.what}", f"mutes end {one.id}")


def ends(one: Mute) -> str:
    """For the next 5 sessions, through Fri 4 Dec 2026, or ..."""
    said = []
    if one.sessions is not None:
        many = "session" if one.sessions == 1 else f"{one.sessions} sessions"
        said.append(f"for the next {many}, through {day(session_after(one.since, one.sessions))}")
    if one.until is not None:
        count = some(sessions_between(one.since, one.until), "session")
        said.append(f"through {day(one.until)} ({count})")
    if one.score is not None:
        said.append(f"until its score reaches {2 * one.score:.1f}, twice that of {day(one.since)}")
    first = ", whichever comes first" if len(said) > 1 else ""
    return f"{'; or '.join(said)}{first}"


def mutes_card(here: Sequence[Mute], own: Sequence[Mute], newest: date, stamp: str) -> Message:
    """Active ones of the channel and of the asker, and those that are over."""
    active = [[m for m in mutes if m.active(newest)] for mutes in (here, own)]
    over = [m for m in (*here, *own) if not m.active(newest)]
    sections = [
        Section("This channel", tuple(_row(m, newest) for m in active[0])),
        Section("Yours alone", tuple(_row(m, newest) for m in active[1])),
        Section("Over", tuple(_over_row(m) for m in over)),
    ]
    many = [some(len(mutes), "mute") for mutes in active]
    lead = f"{many[0]} in this channel, {many[1]} of your own, after {day(newest)}."
    if not any(active):
        lead = "Nothing is muted in this channel or in your own view; /mute TICKER 5 mutes one."
    return Message(
        title="Mutes",
        lead=lead,
        sections=tuple(section for section in sections if section.rows),
        footer=(*(["/mutes end NUMBER ends one"] if any(active) else []), DISCLAIMER),
        stamp=stamp,
        menus=names_menu("End a mute", [_ending(m) for mutes in active for m in mutes]),
    )


def ended(one: Mute, newest: date, stamp: str) -> Message:
    """The confirmation that a person ended one."""
    whose = "in your own view" if _is_own(one) else "in this channel"
    return Message(
        title=f"Mute {one.id} is over",
        lead=f"{one.what} is told {whose} again, from the session after {day(newest)} on.",
        facts=(("was set", _set(one)), ("had left", one.left(newest))),
        footer=("/mutes lists the others",),
        stamp=stamp,
    )


def _is_own(one: Mute) -> bool:
    return ":@" in one.owner


def _row(one: Mute, newest: date) -> Row:
    return Row(f"{one.id}. {one.what} · {one.left(newest)}", (_set(one),))


def _over_row(one: Mute) -> Row:
    whose = "yours" if _is_own(one) else "this channel's"
    by = (
        f"ended by {one.ended_by} after {one.ended_on}"
        if one.ended_by
        else f"held to {one.through}"
    )
    if one.ended_on is not None and one.over(one.ended_on):
        by = f"ended on {one.ended_on}: {one.term}"
    return Row(f"{one.id}. {one.what} ({whose}) · {by}", (_set(one),))


def _set(one: Mute) -> str:
    why = f" · because {one.why}" if one.why else ""
    return f"by {one.set_by} on {one.set_at[:10]}, from the session after {day(one.since)}{why}"
