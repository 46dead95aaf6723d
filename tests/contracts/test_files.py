"""The promises of the Files port, held against a disk and against object storage."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import polars as pl
import pytest

from core.bars import Family, Scope, Series
from core.bucket import Bucket
from core.files import Files, Folder, parquet
from core.quarters import Quarters
from core.sources.s3_names import S3Access
from core.staged import Staged
from core.store import Store
from tests.frames import bars, day, row
from tests.servers.s3_writable import WritableS3Server

DAY, NEXT = day("2026-11-19"), day("2026-11-20")
SERIES = Series(Scope.ALL, Family.DAILY)
FIRST = bars(DAY, [row("AAPL"), row("MSFT")])
SECOND = bars(DAY, [row("AAPL", volume=5.0), row("MSFT")])
NAME, OTHER = "bars/x/2026-11-19.parquet", "bars/x/2026-11-20.parquet"
LOTS = 1 << 30

Opened = Callable[[], Files]
"""The same place as another process sees it, on a machine that has read nothing yet."""


@asynccontextmanager
async def on_disk(tmp_path: Path, moto_url: str) -> AsyncIterator[Opened]:
    yield lambda: Folder(tmp_path / "data")


@asynccontextmanager
async def on_our_s3(tmp_path: Path, moto_url: str) -> AsyncIterator[Opened]:
    login = {"access_key_id": "any", "secret_access_key": "any"}
    async with WritableS3Server(**login, bucket="tape") as server:
        access = S3Access(server.url, "tape", *login.values())
        yield lambda: Bucket(access, "some/prefix", tmp_path / uuid4().hex, LOTS, attempts=1)


@asynccontextmanager
async def on_moto(tmp_path: Path, moto_url: str) -> AsyncIterator[Opened]:
    bucket, login = f"tape-{uuid4()}", {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    client: Any = await asyncio.to_thread(
        boto3.client, "s3", endpoint_url=moto_url, region_name="us-east-1", **login
    )
    await asyncio.to_thread(client.create_bucket, Bucket=bucket)
    access = S3Access(moto_url, bucket, "any", "any")
    yield lambda: Bucket(access, "", tmp_path / uuid4().hex, LOTS, attempts=1)
    client.close()


@asynccontextmanager
async def on_a_disk_without_links(tmp_path: Path, moto_url: str) -> AsyncIterator[Opened]:
    def link(there: Path, to: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(there), None, str(to))

    yield lambda: Folder(tmp_path / "data", link)


PLACES = {
    "disk": on_disk,
    "a disk without links": on_a_disk_without_links,
    "our S3": on_our_s3,
    "moto": on_moto,
}


@pytest.fixture(params=PLACES)
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path, moto_url: str
) -> AsyncIterator[Opened]:
    async with PLACES[request.param](tmp_path, moto_url) as opened:
        yield opened


def read(files: Files, name: str) -> bytes:
    (path,) = files.paths([name])
    return path.read_bytes()


async def run(work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)


async def test_nothing_is_there_at_first(opened: Opened) -> None:
    def work() -> None:
        files = opened()
        assert files.listed("bars/x") == {}
        assert files.stamp(NAME) is None
        files.drop(NAME)
        with pytest.raises(FileNotFoundError):
            read(files, NAME)

    await run(work)


async def test_what_was_put_is_there_for_everybody_byte_for_byte(opened: Opened) -> None:
    def work() -> None:
        here, there = opened(), opened()
        here.put(NAME, b"one")
        here.put(OTHER, b"two")
        assert read(here, NAME) == read(there, NAME) == b"one"
        assert [p.read_bytes() for p in there.paths([OTHER, NAME])] == [b"two", b"one"]
        assert set(there.listed("bars/x")) == {"2026-11-19.parquet", "2026-11-20.parquet"}
        assert there.listed("bars/x")["2026-11-19.parquet"] == there.stamp(NAME)
        assert there.listed("bars") == {}, "folders are not files"

    await run(work)


async def test_what_others_keep_there_and_the_folder_itself_are_no_files(opened: Opened) -> None:
    def work() -> None:
        files = opened()
        if isinstance(files, Folder):
            (files.root / "bars/x").mkdir(parents=True)
        else:
            files.put("bars/x/", b"")  # as consoles, s3fs and rclone make one
        for name in (".keep", "notes.txt", "2026-11-19.parquet.partial"):
            files.put(f"bars/x/{name}", b"another's")
        assert opened().listed("bars/x") == {}
        files.put(NAME, b"one")
        assert set(opened().listed("bars/x")) == {"2026-11-19.parquet"}
        assert opened().listed("bars") == {}

    await run(work)


async def test_what_goes_while_it_is_listed_takes_nothing_with_it(opened: Opened) -> None:
    def work() -> None:
        files = opened()
        files.put(NAME, b"one")
        files.put(OTHER, b"two")

        def only(name: str) -> bool:
            if name == "2026-11-19.parquet":
                files.drop(NAME)
            return True

        assert "2026-11-20.parquet" in files.listed("bars/x", only)
        if isinstance(files, Folder):
            (files.root / NAME).symlink_to(files.root / "nowhere")
            assert files.listed("bars/x").keys() == {"2026-11-20.parquet"}

    await run(work)


async def test_a_folder_that_is_as_it_was_has_the_version_it_had(opened: Opened) -> None:
    def work() -> None:
        files = opened()
        assert files.version("bars/x") == ""
        files.put(NAME, b"one")
        assert files.version("bars/x") == "", "more may come at the same time of its clock"
        if not isinstance(files, Folder):
            return
        now_s = time.time() + 1_000.0
        files = replace(files, clock=lambda: now_s)
        seen = [files.version("bars/x")]
        assert files.version("bars/x") == seen[0] != ""
        changes: list[Callable[[], None]] = [
            lambda: files.put(NAME, b"two"),
            lambda: files.put(OTHER, b"three"),
            lambda: files.move(OTHER, "bars/y/2026-11-20.parquet"),
            lambda: files.drop(NAME),
        ]
        for change in changes:
            time.sleep(0.02)
            change()
            seen.append(files.version("bars/x"))
        assert len(set(seen)) == 5

    await run(work)


async def test_another_content_has_another_stamp_and_is_what_is_read(opened: Opened) -> None:
    def work() -> None:
        files = opened()
        files.put(NAME, b"one")
        before = files.stamp(NAME)
        files.put(NAME, b"three")
        after = files.stamp(NAME)
        assert before is not None
        assert after is not None
        assert before.state != after.state
        assert read(files, NAME) == b"three" == read(opened(), NAME)
        assert files.stamp(NAME) == after, "reading changes nothing"

    await run(work)


async def test_who_looks_again_sees_what_others_have_done_since(opened: Opened) -> None:
    def work() -> None:
        here, there, earlier = opened(), opened(), "bars/x/2026-11-19.r1.parquet"
        here.look_again("bars/x", "2026-11-19.")
        here.put(NAME, b"one")
        here.put(OTHER, b"one")
        assert read(there, NAME) == read(there, OTHER) == b"one"
        here.copy(NAME, earlier)
        here.put(NAME, b"three")
        here.drop(OTHER)
        there.look_again("bars/x", "2026-11-19.")
        assert there.stamp(earlier) == here.stamp(earlier)
        assert (read(there, NAME), read(there, earlier)) == (b"three", b"one")
        here.drop(earlier)
        there.look_again("bars/x", "2026-11-19.")
        there.look_again("bars/x", "2026-11-20.")
        assert set(there.listed("bars/x")) == {"2026-11-19.parquet"}

    await run(work)


async def test_a_copy_outlives_what_it_was_made_of(opened: Opened) -> None:
    def work() -> None:
        files, copy = opened(), "bars/x/2026-11-19.r1.parquet"
        files.put(NAME, b"one")
        files.copy(NAME, copy)
        files.put(NAME, b"two")
        assert (read(files, copy), read(files, NAME)) == (b"one", b"two")
        files.drop(NAME)
        assert files.stamp(NAME) is None
        assert read(opened(), copy) == b"one"
        with pytest.raises(FileNotFoundError):
            read(opened(), NAME)

    await run(work)


async def test_what_is_moved_has_the_other_name_only(opened: Opened) -> None:
    def work() -> None:
        files, aside = opened(), f"damaged/{NAME}"
        for whole in (b"one", b"two"):
            files.put(NAME, whole)
            files.move(NAME, aside)
            assert (files.stamp(NAME), read(files, aside)) == (None, whole)
            assert read(opened(), aside) == whole
        for one in (files, opened()):
            with pytest.raises(FileNotFoundError):
                one.move(NAME, aside)
        assert read(files, aside) == b"two"

    await run(work)


async def test_it_can_tell_whether_it_can_be_used(opened: Opened) -> None:
    def work() -> None:
        files = opened()
        files.probe()
        assert files.listed("probe") == {}

    await run(work)


async def test_the_store_keeps_its_promises_there(opened: Opened, tmp_path: Path) -> None:
    def work() -> None:
        store = Store(opened(), Folder(tmp_path / "own"))
        assert not store.has(SERIES, DAY)
        store.write(SERIES, DAY, FIRST, 1)
        store.write(SERIES, DAY, SECOND, 2)
        store.write(SERIES, NEXT, bars(NEXT, [row("AAPL")]), 1)
        store.hold(SERIES, DAY, FIRST)
        after_a_restart = Store(opened(), Folder(tmp_path / "elsewhere"))
        for one in (store, after_a_restart):
            assert one.read(SERIES, [DAY]).equals(SECOND)
            assert one.read_revision(SERIES, DAY, 1).equals(FIRST)
            assert one.read_revision(SERIES, DAY, 2).equals(SECOND)
            assert one.read(SERIES, [DAY, NEXT], tickers=["AAPL"]).height == 2
            assert one.tickers(SERIES, [DAY, NEXT]) == {"AAPL", "MSFT"}
            held = one.held(SERIES, DAY)
            assert held is not None
            assert held.equals(FIRST)
        assert store.state([SERIES], [DAY]) == after_a_restart.state([SERIES], [DAY])
        store.drop_held(SERIES, DAY)
        assert store.held(SERIES, DAY) is None

    await run(work)


async def test_a_revision_that_the_ledger_never_heard_of_is_taken_back_there(
    opened: Opened, tmp_path: Path
) -> None:
    def work() -> None:
        store = Store(opened(), Folder(tmp_path / "own"))
        for revision, made in enumerate((SECOND, FIRST, SECOND), 1):
            store.write(SERIES, DAY, made, revision)
        store = Store(opened(), Folder(tmp_path / "own"))  # as after a restart
        store.back_to(SERIES, DAY, 3)
        assert store.read(SERIES, [DAY]).equals(SECOND)
        assert store.is_ahead(SERIES, DAY, 2)
        store.back_to(SERIES, DAY, 2)
        assert store.read(SERIES, [DAY]).equals(FIRST)
        assert not store.is_ahead(SERIES, DAY, 2)
        assert store.read_revision(SERIES, DAY, 1).equals(SECOND)
        there = opened().listed(f"bars/{SERIES.key}")
        assert sorted(there) == [f"{DAY}.parquet", f"{DAY}.r1.parquet"]

    await run(work)


async def test_files_by_ticker_are_made_once_for_everybody(opened: Opened, tmp_path: Path) -> None:
    def work() -> None:
        store = Store(opened(), Folder(tmp_path / "own"))
        store.write(SERIES, DAY, FIRST, 1)
        store.write(SERIES, NEXT, bars(NEXT, [row("AAPL")]), 1)
        plain = store.read(SERIES, [DAY, NEXT], tickers=["AAPL"])
        assert store.compact(SERIES) == 1
        other = opened()
        assert Quarters(other, SERIES).renew() == 0
        (whole,) = Quarters(other, SERIES).names([DAY.date, NEXT.date])
        assert whole.startswith("quarters/")
        assert (
            Store(other, Folder(tmp_path)).read(SERIES, [DAY, NEXT], tickers=["AAPL"]).equals(plain)
        )

    await run(work)


async def test_a_file_by_ticker_has_the_rows_of_the_states_that_it_is_named_after(
    opened: Opened, tmp_path: Path
) -> None:
    def work() -> None:
        service, shell = (Store(opened(), Folder(tmp_path / "own")) for _ in range(2))
        shell.write(SERIES, DAY, FIRST, 1)
        shell.write(SERIES, NEXT, bars(NEXT, [row("AAPL")]), 1)
        assert service.has(SERIES, DAY)  # as a bucket listed it, for some seconds
        shell.write(SERIES, DAY, SECOND, 2)
        made = service.compact(SERIES)
        assert made == (1 if isinstance(service.files, Folder) else 0)
        shell.back_to(SERIES, DAY, 1)
        after_a_restart = Store(opened(), Folder(tmp_path / "own"))
        for _ in range(2):
            read = after_a_restart.read(SERIES, [DAY, NEXT], tickers=["AAPL", "MSFT"])
            assert read.filter(session=DAY.date).equals(FIRST)
            assert after_a_restart.compact(SERIES) in (0, 1)
        (whole,) = Quarters(opened(), SERIES).names([DAY.date, NEXT.date])
        assert whole.startswith("quarters/")

    await run(work)


async def test_what_was_read_is_known_by_its_state_though_it_comes_back(opened: Opened) -> None:
    def work() -> None:
        files = opened()
        files.put(NAME, b"one")
        (path,), first = files.paths([NAME]), files.stamp(NAME)
        assert first is not None
        assert files.state_of(NAME, path) == first.state
        files.put(NAME, b"three")
        (later,), state = files.paths([NAME]), files.state_of(NAME, path)
        assert state != first.state or path.read_bytes() == b"one"
        assert files.state_of(NAME, later) != first.state
        files.put(NAME, b"one")
        assert files.state_of(NAME, later) != first.state or later.read_bytes() == b"one"
        files.drop(NAME)
        assert files.state_of(NAME, later) != first.state

    await run(work)


async def test_what_a_worker_staged_is_taken_once(opened: Opened) -> None:
    def work() -> None:
        worker, bot = Staged(opened()), Staged(opened())
        worker.put(SERIES, "2026-11-19.m4rk", FIRST)
        assert bot.take(SERIES.key, "2026-11-19.m4rk").equals(FIRST)
        with pytest.raises(FileNotFoundError):
            bot.take(SERIES.key, "2026-11-19.m4rk")

    await run(work)


async def test_a_folder_is_emptied_of_what_others_put_there_just_now(opened: Opened) -> None:
    def work() -> None:
        files, other = opened(), opened()
        assert files.listed("staged") == {}
        files.empty("staged")
        other.put("staged/a.parquet", b"whole")
        other.put("stagedx/b.parquet", b"another's")
        files.empty("staged")
        assert opened().listed("staged") == {}
        assert set(opened().listed("stagedx")) == {"b.parquet"}

    await run(work)


def test_the_same_frame_is_the_same_bytes() -> None:
    assert parquet(FIRST) == parquet(pl.read_parquet(parquet(FIRST)))


def test_a_disk_that_is_full_is_no_disk_without_links(tmp_path: Path) -> None:
    def link(there: Path, to: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files = Folder(tmp_path, link)
    files.put(NAME, b"one")
    with pytest.raises(OSError, match="No space left"):
        files.copy(NAME, OTHER)
    assert files.stamp(OTHER) is None
