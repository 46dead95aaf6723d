"""Discord as a place to deliver to, over its REST interface; no gateway is needed for that.

Once: Discord keeps a message's nonce for some minutes, so a resend within the first of them is the
same message. Later the key is looked for on the button of what stands in the channel.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from datetime import datetime, timedelta
from typing import Final, TypeVar

import discord
from discord.http import Route

from alerts.budget import clipped
from alerts.model import Check, Destination, Letter, Receipt, Tried
from alerts.words import inert
from bot.platforms import discord_checks as checks
from bot.platforms.discord_errors import (
    FOREIGN,
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    THREAD_ARCHIVED,
    THREAD_EXISTS,
    THREAD_LOCKED,
    TOO_MANY_THREADS,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    WRONG_CHANNEL_TYPE,
    code_of,
    translated,
)
from bot.platforms.discord_parts import (
    DELETED,
    Body,
    channel_id,
    custom_id,
    letter_view,
    message_id,
)
from bot.platforms.discord_search import Search
from bot.platforms.discord_text import rendered, text_only
from bot.platforms.network import nothing_sent
from bot.platforms.pacing import Pacing, always
from core.errors import (
    DeliveryAmbiguous,
    DeliveryError,
    DeliveryRefused,
    Reason,
)

NONCE_WINDOW = timedelta(seconds=60)
"""For so long a resend is harmless; Discord itself speaks of a few minutes."""

_THREAD_NAME = 100
_LOGIN_REQUESTS = 2
_NOBODY = discord.AllowedMentions.none()
_A_DAY_MIN: Final = 1_440
_NO_THREAD = (
    *(MISSING_ACCESS, MISSING_PERMISSIONS, WRONG_CHANNEL_TYPE),
    *(THREAD_LOCKED, THREAD_ARCHIVED, TOO_MANY_THREADS),
)
"""Where there can be none, or nothing can be said in it. A post opens an archived one again, unless
it is locked."""

T = TypeVar("T")


def pace(sure: Callable[[], bool] = always) -> Pacing:
    """16 letters at once; 47 requests a second, where Discord allows 50 to one bot."""
    return Pacing(16, request_gap_s=1 / 47, sure=sure)


def make_client() -> discord.Client:
    """One that mentions nobody, and does not wait behind a rate limit for longer than a letter."""
    # Nobody talks here: what voice would need is no warning.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    return discord.Client(
        intents=discord.Intents(guilds=True),
        allowed_mentions=_NOBODY,
        max_ratelimit_timeout=30,
    )


@asynccontextmanager
async def connected(
    token: str,
    api_url: str,
    *,
    now: Callable[[], datetime],
    pacing: Pacing | None = None,
    answer_within_s: float = 30.0,
) -> AsyncIterator["DiscordSender"]:
    """A sender with a client of its own, closed in the end. It logs in when it is first needed."""
    usual, Route.BASE = Route.BASE, api_url.rstrip("/")
    client = make_client()
    try:
        yield DiscordSender(client, token, now=now, pacing=pacing, answer_within_s=answer_within_s)
    finally:
        await client.close()
        Route.BASE = usual


class DiscordSender:
    """alerts.deliver.Sender over discord.py."""

    def __init__(
        self,
        client: discord.Client,
        token: str,
        *,
        now: Callable[[], datetime],
        pacing: Pacing | None = None,
        answer_within_s: float = 30.0,
        most_pages: int = 20,
    ) -> None:
        self.client = client
        self._token, self._now, self._pacing = token, now, pacing or pace()
        self._answer_within_s, self._most_pages = answer_within_s, most_pages
        self._login, self._failed_logins = asyncio.Lock(), 0
        self._login_failed: DeliveryError | None = None
        self._refused = ""

    def turn(self, destination: Destination) -> AbstractAsyncContextManager[None]:
        """Held while a letter is on its way."""
        return self._pacing.turn(destination.channel)

    async def send(self, destination: Destination, letter: Letter) -> Receipt:
        """Post it; an anchored one in the thread of its anchor, or as a reply if that cannot be."""
        channel = channel_id(destination.channel)
        if letter.anchor is None:
            return await self._post(channel, letter)
        anchor, asked = message_id(letter.anchor), False
        if letter.pictures or letter.message.rows:
            # They come first into a digest's thread: it is hardly there.
            await self._thread_made(channel, anchor, letter.message.title)
            asked = True
        while True:
            try:
                return await self._post(anchor, letter)
            except DeliveryRefused as refused:
                if code_of(refused) not in (UNKNOWN_CHANNEL, *_NO_THREAD):
                    raise
                if asked or code_of(refused) != UNKNOWN_CHANNEL:
                    break
            asked = True
            if not await self._thread_made(channel, anchor, letter.message.title):
                break
        return await self._post(channel, letter, reply_to=anchor)

    async def find(self, destination: Destination, letter: Letter, tried: Tried) -> Receipt | None:
        """Where an earlier send arrived; within the nonce's time nobody has to look."""
        if timedelta() <= self._now() - tried.since < NONCE_WINDOW:
            return None
        channel = channel_id(destination.channel)
        search = Search(self.client, self.ask, self._most_pages)
        try:
            thread = message_id(letter.anchor) if letter.anchor else None
            found = await search.found(thread, channel, custom_id(letter.token), tried)
            if found is None:
                await search.must_be_readable(channel)
        except DeliveryRefused as refused:
            if refused.reason is Reason.CHANNEL_GONE:
                raise
            seen = f"{refused.reason} ({refused.seen})"
            raise DeliveryAmbiguous(Reason.LOOK_UP_IMPOSSIBLE, seen) from refused
        return None if found is None else Receipt(str(found))

    async def edit(self, destination: Destination, receipt: Receipt, letter: Letter) -> Receipt:
        """Put it in the place of a message. Files of the old one are taken away."""
        channel, message = channel_id(destination.channel), message_id(receipt)

        there = self._channel(channel).get_partial_message(message)

        async def put(body: Body) -> None:
            await there.edit(
                content=body.made.content,
                embeds=body.made.embeds,
                attachments=body.files(),
                view=letter_view(letter, clicks=body.clicks),
                allowed_mentions=_NOBODY,
            )

        _, fallback = await self._as_it_can_be(letter, put)
        return Receipt(receipt.message_id, fallback)

    async def examine(self, destination: Destination) -> Sequence[Check]:
        """What the channel needs, by looking only."""
        return await checks.examined(destination.channel, self.ask, self.client)

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """A question: nothing of it can arrive in a channel."""
        try:
            return await self._request(call)
        except DeliveryAmbiguous as error:
            raise nothing_sent(error) from error

    async def _request(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._logged_in()
        await self._pacing.request()
        return await self._bounded(call)

    async def _bounded(self, call: Callable[[], Awaitable[T]]) -> T:
        if self._refused:
            # Ten thousand refused requests, and Discord bans the address.
            raise DeliveryRefused(Reason.TOKEN_REFUSED, self._refused)
        try:
            async with asyncio.timeout(self._answer_within_s):
                return await call()
        except FOREIGN as error:
            if isinstance(error, RuntimeError) and not self.client.is_closed():
                raise
            if isinstance(error, TimeoutError) and self.client.http._global_over:
                # discord.py cut short in the pause of a global limit would leave all others in it.
                self.client.http._global_over.set()
            found = translated(error)
            if found.reason is Reason.TOKEN_REFUSED:
                self._refused = found.seen
            raise found from error

    async def _logged_in(self) -> None:
        before = self._failed_logins
        async with self._login:
            if self.client.user is not None and self.client.application_id is not None:
                return
            if self._failed_logins != before and self._login_failed is not None:
                # Whoever stood before us has just asked.
                raise copy(self._login_failed)
            for _ in range(_LOGIN_REQUESTS):
                await self._pacing.request()
            try:
                await self._bounded(lambda: self.client.login(self._token))
            except DeliveryError as error:
                # A failed login leaves a session behind, and a client that cannot log in again.
                await self.client.http.close()
                self.client.http.clear()
                self.client.http.connector = discord.utils.MISSING
                self._failed_logins += 1
                self._login_failed = nothing_sent(error)
                raise self._login_failed from error

    async def _post(self, channel: int, letter: Letter, reply_to: int = 0) -> Receipt:
        reference = discord.MessageReference(
            message_id=reply_to, channel_id=channel, fail_if_not_exists=False
        )
        to = self._channel(channel)

        async def put(body: Body) -> discord.Message:
            return await to.send(
                body.made.content,
                embeds=body.made.embeds,
                files=body.files(),
                view=letter_view(letter, clicks=body.clicks),
                nonce=letter.token,
                silent=letter.silent,
                allowed_mentions=_NOBODY,
                reference=reference if reply_to else None,  # type: ignore[arg-type]
            )

        try:
            sent, fallback = await self._as_it_can_be(letter, put)
        except DeliveryRefused as refused:
            if code_of(refused) != UNKNOWN_MESSAGE:
                raise
            # The nonce is known, and its message is not there any more.
            return Receipt(DELETED)
        if not sent.embeds and not fallback and rendered(letter.message).embeds:
            fallback = await self._in_words(sent, letter)
        return Receipt(str(sent.id), fallback)

    async def _as_it_can_be(
        self, letter: Letter, put: Callable[[Body], Awaitable[T]]
    ) -> tuple[T, str]:
        """As it was made; else without what was refused, and why: surely nothing was accepted."""
        whole = Body.whole(letter.message, letter.pictures)
        try:
            return await self._request(lambda: put(whole)), ""
        except DeliveryRefused as refused:
            rejected = refused.reason is Reason.MESSAGE_REJECTED
            if rejected and code_of(refused) not in _NO_THREAD:
                plain = Body.in_words(letter.message)
            elif (whole.pictures or whole.texts) and code_of(refused) == MISSING_PERMISSIONS:
                plain = Body.without_files(letter.message)
            else:
                raise
            fallback = refused.seen
        return await self._request(lambda: put(plain)), fallback

    async def _in_words(self, sent: discord.Message, letter: Letter) -> str:
        """Without the permission to embed, Discord takes a message and drops all but its lead."""
        content = text_only(letter.message).content
        why = "no permission to embed links (Embed Links)"
        try:
            await self._request(lambda: sent.edit(content=content, allowed_mentions=_NOBODY))
        except DeliveryError as error:
            # It is there, with its lead at least: to post it again would make two of it.
            return f"{why}; only the lead is surely there: {error.reason}"
        return why

    async def _thread_made(self, channel: int, anchor: int, title: str) -> bool:
        """Whether there is a thread now; False where none can be."""
        name = clipped(inert(title).strip(), _THREAD_NAME) or "Tapewatch"
        start = self.client.http.start_thread_with_message
        try:
            await self.ask(
                lambda: start(channel, anchor, name=name, auto_archive_duration=_A_DAY_MIN)
            )
        except DeliveryRefused as refused:
            if code_of(refused) not in (THREAD_EXISTS, *_NO_THREAD):
                raise
            return code_of(refused) == THREAD_EXISTS
        return True

    def _channel(self, channel: int) -> discord.PartialMessageable:
        return self.client.get_partial_messageable(channel)
