"""What /subscribe and /channels answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from alerts.model import Action, Check, Destination, Message, Row
from alerts.wants import Wants
from alerts.words import day, some, wait

OK, FAULT = "✔", "✘"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one channel fares."""

    destination: Destination
    wants: Wants
    origin: str
    """Who set it, in words."""
    ended: str
    """Who ended it and when, in words; empty while it goes on."""
    last: date | None
    """The newest session whose digest arrived."""
    waiting: int
    trouble: str
    """Why the newest delivery is not there; empty if it is."""


def wanted(wants: Wants) -> list[str]:
    """All that was chosen for a channel, in words."""
    said = list(wants.words) or ["every line"]
    said.append("without a sound" if wants.silent else "with a sound")
    if wants.quiet is not None:
        said.append(f"held back from {wants.quiet}")
    return said


def subscribed(
    destination: Destination, wants: Wants, before: Wants | None, notes: Sequence[str],
    checks: Sequence[Check], stamp: str,
) -> Message:  # fmt: skip
    """The confirmation; what the channel lacks is said here, and not on the day it is needed."""
    faults = [check for check in checks if not check.ok]
    state = "is subscribed" if before is None else "is subscribed anew"
    mend = f"; {some(len(faults), 'thing')} to mend first" if faults else ""
    return Message(
        title=f"Subscribed · {destination}",
        lead=f"{destination} {state}: {', '.join(wanted(wants))}{mend}.",
        banners=tuple(notes),
        rows=checked(faults),
        facts=() if before is None else (("before", ", ".join(wanted(before))),),
        footer=("/channels test posts a test message here; /unsubscribe ends it",),
        stamp=stamp,
        actions=(Action("Test it", f"channels test {destination}"),),
    )


def tested(destination: Destination, checks: Sequence[Check], stamp: str) -> Message:
    """The result of a self-test, check by check."""
    faults = [check for check in checks if not check.ok]
    said = (
        f"{some(len(faults), 'check')} of {len(checks)} failed" if faults else "all checks passed"
    )
    return Message(
        title=f"Self-test · {destination}",
        lead=f"{destination}: {said}.",
        rows=checked(checks),
        stamp=stamp,
    )


def checked(checks: Sequence[Check]) -> tuple[Row, ...]:
    """One row a check, with the next step under those that failed."""
    return tuple(
        Row(
            f"{OK if c.ok else FAULT} {c.name}: {c.seen}",
            (f"next: {c.next_step}",) if c.next_step and not c.ok else (),
        )
        for c in checks
    )


def channel_list(
    standings: Sequence[Standing], stamp: str, connections: Sequence[tuple[str, str]] = ()
) -> Message:
    """Where digests go, how each channel fares, where they went once; and who is listened to."""
    going = [s for s in standings if not s.ended]
    rows = []
    for s in going:
        last = "nothing delivered yet" if s.last is None else f"last digest {day(s.last)}"
        more = f", {s.waiting} waiting" if s.waiting else ""
        details = [f"{last}{more}; {s.origin}"]
        details += [f"trouble: {s.trouble}"] if s.trouble else []
        rows.append(Row(f"{s.destination}  {', '.join(wanted(s.wants))}", tuple(details)))
    ended = tuple((str(s.destination), s.ended) for s in standings if s.ended)
    said = f"Digests go to {some(len(going), 'channel')}." if going else "Digests go nowhere."
    return Message(
        title="Channels",
        lead=said,
        rows=tuple(rows),
        facts=(*connections, *ended),
        footer=("/subscribe, /unsubscribe and /channels test work in the channel they are for",),
        stamp=stamp,
    )


def age(since: datetime, now: datetime) -> str:
    """3 min, 2 h 5 min, 3 days."""
    seconds = max(0.0, (now - since).total_seconds())
    return some(int(seconds // 86_400), "day") if seconds >= 2 * 86_400 else wait(seconds)
