"""A state database with a damaged page: said in a sentence, whoever meets it, and never a crash."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.db import Db
from core.errors import ConfigError
from core.migrate import examine, migrate
from tests.states import overwrite

STEPS = 'restore a backup; docs/operations.md says how, under "When the state cannot be used"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    migrate(path)
    return path


@pytest.mark.parametrize("table", ["sessions", "deliveries", "lease"])
def test_whoever_stays_looks_at_all_of_it_first(path: Path, table: str) -> None:
    async def opened(holder: str | None) -> None:
        async with Db.open(path, holder):
            pass

    asyncio.run(opened("me"))
    overwrite(path, table)
    with pytest.raises(ConfigError) as caught:
        asyncio.run(opened("me"))
    (fault,) = caught.value.faults
    assert f"the state database {path} is damaged (" in fault
    assert STEPS in fault
    assert "\n" not in fault
    asyncio.run(opened(None))  # a command of the shell may do without that page


def test_whoever_meets_it_later_says_the_same(path: Path) -> None:
    async def read() -> None:
        async with Db.open(path) as db:
            await db.rows("SELECT * FROM sessions")

    overwrite(path, "sessions")
    with pytest.raises(ConfigError, match=r"is damaged \(database disk image is malformed"):
        asyncio.run(read())


@pytest.mark.parametrize(("start", "end"), [(0, 5000), (0, 50), (16, None), (4096, None)])
def test_one_that_was_cut_off_or_lost_its_header_is_damaged_not_of_another_version(
    path: Path, start: int, end: int | None
) -> None:
    path.write_bytes(path.read_bytes()[start:end])
    with pytest.raises(ConfigError) as caught:
        migrate(path)
    (fault,) = caught.value.faults
    assert f"the state database {path} is damaged (" in fault
    assert STEPS in fault


def test_a_lock_that_somebody_holds_is_no_damage(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        examine(path)


def test_other_faults_stay_what_they_are(path: Path) -> None:
    async def read() -> None:
        async with Db.open(path) as db:
            await db.rows("SELECT * FROM nowhere")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        asyncio.run(read())
