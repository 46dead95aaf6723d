"""Days without a digest: a held one says why in every channel, a late one is told to operators."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot import once
from bot.app import App, opened
from core.calendar import trading_day
from core.errors import SourceError
from core.sources.day_aggs import key
from tests import market
from tests.chat import FakePlatform
from tests.fakes import FakeClock
from tests.filled import EVE, Kind, until
from tests.market import NEWEST, NOW, Vendor
from tests.shared import Shared

CHANNEL, OPERATORS = "111111111111111111", "999999999999999999"
AFTER_THE_DEADLINE = datetime(2026, 3, 8, 1, 5, tzinfo=UTC)  # 20:05 on Saturday in New York


def doubled(payload: bytes) -> bytes:
    """The day file with every volume twice."""
    header, *rows = gzip.decompress(payload).decode().splitlines()
    place = header.split(",").index("volume")
    cells = [row.split(",") for row in rows]
    for row in cells:
        row[place] = str(2 * float(row[place]))
    return gzip.compress("\n".join([header, *(",".join(row) for row in cells), ""]).encode(), 1)


@pytest.fixture
async def vendor(shared: Shared, tmp_path: Path) -> AsyncIterator[Vendor]:
    """All sessions are published; the newest one is not as it should be."""
    async with market.vendor(tmp_path / "vendor", market.window(), shared=shared) as running:
        path = tmp_path / "vendor" / key("day_aggs_v1", NEWEST.date)
        await asyncio.to_thread(path.write_bytes, doubled(market.day_file(NEWEST)))
        yield running


@pytest.fixture
def eve(shared: Shared, tmp_path: Path) -> Path:
    """A data folder the night before."""
    return until(shared, Kind.FLAT_FILES, EVE, tmp_path / "data")


async def settings(vendor: Vendor, folder: Path, **changes: Any) -> Any:
    """With a channel and operators on Discord."""
    return await vendor.settings(
        folder,
        discord_token="a-token",
        discord_alert_channel=CHANNEL,
        operator_channel=f"discord:{OPERATORS}",
        **changes,
    )


async def said(app: App, platform: FakePlatform) -> dict[str, list[str]]:
    """What each channel has been told, after a delivery."""
    app.senders["discord"] = platform
    await app.courier.drain()
    told: dict[str, list[str]] = {CHANNEL: [], OPERATORS: []}
    for post in platform.posts:
        told[post.destination.channel].append(post.message.lead)
    return told


async def test_a_held_day_says_why_once_and_its_lateness_is_told_to_operators_once(
    vendor: Vendor, eve: Path
) -> None:
    clock, platform = FakeClock(NOW), FakePlatform()
    async with opened(await settings(vendor, eve), now=clock) as app:
        await app.name_channels(ending=True)
        for _ in range(2):
            await app.sweep(lambda step: None)
        told = await said(app, platform)
        (line,) = told[CHANNEL]
        assert line.startswith("Fri 6 Mar 2026 is held back, not judged: ")
        assert line.count("volumes look doubled") == 1, "two sources said the same"
        assert platform.posts[0].letter.silent
        clock.at = AFTER_THE_DEADLINE
        for _ in range(2):
            await app._is_late()
            app.warned.clear()  # as after a restart
        told = await said(app, platform)
        (line,) = told[OPERATORS]
        assert "is held back by the gate, and the deadline has passed" in line
        assert f"`python -m bot once --session {NEWEST} --release` accepts it" in line
        assert not platform.at(platform.posts[-1].destination)[-1].letter.silent


async def test_one_day_asked_for_by_hand_says_that_it_is_held_too(
    vendor: Vendor, eve: Path
) -> None:
    platform = FakePlatform()
    async with opened(await settings(vendor, eve), now=lambda: NOW) as app:
        await app.name_channels(ending=False)
        with pytest.raises(SourceError):
            await once.one_day(app, NEWEST, release=False)
        await app.say_held([NEWEST])
        told = await said(app, platform)
        assert len(told[CHANNEL]) == 1
        await once.one_day(app, NEWEST, release=True)
        told = await said(app, platform)
        assert told[CHANNEL][1].endswith(" · Fri 6 Mar 2026."), "accepted, it is a digest"


async def test_a_day_that_is_not_there_is_told_to_operators_with_what_was_seen(
    vendor: Vendor, eve: Path, tmp_path: Path
) -> None:
    path = tmp_path / "vendor" / key("day_aggs_v1", NEWEST.date)
    await asyncio.to_thread(path.unlink)
    clock, platform = FakeClock(NOW), FakePlatform()
    async with opened(await settings(vendor, eve), now=clock) as app:
        await app.name_channels(ending=True)
        await app.sweep(lambda step: None)
        clock.at = AFTER_THE_DEADLINE
        assert await app._is_late()
        told = await said(app, platform)
        assert told[CHANNEL] == []
        (line,) = told[OPERATORS]
        assert line.startswith("Fri 6 Mar 2026 is not in, and the deadline has passed: ")
        assert "flat files (day aggregates): not published yet" in line
        assert trading_day(NEWEST.date) == NEWEST
