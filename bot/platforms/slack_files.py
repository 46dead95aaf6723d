"""Files on Slack: uploaded in three steps, and shown to one person, to a channel, or to nobody yet.

A file cannot be for one person in a channel. So it goes to their messages with the bot, whose id
Slack tells whoever writes there: that needs no scope, unlike asking for it.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from alerts.budget import clipped
from alerts.model import File
from alerts.words import inert
from bot.platforms.network import seconds
from bot.platforms.slack_checks import Ask
from bot.platforms.slack_drafts import Uploaded
from core.errors import DeliveryDeferred, DeliveryRefused, Reason

_ALT, _NAME = 1_000, 100


@dataclass(frozen=True, slots=True)
class Uploads:
    """The way to Slack's store of files."""

    client: AsyncWebClient
    session: aiohttp.ClientSession
    ask: Ask

    async def kept(self, name: str, data: bytes, alt: str = "") -> str:
        """Only the bot's own for now; its id."""
        file_id = await self._bytes(name, data, alt)
        await self._complete(file_id, name)
        return file_id

    async def begun(self, file: File) -> Uploaded:
        """For all of a channel, but not there before it is placed."""
        return Uploaded(await self._bytes(file.name, file.content.encode()), _safe(file.name))

    async def placed(self, uploaded: Uploaded, channel: str, thread: str = "") -> None:
        """For all who are there."""
        where = {"channel_id": channel, "thread_ts": thread or None}
        await self._complete(uploaded.file_id, uploaded.name, **where)

    async def to_person(self, file: File, user: str, asked_in: str) -> str:
        """For one person; where it is, in words."""
        file_id = await self._bytes(file.name, file.content.encode())
        said = f"The file that you asked for in <#{asked_in}>:" if asked_in[:1] in "CG" else ""
        post = partial(self.client.chat_postMessage, channel=user, unfurl_links=False)
        posted = await self.ask(partial(post, text=said or "The file that you asked for:"))
        await self._complete(file_id, file.name, channel_id=str(posted["channel"]))
        return f"{_safe(file.name)} is in your messages with this app"

    async def _bytes(self, name: str, data: bytes, alt: str = "") -> str:
        about = clipped(inert(alt), _ALT) or None
        begin = partial(self.client.files_getUploadURLExternal, alt_txt=about)
        begun = await self.ask(partial(begin, filename=_safe(name), length=len(data)))
        url = str(begun["upload_url"])
        await self.ask(lambda: self._sent(url, data))
        return str(begun["file_id"])

    async def _complete(self, file_id: str, name: str, **where: Any) -> None:
        files: list[dict[str, str | None]] = [{"id": file_id, "title": _safe(name)}]
        complete = self.client.files_completeUploadExternal
        await self.ask(lambda: complete(files=files, **where))

    async def _sent(self, url: str, data: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        async with self.session.post(url, data=data, headers=headers) as answer:
            status, wait = answer.status, seconds(answer.headers.get("Retry-After"))
        if status == 429:
            raise DeliveryDeferred(Reason.RATE_LIMITED, "upload", retry_after_s=wait)
        if status >= 500 or status == 408:
            raise DeliveryDeferred(Reason.SERVER_ERROR, f"upload: status {status}")
        if status != 200:
            raise DeliveryRefused(Reason.MESSAGE_REJECTED, f"upload: status {status}")


def _safe(name: str) -> str:
    return clipped(inert(name).strip(), _NAME) or "file"
