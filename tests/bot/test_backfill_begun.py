"""A backfill that ends between a session's file and its line in the ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from core.bars import Bars
from core.files import Folder
from core.jobs import JobState, Unit
from core.pipeline import Pipeline
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import There, at
from tests.filled import Kind, until
from tests.market import window
from tests.shared import Shared

EVE = window()[-2]
DAY = window()[-40]
RUN = f"/backfill run {DAY} {DAY} all"


@dataclass(frozen=True, slots=True)
class Losing(Folder):
    """A storage that has what was put into it, and whose answer is lost."""

    is_lost: Callable[[str], bool] = lambda _: False

    def put(self, name: str, whole: bytes) -> None:
        """As any other."""
        Folder(self.root).put(name, whole)
        if self.is_lost(name):
            raise OSError("the answer was lost")


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


def other(bars: pl.DataFrame) -> Bars:
    """Of the same session."""
    return Bars(bars.with_columns(pl.col("volume") + 1))


async def read(of: Pipeline) -> pl.DataFrame:
    return await asyncio.to_thread(of.store.read, of.series, [DAY])


async def standing(there: There, revision: int) -> bool:
    """Is the file of the ledger's revision the current one, and no later one begun?"""
    top = there.app.ladder.top
    entry = await top.ledger.entry(DAY)
    assert entry is not None
    ahead = await asyncio.to_thread(top.store.is_ahead, top.series, DAY, entry.revision)
    return entry.revision == revision and not ahead


async def at_last(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(2_000):
        if await holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


async def test_what_a_process_died_over_is_put_back_by_the_next_one(folder: Path) -> None:
    async with at(folder, running=False) as there:
        top, jobs = there.app.ladder.top, there.app.backfilling.runner.jobs
        had = await read(top)
        await told(there.app, RUN)
        job = await jobs.newest()
        assert job is not None
        assert await jobs.take(job) == DAY
        await asyncio.to_thread(top.store.write, top.series, DAY, other(had), 2)
        assert await jobs.state(job, JobState.CANCELLED)
        assert not (await read(top)).equals(had)
    async with at(folder) as there:

        async def is_given_back() -> bool:
            return await there.units() == {str(DAY): Unit.WAITING}

        await at_last(is_given_back)
        assert (await read(there.app.ladder.top)).equals(had)
        assert await standing(there, 1)


async def test_so_is_what_was_written_and_whose_answer_was_lost_though_the_job_is_cancelled(
    folder: Path,
) -> None:
    async with at(folder) as there:
        top, runner = there.app.ladder.top, there.app.backfilling.runner
        had = other(await read(top))
        await asyncio.to_thread(top.store.write, top.series, DAY, had, 1)
        lost = list[str]()

        def is_lost(name: str) -> bool:
            lost.append(name)
            return name == f"bars/{top.series.key}/{DAY}.parquet" and len(lost) < 4

        top.store.files = Losing(folder, is_lost=is_lost)
        runner.rest_s = 60.0
        await told(there.app, RUN)

        async def is_begun() -> bool:
            return len(lost) > 1

        await at_last(is_begun)
        assert (await ask(there.app, "/backfill cancel")).ok
        await there.ended()
        await at_last(lambda: standing(there, 1))
        assert (await read(top)).equals(had)


async def test_while_it_is_wanted_it_is_read_again_and_is_the_next_revision(folder: Path) -> None:
    async with at(folder) as there:
        top = there.app.ladder.top
        right = await read(top)
        had = other(right)
        await asyncio.to_thread(top.store.write, top.series, DAY, had, 1)
        lost = list[str]()

        def is_lost(name: str) -> bool:
            lost.append(name)
            return len(lost) < 4

        top.store.files = Losing(folder, is_lost=is_lost)
        assert (await ask(there.app, RUN)).ok
        await there.ended()
        assert (await read(top)).equals(right)
        assert await standing(there, 2)
        read_revision = top.store.read_revision
        assert (await asyncio.to_thread(read_revision, top.series, DAY, 1)).equals(had)
