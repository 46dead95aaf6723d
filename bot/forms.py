"""Every command as a form: which fields it has, and how a filled one is typed. Pure data.

Discord makes options of it, Slack a form in a window; what both send is the line that a person
would have typed, so there is one reader of commands. What is filled into a field stays in it: no
value becomes another word of the command.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from alerts.kinds import LABELS, RULES

MAX_TICKER_SESSIONS = 1_260
"""Five years."""
POLICIES = ("missing", "missing+failed", "all")
"""core.jobs.Policy"""


SESSION = "session:"
"""What may stand in front of a date, so that it is nothing else."""
NOT_A_CHANNEL = "channel:"
"""In front of what was filled in where a channel belongs; CommandRequest.redirected refuses it."""
_PLACE = re.compile(r"(discord|slack):\w+", re.ASCII)
_APART = re.compile(r"[\s,;]+")


class Kind(StrEnum):
    """What goes into a field."""

    TICKER = "ticker"
    TICKERS = "tickers"
    SESSION = "session"
    DAY = "session that need not be stored"
    WHOLE = "whole number"
    CHOICE = "choice"
    FLAG = "yes or no"
    CHANNEL = "channel"
    TEXT = "text"
    """One word."""
    WORDS = "words"
    """As many as one likes, at the end of the line."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that can be said with a command."""

    name: str
    about: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    types: str = "{}"
    """How a value is typed: `top:{}`. Of a flag: what is typed if it is set."""

    def words(self, value: object) -> str:
        """The value as it is typed; empty if there is nothing to type."""
        if value is None or value is False:
            return ""
        if value is True:
            return self.types
        said = self._said(str(value))
        return said and self.types.format(said)

    def _said(self, value: str) -> str:
        match self.kind:
            case Kind.WORDS:
                return " ".join(value.split())
            case Kind.TICKERS:
                # `here` and `label:x` are words of commands; with a dollar, tickers.
                return " ".join(
                    f"${name.removeprefix('$')}" for name in _APART.split(value) if name
                )
        word = "_".join(value.split())
        if self.kind is Kind.TICKER:
            return word and f"${word.removeprefix('$')}"
        is_other = self.kind is Kind.CHANNEL and not _PLACE.fullmatch(word)
        return f"{NOT_A_CHANNEL}{word}" if word and is_other else word


@dataclass(frozen=True, slots=True)
class Form:
    """One command, or one action of a command that has several."""

    command: str
    about: str
    fields: tuple[Field, ...] = ()
    action: str = ""
    types: str = ""
    """What the line begins with; the command and its action if empty."""
    for_operators: bool = False
    """For nobody else, whatever is filled in."""

    @property
    def called(self) -> str:
        """`watch add`"""
        return f"{self.command} {self.action}".strip()

    def line(self, values: Mapping[str, object]) -> str:
        """What a person would have typed; another channel is named first."""
        command, *action = (self.types or f"{self.command} {self.action}").split()
        said = [field.words(values.get(field.name)) for field in self.fields]
        there = [words for f, words in zip(self.fields, said, strict=True) if f is _CHANNEL]
        rest = [words for f, words in zip(self.fields, said, strict=True) if f is not _CHANNEL]
        return " ".join(filter(None, [command, *there, *action, *rest]))


_CHANNEL = Field("channel", "another one (operators)", Kind.CHANNEL)
_SYMBOL = Field("symbol", "a ticker, such as NVDA", Kind.TICKER, required=True)
_SYMBOLS = Field("symbols", "one ticker, or several: NVDA AMD", Kind.TICKERS, required=True)
_SESSION = Field(
    "session", "today, or a date such as 2026-11-25", Kind.SESSION, types=f"{SESSION}{{}}"
)
_HERE = Field("here", "the list of this channel, not your own", Kind.FLAG, types="here")
_NUMBER = Field("number", "its number in the list", Kind.WHOLE, required=True, least=1)
_FROM = Field("first", "the first session, such as 2026-06-01", Kind.DAY, required=True)
_OLDEST = Field("oldest_first", "begin with the oldest", Kind.FLAG, types="oldest-first")
_ANNOUNCE = Field(
    "announce", "one summary at the end, in this channel", Kind.FLAG, types="announce"
)
_TO = Field("last", "the last session, such as 2026-11-25", Kind.DAY, required=True)
_POLICY = Field(
    "policy", "which of them; missing if nothing is said", Kind.CHOICE, choices=POLICIES
)
_SERIES = Field(
    "series", "which bars, such as trades or finra; the best if nothing is said", Kind.TEXT,
    types="series:{}",
)  # fmt: skip
_SPAN = (_FROM, _TO, _POLICY, _OLDEST, _ANNOUNCE, _SERIES)
_SILENCE = (
    Field("sessions", "how many sessions; 5 if nothing is said", Kind.WHOLE, least=1, most=250),
    Field("until", "a date", Kind.TEXT, types="until:{}"),
    Field("mine", "only in what you are shown", Kind.FLAG, types="mine"),
    _CHANNEL,
    Field("because", "the reason, for those who wonder later", Kind.WORDS, types="because {}"),
)
_DOUBLE = Field("double", "until its score doubles", Kind.FLAG, types="until:double")

_ALL = (
    Form(
        "anomalies",
        "the digest of a session",
        (
            _SESSION,
            Field("show", "another list", Kind.CHOICE, choices=("all", "raw", "mine", "csv")),
            Field("judged", "when", Kind.CHOICE, choices=("sent", "now"), types="as:{}"),
        ),
    ),
    Form(
        "ticker",
        "one ticker beside its own usual",
        (
            _SYMBOL,
            Field(
                "sessions", "how many in the table", Kind.WHOLE, least=2, most=MAX_TICKER_SESSIONS
            ),
            _SESSION,
            Field("show", "only one part", Kind.CHOICE, choices=("chart", "text")),
        ),
    ),
    Form("why", "every gate a ticker passed or failed", (_SYMBOL, _SESSION)),
    Form(
        "preview",
        "what other settings would have sent",
        (
            Field("min", "the cut, such as 4.5", Kind.TEXT, types="min:{}"),
            Field("floor", "dollars a day, such as 5M", Kind.TEXT, types="floor:{}"),
            Field("price", "the least close in dollars", Kind.TEXT, types="price:{}"),
            Field("top", "lines at most", Kind.WHOLE, least=1, most=50, types="top:{}"),
        ),
    ),
    Form(
        "scorecard",
        "what flagged names did afterwards",
        (Field("months", "how far back", Kind.CHOICE, choices=("1m", "3m", "6m", "12m")),),
    ),
    Form("watch", "what is on your watchlist", (_HERE, _CHANNEL), action="list"),
    Form("watch", "put tickers on your watchlist", (_SYMBOLS, _HERE, _CHANNEL), action="add"),
    Form("watch", "take tickers off your watchlist", (_SYMBOLS, _HERE, _CHANNEL), action="remove"),
    Form(
        "mute",
        "silence for one ticker",
        (_SYMBOL, *_SILENCE[:2], _DOUBLE, *_SILENCE[2:]),
        action="ticker",
        types="mute",
    ),
    Form(
        "mute",
        "silence for one kind of line",
        (
            Field(
                "label",
                "what the lines say",
                Kind.CHOICE,
                required=True,
                choices=tuple(LABELS),
                types="label:{}",
            ),
            *_SILENCE,
        ),
        action="label",
        types="mute",
    ),
    Form(
        "mute",
        "silence for what one rule finds",
        (
            Field(
                "rule",
                "which measure",
                Kind.CHOICE,
                required=True,
                choices=tuple(RULES),
                types="rule:{}",
            ),
            *_SILENCE,
        ),
        action="rule",
        types="mute",
    ),
    Form("mutes", "what is muted, and what is left", action="list", types="mutes"),
    Form("mutes", "end a mute", (_NUMBER,), action="end"),
    Form("feedback", "what readers said", action="summary", types="feedback"),
    Form("feedback", "this line was useful", (_SYMBOL, _SESSION), action="useful"),
    Form("feedback", "this line was noise", (_SYMBOL, _SESSION), action="noise"),
    Form(
        "subscribe",
        "send digests to this channel",
        (
            Field("lines", "of which volume", Kind.CHOICE, choices=("all", "off-exchange")),
            Field(
                "min",
                "how rare at least",
                Kind.CHOICE,
                choices=("notable", "rare", "extreme"),
                types="min:{}",
            ),
            Field("top", "lines at most", Kind.WHOLE, least=1, most=50, types="top:{}"),
            Field("watchlist", "only this channel's list", Kind.FLAG, types="watchlist"),
            Field("etfs", "with or without ETFs", Kind.CHOICE, choices=("etfs", "no-etfs")),
            Field("quiet", "no sound from-to, such as 22:00-07:00", Kind.TEXT, types="quiet:{}"),
            Field("zone", "of the quiet hours, such as Europe/Berlin", Kind.TEXT, types="zone:{}"),
            Field("sound", "with or without a sound", Kind.CHOICE, choices=("sound", "silent")),
            _CHANNEL,
        ),
        for_operators=True,
    ),
    Form("unsubscribe", "send no digests here any more", (_CHANNEL,), for_operators=True),
    Form("channels", "where digests go", action="list", types="channels"),
    Form("channels", "post a test message here", action="test"),
    Form("outbox", "what did not arrive", action="list", types="outbox"),
    Form("outbox", "send it again", (_NUMBER,), action="resend", for_operators=True),
    Form("outbox", "look for it again", (_NUMBER,), action="look", for_operators=True),
    Form("outbox", "give it up", (_NUMBER,), action="drop", for_operators=True),
    Form("source", "what each source answers", action="status"),
    Form("backfill", "how far it is", action="status", types="backfill"),
    Form(
        "backfill",
        "what a span needs, before anything is read",
        _SPAN,
        action="plan",
    ),
    Form(
        "backfill",
        "read a span, silently",
        _SPAN,
        action="run",
        for_operators=True,
    ),
    Form("backfill", "read no more for now", action="pause"),
    Form("backfill", "go on", action="resume"),
    Form("backfill", "stop after what is being read", action="cancel"),
    Form("backfill", "read once more what failed", action="retry"),
    Form("backfill", "what failed, and why", action="failed"),
    Form("backfill", "past alerts that would differ now", action="changes"),
    Form(
        "config",
        "the settings of this bot, without secrets",
        (Field("all", "the defaults as well", Kind.FLAG, types="all"),),
        action="show",
    ),
    Form("help", "what can be asked"),
)

FORM = "form"
"""Typed alone behind a command, it asks for the window of optional_form()."""


def optional_form(name: str) -> "Form | None":
    """The form of a command that can be answered without any of its fields; None for others.

    Those that need something have no such word: FORM is a ticker.
    """
    for form in FORMS.get(name, ()):
        if form.fields and not form.action and not any(field.required for field in form.fields):
            return form
    return None


FORMS: Mapping[str, tuple[Form, ...]] = {
    name: tuple(form for form in _ALL if form.command == name)
    for name in dict.fromkeys(form.command for form in _ALL)
}
"""By command, in the order of bot.commands.Commands.USAGE."""
