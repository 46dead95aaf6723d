"""The day loop: asks again soon after an outage, otherwise in its hours; survives a bad round."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import App, opened
from bot.settings import load
from core.backfill import Step
from core.universe import Universe
from tests import market
from tests.fakes import FakeClock
from tests.filled import EVE, Kind, until
from tests.market import NEWEST
from tests.servers.faults import Status as Answered
from tests.servers.vendor import CONDITIONS, TICKERS
from tests.servers.vendor_reference import instrument_row, whole_market
from tests.shared import Shared

DAYS = market.window()
NIGHT = datetime(2026, 3, 7, 4, 0, tzinfo=UTC)  # 23:00 in New York: outside the asking hours


async def rounds(app: App, count: int, patience_s: float) -> list[Step]:
    """The steps of a watch that is rung once more, as soon as there are so many of them."""
    steps: list[Step] = []
    ready = asyncio.Event()
    watch = asyncio.create_task(app.watch(steps.append, ready))
    await ready.wait()
    app.bell.ring()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while len(steps) < count:
                await asyncio.sleep(0.01)
                assert not watch.done()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    return steps


async def test_after_an_outage_it_asks_again_at_the_next_ring_whatever_the_hour(
    shared: Shared, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(until, shared, Kind.FLAT_FILES, DAYS[-7], folder)
    async with market.vendor(tmp_path / "vendor", DAYS, shared=shared) as vendor:
        settings = await vendor.settings(folder, use_flat_files="false")
        vendor.s3.entitled = lambda name: False
        vendor.rest.faults.add(Answered(503), on="grouped", times=9)
        async with opened(settings, now=lambda: NIGHT) as app:
            steps = await rounds(app, 9, patience_s=30)
    assert [step.away for step in steps] == [True] * 3 + [False] * 6
    assert steps[-1].day == NEWEST
    assert steps[-1].error is None


async def test_outside_its_hours_a_ring_without_a_reason_is_ignored(
    shared: Shared, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, folder)
    settings = await asyncio.to_thread(load, data_dir=folder)
    async with opened(settings, now=lambda: NIGHT) as app:
        steps = await rounds(app, 2, patience_s=0.5)
    assert [step.day for step in steps] == [NEWEST]


async def test_a_round_that_fails_in_any_way_is_not_the_last(
    shared: Shared, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, folder)
    settings = await asyncio.to_thread(load, data_dir=folder)

    async def broken(day: object) -> None:
        raise ZeroDivisionError

    async with opened(settings, now=lambda: NIGHT) as app:
        source = app.ladder.top.chain.sources[0]
        source.bars = broken  # type: ignore[method-assign, assignment]
        ready = asyncio.Event()
        watch = asyncio.create_task(app.watch(lambda step: None, ready))
        await ready.wait()
        assert not watch.done()
        del source.bars
        app.bell.ring()
        for _ in range(1000):
            await asyncio.sleep(0.01)
            entry = await app.ladder.top.ledger.entry(market.NEWEST)
            if entry is not None and entry.finished_at is not None:
                break
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    assert "the round failed" in caplog.text
    assert entry is not None


async def test_at_the_deadline_what_is_not_there_is_no_longer_waited_for(
    shared: Shared, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Trades files that nobody publishes: FINRA's volume serves, once it is too late for them."""
    clock = FakeClock(datetime(2026, 3, 7, 17, tzinfo=UTC))
    folder = tmp_path / "data"
    await asyncio.to_thread(until, shared, Kind.FINRA, EVE, folder)
    async with market.vendor(tmp_path / "vendor", DAYS, shared=shared) as vendor:
        settings = await vendor.settings(folder, dark_pool_only="true", use_trades_files="true")
        async with opened(settings, now=clock) as app:
            ready = asyncio.Event()
            watch = asyncio.create_task(app.watch(lambda step: None, ready))
            await ready.wait()
            assert await app.ladder.entry(NEWEST) is None
            clock.at = datetime(2026, 3, 8, 1, 5, tzinfo=UTC)  # 20:05 in New York
            ready.clear()
            app.bell.ring()
            await asyncio.wait_for(ready.wait(), 30)
            entry = await app.ladder.entry(NEWEST)
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
    assert entry is not None
    assert (entry.source, entry.announced) == ("FINRA daily file", True)
    assert "the deadline has passed without this session" in caplog.text


async def test_what_each_ticker_is_is_asked_for_once_a_week_on_every_plan(tmp_path: Path) -> None:
    listed = whole_market(instrument_row("SPY", "ETF"), instrument_row("AAp", "PFD"))
    clock = FakeClock(NIGHT)
    async with market.vendor(tmp_path / "vendor", market.window(count=1)) as vendor:
        vendor.rest.instruments = listed
        settings = await vendor.settings(tmp_path / "data", use_flat_files="false")
        for _ in range(2):
            async with opened(settings, now=clock) as app:
                await app.refresh()
                types = await Universe(app.db).types()
    assert not settings.use_trades_files
    assert (types["SPY"], types["AAp"]) == ("ETF", "PFD")
    assert [r.path for r in vendor.rest.requests] == [TICKERS] * 2


async def test_a_plan_without_the_list_of_tickers_goes_on_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with market.vendor(tmp_path / "vendor", market.window(count=1)) as vendor:
        vendor.rest.refuses = {"tickers"}
        settings = await vendor.settings(tmp_path / "data", use_trades_files="true")
        async with opened(settings, now=lambda: NIGHT) as app:
            await app.refresh()
            assert await Universe(app.db).types() == {}
    assert CONDITIONS in [r.path for r in vendor.rest.requests]
    assert [r for r in caplog.records if "tickers is not fetched" in r.message]
    assert market.API_KEY not in caplog.text


async def test_without_a_key_nobody_is_asked_what_a_ticker_is(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(load, data_dir=tmp_path)
    async with opened(settings, now=lambda: NIGHT) as app:
        await app.refresh()
        assert not await app.census.is_due()
        assert await Universe(app.db).types() == {}
