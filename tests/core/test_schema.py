"""core.schema: a database of another program is refused wherever one is opened, and left alone."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.db import Db
from core.errors import ConfigError
from core.lease import Lease
from core.migrate import migrate
from core.schema import APPLICATION_ID, newest_schema
from tests.servers.local import utc_now

NOTES = "CREATE TABLE notes (text TEXT);"
FOREIGN = {
    "of no version": NOTES,
    "with a version of ours": f"{NOTES} PRAGMA user_version = 9",
    "with the newest version": f"{NOTES} PRAGMA user_version = {newest_schema()}",
    "signed by somebody else": f"{NOTES} PRAGMA application_id = 252006",
    "with nothing but a version": "PRAGMA user_version = 9",
    "signed as ours, and empty": f"PRAGMA application_id = {APPLICATION_ID}",
}


async def _opened(path: Path) -> None:
    async with Db.open(path):
        pass


async def _held(path: Path) -> None:
    async with Lease(path, utc_now).held():
        pass


@pytest.mark.parametrize("script", FOREIGN.values(), ids=FOREIGN.keys())
def test_another_programs_database_is_refused_and_left_alone(script: str, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    before = path.read_bytes()

    with pytest.raises(ConfigError, match="it is another program's"):
        migrate(path)
    for opening in (_opened(path), _held(path)):
        with pytest.raises(ConfigError, match="it is another program's"):
            asyncio.run(opening)

    assert path.read_bytes() == before


def test_ours_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
