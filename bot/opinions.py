"""/feedback: readers' words on lines, and the setting they would propose; it is never changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from alerts.budget import clipped
from alerts.feedback import Mark, Proposal, missing, propose, standing, tally
from alerts.feedback_card import Offer, feedback_card, marked, no_setting
from alerts.marks import NOISE, USEFUL, keep, marks
from alerts.message import stamp
from alerts.model import Message
from alerts.publish import delivered
from bot.arguments import Sessions, dated, find_ticker, no_more_than
from bot.digests import Digests
from bot.requests import CommandRequest
from bot.reviews import Reviews
from bot.trial import Standard, typed
from core.anomaly import Anomaly
from core.bars import Family, Series
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.errors import CommandError
from core.ladder import Ladder
from core.pipeline import Pipeline

USAGE = "[useful|noise TICKER [DATE]]"


@dataclass(frozen=True, slots=True)
class Opinions:
    """Keeps marks, and adds them up."""

    ladder: Ladder
    sessions: Sessions
    digests: Digests
    reviews: Reviews

    async def feedback(self, request: CommandRequest) -> Message:
        """Mark a line, or show what all marks propose; CommandError in one sentence."""
        if request.words:
            return await self._mark(request)
        return await self._sum(request)

    async def _mark(self, request: CommandRequest) -> Message:
        words, usage = dated(request.words, 2), f"/feedback {USAGE}"
        no_more_than(words, 3, usage)
        verdict = words[0].lower()
        if verdict not in (USEFUL, NOISE):
            raise CommandError(f"{clipped(words[0], 40)!r} is neither useful nor noise. {usage}")
        if len(words) < 2:
            raise CommandError(f"Which line? /feedback {verdict} TICKER [DATE]")
        chosen = await self.sessions.resolve(words[2] if len(words) > 2 else None)
        pipeline = await self.ladder.of(chosen.day)
        line = await self._line(request, pipeline, chosen.day, words[1])
        mark = Mark(request.who, chosen.day.date, verdict == USEFUL, line)
        before = await keep(
            pipeline.db, mark, pipeline.series, place=request.where, now=self.sessions.now()
        )
        return marked(*(mark, before, chosen.notes, stamp(pipeline.series)), self.digests.detail)

    async def _line(
        self, request: CommandRequest, pipeline: Pipeline, day: TradingDay, text: str
    ) -> Anomaly:
        """The line that is meant, as this channel was told it; CommandError if there is none."""
        sent = await delivered(pipeline.db, pipeline.series, day, request.channel)
        said = sent[-1] if sent else await self.digests.report(day)
        # Names that the digest has not as lines can be meant as well: none should have been one, or
        # one should.
        named = {a.ticker: a for a in (*said.muted, *said.folded, *said.beyond, *said.pushed)}
        plain = text.removeprefix("$")
        for ticker in (plain, plain.upper()):
            if ticker in named:
                return named[ticker]
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        known = await pipeline.record.names(window)
        ticker = await asyncio.to_thread(find_ticker, text, known, f"/feedback {USAGE}")
        raise CommandError(
            f"{ticker} is not in the digest of {day}, so there is no line to mark;"
            f" /why {ticker} {day} tells what became of it"
        )

    async def _sum(self, request: CommandRequest) -> Message:
        top = self.ladder.top
        # What was said of the same market, by whatever rules its trades were counted then.
        series = [p.series for p in self.ladder.known if _alike(p.series, top.series)]
        every = await marks(top.db.rows, series)
        left, said = standing(every, top.rule), stamp(top.series)
        found, gone = tally(every), len(every) - len(left)
        if needs := missing(left):
            why = f"A proposal needs {needs}."
            return feedback_card(found, None, why, gone, said)
        proposal = propose(left, top.rule)
        if proposal is None:
            return feedback_card(found, None, no_setting(tally(left)), gone, said)
        return feedback_card(found, await self._offer(request, proposal), "", gone, said)

    async def _offer(self, request: CommandRequest, proposal: Proposal) -> Offer:
        """The proposal, tried on the last sessions."""
        words: Sequence[str] = (f"{proposal.word}:{proposal.value:.12g}",)
        _, tried = typed(words, Standard(self.ladder.top.rule, self.reviews.top))
        asked = replace(request, name="preview", words=tuple(words))
        try:
            effect = await self.reviews.preview(asked)
        except CommandError as error:
            effect = Message(title="", lead=str(error))
        return Offer(proposal, tried[0], effect)


def _alike(one: Series, other: Series) -> bool:
    samples = {series.family is Family.SAMPLE for series in (one, other)}
    return one.scope is other.scope and len(samples) == 1
