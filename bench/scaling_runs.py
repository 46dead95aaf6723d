"""One backfill of trades files by so many workers, watched from outside."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import boto3
import polars as pl

from bench import tree
from bench.backfill_world import World, cluster, until
from bench.chat_process import service
from bench.scaling_limits import Moment, Used
from bench.stream import ACCESS_KEY_ID, SECRET
from core.calendar import TradingDay
from core.sources.day_aggs import key
from tests.market import compiled_once
from tests.servers.s3_apart import S3Apart, SeenRequest

TRADES = {"USE_TRADES_FILES": "true", "DARK_POOL_ONLY": "true"}
_LOOK_S, _BEGUN_S, _PATIENCE_S = 0.2, 0.01, 3600.0
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


@dataclass(frozen=True, slots=True)
class Took:
    """What one backfill cost, from the first byte that was asked for to the last session stored."""

    sessions: int
    used: Used
    requests: int
    in_bytes: int
    stored_bytes: int
    rows: int
    bars: str
    """The same for the same bars."""
    peaks_mb: dict[str, float]
    """By role."""

    @property
    def per_minute(self) -> float:
        """Sessions."""
        return 60 * self.sessions / self.used.wall_s


@dataclass(slots=True)
class _Watch:
    """Looks at the processes until all sessions are there."""

    world: World
    vendor: S3Apart
    sessions: int
    planned: int = 0
    """Requests of earlier runs, and of the plan, which the shell tells first."""
    first: Moment | None = None
    last: Moment | None = None
    peaks_mb: dict[str, float] = field(default_factory=dict)
    astray: set[str] = field(default_factory=set)
    """Roles below the bot, which are a cluster's to play if there is one."""

    async def run(self) -> None:
        await until(lambda: self.world.state()[0] != "none", _BEGUN_S)
        # A worker has a process to begin, or a task to be given, before it asks for anything.
        self.planned = len(self.vendor.requests)
        while self.last is None:
            self._look()
            await asyncio.sleep(_LOOK_S)

    @property
    def asked(self) -> list[SeenRequest]:
        """What the job asked for."""
        return self.vendor.requests[self.planned :]

    def _look(self) -> None:
        world = self.world
        assert world.running is not None
        own = tree.below(world.running.pid)
        grid = [*world.grid.workers, world.grid.scheduler] if world.grid else []
        seen = own + tree.below(*(process.pid for process in grid if process is not None))
        for one in seen:
            self.peaks_mb[one.role] = max(self.peaks_mb.get(one.role, 0.0), one.peak_mb)
        if world.grid is not None:
            self.astray |= {one.role for one in own} & {tree.WORKER, tree.READER}
        if self.first is None and any(
            # Of one byte is what the size is known by.
            r.key.endswith(".csv.gz") and r.status in _SERVED and r.sent_bytes > 1
            for r in self.asked
        ):
            self.first = Moment.now(seen, self.vendor.pid)
        if self.first is not None and world.through() >= self.sessions:
            self.last = Moment.now(seen, self.vendor.pid)


async def took(folder: Path, vendor: S3Apart, days: Sequence[TradingDay], way: Way) -> Took:
    """Store these sessions in an empty folder; the folder is kept for who looks into it."""
    async with AsyncExitStack() as stack:
        world = World(folder, vendor, more={**TRADES, "BACKFILL_WORKERS": str(way.workers)})
        await asyncio.to_thread(compiled_once, world.data)
        if way.cluster:
            world.grid = await stack.enter_async_context(cluster(world, way.workers))
            await asyncio.sleep(_SETTLED_S)
        watch = _Watch(world, vendor, len(days))
        words = ("bot", "backfill", str(days[0]), str(days[-1]))
        running = await stack.enter_async_context(service(folder, world.settings, *words))
        world.running = running
        if way.cores:
            os.sched_setaffinity(running.pid, sorted(os.sched_getaffinity(0))[: way.cores])
        watching = asyncio.create_task(watch.run())
        async with asyncio.timeout(_PATIENCE_S):
            code = await running.process.wait()
        assert code == 0, f"{way.name} ended with {code}:\n{running.said()}"
        async with asyncio.timeout(5):
            await watching
        assert not watch.astray, f"{way.name}: {watch.astray} below the bot"
        return await asyncio.to_thread(_told, watch)


def _told(watch: _Watch) -> Took:
    bars = watch.world.stored("bars")
    assert watch.first is not None
    assert watch.last is not None
    bodies = (*bars.values(), *watch.world.stored("quarters").values())
    return Took(
        sessions=watch.sessions,
        used=Used.between(watch.first, watch.last),
        requests=len(watch.asked),
        in_bytes=sum(seen.sent_bytes for seen in watch.asked if seen.status in _SERVED),
        stored_bytes=sum(map(len, bodies)),
        rows=sum(pl.read_parquet(body, columns=["ticker"]).height for body in bars.values()),
        bars=sha256(b"".join(bars[name] for name in sorted(bars))).hexdigest(),
        peaks_mb=watch.peaks_mb,
    )


def listed(vendor: S3Apart) -> None:
    """All that it has: it makes out an ETag of a file once, by reading it, which is no run's."""
    client = boto3.client(
        "s3", endpoint_url=vendor.url, region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET,
    )  # fmt: skip
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="flatfiles"):
        assert page["KeyCount"]
    client.close()


def published_bytes(market: Path, days: Sequence[TradingDay]) -> int:
    """Of the sessions' trades files."""
    return sum((market / key("trades_v1", day.date)).stat().st_size for day in days)


async def forgotten(folder: Path) -> None:
    """Gone, with all that was stored in it."""
    await asyncio.to_thread(shutil.rmtree, folder)
