"""What is left to do when a backfill is over: one session at a time, giving way to what is urgent.

Nothing of it is needed for the bars to be there; it goes on after a restart.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from alerts.rejudged import Sent, rejudged, sent
from bot.spans import judgeable
from core.afterwards import Afterwards, Touched
from core.bars import UNREADABLE, Series
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import sessions_ending, trading_day
from core.errors import CommandError
from core.jobs import Job, Jobs, JobState, Stage
from core.ladder import Ladder
from core.pipeline import Pipeline
from core.store import MEASURED_SESSIONS

logger = logging.getLogger(__name__)

_UNREADABLE = (FileNotFoundError, *UNREADABLE)
"""Of one session for good; a storage that is away is another matter: it is tried again."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """bot.runner.After: counts the past alerts that would differ, and measures."""

    jobs: Jobs
    ladder: Ladder
    free: asyncio.Event
    """Not set while the newest session is coming in."""
    measured: int = MEASURED_SESSIONS
    """Of so many sessions the numbers are made, newest first: what commands look at."""

    async def __call__(self, job: Job) -> bool:
        """What the job's stage asks for; False if it gave way to another job."""
        touched = await Afterwards(self.jobs.db).touched(job)
        if not touched:
            return True
        if job.stage is Stage.ALERTS:
            return await self._alerts(job, touched)
        return await self._numbers({one.series for one in touched})

    async def _alerts(self, job: Job, touched: Sequence[Touched]) -> bool:
        compared = Afterwards(self.jobs.db)
        done = await compared.done(job)
        for digest in await self._resting_on(touched):
            if (digest.series, digest.session) in done:
                continue
            if not await self._in_turn():
                return False
            pipeline = next(p for p in self.ladder.known if p.series.key == digest.series)
            try:
                await compared.put(job, await rejudged(pipeline, digest))
            except _UNREADABLE as error:
                facts = {"session": str(digest.session), "seen": str(error)}
                logger.warning("not judged again", extra=facts)
        return True

    async def _resting_on(self, touched: Sequence[Touched]) -> Sequence[Sent]:
        """The digests with one of the touched sessions in what they were judged from."""
        found = set[Sent]()
        for key in {one.series for one in touched}:
            days = [one.session for one in touched if one.series == key]
            told = await sent(
                self.jobs.db.rows, [p.series.key for p in self._sharing(key)], days[0]
            )
            found |= await asyncio.to_thread(_resting, told, days)
        return sorted(found, key=lambda one: (one.session, one.series), reverse=True)

    async def _numbers(self, keys: Collection[str]) -> bool:
        """As whoever asks first would have to: of the series that the newest session stands on."""
        span = await self.ladder.span()
        if span is None:
            return True
        newest = trading_day(span[1])
        pipeline = await self.ladder.of(newest)
        if not any(pipeline in self._sharing(key) for key in keys):
            return True
        try:
            days = (await judgeable(pipeline, newest, self.measured)).judged
        except CommandError:
            return True  # too few are stored
        # Commands ask for these as well: with others on record the numbers would be others.
        oldest = sessions_ending(days[0], LOOKBACK_SESSIONS)[0]
        await pipeline.learn_splits(oldest.date, newest.date)
        for day in reversed(days):
            if await pipeline.record.is_measured(day):
                continue
            if not await self._in_turn():
                return False
            try:
                await pipeline.record.measured(day)
            except _UNREADABLE as error:
                logger.warning("not measured", extra={"session": str(day), "seen": str(error)})
        return True

    def _sharing(self, key: str) -> list[Pipeline]:
        """Whoever is judged from a series that is stored with this one."""
        own = {s for p in self.ladder.known if p.series.key == key for s in _read_by(p)}
        return [p for p in self.ladder.known if own & _read_by(p)]

    async def _in_turn(self) -> bool:
        """Wait for the newest session; is no other job under way?"""
        await self.free.wait()
        newest = await self.jobs.newest()
        return newest is None or newest.state is not JobState.RUNNING


def _read_by(pipeline: Pipeline) -> set[Series]:
    return {s for s in (pipeline.series, pipeline.other) if s is not None}


def _resting(told: Sequence[Sent], touched: Sequence[date]) -> set[Sent]:
    return {one for one in told if _rests_on(one.session, touched)}


def _rests_on(session: date, touched: Sequence[date]) -> bool:
    first = sessions_ending(trading_day(session), LOOKBACK_SESSIONS)[0]
    at = bisect_left(touched, first.date)
    return at < len(touched) and touched[at] <= session
