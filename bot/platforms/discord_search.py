"""Looking for a message of ours in the history of a channel of Discord."""

from dataclasses import dataclass

import discord

from alerts.model import CLOCKS_DIFFER, Tried
from bot.platforms.discord_checks import Ask, place
from core.errors import DeliveryAmbiguous, DeliveryRefused, Reason

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Search:
    """Reads page by page, from before the first attempt to after the last."""

    client: discord.Client
    ask: Ask
    most_pages: int

    async def found(
        self, thread: int | None, channel: int, custom_id: str, tried: Tried
    ) -> int | None:
        """The message whose button has this id, in the thread if there is one, or the channel."""
        if thread is not None:
            try:
                there = await self._found(thread, custom_id, tried)
            except DeliveryRefused as refused:
                if refused.reason is not Reason.CHANNEL_GONE:
                    raise
                there = None
            if there is not None:
                return there
        return await self._found(channel, custom_id, tried)

    async def must_be_readable(self, channel: int) -> None:
        """A history that may not be read is empty, not refused: absence alone proves nothing."""
        allowed = (await place(channel, self.ask, self.client)).allowed
        if not (allowed.view_channel and allowed.read_message_history):
            seen = "no permission to read the history (Read Message History)"
            raise DeliveryAmbiguous(Reason.LOOK_UP_IMPOSSIBLE, seen)

    async def _found(self, channel: int, custom_id: str, tried: Tried) -> int | None:
        after = discord.utils.time_snowflake(tried.since - CLOCKS_DIFFER)
        last = discord.utils.time_snowflake(tried.until + CLOCKS_DIFFER, high=True)
        for _ in range(self.most_pages):
            there = await self._page(channel, after)
            for message in there:
                if message.id <= last and self._carries(message, custom_id):
                    return message.id
            if len(there) < _PAGE or there[-1].id > last:
                return None
            after = there[-1].id
        seen = f"more than {self.most_pages * _PAGE:,} messages since"
        raise DeliveryAmbiguous(Reason.LOOK_UP_IMPOSSIBLE, seen)

    async def _page(self, channel: int, after: int) -> list[discord.Message]:
        history = self.client.get_partial_messageable(channel).history

        async def read() -> list[discord.Message]:
            since = discord.Object(after)
            return [m async for m in history(limit=_PAGE, after=since, oldest_first=True)]

        return await self.ask(read)

    def _carries(self, message: discord.Message, custom_id: str) -> bool:
        if self.client.user is None or message.author.id != self.client.user.id:
            return False
        parts = [part for row in message.components for part in getattr(row, "children", ())]
        return any(getattr(part, "custom_id", None) == custom_id for part in parts)
