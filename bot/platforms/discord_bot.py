"""The client of discord.py that listens: it keeps nothing, and nothing in it waits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.links import Link
from bot.platforms.discord_hearing import Hearing
from bot.platforms.discord_sync import Register
from bot.platforms.discord_watch import Patience


class Bot(discord.Client):
    """Hands over what it hears. Nothing of it waits, or is kept when it ends."""

    def __init__(
        self,
        hear: Callable[[discord.Interaction[Any]], None],
        register: Callable[[discord.Client], Awaitable[None]],
        link: Link,
        patience: Patience,
    ) -> None:
        # Nobody talks here: what voice would need is no warning.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=30,
            max_messages=None,
            enable_debug_events=True,
        )
        self._hear, self._register, self._link, self._patience = hear, register, link, patience
        self.frames = 0
        """So many came; the watch looks whether there are more."""

    async def setup_hook(self) -> None:
        """Logged in: say which commands there are."""
        await self._register(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The second of one client has to wait."""
        if not initial:
            await asyncio.sleep(self._patience.identify_pause_s)

    async def on_connect(self) -> None:
        """READY; servers follow, and nothing that is asked waits for them."""
        self._link.up()

    async def on_resumed(self) -> None:
        """The session goes on."""
        self._link.up()

    async def on_disconnect(self) -> None:
        """Or it was not there yet."""
        self._link.down("the connection was lost; it is taken up again")

    async def on_socket_raw_receive(self, frame: str) -> None:
        """Any sign of life."""
        self.frames += 1

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """A command, a button, a menu, a letter that is being typed."""
        self._hear(interaction)


def make_bot(
    hearing: Hearing, register: Register, link: Link, patience: Patience | None = None
) -> Bot:
    """Not started; whoever starts it closes it."""

    async def begin(client: discord.Client) -> None:
        # Beside everything else: what is asked does not wait for it.
        hearing.work.begin(register.tell(client), "register commands")

    return Bot(hearing.hear, begin, link, patience or Patience())
