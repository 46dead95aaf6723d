"""Bars that the ledger knows of and that are not there: lost with a disk, emptied, set aside."""

import asyncio
from collections.abc import Sequence
from datetime import date

from core.calendar import TradingDay
from core.ledger import Entry, Ledger
from core.store import Store


async def on_hand(store: Store, ledger: Ledger, days: Sequence[TradingDay]) -> dict[date, Entry]:
    """The ledger's lines, but of sessions whose bars are gone."""
    known = await ledger.entries(days)
    gone = await _gone(store, ledger, known)
    return {on: entry for on, entry in known.items() if on not in gone}


async def lost(store: Store, ledger: Ledger, days: Sequence[TradingDay]) -> set[date]:
    """The sessions whose bars were stored and are gone; those that never had any are not."""
    return await _gone(store, ledger, await ledger.entries(days))


async def _gone(store: Store, ledger: Ledger, known: dict[date, Entry]) -> set[date]:
    had = [entry.day for entry in known.values() if entry.revision]
    there = await asyncio.to_thread(store.stored, ledger.series, had) if had else set()
    return {day.date for day in had if day not in there}
