"""One trading day on one page: fetch -> gate -> store -> judge -> publish -> finish."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

import polars as pl

from core.anomaly import Rule
from core.bars import check
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, event_days, last_complete, sessions_ending
from core.db import Connection, Db, insert
from core.detect import anomalies, market, score
from core.errors import BadBars, HeldBars, NotPublished, SourceError
from core.gate import HISTORY_COLUMNS, HISTORY_SESSIONS, possible, screen
from core.judged import Judged
from core.ledger import Entry, Ledger, Status
from core.sources import Chain, NoneServed, Served
from core.splits import Split
from core.store import Store

logger = logging.getLogger(__name__)

REVISIT_SESSIONS = 5
"""A file republished within so many sessions is a new revision."""

_ABSENT_AFTER_SESSIONS = 3


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

    async def trading_day(self, day: TradingDay, *, announce: bool) -> Entry:
        """Bring a session as far as it goes; a finished one stays as it is. Raises NoneServed.

        A session that is not announced is stored silently: judged when somebody asks.
        """
        entry = await self.ledger.entry(day)
        if entry is None or entry.revision == 0:
            entry = await self.ingest(day)
        announce = announce or entry.announced
        if entry.status is Status.FINISHED and (entry.announced or not announce):
            return entry
        judged = await self.judge(day) if announce else None
        async with self.db.transaction() as writer:
            if judged is not None:
                await self.publish(writer, judged, self.now())
            await self.ledger.finish(writer, day, announced=announce, now=self.now())
        logger.info(
            "session finished",
            extra={"session": str(day), "series": self.ledger.series.key, "source": entry.source}
            | {"rows": entry.row_count, "revision": entry.revision, "announced": announce}
            | {"anomalies": None if judged is None else len(judged.anomalies)},
        )
        return await self._entry(day)

    async def ingest(self, day: TradingDay) -> Entry:
        """Fetch, gate, store. The same bars again change nothing; others are a new revision."""
        before = await self.ledger.entry(day)
        try:
            served = await self.chain.bars(day, self.gate)
        except NoneServed as error:
            await self._not_served(day, error)
            raise
        await self.ledger.log(day, served.refused, self.now())
        if before and before.revision and await self._is_stored(day, served, before.revision):
            # Another source's name for its copy says nothing about the one that was kept.
            version = served.version if served.source == before.source else before.version
            await self.ledger.same_again(day, version, self.now())
            return await self._entry(day)
        return await self._keep(day, served, 1 + (before.revision if before else 0))

    async def revisit(self, day: TradingDay) -> bool:
        """Was this session republished since? Then store, judge and publish the new revision."""
        before = await self.ledger.entry(day)
        if before is None or before.source is None or before.version is None:
            return False
        version = await self.chain.version(day, before.source)
        if version in (None, before.version):
            return False
        after = await self.ingest(day)
        if after.revision == before.revision:
            return False
        await self.trading_day(day, announce=before.announced)
        return True

    async def release(self, day: TradingDay) -> Entry:
        """Take a held session on a person's word, but for the rows that cannot be true."""
        rows = await asyncio.to_thread(self.store.held, self.ledger.series, day)
        if rows is None:
            raise NotPublished(f"nothing is held for {day}")
        before = await self.ledger.entry(day)
        screened = possible(check(rows, day))
        notes = ("held by the gate, released by hand", *screened.notes)
        served = Served(screened.bars, "held rows", notes=notes)
        return await self._keep(day, served, 1 + (before.revision if before else 0))

    async def judge(self, day: TradingDay) -> Judged:
        """The stored session against its lookback; asks for late splits first."""
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        unknown = await self._learn_splits(window[0].date, day.date)
        return await self.judged(day, await self.scores(day), unknown)

    async def scores(self, day: TradingDay) -> pl.DataFrame:
        """core.detect.score of a stored session, from what is on this machine alone."""
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        splits = await self.known_splits(window[0].date, day.date)
        bars = await asyncio.to_thread(self.store.read, self.ledger.series, window)
        return await asyncio.to_thread(score, bars, window, splits, self.rule)

    async def judged(
        self, day: TradingDay, scores: pl.DataFrame, unknown: tuple[str, ...] = ()
    ) -> Judged:
        """The scores with where their bars came from; `unknown` goes into the notes."""
        entry = await self._entry(day)
        found = await asyncio.to_thread(anomalies, scores)
        under = scores.filter("eligible", ~pl.col("alertable")).head(1)
        return Judged(
            session=day.date,
            series=self.ledger.series,
            revision=entry.revision,
            source=entry.source or "",
            refused=entry.refused,
            notes=(*self.notices, *(() if entry.note is None else (entry.note,)), *unknown),
            stored_at=entry.stored_at or self.now(),
            row_count=entry.row_count or 0,
            rule=self.rule,
            market=market(scores),
            anomalies=tuple(found),
            closest=next(iter(anomalies(under, every=True)), None),
        )

    async def gate(self, served: Served, day: TradingDay) -> Served:
        """core.sources.Gate: hold what does not look like the sessions before."""
        before = sessions_ending(day, HISTORY_SESSIONS + 1)[:-1]
        history = await asyncio.to_thread(
            self.store.read, self.ledger.series, before, HISTORY_COLUMNS
        )
        screened = await asyncio.to_thread(
            screen, served.bars, history, special=bool(event_days(day))
        )
        return replace(served, bars=screened.bars, notes=screened.notes)

    async def _keep(self, day: TradingDay, served: Served, revision: int) -> Entry:
        await asyncio.to_thread(self.store.write, self.ledger.series, day, served.bars, revision)
        await asyncio.to_thread(self.store.drop_held, self.ledger.series, day)
        await self.ledger.stored(
            day,
            revision=revision,
            source=served.source,
            version=served.version,
            row_count=len(served.bars),
            refused=served.refused,
            notes=served.notes,
            now=self.now(),
        )
        return await self._entry(day)

    async def _is_stored(self, day: TradingDay, served: Served, revision: int) -> bool:
        # Of the ledger's revision: a crash may have left a later one on disk, never judged.
        stored = await asyncio.to_thread(
            self.store.read_revision, self.ledger.series, day, revision
        )
        return stored.equals(served.bars)

    async def _not_served(self, day: TradingDay, error: NoneServed) -> None:
        """Nothing is stored; what is known about the session is."""
        await self.ledger.log(day, error.refused, self.now())
        weightiest = error.weightiest
        if isinstance(weightiest, HeldBars):
            held = next(e for e in error.causes.values() if isinstance(e, HeldBars))
            await asyncio.to_thread(self.store.hold, self.ledger.series, day, held.rows)
        if isinstance(weightiest, BadBars):
            await self.ledger.held(day, str(error), error.refused, self.now())
        elif isinstance(weightiest, NotPublished) and self._is_past(day):
            await self.ledger.absent(day, str(error), error.refused, self.now())

    def _is_past(self, day: TradingDay) -> bool:
        """So old that a file which is not there will hardly come."""
        return day < sessions_ending(last_complete(self.now()), _ABSENT_AFTER_SESSIONS)[0]

    async def _entry(self, day: TradingDay) -> Entry:
        entry = await self.ledger.entry(day)
        if entry is None:
            raise NotPublished(f"nothing is stored for {day}")
        return entry

    async def _learn_splits(self, first: date, last: date) -> tuple[str, ...]:
        """Ask which splits were executed; what readers must know if nobody can tell."""
        if self.splits is None:
            return ("splits unknown: no source for them without POLYGON_API_KEY",)
        try:
            await self._remember(first, last, await self.splits.splits(first, last))
        except SourceError as error:
            return (f"splits unknown: {error.verdict}",)
        return ()

    async def known_splits(self, first: date, last: date) -> list[Split]:
        """The splits on record from first to last, both included."""
        rows = await self.db.rows(
            "SELECT execution_date, ticker, split_from, split_to FROM splits"
            " WHERE series = ? AND execution_date BETWEEN ? AND ?",
            (self.ledger.series.key, str(first), str(last)),
        )
        return [Split(date.fromisoformat(r[0]), r[1], r[2], r[3]) for r in rows]

    async def _remember(self, first: date, last: date, splits: Sequence[Split]) -> None:
        async with self.db.transaction() as writer:
            # One that was moved to another date, or taken back, would count twice.
            await writer.execute(
                "DELETE FROM splits WHERE series = ? AND execution_date BETWEEN ? AND ?",
                (self.ledger.series.key, str(first), str(last)),
            )
            for s in splits:
                row = {"series": self.ledger.series.key, "ticker": s.ticker}
                row |= {"execution_date": str(s.execution_date)}
                await insert(
                    writer,
                    "splits",
                    row | {"split_from": s.split_from, "split_to": s.split_to},
                    or_="REPLACE",
                )
