"""One trading day on one page: fetch -> gate -> store -> judge -> publish -> finish."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

import polars as pl

from core.anomaly import VERSION, Rule
from core.around import plausible
from core.bars import Scope, Series, check, more_than_bars
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.db import Connection, Db, insert
from core.detect import anomalies, lingering, market
from core.errors import NotPublished, Refusal, SourceError
from core.gate import HISTORY_COLUMNS, possible
from core.headlines import Newsstand
from core.judged import Beside, Judged
from core.keep import Keeper, Kept
from core.ledger import Entry, Ledger, Status
from core.lost import lost, on_hand
from core.news import Headlines
from core.record import Record
from core.sources import Chain, NoneServed, Served
from core.splits import Split
from core.store import Store
from core.universe import Census
from core.unknown import UnknownConditions

logger = logging.getLogger(__name__)

REVISIT_SESSIONS = 5
"""A file republished within so many sessions is a new revision."""


class Publish(Protocol):
    """What happens to a judged session; declared here, implemented by whoever tells people."""

    async def __call__(self, writer: Connection, judged: Judged, now: datetime) -> None:
        """Idempotent, and part of the caller's transaction."""


class SplitsSource(Protocol):
    """Knows which splits were executed when."""

    async def splits(self, first: date, last: date) -> list[Split]:
        """Raises SourceError."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One series' way from a source to a published digest."""

    db: Db
    store: Store
    ledger: Ledger
    chain: Chain
    splits: SplitsSource | None
    publish: Publish
    rule: Rule
    now: Callable[[], datetime]
    notices: tuple[str, ...] = ()
    """What every digest must say of the settings."""
    other: Series | None = None
    """The other scope of the same sessions, for prices of all venues and the off-exchange share."""
    census: Census | None = None
    """Who asks whether a ticker that newly trades was renamed."""
    newsstand: Newsstand | None = None
    """Who asks for headlines beside what was found."""
    beside: "Pipeline | None" = None
    """Who stores `other`, where the sources of this series do not bring it along."""

    @property
    def _keeper(self) -> Keeper:
        return Keeper(self.store, self.ledger, self.now)

    @property
    def _unknown(self) -> UnknownConditions:
        return UnknownConditions(self.db)

    @property
    def record(self) -> Record:
        """What is stored of the series, read for judging."""
        return Record(self.db, self.store, self.series, self.other)

    @property
    def series(self) -> Series:
        """Which bars are judged."""
        return self.ledger.series

    async def trading_day(
        self, day: TradingDay, *, announce: bool, refused: tuple[Refusal, ...] = ()
    ) -> Entry:
        """Bring a session as far as it goes; a finished one stays as it is. Raises NoneServed.

        A session that is not announced is stored silently: judged when somebody asks. `refused`:
        better series that were asked before this one.
        """
        entry = await self.stored(day, refused)
        announce = announce or entry.announced
        if entry.status is Status.FINISHED and (entry.announced or not announce):
            return entry
        judged = await self.judge(day, refused) if announce else None
        async with self.db.transaction() as writer:
            if judged is not None:
                await self.publish(writer, judged, self.now())
                await self._unknown.told(writer, self.now())
            await self.ledger.finish(writer, day, announced=announce, now=self.now())
        logger.info(
            "session finished",
            extra={"session": str(day), "series": self.series.key, "source": entry.source}
            | {"rows": entry.row_count, "revision": entry.revision, "announced": announce}
            | {"anomalies": None if judged is None else len(judged.anomalies)},
        )
        return await self._entry(day)

    async def stored(self, day: TradingDay, refused: tuple[Refusal, ...] = ()) -> Entry:
        """The session's bars on disk, those beside it first; fetched if need be."""
        if self.beside is not None:
            await self.beside.stored(day)
        entry = await self.ledger.entry(day)
        return entry if entry and entry.revision else await self.ingest(day, refused)

    async def ingest(self, day: TradingDay, refused: tuple[Refusal, ...] = ()) -> Entry:
        """Fetch, gate, store. The same bars again change nothing; others are a new revision."""
        try:
            served = await self.fetched(day)
        except NoneServed as error:
            await self.not_served(day, error)
            raise
        await self.take(day, served, refused)
        return await self._entry(day)

    async def fetched(self, day: TradingDay, *, waits: bool = False) -> Served:
        """The session's bars, past the gate, as Chain.bars(); nothing is stored."""
        return await self.chain.bars(day, self.gate, waits=waits)

    async def not_served(self, day: TradingDay, error: NoneServed) -> None:
        """What is known of a session that did not come in."""
        await self._keeper.not_served(day, error)

    async def take(
        self,
        day: TradingDay,
        served: Served,
        refused: tuple[Refusal, ...] = (),
        *,
        silently: bool = False,
    ) -> Kept:
        """Store what was fetched; what came of that. `silently`: it is finished by that."""
        await self.ledger.log(day, served.refused, self.now())
        await self._unknown.met(served.unknown, day, self.now())
        keeper = replace(self._keeper, silently=silently)
        return await keeper.keep(day, replace(served, refused=(*refused, *served.refused)))

    async def finish_silently(self, day: TradingDay) -> None:
        """A stored session is history: nothing is said of it, and what was said of it stands."""
        async with self.db.transaction() as writer:
            await self.ledger.finish(writer, day, announced=False, now=self.now())

    async def reachable(self, day: TradingDay) -> None:
        """Can the session be had, whatever the gate says of it? Raises NoneServed."""
        if self.beside is not None:
            await self.beside.reachable(day)
        entry = await self.ledger.entry(day)
        if entry is None or not entry.revision:
            await self.chain.bars(day, _as_it_is)

    def ask_all_again(self) -> None:
        """A new round: sources that refused everything get another chance."""
        self.chain.ask_all_again()
        if self.beside is not None:
            self.beside.ask_all_again()

    async def revisit(self, day: TradingDay) -> bool:
        """Was it republished since, or did a backfill find it so? Then judge and publish that."""
        before = await self.ledger.entry(day)
        left = before is not None and before.announced and before.status is Status.STORED
        if before is None or not (await self._renewed(day) or left):
            return False
        await self.trading_day(day, announce=before.announced)
        return True

    async def _renewed(self, day: TradingDay) -> bool:
        """Is there a revision that was not there before, of these bars or those beside them?"""
        before = await self._keeper.settled(day)
        if before is None or not before.revision:
            return False
        if self.beside is not None and await self.beside._renewed(day):
            await self._keeper.anew(day)
        version = None
        if before.source is not None and before.version is not None:
            version = await self.chain.version(day, before.source)
        if version not in (None, before.version):
            await self._ingest_again(day, before)
        after = await self._entry(day)
        return after.revision != before.revision

    async def _ingest_again(self, day: TradingDay, before: Entry) -> None:
        own = {source.name for source in self.chain.sources}
        above = tuple(r for r in before.refused if r.source not in own)
        await self.ingest(day, above)

    async def release(self, day: TradingDay) -> Entry:
        """Take a held session on a person's word, but for the rows that cannot be true."""
        rows = await asyncio.to_thread(self.store.held, self.series, day)
        if rows is None:
            raise NotPublished(f"nothing is held for {day}")
        if self.other is not None:
            there = await self._keeper.release_other(day, self.other, "held rows")
            if not there and self.series.scope is Scope.OFF_EXCHANGE:
                raise NotPublished(f"the prices of all venues for {day} are not stored")
        screened = possible(check(rows, day, more_than_bars(rows)))
        notes = ("held by the gate, released by hand", *screened.notes)
        await self._keeper.add(day, Served(screened.bars, "held rows", notes=notes))
        return await self._entry(day)

    async def judge(self, day: TradingDay, refused: tuple[Refusal, ...] = ()) -> Judged:
        """The stored session against its lookback; asks for late splits first."""
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        unknown = await self.learn_splits(window[0].date, day.date)
        if self.census is not None:
            await self.census.verify(await self.record.listings(day))
        unknown += await self._unknown.untold()
        scores = await self.record.scores(day, self.rule)
        judged = await self.judged(day, scores, unknown, refused)
        return replace(judged, news=await self._news(day, judged))

    async def _news(self, day: TradingDay, judged: Judged) -> Headlines | None:
        """Headlines of the tickers that may be said; nobody is asked when there is none."""
        names = {a.ticker for a in judged.anomalies}
        if self.newsstand is None or not names:
            return None
        read = await self.newsstand.headlines(day)
        if read is None:
            return None
        found = {t: h for t, h in read.found.items() if t in names}
        return Headlines(found, read.whole, tuple(sorted(names)))

    async def judged(
        self,
        day: TradingDay,
        scores: pl.DataFrame,
        unknown: tuple[str, ...] = (),
        refused: tuple[Refusal, ...] = (),
    ) -> Judged:
        """The scores with where their bars came from; `unknown` goes into the notes."""
        entry = await self._entry(day)
        scope = self.series.scope
        found = await asyncio.to_thread(anomalies, scores, scope)
        under = scores.filter("eligible", ~pl.col("alertable")).head(1)
        asked = {r.source: r for r in (*refused, *entry.refused)}
        return Judged(
            session=day.date,
            series=self.series,
            revision=entry.revision,
            source=entry.source or "",
            refused=tuple(asked.values()),
            notes=(*self.notices, *(() if entry.note is None else (entry.note,)), *unknown),
            stored_at=entry.stored_at or self.now(),
            row_count=entry.row_count or 0,
            rule=self.rule,
            market=market(scores, self.rule),
            anomalies=tuple(found),
            lingering=tuple(lingering(scores, scope)),
            new=await self.record.new(day, scores),
            beside=await self._beside(day),
            detector=VERSION,
            closest=next(iter(anomalies(under, scope, every=True)), None),
        )

    async def _beside(self, day: TradingDay) -> Beside | None:
        entry = await self.beside.ledger.entry(day) if self.beside else None
        return Beside(entry.source, entry.refused) if entry and entry.source else None

    async def gate(self, served: Served, day: TradingDay) -> Served:
        """core.sources.Gate: hold what does not look like the sessions around it."""
        market = None
        if self.beside is not None:
            market = await asyncio.to_thread(self.store.read, self.beside.series, [day])
        return await plausible(served, day, self._history, market)

    async def entries(self, days: Sequence[TradingDay]) -> dict[date, Entry]:
        """The ledger's, but of sessions whose bars are gone: those are to be read again."""
        return await on_hand(self.store, self.ledger, days)

    async def lacks(self, days: Sequence[TradingDay]) -> set[date]:
        """Sessions of which the bars of `other` are gone: read again, though entries() has them."""
        if self.other is None:
            return set()
        return await lost(self.store, self.ledger.of(self.other), days)

    async def _history(self, days: Sequence[TradingDay]) -> pl.DataFrame:
        if self.beside is not None:
            return await self.record.bars(days, HISTORY_COLUMNS)
        return await asyncio.to_thread(self.store.read, self.series, days, HISTORY_COLUMNS)

    async def _entry(self, day: TradingDay) -> Entry:
        entry = await self.ledger.entry(day)
        if entry is None:
            raise NotPublished(f"nothing is stored for {day}")
        return entry

    async def learn_splits(self, first: date, last: date) -> tuple[str, ...]:
        """Ask which splits were executed; what readers must know if nobody can tell."""
        if self.splits is None:
            return ("splits unknown: no source for them without POLYGON_API_KEY",)
        try:
            await self.ask_splits(self.splits, first, last)
        except SourceError as error:
            return (f"splits unknown: {error.verdict}",)
        return ()

    async def ask_splits(self, source: SplitsSource, first: date, last: date) -> None:
        """Put what the source knows of these days in the place of what is on record."""
        await self._remember(first, last, await source.splits(first, last))

    async def _remember(self, first: date, last: date, splits: Sequence[Split]) -> None:
        async with self.db.transaction() as writer:
            # One that was moved to another date, or taken back, would count twice.
            await writer.execute(
                "DELETE FROM splits WHERE series = ? AND execution_date BETWEEN ? AND ?",
                (self.series.key, str(first), str(last)),
            )
            for s in splits:
                row = {"series": self.series.key, "ticker": s.ticker}
                row |= {"execution_date": str(s.execution_date)}
                await insert(
                    writer,
                    "splits",
                    row | {"split_from": s.split_from, "split_to": s.split_to},
                    or_="REPLACE",
                )


async def _as_it_is(served: Served, day: TradingDay) -> Served:
    return served
