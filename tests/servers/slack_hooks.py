"""Slack's response_url: five answers in thirty minutes, without a token, and never one more."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.servers.chat import Row, json_answer
from tests.servers.faults import Answer
from tests.servers.slack_asked import Asked, How, Thing
from tests.servers.slack_messages import Messages, Refused, is_true
from tests.servers.slack_people import Ephemerals, replaced
from tests.servers.slack_store import BOT_USER, TEAM, Ephemeral, StoredMessage

HOOKS = "/commands/"
_KEYS = {
    *("text", "blocks", "attachments", "response_type", "replace_original", "delete_original"),
    *("thread_ts", "unfurl_links", "unfurl_media", "metadata", "mrkdwn", "parse", "link_names"),
}
_TYPES = ("ephemeral", "in_channel")


@dataclass(slots=True)
class _Hook:
    asked: Asked
    born: datetime
    uses: int = 0


class Hooks:
    """The addresses by which what was asked can be answered.

    A key that nobody knows is refused here, which Slack would silently ignore: it is a misspelling.
    What a refusal of a body looks like is not documented: status 400 and the error are a guess.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        accepted: Callable[[str], None],
        messages: Messages,
        ephemerals: Ephemerals,
    ) -> None:
        self.uses = 5
        self.lifetime = timedelta(minutes=30)
        self._now = now
        self._accepted = accepted
        self._messages = messages
        self._ephemerals = ephemerals
        self._hooks: dict[str, _Hook] = {}

    def issue(self, asked: Asked, url: str) -> str:
        """A new address."""
        key = f"{TEAM}/{secrets.token_hex(16)}"
        self._hooks[key] = _Hook(asked, self._now())
        return f"{url}{HOOKS}{key}"

    def receive(self, key: str, data: bytes) -> Answer:
        """Show the answer, if there is still room for one."""
        hook = self._hooks.get(key)
        expired = hook is None or self._now() - hook.born > self.lifetime
        if hook is None or expired or hook.uses >= self.uses:
            if hook is not None:
                hook.asked.refusals.append({"ok": False, "error": "expired_url"})
            return json_answer(404, {"ok": False, "error": "expired_url"})
        try:
            body = _parsed(data)
            self._check(body)
        except Refused as refused:
            hook.asked.refusals.append(refused.body)
            return json_answer(400, refused.body)
        hook.uses += 1
        hook.asked.shows("response_url", body, self._shown(hook.asked, body))
        self._accepted("response_url")
        return json_answer(200, {"ok": True})

    def show(self, asked: Asked, body: Row, how: How) -> None:
        """Show what came another way than by the address, if nothing is wrong with it."""
        try:
            self._check(body)
        except Refused as refused:
            asked.refusals.append(refused.body)
        else:
            asked.shows(how, body, self._shown(asked, body))

    def _check(self, body: Row) -> None:
        unknown = sorted(set(body) - _KEYS)
        if unknown or body.get("response_type", "ephemeral") not in _TYPES:
            raise Refused("invalid_payload", unknown=unknown)
        if not is_true(body.get("delete_original")):
            self._messages.check(body, edit=False)

    def _shown(self, asked: Asked, body: Row) -> Thing:
        original = asked.source if isinstance(asked.source, StoredMessage | Ephemeral) else None
        if original is not None and is_true(body.get("delete_original")):
            original.deleted = True
            return original
        if original is not None and is_true(body.get("replace_original")):
            replaced(original, body, self._messages)
            return original
        channel = self._messages.channels[asked.channel_id]
        if body.get("response_type") != "in_channel":
            return self._ephemerals.show(channel, asked.user_id, body)
        # It needs no membership: even where the bot is a stranger, an answer is shown.
        message = self._messages.stored(channel, BOT_USER, str(body.get("text") or ""))
        message.blocks, message.metadata = body.get("blocks") or [], body.get("metadata")
        message.thread_ts = body.get("thread_ts")
        return message


def _parsed(data: bytes) -> Row:
    try:
        body: Any = json.loads(data)
    except ValueError:
        raise Refused("invalid_payload") from None
    if not isinstance(body, dict):
        raise Refused("invalid_payload")
    return body
