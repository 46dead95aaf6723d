"""What the settings ask for -> the rungs of the ladder: which series is judged, and from whom.

DARK_POOL_ONLY with trades files: off-exchange bars counted from every trade. Without them: FINRA's
off-exchange volume beside prices of all venues. Without either: volume of all venues, and every
digest says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.outside import Outside
from bot.settings import Settings
from bot.sources import NotConfigured, Sources
from core.bars import Family, Scope, Series
from core.conditions import Rules
from core.db import Db
from core.headlines import Newsstand
from core.ledger import Ledger, finished_series
from core.pipeline import Pipeline, Publish
from core.progress import Told
from core.sources import Chain, Source
from core.sources.flatfiles import DayAggsSource
from core.sources.rest import RestSource
from core.sources.sample import SampleSource
from core.sources.sample_market import SampleMarket
from core.store import Store
from core.universe import Census

WITHOUT_TRADES = "without trades files there are no trade counts, no blocks and no extended hours"
ALL_VENUES_ONLY = (
    "DARK_POOL_ONLY is set, but no off-exchange volume could be had: this is the volume of all"
    " venues"
)
DAY_BARS_ONLY = "USE_TRADES_FILES is set, but no trades file could be read: these are day bars"


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
    store: Store

    def build(self, rules: Rules) -> list[Pipeline]:
        """The rungs, best first."""
        if self.settings.sample:
            return [self._sample(rules)]
        return list(self._real(rules))

    async def retired(self, rungs: Sequence[Pipeline]) -> list[Pipeline]:
        """Series of earlier settings or rules in which sessions were finished."""
        working = {rung.series.key for rung in rungs}
        old = [Series.of_key(k) for k in await finished_series(self.db) if k not in working]
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

    @property
    def sources(self) -> Sources:
        """What the pipelines are made of."""
        return Sources(self.settings, self.outside, self.now, self.told)

    def _sample(self, rules: Rules) -> Pipeline:
        market = SampleMarket()
        plain = SampleSource(market)
        if not self.settings.dark_pool_only:
            return self._pipeline([plain], plain)
        tape = self.sources.sample_trades(market, rules)
        return replace(self._pipeline([tape], plain), other=plain.series)

    def _real(self, rules: Rules) -> Iterator[Pipeline]:
        asked, off = self.settings.use_trades_files, self.settings.dark_pool_only
        daily = self._pipeline(self.sources.daily(), self.outside.rest)
        if asked:
            trades = self.sources.trades(rules, Scope.OFF_EXCHANGE if off else Scope.ALL)
            rung = self._pipeline([trades], self.outside.rest)
            yield replace(rung, other=trades.series.other_scope)
        if off and (free := self.sources.free()):
            rung = self._pipeline(free, self.outside.rest)
            yield replace(rung, notices=(WITHOUT_TRADES,), other=daily.series, beside=daily)
        said = (ALL_VENUES_ONLY,) if off else (DAY_BARS_ONLY,) if asked else ()
        yield replace(daily, notices=said)

    def _pipeline(
        self, sources: Sequence[Source], splits: RestSource | SampleSource | None
    ) -> Pipeline:
        return Pipeline(
            self.db,
            self.store,
            Ledger(self.db, sources[0].series),
            Chain(sources),
            splits,
            self.publish,
            self.settings.rule,
            self.now,
            census=self.census,
            newsstand=self.newsstand,
        )
