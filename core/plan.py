"""What a backfill of a span would read, before anything is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from core.calendar import TradingDay
from core.jobs import Policy
from core.ledger import Entry, Status


@dataclass(frozen=True, slots=True)
class Sorted:
    """The sessions of a span by what is known of them."""

    complete: tuple[TradingDay, ...]
    missing: tuple[TradingDay, ...]
    """Nothing is stored, and nobody has said why."""
    failed: tuple[TradingDay, ...]
    """Held by the gate, or no source had them."""

    def to_read(self, policy: Policy) -> list[TradingDay]:
        """Those that a policy reads, oldest first."""
        match policy:
            case Policy.MISSING:
                return list(self.missing)
            case Policy.MISSING_FAILED:
                return sorted((*self.missing, *self.failed))
        return sorted((*self.complete, *self.missing, *self.failed))


def sort_out(days: Sequence[TradingDay], entries: Mapping[date, Entry]) -> Sorted:
    """By the ledger's lines."""
    complete, missing, failed = list[TradingDay](), list[TradingDay](), list[TradingDay]()
    for day in days:
        entry = entries.get(day.date)
        if entry is not None and entry.revision:
            complete.append(day)
        elif entry is not None and entry.status in (Status.HELD, Status.ABSENT):
            failed.append(day)
        else:
            missing.append(day)
    return Sorted(tuple(complete), tuple(missing), tuple(failed))


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
    failed: int
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
    notes: tuple[str, ...] = ()
    words: str = ""
    """What `/backfill run FROM TO` takes besides, to do just this."""
