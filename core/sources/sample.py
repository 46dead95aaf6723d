"""The built-in market as a source: invented numbers in the vendor's own formats, no key needed."""

import asyncio
from datetime import date

from core.bars import Bars, Family, Scope, Series
from core.calendar import TradingDay
from core.sources import Served
from core.sources.day_aggs import parse
from core.sources.sample_market import SampleMarket
from core.splits import Split


class SampleSource:
    """Reads the built-in market's files through the same parser as the vendor's."""

    name = "built-in sample market"
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
