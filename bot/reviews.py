"""/preview and /scorecard: stored sessions judged again, one after another, beside the loop."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from alerts.message import DISCLAIMER, stamp
from alerts.model import Detail, Message
from alerts.preview import Told, preview
from alerts.preview_card import preview_card
from alerts.rank import lines
from alerts.scorecard_card import scorecard_card
from bot.arguments import Chosen, Sessions, no_more_than, span_sessions
from bot.requests import CommandRequest
from bot.spans import Span, judgeable
from bot.trial import IN_DOLLARS, USAGE, Standard, present, typed
from bot.turns import Turns
from core.baseline import LOOKBACK_SESSIONS, SCALE_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.detect import anomalies, score
from core.errors import SourceError
from core.ladder import Ladder
from core.measure import REPEAT_SESSIONS
from core.pipeline import Pipeline, SplitsSource
from core.renames import follow
from core.scorecard import scorecard, sides
from core.universe import Universe

PREVIEW_SESSIONS = 60
_BUSY = "Sessions are being judged again for others just now; please ask again in a minute"
_SPLITS_S = 5.0
"""Nobody waits longer for splits that are most likely on record since the sessions were judged."""


@dataclass(frozen=True, slots=True)
class LateSplits:
    """Asks for the splits of a span, once a day."""

    deadline_s: float = _SPLITS_S
    _said: dict[tuple[date, str, date, date], tuple[str, ...]] = field(default_factory=dict)

    async def learn(self, pipeline: Pipeline, first: date, last: date) -> tuple[str, ...]:
        """What readers must know of the splits from first to last, both included."""
        if pipeline.splits is None:
            return await pipeline.learn_splits(first, last)
        today = pipeline.now().date()
        for old in [key for key in self._said if key[0] != today]:
            del self._said[old]
        key = (today, pipeline.series.key, first, last)
        if key not in self._said:
            self._said[key] = await self._ask(pipeline, pipeline.splits, first, last)
        return self._said[key]

    async def _ask(
        self, pipeline: Pipeline, source: SplitsSource, first: date, last: date
    ) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(self.deadline_s):
                await pipeline.ask_splits(source, first, last)
        except SourceError as error:
            seen = str(error.verdict)
        except TimeoutError:
            seen = f"no answer in {self.deadline_s:g} s"
        else:
            return ()
        return (f"the splits on record were used; asked for newer ones: {seen}",)


@dataclass(frozen=True, slots=True)
class Reviews:
    """Looks back over stored sessions. Sends nothing and changes no setting."""

    ladder: Ladder
    sessions: Sessions
    top: int
    detail: Detail = Detail.FULL
    _turns: Turns = field(default_factory=lambda: Turns(_BUSY), init=False)
    """Each keeps a core busy."""
    _splits: LateSplits = field(default_factory=LateSplits, init=False)

    async def preview(self, request: CommandRequest) -> Message:
        """The last sessions under other settings; CommandError for what cannot be tried."""
        standard = Standard(self.ladder.top.rule, self.top)
        other, tried = typed(request.words, standard)
        if other == standard:
            return self._unchanged([f"{t.word} {t.now}" for t in tried], standard)
        chosen = await self.sessions.resolve(None)
        pipeline = await self.ladder.of(chosen.day)
        span = await judgeable(pipeline, chosen.day, PREVIEW_SESSIONS)
        async with self._turns.one():
            notes = await _notes(pipeline, span, chosen, self._splits)
            types = await Universe(pipeline.db).types()
            told = list[Told]()
            for day in span.judged:
                told.append(await _told(pipeline, day, (standard, other), types, told))
        differing = [t for t in tried if t.now != t.then]
        # Halving the span again and again, whoever asks would find a name's price in ten questions.
        named = self.detail.raw or not any(t.word in IN_DOLLARS for t in differing)
        return preview_card(preview(told), differing, notes, pipeline.series, named=named)

    async def scorecard(self, request: CommandRequest) -> Message:
        """What flagged names did afterwards; CommandError for a span that cannot be read."""
        words = request.words
        usage = "/scorecard [3m]"
        no_more_than(words, 1, usage)
        count = span_sessions(words[0] if words else "3m", usage)
        chosen = await self.sessions.resolve(None)
        pipeline = await self.ladder.of(chosen.day)
        span = await judgeable(pipeline, chosen.day, count)
        async with self._turns.one():
            notes = await _notes(pipeline, span, chosen, self._splits)
            judged = pl.concat([await _sides(pipeline, day) for day in span.judged])
            days = sessions_ending(chosen.day, count + SCALE_SESSIONS + 1)
            closes = await pipeline.record.closes(days)
            renames = await pipeline.record.renames(days[0].date, chosen.day.date)
            judged = await asyncio.to_thread(follow, judged, renames, chosen.day.date)
            dates = [day.date for day in days]
            found = await asyncio.to_thread(scorecard, judged, closes, dates)
        settings = pipeline.rule.stamp(self.top, pipeline.series.key)
        return scorecard_card(found, settings, chosen.day.date, notes, pipeline.series)

    def _unchanged(self, values: Sequence[str], standard: Standard) -> Message:
        lead = (
            f"{', '.join(values)} {'is' if len(values) == 1 else 'are'} what is set: nothing would"
            " change."
        )
        if not values:
            lead = (
                f"What the last {PREVIEW_SESSIONS} sessions would have sent under other settings,"
                f" such as {USAGE}."
            )
        return Message(
            title="Preview",
            lead=lead,
            facts=tuple(present(standard)),
            footer=("these are the present settings", DISCLAIMER),
            stamp=stamp(self.ladder.top.series),
        )


async def _notes(
    pipeline: Pipeline, span: Span, chosen: Chosen, splits: LateSplits
) -> tuple[str, ...]:
    """What must be said of the sessions; asks for the splits of the span first."""
    # As far back as the first baseline: a split nobody knew of would look like a spike.
    first = sessions_ending(span.wanted[0], LOOKBACK_SESSIONS)[0]
    unknown = await splits.learn(pipeline, first.date, chosen.day.date)
    return (*chosen.notes, *span.notes, *unknown)


async def _told(
    pipeline: Pipeline,
    day: TradingDay,
    standards: tuple[Standard, Standard],
    types: Mapping[str, str],
    before: Sequence[Told],
) -> Told:
    """A session's lines by both standards, where `before` are those of the sessions before."""
    measured, scope = await pipeline.record.measured(day), pipeline.series.scope
    recent = {d.date for d in sessions_ending(day, REPEAT_SESSIONS + 1)[:-1]}
    earlier = [told for told in before if told.session in recent]

    def said(standard: Standard, told: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        found = anomalies(score(measured, standard.rule, types), scope)
        known = {ticker for names in told for ticker in names} if earlier else None
        return tuple(a.ticker for a in lines(found, standard.top, known))

    now, then = standards
    return await asyncio.to_thread(
        lambda: Told(
            day.date,
            said(now, (told.now for told in earlier)),
            said(then, (told.then for told in earlier)),
        )
    )


async def _sides(pipeline: Pipeline, day: TradingDay) -> pl.DataFrame:
    scores = await pipeline.record.scores(day, pipeline.rule)
    return await asyncio.to_thread(sides, scores)
