"""Which platforms can be spoken on: one sender for each that the settings have a token for."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from alerts.deliver import Sender
from alerts.publish import HEARTBEAT
from bot.settings import Settings


@asynccontextmanager
async def mouths(
    settings: Settings, now: Callable[[], datetime], sure: Callable[[], bool]
) -> AsyncIterator[dict[str, Sender]]:
    """By platform. Nothing is asked of a platform before there is something to say.

    `sure`: can no other copy of the service be saying it?
    """
    found: dict[str, Sender] = {}
    # Each library takes its time to load: only those that are used are.
    async with AsyncExitStack() as stack:
        if settings.discord_token is not None:
            from bot.platforms import discord

            token = settings.discord_token.get_secret_value()
            opening = discord.connected(
                token, settings.discord_api_url, now=now, pacing=discord.pace(sure)
            )
            found["discord"] = await stack.enter_async_context(opening)
        if settings.slack_bot_token is not None:
            from bot.platforms import slack

            token = settings.slack_bot_token.get_secret_value()
            speaking = slack.connected(
                token, settings.slack_api_url, now=now, pacing=slack.pace(sure)
            )
            found["slack"] = await stack.enter_async_context(speaking)
        if settings.heartbeat_url is not None:
            from bot.platforms import heartbeat

            url = settings.heartbeat_url.get_secret_value()
            beating = heartbeat.connected(url)
            found[HEARTBEAT.platform] = await stack.enter_async_context(beating)
        yield found
