"""What a channel of Discord needs, found out by looking only."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import discord

from alerts.model import Check
from core.errors import DeliveryError, DeliveryRefused, Reason

T = TypeVar("T")

_DEVELOPERS = "discord.com/developers/applications"
_NEEDS = (
    ("view_channel", "View Channel", "without it the bot does not see the channel"),
    ("send_messages", "Send Messages", "without it nothing can be delivered"),
    ("embed_links", "Embed Links", "without it messages go out as plain text"),
    ("attach_files", "Attach Files", "without it there are no pictures"),
    (
        "read_message_history",
        "Read Message History",
        "without it a message that may have arrived cannot be looked for",
    ),
    (
        "create_public_threads",
        "Create Public Threads",
        "without it details and corrections come as replies in the channel",
    ),
    (
        "send_messages_in_threads",
        "Send Messages in Threads",
        "without it details and corrections come as replies in the channel",
    ),
)


class Ask(Protocol):
    """A question to Discord, paced, bounded in time, its errors translated."""

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """The answer, or a DeliveryError."""


@dataclass(frozen=True, slots=True)
class Place:
    """A channel, and what the bot may do there."""

    name: str
    allowed: discord.Permissions


async def place(channel_id: int, ask: Ask, client: discord.Client) -> Place:
    """Permissions in effect: those of a thread are its parent's."""
    found: Any = await ask(lambda: client.fetch_channel(channel_id))
    if not isinstance(found, discord.Thread | discord.abc.GuildChannel):
        return Place("direct message", discord.Permissions.all())
    parent = found.parent_id if isinstance(found, discord.Thread) else found.id
    # What comes with a channel knows no roles; the guild itself has to be asked.
    guild = await ask(lambda: client.fetch_guild(found.guild.id, with_counts=False))
    me = await ask(lambda: guild.fetch_member(client.user.id if client.user else 0))
    inside: Any = await ask(lambda: guild.fetch_channel(parent))
    return Place(f"#{found.name} in {guild.name}", inside.permissions_for(me))


def is_id(channel: str) -> bool:
    """Could it be the id of a channel? They are numbers of at most 20 digits."""
    return channel.isascii() and channel.isdigit() and len(channel) <= 20


async def examined(channel: str, ask: Ask, client: discord.Client) -> Sequence[Check]:
    """One line for each thing that is needed; it ends where the first cannot be known."""
    if not is_id(channel):
        step = "turn on Developer Mode, right-click the channel, Copy Channel ID"
        return [Check("channel", ok=False, seen="not a number", next_step=step)]
    try:
        found = await place(int(channel), ask, client)
    except DeliveryRefused as refused:
        return _refused(refused)
    except DeliveryError as error:
        step = "try again in a while; discordstatus.com tells of outages"
        return [Check("Discord", ok=False, seen=str(error), next_step=step)]
    checks = [
        Check("token", ok=True, seen=f"logged in as {client.user}"),
        Check("channel", ok=True, seen=found.name),
    ]
    for name, words, why in _NEEDS:
        ok = bool(getattr(found.allowed, name))
        step = "" if ok else f"allow {words} for the bot in the channel's settings, Permissions"
        checks.append(
            Check(words, ok=ok, seen="allowed" if ok else f"not allowed: {why}", next_step=step)
        )
    return checks


def _refused(refused: DeliveryRefused) -> list[Check]:
    if refused.reason is Reason.TOKEN_REFUSED:
        step = f"reset the token at {_DEVELOPERS}, Bot, and set DISCORD_TOKEN"
        return [Check("token", ok=False, seen=refused.seen, next_step=step)]
    token = Check("token", ok=True, seen="accepted")
    if refused.reason is Reason.NO_PERMISSION:
        step = "invite the bot to the server, and allow View Channel for it in the channel"
        return [token, Check("View Channel", ok=False, seen=refused.seen, next_step=step)]
    step = "check the channel's id; was the channel deleted?"
    return [token, Check("channel", ok=False, seen=refused.seen, next_step=step)]
