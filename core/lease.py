"""One copy of the service works at a time: a lease in the state database.

Whoever has it renews it. A copy that comes second waits until it is given back, was not renewed for
a while, or its holder has surely died: its lock on a file is free, under the same kernel. The while
is by the waiter's own watching: two hosts' clocks may differ, and one may be set. A holder that
lost it can write nothing more (core.db), so two never say the same.
"""

import asyncio
import logging
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from core.alone import SERVICE, alone
from core.db import Db, iso
from core.migrate import (
    FIRST_LEASED,
    connected,
    damage_in_words,
    migrate,
    newest_schema,
    schema_of,
)
from core.working import LOST_AFTER_S

logger = logging.getLogger(__name__)

_SURE_FOR = 0.75
"""Of the time after which a silent one loses it: what is begun then takes its time as well."""
_HELD = "SELECT holder, place, kernel, since, renewed_at FROM lease"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a holder may be silent, and how often it speaks; seconds."""

    lost_after_s: float = LOST_AFTER_S
    renew_s: float = 5.0
    look_s: float = 1.0
    """Between two looks of whoever waits."""


USUAL = Timing()


@dataclass(frozen=True, slots=True)
class Holder:
    """One life of one process."""

    id: str
    place: str
    """Its host and its number there."""
    kernel: str | None = None
    since: datetime | None = None

    @classmethod
    def this(cls) -> "Holder":
        """This process."""
        return cls(secrets.token_hex(8), f"{socket.gethostname()}, process {os.getpid()}")


def uptime_s() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps, where it tells them."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def boot_id() -> str | None:
    """Another one after each start of the machine; None where nobody tells. Blocking."""
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return None


@dataclass(slots=True)
class Lease:
    """What this process has, or waits for."""

    path: Path
    now: Callable[[], datetime]
    timing: Timing = USUAL
    me: Holder = field(default_factory=Holder.this)
    boot: Callable[[], str | None] = boot_id
    steady: Callable[[], float] = time.monotonic
    """Seconds that nobody sets, and that stand still while the machine sleeps: so did the other."""
    uptime: Callable[[], float] = uptime_s
    other: Holder | None = None
    """Who has it, while this waits."""
    is_held: bool = False
    renewed_at: datetime | None = None
    """When the database took a word of this one last."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Another one has it: nothing may be done here any more."""
    why: str = "another copy has taken over: this one was silent for too long"
    """It was lost, if it was."""
    _kernel: str | None = None
    """Told to the others by whoever has the lock: without it this may be dead and the lock not
    free, or the other way round.
    """
    _file: tuple[int, int] | None = None
    """Which one it is in."""
    _heard: tuple[str, datetime] | None = None
    """What the other one wrote last."""
    _heard_at: float = 0.0
    _sure_at: float = 0.0
    """The uptime when a word that the database took was begun."""

    @property
    def is_sure(self) -> bool:
        """Can nobody else have taken it by now? Asked just before what cannot be taken back: this
        process may have been frozen since it last looked.
        """
        silent_s = self.uptime() - self._sure_at
        return self.is_held and silent_s <= _SURE_FOR * self.timing.lost_after_s

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Waits until it is ours, and gives it back at the end.

        Raises ConfigError if the database is of no use, also if it is so only at the end.
        """
        await asyncio.to_thread(_prepare, self.path)
        while True:
            async with alone(self.path.with_name(SERVICE)) as locked:
                if await asyncio.to_thread(self._taken, locked):
                    async with self._kept(locked):
                        yield
                    return
            await asyncio.sleep(self.timing.look_s)

    @asynccontextmanager
    async def _kept(self, locked: bool) -> AsyncIterator[None]:
        self.is_held, self.other = True, None
        renewing = asyncio.create_task(self._renewing(), name="lease")
        locking = None if locked else asyncio.create_task(self._locking(), name="lock")
        try:
            yield
        finally:
            self.is_held = False
            await _ended(renewing)
            await asyncio.to_thread(self._given_back)
            if locking is not None:
                await _ended(locking)

    async def _locking(self) -> None:
        """The lock as well, and to the end, once whoever was silent is gone."""
        while True:
            async with alone(self.path.with_name(SERVICE)) as locked:
                if locked:
                    self._kernel = await asyncio.to_thread(self.boot)
                    await asyncio.Event().wait()
            await asyncio.sleep(self.timing.look_s)

    async def _renewing(self) -> None:
        fails = False
        while True:
            await asyncio.sleep(self.timing.renew_s)
            try:
                renewed = await asyncio.to_thread(self._renewed)
            except sqlite3.DatabaseError as error:
                # Another copy could not write either; and if one has, it is in the row.
                if not fails:
                    logger.warning("the lease cannot be renewed", extra={"seen": str(error)})
                fails = True
                continue
            fails = False
            if not renewed:
                self.is_held = False
                self.lost.set()
                return

    def _taken(self, locked: bool) -> bool:
        now, begun = self.now(), self.uptime()
        with damage_in_words(self.path), closing(connected(self.path)) as db, db:
            db.execute("BEGIN IMMEDIATE")
            other = _read(db)
            if other is not None and not self._is_over(*other, locked):
                self._meet(other[0])
                return False
            self._kernel = self.boot() if locked else None
            self._file = _identity(self.path)
            db.execute(
                "INSERT OR REPLACE INTO lease (one, holder, place, kernel, since, renewed_at)"
                " VALUES (1, ?, ?, ?, ?, ?)",
                (self.me.id, self.me.place, self._kernel, iso(now), iso(now)),
            )
        self.renewed_at, self._sure_at = now, begun
        if other is not None:
            logger.warning("another copy is gone; this one works now", extra=_facts(other[0]))
        return True

    def _is_over(self, other: Holder, renewed_at: datetime, locked: bool) -> bool:
        silent_s = self._silent_s(other, renewed_at)
        dead = locked and other.kernel is not None and other.kernel == self.boot()
        return dead or silent_s > self.timing.lost_after_s

    def _silent_s(self, other: Holder, renewed_at: datetime) -> float:
        """For how long this has seen no new word of it."""
        word, at = (other.id, renewed_at), self.steady()
        if word != self._heard:
            self._heard, self._heard_at = word, at
        return at - self._heard_at

    def _meet(self, other: Holder) -> None:
        if self.other is None or self.other.id != other.id:
            logger.warning("another copy works; this one waits for its end", extra=_facts(other))
        self.other = other

    def _renewed(self) -> bool:
        now, begun = self.now(), self.uptime()
        if _identity(self.path) != self._file:
            # What is open here has no name any more, or another: all that is written is lost.
            self.why = (
                f"{self.path} was moved or replaced under this copy; {self.path.name}-wal, if it is"
                " still there, belongs to the old one: move it there before anything starts"
            )
            return False
        with closing(connected(self.path)) as db:
            cursor = db.execute(
                "UPDATE lease SET renewed_at = ?, kernel = ? WHERE holder = ?",
                (iso(now), self._kernel, self.me.id),
            )
            if cursor.rowcount == 1:
                self.renewed_at, self._sure_at = now, begun
            return cursor.rowcount == 1

    def _given_back(self) -> None:
        """On a full disk it ends by itself; ConfigError if the database is damaged by now."""
        if _identity(self.path) != self._file:
            return
        with (
            suppress(sqlite3.OperationalError),
            damage_in_words(self.path),
            closing(connected(self.path)) as db,
        ):
            db.execute("DELETE FROM lease WHERE holder = ?", (self.me.id,))


async def at_work(db: Db, now: datetime, timing: Timing = USUAL) -> Holder | None:
    """The copy that has the lease, if it was heard of lately; for whoever has none, and looks once.

    By the wall clock. To whoever is behind, a word of the holder's is of the future and counts as
    new: looking on does no harm. Whoever is ahead takes it for gone, and then has the locks on
    files against working beside it.
    """
    row = await db.row(_HELD)
    if row is None:
        return None
    holder, renewed_at = _holder((row[0], row[1], row[2], row[3], row[4]))
    return None if now - renewed_at > timedelta(seconds=timing.lost_after_s) else holder


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name now; None if there is none."""
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _prepare(path: Path) -> None:
    """A database that knows leases is upgraded by whoever has it: somebody may be at work.

    One of before them is upgraded at once: nothing says whether anybody is.
    """
    with suppress(sqlite3.DatabaseError), closing(connected(path)) as db:
        if FIRST_LEASED <= schema_of(db) <= newest_schema():
            return
    migrate(path)


def _read(db: sqlite3.Connection) -> tuple[Holder, datetime] | None:
    """Who has it, and when it was renewed."""
    row = db.execute(_HELD).fetchone()
    return None if row is None else _holder(row)


def _holder(row: tuple[str, str, str | None, str, str]) -> tuple[Holder, datetime]:
    who, place, kernel, since, renewed_at = row
    holder = Holder(who, place, kernel, datetime.fromisoformat(since))
    return holder, datetime.fromisoformat(renewed_at)


def _facts(holder: Holder) -> dict[str, str]:
    return {"copy": holder.place, "since": str(holder.since)}
