"""The first thing that a service shows where nothing could be had yet."""

import asyncio
import os
import re
import sys
from pathlib import Path

from bot.app import opened
from bot.first_run import _PARTS, first_words
from bot.platforms.console import render
from tests import market
from tests.bot.small_market import at
from tests.market import NOW
from tests.shared import Shared

WRONG = {"POLYGON_API_KEY": "another-key", "FLATFILES_ACCESS_KEY_ID": "another-id"}


async def test_a_wrong_key_is_the_first_thing_that_is_said(shared: Shared, tmp_path: Path) -> None:
    days = market.window()[-3:]
    async with market.vendor(tmp_path / "vendor", days, shared=shared) as vendor:
        wrong = await vendor.settings(
            tmp_path / "data", POLYGON_API_KEY="another-key", flatfiles_access_key_id="another-id"
        )
        async with opened(wrong, now=lambda: NOW) as app:
            await app.sweep(lambda step: None)
            said = " ".join(render(await first_words(app), 100).split())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run"),
                env={**os.environ, **vendor.environment(tmp_path / "data"), **WRONG},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdout is not None
            async with asyncio.timeout(50):
                first = await process.stdout.readline()
            process.terminate()
            await process.communicate()
            assert first == b"No data yet\n"
            named = {source.name for rung in app.ladder.rungs for source in rung.chain.sources}
    assert "Nothing is stored yet. What the sources answered:" in said
    assert "REST grouped daily: wrong access key" in said
    assert (
        "next: copy the API key anew from massive.com/dashboard/keys into POLYGON_API_KEY." in said
    )
    assert "flat files (day aggregates): wrong access key" in said
    assert "FLATFILES_ACCESS_KEY_ID." in said
    assert re.search("next try:? every day from 11:00 New York", said)
    assert "another-key" not in said
    assert named <= {*_PARTS}


async def test_where_a_session_is_stored_its_digest_is_shown(folder: Path) -> None:
    async with at(folder) as app:
        assert "EOD anomalies" in render(await first_words(app), 100)
