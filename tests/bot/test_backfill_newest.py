"""A backfill that reads the newest session does not take it away from the channels."""

import asyncio
from pathlib import Path

from core.ledger import Status
from tests.bot.small_market import ask
from tests.bot.test_backfilling import There, at
from tests.filled import Kind, until
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


async def test_with_no_history_only_the_newest_is_owed(tmp_path: Path) -> None:
    first = window()[-4]
    await asyncio.to_thread(compiled_once, tmp_path)
    async with at(tmp_path) as there:
        assert (await ask(there.app, f"/backfill run {first} {NEWEST}")).ok
        await there.ended()
        entries = await there.app.ladder.entries(window()[-4:])
        found = [entries[day.date].status for day in window()[-4:]]
        assert found == [*[Status.FINISHED] * 3, Status.STORED]
