"""What the local Discord holds: a guild's channels and threads, and the messages in them."""

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import discord

from tests.servers.chat import Row
from tests.servers.discord_rules import ATTACHMENT, HAS_THREAD

EVERYONE = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
    add_reactions=True,
)
"""What a member of the guild may do where a channel does not say otherwise."""

DEFAULT, STARTER = 0, 21  # types of messages
_TEXT, _DM, _PUBLIC_THREAD = 0, 1, 11  # types of channels
_EPOCH_MS = 1_420_070_400_000


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """A file of a message, with its bytes."""

    id: int
    filename: str
    data: bytes
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """What a message said until it was edited, `at` that time."""

    at: datetime
    content: str
    embeds: Sequence[Row]
    components: Sequence[Row]
    attachments: Sequence[StoredAttachment]
    flags: int


@dataclass(slots=True)
class StoredMessage:
    """One accepted message as it is now; `edits` is what it was before, oldest first."""

    id: int
    channel_id: int
    author_id: int
    created: datetime
    content: str = ""
    embeds: list[Row] = field(default_factory=list)
    components: list[Row] = field(default_factory=list)
    attachments: list[StoredAttachment] = field(default_factory=list)
    nonce: str | None = None
    flags: int = 0
    type: int = DEFAULT
    reference: Row | None = None
    edited: datetime | None = None
    edits: list[Version] = field(default_factory=list)
    deleted: bool = False
    thread: "StoredChannel | None" = None
    origin: Row | None = None
    """The interaction that it answers, as `interaction_metadata`."""

    def version(self, at: datetime) -> Version:
        """What it says now, to be kept before an edit."""
        return Version(at, self.content, self.embeds, self.components, self.attachments, self.flags)


@dataclass(slots=True)
class StoredChannel:
    """A text channel, or a thread when it has a parent; `permissions` are the bot's in it.

    With a recipient it is that person's conversation with the bot, and of no guild.
    """

    id: int
    name: str
    created: datetime
    permissions: discord.Permissions
    parent: "StoredChannel | None" = None
    deleted: bool = False
    messages: list[StoredMessage] = field(default_factory=list)
    recipient_id: int | None = None

    def allowed(self) -> discord.Permissions:
        """What the bot may do in effect: some permissions are worth nothing without others."""
        if self.parent is not None:
            return self.parent.allowed()
        if not self.permissions.view_channel:
            return discord.Permissions.none()
        if not self.permissions.send_messages:
            kept = self.permissions.value & ~_SPEECH.value
            return discord.Permissions(kept)
        return self.permissions

    def may_send(self) -> bool:
        """Threads have a permission of their own."""
        allowed = self.allowed()
        return allowed.send_messages if self.parent is None else allowed.send_messages_in_threads

    def find(self, message_id: int) -> StoredMessage | None:
        """A message that is still there."""
        found = (m for m in self.messages if m.id == message_id and not m.deleted)
        return next(found, None)


_SPEECH = discord.Permissions(
    embed_links=True, attach_files=True, mention_everyone=True, send_tts_messages=True
)


class Snowflakes:
    """Ids that increase with the server's clock, and go on increasing when it does not."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, at: datetime) -> int:
        """A new id."""
        self._last = max(self._last + 1, (int(at.timestamp() * 1000) - _EPOCH_MS) << 22)
        return self._last


@dataclass(frozen=True, slots=True)
class Guild:
    """Who is there, and how it is told to clients."""

    id: int
    bot_id: int
    owner_id: int
    role_id: int
    more_roles: dict[int, tuple[str, discord.Permissions]] = field(default_factory=dict)
    """By their ids: names, and what they are worth."""

    def user(self, user_id: int) -> Row:
        """Anyone but the bot is a person."""
        return {
            "id": str(user_id),
            "username": "tapewatch" if user_id == self.bot_id else f"user{user_id}",
            "discriminator": "0",
            "avatar": None,
            "global_name": None,
            "bot": user_id == self.bot_id,
            "flags": 0,
            "public_flags": 0,
        }

    def wire(self) -> Row:
        """The guild's object, without its channels, as GET gives it."""
        zero = ("verification_level", "default_message_notifications", "explicit_content_filter")
        return {
            **{"id": str(self.id), "name": "Desk", "icon": None, "owner_id": str(self.owner_id)},
            **dict.fromkeys((*zero, "mfa_level", "premium_tier", "nsfw_level"), 0),
            **{"roles": self.roles(), "emojis": [], "stickers": [], "features": []},
            **{"afk_timeout": 300, "system_channel_flags": 0, "preferred_locale": "en-US"},
            "premium_progress_bar_enabled": False,
        }

    def roles(self) -> list[Row]:
        """@everyone, whose id is the guild's, and the bot's own, which is worth nothing alone."""
        return [
            _role(self.id, "@everyone", 0, EVERYONE),
            _role(self.role_id, "Tapewatch", 1, discord.Permissions.none()),
            *(_role(i, name, 0, allowed) for i, (name, allowed) in self.more_roles.items()),
        ]

    def member(self, user_id: int) -> Row | None:
        """The bot has its role; the owner none."""
        if user_id not in (self.bot_id, self.owner_id):
            return None
        return {
            "user": self.user(user_id),
            "roles": [str(self.role_id)] if user_id == self.bot_id else [],
            **{"nick": None, "avatar": None, "joined_at": "2026-01-02T15:26:17+00:00"},
            **{"deaf": False, "mute": False, "flags": 0, "pending": False},
        }

    def channel(self, channel: StoredChannel) -> Row:
        """A channel's object; the bot's permissions are an overwrite of its role's."""
        last = channel.messages[-1].id if channel.messages else None
        if channel.recipient_id is not None:
            people = [self.user(channel.recipient_id)]
            told = {"last_message_id": str(last) if last else None, "recipients": people}
            return {"id": str(channel.id), "type": _DM, "flags": 0, **told}
        common = {
            **{"id": str(channel.id), "guild_id": str(self.id), "name": channel.name},
            **{"last_message_id": str(last) if last else None, "rate_limit_per_user": 0},
            "flags": 0,
        }
        if channel.parent is not None:
            return {**common, **self._thread(channel, channel.parent)}
        wanted, usual = channel.permissions.value, EVERYONE.value
        allow, deny = wanted & ~usual, usual & ~wanted
        overwrite = {"id": str(self.role_id), "type": 0, "allow": str(allow), "deny": str(deny)}
        return {
            **common,
            **{"type": _TEXT, "position": 0, "nsfw": False, "topic": None, "parent_id": None},
            "permission_overwrites": [overwrite] if allow or deny else [],
        }

    def _thread(self, thread: StoredChannel, parent: StoredChannel) -> Row:
        said = sum(m.type == DEFAULT for m in thread.messages)
        return {
            **{"type": _PUBLIC_THREAD, "parent_id": str(parent.id), "owner_id": str(self.bot_id)},
            **{"message_count": said, "total_message_sent": said, "member_count": 1},
            "thread_metadata": {
                **{"archived": False, "auto_archive_duration": 1440, "locked": False},
                "archive_timestamp": stamp(thread.created),
                "create_timestamp": stamp(thread.created),
            },
        }

    def message(self, message: StoredMessage, url: str, *, nonce: bool = False) -> Row:
        """A message's object; only who creates it is told its nonce."""
        there = "thread" if message.thread is not None and not message.thread.deleted else ""
        files = {a.filename: _file_url(url, message, a) for a in message.attachments}
        return {
            **{"id": str(message.id), "channel_id": str(message.channel_id)},
            **{"author": self.user(message.author_id), "type": message.type},
            **{"content": message.content, "components": message.components},
            "embeds": [_embed(embed, files) for embed in message.embeds],
            "attachments": [_attachment(a, files[a.filename]) for a in message.attachments],
            "timestamp": stamp(message.created),
            "edited_timestamp": stamp(message.edited) if message.edited else None,
            "flags": message.flags | (HAS_THREAD if there else 0),
            **{"pinned": False, "tts": False, "mention_everyone": False},
            **{"mentions": [], "mention_roles": []},
            **(self._origin(message.origin) if message.origin else {}),
            **({"nonce": message.nonce} if nonce and message.nonce is not None else {}),
            **({"message_reference": message.reference} if message.reference else {}),
            **({"thread": self.channel(message.thread)} if there and message.thread else {}),
        }

    def _origin(self, origin: Row) -> Row:
        """What answers an interaction is a webhook's, whose id is the application's."""
        bot = str(self.bot_id)
        return {"application_id": bot, "webhook_id": bot, "interaction_metadata": origin}


def stamp(at: datetime) -> str:
    """A time as Discord writes it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _role(role_id: int, name: str, position: int, permissions: discord.Permissions) -> Row:
    return {
        **{"id": str(role_id), "name": name, "position": position, "color": 0, "flags": 0},
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        **{"hoist": False, "managed": position > 0, "mentionable": False},
        "permissions": str(permissions.value),
    }


def _file_url(url: str, message: StoredMessage, attachment: StoredAttachment) -> str:
    return f"{url}/attachments/{message.channel_id}/{attachment.id}/{attachment.filename}"


def _attachment(attachment: StoredAttachment, url: str) -> Row:
    described = {"description": attachment.description} if attachment.description else {}
    return {
        **{"id": str(attachment.id), "filename": attachment.filename, **described},
        **{"size": len(attachment.data), "url": url, "proxy_url": url},
        "content_type": mimetypes.guess_type(attachment.filename)[0],
    }


def _embed(embed: Row, files: Mapping[str, str]) -> Row:
    """As sent, but a reference to a file has become its address."""
    shown = {"type": "rich", **embed}
    for name in ("image", "thumbnail"):
        media = embed.get(name) or {}
        url = str(media.get("url", ""))
        if url.startswith(ATTACHMENT):
            found = files.get(url.removeprefix(ATTACHMENT), url)
            shown[name] = {**media, "url": found, "proxy_url": found}
    return shown
