"""A backfill that goes on with another series than before."""

from core.db import Db
from core.jobs import EARLIER, GOOD, Job, Unit

MOVE = (
    "UPDATE jobs SET series = ?, reason = '', moved = ltrim(moved || '; ' || ?, '; ') WHERE id = ?"
)
"""A job to another series, and why."""

FORGIVE = (
    "UPDATE job_attempts SET outcome = ? || outcome WHERE job = ?"
    " AND outcome NOT IN (?, ?, ?) AND outcome NOT LIKE ?"
)
"""What was tried in vain counts no more; how long a session takes is known by those that came in.
With forgiving()."""


def forgiving(job: Job) -> tuple[str | int, ...]:
    """What FORGIVE asks for."""
    return (EARLIER, job.id, *GOOD, Unit.RUNNING, f"{EARLIER}%")


async def move(db: Db, job: Job, series: str, why: str) -> None:
    """From now on it is about another series: what did not come in of this one waits for that.

    That nobody has a session of this one, or what the gate made of it, tells nothing of the other.
    """
    async with db.transaction() as writer:
        await writer.execute(MOVE, (series, why, job.id))
        await writer.execute(FORGIVE, forgiving(job))
        await writer.execute(
            "UPDATE job_sessions SET state = ?, cause = NULL, seen = NULL WHERE job = ?"
            " AND state NOT IN (?, ?, ?)",
            (Unit.WAITING, job.id, *GOOD, Unit.RUNNING),
        )
