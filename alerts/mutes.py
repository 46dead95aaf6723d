"""Silence asked for, counted in sessions: what it hides, and when it is over.

Whether a mute holds for a session follows from the mute alone. What ends it is put on record by
the session that is said first without it (`settled`), so that its end is said once, whatever
sessions are skipped, republished or said out of order.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cache

from alerts.reads import Rows
from alerts.words import day as words_for
from alerts.words import some
from core.anomaly import Anomaly
from core.calendar import is_session
from core.db import Connection, Db, Row, Value, insert
from core.judged import Judged
from core.labels import CORPORATE_ACTION, OFF_EXCHANGE_SHIFT

DOUBLED, TERM = "its score", "its term"
"""`ended_by` of mutes that no person ended."""


@dataclass(frozen=True, slots=True)
class Mute:
    """One mute of a channel or, for their own view, of a person."""

    id: int
    owner: str
    kind: str
    """ticker, label or rule."""
    value: str
    since: date
    """The session that was the newest when it was set."""
    sessions: int | None
    """It holds for so many sessions after that one."""
    until: date | None
    """Or up to this session."""
    score: float | None
    """Or until a score of twice this."""
    why: str
    set_by: str
    set_at: str
    ended_on: date | None = None
    """The session that was the first without it or, if a person ended it, the newest one then."""
    ended_by: str | None = None

    @property
    def what(self) -> str:
        """What is muted, in words."""
        return self.value if self.kind == "ticker" else f"{self.kind} “{self.value}”"

    @property
    def through(self) -> date | None:
        """The last session it can hold for; None if only a score ends it."""
        last = [] if self.sessions is None else [session_after(self.since, self.sessions)]
        return min([*last, *([self.until] if self.until else [])], default=None)

    def matches(self, anomaly: Anomaly) -> bool:
        """Is it about this line, whenever?"""
        if self.kind == "ticker":
            return anomaly.ticker == self.value
        if self.kind == "label":
            return anomaly.label == self.value
        return rule_of(anomaly) == self.value

    def doubled(self, anomaly: Anomaly) -> bool:
        """Does this line's score end it? That of a split, reported or not, means nothing."""
        if self.score is None or anomaly.suspected or anomaly.label == CORPORATE_ACTION:
            return False
        return self.matches(anomaly) and anomaly.score >= 2 * self.score

    def hides(self, anomaly: Anomaly) -> bool:
        """Would it hide this line, if it held?"""
        return self.matches(anomaly) and not self.doubled(anomaly)

    def holds(self, session: date) -> bool:
        """Is it in force for a session?"""
        if session <= self.since or (self.through is not None and session > self.through):
            return False
        if self.ended_on is None:
            return True
        # What was said before a person ended it stays as it was said.
        by_itself = self.ended_by in (DOUBLED, TERM)
        return session < self.ended_on if by_itself else session <= self.ended_on

    def active(self, newest: date) -> bool:
        """Will it hide anything after the newest session?"""
        return self.ended_on is None and (self.through is None or self.through > newest)

    def over(self, session: date) -> str:
        """The line that says its end, for the session it ended with; empty for any other.

        Empty if a person ended it: they were told at once.
        """
        if self.ended_on != session or self.ended_by not in (DOUBLED, TERM):
            return ""
        return f"mute over: {self.what} ({self.term}; set by {self.set_by})"

    @property
    def term(self) -> str:
        """Its end, in words."""
        if self.ended_by == DOUBLED:
            return "its score doubled"
        said = [some(self.sessions, "session")] if self.sessions is not None else []
        said += [f"until {self.until}"] if self.until is not None else []
        said += ["until its score doubles"] if self.score is not None else []
        return " or ".join(said)

    def left(self, newest: date) -> str:
        """What is left of it after the newest session, in words."""
        said = []
        if self.sessions is not None:
            gone = sessions_between(self.since, newest)
            many = some(self.sessions, "session")
            said.append(f"{max(0, self.sessions - gone)} of {many} left")
        if self.until is not None:
            said.append(f"through {words_for(self.until)}")
        if self.score is not None:
            said.append(f"until its score reaches {2 * self.score:.1f}")
        return " or ".join(said)


def rule_of(anomaly: Anomaly) -> str:
    """Which of RULES flagged it."""
    return "off-exchange" if anomaly.label == OFF_EXCHANGE_SHIFT else anomaly.feature


def hides(mutes: Sequence[Mute], anomaly: Anomaly, session: date) -> bool:
    """Is a line of a session muted?"""
    return any(m.holds(session) and m.hides(anomaly) for m in mutes)


def silences(mutes: Sequence[Mute], ticker: str, anomaly: Anomaly | None, session: date) -> bool:
    """Is a name muted in a list of names, whether it was flagged or not?"""
    if anomaly is not None:
        return hides(mutes, anomaly, session)
    return any(m.kind == "ticker" and m.value == ticker and m.holds(session) for m in mutes)


def doubled(mutes: Sequence[Mute], session: date) -> set[str]:
    """Tickers whose score ended a mute with this session: lines of it, even if they are repeats."""
    return {m.value for m in mutes if m.ended_by == DOUBLED and m.ended_on == session}


@cache
def session_after(since: date, count: int) -> date:
    """The `count`-th session after a date."""
    while count > 0:
        since += timedelta(days=1)
        count -= is_session(since)
    return since


def sessions_between(since: date, last: date) -> int:
    """How many sessions after `since` there were up to and with `last`."""
    days = (since + timedelta(days=n) for n in range(1, (last - since).days + 1))
    return sum(map(is_session, days))


async def settled(writer: Connection, judged: Judged) -> Mapping[str, list[Mute]]:
    """Per owner, the mutes as they are for a session that is being said.

    Those that the session ends are put on record as ended with it.
    """
    session, found = judged.session, defaultdict[str, list[Mute]](list)
    for row in await writer.execute_fetchall(
        "SELECT * FROM mutes WHERE ended_on IS NULL OR ended_on >= ? ORDER BY id", (str(session),)
    ):
        one = mute(row)
        if by := _ended(one, judged):
            await _end(writer, one.id, session, by)
            one = replace(one, ended_on=session, ended_by=by)
        found[one.owner].append(one)
    return found


def _ended(one: Mute, judged: Judged) -> str:
    """What of the mute itself ends it with this session; empty if nothing does."""
    if one.ended_on is not None:
        return ""
    if one.through is not None and judged.session > one.through:
        return TERM
    over = one.holds(judged.session) and any(one.doubled(a) for a in judged.anomalies)
    return DOUBLED if over else ""


async def mutes_of(rows: Rows, owners: Collection[str], since: date) -> list[Mute]:
    """All mutes of these owners but those that ended before a date."""
    marks = ", ".join("?" * len(owners))
    found = await rows(
        f"SELECT * FROM mutes WHERE owner IN ({marks})"  # noqa: S608
        " AND (ended_on IS NULL OR ended_on >= ?) ORDER BY id",
        (*owners, str(since)),
    )
    return [mute(row) for row in found]


async def put(db: Db, new: Mute) -> tuple[Mute, Mute | None]:
    """Set a mute, in the place of what its owner muted the same with; `new.id` is given here."""
    async with db.transaction() as writer:
        before = await writer.execute_fetchall(
            "SELECT * FROM mutes WHERE owner = ? AND kind = ? AND value = ? AND ended_on IS NULL",
            (new.owner, new.kind, new.value),
        )
        replaced = [mute(row) for row in before]
        for one in replaced:
            await _end(writer, one.id, new.since, new.set_by)
        row = {key: _value(value) for key, value in asdict(new).items() if key != "id"}
        await insert(writer, "mutes", row)
        (made,) = await writer.execute_fetchall("SELECT last_insert_rowid()")
    return replace(new, id=made[0]), next(iter(replaced), None)


async def end(db: Db, one: Mute, *, who: str, newest: date) -> None:
    """From the session after the newest one on it is over."""
    async with db.transaction() as writer:
        await _end(writer, one.id, newest, who)


async def _end(writer: Connection, number: int, session: date, by: str) -> None:
    await writer.execute(
        "UPDATE mutes SET ended_on = ?, ended_by = ? WHERE id = ? AND ended_on IS NULL",
        (str(session), by, number),
    )


def mute(row: Row) -> Mute:
    """A row of the table."""
    return Mute(
        id=row["id"],
        owner=row["owner"],
        kind=row["kind"],
        value=row["value"],
        since=date.fromisoformat(row["since"]),
        sessions=row["sessions"],
        until=_date(row["until"]),
        score=row["score"],
        why=row["why"],
        set_by=row["set_by"],
        set_at=row["set_at"],
        ended_on=_date(row["ended_on"]),
        ended_by=row["ended_by"],
    )


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _value(value: object) -> Value:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
