"""SQLite: open, migrate, transaction(), rows(). One writer, read-only readers. Knows no table."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import aiosqlite

from core.errors import LeaseLost
from core.migrate import BUSY_TIMEOUT_MS, damage_in_words, examine, migrate
from core.passing import Unwritable as Unwritable

Value = str | int | float | None
StorageError = sqlite3.Error
"""The database itself is in trouble: a full disk, a lock that is held too long."""
Conflict = sqlite3.IntegrityError
"""What was to be written contradicts what is there."""
Connection = aiosqlite.Connection
Row = sqlite3.Row


class Db:
    """The state database of one process; `async with Db.open(path)`."""

    def __init__(self, writer: Connection, reader: Connection, holder: str | None = None) -> None:
        self._writer, self._reader, self._holder = writer, reader, holder
        self._writing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, holder: str | None = None) -> AsyncIterator[Self]:
        """Open, migrating first; raises ConfigError, Unwritable and InUse as core.migrate does.

        ConfigError too if damage is met later. `holder`: whose lease has to stand for anything to
        be written (core.lease); whoever has one stays, and so all of the file is looked at first.
        """
        await asyncio.to_thread(migrate, path, beside_a_service=holder is not None)
        if holder is not None:
            await asyncio.to_thread(examine, path)
        async with AsyncExitStack() as stack:
            stack.enter_context(damage_in_words(path))
            # Autocommit: only transaction() decides where one begins and ends.
            writer = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
            reader = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
            for connection in (writer, reader):
                connection.row_factory = sqlite3.Row
                await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
                await connection.execute("PRAGMA foreign_keys = ON")
            await writer.execute("PRAGMA synchronous = FULL")
            await reader.execute("PRAGMA query_only = ON")
            yield cls(writer, reader, holder)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """The only way to write: everything inside is committed together, or not at all.

        Raises LeaseLost if another copy has taken over.
        """
        async with self._writing:
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                await self._still_holds()
                yield self._writer
                await self._writer.execute("COMMIT")
            except BaseException:
                # Also if BEGIN or COMMIT failed or was cancelled: it may have run all the same, and
                # one left open would fail every later one. Often there is none to undo.
                with suppress(sqlite3.OperationalError):
                    await self._writer.execute("ROLLBACK")
                raise

    async def _still_holds(self) -> None:
        if self._holder is None:
            return
        found = await self._writer.execute_fetchall("SELECT holder FROM lease")
        if [row["holder"] for row in found] != [self._holder]:
            raise LeaseLost("another copy of the service works on this database")

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
