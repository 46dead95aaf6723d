"""After a backfill that read everything again: what has changed, which alerts would differ."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from alerts.model import TERMINAL, Destination
from bot.aftermath import Aftermath
from bot.agreed import Agreed, agreed
from bot.app import App
from bot.backfilling import Backfilling
from bot.fill import fill
from bot.once import Exit
from bot.shell import filled
from core.afterwards import Afterwards, Differs
from core.alone import alone
from core.bars import Bars
from core.calendar import TradingDay, sessions_ending
from core.jobs import Job, JobState, Stage
from core.keep import Kept
from core.pipeline import Pipeline
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import There, at
from tests.chat import FakePlatform
from tests.filled import EVE, Kind, until
from tests.market import NEWEST
from tests.shared import Shared

BOTH = f"{EVE} {NEWEST}"


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[There]:
    async with at(folder) as it:
        yield it


async def louder(pipeline: Pipeline, day: TradingDay, ticker: str) -> None:
    """The stored session, with thirty times the volume of one ticker."""
    rows = await asyncio.to_thread(pipeline.store.read, pipeline.series, [day])
    more = pl.when(ticker=ticker).then(30).otherwise(1)
    rows = rows.with_columns((pl.col("volume") * more).cast(rows["volume"].dtype))
    await asyncio.to_thread(pipeline.store.write, pipeline.series, day, Bars(rows), 1)


async def misled(app: App) -> str:
    """The newest session is said from an eve that was wrong; the name that was kept back for it."""
    pipeline = app.ladder.top
    await pipeline.trading_day(NEWEST, announce=False)
    name = (await app.commands.digests.afresh(pipeline, NEWEST)).pushed[0].ticker
    await louder(pipeline, EVE, name)
    app.senders[TERMINAL.platform] = FakePlatform()
    await pipeline.trading_day(NEWEST, announce=True)
    await app.courier.drain()
    said = await app.commands.digests.report(NEWEST)
    assert name not in {a.ticker for a in said.pushed}
    return name


async def newest(backfilling: Backfilling) -> Job:
    job = await backfilling.runner.jobs.newest()
    assert job is not None
    return job


async def settled(there: There) -> str:
    """The card, once nothing is left to do."""
    for _ in range(600):
        job = await newest(there.app.backfilling)
        if job.stage is Stage.NOTHING:
            return (await told(there.app, "/backfill")).split(maxsplit=1)[1]
        await asyncio.sleep(0.02)
    raise AssertionError(job)


async def test_past_alerts_that_would_differ_are_counted_and_shown(there: There) -> None:
    app = there.app
    name, deliveries = await misled(app), await app.db.rows("SELECT * FROM deliveries")
    await told(app, f"/backfill run {EVE} {EVE} all")
    said = await settled(there)
    assert said.startswith("1 of 1 session: done; 1 session changed, ")
    assert said.endswith(" past alert would differ.") or said.endswith("alerts would differ.")
    shown = (await ask(app, "/backfill changes")).message
    (row,) = shown.rows
    assert row.head == "Fri 6 Mar 2026"
    assert name in row.details[0].removeprefix("would come: ").split(", ")
    card = (await ask(app, "/backfill")).message
    assert "backfill changes 1" in [action.command for action in card.actions]
    # What the channels have is as it was, and so is what /anomalies calls sent.
    assert await app.db.rows("SELECT * FROM deliveries") == deliveries
    differs = (await ask(app, f"/anomalies {NEWEST} as:now")).message.banners[0]
    assert f"+{name}" in differs


async def test_without_a_change_nothing_is_judged_again(there: There) -> None:
    app = there.app
    await misled(app)
    await told(app, f"/backfill run {NEWEST} {NEWEST} all")
    assert await settled(there) == "1 of 1 session: done; no session changed."
    assert await app.db.rows("SELECT * FROM job_alerts") == []


async def test_sessions_of_which_nobody_was_told_have_no_alerts(there: There) -> None:
    app = there.app
    before, pipeline = sessions_ending(EVE, 2)[0], app.ladder.top
    rows = await asyncio.to_thread(pipeline.store.read, pipeline.series, [before])
    await asyncio.to_thread(pipeline.store.write, pipeline.series, before, Bars(rows.head(9)), 1)
    await told(app, f"/backfill run {before} {NEWEST} all")
    said = await settled(there)
    assert said == "3 of 3 sessions: done; 1 session changed, 1 new, no past alerts among them."


async def test_the_summary_waits_for_the_count_and_comes_once(there: There) -> None:
    app, sender = there.app, FakePlatform()
    await misled(app)
    app.senders["discord"] = sender
    await told(app, f"/backfill run {BOTH} all announce")
    await settled(there)
    for _ in range(100):
        if len(sender.posts) == 2:
            break
        await asyncio.sleep(0.02)
    card, summary = sender.at(Destination("discord", "456"))
    assert any("counting which past alerts would differ" in m.lead for m in card.versions)
    assert "1 session changed, " in card.message.lead
    assert summary.letter.message.lead.startswith(
        "Backfilled: 2 of 2 sessions; 1 session changed, "
    )
    assert "would differ" in summary.letter.message.lead


async def test_it_goes_on_after_a_restart_and_gives_way_to_another_job(folder: Path) -> None:
    async with at(folder, running=False) as there:
        await misled(there.app)
        await told(there.app, f"/backfill run {EVE} {EVE} all")
        runner, job = there.app.backfilling.runner, await newest(there.app.backfilling)
        await runner.work_off(job)
        assert "nobody counts which past alerts" in await told(there.app, "/backfill")
        await told(there.app, f"/backfill run {NEWEST} {NEWEST} all")
        assert not await runner.settle(await runner.jobs.job(job.id)), "another job is under way"
    async with at(folder) as there:
        await settled(there)
        jobs = there.app.backfilling.runner.jobs
        found = await Afterwards(jobs.db).of(await jobs.job(job.id))
        assert found is not None
        assert (found.changed, found.told, found.is_counted) == (1, 1, True)
        assert found.alerts


async def test_what_a_killed_process_had_stored_counts_as_changed(folder: Path) -> None:
    async with at(folder, running=False) as there:
        await misled(there.app)
        await told(there.app, f"/backfill run {EVE} {EVE} all")
        runner, job = there.app.backfilling.runner, await newest(there.app.backfilling)
        day = await runner.jobs.take(job)
        assert day is not None
        pipeline = there.app.ladder.top
        kept = await pipeline.take(day, await pipeline.fetched(day))
        assert kept is Kept.NEW, "and then it dies"
    async with at(folder) as there:
        assert "1 session changed" in await settled(there)
        assert (await there.units())[str(EVE)] == "same"


async def test_the_shell_says_it_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with at(folder, running=False) as there:
        await misled(there.app)
        done = await fill(there.app, [str(EVE), str(EVE), "all"])
        assert (done.stored, done.failed) == (1, 0)
        assert done.changed.startswith("1 session changed, ")
        assert "would differ" in done.changed
        assert "counting which past alerts would differ" in capsys.readouterr().err
        assert (await fill(there.app, [str(EVE), str(EVE), "all"])).changed == "no session changed"
        assert "counting" not in capsys.readouterr().err
        assert (await fill(there.app, [str(EVE), str(EVE)])).changed == ""


async def uncounted(there: There) -> Job:
    """All is read, and whoever did that has died."""
    await misled(there.app)
    await told(there.app, f"/backfill run {EVE} {EVE} all")
    await there.app.backfilling.runner.work_off(await newest(there.app.backfilling))
    return await newest(there.app.backfilling)


async def test_where_nobody_counts_that_is_said_with_the_way_out(folder: Path) -> None:
    async with at(folder, running=False) as there:
        job, app = await uncounted(there), there.app
        for typed in ("/backfill", "/backfill changes"):
            card = (await ask(app, typed)).message
            assert card.lead.endswith("nobody counts which past alerts would differ.")
            assert card.banners[-1].startswith("a service (`python -m bot run`) goes on with it, ")
        async with alone(app.backfilling.runner.lock):
            card = (await ask(app, "/backfill")).message
            assert card.lead.endswith(", counting which past alerts would differ.")
            assert card.banners == ()
        (said,) = (await ask(app, "/backfill")).message.banners
        words = said.partition("python -m bot backfill ")[2].rstrip("`").split()
        assert words[:3] == [str(EVE), str(EVE), "all"]
        asked = len(there.doing.asked)
        assert await agreed(app, words, None)
        done = await fill(app, words)
        assert len(there.doing.asked) == asked, "nothing is read again"
        assert (done.stored, done.failed) == (1, 0)
        assert done.changed.startswith("1 session changed, ")
        assert "would differ" in done.changed
        assert (await newest(app.backfilling)).id == job.id
        assert (await newest(app.backfilling)).stage is Stage.NOTHING


@pytest.mark.parametrize("cancelled", [False, True])
async def test_another_backfill_counts_what_was_left_uncounted_first(
    folder: Path, capsys: pytest.CaptureFixture[str], *, cancelled: bool
) -> None:
    async with at(folder, running=False) as there:
        job, jobs = await uncounted(there), there.app.backfilling.runner.jobs
        if cancelled:
            async with there.app.db.transaction() as writer:
                await writer.execute("UPDATE jobs SET state = 'cancelled'")
            (said,) = (await ask(there.app, "/backfill")).message.banners
            assert said.endswith(", and so does the next `python -m bot backfill`")
        capsys.readouterr()
        words = [str(EVE), str(EVE), "all"] if cancelled else [str(NEWEST), str(NEWEST)]
        await fill(there.app, words)
        told = f"the backfill of {EVE} to {EVE}: counting which past alerts would differ"
        assert told in capsys.readouterr().err
        found = await Afterwards(jobs.db).of(await jobs.job(job.id))
        assert found is not None
        assert (found.is_counted, found.changed, found.told) == (True, 1, 1)


@pytest.mark.parametrize("state", ["running", "paused", "uncounted"])
async def test_one_that_is_gone_on_with_does_not_leave_an_older_one_uncounted(
    folder: Path, *, state: str
) -> None:
    async with at(folder, running=False) as there:
        job, app = await uncounted(there), there.app
        jobs = app.backfilling.runner.jobs
        await told(app, f"/backfill run {NEWEST} {NEWEST} all")
        if state == "paused":
            await told(app, "/backfill pause")
        elif state == "uncounted":
            later = await newest(app.backfilling)
            said = await app.commands.digests.afresh(app.ladder.top, NEWEST)
            await louder(app.ladder.top, NEWEST, said.pushed[0].ticker)
            await app.backfilling.runner.work_off(later)
            assert (await newest(app.backfilling)).id == later.id
        (way_on,) = (await ask(app, f"/backfill changes {job.id}")).message.banners
        assert way_on.endswith(", and so does the next `python -m bot backfill`"), "not by its line"
        there.doing.asked.clear()
        words = [str(NEWEST), str(NEWEST), "all"]
        may = await agreed(app, words, None)
        assert may is not None
        assert may.left is not None
        await fill(app, words, may.left)
        assert [day.date for day in there.doing.asked] == [NEWEST.date] * (state != "uncounted")
        for number in (job.id, may.left.id):
            found = await Afterwards(jobs.db).of(await jobs.job(number))
            assert found is not None
            assert found.is_counted


async def test_where_the_bars_are_away_the_shell_does_not_say_that_it_counts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at(folder, running=False) as there:
        await misled(there.app)
        runner, words = there.app.backfilling.runner, [str(EVE), str(EVE), "all"]
        before, rested = runner.after, list[Job]()

        async def away(job: Job) -> bool:
            rested.append(job)
            raise OSError(5, "the bucket is away")

        runner.after = away
        done = await fill(there.app, words)
        assert filled(done) is Exit.TRY_AGAIN
        assert len(rested) == 1
        seen = capsys.readouterr()
        assert "1 session changed, nobody counts which past alerts would differ" in seen.out
        left = "which past alerts would differ is not counted to the end: a service (`python -m"
        assert left in seen.err
        line = seen.err.partition("and so does `python -m bot backfill ")[2].partition("`")[0]
        runner.after = before
        there.doing.asked.clear()
        done = await fill(there.app, line.split())
        assert there.doing.asked == []
        assert filled(done) is Exit.DONE
        assert "would differ" in done.changed


async def test_what_changed_nothing_is_not_left_behind(folder: Path) -> None:
    async with at(folder, running=False) as there:
        app, words = there.app, [str(EVE), str(EVE), "all"]
        await told(app, f"/backfill run {' '.join(words)}")
        job = await newest(app.backfilling)
        await app.backfilling.runner.work_off(job)
        assert (await newest(app.backfilling)).stage is Stage.ALERTS, "and then it dies"
        there.doing.asked.clear()
        assert await agreed(app, words, None) == Agreed(), "a plan is told"
        done = await fill(app, words)
        assert there.doing.asked == [EVE]
        assert done.changed == "no session changed"
        assert (await newest(app.backfilling)).id != job.id
        assert await Afterwards(app.db).uncounted() is None


async def test_who_ends_it_while_it_counts_is_told_what_is_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at(folder, running=False) as there:
        await misled(there.app)
        runner = there.app.backfilling.runner
        assert isinstance(runner.after, Aftermath)
        runner.after = replace(runner.after, free=asyncio.Event())
        words, said = [str(EVE), str(EVE), "all"], ""
        for _ in range(2):
            filling = asyncio.create_task(fill(there.app, words))
            async with asyncio.timeout(20):
                while "counting which past alerts" not in said:
                    await asyncio.sleep(0.02)
                    said += capsys.readouterr().err
            filling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await filling
            said = capsys.readouterr().err
            assert "is not counted to the end: a service goes on with it, and so does" in said
            words, said = [str(NEWEST), str(NEWEST)], ""
        assert len(there.doing.asked) == 1


async def test_what_is_read_once_more_is_counted_anew(there: There) -> None:
    await misled(there.app)
    await told(there.app, f"/backfill run {EVE} {EVE} all")
    await settled(there)
    jobs, job = there.app.backfilling.runner.jobs, await newest(there.app.backfilling)
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE job_sessions SET state = 'failed'")
    there.app.backfilling.runner.free.clear()
    assert await jobs.again(job)
    compared = Afterwards(jobs.db)
    await compared.put(job, Differs(job.series, NEWEST.date, ("LATE",)))
    assert await compared.done(job) == set(), "a count of before is not taken"
    assert await compared.of(await jobs.job(job.id)) is None
    assert await jobs.state(job, JobState.CANCELLED)
