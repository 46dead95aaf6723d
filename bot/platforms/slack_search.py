"""Looking for a message of ours in the history of a channel of Slack.

Where Slack allows one page a minute, a look takes many attempts: each goes on where the last one
had to stop, so that it ends.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from alerts.model import CLOCKS_DIFFER, Letter, Receipt, Tried
from bot.platforms.slack_checks import Ask
from bot.platforms.slack_errors import error_of
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryRefused, Reason

EVENT_TYPE = "tapewatch_delivery"
_PAGE = 100
_KEPT = 1_000
"""So many looks that were stopped are remembered; any other begins anew."""


@dataclass(slots=True)
class _Stopped:
    """How far a look came."""

    last: datetime
    """The attempt that it looks for."""
    began_at: datetime
    pages: int = 0
    cursor: str = ""


@dataclass(slots=True)
class Search:
    """Reads page by page, newest first as Slack tells it, around the attempts at a letter."""

    client: AsyncWebClient
    ask: Ask
    now: Callable[[], datetime]
    most_pages: int
    late_for: timedelta
    _stopped: OrderedDict[str, _Stopped] = field(default_factory=OrderedDict)

    async def found(self, channel: str, letter: Letter, tried: Tried) -> Receipt | None:
        """The message with this key; None only when it cannot be carried out any more either."""
        look = self._stopped.pop(letter.token, None)
        settled = tried.last + self.late_for
        if look is None or look.last != tried.last or look.began_at < settled:
            # What came after its first page would not have been seen.
            look = _Stopped(tried.last, self.now())
        try:
            receipt = await self._read(channel, letter, tried, look)
        except DeliveryDeferred:
            self._keep(letter.token, look)
            raise
        except DeliveryRefused as refused:
            if error_of(refused) != "invalid_cursor":
                raise
            raise DeliveryDeferred(Reason.SERVER_ERROR, refused.seen) from refused
        rest_s = min(settled - look.began_at, self.late_for).total_seconds()
        if receipt is None and rest_s > 0:
            # A request that was never answered may still be carried out: not yet, is not never.
            seen = "the request may still be carried out"
            raise DeliveryDeferred(Reason.NO_ANSWER, seen, retry_after_s=rest_s)
        return receipt

    def _keep(self, token: str, look: _Stopped) -> None:
        self._stopped[token] = look
        while len(self._stopped) > _KEPT:
            self._stopped.popitem(last=False)

    async def _read(
        self, channel: str, letter: Letter, tried: Tried, look: _Stopped
    ) -> Receipt | None:
        wanted: dict[str, Any] = {
            "channel": channel,
            "oldest": f"{(tried.since - CLOCKS_DIFFER).timestamp():.6f}",
            "latest": f"{(tried.until + CLOCKS_DIFFER).timestamp():.6f}",
            "include_all_metadata": True,
            "limit": _PAGE,
        }
        read: Callable[..., Awaitable[Any]] = self.client.conversations_history
        if letter.anchor is not None:
            read = self.client.conversations_replies
            wanted["ts"] = letter.anchor.message_id
        while look.pages < self.most_pages:
            page = await self.ask(partial(read, **wanted, cursor=look.cursor or None))
            for message in page["messages"]:
                if _key(message) == letter.token:
                    return Receipt(str(message["ts"]))
            look.pages += 1
            look.cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not look.cursor:
                return None
        seen = f"more than {self.most_pages} pages of messages since"
        raise DeliveryAmbiguous(Reason.LOOK_UP_IMPOSSIBLE, seen)


def _key(message: dict[str, Any]) -> str:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return ""
    return str((metadata.get("event_payload") or {}).get("k", ""))
