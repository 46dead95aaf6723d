"""Bars put away: the file on disk first, then the ledger's line. Revisions, held, absent days."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from core.bars import Bars, Series, check, more_than_bars
from core.calendar import TradingDay, last_complete, sessions_ending
from core.errors import BadBars, HeldBars, NotPublished
from core.ledger import Entry, Ledger
from core.sources import NoneServed, Served
from core.store import Store

_ABSENT_AFTER_SESSIONS = 3


@dataclass(frozen=True, slots=True)
class Keeper:
    """The sessions of one series, on disk and in the ledger."""

    store: Store
    ledger: Ledger
    now: Callable[[], datetime]
    silently: bool = False
    """What is stored is history, and finished by that."""

    async def keep(self, day: TradingDay, served: Served) -> bool:
        """Store what was served; did that change anything?

        The same bars again change nothing. Others are a new revision, and so are the same with
        another scope that differs: what was said of the session came from both.
        """
        changed = await self._keep_others(day, served)
        before = await self.settled(day)
        if not before or not before.revision or not await self._is_stored(day, served, before):
            changed = True
        if changed or before is None:
            await self.add(day, served)
        else:
            # Another source's name for its copy says nothing about the one that was kept.
            version = served.version if served.source == before.source else before.version
            await self.ledger.same_again(day, version, self.now())
        return changed

    async def settled(self, day: TradingDay) -> Entry | None:
        """The ledger's line; and what is current on disk is its revision, and none that somebody
        died over before the ledger heard of it. To be called in turn.
        """
        entry = await self.ledger.entry(day)
        if entry is not None and entry.revision:
            series, revision = self.ledger.series, entry.revision
            await asyncio.to_thread(self.store.back_to, series, day, revision)
        return entry

    async def _keep_others(self, day: TradingDay, served: Served) -> bool:
        changed = False
        for series, bars in served.also:
            # The notes are about the series that was asked for.
            own = replace(served, bars=bars, also=(), notes=())
            changed |= await self._of(series).keep(day, own)
        return changed

    def _of(self, series: Series) -> "Keeper":
        return replace(self, ledger=self.ledger.of(series), silently=False)

    async def anew(self, day: TradingDay) -> None:
        """The same bars as a revision of their own: what they are judged with has changed."""
        entry = await self.settled(day)
        if entry is None or entry.source is None:
            return
        read = self.store.read_revision
        rows = await asyncio.to_thread(read, self.ledger.series, day, entry.revision)
        notes = () if entry.note is None else (entry.note,)
        served = Served(
            Bars(rows), entry.source, entry.version, notes, entry.refused, detail=entry.detail
        )
        await self.add(day, served)

    async def release_other(self, day: TradingDay, series: Series, source: str) -> bool:
        """Store another series that was held with a session; is it there now?"""
        rows = await asyncio.to_thread(self.store.held, series, day)
        if rows is not None:
            bars = check(rows, day, more_than_bars(rows))
            await self._of(series).add(day, Served(bars, source))
        return await asyncio.to_thread(self.store.has, series, day)

    async def not_served(self, day: TradingDay, error: NoneServed) -> None:
        """Nothing is stored; what is known about the session is."""
        await self.settled(day)
        await self.ledger.log(day, error.refused, self.now())
        weightiest = error.weightiest
        if isinstance(weightiest, HeldBars):
            held = next(e for e in error.causes.values() if isinstance(e, HeldBars))
            for series, rows in ((self.ledger.series, held.rows), *held.also):
                await asyncio.to_thread(self.store.hold, series, day, rows)
        if isinstance(weightiest, BadBars):
            await self.ledger.held(day, str(error), error.refused, self.now())
        elif isinstance(weightiest, NotPublished) and self._is_past(day):
            await self.ledger.absent(day, str(error), error.refused, self.now())

    async def add(self, day: TradingDay, served: Served) -> None:
        """Store these bars as the session's next revision, whatever they are.

        Who is cancelled meanwhile waits: a thread that writes goes on, and the ledger would not
        hear of it.
        """
        adding = asyncio.create_task(self._add(day, served), name=f"add {day}")
        try:
            await asyncio.shield(adding)
        except asyncio.CancelledError:
            await asyncio.wait({adding})
            raise

    async def _add(self, day: TradingDay, served: Served) -> None:
        series, before = self.ledger.series, await self.ledger.entry(day)
        revision = 1 + (before.revision if before else 0)
        await asyncio.to_thread(self.store.write, series, day, served.bars, revision)
        await asyncio.to_thread(self.store.drop_held, series, day)
        await self.ledger.stored(
            day,
            revision=revision,
            source=served.source,
            version=served.version,
            row_count=len(served.bars),
            refused=served.refused,
            notes=served.notes,
            detail=served.detail,
            now=self.now(),
            finished=self.silently,
        )

    async def _is_stored(self, day: TradingDay, served: Served, before: Entry) -> bool:
        read = self.store.read_revision
        try:
            stored = await asyncio.to_thread(read, self.ledger.series, day, before.revision)
        except FileNotFoundError:
            return False  # lost with a disk that the ledger was not on
        return stored.equals(served.bars)

    def _is_past(self, day: TradingDay) -> bool:
        """So old that a file which is not there will hardly come."""
        return day < sessions_ending(last_complete(self.now()), _ABSENT_AFTER_SESSIONS)[0]
