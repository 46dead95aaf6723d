"""core.db on real files: migrations, transactions, and what readers see."""

import asyncio
import multiprocessing
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.db import Connection, Db, Value, insert
from core.errors import ConfigError
from core.migrate import MIGRATIONS, migrate

NEWEST = len(list(MIGRATIONS.glob("[0-9]*.sql")))


def schema(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        assert connection.execute("PRAGMA user_version").fetchone() == (NEWEST,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        return rows
    finally:
        connection.close()


def set_version(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "state.db"


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Db]:
    async with Db.open(path) as opened:
        yield opened


async def note(writer: Connection, text: str) -> None:
    await insert(writer, "attempts", {"at": "now", "series": "s", "session": "d", "source": text,
                                      "verdict": "ok", "seen": ""})  # fmt: skip


async def noted(db: Db) -> list[str]:
    return [str(row["source"]) for row in await db.rows("SELECT source FROM attempts ORDER BY id")]


def test_a_file_that_is_not_there_gets_the_newest_schema(path: Path) -> None:
    migrate(path)

    assert {"sessions", "attempts", "splits", "anomalies", "digests", "deliveries"} <= {
        name for name, _ in schema(path)
    }


def test_migrating_twice_changes_nothing(path: Path) -> None:
    migrate(path)
    once = schema(path)

    migrate(path)

    assert schema(path) == once


def test_every_table_is_strict(path: Path) -> None:
    migrate(path)

    tables = [sql for _, sql in schema(path) if sql and sql.startswith("CREATE TABLE")]
    assert tables
    assert all("STRICT" in sql for sql in tables)


def test_two_processes_that_migrate_at_once_both_succeed(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    starters = [context.Process(target=migrate, args=(path,)) for _ in range(2)]
    for process in starters:
        process.start()
    for process in starters:
        process.join(30)

    assert [process.exitcode for process in starters] == [0, 0]
    schema(path)


def test_a_database_of_a_newer_tapewatch_is_refused_and_left_alone(path: Path) -> None:
    migrate(path)
    set_version(path, NEWEST + 1)

    with pytest.raises(ConfigError, match="from a newer Tapewatch") as refused:
        migrate(path)

    assert str(path) in refused.value.faults[0]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (NEWEST + 1,)
    connection.close()


async def test_opening_refuses_what_migrating_refuses(path: Path) -> None:
    await asyncio.to_thread(migrate, path)
    await asyncio.to_thread(set_version, path, NEWEST + 1)

    with pytest.raises(ConfigError):
        async with Db.open(path):
            pass


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("ticker,volume\n" * 200)

    with pytest.raises(ConfigError, match="file is not a database"):
        migrate(path)

    assert path.read_text().startswith("ticker,volume")


def test_a_folder_in_its_place_is_refused_in_words(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(ConfigError, match="cannot be used"):
        migrate(path)


def test_a_data_dir_that_is_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")

    with pytest.raises(ConfigError, match="cannot be used"):
        migrate(tmp_path / "data" / "state.db")


def test_a_script_that_fails_leaves_the_schema_before(path: Path, tmp_path: Path) -> None:
    migrate(path)
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    for script in MIGRATIONS.glob("[0-9]*.sql"):
        (scripts / script.name).write_text(script.read_text())
    (scripts / "9999_broken.sql").write_text("CREATE TABLE half (a);\nCREATE TABLE half (a)")
    before = schema(path)

    with pytest.raises(ConfigError, match="half already exists"):
        migrate(path, scripts)

    assert schema(path) == before


def test_a_last_statement_without_its_semicolon_runs_too(path: Path, tmp_path: Path) -> None:
    (tmp_path / "0001_two.sql").write_text(
        "-- two\nCREATE TABLE a (x);\nCREATE TABLE b (x)\n-- end"
    )

    migrate(path, tmp_path)

    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (2,)
    connection.close()


async def test_what_is_committed_is_read(db: Db) -> None:
    async with db.transaction() as writer:
        await note(writer, "a")

    assert await noted(db) == ["a"]


async def test_a_row_ignored_says_that_it_made_none(db: Db) -> None:
    split: dict[str, Value] = {
        "series": "s",
        "ticker": "A",
        "execution_date": "d",
        "split_from": 1.0,
        "split_to": 2.0,
    }
    async with db.transaction() as writer:
        made = [await insert(writer, "splits", split, or_="IGNORE") for _ in range(2)]

    assert made == [1, 0]


async def test_an_error_inside_undoes_everything_inside(db: Db) -> None:
    async def fail() -> None:
        async with db.transaction() as writer:
            await note(writer, "a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await noted(db) == []
    async with db.transaction() as writer:
        await note(writer, "b")
    assert await noted(db) == ["b"]


async def test_a_reader_never_sees_what_is_not_committed(db: Db) -> None:
    async with db.transaction() as writer:
        await note(writer, "a")
        assert await noted(db) == []
        assert await db.row("SELECT 1 FROM attempts") is None

    assert await noted(db) == ["a"]


async def test_who_has_written_reads_it_however_many_read_at_the_same_time(db: Db) -> None:
    async def read_on() -> None:
        while True:
            await db.rows("SELECT * FROM attempts")

    async with db.transaction() as writer:
        await note(writer, "first")
        await note(writer, "second")
    readers = [asyncio.create_task(read_on()) for _ in range(4)]
    for number in range(20):
        async with db.transaction() as writer:
            await note(writer, str(number))
        assert str(number) in await noted(db)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)


async def test_a_reader_cannot_write(db: Db) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await db.rows("DELETE FROM attempts")


async def test_transactions_at_the_same_time_come_one_after_another(db: Db) -> None:
    async def count_up() -> None:
        async with db.transaction() as writer:
            async with writer.execute("SELECT count(*) FROM attempts") as cursor:
                row = await cursor.fetchone()
            await asyncio.sleep(0)
            assert row is not None
            await note(writer, str(row[0]))

    await asyncio.gather(*(count_up() for _ in range(10)))

    assert await noted(db) == [str(n) for n in range(10)]


async def test_another_process_waits_for_the_lock_instead_of_failing(db: Db, path: Path) -> None:
    async with Db.open(path) as other:

        async def late() -> None:
            async with other.transaction() as writer:
                await note(writer, "second")

        async with db.transaction() as writer:
            waiting = asyncio.create_task(late())
            await asyncio.sleep(0.05)
            await note(writer, "first")
        await waiting

    assert await noted(db) == ["first", "second"]


async def test_cancelled_inside_a_transaction_undoes_it(db: Db) -> None:
    begun = asyncio.Event()

    async def endless() -> None:
        async with db.transaction() as writer:
            await note(writer, "a")
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(endless())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.transaction() as writer:
        await note(writer, "b")

    assert await noted(db) == ["b"]


async def test_cancelled_while_it_waits_to_begin_leaves_no_transaction_open(
    db: Db, path: Path
) -> None:
    async def late() -> None:
        async with db.transaction() as writer:
            await note(writer, "a")

    async with Db.open(path) as other:
        async with other.transaction():
            task = asyncio.create_task(late())
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task

    async with db.transaction() as writer:
        await note(writer, "b")
    assert await noted(db) == ["b"]
