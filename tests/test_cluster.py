"""A backfill on a real Dask cluster: what it stores, and what it costs when a part of it dies."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot.app import App, opened
from bot.cluster import Cluster
from bot.settings import load
from core.calendar import TradingDay, sessions_ending
from core.elsewhere import WorkerLost
from core.jobs import Job, JobState
from core.pool import Pool
from tests.bot.small_market import told
from tests.filled import EVE
from tests.grid import Grid, dies
from tests.market import NOW

DAYS = sessions_ending(EVE, 24)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """A scheduler and two workers of a thread each."""
    grid = Grid(tmp_path_factory.mktemp("grid"))
    grid.begin_scheduler()
    grid.begin_worker()
    grid.begin_worker()
    grid.answers()
    yield grid
    grid.close()


@asynccontextmanager
async def at(folder: Path, **settings: str) -> AsyncIterator[App]:
    """The application, whose backfills are worked off beside it, and seldom rest."""
    made = await asyncio.to_thread(load, data_dir=folder, **settings)
    async with opened(made, now=lambda: NOW) as app:
        app.backfilling.runner.rest_s = 0.2
        task = asyncio.create_task(app.backfilling.runner.run())
        yield app
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def app(grid: Grid) -> AsyncIterator[App]:
    await asyncio.to_thread(shutil.rmtree, grid.data, ignore_errors=True)
    async with at(grid.data, backfill_scheduler=grid.address) as app:
        yield app


async def job_of(app: App) -> Job:
    job = await app.backfilling.runner.jobs.newest()
    assert job is not None
    return job


async def until(app: App, so: Callable[[Job, int], bool], grid: Grid | None = None) -> Job:
    """Wait until a job and how many of its sessions are through are as they should be."""
    for _ in range(600):
        standing = await app.backfilling.standing()
        if standing is not None and so(standing.job, standing.through):
            return standing.job
        await asyncio.sleep(0.1)
    said = await told(app, "/backfill")
    raise AssertionError(f"{said} {await job_of(app)} {grid.log() if grid else ''}")


async def run(app: App, days: list[TradingDay]) -> None:
    await told(app, f"/backfill run {days[0]} {days[-1]}")


async def failed(app: App) -> list[str]:
    rows = await app.db.rows("SELECT session FROM job_sessions WHERE state = 'failed'")
    return [row["session"] for row in rows]


def bars(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("bars/*/*.parquet"))}


def is_done(job: Job, through: int) -> bool:
    return job.state is JobState.DONE


async def test_it_stores_what_processes_store(app: App, grid: Grid, tmp_path: Path) -> None:
    days = DAYS[:6]
    count = app.backfilling.estimates.workers
    async with asyncio.timeout(30):
        while await asyncio.to_thread(count) < 2:  # noqa: ASYNC110 - nobody is hired yet
            await asyncio.sleep(0.1)
    await run(app, days)
    await until(app, is_done, grid)
    async with at(tmp_path / "data", backfill_workers="2") as other:
        await run(other, days)
        await until(other, is_done)
    assert len(bars(grid.data)) == len(days)
    assert bars(grid.data) == bars(tmp_path / "data")
    assert list(grid.data.glob("staged/*/*")) == []


async def test_a_worker_that_is_killed_costs_its_session_no_more_than_a_try(
    app: App, grid: Grid
) -> None:
    await run(app, DAYS)
    await until(app, lambda _, through: through > 0, grid)
    # It keeps a session, until the other one has read all that are left.
    grid.workers[0].send_signal(signal.SIGSTOP)
    await until(app, lambda _, through: through == len(DAYS) - 1, grid)
    await asyncio.to_thread(grid.kill_worker)
    await until(app, is_done, grid)
    rows = await app.db.rows("SELECT outcome FROM job_attempts WHERE outcome != 'stored'")
    # A receipt that died with it has Dask itself do the task once more.
    assert [row["outcome"] for row in rows] in ([], ["waiting"])
    assert await failed(app) == []
    assert len(bars(grid.data)) == len(DAYS)


async def test_a_task_that_ends_its_worker_is_a_worker_that_was_lost(app: App, grid: Grid) -> None:
    grid.begin_worker()
    pipeline = app.ladder.top
    task = await app.backfilling.runner.task(pipeline.chain.sources[0], DAYS[0])
    pool = Pool(Cluster(grid.address), dies)
    with pytest.raises(WorkerLost, match="the workers that read it died"):
        await pool(task)
    await pool.close()


async def test_without_its_scheduler_it_rests_and_says_so(app: App, grid: Grid) -> None:
    await run(app, DAYS)
    await until(app, lambda _, through: through > 0, grid)
    await asyncio.to_thread(grid.kill_scheduler)
    job = await until(app, lambda job, _: "Connection refused" in job.reason, grid)
    assert job.reason == (
        f"at rest: the scheduler at {grid.address} cannot be reached: Connection refused; it goes"
        " on by itself when that is over"
    )
    card = await app.backfilling.standing()
    assert card is not None
    grid.begin_scheduler()
    await until(app, lambda job, _: "has no workers" in job.reason, grid)
    assert await failed(app) == []
    grid.begin_worker()
    job = await until(app, is_done, grid)
    assert job.reason == ""
    assert await failed(app) == []
    assert len(bars(grid.data)) == len(DAYS)
