"""Slack's methods for messages and conversations, over what the server holds."""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.servers.chat import Row
from tests.servers.slack_rules import Problem, message_problems
from tests.servers.slack_store import (
    BOT_USER,
    StoredChannel,
    StoredFile,
    StoredMessage,
    Version,
    micros,
)

_LATEST = 1 << 62

Arguments = Mapping[str, Any]


class Refused(Exception):
    """What Slack answers instead: `ok` is false, the status is 200 all the same."""

    def __init__(self, error: str, **more: object) -> None:
        super().__init__(error)
        self.body: Row = {"ok": False, "error": error, **more}


class Messages:
    """Channels by their ids, and all that is done to their messages."""

    def __init__(
        self,
        now: Callable[[], datetime],
        accepted: Callable[[str], None],
        files: Mapping[str, StoredFile],
    ) -> None:
        self.channels: dict[str, StoredChannel] = {}
        self.dedupes_client_msg_ids = False
        self.page_cap: int | None = None
        self._now = now
        self._accepted = accepted
        self._files = files

    def channel(self, arguments: Arguments, scopes: frozenset[str], kind: str) -> StoredChannel:
        """The channel that is meant; private ones need a scope of their own, and membership."""
        found = self.channels.get(str(arguments.get("channel")))
        if found is None or (found.is_private and not found.is_member):
            raise Refused("channel_not_found")
        if kind:
            needed = f"{'groups' if found.is_private else 'channels'}:{kind}"
            if needed not in scopes:
                raise missing_scope(needed, scopes)
        return found

    def writable(self, arguments: Arguments, scopes: frozenset[str]) -> StoredChannel:
        """The channel that is meant, if the bot may write there."""
        channel = self.channel(arguments, scopes, "")
        if channel.is_archived:
            raise Refused("is_archived")
        if not channel.is_member and "chat:write.public" not in scopes:
            raise Refused("not_in_channel")
        return channel

    def post(self, arguments: Arguments, scopes: frozenset[str]) -> Row:
        """Store a message."""
        channel = self.writable(arguments, scopes)
        self.check(arguments, edit=False)
        known = self._known(channel, arguments) if self.dedupes_client_msg_ids else None
        if known is None:
            known = self._posted(channel, arguments)
            self._accepted("chat.postMessage")
        return {"channel": channel.id, "ts": known.ts, "message": known.wire()}

    def update(self, arguments: Arguments, scopes: frozenset[str]) -> Row:
        """Change a message: a text without blocks takes the blocks away, metadata stays."""
        channel = self.channel(arguments, scopes, "")
        message = self._own(channel, arguments, "cant_update_message")
        self.check(arguments, edit=True)
        self.edit(message, arguments)
        self._accepted("chat.update")
        told = {"channel": channel.id, "ts": message.ts, "text": message.text}
        return {**told, "message": message.wire()}

    def edit(self, message: StoredMessage, arguments: Arguments) -> None:
        """Let a message say something else."""
        at = self._now()
        message.edits.append(Version(at, message.text, message.blocks, message.metadata))
        if "blocks" in arguments or "text" in arguments:
            message.blocks = arguments.get("blocks") or []
        message.text = arguments.get("text", message.text) or ""
        if "metadata" in arguments:
            message.metadata = arguments["metadata"] or None
        message.edited_ts = f"{int(at.timestamp())}.000000"

    def delete(self, arguments: Arguments, scopes: frozenset[str]) -> Row:
        """Take a message away."""
        channel = self.channel(arguments, scopes, "")
        message = self._own(channel, arguments, "cant_delete_message")
        message.deleted = True
        self._accepted("chat.delete")
        return {"channel": channel.id, "ts": message.ts}

    def info(self, arguments: Arguments, scopes: frozenset[str]) -> Row:
        """The channel itself."""
        return {"channel": self.channel(arguments, scopes, "read").wire()}

    def history(self, arguments: Arguments, scopes: frozenset[str]) -> Row:
        """Newest first, without what is in threads only."""
        channel = self._read(arguments, scopes)
        there = [m for m in channel.messages if not m.deleted]
        shown = [m for m in there if not m.is_reply or m.is_broadcast]
        found = list(_between(shown, arguments))[::-1]
        return self._page(channel, found, arguments, newest_first=True)

    def replies(self, arguments: Arguments, scopes: frozenset[str]) -> Row:
        """The parent first, then its replies as they came; a reply stands for itself."""
        channel = self._read(arguments, scopes)
        parent = channel.find(arguments.get("ts"))
        if parent is None:
            raise Refused("thread_not_found")
        found = list(_between(channel.replies(parent.ts), arguments))
        return self._page(channel, [parent, *found], arguments, newest_first=False)

    def stored(self, channel: StoredChannel, user: str, text: str) -> StoredMessage:
        """Someone writes something."""
        message = StoredMessage(channel.id, channel.next_ts(self._now()), user, text)
        channel.messages.append(message)
        return message

    def _read(self, arguments: Arguments, scopes: frozenset[str]) -> StoredChannel:
        channel = self.channel(arguments, scopes, "history")
        if not channel.is_member:
            raise Refused("not_in_channel")
        return channel

    def _posted(self, channel: StoredChannel, arguments: Arguments) -> StoredMessage:
        thread_ts = arguments.get("thread_ts")
        parent = channel.find(thread_ts) if thread_ts else None
        if thread_ts and parent is None:
            raise Refused("cannot_reply_to_message")
        message = self.stored(channel, BOT_USER, arguments.get("text") or "")
        message.blocks = arguments.get("blocks") or []
        message.metadata = arguments.get("metadata") or None
        message.client_msg_id = arguments.get("client_msg_id")
        if parent is not None:
            message.thread_ts = parent.thread_ts if parent.is_reply else parent.ts
            message.is_broadcast = is_true(arguments.get("reply_broadcast"))
        return message

    def _known(self, channel: StoredChannel, arguments: Arguments) -> StoredMessage | None:
        wanted = arguments.get("client_msg_id")
        same = (m for m in channel.messages if wanted and m.client_msg_id == wanted)
        known = next(same, None)
        if known is not None and known.deleted:
            raise Refused("duplicate_message_not_found")
        return known

    def _own(self, channel: StoredChannel, arguments: Arguments, error: str) -> StoredMessage:
        message = channel.find(arguments.get("ts"))
        if message is None:
            raise Refused("message_not_found")
        if message.user != BOT_USER:
            raise Refused(error)
        if channel.is_archived:
            raise Refused("is_archived")
        return message

    def check(self, arguments: Arguments, *, edit: bool) -> None:
        """Refuse what breaks a rule, or shows a file that is not ready."""
        found = message_problems(arguments, edit=edit)
        found = found or list(self._unready(arguments.get("blocks"), "/blocks"))
        if not found:
            return
        error = found[0].error
        told = [problem.message for problem in found if problem.message]
        if not told:
            raise Refused(error)
        messages = [f"[ERROR] {text}" for text in told]
        raise Refused(error, errors=told, response_metadata={"messages": messages})

    def _unready(self, part: Any, pointer: str) -> Iterator[Problem]:
        """Wherever an image is, its file must be ready."""
        if isinstance(part, list):
            for i, entry in enumerate(part):
                yield from self._unready(entry, f"{pointer}/{i}")
        if not isinstance(part, dict):
            return
        if "slack_file" in part:
            file = self._files.get(str(part["slack_file"].get("id")))
            if file is None or not file.is_ready:
                text = f"invalid slack file [json-pointer:{pointer}/slack_file]"
                yield Problem("invalid_blocks", text)
        for name, entry in part.items():
            yield from self._unready(entry, f"{pointer}/{name}")

    def _page(
        self,
        channel: StoredChannel,
        found: list[StoredMessage],
        arguments: Arguments,
        *,
        newest_first: bool,
    ) -> Row:
        limit = str(arguments.get("limit") or 100)
        if not limit.isdigit() or not 1 <= int(limit) <= 999:
            raise Refused("invalid_limit")
        size = min(int(limit), self.page_cap or 999)
        start = _start(arguments.get("cursor"), found, newest_first=newest_first)
        rest = found[start + size :]
        metadata = is_true(arguments.get("include_all_metadata"))
        shown = [
            m.wire([] if m.is_reply else channel.replies(m.ts), metadata=metadata)
            for m in found[start : start + size]
        ]
        following = _cursor(rest[0]) if rest else ""
        return {
            "messages": shown,
            "has_more": bool(rest),
            "response_metadata": {"next_cursor": following},
        }


def missing_scope(needed: str, scopes: frozenset[str]) -> Refused:
    """A token that may not do this."""
    return Refused("missing_scope", needed=needed, provided=",".join(sorted(scopes)))


def is_true(value: object) -> bool:
    """A flag as JSON, forms and queries write it."""
    return str(value).lower() in ("1", "true")


def share(messages: Messages, channel: StoredChannel, file: StoredFile, text: str) -> None:
    """A file becomes a message of its own, of which the caller is told nothing."""
    message = messages.stored(channel, BOT_USER, text)
    message.files = [file]
    file.channels.append(channel.id)


def _between(found: Sequence[StoredMessage], arguments: Arguments) -> Iterator[StoredMessage]:
    oldest, latest = micros(arguments.get("oldest"), 0), micros(arguments.get("latest"), _LATEST)
    inclusive = is_true(arguments.get("inclusive"))
    for message in found:
        at = micros(message.ts, 0)
        if oldest < at < latest or (inclusive and at in (oldest, latest)):
            yield message


def _cursor(message: StoredMessage) -> str:
    return base64.b64encode(f"next_ts:{micros(message.ts, 0)}".encode()).decode()


def _start(cursor: object, found: Sequence[StoredMessage], *, newest_first: bool) -> int:
    """Where the page begins; the message may have been deleted meanwhile."""
    if not cursor:
        return 0
    try:
        name, _, at = base64.b64decode(str(cursor), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, at = "", ""
    if name != "next_ts" or not at.isdigit():
        raise Refused("invalid_cursor")
    for i, message in enumerate(found):
        ts = micros(message.ts, 0)
        if (ts <= int(at)) if newest_first else (ts >= int(at)):
            return i
    return len(found)
