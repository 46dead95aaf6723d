"""Discord's endpoints for answers to interactions: the callback, `@original`, and followups.

They know no authorisation but the interaction's token, and no rate limits. The traps that are kept:
three seconds for the callback, one callback only, fifteen minutes for the rest; whether an answer
is for one reader alone is decided by the first; a followup to a mere promise takes its place.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tests.servers import discord_forms as forms
from tests.servers import discord_interaction as kinds
from tests.servers.chat import Call, Row
from tests.servers.discord_body import Upload, with_attachments
from tests.servers.discord_command_rules import STRING, choice_problems
from tests.servers.discord_commands import leaves
from tests.servers.discord_forms import Problem
from tests.servers.discord_interaction import Callback, Interaction
from tests.servers.discord_messages import Messages, Refused, check, form, missing_files
from tests.servers.discord_modals import modal_problems
from tests.servers.discord_rules import EPHEMERAL, LOADING, message_problems
from tests.servers.discord_store import StoredMessage

_ANSWER, _FOLLOWUP = 20, 19  # types of messages
_MAY = {
    kinds.COMMAND: {kinds.REPLY, kinds.DEFERRED_REPLY, kinds.MODAL},
    kinds.COMPONENT: {4, 5, 6, 7, kinds.MODAL},
    kinds.AUTOCOMPLETE: {kinds.CHOICES},
    kinds.MODAL_SUBMIT: {kinds.REPLY, kinds.DEFERRED_REPLY},
}
"""Callbacks by what they answer; a modal that a component opened may update its message too."""
_UPDATES = {kinds.DEFERRED_UPDATE, kinds.UPDATE}


class Interactions:
    """All that were dispatched, by their tokens."""

    def __init__(
        self, store: Messages, now: Callable[[], datetime], accepted: Callable[[str], None]
    ) -> None:
        self.callback_window = timedelta(seconds=3)
        self.token_window = timedelta(minutes=15)
        self.by_token: dict[str, Interaction] = {}
        self._store, self._now, self._accepted = store, now, accepted

    async def acknowledge(self, call: Call) -> Interaction:
        """The callback; the body is checked before it counts as the one there may be."""
        found = self.by_token.get(call.ids["token"])
        late = found is not None and self._now() - found.created > self.callback_window
        if found is None or found.id != int(call.ids["interaction"]):
            raise Refused(404, 10062, "Unknown interaction")
        if found.callback is not None:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        if late:
            raise Refused(404, 10062, "Unknown interaction")
        payload, uploads = await form(call)
        data = payload.get("data") or {}
        check(list(_problems(found, payload, uploads)))
        callback = Callback(payload["type"], data, time.monotonic())
        if callback.type in _UPDATES:
            found.own = found.message
        if callback.type == kinds.UPDATE and found.message is not None and data:
            self._store.change(found.message, with_attachments(data, uploads), uploads)
        elif callback.type == kinds.REPLY:
            found.own = self._post(found, _ANSWER, data, uploads)
        elif callback.type == kinds.DEFERRED_REPLY:
            found.own = self._post(found, _ANSWER, {}, {})
            found.own.flags = LOADING | (data.get("flags") or 0) & EPHEMERAL
            self._place(found.own)
        found.take(callback)
        self._told(found, call)
        return found

    async def follow_up(self, call: Call) -> StoredMessage:
        """Another message, or the promised one, as Discord still does it."""
        found = self._live(call)
        payload, uploads = await form(call)
        payload = with_attachments(payload, uploads)
        check(message_problems(payload, interaction=True) or missing_files(payload, uploads))
        if found.own is not None and found.own.flags & LOADING:
            kept = {name: value for name, value in payload.items() if name != "flags"}
            self._edit(found.own, kept, uploads)
            self._told(found, call, answer=True)
            return found.own
        message = self._post(found, _FOLLOWUP, payload, uploads)
        if found.own is not None:
            ids = {"channel_id": str(found.channel_id), "message_id": str(found.own.id)}
            message.reference = {"type": 0, **ids}
        found.followups.append(message)
        self._told(found, call, answer=True)
        return message

    def get(self, call: Call) -> StoredMessage:
        """One of the interaction's own messages."""
        return self._message(self._live(call), call.ids["own"])

    async def edit(self, call: Call) -> StoredMessage:
        """Change it; the first time this keeps the promise."""
        found = self._live(call)
        message = self._message(found, call.ids["own"])
        payload, uploads = await form(call)
        check(message_problems(payload, edit=True, interaction=True))
        self._edit(message, payload, uploads)
        self._told(found, call, answer=message is found.own)
        return message

    def delete(self, call: Call) -> None:
        """Take it away."""
        found = self._live(call)
        self._message(found, call.ids["own"]).deleted = True
        self._told(found, call)

    def refused(self, call: Call, why: Refused) -> None:
        """To be called with every refusal, so that the interaction knows of its own."""
        found = self.by_token.get(call.ids.get("token", ""))
        if found is not None:
            found.refused.append(why.code)
            found.tell()

    def _edit(self, message: StoredMessage, payload: Row, uploads: Mapping[int, Upload]) -> None:
        self._store.change(message, payload, uploads)
        message.flags &= ~LOADING

    def _live(self, call: Call) -> Interaction:
        """The interaction of a webhook's token, if that is still worth something."""
        found = self.by_token.get(call.ids["token"])
        if int(call.ids["application"]) != self._store.guild.bot_id:
            raise Refused(404, 10015, "Unknown Webhook")
        if found is None or self._now() - found.created > self.token_window:
            raise Refused(401, 50027, "Invalid Webhook Token")
        if found.callback is None or found.callback.type == kinds.CHOICES:
            raise Refused(404, 10015, "Unknown Webhook")
        return found

    def _message(self, found: Interaction, name: str) -> StoredMessage:
        own = [found.own] if found.own is not None else []
        if name != "@original":
            own = [m for m in [*own, *found.followups] if m.id == int(name)]
        if not own or own[0].deleted:
            raise Refused(404, 10008, "Unknown Message")
        return own[0]

    def _post(
        self, found: Interaction, kind: int, payload: Row, uploads: Mapping[int, Upload]
    ) -> StoredMessage:
        at = self._now()
        new, bot = self._store.snowflakes.next(at), self._store.guild.bot_id
        message = StoredMessage(new, found.channel_id, bot, at, type=kind, origin=_origin(found))
        self._store.fill(message, with_attachments(payload, uploads), uploads)
        self._place(message)
        return message

    def _place(self, message: StoredMessage) -> None:
        """In its channel, or where no one else finds it."""
        channel = self._store.channels[message.channel_id].messages
        for place in (channel, self._store.ephemeral):
            if message in place:
                place.remove(message)
        (self._store.ephemeral if message.flags & EPHEMERAL else channel).append(message)

    def _told(self, found: Interaction, call: Call, *, answer: bool = False) -> None:
        found.tell(answer=answer)
        self._accepted(call.operation)


def callback_body(found: Interaction, message: Row | None) -> Row:
    """The answer to a callback whose client wants a body."""
    assert found.callback is not None
    told = {"id": str(found.id), "type": found.kind}
    kind = {"type": found.callback.type}
    if message is None:
        return {"interaction": told, "resource": kind}
    flags = int(message["flags"])
    more = {
        "response_message_id": message["id"],
        "response_message_loading": bool(flags & LOADING),
        "response_message_ephemeral": bool(flags & EPHEMERAL),
    }
    return {"interaction": {**told, **more}, "resource": {**kind, "message": message}}


def _origin(found: Interaction) -> Row:
    user = found.payload.get("user") or found.payload["member"]["user"]
    owners = found.payload["authorizing_integration_owners"]
    shown = {"id": str(found.id), "type": found.kind, "user": user}
    return {**shown, "authorizing_integration_owners": owners}


def _problems(found: Interaction, payload: Row, uploads: Mapping[int, Upload]) -> Iterator[Problem]:
    yield from forms.keys(payload, (), {"type", "data"})
    kind, data = payload.get("type"), payload.get("data")
    may = set(_MAY[found.kind])
    if found.kind == kinds.MODAL_SUBMIT and found.message is not None:
        may |= _UPDATES
    if kind not in may:
        yield forms.choice(("type",), ", ".join(map(str, sorted(may))))
        return
    if data is not None and not isinstance(data, dict):
        yield Problem(("data",), "MODEL_TYPE_CONVERT", "Only dictionaries may be used")
        return
    data = with_attachments(data or {}, uploads)
    if kind == kinds.REPLY:
        inner = message_problems(data, interaction=True) or missing_files(data, uploads)
    elif kind == kinds.UPDATE:
        inner = message_problems(data, edit=True, interaction=True)
    elif kind == kinds.MODAL:
        inner = list(modal_problems(data, ()))
    elif kind == kinds.CHOICES:
        inner = list(_choices(found, data))
    else:
        inner = list(forms.keys(data, (), {"flags"}))
        if (data.get("flags") or 0) & ~EPHEMERAL:
            inner.append(forms.choice(("flags",), "EPHEMERAL"))
    # An empty message is refused as such, wherever it is; all else is told with its place.
    yield from (p if p.code == "50006" else replace(p, path=("data", *p.path)) for p in inner)


def _choices(found: Interaction, data: Row) -> Iterator[Problem]:
    yield from forms.keys(data, (), {"choices"})
    typing = [o for o in leaves(found.payload["data"]["options"]) if o.get("focused")]
    if not isinstance(data.get("choices"), list):
        yield forms.required(("choices",))
    yield from choice_problems(data, (), typing[0]["type"] if typing else STRING)
