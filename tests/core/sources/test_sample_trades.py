"""The built-in market's trades, counted beside this process: the same as counted in it."""

import asyncio
import io
from datetime import date

import pytest
from polars.testing import assert_frame_equal

from core.bars import Family, Scope, Series
from core.calendar import TradingDay, sessions
from core.conditions import bundled
from core.sources import Served
from core.sources.sample import SampleTradesSource
from core.sources.sample_job import SampleJob, packed, unpacked
from core.sources.sample_market import SampleMarket
from core.sources.tape_served import both_scopes
from core.tape import read_tape
from tests.core.sources.test_errand import gone_within
from tests.core.sources.test_trades import children

# The second of them is a half day, and a weekend follows.
DAYS = sessions(date(2025, 11, 26), date(2025, 12, 3))


def assert_counted(served: Served, day: TradingDay) -> None:
    """Both scopes, as read in this process."""
    tape = read_tape(io.BytesIO(SampleMarket().trades(day)), day, bundled())
    wanted = both_scopes(tape, day)
    assert_frame_equal(served.bars, wanted[Scope.OFF_EXCHANGE], check_exact=True)
    ((series, bars),) = served.also
    assert series == Series(Scope.ALL, Family.SAMPLE)
    assert_frame_equal(bars, wanted[Scope.ALL], check_exact=True)
    assert served.source == "built-in sample market"
    assert (served.version, served.notes) == (None, ())
    assert served.detail


async def test_sessions_one_after_another_come_in_advance() -> None:
    source = SampleTradesSource(SampleMarket(), bundled(), ahead=1)
    assert source.series == Series(Scope.OFF_EXCHANGE, Family.SAMPLE)
    first, second = [await source.bars(day) for day in DAYS[:2]]
    await asyncio.to_thread(assert_counted, second, DAYS[1])
    for day, served in zip(DAYS, (first, second), strict=False):
        assert served.bars["session"].unique().to_list() == [day.date]
    assert await source.version(DAYS[0]) is None
    assert await asyncio.to_thread(children) == []


async def test_cancelled_it_leaves_no_process() -> None:
    source = SampleTradesSource(SampleMarket(), bundled())
    await source.bars(DAYS[0])
    task = asyncio.create_task(source.bars(DAYS[1]))
    await asyncio.sleep(0.5)
    running = await asyncio.to_thread(children)
    assert running
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
    assert await asyncio.to_thread(gone_within, 0, *running)


def test_the_errand_arrives_as_it_was_sent() -> None:
    job = SampleJob(7, tuple(DAYS), bundled())
    assert SampleJob.from_line(job.line()) == job


def test_parts_are_packed_and_unpacked() -> None:
    parts = [b"", b"one", b"x" * 100_000]
    assert list(unpacked(packed(parts))) == parts
