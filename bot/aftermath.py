"""What is left to do when a backfill is over: one session at a time, giving way to what is urgent.

Nothing of it is needed for the bars to be there; it goes on after a restart.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from alerts.rejudged import Sent, rejudged, sent
from bot.spans import judgeable
from core.afterwards import Afterwards
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
        changed, new = await Afterwards(self.jobs.db).touched(job)
        if not changed and not new:
            return True
        if job.stage is Stage.ALERTS:
            return await self._alerts(job, sorted((*changed, *new)))
        return await self._numbers(job)

    async def _alerts(self, job: Job, touched: Sequence[date]) -> bool:
        compared = Afterwards(self.jobs.db)
        done = await compared.done(job)
        for digest in await self._resting_on(job, touched):
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

    async def _resting_on(self, job: Job, touched: Sequence[date]) -> Sequence[Sent]:
        """The digests with one of the touched sessions in what they were judged from."""
        series = [p.series.key for p in self._sharing(job)]
        told = await sent(self.jobs.db.rows, series, touched[0])
        return await asyncio.to_thread(
            lambda: [one for one in told if _rests_on(one.session, touched)]
        )

    async def _numbers(self, job: Job) -> bool:
        """As whoever asks first would have to: of the series that the newest session stands on."""
        span = await self.ladder.span()
        if span is None:
            return True
        newest = trading_day(span[1])
        pipeline = await self.ladder.of(newest)
        if pipeline not in self._sharing(job):
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

    def _sharing(self, job: Job) -> list[Pipeline]:
        """Whoever is judged from a series that the job stores."""
        own = {s for p in self.ladder.known if p.series.key == job.series for s in _read_by(p)}
        return [p for p in self.ladder.known if own & _read_by(p)]

    async def _in_turn(self) -> bool:
        """Wait for the newest session; is no other job under way?"""
        await self.free.wait()
        newest = await self.jobs.newest()
        return newest is None or newest.state is not JobState.RUNNING


def _read_by(pipeline: Pipeline) -> set[Series]:
    return {s for s in (pipeline.series, pipeline.other) if s is not None}


def _rests_on(session: date, touched: Sequence[date]) -> bool:
    first = sessions_ending(trading_day(session), LOOKBACK_SESSIONS)[0]
    at = bisect_left(touched, first.date)
    return at < len(touched) and touched[at] <= session
