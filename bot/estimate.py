"""The plan of a backfill: what is there, what would be read, what that costs, how far back it goes.

Asks the sources little: a few sizes, one old session, versions of a few stored ones.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from statistics import fmean

from bot.patience import SURE_AFTER
from bot.reach import NOT_THERE, Looked, Part, Reach, Reaches, reaches
from bot.stale import stale
from bot.turns import Turns
from core.calendar import TradingDay, last_complete
from core.errors import Verdict
from core.jobs import Jobs, Policy
from core.ledger import Entry
from core.pipeline import Pipeline
from core.plan import Plan, Sorted, sort_out
from core.sources import Source
from core.sources.rest import SPLITS_A_PAGE, RestSource
from core.sources.short_volume import ShortVolumeSource
from core.sources.window import OUTSIDE_AFTER
from core.tried import failed_before, pace_of_series_s

_FEW_CALLS = 30
_ASKED_ANEW_AFTER_S = 60.0
_BUSY = "The sources are being asked for other plans just now; please ask again in a minute"
LIMITED = (RestSource, ShortVolumeSource)
"""Whose calls the vendor's plan counts."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Makes plans."""

    jobs: Jobs
    calls_per_minute: int | None
    """The backfill's share of the vendor's limit; None without one."""
    workers: Callable[[], int]
    """Blocking: how many sessions are read at once. Raises OSError in words if nobody is there."""
    patience_s: float = 6.0
    """So long the sources have to answer."""
    clock: Callable[[], float] = time.monotonic
    _turns: Turns = field(default_factory=lambda: Turns(_BUSY), init=False)
    """Anybody may ask for a plan, and the vendor's calls are few."""
    _known: dict[object, tuple[float, "_Answers"]] = field(default_factory=dict, init=False)
    """What the sources said a moment ago, by what they were asked."""

    async def plan(
        self, pipeline: Pipeline, days: Sequence[TradingDay], policy: Policy, words: str = "", *,
        newest_first: bool = True,
    ) -> Plan:  # fmt: skip
        """For the sessions `days` of a series. A source that cannot tell is a note, no error."""
        entries = await pipeline.entries(days)
        known = await self.sorted(pipeline, days, entries)
        to_read = known.to_read(policy)
        complete = [entries[day.date] for day in known.complete]
        answers, (workers, nobody) = await asyncio.gather(
            self._asked(pipeline, complete, to_read or days), self._at_work()
        )
        (others, notes), chains = answers.stale, answers.chains
        needs = _all_of(chains if to_read else [], newest_first=newest_first)
        needs = needs.besides(await self._pages(pipeline, days) if to_read else 0)
        limit = self.calls_per_minute if needs.limited else None
        reads = (len(to_read) - needs.beyond) / workers
        return Plan(
            first=days[0].date,
            last=days[-1].date,
            policy=policy,
            total=len(days),
            complete=len(known.complete),
            stale=others,
            missing=len(known.missing),
            failed=tuple(known.failed.values()),
            to_read=tuple(to_read),
            sources=tuple(s.name for p in _parts(pipeline) for s in p.chain.sources),
            served_by=tuple(chain.words for chain in chains),
            requests=needs.requests,
            calls_per_minute=limit,
            bytes=needs.bytes,
            seconds=await self._seconds(pipeline, reads, needs.limited, limit),
            serves=_serves(chains),
            beyond=needs.beyond,
            asked_beyond=needs.asked_beyond,
            why_beyond=needs.why_beyond,
            notes=(*notes, *nobody, *(r.seen for chain in chains for r in chain.every if r.seen)),
            words=words,
        )

    async def sorted(
        self, pipeline: Pipeline, days: Sequence[TradingDay], entries: Mapping[date, Entry]
    ) -> Sorted:
        """Sessions by what became of them; `entries`: the ledger's lines."""
        span = days[0].date, days[-1].date
        before = await failed_before(self.jobs.db, pipeline.series.key, *span)
        return sort_out(days, entries, before, await pipeline.lacks(days))

    async def _asked(
        self, pipeline: Pipeline, stored: Sequence[Entry], days: Sequence[TradingDay]
    ) -> "_Answers":
        """One plan at a time; who asks for the same within a minute is told the same."""
        copies = tuple((entry.day, entry.revision) for entry in stored)
        question = (pipeline.series.key, copies, tuple(days))
        async with self._turns.one():
            now = self.clock()
            for old in [q for q, (at, _) in self._known.items() if now - at > _ASKED_ANEW_AFTER_S]:
                del self._known[old]
            if question not in self._known:
                told, chains = await asyncio.gather(
                    stale(pipeline.chain, stored, self.patience_s),
                    asyncio.gather(*(self._reaches(part, days) for part in _parts(pipeline))),
                )
                self._known[question] = self.clock(), _Answers(told, chains)
            return self._known[question][1]

    async def _pages(self, pipeline: Pipeline, days: Sequence[TradingDay]) -> int:
        """Calls for the splits, which every job asks for: at least one, by how many are known."""
        if not isinstance(pipeline.splits, RestSource):
            return 0
        known = await self.jobs.db.row(
            "SELECT count(*) AS many FROM splits WHERE execution_date BETWEEN ? AND ?"
            " GROUP BY series ORDER BY many DESC LIMIT 1",
            (str(days[0]), str(days[-1])),
        )
        return 1 + (known["many"] - 1 if known else 0) // SPLITS_A_PAGE

    async def _seconds(
        self, pipeline: Pipeline, each_reads: float, calls: int, limit: int | None
    ) -> float | None:
        each = await pace_of_series_s(self.jobs.db, pipeline.series.key)
        worked = None if each is None else each * each_reads
        waited = 60 * calls / limit if limit else None
        known = [seconds for seconds in (worked, waited) if seconds is not None]
        return max(known) if known else None

    async def _at_work(self) -> tuple[int, Sequence[str]]:
        """How many sessions are read at once, and what to say if nobody is there to read them."""
        try:
            async with asyncio.timeout(self.patience_s):
                return await asyncio.to_thread(self.workers), ()
        except TimeoutError:
            seen = f"the workers were not counted in {self.patience_s:g} s"
        except OSError as error:
            seen = str(error)
        return 1, [f"{seen}; the time is that of one worker"]

    async def _reaches(self, pipeline: Pipeline, days: Sequence[TradingDay]) -> Reaches:
        sources = pipeline.chain.sources
        limit = self.calls_per_minute
        # One that is refused is asked for another session as well: two calls.
        few = None if limit is None or limit >= _FEW_CALLS else max(1, limit // 2 - 1)
        probes = [few if isinstance(source, LIMITED) else None for source in sources]
        now = self.jobs.now()
        known = await pipeline.ledger.serving(now)
        return await reaches(sources, days, probes, self.patience_s, last_complete(now), known)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the sources said."""

    stale: tuple[int, Sequence[str]]
    """How many stored sessions are, and what to say of that."""
    chains: Sequence[Reaches]
    """How far back each part reaches."""


@dataclass(frozen=True, slots=True)
class _Needs:
    requests: int
    limited: int
    """Those that are calls of the vendor's limit, of `asked_beyond` as well."""
    bytes: float | None
    beyond: int
    """Sessions that nobody serves; what asking for them takes is not in the others."""
    asked_beyond: int
    why_beyond: str
    """What the sources say of those sessions."""

    def besides(self, calls: int) -> "_Needs":
        """With so many calls that belong to no session."""
        # Alone they tell nothing of the time, nor are all the others so few a minute.
        limited = self.limited + calls if self.limited else 0
        return replace(self, requests=self.requests + calls, limited=limited)


def _all_of(chains: Sequence[Reaches], *, newest_first: bool) -> _Needs:
    """What it takes to read every part of the sessions, in the order in which a job reads them."""
    needs, lacking = list[_Needs](), 0
    for chain in chains:
        # Of a session that lacks a part nobody is asked for the next one.
        needs.append(_needs(chain, lacking, newest_first=newest_first))
        lacking = max(lacking, chain.beyond)
    least = max(needs, key=lambda need: need.beyond, default=None)
    sized = [need.bytes for need in needs if need.bytes is not None]
    return _Needs(
        sum(need.requests for need in needs),
        sum(need.limited for need in needs),
        sum(sized) if sized else None,
        least.beyond if least else 0,
        sum(need.asked_beyond for need in needs),
        least.why_beyond if least else "",
    )


def _needs(chain: Reaches, lacking: int, *, newest_first: bool) -> _Needs:
    """What it takes to read all that is served, each session by the first that may have it.

    A job asks for what nobody serves as well, of each source in turn, until it has seen it. It does
    not come to the `lacking` oldest sessions.
    """
    requests = limited = 0
    size: float | None = None
    for part in chain.likely:
        many, source = _many(part, lacking), part.reach.source
        requests += many * _each(source)
        limited += many if isinstance(source, LIMITED) else 0
        if many and part.reach.sizes:
            size = (size or 0.0) + many * fmean(part.reach.sizes)
    in_vain, beyond = 0, max(0, chain.beyond - lacking)
    for n, reach in enumerate(chain.every):
        nobodys = _in_vain(reach, beyond, newest_first=newest_first)
        refused = beyond + _left_to(chain.every[n + 1 :], chain, reach, lacking)
        more = _in_vain(reach, refused, newest_first=newest_first)
        in_vain += nobodys
        requests += more - nobodys
        limited += more if isinstance(reach.source, LIMITED) else 0
    why = ", ".join(dict.fromkeys(reach.why for reach in chain.every if reach.beyond))
    return _Needs(requests, limited, size, chain.beyond, in_vain, why)


def _many(part: Part, lacking: int) -> int:
    """Its sessions, but for the `lacking` oldest of all."""
    return max(0, part.end - max(part.first, lacking))


def _left_to(lower: Sequence[Reach], chain: Reaches, reach: Reach, lacking: int) -> int:
    """How many sessions those further down serve, once this one has refused them."""
    if not reach.beyond:
        return 0  # it may only be away, and is waited for
    return sum(_many(p, lacking) for p in chain.likely if any(p.reach is one for one in lower))


def _each(source: Source) -> int:
    """Requests for a session: a flat file is looked for, then read."""
    return 2 if isinstance(source, Looked) else 1


def _in_vain(reach: Reach, many: int, *, newest_first: bool) -> int:
    """Requests of a job for the `many` oldest sessions, which this source has not got."""
    if reach.why == NOT_THERE:
        return many
    if reach.why == Verdict.NOT_CONFIGURED:
        return 0
    if reach.seen or newest_first:
        many = min(many, SURE_AFTER if reach.seen else OUTSIDE_AFTER)
    if reach.seen and reach.why != Verdict.PLAN_LACKS_DATA_SET:
        return many  # a wrong key is the answer to whatever is asked first
    # Each refusal has another session asked for: is it the plan's, or the date's?
    return many * 2 * _each(reach.source)


def _serves(chains: Sequence[Reaches]) -> str:
    """The oldest session that can be had, of all that a session needs."""
    lacking = [c.oldest for c in chains if c.oldest.served == len(c.oldest.days)]
    if lacking:
        return lacking[0].words
    return max((c.oldest for c in chains), key=lambda reach: reach.days[reach.served]).since


def _parts(pipeline: Pipeline) -> list[Pipeline]:
    return [part for part in (pipeline.beside, pipeline) if part is not None]
