"""Backfills as the database keeps them, without anybody who works at one."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.afterwards import Afterwards, Comparison
from core.calendar import TradingDay, sessions_ending
from core.db import Db, iso
from core.jobs import Job, Jobs, JobState, Outcome, Policy, Unit
from core.moved import move
from core.neighbours import came_in
from core.resumed import resumed
from core.tried import failures
from tests.filled import EVE
from tests.market import NOW

DAYS = sessions_ending(EVE, 5)
DAY = DAYS[-1]
SERIES, OTHER = "all-sample-raw", "all-daily-raw"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    async with Db.open(tmp_path / "state.db") as opened:
        yield opened


async def begun(db: Db, policy: Policy, had: int) -> tuple[Jobs, Job]:
    jobs = Jobs(db, lambda: NOW)
    span = DAYS[0].date, DAYS[-1].date
    had_each = dict.fromkeys(DAYS, had)
    return jobs, await jobs.begin(SERIES, had_each, policy, who="u", place="p", span=span)


async def store(
    db: Db, series: str, revision: int, days: Sequence[TradingDay], at: datetime = NOW
) -> None:
    async with db.transaction() as writer:
        await writer.executemany(
            "INSERT OR REPLACE INTO sessions (series, session, status, revision, refused,"
            " announced, tried_at, stored_at) VALUES (?, ?, 'stored', ?, '[]', 0, ?, ?)",
            [(series, str(day), revision, iso(at), iso(at)) for day in days],
        )


async def work_off(jobs: Jobs, job: Job, unit: Unit, revision: int) -> Job:
    """All that waits."""
    while (day := await jobs.take(job)) is not None:
        if unit is Unit.STORED:
            await store(jobs.db, job.series, revision, [day])
        await jobs.put(job, day, Outcome(unit, 1.0))
    return await jobs.job(job.id)


async def back_at_its_series(jobs: Jobs, job: Job) -> Job:
    await jobs.state(job, JobState.PAUSED, "refused")
    assert await resumed(jobs, await jobs.job(job.id))
    return await jobs.job(job.id)


async def ended(jobs: Jobs, job: Job) -> Comparison:
    await jobs.state(job, JobState.DONE)
    found = await Afterwards(jobs.db).of(await jobs.job(job.id))
    assert found is not None
    return found


async def test_a_session_that_changed_in_two_series_is_one_that_changed(db: Db) -> None:
    for series in (SERIES, OTHER):
        await store(db, series, 1, DAYS)
    jobs, job = await begun(db, Policy.ALL, 1)
    await move(db, job, OTHER, "refused")
    job = await work_off(jobs, await jobs.job(job.id), Unit.STORED, 2)
    job = await work_off(jobs, await back_at_its_series(jobs, job), Unit.STORED, 2)
    found = await ended(jobs, job)
    assert (found.changed, found.new) == (5, 0)


async def test_what_was_not_there_is_new_though_the_job_came_to_it_by_another_series(
    db: Db,
) -> None:
    """The ledger knows of bars that are gone."""
    for series in (SERIES, OTHER):
        await store(db, series, 1, DAYS)
    jobs, job = await begun(db, Policy.ALL, 0)
    await move(db, job, OTHER, "refused")
    job = await work_off(jobs, await jobs.job(job.id), Unit.SAME, 1)
    job = await work_off(jobs, await back_at_its_series(jobs, job), Unit.STORED, 2)
    found = await ended(jobs, job)
    assert (found.changed, found.new) == (0, 5)


@pytest.mark.parametrize("unit", [Unit.SAME, Unit.WAITING])
async def test_what_others_store_after_it_is_no_change_of_the_job(db: Db, unit: Unit) -> None:
    await store(db, SERIES, 1, DAYS)
    jobs, job = await begun(db, Policy.ALL, 1)
    assert await jobs.take(job) == DAY
    await jobs.put(job, DAY, Outcome(unit, 1.0))
    await jobs.state(job, JobState.CANCELLED)
    await store(db, SERIES, 2, DAYS, NOW + timedelta(days=1))
    found = await ended(jobs, job)
    assert (found.changed, found.new) == (0, 0)


async def test_what_is_held_stays_so_when_another_comes_in_after_a_cancel(db: Db) -> None:
    jobs, job = await begun(db, Policy.MISSING, 0)
    held = await jobs.take(job)
    late = await jobs.take(job)
    assert held is not None
    assert late is not None
    said = "vendor fault", "files: vendor fault (few rows)"
    await jobs.put(job, held, Outcome(Unit.HELD, 1.0, *said))
    await jobs.put(job, late, Outcome(Unit.WAITING, 1.0, *said))
    while (day := await jobs.take(job)) != late:
        assert day is not None
        await jobs.put(job, day, Outcome(Unit.STORED, 1.0))
    await jobs.state(job, JobState.CANCELLED)
    await came_in(jobs, job, late, 5)
    await jobs.put(job, late, Outcome(Unit.STORED, 1.0))
    assert await jobs.counts(job) == {Unit.HELD: 1, Unit.STORED: 4}
    assert await jobs.again(await jobs.job(job.id)) == 1


async def test_a_session_that_ends_every_process_is_given_up(db: Db) -> None:
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
