"""The gate of a day against the sessions around it: those before, or else those after.

What is unusual by one side passes if it is usual by the other: a market that trades twice as much
from a day on is no doubled file.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import polars as pl

from core.calendar import TradingDay, is_special, sessions_after, sessions_ending
from core.gate import HISTORY_SESSIONS, Unusual, is_enough, screen
from core.sources import Served

History = Callable[[Sequence[TradingDay]], Awaitable[pl.DataFrame]]
"""What is stored of sessions, as core.gate.screen() wants it."""


async def plausible(
    served: Served, day: TradingDay, history: History, market: pl.DataFrame | None
) -> Served:
    """With what the gate has set aside, in words; HeldBars for others."""
    judge = partial(screen, served.bars, special=is_special(day), market=market)
    before = await history(sessions_ending(day, HISTORY_SESSIONS + 1)[:-1])
    screened = None
    if is_enough(before):
        with suppress(Unusual):
            screened = await asyncio.to_thread(judge, before)
    if screened is None:
        # The past comes in newest first: what is there is after it.
        after = await history(sessions_after(day, HISTORY_SESSIONS))
        screened = await asyncio.to_thread(judge, after if is_enough(after) else before)
    return replace(served, bars=screened.bars, notes=(*served.notes, *screened.notes))
