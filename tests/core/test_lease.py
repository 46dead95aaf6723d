"""The lease: one holder; given back, silent for too long, or surely dead, it goes to the next."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.alone import SERVICE, alone
from core.db import Db
from core.errors import ConfigError, LeaseLost
from core.lease import Lease, Timing, at_work, uptime_s
from core.migrate import migrate
from core.snapshot import copy_database
from tests.servers.local import utc_now
from tests.states import overwrite

QUICK = Timing(lost_after_s=20.0, renew_s=0.02, look_s=0.02)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.shift


class Seconds:
    """The time of whoever waits, set by hand."""

    def __init__(self) -> None:
        self.at = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.at

    async def looked(self) -> None:
        """Until whoever waits has looked at what is now."""
        before = self.looks
        async with asyncio.timeout(5):
            while self.looks < before + 2:  # noqa: ASYNC110 - nobody sets an event for it
                await asyncio.sleep(0.005)


def lease(
    path: Path,
    clock: Clock | None = None,
    *,
    kernel: str | None = "k",
    timing: Timing = QUICK,
    seconds: Seconds | None = None,
) -> Lease:
    return Lease(path, clock or Clock(), timing, boot=lambda: kernel, steady=seconds or Seconds())


@asynccontextmanager
async def waiting(one: Lease) -> AsyncIterator[asyncio.Event]:
    """Set once it is its turn."""
    has = asyncio.Event()

    async def wait() -> None:
        async with one.held():
            has.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    try:
        yield has
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def met(one: Lease) -> None:
    """Until it has seen that another one has it."""
    async with asyncio.timeout(5):
        while one.other is None:  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0.01)


async def row(path: Path) -> tuple[str, str | None] | None:
    return await asyncio.to_thread(_row, path)


def _row(path: Path) -> tuple[str, str | None] | None:
    with closing(sqlite3.connect(path)) as db:
        found: tuple[str, str | None] | None = db.execute(
            "SELECT holder, kernel FROM lease"
        ).fetchone()
        return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def test_the_first_one_has_it_and_gives_it_back(path: Path) -> None:
    one = lease(path)
    async with one.held():
        assert one.is_held
        assert await row(path) == (one.me.id, "k")
    assert not one.is_held
    assert await row(path) is None


async def test_the_second_one_waits_says_for_whom_and_is_next(path: Path) -> None:
    first, second = lease(path), lease(path)
    async with AsyncExitStack() as theirs:
        await theirs.enter_async_context(first.held())
        async with waiting(second) as has:
            await met(second)
            assert second.other is not None
            assert second.other.place == first.me.place
            await theirs.aclose()
            await asyncio.wait_for(has.wait(), 5)
    assert first.is_held is second.is_held is False


async def test_one_that_is_silent_for_too_long_loses_it_and_learns_it(path: Path) -> None:
    slow, seconds = lease(path, timing=Timing(renew_s=60.0)), Seconds()
    async with slow.held(), Db.open(path, slow.me.id) as theirs:
        second = lease(path, seconds=seconds)
        async with waiting(second) as has:
            await met(second)
            seconds.at = 20.0
            await seconds.looked()
            assert not has.is_set()
            seconds.at = 21.0
            await asyncio.wait_for(has.wait(), 5)
            async with Db.open(path, second.me.id) as ours:
                with pytest.raises(LeaseLost):
                    async with theirs.transaction():
                        pass
                async with ours.transaction() as writer:
                    await writer.execute("DELETE FROM mutes")
            assert second.other is None
            # Its lock on the file is not free, so nobody may conclude from it that this is dead.
            assert await row(path) == (second.me.id, None)
        assert not slow.lost.is_set()
        assert await theirs.rows("SELECT 1") != []


async def test_whoever_took_over_by_silence_has_the_lock_once_that_is_free(path: Path) -> None:
    """And keeps it to the end; by then its row says under which kernel that proves something."""
    seconds, third = Seconds(), lease(path)
    second = lease(path, seconds=seconds)
    async with AsyncExitStack() as theirs:
        await theirs.enter_async_context(lease(path, timing=Timing(renew_s=60.0)).held())
        async with waiting(second) as has:
            await met(second)
            seconds.at = 21.0
            await asyncio.wait_for(has.wait(), 5)
            assert await row(path) == (second.me.id, None)
            await theirs.aclose()
            async with asyncio.timeout(5):
                while await row(path) != (second.me.id, "k"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            async with alone(path.with_name(SERVICE)) as is_free:
                assert not is_free
            async with waiting(third):
                await met(third)
                assert not second.lost.is_set()
    async with alone(path.with_name(SERVICE)) as is_free:
        assert is_free


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_state_that_is_moved_away_is_a_lease_lost(path: Path, is_replaced: bool) -> None:
    one, aside = lease(path), path.with_name("aside.db")
    async with one.held():
        await asyncio.to_thread(path.rename, aside)
        if is_replaced:
            await asyncio.to_thread(copy_database, aside, path)
        await asyncio.wait_for(one.lost.wait(), 5)
        assert not one.is_held
        assert one.why.startswith(f"{path} was moved or replaced under this copy; {path.name}-wal")
    assert await asyncio.to_thread(path.exists) is is_replaced
    assert not is_replaced or await row(path) == (one.me.id, "k")


@pytest.mark.parametrize("shift_s", [-3600, -30, 30, 3600])
async def test_another_hosts_clock_says_nothing_about_silence(path: Path, shift_s: float) -> None:
    clock, skewed, seconds = Clock(), Clock(), Seconds()
    skewed.shift = timedelta(seconds=shift_s)
    first, second = lease(path, clock), lease(path, skewed, seconds=seconds)
    async with first.held(), waiting(second) as has:
        await met(second)
        for _ in range(5):
            clock.shift += timedelta(seconds=15)
            before = first.renewed_at
            async with asyncio.timeout(5):
                while first.renewed_at == before:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            await seconds.looked()
            seconds.at += 15.0
        assert not has.is_set()
        assert not first.lost.is_set()


@pytest.mark.parametrize(("ahead_s", "is_seen"), [(-21, False), (-15, True), (0, True), (90, True)])
async def test_to_a_shell_a_word_of_the_future_is_a_new_one(
    path: Path, ahead_s: float, is_seen: bool
) -> None:
    skewed = Clock()
    skewed.shift = timedelta(seconds=ahead_s)
    service = lease(path, skewed, timing=Timing(renew_s=60.0))
    async with service.held(), Db.open(path) as db:
        assert (await at_work(db, utc_now()) is not None) is is_seen


def changed(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql)


async def test_a_holder_notices_by_itself_that_another_one_has_it(path: Path) -> None:
    one = lease(path)
    async with one.held():
        await asyncio.to_thread(changed, path, "UPDATE lease SET holder = 'another'")
        await asyncio.wait_for(one.lost.wait(), 5)
        assert not one.is_held
    assert await row(path) == ("another", "k")


@pytest.mark.parametrize(("kernel", "at_once"), [("k", True), ("other", False), (None, False)])
async def test_who_died_under_this_kernel_is_not_waited_for(
    path: Path, kernel: str | None, at_once: bool
) -> None:
    await asyncio.to_thread(migrate, path)
    left = lease(path, kernel=kernel)
    # And its process dies here: the row stays, no lock does.
    assert await asyncio.to_thread(left._taken, locked=True)
    second = lease(path, kernel="k" if kernel else None)
    async with waiting(second) as has:
        if at_once:
            await asyncio.wait_for(has.wait(), 5)
        else:
            await met(second)
            assert not has.is_set()


async def test_a_database_that_takes_nothing_for_a_while_costs_nobody_the_lease(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = lease(path)
    async with one.held():
        await asyncio.to_thread(changed, path, "ALTER TABLE lease RENAME TO gone")
        await asyncio.sleep(0.1)
        assert one.is_held
        await asyncio.to_thread(changed, path, "ALTER TABLE gone RENAME TO lease")
        before = one.renewed_at
        async with asyncio.timeout(5):
            while one.renewed_at == before:  # noqa: ASYNC110 - nobody sets an event for it
                await asyncio.sleep(0.01)
        assert not one.lost.is_set()
    assert caplog.text.count("the lease cannot be renewed") == 1


async def test_whoever_was_frozen_is_not_sure_before_the_database_has_said_so(path: Path) -> None:
    """Its own next word comes too late: what it was about to do it does at once."""
    seconds = Seconds()
    one = Lease(path, Clock(), Timing(renew_s=60.0), boot=lambda: "k", uptime=seconds)
    assert not one.is_sure
    async with one.held():
        for at, is_sure in ((0.0, True), (14.0, True), (15.5, False), (3600.0, False)):
            seconds.at = at
            assert one.is_sure is is_sure
        assert await asyncio.to_thread(one._renewed)
        assert one.is_sure
        await asyncio.to_thread(changed, path, "UPDATE lease SET holder = 'another'")
        seconds.at += 15.5
        assert not await asyncio.to_thread(one._renewed)
        assert not one.is_sure
    assert not one.is_sure


def test_the_uptime_goes_on(path: Path) -> None:
    before = uptime_s()
    assert 0 < before <= uptime_s()


async def test_a_database_of_before_leases_is_upgraded_first(path: Path) -> None:
    await asyncio.to_thread(changed, path, "PRAGMA user_version = 0")
    async with lease(path).held():
        assert await row(path) is not None


async def test_one_of_a_newer_version_is_refused_not_waited_for(path: Path) -> None:
    await asyncio.to_thread(migrate, path)
    await asyncio.to_thread(changed, path, "PRAGMA user_version = 999")
    with pytest.raises(ConfigError, match="newer"):
        async with lease(path).held():
            pass


async def test_whoever_has_no_lease_writes_as_before(path: Path) -> None:
    async with lease(path).held(), Db.open(path) as shell, shell.transaction() as writer:
        await writer.execute("DELETE FROM mutes")


async def test_a_lease_that_cannot_be_read_is_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await asyncio.to_thread(migrate, path)
    await asyncio.to_thread(overwrite, path, "lease")
    with pytest.raises(ConfigError, match="is damaged"):
        async with asyncio.timeout(5), lease(path).held():
            pytest.fail("nobody knows who has it")


async def test_one_that_cannot_be_given_back_is_a_damaged_database(path: Path) -> None:
    with pytest.raises(ConfigError, match="is damaged"):
        async with lease(path).held():
            await asyncio.to_thread(overwrite, path, "lease")
