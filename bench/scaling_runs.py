"""One backfill of trades files by so many workers, watched from outside."""

import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bench import tree
from bench.backfill_world import World, cluster, vendor_of
from bench.chat_process import service
from core.calendar import TradingDay
from tests.market import compiled_once

TRADES = {"USE_TRADES_FILES": "true", "DARK_POOL_ONLY": "true"}
_LOOK_S, _PATIENCE_S = 0.05, 3600.0
_SERVED = (200, 206)
_SETTLED_S = 8.0
"""Until a cluster's workers have come to their scheduler."""


@dataclass(frozen=True, slots=True)
class Way:
    """Who works."""

    name: str
    workers: int
    cores: int = 0
    """On so many cores alone, bot and workers; 0: on all."""
    cluster: bool = False


@dataclass(slots=True)
class Took:
    """What one backfill cost, from the first byte that was asked for to the last session stored."""

    sessions: int
    wall_s: float
    cpu_s: float
    """Of the bot, its workers and their readers."""
    bot_s: float
    """Of the bot alone: what no worker takes off it."""
    requests: int
    in_bytes: int
    stored_bytes: int
    rows: int
    peaks_mb: dict[str, float]
    """By role."""

    @property
    def per_minute(self) -> float:
        """Sessions."""
        return 60 * self.sessions / self.wall_s


@dataclass(slots=True)
class _Watch:
    """Looks at the processes until all sessions are there."""

    world: World
    sessions: int
    began_s: float = 0.0
    ended_s: float = 0.0
    planned: int = 0
    """Requests of the plan, which the shell tells first."""
    first: list[tree.Seen] = field(default_factory=list)
    last: list[tree.Seen] = field(default_factory=list)
    peaks_mb: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        while not self.ended_s:
            self._look()
            await asyncio.sleep(_LOOK_S)

    def _look(self) -> None:
        world = self.world
        assert world.running is not None
        workers = world.grid.workers if world.grid else []
        roots = world.running.pid, *(process.pid for process in workers)
        seen = tree.below(*roots)
        for one in seen:
            self.peaks_mb[one.role] = max(self.peaks_mb.get(one.role, 0.0), one.peak_mb)
        if not self.began_s and world.state()[0] == "none":
            self.planned = len(world.vendor.requests)
        if not self.began_s and any(
            # Of one byte is what the size is known by.
            r.key.endswith(".csv.gz") and r.status in _SERVED and r.sent_bytes > 1
            for r in world.vendor.requests[self.planned :]
        ):
            self.began_s, self.first = time.monotonic(), seen
        if self.began_s and world.through() >= self.sessions:
            self.ended_s, self.last = time.monotonic(), seen


async def took(folder: Path, market: Path, days: Sequence[TradingDay], way: Way) -> Took:
    """Store these sessions in an empty folder; the folder is kept for who looks into it."""
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(vendor_of(market))
        world = World(folder, vendor, more={**TRADES, "BACKFILL_WORKERS": str(way.workers)})
        await asyncio.to_thread(compiled_once, world.data)
        if way.cluster:
            world.grid = await stack.enter_async_context(cluster(world, way.workers))
            await asyncio.sleep(_SETTLED_S)
        words = ("bot", "backfill", str(days[0]), str(days[-1]))
        running = await stack.enter_async_context(service(folder, world.settings, *words))
        world.running = running
        if way.cores:
            os.sched_setaffinity(running.pid, sorted(os.sched_getaffinity(0))[: way.cores])
        watch = _Watch(world, len(days))
        watching = asyncio.create_task(watch.run())
        async with asyncio.timeout(_PATIENCE_S):
            code = await running.process.wait()
        assert code == 0, f"{way.name} ended with {code}:\n{running.said()}"
        async with asyncio.timeout(5):
            await watching
        return await asyncio.to_thread(_told, world, watch)


def _told(world: World, watch: _Watch) -> Took:
    bars = world.stored("bars")
    own = [sum(s.own_s for s in seen if s.role == tree.ROOT) for seen in (watch.first, watch.last)]
    return Took(
        sessions=watch.sessions,
        wall_s=watch.ended_s - watch.began_s,
        cpu_s=tree.cpu_s(watch.last) - tree.cpu_s(watch.first),
        bot_s=own[1] - own[0],
        requests=len(world.vendor.requests) - watch.planned,
        in_bytes=sum(seen.sent_bytes for seen in world.vendor.requests),
        stored_bytes=sum(map(len, (*bars.values(), *world.stored("quarters").values()))),
        rows=sum(pl.read_parquet(body, columns=["ticker"]).height for body in bars.values()),
        peaks_mb=watch.peaks_mb,
    )


async def forgotten(folder: Path) -> None:
    """Gone, with all that was stored in it."""
    await asyncio.to_thread(shutil.rmtree, folder)
