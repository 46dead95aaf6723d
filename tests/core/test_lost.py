"""core.lost, core.keep: bars beside a series that are gone, put back without a word."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.bars import Series
from core.bucket import Bucket
from core.calendar import TradingDay
from core.db import Db
from core.files import Folder
from core.keep import Kept
from core.ledger import Entry, Ledger, Status
from core.sources.s3_names import S3Access
from core.store import Store
from tests.core.test_pipeline import BEFORE, DAY, LIT, OFF, House, both, plain, taped
from tests.fakes import SERIES, FakeSource, bars_of
from tests.servers.s3_writable import WritableS3Server
from tests.states import new_state


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A session that was told, of both scopes of one reading."""
    async with Db.open(await new_state(tmp_path)) as db:
        house = House(tmp_path, db, FakeSource("first", bars_of({DAY: plain(DAY)})))
        both(house, DAY)
        await taped(house).trading_day(DAY, announce=True)
        yield house


async def entry(house: House, series: Series) -> Entry:
    found = await Ledger(house.db, series).entry(DAY)
    assert found is not None
    return found


def lit(house: House) -> Path:
    return house.folder / "bars" / LIT.key / f"{DAY}.parquet"


async def taken(house: House) -> Kept:
    pipeline = taped(house)
    return await pipeline.take(DAY, await pipeline.fetched(DAY))


async def test_a_session_lacks_what_the_ledger_knows_of_and_is_not_there(house: House) -> None:
    pipeline, days = taped(house), [*BEFORE, DAY]
    assert await pipeline.lacks(days) == set()
    own = await pipeline.entries(days)

    await asyncio.to_thread(lit(house).unlink)

    assert await pipeline.lacks(days) == {DAY.date}
    assert await pipeline.lacks(BEFORE) == set()
    assert await pipeline.entries(days) == own, "its own bars are there"
    assert await house.pipeline().lacks(days) == set(), "nothing is beside it"


async def test_what_never_had_another_scope_lacks_none(house: House) -> None:
    house.source.days[BEFORE[0].date] = plain(BEFORE[0])
    await taped(house).trading_day(BEFORE[0], announce=False)
    assert await taped(house).lacks([BEFORE[0], DAY]) == set()


@pytest.mark.parametrize("way", ["lost", "damaged"])
async def test_another_scope_that_was_lost_is_put_back_and_no_more(house: House, way: str) -> None:
    had = await asyncio.to_thread(lit(house).read_bytes)
    before = await entry(house, OFF)
    if way == "lost":
        await asyncio.to_thread(lit(house).unlink)
    else:
        await asyncio.to_thread(lit(house).write_bytes, bytes(len(had)))

    assert await taken(house) is Kept.AGAIN

    assert await asyncio.to_thread(lit(house).read_bytes) == had
    assert await entry(house, OFF) == before
    assert await taped(house).lacks([DAY]) == set()
    assert not await taped(house).revisit(DAY)
    assert [j.revision for j in house.publish.judged] == [1]
    assert await taken(house) is Kept.SAME


async def test_its_own_bars_that_are_others_are_a_new_revision_all_the_same(house: House) -> None:
    await asyncio.to_thread(lit(house).unlink)
    both(house, DAY, "MORE")
    assert await taken(house) is Kept.NEW
    assert (await entry(house, OFF)).revision == 2


async def test_another_scope_that_differs_is_new_and_one_that_came_for_the_first_time(
    house: House,
) -> None:
    both(house, DAY, close=11.0)
    assert await taken(house) is Kept.NEW
    async with house.db.transaction() as writer:
        await writer.execute("DELETE FROM sessions WHERE series = ?", (LIT.key,))
    assert await taken(house) is Kept.NEW
    assert (await entry(house, OFF)).revision == 3


@pytest.mark.parametrize(("version", "status"), [("one", Status.FINISHED), ("two", Status.STORED)])
async def test_of_the_same_file_as_before_there_is_nothing_to_be_told(
    house: House, version: str, status: Status
) -> None:
    """Whoever judged the other scope by itself, under other settings."""
    house.source.versions[DAY.date] = "one"
    both(house, DAY, close=11.0)
    await taken(house)
    async with house.db.transaction() as writer:
        ledger = Ledger(house.db, LIT)
        await ledger.finish(writer, DAY, announced=True, now=house.clock())
    await asyncio.to_thread(lit(house).unlink)
    house.source.versions[DAY.date] = version

    assert await taken(house) is Kept.AGAIN

    found = await entry(house, LIT)
    assert (found.status, found.announced, found.revision) == (status, True, 3)


async def test_a_bucket_is_asked_for_one_listing_however_many_sessions(tmp_path: Path) -> None:
    login = {"access_key_id": "any", "secret_access_key": "any"}
    async with WritableS3Server(**login, bucket="tape") as server:
        access = S3Access(server.url, "tape", *login.values())

        def there() -> set[TradingDay]:
            store = Store(Bucket(access, "", tmp_path, 1 << 30, attempts=1), Folder(tmp_path))
            store.write(SERIES, DAY, plain(DAY), 1)
            # As old as it may be at once: who asks session by session asks anew for each.
            late = Bucket(access, "", tmp_path, 1 << 30, attempts=1, listed_for_s=0.0)
            server.requests.clear()
            return Store(late, Folder(tmp_path)).stored(SERIES, [*BEFORE, DAY])

        assert await asyncio.to_thread(there) == {DAY}
        assert len(server.requests) == 1


def test_stored_says_what_has_says(tmp_path: Path) -> None:
    store = Store.on_disk(tmp_path)
    assert store.stored(SERIES, BEFORE) == set()
    for day in BEFORE[::2]:
        store.write(SERIES, day, plain(day), 1)
        store.write(SERIES, day, plain(day, "MORE"), 2)
    store.write(OFF, BEFORE[1], plain(BEFORE[1]), 1)
    assert store.stored(SERIES, BEFORE) == {day for day in BEFORE if store.has(SERIES, day)}
    assert store.stored(SERIES, BEFORE) == set(BEFORE[::2])
