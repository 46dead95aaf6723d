"""What other settings would have sent: lines a session, names gained and lost. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median


@dataclass(frozen=True, slots=True)
class Told:
    """One session's digest lines under two settings: tickers, best first."""

    session: date
    now: tuple[str, ...]
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """How many lines each session had."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Of all sessions."""
        return sum(self.counts)

    @property
    def median(self) -> float:
        """A session."""
        return median(self.counts)

    @property
    def most(self) -> int:
        """In one session."""
        return max(self.counts)

    @property
    def quiet(self) -> int:
        """Sessions without a line."""
        return self.counts.count(0)

    def between(self, least: int, most: int) -> int:
        """Sessions with so many lines, both included."""
        return sum(least <= count <= most for count in self.counts)


@dataclass(frozen=True, slots=True)
class Name:
    """A ticker that came in or fell out, and when."""

    ticker: str
    sessions: tuple[date, ...]
    """Newest first."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Two settings over the same sessions."""

    sessions: tuple[date, ...]
    """Oldest first."""
    now: Lines
    then: Lines
    gained: tuple[Name, ...]
    """Lines of the other settings only; the most frequent name first, then the newest."""
    lost: tuple[Name, ...]
    """Lines of the present settings only, in the same order."""


def preview(told: Sequence[Told]) -> Preview:
    """Both sides of at least one session, and what differs."""
    ordered = sorted(told, key=lambda t: t.session)
    return Preview(
        sessions=tuple(t.session for t in ordered),
        now=Lines(tuple(len(t.now) for t in ordered)),
        then=Lines(tuple(len(t.then) for t in ordered)),
        gained=_only((t.session, set(t.then) - set(t.now)) for t in ordered),
        lost=_only((t.session, set(t.now) - set(t.then)) for t in ordered),
    )


def _only(sides: Iterable[tuple[date, set[str]]]) -> tuple[Name, ...]:
    sessions = defaultdict[str, list[date]](list)
    for session, tickers in sides:
        for ticker in tickers:
            sessions[ticker].insert(0, session)
    names = [Name(ticker, tuple(on)) for ticker, on in sessions.items()]
    names.sort(key=lambda n: (-len(n.sessions), -n.sessions[0].toordinal(), n.ticker))
    return tuple(names)
