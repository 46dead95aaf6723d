"""Sessions of a backfill that somebody began and did not end: they wait again.

Whoever died, or met a full disk, between a session's file and its line in the ledger has left bars
that no ledger knows. Nobody may come to look at them again (the job is cancelled, the source has
taken them back), so before the sessions wait their files are put back as the ledger has them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date

from core.calendar import TradingDay, trading_day
from core.jobs import Job, Jobs, Unit
from core.keep import Keeper
from core.ladder import Ladder
from core.turn import Turn
from core.unworked import Unworked


@dataclass(frozen=True, slots=True)
class Begun:
    """Of any job; for whoever is alone at the backfill. Each may raise OSError: then they are still
    `running`, and the next one who asks has them wait."""

    jobs: Jobs
    ladder: Ladder
    turn: Turn

    async def interrupted(self) -> None:
        """What a dead process was working on waits again, unless it has died of it too often."""
        await self._settle()
        await self.jobs.interrupted()

    async def give_back(self, job: Job) -> None:
        """Every session that is under way waits as if nobody had begun it."""
        await self._settle()
        await Unworked(self.jobs.db).give_back(job)

    async def then(self, job: Job, after: Callable[[Job], Awaitable[bool]]) -> bool:
        """What comes after a job; before that nothing of it is under way."""
        await self.give_back(job)
        return await after(job)

    async def _settle(self) -> None:
        rows = await self.jobs.db.rows(
            "SELECT DISTINCT session FROM job_sessions WHERE state = ?", (Unit.RUNNING,)
        )
        for row in rows:
            day = trading_day(date.fromisoformat(row["session"]))
            for keeper in self._keepers():
                # The turn may be long in coming, and hardly ever is there anything to do in it.
                if await self._is_ahead(keeper, day):
                    async with self.turn():
                        await keeper.settled(day)

    async def _is_ahead(self, keeper: Keeper, day: TradingDay) -> bool:
        entry, series = await keeper.ledger.entry(day), keeper.ledger.series
        if entry is None or not entry.revision:
            return False
        return await asyncio.to_thread(keeper.store.is_ahead, series, day, entry.revision)

    def _keepers(self) -> Iterator[Keeper]:
        """Of each series that is known: a session is stored with those beside it."""
        known = {s: p for p in self.ladder.known for s in (p.series, p.other) if s is not None}
        for series, one in known.items():
            yield Keeper(one.store, one.ledger.of(series), one.now)
