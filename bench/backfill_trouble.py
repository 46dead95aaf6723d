"""What befalls a backfill: deaths, a full disk, a vendor and a bucket that answer badly."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from bench import tree
from bench.backfill_again import killed_between
from bench.backfill_world import SESSIONS, WORKER, World, begun, killed, until
from tests.servers.faults import Fault, Reset, Status, Truncated
from tests.servers.local import LocalServer
from tests.servers.s3 import internal_error, slow_down, too_many

BOT, WORKERS, DISK, VENDOR = "bot killed", "worker killed", "disk full", "vendor's faults"
BUCKET, BUCKET_FULL, BUCKET_AWAY = "bucket's faults", "bucket full", "bucket away"
SCHEDULER, CLUSTER_WORKER = "scheduler killed", "cluster's worker killed"
READER, BETWEEN = "reader killed", "bot killed between file and ledger"

KINDS: dict[str, Sequence[str]] = {
    "bot": (BOT,),
    "worker": (WORKERS,),
    "vendor": (VENDOR,),
    "disk": (DISK,),
    "bucket": (BUCKET, BUCKET_FULL, BUCKET_AWAY, BOT, WORKERS),
    "service": (BOT, WORKERS, VENDOR),
    "all": (BOT, WORKERS, DISK, VENDOR),
    "cluster": (SCHEDULER, CLUSTER_WORKER, BOT),
    "trades": (BOT, WORKERS, READER, VENDOR),
    "again": (BOT, BETWEEN, WORKERS),
}
"""What may befall a run of each kind."""
AGAIN = "again"
"""The kind whose sessions are stored already, some of them otherwise than the vendor has them."""
COUNTED, _COUNTED_SESSIONS = "trades", 40
"""The kind whose bars are counted from trades files: each of them takes a process of its own."""


def sessions_of(kind: str) -> int:
    """How many a job of this kind has."""
    return _COUNTED_SESSIONS if kind == COUNTED else SESSIONS


@dataclass(frozen=True, slots=True)
class Blow:
    """One disturbance of a plan."""

    what: str
    after: int
    """Not before so many sessions are through."""
    wait_s: float
    """And so long after that; with `after` 0 since the bot's start."""
    seconds: float
    """How long it lasts, where it does."""
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        """For whoever looks for the cause of a failed seed."""
        told = [type(fault).__name__ for fault in self.faults]
        return f"{self.what} at {self.after}+{self.wait_s:.2f}s for {self.seconds:.1f}s {told}"


def planned(kind: str, chance: Random) -> list[Blow]:
    """What befalls a run of this kind, in order; a function of the seed alone."""
    blows = []
    for what in [chance.choice(KINDS[kind]) for _ in range(chance.randint(2, 4))]:
        # One in three comes while somebody starts.
        early = chance.random() < 0.33
        after = 0 if early else chance.randint(1, sessions_of(kind) - 5)
        wait_s = chance.uniform(0.2, 4.0) if early else chance.uniform(0.0, 0.4)
        faults = tuple(_fault(chance) for _ in range(chance.randint(3, 8)))
        blows.append(Blow(what, after, wait_s, chance.uniform(0.5, 6.0), faults))
    return sorted(blows, key=lambda blow: blow.after)


def _fault(chance: Random) -> Fault:
    return chance.choice(
        [
            *(too_many(), slow_down(), internal_error(), Status(503)),
            *(Reset(), Reset(chance.randint(1, 9_000)), Truncated(chance.uniform(0.05, 0.95))),
        ]
    )


@dataclass(slots=True)
class Trouble:
    """Has a plan happen, and counts what really did."""

    world: World
    happened: Counter[str] = field(default_factory=Counter)

    async def come(self, plan: Sequence[Blow]) -> None:
        """One after another; ends early only if the job does."""
        ways: dict[str, Callable[[Blow], Awaitable[bool]]] = {
            BOT: self._bot,
            WORKERS: self._worker,
            DISK: self._disk,
            VENDOR: self._vendor,
            BUCKET: self._bucket,
            BUCKET_FULL: self._bucket_full,
            BUCKET_AWAY: self._bucket_away,
            SCHEDULER: self._scheduler,
            CLUSTER_WORKER: self._cluster_worker,
            READER: self._reader,
            BETWEEN: self._between,
        }
        for blow in plan:
            await until(partial(self._is_past, blow.after))
            await asyncio.sleep(blow.wait_s)
            if await ways[blow.what](blow):
                self.happened[blow.what] += 1

    def _is_past(self, sessions: int) -> bool:
        return self.world.through() >= sessions

    async def _bot(self, blow: Blow) -> bool:
        running = self.world.running
        if running is None or not running.is_alive or not killed(running.pid):
            return False
        return await running.process.wait() == -signal.SIGKILL

    async def _between(self, blow: Blow) -> bool:
        return await killed_between(self.world)

    async def _worker(self, blow: Blow) -> bool:
        await until(lambda: bool(self._workers()))
        there = self._workers()
        return bool(there) and killed(there[int(blow.seconds * 1000) % len(there)])

    def _workers(self) -> list[int]:
        running = self.world.running
        return [] if running is None else sorted(running.children(WORKER))

    async def _reader(self, blow: Blow) -> bool:
        """Of a trades file: a process of the worker's."""
        await until(lambda: bool(self._readers()))
        there = self._readers()
        return bool(there) and killed(there[0])

    def _readers(self) -> list[int]:
        running = self.world.running
        seen = [] if running is None else tree.below(running.pid)
        return sorted(one.pid for one in seen if one.role == tree.READER)

    async def _disk(self, blow: Blow) -> bool:
        assert self.world.disk is not None
        await self.world.disk.full(blow.seconds)
        return True

    async def _vendor(self, blow: Blow) -> bool:
        assert isinstance(self.world.vendor, LocalServer)
        return await _spoiled(self.world.vendor, blow)

    async def _bucket(self, blow: Blow) -> bool:
        assert self.world.bucket is not None
        return await _spoiled(self.world.bucket, blow)

    async def _bucket_full(self, blow: Blow) -> bool:
        assert self.world.bucket is not None
        self.world.bucket.is_full = True
        await asyncio.sleep(blow.seconds)
        self.world.bucket.is_full = False
        return True

    async def _bucket_away(self, blow: Blow) -> bool:
        assert self.world.bucket is not None
        self.world.bucket.faults.always(Status(503))
        await asyncio.sleep(blow.seconds)
        self.world.bucket.faults.clear()
        return True

    async def _scheduler(self, blow: Blow) -> bool:
        grid = self.world.grid
        assert grid is not None
        assert grid.scheduler is not None
        happened = killed(grid.scheduler.pid)
        await asyncio.sleep(blow.seconds)
        # Its workers end with it, but for one that was about to come.
        await asyncio.to_thread(grid.close)
        grid.workers.clear()
        await begun(grid, 2)
        return happened

    async def _cluster_worker(self, blow: Blow) -> bool:
        grid = self.world.grid
        assert grid is not None
        await asyncio.to_thread(grid.kill_worker)
        await asyncio.sleep(blow.seconds)
        await asyncio.to_thread(grid.begin_worker)
        return True


async def _spoiled(server: LocalServer, blow: Blow) -> bool:
    """So many answers in a row; did any come to be asked for?"""
    server.faults.add(*blow.faults)
    before = len(server.faults)
    await asyncio.sleep(blow.seconds)
    happened = before - len(server.faults)
    server.faults.clear()
    return happened > 0
