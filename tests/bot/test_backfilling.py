"""/backfill: planned, begun by operators, told while it goes on, paused, ended, begun anew."""

import asyncio
import errno
import os
import pwd
import re
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pytest

from alerts.model import Destination
from bot.aftermath import Aftermath
from bot.app import App, opened
from bot.settings import load
from core.bars import Bars
from core.calendar import TradingDay, sessions_ending
from core.conditions import bundled
from core.elsewhere import Receipt as Done
from core.elsewhere import Refused, Task, WorkerLost, WorkerUnfit, fetched
from core.errors import BarsAway, Verdict
from core.files import Folder
from core.jobs import Jobs, Policy, Unit
from core.ledger import Status
from core.pool import Pool
from core.staged import Staged
from tests.bot.small_market import ask, told
from tests.chat import FakePlatform
from tests.filled import EVE, Kind, until
from tests.market import NOW
from tests.shared import Shared

WEEK = sessions_ending(EVE, 100)[:5]
SPAN = f"{WEEK[0]} {WEEK[-1]}"


@dataclass(slots=True)
class Threads:
    """A crew that needs no process of its own; nobody can be hired while it is `away`."""

    size: int = 1
    hired: int = 0
    away: str = ""
    refused: int = 0
    lets_end: bool = True

    def count(self) -> int:
        """core.pool.Crew."""
        return self.size

    def hire(self) -> Executor:
        """core.pool.Crew."""
        if self.away:
            self.refused += 1
            raise OSError(self.away)
        self.hired += 1
        return ThreadPoolExecutor(self.size)

    def look(self) -> None:
        """core.pool.Crew."""

    def meant(self, error: BaseException) -> BaseException:
        """core.pool.Crew."""
        return WorkerLost("died") if isinstance(error, BrokenExecutor | CancelledError) else error

    def dismiss(self, executor: Executor) -> None:
        """core.pool.Crew."""
        executor.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True)
class Doing:
    """What is done with each task, and what was asked for; by session, what goes wrong first."""

    work: Callable[[Task], Done | Refused]
    faults: dict[TradingDay, list[Refused | Exception]] = field(default_factory=dict)
    asked: list[TradingDay] = field(default_factory=list)

    def __call__(self, task: Task) -> Done | Refused:
        self.asked.append(task.day)
        if waiting := self.faults.get(task.day):
            fault = waiting.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        done: Done | Refused = self.work(task)
        return done


def refused(kind: str, verdict: Verdict) -> Refused:
    return Refused(kind, f"seen: {verdict}", verdict)


AWAY = refused("SourceUnavailable", Verdict.UNREACHABLE)


@dataclass(slots=True)
class There:
    """The application, and a hand on who works for it."""

    app: App
    doing: Doing

    async def ended(self) -> str:
        """The card, once nothing is under way any more."""
        for _ in range(600):
            lead = await told(self.app, "/backfill")
            if "under way" not in lead:
                return lead.split(maxsplit=1)[1]
            await asyncio.sleep(0.02)
        raise AssertionError(lead)

    async def units(self) -> dict[str, str]:
        """Where each session stands."""
        rows = await self.app.db.rows("SELECT session, state FROM job_sessions ORDER BY session")
        return {row["session"]: row["state"] for row in rows}


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@asynccontextmanager
async def at(
    folder: Path,
    *,
    running: bool = True,
    size: int = 1,
    now: Callable[[], datetime] = lambda: NOW,
    measured: int = 1,
) -> AsyncIterator[There]:
    """The application over it, whose backfills are worked off beside it.

    `measured`: of so many sessions the numbers are made afterwards.
    """
    settings = await asyncio.to_thread(load, data_dir=folder)
    async with opened(settings, now=now) as app:
        runner = app.backfilling.runner
        doing = Doing(runner.pool.do)
        runner.pool, runner.rest_s = Pool(Threads(size), doing), 0.05
        assert isinstance(runner.after, Aftermath)
        runner.after = replace(runner.after, measured=measured)
        task = asyncio.create_task(runner.run()) if running else None
        yield There(app, doing)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[There]:
    async with at(folder) as it:
        yield it


async def test_a_span_is_planned_read_and_told(there: There) -> None:
    app = there.app
    assert "Nothing is being read" in await told(app, "/backfill")
    plan = (await ask(app, f"/backfill plan {SPAN}")).message
    assert plan.lead == f"5 sessions from {WEEK[0]} to {WEEK[-1]}: 5 sessions to read (missing)."
    assert dict(plan.facts) == {
        "stored": "0",
        "missing": "5",
        "failed before": "0",
        "asked in turn": "built-in sample market",
        "served by": "built-in sample market: all of it",
        "requests": "5",
        "download": "unknown",
        "time": "not known before the first sessions were read on this machine",
        "the plan serves": "2003-09-10 and later",
    }
    assert [action.command for action in plan.actions] == [f"backfill run {SPAN}"]
    assert "0 of 5 sessions: under way" in await told(app, f"/backfill run {SPAN}")
    assert "one backfill at a time" in await told(app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    # The newest first: that is what the next judgement needs.
    assert there.doing.asked == list(reversed(WEEK))
    again = await told(app, f"/backfill plan {SPAN}")
    assert again.endswith("nothing to read (missing).")
    assert "nothing to read" in await told(app, f"/backfill run {SPAN}")
    assert await app.db.rows("SELECT 1 FROM deliveries WHERE session <= ?", (str(WEEK[-1]),)) == []
    entries = await app.ladder.entries(WEEK)
    assert {(e.status, e.revision, e.announced) for e in entries.values()} == {
        (Status.FINISHED, 1, False)
    }


async def test_it_is_paused_resumed_and_cancelled(there: There) -> None:
    app = there.app
    assert "Nothing is being read" in await told(app, "/backfill cancel")
    async with app.turn():
        await told(app, f"/backfill run {SPAN}")
        await until_asked(there, 1)
        assert "paused; 1 session under way ends first" in await told(app, "/backfill pause")
        assert "nothing to pause" in await told(app, "/backfill pause")
    assert "1 of 5 sessions: paused" in await there.ended()
    assert await told(app, "/backfill resume")
    assert await there.ended() == "5 of 5 sessions: done."
    assert "nothing to cancel: the backfill of" in await told(app, "/backfill cancel")
    await told(app, f"/backfill run {SPAN} all")
    assert "cancelled" in await told(app, "/backfill stop")
    assert "cancelled" in await there.ended()
    staged = there.app.settings.data_dir / "staged"
    assert await asyncio.to_thread(lambda: list(staged.glob("*/*"))) == []


async def until_asked(there: There, count: int) -> None:
    for _ in range(500):
        if len(there.doing.asked) >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(there.doing.asked)


async def test_nothing_is_begun_while_the_newest_session_comes_in(there: There) -> None:
    app = there.app
    app.backfilling.runner.free.clear()
    await told(app, f"/backfill run {SPAN}")
    await asyncio.sleep(0.2)
    assert there.doing.asked == []
    app.backfilling.runner.free.set()
    assert await there.ended() == "5 of 5 sessions: done."


async def test_what_failed_is_counted_by_cause_and_read_once_more(there: There) -> None:
    app, faults = there.app, there.doing.faults
    faults[WEEK[0]] = [refused("NotPublished", Verdict.NOT_PUBLISHED_YET)]
    faults[WEEK[2]] = [refused("BadBars", Verdict.VENDOR_FAULT)]
    await told(app, f"/backfill run {SPAN} oldest-first")
    said = await there.ended()
    assert said == "5 of 5 sessions, 1 not published, 1 failed: done."
    assert there.doing.asked == list(WEEK)
    failed = (await ask(app, "/backfill failed")).message
    assert failed.lead == (
        "2 sessions: 1 failed (1 unusable file), 1 not published (1 not published yet)."
    )
    assert "seen: vendor fault" in failed.rows[0].details[0]
    assert await told(app, "/backfill retry")
    assert await there.ended() == "5 of 5 sessions: done."
    assert "nothing failed" in await told(app, "/backfill retry")


async def test_a_source_that_is_away_and_a_worker_that_dies_cost_a_retry(there: There) -> None:
    faults = there.doing.faults
    faults[WEEK[4]] = [AWAY, AWAY, AWAY]
    faults[WEEK[1]] = [BrokenExecutor("killed")]
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert there.doing.asked.count(WEEK[4]) == 4
    assert there.doing.asked.count(WEEK[1]) == 2
    crew = there.app.backfilling.runner.pool.crew
    assert isinstance(crew, Threads)
    assert crew.hired == 1, "the others go on"


async def test_a_source_that_is_away_for_long_costs_no_session_its_tries(there: There) -> None:
    there.app.backfilling.runner.rest_s, work = 0.001, there.doing.work
    asked = list[Task]()

    def away(task: Task) -> Done | Refused:
        asked.append(task)
        return AWAY if len(asked) <= 30 else work(task)

    there.doing.work = away
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert len(asked) == 35


async def test_one_session_that_a_source_never_gives_fails_and_holds_up_nobody(
    there: There,
) -> None:
    there.app.backfilling.runner.rest_s = 0.001
    there.doing.faults[WEEK[4]] = [AWAY] * 50
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions, 1 failed: done."
    # The others came first, though it is the newest.
    assert there.doing.asked[:5] == list(reversed(WEEK))
    assert there.doing.asked.count(WEEK[4]) == 5


async def test_what_is_refused_for_every_session_pauses_it_in_words(there: There) -> None:
    lacking = refused("SourceRefused", Verdict.PLAN_LACKS_DATA_SET)
    there.doing.faults = {day: [lacking] * 10 for day in WEEK}
    await told(there.app, f"/backfill run {SPAN}")
    assert "paused" in await there.ended()
    card = (await ask(there.app, "/backfill")).message
    assert "plan lacks this data set" in card.banners[0]
    assert [a.label for a in card.actions][:2] == ["Resume", "Cancel"]
    # It was no session's fault: each waits, and has used up no try.
    assert set((await there.units()).values()) == {Unit.WAITING}
    for _ in range(6):
        await told(there.app, "/backfill resume")
        assert "paused" in await there.ended()
    there.doing.faults.clear()
    await told(there.app, "/backfill resume")
    assert await there.ended() == "5 of 5 sessions: done."


async def test_one_refusal_of_every_session_may_be_a_mistake_of_a_moment(there: There) -> None:
    lacking = refused("SourceRefused", Verdict.PLAN_LACKS_DATA_SET)
    there.doing.faults = {WEEK[4]: [lacking], WEEK[2]: [lacking]}
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert there.doing.asked.count(WEEK[4]) == there.doing.asked.count(WEEK[2]) == 2


async def test_what_another_process_has_begun_is_gone_on_with(there: There) -> None:
    """A shell that asks beside a running service: the tables are all that they share."""
    runner = there.app.backfilling.runner
    runner.look_s = 0.02
    runner.wake()
    await asyncio.sleep(0.1)
    elsewhere = Jobs(there.app.db, there.app.now)
    series = there.app.ladder.top.series.key
    await elsewhere.begin(
        series, dict.fromkeys(WEEK, 0), Policy.MISSING, who="console:@terminal",
        place="console:terminal",
        span=(WEEK[0].date, WEEK[-1].date),
    )  # fmt: skip
    assert await there.ended() == "5 of 5 sessions: done."


@dataclass(frozen=True)
class Anothers(Folder):
    """What workers put there is their own."""

    def paths(self, names: Sequence[str]) -> list[Path]:
        """As Polars says it."""
        raise PermissionError(f"Permission denied (os error 13): {self.root / names[0]}")

    def put(self, name: str, whole: bytes) -> None:
        """Nor may others write there."""
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.root / name))


async def test_workers_of_another_user_pause_it_in_words(there: There, folder: Path) -> None:
    runner = there.app.backfilling.runner
    own, user = runner.staged, pwd.getpwuid(os.geteuid()).pw_name
    runner.staged = Staged(Anothers(folder))
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "0 of 5 sessions: paused."
    (said,) = (await ask(there.app, "/backfill")).message.banners
    assert re.search(r"read by another user alone \(Permission denied .*/staged/.*parquet\)", said)
    assert said.endswith(f": workers are to run as the user that the bot runs as, {user}")
    runner.staged = own
    await told(there.app, "/backfill resume")
    assert await there.ended() == "5 of 5 sessions: done."


@pytest.mark.parametrize("place", [None, "/own"])
async def test_a_worker_that_may_not_write_there_says_so(
    there: There, tmp_path: Path, place: str | None
) -> None:
    """A cluster's is of no use; of this machine's own the folder may be mended meanwhile."""
    (source,), now = there.app.ladder.top.chain.sources, there.app.now()
    task = Task(source.name, source.series.key, WEEK[0], bundled(), now, place=place)
    done = await fetched(source, task, Staged(Anothers(tmp_path)))
    assert isinstance(done, Refused)
    assert isinstance(done.error(), WorkerUnfit if place is None else BarsAway)
    assert str(tmp_path) in done.seen


async def test_files_that_are_not_there_pause_it_in_words(there: There, tmp_path: Path) -> None:
    work = there.doing.work
    there.doing.work = lambda task: work(replace(task, place=str(tmp_path / "elsewhere")))
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "0 of 5 sessions: paused."
    (said,) = (await ask(there.app, "/backfill")).message.banners
    assert said.endswith("it is not where the bot looks for it: they do not share DATA_DIR")
    assert set((await there.units()).values()) == {Unit.WAITING}
    there.doing.work = work
    await told(there.app, "/backfill resume")
    assert await there.ended() == "5 of 5 sessions: done."


async def test_nobody_to_work_costs_no_session_a_try_however_long(there: There) -> None:
    sender, runner, work = FakePlatform(), there.app.backfilling.runner, there.doing.work
    there.app.senders["discord"], runner.rest_s = sender, 0.001
    crew = runner.pool.crew
    assert isinstance(crew, Threads)

    def last(task: Task) -> Refused:
        crew.away, there.doing.work = "they are on holiday", work
        raise CancelledError("all of it is gone")

    there.doing.work = last
    await told(there.app, f"/backfill run {SPAN}")
    for _ in range(1_000):
        if crew.refused >= 20:
            break
        await asyncio.sleep(0.01)
    assert crew.refused >= 20
    (said,) = (await ask(there.app, "/backfill")).message.banners
    assert said == "at rest: they are on holiday; it goes on by itself when that is over"
    crew.away = ""
    assert await there.ended() == "5 of 5 sessions: done."
    rows = await there.app.db.rows("SELECT outcome FROM job_attempts ORDER BY id")
    assert [row["outcome"] for row in rows] == [Unit.WAITING, *(5 * [Unit.STORED])]
    # Its card in the channel says so as long as it is so, and no longer.
    (card,) = sender.at(Destination("discord", "456"))
    first, rests, goes_on, *_ = card.versions
    assert [first.banners, rests.banners, goes_on.banners] == [(), (said,), ()]
    assert "0 of 5 sessions" in goes_on.lead
    assert "under way" in goes_on.lead


@pytest.mark.parametrize("word", ["cancel", "pause"])
async def test_what_is_under_way_is_taken_back_where_it_may_wait_for_others(
    there: There, word: str
) -> None:
    crew, end = there.app.backfilling.runner.pool.crew, threading.Event()
    assert isinstance(crew, Threads)
    crew.lets_end = False

    def work(task: Task) -> Refused:
        end.wait(20)
        return AWAY

    there.doing.work = work
    await told(there.app, f"/backfill run {SPAN}")
    await until_asked(there, 1)
    assert "ends first" not in await told(there.app, f"/backfill {word}")
    for _ in range(500):
        if (await there.units())[str(WEEK[4])] == Unit.WAITING:
            break
        await asyncio.sleep(0.01)
    end.set()
    assert set((await there.units()).values()) == {Unit.WAITING}
    assert there.doing.asked == [WEEK[4]]
    assert await there.app.db.rows("SELECT 1 FROM job_attempts") == []


FULL = refused("BarsAway", Verdict.NO_ACCESS)


async def resting(there: There) -> str:
    """The reason on the card, once there is one."""
    for _ in range(500):
        if said := (await ask(there.app, "/backfill")).message.banners:
            return said[0]
        await asyncio.sleep(0.01)
    raise AssertionError(await there.units())


async def test_a_worker_that_cannot_write_costs_no_session_a_try(there: There) -> None:
    there.doing.faults[WEEK[4]] = [FULL for _ in range(12)]
    there.app.backfilling.runner.rest_s = 0.001
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert there.doing.asked == 12 * [WEEK[4]] + list(reversed(WEEK))
    rows = await there.app.db.rows("SELECT outcome FROM job_attempts")
    assert [row["outcome"] for row in rows] == 5 * [Unit.STORED]


async def test_bars_that_cannot_be_kept_have_it_rest_in_words(there: There) -> None:
    app, runner = there.app, there.app.backfilling.runner
    runner.rest_s = 60
    bars = app.settings.data_dir / "bars"
    away = bars.rename(bars.with_name("away"))
    await asyncio.to_thread(bars.write_bytes, b"no folder")
    await told(app, f"/backfill run {SPAN}")
    assert await resting(there) == (
        "at rest: what comes in cannot be kept (Not a directory); it goes on by itself when that is"
        " over"
    )
    assert set((await there.units()).values()) == {Unit.WAITING}
    bars.unlink()
    away.rename(bars)
    runner.wake()
    assert await there.ended() == "5 of 5 sessions: done."
    assert (await ask(app, "/backfill")).message.banners == ()


async def test_what_nobody_took_is_gone_when_it_is_done(there: There) -> None:
    staged = there.app.settings.data_dir / "staged"
    await asyncio.to_thread(staged.mkdir, exist_ok=True)
    for name in ("all-sample-raw.2026-01-02.m4rk.parquet", "half.partial"):
        await asyncio.to_thread((staged / name).write_bytes, b"of somebody who was killed")
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert await asyncio.to_thread(lambda: list(staged.iterdir())) == []


async def test_it_goes_on_after_a_restart(folder: Path) -> None:
    async with at(folder, running=False) as there:
        await told(there.app, f"/backfill run {SPAN}")
        jobs: Jobs = there.app.backfilling.runner.jobs
        job = await jobs.newest()
        assert job is not None
        assert await jobs.take(job) == WEEK[4]
    async with at(folder) as there:
        assert await there.ended() == "5 of 5 sessions: done."
        rows = await there.app.db.rows(
            "SELECT outcome FROM job_attempts WHERE session = ? ORDER BY id", (str(WEEK[4]),)
        )
        assert [row["outcome"] for row in rows] == ["interrupted", Unit.STORED]


async def test_everything_again_changes_only_what_has_changed(there: There) -> None:
    app = there.app
    await told(app, f"/backfill run {SPAN}")
    await there.ended()
    pipeline = app.ladder.top
    bars = await asyncio.to_thread(pipeline.store.read, pipeline.series, [WEEK[1]])
    await asyncio.to_thread(pipeline.store.write, pipeline.series, WEEK[1], Bars(bars.head(3)), 1)
    await told(app, f"/backfill run {SPAN} all")
    await there.ended()
    rows = await app.db.rows("SELECT session, state FROM job_sessions WHERE job = 2")
    assert {r["session"]: r["state"] for r in rows} == {
        str(day): Unit.STORED if day == WEEK[1] else Unit.SAME for day in WEEK
    }
    entries = await app.ladder.entries(WEEK)
    assert [entries[day.date].revision for day in WEEK] == [1, 2, 1, 1, 1]


async def test_its_card_is_one_message_and_the_summary_another(there: There) -> None:
    app, sender = there.app, FakePlatform()
    app.senders["discord"] = sender
    await told(app, f"/backfill run {SPAN} announce")
    await there.ended()
    for _ in range(200):
        if len(sender.posts) == 2:
            break
        await asyncio.sleep(0.02)
    card, summary = sender.at(Destination("discord", "456"))
    assert "0 of 5 sessions: under way" in card.versions[0].lead
    assert card.versions[-1].lead.endswith("5 of 5 sessions: done.")
    assert summary.letter.message.lead == "Backfilled: 5 of 5 sessions."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/backfill everything", "there is /backfill [plan|run FROM TO]"),
        ("/backfill pausee", "did you mean /backfill pause?"),
        ("/backfill plan", "From when to when? /backfill plan 2026-06-01 2026-11-25"),
        (f"/backfill plan {WEEK[0]}", "From when to when?"),
        (f"/backfill plan {WEEK[-1]} {WEEK[0]}", "FROM comes first"),
        ("/backfill plan yesterday today", "'yesterday' is no date"),
        (f"/backfill run {SPAN} please", "'please' after the span: there is missing"),
        (f"/backfill run {SPAN} series:finra", "these settings read all-sample-raw"),
        ("/backfill stop now", "'now' is one word too many"),
        ("/backfill plan 2030-01-01 2030-02-01", "is in the future"),
    ],
)
async def test_what_is_wrong_is_said(there: There, text: str, said: str) -> None:
    assert said in await told(there.app, text)


@pytest.mark.parametrize("text", [f"/backfill run {SPAN}", "/backfill stop", "/backfill retry"])
async def test_only_operators_begin_and_stop(there: There, text: str) -> None:
    assert "is for operators" in await told(there.app, text, operator=False)
