"""What people type -> sessions, tickers, numbers; each way to be wrong has its own sentence."""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from alerts.budget import clipped
from alerts.words import day as words_for
from bot.forms import SESSION
from core.bars import is_ticker
from core.calendar import (
    FIRST_DAY,
    NEW_YORK,
    TradingDay,
    closed_because,
    last_complete,
    on_or_before,
    sessions,
)
from core.errors import CommandError
from core.ledger import Entry, Status
from core.renames import Rename

_SUGGESTIONS = 3
MONTH_SESSIONS = 21
_NEWEST_WORDS = {"", "today", "latest", "newest", "last"}
_SUCH = "use today, or one like 2026-11-20"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LABEL = re.compile(
    r"(?<![^\s:])(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?[\s_]+)?"
    r"(\d{1,2}[\s_]+[a-z]{3}[\s_]+\d{4})(?!\S)",
    re.IGNORECASE | re.ASCII,
)
"""As alerts.words.day() says a date."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The session somebody meant, and what has to be said about the choice."""

    day: TradingDay
    notes: tuple[str, ...] = ()


class Known(Protocol):
    """What is stored: a ledger, or the ladder of several."""

    async def span(self) -> tuple[date, date] | None:
        """The first and the last session stored."""

    async def entry(self, day: TradingDay) -> Entry | None:
        """The line of a session."""

    async def is_lost(self, day: TradingDay) -> bool:
        """Are the bars gone of a session that is stored?"""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Turns what was typed into a session whose bars are stored."""

    ledger: Known
    now: Callable[[], datetime]

    async def resolve(self, text: str | None) -> Chosen:
        """Raises CommandError with the one sentence that fits."""
        span = await self.ledger.span()
        if span is None:
            raise CommandError(
                "There is no data yet: `python -m bot once` reads the newest session, and"
                " `python -m bot backfill FROM TO` a span of them"
            )
        if _meant(text or "").lower() in _NEWEST_WORDS:
            chosen = await self._newest(span[1])
        else:
            chosen = await self._dated(self.typed(text or ""), span)
        if await self.ledger.is_lost(day := chosen.day):
            raise CommandError(
                f"The bars of {day} were stored and are gone, or were damaged: /backfill run {day}"
                f" {day} reads them again"
            )
        return chosen

    def typed(self, text: str) -> date:
        """A typed date, `today` for the newest session; CommandError if it is none or too late."""
        newest = last_complete(self.now())
        if _meant(text).lower() in _NEWEST_WORDS:
            return newest.date
        wanted = parse_date(_meant(text))
        if wanted > self.now().astimezone(NEW_YORK).date():
            raise CommandError(f"{wanted} is in the future; the newest session is {newest}")
        if wanted < FIRST_DAY:
            raise CommandError(f"{wanted} is before the vendor's data, which begins on {FIRST_DAY}")
        return wanted

    def session(self, text: str) -> TradingDay:
        """A typed date that has to be a finished session."""
        wanted = self.typed(text)
        if reason := closed_because(wanted):
            before = on_or_before(wanted)
            raise CommandError(f"{wanted} is {reason}; the session before it is {before}")
        day = on_or_before(wanted)
        if day > last_complete(self.now()):
            raise CommandError(_not_over(day, last_complete(self.now())))
        return day

    async def _newest(self, stored: date) -> Chosen:
        expected, newest = last_complete(self.now()), on_or_before(stored)
        if newest >= expected:
            return Chosen(newest)
        entry = await self.ledger.entry(expected)
        why = f" ({_state(entry)})" if entry else ""
        said = f"{words_for(expected.date)} is not in yet{why}; this is {words_for(newest.date)}."
        return Chosen(newest, (said,))

    async def _dated(self, wanted: date, span: tuple[date, date]) -> Chosen:
        newest = last_complete(self.now())
        day, notes = on_or_before(wanted), tuple[str, ...]()
        if day.date != wanted:
            reason = closed_because(wanted)
            notes = (f"{wanted} is {reason}; this is the session before, {words_for(day.date)}.",)
        if day > newest:
            raise CommandError(_not_over(day, newest))
        entry = await self.ledger.entry(day)
        if entry is not None and entry.revision > 0:
            return Chosen(day, notes)
        raise CommandError(" ".join((*notes, _missing(day, entry, span))))


def _meant(text: str) -> str:
    """`session:today` as Discord shows it, and `today`, are the same."""
    plain = text.strip()
    return plain[len(SESSION) :] if plain.lower().startswith(SESSION) else plain


def _not_over(day: TradingDay, newest: TradingDay) -> str:
    end = f"{day.tape_end:%H:%M} New York"
    return f"{day} is not over: extended hours run until {end}; the newest session is {newest}"


def _missing(day: TradingDay, entry: Entry | None, span: tuple[date, date]) -> str:
    if entry is not None:
        return f"{day} is not stored: {_state(entry)}"
    fetch = f"`python -m bot backfill {day} {day}` fetches it"
    if day.date < span[0]:
        return f"{day} is before the data stored here: it begins on {span[0]}; {fetch}"
    return f"{day} is not stored yet; {fetch}"


def _state(entry: Entry) -> str:
    if entry.status is Status.HELD:
        return f"held by the gate: {entry.note}"
    return f"no source has it: {entry.note}"


def span(first: str, last: str | None, here: Sessions) -> list[TradingDay]:
    """The sessions of a typed span; CommandError if there is none."""
    start, end = here.typed(first), here.typed(last or first)
    if end < start:
        raise CommandError(f"{end} is before {start}: FROM comes first")
    found = [d for d in sessions(start, end) if d <= last_complete(here.now())]
    if not found:
        raise CommandError(f"there is no finished session from {start} to {end}")
    return found


def parse_date(text: str) -> date:
    """YYYY-MM-DD, or as we say dates ourselves; CommandError otherwise."""
    found = _date(text)
    if found is None:
        raise CommandError(f"{clipped(text, 40)!r} is no date: {_SUCH}")
    return found


def date_or_number(text: str, most: int, usage: str) -> str | int:
    """What Sessions.resolve() reads, or a number of sessions from 2 to `most`."""
    if text.lower().startswith(SESSION) or text.lower() in _NEWEST_WORDS or _date(text):
        return text
    if is_short_number(text, most):
        return whole(text, most, usage)
    raise CommandError(
        f"{clipped(text, 40)!r} is neither a number of sessions from 2 to {most} nor a date:"
        f" {_SUCH}. {usage}"
    )


def dated(words: Sequence[str], after: int = 0) -> tuple[str, ...]:
    """With `Fri 27 Nov 2026` as one word, which parse_date() reads; the words before `after` may
    be tickers, and are left as they are."""
    text = _LABEL.sub(lambda found: found[0].replace(" ", "_"), " ".join(words[after:]))
    return (*words[:after], *text.split())


def begins_date(word: str) -> bool:
    """Is it the first word of a date or of one of the words for it, whatever stands behind it?"""
    plain = word.strip().lower()
    day = plain.removesuffix(",")
    is_day = len(day) > 2 and any(name.startswith(day) for name in _WEEKDAYS)
    return is_day or plain[:1].isdigit() or _meant(plain) != plain or plain in _NEWEST_WORDS


def _date(text: str) -> date | None:
    plain = text.strip().replace("/", "-")
    try:
        if label := _LABEL.fullmatch(plain):
            said = " ".join(re.split(r"[\s_]+", label[1]))
            return datetime.strptime(f"{said} +0000", "%d %b %Y %z").date()
        return date.fromisoformat(plain)
    except ValueError:
        return None


def find_ticker(typed: str, known: AbstractSet[str], usage: str, *, suggest: bool = True) -> str:
    """The ticker as published: as typed, else upper case; CommandError that suggests near ones.

    A suggestion is a search through all names, too long for the event loop.
    """
    text = typed.strip().removeprefix("$")
    if not text:
        raise CommandError(f"Which ticker? {usage}")
    for candidate in (text, text.upper()):
        if candidate in known:
            return candidate
    if not is_ticker(text):
        raise CommandError(f"{clipped(text, 40)!r} cannot be a ticker. {usage}")
    folded = {name.upper(): name for name in sorted(known)} if suggest else {}
    near = difflib.get_close_matches(text.upper(), folded, _SUGGESTIONS, 0.6)
    hint = f"; near it: {', '.join(folded[n] for n in near)}" if near else ""
    raise CommandError(f"{text} is not a ticker in the sessions stored here{hint}")


def current(typed: str, known: AbstractSet[str], renames: Iterable[Rename]) -> tuple[str, str]:
    """What is typed, or what that ticker is called now, and what to say of it; for find_ticker."""
    text = typed.strip().removeprefix("$")
    for candidate in (text, text.upper()):
        now = next((r for r in renames if r.old == candidate and candidate not in known), None)
        if now is not None:
            return now.new, f"{now.old} is called {now.new} since {now.on}."
    return typed, ""


def is_short_number(text: str, most: int) -> bool:
    """Digits, and no more of them than `most` has: Python refuses to read thousands."""
    return text.isascii() and text.isdigit() and len(text) <= len(str(most))


def whole(text: str, most: int, usage: str) -> int:
    """A whole number from 2 to `most`."""
    if not is_short_number(text, most) or not 2 <= int(text) <= most:
        raise CommandError(
            f"{clipped(text, 40)!r} should be a number of sessions from 2 to {most}. {usage}"
        )
    return int(text)


def span_sessions(text: str, usage: str) -> int:
    """Months from `1m` to `12m`, or sessions as a number -> sessions."""
    most = 12 * MONTH_SESSIONS
    match = re.fullmatch(r"(\d{1,3})(m?)", text.lower(), re.ASCII)
    count = int(match[1]) * (MONTH_SESSIONS if match[2] else 1) if match else 0
    if not 2 <= count <= most:
        raise CommandError(
            f"{clipped(text, 40)!r} should be months from 1m to 12m, or a number of sessions"
            f" from 2 to {most}. {usage}"
        )
    return count


def no_more_than(words: Sequence[str], most: int, usage: str) -> None:
    """Refuse words nobody will read."""
    if len(words) > most:
        raise CommandError(f"{clipped(' '.join(words[most:]), 40)!r} is one word too many. {usage}")
