"""After a backfill that read everything again: what has changed, which alerts would differ."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import polars as pl
import pytest

from alerts.model import TERMINAL, Destination
from bot.app import App
from bot.backfilling import Backfilling
from bot.fill import fill
from core.afterwards import Afterwards, Differs
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
        assert "counting which past alerts" in await told(there.app, "/backfill")
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
