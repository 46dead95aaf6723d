"""A backfill that was paused and goes on, as it was asked for if a person had to mend something."""

from core.db import Value
from core.jobs import Job, Jobs, JobState, Policy, Unit


async def resumed(jobs: Jobs, job: Job) -> bool:
    """Has it changed? Only what is paused goes on.

    What a refusal had moved to another series, before one paused it, is read as it was asked for
    once more: it is moved again if that is still refused. What came in of the other series
    meanwhile waits, unless it is there as it was asked for.
    """
    which: tuple[Value, ...] = (job.id, JobState.PAUSED)
    async with jobs.db.transaction() as writer:
        cursor = await writer.execute(
            "UPDATE jobs SET series = asked, moved = '' WHERE id = ? AND state = ?"
            " AND reason != '' AND series != asked",
            which,
        )
        if cursor.rowcount:
            await writer.execute(
                "UPDATE job_sessions AS u SET revision = coalesce((SELECT revision FROM sessions"
                " WHERE series = ? AND session = u.session), 0) WHERE job = ?",
                (job.asked, job.id),
            )
            await writer.execute(
                "UPDATE job_sessions SET state = ?, cause = NULL, seen = NULL WHERE job = ?"
                " AND (revision = 0 OR ?)",
                (Unit.WAITING, job.id, job.policy is Policy.ALL),
            )
        cursor = await writer.execute(
            "UPDATE jobs SET state = ?, reason = '' WHERE id = ? AND state = ?",
            (JobState.RUNNING, *which),
        )
        return cursor.rowcount > 0
