"""What Discord accepts in a message: the limits of its documentation, without a server.

Lengths are counted in Unicode code points: Discord's API is written in Python 3 and counts what its
len() counts (said by its staff in discord-api-docs#1315); neither UTF-16 units nor bytes.

It is stricter than Discord in four things, which would all be mistakes of ours: unknown keys, which
Discord overlooks; an `attachment://` without its file; empty embeds; and what this server does not
model (components of the second version, polls, stickers, voice messages).
"""

from collections.abc import Collection, Iterator, Mapping

from tests.servers import discord_forms as forms
from tests.servers.chat import Row
from tests.servers.discord_components import component_problems
from tests.servers.discord_forms import Path, Problem

SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS, HAS_THREAD = 1 << 2, 1 << 12, 1 << 5
EPHEMERAL, LOADING = 1 << 6, 1 << 7
ATTACHMENT = "attachment://"

_FLAGS = {
    "SUPPRESS_EMBEDS": SUPPRESS_EMBEDS,
    "SUPPRESS_NOTIFICATIONS": SUPPRESS_NOTIFICATIONS,
}
_EDIT = {"content", "tts", "embeds", "allowed_mentions", "components", "attachments", "flags"}
_CREATE = _EDIT | {"nonce", "enforce_nonce", "message_reference"}
_MENTIONS = {"parse", "roles", "users", "replied_user"}
_REFERENCE = {"type", "message_id", "channel_id", "guild_id", "fail_if_not_exists"}
_MEDIA = ("image", "thumbnail")
_EMBED_TEXTS = {"title": 256, "description": 4096}
_EMBED_PARTS = {
    "footer": {"text", "icon_url", "proxy_icon_url"},
    "author": {"name", "url", "icon_url", "proxy_icon_url"},
    **{name: {"url", "proxy_url", "height", "width", "flags"} for name in _MEDIA},
}
_EMBED = {*_EMBED_TEXTS, *_EMBED_PARTS, "type", "url", "timestamp", "color", "fields", "flags"}
_VISIBLE = {*_EMBED_TEXTS, *_EMBED_PARTS, "fields"}
_THREAD = {"name", "auto_archive_duration", "rate_limit_per_user"}

EMPTY = Problem((), "50006", "Cannot send an empty message")


def problems(payload: Row, *, edit: bool = False) -> list[str]:
    """All that Discord would refuse in the JSON of a message; nothing if it would take it."""
    return [str(problem) for problem in message_problems(payload, edit=edit)]


def message_problems(
    payload: Row, *, edit: bool = False, interaction: bool = False
) -> list[Problem]:
    """The same, with codes and paths; `edit` for the body of a PATCH.

    What answers an `interaction` may be for one reader alone, and has neither nonce nor reference.
    """
    known = _EDIT if edit or interaction else _CREATE
    flags = dict(_FLAGS, EPHEMERAL=EPHEMERAL) if interaction and not edit else _FLAGS
    found = [*forms.keys(payload, (), known), *_flags(payload, flags), *_message(payload, edit)]
    if not found and not edit and is_empty(payload):
        found.append(EMPTY)
    return found


def thread_problems(payload: Row) -> list[Problem]:
    """All that Discord would refuse in the JSON of a new thread."""
    found = [*forms.keys(payload, (), _THREAD), *forms.text(payload, (), "name", 100, least=1)]
    if payload.get("auto_archive_duration") not in (None, 60, 1440, 4320, 10080):
        found.append(forms.choice(("auto_archive_duration",), "60, 1440, 4320, 10080"))
    return found


def is_empty(payload: Row) -> bool:
    """Whether there is nothing to see."""
    content = payload.get("content")
    shown = [isinstance(content, str) and content.strip()]
    return not any(
        [*shown, *(payload.get(name) for name in ("embeds", "components", "attachments"))]
    )


def _flags(payload: Row, known: Mapping[str, int]) -> Iterator[Problem]:
    flags = payload.get("flags") or 0
    if not isinstance(flags, int) or flags & ~sum(known.values()):
        yield forms.choice(("flags",), ", ".join(known))


def _message(payload: Row, edit: bool) -> Iterator[Problem]:
    yield from forms.text(payload, (), "content", 2000)
    nonce = payload.get("nonce")
    if nonce is not None and (isinstance(nonce, bool) or not isinstance(nonce, int | str)):
        yield Problem(("nonce",), "NONCE_TYPE_INVALID_TYPE", "Must be a string or integer.")
    elif len(str(nonce or "")) > 25:
        yield Problem(("nonce",), "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer characters long.")
    yield from forms.object_of(payload, (), "allowed_mentions", _MENTIONS)
    yield from forms.object_of(payload, (), "message_reference", _REFERENCE)
    yield from _attachments(payload)
    yield from _embeds(payload, edit=edit)
    yield from component_problems(payload)


def _attachments(payload: Row) -> Iterator[Problem]:
    yield from forms.size(payload, (), "attachments", 10)
    for path, entry in forms.items(payload, (), "attachments"):
        yield from forms.text(entry, path, "description", 1024)
        yield from forms.text(entry, path, "filename", 260)
        if not str(entry.get("id", "")).isdigit():
            yield forms.required((*path, "id"))


def _embeds(payload: Row, *, edit: bool) -> Iterator[Problem]:
    yield from forms.size(payload, (), "embeds", 10)
    total, files = 0, {str(e.get("filename")) for _, e in forms.items(payload, (), "attachments")}
    for path, embed in forms.items(payload, (), "embeds"):
        yield from _embed(embed, path)
        total += _length(embed)
        if not edit or "attachments" in payload:
            yield from _media(embed, path, files)
    if total > 6000:
        text = "Embed size exceeds maximum size of 6000"
        yield Problem(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", text)


def _embed(embed: Row, path: Path) -> Iterator[Problem]:
    yield from forms.keys(embed, path, _EMBED)
    if not any(embed.get(name) for name in _VISIBLE):
        yield forms.required(path)
    for name, most in _EMBED_TEXTS.items():
        yield from forms.text(embed, path, name, most)
    if embed.get("type", "rich") != "rich":
        yield forms.choice((*path, "type"), "rich")
    color = embed.get("color")
    if color is not None and not (isinstance(color, int) and 0 <= color <= 0xFFFFFF):
        text = "int value should be between 0 and 16777215."
        yield Problem((*path, "color"), "NUMBER_TYPE_MAX", text)
    for name, keys in _EMBED_PARTS.items():
        yield from forms.object_of(embed, path, name, keys)
    yield from forms.text(forms.part(embed, "footer"), (*path, "footer"), "text", 2048)
    yield from forms.text(forms.part(embed, "author"), (*path, "author"), "name", 256)
    yield from forms.size(embed, path, "fields", 25)
    for at, entry in forms.items(embed, path, "fields"):
        yield from forms.keys(entry, at, {"name", "value", "inline"})
        yield from forms.text(entry, at, "name", 256, least=1)
        yield from forms.text(entry, at, "value", 1024, least=1)


def _media(embed: Row, path: Path, files: Collection[str]) -> Iterator[Problem]:
    for name in _MEDIA:
        url = forms.part(embed, name).get("url")
        if url is None:
            continue
        if not str(url).startswith(("https://", "http://", ATTACHMENT)):
            text = "Scheme must be one of ('http', 'https')."
            yield Problem((*path, name, "url"), "URL_TYPE_INVALID_SCHEME", text)
        if str(url).startswith(ATTACHMENT) and url.removeprefix(ATTACHMENT) not in files:
            text = "The attachment is not in this message."
            yield Problem((*path, name, "url"), "ATTACHMENT_NOT_FOUND", text)


def _length(embed: Row) -> int:
    """What counts towards the total."""
    texts = [embed.get(name) for name in _EMBED_TEXTS]
    texts += [forms.part(embed, "footer").get("text"), forms.part(embed, "author").get("name")]
    for _, entry in forms.items(embed, (), "fields"):
        texts += [entry.get("name"), entry.get("value")]
    return sum(len(text) for text in texts if isinstance(text, str))
