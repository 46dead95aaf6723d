"""What is said outside the list of a session: details in the thread, one-liners, notices. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from alerts.clicks import clickable
from alerts.corrections import correction
from alerts.message import DISCLAIMER, digest, explain, in_sections, session, stamp, title
from alerts.model import ChartOf, Check, Delivery, Destination, Detail, Kind, Message, Report, Row
from alerts.words import day, listed, some
from core.bars import Series

CHARTS = 3
"""So many of a digest's first lines have a picture: one in the digest, the others in its thread."""
PAST_THE_CAP = 10
"""So many lines of what is past the cap are in the thread; /anomalies all has them all."""
_NAMES = 8


def letter(
    delivery: Delivery, own: Report, before: Report | None, detail: Detail = Detail.FULL
) -> Message:
    """The message of a delivery about a session's lines; `before`: what its readers saw."""
    if delivery.kind is Kind.CORRECTION and before is not None:
        return correction(before, own, detail)
    if delivery.kind is Kind.DETAILS:
        return details(own, detail)
    return pushed(own, detail)


def pushed(own: Report, detail: Detail = Detail.FULL) -> Message:
    """The digest as it is sent by itself: a quiet day is one line, without a sound."""
    said = clickable(digest(own, detail), own)
    if not own.pushed:
        return replace(said, brief=True)
    return replace(said, charts=_charts(own)[:1])


def has_details(own: Report) -> bool:
    """Is there anything for the thread?"""
    return len(own.pushed) > 1 or bool(own.beyond)


def details(own: Report, detail: Detail = Detail.FULL) -> Message:
    """What goes into the digest's thread: pictures of its first lines, and what is past the cap."""
    judged, charts = own.judged, _charts(own)[1:]
    names, past = [chart.ticker for chart in charts], own.beyond[:PAST_THE_CAP]
    drawn = [f"charts of {listed(names, _NAMES)}"] if names else []
    more = [f"{some(len(past), 'line')} past the cap"] if past else []
    return Message(
        title=f"{title(judged.series)} · {day(judged.session)} · details",
        lead=f"{session(judged)}: {'; '.join(drawn + more)}.",
        rows=tuple(Row(explain(a, detail)) for a in past),
        footer=(DISCLAIMER,),
        stamp=stamp(judged.series),
        charts=charts,
        brief=not past,
    )


def _charts(own: Report) -> tuple[ChartOf, ...]:
    """The first stands in the digest itself, the others in its thread."""
    series, on = own.judged.series.key, own.judged.session
    return tuple(ChartOf(series, on, a.ticker) for a in in_sections(own.pushed)[:CHARTS])


def held(series: Series, on: date, why: str) -> Message:
    """One line for readers: the day is there, but not to be trusted."""
    return Message(
        title=f"{title(series)} · {day(on)} · held",
        lead=f"{day(on)} is held back, not judged: {why}. The list follows when a copy passes,"
        " or when an operator accepts this one.",
        stamp=stamp(series),
        brief=True,
    )


def late(series: Series, on: date, why: str, *, is_held: bool = False) -> Message:
    """One line for operators: the deadline has passed."""
    state = "is held back by the gate" if is_held else "is not in"
    way_out = (
        f"`python -m bot once --session {on} --release` accepts it"
        if is_held
        else "it is asked for again every day; /source status tells more"
    )
    return Message(
        title=f"{title(series)} · {day(on)} · late",
        lead=f"{day(on)} {state}, and the deadline has passed: {why}; {way_out}.",
        stamp=stamp(series),
        brief=True,
    )


def beat(series: Series, on: date) -> Message:
    """For a dead-man's switch, which reads no words."""
    return Message(title="", lead=f"{day(on)} published", stamp=stamp(series), brief=True)


def trouble(lost: Delivery, state: str, why: str) -> Message:
    """One line for operators: a delivery that needs them."""
    what = "was not delivered" if state != "ambiguous" else "may or may not have arrived"
    return Message(
        title=f"Delivery · {lost.destination}",
        lead=f"{lost.kind.capitalize()} of {day(lost.session)} for {lost.destination} {what}:"
        f" {why}."
        " /outbox lists all that needs you.",
        brief=True,
    )


def lacking(destination: Destination, faults: Sequence[Check]) -> Message:
    """For operators: a channel that digests go to has not all that they need."""
    said = [f"{fault.name}: {fault.seen}" for fault in faults]
    return Message(
        title=f"Channel · {destination}",
        lead=f"{destination} lacks what alerts need: {listed(said, _NAMES)}. /channels test tells"
        " what to do.",
        brief=True,
    )


def deaf(platform: str, why: str) -> Message:
    """For operators: nothing that is typed or clicked on a platform arrives here."""
    return Message(
        title=f"Commands · {platform}",
        lead=f"Commands on {platform} do not arrive: {why}",
        brief=True,
    )


def as_text(lost: Delivery, why: str) -> Message:
    """One line for operators: a platform would not take a message as it was made."""
    return Message(
        title=f"Delivery · {lost.destination}",
        lead=f"{lost.kind.capitalize()} of {day(lost.session)} for {lost.destination} arrived, but"
        f" not as it was made: {why}.",
        brief=True,
    )
