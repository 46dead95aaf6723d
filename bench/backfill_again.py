"""A backfill of what is stored already, of which the vendor has changed a part meanwhile."""

import asyncio
import gzip
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from bench.backfill_world import BUCKET, SESSIONS, Kept, World, days, killed
from core.aside import PLACE, STATE
from core.calendar import TradingDay
from core.sources.day_aggs import key

ALL = ("--policy", "all")
_EVERY = 3
"""One in so many sessions has changed."""
_TABLES = ("job_alerts", "job_before", "job_attempts", "job_sessions", "jobs")
_LOOK_S, _PATIENCE_S, _WAIT_S = 0.001, 20.0, 2.0


def changed() -> list[TradingDay]:
    """Those of the job whose files are others now."""
    return days()[:SESSIONS:_EVERY]


def republished(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The vendor's files, and of the changed sessions others: one name traded a share more."""
    names = [key("day_aggs_v1", day.date) for day in changed()]
    return {**files, **{name: _other(files[name]) for name in names}}


def _other(file: bytes) -> bytes:
    header, first, rest = gzip.decompress(file).decode().split("\n", 2)
    ticker, volume, others = first.split(",", 2)
    whole, dot, part = volume.partition(".")
    told = f"{ticker},{int(whole) + 1}{dot}{part},{others}"
    return gzip.compress("\n".join((header, told, rest)).encode(), mtime=0)


def revised(kept: Kept) -> bool:
    """Is each changed session there as revision 2, with the one before, and each other as 1?"""
    others = {str(day) for day in changed()}
    earlier = {Path(name).name for name in kept.bars if ".r" in Path(name).name}
    return earlier == {f"{day}.r1.parquet" for day in others} and all(
        line[2] == (2 if line[1] in others else 1) for line in kept.ledger
    )


def put_there(before: Path, world: World) -> None:
    """What a job has left in a DATA_DIR, as the world's own; of the job nothing is known."""
    shutil.copytree(before, world.data, symlinks=True)
    with closing(sqlite3.connect(world.data / STATE)) as db, db:
        for table in _TABLES:
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
    if (bucket := world.bucket) is not None:
        for path in world.data.glob("bars/*/*.parquet"):
            name = f"kept/{path.relative_to(world.data).as_posix()}"
            bucket.objects[name], bucket.times[name] = path.read_bytes(), bucket.now()
        shutil.rmtree(world.data / "bars")
        (world.data / PLACE).write_text(f"s3://{BUCKET}/kept")


async def killed_between(world: World) -> bool:
    """The bot, when a session's new file is there and the ledger does not know of it yet.

    That takes it a moment; so it finds the database locked, and dies while it waits.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + _PATIENCE_S
    with closing(_opened(world)) as db:
        while clock() < end:
            if world.is_running and _begun(world, db):
                db.execute("BEGIN IMMEDIATE")
                try:
                    if await _is_between(world, db) and _killed(world):
                        return True
                finally:
                    db.execute("ROLLBACK")
            await asyncio.sleep(_LOOK_S)
    return False


def _opened(world: World) -> sqlite3.Connection:
    # Nobody holds it for longer than a write takes, which is less than this process can wait.
    return sqlite3.connect(world.data / STATE, isolation_level=None, timeout=1)


async def _is_between(world: World, db: sqlite3.Connection) -> bool:
    """Of a session that was begun before the ledger was locked, is the new file there?"""
    clock = asyncio.get_running_loop().time
    end = clock() + _WAIT_S
    while begun := _begun(world, db):
        if any(world.body(name) != world.body(earlier) for name, earlier in begun):
            return True
        if clock() > end:
            break
        await asyncio.sleep(_LOOK_S)
    return False


def _killed(world: World) -> bool:
    return world.running is not None and killed(world.running.pid)


def _begun(world: World, db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Names of files of which a later revision is written than the ledger knows: the current one,
    and the one that the ledger means."""
    earlier = [name for name in world.names("bars") if name.endswith(".r1.parquet")]
    if not earlier:
        return []
    known = {
        f"bars/{series}/{session}"
        for series, session in db.execute("SELECT series, session FROM sessions WHERE revision > 1")
    }
    found = [name.removesuffix(".r1.parquet") for name in earlier]
    return [(f"{name}.parquet", f"{name}.r1.parquet") for name in found if name not in known]
