"""SQLite: open, migrate, transaction(), rows(). One writer, read-only readers. Knows no table."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiosqlite

from core.errors import ConfigError

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 10_000

Value = str | int | float | None
StorageError = sqlite3.Error
"""The database itself is in trouble: a full disk, a lock that is held too long."""
Conflict = sqlite3.IntegrityError
"""What was to be written contradicts what is there."""
Connection = aiosqlite.Connection
Row = sqlite3.Row


class Db:
    """The state database of one process; `async with Db.open(path)`."""

    def __init__(self, writer: Connection, reader: Connection) -> None:
        self._writer, self._reader = writer, reader
        self._writing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open, migrating first; raises ConfigError if the file is from a newer Tapewatch."""
        await asyncio.to_thread(migrate, path)
        async with AsyncExitStack() as stack:
            # Autocommit: only transaction() decides where one begins and ends.
            writer = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
            reader = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
            for connection in (writer, reader):
                connection.row_factory = sqlite3.Row
                await connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
                await connection.execute("PRAGMA foreign_keys = ON")
            await writer.execute("PRAGMA synchronous = FULL")
            await reader.execute("PRAGMA query_only = ON")
            yield cls(writer, reader)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """The only way to write: everything inside is committed together, or not at all."""
        async with self._writing:
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                await self._writer.execute("COMMIT")
            except BaseException:
                # Also if BEGIN or COMMIT failed or was cancelled: it may have run all the same, and
                # one left open would fail every later one. Often there is none to undo.
                with suppress(sqlite3.OperationalError):
                    await self._writer.execute("ROLLBACK")
                raise

    async def rows(self, sql: str, parameters: Iterable[Value] = ()) -> Sequence[Row]:
        """What was committed; never part of a transaction under way."""
        # In one go: while any statement of a connection is under way, all others on it see what was
        # committed before that one began, and so not what their own caller has just written.
        return list(await self._reader.execute_fetchall(sql, tuple(parameters)))

    async def row(self, sql: str, parameters: Iterable[Value] = ()) -> Row | None:
        """The first row, if there is one."""
        found = await self.rows(sql, parameters)
        return found[0] if found else None


async def insert(
    connection: Connection, table: str, row: Mapping[str, Value], *, or_: str = "ABORT"
) -> int:
    """Insert one row by column name; returns how many rows that made (0 with or_='IGNORE')."""
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    # Table and column names come from our own code; values only ever as parameters.
    sql = f"INSERT OR {or_} INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    cursor = await connection.execute(sql, tuple(row.values()))
    return cursor.rowcount


def iso(moment: datetime) -> str:
    """How a moment is kept: ISO text, UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def migrate(path: Path, folder: Path = MIGRATIONS) -> None:
    """Bring the file to the newest schema, one numbered script and one transaction at a time."""
    scripts = sorted(folder.glob("[0-9]*.sql"))
    wait_s = _BUSY_TIMEOUT_MS / 1000
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=wait_s)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            version = _version(connection)
            if version > len(scripts):
                newer = f"from a newer Tapewatch: schema {version}, not {len(scripts)}"
                raise _unusable(path, newer)
            for number, script in enumerate(scripts, 1):
                if number > version:
                    _apply(connection, number, script.read_text())
    except (sqlite3.DatabaseError, OSError) as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, why: str) -> ConfigError:
    way_out = "install the version that wrote it, restore a backup, or point DATA_DIR elsewhere"
    return ConfigError([f"the state database {path} cannot be used ({why}): {way_out}"])


def _apply(connection: sqlite3.Connection, number: int, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        if _version(connection) < number:
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """The script's statements; executescript() would commit before the first one."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    # A last one without its semicolon is no less part of the script.
    return [*statements, current] if current.strip() else statements


def _version(connection: sqlite3.Connection) -> int:
    found: tuple[Any, ...] = connection.execute("PRAGMA user_version").fetchone()
    return int(found[0])
