"""A backfill whose sessions two sources have: whose bars come in when the first has trouble."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.attempts import MOST_TRIES
from bot.patience import Patience
from core.bars import Series
from core.calendar import TradingDay, sessions_ending
from core.elsewhere import Receipt, Refused, Task
from core.errors import SourceUnavailable, Verdict
from core.sources import Chain, Served
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import AWAY, SPAN, WEEK, There, at, refused, until_asked
from tests.filled import EVE, Kind, until
from tests.shared import Shared

OTHER = "the other one"


@dataclass(frozen=True, slots=True)
class Second:
    """It has the same sessions, by another name; asked elsewhere alone."""

    series: Series
    name: str = OTHER

    async def bars(self, day: TradingDay) -> Served:
        raise SourceUnavailable("nobody asks here")

    async def version(self, day: TradingDay) -> str | None:
        return None


@pytest.fixture
async def there(shared: Shared, tmp_path: Path) -> AsyncIterator[There]:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as it:
        top, work = it.app.ladder.top, it.doing.work
        (first,) = top.chain.sources
        it.app.ladder.rungs = [replace(top, chain=Chain([first, Second(first.series)]))]

        def either(task: Task) -> Receipt | Refused:
            done = work(replace(task, source=first.name))
            return replace(done, source=task.source) if isinstance(done, Receipt) else done

        it.doing.work = either
        it.app.backfilling.runner.rest_s = 0.001
        yield it


async def sources(there: There) -> list[str | None]:
    """Whose bars are stored, oldest session first."""
    entries = await there.app.ladder.entries(WEEK)
    return [entries[day.date].source for day in WEEK]


async def test_a_worker_that_dies_has_no_other_source_asked(there: There) -> None:
    first = there.app.ladder.top.chain.sources[0].name
    there.doing.faults = {day: [BrokenExecutor("killed")] for day in WEEK}
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert await sources(there) == [first] * 5
    rows = await there.app.db.rows("SELECT outcome FROM job_attempts ORDER BY id")
    assert sorted(row["outcome"].split()[-1] for row in rows) == ["stored"] * 5 + ["waiting"] * 5


async def test_workers_that_die_for_long_are_no_reason_to_ask_another_source(there: There) -> None:
    first = there.app.ladder.top.chain.sources[0].name
    deaths = [BrokenExecutor("killed")] * 11
    there.doing.faults = {day: [*deaths, AWAY] for day in WEEK[2:]}
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert await sources(there) == [first] * 5


async def test_a_source_that_is_away_for_a_moment_has_no_other_asked(there: There) -> None:
    first = there.app.ladder.top.chain.sources[0].name
    there.doing.faults = {day: [AWAY, AWAY] for day in WEEK}
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert await sources(there) == [first] * 5


async def test_the_last_try_of_a_session_is_anybodys(there: There) -> None:
    first = there.app.ladder.top.chain.sources[0].name
    there.doing.faults[WEEK[4]] = [AWAY] * MOST_TRIES
    await told(there.app, f"/backfill run {SPAN}")
    assert await there.ended() == "5 of 5 sessions: done."
    assert await sources(there) == [first] * 4 + [OTHER]


async def test_one_that_stays_away_gives_way_for_a_while() -> None:
    patience = Patience(rests=3, again_s=600)
    for _ in range(2):
        patience.rested(0)
    patience.came_in()
    for now_s in (10, 70, 130):
        assert patience.waits
        patience.rested(now_s)
    patience.came_in()
    assert not patience.waits
    assert not patience.is_over(729)
    assert patience.is_over(730)
    assert not patience.is_over(731), "once"
    assert patience.waits
    patience.rested(800)
    assert not patience.waits, "it was away all the time"
    assert patience.is_over(1400)
    patience.came_in()
    for now_s in (1410, 1470):
        patience.rested(now_s)
    assert patience.waits, "it was there meanwhile"


async def test_a_job_is_served_by_the_next_one_while_the_first_stays_away(there: There) -> None:
    work, seen = there.doing.work, threading.Event()
    first = there.app.ladder.top.chain.sources[0].name

    def away(task: Task) -> Receipt | Refused:
        if task.source != OTHER:
            return AWAY
        seen.wait(20)
        return work(task)

    there.doing.work = away
    await told(there.app, f"/backfill run {SPAN}")
    await until_asked(there, 32)
    assert (await ask(there.app, "/backfill")).message.banners == (
        f"meanwhile: {first} stays away, so {OTHER} serves; it is asked again now and then",
    )
    seen.set()
    assert await there.ended() == "5 of 5 sessions: done."
    assert await sources(there) == [OTHER] * 5
    assert len(there.doing.asked) == 30 + 3 + 5, "ten rests, then three tell that it is away"


async def test_what_is_older_than_the_plan_is_marked_so_and_not_asked_for(there: There) -> None:
    work, days = there.doing.work, sessions_ending(EVE, 100)[:14]
    reaches = {OTHER: days[8]}
    outside = refused("SourceRefused", Verdict.DATE_OUTSIDE_PLAN)

    def by_plan(task: Task) -> Receipt | Refused:
        return outside if task.day < reaches.get(task.source, days[12]) else work(task)

    there.doing.work = by_plan
    await told(there.app, f"/backfill run {days[0]} {days[-1]}")
    assert await there.ended() == "14 of 14 sessions, 8 failed: done."
    # Three by the one, of which the other has them; then three by the other.
    asked = [*days[12:], *(2 * days[9:12]), days[8], *days[5:8]]
    assert sorted(there.doing.asked) == sorted(asked)
    failed = (await ask(there.app, "/backfill failed")).message
    assert failed.lead == "8 sessions: 8 failed (8 date outside the plan)."
    assert (
        f"not asked: the plan does not reach so far back, {days[7]} was"
        in failed.rows[-1].details[0]
    )

    # The plan may be another one by now.
    span = f"{days[0]} {days[-1]}"
    assert "nothing to read" in await told(there.app, f"/backfill run {span}")
    for again in ("/backfill retry", f"/backfill run {span} missing+failed"):
        there.doing.asked.clear()
        await told(there.app, again)
        assert await there.ended() == (
            "14 of 14 sessions, 8 failed: done."
            if "retry" in again
            else "8 of 8 sessions, 8 failed: done."
        )
        assert sorted(there.doing.asked) == sorted(2 * days[5:8])
    reaches[OTHER] = days[0]
    await told(there.app, "/backfill retry")
    assert await there.ended() == "8 of 8 sessions: done."
