"""A backfill while nobody is there to work: what was begun waits again, and why nothing is read."""

import re
from dataclasses import dataclass

from core.db import Db, Value
from core.jobs import EARLIER, Job, Unit

_RESTS, _MEANWHILE = "at rest: ", "meanwhile: "
_FOR_NOW = re.compile(f"(?:^|; )(?:{_RESTS}|{_MEANWHILE})")
_MOST_FORGIVEN = 60
"""Tries of one session, a minute apart."""


@dataclass(frozen=True, slots=True)
class Unworked:
    """Two changes of the tables of core.jobs."""

    db: Db

    async def give_back(self, job: Job) -> None:
        """Every session that is under way waits as if nobody had begun it."""
        which: tuple[Value, ...] = (job.id, Unit.RUNNING)
        async with self.db.transaction() as writer:
            await writer.execute("DELETE FROM job_attempts WHERE job = ? AND outcome = ?", which)
            await writer.execute(
                "UPDATE job_sessions SET state = ? WHERE job = ? AND state = ?",
                (Unit.WAITING, *which),
            )

    async def refused(self, job: Job, cause: str) -> None:
        """What met a refusal that holds for every session waits, and has used up no try."""
        both = (Unit.WAITING, Unit.FAILED)
        which: tuple[Value, ...] = (job.id, *both, cause)
        async with self.db.transaction() as writer:
            await writer.execute(
                "UPDATE job_attempts SET outcome = ? || outcome WHERE job = ? AND outcome IN (?, ?)"
                " AND session IN (SELECT session FROM job_sessions WHERE job = ?"
                " AND state IN (?, ?) AND cause = ?)",
                (EARLIER, job.id, *both, *which),
            )
            await writer.execute(
                "UPDATE job_sessions SET state = ?, cause = NULL, seen = NULL"
                " WHERE job = ? AND state IN (?, ?) AND cause = ?",
                (Unit.WAITING, *which),
            )

    async def away(self, job: Job) -> None:
        """The source was away: that uses up nobody's tries, an hour of them at most.

        Of one session alone it cannot be known whether it is the source's fault or its own.
        """
        waiting: tuple[Value, ...] = (job.id, Unit.WAITING)
        async with self.db.transaction() as writer:
            await writer.execute(
                "UPDATE job_attempts AS a SET outcome = ? || outcome WHERE job = ? AND outcome = ?"
                " AND (SELECT count(DISTINCT session) FROM job_attempts WHERE job = ?"
                " AND outcome = ?) > 1"
                " AND (SELECT count(*) FROM job_attempts AS b WHERE b.job = a.job"
                " AND b.session = a.session AND b.outcome = ? || ?) < ?",
                (EARLIER, *waiting, *waiting, EARLIER, Unit.WAITING, _MOST_FORGIVEN),
            )
        await self.because(job, "")

    async def because(self, job: Job, why: str) -> None:
        """Why nothing is read at the moment, beside any other reason; empty once it is."""
        await self._put(job, why and _RESTS + why)

    async def meanwhile(self, job: Job, what: str) -> None:
        """What is done for now that is not as it should be; until the next because()."""
        await self._put(job, _MEANWHILE + what)

    async def _put(self, job: Job, why: str) -> None:
        """Of a job that somebody has moved meanwhile it does not hold."""
        now = await self.db.row("SELECT reason FROM jobs WHERE id = ?", (job.id,))
        kept = "" if now is None else _FOR_NOW.split(now["reason"])[0]
        reason = "; ".join(filter(None, (kept, why)))
        async with self.db.transaction() as writer:
            await writer.execute(
                "UPDATE jobs SET reason = ? WHERE id = ? AND state = ?",
                (reason, job.id, job.state),
            )
