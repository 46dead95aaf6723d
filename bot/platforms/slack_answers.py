"""Answers on Slack: to one person, in the end, whatever is in the way; or to all, and once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from alerts.model import File, Message
from bot.answers import Answer, Sharing, share_id
from bot.platforms.slack_drafts import Draft, Uploaded
from bot.platforms.slack_errors import is_about_a_file
from bot.platforms.slack_files import Uploads
from bot.platforms.slack_parts import is_short
from bot.platforms.slack_pictures import Pictures
from bot.platforms.slack_text import Look, Shown
from bot.platforms.slack_ways import Place, Ways
from core.errors import DeliveryError, DeliveryRefused, Reason

logger = logging.getLogger(__name__)

_NO_PICTURE = "its picture cannot be shown here"
_LATE = "Slack was not ready with its picture in time; asked for again it may be there"


@dataclass(frozen=True, slots=True)
class Answers:
    """The way back to those who asked."""

    ways: Ways
    pictures: Pictures
    uploads: Uploads
    picture_within_s: float = 5.0
    """So long the words wait for the picture."""
    again_after_s: Sequence[float] = (30.0, 120.0, 600.0)
    """When all ways failed, and might not later: less than the half hour that an address lasts."""

    async def drafted(self, place: Place, answer: Answer) -> Draft:
        """What there is to show of it; none of a public one is out before it is given."""
        message, short, uploaded = await self._with_files(place, answer)
        missing, shown = "", list[Shown]()
        try:
            async with asyncio.timeout(self.picture_within_s):
                shown, missing = await self.pictures.shown(answer.pictures)
        except DeliveryError as error:
            missing = error.seen or str(error)
        except TimeoutError:
            missing = _LATE
        if missing:
            logger.warning("a picture is not shown", extra={"seen": missing})
            message = _with_banner(message, _LATE if missing == _LATE else _NO_PICTURE)
        share = share_id(answer) if answer.share else ""
        look = Look(not answer.public, place.people, share, short)
        return Draft(message, tuple(shown), look, uploaded=uploaded)

    async def give(
        self, place: Place, answer: Answer, draft: Draft, sharing: Sharing | None = None
    ) -> None:
        """Show it; what is for all takes the place of what was shared.

        `sharing` of a public one is right at any time. DeliveryError for what nobody saw.
        """
        if answer.public:
            await self._to_all(place, answer, draft, sharing or Sharing())
        else:
            await self._to_one(place, answer, draft)

    async def say(self, place: Place, text: str) -> None:
        """A sentence to who asked."""
        await self.ways.to_one(place, Draft(Message("", text), look=Look(private=True), bare=True))

    async def _to_one(self, place: Place, answer: Answer, draft: Draft) -> None:
        for pause_s in self.again_after_s:
            try:
                await self._as_it_can_be(answer, draft, lambda made: self.ways.to_one(place, made))
            except DeliveryRefused:
                raise
            except DeliveryError as error:
                logger.warning("an answer waits for Slack", extra={"seen": str(error)})
            else:
                return
            await asyncio.sleep(pause_s)
        await self._as_it_can_be(answer, draft, lambda made: self.ways.to_one(place, made))

    async def _to_all(self, place: Place, answer: Answer, draft: Draft, sharing: Sharing) -> None:
        put = self.ways.to_all
        try:
            await self._as_it_can_be(answer, draft, lambda made: put(place, made, sharing))
        except DeliveryError as error:
            perhaps = "may not have been" if sharing.may_be_out else "cannot be"
            await self.say(place, f"It {perhaps} shared here: {error.seen or error}")
            return
        failed = [line for one in draft.uploaded if (line := await self._placed(one, place))]
        if failed:
            await self.say(place, "; ".join(failed))
        await self.ways.note(place, "Shared.")

    async def _placed(self, uploaded: Uploaded, place: Place) -> str:
        """Behind the message that speaks of it; what is to be said if that failed."""
        try:
            await self.uploads.placed(uploaded, place.channel, place.thread)
        except DeliveryError as error:
            return f"{uploaded.name} could not be put beside what is shared: {error.seen or error}"
        return ""

    async def _as_it_can_be(
        self, answer: Answer, draft: Draft, put: Callable[[Draft], Awaitable[None]]
    ) -> None:
        """As it was made; else without what was refused, and it says so."""
        while True:
            try:
                return await put(draft)
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

    async def _with_files(
        self, place: Place, answer: Answer
    ) -> tuple[Message, tuple[File, ...], tuple[Uploaded, ...]]:
        """Where its files are to be found; those that are shown in the message; those of all."""
        short = tuple(file for file in answer.message.files if is_short(file))
        told, uploaded = list[str](), list[Uploaded]()
        for file in answer.message.files:
            if file in short:
                continue
            try:
                if answer.public:
                    uploaded.append(await self.uploads.begun(file))
                    told.append(uploaded[-1].where(place.thread))
                else:
                    told.append(await self.uploads.to_person(file, place.user, place.channel))
            except DeliveryError as error:
                told.append(f"{file.name} could not be sent: {error.seen or error}")
        message = answer.message
        return replace(message, footer=(*told, *message.footer)), short, tuple(uploaded)


def _with_banner(message: Message, banner: str) -> Message:
    return replace(message, banners=(*message.banners, banner))
