"""Sides of the loop measurement: a day through the real Pipeline while a ticker watches the loop.

The pipeline is wired as bot.app wires it, with a folder of the vendor's files as its only source.
The rival is the same day with every asyncio.to_thread answered on the loop itself: what the service
would be if its work were done inline in its coroutines.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from alerts.model import TERMINAL
from alerts.publish import Outbox
from bench.child import Job, Watch
from core.anomaly import Rule
from core.bars import Bars, Family, Scope, Series
from core.calendar import TradingDay, trading_day
from core.db import Db
from core.ledger import Ledger
from core.pipeline import Pipeline
from core.sources import Chain, Served
from core.sources.day_aggs import key, parse
from core.store import Store

SERIES = Series(Scope.ALL, Family.DAILY)
_TICK_S = 0.001
_TOP = 10


class FolderSource:
    """The vendor's day-aggregate files in a folder, as core.sources.Source."""

    name = "folder"
    series = SERIES

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def bars(self, day: TradingDay) -> Served:
        """Parsed in a thread, as the flat files are."""
        return Served(await asyncio.to_thread(self._bars, day), self.name)

    async def version(self, day: TradingDay) -> str | None:
        """A file here has no revisions."""
        return None

    def _bars(self, day: TradingDay) -> Bars:
        return parse((self._folder / key("day_aggs_v1", day.date)).read_bytes(), day)


def in_threads(job: Job, watch: Watch) -> dict[str, Any]:
    """The service as it is."""
    return asyncio.run(_measured(job, watch))


def inline(job: Job, watch: Watch) -> dict[str, Any]:
    """The same work in the coroutines themselves."""

    async def at_once(work: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        return work(*args, **named)

    asyncio.to_thread = at_once
    return asyncio.run(_measured(job, watch))


async def _measured(job: Job, watch: Watch) -> dict[str, Any]:
    day, scratch = trading_day(date.fromisoformat(job.days[-1])), Path(job.scratch)
    shutil.copytree(job.root / "bars", scratch / "bars")
    (scratch / "bars" / SERIES.key / f"{day}.parquet").unlink()
    lags_s: list[float] = []
    async with Db.open(scratch / "state.db") as db:
        pipeline = _wired(db, scratch, Path(job.market), day)
        ticking = asyncio.create_task(tick(lags_s))
        await asyncio.sleep(0.05)
        lags_s.clear()
        with watch.lap():
            entry = await pipeline.trading_day(day, announce=True)
        await asyncio.sleep(_TICK_S)  # a stall at the very end is seen too
        ticking.cancel()
    p99_s = quantiles(lags_s, n=100, method="inclusive")[98] if len(lags_s) > 1 else lags_s[0]
    return {"max_s": max(lags_s), "p99_s": p99_s, "ticks": len(lags_s), "rows": entry.row_count}


async def tick(lags_s: list[float]) -> None:
    """How much later than asked for every wake-up came."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(_TICK_S)
        lags_s.append(max(0.0, time.perf_counter() - start - _TICK_S))


def _wired(db: Db, folder: Path, market: Path, day: TradingDay) -> Pipeline:
    evening = day.close.astimezone(UTC) + timedelta(hours=16)

    def now() -> datetime:
        return evening

    source = FolderSource(market)
    outbox, ledger = Outbox([TERMINAL], _TOP), Ledger(db, source.series)
    return Pipeline(
        db, Store.on_disk(folder), ledger, Chain([source]), None, outbox, Rule(), now
    )  # fmt: skip
