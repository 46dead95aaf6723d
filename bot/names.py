"""/ticker and /why: one ticker, beside its own usual and gate by gate."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from alerts.cards import Flag, ticker_card
from alerts.message import in_sections
from alerts.model import Message, Report
from alerts.publish import delivered
from alerts.why import why
from bot.arguments import Sessions, current, find_ticker, no_more_than, whole
from bot.digests import Digests
from bot.requests import CommandRequest
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.errors import CommandError
from core.ladder import Ladder
from core.pipeline import Pipeline
from core.renames import follow_splits
from core.splits import restate

_TICKER_SESSIONS, _MAX_TICKER_SESSIONS = 20, 250
_FLAGS = 5


@dataclass(frozen=True, slots=True)
class Names:
    """Answers about one ticker at a time."""

    ladder: Ladder
    sessions: Sessions
    digests: Digests

    async def ticker(self, request: CommandRequest) -> Message:
        """A card of its last sessions; CommandError in one sentence."""
        words, usage = request.words, "/ticker SYM [sessions]"
        no_more_than(words, 2, usage)
        many = whole(words[1], _MAX_TICKER_SESSIONS, usage) if len(words) > 1 else _TICKER_SESSIONS
        chosen = await self.sessions.resolve(None)
        pipeline = await self.ladder.of(chosen.day)
        window = sessions_ending(chosen.day, max(many, LOOKBACK_SESSIONS))
        first, last = window[0].date, chosen.day.date
        renames = await pipeline.record.renames(first, last)
        names = await pipeline.record.names(window, renames)
        typed, renamed = current(words[0] if words else "", names, renames)
        ticker = find_ticker(typed, names, usage)
        history = await history_of(pipeline, ticker, window, many)
        if history["volume"].null_count() == len(history):
            raise CommandError(f"{ticker} did not trade in the last {many} sessions stored here")
        row = line_of(await pipeline.record.scores(chosen.day, pipeline.rule), ticker)
        flags = await self._flags(ticker)
        prints = await self._prints(pipeline, chosen.day, ticker)
        notes = " ".join([*chosen.notes, *([renamed] if renamed else [])])
        return ticker_card(row, history, flags, pipeline.rule, pipeline.series, notes, prints)

    async def why(self, request: CommandRequest) -> Message:
        """Every gate it passed or failed; CommandError in one sentence."""
        words, usage = request.words, "/why SYM [DATE]"
        no_more_than(words, 2, usage)
        chosen = await self.sessions.resolve(words[1] if len(words) > 1 else None)
        pipeline = await self.ladder.of(chosen.day)
        window = sessions_ending(chosen.day, LOOKBACK_SESSIONS)
        ticker = find_ticker(words[0] if words else "", await pipeline.record.names(window), usage)
        scores = await pipeline.record.scores(chosen.day, pipeline.rule)
        row = line_of(scores, ticker)
        if row is None:
            raise CommandError(
                f"{ticker} did not trade on {chosen.day}: there was nothing to judge"
            )
        now = await self.digests.judged(pipeline, chosen.day, scores)
        sent = await delivered(pipeline.db, pipeline.series, chosen.day, request.channel)
        place, then = _place(now, ticker), _place(sent[0], ticker) if sent else ""
        notes = [*chosen.notes]
        if sent and then != place:
            notes.append(f"As first sent: {then or 'not in the digest'}.")
        pushed = ticker in {a.ticker for a in now.pushed}
        return why(
            row, pipeline.rule, place, pipeline.series, " ".join(notes), now.settings, pushed=pushed
        )

    async def _prints(
        self, pipeline: Pipeline, day: TradingDay, ticker: str
    ) -> dict[str, Any] | None:
        """The largest trade and the blocks of a session, where trades were counted."""
        stored = await asyncio.to_thread(pipeline.store.read, pipeline.series, [day])
        if "largest" not in stored.columns:
            return None
        return line_of(stored, ticker)

    async def _flags(self, ticker: str) -> list[Flag]:
        return await flags_of(self.ladder, ticker, _FLAGS)


async def history_of(
    pipeline: Pipeline, ticker: str, window: Sequence[TradingDay], many: int
) -> pl.DataFrame:
    """The newest `many` sessions of a window, on today's share basis, with nulls for gaps."""
    first, last = window[0].date, window[-1].date
    renames = await pipeline.record.renames(first, last)
    splits = follow_splits(await pipeline.record.splits(first, last), renames, last)
    own = await pipeline.record.history(ticker, window, renames)
    return _dense(restate(own, splits, last), window[-many:])


async def flags_of(ladder: Ladder, ticker: str, most: int) -> list[Flag]:
    """When a ticker was a line, in any series, newest first."""
    rows = await ladder.top.db.rows(
        "SELECT session, line, label, ratio FROM anomalies WHERE ticker = ? AND series IN"
        " (SELECT value FROM json_each(?)) AND line IS NOT NULL AND revision ="
        " (SELECT max(revision) FROM digests WHERE digests.series = anomalies.series"
        " AND digests.session = anomalies.session) ORDER BY session DESC LIMIT ?",
        (ticker, json.dumps([known.series.key for known in ladder.known]), most),
    )
    return [Flag(date.fromisoformat(r[0]), r[1], r[2], r[3]) for r in rows]


def line_of(frame: pl.DataFrame, ticker: str) -> dict[str, Any] | None:
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
