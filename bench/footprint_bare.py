"""What the libraries alone cost: discord.py and slack-bolt connected, polars loaded, nothing done.

python -m bench.footprint_bare
"""

import asyncio
import os

import discord
import polars
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


class Minimal(discord.Client):
    """Says nothing."""


async def main() -> None:
    """Until it is ended."""
    Route.BASE = os.environ["DISCORD_API_URL"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["DISCORD_GATEWAY_URL"])
    token = os.environ["SLACK_BOT_TOKEN"]
    client = AsyncWebClient(token, base_url=f"{os.environ['SLACK_API_URL'].rstrip('/')}/")
    app = AsyncApp(token=token, client=client)
    socket = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
    polars.DataFrame({"loaded": [True]})
    bot = Minimal(intents=discord.Intents.none())
    connecting = socket.start_async()  # type: ignore[no-untyped-call]
    await asyncio.gather(bot.start(os.environ["DISCORD_TOKEN"]), connecting)


if __name__ == "__main__":
    asyncio.run(main())
