"""The client of discord.py that listens: it keeps nothing, and nothing in it waits."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import discord

from bot.links import Link
from bot.platforms.discord_hearing import Hearing
from bot.platforms.discord_sync import Register
from bot.platforms.discord_watch import Patience
from bot.platforms.work import Work
from bot.supervise import supervised
from core.errors import TapewatchError

IDENTIFIES = 5
"""So many sessions in a row of which none lasted, and the client is given up."""

REGISTERING = "register commands"
"""What the task of a client is called that tells its commands."""


class NothingLasts(TapewatchError):
    """Discord takes every session back; no OSError, after which discord.py would go on."""


class Bot(discord.Client):
    """Hands over what it hears. Nothing of it waits, or is kept when it ends."""

    def __init__(
        self,
        hear: Callable[[discord.Interaction[Any]], None],
        register: Callable[[discord.Client], Coroutine[Any, Any, None]],
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
        self._identifies, self._up_at = 0, math.inf
        self._telling = Work("discord")

    async def setup_hook(self) -> None:
        """Logged in: say which commands there are, beside everything else, until it is known."""
        self._telling.begin(self._register(self), REGISTERING)

    async def close(self) -> None:
        """End it, and what it is still trying to say."""
        await self._telling.drain(0)
        await super().close()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The second of one client has to wait, and discord.py knows no last one."""
        self._identifies += 1
        if self._identifies > IDENTIFIES:
            raise NothingLasts(f"Discord took {IDENTIFIES} sessions in a row back")
        if not initial:
            await asyncio.sleep(self._patience.identify_pause_s)

    async def on_connect(self) -> None:
        """READY; servers follow, and nothing that is asked waits for them."""
        self._up()

    async def on_resumed(self) -> None:
        """The session goes on."""
        self._up()

    async def on_disconnect(self) -> None:
        """Or it was not there yet."""
        if time.monotonic() - self._up_at > self._patience.lasting_s:
            self._identifies = 0
        self._up_at = math.inf
        self._link.down("the connection was lost; it is taken up again")

    async def on_socket_raw_receive(self, frame: str) -> None:
        """Any sign of life."""
        self.frames += 1

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """A command, a button, a menu, a letter that is being typed."""
        self._hear(interaction)

    def _up(self) -> None:
        self._up_at = time.monotonic()
        self._link.up()


def make_bot(
    hearing: Hearing, register: Register, link: Link, patience: Patience | None = None
) -> Bot:
    """Not started; whoever starts it closes it."""

    async def told(client: discord.Client) -> None:
        await supervised("discord commands", partial(register.tell, client))

    return Bot(hearing.hear, told, link, patience or Patience())
