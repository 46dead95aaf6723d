"""The half of the local Slack that begins things: people who command, press, submit and mention."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Literal

from aiohttp import web

from tests.servers import slack_payloads as payloads
from tests.servers.chat import Call, ChatServer, Row
from tests.servers.faults import Answer, Delay, Fault
from tests.servers.slack_asked import Asked, Changes, Kind, Thing
from tests.servers.slack_files import Files
from tests.servers.slack_form import Impossible, action, pressed, state
from tests.servers.slack_hooks import HOOKS, Hooks
from tests.servers.slack_http import Requests, Signing, payload_of
from tests.servers.slack_messages import Messages
from tests.servers.slack_people import Ephemerals, People
from tests.servers.slack_socket import LINK, Sockets
from tests.servers.slack_store import (
    BOT_USER,
    CHANNEL,
    SOMEONE,
    Ephemeral,
    StoredChannel,
    StoredMessage,
    StoredView,
    named,
)
from tests.servers.slack_views import Views

SIGNED = Signing()


class DrivenServer(ChatServer):
    """People at work, whose doings reach the bot by Socket Mode or by HTTP."""

    def __init__(self, *, port: int, now: Callable[[], datetime], clock_shift: timedelta) -> None:
        super().__init__(port=port, now=now, clock_shift=clock_shift)
        self.mode: Literal["socket", "http"] = "socket"
        self.changes = Changes()
        self.uploads = Files(self.accepted)
        self.store = Messages(self.now, self.accepted, self.uploads.files)
        self.people = People()
        self.ephemerals = Ephemerals(self.now, self.accepted, self.people)
        self.hooks = Hooks(self.now, self.accepted, self.store, self.ephemerals)
        self.modals = Views(self.now, self.accepted)
        self.sockets = Sockets(self.now, self.changes, self.acknowledge)
        self.http = Requests(self.acknowledge)
        self.asked: list[Asked] = []
        """All that was asked, oldest first."""
        self.ack_within_s = 3.0
        """An ack that comes later is of no use any more."""

    @property
    def views(self) -> list[StoredView]:
        """The modals that are open now, the topmost last."""
        return [view for view in self.modals.views.values() if view.is_open]

    def http_to(self, url: str, signing_secret: str) -> None:
        """From now on everything goes to this address, signed."""
        self.mode, self.http.url, self.http.signing_secret = "http", url, signing_secret

    async def until(self, holds: Callable[[], object], within_s: float = 3.0) -> None:
        """Wait for something that the server will hear of; it must come true in time."""
        assert await self.changes.until(holds, within_s), f"not within {within_s} s"

    async def command(
        self,
        command: str,
        text: str = "",
        *,
        user_id: str = SOMEONE,
        channel_id: str = CHANNEL,
        signing: Signing = SIGNED,
    ) -> Asked:
        """Someone gives a slash command; in a place the bot was never in, if it must be."""
        asked = self._begun("slash_commands", user_id, channel_id)
        person, channel = self._person(user_id), self._place(channel_id)
        asked.payload = payloads.command(command, text, person, channel) | self._ways_back(asked)
        return await self._dispatch(asked, signing)

    async def press(
        self,
        source: Thing,
        action_id: str,
        *,
        value: str | None = None,
        block_id: str | None = None,
        values: Mapping[str, object] | None = None,
        user_id: str | None = None,
        signing: Signing = SIGNED,
    ) -> Asked:
        """Someone presses a button or chooses from a menu, of a message, ephemeral or modal.

        A menu needs the value that is chosen; a button's own value tells it from others of its
        name. `values` are what is filled in elsewhere, as in `submit`.
        """
        _visible(source)
        person = user_id or (SOMEONE if isinstance(source, StoredMessage) else source.user)
        asked = self._begun("interactive", person, source.channel, source)
        blocks = named(source.blocks)
        block, element = pressed(blocks, action_id, value, block_id)
        done = action(block, element, value, f"{self.now().timestamp():.6f}")
        chosen = {} if element["type"] in ("button", "overflow") else {action_id: value}
        shown = state(blocks, chosen | dict(values or {}))
        who, where = self._person(person), self._place(source.channel)
        asked.payload = payloads.block_actions(source, done, shown, who, where)
        ways = self._ways_back(asked)
        if isinstance(source, StoredView):
            del ways["response_url"]
        asked.payload |= ways
        return await self._dispatch(asked, signing)

    async def submit(
        self,
        view: StoredView,
        values: Mapping[str, object] | None = None,
        *,
        signing: Signing = SIGNED,
    ) -> Asked:
        """Someone submits a modal; values go by action_id, or by block_id."""
        _visible(view)
        asked = self._begun("interactive", view.user, view.channel, view)
        filled = state(named(view.blocks), values or {}, submit=True)
        asked.payload = payloads.view_submission(view, filled, self._person(view.user))
        asked.payload["trigger_id"] = self.modals.issue(asked)
        return await self._dispatch(asked, signing)

    async def dismiss(self, view: StoredView, *, signing: Signing = SIGNED) -> Asked | None:
        """Someone closes a modal, of which the bot hears only if it wants to."""
        _visible(view)
        view.is_open = False
        if not view.body.get("notify_on_close"):
            return None
        asked = self._begun("interactive", view.user, view.channel, view)
        asked.payload = payloads.view_closed(view, self._person(view.user))
        return await self._dispatch(asked, signing)

    async def mention(
        self,
        text: str,
        thread_ts: str | None = None,
        *,
        user_id: str = SOMEONE,
        channel_id: str = CHANNEL,
        signing: Signing = SIGNED,
    ) -> Asked:
        """Someone speaks to the bot; its name is put in front."""
        channel = self._place(channel_id)
        message = self.store.stored(channel, user_id, f"<@{BOT_USER}> {text}")
        message.thread_ts, message.client_msg_id = thread_ts, str(uuid.uuid4())
        asked = self._begun("events_api", user_id, channel_id)
        asked.thread_ts = thread_ts or message.ts
        asked.payload = payloads.app_mention(message, self.now())
        return await self._dispatch(asked, signing)

    async def redeliver(
        self,
        asked: Asked,
        *,
        retry_attempt: int = 1,
        retry_reason: str = "timeout",
        same_envelope: bool = False,
        signing: Signing = SIGNED,
    ) -> Asked:
        """The same once more, event_id and all, as Slack does when an ack got lost.

        What is shown for it by the old response_url is still told of the first `Asked`.
        """
        again = self._begun(asked.kind, asked.user_id, asked.channel_id, asked.source)
        again.payload, again.thread_ts = asked.payload, asked.thread_ts
        again.retry_attempt, again.retry_reason = retry_attempt, retry_reason
        if same_envelope:
            again.envelope_id = asked.envelope_id
        return await self._dispatch(again, signing)

    def acknowledge(self, asked: Asked, told: object) -> None:
        """An ack came, by whichever way; it may say something, if it is not too late."""
        asked.acks += 1
        if asked.ack is None:
            asked.ack, asked.acked_at = payload_of(told), time.monotonic()
            if asked.ack_took_s > self.ack_within_s:
                asked.refusals.append({"ok": False, "error": "too_late"})
            elif asked.payload.get("type") == "view_submission":
                self.modals.concluded(asked, asked.ack)
            elif asked.kind == "slash_commands" and asked.ack:
                self.hooks.show(asked, asked.ack, "ack")
        self.changes.tell()

    def accepted(self, operation: str) -> None:
        """To be called by what stores something, after it has."""
        self.changes.tell()
        super().accepted(operation)

    def noticed(self, thing: Ephemeral | StoredMessage, body: Row) -> None:
        """The bot wrote without a response_url: it is told of the last that it can belong to."""
        for asked in reversed(self.asked):
            if asked.channel_id != thing.channel:
                continue
            if isinstance(thing, Ephemeral):
                if asked.user_id == thing.user:
                    return asked.shows("ephemeral", body, thing)
            elif asked.thread_ts is not None and asked.thread_ts == thing.thread_ts:
                return asked.shows("message", body, thing)
        return None

    async def respond(self, call: Call) -> Answer:
        """Carry out what needs no token."""
        return self.hooks.receive(call.ids["hook"], call.body)

    def route(self, method: str, path: str) -> tuple[str, Mapping[str, str]]:
        """Everything but the Web API."""
        if path.startswith(HOOKS):
            return "response_url", {"hook": path.removeprefix(HOOKS)}
        return "", {}

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.startswith(LINK):
            return await super()._handle(request)
        if self.on_request is not None:
            self.on_request("link")
        early = self.before.take("link")
        if isinstance(early, Delay):
            await asyncio.sleep(early.seconds)
        if isinstance(early, Delay) or type(early) is Fault:
            return await self.sockets.connect(request)
        return await early.send(request, early.spoil(Answer(500)))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up on everyone."""
        await self.sockets.close(1001)
        await self.http.close()
        await super().__aexit__(kind, error, trace)

    def _begun(
        self, kind: Kind, user_id: str, channel_id: str, source: Thing | None = None
    ) -> Asked:
        return Asked(kind, user_id, channel_id, self.changes, source=source)

    async def _dispatch(self, asked: Asked, signing: Signing) -> Asked:
        self.asked.append(asked)
        if self.mode == "http":
            self.http.dispatch(asked, signing)
        else:
            await self.sockets.dispatch(asked)
        return asked

    def _ways_back(self, asked: Asked) -> Row:
        url, trigger = self.hooks.issue(asked, self.url), self.modals.issue(asked)
        return {"response_url": url, "trigger_id": trigger}

    def _person(self, user_id: str) -> Row:
        return {"id": user_id, "name": self.people.name(user_id)}

    def _place(self, channel_id: str) -> StoredChannel:
        """Commands work wherever people are: also where the bot has never been."""
        known = self.store.channels.get(channel_id)
        if known is None:
            direct = channel_id.startswith("D")
            known = StoredChannel(channel_id, channel_id.lower(), True, is_member=direct)
            self.store.channels[channel_id] = known
        return known


def _visible(thing: Thing) -> None:
    gone = not thing.is_open if isinstance(thing, StoredView) else thing.deleted
    if gone:
        raise Impossible("it is not there any more")
