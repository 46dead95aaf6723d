"""A backfill that has no place to work in, and one whose aftermath meets what nobody foresaw."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import BarsAway, LeaseLost, Verdict
from core.files import Folder, Stamp, Which, every
from core.jobs import Job, Stage
from core.staged import Staged
from tests.bot.small_market import ask, told
from tests.bot.test_backfill_hard import banner
from tests.bot.test_backfilling import SPAN, WEEK, There, at
from tests.filled import EVE, Kind, until
from tests.shared import Shared


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@dataclass(frozen=True)
class Away(Folder):
    """A storage that is away until its file `back` is there."""

    def listed(self, folder: str, only: Which = every) -> Mapping[str, Stamp]:
        """core.files.Files."""
        if not (self.root / "back").exists():
            raise BarsAway("s3://tape does not answer", Verdict.UNREACHABLE)
        return super().listed(folder, only)


async def rests_and_goes_on(there: There, said: str, mend: Path, *, is_folder: bool) -> None:
    runner = there.app.backfilling.runner
    runner.rest_s = 60
    await told(there.app, f"/backfill run {SPAN}")
    working = asyncio.create_task(runner.run())
    assert said in await banner(there)
    assert "at rest: what comes in cannot be kept" in await banner(there)
    assert not working.done()
    await asyncio.to_thread(mend.mkdir if is_folder else mend.touch)
    runner.wake()
    assert await there.ended() == "5 of 5 sessions: done."
    assert (await ask(there.app, "/backfill")).message.banners == ()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_a_storage_that_is_away_at_the_start_is_a_rest_with_a_reason(folder: Path) -> None:
    async with at(folder, running=False) as there:
        there.app.backfilling.runner.staged = Staged(Away(folder))
        said = "s3://tape does not answer"
        await rests_and_goes_on(there, said, folder / "back", is_folder=False)


async def test_a_lock_that_cannot_be_made_is_a_rest_with_a_reason(
    folder: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    async with at(folder, running=False) as there:
        there.app.backfilling.runner.lock = nowhere / "backfill.lock"
        await rests_and_goes_on(there, "No such file or directory", nowhere, is_folder=True)


async def newest(there: There) -> Job:
    job = await there.app.backfilling.runner.jobs.newest()
    assert job is not None
    return job


async def settled(there: There) -> None:
    for _ in range(600):
        if (await newest(there)).stage is Stage.NOTHING:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await newest(there))


async def test_a_fault_of_what_is_left_to_do_is_logged_said_and_in_nobodys_way(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with at(folder) as there:
        runner = there.app.backfilling.runner
        proper = runner.after

        async def broken(job: Job) -> bool:
            if job.stage is Stage.ALERTS:
                raise KeyError("a digest that is not on record")
            return await proper(job)

        runner.after = broken
        one = f"{EVE} {EVE}"
        name = f"bars/{there.app.ladder.top.series.key}/{EVE}.parquet"
        await asyncio.to_thread((folder / name).unlink)
        await told(there.app, f"/backfill run {one} all")
        await settled(there)
        said = await told(there.app, "/backfill")
        assert said.endswith("1 new, which past alerts would differ could not be counted.")
        card = (await ask(there.app, "/backfill")).message
        assert any("the log has the details" in line for line in card.footer)
        assert caplog.text.count("what is left to do after a backfill failed") == 1
        assert "KeyError" in caplog.text
        # The next job's turn comes; and what failed of the first is not said of it.
        await told(there.app, f"/backfill run {WEEK[0]} {WEEK[0]}")
        assert await there.ended() == "1 of 1 session: done."
        await settled(there)


async def test_who_has_lost_the_lease_gives_nothing_up(folder: Path) -> None:
    async with at(folder, running=False) as there:
        runner = there.app.backfilling.runner

        async def lost(job: Job) -> bool:
            raise LeaseLost("another copy works")

        runner.after = lost
        await told(there.app, f"/backfill run {WEEK[0]} {WEEK[0]}")
        await runner.work_off(await newest(there))
        with pytest.raises(LeaseLost):
            await runner.settle(await newest(there))
        assert (await newest(there)).stage is Stage.NUMBERS
