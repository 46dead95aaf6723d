"""What is typed on Slack -> the line that every platform understands; and commands' names. Pure.

Slack gives a command one field of text, in which its clients put links, entities and fine quotes.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import replace

from alerts.model import Message, Row, Section
from alerts.words import inert
from bot.forms import FORMS

UMBRELLA = "tapewatch"
"""`/tapewatch COMMAND ...` reaches all of them."""

RESERVED = frozenset(
    {
        *("active", "all", "apps", "archive", "away", "call", "collapse", "dm"),
        *("dnd", "expand", "feed", "feedback", "help", "invite", "join", "keys"),
        *("kick", "leave", "list", "me", "msg", "mute", "open", "prefs"),
        *("pro", "remind", "remove", "rename", "search", "shortcuts", "shrug", "star"),
        *("status", "topic", "trigger", "unarchive", "who"),
    }
)
"""Slack's own: a whole manifest that declares one of these is refused."""

_PREFIX = "tw-"
_SPACES = re.compile("[\\s\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'"})
_LONG_HYPHEN = re.compile("(?<=\\d)[‐-―−](?=\\d)")
_ANGLES = re.compile(r"<([^<>\s][^<>]*)>")
_MARKS = "*_~`"
_DOLLAR = re.compile(r"^\$(?=[A-Za-z])(?!(here|mine)$)", re.IGNORECASE)
"""With it these two are tickers, without it words of a command."""
_PERSON = re.compile(r"(?<![^\s(\"'“])slack:@([UW][A-Z0-9]+)\b(?!…)")
_CHANNEL = re.compile(r"(?<![^\s(\"'“])slack:(?!C0123ABCDEF\b)([CG][A-Z0-9]{2,})\b(?!…)")
"""Nobody's channel is the one that our own texts have as an example."""

_QUOTED = re.compile(r"^([\"'])([^\"']*)\1$")
_REASON = re.compile(r"(?<!\S)because(?!\S)", re.IGNORECASE)


def declared(name: str) -> str:
    """The slash command that stands for one of ours: `/ticker`, `/tw-mute`."""
    return f"/{_PREFIX}{name}" if name in RESERVED else f"/{name}"


_RENAMED = "|".join(name for name in FORMS if name in RESERVED)
_OURS = re.compile(rf"(?<![^\s(\"'“])/({_RENAMED})(?![\w/-]|\.\w)")


def typed(command: str, text: str) -> str:
    """`/tw-mute`, `<http://BRK.B|BRK.B> 3` -> `mute BRK.B 3`."""
    name, said = _name(command), forgiven(cleaned(text))
    if name != UMBRELLA:
        return f"{name} {said}".strip()
    first, _, rest = said.partition(" ")
    return f"{_name(first) or 'help'} {rest}".strip()


def mentioned(text: str, bot_user: str) -> str:
    """The same of a message that speaks to us: `<@U0BOT> ticker NVDA`."""
    for_us = re.sub(rf"<@{re.escape(bot_user)}(\|[^<>]*)?>[:,]?", " ", text)
    return typed(UMBRELLA, for_us)


def cleaned(text: str) -> str:
    """Words as they were meant, with single spaces between them."""
    plain = _ANGLES.sub(_unwrapped, _UNSEEN.sub("", text))
    plain = _LONG_HYPHEN.sub("-", html.unescape(plain).translate(_QUOTES))
    words = (_word(word) for word in _SPACES.split(_QUOTED.sub(r"\2", plain.strip())))
    return " ".join(word for word in words if word)


def forgiven(line: str) -> str:
    """`NVDA,60.` -> `NVDA 60`: commas and full stops behind words; a reason is left as it is."""
    found = _REASON.search(line)
    at = found.start() if found else len(line)
    words = [part for word in line[:at].split() for part in _parts(word.rstrip(",;.")) if part]
    return " ".join([*words, line[at:]]).strip()


def spoken(message: Message, people: Mapping[str, str] | None = None) -> Message:
    """The message in words that can be typed here.

    `people`: what they are called, for where a mention would notify them; None where it would not.
    """

    def said(text: str) -> str:
        # Signs that are not shown would keep us from seeing what is.
        text = _OURS.sub(rf"/{_PREFIX}\1", inert(text))
        if people is not None:
            text = _PERSON.sub(lambda found: f"@{people.get(found[1], found[1])}", text)
        return text

    def rows(given: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(Row(said(row.head), tuple(map(said, row.details))) for row in given)

    return replace(
        message,
        title=said(message.title),
        lead=said(message.lead),
        context=tuple(map(said, message.context)),
        banners=tuple(map(said, message.banners)),
        rows=rows(message.rows),
        sections=tuple(Section(said(s.title), rows(s.rows)) for s in message.sections),
        facts=tuple((said(name), said(value)) for name, value in message.facts),
        footer=tuple(map(said, message.footer)),
    )


def linked(text: str, *, people: bool) -> str:
    """Escaped text, with channels as Slack shows them, and people; never longer than it was."""
    text = _PERSON.sub(r"<@\1>", text) if people else text
    return _CHANNEL.sub(r"<#\1>", text)


def _name(word: str) -> str:
    return word.lower().lstrip("/").removeprefix(_PREFIX)


def _unwrapped(found: re.Match[str]) -> str:
    """What stands in angle brackets: a person, a channel, a group, or a link with its label."""
    what, _, label = found[1].partition("|")
    if what[:1] == "@":
        return f"slack:@{what[1:]}"
    if what[:1] == "#":
        return f"slack:{what[1:]}"
    return label or what.lstrip("!")


def _parts(word: str) -> list[str]:
    """`NVDA,60` is two words; `1,000` and `floor:5,000,000` are one."""
    return re.split("[,;]", word) if word[:1].isalpha() and ":" not in word else [word]


def _word(word: str) -> str:
    if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'":
        word = word[1:-1]
    return _DOLLAR.sub("", word.strip(_MARKS))
