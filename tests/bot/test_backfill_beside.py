"""Two series for one session: what a backfill finds changed of the prices beside the volumes."""

import asyncio
from pathlib import Path

import pytest

from bot.app import opened
from bot.attempts import Attempts
from core.bars import Bars
from core.jobs import Policy
from core.ledger import Status
from tests import market
from tests.filled import EVE, Kind, until
from tests.market import NEWEST, NOW
from tests.shared import Shared


@pytest.mark.parametrize("rung", [0, 1], ids=["with the volumes", "the prices alone"])
async def test_prices_that_were_others_are_said_of_the_volumes_that_were_told(
    shared: Shared, tmp_path: Path, rung: int
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.FINRA, EVE, tmp_path / "data")
    async with market.vendor(tmp_path / "vendor", market.window(), shared=shared) as vendor:
        settings = await vendor.settings(folder, dark_pool_only="true")
        async with opened(settings, now=lambda: NOW) as app:
            await app.sweep(lambda step: None)
            top, jobs = app.ladder.rungs[0], app.backfilling.runner.jobs
            prices, pipeline = top.beside, app.ladder.rungs[rung]
            assert prices is not None
            rows = await asyncio.to_thread(prices.store.read, prices.series, [NEWEST])
            others = Bars(rows.with_columns(rows["close"] * 1.01))
            await asyncio.to_thread(prices.store.write, prices.series, NEWEST, others, 1)

            job = await jobs.begin(
                pipeline.series.key, {NEWEST: 1}, Policy.ALL, who="console:@terminal",
                place="console:terminal", span=(NEWEST.date, NEWEST.date),
            )  # fmt: skip
            assert await jobs.take(job) == NEWEST
            attempts = Attempts(jobs, app.ladder, app.turn)
            assert await attempts.made(job, pipeline, NEWEST, waits=False) is None
            said = await top.ledger.entry(NEWEST)
            assert said is not None
            assert (said.status, said.announced, said.revision) == (Status.FINISHED, True, 2)
            told = await app.db.rows("SELECT max(revision) FROM digests")
            assert told[0][0] == 2
