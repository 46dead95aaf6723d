"""Bars that the ledger knows of and that are not there: lost with a disk, emptied, set aside."""

import asyncio
from collections.abc import Sequence
from datetime import date

from core.calendar import TradingDay
from core.ledger import Entry, Ledger
from core.store import Store


async def on_hand(store: Store, ledger: Ledger, days: Sequence[TradingDay]) -> dict[date, Entry]:
    """The ledger's lines, but of sessions whose bars are gone; OSError if a storage is away, though
    nothing may be known yet: whoever asks is about to use it."""
    known = await ledger.entries(days)
    there = await asyncio.to_thread(store.stored, ledger.series, days)
    return {on: e for on, e in known.items() if not e.revision or e.day in there}


async def lost(store: Store, ledger: Ledger, days: Sequence[TradingDay]) -> set[date]:
    """The sessions whose bars were stored and are gone; those that never had any are not."""
    had = [entry.day for entry in (await ledger.entries(days)).values() if entry.revision]
    there = await asyncio.to_thread(store.stored, ledger.series, had) if had else set()
    return {day.date for day in had if day not in there}
