"""`python -m bot backfill`: which job that was left behind it goes on with; who works at it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from alerts.backfill_card import backfill_card, instead, summary_card
from alerts.model import TERMINAL
from bot.fill import Filled, fill
from bot.once import Exit
from bot.shell import filled
from core.alone import alone
from core.bars import Bars, Family, Scope, Series
from core.elsewhere import Receipt, Refused, Task, fetched
from core.errors import CommandError, Verdict
from core.jobs import Job, Jobs, JobState, Outcome, Unit
from core.keep import Kept
from core.lease import Lease
from core.moved import move
from core.resumed import resumed
from core.sources import Chain
from core.unworked import Unworked
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import WEEK, There, at, refused
from tests.fakes import FakeSource
from tests.filled import EVE, Kind, until
from tests.shared import Shared

FIRST, LAST = str(WEEK[1]), str(WEEK[3])


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[There]:
    """Nobody works there but who is asked."""
    async with at(folder, running=False) as it:
        yield it


async def left_behind(there: There, *words: str) -> Job:
    """A job of which one session came in, and one was under way when its process died."""
    wish = there.app.backfilling.wish("run", [FIRST, LAST, *words])
    job = await there.app.backfilling.begin(wish, who="console:@me", place=str(TERMINAL))
    runner = there.app.backfilling.runner
    for _ in range(2):
        await runner.jobs.take(job)
    return job


async def jobs(there: There) -> list[str]:
    rows = await there.app.db.rows("SELECT state FROM jobs ORDER BY id")
    return [row["state"] for row in rows]


@pytest.mark.parametrize("words", [[FIRST, LAST], [FIRST, LAST, "oldest-first"]])
async def test_the_same_is_gone_on_with(there: There, words: list[str]) -> None:
    await left_behind(there)
    done = await fill(there.app, words)
    assert (done.wanted, done.stored, done.failed) == (3, 3, 0)
    assert await jobs(there) == [JobState.DONE]


async def test_where_nobody_works_at_it_that_is_said_with_the_way_out(
    there: There, folder: Path
) -> None:
    job, runner = await left_behind(there), there.app.backfilling.runner
    await Unworked(runner.jobs.db).because(job, "the source is away; it is asked again")

    async def lead() -> str:
        return (await ask(there.app, "/backfill")).message.lead

    assert (await lead()).endswith("0 of 3 sessions: nobody works at it.")
    async with alone(runner.lock):
        assert (await lead()).endswith("0 of 3 sessions: under way.")
    async with Lease(folder / "state.db", there.app.now).held():
        assert (await lead()).endswith("0 of 3 sessions: under way.")
    (said,) = (await ask(there.app, "/backfill")).message.banners
    assert "it is asked again" not in said
    typed = said.partition("python -m bot backfill ")[2].rstrip("`").split()
    assert (await fill(there.app, typed)).stored == 3
    assert await jobs(there) == [JobState.DONE]


async def test_what_a_dead_process_was_at_is_not_said_to_end(there: There) -> None:
    await left_behind(there)
    lock = there.app.backfilling.runner.lock
    for word, state in (("pause", "paused"), ("cancel", "cancelled")):
        assert (await told(there.app, f"/backfill {word}")).endswith(f"0 of 3 sessions: {state}.")
        async with alone(lock):
            said = await told(there.app, "/backfill")
            assert said.endswith(f"{state}; 2 sessions under way end first.")


async def test_who_looks_on_counts_all_that_are_at_work(there: There) -> None:
    """The pace is that of whoever works: here nobody was hired."""
    job, own = await left_behind(there), there.app.backfilling.runner.jobs
    await own.put(job, WEEK[3], Outcome(Unit.STORED, 60.0))
    await own.take(job)
    async with alone(there.app.backfilling.runner.lock):
        said = await told(there.app, "/backfill")
    assert "1 of 3 sessions; 2.0 a minute, about 60 s left" in said


@pytest.mark.parametrize(
    ("asked", "series", "said"),
    [
        ("all-daily-raw", "all-sample-raw", "a service (`python -m bot run`) goes on with it"),
        (
            *("all-daily-raw", "all-daily-raw"),
            "all-daily-raw is not read under these settings: /backfill cancel ends it",
        ),
    ],
)
async def test_what_would_be_refused_is_not_suggested(
    there: There, asked: str, series: str, said: str
) -> None:
    """It was begun under other settings."""
    await left_behind(there)
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET asked = ?, series = ?", (asked, series))
    assert said == (await ask(there.app, "/backfill")).message.banners[-1]


async def test_of_two_that_begin_at_once_one_reads_and_the_other_looks_on(
    there: There, folder: Path
) -> None:
    async with at(folder, running=False) as other:
        both = await asyncio.gather(fill(there.app, [FIRST, LAST]), fill(other.app, [FIRST, LAST]))
        assert len(there.doing.asked) + len(other.doing.asked) == 3
    assert [(done.stored, done.failed) for done in both] == [(3, 0), (3, 0)]
    assert await jobs(there) == [JobState.DONE]


async def test_what_failed_before_and_is_not_asked_for_again_is_said(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    there.doing.faults = {WEEK[2]: [refused("NotPublished", Verdict.NOT_PUBLISHED_YET)]}
    first = await fill(there.app, [FIRST, LAST])
    assert (first.stored, first.failed, first.unread) == (2, 1, "")
    again = await fill(there.app, [FIRST, LAST])
    assert (again.stored, again.failed) == (2, 0)
    assert filled(again) is Exit.DONE
    assert capsys.readouterr().out == (
        "2 of 3 sessions stored; 0 failed in this run\n"
        "not asked for again, as --policy missing+failed does:"
        " 1 not published (1 not published yet)\n"
    )
    wider = await fill(there.app, [FIRST, str(WEEK[4])])
    assert (wider.stored, wider.unread) == (3, "1 not published (1 not published yet)")
    last = await fill(there.app, [FIRST, LAST, "missing+failed"])
    assert (last.stored, last.unread) == (3, "")


async def test_a_span_that_is_stored_in_part_is_the_same_when_it_is_typed_again(
    there: There,
) -> None:
    await fill(there.app, [FIRST, FIRST])
    await left_behind(there)
    assert (await fill(there.app, [FIRST, LAST])).stored == 3
    assert await jobs(there) == [JobState.DONE, JobState.DONE]


@pytest.mark.parametrize(
    "words",
    [
        [str(WEEK[0]), LAST],
        [str(WEEK[2]), LAST],
        [FIRST, str(WEEK[2])],
        [FIRST, str(WEEK[4])],
        [FIRST, LAST, "all"],
        [FIRST, LAST, "missing+failed"],
    ],
)
async def test_another_span_or_policy_is_refused_with_the_way_out(
    there: There, words: list[str]
) -> None:
    await left_behind(there)
    with pytest.raises(CommandError) as refused:
        await fill(there.app, words)
    assert f"{FIRST} to {LAST} (missing, all-sample-raw) is not over" in str(refused.value)
    assert '/backfill cancel"' in str(refused.value)
    line = f"{FIRST} {LAST} missing series:all-sample-raw"
    assert f"go on with it by `python -m bot backfill {line}`" in str(refused.value)
    assert there.doing.asked == []
    assert await jobs(there) == [JobState.RUNNING]


async def test_that_a_service_goes_on_with_it_is_said_only_of_what_is_not_paused(
    there: There,
) -> None:
    await left_behind(there)
    for state, is_said in ((JobState.RUNNING, True), (JobState.PAUSED, False)):
        if state is JobState.PAUSED:
            await ask(there.app, "/backfill pause")
        with pytest.raises(CommandError) as refused:
            await fill(there.app, [FIRST, LAST, "all"])
        assert ("let a service go on with it, or end it by" in str(refused.value)) is is_said
        assert str(refused.value).endswith(', or end it by `python -m bot ask "/backfill cancel"`')
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET asked = 'all-daily-raw'")
    with pytest.raises(CommandError, match="is not over: end it by"):
        await fill(there.app, [FIRST, LAST])


async def test_another_series_is_refused_and_one_that_moved_down_is_the_same(
    there: There,
) -> None:
    job = await left_behind(there)
    own: Jobs = there.app.backfilling.runner.jobs
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET asked = 'all-daily-raw', series = 'all-sample-raw'")
    with pytest.raises(CommandError, match=r"\(missing, all-daily-raw\) is not over"):
        await fill(there.app, [FIRST, LAST])
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET asked = 'all-sample-raw'")
    await move(own.db, job, "all-sample-raw", "the better one is refused")
    assert (await fill(there.app, [FIRST, LAST])).stored == 3


async def test_the_order_of_what_is_gone_on_with_is_said(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    await left_behind(there)
    await fill(there.app, [FIRST, LAST, "oldest-first"])
    assert "going on with the backfill of" in (said := capsys.readouterr().err)
    assert f"{FIRST} to {LAST}, newest first" in said


async def test_what_was_under_way_when_its_process_died_waits_though_the_job_was_cancelled(
    there: There,
) -> None:
    await left_behind(there)
    await ask(there.app, "/backfill cancel")
    await fill(there.app, [str(WEEK[4]), str(WEEK[4])])
    assert set((await there.units()).values()) == {"waiting", "stored"}


def test_newer_rules_of_the_series_that_was_asked_for_are_no_refusal() -> None:
    assert filled(Filled(3, 3, 0, instead="trades are counted by other rules now")) is Exit.DONE


async def test_beside_a_service_it_looks_on(
    there: There, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lease = Lease(folder / "state.db", there.app.now)
    async with lease.held(), at(folder) as service:
        service.app.backfilling.runner.look_s = 0.05
        done = await fill(there.app, [FIRST, LAST])
        assert there.doing.asked == [], "the service reads"
        assert len(service.doing.asked) == 3
    assert (done.wanted, done.stored, done.failed, done.state) == (3, 3, 0, JobState.DONE)
    said = capsys.readouterr().err
    assert said.count("does the backfill") == 1
    assert lease.me.place in said


async def test_beside_a_service_it_is_told_why_nothing_is_read(
    there: There, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    why, said = "at rest: the newest sessions come in first; it goes on by itself", ""
    job, jobs = await left_behind(there), there.app.backfilling.runner.jobs
    await Unworked(jobs.db).because(job, why.removeprefix("at rest: "))
    async with Lease(folder / "state.db", there.app.now).held():
        filling = asyncio.create_task(fill(there.app, [FIRST, LAST]))
        async with asyncio.timeout(10):
            while why not in said:
                await asyncio.sleep(0.02)
                said += capsys.readouterr().err
        await asyncio.sleep(1.5)
        assert why not in capsys.readouterr().err, "once"
        await jobs.state(job, JobState.CANCELLED)
        assert (await filling).state is JobState.CANCELLED


async def test_it_hears_how_a_service_s_job_ends(there: There, folder: Path) -> None:
    lease = Lease(folder / "state.db", there.app.now)
    async with lease.held(), at(folder) as service:
        service.app.backfilling.runner.look_s = 0.05
        service.app.backfilling.runner.free.clear()  # its newest session is coming in
        filling = asyncio.create_task(fill(there.app, [FIRST, LAST, "all"]))
        while not await jobs(there):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await ask(there.app, "/backfill cancel")
        # What is left to do after it gives way as well.
        service.app.backfilling.runner.free.set()
        done = await asyncio.wait_for(filling, 20)
    assert done.state is JobState.CANCELLED
    assert there.doing.asked == []


async def test_what_is_paused_goes_on_by_the_service(there: There, folder: Path) -> None:
    await left_behind(there)
    await ask(there.app, "/backfill pause")
    lease = Lease(folder / "state.db", there.app.now)
    async with lease.held(), at(folder) as service:
        service.app.backfilling.runner.look_s = 0.05
        assert (await fill(there.app, [FIRST, LAST])).stored == 3
    assert there.doing.asked == []


async def test_a_service_that_begins_takes_over_and_one_that_ends_gives_back(
    there: There, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, end = threading.Event(), threading.Event()
    work = there.doing.work

    def slow(task: Task) -> Receipt | Refused:
        reading.set()
        assert end.wait(20)
        return work(task)

    there.doing.work = slow
    filling = asyncio.create_task(fill(there.app, [FIRST, LAST]))
    await asyncio.to_thread(reading.wait, 20)
    lease = Lease(folder / "state.db", there.app.now)
    async with lease.held():
        said = ""
        async with asyncio.timeout(10):
            while "a service (" not in said:
                await asyncio.sleep(0.02)
                said += capsys.readouterr().err
        assert set((await there.units()).values()) == {"waiting"}
    # It ended before it did anything.
    end.set()
    done = await asyncio.wait_for(filling, 20)
    assert (done.stored, done.failed) == (3, 0)
    assert "has ended: this goes on" in capsys.readouterr().err
    rows = await there.app.db.rows("SELECT max(revision) FROM sessions")
    assert rows[0][0] == 1


async def test_a_refusal_of_all_is_told_apart_from_what_will_pass(there: There) -> None:
    gone = refused("SourceRefused", Verdict.PLAN_LACKS_DATA_SET)
    there.doing.faults = {day: [gone] for day in WEEK}
    done = await fill(there.app, [FIRST, LAST])
    assert done.state is JobState.PAUSED
    assert done.why


async def test_both_store_the_same_session_once(there: There, folder: Path) -> None:
    """A service in its first seconds, and a shell that has not seen it yet."""
    async with at(folder, running=False) as other:
        pipelines = [it.app.ladder.top for it in (there, other)]
        day = WEEK[2]
        served = [await p.fetched(day) for p in pipelines]

        async def stored(it: There, n: int) -> Kept:
            async with it.app.turn():
                return await pipelines[n].take(day, served[n], silently=True)

        changed = await asyncio.gather(stored(there, 0), stored(other, 1))
    assert sorted(changed) == [Kept.SAME, Kept.NEW]
    rows = await there.app.db.rows("SELECT revision FROM sessions WHERE session = ?", (str(day),))
    assert [row["revision"] for row in rows] == [1]


def lacking_trades(there: There) -> None:
    """Trades files are asked for, and the plan lacks them; the sample market is what is left."""
    top, trades = there.app.ladder.top, Series(Scope.ALL, Family.TRADES, rules="vendor-1")
    chain = Chain([FakeSource("trades files", series=trades)])
    asked = replace(top, ledger=top.ledger.of(trades), chain=chain)
    there.app.ladder.rungs, work = [asked, top], there.doing.work

    def refusing(task: Task) -> Receipt | Refused:
        gone = refused("SourceRefused", Verdict.PLAN_LACKS_DATA_SET)
        return gone if task.series == trades.key else work(task)

    there.doing.work = refusing


async def test_that_another_series_was_read_is_said_at_the_end(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(there.app, [FIRST, FIRST])  # of the series that will be read instead
    lacking_trades(there)
    done = await fill(there.app, [FIRST, LAST])
    said = "asked for all-trades-raw-vendor-1, read all-sample-raw: all-trades-raw-vendor-1 is"
    assert done.instead.startswith(f"{said} refused: trades files: plan lacks this data set")
    assert (done.state, done.stored, done.failed) == (JobState.DONE, 3, 0)
    assert filled(done) is Exit.REFUSED
    assert done.instead in capsys.readouterr().out
    standing = await there.app.backfilling.standing()
    assert standing is not None
    for card in (backfill_card(standing, ""), summary_card(standing, "")):
        assert card.banners == (done.instead,)


async def test_when_what_was_refused_is_mended_it_is_read_as_it_was_asked_for(
    there: There,
) -> None:
    """Both series were refused, and so it was paused at the lower one."""
    lacking_trades(there)
    top, lower = there.app.ladder.rungs
    bars = Bars(await asyncio.to_thread(lower.store.read, lower.series, [EVE]))
    gone = refused("SourceRefused", Verdict.WRONG_ACCESS_KEY)
    there.doing.work = lambda task: gone
    first = await fill(there.app, [FIRST, LAST])
    assert (first.state, first.stored) == (JobState.PAUSED, 0)
    job = await there.app.backfilling.runner.jobs.newest()
    assert job is not None
    assert (job.asked, job.series) == ("all-trades-raw-vendor-1", lower.series.key)

    def served(task: Task) -> Receipt | Refused:
        day = bars.with_columns(session=pl.lit(task.day.date))
        source = FakeSource("trades files", {task.day.date: Bars(day)}, series=top.series)
        return asyncio.run(fetched(source, task, there.app.backfilling.runner.staged))

    there.doing.work = served
    again = await fill(there.app, [FIRST, LAST])
    assert (again.state, again.stored, again.instead) == (JobState.DONE, 3, "")
    assert filled(again) is Exit.DONE
    job = await there.app.backfilling.runner.jobs.newest()
    assert job is not None
    assert (job.series, job.moved) == (job.asked, "")


async def test_what_a_person_has_paused_goes_on_as_it_was(there: There) -> None:
    job, own = await left_behind(there), there.app.backfilling.runner.jobs
    await move(own.db, job, "all-daily-raw", "the first is refused")
    assert not await resumed(own, job), "it is under way"
    await own.state(job, JobState.PAUSED)
    assert await resumed(own, job)
    assert (await own.job(job.id)).series == "all-daily-raw"


async def test_at_its_end_what_failed_is_named_by_cause(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(there.app, [FIRST, LAST])
    there.doing.faults = {
        WEEK[1]: [refused("BadBars", Verdict.VENDOR_FAULT)],
        WEEK[3]: [refused("NotPublished", Verdict.NOT_PUBLISHED_YET)],
        WEEK[4]: [refused("SourceRefused", Verdict.DATE_OUTSIDE_PLAN)],
    }
    done = await fill(there.app, [FIRST, str(WEEK[4]), "all"])
    assert filled(done) is Exit.TRY_AGAIN
    assert capsys.readouterr().out.splitlines()[0] == (
        "3 of 4 sessions stored; 2 failed (1 date outside the plan, 1 unusable file),"
        " 1 not published (1 not published yet) in this run"
    ), "two of those are there as they were"


async def test_what_is_left_when_it_is_interrupted_is_said(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    there.app.backfilling.runner.free.clear()
    filling = asyncio.create_task(fill(there.app, [FIRST, LAST]))
    while not await jobs(there):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert "not over: a service goes on with it, and so does this" in capsys.readouterr().err


async def test_what_another_series_has_is_not_counted_as_stored(there: There) -> None:
    await fill(there.app, [FIRST, LAST])
    lacking_trades(there)
    there.doing.work = lambda task: refused("NotPublished", Verdict.NOT_PUBLISHED_YET)
    done = await fill(there.app, [FIRST, LAST])
    assert (done.stored, done.failed, done.instead) == (0, 3, "")


async def test_why_another_series_is_read_outlives_a_pause(there: There) -> None:
    job, own = await left_behind(there), there.app.backfilling.runner.jobs
    await move(own.db, job, "all-daily-raw", "the first is refused")
    await move(own.db, job, "all-other-raw", "and so is the next")
    await own.state(job, JobState.PAUSED, "a person has to help")
    await own.state(job, JobState.RUNNING)
    said = "asked for all-sample-raw, read all-other-raw: the first is refused; and so is the next"
    assert instead(await own.job(job.id)) == said
