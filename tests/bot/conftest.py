"""A stored market of one's own; and Discord, with a service that listens to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.discord_talk import CHANNEL, TOKEN, Talk, talking
from tests.bot.small_market import stored_market
from tests.servers.discord import DiscordServer
from tests.shared import Shared


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    """The small market, which the test may change."""
    return stored_market(shared, tmp_path / "data")


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """One channel."""
    async with DiscordServer(token=TOKEN) as running:
        running.add_channel(CHANNEL)
        yield running


@pytest.fixture
async def talk(folder: Path, server: DiscordServer) -> AsyncIterator[Talk]:
    """The service over that market, and people who ask it there."""
    async with talking(folder, server) as there:
        yield there
