"""Backfills as the database keeps them, without anybody who works at one."""

from pathlib import Path

from core.calendar import sessions_ending
from core.db import Db
from core.jobs import Jobs, JobState, Policy, Unit
from core.tried import failures
from tests.filled import EVE
from tests.market import NOW

DAY = sessions_ending(EVE, 1)[0]
SERIES = "all-sample-raw"


async def test_a_session_that_ends_every_process_is_given_up(tmp_path: Path) -> None:
    async with Db.open(tmp_path / "state.db") as db:
        jobs = Jobs(db, lambda: NOW)
        job = await jobs.begin(
            SERIES, {DAY: 0}, Policy.MISSING, who="u", place="p", span=(DAY.date, DAY.date)
        )
        for _ in range(9):
            assert await jobs.take(job) == DAY
            await jobs.interrupted()
            assert await jobs.counts(job) == {Unit.WAITING: 1}
        assert await jobs.take(job) == DAY
        await jobs.interrupted()
        (failure,) = await failures(db, job)
        assert (failure.session, failure.unit) == (DAY.date, Unit.FAILED)
        assert failure.seen == "interrupted 10 times"
        assert not await jobs.state(job, JobState.RUNNING)
