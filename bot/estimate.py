"""The plan of a backfill: what is there, what would be read, what that costs, how far back it goes.

Asks the sources little: a few sizes, one old session, versions of a few stored ones.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.reach import Looked, Reaches, reaches
from core.calendar import TradingDay
from core.errors import SourceError
from core.jobs import Jobs, Policy
from core.ledger import Entry
from core.paces import pace_of_series_s
from core.pipeline import Pipeline
from core.plan import Plan, sort_out
from core.sources.rest import RestSource
from core.sources.short_volume import ShortVolumeSource

_VERSIONS, _AT_ONCE, _FEW_CALLS = 20, 4, 30
LIMITED = (RestSource, ShortVolumeSource)
"""Whose calls the vendor's plan counts."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Makes plans."""

    jobs: Jobs
    calls_per_minute: int | None
    """The backfill's share of the vendor's limit; None without one."""
    workers: Callable[[], int]
    patience_s: float = 6.0
    """So long the sources have to answer."""

    async def plan(
        self, pipeline: Pipeline, days: Sequence[TradingDay], policy: Policy, words: str = ""
    ) -> Plan:
        """For the sessions `days` of a series. A source that cannot tell is a note, no error."""
        entries = await pipeline.entries(days)
        known = sort_out(days, entries)
        to_read = known.to_read(policy)
        (stale, notes), chains = await asyncio.gather(
            self._stale(pipeline, [entries[d.date] for d in known.complete]),
            asyncio.gather(*(self._reaches(part, to_read or days) for part in _parts(pipeline))),
        )
        needs = [_needs(chain) for chain in chains] if to_read else []
        limited = sum(need.limited for need in needs)
        limit = self.calls_per_minute if limited else None
        sized = [need.bytes for need in needs if need.bytes is not None]
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
            served_by=tuple(chain.words for chain in chains),
            requests=sum(need.requests for need in needs),
            calls_per_minute=limit,
            bytes=sum(sized) if sized else None,
            seconds=await self._seconds(pipeline, len(to_read), limited, limit),
            serves=_serves(chains),
            notes=(*notes, *(r.seen for chain in chains for r in chain.every if r.seen)),
            words=words,
        )

    async def _seconds(
        self, pipeline: Pipeline, sessions: int, calls: int, limit: int | None
    ) -> float | None:
        each = await pace_of_series_s(self.jobs.db, pipeline.series.key)
        worked = None if each is None else each * sessions / self.workers()
        waited = 60 * calls / limit if limit else None
        known = [seconds for seconds in (worked, waited) if seconds is not None]
        return max(known) if known else None

    async def _reaches(self, pipeline: Pipeline, days: Sequence[TradingDay]) -> Reaches:
        sources = pipeline.chain.sources
        limit = self.calls_per_minute
        # One that is refused is asked for another session as well: two calls.
        few = None if limit is None or limit >= _FEW_CALLS else max(1, limit // 2 - 1)
        probes = [few if isinstance(source, LIMITED) else None for source in sources]
        return await reaches(sources, days, probes, self.patience_s)

    async def _stale(
        self, pipeline: Pipeline, entries: Sequence[Entry]
    ) -> tuple[int, Sequence[str]]:
        try:
            async with asyncio.timeout(self.patience_s):
                return await _stale(pipeline, entries)
        except TimeoutError:
            why = f"no answer in {self.patience_s:g} s"
            return 0, [f"whether stored sessions are stale is not known: {why}"]


@dataclass(frozen=True, slots=True)
class _Needs:
    requests: int
    limited: int
    """Those of them that are calls of the vendor's limit."""
    bytes: float | None


def _needs(chain: Reaches) -> _Needs:
    """What it takes to read all that is served, each session by the first that may have it."""
    requests = limited = 0
    size: float | None = None
    for part in chain.likely:
        many, source = part.end - part.first, part.reach.source
        # A flat file is looked for, then read.
        requests += many * (2 if isinstance(source, Looked) else 1)
        limited += many if isinstance(source, LIMITED) else 0
        if part.reach.sizes:
            size = (size or 0.0) + many * fmean(part.reach.sizes)
    return _Needs(requests, limited, size)


def _serves(chains: Sequence[Reaches]) -> str:
    """The oldest session that can be had, of all that a session needs."""
    reach = max((chain.oldest for chain in chains), key=lambda reach: reach.served)
    if not reach.served:
        return f"{reach.days[0]} and later, as far as was asked"
    return reach.words


def _parts(pipeline: Pipeline) -> list[Pipeline]:
    return [part for part in (pipeline.beside, pipeline) if part is not None]


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
