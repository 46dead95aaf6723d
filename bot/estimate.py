"""The plan of a backfill: what is there, what would be read, what that costs, how far back it goes.

Asks the sources little: a few sizes, one old session, versions of a few stored ones.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol, runtime_checkable

from core.calendar import TradingDay
from core.errors import NotPublished, SourceError, SourceRefused, Verdict
from core.jobs import Jobs, Policy
from core.ledger import Entry
from core.pipeline import Pipeline
from core.plan import Plan, sort_out
from core.sources import Source
from core.sources.rest import RestSource

_SAMPLED, _VERSIONS, _AT_ONCE = 3, 20, 4
_STEPS, _STEPS_OF_FEW_CALLS, _FEW_CALLS = 12, 3, 30


@runtime_checkable
class Looked(Protocol):
    """A source that tells of a session without reading it."""

    async def look(self, day: TradingDay) -> int:
        """Its size in bytes; raises what bars() does."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Makes plans."""

    jobs: Jobs
    calls_per_minute: int | None
    """The backfill's share of the vendor's limit; None without one."""
    at_once: int

    async def plan(
        self, pipeline: Pipeline, days: Sequence[TradingDay], policy: Policy, words: str = ""
    ) -> Plan:
        """For the sessions `days` of a series. A source that cannot tell is a note, no error."""
        entries = await pipeline.ledger.entries(days)
        known = sort_out(days, entries)
        to_read = known.to_read(policy)
        stale, notes = await _stale(pipeline, [entries[d.date] for d in known.complete])
        serves, sizes, seen = await self._asked(pipeline, to_read or list(days))
        requests = len(to_read) * _requests(pipeline)
        is_limited = isinstance(_first(pipeline), RestSource)
        limit = self.calls_per_minute if is_limited else None
        return Plan(
            first=days[0].date,
            last=days[-1].date,
            policy=policy,
            total=len(days),
            complete=len(known.complete),
            stale=stale,
            missing=len(known.missing),
            failed=len(known.failed),
            to_read=tuple(to_read),
            sources=tuple(s.name for p in _parts(pipeline) for s in p.chain.sources),
            requests=requests,
            calls_per_minute=limit,
            bytes=fmean(sizes) * len(to_read) if sizes else None,
            seconds=await self._seconds(pipeline, len(to_read), requests, limit),
            serves=serves,
            notes=(*notes, *seen),
            words=words,
        )

    async def _seconds(
        self, pipeline: Pipeline, sessions: int, requests: int, limit: int | None
    ) -> float | None:
        each = await self.jobs.pace_of_series_s(pipeline.series.key)
        worked = None if each is None else each * sessions / self.at_once
        waited = 60 * requests / limit if limit else None
        known = [seconds for seconds in (worked, waited) if seconds is not None]
        return max(known) if known else None

    async def _asked(
        self, pipeline: Pipeline, days: Sequence[TradingDay]
    ) -> tuple[str, list[int], list[str]]:
        """How far back the first source goes, in words; a few sizes; what else was seen."""
        source, sizes = _first(pipeline), list[int]()
        try:
            await _look(source, days[0], sizes)
            serves = f"{days[0]} and later, as far as was asked"
        except SourceRefused as error:
            if error.verdict is not Verdict.DATE_OUTSIDE_PLAN:
                return f"nothing of this: {error.verdict}", [], [f"{source.name}: {error.seen}"]
            serves = await self._since(source, days, sizes)
        except NotPublished as error:
            serves = f"unknown: {days[0]} is not there ({error.seen})"
        except SourceError as error:
            return f"unknown: {error.verdict}", [], [f"{source.name}: {error.seen}"]
        return serves, await _sampled(source, days, sizes), []

    async def _since(self, source: Source, days: Sequence[TradingDay], sizes: list[int]) -> str:
        """The oldest session that is served, by halves: the first of `days` is not."""
        few = self.calls_per_minute is not None and self.calls_per_minute < _FEW_CALLS
        refused, served = 0, len(days)
        for _ in range(_STEPS_OF_FEW_CALLS if few else _STEPS):
            if served - refused < 2:
                break
            middle = (refused + served) // 2
            try:
                await _look(source, days[middle], sizes)
                served = middle
            except SourceRefused:
                refused = middle
            except NotPublished:
                served = middle
        if served == len(days):
            return f"nothing up to {days[refused]}: outside the plan"
        exactly = "" if served - refused < 2 else f" at the latest; not {days[refused]}"
        return f"{days[served]} and later{exactly}"


def _parts(pipeline: Pipeline) -> list[Pipeline]:
    return [part for part in (pipeline.beside, pipeline) if part is not None]


def _first(pipeline: Pipeline) -> Source:
    return pipeline.chain.sources[0]


def _requests(pipeline: Pipeline) -> int:
    """Of a session: a flat file is looked for, then read."""
    firsts = [_first(part) for part in _parts(pipeline)]
    return sum(2 if isinstance(source, Looked) else 1 for source in firsts)


async def _look(source: Source, day: TradingDay, sizes: list[int]) -> None:
    if isinstance(source, Looked):
        sizes.append(await source.look(day))
    else:
        await source.bars(day)


async def _sampled(source: Source, days: Sequence[TradingDay], sizes: list[int]) -> list[int]:
    """Sizes of a few sessions, evenly spread; those that cannot be told are left out."""
    if not isinstance(source, Looked):
        return []
    for n in range(1, _SAMPLED + 1):
        try:
            await _look(source, days[(len(days) - 1) * n // _SAMPLED], sizes)
        except SourceError:
            continue
    return sizes


async def _stale(pipeline: Pipeline, entries: Sequence[Entry]) -> tuple[int, list[str]]:
    """How many of the newest stored sessions have another copy by now, and what to say of it."""
    named = [e for e in entries if e.version is not None and e.source is not None][-_VERSIONS:]
    turn = asyncio.Semaphore(_AT_ONCE)

    async def is_stale(entry: Entry) -> bool:
        async with turn:
            now = await pipeline.chain.version(entry.day, entry.source or "")
        return now not in (None, entry.version)

    try:
        found = await asyncio.gather(*(is_stale(entry) for entry in named))
    except SourceError as error:
        return 0, [f"whether stored sessions are stale is not known: {error.verdict}"]
    cut = len(named) == _VERSIONS and len(entries) > _VERSIONS
    notes = [f"of the stored ones the newest {_VERSIONS} were compared with the vendor's"]
    return sum(found), notes if cut else []
