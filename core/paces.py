"""How long a session of a backfill takes, by the attempts on record."""

from core.db import Db
from core.jobs import GOOD, Job

_NEWEST = 30


async def pace_s(db: Db, job: Job) -> float | None:
    """The mean of its last sessions that came in, in seconds of work each; None if none did."""
    row = await db.row(
        "SELECT avg(seconds) AS mean FROM (SELECT seconds FROM job_attempts WHERE job = ?"
        " AND outcome IN (?, ?) ORDER BY id DESC LIMIT ?)",
        (job.id, *GOOD, _NEWEST),
    )
    return None if row is None else row["mean"]


async def pace_of_series_s(db: Db, series: str) -> float | None:
    """The same over the newest sessions of all jobs of a series."""
    row = await db.row(
        "SELECT avg(seconds) AS mean FROM (SELECT seconds FROM job_attempts JOIN jobs"
        " ON jobs.id = job WHERE series = ? AND outcome IN (?, ?)"
        " ORDER BY job_attempts.id DESC LIMIT ?)",
        (series, *GOOD, _NEWEST),
    )
    return None if row is None else row["mean"]
