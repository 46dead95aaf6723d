"""The real client libraries, pointed at the local chat servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import discord
from discord.http import Route
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer


class Clock:
    """A server's clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 27, 21, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it is."""
        return self.at


@asynccontextmanager
async def discord_bot(server: DiscordServer, token: str) -> AsyncIterator[discord.Client]:
    """A client that is logged in and has no gateway; the address is the library's own global."""
    usual, Route.BASE = Route.BASE, server.api_url
    client = discord.Client(intents=discord.Intents(guilds=True), max_ratelimit_timeout=30)
    try:
        await client.login(token)
        yield client
    finally:
        await client.close()
        Route.BASE = usual


@asynccontextmanager
async def slack_bot(
    server: SlackServer, token: str, **settings: Any
) -> AsyncIterator[AsyncWebClient]:
    """A client that tries once, unless told otherwise, and keeps its connections."""
    usual: dict[str, Any] = {"retry_handlers": [], "base_url": server.api_url}
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(token, session=session, **(usual | settings))
