"""Slack as a place to deliver to, over its Web API.

Once: Slack promises nothing about the same message twice, so a message carries its key in its
metadata, and what may have arrived is looked for in the history before it is sent again.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from alerts.model import Check, Destination, Letter, Receipt, Tried
from bot.platforms import slack_checks as checks
from bot.platforms.network import nothing_sent
from bot.platforms.pacing import Pacing, always
from bot.platforms.slack_drafts import Draft
from bot.platforms.slack_errors import FOREIGN, error_of, is_about_a_file, translated
from bot.platforms.slack_pictures import Pictures
from bot.platforms.slack_search import EVENT_TYPE, Search
from bot.platforms.slack_text import Rendered
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryRefused,
    Reason,
)

_HOLD_S = 5.0
"""The pause after a 429 that does not say how long."""
_PATIENCE_S = 3.0

Put = Callable[[Rendered], Awaitable[Any]]


def pace(sure: Callable[[], bool] = always) -> Pacing:
    """8 letters at once, a second between two of a channel, 10 requests a second."""
    return Pacing(8, channel_gap_s=1.0, request_gap_s=1 / 10, sure=sure)


def make_client(token: str, api_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """One that tries once: what slack_sdk repeats by itself may be there twice."""
    quiet = logging.getLogger("slack_sdk.web")
    # slack_sdk spells out every request, with all its text, unless this logger has a level.
    quiet.setLevel(max(quiet.level, logging.INFO))
    return AsyncWebClient(token, base_url=api_url, session=session, retry_handlers=[], logger=quiet)


@asynccontextmanager
async def connected(
    token: str,
    api_url: str,
    *,
    now: Callable[[], datetime],
    answer_within_s: float = 30.0,
    pacing: Pacing | None = None,
    poll_every_s: float = 0.5,
    late_for_s: float = 30.0,
) -> AsyncIterator["SlackSender"]:
    """A sender with a session of its own, closed in the end."""
    connect_within_s = min(10.0, answer_within_s / 2)
    timeout = aiohttp.ClientTimeout(total=answer_within_s, sock_connect=connect_within_s)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        client = make_client(token, api_url, session)
        yield SlackSender(
            client,
            session,
            now=now,
            pacing=pacing,
            poll_every_s=poll_every_s,
            late_for_s=late_for_s,
        )


class SlackSender:
    """alerts.deliver.Sender over slack_sdk."""

    def __init__(
        self,
        client: AsyncWebClient,
        session: aiohttp.ClientSession,
        *,
        now: Callable[[], datetime],
        pacing: Pacing | None = None,
        most_pages: int = 20,
        poll_every_s: float = 0.5,
        late_for_s: float = 30.0,
    ) -> None:
        self.client, self.session = client, session
        self._pacing = pacing or pace()
        self._search = Search(client, self.ask, now, most_pages, timedelta(seconds=late_for_s))
        self._pictures = Pictures(client, session, self.ask, now, poll_every_s=poll_every_s)
        self._refused = ""

    def turn(self, destination: Destination) -> AbstractAsyncContextManager[None]:
        """Held while a letter is on its way."""
        return self._pacing.turn(destination.channel)

    async def send(self, destination: Destination, letter: Letter) -> Receipt:
        """Post it, in the thread of its anchor if it has one."""

        async def put(made: Rendered) -> Any:
            return await self.client.chat_postMessage(
                channel=destination.channel,
                thread_ts=letter.anchor.message_id if letter.anchor else None,
                client_msg_id=str(uuid5(NAMESPACE_URL, letter.token)),
                unfurl_links=False,
                unfurl_media=False,
                metadata={"event_type": EVENT_TYPE, "event_payload": {"k": letter.token}},
                **_content(made),
            )

        answer, fallback = await self._as_it_can_be(letter, put)
        return Receipt(_ts(answer), fallback)

    async def find(self, destination: Destination, letter: Letter, tried: Tried) -> Receipt | None:
        """Where an earlier send arrived, by the history of its channel or of its thread."""
        try:
            return await self._search.found(destination.channel, letter, tried)
        except DeliveryRefused as refused:
            if error_of(refused) == "thread_not_found":
                return None
            # Of a private channel without us in it Slack says that it does not exist.
            seen = f"{refused.reason} ({refused.seen})"
            raise DeliveryAmbiguous(Reason.LOOK_UP_IMPOSSIBLE, seen) from refused

    async def edit(self, destination: Destination, receipt: Receipt, letter: Letter) -> Receipt:
        """Put it in the place of a message, which keeps its time, its thread and its key."""

        async def put(made: Rendered) -> Any:
            return await self.client.chat_update(
                channel=destination.channel, ts=receipt.message_id, **_content(made)
            )

        _, fallback = await self._as_it_can_be(letter, put)
        return Receipt(receipt.message_id, fallback)

    async def examine(self, destination: Destination) -> Sequence[Check]:
        """What the channel needs, by looking only."""
        return await checks.examined(destination.channel, self.ask, self.client)

    async def ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """A question: nothing of it can arrive in a channel."""
        try:
            return await self._request(call)
        except DeliveryAmbiguous as error:
            raise nothing_sent(error) from error

    async def _request(self, call: Callable[[], Awaitable[Any]], *, holds_all: bool = False) -> Any:
        if (held_s := self._pacing.held_s) > _PATIENCE_S:
            # An attempt has begun: it had better end than wait, and be cut off when we stop.
            raise DeliveryDeferred(Reason.RATE_LIMITED, "a pause of Slack's", retry_after_s=held_s)
        await self._pacing.request()
        if self._refused:
            raise DeliveryRefused(Reason.TOKEN_REFUSED, self._refused)
        try:
            return await call()
        except FOREIGN as error:
            found = translated(error)
            if found.reason is Reason.TOKEN_REFUSED:
                self._refused = found.seen
            if (
                holds_all
                and isinstance(found, DeliveryDeferred)
                and found.reason is Reason.RATE_LIMITED
            ):
                # Only of messages: what else there is has limits of its own.
                self._pacing.hold(found.retry_after_s or _HOLD_S)
            raise found from error

    async def _as_it_can_be(self, letter: Letter, put: Put) -> tuple[Any, str]:
        """As it was made; else without what was refused, and why: surely nothing was accepted."""
        shown, fallback = await self._pictures.shown(letter.pictures)
        draft = Draft(letter.message, tuple(shown))
        while True:
            try:
                answer = await self._request(partial(put, draft.made()), holds_all=True)
            except DeliveryRefused as refused:
                about_a_file = is_about_a_file(refused)
                plainer = draft.plainer(about_a_file=about_a_file)
                if refused.reason is not Reason.MESSAGE_REJECTED or plainer is None:
                    raise
                draft, fallback = plainer, refused.seen
                if about_a_file:
                    self._pictures.forget(letter.pictures)
            else:
                return answer, fallback


def _content(made: Rendered) -> dict[str, Any]:
    # No blocks at all would leave those of an edited message where they are.
    shown = {"text": made.text, "blocks": list(made.blocks)}
    return {**shown, "parse": "none", "link_names": False}


def _ts(answer: Any) -> str:
    """Slack's name for a message."""
    if not answer["ts"]:
        # It says that all is well, and nothing else.
        raise DeliveryAmbiguous(Reason.SERVER_ERROR, "an answer without the message's time")
    return str(answer["ts"])
