"""Answers on Slack: to one person by the address that came with the question, or to all.

Such an address takes five answers in half an hour. What it does not take, and what came without
one, is said by chat.postEphemeral, which needs the bot to be in the channel.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from alerts.model import File, Message
from bot.answers import Answer, share_id
from bot.platforms.network import nothing_sent, seconds
from bot.platforms.slack_drafts import Draft
from bot.platforms.slack_errors import FOREIGN, is_about_a_file, translated
from bot.platforms.slack_files import Uploads
from bot.platforms.slack_parts import is_short
from bot.platforms.slack_pictures import Pictures
from bot.platforms.slack_text import Look, Rendered, text_only
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)

logger = logging.getLogger(__name__)

_NO_PICTURE = "its picture cannot be shown here"
_TRIES, _LONGEST_PAUSE_S = 3, 20.0


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
class Answers:
    """The way back to those who asked."""

    client: AsyncWebClient
    session: aiohttp.ClientSession
    pictures: Pictures
    uploads: Uploads

    async def drafted(self, place: Place, answer: Answer) -> Draft:
        """What there is to show of it; the message itself is not out before it is given."""
        message, short = await self._with_files(place, answer)
        try:
            shown, missing = await self.pictures.shown(answer.pictures)
        except DeliveryError as error:
            shown, missing = [], error.seen or str(error)
        if missing:
            logger.warning("a picture is not shown", extra={"seen": missing})
            message = _with_banner(message, _NO_PICTURE)
        share = share_id(answer) if answer.share else ""
        look = Look(not answer.public, place.people, share, short)
        return Draft(message, tuple(shown), look)

    async def give(self, place: Place, answer: Answer, draft: Draft) -> bool:
        """Show it; what is for all takes the place of what was shared.

        False if a public one surely did not go out.
        """
        if not answer.public:
            await self._as_it_can_be(place, answer, draft)
            return True
        try:
            await self._as_it_can_be(place, answer, draft)
        except DeliveryRefused as refused:
            await self.say(place, f"It cannot be shared here: {refused.seen}")
            return False
        if place.response_url:
            await self._post_to(place.response_url, {"text": "Shared.", "replace_original": True})
        return True

    async def say(self, place: Place, text: str) -> None:
        """A sentence to who asked."""
        await self._put(place, text_only(Message("", text), Look(private=True)))

    async def _as_it_can_be(self, place: Place, answer: Answer, draft: Draft) -> None:
        """As it was made; else without what was refused, and it says so."""
        while True:
            try:
                return await self._put(place, draft.made(), public=answer.public)
            except DeliveryRefused as refused:
                about_a_file = is_about_a_file(refused)
                plainer = draft.plainer(about_a_file=about_a_file)
                if refused.reason is not Reason.MESSAGE_REJECTED or plainer is None:
                    raise
                logger.warning("Slack refuses a layout", extra={"seen": refused.seen})
                if about_a_file:
                    self.pictures.forget(answer.pictures)
                if draft.pictures and not plainer.pictures:
                    plainer = plainer.saying(_NO_PICTURE)
                if plainer.bare and draft.look.files:
                    names = " and ".join(file.name for file in draft.look.files)
                    plainer = plainer.saying(f"{names} cannot be shown here")
                draft = plainer

    async def _with_files(self, place: Place, answer: Answer) -> tuple[Message, tuple[File, ...]]:
        """Where its files are to be found, and those that are shown in the message."""
        short = tuple(file for file in answer.message.files if is_short(file))
        told = []
        for file in answer.message.files:
            if file in short:
                continue
            try:
                told.append(await self._sent(file, place, public=answer.public))
            except DeliveryError as error:
                told.append(f"{file.name} could not be sent: {error.seen or error}")
        message = answer.message
        return replace(message, footer=(*told, *message.footer)), short

    async def _sent(self, file: File, place: Place, *, public: bool) -> str:
        if public:
            return await self.uploads.to_channel(file, place.channel, place.thread)
        return await self.uploads.to_person(file, place.user, place.channel)

    async def _put(self, place: Place, made: Rendered, *, public: bool = False) -> None:
        body: dict[str, Any] = {"text": made.text, "blocks": list(made.blocks) or None}
        body |= {"thread_ts": place.thread or None, "parse": "none", "link_names": False}
        body |= {"unfurl_links": False, "unfurl_media": False}
        if place.response_url:
            kind = "in_channel" if public else "ephemeral"
            how = {"response_type": kind, "replace_original": False}
            if await self._post_to(place.response_url, {**how, **body}):
                return
        body["channel"] = place.channel
        if public:
            await patiently(lambda: self.client.chat_postMessage(**body))
        else:
            await patiently(lambda: self.client.chat_postEphemeral(user=place.user, **body))

    async def _post_to(self, url: str, body: Mapping[str, Any]) -> bool:
        """Whether the address took it; not if it is used up. DeliveryError for all else."""
        sent = {name: value for name, value in body.items() if value is not None}

        async def post() -> bool:
            async with self.session.post(url, json=sent) as answer:
                said = await answer.text()
                return _taken(answer.status, said, answer.headers.get("Retry-After"))

        return bool(await patiently(post))


async def ask(call: Callable[[], Awaitable[Any]]) -> Any:
    """A question to Slack: nothing of it is a message."""
    try:
        return await patiently(call)
    except DeliveryAmbiguous as error:
        raise nothing_sent(error) from error


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """Again if it was surely not heard; what may have been heard is not said twice."""
    for attempt in range(1, _TRIES):
        try:
            return await _once(call)
        except DeliveryDeferred as deferred:
            pause_s = deferred.retry_after_s or float(attempt)
            if pause_s > _LONGEST_PAUSE_S:
                raise
        await asyncio.sleep(pause_s)
    return await _once(call)


async def _once(call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await call()
    except FOREIGN as error:
        raise translated(error) from error


def _with_banner(message: Message, banner: str) -> Message:
    return replace(message, banners=(*message.banners, banner))


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
