"""State databases that know nothing yet: migrated once a worker, then copied; and damaged ones."""

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from core.migrate import migrate


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        migrate(path)
        return path.read_bytes()


async def new_state(folder: Path) -> Path:
    """The folder's `state.db`; each migration of a file of its own waits for the disk."""
    path = folder / "state.db"
    path.write_bytes(await asyncio.to_thread(_migrated))
    return path


def overwrite(path: Path, table: str) -> None:
    """The first page of a table is written over, by something that is no database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        found = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = connection.execute(found, (table,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def leased(path: Path, ago_s: int) -> None:
    """Its holder was heard of so many seconds ago, and has no lock."""
    sql = (
        "INSERT OR REPLACE INTO lease (one, holder, place, kernel, since, renewed_at)"
        " VALUES (1, 'somebody', 'elsewhere', NULL, datetime('now'), datetime('now', ?))"
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, (f"-{ago_s} seconds",))
