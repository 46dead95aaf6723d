"""What a backfill that is to be disturbed lives in: a vendor, a disk or a bucket, its processes.

The servers are this process's, so that their answers can be spoiled at any moment (a vendor whose
answers are not may be a process of its own); the bot, its workers and a cluster are processes of
their own, so that they can be killed.
"""

import asyncio
import errno
import gzip
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.chat_process import Service
from bench.stream import ACCESS_KEY_ID, SECRET
from core.calendar import TradingDay, last_complete, sessions_ending
from core.sources.day_aggs import key
from tests.grid import Grid
from tests.market import MARKET, day_file
from tests.servers.s3 import S3Server
from tests.servers.s3_apart import S3Apart
from tests.servers.s3_writable import WritableS3Server
from tests.servers.vendor import VendorServer

SESSIONS, NEWER = 120, 10
"""Of the job, and of the vendor after it."""
DISK_MB = 24
BUCKET, API_KEY = "tape", "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3y42"
WORKER, CHUNK = "spawn_main", 1 << 16
_LOOK_S = 0.02
_TAPED = 12
"""Names of a trades file: each costs what any other does."""
_GOOD = ("stored", "same")


def days() -> list[TradingDay]:
    """All that the vendor has, oldest first; the first ones are a job's."""
    return sessions_ending(last_complete(datetime.now(UTC)), SESSIONS + NEWER)


def objects(of: Iterable[TradingDay]) -> dict[str, bytes]:
    """The built-in market as the vendor's files."""
    return {key("day_aggs_v1", day.date): day_file(day) for day in of}


def tapes(of: Sequence[TradingDay]) -> dict[str, bytes]:
    """The trades files of a few names that trade in each of the sessions."""
    rows = [gzip.decompress(day_file(day)).decode().splitlines()[1:] for day in of]
    always = sorted(set.intersection(*({row.split(",")[0] for row in day} for day in rows)))
    names = set(always[:: len(always) // _TAPED][:_TAPED])
    return {key("trades_v1", day.date): MARKET.trades(day, names) for day in of}


@dataclass(slots=True)
class Disk:
    """A file system that can be full for a while."""

    folder: Path

    async def full(self, seconds: float) -> None:
        """Not a byte is free; whatever is given back meanwhile is taken as well."""
        ballast = self.folder / "ballast"
        end = asyncio.get_running_loop().time() + seconds
        try:
            while asyncio.get_running_loop().time() < end:
                await asyncio.to_thread(_fill, ballast)
                await asyncio.sleep(0.02)
        finally:
            await asyncio.to_thread(ballast.unlink, missing_ok=True)


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncIterator[Disk]:
    """A tmpfs of DISK_MB; OSError where that cannot be mounted (it takes root)."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    await _said("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder))
    try:
        yield Disk(folder)
    finally:
        await _said("umount", "--lazy", str(folder))


@asynccontextmanager
async def cluster(world: "World", workers: int = 2) -> AsyncIterator[Grid]:
    """A scheduler and workers that read with the bot's settings."""
    grid = Grid(world.folder, settings=world.settings)
    try:
        await begun(grid, workers)
        yield grid
    finally:
        await asyncio.to_thread(grid.close)


async def begun(grid: Grid, workers: int) -> None:
    """Both, on the port that is the grid's."""
    await asyncio.to_thread(grid.begin_scheduler)
    for _ in range(workers):
        await asyncio.to_thread(grid.begin_worker)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a job has left behind."""

    bars: Mapping[str, bytes] = field(default_factory=dict)
    """By name of the file."""
    ledger: Sequence[tuple[object, ...]] = ()
    """series, session, revision, status, of each session once a series."""


@dataclass(slots=True)
class World:
    """One run's surroundings."""

    folder: Path
    vendor: S3Server | S3Apart
    bucket: WritableS3Server | None = None
    disk: Disk | None = None
    grid: Grid | None = None
    """A Dask cluster, in the same folder."""
    rest: VendorServer | None = None
    """A second source of the same sessions, whose bars are others."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Settings beside the usual ones."""
    running: Service | None = None
    starts: int = 0
    sessions: int = SESSIONS
    """Of the job."""

    @property
    def wanted(self) -> list[str]:
        """The job's sessions, oldest first."""
        return [str(day) for day in days()[: self.sessions]]

    @property
    def data(self) -> Path:
        """DATA_DIR."""
        return (self.folder if self.disk is None else self.disk.folder) / "data"

    @property
    def is_running(self) -> bool:
        """Is there a bot, and alive?"""
        return self.running is not None and self.running.is_alive

    @property
    def settings(self) -> dict[str, str]:
        """Of the bot and of whoever works for it."""
        told = {
            **{"FLATFILES_ACCESS_KEY_ID": ACCESS_KEY_ID, "FLATFILES_SECRET_ACCESS_KEY": SECRET},
            **{"FLATFILES_ENDPOINT_URL": self.vendor.url, "USE_FLAT_FILES": "true"},
            **{"DATA_DIR": str(self.data), "BACKFILL_WORKERS": "2", "PORT": "0"},
        }
        if self.bucket is not None:
            told |= {"DATA_URL": f"s3://{BUCKET}/kept", "DATA_ENDPOINT_URL": self.bucket.url}
            told |= {"DATA_ACCESS_KEY_ID": ACCESS_KEY_ID, "DATA_SECRET_ACCESS_KEY": SECRET}
        if self.grid is not None:
            told["BACKFILL_SCHEDULER"] = self.grid.address
        if self.rest is not None:
            told |= {"POLYGON_API_KEY": API_KEY, "POLYGON_REST_URL": self.rest.url}
        return {**told, **self.more}

    def calm(self) -> None:
        """What spoils the bucket's answers has an end, though it was cut short."""
        if self.bucket is not None:
            self.bucket.faults.clear()
            self.bucket.is_full = False

    def through(self) -> int:
        """How many sessions of the job have come in."""
        marks = ", ".join("?" * len(_GOOD))
        # Only the number of marks is put in; the values are parameters.
        sql = f"SELECT count(*) FROM job_sessions WHERE state IN ({marks})"  # noqa: S608
        found = self._asked(sql, _GOOD)
        return int(str(found[0][0])) if found else 0

    def state(self) -> tuple[str, str]:
        """Of the job, and the reason that is given."""
        found = self._asked("SELECT state, reason FROM jobs ORDER BY id DESC LIMIT 1")
        return (str(found[0][0]), str(found[0][1])) if found else ("none", "")

    def kept(self) -> "Kept":
        """Of the job's sessions."""
        ledger = self._asked(
            "SELECT series, session, revision, status FROM sessions"
            " WHERE session BETWEEN ? AND ? ORDER BY series, session",
            self.wanted[:: self.sessions - 1],
        )
        return Kept(self.stored("bars"), ledger)

    def wrong(self, right: "Kept") -> list[str]:
        """What is not as after the run that nobody disturbed."""
        units = self._asked("SELECT session, state, seen FROM job_sessions ORDER BY session")
        own = self.kept()
        there, last = own.bars, self.wanted[-1]
        # Half a file that a killed writer left is never read (core.whole), and goes by itself.
        surplus = [
            n
            for n in there
            if _session(n) <= last and n not in right.bars and not n.endswith(".partial")
        ]
        found = [
            *(f"ledger: {line}" for line in own.ledger if line not in right.ledger),
            *(f"unit: {line}" for line in units if line[1] not in _GOOD),
            *(f"staged: {name}" for name in self.stored("staged")),
            *(
                f"bars differ: {name}, {len(there.get(name, b'')):,} bytes, not {len(body):,}"
                for name, body in right.bars.items()
                if there.get(name) != body
            ),
            *(f"bars: {name} should not be there" for name in surplus),
        ]
        if own.ledger != right.ledger:
            found.append(f"ledger: {len(own.ledger)} lines, not {len(right.ledger)}")
        if [line[0] for line in units] != self.wanted:
            found.append(f"units: {len(units)} for {self.sessions} sessions")
        if self.state()[0] != "done":
            found.append(f"job: {self.state()}")
        return found

    def stored(self, kind: str) -> dict[str, bytes]:
        """Files below a folder of the storage, half-written ones as well, by name."""
        if self.bucket is not None:
            whole = {k.removeprefix("kept/"): b for k, b in self.bucket.objects.items()}
            return {name: body for name, body in whole.items() if name.startswith(f"{kind}/")}
        files = [path for path in (self.data / kind).rglob("*") if path.is_file()]
        return {path.relative_to(self.data).as_posix(): path.read_bytes() for path in files}

    def names(self, kind: str) -> list[str]:
        """Of stored()."""
        if self.bucket is not None:
            whole = (key.removeprefix("kept/") for key in list(self.bucket.objects))
            return [name for name in whole if name.startswith(f"{kind}/")]
        found = (self.data / kind).rglob("*.parquet")
        return [path.relative_to(self.data).as_posix() for path in found]

    def body(self, name: str) -> bytes | None:
        """Of one of them."""
        if self.bucket is not None:
            return self.bucket.objects.get(f"kept/{name}")
        with suppress(FileNotFoundError):
            return (self.data / name).read_bytes()
        return None

    def _asked(self, sql: str, values: Sequence[str] = ()) -> list[tuple[object, ...]]:
        path = self.data / "state.db"
        # Not there yet, or the disk too full for SQLite to read with another process.
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                return db.execute(sql, values).fetchall()
        except sqlite3.Error:
            return []


def _session(name: str) -> str:
    """Of a file of bars: 2026-11-20 for bars/x/2026-11-20.r1.parquet."""
    return name.rpartition("/")[2].partition(".")[0]


def vendor(files: dict[str, bytes]) -> S3Server:
    """Day aggregates on real S3."""
    return S3Server(access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET, objects=files)


def put_down(files: Mapping[str, bytes], folder: Path) -> None:
    """For rest()."""
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)


def rest(folder: Path) -> VendorServer:
    """The same sessions as the vendor's files, by REST."""
    return VendorServer(root=folder, api_key=API_KEY)


def bucket() -> WritableS3Server:
    """For bars."""
    return WritableS3Server(access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET, bucket=BUCKET)


async def until(holds: Callable[[], bool], every_s: float = _LOOK_S) -> None:
    """Looks again and again: nothing tells when something in another process has happened."""
    while True:
        if holds():
            return
        await asyncio.sleep(every_s)


def killed(pid: int) -> bool:
    """SIGKILL; False if it was gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * CHUNK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


async def _said(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        raise OSError(said.decode().strip())
