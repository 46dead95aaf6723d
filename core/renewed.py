"""Other rules of counting trades: a job under way goes on with the series that is read by them.

Bars that were counted by other rules are not comparable (core.bars.Series), so nothing that the job
has read by the old ones is history of the new series: all of its sessions wait once more.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.bars import Series
from core.conditions import Rules
from core.jobs import Job, Jobs, Unit
from core.ladder import Ladder
from core.moved import FORGIVE, MOVE, forgiving
from core.pipeline import Pipeline


@dataclass(slots=True)
class Renewal:
    """The only one who changes the rungs of a ladder."""

    jobs: Jobs
    ladder: Ladder
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def put(
        self, rungs: Sequence[Pipeline], retired: Sequence[Pipeline], rules: Rules
    ) -> None:
        """These from now on; the job that is not over goes along."""
        async with self._turn:
            job = await self.jobs.newest()
            # First the job: whoever works at it sees by that that its series is another one now.
            if job is not None and not job.is_over:
                await self._moved(job, rungs)
            self.ladder.rungs, self.ladder.retired, self.ladder.rules = rungs, retired, rules

    async def present(self, job: Job) -> Job:
        """The job, moved if the rules changed while nobody was there."""
        async with self._turn:
            return await self._moved(job, self.ladder.rungs)

    async def _moved(self, job: Job, rungs: Sequence[Pipeline]) -> Job:
        keys = [rung.series.key for rung in rungs]
        here, asked = _by_rules(job.series, keys), _by_rules(job.asked, keys)
        if here != job.series:
            why = f"trades are counted by other rules now: {here} is read in place of {job.series}"
            await self._anew(job, here, why)
        if asked != job.asked:
            async with self.jobs.db.transaction() as writer:
                await writer.execute("UPDATE jobs SET asked = ? WHERE id = ?", (asked, job.id))
        return await self.jobs.job(job.id)

    async def _anew(self, job: Job, series: str, why: str) -> None:
        async with self.jobs.db.transaction() as writer:
            await writer.execute(MOVE, (series, why, job.id))
            await writer.execute(
                "DELETE FROM job_attempts WHERE job = ? AND outcome = ?", (job.id, Unit.RUNNING)
            )
            await writer.execute(FORGIVE, forgiving(job))
            await writer.execute(
                "UPDATE job_sessions SET state = ?, cause = NULL, seen = NULL WHERE job = ?",
                (Unit.WAITING, job.id),
            )


def _by_rules(key: str, present: Sequence[str]) -> str:
    """The one of those present that differs from it by the rules alone; else itself."""
    if key in present:
        return key
    return next((one for one in present if alike(one, key)), key)


def alike(one: str, other: str) -> bool:
    """Are two keys of one series, but perhaps for the rules by which trades are counted?"""
    first, second = (replace(Series.of_key(key), rules="") for key in (one, other))
    return first == second
