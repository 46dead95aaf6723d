"""The two halves of an answer on Discord: the promise, at once, and the message that keeps it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import discord
from discord.ui import Button, View

from alerts.model import Message
from bot.answers import Answer, Sharing, share_id
from bot.platforms import network
from bot.platforms.discord_errors import FOREIGN, code_of, status_of, translated
from bot.platforms.discord_parts import Body, view
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryError

logger = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

TOO_LATE, ALREADY_ACKNOWLEDGED = 10062, 40060
UNKNOWN_WEBHOOK, TOKEN_OVER, UNKNOWN_MESSAGE = 10015, 50027, 10008
TOO_LARGE, MISSING_PERMISSIONS = 40005, 50013

SHARING, SHARED = Message("", "Sharing ..."), Message("", "Shared.")

_NOBODY = discord.AllowedMentions.none()
_ACK_WITHIN_S, _LIBRARY_RETRIES_AFTER_S = 2.5, 1.0
_EDIT_WITHIN_S = 20.0
_ENDED = (UNKNOWN_WEBHOOK, TOKEN_OVER, UNKNOWN_MESSAGE, TOO_LATE)


async def acknowledged(interaction: Interaction, send: Callable[[], Awaitable[object]]) -> bool:
    """Promise an answer. False if nobody waits for ours, or somebody else has promised theirs."""
    clock, sent_before = asyncio.get_running_loop().time, False
    for _ in range(2):
        began = clock()
        try:
            async with asyncio.timeout(_ACK_WITHIN_S):
                await send()
        except discord.HTTPException as error:
            # discord.py tries again a second after a 5xx: the one before may have been accepted.
            sent_before = sent_before or clock() - began >= _LIBRARY_RETRIES_AFTER_S
            if error.code == ALREADY_ACKNOWLEDGED and sent_before:
                return True
            expected = error.code in (TOO_LATE, ALREADY_ACKNOWLEDGED)
            facts = {"interaction": interaction.id, "seen": translated(error).seen}
            logger.log(
                logging.INFO if expected else logging.WARNING, "not acknowledged", extra=facts
            )
            return False
        except discord.InteractionResponded:
            return True
        except (*network.FOREIGN, *network.ODD):
            sent_before = True
        else:
            return True
    # It may have arrived: if it has not, there is nothing to put the answer into, and that is seen.
    return True


@dataclass(frozen=True, slots=True)
class Answers:
    """The way back to those who asked."""

    again_after_s: Sequence[float]
    """Pauses while Discord cannot be reached."""

    async def noted(self, interaction: Interaction) -> bool:
        """The promise of a public answer becomes a note, and nobody else has seen anything yet.

        The first followup of a promise would keep it, and be as private as it is. False if it
        failed.
        """
        return await self._shown(interaction, Answer(SHARING))

    async def given(
        self, interaction: Interaction, answer: Answer, sharing: Sharing | None = None
    ) -> None:
        """Keep the promise; a public answer, whose promise is a note already, goes to everybody.

        `sharing` of a public one is right at any time. A mistake of ours in the making is raised.
        """
        if answer.public:
            told = await self._shared(interaction, answer, sharing or Sharing())
            # A note that cannot be corrected changes nothing about that.
            answer = Answer(told)
        await self._shown(interaction, answer)

    async def _shared(self, interaction: Interaction, answer: Answer, sharing: Sharing) -> Message:
        """What is to be said of it to whoever wanted it."""

        async def put(body: Body) -> None:
            # What may have arrived is not sent again.
            once = partial(_follow_up, interaction, body, answer, sharing)
            await self._patiently(once, (DeliveryDeferred,))

        try:
            await _in_the_end(answer, put)
        except DeliveryError as error:
            perhaps = "may not have been" if sharing.may_be_out else "cannot be"
            return Message("", f"This {perhaps} shared here: {error.reason} ({error.seen})")
        return SHARED

    async def _shown(self, interaction: Interaction, answer: Answer) -> bool:
        """In the place of the promise: twice does what once does. False if it failed."""

        async def put(body: Body) -> None:
            again = (DeliveryDeferred, DeliveryAmbiguous)
            await self._patiently(partial(_edit, interaction, body, answer), again)

        try:
            await _in_the_end(answer, put)
        except DeliveryError as error:
            facts = {"interaction": interaction.id, "seen": error.seen}
            if code_of(error) in _ENDED:
                logger.info("an answer came too late to be shown", extra=facts)
            else:
                logger.warning("an answer could not be shown", extra=facts)
            return False
        return True

    async def _patiently(
        self, once: Callable[[], Awaitable[None]], again: tuple[type[DeliveryError], ...]
    ) -> None:
        for pause_s in self.again_after_s:
            try:
                return await once()
            except again as error:
                logger.warning("an answer waits for Discord", extra={"seen": error.seen})
            await asyncio.sleep(pause_s)
        return await once()


async def _in_the_end(answer: Answer, put: Callable[[Body], Awaitable[None]]) -> None:
    """As it is meant; else without what was refused."""
    message = answer.message
    try:
        await put(Body.whole(message, answer.pictures))
    except DeliveryError as error:
        if status_of(error) == 413 or code_of(error) in (TOO_LARGE, MISSING_PERMISSIONS):
            plain = Body.without_files(message)
        elif status_of(error) == 400:
            plain = Body.in_words(message)
        else:
            raise
        facts = {"seen": error.seen}
        logger.warning("an answer's layout was refused; shown without it", extra=facts)
        await put(plain)


async def _edit(interaction: Interaction, body: Body, answer: Answer) -> None:
    """Once. Raises DeliveryError."""
    files = _fitting(interaction, body).files()
    clicks = _clicks(body, answer, private=True)
    try:
        async with asyncio.timeout(_EDIT_WITHIN_S):
            await interaction.edit_original_response(
                content=body.made.content,
                embeds=body.made.embeds,
                attachments=files,
                view=clicks,
                allowed_mentions=_NOBODY,
            )
    except FOREIGN as error:
        raise translated(error) from error


async def _follow_up(
    interaction: Interaction, body: Body, answer: Answer, sharing: Sharing
) -> None:
    """Once. Raises DeliveryError; `sharing` is right whatever happens, also if it is cancelled."""
    files = _fitting(interaction, body).files()
    clicks = _clicks(body, answer, private=False)
    sharing.may_be_out = True
    try:
        async with asyncio.timeout(_EDIT_WITHIN_S):
            await interaction.followup.send(
                body.made.content,
                embeds=body.made.embeds,
                files=files,
                view=clicks,
                allowed_mentions=_NOBODY,
                ephemeral=False,
                wait=True,
            )
    except FOREIGN as error:
        failed = translated(error)
        sharing.may_be_out = isinstance(failed, DeliveryAmbiguous)
        raise failed from error


def _clicks(body: Body, answer: Answer, *, private: bool) -> View:
    """Its buttons and menus; of a private answer that can be shared, Share comes last."""
    if not body.clicks:
        return view(Message("", ""))
    share = None
    if private and answer.share:
        style = discord.ButtonStyle.primary
        share = Button[View](style=style, label="Share", custom_id=share_id(answer))
    return view(answer.message, share)


def _fitting(interaction: Interaction, body: Body) -> Body:
    """Without texts that are larger than Discord takes here."""
    most = interaction.filesize_limit
    return replace(
        body, texts=tuple(text for text in body.texts if len(text.content.encode()) <= most)
    )
