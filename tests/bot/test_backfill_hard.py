"""Backfills beside the nightly run, beside each other, and beside what nobody foresaw."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest

from bot.agreed import agreed
from bot.app import App, opened
from bot.attempts import Attempts
from bot.fill import fill
from bot.giving_way import given_way
from bot.settings import load
from core.backfill import Step
from core.bars import Bars
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.elsewhere import Receipt, Refused, Task
from core.errors import HeldBars
from core.gate import Unusual
from core.jobs import Job, JobState, Outcome, Unit
from core.sources import NoneServed, Source
from core.splits import Split
from core.unworked import Unworked
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import AWAY, SPAN, WEEK, There, at, until_asked
from tests.filled import EVE, Kind, until
from tests.market import API_KEY, NEWEST, compiled_once, window
from tests.servers.vendor import VendorServer
from tests.shared import Shared


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


async def banner(there: There) -> str:
    """The reason on the card, once there is one."""
    for _ in range(500):
        if said := (await ask(there.app, "/backfill")).message.banners:
            return said[0]
        await asyncio.sleep(0.01)
    raise AssertionError(await there.units())


async def test_a_session_that_is_owed_stays_owed_though_a_newer_one_was_said(folder: Path) -> None:
    async with at(folder) as there:
        app, top, eve = there.app, there.app.ladder.top, window()[-2]
        async with app.db.transaction() as writer:
            await writer.execute("DELETE FROM sessions WHERE session = ?", (str(eve),))
        await asyncio.to_thread((folder / "bars" / top.series.key / f"{eve}.parquet").unlink)
        await top.trading_day(NEWEST, announce=True)

        await told(app, f"/backfill run {eve} {eve}")
        await there.ended()
        await app.sweep(lambda step: None)
        entry = await app.ladder.entry(eve)
        assert entry is not None
        assert entry.announced


async def test_the_nightly_run_reads_no_more_because_old_sessions_were_read(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    await asyncio.to_thread(compiled_once, tmp_path)
    async with at(tmp_path) as there:
        old = sessions_ending(NEWEST, 400)[:2]
        await told(there.app, f"/backfill run {old[0]} {old[-1]}")
        await there.ended()

        def first(step: Step) -> None:
            assert step.total <= LOOKBACK_SESSIONS
            raise Enough

        with pytest.raises(Enough):
            await there.app.sweep(first)


async def test_what_nobody_foresaw_fails_one_session_and_no_other(folder: Path) -> None:
    async with at(folder) as there:
        there.doing.faults[WEEK[4]] = [ValueError("a bug") for _ in range(9)]
        await told(there.app, f"/backfill run {SPAN}")
        assert await there.ended() == "5 of 5 sessions, 1 failed: done."
        assert (await there.units())[str(WEEK[4])] == Unit.FAILED
        rows = (await ask(there.app, "/backfill failed")).message.rows
        assert rows[0].details == ("failed on our side (ValueError); the log has the details",)
        assert there.doing.asked.count(WEEK[4]) == 5


async def test_a_source_that_is_away_is_said_on_the_card(folder: Path) -> None:
    async with at(folder) as there:
        runner = there.app.backfilling.runner
        runner.rest_s = 60
        there.doing.faults = {day: [AWAY] for day in WEEK[2:]}
        await told(there.app, f"/backfill run {SPAN}")
        assert "the source is away" in await banner(there)
        assert "unreachable" in await banner(there)
        runner.wake()
        assert await there.ended() == "5 of 5 sessions: done."
        assert (await ask(there.app, "/backfill")).message.banners == ()


@pytest.mark.parametrize(
    ("word", "state"), [("cancel", JobState.CANCELLED), ("pause", JobState.PAUSED)]
)
async def test_what_is_moved_during_an_attempt_does_not_rest(
    folder: Path, word: str, state: JobState
) -> None:
    go = threading.Event()
    async with at(folder) as there:
        there.app.backfilling.runner.rest_s = 60

        def away(task: Task) -> Refused:
            assert go.wait(20)
            return AWAY

        there.doing.work = away
        there.doing.faults = {day: [AWAY] for day in WEEK[3:]}
        await told(there.app, f"/backfill run {SPAN}")
        await until_asked(there, 3)
        await told(there.app, f"/backfill {word}")
        go.set()
        for _ in range(50):  # the attempt ends, and it would have begun to rest
            await asyncio.sleep(0.01)
        assert len(there.doing.asked) == 3
        job = await there.app.backfilling.runner.jobs.newest()
        assert job is not None
        assert (job.state, job.reason) == (state, "")


async def test_a_cancel_of_another_process_ends_a_rest_within_a_look(folder: Path) -> None:
    async with at(folder, running=False) as there, at(folder, running=False) as other:
        there.app.backfilling.runner.rest_s = 60
        there.doing.faults = {day: [AWAY] for day in WEEK[2:]}
        filling = asyncio.create_task(fill(there.app, [str(WEEK[0]), str(WEEK[-1])]))
        assert "at rest" in await banner(there)
        await told(other.app, "/backfill cancel")
        done = await asyncio.wait_for(filling, 20)
        assert (done.state, done.why, len(there.doing.asked)) == (JobState.CANCELLED, "", 3)


async def test_a_pause_and_a_resume_of_another_process_between_two_looks_end_a_rest(
    folder: Path,
) -> None:
    async with at(folder, running=False) as there, at(folder, running=False) as other:
        there.app.backfilling.runner.rest_s = 60
        there.doing.faults = {day: [AWAY] for day in WEEK[2:]}
        filling = asyncio.create_task(fill(there.app, [str(WEEK[0]), str(WEEK[-1])]))
        assert "at rest" in await banner(there)
        await told(other.app, "/backfill pause")
        await told(other.app, "/backfill resume")
        done = await asyncio.wait_for(filling, 20)
        assert (done.state, done.stored) == (JobState.DONE, 5)


async def test_why_a_job_rests_is_not_said_of_one_that_was_moved_meanwhile(folder: Path) -> None:
    async with at(folder, running=False) as there:
        await told(there.app, f"/backfill run {SPAN}")
        jobs = there.app.backfilling.runner.jobs
        job = await jobs.newest()
        assert job is not None
        await jobs.state(job, JobState.PAUSED)
        await Unworked(jobs.db).because(job, "the source is away")
        assert (await jobs.job(job.id)).reason == ""


async def test_sessions_that_are_the_same_again_have_a_pace(folder: Path) -> None:
    async with at(folder) as there:
        for policy in ("", " all"):
            await told(there.app, f"/backfill run {SPAN}{policy}")
            await there.ended()
            standing = await there.app.backfilling.standing()
            assert standing is not None
            assert standing.seconds_each is not None


async def test_what_is_waited_for_is_no_work(folder: Path) -> None:
    async with at(folder) as there:
        work, task = there.doing.work, there.app.backfilling.runner.task

        def at_once(of: Task) -> Receipt | Refused:
            done = work(of)
            return replace(done, seconds=3.0) if isinstance(done, Receipt) else done

        async def late(source: Source, day: TradingDay) -> Task:
            await asyncio.sleep(0.3)  # the calls of this minute are made
            return await task(source, day)

        there.doing.work, there.app.backfilling.runner.task = at_once, late
        await told(there.app, f"/backfill run {WEEK[0]} {WEEK[0]}")
        assert await there.ended() == "1 of 1 session: done."
        (row,) = await there.app.db.rows("SELECT seconds, worked FROM job_attempts")
        # What the worker says, and what storing took here.
        assert 3.0 <= row["worked"] <= 3.0 + row["seconds"] - 0.3


async def test_a_shell_and_a_service_do_not_work_at_the_same_job(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go, begun = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    async with at(folder) as service:
        do = service.doing.work

        def held_up(task: Task) -> Receipt | Refused:
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(20)
            return do(task)

        service.doing.work = held_up
        await told(service.app, f"/backfill run {SPAN}")
        await begun.wait()
        async with at(folder, running=False) as shell:
            filling = asyncio.create_task(fill(shell.app, [str(WEEK[0]), str(WEEK[-1])]))
            while "another process does" not in capsys.readouterr().err:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            go.set()
            done = await filling
            assert (done.wanted, done.stored, done.failed) == (5, 5, 0)
            assert len(service.doing.asked) == 5
            assert not shell.doing.asked


async def test_all_workers_together_keep_the_calls_that_are_theirs(tmp_path: Path) -> None:
    async with limited(tmp_path, 4) as app:
        runner, client = app.backfilling.runner, app.rungs.outside.client
        (source,) = app.ladder.top.chain.sources
        assert client is not None
        for day in WEEK[:3]:
            task = await asyncio.wait_for(runner.task(source, day), 5)
            assert task.calls == 2
            runner.made(task, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(runner.task(source, WEEK[3]), 0.1)
        await asyncio.wait_for(client.pace.wait(), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.pace.wait(), 0.1)


async def test_a_worker_is_lent_no_more_than_a_minute_has(tmp_path: Path) -> None:
    async with limited(tmp_path, 1) as app:
        (source,) = app.ladder.top.chain.sources
        task = await asyncio.wait_for(app.backfilling.runner.task(source, WEEK[0]), 5)
        assert task.calls == 1


@pytest.mark.parametrize("of", ["a worker", "the bot", "its own splits"])
async def test_whoever_makes_calls_they_count_for_the_backfill(tmp_path: Path, of: str) -> None:
    async with limited(tmp_path, 5) as app:
        runner, client = app.backfilling.runner, app.rungs.outside.client
        (source,) = app.ladder.top.chain.sources
        assert client is not None
        if of == "a worker":  # that was refused, and asked why
            for day in WEEK[:2]:
                runner.made(await asyncio.wait_for(runner.task(source, day), 5), 2)
        if of == "the bot":
            for _ in range(4):
                await asyncio.wait_for(client.pace.wait(), 5)
        if of == "its own splits":
            assert runner.splits is not None
            span = WEEK[0].date, WEEK[-1].date
            for _ in range(4):
                await runner.splits.splits(*span)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(runner.splits.splits(*span), 0.1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(runner.task(source, WEEK[3]), 0.1)
        await asyncio.wait_for(client.pace.wait(), 5)


@asynccontextmanager
async def limited(folder: Path, calls: int) -> AsyncIterator[App]:
    """The application with a key that may make so few calls a minute, of a vendor with no data."""
    async with VendorServer(api_key=API_KEY) as vendor:
        given = {"polygon_api_key": API_KEY, "polygon_rest_url": vendor.url}
        limits = {"polygon_calls_per_minute": calls, "backfill_workers": 8}
        settings = await asyncio.to_thread(load, data_dir=folder, **given, **limits)
        async with opened(settings) as app:
            yield app


async def test_that_the_newest_session_comes_first_is_said_where_that_takes_long(
    folder: Path,
) -> None:
    async with at(folder, running=False) as there:
        await told(there.app, f"/backfill run {SPAN}")
        runner = there.app.backfilling.runner
        job = await runner.jobs.newest()
        assert job is not None
        shown, unworked = list[str](), Unworked(runner.jobs.db)

        async def show(job: Job) -> None:
            shown.append((await runner.jobs.job(job.id)).reason)

        await given_way(runner.free, job, unworked, show, soon_s=0.01)
        assert shown == []
        runner.free.clear()
        waiting = asyncio.create_task(given_way(runner.free, job, unworked, show, soon_s=0.01))
        while not shown:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        runner.free.set()
        await waiting
        said = "at rest: the newest sessions come in first; it goes on by itself"
        assert shown == [said, ""]


async def test_what_is_unusual_by_some_of_its_neighbours_waits_for_the_others(
    folder: Path,
) -> None:
    """Which of them came in first is chance."""
    async with at(folder, running=False) as there:
        await told(there.app, f"/backfill run {SPAN}")
        jobs, top = there.app.backfilling.runner.jobs, there.app.ladder.top
        job = await jobs.newest()
        assert job is not None
        attempts = Attempts(jobs, there.app.ladder, there.app.turn)
        bars = Bars(await asyncio.to_thread(top.store.read, top.series, [EVE]))
        unusual = NoneServed({"files": Unusual("volumes look doubled", bars)})
        again = NoneServed({"files": HeldBars("the same file again", bars)})
        for stored, left in enumerate(reversed(range(len(WEEK)))):
            day = await jobs.take(job)
            assert day is not None
            assert (await attempts._failed(job, day, again, 1.0, stored)).unit is Unit.HELD
            outcome = await attempts._failed(job, day, unusual, 1.0, stored)
            assert outcome.unit is (Unit.WAITING if left else Unit.HELD)
            await jobs.put(job, day, Outcome(Unit.STORED, 1.0))


async def test_what_a_killed_worker_staged_goes_with_a_cancel(folder: Path) -> None:
    async with at(folder) as there:
        runner, top, go = there.app.backfilling.runner, there.app.ladder.top, threading.Event()
        bars = await asyncio.to_thread(top.store.read, top.series, [EVE])
        work = there.doing.work

        def slow(task: Task) -> Receipt | Refused:
            assert go.wait(20)
            done: Receipt | Refused = work(task)
            return done

        there.doing.work = slow
        await told(there.app, f"/backfill run {SPAN}")
        await until_asked(there, 1)
        await asyncio.to_thread(runner.staged.put, top.series, "left.x", bars)
        await told(there.app, "/backfill cancel")
        go.set()
        for _ in range(500):
            if not await asyncio.to_thread(lambda: list((folder / "staged").rglob("*.parquet"))):
                return
            await asyncio.sleep(0.01)
        raise AssertionError


async def test_a_plan_in_the_shell_does_not_wait_for_the_list_of_tickers(folder: Path) -> None:
    """It would take all calls of the minutes in which the plan asks how far back the sources go."""
    async with VendorServer(api_key=API_KEY) as vendor:
        given = {"polygon_api_key": API_KEY, "polygon_rest_url": vendor.url}
        settings = await asyncio.to_thread(load, data_dir=folder, **given)
        async with opened(settings) as app:
            assert await app.census.is_due()
            await agreed(app, [str(WEEK[0]), str(WEEK[0])], None)
            assert await app.census.is_due()


async def test_the_splits_of_a_job_are_asked_for_once_however_often_it_goes_on(
    folder: Path,
) -> None:
    @dataclass
    class Asked:
        spans: list[tuple[date, date]] = field(default_factory=list)

        async def splits(self, first: date, last: date) -> list[Split]:
            self.spans.append((first, last))
            return []

    async with at(folder) as there:
        runner = there.app.backfilling.runner
        runner.splits = asked = Asked()
        async with there.app.turn():
            await told(there.app, f"/backfill run {SPAN}")
            await until_asked(there, 1)
            await told(there.app, "/backfill pause")
        assert "1 of 5 sessions: paused" in await there.ended()
        await told(there.app, "/backfill resume")
        assert await there.ended() == "5 of 5 sessions: done."
        assert asked.spans == [(WEEK[0].date, WEEK[-1].date)]
