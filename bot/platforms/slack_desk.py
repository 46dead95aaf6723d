"""What reaches us from Slack, acknowledged at once, then carried out and answered.

bolt loses the ack of a listener that fails right after it, and gives none to what it has no
listener for. So nothing gets as far as its listeners: all that is well signed is acknowledged here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.answers import Answer, Sharing
from bot.forms import Form
from bot.permissions import Asker
from bot.platforms import slack_forms as forms
from bot.platforms.network import ODD
from bot.platforms.slack_answers import Answers
from bot.platforms.slack_errors import error_of
from bot.platforms.slack_groups import Groups
from bot.platforms.slack_link import Identity
from bot.platforms.slack_ways import Place, ask
from bot.platforms.slack_words import mentioned, typed
from bot.platforms.work import Work
from bot.reception import Reception
from core.errors import DeliveryError, TapewatchError

logger = logging.getLogger(__name__)

Body = Mapping[str, Any]

_LEAVING = "Tapewatch is being restarted: please ask again in a minute."
_PERHAPS_SHARED = (
    "Tapewatch is being restarted, and it is not known whether this was shared: if it is not here,"
    " please ask once more in a minute, and share that."
)
_FAILED = "That failed on our side; the log has the details. Please ask again."
_UNKNOWN = "Nothing here answers to that. /help lists what can be asked."


class Unreadable(TapewatchError):
    """Signed, and yet not what Slack says that it sends."""


@dataclass(slots=True)
class Desk:
    """One workspace's questions."""

    me: Identity
    client: AsyncWebClient
    reception: Reception
    answers: Answers
    groups: Groups
    work: Work
    leaving: bool = False
    """Whoever asks now is told to ask again."""
    _unreadable: set[str] = field(default_factory=set)
    """The kinds that such was met of."""

    async def heard(self, body: Body) -> BoltResponse:
        """The ack, before anything is done about it."""
        if self.leaving and "command" in body:
            return BoltResponse(status=200, body=_LEAVING)
        kind = str(body.get("type") or "command")
        if kind == "block_suggestion":
            return BoltResponse(status=200, body={"options": []})
        self.work.begin(self._carried_out(kind, body), kind)
        return BoltResponse(status=200, body="")

    async def _carried_out(self, kind: str, body: Body) -> None:
        try:
            match kind:
                case "command":
                    await self._command(body)
                case "block_actions":
                    await self._pressed(body)
                case "view_submission":
                    await self._submitted(body)
                case "event_callback":
                    await self._event(body)
                case _:
                    if body.get("response_url"):
                        with _reading():
                            place = _place(body)
                        await self.answers.say(place, _UNKNOWN)
        except Unreadable as error:
            if kind not in self._unreadable:
                self._unreadable.add(kind)
                facts = {"what": kind, "seen": str(error)}
                logger.warning("what Slack has sent cannot be read; it is ignored", extra=facts)
        except DeliveryError as error:
            logger.warning("an answer did not arrive", extra={"what": kind, "seen": str(error)})

    async def _command(self, body: Body) -> None:
        if "command" not in body:
            return
        line = typed(str(body["command"]), str(body.get("text") or ""))
        with _reading():
            place = Place(
                channel=str(body["channel_id"]),
                user=str(body["user_id"]),
                name=str(body.get("user_name") or ""),
                response_url=str(body.get("response_url") or ""),
            )
        trigger = str(body.get("trigger_id") or "")
        form = forms.form_for(line)
        if form is not None and await self._shown(form, place, trigger):
            return
        await self._typed(trigger or place.response_url, place, line)

    async def _shown(self, form: Form, place: Place, trigger: str) -> bool:
        """Whether there is a window now, or they were told why there is none."""
        # Nobody is looked up first: a trigger is good for three seconds.
        roles = self.groups.known(place.user)
        asker = Asker("slack", place.user, place.channel, roles or frozenset())
        refused = await self.reception.opens(asker, form, roles_known=roles is not None)
        if refused is None:
            return await self._opened(form, place, trigger)

        async def said(_: Asker) -> Answer:
            return refused

        await self._answered(place, said)
        return True

    async def _opened(self, form: Form, place: Place, trigger: str) -> bool:
        """Whether there is a window now, or was one for the same command before."""
        back = {"channel": place.channel, "name": place.name, "url": place.response_url}
        try:
            view = forms.view(form, back)
            await ask(lambda: self.client.views_open(trigger_id=trigger, view=view))
        except DeliveryError as error:
            if error_of(error) == "exchanged_trigger_id":
                return True
            logger.warning("a form did not open", extra={"form": form.command, "seen": str(error)})
            return False
        return True

    async def _submitted(self, body: Body) -> None:
        with _reading():
            view = body["view"]
            form, back = forms.form_of(view), forms.metadata(view)
            place = Place(
                channel=str(back.get("channel") or ""),
                user=str(body["user"]["id"]),
                name=str(back.get("name") or ""),
                response_url=str(back.get("url") or ""),
            )
            once = f"{view['id']} {view.get('hash')}"
            line = None if form is None else forms.line_of(form, view)
        if line is None:
            return await self.answers.say(place, _UNKNOWN)
        return await self._typed(once, place, line)

    async def _pressed(self, body: Body) -> None:
        with _reading():
            done = (body.get("actions") or [{}])[0]
            chosen = done.get("selected_option") or {}
            button = str(chosen.get("value") or done.get("action_id") or "")
            once, place = f"slack:{body['trigger_id']}", _place(body)
        await self._answered(place, lambda who: self.reception.pressed(once, who, button))

    async def _event(self, body: Body) -> None:
        with _reading():
            event = body.get("event") or {}
            said_by_a_bot = event.get("bot_id") or event.get("user") == self.me.user
            if event.get("type") != "app_mention" or said_by_a_bot or "edited" in event:
                return
            place = Place(
                channel=str(event["channel"]),
                user=str(event["user"]),
                thread=str(event.get("thread_ts") or ""),
            )
        line = mentioned(str(event.get("text") or ""), self.me.user)
        once = body.get("event_id") or f"{place.channel} {event.get('ts')}"
        await self._typed(str(once), place, line)

    async def _typed(self, once: str, place: Place, line: str) -> None:
        typed = self.reception.typed
        await self._answered(place, lambda asker: typed(f"slack:{once}", asker, line))

    async def _answered(
        self, place: Place, make: Callable[[Asker], Awaitable[Answer | None]]
    ) -> None:
        if self.leaving:
            await self.answers.say(place, _LEAVING)
            return
        clock = asyncio.get_running_loop().time
        came, answer, sorry, sharing = clock(), None, _FAILED, Sharing()
        try:
            roles = await self.groups.of(place.user)
            doubt = self.groups.doubt
            answer = await make(Asker("slack", place.user, place.channel, roles, doubt=doubt))
            if answer is not None:
                draft = await self.answers.drafted(place, answer)
                await self.answers.give(place, answer, draft, sharing)
                self.reception.timings.answered("slack", clock() - came)
            sorry = ""
        except DeliveryError:
            # All ways to them were tried.
            sorry = ""
            raise
        except asyncio.CancelledError:
            # The process stops, and nobody will answer this any more: not even silence is left.
            sorry = _PERHAPS_SHARED if sharing.may_be_out else _LEAVING
            raise
        finally:
            # Whatever it met, nobody waits for nothing.
            if answer is not None and answer.public and not sharing.may_be_out:
                await self.reception.not_shared(answer)
            if sorry:
                await self.answers.say(place, sorry)


@contextmanager
def _reading() -> Iterator[None]:
    """Nothing is done inside: what is odd here is the body."""
    try:
        yield
    except ODD as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _place(body: Body) -> Place:
    """Where something was pressed: in a thread, if the message is in one."""
    user, container = body.get("user") or {}, body.get("container") or {}
    message, channel = body.get("message") or {}, body.get("channel") or {}
    thread = str(container.get("thread_ts") or message.get("thread_ts") or "")
    # What a thread hangs on has its own time for it, and is seen in the channel.
    in_thread = thread != str(container.get("message_ts") or message.get("ts") or "")
    return Place(
        channel=str(channel.get("id") or container.get("channel_id") or ""),
        user=str(user.get("id") or ""),
        name=str(user.get("username") or user.get("name") or ""),
        thread=thread if in_thread else "",
        response_url=str(body.get("response_url") or ""),
    )
