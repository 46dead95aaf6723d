"""Alive, able, fresh: three answers, and what each of them lacks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from bot.app import App
from bot.health import Health, Standing
from core.lease import Lease
from core.schedule import Hours
from tests.bot.small_market import STORED, at, stored_market
from tests.market import NOW
from tests.servers.local import utc_now
from tests.shared import Shared
from tests.states import overwrite


@pytest.fixture
def stored(shared: Shared, tmp_path: Path) -> Path:
    """A market of its own for each test."""
    return stored_market(shared, tmp_path / "data")


@asynccontextmanager
async def health(app: App) -> AsyncIterator[Health]:
    """Of the copy that has the lease."""
    lease = Lease(app.settings.data_dir / "state.db", utc_now)
    async with lease.held():
        yield Health(lease, utc_now, app)


async def test_a_copy_that_waits_is_alive_and_not_able(tmp_path: Path) -> None:
    one = Health(Lease(tmp_path / "state.db", utc_now), utc_now)
    assert one.standing is Standing.PASSIVE
    assert await one.alive() == (True, {"alive": True, "standing": "passive"})
    so, told = await one.able()
    assert (so, told["lacking"]) == (False, ["passive"])
    assert (await one.fresh())[0] is False


async def test_one_that_works_is_able(stored: Path) -> None:
    async with at(stored) as app, health(app) as one:
        assert one.standing is Standing.ACTIVE
        assert await one.able() == (True, {"able": True, "standing": "active", "lacking": []})
        one.leaving = True
        assert (await one.able())[1]["lacking"] == ["leaving"]


async def test_a_database_that_takes_nothing_makes_it_unable(stored: Path) -> None:
    async with at(stored) as app, health(app) as one:
        one.lease.renewed_at = utc_now() - timedelta(seconds=31)
        assert (await one.able())[1]["lacking"] == ["the state database takes nothing"]


async def test_an_outbox_that_cannot_be_read_makes_it_unable(stored: Path) -> None:
    await asyncio.to_thread(overwrite, stored / "state.db", "deliveries")
    async with at(stored) as app, health(app) as one:
        so, told = await one.able()
        assert not so
        assert told["lacking"] == ["the outbox cannot be read: database disk image is malformed"]
        assert (await one.fresh())[0]


async def test_sessions_that_cannot_be_read_are_not_fresh(stored: Path) -> None:
    async with at(stored) as app:
        await asyncio.to_thread(overwrite, stored / "state.db", "sessions")
        async with health(app) as one:  # writes, so nobody trusts what he has read before
            so, told = await one.fresh()
        assert not so
        assert told["seen"] == "the sessions cannot be read: database disk image is malformed"


async def test_a_lost_lease_is_leaving(stored: Path) -> None:
    async with at(stored) as app, health(app) as one:
        one.lease.lost.set()
        assert one.standing is Standing.LEAVING


async def test_what_is_there_is_fresh(stored: Path) -> None:
    async with at(stored) as app, health(app) as one:
        so, told = await one.fresh()
        assert so
        # It is in an hour after the first try; nobody could miss it before the evening.
        assert (told["expected"], told["finished"]) == (str(STORED[-2]), str(STORED[-1]))
        assert told["behind"] == 0


async def test_a_session_is_missed_once_its_deadline_has_passed(stored: Path) -> None:
    late = NOW + timedelta(days=7)
    async with at(stored, late) as app, health(app) as one:
        so, told = await one.fresh()
        assert not so
        assert (told["finished"], told["expected"]) == (str(STORED[-1]), "2026-03-12")
        assert (told["behind"], told["status"]) == (4, "missing")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-06T20:00:00-05:00", "2026-03-04"),
        ("2026-03-06T20:00:01-05:00", "2026-03-05"),
        ("2026-03-09T20:30:00-04:00", "2026-03-06"),  # a Monday, after the change to summer time
        ("2026-11-27T21:00:00-05:00", "2026-11-25"),  # Thursday was a holiday
    ],
)
def test_a_session_is_expected_when_the_deadline_of_the_day_after_has_passed(
    now: str, expected: str
) -> None:
    hours = Hours(time(11), 10, time(20))
    assert str(hours.expected(datetime.fromisoformat(now))) == expected
