"""How far back each source of a chain goes, and so which one serves which part of a span.

Sources are asked as little as tells it, at the same time where one does not wait for another, and
not beyond a deadline: what is not known by then is said to be unknown.
"""

import asyncio
from bisect import bisect_left, bisect_right
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
_OLDER = (1, 10)
"""So far before one that is not published is looked whether that is a gap: of a file, of a week."""
NOT_THERE = "not published"
_SERVED = ""


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
    """Where one source begins, by what was heard of some sessions."""

    source: Source
    wanted: Sequence[TradingDay]
    """What is to be read, oldest first; it may have gaps."""
    days: Sequence[TradingDay]
    """All sessions there are, those that are wanted among them."""
    known: int
    """The place of one that it served once and so still does, unless it refuses a later one;
    their number if there is none."""
    served: int = field(init=False)
    """The place of the oldest session that it serves; their number while none is known."""
    refused: int = -1
    """The place of the newest session before that one that it does not serve."""
    why: str = ""
    """It does not serve that one; or nobody can tell."""
    seen: str = ""
    """What it said, if that concerns every session."""
    sizes: list[int] = field(default_factory=list)
    """Bytes of the sessions that were looked at."""
    _heard: dict[int, str] = field(default_factory=dict)
    """Why it does not serve what it was asked for, by place."""

    def __post_init__(self) -> None:
        """Nothing is known before it has answered, or it may not be there at all."""
        self.served = len(self.days)

    @property
    def first(self) -> int:
        """The place of the oldest wanted session that it serves; their number if it serves none."""
        known = self.served < len(self.days)
        return bisect_left(self.wanted, self.days[self.served]) if known else len(self.wanted)

    @property
    def beyond(self) -> int:
        """How many of the oldest wanted sessions it does not reach, as far as is known."""
        return bisect_right(self.wanted, self.days[self.refused]) if self.refused >= 0 else 0

    @property
    def words(self) -> str:
        """How far back it goes."""
        if not self.first:
            return f"all of it{self._gaps}"
        if self.first < len(self.wanted):
            return f"{self.since}{self._gaps}"
        if not self.may_serve:
            return f"nothing: {self.why}"
        if not self.beyond:
            return f"unknown: {self.why}"
        return f"nothing up to {self.days[self.refused]} ({self.why}), unknown of later ones"

    @property
    def since(self) -> str:
        """The oldest session that it serves."""
        return f"{self.days[self.served]} and later{self.doubt}"

    @property
    def may_serve(self) -> bool:
        """Nobody knows of a wanted session that it serves, and there may be some."""
        return self.beyond < self.first == len(self.wanted)

    @property
    def doubt(self) -> str:
        """Where its first session was not found exactly."""
        if self.served - self.refused < 2 or self.served == len(self.days):
            return ""
        not_this = f"; not {self.days[self.refused]}" if self.refused >= 0 else ""
        return f" at the latest{not_this}"

    @property
    def _gaps(self) -> str:
        """Those that were met among the wanted ones."""
        met = (self.days[n] for n in self._places(NOT_THERE) if n > self.served)
        gaps = ", ".join(str(day) for day in met if day in self.wanted)
        return f" but for {gaps} ({NOT_THERE})" if gaps else ""

    async def begin(self, probes: int) -> None:
        """Ask for the oldest wanted session; where it may be a gap, for those before it."""
        if isinstance(self.source, Dated):
            first = self.source.oldest
            self.served = sum(day.date < first for day in self.days)
            self.refused, self.why = self.served - 1, NOT_THERE
            return
        place = self._place(0)
        if await self._ask([place]) and self.first:
            await self._search(min(probes, len(_OLDER)), place + 1)

    async def search(self, probes: int) -> None:
        """Which of the wanted sessions it serves; at most so many are asked for."""
        await self._search(probes, self._place(-1) + 1)

    async def search_on(self, probes: int) -> None:
        """Its first session, whether that is wanted or not; at most so many are asked for."""
        await self._search(probes, len(self.days))

    async def _search(self, probes: int, end: int) -> None:
        """Before the place `end`, some places at once."""
        while probes > 0 and (places := self._next(min(_AT_ONCE, probes), end)):
            probes -= len(places)
            if not await self._ask(places):
                return

    def _next(self, most: int, end: int) -> list[int]:
        """The places to ask for: between what is known, or before what may be a gap.

        Of several that are not published that is the first one met, and the one where it ends.
        """
        low = self.refused
        between = _between(low, min(self.served, end), most)
        absent = self._places(NOT_THERE)
        if low not in absent or (between and len(absent) > len(_OLDER)):
            return between
        older = [low - n for n in _OLDER if low >= n and low - n not in self._heard]
        return older[:most] or between

    async def sample(self, count: int) -> None:
        """Sizes of a few wanted sessions that it serves, evenly spread."""
        if isinstance(self.source, Looked) and (many := len(self.wanted) - self.first):
            nths = {self.first + (many - 1) * n // count for n in range(1, count + 1)}
            asked = (self._why(self._place(n)) for n in nths)
            for error in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(error, BaseException) and not isinstance(error, SourceError):
                    raise error

    def _place(self, nth: int) -> int:
        return bisect_left(self.days, self.wanted[nth])

    async def _ask(self, places: Sequence[int]) -> bool:
        """False if it said something that concerns every session."""
        try:
            found = await asyncio.gather(*(self._why(n) for n in places))
        except SourceError as error:
            self.why, self.seen = str(error.verdict), f"{self.source.name}: {error.seen}"
            if isinstance(error, SourceRefused):
                self.refused = self.served - 1
            return False
        self._hear(dict(zip(places, found, strict=True)))
        return True

    async def _why(self, place: int) -> str:
        """Why it does not serve that one."""
        try:
            if isinstance(self.source, Looked):
                self.sizes.append(await self.source.look(self.days[place]))
            else:
                served = await self.source.bars(self.days[place])
                self.sizes += [served.travelled] if served.travelled else []
        except NotPublished:
            return NOT_THERE
        except SourceRefused as error:
            if error.verdict is not Verdict.DATE_OUTSIDE_PLAN:
                raise
            return str(error.verdict)
        except BadBars:
            return _SERVED
        return _SERVED

    def _hear(self, found: Mapping[int, str]) -> None:
        """What is not there, and newer than what is served, tells nothing: it is a gap."""
        self._heard.update(found)
        outside = max(self._places(Verdict.DATE_OUTSIDE_PLAN), default=-1)
        known = [self.known] if self.known > outside else []
        self.served = min([len(self.days), *known, *self._places(_SERVED)])
        self.refused = max((n for n in self._heard if n < self.served), default=-1)
        self.why = NOT_THERE if outside < 0 else str(Verdict.DATE_OUTSIDE_PLAN)

    def _places(self, why: str) -> list[int]:
        return sorted(n for n, said in self._heard.items() if said == why)


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
        reach, days = self.reach, self.reach.wanted
        if self.end == len(days):
            return f"{reach.source.name}: {reach.words}"
        return f"{reach.source.name}: {days[self.first]} to {days[self.end - 1]}{reach.doubt}"


@dataclass(frozen=True, slots=True)
class Reaches:
    """The sources of a chain over a span, best first; none after one that serves all of it."""

    every: Sequence[Reach]

    @property
    def parts(self) -> list[Part]:
        """Who is the first to serve what, the newest stretch first."""
        found, end = list[Part](), len(self.every[0].wanted)
        for reach in self.every:
            if reach.first < end:
                found.append(Part(reach, reach.first, end))
                end = reach.first
        return found

    @property
    def likely(self) -> list[Part]:
        """Those, and what is left for a source that has not answered."""
        parts = self.parts
        left = parts[-1].first if parts else len(self.every[0].wanted)
        silent = [r for r in self.every if r.may_serve and r.beyond < left]
        return [*parts, *(Part(r, r.beyond, left) for r in silent[:1])]

    @property
    def beyond(self) -> int:
        """How many of the oldest sessions no source reaches, as far as they were asked."""
        return min(reach.beyond for reach in self.every)

    @property
    def oldest(self) -> Reach:
        """The one that goes back furthest."""
        return min(self.every, key=lambda reach: reach.served)

    @property
    def unsure(self) -> list[Reach]:
        """Those whose first session is not among the wanted ones, and is that of them all."""
        if whole := [reach for reach in self.every if not reach.first]:
            return whole[:1]
        if self.parts:
            return []
        # What is stored after the wanted ones tells enough.
        none = [r for r in self.every if not r.may_serve and not r.seen]
        return [r for r in none if r.served == len(r.days)]

    @property
    def words(self) -> str:
        """Who serves which part; who serves nothing of it, or does not answer, and why."""
        silent = [r for r in self.every if r.first == len(r.wanted)]
        said = [part.words for part in self.parts]
        return "; ".join((*said, *(f"{r.source.name}: {r.words}" for r in silent)))


async def reaches(
    sources: Sequence[Source],
    wanted: Sequence[TradingDay],
    probes: Sequence[int | None],
    patience_s: float,
    newest: TradingDay | None = None,
    known: Mapping[str, date] | None = None,
) -> Reaches:
    """Ask the first source, and the others only if it does not serve the oldest session.

    `probes`: how many sessions each may be asked for at most; None: as many as it takes. `newest`:
    the last session there is, if it is not wanted. `known`: since when a source of that name serves
    all there is, if it is as it was.
    """
    first, last = wanted[0].date, max(wanted[-1], newest or wanted[-1]).date
    days = sessions(min(FIRST_DAY, first), last)
    most = {s.name: _PROBES if n is None else n for s, n in zip(sources, probes, strict=True)}
    found = [Reach(s, wanted, days, _since(days, (known or {}).get(s.name))) for s in sources]
    try:
        async with asyncio.timeout(patience_s):
            found = await _asked(found, most)
    except TimeoutError:
        for reach in found:
            if not reach.why:
                reach.why = f"no answer in {patience_s:g} s"
    told = Reaches(found)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s / 2):
            await found[0].sample(_SAMPLED)
            searches = (reach.search_on(most[reach.source.name]) for reach in told.unsure)
            await asyncio.gather(*searches)
    return told


def _since(days: Sequence[TradingDay], first: date | None) -> int:
    """The place of the first one that is not before; their number without a date."""
    return len(days) if first is None else bisect_left(days, first, key=lambda day: day.date)


async def _asked(found: Sequence[Reach], most: Mapping[str, int]) -> list[Reach]:
    """Those that had to be asked."""
    first, others = found[0], found[1:]
    probes = most[first.source.name]
    await first.begin(probes)
    if not first.first:
        return [first]
    rest = [first.search(probes)] if not first.seen else []
    if not others:
        await asyncio.gather(*rest)
        return [first]
    further, _ = await asyncio.gather(_asked(others, most), asyncio.gather(*rest))
    return [first, *further]


def _between(low: int, high: int, most: int) -> list[int]:
    """At most so many places strictly between two, evenly spread."""
    many = min(most, high - low - 1)
    return [low + (high - low) * n // (many + 1) for n in range(1, many + 1)]
