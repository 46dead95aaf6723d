"""What is said outside the list of a session: details in the thread, one-liners, notices. Pure."""

from dataclasses import replace
from datetime import date

from alerts.corrections import correction
from alerts.message import DISCLAIMER, digest, in_sections, session, stamp, title
from alerts.model import ChartOf, Delivery, Kind, Message, Report
from alerts.words import day, listed
from core.bars import Series

CHARTS = 3
"""So many of a digest's first lines have their picture in its thread."""
_NAMES = 8


def letter(delivery: Delivery, own: Report, before: Report | None) -> Message:
    """The message of a delivery about a session's lines; `before`: what its readers saw."""
    if delivery.kind is Kind.CORRECTION and before is not None:
        return correction(before, own)
    if delivery.kind is Kind.DETAILS:
        return details(own)
    return pushed(own)


def pushed(own: Report) -> Message:
    """The digest as it is sent by itself: a quiet day is one line, without a sound."""
    said = digest(own)
    return said if own.pushed else replace(said, brief=True)


def details(own: Report) -> Message:
    """What goes into the digest's thread: pictures of its first lines."""
    judged, first = own.judged, in_sections(own.pushed)[:CHARTS]
    names = [a.ticker for a in first]
    return Message(
        title=f"{title(judged.series)} · {day(judged.session)} · charts",
        lead=f"{session(judged)}: {listed(names, _NAMES)}, 90 sessions each.",
        footer=(DISCLAIMER,),
        stamp=stamp(judged.series),
        charts=tuple(ChartOf(judged.series.key, judged.session, name) for name in names),
        brief=True,
    )


def held(series: Series, on: date, why: str) -> Message:
    """One line for readers: the day is there, but not to be trusted."""
    return Message(
        title=f"{title(series)} · {day(on)} · held",
        lead=f"{day(on)} is held back, not judged: {why}. The list follows when a copy passes.",
        stamp=stamp(series),
        brief=True,
    )


def late(series: Series, on: date, why: str) -> Message:
    """One line for operators: the deadline has passed."""
    return Message(
        title=f"{title(series)} · {day(on)} · late",
        lead=f"{day(on)} is not in, and the deadline has passed: {why}. It is asked for again"
        " every day; /source status tells more.",
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
        " /outbox lists all, with Resend and Drop.",
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
