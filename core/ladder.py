"""The series a session can be judged from, best first: when one is refused, the next one serves.

Each rung is a pipeline with a baseline of its own, so nothing is ever mixed; a session is announced
from one rung only. A rung that is merely late or out of reach is waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from core.backfill import Step, backfill
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, last_complete, sessions_ending
from core.conditions import Rules, bundled
from core.errors import (
    BadBars,
    NotPublished,
    Refusal,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from core.ledger import Entry, Status
from core.lost import lost
from core.pipeline import Pipeline
from core.schedule import announced, due
from core.sources import NoneServed


@dataclass(slots=True)
class Ladder:
    """Pipelines in order of preference."""

    rungs: Sequence[Pipeline]
    retired: Sequence[Pipeline] = ()
    """Series that other settings, or other rules, had once: to look things up, never to work."""
    rules: Rules = field(default_factory=bundled)
    """By which those of the rungs that count trades do it."""

    @property
    def known(self) -> list[Pipeline]:
        """Every series of which something is stored."""
        return [*self.rungs, *self.retired]

    @property
    def top(self) -> Pipeline:
        """What the settings ask for."""
        return self.rungs[0]

    async def work(
        self,
        wanted: Sequence[TradingDay],
        tell: Sequence[TradingDay],
        now: datetime,
        *,
        late: bool = False,
        again: bool = False,
    ) -> AsyncIterator[Step]:
        """Bring the `wanted` sessions in, oldest first, and say those of `tell`.

        A rung whose sources refuse every session gives way for all of them; otherwise only a
        session to be said goes down, and the next rung fills its own baseline for it. `late`: the
        deadline has passed, so what is not there is not waited for. `again`: ask as well for what
        every source lacked a short time ago.
        """
        left, refused = list(tell), tuple[Refusal, ...]()
        for rung in self.rungs:
            said = [day for day in left if not await self._done_elsewhere(day, rung)]
            # What a better rung still waits for is not to be finished silently on this one.
            waits = set() if rung is self.top else set(tell) - set(left)
            todo = await self._todo(rung, [day for day in wanted if day not in waits], now, again)
            errors, last = dict[date, SourceError | None](), None
            async for step in backfill(rung, todo, said, refused):
                errors[step.day.date], last = step.error, step
                yield step
            # What the last one met is what the sessions that were not tried would have met.
            ended = last.error if last is not None and last.done < last.total else None
            left = [d for d in said if d in todo and _gives_way(errors.get(d.date, ended), late)]
            if not left and not _gives_way(ended, late):
                return
            refused += _refusals(errors.values())

    async def _todo(
        self, rung: Pipeline, wanted: Sequence[TradingDay], now: datetime, again: bool
    ) -> list[TradingDay]:
        at = datetime.max.replace(tzinfo=UTC) if again else now
        return due(wanted, await rung.ledger.entries(wanted), at)

    async def reachable(self, day: TradingDay) -> Pipeline:
        """The rung that can have the session; raises the error of the one that should."""
        for rung in self.rungs[:-1]:
            try:
                await rung.reachable(day)
            except NoneServed as error:
                if not _gives_way(error, late=False):
                    raise
            else:
                return rung
        await self.rungs[-1].reachable(day)
        return self.rungs[-1]

    async def of(self, day: TradingDay) -> Pipeline:
        """Whose bars stand for a session: who announced it, else the first that has them."""
        entries = [(rung, await rung.ledger.entry(day)) for rung in self.known]
        having = [(rung, entry) for rung, entry in entries if entry and entry.revision]
        announced = [rung for rung, entry in having if entry.announced]
        return (announced or [rung for rung, _ in having] or [self.top])[0]

    async def holding(self, day: TradingDay) -> Pipeline:
        """Whose gate holds a session; the top if nobody's does."""
        for rung in self.rungs:
            entry = await rung.ledger.entry(day)
            if entry is not None and entry.status is Status.HELD:
                return rung
        return self.top

    async def entry(self, day: TradingDay) -> Entry | None:
        """The ledger's line that stands for a session."""
        return await (await self.of(day)).ledger.entry(day)

    async def is_lost(self, day: TradingDay) -> bool:
        """Are the bars gone of a session that is stored? BarsAway where nobody can tell."""
        pipeline = await self.of(day)
        return bool(await lost(pipeline.store, pipeline.ledger, [day]))

    async def entries(self, days: Sequence[TradingDay]) -> dict[date, Entry]:
        """The lines of the sessions between the first and the last of `days`, by date."""
        found: dict[date, Entry] = {}
        for rung in self.known:
            for on, entry in (await rung.ledger.entries(days)).items():
                if on not in found or _weight(entry) > _weight(found[on]):
                    found[on] = entry
        return found

    async def newest(self, status: Status, until: date | None = None) -> Entry | None:
        """The newest session of a status on any rung."""
        found = [await rung.ledger.newest(status, until) for rung in self.known]
        return max((e for e in found if e), key=lambda e: (e.day, e.announced), default=None)

    async def owed(self, newest: TradingDay) -> list[TradingDay]:
        """The sessions worth a message, oldest first: while none was ever announced, only those
        that were not over when the first of a lookback came in.

        What a backfill has read of older ones says nothing of when that was.
        """
        if await self.newest_said() is not None:
            return announced(newest)
        since = sessions_ending(newest, LOOKBACK_SESSIONS)[0].date
        begun = [at for rung in self.known if (at := await rung.ledger.begun(since))]
        first = min(newest, last_complete(min(begun))) if begun else newest
        return [day for day in announced(newest) if day >= first]

    async def newest_said(self) -> date | None:
        """The newest session that was announced on any rung."""
        found = [await rung.ledger.newest_said() for rung in self.known]
        return max((day for day in found if day), default=None)

    async def span(self) -> tuple[date, date] | None:
        """The first and the last session stored on any rung."""
        found = [span for rung in self.known if (span := await rung.ledger.span())]
        return (min(s[0] for s in found), max(s[1] for s in found)) if found else None

    async def compact(self) -> None:
        """Bars by ticker as well (core.quarters), of every series that is stored."""
        # Two rungs may stand beside the same series.
        stored = {s: p.store for p in self.known for s in (p.series, p.other) if s is not None}
        for series, store in stored.items():
            await asyncio.to_thread(store.compact, series)

    def ask_all_again(self) -> None:
        """A new round: sources that refused everything get another chance."""
        for rung in self.rungs:
            rung.ask_all_again()

    async def _done_elsewhere(self, day: TradingDay, here: Pipeline) -> bool:
        """Was the session said from another series, or was it history there?"""
        entries = [await rung.ledger.entry(day) for rung in self.known if rung is not here]
        return any(entry.status is Status.FINISHED for entry in entries if entry)


def _weight(entry: Entry) -> tuple[bool, bool]:
    return entry.announced, entry.revision > 0


def _gives_way(error: SourceError | None, late: bool) -> bool:
    """Is it no use to wait for this rung?"""
    cause = getattr(error, "weightiest", error)
    waited_for = (NotPublished, SourceUnavailable)
    return isinstance(cause, (SourceRefused, BadBars, *(waited_for if late else ())))


def _refusals(errors: Iterable[SourceError | None]) -> tuple[Refusal, ...]:
    """Who refused, once each, the newest word of each."""
    asked = [r for error in errors if isinstance(error, NoneServed) for r in error.refused]
    return tuple({r.source: r for r in asked}.values())
