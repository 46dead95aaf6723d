"""Rules of counting trades that change while a backfill is under way, or waits."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.bars import Family, Scope, Series
from core.conditions import ALL, NOTHING, Rules
from core.elsewhere import Receipt, Refused, Task
from core.errors import SourceRefused, Verdict
from core.jobs import Job, JobState, Unit
from core.pipeline import Pipeline
from core.sources import Chain, NoneServed
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import SPAN, WEEK, There, at, refused
from tests.fakes import FakeSource
from tests.filled import EVE, Kind, until
from tests.shared import Shared

OLD, NEW = Rules({1: ALL}, "vendor-1"), Rules({1: NOTHING}, "vendor-2")
ABSENT = refused("NotPublished", Verdict.NOT_PUBLISHED_YET)


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


def counted(there: There, rules: Rules) -> Pipeline:
    """A rung of bars that are counted from trades."""
    top, series = there.app.ladder.top, Series(Scope.ALL, Family.TRADES, rules=rules.version)
    chain = Chain([FakeSource("trades", series=series)])
    return replace(top, ledger=top.ledger.of(series), chain=chain)


async def begun(there: There, *words: str) -> tuple[Pipeline, Pipeline]:
    """A job by the old rules; its rung, and the one by the new rules."""
    old, new = counted(there, OLD), counted(there, NEW)
    await there.app.backfilling.runner.renewal.put([old], [], OLD)
    await told(there.app, f"/backfill run {SPAN} {' '.join(words)}")
    return old, new


async def newest(there: There) -> Job:
    job = await there.app.backfilling.runner.jobs.newest()
    assert job is not None
    return job


def counted_by(tasks: Sequence[Task]) -> set[tuple[str, str]]:
    return {(Series.of_key(task.series).rules, task.rules.version) for task in tasks}


async def test_a_job_under_way_goes_on_with_the_series_of_the_new_rules(folder: Path) -> None:
    go, third = asyncio.Event(), asyncio.Event()
    loop, tasks = asyncio.get_running_loop(), list[Task]()

    def work(task: Task) -> Receipt | Refused:
        tasks.append(task)
        if len(tasks) == 3:
            loop.call_soon_threadsafe(third.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(20)
        return ABSENT

    async with at(folder) as there:
        there.doing.work = work
        old, new = await begun(there)
        await third.wait()
        await there.app.backfilling.runner.renewal.put([new], [old], NEW)
        go.set()
        assert await there.ended() == "5 of 5 sessions, 5 not published: done."
        job = await newest(there)
        assert job.series == job.asked == new.series.key
    # Each was counted by its series' own rules; and all were asked for anew, the third as well.
    assert counted_by(tasks) == {("vendor-1", "vendor-1"), ("vendor-2", "vendor-2")}
    by_new = [task.day for task in tasks if task.rules is NEW]
    assert sorted(by_new) == sorted(WEEK)


async def test_what_is_fetched_for_a_series_is_counted_by_its_own_rules(folder: Path) -> None:
    """Another process has fetched newer ones: the tables have them, the rungs not yet."""
    tasks = list[Task]()

    def work(task: Task) -> Refused:
        tasks.append(task)
        return ABSENT

    async with at(folder) as there:
        there.doing.work = work
        await begun(there)
        await there.ended()
        assert (await there.app.tables.rules()).version != OLD.version
    assert counted_by(tasks) == {("vendor-1", "vendor-1")}


async def test_one_that_waits_goes_on_after_a_restart_by_the_new_rules(folder: Path) -> None:
    async with at(folder, running=False) as there:
        await begun(there)
        await told(there.app, "/backfill pause")
    async with at(folder, running=False) as there:
        there.doing.work = lambda task: ABSENT
        runner, new = there.app.backfilling.runner, counted(there, NEW)
        there.app.ladder.rungs, there.app.ladder.rules = [new], NEW
        await told(there.app, "/backfill resume")
        job = await runner.renewal.present(await newest(there))
        await runner.work_off(job)
        job = await newest(there)
        assert (job.state, job.series) == (JobState.DONE, new.series.key)
        (said,) = (await ask(there.app, "/backfill")).message.banners
        assert said.startswith("trades are counted by other rules now: all-trades-raw-vendor-2")


async def test_a_refusal_that_comes_in_between_is_of_nobody_any_more(folder: Path) -> None:
    async with at(folder, running=False) as there:
        old, new = await begun(there)
        job, runner = await newest(there), there.app.backfilling.runner
        await runner.renewal.put([new], [old], NEW)
        lacking = SourceRefused("plan lacks this data set", Verdict.PLAN_LACKS_DATA_SET)
        await runner._refused(job, NoneServed({"flat files": lacking}))
        after = await newest(there)
        assert (after.state, after.series) == (JobState.RUNNING, new.series.key)
        assert await runner.jobs.take(job) is None, "whoever works by the old rules has no more"


async def test_settings_that_read_it_no_more_pause_it_with_the_way_out(folder: Path) -> None:
    async with at(folder, running=False) as there:
        await begun(there)
        runner, sample = there.app.backfilling.runner, counted(there, NEW)
        daily = replace(sample, ledger=sample.ledger.of(Series(Scope.ALL, Family.DAILY)))
        there.app.ladder.rungs = [daily]
        await runner.work_off(await newest(there))
        card = (await ask(there.app, "/backfill")).message
        assert "is not read under these settings" in card.banners[0]
        assert any("/backfill cancel ends it" in line for line in card.footer)


async def test_what_is_over_is_not_read_by_other_rules_in_part(folder: Path) -> None:
    async with at(folder) as there:
        there.doing.work = lambda task: ABSENT
        old, new = await begun(there)
        await there.ended()
        await there.app.backfilling.runner.renewal.put([new], [old], NEW)
        said = await told(there.app, "/backfill retry")
        assert f"/backfill run {SPAN} missing+failed" in said
        assert set((await there.units()).values()) == {Unit.ABSENT}
