"""Sessions of a backfill that the gate holds, beside each other: how often each is asked for."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from bot.attempts import MOST_TRIES
from core.bars import Bars, Series
from core.calendar import TradingDay, sessions_ending
from core.elsewhere import Receipt, Refused, Task, WorkerLost, fetched
from core.errors import Verdict
from core.jobs import Outcome, Unit
from core.neighbours import came_in
from core.turn import Turn
from tests.bot.small_market import told
from tests.bot.test_backfilling import AWAY, There, at, refused
from tests.fakes import FakeSource
from tests.filled import EVE, Kind, until
from tests.shared import Shared

DAYS = sessions_ending(EVE, 200)[:45]
"""Older than all that is stored."""
ABSENT = refused("NotPublished", Verdict.NOT_PUBLISHED_YET)


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


async def given(
    there: There,
    halves: Collection[TradingDay],
    absent: Collection[TradingDay] = (),
    wrong: Collection[TradingDay] = (),
) -> None:
    """Sessions with the eve's rows, some with half of them, some that nobody has, or with prices
    that cannot be true."""
    top, staged = there.app.ladder.top, there.app.backfilling.runner.staged
    eve = await asyncio.to_thread(top.store.read, top.series, [EVE])

    def work(task: Task) -> Receipt | Refused:
        if task.day in absent:
            return ABSENT
        rows = eve.head(len(eve) // 2) if task.day in halves else eve
        # Else it would be the same file again.
        volume = pl.col("volume") + task.day.date.toordinal() % 97
        if task.day in wrong:
            rows = rows.with_columns(high=pl.col("low") / 2)
        bars = Bars(rows.with_columns(volume, session=pl.lit(task.day.date)))
        series = Series.of_key(task.series)
        source = FakeSource(task.source, {task.day.date: bars}, series=series)
        return asyncio.run(fetched(source, task, staged))

    there.doing.work = work


async def read(there: There, first: TradingDay, last: TradingDay) -> Counter[TradingDay]:
    """How often each session of the span was asked for."""
    there.doing.asked.clear()
    await told(there.app, f"/backfill run {first} {last}")
    assert (await there.ended()).endswith("done.")
    return Counter(there.doing.asked)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("many", [2, 6])
async def test_those_that_are_held_beside_each_other_do_not_wait_for_each_other(
    folder: Path, many: int, size: int
) -> None:
    async with at(folder, size=size) as there:
        held = DAYS[10 : 10 + many]
        await given(there, held)
        asked = await read(there, DAYS[7], DAYS[10 + many + 8])
        units = await there.units()
        assert {on for on, unit in units.items() if unit == Unit.HELD} == set(map(str, held))
        assert {on for on, many in asked.items() if many != 1} == set(held)
        # Beside the second worker's last session, which may tell otherwise, once more.
        assert {asked[day] for day in held} <= {2, 1 + size}


async def test_the_last_of_a_span_are_held_at_once(folder: Path) -> None:
    async with at(folder) as there:
        await given(there, DAYS[10:12])
        await read(there, DAYS[12], DAYS[18])
        assert await read(there, DAYS[10], DAYS[11]) == {DAYS[11]: 2, DAYS[10]: 1}


async def test_what_is_usual_by_others_that_were_held_comes_in(folder: Path) -> None:
    """From a day on there are twice as many rows; older ones are there behind a gap alone."""
    async with at(folder) as there:
        await given(there, DAYS[:40], absent=[DAYS[20]])
        await read(there, DAYS[40], DAYS[44])
        asked = await read(there, DAYS[18], DAYS[39])
        units = await there.units()
        assert units.pop(str(DAYS[20])) == Unit.ABSENT
        assert set(units.values()) == {Unit.STORED}
        # The newest one has five like it only when the one before it is in.
        assert asked.pop(DAYS[39]) == 3
        assert {asked[day] for day in DAYS[24:39]} == {2}
        assert {asked[day] for day in DAYS[18:24]} == {1}


A, B = DAYS[38], DAYS[39]
"""B has five like it only when A is in: A has them in the five that are oldest."""


async def two_beside(there: There) -> None:
    """From B on backwards, half the rows; between A and the oldest ones there is nothing."""
    await given(there, DAYS[:40], absent=[DAYS[20], *DAYS[24:38]])
    await read(there, DAYS[40], DAYS[44])


@pytest.mark.parametrize("fault", [AWAY, WorkerLost("died"), RuntimeError("unforeseen")])
async def test_what_was_held_and_met_something_else_since_is_seen_to_come_in(
    folder: Path, fault: Refused | Exception
) -> None:
    async with at(folder) as there:
        await two_beside(there)
        work = there.doing.work

        def then_fails(task: Task) -> Receipt | Refused:
            if there.doing.asked.count(A) == 1:
                there.doing.faults[A] = [fault]
            return work(task)

        there.doing.work = then_fails
        asked = await read(there, DAYS[18], B)
        units = await there.units()
        assert (units[str(A)], units[str(B)]) == (Unit.STORED, Unit.STORED)
        assert (asked[A], asked[B]) == (3, 3)


async def test_what_waits_once_more_is_asked_for_when_others_were_that_may_come_in_beside_it(
    folder: Path,
) -> None:
    """Else it has had its tries when the last of those comes in that it needs."""
    async with at(folder) as there:
        present = {*DAYS[15:20], *DAYS[30:40:2], B}
        await given(there, DAYS[:40], absent=set(DAYS[:40]) - present)
        await read(there, DAYS[40], DAYS[44])
        asked = await read(there, DAYS[15], B)
        units = await there.units()
        assert {units[str(day)] for day in present} == {Unit.STORED}
        assert max(asked.values()) == 4


async def test_what_cannot_be_true_is_not_asked_for_again_beside_one_whose_source_was_away(
    folder: Path,
) -> None:
    async with at(folder) as there:
        await given(there, [], wrong=[DAYS[39]])
        there.doing.faults = {DAYS[38]: [AWAY]}
        assert await read(there, DAYS[37], DAYS[40]) == {
            DAYS[40]: 1, DAYS[39]: 1, DAYS[38]: 2, DAYS[37]: 1
        }  # fmt: skip
        assert (await there.units())[str(DAYS[39])] == Unit.HELD


@dataclass(slots=True)
class LateTurn(Turn):
    """Whoever is the first to ask for it has it when all others have ended."""

    there: There | None = None
    is_asked_for: threading.Event = field(default_factory=threading.Event)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """core.turn.Turn."""
        assert self.there is not None
        if not self.is_asked_for.is_set():
            self.is_asked_for.set()
            for _ in range(600):
                if list((await self.there.units()).values()).count(Unit.RUNNING) == 1:
                    break
                await asyncio.sleep(0.02)
        async with super(LateTurn, self).__call__():
            yield


async def test_what_comes_in_between_the_gates_word_and_the_end_is_seen(folder: Path) -> None:
    async with at(folder, size=2) as there:
        await two_beside(there)
        await read(there, DAYS[18], DAYS[23])
        late = there.app.backfilling.runner.turn = LateTurn(there=there)
        work = there.doing.work

        def after_its_word(task: Task) -> Receipt | Refused:
            if task.day == A:
                assert late.is_asked_for.wait(20)
            return work(task)

        there.doing.work = after_its_word
        assert await read(there, A, B) == {A: 1, B: 2}
        units = await there.units()
        assert (units[str(A)], units[str(B)]) == (Unit.STORED, Unit.STORED)


async def test_a_retry_of_what_was_cancelled_keeps_what_waits_once_more(folder: Path) -> None:
    async with at(folder, running=False) as there:
        jobs, days = there.app.backfilling.runner.jobs, DAYS[10:15]
        await told(there.app, f"/backfill run {days[0]} {days[-1]}")
        job = await jobs.newest()
        assert job is not None
        unusual = ("vendor fault", "vendor fault (2 rows)")
        for unit in (Unit.HELD, Unit.WAITING, Unit.FAILED):
            day = await jobs.take(job)
            assert day is not None
            await jobs.put(job, day, Outcome(unit, 1.0, *unusual))
        assert (await there.units())[str(days[4])] == Unit.HELD
        await came_in(jobs, job, days[3], MOST_TRIES)
        assert (await there.units())[str(days[4])] == Unit.WAITING
        await told(there.app, "/backfill cancel")
        await told(there.app, "/backfill retry")
        assert await there.units() == dict.fromkeys(map(str, days[2:]), Unit.WAITING)
        causes = await there.app.db.rows("SELECT DISTINCT cause FROM job_sessions")
        assert [row["cause"] for row in causes] == [None], "nobody has said anything of them yet"
