"""core.backfill: one session after another, whatever becomes of the one before."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.anomaly import Rule
from core.backfill import Step, backfill
from core.calendar import TradingDay
from core.db import Db
from core.errors import NotPublished, SourceUnavailable
from core.ledger import Ledger, Status
from core.pipeline import Pipeline
from core.sources import Chain, NoneServed
from core.store import Store
from tests.fakes import SERIES, FakeClock, FakePublish, FakeSource, FakeSplits, bars_of
from tests.frames import bars, day, days_before, row
from tests.states import new_state

DAYS = days_before(day("2026-11-20"), 6)
NOW = datetime(2026, 11, 21, 16, 5, tzinfo=UTC)
AWAY = SourceUnavailable("HTTP 503")


@pytest.fixture
def source() -> FakeSource:
    return FakeSource("first", bars_of({d: bars(d, [row("AAPL")]) for d in DAYS}))


@pytest.fixture
def publish() -> FakePublish:
    return FakePublish()


@pytest.fixture
async def pipeline(
    tmp_path: Path, source: FakeSource, publish: FakePublish
) -> AsyncIterator[Pipeline]:
    async with Db.open(await new_state(tmp_path)) as db:
        yield Pipeline(
            db, Store.on_disk(tmp_path), Ledger(db, SERIES), Chain([source]), FakeSplits(), publish,
            Rule(), FakeClock(NOW),
        )  # fmt: skip


async def work(
    pipeline: Pipeline, days: Sequence[TradingDay], announce: Sequence[TradingDay] = ()
) -> list[Step]:
    return [step async for step in backfill(pipeline, days, announce)]


async def test_sessions_are_worked_through_in_the_order_given(
    pipeline: Pipeline, source: FakeSource
) -> None:
    backwards = DAYS[::-1]

    steps = await work(pipeline, backwards)

    assert source.asked == [d.date for d in backwards]
    assert [(s.day, s.done, s.total) for s in steps] == [
        (d, n, 6) for n, d in enumerate(backwards, 1)
    ]
    assert all(s.error is None for s in steps)
    assert all(s.entry is not None and s.entry.status is Status.FINISHED for s in steps)


async def test_only_the_sessions_named_are_announced(
    pipeline: Pipeline, publish: FakePublish
) -> None:
    steps = await work(pipeline, DAYS, DAYS[-2:])

    assert [j.session for j in publish.judged] == [d.date for d in DAYS[-2:]]
    assert [s.entry is not None and s.entry.announced for s in steps] == 4 * [False] + 2 * [True]


async def test_a_failed_session_does_not_stop_the_others(
    pipeline: Pipeline, source: FakeSource
) -> None:
    source.days[DAYS[1].date] = AWAY
    source.days[DAYS[3].date] = NotPublished("no file")

    steps = await work(pipeline, DAYS)

    assert [n for n, s in enumerate(steps) if s.error] == [1, 3]
    assert all((s.entry is None) == (s.error is not None) for s in steps)
    assert isinstance(steps[1].error, NoneServed)


async def test_three_sessions_in_a_row_that_are_away_end_the_round(
    pipeline: Pipeline, source: FakeSource
) -> None:
    for d in DAYS[1:4]:
        source.days[d.date] = AWAY

    steps = await work(pipeline, DAYS)

    assert [s.day for s in steps] == DAYS[:4]
    assert source.asked == [d.date for d in DAYS[:4]]


async def test_two_away_with_one_served_between_do_not(
    pipeline: Pipeline, source: FakeSource
) -> None:
    for n in (0, 1, 3, 4):
        source.days[DAYS[n].date] = AWAY

    assert len(await work(pipeline, DAYS)) == 6


async def test_sessions_that_are_not_published_do_not_end_the_round(
    pipeline: Pipeline, source: FakeSource
) -> None:
    source.days.clear()

    assert len(await work(pipeline, DAYS)) == 6


async def test_no_session_is_no_step(pipeline: Pipeline) -> None:
    assert await work(pipeline, []) == []
