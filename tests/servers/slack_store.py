"""What the local Slack holds: channels, the messages in them, files; and how they are told."""

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation

from tests.servers.chat import Row

TEAM, BOT_USER, BOT, APP, SOMEONE = "T0DESK", "U0BOT", "B0BOT", "A0APP", "U0ALICE"
DOMAIN, CHANNEL = "desk", "C0ALERTS"


@dataclass(frozen=True, slots=True)
class Version:
    """What a message said until it was edited, `at` that time."""

    at: datetime
    text: str
    blocks: Sequence[Row]
    metadata: Row | None


@dataclass(slots=True)
class StoredMessage:
    """One accepted message as it is now; `edits` is what it was before, oldest first."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Row] = field(default_factory=list)
    metadata: Row | None = None
    thread_ts: str | None = None
    is_broadcast: bool = False
    client_msg_id: str | None = None
    files: list["StoredFile"] = field(default_factory=list)
    edited_ts: str | None = None
    edits: list[Version] = field(default_factory=list)
    deleted: bool = False

    @property
    def is_reply(self) -> bool:
        """Whether it is in a thread, and not the thread's first."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def wire(self, replies: Sequence["StoredMessage"] = (), *, metadata: bool = True) -> Row:
        """The message's object; a parent tells of its replies."""
        told: Row = {"type": "message", "user": self.user, "text": self.text, "ts": self.ts}
        told["team"] = TEAM
        if self.user == BOT_USER:
            told |= {"bot_id": BOT, "app_id": APP}
        if self.is_broadcast:
            told["subtype"] = "thread_broadcast"
        if self.blocks:
            told["blocks"] = named(self.blocks)
        if self.files:
            told["files"] = [file.wire() for file in self.files]
        if self.edited_ts is not None:
            told["edited"] = {"user": self.user, "ts": self.edited_ts}
        if metadata and self.metadata is not None:
            told["metadata"] = self.metadata
        if self.is_reply or replies:
            told["thread_ts"] = self.thread_ts or self.ts
        if replies:
            told |= {"reply_count": len(replies), "latest_reply": replies[-1].ts}
            told["reply_users"] = sorted({reply.user for reply in replies})
        return told


@dataclass(slots=True)
class Ephemeral:
    """What one person alone saw; it is in no history. `before` is what it said, oldest first."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Row] = field(default_factory=list)
    thread_ts: str | None = None
    before: list[tuple[str, Sequence[Row]]] = field(default_factory=list)
    deleted: bool = False


@dataclass(slots=True)
class StoredView:
    """One modal as it is now; `body` is what the app sent, `errors` what the person is told."""

    id: str
    user: str
    channel: str
    body: Row
    hash: str
    root_id: str
    previous_id: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    is_open: bool = True

    @property
    def blocks(self) -> list[Row]:
        """What is in it."""
        return list(self.body.get("blocks") or [])

    def wire(self, state: Row | None = None) -> Row:
        """The view's object; what is filled in is told when it is submitted."""
        empty = {"close": None, "submit": None, "private_metadata": "", "callback_id": ""}
        return {
            **{"id": self.id, "team_id": TEAM, "app_id": APP, "bot_id": BOT},
            **(empty | {"external_id": ""} | self.body),
            **{"blocks": named(self.blocks), "state": {"values": state or {}}},
            **{"hash": self.hash, "root_view_id": self.root_id},
            **{"previous_view_id": self.previous_id, "clear_on_close": False},
            "notify_on_close": bool(self.body.get("notify_on_close")),
        }


@dataclass(slots=True)
class StoredChannel:
    """A channel; every flag may be set anew while the server runs."""

    id: str
    name: str
    is_private: bool = False
    is_member: bool = True
    is_archived: bool = False
    messages: list[StoredMessage] = field(default_factory=list)
    _last: int = 0

    def next_ts(self, at: datetime) -> str:
        """A time that no other message of the channel has, later than all."""
        self._last = max(self._last + 1, int(Decimal(str(at.timestamp())) * 1_000_000))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06}"

    def find(self, ts: object) -> StoredMessage | None:
        """A message that is still there."""
        return next((m for m in self.messages if m.ts == ts and not m.deleted), None)

    def replies(self, ts: str) -> list[StoredMessage]:
        """What was answered to a message, oldest first."""
        return [m for m in self.messages if m.is_reply and m.thread_ts == ts and not m.deleted]

    def wire(self) -> Row:
        """The channel's object."""
        return {
            **{"id": self.id, "name": self.name, "is_channel": not self.is_private},
            **{"is_group": self.is_private, "is_im": False, "is_mpim": False},
            **{"is_private": self.is_private, "is_archived": self.is_archived},
            **{"is_member": self.is_member, "context_team_id": TEAM},
        }


@dataclass(slots=True)
class StoredFile:
    """One file; for `polls_left` more looks at it, Slack has not got round to it."""

    id: str
    name: str
    length: int
    polls_left: int
    alt_text: str | None = None
    title: str | None = None
    data: bytes | None = None
    is_complete: bool = False
    channels: list[str] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        """Whether a block may refer to it."""
        return self.is_complete and self.polls_left <= 0

    def wire(self) -> Row:
        """The file's object; its kind is empty until it is ready."""
        kind = mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return {
            **{"id": self.id, "name": self.name, "title": self.title or self.name},
            **{"user": BOT_USER, "size": len(self.data or b""), "mode": "hosted"},
            "mimetype": kind if self.is_ready else "",
            "filetype": self.name.rpartition(".")[2] if self.is_ready else "",
            "alt_txt": self.alt_text or "",
            **{"is_public": bool(self.channels), "channels": self.channels},
            "shares": {"public": {name: [] for name in self.channels}} if self.is_ready else {},
        }


def named(blocks: Sequence[Row]) -> list[Row]:
    """Blocks as Slack gives them back: each has an id."""
    return [{"block_id": f"b{i}", **block} for i, block in enumerate(blocks)]


def micros(ts: object, otherwise: int) -> int:
    """A `ts`, or a time in seconds, in whole millionths; missing is `otherwise`."""
    try:
        return int(Decimal(str(ts)) * 1_000_000) if ts not in (None, "") else otherwise
    except (InvalidOperation, OverflowError, ValueError):
        return otherwise
