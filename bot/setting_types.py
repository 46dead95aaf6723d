"""The kinds of values that settings have: what may be typed for each, and what is said if not."""

import re
from collections.abc import Callable
from datetime import time
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from bot.amounts import amount

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _clock(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value.strip()):
        raise ValueError("a time of day in New York, HH:MM, such as 11:00")
    return time.fromisoformat(value.strip())


def _parts(text: str) -> SplitResult:
    """Of an address; the library's own words quote it, and so a password that is in it."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("an address with a port from 1 to 65535, if it has one") from None
    return parts


def _url(value: object) -> str:
    text = str(value).strip().rstrip("/")
    parts = _parts(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address that begins with https:// (or http:// on this machine)")
    if parts.username or parts.password or parts.query:
        raise ValueError("an address without a user, a password or a query in it")
    return text


def _safe_url(value: object) -> str:
    """What comes from there decides what channels are told, also where no key goes."""
    text = _url(value)
    parts = urlsplit(text)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError(
            "https://, for whoever stands between could read a key, or change what is told"
            " (http:// only on loopback)"
        )
    return text


def _bucket_url(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip().rstrip("/")
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9._=-]+)*", text):
        raise ValueError("s3://BUCKET or s3://BUCKET/PREFIX; the server is DATA_ENDPOINT_URL")
    return text


def _secret_url(value: object) -> object:
    """Whoever knows the address may use it: its fault is told without it."""
    if not isinstance(value, str):
        return value
    parts = _parts(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address that begins with https:// (or http:// on this machine)")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("https://, for the address is a secret (http:// only on loopback)")
    return value.strip()


def _folder_url(value: object) -> str:
    text = _safe_url(value)
    if text.lower().endswith(".txt"):
        raise ValueError("the address of the folder, without the file's name")
    return text


def _key(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the key as the dashboard shows it, without spaces or line breaks in it")
    return text


def _slack_token(begins: str, what: str) -> Callable[[object], object]:
    """A token of Slack's tells by its beginning what it is for."""

    def read(value: object) -> object:
        text = _key(value)
        if isinstance(text, str) and text and not re.match(begins, text):
            raise ValueError(what)
        return text

    return read


def _usd(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return amount(value)
    except ValueError as error:
        raise ValueError("an amount in USD, such as 5M, 500k or 2000000") from error


def _gateway_url(value: object) -> str:
    text = str(value).strip().rstrip("/")
    parts = _parts(text)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username or parts.query:
        raise ValueError("an address that begins with wss:// (or ws:// on this machine)")
    if parts.scheme == "ws" and parts.hostname not in _LOOPBACK:
        raise ValueError("wss://, for the token travels with it (ws:// only on loopback)")
    return text


def _scheduler(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip().rstrip("/")
    parts = _parts(text)
    whole = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    if not whole or parts.username or parts.path or parts.query or parts.fragment:
        raise ValueError("a Dask scheduler's address, such as tcp://10.0.0.5:8786 (or tls://...)")
    return text


def _guild(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(DISCORD_ID, value.strip()):
        raise ValueError("a server's id (15 to 20 digits: right-click the server, Copy Server ID)")
    return value.strip()


def _channels(pattern: str, such: str, what: str = "channel ids") -> Callable[[object], object]:
    """A list of ids, separated by commas; names are refused."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        named = [part.strip() for part in value.split(",") if part.strip()]
        if wrong := [name for name in named if not re.fullmatch(pattern, name)]:
            shown = "a token" if looks_secret(wrong[0]) else repr(wrong[0])
            raise ValueError(f"{what} ({such}), separated by commas; {shown} is none")
        return tuple(dict.fromkeys(named))

    return read


_TOKEN = re.compile(
    r"xox[a-z]-|xapp-|^[\w-]{20,}\.[\w-]+\.|//.*[@?]|//[^/]*/api/webhooks/|//hooks\."
)
"""Tokens of Slack and Discord, and addresses that hold a password, a signature or a token."""
_KEY = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[\w+=-][\w+/=-]{19,}")
"""As a vendor's or S3's are, whole: long, of letters and digits. What begins with / is a path."""
DISCORD_ID = r"[0-9]{15,20}"
SLACK_ID = r"[CGD][A-Z0-9]{7,20}"


def looks_secret(text: str) -> bool:
    """Is a token or a key in it, where none belongs?"""
    parts = re.split(r"[\s,'\"=]+", text)
    # In an address a token is a part of the path, as a dead-man's switch has it.
    parts += [piece for part in parts if "://" in part for piece in part.split("/")]
    return any(_TOKEN.search(part) or _KEY.fullmatch(part) for part in parts)


PLATFORMS = {"discord": DISCORD_ID, "slack": SLACK_ID}


def channel_id(platform: str, text: str) -> bool:
    """Does this look like the platform's name of a channel?"""
    return re.fullmatch(PLATFORMS.get(platform, "(?!)"), text) is not None


def _operator(value: object) -> object:
    if not isinstance(value, str):
        return value
    platform, _, channel = value.strip().partition(":")
    if not channel_id(platform.lower(), channel):
        raise ValueError("discord: or slack: and a channel id, such as discord:123456789012345678")
    return f"{platform.lower()}:{channel}"


Scheduler = Annotated[str, BeforeValidator(_scheduler)]
Key = Annotated[SecretStr, BeforeValidator(_key)]
SlackBotToken = Annotated[
    SecretStr,
    BeforeValidator(
        # With token rotation it begins with the longer one.
        _slack_token(
            r"(xoxe\.)?xoxb-",
            "the bot token, which begins with xoxb- (xapp-... is SLACK_APP_TOKEN)",
        )
    ),
]
SlackAppToken = Annotated[
    SecretStr,
    BeforeValidator(
        _slack_token(
            "xapp-", "the app-level token, which begins with xapp- (xoxb-... is SLACK_BOT_TOKEN)"
        )
    ),
]
DiscordChannels = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(
        _channels(DISCORD_ID, "15 to 20 digits: right-click the channel, Copy Channel ID")
    ),
]
SlackChannels = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(
        _channels(SLACK_ID, "such as C0123ABCDEF, at the end of the channel's details")
    ),
]
DiscordPeople = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(
        _channels(
            DISCORD_ID,
            "15 to 20 digits: right-click a person or a role, Copy ID",
            "ids of people or of roles",
        )
    ),
]
SlackPeople = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(
        _channels(
            r"[UWS][A-Z0-9]{7,20}",
            "such as U0123ABCDEF, in the profile's menu",
            "ids of people or of user groups",
        )
    ),
]
DiscordGuild = Annotated[str, BeforeValidator(_guild)]
GatewayUrl = Annotated[str, BeforeValidator(_gateway_url)]
TimeOfDay = Annotated[time, BeforeValidator(_clock)]
Usd = Annotated[float, BeforeValidator(_usd)]
BucketUrl = Annotated[str, BeforeValidator(_bucket_url)]
SafeUrl = Annotated[str, BeforeValidator(_safe_url)]
FolderUrl = Annotated[str, BeforeValidator(_folder_url)]
SecretUrl = Annotated[SecretStr, BeforeValidator(_secret_url)]
Operator = Annotated[str, BeforeValidator(_operator)]
