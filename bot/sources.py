"""Which sources the settings ask for, over the connections that are open."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.outside import Outside
from bot.settings import Settings
from core.bars import Family, Scope, Series
from core.calendar import TradingDay
from core.conditions import Rules
from core.errors import SourceRefused, Verdict
from core.progress import Told
from core.sources import Served, Source
from core.sources.flatfiles import DayAggsSource
from core.sources.sample import SampleSource, SampleTradesSource
from core.sources.sample_market import SampleMarket
from core.sources.trades import TradesSource


@dataclass(frozen=True, slots=True)
class NotConfigured:
    """A source that was asked for and has no credentials: refuses in words."""

    name: str
    missing: str
    series: Series

    async def bars(self, day: TradingDay) -> Served:
        """Raises SourceRefused."""
        raise SourceRefused(self.missing, Verdict.NOT_CONFIGURED)

    async def version(self, day: TradingDay) -> str | None:
        """It has none."""
        return None


@dataclass(frozen=True, slots=True)
class Sources:
    """Makes them; anew when the sale-condition rules change."""

    settings: Settings
    outside: Outside
    now: Callable[[], datetime]
    told: Told

    def every(self, rules: Rules) -> Iterator[Source]:
        """All that these settings may ask, in no order."""
        if self.settings.sample:
            market = SampleMarket()
            yield from (SampleSource(market), self.sample_trades(market, rules))
            return
        yield from self.daily()
        yield from self.free()
        for scope in Scope:
            yield self.trades(rules, scope)

    def daily(self) -> list[Source]:
        """Volume of all venues, best first."""
        rest = self.outside.rest
        files: Source | None = None
        if self.outside.reader is not None:
            files = DayAggsSource(self.outside.reader, self.now)
        elif self.settings.use_flat_files:
            files = self._not_configured(DayAggsSource.name, DayAggsSource.series)
        order = [files, rest] if self.settings.use_flat_files else [rest, files]
        return [source for source in order if source is not None]

    def free(self) -> list[Source]:
        """Off-exchange volume that no plan has to have, best first."""
        return [s for s in (self.outside.finra, self.outside.short_volume) if s is not None]

    def trades(self, rules: Rules, scope: Scope) -> Source:
        """Bars counted from every trade."""
        reader, access = self.outside.reader, self.outside.access
        if reader is None or access is None:
            series = Series(scope, Family.TRADES, rules=rules.version)
            return self._not_configured(TradesSource.name, series)
        return TradesSource(
            reader,
            access,
            self.now,
            rules=rules,
            scope=scope,
            cache=self.cache,
            told=self.told,
        )

    def sample_trades(self, market: SampleMarket, rules: Rules) -> SampleTradesSource:
        """The built-in market's trades."""
        return SampleTradesSource(market, rules, self.cache)

    def _not_configured(self, name: str, series: Series) -> NotConfigured:
        return NotConfigured(name, self.settings.flat_files_missing, series)

    @property
    def cache(self) -> Path:
        """Where compiled code is kept."""
        return self.settings.data_dir / "cache"
