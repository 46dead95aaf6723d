"""Pictures on Slack: uploaded to no channel, waited for, then shown in messages of many."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from alerts.model import Picture
from bot.platforms.slack_checks import Ask
from bot.platforms.slack_files import Uploads
from bot.platforms.slack_text import PICTURES, Shown
from core.errors import DeliveryRefused, Reason

T = TypeVar("T")

_KEPT = 500
_NOT_AGAIN_FOR = timedelta(minutes=5)
"""So long nobody waits again for a picture that Slack did not get ready."""

_UNREADY = "Slack did not get the file ready in time"


class Pictures:
    """Each picture is uploaded once, one at a time, however many channels are to show it."""

    def __init__(
        self,
        client: AsyncWebClient,
        session: aiohttp.ClientSession,
        ask: Ask,
        now: Callable[[], datetime],
        *,
        polls: int = 20,
        poll_every_s: float = 0.5,
    ) -> None:
        self._client, self._ask, self._now = client, ask, now
        self._uploads = Uploads(client, session, ask)
        self._polls, self._poll_every_s = polls, poll_every_s
        self._there: OrderedDict[bytes, str] = OrderedDict()
        self._unready: OrderedDict[bytes, datetime] = OrderedDict()
        self._uploaded: OrderedDict[bytes, str] = OrderedDict()
        """Those that nobody waited for to the end: whoever asks next need not upload them."""
        self._one_at_a_time = asyncio.Lock()

    async def shown(self, pictures: Sequence[Picture]) -> tuple[list[Shown], str]:
        """Those that Slack can show by now, and why not all; empty if it is all."""
        ready, fallback = [], ""
        for picture in pictures[:PICTURES]:
            try:
                file_id = await self._file_id(picture)
            except DeliveryRefused as refused:
                if refused.reason is Reason.TOKEN_REFUSED:
                    raise
                fallback = f"no picture: {refused.seen}"
                continue
            ready.append(Shown(file_id, picture.alt))
        return ready, fallback

    def forget(self, pictures: Sequence[Picture]) -> None:
        """Slack does not have them any more, or not for us."""
        for picture in pictures:
            self._there.pop(_digest(picture), None)

    async def _file_id(self, picture: Picture) -> str:
        digest = _digest(picture)
        async with self._one_at_a_time:
            if digest not in self._there:
                _keep(self._there, digest, await self._made_ready(picture, digest))
            self._there.move_to_end(digest)
            return self._there[digest]

    async def _made_ready(self, picture: Picture, digest: bytes) -> str:
        failed_at = self._unready.pop(digest, None)
        if failed_at is None or not timedelta() <= self._now() - failed_at < _NOT_AGAIN_FOR:
            name = picture.name or "chart.png"
            file_id = self._uploaded.pop(digest, "") or await self._uploads.kept(
                name, picture.png, picture.alt
            )
            try:
                if await self._is_ready(file_id):
                    return file_id
            except asyncio.CancelledError:
                _keep(self._uploaded, digest, file_id)
                raise
            failed_at = self._now()
        _keep(self._unready, digest, failed_at)
        raise DeliveryRefused(Reason.MESSAGE_REJECTED, _UNREADY)

    async def _is_ready(self, file_id: str) -> bool:
        for _ in range(self._polls):
            told = await self._ask(lambda: self._client.files_info(file=file_id))
            if (told["file"] or {}).get("mimetype"):
                return True
            await asyncio.sleep(self._poll_every_s)
        return False


def _keep(kept: OrderedDict[bytes, T], digest: bytes, value: T) -> None:
    kept[digest] = value
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _digest(picture: Picture) -> bytes:
    return sha256(picture.png + picture.alt.encode(errors="replace")).digest()
