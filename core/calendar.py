"""The New York trading calendar: sessions, closes, half days, event days. Knows nothing of data.

Holidays and half days come from the `holidays` package (NYSE); `tests/golden/xnys.csv` holds the
answers of exchange_calendars for 2003-2027 that it is checked against.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import holidays

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY = date(2003, 9, 10)
"""The vendor's first file."""

_CLOSE, _EARLY_CLOSE = time(16), time(13)
_TAPE_AFTER_CLOSE = timedelta(hours=4)


@dataclass(frozen=True, order=True, slots=True)
class TradingDay:
    """One session; only this module makes one."""

    date: date
    close: datetime
    """End of regular hours, aware, New York."""
    early_close: bool

    @property
    def tape_end(self) -> datetime:
        """End of extended hours, four hours after the close: only then can bars be complete."""
        # The wall clock: no session ends on a night when the clocks change.
        return self.close + _TAPE_AFTER_CLOSE

    def __str__(self) -> str:
        return self.date.isoformat()


# Made at import: the package reads its translations from disk, which the event loop must not do.
_YEARS = range(2000, 2041)
_CLOSED = dict(holidays.financial_holidays("NYSE", years=_YEARS))
_HALF = frozenset(holidays.financial_holidays("NYSE", years=_YEARS, categories=("half_day",)))


def is_session(day: date) -> bool:
    """Did, or will, the exchanges open on this date? Before 2000 and after 2040: any weekday."""
    return day.weekday() < 5 and day not in _CLOSED


def closed_because(day: date) -> str:
    """Why a date is not a session, in words; empty if it is one."""
    if is_session(day):
        return ""
    if day.weekday() >= 5:
        return f"a {day:%A}"
    return str(_CLOSED[day])


@cache
def trading_day(day: date) -> TradingDay:
    """The session of a date; ValueError, naming the date, if it is not one."""
    if not is_session(day):
        raise ValueError(f"{day} is not a session: it is {closed_because(day)}")
    early = day in _HALF
    close = datetime.combine(day, _EARLY_CLOSE if early else _CLOSE, NEW_YORK)
    return TradingDay(day, close, early)


def on_or_before(day: date) -> TradingDay:
    """The session of a date, or the last one before it."""
    while not is_session(day):
        day -= timedelta(days=1)
    return trading_day(day)


def sessions(first: date, last: date) -> list[TradingDay]:
    """All sessions from first to last, both included, oldest first."""
    span = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [trading_day(day) for day in span if is_session(day)]


def sessions_ending(last: TradingDay, count: int) -> list[TradingDay]:
    """The last `count` sessions up to and including `last`, oldest first."""
    return list(_ending(last, count))


@lru_cache(maxsize=64)
def _ending(last: TradingDay, count: int) -> tuple[TradingDay, ...]:
    days = [last]
    while len(days) < count:
        days.append(on_or_before(days[-1].date - timedelta(days=1)))
    return tuple(reversed(days))


def sessions_after(day: TradingDay, count: int) -> list[TradingDay]:
    """The next `count` sessions, oldest first."""
    days = [day]
    while len(days) <= count:
        days.append(trading_day(_next_session(days[-1])))
    return days[1:]


def last_complete(now: datetime) -> TradingDay:
    """The newest session whose tape, extended hours included, has ended."""
    day = on_or_before(now.astimezone(NEW_YORK).date())
    return day if day.tape_end <= now else on_or_before(day.date - timedelta(days=1))


EventDay = Literal[
    "quad-witching",
    "monthly expiry",
    "S&P rebalance",
    "Russell reconstitution",
    "half day",
    "after a holiday",
    "quarter end",
    "month end",
]

_VOLUME_EVENTS = frozenset[EventDay](
    ("quad-witching", "monthly expiry", "S&P rebalance", "Russell reconstitution", "half day")
)
_RUSSELL_TWICE_FROM = 2026


def event_days(day: TradingDay) -> tuple[EventDay, ...]:
    """What is special about a session by the calendar, the loudest first.

    A text, never a coefficient; a quarter end is not also called a month end.
    """
    quarterly = day.date.month % 3 == 0
    events: list[EventDay] = []
    if day == _friday(day.date, 3):
        events += ["quad-witching", "S&P rebalance"] if quarterly else ["monthly expiry"]
    if day in _russell(day.date.year):
        events.append("Russell reconstitution")
    if day.early_close:
        events.append("half day")
    if holidays_before(day):
        events.append("after a holiday")
    if _next_session(day).month != day.date.month:
        events.append("quarter end" if quarterly else "month end")
    return tuple(events)


def is_special(day: TradingDay) -> bool:
    """Does the calendar itself expect another volume than usual: expiry, reconstitution, half day?

    What the gate allows for. Month ends and days after a holiday are named, but within its bounds.
    """
    return not _VOLUME_EVENTS.isdisjoint(event_days(day))


def holidays_before(day: TradingDay) -> tuple[str, ...]:
    """Names of what kept the exchanges closed on weekdays since the session before, oldest first.

    Each once and without "(observed)"; empty if only a weekend, or nothing, lies between.
    """
    names, before = [], day.date - timedelta(days=1)
    while not is_session(before):
        if before.weekday() < 5:
            names.append(str(_CLOSED[before]).removesuffix(" (observed)"))
        before -= timedelta(days=1)
    return tuple(dict.fromkeys(reversed(names)))


def _next_session(day: TradingDay) -> date:
    after = day.date + timedelta(days=1)
    while not is_session(after):
        after += timedelta(days=1)
    return after


def _friday(month: date, nth: int) -> TradingDay:
    """The session of the month's nth Friday, or the last one before it."""
    first = month.replace(day=1)
    return on_or_before(first + timedelta(days=(4 - first.weekday()) % 7 + 7 * (nth - 1)))


def _russell(year: int) -> list[TradingDay]:
    """June's: the last Friday, since 2007 the fourth. From 2026 also the second of November.

    FTSE Russell, "Russell US Indexes to move to a semi-annual reconstitution frequency", 2025.
    """
    june = date(year, 6, 1)
    if year < 2007:
        last = date(year, 6, 30)
        return [on_or_before(last - timedelta(days=(last.weekday() - 4) % 7))]
    november = [_friday(date(year, 11, 1), 2)] if year >= _RUSSELL_TWICE_FROM else []
    return [_friday(june, 4), *november]
