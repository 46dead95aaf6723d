"""How the bot comes onto a server: its address for whoever may add it."""

import discord
from discord.http import Route

from bot.platforms.discord import make_client
from bot.platforms.discord_errors import FOREIGN, translated

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
)
"""The least with which all can be done."""


def invite_url(application_id: int) -> str:
    """Whoever opens it, and may manage a server, can add the bot and its commands there."""
    scopes = ("bot", "applications.commands")
    return discord.utils.oauth_url(application_id, permissions=PERMISSIONS, scopes=scopes)


async def application_id(token: str, api_url: str) -> int:
    """Whose token it is; raises a DeliveryError that says why that cannot be known."""
    usual, Route.BASE = Route.BASE, api_url.rstrip("/")
    client = make_client()
    try:
        await client.login(token)
        if client.application_id is None:
            raise RuntimeError("logged in as nobody")
        return client.application_id
    except FOREIGN as error:
        raise translated(error) from error
    finally:
        await client.close()
        Route.BASE = usual
