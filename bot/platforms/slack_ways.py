"""The ways by which a message reaches one person on Slack, or all of a channel.

The address that came with a question takes five answers in half an hour. What it does not take, and
what came without one, is said by chat.postEphemeral, which needs the bot to be in the channel; what
that does not take goes to the person's messages with the bot.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.answers import Sharing
from bot.platforms.network import beginning, nothing_sent, seconds
from bot.platforms.slack_drafts import Draft
from bot.platforms.slack_errors import FOREIGN, translated
from bot.platforms.slack_text import Rendered
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)

_TRIES, _LONGEST_PAUSE_S = 3, 20.0

Way = Callable[[], Awaitable[bool]]
"""False if it is not open any more; DeliveryError for all else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was asked, and by whom."""

    channel: str
    user: str
    name: str = ""
    """What they are called."""
    thread: str = ""
    response_url: str = ""

    @property
    def people(self) -> Mapping[str, str]:
        """Names for texts in which nobody is mentioned."""
        return {self.user: self.name} if self.name else {}


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways, best first."""

    client: AsyncWebClient
    session: aiohttp.ClientSession

    async def to_one(self, place: Place, draft: Draft) -> None:
        """By the first way that takes it: twice is harmless here, and not at all is not.

        Raises DeliveryRefused at once for a layout that is refused; else, if all have failed, what
        is worth another try, if anything is.
        """
        failed = list[DeliveryError]()
        for way in self._private(place, draft):
            try:
                if await patiently(way, harmless=True):
                    return
            except DeliveryError as error:
                if _is_layout(error) and not draft.bare:
                    raise
                failed.append(error)
        raise min(failed, key=lambda error: isinstance(error, DeliveryRefused))

    async def to_all(self, place: Place, draft: Draft, sharing: Sharing) -> None:
        """By the first way that takes it, and never twice; DeliveryError if none does."""
        failed = list[DeliveryError]()
        for way in self._public(place, draft):
            try:
                if await patiently(partial(_kept_track, way, sharing)):
                    return
            except DeliveryError as error:
                if sharing.may_be_out or (_is_layout(error) and not draft.bare):
                    raise
                failed.append(error)
        raise failed[0]

    async def note(self, place: Place, text: str) -> None:
        """In the place of what was pressed, where it has an address."""
        if url := place.response_url:
            body = {"text": text, "replace_original": True}
            await patiently(lambda: self._post_to(url, body), harmless=True)

    def _private(self, place: Place, draft: Draft) -> Iterator[Way]:
        body = _body(draft.made(), place.thread)
        if place.response_url:
            yield lambda: self._post_to(place.response_url, _answer("ephemeral", body))
        ephemeral, post = self.client.chat_postEphemeral, self.client.chat_postMessage
        yield lambda: _said(ephemeral(channel=place.channel, user=place.user, **body))
        # Between the two of them there is no thread, and nobody to share it with.
        alone = replace(draft, look=replace(draft.look, share=""))
        yield lambda: _said(post(channel=place.user, **_body(alone.made(), "")))

    def _public(self, place: Place, draft: Draft) -> Iterator[Way]:
        body = _body(draft.made(), place.thread)
        if place.response_url:
            yield lambda: self._post_to(place.response_url, _answer("in_channel", body))
        yield lambda: _said(self.client.chat_postMessage(channel=place.channel, **body))

    async def _post_to(self, url: str, body: Mapping[str, Any]) -> bool:
        sent = {name: value for name, value in body.items() if value is not None}
        async with self.session.post(url, json=sent, allow_redirects=False) as answer:
            said = await beginning(answer)
            return _taken(answer.status, said, answer.headers.get("Retry-After"))


async def ask(call: Callable[[], Awaitable[Any]]) -> Any:
    """A question to Slack: nothing of it is a message."""
    try:
        return await patiently(call)
    except DeliveryAmbiguous as error:
        raise nothing_sent(error) from error


async def patiently(call: Callable[[], Awaitable[Any]], *, harmless: bool = False) -> Any:
    """Again if it was surely not heard; what may have been heard only if twice is `harmless`."""
    for attempt in range(1, _TRIES):
        try:
            return await _once(call)
        except DeliveryDeferred as deferred:
            pause_s = deferred.retry_after_s or float(attempt)
            if pause_s > _LONGEST_PAUSE_S:
                raise
        except DeliveryAmbiguous:
            if not harmless:
                raise
            pause_s = float(attempt)
        await asyncio.sleep(pause_s)
    return await _once(call)


async def _once(call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await call()
    except FOREIGN as error:
        raise translated(error) from error


async def _kept_track(way: Way, sharing: Sharing) -> bool:
    """`sharing` is right whatever happens to the request, also if it is cancelled."""
    sharing.may_be_out = True
    try:
        taken = bool(await _once(way))
    except (DeliveryRefused, DeliveryDeferred):
        sharing.may_be_out = False
        raise
    sharing.may_be_out = taken
    return taken


async def _said(call: Awaitable[Any]) -> bool:
    await call
    return True


def _is_layout(error: DeliveryError) -> bool:
    return isinstance(error, DeliveryRefused) and error.reason is Reason.MESSAGE_REJECTED


def _body(made: Rendered, thread: str) -> dict[str, Any]:
    body: dict[str, Any] = {"text": made.text, "blocks": list(made.blocks) or None}
    body |= {"thread_ts": thread or None, "parse": "none", "link_names": False}
    return body | {"unfurl_links": False, "unfurl_media": False}


def _answer(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"response_type": kind, "replace_original": False, **body}


def _taken(status: int, said: str, retry_after: str | None) -> bool:
    """What the answer of a response_url means."""
    word = said[:100]
    if status == 200 and '"ok":false' not in said.replace(" ", ""):
        return True
    if status in (404, 410) or "expired_url" in word or "used_url" in word:
        return False
    if status == 429:
        wait = seconds(retry_after)
        raise DeliveryDeferred(Reason.RATE_LIMITED, "response_url", retry_after_s=wait)
    if status >= 500 or status == 408:
        raise DeliveryAmbiguous(Reason.SERVER_ERROR, f"response_url: status {status}")
    raise DeliveryRefused(Reason.MESSAGE_REJECTED, f"response_url: status {status} {word}")
