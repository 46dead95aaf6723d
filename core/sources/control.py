"""Which other session to ask for when one is refused: tells the plan from the date. Pure."""

from datetime import datetime

from core.calendar import TradingDay, last_complete, sessions_ending
from core.errors import NotPublished, SourceError, SourceUnavailable, Verdict

_RECENT_SESSIONS = 10
_WELL_BACK_SESSIONS = 30


def control_day(day: TradingDay, now: datetime) -> TradingDay:
    """A session on the other side of the plan's window.

    For a recent day one well back, published for sure; for an old day one that is recent and
    published, so inside the window of every plan that has the data set at all.
    """
    recent = sessions_ending(last_complete(now), _RECENT_SESSIONS)
    if day >= recent[0]:
        return sessions_ending(day, _WELL_BACK_SESSIONS)[0]
    return recent[-3]


def unclear(seen: str, control: TradingDay, why: SourceError) -> SourceUnavailable:
    """What is said of a refusal whose control day could not be asked for."""
    unasked = f"{seen}; why is not known: {control} could not be asked ({why.seen})"
    return SourceUnavailable(unasked, Verdict.REFUSAL_UNCLEAR)


def still_open(day: TradingDay, now: datetime) -> bool:
    """Do trades still come in? Bars taken before the end of extended hours are not the day's."""
    return now < day.tape_end


def raise_if_open(day: TradingDay, now: datetime) -> None:
    """NotPublished while trades of the session still come in."""
    if still_open(day, now):
        raise NotPublished(f"extended hours of {day} go on until {day.tape_end:%H:%M} New York")
