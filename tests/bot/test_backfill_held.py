"""Sessions of a backfill that the gate holds, beside each other: how often each is asked for."""

import asyncio
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import polars as pl
import pytest

from core.bars import Bars, Series
from core.calendar import TradingDay, sessions_ending
from core.elsewhere import Receipt, Refused, Task, fetched
from core.errors import Verdict
from core.jobs import Unit
from tests.bot.small_market import told
from tests.bot.test_backfilling import There, at, refused
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
    there: There, halves: Collection[TradingDay], absent: Collection[TradingDay] = ()
) -> None:
    """Sessions with the eve's rows, some with half of them, some that nobody has."""
    top, staged = there.app.ladder.top, there.app.backfilling.runner.staged
    eve = await asyncio.to_thread(top.store.read, top.series, [EVE])

    def work(task: Task) -> Receipt | Refused:
        if task.day in absent:
            return ABSENT
        rows = eve.head(len(eve) // 2) if task.day in halves else eve
        # Else it would be the same file again.
        volume = pl.col("volume") + task.day.date.toordinal() % 97
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
