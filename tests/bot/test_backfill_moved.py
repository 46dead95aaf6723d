"""A backfill that a refusal has moved to another series, and one that comes back from there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from alerts.model import TERMINAL
from bot.fill import fill
from core.afterwards import Afterwards, Touched
from core.bars import Bars, Family, Scope, Series
from core.calendar import TradingDay
from core.elsewhere import Receipt, Refused, Task, fetched
from core.errors import Verdict
from core.jobs import Job, JobState, Outcome, Policy, Unit
from core.moved import move
from core.resumed import resumed
from core.sources import Chain
from core.tried import failed_before, last_error, pace_of_series_s
from tests.bot.small_market import ask, told
from tests.bot.test_backfill_changes import misled, settled
from tests.bot.test_backfilling import WEEK, There, at, refused
from tests.fakes import FakeSource
from tests.filled import EVE, Kind, until
from tests.market import NEWEST
from tests.shared import Shared

TRADES = Series(Scope.ALL, Family.TRADES, rules="vendor-1")
LACKING = refused("SourceRefused", Verdict.PLAN_LACKS_DATA_SET)
NO_KEY = refused("SourceRefused", Verdict.WRONG_ACCESS_KEY)
SPAN = [str(WEEK[1]), str(WEEK[3])]


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[There]:
    """Nobody works there but who is asked."""
    async with at(folder, running=False) as it:
        yield it


def beside(there: There) -> None:
    """Another series behind the first one."""
    top = there.app.ladder.rungs[0]
    chain = Chain([FakeSource("trades files", series=TRADES)])
    other = replace(top, ledger=top.ledger.of(TRADES), chain=chain)
    there.app.ladder.rungs = [top, other]


async def counted(there: There, *changed: pl.Expr) -> Callable[[Task], Receipt | Refused]:
    """Whatever session is asked for, as the eve was but for what is changed of it."""
    top, staged = there.app.ladder.rungs[0], there.app.backfilling.runner.staged
    eve = await asyncio.to_thread(top.store.read, top.series, [EVE])

    def work(task: Task) -> Receipt | Refused:
        bars = Bars(eve.with_columns(*changed, session=pl.lit(task.day.date)))
        series = Series.of_key(task.series)
        source = FakeSource(task.source, {task.day.date: bars}, series=series)
        return asyncio.run(fetched(source, task, staged))

    return work


async def wrong(there: There, day: TradingDay, of: Series | None = None) -> None:
    """What is stored of a session is half of it."""
    store, series = there.app.ladder.top.store, of or there.app.ladder.top.series
    bars = await asyncio.to_thread(store.read, series, [day])
    await asyncio.to_thread(store.write, series, day, Bars(bars.head(len(bars) // 2)), 1)


async def newest(there: There) -> Job:
    job = await there.app.backfilling.runner.jobs.newest()
    assert job is not None
    return job


async def test_what_was_read_again_before_it_moved_is_not_read_twice(there: There) -> None:
    await fill(there.app, SPAN)
    await wrong(there, WEEK[3])
    beside(there)
    first, second, key = there.doing.work, await counted(there), there.app.ladder.top.series.key
    gives = {(key, WEEK[3]), (TRADES.key, WEEK[2])}

    def refusing(task: Task) -> Receipt | Refused:
        if (task.series, task.day) not in gives:
            return LACKING if task.series == key else NO_KEY
        return first(task) if task.series == key else second(task)

    there.doing.work = refusing
    paused = await fill(there.app, [*SPAN, "all"])
    job = await newest(there)
    assert (paused.state, job.series) == (JobState.PAUSED, TRADES.key)
    counts = await there.app.backfilling.runner.jobs.counts(job)
    assert counts == {Unit.STORED: 2, Unit.WAITING: 1}

    there.doing.work = first
    there.doing.asked.clear()
    done = await fill(there.app, [*SPAN, "all"])
    assert there.doing.asked == [WEEK[2], WEEK[1]]
    assert (done.state, done.stored, done.instead) == (JobState.DONE, 3, "")
    assert done.changed.startswith("1 session changed, 1 new, no past alerts"), done.changed


@pytest.mark.parametrize(
    ("mended", "changed"),
    [("the first", "2 sessions changed, 1 new"), ("the second", "3 sessions changed, no")],
)
async def test_what_changed_of_a_series_counts_though_the_job_left_it_and_came_back(
    there: There, mended: str, changed: str
) -> None:
    beside(there)
    first, second, key = there.doing.work, await counted(there), there.app.ladder.top.series.key
    there.doing.work = second
    await fill(there.app, [*SPAN, f"series:{TRADES.key}"])
    for day in WEEK[1:4]:
        await wrong(there, day, TRADES)

    def refusing(task: Task) -> Receipt | Refused:
        if task.series == key:
            return first(task) if is_mended and mended == "the first" else LACKING
        return NO_KEY if task.day == WEEK[1] and not is_mended else second(task)

    is_mended, there.doing.work = False, refusing
    assert (await fill(there.app, [*SPAN, "all"])).state is JobState.PAUSED
    is_mended = True
    done = await fill(there.app, [*SPAN, "all"])
    assert (done.state, done.changed[: len(changed)]) == (JobState.DONE, changed)


async def test_what_changed_of_the_series_before_counts_with_its_alerts(folder: Path) -> None:
    async with at(folder) as there:
        await misled(there.app)
        beside(there)
        first, second, key = there.doing.work, await counted(there), there.app.ladder.top.series.key

        def refusing(task: Task) -> Receipt | Refused:
            if task.series != key:
                return second(task)
            return first(task) if task.day == EVE else LACKING

        there.doing.work = refusing
        await told(there.app, f"/backfill run {EVE} {NEWEST} all oldest-first")
        said = await settled(there)
        assert said.startswith("2 of 2 sessions: done; 1 session changed, 1 new, ")
        assert "would differ" in said
        (row,) = (await ask(there.app, "/backfill changes")).message.rows
        assert row.head == "Fri 6 Mar 2026"


@pytest.mark.parametrize("policy", [Policy.MISSING, Policy.ALL])
async def test_what_came_in_of_another_series_waits_when_a_refusal_was_mended(
    there: There, policy: Policy
) -> None:
    app, jobs = there.app, there.app.backfilling.runner.jobs
    await fill(app, [str(WEEK[2]), str(WEEK[2])])
    wish = app.backfilling.wish("run", [*SPAN, "all"])
    asked = await app.backfilling.begin(wish, who="console:@me", place=str(TERMINAL))
    async with app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET policy = ? WHERE id = ?", (policy, asked.id))

    async def read(unit: Unit) -> TradingDay | None:
        job = await jobs.job(asked.id)
        if day := await jobs.take(job):
            await jobs.put(job, day, Outcome(unit, 1.0))
        return day

    assert await read(Unit.STORED) == WEEK[3]
    await move(app.db, asked, TRADES.key, "the first is refused")
    assert await read(Unit.STORED) == WEEK[2]
    assert await read(Unit.FAILED) == WEEK[1]
    await jobs.state(asked, JobState.PAUSED, "and so is the next")
    assert await resumed(jobs, await jobs.job(asked.id))
    job = await jobs.job(asked.id)
    assert (job.state, job.series) == (JobState.RUNNING, asked.series)
    assert (job.reason, job.moved) == ("", "")
    assert await jobs.counts(job) == {Unit.STORED: 1, Unit.WAITING: 2}
    assert await jobs.tries(job, WEEK[1]) == 0
    assert [await read(Unit.SAME), await read(Unit.SAME)] == [WEEK[2], WEEK[1]]
    rows = await app.db.rows(
        "SELECT series, session FROM job_before WHERE job = 2 AND revision = 1"
    )
    assert [tuple(row) for row in rows] == [(asked.series, str(WEEK[2]))], "of the second was none"


async def begun(there: There) -> Job:
    """Three sessions, of the first of two series."""
    beside(there)
    wish = there.app.backfilling.wish("run", SPAN)
    return await there.app.backfilling.begin(wish, who="console:@me", place=str(TERMINAL))


async def test_what_a_job_did_not_store_is_not_what_it_changed(there: There) -> None:
    job, jobs, top = await begun(there), there.app.backfilling.runner.jobs, there.app.ladder.top

    async def stored(day: TradingDay, of: Series) -> None:
        await top.ledger.of(of).stored(
            day, revision=1, source="files", version=None, row_count=1, refused=(), notes=(),
            now=top.now(),
        )  # fmt: skip

    assert await jobs.take(job) == WEEK[3]
    await jobs.put(job, WEEK[3], Outcome(Unit.HELD, 1.0))
    await stored(WEEK[3], top.series)
    assert await Afterwards(jobs.db).touched(job) == [], "somebody has accepted it since"
    await jobs.take(job)
    await jobs.put(job, WEEK[2], Outcome(Unit.STORED, 1.0))
    await move(jobs.db, job, TRADES.key, "the first is refused")
    assert await jobs.take(await jobs.job(job.id)) == WEEK[3]
    await stored(WEEK[3], TRADES)
    await jobs.interrupted()
    await move(jobs.db, job, job.series, "and so is the second")
    assert await jobs.take(await jobs.job(job.id)) == WEEK[3]
    await jobs.put(job, WEEK[3], Outcome(Unit.HELD, 1.0))
    assert await Afterwards(jobs.db).touched(job) == [
        Touched(job.series, WEEK[2].date, is_new=True),
        Touched(TRADES.key, WEEK[3].date, is_new=True),
    ]


async def test_what_one_series_has_not_got_the_other_may_have(there: There) -> None:
    key, second = there.app.ladder.top.series.key, await counted(there)
    work, absent = there.doing.work, refused("NotPublished", Verdict.NOT_PUBLISHED_YET)
    beside(there)
    idle = await counted(there, pl.col("volume") * 0)
    met = {WEEK[4]: lambda task: absent, WEEK[3]: idle, WEEK[2]: work}

    def refusing(task: Task) -> Receipt | Refused:
        if task.series != key:
            return second(task)
        return met[task.day](task) if task.day in met else LACKING

    there.doing.work = refusing
    done = await fill(there.app, [str(WEEK[0]), str(WEEK[4])])
    assert (done.state, done.stored, done.failed) == (JobState.DONE, 5, 0)
    rows = await there.app.db.rows("SELECT session, series FROM job_sessions ORDER BY session")
    of = {row["session"]: row["series"] for row in rows}
    assert of == {str(day): key if day == WEEK[2] else TRADES.key for day in WEEK}
    rows = await there.app.db.rows("SELECT outcome FROM job_attempts WHERE series = ?", (key,))
    assert {"earlier: held", "earlier: absent", "stored"} <= {row["outcome"] for row in rows}


@pytest.mark.parametrize("unit", [Unit.HELD, Unit.ABSENT, Unit.FAILED])
async def test_what_fails_of_a_series_while_the_job_moves_waits_for_the_other(
    there: There, unit: Unit
) -> None:
    job, jobs = await begun(there), there.app.backfilling.runner.jobs
    days = [await jobs.take(job), await jobs.take(job)]
    assert days == [WEEK[3], WEEK[2]]
    await move(jobs.db, job, TRADES.key, "the first is refused")
    await jobs.put(job, WEEK[3], Outcome(unit, 1.0, "a cause", "what was seen"))
    await jobs.put(job, WEEK[2], Outcome(Unit.STORED, 1.0))
    job = await jobs.job(job.id)
    assert await jobs.counts(job) == {Unit.STORED: 1, Unit.WAITING: 2}
    assert await jobs.tries(job, WEEK[3]) == 0
    assert await last_error(jobs.db, job) is None
    assert await jobs.take(job) == WEEK[3], "as if nobody had asked for it"


async def test_an_attempt_and_a_failure_are_of_the_series_that_was_asked_for(there: There) -> None:
    job, jobs = await begun(there), there.app.backfilling.runner.jobs
    await jobs.take(job)
    await jobs.put(job, WEEK[3], Outcome(Unit.STORED, 60.0))
    await move(jobs.db, job, TRADES.key, "the first is refused")
    moved = await jobs.job(job.id)
    await jobs.take(moved)
    await jobs.put(moved, WEEK[2], Outcome(Unit.STORED, 2.0))
    await jobs.take(moved)
    await jobs.put(moved, WEEK[1], Outcome(Unit.FAILED, 9.0, "unreachable", "no answer"))
    key, span = job.series, (WEEK[0].date, WEEK[4].date)
    assert await pace_of_series_s(jobs.db, key) == 60
    assert await pace_of_series_s(jobs.db, TRADES.key) == 2
    other = replace(TRADES, rules="vendor-2")
    assert await pace_of_series_s(jobs.db, other.key) == 2, "other rules take as long"
    assert await failed_before(jobs.db, key, *span) == {}
    assert set(await failed_before(jobs.db, TRADES.key, *span)) == {WEEK[1].date}


async def test_what_came_in_of_one_series_hides_no_failure_of_the_other(there: There) -> None:
    job, jobs = await begun(there), there.app.backfilling.runner.jobs
    await move(jobs.db, job, TRADES.key, "the first is refused")
    moved = await jobs.job(job.id)
    await jobs.take(moved)
    await jobs.put(moved, WEEK[3], Outcome(Unit.FAILED, 9.0, "unreachable", "no answer"))
    await jobs.state(moved, JobState.CANCELLED)
    later = await begun(there)
    await jobs.take(later)
    await jobs.put(later, WEEK[3], Outcome(Unit.STORED, 60.0))
    await move(jobs.db, later, TRADES.key, "the first is refused")
    span = WEEK[0].date, WEEK[4].date
    assert set(await failed_before(jobs.db, TRADES.key, *span)) == {WEEK[3].date}
