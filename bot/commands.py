"""Every command once, for every platform: CommandRequest -> Reply. Knows no chat library."""

import asyncio
import difflib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import polars as pl

from alerts.cards import Flag, source_status, ticker_card
from alerts.message import in_sections, stamp
from alerts.model import Message, Report, Row
from alerts.publish import delivered
from alerts.why import why
from bot import digests
from bot.arguments import Sessions, current, find_ticker, no_more_than, whole
from bot.reviews import Reviews
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, last_complete, sessions_ending
from core.errors import CommandError
from core.ladder import Ladder
from core.ledger import Status
from core.pipeline import Pipeline
from core.progress import Board
from core.renames import follow_splits
from core.sources.access import Doctor
from core.splits import restate

logger = logging.getLogger(__name__)

_TICKER_SESSIONS, _MAX_TICKER_SESSIONS = 20, 250
_FLAGS = 5


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What somebody typed, and who and where they are."""

    name: str
    words: tuple[str, ...]
    who: str
    where: str

    @classmethod
    def parse(cls, text: str, who: str, where: str) -> "CommandRequest":
        """`/ticker NVDA 60`, with or without the slash."""
        words = text.strip().removeprefix("/").split()
        return cls(words[0].lower() if words else "", tuple(words[1:]), who, where)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; private unless somebody shares it. `ok` is False for a refusal in words."""

    message: Message
    private: bool = True
    ok: bool = True


Handler = Callable[[tuple[str, ...]], Awaitable[Message]]


class Commands:
    """The commands over the ladder of series."""

    USAGE: ClassVar = {
        "anomalies": (digests.USAGE, "the digest of a session"),
        "ticker": ("SYM [sessions]", "one ticker beside its own usual"),
        "why": ("SYM [DATE]", "every gate a ticker passed or failed"),
        "preview": ("min:4.5 floor:5M", "what other settings would have sent"),
        "scorecard": ("[3m]", "what flagged names did afterwards, beside unflagged ones"),
        "source": ("status", "what each source answers, and the next step"),
        "help": ("", "this list"),
    }

    def __init__(
        self,
        ladder: Ladder,
        doctor: Doctor,
        board: Board,
        next_try: Callable[[], str],
        top: int,
    ) -> None:
        self._ladder, self._doctor, self._board = ladder, doctor, board
        self._next_try = next_try
        self._sessions = Sessions(ladder, ladder.top.now)
        self.digests = digests.Digests(ladder, self._sessions, top)
        reviews = Reviews(ladder, self._sessions, top)
        handlers = (
            *(self._anomalies, self._ticker, self._why),
            *(reviews.preview, reviews.scorecard, self._source, self._help),
        )
        self._handlers: dict[str, Handler] = dict(zip(self.USAGE, handlers, strict=True))

    @property
    def names(self) -> list[str]:
        """All commands, for completion and for the parity of platforms."""
        return list(self._handlers)

    async def answer(self, request: CommandRequest) -> Reply:
        """Always an answer: a fault of ours is logged, and said to be ours."""
        try:
            handler = self._handler(request.name)
            return Reply(await handler(request.words))
        except CommandError as error:
            return self._refused(str(error))
        except Exception:
            logger.exception("command failed", extra={"command": request.name})
            return self._refused(
                f"/{request.name} failed on our side; nothing was changed. The log has the details."
            )

    def _refused(self, text: str) -> Reply:
        series = self._ladder.top.series
        return Reply(Message(title="", lead=text, stamp=stamp(series)), ok=False)

    def _handler(self, name: str) -> Handler:
        if name in self._handlers:
            return self._handlers[name]
        near = difflib.get_close_matches(name, self._handlers, 1, 0.5)
        hint = f"did you mean /{near[0]}?" if near else "/help lists what there is"
        raise CommandError(f"There is no command /{name[:40]}; {hint}")

    async def _help(self, words: tuple[str, ...]) -> Message:
        rows = [
            Row(f"/{name} {usage}".strip(), (said,)) for name, (usage, said) in self.USAGE.items()
        ]
        return Message(
            title="Commands",
            lead="What can be asked:",
            rows=tuple(rows),
            footer=("DATE is today, or like 2026-11-20; tickers keep their case (BRK.B, BApA)",),
            stamp=stamp(self._ladder.top.series),
        )

    async def _anomalies(self, words: tuple[str, ...]) -> Message:
        return await self.digests.answer(words)

    async def _ticker(self, words: tuple[str, ...]) -> Message:
        usage = "/ticker SYM [sessions]"
        no_more_than(words, 2, usage)
        many = whole(words[1], _MAX_TICKER_SESSIONS, usage) if len(words) > 1 else _TICKER_SESSIONS
        chosen = await self._sessions.resolve(None)
        pipeline = await self._ladder.of(chosen.day)
        window = sessions_ending(chosen.day, max(many, LOOKBACK_SESSIONS))
        first, last = window[0].date, chosen.day.date
        renames = await pipeline.record.renames(first, last)
        names = await pipeline.record.names(window, renames)
        typed, renamed = current(words[0] if words else "", names, renames)
        ticker = find_ticker(typed, names, usage)
        splits = follow_splits(await pipeline.record.splits(first, last), renames, last)
        own = await pipeline.record.history(ticker, window, renames)
        history = _dense(restate(own, splits, last), window[-many:])
        if history["volume"].null_count() == len(history):
            raise CommandError(f"{ticker} did not trade in the last {many} sessions stored here")
        row = _line(await pipeline.record.scores(chosen.day, pipeline.rule), ticker)
        flags = await self._flags(ticker)
        prints = await self._prints(pipeline, chosen.day, ticker)
        notes = " ".join([*chosen.notes, *([renamed] if renamed else [])])
        return ticker_card(row, history, flags, pipeline.rule, pipeline.series, notes, prints)

    async def _why(self, words: tuple[str, ...]) -> Message:
        usage = "/why SYM [DATE]"
        no_more_than(words, 2, usage)
        chosen = await self._sessions.resolve(words[1] if len(words) > 1 else None)
        pipeline = await self._ladder.of(chosen.day)
        window = sessions_ending(chosen.day, LOOKBACK_SESSIONS)
        ticker = find_ticker(words[0] if words else "", await pipeline.record.names(window), usage)
        scores = await pipeline.record.scores(chosen.day, pipeline.rule)
        row = _line(scores, ticker)
        if row is None:
            raise CommandError(
                f"{ticker} did not trade on {chosen.day}: there was nothing to judge"
            )
        now = await self.digests.judged(pipeline, chosen.day, scores)
        sent = await delivered(pipeline.db, pipeline.series, chosen.day)
        place, then = _place(now, ticker), _place(sent[0], ticker) if sent else ""
        notes = [*chosen.notes]
        if sent and then != place:
            notes.append(f"As first sent: {then or 'not in the digest'}.")
        pushed = ticker in {a.ticker for a in now.pushed}
        return why(
            row, pipeline.rule, place, pipeline.series, " ".join(notes), now.settings, pushed=pushed
        )

    async def _source(self, words: tuple[str, ...]) -> Message:
        if words not in ((), ("status",)):
            raise CommandError(f"/source {' '.join(words)[:40]}: there is only /source status")
        now = self._ladder.top.now()
        newest = last_complete(now)
        probes = await self._doctor.examine(newest.date)
        entry = await self._ladder.entry(newest)
        stuck = entry if entry and entry.status in (Status.HELD, Status.ABSENT) else None
        return source_status(
            [(p.part, p.verdict, p.seen, p.next_step) for p in probes],
            [source.name for rung in self._ladder.rungs for source in rung.chain.sources],
            await self._ladder.newest(Status.FINISHED),
            stuck,
            self._next_try(),
            self._ladder.top.series,
            self._board.current(now),
        )

    async def _prints(
        self, pipeline: Pipeline, day: TradingDay, ticker: str
    ) -> dict[str, Any] | None:
        """The largest trade and the blocks of a session, where trades were counted."""
        stored = await asyncio.to_thread(pipeline.store.read, pipeline.series, [day])
        if "largest" not in stored.columns:
            return None
        return _line(stored, ticker)

    async def _flags(self, ticker: str) -> list[Flag]:
        rows = await self._ladder.top.db.rows(
            "SELECT session, line, label, ratio FROM anomalies WHERE ticker = ? AND series IN"
            " (SELECT value FROM json_each(?)) AND line IS NOT NULL AND revision ="
            " (SELECT max(revision) FROM digests WHERE digests.series = anomalies.series"
            " AND digests.session = anomalies.session) ORDER BY session DESC LIMIT ?",
            (ticker, json.dumps([known.series.key for known in self._ladder.known]), _FLAGS),
        )
        return [Flag(date.fromisoformat(r[0]), r[1], r[2], r[3]) for r in rows]


def _line(frame: pl.DataFrame, ticker: str) -> dict[str, Any] | None:
    """The ticker's row of a session; None if it did not trade."""
    return next(frame.filter(ticker=ticker).iter_rows(named=True), None)


def _dense(history: pl.DataFrame, days: Sequence[TradingDay]) -> pl.DataFrame:
    grid = pl.DataFrame({"session": [d.date for d in days]}, schema={"session": pl.Date})
    return grid.join(history, on="session", how="left").sort("session")


def _place(said: Report, ticker: str) -> str:
    """What became of a ticker in a report; empty if nothing."""
    lists = {
        "past the cap of the digest": said.beyond,
        "still elevated: folded as a repeat": said.folded,
        "listed as a corporate action": said.suppressed,
        "held back as a possible unreported split": said.suspected,
    }
    for number, anomaly in enumerate(in_sections(said.pushed), 1):
        if anomaly.ticker == ticker:
            return f"line {number} of {len(said.pushed)}"
    return next((p for p, rows in lists.items() if ticker in [a.ticker for a in rows]), "")
