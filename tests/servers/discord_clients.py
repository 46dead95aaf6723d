"""The real discord.py with its gateway, pointed at the local server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.servers.discord import DiscordServer


@contextmanager
def discord_addresses(server: DiscordServer) -> Iterator[None]:
    """The library's own globals point at the server for a while."""
    usual = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = server.api_url, yarl.URL(server.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = usual


@asynccontextmanager
async def live_discord_bot(
    server: DiscordServer, client: discord.Client, token: str, *, within_s: float = 5.0
) -> AsyncIterator["asyncio.Task[None]"]:
    """A client that is ready, gateway and all; what is yielded is the task of its `start`."""
    with discord_addresses(server):
        running = asyncio.create_task(client.start(token))
        try:
            async with asyncio.timeout(within_s):
                await server.gateway.connected(within_s)
                await client.wait_until_ready()
            yield running
        finally:
            await client.close()
            await asyncio.wait({running})
