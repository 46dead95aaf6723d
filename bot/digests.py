"""`/anomalies`: the digest of a session, as it was sent, as it stands, or as it is judged now."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import polars as pl

from alerts.budget import clipped
from alerts.clicks import clickable
from alerts.corrections import changes
from alerts.message import digest, stamp, stamped, title
from alerts.model import Destination, Detail, Message, Report
from alerts.publish import delivered, published, told
from alerts.rank import report
from alerts.raw import LINES, raw_list
from alerts.spreadsheet import spreadsheet
from alerts.words import day as words_for
from alerts.words import some
from bot.arguments import Chosen, Sessions, dated, no_more_than
from bot.requests import CommandRequest
from core.calendar import TradingDay
from core.detect import raw_hits
from core.errors import CommandError
from core.ladder import Ladder
from core.pipeline import Pipeline

USAGE = "[today|DATE] [all|raw|mine|csv] [as:sent|as:now]"
_SENT, _NOW, _EVERY, _RAW, _MINE, _CSV = "as:sent", "as:now", "all", "raw", "mine", "csv"
_OPTIONS = {_SENT, _NOW, _EVERY, _RAW, _MINE, _CSV}
_UNKNOWN = "unknown"
"""Of digests of before settings were stamped."""
_ALONE = ({_EVERY, _MINE}, {_EVERY, _CSV})
Mine = Callable[[CommandRequest, Chosen], Awaitable[Message]]
"""One person's view of a session, such as bot.watching.Watching.mine."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Answers for stored sessions of any rung."""

    ladder: Ladder
    sessions: Sessions
    top: int
    mine: Mine | None = None
    detail: Detail = Detail.FULL

    async def answer(self, request: CommandRequest) -> Message:
        """Raises CommandError in one sentence."""
        words = dated(request.words)
        options = {word.lower() for word in words} & _OPTIONS
        rest = [word for word in words if word.lower() not in _OPTIONS]
        for word in rest:
            if word.lower().startswith("as:"):
                raise CommandError(f"{clipped(word, 40)!r}: there is as:sent and as:now")
        no_more_than(rest, 1, f"/anomalies {USAGE}")
        judged = options & {_SENT, _NOW}
        if (
            len(options - {_EVERY}) > 1 + (_CSV in options and len(judged) == 1)
            or options in _ALONE
        ):
            raise CommandError(f"{' and '.join(sorted(options))} do not go together: choose one")
        chosen = await self.sessions.resolve(rest[0] if rest else None)
        if _MINE in options and self.mine is not None:
            return await self.mine(request, chosen)
        message = await self._message(chosen.day, options, request.channel)
        return replace(message, banners=(*chosen.notes, *message.banners))

    async def _message(self, day: TradingDay, options: set[str], where: Destination) -> Message:
        pipeline = await self.ladder.of(day)
        if _RAW in options:
            return await self._raw(pipeline, day, None if _EVERY in options else LINES)
        if _SENT in options:
            said, note = await self._sent(pipeline, day, where)
        elif _NOW in options:
            said, note = await self._now(pipeline, day)
        else:
            said = await self.report(day)
            note = await self.of_other_settings(day, said)
        if _CSV in options:
            return _as_file(said, note, self.detail)
        if _EVERY in options:
            said = replace(said, pushed=said.pushed + said.beyond, beyond=())
        message = clickable(digest(said, self.detail), said)
        return replace(message, banners=(note, *message.banners)) if note else message

    async def report(self, day: TradingDay) -> Report:
        """What stands for a stored session; one that was kept silent is judged now."""
        pipeline = await self.ladder.of(day)
        said = await published(pipeline.db, pipeline.series, day)
        return said[-1] if said else await self.afresh(pipeline, day)

    async def of_other_settings(self, day: TradingDay, said: Report) -> str:
        """What is to be known of a digest that today's settings would not make; mostly nothing."""
        pipeline = await self.ladder.of(day)
        if any(pipeline is rung for rung in self.ladder.retired):
            return (
                f"Judged from another series than today's settings ask for ({pipeline.series.key})."
            )
        now = pipeline.rule.stamp(self.top, pipeline.series.key)
        if said.settings in (now, _UNKNOWN):
            return ""
        then = f"Judged with other settings then ({said.settings}; now {now})"
        return f"{then}: /anomalies {day} as:now shows today's."

    async def afresh(self, pipeline: Pipeline, day: TradingDay) -> Report:
        """What would be said now, from what is stored."""
        return await self.judged(pipeline, day, await pipeline.record.scores(day, pipeline.rule))

    async def judged(self, pipeline: Pipeline, day: TradingDay, scores: pl.DataFrame) -> Report:
        """What these scores would say now; the news is of when it was said: nobody is asked."""
        judged = await pipeline.judged(day, scores)
        said = await published(pipeline.db, pipeline.series, day)
        news = said[-1].judged.news if said else None
        earlier = await told(pipeline.db.rows, pipeline.series, day.date)
        return report(replace(judged, news=news), self.top, earlier)

    async def _sent(
        self, pipeline: Pipeline, day: TradingDay, where: Destination
    ) -> tuple[Report, str]:
        sent = await delivered(pipeline.db, pipeline.series, day, where)
        if not sent:
            raise CommandError(
                f"nothing was sent about {day}; as:now judges it from what is stored"
            )
        newest = sent[-1]
        later, after = changes(sent[0], newest), ""
        if newest.judged.revision > sent[0].judged.revision:
            did = f"changed the list: {later}" if later else "updated numbers only"
            after = f"; data revision {newest.judged.revision} {did}"
        return sent[0], f"As first sent{after}."

    async def _now(self, pipeline: Pipeline, day: TradingDay) -> tuple[Report, str]:
        now = await self.afresh(pipeline, day)
        said = await published(pipeline.db, pipeline.series, day)
        if not said or not await delivered(pipeline.db, pipeline.series, day):
            return now, "As judged now; nothing was sent about this session."
        found = changes(said[-1], now)
        beside = (
            f"the list differs from what was last sent: {found}"
            if found
            else "the list that was last sent"
        )
        same = stamped(said[-1]) == stamped(now)
        by = "" if same else f" (sent by {stamped(said[-1])})"
        return now, f"As judged now: {beside}{by}."

    async def _raw(self, pipeline: Pipeline, day: TradingDay, most: int | None) -> Message:
        scores = await pipeline.record.scores(day, pipeline.rule)
        hits = raw_hits(scores, pipeline.rule, pipeline.series.scope)
        return raw_list(await pipeline.judged(day, scores), hits, most)


def _as_file(said: Report, note: str, detail: Detail) -> Message:
    """What the digest has as lines, and what is past its cap."""
    on, lines = said.judged.session, len(said.pushed) + len(said.beyond)
    return Message(
        title=f"{title(said.judged.series)} · {words_for(on)} · CSV",
        lead=f"{words_for(on)}: {some(lines, 'line')} as CSV.",
        banners=(note,) if note else (),
        stamp=stamp(said.judged.series),
        files=(spreadsheet(said, detail),),
    )
