"""/ticker and /why: one ticker, beside its own usual and gate by gate."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from alerts.cards import Flag, chart_card, ticker_card
from alerts.clicks import line_actions
from alerts.model import TERMINAL, ChartOf, Message
from alerts.publish import delivered
from alerts.watch_view import places
from alerts.why import why
from bot.arguments import Sessions, current, date_or_number, dated, find_ticker, no_more_than
from bot.digests import Digests
from bot.forms import MAX_TICKER_SESSIONS
from bot.requests import CommandRequest
from core.bars import Family, is_ticker
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.errors import CommandError
from core.ladder import Ladder
from core.pipeline import Pipeline
from core.renames import Rename, concerning, follow_splits
from core.splits import restate

USAGE = "SYM [sessions] [DATE] [chart|text]"
_TICKER_SESSIONS = 20
_FLAGS = 5
_CHART, _TEXT = "chart", "text"
_UNITS = ("session", "sessions")
"""`5 sessions` are 5."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is wanted of a ticker."""

    many: int = _TICKER_SESSIONS
    session: str | None = None
    show: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """Answers about one ticker at a time."""

    ladder: Ladder
    sessions: Sessions
    digests: Digests

    async def ticker(self, request: CommandRequest) -> Message:
        """A card of its last sessions; CommandError in one sentence."""
        words, usage = dated(request.words, 1), f"/ticker {USAGE}"
        wish = _wished(words, usage)
        chosen = await self.sessions.resolve(wish.session)
        _could_be_one(words, usage)
        pipeline = await self.ladder.of(chosen.day)
        window = sessions_ending(chosen.day, max(wish.many, LOOKBACK_SESSIONS))
        renames = await _renames(pipeline, words, window)
        ticker, renamed = await self._named(words, pipeline, window, renames, usage)
        history, row, prints = await asyncio.gather(
            history_of(pipeline, ticker, window, wish.many, renames),
            pipeline.record.line(chosen.day, pipeline.rule, ticker),
            self._prints(pipeline, chosen.day, ticker),
        )
        if history["volume"].null_count() == len(history):
            sessions = f"{wish.many} sessions stored here"
            raise CommandError(f"{ticker} did not trade in the last {sessions}")
        last = chosen.day.date
        flags = await self._flags(ticker)
        is_line = last in {flag.session for flag in flags}
        chart = ChartOf(pipeline.series.key, last, ticker)
        notes = (*chosen.notes, *([renamed] if renamed else []))
        is_terminal = request.channel.platform == TERMINAL.platform
        if wish.show == _CHART:
            if is_terminal:
                raise CommandError(
                    f"a terminal shows no pictures; /ticker {ticker} has the numbers"
                )
            return chart_card(chart, notes, pipeline.series, is_line=is_line)
        drawn = () if wish.show == _TEXT else (chart,)
        pictured = bool(drawn) and not is_terminal
        said = (flags, pipeline.rule, pipeline.series, " ".join(notes), prints)
        detail = self.digests.detail
        card = ticker_card(row, history, *said, pictured=pictured, detail=detail)
        without = ("Chart",) if drawn else ()
        actions = line_actions(ticker, last, is_line=is_line, without=without)
        return replace(card, charts=drawn, actions=actions)

    async def why(self, request: CommandRequest) -> Message:
        """Every gate it passed or failed; CommandError in one sentence."""
        words, usage = dated(request.words, 1), "/why SYM [DATE]"
        no_more_than(words, 2, usage)
        chosen = await self.sessions.resolve(words[1] if len(words) > 1 else None)
        _could_be_one(words, usage)
        pipeline = await self.ladder.of(chosen.day)
        window = sessions_ending(chosen.day, LOOKBACK_SESSIONS)
        names = await pipeline.record.names(window)
        ticker = await asyncio.to_thread(find_ticker, words[0] if words else "", names, usage)
        scores = await pipeline.record.scores(chosen.day, pipeline.rule)
        row = line_of(scores, ticker)
        if row is None:
            raise CommandError(
                f"{ticker} did not trade on {chosen.day}: there was nothing to judge"
            )
        now = await self.digests.judged(pipeline, chosen.day, scores)
        sent = await delivered(pipeline.db, pipeline.series, chosen.day, request.channel)
        place = places(now).get(ticker, "")
        then = places(sent[0]).get(ticker, "") if sent else ""
        notes = [*chosen.notes]
        if sent and then != place:
            notes.append(f"As first sent: {then or 'not in the digest'}.")
        pushed = ticker in {a.ticker for a in now.pushed}
        said = why(
            *(row, pipeline.rule, place, pipeline.series, " ".join(notes), now.settings),
            pushed=pushed,
            detail=self.digests.detail,
        )
        on = chosen.day.date
        told = (a for r in (now, *sent) for a in (*r.pushed, *r.beyond, *r.folded, *r.muted))
        is_line = ticker in {a.ticker for a in told}
        actions = line_actions(ticker, on, is_line=is_line, without=("Why",))
        return replace(said, actions=actions)

    async def _named(
        self,
        words: Sequence[str],
        pipeline: Pipeline,
        window: Sequence[TradingDay],
        renames: Sequence[Rename],
        usage: str,
    ) -> tuple[str, str]:
        """The ticker that is meant, and what has to be said of its name."""
        names = await pipeline.record.names(window[-LOOKBACK_SESSIONS:], renames)
        typed, renamed = current(words[0] if words else "", names, renames)
        text = typed.strip().removeprefix("$")
        if len(window) > LOOKBACK_SESSIONS and not {text, text.upper()} & names:
            # Gone since: its own rows are read, not the names of years.
            old = await pipeline.record.rows_of([text, text.upper()], window)
            names |= set(old["ticker"])
        return await asyncio.to_thread(find_ticker, typed, names, usage), renamed

    async def _prints(
        self, pipeline: Pipeline, day: TradingDay, ticker: str
    ) -> dict[str, Any] | None:
        """The largest trade and the blocks of a session, where trades were counted."""
        if pipeline.series.family in (Family.DAILY, Family.FINRA):
            return None
        stored = await asyncio.to_thread(pipeline.store.read, pipeline.series, [day])
        if "largest" not in stored.columns:
            return None
        return line_of(stored, ticker)

    async def _flags(self, ticker: str) -> list[Flag]:
        return await flags_of(self.ladder, ticker, _FLAGS)


async def _renames(
    pipeline: Pipeline, words: Sequence[str], window: Sequence[TradingDay]
) -> list[Rename]:
    """All of the newest sessions, whose names are known by them; of the years before only those
    of what is typed."""
    newest, last = window[-LOOKBACK_SESSIONS:], window[-1].date
    renames = await pipeline.record.renames(newest[0].date, last)
    text = (words[0] if words else "").strip().removeprefix("$")
    own = await pipeline.record.renames_of({text, text.upper()}, window[0].date, last)
    return sorted({*renames, *own})


async def history_of(
    pipeline: Pipeline,
    ticker: str,
    window: Sequence[TradingDay],
    many: int,
    known: Sequence[Rename],
) -> pl.DataFrame:
    """The newest `many` sessions of a window, on today's share basis, with nulls for gaps; `known`:
    the renames of the window."""
    first, last = window[0].date, window[-1].date
    renames = concerning(ticker, known)
    names = {ticker, *(name for r in renames for name in (r.old, r.new))}
    own, splits = await asyncio.gather(
        pipeline.record.history(ticker, window, renames),
        pipeline.record.splits(first, last, names),
    )
    restated = restate(own, follow_splits(splits, renames, last), last)
    return _dense(restated, window[-many:])


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


def _wished(words: Sequence[str], usage: str) -> _Wish:
    """What stands after the ticker, in any order; CommandError for what nobody understands."""
    rest = [word for word in words[1:] if word.lower() not in _UNITS]
    no_more_than(rest, 3, usage)
    wish = _Wish()
    for word in rest:
        small = word.lower()
        if small in (_CHART, _TEXT):
            wish = replace(wish, show=small)
            continue
        meant = date_or_number(word, MAX_TICKER_SESSIONS, usage)
        of = {"many": meant} if isinstance(meant, int) else {"session": meant}
        wish = replace(wish, **of)
    return wish


def _could_be_one(words: Sequence[str], usage: str) -> None:
    """Raises what find_ticker says of a first word that no market has as a ticker: it is known
    before the names of 82 sessions are read."""
    typed = words[0] if words else ""
    text = typed.strip().removeprefix("$")
    if not is_ticker(text) and not is_ticker(text.upper()):
        find_ticker(typed, frozenset(), usage)


def line_of(frame: pl.DataFrame, ticker: str) -> dict[str, Any] | None:
    """The ticker's row of a session; None if it did not trade."""
    return next(frame.filter(ticker=ticker).iter_rows(named=True), None)


def _dense(history: pl.DataFrame, days: Sequence[TradingDay]) -> pl.DataFrame:
    grid = pl.DataFrame({"session": [d.date for d in days]}, schema={"session": pl.Date})
    return grid.join(history, on="session", how="left").sort("session")
