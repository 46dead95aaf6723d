"""core.damaged: a file that cannot be read is not in the way of those that can."""

import asyncio
import logging
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.bars import BARS, UNREADABLE, Family, Scope, Series
from core.bucket import Bucket
from core.calendar import sessions_ending
from core.damaged import readable
from core.files import Folder, parquet
from core.sources.s3_names import S3Access
from core.store import Store
from tests.frames import bars, day, row
from tests.servers.s3_writable import WritableS3Server

DAYS = sessions_ending(day("2026-10-08"), 10)
"""Five sessions of the third quarter, five of the fourth."""
SERIES = Series(Scope.ALL, Family.DAILY)
WHOLE = parquet(bars(DAYS[2], [row("A"), row("B")]))
SPOILED = [b"", b"PAR1", WHOLE[:-1], WHOLE[:200], bytes(len(WHOLE))]


def name(n: int) -> str:
    return f"bars/{SERIES.key}/{DAYS[n]}.parquet"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.on_disk(tmp_path)
    for on in DAYS:
        store.write(SERIES, on, bars(on, [row("A"), row("B")]), 1)
    return store


@pytest.mark.parametrize("spoiled", SPOILED)
def test_the_others_are_read_and_it_is_missing_from_then_on(
    store: Store, tmp_path: Path, spoiled: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name(2)).write_bytes(spoiled)
    left = [on.date for on in DAYS if on != DAYS[2]]

    with caplog.at_level(logging.ERROR):
        assert store.read(SERIES, DAYS)["session"].unique().sort().to_list() == left
    assert store.read(SERIES, DAYS, tickers=["A"])["session"].to_list() == left
    assert store.tickers(SERIES, DAYS) == {"A", "B"}
    assert not store.has(SERIES, DAYS[2])
    assert (tmp_path / "damaged" / name(2)).read_bytes() == spoiled
    assert [r.__dict__["file"] for r in caplog.records] == [name(2)], "said once"


@pytest.mark.parametrize("way", ["some tickers", "names", "one revision", "by ticker"])
def test_whoever_meets_it_first_sets_it_aside(store: Store, tmp_path: Path, way: str) -> None:
    (tmp_path / name(2)).write_bytes(WHOLE[:200])
    match way:
        case "some tickers":
            assert store.read(SERIES, DAYS, tickers=["A"]).height == 9
        case "names":
            assert store.tickers(SERIES, DAYS) == {"A", "B"}
        case "one revision":
            with pytest.raises(FileNotFoundError):
                store.read_revision(SERIES, DAYS[2], 1)
        case "by ticker":
            assert store.compact(SERIES) == 1, "the other quarter"
            assert store.compact(SERIES) == 1, "and this one, of four sessions"
    assert not store.has(SERIES, DAYS[2])


def test_an_earlier_revision_that_is_damaged_is_not_taken_for_the_later_one(
    store: Store, tmp_path: Path
) -> None:
    store.write(SERIES, DAYS[2], bars(DAYS[2], [row("C")]), 2)
    (tmp_path / name(2).replace(".parquet", ".r1.parquet")).write_bytes(b"")
    with pytest.raises(FileNotFoundError):
        store.read_revision(SERIES, DAYS[2], 1)
    assert store.read_revision(SERIES, DAYS[2], 2)["ticker"].to_list() == ["C"]


def test_held_rows_that_are_damaged_are_none(store: Store, tmp_path: Path) -> None:
    store.hold(SERIES, DAYS[2], bars(DAYS[2], [row("A")]))
    (tmp_path / f"held/{SERIES.key}/{DAYS[2]}.parquet").write_bytes(b"PAR1")
    assert store.held(SERIES, DAYS[2]) is None


def test_a_damaged_quarter_costs_nothing_but_itself(store: Store, tmp_path: Path) -> None:
    assert store.compact(SERIES) == 2
    for file in tmp_path.glob("quarters/*/*.parquet"):
        file.write_bytes(b"PAR1")
    assert store.read(SERIES, DAYS, tickers=["A"])["session"].to_list() == [d.date for d in DAYS]
    assert store.compact(SERIES) == 2, "made anew"


def test_an_error_that_is_no_file_s_fault_touches_none(store: Store) -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        store.read(SERIES, DAYS, ["no such column"])
    assert all(store.has(SERIES, on) for on in DAYS)


@hypothesis_settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), length=st.integers(0, 64))
def test_whatever_is_wrong_with_its_bytes_there_is_an_answer(at: int, length: int) -> None:
    """Bytes that still make a table are beyond this: the disk has to keep them as they are."""
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        store = Store.on_disk(Path(root))
        for on in DAYS[1:4]:
            store.write(SERIES, on, bars(on, [row("A"), row("B")]), 1)
        (Path(root) / name(2)).write_bytes(WHOLE[:at] + bytes(length) + WHOLE[at + length :])
        try:
            read = store.read(SERIES, DAYS[1:4])
        except pl.exceptions.PolarsError as error:
            raise AssertionError("no answer") from error
        assert dict(read.schema) == BARS
        assert {DAYS[1].date, DAYS[3].date} <= set(read["session"])


def test_a_full_disk_has_room_for_what_is_set_aside(store: Store, tmp_path: Path) -> None:
    (tmp_path / name(2)).write_bytes(b"PAR1")
    before = (tmp_path / name(2)).stat().st_ino
    assert store.read(SERIES, DAYS).height == 18
    assert (tmp_path / "damaged" / name(2)).stat().st_ino == before, "not written anew"


def answered_from_the_others(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """As often as one asks, for the third session cannot be set aside."""
    left = [on.date for on in DAYS if on != DAYS[2]]
    for _ in range(2):
        caplog.clear()
        assert store.read(SERIES, DAYS)["session"].unique().sort().to_list() == left
        assert [r.__dict__["file"] for r in caplog.records] == [name(2)]
        assert "cannot be set aside" in caplog.text
        assert store.read(SERIES, DAYS, tickers=["A"])["session"].to_list() == left
        assert store.tickers(SERIES, DAYS) == {"A", "B"}
        assert store.read(SERIES, [DAYS[2]]).is_empty()
        with pytest.raises(FileNotFoundError):
            store.read_revision(SERIES, DAYS[2], 1)
    assert store.has(SERIES, DAYS[2]), "nothing was taken away"


@pytest.mark.parametrize("compacted", [False, True])
def test_one_that_cannot_be_set_aside_is_left_out(
    store: Store, tmp_path: Path, compacted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "damaged").write_bytes(b"no folder")
    (tmp_path / name(2)).write_bytes(b"PAR1")
    if compacted:
        assert store.compact(SERIES) == 1, "the other quarter"
    answered_from_the_others(store, caplog)


def test_a_quarter_that_cannot_be_set_aside_hides_no_session(store: Store, tmp_path: Path) -> None:
    assert store.compact(SERIES) == 2
    (tmp_path / "damaged").write_bytes(b"no folder")
    for file in tmp_path.glob("quarters/*/*.parquet"):
        file.write_bytes(b"PAR1")
    assert store.read(SERIES, DAYS, tickers=["A"])["session"].to_list() == [d.date for d in DAYS]


async def test_a_bucket_that_is_only_read_from_answers_without_what_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    login = {"access_key_id": "any", "secret_access_key": "any"}
    async with WritableS3Server(**login, bucket="tape") as server:
        access = S3Access(server.url, "tape", *login.values())

        def work() -> None:
            def opened(machine: str) -> Store:
                bucket = Bucket(access, "", tmp_path / machine, 1 << 30, attempts=1)
                return Store(bucket, Folder(tmp_path))

            writing = opened("writing")
            for on in DAYS:
                writing.write(SERIES, on, bars(on, [row("A"), row("B")]), 1)
            server.objects[name(2)] = b"PAR1"
            server.refuses_writes = True
            answered_from_the_others(opened("reading"), caplog)
            server.refuses_writes = False
            assert opened("writing again").read(SERIES, DAYS).height == 18
            assert server.objects[f"damaged/{name(2)}"] == b"PAR1"
            assert name(2) not in server.objects

        await asyncio.to_thread(work)


async def test_a_damaged_copy_of_a_whole_object_is_fetched_anew(tmp_path: Path) -> None:
    login = {"access_key_id": "any", "secret_access_key": "any"}
    async with WritableS3Server(**login, bucket="tape") as server:
        access = S3Access(server.url, "tape", *login.values())

        def work() -> None:
            cache = tmp_path / "cache"
            bucket = Bucket(access, "", cache, 1 << 30, attempts=1)
            store = Store(bucket, Folder(tmp_path))
            for on in DAYS[:4]:
                store.write(SERIES, on, bars(on, [row("A")]), 1)
            for copy in cache.rglob(f"*{DAYS[1]}.parquet"):
                copy.write_bytes(b"PAR1")
            bucket.put(name(2), b"an object that is damaged itself")
            got = store.read(SERIES, DAYS[:4])["session"].to_list()
            assert got == [DAYS[n].date for n in (0, 1, 3)]
            (kept,) = bucket.paths([f"damaged/{name(2)}"])
            assert kept.read_bytes() == b"an object that is damaged itself"

        await asyncio.to_thread(work)


def test_what_cannot_be_told_apart_is_raised(tmp_path: Path) -> None:
    files = Folder(tmp_path)
    files.put("one.parquet", WHOLE)

    def never(names: object) -> None:
        raise pl.exceptions.ComputeError("our own mistake")

    with pytest.raises(UNREADABLE, match="our own mistake"):
        readable(files, lambda: ["one.parquet"], never)
