"""Slack's Web API on a local port, as far as a bot needs it that posts and is talked to.

The traps that are kept: a failure is a status of 200, metadata is told only when asked for, replies
are in no history, a file that is uploaded is not ready yet, nothing is posted once only because of
a client_msg_id, private channels need scopes of their own, and arguments come by query, form, JSON.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from tests.servers.chat import Buckets, Call, Rate, Row, json_answer
from tests.servers.faults import Answer, Status
from tests.servers.local import utc_now
from tests.servers.slack_driven import DrivenServer
from tests.servers.slack_messages import Refused, missing_scope
from tests.servers.slack_store import (
    BOT,
    BOT_USER,
    SOMEONE,
    TEAM,
    Ephemeral,
    StoredChannel,
    StoredFile,
    StoredMessage,
)

BASE, UPLOAD = "/api/", "/upload/v1/"
SCOPES = (
    *("chat:write", "channels:read", "channels:history", "groups:read", "groups:history"),
    *("files:write", "files:read", "commands", "app_mentions:read"),
    *("usergroups:read", "users:read"),
)
APP_TOKEN = "xapp-1-A0APP-invented"
PER_CHANNEL, WORKSPACE = Rate(1, 1.0), Rate(300, 60.0)

Method = Callable[[Mapping[str, Any], frozenset[str]], Row]
_NEEDED = {
    "chat.postMessage": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.delete": ("chat:write",),
    "conversations.info": ("channels:read", "groups:read"),
    "conversations.history": ("channels:history", "groups:history"),
    "conversations.replies": ("channels:history", "groups:history"),
    "files.getUploadURLExternal": ("files:write",),
    "files.completeUploadExternal": ("files:write",),
    "files.info": ("files:read",),
    "users.info": ("users:read",),
    "usergroups.users.list": ("usergroups:read",),
    "apps.connections.open": ("connections:write",),
}
"""One of these scopes; which of two, the channel decides."""


class SlackServer(DrivenServer):
    """One workspace and one bot. Every setting is an attribute, to be changed while it runs."""

    def __init__(
        self,
        *,
        token: str,
        scopes: Collection[str] = SCOPES,
        app_token: str = APP_TOKEN,
        channel_limit: Rate | None = PER_CHANNEL,
        channel_burst: int = 5,
        workspace_limit: Rate | None = WORKSPACE,
        page_cap: int | None = None,
        unready_polls: int = 0,
        clock_shift: timedelta = timedelta(),
        now: Callable[[], datetime] = utc_now,
        port: int = 0,
    ) -> None:
        super().__init__(port=port, now=now, clock_shift=clock_shift)
        self.tokens: dict[str, frozenset[str]] = {token: frozenset(scopes)}
        """The scopes of each that is valid; all of them are the same bot's."""
        self.app_tokens: dict[str, frozenset[str]] = {app_token: frozenset({"connections:write"})}
        """They open sockets, and do nothing else."""
        self.channel_limit = channel_limit
        self.channel_burst = channel_burst
        self.workspace_limit = workspace_limit
        self.method_limits: dict[str, Rate] = {}
        """For operations with a tier of their own, such as one history a minute."""
        self.uploads.unready_polls = unready_polls
        self.store.page_cap = page_cap
        self.methods = self._methods()
        self._revoked: dict[str, str] = {}
        self._buckets = Buckets()

    @property
    def api_url(self) -> str:
        """What SLACK_API_URL is set to; its slash at the end is needed."""
        return f"{self.url}{BASE}"

    @property
    def files(self) -> dict[str, StoredFile]:
        """The files by their ids."""
        return self.uploads.files

    @property
    def rate_limited(self) -> int:
        """How many requests were answered 429."""
        return self.count(429)

    def revoke(self, token: str, error: str = "token_revoked") -> None:
        """From now on it is refused; `account_inactive` is the other error there is."""
        self.tokens.pop(token, None)
        self._revoked[token] = error

    def add_channel(
        self,
        channel_id: str,
        *,
        name: str = "alerts",
        is_private: bool = False,
        is_member: bool = True,
        is_archived: bool = False,
    ) -> StoredChannel:
        """A channel; its flags may be set anew later."""
        channel = StoredChannel(channel_id, name, is_private, is_member, is_archived)
        self.store.channels[channel_id] = channel
        return channel

    def channel(self, channel_id: str) -> StoredChannel:
        """A channel."""
        return self.store.channels[channel_id]

    def delete_channel(self, channel_id: str) -> StoredChannel:
        """It is not found from now on; what was in it is returned."""
        return self.store.channels.pop(channel_id)

    def messages(self, channel_id: str) -> list[StoredMessage]:
        """Everything the bot had accepted there, replies and deleted too, oldest first."""
        return [m for m in self.channel(channel_id).messages if m.user == BOT_USER]

    def seen_by(self, user_id: str) -> list[Ephemeral]:
        """What only this person saw and still sees, oldest first."""
        return [e for e in self.ephemerals.all if e.user == user_id and not e.deleted]

    def say(self, channel_id: str, text: str, thread_ts: str | None = None) -> str:
        """Someone else writes something; its ts."""
        message = self.store.stored(self.channel(channel_id), SOMEONE, text)
        message.thread_ts = thread_ts
        return message.ts

    def route(self, method: str, path: str) -> tuple[str, Mapping[str, str]]:
        """The name of the method is the operation."""
        if path.startswith(UPLOAD):
            return "files.upload", {"file": path.removeprefix(UPLOAD)}
        if path.startswith(BASE):
            return path.removeprefix(BASE), {}
        return super().route(method, path)

    async def respond(self, call: Call) -> Answer:
        """Check the token, the scope and the rates, then do it."""
        if call.operation == "files.upload":
            taken = self.uploads.receive(call.ids["file"], call.body)
            text = f"OK - {len(call.body)}" if taken else "Bad Request"
            return Answer(200 if taken else 400, text.encode(), {"Content-Type": "text/plain"})
        if call.operation == "response_url":
            return await super().respond(call)
        headers: dict[str, str] = {}
        try:
            arguments = merged(call)
            scopes = self._scopes(call, arguments)
            headers["x-oauth-scopes"] = ",".join(sorted(scopes))
            self._check(call.operation, scopes)
            if wait := self._wait(call.operation, arguments):
                return too_many(wait).spoil(Answer(429))
            body = {"ok": True, **self.methods[call.operation](arguments, scopes)}
        except Refused as refused:
            body = refused.body
        return json_answer(200, body, headers, charset="utf-8")

    def _check(self, operation: str, scopes: frozenset[str]) -> None:
        if operation not in self.methods:
            raise Refused("unknown_method", req_method=operation)
        needed = _NEEDED.get(operation, ())
        if needed and not scopes.intersection(needed):
            raise missing_scope(",".join(needed), scopes)

    def _scopes(self, call: Call, arguments: Mapping[str, Any]) -> frozenset[str]:
        bearer = call.headers.get("Authorization", "").removeprefix("Bearer ")
        token = bearer or str(arguments.get("token") or "")
        if not token:
            raise Refused("not_authed")
        valid, others = self.tokens, self.app_tokens
        if call.operation == "apps.connections.open":
            valid, others = others, valid
        if token in others:
            raise Refused("not_allowed_token_type")
        if token not in valid:
            raise Refused(self._revoked.get(token, "invalid_auth"))
        return valid[token]

    def _wait(self, operation: str, arguments: Mapping[str, Any]) -> float:
        """The seconds until the request would be welcome."""
        if (rate := self.method_limits.get(operation)) is not None:
            return self._buckets.take(operation, rate, rate.count)
        if operation != "chat.postMessage":
            return 0.0
        wait = 0.0
        if self.channel_limit is not None:
            key = f"channel {arguments.get('channel')}"
            wait = self._buckets.take(key, self.channel_limit, self.channel_burst)
        if not wait and (rate := self.workspace_limit) is not None:
            wait = self._buckets.take("workspace", rate, rate.count)
        return wait

    def _methods(self) -> dict[str, Method]:
        return {
            "auth.test": lambda arguments, scopes: self._me(),
            "apps.connections.open": lambda args, scopes: self.sockets.address(self.url),
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self.store.update,
            "chat.delete": self.store.delete,
            "conversations.info": self.store.info,
            "conversations.history": self.store.history,
            "conversations.replies": self.store.replies,
            "files.getUploadURLExternal": lambda args, scopes: self.uploads.begin(args, self.url),
            "files.completeUploadExternal": lambda args, scopes: self.uploads.complete(
                args, scopes, self.store
            ),
            "files.info": lambda arguments, scopes: self.uploads.info(arguments),
            "users.info": lambda arguments, scopes: self.people.info(arguments),
            "usergroups.users.list": lambda arguments, scopes: self.people.members(arguments),
            "views.open": lambda arguments, scopes: self.modals.open(arguments),
            "views.push": lambda arguments, scopes: self.modals.push(arguments),
            "views.update": lambda arguments, scopes: self.modals.update(arguments),
        }

    def _post(self, arguments: Mapping[str, Any], scopes: frozenset[str]) -> Row:
        told = self.store.post(arguments, scopes)
        message = self.channel(told["channel"]).find(told["ts"])
        if message is not None:
            self.noticed(message, dict(arguments))
        return told

    def _post_ephemeral(self, arguments: Mapping[str, Any], scopes: frozenset[str]) -> Row:
        shown = self.ephemerals.post(arguments, scopes, self.store)
        self.noticed(shown, dict(arguments))
        return {"message_ts": shown.ts}

    def _me(self) -> Row:
        return {
            **{"url": "https://desk.slack.com/", "team": "Desk", "team_id": TEAM},
            **{"user": "tapewatch", "user_id": BOT_USER, "bot_id": BOT},
            "is_enterprise_install": False,
        }


def refusal(error: str) -> Status:
    """The fault of any other error, which has a status of 200."""
    body = json.dumps({"ok": False, "error": error}).encode()
    return Status(200, body, "application/json; charset=utf-8")


def too_many(seconds: float) -> Status:
    """The fault of a rate limit; Slack speaks in whole seconds."""
    body = json.dumps({"ok": False, "error": "ratelimited"}).encode()
    kind, told = "application/json; charset=utf-8", {"Retry-After": str(math.ceil(seconds))}
    return Status(429, body, kind, told)


def merged(call: Call) -> dict[str, Any]:
    """The arguments, by whichever way they came."""
    arguments: dict[str, Any] = dict(call.query)
    if call.content_type.startswith("application/json"):
        try:
            found = json.loads(call.body or b"{}")
        except ValueError:
            raise Refused("invalid_json") from None
        if not isinstance(found, dict):
            raise Refused("json_not_object")
        arguments |= found
    elif call.content_type.startswith("application/x-www-form-urlencoded"):
        arguments |= dict(parse_qsl(call.body.decode(), keep_blank_values=True))
    for name, error in (
        ("blocks", "invalid_blocks_format"),
        ("metadata", "invalid_metadata_format"),
    ):
        if isinstance(arguments.get(name), str):
            try:
                arguments[name] = json.loads(arguments[name])
            except ValueError:
                raise Refused(error) from None
    return arguments
