"""Pause, resume, cancel, retry: whenever and however often, and what is left of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.attempts import Attempts
from core.bars import Bars, Family, Scope, Series
from core.calendar import FIRST_DAY, sessions_ending
from core.errors import SourceRefused, Verdict
from core.jobs import Job, JobState, Outcome, Unit
from core.ledger import Status
from core.pipeline import REVISIT_SESSIONS
from core.sources import NoneServed
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import AWAY, SPAN, WEEK, There, at, refused, until_asked
from tests.filled import EVE, Kind, until
from tests.market import NEWEST
from tests.shared import Shared

OTHER = sessions_ending(WEEK[0], 4)[:2]
OTHER_SPAN = f"{OTHER[0]} {OTHER[-1]}"
RUNS = f"one backfill at a time: that of {WEEK[0]} to {WEEK[-1]} is running"


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[There]:
    async with at(folder) as it:
        yield it


@pytest.fixture
async def idle(folder: Path) -> AsyncIterator[There]:
    """Nobody works there."""
    async with at(folder, running=False) as it:
        yield it


async def newest(there: There) -> Job:
    job = await there.app.backfilling.runner.jobs.newest()
    assert job is not None
    return job


async def stored(there: There) -> dict[str, tuple[str, int]]:
    entries = await there.app.ladder.entries([*OTHER, *WEEK])
    return {str(on): (e.status, e.revision) for on, e in sorted(entries.items())}


async def left_on_the_way(there: There) -> list[Path]:
    folder = there.app.settings.data_dir
    return await asyncio.to_thread(
        lambda: [*folder.glob("staged/*/*"), *folder.glob("bars/*/*.tmp*"), *folder.glob("**/.*")]
    )


async def some_failed(there: There) -> None:
    """A job that is done but for two sessions."""
    there.doing.faults = {
        WEEK[0]: [refused("NotPublished", Verdict.NOT_PUBLISHED_YET)],
        WEEK[2]: [refused("BadBars", Verdict.VENDOR_FAULT)],
    }
    await told(there.app, f"/backfill run {SPAN}")
    assert "2" not in (await there.ended()).partition(",")[0]
    there.doing.asked.clear()


@pytest.mark.parametrize(("word", "state"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_the_session_under_way_ends_first_and_is_whole(
    there: There, word: str, state: str
) -> None:
    async with there.app.turn():  # fetched, and not stored yet
        await told(there.app, f"/backfill run {SPAN}")
        await until_asked(there, 1)
        said = await told(there.app, f"/backfill {word}")
        assert said.endswith(f"{state}; 1 session under way ends first.")
        assert await stored(there) == {}
    assert (await there.ended()).startswith(f"1 of 5 sessions: {state}")
    assert await stored(there) == {str(WEEK[4]): (Status.FINISHED, 1)}
    assert await left_on_the_way(there) == []
    units = await there.units()
    assert units.pop(str(WEEK[4])) == Unit.STORED
    assert set(units.values()) == {Unit.WAITING}
    assert there.doing.asked == [WEEK[4]]


async def test_what_was_paused_is_paused_after_a_restart_and_goes_on_when_it_is_told_to(
    folder: Path,
) -> None:
    async with at(folder, running=False) as there:
        await told(there.app, f"/backfill run {SPAN}")
        job = await newest(there)
        await there.app.backfilling.runner.jobs.take(job)
        await told(there.app, "/backfill pause")
    async with at(folder) as there:
        await asyncio.sleep(0.1)
        assert there.doing.asked == []
        assert "0 of 5 sessions: paused." in await told(there.app, "/backfill")
        await told(there.app, "/backfill resume")
        assert await there.ended() == "5 of 5 sessions: done."


async def test_a_retry_reads_what_failed_and_nothing_else(there: There) -> None:
    await some_failed(there)
    await told(there.app, "/backfill retry")
    assert await there.ended() == "5 of 5 sessions: done."
    assert there.doing.asked == [WEEK[2], WEEK[0]]


async def test_a_retry_of_what_was_cancelled_does_not_read_the_rest(idle: There) -> None:
    runner = idle.app.backfilling.runner
    idle.doing.faults = {WEEK[4]: [refused("BadBars", Verdict.VENDOR_FAULT)]}
    await told(idle.app, f"/backfill run {SPAN}")
    job = await newest(idle)
    pipeline = runner._pipeline(job)
    assert pipeline is not None
    day = await runner.jobs.take(job)
    assert day == WEEK[4]
    await Attempts(runner.jobs, runner.ladder, runner.turn).made(job, pipeline, day, waits=True)
    await told(idle.app, "/backfill cancel")
    idle.doing.asked.clear()
    await told(idle.app, "/backfill retry")
    await runner.work_off(await newest(idle))
    assert idle.doing.asked == [WEEK[4]]
    assert (await newest(idle)).state is JobState.DONE


async def test_a_second_click_changes_nothing_and_says_so(there: There) -> None:
    app = there.app
    app.backfilling.runner.free.clear()

    async def twice(text: str) -> list[str]:
        return sorted(await asyncio.gather(told(app, text), told(app, text)))

    which = f"the backfill of {WEEK[0]} to {WEEK[-1]} is"
    begun, again = sorted(await twice(f"/backfill run {SPAN}"), key=lambda said: RUNS in said)
    assert "0 of 5 sessions: under way" in begun
    assert again == f"{RUNS}; /backfill shows how far it is, /backfill cancel ends it"
    assert f"nothing to pause: {which} paused" in await twice("/backfill pause")
    assert f"nothing to resume: {which} running" in await twice("/backfill resume")
    assert f"nothing to cancel: {which} cancelled" in await twice("/backfill cancel")
    assert await app.db.rows("SELECT 1 FROM jobs WHERE id > 1") == []


async def test_a_second_retry_is_one_retry(there: There) -> None:
    await some_failed(there)
    there.app.backfilling.runner.free.clear()
    replies = await asyncio.gather(*(ask(there.app, "/backfill retry") for _ in range(2)))
    assert sorted(reply.ok for reply in replies) == [False, True]
    there.app.backfilling.runner.free.set()
    assert await there.ended() == "5 of 5 sessions: done."
    assert there.doing.asked == [WEEK[2], WEEK[0]]


@pytest.mark.parametrize("word", ["pause", "resume", "cancel", "stop", "retry", "pause 1"])
async def test_a_click_of_anybody_else_changes_nothing(idle: There, word: str) -> None:
    await told(idle.app, f"/backfill run {SPAN}")
    said = await told(idle.app, f"/backfill {word}", operator=False)
    assert "is for operators" in said
    assert (await newest(idle)).state is JobState.RUNNING
    looked = await told(idle.app, "/backfill", operator=False)
    assert "0 of 5 sessions: nobody works at it" in looked


async def test_after_a_cancel_another_span_is_read(there: There) -> None:
    async with there.app.turn():
        await told(there.app, f"/backfill run {SPAN}")
        await until_asked(there, 1)
        assert RUNS in await told(there.app, f"/backfill run {OTHER_SPAN}")
        await told(there.app, "/backfill cancel")
        assert "0 of 2 sessions" in await told(there.app, f"/backfill run {OTHER_SPAN}")
    assert await there.ended() == "2 of 2 sessions: done."
    whole = {str(day): (Status.FINISHED, 1) for day in (*OTHER, WEEK[4])}
    assert await stored(there) == whole
    assert await left_on_the_way(there) == []


async def test_the_buttons_of_an_older_card_are_about_its_own_job(there: There) -> None:
    app = there.app
    await some_failed(there)
    old = (await ask(app, "/backfill")).message
    commands = {action.label: action.command for action in old.actions}
    app.backfilling.runner.free.clear()
    await told(app, f"/backfill run {OTHER_SPAN}")
    failed = (await ask(app, commands["Show failed"])).message
    assert failed.title == f"Backfill · {WEEK[0]} to {WEEK[-1]} · not stored"
    assert len(failed.rows) == 2
    said = await told(app, commands["Retry failed"])
    assert said.startswith(f"one backfill at a time: that of {OTHER[0]} to {OTHER[-1]} is running")
    assert "nothing to pause: the backfill of " in await told(app, "/backfill pause 1")
    app.backfilling.runner.free.set()
    assert await there.ended() == "2 of 2 sessions: done."
    there.doing.asked.clear()
    await told(app, commands["Retry failed"])
    await until_asked(there, 2)
    assert there.doing.asked == [WEEK[2], WEEK[0]]
    assert "there is no backfill 99" in await told(app, "/backfill pause 99")


async def test_what_failed_is_not_offered_again_while_the_job_goes_on(idle: There) -> None:
    jobs = idle.app.backfilling.runner.jobs
    await told(idle.app, f"/backfill run {SPAN}")
    day = await jobs.take(job := await newest(idle))
    assert day is not None
    await jobs.put(job, day, Outcome(Unit.FAILED, 1.0, "vendor fault", "nothing of use"))
    failed = (await ask(idle.app, "/backfill failed")).message
    assert (len(failed.rows), failed.actions) == (1, ())
    await told(idle.app, "/backfill cancel")
    (again,) = (await ask(idle.app, "/backfill failed")).message.actions
    assert again.label == "Retry failed"


async def test_what_failed_of_a_cancelled_job_is_not_handed_to_the_next_series(idle: There) -> None:
    runner, top = idle.app.backfilling.runner, idle.app.ladder.top
    lower = replace(top, ledger=top.ledger.of(Series(Scope.ALL, Family.DAILY)))
    idle.app.ladder.rungs = [top, lower]
    await told(idle.app, f"/backfill run {SPAN}")
    job = await newest(idle)
    await told(idle.app, "/backfill cancel")
    lacking = SourceRefused("plan lacks this data set", Verdict.PLAN_LACKS_DATA_SET)
    await runner._refused(job, NoneServed({"flat files": lacking}))
    after = await runner.jobs.job(job.id)
    assert (after.state, after.series, after.reason) == (JobState.CANCELLED, job.series, "")


async def test_a_session_that_was_said_long_ago_is_at_no_time_only_stored(there: There) -> None:
    """Else the nightly run, waiting for its turn, would say it once more."""
    app, pipeline = there.app, there.app.ladder.top
    day = sessions_ending(NEWEST, REVISIT_SESSIONS + 1)[0]
    await pipeline.trading_day(day, announce=True)
    bars = await asyncio.to_thread(pipeline.store.read, pipeline.series, [day])
    write = pipeline.store.write
    await asyncio.to_thread(write, pipeline.series, day, Bars(bars.head(9)), 1)
    seen = set[tuple[int, Status]]()

    async def nightly() -> None:
        while True:
            async with app.turn():
                entry = await pipeline.ledger.entry(day)
                assert entry is not None
                seen.add((entry.revision, entry.status))
            await asyncio.sleep(0)

    waiting = asyncio.create_task(nightly())
    await told(app, f"/backfill run {day} {day} all")
    await there.ended()
    waiting.cancel()
    assert seen == {(1, Status.FINISHED), (2, Status.FINISHED)}


@pytest.mark.parametrize("action", ["plan", "run"])
@pytest.mark.parametrize(
    ("span", "said"),
    [
        (f"{WEEK[-1]} {WEEK[0]}", f"{WEEK[0]} is before {WEEK[-1]}: FROM comes first"),
        ("2031-01-06 2031-01-10", "2031-01-06 is in the future; the newest session is 2026-03-06"),
        (f"{WEEK[0]} 2031-01-10", "2031-01-10 is in the future"),
        ("2026-02-28 2026-03-01", "there is no finished session from 2026-02-28 to 2026-03-01"),
        ("2026-03-07 2026-03-07", "there is no finished session from 2026-03-07 to 2026-03-07"),
        (f"1996-03-06 {NEWEST}", "1996-03-06 is before the vendor's data, which begins on"),
        ("2002-01-01 2002-12-31", f"which begins on {FIRST_DAY}"),
    ],
)
async def test_a_span_that_cannot_be_read_is_refused_in_one_sentence(
    idle: There, action: str, span: str, said: str
) -> None:
    reply = await ask(idle.app, f"/backfill {action} {span}")
    assert not reply.ok
    assert said in reply.message.lead
    assert await idle.app.db.rows("SELECT 1 FROM jobs") == []


async def test_all_that_the_vendor_has_can_be_planned_begun_and_cancelled(idle: There) -> None:
    span = f"{FIRST_DAY} {NEWEST}"
    plan = (await ask(idle.app, f"/backfill plan {span}")).message
    facts = dict(plan.facts)
    assert facts["stored"] == "81"
    assert facts["the plan serves"] == f"{FIRST_DAY} and later"
    card = await told(idle.app, f"/backfill run {span}")
    many = len(await idle.units())
    assert f"0 of {many:,} sessions: nobody works at it" in card
    assert many > 5_000
    assert "cancelled" in await told(idle.app, "/backfill cancel")


async def test_two_policies_are_one_too_many(there: There) -> None:
    said = (await ask(there.app, f"/backfill run {SPAN} missing all")).message.lead
    assert "one policy at a time, not all and missing" in said
    assert await there.units() == {}


async def test_nothing_failed_of_what_was_not_read_is_not_called_complete(idle: There) -> None:
    await told(idle.app, f"/backfill run {SPAN}")
    await told(idle.app, "/backfill cancel")
    said = (await ask(idle.app, "/backfill failed")).message.lead
    assert said == "None so far; 5 sessions not read yet."


async def facts(there: There) -> dict[str, str]:
    return dict((await ask(there.app, "/backfill")).message.facts)


async def test_the_last_error_is_the_one_that_came_last(there: There) -> None:
    await some_failed(there)
    there_is = await facts(there)
    assert there_is["last error"].startswith(f"{WEEK[0]}: built-in sample market: not published")
    assert there_is["by cause"] == (
        "1 failed (1 unusable file), 1 not published (1 not published yet)"
    )
    await told(there.app, "/backfill retry")
    await there.ended()
    assert "last error" not in await facts(there), "all came in since"


async def test_an_error_is_told_while_the_session_waits_for_another_try(idle: There) -> None:
    idle.doing.faults = {WEEK[4]: [AWAY]}
    runner = idle.app.backfilling.runner
    await told(idle.app, f"/backfill run {SPAN}")
    job = await newest(idle)
    pipeline = runner._pipeline(job)
    assert pipeline is not None
    day = await runner.jobs.take(job)
    assert day is not None
    await Attempts(runner.jobs, runner.ladder, runner.turn).made(job, pipeline, day, waits=True)
    assert (await facts(idle))["last error"].endswith("(seen: unreachable) (asked again)")
