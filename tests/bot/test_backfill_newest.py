"""A backfill that reads the newest session does not take it away from the channels."""

import asyncio
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from alerts.model import TERMINAL
from core.bars import Bars
from core.calendar import TradingDay
from core.ledger import Status
from core.pipeline import Pipeline
from tests.bot.small_market import ask
from tests.bot.test_backfilling import There, at
from tests.chat import FakePlatform
from tests.filled import EVE, Kind, until
from tests.market import NEWEST, compiled_once, window
from tests.shared import Shared


async def digests(there: There) -> list[str]:
    rows = await there.app.db.rows(
        "SELECT session FROM deliveries WHERE kind = 'digest' ORDER BY 1"
    )
    return [row["session"] for row in rows]


async def status(there: There) -> Status:
    entry = await there.app.ladder.entry(NEWEST)
    assert entry is not None
    return entry.status


async def test_what_the_nightly_run_owes_is_stored_and_then_said(
    shared: Shared, tmp_path: Path
) -> None:
    eve = window()[-2]
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, eve, tmp_path / "data")
    async with at(folder) as there:
        had = await digests(there)
        assert str(NEWEST) not in had
        assert (await ask(there.app, f"/backfill run {eve} {NEWEST}")).ok
        await there.ended()
        assert await status(there) is Status.STORED
        assert await digests(there) == had, "a backfill says nothing"

        await there.app.sweep(lambda step: None)
        assert await status(there) is Status.FINISHED
        assert await digests(there) == [*had, str(NEWEST)]

        assert (await ask(there.app, f"/backfill run {NEWEST} {NEWEST} all")).ok
        await there.ended()
        await there.app.sweep(lambda step: None)
        assert await digests(there) == [*had, str(NEWEST)], "once"


async def test_a_backfill_gives_way_as_long_as_a_sweep_brings_the_newest_in(
    shared: Shared, tmp_path: Path
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, window()[-2], tmp_path / "data")
    async with at(folder, running=False) as there:
        free, seen = there.app.backfilling.runner.free, list[bool]()
        await there.app.sweep(lambda step: seen.append(free.is_set()))
        assert seen
        assert not any(seen)
        assert free.is_set()

        def fails(step: object) -> None:
            raise ValueError("a round met it")

        async with there.app.db.transaction() as writer:
            await writer.execute("DELETE FROM sessions WHERE session = ?", (str(NEWEST),))
        with pytest.raises(ValueError, match="met it"):
            await there.app.sweep(fails)
        assert free.is_set(), "whatever a round meets"


async def test_with_no_history_only_the_newest_is_owed(tmp_path: Path) -> None:
    first = window()[-4]
    await asyncio.to_thread(compiled_once, tmp_path)
    async with at(tmp_path) as there:
        assert (await ask(there.app, f"/backfill run {first} {NEWEST}")).ok
        await there.ended()
        entries = await there.app.ladder.entries(window()[-4:])
        found = [entries[day.date].status for day in window()[-4:]]
        assert found == [*[Status.FINISHED] * 3, Status.STORED]


async def louder(pipeline: Pipeline, day: TradingDay) -> str:
    """The session as it may come at first: with thirty times the volume of the busiest ticker."""
    served = await pipeline.fetched(day)
    busiest = str(served.bars.sort(pl.col("volume") * pl.col("close"))["ticker"][-1])
    more = pl.when(ticker=busiest).then(30).otherwise(1)
    volume = (pl.col("volume") * more).cast(served.bars["volume"].dtype)
    await pipeline.take(day, replace(served, bars=Bars(served.bars.with_columns(volume))))
    return busiest


async def test_what_reading_all_again_finds_changed_is_corrected_as_a_republished_file_is(
    shared: Shared, tmp_path: Path
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as there:
        app, top = there.app, there.app.ladder.top
        app.senders[TERMINAL.platform] = FakePlatform()
        name = await louder(top, NEWEST)
        await app.sweep(lambda step: None)
        await app.courier.drain()
        assert name in {a.ticker for a in (await app.commands.digests.report(NEWEST)).pushed}

        courier = asyncio.create_task(app.courier.run())
        await ask(app, f"/backfill run {EVE} {NEWEST} all")
        await there.ended()
        assert await status(there) is Status.FINISHED
        for _ in range(500):
            rows = await app.db.rows(
                "SELECT kind, state FROM deliveries WHERE session = ? AND revision = 2 ORDER BY id",
                (str(NEWEST),),
            )
            if {row["state"] for row in rows} == {"sent"}:
                break
            await asyncio.sleep(0.01)
        assert [tuple(row) for row in rows][:2] == [("edit", "sent"), ("correction", "sent")]
        courier.cancel()
        said = await app.commands.digests.report(NEWEST)
        assert name not in {a.ticker for a in said.pushed}
        assert await digests(there) == [str(NEWEST)], "the eve is history"
