"""A backfill while nobody is there to work: what was begun waits again, and why nothing is read."""

from dataclasses import dataclass

from core.calendar import TradingDay
from core.db import Db, Value
from core.jobs import Job, Unit

_RESTS = "at rest: "


@dataclass(frozen=True, slots=True)
class Unworked:
    """Two changes of the tables of core.jobs."""

    db: Db

    async def give_back(self, job: Job, day: TradingDay | None = None) -> None:
        """A session that is under way, or every one, waits as if nobody had begun it."""
        which: list[Value] = [job.id, Unit.RUNNING, *(2 * [None if day is None else str(day)])]
        async with self.db.transaction() as writer:
            await writer.execute(
                "DELETE FROM job_attempts WHERE job = ? AND outcome = ?"
                " AND (? IS NULL OR session = ?)",
                which,
            )
            await writer.execute(
                "UPDATE job_sessions SET state = ? WHERE job = ? AND state = ?"
                " AND (? IS NULL OR session = ?)",
                [Unit.WAITING, *which],
            )

    async def because(self, job: Job, why: str) -> None:
        """Why nothing is read at the moment, beside any other reason; empty once it is."""
        kept = job.reason.partition(_RESTS)[0].removesuffix("; ")
        reason = "; ".join(filter(None, (kept, why and _RESTS + why)))
        async with self.db.transaction() as writer:
            await writer.execute("UPDATE jobs SET reason = ? WHERE id = ?", (reason, job.id))
