"""What is left to do when a backfill is over: one session at a time, giving way to what is urgent.

Nothing of it is needed for the bars to be there; it goes on after a restart.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from alerts.rejudged import Sent, rejudged, sent
from core.afterwards import Afterwards
from core.bars import Series
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import sessions_ending, trading_day
from core.jobs import Job, Jobs, JobState, Stage
from core.ladder import Ladder
from core.pipeline import Pipeline

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """bot.runner.After: counts the past alerts that would differ."""

    jobs: Jobs
    ladder: Ladder
    free: asyncio.Event
    """Not set while the newest session is coming in."""

    async def __call__(self, job: Job) -> bool:
        """What the job's stage asks for; False if it gave way to another job."""
        return await self._alerts(job) if job.stage is Stage.ALERTS else True

    async def _alerts(self, job: Job) -> bool:
        compared = Afterwards(self.jobs.db)
        changed, new = await compared.touched(job)
        done = await compared.done(job)
        for digest in await self._resting_on(job, sorted((*changed, *new))):
            if (digest.series, digest.session) in done:
                continue
            if not await self._in_turn():
                return False
            pipeline = next(p for p in self.ladder.known if p.series.key == digest.series)
            try:
                await compared.put(job, await rejudged(pipeline, digest))
            except (OSError, pl.exceptions.PolarsError) as error:
                facts = {"session": str(digest.session), "seen": str(error)}
                logger.warning("not judged again", extra=facts)
        return True

    async def _resting_on(self, job: Job, touched: Sequence[date]) -> Sequence[Sent]:
        """The digests with one of the touched sessions in what they were judged from."""
        if not touched:
            return []
        series = [p.series.key for p in self._sharing(job)]
        told = await sent(self.jobs.db.rows, series, touched[0])
        return await asyncio.to_thread(
            lambda: [one for one in told if _rests_on(one.session, touched)]
        )

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
