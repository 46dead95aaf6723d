"""Discord as a place to listen to, over its gateway: a client for each life, and a watch on it."""

import asyncio
import logging

import discord

from bot.links import Link, LinkRefused
from bot.platforms.discord_answers import Answers
from bot.platforms.discord_bot import IDENTIFIES, Bot, make_bot
from bot.platforms.discord_errors import FOREIGN, translated
from bot.platforms.discord_hearing import Hearing
from bot.platforms.discord_line import Line
from bot.platforms.discord_sync import Register
from bot.platforms.discord_watch import Patience, closed, watch
from bot.reception import Reception
from bot.suggest import Suggestions

logger = logging.getLogger(__name__)

FEW_IDENTIFIES = 2 * IDENTIFIES
"""Of a thousand a day; who takes them all gets a new token."""

_UNKNOWN = (
    "Discord does not know the token: copy the one of Developer Portal, Bot, Reset Token, into"
    " DISCORD_TOKEN, and restart"
)
_FINAL = {
    4004: _UNKNOWN,
    4010: "Discord refuses the shard (4010): update Tapewatch",
    4011: "the bot is on too many servers for one connection (4011): take it off some",
    4012: "Discord has done away with this version of its gateway (4012): update discord.py",
    4013: "Discord does not know the intents that are asked for (4013): update discord.py",
    4014: (
        "Discord does not grant the intents that are asked for (4014): allow them in the Developer"
        " Portal, Bot, Privileged Gateway Intents, and restart"
    ),
}


class DiscordEar:
    """bot.ears.Ear over discord.py."""

    def __init__(
        self,
        token: str,
        link: Link,
        reception: Reception,
        suggestions: Suggestions,
        *,
        api_url: str,
        gateway_url: str,
        guild_id: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.link = link
        self._token, self._line = token, Line(api_url, gateway_url)
        self._patience = patience or Patience()
        answers = Answers(self._patience.answer_again_s)
        self.hearing = Hearing(reception, suggestions, self._line, answers)
        self._register = Register(reception.db, guild_id, self._patience.register_pause_s)

    async def serve(self) -> None:
        """One life of a client; a fault ends it, but no answer that is being made."""
        async with self._line.held():
            bot = make_bot(self.hearing, self._register, self.link, self._patience)
            try:
                await self._live(bot)
            except FOREIGN as error:
                raise _told(error) from error
            finally:
                await closed(bot, self._patience)
        raise ConnectionError("Discord closed the connection")

    async def drain(self, patience_s: float) -> None:
        """Whoever comes now is told to come again; wait for what is being answered."""
        await self.hearing.drain(patience_s)

    async def _live(self, bot: Bot) -> None:
        async with asyncio.timeout(self._patience.login_s):
            await bot.login(self._token)
            wait_s = await self._before_identifying(bot)
        if wait_s:
            self.link.down(f"Discord allows no more connections for {wait_s / 60:.0f} minutes")
            await asyncio.sleep(wait_s)
        connected = asyncio.create_task(bot.connect(reconnect=True), name="discord connection")
        watched = asyncio.create_task(watch(bot, self._patience), name="discord watch")
        try:
            await asyncio.wait({connected, watched}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watched.cancel()
            # A connection that is just being made would be left open by whoever is cancelled in it.
            await closed(bot, self._patience)
            await asyncio.wait({connected}, timeout=self._patience.close_s)
            connected.cancel()
            await asyncio.gather(connected, watched, return_exceptions=True)
        for task in (watched, connected):
            if not task.cancelled():
                task.result()

    async def _before_identifying(self, bot: Bot) -> float:
        """The seconds to wait before there may be another session."""
        try:
            _, _, limit = await bot.http.get_bot_gateway()
            few = limit["remaining"] < FEW_IDENTIFIES
            return limit["reset_after"] / 1000 if few else 0.0
        except FOREIGN as error:
            # Whatever is the matter with the question, connecting will show how things are.
            logger.info("no session limit told", extra={"seen": translated(error).seen})
            return 0.0


def _told(error: BaseException) -> Exception:
    """What to raise instead: no text of a library's own, which may name an address or a token."""
    if isinstance(error, discord.LoginFailure):
        return LinkRefused(_UNKNOWN)
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return LinkRefused(_FINAL[4014])
    if isinstance(error, discord.ConnectionClosed):
        if error.code in _FINAL:
            return LinkRefused(_FINAL[error.code])
        return ConnectionError(f"Discord closed the connection with {error.code}")
    if isinstance(error, discord.HTTPException) and error.status == 401:
        return LinkRefused(_UNKNOWN)
    if type(error) is ConnectionError:
        return error
    if isinstance(error, AttributeError) and error.__context__ is not None:
        # discord.py#10520: what a first connection fails with is behind a mistake of its own.
        error = error.__context__
    found = translated(error)
    return ConnectionError(f"Discord: {found.reason} ({found.seen})")
