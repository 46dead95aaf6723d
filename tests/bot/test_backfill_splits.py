"""The splits of a backfill, many pages at few calls a minute: who ends it is heard meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from core.jobs import JobState
from core.splits import Split
from tests.bot.small_market import told
from tests.bot.test_backfilling import SPAN, WEEK, There, at
from tests.filled import EVE, Kind, until
from tests.shared import Shared


@dataclass(slots=True)
class Slow:
    """One page after the other, for longer than anybody waits."""

    asked: int = 0
    asking: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_there: bool = False

    async def splits(self, first: date, last: date) -> list[Split]:
        """core.pipeline.SplitsSource"""
        self.asked += 1
        self.asking.set()
        try:
            if not self.is_there:
                await asyncio.Event().wait()
        finally:
            self.ended.set()
        return []


@pytest.fixture
async def there(shared: Shared, tmp_path: Path) -> AsyncIterator[There]:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as it:
        yield it


@pytest.fixture
def slow(there: There) -> Slow:
    there.app.backfilling.runner.splits = found = Slow()
    return found


async def test_a_job_that_is_cancelled_asks_no_more_and_the_next_one_begins(
    there: There, slow: Slow
) -> None:
    await told(there.app, f"/backfill run {SPAN}")
    await asyncio.wait_for(slow.asking.wait(), 5)
    assert "cancelled" in await told(there.app, "/backfill cancel")
    await asyncio.wait_for(slow.ended.wait(), 5)
    assert there.doing.asked == []
    slow.is_there = True
    await told(there.app, f"/backfill run {WEEK[0]} {WEEK[0]}")
    assert await there.ended() == "1 of 1 session: done."


async def test_one_that_another_process_has_paused_asks_anew_once_it_goes_on(
    there: There, slow: Slow
) -> None:
    runner = there.app.backfilling.runner
    runner.look_s = 0.02
    await told(there.app, f"/backfill run {SPAN}")
    await asyncio.wait_for(slow.asking.wait(), 5)
    job = await runner.jobs.newest()
    assert job is not None
    await runner.jobs.state(job, JobState.PAUSED)
    await asyncio.wait_for(slow.ended.wait(), 5)
    assert "0 of 5 sessions: paused" in await there.ended()
    slow.is_there = True
    await told(there.app, "/backfill resume")
    assert await there.ended() == "5 of 5 sessions: done."
    assert slow.asked == 2


async def test_a_word_that_changes_nothing_does_not_end_it(there: There, slow: Slow) -> None:
    await told(there.app, f"/backfill run {SPAN}")
    await asyncio.wait_for(slow.asking.wait(), 5)
    there.app.backfilling.runner.wake()
    await asyncio.sleep(0.1)
    assert not slow.ended.is_set()
    assert slow.asked == 1
