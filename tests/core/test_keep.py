"""core.keep: the file first and then the ledger's line, whoever dies or is cancelled between."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from core.bars import Bars
from core.bucket import Bucket
from core.db import Db
from core.errors import BadBars, Verdict
from core.files import Folder
from core.keep import Keeper
from core.ledger import Ledger
from core.sources import NoneServed, Served
from core.sources.s3_names import S3Access
from core.store import Store
from tests.fakes import SERIES
from tests.frames import bars, day, row
from tests.servers.s3_writable import WritableS3Server
from tests.states import new_state

DAY = day("2026-11-19")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST, SECOND, THIRD = (bars(DAY, [row("AAPL", volume=volume)]) for volume in (1.0, 2.0, 3.0))


@dataclass(frozen=True, slots=True)
class Slow(Folder):
    """A disk that writes when it may."""

    begun: Event = field(default_factory=Event)
    may: Event = field(default_factory=Event)

    def put(self, name: str, whole: bytes) -> None:
        """As any other, but later."""
        self.begun.set()
        self.may.wait(10)
        Folder(self.root).put(name, whole)


@dataclass(frozen=True, slots=True)
class Kept:
    """A session of which a revision is known."""

    keeper: Keeper

    async def keep(self, served: Bars) -> int:
        return await self.keeper.keep(DAY, Served(served, "flat files", version="v"))

    async def died_with(self, served: Bars, revision: int) -> None:
        """The file is there, and the ledger never heard of it."""
        await asyncio.to_thread(self.keeper.store.write, SERIES, DAY, served, revision)

    async def reads(self, current: Bars, *earlier: Bars) -> None:
        """What everybody reads, what the ledger's revision is, and those before it."""
        store, entry = self.keeper.store, await self.keeper.ledger.entry(DAY)
        assert entry is not None
        assert entry.revision == len(earlier) + 1
        assert (await asyncio.to_thread(store.read, SERIES, [DAY])).equals(current)
        assert not await asyncio.to_thread(store.is_ahead, SERIES, DAY, entry.revision)
        for revision, served in enumerate((*earlier, current), 1):
            rows = await asyncio.to_thread(store.read_revision, SERIES, DAY, revision)
            assert rows.equals(served)


@pytest.mark.parametrize("died", [False, True])
async def test_another_process_at_the_bucket_has_done_something_just_now(
    tmp_path: Path, *, died: bool
) -> None:
    """What is known of the bucket is some seconds old by then."""
    login = {"access_key_id": "any", "secret_access_key": "any"}
    async with (
        WritableS3Server(**login, bucket="tape") as server,
        Db.open(await new_state(tmp_path)) as db,
    ):
        access = S3Access(server.url, "tape", *login.values())

        def of_a_process() -> Kept:
            bucket = Bucket(access, "p", tmp_path / "cached", 1 << 30, attempts=1)
            ledger = Ledger(db, SERIES)
            return Kept(Keeper(Store(bucket, Folder(tmp_path)), ledger, lambda: NOW))

        shell, service, later = [await asyncio.to_thread(of_a_process) for _ in range(3)]
        await shell.keep(FIRST)
        await asyncio.to_thread(service.keeper.store.read, SERIES, [DAY])
        await (shell.died_with(SECOND, 2) if died else shell.keep(SECOND))
        await service.keep(SECOND)
        for one in (service, later):
            await one.reads(SECOND, FIRST)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    async with Db.open(await new_state(tmp_path)) as db:
        store = Store.on_disk(tmp_path)
        made = Kept(Keeper(store, Ledger(db, SERIES), lambda: NOW, silently=True))
        assert await made.keep(FIRST)
        yield made


async def test_what_the_source_took_back_after_a_death_is_read_by_nobody(kept: Kept) -> None:
    await kept.died_with(SECOND, 2)
    assert not await kept.keep(FIRST)
    await kept.reads(FIRST)


async def test_what_it_serves_again_is_the_next_revision(kept: Kept) -> None:
    await kept.died_with(SECOND, 2)
    assert await kept.keep(SECOND)
    await kept.reads(SECOND, FIRST)


async def test_what_it_serves_as_a_third_one_is_the_next_revision(kept: Kept) -> None:
    assert await kept.keep(SECOND)
    await kept.died_with(FIRST, 3)
    assert await kept.keep(THIRD)
    await kept.reads(THIRD, FIRST, SECOND)


async def test_what_was_lost_meanwhile_is_put_back(kept: Kept) -> None:
    await kept.died_with(SECOND, 2)
    files = kept.keeper.store.files
    await asyncio.to_thread(files.drop, f"bars/{SERIES.key}/{DAY}.parquet")
    assert not await kept.keep(FIRST)
    await kept.reads(FIRST)


async def test_where_the_gate_holds_the_next_copy_the_known_one_is_read(kept: Kept) -> None:
    await kept.died_with(SECOND, 2)
    error = BadBars("no use", Verdict.VENDOR_FAULT)
    await kept.keeper.not_served(DAY, NoneServed({"flat files": error}))
    await kept.reads(FIRST)


async def test_the_same_anew_is_made_of_the_known_one(kept: Kept) -> None:
    await kept.died_with(SECOND, 2)
    await kept.keeper.anew(DAY)
    await kept.reads(FIRST, FIRST)


async def test_who_is_cancelled_while_a_file_is_written_waits_for_its_line(
    kept: Kept, tmp_path: Path
) -> None:
    slow = Slow(tmp_path)
    keeper = Keeper(Store(slow, slow), kept.keeper.ledger, lambda: NOW)
    keeping = asyncio.create_task(keeper.keep(DAY, Served(SECOND, "flat files", version="v2")))
    await asyncio.to_thread(slow.begun.wait, 10)
    keeping.cancel()
    await asyncio.sleep(0)
    slow.may.set()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    await kept.reads(SECOND, FIRST)


async def test_what_a_state_that_was_lost_has_left_beside_a_session_is_not_taken_for_its_own(
    kept: Kept, tmp_path: Path
) -> None:
    assert await kept.keep(SECOND)
    assert await kept.keep(THIRD)
    (tmp_path / "anew").mkdir()
    async with Db.open(await new_state(tmp_path / "anew")) as db:
        anew = Kept(Keeper(kept.keeper.store, Ledger(db, SERIES), lambda: NOW, silently=True))
        assert await anew.keep(THIRD)
        await anew.keeper.settled(DAY)
        await anew.reads(THIRD)
        assert not await anew.keep(THIRD)
        assert await anew.keep(FIRST)
        await anew.reads(FIRST, THIRD)
