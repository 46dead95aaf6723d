"""Tells Discord which commands there are: only when they, or the place for them, have changed."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import discord

from bot.platforms import discord_commands
from bot.platforms.discord_errors import FOREIGN, translated
from core.db import Db
from core.errors import DeliveryDeferred

logger = logging.getLogger(__name__)

KEPT = "discord_commands"
"""Under this name the database remembers what Discord was told last."""

LONGEST_PAUSE_S = 3_600.0
_TOO_MANY_TODAY = 30034
"""So many commands were made on one day that there are to be no more of them."""

_NOT_OURS = (
    "the commands go to all servers, for DISCORD_GUILD_ID is none that the bot is on: invite it"
    " there, or correct or unset DISCORD_GUILD_ID"
)


@dataclass(frozen=True, slots=True)
class Register:
    """The commands on Discord, for every server or for one."""

    db: Db
    guild: str | None = None
    pause_s: float = 2.0
    """Before the second try; twice as long before each one after it, up to an hour."""
    within_s: float = 30.0

    async def tell(self, client: discord.Client) -> None:
        """Returns when they are known. Until then what was registered before can still be asked."""
        pause_s = min(self.pause_s, LONGEST_PAUSE_S)
        while True:
            try:
                async with asyncio.timeout(self.within_s):
                    return await self._tell(client)
            except FOREIGN as error:
                if isinstance(error, TimeoutError) and client.http._global_over:
                    # discord.py cut short in the pause of a global limit would stay in it for ever.
                    client.http._global_over.set()
                wait_s = max(pause_s, _asked_for_s(error))
                facts = {"seen": translated(error).seen, "again_in_s": wait_s}
                logger.warning("commands not registered; they are told again", extra=facts)
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _tell(self, client: discord.Client) -> None:
        known = await self._known()
        if self.guild:
            try:
                await self._put(client, self.guild, known)
            except discord.HTTPException as error:
                if error.status not in (403, 404):
                    raise
                facts = {"guild": self.guild, "seen": translated(error).seen}
                logger.warning(_NOT_OURS, extra=facts)
            else:
                return
        await self._put(client, "", known)

    async def _put(self, client: discord.Client, guild: str, known: Sequence[str]) -> None:
        """In one place, and no longer in the one before: both would be shown."""
        payload = discord_commands.payload()
        letters = blake2b(json.dumps(payload).encode(), digest_size=16).hexdigest()
        told = (str(client.application_id), guild, letters)
        if tuple(known) == told:
            return
        await _upsert(client, guild, payload)
        if known and known[0] == told[0] and known[1] != guild:
            await self._emptied(client, known[1])
        async with self.db.transaction() as writer:
            await writer.execute(
                "INSERT INTO kept (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (KEPT, "/".join(told)),
            )
        facts = {"commands": len(payload), "guild": guild or "all"}
        logger.info("commands registered", extra=facts)

    async def _emptied(self, client: discord.Client, guild: str) -> None:
        try:
            await _upsert(client, guild, [])
        except discord.HTTPException as error:
            facts = {"guild": guild or "all", "seen": translated(error).seen}
            logger.info("commands of an earlier place remain", extra=facts)

    async def _known(self) -> Sequence[str]:
        row = await self.db.row("SELECT value FROM kept WHERE name = ?", (KEPT,))
        parts = str(row["value"]).split("/") if row else []
        return parts if len(parts) == 3 else []


def _asked_for_s(error: BaseException) -> float:
    """How long Discord wants to be left alone."""
    if isinstance(error, discord.HTTPException) and error.code == _TOO_MANY_TODAY:
        return LONGEST_PAUSE_S
    found = translated(error)
    return (found.retry_after_s or 0.0) if isinstance(found, DeliveryDeferred) else 0.0


async def _upsert(client: discord.Client, guild: str, payload: list[discord_commands.Json]) -> None:
    """A list in the place of the one before."""
    application = client.application_id
    if application is None:
        raise RuntimeError("not logged in")
    if guild:
        told: object = await client.http.bulk_upsert_guild_commands(
            application, int(guild), payload
        )
    else:
        told = await client.http.bulk_upsert_global_commands(application, payload)
    if not isinstance(told, list):
        raise TypeError("not an answer of Discord's, but a page")
