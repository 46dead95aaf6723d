"""Discord's endpoints for messages and threads, over what the server holds."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from tests.servers.chat import Call, Row
from tests.servers.discord_body import Upload, read_body, with_attachments
from tests.servers.discord_forms import Problem, form_errors
from tests.servers.discord_rules import (
    EMPTY,
    SUPPRESS_EMBEDS,
    is_empty,
    message_problems,
    thread_problems,
)
from tests.servers.discord_store import (
    STARTER,
    Guild,
    Snowflakes,
    StoredAttachment,
    StoredChannel,
    StoredMessage,
)


class Refused(Exception):
    """What Discord answers instead, with its own code."""

    def __init__(self, status: int, code: int, message: str, errors: Row | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.body = {"message": message, "code": code, **({"errors": errors} if errors else {})}


class Messages:
    """Channels by their ids, threads among them, and all that is done to their messages."""

    def __init__(
        self, guild: Guild, now: Callable[[], datetime], accepted: Callable[[str], None]
    ) -> None:
        self.guild = guild
        self.channels: dict[int, StoredChannel] = {}
        self.nonce_window = timedelta(minutes=5)
        self.nonces: dict[tuple[int, str], StoredMessage] = {}
        self.snowflakes = Snowflakes()
        self.ephemeral: list[StoredMessage] = []
        """Those that one reader alone sees; no channel has them."""
        self._now = now
        self._accepted = accepted

    def channel(self, ids: Mapping[str, str]) -> StoredChannel:
        """The channel that a path names, if the bot may see it."""
        found = self.channels.get(int(ids["channel"]))
        if found is None or found.deleted:
            raise Refused(404, 10003, "Unknown Channel")
        if not found.allowed().view_channel:
            raise Refused(403, 50001, "Missing Access")
        return found

    async def create(self, call: Call) -> StoredMessage:
        """Store a message, or find the one that was stored with the same nonce."""
        channel = self.channel(call.ids)
        _require(channel.may_send())
        payload, uploads = await form(call)
        payload = with_attachments(payload, uploads)
        check(message_problems(payload) or missing_files(payload, uploads))
        allowed = channel.allowed()
        _require(allowed.attach_files or not payload.get("attachments"))
        if not allowed.embed_links:
            # Without the permission Discord takes the message and loses the embeds.
            payload = {**payload, "embeds": []}
            check([EMPTY] if is_empty(payload) else [])
        nonce = None if payload.get("nonce") is None else str(payload["nonce"])
        if payload.get("enforce_nonce") and (known := self._known(nonce)) is not None:
            return known
        message = self.say(channel, "", self.guild.bot_id)
        self.fill(message, payload, uploads)
        if nonce is not None:
            message.nonce = nonce
            self.nonces[self.guild.bot_id, nonce] = message
        self._accepted(call.operation)
        return message

    def history(self, call: Call) -> list[StoredMessage]:
        """Newest first, whatever is asked; without the permission, nothing and no error."""
        channel = self.channel(call.ids)
        query = call.query
        limit = query.get("limit", "50")
        if not (limit.isdigit() and 1 <= int(limit) <= 100):
            text = "int value should be between 1 and 100."
            check([Problem(("limit",), "NUMBER_TYPE_COERCE", text)])
        if not channel.allowed().read_message_history:
            return []
        there, most = [m for m in channel.messages if not m.deleted], int(limit)
        if "around" in query:
            at, half = int(query["around"]), most // 2
            older = [m for m in there if m.id < at][-half:] if half else []
            newer = [m for m in there if m.id >= at][: most - len(older)]
            found = older + newer
        elif "after" in query:
            # The oldest of those that came after, so that one can go on from there.
            found = [m for m in there if m.id > int(query["after"])][:most]
        else:
            before = int(query.get("before", 1 << 63))
            found = [m for m in there if m.id < before][-most:]
        return found[::-1]

    def get(self, call: Call) -> StoredMessage:
        """One message."""
        channel = self.channel(call.ids)
        _require(channel.allowed().read_message_history)
        return _found(channel, call.ids)

    async def edit(self, call: Call) -> StoredMessage:
        """Change what the body names; what it was is kept in `edits`."""
        channel = self.channel(call.ids)
        message = self._own(channel, call.ids, 50005, "Cannot edit a message by another user")
        payload, uploads = await form(call)
        check(message_problems(payload, edit=True))
        _require(channel.allowed().attach_files or not uploads)
        self.change(message, payload, uploads)
        self._accepted(call.operation)
        return message

    def change(self, message: StoredMessage, payload: Row, uploads: Mapping[int, Upload]) -> None:
        """Edit it, if something is left of it then."""
        version = message.version(self._now())
        new = self._files(with_attachments(payload, uploads), uploads)
        attachments = [*_kept(message, payload), *new]
        content = payload.get("content", message.content) or ""
        embeds = payload.get("embeds", message.embeds) or []
        components = payload.get("components", message.components) or []
        left = {"content": content, "embeds": embeds, "components": components}
        check([EMPTY] if is_empty({**left, "attachments": attachments}) else [])
        message.content, message.embeds, message.components = content, embeds, components
        message.attachments, message.edited = attachments, version.at
        if payload.get("flags") is not None:
            message.flags = message.flags & ~SUPPRESS_EMBEDS | payload["flags"] & SUPPRESS_EMBEDS
        message.edits.append(version)

    def fill(self, message: StoredMessage, payload: Row, uploads: Mapping[int, Upload]) -> None:
        """What a new message says."""
        message.content = (payload.get("content") or "").strip()
        message.embeds = payload.get("embeds") or []
        message.components = payload.get("components") or []
        message.attachments = self._files(payload, uploads)
        message.flags = payload.get("flags") or 0
        message.reference = payload.get("message_reference")

    def delete(self, call: Call) -> None:
        """Take it away; its nonce stays known."""
        channel = self.channel(call.ids)
        self._own(channel, call.ids, 50013, "Missing Permissions").deleted = True
        self._accepted(call.operation)

    async def start_thread(self, call: Call) -> StoredChannel:
        """A thread has its message's id, so there can be but one."""
        channel = self.channel(call.ids)
        message = _found(channel, call.ids)
        _require(channel.allowed().create_public_threads)
        payload, _ = await form(call)
        check(thread_problems(payload))
        if message.thread is not None and not message.thread.deleted:
            text = "A thread has already been created for this message"
            raise Refused(400, 160004, text)
        thread = self.add(message.id, payload["name"], channel)
        at = self._now()
        ids = {"channel_id": str(channel.id), "message_id": str(message.id)}
        first = StoredMessage(self.snowflakes.next(at), thread.id, self.guild.bot_id, at)
        first.type, first.reference = STARTER, {"guild_id": str(self.guild.id), **ids}
        thread.messages.append(first)
        message.thread = thread
        self._accepted(call.operation)
        return thread

    def add(self, channel_id: int, name: str, parent: StoredChannel) -> StoredChannel:
        """A thread in a channel."""
        thread = StoredChannel(channel_id, name, self._now(), parent.permissions, parent)
        self.channels[channel_id] = thread
        return thread

    def say(self, channel: StoredChannel, content: str, author_id: int) -> StoredMessage:
        """Someone writes something."""
        at = self._now()
        message = StoredMessage(self.snowflakes.next(at), channel.id, author_id, at, content)
        channel.messages.append(message)
        return message

    def attachment(self, ids: Mapping[str, str]) -> StoredAttachment:
        """A file by its address."""
        channel = self.channels.get(int(ids["channel"]))
        for message in [*(channel.messages if channel else []), *self.ephemeral]:
            for attachment in message.attachments:
                if attachment.id == int(ids["attachment"]) and not message.deleted:
                    return attachment
        raise Refused(404, 0, "404: Not Found")

    def _known(self, nonce: str | None) -> StoredMessage | None:
        if nonce is None:
            return None
        known = self.nonces.get((self.guild.bot_id, nonce))
        if known is None or self._now() - known.created >= self.nonce_window:
            return None
        if known.deleted:
            raise Refused(404, 10008, "Unknown Message")
        return known

    def _files(self, payload: Row, uploads: Mapping[int, Upload]) -> list[StoredAttachment]:
        """The new ones; each upload goes by its number."""
        files = []
        for entry in payload.get("attachments") or []:
            upload = uploads.get(int(entry["id"]))
            if upload is not None:
                name = entry.get("filename") or upload.filename
                new = self.snowflakes.next(self._now())
                files.append(StoredAttachment(new, name, upload.data, entry.get("description")))
        return files

    def _own(
        self, channel: StoredChannel, ids: Mapping[str, str], code: int, text: str
    ) -> StoredMessage:
        message = _found(channel, ids)
        if message.author_id != self.guild.bot_id:
            raise Refused(403, code, text)
        return message


async def form(call: Call) -> tuple[Row, dict[int, Upload]]:
    """A body, or the refusal of what is none."""
    try:
        return await read_body(call)
    except ValueError:
        text = "The request body contains invalid JSON."
        raise Refused(400, 50109, text) from None


def check(found: list[Problem]) -> None:
    """Refuse a form that has problems."""
    if EMPTY in found:
        raise Refused(400, 50006, EMPTY.text)
    if found:
        raise Refused(400, 50035, "Invalid Form Body", form_errors(found))


def _require(permission: bool) -> None:
    if not permission:
        raise Refused(403, 50013, "Missing Permissions")


def _found(channel: StoredChannel, ids: Mapping[str, str]) -> StoredMessage:
    message = channel.find(int(ids["message"]))
    if message is None:
        raise Refused(404, 10008, "Unknown Message")
    return message


def missing_files(payload: Row, uploads: Mapping[int, Upload]) -> list[Problem]:
    """The attachments of a new message whose files did not come with it."""
    listed = enumerate(payload.get("attachments") or [])
    why = "The file is not in this request."
    missing = [i for i, entry in listed if int(entry["id"]) not in uploads]
    return [Problem(("attachments", i), "ATTACHMENT_NOT_FOUND", why) for i in missing]


def _kept(message: StoredMessage, payload: Row) -> list[StoredAttachment]:
    """All, unless the body lists which."""
    if payload.get("attachments") is None:
        return message.attachments
    listed = {int(entry["id"]) for entry in payload["attachments"]}
    return [attachment for attachment in message.attachments if attachment.id in listed]
