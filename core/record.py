"""What is stored of a series, read for judging: bars, splits, measured sessions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from core.anomaly import VERSION, Rule
from core.bars import BARS, Series
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.context import PRICES, in_context, usual_share
from core.db import Db
from core.detect import score
from core.judged import Listing
from core.listings import listings
from core.measure import HISTORY, RECENT_SESSIONS, Known, Window, measure
from core.renames import follow
from core.splits import Split
from core.store import Store
from core.universe import Universe


@dataclass(frozen=True, slots=True)
class Record:
    """One series on this machine; asks nobody else."""

    db: Db
    store: Store
    series: Series
    other: Series | None = None
    """The other scope of the same sessions, for prices of all venues and the off-exchange share."""

    async def bars(
        self, days: Sequence[TradingDay], columns: Sequence[str] = tuple(BARS)
    ) -> pl.DataFrame:
        """The stored rows of the sessions, in context with the other scope."""
        return await asyncio.to_thread(self._bars, days, columns)

    def _bars(self, days: Sequence[TradingDay], columns: Sequence[str]) -> pl.DataFrame:
        own = self.store.read(self.series, days, list(columns))
        if self.other is None:
            return own
        prices = [column for column in columns if column in PRICES]
        other = self.store.read(self.other, days, ["session", "ticker", *prices, "volume"])
        return in_context(own, other, self.series.scope)

    async def splits(self, first: date, last: date) -> list[Split]:
        """Those on record from first to last, both included."""
        rows = await self.db.rows(
            "SELECT execution_date, ticker, split_from, split_to FROM splits"
            " WHERE series = ? AND execution_date BETWEEN ? AND ?",
            (self.series.key, str(first), str(last)),
        )
        return [Split(date.fromisoformat(r[0]), r[1], r[2], r[3]) for r in rows]

    async def scores(self, day: TradingDay, rule: Rule) -> pl.DataFrame:
        """core.detect.score of a stored session."""
        measured, types = await self.measured(day), await Universe(self.db).types()
        return await asyncio.to_thread(score, measured, rule, types)

    async def listings(self, day: TradingDay) -> pl.DataFrame:
        """core.listings of a stored session, verified renames followed."""
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        renames = await Universe(self.db).renames(window[0].date, day.date)
        bars = await self.bars(window, ("session", "ticker", "close", "volume"))
        return await asyncio.to_thread(lambda: listings(follow(bars, renames, day.date), window))

    async def new(self, day: TradingDay, scores: pl.DataFrame) -> tuple[Listing, ...]:
        """Tickers in their first session that a digest may name, most traded first."""
        first = (await self.listings(day)).filter(first=day.date)
        named = scores.filter("pass_kind", "pass_dollars").select("ticker")
        found = first.join(named, on="ticker", how="semi", maintain_order="left")
        return tuple(Listing(*row) for row in found.select("ticker", "dollar_volume").iter_rows())

    async def measured(self, day: TradingDay) -> pl.DataFrame:
        """core.measure.measure of a stored session: read if it was measured from the same before.

        Where the other scope is known, with the columns share and usual_share.
        """
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        splits = await self.splits(window[0].date, day.date)
        renames = await Universe(self.db).renames(window[0].date, day.date)
        known = Known(tuple(sorted(splits)), tuple(renames))
        return await asyncio.to_thread(self._measured, window, known)

    def _measured(self, window: Sequence[TradingDay], known: Known) -> pl.DataFrame:
        both = [self.series, *([self.other] if self.other else [])]
        made_of = self.store.state(both, window, f"{VERSION} {known!r}")
        kept = self.store.measured(self.series, window[-1], made_of)
        if kept is not None:
            return kept
        bars = Window(self._bars(window, HISTORY), self._bars(window[-RECENT_SESSIONS:], [*BARS]))
        found = measure(bars, window, known)
        if self.other is not None:
            usual = usual_share(follow(bars.history, known.renames, window[-1].date))
            found = found.join(usual, on="ticker", how="left", maintain_order="left")
        self.store.keep_measured(self.series, window[-1], made_of, found)
        return found
