"""Every command once, for every platform: CommandRequest -> Reply. Knows no chat library."""

import asyncio
import difflib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import ClassVar

from alerts.budget import clipped
from alerts.cards import source_status
from alerts.message import stamp
from alerts.model import Message, Row
from alerts.words import clock
from bot import (
    backfilling,
    channels,
    config_desk,
    digests,
    mute_words,
    muting,
    names,
    opinions,
    outbox_desk,
    watching,
)
from bot.audit import DONE, Audit, unaudited
from bot.digests import Digests
from bot.forms import FORM, FORMS, optional_form
from bot.requests import CommandRequest, Handler, Reply
from core.calendar import last_complete
from core.errors import BarsAway, CommandError
from core.ladder import Ladder
from core.ledger import Status
from core.progress import Board
from core.sources.access import Doctor, Probe

logger = logging.getLogger(__name__)

_PROBED_ANEW_AFTER = timedelta(minutes=1)
_SHOWN_BY = {
    "watch": "/watch list",
    "mute": "/mutes",
    "mutes": "/mutes",
    "feedback": "/feedback",
    "subscribe": "/channels",
    "unsubscribe": "/channels",
    "channels": "/channels",
    "outbox": "/outbox",
    "backfill": "/backfill",
}
"""The commands that change something, and what shows it."""
_SUCH = "Ask for example /anomalies, /ticker NVDA or /why NVDA; /help lists what there is"
_CHANGE_ALONE = ("subscribe", "unsubscribe")
"""The others only show something unless more is typed."""
_WINDOWS = ", ".join(f"/{name} {FORM}" for name in FORMS if optional_form(name) is not None)

__all__ = ["CommandRequest", "Commands", "Reply"]


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands over the ladder of series."""

    USAGE: ClassVar = {
        "anomalies": (digests.USAGE, "the digest of a session"),
        "ticker": (names.USAGE, "one ticker beside its own usual"),
        "why": ("SYM [DATE]", "every gate a ticker passed or failed"),
        "preview": ("min:4.5 floor:5M", "what other settings would have sent"),
        "scorecard": ("[3m]", "what flagged names did afterwards, beside unflagged ones"),
        "watch": (watching.USAGE, "your watchlist; here: this channel's"),
        "mute": (mute_words.USAGE, "silence for 5 sessions, or until something ends it"),
        "mutes": (muting.LIST_USAGE, "what is muted, by whom, why, and what is left"),
        "feedback": (opinions.USAGE, "what readers said, and the setting it proposes"),
        "subscribe": (channels.SUBSCRIBE_USAGE, "send digests to this channel"),
        "unsubscribe": ("", "send none any more"),
        "channels": ("[test]", "where digests go; test posts a test message here"),
        "outbox": (outbox_desk.USAGE, "what did not arrive, and what to do"),
        "source": ("status", "what each source answers, and the next step"),
        "backfill": (backfilling.USAGE, "sessions of the past, read silently"),
        "config": (config_desk.USAGE, "the settings of this bot, without secrets"),
        "help": ("", "this list"),
    }

    ladder: Ladder
    doctor: Doctor
    board: Board
    next_try: Callable[[], str]
    digests: Digests
    parts: Mapping[str, Handler]
    """The commands that are not answered here, by name."""
    audit: Audit = unaudited
    _handlers: dict[str, Handler] = field(init=False, default_factory=dict)
    _probes: list[tuple[datetime, Sequence[Probe]]] = field(init=False, default_factory=list)
    """When, and what was found last."""
    _probing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """All of USAGE, in its order; KeyError if one has no handler."""
        own: dict[str, Handler] = {"source": self._source, "help": self._help}
        self._handlers.update({name: (own | dict(self.parts))[name] for name in self.USAGE})

    @property
    def names(self) -> list[str]:
        """All commands, for completion and for the parity of platforms."""
        return list(self._handlers)

    async def answer(self, request: CommandRequest) -> Reply:
        """Always an answer: a fault of ours is logged, and said to be ours."""
        reply = await self._answered(request)
        if request.demands:
            await self.audit(request, DONE if reply.ok else reply.message.lead)
        return reply

    async def _answered(self, request: CommandRequest) -> Reply:
        try:
            handler = self._handler(request.name)
            _no_window(request, self.USAGE[request.name][0])
            return Reply(await handler(request.redirected()))
        except CommandError as error:
            return self._refused(str(error))
        except BarsAway as error:
            logger.warning("command without bars", extra={"seen": str(error)})
            return self._refused(f"The bars cannot be read at the moment ({error}); ask again soon")
        except Exception:
            logger.exception("command failed", extra={"command": request.name})
            return self._refused(
                f"/{request.name} failed on our side; {_changed(request)}. The log has the details."
            )

    def _refused(self, text: str) -> Reply:
        series = self.ladder.top.series
        return Reply(Message(title="", lead=text, stamp=stamp(series)), ok=False)

    def _handler(self, name: str) -> Handler:
        if name in self._handlers:
            return self._handlers[name]
        if not name:
            raise CommandError(_SUCH)
        begin = [known for known in self._handlers if len(name) > 2 and known.startswith(name)]
        # In a mention it may be any word: `thanks!` is not meant as /channels.
        near = begin or difflib.get_close_matches(name, self._handlers, 1, 0.7)
        if near:
            raise CommandError(f"There is no command /{name}; did you mean /{near[0]}?")
        raise CommandError(f"There is no command {clipped(name, 40)!r}. {_SUCH}")

    async def _help(self, request: CommandRequest) -> Message:
        rows = [
            Row(f"/{name} {usage}".strip(), (said,)) for name, (usage, said) in self.USAGE.items()
        ]
        return Message(
            title="Commands",
            lead="What can be asked:",
            rows=tuple(rows),
            footer=(
                "DATE is today, or like 2026-11-20; tickers keep their case (BRK.B, BApA)",
                f"on Slack a window to fill in is opened by {_WINDOWS}",
            ),
            stamp=stamp(self.ladder.top.series),
        )

    async def _probed(self, on: date, *, fresh: bool) -> tuple[Sequence[Probe], str]:
        """Small plans have few calls: whoever else asks meanwhile, or within a minute, is told the
        same, and of when it is."""
        now = self.ladder.top.now
        async with self._probing:
            if not fresh and self._probes:
                at, probes = self._probes[0]
                if now() - at <= _PROBED_ANEW_AFTER:
                    return probes, f"The sources were asked at {clock(at)}, less than a minute ago."
            probes = await self.doctor.examine(on)
            self._probes[:] = [(now(), probes)]
            return probes, ""

    async def _source(self, request: CommandRequest) -> Message:
        words = request.words
        if words not in ((), ("status",)):
            raise CommandError(
                f"/source {clipped(' '.join(words), 40)}: there is only /source status"
            )
        now = self.ladder.top.now()
        newest = last_complete(now)
        is_console = request.channel.platform == "console"
        probes, asked_at = await self._probed(newest.date, fresh=is_console)
        entry = await self.ladder.entry(newest)
        stuck = entry if entry and entry.status in (Status.HELD, Status.ABSENT) else None
        status = source_status(
            [(p.part, p.verdict, p.seen, p.next_step) for p in probes],
            [source.name for rung in self.ladder.rungs for source in rung.chain.sources],
            await self.ladder.newest(Status.FINISHED),
            stuck,
            self.next_try(),
            self.ladder.top.series,
            self.board.current(now),
        )
        return replace(status, banners=(asked_at, *status.banners)) if asked_at else status


def _no_window(request: CommandRequest, usage: str) -> None:
    """Raises CommandError for whoever asks for a form where there is none."""
    asked = [word.lower() for word in request.words] == [FORM]
    if asked and optional_form(request.name) is not None:
        name = request.name
        raise CommandError(
            f"A form opens only for the command /{name} {FORM} on Slack, outside of threads, and"
            f" soon after it is typed; elsewhere it is typed as /{name} {usage}".rstrip()
        )


def _changed(request: CommandRequest) -> str:
    """What is known of a command that failed half-way."""
    shown_by = _SHOWN_BY.get(request.name)
    if shown_by is None or not (request.words or request.name in _CHANGE_ALONE):
        return "nothing was changed"
    return f"it is not known whether anything was changed: {shown_by} shows what there is"
