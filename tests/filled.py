"""Data folders with a baseline in them, for tests of what a day brings.

They are filled once a run, from servers, and copied. Tests of a first run begin with nothing.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from bot.app import App, opened
from bot.settings import Settings, load
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, last_complete, sessions, sessions_ending
from tests import market
from tests.market import NOW
from tests.shared import Shared, copied

DAYS = market.window()


async def history(app: App, days: Sequence[TradingDay]) -> tuple[int, int]:
    """Store sessions silently, oldest first, in this process: how many are, and how many failed."""
    failed = dict[TradingDay, bool]()
    async for step in app.ladder.work(days, [], app.now(), again=True):
        failed[step.day] = step.error is not None
    entries = await app.ladder.entries(days)
    return sum(e.revision > 0 for e in entries.values()), sum(failed.values())


EVE = DAYS[-2]
"""The session before the newest: what a folder until then lacks is one day."""


class Kind(StrEnum):
    """Where the bars are from."""

    FLAT_FILES = "flat-files"
    FINRA = "finra"
    """FINRA's volume; the flat files' prices were there before it was asked for."""
    SAMPLE = "sample"


_ENDS = {
    Kind.FLAT_FILES: (DAYS[-26], DAYS[-7], DAYS[-3], EVE),
    Kind.FINRA: (DAYS[-7], EVE),
    Kind.SAMPLE: (EVE,),
}
"""The last sessions of the folders there are; each is the one before it, filled further."""


def until(shared: Shared, kind: Kind, last: TradingDay, to: Path) -> Path:
    """`to`, with all sessions of the market until `last`, of which nobody was told."""
    return copied(_until(shared, kind, last), to)


def _until(shared: Shared, kind: Kind, last: TradingDay) -> Path:
    place = _ENDS[kind].index(last)

    def make(folder: Path) -> None:
        first = DAYS[0] if kind is Kind.FLAT_FILES else DAYS[2]  # 82 to the newest of a first run
        if place:
            before = _ENDS[kind][place - 1]
            first = DAYS[DAYS.index(before) + 1]
            copied(_until(shared, kind, before), folder)
        elif kind is Kind.FINRA:
            copied(_until(shared, Kind.FLAT_FILES, last), folder)
        asyncio.run(_backfilled(shared, kind, folder, sessions(first.date, last.date)))

    return shared.once(f"{kind}-{last}", make)


async def _backfilled(shared: Shared, kind: Kind, folder: Path, days: Sequence[TradingDay]) -> None:
    if kind is Kind.SAMPLE:
        await _stored(await asyncio.to_thread(load, data_dir=folder), days)
        return
    off = {"dark_pool_only": "true"} if kind is Kind.FINRA else {}
    async with market.vendor(folder / "vendor", days, shared=shared) as running:
        await _stored(await running.settings(folder, **off), days)
    await asyncio.to_thread(shutil.rmtree, folder / "vendor")


_FEW = 12


def until_today(shared: Shared, to: Path, *, lacks_few: bool = False) -> Path:
    """`to`, with the built-in market as a process that reads the machine's clock will want it:
    only its newest session is missing, or the newest dozen, and nobody was told of the others."""
    *days, newest = sessions_ending(last_complete(_now()), LOOKBACK_SESSIONS)

    def make_most(folder: Path) -> None:
        asyncio.run(_stored(load(data_dir=folder), days[: 1 - _FEW], _now))

    def make(folder: Path) -> None:
        copied(most, folder)
        asyncio.run(_stored(load(data_dir=folder), days[1 - _FEW :], _now))

    most = shared.once(f"most-{newest}", make_most)
    return copied(most if lacks_few else shared.once(f"today-{newest}", make), to)


def _now() -> datetime:
    return datetime.now(UTC)


async def _stored(
    settings: Settings, days: Sequence[TradingDay], now: Callable[[], datetime] = lambda: NOW
) -> None:
    """As `python -m bot backfill` stores them."""
    async with opened(settings, now=now) as app:
        assert await history(app, days) == (len(days), 0)
