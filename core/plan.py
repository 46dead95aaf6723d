"""What a backfill of a span would read, before anything is read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from core.calendar import TradingDay
from core.errors import Verdict
from core.jobs import UNUSABLE, Failure, Policy, Unit
from core.ledger import Entry, Status

_LASTS = (Verdict.DATE_OUTSIDE_PLAN, UNUSABLE)


@dataclass(frozen=True, slots=True)
class Sorted:
    """The sessions of a span by what is known of them."""

    complete: tuple[TradingDay, ...]
    missing: tuple[TradingDay, ...]
    """Nothing is stored, or part of it is gone, and nobody has said why."""
    failed: Mapping[TradingDay, Failure]
    """Held by the gate, or no source had them, or a backfill could not read them."""

    def to_read(self, policy: Policy) -> list[TradingDay]:
        """Those that a policy reads, oldest first."""
        match policy:
            case Policy.MISSING:
                again = (day for day, failure in self.failed.items() if passes(failure))
                return sorted((*self.missing, *again))
            case Policy.MISSING_FAILED:
                return sorted((*self.missing, *self.failed))
        return sorted((*self.complete, *self.missing, *self.failed))


def passes(failure: Failure) -> bool:
    """Was it a matter of the moment? What the gate, the source or the plan said lasts."""
    return failure.unit is Unit.FAILED and failure.cause not in _LASTS


def sort_out(
    days: Sequence[TradingDay],
    entries: Mapping[date, Entry],
    before: Mapping[date, Failure],
    lacks: Collection[date],
) -> Sorted:
    """By the ledger's lines, and by what backfills met (core.tried.failed_before).

    `lacks`: of these, bars that are stored beside the series are gone.
    """
    complete, missing = list[TradingDay](), list[TradingDay]()
    failed = dict[TradingDay, Failure]()
    for day in days:
        entry, met = entries.get(day.date), before.get(day.date)
        if entry is not None and entry.revision and day.date not in lacks:
            complete.append(day)
        elif entry is not None and entry.status in (Status.HELD, Status.ABSENT):
            held = Failure(day.date, Unit(entry.status), "", "")
            # The ledger has one word for all that arrived and is of no use; the job has two.
            is_known = met is not None and (met.unit is held.unit or met.cause == UNUSABLE)
            failed[day] = met if met and is_known else held
        elif met is not None and met.unit is Unit.FAILED:
            failed[day] = met
        else:
            missing.append(day)
    return Sorted(tuple(complete), tuple(missing), failed)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is to be known before somebody says yes."""

    first: date
    last: date
    policy: Policy
    total: int
    complete: int
    stale: int
    """Stored ones of which another copy is published by now, as far as was looked."""
    missing: int
    failed: tuple[Failure, ...]
    to_read: tuple[TradingDay, ...]
    sources: tuple[str, ...]
    served_by: tuple[str, ...]
    """In words: which of them serves which part; first of what the prices are from, if that is
    another series."""
    requests: int
    calls_per_minute: int | None
    bytes: float | None
    seconds: float | None
    """None while nothing was measured on this machine, and no limit tells."""
    serves: str
    """In words: how far back the sources go."""
    beyond: int = 0
    """Of those to read, the oldest: no source serves them."""
    asked_beyond: int = 0
    """Requests that it takes until the job sees that; not among `requests`."""
    why_beyond: str = ""
    """What the sources say of them."""
    notes: tuple[str, ...] = ()
    words: str = ""
    """What `/backfill run FROM TO` takes besides, to do just this."""
