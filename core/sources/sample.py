"""The built-in market as a source: invented numbers in the vendor's own formats, no key needed."""

import asyncio
import os
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from core.bars import Bars, Family, Scope, Series
from core.calendar import FIRST_DAY, TradingDay, sessions
from core.conditions import Rules
from core.sources import Served
from core.sources.day_aggs import parse
from core.sources.errand import run
from core.sources.sample_job import SampleJob, unpacked
from core.sources.sample_market import SampleMarket
from core.splits import Split

_MOST_PROCESSES = 4


class SampleSource:
    """Reads the built-in market's files through the same parser as the vendor's."""

    name = "built-in sample market"
    oldest = FIRST_DAY
    series = Series(Scope.ALL, Family.SAMPLE)

    def __init__(self, market: SampleMarket) -> None:
        self._market = market

    async def bars(self, day: TradingDay) -> Served:
        """Every session since the calendar's first is there."""
        return Served(await asyncio.to_thread(self._bars, day), self.name)

    async def version(self, day: TradingDay) -> str | None:
        """The sample never changes."""
        return None

    async def splits(self, first: date, last: date) -> list[Split]:
        """Every split executed from first to last, both included."""
        return await asyncio.to_thread(self._market.splits, first, last)

    def _bars(self, day: TradingDay) -> Bars:
        return parse(self._market.day_aggs(day), day)


class SampleTradesSource:
    """Counts the built-in market's trades the way the vendor's are counted.

    To invent a session of trades takes most of a second, and a first start needs 82: so they are
    made in processes beside this one, and for who asks for one after another some in advance.
    """

    name = SampleSource.name
    oldest = FIRST_DAY
    series = Series(Scope.OFF_EXCHANGE, Family.SAMPLE)

    def __init__(
        self, market: SampleMarket, rules: Rules, cache: Path | None = None, *, ahead: int = 10
    ) -> None:
        """`ahead`: so many sessions for each process."""
        self._market, self._rules, self._cache, self._ahead = market, rules, cache, ahead
        self._made: dict[TradingDay, bytes] = {}
        self._next: TradingDay | None = None

    async def bars(self, day: TradingDay) -> Served:
        """Every session since the calendar's first is there; so are the bars of all venues."""
        made = self._made
        if day not in made:
            made = self._made = await self._make(self._wanted(day))
        self._next = _from(day, 2)[1]
        return await asyncio.to_thread(self._served, made[day], day)

    def _served(self, packed: bytes, day: TradingDay) -> Served:
        # As in core.sources.trades: it loads numpy.
        from core.sources.tape_served import served

        own = self.series
        return served(packed, day, own, own.other_scope, self.name, None)

    async def version(self, day: TradingDay) -> str | None:
        """The sample never changes."""
        return None

    def _wanted(self, day: TradingDay) -> list[TradingDay]:
        return _from(day, self._ahead * _processes()) if day == self._next else [day]

    async def _make(self, days: Sequence[TradingDay]) -> dict[TradingDay, bytes]:
        """What was counted for each day; raises SourceUnavailable."""
        shares = [days[n :: _processes()] for n in range(min(_processes(), len(days)))]
        jobs = [SampleJob(self._market.seed, tuple(share), self._rules) for share in shares]
        try:
            async with asyncio.TaskGroup() as tasks:
                made = [tasks.create_task(run(job, self._cache, lambda *_: None)) for job in jobs]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return {
            day: one
            for share, task in zip(shares, made, strict=True)
            for day, one in zip(share, unpacked(task.result()), strict=True)
        }


def _from(day: TradingDay, count: int) -> list[TradingDay]:
    return sessions(day.date, day.date + timedelta(days=2 * count + 7))[:count]


def _processes() -> int:
    return min(os.cpu_count() or 1, _MOST_PROCESSES)
