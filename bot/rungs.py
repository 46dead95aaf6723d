"""What the settings ask for -> the rungs of the ladder: which series is judged, and from whom.

DARK_POOL_ONLY with trades files: off-exchange bars counted from every trade. Without them: FINRA's
off-exchange volume beside prices of all venues. Without either: volume of all venues, and every
digest says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bot.settings import Settings
from core.bars import Family, Scope, Series
from core.calendar import TradingDay
from core.conditions import Rules
from core.db import Db
from core.errors import SourceRefused, Verdict
from core.headlines import Newsstand
from core.ledger import Ledger
from core.pipeline import Pipeline, Publish
from core.progress import Told
from core.sources import Chain, Served, Source
from core.sources.finra import FinraSource
from core.sources.flatfiles import DayAggsSource
from core.sources.rest import RestSource
from core.sources.s3 import S3Access, S3Reader
from core.sources.sample import SampleSource, SampleTradesSource
from core.sources.sample_market import SampleMarket
from core.sources.short_volume import ShortVolumeSource
from core.sources.trades import TradesSource
from core.store import Store
from core.universe import Census

WITHOUT_TRADES = "without trades files there are no trade counts, no blocks and no extended hours"
ALL_VENUES_ONLY = (
    "DARK_POOL_ONLY is set, but no off-exchange volume could be had: this is the volume of all"
    " venues"
)
DAY_BARS_ONLY = "USE_TRADES_FILES is set, but no trades file could be read: these are day bars"


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
class Outside:
    """Every connection that is open; None where there are no credentials."""

    rest: RestSource | None
    short_volume: ShortVolumeSource | None
    finra: FinraSource | None
    access: S3Access | None
    reader: S3Reader | None


@dataclass(frozen=True, slots=True)
class Rungs:
    """Builds the pipelines; anew when the sale-condition rules change."""

    settings: Settings
    outside: Outside
    db: Db
    publish: Publish
    now: Callable[[], datetime]
    told: Told
    census: Census
    newsstand: Newsstand

    def build(self, rules: Rules) -> list[Pipeline]:
        """The rungs, best first."""
        if self.settings.sample:
            return [self._sample(rules)]
        return list(self._real(rules))

    async def retired(self, rungs: Sequence[Pipeline]) -> list[Pipeline]:
        """Series of earlier settings or rules in which sessions were finished."""
        working = {rung.series.key for rung in rungs}
        rows = await self.db.rows("SELECT DISTINCT series FROM sessions WHERE status = 'finished'")
        old = [Series.of_key(row["series"]) for row in rows if row["series"] not in working]
        # Invented numbers and real ones never meet.
        return [
            self._retired(s) for s in old if (s.family is Family.SAMPLE) == self.settings.sample
        ]

    def _retired(self, series: Series) -> Pipeline:
        source = NotConfigured("an earlier series", "the settings or the rules changed", series)
        other = series.other_scope
        if series.family is Family.FINRA:
            other = DayAggsSource.series
        known = None if series.family is Family.DAILY else other
        return replace(self._pipeline([source], self.outside.rest), other=known)

    def _sample(self, rules: Rules) -> Pipeline:
        market = SampleMarket()
        plain = SampleSource(market)
        if not self.settings.dark_pool_only:
            return self._pipeline([plain], plain)
        tape = SampleTradesSource(market, rules, self.cache)
        return replace(self._pipeline([tape], plain), other=plain.series)

    def _real(self, rules: Rules) -> Iterator[Pipeline]:
        asked, off = self.settings.use_trades_files, self.settings.dark_pool_only
        daily = self._pipeline(self._daily(), self.outside.rest)
        if asked:
            trades = self._trades(rules, Scope.OFF_EXCHANGE if off else Scope.ALL)
            rung = self._pipeline([trades], self.outside.rest)
            yield replace(rung, other=trades.series.other_scope)
        free = [s for s in (self.outside.finra, self.outside.short_volume) if s is not None]
        if off and free:
            rung = self._pipeline(free, self.outside.rest)
            yield replace(rung, notices=(WITHOUT_TRADES,), other=daily.series, beside=daily)
        said = (ALL_VENUES_ONLY,) if off else (DAY_BARS_ONLY,) if asked else ()
        yield replace(daily, notices=said)

    def _pipeline(
        self, sources: Sequence[Source], splits: RestSource | SampleSource | None
    ) -> Pipeline:
        return Pipeline(
            self.db,
            Store(self.settings.data_dir),
            Ledger(self.db, sources[0].series),
            Chain(sources),
            splits,
            self.publish,
            self.settings.rule,
            self.now,
            census=self.census,
            newsstand=self.newsstand,
        )

    def _daily(self) -> list[Source]:
        rest = self.outside.rest
        files: Source | None = None
        if self.outside.reader is not None:
            files = DayAggsSource(self.outside.reader, self.now)
        elif self.settings.use_flat_files:
            files = self._not_configured(DayAggsSource.name, DayAggsSource.series)
        order = [files, rest] if self.settings.use_flat_files else [rest, files]
        return [source for source in order if source is not None]

    def _trades(self, rules: Rules, scope: Scope) -> Source:
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

    def _not_configured(self, name: str, series: Series) -> NotConfigured:
        return NotConfigured(name, self.settings.flat_files_missing, series)

    @property
    def cache(self) -> Path:
        """Where compiled code is kept."""
        return self.settings.data_dir / "cache"
