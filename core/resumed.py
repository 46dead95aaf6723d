"""A backfill that was paused and goes on, as it was asked for if a person had to mend something."""

from core.db import Value
from core.jobs import GOOD, Job, Jobs, JobState, Unit
from core.moved import FORGIVE, forgiving


async def resumed(jobs: Jobs, job: Job) -> bool:
    """Has it changed? Only what is paused goes on.

    What a refusal had moved to another series, before one paused it, is read as it was asked for
    once more: it is moved again if that is still refused. What came in of the series that was asked
    for stays; all else waits.
    """
    which: tuple[Value, ...] = (job.id, JobState.PAUSED)
    async with jobs.db.transaction() as writer:
        cursor = await writer.execute(
            "UPDATE jobs SET series = asked, moved = '' WHERE id = ? AND state = ?"
            " AND reason != '' AND series != asked",
            which,
        )
        if cursor.rowcount:
            await writer.execute(FORGIVE, forgiving(job))
            await writer.execute(
                "UPDATE job_sessions SET state = ?, cause = NULL, seen = NULL WHERE job = ?"
                " AND NOT (state IN (?, ?) AND series = ?)",
                (Unit.WAITING, job.id, *GOOD, job.asked),
            )
        cursor = await writer.execute(
            "UPDATE jobs SET state = ?, reason = '' WHERE id = ? AND state = ?",
            (JobState.RUNNING, *which),
        )
        return cursor.rowcount > 0
