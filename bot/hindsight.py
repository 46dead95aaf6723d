"""The lines of the last sessions' digests as one channel was told them, read beside the loop."""

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from alerts.model import Destination
from alerts.publish import delivered, published
from alerts.rank import lines
from alerts.subscriptions import wants_of, watched
from alerts.wants import Wants
from bot.spans import judgeable
from core.anomaly import Anomaly
from core.calendar import TradingDay, sessions_ending
from core.detect import anomalies
from core.errors import CommandError
from core.ladder import Ladder
from core.measure import REPEAT_SESSIONS
from core.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Shown:
    """The lines of one session, best first."""

    session: date
    lines: tuple[Anomaly, ...]


@dataclass(frozen=True, slots=True)
class Hindsight:
    """Looks back; sends nothing and changes nothing."""

    ladder: Ladder
    top: int
    patience_s: float = 5.0
    """So long are sessions judged that never were before; of the others the numbers are kept."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    """One look at a time: each keeps a core busy."""

    async def lines(self, newest: TradingDay, count: int, where: Destination) -> list[Shown]:
        """Of the last `count` sessions, oldest first; those nobody can tell of are left out.

        As the channel was told them; as they would be judged where nothing was said and their
        numbers are at hand.
        """
        db = self.ladder.top.db
        wants = await wants_of(db.rows, where)
        on_list = (await watched(db.rows, [str(where)]))[str(where)]
        # Some more, for what was said in the sessions before decides what is folded.
        warm = count + REPEAT_SESSIONS
        can = await _judgeable(await self.ladder.of(newest), newest, warm)
        days = sessions_ending(newest, warm)
        said = {day: await _told(await self.ladder.of(day), day, where) for day in days}
        shown = list[Shown]()
        async with self._turn:
            at_hand = await self._at_hand(day for day in can if said[day] is None)
            for day, told in said.items():
                now = told
                if told is None and day in at_hand:
                    pipeline = await self.ladder.of(day)
                    now = await self._judged(pipeline, day, wants, on_list, shown)
                if now is not None:
                    shown.append(Shown(day.date, now))
        first = sessions_ending(newest, count)[0].date
        return [one for one in shown if one.session >= first]

    async def own(self, newest: TradingDay, count: int, names: Collection[str]) -> list[Shown]:
        """What one's own view of these names would have shown as flagged, oldest first; of the
        sessions whose numbers are at hand."""
        can = await _judgeable(await self.ladder.of(newest), newest, count)
        if not names:
            return [Shown(day.date, ()) for day in sorted(can)]
        shown = list[Shown]()
        async with self._turn:
            for day in sorted(await self._at_hand(can)):
                pipeline = await self.ladder.of(day)
                scores = await pipeline.record.scores(day, pipeline.rule)
                found = await asyncio.to_thread(anomalies, scores, pipeline.series.scope)
                shown.append(Shown(day.date, tuple(a for a in found if a.ticker in names)))
        return shown

    async def _at_hand(self, days: Iterable[TradingDay]) -> Collection[TradingDay]:
        """Those whose numbers are kept; of the others the newest, as many as patience allows."""
        found, deadline = set[TradingDay](), time.monotonic() + self.patience_s
        for day in sorted(days, reverse=True):
            record = (await self.ladder.of(day)).record
            if await record.is_measured(day):
                found.add(day)
            elif time.monotonic() < deadline:
                await record.measured(day)
                found.add(day)
        return found

    async def _judged(
        self,
        pipeline: Pipeline,
        day: TradingDay,
        wants: Wants,
        on_list: Collection[str],
        before: Sequence[Shown],
    ) -> tuple[Anomaly, ...]:
        scores = await pipeline.record.scores(day, pipeline.rule)
        found = await asyncio.to_thread(anomalies, scores, pipeline.series.scope)
        recent = {d.date for d in sessions_ending(day, REPEAT_SESSIONS + 1)[:-1]}
        earlier = [shown for shown in before if shown.session in recent]
        known = {a.ticker for shown in earlier for a in shown.lines} if earlier else None
        heard = [a for a in found if wants.hears(a, on_list)]
        return lines(heard, wants.top or self.top, known)


async def _told(
    pipeline: Pipeline, day: TradingDay, where: Destination
) -> tuple[Anomaly, ...] | None:
    """What was said, and what was kept back because it was muted; None if nothing was."""
    said = await delivered(pipeline.db, pipeline.series, day, where)
    said = said or await published(pipeline.db, pipeline.series, day)
    return (*said[-1].pushed, *said[-1].muted) if said else None


async def _judgeable(pipeline: Pipeline, newest: TradingDay, count: int) -> Collection[TradingDay]:
    try:
        return (await judgeable(pipeline, newest, count)).judged
    except CommandError:
        return ()  # a session that was said can be looked at all the same
