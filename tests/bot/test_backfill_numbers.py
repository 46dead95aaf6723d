"""After a backfill the newest sessions are measured: who asks first need not wait."""

import asyncio
from pathlib import Path

import pytest

from core.calendar import TradingDay, sessions_ending
from core.jobs import Job, Stage
from core.pipeline import Pipeline
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import There, at
from tests.filled import EVE, Kind, until
from tests.market import NEWEST
from tests.shared import Shared

FEW = 3
LATEST = sessions_ending(NEWEST, FEW)


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


async def settled(there: There) -> Job:
    jobs = there.app.backfilling.runner.jobs
    for _ in range(600):
        job = await jobs.newest()
        if job is not None and job.stage is Stage.NOTHING:
            return job
        await asyncio.sleep(0.02)
    raise AssertionError(job)


async def at_hand(pipeline: Pipeline, count: int = FEW + 1) -> list[TradingDay]:
    """Which of the newest sessions only have to be read."""
    days = sessions_ending(NEWEST, count)
    return [day for day in days if await pipeline.record.is_measured(day)]


async def test_a_second_reader_finds_them_measured(folder: Path) -> None:
    async with at(folder, measured=FEW) as there:
        assert await at_hand(there.app.ladder.top) == []
        await told(there.app, f"/backfill run {NEWEST} {NEWEST}")
        await settled(there)
        assert await at_hand(there.app.ladder.top) == LATEST
    async with at(folder, running=False) as there:
        pipeline = there.app.ladder.top
        measured = folder / "measured" / pipeline.series.key
        files = {p: p.stat().st_mtime_ns for p in sorted(measured.glob("*"))}
        assert len(files) == FEW
        reply = await ask(there.app, f"/scorecard {FEW}")
        assert reply.ok, reply.message.lead
        again = {p: p.stat().st_mtime_ns for p in sorted(measured.glob("*"))}
        assert files == again, "none of them is made anew"


async def test_what_changes_their_baseline_has_them_measured_anew(folder: Path) -> None:
    async with at(folder, measured=FEW) as there:
        await told(there.app, f"/backfill run {NEWEST} {NEWEST}")
        await settled(there)
        older = sessions_ending(EVE, 83)[0]
        await told(there.app, f"/backfill run {older} {older}")
        await settled(there)
        assert await at_hand(there.app.ladder.top) == LATEST


async def test_nothing_is_measured_while_the_newest_session_comes_in(folder: Path) -> None:
    async with at(folder, running=False, measured=FEW) as there:
        await told(there.app, f"/backfill run {NEWEST} {NEWEST}")
        runner = there.app.backfilling.runner
        job = await runner.jobs.newest()
        assert job is not None
        await runner.work_off(job)
        runner.free.clear()
        job = await runner.jobs.job(job.id)
        settling = asyncio.create_task(runner.settle(job))
        await asyncio.sleep(0.1)
        assert await at_hand(there.app.ladder.top) == []
        runner.free.set()
        assert await settling
        assert await at_hand(there.app.ladder.top) == LATEST


async def test_after_a_restart_it_goes_on_where_it_was(folder: Path) -> None:
    async with at(folder, running=False, measured=FEW) as there:
        await told(there.app, f"/backfill run {NEWEST} {NEWEST}")
        runner = there.app.backfilling.runner
        job = await runner.jobs.newest()
        assert job is not None
        await runner.work_off(job)
        await there.app.ladder.top.record.measured(LATEST[-1])
    async with at(folder, measured=FEW) as there:
        await settled(there)
        assert await at_hand(there.app.ladder.top) == LATEST


async def test_a_job_that_stored_nothing_measures_nothing(folder: Path) -> None:
    async with at(folder, measured=FEW) as there:
        await told(there.app, f"/backfill run {EVE} {EVE} all")
        await settled(there)
        assert await at_hand(there.app.ladder.top) == []
