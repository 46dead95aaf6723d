"""How far back each source of a chain goes, and so which one serves which part of a span.

Sources are asked as little as tells it, at the same time where one does not wait for another, and
not beyond a deadline: what is not known by then is said to be unknown.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, runtime_checkable

from core.calendar import FIRST_DAY, TradingDay, sessions
from core.errors import BadBars, NotPublished, SourceError, SourceRefused, Verdict
from core.sources import Source

# Threads of S3 wait for answers meanwhile, and whoever asks in chat needs some as well.
_AT_ONCE, _PROBES, _SAMPLED = 3, 24, 3
NOT_THERE = "not published"


@runtime_checkable
class Looked(Protocol):
    """A source that tells of a session without reading it."""

    async def look(self, day: TradingDay) -> int:
        """Its size in bytes; raises what bars() does."""


@runtime_checkable
class Dated(Protocol):
    """A source that need not be asked how far back it goes."""

    @property
    def oldest(self) -> date:
        """The first day it has."""


@dataclass(slots=True)
class Reach:
    """What is known of one source over the sessions that are wanted, oldest first."""

    source: Source
    days: Sequence[TradingDay]
    served: int
    """The place of the oldest session that it serves; their number while none is known."""
    refused: int = -1
    """The place of the newest session before that one that it does not serve."""
    why: str = ""
    """It does not serve that one; or nobody can tell."""
    seen: str = ""
    """What it said, if that concerns every session."""
    sizes: list[int] = field(default_factory=list)
    """Bytes of the sessions that were looked at."""

    @property
    def words(self) -> str:
        """How far back it goes."""
        if not self.served:
            return "all of it"
        if self.served < len(self.days):
            return self.since
        if not self.may_serve:
            return f"nothing: {self.why}"
        if self.refused < 0:
            return f"unknown: {self.why}"
        return f"nothing up to {self.days[self.refused]} ({self.why}), unknown of later ones"

    @property
    def since(self) -> str:
        """The oldest session that it serves, of those that were looked at."""
        return f"{self.days[self.served]} and later{self.doubt}"

    @property
    def may_serve(self) -> bool:
        """Nobody knows of a session that it serves, and there may be some."""
        return self.served == len(self.days) and self.refused < self.served - 1

    @property
    def doubt(self) -> str:
        """Where its first session was not found exactly."""
        if self.served - self.refused < 2 or self.served == len(self.days):
            return ""
        not_this = f"; not {self.days[self.refused]}" if self.refused >= 0 else ""
        return f" at the latest{not_this}"

    async def begin(self) -> bool:
        """Ask for the oldest session; False if there is more to find out."""
        if isinstance(self.source, Dated):
            first = self.source.oldest
            self.served = sum(day.date < first for day in self.days)
            self.refused, self.why = self.served - 1, NOT_THERE
            return True
        try:
            is_served = await self._has(0)
        except SourceError as error:
            self._failed(error)
            return True
        self.served, self.refused = (0, -1) if is_served else (len(self.days), 0)
        return is_served

    async def search(self, probes: int) -> None:
        """The oldest session that is served, some places at once; at most so many are asked for."""
        try:
            while probes > 0 and self.served - self.refused > 1:
                places = _between(self.refused, self.served, min(_AT_ONCE, probes))
                probes -= len(places)
                has = await asyncio.gather(*(self._has(n) for n in places))
                found = dict(zip(places, has, strict=True))
                self.served = min([self.served, *(n for n in places if found[n])])
                not_there = (n for n in places if not found[n] and n < self.served)
                self.refused = max([self.refused, *not_there])
        except SourceError as error:
            self._failed(error)

    async def sample(self, count: int) -> None:
        """Sizes of a few sessions that it serves, evenly spread."""
        if not isinstance(self.source, Looked) or self.served == len(self.days):
            return
        many = len(self.days) - self.served
        places = {self.served + (many - 1) * n // count for n in range(1, count + 1)}
        found = await asyncio.gather(*(self._has(n) for n in places), return_exceptions=True)
        for error in found:
            if isinstance(error, BaseException) and not isinstance(error, SourceError):
                raise error

    async def _has(self, place: int) -> bool:
        try:
            if isinstance(self.source, Looked):
                self.sizes.append(await self.source.look(self.days[place]))
            else:
                served = await self.source.bars(self.days[place])
                self.sizes += [served.travelled] if served.travelled else []
        except NotPublished:
            self.why = self.why or NOT_THERE
            return False
        except SourceRefused as error:
            if error.verdict is not Verdict.DATE_OUTSIDE_PLAN:
                raise
            self.why = str(error.verdict)
            return False
        except BadBars:
            return True
        return True

    def _failed(self, error: SourceError) -> None:
        self.why, self.seen = str(error.verdict), f"{self.source.name}: {error.seen}"
        if isinstance(error, SourceRefused):
            self.refused = self.served - 1


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the span, and who serves it."""

    reach: Reach
    first: int
    end: int
    """The place after its last session."""

    @property
    def words(self) -> str:
        """REST grouped daily: 2016-01-04 to 2021-11-24."""
        reach, days = self.reach, self.reach.days
        if self.end == len(days):
            return f"{reach.source.name}: {reach.words}"
        return f"{reach.source.name}: {days[self.first]} to {days[self.end - 1]}{reach.doubt}"


@dataclass(frozen=True, slots=True)
class Reaches:
    """The sources of a chain over a span, best first; none after one that serves all of it."""

    every: Sequence[Reach]
    around: Sequence[Reach] = ()
    """Of one that serves all of it: the sessions before the span, and its first one. Where nobody
    is known to serve any: of each the newest that it refuses, and those after it."""

    @property
    def parts(self) -> list[Part]:
        """Who is the first to serve what, the newest stretch first."""
        found, end = list[Part](), len(self.every[0].days)
        for reach in self.every:
            if reach.served < end:
                found.append(Part(reach, reach.served, end))
                end = reach.served
        return found

    @property
    def likely(self) -> list[Part]:
        """Those, and what is left for a source that has not answered."""
        parts = self.parts
        left = parts[-1].first if parts else len(self.every[0].days)
        silent = [r for r in self.every if r.may_serve and r.refused + 1 < left]
        return [*parts, *(Part(r, r.refused + 1, left) for r in silent[:1])]

    @property
    def beyond(self) -> int:
        """How many of the oldest sessions every source refuses, as far as they were asked."""
        return min(reach.refused for reach in self.every) + 1

    @property
    def oldest(self) -> Reach:
        """The one that goes back furthest."""
        return max(self.around or self.every, key=lambda reach: len(reach.days) - reach.served)

    @property
    def words(self) -> str:
        """Who serves which part; who serves nothing of it, or does not answer, and why."""
        silent = [r for r in self.every if r.served == len(r.days)]
        said = [part.words for part in self.parts]
        return "; ".join((*said, *(f"{r.source.name}: {r.words}" for r in silent)))


async def reaches(
    sources: Sequence[Source],
    days: Sequence[TradingDay],
    probes: Sequence[int | None],
    patience_s: float,
    after: Mapping[TradingDay, str | None] | None = None,
) -> Reaches:
    """Ask the first source, and the others only if it does not serve the oldest session.

    `probes`: how many sessions each may be asked for at most; None: as many as it takes. `after`:
    the sessions after those, oldest first, and from which source one is stored.
    """
    found = [Reach(source, days, len(days)) for source in sources]
    try:
        async with asyncio.timeout(patience_s):
            asked = await _asked(found, [_PROBES if n is None else n for n in probes])
    except TimeoutError:
        asked = found
        for reach in found:
            if not reach.why:
                reach.why = f"no answer in {patience_s:g} s"
    whole = next((n for n, reach in enumerate(asked) if not reach.served), None)
    around = _after(asked, after or {}) if whole is None else [_before(asked[whole], days[0])]
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s / 2):
            await asked[0].sample(_SAMPLED)
            most = {
                s.name: _PROBES if n is None else n for s, n in zip(sources, probes, strict=True)
            }
            # What is stored after the span tells enough.
            further = [r for r in around if whole is not None or r.served == len(r.days)]
            await asyncio.gather(*(reach.search(most[reach.source.name]) for reach in further))
    return Reaches(asked, around)


def _before(whole: Reach, first: TradingDay) -> Reach:
    """The sessions before a span that is served from its `first` one on."""
    if isinstance(whole.source, Dated):
        return Reach(whole.source, sessions(whole.source.oldest, first.date), 0)
    days = sessions(FIRST_DAY, first.date)
    return Reach(whole.source, days, len(days) - 1)


def _after(asked: Sequence[Reach], after: Mapping[TradingDay, str | None]) -> list[Reach]:
    """Past sessions of which nobody is known to serve any: where does what is refused end?

    Whoever has served one of those after them is asked for none that is newer.
    """
    found = list[Reach]()
    if any(reach.served < len(reach.days) for reach in asked):
        return found
    for reach in asked:
        if reach.seen or reach.refused < 0:
            continue
        days = [*reach.days[reach.refused :], *after]
        stored = (n for n, day in enumerate(days) if after.get(day) == reach.source.name)
        served = next(stored, len(days))
        if served < len(days) or not reach.may_serve:
            found.append(Reach(reach.source, days, served, 0, reach.why))
    return found


async def _asked(found: Sequence[Reach], probes: Sequence[int]) -> Sequence[Reach]:
    first, others = found[0], found[1:]
    if await first.begin() and not first.served:
        return [first]
    rest = [first.search(probes[0])] if not first.seen else []
    if not others:
        await asyncio.gather(*rest)
        return [first]
    further, _ = await asyncio.gather(_asked(others, probes[1:]), asyncio.gather(*rest))
    return [first, *further]


def _between(low: int, high: int, most: int) -> list[int]:
    """At most so many places strictly between two, evenly spread."""
    many = min(most, high - low - 1)
    return [low + (high - low) * n // (many + 1) for n in range(1, many + 1)]
