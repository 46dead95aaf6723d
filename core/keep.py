"""Bars put away: the file on disk first, then the ledger's line. Revisions, held, absent days."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from core.bars import Bars, Series, check, more_than_bars
from core.calendar import TradingDay, last_complete, sessions_ending
from core.errors import BadBars, HeldBars, NotPublished
from core.ledger import Entry, Ledger, Status
from core.sources import NoneServed, Served
from core.store import Store

_ABSENT_AFTER_SESSIONS = 3


class Kept(IntEnum):
    """What came of bars that were put away; of several the greatest."""

    SAME = 0
    """They were there already."""
    AGAIN = 1
    """Those on record were lost, or damaged. If they were the same nobody can tell."""
    NEW = 2
    """There were none, or others."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """The sessions of one series, on disk and in the ledger."""

    store: Store
    ledger: Ledger
    now: Callable[[], datetime]
    silently: bool = False
    """What is stored is history, and finished by that."""

    async def keep(self, day: TradingDay, served: Served) -> Kept:
        """Store what was served; what came of it and of what came with it.

        The same bars again change nothing. Others are a new revision, and so are the same with
        another scope that differs: what was said of the session came from both. Another scope that
        was lost is only put back.
        """
        others = await self._keep_others(day, served)
        before = await self.settled(day)
        own = await self._compared(day, served, before)
        if before is None or own is not Kept.SAME or others is Kept.NEW:
            stands = own is Kept.AGAIN and others is not Kept.NEW and _stands(before, served)
            await replace(self, silently=self.silently or stands).add(day, served)
        else:
            # Another source's name for its copy says nothing about the one that was kept.
            version = served.version if served.source == before.source else before.version
            await self.ledger.same_again(day, version, self.now())
        return max(own, others)

    async def settled(self, day: TradingDay) -> Entry | None:
        """The ledger's line; and what is current on disk is its revision, and none that somebody
        died over before the ledger heard of it. To be called in turn.
        """
        entry = await self.ledger.entry(day)
        if entry is not None and entry.revision:
            series, revision = self.ledger.series, entry.revision
            await asyncio.to_thread(self.store.back_to, series, day, revision)
        return entry

    async def _keep_others(self, day: TradingDay, served: Served) -> Kept:
        kept = Kept.SAME
        for series, bars in served.also:
            # The notes are about the series that was asked for.
            own = replace(served, bars=bars, also=(), notes=())
            kept = max(kept, await self._of(series).keep(day, own))
        return kept

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

    async def _compared(self, day: TradingDay, served: Served, before: Entry | None) -> Kept:
        if before is None or not before.revision:
            return Kept.NEW
        read = self.store.read_revision
        try:
            stored = await asyncio.to_thread(read, self.ledger.series, day, before.revision)
        except FileNotFoundError:
            return Kept.AGAIN  # lost with a disk that the ledger was not on
        return Kept.SAME if stored.equals(served.bars) else Kept.NEW

    def _is_past(self, day: TradingDay) -> bool:
        """So old that a file which is not there will hardly come."""
        return day < sessions_ending(last_complete(self.now()), _ABSENT_AFTER_SESSIONS)[0]


def _stands(before: Entry | None, served: Served) -> bool:
    """Is it finished, and surely from the same file? Then it has nothing new to be told of."""
    if before is None or before.status is not Status.FINISHED or before.version is None:
        return False
    return (before.source, before.version) == (served.source, served.version)
